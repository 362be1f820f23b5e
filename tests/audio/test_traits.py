"""What is measured of a voice, compared with voices that are known: a talker of resonances, and the built-in cast."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest

from lineread import catalogue, tts
from lineread.audio.traits import Traits, measure
from lineread.engines.builtin.cast import OWN_PITCH
from talker import RATE, VOWELS, talk

WORDS = (
    "The quick brown fox jumps over the lazy dog. Every morning she walked down to the harbour to see the boats "
    "come in, and nobody asked her why she was waiting there. At nine the doors opened, and the children ran out "
    "into the rain."
)


@cache
def stand_in(voice: str) -> Traits:
    """What a stand-in measures as."""
    speech = tts.generate(text=WORDS, voice=voice, engine="builtin", cache=False)
    return measure(np.frombuffer(speech.pcm, "<i2").astype(np.float32) / np.float32(32768), speech.sample_rate)


def scale(traits: Traits) -> float:
    return math.prod(traits.formants) ** (1 / 3)


def noisy(samples: Any, below: float) -> Any:
    """Samples with white noise so many decibels below the speech."""
    level = measure(samples, RATE).level
    noise = np.random.default_rng(1).standard_normal(len(samples))
    return (samples + noise * 10 ** ((level - below) / 20)).astype(np.float32)


@pytest.mark.parametrize("pitch", [70, 110, 190, 300])
def test_pitch(pitch: float) -> None:
    """The pitch of a talker is right to 2 %, and so is its range, to a tenth: the melody moves by two semitones."""
    traits = measure(talk(4, pitch=pitch), RATE)
    assert traits.pitch == pytest.approx(pitch, rel=0.02)
    assert traits.spread == pytest.approx(1.9, rel=0.1)


@pytest.mark.parametrize("vowel", VOWELS)
def test_formants_of_a_vowel(vowel: str) -> None:
    """All three formants of a man's vowel are right to 3 %."""
    assert measure(talk(3, pitch=110, vowels=vowel), RATE).formants == pytest.approx(VOWELS[vowel], rel=0.03)


@pytest.mark.parametrize("factor", [0.85, 1.1, 1.2])
@pytest.mark.parametrize("pitch", [110, 220])
def test_formants_move_as_the_vocal_tract_does(factor: float, pitch: float) -> None:
    """A voice with all formants moved by a factor measures moved by that factor, to 5 %, whatever its pitch."""
    one, other = (measure(talk(4, pitch=pitch, scale=each), RATE) for each in (1.0, factor))
    assert scale(other) / scale(one) == pytest.approx(factor, rel=0.05)


@pytest.mark.parametrize("voice", ["Ethan", "Bunny", "Marcus", "Serena", "Stella", "Arthur"])
def test_stand_ins(voice: str) -> None:
    """Pitch and formants of a stand-in are those of its settings beside Cherry's, to 3 and 5 %."""
    settings, plain, heard = catalogue.voice(voice).stand_in, stand_in("Cherry"), stand_in(voice)
    assert heard.pitch == pytest.approx(OWN_PITCH * settings["pitch"], rel=0.03)
    assert scale(heard) / scale(plain) == pytest.approx(settings["formants"], rel=0.05)
    assert heard.level > -40
    assert heard.noise < heard.level - 40


@pytest.mark.parametrize("syllables", [4, 5.5, 7])
def test_pace(syllables: float) -> None:
    """Syllables are counted right to a tenth."""
    traits = measure(talk(6, syllables=syllables, vowels="a ae o"), RATE)
    assert traits.pace == pytest.approx(syllables, rel=0.1)


@pytest.mark.parametrize("below", [30, 20, 10])
def test_noise(below: float) -> None:
    """How far noise lies below the speech is right to 3 dB, and neither pitch nor speech is lost in it."""
    clean = talk(6)
    traits = measure(noisy(clean, below), RATE)
    assert traits.level - traits.noise == pytest.approx(below, abs=3)
    assert traits.pitch == pytest.approx(measure(clean, RATE).pitch, rel=0.01)
    assert traits.speech > 0.8 * measure(clean, RATE).speech


def test_clipping() -> None:
    """Hardly a sample of clean speech counts as cut off, however loud it is; what is cut off does, turned down too."""
    clean = talk(4)
    assert measure(clean, RATE).clipped < 0.0005
    assert measure(clean * 2, RATE).clipped < 0.0005
    cut = np.clip(clean * 5, -1, 1)
    true = np.count_nonzero(np.abs(cut) == 1) / (measure(cut, RATE).speech * RATE)
    assert measure(cut, RATE).clipped == pytest.approx(true, rel=0.1)
    assert measure(cut / 3, RATE).clipped == pytest.approx(true, rel=0.1)


def test_a_breath_is_no_break() -> None:
    """The longest stretch goes on over pauses to breathe, and ends at longer ones."""
    assert measure(talk(9, pause=0.5), RATE).longest > 8
    broken = measure(talk(9, pause=1.1, phrase=2.0), RATE)
    assert broken.longest == pytest.approx(2.0, abs=0.2)
    assert broken.speech < broken.seconds - 2


def test_measures_do_not_depend_on_rate_and_level() -> None:
    """The same voice at another sample rate, and 30 dB softer, measures the same but for its level."""
    usual, soft = measure(talk(4), RATE), measure(talk(4) * np.float32(10**-1.5), RATE)
    wide = measure(talk(4, rate=48_000), 48_000)
    for other in (soft, wide):
        assert other.pitch == pytest.approx(usual.pitch, rel=0.01)
        assert other.formants == pytest.approx(usual.formants, rel=0.02)
        assert other.longest == pytest.approx(usual.longest, abs=0.05)
    assert soft.level == pytest.approx(usual.level - 30, abs=0.1)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(0, np.float32),
        np.zeros(10, np.float32),
        np.zeros(RATE, np.float32),
        np.full(RATE, 0.5, np.float32),
        np.random.default_rng(1).standard_normal(RATE).astype(np.float32),
        np.eye(1, RATE, dtype=np.float32)[0],
    ],
    ids=["nothing", "an instant", "silence", "a constant", "noise", "a click"],
)
def test_no_voice(samples: Any) -> None:
    """What is no voice has no pitch, no formants and no speech, and is no error."""
    traits = measure(samples, RATE)
    assert (traits.pitch, traits.formants, traits.speech, traits.longest, traits.pace) == (0, (), 0, 0, 0)
    assert traits.seconds == len(samples) / RATE
