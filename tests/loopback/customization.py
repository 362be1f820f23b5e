"""A loopback DashScope that makes voices: the bodies, quotas and errors of its enrolment protocol, and faults to order.

It shares no code with lineread, so that client and server cannot be wrong together. It is the loopback cloud, which
goes on to speak, with one more address; the script of acts and the record of requests are the cloud's.

    async with VoiceCloud(most=2) as cloud:
        cloud.script(drop_after_making())
        ...                  # the first voice is made, but its answer is lost
        cloud.voices         # what there is
"""

from __future__ import annotations

import base64
import itertools
import json
import re
from typing import Any

from aiohttp import web

from loopback.dashscope import KEY, Act, Call, Cloud, compact, tone, wav

PATH = "/api/v1/services/audio/tts/customization"
CODES = ("zh", "en", "de", "it", "pt", "es", "ja", "ko", "fr", "ru")
KINDS = {"qwen-voice-enrollment": "vc", "qwen-voice-design": "vd"}


class Refused(Exception):
    """What the service would not do."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"code": code, "message": message}


def missing(name: str) -> Refused:
    return Refused(
        "InvalidParameter", f"Required parameter({name}) missing or invalid, please check the request parameters."
    )


def make() -> Act:
    """Answer as the service does."""

    async def act(call: Call) -> web.StreamResponse:
        assert isinstance(call.cloud, VoiceCloud)
        status, reply = call.cloud.carry_out(call)
        return web.json_response(reply, status=status, headers={"x-request-id": call.id}, dumps=compact)

    return act


def drop_after_making() -> Act:
    """Carry the request out, and lose the answer."""

    async def act(call: Call) -> web.StreamResponse:
        assert isinstance(call.cloud, VoiceCloud)
        call.cloud.carry_out(call)
        assert call.http.transport is not None
        call.http.transport.abort()
        return web.Response()

    return act


class VoiceCloud(Cloud):
    """The cloud, which makes voices as well.

    Args:
        key: The key that it accepts.
        most: How many voices the account may have.
        old: Answer as the references of early 2026 have it.

    Attributes:
        voices: What the service keeps of each voice, by its id; the oldest first.
    """

    def __init__(self, key: str = KEY, *, most: int = 1000, old: bool = False) -> None:
        super().__init__(key)
        self.voices: dict[str, dict[str, Any]] = {}
        self.most = most
        self.old = old
        self.making: Act = make()
        self._clock = itertools.count(1)

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The bodies that came for voices, in order."""
        return [each.body for each in self.received if each.path == PATH]

    def carry_out(self, call: Call) -> tuple[int, dict[str, Any]]:
        """What a request does, and the status and body of its answer."""
        body = json.loads(call.text)
        try:
            output = self._done(body)
        except Refused as refused:
            return refused.status, {"request_id": call.id} | refused.error
        action = body["input"]["action"]
        reply = {"output": output, "usage": {"count": int(action == "create")}, "request_id": call.id}
        if self.old and action == "delete":
            del reply["output"]
        return 200, reply

    def _done(self, body: dict[str, Any]) -> dict[str, Any]:
        kind = KINDS.get(body.get("model", ""))
        if kind is None:
            raise Refused("InvalidParameter", "Model not exist.")
        actions = {"create": self._create, "list": self._list, "delete": self._delete}
        if kind == "vd":
            actions["query"] = self._query
        action = actions.get(body["input"].get("action"))
        if action is None:
            raise missing("action")
        return action(kind, body["input"], body.get("parameters") or {})

    def _create(self, kind: str, asked: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
        name, target = asked.get("preferred_name"), str(asked.get("target_model"))
        if not re.fullmatch(r"[A-Za-z0-9_]{1,16}", str(name)):
            raise missing("preferred_name")
        if not target.startswith(f"qwen3-tts-{kind}-"):
            raise missing("target_model")
        if asked.get("language", "zh") not in CODES:
            raise missing("language")
        made = {"language": asked.get("language", "zh"), "target_model": target}
        if kind == "vc":
            check_sample(asked.get("audio", {}).get("data"))
        else:
            made |= described(asked)
        if len(self.voices) >= self.most:
            message = "Maximum voice storage limit exceeded, please delete existing voices."
            raise Refused("Throttling.AllocationQuota", message)
        number = next(self._clock)
        voice = f"qwen-tts-{kind}-{name}-voice-20261118{number:09}-{number:04x}"
        time = f"2026-11-18 09:{number // 60:02}:{number % 60:02}"
        self.voices[voice] = {"voice": voice, "gmt_create": time, "gmt_modified": time} | made
        output = {"voice": voice, "target_model": target}
        return output if kind == "vc" else output | {"preview_audio": preview(asked["preview_text"], parameters)}

    def _list(self, kind: str, asked: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
        index, size = asked.get("page_index", 0), asked.get("page_size", 10)
        if not 0 <= index <= (1_000_000 if kind == "vc" else 200):
            raise missing("page_index")
        if size <= 0:
            raise missing("page_size")
        voices = [fields for voice, fields in reversed(self.voices.items()) if voice.startswith(f"qwen-tts-{kind}-")]
        page = voices[index * size : (index + 1) * size]
        if self.old:
            short = ("voice", "gmt_create", "target_model")
            return {"voice_list": [{name: fields[name] for name in short} for fields in page]}
        return {"page_index": index, "page_size": size, "total_count": len(voices), "voice_list": page}

    def _query(self, kind: str, asked: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
        return self._voice(kind, asked)

    def _delete(self, kind: str, asked: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
        voice = self._voice(kind, asked)["voice"]
        del self.voices[voice]
        return {"voice": voice}

    def _voice(self, kind: str, asked: dict[str, Any]) -> dict[str, Any]:
        voice = asked.get("voice") or ""
        if voice not in self.voices or not voice.startswith(f"qwen-tts-{kind}-"):
            raise Refused("VoiceNotFound", f"Voice not found: {voice}")
        return self.voices[voice]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.path != PATH:
            return await super()._answer(request)
        body = self._note(request, await request.read())
        call = Call(self, request, "", json.dumps(body), "")
        if request.headers.get("Authorization") != f"Bearer {self.key}":
            error = {"code": "InvalidApiKey", "message": "Invalid API-key provided."}
            return web.json_response({"request_id": call.id} | error, status=401, dumps=compact)
        act = self._script.pop(0) if self._script else self.making
        return await act(call)


def check_sample(data: Any) -> None:
    """What the service would not make a voice of."""
    found = re.fullmatch(r"(?s)data:audio/(wav|mpeg|mp4);base64,(.*)", str(data))
    if found is None:
        raise missing("audio.data")
    if len(found[2]) > 10 << 20:
        raise Refused("Audio.FileSizeExceed", "File size exceeds the limit.")
    audio = base64.b64decode(found[2], validate=True)
    if found[1] == "wav" and not audio.startswith(b"RIFF"):
        raise Refused("Audio.DecoderError", "Decoder audio file failed.")
    if found[1] == "wav" and len(audio) < 3 * 48_000:
        raise Refused("Audio.AudioShortError", "Audio is too short.")


def described(asked: dict[str, Any]) -> dict[str, Any]:
    """What the service keeps of a description."""
    limits = {"voice_prompt": 2048, "preview_text": 1024}
    for name, most in limits.items():
        if not asked.get(name):
            raise missing(name)
        if len(asked[name]) > most:
            raise Refused("InvalidParameter", f"Range of input length should be [1, {most}]")
    return {name: asked[name] for name in limits}


def preview(text: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """What a designed voice says."""
    rate, form = parameters.get("sample_rate", 24_000), parameters.get("response_format", "wav")
    if rate not in (8000, 16_000, 24_000, 48_000):
        raise missing("sample_rate")
    if form not in ("pcm", "wav", "mp3", "opus"):
        raise missing("response_format")
    sound = wav(tone(text), true_sizes=True) if form == "wav" else tone(text)
    return {"data": base64.b64encode(sound).decode(), "sample_rate": rate, "response_format": form}
