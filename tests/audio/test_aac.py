"""AAC: what is encoded can be decoded, frame by frame, at every rate that the server offers."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from audio.test_codec import Pipe
from audio.test_compressed import encoded, speechlike
from lineread.audio import codec
from lineread.audio.aac import _header
from lineread.errors import OutputError
from lineread.wire.body import SAMPLE_RATES


def decoded(data: bytes) -> tuple[NDArray[np.float32], int]:
    with av.open(io.BytesIO(data)) as file:
        frames = [frame for frame in file.decode(audio=0) if isinstance(frame, av.AudioFrame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]), frames[0].sample_rate


@pytest.mark.parametrize("rate", SAMPLE_RATES["aac"])
def test_it_sounds_as_it_did(rate: int) -> None:
    """At every rate the stream decodes to the same sound, a frame of silence later, up to a frame longer."""
    sound = speechlike(1.7, rate)
    again, found = decoded(encoded("aac", Pipe(), sound, rate=rate))
    assert found == rate
    assert 1_024 <= len(again) - len(sound) <= 3_072
    error = again[1_024 : 1_024 + len(sound)] * 32_768 - sound
    assert np.sqrt((error**2).mean()) < 0.2 * np.sqrt((sound.astype(float) ** 2).mean())


def test_the_same_sound_is_the_same_stream() -> None:
    """However the sound is cut, and whether or not the sink could be sought in, the bytes are the same."""
    sound = speechlike(1.3)
    streams = {encoded("aac", sink(), sound, size=size) for sink in (Pipe, io.BytesIO) for size in (2, 3_000, 10**6)}
    assert len(streams) == 1


def test_frames_leave_one_by_one() -> None:
    """Each write is whole frames, whose heads say their size; after 0.3 seconds some have left."""

    class Frames(Pipe):
        def write(self, data: bytes) -> int:  # type: ignore[override]
            assert data[:2] == b"\xff\xf1"
            assert int.from_bytes(data[3:6], "big") >> 5 & 0x1FFF == len(data)
            return super().write(data)

    sink = Frames()
    encoder = codec.encoder("aac", sink, 24_000)
    encoder.write(speechlike(0.3).tobytes())
    assert len(sink.getvalue()) > 1_000
    encoder.close()


def test_a_head_as_the_standard_draws_it() -> None:
    """Syncword, AAC-LC, 24 kHz, one channel, size, an unknown fill, one frame; from the standard's own table."""
    assert _header(24_000, 1_000).hex() == "fff158407d1ffc"


def test_no_sound_is_an_empty_stream() -> None:
    """Where nothing came there is no frame."""
    sink = Pipe()
    encoder = codec.encoder("aac", sink, 24_000)
    encoder.write(b"")
    encoder.close()
    assert sink.getvalue() == b""


def test_a_rate_that_does_not_exist_is_refused() -> None:
    """AAC has a list of rates, and the error says what to choose instead."""
    with pytest.raises(OutputError, match="11000 Hz"):
        codec.encoder("aac", Pipe(), 11_000)
