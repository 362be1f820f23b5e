"""Look after the keys of a server's clients.

  lineread keys                                    list the keys and what each may do
  lineread keys new alice                          make a key, and show it this once
  lineread keys new bob --characters-per-day 50000 --requests-per-minute 30 --voice Cherry --expires 2027-01-31
  lineread keys disable alice                      refuse a key, until it is enabled again
  lineread keys enable alice
  lineread keys remove alice

What a new key may do: --requests-per-minute, --characters-per-day, --sessions, --voice, --model, --expires (see
`lineread keys new --help`); what is left out is not limited.

The file keeps hashes only: a key that was lost is replaced, not found. `lineread serve --keys FILE` uses the file; a
running server takes changes over within a second. --json prints one object: file, keys; or file, name, key.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from lineread import catalogue, config
from lineread.cli import door, options

if TYPE_CHECKING:
    from datetime import date

    from lineread.server.access.keys import Key

_ACTIONS = {
    "list": "list the keys",
    "new": "make a key",
    "disable": "refuse a key, until it is enabled again",
    "enable": "accept a key again",
    "remove": "take a key out of the file",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.usage = "%(prog)s [options] [list | new NAME | disable NAME | enable NAME | remove NAME]"
    _add_common(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", prog=parser.prog, title="actions")
    for action, what in _ACTIONS.items():
        part = actions.add_parser(action, help=what, description=f"{what[0].upper()}{what[1:]}.")
        if action != "list":
            part.add_argument("name", help="the key's name: a-z, 0-9, - and _")
        if action == "new":
            _add_limits(part)
        _add_common(part)
    parser.set_defaults(file=config.key_file(), json=False)


def _add_common(parser: argparse.ArgumentParser) -> None:
    """Options that go before an action or after it. The later place has no defaults, which would win."""
    file, home = config.key_file(), os.path.expanduser("~")
    shown = file.replace(home, "~", 1) if file.startswith(os.path.join(home, "")) else file
    about = f"the key file (default: {shown})".replace("%", "%%")
    parser.add_argument("--file", metavar="FILE", default=argparse.SUPPRESS, help=about)
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the result as JSON")


def _add_limits(parser: argparse.ArgumentParser) -> None:
    limits = parser.add_argument_group("limits")
    limits.add_argument("--requests-per-minute", type=_count, metavar="N", help="most requests in any 60 seconds")
    limits.add_argument("--characters-per-day", type=_count, metavar="N", help="most billed characters in one UTC day")
    limits.add_argument("--sessions", type=_count, metavar="N", help="most realtime sessions at the same time")
    limits.add_argument("--voice", action="append", metavar="VOICE", dest="voices", help="a voice that it may use")
    limits.add_argument("--model", action="append", metavar="MODEL", dest="models", help="a model that it may use")
    limits.add_argument("--expires", metavar="DATE", type=_day, help="first day on which it is refused (UTC)")


def run(arguments: argparse.Namespace) -> int:
    """Do one thing to the key file."""
    path = os.path.expanduser(arguments.file)
    action = arguments.action or "list"
    if action == "list":
        return _list(path, as_json=arguments.json)
    if action == "new":
        names = ("requests_per_minute", "characters_per_day", "sessions", "voices", "models", "expires")
        limits = {name: value for name in names if (value := getattr(arguments, name)) is not None}
        return _new(path, arguments.name, limits, as_json=arguments.json)
    return _change(path, action, arguments.name, as_json=arguments.json)


def _new(path: str, name: str, limits: dict[str, Any], *, as_json: bool) -> int:
    from lineread.server.access import keyfile  # noqa: PLC0415 - help needs none of it

    _check_names(limits)
    door.check_output()  # a key that nobody gets to see is of no use
    key = keyfile.add(path, name, limits)
    if as_json:
        print(json.dumps({"file": path, "name": name, "key": key}))
        return 0
    print(key)
    sys.stdout.flush()
    print(f"lineread: this key is shown this once; its hash is in {path}.", file=sys.stderr)
    print(f"lineread: start the server with: lineread serve --keys {path}", file=sys.stderr)
    return 0


def _check_names(limits: dict[str, Any]) -> None:
    """Refuse names that no request could have: the key would be of no use. Those of custom voices are taken as given.

    Raises:
        RequestError: Says which name was meant.
    """
    for name in limits.get("voices", ()):
        if catalogue.custom_family(name) is None:
            catalogue.voice(name)
    for name in limits.get("models", ()):
        catalogue.model(name)


def _change(path: str, action: str, name: str, *, as_json: bool) -> int:
    from lineread.server.access import keyfile  # noqa: PLC0415 - as above

    if action == "remove":
        keyfile.remove(path, name)
    else:
        keyfile.switch(path, name, disabled=action == "disable")
    done = {"remove": "removed", "disable": "disabled", "enable": "enabled"}[action]
    print(json.dumps({"file": path, "name": name}) if as_json else f"{name} is {done}.")
    return 0


def _list(path: str, *, as_json: bool) -> int:
    from lineread.server.access import keys  # noqa: PLC0415 - as above

    found = keys.read(path).values()
    if as_json:
        print(json.dumps({"file": path, "keys": [_facts(key) for key in found]}))
    elif found:
        head = ("NAME", "STATE", "A MINUTE", "CHARACTERS A DAY", "SESSIONS", "VOICES", "MODELS", "EXPIRES")
        print(options.columns([head, *map(_row, found)]))
    else:
        print(f"no keys in {path}")
    return 0


def _facts(key: Key) -> dict[str, Any]:
    return {
        "name": key.name,
        "state": key.state,
        "requests_per_minute": key.requests_per_minute,
        "characters_per_day": key.characters_per_day,
        "sessions": key.sessions,
        "voices": None if key.voices is None else sorted(key.voices),
        "models": None if key.models is None else sorted(key.models),
        "expires": None if key.expires is None else key.expires.isoformat(),
    }


def _row(key: Key) -> tuple[str, ...]:
    facts = _facts(key).values()
    return tuple("-" if fact is None else ", ".join(fact) if isinstance(fact, list) else str(fact) for fact in facts)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError("it takes a whole number from 1; leave it out for no limit")
    return int(text)


def _day(text: str) -> date:
    from datetime import UTC, date, datetime  # noqa: PLC0415 - only this option needs it

    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("a date looks like 2027-01-31") from None
    if day <= datetime.now(UTC).date():
        raise argparse.ArgumentTypeError("the key would be refused from the start; give a day to come")
    return day
