"""Sessions with a fallback: another voice speaks all of one that cannot be opened, and nothing of any other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from lineread.client import Client
from lineread.engines.base import Turn
from lineread.engines.fake import Act, Fake
from lineread.engines.link import Link
from lineread.errors import (
    LinereadError,
    OptionError,
    Refused,
    ServiceFailed,
    SpeechCut,
    Throttled,
    Unauthorized,
    Unreachable,
    VoiceError,
)
from lineread.live.local import Local
from lineread.speech import Chunk, LiveRequest, Request
from live.helpers import TALK, Listener, say

#: A request that only the first engine could take as it is.
ASKED = LiveRequest("Cherry", model="qwen3-tts-flash-realtime", sample_rate=16_000)


class Line(Local):
    """A link that fails when it is opened, or while it is read."""

    def __init__(self, request: LiveRequest, first: First) -> None:
        super().__init__(request, first, None)
        self.first = first
        self.closed = False

    async def open(self) -> None:
        if self.first.failure is not None:
            raise self.first.failure

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        async for chunk in super().chunks():
            yield chunk
            raise SpeechCut("The connection was lost.", delivered=chunk.span)

    async def aclose(self) -> None:
        self.closed = True
        await super().aclose()


class First(Fake):
    """An engine with links of its own."""

    name = "first"

    def __init__(self, failure: LinereadError | None = None) -> None:
        super().__init__()
        self.failure = failure
        self.lines: list[Line] = []

    def link(self, request: LiveRequest, *, turn: Turn | None = None) -> Link:
        self.lines.append(Line(request, self))
        return self.lines[-1]


class Unable(Fake):
    """A backup that cannot speak as asked."""

    name = "unable"

    def resolve(self, request: Request) -> Request:
        raise OptionError("It knows no such voice.", remedy="Ask for another.")


@pytest.mark.parametrize(
    "failure",
    [
        Unreachable("There is no way."),
        Unauthorized("The key is wrong."),
        Throttled("Slow down."),
        ServiceFailed("It broke."),
    ],
    ids=lambda failure: type(failure).__name__,
)
async def test_the_backup_speaks_a_session_that_cannot_be_opened(failure: LinereadError) -> None:
    """All of it, at the rate that was asked for, by its own model; the result says why, and does from the cache."""
    first, backup = First(failure), Fake()
    client = Client(engine=first, fallback=backup)
    for cached in (False, True):
        async with client.live(ASKED) as session:
            listener = await say(session, [TALK])
        assert listener.words(TALK) == TALK.split()
        assert (session.tally.engine, session.tally.fallback_reason) == ("fake", failure.message)
        assert session.tally.cached is cached
        assert (session.request.model, session.sample_rate) == ("fake", 16_000)
        assert {chunk.sample_rate for chunk in listener.chunks} == {16_000}
    assert {call.request.model for call in backup.calls} == {"fake"}
    assert all(line.closed for line in first.lines)
    assert first.calls == []


@pytest.mark.parametrize("failure", [Refused("Not this."), VoiceError("Whose voice?")], ids=["refused", "request"])
async def test_what_is_wrong_with_the_request_stays_an_error(failure: LinereadError) -> None:
    """Another voice would hide it."""
    with pytest.raises(type(failure)):
        async with Client(engine=First(failure), fallback=Fake()).live(ASKED):
            pass


async def test_a_backup_that_cannot_help() -> None:
    """The first engine's error comes, and says why the other one does not speak."""
    failure = Unreachable("There is no way.", remedy="Look at the cable.")
    with pytest.raises(Unreachable, match=r"There is no way \(unable cannot stand in: It knows no such voice\)\."):
        async with Client(engine=First(failure), fallback=Unable()).live(ASKED):
            pass


async def test_a_failure_in_mid_session_stays_an_error() -> None:
    """One session has one voice; the error says what was delivered."""
    backup = Fake()
    async with Client(engine=First(), fallback=backup, cache=False).live(ASKED) as session:
        await session.write(TALK)
        with pytest.raises(SpeechCut) as cut:
            async for _ in session:
                pass
    assert cut.value.delivered[1] > 0
    assert session.tally.samples > 0
    assert backup.calls == []


async def test_without_a_fallback_no_other_voice_speaks() -> None:
    """A voice never changes by itself."""
    with pytest.raises(Unreachable):
        async with Client(engine=First(Unreachable("There is no way."))).live(ASKED):
            pass


async def test_the_backup_is_a_session_like_any_other() -> None:
    """A reader that gives up waiting loses nothing, and cancel and clear take effect."""
    backup = Fake(otherwise=Act(delay=0.05))
    async with Client(engine=First(Unreachable("No.")), fallback=backup, cache=False).live(ASKED) as session:
        await session.write("One. ")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(session), 0.01)
        await session.commit()
        assert (await anext(session)).pcm
        await session.write("Two. ")
        await session.cancel()
        await session.write("Thr")
        await session.clear()
        listener = Listener(session)
        await session.write("Four.")
        await session.end()
        await listener.task
    assert "".join(listener.words("One. Two. ThrFour.")) == "Four."


def test_the_cloud_is_not_to_be_reached() -> None:
    """So it is with the real engine, for threads as well."""
    where = {"api_key": "sk-of-a-test", "base_url": "http://127.0.0.1:1"}
    with (
        Client(engine="dashscope", fallback="fake", **where) as client,
        client.live(LiveRequest("Cherry")) as session,
    ):
        session.write("Hello.")
        session.end()
        assert sum(chunk.samples for chunk in session) > 0
        assert session.tally.engine == "fake"
        assert "127.0.0.1" in session.tally.fallback_reason
