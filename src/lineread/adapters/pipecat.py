"""A voice for Pipecat: ``LinereadTTSService`` stands in a pipeline where any TTS service does.

    from lineread.adapters.pipecat import LinereadTTSService

    tts = LinereadTTSService(voice="Cherry")
    Pipeline([transport.input(), stt, aggregators.user(), llm, tts, transport.output(), aggregators.assistant()])

Owns the way between Pipecat's frames and live sessions. Each turn has a session of its own. Tokens go into it as they
come, and lineread decides what can be spoken; sound and the times of words leave as they come. An interruption cancels
the session; Pipecat keeps those words in its context whose time had come.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lineread import adapters, tts
from lineread.adapters.timing import Timing
from lineread.errors import (
    LinereadError,
    QuotaExceeded,
    Refused,
    RequestError,
    TextError,
    TimedOut,
    Unreachable,
)
from lineread.speech import SAMPLE_RATE

try:
    import pipecat  # noqa: F401 - tells whether it is there
except ModuleNotFoundError:
    raise adapters.missing("Pipecat", "pipecat") from None

from pipecat.frames.frames import (
    AggregatedTextProgressFrame,
    ControlFrame,
    Frame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.metrics.metrics import MetricsData
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TextAggregationMode, TTSService
from pipecat.utils.errors import ErrorCategory, classify_http_status_code
from pipecat.utils.types import NOT_GIVEN, NotGiven

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from pipecat.frames.frames import CancelFrame, StartFrame
    from pipecat.transcriptions.language import Language

    from lineread.live.session import Live, Session
    from lineread.speech import Chunk

#: Seconds that a turn may stay without sound: a language model may think that long in the middle of it.
QUIET: Final = 60.0
#: What a session is asked for by a service's settings.
_FIELDS: Final = ("voice", "model", "instruction", "rate", "pitch", "volume")


@dataclass
class LinereadTTSSettings(TTSSettings):  # type: ignore[misc]  # Pipecat may be missing where types are checked
    """What may change while the pipeline runs, by a ``TTSUpdateSettingsFrame``; the next turn is spoken so.

    Attributes:
        instruction: How to speak, for instruct models, in Chinese or English.
        rate: Speaking rate, 0.5 to 2.
        pitch: Pitch, 0.5 to 2 times the voice's own.
        volume: Loudness, 0 to 100.
    """

    instruction: str | NotGiven | None = field(default_factory=lambda: NOT_GIVEN)
    rate: float | NotGiven = field(default_factory=lambda: NOT_GIVEN)
    pitch: float | NotGiven = field(default_factory=lambda: NOT_GIVEN)
    volume: int | NotGiven = field(default_factory=lambda: NOT_GIVEN)


@dataclass(slots=True, eq=False)
class _Turn:
    """A session, and what carries its sound to the pipeline.

    Attributes:
        session: The session.
        timing: When its words are spoken.
        reader: The task that reads it.
        refused: Some of its text cannot be spoken.
        over: No more text comes.
    """

    session: Session
    timing: Timing
    reader: asyncio.Task[None] | None = None
    refused: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class _Unspoken(ControlFrame):  # type: ignore[misc]  # as above
    """Stands in a turn's sound where all that was spoken has been told: what is left of its text never was.

    Pipecat takes text without times for spoken when a turn ends, and would put it into the model's context.
    """

    turn: str = ""


class LinereadTTSService(TTSService):  # type: ignore[misc]  # as above
    """Speaks with lineread: by Qwen TTS in the cloud, or with the machine's own voice.

    Args:
        voice: A voice of the catalogue, or a custom voice's id.
        instruction: How to speak, for instruct models, in Chinese or English.
        model: A model of the catalogue; None leaves the choice to the engine.
        language: A language of Pipecat's, a tag such as ``en-US``, a language of the catalogue, or ``Auto``.
        rate: Speaking rate, 0.5 to 2; 1 is the voice's own.
        pitch: Pitch, 0.5 to 2 times the voice's own.
        volume: Loudness, 0 to 100; 50 is the voice's own.
        sample_rate: Samples a second; None takes the pipeline's.
        text_aggregation_mode: ``TOKEN`` leaves it to lineread what can be spoken when, ``SENTENCE`` to Pipecat.
        settings: Settings in Pipecat's own form; they come before the arguments above.
        **options: Settings of :class:`lineread.Client` (``engine``, ``fallback``, ``api_key``, ``cache`` ...), other
            fields of a session (``optimize_instructions`` ...), and arguments of Pipecat's ``TTSService``.

    Raises:
        LinereadError: It cannot speak as asked.
    """

    Settings = LinereadTTSSettings
    _settings: LinereadTTSSettings

    def __init__(
        self,
        *,
        voice: str,
        instruction: str | None = None,
        model: str | None = None,
        language: Language | str = "Auto",
        rate: float = 1.0,
        pitch: float = 1.0,
        volume: int = 50,
        sample_rate: int | None = None,
        text_aggregation_mode: TextAggregationMode = TextAggregationMode.TOKEN,
        settings: LinereadTTSSettings | None = None,
        **options: object,
    ) -> None:
        known = {name for name in tts.LiveExtras.__annotations__ if name in options} - {"mode", "language_type"}
        self._options: dict[str, Any] = {name: options.pop(name) for name in known}
        self._turns: dict[str, _Turn] = {}
        self._failed: set[str] = set()  # turns whose voice has failed: what else comes of them is not spoken
        self._silent: set[str] = set()  # turns of whose text no more was spoken than what has passed
        self._warming: asyncio.Task[None] | None = None
        asked = LinereadTTSSettings(
            model=model,
            voice=voice,
            language=language,
            instruction=instruction,
            rate=rate,
            pitch=pitch,
            volume=volume,
        )
        if settings is not None:
            asked.apply_update(settings)
        ours = {
            "append_trailing_space": True,  # sentences come without the space between them
            "max_consecutive_zero_audio_contexts": 0,  # a reply of signs alone; engines tell their own failures
            "push_start_frame": True,
            "push_text_frames": False,  # words come with their times
            "stop_frame_timeout_s": QUIET,
        }
        super().__init__(
            **{**ours, **options},
            sample_rate=sample_rate,
            text_aggregation_mode=text_aggregation_mode,
            settings=asked,
        )
        self._live(sample_rate)  # what is wrong with it is said now

    def can_generate_metrics(self) -> bool:
        """Yes: time to first byte, and characters."""
        return True

    @property
    def supports_processing_metrics(self) -> bool:
        """No: the sound comes after :meth:`run_tts` has returned."""
        return False

    def language_to_service_language(self, language: Language) -> str:
        """The catalogue's name of a language."""
        return adapters.language_type(str(language))

    async def start(self, frame: StartFrame) -> None:
        """Load the voice, or connect to it, before there is text; what is wrong is told with the first text."""
        await super().start(frame)
        self._warming = self.create_task(self._warm(), name="warming")

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        """Write some more text of a turn; its sound comes by the turn's own task."""
        if context_id not in self._failed:
            try:
                await self._write(text, self._turns.get(context_id) or await self._begin(context_id))
            except LinereadError as error:
                await self._fail(context_id, error)
        yield None

    async def flush_audio(self, context_id: str | None = None) -> None:
        """No more text comes in this turn."""
        context_id = context_id or self.get_active_audio_context_id() or ""
        turn = self._turns.get(context_id)
        if turn is None:  # it could not begin
            await self._stopped(context_id)
            return
        turn.over.set()
        try:
            await turn.session.end()
        except LinereadError as error:
            await self._fail(context_id, error)

    async def on_audio_context_interrupted(self, context_id: str) -> None:
        """Fall silent."""
        await self._drop(context_id)

    async def on_audio_context_completed(self, context_id: str) -> None:
        """Let go of what was spoken, or was silent for too long."""
        await self._drop(context_id)

    async def push_frame(self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM) -> None:
        """Push a frame on, unless it says that text was spoken which was not."""
        if isinstance(frame, _Unspoken):
            self._silent.add(frame.turn)
        elif not (isinstance(frame, TTSTextFrame | AggregatedTextProgressFrame) and frame.context_id in self._silent):
            await super().push_frame(frame, direction)

    async def cancel(self, frame: CancelFrame) -> None:
        """Fall silent for good."""
        await super().cancel(frame)
        await self._drop_all()

    async def cleanup(self) -> None:
        """Let go of everything."""
        await super().cleanup()
        await self._drop_all()

    async def _update_settings(self, delta: TTSSettings) -> dict[str, Any]:
        before = self._settings.copy()
        changed: dict[str, Any] = await super()._update_settings(delta)
        try:
            self._live(self.sample_rate or self._init_sample_rate)
        except LinereadError as error:
            self._settings = before
            await self.push_error(str(error), exception=error, category=ErrorCategory.APPLICATION)
            return {}
        return changed

    def _classify_error(self, exception: Exception) -> ErrorCategory | None:
        return _category(exception) if isinstance(exception, LinereadError) else super()._classify_error(exception)

    def _live(self, sample_rate: int | None) -> Live:
        given: dict[str, Any] = {name: getattr(self._settings, name) for name in _FIELDS}
        language = str(self._settings.language or "Auto")
        return adapters.live(language, sample_rate=sample_rate or SAMPLE_RATE, **given, **self._options)

    async def _begin(self, context_id: str) -> _Turn:
        live = self._live(self.sample_rate)
        session = await live.__aenter__()
        turn = self._turns[context_id] = _Turn(session, Timing(session))
        turn.reader = self.create_task(self._read(context_id, turn), name="turn")
        self.set_core_metrics_data(MetricsData(processor=self.name, model=session.request.model or ""))
        return turn

    async def _read(self, context_id: str, turn: _Turn) -> None:
        try:
            async for chunk in turn.session:
                await self._deliver(context_id, chunk, turn)
        except LinereadError as error:
            await self._fail(context_id, error)
            await turn.over.wait()  # or Pipecat would open the turn again for the tokens to come
        await self._stopped(context_id)

    async def _write(self, text: str, turn: _Turn) -> None:
        await self.start_tts_usage_metrics(text)
        turn.timing.wrote(text)
        try:
            await turn.session.write(text)
        except RequestError as error:
            if error.code == "session_over":
                raise
            turn.refused = True  # the rest of it is spoken
            await self._tell(error)

    async def _deliver(self, context_id: str, chunk: Chunk, turn: _Turn) -> None:
        for timed in turn.timing.delivered(chunk):
            await self.add_word_timestamps(
                [(timed.text.lstrip() if timed.spaceless else timed.word, timed.start)],
                context_id,
                includes_inter_frame_spaces=timed.spaceless,
            )
        if chunk.pcm:
            sound = TTSAudioRawFrame(chunk.pcm, chunk.sample_rate, 1, context_id=context_id)
            await self.append_to_audio_context(context_id, sound)

    async def _stopped(self, context_id: str) -> None:
        if context_id and self.audio_context_available(context_id):
            turn = self._turns.get(context_id)
            if turn is None or turn.refused or context_id in self._failed:
                await self.append_to_audio_context(context_id, _Unspoken(context_id))
            await self.append_to_audio_context(context_id, TTSStoppedFrame(context_id=context_id))
            await self.remove_audio_context(context_id)

    async def _drop(self, context_id: str) -> None:
        self._failed.discard(context_id)
        self._silent.discard(context_id)
        turn = self._turns.pop(context_id, None)
        if turn is None:
            return
        await turn.session.cancel()
        if turn.reader is not None and not turn.reader.done():
            await self.cancel_task(turn.reader)
        await turn.session.aclose()

    async def _warm(self) -> None:
        with suppress(LinereadError):
            async with self._live(self.sample_rate):
                pass

    async def _drop_all(self) -> None:
        warming, self._warming = self._warming, None
        if warming is not None:
            await self.cancel_task(warming)
        for context_id in list(self._turns):
            await self._drop(context_id)

    async def _fail(self, context_id: str, error: LinereadError) -> None:
        """Tell, once a turn, why the rest of it is not spoken."""
        if context_id not in self._failed:
            self._failed.add(context_id)
            await self._tell(error)

    async def _tell(self, error: LinereadError) -> None:
        await self.push_error(str(error), exception=error)


def _category(error: LinereadError) -> ErrorCategory:
    """Whose fault an error is. Pipecat gives up a service whose faults are its own and will last."""
    if isinstance(error, TextError | Refused):
        return ErrorCategory.APPLICATION  # the next text may do
    if isinstance(error, QuotaExceeded):
        return ErrorCategory.QUOTA
    if isinstance(error, Unreachable | TimedOut):
        return ErrorCategory.CONNECTIVITY
    return classify_http_status_code(error.http_status)
