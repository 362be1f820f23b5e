"""An exported voice book: voices with their files, in one ZIP file.

Owns its form and its bounds: it may come from anywhere. What is in the book is the book's own.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lineread.errors import OptionError, shortened
from lineread.voices.record import RECORD, decoded, encoded, file_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import IO

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


def unpack(path: str) -> list[tuple[OwnVoice, dict[str, bytes]]]:
    """The voices of an exported book, with their files.

    Raises:
        OptionError: It is none, or too large.
    """
    shown = shortened(path)
    if not os.path.exists(path):
        raise OptionError(f"There is no file {shown!r}.", remedy="Check the path.")
    try:
        found = _unpacked(path) if os.path.isfile(path) else []  # zipfile would look for the end of a device
    except OptionError:
        raise
    except Exception:  # noqa: BLE001 - zipfile, and what unpacks for it, has no list of the ways to say that it is none
        found = []
    if not found:
        remedy = "Give a file that `lineread voices export` wrote."
        raise OptionError(f"{shown!r} is no exported voice book.", remedy=remedy)
    return found


def _unpacked(path: str) -> list[tuple[OwnVoice, dict[str, bytes]]]:
    """As :func:`unpack`. What is unpacked is never more than the file's own list says.

    Raises:
        OptionError: It is too large.
        Exception: It is none.
    """
    with zipfile.ZipFile(path) as archive:
        items = archive.infolist()
        sizes = [item.file_size for item in items]
        if not _bearable(sizes):
            raise _too_much("That is")
        if max(sizes) > _MOST_BYTES or not _distinct(item.filename for item in items):
            raise ValueError
        records = [item.filename for item in items if item.filename.endswith(f"/{RECORD}")]
        found = [_unpacked_voice(archive, record) for record in records]
    if not _distinct(voice.name for voice, _ in found):
        raise ValueError
    return found


def _unpacked_voice(archive: zipfile.ZipFile, record: str) -> tuple[OwnVoice, dict[str, bytes]]:
    """One of these voices, its files named by their content, whatever they were called.

    Raises:
        Exception: It is none.
    """
    voice = decoded(archive.read(record))
    folder = record.removesuffix(RECORD)
    if voice.kind == "clone" and not voice.consent.strip():
        raise ValueError
    files: dict[str, bytes] = {}
    if voice.sample:
        sample = archive.read(folder + voice.sample)
        if hashlib.sha256(sample).hexdigest() != voice.sample_sha256:
            raise ValueError
        voice = replace(voice, sample=file_name("sample", sample, voice.sample.rpartition(".")[2]))
        files[voice.sample] = sample
    if voice.preview:
        preview = archive.read(folder + voice.preview)
        voice = replace(voice, preview=file_name("preview", preview, voice.preview.rpartition(".")[2]))
        files[voice.preview] = preview
    return voice, files


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
