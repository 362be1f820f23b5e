"""A backup's own place in the cache."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from lineread.cache import Cache
from lineread.engines.base import Engine, Limits
from lineread.engines.fake import Act, Fake
from lineread.errors import ServiceFailed, Unreachable
from lineread.speech import Chunk, Facts, Request, Segment, Word
from lineread.wrappers import equip
from lineread.wrappers.cached import Cached

TEXT = "Before.  Hello there, friend. And you? "
SEGMENT = Segment(Request(TEXT, "Cherry"), 1, 7, len(TEXT))


class Backup(Fake):
    """A fake by another name."""

    name = "backup"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(str(tmp_path))


async def speak(engine: Engine, segment: Segment = SEGMENT) -> list[Chunk]:
    return [chunk async for chunk in engine.stream(segment)]


async def told(engine: Engine) -> Facts:
    facts = (await speak(engine))[-1].facts
    assert facts is not None
    return facts


def whole(chunks: list[Chunk]) -> tuple[bytes, list[Word]]:
    return b"".join(chunk.pcm for chunk in chunks), [word for chunk in chunks for word in chunk.words]


async def test_what_was_spoken_is_not_spoken_again(cache: Cache) -> None:
    """The same words, at whatever place of a text, come back as they were, at no cost, and say so."""
    fake = Fake(otherwise=Act(chunks=3))
    engine = Cached(fake, cache)
    spoken = await speak(engine)
    stored = await speak(engine)
    assert whole(stored) == whole(spoken)
    assert (len(fake.calls), len(stored)) == (1, 1)
    facts = spoken[-1].facts
    assert facts is not None
    assert stored[0].facts == replace(facts, cached=True, characters=0)
    elsewhere = Segment(replace(SEGMENT.request, text=SEGMENT.text), 0, 0, len(SEGMENT.text))
    words = (await speak(engine, elsewhere))[0].words
    assert [SEGMENT.text[slice(*word.span)] for word in words] == SEGMENT.text.split()
    assert len(fake.calls) == 1


async def test_only_what_is_complete_is_kept(cache: Cache) -> None:
    """What broke off, or was left before its end, is spoken again."""
    fake = Fake([Act(chunks=3, after=2, error=ServiceFailed("x"))], otherwise=Act(chunks=3))
    with pytest.raises(ServiceFailed):
        await speak(Cached(fake, cache))
    async with aclosing(Cached(fake, cache).stream(SEGMENT)) as chunks:
        await anext(chunks)
    await speak(Cached(fake, cache))
    assert len(fake.calls) == 3


async def test_a_fallback_is_paid_for_once_and_masks_nothing(cache: Cache) -> None:
    """While the first engine fails, the backup speaks a line once; when it is back, it is the one to be heard."""
    first, backup = Fake(otherwise=Act(error=Unreachable("x"))), Backup()
    spoken = await told(equip(first, backup, None, cache=cache))
    assert (spoken.engine, spoken.cached, spoken.characters) == ("backup", False, len(SEGMENT.text))
    stored = await told(equip(first, backup, None, cache=cache))
    assert stored == replace(spoken, cached=True, characters=0)
    assert stored.fallback_reason == "x"
    assert len(backup.calls) == 1
    assert cache.get(SEGMENT.key(first.fingerprint(SEGMENT.request))) is None
    first._otherwise = Act()
    assert (await told(equip(first, backup, None, cache=cache))).engine == "fake"


async def test_a_segment_of_which_a_part_was_kept(cache: Cache) -> None:
    """It counts as cached when all its parts were, and costs what the others cost."""
    first = Fake(otherwise=Act(error=Unreachable("x")))
    backup = Backup(limits=Limits(by_sentence=True))
    await speak(equip(first, backup, None, cache=cache), Segment(Request("And you?", "Cherry"), 0, 0, 8))
    facts = await told(equip(first, backup, None, cache=cache))
    assert (facts.cached, facts.characters) == (False, len("Hello there, friend."))
    facts = await told(equip(first, backup, None, cache=cache))
    assert (facts.cached, facts.characters) == (True, 0)
