"""Segments become one speech: nothing lost, nothing added but the pauses that were asked for."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineread.audio.join import Joiner
from lineread.errors import BadReply
from lineread.speech import Chunk, Facts, Request, Segment, Word

RATE = 24_000

#: Segments: a pause in seconds, and the length of each chunk in samples.
speeches = st.lists(
    st.tuples(st.floats(0, 1.5), st.lists(st.integers(0, 500), min_size=1, max_size=4)), min_size=1, max_size=8
)


def chunks_of(segment: Segment, lengths: list[int]) -> list[Chunk]:
    """A segment as an engine gives it: offsets and times from its beginning, facts at its end."""
    offset = 0
    chunks = []
    for number, length in enumerate(lengths):
        last = number == len(lengths) - 1
        words = (Word(segment.span, offset / RATE, (offset + length) / RATE),)
        pcm = bytes([segment.index + 1]) * 2 * length
        chunks.append(Chunk(pcm, RATE, offset, segment.span, words, Facts("fake") if last else None))
        offset += length
    return chunks


def joined(parts: list[tuple[float, list[int]]], rate: float = 1.0) -> list[Chunk]:
    request = Request("x" * len(parts), "Cherry", rate=rate)
    joiner = Joiner(rate)
    placed = []
    for index, (pause, lengths) in enumerate(parts):
        segment = Segment(request, index, index, index + 1, pause)
        last = index == len(parts) - 1
        placed += [joiner.place(chunk, segment, last=last) for chunk in chunks_of(segment, lengths)]
    return placed


@given(parts=speeches, rate=st.sampled_from([0.5, 0.8, 1.0, 1.7, 2.0]))
def test_every_chunk_gets_its_place(parts: list[tuple[float, list[int]]], rate: float) -> None:
    """Offsets are contiguous, words stand where their sound is, and only the very last chunk is final."""
    placed = joined(parts, rate)
    at = 0
    for chunk in placed:
        assert chunk.offset == at
        at += chunk.samples
        (word,) = chunk.words
        assert word.start == pytest.approx(chunk.offset / RATE)
        assert word.end == pytest.approx((at - chunk.pause) / RATE)
    assert [chunk.final for chunk in placed] == [False] * (len(placed) - 1) + [True]


@given(parts=speeches, rate=st.sampled_from([0.5, 0.8, 1.0, 1.7, 2.0]))
def test_only_the_asked_pauses_are_added(parts: list[tuple[float, list[int]]], rate: float) -> None:
    """Between two segments lies the pause of the first one, at the request's pace, in silence; none at the end."""
    placed = iter(joined(parts, rate))
    for index, (pause, lengths) in enumerate(parts):
        last = index == len(parts) - 1
        silence = 0 if last else round(pause / rate * RATE)
        chunks = [next(placed) for _ in lengths]
        assert [chunk.pause for chunk in chunks] == [0] * (len(lengths) - 1) + [silence]
        sound = bytes([index + 1]) * 2 * sum(lengths)
        assert b"".join(chunk.pcm for chunk in chunks) == sound + bytes(2 * silence)
    assert next(placed, None) is None


def test_a_join_of_tones_has_no_step() -> None:
    """Segments that begin and end at zero join without a step larger than those within them."""
    from lineread.engines.fake import tone

    request = Request("First one. Second one.", "Cherry")
    parts = [Segment(request, 0, 0, 11, 0.1), Segment(request, 1, 11, 22)]
    joiner = Joiner()
    pcm = b"".join(
        joiner.place(Chunk(tone(part), RATE, 0, part.span, facts=Facts("fake")), part, last=part.index == 1).pcm
        for part in parts
    )
    samples = memoryview(pcm).cast("h")
    assert _steepest(samples) <= max(_steepest(memoryview(tone(part)).cast("h")) for part in parts)
    longest = max(map(len, "".join("1" if sample == 0 else " " for sample in samples).split()))
    assert math.isclose(longest / RATE, 0.1, abs_tol=0.001)


def _steepest(samples: memoryview) -> int:
    return max(abs(after - before) for before, after in pairwise(samples))


def test_a_rate_that_changes_is_refused() -> None:
    """Sound of another sample rate cannot be joined; it is refused instead of played at the wrong speed."""
    segment = Segment(Request("x", "Cherry"), 0, 0, 1)
    joiner = Joiner()
    joiner.place(Chunk(b"\0\0", 24_000, 0, (0, 1)), segment, last=True)
    with pytest.raises(BadReply, match="24000 to 16000"):
        joiner.place(Chunk(b"\0\0", 16_000, 1, (0, 1), facts=Facts("fake")), segment, last=True)
