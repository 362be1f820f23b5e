"""What a measurement is: samples taken in turns, compared pair by pair.

The machine may be shared and noisy. Sides are therefore measured in turns (A B A B ...), so that whatever disturbs
them hits all alike, and the figure that counts is the median of the ratios of neighbours, not a ratio of medians.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from machine import Others

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured.

    Attributes:
        rounds: Times that each side is measured.
        quick: Whether this is only to see that everything runs: cases then also make each sample smaller.
    """

    rounds: int
    quick: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: our samples beside a peer's.

    Attributes:
        measure: What was done on our side.
        ours: Our samples.
        peer: What was done on the other side.
        theirs: Its samples; each was taken right beside ours of the same index.
        reach: The most that the ratio may be; None for a figure that only informs.
        unit: ``s``, ``B``, or nothing for a count.
    """

    measure: str
    ours: Sequence[float]
    peer: str
    theirs: Sequence[float]
    reach: float | None = None
    unit: str = "s"

    @property
    def ratios(self) -> list[float]:
        """Ours divided by theirs, pair by pair."""
        return [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the ratios."""
        return statistics.median(self.ratios)

    @property
    def met(self) -> bool | None:
        """Whether the reach is met; None where there is none."""
        return None if self.reach is None else self.ratio <= self.reach


@dataclass(frozen=True, slots=True)
class Case:
    """A group of rows that are measured in the same turns.

    Attributes:
        name: What ``--only`` calls it.
        run: Measures it.
        rounds: Rounds of a full run.
        quick_rounds: Rounds of a quick one.
    """

    name: str
    run: Callable[[Scale], Iterable[Row]]
    rounds: int
    quick_rounds: int = 2


@dataclass(slots=True)
class Outcome:
    """What became of a case.

    Attributes:
        case: Its name.
        rows: What it measured.
        others: The part of the machine's processor time that other programs took meanwhile; None if unknown.
        error: Why it could not be measured.
    """

    case: str
    rows: list[Row] = field(default_factory=list)
    others: float | None = None
    error: str = ""


def in_turns(sides: Sequence[Callable[[], T]], rounds: int, *, warm_ups: int = 1) -> list[list[T]]:
    """Measure each side once a round, one after the other; the samples of each side.

    The first rounds warm up (byte code, page cache, connections, loaded voices) and are thrown away.
    """
    taken = [[side() for side in sides] for _ in range(warm_ups + rounds)]
    return [list(samples) for samples in zip(*taken[warm_ups:], strict=True)]


def measured(case: Case, scale: Scale) -> Outcome:
    """Run one case. Its failure does not end the bench."""
    others = Others()
    outcome = Outcome(case.name)
    try:
        outcome.rows = list(case.run(scale))
    except Exception as error:  # noqa: BLE001 - one broken side must not hide the other measures
        outcome.error = f"{type(error).__name__}: {error}"
    outcome.others = others.share()
    return outcome
