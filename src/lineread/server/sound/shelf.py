"""Finished audio files, and the signed URLs under which clients fetch them for a day.

Owns the directory of the files, its bound, and the secret that signs. The files lie in the cache directory and the
secret in the state directory, so URLs survive a restart. A URL has the query of the cloud's own (``Expires``,
``OSSAccessKeyId``, ``Signature``); nobody can make one up, and the names in it cannot be walked.

Several servers may share the directory. A file appears under its name when it is whole and not before: it is written
beside that name and then moved. When it was last given away is its access time, and when it was made its modification
time, which a client that goes on with a broken download compares. What is kept too long, or is too much, is removed
after a file came; so is a part of one that a killed server left. What a client was just told of is never removed: when
files of the last minutes alone take all the room, no further one is begun.

A stream never waits for the disk. Its file is written by a task of its own; if that cannot be done, or takes too long,
the stream goes on and ends without a URL. All work on the disk is done by a few threads that do nothing else, so that
one that hangs holds up nothing but files.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import os
import re
import stat
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, Final, Self, TypeVar
from urllib.parse import quote

from lineread.audio.codec import encoder
from lineread.errors import LinereadError, OutputError, Overloaded
from lineread.server.sound.encoding import Resampled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from lineread.audio.codec import Encoder
    from lineread.speech import Chunk

T = TypeVar("T")

#: Seconds that a URL is valid: what the cloud promises.
VALID: Final = 86_400
#: Where the files are served, under the server's own root.
PLACE: Final = "/audio/"
#: Bytes of sound that may wait for the disk while it is streamed: six minutes of it.
MOST_WAITING: Final = 16 << 20
#: Seconds that a stream gives the disk to make room there, or at its end to catch up.
PATIENCE: Final = 5.0
#: Seconds for which a file is not removed for want of room: long enough to fetch it.
FRESH: Final = 600.0

_KEY_ID: Final = "lineread"
_NAME: Final = re.compile(r"[0-9a-f]{40}\.(wav|mp3|flac|ogg|pcm)")
_PARTIAL: Final = ".part"
#: Seconds after which an unfinished file is nobody's: no client is so slow, one that takes nothing is cut off sooner.
_STALE: Final = 3600.0
#: Seconds for which a file's time of use need not be written again.
_RECENT: Final = 60.0
#: The directory is looked through after so many seconds, or when a part of its bound has been added.
_TIDY_EVERY: Final = 600.0
_TIDY_SHARE: Final = 32
_SECRET_BYTES: Final = 32
_THREADS: Final = 4

_log = logging.getLogger(__name__)


class Shelf:
    """The store of finished files.

    Args:
        directory: Where they lie; made when the first one comes.
        secret: What URLs are signed with.
        max_bytes: Most bytes that they take; those that nobody asked for the longest go first, but none that was given
            away in the last minutes.
    """

    def __init__(self, directory: str, secret: bytes, *, max_bytes: int) -> None:
        self.directory = directory
        self._secret = secret
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

    @asynccontextmanager
    async def writing(self, form: str, sample_rate: int | None) -> AsyncIterator[Writing]:
        """A new file, to be written as its sound comes. What was not kept when the context is left is removed.

        Args:
            form: One of ``speech.FORMATS``.
            sample_rate: Samples a second of the file; None takes the sound as it comes.
        """
        file = Writing(self, form, sample_rate)
        try:
            yield file
        finally:
            await file.close()

    def beside(self, form: str, sample_rate: int | None) -> Beside:
        """A new file, to be written while its sound is streamed; a context manager, as :meth:`writing`."""
        return Beside(self, form, sample_rate)

    def path(self, name: str) -> str:
        """Where the file of that name lies, or would lie.

        Raises:
            ValueError: That is no name of ours.
        """
        if not _NAME.fullmatch(name):
            raise ValueError("no name of an audio file")
        return os.path.join(self.directory, name)

    def has(self, name: str) -> bool:
        """Whether that file is there."""
        return self._about(name) is not None

    def holds(self, name: str) -> bool:
        """Whether that file is there; if so its day begins anew."""
        about = self._about(name)
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
            partial = path.endswith(_PARTIAL)
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

    def sign(self, name: str, expires: int) -> str:
        """The path and query under which that file can be fetched until then."""
        signature = quote(self._signature(name, expires), safe="")
        return f"{PLACE}{name}?Expires={expires}&OSSAccessKeyId={_KEY_ID}&Signature={signature}"

    def verifies(self, name: str, expires: int, key_id: str, signature: str) -> bool:
        """Whether we signed that."""
        shown = signature.encode("utf-8", "replace")
        return hmac.compare_digest(self._signature(name, expires).encode(), shown) and key_id == _KEY_ID

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

    def _about(self, name: str) -> os.stat_result | None:
        """What is known of a file. A link is none: it leads who knows where."""
        try:
            about = os.lstat(self.path(name))
        except OSError:
            return None
        return about if stat.S_ISREG(about.st_mode) else None

    def _files(self) -> Iterator[tuple[str, os.stat_result]]:
        """All files that this class made. Others may remove some at the same time."""
        with suppress(OSError), os.scandir(self.directory) as entries:
            for entry in entries:
                if _NAME.fullmatch(entry.name.removesuffix(_PARTIAL)):
                    with suppress(OSError):
                        yield entry.path, entry.stat(follow_symlinks=False)

    def _signature(self, name: str, expires: int) -> str:
        digest = hmac.new(self._secret, f"{name}\n{expires}".encode(), hashlib.sha256).digest()
        return base64.b64encode(digest).decode("ascii")


class Writing:
    """A file on its way to the shelf. Its work is done by threads, one at a time, also when a caller stops waiting."""

    def __init__(self, shelf: Shelf, form: str, sample_rate: int | None) -> None:
        self._shelf = shelf
        self._form = form
        self._wanted = sample_rate
        self._own_name = f"{os.urandom(20).hex()}.{form}"
        self._partial = shelf.path(self._own_name) + _PARTIAL
        self._lock = threading.Lock()
        self._kept = self._given_up = self._dropped = False
        self._size = 0
        self._file: BinaryIO | None = None
        self._encoder: Encoder | None = None
        self._resampled: Resampled | None = None

    async def add(self, chunk: Chunk) -> None:
        """The next piece of sound.

        Raises:
            OutputError: It cannot be written.
            Overloaded: There is no room for it.
        """
        await self._shelf.work(self._add, chunk)

    async def keep(self, name: str | None) -> str:
        """Put the file on the shelf, now that it is whole.

        Args:
            name: Its name; None for one that nobody asks for again.

        Returns:
            Its name.

        Raises:
            OutputError: It cannot be written.
        """
        kept = name or self._own_name
        self._shelf.added(await self._shelf.work(self._finish, kept))
        return kept

    async def close(self) -> None:
        """Drop the file, if it was not kept."""
        if not self._kept:
            await self._shelf.work(self._discard)

    def _add(self, chunk: Chunk) -> None:
        with self._at_work():
            if self._encoder is None:
                self._encoder = self._begun(chunk.sample_rate)
            self._encoder.write(chunk.pcm if self._resampled is None else self._resampled.feed(chunk.pcm))
            self._count()

    def _count(self) -> None:
        assert self._file is not None
        grown, self._size = self._file.tell() - self._size, self._file.tell()
        self._shelf.grows(grown)

    def _begun(self, rate: int) -> Encoder:
        wanted = self._wanted or rate
        if wanted != rate:
            self._resampled = Resampled(rate, wanted)
        os.makedirs(self._shelf.directory, 0o700, exist_ok=True)
        self._file = os.fdopen(os.open(self._partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")
        return encoder(self._form, self._file, wanted)

    def _finish(self, name: str) -> int:
        with self._at_work():
            assert self._encoder is not None, "a speech without a chunk"
            assert self._file is not None
            if self._resampled is not None:
                self._encoder.write(self._resampled.feed(b"", last=True))
            self._encoder.close()
            self._file.close()
            size = os.stat(self._partial).st_size
            os.utime(self._partial)  # its day begins when its URL is told, and not when the first sound came
            os.replace(self._partial, self._shelf.path(name))
            self._kept = True
            self._shelf.grows(-self._size)
            return size

    def _discard(self) -> None:
        """Drop the file; if a thread is still at work on it, that one does so when the disk lets it go."""
        self._given_up = True
        if self._lock.acquire(blocking=False):
            try:
                self._drop()
            finally:
                self._lock.release()

    def _drop(self) -> None:
        if self._file is not None and not (self._dropped or self._kept):
            self._dropped = True
            with suppress(OSError):  # the disk is still full
                self._file.close()
            _remove(self._partial)
            self._shelf.grows(-self._size)

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        try:
            with self._lock:
                if self._given_up:
                    raise OutputError("The audio file was given up.")
                yield
        except OSError as error:
            raise OutputError(f"An audio file could not be written ({error.strerror}).") from error
        finally:
            if self._given_up:
                self._discard()  # it was given up while the disk was busy


class Beside:
    """A file that is written while its sound is streamed. What happens to it does not happen to the stream."""

    def __init__(self, shelf: Shelf, form: str, sample_rate: int | None) -> None:
        self._shelf = shelf
        self._form = form
        self._sample_rate = sample_rate
        self._name: str | None = None
        self._chunks: asyncio.Queue[Chunk | None] = asyncio.Queue()
        self._waiting = 0
        self._news = asyncio.Event()
        self._given_up = False

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._write())
        self._shelf.hold(self._task)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._task.cancel()  # it removes what was not kept; a disk that hangs is not waited for

    async def add(self, chunk: Chunk) -> None:
        """The next piece of sound. Waits only if the disk is minutes of sound behind, and not for long."""
        if self._given_up or self._task.done():
            return
        self._chunks.put_nowait(chunk)
        self._waiting += len(chunk.pcm)
        if self._waiting > MOST_WAITING:
            self._news.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), PATIENCE)
                return
            self._give_up()

    async def keep(self, name: str | None) -> str | None:
        """Put the file on the shelf, now that it is whole.

        Args:
            name: As for :meth:`Writing.keep`.

        Returns:
            Its name; None if there is no file.
        """
        if self._given_up:
            return None
        self._name = name
        self._chunks.put_nowait(None)
        done, _ = await asyncio.wait([self._task], timeout=PATIENCE)
        if done and not self._task.cancelled():
            return self._task.result()
        self._give_up()
        return None

    def _give_up(self) -> None:
        _log.warning("the disk is too slow: an audio file of a stream was not kept")
        self._given_up = True
        self._task.cancel()
        while not self._chunks.empty():  # a thread that hangs may hold on to the queue
            self._chunks.get_nowait()

    async def _write(self) -> str | None:
        try:
            async with self._shelf.writing(self._form, self._sample_rate) as file:
                while (chunk := await self._chunks.get()) is not None:
                    await file.add(chunk)
                    self._waiting -= len(chunk.pcm)
                    self._news.set()
                return await file.keep(self._name)
        except LinereadError as error:
            _log.warning("an audio file of a stream was not kept: %s", error.message)
            return None
        finally:
            self._news.set()


def secret(directory: str) -> bytes:
    """The secret of this user's servers, made at the first start.

    Raises:
        OSError: It cannot be kept there.
    """
    path = os.path.join(directory, "audio-url-secret")
    os.makedirs(directory, 0o700, exist_ok=True)
    known = _read(path)
    if known is None or len(known) != _SECRET_BYTES:
        _publish(os.urandom(_SECRET_BYTES), path, anew=known is None)
        with open(path, "rb") as file:  # it may be another server's that was faster
            known = file.read()
    return known


def _read(path: str) -> bytes | None:
    """What the file holds; None if there is none."""
    try:
        with open(path, "rb") as file:
            return file.read(_SECRET_BYTES + 1)
    except FileNotFoundError:
        return None


def _publish(data: bytes, path: str, *, anew: bool) -> None:
    """Put a whole file there at once, readable by its owner alone. Of two new ones the first stays."""
    partial = f"{path}.{os.urandom(8).hex()}"
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    try:
        if anew:
            os.link(partial, path)
        else:
            os.replace(partial, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        os.replace(partial, path)
    finally:
        _remove(partial)


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)
