"""Look after the store of finished lines.

lineread cache stats                 how much is kept, and where
lineread cache verify                check every line, remove what is broken
lineread cache prune --to 500M       remove the lines that were not used for longest
lineread cache prune --older-than 30 remove the lines that were not used for so many days
lineread cache prune --all           remove everything
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lineread import config
from lineread.cache import Cache
from lineread.cli import door

if TYPE_CHECKING:
    import argparse

DAY = 86_400


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.usage = "%(prog)s [options] [stats | verify | prune]"
    parser.add_argument("action", nargs="?", default="stats", choices=("stats", "verify", "prune"))
    parser.add_argument("--to", metavar="SIZE", help="prune: until so much is left, such as 500M")
    parser.add_argument("--older-than", metavar="DAYS", type=float, help="prune: what was not used for so long")
    parser.add_argument("--all", action="store_true", help="prune: everything")
    parser.add_argument("--json", action="store_true", help="tell the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do one thing to the cache."""
    settings = config.resolve()
    assert settings.cache_dir is not None  # only a client can be told to do without
    store = Cache(settings.cache_dir, max_bytes=settings.cache_bytes)
    actions = {"stats": _stats, "verify": _verify, "prune": _prune}
    facts, line = actions[arguments.action](store, arguments)
    print(json.dumps(facts) if arguments.json else line)
    return 0


def _stats(store: Cache, _: argparse.Namespace) -> tuple[dict[str, object], str]:
    stats = store.stats()
    line = f"{stats.entries:,} lines, {size(stats.bytes)} of at most {size(stats.max_bytes)}, in {stats.root}"
    return stats._asdict(), line


def _verify(store: Cache, _: argparse.Namespace) -> tuple[dict[str, object], str]:
    report = store.verify()
    broken = len(report.broken)
    line = f"{report.checked:,} lines checked, {broken or 'none'} broken{' and removed' if broken else ''}"
    return report._asdict(), line


def _prune(store: Cache, arguments: argparse.Namespace) -> tuple[dict[str, object], str]:
    if not (arguments.all or arguments.to or arguments.older_than is not None):
        raise door.UsageError("prune needs to know what may go.", remedy="Add --to SIZE, --older-than DAYS or --all.")
    if arguments.older_than is not None and not arguments.older_than >= 0:  # "nan" is no number of days either
        raise door.UsageError("--older-than takes a number of days.", remedy="Such as --older-than 30.")
    most = 0 if arguments.all else config.parse_size(arguments.to) if arguments.to else None
    age = None if arguments.older_than is None else arguments.older_than * DAY
    report = store.prune(max_bytes=most, older_than=age)
    return report._asdict(), f"{report.removed:,} lines removed, {size(report.freed)} freed"


def size(count: float) -> str:
    """A number of bytes for people."""
    for unit in ("B", "KB", "MB"):
        if count < 999.5:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
