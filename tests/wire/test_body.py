"""Bodies are read by one set of rules: what one dialect takes, the other takes too."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lineread.wire import dashscope_server, openai
from lineread.wire.body import FieldError


def in_dashscope(fields: dict[str, Any]) -> bytes:
    names = {"speed": "speech_rate", "pitch": "pitch_rate"}
    fields = {names.get(name, name): value for name, value in fields.items()}
    model = fields.pop("model", "qwen3-tts-flash")
    asked = {"text": "Hi.", "voice": fields.pop("voice", "Cherry")}
    return json.dumps({"model": model, "input": asked, "parameters": fields}).encode()


def in_openai(fields: dict[str, Any]) -> bytes:
    return json.dumps({"input": "Hi.", "voice": "Cherry"} | fields).encode()


@pytest.mark.parametrize(
    ("fields", "taken"),
    [
        ({"volume": 50.0}, True),
        ({"volume": 50.5}, False),
        ({"volume": True}, False),
        ({"sample_rate": 24_000.0, "response_format": "wav"}, True),
        ({"sample_rate": 11_025, "response_format": "mp3"}, True),
        ({"sample_rate": 11_025, "response_format": "opus"}, False),
        ({"sample_rate": 10_000, "response_format": "wav"}, True),
        ({"sample_rate": 10_000, "response_format": "mp3"}, False),
        ({"language_type": ""}, True),
        ({"language_type": 1}, False),
        ({"instructions": ""}, True),
        ({"speed": 0.4}, False),
        ({"speed": 1e999}, False),
        ({"pitch": float("nan")}, False),
        ({"private": float("nan")}, False),
        ({"private": [{"a": 1}]}, True),
        ({"voice": "q" * 201}, False),
        ({"model": "q" * 1_000_000}, False),
        ({"voice": " "}, False),
        ({"instructions": "\ud800"}, False),
    ],
    ids=range(20),
)
def test_both_dialects_take_the_same_values(fields: dict[str, Any], *, taken: bool) -> None:
    """A value is taken by both or by none, whole floats count as integers, and no refusal repeats what was sent."""
    ways: list[tuple[Any, bytes, Any]] = [
        (dashscope_server.decode, in_dashscope(fields), dashscope_server.refusal),
        (openai.decode, in_openai(fields), openai.refusal),
    ]
    for decode, body, refusal in ways:
        if taken:
            assert isinstance(decode(body).request.volume, int)
            continue
        with pytest.raises(FieldError) as caught:
            decode(body)
        assert len(repr(refusal(caught.value))) < 700


@pytest.mark.parametrize("decode", [dashscope_server.decode, openai.decode])
@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.decode().encode("utf-16"),
        lambda body: body[:-1] + b',"x":NaN}',
        lambda body: body[:-1] + b',"x":{"a":1,"a":2}}',
        lambda body: body[:-1] + b',"model":"tts-1"}',
        lambda body: b"[" + body + b"]",
    ],
    ids=("utf-16", "nan", "inner duplicate", "duplicate", "array"),
)
def test_both_refuse_what_can_be_read_in_two_ways(decode: Any, change: Any) -> None:
    """JSON in another encoding, beyond the standard, or with a field twice is refused as a whole; a mark is not."""
    body = json.dumps({"model": "m", "input": {"text": "Hi.", "voice": "Cherry"}}).encode()
    if decode is openai.decode:
        body = in_openai({"model": "m"})
    assert decode(b"\xef\xbb\xbf" + body) == decode(body)
    with pytest.raises(FieldError) as caught:
        decode(change(body))
    assert caught.value.place == ""
