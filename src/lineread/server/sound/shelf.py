"""The shelf: the directory of finished audio files, their names in it, and which of them have to go.

Owns that directory, its bound, and the few threads that do all work there and nothing else, so that a disk that hangs
holds up nothing but files. It lies in the cache directory, so files survive a restart; ``writing`` fills it.

Several servers may share it. When a file was last given away is its access time, and when it was made its modification
time, which a client that goes on with a broken download compares. What is kept too long, or is too much, is removed
after a file came; so is a part of one that a killed server left. What a client was just told of is never removed: when
files of the last minutes alone take all the room, no further one is begun.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import stat
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

from lineread.errors import Overloaded
from lineread.server.sound.signing import VALID, Signer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

#: Seconds for which a file is not removed for want of room: long enough to fetch it.
FRESH: Final = 600.0
#: What is added to a file's name while it is not whole.
PARTIAL: Final = ".part"

_NAME: Final = re.compile(r"[0-9a-f]{40}\.(wav|mp3|flac|ogg|pcm)")
#: Seconds after which an unfinished file is nobody's: no client is so slow, one that takes nothing is cut off sooner.
_STALE: Final = 3600.0
#: Seconds for which a file's time of use need not be written again.
_RECENT: Final = 60.0
#: The directory is looked through after so many seconds, or when a part of its bound has been added.
_TIDY_EVERY: Final = 600.0
_TIDY_SHARE: Final = 32
_THREADS: Final = 4


class Shelf:
    """The store of finished files.

    Args:
        directory: Where they lie; made when the first one comes.
        secret: What URLs are signed with.
        max_bytes: Most bytes that they take; those that nobody asked for the longest go first, but none that was given
            away in the last minutes.

    Attributes:
        directory: Where they lie.
        signer: Signs their URLs.
    """

    def __init__(self, directory: str, secret: bytes, *, max_bytes: int) -> None:
        self.directory = directory
        self.signer = Signer(secret)
        self._max_bytes = max_bytes
        self._added = max_bytes  # so that the first file finds what lies there from before
        self._tidied = time.monotonic()
        self._tasks: set[asyncio.Task[object]] = set()
        self._disk = ThreadPoolExecutor(_THREADS, thread_name_prefix="lineread-shelf")
        self._account = threading.Lock()
        self._unfinished = 0
        self._fresh: deque[tuple[float, int]] = deque()

    async def work(self, call: Callable[..., T], *arguments: object) -> T:
        """What a call returns that may wait for the disk."""
        return await asyncio.get_running_loop().run_in_executor(self._disk, call, *arguments)

    def close(self) -> None:
        """Let the threads go once they are done."""
        self._disk.shutdown(wait=False)

    def path(self, name: str) -> str:
        """Where the file of that name lies, or would lie.

        Raises:
            ValueError: That is no name of ours.
        """
        if not _NAME.fullmatch(name):
            raise ValueError("no name of an audio file")
        return os.path.join(self.directory, name)

    def about(self, name: str) -> os.stat_result | None:
        """What is known of that file; None if it is not there. A link is none: it leads who knows where."""
        try:
            about = os.lstat(self.path(name))
        except OSError:
            return None
        return about if stat.S_ISREG(about.st_mode) else None

    def holds(self, name: str) -> bool:
        """Whether that file is there; if so its day begins anew."""
        about = self.about(name)
        if about is None:
            return False
        if about.st_atime < time.time() - _RECENT:
            with suppress(OSError):  # somebody else's file, or a read-only disk: then it goes sooner
                os.utime(self.path(name), ns=(time.time_ns(), about.st_mtime_ns))
        return True

    def tidy(self) -> None:
        """Remove files whose day is over and parts of files that nobody writes any more, then the longest unused."""
        now = time.time()
        kept = []
        for path, about in self._files():
            partial = path.endswith(PARTIAL)
            if about.st_mtime < now - _STALE if partial else about.st_atime < now - VALID - _RECENT:
                _remove(path)
            elif not partial:
                kept.append((about.st_atime, about.st_size, path))
        total = sum(size for _, size, _ in kept)
        for used, size, path in sorted(kept):
            if total <= self._max_bytes or used > now - FRESH:
                break
            _remove(path)
            total -= size

    @staticmethod
    def name(key: str, form: str, sample_rate: int | None) -> str:
        """The name of the file for a speech.

        Args:
            key: The key of the whole speech.
            form: One of ``speech.FORMATS``.
            sample_rate: Samples a second that are wanted; None for its own.
        """
        mark = f"{key} {sample_rate or ''}"
        return f"{hashlib.blake2b(mark.encode(), digest_size=20).hexdigest()}.{form}"

    def grows(self, size: int) -> None:
        """A file that is being written is so many bytes longer, or, where that is negative, no longer there.

        Raises:
            Overloaded: There would be more of what may not be removed yet than the bound allows.
        """
        now = time.monotonic()
        with self._account:
            while self._fresh and self._fresh[0][0] < now - FRESH:
                self._fresh.popleft()
            self._unfinished += size
            taken = self._unfinished + sum(fresh for _, fresh in self._fresh)
        if size > 0 and taken > self._max_bytes:
            raise Overloaded(
                "This server has made as much audio in the last minutes as it may keep.",
                remedy="Try again in some minutes, ask for less at once, or stream the sound.",
                retryable=True,
                retry_after=60.0,
            )

    def added(self, size: int) -> None:
        """A file of so many bytes came. Now and then the directory is looked through, by a thread."""
        self._added += size
        now = time.monotonic()
        with self._account:
            self._fresh.append((now, size))
        if self._added > self._max_bytes // _TIDY_SHARE or now > self._tidied + _TIDY_EVERY:
            self._added, self._tidied = 0, now
            self.hold(asyncio.create_task(self.work(self.tidy)))

    def hold(self, task: asyncio.Task[object]) -> None:
        """Keep a task from being forgotten before it is done."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _files(self) -> Iterator[tuple[str, os.stat_result]]:
        """All files that this class made. Others may remove some at the same time."""
        with suppress(OSError), os.scandir(self.directory) as entries:
            for entry in entries:
                if _NAME.fullmatch(entry.name.removesuffix(PARTIAL)):
                    with suppress(OSError):
                        yield entry.path, entry.stat(follow_symlinks=False)


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)
