"""Serve DashScope's and OpenAI's speech calls, from the cloud or from this machine's own voices.

  lineread serve                                   for this machine alone: any key is taken, or none
  lineread serve --port 0 -e builtin               at any free port, without the cloud
  lineread keys new alice --file keys.toml && lineread serve --host 0.0.0.0 --keys keys.toml

It prints where it is, and three commands to try it with. Its log is one JSON object a line on standard error; neither
texts nor keys are in it. SIGTERM or Ctrl-C stops it: it takes no new work and ends what runs; once more ends it at
once.
"""

from __future__ import annotations

import math
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from lineread import config
from lineread.cli import options
from lineread.client import Client
from lineread.server.options import Options

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

_DEFAULTS = Options()
#: Options that are called alike here and there.
_SAME = (
    "host",
    "port",
    "public_url",
    "strict",
    "max_requests",
    "max_sessions",
    "session_idle",
    "session_seconds",
    "max_voices",
    "max_characters",
    "fetch_audio",
    "grace",
    "mcp",
    "warm",
)
#: Most digits of a number.
_DIGITS = 9


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.usage = "%(prog)s [options]"
    parser.add_argument("--host", default=_DEFAULTS.host, help="address to listen at (default: %(default)s)")
    parser.add_argument(
        "--port",
        type=_number(0, 65_535),
        default=_DEFAULTS.port,
        metavar="N",
        help="TCP port; 0 takes any that is free (default: %(default)s)",
    )
    parser.add_argument("--keys", metavar="FILE", help="clients need one of these keys; see `lineread keys`")
    parser.add_argument(
        "--cors",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="web origin that may call; * is all (default: none)",
    )
    parser.add_argument("--public-url", metavar="URL", help="how clients reach it, where a proxy stands before it")
    parser.add_argument("--strict", action="store_true", help="refuse whatever the service's documents forbid")
    parser.add_argument(
        "--share-voice",
        action="append",
        default=[],
        metavar="ID",
        help="custom voice that every key may use, though none had it made (default: none)",
    )
    parser.add_argument(
        "--fetch-audio", action="store_true", help="fetch recordings for new voices from public URLs that clients give"
    )
    parser.add_argument(
        "--mcp", action="store_true", help="serve tools for agents at /mcp as well (Model Context Protocol)"
    )
    _add_bounds(parser.add_argument_group("bounds"))
    parser.add_argument(
        "--log", choices=("json", "off"), default="json", help="a line for each request (default: %(default)s)"
    )
    parser.add_argument(
        "--no-warm", dest="warm", action="store_false", help="load the voice with the first request, not at the start"
    )
    options.add_speakers(parser)


def _add_bounds(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--max-requests",
        type=_number(1),
        default=_DEFAULTS.max_requests,
        metavar="N",
        help="most requests that are spoken at once; more get a 429 (default: %(default)s)",
    )
    group.add_argument(
        "--max-sessions",
        type=_number(1),
        default=_DEFAULTS.max_sessions,
        metavar="N",
        help="most realtime sessions at once; more get a 429 (default: %(default)s)",
    )
    group.add_argument(
        "--session-idle",
        type=_number(1),
        default=_DEFAULTS.session_idle,
        metavar="SECONDS",
        help="for a realtime session to lie idle before it is closed (default: %(default)g)",
    )
    group.add_argument(
        "--session-seconds",
        type=_number(1),
        default=_DEFAULTS.session_seconds,
        metavar="SECONDS",
        help="that a realtime session may last (default: %(default)g)",
    )
    group.add_argument(
        "--max-voices",
        type=_number(1),
        default=_DEFAULTS.max_voices,
        metavar="N",
        help="most custom voices that a key may have (default: %(default)s)",
    )
    group.add_argument(
        "--max-characters",
        type=_number(1),
        default=_DEFAULTS.max_characters,
        metavar="N",
        help="most characters of one text (default: %(default)s)",
    )
    group.add_argument(
        "--audio-size", default="1G", metavar="SIZE", help="most that finished files may take (default: %(default)s)"
    )
    group.add_argument(
        "--grace",
        type=_seconds,
        default=_DEFAULTS.grace,
        metavar="SECONDS",
        help="for requests to end when the server is told to stop (default: %(default)g)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to stop."""
    chosen = _options(arguments)
    if chosen.mcp:
        from lineread.cli.mcp import check_extra  # noqa: PLC0415 - few serve agents

        check_extra()

    import asyncio  # noqa: PLC0415 - neither help nor a mistake needs any of this

    from lineread.server import service  # noqa: PLC0415
    from lineread.server.access import entrance  # noqa: PLC0415
    from lineread.server.sight.journal import Journal  # noqa: PLC0415

    entrance.check(chosen)  # before anything is opened or written
    journal = Journal()
    client = Client(
        **options.settings(arguments),
        notice=lambda line: journal.add("notice", level="info", logger="lineread", message=line),
    )
    try:
        asyncio.run(service.serve(client, chosen, _tell, journal))
    finally:
        journal.close()
    return 0


def _options(arguments: argparse.Namespace) -> Options:
    """What these arguments, and the environment's keys, ask for."""
    from lineread.server.access import keys  # noqa: PLC0415 - as above

    variable = config.server_keys()
    return Options(
        **{name: getattr(arguments, name) for name in _SAME},
        key_file=None if arguments.keys is None else os.path.expanduser(arguments.keys),
        keys=() if variable is None else keys.from_variable(variable),
        origins=tuple(arguments.cors),
        shared_voices=frozenset(arguments.share_voice),
        audio_bytes=config.parse_size(arguments.audio_size, "--audio-size"),
        log=arguments.log != "off",
    )


def _tell(text: str) -> None:
    """Print the banner. Whoever started the server may not care to read it."""
    with suppress(OSError):
        print(text, flush=True)


def _number(least: int, most: int = 10**_DIGITS - 1) -> Callable[[str], int]:
    """A parser of whole numbers within bounds."""

    def parse(text: str) -> int:
        import argparse  # noqa: PLC0415 - loaded by now

        if text.isascii() and text.isdigit() and len(text) <= _DIGITS and least <= int(text) <= most:
            return int(text)
        raise argparse.ArgumentTypeError(f"takes a whole number from {least} to {most}")

    return parse


def _seconds(text: str) -> float:
    import argparse  # noqa: PLC0415 - as above

    with suppress(ValueError):
        if 0 <= float(text) < math.inf:
            return float(text)
    raise argparse.ArgumentTypeError("takes seconds from 0")
