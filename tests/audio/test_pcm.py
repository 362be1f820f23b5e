"""Arithmetic on samples: loudness, and the edges of a segment."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lineread.audio import pcm

RATE = 24_000
FRAME = 120
MS = RATE // 1000

Samples = NDArray[np.int16]


def tone(seconds: float, decibels: float, *, rate: int = RATE) -> Samples:
    """A tone with that RMS level in dB below full scale."""
    phase = 2 * np.pi * 230 * np.arange(round(seconds * rate)) / rate
    return np.rint(32768 * 10 ** (decibels / 20) * np.sqrt(2) * np.sin(phase)).astype("<i2")


def noise(seconds: float, decibels: float, seed: int = 1) -> Samples:
    generator = np.random.default_rng(seed)
    return np.rint(32768 * 10 ** (decibels / 20) * generator.standard_normal(round(seconds * RATE))).astype("<i2")


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), "<i2")


def join(*parts: Samples) -> Samples:
    return np.concatenate(parts)


def trim(samples: Samples, cuts: Sequence[int] = (), rate: int = RATE) -> tuple[Samples, int]:
    """What stays of the samples when their bytes are fed in pieces, and how many were cut off in front."""
    data = samples.tobytes()
    bounds = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    trimmer = pcm.EdgeTrimmer(rate)
    out = b"".join(trimmer.feed(data[start:end]) for start, end in pairwise(bounds))
    return np.frombuffer(out + trimmer.flush(), "<i2"), trimmer.lead


def levels(samples: Samples) -> NDArray[np.float64]:
    """Level of each frame in dB below full scale."""
    frames = samples[: len(samples) // FRAME * FRAME].astype(float).reshape(-1, FRAME)
    level: NDArray[np.float64] = 20 * np.log10(np.sqrt((frames**2).mean(axis=1)) / 32768 + 1e-9)
    return level


#: Speech as far as edges go: stretches of silence, noise and tones of any level.
STRETCHES = st.lists(
    st.tuples(st.sampled_from((silence, tone, noise)), st.floats(0, 0.4), st.floats(-85, -6)), max_size=6
).map(
    lambda stretches: join(
        silence(0), *(kind(length) if kind is silence else kind(length, level) for kind, length, level in stretches)
    )
)


@given(STRETCHES, st.lists(st.integers(0, 100_000), max_size=12))
@example(join(silence(0.1), tone(0.2, -20), silence(0.2)), [1, 2, 3, 4_801])
def test_cutting_changes_nothing(samples: Samples, cuts: list[int]) -> None:
    """Any cutting of the bytes, even within a sample, gives the same sound and the same lead."""
    whole, lead = trim(samples)
    cut, cut_lead = trim(samples, cuts)
    assert lead == cut_lead
    assert np.array_equal(whole, cut)


@given(STRETCHES)
def test_only_what_is_below_the_threshold_goes(samples: Samples) -> None:
    """What is removed lies at the edges and has no frame above -52 dBFS; what stays is untouched between the fades."""
    kept, lead = trim(samples)
    end = lead + len(kept)
    original = samples[lead:end]
    assert np.array_equal(kept[FRAME : -2 * FRAME], original[FRAME : -2 * FRAME])
    removed = join(samples[: lead // FRAME * FRAME], samples[-(-end // FRAME) * FRAME :])
    assert (levels(removed) < -52).all()
    if len(kept):
        assert kept[0] == kept[-1] == 0


def test_margins_are_exact() -> None:
    """25 ms before the first and 45 ms after the last sound stay, at any rate and however long the silence is."""
    for rate in (8_000, 16_000, 24_000, 48_000):
        sound = tone(0.2, -20, rate=rate)
        before, after = np.zeros(rate * 3 // 10, "<i2"), np.zeros(rate // 2, "<i2")
        kept, lead = trim(join(before, sound, after), rate=rate)
        assert lead == len(before) - rate * 25 // 1000
        assert len(kept) == len(sound) + rate * 70 // 1000


def test_fades_lie_in_the_margins() -> None:
    """Where there is silence around a sound, the sound itself is not faded, and the fades have no step."""
    floor = noise(1, -70)
    kept, lead = trim(join(floor[: 200 * MS], tone(0.2, -20), floor[200 * MS :]))
    assert np.array_equal(kept[25 * MS : 225 * MS], tone(0.2, -20))
    assert lead == 175 * MS
    assert np.abs(np.diff(kept[: 25 * MS].astype(int))).max() < 100


def test_a_weak_onset_and_a_weak_decay_stay() -> None:
    """A fricative that creeps up from -64 dBFS, and a vowel that dies away to it, are kept down to there."""
    ramp = np.repeat(10 ** (np.arange(-64, -20, 0.5) / 20), FRAME) * 32768
    hiss = np.random.default_rng(3).standard_normal(len(ramp)).clip(-2, 2)
    onset = np.rint(ramp * hiss).astype("<i2")
    samples = join(silence(0.5), onset, tone(0.1, -18), onset[::-1], silence(0.5))
    kept, lead = trim(samples)
    assert lead <= 500 * MS
    assert lead + len(kept) >= len(samples) - 500 * MS
    assert len(kept) <= len(samples) - 2 * 450 * MS


def test_a_noise_floor_goes_too() -> None:
    """Noise of -70 dBFS around speech is silence, and so is the far part of noise between the thresholds."""
    for level, most in ((-70, 25 + 45), (-57, 2 * 215)):
        kept, _ = trim(join(noise(1, level), tone(0.3, -12), noise(1, level, 2)))
        assert len(kept) <= (300 + most) * MS


def test_a_quiet_speaker_is_heard() -> None:
    """Speech whose loudest frame is far below any usual threshold is kept from its first to its last sound."""
    for level in (-45, -55, -62):
        samples = join(silence(0.4), tone(0.3, level), silence(0.1), tone(0.2, level - 3), silence(0.4))
        kept, lead = trim(samples)
        assert lead == (400 - 25) * MS
        assert len(kept) == (25 + 600 + 45) * MS


@pytest.mark.parametrize("samples", [silence(0), silence(0.5), noise(0.5, -80), silence(0.001)])
def test_silence_alone_leaves_nothing(samples: Samples) -> None:
    """A segment that nobody could hear gives no bytes, and all of it counts as lead."""
    kept, lead = trim(samples)
    assert len(kept) == 0
    assert lead == len(samples)


def test_sound_up_to_the_edges_is_kept_and_faded() -> None:
    """Without silence at its edges nothing is removed, and it still begins and ends at 0 without a step."""
    samples = tone(0.5, -12) + np.int16(3000)
    kept, lead = trim(samples)
    assert (len(kept), lead) == (len(samples), 0)
    steps = np.abs(np.diff(kept.astype(int), prepend=0, append=0))
    assert steps.max() <= np.abs(np.diff(samples.astype(int))).max() + 100


@given(st.integers(1, 400))
def test_the_shortest_sounds_survive(count: int) -> None:
    """A click of a few samples is no reason to fail, and ends at 0 as well."""
    kept, lead = trim(np.full(count, 9000, "<i2"))
    assert (len(kept), lead) == (count, 0)
    assert kept[0] == kept[-1] == 0


def test_silence_within_passes_once_sound_follows() -> None:
    """A pause inside a segment is held back, and comes out whole with the next sound; sound itself is not held."""
    trimmer = pcm.EdgeTrimmer(RATE)
    first = trimmer.feed(tone(0.2, -20).tobytes())
    assert len(first) == 2 * (200 - 10) * MS
    held = trimmer.feed(silence(3).tobytes())
    assert held == b""
    rest = trimmer.feed(tone(0.2, -20).tobytes())
    assert len(rest) == 2 * (10 + 3000 + 200 - 10) * MS
    assert trimmer.lead == 0


@given(st.binary(max_size=200).map(lambda data: data[: len(data) // 2 * 2]), st.floats(0, 50))
def test_gain_never_wraps(data: bytes, factor: float) -> None:
    """Louder samples keep their sign and their order, and nothing gets quieter than it was below the knee."""
    before = np.frombuffer(data, "<i2").astype(int)
    after = np.frombuffer(pcm.gain(data, factor), "<i2").astype(int)
    assert ((before * after) >= 0).all()
    assert (np.diff(after[np.argsort(before, kind="stable")]) >= 0).all()
    exact = before * factor
    inside = np.abs(exact) <= (32768 if factor <= 1 else pcm.KNEE * 32767)
    assert (np.abs(after - exact)[inside] <= 0.5).all()


def test_the_limiter_has_no_corner() -> None:
    """Through the knee the slope changes smoothly, and full scale is approached but never reached."""
    ramp = np.arange(0, 32767, dtype="<i2")
    curve = np.frombuffer(pcm.gain(ramp.tobytes(), 1.5), "<i2").astype(float)
    slope = np.convolve(np.diff(curve), np.ones(64) / 64, "valid")
    assert np.abs(np.diff(slope)).max() < 0.05
    assert 32_000 < curve.max() < 32_767


def test_gain_of_one_is_nothing() -> None:
    """The voice's own loudness leaves the very same bytes."""
    data = noise(0.1, -10).tobytes()
    assert pcm.gain(data, 1.0) is data
    assert pcm.gain(data, 0.0) == bytes(len(data))
