"""A thousand stored segments read through the cache, beside the same bytes from plain files."""

from __future__ import annotations

from collections.abc import Iterator

from measure import Case, Row, Scale, in_turns
from processes import Worker, scratch

REACH = 2.0
SEGMENTS = 1000
#: A sentence of the built-in voice, and a cloud segment of some 100 characters.
LENGTHS = (2.5, 7.0)


def run(scale: Scale) -> Iterator[Row]:
    for seconds in LENGTHS:
        home = scratch()
        with Worker("sides.store:Reader", home, root=str(home), segments=SEGMENTS, seconds=seconds) as reader:
            (rounds,) = in_turns([reader.measure], scale.rounds)
        cached, plain = ([each[name] for each in rounds] for name in ("cache", "plain"))
        yield Row(
            f"{SEGMENTS:,} cached segments of {seconds} s read", cached, "the same bytes, plain files", plain, REACH
        )


CASE = Case("cache", run, rounds=15)
