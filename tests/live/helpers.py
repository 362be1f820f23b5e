"""Sessions with the fake engine, and what was heard in them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from lineread.client import Client
from lineread.engines.fake import Fake
from lineread.live.session import Live, Session
from lineread.speech import Chunk, LiveRequest

TALK = (
    "Hello there, my friend. This talk goes on for a while, and then it ends at 10:30 p.m. sharp. "
    "Dr. Smith paid 3.14 dollars for it! Did you know? Well, now you do."
)


@dataclass
class Listener:
    """Reads a session in a task of its own."""

    session: Session
    chunks: list[Chunk] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._news = asyncio.Event()
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for chunk in self.session:
            self.chunks.append(chunk)
            self._news.set()

    async def until(self, condition: Callable[[list[Chunk]], bool], patience: float = 10.0) -> None:
        """Wait until what was heard is such."""
        async with asyncio.timeout(patience):
            while not condition(self.chunks):
                self._news.clear()
                await self._news.wait()

    def words(self, text: str) -> list[str]:
        """What was heard, word by word."""
        return [text[slice(*word.span)] for chunk in self.chunks for word in chunk.words]


def live(engine: Fake | None = None, request: LiveRequest | None = None) -> Live:
    """A session that keeps nothing."""
    client = Client(engine=engine or Fake(), cache=False)
    return client.live(request or LiveRequest("Cherry"))


async def say(session: Session, pieces: Iterable[str]) -> Listener:
    """Write all of it, and listen to the end."""
    listener = Listener(session)
    for piece in pieces:
        await session.write(piece)
        await asyncio.sleep(0)
    await session.end()
    await listener.task
    return listener


async def meanwhile() -> None:
    """As long as another session takes to speak a text to its end: what was about to begin has begun by then."""
    async with live() as session:
        await say(session, [TALK])
