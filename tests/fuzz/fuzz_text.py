"""Random texts against the text splitter: `python fuzz_text.py [seconds] [seed]`.

The invariant, for every text, limit, `first`, with and without `by_sentence`:

- the pieces are contiguous, and join to exactly the text; a blank text has none;
- no piece is blank, or longer than the limit, white space around it not counted, unless it is a single grapheme, and
  no longer than the longest of these;
- every piece has a letter or a digit, where the text does not put long stretches of marks and spaces together;
- no cut is inside a grapheme, and none inside a number, an address, a name or a short quotation that fits the limit;
- each pause is one of the table's, and the last one is 0;
- without `by_sentence`, splitting a piece again gives that piece.

Prints the case and stops with a status of 1 where that does not hold.
"""

from __future__ import annotations

import random
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lineread.text import PAUSES, split
from lineread.text.graphemes import LONGEST

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What is never cut where it fits; it stands between spaces.
WHOLE = (
    *("3.14", "1,000,000", "12:30", "2024-05-01", "10,5", "v1.2.3", "3\u202f000", "99%"),
    *("https://example.com/a_b?c=d&e=f#g", "a.b+c@mail.example.org", "www.example.org", "main.py", "sub.example.co.uk"),
    *("Dr. Who", "J. R. R. Tolkien", "No. 5", "St. Paul", "e.g. this", "z. B. das", "т. е. вот", "5 km", "U.S. Army"),
    *(
        "«Война и мир»",
        "“Oh. Is it? Yes!”",
        '"What? No."',
        "„Ja. Nein!“",
        "《怎么办？好。》",
        "「はい。そう！」",
        "(so. And so)",
    ),
)
GRAPHEMES = (
    *("e\u0301", "o\u0308\u0323", "👩\u200d👩\u200d👧", "🇩🇪", "👍🏽", "❤\ufe0f", "1\ufe0f\u20e3"),
    *("🏴\U000e0067\U000e0062\U000e007f", "\u1112\u1161\u11ab", "한", "क्षि", "நி", "ก็", "か\u3099", "ﾊﾟ"),
)
WORDS = (
    *(
        "a",
        "it",
        "Well",
        "nothing",
        "incomprehensibilities",
        "Ja",
        "Straße",
        "être",
        "niño",
        "così",
        "não",
        "Москва",
        "я",
    ),
    *(
        "今天",
        "天气很好",
        "我们",
        "これは",
        "コンピューター",
        "そうっすー",
        "안녕하세요",
        "저는",
        "ภาษาไทย",
        "I",
        "M",
        "x",
    ),
)
MARKS = (
    *(
        ". ",
        "! ",
        "? ",
        "... ",
        "… ",
        ", ",
        "; ",
        ": ",
        " — ",
        "—",
        " – ",
        "-",
        "。",
        "！",
        "？",
        "，",
        "、",
        "；",
        "……",
        "——",
    ),
    *(
        "?! ",
        "!!! ",
        '"',
        "'",
        "“",
        "”",
        "«",
        "»",
        "「",
        "」",
        "(",
        ")",
        "[1] ",
        "*",
        "_",
        "¿",
        "¡",
        "\u00ad",
        "/",
        "·",
    ),
)
SPACES = (
    " ",
    " ",
    " ",
    " ",
    "  ",
    "\n",
    "\n\n",
    "\t",
    "\u00a0",
    "\u3000",
    "\u2028",
    "\r\n",
    "\u200b",
    "\u200d",
    " " * 50,
)


@dataclass(frozen=True, slots=True)
class Case:
    """A text, where the parts of it are that must stay whole, and whether every piece of it has something to say."""

    text: str
    limit: int
    spans: tuple[tuple[int, int], ...] = ()
    voiced: bool = False


def noise(rng: random.Random) -> Case:
    """Anything, often many times."""
    kinds = (WORDS, WORDS, WORDS, MARKS, MARKS, SPACES, SPACES, GRAPHEMES, WHOLE)
    parts = (rng.choice(rng.choice(kinds)) * rng.choice((1, 1, 1, 1, 1, 2, 3, 30)) for _ in range(rng.randrange(40)))
    return Case("".join(parts), rng.choice((1, 2, 5, 12, 40, 80, 600)))


def prose(rng: random.Random) -> Case:
    """Words with a few marks after them."""
    parts = (
        rng.choice(WORDS) + "".join(rng.choices(MARKS, k=rng.randrange(3))) + rng.choice(SPACES[:8])
        for _ in range(rng.randrange(1, 40))
    )
    return Case("".join(parts), rng.choice((40, 60, 90, 600)), voiced=True)


def whole(rng: random.Random) -> Case:
    """Sentences with names, numbers, addresses and quotations; nothing beside these disturbs them."""
    text, spans = "", []
    for _ in range(rng.randrange(40)):
        if rng.random() < 0.3:
            part = rng.choice(WHOLE)
            spans.append((len(text) + 1, len(text) + 1 + len(part)))
            text += f" {part} "
        else:
            text += rng.choice(WORDS) + rng.choice((" ", ", ", "; ", "。", "，", " ", "\n"))
    return Case(text, rng.choice((34, 40, 60, 90, 600)), tuple(spans))


def graphemes(rng: random.Random) -> Case:
    """Graphemes side by side; none of them joins with the next one."""
    text, spans = "", []
    for _ in range(rng.randrange(60)):
        part = rng.choice(GRAPHEMES)
        spans.append((len(text), len(text) + len(part)))
        text += part
    return Case(text, rng.choice((8, 12, 40)), tuple(spans))


def faults(case: Case, *, by_sentence: bool, first: int | None) -> Iterator[str]:
    """What is wrong with the pieces of a text."""
    text, limit = case.text, case.limit
    pieces = list(split(text, limit, by_sentence=by_sentence, first=first))
    if [piece.start for piece in pieces] != [0, *(piece.end for piece in pieces)][: len(pieces)]:
        yield "the pieces are not contiguous"
    if bool(pieces) != bool(text.strip()) or (pieces and pieces[-1].end != len(text)):
        yield "the pieces do not cover the text"
    for piece in pieces:
        words = text[piece.start : piece.end].strip()
        if not words or (case.voiced and not any(map(str.isalnum, words))):
            yield f"nothing to say in {piece}"
        if len(words) > limit and (len(words) > LONGEST or len(list(split(words, 1))) > 1):
            yield f"too long {piece}"
        if piece.pause not in PAUSES.values() or (piece is pieces[-1] and piece.pause):
            yield f"no such pause {piece}"
        if any(start < piece.end < end and end - start <= limit for start, end in case.spans):
            yield f"cut inside at {piece.end}"
        again = list(split(text[piece.start : piece.end], limit))
        if not by_sentence and [(each.start, each.end) for each in again] != [(0, piece.end - piece.start)]:
            yield f"not the same again {piece}"


def main(seconds: float, seed: int) -> str | None:
    """Try random texts for so many seconds; what went wrong, or nothing."""
    rng = random.Random(seed)
    stop = time.monotonic() + seconds
    while time.monotonic() < stop:
        case = rng.choice((noise, prose, whole, graphemes))(rng)
        by_sentence, first = rng.random() < 0.5, rng.choice((None, None, 1, 20, 60))
        for fault in faults(case, by_sentence=by_sentence, first=first):
            return f"{fault}\n{case}, {by_sentence=}, {first=}"
    return None


if __name__ == "__main__":
    sys.exit(main(float((sys.argv[1:] or ["10"])[0]), int((sys.argv[2:] or ["1"])[0])))
