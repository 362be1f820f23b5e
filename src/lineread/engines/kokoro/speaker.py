"""The loaded voice: text in, samples out.

Owns how a piece of text becomes sound: phonemes, calls of the network, pitch, and the first and last silence. Knows
nothing of events or engines; several threads may use it at once.

The network has no pitch of its own to set. It is made to speak slower by the factor, and the sound is then played
faster by the same one: pitch and resonances rise together, as a smaller person's are higher, and the time stays.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lineread.engines.kokoro import cast
from lineread.engines.kokoro.model import MOST_PHONEMES
from lineread.speech import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineread.engines.kokoro.model import Floats, Network
    from lineread.engines.kokoro.phonemes.mixed import Phonemizer

#: What keeps the network intelligible.
_PACES: Final = (0.4, 2.5)
#: Silence ends where a hundredth of the loudest sample is heard, and keeps so many seconds.
_SILENCE: Final = 0.01
_MARGIN: Final = 0.03
#: Seconds between two calls that belong to one sentence.
_REST: Final = 0.12
#: Styles for a few more or fewer phonemes sound a little different: that is another take.
_NEAR: Final = 40


@dataclass(frozen=True, slots=True)
class Manner:
    """How a piece of text is spoken.

    Attributes:
        language: The language that it is read in.
        voice: One of Kokoro's voices.
        rate: Factor on the speaking rate.
        pitch: Factor on the pitch.
        take: Which reading, from 1.
    """

    language: str
    voice: str
    rate: float = 1.0
    pitch: float = 1.0
    take: int = 1


class Speaker:
    """Readers and network together.

    Args:
        network: Makes sound of phonemes.
        phonemizer: Makes phonemes of text.
    """

    def __init__(self, network: Network, phonemizer: Phonemizer) -> None:
        self._network = network
        self._phonemizer = phonemizer

    def speak(self, text: str, manner: Manner) -> bytes:
        """The sound of a sentence or some. The same arguments give the same bytes.

        Raises:
            TextError: A character has no known reading.
            EngineError: It cannot be spoken.
            ConfigError: What reads the language is not installed.
        """
        reading = self._phonemizer(text, manner.language, cast.reader(manner.voice, "English"))
        table = self._network.table(manner.voice)
        pace, shift = _variation(text, manner)
        rest = np.zeros(int(_REST * SAMPLE_RATE), np.float32)
        parts: list[Floats] = []
        for start, end in calls(reading.phonemes):
            row = min(max(end - start - 1 + shift, 0), len(table) - 1)
            parts += [rest] * bool(parts)
            parts.append(_trimmed(self._network.speak(reading.ids[start:end], table[row], pace)))
        if not parts:
            return b""
        return _pcm(_higher(np.concatenate(parts), manner.pitch))


def calls(phonemes: str) -> Iterator[tuple[int, int]]:
    """How to cut phonemes for the network: after a rest if possible, else between words, else anywhere."""
    start = 0
    while len(phonemes) - start > MOST_PHONEMES:
        window = phonemes[start : start + MOST_PHONEMES]
        rest = max(window.rfind(mark + " ") for mark in ";:,.!?—…")
        end = start + ((rest + 2 if rest > MOST_PHONEMES // 2 else window.rfind(" ") + 1) or MOST_PHONEMES)
        yield start, end
        start = end
    if phonemes[start:].strip(' ;:,.!?—…"“”()'):
        yield start, len(phonemes)


def _variation(text: str, manner: Manner) -> tuple[float, int]:
    """The pace that the network is asked for, and by how many rows another take's style lies beside."""
    pace = manner.rate / manner.pitch
    shift = 0
    if manner.take > 1:
        seed = zlib.crc32(f"{manner.take}|{manner.voice}|{text}".encode())
        pace *= 0.96 + 0.08 * (seed % 1000) / 1000
        shift = (seed >> 10) % _NEAR + 8
    return min(max(pace, _PACES[0]), _PACES[1]), shift


def _trimmed(sound: Floats) -> Floats:
    """A sound without the silence around it."""
    loud = np.abs(sound)
    heard = np.flatnonzero(loud > _SILENCE * loud.max(initial=0.0))
    if not len(heard):
        return sound[:0]
    margin = int(_MARGIN * SAMPLE_RATE)
    return sound[max(0, int(heard[0]) - margin) : int(heard[-1]) + margin]


def _higher(sound: Floats, pitch: float) -> Floats:
    """A sound played faster by a factor."""
    if pitch == 1:
        return sound
    import soxr  # noqa: PLC0415 - 0.1 s that only another pitch has to pay

    higher: Floats = soxr.resample(sound, SAMPLE_RATE * pitch, SAMPLE_RATE, quality="HQ")
    return higher


def _pcm(sound: Floats) -> bytes:
    return np.clip(np.rint(sound * 32767), -32768, 32767).astype("<i2").tobytes()
