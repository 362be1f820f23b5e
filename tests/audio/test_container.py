"""WAV: written, read, and PCM taken out of streams."""

from __future__ import annotations

import io
import struct
import wave
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineread.audio.container import PcmReader, read_wav, sniff, wav, wav_header
from lineread.errors import BadReply
from support import python

PCM = st.binary(max_size=200).map(lambda data: data[: len(data) // 2 * 2])
RATES = st.sampled_from((8_000, 16_000, 22_050, 24_000, 48_000))

#: Header sizes (RIFF, data) that do not tell the truth, by who writes them.
LIES = {
    "dashscope": (0x7FFFFFBF, 0x7FFFFF9B),
    "ffmpeg": (0xFFFFFFFF, 0xFFFFFFFF),
    "sox": (0x7FFFF024, 0x7FFFF000),
    "python wave": (36, 0),
    "nothing filled in": (0, 0),
    "larger than the file": (1_000_036, 1_000_000),
}


def chunk(name: bytes, body: bytes, *, padded: bool = True) -> bytes:
    return struct.pack("<4sI", name, len(body)) + body + bytes(len(body) % 2 if padded else 0)


def form(tag: int = 1, channels: int = 1, rate: int = 24_000, bits: int = 16) -> bytes:
    frame = channels * bits // 8
    return struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, bits)


def riff(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def with_sizes(data: bytes, riff_size: int, data_size: int) -> bytes:
    return data[:4] + struct.pack("<I", riff_size) + data[8:40] + struct.pack("<I", data_size) + data[44:]


def pieces(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    bounds = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(bounds)]


def read(parts: Iterable[bytes]) -> tuple[bytes, int]:
    reader = PcmReader()
    out = [reader.feed(part) for part in parts]
    assert all(len(piece) % 2 == 0 for piece in out)
    return b"".join(out) + reader.flush(), reader.sample_rate


@given(PCM, RATES)
def test_what_is_written_is_read_again(pcm: bytes, rate: int) -> None:
    """Reading a written WAV gives the same samples and rate, and Python's own reader agrees."""
    data = wav(pcm, rate)
    assert read_wav(data) == (pcm, rate)
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, rate)
        assert file.readframes(file.getnframes()) == pcm


@given(PCM, st.sampled_from(sorted(LIES)), st.lists(st.integers(0, 300)))
def test_sizes_that_lie_do_no_harm(pcm: bytes, liar: str, cuts: list[int]) -> None:
    """Whatever a streamed header claims, exactly the bytes that are there come out, whole and in pieces."""
    data = with_sizes(wav(pcm, 16_000), *LIES[liar])
    assert read_wav(data) == (pcm, 16_000)
    assert read(pieces(data, cuts)) == (pcm, 16_000)


@given(PCM, st.lists(st.integers(0, 400)), st.binary(max_size=9), st.booleans())
def test_chunks_around_the_sound_are_not_played(pcm: bytes, cuts: list[int], note: bytes, padded: bool) -> None:  # noqa: FBT001 - drawn
    """Chunks before and after the data, of odd sizes and padded or not, never come out as sound."""
    text = b"I" + note.lstrip(b"\0")
    before = chunk(b"LIST", text, padded=padded) + chunk(b"fmt ", form()) + chunk(b"fact", bytes(4))
    data = riff(before, chunk(b"data", pcm), chunk(b"LIST", b"INFOISFT" + text)) + b"rest"
    assert read_wav(data) == (pcm, 24_000)
    assert read(pieces(data, cuts)) == (pcm, 24_000)


@given(st.binary(max_size=100), st.lists(st.integers(0, 100)))
def test_plain_pcm_passes_in_whole_samples(data: bytes, cuts: list[int]) -> None:
    """What does not begin like a WAV comes out as it is, whatever the pieces; half a sample at the end does not."""
    data = b"\1" + data
    assert read(pieces(data, cuts)) == (data[: len(data) // 2 * 2], 24_000)


def test_pcm_comes_out_at_once() -> None:
    """Nothing but half a sample is held back, before a header is complete or after."""
    reader = PcmReader(16_000)
    assert reader.feed(b"\1\2\3") == b"\1\2"
    assert reader.feed(b"\4") == b"\3\4"
    assert reader.sample_rate == 16_000
    reader = PcmReader()
    assert reader.feed(wav_header(None, 22_050)[:43]) == b""
    assert reader.feed(wav_header(None, 22_050)[43:] + b"\1\2\3") == b"\1\2"
    assert reader.sample_rate == 22_050


def test_nothing_behind_the_sound_is_kept() -> None:
    """What follows the data is dropped at once, however much it is; behind a placeholder size nothing ever follows."""
    reader = PcmReader()
    assert reader.feed(wav(b"1234", 24_000)) == b"1234"
    assert reader.feed(bytes(100_000)) == b""
    assert not reader._held
    for liar in ("dashscope", "ffmpeg", "sox"):
        reader = PcmReader()
        reader.feed(with_sizes(wav(b"", 24_000), *LIES[liar]))
        assert reader._left is None


def test_a_short_beginning_that_only_looks_like_a_header_is_sound() -> None:
    """Samples that spell the first letters of RIFF are not lost when the stream ends there."""
    assert read([b"R", b"IF"]) == (b"RI", 24_000)
    assert read([b"RIFF1234", b"JUNK"]) == (b"RIFF1234JUNK", 24_000)


@pytest.mark.parametrize("tagged", ["plain", "extensible"])
@pytest.mark.parametrize(
    ("tag", "bits", "samples"),
    [
        (1, 8, bytes([0x80, 0x00, 0xFF])),
        (1, 16, struct.pack("<3h", 0, -32768, 32512)),
        (1, 24, b"\x55\0\0" + b"\x55\0\x80" + b"\x55\0\x7f"),
        (1, 32, b"\x55\x55\0\0" + b"\x55\x55\0\x80" + b"\x55\x55\0\x7f"),
        (3, 32, struct.pack("<3f", 0.0, -1.0, 32512 / 32768)),
    ],
)
def test_codings_are_converted_to_16_bits(tagged: str, tag: int, bits: int, samples: bytes) -> None:
    """Integers of each width and floats, also in an extensible header, become the same 16-bit samples."""
    body = form(tag, bits=bits)
    if tagged == "extensible":
        body = form(0xFFFE, bits=bits) + struct.pack("<HHIH", 22, bits, 4, tag) + bytes(14)
    data = riff(chunk(b"fmt ", body), chunk(b"data", samples))
    assert struct.unpack("<3h", read_wav(data)[0]) == (0, -32768, 32512)


def test_floats_out_of_range_are_limited() -> None:
    """Floats beyond full scale, infinities and NaN become samples instead of an error."""
    values = struct.pack("<5f", 9.0, -9.0, float("inf"), float("-inf"), float("nan"))
    data = riff(chunk(b"fmt ", form(3, bits=32)), chunk(b"data", values))
    assert struct.unpack("<5h", read_wav(data)[0]) == (32767, -32768, 32767, -32768, 0)


@given(st.lists(st.tuples(*[st.integers(-32768, 32767)] * 2), max_size=20), st.lists(st.integers(0, 200)))
def test_channels_are_averaged(frames: list[tuple[int, int]], cuts: list[int]) -> None:
    """Stereo becomes mono by the mean of the channels, whatever the pieces."""
    samples = b"".join(struct.pack("<2h", *frame) for frame in frames)
    data = riff(chunk(b"fmt ", form(channels=2)), chunk(b"data", samples))
    expected = struct.pack(f"<{len(frames)}h", *((left + right) // 2 for left, right in frames))
    assert read_wav(data)[0] == expected
    assert read(pieces(data, cuts))[0] == expected


GOOD = chunk(b"fmt ", form())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF",
        b"<html>no audio today</html>",
        riff(),
        riff(GOOD),
        riff(GOOD)[:-3],
        riff(chunk(b"data", b"\0\0")),
        riff(chunk(b"fmt ", form()[:10]), chunk(b"data", b"")),
        riff(chunk(b"fmt ", form(tag=7, bits=8)), chunk(b"data", b"")),
        riff(chunk(b"fmt ", form(bits=12)), chunk(b"data", b"")),
        riff(chunk(b"fmt ", form(channels=0)), chunk(b"data", b"")),
        riff(chunk(b"fmt ", form(rate=0)), chunk(b"data", b"")),
        b"RIFF\0\0\0\0WAVEfmt \xff\xff\xff\x7f",
    ],
)
def test_what_is_no_wav_is_refused(data: bytes) -> None:
    """No WAV, a truncated one and one with a strange coding are each one clear line with a remedy."""
    with pytest.raises(BadReply) as caught:
        read_wav(data)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


def test_a_stream_that_ends_in_its_header_is_an_error() -> None:
    """A WAV stream without a single sample in sight is not taken for silence."""
    reader = PcmReader()
    assert reader.feed(wav_header(None, 24_000)[:30]) == b""
    with pytest.raises(BadReply):
        reader.flush()


def test_a_length_that_no_wav_can_tell_is_written_as_unknown() -> None:
    """25 hours of speech get the header of a stream instead of an overflow."""
    assert wav_header(25 * 3600 * 24_000, 24_000) == wav_header(None, 24_000)
    assert wav_header(24 * 3600 * 24_000, 24_000) != wav_header(None, 24_000)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (wav(bytes(8), 24_000), "wav"),
        (b"ID3\x04" + bytes(20), "mp3"),
        (b"\xff\xf3\xa4\xc4" + bytes(284) + b"\xff\xf3\xa4\xc4", "mp3"),
        (b"\xff\xfb\x90\x64" + bytes(413) + b"\xff\xfb\x90\x64", "mp3"),
        (b"\xff\xf3\xa4\xc4", "mp3"),
        (b"\xff\xf3\xa4\xc4" + bytes(300), "pcm"),
        (b"\xff\xff\xff\xff" * 300, "pcm"),
        (b"fLaC\0", "flac"),
        (b"OggS\0", "ogg"),
        (b"RIFF1234AVI ", "pcm"),
        (b"", "pcm"),
    ],
)
def test_formats_are_recognised(data: bytes, name: str) -> None:
    """Each container is told by its first bytes; quiet PCM is not taken for MP3."""
    assert sniff(data) == name


def test_it_loads_nothing_heavy() -> None:
    """The way of a cache hit stays free of numpy and of what else takes time."""
    heavy = ("numpy", "soundfile", "asyncio", "array", "wave", "threading", "logging", "pathlib")
    result = python(f"import sys, lineread.audio.container; print([n for n in {heavy} if n in sys.modules])")
    assert result.stdout.strip() == b"[]", result
