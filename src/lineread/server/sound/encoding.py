"""The body of a response that is sound: sent as it comes, or kept as a whole.

Owns what was encoded until it is sent, and the finished bodies that are kept in memory. A body that is sent cannot be
taken back, so a streamed WAV says that its length is not known yet, which players take; the finished body, where it is
kept, has true sizes.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lineread.audio.codec import PLAIN
from lineread.server.sound.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from lineread.speech import Chunk


class Encoding:
    """One speech on its way into a body.

    Args:
        form: A format that :func:`lineread.audio.codec.encoder` knows.
        sample_rate: Samples a second that are wanted; None takes them as they come.
        samples: How many samples will come, where that is known.
        keep: Most bytes of the body that are kept to be had as a whole at its end.
    """

    def __init__(self, form: str, sample_rate: int | None = None, *, samples: int | None = None, keep: int = 0) -> None:
        self._body = _Body(keep)
        self._stage = Stage(form, self._body, sample_rate, samples=samples)
        self._wanted = sample_rate
        self._plain = form in PLAIN

    @property
    def whole(self) -> bytes | None:
        """The body with true sizes, once it is finished; None if it is longer than what is kept."""
        return self._body.whole

    async def feed(self, chunk: Chunk) -> bytes:
        """What can be sent once that chunk is there."""
        self._plain = self._plain and self._wanted in (None, chunk.sample_rate)
        return await self._after(self._stage.write, chunk)

    async def finish(self) -> bytes:
        """What is left to send after the last chunk."""
        return await self._after(self._stage.close)

    async def _after(self, work: Callable[..., None], *arguments: Chunk) -> bytes:
        """What can be sent after that work, which a thread does where it would keep the event loop waiting."""
        if self._plain:
            work(*arguments)
        else:
            await asyncio.to_thread(work, *arguments)
        return self._body.taken()


class _Body:
    """What encoders write to. It gives away what was appended, and keeps the whole as long as that is short.

    Encoders may go back to put true sizes into a header. That changes what is kept; what was given away is gone.
    """

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._whole: bytearray | None = bytearray() if keep else None
        self._new: list[bytes] = []
        self._at = 0
        self._end = 0

    @property
    def whole(self) -> bytes | None:
        return None if self._whole is None else bytes(self._whole)

    def taken(self) -> bytes:
        taken = b"".join(self._new)
        self._new.clear()
        return taken

    def write(self, data: bytes, /) -> None:
        if self._at == self._end:
            self._new.append(data)
            self._end += len(data)
        if self._whole is not None:
            self._whole[self._at : self._at + len(data)] = data
            if self._end > self._keep:
                self._whole = None
        self._at += len(data)

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, /) -> None:
        self._at = offset


@dataclass(frozen=True, slots=True)
class Body:
    """A finished body.

    Attributes:
        data: Its bytes.
        engine: Who spoke.
        seconds: How long it sounds.
    """

    data: bytes
    engine: str
    seconds: float


class Bodies:
    """Finished bodies in memory, those asked for last: a line that is repeated is neither read nor encoded again.

    Args:
        most: Most bytes of all of them.
    """

    #: Most bytes of one: twenty seconds of WAV, eighty of MP3.
    ONE: Final = 1 << 20

    def __init__(self, most: int = 32 << 20) -> None:
        self._most = most
        self._size = 0
        self._bodies: OrderedDict[str, Body] = OrderedDict()

    def get(self, key: str) -> Body | None:
        """The body of that key, if it is kept."""
        body = self._bodies.get(key)
        if body is not None:
            self._bodies.move_to_end(key)
        return body

    def put(self, key: str, body: Body) -> None:
        """Keep a body, and drop those that nobody asked for the longest."""
        known = self._bodies.pop(key, None)
        self._size += len(body.data) - (len(known.data) if known else 0)
        self._bodies[key] = body
        while self._size > self._most:
            _, dropped = self._bodies.popitem(last=False)
            self._size -= len(dropped.data)
