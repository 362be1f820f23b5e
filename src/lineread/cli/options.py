"""Arguments that several commands share, and what is made of them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from lineread import sinks
from lineread.audio.codec import suffix_format
from lineread.cli import door
from lineread.client import Client, tell
from lineread.errors import shortened
from lineread.fields import GENERATE
from lineread.speech import FORMATS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence


#: Stands for standard input or output where a file is named.
STANDARD = "-"
#: When another engine speaks, if one was asked for.
FALLS_BACK = (
    "a call of the first fails, or a live session cannot be opened: no connection, too many calls, no quota left, a "
    "refused key, a broken service; not when there is no key, nor when the text is refused"
)


def add_settings(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Which engine, where, and whether the cache takes part. A key is no option: other users could read it."""
    group = parser.add_argument_group("settings")
    group.add_argument(
        "-e",
        "--engine",
        help="dashscope, local, builtin, kokoro, espeak, fake or an installed one (default: dashscope with a key, else "
        "local: all voices of this machine)",
    )
    group.add_argument("--region", help="cn-beijing or ap-southeast-1 (default: cn-beijing)")
    group.add_argument("--workspace", metavar="ID", help="Model Studio workspace id")
    group.add_argument("--base-url", metavar="URL", help="the HTTP base of another host, such as a lineread server's")
    group.add_argument("--offline", action="store_true", help="fetch no voices for the machine")
    group.add_argument("--no-cache", action="store_true", help="keep nothing, look nothing up")
    group.add_argument(
        "--budget",
        metavar="AMOUNT",
        help="the most that may be spent, such as 5yuan or 20000characters; what costs more is refused (default: no "
        "bound)",
    )
    return group


def add_speakers(parser: argparse.ArgumentParser) -> None:
    """As :func:`add_settings`, and who speaks instead: for commands that speak, and make no voices."""
    group = add_settings(parser)
    group.add_argument("--fallback", metavar="ENGINE", help=f"engine that speaks when {FALLS_BACK} (default: none)")


def client(arguments: argparse.Namespace) -> Client:
    """The client that these arguments ask for."""
    return Client(**settings(arguments), notice=_say_nothing if getattr(arguments, "quiet", False) else tell)


def settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """What :func:`add_settings` and :func:`add_speakers` ask for, by the names that settings have."""
    names = ("engine", "fallback", "region", "workspace", "base_url", "budget")
    given = {name: getattr(arguments, name, None) for name in names}
    return {**given, "cache": not arguments.no_cache, "offline": arguments.offline}


def _say_nothing(_: str) -> None:
    """Take a notice and keep it."""


def add_text(parser: argparse.ArgumentParser) -> None:
    """What to speak."""
    parser.add_argument("text", nargs="*", help="the words to speak")
    parser.add_argument("-f", "--file", metavar="FILE", help="the text is in this file (- is standard input)")


def text(arguments: argparse.Namespace) -> str:
    """What :func:`add_text` asks for: the words themselves, a file's, or those of standard input.

    Raises:
        UsageError: There are none, or two texts; or they cannot be read.
    """
    if arguments.text and arguments.file:
        raise door.UsageError("There is text on the command line and a file.", remedy="Give one of the two.")
    if arguments.text:
        return door.argument(" ".join(arguments.text))
    if arguments.file not in (None, STANDARD):
        return door.read_text(arguments.file)
    if arguments.file is None and sys.stdin.isatty():
        raise door.UsageError("There is nothing to speak.", remedy='Give a text: lineread say "Hello."')
    return door.decoded(sys.stdin.buffer, "Standard input")


def add_voice(parser: argparse.ArgumentParser) -> None:
    """How to speak."""
    parser.add_argument(
        "-v", "--voice", default="Cherry", help="a voice's name, in any case (default: Cherry; see `lineread voices`)"
    )
    parser.add_argument(
        "-l", "--language-type", default="Auto", metavar="LANGUAGE", help="English, Chinese ... (default: Auto)"
    )
    parser.add_argument(
        "-i", "--instruction", metavar="TEXT", help="how to speak, such as 'Warm and calm.'; by dashscope only"
    )
    parser.add_argument("-m", "--model", help="a model's id (default: the engine's own; see `lineread models`)")
    parser.add_argument(
        "--rate", type=number("rate"), default=1.0, metavar="X", help="speaking rate, 0.5 to 2 (default: 1)"
    )
    parser.add_argument("--pitch", type=number("pitch"), default=1.0, metavar="X", help="pitch, 0.5 to 2 (default: 1)")
    parser.add_argument(
        "--volume", type=number("volume"), default=50, metavar="N", help="loudness, 0 to 100 (default: 50)"
    )


def add_take(parser: argparse.ArgumentParser) -> None:
    """Which reading."""
    parser.add_argument(
        "--take",
        type=number("take"),
        default=1,
        metavar="N",
        help="2, 3 ... is another reading of the same words (default: 1)",
    )


def add_format(parser: argparse.ArgumentParser) -> None:
    """In which format."""
    parser.add_argument(
        "--format", type=str.lower, choices=FORMATS, help="file format where no file name tells it (default: wav)"
    )


def number(name: str) -> Callable[[str], float]:
    """A parser of a request's field of that name."""
    field = GENERATE.field(name)
    kind, what = (int, "whole number") if field.kind == "integer" else (float, "number")

    def parse(text: str) -> float:
        try:
            return kind(text)
        except ValueError:
            raise door.UsageError(
                f"--{name} does not take {shortened(text)!r}.", remedy=f"Give a {what} from {field.limits}."
            ) from None

    return parse


def file_format(path: str | None, wanted: str | None) -> str:
    """The format of a file, by its suffix or else by what was wanted. The path is checked before anything is spoken.

    Raises:
        UsageError: Suffix and wish differ.
        OptionError: The suffix names no format.
        OutputError: There cannot be such a file.
    """
    if path is None or not os.path.splitext(path)[1]:
        form = wanted or FORMATS[0]
    else:
        form = suffix_format(path)
        if wanted is not None and str(wanted).lower() != form:
            raise door.UsageError(f"{path} would be {form}, not {wanted}.", remedy="Change the suffix or the format.")
    if path is not None:
        sinks.check(path)
    return form


def spoken(arguments: argparse.Namespace) -> dict[str, Any]:
    """The request's fields that :func:`add_voice` asks for, and the take where :func:`add_take` does."""
    names = ("voice", "language_type", "instruction", "model", "rate", "pitch", "volume", "take")
    return {name: getattr(arguments, name) for name in names if name in arguments}


def add_consent(parser: argparse.ArgumentParser, what: str) -> None:
    """Declare the two ways to give a note of consent.

    Args:
        parser: Where.
        what: What it is, for the help.
    """
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--consent", metavar="NOTE", help=what)
    group.add_argument("--consent-file", metavar="FILE", help="a file with that note")


def consent(arguments: argparse.Namespace) -> str | None:
    """The note of consent that was given, if one was.

    Raises:
        UsageError: Its file cannot be read.
    """
    return door.read_text(arguments.consent_file) if arguments.consent_file else arguments.consent


def narrow(text: str, width: int) -> str:
    """Text for one line of a terminal."""
    return text if len(text) <= width else text[: width - 1] + "…"


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows as aligned columns. A Han character takes two cells of a terminal; what would command it is left out."""
    import unicodedata  # noqa: PLC0415 - only tables need it

    rows = [["".join(character for character in cell if character.isprintable()) for cell in row] for row in rows]

    def cells(text: str) -> int:
        return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)

    widths = [max(cells(row[at]) for row in rows) for at in range(len(rows[0]))]
    return "\n".join(
        "  ".join(text + " " * (width - cells(text)) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def terminal_width() -> int:
    """Cells of a line of the terminal; 80 where it does not tell."""
    try:
        return os.get_terminal_size(2).columns or 80
    except OSError:
        return 80
