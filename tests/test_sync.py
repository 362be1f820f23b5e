"""The synchronous face: everything arrives, errors too; whoever leaves early stops the work; nothing ever hangs."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager
from itertools import islice
from types import FrameType
from typing import Any

import pytest

from lineread import _sync
from lineread._sync import Iteration, on_event_loop, run
from support import python

#: Seconds after which something counts as hanging.
SOON = 10


class Boom(Exception):
    pass


class Source:
    """A generator that tells what became of it."""

    def __init__(self, count: int = 5, *, at_once: int = 0, fails: BaseException | None = None) -> None:
        self.count = count
        self.at_once = at_once  # items before it needs the event loop
        self.fails = fails
        self.begun = False
        self.made = 0
        self.waits = asyncio.sleep
        self.stuck = threading.Event()
        self.cleaned = threading.Event()
        self.cleaned_by: str = ""

    async def __call__(self) -> AsyncGenerator[int, None]:
        self.begun = True
        try:
            for number in range(self.count):
                if number >= self.at_once:
                    await on_event_loop()
                    await self.waits(0)
                self.made += 1
                yield number
            if self.fails is not None:
                raise self.fails
        finally:
            self.cleaned_by = threading.current_thread().name
            self.cleaned.set()

    def stalls(self) -> Source:
        """Waits for ever instead of going on."""

        async def forever(_: float) -> None:
            self.stuck.set()
            await asyncio.Event().wait()

        self.waits = forever
        return self


@contextmanager
def within(seconds: float) -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds


def in_thread(work: Callable[[], object]) -> object:
    """The result of work in another thread, or a failure if it hangs."""
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(work).result(timeout=SOON)
    finally:
        pool.shutdown(wait=False)


@pytest.mark.parametrize("at_once", [0, 3, 5, 9])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_all_items_arrive_in_order(count: int, at_once: int) -> None:
    """Whether it waits from the first item on, in the middle, at the end or never, every item arrives, once."""
    source = Source(count, at_once=at_once)
    iteration = Iteration(source())
    assert list(iteration) == list(range(count))
    assert source.cleaned.is_set()
    assert list(iteration) == []  # and it stays exhausted
    iteration.close()


@pytest.mark.parametrize("at_once", [0, 2, 5, 9])
def test_an_error_reaches_the_caller_after_the_items_before_it(at_once: int) -> None:
    """An error in the generator, on whichever thread, is raised by ``next``; after it the iteration is over."""
    error = Boom("in the middle")
    source = Source(fails=error, at_once=at_once)
    iteration = Iteration(source())
    items: list[int] = []
    with pytest.raises(Boom) as caught:
        items.extend(iteration)
    assert caught.value is error
    assert items == [0, 1, 2, 3, 4]
    assert list(iteration) == []
    assert source.cleaned.is_set()


@pytest.mark.parametrize("at_once", [0, 1, 9])
@pytest.mark.parametrize("taken", [0, 1, 3])
def test_leaving_early_cancels_the_producer(taken: int, at_once: int) -> None:
    """``close`` comes back when the generator's clean-up has run, and no further item was made than one ahead."""
    source = Source(10_000, at_once=at_once)
    with Iteration(source()) as iteration:
        for _ in range(taken):
            next(iteration)
    assert source.cleaned.is_set() == bool(taken)  # a generator that never began has nothing to clean up
    assert source.made <= taken + 2
    assert list(iteration) == []
    iteration.close()


def test_closing_does_not_wait_for_what_the_producer_waits_for() -> None:
    """A producer that is stuck is cancelled at once, its clean-up runs, and who waited for an item is let go."""
    source = Source()
    iteration = Iteration(source.stalls()())
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: next(iteration, None))
        assert source.stuck.wait(SOON)
        _settle()
        with within(0.5):
            iteration.close()
        assert source.cleaned.is_set()
        assert source.cleaned_by == "lineread"
        assert waiting.result(timeout=SOON) is None


def test_an_error_while_cleaning_up_does_not_hang_the_close() -> None:
    """A ``finally`` that fails while an item nobody took lies ready: ``close`` still comes back."""

    async def clumsy() -> AsyncGenerator[int, None]:
        await on_event_loop()
        try:
            for number in range(100):
                await asyncio.sleep(0)
                yield number
        finally:
            raise Boom

    def work() -> None:
        with Iteration(clumsy()) as iteration:
            assert next(iteration) == 0
            _settle()

    in_thread(work)


def test_a_cancelled_inside_does_not_hang_the_caller() -> None:
    """A generator that ends by a cancellation of its own ends the iteration with an error, and does not go silent."""

    async def cancelled() -> AsyncGenerator[int, None]:
        await on_event_loop()
        yield 0
        raise asyncio.CancelledError

    def work() -> list[int]:
        iteration = Iteration(cancelled())
        items = [next(iteration)]
        with pytest.raises(RuntimeError, match="cancelled"):
            next(iteration)
        return items

    assert in_thread(work) == [0]


def test_run_gives_results_and_errors() -> None:
    """``run`` carries result and error over, whether the coroutine waits or not."""

    async def answer(*, wait: bool, error: Exception | None = None) -> int:
        if wait:
            await on_event_loop()
            await asyncio.sleep(0)
        if error:
            raise error
        return 42

    for wait in (False, True):
        assert run(answer(wait=wait)) == 42
        with pytest.raises(Boom):
            run(answer(wait=wait, error=Boom()))


def test_waiting_without_asking_is_a_mistake_that_is_told() -> None:
    """Code that waits before it asked for an event loop gets an error that says so, not a hang."""

    async def careless() -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="event loop"):
        run(careless())


async def test_it_works_beside_a_running_event_loop() -> None:
    """A synchronous call inside a coroutine (a notebook) works, streams, and leaves the caller's loop alone."""
    ticks = []

    async def tick() -> None:
        while True:
            ticks.append(1)
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    assert list(Iteration(Source(at_once=2)())) == [0, 1, 2, 3, 4]
    with Iteration(Source(1000)()) as iteration:
        assert next(iteration) == 0
    assert run(_loop_name()) == "lineread"
    await asyncio.sleep(0)
    assert ticks
    ticking.cancel()


async def _loop_name() -> str:
    await on_event_loop()
    asyncio.get_running_loop()
    return threading.current_thread().name


def test_an_open_stream_outlives_the_callers_loop_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    """A stream begun inside ``asyncio.run`` and left open is no affair of that loop when it ends."""
    kept = []

    async def main() -> None:
        iteration = Iteration(Source(1000, at_once=1)())
        kept.append(iteration)
        assert [next(iteration), next(iteration)] == [0, 1]

    asyncio.run(main())
    assert list(islice(kept[0], 8)) == list(range(2, 10))
    kept[0].close()
    assert caplog.text == ""


async def test_on_the_event_loop_nothing_is_asked() -> None:
    """Inside an event loop ``on_event_loop`` goes on at once, in the same task and the same thread."""
    before = asyncio.current_task()
    await on_event_loop()
    assert asyncio.current_task() is before
    assert [item async for item in Source()()] == [0, 1, 2, 3, 4]


def test_the_portals_own_thread_may_not_block() -> None:
    """A synchronous call from inside lineread's loop would wait for itself; it is refused instead."""

    async def nested() -> None:
        await on_event_loop()
        list(Iteration(Source()()))

    with pytest.raises(RuntimeError, match="await instead"):
        run(nested())


def test_a_call_within_a_step_does_not_change_the_outer_one() -> None:
    """A coroutine that makes a synchronous call before it first waits can still wait after it."""

    async def outer() -> list[int]:
        inner = [*Iteration(Source(2)()), run(_answer())]
        await on_event_loop()
        await asyncio.sleep(0)
        return inner

    assert run(outer()) == [0, 1, 42]


async def _answer() -> int:
    return 42


def test_what_never_waits_starts_no_thread_and_loads_no_asyncio() -> None:
    """A generator that is answered at once costs neither a thread nor the import of asyncio."""
    child = python(
        "import sys, threading\n"
        "from lineread._sync import Iteration, run\n"
        "async def items():\n"
        "    yield 1\n"
        "    yield 2\n"
        "async def value(): return 3\n"
        "with Iteration(items()) as i: assert next(i) == 1\n"
        "assert list(Iteration(items())) == [1, 2] and run(value()) == 3\n"
        "print(threading.active_count(), 'asyncio' in sys.modules, 'concurrent.futures' in sys.modules)\n"
    )
    assert (child.stdout.split(), child.stderr) == ([b"1", b"False", b"False"], b"")


def test_many_threads_at_once() -> None:
    """Iterations of many threads share one portal and do not get in each other's way."""
    start = threading.Barrier(16)

    def work(number: int) -> list[int]:
        start.wait(SOON)
        with Iteration(Source(50 + number)()) as iteration:
            return [next(iteration) for _ in range(20 + number)]

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(work, range(16))) == [list(range(20 + number)) for number in range(16)]
    assert sum(thread.name == "lineread" for thread in threading.enumerate()) == 1


def test_one_task_runs_all_of_a_generator() -> None:
    """From its first wait on a generator stays in one task, so that time-outs and cancel scopes hold across items."""
    tasks = set()
    marker: contextvars.ContextVar[int] = contextvars.ContextVar("marker", default=0)

    async def source() -> AsyncGenerator[int, None]:
        await on_event_loop()
        async with asyncio.timeout(SOON):
            for number in range(5):
                tasks.add(asyncio.current_task())
                marker.set(marker.get() + 1)
                yield number
        assert marker.get() == 5

    assert len(list(Iteration(source()))) == 5
    assert len(tasks) == 1


def test_an_iteration_that_is_dropped_stops_its_work() -> None:
    """``for ... break`` without a close: as soon as nobody holds the iteration, its producer is cancelled."""
    source = Source(1000)
    for item in Iteration(source()):
        if item == 3:
            break
    gc.collect()
    assert source.cleaned.wait(SOON)
    assert source.made <= 6


def test_an_iteration_dropped_by_the_portals_own_thread_stops_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The garbage collector may run on any thread, also on the one that runs the producer."""
    complaints: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    source = Source(1000)
    iteration = Iteration(source())
    next(iteration)
    cycle: dict[str, object] = {"iteration": iteration}
    cycle["self"] = cycle
    gc.disable()
    try:
        del iteration, cycle
        _on_portal(gc.collect)
    finally:
        gc.enable()
    assert source.cleaned.wait(SOON)
    assert complaints == []


def _on_portal(work: Callable[[], object]) -> None:
    done = threading.Event()
    _sync._portal().loop.call_soon_threadsafe(lambda: (work(), done.set()))
    assert done.wait(SOON)


def _settle() -> None:
    """Let the portal do all that it can do now."""
    for _ in range(20):
        _on_portal(lambda: None)


def test_what_is_open_is_closed_at_exit() -> None:
    """Things that asked for it are closed on the portal before the process ends; those that are gone are not."""
    child = python(
        "import asyncio\n"
        "from lineread import _sync\n"
        "class Thing:\n"
        "    def __init__(self, name): self.name = name\n"
        "    async def aclose(self):\n"
        "        await asyncio.sleep(0)\n"
        "        print('closed', self.name)\n"
        "async def go():\n"
        "    await _sync.on_event_loop()\n"
        "kept, gone = Thing('kept'), Thing('gone')\n"
        "_sync.close_at_exit(kept); _sync.close_at_exit(gone)\n"
        "del gone\n"
        "_sync.run(go())\n"
    )
    assert (child.stdout, child.stderr, child.returncode) == (b"closed kept\n", b"", 0)


OPEN_STREAM = """
import asyncio, sys, threading
from lineread._sync import Iteration, on_event_loop
async def source():
    await on_event_loop()
    try:
        for number in range(1000):
            yield number
            await asyncio.sleep({pause})
    finally:
        print('cleaned', flush=True)
i = Iteration(source())
next(i)
{then}
"""


@pytest.mark.parametrize(
    ("then", "status"),
    [
        ("", 0),
        ("sys.exit(3)", 3),
        ("raise SystemExit(4)", 4),
        ("del i", 0),
        ("threading.Thread(target=lambda: [None for _ in i], daemon=True).start()\nsys.exit(0)", 0),
    ],
)
@pytest.mark.parametrize("pause", ["0", "3600"])
def test_a_process_with_an_open_stream_ends_at_once_and_quietly(then: str, status: int, pause: str) -> None:
    """Leaving a stream open at exit costs no wait and no word on standard error, and its clean-up runs."""
    with within(SOON):
        child = python(OPEN_STREAM.format(pause=pause, then=then))
    assert (child.stdout, child.stderr, child.returncode) == (b"cleaned\n", b"", status)


def test_a_clean_up_that_never_ends_does_not_hold_up_the_exit_for_ever() -> None:
    """A producer that ignores its cancellation delays the end by a moment only, and nothing is raised there."""
    code = (
        "import asyncio\n"
        "from lineread import _sync\n"
        "from lineread._sync import Iteration, on_event_loop\n"
        "_sync.EXIT_PATIENCE = 0.3\n"
        "async def source():\n"
        "    await on_event_loop()\n"
        "    yield 0\n"
        "    try:\n"
        "        await asyncio.sleep(3600)\n"
        "    finally:\n"
        "        while True:\n"
        "            try: await asyncio.sleep(3600)\n"
        "            except asyncio.CancelledError: pass\n"
        "i = Iteration(source()); next(i)\n"
    )
    with within(SOON):
        child = python(code)
    assert child.returncode == 0
    assert b"Traceback" not in child.stderr


FORKING = """
import os, signal, sys, threading
from lineread._sync import Iteration, on_event_loop, run
import asyncio
async def source():
    await on_event_loop()
    for number in range(100):
        await asyncio.sleep(0)
        yield number
async def value():
    await on_event_loop()
    return 42
parent = Iteration(source())
next(parent)
child = os.fork()
if not child:
    signal.alarm(15)  # a child that hangs is killed, and its status tells
    assert run(value()) == 42
    assert len(list(Iteration(source()))) == 100
    {then}
_, status = os.waitpid(child, 0)
assert len(list(parent)) == 99
print(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize(
    ("then", "status"),
    [("sys.exit(0)", 0), ("os._exit(0)", 0), ("parent.close(); sys.exit(0)", 0), ("del parent; sys.exit(0)", 0),
     ("sys.exit(0 if 'fork' in str(catch(lambda: next(parent))) else 9)", 0)],
)  # fmt: skip
def test_a_forked_child_gets_a_portal_of_its_own(then: str, status: int) -> None:
    """A child works with a loop of its own, leaves the parent's alone, and never waits for a thread that it lacks."""
    catch = "def catch(work):\n    try: work()\n    except RuntimeError as error: return error\n"
    child = subprocess.run(
        [sys.executable, "-c", catch + FORKING.format(then=then)], capture_output=True, timeout=30, check=False
    )
    assert child.stdout.decode().strip() == str(status)
    assert b"Traceback" not in child.stderr


INTERRUPTED = """
import asyncio, gc, os, signal, sys, threading
from lineread._sync import Iteration, on_event_loop, run
async def source():
    await on_event_loop()
    try:
        yield 0
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        await asyncio.sleep(3600)
    finally:
        os.write(1, b'cleaned\\n')
async def slow():
    await on_event_loop()
    try:
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        await asyncio.sleep(3600)
    finally:
        os.write(1, b'cleaned\\n')
try:
    {action}
except KeyboardInterrupt:
    os.write(1, b'interrupted\\n')
gc.collect()
async def alive():
    await on_event_loop()
    gc.collect()
    return 'alive'
print(run(alive()), flush=True)
"""


@pytest.mark.parametrize("action", ["list(Iteration(source()))", "run(slow())"])
def test_ctrl_c_stops_the_work_and_leaves_the_portal_usable(action: str) -> None:
    """Ctrl-C while waiting is raised in the caller at once, the work is cancelled and cleaned up, nothing is left."""
    with within(SOON):
        child = python(INTERRUPTED.format(action=action))
    assert sorted(child.stdout.split()) == [b"alive", b"cleaned", b"interrupted"]
    assert (child.stderr, child.returncode) == (b"", 0)


@pytest.mark.filterwarnings("ignore:coroutine '_next_of' was never awaited")  # where it came before anything began
def test_an_interrupt_at_any_instruction_stops_the_work() -> None:
    """Wherever between the first item and its wish Ctrl-C comes, the caller gets it, and the generator cleans up.

    A trace stands in for the signal: it raises at each instruction in turn, until one run is through without it.
    """
    code = {one.__code__ for one in (Iteration.__next__, Iteration._next, _sync._Pump.__init__, _sync._Pump.start)}
    for at in range(1000):
        source, seen = Source(), 0

        def trace(frame: FrameType, event: str, _: object, at: int = at) -> Any:
            nonlocal seen
            if frame.f_code not in code:
                return None
            frame.f_trace_opcodes = True
            seen += event == "opcode"
            if seen > at:
                raise KeyboardInterrupt
            return trace

        items = Iteration(source())
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            assert next(items) == 0
        except KeyboardInterrupt:
            sys.settrace(before)
            items.close()
            assert not source.begun or source.cleaned.wait(SOON)
            continue
        finally:
            sys.settrace(before)
        items.close()
        break
    assert at > 50
    assert run(_answer()) == 42


def test_ctrl_c_that_nobody_catches_ends_the_process() -> None:
    """An uncaught Ctrl-C ends the process by the signal's own status, with the one traceback that Python prints."""
    code = INTERRUPTED.format(action="list(Iteration(source()))").replace(
        "except KeyboardInterrupt:", "except ZeroDivisionError:"
    )
    child = python(code)
    assert child.returncode == -signal.SIGINT
    assert child.stdout == b"cleaned\n"
    assert child.stderr.count(b"Traceback") == 1


async def test_aclosing_inside_a_loop_needs_nothing_of_this() -> None:
    """An asynchronous caller iterates the same generator directly."""
    source = Source(100)
    async with aclosing(source()) as items:
        async for _ in items:
            break
    assert source.cleaned.is_set()
