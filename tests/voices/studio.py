"""An engine whose voices are made in memory, for HTTP and for live sessions, as the service makes them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

from lineread import catalogue
from lineread.audio import container
from lineread.engines.enroller import Enroller
from lineread.engines.fake import Fake
from lineread.enrolment import FAMILIES, Clone, Design, Enrolled, Kind, Page, Preview
from lineread.errors import LinereadError, ModelError, VoiceError
from lineread.speech import Chunk, Segment


class Service(Enroller):
    """Keeps voices in memory.

    Attributes:
        voices: What it made, by id.
        orders: What it was asked to make.
        fails: Errors that the next orders meet; None for none.
        begun: Set when an order has come in.
        gate: Orders are answered as long as it is set. They are carried out, and paid for, before.
    """

    engine = "dashscope"
    place = "cn-beijing"
    account = "a1"

    def __init__(self, **facts: Any) -> None:
        self.voices: dict[str, Enrolled] = {}
        self.orders: list[Clone | Design] = []
        self.fails: list[LinereadError | None] = []
        self.begun, self.gate = asyncio.Event(), asyncio.Event()
        self.gate.set()
        self._numbers = itertools.count(20_261_118_093_012_345)
        vars(self).update(facts)

    def target(self, kind: Kind, *, model: str | None = None, realtime: bool = False) -> str:
        fitting = [
            each.id
            for each in catalogue.load().models.values()
            if each.voices == FAMILIES[kind] and (each.transport == "realtime") == realtime
        ]
        if model is not None and model not in fitting:
            raise ModelError(f"{model} does not speak such voices.")
        return model or fitting[0]

    async def clone(self, order: Clone) -> Enrolled:
        return await self._answered(self._made(order, "clone"))

    async def design(self, order: Design) -> Enrolled:
        preview = Preview(container.wav(bytes(4800), order.sample_rate), order.sample_rate, "wav")
        made = replace(self._made(order, "design"), prompt=order.prompt, preview_text=order.preview_text)
        self.voices[made.voice] = made
        return await self._answered(replace(made, preview=preview))

    async def page(self, kind: Kind, *, index: int = 0, size: int = 10) -> Page:
        found = [voice for voice in reversed(self.voices.values()) if voice.kind == kind]
        return Page(tuple(found[index * size : (index + 1) * size]), index, size, len(found))

    async def find(self, kind: Kind, voice: str) -> Enrolled:
        if voice not in self.voices:
            raise VoiceError("There is no such voice.", code="voice_not_found")
        return self.voices[voice]

    async def delete(self, kind: Kind, voice: str) -> None:
        self._fail()
        await self.find(kind, voice)
        del self.voices[voice]

    async def _answered(self, made: Enrolled) -> Enrolled:
        """What was made, once its maker hears of it."""
        self.begun.set()
        await self.gate.wait()
        return made

    def _made(self, order: Clone | Design, kind: Kind) -> Enrolled:
        asyncio.get_running_loop()  # where requests to a service are made
        self.orders.append(order)
        self._fail()
        voice = f"qwen-tts-{FAMILIES[kind]}-{order.name}-voice-{next(self._numbers)}-9ed2"
        language = order.language or ""
        request_id = f"r-{len(self.orders)}"
        made = self.voices[voice] = Enrolled(voice, kind, order.target_model, language=language, request_id=request_id)
        return made

    def _fail(self) -> None:
        failure = self.fails.pop(0) if self.fails else None
        if failure is not None:
            raise failure


class Studio(Fake):
    """The fake engine, with voices of a service.

    Attributes:
        service: Where they are made.
        heard: The voices that it was asked to speak with.
    """

    def __init__(self, **facts: Any) -> None:
        super().__init__()
        self.service = Service(**facts)
        self.heard: list[str] = []

    def enroller(self, *, turn: object = None) -> Enroller:
        return self.service

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        self.heard.append(segment.request.voice)
        async for chunk in super().stream(segment):
            yield chunk
