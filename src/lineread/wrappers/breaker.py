"""A circuit breaker: an engine that does not answer is left alone for a while.

Owns when that is. It stands only before an engine that has another one behind it: there each further segment would
try everything again before the other one speaks, and a book has a hundred of them.

The circuit is closed while the engine answers. A segment that ends in ``Unreachable`` or ``TimedOut`` opens it, since
the next one would fare alike; ``ServiceFailed`` may be about that segment's text, so it takes two in a row. While the
circuit is open, segments fail at once with the error that opened it. After ``OPEN_FOR`` seconds it is half-open: one
segment is spoken as a probe, without retries, while all others still fail at once. Sound, or an error that only an
engine that answers can give, closes the circuit; a probe that fails as before opens it again for twice as long, at
most ``LONGEST``. What never got to the engine (there was no turn within its limit, no budget, nobody who waited) tells
nothing of it: the next segment is the probe. Segments that were under way when it opened go on; where one of them has
closed the circuit before the probe failed, that failure counts as any other one's.
"""

from __future__ import annotations

import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from lineread.engines.base import Engine, Wrapper
from lineread.errors import EngineError, ServiceFailed, TimedOut, Unreachable
from lineread.wrappers.limited import NoTurn

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from lineread.speech import Chunk, Segment

#: Seconds that the circuit stays open at first, and at most.
OPEN_FOR: Final = 15.0
LONGEST: Final = 120.0
#: What each kind of failure counts, and the count without a success between that opens the circuit.
STRIKES: Final[dict[type[EngineError], int]] = {Unreachable: 2, TimedOut: 2, ServiceFailed: 1}
ENOUGH: Final = 2


class CircuitBreaker(Wrapper):
    """An engine that is not asked while it is known not to answer.

    Args:
        inner: The engine.
        probe: The same engine without retries, so that finding it still silent delays one segment by one call.
        clock: Seconds of a clock that only goes forward.
    """

    def __init__(self, inner: Engine, probe: Engine, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(inner)
        self._probe = probe
        self._clock = clock
        self._strikes = 0
        self._probing = False
        self._failure: EngineError | None = None  # set while the circuit is not closed
        self._period = OPEN_FOR
        self._until = 0.0

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        """As the inner engine, if that is likely to answer.

        Raises:
            EngineError: The engine's, or at once the one that opened the circuit.
        """
        if self._failure is None:
            source = self._watched(self.inner, segment, probing=False)
        elif self._probing or self._clock() < self._until:
            raise _again(self._failure)
        else:
            source = self._tried(segment)
        async with aclosing(source) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _tried(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        """The segment as a probe; one that is left early decides nothing, and the next segment is another."""
        self._probing = True
        try:
            async with aclosing(self._watched(self._probe, segment, probing=True)) as chunks:
                async for chunk in chunks:
                    yield chunk
        finally:
            self._probing = False

    async def _watched(self, engine: Engine, segment: Segment, *, probing: bool) -> AsyncGenerator[Chunk, None]:
        begun = False
        try:
            async with aclosing(engine.stream(segment)) as chunks:
                async for chunk in chunks:
                    if not begun:
                        begun = True
                        self._close()
                    yield chunk
        except EngineError as error:
            if not begun:
                self._judge(error, probing=probing)
            raise

    def _judge(self, error: EngineError, *, probing: bool) -> None:
        """What an error before any sound tells of the engine; nothing if it was not asked at all."""
        if isinstance(error, NoTurn):
            return
        strikes = next((count for kind, count in STRIKES.items() if isinstance(error, kind)), 0)
        if not strikes:
            self._close()
        elif probing and self._failure is not None:
            self._open(error, min(2 * self._period, LONGEST))
        elif self._failure is None:
            self._strikes += strikes
            if self._strikes >= ENOUGH:
                self._open(error, OPEN_FOR)

    def _open(self, error: EngineError, period: float) -> None:
        self._failure = _again(self._failure or error)
        self._period = period
        self._until = self._clock() + period

    def _close(self) -> None:
        self._failure = None
        self._strikes = 0


def _again(error: EngineError) -> EngineError:
    """The error anew: whoever gets one may add to it."""
    kind = next(kind for kind in STRIKES if isinstance(error, kind))  # the constructors of subclasses may differ
    return kind(error.message, remedy=error.remedy, code=error.code, retryable=error.retryable)
