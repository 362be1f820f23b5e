"""The calls as the Model Context Protocol has them.

Owns the way from its messages to a call and back: lists of tools, answers with their sound, progress, errors. What runs
it, over a pipe or over HTTP, is elsewhere.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import traceback
from typing import TYPE_CHECKING, Any, Final

import anyio
import mcp_types as types
from mcp.server.lowlevel import Server

from lineread.errors import LinereadError
from lineread.mcp.calls import Calls
from lineread.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from mcp.server.context import ServerRequestContext

    from lineread.mcp.calls import Answer
    from lineread.mcp.tools import Tool
    from lineread.mcp.workshop import Workshop

    Context = ServerRequestContext[Any, Any]

NAME: Final = "lineread"
INSTRUCTIONS: Final = (
    "Speaks texts with Qwen TTS voices, or without a key with this machine's own, and keeps them as audio files. "
    "speak takes any text; quote says before what it costs; list_voices and preview_voices cast a voice; clone_voice "
    "and design_voice make one. Write language_type when you know the language. The same line again is free."
)


def server(workshop_of: Callable[[Context], Workshop], tools: tuple[Tool, ...]) -> Server[Any]:
    """A server of the protocol.

    Args:
        workshop_of: Gives the workshop that carries out a request.
        tools: What it offers.
    """

    async def list_tools(_: Context, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_declared(tool) for tool in tools])

    async def call_tool(context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        async def report(done: float, total: float, message: str) -> None:
            await context.session.report_progress(done, total, message)

        workshop = workshop_of(context)
        try:
            return _answered(await _once(Calls(workshop).call(params.name, params.arguments or {}, report)))
        except LinereadError as error:
            return _failed(error, *workshop.told(error))
        except Exception as error:  # noqa: BLE001 - it must not end the other calls
            return _broken(error)

    made: Server[Any] = Server(
        NAME, version=__version__, instructions=INSTRUCTIONS, on_list_tools=list_tools, on_call_tool=call_tool
    )
    made.middleware.clear()  # a span for each message, to whatever collects them in this process: nobody asked for it
    return made


async def _once(call: Coroutine[Any, Any, Answer]) -> Answer:
    """A call whose cancellation comes once, as everywhere in lineread, so that it can put away what it has begun.

    The protocol's package cancels whatever waits in a scope that is over, again and again.
    """
    task = asyncio.create_task(call)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([task])
        raise


def _declared(tool: Tool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.meaning,
        input_schema=tool.schema,
        output_schema=tool.answer,
        annotations=types.ToolAnnotations(
            title=tool.title,
            read_only_hint=tool.reads,
            destructive_hint=False,
            idempotent_hint=tool.repeats,
            open_world_hint=not tool.reads,
        ),
    )


def _answered(answer: Answer) -> types.CallToolResult:
    content: list[types.ContentBlock] = [types.TextContent(text=json.dumps(answer.facts, ensure_ascii=False))]
    content += [
        types.AudioContent(data=base64.b64encode(sound.data).decode("ascii"), mime_type=sound.media_type)
        for sound in answer.sounds
    ]
    return types.CallToolResult(content=content, structured_content=answer.facts)


def _broken(error: Exception) -> types.CallToolResult:
    """A bug: told to whoever runs the server, without the error's message, which may hold the text."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    print(f"lineread: a bug: {type(error).__name__}\n{frames}", file=sys.stderr)  # noqa: T201 - it is the log
    bug = LinereadError("lineread has a bug.", remedy="Its log, on standard error, says more.", code="bug")
    return _failed(bug, bug.message, bug.remedy)


def _failed(error: LinereadError, message: str, remedy: str) -> types.CallToolResult:
    """An error as the tool's answer: a line to read, and the facts for programs."""
    facts = {**error.to_dict(), "message": message, "remedy": remedy}
    said = types.TextContent(text=f"{message} {remedy}".strip())
    return types.CallToolResult(content=[said], _meta={"lineread/error": facts}, is_error=True)
