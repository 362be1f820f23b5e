"""What all events have in common: whatever comes is an event or one error; settings survive the way over the wire."""

from __future__ import annotations

import contextlib
import json
import random
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineread.speech import MODES, LiveRequest
from lineread.wire.body import FieldError
from lineread.wire.realtime.events import (
    LONGEST_MESSAGE,
    EventError,
    Ids,
    decode,
    encode,
    read_session,
    session_object,
    write_session,
)

DEFAULTS = LiveRequest("Cherry", model="qwen3-tts-flash-realtime")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
SETTINGS = st.builds(
    LiveRequest,
    voice=st.text(st.characters(exclude_categories=["Cs", "Zs", "Cc"]), min_size=1, max_size=20).filter(str.strip),
    language_type=st.sampled_from(["Auto", "auto", "Chinese", "english"]),
    instruction=st.none() | st.sampled_from(["Warm.", "慢一点"]),
    model=st.just(DEFAULTS.model),
    mode=st.sampled_from(MODES),
    sample_rate=st.sampled_from([8000, 16000, 24000, 48000]),
    rate=st.floats(0.5, 2),
    pitch=st.floats(0.5, 2),
    volume=st.integers(0, 100),
    response_format=st.sampled_from(["pcm", "wav", "mp3", "opus"]),
    bit_rate=st.integers(6, 510),
    optimize_instructions=st.booleans(),
    enable_tn=st.none() | st.booleans(),
)


@given(st.text() | st.binary() | JSON.map(json.dumps) | JSON.map(lambda each: json.dumps({"type": each})))
def test_every_message_is_an_event_or_one_error(message: str | bytes) -> None:
    """Text, bytes, JSON or not: what comes out has a type, or the error says what to send, in one line."""
    refused: EventError | None = None
    event: dict[str, Any] = {}
    try:
        event = decode(message)
    except EventError as error:
        refused = error
    if refused is None:
        assert isinstance(event["type"], str)
    else:
        assert refused.remedy
        assert "body" not in str(refused)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("{", "not JSON"),
        ('{"type":"a","x":NaN}', "not JSON"),
        ('{"type":"a","x":' + "[" * 100_000, "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        ('{"type":"\ud83d"}', "not UTF-8"),
        ('["type"]', "not a JSON object"),
        ('{"type":"a","type":"b"}', "twice"),
        ("{}", "no type"),
        ('{"type":null}', "no type"),
        ('{"type":""}', "no type"),
        ('{"type":"' + "a" * 101 + '"}', "no type"),
        (" " * (LONGEST_MESSAGE + 1), "too long"),
    ],
)
def test_what_is_no_event_is_said(message: str | bytes, words: str) -> None:
    """Each kind of mistake has words of its own, and none repeats the message."""
    with pytest.raises(EventError, match=words):
        decode(message)


@given(st.dictionaries(st.text(max_size=5), st.text()))
def test_events_survive_the_wire(fields: dict[str, str]) -> None:
    """What was written is read again, half characters included, and is ASCII on the way."""
    event = fields | {"type": "x"}
    message = encode(event)
    assert message.isascii()
    assert ": " not in encode({"type": "x"})
    assert decode(message) == event
    assert decode(message.encode()) == event


def test_ids_have_the_form_of_the_services() -> None:
    """A prefix and 21 letters and digits; the same from the same source, all different from the system's."""
    assert Ids(random.Random(4)).new("resp_") == Ids(random.Random(4)).new("resp_")
    ids = Ids()
    made = {ids.new("event_") for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch("event_[A-Za-z0-9]{21}", each) for each in made)


@given(SETTINGS)
def test_settings_survive_the_wire(request: LiveRequest) -> None:
    """What a client writes of any settings, a server with defaults reads back as the same settings."""
    assert read_session(json.loads(json.dumps(write_session(request))), DEFAULTS) == request


@given(st.dictionaries(st.sampled_from([*write_session(DEFAULTS), "bit_rate", "instructions", "enable_tn"]), JSON))
def test_any_settings_are_taken_or_refused(fields: dict[str, Any]) -> None:
    """Any JSON in a session's fields gives settings, or one error; never another exception."""
    with contextlib.suppress(FieldError):
        assert isinstance(read_session(fields, DEFAULTS), LiveRequest)


def test_a_client_says_what_the_sdk_says_and_no_defaults() -> None:
    """Voice, mode, format and rate always; the rest where it differs, under the service's names."""
    plain = {"voice": "Cherry", "sample_rate": 24000, "mode": "server_commit", "response_format": "pcm"}
    assert write_session(DEFAULTS) == plain
    asked = replace(DEFAULTS, instruction="Warm.", rate=1.5, pitch=0.5, enable_tn=False, optimize_instructions=True)
    assert write_session(asked) == plain | {
        "instructions": "Warm.",
        "speech_rate": 1.5,
        "pitch_rate": 0.5,
        "enable_tn": False,
        "optimize_instructions": True,
    }


def test_what_is_left_out_stays() -> None:
    """Absent and null change nothing, an empty string takes a default back, unknown keys are passed over."""
    before = replace(DEFAULTS, instruction="Warm.", language_type="English", volume=70)
    assert read_session({"volume": None, "channels": 1, "pitch": 9, "model": "other", "rate": "x"}, before) == before
    assert read_session({"instructions": ""}, before).instruction is None
    assert read_session({"language_type": "chinese"}, before).language_type == "chinese"


@pytest.mark.parametrize(
    "fields",
    [
        {"mode": "manual"},
        {"voice": ""},
        {"voice": "x" * 201},
        {"voice": "\ud83d"},
        {"volume": 50.5},
        {"volume": True},
        {"speech_rate": 3},
        {"speech_rate": "1"},
        {"sample_rate": 22050, "response_format": "opus"},
        {"response_format": "flac"},
        {"bit_rate": 5},
    ],
)
def test_what_cannot_be_had_is_refused(fields: dict[str, Any]) -> None:
    """Values of another type, out of range or not of the list are refused."""
    with pytest.raises(FieldError):
        read_session(fields, DEFAULTS)


def test_a_server_tells_the_language_in_lower_case() -> None:
    """`session.updated` was recorded with these fields, in this order, and a language without a capital."""
    assert list(session_object(replace(DEFAULTS, language_type="Chinese"), "sess_1").items()) == [
        ("id", "sess_1"),
        ("object", "realtime.session"),
        ("model", "qwen3-tts-flash-realtime"),
        ("voice", "Cherry"),
        ("mode", "server_commit"),
        ("response_format", "pcm"),
        ("sample_rate", 24000),
        ("language_type", "chinese"),
    ]
