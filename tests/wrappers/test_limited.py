"""Rate limits: never more calls in a slice than allowed, by how many processes and through what damage whatever."""

from __future__ import annotations

import asyncio
import fcntl
import heapq
import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineread.engines.base import Quota
from lineread.engines.fake import Fake
from lineread.errors import Throttled
from lineread.speech import Request, Segment
from lineread.wrappers import equip
from lineread.wrappers.limited import LOCK_PATIENCE, Buckets, Limited, TokenBucket

SEGMENT = Segment(Request("Hello there.", "Cherry"), 0, 0, 12)


class Machine:
    """A machine whose time passes only when everybody sleeps."""

    def __init__(self, state: Path | None, now: float = 500.0, wall: float = 1.7e9) -> None:
        self.state = state
        self.now = now
        self.started = wall - now
        self._sleepers: list[float] = []

    async def sleep(self, seconds: float) -> None:
        end = self.now + seconds
        heapq.heappush(self._sleepers, end)
        try:
            while self.now < end:
                for _ in range(20):  # everybody else gets the chance to fall asleep before
                    await asyncio.sleep(0)
                if self._sleepers[0] == end:
                    self.now = max(self.now, end)
        finally:
            self._sleepers.remove(end)
            heapq.heapify(self._sleepers)

    def process(self, per_minute: float, patience: float = 300.0) -> TokenBucket:
        """One process's bucket."""
        return TokenBucket(
            None if self.state is None else str(self.state),
            per_minute=per_minute,
            patience=patience,
            clock=lambda: self.now,
            wall=lambda: self.started + self.now,
            sleep=self.sleep,
        )


async def calls(machine: Machine, *buckets: TokenBucket, each: int) -> list[float]:
    """When calls were let through, all asked for at once."""
    times = []

    async def call(bucket: TokenBucket) -> None:
        await bucket.acquire()
        times.append(machine.now)

    await asyncio.gather(*(call(bucket) for bucket in buckets for _ in range(each)))
    return sorted(times)


def most_in(times: list[float], window: float) -> int:
    """The most calls in any window, its end not counted."""
    return max(sum(1 for other in times if time <= other < time + window - 1e-6) for time in times)


@pytest.mark.parametrize(
    ("per_minute", "slice_calls", "seconds"), [(180, 3, 1.0), (10, 1, 6.0), (60, 1, 1.0), (100, 1, 0.6), (150, 2, 0.8)]
)
@pytest.mark.parametrize("processes", [1, 4])
async def test_no_slice_holds_more_than_its_share(
    tmp_path: Path, per_minute: int, slice_calls: int, seconds: float, processes: int
) -> None:
    """In no window are more calls than the limit allows, nothing is saved up while idle, and nothing is wasted."""
    machine = Machine(tmp_path / "b")
    buckets = [machine.process(per_minute) for _ in range(processes)]
    for _ in range(2):
        begin = machine.now
        times = await calls(machine, *buckets, each=24 // processes)
        assert most_in(times, seconds) == slice_calls
        assert most_in(times, 60) <= per_minute
        assert times[-1] - begin == pytest.approx((24 / slice_calls - 1) * seconds)
        machine.now += 1000  # idle


async def test_first_come_first_served_and_who_leaves_takes_no_turn(tmp_path: Path) -> None:
    """Calls of a process go in the order in which they asked; those that give up in line cost the others nothing."""
    machine = Machine(tmp_path / "b")
    bucket = machine.process(10)
    served: list[tuple[int, float]] = []

    async def call(number: int) -> None:
        await bucket.acquire()
        served.append((number, machine.now - 500))

    tasks = [asyncio.create_task(call(number)) for number in range(6)]
    await asyncio.sleep(0)
    for number in (2, 3):
        tasks[number].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert served == [(0, 0), (1, 6), (4, 12), (5, 18)]


async def test_who_would_wait_too_long_is_told_at_once(tmp_path: Path) -> None:
    """A turn beyond patience is refused without waiting, is not worth a retry, and is not taken away from others."""
    machine = Machine(tmp_path / "b")
    hasty, patient = machine.process(10, patience=7), machine.process(10)
    assert await calls(machine, patient, each=1) == [500]
    waiting = [asyncio.create_task(calls(machine, process, each=1)) for process in (patient, machine.process(10))]
    for _ in range(5):
        await asyncio.sleep(0)
    with pytest.raises(Throttled) as caught:
        await hasty.acquire()
    assert machine.now == 500
    assert (caught.value.kind, caught.value.retryable, bool(caught.value.remedy)) == ("rate", False, True)
    assert await asyncio.gather(*waiting) == [[506], [512]]
    assert await calls(machine, hasty, each=1) == [518]


@pytest.mark.parametrize("waiting", [0, 1, 3])
async def test_the_wait_is_known_before_it_begins(tmp_path: Path, waiting: int) -> None:
    """However many are in line, a further call goes when it was said to; who is told of a wait that is too long is told
    when to come again.
    """
    machine = Machine(tmp_path / "b")
    bucket, hasty = machine.process(10), machine.process(10, patience=1)
    assert hasty.wait == 0
    line = [asyncio.create_task(bucket.acquire()) for _ in range(1 + waiting)]
    for _ in range(5):
        await asyncio.sleep(0)
    wait = bucket.wait
    with pytest.raises(Throttled) as caught:
        await hasty.acquire()
    assert caught.value.retry_after == (6 if waiting == 0 else 12)
    assert await calls(machine, bucket, each=1) == [500 + wait]
    assert wait == 6 * (1 + waiting)
    await asyncio.gather(*line)


async def test_the_wait_of_an_engine(tmp_path: Path) -> None:
    """It is that of its bucket, through whatever is around it, a backup too."""

    class Counted(Fake):
        def quota(self, request: Request) -> Quota:
            return Quota("account", 10)

    engine = equip(Counted(), Fake(), str(tmp_path))
    assert engine.wait(SEGMENT.request) == pytest.approx(0, abs=0.1)
    assert [chunk async for chunk in engine.stream(SEGMENT)]
    assert 5 < engine.wait(SEGMENT.request) <= 6


async def test_a_line_dissolves_when_patience_ends(tmp_path: Path) -> None:
    """However many wait in one process, none waits longer than patience and a slice."""
    machine = Machine(tmp_path / "b")
    bucket = machine.process(10, patience=20)
    outcomes = await asyncio.gather(*(bucket.acquire() for _ in range(50)), return_exceptions=True)
    assert [outcome for outcome in outcomes if outcome is None] == [None] * 4
    assert all(isinstance(outcome, Throttled) for outcome in outcomes[4:])
    assert machine.now <= 500 + 20 + 6


async def waited(machine: Machine, bucket: TokenBucket) -> float:
    begin = machine.now
    await bucket.acquire()
    return machine.now - begin


times = st.lists(st.floats() | st.floats(0, 1000) | st.just(1.7e9 - 500), max_size=8)


@given(state=st.binary(max_size=80) | times.map(lambda times: b"LRBKT-1\n" + struct.pack(f"<{len(times)}d", *times)))
def test_a_damaged_state_is_a_fresh_one(tmp_path_factory: pytest.TempPathFactory, state: bytes) -> None:
    """Whatever is in the file, a call goes, waits for no longer than it could have to, and the limit holds after it."""
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(state)
    machine = Machine(path)
    assert asyncio.run(waited(machine, machine.process(10))) <= 300
    assert asyncio.run(waited(machine, machine.process(10))) == pytest.approx(6)


@pytest.mark.parametrize("change", ["restart", "clock set back", "clock set forward", "gone", "directory gone"])
async def test_a_changed_world_makes_nobody_wait_for_long(tmp_path: Path, change: str) -> None:
    """After a restart, a jump of the clock or the loss of the file, the next call waits for a slice at most."""
    machine = Machine(tmp_path / "d" / "b", now=5000.0)
    await calls(machine, machine.process(10), each=3)
    if change == "restart":
        machine = Machine(machine.state, now=4900.0, wall=1.7e9 + 60)
    elif change == "clock set back":
        machine.started -= 86_400
    elif change == "clock set forward":
        machine.started += 86_400
    else:
        (tmp_path / "d" / "b").unlink()
        if change == "directory gone":
            (tmp_path / "d").rmdir()
    bucket = machine.process(10)
    assert await waited(machine, bucket) <= 6
    assert await waited(machine, bucket) == pytest.approx(6)


async def test_a_file_that_cannot_be_used_leaves_a_limit_for_the_process(tmp_path: Path) -> None:
    """No directory, no permission, no path: the process keeps to the limit by itself."""
    (tmp_path / "file").touch()
    (tmp_path / "directory").mkdir()
    for state in (None, tmp_path / "file" / "b", tmp_path / "directory"):
        machine = Machine(state)
        bucket = machine.process(180)
        assert most_in(await calls(machine, bucket, each=9), 1) == 3


async def test_a_stopped_process_stops_nobody_else(tmp_path: Path) -> None:
    """A file that stays locked is done without after a while, and the limit of the process itself still holds."""
    machine = Machine(tmp_path / "b")
    bucket = machine.process(10)
    await bucket.acquire()
    file = os.open(tmp_path / "b", os.O_RDWR)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        machine.now += 3
        assert await waited(machine, bucket) == pytest.approx(3, abs=0.1)
        assert await waited(machine, machine.process(10)) == pytest.approx(LOCK_PATIENCE, abs=0.1)
    finally:
        os.close(file)


def test_a_bucket_serves_several_event_loops(tmp_path: Path) -> None:
    """One bucket in two event loops, one after the other: both keep the same limit."""
    machine = Machine(tmp_path / "b")
    bucket = machine.process(180)
    times = [time for _ in range(2) for time in asyncio.run(calls(machine, bucket, each=5))]
    assert most_in(times, 1) == 3


PROCESS = """
import asyncio, json
from lineread.wrappers.limited import TokenBucket

class Recording(TokenBucket):
    turns = []
    async def _reserve(self, deadline):
        self.turns.append(await super()._reserve(deadline))
        return self.turns[-1]

async def main():
    bucket = Recording(sys.argv[1], per_minute=1800)
    for _ in range(15):
        await bucket.acquire()
        assert bucket._clock() >= bucket.turns[-1]
    print(json.dumps(bucket.turns))

asyncio.run(main())
"""


def test_processes_keep_one_limit_together(tmp_path: Path) -> None:
    """Real processes on a real clock: in no second are there more turns, over all of them, than a second allows."""
    command = [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n{PROCESS}", str(tmp_path / "d" / "b")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(6)]
    said = [process.communicate()[0] for process in processes]
    times = sorted(time for line in said for time in json.loads(line))
    assert len(times) == 90
    assert most_in(times, 1) == 30
    assert times[-1] - times[0] < 10


# --- the wrapper -----------------------------------------------------------------------------------------------------


class Counted(Fake):
    """A fake that is counted."""

    def quota(self, request: Request) -> Quota | None:
        return None if request.voice == "free" else Quota(f"account-{request.voice}", 10)


async def test_an_engine_is_called_within_its_quota(tmp_path: Path) -> None:
    """Each call waits for a turn of the quota that its request counts against; what nobody counts never waits."""
    asked: list[str] = []

    class Recording:
        async def acquire(self) -> None:
            asked.append("turn")

    engine = Counted()

    def bucket_of(quota: Quota) -> Recording:
        asked.append(quota.name)
        return Recording()

    limited = Limited(engine, bucket_of)
    assert [chunk async for chunk in limited.stream(SEGMENT)][-1].facts is not None
    assert asked == ["account-Cherry", "turn"]
    free = Segment(Request("Hello there.", "free"), 0, 0, 12)
    assert [chunk async for chunk in limited.stream(free)][-1].facts is not None
    assert len(asked) == 2
    assert len(engine.calls) == 2


async def test_cancelling_ends_the_wait_for_a_turn(tmp_path: Path) -> None:
    """A call that waits for its turn is gone within 50 ms of its cancellation, and nothing was sent."""
    engine = Counted()
    limited = Limited(engine, Buckets(str(tmp_path)))
    assert [chunk async for chunk in limited.stream(SEGMENT)]
    waiting = asyncio.create_task(anext(limited.stream(SEGMENT)))
    for _ in range(5):
        await asyncio.sleep(0)
    begin = time.perf_counter()
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert time.perf_counter() - begin < 0.05
    assert len(engine.calls) == 1


def test_equal_quotas_share_a_bucket(tmp_path: Path) -> None:
    """One bucket for each quota, its state under the quota's name."""
    buckets: Callable[[Quota], object] = Buckets(str(tmp_path))
    assert buckets(Quota("a", 10)) is buckets(Quota("a", 10))
    assert buckets(Quota("a", 10)) is not buckets(Quota("b", 10))
