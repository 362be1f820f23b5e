"""Everyday sentences, twenty in each language, for tests that tell languages apart or speak them."""

from __future__ import annotations

from pathlib import Path
from typing import Final


def _read() -> dict[str, list[str]]:
    parts = Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").removeprefix("# ").split("\n# ")
    return {lines[0]: lines[1:] for part in parts if (lines := part.strip().splitlines())}


SENTENCES: Final = _read()
#: Chinese with English words in it.
MIXED_CHINESE: Final = SENTENCES.pop("Chinese with English words")
