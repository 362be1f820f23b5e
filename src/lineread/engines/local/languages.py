"""Which language each sentence of a text is in.

Owns the judgement over all that is known: the letters, the small words of English and its neighbours, which the
built-in voice goes by (``english.neighbours``), the detector (``tongue``), and the other sentences. English is
believed where nothing speaks clearly against it, and then no detector is loaded.

Measured on 93,200 docstrings of Python's library, their paragraphs, lines, clauses and lines in capitals, and lines of
its code: all but one line of code are taken for English. Of 180 everyday German, Italian, Portuguese, Spanish and
French lines of 2 to 15 words, each alone, 173 are taken for what they are, and the others for English.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from lineread import tongue
from lineread.english import neighbours

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

#: Roughly a sentence: where nothing is spoken yet, it does not matter that an abbreviation ends one.
_SENTENCE: Final = re.compile(r"[^.!?。！？…\n]+[.!?。！？…\n]*")
_NOT_ENGLISH: Final = tuple(language for language in tongue.LATIN if language != "English")
#: A line that may be English is another language's if the detector is as sure as that, and as sure that it is not.
_SURE, _NOT_SURE = 0.8, 0.05
#: What the detector has to give where the small words name none of these languages, or there is another main one.
_CLEAR: Final = 0.5
#: A sentence of fewer words is in the language of the text around it.
_FEWEST_WORDS: Final = 3
#: So many characters are judged sentence by sentence before anything is spoken: a book shall begin soon. Further on,
#: what is in Latin letters counts as the main language; in a text of several, each sentence is judged as it comes.
_JUDGED: Final = 50_000
#: Words of a text in Latin letters that are looked at to tell its main language.
_SAMPLE: Final = 1000


def sort(text: str, spoken: Callable[[], Collection[str]]) -> dict[str, str]:
    """The text's sentences by language, the language with most of the text first.

    Args:
        text: The text.
        spoken: Tells the languages that something can speak. In an English text, a sentence in another one of Latin
            letters is left to the English voice.

    Returns:
        For each language its sentences; under an empty name what is in none of them. Nothing for a text without
        letters.
    """
    sentences = [found[0] for found in _SENTENCE.finditer(text)] or [text]
    scripts = [tongue.by_script(sentence) for sentence in sentences]
    main = _main(sentences, scripts)
    sorted_: dict[str, list[str]] = {}
    judged = 0
    for sentence, script in zip(sentences, scripts, strict=True):
        judged += len(sentence)
        alike = script == "Latin" and (len(sentences) == 1 or (main and judged > _JUDGED))
        language = main if alike else _language(sentence, script, main)
        if main == "English" and language != main and script == "Latin" and language not in spoken():
            language = main
        if language or _has_letters(sentence):
            sorted_.setdefault(language, []).append(sentence)
    joined = {language: "".join(parts) for language, parts in sorted_.items()}
    order = sorted(joined, key=lambda language: (-len(joined[language]), language != main))
    return {language: joined[language] for language in _with_main_first(order, main)}


def language(sentence: str, among: Sequence[str]) -> str:
    """The language of one sentence of a text.

    Args:
        sentence: The sentence.
        among: The languages of its text, as :func:`sort` puts them.
    """
    main = next((each for each in among if each in tongue.LATIN), "")
    found = _language(sentence, tongue.by_script(sentence, among), main)
    if found in among:
        return found
    return main if main and found in tongue.LATIN else among[0]


def foreign_name(text: str) -> str:
    """What a language that nothing here speaks is called, or else its letters, as far as that is known."""
    if tongue.by_script(text) == "Latin":
        name = neighbours.foreign(text)
        return "" if name == "foreign" or name in tongue.LANGUAGES else name
    letter = next((each for each in text if each.isalpha() and not each.isascii()), "")
    return unicodedata.name(letter, "").partition(" ")[0].title()


def _main(sentences: Sequence[str], scripts: Sequence[str]) -> str:
    """The language of most of what is in Latin letters."""
    sample = ""
    for sentence, script in zip(sentences, scripts, strict=True):
        if script == "Latin":
            sample += sentence
        if len(sample) >= _SAMPLE:
            break
    return _latin(sample) if sample else ""


def _language(sentence: str, script: str, main: str) -> str:
    if script != "Latin":
        return script
    if main in ("", "English"):
        return _latin(sentence)
    likely = tongue.likelihoods(sentence)
    best = max(tongue.LATIN, key=lambda each: likely.get(each, 0.0))
    clear = likely.get(best, 0.0) >= _CLEAR and len(sentence.split()) >= _FEWEST_WORDS
    return main if not clear or (best == "English" and neighbours.foreign(sentence)) else best


def _latin(text: str) -> str:
    """The language of a text in Latin letters by itself; nothing for one that is none of :data:`tongue.LATIN`."""
    if name := neighbours.foreign(text):
        found = tongue.detect(text, _NOT_ENGLISH)
        sure = name in tongue.LATIN or tongue.likelihoods(text).get(found, 0.0) >= _CLEAR
        return found if sure else ""
    return (_clearly(tongue.likelihoods(text)) if neighbours.in_doubt(text) else "") or "English"


def _clearly(likely: Mapping[str, float]) -> str:
    """Another language than English, if it is that for sure."""
    best = max(_NOT_ENGLISH, key=lambda each: likely.get(each, 0.0))
    return best if likely.get(best, 0.0) >= _SURE and likely.get("English", 0.0) < _NOT_SURE else ""


def _has_letters(text: str) -> bool:
    return any(map(str.isalpha, text))


def _with_main_first(order: list[str], main: str) -> list[str]:
    """The same languages, with the main one before all others in Latin letters."""
    latin = [at for at, each in enumerate(order) if each in tongue.LATIN]
    if main and main in order and order[latin[0]] != main:
        order.remove(main)
        order.insert(latin[0], main)
    return order
