"""A Pipecat pipeline as an agent has one: a language model's words come in, and a loudspeaker plays in real time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    MetricsFrame,
    OutputAudioRawFrame,
    StartFrame,
    TTSAudioRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

from lineread.adapters.pipecat import LinereadTTSService


class Loudspeaker(BaseOutputTransport):  # type: ignore[misc]
    """Plays sound, which takes as long as it lasts."""

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        await asyncio.sleep(frame.num_frames / frame.sample_rate)
        return True


class Ear(FrameProcessor):  # type: ignore[misc]
    """Notes what passes."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Frame] = []
        self.times: list[float] = []
        self._news = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        self.frames.append(frame)
        self.times.append(time.perf_counter())
        self._news.set()
        await self.push_frame(frame, direction)

    async def until(self, condition: Callable[[Ear], bool], patience: float = 20.0) -> None:
        """Wait until what passed is such."""
        async with asyncio.timeout(patience):
            while not condition(self):
                self._news.clear()
                await self._news.wait()

    def all(self, kind: type[Frame]) -> list[Frame]:
        """What passed of a kind."""
        return [frame for frame in self.frames if isinstance(frame, kind)]

    @property
    def pcm(self) -> bytes:
        """All sound that passed."""
        return b"".join(frame.audio for frame in self.all(TTSAudioRawFrame))


@dataclass
class Talk:
    """A pipeline that runs.

    Attributes:
        worker: Takes frames.
        voiced: What the service has sent.
        played: What the loudspeaker has played; only with ``aloud``.
        context: What the language model will know of the talk; only with ``aloud``.
        errors: Error frames.
    """

    worker: PipelineWorker
    voiced: Ear
    played: Ear
    context: LLMContext
    errors: list[ErrorFrame] = field(default_factory=list)

    async def say(self, *pieces: str, end: bool = True) -> None:
        """A reply of the language model."""
        texts = [LLMTextFrame(piece) for piece in pieces]
        await self.worker.queue_frames([LLMFullResponseStartFrame(), *texts])
        if end:
            await self.worker.queue_frame(LLMFullResponseEndFrame())

    async def said(self, *pieces: str) -> None:
        """A reply of the language model, and all of it spoken."""
        await self.say(*pieces)
        ended = len(self.voiced.all(LLMFullResponseEndFrame))
        await self.voiced.until(lambda ear: len(ear.all(LLMFullResponseEndFrame)) > ended)

    @property
    def metrics(self) -> list[object]:
        """All that was measured."""
        return [each for frame in self.voiced.all(MetricsFrame) for each in frame.data]

    @property
    def remembered(self) -> list[object]:
        """What the assistant has said, by the language model's context."""
        return [message["content"] for message in self.context.get_messages() if message["role"] == "assistant"]


@asynccontextmanager
async def talking(
    service: LinereadTTSService, *, aloud: bool = False, sample_rate: int = 24_000
) -> AsyncIterator[Talk]:
    """A pipeline around a service; with ``aloud`` one that plays, and remembers what it has said."""
    voiced, played, context = Ear(), Ear(), LLMContext()
    stages: list[FrameProcessor] = [service, voiced]
    if aloud:
        speaker = Loudspeaker(TransportParams(audio_out_enabled=True, audio_out_end_silence_secs=0))
        stages += [speaker, played, LLMContextAggregatorPair(context).assistant()]
    params = PipelineParams(enable_metrics=True, enable_usage_metrics=True, audio_out_sample_rate=sample_rate)
    worker = PipelineWorker(Pipeline(stages), params=params, enable_rtvi=False, cancel_on_idle_timeout=False)
    talk = Talk(worker, voiced, played, context)

    async def note(_: object, frame: ErrorFrame) -> None:
        talk.errors.append(frame)

    service.add_event_handler("on_error", note)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    try:
        await voiced.until(lambda ear: bool(ear.all(StartFrame)))
        yield talk
        await worker.queue_frame(EndFrame())
        async with asyncio.timeout(30):
            await running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
