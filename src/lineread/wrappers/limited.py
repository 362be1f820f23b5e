"""Calls within the limit that a service sets an account.

Owns the counting of calls: one small state file for each limit, shared by all processes of the machine. A limit of
180 a minute is kept as 3 in every second and one of 10 as 1 in every 6 seconds, because services count in slices too,
and because saved-up calls that go out all at once are what their burst throttling is against.

The file holds the times of the last calls: a call may go when the one that is a whole slice of calls before it lies a
slice of time back. Who has to wait reserves its time in the file and sleeps until then, so nobody polls and processes
take turns. Within a process only the first in line reserves; who gives up behind it takes no time with it.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import struct
import sys
import time
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

from lineread.engines.base import Engine, Wrapper
from lineread.errors import Throttled

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from lineread.engines.base import Quota
    from lineread.speech import Chunk, Request, Segment

#: Most seconds that a call waits for its turn.
PATIENCE = 300.0
#: Seconds that a state file may stay locked by somebody else; the work under the lock takes some 50 microseconds.
LOCK_PATIENCE = 1.0
LOCK_LOOK = 0.002
#: Seconds that two readings of when the machine was started may lie apart.
SAME_START = 5.0

#: The state: this, then when the machine was started, then the times of the last calls, as doubles.
_MAGIC = b"LRBKT-1\n"
_LEAST_STATE = len(_MAGIC) + 8
_MOST_STATE = 4096


class Bucket(Protocol):
    """A limit that calls have to keep."""

    @property
    def wait(self) -> float:
        """Seconds until a call could be made that is not in line yet, as far as this process knows."""

    async def acquire(self) -> None:
        """Wait until one call may be made.

        Raises:
            Throttled: That would take too long.
        """


class TokenBucket:
    """A limit on calls a minute, shared through a file.

    Where the file cannot be used (no directory, no permission, no ``flock`` as on Windows), the limit holds for this
    process alone.

    Args:
        path: The state file; None for this process alone.
        per_minute: Calls a minute.
        patience: Most seconds that a call waits for its turn.
        clock: Seconds of a clock that only goes forward and that all processes of the machine share.
        wall: Seconds since the epoch; tells a state from before the machine's last start.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        path: str | None,
        *,
        per_minute: float,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._path = path
        self._calls = max(1, int(per_minute // 60))
        self._slice = 60.0 * self._calls / per_minute
        self._patience = patience
        self._clock = clock
        self._wall = wall
        self._sleep = sleep
        self._own: list[float] = []
        self._waiting = 0
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    @property
    def wait(self) -> float:
        """Seconds until a call could be made that is not in line yet, as far as this process knows."""
        behind_the_first = max(0, self._waiting - 1)  # the first has its time already
        return self._next(self._own, math.inf)[0] - self._clock() + behind_the_first * self._slice / self._calls

    async def acquire(self) -> None:
        """Wait until one call may be made. First come, first served.

        Raises:
            NoTurn: That would take longer than patience.
        """
        deadline = self._clock() + self._patience
        # Whoever is still in line at the deadline finds at once that its turn is too late, so the line needs no timer.
        self._waiting += 1
        try:
            async with self._line():
                turn = await self._reserve(deadline)
                while (left := turn - self._clock()) > 0:
                    await self._sleep(left)
        finally:
            self._waiting -= 1

    def _line(self) -> asyncio.Lock:
        """Where this process's calls wait, in order; a lock belongs to one event loop."""
        return self._lines.setdefault(asyncio.get_running_loop(), asyncio.Lock())

    async def _reserve(self, deadline: float) -> float:
        """The time of the next call, taken."""
        try:
            async with self._locked() as file:
                turn, self._own = self._next(self._load(file), deadline)
                self._store(file, self._own)
        except OSError:  # a limit of our own is better than none, and no reason not to speak
            turn, self._own = self._next(self._own, deadline)
        return turn

    def _next(self, times: list[float], deadline: float) -> tuple[float, list[float]]:
        """When the next call may go, and the times of the last calls with it."""
        turn = max([self._clock(), *times[-1:]])
        if len(times) >= self._calls:
            turn = max(turn, times[-self._calls] + self._slice)
        if turn > deadline:
            raise NoTurn(
                f"The limit of calls a minute leaves no room for this one within {self._patience:.0f} s.",
                remedy="Speak less at once, or have the limit of the account raised.",
                kind="rate",
                retry_after=turn - self._clock(),
            )
        return turn, [*times, turn][-self._calls :]

    @asynccontextmanager
    async def _locked(self) -> AsyncIterator[int]:
        """The state file, ours alone.

        Raises:
            OSError: It cannot be used, or somebody does not let go of it.
        """
        if self._path is None or sys.platform == "win32":
            raise OSError
        file = _open(self._path)
        try:
            given_up = self._clock() + LOCK_PATIENCE
            while not _try_lock(file):
                if self._clock() > given_up:
                    raise TimeoutError
                await self._sleep(random.uniform(LOCK_LOOK, 2 * LOCK_LOOK))  # noqa: S311 - spreads waits
            yield file
        finally:
            os.close(file)

    def _load(self, file: int) -> list[float]:
        """The times in a state file; none when it makes no sense, or comes from before the last start."""
        state = os.pread(file, _MOST_STATE, 0)
        if len(state) < _LEAST_STATE or len(state) % 8 or not state.startswith(_MAGIC):
            return []
        started, *times = struct.unpack(f"<{len(state) // 8 - 1}d", state[len(_MAGIC) :])
        latest = self._clock() + max(self._patience, PATIENCE)  # nobody reserves a turn further ahead
        sane = abs(started - self._started()) < SAME_START and all(time <= latest for time in times)
        return sorted(times) if sane else []

    def _store(self, file: int, times: list[float]) -> None:
        state = _MAGIC + struct.pack(f"<{len(times) + 1}d", self._started(), *times)
        os.pwrite(file, state, 0)
        os.truncate(file, len(state))

    def _started(self) -> float:
        """When the clock began, in seconds since the epoch."""
        return self._wall() - self._clock()


class NoTurn(Throttled):
    """The call was never made: its turn is too far off. It tells nothing of the service."""


class Buckets:
    """The buckets of all limits, made as they are asked for.

    Args:
        directory: Where their state files are; None for limits that hold for this process alone.
    """

    def __init__(self, directory: str | None) -> None:
        self._directory = directory
        self._buckets: dict[Quota, TokenBucket] = {}

    def __call__(self, quota: Quota) -> Bucket:
        """The bucket of a limit."""
        if quota not in self._buckets:
            path = None if self._directory is None else os.path.join(self._directory, quota.name)
            self._buckets[quota] = TokenBucket(path, per_minute=quota.per_minute)
        return self._buckets[quota]


class Limited(Wrapper):
    """An engine that is called no more often than its service allows.

    Args:
        inner: The engine; it says what a request counts against, or that nobody counts.
        bucket_of: The bucket of a limit.
    """

    def __init__(self, inner: Engine, bucket_of: Callable[[Quota], Bucket]) -> None:
        super().__init__(inner)
        self._bucket_of = bucket_of

    def wait(self, request: Request) -> float:
        """How long the line of calls is."""
        quota = self.inner.quota(request)
        return 0.0 if quota is None else self._bucket_of(quota).wait

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        """As the inner engine, once it is the call's turn.

        Raises:
            NoTurn: Its turn is too far off.
        """
        quota = self.inner.quota(segment.request)
        if quota is not None:
            await self._bucket_of(quota).acquire()
        async with aclosing(self.inner.stream(segment)) as chunks:
            async for chunk in chunks:
                yield chunk


def _open(path: str) -> int:
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
