"""Places to cut, and how long a voice rests there.

Owns the kinds of places and their pauses.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["paragraph", "line", "ellipsis", "sentence", "clause", "comma", "word", "inside"]

#: How long a voice rests at a place of this kind, in seconds.
PAUSES: dict[Kind, float] = {
    "paragraph": 0.70,  # blank line
    "line": 0.50,  # end of a line
    "ellipsis": 0.40,  # … ...
    "sentence": 0.35,  # . ! ? 。 ！ ？
    "clause": 0.22,  # ; : and dashes
    "comma": 0.14,  # , 、 ，
    "word": 0.03,  # between words, no punctuation
    "inside": 0.00,  # within a word, or between characters of a script without spaces
}


class Break(NamedTuple):
    """A place to cut: the words before it end at `core`, the next ones begin at `end`; between is white space."""

    core: int
    end: int
    kind: Kind
