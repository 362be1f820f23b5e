"""A loopback DashScope: the recorded shapes of Qwen TTS over HTTP, and faults to order.

For tests, in the same event loop, and for measurements, as a process of its own (``python dashscope.py`` prints its
base URL). It shares no code with lineread, so that client and server cannot be wrong together. Two ports: the API,
and the host that keeps the audio files, as in the cloud.

    async with Cloud() as cloud:
        cloud.script(refuse(429, "Throttling.RateQuota", "Requests rate limit exceeded."))
        ...                       # the first call is refused, later ones speak
        cloud.received[0].body    # what came

Each call plays the next act of the script; an act is an async function of the call.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import functools
import json
import math
import struct
import time
import uuid
import zlib
from array import array
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

KEY = "sk-loopback-0123456789abcdef"
PATH = "/api/v1/services/aigc/multimodal-generation/generation"
RATE = 24_000
#: What the cloud writes into headers while it does not know the length yet.
PLACEHOLDER_RIFF, PLACEHOLDER_DATA = 0x7FFFFFBF, 0x7FFFFF9B
DAY = 86_400
EXPIRED_PAGE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n  <Code>AccessDenied</Code>\n'
    "  <Message>Request has expired.</Message>\n</Error>\n"
)


@functools.lru_cache(maxsize=4096)
def tone(text: str) -> bytes:
    """The PCM of a text: its pitch tells the text, 40 ms for each character tell its length."""
    waves = 4 + zlib.crc32(text.encode()) % 16
    cycle = array("h", (round(8000 * math.sin(2 * math.pi * waves * i / 960)) for i in range(960)))
    return cycle.tobytes() * len(text)


@functools.lru_cache(maxsize=256)
def base64_of(sound: bytes) -> str:
    return base64.b64encode(sound).decode()


@functools.lru_cache(maxsize=4096)
def billed(text: str) -> int:
    """Characters that the cloud bills: two for a Han character."""
    return sum(2 if "\u4e00" <= character <= "\u9fff" else 1 for character in text)


@functools.lru_cache(maxsize=256)
def wav(pcm: bytes, *, true_sizes: bool = False) -> bytes:
    """A WAV file, with the cloud's placeholder sizes unless true ones are asked for."""
    riff, data = (36 + len(pcm), len(pcm)) if true_sizes else (PLACEHOLDER_RIFF, PLACEHOLDER_DATA)
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", riff, b"WAVE", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16, b"data", data
    )
    return head + pcm


@dataclass(frozen=True)
class Received:
    """A request that came.

    Attributes:
        method: GET or POST.
        path: The path with its query, byte for byte.
        headers: The headers, names in lower case.
        body: The JSON, parsed; None where there is none.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: Any = None


@dataclass
class Call:
    """A call that an act answers."""

    cloud: Cloud
    http: web.Request
    model: str
    text: str
    voice: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def streaming(self) -> bool:
        return self.http.headers.get("X-DashScope-SSE") == "enable"

    def reply(self, url: str = "") -> dict[str, Any]:
        """A reply in the recorded shape, without sound; one with a URL is the last."""
        expires = int(time.time()) + (DAY if url else 0)
        sound = {"data": "", "expires_at": expires, "id": f"audio_{self.id}"}
        return {
            "output": {"audio": sound | ({"url": url} if url else {}), "finish_reason": "stop" if url else "null"},
            "usage": {"characters": billed(self.text)},
            "request_id": self.id,
        }

    async def begin_events(self) -> Events:
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream;charset=UTF-8", "x-request-id": self.id}
        )
        await response.prepare(self.http)
        return Events(response)


@dataclass
class Events:
    """The events of one stream."""

    response: web.StreamResponse
    count: int = 0

    async def result(self, reply: dict[str, Any], sound: bytes = b"") -> None:
        # The sound is put into the finished JSON: this server must not be what a measurement of its clients measures.
        data = compact(reply).replace('"data":""', f'"data":"{base64_of(sound)}"', 1)
        await self.frame("result", 200, data)

    async def frame(self, event: str, status: int, data: str, extra: str = "") -> None:
        self.count += 1
        text = f"id:{self.count}\nevent:{event}\n:HTTP_STATUS/{status}\n{extra}data:{data}\n\n"
        await self.response.write(text.encode())


Act = Callable[[Call], Awaitable[web.StreamResponse]]


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def speak(
    *,
    riff: bool = True,
    true_sizes: bool = False,
    event_bytes: int = 14_400,
    url_only: bool = False,
    url: str | None = None,
    rest: Callable[[], Awaitable[object]] | None = None,
    preface: bytes = b"",
    linger: float = 0,
) -> Act:
    """Speak the text as the cloud does.

    Args:
        riff: The first event begins with a WAV header.
        true_sizes: Headers tell the true sizes.
        event_bytes: Bytes of sound in each event.
        url_only: Events bring no sound, only the last one's URL.
        url: Tell this URL instead of the file's.
        rest: Awaited between two events.
        preface: Sound of an event of its own, before all others.
        linger: Seconds between the last event and the end of the stream.
    """

    async def act(call: Call) -> web.StreamResponse:
        pcm = tone(call.text)
        address = call.cloud.store(wav(pcm, true_sizes=true_sizes)) if url is None else url
        if not call.streaming:
            return web.json_response(call.reply(url=address), headers={"x-request-id": call.id}, dumps=compact)
        events = await call.begin_events()
        if preface:
            await events.result(call.reply(), preface)
        sound = wav(pcm, true_sizes=true_sizes) if riff else pcm
        for part in () if url_only else cut(sound, event_bytes):
            await events.result(call.reply(), part)
            if rest is not None:
                await rest()
        await events.result(call.reply(url=address))
        if linger:
            await asyncio.sleep(linger)
        return events.response

    return act


def whole_reply() -> Act:
    """Answer a streaming call with one JSON reply."""

    async def act(call: Call) -> web.StreamResponse:
        return web.json_response(call.reply(url=call.cloud.store(wav(tone(call.text)))), dumps=compact)

    return act


def refuse(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Act:
    """Refuse with a JSON error."""

    async def act(call: Call) -> web.StreamResponse:
        error = {"request_id": call.id, "code": code, "message": message}
        return web.json_response(error, status=status, headers=headers, dumps=compact)

    return act


def answer(status: int, body: str | bytes, content_type: str = "application/json") -> Act:
    """Answer with exactly that body."""

    async def act(call: Call) -> web.StreamResponse:
        content = body.encode() if isinstance(body, str) else body
        return web.Response(status=status, body=content, content_type=content_type)

    return act


def redirect(location: str) -> Act:
    """Send the client elsewhere."""

    async def act(call: Call) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": location})

    return act


def fail_amid(after: int, status: int, code: str, message: str = "m") -> Act:
    """Send some events, then an error event, in the framing that SDKs of all ages understand."""

    async def act(call: Call) -> web.StreamResponse:
        events = await call.begin_events()
        for part in list(cut(tone(call.text), 4800))[:after]:
            await events.result(call.reply(), part)
        error = {"code": code, "message": message, "request_id": call.id}
        await events.frame("error", status, compact(error), extra=f"status:{status}\n")
        return events.response

    return act


def raw_events(content: str | bytes) -> Act:
    """Send an event stream of exactly those bytes."""
    return answer(200, content, "text/event-stream")


def drop(after: int | None = None) -> Act:
    """Cut the connection: before the response, or after some events."""

    async def act(call: Call) -> web.StreamResponse:
        transport = call.http.transport
        assert transport is not None
        if after is None:
            transport.abort()
            return web.Response()
        events = await _some_events(call, after)
        transport.close()  # sends what was written, unlike abort
        return events.response

    return act


def stop_short(after: int) -> Act:
    """End the stream properly, but before its last event."""

    async def act(call: Call) -> web.StreamResponse:
        return (await _some_events(call, after)).response

    return act


def stall(after: int | None = None) -> Act:
    """Fall silent: before the response, or after some events. ``cloud.hung_up`` is set when the client has left."""

    async def act(call: Call) -> web.StreamResponse:
        try:
            if after is not None:
                await _some_events(call, after)
            await asyncio.Event().wait()
        except (asyncio.CancelledError, ConnectionError):
            call.cloud.hung_up.set()
            raise
        raise AssertionError

    return act


async def _some_events(call: Call, count: int) -> Events:
    events = await call.begin_events()
    for part in list(cut(tone(call.text), 4800))[:count]:
        await events.result(call.reply(), part)
    return events


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


class Cloud:
    """The server.

    Args:
        key: The key that it accepts.

    Attributes:
        received: Requests to the API, in order.
        fetched: Requests to the audio host, in order.
        connections: Client ports that the API was called from: one for each connection.
        called: Set when a call has come.
        hung_up: Set when a client left a stalled call.
        otherwise: The act of calls beyond the script.
    """

    def __init__(self, key: str = KEY) -> None:
        self.key = key
        self.received: list[Received] = []
        self.fetched: list[Received] = []
        self.connections: set[int] = set()
        self.called = asyncio.Event()
        self.hung_up = asyncio.Event()
        self.otherwise: Act = speak()
        self.audio_act: Callable[[web.Request, bytes], Awaitable[web.StreamResponse]] | None = None
        self._script: list[Act] = []
        self._files: dict[str, bytes] = {}
        self._runners: list[web.AppRunner] = []

    async def __aenter__(self) -> Self:
        self._api = await self._serve(web.route("*", "/{tail:.*}", self._answer))
        self._audio = await self._serve(web.get("/{tail:.*}", self._send_file))
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for runner in self._runners:
            await runner.cleanup()

    @property
    def base_url(self) -> str:
        """What a client is configured with."""
        return f"http://127.0.0.1:{self._api}/api/v1"

    @property
    def audio_host(self) -> str:
        """Where the audio files lie."""
        return f"127.0.0.1:{self._audio}"

    def script(self, *acts: Act) -> None:
        """One act for each of the next calls."""
        self._script = list(acts)

    def store(self, content: bytes, *, expires_in: int = DAY) -> str:
        """Keep a file; its signed URL, with characters that a careless client would write anew."""
        path = f"/1d/aa/20261118/0d5ce7dd/{uuid.uuid4()}.wav"
        query = f"Expires={int(time.time()) + expires_in}&OSSAccessKeyId=LTAIexample&Signature=a%2Bb%2fc%3D"
        self._files[f"{path}?{query}"] = content
        return f"http://{self.audio_host}{path}?{query}"

    async def _serve(self, *routes: web.RouteDef) -> int:
        app = web.Application(client_max_size=16 << 20)
        app.add_routes(routes)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port: int = runner.addresses[0][1]
        return port

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = self._note(request, await request.read())
        wrong = self._refusal(request, body)
        if wrong is not None:
            return await wrong(Call(self, request, "", "", ""))
        fields = body["input"]
        call = Call(self, request, body["model"], fields["text"], fields["voice"])
        act = self._script.pop(0) if self._script else self.otherwise
        return await act(call)

    def _note(self, request: web.Request, content: bytes) -> Any:
        """The body of a request that came, once it is on record."""
        body: Any = json.loads(content) if content else None
        self.received.append(_received(request, body))
        peer = request.get_extra_info("peername")
        self.connections.add(peer[1])
        self.called.set()
        return body

    def _refusal(self, request: web.Request, body: Any) -> Act | None:
        """What the cloud itself would not accept."""
        if request.path != PATH:
            return refuse(404, "NotFound", "no such path")
        if request.method != "POST":
            return refuse(400, "InvalidParameter", f"Request method '{request.method}' is not supported.")
        if request.headers.get("Authorization") != f"Bearer {self.key}":
            return refuse(401, "InvalidApiKey", "Invalid API-key provided.")
        return _incomplete(body)

    async def _send_file(self, request: web.Request) -> web.StreamResponse:
        self.fetched.append(_received(request))
        content = self._files.get(request.raw_path)
        if content is None or int(request.query["Expires"]) < time.time():
            return web.Response(status=403, text=EXPIRED_PAGE, content_type="application/xml")
        if self.audio_act is not None:
            return await self.audio_act(request, content)
        return web.Response(body=content, content_type="audio/wav")


def _incomplete(body: Any) -> Act | None:
    """What a body lacks."""
    if not body.get("input"):
        return refuse(400, "BadRequest.EmptyInput", "Required input parameter missing from request.")
    if not str(body.get("model")).startswith(("qwen3-tts-", "qwen-tts")):
        return refuse(400, "InvalidParameter", "Model not exist.")
    if not (body["input"].get("text") and body["input"].get("voice")):
        return refuse(400, "InvalidParameter", "Required parameter(text, voice) missing or invalid.")
    return None


def _received(request: web.Request, body: Any = None) -> Received:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Received(request.method, request.raw_path, headers, body)


async def _serve_forever(key: str) -> None:
    async with Cloud(key) as cloud:
        print(cloud.base_url, flush=True)  # noqa: T201 - the output is this process's interface
        await asyncio.Event().wait()


def main() -> None:
    """Serve until killed; the base URL is the first line of the output."""
    parser = argparse.ArgumentParser(description="A loopback DashScope for measurements.")
    parser.add_argument("--key", default=KEY, help="the key that it accepts")
    asyncio.run(_serve_forever(parser.parse_args().key))


if __name__ == "__main__":
    main()
