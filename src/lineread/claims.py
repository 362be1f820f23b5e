"""Exclusive rights among the processes of a machine: one byte of one file for each key, locked by whoever has it.

Owns the lock files' descriptors. The kernel forgets a lock with the process that holds it, however that one ends, and
locking a byte makes no file and takes two microseconds. Such locks tell processes apart and nothing finer, so what
this process itself has claimed is kept in a set; and closing any descriptor of a file would give up all locks on it,
so there is one for each file, and it stays open.
"""

from __future__ import annotations

import os
import sys
import threading

if sys.platform != "win32":
    import fcntl

_guard = threading.Lock()
_files: dict[str, int] = {}
_held: set[tuple[str, int]] = set()


class Claim:
    """A right, until it is released or the process ends."""

    __slots__ = ("_path", "_place")

    def __init__(self, path: str, place: int) -> None:
        self._path = path
        self._place: int | None = place

    def release(self) -> None:
        """Give the right back. Releasing twice does nothing."""
        with _guard:
            place, self._place = self._place, None
            if place is None or (self._path, place) not in _held:
                return
            _held.discard((self._path, place))
            if sys.platform != "win32" and self._path in _files:
                fcntl.lockf(_files[self._path], fcntl.LOCK_UN, 1, place)


def claim(path: str, place: int) -> Claim | None:
    """The right to a place of a lock file, or None while somebody has it.

    On Windows everybody gets it: it is advice, and who does not ask is not stopped.

    Args:
        path: The lock file; made if it is not there. Its directory has to be.
        place: From 0, below 2**60.

    Raises:
        OSError: The file cannot be opened, or files cannot be locked there.
    """
    with _guard:
        if (path, place) in _held:
            return None
        if sys.platform != "win32":
            try:
                fcntl.lockf(_opened(path), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
            except (BlockingIOError, PermissionError):
                return None
        _held.add((path, place))
    return Claim(path, place)


def _opened(path: str) -> int:
    """The file's descriptor. A file that was removed meanwhile is left to those who still have it open."""
    file = _files.get(path)
    if file is None or not os.fstat(file).st_nlink:
        file = _files[path] = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    return file


def _after_fork() -> None:
    """A child has none of its parent's locks, and whoever held the guard is not in it."""
    global _guard  # noqa: PLW0603 - it is about the process
    _guard = threading.Lock()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
