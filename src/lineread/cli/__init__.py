"""The command line: one module a command, one door for errors.

Owns the table of commands. Only the module of the command that is asked for is loaded.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

from lineread.cli import door

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Each command and what it does; its module is ``lineread.cli.<command>``.
COMMANDS = {
    "say": "speak a text: to a file, a player or a pipe",
    "live": "speak a text while it is being written",
    "generate": "speak a request given as JSON",
    "quote": "say what a text will cost, before anything is paid for",
    "voices": "list the voices",
    "fields": "tell the fields of requests and responses",
    "models": "list the models, their limits and prices",
    "cache": "look after the store of finished lines",
    "serve": "serve DashScope's and OpenAI's speech calls",
    "mcp": "serve tools for agents (Model Context Protocol)",
    "skill": "put skills for agents where agents look",
    "keys": "look after the keys of the server's clients",
    "doctor": "check keys, connections, engines and the cache",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status. The entry point of ``lineread``."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    return door.guard(lambda: _run(words), json_wanted="--json" in words)


def script() -> None:
    """``lineread`` as an installed command.

    Each command has closed what it opened. What Python would still do takes 50 ms, the voice being freed object by
    object; and after an interrupt a thread that is loading it would bring the interpreter down on the way out.
    """
    status = main()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _run(words: list[str]) -> int:
    name = words[0] if words else "--help"
    if name == "help" and len(words) > 1:
        name, words = words[1], [words[1], "--help"]
    if name in ("-h", "--help", "help"):
        print(_help(), end="")
        return 0
    if name in ("-V", "--version"):
        from lineread.version import __version__  # noqa: PLC0415 - asked for by one option alone

        print(f"lineread {__version__}")
        return 0
    if name not in COMMANDS:
        raise _no_command(name)
    command = import_module(f"lineread.cli.{name}")
    parser = door.Parser(prog=f"lineread {name}", description=command.__doc__)
    command.configure(parser)
    return int(command.run(parser.read(words[1:])))


def _no_command(name: str) -> door.UsageError:
    """The error for a first word that is no command: often the text itself, or an option that belongs after it."""
    if any(character.isspace() for character in name):
        return door.UsageError(
            "That is a text, where a command should be.", remedy='Put say before it: lineread say "..."'
        )
    if name.startswith("-"):
        return door.UsageError(
            f"There is no command {name.partition('=')[0]!r}.",
            remedy='Options come after the command: lineread say -v Ethan "...".',
        )
    otherwise = '`lineread --help` lists all; to speak a text: lineread say "...".'
    return door.unknown("command", name, COMMANDS, otherwise)


def _help() -> str:
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:<{width}}  {what}" for name, what in COMMANDS.items())
    return f"""\
usage: lineread COMMAND ...

Text in, voice lines out: by Qwen TTS in the cloud, or by a neural voice on the machine.

  lineread say "Hello, this is a short voice line."

commands:
{commands}

`lineread COMMAND --help` tells a command's options, `lineread --version` the version.

exit status:
    0  done; also when whoever reads the output has had enough
    1  a bug; a report to paste into an issue was written
    2  the command line, or the request, is wrong
    3  a setting is wrong (an option under "settings", the environment, a file), or the key is missing or refused
    4  the service refused, or its answer made no sense
    5  it may work later: too many calls, no connection, a deadline passed
    6  the audio, or standard output, could not be written; or the audio could not be played
  130  interrupted

An error is one line on standard error: what is wrong, and what to do about it. With --json it is also an object on
standard output, {{"error": {{"code": ..., "message": ..., "remedy": ..., "retryable": ...}}}}, instead of a result.
"""
