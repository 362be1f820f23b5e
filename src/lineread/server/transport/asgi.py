"""An ASGI application as a handler: for a protocol whose own package speaks nothing else.

Owns the way between the two. The body was read before (``reading``), so it comes in one piece. A client that leaves
does not cancel the application, which hears of it by a message and knows best what has to be ended: some clients leave
as soon as they have the event that they waited for. Of the packages that do this, none tells an application that the
client has left, and the one that is kept up starts processes of its own.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar, Final

from aiohttp import hdrs, web

from lineread.server.sight.visit import visit_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Message, Receive, Send], Awaitable[None]]

#: What aiohttp says of a connection by itself.
_OURS: Final = (hdrs.CONNECTION.lower(), hdrs.TRANSFER_ENCODING.lower())


class Exchange:
    """A request, and the application's answer to it.

    Args:
        http: The request.
        **facts: What else the application finds in the scope.
    """

    #: Applications that still run though their client has left. A loop alone does not keep its tasks alive.
    _ending: ClassVar[set[asyncio.Task[None]]] = set()

    def __init__(self, http: web.Request, **facts: object) -> None:
        self._http = http
        self._facts = facts
        self._body: bytes | None = None
        self._over = asyncio.Event()
        self._response: web.StreamResponse | None = None

    @property
    def begun(self) -> web.StreamResponse | None:
        """The answer, as far as it has come; None before its head has."""
        return self._response

    def leave(self) -> None:
        """Tell the application that nobody listens any more."""
        self._over.set()

    async def answer(self, app: App) -> web.StreamResponse:
        """Have an application answer."""
        self._body = await self._http.read()
        task = asyncio.create_task(_run(app, {**_scope(self._http), **self._facts}, self._receive, self._send))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            self.leave()
            raise
        return self._response or web.Response(status=500)

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        """Send a part of the answer; to a client that has left, nothing. It may leave with the event it waited for."""
        last = message["type"] == "http.response.body" and not message.get("more_body", False)
        try:
            await self._pass_on(message)
        except ConnectionError:
            visit_of(self._http).whole = last

    async def _pass_on(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._response = web.StreamResponse(status=message["status"])
            for name, value in message.get("headers", ()):
                if name.decode("latin-1").lower() not in _OURS:
                    self._response.headers.add(name.decode("latin-1"), value.decode("latin-1"))
            await self._response.prepare(self._http)
        elif message["type"] == "http.response.body" and self._response is not None:
            if message.get("body"):
                await self._response.write(message["body"])
            if not message.get("more_body", False):
                await self._response.write_eof()


async def _run(app: App, scope: Message, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


def _scope(http: web.Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": f"{http.version.major}.{http.version.minor}",
        "method": http.method,
        "scheme": http.scheme,
        "path": http.path,
        "raw_path": http.raw_path.partition("?")[0].encode("latin-1", "replace"),
        "query_string": http.rel_url.raw_query_string.encode("latin-1", "replace"),
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in http.raw_headers],
        "client": (http.remote or "", 0),
        "server": None,
    }
