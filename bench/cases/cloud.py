"""Cloud calls against one loopback server: lineread beside the official SDK and requests.

lineread asks for events and so gets the audio with the answer; the SDK's answer names a file that is fetched then.
As shipped (events, everything stored in the cache) is what counts. The same work as the peer's, call and download,
counts as well; without the cache is there to show what storing costs.
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
            "as shipped": worker("Lineread", cache_dir=str(home / "shipped")),
            "call + download": worker("Lineread", cache_dir=str(home / "download"), transport="url"),
            "without the cache": worker("Lineread"),
            _SDK: worker("Sdk"),
        }
        taken = dict(zip(sides, in_turns([side.seconds for side in sides.values()], rounds), strict=True))
    theirs = taken.pop(_SDK)
    for variant, ours in taken.items():
        yield variant, ours, theirs


def _reach(variant: str, reach: float) -> float | None:
    return None if variant == "without the cache" else reach


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
