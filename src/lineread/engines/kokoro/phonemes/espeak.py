"""Spanish, French, Italian, Portuguese and Hindi: the system's ``espeak-ng``.

Owns the call of the program and the table from its alphabet to Kokoro's. The text goes by standard input, where no
list of processes shows it, and marks stay here: the program would drop them.

Source of the table: the replacements that Kokoro's own reader, misaki, makes; and, for what Kokoro has no phoneme for,
its nearest one.
"""

from __future__ import annotations

import re
import subprocess
import unicodedata
from typing import Final

from lineread.engines import espeak_ng
from lineread.engines.kokoro import readers
from lineread.errors import ServiceFailed

#: Seconds that a piece of a sentence may take; it takes a hundredth of one.
_PATIENCE: Final = 20.0
#: Longest first where one begins like another. The tie is what ``--tie`` was told.
_TIE: Final = "^"
_PHONEMES: Final = {
    "a^ɪ": "I", "a^ʊ": "W", "d^z": "ʣ", "d^ʒ": "ʤ", "e^ɪ": "A", "o^ʊ": "O", "ə^ʊ": "Q", "s^s": "S", "t^s": "ʦ",
    "t^ʃ": "ʧ", "ɔ^ɪ": "Y",
    "g": "ɡ", "ʱ": "ʰ", "ɫ": "l", "ɭ": "l", "ɦ": "h", "ʐ": "ʒ", "ʑ": "ʒ", "ʏ": "y", "ɵ": "ø", "ɱ": "m", "ʝ": "ʝ",
    "ɝ": "ɜɹ", "ɬ": "l", "ɲʲ": "ɲ", "ʀ": "ʁ", "ɘ": "ə", "ɞ": "ɜ", "ɶ": "œ", "ʉ": "u", "ʍ": "w", "ƞ": "n", "ɧ": "ʃ",
    "ħ": "h", "ʕ": "ʔ", "ʜ": "h", "ʟ": "l", "ʙ": "b", "ɓ": "b", "ɗ": "d", "ɠ": "ɡ", "ʛ": "ɡ", "ʄ": "ɟ", "ɢ": "ɡ",
}  # fmt: skip
_REPLACED: Final = re.compile("|".join(sorted(map(re.escape, _PHONEMES), key=len, reverse=True)))
#: Where another language begins and ends, and signs of how a phoneme is joined to its neighbours.
_NO_SOUND: Final = re.compile(r"\(\^?[a-z^-]+\)|[\^\u200d\u0329\u032f\u0306\u031a\u02de\u203f_|-]")
#: Marks between which words are read; not the point of a decimal, nor the apostrophe of an elision.
_MARKS: Final = re.compile(r"(?:[;:,.!?…—–。।¿¡\"“”„«»()\[\]]+(?=\s|$|[;:,.!?…—–\"“”„«»()])|[;!?…—–।¿¡\"“”„«»()\[\]]+)")


class Espeak:
    """The readers of one language. Safe to call from several threads.

    Args:
        language: One of :data:`~lineread.engines.kokoro.readers.BY_ESPEAK`.

    Raises:
        ConfigError: The program is not installed.
    """

    def __init__(self, language: str) -> None:
        readers.check(language)
        self._command = [espeak_ng.find(), "-q", "--ipa", f"--tie={_TIE}", "-v", readers.BY_ESPEAK[language], "--stdin"]

    def __call__(self, text: str) -> str:
        """The phonemes of a text, and its marks as they are.

        Raises:
            ServiceFailed: The program failed.
        """
        said = ""
        place = 0
        for mark in _MARKS.finditer(text):
            said += self._read(text[place : mark.start()]) + mark[0]
            place = mark.end()
        return said + self._read(text[place:])

    def _read(self, piece: str) -> str:
        """The phonemes of words without marks, and the space around them."""
        words = piece.strip()
        if not any(map(str.isalnum, words)):
            return piece
        try:
            done = subprocess.run(  # noqa: S603 - the program that was found, and no argument of the user's
                self._command,
                input=words.encode(),
                capture_output=True,
                timeout=_PATIENCE,
                check=True,
                env=espeak_ng.ENVIRON,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise ServiceFailed("espeak-ng failed.", remedy="Try it by itself: `espeak-ng hello`.") from error
        said = phonemes(" ".join(done.stdout.decode(errors="replace").split()))
        return f"{' ' * piece[:1].isspace()}{said}{' ' * piece[-1:].isspace()}"


def phonemes(ipa: str) -> str:
    """Kokoro's phonemes for those of the program."""
    ipa = unicodedata.normalize("NFD", ipa).replace("c\u0327", "ç")
    return _NO_SOUND.sub("", _REPLACED.sub(lambda found: _PHONEMES[found[0]], ipa))
