"""``lineread voices delete``, ``remote``, ``add``, ``export`` and ``import``: the voice book's own affairs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING

from lineread import _sync, catalogue, config
from lineread.cli import door, options
from lineread.client import REHEARSAL, Client
from lineread.errors import LinereadError, OutputError, VoiceError
from lineread.voices.casting import Casting

if TYPE_CHECKING:
    from lineread.enrolment import Enrolled
    from lineread.voices.book import Book


def configure_delete(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``delete``."""
    parser.add_argument("names", nargs="+", metavar="NAME", help="a voice of your own, or the id of one")
    parser.add_argument(
        "--forget",
        action="store_true",
        help="take it out of the book only; where it was made it stays, and still counts",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON", default=argparse.SUPPRESS)
    options.add_settings(parser)


def configure_remote(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``remote``."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON", default=argparse.SUPPRESS)
    options.add_settings(parser)


def configure_add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``add``."""
    parser.add_argument("id", metavar="ID", help="the id of a voice that was made elsewhere")
    parser.add_argument("--name", required=True, help="what it is called: digits, letters and _, 16 at most")
    options.add_consent(parser, "of a clone: who agreed to what, and when")
    parser.add_argument("--replace", action="store_true", help="it takes the place of a voice of that name")
    parser.add_argument("--json", action="store_true", help="print the result as JSON", default=argparse.SUPPRESS)
    options.add_settings(parser)


def configure_export(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``export``."""
    parser.add_argument("file", metavar="FILE.zip", help="the file; replaced if it is there (- is standard output)")
    parser.add_argument("names", nargs="*", default=[], metavar="NAME", help="which voices (default: all)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON", default=argparse.SUPPRESS)


def configure_import(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``import``."""
    parser.add_argument(
        "file", metavar="FILE.zip", help="a file that `lineread voices export` wrote (- is standard input)"
    )
    parser.add_argument("--replace", action="store_true", help="replace voices of the same name")
    parser.add_argument("--json", action="store_true", help="print the result as JSON", default=argparse.SUPPRESS)


def run_delete(arguments: argparse.Namespace) -> int:
    """Delete voices where they were made, and then from the book."""
    done = "no longer in the book" if arguments.forget else "deleted"
    with options.client(arguments) as client:
        book = client.casting.book
        names = [_named(book, name, forget=arguments.forget) for name in dict.fromkeys(arguments.names)]
        kept = []
        for name in names:
            if arguments.forget:
                book.forget(name)
            elif catalogue.custom_family(name):
                _sync.run(client.maker().discard(name))
            elif _sync.run(client.maker().unmake(name)) is not None:
                kept.append(name)
                continue
            if not arguments.json:  # the next one may fail
                _say([name], done, as_json=False)
    if kept:
        raise VoiceError(
            f"{', '.join(kept)} stays in the book: it belongs to another account, region or engine as well.",
            remedy="Run this with that one's settings, or use --forget to take it out of the book only.",
        )
    if arguments.json:
        _say(names, done, as_json=True)
    return 0


def _named(book: Book, name: str, *, forget: bool) -> str:
    """What a voice is called in the book; its id where it is in none, for it can be deleted all the same.

    Raises:
        VoiceError: There is no such voice.
    """
    unknown = not forget and catalogue.custom_family(name) and book.of(name) is None
    return name if unknown else book.name(name)


def run_remote(arguments: argparse.Namespace) -> int:
    """Print what was made where the engine keeps its voices, whoever made it."""
    with options.client(arguments) as client:
        maker, book = client.maker(), client.casting.book
        found = _sync.run(maker.all())
        names = {each.voice: own.name for own in book.voices() for each in own.ids}
    if arguments.json:
        records = [{"id": each.voice, "name": names.get(each.voice), **_facts(each)} for each in found]
        print(json.dumps(records, ensure_ascii=False, indent=1))
        return 0
    rows = [[each.voice, names.get(each.voice, "-"), *_facts(each).values()] for each in found]
    head = ["ID", "NAME", "MADE BY", "FOR", "CREATED"]
    print(options.columns([head, *rows]) if rows else "No voices were made there.")
    return 0


def run_add(arguments: argparse.Namespace) -> int:
    """Take a voice that was made elsewhere into the book."""
    with options.client(arguments) as client:
        voice, notes = _sync.run(
            client.maker().adopt(arguments.id, arguments.name, options.consent(arguments), replacing=arguments.replace)
        )
    for note in notes:
        print(f"lineread: {note}", file=sys.stderr)
    _say([voice.name], "in the voice book", as_json=arguments.json)
    return 0


def _facts(made: Enrolled) -> dict[str, str]:
    return {"kind": made.kind, "target_model": made.target_model, "created": made.created}


def run_export(arguments: argparse.Namespace) -> int:
    """Write voices into a file, or to standard output."""
    chosen = arguments.names or None
    if arguments.file == options.STANDARD:
        door.check_output()
        if sys.stdout.isatty():
            raise OutputError("Standard output is a terminal.", remedy="Name a file, or send it somewhere: > cast.zip.")
        _book().pack(sys.stdout.buffer, chosen)
        return 0
    try:
        names = _book().export(os.path.expanduser(arguments.file), chosen)
    except OSError as error:
        raise OutputError(f"{arguments.file} cannot be written: {error.strerror}.", remedy="Choose another.") from error
    _say(names, f"in {arguments.file}", as_json=arguments.json)
    return 0


def run_import(arguments: argparse.Namespace) -> int:
    """Take voices in."""
    piped = arguments.file == options.STANDARD
    source = sys.stdin.buffer if piped else os.path.expanduser(arguments.file)
    names = _book().take_in(source, replacing=arguments.replace)
    with Client(engine=REHEARSAL, cache=False) as client:
        for name in names:
            try:
                _sync.run(client.maker().restore(name))
            except LinereadError as error:
                print(f"lineread: {name} cannot speak on this machine: {error}", file=sys.stderr)
    _say(names, "in the voice book", as_json=arguments.json)
    return 0


def _book() -> Book:
    return Casting(config.data_dir()).book


def _say(names: list[str], what: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"voices": names}, ensure_ascii=False))
        return
    for name in names:
        print(f"{name} is {what}.")
