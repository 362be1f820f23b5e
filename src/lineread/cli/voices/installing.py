"""``lineread voices install``: packs of voices for this machine."""

from __future__ import annotations

import argparse
import json

from lineread import config
from lineread.cli import door
from lineread.engines.kokoro import pack
from lineread.errors import ConfigError


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
    facts = {"pack": pack.kokoro().name, "path": place, "bytes": pack.kokoro().size, "mark": pack.MARK}
    print(json.dumps(facts) if arguments.json else f"The kokoro pack is installed at {place}.")
    return 0


def _fetch(place: str, endpoint: str) -> None:
    from lineread.engines.kokoro import hub  # noqa: PLC0415 - HTTP and hashes, which no other command needs

    bar = hub.Bar(pack.kokoro())
    try:
        hub.install(pack.kokoro(), place, endpoint, meter=bar)
    finally:
        bar.close()
