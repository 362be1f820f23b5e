"""What of a text is surely over when nothing comes for a while, though more may.

Owns the judgement of a text's end: that no letter, digit or mark which comes next makes another word, number or
abbreviation of what is before it. Only a file name looks like a sentence's end before it goes on.
"""

from __future__ import annotations

import re
from typing import Final

from lineread.text.abbreviations import may_abbreviate
from lineread.text.boundaries import line_kind, stop_kind
from lineread.text.breaks import Break
from lineread.text.characters import content_end, is_dense, is_emoji, skip_space
from lineread.text.foresight import RUN, WORD
from lineread.text.marks import CLAUSES, CLOSERS, EITHER, OPENERS, STOPS
from lineread.text.saying import OPENING, how_much
from lineread.text.seams import in_title, word_end

#: Most characters of a word that are looked at to see whether it is one.
_ADDRESS: Final = 600
#: What is in numbers, addresses and file names, and in no other word.
_SIGNS = r"[\d./@:\\~#=&%+_]"
#: These open, but for German, where they close.
_OPENING = frozenset("“‘«‹")
#: These close after a space.
_FRENCH = frozenset("»›")
#: What may stand before a word and is none of its signs.
_BEFORE = "".join(OPENERS | EITHER)
#: A word that is whole.
_FOLLOWING = re.compile(rf"\S{{1,{WORD}}}\s")


def ending(text: str) -> Break | None:
    """The end of the text, where it ends with a sentence or a clause. Emoji, which may change, go with the next."""
    text = _before_emoji(text)
    core = content_end(text)
    stop = _before_closers(text, core)
    words = stop
    while words > 0 and core - words < RUN and (text[words - 1] in CLAUSES or text[words - 1] in STOPS):
        words -= 1
    signs, said = text[words:stop], how_much(text[:words])
    if not said or in_title(text, words) or (signs == "." and may_abbreviate(text, words)):
        return None
    if core < len(text) and (line := line_kind(text, core, len(text))):
        return Break(core, len(text), line)
    if not signs or not _is_over(text[:words], signs[0], spaced=core < len(text)):
        return None
    if signs[0] in STOPS:
        return Break(core, len(text), "ellipsis" if stop_kind(text, words) == "ellipsis" else "sentence")
    return Break(core, len(text), CLAUSES[signs[0]]) if said >= OPENING else None


def last_word(text: str, floor: int) -> Break | None:
    """The end of the last word but one that ends after `floor`."""
    for at in range(content_end(text) - 1, floor, -1):
        if _FOLLOWING.match(text, at) and (place := word_end(text, at)):
            return place
    return None


def _before_emoji(text: str) -> str:
    """The text without the emoji at its end."""
    end = len(text)
    while end and (is_emoji(text[end - 1]) or text[end - 1] in "\u200d\ufe0f" or text[end - 1].isspace()):
        end -= 1
    return text[: skip_space(text, end)]


def _before_closers(text: str, core: int) -> int:
    """Where the quotes and brackets begin that close at `core`. A mark that opens as well closes only where one has."""
    closing = (CLOSERS | EITHER) - _OPENING
    if "„" in text or "‚" in text:
        closing |= frozenset("“‘")
    stop = core
    while stop > 0 and core - stop < RUN:
        if text[stop - 1] not in closing and not (text[stop - 1].isspace() and text[stop : stop + 1] in _FRENCH):
            break
        stop -= 1
    return stop


def _is_over(text: str, sign: str, *, spaced: bool) -> bool:
    """Whether the last word is over with this sign after it: no number, no address, whatever comes next."""
    word = text[-_ADDRESS:].rsplit(maxsplit=1)[-1]
    if word[-1].isdigit():
        return False
    if spaced or is_dense(word[-1]) or is_dense(sign):
        return True
    return sign != ":" and word[-1] != "-" and re.search(_SIGNS, word.lstrip(_BEFORE)) is None
