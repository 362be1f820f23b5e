"""Tools for agents over HTTP: the Model Context Protocol's streamable transport, at ``/mcp``.

Owns the route and the protocol's sessions; what the tools do here is ``hosted``. The protocol itself, in each of its
revisions, is its own package's (extra ``mcp``). Every call comes with a request of its own, and counts for the key that
came with that one, whoever opened the session.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from aiohttp import hdrs, web

from lineread.errors import Leaving, LimitReached
from lineread.mcp.tools import TOOLS
from lineread.server.access import entrance
from lineread.server.dialects.agents.hosted import Hosted
from lineread.server.sight.visit import visit_of
from lineread.server.transport import asgi

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mcp.server.context import ServerRequestContext
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    from lineread.server.desk import Desk
    from lineread.server.enrolling import Enrolling

PREFIX: Final = entrance.TOOLS
#: Names of the routes whose bodies may bring a recording.
UPLOADS: Final = ("mcp",)
#: Sessions of the protocol's older revisions that are kept, and seconds that one may lie idle.
_MOST_SESSIONS, _IDLE = 1000, 1800.0
#: How many of them one key may have.
_MOST_EACH: Final = 100
_SESSION: Final = "Mcp-Session-Id"
_OPENING: Final = b'"initialize"'
#: Where a scope has the request that it stands for.
_HTTP: Final = "lineread.http"


class Agents:
    """The transport's handler.

    Args:
        desk: Has requests spoken.
        enrolling: Has voices made.
    """

    def __init__(self, desk: Desk, enrolling: Enrolling) -> None:
        self._desk = desk
        self._enrolling = enrolling
        self._listening: set[asgi.Exchange] = set()
        self._open: dict[str, dict[str, float]] = {}
        self._manager: StreamableHTTPSessionManager | None = None

    def routes(self) -> list[web.RouteDef]:
        """Where it answers; nowhere, unless the server was told to."""
        if not self._desk.options.mcp:
            return []
        methods = (hdrs.METH_POST, hdrs.METH_GET, hdrs.METH_DELETE)
        return [
            web.route(method, PREFIX, self.answer, name="mcp" if method == hdrs.METH_POST else None)
            for method in methods
        ]

    def leave(self) -> None:
        """The server is about to stop: those who only listen are told so. Calls that run are answered."""
        for exchange in self._listening:
            exchange.leave()

    @asynccontextmanager
    async def running(self, _: web.Application) -> AsyncIterator[None]:
        """The protocol's sessions, as long as the server runs; a context of the application's."""
        if not self._desk.options.mcp:
            yield
            return
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager  # noqa: PLC0415 - half a second

        from lineread.mcp import protocol  # noqa: PLC0415

        server = protocol.server(self._workshop, TOOLS)
        self._manager = StreamableHTTPSessionManager(
            server,
            max_sessions=_MOST_SESSIONS,
            session_idle_timeout=_IDLE,
            max_request_body_size=self._desk.options.max_upload,
        )
        over = asyncio.Event()
        begun = asyncio.Event()
        task = asyncio.create_task(_run(self._manager, begun, over))  # its scopes belong to one task
        await begun.wait()
        try:
            yield
        finally:
            over.set()
            await task

    async def answer(self, http: web.Request) -> web.StreamResponse:
        """A message of the protocol's, or a client that listens."""
        if self._desk.closing:
            raise Leaving("This server is about to stop.", remedy="Try again when it is back.", retryable=True)
        assert self._manager is not None  # the application has begun
        caller = visit_of(http).caller
        if caller and _SESSION not in http.headers and _OPENING in await http.read():
            self._check_room(caller)
        exchange = asgi.Exchange(http, **{_HTTP: http}, **_user(caller))
        if http.method == hdrs.METH_GET:
            self._listening.add(exchange)
        try:
            return await exchange.answer(self._manager.handle_request)
        finally:
            self._listening.discard(exchange)
            self._note(caller, http, exchange.begun)

    def _check_room(self, caller: str) -> None:
        """Refuse a key more sessions than others could do without.

        Raises:
            LimitReached: It has as many as it may.
        """
        idle = time.monotonic() - _IDLE
        self._open[caller] = {each: used for each, used in self._open.get(caller, {}).items() if used > idle}
        if len(self._open[caller]) >= _MOST_EACH:
            raise LimitReached(
                f"This key has {_MOST_EACH} sessions of agents open.",
                remedy="End those that are done (DELETE), or wait: one that lies idle ends after half an hour.",
                retryable=True,
                retry_after=60.0,
            )

    def _note(self, caller: str, http: web.Request, answer: web.StreamResponse | None) -> None:
        """Note which session of a key was opened, used or ended."""
        session = (None if answer is None else answer.headers.get(_SESSION)) or http.headers.get(_SESSION)
        if not caller or session is None or answer is None:
            return
        if http.method == hdrs.METH_DELETE or answer.status == HTTPStatus.NOT_FOUND:
            self._open.get(caller, {}).pop(session, None)
        else:
            self._open.setdefault(caller, {})[session] = time.monotonic()

    def _workshop(self, context: ServerRequestContext[Any, Any]) -> Hosted:
        """The workshop for whoever sent a request."""
        assert context.request is not None  # every message came by HTTP
        return Hosted(self._desk, self._enrolling, context.request.scope[_HTTP])


async def _run(manager: StreamableHTTPSessionManager, begun: asyncio.Event, over: asyncio.Event) -> None:
    async with manager.run():
        begun.set()
        await over.wait()


def _user(caller: str) -> dict[str, Any]:
    """Whose a session is, as the protocol's package wants to be told: it refuses it to everybody else."""
    if not caller:
        return {}
    from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser  # noqa: PLC0415 - as above
    from mcp.server.auth.provider import AccessToken  # noqa: PLC0415

    return {"user": AuthenticatedUser(AccessToken(token="", client_id=caller, scopes=[]))}
