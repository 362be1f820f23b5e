"""PCM at another sample rate, as it comes.

Owns the use of soxr, which is loaded when the first sound has to be resampled.
"""

from __future__ import annotations


class Resampled:
    """A speech's samples at another rate; the last few of a piece may come with the next one.

    It reckons with floats: soxr's own integers carry dither, and the same speech cut in other pieces would not be the
    same sound. However it is cut, the samples are those of the whole, and their number is right to the nearest one.
    """

    def __init__(self, rate: int, wanted: int) -> None:
        import soxr  # noqa: PLC0415 - 0.1 s that only another rate has to pay

        self._stream = soxr.ResampleStream(rate, wanted, 1, dtype="float32", quality="HQ")

    def feed(self, pcm: bytes, *, last: bool = False) -> bytes:
        """The samples that are ready.

        Args:
            pcm: Some more of the speech.
            last: Nothing comes after it.
        """
        import numpy as np  # noqa: PLC0415 - as above

        resampled = self._stream.resample_chunk(np.frombuffer(pcm, "<i2").astype(np.float32), last=last)
        samples: bytes = np.clip(np.rint(resampled), -32_768, 32_767).astype("<i2").tobytes()
        return samples
