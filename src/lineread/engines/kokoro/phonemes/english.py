"""English: the rules and the table of phonemes that the built-in voice has.

The one place where this engine touches the built-in one. hibari was made for Kokoro's phonemes, so both come as they
are.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lineread.engines.builtin import package, tables
from lineread.engines.builtin.phonemes import Phonemizer

if TYPE_CHECKING:
    from collections.abc import Mapping


def vocabulary() -> Mapping[str, int]:
    """The number of each phoneme.

    Raises:
        ConfigError: hibari-tts is not installed, or broken.
    """
    numbers: dict[str, int] = json.loads(package.asset("vocab.json"))
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
