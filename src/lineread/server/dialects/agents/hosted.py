"""The workshop of agents that call a server: sound on the server's shelf, voices of the key that they show.

Owns what the tools do here, by the same desk as every other dialect: keys, limits, cache and counts are one. Without
keys the agent is the server's own user, whose voice book is his.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lineread import catalogue
from lineread.enrolment import LONGEST_PREVIEW, LONGEST_PROMPT, Clone, Design
from lineread.errors import ModelError, OptionError
from lineread.mcp import making, tools
from lineread.mcp.workshop import REMEDIES, Birth, Take, Workshop
from lineread.server.sight.visit import visit_of
from lineread.server.sound import files
from lineread.speech import Request
from lineread.voices import making as voices
from lineread.voices import sample
from lineread.wire import advice

if TYPE_CHECKING:
    from aiohttp import web

    from lineread.enrolment import Enrolled, Kind
    from lineread.errors import LinereadError
    from lineread.mcp.workshop import Heard
    from lineread.quote import Quote
    from lineread.server.desk import Desk
    from lineread.server.enrolling import Enrolling

#: The models that speak where none is named, without and with an instruction.
_MODEL: Final = "qwen3-tts-flash"
_INSTRUCT_MODEL: Final = "qwen3-tts-instruct-flash"


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
        desk, request = self._desk, self._named(request)
        desk.check_voice(desk.key(self._visit), request.voice, request.model or "")
        return await asyncio.to_thread(desk.client.quote, request)

    async def speak(self, request: Request, file: str | None, heard: Heard) -> Take:
        """As any workshop; the sound is kept on the shelf for a day."""
        desk = self._desk
        async with desk.order(self._visit, self._named(request)) as order:
            name = await desk.file(order, None, heard)
            address, _ = files.url(self._http, desk, name)
            return Take.of(
                order.job,
                order.tally,
                {"audio_url": address},
                desk.shelf.path(name),
                seconds=self._visit.seconds,
            )

    async def own_voices(self) -> list[dict[str, Any]]:
        """The voices that the key may have speak, and those of the user's book where there are no keys."""
        usable = await self._enrolling.usable(self._visit)
        return [
            {
                "voice": name,
                "kind": made.kind,
                "description": made.prompt or None,
                "models": [made.target_model] if made.target_model else [],
            }
            for name, made in usable.items()
        ]

    async def make(self, kind: Kind, wish: dict[str, Any], heard: Heard) -> Birth:
        """As any workshop; the voice belongs to the key, and without keys to the user."""
        recording = _recording(wish["voice_sample"]) if kind == "clone" else b""
        if self._desk.key(self._visit) is None:
            with self._desk.seat(self._visit, None):
                made = await making.make(self._desk.client, kind, {**wish, "realtime": False}, recording)
            facts, notes, paid = making.facts(made), (*made.id.reasons, *made.notes), bool(made.request_id)
        else:
            consent = voices.check_consent(wish["consent"]) if kind == "clone" else ""
            enrolled = await self._enrolling.make(self._visit, self._order(kind, wish, recording), consent=consent)
            facts, notes, paid = _facts(enrolled), enrolled.reasons, True
        yuan = (self.price(kind) or 0.0) if paid else 0.0
        take = None
        if wish["text"]:
            request = Request(wish["text"], facts["voice"], wish["language_type"])
            take = await self.speak(request, None, heard)
        return Birth(facts, notes, yuan, take)

    def _named(self, request: Request) -> Request:
        """The request with a model, unless its voice brings one along."""
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
        target = enroller.target(kind)
        language = voices.language_of(wish["language_type"], wish["text"]) or None
        if kind == "clone":
            name = wish["voice_name"] or voices.named_after(recording)
            return Clone(name, recording, "audio/wav", target, wish["transcript"], language)
        prompt = voices.check_length("The description", wish["voice_prompt"], LONGEST_PROMPT)
        text = voices.check_length("The text", wish["text"] or voices.PREVIEW_TEXT, LONGEST_PREVIEW)
        return Design(wish["voice_name"] or voices.named_after(prompt.encode()), prompt, text, target, language)


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


def _facts(made: Enrolled) -> dict[str, str]:
    told = {
        "voice": made.voice,
        "voice_id": made.voice,
        "target_model": made.target_model,
        "fidelity": made.fidelity,
        "request_id": made.request_id,
    }
    return {name: fact for name, fact in told.items() if fact}
