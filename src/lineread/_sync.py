"""The synchronous face: how callers without an event loop run what is written once, as coroutines.

A coroutine starts on the caller's own thread. When it first has to wait it says so, by awaiting
:func:`on_event_loop`, and from there on it lives as a task of the portal: one event loop in one background thread
for the whole process. What is answered from the cache never waits, so it costs neither a thread nor the import of
asyncio, which alone takes longer than all the rest of such an answer.

Knows nothing of speech. Works as well when the caller's thread runs an event loop of its own.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import types
import weakref
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Iterator
    from concurrent.futures import Future
    from queue import SimpleQueue

T = TypeVar("T")

#: Seconds that work gets to clean up after itself when the process ends.
EXIT_PATIENCE = 5.0
#: Seconds that work gets then which is to be seen to its end.
LAST_PATIENCE = 60.0


class Closable(Protocol):
    """Something that holds on to things of an event loop."""

    async def aclose(self) -> None: ...


_caller = threading.local()
_closables: weakref.WeakSet[Closable] = weakref.WeakSet()
_lasting: dict[asyncio.Task[Any], str] = {}
_WAITING = object()
_END = object()


@types.coroutine
def on_event_loop() -> Generator[object, None, None]:
    """Wait until this coroutine runs on an event loop; where it already does, go on at once."""
    if getattr(_caller, "steps", False):
        yield _WAITING


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine, for a caller without an event loop."""
    done, result = _step(coroutine)
    if done:
        return cast("T", result)
    return cast("T", _portal().call(_adopt(coroutine)))


def close_at_exit(closable: Closable) -> None:
    """Close this, if it is still alive then, before the process ends."""
    _closables.add(closable)


def see_to_end(task: asyncio.Task[Any], line: str) -> None:
    """Do not cancel a task when the process ends: what it does is paid for, and would be lost.

    Args:
        task: Whatever it needs has to be closed after :func:`seen_to_end`.
        line: What whoever has to wait for it is told.
    """
    _lasting[task] = line
    task.add_done_callback(_lasting.pop)


async def seen_to_end(say: Callable[[str], object]) -> None:
    """Wait for the tasks of this event loop that are to be seen to their ends. Who is cancelled meanwhile cancels them.

    Args:
        say: Takes the line of each that is waited for.
    """
    if not _lasting:
        return
    await on_event_loop()
    import asyncio  # noqa: PLC0415 - see the module's header

    here = {task: line for task, line in list(_lasting.items()) if task.get_loop() is asyncio.get_running_loop()}
    for line in here.values():
        say(line)
    try:
        await asyncio.gather(*(asyncio.wait([task]) for task in here))  # neither of which cancels them
    except asyncio.CancelledError:
        for task in here:
            task.cancel()
        raise


class Iteration(Generic[T]):
    """An asynchronous generator, iterated by a caller without an event loop.

    Closing it (or leaving its ``with``) closes the generator and waits until it has cleaned up. An error in the
    generator reaches the caller.
    """

    def __init__(self, source: AsyncGenerator[T, None]) -> None:
        self._source = source
        self._first: types.CoroutineType[Any, Any, T] | None = None
        self._pump: _Pump[T] | None = None
        self._closed = False

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._closed:
            raise StopIteration
        try:
            return self._next()
        except BaseException:
            self.close()
            raise

    def _next(self) -> T:
        if self._pump is None:
            self._first = cast("types.CoroutineType[Any, Any, T]", _next_of(self._source))
            try:
                done, item = _step(self._first)
            except StopAsyncIteration:
                raise StopIteration from None
            if done:
                return cast("T", item)
            self._pump = _Pump(self._source, self._first)
            self._pump.start()
        return self._pump.next()

    @property
    def over(self) -> bool:
        """It has come to its end, or was closed."""
        return self._closed

    def close(self) -> None:
        """Stop the generator and wait for its clean-up. Closing twice does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._pump is None and self._first is not None and self._first.cr_suspended:
            self._pump = _Pump(self._source, self._first)  # Ctrl-C came when it had just begun to wait
        if self._pump is not None:
            self._pump.stop()
        else:
            run(self._source.aclose())

    def __enter__(self) -> Iteration[T]:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __del__(self) -> None:
        if not self._closed and self._pump is not None:
            self._pump.abandon()


class _Pump(Generic[T]):
    """Runs a generator as one task of the portal and hands its items over, made one ahead of the caller.

    Args:
        source: The generator.
        first: Its first step, which waits for an event loop.
    """

    def __init__(self, source: AsyncGenerator[T, None], first: Awaitable[T]) -> None:
        import asyncio  # noqa: PLC0415 - see the module's header
        from queue import SimpleQueue  # noqa: PLC0415

        self._source = source
        self._first = first
        self._asyncio = asyncio
        self._portal = _portal()
        self._items: SimpleQueue[object] = SimpleQueue()  # putting never blocks, so an end always gets through
        self._room = asyncio.Semaphore(1)
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    def start(self) -> None:
        """Begin to run it."""
        self._portal.loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        if self._task is None:
            self._task = self._portal.loop.create_task(self._run())

    async def _run(self) -> None:
        end: object = _END
        try:
            async with aclosing(self._source):
                self._items.put(await _adopt(self._first))
                await self._room.acquire()
                async for item in self._source:
                    self._items.put(item)
                    await self._room.acquire()
        except StopAsyncIteration:  # the very first step had nothing to give
            pass
        except self._asyncio.CancelledError as error:
            end = _END if self._stopped else _Failure(self._cut_off(error))
        except BaseException as error:  # noqa: BLE001 - carried over to the caller's thread and raised there
            end = _Failure(error)
        self._items.put(end)

    def _cut_off(self, error: BaseException) -> BaseException:
        """What a caller gets whose work was cancelled by somebody else. It must not take that for the end."""
        if self._portal.closing:
            return SystemExit()  # ends the caller's thread, for which the process has not waited, without a word
        failure = RuntimeError("the work was cancelled from within")
        failure.__cause__ = error
        return failure

    def next(self) -> T:
        if not self._portal.ours:
            raise RuntimeError("this iteration began before a fork and belongs to the parent process; begin another")
        item = self._items.get()
        if item is _END:
            raise StopIteration
        if isinstance(item, _Failure):
            raise item.error
        self._portal.tell(self._room.release)
        return cast("T", item)

    def stop(self) -> None:
        self._stopped = True
        if self._portal.ours:
            self._portal.call(self._cancel())

    def abandon(self) -> None:
        """Stop without waiting: for a garbage collector that may run on any thread."""
        self._stopped = True
        if self._portal.ours and not self._portal.loop.is_closed():
            self._portal.submit(self._cancel())

    async def _cancel(self) -> None:
        self._begin()  # unless it was: an interrupt may come at any time
        assert self._task is not None
        await self._asyncio.sleep(0)  # a task that is cancelled before its first step would not close the generator
        self._task.cancel()
        await self._asyncio.wait([self._task])


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class _Portal:
    """One event loop in one background thread.

    Attributes:
        closing: The process is about to end.
    """

    def __init__(self) -> None:
        import asyncio  # noqa: PLC0415 - see the module's header

        self._asyncio = asyncio
        self._pid = os.getpid()
        self.closing = False
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="lineread", daemon=True)
        self.thread.start()
        atexit.register(self.stop)

    @property
    def ours(self) -> bool:
        """The thread is this process's. A forked child has a copy of the portal, but no thread that serves it."""
        return self._pid == os.getpid()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine, from any thread."""
        return self._asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine. It is cancelled when the caller is interrupted while waiting for it."""
        future = self.submit(coroutine)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def tell(self, callback: Callable[[], object]) -> None:
        """Have something done on the loop, if there is still time for it."""
        with suppress(RuntimeError):  # it has been closed
            self.loop.call_soon_threadsafe(callback)

    def stop(self) -> None:
        """Cancel what still runs, let it clean up, and end the thread."""
        if not self.ours or not self.thread.is_alive():
            return
        self.closing = True
        # What does not let itself be cancelled shall not hold up the exit, and who interrupts once more means it.
        with suppress(TimeoutError, KeyboardInterrupt):
            self.submit(_wind_up()).result(timeout=LAST_PATIENCE if _lasting else EXIT_PATIENCE)
        self.tell(self.loop.stop)
        self.thread.join(timeout=EXIT_PATIENCE)
        if not self.thread.is_alive():
            self.loop.close()


_the_portal: _Portal | None = None
_portal_lock = threading.Lock()


def _after_fork() -> None:
    """Whoever held the lock is not in the child."""
    global _portal_lock  # noqa: PLW0603 - it is about the process
    _portal_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _portal() -> _Portal:
    global _the_portal  # noqa: PLW0603 - one loop for the process is the point
    with _portal_lock:
        if _the_portal is None or not _the_portal.ours:
            _the_portal = _Portal()
        return _the_portal


def _step(step: Any) -> tuple[bool, Any]:  # noqa: ANN401 - any awaitable that can be driven by hand
    """Drive an awaitable on this thread until it ends, or first has to wait. Tells whether it ended."""
    if _the_portal is not None and threading.current_thread() is _the_portal.thread:
        step.close()
        raise RuntimeError("lineread's synchronous calls cannot be used inside its own event loop; await instead")
    outer = getattr(_caller, "steps", False)  # a step may itself make a synchronous call
    hooks = sys.get_asyncgen_hooks()  # an event loop that the caller runs would close our generators when it ends
    try:
        _caller.steps = True
        sys.set_asyncgen_hooks(None, None)
        wish = step.send(None)
        if wish is not _WAITING:
            step.throw(RuntimeError("a coroutine waited for something else before it asked for an event loop"))
    except StopIteration as end:
        return True, end.value
    finally:
        _caller.steps = outer  # first: an interrupt may follow any call
        sys.set_asyncgen_hooks(*hooks)
    return False, None


async def _next_of(source: AsyncGenerator[T, None]) -> T:
    return await anext(source)


@types.coroutine
def _continue(step: Any) -> Generator[Any, Any, Any]:  # noqa: ANN401 - as in _step
    return (yield from step)


async def _adopt(step: Any) -> Any:  # noqa: ANN401 - as in _step
    """Go on with a step that waits for an event loop, as part of the running task."""
    return await _continue(step)


async def _wind_up() -> None:
    import asyncio  # noqa: PLC0415 - see the module's header

    rest = asyncio.all_tasks() - {asyncio.current_task()} - {*_lasting}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    await asyncio.gather(*(closable.aclose() for closable in list(_closables)), return_exceptions=True)
