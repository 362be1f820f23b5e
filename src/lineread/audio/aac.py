"""AAC as a stream of ADTS frames, by FFmpeg's libraries in PyAV.

Owns the codec's settings and the frames' headers. Importing it loads PyAV, which comes with the extra ``aac`` because
it is larger than all of lineread's other dependencies together.

An ADTS stream says nothing of its length or of the encoder's delay: 1,024 samples of silence stay at the beginning
(43 ms at 24 kHz), and the end is filled up to a whole frame of as many.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import av
import numpy as np

from lineread.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lineread.audio.codec import Output

#: Sample rates by the number that a header has for them (ISO/IEC 14496-3, table 1.18).
_RATES: Final = (
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
)  # fmt: skip
#: Bits a second at 24 kHz; as much less or more at other rates, so that a frame has the same size everywhere.
_BIT_RATE: Final = 64_000
_HEADER: Final = 7


class Aac:
    """An encoder by FFmpeg.

    Args:
        sink: Where to; it is never sought in.
        sample_rate: Samples a second.

    Raises:
        OutputError: The format cannot hold this sample rate.
    """

    def __init__(self, sink: Output, sample_rate: int) -> None:
        if sample_rate not in _RATES:
            raise OutputError(f"The format aac cannot be written at {sample_rate} Hz.", remedy="Choose wav or flac.")
        self._sink = sink
        self._rate = sample_rate
        self._codec = av.CodecContext.create("aac", "w")
        self._codec.sample_rate = sample_rate
        self._codec.layout = "mono"
        self._codec.format = "fltp"
        self._codec.bit_rate = min(_BIT_RATE * sample_rate // 24_000, 128_000)
        self._codec.time_base = Fraction(1, sample_rate)
        self._at = 0

    def write(self, pcm: bytes) -> None:
        """Encode some more, and write the frames that that completes."""
        if not pcm:
            return
        frame = av.AudioFrame.from_ndarray(np.frombuffer(pcm, "<i2").reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = self._rate
        frame.pts = self._at
        self._at += frame.samples
        self._send(self._codec.encode(frame))

    def close(self) -> None:
        """Write the last frames."""
        if self._at:
            self._send(self._codec.encode(None))

    def _send(self, packets: Iterable[av.Packet[Any]]) -> None:
        for packet in packets:
            data = bytes(packet)
            self._sink.write(_header(self._rate, _HEADER + len(data)) + data)


def _header(sample_rate: int, size: int) -> bytes:
    """What stands before a frame of AAC-LC with one channel, by its size with this header."""
    profile, channels, fullness = 1, 1, 0x7FF
    bits = 0xFFF1 << 40 | profile << 38 | _RATES.index(sample_rate) << 34 | channels << 30 | size << 13 | fullness << 2
    return bits.to_bytes(_HEADER, "big")
