"""Tell the fields of requests and responses: type, default, limits, meaning, and DashScope's name and place.

  lineread fields                 the calls in short
  lineread fields voice_clone     one call's fields as tables; also of generate, realtime, voice_design
  lineread fields generate --json JSON Schema (draft 2020-12) of request and response

Calls are those of `lineread.tts`. In the schemas `x-dashscope` says where DashScope has the field.
"""

from __future__ import annotations

import json
import sys
import textwrap
from typing import TYPE_CHECKING, Final

from lineread.cli import door, options
from lineread.fields import CALLS, COLUMNS

if TYPE_CHECKING:
    import argparse

    from lineread.fields import Call, Field

#: What the tables show, before the meaning.
_FACTS: Final = tuple(COLUMNS.index(name) for name in ("field", "type", "default", "limits", "DashScope"))
_LIMITS: Final = COLUMNS.index("limits")
_MEANING: Final = COLUMNS.index("meaning")
#: Cells that the meaning's column takes at least; where there are fewer, it stands below.
_ROOM: Final = 40


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.usage = "%(prog)s [options] [CALL]"
    parser.add_argument("call", nargs="?", help=f"one of {', '.join(call.name for call in CALLS)}")
    parser.add_argument("--json", action="store_true", help="print JSON Schema")


def run(arguments: argparse.Namespace) -> int:
    """Print the fields."""
    call = _named(arguments.call) if arguments.call else None
    if arguments.json:
        schemas = call.schemas() if call else {each.name: each.schemas() for each in CALLS}
        print(json.dumps(schemas, ensure_ascii=False, indent=1))
    elif call:
        width = options.terminal_width() if sys.stdout.isatty() else None
        print(f"{call.name}: {call.meaning}")
        for title, fields in (("Request", call.request), ("Response", call.response)):
            print(f"\n{title}\n{_table(fields, width)}")
    else:
        print(_overview())
    return 0


def _named(name: str) -> Call:
    calls = {call.name: call for call in CALLS}
    if name not in calls:
        raise door.unknown("call", name, calls, f"There is {', '.join(calls)}.")
    return calls[name]


def _overview() -> str:
    parts = []
    for call in CALLS:
        takes = ", ".join(field.name if field.required else f"[{field.name}]" for field in call.request)
        gives = ", ".join(field.name for field in call.response)
        wrapped = [_wrapped(f"{label}  {names}", 80, " " * 9) for label, names in (("takes", takes), ("gives", gives))]
        parts.append("\n".join([f"{call.name}: {call.meaning}", *(line for lines in wrapped for line in lines)]))
    hint = "A field in brackets may be left out. `lineread fields CALL` tells each one's type, default and meaning."
    return "\n\n".join([*parts, hint])


def _table(fields: tuple[Field, ...], width: int | None) -> str:
    """The fields in so many cells: each in a line with its meaning, or above it. No width is as wide as need be."""
    rows = [COLUMNS, *(field.row for field in fields)]
    facts = [[row[at] for at in _FACTS] for row in rows]
    facts[0] = [name.upper() for name in facts[0]]
    meanings = ["MEANING", *(row[_MEANING] for row in rows[1:])]
    left = options.columns([[*row, "."] for row in facts]).splitlines()[0].rindex(".")
    if width is not None and width - left < _ROOM:
        return _stacked(rows, width)
    lines = []
    for fact, meaning in zip(facts, meanings, strict=True):
        first, *more = textwrap.wrap(meaning, width - left, break_on_hyphens=False) if width else [meaning]
        lines += [[*fact, first], *([*[""] * len(fact), line] for line in more)]
    return options.columns(lines)


def _stacked(rows: list[tuple[str, ...]], width: int) -> str:
    """Each field with its limits and meaning below it."""
    facts = [[row[at] for at in _FACTS if at != _LIMITS] for row in rows]
    heads = options.columns([[name.upper() for name in facts[0]], *facts[1:]]).splitlines()
    lines = heads[:1]
    for head, row in zip(heads[1:], rows[1:], strict=True):
        limits = f" [{row[_LIMITS]}]" if row[_LIMITS] else ""
        lines += [head, *_wrapped(row[_MEANING] + limits, width, "    ")]
    return "\n".join(lines)


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
