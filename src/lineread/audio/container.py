"""WAV written, WAV read, and plain PCM taken out of whatever a service streams.

Owns the container and nothing about how the sound was made. No I/O. It lies on the way of a cache hit, so it imports
neither numpy nor anything else that takes time to load.

Sizes in a WAV header are hints, never facts: a service that streams writes them before it knows them (DashScope puts
0x7FFFFF9B into the data chunk, SoX 0x7FFFF000, FFmpeg 0xFFFFFFFF, Python's ``wave`` 0). So a size that cannot be
true means "to the end", and a duration always comes from a count of bytes.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from lineread.errors import BadReply
from lineread.speech import SAMPLE_RATE, SAMPLE_WIDTH

if TYPE_CHECKING:
    from collections.abc import Callable

_RIFF = struct.Struct("<4sI4s")
_CHUNK = struct.Struct("<4sI")
_FORMAT = struct.Struct("<HHIIHH")
_WHOLE = struct.Struct("<4sI4s4sIHHIIHH4sI")

_INTEGER = 1
_FLOAT = 3
#: The real tag stands at the beginning of a GUID behind the usual fields.
_EXTENSIBLE = 0xFFFE
_SUBFORMAT_AT = 24

#: What a streaming header says. The largest number, because FFmpeg takes exactly this one for "unknown" and plays on
#: beyond it; SoX, ALSA, libsndfile, mpv and Python's ``wave`` read it to the end of the file like any too large one.
_UNKNOWN = 0xFFFF_FFFF
#: Sizes from here on are placeholders, the smallest in use being SoX's: 12 hours of speech in one piece are not told
#: from a stream whose length was not known, and nothing is lost by that.
_PLACEHOLDER = 0x7FFF_F000
#: Nobody's header is longer; without a limit a wrong chunk size would hold a stream back for ever.
_LONGEST_HEADER = 1 << 20
_RATES = range(1_000, 768_001)


def wav_header(samples: int | None, sample_rate: int) -> bytes:
    """The 44 bytes in front of signed 16-bit mono PCM.

    Args:
        samples: How many follow; None when that is not known yet, and then players read to the end.
        sample_rate: Samples a second.
    """
    size = _UNKNOWN if samples is None else samples * SAMPLE_WIDTH
    riff_size = size + _WHOLE.size - _CHUNK.size
    if riff_size > _UNKNOWN:  # also a speech of more than 24 hours, whose length a WAV cannot say
        size = riff_size = _UNKNOWN
    byte_rate = sample_rate * SAMPLE_WIDTH
    form = (16, _INTEGER, 1, sample_rate, byte_rate, SAMPLE_WIDTH, 8 * SAMPLE_WIDTH)
    return _WHOLE.pack(b"RIFF", riff_size, b"WAVE", b"fmt ", *form, b"data", size)


def wav(pcm: bytes, sample_rate: int) -> bytes:
    """A whole WAV file."""
    return wav_header(len(pcm) // SAMPLE_WIDTH, sample_rate) + pcm


def read_wav(data: bytes) -> tuple[bytes, int]:
    """The sound of a WAV file as signed 16-bit mono PCM, and its sample rate.

    Integers of 8 to 32 bits and 32-bit floats are converted, several channels are mixed to one. Chunks around the
    sound are left out, and a wrong size does no harm.

    Raises:
        BadReply: It is no WAV, it breaks off before its sound begins, or its sound is coded in another way.
    """
    reader = PcmReader()
    if len(data) < _RIFF.size or not _may_be_wav(data[: _RIFF.size]):
        raise BadReply("The audio is not a WAV file.", remedy="Check what was sent in its place.")
    return reader.feed(data) + reader.flush(), reader.sample_rate


def sniff(data: bytes) -> str:
    """What the first bytes of some audio show it to be: ``wav``, ``mp3``, ``flac``, ``ogg``, or else ``pcm``."""
    if len(data) >= 12 and _may_be_wav(data[:12]):
        return "wav"
    for mark, name in ((b"ID3", "mp3"), (b"fLaC", "flac"), (b"OggS", "ogg")):
        if data.startswith(mark):
            return name
    return "mp3" if _is_mpeg(data) else "pcm"


class PcmReader:
    """Takes signed 16-bit mono PCM out of a stream, however its bytes are cut.

    The stream is a WAV file, when it begins like one, or else plain PCM: DashScope's stream begins with a WAV header
    although its documentation promises plain PCM. Every piece that comes out is whole samples.

    Args:
        sample_rate: Samples a second of plain PCM.

    Attributes:
        sample_rate: Samples a second, from the header once there was one.
    """

    def __init__(self, sample_rate: int = SAMPLE_RATE) -> None:
        self.sample_rate = sample_rate
        self._held = bytearray()
        self._layout: _Layout | None = None
        self._left: int | None = None

    def feed(self, data: bytes) -> bytes:
        """The PCM that more bytes complete.

        Raises:
            BadReply: The WAV header makes no sense, or its sound is coded in a way that lineread does not read.
        """
        self._held += data
        if self._layout is None:
            self._layout = self._recognised()
            if self._layout is None:
                return b""
            del self._held[: self._layout.begin]
            self._left = self._layout.size
            self.sample_rate = self._layout.sample_rate
        return self._layout.pcm(self._whole_frames(self._layout.frame))

    def flush(self) -> bytes:
        """What is left at the end of the stream. Half a sample is not sound and gets lost.

        Raises:
            BadReply: The stream ended within a WAV header.
        """
        if self._layout is None and self._held.startswith(b"RIFF"):
            raise BadReply("The WAV file ends before its sound begins.", remedy="Try the call again.", retryable=True)
        return self._whole_frames(SAMPLE_WIDTH) if self._layout is None else b""

    def _recognised(self) -> _Layout | None:
        """How the stream is laid out; None as long as that is not known."""
        head = bytes(self._held[:12])
        if not _may_be_wav(head):
            return _Layout(self.sample_rate, 1, SAMPLE_WIDTH)
        return _parse(self._held) if len(head) == 12 else None

    def _whole_frames(self, frame: int) -> bytes:
        usable = len(self._held) if self._left is None else min(len(self._held), self._left)
        whole = usable - usable % frame
        taken = bytes(self._held[:whole])
        del self._held[:whole]
        if self._left is not None:
            self._left -= whole
            if self._left < frame:
                self._held.clear()  # what follows the sound is not sound
        return taken


class _Layout(NamedTuple):
    """How samples lie in a stream.

    Attributes:
        sample_rate: Frames a second.
        channels: Samples of a frame.
        width: Bytes of a sample.
        floating: The samples are floats from -1 to 1.
        begin: Where the first frame starts.
        size: Bytes of all frames; None means all that come.
    """

    sample_rate: int
    channels: int
    width: int
    floating: bool = False
    begin: int = 0
    size: int | None = None

    @property
    def frame(self) -> int:
        """Bytes of one frame."""
        return self.channels * self.width

    def pcm(self, frames: bytes) -> bytes:
        """Whole frames as signed 16-bit mono."""
        return _mono(_NARROW[self.floating, self.width](frames), self.channels)


def _may_be_wav(head: bytes) -> bool:
    """Whether up to twelve bytes are the beginning of a WAV file; too few of them may always be."""
    return b"RIFF".startswith(head[:4]) and b"WAVE".startswith(head[8:12])


def _parse(data: bytes | bytearray) -> _Layout | None:
    """The layout of a WAV file; None when its first sample is not in sight yet."""
    riff_size = _RIFF.unpack_from(data)[1]
    form: _Layout | None = None
    at = _RIFF.size
    while at + _CHUNK.size <= len(data):
        name, size = _CHUNK.unpack_from(data, at)
        at += _CHUNK.size
        if name == b"data":
            if form is None:
                raise BadReply("The WAV file does not say how its sound is coded.", remedy="Try the call again.")
            return form._replace(begin=at, size=None if _is_open(size, riff_size, at) else size)
        if at + size > _LONGEST_HEADER:
            raise BadReply("The WAV file has a header without end.", remedy="Try the call again.")
        # One byte more than the chunk: it tells whether an odd chunk was padded, which not every writer does.
        if at + size >= len(data):
            return None
        if name == b"fmt ":
            form = _parse_format(bytes(data[at : at + size]))
        at += size
        at += size % 2 and data[at] == 0
    return None


def _is_open(size: int, riff_size: int, begin: int) -> bool:
    """Whether a data chunk's size is a placeholder.

    Zero is one where the file as a whole was not measured either, or is said to end with this very header.
    """
    return size >= _PLACEHOLDER or (size == 0 and (riff_size >= _PLACEHOLDER or riff_size + 8 <= begin))


def _parse_format(chunk: bytes) -> _Layout:
    if len(chunk) < _FORMAT.size:
        raise BadReply("The WAV file has a format chunk that is too short.", remedy="Try the call again.")
    tag, channels, sample_rate, _byte_rate, _frame, bits = _FORMAT.unpack_from(chunk)
    if tag == _EXTENSIBLE and len(chunk) >= _SUBFORMAT_AT + 2:
        tag = int.from_bytes(chunk[_SUBFORMAT_AT : _SUBFORMAT_AT + 2], "little")
    floating = tag == _FLOAT
    known = tag in (_INTEGER, _FLOAT) and bits % 8 == 0 and (floating, bits // 8) in _NARROW
    if not known or not channels or sample_rate not in _RATES:
        raise BadReply(
            f"The WAV file's sound is coded in a way that lineread does not read "
            f"(format {tag}, {bits} bits, {channels} channels, {sample_rate} Hz).",
            remedy="Convert it to 16-bit PCM.",
        )
    return _Layout(sample_rate, channels, bits // 8, floating)


#: Eight bits count from 128; flipping the top bit makes them count from 0.
_SIGNED = bytes(value ^ 0x80 for value in range(256))


def _high_bytes(width: int) -> Callable[[bytes], bytes]:
    """A function that keeps the upper two bytes of little-endian integers."""

    def narrow(data: bytes) -> bytes:
        out = bytearray(len(data) // width * 2)
        out[0::2] = data[width - 2 :: width]
        out[1::2] = data[width - 1 :: width]
        return bytes(out)

    return narrow


def _from_8(data: bytes) -> bytes:
    out = bytearray(len(data) * 2)
    out[1::2] = data.translate(_SIGNED)
    return bytes(out)


def _from_float(data: bytes) -> bytes:
    values = struct.unpack(f"<{len(data) // 4}f", data)
    return struct.pack(f"<{len(values)}h", *map(_quantised, values))


def _quantised(value: float) -> int:
    if value != value:  # noqa: PLR0124 - only NaN differs from itself
        return 0
    return round(max(-32768.0, min(value * 32768.0, 32767.0)))


#: To 16 bits, by "are they floats" and bytes of a sample: the codings that are read.
_NARROW: dict[tuple[bool, int], Callable[[bytes], bytes]] = {
    (False, 1): _from_8,
    (False, 2): bytes,
    (False, 3): _high_bytes(3),
    (False, 4): _high_bytes(4),
    (True, 4): _from_float,
}


def _mono(pcm: bytes, channels: int) -> bytes:
    """Interleaved 16-bit channels, averaged."""
    if channels == 1:
        return pcm
    values = struct.unpack(f"<{len(pcm) // 2}h", pcm)
    frames = zip(*(values[channel::channels] for channel in range(channels)), strict=True)
    return struct.pack(f"<{len(values) // channels}h", *(sum(frame) // channels for frame in frames))


_MPEG_BITRATES = {
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MPEG_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


def _is_mpeg(data: bytes) -> bool:
    """Whether an MP3 frame stands at the beginning, and another one where it says that it ends.

    The second look is needed: quiet PCM begins like a frame now and then.
    """
    length = _mpeg_frame(data)
    return bool(length) and (len(data) < length + 4 or bool(_mpeg_frame(data[length:])))


def _mpeg_frame(data: bytes) -> int:
    """Bytes of the MPEG layer III frame at the beginning; 0 when there is none."""
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE6 != 0xE2:
        return 0
    version, bitrate, rate = data[1] >> 3 & 3, data[2] >> 4, data[2] >> 2 & 3
    if version not in _MPEG_RATES or rate == 3 or bitrate in (0, 15):
        return 0
    first = version == 3
    kbps = _MPEG_BITRATES[1 if first else 2][bitrate]
    return (144_000 if first else 72_000) * kbps // _MPEG_RATES[version][rate] + (data[2] >> 1 & 1)
