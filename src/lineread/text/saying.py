"""How much a text has to say.

Owns the measure, and how much is enough for a piece of a text that is still being written.
"""

from __future__ import annotations

from typing import Final

from lineread.text.characters import is_syllable

# How much there is to say is counted in halves of a Latin letter; white space and punctuation say nothing.
#: A Han character, a kana or a Korean syllable is a syllable or more, two and a half letters: 4 for 8, 24 for 60.
SYLLABLE: Final = 5
LETTER: Final = 2
#: The first piece may end with a clause of 8 letters, or 4 Han characters: half a second of speech, in which the next
#: piece is made. With less, a voice has no melody.
OPENING: Final = 8 * LETTER
#: Later pieces may end with a clause of 60 letters, or 24 Han characters: four seconds, about as long as one breath.
ENOUGH: Final = 60 * LETTER
#: A piece of so many letters (130 characters of English, 44 of Chinese) ends at a word if nothing better has come ...
PATIENCE: Final = 108 * LETTER
#: ... within so many more. It is cut that much before what has come, so that a sentence leaves no scrap behind.
GRACE: Final = 25 * LETTER


def weight(character: str) -> int:
    """How much a letter or digit says; anything else says nothing."""
    if not character.isalnum():
        return 0
    return SYLLABLE if is_syllable(character) else LETTER


def how_much(text: str) -> int:
    """How much a text says."""
    return sum(map(weight, text))
