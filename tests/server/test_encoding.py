"""What bodies are made of: the same sound however it comes, true sizes once it is whole, bounded memory."""

from __future__ import annotations

import io
import wave
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.test_codec import Pipe
from audio.test_compressed import speechlike
from lineread.audio import codec
from lineread.audio.container import wav, wav_header
from lineread.audio.resample import Resampled
from lineread.server.sound.encoding import Bodies, Body, Encoding
from lineread.speech import Chunk

RATE = 24_000
FORMS = ("wav", "pcm", "mp3", "ogg", "flac", "aac")


def chunks(pcm: bytes, size: int = 9_600) -> list[Chunk]:
    return [Chunk(pcm[at : at + size], RATE, at // 2, (0, 1)) for at in range(0, len(pcm), size)]


async def encoded(encoding: Encoding, pcm: bytes, size: int = 9_600) -> bytes:
    sent = b"".join([await encoding.feed(chunk) for chunk in chunks(pcm, size)])
    return sent + await encoding.finish()


def resampled(pcm: bytes, wanted: int, cuts: list[int]) -> bytes:
    stream = Resampled(RATE, wanted)
    bounds = [0, *sorted(2 * cut for cut in cuts), len(pcm)]
    pieces = [stream.feed(pcm[one:two]) for one, two in pairwise(bounds)]
    return b"".join(pieces) + stream.feed(b"", last=True)


@settings(max_examples=40)
@given(st.integers(0, 5_000), st.sampled_from([8_000, 16_000, 22_050, 44_100, 48_000]), st.data())
def test_resampled_in_pieces_is_resampled_whole(samples: int, wanted: int, data: st.DataObject) -> None:
    """However a speech is cut, another rate gives the very same samples, as many as its length asks for."""
    cuts = data.draw(st.lists(st.integers(0, samples), max_size=6))
    pcm = np.random.default_rng(samples).integers(-20_000, 20_000, samples, dtype="<i2").tobytes()
    whole = resampled(pcm, wanted, [])
    assert resampled(pcm, wanted, cuts) == whole
    assert abs(len(whole) / 2 - samples * wanted / RATE) <= 1


@pytest.mark.parametrize("wanted", [8_000, 16_000, 48_000])
def test_another_rate_is_the_same_sound(wanted: int) -> None:
    """A tone keeps its pitch and its loudness, full scale does not wrap, and samples come within 0.1 seconds."""
    at = np.arange(RATE) / RATE
    tone = (32_767 * np.sin(2 * np.pi * 440 * at)).astype("<i2")
    sound = np.frombuffer(resampled(tone.tobytes(), wanted, [*range(480, RATE, 480)]), "<i2").astype(float)
    again = 32_767 * np.sin(2 * np.pi * 440 * np.arange(len(sound)) / wanted)
    middle = slice(wanted // 10, -wanted // 10)
    assert np.abs(sound[middle] - again[middle]).max() < 40
    assert len(Resampled(RATE, wanted).feed(tone[: RATE // 10].tobytes())) > 0


@pytest.mark.parametrize("form", FORMS)
async def test_the_whole_is_the_file_and_what_was_sent_is_the_stream(form: str) -> None:
    """A body that is kept equals the file that the encoder writes; what was sent equals what a pipe gets."""
    pcm = speechlike(1.3).tobytes()
    encoding = Encoding(form, keep=1 << 20)
    sent = await encoded(encoding, pcm)
    for sink, made in ((Pipe(), sent), (io.BytesIO(), encoding.whole)):
        encoder = codec.encoder(form, sink, RATE)
        encoder.write(pcm)
        encoder.close()
        assert made == sink.getvalue()


async def test_a_body_that_is_too_long_is_not_kept() -> None:
    """What is kept has a bound; what is sent has none."""
    pcm = speechlike(1).tobytes()
    for keep, kept in ((0, None), (len(pcm) - 1, None), (len(pcm), pcm)):
        encoding = Encoding("pcm", keep=keep)
        assert await encoded(encoding, pcm) == pcm
        assert encoding.whole == kept


@pytest.mark.parametrize("form", FORMS)
async def test_sound_leaves_soon(form: str) -> None:
    """After 0.3 seconds, which is what the cloud sends at a time, some of every format has left."""
    chunk = Chunk(speechlike(0.3).tobytes(), RATE, 0, (0, 1))
    encoding = Encoding(form)
    assert len(await encoding.feed(chunk)) > 1_000
    await encoding.finish()


async def test_a_streamed_wav_is_taken_by_readers() -> None:
    """The header of a stream says that the length is not known; libsndfile and Python read all that is there."""
    pcm = speechlike(0.7).tobytes()
    sent = await encoded(Encoding("wav"), pcm)
    assert sent == wav_header(None, RATE) + pcm
    assert soundfile.read(io.BytesIO(sent), dtype="int16")[0].tobytes() == pcm
    with wave.open(io.BytesIO(sent)) as reader:
        assert reader.readframes(1 << 30) == pcm


async def test_a_wav_at_another_rate_has_true_sizes_in_the_end() -> None:
    """What is kept tells the length after resampling."""
    pcm = speechlike(0.5).tobytes()
    encoding = Encoding("wav", 16_000, keep=1 << 20)
    await encoded(encoding, pcm)
    assert encoding.whole == wav(resampled(pcm, 16_000, []), 16_000)


async def test_a_speech_without_sound_is_nothing() -> None:
    """Where no chunk came there is no header either."""
    encoding = Encoding("wav", keep=100)
    assert await encoding.finish() == b""
    assert not encoding.whole


def test_bodies_are_bounded_and_the_last_used_stay() -> None:
    """The memory has a bound; what nobody asked for goes first; a body put twice counts once."""
    bodies = Bodies(most=30)
    one = Body(bytes(10), "fake", 1.0)
    for name in ("a", "b", "b", "c"):
        bodies.put(name, one)
    assert bodies.get("a") is one
    bodies.put("d", one)
    assert [bodies.get(name) is not None for name in "abcd"] == [True, False, True, True]
    bodies.put("e", Body(bytes(31), "fake", 1.0))
    assert not any(bodies.get(name) for name in "abcde")
