"""What else is heard than one speaker: told where it is there, and not where it is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import soxr

from lineread.audio.company import highest, speakers, tones
from lineread.audio.traits import Recording
from talker import RATE, chords, talk


def recording(*parts: Any) -> Recording:
    return Recording(np.concatenate(parts), RATE)


@pytest.mark.parametrize("pitch", [80, 120, 210, 300])
def test_one_speaker(pitch: float) -> None:
    """One talker has no steady tones, is not two, and has all frequencies."""
    alone = recording(talk(6, pitch=pitch))
    assert tones(alone) < 0.01
    assert speakers(alone) == ()
    assert highest(alone) > 11_000


def test_music() -> None:
    """Chords are steady tones nearly all the time, and still some of the time far below a voice."""
    assert tones(recording(chords(6))) > 0.8
    assert tones(recording(talk(6) + chords(6) * np.float32(0.1))) > 0.05


def test_two_speakers() -> None:
    """Two talkers an octave apart are two, one after the other or by turns; two of nearly the same pitch are not."""
    low, high = talk(6, pitch=105), talk(6, pitch=210)
    turns = [each[at : at + 3 * RATE] for at in (0, 3 * RATE) for each in (low, high)]
    for parts in ((low, high), turns):
        assert speakers(recording(*parts)) == pytest.approx((105, 210), rel=0.03)
    assert speakers(recording(low, talk(6, pitch=120))) == ()


def test_telephone() -> None:
    """What went through a telephone has nothing above 4 kHz, whatever its sample rate is now."""
    narrow = soxr.resample(soxr.resample(talk(4), RATE, 8_000), 8_000, RATE)
    assert 3_500 < highest(recording(narrow)) < 4_500


def test_too_short_to_tell() -> None:
    """A tenth of a second of sound is not told anything of, and is no error."""
    short = recording(talk(4)[RATE : RATE + RATE // 8])
    assert (tones(short), speakers(short)) == (0, ())
    assert 0 < highest(short) <= RATE / 2
    assert short.traits().seconds == 0.125
