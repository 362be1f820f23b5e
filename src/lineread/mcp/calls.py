"""A call of a tool: arguments in, answer out.

Owns what the tools do, in terms of a workshop, and how an answer looks. An error of lineread's is the tool's answer,
with its remedy; it is not an error of the protocol.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lineread import catalogue
from lineread.audio.codec import MEDIA_TYPES, suffix_format
from lineread.errors import LinereadError, OptionError, TextError
from lineread.mcp import tools
from lineread.speech import FORMATS, Request
from lineread.text import length
from lineread.voices import listing
from lineread.voices.wishes import greeting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from lineread.mcp.workshop import Birth, Heard, Take, Workshop
    from lineread.results import Tally
    from lineread.speech import Chunk

    Report = Callable[[float, float, str], Awaitable[None]]
    """Told how much is done, of how much, and what that is."""

#: Seconds between two reports of progress.
_EVERY: Final = 0.2


@dataclass(frozen=True, slots=True)
class Sound:
    """Sound that an answer carries.

    Attributes:
        data: A whole file.
        media_type: What it is.
    """

    data: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool answers.

    Attributes:
        facts: As the tool's schema says.
        sounds: The sound, where it was asked for.
    """

    facts: dict[str, Any]
    sounds: tuple[Sound, ...] = ()


class Calls:
    """Carries out the calls of one agent.

    Args:
        workshop: Where things are done.
    """

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    async def call(self, name: str, arguments: Mapping[str, object], report: Report) -> Answer:
        """Carry out a call.

        Raises:
            LinereadError: The arguments make no sense, or it cannot be done, or failed.
        """
        tool = next((tool for tool in self._workshop.tools if tool.name == name), None)
        if tool is None:
            known = [tool.name for tool in self._workshop.tools]
            hint = catalogue.suggestion(name, known, f"There is {', '.join(known)}.")
            raise OptionError(f"There is no tool {name[:60]!r}.", remedy=hint, code="unknown_tool")
        wish = tool.read(arguments)
        match name:
            case tools.SPEAK.name:
                return await self._speak(wish, report)
            case tools.QUOTE.name:
                return await self._quote(wish)
            case tools.LIST_VOICES.name:
                return await self._list(wish)
            case tools.PREVIEW.name:
                return await self._preview(wish, report)
            case tools.CLONE.name:
                return await self._born(await self._workshop.make("clone", wish, _ticker(report, wish)), wish)
            case tools.DESIGN.name:
                return await self._born(await self._workshop.make("design", wish, _ticker(report, wish)), wish)
            case _:
                raise AssertionError(name)  # a tool that is declared, and not here

    async def _speak(self, wish: dict[str, Any], report: Report) -> Answer:
        file, audio = wish.pop("file", None), wish.pop("audio")
        suffix = suffix_format(file) if file and os.path.splitext(file)[1] else FORMATS[0]
        wish["format"] = wish["format"] or suffix
        request = _checked(Request(**wish))
        take = await self._workshop.speak(request, file, _ticker(report, wish))
        sounds, notes = await _sounds(take, tools.MOST_AUDIO if audio else 0)
        voice = _called(request.voice, take.request.voice)
        facts = {**_told(take), "voice": voice, **self._money(take.yuan), **self._notes(take, *notes)}
        return Answer(facts, sounds)

    async def _quote(self, wish: dict[str, Any]) -> Answer:
        request = _checked(Request(**wish))
        quote = await self._workshop.quote(request)
        facts = {**quote.to_dict(), "voice": _called(request.voice, quote.voice), "model": quote.model or None}
        facts |= {f"{kind}_yuan": self._workshop.price(kind) for kind in ("clone", "design")}
        return Answer(_known({**facts, **self._left(), **self._notes()}))

    async def _list(self, wish: dict[str, Any]) -> Answer:
        chosen = {name: wish[name] for name in ("gender", "age", "dialect", "model")}
        system = listing.system_voices(**chosen)
        own = [each for each in await self._workshop.own_voices() if listing.fits(each["models"], **chosen)]
        found = [*own, *([] if wish["own"] else map(_record, system))]
        return Answer({"voices": [_known(voice) for voice in found]})

    async def _preview(self, wish: dict[str, Any], report: Report) -> Answer:
        voices = list(dict.fromkeys(wish["voices"]))
        if not 1 <= len(voices) <= tools.MOST_PREVIEWS:
            raise OptionError("voices must name one voice or some.", remedy=f"Name {tools.MOST_PREVIEWS} at most.")
        previews: list[dict[str, Any]] = []
        sounds: list[Sound] = []
        failures: list[LinereadError] = []
        for number, voice in enumerate(voices):
            await report(number, len(voices), f"{voice} speaks")
            request = Request(
                wish["text"] or greeting(wish["language_type"]), voice, wish["language_type"], format="mp3"
            )
            try:
                take = await self._workshop.speak(_checked(request), None, _unheard)
            except LinereadError as error:
                failures.append(error)
                previews.append({"voice": voice, "error": " ".join(self._workshop.told(error)).strip(), **self._left()})
                continue
            room = tools.MOST_AUDIO - sum(len(sound.data) for sound in sounds)
            found, notes = await _sounds(take, room if wish["audio"] else 0)
            sounds += found
            previews.append({**_told(take), **self._money(take.yuan), **self._notes(take, *notes), "voice": voice})
        if len(failures) == len(voices):  # no preview at all is no answer
            raise failures[0]
        return Answer({"previews": previews}, tuple(sounds))

    async def _born(self, birth: Birth, wish: dict[str, Any]) -> Answer:
        sounds: tuple[Sound, ...] = ()
        notes: tuple[str, ...] = ()
        facts: dict[str, Any] = dict(birth.facts)
        yuan: float | None = birth.yuan
        if birth.take is not None:
            sounds, notes = await _sounds(birth.take, tools.MOST_AUDIO if wish["audio"] else 0)
            facts |= {**birth.take.places, "seconds": round(birth.take.seconds, 2)}
            yuan = None if birth.take.yuan is None else birth.yuan + birth.take.yuan
        told = self._notes(birth.take, *birth.notes, *notes)
        return Answer(_known({**facts, **self._money(yuan), **told}), sounds)

    def _money(self, yuan: float | None) -> dict[str, Any]:
        return _known({"yuan": None if yuan is None else round(yuan, 6), **self._left()})

    def _left(self) -> dict[str, Any]:
        purse = self._workshop.purse
        return {} if purse is None else {"budget": str(purse.budget), "left": float(purse.left)}

    def _notes(self, take: Take | None = None, *more: str) -> dict[str, Any]:
        notes = [*self._workshop.notices(), *more]
        if take is not None and take.tally.fallback_reason:
            notes.append(f"{take.tally.fallback_reason} So {take.tally.engine} spoke.")
        return {"notes": notes} if notes else {}


def _checked(request: Request) -> Request:
    if len(request.text) > tools.LONGEST_TEXT:
        raise TextError(
            f"The text has {len(request.text):,} characters.",
            remedy=f"Speak it in parts of {tools.LONGEST_TEXT:,} at most.",
            code="text_too_long",
        )
    return request


def _ticker(report: Report, wish: dict[str, Any]) -> Heard:
    """What tells, a few times a second, how many characters of a text were spoken.

    Within a segment it goes by the time that the text will take. The protocol has each report be more than the last.
    """
    text = wish.get("text") or ""
    expected = length.seconds(text, wish.get("rate") or 1.0)
    told, at = 0.0, 0.0

    async def heard(chunk: Chunk, tally: Tally) -> None:
        nonlocal told, at
        now = time.monotonic()
        start, end = chunk.span
        whole = len(text) or end  # a greeting has no text that was asked for
        guess = whole * tally.duration / expected if expected else 0.0
        done = whole if chunk.final else round(max(start, min(guess, end - 1)), 1)
        if done > told and (chunk.final or now - at >= _EVERY):
            told, at = done, now
            await report(done, whole, f"{tally.duration:.1f} s spoken")

    return heard


async def _unheard(chunk: Chunk, tally: Tally) -> None:
    """Take a chunk that nobody counts."""


async def _sounds(take: Take, room: int) -> tuple[tuple[Sound, ...], tuple[str, ...]]:
    """The sound of a take, if the answer has room for so many bytes of it, or why it does not come."""
    if not room:
        return (), ()
    data = await asyncio.to_thread(_read, take.path)
    if len(data) > room:
        smaller = "" if take.request.format == "mp3" else "; mp3 is a sixth of wav"
        return (), (f"The sound is too large for this answer: {tools.MOST_AUDIO // 1000} kB in all{smaller}.",)
    return (Sound(data, MEDIA_TYPES[take.request.format]),), ()


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(tools.MOST_AUDIO + 1)


def _called(asked: str, found: str) -> str:
    """What the agent calls the voice that spoke: a name of its own stays, Qwen's are spelt right."""
    return found if catalogue.knows(found) else asked


def _told(take: Take) -> dict[str, Any]:
    tally = take.tally
    return _known(
        {
            **take.places,
            "format": take.request.format,
            "seconds": round(take.seconds, 2),
            "characters": tally.characters,
            "cached": tally.cached,
            "engine": take.engine,
            "model": tally.model or None,
            "voice": take.request.voice,
            "stand_in": tally.stand_in or None,
        }
    )


def _known(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}


def _record(voice: catalogue.Voice) -> dict[str, Any]:
    return {
        "voice": voice.id,
        "kind": "system",
        "name": voice.name,
        "gender": voice.gender,
        "age": voice.age,
        "dialect": voice.dialect or None,
        "description": voice.description,
    }
