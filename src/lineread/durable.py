"""Files that are there after a power cut: what they hold was paid for, or is told once.

Owns how such a file gets its name: whole, in one step, for its owner's eyes only. Speech needs none of it, as
``sinks`` says.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def replacing(path: str, data: bytes) -> Iterator[None]:
    """Write a file, and give it its name once the context is left, unless by an error.

    Until then it lies beside its place, as ``NAME.*.part``: a killed process leaves it there.

    Args:
        path: Where it shall be; replaced if it is there.
        data: What it holds.

    Raises:
        OSError: It cannot be written.
    """
    partial = f"{path}.{os.urandom(6).hex()}.part"
    try:
        with open(partial, "xb", opener=private) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield
        os.replace(partial, path)
        flush_directory(os.path.dirname(path))
    except BaseException:
        with suppress(OSError):
            os.unlink(partial)
        raise


def flush_directory(path: str) -> None:
    """Have the names of a directory's files survive the machine, where directories can be flushed.

    Raises:
        OSError: They cannot be written.
    """
    if sys.platform == "win32":
        return
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def private(path: str, flags: int) -> int:
    """Open a file for its owner alone, as ``open`` wants its opener."""
    return os.open(path, flags, 0o600)
