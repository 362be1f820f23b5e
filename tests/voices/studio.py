"""An engine whose voices are made in memory, for HTTP and for live sessions, as the service makes them."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

from lineread.audio import container
from lineread.audio.traits import Traits
from lineread.client import Client
from lineread.engines.enroller import Enroller
from lineread.engines.fake import Fake
from lineread.enrolment import FAMILIES, Clone, Design, Enrolled, Kind, Page, Preview
from lineread.errors import LinereadError, VoiceError
from lineread.speech import Chunk, Request, Segment
from lineread.voices.making import Made, Maker
from lineread.voices.sample import Sample
from lineread.voices.wishes import CloneWish, DesignWish, Wanted

PROMPT = "A dry, low-pitched museum guide in his fifties."
CONSENT = "Ana Silva, by mail on 2026-11-20: narration"
TRAITS = Traits(12.0, 10.0, 8.0, 120.0, 2.0, (), 4.0, -20.0, -60.0, 0.0)


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

    def __init__(self, service: type[Service] = Service, **facts: Any) -> None:
        super().__init__()
        self.service = service(**facts)
        self.heard: list[str] = []

    def enroller(self, *, turn: object = None) -> Enroller:
        return self.service

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        self.heard.append(segment.request.voice)
        async for chunk in super().stream(segment):
            yield chunk


class Workplace:
    """A client, its studio and its book, without a machine's voice beside."""

    def __init__(self, service: type[Service] = Service, **facts: Any) -> None:
        self.studio = Studio(service, **facts)
        self.service = self.studio.service
        self.client = Client(engine=self.studio, cache=False)
        self.book = self.client.casting.book
        self.maker = Maker(self.service, self.book)

    async def design(self, name: str = "guide", prompt: str = PROMPT, **wanted: Any) -> Made:
        return await self.maker.make(DesignWish(prompt, name, "This way.", wanted=Wanted(**wanted)))

    async def spoken(self, voice: str, **fields: Any) -> str:
        """The id that was asked to speak."""
        await self.client.agenerate(Request("Hello.", voice, **fields))
        return self.studio.heard[-1]


def recorded(sound: bytes) -> CloneWish:
    """A clone of that sample, in place of the one that has its name."""
    sample = Sample(sound, "audio/wav", 12.0, hashlib.sha256(sound).hexdigest(), TRAITS, (), ())
    return CloneWish(sample, "narrator", CONSENT, wanted=Wanted(replace=True))
