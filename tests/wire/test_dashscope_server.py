"""The server's half of DashScope's dialect: what is read, what is answered, and the service's words for each error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineread import errors
from lineread.errors import LinereadError, MalformedRequest
from lineread.wire import sse
from lineread.wire.dashscope import Synthesis, decode_error, decode_event, decode_reply, error_from
from lineread.wire.dashscope_server import Asked, decode, encode_event, encode_reply, refusal

TEXT = {"text": "Doors open at nine.", "voice": "Cherry"}
MISSING = "Required parameter({}) missing or invalid, please check the request parameters."
NO_VOICE = "Invalid voice specified, the requested voice does not exist or is not licensed for use—"
CODES = {
    "InvalidApiKey",
    "InvalidParameter",
    "AccessDenied",
    "AccessDenied.Unpurchased",
    "AllocationQuota.FreeTierOnly",
    "Arrearage",
    "BadRequest.EmptyInput",
    "BadRequest.EmptyModel",
    "DataInspectionFailed",
    "InternalError",
    "InternalError.Algo",
    "ModelServingError",
    "ModelUnavailable",
    "RequestTimeOut",
    "Throttling",
    "Throttling.AllocationQuota",
    "Throttling.BurstRate",
    "Throttling.RateQuota",
}


def body(**changes: Any) -> bytes:
    fields = {"model": "qwen3-tts-flash", "input": TEXT} | changes
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


def asked(**changes: Any) -> Asked:
    return decode(body(**changes))


def refused(data: bytes) -> tuple[int, str, str]:
    with pytest.raises(MalformedRequest) as caught:
        decode(data)
    said = refusal(caught.value)
    return said.status, said.code, said.message


def every_class(kind: type[LinereadError] = LinereadError) -> list[type[LinereadError]]:
    ours = [each for each in kind.__subclasses__() if each.__module__ == errors.__name__]
    return [kind, *(each for below in ours for each in every_class(below))]


def test_the_client_s_own_request_is_understood() -> None:
    """What lineread sends to the service, the server reads as the same request."""
    call = Synthesis("qwen3-tts-instruct-flash", "你好 hi", "Serena", "Chinese", "quiet", 1.2, 0.9)
    request = decode(call.encode()).request
    assert (request.text, request.voice, request.language_type) == ("你好 hi", "Serena", "Chinese")
    assert (request.instruction, request.rate, request.pitch) == ("quiet", 1.2, 0.9)
    assert (request.model, request.format, request.volume) == ("qwen3-tts-instruct-flash", "wav", 50)


@pytest.mark.parametrize(
    ("field", "value", "attribute", "expected"),
    [
        ("instructions", "calm", "instruction", "calm"),
        ("instruction", "calm", "instruction", "calm"),
        ("language_type", "gERMAN", "language_type", "gERMAN"),
        ("response_format", "opus", "format", "ogg"),
        ("response_format", "ogg", "format", "ogg"),
        ("response_format", "flac", "format", "flac"),
        ("response_format", "pcm", "format", "pcm"),
        ("response_format", "mp3", "format", "mp3"),
        ("speech_rate", 2, "rate", 2),
        ("pitch_rate", 0.5, "pitch", 0.5),
        ("volume", 0, "volume", 0),
        ("volume", 80.0, "volume", 80),
        ("optimize_instructions", True, "instruction", None),
    ],
)
def test_fields_are_read_from_both_parts_and_input_wins(
    field: str, value: object, attribute: str, expected: object
) -> None:
    """Each field counts in ``input`` and in ``parameters``, in ``input`` first; null there is as nothing."""
    instruct: dict[str, Any] = {"model": "qwen3-tts-instruct-flash"}
    other = {"instructions": "loud", "volume": 1, "speech_rate": 1.5, "language_type": "French"}.get(field)
    for parts in (
        {"input": TEXT | {field: value}},
        {"parameters": {field: value}},
        {"input": TEXT | {field: value}, "parameters": {field: other}},
        {"input": TEXT | {field: None}, "parameters": {field: value}},
    ):
        assert getattr(asked(**instruct, **parts).request, attribute) == expected
    assert asked(parameters={"sample_rate": 16000}).sample_rate == 16_000
    assert asked().sample_rate is None


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"model": ...}, "BadRequest.EmptyModel", 'Required parameter "model" missing from request.'),
        ({"model": ""}, "BadRequest.EmptyModel", 'Required parameter "model" missing from request.'),
        ({"model": 7}, "InvalidParameter", MISSING.format("model")),
        ({"model": "q" * 5000}, "InvalidParameter", MISSING.format("model")),
        ({"input": ...}, "BadRequest.EmptyInput", "Required input parameter missing from request."),
        ({"input": {}}, "BadRequest.EmptyInput", "Required input parameter missing from request."),
        ({"input": None}, "BadRequest.EmptyInput", "Required input parameter missing from request."),
        ({"input": "Hello."}, "InvalidParameter", MISSING.format("input")),
        ({"parameters": [1]}, "InvalidParameter", MISSING.format("parameters")),
        ({"input": {"voice": "Cherry"}}, "InvalidParameter", MISSING.format("input.text")),
        ({"input": TEXT | {"text": ["a"]}}, "InvalidParameter", MISSING.format("input.text")),
        ({"input": TEXT | {"text": "a\ud800"}}, "InvalidParameter", MISSING.format("input.text")),
        ({"input": {"text": "Hi."}}, "InvalidParameter", MISSING.format("input.voice")),
        ({"input": TEXT | {"voice": 1}}, "InvalidParameter", MISSING.format("input.voice")),
        ({"input": TEXT | {"voice": "\udfff"}}, "InvalidParameter", MISSING.format("input.voice")),
        ({"parameters": {"language_type": 3}}, "InvalidParameter", MISSING.format("parameters.language_type")),
        ({"parameters": {"response_format": "aac"}}, "InvalidParameter", MISSING.format("parameters.response_format")),
        ({"parameters": {"sample_rate": 7999}}, "InvalidParameter", MISSING.format("parameters.sample_rate")),
        ({"parameters": {"sample_rate": "8k"}}, "InvalidParameter", MISSING.format("parameters.sample_rate")),
        ({"parameters": {"sample_rate": 8000.5}}, "InvalidParameter", MISSING.format("parameters.sample_rate")),
        (
            {"parameters": {"sample_rate": 22050, "response_format": "opus"}},
            "InvalidParameter",
            MISSING.format("sample_rate"),
        ),
        ({"input": TEXT | {"speech_rate": 2.1}}, "InvalidParameter", MISSING.format("input.speech_rate")),
        ({"input": TEXT | {"speech_rate": True}}, "InvalidParameter", MISSING.format("input.speech_rate")),
        ({"input": TEXT | {"pitch_rate": "1"}}, "InvalidParameter", MISSING.format("input.pitch_rate")),
        ({"parameters": {"volume": 101}}, "InvalidParameter", MISSING.format("parameters.volume")),
        ({"parameters": {"volume": 10**400}}, "InvalidParameter", MISSING.format("parameters.volume")),
        ({"parameters": {"instructions": {}}}, "InvalidParameter", MISSING.format("parameters.instructions")),
        (
            {"parameters": {"optimize_instructions": 1}},
            "InvalidParameter",
            MISSING.format("parameters.optimize_instructions"),
        ),
    ],
)
def test_what_cannot_be_taken_is_refused_by_name(changes: dict[str, Any], code: str, words: str) -> None:
    """Every wrong field gets a 400 with the service's code and words, which name it; then comes what to do."""
    status, said, message = refused(body(**changes))
    assert (status, said) == (400, code)
    assert message.startswith(words)
    assert len(words) + 8 < len(message) < 700


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe{}",
        "{}".encode("utf-16"),
        '{"model":"qwen3-tts-flash","input":{"text":"门","voice":"Cherry"}}'.encode("gbk"),
        b"[" * 200_000,
        b'{"a":' * 100_000,
        body()[:-1] + b',"model":"qwen-tts"}',
        body(input=TEXT)[:-2] + b',"text":"Other."}}',
        body()[:-1] + b',"x":NaN}',
        body()[:-1] + b',"x":-Infinity}',
        body()[:-1] + b',"x":' + b"9" * 5000 + b"}",
        body()[:-1] + b',"parameters":{"speech_rate":1e999}}',
    ],
    ids=range(16),
)
def test_no_body_is_our_own_fault(data: bytes) -> None:
    """What is no JSON object in UTF-8, or one that can be read in two ways, is a 400 and never more."""
    assert refused(data)[:2] == (400, "InvalidParameter")


def test_a_byte_order_mark_does_no_harm() -> None:
    """Some editors put one in front of what they save."""
    assert decode(b"\xef\xbb\xbf" + body()) == asked()


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
@settings(derandomize=True, max_examples=200, deadline=None)
def test_any_json_is_a_request_or_a_refusal(value: object) -> None:
    """Whatever stands in place of a field, decoding gives a request or one of our errors, fit to be sent."""
    for changes in ({"model": value}, {"input": value}, {"parameters": value}, *_in_each_field(value)):
        try:
            decode(json.dumps({"model": "qwen3-tts-flash", "input": TEXT} | changes).encode())
        except MalformedRequest as error:
            said = refusal(error)
            assert said.status == 400
            json.loads(said.encode("id"))


def _in_each_field(value: object) -> list[dict[str, object]]:
    names = (
        "text",
        "voice",
        "language_type",
        "instructions",
        "response_format",
        "sample_rate",
        "speech_rate",
        "volume",
    )
    return [{"input": TEXT | {name: value}} for name in names] + [{"parameters": {name: value}} for name in names]


def test_replies_and_events_have_the_recorded_bytes() -> None:
    """Keys, their order, the four-letter "null" and the framing are those of the recordings."""
    facts: dict[str, Any] = {"request_id": "R", "characters": 19}
    assert encode_reply(url="http://h/a.wav?E=1&S=%3D", expires_at=86401, **facts) == (
        b'{"output":{"audio":{"data":"","expires_at":86401,"id":"audio_R","url":"http://h/a.wav?E=1&S=%3D"},'
        b'"finish_reason":"stop"},"usage":{"characters":19},"request_id":"R"}'
    )
    assert encode_event(1, audio=b"UklG", expires_at=1, **facts) == (
        b'id:1\nevent:result\n:HTTP_STATUS/200\ndata:{"output":{"finish_reason":"null","audio":{"data":"UklG",'
        b'"expires_at":1,"id":"audio_R"}},"usage":{"characters":19},"request_id":"R"}\n\n'
    )
    assert encode_event(2, audio=b"", expires_at=2, url="http://h/a", **facts) == (
        b'id:2\nevent:result\n:HTTP_STATUS/200\ndata:{"output":{"finish_reason":"stop","audio":{"data":"",'
        b'"expires_at":2,"id":"audio_R","url":"http://h/a"}},"usage":{"characters":19},"request_id":"R"}\n\n'
    )
    assert decode_reply(encode_reply(url="u", expires_at=1, **facts)).finished


def test_an_error_amid_a_stream_has_the_one_framing() -> None:
    """No spaces, the status in a comment and in a field; our own client reads the same error out of it."""
    data = refusal(errors.Throttled("Slow.", kind="burst", service_code="Throttling.BurstRate")).encode_event(3, "R")
    assert data.startswith(b'id:3\nevent:error\n:HTTP_STATUS/429\nstatus:429\ndata:{"code":"Throttling.BurstRate",')
    assert data.endswith(b',"request_id":"R"}\n\n')
    (event,) = sse.Decoder().feed(data)
    with pytest.raises(errors.Throttled) as caught:
        decode_event(event)
    assert (caught.value.kind, caught.value.request_id) == ("burst", "R")


@pytest.mark.parametrize("kind", every_class())
def test_every_error_has_words(kind: type[LinereadError]) -> None:
    """Each class of ours, and whatever is made from it later, becomes a status, a code and words of the table."""
    later = type("Later", (kind,), {"code": "later"})
    for error in (kind("It broke."), later("It broke.")):
        said = refusal(error)
        assert said.status in (400, 401, 403, 404, 429, 500, 503)
        assert said.code in CODES
        assert (said.status >= 500) == (error.http_status >= 500 or kind in {errors.KeyMissing, errors.Unauthorized})


#: The service's table: what comes from upstream, and what a client of the server gets for it.
RELAYED = [
    (403, "AccessDenied.Unpurchased", 403),
    (403, "AllocationQuota.FreeTierOnly", 403),
    (404, "ModelNotFound", 404),
    (400, "InvalidParameter", 400),
    (400, "invalid_value", 400),
    (400, "BadRequest.VoiceNotFound", 400),
    (400, "DataInspectionFailed", 400),
    (400, "Arrearage", 400),
    (429, "Throttling", 429),
    (429, "Throttling.RateQuota", 429),
    (429, "Throttling.BurstRate", 429),
    (429, "Throttling.AllocationQuota", 429),
    (500, "ModelServingError", 503),
    (503, "ModelServingError", 503),
    (503, "ModelUnavailable", 503),
    (500, "InternalError", 500),
    (500, "InternalError.Algo", 500),
    (500, "RequestTimeOut", 500),
    (500, "ResponseTimeout", 500),
    (500, "InternalError.Timeout", 500),
    (400, "InternalError.Algo.InvalidParameter", 400),
]


@pytest.mark.parametrize(("status", "code", "expected"), RELAYED)
def test_a_relayed_error_keeps_its_code(status: int, code: str, expected: int) -> None:
    """An error of the service stays of its kind on its way through, and again through a second gateway."""
    upstream = error_from(status, code, "Said.", request_id="upstream")
    said = refusal(upstream)
    assert (said.status, said.code) == (expected, code)
    again = decode_error(said.status, said.encode("R"))
    assert (type(again), again.retryable, again.request_id) == (type(upstream), upstream.retryable, "R")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "InvalidApiKey"),
        (401, "NOT AUTHORIZED"),
        (403, "AccessDenied"),
        (403, "Workspace.AccessDenied"),
        (401, ""),
        (404, "WorkSpaceNotFound"),
        (404, ""),
    ],
)
def test_the_server_s_own_key_is_not_the_client_s(status: int, code: str) -> None:
    """What the service holds against the server's key or address is the server's fault: a 500 that says so."""
    said = refusal(error_from(status, code, "Incorrect sk-1234.", retry_after=3))
    assert (said.status, said.code, said.headers["x-should-retry"]) == (500, "InternalError", "false")
    assert "whoever runs" in said.message
    assert "sk-1234" not in said.message


@pytest.mark.parametrize(
    "error",
    [
        errors.OutputError("/home/secret/x.wav could not be written."),
        errors.ConfigError("/home/secret/config.toml is wrong."),
        errors.EngineUnknown("/home/secret"),
        errors.LinereadError("/home/secret"),
    ],
)
def test_nothing_of_the_server_s_disk_is_told(error: LinereadError) -> None:
    """Errors that may hold a path of the server are told without their own words."""
    said = refusal(error)
    assert said.status == 500
    assert "secret" not in said.message


def test_when_to_come_again() -> None:
    """A known wait is told in seconds and in milliseconds; SDKs are kept from hopeless tries of their own."""
    limit = errors.LimitReached("Slow.", retryable=True, retry_after=1.25)
    assert refusal(limit).headers == {"Retry-After": "2", "retry-after-ms": "1250"}
    assert refusal(errors.LimitReached("Done.")).headers == {"x-should-retry": "false"}
    assert refusal(errors.LimitReached("Done.")).code == "Throttling.AllocationQuota"
    assert refusal(errors.TextError("Bad.")).headers == {}
