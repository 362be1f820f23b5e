"""The loaded voice: text in, samples and word times out.

Owns how a piece of text becomes sound: phonemes, network, vocoder, and the way from the network's durations to the
times of words. Knows nothing of events or engines; several threads may use it at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

import numpy as np

from lineread.engines.builtin import vocoder
from lineread.speech import SAMPLE_RATE, Word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from lineread.engines.builtin.cast import Reading
    from lineread.engines.builtin.model import Network
    from lineread.engines.builtin.phonemes import Phonemizer, WordPlace

#: The most phonemes that the network reads well at once.
MOST_PHONEMES: Final = 400
#: Frames that are kept before the first audible one and after the last one.
_MARGIN: Final = 3
#: Frames by which the network is ahead of its own durations: the median over words after a comma.
_LEAD: Final = 2
#: Frames by which a word's attack may lie before its first phoneme's time.
_ATTACK: Final = 6
_SECONDS: Final = vocoder.HOP / SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Spoken:
    """A piece of text, spoken.

    Attributes:
        pcm: Samples, signed 16-bit little-endian.
        words: When each of its words is spoken; spans count from the beginning of the text.
    """

    pcm: bytes
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class _Sound:
    """The sound of some phonemes, without the silence around it; places are counted in frames.

    Attributes:
        samples: The sound.
        starts: Where each phoneme begins.
        ends: Where each phoneme ends.
        audible: Which of the frames can be heard.
    """

    samples: vocoder.Floats
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    audible: vocoder.Flags


class Speaker:
    """hibari's rules and network with our vocoder.

    Args:
        network: Makes frames of phonemes.
        phonemizer: Makes phonemes of text.
    """

    def __init__(self, network: Network, phonemizer: Phonemizer) -> None:
        self._network = network
        self._phonemizer = phonemizer

    def speak(self, text: str, reading: Reading) -> Spoken:
        """Speak a sentence or some. The same arguments give the same bytes, whatever else is going on.

        Raises:
            EngineError: It cannot be spoken.
        """
        utterance = self._phonemizer(text)
        calls = list(_calls(utterance.phonemes))
        if not calls:
            return Spoken(b"", ())
        sound = _joined([self._sound(utterance.ids[start:end], reading) for start, end in calls])
        return Spoken(vocoder.to_pcm(sound.samples), tuple(_words(utterance.words, sound)))

    def _sound(self, ids: Sequence[int], reading: Reading) -> _Sound:
        sounds = self._network(ids, reading.voice.pace)
        heard = np.flatnonzero(sounds.frames.audible())
        start, end = (max(0, heard[0] - _MARGIN), heard[-1] + 1 + _MARGIN) if len(heard) else (0, len(sounds.frames))
        frames = sounds.frames.cut(start, end)
        bounds = np.clip(sounds.bounds - _LEAD - start, 0, len(frames))
        return _Sound(vocoder.synthesize(frames, reading), bounds[:-1], bounds[1:], frames.audible())


def _calls(phonemes: str) -> Iterator[tuple[int, int]]:
    """How to cut phonemes for the network: after a rest if possible, else between words, else anywhere."""
    start = 0
    while len(phonemes) - start > MOST_PHONEMES:
        window = phonemes[start : start + MOST_PHONEMES]
        rest = max(window.rfind(mark + " ") for mark in ";:,.!?—…")
        end = start + ((rest + 2 if rest > MOST_PHONEMES // 2 else window.rfind(" ") + 1) or MOST_PHONEMES)
        yield start, end
        start = end
    if start < len(phonemes):
        yield start, len(phonemes)


def _joined(sounds: Sequence[_Sound]) -> _Sound:
    """Sounds one after the other."""
    if len(sounds) == 1:
        return sounds[0]
    offsets = np.cumsum([0, *(len(sound.audible) for sound in sounds)])
    placed = list(zip(sounds, offsets, strict=False))
    return _Sound(
        np.concatenate([sound.samples for sound in sounds]),
        np.concatenate([sound.starts + offset for sound, offset in placed]),
        np.concatenate([sound.ends + offset for sound, offset in placed]),
        np.concatenate([sound.audible for sound in sounds]),
    )


def _words(places: Sequence[WordPlace], sound: _Sound) -> Iterator[Word]:
    """When each word is spoken, in order and without overlap."""
    reached = 0
    for (first, end), sharing in groupby(places, lambda place: (place.first, place.end)):
        start, stop = _heard(first, end, reached, sound)
        for place in sharing:
            since, until = (start + part * (stop - start) for part in place.share)
            yield Word(place.span, float(since) * _SECONDS, float(until) * _SECONDS)
        reached = stop


def _heard(first: int, end: int, reached: int, sound: _Sound) -> tuple[int, int]:
    """From which frame to which some phonemes are heard, in what ``reached`` has left.

    After a rest the network attacks a word early, and before one it lets a word fade early. Its durations do not say
    so; what can be heard does.
    """
    if first >= end:
        return reached, reached
    start = _attack(max(reached, int(sound.starts[first])), reached, sound.audible)
    stop = max(start, int(sound.ends[end - 1]))
    heard = start + np.flatnonzero(sound.audible[start:stop])
    return (int(heard[0]), int(heard[-1]) + 1) if len(heard) else (start, stop)


def _attack(start: int, reached: int, audible: vocoder.Flags) -> int:
    """Where the sound around a word's start begins, if silence is before it and not another word."""
    earliest = max(reached, start - _ATTACK)
    onset = start
    while onset > earliest and audible[onset - 1]:
        onset -= 1
    return onset if onset > earliest else start
