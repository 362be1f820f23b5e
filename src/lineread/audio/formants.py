"""The resonances of a vocal tract, found in the spectra of a voice.

Owns the filter that is fitted to them (selective linear prediction; Makhoul, 1975) and the band that it is fitted in.

How many resonances lie below a frequency depends on the length of the vocal tract, and a filter with more or fewer
poles than that finds them in the wrong places. So the band is made to fit the voice: it ends at twice the third
formant, which is where five resonances of a tube like a vocal tract end. A voice with all formants
higher by a factor then measures higher by just that factor. Measured on one voice with formants moved by 0.85 to 1.18
and pitches of 94 to 300 Hz: the mean of the three is right to 2 %, where one band for all voices came out a third too
near to the middle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Samples a second, and points of a spectrum up to half of that.
RATE: Final = 16_000
BINS: Final = 1024
#: Samples of a window, three periods of a low voice, and how far the higher half of the spectrum is raised.
WINDOW: Final = 736
_EMPHASIS: Final = 0.97
#: Poles of a filter: five resonances.
_POLES: Final = 10
#: What is left at least of a spectrum without its noise.
_FLOOR: Final = 0.02
#: Where the band ends at first, and may end at last, in hertz; which part of it the third formant is; and how often it
#: is set anew.
_FIRST_END: Final = 5300.0
_ENDS: Final = (4400.0, 7400.0)
_THIRD: Final = 0.5
_ROUNDS: Final = 4
#: Where the first three formants lie, how broad they are at most, and where there is none, as parts of the band.
_FORMANTS: Final = ((0.04, 0.22), (0.12, 0.6), (0.27, 0.8))
_BROADEST: Final = 0.1
_NONE_BELOW: Final = 0.02


def raised(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Samples with the fall of a voice's spectrum taken out, as :func:`spectra` needs them."""
    before = np.concatenate((samples[:1], samples[:-1]))
    return samples - np.float32(_EMPHASIS) * before


def spectra(windows: NDArray[np.float32]) -> Floats:
    """Power spectra, a row for each window of :data:`WINDOW` raised samples."""
    power: Floats = np.abs(np.fft.rfft(windows * np.hanning(WINDOW), 2 * BINS, axis=1)) ** 2
    return power


def formants(voice: Floats, noise: Floats | None) -> tuple[float, ...]:
    """Medians of the first three formants, in hertz; empty where one of them is nowhere.

    Args:
        voice: Spectra of moments of clear voice.
        noise: Spectra of what is heard between the speech; None where that is not known.
    """
    if noise is not None:
        voice = np.maximum(voice - np.mean(noise, axis=0), _FLOOR * voice)
    end = _FIRST_END
    found: tuple[float, ...] = ()
    for _ in range(_ROUNDS):
        found = _medians(voice, end)
        if not found:
            return ()
        end = min(max(found[2] / _THIRD, _ENDS[0]), _ENDS[1])
    return found


def _medians(voice: Floats, end: float) -> tuple[float, ...]:
    """The first three formants below an end; empty where one of them is nowhere."""
    frequencies, widths = _resonances(voice[:, : round(end / RATE * 2 * BINS) + 1])
    narrow = (frequencies > _NONE_BELOW) & (widths < _BROADEST)
    found = np.array([_first_three(row[there]) for row, there in zip(frequencies, narrow, strict=True)])
    if np.isnan(found).all(axis=0).any():
        return ()
    return tuple(float(each) * end for each in np.nanmedian(found, axis=0))


def _resonances(voice: Floats) -> tuple[Floats, Floats]:
    """The poles of the filters that fit spectra best: frequencies and bandwidths, as parts of their last frequency."""
    correlation = np.fft.irfft(voice, axis=1)[:, : _POLES + 1]
    correlation[:, 0] = correlation[:, 0] * (1 + 1e-6) + 1e-12
    order = np.arange(_POLES)
    weights = np.linalg.solve(correlation[:, np.abs(order[:, None] - order)], correlation[:, 1:, None])[:, :, 0]
    companions = np.zeros((len(voice), _POLES, _POLES))
    companions[:, 0] = weights
    companions[:, order[1:], order[:-1]] = 1
    poles = np.asarray(np.linalg.eigvals(companions), np.complex128)
    frequencies: Floats = np.angle(poles) / np.pi
    widths: Floats = -np.log(np.maximum(np.abs(poles), 1e-9)) / np.pi
    return frequencies, widths


def _first_three(frequencies: Floats) -> tuple[float, float, float]:
    """The formants of one moment; not a number where one is not there."""
    candidates = iter(sorted(frequencies.tolist()))
    one, two, three = (
        next((each for each in candidates if low <= each <= high), float("nan")) for low, high in _FORMANTS
    )
    return one, two, three
