"""A voice whose sound can be read: every word has its own, so that what was heard is known without any span.

A word is a stretch of one sample value that stands for it. Around each piece lies a sound that stands for nothing
(negative samples), since the edges of pieces are faded.
"""

from __future__ import annotations

import asyncio
import random
import re
import zlib
from collections.abc import AsyncGenerator, Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from lineread.engines.fake import Fake
from lineread.speech import SAMPLE_RATE, Chunk, Segment, billed_characters

_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprst" for vowel in "aeiou"]
LATIN = [_SYLLABLES[at % 60] + _SYLLABLES[(7 * at + at // 60 + 3) % 60] for at in range(150)]
HAN = [chr(0x5200 + at) for at in range(150)]
assert len(set(LATIN)) == len(LATIN)
_VALUES = {word: 100 + 100 * at for at, word in enumerate(LATIN + HAN)}
_WORDS = {value: word for word, value in _VALUES.items()}
_WORD = re.compile(r"[a-z]+|[一-鿿]")
#: Samples of a word, by voice: one speaks faster than anybody listens.
SAMPLES = {"Cherry": 48, "Ethan": 960}
_EDGE = np.full(480, -8000, "<i2").tobytes()


class Readable(Fake):
    """Speaks so that it can be read, in chunks of its own, at moments of its own; both depend on the text alone."""

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        """As the base's."""
        rng = random.Random(zlib.crc32(segment.text.encode()))
        pcm = spoken(segment.text, segment.request.voice)
        cuts = sorted({0, *(2 * rng.randrange(len(pcm) // 2) for _ in range(rng.choice((0, 1, 2, 5))))})
        self.calls.append(segment)
        for start, end in zip(cuts, [*cuts[1:], len(pcm)], strict=True):
            await asyncio.sleep(rng.choice((0, 0.001, 0.004)))
            facts = None
            if end == len(pcm):
                facts = replace(self._facts(segment), characters=billed_characters(segment.text))
            yield Chunk(pcm[start:end], SAMPLE_RATE, start // 2, segment.span, facts=facts)


def spoken(text: str, voice: str) -> bytes:
    """The sound of a text."""
    words = [np.full(SAMPLES[voice], _VALUES[word], "<i2").tobytes() for word in words_of(text)]
    return b"".join([_EDGE, *words, _EDGE])


def words_of(text: str) -> list[str]:
    """The words in a text."""
    return _WORD.findall(text.lower())


class Word(NamedTuple):
    """A word that was heard.

    Attributes:
        word: It.
        whole: From its beginning to its end, and once.
        chunk: In which chunk its sound ended.
    """

    word: str
    whole: bool
    chunk: int


def read(chunks: Iterable[Chunk], voice: str) -> list[Word]:
    """What is heard in chunks."""
    sounds = [np.frombuffer(chunk.pcm, "<i2") for chunk in chunks]
    if not sounds:
        return []
    ends = np.cumsum([len(sound) for sound in sounds])
    samples = np.concatenate(sounds)
    borders = np.flatnonzero(np.diff(samples)) + 1
    heard = []
    for start, end in zip([0, *borders.tolist()], [*borders.tolist(), len(samples)], strict=True):
        if end > start and samples[start] > 0:
            chunk = int(np.searchsorted(ends, end - 1, side="right"))
            heard.append(Word(_WORDS[int(samples[start])], end - start == SAMPLES[voice], chunk))
    return heard
