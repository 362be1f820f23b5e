"""Tools for agents over HTTP: the Model Context Protocol's streamable transport, at ``/mcp``.

Owns the route and the protocol's sessions; what the tools do here is ``hosted``. The protocol itself, in each of its
revisions, is its own package's (extra ``mcp``). Every call comes with a request of its own, and counts for the key that
came with that one, whoever opened the session.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from aiohttp import hdrs, web

from lineread.errors import Leaving
from lineread.mcp.tools import TOOLS
from lineread.server.access import entrance
from lineread.server.dialects.agents.hosted import Hosted
from lineread.server.sight.visit import visit_of
from lineread.server.transport import asgi
from lineread.wire import body as bodies
from lineread.wire import openai

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mcp.server.context import ServerRequestContext
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    from lineread.errors import LinereadError
    from lineread.server.desk import Desk
    from lineread.server.dialects.agents.sessions import Sessions
    from lineread.server.enrolling import Enrolling
    from lineread.server.sight.visit import Visit

PREFIX: Final = entrance.TOOLS
#: Names of the routes whose bodies may bring a recording.
UPLOADS: Final = ("mcp",)
#: Sessions of the protocol's older revisions that are kept, and seconds that one may lie idle.
_MOST_SESSIONS, _IDLE = 1000, 1800.0
#: How many of them one key may have.
_MOST_EACH: Final = 100
#: JSON-RPC's first code for errors of a server's own.
_REFUSED: Final = -32000
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
        self._app: asgi.App  # both, once the application has begun
        self._sessions: Sessions

    def routes(self) -> list[web.RouteDef]:
        """Where it answers; nowhere, unless the server was told to."""
        if not self._desk.options.mcp:
            return []
        methods = (hdrs.METH_POST, hdrs.METH_GET, hdrs.METH_DELETE)
        return [
            web.route(method, PREFIX, self.answer, name="mcp" if method == hdrs.METH_POST else None)
            for method in methods
        ]

    def refuse(self, error: LinereadError, visit: Visit) -> web.Response:
        """An error of the server's own, before the protocol has the message: as the protocol's clients show it."""
        refusal = openai.refusal(error)
        words = json.loads(refusal.body)["error"]["message"]
        answer = {"jsonrpc": "2.0", "id": None, "error": {"code": _REFUSED, "message": words, "data": error.code}}
        headers = {**refusal.headers, "x-request-id": visit.id}
        return web.json_response(answer, status=refusal.status, headers=headers)

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
        from lineread.server.dialects.agents.sessions import Sessions  # noqa: PLC0415

        server = protocol.server(self._workshop, TOOLS)
        manager = StreamableHTTPSessionManager(
            server,
            max_sessions=_MOST_SESSIONS,
            session_idle_timeout=_IDLE,
            max_request_body_size=self._desk.options.max_upload,
        )
        self._app = manager.handle_request
        self._sessions = Sessions(self._app, each=_MOST_EACH, idle=_IDLE)
        over = asyncio.Event()
        begun = asyncio.Event()
        task = asyncio.create_task(_run(manager, begun, over))  # its scopes belong to one task
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
        bodies.check_parts(await http.read())
        caller = visit_of(http).caller
        app = partial(self._sessions.answer, caller) if caller else self._app
        exchange = asgi.Exchange(http, **{_HTTP: http}, **_user(caller))
        if http.method == hdrs.METH_GET:
            self._listening.add(exchange)
        try:
            return await exchange.answer(app)
        finally:
            self._listening.discard(exchange)

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
