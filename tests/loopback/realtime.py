"""A loopback DashScope realtime service: events as they were recorded, and faults to order.

It shares no code with lineread, so that client and server cannot be wrong together.

    async with Realtime() as service:
        service.script(close(1011, "To many requests"))
        ...                       # the first socket is closed, later ones speak
        service.sessions[0].heard # the events that came

Each socket plays the next act of the script; an act is an async function of the session.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import WSMsgType, web

from loopback.dashscope import KEY, billed, tone, wav

PATH = "/api-ws/v1/realtime"
#: Bytes of sound in a delta, as recorded.
DELTA = 9788


@dataclass
class Session:
    """One socket.

    Attributes:
        socket: It.
        request: Its handshake.
        heard: The events that came.
        over: Set when the client has left.
    """

    service: Realtime
    socket: web.WebSocketResponse
    request: web.Request
    heard: list[dict[str, Any]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    buffer: str = ""
    responses: int = 0
    ids: itertools.count[int] = field(default_factory=itertools.count)

    def kinds(self) -> list[str]:
        return [event["type"] for event in self.heard]

    def text(self) -> str:
        """All text that came."""
        return "".join(event.get("text", "") for event in self.heard)

    async def listen(self) -> dict[str, Any] | None:
        """The client's next event; None when it has left."""
        async for message in self.socket:
            assert message.type is WSMsgType.TEXT
            event: dict[str, Any] = json.loads(message.data)
            self.heard.append(event)
            self.service.news.set()
            return event
        self.over.set()
        self.service.news.set()
        return None

    async def say(self, kind: str, **fields: Any) -> None:
        event = {"event_id": f"event_{next(self.ids)}", "type": kind} | fields
        # A client may leave while it is spoken to.
        with contextlib.suppress(ConnectionError):
            await self.socket.send_str(json.dumps(event))

    async def greet(self) -> None:
        defaults = {"mode": "server_commit", "voice": "Cherry", "response_format": "pcm", "sample_rate": 24_000}
        session = {"object": "realtime.session", **defaults, "model": self.request.query["model"], "id": "sess_1"}
        await self.say("session.created", session=session)

    async def update(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        session = {"id": "sess_1", "language_type": settings.get("language_type", "Auto").lower()}
        await self.say("session.updated", session=session)

    async def begin(self) -> str:
        self.responses += 1
        name = f"resp_{self.responses}"
        head = {"id": name, "object": "realtime.response", "conversation_id": "", "status": "in_progress"}
        await self.say("response.created", response=head)
        await self.say("response.output_item.added", response_id=name, output_index=0, item={"id": "item_1"})
        await self.say("response.content_part.added", response_id=name, item_id="item_1", part={"type": "audio"})
        return name

    async def sound(self, name: str, pcm: bytes) -> None:
        delta = base64.b64encode(pcm).decode()
        await self.say("response.audio.delta", response_id=name, item_id="item_1", delta=delta)

    async def finish(self, name: str, text: str, status: str = "completed") -> None:
        """The events at a response's end, in the order that one recording has."""
        place = {"response_id": name, "output_index": 0}
        await self.say("response.audio.done", **place)
        await self.say("response.content_part.done", **place, part={"type": "audio", "text": ""})
        await self.say("response.output_item.done", **place, item={"id": "item_1", "output": {"usage": {}}})
        usage = {"characters": billed(text), "total_tokens": 39, "input_tokens": 8, "output_tokens": 31}
        await self.say("response.done", response={"id": name, "status": status, "usage": usage})

    async def speak(self, text: str, size: int = DELTA) -> None:
        """One response."""
        name = await self.begin()
        pcm = tone(text)
        if self.settings.get("response_format") == "wav":
            pcm = wav(pcm)
        for at in range(0, len(pcm), size):
            await self.sound(name, pcm[at : at + size])
        await self.finish(name, text)

    async def whole(self) -> list[str]:
        """Sentences of the buffer that are complete; they leave it."""
        found = re.findall(r"[^.!?]*[.!?]\s*", self.buffer)
        self.buffer = self.buffer[sum(map(len, found)) :]
        return found

    async def everything(self) -> None:
        text, self.buffer = self.buffer, ""
        if text.strip():
            await self.speak(text)


Act = Callable[[Session], Awaitable[None]]


async def serve(session: Session) -> None:
    """Do as the cloud does."""
    await session.greet()
    while (event := await session.listen()) is not None:
        kind = event["type"]
        if kind == "session.update":
            await session.update(event["session"])
        elif kind == "input_text_buffer.append":
            session.buffer += event["text"]
            if session.settings.get("mode") == "server_commit":
                for sentence in await session.whole():
                    await session.speak(sentence)
        elif kind == "input_text_buffer.commit":
            if not session.buffer:
                await session.say("error", error={"code": "invalid_value", "message": "nothing to commit"})
                continue
            await session.say("input_text_buffer.committed", item_id="")
            await session.everything()
        elif kind == "input_text_buffer.clear":
            session.buffer = ""
            await session.say("input_text_buffer.cleared")
        elif kind == "session.finish":
            await session.everything()
            await session.say("session.finished")  # and it does not close, as recorded


def until(kind: str, then: Act) -> Act:
    """Hear and answer as the cloud does, but do something else when such an event comes."""

    async def act(session: Session) -> None:
        await session.greet()
        while (event := await session.listen()) is not None:
            if event["type"] == kind:
                await then(session)
                return
            if event["type"] == "session.update":
                await session.update(event["session"])
            elif event["type"] == "input_text_buffer.append":
                session.buffer += event["text"]

    return act


def close(code: int, reason: str) -> Act:
    """Greet, and close."""

    async def act(session: Session) -> None:
        await session.greet()
        await session.socket.close(code=code, message=reason.encode())

    return act


def break_off(deltas: int) -> Act:
    """Speak some of the text, and drop the connection."""

    async def act(session: Session) -> None:
        name = await session.begin()
        pcm = tone(session.buffer)
        for at in range(0, deltas * DELTA, DELTA):
            await session.sound(name, pcm[at : at + DELTA])
        assert session.request.transport is not None
        session.request.transport.close()

    return act


async def stay_silent(session: Session) -> None:
    while await session.listen() is not None:
        pass


def fail(code: str, message: str) -> Act:
    """Tell of an error, and say nothing more."""

    async def act(session: Session) -> None:
        await session.say("error", error={"code": code, "message": message})
        await stay_silent(session)

    return act


def send(data: str | bytes) -> Act:
    """Send exactly that, and then nothing."""

    async def act(session: Session) -> None:
        if isinstance(data, str):
            await session.socket.send_str(data)
        else:
            await session.socket.send_bytes(data)
        await stay_silent(session)

    return act


def refuse(status: int, headers: dict[str, str] | None = None) -> Act:
    """No handshake: that status instead."""

    async def act(session: Session) -> None:
        raise AssertionError

    act.status = status  # type: ignore[attr-defined]
    act.headers = headers or {}  # type: ignore[attr-defined]
    return act


class Realtime:
    """The service.

    Attributes:
        sessions: All sockets, in order.
        handshakes: All handshakes, also those that were refused.
        otherwise: The act of sockets beyond the script.
        news: Set whenever an event has come.
    """

    def __init__(self, key: str = KEY) -> None:
        self.key = key
        self.sessions: list[Session] = []
        self.handshakes: list[web.Request] = []
        self.otherwise: Act = serve
        self.news = asyncio.Event()
        self._script: list[Act] = []

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.add_routes([web.get(PATH, self._meet)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for session in self.sessions:
            if session.request.transport is not None:
                session.request.transport.abort()
        await self._runner.cleanup()

    @property
    def base_url(self) -> str:
        """What a client is configured with."""
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/api/v1"

    def script(self, *acts: Act) -> None:
        """One act for each of the next sockets."""
        self._script = list(acts)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to have come."""
        async with asyncio.timeout(10):
            while not condition():
                self.news.clear()
                await self.news.wait()

    async def _meet(self, request: web.Request) -> web.StreamResponse:
        self.handshakes.append(request)
        self.news.set()
        if request.headers.get("Authorization") != f"Bearer {self.key}":
            return web.Response(status=401)
        act = self._script.pop(0) if self._script else self.otherwise
        if hasattr(act, "status"):
            return web.Response(status=act.status, headers=act.headers)  # type: ignore[attr-defined]
        socket = web.WebSocketResponse(timeout=0.2)
        await socket.prepare(request)
        session = Session(self, socket, request)
        self.sessions.append(session)
        try:
            await act(session)
        finally:
            session.over.set()
            self.news.set()
        return socket
