"""Threads that do what is wanted soonest first."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineread.engines.crew import Crew


@given(st.lists(st.floats(0, 10), max_size=20))
@settings(max_examples=50)
def test_what_is_wanted_soonest_is_done_first(dues: list[float]) -> None:
    """Of all work that waits, the most urgent is taken; of equals, the first that came."""
    crew = Crew(1)
    gate, done = threading.Event(), []
    crew.submit(0.0, gate.wait)
    futures = [crew.submit(due, lambda place=place: done.append(place)) for place, due in enumerate(dues)]
    gate.set()
    for future in futures:
        future.result(10)
    assert done == sorted(range(len(dues)), key=lambda place: dues[place])
    crew.close()


def test_results_and_errors_reach_whoever_waits() -> None:
    """What the work gives or raises is what its future does."""
    crew = Crew(2)
    assert crew.submit(0.0, lambda: 42).result(10) == 42
    with pytest.raises(ZeroDivisionError):
        crew.submit(0.0, lambda: 1 / 0).result(10)
    crew.close()


def test_what_nobody_waits_for_is_not_done() -> None:
    """Cancelled work is passed over; closing cancels what waits and lets what runs end."""
    crew = Crew(1)
    gate, begun, done = threading.Event(), threading.Event(), []

    def work() -> bool:
        begun.set()
        return gate.wait(10)

    running = crew.submit(0.0, work)
    assert begun.wait(10)
    given_up = crew.submit(1.0, lambda: done.append("given up"))
    given_up.cancel()
    waiting = crew.submit(2.0, lambda: done.append("waiting"))
    crew.close()
    gate.set()
    assert running.result(10)
    with pytest.raises(CancelledError):
        waiting.result(10)
    with pytest.raises(RuntimeError):
        crew.submit(0.0, gate.set)
    assert done == []
