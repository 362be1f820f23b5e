"""A TCP proxy on loopback that does harm to WebSockets, to order.

It knows as much of WebSocket as it takes to find the borders of a server's frames. What it lets through stays in
order, and as it was; but it can take out of it what only lineread's own server says.

    async with FaultProxy(port, [Fault("close", frame=5, code=1011), Fault("cut", byte=900)]) as proxy:
        ...  # the first connection is closed in place of its fifth frame, the second one cut, the others are left alone
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Self

Kind = Literal["none", "cut", "stall", "delay", "close", "status"]
Side = Literal["server", "client"]

THROTTLED = "Too many requests. Your requests are being throttled due to system capacity limits."
CLOSES = ((1000, ""), (1001, ""), (1008, "policy"), (1011, ""), (1011, THROTTLED), (4000, "go away"))
#: Frames that come before a session's first sound, and that a short session has in all.
FRAMES = 40
#: Bytes of a short session.
BYTES = 60_000


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a connection.

    Attributes:
        kind: ``cut``: it ends without a close frame. ``stall``: from there on nothing comes. ``delay``: what comes is
            late. ``close``: a close frame comes instead. ``status``: its handshake is refused.
        side: Whose bytes it happens to.
        byte: Before which byte of that side, with the handshake's; counts where ``frame`` is 0.
        frame: Before which frame of the server's, from 1 on.
        code: The close frame's code, or the HTTP status.
        reason: What the close frame says.
        abrupt: The connection is reset, and a close frame is not waited for to be answered.
        seconds: How late each frame is.
    """

    kind: Kind
    side: Side = "server"
    byte: int = 0
    frame: int = 0
    code: int = 1000
    reason: str = ""
    abrupt: bool = False
    seconds: float = 0.0


def any_fault(rng: random.Random) -> Fault:
    """A fault at a random point, more often an early one."""
    kind = rng.choices(("cut", "stall", "delay", "close", "status"), (8, 2, 3, 6, 1))[0]
    abrupt = rng.random() < 0.5
    frame = rng.randint(1, rng.choice((8, FRAMES)))
    if kind == "delay":
        return Fault("delay", frame=frame, seconds=rng.uniform(0.0, 0.03))
    if kind == "close":
        code, reason = rng.choice(CLOSES)
        return Fault("close", frame=frame, code=code, reason=reason, abrupt=abrupt)
    if kind == "status":
        return Fault("status", code=rng.choice((429, 500, 503)))
    if rng.random() < 0.4:
        return Fault(kind, frame=frame, abrupt=abrupt)  # type: ignore[arg-type]  # one of those that are left
    side: Side = "server" if rng.random() < 0.8 else "client"
    byte = int(math.exp(rng.uniform(0.0, math.log(BYTES))))
    return Fault(kind, side, byte=byte, abrupt=abrupt)  # type: ignore[arg-type]


class FaultProxy:
    """Stands before a server.

    Args:
        port: The server's.
        faults: What happens to each connection, in the order in which they come; those beyond are left alone.
        mute: The server does not say which text its sound speaks, as the cloud does not.

    Attributes:
        connections: How many have come.
        done: Faults that took place.
    """

    def __init__(self, port: int, faults: Sequence[Fault] = (), *, mute: bool = False) -> None:
        self.connections = 0
        self.done: list[Fault] = []
        self._target = port
        self._mute = mute
        self._faults = list(faults)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Its root."""
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        fault = self._faults[self.connections] if self.connections < len(self._faults) else Fault("none")
        self.connections += 1
        try:
            with suppress(ConnectionError):
                await self._connection(fault, reader, writer)
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _connection(self, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if fault.kind == "status":
            await reader.readuntil(b"\r\n\r\n")
            self.done.append(fault)
            writer.write(f"HTTP/1.1 {fault.code} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await _goodbye(writer)
            return
        there = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            up = asyncio.create_task(self._upwards(fault, reader, there[1], writer))
            down = asyncio.create_task(self._downwards(fault, there[0], writer, up))
            try:
                await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (up, down):
                    task.cancel()
                await asyncio.gather(up, down, return_exceptions=True)
        finally:
            there[1].transport.abort()

    async def _upwards(
        self, fault: Fault, reader: asyncio.StreamReader, there: asyncio.StreamWriter, here: asyncio.StreamWriter
    ) -> None:
        left = fault.byte if fault.side == "client" and fault.kind in ("cut", "stall") else math.inf
        while data := await reader.read(1 << 16):
            if left < len(data):
                there.write(data[: int(left)])
                await there.drain()
                await self._strike(fault, here)
                return
            left -= len(data)
            there.write(data)
            await there.drain()
        await _goodbye(there)

    async def _downwards(
        self, fault: Fault, reader: asyncio.StreamReader, here: asyncio.StreamWriter, up: asyncio.Task[None]
    ) -> None:
        at_byte = fault.side == "server" and not fault.frame and fault.kind in ("cut", "stall")
        left = fault.byte if at_byte else math.inf
        number = -1
        async for whole in _frames(reader):
            frame = _without_span(whole) if self._mute else whole
            number += 1
            if fault.frame and number >= fault.frame:
                if fault.kind == "delay":
                    await asyncio.sleep(fault.seconds)
                    self.done += [fault] if number == fault.frame else []
                else:
                    await self._strike(fault, here, up)
                    return
            if left < len(frame):
                here.write(frame[: int(left)])
                await self._strike(fault, here)
                return
            left -= len(frame)
            here.write(frame)
            await here.drain()
        await _goodbye(here)

    async def _strike(self, fault: Fault, here: asyncio.StreamWriter, up: asyncio.Task[None] | None = None) -> None:
        self.done.append(fault)
        if fault.kind == "stall":
            await asyncio.Event().wait()  # until the client leaves
        if fault.kind == "close":
            here.write(_close_frame(fault.code, fault.reason))
            await here.drain()
            if not fault.abrupt and up is not None:
                await asyncio.wait([up], timeout=0.2)  # the client's answer goes to the server
        if fault.kind == "cut" and fault.abrupt:
            here.transport.abort()
        else:
            await _goodbye(here)


async def _frames(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The answer to the handshake, and then each frame; at the end what is left of one."""
    try:
        yield await reader.readuntil(b"\r\n\r\n")
        while True:
            head = await reader.readexactly(2)
            size = head[1] & 0x7F
            if size >= 126:
                more = await reader.readexactly(2 if size == 126 else 8)
                head += more
                size = int.from_bytes(more)
            yield head + await reader.readexactly(size)
    except asyncio.IncompleteReadError as end:
        if end.partial:
            yield end.partial


def _without_span(frame: bytes) -> bytes:
    """A frame of the same length whose text's place is a field that nobody knows."""
    return frame.replace(b'"text_span"', b'"text_xxxx"')


async def _goodbye(writer: asyncio.StreamWriter) -> None:
    """The end of a connection, after all that was written."""
    await writer.drain()
    writer.close()
    with suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(1):
            await writer.wait_closed()


def _close_frame(code: int, reason: str) -> bytes:
    body = code.to_bytes(2) + reason.encode()
    assert len(body) < 126, "a close frame's body is short"
    return bytes([0x88, len(body)]) + body
