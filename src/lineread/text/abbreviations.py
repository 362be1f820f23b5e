"""Periods that end no sentence: abbreviations, initials, ordinals.

Owns that judgement, for the languages of the catalogue; the words themselves are in ``vocabulary``.
"""

from __future__ import annotations

import re

from lineread.text.characters import char_at
from lineread.text.vocabulary import AFTER_ORDINAL, BEFORE_NUMBER, LETTER_WORDS, MAY_END, STARTERS, TITLES

_WORD = re.compile(r"\w++")
_CHAIN = r"(?:\w|ej|ex|es|Exa|Chr)\."
_CHAINED = r"(?:^|\W)\w{1,2}\. $"
_DAY = r"\b\d{1,2}\. $"
_MONTH = r"\b\d{4}\. \d{1,2}\. $"


def word_before(text: str, dot: int) -> str:
    """The word that the period at `dot` ends, without what opens it."""
    window = text[max(0, dot - 24) : dot]
    if not window or window[-1].isspace():
        return ""
    word = window.split()[-1]
    for mark in ("'", "’", "/", "(", "—"):
        word = word.rsplit(mark, 1)[-1]
    return word.lstrip("\"'“‘«„([{—–-¿¡")


def abbreviates(text: str, dot: int, at: int, start: int = -1) -> bool:
    """Whether the period at `dot` only abbreviates, although no small letter follows.

    Args:
        text: The text.
        dot: A single period with a gap after it.
        at: The next letter, digit or other sign after it.
        start: Where the sentence begins; a number there is the number of an item.
    """
    word = word_before(text, dot)
    if not word or not word[-1].isalnum():
        return False
    if word in TITLES or (word.isupper() and len(word) > 1 and word.capitalize() in TITLES):
        return True
    if word.isdigit() or _is_roman(word):
        return (len(word) <= 3 and dot - len(word) == start) or _is_ordinal(text, dot - len(word), word, at)
    if text[at].isdigit():
        return word.lower() in BEFORE_NUMBER or (len(word) == 1 and word not in LETTER_WORDS)
    return is_initial(text, dot, word, at) if len(word) == 1 else _is_shortened(text, dot, word, at)


def may_abbreviate(text: str, dot: int) -> bool:
    """Whether the period at `dot` could be one that only abbreviates; what follows then decides."""
    word = word_before(text, dot)
    if not word or not word[-1].isalnum():
        return False
    return (
        len(word) == 1
        or ("." in word and _is_short(word))
        or word in TITLES
        or word.capitalize() in TITLES
        or word.isdigit()
        or _is_roman(word)
        or word.lower() in BEFORE_NUMBER
        or word in MAY_END
        or word in {"ex", "es"}
    )


def _starts_sentence(text: str, at: int) -> bool:
    """Whether the word at `at` looks like the first of a sentence; an initial does not."""
    match = _WORD.match(text, at)
    return match is not None and match.group() in STARTERS and char_at(text, match.end()) != "."


def _is_shortened(text: str, dot: int, word: str, at: int) -> bool:
    """Abbreviations that may end a sentence, and do before a word that begins one."""
    if word in {"ex", "es"}:  # "p. ex.", "ad es."; words of their own elsewhere
        return text[: dot - 3].endswith((" p.", "ad", "per"), max(0, dot - 8))
    known = word in MAY_END or ("." in word and word not in {"т.д", "т.п"} and _is_short(word))
    return known and not _starts_sentence(text, at)


def _is_short(word: str) -> bool:
    """No file name: all parts between the periods are short."""
    return all(len(part) <= 2 and part.isalpha() for part in re.split(r"\.-?", word))


def _is_roman(word: str) -> bool:
    return len(word) > 1 and not word.strip("IVXLC")


def _is_ordinal(text: str, begin: int, word: str, at: int) -> bool:
    """German ordinals ("3. Mai", "XX. Jahrhundert") and dates ("3. 5. 2024", Korean "2024. 5. 1.")."""
    follower = _WORD.match(text, at)
    if follower is None or len(word) > 4:
        return False
    name, before = follower.group(), text[max(0, begin - 9) : begin]
    if name.isdigit():
        return (len(name) <= 2 and char_at(text, follower.end()) == ".") or re.search(_DAY, before) is not None
    return name in AFTER_ORDINAL or re.search(_MONTH, before) is not None


def is_initial(text: str, dot: int, word: str, at: int) -> bool:
    """Initials, and abbreviations of several letters with spaces ("z. B.", "т. е.")."""
    if word in LETTER_WORDS:
        return False
    chained = re.search(_CHAINED, text[max(0, dot - 6) : dot - 1]) is not None
    if word in {"д", "п"} and chained:
        return False
    if re.match(_CHAIN, text[at : at + 4]):
        return True
    if _starts_sentence(text, at):
        return False
    if word == "I" and not chained:
        return not _follows_small_word(text, dot - 1)
    return chained or word.isupper() or "\u0400" <= word <= "\u052f"


def _follows_small_word(text: str, at: int) -> bool:
    words = text[max(0, at - 24) : at].split()
    return bool(words) and words[-1].islower()
