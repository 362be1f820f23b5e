"""How a file comes to the shelf: written as its sound comes, alone or beside a stream.

Owns a file from its first sound until it is whole. It appears under its name then and not before: it is written beside
that name and moved there.

A stream never waits for the disk. Its file is written by a task of its own; if that cannot be done, or takes too long,
the stream goes on and ends without a URL.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, Final, Self

from lineread.errors import LinereadError, OutputError
from lineread.server.sound.shelf import PARTIAL
from lineread.server.sound.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineread.server.sound.shelf import Shelf
    from lineread.speech import Chunk

#: Bytes of sound that may wait for the disk while it is streamed: six minutes of it.
MOST_WAITING: Final = 16 << 20
#: Seconds that a stream gives the disk to make room there, or at its end to catch up.
PATIENCE: Final = 5.0

_log = logging.getLogger(__name__)


class Writing:
    """A file on its way to the shelf, a context manager. What was not kept when the context is left is removed.

    Its work is done by threads, one at a time, also when a caller stops waiting.

    Args:
        shelf: Where it will be.
        form: One of ``speech.FORMATS``.
        sample_rate: Samples a second of the file; None takes the sound as it comes.
    """

    def __init__(self, shelf: Shelf, form: str, sample_rate: int | None) -> None:
        self._shelf = shelf
        self._form = form
        self._wanted = sample_rate
        self._own_name = f"{os.urandom(20).hex()}.{form}"
        self._partial = shelf.path(self._own_name) + PARTIAL
        self._lock = threading.Lock()
        self._kept = self._given_up = self._dropped = False
        self._size = 0
        self._file: BinaryIO | None = None
        self._stage: Stage | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if not self._kept:
            await self._shelf.work(self._discard)

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

    def _add(self, chunk: Chunk) -> None:
        with self._at_work():
            if self._stage is None:
                self._stage = Stage(self._form, self._opened(), self._wanted)
            self._stage.write(chunk)
            self._count()

    def _count(self) -> None:
        assert self._file is not None
        grown, self._size = self._file.tell() - self._size, self._file.tell()
        self._shelf.grows(grown)

    def _opened(self) -> BinaryIO:
        os.makedirs(self._shelf.directory, 0o700, exist_ok=True)
        self._file = os.fdopen(os.open(self._partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")
        return self._file

    def _finish(self, name: str) -> int:
        with self._at_work():
            assert self._stage is not None, "a speech without a chunk"
            assert self._file is not None
            self._stage.close()
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
            with suppress(OSError):
                os.unlink(self._partial)
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
    """A file that is written while its sound is streamed, a context manager; arguments are those of :class:`Writing`.

    What happens to it does not happen to the stream.
    """

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
            async with Writing(self._shelf, self._form, self._sample_rate) as file:
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
