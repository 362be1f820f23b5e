"""The one way through: segments, cache, engine, joined chunks.

Owns the order of things and nothing else. What the cache holds is handed on at once; from the first segment that it
lacks, the engine speaks, some segments ahead of the reader (see ``ahead``), and the chunks come out in order.
Memory stays bounded by the segments that are ahead, however long the text is.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from lineread._sync import on_event_loop
from lineread.audio.join import Joiner

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator

    from lineread.cache import Cache
    from lineread.engines.base import Engine
    from lineread.plan import Plan
    from lineread.speech import Chunk, Segment


@dataclass(frozen=True, slots=True)
class Studio:
    """Where segments are spoken.

    Attributes:
        engine: The engine, with its wrappers around it.
        cache: Where finished segments are kept; None keeps nothing.
        fingerprint: The engine's mark in the keys of what is asked.
    """

    engine: Engine
    cache: Cache | None
    fingerprint: str

    def key(self, segment: Segment) -> str:
        """The content address of a segment's sound here."""
        return segment.key(self.fingerprint)

    def holds(self, segment: Segment) -> bool:
        """Whether the cache has that segment, whatever its state."""
        return self.cache is not None and self.cache.holds(self.key(segment))

    def recall(self, segment: Segment, key: str) -> Chunk | None:
        """The segment as it was spoken before, if the cache has it under that key."""
        if self.cache is None:
            return None
        entry = self.cache.get(key)
        return None if entry is None else entry.chunk(segment)


async def speak(plan: Plan, studio: Studio) -> AsyncGenerator[Chunk, None]:
    """The chunks of a whole plan, in order and in place."""
    joiner = Joiner(plan.request.rate)
    segments = _marked(plan.segments())
    for segment, last in segments:
        known = studio.recall(segment, studio.key(segment))
        if known is None:
            rest = chain([(segment, last)], segments)
            break
        yield joiner.place(known, segment, last=last)
    else:
        return

    studio.engine.warm()
    await on_event_loop()
    from lineread.ahead import speak_ahead  # noqa: PLC0415 - asyncio: nothing that the cache answers has to load it

    async with aclosing(speak_ahead(rest, studio, plan.limits.concurrency)) as chunks:
        async for chunk, segment, last in chunks:
            yield joiner.place(chunk, segment, last=last)


def _marked(segments: Iterable[Segment]) -> Iterator[tuple[Segment, bool]]:
    """Each segment, and whether it is the last one."""
    segments = iter(segments)
    held = next(segments, None)
    for segment in segments:
        if held is not None:
            yield held, False
        held = segment
    if held is not None:
        yield held, True
