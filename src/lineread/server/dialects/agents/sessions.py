"""The protocol's sessions, counted for each key, so that none has more than the others could do without.

Owns the count, which goes by what requests say of a session and by what the answers say of a new one. The sessions
themselves are the protocol's own package's, which ends those that lie idle. With the package's list of revisions this
imports it: whoever needs sessions has it loaded anyway.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPMethod, HTTPStatus
from typing import TYPE_CHECKING, Final

from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from lineread.errors import LimitReached

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lineread.server.transport.asgi import App, Message, Receive, Send

_SESSION: Final = b"mcp-session-id"
_REVISION: Final = b"mcp-protocol-version"


@dataclass(slots=True, eq=False)
class _Session:
    """A session that is open, or about to be.

    Attributes:
        name: Its id; empty before it has one.
        used: When its last request ended.
        running: Its requests that are being answered.
    """

    name: str
    used: float
    running: int = 0


class Sessions:
    """The sessions of all keys.

    Args:
        app: The protocol's application.
        each: How many a key may have.
        idle: Seconds after which the application ends one that lies idle.
        clock: Seconds of a clock that only goes forward.
    """

    def __init__(self, app: App, *, each: int, idle: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._each = each
        self._idle = idle
        self._clock = clock
        self._kept: dict[str, list[_Session]] = {}

    async def answer(self, caller: str, scope: Message, receive: Receive, send: Send) -> None:
        """Have the application answer a request, in a session, or one that opens one, or one without.

        It counts while it is answered, also when its client has left: only the application knows when it is over.

        Args:
            caller: The key that was shown.
            scope: The request, as ASGI has it, like what follows.
            receive: Gives its body.
            send: Takes the answer.

        Raises:
            LimitReached: The key has as many sessions as it may.
        """
        kept = self._kept.setdefault(caller, [])
        session = self._session(kept, scope)
        if session is None:
            await self._app(scope, receive, send)
            return

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                session.name = _name(session.name, message)
                if _is_over(scope["method"], message["status"]):
                    session.name = ""
            await send(message)

        session.running += 1
        try:
            await self._app(scope, receive, noting)
        finally:
            session.running -= 1
            session.used = self._clock()
            if not session.name and session in kept:
                kept.remove(session)

    def _session(self, kept: list[_Session], scope: Message) -> _Session | None:
        """The session that a request belongs to, or opens.

        None for one of a revision without sessions, or of a session that is over, or another key's.

        Raises:
            LimitReached: It opens one too many.
        """
        asked = _header(scope["headers"], _SESSION)
        revision = _header(scope["headers"], _REVISION)
        if asked is not None:
            return next((each for each in kept if each.name == asked), None)
        if revision and revision not in HANDSHAKE_PROTOCOL_VERSIONS:
            return None
        self._check_room(kept)
        kept.append(_Session("", self._clock()))
        return kept[-1]

    def _check_room(self, kept: list[_Session]) -> None:
        """Forget what has ended by itself, and refuse a key one session too many.

        Raises:
            LimitReached: It is one.
        """
        idle = self._clock() - self._idle
        kept[:] = [each for each in kept if each.running or each.used > idle]
        if len(kept) >= self._each:
            first = min((each.used for each in kept if not each.running), default=idle + self._idle)
            raise LimitReached(
                f"This key has {self._each} sessions of agents open.",
                remedy="End those that are done (DELETE), or wait: one that lies idle ends after half an hour.",
                retryable=True,
                retry_after=max(1.0, first - idle),  # until the one that has been idle the longest ends
            )


def _name(known: str, answer: Message) -> str:
    """A session's name, once an answer tells it. A refusal of the opening tells none that lasts."""
    if known or answer["status"] >= HTTPStatus.BAD_REQUEST:
        return known
    return _header(answer.get("headers", ()), _SESSION) or ""


def _is_over(method: str, status: int) -> bool:
    """Whether an answer says that its session is no more."""
    return status == HTTPStatus.NOT_FOUND or (method == HTTPMethod.DELETE and status < HTTPStatus.BAD_REQUEST)


def _header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    return next((value.decode("latin-1") for each, value in headers if each.lower() == name), None)
