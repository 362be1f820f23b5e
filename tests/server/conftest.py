"""A server for clients of every kind: it runs in a thread of its own, so that synchronous SDKs can call it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from lineread.client import Client
from lineread.engines.base import Engine
from lineread.engines.fake import Fake
from lineread.server.app import application
from lineread.server.desk import Desk
from lineread.server.options import Options
from lineread.server.sound.shelf import Shelf

Serve = Callable[..., str]


@contextmanager
def running(directory: Path, engine: Engine | str | None, client: Client | None, **options: Any) -> Iterator[str]:
    """A server with its files below that directory; gives its root URL."""
    ready = threading.Event()
    outcome: dict[str, Any] = {}

    async def live() -> None:
        speaker = client or Client(engine=engine or Fake(), cache_dir=directory / "cache")
        settings = Options(**options)
        shelf = Shelf(str(directory / "cache" / "audio"), b"s" * 32, max_bytes=settings.audio_bytes)
        app = application(Desk(speaker, shelf, settings))
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        stop = asyncio.Event()
        outcome.update(url=f"http://127.0.0.1:{runner.addresses[0][1]}", loop=asyncio.get_running_loop(), stop=stop)
        ready.set()
        await stop.wait()
        await runner.cleanup()
        await speaker.aclose()

    def thread() -> None:
        try:
            asyncio.run(live())
        except BaseException as error:  # noqa: BLE001 - raised again by the test
            outcome["error"] = error
        finally:
            ready.set()

    runner_thread = threading.Thread(target=thread, name="server")
    runner_thread.start()
    assert ready.wait(20)
    try:
        if "url" in outcome:
            yield outcome["url"]
    finally:
        if "url" in outcome:
            outcome["loop"].call_soon_threadsafe(outcome["stop"].set)
        runner_thread.join(20)
        if "error" in outcome:
            raise outcome["error"]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts servers: ``serve(engine=None, client=None, **options)`` is the root URL of one."""
    with ExitStack() as stack:

        def start(engine: Engine | str | None = None, *, client: Client | None = None, **options: Any) -> str:
            return stack.enter_context(running(tmp_path, engine, client, **options))

        yield start


@pytest.fixture(scope="module")
def serve_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """As ``serve``, for all tests of a module."""
    with ExitStack() as stack:

        def start(engine: Engine | str | None = None, **options: Any) -> str:
            return stack.enter_context(running(tmp_path_factory.mktemp("server"), engine, None, **options))

        yield start
