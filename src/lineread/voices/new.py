"""What making a voice gives: the voice, and how it says the words that were given with it.

Owns the normalized responses of ``tts.voice_clone`` and ``tts.voice_design``.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from lineread import catalogue, plan
from lineread.audio import container
from lineread.enrolment import has_words
from lineread.errors import LinereadError, NoAudio, OptionError, TextError
from lineread.results import Speech
from lineread.speech import Chunk, Facts, Request, Spoken
from lineread.voices.wishes import GREETINGS

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from lineread.engines.base import Engine
    from lineread.enrolment import Fidelity, Kind
    from lineread.results import AsyncStream, Job, Stream
    from lineread.voices.making import Made


class _Named:
    """What is known of a voice that was made."""

    def __init__(self, made: Made) -> None:
        self._made = made

    @property
    def voice_id(self) -> str:
        """What it is called where it was made; its name does as well from now on."""
        return self._made.id.voice

    @property
    def voice_name(self) -> str:
        """Its name in the voice book."""
        return self._made.voice.name

    @property
    def target_model(self) -> str:
        """The model that speaks it."""
        return self._made.id.target_model

    @property
    def request_id(self) -> str:
        """The service's id of the call that made it; empty if it was in the book already."""
        return self._made.request_id

    @property
    def fidelity(self) -> Fidelity:
        """``exact`` or ``approximate``.

        ``exact`` is the service's own voice, however near it comes to the speaker or the description: nothing of ours
        stands in for it. ``approximate`` is the machine's own voice, brought near to what was asked for.
        """
        return self._made.id.fidelity

    @property
    def settings(self) -> dict[str, float]:
        """What the machine's own voice is set to; empty in the cloud."""
        return dict(self._made.id.settings)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is set so, and what else there is to say of the voice."""
        return (*self._made.id.reasons, *self._made.notes)

    def _identity(self) -> dict[str, object]:
        return {"voice_id": self.voice_id, "request_id": self.request_id}

    def _identity_of(self, error: NoAudio) -> dict[str, object]:
        """What there is to say once its words were heard; any other lack of sound is an error."""
        if error.code != "stream_consumed":
            raise error
        return self._identity()


class NewVoice(_Named):
    """A voice that was made.

    Attributes:
        speech: How it says the words that were given with it; None if none were.
    """

    def __init__(self, made: Made, speech: Speech | None) -> None:
        super().__init__(made)
        self.speech = speech

    @property
    def audio_url(self) -> str:
        """A ``file:`` URL of what it says, saved if it was not yet.

        Raises:
            NoAudio: It says nothing.
        """
        return self._said().audio_url

    def save(self, path: str | os.PathLike[str] | None = None) -> str:
        """Write what it says into a file, as :meth:`lineread.Speech.save` does, and return its path.

        Raises:
            NoAudio: It says nothing.
            OutputError: It cannot be written there.
        """
        return self._said().save(path)

    def to_dict(self) -> dict[str, object]:
        """The normalized response: ``audio_url`` (where it says something), ``voice_id``, ``request_id``."""
        audio: dict[str, object] = {} if self.speech is None else {"audio_url": self.speech.audio_url}
        return {**audio, **self._identity()}

    def _said(self) -> Speech:
        if self.speech is None:
            raise NoAudio("The voice was given no words.", remedy="Give a text when making it, or speak with it.")
        return self.speech

    def __repr__(self) -> str:
        return f"<NewVoice {self.voice_name}, {self.fidelity}>"


class NewVoiceStream(_Named):
    """A voice that was made, while it says its words: iterate over it for chunks."""

    def __init__(self, made: Made, stream: Stream) -> None:
        super().__init__(made)
        self._stream = stream

    def __iter__(self) -> Iterator[Chunk]:
        return iter(self._stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the speech. The voice stays."""
        self._stream.close()

    def collect(self) -> NewVoice:
        """The voice with all that it still has to say."""
        return NewVoice(self._made, self._stream.collect())

    def to_dict(self) -> dict[str, object]:
        """The normalized response: ``audio_base64_pcm``, ``voice_id``, ``request_id``.

        Of a stream that was read, or closed, the sound is gone, and left out.
        """
        try:
            return _streamed(self._stream.collect(), self._identity())
        except NoAudio as error:
            return self._identity_of(error)


class NewVoiceAsyncStream(_Named):
    """As :class:`NewVoiceStream`, for callers with an event loop."""

    def __init__(self, made: Made, stream: AsyncStream) -> None:
        super().__init__(made)
        self._stream = stream

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return aiter(self._stream)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop the speech. The voice stays."""
        await self._stream.aclose()

    async def collect(self) -> NewVoice:
        """The voice with all that it still has to say."""
        return NewVoice(self._made, await self._stream.collect())

    async def to_dict(self) -> dict[str, object]:
        """As :meth:`NewVoiceStream.to_dict`."""
        try:
            return _streamed(await self._stream.collect(), self._identity())
        except NoAudio as error:
            return self._identity_of(error)


def check_words(
    engine: Engine,
    kind: Kind,
    text: str | None,
    words: Mapping[str, Any],
    *,
    model: str | None = None,
    stream: bool = False,
) -> None:
    """Refuse first words that cannot be spoken, before the voice is made and paid for.

    Args:
        engine: It makes the voice, and speaks it.
        kind: How the voice is made.
        text: As for :func:`first_words`, like all that follow.
        words: Further fields of the request.
        model: The model that the voice is made for; None for one that speaks over HTTP.
        stream: Their sound is wanted as it comes.

    Raises:
        RequestError: They cannot be spoken, whoever speaks.
        ConfigError: The engine cannot work as it is set up.
    """
    plan.check_stream(stream)
    is_silent = text == "" or (text is None and kind == "clone")
    if is_silent and stream:
        raise OptionError("There are no words to stream.", remedy="Give a text, or leave stream out.")
    anybody = next(iter(catalogue.load().voices))
    greeting = _greeting(GREETINGS["English"], anybody, words)
    plan.make(greeting if is_silent or text is None else Request(text, anybody, **words), engine)
    if text and not has_words(text):
        raise TextError("There is nothing to speak in the text.", remedy="Give some words.", code="nothing_to_speak")
    maker = engine.enroller()
    if maker is None or maker.engine != "dashscope":  # the machine's voices speak for any model
        return
    if model is None or catalogue.model(model).transport != "realtime":
        return
    by_preview = kind == "design" and not stream and set(words) <= {"language_type", "format"}
    if not is_silent and not by_preview:
        raise OptionError(
            f"{model} speaks in live sessions only, and first words are spoken over HTTP.",
            remedy="Make the voice for both: realtime, in place of the model. Or leave the text out, and speak live.",
            code="model_not_http",
        )


def first_words(made: Made, text: str | None, words: Mapping[str, Any]) -> Request | None:
    """The request by which a new voice says its first words; None if it says nothing.

    Args:
        made: The voice.
        text: What it shall say; None for the greeting of a designed voice.
        words: Further fields of the request.
    """
    if text is not None:
        return Request(text, made.voice.name, **words) if text else None
    greeting = made.voice.preview_text
    return _greeting(greeting, made.voice.name, words) if greeting else None


def _greeting(text: str, voice: str, words: Mapping[str, Any]) -> Request:
    """Words that nobody gave: they may be in another language than was asked for, where the engine knows but one."""
    return Request(text, voice, **{**words, "language_type": "Auto"})


@contextmanager
def though_made(name: str) -> Iterator[None]:
    """Errors of a new voice's first words say that the voice itself is there.

    Args:
        name: What the voice is called from now on.
    """
    try:
        yield
    except LinereadError as error:
        error.message += f" The voice {name} is made, and can speak from now on; only its first words failed."
        error.args = (error.message,)
        raise


def spoken(preview: bytes, text: str, facts: Facts) -> Chunk:
    """A designed voice's preview as speech: all of it in one chunk.

    Args:
        preview: A WAV file.
        text: What it says.
        facts: Who says it.

    Raises:
        BadReply: It is no WAV file.
    """
    pcm, sample_rate = container.read_wav(preview)
    return Chunk(pcm, sample_rate, 0, (0, len(text)), facts=facts, final=True)


def previewed(made: Made, words: Request, prepare: Callable[[Request], Job]) -> Speech | None:
    """The speech that a designed voice's preview is; None where the preview says something else, or otherwise.

    Args:
        made: The voice.
        words: What it was to say.
        prepare: Makes the job of that.

    Raises:
        RequestError: It cannot be said.
    """
    if not made.preview:
        return None
    job = prepare(replace(words, voice=made.id.voice))  # its name may stand for no voice that speaks over HTTP
    request = job.request
    plain = Request(request.text, request.voice, request.language_type, model=request.model, format=request.format)
    if request != plain or request.text.strip() != made.voice.preview_text:
        return None
    facts = Facts(made.id.engine, model=made.id.target_model, request_id=made.request_id)
    sound = spoken(made.preview, request.text, facts)
    segment = Spoken(sound.span, 0.0, sound.duration, facts)
    return Speech(sound.pcm, sound.sample_rate, request.format, request.voice, (segment,), (), _job=job)


def _streamed(speech: Speech, identity: dict[str, object]) -> dict[str, object]:
    return {"audio_base64_pcm": speech.to_streamed_dict()["audio_base64_pcm"], **identity}
