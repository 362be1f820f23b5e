"""The server of ``live``, with a proper HTTP client, short ways to call it, and its records of the calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from lineread.engines.base import Engine
from lineread.server.desk import Desk
from lineread.server.sight.visit import Visit
from server.live import GENERATION, SPEECH, live, until

__all__ = ["GENERATION", "SPEECH", "Gateway", "gateway", "until"]


@dataclass
class Gateway:
    """A server that runs.

    Attributes:
        url: Its root.
        desk: Its desk.
        visits: The records of all requests so far.
        http: A client without any headers of its own.
        stop: Stops it, as a signal does.
    """

    url: str
    desk: Desk
    visits: list[Visit]
    http: aiohttp.ClientSession
    stop: Callable[[], Coroutine[None, None, None]]

    async def openai(self, text: str = "Hello.", key: str | None = None, **fields: Any) -> aiohttp.ClientResponse:
        """OpenAI's call; the body is read."""
        body = {"model": "tts-1", "input": text, "voice": "Cherry", "response_format": "pcm", **fields}
        return await self.post(SPEECH, body, key)

    async def dashscope(self, text: str = "Hello.", key: str | None = None, **fields: Any) -> aiohttp.ClientResponse:
        """DashScope's call; the body is read."""
        body = {"model": "qwen3-tts-flash", "input": {"text": text, "voice": "Cherry"}, **fields}
        return await self.post(GENERATION, body, key)

    async def post(self, path: str, body: object, key: str | None = None, **headers: str) -> aiohttp.ClientResponse:
        """A call; the body of the answer is read."""
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        async with self.http.post(self.url + path, json=body, headers=headers) as response:
            await response.read()
        return response


@asynccontextmanager
async def gateway(tmp_path: Path, engine: Engine | str | None = None, **options: Any) -> AsyncIterator[Gateway]:
    """Run a server until the context is left."""
    async with live(tmp_path, engine, **options) as server:
        seen: list[Visit] = []
        begin = server.tracker.begin

        def note(http: web.Request) -> Visit:
            seen.append(begin(http))
            return seen[-1]

        server.tracker.begin = note  # type: ignore[method-assign]  # of this one server
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:
            yield Gateway(server.url, server.desk, seen, http, server.stop)
