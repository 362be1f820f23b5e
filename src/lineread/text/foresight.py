"""How much of a text must have arrived before a place in it can be judged.

Owns the bounds of that look ahead, so that what is decided never depends on how the text was chopped. Each bound is
counted from the place itself: more of the text is not looked at, even where it is there. The judgement itself is the
matter of ``boundaries`` and ``clauses``.
"""

from __future__ import annotations

import re
from typing import Final

from lineread.text.abbreviations import may_abbreviate
from lineread.text.boundaries import run_end, stop_kind
from lineread.text.characters import VOICED, char_at, is_dense, skip_space
from lineread.text.marks import CLAUSES, DASHES, LINE_ENDS, STOPS

#: Most signs that stand together and are judged as one: "?!", "!!! 😀", "……”）" and more than any writer needs.
RUN: Final = 24
#: Most signs between a place and the next word: "**“(" and the like. Where there are more, nothing is cut before them.
REACH: Final = 24
#: Letters after which a word is in no table of abbreviations, ordinals or first words.
WORD: Final = 24
#: Characters after direct speech in Chinese and Japanese that tell whether its sentence goes on: 他说, と言った.
SPEECH: Final = 5
#: Most characters of a unit, or of anything else that a number is not parted from.
UNIT: Final = 12

_WORD = re.compile(rf"\w{{1,{WORD}}}")
_UNIT = re.compile(rf"\S{{1,{UNIT}}}")
#: How what a comma does not part from its name begins: Jr., Sr., Esq., Ph.D., M.D.
_SUFFIXES = frozenset("JSEPM")
#: How what goes on after an exclamation in Japanese begins: と, って, など.
_QUOTING = frozenset("とっな")


def run_of_marks(text: str, at: int) -> int:
    """One past the punctuation at `at` and whatever closes after it."""
    stop = min(len(text), at + RUN)
    while at < stop and (text[at] in CLAUSES or text[at] in DASHES):
        at += 1
    return run_end(text, at)


def is_mark(sign: str) -> bool:
    """Whether a sentence, a clause or a line may end there."""
    return sign in CLAUSES or sign in STOPS or sign in DASHES or sign in LINE_ENDS


def sight(text: str, at: int) -> int:
    """One past the last character that the judgement of what is at `at` may look at.

    Where that is more than there is of the text, the judgement has to wait.
    """
    if is_mark(text[at]):
        return _sight_of_mark(text, at)
    return _sight_of_space(text, at) if text[at].isspace() else at + 1


def _sight_of_mark(text: str, at: int) -> int:
    core = run_of_marks(text[: at + RUN], at)
    if core >= at + RUN:
        return core
    end = skip_space(text, core)
    if end == len(text):
        return end + 1
    if text[core] == "[" and len(text) < core + UNIT:  # the mark of a note closes after a sentence
        return core + UNIT
    word = VOICED.search(text, end, end + REACH)
    if word is None:
        return end + REACH
    return _sight_of_word(text, at, (core, end), word.start())


def _sight_of_space(text: str, at: int) -> int:
    end = skip_space(text, at)
    before = text[at - 1] if at else " "
    if end == len(text) or (is_dense(before) and not before.isdigit()):
        return end + 2
    return _whole(_UNIT, text, end)


def _sight_of_word(text: str, at: int, gap: tuple[int, int], word: int) -> int:
    """How much of the next word must be known: most often its first letter."""
    core, end = gap
    if text[at] in STOPS:
        kind, closed = stop_kind(text, at), text[core - 1] not in STOPS
        if kind == "period" and not closed and may_abbreviate(text, at):
            return _whole(_WORD, text, word)
        if kind == "full" and word == end and is_dense(text[end]):
            quoting = text[at] in "！？" and text[end] in _QUOTING
            return min(_whole(_WORD, text, word), word + SPEECH) if closed or quoting else word + 1
    elif text[at] == ",":
        number = char_at(text, at - 1).isdigit() and text[word].isdigit()
        return _whole(_WORD, text, word) if number or text[word] in _SUFFIXES else word + 1
    return word + 1


def _whole(pattern: re.Pattern[str], text: str, at: int) -> int:
    """One past the character after what matches at `at`."""
    match = pattern.match(text, at)
    return match.end() + 1 if match else at + 1
