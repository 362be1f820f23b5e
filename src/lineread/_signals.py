"""Signals that ask the process to stop.

Owns which ones they are, and the rule that those which the process was started to ignore stay ignored: under nohup a
closed terminal ends nothing.
"""

from __future__ import annotations

import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: As far as the system has them.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
_ENDINGS = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]


def take(handler: Callable[..., object]) -> dict[int, Any]:
    """Have a handler take them.

    Returns:
        What took each of them before. It is empty outside the main thread, where somebody else answers for signals.
    """
    before: dict[int, Any] = {}
    with suppress(ValueError):
        for number in _ENDINGS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, handler)
    return before


@contextmanager
def first_to(stop: Callable[[], object]) -> Iterator[None]:
    """The first of them calls that, wherever the main thread is; the next ones do what they did before.

    Args:
        stop: Has to be quick, and safe at any time.
    """

    def restore() -> None:
        while before:
            number, handler = before.popitem()
            signal.signal(number, handler)

    def heed(*_: object) -> None:
        restore()
        stop()

    before = take(heed)
    try:
        yield
    finally:
        restore()
