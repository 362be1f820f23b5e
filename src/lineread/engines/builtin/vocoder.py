"""From the network's frames to samples: our own vocoder.

Owns the sound: pitch, formants, breath, roughness, brightness and level of a stand-in all happen here. Works on
float32, mostly in place; numpy lets go of the interpreter's lock in every step, so pieces are made side by side.

For each frame of 12.5 ms the network gives a harmonic branch (log magnitude and phase of a filter over 601
frequencies) that is driven by a train of pulses at the pitch, a residual branch (magnitude and phase) that carries
consonants and breath, and a noise branch. What is done with them, and why:

* The noise branch lies 26 dB and more below the others, and no measure hears it. It is left out.
* The filter means something only at multiples of the network's own pitch; between them it is arbitrary. Moved to
  another pitch as it stands, it sounds rough (DNSMOS 2.5 to 3.0). So its magnitude is smoothed along frequency with
  weights that count only those multiples, and its phase is replaced by the minimum phase of the piece's mean filter
  (DNSMOS 3.1 to 3.5). A voice that is left at the network's own pitch keeps the network's own filter (3.45).
* Formants move by reading the envelopes at other frequencies. They are smooth enough for the nearest one to do.
* At the edges of voicing the network's pitch runs through values that nobody speaks. The pitch is carried on through
  what is unvoiced, and the voicing itself fades instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

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
_OCTAVES: Final = np.log2(np.clip(np.arange(BINS) * BIN, 125, 8000) / 1000).astype(np.float32)[:, None]
_DECIBEL: Final = np.float32(np.log(10) / 20)
_CEILING: Final = np.float32(7.0)  # of a log magnitude, as in the network's training


@dataclass(frozen=True, slots=True)
class Frames:
    """What the network says of a piece of speech; rows are frequencies, columns are frames.

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
        loudest: Floats = self.residual.max(axis=0)
        return loudest > AUDIBLE

    def cut(self, start: int, end: int) -> Frames:
        """The frames from ``start`` up to ``end``."""
        return Frames(
            self.filter[:, start:end],
            self.phase[:, start:end],
            self.residual[:, start:end],
            self.residual_phase[:, start:end],
            self.pitch[start:end],
        )


def synthesize(frames: Frames, reading: Reading) -> Floats:
    """Samples, ``HOP`` for each frame, mostly between -1 and 1. The same arguments give the same bits."""
    voice = reading.voice
    dice = np.random.default_rng(reading.seed) if voice.breath or voice.rough or reading.drift else None
    voiced = frames.pitch > VOICED
    harmonics = _spectra(_source(_melody(frames.pitch, voiced, reading, dice), voiced, voice, dice))
    if voice.is_plain and not reading.drift:
        harmonics *= _own_filter(frames)
    else:
        harmonics *= _smooth_filter(frames, voiced, voice)
    spectrum = _residual(frames, voice)
    spectrum[:HARMONIC_BINS] += harmonics
    samples = _overlap_add(spectrum)
    samples *= np.float32(10 ** (voice.gain / 20))
    return samples


def to_pcm(samples: Floats) -> bytes:
    """The samples as signed 16-bit little-endian; what is too loud is cut, not wrapped."""
    scaled = samples * np.float32(32767)
    np.rint(scaled, out=scaled)
    np.clip(scaled, -32768, 32767, out=scaled)
    return scaled.astype("<i2").tobytes()


# -- The source: pulses at the pitch -----------------------------------------------------------------------------------


def _melody(pitch: Floats, voiced: Flags, reading: Reading, dice: np.random.Generator | None) -> Floats:
    """The pitch of each frame in the stand-in's voice, carried on through what is unvoiced."""
    voice = reading.voice
    places = np.arange(len(pitch))
    if voiced.any():
        movement = voice.range * np.interp(places, places[voiced], np.log(pitch[voiced] / OWN_PITCH))
    else:
        movement = np.zeros(len(pitch))
    if dice is not None:
        turns = np.arange(0, len(pitch) + 27, 27)  # a third of a second
        movement += np.interp(places, turns, reading.drift * np.log(2) / 12 * dice.standard_normal(len(turns)))
        movement += _JITTER * voice.rough * dice.standard_normal(len(pitch))
    hertz: Floats = np.clip(OWN_PITCH * voice.pitch * np.exp(movement), *_EXTREMES).astype(np.float32)
    return hertz


def _source(pitch: Floats, voiced: Flags, voice: StandIn, dice: np.random.Generator | None) -> Floats:
    """What drives the filter: a pulse for each cycle, with a stand-in's roughness and breath.

    All harmonics up to ``TOP`` have magnitude 1. In closed form they are a pulse train: the sum of cos(h t) for h from
    1 to n is sin((n + 1/2) t) / (2 sin(t / 2)) - 1/2.
    """
    hertz = _per_sample(pitch)
    cycles = np.cumsum(hertz, dtype=np.float64)
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
    if voice.rough and dice is not None:
        pulses *= _unevenness(int(numbers[-1]) + 1, voice.rough, dice)[numbers.astype(np.intp)]
    if voice.breath and dice is not None:
        pulses *= np.float32((1 - voice.breath**2) ** 0.5)
        pulses += np.float32(voice.breath) * _noise(len(pulses), dice)
    pulses *= _per_sample(voiced.astype(np.float32))
    return pulses


def _unevenness(count: int, rough: float, dice: np.random.Generator) -> Floats:
    """A factor for each pulse: hoarse and old voices weaken every other one, and vary by chance."""
    factors = 1 + _SHIMMER * rough * dice.standard_normal(count)
    factors[::2] -= _ALTERNATION * rough
    return factors.astype(np.float32)


def _noise(count: int, dice: np.random.Generator) -> Floats:
    """White noise with the power that the pulses have in each hertz."""
    noise = dice.random(count, dtype=np.float32)  # its power is 1/12; a cosine's is 1/2, and there is one each pitch
    noise -= np.float32(0.5)
    noise *= np.float32((12 * SAMPLE_RATE / OWN_PITCH / 4) ** 0.5)
    return noise


def _per_sample(curve: Floats) -> Floats:
    """A value for each sample from one for each frame: straight lines between the middles of the frames."""
    before, here, after = (np.pad(curve, 1, mode="edge")[place : place + len(curve), None] for place in range(3))
    samples = np.empty((len(curve), HOP), np.float32)
    first, second = samples[:, : HOP // 2], samples[:, HOP // 2 :]
    np.multiply(here - before, _RISE + np.float32(0.5), out=first)
    first += before
    np.multiply(after - here, _RISE, out=second)
    second += here
    return samples.reshape(-1)


# -- Spectra -----------------------------------------------------------------------------------------------------------


def _spectra(source: Floats) -> Complexes:
    """The spectrum around the middle of each frame, up to the last harmonic."""
    windows = sliding_window_view(np.pad(source, WINDOW // 2), WINDOW)[:-HOP:HOP] * _ANALYSIS
    # "forward" divides by the length, which the analysis window makes up for. Without a divisor numpy leaves float32
    # and comes back, at seven times the cost.
    spectra = fft.rfft(windows, axis=1, norm="forward")
    return np.ascontiguousarray(spectra[:, :HARMONIC_BINS].T)


def _own_filter(frames: Frames) -> Complexes:
    """The harmonic branch as the network has it."""
    angle = np.tanh(frames.phase[:HARMONIC_BINS])
    angle *= np.float32(np.pi)
    return _polar(np.minimum(frames.filter[:HARMONIC_BINS], _CEILING), angle)


def _smooth_filter(frames: Frames, voiced: Flags, voice: StandIn) -> Complexes:
    """The harmonic branch as it would be for any pitch, with the stand-in's formants."""
    rows = _moved(HARMONIC_BINS, voice.formants)
    envelope = np.take(_envelope(frames.filter[: rows[-1] + 1], frames.pitch), rows, axis=0)
    envelope += (_DECIBEL * np.float32(voice.tilt)) * _OCTAVES[:HARMONIC_BINS]
    mean = envelope[:, voiced].mean(axis=1) if voiced.any() else np.zeros(HARMONIC_BINS, np.float32)
    return _polar(envelope, _minimum_phase(mean)[:, None])


def _envelope(filter_: Floats, pitch: Floats) -> Floats:
    """A filter's log magnitude, smoothed over frequency; what counts is its value at multiples of the pitch."""
    cycles = (np.float32(2 * np.pi * BIN) / np.maximum(pitch, np.float32(VOICED))).astype(np.float32)
    weights = np.multiply.outer(np.arange(len(filter_), dtype=np.float32), cycles)
    np.cos(weights, out=weights)
    weights += np.float32(1.1)  # never nothing, so that something is left where no multiple is near
    weights *= weights
    weights *= weights
    weights[:3] *= np.float32(1e-3)  # below any pitch the network says nothing
    values = np.clip(filter_, np.float32(-12), _CEILING)
    values *= weights
    values = _sum_around(values)
    values /= _sum_around(weights)
    return values


def _sum_around(rows: Floats) -> Floats:
    """For each row the sum of it and five to each side: multiples of a usual pitch are ten rows apart."""
    padded = np.pad(rows, ((5, 5), (0, 0)))
    two = padded[:-1] + padded[1:]
    four = two[:-2] + two[2:]
    sums = four[:-4] + four[4:]
    shorter = sums[:-3]
    shorter += two[8:-1]
    shorter += padded[10:]
    return shorter


def _minimum_phase(log_magnitude: Floats) -> Floats:
    """The phase of the filter that has this magnitude and reacts as early as it can."""
    magnitude = np.pad(log_magnitude, (0, BINS - len(log_magnitude)), mode="edge")
    cepstrum = fft.irfft(magnitude, WINDOW)
    cepstrum[1 : WINDOW // 2] *= 2
    cepstrum[WINDOW // 2 + 1 :] = 0
    return fft.rfft(cepstrum).imag[: len(log_magnitude)].astype(np.float32)


def _residual(frames: Frames, voice: StandIn) -> Complexes:
    """The residual branch with the stand-in's formants."""
    level = np.take(frames.residual, _moved(BINS, voice.formants), axis=0)
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


def _overlap_add(spectrum: Complexes) -> Floats:
    """The samples whose frames have these spectra."""
    count = spectrum.shape[1]
    windows = fft.irfft(spectrum, WINDOW, axis=0).T.reshape(count, 4, HOP)
    samples = np.zeros((count + 3, HOP), np.float32)
    synthesis = _SYNTHESIS.reshape(4, HOP)
    for hop in range(4):
        samples[hop : hop + count] += windows[:, hop] * synthesis[hop]
    return samples.reshape(-1)[WINDOW // 2 : WINDOW // 2 + count * HOP]
