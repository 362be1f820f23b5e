"""Peak memory of a process that streams a very long text with the fake engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from measure import Case, Row, Scale, in_turns
from processes import HERE, scratch, script_output

REACH = 1.1
SHORT = 10_000


def run(scale: Scale) -> Iterator[Row]:
    characters = 100_000 if scale.quick else 1_000_000
    home = scratch()
    sides: list[Callable[[], float]] = [
        partial(_peak, home, characters),
        partial(_peak, home, SHORT),
        partial(_peak_storing, home, characters),
        partial(_peak_storing, home, SHORT),
    ]
    long, short, long_stored, short_stored = in_turns(sides, scale.rounds, warm_ups=0)
    what, beside = f"peak memory, {characters:,} characters streamed", f"{SHORT:,} characters"
    yield Row(what, long, beside, short, REACH, unit="B")
    yield Row(f"{what}, cache on", long_stored, f"{beside}, cache on", short_stored, REACH, unit="B")


def _peak(home: Path, characters: int, *cache_dir: str) -> float:
    return float(script_output([str(HERE / "sides" / "memory.py"), str(characters), *cache_dir], home))


def _peak_storing(home: Path, characters: int) -> float:
    """With a cache, which is empty at first: what it answered would take less memory than what was spoken."""
    with TemporaryDirectory(dir=home) as cache_dir:
        return _peak(home, characters, cache_dir)


CASE = Case("memory", run, rounds=3, quick_rounds=1)
