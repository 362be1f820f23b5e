"""Another try after a failure that may pass.

Owns when a call is made again and how long to wait before that. The rules: only errors that say they are retryable;
only while nothing of the segment has been handed on, since what was heard cannot be taken back; the longer the more
often it failed, by chance within that, so that clients that failed together do not come back together; longer for the
kinds of throttling that short waits only prolong.
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lineread.engines.base import Engine, Wrapper
from lineread.errors import EngineError, Throttled

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from lineread.speech import Chunk, Segment


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently a call is made again.

    Attributes:
        attempts: Most calls for one segment, the first one included.
        base: Most seconds before the second call; doubles with each further one.
        cap: What each part of a wait (see ``LEAST_WAITS``) grows to at most, in seconds. A wait that the service asks
            for may be longer.
        deadline: Seconds after the first call in which the last one has to begin. Calls that run are not cut off.
    """

    attempts: int = 5
    base: float = 0.5
    cap: float = 20.0
    deadline: float = 120.0


#: Least seconds before the second call, by ``Throttled.kind``; doubles with each further one. The service counts
#: requests in slices of a second, is wary for a while after a sudden rise, and refills allocations by the minute.
#: ``capacity`` is a failure like any other.
LEAST_WAITS: Final = {"rate": 1.0, "burst": 2.0, "quota": 15.0}
#: Most calls when an allocation is used up: it refills within a few long waits, or not today.
QUOTA_ATTEMPTS: Final = 3


class Retrying(Wrapper):
    """An engine that is asked again when it fails in a way that may pass.

    Args:
        inner: The engine.
        policy: How often and how patiently.
        on_retry: Told before each wait: which call has failed (from 1), the seconds to wait, and the error.
        rng: Where chance comes from.
        sleep: Waits for some seconds.
        clock: Seconds of a clock that only goes forward.
    """

    def __init__(
        self,
        inner: Engine,
        *,
        policy: RetryPolicy | None = None,
        on_retry: Callable[[int, float, EngineError], None] | None = None,
        rng: random.Random | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(inner)
        self._policy = policy or RetryPolicy()
        self._on_retry = on_retry
        self._rng = rng or random.Random()  # noqa: S311 - spreads waits, guards nothing
        self._sleep = sleep
        self._clock = clock

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        """As the inner engine, after as many calls as it takes.

        Raises:
            EngineError: The last call's error; its message tells how many there were.
        """
        begin = self._clock()
        attempt = 0
        while True:
            attempt += 1
            begun = False
            try:
                async with aclosing(self.inner.stream(segment)) as chunks:
                    async for chunk in chunks:
                        begun = True
                        yield chunk
            except EngineError as error:
                spent = self._clock() - begin
                delay = None if begun else self._delay(error, attempt, spent)
                if delay is None:
                    _tell_effort(error, attempt, spent)
                    raise
                if self._on_retry is not None:
                    self._on_retry(attempt, delay, error)
            else:
                return
            await self._sleep(delay)

    def _delay(self, error: EngineError, attempt: int, spent: float) -> float | None:
        """Seconds to wait before the next call; None to give up."""
        policy = self._policy
        kind = error.kind if isinstance(error, Throttled) else ""
        attempts = min(policy.attempts, QUOTA_ATTEMPTS) if kind == "quota" else policy.attempts
        if not error.retryable or attempt >= attempts:
            return None
        growth = 2.0 ** (attempt - 1)
        least = min(policy.cap, LEAST_WAITS.get(kind, 0.0) * growth)
        jitter = self._rng.uniform(0.0, min(policy.cap, policy.base * growth))
        delay = max(least + jitter, error.retry_after or 0.0)
        return delay if spent + delay <= policy.deadline else None


def _tell_effort(error: EngineError, attempts: int, spent: float) -> None:
    """Add to an error's message what was tried."""
    if attempts > 1:
        error.message = f"{error.message.removesuffix('.')} (after {attempts} attempts in {spent:.0f} s)."
        error.args = (error.message,)
