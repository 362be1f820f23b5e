"""What bounds a key: its requests a minute, its share of the seats, its characters a day."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineread.errors import LimitReached, Overloaded
from lineread.server.access.ledger import Ledger
from lineread.server.access.limits import WINDOW, Pace, Seats

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def told_to_wait(pace: Pace, limit: int) -> float | None:
    """Make a request: the seconds to wait, or None where it is served."""
    try:
        pace.count("alice", limit)
    except LimitReached as error:
        return error.retry_after or 0.0
    return None


@given(limit=st.integers(1, 5), gaps=st.lists(st.integers(0, 40 * 1024), max_size=60))
def test_never_more_than_the_limit_in_any_window(limit: int, gaps: list[int]) -> None:
    """However requests come, no 60 seconds see more than the limit; who is refused and comes when told to is served."""
    clock = Clock()
    pace = Pace(clock=clock)
    served: list[float] = []
    for gap in gaps:
        clock.now += gap / 1024  # of such fractions floating point makes exact sums
        wait = told_to_wait(pace, limit)
        if wait is not None:
            assert sum(when > clock.now - WINDOW for when in served) >= limit  # none is refused that could be served
            assert 0 < wait <= WINDOW
            clock.now += wait
            pace.count("alice", limit)
        served.append(clock.now)
        assert sum(when > clock.now - WINDOW for when in served) <= limit
    pace.count("bob", 1)  # another key's count is its own


def test_a_lower_limit_holds_at_once() -> None:
    """Requests that were made under a higher limit count under the lower one that the file now says."""
    clock = Clock()
    pace = Pace(clock=clock)
    for _ in range(10):
        clock.now += 1
        pace.count("alice", 10)
    with pytest.raises(LimitReached, match="2 requests a minute") as caught:
        pace.count("alice", 2)
    assert caught.value.retry_after == WINDOW - 1


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=200), st.integers(1, 20))
def test_seats_never_exceed_their_number(moves: list[tuple[str, bool]], most: int) -> None:
    """Whatever comes and goes, no more seats are taken than there are, and each one that is left is free again."""
    seats = Seats(most, clock=Clock())
    held: dict[str, list[ExitStack]] = {}
    for name, comes in moves:
        if comes:
            stack = ExitStack()
            try:
                stack.enter_context(seats.take(name, shared=True))
            except Overloaded:
                assert seats.taken
            else:
                held.setdefault(name, []).append(stack)
        elif held.get(name):
            held[name].pop().close()
        assert seats.taken == sum(map(len, held.values())) <= most
    for stacks in held.values():
        for stack in stacks:
            stack.close()
    assert seats.taken == 0


def test_one_busy_key_does_not_starve_another() -> None:
    """A key that takes all it can leaves seats for one that has none; and once others wait, what it gives back is
    theirs until all have an equal share.
    """
    seats = Seats(16, clock=Clock())

    def crowd(name: str) -> list[ExitStack]:
        taken = []
        while True:
            stack = ExitStack()
            try:
                stack.enter_context(seats.take(name, shared=True))
            except Overloaded:
                return taken
            taken.append(stack)

    greedy = crowd("greedy")
    assert len(greedy) == 14
    modest = crowd("modest")
    assert modest
    for _ in range(14):  # as its requests end, both try for each seat, the greedy one first
        greedy.pop(0).close()
        greedy += crowd("greedy")
        modest += crowd("modest")
    assert len(modest) >= 6
    assert len(greedy) <= 8


def test_a_key_alone_has_all_seats() -> None:
    """Where there are no keys, or only one, no seat is kept free for others, and none too many is given."""
    seats = Seats(8, clock=Clock())
    with ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(seats.take("", shared=False))
        with pytest.raises(Overloaded), seats.take("", shared=False):
            pass
    assert seats.taken == 0


def test_a_days_characters(tmp_path: Path) -> None:
    """Up to the limit and not beyond; what was not spoken comes back; midnight UTC begins anew; keys are apart."""
    clock = Clock(NOON)
    ledger = Ledger(str(tmp_path / "ledger"), clock=clock)
    first = ledger.take("alice", 60, 100)
    with pytest.raises(LimitReached, match="60 were today, and the text has 41") as caught:
        ledger.take("alice", 41, 100)
    assert caught.value.retry_after == 12 * 3600
    ledger.settle(first, 59)
    ledger.take("alice", 41, 100)
    assert ledger.used("alice") == 100
    assert ledger.take("bob", 100, 100)
    with pytest.raises(LimitReached, match="Send less") as caught:
        Ledger(str(tmp_path / "other"), clock=clock).take("alice", 101, 100)
    assert caught.value.retry_after is None  # tomorrow will not do either

    clock.now += 12 * 3600
    ledger.settle(first, 0)  # work of yesterday that ends now gives nothing to today
    assert ledger.used("alice") == 0
    late = ledger.take("alice", 100, 100)
    ledger.settle(first, 0)
    assert ledger.used("alice") == 100
    ledger.settle(late, 100)
    assert ledger.used("alice") == 100


def test_a_restart_and_another_server_count_on(tmp_path: Path) -> None:
    """What one server counted another one knows at once, also when the first was killed; nothing is lost."""
    code = (
        "import os, signal, sys\n"
        "from lineread.server.access.ledger import Ledger\n"
        f"ledger = Ledger(sys.argv[1], clock=lambda: {NOON})\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "for _ in range(4000): ledger.take('alice', 1, 10_000)\n"
        "print('counted', flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ledger = Ledger(str(tmp_path), clock=lambda: NOON)
    ledger.take("alice", 7, 10_000)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    children = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], **pipes) for _ in range(2)]
    for child in children:
        assert child.stdout.readline() == b"ready\n"
    for child in children:
        child.stdin.write(b"go\n")
        child.stdin.flush()
    for child in children:
        output, _ = child.communicate(timeout=60)
        assert output == b"counted\n"
        assert child.returncode == -signal.SIGKILL
    assert ledger.used("alice") == 8007
    assert oct((tmp_path / "key-alice").stat().st_mode & 0o777) == "0o600"


def test_without_a_usable_file_the_limit_still_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes nothing makes nobody's day longer, and what was counted meanwhile is written down later."""
    ledger = Ledger(str(tmp_path), clock=lambda: NOON)
    ledger.take("alice", 10, 100)

    def broken(*_: object) -> int:
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr("lineread.server.access.ledger.os.open", broken)
        entry = ledger.take("alice", 80, 100)
        with pytest.raises(LimitReached):
            ledger.take("alice", 20, 100)
        ledger.settle(entry, 50)
    ledger.take("alice", 1, 100)
    assert Ledger(str(tmp_path), clock=lambda: NOON).used("alice") == 61


@pytest.mark.parametrize("content", [b"", b"nonsense\n", b"2999-01-01 000000000000500\n", os.urandom(100)])
def test_a_damaged_file_counts_as_none(content: bytes, tmp_path: Path) -> None:
    """What is no count of today, also one from a clock that was wrong, does not block a key nor lift its limit."""
    (tmp_path / "key-alice").write_bytes(content)
    ledger = Ledger(str(tmp_path), clock=lambda: NOON)
    ledger.take("alice", 60, 100)
    with pytest.raises(LimitReached):
        ledger.take("alice", 60, 100)


def test_a_key_may_be_called_as_no_file_may(tmp_path: Path) -> None:
    """A key's name that some system keeps for a device is not the whole of a file's name."""
    Ledger(str(tmp_path / "ledger")).take("nul", 1, 10)
    assert [path.name for path in (tmp_path / "ledger").iterdir()] == ["key-nul"]
