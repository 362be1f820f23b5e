"""All wrappers together: the order in which they are put on."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineread.engines.base import Quota
from lineread.engines.fake import Act, Fake
from lineread.errors import NoAudio, Refused, Unauthorized, Unreachable
from lineread.speech import Chunk, Request, Segment
from lineread.wrappers import equip
from lineread.wrappers.breaker import CircuitBreaker
from lineread.wrappers.fallback import Fallback

SEGMENT = Segment(Request("Hello there, friend.", "Cherry"), 0, 0, 20)


class Backup(Fake):
    """A fake by another name."""

    name = "backup"


class Counted(Fake):
    """A fake whose calls are counted, though not slowed down."""

    def quota(self, request: Request) -> Quota:
        return Quota("account", 60_000)


async def speak(engine: Fake, backup: Fake | None, state: Path | None) -> list[Chunk]:
    return [chunk async for chunk in equip(engine, backup, None if state is None else str(state)).stream(SEGMENT)]


async def test_a_good_call_is_finished_and_counted(tmp_path: Path) -> None:
    """Facts come last, edges are faded, the call counts against its quota, and the wrapped engine keeps its name."""
    chunks = await speak(Counted(), None, tmp_path)
    assert chunks[-1].facts is not None
    assert chunks[-1].pcm[-2:] == b"\0\0"
    assert [path.name for path in (tmp_path / "limits").iterdir()] == ["account"]
    assert equip(Counted(), Backup(), None).name == "fake"


async def test_a_silent_reply_counts_as_a_failure() -> None:
    """What nobody can hear is the engine's error, so the backup speaks; but it is not asked, and paid, for again."""
    engine = Fake(otherwise=Act(silent=True))
    with pytest.raises(NoAudio):
        await speak(engine, None, None)
    assert len(engine.calls) == 1
    facts = (await speak(engine, Backup(), None))[-1].facts
    assert facts is not None
    assert facts.engine == "backup"


async def test_a_refusal_stays_one() -> None:
    """With everything around it, a refusal is made once and comes out; a wrong key leads to the backup."""
    engine = Fake([Refused("Not this."), Unauthorized("Wrong key.")])
    with pytest.raises(Refused):
        await speak(engine, Backup(), None)
    facts = (await speak(engine, Backup(), None))[-1].facts
    assert facts is not None
    assert (facts.engine, len(engine.calls)) == ("backup", 2)


async def test_a_dead_engine_is_tried_for_one_segment_only() -> None:
    """With a backup, the segments after the first failure go to it at once; without one each is tried in full."""
    down = Act(error=Unreachable("Nobody there."))
    engine, backup = Fake(otherwise=down), Backup()
    whole = equip(engine, backup, None)
    for _ in range(20):
        facts = [chunk.facts async for chunk in whole.stream(SEGMENT)][-1]
        assert facts is not None
        assert (facts.engine, facts.fallback_reason) == ("backup", "Nobody there.")
    assert (len(engine.calls), len(backup.calls)) == (1, 20)
    alone = equip(engine, None, None)
    for _ in range(3):
        with pytest.raises(Unreachable):
            await anext(alone.stream(SEGMENT))
    assert len(engine.calls) == 4


async def test_a_dead_engine_is_probed_without_retries() -> None:
    """To find it still dead takes one call; its retries would hold up all that follows."""
    engine = Fake([Unreachable("x")], otherwise=Act(error=Unreachable("x", retryable=True)))
    whole = equip(engine, Backup(), None)
    assert isinstance(whole, Fallback)
    assert isinstance(whole.inner, CircuitBreaker)
    for calls in (1, 2):
        whole.inner._until = 0.0
        assert [chunk async for chunk in whole.stream(SEGMENT)]
        assert len(engine.calls) == calls
