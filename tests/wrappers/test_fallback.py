"""The other engine: when it speaks, how it cuts and joins, what it says of itself, and what it never covers up."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import pytest

from lineread import text
from lineread.engines.base import Limits
from lineread.engines.fake import Act, Fake
from lineread.errors import (
    BadReply,
    EngineError,
    NoAudio,
    QuotaExceeded,
    Refused,
    ServiceFailed,
    TextError,
    Throttled,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from lineread.speech import Chunk, Request, Segment
from lineread.wrappers.fallback import Fallback

TEXT = "  Hello there, dear friend. How are you today? I am fine. "
REQUEST = Request("Before. " + TEXT, "Cherry", model="qwen3-tts-flash", rate=1.25)
SEGMENT = Segment(REQUEST, 3, 8, 8 + len(TEXT))


class Backup(Fake):
    """A fake that takes no model of another engine and, if told so, no text at all."""

    name = "backup"

    def __init__(self, *script: Act | Exception, characters: int = 600, by_sentence: bool = False) -> None:
        super().__init__(script, limits=Limits(characters, by_sentence=by_sentence))
        self.mute = False
        self.closed = False

    def resolve(self, request: Request) -> Request:
        assert request.model is None
        if self.mute:
            raise TextError("This is not English.", remedy="Use the cloud.")
        return replace(request, model="its own")

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        async with aclosing(super().stream(segment)) as chunks:
            async for chunk in chunks:
                yield replace(chunk, facts=chunk.facts and replace(chunk.facts, fingerprint=""))

    async def aclose(self) -> None:
        self.closed = True


async def speak(fallback: Fallback) -> list[Chunk]:
    return [chunk async for chunk in fallback.stream(SEGMENT)]


@pytest.mark.parametrize(
    "failure", [Unreachable, Throttled, ServiceFailed, Unauthorized, QuotaExceeded, TimedOut, BadReply, NoAudio]
)
async def test_the_backup_speaks_when_the_first_engine_fails(failure: type[EngineError]) -> None:
    """Before anything was heard, any failure but a refusal leads to the backup, and the facts say who has spoken."""
    backup = Backup()
    chunks = await speak(Fallback(Fake([failure("x")]), backup))
    facts = chunks[-1].facts
    assert facts is not None
    assert (facts.engine, facts.fingerprint, facts.model) == ("backup", "backup/1", "its own")
    assert [call.text for call in backup.calls] == [TEXT.strip()]
    assert backup.calls[0].request.voice == "Cherry"


async def test_without_a_failure_the_backup_is_never_asked() -> None:
    """What the first engine speaks comes through unchanged, under its own name."""
    backup = Backup()
    assert await speak(Fallback(Fake(), backup)) == [chunk async for chunk in Fake().stream(SEGMENT)]
    assert backup.calls == []


@pytest.mark.parametrize("act", [Refused("Not this."), Act(chunks=3, after=1, error=ServiceFailed("x"))])
async def test_what_is_refused_or_half_spoken_stays_so(act: Act | Exception) -> None:
    """Refused content is not spoken by another voice, and no voice changes in the middle of a segment."""
    backup = Backup()
    with pytest.raises((Refused, ServiceFailed)):
        await speak(Fallback(Fake([act]), backup))
    assert backup.calls == []


@pytest.mark.parametrize("by_sentence", [True, False])
async def test_a_long_segment_is_cut_the_backups_way_and_joined_again(*, by_sentence: bool) -> None:
    """The backup's pieces arrive as one segment: places in text and time fit, pauses are kept, one chunk has facts."""
    backup = Backup(characters=30, by_sentence=by_sentence)
    chunks = await speak(Fallback(Fake([Unreachable("x")]), backup))
    pieces = list(text.split(TEXT.strip(), 30, by_sentence=by_sentence))
    assert len(pieces) >= 2
    assert [call.text for call in backup.calls] == [TEXT.strip()[piece.start : piece.end].strip() for piece in pieces]

    samples = 0
    for chunk in chunks:
        assert chunk.offset == samples
        samples += chunk.samples
    assert [chunk.facts is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert {(chunk.pause, chunk.final) for chunk in chunks} == {(0, False)}
    facts = chunks[-1].facts
    assert facts is not None
    assert facts.characters == sum(len(call.text) for call in backup.calls)

    spoken = sum(0.05 * len(call.text) for call in backup.calls)
    pauses = sum(piece.pause for piece in pieces[:-1])
    assert pauses > 0
    assert samples / 24_000 == pytest.approx((spoken + pauses) / REQUEST.rate, abs=0.02 * len(pieces))
    words = [word for chunk in chunks for word in chunk.words]
    assert [REQUEST.text[slice(*word.span)] for word in words] == TEXT.split()
    assert all(word.start < word.end for word in words)
    assert sorted(word.start for word in words) == [word.start for word in words]
    assert words[-1].end == pytest.approx(samples / 24_000, abs=0.03)


@pytest.mark.parametrize("mute", [True, False])
async def test_when_neither_can_the_first_engines_error_comes_out(*, mute: bool) -> None:
    """The first error is the one to mend; its message says why the backup did not help, and it leads there."""
    failure = Unreachable("No connection.", retryable=True)
    backup = Backup(ServiceFailed("It broke."))
    backup.mute = mute
    with pytest.raises(Unreachable) as caught:
        await speak(Fallback(Fake([failure]), backup))
    assert caught.value is failure
    reason = "This is not English" if mute else "It broke"
    assert failure.message == f"No connection (backup cannot stand in: {reason})."
    assert isinstance(failure.__cause__, TextError if mute else ServiceFailed)


async def test_a_backup_that_breaks_while_it_is_heard_says_so() -> None:
    """After the backup's first chunk its own error comes out."""
    backup = Backup(Act(chunks=3, after=1, error=ServiceFailed("It broke.")))
    with pytest.raises(ServiceFailed):
        await speak(Fallback(Fake([Unreachable("x")]), backup))


async def test_leaving_early_stops_whoever_speaks() -> None:
    """Closing the stream closes that of the engine that speaks, whichever it is."""
    for first, backup in ((Fake(otherwise=Act(chunks=5)), Backup()), (Fake([Unreachable("x")]), Backup(Act(chunks=5)))):
        stream = Fallback(first, backup).stream(SEGMENT)
        await anext(stream)
        assert first.running + backup.running == 1
        await stream.aclose()
        assert first.running + backup.running == 0


async def test_closing_closes_both() -> None:
    """Both engines give back what they hold, also if closing the first one fails."""

    class Broken(Fake):
        async def aclose(self) -> None:
            raise ServiceFailed("x")

    backup = Backup()
    with pytest.raises(ServiceFailed):
        await Fallback(Broken(), backup).aclose()
    assert backup.closed
