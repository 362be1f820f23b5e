"""Threads that do what is wanted soonest first.

Owns the order of work among all that a voice is asked for at the same time, and how an event loop waits for it: whoever
hears nothing yet, or will soon have heard what there is, comes before those that have sound in hand.
"""

from __future__ import annotations

import asyncio
import heapq
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from lineread.errors import ServiceFailed

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Crew:
    """Some threads and the work that waits for them.

    Args:
        threads: How many; they are started as they are needed.
    """

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="lineread-voice")
        self._lock = threading.Lock()
        self._order = count()
        self._waiting: list[tuple[float, int, Future[Any], Callable[[], Any]]] = []

    def submit(self, due: float, work: Callable[[], T]) -> Future[T]:
        """Have some work done.

        Args:
            due: When it is wanted, on the monotonic clock. Of what is wanted at the same time, the first comes first.
            work: What to do.

        Raises:
            RuntimeError: It is closed.
        """
        future: Future[T] = Future()
        with self._lock:
            heapq.heappush(self._waiting, (due, next(self._order), future, work))
        self._threads.submit(self._do_next)
        return future

    async def do(self, due: float, work: Callable[[], T]) -> T:
        """Have some work done while the event loop goes on.

        Args:
            due: When it is wanted, on the monotonic clock; 0 for now.
            work: What to do.

        Raises:
            ServiceFailed: It was closed before a thread began.
        """
        closed = ServiceFailed("The voice was closed before it had spoken.", remedy="Speak the line again.")
        try:
            made = asyncio.wrap_future(self.submit(due or time.monotonic(), work))
        except RuntimeError:
            raise closed from None
        try:
            return await made
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise closed from None  # nobody has cancelled this task, so it was the crew

    def close(self) -> None:
        """Finish what was begun, and cancel what waits."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for _, _, future, _ in waiting:
            future.cancel()

    def _do_next(self) -> None:
        with self._lock:
            if not self._waiting:
                return  # it was closed
            _, _, future, work = heapq.heappop(self._waiting)
        if not future.set_running_or_notify_cancel():
            return
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - raised where the result is waited for
            future.set_exception(error)
        else:
            future.set_result(result)
