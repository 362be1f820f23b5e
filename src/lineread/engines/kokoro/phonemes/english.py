"""English, by the rules and the table of phonemes of ``lineread.english``: hibari was made for Kokoro's phonemes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lineread.english import hibari, tables
from lineread.english.phonemes import Phonemizer

if TYPE_CHECKING:
    from collections.abc import Mapping


def vocabulary() -> Mapping[str, int]:
    """The number of each phoneme.

    Raises:
        ConfigError: hibari-tts is not installed, or broken.
    """
    numbers: dict[str, int] = json.loads(hibari.asset("vocab.json"))
    return numbers


class English:
    """American English. Safe to call from several threads.

    Raises:
        ConfigError: hibari-tts is not installed, or broken.
    """

    def __init__(self) -> None:
        self._phonemizer = Phonemizer(tables.unpack())

    def __call__(self, text: str) -> str:
        """The phonemes of a text.

        Raises:
            Refused: The rules break on it.
        """
        return self._phonemizer(text).phonemes
