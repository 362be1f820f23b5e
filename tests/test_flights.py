"""Shared work: one producer whatever the number of consumers, none left running, no one's leaving felt by another."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineread.cache import Cache, Entry
from lineread.errors import ServiceFailed
from lineread.flights import Flights, turn
from lineread.speech import Chunk, Facts

KEY = "v1-" + "a" * 40


def chunk(number: int) -> Chunk:
    return Chunk(b"\0\0", 24_000, number, (0, 1))


class Producer:
    """Makes chunks when it is told to.

    Attributes:
        starts: How often it was begun.
        ended: Set when its clean-up is done.
    """

    def __init__(self, chunks: int = 3, error: BaseException | None = None) -> None:
        self.starts = 0
        self.ended = asyncio.Event()
        self._chunks = chunks
        self._error = error
        self._go = asyncio.Semaphore(0)

    def release(self, chunks: int) -> None:
        for _ in range(chunks):
            self._go.release()

    async def __call__(self) -> AsyncGenerator[Chunk, None]:
        self.starts += 1
        try:
            for number in range(self._chunks):
                await self._go.acquire()
                yield chunk(number)
            if self._error is not None:
                raise self._error
        finally:
            await asyncio.sleep(0)  # clean-up that itself has to wait
            self.ended.set()


async def collect(chunks: AsyncIterator[Chunk]) -> list[int]:
    return [chunk.offset async for chunk in chunks]


@pytest.mark.parametrize("consumers", [2, 50])
async def test_all_get_all_from_one_producer(consumers: int) -> None:
    """However many ask for the same thing and whenever they come, it is made once and each gets all of it in order."""
    flights, producer = Flights(), Producer(chunks=4)
    tasks = []
    for number in range(consumers):
        tasks.append(asyncio.create_task(collect(flights.join("k", producer))))
        await asyncio.sleep(0)
        producer.release(1 if number in (0, consumers - 1) else 0)
        await asyncio.sleep(0)
    producer.release(2)
    assert await asyncio.gather(*tasks) == [[0, 1, 2, 3] for _ in tasks]
    assert producer.starts == 1
    assert producer.ended.is_set()


async def test_late_joiners_get_what_was_made_at_once() -> None:
    """A consumer that comes late has everything so far without anything new being made."""
    flights, producer = Flights(), Producer(chunks=4)
    early = flights.join("k", producer)
    producer.release(3)
    assert [(await anext(early)).offset for _ in range(3)] == [0, 1, 2]
    late = flights.join("k", producer)
    assert [(await anext(late)).offset for _ in range(3)] == [0, 1, 2]
    producer.release(1)
    assert await collect(late) == await collect(early) == [3]


async def test_the_same_error_reaches_all_after_the_chunks_before_it() -> None:
    """Each consumer gets the chunks that came and then the very error that ended them; the next call starts anew."""
    flights, error = Flights(), ServiceFailed("broken")
    producer = Producer(chunks=2, error=error)
    producer.release(100)

    async def outcome() -> list[object]:
        seen: list[object] = []
        try:
            async for one in flights.join("k", producer):
                seen.append(one.offset)  # noqa: PERF401 - what came before the error is wanted
        except ServiceFailed as caught:
            seen.append(caught)
        return seen

    assert await asyncio.gather(*(outcome() for _ in range(5))) == [[0, 1, error]] * 5
    assert producer.starts == 1
    assert await outcome() == [0, 1, error]
    assert producer.starts == 2


async def test_a_flight_that_has_ended_is_joined_no_more() -> None:
    """Who comes after the end does not get old work, also while a slow consumer is still reading it."""
    flights, producer = Flights(), Producer(chunks=2)
    producer.release(4)
    slow = flights.join("k", producer)
    await anext(slow)
    await producer.ended.wait()
    await asyncio.sleep(0)
    assert await collect(flights.join("k", producer)) == [0, 1]
    assert producer.starts == 2
    assert await collect(slow) == [1]


async def test_one_leaving_hurts_no_other() -> None:
    """Cancelled or closed consumers leave the rest with everything, also when the one that began it goes."""
    flights, producer = Flights(), Producer(chunks=3)
    tasks = [asyncio.create_task(collect(flights.join("k", producer))) for _ in range(4)]
    closed = flights.join("k", producer)
    producer.release(1)
    await anext(closed)
    await closed.aclose()
    for task in tasks[:2]:
        task.cancel()
    await asyncio.wait(tasks[:2])
    assert not producer.ended.is_set()
    producer.release(2)
    assert await asyncio.gather(*tasks[2:]) == [[0, 1, 2]] * 2
    assert producer.starts == 1


@pytest.mark.parametrize("leave", ["cancel", "close"])
async def test_the_producer_stops_with_its_last_consumer(leave: str) -> None:
    """When nobody listens any more the producer is cancelled and has cleaned up, within 50 ms; then it starts anew."""
    flights, producer = Flights(), Producer(chunks=3)
    stay = flights.join("k", producer)
    producer.release(1)
    await anext(stay)
    task = asyncio.create_task(collect(flights.join("k", producer)))
    await asyncio.sleep(0)
    begin = time.perf_counter()
    if leave == "cancel":
        await stay.aclose()
        task.cancel()
        await asyncio.wait([task])
    else:
        task.cancel()
        await asyncio.wait([task])
        assert not producer.ended.is_set()
        await stay.aclose()
    assert producer.ended.is_set()
    assert time.perf_counter() - begin < 0.05
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []

    producer.release(3)
    assert await collect(flights.join("k", producer)) == [0, 1, 2]
    assert producer.starts == 2


async def test_a_producer_that_is_cut_off_never_looks_finished() -> None:
    """When the producer's task is cancelled from outside, its consumers are told rather than given a short result."""
    flights, producer = Flights(), Producer(chunks=3)
    before = asyncio.all_tasks()
    consumer = flights.join("k", producer)
    producer.release(1)
    await anext(consumer)
    for task in asyncio.all_tasks() - before:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await collect(consumer)


async def test_different_keys_do_not_meet() -> None:
    """What is not the same is made separately."""
    flights, one, two = Flights(), Producer(chunks=1), Producer(chunks=2)
    one.release(1)
    two.release(2)
    both = await asyncio.gather(collect(flights.join("1", one)), collect(flights.join("2", two)))
    assert list(both) == [[0], [0, 1]]


@given(steps=st.lists(st.sampled_from(["join", "join", "make", "leave"]), max_size=40))
def test_any_order_of_coming_and_going(steps: list[str]) -> None:
    """Whatever the order of joining, making and leaving: all who are there have all of it, and nothing leaks."""

    async def play() -> None:
        flights, producer = Flights(), Producer(chunks=100)
        consumers: list[tuple[asyncio.Task[None], list[int]]] = []

        async def consume(seen: list[int]) -> None:
            async for one in flights.join("k", producer):
                seen.append(one.offset)  # noqa: PERF401 - what has come so far is looked at

        for step in steps:
            if step == "join":
                seen: list[int] = []
                consumers.append((asyncio.create_task(consume(seen)), seen))
            elif step == "make":
                producer.release(1)
            elif consumers:
                task, _ = consumers.pop(0)
                task.cancel()
                await asyncio.wait([task])
            for _ in range(5):
                await asyncio.sleep(0)
            assert all(seen == list(range(len(seen))) == consumers[0][1] for _, seen in consumers)
        for task, _ in consumers:
            task.cancel()
        await asyncio.gather(*(task for task, _ in consumers), return_exceptions=True)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(play())


# --- turns of processes ----------------------------------------------------------------------------------------------


async def take_turn(cache: Cache, patience: float, done: Callable[[], Awaitable[None]] | None = None) -> float:
    begin = time.monotonic()
    async with turn(cache, KEY, patience=patience):
        waited = time.monotonic() - begin
        if done is not None:
            await done()
    return waited


async def test_turns_do_not_overlap(tmp_path: Path) -> None:
    """While one has its turn the next one waits, and nobody waits when nobody is there."""
    inside = 0

    async def work() -> None:
        nonlocal inside
        inside += 1
        assert inside == 1
        await asyncio.sleep(0.02)
        inside -= 1

    assert await take_turn(Cache(str(tmp_path)), 10) < 1
    await asyncio.gather(*(take_turn(Cache(str(tmp_path)), 30, work) for _ in range(4)))


async def test_waiting_ends_when_the_cache_has_it(tmp_path: Path) -> None:
    """The entry ends the wait although the other process still holds its claim."""
    cache = Cache(str(tmp_path))
    claim = cache.claim(KEY)
    waiting = asyncio.create_task(take_turn(cache, 60))
    await asyncio.sleep(0)
    assert not waiting.done()
    cache.put(KEY, Entry(b"", 1, (), Facts("x")))
    assert await asyncio.wait_for(waiting, 5) < 5
    assert claim is not None
    claim.release()


async def test_waiting_has_an_end(tmp_path: Path) -> None:
    """A holder that neither finishes nor dies costs patience, never a deadlock; cancelling ends the wait at once."""
    cache = Cache(str(tmp_path))
    claim = cache.claim(KEY)
    assert 0.05 <= await take_turn(cache, 0.05) < 5
    waiting = asyncio.create_task(take_turn(cache, 60))
    await asyncio.sleep(0)
    waiting.cancel()
    begin = time.perf_counter()
    await asyncio.wait([waiting])
    assert time.perf_counter() - begin < 0.05
    assert claim is not None
    claim.release()


async def test_a_killed_process_gives_its_turn_away(tmp_path: Path) -> None:
    """The lock of a process vanishes with it, also by kill -9."""
    code = f"import sys, signal; sys.path[:] = {sys.path!r}; from lineread.cache import Cache\n"
    code += f"claim = Cache({str(tmp_path)!r}).claim({KEY!r}); print(1, flush=True); signal.pause()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:  # noqa: ASYNC220 - as meant
        assert holder.stdout is not None
        holder.stdout.readline()
        cache = Cache(str(tmp_path))
        assert cache.claim(KEY) is None
        waiting = asyncio.create_task(take_turn(cache, 60))
        await asyncio.sleep(0)
        holder.kill()
        assert await asyncio.wait_for(waiting, 10) < 10


async def test_a_broken_store_gives_everybody_a_turn(tmp_path: Path) -> None:
    """Where nothing can be locked nobody waits."""
    (tmp_path / "file").touch()
    cache = Cache(str(tmp_path / "file"))
    async with aclosing(_twice(cache)) as turns:
        assert [one async for one in turns] == [1, 2]


async def _twice(cache: Cache) -> AsyncGenerator[int, None]:
    async with turn(cache, KEY, patience=60):
        yield 1
        async with turn(cache, KEY, patience=60):
            yield 2
