"""A text of one language, with words of others in it.

Owns the cut into stretches that one reader can read, and the last step to what the model takes: its marks and its
phonemes, nothing else. Readers are made when they are first needed; some take half a second.
"""

from __future__ import annotations

import re
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lineread.engines.kokoro import languages
from lineread.engines.kokoro.phonemes.english import English, vocabulary
from lineread.errors import LinereadError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LETTER: Final = r"[A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0370-\u03ff\u1e00-\u1eff]"
_WORD: Final = rf"{_LETTER}(?:[\d\u0300-\u036f]|{_LETTER})*(?:['’.&-]?(?:\d|{_LETTER})+)*"
_HAN: Final = r"\u3005-\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_KANA: Final = r"\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9f"
_INDIAN: Final = r"\u0900-\u0963\u0966-\u097f"
#: Stretches that are not the language's own, by the script that it is written in.
_LATIN_WORDS: Final = rf"(?P<latin>{_WORD}(?:[ ,]+{_WORD})*)"
_EAST_ASIAN: Final = rf"(?P<asian>[{_HAN}{_KANA}](?:[{_HAN}{_KANA}\d、，。！？：；…]*[{_HAN}{_KANA}。！？])?)"
_JAPANESE: Final = rf"(?P<kana>[{_HAN}]*[{_KANA}][{_HAN}{_KANA}]*)"
_HINDI: Final = rf"(?P<indian>[{_INDIAN}]+(?:[ ,]+[{_INDIAN}]+)*)"
_FOREIGN: Final = {
    "Chinese": re.compile(f"{_LATIN_WORDS}|{_JAPANESE}|{_HINDI}"),
    "Japanese": re.compile(f"{_LATIN_WORDS}|{_HINDI}"),
    "Hindi": re.compile(f"{_LATIN_WORDS}|{_EAST_ASIAN}"),
}
_FOREIGN_TO_LATIN: Final = re.compile(f"{_EAST_ASIAN}|{_HINDI}")
_ANY_KANA: Final = re.compile(f"[{_KANA}]")
_ANY_HAN: Final = re.compile(f"[{_HAN}]+")
#: Marks as the model knows them.
_MARKS: Final = str.maketrans(
    {
        "，": ", ", "、": ", ", "。": ". ", "．": ". ", "！": "! ", "？": "? ", "：": ": ", "；": "; ", "।": ". ",
        "॥": ". ", "「": " “", "」": "” ", "『": " “", "』": "” ", "《": " “", "》": "” ", "〈": " “", "〉": "” ",
        "【": " (", "】": ") ", "«": " “", "»": "” ", "„": " “", "〝": " “", "〟": "” ", "（": " (", "）": ") ",
        "[": " (", "]": ") ", "–": "—", "・": " ", "·": " ", "～": "—", "〜": "—", "~": "—", "¿": "", "¡": "",
        "\u3000": " ", "'": "", "’": "", "‘": "",
    }
)  # fmt: skip
_RESTS: Final = re.compile(r"\s+(?=[;:,.!?…”)])|(?<=[“(])\s+")
_REPEATED: Final = re.compile(r"([;:,])[;:,]+")


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as the model reads it.

    Attributes:
        phonemes: One character for each.
        ids: The same as the model's numbers.
        unknown: Letters that a reader gave and the model does not know; they are left out.
    """

    phonemes: str
    ids: tuple[int, ...]
    unknown: str = ""


class Phonemizer:
    """Reads texts in all languages of the voice. Safe to call from several threads."""

    def __init__(self) -> None:
        self._vocabulary = vocabulary()
        self._lock = threading.Lock()
        self._readers: dict[str, Callable[[str], str]] = {}

    def __call__(self, text: str, language: str, english: str = "English") -> Reading:
        """The phonemes of a text.

        Args:
            text: Words of the language, and maybe of others.
            language: One of ``languages.LANGUAGES``.
            english: What reads English, in whatever language it stands: ``English`` or ``languages.BRITISH``.

        Raises:
            TextError: A character has no known reading.
            EngineError: A reader failed.
            ConfigError: What reads it is not installed.
        """
        said = ""
        for its, piece in self._stretches(text, language):
            words = self._read(piece, english if its == "English" else its)
            said += words if its == language else f" {words} "
        said = " ".join(_RESTS.sub("", said.translate(_MARKS)).split())
        said = _REPEATED.sub(r"\1", said)
        known = "".join(one for one in said if one in self._vocabulary).strip()
        unknown = "".join(one for one in said if one not in self._vocabulary and one.isalpha())
        return Reading(known, tuple(self._vocabulary[one] for one in known), unknown)

    def load(self, reader: str) -> None:
        """Make a reader ready. Raises nothing: the first text will meet the same error, and tell it."""
        with suppress(LinereadError):
            self._reader(reader)

    def _read(self, text: str, reader: str) -> str:
        said = self._reader(reader)(text)
        if reader == "Japanese":  # a character that only Chinese has
            said = _ANY_HAN.sub(lambda found: f" {self._reader('Chinese')(found[0])} ", said)
        return said

    def _stretches(self, text: str, language: str) -> Iterator[tuple[str, str]]:
        """Which language is where, in order."""
        place = 0
        for found in _FOREIGN.get(language, _FOREIGN_TO_LATIN).finditer(text):
            reader = self._foreign(found, language)
            if reader == language:
                continue
            if found.start() > place:
                yield language, text[place : found.start()]
            yield reader, found[0]
            place = found.end()
        if place < len(text):
            yield language, text[place:]

    def _foreign(self, found: re.Match[str], language: str) -> str:
        if found.lastgroup == "latin":
            return language if language == "Japanese" and self._is_japanese(found[0]) else "English"
        if found.lastgroup == "indian":
            return "Hindi"
        return "Japanese" if _ANY_KANA.search(found[0]) else "Chinese"

    def _is_japanese(self, words: str) -> bool:
        from lineread.engines.kokoro.phonemes.japanese import Japanese  # noqa: PLC0415 - see `_made`

        reader = self._reader("Japanese")
        assert isinstance(reader, Japanese)
        return all(map(reader.knows, words.replace(",", " ").split()))

    def _reader(self, name: str) -> Callable[[str], str]:
        with self._lock:
            if name not in self._readers:
                self._readers[name] = self._made(name)
            return self._readers[name]

    def _made(self, name: str) -> Callable[[str], str]:
        # Each of these loads dictionaries, and most texts need one of them.
        if name == "English":
            return English()
        if name == languages.BRITISH:
            from lineread.engines.kokoro.phonemes.british import British  # noqa: PLC0415 - see above

            return British()
        if name == "Chinese":
            from lineread.engines.kokoro.phonemes.mandarin import Mandarin  # noqa: PLC0415 - see above

            return Mandarin()
        if name == "Japanese":
            from lineread.engines.kokoro.phonemes.japanese import Japanese  # noqa: PLC0415 - see above

            return Japanese()
        from lineread.engines.kokoro.phonemes.espeak import Espeak  # noqa: PLC0415 - see above

        return Espeak(name)
