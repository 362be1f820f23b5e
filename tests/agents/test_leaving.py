"""An agent's program that ends while a voice is being made: the voice is paid for, so it is waited for and kept."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

import pytest
from aiohttp import web

from lineread.config import data_dir
from lineread.voices.book import Book
from loopback.customization import VoiceCloud, make
from loopback.dashscope import Call

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there programs are not asked to end")
CLIENT = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "agent", "version": "1"}}


def line(**message: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"


@pytest.mark.parametrize("closing", [True, False], ids=["closed first", "told at once"])
async def test_a_voice_is_kept_though_its_agent_leaves(*, closing: bool) -> None:
    """Whoever ends the server closes its input, and then sends SIGTERM, or that alone."""
    begun, gate = asyncio.Event(), asyncio.Event()
    made = make()

    async def slowly(call: Call) -> web.StreamResponse:
        begun.set()
        await gate.wait()
        return await made(call)

    async with VoiceCloud() as cloud:
        cloud.script(slowly)
        environ = {**os.environ, "DASHSCOPE_API_KEY": cloud.key, "DASHSCOPE_HTTP_BASE_URL": cloud.base_url}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "lineread", "mcp", env=environ, stdin=-1, stdout=-1
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            async with asyncio.timeout(30):
                process.stdin.write(line(id=1, method="initialize", params=CLIENT))
                await process.stdout.readline()
                process.stdin.write(line(method="notifications/initialized"))
                wish = {"voice_prompt": "A calm man.", "voice_name": "guide"}
                process.stdin.write(line(id=2, method="tools/call", params={"name": "design_voice", "arguments": wish}))
                await begun.wait()
                if closing:
                    process.stdin.close()
                process.send_signal(signal.SIGTERM)
                gate.set()
                assert await process.wait() == 130
        finally:
            if process.returncode is None:
                process.kill()
        (voice,) = cloud.voices
        own = Book(os.path.join(data_dir(), "voices")).get("guide")
        assert voice in [each.voice for each in own.ids]
