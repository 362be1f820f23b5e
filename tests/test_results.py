"""What comes back: sums that are right, responses with exactly the promised fields, and files only when asked for."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import wave
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from lineread._sync import Iteration
from lineread.engines.base import Limits
from lineread.engines.fake import SECONDS_PER_CHARACTER, Act, Fake
from lineread.errors import NoAudio, OptionError, ServiceFailed
from lineread.pipeline import Studio, speak
from lineread.plan import Plan, make
from lineread.results import AsyncStream, Speech, Stream, Tally
from lineread.speech import Chunk, Facts, Request, Spoken

TEXT = "One line here. And the second line."
BY_SENTENCE = Limits(by_sentence=True)


def planned(engine: Fake, **fields: object) -> tuple[Plan, Studio]:
    plan = make(Request(TEXT, "Ethan", **fields), engine)  # type: ignore[arg-type]
    return plan, Studio(engine, None, plan.fingerprint)


@dataclass(frozen=True)
class Work:
    """What a result knows of its job."""

    request: Request
    default_path: str = "out/default.wav"


def stream(engine: Fake | None = None, default: str = "out/default.wav", **fields: object) -> Stream:
    plan, studio = planned(engine or Fake(otherwise=Act(chunks=3), limits=BY_SENTENCE), **fields)
    return Stream(Work(plan.request, default), Iteration(speak(plan, studio)))


def async_stream(engine: Fake | None = None) -> AsyncStream:
    plan, studio = planned(engine or Fake(otherwise=Act(chunks=3), limits=BY_SENTENCE))
    return AsyncStream(Work(plan.request), speak(plan, studio))


def test_a_speech_is_the_sum_of_its_chunks() -> None:
    """Sound, duration, segments and words of a collected speech are those of the chunks, nothing else."""
    chunks = list(stream())
    speech = stream().collect()
    assert speech.pcm == b"".join(chunk.pcm for chunk in chunks)
    assert speech.duration == pytest.approx(sum(chunk.duration for chunk in chunks))
    assert list(speech.words) == [word for chunk in chunks for word in chunk.words]
    one, two = speech.segments
    assert (one.span, two.span) == ((0, 14), (15, 35))
    assert (one.start, one.end) == (0.0, pytest.approx(14 * SECONDS_PER_CHARACTER))
    pause = next(chunk.pause for chunk in chunks if chunk.pause) / speech.sample_rate
    assert two.start == pytest.approx(one.end + pause)
    assert two.end == pytest.approx(speech.duration)
    assert [TEXT[slice(*word.span)] for word in speech.words] == TEXT.split()
    assert speech.words[-1].end <= speech.duration


def test_what_a_speech_tells_of_itself() -> None:
    """Engine, model, stand-in, ids and cost are gathered over all segments, each name once."""
    speech = stream().collect()
    assert (speech.engine, speech.model, speech.stand_in, speech.voice) == ("fake", "fake", "a tone", "Ethan")
    assert (speech.characters, speech.request_id, speech.cached) == (34, "fake-1, fake-2", False)
    assert (speech.sample_rate, speech.format, speech.path) == (24_000, "wav", None)
    facts = [Facts("dashscope", model="m", cached=True), Facts("builtin", stand_in="s", cached=True), Facts("builtin")]
    mixed = Speech(
        b"\0\0" * 24,
        24,
        "wav",
        "Cherry",
        tuple(Spoken((0, 1), 0, 1, each) for each in facts),
        (),
        _job=Work(Request(TEXT, "Cherry")),
    )
    assert (mixed.engine, mixed.model, mixed.stand_in, mixed.cached) == ("dashscope, builtin", "m", "s", False)
    assert mixed.duration == 1.0


def test_a_repr_is_short_and_keeps_the_text_to_itself() -> None:
    """Printed in a log or a notebook, a speech shows neither megabytes nor what was said."""
    shown = repr(stream().collect())
    assert len(shown) < 100
    assert "line" not in shown.replace("<Speech", "")
    assert "Ethan" in shown


def test_the_response_of_a_whole_speech() -> None:
    """``to_dict`` has exactly the promised fields, JSON-ready; the URL leads to the sound, saved now if it was not."""
    speech = stream().collect()
    response = json.loads(json.dumps(speech.to_dict()))
    assert set(response) == {"audio_url", "sample_rate", "format"}
    assert (response["sample_rate"], response["format"]) == (24_000, "wav")
    path = unquote(urlsplit(response["audio_url"]).path)
    assert urlsplit(response["audio_url"]).scheme == "file"
    assert Path(path) == Path("out/default.wav").resolve()
    with wave.open(path) as file:
        assert file.readframes(file.getnframes()) == speech.pcm
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)


def test_a_url_of_a_name_with_signs() -> None:
    """Spaces, per cent signs, question marks and Han characters in a path survive the way into a URL and back."""
    name = "a b%41#?你.wav"
    speech = stream().collect()
    speech.save(name)
    assert unquote(urlsplit(speech.audio_url).path) == str(Path(name).resolve())


def test_the_response_of_a_stream() -> None:
    """With streaming the response carries the sound itself, as PCM in Base64, and writes no file."""
    response = json.loads(json.dumps(stream().to_dict()))
    assert set(response) == {"audio_base64_pcm", "sample_rate", "format"}
    assert (response["sample_rate"], response["format"]) == (24_000, "pcm")
    assert base64.b64decode(response["audio_base64_pcm"]) == stream().collect().pcm
    assert list(Path().iterdir()) == []


def test_saving() -> None:
    """A path's suffix names the format; without a path it is the default one, and an existing URL is kept."""
    speech = stream(format="flac").collect()
    assert speech.path is None
    assert speech.save("named.wav") == "named.wav"
    assert speech.path == os.path.abspath("named.wav")
    assert Path("named.wav").read_bytes().startswith(b"RIFF")
    assert speech.save(Path("named.pcm")) == "named.pcm"
    assert Path("named.pcm").read_bytes() == speech.pcm
    assert speech.save("no_suffix") == "no_suffix"
    assert Path("no_suffix").read_bytes().startswith(b"fLaC")
    assert speech.audio_url.endswith("/no_suffix")
    assert speech.save() == "out/default.wav"  # the name is the client's, made for the request's format


def test_a_tally_counts_while_chunks_come() -> None:
    """Before the first chunk there is nothing; then segments are complete when their facts have come."""
    tally = Tally()
    assert (tally.duration, tally.spoken, tally.facts) == (0.0, [], [])
    tally.add(Chunk(bytes(200), 100, 0, (0, 5)))
    assert (tally.duration, tally.spoken) == (1.0, [])
    tally.add(Chunk(bytes(300), 100, 100, (5, 9), facts=Facts("a"), pause=50))
    assert (tally.duration, tally.spoken[0].start, tally.spoken[0].end) == (2.5, 0.0, 2.0)
    tally.add(Chunk(bytes(200), 100, 250, (9, 12), facts=Facts("b")))
    assert (tally.spoken[1].start, tally.spoken[1].end, tally.duration) == (2.5, 3.5, 3.5)
    assert [fact.engine for fact in tally.facts] == ["a", "b"]


def test_collecting_the_rest() -> None:
    """After some chunks were taken, ``collect`` gives the rest, and its times are those of its own sound."""
    whole = stream().collect()
    partly = stream()
    taken = [next(iter(partly)) for _ in range(3)]
    assert taken[-1].facts is not None  # the first segment is over
    rest = partly.collect()
    assert b"".join(chunk.pcm for chunk in taken) + rest.pcm == whole.pcm
    assert rest.segments[0].span == whole.segments[1].span
    assert rest.segments[0].start == pytest.approx(0)
    assert rest.segments[-1].end == pytest.approx(rest.duration)
    assert all(0 <= word.start <= word.end <= rest.duration for word in rest.words)


def test_a_stream_that_was_read_is_not_collected_again() -> None:
    """Collecting, or reading again, after the last chunk is told apart from an engine that gave no sound."""
    whole = stream()
    assert list(whole)
    for again in (whole.collect, whole.to_dict, lambda: list(whole)):
        with pytest.raises(NoAudio) as caught:
            again()
        assert caught.value.code == "stream_consumed"


async def test_an_asynchronous_stream_is_not_read_twice() -> None:
    """So for callers with an event loop; what was read in part can still be read on."""
    whole = async_stream()
    assert (await anext(aiter(whole))).pcm
    assert [chunk async for chunk in whole]
    with pytest.raises(NoAudio) as caught:
        assert [chunk async for chunk in whole]
    assert caught.value.code == "stream_consumed"


@pytest.mark.parametrize("place", [5, io.BytesIO(), b"a.wav"])
def test_what_is_no_path_is_refused(place: object) -> None:
    """A speech is saved to a path; for anything else it is told where the samples are."""
    with pytest.raises(OptionError, match=type(place).__name__) as caught:
        stream().collect().save(place)  # type: ignore[arg-type]
    assert "speech.pcm" in caught.value.remedy


def test_a_stream_closes_what_is_behind_it() -> None:
    """Leaving a stream early, by ``with`` or by ``close``, ends the call behind it; closing twice does nothing."""
    engine = Fake([Act(chunks=2, pace=3600)])
    with stream(engine) as chunks:
        assert next(iter(chunks)).pcm
        assert engine.running == 1
    assert engine.running == 0
    chunks.close()
    with pytest.raises(NoAudio, match="closed"):
        iter(chunks)


async def test_an_asynchronous_stream_does_the_same() -> None:
    """All of the above holds for callers with an event loop."""
    assert [chunk async for chunk in async_stream()] == list(await asyncio.to_thread(lambda: list(stream())))
    speech = await async_stream().collect()
    assert [TEXT[slice(*word.span)] for word in speech.words] == TEXT.split()
    assert set(await async_stream().to_dict()) == {"audio_base64_pcm", "sample_rate", "format"}
    engine = Fake([Act(chunks=2, pace=3600)])
    async with async_stream(engine) as chunks:
        await anext(aiter(chunks))
        assert engine.running == 1
    assert engine.running == 0
    with pytest.raises(NoAudio, match="closed"):
        aiter(chunks)


async def test_an_error_while_collecting_stops_the_work() -> None:
    """A failure in the middle reaches who collects, synchronously and asynchronously, and nothing stays behind."""
    engine = Fake([Act(), ServiceFailed("It broke.")], limits=BY_SENTENCE)
    with pytest.raises(ServiceFailed):
        await async_stream(engine).collect()
    assert engine.running == 0
    with pytest.raises(ServiceFailed):
        stream(Fake([Act(), ServiceFailed("It broke.")], limits=BY_SENTENCE)).collect()


def test_no_sound_is_an_error() -> None:
    """A text without any sound is no empty speech, but an error that can be tried again."""
    plan, _ = planned(Fake())

    async def nothing():  # type: ignore[no-untyped-def]  # noqa: ANN202
        return
        yield

    with pytest.raises(NoAudio) as caught:
        Stream(Work(plan.request), Iteration(nothing())).collect()
    assert caught.value.retryable
