"""Look after the store of finished lines.

  lineread cache stats                  how much is kept, and where
  lineread cache verify                 check every line, remove what is broken
  lineread cache prune --to 500M        remove the lines that were not used for longest
  lineread cache prune --older-than 30  remove the lines that were not used for so many days
  lineread cache prune --all            remove everything

--json prints one object: root, entries, bytes, max_bytes, oldest, newest; checked, broken; or removed, freed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lineread import config
from lineread.cache import Cache
from lineread.cli import door
from lineread.errors import ConfigError, shortened

if TYPE_CHECKING:
    import argparse

DAY = 86_400


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.usage = "%(prog)s [options] [stats | verify | prune]"
    parser.add_argument(
        "action", nargs="?", default="stats", choices=("stats", "verify", "prune"), help="default: stats"
    )
    parser.add_argument("--to", metavar="SIZE", help="prune until no more than this is left, such as 500M")
    parser.add_argument("--older-than", metavar="DAYS", type=_days, help="prune what was not used for so long")
    parser.add_argument("--all", action="store_true", help="prune everything")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do one thing to the cache."""
    _check(arguments)
    settings = config.resolve()
    assert settings.cache_dir is not None  # only a client can be told to do without
    store = Cache(settings.cache_dir, max_bytes=settings.cache_bytes)
    actions = {"stats": _stats, "verify": _verify, "prune": _prune}
    facts, line = actions[arguments.action](store, arguments)
    print(json.dumps(facts) if arguments.json else line)
    return 0


def _stats(store: Cache, _: argparse.Namespace) -> tuple[dict[str, object], str]:
    stats = store.stats()
    line = f"{lines(stats.entries)}, {size(stats.bytes)} of at most {size(stats.max_bytes)}, in {stats.root}"
    return stats._asdict(), line


def _verify(store: Cache, _: argparse.Namespace) -> tuple[dict[str, object], str]:
    report = store.verify()
    broken = len(report.broken)
    line = f"{lines(report.checked)} checked, {broken or 'none'} broken{' and removed' if broken else ''}"
    return report._asdict(), line


def _prune(store: Cache, arguments: argparse.Namespace) -> tuple[dict[str, object], str]:
    most = 0 if arguments.all else _size(arguments.to) if arguments.to is not None else None
    age = None if arguments.older_than is None else arguments.older_than * DAY
    report = store.prune(max_bytes=most, older_than=age)
    return report._asdict(), f"{lines(report.removed)} removed, {size(report.freed)} freed"


def _check(arguments: argparse.Namespace) -> None:
    """Refuse what would remove more, or less, than somebody thinks."""
    given = [name for name in ("to", "older_than", "all") if getattr(arguments, name) not in (None, False)]
    if arguments.action != "prune" and given:
        option = given[0].replace("_", "-")
        raise door.UsageError(
            f"--{option} belongs to prune.", remedy=f"To remove lines: lineread cache prune --{option} ..."
        )
    if arguments.action == "prune" and not given:
        raise door.UsageError("prune needs to know what may go.", remedy="Add --to SIZE, --older-than DAYS or --all.")
    if arguments.all and len(given) > 1:
        raise door.UsageError("--all leaves nothing for --to and --older-than.", remedy="Drop --all, or the other one.")
    if arguments.older_than is not None and not arguments.older_than >= 0:  # "nan" is no number of days either
        raise door.UsageError("--older-than takes a number of days.", remedy="Such as --older-than 30.")


def _days(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        remedy = "Such as --older-than 30."
        raise door.UsageError(f"--older-than takes a number of days, not {shortened(text)!r}.", remedy=remedy) from None


def _size(text: str) -> int:
    try:
        return config.parse_size(text, "--to")
    except ConfigError as error:
        raise door.UsageError(error.message, remedy=error.remedy) from error


def lines(count: int) -> str:
    """A number of lines for people."""
    return f"{count:,} {'line' if count == 1 else 'lines'}"


def size(count: float) -> str:
    """A number of bytes for people."""
    for unit in ("B", "KB", "MB"):
        if count < 999.5:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
