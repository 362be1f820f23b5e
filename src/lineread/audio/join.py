"""Segments become one speech: each chunk gets its place, each pause the length that the punctuation asks for.

Owns positions and pauses. Segments arrive with their edges already trimmed and faded to zero (see
``wrappers.finished``), so that joining is adding: no click, no hole, no pause twice. No I/O, no numpy.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lineread.errors import BadReply
from lineread.speech import SAMPLE_WIDTH, Chunk, Word

if TYPE_CHECKING:
    from lineread.speech import Segment


class Joiner:
    """Places segments' chunks one after the other.

    Args:
        rate: The request's speaking rate; pauses shrink and grow with it.
    """

    def __init__(self, rate: float = 1.0) -> None:
        self._rate = rate
        self._samples = 0
        self._sample_rate = 0
        self._segment_start = 0

    def place(self, chunk: Chunk, segment: Segment, *, last: bool) -> Chunk:
        """A chunk of a segment, moved to its place in the whole; its segment's pause follows its last chunk.

        Args:
            chunk: Its offset and word times count from the segment's beginning; the last one carries facts.
            segment: The segment that it speaks.
            last: Nothing comes after this segment.

        Raises:
            BadReply: The engine changed its sample rate on the way.
        """
        if self._sample_rate not in (0, chunk.sample_rate):
            raise BadReply(
                f"The engine changed its sample rate from {self._sample_rate} to {chunk.sample_rate} Hz on the way.",
                remedy="Speak the parts in calls of their own.",
            )
        self._sample_rate = chunk.sample_rate
        ends_segment = chunk.facts is not None
        pause = self._pause(segment) if ends_segment and not last else 0
        offset = self._samples
        shift = self._segment_start / chunk.sample_rate
        self._samples += chunk.samples + pause
        if ends_segment:
            self._segment_start = self._samples
        words = tuple(Word(word.span, word.start + shift, word.end + shift) for word in chunk.words)
        pcm = chunk.pcm + bytes(pause * SAMPLE_WIDTH)
        return replace(chunk, pcm=pcm, offset=offset, words=words, pause=pause, final=ends_segment and last)

    def _pause(self, segment: Segment) -> int:
        return round(segment.pause / self._rate * self._sample_rate)
