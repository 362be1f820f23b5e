"""Two paragraphs by Kokoro, everything warm, beside another library with the same weights: the first sound, and all."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location

from measure import Case, Row, Scale, in_turns
from processes import HERE, Worker, scratch

REACH_FIRST = 0.5
REACH_ALL = 0.8
PEER = "`kokoro-onnx`"


def run(scale: Scale) -> Iterator[Row]:
    from lineread.engines.kokoro import pack

    place = _data_dir()
    with (
        Worker("sides.kokoro:Lineread", scratch(), data_dir=place) as lineread,
        Worker("sides.kokoro:KokoroOnnx", scratch(), pack=pack.directory(place)) as peer,
    ):
        ours, theirs = in_turns([lineread.measure, peer.measure], scale.rounds)
    first, whole = ([[each[name] for each in side] for side in (ours, theirs)] for name in ("first", "seconds"))
    yield Row("850 characters, kokoro: first audio", first[0], PEER, first[1], REACH_FIRST)
    yield Row("850 characters, kokoro: all of it", whole[0], PEER, whole[1], REACH_ALL)
    pace = [[each["seconds"] / each["audio"] for each in side] for side in (ours, theirs)]
    yield Row("the same, for a second of audio", pace[0], PEER, pace[1], REACH_ALL)


def _data_dir() -> str:
    """A directory with the real pack, from the packages that the tests take it from."""
    spec = spec_from_file_location("kokoro_hub", HERE.parent / "tests" / "loopback" / "hub.py")
    assert spec is not None
    assert spec.loader is not None
    hub = module_from_spec(spec)
    spec.loader.exec_module(hub)
    made: str = hub.data_dir()
    return made


CASE = Case("kokoro", run, rounds=5)
