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
    from lineread.engines.builtin.model import Network, Score
    from lineread.english.phonemes import Phonemizer, WordPlace

#: The most phonemes that the network reads well at once.
MOST_PHONEMES: Final = 400
#: Frames that are kept before the first audible one and after the last one.
_MARGIN: Final = 3
#: Frames from the first phoneme's time to the end of the first stretch: a fifth of a second, enough to begin to play.
_HEAD: Final = 16
#: Frames by which the network is ahead of its own durations: the median over words after a comma.
_LEAD: Final = 2
#: Frames by which a word's attack may lie before its first phoneme's time.
_ATTACK: Final = 6
_SECONDS: Final = vocoder.HOP / SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Spoken:
    """A stretch of a piece of text, spoken.

    Attributes:
        pcm: Samples, signed 16-bit little-endian.
        words: When each word of the whole piece is spoken, from its beginning; spans count from the beginning of the
            text. They come with the last stretch, since a word ends where nothing more is heard of it.
        last: Nothing comes after this.
    """

    pcm: bytes
    words: tuple[Word, ...]
    last: bool


@dataclass(frozen=True, slots=True)
class _Times:
    """When some phonemes are heard, in frames of their sound without the silence around it.

    Attributes:
        starts: Where each phoneme begins.
        ends: Where each phoneme ends.
        audible: Which of the frames can be heard.
    """

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

    def speak(self, text: str, reading: Reading) -> Iterator[Spoken]:
        """Speak a sentence or some: the beginning as soon as it is made, then the rest.

        The same arguments give the same bytes in the same stretches, whatever else is going on.

        Raises:
            EngineError: It cannot be spoken.
        """
        utterance = self._phonemizer(text)
        calls = list(_calls(utterance.phonemes))
        times: list[_Times] = []
        for number, (start, end) in enumerate(calls, 1):
            voicing = _Voicing(self._network, utterance.ids[start:end], reading)
            for samples, complete in voicing.stretches():
                if complete:
                    times.append(voicing.times())
                last = complete and number == len(calls)
                words = tuple(_words(utterance.words, _joined(times))) if last else ()
                yield Spoken(vocoder.to_pcm(samples), words, last)
        if not calls:
            yield Spoken(b"", (), last=True)


class _Voicing:
    """What one call of the network says, on its way to sound without the silence around it."""

    def __init__(self, network: Network, ids: Sequence[int], reading: Reading) -> None:
        self._network = network
        self._reading = reading
        self._score = network.read(ids, reading.voice.pace)
        self._start = 0
        self._audible: list[vocoder.Flags] = []

    def stretches(self) -> Iterator[tuple[vocoder.Floats, bool]]:
        """The sound, a stretch at a time, and whether that is all of it."""
        voice: vocoder.Vocoder | None = None
        samples = np.empty(0, np.float32)
        for start, end in _stretches(self._score):
            frames = self._network.frames(self._score, start, end)
            last = end == len(self._score)
            audible = frames.audible()
            part = _heard_part(audible, begun=voice is not None, ends=last)
            if voice is None and part.stop > part.start:
                self._start = start + part.start
                voice = vocoder.Vocoder(self._score.pitch[self._start :], self._reading)
            if voice is not None:
                self._audible.append(audible[part])
                samples = voice(frames.cut(part))
                if last:
                    samples = np.concatenate([samples, voice.rest()])
            if len(samples) or last:
                yield samples, last

    def times(self) -> _Times:
        """When the phonemes are heard; known when all of the sound is made."""
        audible = np.concatenate([*self._audible, np.empty(0, np.bool_)])
        bounds = np.clip(self._score.bounds - _LEAD - self._start, 0, len(audible))
        return _Times(bounds[:-1], bounds[1:], audible)


def _stretches(score: Score) -> Iterator[tuple[int, int]]:
    """In which stretches to make the frames: a short one that ends soon after the first phoneme, and the rest."""
    head = int(score.bounds[0]) + _HEAD
    if head + _HEAD < len(score):
        yield 0, head
        yield head, len(score)
    else:
        yield 0, len(score)


def _heard_part(audible: vocoder.Flags, *, begun: bool, ends: bool) -> slice:
    """Which frames belong to the sound: not the silence before its beginning, nor that after its end."""
    heard = np.flatnonzero(audible)
    if not len(heard):
        return slice(0, 0 if not begun else _MARGIN if ends else len(audible))
    first = 0 if begun else max(0, int(heard[0]) - _MARGIN)
    return slice(first, min(int(heard[-1]) + 1 + _MARGIN, len(audible)) if ends else len(audible))


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


def _joined(times: Sequence[_Times]) -> _Times:
    """The times of sounds one after the other."""
    if len(times) == 1:
        return times[0]
    offsets = np.cumsum([0, *(len(each.audible) for each in times)])
    placed = list(zip(times, offsets, strict=False))
    return _Times(
        np.concatenate([each.starts + offset for each, offset in placed]),
        np.concatenate([each.ends + offset for each, offset in placed]),
        np.concatenate([each.audible for each in times]),
    )


def _words(places: Sequence[WordPlace], times: _Times) -> Iterator[Word]:
    """When each word is spoken, in order and without overlap."""
    reached = 0
    for (first, end), sharing in groupby(places, lambda place: (place.first, place.end)):
        start, stop = _heard(first, end, reached, times)
        for place in sharing:
            since, until = (start + part * (stop - start) for part in place.share)
            yield Word(place.span, float(since) * _SECONDS, float(until) * _SECONDS)
        reached = stop


def _heard(first: int, end: int, reached: int, times: _Times) -> tuple[int, int]:
    """From which frame to which some phonemes are heard, in what ``reached`` has left.

    After a rest the network attacks a word early, and before one it lets a word fade early. Its durations do not say
    so; what can be heard does.
    """
    if first >= end:
        return reached, reached
    start = _attack(max(reached, int(times.starts[first])), reached, times.audible)
    stop = max(start, int(times.ends[end - 1]))
    heard = start + np.flatnonzero(times.audible[start:stop])
    return (int(heard[0]), int(heard[-1]) + 1) if len(heard) else (start, stop)


def _attack(start: int, reached: int, audible: vocoder.Flags) -> int:
    """Where the sound around a word's start begins, if silence is before it and not another word."""
    earliest = max(reached, start - _ATTACK)
    onset = start
    while onset > earliest and audible[onset - 1]:
        onset -= 1
    return onset if onset > earliest else start
