"""Tools for agents, over the Model Context Protocol: standard input and output.

  lineread mcp                                     speak, quote, list, preview, clone and design
  lineread mcp --budget 5yuan --output voices/     spends five yuan at most, writes into that folder only

An agent's program starts it; it is set up there, such as: {"mcpServers": {"lineread": {"command": "lineread",
"args": ["mcp", "--budget", "5yuan"]}}}. It needs the extra mcp: pip install 'lineread[mcp]'. `lineread serve --mcp`
serves the same tools over HTTP.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from lineread import sinks
from lineread.cli import options
from lineread.client import OUTPUT_PLACE, Client
from lineread.errors import ConfigError, OptionError, OutputError

if TYPE_CHECKING:
    import argparse

    from lineread.mcp.machine import Machine


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.usage = "%(prog)s [options]"
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        help="the only directory that it writes audio to (default: output/ai-audio-tts/audio; OUTPUT_DIR replaces "
        "output)",
    )
    parser.add_argument(
        "--samples",
        action="append",
        default=[],
        metavar="DIR",
        help="directory that recordings to clone may be read from (default: the current one, unless it is your home or "
        "above it; the output directory in any case)",
    )
    options.add_speakers(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serve until standard input ends."""
    import asyncio  # noqa: PLC0415 - neither help nor a mistake needs any of this

    from lineread.mcp.folder import Folder  # noqa: PLC0415
    from lineread.mcp.machine import Machine  # noqa: PLC0415

    check_extra()
    notices: list[str] = []
    client = Client(**options.settings(arguments), notice=notices.append)
    folder = Folder(arguments.output or os.path.join(client.settings.output_dir, OUTPUT_PLACE))
    if os.path.lexists(folder.root) and not os.path.isdir(folder.root):
        raise OutputError(f"{folder.root} is no directory.", remedy="Name one with --output.")
    sinks.check(os.path.join(folder.root, "line.wav"))
    if arguments.output:
        _check_writable(folder.root)
    client.engine()  # what is wrong with the settings is told to whoever starts it, not to the agent
    if sys.stdin.isatty():
        print("lineread: an agent's program talks to this, not a person; Ctrl-D ends it.", file=sys.stderr)
    asyncio.run(_serve(client, Machine(client, folder, _readable(arguments.samples), notices)))
    return 0


def _check_writable(directory: str) -> None:
    """Refuse a directory that only seems to take files, before anything is paid for. It is made, if it is not there.

    Raises:
        OutputError: It is one.
    """
    from tempfile import TemporaryFile  # noqa: PLC0415 - as above

    try:
        os.makedirs(directory, exist_ok=True)
        with TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise OutputError(
            f"{directory} cannot be written to: {error.strerror}.", remedy="Name another one with --output."
        ) from error


def _readable(samples: list[str]) -> tuple[str, ...]:
    """Where recordings may be read from. A program's or a user's whole disk is nothing that anybody meant.

    Raises:
        OptionError: It is not there.
    """
    from lineread.mcp.folder import within  # noqa: PLC0415 - as above

    for each in samples:
        if not os.path.isdir(each):
            raise OptionError(f"There is no directory {each!r}.", remedy="Check --samples.")
    if samples:
        return tuple(map(os.path.abspath, samples))
    here = os.path.realpath(os.curdir)
    home = os.path.realpath(os.path.expanduser("~"))
    return () if home == here or within(home, here) else (here,)


def check_extra() -> None:
    """Refuse to go on without the package that knows the protocol.

    Raises:
        ConfigError: It is not installed.
    """
    from importlib.util import find_spec  # noqa: PLC0415 - as above

    if find_spec("mcp") is None or find_spec("mcp_types") is None:
        raise ConfigError(
            "The package mcp is not installed, or too old.",
            remedy="Install it: pip install 'lineread[mcp]'.",
            code="extra_missing",
        )


async def _serve(client: Client, machine: Machine) -> None:
    """Serve until standard input ends, or somebody says so; a voice that is being made is paid for, and waited for."""
    import asyncio  # noqa: PLC0415 - as above

    from lineread import _signals  # noqa: PLC0415 - as above

    loop, told = asyncio.get_running_loop(), asyncio.Event()
    with _signals.first_to(lambda: loop.call_soon_threadsafe(told.set)):  # the second one ends it at once
        async with client:
            serving, stop = asyncio.create_task(_talk(machine)), asyncio.create_task(told.wait())
            await asyncio.wait([serving, stop], return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
        if told.is_set():
            raise KeyboardInterrupt


async def _talk(machine: Machine) -> None:
    from lineread.mcp import pipe, protocol  # noqa: PLC0415 - as above

    server = protocol.server(lambda _: machine, machine.tools)
    try:
        async with pipe.connected() as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options())
    except* BrokenPipeError:
        pass  # the agent's program has closed its end, and wants nothing more
