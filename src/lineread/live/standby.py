"""A link with another engine behind it, for when it cannot be opened.

Owns that one decision, which is made once: a session is spoken by one voice from its first word to its last. What
fails in mid session stays an error, since half a talk in another voice is nobody's wish, and says how far the text
was delivered. The rules are those of ``wrappers.fallback``: what the service refuses stays refused, the backup chooses
its own model, and the facts of all that it speaks say why.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from lineread.engines.link import Link
from lineread.errors import EngineError, LinereadError, Refused
from lineread.live.local import Local
from lineread.wrappers.fallback import tell_backup

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from lineread.cache import Cache
    from lineread.engines.base import Engine
    from lineread.speech import Chunk, LiveRequest


class Standby(Link):
    """A session that the backup speaks if the first link fails to open.

    Args:
        asked: What was asked for, before an engine filled it in.
        first: The link that is opened first.
        backup: The engine that speaks for it, with its wrappers around it.
        cache: Where the backup's pieces are kept, under its own mark; None keeps nothing.
    """

    def __init__(self, asked: LiveRequest, first: Link, backup: Engine, cache: Cache | None) -> None:
        self.request = first.request
        self.sample_rate = first.sample_rate
        self._asked = asked
        self._link = first
        self._backup = backup
        self._cache = cache
        self._reason: str | None = None

    async def open(self) -> None:
        """Open the first link, or else begin to load the backup.

        Raises:
            EngineError: The first link's error, when the backup cannot speak as asked either.
        """
        try:
            await self._link.open()
        except Refused:
            raise
        except EngineError as error:
            failure = error
        else:
            return
        await self._link.aclose()
        try:
            link = Local(replace(self._asked, model=None), self._backup, self._cache)
            await link.open()
        except LinereadError as error:
            tell_backup(failure, self._backup.name, error)
            raise failure from error
        self._link, self._reason = link, failure.message
        self.request, self.sample_rate = link.request, link.sample_rate

    async def write(self, text: str) -> None:
        """As :meth:`Link.write`."""
        await self._link.write(text)

    async def commit(self) -> None:
        """As :meth:`Link.commit`."""
        await self._link.commit()

    async def clear(self) -> None:
        """As :meth:`Link.clear`."""
        await self._link.clear()

    async def cancel(self) -> None:
        """As :meth:`Link.cancel`."""
        await self._link.cancel()

    async def end(self) -> None:
        """As :meth:`Link.end`."""
        await self._link.end()

    def chunks(self) -> AsyncGenerator[Chunk, None]:
        """As :meth:`Link.chunks`."""
        return self._link.chunks() if self._reason is None else self._signed(self._reason)

    async def aclose(self) -> None:
        """As :meth:`Link.aclose`."""
        await self._link.aclose()

    async def _signed(self, reason: str) -> AsyncGenerator[Chunk, None]:
        """What the backup speaks, with the reason why it does. The cache keeps it without."""
        async with aclosing(self._link.chunks()) as chunks:
            async for chunk in chunks:
                facts = chunk.facts and replace(chunk.facts, fallback_reason=reason)
                yield replace(chunk, facts=facts)
