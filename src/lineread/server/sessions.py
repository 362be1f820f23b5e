"""Realtime sessions: who may have one, and the account of it.

Owns how many there are at once, in all and for each key, and what of their text counts for a key's day: what is handed
over to be spoken is taken at once, and what was not spoken is given back when the session ends. What came from the
cache is free, as it is for any call.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from lineread.errors import LimitReached
from lineread.results import Tally
from lineread.speech import billed_characters

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lineread.engines.link import Link
    from lineread.errors import LinereadError
    from lineread.server.access.keys import Key
    from lineread.server.access.ledger import Entry
    from lineread.server.desk import Desk
    from lineread.server.sight.visit import Visit
    from lineread.speech import Chunk, LiveRequest


class Sessions:
    """The sessions of one server.

    Args:
        desk: Has the client, the keys and the counts.

    Attributes:
        leaving: The server is about to stop.
    """

    def __init__(self, desk: Desk) -> None:
        self.leaving = asyncio.Event()
        self._desk = desk
        self._each: Counter[str] = Counter()

    @asynccontextmanager
    async def take(self, visit: Visit) -> AsyncIterator[Sitting]:
        """A session, until the context is left.

        Args:
            visit: The record of the HTTP request that opened it; it says whose key was shown.

        Raises:
            TurnedAway: Not for this key, or not now.
        """
        desk = self._desk
        key = desk.admit(visit)
        if key is not None:
            self._check(key)
        with desk.sessions.take(visit.caller, shared=desk.shared):
            desk.count(key)
            self._each[visit.caller] += 1
            sitting = Sitting(desk, key, visit, self.leaving)
            try:
                yield sitting
            finally:
                self._each[visit.caller] -= 1
                sitting.settle()

    def _check(self, key: Key) -> None:
        if key.sessions is not None and self._each[key.name] >= key.sessions:
            raise LimitReached(
                f"This key may have {key.sessions} session{'' if key.sessions == 1 else 's'} at the same time.",
                remedy="Finish one, or ask whoever runs the server for more.",
                retryable=True,
                retry_after=1.0,
            )


class Sitting:
    """One session's account.

    Args:
        desk: Has the client and the counts.
        key: The client's key; None where none is needed.
        visit: The record of the session.
        leaving: The server is about to stop.

    Attributes:
        leaving: As given.
    """

    def __init__(self, desk: Desk, key: Key | None, visit: Visit, leaving: asyncio.Event) -> None:
        self.leaving = leaving
        self._desk = desk
        self._key = key
        self._visit = visit
        self._tally = Tally()
        self._entry: Entry | None = None
        self._spoken = 0

    def check(self, request: LiveRequest) -> LiveRequest:
        """The request as it is spoken.

        Raises:
            LinereadError: It cannot be spoken as asked, or not for this key.
        """
        self._desk.check_voice(self._key, request.voice, request.model or "")
        voice = self.link(request).request.voice
        self._visit.model = request.model or ""
        self._visit.voice = voice
        return replace(request, voice=voice)

    def link(self, request: LiveRequest) -> Link:
        """What speaks as that asks; errors as for :meth:`check`."""
        client = self._desk.client  # names of the voice book are its user's own: who shows a key is somebody else
        return client.link(request if self._key is not None else client.named(request))

    def take(self, text: str) -> None:
        """Count text that is about to be spoken.

        Raises:
            LimitReached: It is too much for the key's day.
            KeyRefused: The key is no longer one, or not in force.
        """
        if self._key is not None:
            self._key = self._desk.key(self._visit)
        self._visit.asked = self._visit.asked or time.monotonic()
        characters = billed_characters(text)
        self._visit.characters += characters
        if self._key is None or self._key.characters_per_day is None:
            return
        more = self._desk.ledger.take(self._key.name, characters, self._key.characters_per_day)
        if self._entry is not None and self._entry.day != more.day:
            self.settle()
        taken = 0 if self._entry is None else self._entry.characters
        self._entry = replace(more, characters=taken + more.characters)

    def heard(self, chunk: Chunk, characters: int) -> None:
        """A chunk has come.

        Args:
            chunk: The chunk.
            characters: Billed characters of the text that it speaks, and that no chunk before it did.
        """
        self._visit.heard()
        self._tally.add(chunk)
        if not (chunk.facts is not None and chunk.facts.cached):
            self._spoken += characters
        self._visit.seconds = self._tally.duration

    def sent(self, message: str) -> None:
        """A message, which is ASCII, has left."""
        self._visit.sent += len(message)

    def failed(self, error: LinereadError) -> None:
        """It ends with that error."""
        self._visit.failed(error)

    def settle(self) -> None:
        """Give back what was not spoken."""
        visit, tally = self._visit, self._tally
        visit.engine = tally.engine
        visit.upstream = tally.request_id
        visit.cached = bool(tally.spoken) and tally.cached
        if self._entry is not None:
            self._desk.ledger.settle(self._entry, min(self._spoken, self._entry.characters))
            self._entry = None
        self._spoken = 0
