"""The official SDK's second version against the server: designed voices from beginning to end, two keys, errors."""

from __future__ import annotations

import base64
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dashscope
import pytest
from dashscope.audio.tts_v2 import VoiceEnrollmentException, VoiceEnrollmentService

from lineread.engines.fake import Fake
from server.voicemaking import DESIGN_MODEL, PREVIEW, Making, key_file

v2 = pytest.importorskip("dashscope.v2", reason="this SDK has no second version")
errors = pytest.importorskip("dashscope.v2.errors", reason="as above")

Serve = Callable[..., str]
ORDER = {
    "target_model": DESIGN_MODEL,
    "voice_prompt": "A dry, low-pitched museum guide in his fifties.",
    "preview_text": "Please follow me to the second hall.",
}


@contextmanager
def client(url: str, key: str = "sk-any") -> Iterator[Any]:
    """The SDK's client of that server."""
    base = f"{url}/api/v1"
    with dashscope.Client(api_key=key, base_url=base, max_retries=0) as found, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # "the audio API is a preview"
        yield found.audio


def test_a_designed_voice_from_beginning_to_end(serve: Serve) -> None:
    """Created with a preview, listed, found, deleted, and gone: each as the SDK's own objects."""
    engine = Making()
    with client(serve(engine)) as audio:
        made = audio.voice_design.create(
            **ORDER, preferred_name="guide", language="en", parameters={"sample_rate": 8000, "response_format": "wav"}
        )
        assert made.voice.startswith("qwen-tts-vd-guide-voice-")
        assert made.target_model == DESIGN_MODEL
        assert base64.b64decode(made.preview_audio["data"]) == PREVIEW
        assert made.preview_audio["sample_rate"] == 8000
        assert made.request_id
        (listed,) = audio.voice_design.list().voices
        assert (listed["voice"], listed["language"]) == (made.voice, "en")
        assert audio.voice_design.list(page_index=1, page_size=5).voices == []
        found = audio.voice_design.get(made.voice)
        assert (found.voice, found.target_model, found.language) == (made.voice, DESIGN_MODEL, "en")
        assert audio.voice_design.delete(made.voice).request_id
        with pytest.raises(errors.BadRequestError) as raised:
            audio.voice_design.get(made.voice)
        assert raised.value.code == "VoiceNotFound"
        assert made.voice in raised.value.message
    unnamed = engine.memory.orders[0]
    assert unnamed.name == "guide"


def test_a_designed_voice_speaks(serve: Serve) -> None:
    """The id of a new voice goes into the SDK's own speech call with the model that it was made for."""
    engine = Making()
    with client(serve(engine)) as audio:
        voice = audio.voice_design.create(**ORDER).voice
        spoken = audio.tts.http.synthesize("Mind the step.", model=DESIGN_MODEL, voice=voice)
        assert spoken.audio_url
    assert engine.heard == [voice]


def test_two_keys(serve: Serve, tmp_path: Path) -> None:
    """Each key lists its own voices; one of the other key's can be neither found, deleted nor spoken with."""
    path, keys = key_file(tmp_path)
    url = serve(Making(), key_file=str(path), max_voices=1)
    with client(url, keys["alice"]) as hers, client(url, keys["bob"]) as his:
        voice = hers.voice_design.create(**ORDER).voice
        assert his.voice_design.list().voices == []
        for call in (his.voice_design.get, his.voice_design.delete):
            with pytest.raises(errors.BadRequestError, match="Voice not found"):
                call(voice)
        with pytest.raises(errors.BadRequestError, match="Invalid voice specified"):
            his.tts.http.synthesize("Mind the step.", model=DESIGN_MODEL, voice=voice)
        assert [each["voice"] for each in hers.voice_design.list().voices] == [voice]
        with pytest.raises(errors.DashScopeError) as raised:
            hers.voice_design.create(**ORDER)
        assert (raised.value.status_code, raised.value.code) == (400, "Throttling.AllocationQuota")
        assert "Maximum voice storage limit exceeded" in raised.value.message
    with client(url, "sk-wrong") as nobodys, pytest.raises(errors.AuthenticationError):
        nobodys.voice_design.list()


def test_an_engine_that_makes_none(serve: Serve) -> None:
    """Where the engine makes no voices, the SDK raises what the server says."""
    with client(serve(Fake())) as audio, pytest.raises(errors.BadRequestError, match="makes no voices"):
        audio.voice_design.create(**ORDER)


def test_cosyvoice_is_refused(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """CosyVoice's enrolment, by either version of the SDK, is told what is served here instead."""
    engine = Making()
    url = serve(engine)
    with client(url) as audio, pytest.raises(errors.BadRequestError, match="qwen-voice-enrollment"):
        audio.voices.create(prefix="me", url="https://example.com/me.wav", target_model="cosyvoice-v3")
    monkeypatch.setattr(dashscope, "base_http_api_url", f"{url}/api/v1")
    monkeypatch.setattr(dashscope, "api_key", "sk-any")
    for model in ("voice-enrollment", "qwen-voice-enrollment"):
        service = VoiceEnrollmentService(model=model)
        with pytest.raises(VoiceEnrollmentException):
            service.create_voice("cosyvoice-v3", "me", "https://example.com/me.wav")
    assert not engine.memory.orders
