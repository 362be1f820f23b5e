"""What kind of character one is, and the next one of a kind.

Owns scripts, white space, and what is voiced. Knows no punctuation; see ``marks``.
"""

from __future__ import annotations

import re
from typing import Final

_SPACES = re.compile(r"\s*+")
#: A letter or a digit: something to be heard.
VOICED = re.compile(r"[^\W_]")
#: As `is_dense`, to look for one in a stretch of text.
DENSE = (
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3001-\u312f\u3190-\u9fff\uf900-\ufaff\uff01-\uff9f\U00020000-\U0003ffff]"
)

#: Punctuation that has a name, by which a voice may read it.
_NAMED: Final = frozenset("#%&*/@\\§¶†‡‰′″")


def is_silent(text: str) -> bool:
    """Whether a text is all white space and punctuation, of which no voice makes a sound."""
    if VOICED.search(text):
        return False
    import unicodedata  # noqa: PLC0415 - a text with a letter needs none of it

    return not any(unicodedata.category(one)[0] not in "ZCP" or one in _NAMED for one in text)


def is_emoji(character: str) -> bool:
    """Whether it is a pictogram; one that is written after a sentence belongs to it."""
    return "\u2600" <= character <= "\u27bf" or "\U0001f000" <= character <= "\U0001faff"


def is_dense(character: str) -> bool:
    """Whether its script has no spaces: Han, kana, bopomofo, their wide punctuation, Thai, Lao, Burmese, Khmer."""
    if character < "\u0e00":
        return False
    if character < "\u3000":
        return character <= "\u0eff" or "\u1000" <= character <= "\u109f" or "\u1780" <= character <= "\u17ff"
    return not (
        character == "\u3000"
        or "\u3130" <= character <= "\u318f"  # Hangul, as below
        or "\ua000" <= character <= "\uf8ff"
        or "\ufb00" <= character <= "\uff00"
        or "\uffa0" <= character <= "\U0001ffff"
    )


def is_hangul(character: str) -> bool:
    """Whether it is a whole Korean syllable."""
    return "\uac00" <= character <= "\ud7a3"


def is_syllable(character: str) -> bool:
    """Whether it is a Han character, a kana, a Korean syllable or the like."""
    return character >= "\u2e80"


def is_letter(character: str) -> bool:
    """Whether it is a letter or digit of a script that parts a word from a quotation mark's outer side."""
    return character.isalnum() and not is_dense(character) and not is_hangul(character)


def is_hiragana(character: str) -> bool:
    """Whether it is one of the kana that endings and particles are written with."""
    return "\u3041" <= character <= "\u309f"


def skip_space(text: str, at: int) -> int:
    """Where the white space at a place ends."""
    match = _SPACES.match(text, at)
    return match.end() if match else at


def content_end(text: str) -> int:
    """Where the white space at the end of a text begins."""
    end = len(text)
    while end and not (tail := text[max(0, end - 4096) : end].rstrip()):
        end = max(0, end - 4096)
    return max(0, end - 4096) + len(tail) if end else 0


def first_voiced(text: str, at: int) -> int:
    """The next letter or digit, or the text's length."""
    match = VOICED.search(text, at)
    return match.start() if match else len(text)


def char_before(text: str, at: int) -> str:
    """The character before a place; a space at the text's beginning."""
    return text[at - 1] if at else " "


def char_at(text: str, at: int) -> str:
    """The character at a place; a space at the text's end."""
    return text[at] if at < len(text) else " "
