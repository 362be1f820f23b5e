"""Live sessions: how soon they sound, how soon they are silent, and how many are fed in real time."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import servers
from measure import Case, Row, Scale, in_turns
from processes import Worker, scratch
from sides.live import p95

#: Seconds from the first clause to its sound, and from a cancel to the silence.
MOST_FIRST = 0.06
MOST_CANCEL = 0.05
#: Seconds within which 95 of 100 listeners of a crowd hear the first sound.
MOST_FIRST_IN_CROWD = 0.3
#: Of the sessions that the voice's own speed allows, so many have to be fed.
REACH_CROWD = 0.7
_SHARES = (0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.5, 0.4, 0.3, 0.2)


def first(scale: Scale) -> Iterator[Row]:
    """The first sound of a session, and its silence."""
    calls = 3 if scale.quick else 10
    home = scratch()
    with (
        servers.lineread(home, "-e", "builtin", "--no-cache") as server,
        Worker("sides.live:Session", home, calls=calls) as here,
        Worker("sides.live:Session", home, calls=calls, url=server.url) as there,
        Worker("sides.live:Sdk", home, calls=calls, url=server.url) as sdk,
    ):
        own, remote, official = in_turns([here.measure, there.measure, sdk.measure], scale.rounds)
    local, socket, peer = (list(map(_first, samples)) for samples in (own, remote, official))
    yield Row("live: first clause to first sound, in process", local, "60 ms", [MOST_FIRST] * len(local), 1.0)
    yield Row("live: first clause to first sound, WebSocket", socket, "official SDK, same server", peer)
    silent, far = (list(map(_cancel, samples)) for samples in (own, remote))
    yield Row("live: cancel to silence, in process", silent, "50 ms", [MOST_CANCEL] * len(silent), 1.0)
    yield Row("live: cancel to silence, WebSocket", far, "50 ms", [MOST_CANCEL] * len(far), 1.0)


def crowd(scale: Scale) -> Iterator[Row]:
    """Sessions that are fed in real time, beside as many as the voice's speed would allow."""
    seconds = 5.0 if scale.quick else 15.0
    limits, held = [], []
    for _ in range(scale.rounds):
        home = scratch()
        with Worker("sides.voice:Lineread", home) as alone:
            alone.measure()
            limits.append(statistics.median(map(_speed, (alone.measure() for _ in range(3)))))
        with servers.lineread(home, "-e", "builtin", "--no-cache", "--max-sessions", "4096") as server:
            held.append(_held(server.url, limits[-1], seconds, home))
    allowed = "sessions that the voice's speed allows"
    yield Row(allowed, limits, "sessions held, every listener fed in real time", held, 1 / REACH_CROWD, unit="")


def _held(url: str, limit: float, seconds: float, home: Path) -> float:
    """The most sessions, of some shares of the limit, at which nobody waits."""
    for share in _SHARES:
        sessions = max(1, round(limit * share))
        with Worker("sides.live:Crowd", home, url=url, sessions=sessions, seconds=seconds) as listeners:
            sample = listeners.measure()
        if not sample["failed"] and not sample["underruns"] and p95(sample) <= MOST_FIRST_IN_CROWD:
            return float(sessions)
    return 1.0


def _speed(sample: dict[str, Any]) -> float:
    """Seconds of sound that the voice makes in a second, on all cores."""
    return float(sample["audio"]) / float(sample["seconds"])


def _first(sample: dict[str, Any]) -> float:
    return statistics.median(sample["first"])


def _cancel(sample: dict[str, Any]) -> float:
    return statistics.median(sample["cancel"])


FIRST = Case("live-first", first, rounds=7)
CROWD = Case("live-crowd", crowd, rounds=1, quick_rounds=1)
