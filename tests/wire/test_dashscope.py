"""DashScope's HTTP dialect: what is sent, what is read, and what each of the service's errors means."""

from __future__ import annotations

import base64
import contextlib
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineread import errors
from lineread.wire.dashscope import (
    Reply,
    Synthesis,
    decode_error,
    decode_event,
    decode_reply,
    error_from,
    retry_after,
)
from lineread.wire.sse import Event

ID = "3f0c1a52-6e0f-4b6e-9a39-0c8f7a1d2b10"


def body(**changes: object) -> dict[str, object]:
    """A reply of a call without streaming, with invented values in the recorded shape."""
    reply: dict[str, object] = {
        "output": {
            "audio": {"data": "", "expires_at": 1795000000, "id": f"audio_{ID}", "url": "http://host/a.wav?Expires=1"},
            "finish_reason": "stop",
        },
        "usage": {"characters": 19},
        "request_id": ID,
    }
    return reply | changes


def test_a_request_has_the_recorded_shape() -> None:
    """Words are sent as they are, and the empty parameters as the official SDK sends them."""
    call = Synthesis("qwen3-tts-flash", "你好 hi", "Cherry", "Chinese")
    assert call.encode().decode() == (
        '{"model":"qwen3-tts-flash",'
        '"input":{"text":"你好 hi","voice":"Cherry","language_type":"Chinese"},'
        '"parameters":{}}'
    )


def test_only_what_is_asked_for_becomes_a_parameter() -> None:
    """Our instruction is sent as ``parameters.instructions``; rate and pitch only where they change something."""
    call = Synthesis("m", "t", "v", instructions="calm", speech_rate=1.2, pitch_rate=1)
    assert json.loads(call.encode())["parameters"] == {"instructions": "calm", "speech_rate": 1.2}


def test_a_whole_reply_is_read() -> None:
    """The reply without streaming gives URL, id and what was billed."""
    reply = decode_reply(json.dumps(body()))
    assert reply == Reply(url="http://host/a.wav?Expires=1", finish_reason="stop", characters=19, request_id=ID)
    assert reply.finished


def test_an_event_of_a_stream_is_read() -> None:
    """An event gives its new bytes, and the string "null" is not the end."""
    data = json.dumps({"output": {"finish_reason": "null", "audio": {"data": base64.b64encode(b"abc").decode()}}})
    reply = decode_event(Event(data, "result", "1", 200))
    assert reply.audio == b"abc"
    assert not reply.finished


@pytest.mark.parametrize(
    "fields",
    [
        {"output": {}},
        {"output": {"audio": None, "finish_reason": None}, "usage": None, "request_id": None},
        {"output": {"audio": {"data": None, "url": 7}}, "usage": {"characters": "many"}, "request_id": 5},
    ],
)
def test_missing_and_odd_fields_read_as_empty(fields: dict[str, object]) -> None:
    """What the SDK prints as null, or what a field should never be, reads as the field's absence."""
    assert decode_reply(json.dumps(fields)) == Reply()


@pytest.mark.parametrize(
    "text", ["", "{", '{"output":', "[]", "null", '"x"', "<html>", "{}", '{"output":null}', "[" * 9999]
)
def test_what_is_no_reply_is_a_bad_reply(text: str) -> None:
    """Truncated JSON and JSON of another shape are told as such, not as a crash."""
    with pytest.raises(errors.BadReply):
        decode_reply(text)


@pytest.mark.parametrize("data", ["A", "AAA", "A$==", "AAAA$", "AA==AAAA", "声音", 7, ["AA=="]])
def test_audio_that_is_no_base64_is_a_bad_reply(data: object) -> None:
    """Bad audio is refused with the request's id: guessed bytes would be noise."""
    with pytest.raises(errors.BadReply) as caught:
        decode_reply(json.dumps({"output": {"audio": {"data": data}}, "request_id": ID}))
    assert caught.value.request_id == ID


#: status, code, message -> class, code, retryable, kind
MEANINGS = [
    (401, "InvalidApiKey", "Invalid API-key provided.", errors.Unauthorized, "unauthorized", False),
    (401, "NOT AUTHORIZED", "Access denied: Either you are not ...", errors.Unauthorized, "unauthorized", False),
    (404, "WorkSpaceNotFound", "WorkSpace can not be found.", errors.Refused, "unknown_workspace", False),
    (400, "InvalidParameter", "Model not exist.", errors.Refused, "unknown_model", False),
    (404, "ModelNotFound", "Model can not be found.", errors.Refused, "unknown_model", False),
    (403, "AccessDenied.Unpurchased", "Access to model denied.", errors.Unauthorized, "model_not_opened", False),
    (403, "AccessDenied", "no", errors.Unauthorized, "unauthorized", False),
    (403, "Model.AccessDenied", "no", errors.Unauthorized, "unauthorized", False),
    (403, "Workspace.AccessDenied", "no", errors.Unauthorized, "unauthorized", False),
    (400, "InvalidParameter", "url error, please check url！", errors.Refused, "wrong_address", False),
    (400, "InvalidParameter", "Invalid voice specified, the requested", errors.Refused, "unknown_voice", False),
    (400, "InvalidParameter", "Input should be: parameters.audio.voice", errors.Refused, "unknown_voice", False),
    (400, "invalid_value", "The requested voice 'xxx' is not supported.", errors.Refused, "unknown_voice", False),
    (400, "BadRequest.VoiceNotFound", "Voice '%s' not found.", errors.Refused, "unknown_voice", False),
    (400, "VoiceNotFound", "Voice not found: x", errors.Refused, "unknown_voice", False),
    (400, "InvalidParameter", "Range of input length should be [1, 600]", errors.Refused, "text_too_long", False),
    (400, "InvalidParameter", "Required parameter(x) missing or invalid", errors.Refused, "refused", False),
    (400, "BadRequest.EmptyInput", "Required input parameter missing", errors.Refused, "refused", False),
    (400, "DataInspectionFailed", "Input or output data may ...", errors.Refused, "content_refused", False),
    (400, "Arrearage", "Access denied, please make sure ...", errors.QuotaExceeded, "account_in_debt", False),
    (403, "AllocationQuota.FreeTierOnly", "The free tier ...", errors.QuotaExceeded, "quota_exceeded", False),
    (400, "Throttling.AllocationQuota", "Maximum voice storage limit", errors.QuotaExceeded, "too_many_voices", False),
    (429, "Throttling.AllocationQuota", "Maximum voice-clone voice", errors.QuotaExceeded, "too_many_voices", False),
    (429, "Throttling.RateQuota", "Requests rate limit exceeded", errors.Throttled, "rate", True),
    (429, "Throttling", "Requests throttling triggered.", errors.Throttled, "rate", True),
    (429, "Throttling", "Request rate increased too quickly. To ...", errors.Throttled, "burst", True),
    (429, "Throttling.BurstRate", "Request rate increased too quickly.", errors.Throttled, "burst", True),
    (429, "Throttling.AllocationQuota", "Allocated quota exceeded", errors.Throttled, "quota", True),
    (500, "ModelServingError", "Too many requests. ... system capacity limits.", errors.Throttled, "capacity", True),
    (503, "ModelServingError", "", errors.Throttled, "capacity", True),
    (503, "ModelUnavailable", "Model is unavailable", errors.ServiceFailed, "service_failed", True),
    (500, "InternalError", "An internal error has occured", errors.ServiceFailed, "service_failed", True),
    (500, "InternalError.Algo", "An internal error has occured", errors.ServiceFailed, "service_failed", True),
    (500, "RequestTimeOut", "Request timed out", errors.TimedOut, "timed_out", True),
    (500, "ResponseTimeout", "", errors.TimedOut, "timed_out", True),
    (500, "InternalError.Timeout", "", errors.TimedOut, "timed_out", True),
    (500, "InternalError.Algo", "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 9]",
     errors.Refused, "text_too_long", False),
    (400, "InternalError.Algo.DataInspectionFailed", "x", errors.Refused, "content_refused", False),
    (401, "", "", errors.Unauthorized, "unauthorized", False),
    (403, "", "", errors.Unauthorized, "unauthorized", False),
    (404, "", "", errors.Refused, "wrong_address", False),
    (407, "", "", errors.Unreachable, "unreachable", False),
    (408, "", "", errors.TimedOut, "timed_out", True),
    (409, "", "", errors.ServiceFailed, "service_failed", True),
    (413, "", "", errors.Refused, "text_too_long", False),
    (429, "Surprise", "", errors.Throttled, "rate", True),
    (418, "Surprise", "", errors.Refused, "refused", False),
    (502, "", "", errors.ServiceFailed, "service_failed", True),
    (504, "", "", errors.TimedOut, "timed_out", True),
    (302, "", "", errors.BadReply, "bad_reply", False),
    (200, "Surprise", "", errors.ServiceFailed, "service_failed", False),
]  # fmt: skip


@pytest.mark.parametrize("meaning", MEANINGS)
def test_each_documented_error_has_its_meaning(
    meaning: tuple[int, str, str, type[errors.EngineError], str, bool],
) -> None:
    """Class, stable code or throttling kind, and whether another try may help, for every row of the error page."""
    status, code, message, kind, ours, retryable = meaning
    error = error_from(status, code, message, request_id=ID, retry_after=2.5)
    assert type(error) is kind
    assert ours == (error.kind if isinstance(error, errors.Throttled) else error.code)
    assert error.retryable is retryable
    assert error.remedy
    assert (error.request_id, error.retry_after) == (ID, 2.5)
    assert "\n" not in str(error)


def test_a_wrapped_error_names_what_is_inside() -> None:
    """Of an error in an error, code and words are those of the inner one."""
    error = error_from(500, "InternalError.Algo", "<400> InternalError.Algo.InvalidParameter: Range of input length 1.")
    assert error.service_code == "InternalError.Algo.InvalidParameter"
    assert error.message.endswith("(HTTP 400 InternalError.Algo.InvalidParameter: Range of input length 1).")


FRAME = (
    f'id:1\nevent:error\n:HTTP_STATUS/429\ndata:{{"request_id":"{ID}","code":"Throttling.BurstRate","message":"m"}}\n\n'
)


@pytest.mark.parametrize(
    ("status", "content", "kind", "code"),
    [
        (400, '{"request_id":"1","code":"DataInspectionFailed"}', errors.Refused, "DataInspectionFailed"),
        (400, FRAME, errors.Throttled, "Throttling.BurstRate"),
        (400, FRAME.replace(":HTTP_STATUS/429\n", ""), errors.Throttled, "Throttling.BurstRate"),
        (400, "event:error\nstatus:503\ndata:{}\n\n", errors.ServiceFailed, ""),
        (400, '{"error":{"code":"Arrearage","message":"m"}}', errors.QuotaExceeded, "Arrearage"),
        (400, '{"code":"Throttling","msg":"m"}', errors.Throttled, "Throttling"),
        (400, "{}", errors.Refused, ""),
        (403, "", errors.Unauthorized, ""),
        (502, "<html><h1>502 Bad Gateway</h1></html>", errors.ServiceFailed, ""),
        (503, "upstream connect error", errors.ServiceFailed, ""),
        (500, '{"code":"Inter', errors.ServiceFailed, ""),
        (500, "data:[1]\n\ndata:{\n\n", errors.ServiceFailed, ""),
    ],
)  # fmt: skip
def test_an_error_is_found_in_any_body(status: int, content: str, kind: type[errors.EngineError], code: str) -> None:
    """JSON, a mislabelled event stream, a wrapping, nothing, HTML, text and torn JSON end in a meaning."""
    error = decode_error(status, content.encode())
    assert type(error) is kind
    assert error.service_code == code
    assert "<html>" not in str(error)


def test_an_error_with_status_200_is_an_error() -> None:
    """A reply without output but with a code is what the code says."""
    for content in ('{"code":"Throttling","message":"m"}', '{"error":{"code":"Throttling"}}'):
        with pytest.raises(errors.Throttled):
            decode_reply(content)


def test_an_error_event_without_status_is_the_services_failure() -> None:
    """The call had been accepted, so an unknown error amid the stream may be tried again."""
    with pytest.raises(errors.ServiceFailed) as caught:
        decode_event(Event("{}", "error"))
    assert caught.value.retryable


def test_what_the_service_says_is_quoted_within_bounds() -> None:
    """A quote is one printable line of bounded length, and neither key nor text shows in it."""
    said = "key sk-secret text 'Read this aloud' \x1b[31m\n" + "x" * 5000
    content = json.dumps({"code": "Odd sk-secret", "message": said}).encode()
    shown = str(decode_error(400, content, hide=lambda said: re.sub("sk-secret|Read this aloud", "…", said)))
    assert "sk-secret" not in shown
    assert "Read this aloud" not in shown
    assert shown.isprintable()
    assert len(shown) < 400


#: 2026-10-21 07:27:55 UTC.
NOW = 1_792_567_675.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "9", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, 5.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 -0000"}, 5.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "date": "Wed, 21 Oct 2026 07:27:48 GMT"}, 12.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "date": "soon"}, 5.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "retry-after-ms": "x"}, 5.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "."}, None),
        ({"retry-after": "86400"}, 86_400.0),
        ({"retry-after": "86401"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after-ms": "9" * 400}, None),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, None),
        ({"retry-after": "Wed, Oct 99999999999999999999  07:28:00 0 Wed,"}, None),
    ],
)
def test_what_retry_after_asks(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds and dates are understood, a date by the service's clock if it shows; else nothing is."""
    assert retry_after(headers, now=NOW) == seconds


@given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "date"]), st.text()))
@settings(derandomize=True, deadline=None)
def test_no_retry_after_does_harm(headers: dict[str, str]) -> None:
    """Whatever a gateway writes there, the wait is none, or not negative and no longer than a day."""
    wait = retry_after(headers, now=NOW)
    assert wait is None or 0 <= wait <= 86_400


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["output", "audio", "data", "url", "usage", "characters", "code", "message", "error"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(value=json_values, status=st.integers(100, 999))
@settings(derandomize=True)
def test_any_json_is_read_or_refused_in_our_words(value: object, status: int) -> None:
    """Whatever JSON comes, the result is a reply or one of our errors, never another exception."""
    content = json.dumps(value)
    with contextlib.suppress(errors.EngineError):
        assert isinstance(decode_reply(content), Reply)
    assert isinstance(decode_error(status, content.encode()), errors.EngineError)
