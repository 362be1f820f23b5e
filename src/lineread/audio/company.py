"""What else a recording has in it than one speaker: steady tones, a second voice, or nothing above some frequency.

Owns these guesses. Importing it loads numpy.

Music is told by tones that stay where they are. Speech has none: its pitch moves all the time, and all harmonics with
it. Measured with chords and melodies from a synthesizer: tones are heard for 84 to 97 % of music, for 15 to 45 % of a
voice with music 10 dB below it, for 4 to 14 % at 20 dB; and for 0 % of 60 synthetic voices, the most monotonous ones
included. A sung vowel is a steady tone too, and so is the hum of the mains. Drums are none.

Two speakers are told by their pitches, and only where these are far apart and each has phrases of its own. Two men or
two women are not told apart, and one who acts two parts is taken for two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lineread.audio.traits import RATE, STEP, Recording, closed, stretches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

#: Samples of a window in which tones are looked for, and moments from one to the next: 128 ms, and 32 ms.
_WINDOW: Final = 2048
_EVERY: Final = 2
#: Where tones are looked for, in hertz; decibels that one stands above what is around it, in a stretch of so many
#: frequencies of 8 Hz; and decibels below the loudest that it still counts.
_TONES: Final = (150.0, 4000.0)
_ABOVE: Final = 9.0
_AROUND: Final = 32
_FAINT: Final = 45.0
#: How often in a row a tone is there that is steady: a quarter of a second, and the window. And how many it takes.
_STEADY: Final = 8
_CHORD: Final = 2

#: Moments of voice below which no two speakers are told: a second. And those of a phrase.
_FEW: Final = 60
_PHRASE: Final = 8
#: Semitones between two speakers at least; what each of them has of the speech; how little lies within a semitone of
#: the middle between them; and what of a phrase belongs to one of them.
_APART: Final = 8.0
_SHARE: Final = 0.15
_BETWEEN: Final = 0.06
_OWN: Final = 0.85
#: Seconds of silence within a phrase.
_PAUSE: Final = 0.08

#: Decibels below its loudest band that speech still has where nothing took it away, and the bands, in hertz.
_GONE: Final = 65.0
_BAND: Final = 250.0


def tones(recording: Recording) -> float:
    """Share of a recording in which steady tones are heard, as of music."""
    spectra = np.abs(np.fft.rfft(recording.windows(_WINDOW)[::_EVERY] * np.hanning(_WINDOW), axis=1)) ** 2
    levels: Floats = 10 * np.log10(spectra + 1e-9)
    low = round(_TONES[0] * _WINDOW / RATE)
    high = low + (round(_TONES[1] * _WINDOW / RATE) - low) // _AROUND * _AROUND
    band = levels[:, low:high]
    around = np.repeat(np.median(band.reshape(len(band), -1, _AROUND), axis=2), _AROUND, axis=1)
    peak = (band > levels[:, low - 1 : high - 1]) & (band >= levels[:, low + 1 : high + 1])
    least = np.percentile(levels.max(axis=1), 95) - _FAINT
    steady = peak & (band > least) & (band > around + _ABOVE)
    if len(steady) < _STEADY:
        return 0.0
    run = np.lib.stride_tricks.sliding_window_view(steady, _STEADY, axis=0).all(axis=2)
    return float(np.mean(run.sum(axis=1) >= _CHORD))


def speakers(recording: Recording) -> tuple[float, ...]:
    """The median pitches of two speakers, the lower one first; empty where there is but one, or none can tell."""
    voiced = recording.voiced
    pitch: Floats = 12 * np.log2(recording.pitch)
    heard = np.sort(pitch[voiced])
    if len(heard) < _FEW:
        return ()
    middle = _middle(heard)
    low, high = heard[heard < middle], heard[heard >= middle]
    apart = float(np.median(high) - np.median(low))
    between = float(np.mean(np.abs(heard - middle) < 1))
    if apart < _APART or min(len(low), len(high)) < _SHARE * len(heard) or between > _BETWEEN:
        return ()
    if _owned(pitch >= middle, voiced) < _OWN:
        return ()
    return tuple(float(2 ** (np.median(each) / 12)) for each in (low, high))


def highest(recording: Recording) -> float:
    """The frequency above which speech has nothing, in hertz: half the sample rate, or less where it was taken away."""
    rate, width = recording.sample_rate, 1 << (round(recording.sample_rate / 20).bit_length())
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(recording.samples, (0, width)), width)
    at = (np.flatnonzero(recording.voiced) * STEP * rate).astype(int)
    if not len(at):
        return rate / 2
    power = np.mean(np.abs(np.fft.rfft(windows[at[:: len(at) // 500 + 1]] * np.hanning(width), axis=1)) ** 2, axis=0)
    size = max(round(_BAND * width / rate), 1)
    bands = power[: len(power) // size * size].reshape(-1, size).mean(axis=1)
    there = np.flatnonzero(bands > bands.max() * 10 ** (-_GONE / 10))
    return min(float(there[-1] + 1) * size * rate / width, rate / 2)


def _middle(values: Floats) -> float:
    """Where sorted values fall into two groups as well as they can (Otsu)."""
    count, sums = np.arange(1, len(values)), np.cumsum(values)
    left, right = sums[:-1] / count, (sums[-1] - sums[:-1]) / (len(values) - count)
    at = int(np.argmax(count * (len(values) - count) * (right - left) ** 2))
    return float(values[at] + values[at + 1]) / 2


def _owned(side: Mask, voiced: Mask) -> float:
    """What of the phrases belongs to the one or the other."""
    owned = total = 0.0
    for begin, end in stretches(closed(voiced, _PAUSE)):
        phrase = side[begin:end][voiced[begin:end]]
        if len(phrase) >= _PHRASE:
            share = float(np.mean(phrase))
            owned += max(share, 1 - share) * len(phrase)
            total += len(phrase)
    return owned / total if total else 0.0
