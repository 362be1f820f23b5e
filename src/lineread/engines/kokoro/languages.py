"""Which languages the voice speaks, and which of them a text is in.

Owns the names and the refusal of scripts that no reader knows: nothing of a text may be left out without a word.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

from lineread import tongue
from lineread.errors import OptionError, TextError


@dataclass(frozen=True, slots=True)
class Language:
    """A language of the voice.

    Attributes:
        letter: The first letter of its voices' names.
        most: Most characters that make up to 400 phonemes, whatever they are.
        first: Characters of a clause that is spoken in half a second.
    """

    letter: str
    most: int
    first: int


#: By the catalogue's names, and Hindi, which Qwen TTS does not speak.
LANGUAGES: Final = {
    "English": Language("a", 300, 40),
    "Chinese": Language("z", 70, 14),
    "Japanese": Language("j", 100, 20),
    "Spanish": Language("e", 300, 40),
    "French": Language("f", 300, 40),
    "Italian": Language("i", 300, 40),
    "Portuguese": Language("p", 300, 40),
    "Hindi": Language("h", 250, 35),
}
#: What the voices whose letter is ``b`` make of English.
BRITISH: Final = "British English"
#: By the first letter of a voice's name.
BY_LETTER: Final = {each.letter: name for name, each in LANGUAGES.items()} | {"b": "English"}
_SCRIPTS: Final = frozenset(
    {"LATIN", "CJK", "HIRAGANA", "KATAKANA", "HIRAGANA-KATAKANA", "KATAKANA-HIRAGANA", "HALFWIDTH", "FULLWIDTH",
     "DEVANAGARI", "IDEOGRAPHIC", "MODIFIER", "FEMININE", "MASCULINE", "MICRO", "GREEK", "SCRIPT", "DOUBLE-STRUCK"}
)  # fmt: skip
#: So many words tell their language by themselves; fewer do where the detector is as sure as this of one, and as sure
#: that it is not the other: "Hello." is half Italian to it.
_MANY_WORDS: Final = 6
_CLEAR, _UNLIKELY = 0.55, 0.25
#: Letters of Greek in a row are a word; one is a sign, and has a name.
_GREEK_WORD: Final = 2


def resolve(language_type: str, text: str, voice_language: str | None) -> str:
    """The language that a text is to be read in.

    Args:
        language_type: What the request says.
        text: The text.
        voice_language: The language of the voice that was named, where it is one of Kokoro's own.

    Raises:
        OptionError: There is no such language, or the voice does not speak it.
        TextError: The text has letters that it cannot read.
    """
    _check_script(text)
    language = tongue.named(language_type)
    if language == "Auto":
        return _detected(text, voice_language or "English")
    if language not in LANGUAGES:
        raise OptionError(
            f"The kokoro engine does not speak {language}.",
            remedy=f"It speaks {', '.join(LANGUAGES)}.",
            code="unknown_language",
        )
    return language


def of_piece(text: str, language: str) -> str:
    """The language of a piece of a text: English, where a text in another script quotes nothing but Latin letters."""
    if language not in ("Chinese", "Japanese", "Hindi"):
        return language
    letters = [one for one in text if one.isalpha()]
    return "English" if letters and all(one < "\u0250" for one in letters) else language


def _detected(text: str, otherwise: str) -> str:
    """The language that a text is in. A few words in Latin letters are in the expected one, unless it is clear."""
    found = tongue.detect(text, [*LANGUAGES])
    if found in ("", otherwise) or found not in tongue.LATIN or len(text.split()) >= _MANY_WORDS:
        return found or otherwise
    likely = tongue.likelihoods(text)
    is_clear = likely.get(found, 0.0) >= _CLEAR and likely.get(otherwise, 0.0) <= _UNLIKELY
    return found if is_clear or otherwise not in tongue.LATIN else otherwise


def _check_script(text: str) -> None:
    """Refuse letters that no reader knows.

    Raises:
        TextError: There are some.
    """
    run = 0
    for one in text:
        script = "" if one < "\u0250" or not one.isalpha() else unicodedata.name(one, "A").split(" ")[0].split("-")[0]
        run = run + 1 if script == "GREEK" else 0
        if (script and script not in _SCRIPTS and script != "HIRAGANA") or run >= _GREEK_WORD:
            raise TextError(
                f"The kokoro engine cannot read letters such as {one!r} ({script.capitalize()}).",
                remedy=f"It speaks {', '.join(LANGUAGES)}.",
            )
