"""A realtime session with the server of ``gateway``, event by event; every wait has a deadline."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import ClientWebSocketResponse, WSMsgType

from server.gateway import Gateway
from server.live import DEADLINE

PATH = "/api-ws/v1/realtime"
MODEL = "qwen3-tts-flash-realtime"
Event = dict[str, Any]


@dataclass
class Talk:
    """The client's end of a session.

    Attributes:
        socket: The socket.
        events: All that came so far.
        code: What the server's close said.
    """

    socket: ClientWebSocketResponse
    events: list[Event] = field(default_factory=list)
    code: int | None = None

    async def send(self, kind: str, **fields: Any) -> None:
        """An event."""
        await self.raw(json.dumps({"type": kind, **fields}))

    async def raw(self, message: str) -> None:
        """A text frame."""
        async with asyncio.timeout(DEADLINE):
            await self.socket.send_str(message)

    async def update(self, **session: Any) -> None:
        await self.send("session.update", session=session)

    async def append(self, text: Any) -> None:
        await self.send("input_text_buffer.append", text=text)

    async def commit(self) -> None:
        await self.send("input_text_buffer.commit")

    async def clear(self) -> None:
        await self.send("input_text_buffer.clear")

    async def cancel(self) -> None:
        await self.send("response.cancel")

    async def finish(self) -> list[Event]:
        """Finish the session; all events to its end."""
        await self.send("session.finish")
        await self.until("session.finished")
        return self.events

    async def next(self) -> Event | None:
        """The next event; None once the server has closed."""
        async with asyncio.timeout(DEADLINE):
            message = await self.socket.receive()
        if message.type is not WSMsgType.TEXT:
            self.code = self.socket.close_code
            return None
        event: Event = json.loads(message.data)
        self.events.append(event)
        return event

    async def until(self, wanted: str | Callable[[Event], bool]) -> Event:
        """The next event of that type, or such an event."""
        while (event := await self.next()) is not None:
            if event["type"] == wanted if isinstance(wanted, str) else wanted(event):
                return event
        raise AssertionError(f"closed with {self.code} before {wanted}: {[each['type'] for each in self.events]}")

    async def rest(self) -> list[Event]:
        """All events until the server closes; :attr:`code` says how."""
        while await self.next() is not None:
            pass
        return self.events

    def of(self, kind: str) -> list[Event]:
        """The events of that type."""
        return [event for event in self.events if event["type"] == kind]

    @property
    def types(self) -> list[str]:
        """What came, without the sound."""
        return [event["type"] for event in self.events if event["type"] != "response.audio.delta"]

    @property
    def errors(self) -> list[Event]:
        return [event["error"] for event in self.of("error")]

    @property
    def sound(self) -> bytes:
        return sound(self.events)

    @property
    def spoken(self) -> int:
        """Billed characters of all responses that are done."""
        return sum(event["response"]["usage"]["characters"] for event in self.of("response.done"))


def sound(events: list[Event]) -> bytes:
    """All that was heard."""
    return b"".join(base64.b64decode(event["delta"]) for event in events if event["type"] == "response.audio.delta")


@asynccontextmanager
async def talking(server: Gateway, key: str | None = None, query: str = f"?model={MODEL}") -> AsyncIterator[Talk]:
    """A session, until the context is left."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    async with asyncio.timeout(DEADLINE):
        socket = await server.http.ws_connect(server.url + PATH + query, headers=headers, max_msg_size=0)
    try:
        yield Talk(socket)
    finally:
        await socket.close()


async def handshake(server: Gateway, **headers: str) -> tuple[int, dict[str, str], str]:
    """What is answered to a handshake: status, headers, body; 101 is a session, which is closed at once."""
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    address = f"{server.url}{PATH}?model={MODEL}"
    async with (
        asyncio.timeout(DEADLINE),
        aiohttp.ClientSession() as http,
        http.get(address, headers=upgrade | headers) as response,
    ):
        body = "" if response.status == 101 else await response.text()
        return response.status, {name.lower(): value for name, value in response.headers.items()}, body
