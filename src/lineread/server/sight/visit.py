"""The record of one HTTP request: who came, what was asked, when the first sound left, how it ended.

Owns what the access line and the metrics are made of. It never holds the text or a key.
"""

from __future__ import annotations

import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from lineread.errors import LinereadError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(slots=True)
class Visit:
    """One request and what became of it.

    Attributes:
        id: Its id; the client gets it, and it is in the access line.
        method: HTTP method.
        route: The route's own name, never the path that was asked for; empty where there is none.
        dialect: ``dashscope`` or ``openai``, for calls of those; else empty.
        caller: The name of the client's key; empty where none is needed.
        model: The model that was asked for, once it is known to be one.
        voice: The voice, likewise.
        characters: Characters of the text as the service bills them.
        cached: All of the sound came from the cache.
        engine: Who spoke.
        seconds: Seconds of audio that were made or recalled.
        status: HTTP status of the answer.
        sent: Bytes of the answer, its head included.
        code: The stable code of the error, if there was one.
        whole: The client left with all of the answer that it needed; nothing was lost.
        upstream: The id that the service behind the engine gave the call, where it told one.
        began: When it came, on the monotonic clock.
        asked: When its text came, likewise: with it, or later in a session.
        first_audio: Seconds from its text to the first sound; None before that.
        ended: Seconds until the answer was sent, or given up.
        parts: The speeches of a request that is more than one; what is said of the whole is what they add up to.
    """

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    method: str = ""
    route: str = ""
    dialect: str = ""
    caller: str = ""
    model: str = ""
    voice: str = ""
    characters: int = 0
    cached: bool = False
    engine: str = ""
    seconds: float = 0.0
    status: int = 0
    sent: int = 0
    code: str = ""
    whole: bool = False
    upstream: str = ""
    began: float = field(default_factory=time.monotonic)
    asked: float = 0.0
    first_audio: float | None = None
    ended: float | None = None
    parts: list[Visit] = field(default_factory=list)

    @contextmanager
    def part(self) -> Iterator[Visit]:
        """The record of one of several speeches, which is over when the context is left."""
        part = Visit(self.id, self.method, self.route, self.dialect, self.caller)
        self.parts.append(part)
        try:
            yield part
        except LinereadError as error:
            part.failed(error)
            raise
        finally:
            part.end()
            self._sum_up()

    def _sum_up(self) -> None:
        """Say of the whole what its parts have in common, or come to."""
        heard = [part for part in self.parts if part.first_audio is not None]
        for name in ("model", "voice", "engine", "upstream"):
            setattr(self, name, _common(getattr(part, name) for part in heard or self.parts))
        self.code = next((part.code for part in self.parts if part.code), "")
        self.characters = sum(part.characters for part in self.parts)
        self.seconds = sum(part.seconds for part in heard)
        self.cached = all(part.cached for part in heard)
        if heard:
            self.first_audio = heard[0].began + (heard[0].first_audio or 0.0) - self.began

    def heard(self) -> None:
        """The first sound is there."""
        if self.first_audio is None:
            self.first_audio = time.monotonic() - (self.asked or self.began)

    def failed(self, error: LinereadError) -> None:
        """It ends with that error."""
        self.code = error.code
        self.upstream = error.request_id

    def end(self) -> None:
        """It is over."""
        self.ended = time.monotonic() - self.began


def _common(values: Iterable[str]) -> str:
    """The value, where it is but one."""
    found = {*values}
    return found.pop() if len(found) == 1 else ""


#: Where a request carries its visit.
VISIT = web.RequestKey("visit", Visit)


def visit_of(request: web.BaseRequest) -> Visit:
    """The record of that request."""
    return request[VISIT]
