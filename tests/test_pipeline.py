"""The one way through: in order, within bounds, nothing twice, nothing lost, and stopped at once."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineread import ahead
from lineread import plan as plans
from lineread.cache import Cache
from lineread.engines.base import Engine, Limits
from lineread.engines.fake import Act, Fake, tone
from lineread.errors import BadReply, ServiceFailed, Throttled
from lineread.pipeline import Studio, speak
from lineread.plan import Plan
from lineread.speech import SAMPLE_RATE, Chunk, Facts, Request, Segment, billed_characters
from support import gather

#: Ten sentences, no two alike, for engines that speak sentence by sentence.
NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
SENTENCES = [f"This is sentence number {number}." for number in NUMBERS]
TEXT = " ".join(SENTENCES)
BY_SENTENCE = Limits(by_sentence=True, concurrency=3)


class Gated(Engine):
    """Speaks a sample a segment, when it is let."""

    name = "gated"

    def __init__(self, limits: Limits = BY_SENTENCE) -> None:
        self._limits = limits
        self.gate = asyncio.Event()
        self.asked = 0
        self.running = 0
        self.most_running = 0
        self.cleaned = 0

    def limits(self, request: Request) -> Limits:
        return self._limits

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        self.asked += 1
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await self.gate.wait()
            yield Chunk(b"\1\0", SAMPLE_RATE, 0, segment.span, facts=Facts(self.name))
        finally:
            self.running -= 1
            self.cleaned += 1


def prepared(engine: Engine, text: str = TEXT, cache: Cache | None = None, **options: object) -> tuple[Plan, Studio]:
    plan = plans.make(Request(text, "Cherry", **options), engine)  # type: ignore[arg-type]
    return plan, Studio(engine, cache, plan.fingerprint)


async def spoken(engine: Engine, text: str = TEXT, cache: Cache | None = None, **options: object) -> list[Chunk]:
    async with asyncio.timeout(20):
        return await gather(speak(*prepared(engine, text, cache, **options)))


async def until_idle() -> None:
    """Let everything run that can run."""
    for _ in range(50):
        await asyncio.sleep(0)


def check_whole(chunks: list[Chunk], plan: Plan, *, exact: bool = True) -> None:
    """All that holds for the chunks of any speech, told by the plan alone."""
    text = plan.request.text
    segments = list(plan.segments())
    at, index, begun, latest = 0, 0, 0, 0.0
    for chunk in chunks:
        segment = segments[index]
        assert chunk.offset == at
        at += chunk.samples
        assert segment.start <= chunk.span[0] < chunk.span[1] <= segment.end
        for word in chunk.words:
            assert segment.start <= word.span[0] < word.span[1] <= segment.end
            assert not any(map(str.isspace, text[slice(*word.span)]))
            assert latest <= word.start <= word.end
            assert begun / SAMPLE_RATE - 1e-6 <= word.start
            latest = word.end
        if chunk.facts is None:
            assert chunk.pause == 0
            continue
        silence = round(segment.pause / plan.request.rate * SAMPLE_RATE) if index + 1 < len(segments) else 0
        assert chunk.pause == silence
        assert latest <= (at - silence) / SAMPLE_RATE + 1e-6
        assert not silence or chunk.pcm[-2 * silence :] == bytes(2 * silence)
        index, begun = index + 1, at
    assert index == len(segments)
    assert [chunk.final for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    if exact:
        sound = b"".join(
            tone(segment) + bytes(2 * (round(segment.pause / plan.request.rate * SAMPLE_RATE) if rest else 0))
            for segment, rest in zip(segments, range(len(segments) - 1, -1, -1), strict=True)
        )
        assert b"".join(chunk.pcm for chunk in chunks) == sound


acts = st.builds(
    Act, delay=st.sampled_from([0, 0, 0.002, 0.004]), pace=st.sampled_from([0, 0.001]), chunks=st.integers(1, 4)
)
PIECES = ["One.", "Two and two!", "三。", "\n\n", " ", "And so on, for long.", "One."]


@given(
    script=st.lists(acts, max_size=10),
    text=st.lists(
        st.sampled_from(["One.", "Two and two!", "三。", "\n\n", " ", "And so on, for long.", "One."]), min_size=1
    )
    .map(" ".join)
    .filter(str.strip),
    rate=st.sampled_from([0.5, 1.0, 1.5]),
    concurrency=st.integers(1, 4),
    by_sentence=st.booleans(),
)
@settings(max_examples=60)
def test_any_speech_is_whole_and_in_order(
    script: list[Act],
    text: str,
    rate: float,
    concurrency: int,
    by_sentence: bool,  # noqa: FBT001
) -> None:
    """Whatever the delays, the chunks are contiguous, in order, timed, paused as planned, and end once."""
    engine = Fake(script, limits=Limits(characters=30, by_sentence=by_sentence, concurrency=concurrency))
    plan, studio = prepared(engine, text, rate=rate)
    chunks = asyncio.run(gather(speak(plan, studio)))
    check_whole(chunks, plan)
    assert engine.most_running <= concurrency
    assert engine.running == 0


@given(missing=st.sets(st.integers(0, 9)), chunks=st.integers(1, 3))
@settings(max_examples=30)
def test_cached_and_spoken_segments_make_the_same_speech(
    missing: set[int], chunks: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whichever segments the cache has, the speech sounds and reads the same, and only the others are spoken."""
    cache = Cache(str(tmp_path_factory.mktemp("store")))
    fresh = asyncio.run(spoken(Fake(limits=BY_SENTENCE), cache=cache))
    plan, _ = prepared(Fake(limits=BY_SENTENCE))
    segments = list(plan.segments())
    for index in missing:
        Path(cache._path(segments[index].key(plan.fingerprint))).unlink()
    engine = Fake(otherwise=Act(chunks=chunks), limits=BY_SENTENCE)
    again = asyncio.run(spoken(engine, cache=cache))
    assert sorted(segment.index for segment in engine.calls) == sorted(missing)
    check_whole(again, plan)
    assert _summary(again) == _summary(fresh)
    facts = [chunk.facts for chunk in again if chunk.facts]
    assert [fact.cached for fact in facts] == [index not in missing for index in range(10)]
    assert [fact.characters for fact in facts] == [
        billed_characters(segment.text) if segment.index in missing else 0 for segment in segments
    ]


def _summary(chunks: list[Chunk]) -> tuple[object, ...]:
    """What a listener hears and reads, however it was cut into chunks."""
    spans = []
    for chunk in chunks:
        if not spans or chunk.span[0] >= spans[-1][1]:
            spans.append(chunk.span)
        else:
            spans[-1] = (spans[-1][0], max(spans[-1][1], chunk.span[1]))
    return b"".join(chunk.pcm for chunk in chunks), [word for chunk in chunks for word in chunk.words], spans


async def test_segments_run_at_once_within_the_bound() -> None:
    """As many segments are spoken at once as the engine allows, and never one more."""
    engine = Gated(Limits(by_sentence=True, concurrency=3))
    reading = asyncio.create_task(spoken(engine))
    await until_idle()
    assert (engine.asked, engine.running) == (3, 3)
    engine.gate.set()
    chunks = await reading
    assert (len(chunks), engine.asked, engine.most_running) == (10, 10, 3)


async def test_a_slow_reader_is_not_run_away_from() -> None:
    """With a reader that rests at the first chunk, only a few segments are spoken ahead, however long the text."""
    engine = Gated()
    engine.gate.set()
    async with aclosing(speak(*prepared(engine, TEXT * 100))) as chunks:
        await anext(chunks)
        await until_idle()
        assert engine.asked <= BY_SENTENCE.concurrency * ahead.DEPTH
        for _ in range(20):
            await anext(chunks)
        await until_idle()
        assert engine.asked <= 21 + BY_SENTENCE.concurrency * ahead.DEPTH


async def test_memory_does_not_grow_with_the_text() -> None:
    """A million characters are streamed in the memory that ten thousand take: no segment is kept."""

    async def peak(length: int) -> int:
        engine = Gated(Limits(characters=600))
        engine.gate.set()
        text = " ".join(f"{TEXT} {number}." for number in range(length // len(TEXT)))
        plan, studio = prepared(engine, text)
        await until_idle()
        tracemalloc.start()
        async for _ in speak(plan, studio):
            pass
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert engine.asked > length // 700
        return highest

    await peak(10_000)  # imports and caches
    small, large = await peak(10_000), await peak(1_000_000)
    assert large < small * 1.1 + 50_000


async def test_sound_is_not_kept_after_it_was_read() -> None:
    """Chunks that the reader has dropped are gone: what is alive is what is ahead, not what was read."""
    text = (TEXT + " ") * 40
    plan, studio = prepared(Fake(limits=Limits(characters=300, concurrency=2)), text)
    largest = 300 * 0.05 * SAMPLE_RATE * 2
    tracemalloc.start()
    async for _ in speak(plan, studio):
        pass
    highest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert highest < largest * (2 * ahead.DEPTH + 6)


@pytest.mark.parametrize("read", [0, 1, 4])
async def test_cancelling_stops_everything_at_once(read: int) -> None:
    """A cancelled reader is gone within 50 ms, and with it every call that was under way, cleaned up."""
    took = [await _cancelled(read) for _ in range(3)]
    assert min(took) < 0.05  # the best counts: machines are busy


async def _cancelled(read: int) -> float:
    """Cancel a reader after some chunks, see that nothing is left, and tell how long it took."""
    engine = Gated()
    taken = asyncio.Event()

    async def work() -> None:
        count = 0
        async with aclosing(speak(*prepared(engine))) as chunks:
            if read:
                engine.gate.set()
            async for _ in chunks:
                count += 1
                if count == read:
                    engine.gate.clear()
                    taken.set()

    reading = asyncio.create_task(work())
    if read:
        await taken.wait()
    await until_idle()
    assert engine.running > 0
    begun = time.perf_counter()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    took = time.perf_counter() - begun
    assert engine.running == 0
    assert engine.cleaned == engine.asked
    await until_idle()
    assert len(asyncio.all_tasks()) == 1
    assert not ahead._flights._flights
    return took


async def test_closing_early_stops_everything() -> None:
    """Who leaves the loop and closes the stream stops all calls; the generator ends only after their clean-up."""
    engine = Fake(otherwise=Act(delay=3600), script=[Act()], limits=BY_SENTENCE)
    async with asyncio.timeout(5), aclosing(speak(*prepared(engine))) as chunks:
        async for _ in chunks:
            break
        assert engine.running > 0
    assert engine.running == 0
    assert len(asyncio.all_tasks()) == 1


async def test_identical_segments_are_spoken_once(tmp_path: Path) -> None:
    """The same words in one text, in whatever white space, are one call, paid for once, each at its own place."""
    text = "Same words.  \n Same words. Same words.\n\nSame words. Other words. Same words."
    engine = Gated(Limits(by_sentence=True, concurrency=8))
    reading = asyncio.create_task(spoken(engine, text, Cache(str(tmp_path / "store"))))
    await until_idle()
    assert engine.asked == 2
    engine.gate.set()
    check_whole(await reading, prepared(engine, text)[0], exact=False)
    assert engine.asked == 2

    fake = Fake(otherwise=Act(delay=0.01, chunks=2), limits=Limits(by_sentence=True, concurrency=8))
    chunks = await spoken(fake, text, Cache(str(tmp_path / "other")))
    check_whole(chunks, prepared(fake, text)[0])
    assert len(fake.calls) == 2
    assert sum(chunk.facts.characters for chunk in chunks if chunk.facts) == len("Same words." + "Other words.")


async def test_two_readers_of_the_same_text_share_the_work(tmp_path: Path) -> None:
    """Two requests for the same text at the same time make each call once, and both get everything."""
    engine = Fake(otherwise=Act(delay=0.01, chunks=3), limits=BY_SENTENCE)
    cache = Cache(str(tmp_path / "store"))
    one, two = await asyncio.gather(spoken(engine, cache=cache), spoken(engine, cache=cache))
    assert _summary(one) == _summary(two)
    assert len(engine.calls) == len(SENTENCES)


async def test_one_reader_who_leaves_does_not_disturb_the_other(tmp_path: Path) -> None:
    """When one of two readers is cancelled, the shared call goes on for the other."""
    engine = Gated()
    cache = Cache(str(tmp_path / "store"))
    leaving, staying = (asyncio.create_task(spoken(engine, cache=cache)) for _ in range(2))
    await until_idle()
    leaving.cancel()
    await until_idle()
    engine.gate.set()
    assert len(await staying) == 10
    assert engine.asked == 10


async def test_a_repeated_request_calls_no_engine(tmp_path: Path) -> None:
    """What the cache holds is neither spoken nor billed again, nor does it warm the engine up."""
    cache = Cache(str(tmp_path / "store"))
    await spoken(Fake(limits=BY_SENTENCE), cache=cache)

    class Untouchable(Fake):
        def warm(self) -> None:
            raise AssertionError

    engine = Untouchable(limits=BY_SENTENCE)
    again = await spoken(engine, cache=cache)
    assert engine.calls == []
    assert all(chunk.facts and chunk.facts.cached and not chunk.facts.characters for chunk in again)
    # A different take, voice or rate is another sound:
    for options in ({"take": 2}, {"rate": 1.5}, {"instruction": "Sad."}):
        other = Fake(limits=BY_SENTENCE)
        await spoken(other, cache=cache, **options)
        assert len(other.calls) == 10


async def test_an_error_comes_after_the_sound_before_it(tmp_path: Path) -> None:
    """A segment's failure reaches the reader after all chunks of the segments before it; the rest is stopped."""
    failure = ServiceFailed("It broke.")
    engine = Fake([Act(), Act(), Act(chunks=3, error=failure, after=2)], otherwise=Act(delay=3600), limits=BY_SENTENCE)
    plan, studio = prepared(engine, cache=Cache(str(tmp_path / "store")))
    chunks = []

    async def read() -> None:
        async for chunk in speak(plan, studio):
            chunks.append(chunk)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(ServiceFailed) as caught:
        await read()
    assert caught.value is failure
    assert [chunk.span for chunk in chunks if chunk.facts] == [(0, 28), (29, 57)]
    assert len(chunks) == 4
    assert engine.running == 0


async def test_the_same_command_goes_on_where_it_failed(tmp_path: Path) -> None:
    """After a failure what was finished is in the cache, and the next try speaks only what is missing."""
    cache = Cache(str(tmp_path / "store"))
    one_by_one = Limits(by_sentence=True, concurrency=1)
    with pytest.raises(Throttled):
        await spoken(Fake([Act()] * 4 + [Act(error=Throttled("Slow."))], limits=one_by_one), cache=cache)
    engine = Fake(limits=one_by_one)
    chunks = await spoken(engine, cache=cache)
    check_whole(chunks, prepared(engine)[0])
    assert {segment.text for segment in engine.calls} <= set(SENTENCES[4:])
    assert [chunk.facts.cached for chunk in chunks if chunk.facts][:4] == [True] * 4


async def test_what_is_not_complete_is_not_kept(tmp_path: Path) -> None:
    """Half a segment, and one whose engine never said that it is done, does not get into the cache."""
    cache = Cache(str(tmp_path / "store"))
    with pytest.raises(ServiceFailed):
        await spoken(Fake([Act(chunks=4, error=ServiceFailed("x"), after=3)]), "One line.", cache)
    engine = Fake([Act(chunks=4, pace=3600)])
    async with aclosing(speak(*prepared(engine, "One line.", cache))) as chunks:
        await anext(chunks)
    assert cache.stats().entries == 0


async def test_a_broken_cache_does_not_break_a_request(tmp_path: Path) -> None:
    """Entries that rotted are spoken again; a place where nothing can be kept only means that nothing is kept."""
    store = tmp_path / "store"
    await spoken(Fake(limits=BY_SENTENCE), cache=Cache(str(store)))
    entries = [path for path in store.rglob("*") if path.is_file() and path.stat().st_size > 1000]
    for index, path in enumerate(entries):
        path.write_bytes(path.read_bytes()[: index * 7] if index % 2 else b"rubbish" * 99)
    engine = Fake(limits=BY_SENTENCE)
    check_whole(await spoken(engine, cache=Cache(str(store))), prepared(engine)[0])
    assert len(engine.calls) == len(entries) == 10
    (tmp_path / "file").write_text("no directory")
    engine = Fake(limits=BY_SENTENCE)
    check_whole(await spoken(engine, cache=Cache(str(tmp_path / "file" / "below"))), prepared(engine)[0])


async def test_a_changed_sample_rate_is_an_error() -> None:
    """An engine that changes its sample rate between segments cannot be joined, and says so."""

    class Changing(Fake):
        async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
            rate = 24_000 if segment.index < 2 else 16_000
            yield Chunk(b"\0\0", rate, 0, segment.span, facts=Facts("fake"))

    with pytest.raises(BadReply, match="16000"):
        await spoken(Changing(limits=BY_SENTENCE))
