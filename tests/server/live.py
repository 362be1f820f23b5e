"""A server as `lineread serve` runs it, in the test's own loop, and raw sockets to talk to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lineread.client import Client
from lineread.engines.base import Engine
from lineread.engines.fake import Fake
from lineread.server import service
from lineread.server.desk import Desk
from lineread.server.options import Options
from lineread.server.sight.journal import Journal
from lineread.server.sight.tracker import Tracker

GENERATION = "/api/v1/services/aigc/multimodal-generation/generation"
SPEECH = "/v1/audio/speech"
#: Seconds after which a test gives up waiting.
DEADLINE = 10.0


@dataclass
class Log:
    """What the server wrote."""

    data: bytes = b""

    def write(self, data: bytes) -> None:
        self.data += data

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.data.splitlines()]

    def notices(self) -> list[str]:
        return [line["message"] for line in self.lines if line["event"] == "notice"]


@dataclass
class Answer:
    """An answer, taken apart."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error's code, in whichever dialect."""
        said = self.json
        return str(said["error"]["code"] if "error" in said else said["code"])


@dataclass
class Line:
    """One raw connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        async with asyncio.timeout(DEADLINE):
            await self.writer.drain()

    async def answer(self) -> Answer:
        """The next answer, with a body of known length or in chunks, or until the end."""
        async with asyncio.timeout(DEADLINE):
            head = await self.reader.readuntil(b"\r\n\r\n")
            first, *rest = head.decode("latin-1").split("\r\n")[:-2]
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
            status = int(first.split()[1])
            return Answer(status, headers, b"" if status in (100, 204) else await self._body(headers))

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        async with asyncio.timeout(DEADLINE):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    def cut(self) -> None:
        """Leave without a word."""
        self.writer.transport.abort()

    async def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            length = headers.get("content-length")
            return await (self.reader.read() if length is None else self.reader.readexactly(int(length)))
        body = b""
        while size := int(await self.reader.readline(), 16):
            body += await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)
        return body


@dataclass
class Live:
    """A server that runs."""

    desk: Desk
    tracker: Tracker
    port: int
    log: Log
    stop: Callable[[], Coroutine[None, None, None]]
    _lines: list[Line] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def connect(self) -> Line:
        async with asyncio.timeout(DEADLINE):
            line = Line(*await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20))
        self._lines.append(line)
        return line

    async def ask(self, data: bytes) -> Answer:
        """One request on a connection of its own."""
        line = await self.connect()
        await line.send(data)
        answer = await line.answer()
        line.cut()
        return answer

    async def access(self, count: int = 1) -> list[dict[str, Any]]:
        """The access lines, once there are that many."""
        await until(lambda: len(self.requests()) >= count)
        return self.requests()

    def requests(self) -> list[dict[str, Any]]:
        return [line for line in self.log.lines if line["event"] == "request"]


@asynccontextmanager
async def live(
    tmp_path: Path,
    engine: Engine | str | None = None,
    hurry: asyncio.Event | None = None,
    *,
    client: Client | None = None,
    **options: Any,
) -> AsyncIterator[Live]:
    """Run a server until the context is left, or it is stopped. It speaks with the engine, or with the client."""
    log = Log()
    journal = Journal(log.write)
    client = client or Client(engine=engine or Fake(), cache_dir=tmp_path / "cache", notice=lambda _: None)
    chosen = Options(**{"port": 0, "grace": 0.0, **options})
    stack = AsyncExitStack()
    try:
        running = await stack.enter_async_context(service.running(client, chosen, journal, hurry))
        server = Live(running.desk, running.tracker, running.port, log, stack.aclose)
        try:
            yield server
        finally:
            for line in server._lines:
                line.cut()
                with suppress(ConnectionError):
                    await line.writer.wait_closed()
            await stack.aclose()
    finally:
        journal.close()


def post(path: str, body: object, *headers: str) -> bytes:
    """The bytes of a call."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = ("Host: 127.0.0.1", "Content-Type: application/json", f"Content-Length: {len(data)}", *headers)
    return head("POST", path, lines) + data


def get(path: str, *headers: str) -> bytes:
    """The bytes of a request without a body."""
    return head("GET", path, ("Host: 127.0.0.1", *headers))


def head(method: str, path: str, lines: Sequence[str], version: str = "1.1") -> bytes:
    """The head of a request."""
    return "\r\n".join([f"{method} {path} HTTP/{version}", *lines, "", ""]).encode("latin-1")


def speech(text: str = "Hello.", *headers: str, form: str = "pcm") -> bytes:
    """OpenAI's call."""
    return post(SPEECH, {"model": "tts-1", "input": text, "voice": "Cherry", "response_format": form}, *headers)


def generation(text: str = "Hello.", *headers: str) -> bytes:
    """DashScope's call."""
    return post(GENERATION, {"model": "qwen3-tts-flash", "input": {"text": text, "voice": "Cherry"}}, *headers)


async def until(condition: Any) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 - a state of the server, which has no event for a test
            await asyncio.sleep(0.002)
