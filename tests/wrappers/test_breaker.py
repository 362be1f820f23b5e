"""The circuit breaker: what opens it, what that spares, and how the engine gets its turn again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from lineread.engines.base import Quota
from lineread.engines.fake import Act, Fake
from lineread.errors import (
    EngineError,
    NoAudio,
    OverBudget,
    Refused,
    ServiceFailed,
    Throttled,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from lineread.speech import Chunk, Request, Segment
from lineread.wrappers.breaker import LONGEST, OPEN_FOR, CircuitBreaker
from lineread.wrappers.limited import Limited, TokenBucket

SEGMENT = Segment(Request("Hello there, friend.", "Cherry"), 0, 0, 20)
DEAD = Act(error=Unreachable("Nobody there.", remedy="Look.", retryable=True))


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Host:
    """One engine with retries and without, each counting its calls, behind a breaker."""

    def __init__(self, act: Act) -> None:
        self.patient, self.once = Fake(), Fake()
        self.clock = Clock()
        self.breaker = CircuitBreaker(self.patient, self.once, clock=self.clock)
        self.acts(act)

    @property
    def calls(self) -> tuple[int, int]:
        return len(self.patient.calls), len(self.once.calls)

    def acts(self, act: Act) -> None:
        self.patient._otherwise = self.once._otherwise = act

    async def speaks(self) -> int:
        return len([chunk async for chunk in self.breaker.stream(SEGMENT)])

    async def fails(self) -> EngineError:
        with pytest.raises(EngineError) as caught:
            await self.speaks()
        return caught.value


@pytest.mark.parametrize(
    ("kind", "opens_after"),
    [(Unreachable, 1), (TimedOut, 1), (ServiceFailed, 2), (Throttled, None), (Refused, None), (NoAudio, None)],
)
async def test_what_opens_it(kind: type[EngineError], opens_after: int | None) -> None:
    """A silent engine is left alone after one segment, a broken one after two in a row, one that answers never."""
    host = Host(Act(error=kind("Broken.")))
    for segment in range(1, 5):
        assert type(await host.fails()) is kind
        assert host.calls == (segment if opens_after is None else min(segment, opens_after), 0)


async def test_what_is_said_while_it_is_open() -> None:
    """Each segment gets the error that opened it, and one of its own, since whoever gets it may add to it."""
    host = Host(DEAD)
    first, second, third = [await host.fails() for _ in range(3)]
    assert [(str(error), error.retryable) for error in (second, third)] == [(str(first), True)] * 2
    assert len({id(error) for error in (first, second, third)}) == 3


async def test_a_success_between_forgives() -> None:
    """Failures of the service count only while nothing goes well between them."""
    host = Host(Act(error=ServiceFailed("x")))
    await host.fails()
    host.acts(Act())
    await host.speaks()
    host.acts(Act(error=ServiceFailed("x")))
    await host.fails()
    host.acts(Act())
    await host.speaks()
    assert host.calls == (4, 0)


async def test_one_probe_without_retries() -> None:
    """After its time, and not before, one segment is tried once; its first sound lets all others through."""
    host = Host(DEAD)
    await host.fails()
    host.acts(Act(chunks=3))
    host.clock.now += OPEN_FOR - 0.1
    await host.fails()
    assert host.calls == (1, 0)
    host.clock.now += 0.1
    async with aclosing(host.breaker.stream(SEGMENT)) as probe:
        await anext(probe)
        assert await host.speaks() == 3
    assert host.calls == (2, 1)


async def test_nobody_beside_the_probe() -> None:
    """While the probe has no answer, all others still fail at once."""
    host = Host(DEAD)
    await host.fails()
    host.clock.now += OPEN_FOR
    beside: list[EngineError] = []

    class Slow(Fake):
        async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
            beside.append(await host.fails())
            async for chunk in super().stream(segment):
                yield chunk

    host.breaker._probe = Slow()
    assert await host.speaks() == 1
    assert [type(error) for error in beside] == [Unreachable]


async def test_a_failed_probe_waits_longer_and_never_for_ever() -> None:
    """Each probe in vain doubles the time to the next one, up to the longest."""
    host = Host(DEAD)
    await host.fails()
    period = OPEN_FOR
    for probes in range(6):
        host.clock.now += period - 0.1
        await host.fails()
        assert host.calls == (1, probes)
        host.clock.now += 0.1
        await host.fails()
        assert host.calls == (1, probes + 1)
        period = min(2 * period, LONGEST)
    assert period == LONGEST


@pytest.mark.parametrize("answer", [Throttled("Later."), Unauthorized("No."), Refused("Not this.")])
async def test_any_answer_closes_it(answer: EngineError) -> None:
    """A probe that is answered with an error of its own shows that the engine is there, and all starts anew."""
    host = Host(DEAD)
    await host.fails()
    host.clock.now += OPEN_FOR
    host.acts(Act(error=answer))
    assert await host.fails() is answer
    host.acts(DEAD)
    await host.fails()
    assert host.calls == (2, 1)
    host.clock.now += OPEN_FOR
    host.acts(Act())
    assert await host.speaks() == 1


async def test_who_was_under_way_prolongs_nothing() -> None:
    """Segments that began before it opened may fail later; the time to the probe counts from the first failure."""
    host = Host(DEAD)
    gate = asyncio.Event()

    class Held(Fake):
        async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
            await gate.wait()
            async for chunk in super().stream(segment):
                yield chunk

    host.breaker.inner = Held(otherwise=DEAD)
    under_way = asyncio.create_task(host.fails())
    await asyncio.sleep(0)
    host.breaker.inner = host.patient
    await host.fails()
    host.clock.now += OPEN_FOR
    gate.set()
    await under_way
    host.acts(Act())
    assert await host.speaks() == 1
    assert host.calls == (1, 1)


@pytest.mark.parametrize(("kind", "probes"), [(ServiceFailed, 0), (TimedOut, 1)])
async def test_a_probe_that_fails_after_it_was_closed(kind: type[EngineError], probes: int) -> None:
    """What was under way has shown that the engine is there: the probe is one more segment, and doubles nothing."""
    host = Host(DEAD)
    gates = [asyncio.Event(), asyncio.Event()]

    class Held(Fake):
        def __init__(self, gate: asyncio.Event, act: Act) -> None:
            super().__init__(otherwise=act)
            self.gate = gate

        async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
            await self.gate.wait()
            async for chunk in super().stream(segment):
                yield chunk

    host.breaker.inner = Held(gates[0], Act())
    under_way = asyncio.create_task(host.speaks())
    await asyncio.sleep(0)
    host.breaker.inner = host.patient
    await host.fails()
    host.clock.now += OPEN_FOR
    host.breaker._probe = Held(gates[1], Act(error=kind("x")))
    probe = asyncio.create_task(host.fails())
    await asyncio.sleep(0)
    host.breaker._probe = host.once
    gates[0].set()
    assert await under_way == 1
    gates[1].set()
    assert type(await probe) is kind
    host.acts(Act())
    host.clock.now += OPEN_FOR
    assert await host.speaks() == 1
    assert host.calls == (2 - probes, probes)


async def test_a_probe_that_is_left_decides_nothing() -> None:
    """A probe that ends without an answer leaves its place to the next segment."""
    host = Host(DEAD)
    await host.fails()
    host.clock.now += OPEN_FOR
    host.acts(Act(error=RuntimeError("cut off")))
    for probes in (1, 2):
        with pytest.raises(RuntimeError):
            await host.speaks()
        assert host.calls == (1, probes)


async def test_what_never_got_to_the_engine_decides_nothing() -> None:
    """A probe that its limit of calls, or a budget, kept back neither closes the circuit nor opens it for longer; and
    before it is open, it is no sign of life that would forgive a failure.
    """

    class NoRoom:
        wait = 0.0

        async def acquire(self) -> None:
            await TokenBucket(None, per_minute=1, patience=-1.0).acquire()

    class Counted(Fake):
        def quota(self, request: Request) -> Quota:
            return Quota("account", 60)

    host = Host(Act(error=ServiceFailed("x")))
    reached = host.patient
    kept_back = Limited(Counted(), lambda _: NoRoom())
    await host.fails()
    host.breaker.inner = kept_back
    assert isinstance(await host.fails(), Throttled)
    host.breaker.inner = reached
    await host.fails()
    assert isinstance(host.breaker._failure, ServiceFailed)

    host.clock.now += OPEN_FOR
    for probe in (kept_back, Fake(otherwise=Act(error=OverBudget("No money.")))):
        host.breaker._probe = probe
        with pytest.raises((Throttled, OverBudget)):
            await host.speaks()
    host.breaker._probe = host.once
    assert host.calls == (2, 0)
    await host.fails()
    assert host.calls == (2, 1)


async def test_a_failure_after_sound_is_no_strike() -> None:
    """What breaks in the middle had answered: the error comes out, and the next segment is tried in full."""
    host = Host(Act(chunks=3, after=1, error=Unreachable("Dropped.")))
    for segment in (1, 2):
        await host.fails()
        assert host.calls == (segment, 0)
