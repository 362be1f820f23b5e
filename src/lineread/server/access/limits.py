"""What one server bounds in memory: orders a minute of each key, and orders that are worked on at once.

Owns those counts. They are this process's own and begin anew with it; ``ledger`` keeps what has to last.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from lineread.errors import LimitReached, Overloaded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds of the window in which orders are counted.
WINDOW: Final = 60.0
#: Seconds that a key which was turned away keeps its claim to a share of the seats.
_WAITING: Final = 10.0
#: One seat in so many is kept for keys that have none.
_SPARE: Final = 8


class Pace:
    """Orders a minute, key by key: in no window of 60 seconds are there more than a key may give.

    Args:
        clock: Seconds of a clock that only goes forward.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: dict[str, deque[float]] = {}

    def count(self, name: str, limit: int) -> None:
        """Count an order. One that is refused does not count: who waits as told is served.

        Raises:
            LimitReached: It is one too many; says when the next one may come.
        """
        now = self._clock()
        times = self._times.setdefault(name, deque())
        while times and times[0] + WINDOW <= now:
            times.popleft()
        if len(times) >= limit:
            wait = times[-limit] + WINDOW - now
            raise LimitReached(
                f"This key may make {limit} request{'' if limit == 1 else 's'} a minute.",
                remedy=f"Try again in {math.ceil(wait)} s, or ask whoever runs the server for more.",
                retryable=True,
                retry_after=wait,
            )
        times.append(now)


class Seats:
    """Orders that are worked on at the same time. Nobody waits for a seat: who gets none is told so at once.

    While only one key asks, it may have all seats but a few. Once others ask as well, each takes new seats only
    up to an equal share, so that seats which a busy key gives back go to the others.

    Args:
        most: How many there are.
        clock: Seconds of a clock that only goes forward.
    """

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._taken: Counter[str] = Counter()
        self._turned_away: dict[str, float] = {}

    @property
    def taken(self) -> int:
        """How many are taken."""
        return self._taken.total()

    @contextmanager
    def take(self, name: str, *, shared: bool) -> Iterator[None]:
        """A seat, until the context is left.

        Args:
            name: Who asks.
            shared: There may be others.

        Raises:
            Overloaded: There is none to have.
        """
        if not self._may_sit(name, shared=shared):
            self._turned_away[name] = self._clock()
            raise Overloaded(
                "This server is answering as many requests as it may.",
                remedy="Try again in a moment.",
                retryable=True,
                retry_after=1.0,
            )
        self._turned_away.pop(name, None)
        self._taken[name] += 1
        try:
            yield
        finally:
            self._taken[name] -= 1
            if not self._taken[name]:
                del self._taken[name]

    def _may_sit(self, name: str, *, shared: bool) -> bool:
        taken, own = self.taken, self._taken[name]
        if taken >= self._most:
            return False
        if not shared or not own:
            return True
        return taken < self._most - self._most // _SPARE and own < self._most // self._askers(name)

    def _askers(self, name: str) -> int:
        """How many keys want seats: those that have some, and those that lately got none."""
        since = self._clock() - _WAITING
        self._turned_away = {each: when for each, when in self._turned_away.items() if when > since}
        return len({name, *self._taken, *self._turned_away})
