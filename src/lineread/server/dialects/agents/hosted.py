"""The workshop of agents that call a server: sound on the server's shelf, voices of the key that they show.

Owns what the tools do here, by the same desk as every other dialect: keys, limits, cache and counts are one. Without
keys the agent is the server's own user, whose voice book is his.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lineread import catalogue
from lineread.enrolment import LONGEST_PREVIEW, Clone, Design
from lineread.errors import ModelError, OptionError
from lineread.mcp import making, tools
from lineread.mcp.workshop import REMEDIES, Birth, Take, Workshop
from lineread.results import Tally
from lineread.server.sight.visit import visit_of
from lineread.server.sound import files
from lineread.server.sound.writing import Writing
from lineread.speech import Facts, Request
from lineread.voices import new, sample, wishes
from lineread.voices.record import check_name
from lineread.wire import advice

if TYPE_CHECKING:
    from aiohttp import web

    from lineread.enrolment import Enrolled, Kind
    from lineread.errors import LinereadError
    from lineread.mcp.workshop import Heard
    from lineread.quote import Quote
    from lineread.server.access.keys import Key
    from lineread.server.desk import Desk
    from lineread.server.enrolling import Enrolling

#: The models that speak where none is named, without and with an instruction.
_MODEL: Final = "qwen3-tts-flash"
_INSTRUCT_MODEL: Final = "qwen3-tts-instruct-flash"


class _Said(NamedTuple):
    """What a designed voice said when it was made: the text, and a WAV file of it. Empty where there is none."""

    text: str
    wav: bytes


class Hosted(Workshop):
    """Carries out one call of an agent.

    Args:
        desk: Has requests spoken.
        enrolling: Has voices made.
        http: The request that the call came with; it says whose key was shown.
    """

    tools = tools.TOOLS

    def __init__(self, desk: Desk, enrolling: Enrolling, http: web.Request) -> None:
        self._desk = desk
        self._enrolling = enrolling
        self._http = http
        self._visit = visit_of(http)
        self.purse = desk.client.purse

    def price(self, kind: Kind) -> float | None:
        """What the engine's enroller asks."""
        enroller = self._desk.client.engine().enroller()
        return None if enroller is None else enroller.price(kind)

    def told(self, error: LinereadError) -> tuple[str, str]:
        """As any workshop; what is the server's own affair is told as that."""
        affair = advice.SERVER.get(error.code)
        return (affair, "") if affair else (error.message, advice.remedy(error, advice.CLIENT | REMEDIES))

    async def quote(self, request: Request) -> Quote:
        """As any workshop, for what the key may ask for."""
        desk, request = self._desk, await self._named(request)
        key = desk.key(self._visit)
        desk.check_voice(key, request.voice, request.model or "")
        # Names of the voice book are its user's own: who shows a key is somebody else.
        quote = desk.client.quote if key is not None else lambda asked: desk.client.quote(desk.client.found(asked))
        return await asyncio.to_thread(quote, request)

    async def speak(self, request: Request, file: str | None, heard: Heard) -> Take:
        """As any workshop; the sound is kept on the shelf for a day."""
        desk = self._desk
        with self._visit.part() as part:
            async with desk.order(part, await self._named(request)) as order:
                name = await desk.file(order, None, heard)
                return Take.of(order.job, order.tally, self._places(name), desk.shelf.path(name), seconds=part.seconds)

    async def own_voices(self) -> list[dict[str, Any]]:
        """The voices that the key may have speak, and those of the user's book where there are no keys."""
        usable = await self._enrolling.usable(self._visit)
        key = self._desk.key(self._visit)
        names = (
            {} if key is None else {each.made.voice: each.name for each in (await self._enrolling.named(key)).values()}
        )
        return [
            {
                "voice": names.get(name, name),
                "kind": made.kind,
                "description": made.prompt or None,
                "models": [made.target_model] if made.target_model else [],
            }
            for name, made in usable.items()
        ]

    async def make(self, kind: Kind, wish: dict[str, Any], heard: Heard) -> Birth:
        """As any workshop; the voice belongs to the key, and without keys to the user."""
        recording = _recording(wish["voice_sample"]) if kind == "clone" else b""
        key = self._desk.key(self._visit)
        new.check_words(self._desk.client.engine(), kind, wish["text"], {"language_type": wish["language_type"]})
        birth, said = await (
            self._mine(kind, wish, recording) if key is None else self._theirs(key, kind, wish, recording)
        )
        text = wish["text"] or said.text
        if not text:
            return birth
        request = Request(text, birth.facts["voice"], wish["language_type"], model=birth.facts["target_model"])
        with new.though_made(request.voice):
            if said.wav and text.strip() == said.text:
                return replace(birth, take=await self._shelved(request, said.wav))
            return replace(birth, take=await self.speak(request, None, heard))

    async def _mine(self, kind: Kind, wish: dict[str, Any], recording: bytes) -> tuple[Birth, _Said]:
        """A voice for the server's own user, who has a voice book."""
        with self._enrolling.seat(self._visit, None):
            made = await making.make(self._desk.client, kind, {**wish, "realtime": False}, recording)
        birth = Birth(making.facts(made), (*made.id.reasons, *made.notes), (self.price(kind) or 0.0) * made.paid, None)
        return birth, _Said(made.voice.preview_text, made.preview)

    async def _theirs(self, key: Key, kind: Kind, wish: dict[str, Any], recording: bytes) -> tuple[Birth, _Said]:
        """A voice for the key that was shown."""
        consent = wishes.check_consent(wish["consent"]) if kind == "clone" else ""
        order = self._order(kind, wish, recording)
        made, is_new = await self._enrolling.make_named(self._visit, key, order, consent)
        price = (self.price(kind) or 0.0) * is_new
        wav = made.preview.audio if made.preview is not None else b""
        text = made.preview_text or (order.preview_text if isinstance(order, Design) else "")
        return Birth(_facts(order.name, made), made.reasons, price, None), _Said(text, wav)

    async def _shelved(self, request: Request, preview: bytes) -> Take:
        """The first words of a designed voice: its preview, which is paid for and says them."""
        engine = self._desk.client.engine().name
        sound = new.spoken(preview, request.text, Facts(engine, model=request.model or ""))
        tally = Tally()
        tally.add(sound)
        async with Writing(self._desk.shelf, request.format, None) as file:
            await file.add(sound)
            name = await file.keep(None)
        places = self._places(name)
        return Take(request, tally.duration, tally, engine, 0.0, places, self._desk.shelf.path(name))

    def _places(self, name: str) -> dict[str, str]:
        """Where a file of the shelf can be fetched."""
        return {"audio_url": files.url(self._http, self._desk, name)[0]}

    async def _named(self, request: Request) -> Request:
        """The request with a model, unless its voice brings one along, and the id of a voice that its key has named."""
        key = self._desk.key(self._visit)
        if key is not None and not catalogue.knows(request.voice) and not catalogue.custom_family(request.voice):
            own = (await self._enrolling.named(key)).get(request.voice.casefold())
            if own is not None:
                request = replace(request, voice=own.made.voice)
        if request.model:
            return request
        if family := catalogue.custom_family(request.voice):
            models = catalogue.load().models.values()
            target = next(each.id for each in models if each.transport == "http" and each.voices == family)
            return replace(request, model=target)
        if catalogue.knows(request.voice):
            return replace(request, model=_INSTRUCT_MODEL if request.instruction else _MODEL)
        return request

    def _order(self, kind: Kind, wish: dict[str, Any], recording: bytes) -> Clone | Design:
        enroller = self._desk.client.engine().enroller()
        if enroller is None:
            raise ModelError("This server makes no voices.", code="no_enrolment")
        target, asked = enroller.target(kind), wish["language_type"]
        if kind == "clone":
            name = check_name(wish["voice_name"] or wishes.named_after(recording))
            spoken = wishes.language_of(asked, wish["transcript"]) or None
            return Clone(name, recording, "audio/wav", target, wish["transcript"], spoken)
        prompt = wishes.check_prompt(wish["voice_prompt"])
        text = wish["text"] or wishes.greeting(asked, prompt)
        text = wishes.check_length("The text", text, LONGEST_PREVIEW)
        name = check_name(wish["voice_name"] or wishes.named_after(prompt.encode()))
        return Design(name, prompt, text, target, wishes.language_of(asked, text) or None)


def _recording(source: str) -> bytes:
    """A recording that came with the call.

    Raises:
        OptionError: None did.
    """
    if not sample.is_data(source):
        raise OptionError(
            "This server reads no files of its clients.",
            remedy="Send the recording as a data: URI, such as data:audio/wav;base64,UklGR...",
            code="sample_not_sent",
        )
    return sample.decoded(source)[0]


def _facts(name: str, made: Enrolled) -> dict[str, str]:
    told = {
        "voice": name,
        "voice_id": made.voice,
        "target_model": made.target_model,
        "fidelity": made.fidelity,
        "request_id": made.request_id,
    }
    return {name: fact for name, fact in told.items() if fact}
