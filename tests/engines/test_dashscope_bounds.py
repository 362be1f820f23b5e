"""What the cloud engine never does: fill the memory, or show the key."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from lineread.config import Secret
from lineread.engines.dashscope import DashScope, http
from lineread.errors import BadReply
from lineread.speech import Request, Segment
from loopback import dashscope as loopback
from loopback.dashscope import KEY, Act, Call, Cloud, tone

TEXT = "Hello, this is a short voice line."
#: A key such as nothing else in a process looks like.
OWN_KEY = "sk-8f1b3c5d7e9fTELLNOBODY0a2c4e6f8b1d"
#: Enough of it to be the key and nothing else; the kernel cuts the name of a thread after 15 bytes.
MARK = OWN_KEY[:12]
WHOLE = len(loopback.wav(tone(TEXT)))


@pytest.fixture
async def cloud() -> AsyncIterator[Cloud]:
    async with Cloud() as running:
        yield running


async def spoken(cloud: Cloud, transport: Any) -> bytes:
    engine = DashScope(Secret(KEY), base_url=cloud.base_url, transport=transport)
    request = engine.resolve(Request(TEXT, "Cherry"))
    try:
        return b"".join([chunk.pcm async for chunk in engine.stream(Segment(request, 0, 0, len(TEXT)))])
    finally:
        await engine.aclose()


# --- the size of an audio file ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["sse", "url"])
async def test_a_file_over_the_limit_is_refused(cloud: Cloud, transport: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of exactly the limit is spoken; with one byte more it is refused, and no retry would change that."""
    monkeypatch.setattr(http, "MAX_FILE", WHOLE)
    cloud.otherwise = loopback.speak(url_only=True)
    assert await spoken(cloud, transport) == tone(TEXT)
    monkeypatch.setattr(http, "MAX_FILE", WHOLE - 1)
    with pytest.raises(BadReply, match="larger than") as caught:
        await spoken(cloud, transport)
    assert not caught.value.retryable


async def test_a_file_without_end_is_not_read_on(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that never ends and never tells its length is given up at the limit, and the connection with it."""
    monkeypatch.setattr(http, "MAX_FILE", WHOLE)
    hung_up = asyncio.Event()

    async def endless(request: web.Request, content: bytes) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            await response.write(content)
            while True:
                await response.write(bytes(65_536))
        except (ConnectionError, asyncio.CancelledError):
            hung_up.set()
            raise

    cloud.audio_act = endless
    cloud.otherwise = loopback.speak(url_only=True)
    async with asyncio.timeout(10):
        with pytest.raises(BadReply, match="larger than"):
            await spoken(cloud, "sse")
        await hung_up.wait()


# --- the key ---------------------------------------------------------------------------------------------------------


def process_titles(pid: int) -> bytes:
    """What other users can read of a process and its children: arguments and names of their threads."""
    place = Path("/proc", str(pid))
    said = (place / "cmdline").read_bytes()
    for thread in (place / "task").iterdir():
        said += (thread / "comm").read_bytes()
        for child in (thread / "children").read_text().split() if (thread / "children").exists() else ():
            said += process_titles(int(child))
    return said


def hidden_in(root: Path) -> list[str]:
    """Files below a directory with the key in their names or contents."""
    every = [Path(folder, name) for folder, folders, files in os.walk(root) for name in [*folders, *files]]
    shown = [path for path in every if path.is_file() and MARK.encode() in path.read_bytes()]
    return [str(path) for path in {*shown, *(path for path in every if MARK in path.name)}]


def watched(act: Act, titles: list[bytes], pid: list[int]) -> Act:
    """An act that reads the caller's titles while its call is on."""

    async def look(call: Call) -> web.StreamResponse:
        titles.append(process_titles(pid[0]))
        return await act(call)

    return look


SAYING = f"Incorrect API key provided: {OWN_KEY}."


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    ("act", "options", "status"),
    [
        (loopback.speak(), ["--json"], 0),
        (loopback.refuse(401, "InvalidApiKey", SAYING, {"x-said": OWN_KEY}), [], 3),
        (loopback.fail_amid(1, 400, "InvalidParameter", SAYING), ["-v", "Ethan"], 4),
    ],
    ids=["spoken", "refused", "broken off"],
)
async def test_the_key_shows_nowhere(act: Act, options: list[str], status: int, tmp_path: Path) -> None:
    """A key of the environment is in no title of the process, no output, no error and no file, whatever happens."""
    titles: list[bytes] = []
    pid: list[int] = []
    async with Cloud(OWN_KEY) as cloud, asyncio.timeout(20):
        cloud.otherwise = watched(act, titles, pid)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "lineread", "say", "--engine", "dashscope", *options, TEXT),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"DASHSCOPE_API_KEY": OWN_KEY, "DASHSCOPE_HTTP_BASE_URL": cloud.base_url},
        )
        pid.append(process.pid)
        try:
            output, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
    assert process.returncode == status, errors.decode()
    assert len(titles) == 1
    assert b"say" in titles[0]
    assert MARK.encode() not in titles[0]
    assert MARK.encode() not in output + errors
    assert hidden_in(tmp_path) == []
    assert status or list((tmp_path / "home" / ".cache").rglob("*.seg"))
