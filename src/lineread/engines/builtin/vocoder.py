"""From the network's frames to samples: our own vocoder.

Owns the sound: pitch, formants, breath, roughness, brightness and level of a stand-in all happen here. Works on
float32, mostly in place; numpy lets go of the interpreter's lock in every step, so pieces are made side by side.

For each frame of 12.5 ms the network gives a harmonic branch (log magnitude and phase of a filter over 601
frequencies) that is driven by a train of pulses at the pitch, a residual branch (magnitude and phase) that carries
consonants and breath, and a noise branch. What is done with them, and why:

* The noise branch lies 26 dB and more below the others, and no measure hears it. It is left out.
* The filter means something only at multiples of the network's own pitch; between them it is arbitrary. Moved to
  another pitch as it stands, it sounds rough (DNSMOS 2.5 to 3.0). So its magnitude is smoothed along frequency with
  weights that count only those multiples, and its phase is that of a mean filter, as small as it can be (seven
  stand-ins with three texts each: DNSMOS 2.97 to 3.33, in the mean 3.18). The mean is the voice's, since a piece begins
  to sound before all of it is known; the mean of each piece did no better (3.19). A voice that is left at the
  network's own pitch keeps the network's own filter (3.43).
* Formants move by reading the envelopes at other frequencies. They are smooth enough for the nearest one to do.
* At the edges of voicing the network's pitch runs through values that nobody speaks. The pitch is carried on through
  what is unvoiced, and the voicing itself fades instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy import fft  # here and not at its first use: numpy loads it late, and then a first line would wait for it
from numpy.lib.stride_tricks import sliding_window_view

from lineread.engines.builtin.cast import OWN_PITCH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lineread.engines.builtin.cast import Reading, StandIn

    Floats = NDArray[np.float32]
    Complexes = NDArray[np.complex64]
    Flags = NDArray[np.bool_]

SAMPLE_RATE: Final = 24_000
#: Samples of one frame, and of the window around it.
HOP: Final = 300
WINDOW: Final = 4 * HOP
#: Frequencies of a frame, and hertz between them.
BINS: Final = WINDOW // 2 + 1
BIN: Final = SAMPLE_RATE / WINDOW

#: A frame with a higher pitch than this is voiced; the network's own voice does not go down there.
VOICED: Final = 90.0
#: Harmonics are made up to this frequency; above it the residual drowns them.
TOP: Final = 8000.0
HARMONIC_BINS: Final = int(TOP / BIN) + 20
#: The residual's largest log magnitude in a frame that can just be heard (-60 dBFS).
AUDIBLE: Final = -1.0

#: Frames whose spectra are made together: all that is needed for them stays in a core's own cache.
_BLOCK: Final = 192

#: hibari's mean log magnitude over the voiced frames of a 3,000-character story: its cepstrum from the second value on.
_CEPSTRUM: Final = (
    0.795, 0.727, 0.121, 0.033, 0.202, 0.276, 0.104, -0.014, 0.206, 0.121, -0.028, 0.138, 0.025, -0.034, -0.134,
    0.112, -0.050, -0.012, 0.021, 0.007, 0.031, -0.046, 0.067, 0.029, -0.091, 0.014, 0.040, -0.029, -0.047, -0.013,
)  # fmt: skip

#: Between these, in hertz, the melody moves, whatever the stand-in and the request make of it.
_EXTREMES: Final = (45.0, 700.0)
# What a roughness of 1 does: deviations of the pitch and of each pulse, and how much weaker every other pulse is.
_JITTER: Final = 0.03
_SHIMMER: Final = 0.15
_ALTERNATION: Final = 0.3

_HANN: Final = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
_ANALYSIS: Final = _HANN * np.float32(WINDOW / HOP)  # a harmonic of magnitude 1 then stays one; see `_spectra`
_SYNTHESIS: Final = _HANN / np.float32(1.5)  # what the four squared windows over each sample add up to
_RISE: Final = ((np.arange(HOP // 2) + 0.5) / HOP).astype(np.float32)
_OCTAVES: Final = np.log2(np.clip(np.arange(BINS) * BIN, 125, 8000) / 1000).astype(np.float32)
_DECIBEL: Final = np.float32(np.log(10) / 20)
_CEILING: Final = np.float32(7.0)  # of a log magnitude, as in the network's training


@dataclass(frozen=True, slots=True)
class Frames:
    """What the network says of a stretch of speech; rows are frames, columns are frequencies.

    Attributes:
        filter: Log magnitude of the harmonic branch.
        phase: Its phase, before ``pi * tanh``.
        residual: Log magnitude of the residual branch.
        residual_phase: Its phase.
        pitch: Hertz of each frame; around 0 where it is unvoiced.
    """

    filter: Floats
    phase: Floats
    residual: Floats
    residual_phase: Floats
    pitch: Floats

    def __len__(self) -> int:
        return len(self.pitch)

    def audible(self) -> Flags:
        """Which frames can be heard."""
        loudest: Floats = self.residual.max(axis=1)
        return loudest > AUDIBLE

    def cut(self, part: slice) -> Frames:
        """Some of the frames."""
        return Frames(
            self.filter[part], self.phase[part], self.residual[part], self.residual_phase[part], self.pitch[part]
        )


class Vocoder:
    """Turns the frames of one piece of speech into samples, stretch by stretch.

    However the piece is cut into stretches, the same arguments give the same bits.

    Args:
        pitch: Hertz of each frame of the piece, all of which is known before the first sound.
        reading: The stand-in, and where chance comes from.
    """

    def __init__(self, pitch: Floats, reading: Reading) -> None:
        self._voice = reading.voice
        self._plain = reading.voice.is_plain and not reading.drift
        self._source = _Source(pitch, reading)
        self._overlap = np.zeros((3, HOP), np.float32)
        self._early = 2  # hops before the first frame's middle

    def __call__(self, frames: Frames) -> Floats:
        """The samples that are complete with the next frames: up to two hops fewer than there are frames."""
        blocks = (frames.cut(slice(start, start + _BLOCK)) for start in range(0, len(frames), _BLOCK))
        hops = np.concatenate([self._add(block) for block in blocks])
        early, self._early = min(self._early, len(frames)), max(0, self._early - len(frames))
        return self._levelled(hops[early:])

    def rest(self) -> Floats:
        """The samples that were still waiting for frames, when there are no more."""
        return self._levelled(self._overlap[self._early : 2])

    def _add(self, frames: Frames) -> Floats:
        """As many hops as there are frames, which begin two hops earlier."""
        harmonics = _spectra(self._source.around(len(frames)))
        harmonics *= _own_filter(frames) if self._plain else _smooth_filter(frames, self._voice)
        spectrum = _residual(frames, self._voice)
        spectrum[:, :HARMONIC_BINS] += harmonics
        hops = _overlap_add(spectrum, self._overlap)
        self._overlap = hops[len(frames) :]
        return hops[: len(frames)]

    def _levelled(self, hops: Floats) -> Floats:
        samples: Floats = hops.reshape(-1) * np.float32(10 ** (self._voice.gain / 20))
        return samples


def to_pcm(samples: Floats) -> bytes:
    """The samples as signed 16-bit little-endian; what is too loud is cut, not wrapped."""
    scaled = samples * np.float32(32767)
    np.rint(scaled, out=scaled)
    np.clip(scaled, -32768, 32767, out=scaled)
    return scaled.astype("<i2").tobytes()


# -- The source: pulses at the pitch -----------------------------------------------------------------------------------


class _Source:
    """What drives the filter: a pulse for each cycle, with a stand-in's roughness and breath."""

    def __init__(self, pitch: Floats, reading: Reading) -> None:
        self._voice = reading.voice
        voiced = pitch > VOICED
        self._hertz = _edged(_melody(pitch, voiced, reading))
        self._voicing = _edged(voiced.astype(np.float32))
        self._shimmer, self._breath = _dice(reading, "shimmer"), _dice(reading, "breath")
        self._count = len(pitch)
        self._made = 0
        self._cycles = 0.0
        self._factors = np.empty(0, np.float32)
        self._recent = np.zeros(2 * HOP, np.float32)

    def around(self, frames: int) -> Floats:
        """The samples around the next frames: two hops before the first one, and one after the last one."""
        wanted = frames + 3 - len(self._recent) // HOP
        there = min(wanted, self._count - self._made)
        source = np.concatenate([self._recent, self._pulses(there), np.zeros((wanted - there) * HOP, np.float32)])
        self._made += there
        self._recent = source[-3 * HOP :]
        return source

    def _pulses(self, frames: int) -> Floats:
        """The next samples.

        All harmonics up to ``TOP`` have magnitude 1. In closed form they are a pulse train: the sum of cos(h t) for h
        from 1 to n is sin((n + 1/2) t) / (2 sin(t / 2)) - 1/2.
        """
        voice = self._voice
        part = slice(self._made, self._made + frames + 2)
        hertz = _per_sample(self._hertz[part])
        cycles = np.cumsum(np.concatenate([[self._cycles], hertz]), dtype=np.float64)[1:]
        self._cycles = cycles[-1] if frames else self._cycles
        cycles *= 1 / SAMPLE_RATE
        numbers = np.rint(cycles)
        cycles -= numbers
        half = cycles.astype(np.float32)  # t / 2, from 0 at a pulse to pi / 2 between two
        half *= np.float32(np.pi)
        np.abs(half, out=half)
        np.maximum(half, np.float32(1e-6), out=half)  # right at a pulse, the quotient's limit
        pulses = np.divide(np.float32(TOP), hertz, out=hertz)
        np.floor(pulses, out=pulses)
        pulses *= 2
        pulses += 1
        pulses *= half
        np.sin(pulses, out=pulses)
        np.sin(half, out=half)
        half *= 2
        pulses /= half
        pulses -= np.float32(0.5)
        pulses *= np.float32(voice.pitch**0.5)  # as much power, beside the residual, at any pitch
        if self._shimmer is not None and frames:
            pulses *= self._unevenness(numbers.astype(np.intp), self._shimmer)
        if self._breath is not None:
            pulses *= np.float32((1 - voice.breath**2) ** 0.5)
            pulses += np.float32(voice.breath) * _noise(len(pulses), self._breath)
        pulses *= _per_sample(self._voicing[part])
        return pulses

    def _unevenness(self, numbers: NDArray[np.intp], dice: np.random.Generator) -> Floats:
        """A factor for each sample, by its pulse: hoarse and old voices weaken every other one, and vary by chance."""
        known = len(self._factors)
        factors = 1 + _SHIMMER * self._voice.rough * dice.standard_normal(int(numbers[-1]) + 1 - known)
        factors[known % 2 :: 2] -= _ALTERNATION * self._voice.rough
        self._factors = np.concatenate([self._factors, factors.astype(np.float32)])
        each: Floats = self._factors[numbers]
        return each


def _melody(pitch: Floats, voiced: Flags, reading: Reading) -> Floats:
    """The pitch of each frame in the stand-in's voice, carried on through what is unvoiced."""
    voice = reading.voice
    places = np.arange(len(pitch))
    if voiced.any():
        movement = voice.range * np.interp(places, places[voiced], np.log(pitch[voiced] / OWN_PITCH))
    else:
        movement = np.zeros(len(pitch))
    if (dice := _dice(reading, "drift")) is not None:
        turns = np.arange(0, len(pitch) + 27, 27)  # a third of a second
        movement += np.interp(places, turns, reading.drift * np.log(2) / 12 * dice.standard_normal(len(turns)))
    if (dice := _dice(reading, "jitter")) is not None:
        movement += _JITTER * voice.rough * dice.standard_normal(len(pitch))
    hertz: Floats = np.clip(OWN_PITCH * voice.pitch * np.exp(movement), *_EXTREMES).astype(np.float32)
    return hertz


def _dice(reading: Reading, use: Literal["drift", "jitter", "shimmer", "breath"]) -> np.random.Generator | None:
    """Chance for one use, if the reading has that at all.

    Each has a generator of its own: what it gives does not depend on where the others have got to. Making one takes
    60 microseconds.
    """
    amounts = {
        "drift": reading.drift,
        "jitter": reading.voice.rough,
        "shimmer": reading.voice.rough,
        "breath": reading.voice.breath,
    }
    return np.random.default_rng([reading.seed, *use.encode()]) if amounts[use] else None


def _edged(curve: Floats) -> Floats:
    """A curve over frames with a neighbour for the first and the last one."""
    return np.concatenate([curve[:1], curve, curve[-1:]])


def _noise(count: int, dice: np.random.Generator) -> Floats:
    """White noise with the power that the pulses have in each hertz."""
    noise = dice.random(count, dtype=np.float32)  # its power is 1/12; a cosine's is 1/2, and there is one each pitch
    noise -= np.float32(0.5)
    noise *= np.float32((12 * SAMPLE_RATE / OWN_PITCH / 4) ** 0.5)
    return noise


def _per_sample(curve: Floats) -> Floats:
    """A value for each sample from one for each frame and its neighbours: straight lines between middles of frames."""
    before, here, after = curve[:-2, None], curve[1:-1, None], curve[2:, None]
    samples = np.empty((len(here), HOP), np.float32)
    first, second = samples[:, : HOP // 2], samples[:, HOP // 2 :]
    np.multiply(here - before, _RISE + np.float32(0.5), out=first)
    first += before
    np.multiply(after - here, _RISE, out=second)
    second += here
    return samples.reshape(-1)


# -- Spectra -----------------------------------------------------------------------------------------------------------


def _spectra(source: Floats) -> Complexes:
    """The spectrum around the middle of each frame, up to the last harmonic."""
    windows = sliding_window_view(source, WINDOW)[::HOP] * _ANALYSIS
    # "forward" divides by the length, which the analysis window makes up for. Without a divisor numpy leaves float32
    # and comes back, at seven times the cost.
    spectra: Complexes = fft.rfft(windows, axis=1, norm="forward")[:, :HARMONIC_BINS]  # type: ignore[assignment]  # numpy's stubs know complex128 only
    return spectra


def _own_filter(frames: Frames) -> Complexes:
    """The harmonic branch as the network has it."""
    angle = np.tanh(frames.phase[:, :HARMONIC_BINS])
    angle *= np.float32(np.pi)
    return _polar(np.minimum(frames.filter[:, :HARMONIC_BINS], _CEILING), angle)


def _smooth_filter(frames: Frames, voice: StandIn) -> Complexes:
    """The harmonic branch as it would be for any pitch, with the stand-in's formants."""
    columns = _moved(HARMONIC_BINS, voice.formants)
    envelope = np.take(_envelope(frames.filter[:, : columns[-1] + 1], frames.pitch), columns, axis=1)
    envelope += (_DECIBEL * np.float32(voice.tilt)) * _OCTAVES[:HARMONIC_BINS]
    filters: Complexes = np.exp(envelope, out=envelope) * _turn(voice.formants, voice.tilt)
    return filters


def _envelope(filter_: Floats, pitch: Floats) -> Floats:
    """A filter's log magnitude, smoothed over frequency; what counts is its value at multiples of the pitch."""
    cycles = (np.float32(2 * np.pi * BIN) / np.maximum(pitch, np.float32(VOICED))).astype(np.float32)
    weights = np.multiply.outer(cycles, np.arange(filter_.shape[1], dtype=np.float32))
    np.cos(weights, out=weights)
    weights += np.float32(1.1)  # never nothing, so that something is left where no multiple is near
    weights *= weights
    weights *= weights
    weights[:, :3] *= np.float32(1e-3)  # below any pitch the network says nothing
    values = np.clip(filter_, np.float32(-12), _CEILING)
    values *= weights
    values = _sum_around(values)
    values /= _sum_around(weights)
    return values


def _sum_around(rows: Floats) -> Floats:
    """For each value the sum of it and five to each side: multiples of a usual pitch are ten columns apart."""
    padded = np.pad(rows, ((0, 0), (5, 5)))
    two = padded[:, :-1] + padded[:, 1:]
    four = two[:, :-2] + two[:, 2:]
    sums = four[:, :-4] + four[:, 4:]
    shorter = sums[:, :-3]
    shorter += two[:, 8:-1]
    shorter += padded[:, 10:]
    return shorter


@lru_cache(maxsize=64)  # the cast has 48, and a request changes neither
def _turn(formants: float, tilt: float) -> Complexes:
    """How a stand-in's filter turns the phase of each frequency: the least that any filter of its magnitude does.

    It comes from the voice's mean filter, not from what is being said, which is not known yet when the sound begins.
    """
    places = np.arange(BINS) * (np.pi / (BINS - 1))
    mean = sum(2 * value * np.cos(place * places) for place, value in enumerate(_CEPSTRUM, 1))
    mean = np.take(mean, _moved(BINS, formants)) + _DECIBEL * np.float32(tilt) * _OCTAVES
    turn: Complexes = np.exp(1j * _minimum_phase(mean)[:HARMONIC_BINS]).astype(np.complex64)
    return turn


def _minimum_phase(log_magnitude: Floats) -> Floats:
    """The phase of the filter that has this magnitude and reacts as early as it can."""
    cepstrum = fft.irfft(log_magnitude, WINDOW)
    cepstrum[1 : WINDOW // 2] *= 2
    cepstrum[WINDOW // 2 + 1 :] = 0
    return fft.rfft(cepstrum).imag.astype(np.float32)


def _residual(frames: Frames, voice: StandIn) -> Complexes:
    """The residual branch with the stand-in's formants."""
    level = np.take(frames.residual, _moved(BINS, voice.formants), axis=1)
    level += (_DECIBEL * np.float32(voice.tilt)) * _OCTAVES
    return _polar(np.minimum(level, _CEILING, out=level), frames.residual_phase)


def _moved(count: int, formants: float) -> NDArray[np.intp]:
    """Which frequency of the network's to read for each of a stand-in's."""
    return np.minimum(np.rint(np.arange(count) / formants), BINS - 1).astype(np.intp)


def _polar(log_magnitude: Floats, angle: Floats) -> Complexes:
    """Complex numbers from the logarithm of their magnitude, and their angle."""
    magnitude = np.exp(log_magnitude)
    numbers = np.empty(magnitude.shape, np.complex64)
    np.multiply(magnitude, np.cos(angle), out=numbers.real)
    np.multiply(magnitude, np.sin(angle), out=numbers.imag)
    return numbers


def _overlap_add(spectrum: Complexes, before: Floats) -> Floats:
    """The hops that frames with these spectra reach, from two before the first one; ``before`` is what is there."""
    count = len(spectrum)
    windows = fft.irfft(spectrum, WINDOW, axis=1).reshape(count, 4, HOP)
    hops = np.zeros((count + 3, HOP), np.float32)
    hops[:3] = before
    synthesis = _SYNTHESIS.reshape(4, HOP)
    for hop in (3, 2, 1, 0):  # earlier frames first, as they were added when they came in a stretch before
        hops[hop : hop + count] += windows[:, hop] * synthesis[hop]
    return hops
