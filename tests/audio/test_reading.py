"""Reading audio files: what comes out is what was put in, and whatever is wrong with a file is one error."""

from __future__ import annotations

import io
import struct
import sys
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineread.audio import reading
from lineread.audio.container import wav, wav_header
from lineread.errors import OptionError
from talker import RATE, file, talk

VOICE = talk(2)


def alike(one: Any, other: Any) -> bool:
    """Whether two sounds are the same but for coding."""
    size = min(len(one), len(other))
    return float(np.corrcoef(one[:size], other[:size])[0, 1]) > 0.99


def refusal(data: bytes) -> str:
    """Why a file is not read."""
    with pytest.raises(OptionError) as caught:
        reading.read(data)
    assert caught.value.code == "sample_unreadable"
    assert caught.value.service_code == "Audio.DecoderError"
    assert caught.value.remedy
    return caught.value.message


def seconds(data: bytes, most: float = reading.MOST_SECONDS) -> float:
    """How much is read of a file that may be refused."""
    try:
        sound = reading.read(data, seconds=most)
    except OptionError as error:
        return {"sample_unreadable": 0}[error.code]
    assert np.isfinite(sound.samples).all()
    return sound.seconds


@pytest.mark.parametrize(
    ("form", "subtype"),
    [
        *(("WAV", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "ULAW")),
        *(("WAVEX", "PCM_16"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")),
    ],
)
def test_formats(form: str, subtype: str) -> None:
    """Each kind of file that libsndfile reads is known by its first bytes, and sounds as what was written."""
    sound = reading.read(file(VOICE, form=form, subtype=subtype))
    assert sound.format == form.lower().removesuffix("ex")
    assert (sound.sample_rate, sound.channels, sound.mixing, sound.whole) == (RATE, 1, "single", True)
    assert sound.seconds == pytest.approx(2, abs=0.06)
    assert alike(sound.samples, VOICE)


def test_exact() -> None:
    """What has 16 bits comes out exactly, so that it can be written again as it was."""
    pcm = np.rint(VOICE * 32767).astype("<i2")
    sound = reading.read(wav(pcm.tobytes(), RATE))
    assert np.array_equal(np.rint(sound.samples * 32768), pcm)


def coded(codec: str, form: str) -> bytes:
    """The voice as FFmpeg's libraries code it."""
    av = pytest.importorskip("av")
    out = io.BytesIO()
    with av.open(out, "w", format=form) as target:
        stream = target.add_stream(codec, rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(VOICE.reshape(1, -1), format="fltp", layout="mono")
        frame.sample_rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            target.mux(packet)
    return out.getvalue()


@pytest.mark.parametrize(("form", "name"), [("ipod", "m4a"), ("mp4", "m4a"), ("adts", "aac")])
def test_aac(form: str, name: str) -> None:
    """M4A and AAC are read where PyAV is there, to their end."""
    sound = reading.read(coded("aac", form))
    assert (sound.format, sound.coding, sound.sample_rate, sound.whole) == (name, "aac", RATE, True)
    assert sound.seconds == pytest.approx(2, abs=0.1)
    assert reading.read(coded("aac", form), seconds=1).whole is False


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyAV an M4A file is refused, with the command that installs it."""
    data = coded("aac", "mp4")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(OptionError, match=r"lineread\[aac\]") as caught:
        reading.read(data)
    assert caught.value.code == "sample_unreadable"


OTHER = np.roll(VOICE, 500)


@pytest.mark.parametrize(
    ("channels", "mixing", "left"),
    [
        ([VOICE, VOICE], "same", VOICE),
        ([VOICE * 0, VOICE], "one", VOICE),
        ([VOICE, -VOICE], "one", VOICE),
        ([VOICE, OTHER], "mixed", (VOICE + OTHER) / 2),
        ([VOICE, VOICE, VOICE, VOICE], "same", VOICE),
    ],
    ids=["the same", "one empty", "inverted", "two", "four"],
)
def test_channels(channels: list[Any], mixing: str, left: Any) -> None:
    """Channels become one without a loss where they can, and never cancel each other."""
    sound = reading.read(file(np.stack(channels, axis=1), subtype="PCM_16"))
    assert (sound.channels, sound.mixing) == (len(channels), mixing)
    assert np.allclose(sound.samples, left, atol=1e-4)


@pytest.mark.parametrize("size", [0, 0x7FFF_FF9B, 0xFFFF_FFFF])
def test_lying_sizes(size: int) -> None:
    """A WAV file whose writer never knew, or never wrote, its size is read to its end."""
    pcm = np.rint(VOICE * 32767).astype("<i2").tobytes()
    sound = reading.read(wav_header(None, RATE)[:40] + struct.pack("<I", size) + pcm)
    assert len(sound.samples) == len(pcm) // 2
    assert alike(sound.samples, VOICE)


def test_a_bomb_is_read_as_far_as_was_asked() -> None:
    """An hour of silence in some kilobytes costs the memory of a minute."""
    bomb = file(np.zeros(3600 * 8_000, np.int16), rate=8_000, form="FLAC", subtype="PCM_S8")
    assert len(bomb) < 1_000_000
    tracemalloc.start()
    sound = reading.read(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (sound.whole, sound.seconds) == (False, reading.MOST_SECONDS)
    assert peak < 10_000_000


def test_a_promise_of_much_costs_nothing() -> None:
    """A header that promises a day of sound and brings a second gives that second."""
    head = bytearray(file(VOICE[:RATE], form="FLAC"))
    head[21:26] = bytes([head[21] & 0xF0 | 0x0F]) + b"\xff\xff\xff\xff"  # the count of samples: 36 bits
    assert seconds(bytes(head)) <= 1.1


def header(channels: int, rate: int) -> bytes:
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2 & 0xFFFF_FFFF, channels * 2 & 0xFFFF, 16)
    return b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0" + form + b"data\xff\xff\xff\xff"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"R",
        b"hello, this is no sound at all",
        b"RIFF\0\0\0\0WAVE",
        b"ID3\x04\0\0\0\0\0\0",
        b"fLaC",
        b"OggS" + bytes(100),
        b"\0\0\0\x18ftypM4A " + bytes(100),
        b"\xff\xf1" + bytes(100),
        b"GIF89a" + bytes(100),
        header(300, 8_000) + bytes(6000),
        header(1, 0) + bytes(6000),
        header(1, 4_000_000_000) + bytes(6000),
        header(0, 24_000) + bytes(6000),
        header(2, 192_000) + bytes(6000),
    ],
)
def test_not_read(data: bytes) -> None:
    """What is no audio file, or an absurd one, is one error with what to do about it."""
    assert refusal(data).startswith("The sample ")


def test_no_number_is_silence() -> None:
    """Floats that are no numbers, or beyond all measure, come out finite."""
    wild = VOICE.copy()
    wild[:5] = (np.nan, np.inf, -np.inf, 1e30, -1e30)
    samples = reading.read(file(wild, subtype="FLOAT")).samples
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 8


SHORT = VOICE[: RATE // 8]
SEEDS = [file(SHORT), file(SHORT, form="MP3"), file(SHORT, form="FLAC"), file(SHORT, form="OGG", subtype="OPUS")]


@given(
    data=st.sampled_from(SEEDS),
    edits=st.lists(st.tuples(st.integers(0, 200), st.binary(min_size=1, max_size=8)), max_size=4),
    end=st.integers(0, 4000),
)
def test_damaged(data: bytes, edits: list[tuple[int, bytes]], end: int) -> None:
    """A file that was cut off and written over is sound within its bounds, or the one error."""
    damaged = bytearray(data)
    for at, content in edits:
        damaged[at : at + len(content)] = content
    assert 0 <= seconds(bytes(damaged[:end]), most=1) <= 1
