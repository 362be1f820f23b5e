"""Many clients at once: requests over kept connections, with as little work of their own as there can be."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import texts


class Load:
    """Makes so many requests, so many at once, and tells when the first byte of each answer's body came.

    Args:
        url: The server's root.
        path: What is asked for; without ``body`` it is a GET.
        body: The JSON to send; ``{text}`` in a string stands for a line that is like no other.
        calls: Requests of one round.
        at_once: Clients; each has a connection.
    """

    def __init__(
        self, *, url: str, path: str, body: dict[str, object] | None = None, calls: int, at_once: int = 1
    ) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname, address.port
        self._path = path
        self._body = None if body is None else json.dumps(body)
        self._calls = calls
        self._at_once = at_once
        self._line = 0

    def __call__(self) -> dict[str, object]:
        return asyncio.run(self._round())

    async def _round(self) -> dict[str, object]:
        requests = iter([self._request() for _ in range(self._calls)])
        first: list[float] = []
        begin = time.perf_counter()
        outcomes = await asyncio.gather(*(self._client(requests, first) for _ in range(self._at_once)))
        return {"took": time.perf_counter() - begin, "first": first, "failed": sum(outcomes)}

    def _request(self) -> bytes:
        head = f"Host: {self._host}:{self._port}\r\n"
        if self._body is None:
            return f"GET {self._path} HTTP/1.1\r\n{head}\r\n".encode()
        self._line += 1
        body = self._body.replace("{text}", texts.line(self._line)).encode()
        head += f"Content-Type: application/json\r\nAuthorization: Bearer bench\r\nContent-Length: {len(body)}\r\n"
        return f"POST {self._path} HTTP/1.1\r\n{head}\r\n".encode() + body

    async def _client(self, requests: Iterator[bytes], first: list[float]) -> int:
        """One client's requests; how many of them failed."""
        failed = 0
        reader, writer = await asyncio.open_connection(self._host, self._port, limit=1 << 22)
        for request in requests:
            begin = time.perf_counter()
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            first.append(time.perf_counter() - begin)
            whole = await _skip_body(reader, head)
            failed += not (whole and head.startswith((b"http/1.1 200", b"http/1.0 200")))
            if b"connection: close" in head or head.startswith(b"http/1.0"):
                writer.close()
                reader, writer = await asyncio.open_connection(self._host, self._port, limit=1 << 22)
        writer.close()
        return failed


async def _skip_body(reader: asyncio.StreamReader, head: bytes) -> bool:
    """Read a body to its end; whether there was one."""
    if b"chunked" not in head:
        if b"content-length:" not in head:
            return len(await reader.read()) > 0
        length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        return len(await reader.readexactly(length)) > 0
    total = 0
    while size := int(await reader.readuntil(b"\r\n"), 16):
        await reader.readexactly(size + 2)
        total += size
    await reader.readuntil(b"\r\n")
    return total > 0
