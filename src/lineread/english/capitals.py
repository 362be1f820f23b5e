"""Text in capitals: words that are shouted are words all the same.

Owns the decision which words in capitals are read as words. hibari spells "HE WENT" letter by letter, as it does with
acronyms, where its lexicon has no such form in capitals. Whether a word is shouted is told by its neighbours: in a
line without a small letter, or in three words in a row, most words are those of the lexicon. Acronyms that the lexicon
lacks stay as they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: Text without this is left alone.
_CAPITALS: Final = re.compile(r"[A-Z]{2}")
_SMALL: Final = re.compile(r"[a-z\xdf-\xf6\xf8-\xff]")
_WORD: Final = re.compile(r"(?<![\w.'’-])[A-Z]+(?:['’][A-Z]+)*(?![\w'’]|\.[A-Z])")
#: Words in capitals with nothing but white space and punctuation between them.
_RUN: Final = re.compile(r"[A-Z]+(?:['’][A-Z]+)*(?:[^\w\n]+(?:[A-Z]+(?:['’][A-Z]+)*)(?![\w]))+(?![a-z])")
#: How many words in a row are shouted in a line that has small letters, too.
_SHOUTED: Final = 3
#: Words that are as well known as acronyms: no sign of shouting.
_AMBIGUOUS: Final = frozenset("IT US WHO AIDS AM PM AI SAT ACT PIN RAM ROM LED CAT ID OK MIT SOS PC IN I A".split())  # noqa: SIM905


def lowered(text: str, is_word: Callable[[str], bool]) -> str:
    """The text with its shouted words in small letters; as many characters, in the same places.

    Args:
        text: A sentence or some.
        is_word: Whether the lexicon has a word, given in small letters.
    """
    if not _CAPITALS.search(text):
        return text
    if not _SMALL.search(text):
        return _lowered(text, is_word, least=1)
    return _RUN.sub(lambda run: _lowered(run[0], is_word, least=_SHOUTED), text)


def _lowered(text: str, is_word: Callable[[str], bool], *, least: int) -> str:
    words = [word for word in _WORD.findall(text) if len(word) > 1]
    known = {word for word in words if is_word(word.lower().replace("’", "'"))}
    sure = [word for word in words if word in known and word not in _AMBIGUOUS]
    if len(words) < least or 2 * sum(word in known for word in words) <= len(words) or not sure:
        return text
    return _WORD.sub(lambda word: word[0].lower() if word[0] in known else word[0], text)
