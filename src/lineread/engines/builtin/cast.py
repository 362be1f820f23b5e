"""The cast: how one voice becomes forty-eight.

Owns what a stand-in is, which settings a request makes of it, and how another take differs. The stand-ins themselves
are data, in ``catalogue.json``. Imports nothing heavy: the fingerprint of a request covers its stand-in, and a
repeated line asks for the fingerprint.

A voice is told from others by its pitch (the length and mass of the vocal folds), by its formants (the length of the
vocal tract: a man's is a sixth longer than a woman's, a child's shorter again), by its pace, by how far its melody
moves, and by breath and roughness. The network of hibari speaks with one voice, a woman's of 188 Hz; the vocoder
takes pitch and formants apart, so each can be set.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final

from lineread import catalogue

if TYPE_CHECKING:
    from lineread.speech import Request

#: The median pitch of hibari's voice, in hertz; measured over its own readings.
OWN_PITCH: Final = 188.0
#: What a request's pitch can make of a voice's median, in hertz: below it is a growl, above it a whistle.
PITCHES: Final = (55.0, 480.0)
#: What the network keeps intelligible: its durations are rounded to 25 ms.
PACES: Final = (0.4, 2.4)


@dataclass(frozen=True, slots=True)
class StandIn:
    """How hibari's voice is changed to stand in for another one; 1 and 0 leave it as it is.

    Attributes:
        pitch: Factor on the pitch.
        formants: Factor on the resonances of the vocal tract.
        pace: Factor on the speaking rate.
        range: Factor on the movement of the pitch around its median.
        breath: How much of the voicing is breath, 0 to 1.
        rough: How hoarse or creaky it is, 0 to 1.
        tilt: Brightness, in decibels per octave.
        gain: Decibels that bring it to the level of all others.
    """

    pitch: float = 1.0
    formants: float = 1.0
    pace: float = 1.0
    range: float = 1.0
    breath: float = 0.0
    rough: float = 0.0
    tilt: float = 0.0
    gain: float = 0.0

    @property
    def is_plain(self) -> bool:
        """Whether it leaves the voicing as the network made it."""
        return self == StandIn(pace=self.pace, gain=self.gain)


@dataclass(frozen=True, slots=True)
class Reading:
    """How one piece of text is read.

    Attributes:
        voice: The stand-in, with the request's pitch and pace in it.
        drift: Semitones by which the melody wanders from the network's, over seconds; 0 in the first take.
        seed: Where everything random comes from.
    """

    voice: StandIn
    drift: float
    seed: int


def stand_in(voice: str) -> StandIn:
    """The stand-in for a voice of the catalogue."""
    return StandIn(**catalogue.voice(voice).stand_in)


def mark(voice: str) -> str:
    """A checksum of a voice's stand-in: it changes when the voice would sound different."""
    return f"{zlib.crc32(json.dumps(dict(catalogue.voice(voice).stand_in), sort_keys=True).encode()):08x}"


def describe(voice: str) -> str:
    """One line for people on what stands in for a voice."""
    person = stand_in(voice)
    settings = [f"pitch {person.pitch:.2f}", f"formants {person.formants:.2f}", f"pace {person.pace:.2f}"]
    return f"hibari heart as {voice}: {', '.join(settings)}"


def reading(request: Request, text: str) -> Reading:
    """How a piece of a request's text is read.

    The same words in the same take sound the same wherever they stand. The first take is the plain reading; every
    other one has a pace, a range and a melody of its own.
    """
    seed = zlib.crc32(f"{request.take}|{request.voice}|{text}".encode())
    voice = stand_in(request.voice)
    pitch = _clamp(voice.pitch * request.pitch, *(limit / OWN_PITCH for limit in PITCHES))
    voice = replace(voice, pitch=pitch, pace=_clamp(voice.pace * request.rate, *PACES))
    if request.take == 1:
        return Reading(voice, 0.0, seed)
    pace, movement, drift = (zlib.crc32(name.encode(), seed) / 2**32 for name in ("pace", "range", "drift"))
    voice = replace(voice, pace=voice.pace * (0.97 + 0.06 * pace), range=voice.range * (0.85 + 0.35 * movement))
    return Reading(voice, 0.4 + 0.4 * drift, seed)


def _clamp(value: float, least: float, most: float) -> float:
    return min(max(value, least), most)


FIELDS: Final = tuple(field.name for field in fields(StandIn))
