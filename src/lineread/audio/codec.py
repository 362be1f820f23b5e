"""File formats by name: what they are called, and an encoder for each.

Owns the choice of codecs and their settings. An encoder writes to a binary file object that somebody else opened and
closes. WAV and plain PCM are written here, without loading anything; the others by :mod:`lineread.audio.compressed`
and :mod:`lineread.audio.aac`.

AAC is no format of lineread's own, and ``FORMATS`` lacks it: nothing but the server's OpenAI dialect, which promises
it, encodes it, and it needs an extra.
"""

from __future__ import annotations

import importlib
import os
from typing import Final, Protocol

from lineread.audio.container import wav_header
from lineread.errors import OptionError, OutputError
from lineread.speech import FORMATS, SAMPLE_WIDTH

#: What HTTP calls them, and AAC.
MEDIA_TYPES: Final = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "pcm": "audio/pcm",
    "aac": "audio/aac",
}
#: Formats that are written without work.
PLAIN: Final = ("wav", "pcm")

_SUFFIXES: Final = {
    **{f".{name}": name for name in FORMATS},
    ".wave": "wav",
    ".opus": "ogg",
    ".oga": "ogg",
    ".raw": "pcm",
}


class Output(Protocol):
    """What an encoder needs of a binary file. It takes all bytes of a call or raises."""

    def write(self, data: bytes, /) -> object:
        """Write all of it."""

    def seekable(self) -> bool:
        """Whether earlier parts can be written over."""

    def tell(self) -> int:
        """Where it stands."""

    def seek(self, offset: int, /) -> object:
        """Go there."""


class Encoder(Protocol):
    """Turns PCM into a file. What was begun and is not closed is no whole file."""

    def write(self, pcm: bytes) -> None:
        """Encode some more. It may keep a part of it for later."""

    def close(self) -> None:
        """Write what is left, and true sizes where the file can be seeked. Leaves the file open."""


def suffix_format(path: str | os.PathLike[str]) -> str:
    """The format that a file's name asks for.

    Raises:
        OptionError: It asks for none, or for one that lineread cannot write.
    """
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    remedy = f"End the name in {', '.join(f'.{name}' for name in FORMATS[:-1])} or .{FORMATS[-1]}."
    if not suffix:
        raise OptionError("The output file's name does not tell a format.", remedy=remedy, code="unknown_format")
    from lineread.catalogue import suggestion  # noqa: PLC0415 - loaded for a mistake only

    raise OptionError(
        f"The format {suffix!r} is not supported.", remedy=suggestion(suffix, _SUFFIXES, remedy), code="unknown_format"
    )


def encoder(form: str, sink: Output, sample_rate: int, *, samples: int | None = None) -> Encoder:
    """An encoder that writes to an open file from where it stands now.

    Args:
        form: One of :data:`FORMATS`, or ``aac``.
        sink: Where to. It need not be seekable; a pipe then gets headers that say "unknown length".
        sample_rate: Samples a second.
        samples: How many will come, where that is known: a WAV header then is right from the beginning, in a pipe too.

    Raises:
        OutputError: The format cannot hold this sample rate, or libsndfile cannot be loaded.
        OptionError: It is AAC, and the extra is not installed.
    """
    if form == "wav":
        return _Wav(sink, sample_rate, samples)
    if form == "pcm":
        return _Pcm(sink)
    load(form)
    if form == "aac":
        from lineread.audio.aac import Aac  # noqa: PLC0415 - as below

        return Aac(sink, sample_rate)
    from lineread.audio.compressed import Compressed  # noqa: PLC0415 - takes 0.1 s, and only these formats need it

    return Compressed(form, sink, sample_rate)


def load(form: str) -> None:
    """Load the library that a format needs, so that its lack shows before anything is spoken.

    Args:
        form: One of :data:`FORMATS`, or ``aac``.

    Raises:
        OutputError: libsndfile cannot be loaded.
        OptionError: It is AAC, and the extra is not installed.
    """
    if form in PLAIN:
        return
    try:
        importlib.import_module("lineread.audio.aac" if form == "aac" else "lineread.audio.compressed")
    except (ImportError, OSError) as error:
        if form == "aac":
            raise OptionError(
                "The format aac needs a package that is not installed here.",
                remedy="Run pip install 'lineread[aac]' where this runs, or choose another format.",
                code="unknown_format",
            ) from error
        raise OutputError(
            f"The format {form} needs libsndfile, which cannot be loaded here.",
            remedy="Choose wav, or install libsndfile (apt install libsndfile1, brew install libsndfile).",
        ) from error


class _Pcm:
    """The samples themselves."""

    def __init__(self, sink: Output) -> None:
        self._sink = sink

    def write(self, pcm: bytes) -> None:
        self._sink.write(pcm)

    def close(self) -> None:
        """There is nothing left to do."""


class _Wav:
    """A header, and then the samples themselves."""

    def __init__(self, sink: Output, sample_rate: int, samples: int | None) -> None:
        self._sink = sink
        self._sample_rate = sample_rate
        self._promised = samples
        self._written = 0
        self._begin = sink.tell() if sink.seekable() else None
        sink.write(wav_header(samples, sample_rate))

    def write(self, pcm: bytes) -> None:
        self._sink.write(pcm)
        self._written += len(pcm) // SAMPLE_WIDTH

    def close(self) -> None:
        if self._begin is not None and self._written != self._promised:
            overwrite(self._sink, self._begin, wav_header(self._written, self._sample_rate))


def overwrite(sink: Output, at: int, data: bytes) -> None:
    """Write over an earlier part, and come back."""
    end = sink.tell()
    sink.seek(at)
    sink.write(data)
    sink.seek(end)
