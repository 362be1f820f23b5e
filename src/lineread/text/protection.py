"""What belongs together although a space, or nothing, stands between.

Owns what is not cut where words or characters could be: numbers and their units, dates, addresses, file names, names
after titles, spaced punctuation, and in scripts without spaces what a line may not begin or end with. Sentence ends
within abbreviations are the matter of ``abbreviations``, quotations of ``quotations``, accents of ``graphemes``.
"""

from __future__ import annotations

import re

from lineread.text.abbreviations import abbreviates, is_initial, word_before
from lineread.text.characters import char_at, char_before, is_dense, is_hiragana
from lineread.text.marks import COUNTERS, DASHES, NO_HEAD, NO_TAIL, NUMERALS, OPENERS, TRAILING
from lineread.text.vocabulary import TITLES, UNITS

#: What is not cut even where a word is.
ATOM = (
    r"(?<![\w.+-])(?:"
    r"(?:[A-Za-z][A-Za-z0-9+.-]{1,15}://|www\.)[!#-;=?-~]++"  # URL
    r"|[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+"  # e-mail
    r"|(?:[\w-]{1,63}+\.)+[A-Za-z][A-Za-z0-9]++"  # domain, file name
    r")|[vV]?\d++(?:[.,:/-]\d++)*+"  # number, time, date, version
)

# Patterns that few texts need; `re` compiles them at first use and keeps them.
_YEAR = r"\d{4}(?!\d)"
_SUFFIX = r"(?:Jr|Sr|Esq|Ph\.?D|M\.?D)\b"
_THOUSANDS = r"\d{3}(?!\d)"


def is_glued(text: str, core: int, end: int) -> bool:
    """Whether the words on both sides of this white space belong together."""
    before, after = text[core - 1], text[end]
    if before.isdigit():
        return _is_glued_number(text, core, end)
    if before == ".":
        return _is_glued_period(text, core - 1, end)
    if before == ",":
        return re.match(_YEAR if text[core - 2 : core - 1].isdigit() else _SUFFIX, text[end : end + 5]) is not None
    return (
        _is_glued_sign(text, core, end)
        or (before in "§№#$€£¥" and after.isdigit())
        or (after.isupper() and word_before(text, core) in TITLES)  # "Mr Smith", "Mme Roy"
        or (before == "и" and text.startswith(("т. д", "т. п", "т.д", "т.п"), end))
    )


def _is_glued_sign(text: str, core: int, end: int) -> bool:
    """Spaced punctuation (French), dashes, no-break spaces."""
    before, after, next_one = text[core - 1], text[end], char_at(text, end + 1)
    if after in TRAILING or (after in DASHES and next_one.isspace()) or (after in "»›" and not next_one.isalnum()):
        return True
    if before in OPENERS and before not in "\"'" and not char_before(text, core - 1).isalnum():
        return True
    return end - core == 1 and text[core] in "\u00a0\u202f\u2007"


def _is_glued_number(text: str, core: int, end: int) -> bool:
    """A number before its unit, a group of thousands, or what is not cut from anything."""
    if re.match(_THOUSANDS, text[end : end + 4]):
        return end - core == 1
    token = text[end : end + 12].split(None, 1)[0].rstrip(".,;:!?)…")
    return token in UNITS or _is_glued_sign(text, core, end)


def _is_glued_period(text: str, dot: int, end: int) -> bool:
    """An abbreviation before what it stands for, initials before a name, an ordinal before its month."""
    word = word_before(text, dot)
    if word in TITLES or (len(word) == 1 and word.isalpha() and is_initial(text, dot, word, end)):
        return True
    return not text[end].islower() and abbreviates(text, dot, end)


def begins_phrase(text: str, at: int) -> bool:
    """Whether kanji or katakana follow hiragana: in Japanese, mostly a new phrase."""
    before, after = text[at - 1], text[at]
    return is_hiragana(before) and before not in "おご" and not is_hiragana(after) and may_part(text, at)


def may_part(text: str, at: int) -> bool:
    """Whether two characters of a script without spaces may be parted."""
    before, after = text[at - 1], text[at]
    if not (is_dense(before) or is_dense(after)) or before.isspace() or after.isspace():
        return False
    if after in NO_HEAD or before in NO_TAIL or before.isdigit():
        return False
    if after.isdigit() and before in "，．：,.:":
        return False
    return before not in NUMERALS or not (after in NUMERALS or after in COUNTERS)
