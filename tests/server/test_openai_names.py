"""Names of models and voices: what OpenAI's stand for, and the lists in the shapes that clients read."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from lineread import catalogue
from lineread.enrolment import FAMILIES, Enrolled, Kind
from lineread.errors import ModelError
from lineread.server.dialects.openai import names
from lineread.speech import Request
from lineread.wire.body import FieldError

OWN: tuple[tuple[str, Kind], ...] = (("ana", "clone"), ("guide", "design"))


def translated(voice: str = "Cherry", *, strict: bool = False, **fields: str) -> Request:
    request = Request("Hello.", voice, **fields)  # type: ignore[arg-type]  # strings only
    return names.translated(request, strict=strict, is_own=lambda name: name == "narrator")


@pytest.mark.parametrize("name", ["alloy", "Alloy"])
def test_voices_of_openai_become_qwens(name: str) -> None:
    """OpenAI's voice names stand for the catalogue's, in any case; others pass as they are."""
    assert translated(name).voice == catalogue.load().openai_voices["alloy"].voice
    assert translated("Chery").voice == "Chery"


@pytest.mark.parametrize("name", catalogue.load().openai_models)
def test_models_of_openai_become_qwens(name: str) -> None:
    """OpenAI's models stand for the catalogue's; with instructions an instruct model, unless OpenAI's own ignores them;
    a custom voice has its own.
    """
    assert translated(model=name).model == "qwen3-tts-flash"
    slow = translated(model=name, instruction="Slowly.")
    heeds = not name.startswith("tts-1")
    assert (slow.model, slow.instruction) == (
        ("qwen3-tts-instruct-flash", "Slowly.") if heeds else ("qwen3-tts-flash", None)
    )
    custom = translated("qwen-tts-vc-anna-1", model=name, instruction="Slowly.")
    assert (custom.model, custom.instruction) == ("qwen3-tts-vc-2026-01-22", None)
    named = translated("narrator", model=name, instruction="Slowly.")
    assert (named.model, named.instruction) == (None, None)  # the voice book knows which
    with pytest.raises(FieldError):
        translated("narrator", model=name, instruction="Slowly.", strict=True)


def test_own_voices_are_listed_with_their_models() -> None:
    """The client's own voices follow the others, marked; a model of Qwen's lists those made for its kind."""
    own = {name: Enrolled(f"qwen-tts-{FAMILIES[kind]}-{name}", kind, "") for name, kind in OWN}
    listed = names.voices(None, own)["voices"]
    assert [each["id"] for each in listed if each["custom"]] == [each["id"] for each in listed[-2:]] == ["ana", "guide"]
    assert {tuple(each) for each in listed} == {tuple(listed[0])}
    for model, expected in (
        ("tts-1", ["ana", "guide"]),
        ("qwen3-tts-flash", []),
        ("qwen3-tts-vd-2026-01-26", ["guide"]),
    ):
        assert [each["id"] for each in names.voices(model, own)["voices"] if each["custom"]] == expected
        assert [each["id"] for each in names.model(model, own)["voices"] if each["custom"]] == expected


def test_models_of_qwen_are_themselves() -> None:
    """A model of the catalogue is itself, in any case; none is what OpenAI's current one stands for; any other is
    refused.
    """
    assert translated(model="Qwen-TTS").model == "qwen-tts"
    assert translated() == translated(model="gpt-4o-mini-tts")
    with pytest.raises(ModelError):
        translated(model="whisper-1")


@pytest.mark.parametrize(("model", "refused"), [("qwen3-tts-flash", True), ("qwen3-tts-instruct-flash", False)])
def test_instructions_without_use(model: str, refused: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """What Qwen's own model ignores is left out, whichever engine speaks; a strict server refuses it."""
    assert (translated(model=model, instruction="Slowly.").instruction is None) == refused
    with pytest.raises(FieldError) if refused else nullcontext() as caught:
        assert translated(model=model, instruction="Slowly.", strict=True).instruction == "Slowly."
    assert caught is None or (caught.value.place, caught.value.kind) == ("instructions", "unsupported_value")


def test_the_list_of_models() -> None:
    """As OpenAI lists them, each name once, with the date of the model that speaks; the same for Open WebUI."""
    listed = names.models()
    assert listed["object"] == "list"
    ids = [model["id"] for model in listed["data"]]
    assert {"qwen3-tts-flash", "tts-1"} <= set(ids)
    assert len(ids) == len(set(ids))
    assert not any("realtime" in name for name in ids)
    assert {model["object"] for model in listed["data"]} == {"model"}
    assert listed["data"][0]["created"] == 1_764_201_600  # 2025-11-27
    assert [model["id"] for model in names.models_for_speech()["models"]] == ids


def test_the_list_of_voices() -> None:
    """Qwen's and OpenAI's, each with an id and a name, and with whoever really speaks."""
    voices = {voice["id"]: voice for voice in names.voices(None, {})["voices"]}
    assert len(voices) == 48 + 13
    assert all(voice["name"] == name for name, voice in voices.items())
    assert voices["nova"]["voice"] == "Cherry" == voices["Cherry"]["voice"]


def test_a_models_voices() -> None:
    """A model's list has the voices that it speaks and no others, OpenAI's names among them."""
    old = [voice["id"] for voice in names.voices("qwen-tts", {})["voices"]]
    assert old == ["Cherry", "Serena", "Ethan", "Chelsie", "ash", "coral", "nova"]
    assert [voice["id"] for voice in names.model("qwen-tts", {})["voices"]] == old
    for look_up in (names.model, names.voices):
        with pytest.raises(ModelError):
            look_up("qwen3-tts-flash-realtime", {})
