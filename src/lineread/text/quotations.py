"""Quotations, titles and brackets, which are kept whole while they are short.

Owns which marks open and which close, and which are apostrophes or smileys.
"""

from __future__ import annotations

from lineread.text.characters import char_at, char_before, is_letter
from lineread.text.marks import PAIRS, TRAILING, WIDE_OPENERS
from lineread.text.vocabulary import ELISIONS


def opens(text: str, at: int) -> bool:
    """Whether the mark at `at`, one of the pairs, opens rather than closes, and is no apostrophe or smiley."""
    mark, before, after = text[at], char_before(text, at), char_at(text, at + 1)
    if mark in WIDE_OPENERS:
        return True
    if mark in "([":
        return before not in ":;=-" and not after.isspace()
    if mark == "»":
        return (before.isspace() or before in "(—–") and after.isalnum()
    return not is_letter(before) and _opens_speech(text, at)


def _opens_speech(text: str, at: int) -> bool:
    mark, after = text[at], char_at(text, at + 1)
    if mark in "«‹":
        return char_before(text, at) not in TRAILING
    if mark in "'‘‚":
        return after.isalnum() and not after.isdigit() and not text[at + 1 : at + 7].lower().startswith(ELISIONS)
    return not after.isspace() and after not in ".,;:!?)"


def _closes(text: str, at: int, mark: str) -> bool:
    """Whether the mark at `at` can close what `mark` opened."""
    if mark not in "\"'‘‚":
        return True
    return not text[at - 1].isspace() and not is_letter(char_at(text, at + 1))


def quotation_end(text: str, at: int, longest: int) -> int:
    """One past the quotation that opens at `at` and ends on the same line, at most `longest` on; 0 if none does."""
    mark = text[at]
    begin, stop = at + 1, at + longest
    for depth in range(4):
        closing = _first_of(PAIRS[mark], text, begin, stop)
        if closing <= at + 1 or text.find("\n", begin, closing) >= 0:
            return 0
        nested = 0 if mark in PAIRS[mark] else text.count(mark, at + 1, closing)
        if nested <= depth and _closes(text, closing, mark):
            return closing + 1
        begin = closing + 1
    return 0


def _first_of(signs: str, text: str, begin: int, stop: int) -> int:
    """Where the first of one or two signs is; -1 if neither is there."""
    found = text.find(signs[0], begin, stop)
    if len(signs) == 1:
        return found
    other = text.find(signs[1], begin, stop if found < 0 else found)
    return found if other < 0 else other
