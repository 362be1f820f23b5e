"""What the built-in voice can read: English.

Owns the refusal of everything else, and which letters are skipped. Letters that hibari does not know would be dropped
without a word, and German read by English rules helps nobody, so both are refused before anything is spoken; single
signs are skipped like emoji. English is never refused: what is another language's has to say so clearly (see
``english.neighbours``), and who names English as the language is believed.
"""

from __future__ import annotations

import re
from typing import Final

from lineread.english import neighbours, signs
from lineread.errors import TextError

#: What people call a script that Unicode names otherwise.
_SCRIPTS: Final = {"CJK": "Chinese", "HIRAGANA": "Japanese", "KATAKANA": "Japanese", "HANGUL": "Korean"}
#: Letters of phonetics, and marks that Unicode counts as letters.
_NO_SCRIPT: Final = frozenset({"LATIN", "MODIFIER"})
#: Stands for a letter that is skipped: it is no white space and no letter, and the rules drop it.
_MUTE: Final = "\u200b"
#: More accents on one letter than any language writes; cut apart, they would be pieces without sound.
_MANY_ACCENTS: Final = re.compile(r"(?<=[\u0300-\u036f\u20d0-\u20ff]{4})[\u0300-\u036f\u20d0-\u20ff]+")
_LATIN_WORD: Final = re.compile(r"[A-Za-z0-9\xc0-\u024f]+")
_GREEK: Final = "".join(signs.GREEK)
_MICRO: Final = "\xb5"  # a Greek letter for Unicode, a unit's prefix for hibari


def check(text: str, language_type: str) -> str:
    """Refuse a text that the built-in voice cannot read.

    Args:
        text: The text.
        language_type: ``Auto`` or a language of the catalogue, as the catalogue spells it.

    Returns:
        The text as it is to be read: as long, with a mute character for each letter that is skipped.

    Raises:
        TextError: It is not English, or has no words at all.
    """
    if language_type not in ("Auto", "English"):
        raise _unsupported(f"The built-in voice speaks English only, not {language_type}.")
    if not text.isascii():
        text = _muted(text, says_english=language_type == "English")
    if not any(map(_is_audible, text)):
        raise TextError("There is nothing to speak in the text.", remedy="Give some words.", code="nothing_to_speak")
    if language_type == "Auto" and (language := neighbours.foreign(text)):
        raise _unsupported(
            f"The text looks {language}, and the built-in voice speaks English only.",
            " If it is English, say so with language_type English.",
        )
    return text


def _is_audible(character: str) -> bool:
    if character in signs.NAMED:
        return True
    return character.isalnum() and (character.isascii() or signs.is_plain(character))


def _muted(text: str, *, says_english: bool) -> str:
    """The text without the letters that nobody can read to an English listener.

    Single ones are skipped as emoji are: a kaomoji's eye, a sign of phonetics. Words in another script are refused,
    unless the text is called English and has at least as many words that are.
    """
    unread = {one for one in set(text) if one > "\x7f" and one != _MICRO and one.isalnum() and not signs.is_plain(one)}
    text = _MANY_ACCENTS.sub(_mute, text)
    greek = re.findall(rf"[{_GREEK}\u0370-\u03ff\u1f00-\u1fff]{{2,}}", text)
    unread.update(letter for word in greek for letter in word)
    if not unread:
        return text
    pattern = re.compile(f"[{re.escape(''.join(sorted(unread)))}]+")
    words = [found for found in pattern.finditer(text) if _script(found[0][0])]
    strays = says_english or all(found.end() - found.start() == 1 for found in words)
    if words and not (strays and len(words) <= len(_LATIN_WORD.findall(text))):
        raise _unsupported(
            f"The built-in voice speaks English only; the text has {_script(words[0][0][0])} letters,"
            " the first at character {place}.",
            " Among English words they are skipped if language_type is English.",
            place=words[0].start(),
        )
    return pattern.sub(_mute, text)


def _mute(found: re.Match[str]) -> str:
    """Silence of the same length: one sign may be within a word, more of them are not worth a piece of their own."""
    return _MUTE if len(found[0]) == 1 else " " * len(found[0])


def _script(letter: str) -> str:
    """What people call the script that a letter is of; nothing for letters that are no language's own."""
    import unicodedata  # noqa: PLC0415 - most English is ASCII

    script = unicodedata.name(letter, "UNKNOWN").split()[0]
    return "" if script in _NO_SCRIPT else _SCRIPTS.get(script, script.title())


def _unsupported(message: str, hint: str = "", *, place: int | None = None) -> TextError:
    return TextError(
        message,
        place=place,
        remedy=f"Set DASHSCOPE_API_KEY to speak it with Qwen, or choose another engine.{hint}",
        code="language_unsupported",
    )
