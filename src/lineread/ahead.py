"""Segments spoken ahead of the reader.

Owns the concurrency of a speech: some segments are spoken at once, each by a task that fills a queue of its own, and
their chunks come out in the text's order. Identical segments in flight are spoken once; what is complete goes to the
cache. Whoever stops reading stops the work.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import aclosing, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from lineread.cache import Entry
from lineread.flights import Flights, turn

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator
    from contextlib import AbstractAsyncContextManager

    from lineread.pipeline import Studio
    from lineread.speech import Chunk, Segment

#: Segments that may be finished or under way for each one that is being spoken: enough that a short segment behind a
#: long one does not leave a core idle.
DEPTH = 2
#: Sound passes in blocks of 100 kB and more. glibc hands each of them back to the kernel as it is freed, until a block
#: of some size has been freed once; from then on it keeps twice that much. So one is, which nobody touches: it spares
#: a streamed segment 200 page faults, a quarter of lineread's time for it. Elsewhere it does nothing.
KEPT_FREE = 1 << 20
bytes(KEPT_FREE)

_flights = Flights()


async def speak_ahead(
    segments: Iterator[tuple[Segment, bool]], studio: Studio, concurrency: int
) -> AsyncGenerator[tuple[Chunk, Segment, bool], None]:
    """Chunks of segments, in order, each with its segment and whether that is the last one."""
    ahead = Ahead(concurrency)
    try:
        while True:
            while not ahead.full and (following := next(segments, None)) is not None:
                ahead.add(*following, studio)
            if (line := ahead.first) is None:
                return
            async for chunk in line.chunks():
                yield chunk, line.segment, line.last
            ahead.drop()
    finally:
        await ahead.stop()


class Ahead:
    """Segments that are being spoken, in the order in which they will be heard.

    Args:
        concurrency: How many of them at the same time.
    """

    def __init__(self, concurrency: int) -> None:
        self._turns = asyncio.Semaphore(concurrency)
        self._most = concurrency * DEPTH
        self._lines: deque[Line] = deque()

    @property
    def full(self) -> bool:
        """No more should be added before the first one is dropped."""
        return len(self._lines) >= self._most

    @property
    def first(self) -> Line | None:
        """What is heard next; None where there is nothing."""
        return self._lines[0] if self._lines else None

    def add(self, segment: Segment, last: bool, studio: Studio) -> Line:  # noqa: FBT001 - a fact about the segment
        """Begin to speak one more, in that studio."""
        line = Line(segment, last, studio, self._turns)
        self._lines.append(line)
        return line

    def drop(self) -> None:
        """The first one was heard to its end."""
        self._lines.popleft()

    async def stop(self) -> None:
        """Stop all of them; it returns when they have cleaned up. Whoever reads one of them is at its end."""
        lines, self._lines = self._lines, deque()
        for line in lines:
            line.stop()
        await asyncio.gather(*(line.task for line in lines), return_exceptions=True)


class Line:
    """One segment that is being spoken: a task and the chunks that it has made so far.

    Attributes:
        segment: The segment.
        last: Nothing comes after it.
        task: Ends when all of it is made.
    """

    def __init__(self, segment: Segment, last: bool, studio: Studio, turns: asyncio.Semaphore) -> None:  # noqa: FBT001 - a fact about the segment, not a switch
        self.segment = segment
        self.last = last
        self._studio = studio
        self._stopped = False
        self._queue: asyncio.Queue[Chunk | None] = asyncio.Queue()
        self.task = asyncio.create_task(self._fill(turns))

    async def _fill(self, turns: asyncio.Semaphore) -> None:
        try:
            async with turns, aclosing(_spoken(self.segment, self._studio)) as chunks:
                async for chunk in chunks:
                    self._queue.put_nowait(chunk)
        finally:
            self._queue.put_nowait(None)

    async def chunks(self) -> AsyncIterator[Chunk]:
        """Its chunks, as they come. None comes once it was stopped."""
        while (chunk := await self._queue.get()) is not None and not self._stopped:
            yield chunk
        if not self._stopped:
            await self.task  # raises what went wrong

    def stop(self) -> None:
        """Speak no more of it."""
        self._stopped = True
        self.task.cancel()


async def _spoken(segment: Segment, studio: Studio) -> AsyncGenerator[Chunk, None]:
    """One segment's chunks: from the cache, from a twin that is in flight, or from the engine."""
    key = studio.key(segment)
    if known := studio.recall(segment, key):
        yield known
        return
    begun = False

    def begin() -> AsyncGenerator[Chunk, None]:
        nonlocal begun
        begun = True
        return _produce(segment, key, studio)

    start = segment.text_start
    # The engine is part of it: another client's key, fallback or cache are not this one's.
    flight = (asyncio.get_running_loop(), studio.engine, studio.cache, key)
    async with aclosing(_flights.join(flight, begin)) as chunks:
        async for chunk in chunks:
            moved = chunk.moved(start)
            yield moved if begun else _free(moved)


async def _produce(segment: Segment, key: str, studio: Studio) -> AsyncGenerator[Chunk, None]:
    """Speak a segment and keep it, in turn with other processes. Spans count from the segment's own words."""
    async with _turn(key, studio):
        known = studio.recall(segment, key)
        source = _once(known) if known else studio.engine.stream(segment)
        made: list[Chunk] = []
        async with aclosing(source) as chunks:
            async for chunk in chunks:
                made.append(chunk)
                if chunk.facts is not None and not known:
                    _keep(made, segment, key, studio)  # now: whoever has the last chunk may leave at once
                yield _own(chunk, segment)


def _own(chunk: Chunk, segment: Segment) -> Chunk:
    """An engine's chunk as every twin of the segment can have it: without the white space around its own words."""
    own = chunk.moved(-segment.text_start)
    span = (max(own.span[0], 0), min(own.span[1], len(segment.text)))
    return own if span == own.span else replace(own, span=span)


def _free(chunk: Chunk) -> Chunk:
    """A chunk of a twin: the call behind it was billed once."""
    return chunk if chunk.facts is None else replace(chunk, facts=replace(chunk.facts, characters=0))


def _turn(key: str, studio: Studio) -> AbstractAsyncContextManager[None]:
    return nullcontext() if studio.cache is None else turn(studio.cache, key)


async def _once(chunk: Chunk) -> AsyncGenerator[Chunk, None]:
    yield chunk


def _keep(made: list[Chunk], segment: Segment, key: str, studio: Studio) -> None:
    """Store a segment that is complete, if the asked engine spoke it: a fallback's sound is not what was asked for."""
    facts = made[-1].facts
    if studio.cache is not None and facts is not None and facts.fingerprint in ("", studio.fingerprint):
        studio.cache.put(key, Entry.of(made, segment))
