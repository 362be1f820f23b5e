"""Where a text may be parted between its marks: after words, between characters, outside of titles.

Owns the judgement of one such place, and the list of what is kept whole around it. What belongs together is known by
``protection`` and ``graphemes``; which places are tried, and in what order, is up to ``arriving``.
"""

from __future__ import annotations

from lineread.text.breaks import Break
from lineread.text.characters import VOICED, is_dense, is_syllable
from lineread.text.clauses import kind_before
from lineread.text.graphemes import is_joined
from lineread.text.marks import PAIRS, TITLE_OPENERS
from lineread.text.protection import begins_phrase, is_glued, may_part
from lineread.text.quotations import opens, quotation_end
from lineread.text.splitter import QUOTATION


def in_title(text: str, at: int) -> bool:
    """Whether `at` is in a title or in square brackets that are not too long; these are kept whole."""
    low = max(0, at - QUOTATION)
    opened = ((text.rfind(mark, low, at), PAIRS[mark]) for mark in TITLE_OPENERS)
    return any(begin >= 0 and text.find(closing, begin, at) < 0 for begin, closing in opened)


def word_end(text: str, at: int) -> Break | None:
    """The end of a word after which white space ends at `at`, if it does not belong to the next word."""
    if at == len(text) or text[at].isspace() or not text[at - 1].isspace():
        return None
    core = len(text[:at].rstrip())
    if not core or is_glued(text, core, at) or is_joined(text, at, core) or in_title(text, core):
        return None
    return Break(core, at, kind_before(text, core, "word")) if VOICED.search(text, at) else None


def between(text: str, at: int) -> Break | None:
    """A place between Han characters, kana or the like that may be parted. Thai words are not."""
    if not may_part(text, at) or is_joined(text, at, at - 1) or in_title(text, at):
        return None
    thai = any(is_dense(character) and not is_syllable(character) for character in text[at - 1 : at + 1])
    return None if thai or not VOICED.search(text, at) else Break(at, at, kind_before(text, at, "inside"))


def phrase_end(text: str, at: int) -> Break | None:
    """The end of a word, or of a phrase in Japanese."""
    if at == len(text):
        return None
    return between(text, at) if begins_phrase(text, at) else word_end(text, at)


def quotations(text: str, lead: int, longest: int) -> list[tuple[int, int]]:
    """The quotations that are kept whole."""
    found: list[tuple[int, int]] = []
    for at in range(lead, len(text)):
        if text[at] in PAIRS and (not found or found[-1][1] <= at) and opens(text, at):
            end = quotation_end(text, at, min(QUOTATION, longest))
            if end:
                found.append((at, end))
    return found
