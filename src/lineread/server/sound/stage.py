"""The way from chunks to the bytes of a file, in whatever it is written to.

Owns the order of that way: at another sample rate, where one is wanted, and then into the format. Formats are those of
``audio.codec``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineread.audio.codec import encoder
from lineread.audio.resample import Resampled

if TYPE_CHECKING:
    from lineread.audio.codec import Encoder, Output
    from lineread.speech import Chunk


class Stage:
    """One speech on its way into a format. Without a chunk nothing is written, no header either.

    Args:
        form: A format that :func:`lineread.audio.codec.encoder` knows.
        sink: Where to.
        sample_rate: Samples a second that are wanted; None takes them as they come.
        samples: How many samples will come, where that is known.
    """

    def __init__(self, form: str, sink: Output, sample_rate: int | None = None, *, samples: int | None = None) -> None:
        self._form = form
        self._sink = sink
        self._wanted = sample_rate
        self._samples = samples
        self._encoder: Encoder | None = None
        self._resampled: Resampled | None = None

    def write(self, chunk: Chunk) -> None:
        """The next piece of sound. Some of it may be kept for later."""
        if self._encoder is None:
            self._encoder = self._begun(chunk.sample_rate)
        self._encoder.write(chunk.pcm if self._resampled is None else self._resampled.feed(chunk.pcm))

    def close(self) -> None:
        """Write what is left, after the last piece."""
        if self._encoder is None:
            return
        if self._resampled is not None:
            self._encoder.write(self._resampled.feed(b"", last=True))
        self._encoder.close()

    def _begun(self, rate: int) -> Encoder:
        wanted = self._wanted or rate
        if wanted != rate:
            self._resampled = Resampled(rate, wanted)
        return encoder(self._form, self._sink, wanted, samples=self._samples if wanted == rate else None)
