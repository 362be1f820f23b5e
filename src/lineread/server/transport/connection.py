"""A connection, below the requests on it.

Owns what aiohttp would otherwise answer, log or wait for by itself: requests that cannot be parsed, errors that reach
the protocol, clients that take nothing of what is sent to them, and how many connections there may be.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable

    from lineread.server.app import Doors
    from lineread.server.options import Options

#: Seconds in which what is left of a refused body is read and thrown away, so that its sender gets to see the answer.
_LINGER: Final = 2.0
#: First bytes of a connection that tell which dialect is spoken there.
_OPENING: Final = 64
#: How often a client is looked at while its patience lasts.
_LOOKS: Final = 8


class Connection(web.RequestHandler):
    """One connection.

    Args:
        server: The server that it belongs to.
        doors: Answers what goes wrong.
        stalled: Watches how its client takes the answers.
        options: The bounds.

    Attributes:
        slow: It is gone because its client took nothing for too long.
    """

    __slots__ = ("_doors", "_most", "_opening", "_server", "_stalled", "_wire", "slow")

    def __init__(self, server: web.Server, doors: Doors, stalled: Stalled, options: Options) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=options.idle_timeout,
            access_log=None,  # type: ignore[arg-type]  # aiohttp's own way to switch it off
            lingering_time=_LINGER,
            auto_decompress=False,
        )
        self._server = server
        self._doors = doors
        self._stalled = stalled
        self._most = options.max_connections
        self._opening = b""
        self._wire: asyncio.BaseTransport | None = None
        self.slow = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody connects."""
        super().connection_made(transport)
        self._wire = transport
        self._stalled.watch(transport)
        if len(self._server.connections) > self._most:
            self.force_close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection is gone."""
        if self._wire is not None:
            self.slow = self._stalled.forget(self._wire) or isinstance(exc, TimeoutError)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes come in."""
        if len(self._opening) < _OPENING:
            self._opening += data[:_OPENING]
        super().data_received(data)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what could not be parsed, and to what got past the doors."""
        if request.writer.output_size > 0 or isinstance(exc, ConnectionError):
            raise ConnectionResetError("the answer has begun, or nobody is there to get one")
        if status == 400:
            return self._doors.unparsed(request, self._opening)
        return self._doors.escaped(request, exc or TimeoutError())

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send what is left of an answer; with that, its request is over."""
        resp = self._doors.dressed(request, resp)
        try:
            resp, reset = await super().finish_response(request, resp, start_time)
        except BaseException as error:
            self.slow |= isinstance(error, TimeoutError)  # the kernel's, of a file that it sends
            self._doors.cut(request)
            raise
        if reset:
            self._doors.cut(request)
        else:
            self._doors.sent(request, resp)
        return resp, reset

    def log_exception(self, *args: Any, **kw: Any) -> None:  # noqa: ANN401 - as the base has it
        """What aiohttp would log, with the request's own bytes in it: the doors have reported it."""


class Stalled:
    """Cuts connections whose client has taken nothing for too long, be it still answered or about to be closed.

    Args:
        patience: Seconds.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._seen: dict[asyncio.BaseTransport, tuple[int, float]] = {}

    def watch(self, transport: asyncio.BaseTransport) -> None:
        """Look at this one from now on."""
        self._seen[transport] = (0, 0.0)

    def forget(self, transport: asyncio.BaseTransport) -> bool:
        """It is gone; whether it was cut here."""
        return self._seen.pop(transport, None) is None

    async def run(self) -> None:
        """Look at all of them again and again."""
        now = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(self._patience / _LOOKS)
            self.look(now())

    def look(self, now: float) -> None:
        """Cut those in whose buffer nothing has moved."""
        for transport, (left, since) in list(self._seen.items()):
            assert isinstance(transport, asyncio.WriteTransport)
            size = transport.get_write_buffer_size()
            if not size or size != left:
                self._seen[transport] = (size, now)
            elif now - since >= self._patience:
                del self._seen[transport]
                transport.abort()


def limit_patience(listener: socket.socket, seconds: float) -> None:
    """Have the kernel watch as well, where it can: it sends files by itself, past any buffer of ours."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(seconds * 1000))


def hold_back(transport: asyncio.Transport, unsent: int) -> None:
    """Take hardly more for a client than it has room for, so that what it is told later need not wait behind that.

    Args:
        transport: Its connection.
        unsent: Bytes that may lie in the kernel, where that can be told; 0 takes as many as there is room for.
    """
    transport.set_write_buffer_limits(0)
    wire = transport.get_extra_info("socket")
    if wire is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
        with suppress(OSError):  # it may be gone already
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, unsent)


def factory(server: web.Server, doors: Doors, stalled: Stalled, options: Options) -> Callable[[], Connection]:
    """What makes the connections of a server."""
    return lambda: Connection(server, doors, stalled, options)
