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
import threading
import types
import weakref
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncGenerator, Awaitable, Coroutine, Generator, Iterator

T = TypeVar("T")


class Closable(Protocol):
    """Something that holds on to things of an event loop."""

    async def aclose(self) -> None: ...


_caller = threading.local()
_closables: weakref.WeakSet[Closable] = weakref.WeakSet()
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
    return cast("T", _portal().submit(_adopt(coroutine)).result())


def close_at_exit(closable: Closable) -> None:
    """Close this, if it is still alive then, before the process ends."""
    _closables.add(closable)


class Iteration(Generic[T]):
    """An asynchronous generator, iterated by a caller without an event loop.

    Closing it (or leaving its ``with``) closes the generator and waits until it has cleaned up. An error in the
    generator reaches the caller.
    """

    def __init__(self, source: AsyncGenerator[T, None]) -> None:
        self._source = source
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
            step = self._source.__anext__()
            try:
                done, item = _step(step)
            except StopAsyncIteration:
                raise StopIteration from None
            if done:
                return cast("T", item)
            self._pump = _Pump(self._source, step)
        return self._pump.next()

    def close(self) -> None:
        """Stop the generator and wait for its clean-up. Closing twice does nothing."""
        if self._closed:
            return
        self._closed = True
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
    """Runs a generator as one task of the portal and hands its items over, one at a time."""

    def __init__(self, source: AsyncGenerator[T, None], first: Awaitable[T]) -> None:
        import asyncio  # noqa: PLC0415 - see the module's header

        self._asyncio = asyncio
        self._portal = _portal()
        self._items: asyncio.Queue[object] = asyncio.Queue(maxsize=1)
        self._task: asyncio.Task[None] | None = None
        self._portal.submit(self._run(source, first))

    async def _run(self, source: AsyncGenerator[T, None], first: Awaitable[T]) -> None:
        self._task = self._asyncio.current_task()
        end: object = _END
        try:
            async with aclosing(source):
                await self._items.put(await _adopt(first))
                async for item in source:
                    await self._items.put(item)
        except StopAsyncIteration:  # the very first step had nothing to give
            pass
        except Exception as error:  # noqa: BLE001 - carried over to the caller's thread and raised there
            end = _Failure(error)
        await self._items.put(end)

    def next(self) -> T:
        item = self._portal.submit(self._items.get()).result()
        if item is _END:
            raise StopIteration
        if isinstance(item, _Failure):
            raise item.error
        return cast("T", item)

    def stop(self) -> None:
        self._portal.submit(self._cancel()).result()

    def abandon(self) -> None:
        """Stop without waiting: for a garbage collector that may run on any thread."""
        if not self._portal.loop.is_closed():
            self._portal.submit(self._cancel())

    async def _cancel(self) -> None:
        assert self._task is not None  # it was submitted first, so it has begun
        self._task.cancel()
        await self._asyncio.wait([self._task])


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class _Portal:
    """One event loop in one background thread."""

    def __init__(self) -> None:
        import asyncio  # noqa: PLC0415 - see the module's header

        self._asyncio = asyncio
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="lineread", daemon=True)
        self._thread.start()
        atexit.register(self.stop)

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Any:  # noqa: ANN401 - concurrent.futures is not imported
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("lineread's synchronous calls cannot be used inside its own event loop; await instead")
        return self._asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def stop(self) -> None:
        """Cancel what still runs, let it clean up, and end the thread."""
        if self.pid != os.getpid() or not self._thread.is_alive():
            return
        self._asyncio.run_coroutine_threadsafe(_wind_up(), self.loop).result(timeout=5)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout=5)
        if not self._thread.is_alive():
            self.loop.close()


_the_portal: _Portal | None = None
_portal_lock = threading.Lock()


def _portal() -> _Portal:
    global _the_portal  # noqa: PLW0603 - one loop for the process is the point
    with _portal_lock:
        if _the_portal is None or _the_portal.pid != os.getpid():
            _the_portal = _Portal()
        return _the_portal


def _step(step: Any) -> tuple[bool, Any]:  # noqa: ANN401 - any awaitable that can be driven by hand
    """Drive an awaitable on this thread until it ends, or first has to wait. Tells whether it ended."""
    _caller.steps = True
    try:
        wish = step.send(None)
    except StopIteration as end:
        return True, end.value
    finally:
        _caller.steps = False
    if wish is not _WAITING:
        step.close()
        raise RuntimeError("a coroutine waited for something else before it asked for an event loop")
    return False, None


@types.coroutine
def _continue(step: Any) -> Generator[Any, Any, Any]:  # noqa: ANN401 - as in _step
    return (yield from step)


async def _adopt(step: Any) -> Any:  # noqa: ANN401 - as in _step
    """Go on with a step that waits for an event loop, as part of the running task."""
    return await _continue(step)


async def _wind_up() -> None:
    import asyncio  # noqa: PLC0415 - see the module's header

    await asyncio.gather(*(closable.aclose() for closable in _closables), return_exceptions=True)
    rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
