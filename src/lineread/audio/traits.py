"""What a recording of a voice is like: its pitch, its formants, its pace, its level, and how clean it is.

Owns the measuring, and nothing of what is made of it. Pure computation on samples. Importing it loads numpy.

Pitch is told by ``swift-f0``, a network of 14,000 weights; it also tells how sure it is that there is a pitch, which is
what speech is found by: a stretch of sound counts as speech if a part of it has a pitch. So a whisper is no speech
here. Syllables are counted as the humps of loudness that have a pitch (de Jong and Wempe, 2009).

Measured, on voices of three synthesizers with known settings:

==========  ===========================================================================================================
pitch       within 1 %, also with noise 5 dB below the speech
formants    :mod:`lineread.audio.formants`; too high by 10 % and more with white noise 20 dB below the speech, or pink
            noise 15 dB below it
pace        within 12 % from 2.5 to 6 syllables a second; a fifth too low at 7.5, where syllables melt into each other
noise       2 dB too low (the speech stands 22 dB above noise that is 20 dB below it), 5 dB where noise is as loud as
            speech
==========  ===========================================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from lineread.audio import formants

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from swift_f0 import SwiftF0

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

#: What everything but clipping is measured at: all of speech that tells a voice lies below 8 kHz.
RATE: Final = 16_000
#: Samples from one moment that is measured to the next, as ``swift-f0`` has it, and its seconds.
HOP: Final = 256
STEP: Final = HOP / RATE

#: Samples that are looked at around each moment.
_WINDOW: Final = 512
#: What is pitch of a voice, in hertz, and how sure the tracker is where there is one, as it was trained.
_PITCHES: Final = (50.0, 600.0)
_SURE: Final = 0.5
#: Where there is speech at all: what is lower is hum and wind. And where vowels are loud. In hertz.
_LOWEST: Final = 80.0
_VOWELS: Final = (450.0, 2500.0)
#: Silence, in decibels of full scale: nothing is less.
_SILENCE: Final = -100.0
#: Seconds below which nothing can be said, and the peak below which there is nothing to be heard.
_SHORTEST: Final = 0.1
_AUDIBLE: Final = 1e-4

#: Decibels below the loud parts of a recording that weak sounds of speech still have.
_WEAK: Final = 35.0
#: Decibels above the quiet parts from which something is heard, unless there is less than twice that between the two.
_HEARD: Final = 10.0
#: Moments of pitch that make a stretch of sound speech: 80 ms, a short vowel.
_VOWEL: Final = 5
#: Seconds of silence within a word, and of a pause to breathe.
_CLOSURE: Final = 0.25
BREATH: Final = 0.75
#: Moments around speech that still have some of it, or its echo.
_ECHO: Final = 6
#: Moments without speech that suffice to tell the noise: 0.1 s.
_ENOUGH: Final = 6
#: Parts of full scale, and of the loudest sample, beyond which a sample counts as cut off.
_FULL: Final = 0.995
_TOP: Final = 0.98
#: Decibels by which loudness falls between two syllables, and by which the weakest one lies below the loudest.
_DIP: Final = 3.0
_SYLLABLE: Final = 25.0
#: Decibels below the median of voiced moments that the clear ones have, and most of them whose formants are found.
_CLEAR: Final = 3.0
_MOST_MOMENTS: Final = 1500


@dataclass(frozen=True, slots=True)
class Traits:
    """What was measured.

    Attributes:
        seconds: Length of the recording.
        speech: Seconds in which somebody speaks.
        longest: Seconds of the longest stretch of speech with no pause that is longer than a breath.
        pitch: Median of the fundamental frequency where there is one, in hertz; 0 where nothing is voiced.
        spread: How far the pitch moves: half the distance from its 10th to its 90th percentile, in semitones.
        formants: Medians of the first three formants over voiced speech, in hertz; empty where nothing is voiced.
        pace: Syllables a second of speech.
        level: Level of the speech, in decibels of full scale.
        noise: Level of what is heard between the speech, in decibels of full scale.
        clipped: Share of the samples of speech that are cut off at the top.
    """

    seconds: float
    speech: float
    longest: float
    pitch: float
    spread: float
    formants: tuple[float, ...]
    pace: float
    level: float
    noise: float
    clipped: float


def measure(samples: NDArray[np.float32], sample_rate: int) -> Traits:
    """Measure a recording.

    Args:
        samples: One channel, full scale is 1.
        sample_rate: Samples a second.
    """
    return Recording(samples, sample_rate).traits()


class Recording:
    """A recording that is measured. What its measurements share is reckoned once.

    Args:
        samples: One channel, full scale is 1.
        sample_rate: Samples a second.

    Attributes:
        samples: As they were given.
        sample_rate: As it was given.
        seconds: Its length.
        peak: The loudest sample.
        audible: Whether there is anything to be measured. If not, nothing but ``traits`` may be asked for.
    """

    def __init__(self, samples: NDArray[np.float32], sample_rate: int) -> None:
        self.samples = samples
        self.sample_rate = sample_rate
        self.seconds = len(samples) / sample_rate
        self.peak = float(np.max(np.abs(samples), initial=0.0))
        self.audible = self.seconds >= _SHORTEST and self.peak >= _AUDIBLE

    def traits(self) -> Traits:
        """What it is like."""
        if not self.audible:
            return Traits(self.seconds, 0.0, 0.0, 0.0, 0.0, (), 0.0, _SILENCE, _SILENCE, 0.0)
        louder = 20 * float(np.log10(self.peak))
        pitches = self.pitch[self.voiced]
        return Traits(
            seconds=self.seconds,
            speech=float(np.count_nonzero(self.speech)) * STEP,
            longest=max((end - begin for begin, end in stretches(closed(self.speech, BREATH))), default=0) * STEP,
            pitch=float(np.median(pitches)) if len(pitches) else 0.0,
            spread=_spread(pitches),
            formants=self._formants(),
            pace=self._pace(),
            level=max(_mean_level(self._level[self.speech]) + louder, _SILENCE),
            noise=max(self._noise() + louder, _SILENCE),
            clipped=self._clipped(),
        )

    @cached_property
    def lower(self) -> NDArray[np.float32]:
        """It at :data:`RATE`, as loud as it can be."""
        import soxr  # noqa: PLC0415 - 0.1 s, as in lineread.audio.resample

        lower: NDArray[np.float32] = soxr.resample(self.samples, self.sample_rate, RATE)
        return lower / np.float32(self.peak)

    def windows(self, width: int, samples: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """What lies around each moment, so many samples at :data:`RATE`: a view of these, or of :attr:`lower`."""
        padded = np.pad(self.lower if samples is None else samples, (width // 2, width))
        windows: NDArray[np.float32] = np.lib.stride_tricks.sliding_window_view(padded, width)[::HOP]
        return windows[: len(self.pitch)]

    @cached_property
    def pitch(self) -> Floats:
        """Hertz at each moment; a guess where nothing is voiced."""
        return self._tracked[0]

    @cached_property
    def voiced(self) -> Mask:
        """The moments of speech that have a pitch."""
        return self._tracked[1] & self.speech

    @cached_property
    def speech(self) -> Mask:
        """The moments in which somebody speaks."""
        quiet, loud = np.percentile(self._level, (5, 95))
        heard = self._level > max(loud - _WEAK, quiet + min(_HEARD, (loud - quiet) / 2))
        voiced = self._tracked[1] & heard
        speech = np.zeros(len(heard), np.bool_)
        for begin, end in stretches(closed(heard, _CLOSURE)):
            speech[begin:end] = np.count_nonzero(voiced[begin:end]) >= _VOWEL
        return speech

    @cached_property
    def away(self) -> Mask:
        """The moments that have nothing of speech."""
        return ~_widened(self.speech, _ECHO)

    @cached_property
    def _tracked(self) -> tuple[Floats, Mask]:
        found = _tracker().detect(self.lower, RATE, *_PITCHES)
        return found.pitch_hz, found.confidence >= _SURE

    @cached_property
    def _power(self) -> Floats:
        """The power of each moment at multiples of 31 Hz."""
        window = np.hanning(_WINDOW)
        spectra = np.fft.rfft(self.windows(_WINDOW) * window, axis=1)
        power: Floats = np.abs(spectra) ** 2 * (2 / _WINDOW / np.sum(window**2))
        return power

    @cached_property
    def _level(self) -> Floats:
        return self._band(_LOWEST, RATE / 2)

    @cached_property
    def _loudness(self) -> Floats:
        """The level of what tells vowels from consonants."""
        return self._band(*_VOWELS)

    def _band(self, low: float, high: float) -> Floats:
        frequency = np.fft.rfftfreq(_WINDOW, 1 / RATE)
        power = self._power[:, (frequency >= low) & (frequency <= high)].sum(axis=1)
        decibels: Floats = 10 * np.log10(np.maximum(power, 1e-12))
        return decibels

    def _noise(self) -> float:
        """The level between the speech; where it never stops, the level of its quietest moments."""
        quiet = self._level[self.away]
        return float(np.median(quiet)) if len(quiet) >= _ENOUGH else float(np.percentile(self._level, 2))

    def _clipped(self) -> float:
        """Share of the samples of speech that stand at the top, or lie beyond it.

        Of speech that is not cut off hardly a sample comes near the loudest one, however loud that is.
        """
        total = float(np.count_nonzero(self.speech)) * STEP * self.sample_rate
        high = np.count_nonzero(np.abs(self.samples) >= min(_FULL, _TOP * self.peak))
        return min(float(high) / total, 1.0) if total else 0.0

    def _pace(self) -> float:
        """Syllables a second of speech."""
        count = np.count_nonzero(self.speech)
        if not count:
            return 0.0
        least = float(np.percentile(self._loudness[self.speech], 95)) - _SYLLABLE
        near = _widened(self.voiced, 1)
        humps = [at for at in _humps(self._loudness, _DIP) if self._loudness[at] > least and near[at]]
        return len(humps) / (float(count) * STEP)

    def _formants(self) -> tuple[float, ...]:
        if np.count_nonzero(self.voiced) < _VOWEL:
            return ()
        clear = self.voiced & (self._loudness >= np.median(self._loudness[self.voiced]) - _CLEAR)
        windows = self.windows(formants.WINDOW, formants.raised(self.lower))
        noise = formants.spectra(_some(windows, self.away)) if np.count_nonzero(self.away) >= _ENOUGH else None
        return formants.formants(formants.spectra(_some(windows, clear)), noise)


def closed(mask: Mask, seconds: float) -> Mask:
    """A mask of moments without its shorter gaps."""
    filled = mask.copy()
    for (_, end), (begin, _) in pairwise(stretches(mask)):
        if (begin - end) * STEP <= seconds:
            filled[end:begin] = True
    return filled


def stretches(mask: Mask) -> list[tuple[int, int]]:
    """Where a mask is true: beginnings and ends."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in zip(edges[::2], edges[1::2], strict=True)]


def _widened(mask: Mask, reach: int) -> Mask:
    """A mask of moments with so many more around each stretch."""
    widened: Mask = np.convolve(mask, np.ones(2 * reach + 1))[reach:-reach] > 0
    return widened


@cache
def _tracker() -> SwiftF0:
    from swift_f0 import SwiftF0  # noqa: PLC0415 - loads onnxruntime, which a recording of silence does not need

    import lineread._onnxruntime  # noqa: F401, PLC0415 - before it is loaded by somebody else

    return SwiftF0(threads=1, spin=False)


def _some(windows: NDArray[np.float32], mask: Mask) -> NDArray[np.float32]:
    at = np.flatnonzero(mask)
    return windows[at[:: len(at) // _MOST_MOMENTS + 1]]


def _mean_level(levels: Floats) -> float:
    return 10 * float(np.log10(np.mean(10 ** (levels / 10)))) if len(levels) else _SILENCE


def _spread(pitches: Floats) -> float:
    if not len(pitches):
        return 0.0
    low, high = np.percentile(pitches, (10, 90))
    return 6 * float(np.log2(high / low))


def _humps(values: Floats, dip: float) -> list[int]:
    """The highest points between falls of so much."""
    humps: list[int] = []
    highest = lowest = 0
    rising = True
    for at, value in enumerate(values.tolist()):
        if rising:
            if value >= values[highest]:
                highest = at
            elif value < values[highest] - dip:
                humps.append(highest)
                rising, lowest = False, at
        elif value <= values[lowest]:
            lowest = at
        elif value > values[lowest] + dip:
            rising, highest = True, at
    return humps
