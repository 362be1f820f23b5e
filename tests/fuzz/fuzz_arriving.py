"""Random texts that arrive in random parts: `python fuzz_arriving.py [seconds] [seed]`.

The invariant, for every text, limit and way to chop it:

- the pieces are the same as if the text had come at once, and join to exactly the text;
- no piece is longer than the limit, white space around it not counted, unless it is a single grapheme;
- none ends inside a number, an address or a name that fits the limit, and each has something to say where the text has;
- with lulls here and there the pieces are others, but they join to exactly the text as well.

Prints the case and stops with a status of 1 where that does not hold.
"""

from __future__ import annotations

import random
import sys
import time
from typing import TYPE_CHECKING

from fuzz_text import Case, graphemes, noise, prose, whole

from lineread.text import split
from lineread.text.arriving import Arrived, Arriving
from lineread.text.graphemes import LONGEST

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Quotations are not kept whole where a listener would wait for their end; titles are.
QUOTES = "“\"«„「('"


def arrive(case: Case, places: list[int], *, lulls: bool = False) -> list[Arrived]:
    """The pieces of a text that comes in these parts."""
    arriving, pieces = Arriving(case.limit), []
    for start, end in zip([0, *places], [*places, len(case.text)], strict=True):
        pieces += arriving.feed(case.text[start:end])
        if lulls:
            pieces += arriving.settle()
    return pieces + arriving.flush()


def faults(case: Case, places: list[int]) -> Iterator[str]:
    """What is wrong with the pieces of a text."""
    text, limit, pieces = case.text, case.limit, arrive(case, [])
    if arrive(case, places) != pieces or arrive(case, list(range(1, len(text)))) != pieces:
        yield "chopping makes other pieces"
    for each in (pieces, arrive(case, places, lulls=True)):
        if "".join(piece.text for piece in each) != text:
            yield "the pieces do not join to the text"
    for piece in pieces:
        words = piece.text.strip()
        if len(words) > limit and (len(words) > LONGEST or len(list(split(words, 1))) > 1):
            yield f"too long {piece}"
        if case.voiced and len(pieces) > 1 and not any(map(str.isalnum, words)):
            yield f"nothing to say in {piece}"
        inside = [text[start:end] for start, end in case.spans if start < piece.end < end and end - start <= limit]
        if any(part[0] not in QUOTES for part in inside):
            yield f"cut inside at {piece.end}"


def main(seconds: float, seed: int) -> str | None:
    """Try random texts for so many seconds; what went wrong, or nothing."""
    rng = random.Random(seed)
    stop = time.monotonic() + seconds
    while time.monotonic() < stop:
        case = rng.choice((noise, prose, whole, graphemes))(rng)
        places = sorted(rng.choices(range(len(case.text) + 1), k=rng.randrange(12)))
        for fault in faults(case, places):
            return f"{fault}\n{case}, {places=}"
    return None


if __name__ == "__main__":
    sys.exit(main(float((sys.argv[1:] or ["10"])[0]), int((sys.argv[2:] or ["1"])[0])))
