"""3,000 characters by the built-in voice, everything warm: the first sound, and all of it."""

from __future__ import annotations

from collections.abc import Iterator

from measure import Case, Row, Scale, in_turns
from processes import Worker, scratch

REACH_FIRST = 0.03
REACH_ALL = 0.65


def run(scale: Scale) -> Iterator[Row]:
    home = scratch()
    with Worker("sides.voice:Lineread", home) as lineread, Worker("sides.voice:Hibari", home) as hibari:
        ours, theirs = in_turns([lineread.measure, hibari.measure], scale.rounds)
    first, whole = ([each[name] for each in ours] for name in ("first", "seconds"))
    alone = [each["seconds"] for each in theirs]
    yield Row("3,000 characters, built-in: first audio", first, "all of it", whole, REACH_FIRST)
    yield Row("3,000 characters, built-in, all cores", whole, "`hibari` library, one process", alone, REACH_ALL)
    pace = ([each["seconds"] / each["audio"] for each in samples] for samples in (ours, theirs))
    yield Row("the same, for a second of audio", next(pace), "`hibari` library, one process", next(pace))


CASE = Case("voice", run, rounds=7)
