"""The normalized interface: generate, realtime, voice_clone, voice_design, their asynchronous twins, and live sessions.

Owns names and defaults, which are promises. The work is a client's: one for the whole process, made at the first
call from the environment's settings; arguments that concern settings make one of their own.

    from lineread import tts

    speech = tts.generate(text="Hello, this is a short voice line.", voice="Cherry")
    speech.save("hello.wav")

    for chunk in tts.generate(text=long_text, voice="Ethan", stream=True):
        player.write(chunk.pcm)

    async with tts.live(voice="Cherry") as session:
        await session.write("Hello, ")

    voice = tts.voice_design(voice_prompt="A dry museum guide in his fifties.", text="This way.", voice_name="guide")
    tts.generate(text="And here is the second hall.", voice="guide")
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, overload

from lineread import _sync, catalogue, config
from lineread.client import Client
from lineread.errors import OptionError
from lineread.speech import SAMPLE_RATE, LiveRequest, Request

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable, Mapping

    from lineread.engines.base import Engine
    from lineread.live.realtime import Realtime
    from lineread.live.session import Live
    from lineread.results import AsyncStream, Speech, Stream
    from lineread.speech import Mode
    from lineread.voices.making import Made
    from lineread.voices.new import NewVoice, NewVoiceAsyncStream, NewVoiceStream
    from lineread.voices.wishes import CloneWish, DesignWish


class Options(TypedDict, total=False):
    """What else a request may say; see :class:`lineread.Request`."""

    model: str | None
    format: str
    rate: float
    pitch: float
    volume: int
    take: int


class Settings(TypedDict, total=False):
    """What a client may be told; see :class:`lineread.Client`."""

    engine: str | Engine | None
    fallback: str | Engine | None
    api_key: str | None
    base_url: str | None
    region: str | None
    workspace: str | None
    cache: bool
    cache_dir: str | os.PathLike[str] | None
    output_dir: str | os.PathLike[str] | None
    warm: int
    offline: bool
    budget: str | None


class Extras(Options, Settings, total=False):
    """Keyword-only arguments beyond the normalized ones."""


class LiveOptions(TypedDict, total=False):
    """What else a session may be asked for; see :class:`lineread.speech.LiveRequest`."""

    language_type: str
    model: str | None
    mode: Mode
    rate: float
    pitch: float
    volume: int
    response_format: str
    bit_rate: int
    optimize_instructions: bool
    enable_tn: bool | None


class VoiceOptions(TypedDict, total=False):
    """What else the making of a voice may be told; see :class:`lineread.voices.wishes.Wanted`."""

    language_type: str
    realtime: bool
    extend: bool
    replace: bool


class VoiceExtras(VoiceOptions, Options, Settings, total=False):
    """Keyword-only arguments of the making of a voice beyond the normalized ones."""


class LiveExtras(LiveOptions, Settings, total=False):
    """Keyword-only arguments of a session beyond the normalized ones."""


@overload
def generate(
    text: str,
    voice: str,
    language_type: str = "Auto",
    instruction: str | None = None,
    stream: Literal[False] = False,  # noqa: FBT002 - the normalized interface's own field
    **extras: Unpack[Extras],
) -> Speech: ...
@overload
def generate(
    text: str,
    voice: str,
    language_type: str = "Auto",
    instruction: str | None = None,
    *,
    stream: Literal[True],
    **extras: Unpack[Extras],
) -> Stream: ...
@overload
def generate(
    text: str,
    voice: str,
    language_type: str = "Auto",
    instruction: str | None = None,
    *,
    stream: bool,
    **extras: Unpack[Extras],
) -> Speech | Stream: ...


def generate(
    text: str,
    voice: str,
    language_type: str = "Auto",
    instruction: str | None = None,
    stream: bool = False,  # noqa: FBT001, FBT002 - the normalized interface's own field
    **extras: Unpack[Extras],
) -> Speech | Stream:
    """Speak a text.

    Args:
        text: The words; any length.
        voice: A voice of the catalogue (``lineread voices``), or a custom voice's id.
        language_type: ``Auto``, or the text's language, which improves pronunciation; any case.
        instruction: How to speak, for instruct models, in Chinese or English.
        stream: True gives chunks as they come.
        **extras: Fields of :class:`lineread.Request` (``model``, ``format``, ``rate``, ``pitch``, ``volume``,
            ``take``) and settings of :class:`lineread.Client` (``engine``, ``fallback``, ``api_key`` ...).

    Returns:
        A :class:`Speech`; with ``stream=True`` a :class:`Stream` of chunks. ``to_dict()`` of either gives the
        normalized response.

    Raises:
        LinereadError: See ``lineread.errors``.
    """
    client, request = _prepare(text, voice, language_type, instruction, extras)
    return client.generate(request, stream=stream)


@overload
async def agenerate(
    text: str,
    voice: str,
    language_type: str = "Auto",
    instruction: str | None = None,
    stream: Literal[False] = False,  # noqa: FBT002 - the normalized interface's own field
    **extras: Unpack[Extras],
) -> Speech: ...
@overload
async def agenerate(
    text: str,
    voice: str,
    language_type: str = "Auto",
    instruction: str | None = None,
    *,
    stream: Literal[True],
    **extras: Unpack[Extras],
) -> AsyncStream: ...
@overload
async def agenerate(
    text: str,
    voice: str,
    language_type: str = "Auto",
    instruction: str | None = None,
    *,
    stream: bool,
    **extras: Unpack[Extras],
) -> Speech | AsyncStream: ...


async def agenerate(
    text: str,
    voice: str,
    language_type: str = "Auto",
    instruction: str | None = None,
    stream: bool = False,  # noqa: FBT001, FBT002 - the normalized interface's own field
    **extras: Unpack[Extras],
) -> Speech | AsyncStream:
    """As :func:`generate`, with the same arguments, for callers with an event loop."""
    client, request = _prepare(text, voice, language_type, instruction, extras)
    return await client.agenerate(request, stream=stream)


def live(
    voice: str,
    instruction: str | None = None,
    sample_rate: int = SAMPLE_RATE,
    **extras: Unpack[LiveExtras],
) -> Live:
    """A session: text streams in while speech streams out. Open it with ``async with``, or with ``with``.

    Args:
        voice: As for :func:`generate`.
        instruction: As for :func:`generate`.
        sample_rate: Samples a second of the chunks.
        **extras: Fields of a session (``model``, ``language_type``, ``mode``, ``rate``, ``pitch``, ``volume`` ...) and
            settings of :class:`lineread.Client`.

    Raises:
        LinereadError: See ``lineread.errors``.
    """
    settings, options = _divided(extras, LiveExtras.__annotations__)
    return _clients.get(settings).live(LiveRequest(voice, instruction=instruction, sample_rate=sample_rate, **options))


def realtime(
    text: str | Iterable[str] | AsyncIterable[str],
    voice: str,
    instruction: str | None = None,
    sample_rate: int = SAMPLE_RATE,
    **extras: Unpack[LiveExtras],
) -> Realtime:
    """Speak a text, or its pieces as they come, in a session.

    Args:
        text: The words, or something that yields them piece by piece.
        voice: As for :func:`generate`.
        instruction: As for :func:`generate`.
        sample_rate: Samples a second of the chunks.
        **extras: As for :func:`live`.

    Returns:
        All of the sound; ``to_dict()`` gives the normalized response. Who wants to hear it while it comes uses
        :func:`live`.

    Raises:
        LinereadError: See ``lineread.errors``.
    """
    return _sync.run(arealtime(text, voice, instruction, sample_rate, **extras))


async def arealtime(
    text: str | Iterable[str] | AsyncIterable[str],
    voice: str,
    instruction: str | None = None,
    sample_rate: int = SAMPLE_RATE,
    **extras: Unpack[LiveExtras],
) -> Realtime:
    """As :func:`realtime`, with the same arguments, for callers with an event loop."""
    from lineread.live.realtime import speak  # noqa: PLC0415 - asyncio: nothing else has to load it

    return await speak(live(voice, instruction, sample_rate, **extras), text)


@overload
def voice_clone(
    voice_sample: str | os.PathLike[str] | bytes,
    text: str | None = None,
    voice_name: str | None = None,
    stream: Literal[False] = False,  # noqa: FBT002 - the normalized interface's own field
    *,
    consent: str | None = None,
    transcript: str | None = None,
    **extras: Unpack[VoiceExtras],
) -> NewVoice: ...
@overload
def voice_clone(
    voice_sample: str | os.PathLike[str] | bytes,
    text: str | None = None,
    voice_name: str | None = None,
    *,
    stream: bool,
    consent: str | None = None,
    transcript: str | None = None,
    **extras: Unpack[VoiceExtras],
) -> NewVoice | NewVoiceStream: ...


def voice_clone(
    voice_sample: str | os.PathLike[str] | bytes,
    text: str | None = None,
    voice_name: str | None = None,
    stream: bool = False,  # noqa: FBT001, FBT002 - the normalized interface's own field
    *,
    consent: str | None = None,
    transcript: str | None = None,
    **extras: Unpack[VoiceExtras],
) -> NewVoice | NewVoiceStream:
    """Clone a voice from a sample, keep it in the voice book, and let it say something.

    A voice of that name that was made of the same sample is not made again.

    Args:
        voice_sample: Ten to twenty seconds of one person's clear speech, 60 at most: a file's path, its bytes, or a
            URL. What the service would refuse is refused here, before it is sent.
        text: What it shall say; None for nothing.
        voice_name: What requests call it from now on: digits, letters and underscores, 16 at most; None for a name
            that is made of what the voice is made of.
        stream: True gives chunks of what it says as they come.
        consent: Who agreed to what, and when. It is kept with the voice; without it no voice is cloned.
        transcript: The words of the sample, if they are known.
        **extras: ``language_type`` of sample and text; ``model``, the model that shall speak it; ``realtime=True``
            makes it for live sessions as well; ``extend=True`` allows making it for further models when they are
            needed; ``replace=True`` lets it take the place of another voice of that name. Other fields of
            :class:`lineread.Request` and settings of :class:`lineread.Client` as for :func:`generate`.

    Returns:
        The voice: ``voice_id``, ``save()`` and more. ``to_dict()`` gives the normalized response.

    Raises:
        LinereadError: See ``lineread.errors``.
    """
    client, wish, words = _clone(voice_sample, voice_name, consent, transcript, extras)
    _check_words(client, wish, text, words, stream=stream)
    return _sync_first_words(client, _sync.run(client.make(wish)), text, words, stream=stream)


@overload
async def avoice_clone(
    voice_sample: str | os.PathLike[str] | bytes,
    text: str | None = None,
    voice_name: str | None = None,
    stream: Literal[False] = False,  # noqa: FBT002 - the normalized interface's own field
    *,
    consent: str | None = None,
    transcript: str | None = None,
    **extras: Unpack[VoiceExtras],
) -> NewVoice: ...
@overload
async def avoice_clone(
    voice_sample: str | os.PathLike[str] | bytes,
    text: str | None = None,
    voice_name: str | None = None,
    *,
    stream: bool,
    consent: str | None = None,
    transcript: str | None = None,
    **extras: Unpack[VoiceExtras],
) -> NewVoice | NewVoiceAsyncStream: ...


async def avoice_clone(
    voice_sample: str | os.PathLike[str] | bytes,
    text: str | None = None,
    voice_name: str | None = None,
    stream: bool = False,  # noqa: FBT001, FBT002 - the normalized interface's own field
    *,
    consent: str | None = None,
    transcript: str | None = None,
    **extras: Unpack[VoiceExtras],
) -> NewVoice | NewVoiceAsyncStream:
    """As :func:`voice_clone`, with the same arguments, for callers with an event loop."""
    client, wish, words = _clone(voice_sample, voice_name, consent, transcript, extras)
    _check_words(client, wish, text, words, stream=stream)
    return await _async_first_words(client, await client.make(wish), text, words, stream=stream)


@overload
def voice_design(
    voice_prompt: str,
    text: str | None = None,
    voice_name: str | None = None,
    stream: Literal[False] = False,  # noqa: FBT002 - the normalized interface's own field
    **extras: Unpack[VoiceExtras],
) -> NewVoice: ...
@overload
def voice_design(
    voice_prompt: str,
    text: str | None = None,
    voice_name: str | None = None,
    *,
    stream: bool,
    **extras: Unpack[VoiceExtras],
) -> NewVoice | NewVoiceStream: ...


def voice_design(
    voice_prompt: str,
    text: str | None = None,
    voice_name: str | None = None,
    stream: bool = False,  # noqa: FBT001, FBT002 - the normalized interface's own field
    **extras: Unpack[VoiceExtras],
) -> NewVoice | NewVoiceStream:
    """Design a voice from a description, keep it in the voice book, and let it say something.

    A voice of that name that was made of the same description is not made again.

    Args:
        voice_prompt: What it sounds like, in Chinese or English, 2,048 characters at most.
        text: What it shall say; None for a greeting.
        voice_name: As for :func:`voice_clone`.
        stream: As for :func:`voice_clone`.
        **extras: As for :func:`voice_clone`.

    Returns:
        As :func:`voice_clone`.

    Raises:
        LinereadError: See ``lineread.errors``.
    """
    client, wish, words = _design(voice_prompt, voice_name, text, extras)
    _check_words(client, wish, text, words, stream=stream)
    return _sync_first_words(client, _sync.run(client.make(wish)), text, words, stream=stream)


@overload
async def avoice_design(
    voice_prompt: str,
    text: str | None = None,
    voice_name: str | None = None,
    stream: Literal[False] = False,  # noqa: FBT002 - the normalized interface's own field
    **extras: Unpack[VoiceExtras],
) -> NewVoice: ...
@overload
async def avoice_design(
    voice_prompt: str,
    text: str | None = None,
    voice_name: str | None = None,
    *,
    stream: bool,
    **extras: Unpack[VoiceExtras],
) -> NewVoice | NewVoiceAsyncStream: ...


async def avoice_design(
    voice_prompt: str,
    text: str | None = None,
    voice_name: str | None = None,
    stream: bool = False,  # noqa: FBT001, FBT002 - the normalized interface's own field
    **extras: Unpack[VoiceExtras],
) -> NewVoice | NewVoiceAsyncStream:
    """As :func:`voice_design`, with the same arguments, for callers with an event loop."""
    client, wish, words = _design(voice_prompt, voice_name, text, extras)
    _check_words(client, wish, text, words, stream=stream)
    return await _async_first_words(client, await client.make(wish), text, words, stream=stream)


def _clone(
    sample: str | os.PathLike[str] | bytes,
    name: str | None,
    consent: str | None,
    transcript: str | None,
    extras: VoiceExtras,
) -> tuple[Client, CloneWish, dict[str, Any]]:
    """The client, the wish, and how the first words are spoken."""
    from lineread.voices.wishes import CloneWish, Wanted  # noqa: PLC0415 - asyncio: nothing else has to load it

    client, wanted, words = _for_a_voice(extras)
    wish = CloneWish(sample, name, consent, transcript, words["language_type"], Wanted(**wanted))
    return client, wish, words


def _design(
    prompt: str, name: str | None, text: str | None, extras: VoiceExtras
) -> tuple[Client, DesignWish, dict[str, Any]]:
    """As :func:`_clone`."""
    from lineread.voices.wishes import DesignWish, Wanted  # noqa: PLC0415 - as above

    client, wanted, words = _for_a_voice(extras)
    return client, DesignWish(prompt, name, text, words["language_type"], Wanted(**wanted)), words


def _for_a_voice(extras: VoiceExtras) -> tuple[Client, dict[str, Any], dict[str, Any]]:
    """The client, what the voice is wanted for, and how its first words are spoken."""
    settings, options = _divided(extras, VoiceExtras.__annotations__)
    wanted: dict[str, Any] = {name: options.pop(name) for name in _WANTED if name in options}
    return _clients.get(settings), wanted, {"language_type": "Auto", **options}


#: Arguments that say what a voice is made for.
_WANTED = ("model", "realtime", "extend", "replace")


def _check_words(
    client: Client, wish: CloneWish | DesignWish, text: str | None, words: Mapping[str, Any], *, stream: bool
) -> None:
    """Refuse first words that cannot be spoken, before the voice is paid for."""
    from lineread.voices import new  # noqa: PLC0415 - as above

    new.check_words(client.engine(), wish.kind, text, words, model=wish.wanted.model, stream=stream)


def _sync_first_words(
    client: Client, made: Made, text: str | None, words: Mapping[str, Any], *, stream: bool
) -> NewVoice | NewVoiceStream:
    """The voice with its first words."""
    from lineread.voices import new  # noqa: PLC0415 - as above

    request = new.first_words(made, text, words)
    if request is None:
        return new.NewVoice(made, None)
    with new.though_made(made.voice.name):
        if stream:
            return new.NewVoiceStream(made, client.generate(request, stream=True))
        return new.NewVoice(made, new.previewed(made, request, client.prepare) or client.generate(request))


async def _async_first_words(
    client: Client, made: Made, text: str | None, words: Mapping[str, Any], *, stream: bool
) -> NewVoice | NewVoiceAsyncStream:
    """As :func:`_sync_first_words`."""
    from lineread.voices import new  # noqa: PLC0415 - as above

    request = new.first_words(made, text, words)
    if request is None:
        return new.NewVoice(made, None)
    with new.though_made(made.voice.name):
        if stream:
            return new.NewVoiceAsyncStream(made, await client.agenerate(request, stream=True))
        return new.NewVoice(made, new.previewed(made, request, client.prepare) or await client.agenerate(request))


def _prepare(
    text: str, voice: str, language_type: str, instruction: str | None, extras: Extras
) -> tuple[Client, Request]:
    settings, options = _divided(extras, Extras.__annotations__)
    return _clients.get(settings), Request(text, voice, language_type, instruction, **options)


def _divided(extras: Mapping[str, object], known: Mapping[str, object]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings, and options of the request, if there are no others."""
    unknown = [name for name in extras if name not in known]
    if unknown:
        hint = catalogue.suggestion(unknown[0], known, f"There is {', '.join(known)}.")
        raise OptionError(f"There is no argument {unknown[0]!r}.", remedy=hint, code="unknown_argument")
    settings = {name: extras[name] for name in Settings.__annotations__ if name in extras}
    return settings, {name: value for name, value in extras.items() if name not in settings}


class _Clients:
    """One client for each set of settings, so that connections and loaded voices are kept between calls.

    The one that was not used for longest is let go when there are too many. It is not closed: whoever still listens to
    it hears the end, and then it gives back what it holds.
    """

    MOST = 32

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clients: OrderedDict[object, Client] = OrderedDict()

    def get(self, settings: Mapping[str, object]) -> Client:
        marks = {name: _mark(value) for name, value in settings.items()}
        key = (config.state(), tuple(sorted(marks.items())))
        with self._lock:
            client = self._clients.get(key)
            if client is None:
                client = self._clients[key] = Client(**settings)  # type: ignore[arg-type]  # the callers' TypedDict
            self._clients.move_to_end(key)
            if len(self._clients) > self.MOST:
                self._clients.popitem(last=False)
        return client

    def clear(self) -> None:
        """Forget all of them, for tests that change what settings depend on."""
        with self._lock:
            self._clients.clear()


def _mark(setting: object) -> object:
    """What tells a setting from others. An engine that is an object stands for itself: its client keeps it alive."""
    if isinstance(setting, os.PathLike):
        return os.fspath(setting)
    return setting if isinstance(setting, str | bool | int) else id(setting)


_clients = _Clients()
