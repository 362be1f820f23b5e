"""File formats by name, and the encoders that need no library."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from lineread.audio import codec
from lineread.audio.container import read_wav, wav, wav_header
from lineread.errors import OptionError, OutputError
from support import python

SOUND = bytes(range(200)) * 30


class Pipe(io.BytesIO):
    """A stream that cannot go back."""

    def seekable(self) -> bool:
        return False

    def seek(self, *arguments: object) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
        raise io.UnsupportedOperation


def encoded(form: str, sink: io.BytesIO, sound: bytes = SOUND, samples: int | None = None) -> bytes:
    """What a sink holds after the sound came in pieces."""
    encoder = codec.encoder(form, sink, 24_000, samples=samples)
    for at in range(0, len(sound), 1234):
        encoder.write(sound[at : at + 1234])
    encoder.close()
    return sink.getvalue()


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.wav", "wav"),
        ("a.WAVE", "wav"),
        ("dir.x/a.b.mp3", "mp3"),
        ("a.flac", "flac"),
        ("a.ogg", "ogg"),
        ("a.opus", "ogg"),
        ("a.oga", "ogg"),
        ("a.pcm", "pcm"),
        ("a.raw", "pcm"),
    ],
)
def test_a_suffix_names_a_format(name: str, form: str) -> None:
    """Each suffix in use names its format, in any case, for strings and for paths."""
    assert codec.suffix_format(name) == codec.suffix_format(Path(name)) == form


@pytest.mark.parametrize(("name", "hint"), [("a.flacc", ".flac"), ("a.aac", ".mp3"), ("a", ".wav"), ("b/.wav", ".ogg")])
def test_other_suffixes_are_refused(name: str, hint: str) -> None:
    """An unknown suffix and a missing one are errors that name what can be written; a near miss gets a hint."""
    with pytest.raises(OptionError) as caught:
        codec.suffix_format(name)
    assert caught.value.code == "unknown_format"
    assert hint in caught.value.remedy


def test_every_format_has_what_belongs_to_it() -> None:
    """Each format has a media type and its own name as a suffix; AAC, which only the server encodes, has a type."""
    assert [*codec.MEDIA_TYPES] == [*codec.FORMATS, "aac"]
    assert [codec.suffix_format(f"a.{form}") for form in codec.FORMATS] == [*codec.FORMATS]


def test_wav_gets_true_sizes_where_it_can() -> None:
    """A file's header is corrected at the end, also behind other data; a pipe gets the header of a stream."""
    assert encoded("wav", io.BytesIO()) == wav(SOUND, 24_000)
    sink = io.BytesIO()
    sink.write(b"before")
    assert encoded("wav", sink) == b"before" + wav(SOUND, 24_000)
    assert encoded("wav", Pipe()) == wav_header(None, 24_000) + SOUND
    assert read_wav(encoded("wav", Pipe())) == (SOUND, 24_000)


def test_a_known_length_needs_no_correction() -> None:
    """When the number of samples is told before, even a pipe gets a true header; a false number is corrected."""
    assert encoded("wav", Pipe(), samples=len(SOUND) // 2) == wav(SOUND, 24_000)
    assert encoded("wav", io.BytesIO(), samples=7) == wav(SOUND, 24_000)


def test_pcm_is_the_samples_themselves() -> None:
    """The pcm format adds nothing."""
    assert encoded("pcm", Pipe()) == encoded("pcm", io.BytesIO()) == SOUND


def test_wav_and_pcm_load_no_library() -> None:
    """Importing the module and writing WAV or PCM loads neither numpy nor soundfile; MP3 does."""
    code = """
import io, sys
from lineread.audio import codec
for form in ("wav", "pcm"):
    encoder = codec.encoder(form, io.BytesIO(), 24_000)
    encoder.write(bytes(100))
    encoder.close()
print([name for name in ("numpy", "soundfile", "asyncio", "logging", "pathlib", "threading") if name in sys.modules])
codec.encoder("mp3", io.BytesIO(), 24_000)
print("soundfile" in sys.modules)
"""
    result = python(code)
    assert result.stdout.split(b"\n")[:2] == [b"[]", b"True"], result


def test_a_missing_library_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without libsndfile WAV still works, and MP3 says what to do."""
    monkeypatch.delitem(sys.modules, "lineread.audio.compressed", raising=False)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(OutputError, match="libsndfile") as caught:
        codec.encoder("mp3", io.BytesIO(), 24_000)
    assert "wav" in caught.value.remedy
    codec.load("wav")
    with pytest.raises(OutputError, match="libsndfile"):
        codec.load("mp3")
    assert encoded("wav", io.BytesIO()) == wav(SOUND, 24_000)


def test_a_missing_extra_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyAV, AAC names the extra that brings it."""
    monkeypatch.delitem(sys.modules, "lineread.audio.aac", raising=False)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(OptionError, match="not installed") as caught:
        codec.load("aac")
    assert "lineread[aac]" in caught.value.remedy
