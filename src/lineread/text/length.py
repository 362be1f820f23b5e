"""How long a text takes to be spoken, before anybody speaks it.

Owns the estimate: so many seconds for each character, by its script. Source: Mandarin news readers speak some 4
characters a second, Japanese ones 8 kana, Korean ones 6 syllables; letters, digits and signs are fitted to the built-in
voice.
"""

from __future__ import annotations

import re
from typing import Final

_HAN: Final = "\u3005-\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_KANA: Final = "\u3040-\u30ff\uff66-\uff9f"
_HANGUL: Final = "\uac00-\ud7a3"
#: Seconds for each character of a script.
_SCRIPTS: Final = (
    (f"[{_HAN}]", 0.24),
    (f"[{_KANA}]", 0.125),
    (f"[{_HANGUL}]", 0.165),
    ("[0-9]", 0.22),
    ("[.,;:!?\u3001\u3002\uff01\uff0c\uff1a\uff1b\uff1f\u2026]", 0.15),  # where a voice rests
    (f"[^\\W\\d_{_HAN}{_KANA}{_HANGUL}]", 0.064),
)


def seconds(text: str, rate: float = 1.0) -> float:
    """About how long a text is when it is spoken, at a speaking rate."""
    return sum(len(re.findall(script, text)) * each for script, each in _SCRIPTS) / rate
