"""What a stand-in sounds like, before it is kept.

Owns the words that are spoken for it, and the level that all voices have. Heavy: it is imported on the engine's
threads, where a voice is made.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from lineread.engines.builtin import cast
from lineread.speech import SAMPLE_RATE, Request

if TYPE_CHECKING:
    from lineread.engines.builtin.cast import StandIn
    from lineread.engines.builtin.speaker import Speaker
    from lineread.engines.builtin.vocoder import Floats

#: Eleven seconds of speech: of 250 sets of five Harvard sentences (IEEE, 1969) the one whose pitch, formants, pace
#: and movement are those of thirty such sentences, within 2 % for four stand-ins. Formants depend on the vowels of a
#: text: those of three sentences by chance are off by 5 %.
SENTENCES: Final = (
    "These days a chicken leg is a rare dish.",
    "The juice of lemons makes fine punch.",
    "The soft cushion broke the man's fall.",
    "The small pup gnawed a hole in the sock.",
    "Read verse out loud for pleasure.",
)
#: Level of the cast, in decibels of full scale: the mean over all 48 voices that say these sentences.
LEVEL: Final = -21.9
#: Decibels that a voice with high peaks may stay below that level, so that they are not cut. More would be heard.
_HELD_BACK: Final = 1.5
#: Samples of silence around the sentences, and of a block of which the level is taken.
_REST: Final = SAMPLE_RATE // 4
_BLOCK: Final = SAMPLE_RATE // 50


def spoken(speaker: Speaker, person: StandIn) -> Floats:
    """The sentences by a stand-in, with rests around them; full scale is 1.

    Raises:
        EngineError: They cannot be spoken.
    """
    rest = np.zeros(_REST, np.float32)
    parts: list[Floats] = [rest]
    for sentence in SENTENCES:
        reading = cast.reading(Request(sentence, "trial"), sentence, person)
        pcm = b"".join(stretch.pcm for stretch in speaker.speak(sentence, reading))
        parts += [np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768), rest]
    return np.concatenate(parts)


def levelled(speaker: Speaker, person: StandIn) -> StandIn:
    """A stand-in with the gain that brings it to the level of all others.

    Raises:
        EngineError: It cannot speak.
    """
    samples = spoken(speaker, replace(person, gain=0.0))
    gain = LEVEL - level(samples)
    room = -20 * float(np.log10(np.abs(samples).max() + 1e-9))
    return replace(person, gain=max(min(gain, room), gain - _HELD_BACK)).clamped()


def level(samples: Floats) -> float:
    """Root mean square of what is within 30 dB of the loudest 20 ms, in decibels of full scale."""
    power = np.mean(np.square(samples[: len(samples) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)), axis=1) + 1e-12
    return float(10 * np.log10(np.mean(power[power > power.max() / 1000])))
