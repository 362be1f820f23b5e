"""Retries: which failures are tried again, how long the waits are, when it ends, and what stays untouched."""

from __future__ import annotations

import asyncio
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineread.engines.fake import Act, Fake
from lineread.errors import (
    BadReply,
    EngineError,
    NoAudio,
    QuotaExceeded,
    Refused,
    ServiceFailed,
    Throttled,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from lineread.speech import Chunk, Request, Segment
from lineread.wrappers.retrying import Retrying, RetryPolicy

SEGMENT = Segment(Request("Hello there.", "Cherry"), 0, 0, 12)


class Chance(random.Random):
    """Always the most, or the least, that chance allows."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self._share = share

    def uniform(self, a: float, b: float) -> float:
        return a + (b - a) * self._share


class Trial:
    """A call with its waits written down; time passes only by waiting and by ``slowness`` for each call."""

    def __init__(
        self, engine: Fake, *, share: float = 1.0, policy: RetryPolicy | None = None, slowness: float = 0.0
    ) -> None:
        self.now = 1000.0
        self.waits: list[float] = []
        self.told: list[tuple[int, float, EngineError]] = []
        self.engine = engine
        self._slowness = slowness
        self.retrying = Retrying(
            engine,
            policy=policy,
            on_retry=lambda *facts: self.told.append(facts),
            rng=Chance(share),
            sleep=self.sleep,
            clock=lambda: self.now + self._slowness * len(engine.calls),
        )

    async def sleep(self, seconds: float) -> None:
        self.waits.append(round(seconds, 6))
        self.now += seconds

    async def run(self) -> list[Chunk]:
        return [chunk async for chunk in self.retrying.stream(SEGMENT)]

    async def fail(self) -> EngineError:
        with pytest.raises(EngineError) as caught:
            await self.run()
        return caught.value


def throttled(kind: str, retry_after: float | None = None) -> Throttled:
    return Throttled("Too fast.", kind=kind, retryable=True, retry_after=retry_after)


FAILURE = ServiceFailed("It broke.", retryable=True)


@pytest.mark.parametrize(
    ("errors", "least", "most"),
    [
        ([FAILURE] * 4, [0, 0, 0, 0], [0.5, 1, 2, 4]),
        ([Unreachable("x", retryable=True), TimedOut("x", retryable=True)], [0, 0], [0.5, 1]),
        ([throttled("capacity")] * 2, [0, 0], [0.5, 1]),
        ([throttled("rate")] * 4, [1, 2, 4, 8], [1.5, 3, 6, 12]),
        ([throttled("burst")] * 4, [2, 4, 8, 16], [2.5, 5, 10, 20]),
        ([throttled("quota")] * 2, [15, 20], [15.5, 21]),
        ([throttled("rate", retry_after=7), throttled("rate", retry_after=0.1)], [7, 2], [7, 3]),
        ([ServiceFailed("x", retryable=True, retry_after=90)], [90], [90]),
    ],
)
async def test_waits_follow_the_kind_of_failure(
    errors: list[EngineError], least: list[float], most: list[float]
) -> None:
    """Waits double from call to call, chance only adds within bounds, and the service's own wish is honoured."""
    for share, expected in ((0.0, least), (1.0, most)):
        trial = Trial(Fake([*errors]), share=share)
        chunks = await trial.run()
        assert trial.waits == expected
        assert len(trial.engine.calls) == len(errors) + 1
        assert chunks[-1].facts is not None
        assert [(attempt, round(delay, 6), error) for attempt, delay, error in trial.told] == [
            (number, wait, error) for number, (wait, error) in enumerate(zip(expected, errors, strict=True), 1)
        ]


@pytest.mark.parametrize(
    ("error", "calls", "waited"),
    [
        (ServiceFailed("It broke.", retryable=True), 5, 7.5),
        (throttled("rate"), 5, 22.5),
        (throttled("quota"), 3, 36.5),
        (throttled("burst"), 5, 37.5),
    ],
)
async def test_it_gives_up_and_says_what_it_tried(error: EngineError, calls: int, waited: float) -> None:
    """After the last call the same error comes out, and its message tells how many calls there were and how long."""
    message = error.message.removesuffix(".")
    trial = Trial(Fake([error] * 9))
    raised = await trial.fail()
    assert raised is error
    assert raised.message == f"{message} (after {calls} attempts in {waited:.0f} s)."
    assert raised.args == (raised.message,)
    assert len(trial.engine.calls) == calls
    assert sum(trial.waits) == waited


@pytest.mark.parametrize(
    "kind", [Unauthorized, Refused, QuotaExceeded, BadReply, NoAudio, ServiceFailed, Unreachable, Throttled]
)
async def test_what_will_not_change_is_not_tried_again(kind: type[EngineError]) -> None:
    """An error that is not retryable comes out at once, unchanged, whatever its class."""
    error = kind("As it was.")
    trial = Trial(Fake([error]))
    assert await trial.fail() is error
    assert (error.message, trial.waits, len(trial.engine.calls)) == ("As it was.", [], 1)


async def test_what_was_heard_is_not_spoken_again() -> None:
    """After the first chunk of a segment no failure leads to another call; before it any does."""
    trial = Trial(Fake([Act(error=FAILURE), Act(chunks=3, after=1, error=ServiceFailed("x", retryable=True))]))
    stream = trial.retrying.stream(SEGMENT)
    await anext(stream)
    with pytest.raises(ServiceFailed):
        await anext(stream)
    assert (len(trial.engine.calls), len(trial.waits)) == (2, 1)


@given(
    kinds=st.lists(st.sampled_from(["rate", "burst", "quota", "capacity", "failed"]), min_size=9, max_size=9),
    wishes=st.lists(st.none() | st.floats(0, 300), min_size=9, max_size=9),
    deadline=st.floats(0, 200),
    slowness=st.floats(0, 60),
    share=st.floats(0, 1),
)
def test_no_call_begins_after_the_deadline(
    kinds: list[str], wishes: list[float | None], deadline: float, slowness: float, share: float
) -> None:
    """Whatever fails and whatever the service wishes: no wait leads past the deadline, and none is begun in vain."""
    errors = [throttled(kind, wish) for kind, wish in zip(kinds, wishes, strict=True)]
    trial = Trial(Fake(errors), share=share, policy=RetryPolicy(attempts=8, deadline=deadline), slowness=slowness)
    asyncio.run(trial.fail())
    calls = len(trial.engine.calls)
    assert len(trial.waits) == calls - 1 < 8
    assert sum(trial.waits) + slowness * (calls - 1) <= deadline + 1e-3 or calls == 1


async def test_cancelling_ends_a_wait_at_once() -> None:
    """A wait of seconds does not outlive its cancellation by 50 ms."""
    waiting = asyncio.Event()
    retrying = Retrying(Fake([throttled("quota")]), on_retry=lambda *_: waiting.set())
    task = asyncio.create_task(anext(retrying.stream(SEGMENT)))
    await waiting.wait()
    await asyncio.sleep(0)
    begin = time.perf_counter()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert time.perf_counter() - begin < 0.05


async def test_leaving_early_stops_the_engine() -> None:
    """Closing the stream closes the engine's own."""
    engine = Fake(otherwise=Act(chunks=5))
    stream = Retrying(engine).stream(SEGMENT)
    await anext(stream)
    assert engine.running == 1
    await stream.aclose()
    assert engine.running == 0
