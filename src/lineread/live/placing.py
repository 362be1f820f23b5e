"""Where the chunks of a session stand, in its text and in its sound.

Owns offsets, word times and the sample rate that was asked for. Pieces are joined to responses as the segments of any
speech are; responses follow each other without a pause.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lineread.audio.join import Joiner
from lineread.audio.resample import Resampled
from lineread.speech import SAMPLE_WIDTH, Chunk, Word

if TYPE_CHECKING:
    from lineread.live.conveyor import Piece


class Placing:
    """The sound of a session so far.

    Args:
        rate: The speaking rate; pauses shrink and grow with it.
        sample_rate: Samples a second that are wanted.

    Attributes:
        responding: A response has begun and not ended.
    """

    def __init__(self, rate: float, sample_rate: int) -> None:
        self.responding = False
        self._rate = rate
        self._wanted = sample_rate
        self._samples = 0
        self._reached = 0
        self._response = 0
        self._joiner = Joiner(rate)
        self._resampled: Resampled | None = None

    def place(self, chunk: Chunk, piece: Piece) -> Chunk:
        """A piece's chunk, in its place. If it is the last of the piece, and that of the response, it is final."""
        if not self.responding:
            self._begin(chunk.sample_rate)
        return self._sent(self._joiner.place(chunk, piece.segment, last=piece.ends_response).moved(piece.start))

    def end(self) -> Chunk:
        """The end of a response whose last sound is gone already."""
        return self._sent(Chunk(b"", self._wanted, 0, (self._reached, self._reached), final=True))

    def break_off(self) -> None:
        """The response ends with what was placed last."""
        self.responding = False

    def _begin(self, sample_rate: int) -> None:
        self.responding = True
        self._response = self._samples
        self._joiner = Joiner(self._rate)
        self._resampled = None if sample_rate == self._wanted else Resampled(sample_rate, self._wanted)

    def _sent(self, chunk: Chunk) -> Chunk:
        pcm = chunk.pcm if self._resampled is None else self._resampled.feed(chunk.pcm, last=chunk.final)
        begun = self._response / self._wanted
        sent = replace(
            chunk,
            pcm=pcm,
            sample_rate=self._wanted,
            offset=self._samples,
            words=tuple(Word(word.span, word.start + begun, word.end + begun) for word in chunk.words),
            pause=chunk.pause * self._wanted // chunk.sample_rate,
        )
        self._samples += len(pcm) // SAMPLE_WIDTH
        self._reached = chunk.span[1]
        self.responding = not chunk.final
        return sent
