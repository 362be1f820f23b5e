"""A server for clients of every kind: it runs in a thread of its own, so that synchronous SDKs can call it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from lineread.client import Client
from lineread.engines.base import Engine
from server.live import live

Serve = Callable[..., str]


@contextmanager
def running(directory: Path, engine: Engine | str | None, client: Client | None, **options: Any) -> Iterator[str]:
    """A server with its files below that directory; gives its root URL."""
    ready = threading.Event()
    outcome: dict[str, Any] = {}

    async def serve() -> None:
        async with live(directory, engine, client=client, **options) as server:
            stop = asyncio.Event()
            outcome.update(url=server.url, loop=asyncio.get_running_loop(), stop=stop)
            ready.set()
            await stop.wait()

    def thread() -> None:
        try:
            asyncio.run(serve())
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
            directory = tmp_path_factory.mktemp("server")
            with pytest.MonkeyPatch.context() as patch:  # this may come before the test's own clean machine
                patch.setenv("XDG_STATE_HOME", str(directory / "state"))
                return stack.enter_context(running(directory, engine, None, **options))

        yield start
