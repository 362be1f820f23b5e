"""Another engine that speaks what the first one could not.

Owns when that happens and how a segment of one engine becomes segments of the other. It is there only when it was
asked for: a voice never changes by itself, and the facts name the engine that has spoken.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from lineread import text
from lineread.audio.join import Joiner
from lineread.engines.base import Engine, Wrapper
from lineread.errors import EngineError, LinereadError, Refused
from lineread.speech import Segment

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from lineread.speech import Chunk, Facts


class Fallback(Wrapper):
    """An engine with another one behind it.

    The backup speaks a segment when a call of the first engine fails before any of it was heard. What the service
    refused to speak stays unspoken: there the request is at fault, and another voice would hide it. An engine that is
    not set up, for lack of a key say, makes no call: that is told before anything is spoken.

    Args:
        inner: The engine that is asked first, and that decides how texts are cut.
        backup: The engine that speaks for it. It chooses its own model.
    """

    def __init__(self, inner: Engine, backup: Engine) -> None:
        super().__init__(inner)
        self.backup = backup

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        """As the inner engine, or as the backup.

        Raises:
            EngineError: The inner engine's error, when the backup could not speak it either.
        """
        begun = False
        try:
            async with aclosing(self.inner.stream(segment)) as chunks:
                async for chunk in chunks:
                    begun = True
                    yield chunk
        except Refused:
            raise
        except EngineError as error:
            if begun:
                raise
            failure = error
        else:
            return
        try:
            async with aclosing(self._backed(segment, failure.message)) as chunks:
                async for chunk in chunks:
                    begun = True
                    yield chunk
        except LinereadError as error:
            if begun:
                raise
            tell_backup(failure, self.backup.name, error)
            raise failure from error

    async def aclose(self) -> None:
        """Close both engines."""
        try:
            await super().aclose()
        finally:
            await self.backup.aclose()

    async def _backed(self, segment: Segment, reason: str) -> AsyncGenerator[Chunk, None]:
        """The segment, cut and spoken the backup's way and joined to one again."""
        words = replace(segment.request, text=segment.text, model=None)
        resolved = self.backup.resolve(words)
        limits = self.backup.limits(resolved)
        pieces = text.split(resolved.text, limits.characters, by_sentence=limits.by_sentence, first=limits.first)
        parts = [
            Segment(resolved, index, piece.start, piece.end, piece.pause, share=segment.share)
            for index, piece in enumerate(pieces)
        ]
        joiner = Joiner(resolved.rate)
        said: list[Facts] = []
        for part, following in pairwise([*parts, None]):
            assert part is not None  # only the pair's second is ever missing
            async with aclosing(self.backup.stream(part)) as chunks:
                async for chunk in chunks:
                    placed = joiner.place(chunk, part, last=following is None)
                    facts = None
                    if chunk.facts is not None:
                        said.append(chunk.facts)
                        facts = None if following else self._signed(said, part, reason)
                    yield replace(placed, facts=facts, pause=0, final=False).moved(segment.text_start)

    def _signed(self, said: list[Facts], part: Segment, reason: str) -> Facts:
        """What the backup says of all parts. Its mark must be there: without it the sound would pass for another's."""
        return replace(
            said[-1],
            fingerprint=said[-1].fingerprint or self.backup.fingerprint(part.request),
            characters=sum(facts.characters for facts in said),
            cached=all(facts.cached for facts in said),
            fallback_reason=reason,
        )


def tell_backup(failure: EngineError, name: str, error: LinereadError) -> None:
    """Add to an error's message why the backup did not help."""
    failure.message = (
        f"{failure.message.removesuffix('.')} ({name} cannot stand in: {error.message.removesuffix('.')})."
    )
    failure.args = (failure.message,)
