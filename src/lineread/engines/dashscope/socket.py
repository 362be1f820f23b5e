"""The realtime sockets of the ``dashscope`` engine: how they are made, kept warm, read and hung up.

Owns the handshake, which alone carries the key, the heartbeat, and the pool. A handshake and the service's first word
take longer than all the rest that a listener waits for, so while sessions are open some sockets are there already that
nobody has spoken to. One is renewed before the service could find it idle for too long.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

import aiohttp
from yarl import URL

from lineread.engines.dashscope.http import Connections, address, reaching, translate
from lineread.errors import BadReply, ConfigError, EngineError, TimedOut
from lineread.wire import dashscope as wire
from lineread.wire.realtime.caller import closing
from lineread.wire.realtime.events import LONGEST_MESSAGE, EventError, decode, encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping

    from lineread.config import Secret
    from lineread.engines.dashscope import Timeouts
    from lineread.wire.realtime.leg import Event

#: Where the socket is, in place of the HTTP interface's path.
PATH: Final = "/api-ws/v1/realtime"
_HTTP_PATH: Final = "/api/v1"
#: Seconds of silence after which the other end is asked whether it is there, and seconds that it has to answer.
HEARTBEAT: Final = 15.0
#: Seconds that a socket is kept which nobody speaks to, and how often it is renewed before somebody takes it.
IDLE: Final = 20.0
RENEWALS: Final = 3
#: Seconds that a socket gets to say goodbye.
GOODBYE: Final = 2.0
#: Close codes that aiohttp makes up where no close frame came.
_NO_CLOSE: Final = (None, aiohttp.WSCloseCode.ABNORMAL_CLOSURE)
_AGAIN: Final = "Try again; if it stays, tell the service's support."


class Session(Protocol):
    """Whoever uses sockets of a model."""

    model: str

    async def aclose(self) -> None:
        """It is over."""


class Socket:
    """One WebSocket, up to its end. One task reads; any may write.

    Args:
        ws: The socket, which answers no ping by itself.
        host: Who is at its other end.
        hide: Takes what may not show out of what the other end says.
    """

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, host: str, hide: Callable[[str], str]) -> None:
        self._ws = ws
        self._host = host
        self._hide = hide
        self._first: Event | None = None

    async def greeted(self) -> None:
        """Wait for the first event. It stays there to be read.

        Raises:
            EngineError: None came.
        """
        self._first = await self.receive()

    async def send(self, events: Iterable[Event]) -> None:
        """Send events. Where the socket is gone, whoever reads from it learns that."""
        with suppress(aiohttp.ClientError, OSError):
            for event in events:
                await self._ws.send_str(encode(event))

    async def receive(self) -> Event:
        """The next event.

        Raises:
            EngineError: There is none: the socket was closed, or what came is no event.
        """
        if self._first is not None:
            first, self._first = self._first, None
            return first
        asked = False
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT):
                    if asked:
                        await self._ws.ping()
                    message = await self._ws.receive()
            except TimeoutError:
                if asked:
                    break
                asked = True
                continue
            except (aiohttp.ClientError, OSError):
                self._end(None, "")
            asked = False
            if message.type is aiohttp.WSMsgType.PING:
                with suppress(aiohttp.ClientError, OSError):
                    await self._ws.pong(message.data)
            elif message.type is not aiohttp.WSMsgType.PONG:
                return self._event(message)
        raise TimedOut(f"{self._host} does not answer any more.", remedy=_AGAIN, retryable=True)

    async def hang_up(self) -> None:
        """Close it, politely if that takes no time."""
        with suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with asyncio.timeout(GOODBYE):
                await self._ws.close()

    async def quiet(self) -> None:
        """Wait until something comes, which on a socket that nobody has spoken to is its end.

        Raises:
            EngineError: It has come.
        """
        first, self._first = self._first, None
        try:
            await self.receive()
        finally:
            self._first = first

    def _event(self, message: aiohttp.WSMessage) -> Event:
        if message.type is aiohttp.WSMsgType.ERROR:
            raise BadReply(f"{self._host} sent what is no event, or too long.", remedy=_AGAIN, retryable=True)
        if message.type is aiohttp.WSMsgType.CLOSE:
            self._end(message.data, message.extra or "")
        if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            self._end(self._ws.close_code, "")
        try:
            return decode(message.data)
        except EventError as error:
            problem = error.message
        raise BadReply(f"{self._host} sent no event: {problem}", remedy=_AGAIN, retryable=True)

    def _end(self, code: int | None, reason: str) -> NoReturn:
        if code in _NO_CLOSE and not reason:
            raise translate(aiohttp.ServerDisconnectedError(), self._host)
        raise closing(code, reason, self._host, hide=self._hide)


class Sockets(Connections):
    """The sockets of one account.

    Args:
        key: The API key.
        base_url: Where the HTTP interface is; the socket is at the same host.
        workspace: Workspace id to send along.
        timeouts: Deadlines; a handshake and the service's first word have ``connect`` each.
        warm: How many sockets are kept ready for each model while sessions are open.

    Raises:
        ConfigError: The base URL is none.
    """

    def __init__(self, key: Secret, *, base_url: str, workspace: str | None, timeouts: Timeouts, warm: int = 1) -> None:
        super().__init__(key, workspace=workspace, timeouts=timeouts)
        self._url = socket_url(base_url)
        self._warm = warm
        self._pools: dict[asyncio.AbstractEventLoop, _Pool] = {}
        self.hide = partial(self._hide, "")

    def join(self, session: Session) -> None:
        """A session begins: sockets for its model are worth being kept."""
        self._pool().sessions.add(session)

    def leave(self, session: Session) -> None:
        """A session is over."""
        self._pool().sessions.discard(session)

    async def take(self, model: str, turn: Callable[[], Awaitable[None]]) -> tuple[Socket, bool]:
        """A socket whose server has spoken, and whether it had been kept for a while.

        Args:
            model: The model.
            turn: Awaited before each new session with the service: keeps the account's limit.

        Raises:
            EngineError: There is none to be had.
        """
        pool = self._pool()
        while kept := next((slot for slot in pool.slots if slot.model == model and slot.socket is not None), None):
            pool.slots.remove(kept)
            socket, kept.socket = kept.socket, None
            kept.task.cancel()
            await asyncio.wait([kept.task])
            if socket is not None:
                self.warm_up(model, turn)
                return socket, True
        socket = await self._connect(model, turn)
        self.warm_up(model, turn)
        return socket, False

    def warm_up(self, model: str, turn: Callable[[], Awaitable[None]]) -> None:
        """See to it, in the background, that sockets are ready."""
        pool = self._pool()
        missing = self._warm - sum(slot.model == model for slot in pool.slots)
        for _ in range(missing if pool.wants(model) else 0):
            slot = _Slot(model)
            slot.task = pool.run(self._keep(pool, slot, turn))
            pool.slots.append(slot)

    def retire(self, socket: Socket, events: Iterable[Event] = ()) -> None:
        """Hang a socket up in the background, after a last word."""
        self._pool().run(_dismiss(socket, events))

    async def aclose(self) -> None:
        """Close this event loop's sockets at once. Sessions that still go on end."""
        loop = asyncio.get_running_loop()
        if loop in self._pools:
            await self._pools[loop].aclose()
            del self._pools[loop]
        await super().aclose()

    def _pool(self) -> _Pool:
        for loop in [loop for loop in self._pools if loop.is_closed()]:
            del self._pools[loop]
        return self._pools.setdefault(asyncio.get_running_loop(), _Pool())

    async def _keep(self, pool: _Pool, slot: _Slot, turn: Callable[[], Awaitable[None]]) -> None:
        """Keep a socket ready until somebody takes it, or nobody does."""
        try:
            for _ in range(RENEWALS):
                slot.socket = await self._connect(slot.model, turn)
                with suppress(TimeoutError):
                    async with asyncio.timeout(IDLE):
                        await slot.socket.quiet()
                        break  # it was closed; whoever needs a socket will see why
                pool.run(_dismiss(slot.socket, ()))
                slot.socket = None
                if not pool.wants(slot.model):
                    break
        except EngineError:
            await asyncio.sleep(IDLE)  # as above; and nobody tries again so soon
        finally:
            if slot in pool.slots:
                pool.slots.remove(slot)
            if slot.socket is not None:
                pool.run(_dismiss(slot.socket, ()))

    async def _connect(self, model: str, turn: Callable[[], Awaitable[None]]) -> Socket:
        await turn()
        socket = Socket(await self._shake_hands(model), self._host, self.hide)
        try:
            async with asyncio.timeout(self._timeouts.connect):
                await socket.greeted()
        except TimeoutError:
            self.retire(socket)
        except BaseException:
            self.retire(socket)
            raise
        else:
            return socket
        raise self._late("said nothing")

    @property
    def _host(self) -> str:
        return address(self._url)

    async def _shake_hands(self, model: str) -> aiohttp.ClientWebSocketResponse:
        session = await self._session()
        try:
            async with asyncio.timeout(self._timeouts.connect):
                return await session.ws_connect(
                    self._url.with_query(model=model),
                    headers=self._authorised(),
                    proxy=self._proxy(self._url.with_scheme("https" if self._url.scheme == "wss" else "http")),
                    autoping=False,  # a pong has to be seen here
                    max_msg_size=LONGEST_MESSAGE,
                    timeout=aiohttp.ClientWSTimeout(ws_close=GOODBYE),
                )
        except aiohttp.WSServerHandshakeError as problem:
            error = self._refused(problem)
        except aiohttp.ClientError as problem:
            error = translate(problem, self._host)
        except TimeoutError:
            error = self._late("did not let us in")
        except OSError as problem:
            error = translate(problem, self._host)
        # Out here the exception is not chained to aiohttp's, which holds the request's headers, and thus the key.
        raise error

    def _refused(self, problem: aiohttp.WSServerHandshakeError) -> EngineError:
        if problem.status < 300:
            return BadReply(f"{self._host} speaks no WebSocket.", remedy="Check the base URL and the proxy.")
        headers: Mapping[str, str] = problem.headers or {}
        return wire.decode_error(
            problem.status,
            headers.get(wire.ERROR_HEADER, "").encode(),  # a body is not to be had here
            hide=self.hide,
            retry_after=wire.retry_after(headers, now=time.time()),
            request_id=headers.get("x-request-id", ""),
        )

    def _late(self, what: str) -> TimedOut:
        return TimedOut(
            f"{self._host} {what} for {self._timeouts.connect:g} s.",
            remedy=reaching(self._host),
            retryable=True,
        )


class _Pool:
    """What one event loop holds: sessions, slots for sockets that are ready, and work in the background."""

    def __init__(self) -> None:
        self.slots: list[_Slot] = []
        self.sessions: set[Session] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Do something in the background."""
        task = asyncio.create_task(work)
        self._tasks.add(task)  # a loop alone does not keep its tasks alive
        task.add_done_callback(self._tasks.discard)
        return task

    def wants(self, model: str) -> bool:
        """Whether a session with that model goes on."""
        return any(session.model == model for session in self.sessions)

    async def aclose(self) -> None:
        """Stop all that."""
        for session in tuple(self.sessions):
            await session.aclose()
        slots, self.slots = self.slots, []
        for slot in slots:
            slot.task.cancel()
        while self._tasks:  # those that hang up are few, and soon done
            await asyncio.gather(*self._tasks, return_exceptions=True)


class _Slot:
    """A place for a socket that is kept ready, and the task that sees to it."""

    task: asyncio.Task[None]

    def __init__(self, model: str) -> None:
        self.model = model
        self.socket: Socket | None = None


async def _dismiss(socket: Socket, events: Iterable[Event]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(GOODBYE):
            await socket.send(events)
    await socket.hang_up()


def socket_url(base_url: str) -> URL:
    """Where the realtime socket of an HTTP interface is.

    Raises:
        ConfigError: The base is no URL.
    """
    try:
        url = URL(base_url.rstrip("/"))
        return url.with_path(url.path.removesuffix(_HTTP_PATH).rstrip("/") + PATH).with_scheme(_SCHEMES[url.scheme])
    except (KeyError, ValueError):
        raise ConfigError(
            "The base URL is no URL.", remedy="It looks like https://dashscope.aliyuncs.com/api/v1."
        ) from None


_SCHEMES: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
