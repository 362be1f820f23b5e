"""A session as its user has it.

Owns the face: what can be written, read and asked, in tasks of one event loop or in threads. The work is a link's. One
task writes while another one reads.
"""

from __future__ import annotations

import asyncio
import math
import threading
from typing import TYPE_CHECKING, Final, Literal, NoReturn, Self, TypeVar

from lineread import _sync
from lineread.errors import OptionError, RequestError, TextError
from lineread.live.heard import Heard, Hearing
from lineread.results import Tally

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Iterator

    from lineread.engines.link import Link
    from lineread.speech import Chunk, LiveRequest

T = TypeVar("T")

#: Seconds between two looks whether a thread that reads is still there.
_LOOK: Final = 0.1

FinishReason = Literal["stop", "cancelled"]
"""Why there is no more sound: all was spoken, or it was told to fall silent."""


class Live:
    """A session that is yet to be opened: ``async with`` gives a :class:`Session`, ``with`` a :class:`SyncSession`."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._session: Session | None = None
        self._sync_session: SyncSession | None = None

    def __getattr__(self, name: str) -> NoReturn:
        if hasattr(Session, name):
            raise AttributeError(f"The session is not open yet: `async with ... as session`, then session.{name}.")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    async def __aenter__(self) -> Session:
        self._session = Session(self._link)
        await self._link.open()
        return self._session

    async def __aexit__(self, kind: type[BaseException] | None, *exc_info: object) -> None:
        assert self._session is not None
        if kind is None:
            await self._session.finished_reading()
        await self._session.aclose()

    def __enter__(self) -> SyncSession:
        self._sync_session = SyncSession(Session(self._link))
        _sync.run(_on_loop(self._link.open()))
        return self._sync_session

    def __exit__(self, kind: type[BaseException] | None, *exc_info: object) -> None:
        assert self._sync_session is not None
        if kind is None:
            self._sync_session.finished_reading()
        self._sync_session.close()


class Session:
    """Text in, chunks out, at the same time.

    Iterate over it for chunks. A chunk tells the text that it speaks, as a place in all that was written. Leaving its
    ``async with`` closes it; if it was ended before, and another task still reads, that one reads to the end first.

    Attributes:
        tally: What the chunks so far add up to: seconds, engine, billed characters.
        ended: No more text comes.
    """

    def __init__(self, link: Link) -> None:
        self.tally = Tally()
        self._link = link
        self._hearing = Hearing()
        self._chunks: AsyncGenerator[Chunk, None] | None = None
        self._waited_for = False
        self._reader: asyncio.Task[object] | None = None
        self._read = asyncio.Event()
        self.ended = False
        self._cancelled = False

    @property
    def request(self) -> LiveRequest:
        """What was asked for, with voice and model filled in."""
        return self._link.request

    @property
    def sample_rate(self) -> int:
        """Samples a second of the chunks."""
        return self._link.sample_rate

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why there is no more sound; None while there may be some."""
        if not self._read.is_set():
            return None
        return "cancelled" if self._cancelled else "stop"

    async def write(self, text: str) -> None:
        """Give some more text: a letter, a word, a book. Waits while too much of it is yet to be heard.

        Raises:
            TextError: Some of it cannot be spoken; the rest is.
            LinereadError: The session is over, or its voice has failed.
        """
        _check_text(text)
        self._cancelled = False
        self._hearing.wrote(text)
        await self._link.write(text)

    async def commit(self) -> None:
        """Have all of the text spoken as it stands, and end the response with it."""
        await self._link.commit()

    async def clear(self) -> None:
        """Take back the text that nobody has begun to speak."""
        await self._link.clear()

    async def cancel(self) -> None:
        """Fall silent: no chunk of what was written so far comes after this has returned. The session goes on."""
        self._cancelled = True
        await self._link.cancel()
        self._hearing.cancelled()

    async def end(self) -> None:
        """Say that no more text comes. The chunks end with what was written."""
        if not self.ended:
            self.ended = True
            await self._link.end()

    def heard(self, seconds: float | None = None) -> Heard:
        """The text that was spoken by that second of the session's sound; None means by the last chunk's end.

        Raises:
            OptionError: It is no second.
        """
        if seconds is not None and (not isinstance(seconds, int | float) or math.isnan(seconds)):
            raise OptionError("seconds must be a number.", remedy="Count them from the session's first sample.")
        return self._hearing.at(math.inf if seconds is None else max(0.0, seconds))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        """The next chunk. Who gives up waiting for it, by a timeout say, gets it with the next call.

        Raises:
            RequestError: Somebody else waits for it.
            LinereadError: The session's voice has failed.
        """
        if self._waited_for:
            raise two_readers()
        self._reader = asyncio.current_task()
        self._chunks = self._chunks or self._link.chunks()
        self._waited_for = True
        try:
            chunk = await anext(self._chunks)
        except asyncio.CancelledError:
            self._chunks = None  # it ended with that; another one goes on where it was
            raise
        except BaseException:
            self._read.set()
            raise
        finally:
            self._waited_for = False
        self._hearing.delivered(chunk)
        self.tally.add(chunk)
        return chunk

    async def finished_reading(self) -> None:
        """Wait until another task that reads has come to the end, if the session was ended."""
        if self._reader is None:
            await asyncio.sleep(0)  # it may have been made and not yet begun
        reader = self._reader
        if self.ended and reader is not None and reader is not asyncio.current_task():
            reading = asyncio.ensure_future(self._read.wait())
            await asyncio.wait([reading, reader], return_when=asyncio.FIRST_COMPLETED)
            reading.cancel()

    async def aclose(self) -> None:
        """Give up at once. Whoever reads is at the end."""
        await self._link.aclose()


class SyncSession:
    """A session for callers without an event loop: one thread writes while another one reads.

    Leaving its ``with`` closes it, as for :class:`Session`.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._chunks: _sync.Iteration[Chunk] = _sync.Iteration(_all(session))
        self._reader: threading.Thread | None = None
        self._one_reader = threading.Lock()
        self._read = threading.Event()

    @property
    def request(self) -> LiveRequest:
        """As :attr:`Session.request`."""
        return self._session.request

    @property
    def sample_rate(self) -> int:
        """As :attr:`Session.sample_rate`."""
        return self._session.sample_rate

    @property
    def finish_reason(self) -> FinishReason | None:
        """As :attr:`Session.finish_reason`."""
        return self._session.finish_reason

    @property
    def tally(self) -> Tally:
        """As :attr:`Session.tally`."""
        return self._session.tally

    def write(self, text: str) -> None:
        """As :meth:`Session.write`."""
        _sync.run(_on_loop(self._session.write(text)))

    def commit(self) -> None:
        """As :meth:`Session.commit`."""
        _sync.run(_on_loop(self._session.commit()))

    def clear(self) -> None:
        """As :meth:`Session.clear`."""
        _sync.run(_on_loop(self._session.clear()))

    def cancel(self) -> None:
        """As :meth:`Session.cancel`."""
        _sync.run(_on_loop(self._session.cancel()))

    def end(self) -> None:
        """As :meth:`Session.end`."""
        _sync.run(_on_loop(self._session.end()))

    def heard(self, seconds: float | None = None) -> Heard:
        """As :meth:`Session.heard`."""
        return self._session.heard(seconds)

    def __iter__(self) -> Iterator[Chunk]:
        return self

    def __next__(self) -> Chunk:
        if not self._one_reader.acquire(blocking=False):
            raise two_readers()
        self._reader = threading.current_thread()
        try:
            return next(self._chunks)
        except BaseException:
            self._read.set()
            raise
        finally:
            self._one_reader.release()

    def finished_reading(self) -> None:
        """As :meth:`Session.finished_reading`, for another thread that reads."""
        reader = self._reader
        if self._session.ended and reader is not None and reader is not threading.current_thread():
            while reader.is_alive() and not self._read.wait(_LOOK):
                pass

    def close(self) -> None:
        """As :meth:`Session.aclose`."""
        _sync.run(_on_loop(self._session.aclose()))
        self._chunks.close()


def two_readers() -> RequestError:
    """Why a second reader gets nothing."""
    return RequestError(
        "Somebody else is reading this session's sound.", remedy="Read it in one place.", code="two_readers"
    )


def _check_text(text: object) -> None:
    if not isinstance(text, str):
        raise OptionError(f"text must be a string, not {type(text).__name__}.", remedy="Write pieces of text.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise TextError(
            "The text holds half a character (a lone surrogate).",
            remedy="Decode it from the right encoding, most likely UTF-8.",
        ) from None


async def _on_loop(coroutine: Coroutine[object, object, T]) -> T:
    await _sync.on_event_loop()
    return await coroutine


async def _all(session: Session) -> AsyncGenerator[Chunk, None]:
    await _sync.on_event_loop()
    async for chunk in session:
        yield chunk
