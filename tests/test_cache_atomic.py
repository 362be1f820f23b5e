"""An entry is there whole or not at all, at every moment of its writing."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Self

import pytest

from lineread import cache as store
from lineread.cache import Cache, Entry
from lineread.speech import Facts, Word

KEY = "v1-" + "0123456789abcdef" * 2 + "01234567"
WORDS = (Word((0, 5), 0.1, 0.4),)
FACTS = Facts("builtin", "builtin/1/a", "hibari", "a woman of 28", "req-1", 12)
OLD = Entry(b"\1\2" * 5000, 24_000, WORDS, FACTS)
NEW = Entry(b"\3\4" * 9000, 24_000, WORDS, FACTS)


class HalfWritten:
    """A file that writes half of what it gets and then asks what to do: wait, or fail."""

    def __init__(self, file: IO[bytes], amid: Any) -> None:
        self._file = file
        self._amid = amid

    def write(self, data: bytes) -> int:
        half = len(data) // 2
        self._file.write(data[:half])
        self._file.flush()
        self._amid()
        self._file.write(data[half:])
        return len(data)

    def writelines(self, parts: Iterable[bytes]) -> None:
        self.write(b"".join(parts))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def interrupt_writing(monkeypatch: pytest.MonkeyPatch, amid: Any) -> None:
    """Have every writing of the store stop half-way."""

    def opened(path: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        file = open(path, mode, *arguments, **options)  # noqa: SIM115 - whoever asked for it closes it
        return HalfWritten(file, amid) if set(mode) & set("wxa+") else file

    monkeypatch.setattr(store, "open", opened, raising=False)


def names(root: Path) -> set[str]:
    return {name for _, _, files in os.walk(root / "v1") for name in files if name != "ledger"}


@pytest.fixture
def kept(tmp_path: Path) -> Cache:
    """A store with its notes, so that what is written next is an entry and nothing else."""
    cache = Cache(str(tmp_path))
    cache.put(KEY, OLD)
    assert cache.get(KEY) == OLD
    return cache


def test_a_rename_that_fails_leaves_the_old_entry(kept: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the last step is refused the old entry still reads, the refusal is told, and no file is left behind."""
    before = names(tmp_path)

    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "entry")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", refused)
        kept.put(KEY, NEW)
    assert kept.get(KEY) == OLD
    assert names(tmp_path) == before
    assert kept.trouble is not None
    kept.put(KEY, NEW)
    assert kept.get(KEY) == NEW


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_writing_that_breaks_off_leaves_the_old_entry(
    kept: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    """A full disk, or a user's Ctrl-C, in the middle of an entry changes nothing and leaves no file behind."""
    before = names(tmp_path)
    reached = threading.Event()

    def fail() -> None:
        reached.set()
        raise failure

    with monkeypatch.context() as patched, suppress(KeyboardInterrupt):
        interrupt_writing(patched, fail)
        kept.put(KEY, NEW)
    assert reached.is_set()
    assert kept.get(KEY) == OLD
    assert names(tmp_path) == before


@pytest.mark.parametrize("old", [OLD, None])
def test_a_reader_never_sees_half_an_entry(
    kept: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: Entry | None
) -> None:
    """While a writer is amid an entry a reader finds what was there before, and afterwards the new one."""
    if old is None:
        kept.prune(max_bytes=0)
    halfway, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        halfway.set()
        assert go_on.wait(10)

    reader = Cache(str(tmp_path))
    interrupt_writing(monkeypatch, hold)
    writing = threading.Thread(target=kept.put, args=(KEY, NEW))
    writing.start()
    try:
        assert halfway.wait(10)
        found, there = reader.get(KEY), reader.holds(KEY)
        sound = reader.verify()
    finally:
        go_on.set()
        writing.join(10)
    assert (found, there) == (old, old is not None)
    assert sound.broken == ()
    assert reader.get(KEY) == NEW
    assert kept.trouble is None
