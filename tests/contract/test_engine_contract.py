"""What holds for every engine and every wrapper. A new one is one more line in ``SPEAKERS``."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import pytest

from lineread import config
from lineread.budget import Budget, Purse
from lineread.config import Secret
from lineread.engines import espeak_ng
from lineread.engines.base import Engine, Limits, Quota, Wrapper
from lineread.engines.builtin import Builtin
from lineread.engines.dashscope import DashScope
from lineread.engines.espeak import Espeak
from lineread.engines.fake import Act, Fake
from lineread.engines.kokoro import Kokoro
from lineread.engines.local import Local
from lineread.errors import LinereadError, OptionError, RequestError, ServiceFailed, VoiceError
from lineread.speech import Chunk, Request, Segment
from lineread.wrappers import equip
from lineread.wrappers.budgeted import Budgeted
from lineread.wrappers.fallback import Fallback
from lineread.wrappers.finished import Finished
from lineread.wrappers.limited import Buckets, Limited
from lineread.wrappers.retrying import Retrying
from loopback import hub
from loopback.dashscope import KEY, Cloud, answer, drop, stall
from support import gather, python

TEXT = "Well, first of all. \n Hello there, this is a short line!  And the rest."
WORDS = "Hello there, this is a short line!"
Speaker = Callable[[], AbstractAsyncContextManager[Engine]]


def steady() -> Fake:
    return Fake(otherwise=Act(chunks=3, pace=0.001))


@asynccontextmanager
async def own(engine: Engine) -> AsyncIterator[Engine]:
    try:
        yield engine
    finally:
        await engine.aclose()


@asynccontextmanager
async def cloud(transport: str) -> AsyncIterator[Engine]:
    async with Cloud() as server:
        engine = DashScope(Secret(KEY), base_url=server.base_url, transport=transport)  # type: ignore[arg-type]
        async with own(engine):
            yield engine


SPEAKERS: dict[str, Speaker] = {
    "fake": lambda: own(steady()),
    "builtin": lambda: own(Builtin()),
    "espeak": lambda: own(Espeak()),
    "kokoro": lambda: own(Kokoro(hub.data_dir(), endpoint="http://127.0.0.1:9", offline=True)),
    "local": lambda: own(Local(config.resolve())),
    "dashscope by events": lambda: cloud("sse"),
    "dashscope by download": lambda: cloud("url"),
    "budgeted": lambda: own(Budgeted(steady(), Purse(Budget.parse("9999c")))),
    "finished": lambda: own(Finished(steady())),
    "limited": lambda: own(Limited(steady(), Buckets(None))),
    "retrying": lambda: own(Retrying(steady())),
    "fallback, not needed": lambda: own(Fallback(steady(), Fake([ServiceFailed("x")] * 99))),
    "fallback, needed": lambda: own(Fallback(Fake(otherwise=Act(error=ServiceFailed("x"))), steady())),
    "all of them": lambda: own(equip(steady(), Fake(), None)),
    "all around builtin": lambda: own(equip(Builtin(), None, None)),
}


@pytest.fixture(params=SPEAKERS)
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    if request.param == "espeak" and espeak_ng.place() is None:
        pytest.skip(f"espeak-ng is not installed: {espeak_ng.INSTALL}")
    async with SPEAKERS[request.param]() as made:
        yield made


def segment(engine: Engine, **fields: object) -> Segment:
    """A piece from the middle of a text, with white space around its words."""
    request = engine.resolve(Request(TEXT, "Cherry", **fields))  # type: ignore[arg-type]
    start = TEXT.index(" \n")
    return Segment(request, 1, start, TEXT.index("And"), pause=0.3)


async def spoken(engine: Engine, line: Segment) -> list[Chunk]:
    async with asyncio.timeout(20):
        return await gather(engine.stream(line))


async def test_chunks_are_well_formed(engine: Engine) -> None:
    """One rate, whole samples, no gap between chunks, spans within the segment, and neither pause nor final flag."""
    line = segment(engine)
    assert line.text == WORDS
    chunks = await spoken(engine, line)
    assert {chunk.sample_rate for chunk in chunks} == {24_000}
    at = 0
    for chunk in chunks:
        assert len(chunk.pcm) % 2 == 0
        assert chunk.offset == at
        at += chunk.samples
        assert line.start <= chunk.span[0] < chunk.span[1] <= line.end
        assert (chunk.pause, chunk.final) == (0, False)
    assert 0.5 < at / 24_000 < 10
    assert any(any(chunk.pcm) for chunk in chunks)


async def test_the_last_chunk_tells_who_spoke(engine: Engine) -> None:
    """Facts come once, with the last chunk: a name, a mark that is in the key, and what it cost."""
    line = segment(engine)
    chunks = await spoken(engine, line)
    assert [chunk.facts is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    facts = chunks[-1].facts
    assert facts is not None
    assert facts.engine
    assert facts.fingerprint == engine.fingerprint(line.request)
    assert facts.model
    assert facts.characters in (0, len(WORDS))
    assert not facts.cached


async def test_words_lie_where_they_are_spoken(engine: Engine) -> None:
    """Words come in order, one by one, inside the segment's text and inside its sound."""
    line = segment(engine)
    chunks = await spoken(engine, line)
    duration = sum(chunk.duration for chunk in chunks)
    words = [word for chunk in chunks for word in chunk.words]
    times = [moment for word in words for moment in (word.start, word.end)]
    places = [place for word in words for place in word.span]
    assert times == sorted(times)
    assert places == sorted(places)
    assert all(0 <= moment <= duration + 1e-6 for moment in times)
    assert all(line.text_start <= place <= line.text_start + len(WORDS) for place in places)
    said = [TEXT[slice(*word.span)].strip(".,!?").lower() for word in words]
    if words:
        assert said == [word.strip(".,!?").lower() for word in WORDS.split()]
        assert all(word.end > word.start for word in words)


async def test_the_same_segment_sounds_the_same(engine: Engine) -> None:
    """Said twice, and said after other words, a segment has the same sound: that is what the cache relies on."""
    line = segment(engine)
    first = b"".join(chunk.pcm for chunk in await spoken(engine, line))
    await spoken(engine, replace(line, start=0, end=19, index=0))
    assert b"".join(chunk.pcm for chunk in await spoken(engine, line)) == first


async def test_another_place_in_another_text_changes_nothing(engine: Engine) -> None:
    """The sound depends on the segment's words and the request's fields, not on the text around or its number."""
    line = segment(engine)
    alone = replace(line.request, text=WORDS)
    chunks = await spoken(engine, Segment(alone, 0, 0, len(WORDS)))
    assert b"".join(chunk.pcm for chunk in chunks) == b"".join(chunk.pcm for chunk in await spoken(engine, line))


async def test_closing_early_stops_the_work(engine: Engine) -> None:
    """After ``aclose`` of a stream that has begun, and of one that has not, no task of it is left."""
    before = asyncio.all_tasks()
    stream = engine.stream(segment(engine))
    async with asyncio.timeout(20):
        await anext(stream)
    begun = time.perf_counter()
    await stream.aclose()
    await engine.stream(segment(engine)).aclose()
    assert time.perf_counter() - begun < 0.5
    await asyncio.sleep(0)
    assert {task for task in asyncio.all_tasks() if "lineread" in repr(task.get_coro())} <= before


async def test_cancelling_is_quick(engine: Engine) -> None:
    """A cancelled speaker is gone within 50 ms, whatever it was doing. The best of three counts: machines are busy."""
    took = []
    for _ in range(3):
        task = asyncio.create_task(spoken(engine, segment(engine)))
        await asyncio.sleep(0)
        begun = time.perf_counter()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        took.append(time.perf_counter() - begun)
    assert min(took) < 0.05


async def test_many_at_once(engine: Engine) -> None:
    """As many segments as its limits allow can be spoken at the same time, and each comes out as if alone."""
    line = segment(engine)
    alone = b"".join(chunk.pcm for chunk in await spoken(engine, line))
    together = await asyncio.gather(*(spoken(engine, line) for _ in range(engine.limits(line.request).concurrency)))
    assert {b"".join(chunk.pcm for chunk in chunks) for chunks in together} == {alone}


async def test_it_works_again_after_closing(engine: Engine) -> None:
    """``aclose`` gives back what is held; used again, the engine gets it anew. Closing twice does nothing."""
    line = segment(engine)
    first = b"".join(chunk.pcm for chunk in await spoken(engine, line))
    await engine.aclose()
    await engine.aclose()
    assert b"".join(chunk.pcm for chunk in await spoken(engine, line)) == first


async def test_resolving_is_stable(engine: Engine) -> None:
    """A resolved request has a model and a canonical spelling, and resolving it again changes nothing."""
    resolved = engine.resolve(Request(TEXT, "Cherry", "english"))
    assert resolved.language_type == "English"
    assert resolved.model
    assert resolved.text == TEXT
    assert engine.resolve(resolved) == resolved
    assert engine.fingerprint(resolved) == engine.fingerprint(engine.resolve(resolved))


async def test_limits_make_sense(engine: Engine) -> None:
    """Limits are positive, and a quota is counted under a name that can be a file's."""
    resolved = engine.resolve(Request(TEXT, "Cherry"))
    limits = engine.limits(resolved)
    assert isinstance(limits, Limits)
    assert limits.characters >= 1
    assert limits.concurrency >= 1
    assert limits.first is None or 1 <= limits.first <= limits.characters
    quota = engine.quota(resolved)
    if quota is not None:
        assert isinstance(quota, Quota)
        assert quota.per_minute > 0
        assert quota.name.replace("-", "").replace("_", "").replace(".", "").isalnum()
        assert KEY not in quota.name


async def test_an_unknown_language_is_refused(engine: Engine) -> None:
    """What no engine can do is refused by ``resolve``."""
    with pytest.raises(OptionError):
        engine.resolve(Request(TEXT, "Cherry", "Klingon"))


@pytest.mark.parametrize(
    "changes",
    [{"voice": "Chery"}, {"model": "no-such-model"}, {"language_type": "Latin"}, {"voice": "\N{SNOWMAN}"},
     {"model": "qwen3-tts-flash", "instruction": "Calm."}, {"model": "qwen-tts", "voice": "Kiki"}],
)  # fmt: skip
async def test_the_cloud_hears_nothing_of_a_refused_request(changes: dict[str, str]) -> None:
    """What the service would refuse is refused before a byte is sent."""
    async with Cloud() as server, own(DashScope(Secret(KEY), base_url=server.base_url)) as engine:
        with pytest.raises(RequestError) as caught:
            engine.resolve(replace(Request(TEXT, "Cherry"), **changes))  # type: ignore[arg-type]
        assert caught.value.remedy
        assert (server.received, server.connections) == ([], set())


def test_the_built_in_voice_loads_nothing_for_a_refused_request() -> None:
    """A voice that nobody has, and text that it cannot speak, are refused without the model."""
    engine = Builtin()
    for request in (Request(TEXT, "Chery"), Request("你好，世界。", "Cherry"), Request("...", "Cherry")):
        with pytest.raises((VoiceError, RequestError)) as caught:
            engine.resolve(request)
        assert caught.value.remedy
    assert engine._loading is None


@pytest.mark.parametrize(
    "made",
    [
        "engines.fake import Fake as E",
        "engines.builtin import Builtin as E",
        "engines.local import Local as E",
        "engines.dashscope import DashScope as E",
    ],
)
def test_a_fingerprint_costs_nothing(made: str) -> None:
    """Making an engine, resolving, and asking for limits and fingerprint loads no model, no arrays, no network."""
    code = (
        f"import sys\nfrom lineread.{made}\n"
        "from lineread.config import resolve\nfrom lineread.speech import Request\n"
        "engine = E.configured(resolve(api_key='sk-x'))\n"
        f"request = engine.resolve(Request({TEXT!r}, 'Cherry'))\n"
        "engine.limits(request); engine.fingerprint(request); engine.quota(request)\n"
        "heavy = 'numpy onnxruntime hibari aiohttp asyncio soundfile logging'.split()\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    child = python(code)
    assert (child.stdout.decode().strip(), child.stderr) == ("[]", b"")


def test_a_wrapper_forwards_everything() -> None:
    """Every method that an engine may override is handed on by wrappers; none falls back to the default."""
    methods = {name for name, _ in inspect.getmembers(Engine, inspect.isfunction) if not name.startswith("_")}
    assert methods <= vars(Wrapper).keys()

    class Telling(Fake):
        version = "7"

        def resolve(self, request: Request) -> Request:
            return replace(request, voice="told")

        def limits(self, request: Request) -> Limits:
            return Limits(characters=7)

        def fingerprint(self, request: Request) -> str:
            return "told"

        def quota(self, request: Request) -> Quota | None:
            return Quota("told", 7)

        def warm(self) -> None:
            self.warmed = True

    inner = Telling()
    request = Request("x", "Cherry")
    for wrapper in (Wrapper(inner), equip(inner, None, None), equip(inner, Fake(), None)):
        inner.warmed = False
        wrapper.warm()
        assert inner.warmed
        assert (wrapper.name, wrapper.version) == ("fake", "7")
        assert wrapper.resolve(request).voice == "told"
        assert (wrapper.limits(request).characters, wrapper.fingerprint(request)) == (7, "told")
        assert wrapper.quota(request) == Quota("told", 7)


@pytest.mark.parametrize("fault", [drop(2000), stall(2000), answer(200, "{}"), answer(500, "oops")])
async def test_a_faulty_service_is_an_error_of_ours(fault: object) -> None:
    """Whatever the service does, the engine speaks or raises an error of the tree, within its deadlines."""
    from lineread.engines.dashscope import Timeouts

    brisk = Timeouts(connect=1, idle=0.2, total=1)
    async with Cloud() as server:
        server.otherwise = fault  # type: ignore[assignment]
        async with own(DashScope(Secret(KEY), base_url=server.base_url, timeouts=brisk)) as engine:
            with pytest.raises(LinereadError):
                await spoken(engine, segment(engine))
