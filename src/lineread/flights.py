"""Identical work is done once: in one process by sharing what is under way, among processes by taking turns.

Owns who produces and who waits. In one process a late caller gets all chunks so far and then the rest as they come.
Processes share no memory, so there the second one waits until the first has finished and put its work into the cache.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable

    from lineread.cache import Cache
    from lineread.claims import Claim
    from lineread.speech import Chunk

#: Seconds between two looks at what another process does: quick at first, since most of what is waited for is short.
SHORTEST_LOOK = 0.01
LONGEST_LOOK = 0.1
#: Seconds that a process waits for another one before it does the same work itself.
PATIENCE = 60.0


class Flights:
    """What is under way in this process, by key.

    A flight's chunks are held until its last consumer has gone: one segment of a few megabytes at most. Keys of
    different event loops have to differ.
    """

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight] = {}

    async def join(
        self, key: Hashable, producer: Callable[[], AsyncGenerator[Chunk, None]]
    ) -> AsyncGenerator[Chunk, None]:
        """All chunks of the flight of that key, which begins now if there is none.

        The producer runs in a task of its own and never waits for a consumer. Its error reaches all of them, after
        the chunks before it. When the last consumer leaves, the producer is cancelled, and has cleaned up before that
        consumer goes on. A flight that has ended, well or not, is joined no more.

        Args:
            key: What makes two pieces of work the same.
            producer: Makes the chunks; called only when there is no such flight.
        """
        flight = self._flights.get(key)
        if flight is None or flight.ended:
            flight = self._flights[key] = _Flight(producer())
        flight.consumers += 1
        try:
            async with aclosing(flight.chunks()) as chunks:
                async for chunk in chunks:
                    yield chunk
        finally:
            flight.consumers -= 1
            if not flight.consumers:
                if self._flights.get(key) is flight:
                    del self._flights[key]
                await flight.stop()


class _Flight:
    """One producer, what it has made so far, and how many are listening."""

    def __init__(self, source: AsyncGenerator[Chunk, None]) -> None:
        self.consumers = 0
        self.ended = False
        self._made: list[Chunk] = []
        self._error: BaseException | None = None
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._run(source))

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """What was made so far, then the rest as it comes."""
        taken = 0
        while True:
            while taken < len(self._made):
                taken += 1
                yield self._made[taken - 1]
            if self.ended:
                break
            await self._news.wait()
        if self._error is not None:
            raise self._error

    async def stop(self) -> None:
        """Cancel the producer and wait until it has cleaned up."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self, source: AsyncGenerator[Chunk, None]) -> None:
        try:
            async with aclosing(source):
                async for chunk in source:
                    self._made.append(chunk)
                    self._tell()
        except Exception as error:  # noqa: BLE001 - carried over to the consumers and raised there
            self._error = error
        except BaseException as error:
            self._error = error  # cut off from outside: whoever still listens must not take it for the end
            raise
        finally:
            self.ended = True
            self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


@asynccontextmanager
async def turn(cache: Cache, key: str, *, patience: float = PATIENCE) -> AsyncIterator[None]:
    """This process's turn to speak a segment; look into the cache again once it has come.

    Waits while another process speaks the same segment: until that one is done or dead, or the cache has the segment,
    or patience ends, which only means that the segment may be spoken twice.

    Args:
        cache: The store that the processes share.
        key: The segment's key.
        patience: Most seconds to wait.
    """
    claim = await _claimed(cache, key, time.monotonic() + patience)
    try:
        yield
    finally:
        if claim is not None:
            claim.release()


async def _claimed(cache: Cache, key: str, deadline: float) -> Claim | None:
    look = SHORTEST_LOOK
    while (claim := cache.claim(key)) is None and not cache.holds(key):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        await asyncio.sleep(min(look, left))
        look = min(2 * look, LONGEST_LOOK)
    return claim
