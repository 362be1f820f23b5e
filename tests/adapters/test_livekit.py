"""The voice for LiveKit Agents, through LiveKit's own streams."""

from __future__ import annotations

import asyncio
import time

import pytest

pytest.importorskip("livekit.agents", reason="LiveKit Agents is not installed; the dev extra brings it")

from livekit.agents import APIConnectionError, APIConnectOptions, APIError, APIStatusError, APITimeoutError
from livekit.agents.metrics import TTSMetrics
from livekit.agents.tts import SynthesizedAudio, SynthesizeStream, TTSError
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT, TimedString

from adapters.writing import Untimed, tokens
from lineread.adapters.livekit import TTS, translated
from lineread.engines.fake import SECONDS_PER_CHARACTER, Act, Fake
from lineread.errors import (
    LinereadError,
    OptionError,
    ServiceFailed,
    TextError,
    TimedOut,
    Unauthorized,
    Unreachable,
    VoiceError,
)

TALK = "Hello there, my friend. It costs $3.14 at 10:30 p.m. sharp! Did you know?"
ONCE = APIConnectOptions(max_retry=0)


def voice(engine: Fake | None = None, **options: object) -> TTS:
    return TTS(**{"voice": "Cherry", "engine": engine or Fake(), "cache": False, **options})  # type: ignore[arg-type]


def timed(events: list[SynthesizedAudio]) -> list[TimedString]:
    return [each for event in events for each in event.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, [])]


def seconds(events: list[SynthesizedAudio]) -> float:
    return sum(event.frame.duration for event in events)


async def say(stream: SynthesizeStream, *pieces: str) -> list[SynthesizedAudio]:
    for piece in pieces:
        stream.push_text(piece)
    stream.end_input()
    return [event async for event in stream]


@pytest.mark.parametrize("engine", [Fake(), Fake(otherwise=Act(chunks=5)), Untimed(otherwise=Act(chunks=5))])
async def test_every_word_is_spoken_once_with_its_time(engine: Fake) -> None:
    """Streamed by tokens or given whole, text comes back as it was, its times in order, in sound of the right kind."""
    async with voice(engine, sample_rate=16_000) as tts:
        async with tts.stream() as stream:
            streamed = await say(stream, *tokens(TALK))
        async with tts.synthesize(TALK) as whole:
            told = [event async for event in whole]
    for events in (streamed, told):
        assert "".join(timed(events)) == TALK
        times = [(each.start_time, each.end_time) for each in timed(events)]
        assert times == sorted(times)
        assert times[-1][1] <= seconds(events)
        assert {(each.frame.sample_rate, each.frame.num_channels) for each in events} == {(16_000, 1)}
        assert seconds(events) >= len(TALK.replace(" ", "")) * SECONDS_PER_CHARACTER
        assert [event.is_final for event in events].count(True) == 1


async def test_lineread_cuts_the_text() -> None:
    """The engine gets clauses that can be spoken, and sound comes before the text has ended."""
    engine = Fake()
    async with voice(engine) as tts, tts.stream() as stream:
        for token in tokens(TALK)[:12]:
            stream.push_text(token)
        await anext(stream)
        assert engine.calls[0].text == "Hello there,"
        rest = await say(stream, *tokens(TALK)[12:])
    assert rest[-1].is_final


async def test_a_flush_speaks_what_was_written() -> None:
    """After a flush the sound comes to its end, though the input has not ended."""
    async with voice() as tts, tts.stream() as stream:
        stream.push_text("It is half past")
        stream.flush()
        async with asyncio.timeout(5):
            while not (await anext(stream)).is_final:
                pass


async def test_closing_a_stream_silences_it_at_once() -> None:
    """The engine stops within milliseconds, and no sound comes after that; the voice goes on with other streams."""
    engine = Fake(otherwise=Act(chunks=50, pace=0.02))
    async with voice(engine) as tts:
        stream = tts.stream()
        stream.push_text(TALK)
        stream.flush()
        await anext(stream)
        assert engine.running
        began = time.perf_counter()
        await stream.aclose()
        assert time.perf_counter() - began < 0.5
        assert engine.running == 0
        async with tts.stream() as other:
            assert seconds(await say(other, "Yes?")) > 0


async def test_metrics_are_measured_as_livekit_does() -> None:
    """One measurement a stream: time to first byte, characters, length, and the model that speaks."""
    measured: list[TTSMetrics] = []
    async with voice(Fake(otherwise=Act(delay=0.1))) as tts:
        tts.on("metrics_collected", measured.append)
        async with tts.stream() as stream:
            events = await say(stream, *tokens(TALK))
        async with tts.synthesize("One.") as whole:
            await whole.collect()
    assert [(each.characters_count, each.streamed) for each in measured] == [(len(TALK), True), (4, False)]
    assert all(0.1 <= each.ttfb < 5 for each in measured)
    assert measured[0].audio_duration == pytest.approx(seconds(events))
    assert measured[0].metadata is not None
    assert (measured[0].metadata.model_name, measured[0].metadata.model_provider) == ("fake", "lineread")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ServiceFailed("It broke.", remedy="Try later."), APIStatusError),
        (Unauthorized("The key is wrong.", remedy="Get another."), APIStatusError),
        (TimedOut("Too late.", remedy="Wait."), APITimeoutError),
        (Unreachable("No way.", remedy="Plug it in."), APIConnectionError),
        (TextError("No words.", remedy="Write some."), APIStatusError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, LinereadError) else "",
)
async def test_what_goes_wrong_is_livekits_error(error: LinereadError, kind: type[APIError]) -> None:
    """It has our message and remedy, and comes though the text has not ended; its event comes, too."""
    told: list[TTSError] = []
    async with voice(Fake(otherwise=Act(error=error))) as tts:
        tts.on("error", told.append)
        with pytest.raises(kind) as whole:
            await tts.synthesize("One.").collect()
        stream = tts.stream()
        stream.push_text(TALK)
        with pytest.raises(kind) as streamed:
            await anext(stream)
        await stream.aclose()
    assert [raised.value.message for raised in (whole, streamed)] == [str(error)] * 2
    assert str(whole.value).count(error.remedy) == (2 if kind is APIStatusError else 1)  # that one shows its body
    assert [each.recoverable for each in told] == [False] * 2


async def test_only_lineread_tries_again() -> None:
    """What may succeed when simply done again has been done again when LiveKit hears of it."""
    engine = Fake([ServiceFailed("It broke.", retryable=True)])
    async with voice(engine) as tts:
        assert (await tts.synthesize("One.").collect()).duration > 0
        assert len(engine.calls) == 2
        assert not translated(ServiceFailed("It broke.", retryable=True)).retryable


async def test_a_smile_is_no_failure() -> None:
    """A text without anything to say is a moment of silence."""
    async with voice() as tts, tts.stream(conn_options=ONCE) as stream:
        assert 0 < seconds(await say(stream, "\N{SMILING FACE WITH SMILING EYES}")) < 0.1


async def test_options_change_between_streams() -> None:
    """What is changed holds from the next stream on; what cannot be is an error, and all stays as it was."""
    engine = Fake()
    async with voice(engine, language="en-US", rate=1.5) as tts:
        tts.prewarm()
        await tts.synthesize("One.").collect()
        tts.update_options(voice="Ethan", language="German", rate=0.5)
        with pytest.raises(OptionError):
            tts.update_options(rate=9.0)
        await tts.synthesize("Two.").collect()
    asked = [(call.request.voice, call.request.language_type, call.request.rate) for call in engine.calls]
    assert asked == [("Cherry", "English", 1.5), ("Ethan", "German", 0.5)]


def test_what_cannot_be_spoken_so_is_said_when_it_is_made() -> None:
    """A voice that is unknown is an error at once, with its remedy."""
    with pytest.raises(VoiceError, match="Cherry"):
        TTS(voice="Cherri", engine="builtin")


def test_mistakes_are_told_in_the_arguments_own_words() -> None:
    """They are called what they are called here, also when they change."""
    with pytest.raises(
        OptionError, match=r"'langage'\. Did you mean language\? There is voice, .*, language, .*, engine"
    ):
        voice(langage="en")
    with pytest.raises(OptionError, match="There is no argument 'language_type'"):
        voice(language_type="English")
    with pytest.raises(OptionError, match=r"^language 'xx' is not known\. Give a tag such as en-US"):
        voice(language="xx")
    with pytest.raises(OptionError, match=r"'langage'\. Did you mean language\?"):
        voice().update_options(langage="en")
