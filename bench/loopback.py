"""A DashScope that costs next to nothing: a call is answered with a URL or with events, a URL with 2.5 s of audio.

Speaks just enough HTTP/1.1 for the clients under measure, on a bare protocol with replies made beforehand, so that
the clients and not the server are what takes the time. The shapes and sizes are the service's (12 kB of samples in an
event, each event a chunk of its own); its faults are the business of the tests' server. Prints its base URL and ends
with its standard input.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import math
import re
import struct
import sys
from array import array
from collections.abc import Iterator

SAMPLE_RATE = 24_000
SAMPLES = 60_000
EVENT_BYTES = 12_000
#: Stands in the prepared replies where each call gets an id of its own.
REQUEST_ID = "00000000-0000-4000-8000-000000000000"
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STREAMING = re.compile(rb"\r\nx-dashscope-sse: *enable", re.IGNORECASE)


def tone() -> bytes:
    """A swelling tone, so that no client takes it for silence."""
    wave = (8000 * math.sin(math.pi * i / SAMPLES) * math.sin(i * 0.05) for i in range(SAMPLES))
    return array("h", map(round, wave)).tobytes()


def wav(pcm: bytes) -> bytes:
    """A WAV file with the sizes that the service writes: placeholders."""
    riff, form, data = (b"RIFF", 0x7FFFFFBF, b"WAVE"), (b"fmt ", 16, 1, 1), (b"data", 0x7FFFFF9B)
    rates = (SAMPLE_RATE, SAMPLE_RATE * 2, 2, 16)
    return struct.pack("<4sI4s4sIHHIIHH4sI", *riff, *form, *rates, *data) + pcm


def generation(port: int, data: bytes, *, final: bool) -> str:
    """The JSON of a reply or of an event."""
    url = f"http://127.0.0.1:{port}/audio/{REQUEST_ID}.wav?Expires=1795000000&Signature=bench"
    audio = {
        "data": base64.b64encode(data).decode(),
        "expires_at": 1795000000,
        "id": f"audio_{REQUEST_ID}",
        **({"url": url} if final else {}),
    }
    output = {"audio": audio, "finish_reason": "stop" if final else "null"}
    return json.dumps({"output": output, "usage": {"characters": 40}, "request_id": REQUEST_ID}, separators=(",", ":"))


def events(port: int, file: bytes) -> Iterator[bytes]:
    """The events of a streamed call; the first one begins with the file's header."""
    parts = [file[at : at + EVENT_BYTES] for at in range(0, len(file), EVENT_BYTES)]
    for number, part in enumerate([*parts, b""], start=1):
        data = generation(port, part, final=not part)
        yield f"id:{number}\nevent:result\n:HTTP_STATUS/200\ndata:{data}\n\n".encode()


def whole(kind: str, body: bytes) -> bytes:
    """A reply of known length."""
    return f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def chunked(kind: str, parts: Iterator[bytes]) -> bytes:
    """A reply in chunks."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


class Replies:
    """All that the server ever says."""

    def __init__(self, port: int) -> None:
        file = wav(tone())
        self._audio = whole("audio/wav", file)
        self._url = whole("application/json", generation(port, b"", final=True).encode())
        self._events = chunked("text/event-stream;charset=UTF-8", events(port, file))
        self._numbers = itertools.count(1)

    def to(self, request: bytes) -> bytes:
        """The reply to a request."""
        if request.startswith(b"GET"):
            return self._audio
        prepared = self._events if _STREAMING.search(request) else self._url
        return prepared.replace(REQUEST_ID.encode(), b"00000000-0000-4000-8000-%012d" % next(self._numbers))


class Connection(asyncio.Protocol):
    """Answers the requests of one connection, in order."""

    def __init__(self, replies: Replies) -> None:
        self._replies = replies
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._request_end()) is not None:
            request, self._received = self._received[:end], self._received[end:]
            self._transport.write(self._replies.to(request))

    def _request_end(self) -> int | None:
        """One past the first whole request that was received; None if there is none yet."""
        head = self._received.find(_HEAD_END)
        if head < 0:
            return None
        length = _LENGTH.search(self._received, 0, head)
        end = head + len(_HEAD_END) + (int(length[1]) if length else 0)
        return end if end <= len(self._received) else None


async def main() -> None:
    loop = asyncio.get_running_loop()
    replies: list[Replies] = []
    server = await loop.create_server(lambda: Connection(replies[0]), "127.0.0.1", 0, backlog=512)
    port = server.sockets[0].getsockname()[1]
    replies.append(Replies(port))
    print(f"http://127.0.0.1:{port}/api/v1", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
