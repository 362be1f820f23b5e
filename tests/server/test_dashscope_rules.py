"""DashScope's rules: what is forgiven, what is refused, and in which words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lineread import Request, catalogue
from lineread.errors import ModelError, RequestError, VoiceError
from lineread.server.dialects.dashscope.rules import accepted
from lineread.wire.body import FieldError
from lineread.wire.dashscope_server import decode, refusal

TEXT = {"text": "Doors open at nine.", "voice": "Cherry"}
MOST = 100_000
MISSING = "Required parameter({}) missing or invalid, please check the request parameters."
NO_VOICE = "Invalid voice specified, the requested voice does not exist or is not licensed for use—"


def taken(*, strict: bool = False, most: int = MOST, **changes: Any) -> Request:
    body = json.dumps({"model": "qwen3-tts-flash", "input": TEXT} | changes).encode()
    return accepted(decode(body).request, most_characters=most, strict=strict, is_own=lambda name: name == "narrator")


def refused(**changes: Any) -> tuple[int, str, str]:
    with pytest.raises(RequestError) as caught:
        taken(**changes)
    said = refusal(caught.value)
    return said.status, said.code, said.message


def test_what_the_service_forgives_is_forgiven() -> None:
    """Long texts, unknown fields, missing or null parameters, an instruction without use, names in another case."""
    assert len(taken(input=TEXT | {"text": "word " * 1000}).text) == 5000
    assert taken(input=TEXT | {"format": "mp3", "messages": [], "x": {"y": None}}, more=1).format == "wav"
    assert taken(parameters=None) == taken(parameters={}) == taken()
    assert taken(parameters={"instructions": "calm", "z": [1]}).instruction is None
    assert taken(input=TEXT | {"voice": "ono_anna", "language_type": "japanese"}).voice == "Ono Anna"
    assert taken(input={"text": "Hi."}, parameters={"voice": "Ethan"}).voice == "Ethan"
    assert taken(parameters={"language_type": "", "instructions": "  "}).language_type == "Auto"


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"model": "qwen3-tts"}, "InvalidParameter", "Model not exist."),
        ({"model": "QWEN3-TTS-FLASH"}, "InvalidParameter", "Model not exist."),
        ({"model": "qwen3-tts-flash-realtime"}, "InvalidParameter", "url error, please check url！"),
        ({"model": "cosyvoice-v3-flash"}, "InvalidParameter", "url error, please check url！"),
        ({"model": "qwen-audio-3.0-tts-flash"}, "InvalidParameter", "url error, please check url！"),
        ({"model": "qwen-voice-design"}, "InvalidParameter", "url error, please check url！"),
        ({"input": TEXT | {"text": ""}}, "InvalidParameter", "Range of input length should be [1, "),
        ({"input": TEXT | {"text": " \n"}}, "InvalidParameter", "Range of input length should be [1, "),
        ({"input": TEXT | {"voice": "Chery"}}, "InvalidParameter", NO_VOICE),
        ({"model": "qwen-tts", "input": TEXT | {"voice": "Jada"}}, "InvalidParameter", NO_VOICE),
        ({"parameters": {"language_type": "Thai"}}, "InvalidParameter", MISSING.format("language_type")),
    ],
)
def test_what_the_service_refuses_is_refused(changes: dict[str, Any], code: str, words: str) -> None:
    """Models, voices and lengths that the cloud would not take get a 400 with its words, strict or not."""
    for strict in (False, True):
        status, said, message = refused(strict=strict, **changes)
        assert (status, said) == (400, code)
        assert message.startswith(words)
        assert len(words) + 8 < len(message) < 800


def test_a_misspelt_name_is_put_right() -> None:
    """The refusal of a model or voice that nearly is one names it."""
    assert "Did you mean Cherry?" in refused(input=TEXT | {"voice": "Chery"})[2]
    assert "qwen3-tts-flash" in refused(model="qwen3-tts-flsh")[2]
    assert "Serena" in refused(model="qwen3-tts-instruct-flash", input=TEXT | {"voice": "Jennifer"})[2]


def test_each_kind_of_fault_is_told_apart() -> None:
    """Unknown models, voices and other fields are errors of their own in the server's account of them."""
    faults: list[tuple[dict[str, Any], type[RequestError]]] = [
        ({"model": "nobody"}, ModelError),
        ({"input": TEXT | {"voice": "nobody"}}, VoiceError),
        ({"parameters": {"language_type": "Thai"}}, FieldError),
        ({"input": TEXT | {"text": " "}}, FieldError),
    ]
    for changes, kind in faults:
        with pytest.raises(kind):
            taken(**changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"input": TEXT | {"text": "x" * 601}}, "Range of input length should be [1, 600]."),
        ({"model": "qwen-tts", "input": TEXT | {"text": "x" * 513}}, "Range of input length should be [1, 512]."),
        ({"input": TEXT | {"voice": "cherry"}}, NO_VOICE),
        ({"parameters": {"language_type": "english"}}, MISSING.format("language_type")),
        ({"parameters": {"instructions": "calm"}}, MISSING.format("instructions")),
    ],
)
def test_a_strict_server_enforces_the_documents(changes: dict[str, Any], words: str) -> None:
    """Text length, exact names and useless instructions are refused there, and only there."""
    assert refused(strict=True, **changes)[2].startswith(words)
    taken(**changes)


def test_what_the_documents_allow_passes_a_strict_server() -> None:
    """Texts at the limit, in characters and not in bytes; the exact names of every model's every voice."""
    assert taken(strict=True, input=TEXT | {"text": "门" * 600}).text == "门" * 600
    for model in catalogue.load().models.values():
        for voice in catalogue.voices_of(model) if model.transport == "http" else ():
            request = taken(strict=True, model=model.id, input=TEXT | {"voice": voice.id})
            assert (request.model, request.voice) == (model.id, voice.id)


def test_a_server_has_a_limit_of_its_own() -> None:
    """A text over the server's limit is refused with that number; one at it is not."""
    assert "[1, 19]" in refused(input=TEXT | {"text": "x" * 20}, most=19)[2]
    assert taken(most=19).text == TEXT["text"]


@pytest.mark.parametrize("voice", ["qwen-tts-vc-guide-voice-20261118093144120-4c1f", "some-other-id"])
def test_custom_voices_pass(voice: str) -> None:
    """The id of a custom voice goes through as it is, and so does a name of the voice book with any model."""
    assert taken(model="qwen3-tts-vc-2026-01-22", input=TEXT | {"voice": voice}).voice == voice
    assert taken(input=TEXT | {"voice": "narrator"}).voice == "narrator"
