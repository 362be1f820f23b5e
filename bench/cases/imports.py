"""`import lineread` beside `import dashscope`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from measure import Case, Row, Scale, in_turns
from processes import scratch, script_output, timed

REACH = 0.10
_CUMULATIVE = re.compile(r"import time: +\d+ \| +(\d+) \| (\S+)")


def run(scale: Scale) -> Iterator[Row]:
    """Whole processes, interpreter included, which weighs on the lighter side; then the imports alone."""
    home = scratch()
    ours, theirs, all_ours = in_turns(
        [
            partial(timed, [sys.executable, "-c", "import lineread"], home),
            partial(timed, [sys.executable, "-c", "import dashscope"], home),
            partial(timed, [sys.executable, "-c", "from lineread import tts"], home),
        ],
        scale.rounds,
    )
    net_ours, net_theirs = in_turns([partial(_net, "lineread", home), partial(_net, "dashscope", home)], scale.rounds)
    yield Row("`import lineread`, whole process", ours, "`import dashscope`, whole process", theirs, REACH)
    yield Row("`import lineread` alone (-X importtime)", net_ours, "`import dashscope` alone", net_theirs, REACH)
    yield Row("`from lineread import tts`, whole process", all_ours, "`import dashscope`, whole process", theirs)


def _net(package: str, home: Path) -> float:
    """Seconds that the import of a package takes, with all that it imports, as Python itself counts them."""
    report = script_output(["-X", "importtime", "-c", f"import {package}"], home)
    return next(int(took) / 1e6 for took, name in _CUMULATIVE.findall(report) if name == package)


CASE = Case("import", run, rounds=15)
