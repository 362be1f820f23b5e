"""OpenAI's dialect as values: what is read from bodies, and how lists, events and errors are written."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineread import errors
from lineread.errors import LinereadError, Throttled
from lineread.wire import openai
from lineread.wire.body import FieldError

LEAST = {"input": "Hello.", "voice": "Cherry"}


def asked(*, strict: bool = False, **fields: Any) -> openai.Asked:
    return openai.decode(json.dumps(LEAST | fields).encode(), strict=strict)


def refused(*, strict: bool = False, **fields: Any) -> FieldError:
    with pytest.raises(FieldError) as caught:
        asked(strict=strict, **fields)
    assert caught.value.http_status == 400
    return caught.value


def test_the_least_body_has_openais_defaults() -> None:
    """Text and voice are enough: MP3 as bytes, at the voice's own speed, by the engine's own model."""
    answer = asked()
    assert (answer.form, answer.sample_rate, answer.events) == ("mp3", None, False)
    request = answer.request
    assert (request.text, request.voice, request.model, request.instruction) == ("Hello.", "Cherry", None, None)
    assert (request.language_type, request.rate, request.pitch, request.volume, request.take) == ("Auto", 1, 1, 50, 1)


def test_every_field_arrives() -> None:
    """OpenAI's fields and lineread's own reach the request under their names there; null is as good as nothing."""
    answer = asked(
        model="qwen3-tts-instruct-flash", instructions=" Warm. ", response_format="opus", speed=1.5,
        stream_format="sse", language_type="English", sample_rate=16_000, pitch=0.9, volume=70, take=2,
        unknown={"a": 1},
    )  # fmt: skip
    assert (answer.form, answer.sample_rate, answer.events) == ("ogg", 16_000, True)
    request = answer.request
    assert (request.model, request.instruction, request.format) == ("qwen3-tts-instruct-flash", "Warm.", "ogg")
    assert (request.language_type, request.rate, request.pitch, request.volume) == ("English", 1.5, 0.9, 70)
    assert request.take == 2
    assert asked(**dict.fromkeys([field.name for field in openai.FIELDS if not field.required])) == asked()


def test_every_format_has_an_encoding() -> None:
    """What the fields declare and what is encoded are the same formats; AAC, no format of lineread's, rides on PCM."""
    declared = next(field for field in openai.FIELDS if field.name == "response_format")
    assert declared.choices == tuple(openai.FORMATS)
    assert [asked(response_format=name).form for name in openai.FORMATS] == [*openai.FORMATS.values()]
    assert asked(response_format="aac").request.format == "pcm"


def test_a_voice_may_be_an_object() -> None:
    """A voice's name comes alone or as an object's id; names pass as they are."""
    assert asked(voice={"id": "alloy"}) == asked(voice="alloy")
    assert asked(voice={"id": "alloy"}).request.voice == "alloy"


@pytest.mark.parametrize(
    ("param", "value", "kind"),
    [
        ("input", None, "missing_required_parameter"),
        ("voice", None, "missing_required_parameter"),
        ("voice", {}, "missing_required_parameter"),
        ("voice", {"id": 7}, "invalid_type"),
        ("voice", ["Cherry"], "invalid_type"),
        ("voice", " ", "invalid_value"),
        ("input", "", "invalid_value"),
        ("input", ["Hello."], "invalid_type"),
        ("model", 1, "invalid_type"),
        ("instructions", 1, "invalid_type"),
        ("response_format", "ogg", "invalid_value"),
        ("response_format", "MP3", "invalid_value"),
        ("stream_format", "both", "invalid_value"),
        ("speed", "1", "invalid_type"),
        ("speed", True, "invalid_type"),
        ("speed", 0.25, "invalid_value"),
        ("speed", 4, "invalid_value"),
        ("speed", 2.5, "invalid_value"),
        ("speed", 10**400, "invalid_value"),
        ("volume", 101, "invalid_value"),
        ("volume", 5.5, "invalid_type"),
        ("sample_rate", 11_024, "invalid_value"),
        ("sample_rate", 24_000.5, "invalid_type"),
        ("model", "q" * 1_000_000, "invalid_value"),
        ("language_type", "\ud800", "invalid_value"),
    ],
)
def test_what_cannot_be_is_named(param: str, value: object, kind: str) -> None:
    """Each wrong field is refused by its name, with OpenAI's code and a remedy, and without its value."""
    error = refused(**{param: value})
    assert (error.place or None, error.kind) == (param, kind)
    assert error.remedy
    assert _said(error) == (400, "invalid_request_error", param, kind)


def test_opus_has_fewer_rates() -> None:
    """Opus cannot hold 44.1 kHz, which the body's field says before anything is spoken."""
    assert asked(sample_rate=44_100).sample_rate == 44_100
    assert refused(response_format="opus", sample_rate=44_100).place == "sample_rate"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b"[" * 100_000, b'{"input": "\xff"}'])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    """A body that is no JSON object is refused as a whole."""
    with pytest.raises(FieldError) as caught:
        openai.decode(body)
    assert caught.value.place == ""


@pytest.mark.parametrize(
    ("fields", "param", "kind"),
    [
        ({"model": "tts-1", "voices": 1}, "voices", "unknown_parameter"),
        ({"model": "tts-1", "a\nb": 1}, None, "unknown_parameter"),
        ({}, "model", "missing_required_parameter"),
        ({"model": "tts-1", "input": "a" * 4_097}, "input", "string_above_max_length"),
        ({"model": "tts-1", "instructions": "Slowly."}, "instructions", "unsupported_value"),
        ({"model": "tts-1-hd", "stream_format": "sse"}, "stream_format", "unsupported_value"),
    ],
)
def test_strictness_is_a_choice(fields: dict[str, Any], param: str | None, kind: str) -> None:
    """What OpenAI's documents forbid is refused by a strict server alone."""
    error = refused(strict=True, **fields)
    assert (error.place or None, error.kind) == (param, kind)
    assert asked(**fields)
    assert asked(strict=True, model="gpt-4o-mini-tts", instructions="Slowly.", stream_format="sse")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from([*(field.name for field in openai.FIELDS), "other"])


@given(fields=st.dictionaries(NAMES, JSON), strict=st.booleans())
def test_any_body_is_a_request_or_a_refusal(fields: dict[str, Any], *, strict: bool) -> None:
    """Whatever JSON comes, it becomes a request or one of our errors that JSON can carry, and nothing else."""
    try:
        said: object = asked(strict=strict, **fields).request.text.strip()
    except FieldError as error:
        said = json.loads(openai.refusal(error).body)["error"]["message"]
    assert said


def _said(error: LinereadError) -> tuple[int, str, str | None, str]:
    refusal = openai.refusal(error)
    said = json.loads(refusal.body)["error"]
    assert said["message"]
    return refusal.status, said["type"], said["param"], said["code"]


CASES: list[tuple[LinereadError, tuple[int, str, str | None, str]]] = [
    (errors.KeyRefused("No."), (401, "invalid_request_error", None, "invalid_api_key")),
    (errors.NotAllowed("No."), (403, "invalid_request_error", None, "not_allowed")),
    (errors.NotServed("No."), (404, "invalid_request_error", None, "unknown_url")),
    (errors.TextError("No.", code="empty_text"), (400, "invalid_request_error", "input", "empty_text")),
    (
        errors.TextError("No.", code="text_too_long"),
        (400, "invalid_request_error", "input", "string_above_max_length"),
    ),
    (errors.ModelError("No."), (404, "invalid_request_error", "model", "model_not_found")),
    (errors.VoiceError("No."), (400, "invalid_request_error", "voice", "unknown_voice")),
    (
        errors.OptionError("No.", code="instruction_ignored"),
        (400, "invalid_request_error", "instructions", "instruction_ignored"),
    ),
    (errors.LimitReached("No."), (429, "requests", None, "rate_limit_exceeded")),
    (errors.Overloaded("No."), (429, "requests", None, "overloaded")),
    (errors.Throttled("No."), (429, "requests", None, "rate_limit_exceeded")),
    (errors.QuotaExceeded("No."), (429, "insufficient_quota", None, "insufficient_quota")),
    (
        errors.Refused("No.", code="content_refused"),
        (400, "invalid_request_error", "input", "content_policy_violation"),
    ),
    (errors.Unauthorized("No."), (500, "server_error", None, "server_error")),
    (errors.ConfigError("No."), (500, "server_error", None, "server_error")),
    (
        errors.Unauthorized("No.", code="model_not_opened"),
        (403, "invalid_request_error", None, "model_not_opened"),
    ),
    (errors.ServiceFailed("No."), (502, "server_error", None, "service_failed")),
    (errors.Leaving("No."), (503, "server_error", None, "leaving")),
    (errors.TimedOut("No."), (504, "server_error", None, "timed_out")),
    (errors.LinereadError("No."), (500, "server_error", None, "error")),
]  # fmt: skip


@pytest.mark.parametrize(("error", "said"), CASES, ids=lambda case: type(case).__name__)
def test_the_error_table(error: LinereadError, said: tuple[int, str, str | None, str]) -> None:
    """Each error leaves with the status, type, field and code that OpenAI would give it."""
    assert _said(error) == said


def test_the_remedy_is_one_for_a_client() -> None:
    """A client is told what a client can do: no command to run on the server, no key that is not its own."""
    misspelt = errors.VoiceError("No voice 'Chery'.", remedy="Did you mean Cherry? `lineread voices` lists all.")
    said = json.loads(openai.refusal(misspelt).body)["error"]["message"]
    assert said == "No voice 'Chery'. Did you mean Cherry? GET /v1/audio/voices lists the voices."
    theirs = errors.Unauthorized("The service refused the key.", remedy="Set DASHSCOPE_API_KEY.")
    assert "DASHSCOPE_API_KEY" not in json.loads(openai.refusal(theirs).body)["error"]["message"]


def test_when_to_try_again() -> None:
    """The SDK is told whether to try again and after how long, in whole seconds, and only where it would try."""
    slow = openai.refusal(Throttled("Slow.", retryable=True, retry_after=1.2))
    assert slow.headers == {"x-should-retry": "true", "Retry-After": "2"}
    assert openai.refusal(errors.QuotaExceeded("Empty.")).headers == {"x-should-retry": "false"}
    assert openai.refusal(errors.VoiceError("No.")).headers == {}


@given(st.binary(max_size=200))
def test_events_are_json(audio: bytes) -> None:
    """An event is one line of JSON behind ``data:``; its sound comes back."""
    event = openai.encode_delta(audio)
    assert event.startswith(b"data: ")
    assert event.endswith(b"}\n\n")
    assert event.count(b"\n") == 2
    said = json.loads(event[6:])
    assert said["type"] == "speech.audio.delta"
    assert base64.b64decode(said["audio"]) == audio


def test_the_last_event_tells_the_usage() -> None:
    """Characters are what is billed, so they are the tokens; there are none for sound."""
    done = json.loads(openai.encode_done(19)[6:])
    usage = {"input_tokens": 19, "output_tokens": 0, "total_tokens": 19}
    assert done == {"type": "speech.audio.done", "usage": usage}
