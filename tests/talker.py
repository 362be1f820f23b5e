"""Somebody who talks without words: vowels of a known voice, so that what is measured of it can be compared.

A source of harmonics through five resonances, with syllables, a melody and pauses. Tones that stay, for music.
"""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import numpy as np
import soundfile

RATE = 24_000
#: Formants of a man (Peterson and Barney, 1952).
VOWELS = {
    "a": (730.0, 1090.0, 2440.0),
    "e": (530.0, 1840.0, 2480.0),
    "i": (270.0, 2290.0, 3010.0),
    "o": (570.0, 840.0, 2410.0),
    "u": (300.0, 870.0, 2240.0),
    "ae": (660.0, 1720.0, 2410.0),
}
_WIDTHS = (60, 90, 120, 150, 200)


@cache
def talk(
    seconds: float = 6.0,
    *,
    pitch: float = 120.0,
    scale: float = 1.0,
    vowels: str = "a e i o ae",
    syllables: float = 4.0,
    pause: float = 0.3,
    phrase: float = 2.4,
    rate: int = RATE,
) -> Any:
    """Samples of a talker.

    Args:
        seconds: How long.
        pitch: The middle of the melody, in hertz; it moves by two semitones around it.
        scale: Factor on all formants.
        vowels: Said one after the other.
        syllables: A second.
        pause: Seconds of silence after each phrase.
        phrase: Seconds of a phrase.
        rate: Samples a second.
    """
    time = np.arange(round(seconds * rate)) / rate
    melody = pitch * 2 ** (2 / 12 * np.sin(2 * np.pi * 0.9 * time))
    phase = 2 * np.pi * np.cumsum(melody) / rate
    said = vowels.split()
    number = (time * syllables).astype(int) % len(said)
    sound = np.zeros(len(time))
    for vowel in set(said):
        now = np.isin(number, [at for at, each in enumerate(said) if each == vowel])
        for harmonic in range(1, int(rate / 2 / melody.max())):
            gain = _gain(harmonic * melody[now], vowel, scale) / harmonic
            sound[now] += gain * np.cos(harmonic * phase[now])
    sound /= np.abs(sound).max()
    sound += 0.001 * np.random.default_rng(0).standard_normal(len(time))  # breath
    within = time * syllables % 1
    sound *= np.clip(np.minimum(within, 1 - within) * 8, 0.02, 1)
    sound *= (time + 0.2) % (phrase + pause) > pause
    return (sound * 0.5).astype(np.float32)


def chords(seconds: float = 6.0, rate: int = RATE) -> Any:
    """Samples of four chords, one a second, on something like a piano."""
    sound = np.zeros(round(seconds * rate))
    time = np.arange(rate) / rate
    notes = ((220.0, 261.6, 329.6), (174.6, 220.0, 261.6), (196.0, 246.9, 293.7), (261.6, 329.6, 392.0))
    for at in range(int(seconds)):
        for note in notes[at % 4]:
            for harmonic in range(1, 8):
                sound[at * rate : (at + 1) * rate] += np.sin(2 * np.pi * note * harmonic * time) / harmonic
        sound[at * rate : (at + 1) * rate] *= np.exp(-1.5 * time) * np.minimum(time / 0.01, 1)
    return (sound / np.abs(sound).max() * 0.5).astype(np.float32)


def file(samples: Any, rate: int = RATE, form: str = "WAV", subtype: str | None = None) -> bytes:
    """A whole audio file."""
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format=form, subtype=subtype)
    return out.getvalue()


def _gain(frequency: Any, vowel: str, scale: float) -> Any:
    """How much of each frequency five resonances let through."""
    first = VOWELS[vowel]
    gain = np.ones(len(frequency))
    for formant, width in zip((*first, first[2] + 1000, first[2] + 2000), _WIDTHS, strict=True):
        place = formant * scale
        gain *= place**2 / np.sqrt((place**2 - frequency**2) ** 2 + (width * scale * frequency) ** 2)
    return gain
