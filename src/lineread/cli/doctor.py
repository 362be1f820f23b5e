"""Check settings, key, connection, engines, cache and output, and say what to do about each.

Exit status: 0 when `lineread say` with these settings can speak, else 3.

--json prints one array of objects: what, state (ok, bad or note), line, remedy.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from lineread import _sync, catalogue, config, pipeline, sinks
from lineread import plan as plans
from lineread.cache import Cache
from lineread.cli import options
from lineread.cli.cache import lines, size
from lineread.client import OUTPUT_PLACE
from lineread.engines import registry
from lineread.engines.builtin import Builtin
from lineread.engines.dashscope import DashScope
from lineread.engines.espeak import Espeak
from lineread.engines.fake import Fake
from lineread.engines.kokoro import pack
from lineread.engines.local import Local
from lineread.errors import LinereadError
from lineread.speech import Request
from lineread.version import __version__

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from lineread.config import Settings
    from lineread.engines.base import Engine
    from lineread.engines.dashscope.http import Answer
    from lineread.errors import ConfigError

#: Engines that cost nothing: they are asked to speak.
_FREE = (Builtin, Espeak, Local)
#: Engines without which lineread is as whole as it has to be.
_MAY_BE_MISSING = (DashScope.name, Espeak.name, "kokoro")
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
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    options.add_speakers(parser)


def run(arguments: argparse.Namespace) -> int:
    """Look at everything and print what was found."""
    given = options.settings(arguments) | {"offline": "1" if arguments.offline else None}
    settings, troubles = config.survey(**given)
    findings = [*_examine(settings, troubles, network=not arguments.no_network)]
    if arguments.json:
        print(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=1))
    else:
        print(_table(findings))
    in_the_way = any(
        finding.state == BAD for finding in findings if finding.what in ("settings", "service", "default", "fallback")
    )
    return NOT_SET_UP if in_the_way else 0


def _examine(settings: Settings, troubles: Iterable[ConfigError], *, network: bool) -> Iterator[Finding]:
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    yield Finding("lineread", NOTE, f"{__version__}, Python {platform.python_version()}, {system}")
    for trouble in troubles:  # each of them ends any other command
        yield Finding("settings", BAD, trouble.message, trouble.remedy)
    yield _key(settings)
    if network:
        yield _service(settings)
    engines = {name: _engine(name, settings) for name in registry.names()}
    yield from engines.values()
    yield _default(settings, engines)
    if settings.fallback is not None:
        yield _role("fallback", settings.fallback, engines) or Finding(
            "fallback", NOTE, f"{settings.fallback} speaks when {settings.chosen_engine} fails"
        )
    yield _cache(settings)
    yield _output(settings)
    yield _player(settings)


def _key(settings: Settings) -> Finding:
    if not settings.needs_key:
        return Finding("key", NOTE, f"not looked for: {settings.engine} needs none")
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
        needed = settings.chosen_engine == DashScope.name and settings.fallback is None
        return Finding("service", BAD if needed else NOTE, f"{place}: {error.message}", error.remedy)
    return Finding("service", GOOD, f"{place}: {answer.host} answers after {answer.seconds * 1000:.0f} ms")


async def _asked(engine: DashScope) -> Answer:
    await _sync.on_event_loop()
    try:
        return await engine.reachable()
    finally:
        await engine.aclose()


def _engine(name: str, settings: Settings) -> Finding:
    """Whether an engine can speak. The machine's own do; others may cost money, and are only asked to be set up."""
    what = f"engine {name}"
    if name == Fake.name:
        return Finding(what, GOOD, "plays tones, for tests")
    if name == DashScope.name and not settings.needs_key:
        return Finding(what, NOTE, "speaks with a key, and none was looked for")
    if name == "kokoro" and not pack.is_whole(pack.directory(settings.data_dir)):
        return Finding(what, NOTE, "its pack is not installed", f"Run `{pack.INSTALL}`, for seven more languages.")
    try:
        return Finding(what, GOOD, _ability(registry.create(name, settings)))
    except LinereadError as error:
        return Finding(what, NOTE if name in _MAY_BE_MISSING else BAD, error.message, error.remedy)
    except Exception as error:  # noqa: BLE001 - whatever is the matter with one, the rest is told as well
        return Finding(what, BAD, f"fails with {type(error).__name__}", "Install again what brings it.")


def _ability(engine: Engine) -> str:
    """What an engine can do, as far as it costs nothing to find out."""
    if not isinstance(engine, _FREE):
        ready = "has a key" if engine.name == DashScope.name else "is set up"
        return f"{ready}; try it: lineread say -e {engine.name} --no-cache 'Hello.'"
    duration = _sync.run(_spoken(engine, Request("Hello there.", "Cherry")))
    return f"speaks {_languages(engine)}" if isinstance(engine, Local) else f"speaks ({duration:.1f} s for two words)"


def _languages(engine: Local) -> str:
    """Who speaks what: English (builtin); German, Korean (espeak)."""
    speakers = engine.speakers()
    by_engine = {name: [each for each in speakers if speakers[each] == name] for name in speakers.values()}
    return "; ".join(f"{', '.join(those)} ({name})" for name, those in by_engine.items())


async def _spoken(engine: Engine, request: Request) -> float:
    """Speak something, and say how many seconds it takes."""
    plan = plans.make(request, engine)
    chunks = pipeline.speak(plan, pipeline.Studio(engine, None, plan.fingerprint))
    try:
        return sum([chunk.duration async for chunk in chunks])
    finally:
        await engine.aclose()


def _default(settings: Settings, engines: dict[str, Finding]) -> Finding:
    name = settings.chosen_engine
    why = "as set" if settings.engine else "since there is a key" if settings.key else "since there is no key"
    return _role("default", name, engines) or Finding("default", NOTE, f"{name} speaks when no engine is named, {why}")


def _role(what: str, name: str, engines: dict[str, Finding]) -> Finding | None:
    """What keeps an engine from the role that it was given, if anything does."""
    if name not in engines:
        hint = catalogue.suggestion(name, engines, f"Choose one of {', '.join(engines)}.")
        return Finding(what, BAD, f"there is no engine {name!r}, which is set", hint)
    if engines[name].state != GOOD:
        return Finding(what, BAD, f"{name} is set, and cannot speak", engines[name].remedy)
    return None


def _cache(settings: Settings) -> Finding:
    if settings.cache_dir is None:
        return Finding("cache", NOTE, "off")
    store = Cache(settings.cache_dir, max_bytes=settings.cache_bytes)
    stats = store.stats()
    if trouble := store.check():
        return Finding("cache", BAD, trouble, "Free it, or set LINEREAD_CACHE_DIR elsewhere.")
    return Finding("cache", GOOD, f"{stats.root}: {lines(stats.entries)}, {size(stats.bytes)}")


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
        program = sinks.Player.find(settings.player)[0]
        return Finding("player", GOOD, f"{program} found; whether there is a sound device shows only when it plays")
    except LinereadError as error:
        return Finding("player", BAD if settings.player else NOTE, error.message, error.remedy)


def _table(findings: list[Finding]) -> str:
    marks = {GOOD: "✓", BAD: "✗", NOTE: "·"}
    width = max(len(finding.what) for finding in findings)
    shown = []
    for finding in findings:
        shown.append(f"{marks[finding.state]} {finding.what:<{width}}  {finding.line}")
        if finding.remedy:
            shown.append(f"  {'':<{width}}  → {finding.remedy}")
    return "\n".join(shown)
