"""What the built-in voice can read: English.

Owns the refusal of everything else. Letters that hibari does not know would be dropped without a word, and German read
by English rules helps nobody, so both are refused before anything is spoken. English is never refused: a text has to
say so clearly, with the small words of another language, and who names English as the language is believed.

Source of the word lists: the most frequent function words of each language, without those that are English words too.
"""

from __future__ import annotations

from typing import Final

from lineread.errors import TextError

#: How much of a text is looked at to tell its language; more of it would not change the answer.
_SAMPLE: Final = 4000
#: Small words of another language that are needed to believe it, and how many there must be for each English one.
_ENOUGH, _MAJORITY = 2, 2
#: One in so many words must be such a word: a name or a quotation in a list of English nouns is no proof.
_DENSITY: Final = 8

#: What people call a script that Unicode names otherwise.
_SCRIPTS: Final = {"CJK": "Chinese", "HIRAGANA": "Japanese", "KATAKANA": "Japanese", "HANGUL": "Korean"}
_MICRO: Final = "\xb5"  # a Greek letter for Unicode, a unit's prefix for hibari

_WORDS: Final = {
    "English": "the and of to is that it for was with are this be have from or by not but what all were we when your"
    " can said there an each which their will other about out many then them these so some her would him"
    " has more could been who its now my than only after also how our i you he she they if do did does"
    " don't it's i'm at his as had just like where why please hello good no yes",
    "German": "und der das ist nicht ein eine einen einem einer ich wir ihr sie mit auf für von dem den zu auch sich"
    " wie wird wurde haben aber oder nur noch nach bei aus über sind hat kann mein dein wenn dass guten",
    "French": "le les des est une et dans pour que qui pas avec sur ce cette il elle nous vous ils je tu du au aux"
    " mais ou où sont être avoir fait plus très c'est ça n'est j'ai d'un d'une l'on bonjour",
    "Spanish": "el los las una y que es en del por para su lo como pero más este esta está son muy también"
    " hay fue cómo estás cuando donde yo tú nosotros ustedes ser porque buenos hola",
    "Italian": "il gli una che è di del della dei delle sono non si lo nel nella anche come più questo questa"
    " ma ho ha io tu noi voi loro essere perché quando molto buongiorno ciao",
    "Portuguese": "os uma que é em do da dos das para com não por mais como mas foi ao ele ela isso este esta são"
    " está você eu nós muito também quando porque obrigado olá um",
}
_ENGLISH: Final = frozenset(_WORDS["English"].split())
_OTHERS: Final = {
    language: frozenset(words.split()) - _ENGLISH for language, words in _WORDS.items() if language != "English"
}


def check(text: str, language_type: str) -> None:
    """Refuse a text that the built-in voice cannot read.

    Args:
        text: The text.
        language_type: ``Auto`` or a language of the catalogue, as the catalogue spells it.

    Raises:
        TextError: It is not English, or has no words at all.
    """
    if language_type not in ("Auto", "English"):
        raise _unsupported(f"The built-in voice speaks English only, not {language_type}.")
    if not any(map(str.isalnum, text)):
        raise TextError("There is nothing to speak in the text.", remedy="Give some words.", code="nothing_to_speak")
    if not text.isascii():
        _check_script(text)
    if language_type == "Auto" and (language := _foreign(text)):
        raise _unsupported(
            f"The text looks {language}, and the built-in voice speaks English only.",
            " If it is English, say so with language_type English.",
        )


def _check_script(text: str) -> None:
    import unicodedata  # noqa: PLC0415 - most English is ASCII

    for letter in sorted({one for one in text if one > "\x7f" and one != _MICRO and one.isalpha()}):
        plain = unicodedata.normalize("NFKC", letter)
        if not any(one.isascii() or unicodedata.name(one, "").startswith(("LATIN", "MODIFIER")) for one in plain):
            script = unicodedata.name(letter, "UNKNOWN").split()[0]
            raise _unsupported(
                f"The built-in voice speaks English only; the text has {_SCRIPTS.get(script, script.title())} letters."
            )


def _foreign(text: str) -> str:
    """The language that a text in Latin letters is clearly written in, or nothing if that may be English."""
    words = [word.strip(".,;:!?\"'()[]«»“”„…¿¡—–-") for word in text[:_SAMPLE].replace("’", "'").split()]
    english = sum(word.lower() in _ENGLISH for word in words)
    words[:1] = [word.lower() for word in words[:1]]  # further in, a capital makes a name: Los Angeles, Las Vegas
    hits = {language: sum(word in small for word in words) for language, small in _OTHERS.items()}
    likely = max(hits, key=lambda language: hits[language])
    found = hits[likely]
    enough = found >= _ENOUGH and found > _MAJORITY * english and found * _DENSITY >= len(words)
    return likely if enough else ""


def _unsupported(message: str, hint: str = "") -> TextError:
    return TextError(
        message,
        remedy=f"Set DASHSCOPE_API_KEY to speak it with Qwen, or choose another engine.{hint}",
        code="language_unsupported",
    )
