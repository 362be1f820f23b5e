"""Check keys, connections, engines, the cache and the output, and say what to do about each.

Exit status: 0 when some engine can speak here, else 3.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from lineread import _sync, catalogue, config, sinks
from lineread.cache import Cache
from lineread.cli import options
from lineread.client import OUTPUT_PLACE, Client
from lineread.engines import registry
from lineread.engines.builtin import Builtin
from lineread.engines.dashscope import DashScope
from lineread.engines.fake import Fake
from lineread.errors import LinereadError
from lineread.speech import Request
from lineread.version import __version__

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from lineread.config import Settings
    from lineread.engines.dashscope.http import Answer

GOOD, BAD, NOTE = "ok", "bad", "note"
NOT_SET_UP = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: What it is.
        state: ``ok``, ``bad``, or ``note`` for what is neither.
        line: What was found.
        remedy: What to do about it.
    """

    what: str
    state: str
    line: str
    remedy: str = ""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.usage = "%(prog)s [options]"
    parser.add_argument("--no-network", action="store_true", help="do not ask whether the service answers")
    parser.add_argument("--json", action="store_true", help="tell the findings as JSON")
    options.add_settings(parser)


def run(arguments: argparse.Namespace) -> int:
    """Look at everything and print what was found."""
    with options.client(arguments) as client:
        findings = list(_examine(client, network=not arguments.no_network))
    if arguments.json:
        print(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=1))
    else:
        print(_table(findings))
    speaks = any(finding.state == GOOD for finding in findings if finding.what.startswith("engine "))
    return 0 if speaks else NOT_SET_UP


def _examine(client: Client, *, network: bool) -> Iterator[Finding]:
    settings = client.settings
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    yield Finding("lineread", NOTE, f"{__version__}, Python {platform.python_version()}, {system}")
    yield _key(settings)
    if network:
        yield _service(settings)
    for name in registry.names():
        yield _engine(name, client)
    yield _choice(settings)
    yield _cache(settings)
    yield _output(settings)
    yield _player(settings)


def _key(settings: Settings) -> Finding:
    if settings.key is None:
        return Finding(
            "key",
            NOTE,
            "no DashScope key was found",
            f"To speak with Qwen, set {config.KEY_VARIABLE} or write it into .env.",
        )
    return Finding("key", GOOD, f"found in {settings.key_source}; whether the service takes it shows at the first call")


def _service(settings: Settings) -> Finding:
    place = settings.region or "a base URL of your own"
    key = settings.key or config.Secret("none")
    try:
        engine = DashScope(key, base_url=settings.base_url, workspace=settings.workspace)
        answer = _sync.run(_asked(engine))
    except LinereadError as error:
        return Finding("service", BAD, f"{place}: {error.message}", error.remedy)
    return Finding("service", GOOD, f"{place}: {answer.host} answers after {answer.seconds * 1000:.0f} ms")


async def _asked(engine: DashScope) -> Answer:
    await _sync.on_event_loop()
    try:
        return await engine.reachable()
    finally:
        await engine.aclose()


def _engine(name: str, client: Client) -> Finding:
    """Whether an engine can speak. The built-in one does; others may cost money, and are only asked to be set up."""
    what = f"engine {name}"
    if name == Fake.name:
        return Finding(what, NOTE, "tones, for tests")
    try:
        engine = registry.create(name, client.settings)
        if name == DashScope.name:
            return Finding(what, GOOD, "has a key; try it: lineread say -e dashscope --no-cache 'Hello.'")
        if name != Builtin.name:
            return Finding(what, GOOD, f"is set up; try it: lineread say -e {name} --no-cache 'Hello.'")
        with Client(engine=engine, cache=False) as own:
            speech = own.generate(Request("Hello there.", "Cherry"))
    except LinereadError as error:
        return Finding(what, NOTE if name == DashScope.name else BAD, error.message, error.remedy)
    return Finding(what, GOOD, f"speaks ({speech.duration:.1f} s of sound for two words)")


def _choice(settings: Settings) -> Finding:
    chosen = settings.engine or ("dashscope" if settings.key else "builtin")
    if chosen not in registry.names():
        hint = catalogue.suggestion(chosen, registry.names(), f"Choose one of {', '.join(registry.names())}.")
        return Finding("default", BAD, f"there is no engine {chosen!r}, which is set", hint)
    why = "as set" if settings.engine else "since there is a key" if settings.key else "since there is no key"
    return Finding("default", NOTE, f"{chosen} speaks when no engine is named, {why}")


def _cache(settings: Settings) -> Finding:
    if settings.cache_dir is None:
        return Finding("cache", NOTE, "off")
    store = Cache(settings.cache_dir, max_bytes=settings.cache_bytes)
    stats = store.stats()
    if trouble := store.check():
        return Finding("cache", BAD, f"{stats.root}: {trouble}", "Free it, or set LINEREAD_CACHE_DIR elsewhere.")
    return Finding("cache", GOOD, f"{stats.root}: {stats.entries:,} lines, {stats.bytes / 1e6:.0f} MB")


def _output(settings: Settings) -> Finding:
    directory = os.path.join(settings.output_dir, OUTPUT_PLACE)
    standing = directory
    while not os.path.exists(standing):
        standing = os.path.dirname(standing) or "."
    if not os.path.isdir(standing) or not os.access(standing, os.W_OK):
        return Finding("output", BAD, f"{directory} cannot be written", "Set OUTPUT_DIR to a place that can.")
    free = shutil.disk_usage(standing).free
    return Finding("output", GOOD, f"{directory}, {free / 1e9:.0f} GB free")


def _player(settings: Settings) -> Finding:
    try:
        return Finding("player", GOOD, " ".join(sinks.Player.find(settings.player)[:1]))
    except LinereadError as error:
        return Finding("player", NOTE, error.message, error.remedy)


def _table(findings: list[Finding]) -> str:
    marks = {GOOD: "✓", BAD: "✗", NOTE: "·"}
    width = max(len(finding.what) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{marks[finding.state]} {finding.what:<{width}}  {finding.line}")
        if finding.remedy:
            lines.append(f"  {'':<{width}}  → {finding.remedy}")
    return "\n".join(lines)
