"""``lineread voices install``: packs of voices for this machine."""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from lineread import config
from lineread.cli import door
from lineread.engines.kokoro import languages, pack, readers
from lineread.errors import ConfigError

if TYPE_CHECKING:
    from lineread.engines.kokoro.pack import Pack


def configure_install(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``install``."""
    parser.add_argument("pack", metavar="PACK", choices=("kokoro",), help="kokoro: 54 voices, eight languages, 121 MB")
    parser.add_argument("--offline", action="store_true", help="fetch nothing; tell whether it is installed")
    parser.add_argument("--json", action="store_true", help="print the result as JSON", default=argparse.SUPPRESS)


def run_install(arguments: argparse.Namespace) -> int:
    """Put a pack on this machine. One that is there is checked, file by file, and mended."""
    door.check_output()
    settings = config.resolve(cache=False)
    place = pack.directory(settings.data_dir)
    if not (arguments.offline or settings.offline):
        _fetch(place, settings.hub)
    elif not pack.is_whole(place):
        raise ConfigError(
            "The kokoro pack is not installed, and nothing may be fetched (--offline, LINEREAD_OFFLINE).",
            remedy=f"Run `{pack.INSTALL}` while there is a network.",
            code="pack_missing",
        )
    missing = {each: command for each in languages.LANGUAGES if (command := readers.install(each))}
    if arguments.json:
        kokoro = pack.kokoro()
        facts = {"pack": kokoro.name, "path": place, "bytes": kokoro.size, "mark": pack.MARK, "missing": missing}
        print(json.dumps(facts))
    else:
        print(f"The kokoro pack is installed at {place}.")
        for command in dict.fromkeys(missing.values()):
            those = [each for each, one in missing.items() if one == command]
            print(f"To read {' and '.join(filter(None, [', '.join(those[:-1]), those[-1]]))}: {command}")
    return 0


def _fetch(place: str, endpoint: str) -> None:
    from lineread.engines.kokoro import hub  # noqa: PLC0415 - HTTP and hashes, which no other command needs

    bar = _Bar(pack.kokoro())
    try:
        hub.install(pack.kokoro(), place, endpoint, meter=bar)
    finally:
        bar.close()


class _Bar:
    """What tells of the download: a bar on a terminal; on anything else a line, and silence after it.

    Args:
        pack: What is fetched.
    """

    def __init__(self, pack: Pack) -> None:
        self._name = pack.name
        self._on = sys.stderr.isatty()
        self._done = self._size = 0
        self._fresh = 0
        self._begun = self._next = 0.0

    def begin(self, done: int, size: int, host: str) -> None:
        """Say how much will be fetched, and from where."""
        there = f", {_megabytes(done)} of them there already" if done else ""
        self._say(f"lineread: downloading the {self._name} pack from {host}: {_megabytes(size)}{there}.\n")
        self._done, self._size, self._begun = done, size, time.monotonic()

    def wait(self) -> None:
        """Say that somebody else is at it."""
        self._say(f"lineread: another process is downloading the {self._name} pack; waiting for it.\n")

    def advance(self, size: int) -> None:
        """Draw the state, if it is time to."""
        self._done += size
        self._fresh += size
        now = time.monotonic()
        if not self._on or (now < self._next and self._done < self._size):
            return
        self._next = now + 0.1
        part = min(1.0, max(0.0, self._done / self._size)) if self._size else 1.0
        speed = max(0.0, self._fresh) / max(now - self._begun, 0.1)
        bar = "█" * round(part * 24) + "░" * (24 - round(part * 24))
        self._say(
            f"\r\x1b[K{bar} {part:4.0%}  {_megabytes(self._done)} of {_megabytes(self._size)}  {speed / 1e6:.1f} MB/s"
        )

    def close(self) -> None:
        """Clear the line."""
        if self._on and self._begun:
            self._say("\r\x1b[K")

    def _say(self, words: str) -> None:
        with suppress(OSError, ValueError):  # a standard error that takes nothing is no reason not to fetch
            sys.stderr.write(words)
            sys.stderr.flush()


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
