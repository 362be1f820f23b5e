"""What the bench says: the table, the line below it, and the JSON file."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from machine import machine, versions
from measure import Outcome, Row

_HEADS = ("measure", "ours", "beside", "theirs", "n", "ratio (least..most), reach")


def table(outcomes: Sequence[Outcome]) -> str:
    """All rows as one Markdown table; figures are medians, ratios medians of pairs."""
    lines = [list(_HEADS)]
    for outcome in outcomes:
        lines += [_cells(row) for row in outcome.rows]
        if outcome.error:
            lines.append([outcome.case, "", "", "", "0", "FAILED, see below"])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    failures = [f"\n{outcome.case}: {outcome.error}" for outcome in outcomes if outcome.error]
    return "\n".join([*(f"| {' | '.join(map(str.ljust, line, widths))} |" for line in lines), *failures])


def record(outcomes: Iterable[Outcome], began: datetime) -> dict[str, Any]:
    """Everything, raw samples included, JSON-ready."""
    return {
        "began": began.isoformat(timespec="seconds"),
        "ended": datetime.now(began.tzinfo).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "cases": [
            {
                "case": outcome.case,
                "error": outcome.error,
                "others": outcome.others,
                "rows": list(map(_row_record, outcome.rows)),
            }
            for outcome in outcomes
        ],
    }


def circumstances(facts: Mapping[str, Any]) -> str:
    """What a reader of the table has to know about the run."""
    here = facts["machine"]
    installed = ", ".join(f"{name} {version}" for name, version in facts["versions"].items() if version)
    shares = ", ".join(f"{case['case']} {case['others']:.0%}" for case in facts["cases"] if case["others"] is not None)
    lines = [f"{here['cores']} cores of {here['processor']}, {here['python']}; {installed}"]
    if shares:
        lines.append(f"Of the machine's processor time, other programs took: {shares}")
    return "\n".join(lines)


def write(facts: Mapping[str, Any], directory: Path, name: str) -> Path:
    """Write the JSON file and return its path."""
    directory.mkdir(exist_ok=True)
    path = directory / f"{name}.json"
    path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return path


def _cells(row: Row) -> list[str]:
    ours, theirs = (_figure(statistics.median(samples), row.unit) for samples in (row.ours, row.theirs))
    return [row.measure, ours, row.peer, theirs, str(len(row.ours)), _verdict(row)]


def _verdict(row: Row) -> str:
    ratios = row.ratios
    ratio = f"{row.ratio:.3f} ({min(ratios):.3f}..{max(ratios):.3f})"
    return ratio if row.reach is None else f"{ratio} <= {row.reach:g} {'met' if row.met else 'MISSED'}"


def _figure(value: float, unit: str) -> str:
    if unit == "B":
        return f"{value / 1e6:.1f} MB"
    if not unit:
        return f"{value:.0f}"
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.3g} ms"


def _row_record(row: Row) -> dict[str, Any]:
    return {
        "measure": row.measure,
        "peer": row.peer,
        "unit": row.unit,
        "n": len(row.ours),
        "ours": _rounded(row.ours),
        "theirs": _rounded(row.theirs),
        "ratio": {"median": row.ratio, "least": min(row.ratios), "most": max(row.ratios)},
        "reach": row.reach,
        "met": row.met,
    }


def _rounded(samples: Sequence[float]) -> list[float]:
    return [float(f"{sample:.6g}") for sample in samples]
