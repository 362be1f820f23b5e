"""An agent: the protocol's official client, over each transport and revision, at lineread's own servers."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import httpx2
import jsonschema_rs
import mcp_types as types
import soundfile
from mcp import Client as Official
from mcp import StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from lineread.client import Client
from lineread.engines.base import Engine
from server.live import live

#: The ways in: transport, and the protocol's revision (its newest, or those that begin with a handshake).
WAYS = ("stdio", "stdio legacy", "http", "http legacy")


@dataclass
class Agent:
    """A client that is connected.

    Attributes:
        client: The official one.
        home: Where the server's files lie.
        hosted: It is called over HTTP.
        seen: Every progress that came: how much, of how much.
    """

    client: Official
    home: Path
    hosted: bool
    tools: dict[str, types.Tool] = field(default_factory=dict)
    seen: list[tuple[float, float | None]] = field(default_factory=list)

    async def look(self) -> None:
        """Learn which tools there are."""
        self.tools = {tool.name: tool for tool in (await self.client.list_tools()).tools}

    async def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        """What a tool answers; it is what its schema promises, and the text says the same."""
        result = await self.client.call_tool(name, arguments, progress_callback=self._note)
        assert not result.is_error, result.content
        assert isinstance(result.structured_content, dict)
        jsonschema_rs.validate(self.tools[name].output_schema or {}, result.structured_content)
        first, *rest = result.content
        assert isinstance(first, types.TextContent)
        assert json.loads(first.text) == result.structured_content
        sounds = [each for each in rest if isinstance(each, types.AudioContent)]
        assert len(sounds) == len(rest)
        return {**result.structured_content, "sounds": sounds}

    async def refused(self, tool: str, **arguments: Any) -> tuple[str, str]:
        """The line and the code with which a tool refuses."""
        result = await self.client.call_tool(tool, arguments)
        assert result.is_error
        (said,) = result.content
        assert isinstance(said, types.TextContent)
        assert result.structured_content is None
        facts = (result.meta or {})["lineread/error"]
        return said.text, facts["code"]

    async def sound(self, answer: dict[str, Any]) -> tuple[float, bytes]:
        """Seconds and bytes of the file that an answer names."""
        if self.hosted:
            assert "path" not in answer
            async with aiohttp.ClientSession() as http, http.get(answer["audio_url"]) as reply:
                data = await reply.read()
        else:
            path = Path(answer["path"])
            assert answer["audio_url"] == path.as_uri()
            data = await asyncio.to_thread(path.read_bytes)
        with soundfile.SoundFile(BytesIO(data)) as file:
            return file.frames / file.samplerate, data

    async def _note(self, done: float, total: float | None, _: str | None) -> None:
        self.seen.append((done, total))


@asynccontextmanager
async def agent(
    way: str,
    home: Path,
    *,
    engine: str | Engine = "builtin",
    budget: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> AsyncIterator[Agent]:
    """An agent with a server of its own. To be left by the task that entered it.

    Args:
        way: One of :data:`WAYS`.
        home: Where the server's files lie; it is there.
        engine: Who speaks.
        budget: What may be spent.
        environ: What the server finds in its environment besides.
    """
    transport, _, revision = way.partition(" ")
    given = environ or {}
    async with AsyncExitStack() as stack:
        target: Any
        if transport == "stdio":
            bounds = ["--budget", budget] if budget else []
            args = ["-m", "lineread", "mcp", "--engine", str(engine), "--output", str(home / "voices"), *bounds]
            target = stdio_client(
                StdioServerParameters(command=sys.executable, args=args, env={**os.environ, **given}, cwd=home)
            )
        else:
            os.environ |= given
            stack.callback(lambda: [os.environ.pop(name) for name in given])
            speaker = Client(engine=engine, budget=budget, cache_dir=home / "cache", notice=lambda _: None)
            server = await stack.enter_async_context(live(home, client=speaker, mcp=True))
            target = f"{server.url}/mcp"
        client = await stack.enter_async_context(Official(target, mode=revision or "auto", read_timeout_seconds=60))
        found = Agent(client, home, transport == "http")
        await found.look()
        yield found


@asynccontextmanager
async def keyed(url: str, key: str) -> AsyncIterator[Agent]:
    """An agent that shows a key to a server that is there."""
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}) as http,
        Official(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
    ):
        found = Agent(client, Path(), hosted=True)
        await found.look()
        yield found
