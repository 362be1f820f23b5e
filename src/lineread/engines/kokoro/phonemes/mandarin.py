"""Mandarin: from Han characters to Kokoro's phonemes.

Owns the table of syllables. Words are found by rjieba (the model was trained with a space between words), readings by
pypinyin, whose dictionary of phrases knows which of several readings a character has in a word.

Source of the table: the phonemes that Kokoro's own reader, misaki, gives for each syllable of Pinyin.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from lineread.engines.kokoro import readers
from lineread.engines.kokoro.phonemes import figures
from lineread.errors import TextError

_INITIALS: Final = {
    "b": "p", "p": "pʰ", "m": "m", "f": "f", "d": "t", "t": "tʰ", "n": "n", "l": "l", "g": "k", "k": "kʰ", "h": "x",
    "j": "ʨ", "q": "ʨʰ", "x": "ɕ", "zh": "ꭧ", "ch": "ꭧʰ", "sh": "ʂ", "r": "ɻ", "z": "ʦ", "c": "ʦʰ", "s": "s", "": "",
}  # fmt: skip
#: The tone goes where the 0 stands.
_FINALS: Final = {
    "a": "a0", "ai": "ai0", "an": "a0n", "ang": "a0ŋ", "ao": "au0", "e": "ɤ0", "ei": "ei0", "en": "ə0n", "eng": "ə0ŋ",
    "er": "ɚ0", "i": "i0", "ia": "ja0", "ian": "jɛ0n", "iang": "ja0ŋ", "iao": "jau0", "ie": "je0", "in": "i0n",
    "iou": "jou0", "ing": "i0ŋ", "iong": "jʊ0ŋ", "ong": "ʊ0ŋ", "ou": "ou0", "u": "u0", "uei": "wei0", "ua": "wa0",
    "uai": "wai0", "uan": "wa0n", "uen": "wə0n", "uang": "wa0ŋ", "ueng": "wə0ŋ", "uo": "wo0", "o": "wo0", "oh": "ɔ0",
    "v": "y0", "ve": "ɥe0", "van": "ɥɛ0n", "vn": "y0n", "io": "jɔ0", "ê": "ɛ0", "m": "m0", "n": "n0", "ng": "ŋ0",
    "hm": "hm0", "hng": "hŋ0",
}  # fmt: skip
#: The vowel that is written as an i after these.
_BUZZED: Final = dict.fromkeys(("zh", "ch", "sh", "r", "z", "c", "s"), "ɨ0")
_TONES: Final = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": ""}
#: How finals are written without an initial, and short.
_WRITTEN: Final = {
    "yi": "i", "ya": "ia", "yo": "io", "ye": "ie", "yao": "iao", "you": "iou", "yan": "ian", "yin": "in",
    "yang": "iang", "ying": "ing", "yong": "iong", "wu": "u", "wa": "ua", "wo": "uo", "wai": "uai", "wei": "uei",
    "wan": "uan", "wen": "uen", "wang": "uang", "weng": "ueng", "yu": "v", "yue": "ve", "yuan": "van", "yun": "vn",
    "o": "oh",
}  # fmt: skip
_SHORT: Final = {"iu": "iou", "ui": "uei", "un": "uen", "ue": "ve", "ün": "vn"}
_SYLLABLE: Final = re.compile(r"([zcs]h|[bpmfdtnlgkhjqxrzcsẑĉŝ]?)([a-zêü]+)([1-5])")
_HAN: Final = re.compile(r"[\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af]+")


class Mandarin:
    """Mandarin in simplified or traditional characters. Safe to call from several threads.

    Raises:
        ConfigError: A package is missing.
    """

    def __init__(self) -> None:
        try:
            import rjieba  # noqa: PLC0415 - of the extra `kokoro`
            from pypinyin import Style, lazy_pinyin  # noqa: PLC0415 - as above
        except ImportError as error:
            raise readers.lacking("Chinese") from error
        self._cut = rjieba.cut
        self._readings = functools.partial(lazy_pinyin, style=Style.TONE3, neutral_tone_with_five=True, errors="ignore")

    def __call__(self, text: str) -> str:
        """The phonemes of a text; what is neither a Han character nor a figure stays as it is.

        Raises:
            TextError: It has a character without a known reading.
        """
        return _HAN.sub(self._read, figures.spoken(text))

    def _read(self, run: re.Match[str]) -> str:
        words = (self._phonemes(word) for word in self._cut(run[0]))
        return f" {' '.join(filter(None, words))} "

    def _phonemes(self, word: str) -> str:
        readings = self._readings(word)
        if len(readings) != len(word):
            unknown = next((one for one in word if not self._readings(one)), word)
            raise TextError(
                f"The kokoro voice does not know how the character {unknown!r} is read.",
                remedy="Write another one, or speak it with another engine.",
            )
        return "".join(map(phonemes, readings))


@functools.cache
def phonemes(syllable: str) -> str:
    """The phonemes of a syllable such as ``zhong1``; none for what is no syllable."""
    found = _SYLLABLE.fullmatch(syllable)
    if found is None:
        return ""
    initial, final, tone = _parts(*found.groups())
    buzzed = _BUZZED.get(initial) if final == "i" else None
    sound = buzzed or _FINALS.get(final, "")
    return _INITIALS[initial] + sound.replace("0", _TONES[tone])


def _parts(initial: str, final: str, tone: str) -> tuple[str, str, str]:
    """A syllable's initial, full final and tone."""
    if not initial:
        return "", _WRITTEN.get(final, final), tone
    whole = initial + final
    if whole in _FINALS and whole not in ("ne", "me"):  # m, n, ng, hm and hng are syllables of their own
        return "", whole, tone
    if initial in ("j", "q", "x") and final[0] == "u":
        final = "v" + final[1:]
    final = final.replace("ü", "v")
    return initial, _SHORT.get(final, final), tone
