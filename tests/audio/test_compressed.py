"""MP3, FLAC and Opus: what is encoded can be decoded, from files and from pipes, and is always the same file."""

from __future__ import annotations

import io
import os
import signal
import threading

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from audio.test_codec import Pipe
from lineread.audio import codec
from lineread.errors import OutputError
from support import python

Samples = NDArray[np.int16]
RATE = 24_000


def speechlike(seconds: float, rate: int = RATE) -> Samples:
    """A buzz whose pitch and loudness wander, so that every moment differs from every other one."""
    at = np.arange(round(seconds * rate)) / rate
    pitch = 2 * np.pi * np.cumsum(120 + 40 * np.sin(2 * np.pi * 1.3 * at)) / rate
    buzz = sum(np.sin(number * pitch) / number for number in range(1, 12))
    sound: Samples = (6000 * buzz * (1.1 + np.sin(2 * np.pi * 2.1 * at)) / 2).astype("<i2")
    return sound


def encoded(form: str, sink: io.BytesIO, sound: Samples, *, size: int = 9_600, rate: int = RATE) -> bytes:
    data = sound.tobytes()
    encoder = codec.encoder(form, sink, rate)
    for at in range(0, len(data), size):
        encoder.write(data[at : at + size])
    encoder.close()
    return sink.getvalue()


def decoded(data: bytes) -> Samples:
    sound, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    assert rate == RATE
    return np.asarray(sound)


def delay(sound: Samples, reference: Samples) -> int:
    """By how many samples a sound comes later than another."""
    part = reference[6_000:12_000].astype(float)
    return max(range(-100, 2_500), key=lambda shift: float(np.dot(part, sound[6_000 + shift :][: len(part)])))


@pytest.mark.parametrize("form", ["mp3", "flac", "ogg"])
def test_a_file_decodes_to_the_same_length_at_the_same_place(form: str) -> None:
    """What was encoded to a file comes back with exactly its length, not shifted, and sounding the same."""
    sound = speechlike(2.345)
    again = decoded(encoded(form, io.BytesIO(), sound))
    assert len(again) == len(sound)
    assert delay(again, sound) == 0
    error = again.astype(float) - sound
    assert np.sqrt((error**2).mean()) < 0.15 * np.sqrt((sound.astype(float) ** 2).mean())
    assert form != "flac" or not error.any()


def test_a_pipe_gets_mp3_with_a_short_delay() -> None:
    """An MP3 from a pipe decodes, and begins at most 75 ms late."""
    sound = speechlike(1.5)
    again = decoded(encoded("mp3", Pipe(), sound))
    assert 0 <= delay(again, sound) <= 0.075 * RATE
    assert len(sound) <= len(again) <= len(sound) + 0.1 * RATE


def test_a_pipe_gets_the_same_opus() -> None:
    """Ogg has nothing to correct at the end: a pipe gets the same bytes as a file."""
    sound = speechlike(1.5)
    assert encoded("ogg", Pipe(), sound) == encoded("ogg", io.BytesIO(), sound)


def test_a_pipe_gets_valid_flac() -> None:
    """A FLAC from a pipe differs from the file in its first block only: length, frame sizes and MD5 are unknown."""
    sound = speechlike(1.5)
    piped, file = encoded("flac", Pipe(), sound), encoded("flac", io.BytesIO(), sound)
    begin, end = 8, 8 + 34
    assert piped[:begin] + piped[end:] == file[:begin] + file[end:]
    assert piped[26:42] == bytes(16)
    assert int.from_bytes(piped[21:26], "big") & (1 << 36) - 1 == 0


@pytest.mark.parametrize("form", ["mp3", "flac", "ogg"])
@pytest.mark.parametrize("sink", [io.BytesIO, Pipe])
def test_the_same_sound_is_the_same_file(form: str, sink: type[io.BytesIO]) -> None:
    """However the sound is cut, and whenever it is encoded, the file has the same bytes."""
    sound = speechlike(2.2)
    files = {encoded(form, sink(), sound, size=size) for size in (3_000, 96_000, 10**6)}
    assert len(files) == 1


def test_opus_differs_in_nothing_but_its_serial_number() -> None:
    """Giving the stream a fixed number, and shorter pages, changes no packet: both files decode to the same samples."""
    sound = speechlike(1.5)
    plain = io.BytesIO()
    with soundfile.SoundFile(plain, "w", RATE, 1, format="OGG", subtype="OPUS", compression_level=0.768) as file:
        file.write(sound)
    ours = encoded("ogg", io.BytesIO(), sound)
    assert len(ours) < 1.03 * len(plain.getvalue())
    assert np.array_equal(decoded(ours), decoded(plain.getvalue()))


@pytest.mark.parametrize("form", ["mp3", "flac", "ogg"])
def test_a_file_may_begin_behind_something_else(form: str) -> None:
    """The header is corrected relative to where the encoder began."""
    sound = speechlike(0.5)
    sink = io.BytesIO()
    sink.write(b"before")
    assert encoded(form, sink, sound) == b"before" + encoded(form, io.BytesIO(), sound)


def test_a_bit_rate_fit_for_speech() -> None:
    """MP3 has 96 kbit/s, Opus about 64 with its pages."""
    sound = speechlike(5)
    rates = {form: len(encoded(form, io.BytesIO(), sound)) * 8 / 5_000 for form in ("mp3", "ogg")}
    assert 94 < rates["mp3"] < 100
    assert 30 < rates["ogg"] < 72


@pytest.mark.parametrize("form", ["mp3", "flac", "ogg"])
def test_sound_leaves_while_it_comes(form: str) -> None:
    """After three seconds of speech most of it has reached the pipe: nothing waits for the end."""
    sink = Pipe()
    encoder = codec.encoder(form, sink, RATE)
    encoder.write(speechlike(3).tobytes())
    early = len(sink.getvalue())
    encoder.close()
    assert early > 0.6 * len(sink.getvalue())


@pytest.mark.parametrize(("form", "most"), [("mp3", 0.1), ("flac", 0.25), ("ogg", 0.25)])
def test_sound_leaves_soon(form: str, most: float) -> None:
    """Once so many seconds are there, the first of them have left: a listener need not wait for more."""
    sink = Pipe()
    encoder = codec.encoder(form, sink, RATE)
    head = len(sink.getvalue()) + 1_000  # the head of an Ogg stream fills less
    encoder.write(speechlike(most).tobytes())
    assert len(sink.getvalue()) > head


@pytest.mark.parametrize("form", ["mp3", "flac", "ogg"])
def test_a_thread_does_its_own_work(form: str) -> None:
    """Only the main thread, which Ctrl-C may strike, leaves the encoding to another one."""
    started: list[str] = []
    start = threading.Thread.start

    def noted(thread: threading.Thread) -> None:
        started.append(thread.name)
        start(thread)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", noted)
        made: list[bytes] = []
        worker = threading.Thread(target=lambda: made.append(encoded(form, Pipe(), speechlike(0.5))), name="worker")
        worker.start()
        worker.join()
        assert started == ["worker"]
        assert encoded(form, Pipe(), speechlike(0.5)) == made[0]
        assert started[1] == "lineread-encoder"


@pytest.mark.parametrize(("form", "rate"), [("ogg", 22_050), ("mp3", 96_000)])
def test_a_rate_that_a_format_cannot_hold_is_refused(form: str, rate: int) -> None:
    """Opus at 22,050 Hz and MP3 at 96 kHz do not exist, and the error says what does."""
    with pytest.raises(OutputError, match=f"{rate} Hz") as caught:
        codec.encoder(form, io.BytesIO(), rate)
    assert "wav" in caught.value.remedy


class Full(Pipe):
    """A disk that is full."""

    def write(self, data: object) -> int:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("form", ["mp3", "flac", "ogg"])
def test_a_full_disk_is_noticed(form: str, capfd: pytest.CaptureFixture[str]) -> None:
    """An error of the sink comes out of the encoder as it is, and nothing is printed on the way."""
    encoder = codec.encoder(form, Full(), RATE)
    sound = speechlike(5).tobytes()
    with pytest.raises(OSError, match="No space"):
        encoder.write(sound)
    del encoder
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals by the clock are POSIX")
def test_an_interrupt_is_never_lost() -> None:
    """Ctrl-C while libsndfile is at work ends the work; without care it would be printed and forgotten."""
    code = """
import io, signal
from lineread.audio import codec
encoder = codec.encoder("mp3", io.BytesIO(), 24_000)
signal.signal(signal.SIGALRM, signal.default_int_handler)
signal.setitimer(signal.ITIMER_REAL, 0.1)
sound = bytes(48_000)
try:
    while True:
        encoder.write(sound)
except KeyboardInterrupt:
    print("interrupted")
"""
    result = python(code, timeout=20)
    assert (result.stdout.strip(), result.stderr) == (b"interrupted", b"")


def test_a_real_pipe_takes_mp3() -> None:
    """What goes through a pipe of the system arrives whole."""
    reading, writing = os.pipe()
    received: list[bytes] = []

    def drain() -> None:
        with open(reading, "rb") as file:
            received.append(file.read())

    reader = threading.Thread(target=drain)
    reader.start()
    with open(writing, "wb") as file:
        encoder = codec.encoder("mp3", file, RATE)
        encoder.write(speechlike(1).tobytes())
        encoder.close()
    reader.join()
    assert received[0] == encoded("mp3", Pipe(), speechlike(1))
