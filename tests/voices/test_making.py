"""From a wish to a voice that can be asked for by its name: paid for once, kept at once, spoken by the right id."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema_rs
import pytest

from lineread import _sync, catalogue, tongue, tts
from lineread.client import Client
from lineread.enrolment import Clone
from lineread.errors import (
    ConfigError,
    LinereadError,
    ModelError,
    OptionError,
    OverBudget,
    RequestError,
    ServiceFailed,
    VoiceError,
)
from lineread.fields import VOICE_CLONE, VOICE_DESIGN, json_schema
from lineread.speech import LiveRequest, Request
from lineread.voices import wishes
from lineread.voices.book import Book
from lineread.voices.making import Made, Maker
from lineread.voices.wishes import DesignWish, Wanted
from voices.studio import CONSENT, PROMPT, Service, Studio, Workplace, recorded

HTTP, REALTIME = "qwen3-tts-vd-2026-01-26", "qwen3-tts-vd-realtime-2026-01-15"


@pytest.fixture
def place() -> Workplace:
    return Workplace()


async def test_a_name_is_spoken_from_then_on(place: Workplace) -> None:
    """A voice that was made is asked for by its name in any case, and by its id as well."""
    made = await place.design()
    assert made.request_id == "r-1"
    assert made.id.target_model == HTTP
    for name in ("guide", "GUIDE", made.id.voice):
        assert await place.spoken(name) == made.id.voice
    assert place.book.get("guide").last_used


async def test_the_same_is_made_once(place: Workplace) -> None:
    """The same name and description cost nothing the second time, and sound the same; what is new to it is paid for."""
    first, second = await place.design(), await place.design()
    assert len(place.service.orders) == 1
    assert (first.paid, second.paid) == (1, 0)
    third = await place.design(realtime=True)
    assert (third.id, third.request_id, third.paid) == (first.id, "r-2", 1)
    other = await place.design("other", realtime=True)
    assert (other.request_id, other.paid) == ("r-3", 2)
    assert first.id == second.id
    assert (first.request_id, second.request_id) == ("r-1", "")
    assert first.preview == second.preview != b""


async def test_a_name_that_is_taken(place: Workplace) -> None:
    """Another voice under the same name is made only when it is to replace the first."""
    first = await place.design()
    with pytest.raises(OptionError, match="a voice called guide already") as error:
        await place.design(prompt="Somebody else.")
    assert error.value.code == "voice_name_taken"
    assert len(place.service.orders) == 1
    second = await place.design(prompt="Somebody else.", replace=True)
    assert await place.spoken("guide") == second.id.voice != first.id.voice


async def test_http_and_live(place: Workplace) -> None:
    """A voice for both has an id for each, and each way of speaking asks for its own."""
    made = await place.design(realtime=True)
    ids = {each.target_model: each.voice for each in made.voice.ids}
    assert set(ids) == {HTTP, REALTIME}
    assert await place.spoken("guide") == ids[HTTP]
    assert place.client.link(place.client.named(LiveRequest("guide"))).request.voice == ids[REALTIME]


async def test_what_was_paid_for_is_kept(place: Workplace) -> None:
    """Where the second of two ids fails, the first one is in the book, and is not made again."""
    place.service.fails = [None, ServiceFailed("Broken.")]
    with pytest.raises(ServiceFailed):
        await place.design(realtime=True)
    assert [each.target_model for each in place.book.get("guide").ids] == [HTTP]
    await place.design(realtime=True)
    assert [order.target_model for order in place.service.orders] == [HTTP, REALTIME, REALTIME]


@pytest.mark.parametrize("hurry", [False, True])
async def test_what_was_paid_for_is_kept_though_nobody_waits(place: Workplace, *, hurry: bool) -> None:
    """A call that is cancelled while the service makes the voice has it in the book, and no further one is ordered.

    Who is cancelled twice leaves at once, and the next one who wants the voice waits for it, and pays nothing.
    """
    place.service.gate.clear()
    call = asyncio.create_task(place.design(realtime=True))
    await place.service.begun.wait()
    call.cancel()
    if hurry:
        await asyncio.wait([call], timeout=0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    again = asyncio.create_task(place.design())
    place.service.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await again).paid == 0
    assert [each.voice for each in place.book.get("guide").ids] == list(place.service.voices)
    assert len(place.service.orders) == 1


async def test_a_replacement_that_fails_half_way(place: Workplace) -> None:
    """The ids of the old voice stay noted until they are deleted, whatever happens to the second id of the new one."""
    old = await place.design(realtime=True)
    place.service.fails = [None, ServiceFailed("Broken.")]
    with pytest.raises(ServiceFailed):
        await place.design(prompt="Somebody else.", replace=True, realtime=True)
    half = place.book.get("guide")
    assert half.replaced == old.voice.ids
    assert {each.voice for each in (*half.ids, *half.replaced)} == set(place.service.voices)
    assert await place.spoken("guide") == half.ids[0].voice
    place.service.fails = [None, ServiceFailed("Broken.")]  # the one that is made, and the first that is to go
    made = await place.design(prompt="Somebody else.", realtime=True)
    assert [each.voice for each in made.voice.replaced] == [old.id.voice]
    assert old.id.voice in made.notes[0]
    assert await place.maker.unmake("guide") is None
    assert place.service.voices == {}


class Killed(BaseException):
    """What happens to a process."""


async def test_a_sample_and_its_record_agree(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends between a sample and the record of it leaves the voice that was there, with its sample."""
    await place.maker.make(recorded(b"RIFF one"))
    real = os.replace

    def killed(path: str, new: str) -> None:
        if new.endswith("voice.json"):
            raise Killed
        real(path, new)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(Killed):
            await place.maker.make(recorded(b"RIFF other"))
    kept = place.book.get("narrator")
    assert place.book.read(kept, kept.sample) == b"RIFF one"
    made = await place.maker.make(recorded(b"RIFF other"))
    assert place.book.read(made.voice, made.voice.sample) == b"RIFF other"
    assert sorted(os.listdir(os.path.dirname(place.book.file(kept, "")))) == [made.voice.sample, "voice.json"]


async def test_ids_that_come_from_two_sides(place: Workplace) -> None:
    """An id that another process notes while one is made here is there as well afterwards."""
    made = await place.design()
    place.service.gate.clear()
    place.service.begun.clear()
    more = asyncio.create_task(place.design(realtime=True))
    await place.service.begun.wait()
    place.book.extend("guide", replace(made.id, account="b2", voice="theirs"))
    place.service.gate.set()
    await more
    assert {each.voice for each in place.book.get("guide").ids} == {"theirs", *place.service.voices}


async def test_deleting_what_is_being_made(place: Workplace) -> None:
    """A voice that another id is made of is deleted once that is there, and nothing stays anywhere."""
    await place.design()
    place.service.gate.clear()
    place.service.begun.clear()
    more = asyncio.create_task(place.design(realtime=True))
    await place.service.begun.wait()
    deletion = asyncio.create_task(place.maker.unmake("guide"))
    await asyncio.wait([deletion], timeout=0)
    assert len(place.service.voices) == 2
    place.service.gate.set()
    await more
    assert await deletion is None
    assert place.service.voices == {}
    assert place.book.find("guide") is None


async def test_deleting_what_has_no_ids(place: Workplace) -> None:
    """A voice that has lost all its ids is let go of like any other."""
    made = await place.design()
    place.book.keep(replace(made.voice, ids=()))
    assert await place.maker.unmake("guide") is None
    assert place.book.find("guide") is None


async def test_further_ids_only_where_that_was_allowed(place: Workplace) -> None:
    """A live session with a voice that was made for HTTP says how to get the other id; or gets it, if it may."""
    await place.design()
    with pytest.raises(VoiceError, match=r"not made for live sessions.*voices extend guide --realtime") as error:
        place.client.link(place.client.named(LiveRequest("guide")))
    assert error.value.code == "voice_not_made"
    assert len(place.service.orders) == 1
    await place.design(extend=True)
    link = place.client.link(place.client.named(LiveRequest("guide")))
    assert [order.target_model for order in place.service.orders] == [HTTP, REALTIME]
    assert link.request.voice == place.book.get("guide").ids[-1].voice


async def test_models_that_cannot_speak_it(place: Workplace) -> None:
    """A voice goes with the models that it was made for; another one is refused with those."""
    made = await place.design()
    assert await place.spoken("guide", model=HTTP) == made.id.voice
    with pytest.raises(VoiceError, match=f"cannot speak with qwen3-tts-flash.*{HTTP}"):
        await place.spoken("guide", model="qwen3-tts-flash")
    with pytest.raises(ModelError, match="qwen3-tts-flsh") as unknown:
        await place.spoken("guide", model="qwen3-tts-flsh")
    assert "qwen3-tts-flash" in unknown.value.remedy
    with pytest.raises(ModelError, match="does not speak over HTTP"):
        await place.spoken("guide", model=REALTIME)


async def test_another_account_or_region(place: Workplace) -> None:
    """Ids belong to an account and a region: elsewhere the voice is not to be had, and the error says so."""
    await place.design()
    for facts in ({"account": "b2"}, {"place": "ap-southeast-1"}):
        vars(place.service).update(facts)
        with pytest.raises(VoiceError, match="another account or region"):
            await place.spoken("guide")


async def test_a_misspelt_name(place: Workplace) -> None:
    """The name of a voice of the book is among those that might have been meant."""
    await place.design("narrator")
    with pytest.raises(VoiceError, match="Did you mean narrator"):
        await place.spoken("narator")


async def test_a_name_near_to_those_of_all(place: Workplace) -> None:
    """One's own voices and Qwen's are suggested alike; a name that is near to nobody's is told where all are listed."""
    await place.design("cherri")
    with pytest.raises(VoiceError, match="Did you mean cherri or Cherry"):
        await place.spoken("cherrie")
    with pytest.raises(VoiceError, match="`lineread voices` lists all\\."):
        tts.generate("Hello.", "nobody", engine="builtin", cache=False)


@pytest.mark.parametrize("option", ["http", "realtime", "extend", "replace"])
def test_what_is_neither_true_nor_false(option: str) -> None:
    """What a voice is made for is true or false, and nothing that merely counts as such."""
    with pytest.raises(OptionError, match=f"{option} must be true or false"):
        Wanted(**{option: 1})  # type: ignore[arg-type]


def damage(path: str) -> None:
    """Make nonsense of a file."""
    Path(path).write_text("{")


async def test_a_damaged_voice_is_replaced_only_when_asked(place: Workplace) -> None:
    """It stands in the way until it is to be replaced; then nothing is deleted of which nothing is known."""
    first = await place.design()
    damage(place.book.file(first.voice, "voice.json"))
    for attempt in (place.design(), place.maker.unmake("guide")):
        with pytest.raises(ConfigError, match="no voice that this version can read"):
            await attempt
    assert len(place.service.orders) == 1
    second = await place.design(replace=True)
    assert await place.spoken("guide") == second.id.voice != first.id.voice
    assert first.id.voice in [each.voice for each in await place.maker.all()]


async def test_an_engine_without_voices_of_ones_own(place: Workplace) -> None:
    """It says that it has none, whether one is to be made or to speak."""
    await place.design()
    async with Client(engine="fake", cache=False) as client:
        with pytest.raises(VoiceError, match="this engine has only those that it has"):
            await client.agenerate(Request("Hello.", "guide"))
        with pytest.raises(OptionError, match="makes no voices"):
            await client.make(DesignWish(PROMPT, "other"))


async def test_deleting(place: Workplace) -> None:
    """A voice goes at the service first, and then from the book; what fails there stays in the book."""
    made = await place.design(realtime=True)
    place.service.fails = [ServiceFailed("Broken.")]
    with pytest.raises(ServiceFailed):
        await place.maker.unmake("guide")
    assert len(place.book.get("guide").ids) == 2
    del place.service.voices[made.id.voice]  # somebody has deleted it in the console
    assert await place.maker.unmake("guide") is None
    assert place.service.voices == {}
    assert place.book.find("guide") is None


async def test_deleting_what_belongs_elsewhere(place: Workplace) -> None:
    """Ids of another account are neither deleted nor forgotten."""
    await place.design()
    machine = Service(engine="builtin", place="machine", account="")
    await Maker(machine, place.book).extend("guide", Wanted())
    elsewhere = Maker(Service(account="b2"), place.book, machine)
    left = await elsewhere.unmake("guide")
    assert left is not None
    assert len(left.ids) == 2
    assert len(place.service.voices) == len(machine.voices) == 1


async def test_a_likeness_to_rehearse_with(place: Workplace) -> None:
    """What the cloud makes is made on the machine as well, where that can be; where it cannot, that is a note."""
    machine = Service(engine="builtin", place="machine", account="")
    maker = Maker(place.service, place.book, machine)
    made = await maker.make(DesignWish(PROMPT, "guide"))
    assert [each.engine for each in made.voice.ids] == ["dashscope", "builtin"]
    assert made.id.engine == "dashscope"
    machine.fails = [ServiceFailed("No voice here.")]
    made = await maker.make(DesignWish("Another.", "other"))
    assert [each.engine for each in made.voice.ids] == ["dashscope"]
    assert "No voice here." in made.notes[0]


async def test_taking_in_what_was_made_elsewhere(place: Workplace) -> None:
    """An id of the account gets a name; one that does not exist gets none, and a clone only with consent."""
    await place.design()
    (voice,) = place.service.voices
    place.book.drop("guide", frozenset([voice]))
    own, _ = await place.maker.adopt(voice, "old_guide")
    machine = Maker(Service(engine="builtin", place="machine", account=""), place.book)
    assert (await machine.extend("old_guide", Wanted())).preview  # it has no preview of its own yet
    assert own.prompt == PROMPT
    assert await place.spoken("old_guide") == voice
    assert [each.voice for each in await place.maker.all()] == [voice]
    for bad in ("Cherry", "qwen-tts-vd-x-voice-20261118093012345-0000"):
        with pytest.raises(VoiceError):
            await place.maker.adopt(bad, "new")
    with pytest.raises(OptionError, match="consent"):
        await place.maker.adopt((await place.service.clone(Clone("a", b"", "audio/wav", "m"))).voice, "new")


@pytest.mark.parametrize("name", ["", "two words", "x" * 17, "naïve", "../evil", "Cherry", "cherry", "Ono_Anna"])
async def test_names_that_cannot_be(place: Workplace, name: str) -> None:
    """Nothing is ordered for a name that the service would refuse, or that is a system voice's."""
    with pytest.raises(OptionError):
        await place.design(name)
    assert place.service.orders == []


@pytest.mark.parametrize(
    ("wish", "match"),
    [
        ({"prompt": ""}, "empty"),
        ({"prompt": "x" * 2049}, "Shorten it to 2048"),
        ({"preview_text": "x" * 1025}, "Shorten it to 1024"),
        ({"language_type": "Klingon"}, "language_type"),
        ({"wanted": Wanted(http=False)}, "made for nothing"),
        ({"wanted": Wanted("qwen3-tts-flash")}, "does not speak voices made by design"),
    ],
)
async def test_wishes_that_cannot_be(place: Workplace, wish: dict[str, Any], match: str) -> None:
    """Whatever the service would refuse is refused before anything is ordered."""
    with pytest.raises(LinereadError, match=match):
        await place.maker.make(DesignWish(**{"prompt": PROMPT, "name": "guide", **wish}))
    assert place.service.orders == []


@pytest.fixture
def sample(tmp_path: Path) -> str:
    """Somebody's speech, by the machine's own voice."""
    path = tmp_path / "me.wav"
    text = (
        "This is my own voice, as it sounds on an ordinary day. I read a few lines, so that a copy can be made of it."
    )
    tts.generate(text, "Ethan", engine="builtin", cache=False).save(path)
    return str(path)


@pytest.mark.parametrize("consent", [None, "", "  "])
def test_no_clone_without_consent(place: Workplace, sample: str, consent: str | None) -> None:
    """Without a note of the speaker's consent nothing is sent anywhere, and the error says what is wanted."""
    with pytest.raises(OptionError, match="only with its speaker's consent") as error:
        tts.voice_clone(sample, "Hello.", "narrator", consent=consent, engine=place.studio, cache=False)
    assert error.value.code == "consent_missing"
    assert place.service.orders == []


def test_the_normalized_calls(place: Workplace, sample: str, tmp_path: Path) -> None:
    """Both calls give what their declarations say: the words' place and the ids, or the words as Base64."""
    settings: dict[str, Any] = {"engine": place.studio, "cache": False, "output_dir": str(tmp_path)}
    clone = tts.voice_clone(
        voice_sample=sample, voice_name="narrator", text="Hello in my own voice.", consent=CONSENT, **settings
    )
    assert set(clone.to_dict()) == {"audio_url", "voice_id", "request_id"}
    assert place.studio.heard[-1] == clone.voice_id
    assert Path(clone.save(tmp_path / "hello.wav")).stat().st_size > 1000
    kept = place.book.get("narrator")
    assert kept.consent == CONSENT
    assert place.book.read(kept, kept.sample)[:4] == b"RIFF"
    heard = len(place.studio.heard)
    design = tts.voice_design(voice_prompt=PROMPT, text="This way, please.", **settings)
    assert design.voice_name.startswith("voice_")
    assert len(place.studio.heard) == heard  # the preview says it already
    again = tts.voice_design(voice_prompt=PROMPT, text="And up the stairs.", **settings)
    assert again.voice_id == design.voice_id
    assert len(place.studio.heard) == heard + 1
    stream = tts.voice_design(voice_prompt=PROMPT, text="This way.", stream=True, **settings)
    for response, call in (
        (clone.to_dict(), VOICE_CLONE),
        (design.to_dict(), VOICE_DESIGN),
        (stream.to_dict(), VOICE_DESIGN),
    ):
        jsonschema_rs.validator_for(json_schema(call.response)).validate(response)


@pytest.mark.parametrize(
    "words",
    [
        {"text": "Hello.", "format": "xyz"},
        {"text": "Hello.", "rate": 9.0},
        {"text": "Hello.", "language_type": "Klingon"},
        {"text": "Hello.", "model": "qwen3-tts-{}-realtime-2026-01-15", "rate": 1.2},
        {"text": "Hello.", "model": "qwen3-tts-{}-realtime-2026-01-15", "stream": True},
        {"text": "Hello.", "stream": "yes"},
        {"text": "", "stream": True},
        {"text": None, "volume": 900},
        {"text": []},
        {"text": "... !"},
        {"text": "😀"},
        {"text": "Hello.", "voice_name": 5},
    ],
)
@pytest.mark.parametrize("family", ["vc", "vd"])
async def test_words_that_cannot_be_said_are_refused_before_a_voice_is_paid_for(
    place: Workplace, sample: str, words: dict[str, Any], family: str
) -> None:
    """Whatever is wrong with its first words, no voice is ordered, with an event loop or without."""
    asked: dict[str, Any] = {**words, "engine": place.studio, "cache": False}
    if "model" in words:
        asked["model"] = words["model"].format(family)
    if family == "vc":
        asked |= {"voice_sample": sample, "consent": CONSENT}
        calls: tuple[Any, Any] = tts.voice_clone, tts.avoice_clone
    else:
        asked["voice_prompt"] = PROMPT
        calls = tts.voice_design, tts.avoice_design
    with pytest.raises(RequestError) as refused:
        await asyncio.to_thread(calls[0], **asked)
    with pytest.raises(RequestError, match=re.escape(refused.value.message)):
        await calls[1](**asked)
    assert place.service.orders == []


class Mute(Studio):
    """A studio whose own voices have no words."""

    def resolve(self, request: Request) -> Request:
        if catalogue.custom_family(request.voice):
            raise VoiceError("It is mute.")
        return super().resolve(request)


@pytest.mark.parametrize("stream", [False, True])
async def test_where_the_first_words_fail_the_voice_is_told_of(*, stream: bool) -> None:
    """The error says that the voice is there, with an event loop or without: it is paid for."""
    asked: dict[str, Any] = {"engine": Mute(), "cache": False, "stream": stream}
    told = r"^It is mute\. The voice guide is made, and can speak from now on; only its first words failed\.$"
    for text in ("This way.", "And up the stairs."):
        with pytest.raises(VoiceError) as failed:
            await tts.avoice_design(PROMPT, text, "guide", **asked)
        assert re.match(told, failed.value.message)
        with pytest.raises(VoiceError) as failed:
            await asyncio.to_thread(tts.voice_design, PROMPT, text, "guide", **asked)
        assert re.match(told, failed.value.message)
    assert len(asked["engine"].service.orders) == 1


async def test_a_design_for_live_sessions_only_says_its_words(place: Workplace) -> None:
    """Its preview says them: no model speaks it over HTTP."""
    made = await tts.avoice_design(PROMPT, "This way.", "guide", model=REALTIME, engine=place.studio, cache=False)
    assert made.target_model == REALTIME
    assert made.speech is not None
    assert made.speech.duration > 0
    assert place.studio.heard == []


async def test_the_asynchronous_calls(place: Workplace, sample: str) -> None:
    """Their twins take the same, and give the same; a stream gives chunks as they come."""
    settings: dict[str, Any] = {"engine": place.studio, "cache": False}
    clone = await tts.avoice_clone(sample, None, "narrator", consent=CONSENT, **settings)
    assert "audio_url" not in clone.to_dict()
    with pytest.raises(OptionError, match="no words to stream"):
        await tts.avoice_clone(sample, None, "narrator", stream=True, consent=CONSENT, **settings)
    stream = await tts.avoice_design(PROMPT, "This way.", "guide", stream=True, **settings)
    chunks = [chunk async for chunk in stream]  # type: ignore[union-attr]
    assert sum(chunk.samples for chunk in chunks) > 0
    assert place.studio.heard[-1] == stream.voice_id


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "  ",
        "!!!",
        "123 😀",
        "a" * 2049,
        "half of \ud83d",
        "Une voix douce de femme",
        "落ち着いた女性",
        "Мужской голос",
    ],
)
async def test_a_description_that_is_none_is_refused_before_it_is_paid_for(place: Workplace, prompt: str) -> None:
    """Empty, without a word, too long, half decoded or in a language that nobody understands: nothing is ordered."""
    with pytest.raises(OptionError, match=r"^The description "):
        await place.design(prompt=prompt)
    assert place.service.orders == []


@pytest.mark.parametrize(
    "prompt",
    [
        "Santa Claus ho ho ho",
        "cute かわいい girl",
        "sexy femme fatale noir",
        "macho latino amante",
        "robot vocoder monotone",
        "An old man who says «Mes chers amis, bienvenue dans notre musée» all day.",
        "日本动漫里的少女，爱说「かわいいですね」",
    ],
)
async def test_a_word_for_a_voice_may_come_from_anywhere(place: Workplace, prompt: str) -> None:
    """Names, loan words and what it says are no language of their own."""
    assert (await place.design(prompt=prompt)).voice.prompt == prompt


def test_the_greeting_speaks_the_language_that_was_named_or_that_of_the_description() -> None:
    """Every language of the catalogue has a greeting that is in it; without one, the description tells."""
    for language in set(catalogue.load().languages) - {"Auto"}:
        assert tongue.detect(wishes.greeting(language, PROMPT)) == language
    assert tongue.detect(wishes.greeting("Auto", "沉稳的中年男声，语速偏慢。")) == "Chinese"
    assert tongue.detect(wishes.greeting("auto", PROMPT)) == "English"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("This way, please. Mind the step.", "English"),
        ("请这边走，小心台阶。", "Chinese"),
        ("Hier entlang bitte, und Vorsicht an der Stufe.", "German"),
    ],
)
async def test_the_language_of_the_preview_is_told(place: Workplace, text: str, language: str) -> None:
    """The service takes what it is not told for Chinese, so it is told what the preview is written in."""
    await place.maker.make(DesignWish(PROMPT, "guide", text))
    assert place.service.orders[-1].language == language
    await place.maker.make(DesignWish(PROMPT + " Old.", "other", text, "Russian"))
    assert place.service.orders[-1].language == "Russian"


async def test_what_is_replaced_goes(place: Workplace) -> None:
    """A voice that another one replaces is deleted where it was made; what cannot be deleted is told."""
    first = await place.design()
    second = await place.design(prompt="Somebody else.", replace=True)
    assert list(place.service.voices) == [second.id.voice]
    place.service.fails = [None, ServiceFailed("Broken.")]
    third = await place.design(prompt="A third one.", replace=True)
    assert second.id.voice in third.notes[0]
    assert first.id.voice != third.id.voice


async def test_all_of_a_voice_is_within_the_budget(sample: str) -> None:
    """Where a voice for both ways of speaking costs more than there is, none of it is made."""
    studio = Studio(price=lambda _: 1.0)
    with pytest.raises(OverBudget):
        await tts.avoice_design(PROMPT, "", "guide", realtime=True, engine=studio, budget="1.5yuan")
    assert studio.service.orders == []
    await tts.avoice_design(PROMPT, "", "guide", engine=studio, budget="1.5yuan")
    assert len(studio.service.orders) == 1


async def test_an_error_in_the_middle_tells_what_is_made(place: Workplace) -> None:
    """The first of two ids is paid for, and the error of the second one says so."""
    place.service.fails = [None, ServiceFailed("Broken.")]
    with pytest.raises(ServiceFailed) as failed:
        await place.design(realtime=True)
    assert failed.value.message == f"Broken. guide is made for {HTTP}, and kept."
    assert failed.value.remedy.endswith("Then ask for the same again: only what is missing is made.")


async def test_a_voice_has_one_name(place: Workplace) -> None:
    """An id that the book has is not taken in under another name: who deletes one would delete both."""
    made = await place.design()
    with pytest.raises(OptionError, match="called guide already"):
        await place.maker.adopt(made.id.voice, "other")


async def test_a_book_that_cannot_be_written(place: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is ordered then. Where it shows afterwards, the voice is deleted again, or else its id is told."""
    (tmp_path / "a file").write_text("in the way")
    maker = Maker(place.service, Book(str(tmp_path / "a file" / "voices")))
    with pytest.raises(ConfigError, match="cannot be written"):
        await maker.make(DesignWish(PROMPT, "guide"))
    assert place.service.orders == []

    maker = place.maker
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
        with pytest.raises(ConfigError, match="No space left"):
            await maker.make(DesignWish(PROMPT, "guide"))
    assert place.service.orders == []

    def full(*_: object) -> None:
        raise ConfigError("The disk is full.")

    monkeypatch.setattr(place.book, "keep", full)
    with pytest.raises(ConfigError, match="full"):
        await maker.make(DesignWish(PROMPT, "guide"))
    assert len(place.service.orders) == 1
    assert place.service.voices == {}
    place.service.fails = [None, ServiceFailed("Broken.")]
    with pytest.raises(ConfigError, match="made all the same, as qwen-tts-vd-guide-voice-"):
        await maker.make(DesignWish(PROMPT, "guide"))


def test_extending_without_an_event_loop(place: Workplace) -> None:
    """The command line, which has no event loop, makes further ids as well."""
    tts.voice_design(PROMPT, "This way.", "guide", engine=place.studio, cache=False)
    made = _sync.run(place.maker.extend("guide", Wanted(http=False, realtime=True)))
    assert made.id.target_model == REALTIME


async def test_the_same_name_twice_at_once(place: Workplace) -> None:
    """Of two that are asked for at the same time, the same is made once, and another one is refused."""
    made = await asyncio.gather(
        *(place.design() for _ in range(3)), place.design(prompt="Another."), return_exceptions=True
    )
    assert len(place.service.orders) == 1
    kept = [each for each in made if isinstance(each, Made)]
    assert len({each.id.voice for each in kept}) == 1
    assert len(kept) in (1, 3)
    assert all(isinstance(each, Made | OptionError) for each in made)


async def test_what_was_made_on_another_machine(place: Workplace) -> None:
    """The machine's own voices of an imported book are made anew here from what the book keeps, until that is done."""
    there, here = (Service(engine="builtin", place="machine", account="") for _ in range(2))
    first = await Maker(there, place.book).make(DesignWish(PROMPT, "guide"))
    await Maker(here, place.book).restore("guide")
    assert [each.voice for each in place.book.get("guide").ids] == list(here.voices)
    await Maker(here, place.book).restore("guide")
    assert len(here.orders) == 1
    here.voices.clear()
    here.fails = [ServiceFailed("Broken.")]
    with pytest.raises(ServiceFailed):
        await Maker(here, place.book).restore("guide")
    await Maker(here, place.book).restore("guide")  # what is lost is still known to be
    (voice,) = here.voices
    assert [each.voice for each in place.book.get("guide").ids] == [voice]
    assert first.id.voice in there.voices
