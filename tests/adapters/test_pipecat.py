"""The voice for Pipecat, in real pipelines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

pytest.importorskip("pipecat", reason="Pipecat is not installed; the dev extra brings it")

from pipecat.frames.frames import (
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMTextFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
    TTSUpdateSettingsFrame,
)
from pipecat.metrics.metrics import TTFBMetricsData, TTSUsageMetricsData
from pipecat.services.tts_service import TextAggregationMode
from pipecat.transcriptions.language import Language
from pipecat.utils.errors import ErrorCategory

from adapters.conversing import Ear, talking
from adapters.writing import Untimed, tokens
from lineread.adapters.pipecat import LinereadTTSService, LinereadTTSSettings
from lineread.engines.base import Turn
from lineread.engines.fake import Act, Fake
from lineread.engines.link import Link
from lineread.errors import (
    LinereadError,
    OptionError,
    QuotaExceeded,
    ServiceFailed,
    TextError,
    Unauthorized,
    Unreachable,
    VoiceError,
)
from lineread.live.local import Local
from lineread.speech import LiveRequest, Request

TALK = "Hello there, my friend. It costs $3.14 at 10:30 p.m. sharp! Did you know?"


def voice(engine: Fake | None = None, **options: object) -> LinereadTTSService:
    return LinereadTTSService(**{"voice": "Cherry", "engine": engine or Fake(), "cache": False, **options})  # type: ignore[arg-type]


class Nowhere(Fake):
    """An engine whose sessions cannot be opened."""

    def link(self, request: LiveRequest, *, turn: Turn | None = None) -> Link:
        return Dead(request, self, None)


class Dead(Local):
    async def open(self) -> None:
        raise Unreachable("There is no way.", remedy="Look at the cable.")


class Picky(Fake):
    """An engine that cannot speak Chinese."""

    def resolve(self, request: Request) -> Request:
        if not request.text.isascii():
            raise TextError("It speaks English only.", remedy="Write English.")
        return super().resolve(request)


def words(ear: Ear) -> list[str]:
    return [frame.text for frame in ear.all(TTSTextFrame)]


@pytest.mark.parametrize("mode", list(TextAggregationMode))
async def test_every_word_of_a_reply_is_spoken_once(mode: TextAggregationMode) -> None:
    """Tokens or sentences: words come whole, in order, once, with times in order, around sound of the right kind."""
    async with talking(voice(text_aggregation_mode=mode), sample_rate=16_000) as talk:
        await talk.said(*tokens(TALK))
    assert words(talk.voiced) == TALK.split()
    times = [frame.pts for frame in talk.voiced.all(TTSTextFrame)]
    assert times == sorted(times)
    assert {(frame.sample_rate, frame.num_channels) for frame in talk.voiced.all(TTSAudioRawFrame)} == {(16_000, 1)}
    assert len(talk.voiced.pcm) / 32_000 >= len(TALK.replace(" ", "")) * 0.05
    kinds = [type(frame) for frame in talk.voiced.frames]
    sound = kinds.index(TTSAudioRawFrame)
    assert kinds.index(TTSStartedFrame) < sound < kinds.index(TTSStoppedFrame) < kinds.index(LLMFullResponseEndFrame)
    assert kinds.count(TTSStartedFrame) == kinds.count(TTSStoppedFrame) == 1
    assert talk.errors == []


async def test_lineread_cuts_the_text() -> None:
    """The engine gets clauses that can be spoken, not tokens, and the first one before the reply has ended."""
    engine = Fake()
    async with talking(voice(engine)) as talk:
        await talk.say(*tokens(TALK)[:12], end=False)
        await talk.voiced.until(lambda ear: bool(ear.all(TTSAudioRawFrame)))
        assert engine.calls[0].text == "Hello there,"
        await talk.said(*tokens(TALK)[12:])


async def test_replies_and_announcements_follow_each_other() -> None:
    """Each reply, and each text to speak at once, is spoken in order, in a context of its own."""
    async with talking(voice()) as talk:
        await talk.said("One. ", "Two.")
        await talk.worker.queue_frame(TTSSpeakFrame("Three."))
        await talk.said("Four.")
    assert words(talk.voiced) == ["One.", "Two.", "Three.", "Four."]
    assert len({frame.context_id for frame in talk.voiced.all(TTSAudioRawFrame)}) == 3


async def test_metrics_are_measured_as_pipecat_does() -> None:
    """Time to first byte, and characters of the reply, with the model that speaks."""
    async with talking(voice(Fake(otherwise=Act(delay=0.1)))) as talk:
        await talk.said(*tokens(TALK))
    first = [each for each in talk.metrics if isinstance(each, TTFBMetricsData) and each.value]
    used = [each for each in talk.metrics if isinstance(each, TTSUsageMetricsData)]
    assert 0.1 <= first[0].value < 5
    assert first[0].model == "fake"
    assert [each.value for each in used] == [len(TALK)]


@pytest.mark.parametrize("pace", [0.0, 0.1], ids=["spoken in advance", "being spoken"])
async def test_an_interruption_is_heard_at_once(pace: float) -> None:
    """No sound follows an interruption, the engine stops, the context holds what was played, and the talk goes on."""
    engine = Fake(otherwise=Act(chunks=20, pace=pace))
    async with talking(voice(engine), aloud=True) as talk:
        text = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen."
        await talk.say(*tokens(text))
        await talk.played.until(lambda ear: len(words(ear)) >= 3)
        assert bool(engine.running) == bool(pace)
        await talk.worker.queue_frame(InterruptionFrame())
        began = time.perf_counter()
        await talk.voiced.until(lambda ear: bool(ear.all(InterruptionFrame)))
        assert time.perf_counter() - began < 1
        assert engine.running == 0
        passed = len(talk.voiced.all(TTSAudioRawFrame))
        await talk.played.until(lambda ear: bool(ear.all(InterruptionFrame)))
        heard = words(talk.played)
        assert len(talk.voiced.all(TTSAudioRawFrame)) == passed
        assert heard == text.split()[: len(heard)]
        assert 3 <= len(heard) < 10
        await talk.said("Yes?")
        await talk.played.until(lambda ear: bool(ear.all(LLMFullResponseEndFrame)))
    assert words(talk.played)[len(heard) :] == ["Yes?"]
    assert talk.remembered[0] == " ".join(heard)


async def test_words_without_times_are_reckoned() -> None:
    """A voice that does not tell when it speaks which word is followed all the same."""

    text = TALK + " 你好，世界。"
    async with talking(voice(Untimed(otherwise=Act(chunks=4))), aloud=True) as talk:
        await talk.said(*tokens(text))
        await talk.played.until(lambda ear: bool(ear.all(LLMFullResponseEndFrame)))
    assert talk.remembered == [text]
    times = [frame.pts for frame in talk.voiced.all(TTSTextFrame)]
    assert times == sorted(times)
    assert len(set(times)) > len(TALK.split()) - 3


@pytest.mark.parametrize(
    ("error", "category", "usable"),
    [
        (ServiceFailed("It broke.", remedy="Try later."), ErrorCategory.SERVER, True),
        (QuotaExceeded("No money.", remedy="Pay."), ErrorCategory.QUOTA, True),
        (Unauthorized("The key is wrong.", remedy="Get another."), ErrorCategory.AUTHENTICATION, False),
        (TextError("No words.", remedy="Write some."), ErrorCategory.APPLICATION, True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, LinereadError) else "",
)
async def test_what_goes_wrong_is_an_error_frame(
    error: LinereadError, category: ErrorCategory, *, usable: bool
) -> None:
    """Message, remedy and category, once a reply, however many tokens follow; only lasting faults cost the service."""
    service = voice(Fake([error]))
    async with talking(service) as talk:
        await talk.say(*tokens(TALK)[:12], end=False)
        await talk.voiced.until(lambda _: bool(talk.errors))
        for token in tokens(TALK)[12:]:
            await talk.worker.queue_frame(LLMTextFrame(token))
            await asyncio.sleep(0.005)  # as slowly as a language model: whatever begins anew gets to
        await talk.worker.queue_frame(LLMFullResponseEndFrame())
        await talk.voiced.until(lambda ear: bool(ear.all(LLMFullResponseEndFrame)))
        assert [(frame.error, frame.category) for frame in talk.errors[:1]] == [(str(error), category)]
        assert [frame.error for frame in talk.errors].count(str(error)) == 1
        assert service.is_usable == usable
        assert talk.voiced.pcm == b""
        if usable:
            await talk.said("Better now.")
            assert words(talk.voiced)[-2:] == ["Better", "now."]


@pytest.mark.parametrize("mode", list(TextAggregationMode))
@pytest.mark.parametrize(
    ("engine", "spoken", "errors"),
    [
        (Nowhere, "", 2),
        (lambda: Fake([Act(), ServiceFailed("It broke.")]), "One.四.五.", 1),
        (Picky, "One.Twothree.", 1),
    ],
    ids=["nowhere", "breaking", "refusing"],
)
async def test_text_that_was_never_spoken_is_not_remembered(
    mode: TextAggregationMode, engine: Callable[[], Fake], spoken: str, errors: int
) -> None:
    """It does not go downstream, though Pipecat takes text without times for spoken; what was spoken does."""
    async with talking(voice(engine(), text_aggregation_mode=mode), aloud=True) as talk:
        await talk.said("One. ", "Two ", "three. ")
        await talk.said("四. ", "五. ")
        await talk.played.until(lambda ear: len(ear.all(LLMFullResponseEndFrame)) == 2)
    assert "".join(words(talk.voiced)).replace(" ", "") == spoken
    assert "".join(map(str, talk.remembered)).replace(" ", "") == spoken
    told = [frame.error for frame in talk.errors if "completed with no audio" not in frame.error]  # Pipecat's own
    assert len(told) == errors


async def test_settings_change_between_replies() -> None:
    """What is updated holds from the next reply on; what cannot be is an error, and all stays as it was."""
    engine = Fake()
    async with talking(voice(engine, language=Language.EN_US, rate=1.5)) as talk:
        await talk.said("One.")
        await talk.worker.queue_frame(
            TTSUpdateSettingsFrame(delta=LinereadTTSSettings(voice="Ethan", language=Language.DE, rate=0.5))
        )
        await talk.said("Two.")
        await talk.worker.queue_frame(TTSUpdateSettingsFrame(delta=LinereadTTSSettings(rate=9.0)))
        await talk.said("Three.")
    asked = [(call.request.voice, call.request.language_type, call.request.rate) for call in engine.calls]
    assert asked == [("Cherry", "English", 1.5), ("Ethan", "German", 0.5), ("Ethan", "German", 0.5)]
    assert len(talk.errors) == 1
    assert "rate" in talk.errors[0].error


def test_what_cannot_be_spoken_so_is_said_when_it_is_made() -> None:
    """A voice that is unknown is an error at once, with its remedy."""
    with pytest.raises(VoiceError, match="Cherry"):
        LinereadTTSService(voice="Cherri", engine="builtin")
    with pytest.raises(OptionError, match=r"^language 'xx' is not known\. Give a tag such as en-US"):
        voice(language="xx")


async def test_a_smile_costs_nothing() -> None:
    """Replies without anything to say leave the service as it is."""
    service = voice()
    async with talking(service) as talk:
        for _ in range(4):
            await talk.said("😊")
        assert service.is_usable
        await talk.said("Words.")
    assert words(talk.voiced)[-1] == "Words."
