"""The record of one HTTP request: who came, what was asked, when the first sound left, how it ended.

Owns what the access line and the metrics are made of. It never holds the text or a key.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from lineread.errors import LinereadError


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


#: Where a request carries its visit.
VISIT = web.RequestKey("visit", Visit)


def visit_of(request: web.BaseRequest) -> Visit:
    """The record of that request."""
    return request[VISIT]
