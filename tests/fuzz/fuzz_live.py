"""Live sessions over a line that fails at random: `python fuzz_live.py [seconds] [seed]`.

The invariant is that of ``tests/live/test_faults.py``: each session ends with all of its words, each heard once, or in
an error that says which were heard. Waits and deadlines are others each time. A seed is a block of a thousand cases.

Prints the cases and stops with a status of 1 where that does not hold.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from live import proxy, test_faults

#: Cases at a time, of a block.
CASES = 200


def vary(rng: random.Random, patch: pytest.MonkeyPatch) -> None:
    """Choose waits, and how many sessions there are at once."""
    test_faults.hasten(patch)
    lead = rng.choice((0.02, 0.1, 0.3))
    patch.setattr("lineread.wire.realtime.caller.LEAD", lead)
    patch.setattr("lineread.engines.dashscope.link.LEAD", lead)
    patch.setattr("lineread.wire.realtime.caller.LOSS_WAIT", rng.choice((0.0, 0.005, 0.02)))
    patch.setattr("lineread.live.local.QUIET", rng.choice((0.002, 0.02, 0.1)))
    patch.setattr(proxy, "FRAMES", rng.choice((15, 40, 80)))
    patch.setattr(test_faults, "AT_ONCE", rng.choice((4, 16, 32, 64)))


def main() -> None:
    """Run blocks until the time is over."""
    seconds, block = float((sys.argv[1:] or ["60"])[0]), int((sys.argv[2:] or [str(random.randrange(10**6))])[0])
    end, ends = time.monotonic() + seconds, Counter[str]()
    while time.monotonic() < end:
        with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as directory:
            vary(random.Random(block), patch)
            cases = range(block * 1000, block * 1000 + CASES)
            try:
                ends += asyncio.run(test_faults.survive(Path(directory), cases))
            except AssertionError as error:
                sys.exit(f"block {block}: {error}")
        block += 1
    print(f"sessions over a failing line: {dict(ends)}, next block {block}")  # noqa: T201 - its output


if __name__ == "__main__":
    main()
