"""Cloud calls against one loopback server: lineread beside the official SDK and requests.

Two comparisons count. As shipped: whatever transport lineread chooses, and everything is stored in the cache, which
the SDK has none of. Like for like: the answer names a file that is fetched then, and nothing is stored. What lies
between the two, as shipped but without the cache, tells the cost of storing from that of the transport.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from measure import Case, Row, Scale, in_turns
from processes import HERE, Worker, environment, scratch

REACH_SEQUENTIAL = 0.5
REACH_PARALLEL = 0.33
AS_SHIPPED = "as shipped"
LIKE_FOR_LIKE = "call + download, no cache"
_SDK = "SDK + requests"


def sequential(scale: Scale) -> Iterator[Row]:
    calls = 10 if scale.quick else 40
    for variant, ours, theirs in _in_turns(scale.rounds, calls=calls):
        per_call = ([each / calls for each in ours], f"{_SDK}, one by one", [each / calls for each in theirs])
        yield Row(f"cloud call, one by one: {variant}", *per_call, _reach(variant, REACH_SEQUENTIAL))


def parallel(scale: Scale) -> Iterator[Row]:
    calls = 100 if scale.quick else 1000
    for variant, ours, theirs in _in_turns(scale.rounds, calls=calls, at_once=64):
        measure = f"{calls:,} cloud calls, 64 at once: {variant}"
        yield Row(measure, ours, f"{_SDK}, 64 threads", theirs, _reach(variant, REACH_PARALLEL))


def _in_turns(rounds: int, **work: int) -> Iterator[tuple[str, list[float], list[float]]]:
    """Each of our variants with its samples and the SDK's."""
    home = scratch()
    with _server(home) as base_url, ExitStack() as stack:

        def worker(side: str, **settings: object) -> Worker:
            return stack.enter_context(Worker(f"sides.cloud:{side}", home, base_url=base_url, **work, **settings))

        sides = {
            AS_SHIPPED: worker("Lineread", cache_dir=str(home / "cache")),
            "as shipped, no cache": worker("Lineread"),
            LIKE_FOR_LIKE: worker("Lineread", transport="url"),
            _SDK: worker("Sdk"),
        }
        taken = dict(zip(sides, in_turns([side.seconds for side in sides.values()], rounds), strict=True))
    theirs = taken.pop(_SDK)
    for variant, ours in taken.items():
        yield variant, ours, theirs


def _reach(variant: str, reach: float) -> float | None:
    return reach if variant in (AS_SHIPPED, LIKE_FOR_LIKE) else None


@contextmanager
def _server(home: Path) -> Iterator[str]:
    """The loopback server, in a process of its own; its base URL."""
    with subprocess.Popen(
        [sys.executable, HERE / "loopback.py"],
        env=environment(home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()


SEQUENTIAL = Case("cloud", sequential, rounds=15)
PARALLEL = Case("cloud-64", parallel, rounds=5, quick_rounds=1)
