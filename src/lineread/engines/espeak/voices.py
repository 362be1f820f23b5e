"""Who stands in for a voice in which language, and how a request is read.

Owns the tables of espeak-ng's voices and variants, and what it cannot read.

Source: ``espeak-ng --voices`` and the variants' own files, release 1.51; its pitch option from ``setlengths.c`` and
``synthesize.h``: 50 is the voice's own pitch, 0 half and 99 twice of it, evenly in octaves.
"""

from __future__ import annotations

import math
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lineread import catalogue, tongue
from lineread.errors import TextError

if TYPE_CHECKING:
    from lineread.speech import Request

#: What espeak-ng calls the languages. Mandarin's plain ``cmn`` of 1.51 spells its own pinyin in English.
_VOICES: Final = {
    "English": "en-us",
    "German": "de",
    "Italian": "it",
    "Portuguese": "pt-br",
    "Spanish": "es",
    "French": "fr-fr",
    "Russian": "ru",
    "Korean": "ko",
    "Chinese": "cmn-latn-pinyin",
    "Japanese": "ja",
    "Hindi": "hi",
}
#: The languages; where a text leaves it open, it is the first one.
LANGUAGES: Final = tuple(_VOICES)
#: Variants for a gender and an age, and the factor on their pitch; several voices of a kind shall not sound alike.
_VARIANTS: Final = {
    ("female", "child"): (("f2", 1.4), ("f5", 1.3)),
    ("female", "young"): (("f2", 1.0), ("f3", 1.0), ("f5", 1.0), ("f2", 1.1)),
    ("female", "middle"): (("f1", 1.0), ("f3", 0.9)),
    ("female", "old"): (("f1", 0.85),),
    ("male", "child"): (("f3", 1.25), ("f1", 1.35)),
    ("male", "young"): (("m3", 1.0), ("m6", 1.0), ("m3", 1.1), ("m6", 1.1)),
    ("male", "middle"): (("m1", 1.0), ("m4", 1.0), ("m7", 1.0)),
    ("male", "old"): (("m8", 1.0), ("m8", 0.9)),
}
#: Loudness that brings each variant to the level of all other engines; measured in four languages.
_LEVELS: Final = {
    "f1": 67, "f2": 66, "f3": 78, "f5": 81, "m1": 90, "m3": 79, "m4": 81, "m6": 79, "m7": 67, "m8": 122,
}  # fmt: skip
#: Words a minute at a rate of 1, and what espeak-ng takes.
_PACE, _PACES = 165, (80, 450)
#: What its pitch option takes, and how much of that is an octave.
_PITCHES, _OCTAVE = (0, 99), 50
_KANJI: Final = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]")


@dataclass(frozen=True, slots=True)
class StandIn:
    """A voice of espeak-ng.

    Attributes:
        name: Its language and variant, such as ``de+f2``.
        pitch: Factor on the variant's pitch.
        level: Its loudness; 100 is the variant's own.
    """

    name: str
    pitch: float
    level: int

    @property
    def mark(self) -> str:
        """What tells it from any other."""
        return f"{self.name}@{self.pitch:g},{self.level}"

    def options(self, request: Request, text: str) -> tuple[str, ...]:
        """How the program is to speak some of a request's text. Each take but the first has a pace and a pitch."""
        pace, pitch = 1.0, 1.0
        if request.take > 1:
            seed = zlib.crc32(f"{request.take}|{request.voice}|{text}".encode())
            pace, pitch = 0.96 + 0.08 * (seed % 251) / 250, 0.95 + 0.1 * (seed % 241) / 240
        speed = _clamped(_PACE * request.rate * pace, _PACES)
        height = _clamped(_OCTAVE * (1 + math.log2(self.pitch * request.pitch * pitch)), _PITCHES)
        return "-v", self.name, "-s", str(speed), "-p", str(height), "-a", str(self.level)


def stand_in(request: Request) -> StandIn:
    """Who speaks a request that names a system voice and a language."""
    voice = catalogue.voice(request.voice)
    variants = _VARIANTS[voice.gender, voice.age]
    variant, pitch = variants[zlib.crc32(voice.id.encode()) % len(variants)]
    return StandIn(f"{_VOICES[request.language_type]}+{variant}", pitch, _LEVELS[variant])


def check(text: str, language: str) -> None:
    """Refuse what would be spelt or skipped instead of read.

    Raises:
        TextError: There is nothing to read, or it is in letters that the language is not written in.
    """
    if not any(map(str.isalnum, text)):
        raise TextError("There is nothing to speak in the text.", remedy="Give some words.", code="nothing_to_speak")
    if language == "Japanese" and _KANJI.search(text):
        raise TextError(
            "espeak-ng reads Japanese in kana only, and the text has kanji.",
            remedy="Write it in kana, or install a voice that reads them: lineread voices install kokoro",
            code="language_unsupported",
        )
    script = tongue.by_script(text, (language,))
    if script not in ("Latin", language) and any(map(str.isalpha, text)):
        raise TextError(
            f"The text is in letters that {language} is not written in.",
            remedy="Name its language with language_type, or leave that to Auto.",
            code="language_unsupported",
        )


def _clamped(value: float, bounds: tuple[int, int]) -> int:
    return min(max(round(value), bounds[0]), bounds[1])
