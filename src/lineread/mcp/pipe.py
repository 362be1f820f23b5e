"""The protocol over standard input and output.

Owns what the protocol's own package leaves out there: a line that is no message is answered, as over HTTP. Whoever sent
it would wait for ever; a text with half an emoji in it, a lone surrogate, is enough.
"""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Self

import anyio
import mcp_types as types
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

if TYPE_CHECKING:
    import contextvars
    from collections.abc import AsyncIterator

_UNREADABLE, _NO_MESSAGE = -32700, -32600
_SURROGATE: Final = "That is no JSON that can be read; a lone surrogate, half an emoji, is a common reason."
#: A mistake of the message itself, in the package's list of them: which kind of message, and which of its fields.
_TOP: Final = 2
_SHAPE: Final = "That is no message of the protocol (JSON-RPC 2.0, one object a line)."


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[_Messages, Any]]:
    """What comes in, and where answers go."""
    async with stdio_server() as (reading, writing):
        yield _Messages(reading, writing), writing


class _Messages:
    """The messages of a stream that also has errors in it: those are answered."""

    def __init__(self, reading: Any, writing: Any) -> None:  # noqa: ANN401 - the package's own streams
        self._reading = reading
        self._writing = writing

    @property
    def last_context(self) -> contextvars.Context | None:
        """The context that the last message was sent in, as the package's own streams have it."""
        context: contextvars.Context | None = self._reading.last_context
        return context

    async def receive(self) -> SessionMessage:
        """The next message."""
        while True:
            item = await self._reading.receive()
            if isinstance(item, SessionMessage):
                return item
            if (refusal := _refusal(item)) is not None:
                await self._writing.send(SessionMessage(refusal))

    async def aclose(self) -> None:
        """Read no more."""
        await self._reading.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _refusal(error: Exception) -> types.JSONRPCError | None:
    """What to answer to a line that is no message; None to what is perhaps an answer itself, or wants none."""
    message = _read(error)
    if message is None:
        return _error(None, _UNREADABLE, _SURROGATE)
    if not isinstance(message, dict):
        return _error(None, _NO_MESSAGE, _SHAPE)
    if "method" not in message or "id" not in message:
        return None
    asked = message["id"]
    known = asked if isinstance(asked, str | int) and not isinstance(asked, bool) else None
    readable = message.get("jsonrpc") != "2.0" or not isinstance(message["method"], str)
    return _error(known, *((_NO_MESSAGE, _SHAPE) if readable else (_UNREADABLE, _SURROGATE)))


def _read(error: Exception) -> Any:  # noqa: ANN401 - what JSON can be
    """What the line says. Python reads some that the package cannot; None where it is nothing to Python either."""
    if not isinstance(error, ValidationError):
        return None
    mistakes = error.errors(include_url=False)
    if mistakes[0]["type"] != "json_invalid":
        whole = (each["input"] for each in mistakes if each["type"] == "missing" and len(each["loc"]) == _TOP)
        return next(whole, mistakes[0]["input"])
    try:
        return json.loads(mistakes[0]["input"])
    except (ValueError, RecursionError):
        return None


def _error(asked: str | int | None, code: int, message: str) -> types.JSONRPCError:
    return types.JSONRPCError(jsonrpc="2.0", id=asked, error=types.ErrorData(code=code, message=message))
