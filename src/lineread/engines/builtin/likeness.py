"""What was measured of a sample becomes settings of the machine's own voice.

Owns the loop: a stand-in is set, speaks, and is measured as the sample was, until both measure the same. Pitch and
formants pull at each other (where a voice is high, its harmonics lie far apart, and formants are measured near them),
and what a setting does to a measurement depends on the voice; measuring the same way on both sides takes that out.
Pure: whoever calls it lets the voice speak.

Breath, roughness and brightness are left alone: a microphone and a room sound the same in a measurement.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from lineread.engines.builtin.cast import OWN_PITCH, StandIn
from lineread.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from lineread.audio.traits import Traits

#: Times that a stand-in speaks at most, a fifth of a second each.
_ROUNDS: Final = 4
#: How far pitch and formants may be from the sample's when nothing more is tried: less can hardly be heard.
_CLOSE: Final = 0.01
#: How far they may be in the end before the reasons say so.
_FAR: Final = 0.05
#: What a voice is that lies outside, by setting: above what the machine can do, and below.
_COMPARISONS: Final = {
    "pitch": ("higher than the machine can go", "lower than the machine can go"),
    "formants": ("smaller than the machine can sound", "larger than the machine can sound"),
    "pace": ("faster than the machine can speak", "slower than the machine can speak"),
}
#: What a likeness may move its melody by: how far a voice moves is the text's as much as the speaker's, and what is
#: measured beyond that is mostly a pitch that was taken for its octave.
_RANGES: Final = (0.6, 1.4)
#: The settings that the loop corrects.
_MEASURED: Final = ("pitch", "formants", "range")
#: Syllables a second of the machine's own voice, as ``audio.traits`` counts them.
_OWN_PACE: Final = 5.2


@dataclass(frozen=True, slots=True)
class Likeness:
    """What a sample was made into.

    Attributes:
        settings: The stand-in, without the gain that brings it to the level of all others.
        reasons: A line for each measurement.
    """

    settings: StandIn
    reasons: tuple[str, ...]


class _Try(NamedTuple):
    """A stand-in that was heard.

    Attributes:
        wanted: What it would be if the machine could do everything.
        person: What it is.
        heard: What was measured of it.
    """

    wanted: StandIn
    person: StandIn
    heard: Traits


async def likeness(sample: Traits, hear: Callable[[StandIn], Awaitable[Traits]]) -> Likeness:
    """The stand-in that measures as a sample does.

    Args:
        sample: What was measured of it.
        hear: Lets a stand-in speak, and measures it.

    Raises:
        OptionError: Nobody is heard to speak in the sample.
    """
    if not sample.pitch or not sample.formants:
        raise OptionError(
            "Nobody is heard to speak in the sample; a whisper does not do.",
            remedy="Record 10 to 20 seconds of clear speech, without music.",
            code="sample_silent",
            service_code="Audio.AudioSilentError",
        )
    wanted = StandIn(pitch=sample.pitch / OWN_PITCH, pace=_pace(sample))
    tried = _Try(wanted, wanted.clamped(), await hear(wanted.clamped()))
    best = None
    for _ in range(_ROUNDS):
        wanted = replace(_corrected(tried, sample), pace=wanted.pace)
        tried = _Try(wanted, wanted.clamped(), await hear(wanted.clamped()))
        if best is None or _error(tried, sample) < _error(best, sample):
            best = tried
        if _error(tried, sample) < _CLOSE or _corrected(tried, sample).clamped() == tried.person:
            break
    assert best is not None
    return Likeness(best.person, tuple(_reasons(sample, best)))


def scale(traits: Traits) -> float:
    """One number for the formants, in hertz: their geometric mean, which the length of the vocal tract decides."""
    return math.exp(sum(map(math.log, traits.formants)) / len(traits.formants))


def _pace(sample: Traits) -> float:
    """The pace of a sample, which no loop finds: faster speech has fewer syllables that can be told apart.

    Over 36 voices of Kokoro that say what the machine's voice says, this is 5 % from how long both take; all of the
    difference in syllables, and not half of it, would be 6 % from it, and up to 45 %.
    """
    return (sample.pace / _OWN_PACE) ** 0.5 if sample.pace else 1.0


def _missing(sample: Traits, heard: Traits) -> tuple[float, float, float]:
    """The factors on pitch, formants and range by which a sample is above what was heard."""
    return (
        sample.pitch / heard.pitch if heard.pitch else 1.0,
        scale(sample) / scale(heard) if len(heard.formants) == len(sample.formants) else 1.0,
        sample.spread / heard.spread if sample.spread and heard.spread else 1.0,
    )


def _error(tried: _Try, sample: Traits) -> float:
    """How far pitch and formants are from the sample's, the further one of them."""
    return max(abs(math.log(each)) for each in _missing(sample, tried.heard)[:2])


def _corrected(tried: _Try, sample: Traits) -> StandIn:
    factors = dict(zip(_MEASURED, _missing(sample, tried.heard), strict=True))
    changed = {name: getattr(tried.person, name) * factor for name, factor in factors.items()}
    least, most = _RANGES
    return replace(tried.person, **changed | {"range": min(max(changed["range"], least), most)})


def _reasons(sample: Traits, best: _Try) -> Iterator[str]:
    person, heard = best.person, best.heard
    yield f"pitch: {sample.pitch:.0f} Hz in the sample, {heard.pitch:.0f} Hz as it is set (pitch {person.pitch:.2f})"
    yield (
        f"formants: {scale(sample):.0f} Hz in the mean of the sample, {scale(heard):.0f} Hz as it is set"
        f" (formants {person.formants:.2f})"
    )
    yield (
        f"pace: {sample.pace:.1f} syllables a second in the sample, {_OWN_PACE} are the machine's own"
        f" (pace {person.pace:.2f})"
    )
    yield f"melody: it moves by {sample.spread:.1f} semitones around the pitch in the sample (range {person.range:.2f})"
    for name in _COMPARISONS:
        yield from _outside(name, getattr(best.wanted, name), getattr(person, name), sample.pitch)
    yield "Breath, roughness and brightness were not measured: a microphone and a room sound the same."
    yield "Accent and manner of speaking are the machine's own."


def _outside(name: str, wanted: float, got: float, pitch: float) -> Iterator[str]:
    """That a sample lies outside of what the machine can do."""
    if abs(math.log(wanted / got)) < _FAR:  # what is set is where the machine ends, or rounded
        return
    asked, set_ = f"{name} {wanted:.2f}", f"{got:.2f}"
    if name == "pitch":
        asked, set_ = f"{pitch:.0f} Hz", f"{got * OWN_PITCH:.0f} Hz"
    yield f"This voice is {_COMPARISONS[name][got > wanted]}: {asked} asked, {set_} set."
