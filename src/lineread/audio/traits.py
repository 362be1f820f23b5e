"""What a recording of a voice is like: its pitch, its formants, its pace, its level, and how clean it is.

Owns the measuring, and nothing of what is made of it. Pure computation on samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Traits:
    """What was measured.

    Attributes:
        seconds: Length of the recording.
        speech: Seconds in which somebody speaks.
        longest: Seconds of the longest stretch of speech with no pause that is longer than a breath.
        pitch: Median of the fundamental frequency where there is one, in hertz; 0 where nothing is voiced.
        spread: How far the pitch moves: half the distance from its 10th to its 90th percentile, in semitones.
        formants: Medians of the first three formants over voiced speech, in hertz; empty where nothing is voiced.
        pace: Syllables a second of speech.
        level: Level of the speech, in decibels of full scale.
        noise: Level of what is heard between the speech, in decibels of full scale.
        clipped: Share of the samples of speech that are cut off at full scale.
    """

    seconds: float
    speech: float
    longest: float
    pitch: float
    spread: float
    formants: tuple[float, ...]
    pace: float
    level: float
    noise: float
    clipped: float


def measure(samples: NDArray[np.float32], sample_rate: int) -> Traits:
    """Measure a recording.

    Args:
        samples: One channel, full scale is 1.
        sample_rate: Samples a second.
    """
    raise NotImplementedError
