"""What readers take for one character, and a cut never parts.

Owns the rules of Unicode Annex 29 that matter to a voice: marks on letters, emoji sequences, flags, Hangul, conjuncts;
and how long such a character can be, since these rules alone would make one of any number of marks.
"""

from __future__ import annotations

import unicodedata

from lineread.text.characters import is_hangul
from lineread.text.marks import LINE_ENDS

#: Most code points of a grapheme that is kept whole although it is longer than a piece may be. Unicode's stream-safe
#: format (Annex 15) has 30 marks at most behind a letter; the longest emoji has half of that.
LONGEST = 32


def is_joined(text: str, at: int, floor: int) -> bool:
    """Whether the characters before and at `at` belong to one grapheme (Unicode Annex 29, the rules that matter).

    Args:
        text: The text.
        at: A place inside it.
        floor: A place before `at` where a grapheme is known to begin; flags are counted from there.
    """
    before, after = text[at - 1], text[at]
    if before < "\u0300" and after < "\u0300":
        return before == "\r" and after == "\n"
    if before in LINE_ENDS:
        return False
    return _extends(after) or _ligates(text, at) or _same_syllable(before, after) or _same_flag(text, at, floor)


def _extends(character: str) -> bool:
    return (
        unicodedata.category(character) in {"Mn", "Mc", "Me"}
        or character in "\u200c\u200d\uff9e\uff9f\u0e33\u0eb3"
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or "\U000e0020" <= character <= "\U000e007f"
    )


def _ligates(text: str, at: int) -> bool:
    """Emoji sequences, and consonants that an Indic virama joins."""
    before, after = text[at - 1], text[at]
    if before == "\u200d":
        virama = at > 1 and unicodedata.combining(text[at - 2]) == 9
        return virama if after.isalpha() else unicodedata.category(after) == "So"
    return unicodedata.combining(before) == 9 and unicodedata.category(after) == "Lo"


def _same_syllable(before: str, after: str) -> bool:
    """Hangul that is written in jamo: leading consonants, vowels, trailing consonants."""
    if not "\u1100" <= after <= "\ud7a3":
        return False
    syllable = is_hangul(before)
    if "\u1100" <= before <= "\u115f":
        return not "\u11a8" <= after <= "\u11ff"
    if "\u1160" <= before <= "\u11a7" or (syllable and (ord(before) - 0xAC00) % 28 == 0):
        return "\u1160" <= after <= "\u11ff"
    return (syllable or "\u11a8" <= before <= "\u11ff") and "\u11a8" <= after <= "\u11ff"


def _same_flag(text: str, at: int, floor: int) -> bool:
    if not (_is_flag(text[at - 1]) and _is_flag(text[at])):
        return False
    begin = at
    while begin > floor and _is_flag(text[begin - 1]):
        begin -= 1
    return (at - begin) % 2 == 1


def _is_flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
