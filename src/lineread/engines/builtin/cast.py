"""The cast: how one voice becomes many.

Owns what a stand-in is, who stands in for which voice, which settings a request makes of it, and how another take
differs. The stand-ins for Qwen's 48 voices are data, in ``catalogue.json``; those for voices that were made here come
from the disk (``made``), which is asked for nothing else. Imports nothing heavy: the fingerprint of a request covers
its stand-in, and a repeated line asks for the fingerprint.

A voice is told from others by its pitch (the length and mass of the vocal folds), by its formants (the length of the
vocal tract: a man's is a sixth longer than a woman's, a child's shorter again), by its pace, by how far its melody
moves, and by breath and roughness. The network of hibari speaks with one voice, a woman's of 188 Hz; the vocoder
takes pitch and formants apart, so each can be set.
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Final

from lineread import catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineread.engines.builtin.made import MadeVoices
    from lineread.speech import Request

#: The median pitch of hibari's voice, in hertz; measured over its own readings.
OWN_PITCH: Final = 188.0
#: What a request's pitch can make of a voice's median, in hertz: below it is a growl, above it a whistle.
PITCHES: Final = (55.0, 480.0)
#: What the network keeps intelligible: its durations are rounded to 25 ms.
PACES: Final = (0.4, 2.4)
#: What each setting of a stand-in may be: where the voice stays a person's, and every word is understood.
BOUNDS: Final[Mapping[str, tuple[float, float]]] = {
    "pitch": (70 / OWN_PITCH, 340 / OWN_PITCH),
    "formants": (0.8, 1.25),
    "pace": (0.75, 1.3),
    "range": (0.5, 1.7),
    "breath": (0.0, 0.35),
    "rough": (0.0, 0.8),
    "tilt": (-1.5, 1.5),
    "gain": (-3.0, 9.0),
}


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

    def clamped(self) -> StandIn:
        """The nearest one within :data:`BOUNDS`, and no finer than can be heard: it is written down and shown."""
        return StandIn(**{name: round(_clamp(getattr(self, name), *BOUNDS[name]), 3) for name in FIELDS})


FIELDS: Final = tuple(field.name for field in fields(StandIn))


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


class Cast:
    """Who stands in for a voice.

    Args:
        data_dir: Where voices that were made here are kept, below ``made``; None for none.
    """

    def __init__(self, data_dir: str | None = None) -> None:
        self._directory = None if data_dir is None else os.path.join(data_dir, "made")

    @property
    def made(self) -> MadeVoices | None:
        """The voices that were made here; None where none are kept."""
        from lineread.engines.builtin.made import MadeVoices  # noqa: PLC0415 - Qwen's own voices need none of it

        return None if self._directory is None else MadeVoices(self._directory)

    def resolve(self, voice: str) -> str:
        """The canonical name of a voice of Qwen's, or the id of one that was made here.

        Raises:
            VoiceError: There is none.
            ConfigError: What is written of it cannot be read.
        """
        if catalogue.custom_family(voice) is None:
            return catalogue.voice(voice).id
        self.stand_in(voice)
        return voice

    def stand_in(self, voice: str) -> StandIn:
        """The stand-in for a voice of that name or id.

        Raises:
            VoiceError: There is none.
            ConfigError: What is written of it cannot be read.
        """
        if catalogue.custom_family(voice) is None:
            return StandIn(**catalogue.voice(voice).stand_in)
        from lineread.engines.builtin import made  # noqa: PLC0415 - as above

        if self._directory is None:
            raise made.not_found(voice)
        kept = made.MadeVoices(self._directory).find(voice)
        try:
            person = StandIn(**kept.settings)
        except TypeError:
            raise made.damaged(voice) from None
        if person != person.clamped():  # the vocoder would divide by a formant factor of 0
            raise made.damaged(voice)
        return person


def mark(person: StandIn) -> str:
    """A checksum of a stand-in: it changes when the voice would sound different."""
    return f"{zlib.crc32(json.dumps(asdict(person), sort_keys=True).encode()):08x}"


def describe(voice: str, person: StandIn) -> str:
    """One line for people on what stands in for a voice."""
    settings = [f"pitch {person.pitch:.2f}", f"formants {person.formants:.2f}", f"pace {person.pace:.2f}"]
    own = catalogue.custom_family(voice) is not None
    name = voice.split("-")[3] if own else voice
    return f"hibari heart as {name}: {', '.join(settings)}{' (approximate)' if own else ''}"


def reading(request: Request, text: str, person: StandIn) -> Reading:
    """How a piece of a request's text is read.

    The same words in the same take sound the same wherever they stand. The first take is the plain reading; every
    other one has a pace, a range and a melody of its own.
    """
    seed = zlib.crc32(f"{request.take}|{request.voice}|{text}".encode())
    pitch = _clamp(person.pitch * request.pitch, *(limit / OWN_PITCH for limit in PITCHES))
    voice = replace(person, pitch=pitch, pace=_clamp(person.pace * request.rate, *PACES))
    if request.take == 1:
        return Reading(voice, 0.0, seed)
    pace, movement, drift = (zlib.crc32(name.encode(), seed) / 2**32 for name in ("pace", "range", "drift"))
    voice = replace(voice, pace=voice.pace * (0.97 + 0.06 * pace), range=voice.range * (0.85 + 0.35 * movement))
    return Reading(voice, 0.4 + 0.4 * drift, seed)


def _clamp(value: float, least: float, most: float) -> float:
    return min(max(value, least), most)
