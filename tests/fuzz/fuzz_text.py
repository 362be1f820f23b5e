"""Random texts against the text splitter: `python fuzz_text.py [seconds] [seed]`.

The invariant, for every text, limit, `first`, with and without `by_sentence`:

- the pieces are contiguous, and join to exactly the text; a blank text has none;
- no piece is blank, or longer than the limit, white space around it not counted, unless it is a single grapheme;
- a piece without a letter or a digit would not fit into the same piece as one of its neighbours;
- no cut is inside a grapheme, and none inside a number, an address, a name or a short quotation that fits the limit;
- each pause is one of the table's, and the last one is 0;
- without `by_sentence`, splitting a piece again gives that piece.

Prints the case and stops with status 1 where that does not hold.
"""

from __future__ import annotations

import random
import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING

from lineread.text import PAUSES, Piece, split

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
    *(
        "e\u0301",
        "👩\u200d👩\u200d👧",
        "🇩🇪",
        "👍🏽",
        "1\ufe0f\u20e3",
        "\u1112\u1161\u11ab",
        "क्षि",
        "ก็",
        "が",
        "か\u3099",
        "\r\n",
    ),
    *("o\u0308\u0323", "❤\ufe0f", "\ufe0f", "\u200d", "நி", "🏴\U000e0067\U000e0062\U000e007f", "ﾊﾟ", "한"),
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
SPACES = (" ", " ", " ", " ", "  ", "\n", "\n\n", "\t", "\u00a0", "\u3000", "\u2028", "\r\n", "\u200b", " " * 50)

Span = tuple[int, int]


def make(rng: random.Random, *, whole: bool) -> tuple[str, list[Span]]:
    """A text, and where the parts of it are that must stay whole; those only where nothing disturbs them."""
    text, spans = "", []
    for _ in range(rng.randrange(40)):
        if whole and rng.random() < 0.3:
            part = rng.choice(WHOLE)
            text += " "
            spans.append((len(text), len(text) + len(part)))
            text += part + " "
        elif whole:
            text += rng.choice(WORDS) + rng.choice((" ", ", ", "; ", "。", "，", " ", "\n"))
        else:
            part = rng.choice(rng.choice((WORDS, WORDS, WORDS, MARKS, MARKS, SPACES, SPACES, GRAPHEMES, WHOLE)))
            text += part * rng.choice((1, 1, 1, 1, 1, 2, 3, 30))
    return text, spans


def graphemes(rng: random.Random) -> tuple[str, list[Span]]:
    """Graphemes side by side; none of them joins with the next one."""
    text, spans = "", []
    for _ in range(rng.randrange(60)):
        part = rng.choice([each for each in GRAPHEMES if each not in {"\ufe0f", "\u200d", "\r\n"}])
        spans.append((len(text), len(text) + len(part)))
        text += part
    return text, spans


def faults(text: str, limit: int, spans: list[Span], *, by_sentence: bool, first: int | None) -> Iterator[str]:
    """What is wrong with the pieces of a text."""
    pieces = list(split(text, limit, by_sentence=by_sentence, first=first))
    if [piece.start for piece in pieces] != [0, *(piece.end for piece in pieces)][: len(pieces)]:
        yield "the pieces are not contiguous"
    if bool(pieces) != bool(text.strip()) or (pieces and pieces[-1].end != len(text)):
        yield "the pieces do not cover the text"
    for piece in scraps(text, limit, pieces):
        yield f"nothing to say {piece}"
    for piece in pieces:
        words = text[piece.start : piece.end].strip()
        if not words:
            yield f"blank {piece}"
        if len(words) > limit and len(list(split(words, 1))) > 1:
            yield f"too long {piece}"
        if piece.pause not in PAUSES.values() or (piece is pieces[-1] and piece.pause):
            yield f"no such pause {piece}"
        if any(start < piece.end < end and end - start <= limit for start, end in spans):
            yield f"cut inside at {piece.end}"
        again = list(split(text[piece.start : piece.end], limit))
        if not by_sentence and [(each.start, each.end) for each in again] != [(0, piece.end - piece.start)]:
            yield f"not the same again {piece}"


def scraps(text: str, limit: int, pieces: list[Piece]) -> Iterator[Piece]:
    """Pieces with nothing to say that should have gone with a neighbour."""
    for before, after in pairwise(pieces):
        parts = text[before.start : before.end], text[after.start : after.end]
        if len("".join(parts).strip()) <= limit and not all(any(map(str.isalnum, part)) for part in parts):
            yield before


def main(seconds: float, seed: int) -> int:
    """Try random texts for so many seconds."""
    rng = random.Random(seed)
    stop, cases = time.monotonic() + seconds, 0
    while time.monotonic() < stop:
        kind = rng.randrange(3)
        text, spans = graphemes(rng) if kind == 0 else make(rng, whole=kind == 1)
        limit = rng.choice((1, 2, 5, 12, 40, 40, 80, 600)) if kind != 1 else rng.choice((34, 40, 60, 90, 600))
        by_sentence, first = rng.random() < 0.5, rng.choice((None, None, 1, 20, 60))
        for fault in faults(text, limit, spans, by_sentence=by_sentence, first=first):
            print(f"{fault}\n{text!r}, {limit=}, {by_sentence=}, {first=}, {seed=}")
            return 1
        cases += 1
    print(f"{cases} texts, no fault")
    return 0


if __name__ == "__main__":
    arguments = [*sys.argv[1:], "10", "1"]
    sys.exit(main(float(arguments[0]), int(arguments[1] if len(sys.argv) > 2 else 1)))
