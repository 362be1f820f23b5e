"""A voice for LiveKit Agents: ``TTS`` stands where any of its plugins' does.

    from livekit.agents import AgentSession
    from lineread.adapters import livekit as lineread

    session = AgentSession(stt=..., llm=..., tts=lineread.TTS(voice="Cherry"), use_tts_aligned_transcript=True)

Owns the way between LiveKit's streams and live sessions. Text goes into a session as it comes, and lineread decides
what can be spoken; sound and the times of words leave as they come. Closing a stream cancels its session.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from lineread import adapters
from lineread import tts as lines
from lineread.adapters.timing import Timing
from lineread.errors import LinereadError, TextError, TimedOut, Unreachable
from lineread.speech import SAMPLE_RATE, SAMPLE_WIDTH

try:
    from livekit.agents import (
        DEFAULT_API_CONNECT_OPTIONS,
        APIConnectionError,
        APIConnectOptions,
        APIStatusError,
        APITimeoutError,
        tts,
    )
    from livekit.agents.types import TimedString
except ModuleNotFoundError as error:
    if (error.name or "").startswith("livekit"):
        raise adapters.missing("LiveKit Agents", "livekit") from None
    raise

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator

    from livekit.agents import APIError

    from lineread.live.session import Live, Session

_PCM: Final = "audio/pcm"


@dataclass(frozen=True, slots=True)
class _Asked:
    """What sessions are asked for."""

    voice: str
    instruction: str | None
    model: str | None
    language: str
    rate: float
    pitch: float
    volume: int
    sample_rate: int
    options: dict[str, Any] = field(default_factory=dict)

    def live(self) -> Live:
        """A session of that kind."""
        return adapters.live(
            self.language,
            voice=self.voice,
            instruction=self.instruction,
            sample_rate=self.sample_rate,
            model=self.model,
            rate=self.rate,
            pitch=self.pitch,
            volume=self.volume,
            **self.options,
        )


#: Arguments of a voice that may change.
_CHANGING: Final = ("voice", "instruction", "model", "language", "rate", "pitch", "volume")
#: All arguments of a voice.
_KNOWN: Final = (
    *_CHANGING,
    "sample_rate",
    *(name for name in lines.LiveExtras.__annotations__ if name not in (*_CHANGING, "language_type")),
)


class TTS(tts.TTS):  # type: ignore[misc]  # LiveKit may be missing where types are checked
    """Speaks with lineread: by Qwen TTS in the cloud, or with the machine's own voice.

    Args:
        voice: A voice of the catalogue, or a custom voice's id.
        instruction: How to speak, for instruct models, in Chinese or English.
        model: A model of the catalogue; None leaves the choice to the engine.
        language: A tag such as ``en-US``, a language of the catalogue, or ``Auto``.
        rate: Speaking rate, 0.5 to 2; 1 is the voice's own.
        pitch: Pitch, 0.5 to 2 times the voice's own.
        volume: Loudness, 0 to 100; 50 is the voice's own.
        sample_rate: Samples a second.
        **options: Settings of :class:`lineread.Client` (``engine``, ``fallback``, ``api_key``, ``cache`` ...), and
            other fields of a session (``optimize_instructions`` ...).

    Raises:
        LinereadError: It cannot speak as asked.
    """

    def __init__(
        self,
        *,
        voice: str,
        instruction: str | None = None,
        model: str | None = None,
        language: str = "Auto",
        rate: float = 1.0,
        pitch: float = 1.0,
        volume: int = 50,
        sample_rate: int = SAMPLE_RATE,
        **options: object,
    ) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=True, aligned_transcript=True),
            sample_rate=sample_rate,
            num_channels=1,
        )
        adapters.check_names(options, _KNOWN)
        self._asked = _Asked(voice, instruction, model, language, rate, pitch, volume, sample_rate, options)
        self._asked.live()  # what is wrong with it is said now
        self._model = model or "unknown"
        self._streams: WeakSet[Stream] = WeakSet()
        self._warming: asyncio.Task[None] | None = None

    @property
    def model(self) -> str:
        """The model that speaks; unknown until it has spoken, if the choice was left to the engine."""
        return self._model

    @property
    def provider(self) -> str:
        """Who speaks."""
        return "lineread"

    def update_options(self, **changes: object) -> None:
        """Change ``voice``, ``instruction``, ``model``, ``language``, ``rate``, ``pitch`` or ``volume`` from now on.

        Raises:
            LinereadError: It cannot speak so; it goes on as before.
        """
        adapters.check_names(changes, _CHANGING)
        asked = replace(self._asked, **changes)  # type: ignore[arg-type]  # the session checks their types
        asked.live()
        self._asked = asked

    def synthesize(self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> Whole:
        """Speak a whole text."""
        return Whole(self, self._asked, text, conn_options)

    def stream(self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> Stream:
        """Speak a text while it is being written."""
        stream = Stream(self, self._asked, conn_options)
        self._streams.add(stream)
        return stream

    def prewarm(self) -> None:
        """Load the voice, or connect to it, before there is text; what is wrong is told with the first text."""
        self._warming = asyncio.get_running_loop().create_task(self._warm())

    async def _warm(self) -> None:
        with suppress(LinereadError):
            async with self._asked.live():
                pass

    async def aclose(self) -> None:
        """Close all streams."""
        if self._warming is not None:
            self._warming.cancel()
        for stream in list(self._streams):
            await stream.aclose()

    def begun(self, session: Session) -> None:
        """A session was opened: now it is known which model speaks."""
        self._model = session.request.model or self._model


class Whole(tts.ChunkedStream):  # type: ignore[misc]  # as above
    """A whole text, spoken."""

    def __init__(self, voice: TTS, asked: _Asked, text: str, conn_options: APIConnectOptions) -> None:
        self._asked = asked
        super().__init__(tts=voice, input_text=text, conn_options=conn_options)

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(request_id=_id(), sample_rate=self._asked.sample_rate, num_channels=1, mime_type=_PCM)
        await _Saying(self._tts, output_emitter).say(self._asked, self._text())

    async def _text(self) -> AsyncIterator[str]:
        yield self._input_text


class Stream(tts.SynthesizeStream):  # type: ignore[misc]  # as above
    """A text that is spoken while it is being written."""

    def __init__(self, voice: TTS, asked: _Asked, conn_options: APIConnectOptions) -> None:
        self._asked = asked
        super().__init__(tts=voice, conn_options=conn_options)

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=_id(), sample_rate=self._asked.sample_rate, num_channels=1, mime_type=_PCM, stream=True
        )
        async for item in self._input_ch:
            if isinstance(item, str):
                self._mark_started()
                output_emitter.start_segment(segment_id=_id())
                await _Saying(self._tts, output_emitter).say(self._asked, self._segment(item))
                output_emitter.end_segment()

    async def _segment(self, text: str) -> AsyncIterator[str]:
        """The rest of a segment, whose first text this is; a flush ends it."""
        yield text
        async for item in self._input_ch:
            if not isinstance(item, str):
                return
            yield item


class _Saying:
    """One session, whose sound goes into an emitter.

    Args:
        voice: Whom events belong to.
        emitter: Takes the sound.
    """

    def __init__(self, voice: TTS, emitter: tts.AudioEmitter) -> None:
        self._voice = voice
        self._emitter = emitter
        self._refused: TextError | None = None
        self._sounded = False

    async def say(self, asked: _Asked, pieces: AsyncIterator[str]) -> None:
        """Speak what comes, until it ends."""
        try:
            async with asked.live() as session:
                self._voice.begun(session)
                timing = Timing(session)
                await _first_failure(self._read(session, timing), self._write(session, timing, pieces))
            if self._refused is not None and not self._sounded:
                raise self._refused
        except LinereadError as error:
            raise translated(error) from None  # LiveKit tells a cause as well, and here it would say the same
        if not self._sounded:  # nothing in it can be heard, a smile for example; LiveKit takes no sound for a failure
            self._emitter.push(bytes(asked.sample_rate // 100 * SAMPLE_WIDTH))

    async def _write(self, session: Session, timing: Timing, pieces: AsyncIterator[str]) -> None:
        async for text in pieces:
            timing.wrote(text)
            with self._refusing():
                await session.write(text)
        with self._refusing():
            await session.end()

    async def _read(self, session: Session, timing: Timing) -> None:
        async for chunk in session:
            for timed in timing.delivered(chunk):
                self._emitter.push_timed_transcript(TimedString(timed.text, timed.start, timed.end))
            if chunk.pcm:
                self._emitter.push(chunk.pcm)
                self._sounded = True

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """Tell of text that cannot be spoken, and go on with the rest."""
        try:
            yield
        except TextError as error:
            self._refused = error
            told = tts.TTSError(
                timestamp=time.time(), label=self._voice.label, error=translated(error), recoverable=True
            )
            self._voice.emit("error", told)


async def _first_failure(*works: Coroutine[Any, Any, None]) -> None:
    """Do things at the same time; where one fails, or this is cancelled, the others are cancelled."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def translated(error: LinereadError) -> APIError:
    """An error as LiveKit tells it. It is not to be retried: where that might help, lineread has done it."""
    if isinstance(error, TimedOut):
        return APITimeoutError(str(error), retryable=False)
    if isinstance(error, Unreachable):
        return APIConnectionError(str(error), retryable=False)
    return APIStatusError(
        str(error),
        status_code=error.http_status,
        request_id=error.request_id or None,
        body=error.to_dict(),
        retryable=False,
    )


def _id() -> str:
    return uuid.uuid4().hex[:12]
