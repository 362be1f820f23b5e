"""The sound of the stand-ins, measured: pitch, level, brightness, times. No recogniser; those tests are in ``ears``."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lineread import catalogue
from lineread.catalogue import Voice
from lineread.engines.builtin import cast, vocoder
from lineread.engines.builtin.cast import FIELDS, OWN_PITCH, Cast, Reading, StandIn
from lineread.engines.builtin.model import Network, _session
from lineread.engines.builtin.speaker import Speaker, Spoken
from lineread.english import hibari, tables
from lineread.english.phonemes import Phonemizer
from lineread.speech import SAMPLE_RATE, Request

TEXT = "When the train finally arrived, most of the passengers were tired and ready to go home."
VOICES = tuple(catalogue.load().voices.values())
Samples = NDArray[np.float64]
#: Hertz of the median pitch that people of an age and gender have in speech, read wide.
PITCHES: Mapping[tuple[bool, str], tuple[float, float]] = MappingProxyType(
    {
        (False, "male"): (80, 160),
        (False, "female"): (165, 270),
        (True, "male"): (240, 340),
        (True, "female"): (240, 340),
    }
)


@pytest.fixture(scope="module")
def speaker() -> Whole:
    return Whole()


@pytest.fixture(scope="module")
def renderings(speaker: Whole) -> dict[str, Samples]:
    """The same sentence by all voices, as a caller would get it."""
    return {voice.id: samples(speaker.speak(TEXT, read(TEXT, voice.id))) for voice in VOICES}


class Whole:
    """A speaker whose stretches are put together."""

    def __init__(self) -> None:
        self.speaker = Speaker(Network(hibari.asset("hibari.onnx")), Phonemizer(tables.unpack()))

    def speak(self, text: str, reading: Reading) -> Spoken:
        stretches = list(self.speaker.speak(text, reading))
        assert [each.last for each in stretches] == [False] * (len(stretches) - 1) + [True]
        return Spoken(b"".join(each.pcm for each in stretches), stretches[-1].words, last=True)


def read(text: str, voice: str, **fields: Any) -> Reading:
    """How a text is read in the stand-in for a voice."""
    return cast.reading(Request(text, voice, **fields), text, Cast().stand_in(voice))


def samples(spoken: Spoken) -> Samples:
    return np.frombuffer(spoken.pcm, "<i2").astype(np.float64) / 32768


def level(sound: Samples) -> float:
    """Root mean square of what is within 30 dB of the loudest 20 ms, in decibels of full scale."""
    blocks = np.mean(np.square(sound[: len(sound) // 480 * 480].reshape(-1, 480)), axis=1)
    return float(10 * np.log10(np.mean(blocks[blocks > blocks.max() / 1000])))


def pitch(sound: Samples) -> float:
    """Median pitch in hertz, by the autocorrelation of 60 ms windows, where it is clear."""
    found = []
    for window in np.lib.stride_tricks.sliding_window_view(sound, 1440)[::480]:
        spectrum = np.fft.rfft(window * np.hanning(1440), 4096)
        correlation = np.fft.irfft(np.abs(spectrum) ** 2)[: SAMPLE_RATE // 50]
        correlation /= np.fft.irfft(np.abs(np.fft.rfft(np.hanning(1440), 4096)) ** 2)[: SAMPLE_RATE // 50]
        if correlation[0] < 1e-3:
            continue
        lags = correlation / correlation[0]
        shortest = SAMPLE_RATE // 600
        best = 0.85 * float(lags[shortest:].max())
        if best > 0.5:
            # The shortest lag that is nearly as good as the best: longer ones are multiples of it.
            peaks = (at for at in range(shortest, 479) if lags[at] >= max(lags[at - 1], lags[at + 1], best))
            found.append(SAMPLE_RATE / next(peaks, 480))
    return float(np.median(found))


def formants(sound: Samples, reference: Samples) -> float:
    """By which factor the resonances of one sound lie higher than another's: how far its mean spectrum has moved.

    Both are taken over the logarithm of frequency, where a factor is a shift, without their slopes, and so smooth that
    the multiples of the pitch do not show.
    """
    one, other = _resonances(sound), _resonances(reference)
    alike = {
        shift: np.corrcoef(one[30 + shift : len(one) - 30 + shift], other[30:-30])[0, 1] for shift in range(-30, 31)
    }
    return math.exp(0.01 * max(alike, key=lambda shift: alike[shift]))


def _resonances(sound: Samples) -> Samples:
    windows = np.lib.stride_tricks.sliding_window_view(sound, 1200)[::300] * np.hanning(1200)
    power = np.square(np.abs(np.fft.rfft(windows, axis=1)))
    energy = power.sum(axis=1)
    mean = np.log(np.mean(power[energy > energy.max() / 1000], axis=0) + 1e-9)
    smooth = np.convolve(mean, np.hanning(23) / np.hanning(23).sum(), "same")
    steps = np.interp(np.exp(np.arange(np.log(250), np.log(7000), 0.01)), np.arange(601) * 20.0, smooth)
    return steps - np.convolve(steps, np.ones(121) / 121, "same")


def distance(one: StandIn, other: StandIn) -> float:
    """How far apart two stand-ins are: 1 is a semitone, or 2 % of vocal tract, or 6 % of pace; each can be heard."""
    return math.hypot(
        12 * math.log2(one.pitch / other.pitch),
        100 * math.log(one.formants / other.formants) / 2,
        100 * math.log(one.pace / other.pace) / 6,
    )


@pytest.mark.parametrize("voice", VOICES, ids=lambda voice: voice.id)
def test_a_stand_in_is_complete_and_in_bounds(voice: Voice) -> None:
    """Each of the 48 names its pitch, formants, pace and level, nothing unknown, and nothing that is no person."""
    assert {"pitch", "formants", "pace", "gain"} <= set(voice.stand_in) <= set(FIELDS)
    person = Cast().stand_in(voice.id)
    assert 0.8 <= person.formants <= 1.25
    assert 0.75 <= person.pace <= 1.3
    assert 0.6 <= person.range <= 1.7
    assert 0 <= person.breath <= 0.35
    assert 0 <= person.rough <= 0.8


def test_no_two_stand_ins_are_alike() -> None:
    """All 1,128 pairs differ by more than can be heard in pitch, formants and pace together."""
    assert len(VOICES) == 48
    people = {voice.id: Cast().stand_in(voice.id) for voice in VOICES}
    close = {pair: distance(*(people[name] for name in pair)) for pair in itertools.combinations(people, 2)}
    assert min(close.values()) > 1.3, min(close, key=lambda pair: close[pair])


def test_what_is_heard_fits_the_person(renderings: dict[str, Samples]) -> None:
    """The measured pitch of each voice is the one that its stand-in says, and one of its gender and age."""
    for voice in VOICES:
        heard = pitch(renderings[voice.id])
        least, most = PITCHES[voice.age == "child", voice.gender]
        assert least < heard < most, voice.id
        assert heard == pytest.approx(Cast().stand_in(voice.id).pitch * OWN_PITCH, rel=0.12), voice.id


def test_voices_differ_to_the_ear(renderings: dict[str, Samples]) -> None:
    """Measured in the sound, no two voices are close in pitch, vocal tract and pace together."""
    cherry = renderings["Cherry"]
    heard = {
        name: StandIn(pitch(sound), formants(sound, cherry), len(cherry) / len(sound))
        for name, sound in renderings.items()
    }
    close = {pair: distance(*(heard[name] for name in pair)) for pair in itertools.combinations(heard, 2)}
    assert min(close.values()) > 0.8, min(close, key=lambda pair: close[pair])


def test_vocal_tracts_are_as_long_as_asked(renderings: dict[str, Samples]) -> None:
    """The resonances of each voice lie higher or lower than Cherry's by the factor that its stand-in names."""
    for voice in VOICES:
        heard = formants(renderings[voice.id], renderings["Cherry"])
        assert heard == pytest.approx(Cast().stand_in(voice.id).formants, rel=0.045), voice.id


def test_all_voices_are_equally_loud_and_none_clips(renderings: dict[str, Samples]) -> None:
    """Levels lie within 2 dB of each other, and no sample reaches the end of the scale."""
    levels = {name: level(sound) for name, sound in renderings.items()}
    assert max(levels.values()) - min(levels.values()) < 2, levels
    assert max(float(np.abs(sound).max()) for sound in renderings.values()) < 0.99


@pytest.mark.parametrize("factor", [0.6, 1.5])
@pytest.mark.parametrize("name", ["Cherry", "Neil", "Bella"])
def test_a_requests_pitch_changes_pitch_and_not_loudness(name: str, factor: float, speaker: Whole) -> None:
    """The factor is real: it is found in the sound, and the level stays."""
    own, other = (samples(speaker.speak(TEXT, read(TEXT, name, pitch=each))) for each in (1.0, factor))
    assert pitch(other) / pitch(own) == pytest.approx(factor, rel=0.12)
    assert level(other) == pytest.approx(level(own), abs=2)


def test_edges_are_silent(renderings: dict[str, Samples]) -> None:
    """A piece begins and ends below -50 dBFS, with at most 0.15 s of silence: it joins without a click or a hole."""
    for name, sound in renderings.items():
        assert max(abs(sound[0]), abs(sound[-1])) < 0.003, name
        loud = np.flatnonzero(np.abs(sound) > 0.01)
        assert loud[0] < 0.15 * SAMPLE_RATE, name
        assert len(sound) - loud[-1] < 0.25 * SAMPLE_RATE, name


def test_too_loud_is_cut_and_not_wrapped() -> None:
    """Samples beyond full scale become full scale with their own sign."""
    loud = np.array([-9.0, -1.0, 0.0, 0.5, 1.0, 9.0], np.float32)
    assert np.frombuffer(vocoder.to_pcm(loud), "<i2").tolist() == [-32768, -32767, 0, 16384, 32767, 32767]


WORDS = "the of $5 Jan. 5th 10km Dr. Smith 3-4 1/2 well-known “yes” (no) — I'm 2020 a U.S. & 7:30pm hello"


@given(
    st.lists(
        st.sampled_from(WORDS.split()),
        min_size=1,
        max_size=14,
    ),
    st.sampled_from([0.5, 1.0, 2.0]),
    st.sampled_from(["", ",", ".", "...", "?!"]),
)
@settings(max_examples=60)
def test_words_follow_each_other_inside_the_sound(speaker: Whole, words: list[str], pace: float, mark: str) -> None:
    """Every word has its time: in order, without overlap, not after the end; spoken words last a while."""
    text = f"{mark} ".join(words) + mark
    spoken = speaker.speak(text, Reading(StandIn(pace=pace), 0.0, 1))
    end = len(spoken.pcm) / 2 / SAMPLE_RATE
    assert [text[slice(*word.span)] for word in spoken.words] == [
        word for word in text.split() if any(map(str.isalnum, word))
    ]
    assert all(0 <= word.start <= word.end <= end + 1e-6 for word in spoken.words)
    assert all(one.end <= other.start + 1e-6 for one, other in pairwise(spoken.words))
    assert sum(word.end - word.start for word in spoken.words) > 0.3 * end - 0.2


def test_words_are_where_the_sound_is(speaker: Whole) -> None:
    """Around a comma's rest, a word ends where the silence begins and the next one begins where it ends."""
    text = "Paris, Berlin, Vienna, Madrid, Lisbon, and Dublin."
    spoken = speaker.speak(text, Reading(StandIn(pace=0.8), 0.0, 1))
    sound = samples(spoken)
    loud = np.sqrt(np.mean(np.square(sound[: len(sound) // 240 * 240].reshape(-1, 240)), axis=1)) > 0.01
    rests = [word.end for word in spoken.words[:-2]]
    attacks = [word.start for word in spoken.words[1:-1]]
    for rest, attack in zip(rests, attacks, strict=True):
        silent = np.flatnonzero(~loud[int(rest * 100) - 8 : int(attack * 100) + 8]) + int(rest * 100) - 8
        assert len(silent)
        assert abs(silent[0] / 100 - rest) < 0.08
        assert abs((silent[-1] + 1) / 100 - attack) < 0.08


@pytest.mark.parametrize("hertz", [140.0, 190.0, 260.0])
def test_only_multiples_of_the_pitch_shape_a_voice(hertz: float) -> None:
    """What the network's filter says between the multiples, where it hears nothing, hardly shows in the envelope."""
    places = np.arange(vocoder.BINS)
    wanted = 2 * np.cos(places / 40)
    near = (
        np.abs((places * vocoder.BIN + hertz / 2) % hertz - hertz / 2) < 2.5 * vocoder.BIN
    )  # as wide as a harmonic in a window
    arbitrary = np.random.default_rng(1).uniform(-6, 2, (vocoder.BINS, 8))
    filters = np.where(near[:, None], wanted[:, None], arbitrary).astype(np.float32).T
    found = vocoder._envelope(filters, np.full(8, hertz, np.float32))
    off = np.abs(found - wanted)[:, near & (places > 10) & (places < 400)]
    assert np.mean(off) < 0.3


def test_a_long_piece_is_one_sound(speaker: Whole) -> None:
    """More phonemes than the network takes are spoken in several calls; words run on across them."""
    text = ", ".join(["We counted nineteen thousand four hundred and fifty-two boxes"] * 12) + "."
    spoken = speaker.speak(text, Reading(StandIn(), 0.0, 1))
    assert len(spoken.words) == 12 * 9
    gaps = [other.start - one.end for one, other in pairwise(spoken.words)]
    assert min(gaps) + 1e-6 >= 0
    assert max(gaps) < 0.6
    assert len(spoken.pcm) / 2 / SAMPLE_RATE - spoken.words[-1].end < 0.3


def test_without_phonemes_there_is_no_sound(speaker: Whole) -> None:
    """A piece of nothing but signs gives no samples and no words, and no error."""
    assert speaker.speak("*** — ***", Reading(StandIn(), 0.0, 1)).words == ()
    assert speaker.speak("😀", Reading(StandIn(), 0.0, 1)) == Spoken(b"", (), last=True)


@pytest.mark.parametrize("changed", [{"breath": 0.3}, {"rough": 0.8}, {"tilt": 2.0}, {"range": 1.6}])
def test_each_setting_is_heard(changed: dict[str, Any], speaker: Whole) -> None:
    """Breath, roughness, brightness and range each change the sound of an otherwise equal voice."""
    plain = samples(speaker.speak(TEXT, Reading(StandIn(pitch=0.7), 0.0, 1)))
    other = samples(speaker.speak(TEXT, Reading(StandIn(pitch=0.7, **changed), 0.0, 1)))
    assert len(other) == len(plain)
    assert np.mean(np.square(other - plain)) > 0.05 * np.mean(np.square(plain))


@pytest.mark.parametrize("voice", ["Cherry", "Vincent", "Seren"])
def test_cuts_between_frames_change_no_bit(voice: str, speaker: Whole) -> None:
    """Vocoded at once, in stretches of any lengths, or frame by frame: the same samples."""
    reading = read(TEXT, voice, take=2)
    network = speaker.speaker._network
    score = network.read(speaker.speaker._phonemizer(TEXT).ids, reading.voice.pace)
    frames = network.frames(score, 0, len(score))

    def vocoded(cuts: list[int]) -> bytes:
        voice = vocoder.Vocoder(score.pitch, reading)
        pieces = [voice(frames.cut(slice(*bounds))) for bounds in pairwise([0, *cuts, len(frames)])]
        return np.concatenate([*pieces, voice.rest()]).tobytes()

    whole = vocoded([])
    assert len(whole) == 4 * vocoder.HOP * len(score)
    assert vocoded([1]) == vocoded([40, 41, 43, 250]) == vocoded(list(range(1, len(score)))) == whole


def test_a_stretch_of_frames_is_what_the_whole_has_there(speaker: Whole) -> None:
    """Frames made apart differ from those made with all others by no more than the network's own rounding."""
    network = speaker.speaker._network
    score = network.read(speaker.speaker._phonemizer(TEXT).ids, 1.0)
    whole = network.frames(score, 0, len(score))
    for start, end in ((0, 40), (40, len(score)), (100, 101)):
        part = network.frames(score, start, end)
        assert len(part) == end - start
        off = part.filter - whole.filter[start:end]
        assert float(np.sqrt(np.mean(np.square(off)))) < 0.15
        assert float(np.sqrt(np.mean(np.square(whole.filter)))) > 1


def test_the_parts_of_the_graph_make_what_the_whole_does() -> None:
    """Cut in two, and with its constants written out, the network says bit for bit what hibari's own file says."""
    model = hibari.asset("hibari.onnx")
    inputs = {"ids": np.array([[0, *range(43, 90), 0]], np.int64), "speed": np.array([1.1], np.float32)}
    names = ("lh", "theta", "lr", "phi", "f0")
    theirs = _session(model).run(names, inputs)
    network = Network(model)
    score = network.read(range(43, 90), 1.1)
    frames = network.frames(score, 0, len(score))
    ours = (frames.filter.T, frames.phase.T, frames.residual.T, frames.residual_phase.T, frames.pitch)
    for one, other in zip(ours, theirs, strict=True):
        assert np.array_equal(one, other[0])
    assert score.bounds[-1] <= len(score)


def test_the_beginning_does_not_wait_for_the_end(speaker: Whole) -> None:
    """However long a sentence is, what comes first is a fifth of a second or a little more, and it can be heard."""
    for text in (TEXT, ", ".join([TEXT[:-1]] * 3) + "."):
        first = next(speaker.speaker.speak(text, read(text, "Cherry")))
        assert not first.last
        assert 0.1 < len(first.pcm) / 2 / SAMPLE_RATE < 0.5
        assert level(samples(first)) > -40
