"""The facts of the service, stated a second time: whoever changes one by mistake has to change both."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineread import catalogue
from lineread.errors import LinereadError, ModelError, OptionError, VoiceError

#: From the voice tables of the service's guides (mid-2026), by family.
OLD = "Cherry Serena Ethan Chelsie"
LATEST = f"{OLD} Jada Dylan Sunny"
SNAPSHOT = "Cherry Ethan Nofish Jennifer Ryan Katerina Elias Jada Dylan Li Marcus Roy Peter Sunny Eric Rocky Kiki"  # 17
INSTRUCT = (
    "Cherry Serena Ethan Chelsie Momo Vivian Moon Maia Kai Nofish Bella Eldric_Sage Mia Mochi Bellona Vincent Bunny "
    "Neil Elias Arthur Nini Seren Pip Stella"
)
ALL = (
    f"{INSTRUCT} Jennifer Ryan Katerina Aiden Bodega Sonrisa Alek Dolce Sohee Ono_Anna Lenn Emilien Andre Radio_Gol "
    "Jada Dylan Li Marcus Roy Peter Sunny Eric Rocky Kiki"
)
MEN = (
    "Ethan Moon Kai Nofish Ryan Aiden Eldric_Sage Mochi Vincent Neil Arthur Pip Bodega Alek Dolce Lenn Emilien Andre "
    "Radio_Gol Dylan Li Marcus Roy Peter Eric Rocky"
)
DIALECTS = {
    "Jada": "Shanghai", "Dylan": "Beijing", "Li": "Nanjing", "Marcus": "Shaanxi", "Roy": "Minnan", "Peter": "Tianjin",
    "Sunny": "Sichuan", "Eric": "Sichuan", "Rocky": "Cantonese", "Kiki": "Cantonese",
}  # fmt: skip

#: model: (voices, most characters, instructions, calls a minute, the dated model behind the name)
MODELS: dict[str, tuple[str, int | None, bool, int, str]] = {
    "qwen3-tts-flash": (ALL, 600, False, 180, "qwen3-tts-flash-2025-11-27"),
    "qwen3-tts-flash-2025-11-27": (ALL, 600, False, 180, ""),
    "qwen3-tts-flash-2025-09-18": (SNAPSHOT, 600, False, 10, ""),
    "qwen3-tts-instruct-flash": (INSTRUCT, 600, True, 180, "qwen3-tts-instruct-flash-2026-01-26"),
    "qwen3-tts-instruct-flash-2026-01-26": (INSTRUCT, 600, True, 180, ""),
    "qwen3-tts-vc-2026-01-22": ("", 600, False, 180, ""),
    "qwen3-tts-vd-2026-01-26": ("", 600, False, 180, ""),
    "qwen-tts": (OLD, 512, False, 10, "qwen-tts-2025-04-10"),
    "qwen-tts-latest": (LATEST, 512, False, 10, "qwen-tts-2025-05-22"),
    "qwen-tts-2025-05-22": (LATEST, 512, False, 10, ""),
    "qwen-tts-2025-04-10": (OLD, 512, False, 10, ""),
    "qwen3-tts-flash-realtime": (ALL, None, False, 180, "qwen3-tts-flash-realtime-2025-11-27"),
    "qwen3-tts-flash-realtime-2025-11-27": (ALL, None, False, 180, ""),
    "qwen3-tts-flash-realtime-2025-09-18": (SNAPSHOT, None, False, 10, ""),
    "qwen3-tts-instruct-flash-realtime": (INSTRUCT, None, True, 180, "qwen3-tts-instruct-flash-realtime-2026-01-22"),
    "qwen3-tts-instruct-flash-realtime-2026-01-22": (INSTRUCT, None, True, 180, ""),
    "qwen3-tts-vc-realtime-2026-01-15": ("", None, False, 180, ""),
    "qwen3-tts-vc-realtime-2025-11-27": ("", None, False, 180, ""),
    "qwen3-tts-vd-realtime-2026-01-15": ("", None, False, 180, ""),
    "qwen3-tts-vd-realtime-2025-12-16": ("", None, False, 180, ""),
    "qwen-tts-realtime": (OLD, None, False, 10, "qwen-tts-realtime-2025-07-15"),
    "qwen-tts-realtime-latest": (OLD, None, False, 10, ""),
    "qwen-tts-realtime-2025-07-15": (OLD, None, False, 10, ""),
}


def names(text: str) -> set[str]:
    return {name.replace("_", " ") for name in text.split()}


def test_the_voices() -> None:
    """There are 48, with the gender and the dialect that the service documents, and no two alike."""
    voices = catalogue.load().voices
    assert len(voices) == 48
    assert set(voices) == names(ALL)
    assert {voice.id for voice in voices.values() if voice.gender == "male"} == names(MEN)
    assert {voice.gender for voice in voices.values()} == {"male", "female"}
    assert {voice.age for voice in voices.values()} == {"child", "young", "middle", "old"}
    assert {voice.id: voice.dialect for voice in voices.values() if voice.dialect} == DIALECTS
    assert len({voice.name for voice in voices.values()}) == 48
    assert len({voice.description for voice in voices.values()}) == 48


def test_the_models() -> None:
    """Each model has its voices, its limit, its pace and its alias."""
    models = catalogue.load().models
    assert set(models) == set(MODELS)
    for model_id, (voices, *facts) in MODELS.items():
        model = models[model_id]
        assert {voice.id for voice in catalogue.voices_of(model)} == names(voices), model_id
        assert [model.limit, model.instructions, model.rpm, model.alias_of] == facts, model_id
        assert model.transport == ("realtime" if "realtime" in model_id else "http")
        assert model.custom == ("-vc-" in model_id or "-vd-" in model_id)
    assert [len(names(group)) for group in (ALL, INSTRUCT, SNAPSHOT, LATEST, OLD)] == [48, 24, 17, 7, 4]


def test_every_alias_ends_at_a_dated_model() -> None:
    """A name without a date says which dated model it stood for, and that one exists and is no alias itself."""
    models = catalogue.load().models
    for model in models.values():
        dated = re.search(r"-\d{4}-\d{2}-\d{2}$", model.id)
        assert bool(model.alias_of) != bool(dated) or model.id == "qwen-tts-realtime-latest"  # nobody documents it
        if model.alias_of:
            target = models[model.alias_of]
            assert (target.alias_of, target.voices, target.limit) == ("", model.voices, model.limit)
            assert target.transport == model.transport


def test_the_prices() -> None:
    """Yuan in Beijing and in Singapore, per 10,000 characters; the old models by tokens, in Beijing only."""
    prices = {model.id: dict(model.prices) for model in catalogue.load().models.values()}
    for model_id, price in prices.items():
        if model_id.startswith("qwen-tts"):
            assert price == {"cn-beijing": 2.4 if "realtime" in model_id else 1.6}
        elif model_id.startswith("qwen3-tts-flash-realtime") or re.search("v[cd]-realtime", model_id):
            assert price == {"cn-beijing": 1, "ap-southeast-1": 0.954101}
        elif "realtime" in model_id:
            assert price == {"cn-beijing": 1, "ap-southeast-1": 1}
        elif model_id.startswith("qwen3-tts-flash"):
            assert price == {"cn-beijing": 0.8, "ap-southeast-1": 0.733924}
        else:
            assert price == {"cn-beijing": 0.8, "ap-southeast-1": 0.8}


def test_the_regions_and_languages() -> None:
    """Qwen TTS runs in two regions and speaks ten languages, or finds out by itself."""
    regions = {place.id: (place.http, place.realtime) for place in catalogue.load().regions.values()}
    assert regions == {
        "cn-beijing": (
            "https://dashscope.aliyuncs.com/api/v1",
            "wss://dashscope.aliyuncs.com/api-ws/v1/realtime",
        ),
        "ap-southeast-1": (
            "https://dashscope-intl.aliyuncs.com/api/v1",
            "wss://dashscope-intl.aliyuncs.com/api-ws/v1/realtime",
        ),
    }
    languages = "Auto Chinese English German Italian Portuguese Spanish Japanese Korean French Russian"
    assert set(catalogue.load().languages) == set(languages.split())


@given(st.data())
def test_case_and_underscores_are_forgiven(data: st.DataObject) -> None:
    """Voices, models and languages are found in any case; a voice also with underscores, as other tools write it."""
    facts = catalogue.load()
    voice = data.draw(st.sampled_from(sorted(facts.voices)))
    spelt = data.draw(st.sampled_from([voice, voice.lower(), voice.upper(), voice.replace(" ", "_"), f" {voice} "]))
    assert catalogue.voice(spelt).id == voice
    model = data.draw(st.sampled_from(sorted(facts.models)))
    assert catalogue.model(data.draw(st.sampled_from([model, model.upper(), model.title()]))).id == model
    language = data.draw(st.sampled_from(facts.languages))
    assert catalogue.language(data.draw(st.sampled_from([language, language.lower(), language.upper()]))) == language


def test_a_voice_by_its_chinese_name() -> None:
    """The names that `lineread voices` shows beside the voices are names of theirs, and nobody else's."""
    voices = catalogue.load().voices.values()
    assert [catalogue.voice(f" {voice.name} ") for voice in voices] == [*voices]


@pytest.mark.parametrize("look_up", [catalogue.voice, catalogue.model, catalogue.language, catalogue.region])
def test_a_name_of_any_length_is_told_in_a_line_that_can_be_read(look_up: Callable[[str], object]) -> None:
    """A message repeats no more of a name than a name has."""
    with pytest.raises(LinereadError) as caught:
        look_up("x" * 100_000)
    assert "xxx…'" in caught.value.message
    assert len(caught.value.message) < 120


def test_a_custom_voice_tells_how_it_was_made() -> None:
    """By the form of its id; no other name does."""
    named = [
        catalogue.custom_family(name) for name in ("qwen-tts-vc-me-1", "qwen-tts-vd-me-1", "qwen-tts-vx-1", "Cherry")
    ]
    assert named == ["vc", "vd", None, None]


def test_a_region_by_its_city() -> None:
    """A region is found by id or by city, in any case."""
    assert catalogue.region("Singapore") == catalogue.region("singapore") == catalogue.region("ap-southeast-1")


@pytest.mark.parametrize(
    ("look_up", "kind", "code", "typo", "meant"),
    [
        (catalogue.voice, VoiceError, "unknown_voice", "Chery", "Cherry"),
        (catalogue.voice, VoiceError, "unknown_voice", "OnoAnna", "Ono Anna"),
        (catalogue.model, ModelError, "unknown_model", "qwen3-tts-flsh", "qwen3-tts-flash"),
        (catalogue.language, OptionError, "unknown_language", "Englisch", "English"),
    ],
)
def test_did_you_mean(look_up: object, kind: type, code: str, typo: str, meant: str) -> None:
    """A misspelt name is refused in one line that names the right one, and where to find all."""
    with pytest.raises(kind) as caught:
        look_up(typo)  # type: ignore[operator]
    assert caught.value.code == code
    assert repr(typo) in caught.value.message
    assert f"Did you mean {meant}" in caught.value.remedy
    assert re.search(r"lists all|Choose one of", caught.value.remedy)


@pytest.mark.parametrize("name", ["", " ", "Zzyzx", "李", "x" * 5000, "a\nb", "__class__", "\ud800"])
def test_nonsense_is_refused_without_a_guess(name: str) -> None:
    """Whatever is looked up, the answer is a fact or a documented error of one line with a remedy."""
    kinds = {
        catalogue.voice: VoiceError,
        catalogue.model: ModelError,
        catalogue.language: OptionError,
        catalogue.region: OptionError,
    }
    for look_up, kind in kinds.items():
        with pytest.raises(kind) as caught:
            look_up(name)
        assert caught.value.remedy
        assert len(str(caught.value).splitlines()) == 1
        assert "Did you mean" not in str(caught.value)


def test_records_are_read_once_and_one_a_line() -> None:
    """The facts are parsed once; the file has one record for each line, so that a change is one line's change."""
    assert catalogue.load() is catalogue.load()
    path = catalogue.__file__.replace(".py", ".json")
    with open(path, encoding="utf-8") as file:
        lines = [line.strip().rstrip(",") for line in file if line.startswith("  {")]
    records = [json.loads(line) for line in lines]
    assert len(records) == len(MODELS) + 48 + 2 + 5 + 13


def test_openais_names_stand_for_voices_of_the_same_kind() -> None:
    """Each of OpenAI's voices has a Qwen voice of its own, of its gender, which instruct models have as well."""
    facts = catalogue.load()
    women = {"alloy", "coral", "nova", "sage", "shimmer", "marin"}
    men = {"ash", "ballad", "echo", "fable", "onyx", "verse", "cedar"}
    assert set(facts.openai_voices) == women | men
    stand_ins = {name: facts.voices[each.voice] for name, each in facts.openai_voices.items()}
    assert len({voice.id for voice in stand_ins.values()}) == 13
    for name, voice in stand_ins.items():
        assert voice.gender == ("female" if name in women else "male")
        assert {"F", "I"} <= set(voice.families)
        assert not voice.dialect
        assert voice.age != "child"
        assert facts.openai_voices[name].reason
    assert not {name.casefold() for name in facts.voices} & set(stand_ins)


def test_openais_models_stand_for_http_models() -> None:
    """Each of OpenAI's speech models has one that speaks, and one that follows instructions if it does so itself."""
    facts = catalogue.load()
    assert list(facts.openai_models) == [
        "tts-1", "tts-1-hd", "gpt-4o-mini-tts", "gpt-4o-mini-tts-2025-03-20", "gpt-4o-mini-tts-2025-12-15",
    ]  # fmt: skip
    for each in facts.openai_models.values():
        plain, instruct = facts.models[each.model], facts.models[each.instruct_model]
        assert plain.transport == instruct.transport == "http"
        assert (plain.instructions, instruct.instructions) == (False, not each.id.startswith("tts-1"))
        assert each.reason
    assert not set(facts.models) & set(facts.openai_models)


@pytest.mark.parametrize("name", ["alloy", "ALLOY", " Alloy "])
def test_openais_names_in_any_case(name: str) -> None:
    """OpenAI's names are found in any case; Qwen's are none of them."""
    assert (found := catalogue.openai_voice(name)) is not None
    assert found.id == "alloy"
    assert catalogue.openai_model("TTS-1") is catalogue.load().openai_models["tts-1"]
    assert catalogue.openai_voice("Cherry") is catalogue.openai_model("qwen-tts") is None
