"""The server: what it adds to the engine, and how it stands a crowd, beside a static file route and piper's server."""

from __future__ import annotations

import json
import statistics
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

import servers
import texts
from measure import Case, Row, Scale, in_turns
from processes import Worker, scratch

#: Seconds that the server may add to the engine's own first chunk.
MOST_ADDED = 0.005
REACH_CACHED = 2.0
REACH_MEMORY = 1.05
_LINE = {"model": "tts-1", "voice": "Cherry", "input": "{text}", "response_format": "wav"}
_SPEECH = "/v1/audio/speech"


def first(scale: Scale) -> Iterator[Row]:
    """The server's own part of the time to the first sound."""
    calls = 5 if scale.quick else 20
    home = scratch()
    with (
        servers.lineread(home, "-e", "builtin", "--no-cache") as server,
        Worker("sides.load:Load", home, url=server.url, path=_SPEECH, body=_LINE, calls=calls) as through,
        Worker("sides.first:Engine", home, calls=calls) as engine,
    ):
        ours, theirs = in_turns([through.measure, engine.measure], scale.rounds)
    pairs = zip(map(_median, ours), map(_median, theirs), strict=True)
    added = [max(0.0, served - alone) for served, alone in pairs]
    yield Row("first sound through the server, beyond the engine's", added, "5 ms", [MOST_ADDED] * len(added), 1.0)


def cached(scale: Scale) -> Iterator[Row]:
    """Lines from the cache, beside the same bytes from a static file route."""
    calls = 200 if scale.quick else 2000
    home = scratch()
    body = {**_LINE, "input": texts.SHORT}
    with servers.lineread(home, "-e", "builtin") as server:
        (home / "files").mkdir()
        (home / "files" / "line.wav").write_bytes(_spoken(server, body))
        work = {"calls": calls, "at_once": 16}
        with (
            servers.static(home, home / "files") as static,
            Worker("sides.load:Load", home, url=server.url, path=_SPEECH, body=body, **work) as ours,
            Worker("sides.load:Load", home, url=static.url, path="/files/line.wav", **work) as theirs,
        ):
            taken = in_turns([ours.measure, theirs.measure], scale.rounds)
    served, plain = ([_whole(each, calls) for each in samples] for samples in taken)
    yield Row("a cached line served, 16 clients", served, "the same bytes, static file route", plain, REACH_CACHED)


def crowd(scale: Scale) -> Iterator[Row]:
    """Two hundred clients at once, each with a line of its own; nobody may fail."""
    at_once = 20 if scale.quick else 200
    home = scratch()
    work = {"calls": at_once, "at_once": at_once}
    alone = {"calls": 5, "at_once": 1}
    said = {"text": "{text}"}
    with (
        servers.lineread(home, "-e", "builtin", "--no-cache") as server,
        servers.piper(home) as piper,
        Worker("sides.load:Load", home, url=server.url, path=_SPEECH, body=_LINE, **work) as ours,
        Worker("sides.load:Load", home, url=piper.url, path="/synthesize", body=said, **work) as theirs,
        Worker("sides.load:Load", home, url=server.url, path=_SPEECH, body=_LINE, **alone) as our_line,
        Worker("sides.load:Load", home, url=piper.url, path="/synthesize", body=said, **alone) as their_line,
    ):
        many = in_turns([ours.measure, theirs.measure], scale.rounds)
        single = in_turns([our_line.measure, their_line.measure], scale.rounds)
    for sample in (*many[0], *many[1], *single[0], *single[1]):
        if sample["failed"]:
            raise RuntimeError(f"{sample['failed']} of {len(sample['first'])} requests failed")
    latest = [[_late(each) for each in samples] for samples in many]
    whole = [[float(each["took"]) for each in samples] for samples in many]
    each = [[float(sample["took"]) / 5 for sample in samples] for samples in single]
    yield Row(f"{at_once} clients at once: first sound, 95th percentile", latest[0], "piper's HTTP server", latest[1])
    yield Row(f"{at_once} clients at once: until all are served", whole[0], "piper's HTTP server", whole[1])
    yield Row("a line served, one client", each[0], "piper's HTTP server", each[1])


def memory(scale: Scale) -> Iterator[Row]:
    """What the server holds after many requests, beside what it held after a tenth of them."""
    calls = 100 if scale.quick else 1000
    before, after = [], []
    for _ in range(scale.rounds):
        home = scratch()
        with (
            servers.lineread(home, "-e", "fake") as server,
            Worker("sides.load:Load", home, url=server.url, path=_SPEECH, body=_LINE, calls=calls, at_once=8) as load,
        ):
            load.measure()
            before.append(server.resident())
            for _ in range(9):
                load.measure()
            after.append(server.resident())
    measure, peer = f"server's memory after {10 * calls:,} requests", f"after {calls:,}"
    yield Row(measure, after, peer, before, REACH_MEMORY, unit="B")


def _spoken(server: servers.Server, body: Mapping[str, Any]) -> bytes:

    request = urllib.request.Request(
        server.url + _SPEECH, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return bytes(answer.read())


def _median(sample: Mapping[str, Any]) -> float:
    return statistics.median(sample["first"])


def _late(sample: Mapping[str, Any]) -> float:
    return statistics.quantiles(sample["first"], n=20)[-1]


def _whole(sample: Mapping[str, Any], calls: int) -> float:
    if sample["failed"]:
        raise RuntimeError(f"{sample['failed']} of {calls} requests failed")
    return float(sample["took"]) / calls


FIRST = Case("serve-first", first, rounds=7)
CACHED = Case("serve-cached", cached, rounds=7)
CROWD = Case("serve-crowd", crowd, rounds=3, quick_rounds=1)
MEMORY = Case("serve-memory", memory, rounds=2, quick_rounds=1)
