"""Sound that the realtime service sends compressed.

Owns its decoding, which begins when a response is complete: libsndfile reads files, not streams.
"""

from __future__ import annotations

import io

from lineread.errors import BadReply


class Compressed:
    """MP3, or Opus in Ogg, as signed 16-bit mono PCM, all of it at the end.

    Args:
        sample_rate: Samples a second that are expected.

    Attributes:
        sample_rate: Samples a second, as the file says once it is complete.
    """

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._file = io.BytesIO()

    def feed(self, data: bytes) -> bytes:
        """Some more of it. Nothing is ready yet."""
        self._file.write(data)
        return b""

    def flush(self) -> bytes:
        """The samples.

        Raises:
            BadReply: It is no such file.
        """
        if not self._file.tell():
            return b""
        import soundfile  # noqa: PLC0415 - it loads numpy, and only compressed sound needs either

        self._file.seek(0)
        try:
            samples, self.sample_rate = soundfile.read(self._file, dtype="int16", always_2d=True)
        except soundfile.SoundFileError:
            raise BadReply(
                "The service sent compressed sound that cannot be decoded.", remedy="Ask for response_format pcm."
            ) from None
        first: bytes = samples[:, 0].astype("<i2").tobytes()
        return first
