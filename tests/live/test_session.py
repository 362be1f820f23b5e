"""Sessions of the library: text in, sound out, at the same time. The engine is the fake one; see ears for sound."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineread import tts
from lineread.client import Client
from lineread.engines.fake import Act, Fake
from lineread.errors import (
    LinereadError,
    NoAudio,
    OptionError,
    RequestError,
    ServiceFailed,
    TextError,
    TimedOut,
    VoiceError,
)
from lineread.live import local
from lineread.speech import Chunk, LiveRequest, Request, Segment
from live.helpers import TALK, Listener, live, meanwhile, say
from server.live import until

cuts = st.lists(st.integers(0, len(TALK)), max_size=30).map(sorted)


def chopped(text: str, places: list[int]) -> list[str]:
    bounds = [0, *places, len(text)]
    return [text[start:end] for start, end in pairwise(bounds)]


@given(cuts)
@settings(max_examples=40)
async def test_every_word_is_heard_once_however_the_text_comes(places: list[int]) -> None:
    """Words come whole, in order, once; the sound is the same to the sample; offsets leave no gap."""
    async with live() as session:
        listener = await say(session, chopped(TALK, places))
    assert listener.words(TALK) == TALK.split()
    reached = 0
    for chunk in listener.chunks:
        assert chunk.offset == reached
        reached += chunk.samples
    assert [chunk.final for chunk in listener.chunks].count(True) >= 1
    assert listener.chunks[-1].final
    assert session.finish_reason == "stop"
    assert session.heard().text == TALK


async def test_the_sound_does_not_depend_on_the_pieces() -> None:
    """A text letter by letter sounds as it does at once."""
    sounds = []
    for pieces in ([TALK], list(TALK)):
        async with live() as session:
            listener = await say(session, pieces)
        sounds.append(b"".join(chunk.pcm for chunk in listener.chunks))
    assert sounds[0] == sounds[1]


@given(st.data())
@settings(max_examples=40)
async def test_no_chunk_comes_after_a_cancel(data: st.DataObject) -> None:
    """Whenever it is called, nothing written before is heard after; what is written then is, to its last word."""
    engine = Fake(otherwise=Act(chunks=4, delay=0.001, pace=0.0005))
    async with live(engine) as session:
        listener = Listener(session)
        await session.write(TALK[: data.draw(st.integers(0, len(TALK)))])
        for _ in range(data.draw(st.integers(0, 40))):
            await asyncio.sleep(0.0005)
        await session.cancel()
        heard = len(listener.chunks)
        before = session.heard()
        await until(lambda: not engine.running)
        await meanwhile()
        assert len(listener.chunks) == heard
        written = len(session._hearing._text(0, 10_000)) + session._hearing._base
        await session.write("Something else, now.")
        await session.end()
        await listener.task
    after = listener.chunks[heard:]
    assert all(chunk.span[0] >= written for chunk in after)
    assert sum(len(chunk.words) for chunk in after) == 3
    assert session.heard().text == f"{before.text} Something else, now.".strip()


async def test_a_session_can_be_cancelled_from_its_reader() -> None:
    """Whoever hears something and calls cancel in the same loop hears nothing more of it."""
    async with live() as session:
        await session.write(TALK)
        count = 0
        async for _ in session:
            count += 1
            await session.cancel()
            await session.end()
        assert count == 1
    assert session.finish_reason == "cancelled"


async def test_what_was_heard_is_known_to_the_word() -> None:
    """Up to any second, the text that was spoken by then: whole words, growing, exact."""
    async with live() as session:
        listener = await say(session, [TALK])
    words = [word for chunk in listener.chunks for word in chunk.words]
    for word in words:
        heard = session.heard(word.end + 1e-6)
        assert heard.exact
        assert heard.end == word.span[1]
        assert heard.text == TALK[: word.span[1]]
    assert session.heard(0.0).text == ""
    assert session.heard(1e9).text == TALK


class Wordless(Fake):
    """A fake that does not know when it speaks which word."""

    async def stream(self, segment: object) -> AsyncIterator[Chunk]:  # type: ignore[override]
        from dataclasses import replace

        async for chunk in super().stream(segment):  # type: ignore[arg-type]
            yield replace(chunk, words=())


async def test_without_word_times_it_is_reckoned_and_said() -> None:
    """Then what was heard is in step with the sound, cut between words, and not called exact."""
    async with live(Wordless()) as session:
        await say(session, [TALK])
    ends = [session.heard(second / 10).end for second in range(int(session.tally.duration * 10))]
    assert ends == sorted(ends)
    assert not session.heard(2.0).exact
    assert session.heard(2.0).text.split() == TALK.split()[: len(session.heard(2.0).text.split())]


async def test_commit_mode_waits_for_the_commit() -> None:
    """Nothing is spoken before it; each commit is one response; what was cleared is never heard."""
    engine = Fake()
    request = LiveRequest("Cherry", mode="commit")
    async with live(engine, request) as session:
        listener = Listener(session)
        await session.write("One sentence. Another one.")
        await meanwhile()
        assert not engine.calls
        await session.commit()
        await session.write(" Never this.")
        await session.clear()
        await session.write(" But this.")
        await session.commit()
        await session.end()
        await listener.task
    assert [chunk.final for chunk in listener.chunks].count(True) == 2
    text = "One sentence. Another one. Never this. But this."
    assert listener.words(text) == ["One", "sentence.", "Another", "one.", "But", "this."]


async def test_a_clear_takes_nothing_back_that_was_committed() -> None:
    """Also of text that waits for its turn behind as much as is spoken at once."""
    async with live(Fake(otherwise=Act(delay=0.001)), LiveRequest("Cherry", mode="commit")) as session:
        listener = Listener(session)
        text = " ".join(f"Sentence {number} of many." for number in range(1, 61))
        await session.write(text)
        await session.commit()
        await session.write(" Never this.")
        await session.clear()
        await session.end()
        await listener.task
    assert listener.words(text) == text.split()


async def test_a_response_ends_when_all_was_spoken() -> None:
    """Without a commit, the listener is told when there is nothing left; the next text begins another response."""
    async with live() as session:
        listener = Listener(session)
        await session.write("A sentence that is whole. \n\n🙂 ")
        await listener.until(lambda chunks: bool(chunks) and chunks[-1].final)
        await session.write("Another one.")
        await session.end()
        await listener.task
    assert [chunk.final for chunk in listener.chunks].count(True) == 2


async def test_a_writer_waits_for_a_slow_reader() -> None:
    """Text that is far ahead of the listener waits with its writer, and memory holds no more than that."""
    engine = Fake()
    async with live(engine) as session:
        reading = asyncio.Event()

        async def read() -> None:
            async for _ in session:
                await reading.wait()

        reader = asyncio.create_task(read())
        written = 0

        async def write() -> None:
            nonlocal written
            for _ in range(500):
                await session.write(TALK + " ")
                written += len(TALK) + 1

        writer = asyncio.create_task(write())
        await until(lambda: written >= local.MOST_UNHEARD)
        await meanwhile()
        assert not writer.done()
        assert written <= local.MOST_UNHEARD + 2 * len(TALK)
        reading.set()
        async with asyncio.timeout(30):
            await writer
        await session.end()
        await reader


async def test_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that forgot to read is told so; it does not hang."""
    monkeypatch.setattr(local, "PATIENCE", 0.05)
    async with live() as session:
        await session.write(TALK * (local.MOST_UNHEARD // len(TALK) + 2))
        with pytest.raises(TimedOut, match="nobody reads"):
            await session.write(TALK)


async def test_a_voice_that_fails() -> None:
    """The reader gets the error, after what was spoken before it; the writer gets it with the next word."""
    engine = Fake([Act(), ServiceFailed("broken")])
    async with live(engine) as session:
        listener = Listener(session)
        await session.write("The first one is fine. The second is not. ")
        await session.write("And a third. ")
        with pytest.raises(ServiceFailed):
            await listener.task
        assert listener.words("The first one is fine.") == ["The", "first", "one", "is", "fine."]
        with pytest.raises(ServiceFailed):
            await session.write("Hello?")


async def test_text_that_cannot_be_spoken_is_its_writers_matter() -> None:
    """The machine's voice refuses what is not English where it is written, and speaks the rest."""
    async with Client(engine="builtin", cache=False).live(LiveRequest("Cherry")) as session:
        listener = Listener(session)
        with pytest.raises(TextError):
            await session.write("这是中文，它不会说。Then English again. ")
        await session.end()
        await listener.task
    assert session.heard().text.strip() == "Then English again."


async def test_text_that_cannot_be_spoken_is_named_by_its_place() -> None:
    """The character that an error names counts in all that was written, and not in a piece of it."""
    async with Client(engine="builtin", cache=False).live(LiveRequest("Cherry")) as session:
        await session.write("Good. ")

        async def go_on() -> None:
            for token in ("你好，世界。 ", "Then more. "):
                await session.write(token)

        with pytest.raises(TextError, match="first at character 7") as caught:
            await go_on()
        assert caught.value.place == 6
        assert caught.value.code == "language_unsupported"


async def test_a_clear_after_the_end() -> None:
    """What nobody has begun to speak is dropped then as before, and the chunks come to their end."""
    engine = Fake(otherwise=Act(delay=0.001))
    async with live(engine) as session:
        text = " ".join(f"Sentence {number} of many." for number in range(1, 61))
        await session.write(text)
        await session.end()
        await session.clear()
        chunks = [chunk async for chunk in session]
        await session.clear()
    assert 0 < len(engine.calls) < 30
    assert chunks[-1].final
    assert session.heard().text.strip().split() == text.split()[: 4 * len(engine.calls)]


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (LiveRequest("Chery"), VoiceError),
        (LiveRequest("Cherry", language_type="Klingon"), OptionError),
        (LiveRequest("Cherry", sample_rate=1), OptionError),
        (LiveRequest("Cherry", mode="sometimes"), OptionError),  # type: ignore[arg-type]
        (LiveRequest("Cherry", enable_tn="yes"), OptionError),  # type: ignore[arg-type]
        (LiveRequest("Cherry", language_type="Chinese"), LinereadError),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_is_wrong_is_said_before_it_is_opened(request_: LiveRequest, error: type[Exception]) -> None:
    """A session that cannot be is refused when it is asked for, not with its first word."""
    with pytest.raises(error):
        Client(engine="builtin", cache=False).live(request_)


async def test_after_the_end() -> None:
    """There is no more to write then; ending twice is no mistake, and neither is closing."""
    async with live() as session:
        await session.end()
        await session.end()
        with pytest.raises(RequestError, match="no more text"):
            await session.write("Hello.")
        assert [chunk async for chunk in session] == []
    await session.aclose()
    assert session.finish_reason == "stop"


async def test_leaving_waits_for_whoever_still_listens() -> None:
    """A writer that has ended may leave the block at once: another task hears all of it."""
    async with live(Fake(otherwise=Act(delay=0.01))) as session:
        listener = Listener(session)
        await session.write(TALK)
        await session.end()
    assert listener.words(TALK) == TALK.split()


async def test_leaving_by_an_error_waits_for_nobody() -> None:
    """The reader is released, and the work is stopped."""
    engine = Fake(otherwise=Act(delay=30))
    listeners = []

    async def broken() -> None:
        async with live(engine) as session:
            listeners.append(Listener(session))
            await session.write(TALK)
            await until(lambda: engine.running)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await broken()
    async with asyncio.timeout(5):
        await listeners[0].task
    assert engine.running == 0


async def test_another_sample_rate() -> None:
    """Chunks come at the rate that was asked for, without a gap, and as long as at the voice's own."""
    durations = []
    for rate in (24_000, 16_000, 48_000):
        async with live(request=LiveRequest("Cherry", sample_rate=rate)) as session:
            listener = await say(session, [TALK])
        assert {chunk.sample_rate for chunk in listener.chunks} == {rate}
        durations.append(sum(chunk.duration for chunk in listener.chunks))
    assert durations[1] == pytest.approx(durations[0], abs=0.001)
    assert durations[2] == pytest.approx(durations[0], abs=0.001)


async def test_a_sentence_that_does_not_end_is_spoken_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that falls silent in the middle of a sentence is heard up to there after a while."""
    monkeypatch.setattr(local, "QUIET", 0.02)
    monkeypatch.setattr(local, "LONG_QUIET", 0.05)
    async with live() as session:
        listener = Listener(session)
        await session.write(text := "This sentence has no end but")
        words = ["This", "sentence", "has", "no", "end", "but"]
        await listener.until(lambda _: listener.words(text) == words)
        await session.end()
        await listener.task


def test_threads() -> None:
    """The synchronous twin: one thread writes, another one reads, to the last word."""
    with live() as session:

        def write() -> None:
            for word in TALK.split(" "):
                session.write(word + " ")
            session.end()

        writer = threading.Thread(target=write)
        writer.start()
        chunks = list(session)
        writer.join()
    assert [TALK[slice(*word.span)] for chunk in chunks for word in chunk.words] == TALK.split()
    assert session.heard().text.strip() == TALK
    assert session.finish_reason == "stop"


def test_leaving_waits_for_a_thread_that_still_listens() -> None:
    """As with tasks: whoever writes may leave at once, and the other thread hears all of it."""
    chunks: list[Chunk] = []
    begun = threading.Event()
    with live(Fake(otherwise=Act(delay=0.01))) as session:

        def read() -> None:
            for chunk in session:
                chunks.append(chunk)
                begun.set()

        reader = threading.Thread(target=read)
        reader.start()
        session.write(TALK)
        session.end()
        assert begun.wait(10)
    reader.join(10)
    assert [TALK[slice(*word.span)] for chunk in chunks for word in chunk.words] == TALK.split()


def test_threads_and_a_cancel() -> None:
    """Another thread falls silent for good: the reader ends when the session is left."""
    with live(Fake(otherwise=Act(chunks=10, pace=0.01))) as session:
        session.write(TALK)
        next(iter(session))
        session.cancel()
        session.write("New.")
        session.end()
        rest = list(session)
    assert sum(len(chunk.words) for chunk in rest) == 1


def _letters() -> Iterator[str]:
    yield from TALK


async def _words() -> AsyncIterator[str]:
    for word in TALK.split(" "):
        yield word + " "


def test_the_normalized_call() -> None:
    """``tts.realtime`` gives exactly the promised fields, for a text and for its pieces."""
    whole = tts.realtime(TALK, "Cherry", engine="fake")
    assert list(whole.to_dict()) == ["audio_base64_pcm_chunks", "sample_rate", "finish_reason"]
    assert whole.finish_reason == "stop"
    assert tts.realtime(_letters(), "Cherry", engine="fake").pcm == whole.pcm


async def test_the_normalized_call_for_callers_with_an_event_loop() -> None:
    """Its twin takes an asynchronous stream of texts as well."""
    spoken = await tts.arealtime(_words(), "Cherry", engine="fake", sample_rate=16_000)
    assert spoken.sample_rate == 16_000
    assert spoken.duration > 1


@pytest.mark.parametrize("text", ["", [], " \n", "...", ["\N{SMILING FACE WITH SMILING EYES}"]], ids=repr)
def test_nothing_to_say(text: str | list[str]) -> None:
    """A text without a word is the error that it is for one line, not silence and not a hang."""
    with pytest.raises(TextError):
        tts.realtime(text, "Cherry", engine="fake")


@pytest.mark.parametrize("text", [7, [7], None, {"Hello": 1}, b"Hello", bytearray(b"Hello")], ids=repr)
def test_what_is_no_text(text: object) -> None:
    """It is refused, also where it would yield something that could be spoken."""
    with pytest.raises(OptionError, match="must be a string"):
        tts.realtime(text, "Cherry", engine="fake")  # type: ignore[arg-type]


def test_words_without_sound() -> None:
    """Where there were words and no sound came, the engine has failed, not the text."""
    with pytest.raises(NoAudio):
        tts.realtime("Hello.", "Cherry", engine=Fake(otherwise=Act(silent=True)))


def test_a_source_that_fails() -> None:
    """An error of whoever writes the text reaches the caller as it is."""

    def broken() -> Iterator[str]:
        yield "Hello. "
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        tts.realtime(broken(), "Cherry", engine="fake")


def test_an_unknown_argument() -> None:
    """It is refused with a hint."""
    with pytest.raises(OptionError, match="mode"):
        tts.live("Cherry", mod="commit")  # type: ignore[call-arg]


@pytest.mark.parametrize("turns", range(8))
async def test_who_gives_up_waiting_loses_nothing(turns: int) -> None:
    """A wait for a chunk that is timed out, or a reader that is cancelled, leaves all sound to who reads next."""
    async with Client(engine="fake", cache=False).live(LiveRequest("Cherry")) as session:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(session), 0.01)
        await session.write("One and two. ")
        first = await asyncio.wait_for(anext(session), 10)
        reader = asyncio.create_task(anext(session))
        for _ in range(turns):
            await asyncio.sleep(0)
        reader.cancel()
        await asyncio.wait([reader])
        chunks = [first, reader.result()] if not reader.cancelled() and reader.exception() is None else [first]
        await session.write("Three and four.")
        await session.end()
        chunks += [chunk async for chunk in session]
        assert session.heard().text == "One and two. Three and four."
        offsets = [chunk.offset for chunk in chunks]
        assert offsets == [sum(chunk.samples for chunk in chunks[:at]) for at in range(len(chunks))]


async def test_two_readers() -> None:
    """A second reader is told that there is one, and takes nothing from the first."""
    async with Client(engine="fake", cache=False).live(LiveRequest("Cherry")) as session:
        first = asyncio.create_task(anext(session))
        await asyncio.sleep(0)
        with pytest.raises(RequestError, match="Somebody else is reading"):
            await anext(session)
        await session.write("Hello there. ")
        assert (await first).samples
        await session.end()
        assert [chunk async for chunk in session]


def test_a_session_that_is_not_open() -> None:
    """Who writes before opening is told how to open."""
    live = Client(engine="fake", cache=False).live(LiveRequest("Cherry"))
    with pytest.raises(AttributeError, match="not open yet"):
        live.write("Hello.")
    assert not hasattr(live, "voice")


@pytest.mark.parametrize("second", [math.nan, "2", None])
async def test_seconds_that_are_none(second: Any) -> None:
    """Before the beginning nothing was heard; what is no second is refused."""
    async with Client(engine="fake", cache=False).live(LiveRequest("Cherry")) as session:
        await session.write("Hello there.")
        await session.end()
        assert [chunk async for chunk in session]
        assert session.heard(-1) == session.heard(0) == ("", 0, True)
        if second is not None:
            with pytest.raises(OptionError, match="must be a number"):
                session.heard(second)


async def test_pieces_with_marks_of_their_own_are_kept(tmp_path: Path) -> None:
    """Where an engine's mark depends on the text, as several voices' together does, each piece is found again."""

    class Several(Fake):
        def fingerprint(self, request: Request) -> str:
            return f"several/{'Latin' if request.text.isascii() else 'Han'}"

        async def stream(self, segment: Segment) -> AsyncIterator[Chunk]:
            async for chunk in super().stream(segment):
                facts = chunk.facts and replace(chunk.facts, fingerprint=self.fingerprint(segment.request))
                yield replace(chunk, facts=facts)

    for cached in (False, True):
        async with Client(engine=Several(), cache_dir=tmp_path).live(LiveRequest("Cherry")) as session:
            await session.write("Hello there, everybody. 大家好，欢迎光临。 And once more.")
            await session.end()
            assert [chunk async for chunk in session]
            assert session.tally.cached is cached
