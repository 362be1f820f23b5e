"""Voices that are made on the machine: kept, found, spoken; descriptions and samples made into settings."""

from __future__ import annotations

import asyncio
import math
import os
import re
import statistics
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lineread import Client, catalogue
from lineread.audio.traits import Traits
from lineread.engines.builtin import Builtin, designing
from lineread.engines.builtin import made as made_voices
from lineread.engines.builtin.cast import BOUNDS, OWN_PITCH, Cast, StandIn
from lineread.engines.builtin.designing import design
from lineread.engines.builtin.enrolment import STAND_IN_PREVIEW, Machine
from lineread.engines.builtin.likeness import likeness, scale
from lineread.engines.builtin.made import Made, MadeVoices
from lineread.engines.builtin.trial import level
from lineread.enrolment import Clone, Design
from lineread.errors import ConfigError, ModelError, OptionError, VoiceError
from lineread.speech import Chunk, LiveRequest, Request, Segment
from support import gather, python

ID = re.compile(r"qwen-tts-(vc|vd)-\w{1,16}-voice-20\d{15}-[0-9a-f]{4}")
TEXT = "When the train finally arrived, most of the passengers were tired and ready to go home."
PERSON = StandIn(0.6, 0.88, 0.95, 0.9, rough=0.1, gain=4.0)
MODELS = {"clone": "qwen3-tts-vc-2026-01-22", "design": "qwen3-tts-vd-2026-01-26"}


@pytest.fixture
def store(tmp_path: Path) -> MadeVoices:
    return MadeVoices(str(tmp_path / "data" / "made"))


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Builtin]:
    built = Builtin(str(tmp_path / "data"))
    yield built
    await built.aclose()


@pytest.fixture
def enroller(engine: Builtin) -> Machine:
    found = engine.enroller()
    assert isinstance(found, Machine)
    return found


def kept(store: MadeVoices, name: str = "guide", person: StandIn = PERSON, family: str = "vd") -> Made:
    return store.add(family, name, Made("", MODELS["design"], "", "", "A guide.", "", asdict(person), ("so",)))


def order(prompt: str = "A dry, low-pitched museum guide in his fifties.", **fields: object) -> Design:
    return replace(Design("guide", prompt, "This way, please.", MODELS["design"]), **fields)  # type: ignore[arg-type]


async def say(engine: Builtin, voice: str, text: str = TEXT) -> tuple[NDArray[np.float32], Chunk]:
    """A text in some voice, and the chunk that carries the facts."""
    request = engine.resolve(Request(text, voice))
    chunks = await gather(engine.stream(Segment(request, 0, 0, len(text))))
    pcm = b"".join(chunk.pcm for chunk in chunks)
    return np.frombuffer(pcm, "<i2").astype(np.float32) / 32768, chunks[-1]


# -- Kept --------------------------------------------------------------------------------------------------------------


def test_a_voice_comes_back_as_it_was_kept(store: MadeVoices) -> None:
    """What was kept is found again by its id, which has the service's form and says how and when it was made."""
    made = kept(store)
    assert ID.fullmatch(made.voice)
    assert re.sub(r"\D", "", made.created) in made.voice
    assert store.find(made.voice) == made
    assert (made.settings, made.reasons) == (asdict(PERSON), ("so",))


@given(st.text() | st.from_regex(r"qwen-tts-v[cd]-[\w./\\\x00]{0,20}-voice-[\d/.]{0,20}-[0-9a-f\n]{0,5}"))
@example("qwen-tts-vd-../../../x-voice-20261118093012345-9ed2")
@example("qwen-tts-vd-guide-voice-20261118093012345-9ed2\n")
@example("qwen-tts-vd-guide-voice-20261118093012345-9ed2/../other")
@example("qwen-tts-vd-guide-voice-２０２６1118093012345-9ed2")
def test_what_is_no_id_is_no_path(voice: str) -> None:
    """Whatever is asked for, it is "not found", and the disk is asked for nothing."""

    def touched(*paths: object) -> None:
        raise AssertionError(paths)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(made_voices, "open", touched, raising=False)
        patch.setattr(os, "unlink", touched)
        for attempt in (MadeVoices("made").find, MadeVoices("made").remove, Cast("data").stand_in):
            with pytest.raises(VoiceError) as caught:
                attempt(voice)
            assert caught.value.code in ("voice_not_found", "unknown_voice")


def test_many_processes_make_voices_at_once(store: MadeVoices, tmp_path: Path) -> None:
    """Four processes that make 25 voices each leave a hundred voices, all whole, and nothing half-made."""
    code = (
        "import sys\n"
        "from lineread.engines.builtin.made import Made, MadeVoices\n"
        "store = MadeVoices(sys.argv[1])\n"
        "for n in range(25):\n"
        "    store.add('vd', 'same', Made('', 'm', '', '', '', '', {'pitch': 0.5 + n / 100}, ()))\n"
    )
    directory = str(tmp_path / "data" / "made")
    with asyncio.Runner() as runner:

        async def crowd() -> None:
            done = await asyncio.gather(*(asyncio.to_thread(python, code, directory) for _ in range(4)))
            assert [each.stderr for each in done] == [b""] * 4

        runner.run(crowd())
    ids = store.ids("vd")
    assert (len(ids), len(set(ids))) == (100, 100)
    assert all(store.find(each).settings for each in ids)
    assert all(name.endswith(".json") for name in os.listdir(directory))


def test_an_id_is_given_once(store: MadeVoices, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where chance gives an id a second time, another one is drawn: no voice is ever replaced."""
    monkeypatch.setattr(time, "time_ns", lambda: 1_795_000_000_123_000_000)
    dice = iter([b"\1\2", b"\1\2", b"\3\4"])
    monkeypatch.setattr(os, "urandom", lambda _: next(dice))
    one, other = kept(store), kept(store, person=StandIn())
    assert (one.voice[-4:], other.voice[-4:]) == ("0102", "0304")
    assert store.find(one.voice).settings == asdict(PERSON)


@pytest.mark.parametrize(
    "harm",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "[" * 100_000,
        lambda text: text.replace("-guide-", "-other-"),
        lambda text: text.replace('"formants": 0.88', '"formants": 0'),
        lambda text: text.replace('"pitch": 0.6', '"pitch": NaN'),
        lambda text: text.replace('"pitch": 0.6', '"shape": 0.6'),
        lambda text: text.replace('"so"', "7"),
        lambda text: "\x00",
        lambda text: "null",
        lambda text: '"x"',
        lambda text: text.replace('"pitch": 0.6', f'"pitch": 1{"0" * 400}'),
        lambda text: re.sub(r'"settings": {[^}]*}', '"settings": [1]', text),
        lambda text: re.sub(r'"reasons": \[[^]]*\]', '"reasons": "so"', text),
    ],
)
async def test_a_damaged_file_says_so_and_can_be_deleted(
    harm: Callable[[str], str], enroller: Machine, engine: Builtin, store: MadeVoices, tmp_path: Path
) -> None:
    """A file that was cut, mixed up or edited is an error with a way out; the list goes on, and it can be deleted."""
    made, sound = kept(store), kept(store, "sound")
    path = tmp_path / "data" / "made" / f"{made.voice}.json"
    path.write_text(harm(path.read_text()))
    with pytest.raises(ConfigError) as caught:
        engine.resolve(Request("Hello.", made.voice))
    assert caught.value.code == "voice_damaged"
    assert caught.value.remedy
    assert {each.voice for each in (await enroller.page("design")).voices} == {made.voice, sound.voice}
    await enroller.delete("design", made.voice)
    assert (await enroller.page("design")).voices == (await enroller.find("design", sound.voice),)


async def test_pages_begin_with_the_newest(
    enroller: Machine, store: MadeVoices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages follow each other from the newest to the oldest voice of a kind, whatever their names."""
    names = ["b", "z", "a", "m", "c"]
    for second, name in enumerate(names):
        monkeypatch.setattr(time, "time_ns", lambda second=second: (1_795_000_000 + second) * 10**9)
        kept(store, name, family="vc")
    kept(store, "other")
    pages = [await enroller.page("clone", index=index, size=2) for index in range(4)]
    shown = [each.voice.split("-")[3] for page in pages for each in page.voices]
    assert shown == names[::-1]
    assert [(len(page.voices), page.total) for page in pages] == [(2, 5), (2, 5), (1, 5), (0, 5)]


# -- Spoken ------------------------------------------------------------------------------------------------------------


def test_the_light_half_stays_light() -> None:
    """A voice of Qwen's loads nothing that has to do with made ones; a made one loads nothing heavy."""
    done = python(
        "import sys\n"
        "from lineread.engines.builtin import Builtin\n"
        "from lineread.speech import Request\n"
        "engine = Builtin('data')\n"
        "def ask(voice):\n"
        "    engine.fingerprint(engine.resolve(Request('Hello there.', voice)))\n"
        "ask('Cherry')\n"
        "print('lineread.engines.builtin.made' in sys.modules)\n"
        "from lineread.engines.builtin.made import Made, MadeVoices\n"
        "made = MadeVoices('data/made').add('vd', 'x', Made('', 'm', '', '', '', '', {'pitch': 0.7}, ()))\n"
        "ask(made.voice)\n"
        "heavy = {'numpy', 'onnxruntime', 'hibari', 'asyncio', 'logging', 'importlib.metadata', 'concurrent.futures'}\n"
        "heavy.add('lineread.enrolment')  # its dataclasses take 4 ms\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert (done.stdout.split(), done.stderr) == ([b"False", b"[]"], b"")


async def test_a_made_voice_speaks_by_its_id(engine: Builtin, store: MadeVoices) -> None:
    """It is asked for by its id and speaks with its settings; facts and fingerprint tell it from any other."""
    made, other = kept(store), kept(store, person=replace(PERSON, pitch=0.61))
    _, chunk = await say(engine, made.voice, "Hello there.")
    assert chunk.facts is not None
    assert chunk.facts.stand_in == "hibari heart as guide: pitch 0.60, formants 0.88, pace 0.95 (approximate)"
    prints = {engine.fingerprint(Request("Hello.", voice)) for voice in (made.voice, other.voice, "Cherry")}
    assert len(prints) == 3
    assert chunk.facts.fingerprint in prints


@pytest.mark.parametrize("directory", [None, "nowhere"])
def test_an_unknown_id_is_not_found(directory: str | None) -> None:
    """A voice that was deleted, or made elsewhere, is refused before anything is spoken, with what to do."""
    with pytest.raises(VoiceError) as caught:
        Builtin(directory).resolve(Request("Hello.", "qwen-tts-vd-guide-voice-20261118093144120-4c1f"))
    assert caught.value.code == "voice_not_found"
    assert caught.value.remedy


async def test_a_made_voice_speaks_in_calls_and_live_sessions(
    tmp_path: Path, store: MadeVoices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Client, cache and live session take an id as any other voice; the settings say where it is found."""
    made = kept(store)
    monkeypatch.setenv("LINEREAD_DATA_DIR", str(tmp_path / "data"))
    client = Client(engine="builtin")
    request = Request("Hello there, this is me.", made.voice)
    first, again = await client.agenerate(request), await client.agenerate(request)
    assert (first.cached, again.cached, first.pcm == again.pcm) == (False, True, True)
    async with client.live(LiveRequest(made.voice)) as session:
        await session.write("Hello there. ")
        await session.end()
        spoken = [chunk async for chunk in session]
    assert any(chunk.facts and "as guide" in chunk.facts.stand_in for chunk in spoken)
    await client.aclose()


# -- Described ---------------------------------------------------------------------------------------------------------


def test_the_rules_agree_with_the_cast() -> None:
    """The 48 voices, designed again from their lines, come out as they were set by ear: nearly the same persons."""
    off: dict[str, list[float]] = {name: [] for name in ("pitch", "formants", "pace", "range")}
    for voice in catalogue.load().voices.values():
        age = {"middle": "middle-aged"}.get(voice.age, voice.age)
        designed = design(f"{voice.gender}, {age}. {voice.description}").settings
        for name, errors in off.items():
            errors.append(abs(math.log(getattr(designed, name) / getattr(StandIn(**voice.stand_in), name))))
    assert max(off["pitch"]) < math.log(2) / 12 * 4.1  # four semitones
    assert statistics.mean(off["pitch"]) < math.log(2) / 12 * 1.5
    assert statistics.mean(off["formants"]) < 0.03
    assert statistics.mean(off["pace"]) < 0.06
    assert statistics.mean(off["range"]) < 0.12


@pytest.mark.parametrize(
    ("less", "more", "setting"),
    [
        ("a very deep woman's voice", "a deep woman's voice", "pitch"),
        ("a deep, very deep, low woman's voice", "a deep, low woman's voice", "pitch"),
        ("a deep woman's voice", "a slightly deep woman's voice", "pitch"),
        ("a slightly deep woman's voice", "a woman's voice", "pitch"),
        ("a woman's voice", "a woman's voice, not deep", "pitch"),
        ("a man in his fifties", "a man in his twenties", "pitch"),
        ("a man, 50 years old", "a boy, aged seven", "formants"),
        ("a man in his early forties", "a man in his late seventies", "rough"),
        ("not breathy or hoarse old woman", "a hoarse, breathy old woman", "rough"),
        ("not breathy or hoarse old woman", "a hoarse, breathy old woman", "breath"),
        ("speaks slowly", "speaks quickly", "pace"),
        ("calm rather than excited", "excited rather than calm", "range"),
        ("a monotone robot", "a lively commentator", "range"),
        ("dark and muffled", "bright and crisp", "tilt"),
        ("非常低沉的女声", "低沉的女声", "pitch"),
        ("低沉的女声", "略微低沉的女声", "pitch"),
        ("女声", "不低沉的女声", "pitch"),
        ("五十多岁的男性", "二十出头的男性", "pitch"),
        ("声音不沙哑的老人", "声音沙哑的老人", "rough"),
        ("语速很慢", "语速较快", "pace"),
        ("博物馆讲解员，男，语速缓慢", "足球解说，男，语速快", "range"),
    ],
)
def test_words_mean_what_they_say(less: str, more: str, setting: str) -> None:
    """Of two descriptions, the setting that they speak of is lower in the first one."""
    assert getattr(design(less).settings, setting) < getattr(design(more).settings, setting)


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("a woman in her late twenties", "二十八岁的女性"),
        ("a man of 55 years", "五六十岁的男性"),
        ("a 7-year-old boy", "七岁的男孩"),
        ("a very hoarse old man", "声音非常沙哑的老头"),
        ("a soft, slightly slow woman's voice", "温柔的女声，语速略慢"),
    ],
)
def test_both_languages_mean_the_same(english: str, chinese: str) -> None:
    """A description and its translation give the same voice."""
    assert design(english).settings == design(chinese).settings


def test_the_reasons_name_the_words_and_what_was_left_out() -> None:
    """Each rule that worked is listed with its words; so is what the machine cannot do, and what no rule knows."""
    designed = design("A very deep, not at all hoarse man of 52 with a British accent who frobnicates.")
    assert designed.reasons == (
        '"man", "of 52": a man of about 52; pitch 0.58, formants 0.87, pace 0.98, rough 0.05',
        '"very deep": low; pitch × 0.79, formants × 0.96',
        '"not hoarse": not hoarse; rough -0.15, breath -0.03',
        '"british accent": nothing was made of it, the machine\'s voice has one accent, an American one.',
        'Nothing was made of "frobnicates".',
    )
    assert design("an extremely deep giant, very deep").settings.pitch == round(BOUNDS["pitch"][0], 3)
    assert any("lies outside" in reason for reason in design("an extremely deep giant").reasons)


def test_what_says_nothing_is_a_voice_too() -> None:
    """Descriptions that no rule knows give voices that differ, stay near the middle, and say that they were drawn."""
    voices = [design(f"frob {n}") for n in range(20)]
    assert len({voice.settings for voice in voices}) == 20
    assert all(0.75 < voice.settings.pitch < 0.95 and "drawn from the text" in voice.reasons[0] for voice in voices)


def test_the_same_description_is_the_same_voice_everywhere() -> None:
    """Settings and reasons do not depend on the process or on its hash seed."""
    code = (
        "from lineread.engines.builtin.designing import design\n"
        "print(ascii([design(p) for p in ('frob', 'A hoarse, lively old king or queen', '温柔的老奶奶，不沙哑')]))"
    )
    said = {python(code, env={**os.environ, "PYTHONHASHSEED": seed}).stdout for seed in ("1", "2", "77")}
    assert len(said) == 1
    assert b"StandIn" in said.pop()


def test_every_phrase_of_the_data_is_found() -> None:
    """No phrase is out of reach: each one, alone, is read as what the data says of it, and stands there once."""
    data = designing._data()
    lists = [(data[kind], kind) for kind in ("idle", "negations", "joiners", "breaks")]
    lists += [(each["words"], each["what"]) for each in data["beyond"]] + [(words, n) for n, words in data["degrees"]]
    lists += [(rule["words"], rule["is"]) for rule in data["rules"]]
    phrases = [(word.strip(), meaning) for words, meaning in lists for word in words.split(",")]
    assert len(phrases) == len({word for word, _ in phrases})
    for word, _ in phrases:
        tokens = list(designing._tokens(designing._plain(word)))
        assert [token.shown for token in tokens] == [word], word
    effects = [rule.get("effect", {}) for rule in data["rules"]]
    assert {name for effect in effects for name in effect} <= set(BOUNDS) - {"gain"}


@given(st.text(max_size=200) | st.lists(st.sampled_from(sorted(designing._phrases())), max_size=30).map(" ".join))
def test_any_text_is_a_voice(prompt: str) -> None:
    """Whatever is written, the voice is one that the vocoder does well, with a reason, and the same again; or it is
    words of another language, and nothing of them is understood.
    """
    try:
        designed = design(prompt)
    except OptionError as error:
        assert error.code == "language_unsupported"  # noqa: PT017 - most texts raise nothing
        return
    assert designed.settings == designed.settings.clamped() == design(prompt).settings
    assert designed.reasons


async def test_a_design_is_a_voice_with_a_preview(enroller: Machine, engine: Builtin) -> None:
    """A description gives an id that speaks at once, at the level of all voices; what is kept says all of it."""
    made = await enroller.design(order())
    assert ID.fullmatch(made.voice)
    assert (made.fidelity, made.kind, made.prompt) == ("approximate", "design", order().prompt)
    assert await enroller.find("design", made.voice) == replace(made, preview=None)
    sound, chunk = await say(engine, made.voice)
    cherry, _ = await say(engine, "Cherry")
    assert level(sound) == pytest.approx(level(cherry), abs=1.5)
    assert chunk.facts is not None
    assert "guide" in chunk.facts.stand_in
    again = await enroller.design(order())
    assert again.voice != made.voice
    assert (again.settings, again.reasons, again.preview) == (made.settings, made.reasons, made.preview)


@pytest.mark.parametrize(
    ("form", "rate", "head"),
    [("wav", 24_000, b"RIFF"), ("mp3", 48_000, b""), ("opus", 16_000, b"OggS"), ("pcm", 8000, b"")],
)
async def test_previews_are_what_was_asked_for(
    enroller: Machine, tmp_path: Path, form: str, rate: int, head: bytes
) -> None:
    """Each format at another rate: a file of it, of that rate, as long as the words take."""
    made = await enroller.design(order(preview_text="Good evening. This way, please.", format=form, sample_rate=rate))
    assert made.preview is not None
    assert made.preview.audio.startswith(head)
    assert (made.preview.sample_rate, made.preview.format, made.preview_text) == (
        rate,
        form,
        "Good evening. This way, please.",
    )
    if form == "pcm":
        seconds = len(made.preview.audio) / 2 / rate
    else:
        path = tmp_path / "preview"
        path.write_bytes(made.preview.audio)
        about = soundfile.info(str(path))
        assert about.samplerate == (rate if form != "opus" else about.samplerate)
        seconds = about.duration
    assert 1.5 < seconds < 4


async def test_a_preview_that_cannot_be_spoken_says_something_else(enroller: Machine) -> None:
    """Chinese words are beyond the machine's voice: the voice is made all the same, and the reasons say so."""
    made = await enroller.design(order("温柔的女声", preview_text="请跟我到第二展厅。", language="Chinese"))
    assert made.preview is not None
    assert made.preview_text == STAND_IN_PREVIEW
    assert "preview says something else" in made.reasons[-1]
    english = await enroller.design(order("温柔的女声", language="Chinese"))  # the service's default for the language
    assert english.preview_text == "This way, please."


def test_targets_are_models_of_the_kind_and_way(enroller: Machine) -> None:
    """Left out, the model is the newest that fits; one that does not fit is refused with one that does."""
    assert enroller.target("clone") == "qwen3-tts-vc-2026-01-22"
    assert enroller.target("design", realtime=True) == "qwen3-tts-vd-realtime-2026-01-15"
    older = "qwen3-tts-vc-realtime-2025-11-27"
    assert enroller.target("clone", model=older, realtime=True) == older
    for kind, model, realtime in (
        ("design", older, True),
        ("clone", older, False),
        ("clone", "qwen3-tts-flash", False),
    ):
        with pytest.raises(ModelError) as caught:
            enroller.target(kind, model=model, realtime=realtime)  # type: ignore[arg-type]
        assert enroller.target(kind, realtime=realtime) in caught.value.remedy  # type: ignore[arg-type]


async def test_deleted_is_gone(enroller: Machine, engine: Builtin) -> None:
    """A deleted voice is not listed, found, spoken or deleted again; one of the other kind is not touched."""
    made = await enroller.design(order())
    with pytest.raises(VoiceError):
        await enroller.delete("clone", made.voice)
    assert (await enroller.page("design")).total == 1
    await enroller.delete("design", made.voice)
    assert (await enroller.page("design")).total == 0
    for attempt in (enroller.find("design", made.voice), enroller.delete("design", made.voice)):
        with pytest.raises(VoiceError) as caught:
            await attempt
        assert caught.value.code == "voice_not_found"
    with pytest.raises(VoiceError):
        engine.resolve(Request("Hello.", made.voice))


@pytest.mark.parametrize("name", ["../x", "", "seventeen_letters", "a-b"])
async def test_names_are_checked_before_anything_is_done(enroller: Machine, name: str) -> None:
    """A name that an id cannot contain is refused for clones and designs alike, and nothing is kept."""
    for attempt in (enroller.design(order(name=name)), enroller.clone(Clone(name, b"", "audio/wav", MODELS["clone"]))):
        with pytest.raises(OptionError):
            await attempt
    assert (await enroller.page("design")).total == 0


# -- Measured ----------------------------------------------------------------------------------------------------------

SAMPLE = Traits(10, 9, 4, 118.0, 2.4, (480.0, 1500.0, 2450.0), 4.2, -21, -60, 0)


class Simulated:
    """A machine whose measurements follow its settings crookedly, as real ones do: pitch and formants pull at each
    other, and both are off by some percent."""

    def __init__(self) -> None:
        self.asked: list[StandIn] = []

    async def __call__(self, person: StandIn) -> Traits:
        self.asked.append(person)
        formants = person.formants**0.8 * person.pitch**0.06 * 1.03
        return replace(
            SAMPLE,
            pitch=OWN_PITCH * person.pitch**0.95 * 1.04,
            formants=(530.0 * formants, 1620.0 * formants, 2700.0 * formants),
            pace=4.6 * person.pace**0.9,
            spread=2.8 * person.range * person.pitch**0.1,
        )


async def test_the_loop_closes_on_a_crooked_machine() -> None:
    """Where settings do not do quite what they say, pitch and formants as measured come within 1 % all the same."""
    machine = Simulated()
    found = await likeness(SAMPLE, machine)
    heard = await machine(found.settings)
    assert heard.pitch == pytest.approx(SAMPLE.pitch, rel=0.01)
    assert scale(heard) == pytest.approx(scale(SAMPLE), rel=0.01)
    assert heard.spread == pytest.approx(SAMPLE.spread, rel=0.05)
    assert len(machine.asked) <= 6
    assert not any("than the machine" in reason for reason in found.reasons)


@pytest.mark.parametrize(
    ("sample", "words", "setting"),
    [
        ({"pitch": 55.0}, "lower than the machine can go: 55 Hz asked, 70 Hz set", ("pitch", 0)),
        ({"pitch": 520.0}, "higher than the machine can go", ("pitch", 1)),
        ({"formants": (300.0, 1000.0, 1700.0)}, "larger than the machine can sound", ("formants", 0)),
        ({"pace": 12.0}, "faster than the machine can speak", ("pace", 1)),
    ],
)
async def test_a_voice_outside_is_set_at_the_edge_and_says_so(
    sample: Mapping[str, object], words: str, setting: tuple[str, int]
) -> None:
    """What the machine cannot do is done as nearly as it can, and one line says what was asked and what was set."""
    found = await likeness(replace(SAMPLE, **sample), Simulated())  # type: ignore[arg-type]
    name, end = setting
    assert getattr(found.settings, name) == pytest.approx(BOUNDS[name][end], abs=0.001)
    assert any(words in reason for reason in found.reasons)


async def test_a_sample_without_a_voice_is_refused() -> None:
    """Where nothing is voiced there is nothing to bring the machine's voice near to."""
    with pytest.raises(OptionError) as caught:
        await likeness(replace(SAMPLE, pitch=0.0, formants=()), Simulated())
    assert caught.value.code == "sample_silent"


@pytest.mark.parametrize(
    ("prompt", "language"),
    [
        ("низкий мужской голос", "Russian"),
        ("Eine tiefe, ruhige Stimme eines alten Mannes", "German"),
    ],
)
def test_a_description_in_another_language_is_refused(prompt: str, language: str) -> None:
    """Nothing of it is understood, so no voice is drawn from it as if it were."""
    with pytest.raises(OptionError, match=f"is in {language}") as caught:
        design(prompt)
    assert "Chinese or English" in caught.value.remedy


def test_words_of_another_language_stay_apart() -> None:
    """Where something is understood the voice is made, and the reasons name the rest, word by word."""
    reasons = " ".join(design("An old man, низкий голос, 低沉 ручей").reasons)
    assert '"низкий", "голос"' in reasons
    assert any("drawn from the text" in reason for reason in design("qwxz brlk").reasons)
