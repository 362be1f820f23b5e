"""How many sessions of the agents' protocol a key has: what ends, what goes on, what lies idle."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from lineread.errors import LimitReached
from lineread.server.dialects.agents.sessions import Sessions

IDLE = 1800.0


class Application:
    """Opens a session for whoever names none; a GET listens until it is told to stop."""

    def __init__(self) -> None:
        self.opened = 0
        self.stop = asyncio.Event()

    async def __call__(self, scope: MutableMapping[str, Any], _: Any, send: Any) -> None:
        headers = [(b"content-type", b"application/json")]
        if not any(name == b"mcp-session-id" for name, _ in scope["headers"]):
            self.opened += 1
            headers.append((b"mcp-session-id", f"session {self.opened}".encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] == "GET":
            await self.stop.wait()
        await send({"type": "http.response.body", "body": b""})


async def test_an_idle_session_ends_and_one_that_listens_does_not() -> None:
    """After half an hour there is room again for those that nobody used; a client that still listens keeps its own."""
    now = 0.0
    application = Application()
    sessions = Sessions(application, each=2, idle=IDLE, clock=lambda: now)

    async def asked(method: str = "POST", session: str | None = None) -> None:
        named = [] if session is None else [(b"mcp-session-id", session.encode())]
        await sessions.answer("alice", {"method": method, "headers": named}, None, _taken)  # type: ignore[arg-type]

    await asked()
    await asked()
    listening = asyncio.create_task(asked("GET", "session 1"))
    await asyncio.sleep(0)
    now = IDLE + 1
    await asked()  # in place of the second
    with pytest.raises(LimitReached):
        await asked()
    application.stop.set()
    await listening
    now = 2 * IDLE
    with pytest.raises(LimitReached) as refused:
        await asked()  # the first was in use until just now
    assert refused.value.retry_after == 1  # the one that was opened in place of the second ends then
    now = 2 * IDLE + 2
    await asked()


async def test_a_newer_revision_has_no_sessions() -> None:
    """Its requests name none and open none, so as many may come as will."""
    sessions = Sessions(Application(), each=1, idle=IDLE)
    for _ in range(5):
        scope = {"method": "POST", "headers": [(b"mcp-protocol-version", b"2026-07-28")]}
        await sessions.answer("alice", scope, None, _taken)  # type: ignore[arg-type]


async def _taken(_: MutableMapping[str, Any]) -> None:
    """Take a message."""
