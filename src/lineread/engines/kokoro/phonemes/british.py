"""British English: hibari's British lexicon and rules, and what they leave out.

Owns the r that is spoken at the end of a word because the next one begins with a vowel ("four apples"), the "and" of
numbers above a hundred, dates with the day first, and readings of words that the lexicon has wrong. Phonemes are those
that Kokoro's British voices were trained on.

Source of the phonemes: the set that Kokoro's own reader, misaki, has for British English. Which words the lexicon has
wrong was found by comparing it with espeak-ng's reading of the 15,000 most frequent ones.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lineread.english import tables
from lineread.english.phonemes import Phonemizer

if TYPE_CHECKING:
    from lineread.english.phonemes import Utterance

_VOWEL: Final = "[ˈˌ]*[AIQWYaiuæɐɑɒɔəɛɜɪʊʌᵊ]"
#: An r that no vowel follows without a rest. Guesses at unknown words may have the mark of a long vowel behind it.
_UNHEARD: Final = re.compile(f"ɹː?(?! ?{_VOWEL}|j)")
#: What a word ends with, in letters and in sounds, when it has an r to lend; of figures, four has one.
_WRITTEN_R: Final = re.compile(r"(?:[rR][eE]?|4)\W*$")
_OPEN: Final = ("ə", "ː")
#: Vowels and flaps of hibari's names of signs ("slash", "greater than"): those are American in every English.
_AMERICAN: Final = str.maketrans("æT", "at")
_HUNDREDS: Final = re.compile(
    r"(?<![\w.,:/'’+-])(?<![\d)]\s)(?P<sign>[£€$]?)(?P<head>[1-9]\d{0,2}(?:,\d{3})*,\d|[1-9])(?P<rest>0[1-9]|[1-9]\d)"
    r"(?![\d)]|[.,:/'’–-]\d|\s\d|(?!(?:st|nd|rd|th)\b)\w|\s(?:hundred|thousand|[mbtr]+illion)\b)"
)
#: One kilometre, but a hundred and one kilometres: hibari would count by the last word alone.
_UNIT: Final = re.compile(r"\s?(?:°|[a-zA-Z]{1,3}\b)")
_CURRENCIES: Final = {"": "", "£": " pounds", "€": " euros", "$": " dollars"}
#: Day and month of a date in figures.
_DATE: Final = re.compile(r"(?<![\w./-])(\d{1,2})/(\d{1,2})(?=/(?:\d{4}|\d{2})(?![\w/]))")
_READINGS: Final = {
    "allen": "ˈalən", "beth": "bˈɛθ", "campbell": "kˈambᵊl", "chrysler": "kɹˈIzlə", "claire": "klˈɛː",
    "consult": "kənsˈʌlt", "davidson": "dˈAvɪdsən", "denied": "dɪnˈId", "diego": "dɪˈAɡQ", "donald": "dˈɒnᵊld",
    "doug": "dˈʌɡ", "dylan": "dˈɪlən", "eva": "ˈiːvə", "evans": "ˈɛvᵊnz", "felix": "fˈiːlɪks", "gallagher": "ɡˈaləhə",
    "geoff": "ʤˈɛf", "geoffrey": "ʤˈɛfɹi", "gibson": "ɡˈɪbsᵊn", "graves": "ɡɹˈAvz", "houses": "hˈWzɪz",
    "hugh": "hjˈuː", "irene": "ˈIɹiːn", "isabel": "ˈɪzəbɛl", "karen": "kˈaɹən", "leonard": "lˈɛnəd", "logan": "lˈQɡən",
    "logos": "lˈQɡQz", "louise": "luːˈiːz", "macmillan": "məkmˈɪlən", "malone": "məlˈQn", "matthew": "mˈaθjuː",
    "matthews": "mˈaθjuːz", "melanie": "mˈɛləni", "michelle": "mɪʃˈɛl", "murray": "mˈʌɹi", "natalie": "nˈatəli",
    "nathan": "nˈAθən", "nephew": "nˈɛfjuː", "omar": "ˈQmɑː", "reynolds": "ɹˈɛnᵊldz", "robertson": "ɹˈɒbətsᵊn",
    "ronald": "ɹˈɒnᵊld", "sean": "ʃˈɔːn", "sinclair": "sˈɪŋklɛː", "theresa": "təɹˈiːzə", "tours": "tˈʊəz",
    "transported": "tɹanspˈɔːtɪd", "vegas": "vˈAɡəs", "wallace": "wˈɒlɪs", "wifi": "wˈIfI", "z": "zˈɛd",
}  # fmt: skip


class British:
    """British English. Safe to call from several threads.

    Raises:
        ConfigError: hibari-tts is not installed, or broken.
    """

    def __init__(self) -> None:
        self._phonemizer = Phonemizer(tables.unpack(tables.BRITISH), variety=tables.BRITISH, readings=_READINGS)

    def __call__(self, text: str) -> str:
        """The phonemes of a text.

        Raises:
            Refused: The rules break on it.
        """
        text = _DATE.sub(r"\2/\1", _HUNDREDS.sub(_with_and, text))  # hibari takes the first one for the month
        return _UNHEARD.sub("", _linked(text, self._phonemizer(text)).translate(_AMERICAN))


def _with_and(number: re.Match[str]) -> str:
    """A number that hibari reads with "and": "105" as "100 and 5"."""
    sign, head, rest = number["sign"], number["head"], number["rest"].lstrip("0")
    if rest == "1" and not sign and _UNIT.match(number.string, number.end()):
        return number[0]
    return f"{head}00 and {rest}{_CURRENCIES[sign]}"


def _linked(text: str, said: Utterance) -> str:
    """Its phonemes, with the r of each word that is written with one at its end."""
    phonemes = ""
    reached = 0
    for word in said.words:
        if said.phonemes[: word.end].endswith(_OPEN) and _WRITTEN_R.search(text[slice(*word.span)]):
            phonemes += said.phonemes[reached : word.end] + "ɹ"
            reached = word.end
    return phonemes + said.phonemes[reached:]
