"""The pieces of a session's text between its writer and its reader.

Owns their order, how many are spoken at once, and where responses end. The first pieces are being spoken, the rest
wait; a piece is gone when its last chunk was read.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lineread.ahead import Ahead

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lineread.ahead import Line
    from lineread.pipeline import Studio
    from lineread.speech import Chunk, Segment


@dataclass(slots=True, eq=False)
class Piece:
    """A piece of the text.

    Attributes:
        segment: Its words; they count from its own first character.
        studio: Where it is spoken.
        start: Where it begins in the session's text.
        end: Where it ends there.
        ends_response: The response ends with it.
        line: The work on it, once that has begun.
    """

    segment: Segment
    studio: Studio
    start: int
    end: int
    ends_response: bool = False
    line: Line | None = None

    def chunks(self) -> AsyncIterator[Chunk]:
        """Its chunks, as they come; none once it was stopped."""
        assert self.line is not None
        return self.line.chunks()


class End:
    """Stands in place of a piece where a response ends whose last piece is gone."""


class Conveyor:
    """Pieces on their way.

    Args:
        concurrency: How many of them at the same time.

    Attributes:
        characters: Characters of all pieces that are not gone.
    """

    def __init__(self, concurrency: int) -> None:
        self.characters = 0
        self._ahead = Ahead(concurrency)
        self._begun: deque[Piece] = deque()
        self._waiting: deque[Piece] = deque()
        self._ending = False
        self._closed = False
        self._news = asyncio.Event()
        self._gone = asyncio.Event()

    @property
    def empty(self) -> bool:
        """Nothing is on its way."""
        return not (self._begun or self._waiting)

    def add(self, piece: Piece) -> None:
        """One more piece; it is spoken as soon as its turn has come."""
        self._waiting.append(piece)
        self.characters += piece.end - piece.start
        self._move()
        self._news.set()

    def end_response(self) -> None:
        """The response ends with the piece that was added last."""
        if last := self._waiting or self._begun:
            last[-1].ends_response = True
        else:
            self._ending = True
            self._news.set()

    def close(self) -> None:
        """No more pieces come."""
        self._closed = True
        self._news.set()
        self._gone.set()

    async def next(self) -> Piece | End | None:
        """The piece to be read next, an :class:`End`, or None when there will be no more."""
        while not self._begun:
            if self._ending:
                self._ending = False
                return End()
            if self._closed:
                return None
            self._news.clear()
            await self._news.wait()
        return self._begun[0]

    def drop(self, piece: Piece) -> bool:
        """That piece was read to its end. Tells whether it was still on its way."""
        if not (self._begun and self._begun[0] is piece):
            return False
        self._ahead.drop()
        self._begun.popleft()
        self.characters -= piece.end - piece.start
        self._gone.set()
        self._move()
        return True

    async def room(self, characters: int) -> None:
        """Wait until fewer than so many characters are on their way, or it is closed."""
        while self.characters >= characters and not self._closed:
            self._gone.clear()
            await self._gone.wait()

    def forget(self) -> None:
        """Drop the pieces on which work has not begun."""
        self.characters -= sum(piece.end - piece.start for piece in self._waiting)
        self._waiting.clear()
        self._gone.set()

    async def stop(self) -> None:
        """Drop all pieces, and stop the work on them. Whoever reads one is at its end at once."""
        self._begun.clear()
        self._waiting.clear()
        self._ending = False
        self.characters = 0
        self._gone.set()
        await self._ahead.stop()

    def _move(self) -> None:
        while self._waiting and not self._ahead.full:
            piece = self._waiting.popleft()
            piece.line = self._ahead.add(piece.segment, last=False, studio=piece.studio)
            self._begun.append(piece)
