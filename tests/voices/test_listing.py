"""What there is to say of voices: the same choice and the same records for whoever lists them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lineread import catalogue
from lineread.errors import RequestError
from lineread.voices.listing import own_record, own_voices, system_record, system_voices
from lineread.voices.record import Id, OwnVoice

MODEL = "qwen3-tts-vd-2026-01-26"
GUIDE = OwnVoice("guide", "design", "2026-11-23T10:00:00Z", language="English", ids=(Id("id", "e", "p", "a", MODEL),))


@pytest.mark.parametrize(("name", "value"), [("gender", "Female"), ("age", "old"), ("dialect", "SICHUAN")])
def test_system_voices_by_what_is_said_of_them(name: str, value: str) -> None:
    """Those that have it, in any case, and no others; of the user's own nobody has said it."""
    found = system_voices(**{name: value})
    every = catalogue.load().voices.values()
    assert found == [voice for voice in every if getattr(voice, name).casefold() == value.casefold()] != []
    assert own_voices([GUIDE], **{name: value}) == []


@pytest.mark.parametrize("name", ["gender", "age", "dialect", "model", "language"])
def test_a_choice_that_cannot_be(name: str) -> None:
    """What there is no voice for at all is an error that says what there is."""
    with pytest.raises(RequestError) as error:
        system_voices(**{name: "Klingon"})
    assert error.value.remedy


@pytest.mark.parametrize(
    ("chosen", "count"),
    [
        ({}, 1),
        ({"model": MODEL}, 1),
        ({"model": "qwen3-tts-flash"}, 0),
        ({"language": "english"}, 1),
        ({"language": "German"}, 0),
    ],
)
def test_own_voices_by_model_and_language(chosen: dict[str, Any], count: int) -> None:
    """A voice of one's own is chosen by the models that it was made for, and by its language."""
    assert own_voices([GUIDE], **chosen) == [GUIDE] * count


def test_records_are_ready_for_json() -> None:
    """Either kind of voice has a record with its id, its kind and its models."""
    records = [system_record(system_voices()[0]), own_record(GUIDE)]
    assert [(each["id"], each["kind"]) for each in records] == [("Cherry", "system"), ("guide", "design")]
    assert records[1]["models"] == [MODEL]
    assert json.loads(json.dumps(records))[0]["models"]
