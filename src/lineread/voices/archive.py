"""An exported voice book: voices with their files, in one ZIP file.

Owns its form and its bounds: it may come from anywhere. What is in the book is the book's own.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from lineread.errors import OptionError, shortened
from lineread.voices.record import RECORD, decoded, encoded, file_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import IO, BinaryIO

    from lineread.voices.record import OwnVoice

#: Bytes of one file; a sample has 10 MB at most.
_MOST_BYTES: Final = 32 << 20
#: Files, and bytes of them all: they are held in memory.
_MOST_FILES: Final = 10_000
_MOST_IN_ALL: Final = 512 << 20


def pack(file: IO[bytes], voices: Sequence[tuple[OwnVoice, Mapping[str, bytes]]]) -> None:
    """Write voices and the files that they name into a file that is open for writing; a pipe will do.

    Raises:
        OptionError: They are too much for one file.
        OSError: It cannot be written to.
    """
    files = {
        f"{voice.name}/{name}": data
        for voice, kept in voices
        for name, data in {**kept, RECORD: encoded(voice)}.items()
    }
    if not _bearable([len(data) for data in files.values()]):
        raise _too_much("The voices are")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)


def unpack(source: str | BinaryIO) -> list[tuple[OwnVoice, dict[str, bytes]]]:
    """The voices of an exported book, with their files.

    Args:
        source: The file's path, or a pipe that it comes through.

    Raises:
        OptionError: It is none, or too large.
    """
    shown = repr(shortened(source)) if isinstance(source, str) else "What came"
    if isinstance(source, str) and not os.path.exists(source):
        raise OptionError(f"There is no file {shown}.", remedy="Check the path.")
    try:
        found = _found(source)
    except OptionError:
        raise
    except Exception:  # noqa: BLE001 - zipfile, and what unpacks for it, has no list of the ways to say that it is none
        found = []
    if not found:
        remedy = "Give a file that `lineread voices export` wrote; of one that is damaged, another copy."
        raise OptionError(f"{shown} is no exported voice book, or not as it was written.", remedy=remedy)
    return found


def _found(source: str | BinaryIO) -> list[tuple[OwnVoice, dict[str, bytes]]]:
    """As :func:`_unpacked`. A device is none: zipfile would look for its end."""
    if isinstance(source, str):
        return _unpacked(source) if os.path.isfile(source) else []
    return _unpacked(io.BytesIO(source.read(_MOST_IN_ALL)))


def _unpacked(path: str | BinaryIO) -> list[tuple[OwnVoice, dict[str, bytes]]]:
    """As :func:`unpack`. What is unpacked is never more than the file's own list says.

    Raises:
        OptionError: It is too large.
        Exception: It is none.
    """
    with zipfile.ZipFile(path) as archive:
        items = [item for item in archive.infolist() if not item.is_dir()]
        sizes = [item.file_size for item in items]
        if not _bearable(sizes):
            raise _too_much("That is")
        if max(sizes, default=0) > _MOST_BYTES or not _distinct(item.filename for item in items):
            raise ValueError
        records = [item.filename for item in items if item.filename.endswith(f"/{RECORD}")]
        found = [_unpacked_voice(archive, record) for record in records]
    if len(items) != sum(1 + len(files) for _, files in found):  # there is more than anybody names
        raise ValueError
    ids = (each for voice, _ in found for each in {made.voice for made in voice.ids})
    if not _distinct(ids):  # who deletes one voice would delete another
        raise ValueError
    return found


def _unpacked_voice(archive: zipfile.ZipFile, record: str) -> tuple[OwnVoice, dict[str, bytes]]:
    """One of these voices, its files named by their content, whatever they were called.

    Raises:
        Exception: It is none.
    """
    voice = replace(decoded(archive.read(record)), replaced=())  # those are for the book to delete that noted them
    if record != f"{voice.name}/{RECORD}" or (voice.kind == "clone" and not voice.consent.strip()):
        raise ValueError
    files: dict[str, bytes] = {}
    if voice.sample:
        sample = archive.read(f"{voice.name}/{voice.sample}")
        if hashlib.sha256(sample).hexdigest() != voice.sample_sha256:
            raise ValueError
        voice = replace(voice, sample=_named("sample", voice.sample, sample))
        files[voice.sample] = sample
    if voice.preview:
        preview = archive.read(f"{voice.name}/{voice.preview}")
        voice = replace(voice, preview=_named("preview", voice.preview, preview))
        files[voice.preview] = preview
    return voice, files


def _named(what: Literal["sample", "preview"], name: str, data: bytes) -> str:
    """The name that a file gets here.

    Raises:
        ValueError: It was named by other content.
    """
    named = file_name(what, data, name.rpartition(".")[2])
    if len(name) == len(named) and name != named:
        raise ValueError
    return named


def _bearable(sizes: list[int]) -> bool:
    """Whether so many files of these sizes may be in an exported book."""
    return len(sizes) <= _MOST_FILES and sum(sizes) <= _MOST_IN_ALL


def _too_much(what: str) -> OptionError:
    return OptionError(
        f"{what} too much for one file: {_MOST_FILES:,} files and {_MOST_IN_ALL >> 20} MB is the most.",
        remedy="Export fewer at a time: lineread voices export FILE.zip NAME ...",
    )


def _distinct(names: Iterable[str]) -> bool:
    """Whether no two of them are the same in any case."""
    every = [name.casefold() for name in names]
    return len(set(every)) == len(every)
