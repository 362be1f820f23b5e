"""Finished segments on disk: content-addressed, shared by all processes of a user, bounded in size.

Owns one directory. Every entry is a plain file named by the segment's key, ``v1/<2 hex>/<38 hex>.seg`` below the
root. In it are a fixed part (see ``_FIXED``), the engine's facts as JSON, the word times, and the samples. The text,
the request and keys to services never are: a span says where in the segment a word stands, not which word it is.

Writers never meet: an entry is written to a neighbour of its own and renamed, so a reader finds all of it or nothing,
whoever dies when. A power cut may still lose the last entries, because waiting for the disk at each of them costs
more than speaking them again; the length in the head gives away what is cut short, ``verify`` the rest.

Nothing here may fail a request. What the disk refuses is remembered in ``trouble`` and goes on without a cache.
"""

from __future__ import annotations

import json
import os
import struct
import time
from binascii import crc32
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from lineread import claims
from lineread.speech import Chunk, Facts, Word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lineread.speech import Segment

DEFAULT_MAX_BYTES: Final = 2 << 30
#: Files take whole blocks of a disk; sizes and the bound are counted in them.
BLOCK: Final = 4096
#: An entry that was read is marked as used this often at most. The least recently used go first, and an hour is fine
#: enough to tell them apart; a mark for each reading would cost more than the reading.
MARK_EVERY: Final = 3600.0
#: A temporary file this old belongs to nobody: writing takes milliseconds, and who was stopped in between loses no
#: more than this one entry.
STALE_AFTER: Final = 600.0
#: What pruning leaves of the bound, so that it is not needed again at the next entry.
KEPT_SHARE: Final = 0.9

#: Magic, CRC of the head's other bytes, digest of the samples, sample rate, lengths of facts, words and samples.
_FIXED = struct.Struct("<4sI20sIIIQ")
_MAGIC = b"LRS1"
_UNCHECKED = 8  # magic and CRC themselves
#: First character, one past the last, seconds to the beginning, seconds to the end.
_WORD = struct.Struct("<qqdd")
#: The facts that are kept, in the order of ``Facts``.
_FACTS = ("engine", "fingerprint", "model", "stand_in", "request_id", "characters")
_KEY_TAG = "v1-"
_DIGITS = 40
_SUFFIX = ".seg"
_NAME_LENGTH = _DIGITS - 2 + len(_SUFFIX)
_TEMPORARY = ".tmp"
_BINARY = getattr(os, "O_BINARY", 0)
_ROOT_FILES = {
    "README": (
        "This directory holds voice lines that lineread has spoken before, so that they need not be spoken again.\n"
        "It may be deleted at any time. `lineread cache` shows, checks and empties it.\n"
    ),
    "CACHEDIR.TAG": (
        "Signature: 8a477f597d28d172789f06886806bc55\n"
        "# This tag keeps lineread's cache out of backups. See https://bford.info/cachedir/\n"
    ),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A finished segment.

    Attributes:
        pcm: Its samples: signed 16-bit little-endian, one channel.
        sample_rate: Samples a second.
        words: When its words are spoken; spans count from the segment's own first character.
        facts: What the engine said of it when it was spoken.
    """

    pcm: bytes
    sample_rate: int
    words: tuple[Word, ...]
    facts: Facts

    @classmethod
    def of(cls, chunks: Sequence[Chunk], segment: Segment) -> Entry:
        """A segment from all its chunks; the last one has the facts."""
        facts = chunks[-1].facts
        assert facts is not None
        words = tuple(word for chunk in chunks for word in chunk.moved(-segment.text_start).words)
        return cls(b"".join(chunk.pcm for chunk in chunks), chunks[0].sample_rate, words, facts)

    def chunk(self, segment: Segment) -> Chunk:
        """It as a segment's only chunk; it was paid for when it was spoken."""
        facts = replace(self.facts, cached=True, characters=0)
        whole = Chunk(self.pcm, self.sample_rate, 0, (0, len(segment.text)), self.words, facts)
        return whole.moved(segment.text_start)


# Tuples, because making a dataclass takes half a millisecond at import, and a cache hit needs none of these.
class Stats(NamedTuple):
    """What is in the store.

    Attributes:
        root: Its directory.
        entries: How many segments it holds.
        bytes: What they take on the disk.
        max_bytes: What they may take.
        oldest: When the entry unused for longest was last used, in seconds since the epoch; None when it is empty.
        newest: When any entry was last used.
    """

    root: str
    entries: int
    bytes: int
    max_bytes: int
    oldest: float | None
    newest: float | None


class Verified(NamedTuple):
    """What a check of all entries found.

    Attributes:
        checked: How many were read.
        broken: Keys of those that are not what was written.
    """

    checked: int
    broken: tuple[str, ...]


class Pruned(NamedTuple):
    """What was removed.

    Attributes:
        removed: How many entries.
        freed: Bytes that they took on the disk.
    """

    removed: int
    freed: int


class Cache:
    """The store of finished segments.

    Safe with any number of processes and threads. No method but for a malformed key raises; see ``trouble``.

    Args:
        root: Its directory; made at the first entry.
        max_bytes: Most bytes that entries take on the disk, give or take what is being written.

    Attributes:
        trouble: What the disk refused last, in words; None while all went well.
    """

    def __init__(self, root: str, *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.root = os.path.abspath(root)
        self.max_bytes = max_bytes
        self.trouble: str | None = None
        self._entries = f"{self.root}/v1"
        self._ledger = f"{self._entries}/ledger"

    def get(self, key: str) -> Entry | None:
        """The segment of that key, or None. An entry that is broken is removed.

        Raises:
            ValueError: That is no key.
        """
        path = self._path(key)
        try:
            file = os.open(path, os.O_RDONLY | _BINARY)
            try:
                about = os.fstat(file)
                entry, _ = _read(file, about.st_size)
                _mark_used(file, about.st_mtime)
            finally:
                os.close(file)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._remember(error)
            return None
        except _BROKEN:
            _remove(path)
            return None
        return entry

    def put(self, key: str, entry: Entry) -> None:
        """Keep a segment; an entry of the same key is replaced.

        Raises:
            ValueError: That is no key.
        """
        path = self._path(key)
        try:
            head = _head(entry)
            blocks = _blocks(len(head) + len(entry.pcm))
            if blocks * BLOCK <= self.max_bytes:
                self._furnish(os.path.dirname(path))
                _replace(path, head, entry.pcm)
                self._keep_bound(blocks)
        except OSError as error:
            self._remember(error)
        except (struct.error, TypeError) as error:  # an engine that breaks its contract may still speak
            self.trouble = f"a segment is not what an entry can hold: {error}"

    def holds(self, key: str) -> bool:
        """Whether there is an entry of that key, whatever its state.

        Raises:
            ValueError: That is no key.
        """
        return os.path.exists(self._path(key))

    def claim(self, key: str) -> claims.Claim | None:
        """The right to speak that segment; None while another process (or another claim of this one) has it.

        It is advice: who does not ask is not stopped. Where files cannot be locked everybody gets it.

        Raises:
            ValueError: That is no key.
        """
        place = int(_digits(key)[:15], 16)
        try:
            os.makedirs(self.root, 0o700, exist_ok=True)
            return claims.claim(f"{self.root}/claims", place)
        except OSError as error:
            self._remember(error)
            return claims.Claim("", place)

    def stats(self) -> Stats:
        """What is in the store. Looks at every entry's name, not into it."""
        files = self._files()
        used = [when for when, _, _ in files]
        taken = sum(blocks for _, blocks, _ in files) * BLOCK
        return Stats(self.root, len(files), taken, self.max_bytes, min(used, default=None), max(used, default=None))

    def verify(self, *, remove: bool = True) -> Verified:
        """Read all entries and compare them with the digests taken when they were written.

        Args:
            remove: Remove those that are broken.
        """
        self._sweep()
        checked = 0
        broken = []
        for _, _, path in self._files():
            sound = self._is_sound(path)
            checked += sound is not None
            if sound is False:
                broken.append(_key(path))
                if remove:
                    _remove(path)
        return Verified(checked, tuple(broken))

    def prune(self, *, max_bytes: int | None = None, older_than: float | None = None) -> Pruned:
        """Remove entries, those unused for longest first.

        Args:
            max_bytes: What may remain; the store's own bound by default, 0 empties it.
            older_than: Remove what has not been used for so many seconds as well.
        """
        self._sweep()
        most = (self.max_bytes if max_bytes is None else max_bytes) // BLOCK
        since = float("-inf") if older_than is None else time.time() - older_than
        files = sorted(self._files())
        total = sum(blocks for _, blocks, _ in files)
        removed = freed = 0
        for used, blocks, path in files:
            if total <= most and used >= since:
                break
            if _remove(path):
                removed += 1
                freed += blocks
                total -= blocks
        self._note_total(total)
        return Pruned(removed, freed * BLOCK)

    def check(self) -> str | None:
        """Whether entries can be kept here: None, or what stands against it, in words."""
        probe = f"{self._entries}/00/{os.urandom(8).hex()}"
        try:
            self._furnish(os.path.dirname(probe))
            _replace(probe, b"", b"")
        except OSError as error:
            self._remember(error)
            return self.trouble
        _remove(probe)
        return None

    def _path(self, key: str) -> str:
        digits = _digits(key)
        return f"{self._entries}/{digits[:2]}/{digits[2:]}{_SUFFIX}"

    def _remember(self, error: OSError) -> None:
        said = "not a directory" if isinstance(error, FileExistsError) else error.strerror or type(error).__name__
        self.trouble = f"{error.filename or self.root}: {said}"

    def _furnish(self, directory: str) -> None:
        """Make a directory below the root, and the root with its notes if it is new."""
        if os.path.isdir(directory):
            return
        os.makedirs(self.root, 0o700, exist_ok=True)
        os.makedirs(self._entries, 0o700, exist_ok=True)
        os.makedirs(directory, 0o700, exist_ok=True)
        for name, text in _ROOT_FILES.items():
            if not os.path.exists(f"{self.root}/{name}"):
                _replace(f"{self.root}/{name}", text.encode(), b"")

    def _keep_bound(self, blocks: int) -> None:
        """Count what was written; prune when it is too much.

        The ledger is a file whose length is the store's size in blocks: appending is atomic, so all processes keep it
        together without a lock, and no put has to walk the directories, which takes 0.1 s when there is much in them.
        Entries that were replaced or lost make it too long, which only prunes earlier; a process that dies right here
        makes it short by one. Pruning puts it right. A ledger as long as this one entry is new, and says nothing about
        what was there before.
        """
        file = os.open(self._ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _BINARY, 0o600)
        try:
            os.write(file, bytes(blocks))
            total = os.fstat(file).st_size
        finally:
            os.close(file)
        if total * BLOCK > self.max_bytes:
            self.prune(max_bytes=int(self.max_bytes * KEPT_SHARE))
        elif total == blocks:
            self.prune()

    def _note_total(self, blocks: int) -> None:
        try:
            os.truncate(self._ledger, blocks)
        except FileNotFoundError:
            pass  # nothing was ever written
        except OSError as error:
            self._remember(error)

    def _files(self) -> list[tuple[float, int, str]]:
        """All entries: when used last, blocks, path."""
        return [
            (about.st_mtime, _blocks(about.st_size), item.path)
            for place in _listed(self._entries)
            for item in _listed(place.path)
            if len(item.name) == _NAME_LENGTH and item.name.endswith(_SUFFIX) and (about := _about(item))
        ]

    def _is_sound(self, path: str) -> bool | None:
        """Whether an entry is what was written; None when it could not be read or is no longer there."""
        try:
            with open(path, "rb", buffering=0) as file:
                entry, digest = _read(file.fileno(), os.fstat(file.fileno()).st_size)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._remember(error)
            return None
        except _BROKEN:
            return False
        return _digest(entry.pcm) == digest

    def _sweep(self) -> None:
        """Remove the temporary files that dead processes left behind."""
        now = time.time()
        for place in _listed(self._entries):
            for item in _listed(place.path):
                about = _about(item) if item.name.endswith(_TEMPORARY) else None
                if about and abs(now - about.st_mtime) > STALE_AFTER:
                    _remove(item.path)


class _BrokenEntry(Exception):
    """The file is not an entry as it was written."""


_BROKEN = (_BrokenEntry, struct.error, ValueError, TypeError, RecursionError)


def _digits(key: str) -> str:
    digits = key.removeprefix(_KEY_TAG)
    if len(key) != len(_KEY_TAG) + _DIGITS or len(digits) != _DIGITS or digits.strip("0123456789abcdef"):
        raise ValueError("a segment's key is v1- and 40 hexadecimal digits")
    return digits


def _key(path: str) -> str:
    """The key of the entry at a path."""
    directory, name = os.path.split(path)
    return _KEY_TAG + os.path.basename(directory) + name.removesuffix(_SUFFIX)


def _blocks(size: int) -> int:
    return -(-size // BLOCK)


def _digest(pcm: bytes) -> bytes:
    from hashlib import blake2b  # noqa: PLC0415 - 3 ms that reading does not need

    return blake2b(pcm, digest_size=20).digest()


def _head(entry: Entry) -> bytes:
    facts = json.dumps([getattr(entry.facts, name) for name in _FACTS], separators=(",", ":")).encode()
    words = b"".join(_WORD.pack(*word.span, word.start, word.end) for word in entry.words)
    sizes = (entry.sample_rate, len(facts), len(words), len(entry.pcm))
    checked = (_FIXED.pack(_MAGIC, 0, _digest(entry.pcm), *sizes) + facts + words)[_UNCHECKED:]
    return struct.pack("<4sI", _MAGIC, crc32(checked)) + checked


def _read(file: int, size: int) -> tuple[Entry, bytes]:
    """An entry and the digest that its samples should have. The samples are read once and never copied."""
    fixed = os.read(file, _FIXED.size)
    magic, check, digest, sample_rate, facts_size, words_size, pcm_size = _FIXED.unpack(fixed)
    if magic != _MAGIC or _FIXED.size + facts_size + words_size + pcm_size != size:
        raise _BrokenEntry
    rest = os.read(file, facts_size + words_size)
    if crc32(rest, crc32(fixed[_UNCHECKED:])) != check:
        raise _BrokenEntry
    pcm = os.read(file, pcm_size)
    if len(pcm) != pcm_size:
        raise _BrokenEntry
    facts = Facts(*json.loads(str(rest[:facts_size], "ascii")))  # as bytes it would first guess their encoding
    words = tuple([Word((first, last), start, end) for first, last, start, end in _WORD.iter_unpack(rest[facts_size:])])
    return Entry(pcm, sample_rate, words, facts), digest


def _mark_used(file: int, marked: float) -> None:
    if abs(time.time() - marked) > MARK_EVERY and os.utime in os.supports_fd:
        with suppress(OSError):  # a store that may only be read is still good for reading
            os.utime(file)


def _replace(path: str, *parts: bytes) -> None:
    """Write a file in one step, as others see it."""
    temporary = f"{path}.{os.urandom(6).hex()}{_TEMPORARY}"
    try:
        with open(temporary, "xb") as file:
            file.writelines(parts)
        os.replace(temporary, path)
    except BaseException:
        _remove(temporary)
        raise


def _remove(path: str) -> bool:
    """Whether it is gone, by whoever's hand."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _listed(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as items:
            return list(items)
    except OSError:  # not there, or no directory
        return []


def _about(item: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return item.stat(follow_symlinks=False)
    except OSError:  # another process was faster
        return None
