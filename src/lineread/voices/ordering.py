"""Having a voice made that costs money, so that it is paid for once and never lost.

Owns an order from before it goes out until its end is known. What was cut off in between is looked up before the same
is ordered again: a design by its description, which the service tells; a clone by whoever had it made.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lineread.engines.enroller import speakers
from lineread.enrolment import IN_DOUBT, Clone, Design
from lineread.errors import LinereadError, VoiceError
from lineread.voices.orders import Order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lineread.engines.enroller import Enroller
    from lineread.enrolment import Enrolled
    from lineread.voices.book import Book
    from lineread.voices.record import OwnVoice

#: Samples a second of a preview.
_PREVIEW_RATE: Final = 24_000
#: What the files of samples are called, by their kinds.
SUFFIXES: Final = {"audio/wav": "wav", "audio/mpeg": "mp3", "audio/mp4": "m4a"}


class Ordering:
    """Has voices made by one enroller.

    Args:
        enroller: Makes them.
        book: Keeps them, and the orders that are open.
    """

    def __init__(self, enroller: Enroller, book: Book) -> None:
        self._enroller = enroller
        self._book = book

    async def made(
        self, asked: OwnVoice, sample: bytes, target: str, keep: Callable[[Enrolled], OwnVoice]
    ) -> tuple[Enrolled, OwnVoice]:
        """A voice, and what it is in the book from now on.

        One that cannot be written down is deleted again; its id would be lost. Where that fails as well, the order
        stays open.

        Args:
            asked: What is to be made.
            sample: Its sample, if it has one.
            target: The model that shall speak it.
            keep: Writes it down.

        Raises:
            EngineError: It could not be made. With the code ``voice_in_doubt`` it may have been, and is looked up when
                the same is asked for again.
            ConfigError: The book cannot be written to.
            VoiceError: Somebody has forgotten the voice meanwhile.
        """
        order = self._order(asked, target)
        was_open = self._book.orders.is_open(order)
        if self._enroller.price(asked.kind):
            self._book.orders.open(order, asked, {asked.sample: sample} if sample else {})
        try:
            enrolled = await enrol(self._enroller, asked, sample, target)
        except LinereadError as error:
            if error.code == IN_DOUBT:
                error.remedy = "Ask for the same again: whether it was made is looked up before anything is paid for."
            elif not was_open:  # else it is the earlier one whose end is not known yet
                self._book.orders.close(order)
            raise
        try:
            kept = keep(enrolled)
        except Exception as error:  # whatever it is, the voice must not be lost
            await self._undo(enrolled, error)
            self._book.orders.close(order)
            raise
        self._book.orders.close(order)
        return enrolled, kept

    async def _undo(self, enrolled: Enrolled, error: Exception) -> None:
        """Delete a voice that could not be written down; the error tells where that fails, and is raised then."""
        try:
            await self._enroller.delete(enrolled.kind, enrolled.voice)
        except VoiceError:
            return  # it is gone already
        except LinereadError:
            if isinstance(error, LinereadError):
                error.message += f" The voice was made all the same, as {enrolled.voice}."
                error.args = (error.message,)
            raise error from None

    async def found(self, asked: OwnVoice, target: str, replaced: frozenset[str]) -> Enrolled | None:
        """What an earlier run has ordered and not heard of; None where there is nothing of that kind.

        Args:
            asked: What is to be made.
            target: The model that shall speak it.
            replaced: Ids that it takes the place of: they are not it.

        Raises:
            VoiceError: There is a voice that may be it.
            EngineError: It cannot be looked up.
        """
        if not self._enroller.price(asked.kind) or not self._book.orders.is_open(self._order(asked, target)):
            return None
        mark = f"-{asked.name}-voice-".casefold()
        known = replaced | {each.voice for own in self._book.voices() for each in own.owed}
        unknown = [
            each
            async for each in self._enroller.every(asked.kind)
            if mark in each.voice.casefold() and each.target_model in ("", target) and each.voice not in known
        ]
        if asked.kind == "design":
            for each in unknown:
                with suppress(VoiceError):  # deleted meanwhile
                    found = each if each.prompt else await self._enroller.find(asked.kind, each.voice)
                    if found.prompt == asked.prompt and found.target_model in ("", target):
                        return replace(found, target_model=target)
            return None
        if not unknown:
            return None
        one = unknown[0].voice
        take = f"lineread voices add {one} --name {asked.name}{' --replace' if replaced else ''}"
        raise VoiceError(
            f"An earlier run was cut off while {asked.name} was being made, and "
            f"{' or '.join(each.voice for each in unknown[:3])} may be it.",
            remedy=f"If it is, take it: {take}. If not, add it under another name, or delete it: lineread voices "
            f"delete {one}. Then ask for the same again.",
            code=IN_DOUBT,
        )

    def close(self, asked: OwnVoice, target: str) -> None:
        """What became of an order is known."""
        self._book.orders.close(self._order(asked, target))

    def ordered(self, name: str, found: Enrolled) -> tuple[OwnVoice, Mapping[str, bytes], str] | None:
        """What a voice was to be, its files and the model that shall speak it; None where none was ordered so.

        Args:
            name: What it was to be called.
            found: What the service knows of it.
        """
        targets = [found.target_model] if found.target_model else [each.id for each in speakers(found.kind)]
        at = self._enroller
        open_order = self._book.orders.find(name, at.place, at.account, targets)
        if open_order is None:
            return None
        order, asked, files = open_order
        return (asked, files, order.target_model) if asked.kind == found.kind else None

    def _order(self, asked: OwnVoice, target: str) -> Order:
        return Order.of(asked, self._enroller.place, self._enroller.account, target)


async def enrol(enroller: Enroller, asked: OwnVoice, sample: bytes, target: str) -> Enrolled:
    """What an enroller makes.

    Args:
        enroller: It makes the voice.
        asked: What is to be made.
        sample: Its sample, if it has one.
        target: The model that shall speak it.

    Raises:
        RequestError: It cannot be made; nothing was sent anywhere.
        EngineError: It could not be made.
    """
    language = asked.language or None
    if asked.kind == "clone":
        media_type = next((kind for kind, suffix in SUFFIXES.items() if asked.sample.endswith(suffix)), "audio/wav")
        return await enroller.clone(Clone(asked.name, sample, media_type, target, asked.transcript or None, language))
    return await enroller.design(Design(asked.name, asked.prompt, asked.preview_text, target, language, _PREVIEW_RATE))
