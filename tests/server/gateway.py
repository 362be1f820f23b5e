"""A whole server in the test's own loop, with an engine that the test holds in its hand, and short ways to call it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from lineread.client import Client
from lineread.engines.base import Engine
from lineread.engines.fake import Fake
from lineread.server.app import application
from lineread.server.desk import Desk
from lineread.server.options import Options
from lineread.server.sight import visit as visits
from lineread.server.sight.visit import Visit
from lineread.server.sound.shelf import Shelf

GENERATION = "/api/v1/services/aigc/multimodal-generation/generation"
SPEECH = "/v1/audio/speech"


@dataclass
class Gateway:
    """A server that runs.

    Attributes:
        url: Its root.
        desk: Its desk.
        visits: The records of all requests so far.
        http: A client without any headers of its own.
    """

    url: str
    desk: Desk
    visits: list[Visit]
    http: aiohttp.ClientSession

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
    client = Client(engine=engine or Fake(), cache_dir=tmp_path / "cache")
    shelf = Shelf(str(tmp_path / "cache" / "audio"), b"secret", max_bytes=1 << 30)
    desk = Desk(client, shelf, Options(**options))
    app = application(desk)
    seen: list[Visit] = []

    async def note(request: web.Request, response: web.StreamResponse) -> None:
        seen.append(visits.visit_of(request))

    app.on_response_prepare.append(note)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:
            yield Gateway(f"http://127.0.0.1:{runner.addresses[0][1]}", desk, seen, http)
    finally:
        await runner.cleanup()
        await client.aclose()


async def until(condition: Any) -> None:
    """Wait until something holds, a few seconds at most."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - it is a state of the server, which has no event for a test
            await asyncio.sleep(0.002)
