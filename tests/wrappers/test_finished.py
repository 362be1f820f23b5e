"""Finishing: silence goes from the edges only, loudness and word times fit what is left, and it still streams."""

from __future__ import annotations

import math
from array import array
from collections.abc import AsyncGenerator
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineread.audio import pcm
from lineread.engines.base import Engine
from lineread.errors import BadReply, NoAudio
from lineread.speech import Chunk, Facts, Request, Segment, Word
from lineread.wrappers.finished import Finished

RATE = 24_000
REQUEST = Request("Hello there, friend.", "Cherry", model="m")
FACTS = Facts("scripted", "scripted/1", "m", request_id="r-1", characters=20)


def silence(seconds: float) -> bytes:
    return bytes(2 * round(seconds * RATE))


def sound(seconds: float) -> bytes:
    return array("h", (round(9000 * math.sin(i / 7)) for i in range(round(seconds * RATE)))).tobytes()


class Scripted(Engine):
    """Chunks as they are given, each with its offset.

    Attributes:
        asked: How many chunks have been asked for.
        closed: Whether the stream has ended or was closed.
    """

    name = "scripted"

    def __init__(self, *chunks: Chunk) -> None:
        self._chunks = chunks
        self.asked = 0
        self.closed = False

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        offset = 0
        try:
            for chunk in self._chunks:
                self.asked += 1
                yield replace(chunk, offset=offset)
                offset += chunk.samples
        finally:
            self.closed = True


def piece(data: bytes, *words: Word, facts: Facts | None = None, rate: int = RATE) -> Chunk:
    return Chunk(data, rate, 0, (0, 20), words, facts)


def segment(volume: int = 50) -> Segment:
    return Segment(replace(REQUEST, volume=volume), 0, 0, 20)


async def finish(*chunks: Chunk, volume: int = 50) -> list[Chunk]:
    return [chunk async for chunk in Finished(Scripted(*chunks)).stream(segment(volume))]


def joined(chunks: list[Chunk]) -> bytes:
    return b"".join(chunk.pcm for chunk in chunks)


def loud(data: bytes) -> list[int]:
    """Places of the samples that can be heard."""
    return [place for place, sample in enumerate(array("h", data)) if abs(sample) > 1000]


async def test_only_the_edges_lose_their_silence() -> None:
    """What is left is the sound with its inner pause, between margins of less than 0.1 s that begin and end at 0."""
    inner = sound(0.3) + silence(0.6) + sound(0.3)
    chunks = await finish(piece(silence(0.5) + inner + silence(0.7), facts=FACTS))
    left = joined(chunks)
    assert loud(left)[-1] - loud(left)[0] == pytest.approx(loud(inner)[-1] - loud(inner)[0], abs=0.005 * RATE)
    assert 1.2 <= len(left) / 2 / RATE <= 1.2 + 0.1
    assert (left[:2], left[-2:]) == (b"\0\0", b"\0\0")
    assert [chunk.facts for chunk in chunks] == [None] * (len(chunks) - 1) + [FACTS]


@given(
    cuts=st.lists(st.integers(0, 40_000), max_size=12),
    volume=st.sampled_from([0, 10, 50, 100]),
    facts=st.sampled_from([FACTS, None]),
)
async def test_however_it_arrives_the_same_comes_out(cuts: list[int], volume: int, facts: Facts | None) -> None:
    """Any cutting into chunks gives the same samples and words, offsets without gaps and one chunk with facts, last."""
    data = silence(0.2) + sound(0.4) + silence(0.3) + sound(0.5) + silence(0.25)
    words = [Word((0, 5), 0.2, 0.6), Word((6, 11), 0.9, 1.1), Word((13, 19), 1.1, 1.4)]
    bounds = [0, *sorted(2 * cut % len(data) for cut in cuts), len(data)]
    arriving = [
        piece(data[a:b], *(word for word in words if a <= word.start * 2 * RATE < b)) for a, b in pairwise(bounds)
    ]
    arriving[-1] = replace(arriving[-1], facts=facts)
    whole = await finish(piece(data, *words, facts=FACTS), volume=volume)
    chunks = await finish(*arriving, volume=volume)
    assert joined(chunks) == joined(whole)
    assert [word for chunk in chunks for word in chunk.words] == [word for chunk in whole for word in chunk.words]
    samples = 0
    for chunk in chunks:
        assert chunk.offset == samples
        samples += chunk.samples
        assert all(word.end <= samples / RATE + 1e-9 for word in chunk.words)
    known = FACTS if facts else Facts("scripted", "scripted/1", "m")
    assert [chunk.facts for chunk in chunks] == [None] * (len(chunks) - 1) + [known]


async def test_words_keep_pointing_at_their_sound() -> None:
    """Word times move by what was cut off in front, and none reaches out of the audio."""
    data = silence(0.5) + sound(0.4) + silence(0.2) + sound(0.4) + silence(0.5)
    words = [Word((0, 5), 0.4, 0.9), Word((6, 11), 1.1, 1.5), Word((13, 19), 1.5, 2.0)]
    chunks = await finish(piece(data[:48_000], *words), piece(data[48_000:], facts=FACTS))
    left = joined(chunks)
    heard = loud(left)
    placed = [word for chunk in chunks for word in chunk.words]
    assert [word.span for word in placed] == [(0, 5), (6, 11), (13, 19)]
    assert placed[0].start == 0
    assert placed[0].end == pytest.approx(heard[0] / RATE + 0.4, abs=0.01)
    assert placed[1].start == pytest.approx(heard[-1] / RATE - 0.4, abs=0.01)
    assert placed[2].end == len(left) / 2 / RATE


async def test_sound_leaves_before_the_engine_has_ended() -> None:
    """Each chunk of sound passes on at once but for a few milliseconds; only silence is held back."""
    engine = Scripted(piece(silence(0.3)), piece(sound(0.5)), piece(silence(0.5)), piece(sound(0.5), facts=FACTS))
    stream = Finished(engine).stream(segment())
    first = await anext(stream)
    assert engine.asked == 2
    assert 0.45 < first.duration < 0.6
    assert (first.offset, first.facts) == (0, None)
    second = await anext(stream)
    assert engine.asked == 4
    assert second.duration > 0.9
    await stream.aclose()
    assert engine.closed


@pytest.mark.parametrize(("volume", "factor"), [(0, 0.0), (25, 0.5), (50, 1.0), (100, 2.0)])
async def test_volume_is_loudness(volume: int, factor: float) -> None:
    """50 leaves the sound as it is, 100 doubles it, 0 is silence as long as the words and no error."""
    own = joined(await finish(piece(silence(0.1) + sound(0.4), facts=FACTS)))
    assert joined(await finish(piece(silence(0.1) + sound(0.4), facts=FACTS), volume=volume)) == pcm.gain(own, factor)


@pytest.mark.parametrize(
    "chunks", [(), (piece(b"", facts=FACTS),), (piece(silence(1)), piece(silence(1), facts=FACTS))]
)
async def test_no_sound_is_an_error(chunks: tuple[Chunk, ...]) -> None:
    """A reply without anything to hear is never passed on as a finished segment."""
    with pytest.raises(NoAudio) as caught:
        await finish(*chunks)
    assert caught.value.request_id == ("r-1" if chunks else "")
    assert caught.value.remedy


async def test_a_changing_sample_rate_is_an_error() -> None:
    """Half of a segment at another rate would be noise."""
    with pytest.raises(BadReply):
        await finish(piece(sound(0.2)), piece(sound(0.2), rate=16_000, facts=FACTS))
