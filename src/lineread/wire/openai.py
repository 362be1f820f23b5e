"""OpenAI's speech dialect: what clients send, and what they are answered.

Owns what a request body means, the shapes of events, and the table that says an error in OpenAI's words. No I/O.
Source: OpenAI's API reference of 2026, its SDK's types, and what its SDK was seen to make of answers.

Beside OpenAI's own fields it takes lineread's ``language_type``, ``pitch``, ``volume``, ``take`` and ``sample_rate``,
so that nothing of Qwen TTS is out of reach: the SDK sends them as ``extra_body``. Fields that neither knows are left
alone, because clients send private ones; a strict server refuses them.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pybase64

from lineread.errors import LinereadError, ModelError, TextError, VoiceError
from lineread.fields import GENERATE, OPENAI_ONLY
from lineread.speech import Request
from lineread.wire import advice
from lineread.wire.body import FieldError, check_name, check_rate, json_object, value

if TYPE_CHECKING:
    from collections.abc import Mapping

#: OpenAI's names of file formats, and ours.
FORMATS: Final = {"mp3": "mp3", "opus": "ogg", "aac": "aac", "flac": "flac", "wav": "wav", "pcm": "pcm"}
#: Most characters that OpenAI takes; a strict server holds clients to it.
MAX_INPUT: Final = 4_096
#: These do not follow instructions and send no events, say OpenAI's documents.
_OLD_MODELS: Final = ("tts-1", "tts-1-hd")


#: Every field of a speech request, under the names that it has here.
FIELDS: Final = (*(field._replace(name=field.openai) for field in GENERATE.request if field.openai), *OPENAI_ONLY)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asks for.

    Attributes:
        request: What is to be spoken, with the client's names of model and voice. Its format is ``pcm`` where the
            body's is none of lineread's own.
        form: The body's encoding: one of ``speech.FORMATS``, or ``aac``.
        sample_rate: Samples a second; None takes them as they are spoken.
        events: The sound shall come as events.
    """

    request: Request
    form: str
    sample_rate: int | None
    events: bool


def decode(body: bytes, *, strict: bool = False) -> Asked:
    """The speech request in a body.

    Args:
        body: JSON.
        strict: Refuse what OpenAI's documents forbid.

    Raises:
        FieldError: It is none; the error names the field.
    """
    fields = json_object(body)
    if isinstance(fields.get("voice"), dict):
        fields["voice"] = fields["voice"].get("id")
    values = {field.name: value(field, fields.get(field.name)) for field in FIELDS}
    for name in ("model", "voice", "language_type"):
        check_name(values[name], name)
    form = FORMATS[values["response_format"]]
    check_rate(values["sample_rate"], form)
    if strict:
        _check_documents(fields)
    instruction = (values["instructions"] or "").strip() or None
    request = Request(
        text=values["input"],
        voice=values["voice"],
        model=values["model"],
        instruction=instruction,
        language_type=values["language_type"],
        format="pcm" if form == "aac" else form,
        rate=values["speed"],
        pitch=values["pitch"],
        volume=values["volume"],
        take=values["take"],
    )
    return Asked(request, form, values["sample_rate"], values["stream_format"] == "sse")


def _check_documents(fields: Mapping[str, Any]) -> None:
    """Refuse what OpenAI's documents forbid and lineread can do, or need not mind."""
    for name in fields.keys() - {field.name for field in FIELDS}:
        remedy = "Leave it out, or ask for a server that is not strict."
        raise FieldError(_shown(name), "unknown_parameter", remedy, "The body has a field that is not known.")
    if not fields.get("model"):
        raise FieldError("model", "missing_required_parameter", GENERATE.field("model").meaning)
    if len(fields["input"]) > MAX_INPUT:
        remedy = "Send it in parts, or ask for a server that is not strict."
        raise FieldError("input", "string_above_max_length", remedy, f"input is longer than {MAX_INPUT} characters.")
    for name in ("instructions", "stream_format"):
        if fields["model"] in _OLD_MODELS and fields.get(name) not in (None, "", "audio"):
            message = f"{fields['model']} does not support this {name}."
            raise FieldError(name, "unsupported_value", "Use gpt-4o-mini-tts.", message)


def _shown(name: str) -> str:
    """A field name of a client's, as far as it is fit to be shown."""
    return name if re.fullmatch(r"[\w.-]{1,64}", name) else ""


def encode(answer: object) -> bytes:
    """JSON, in plain ASCII: a lone surrogate in a name that is repeated would fit no other encoding."""
    return json.dumps(answer, separators=(",", ":")).encode("ascii")


def encode_delta(audio: bytes) -> bytes:
    """An event with some more of the file."""
    # Base64 needs no escapes, and a long piece is copied once less without a JSON encoder.
    return b'data: {"type":"speech.audio.delta","audio":"' + pybase64.b64encode(audio) + b'"}\n\n'


def encode_done(characters: int) -> bytes:
    """The event that ends a stream. Qwen TTS bills characters of text and nothing for sound: those are its tokens."""
    usage = {"input_tokens": characters, "output_tokens": 0, "total_tokens": characters}
    return b"data: " + encode({"type": "speech.audio.done", "usage": usage}) + b"\n\n"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error as OpenAI says it.

    Attributes:
        status: HTTP status.
        headers: Whether and when to try again: the SDK heeds both.
        body: JSON.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    def encode_event(self) -> bytes:
        """The event that ends a stream: the SDK raises an error at one with ``error`` in it."""
        return b"data: " + self.body + b"\n\n"


def refusal(error: LinereadError) -> Refusal:
    """An error of ours in OpenAI's words."""
    status, kind, code = _TABLE.get(error.code) or (error.http_status, _type(error.http_status), error.code)
    instead = advice.SERVER.get(error.code) or ("" if error.code in _TABLE else advice.SERVER.get(type(error).code, ""))
    if instead:
        status, kind, code = _SERVER
    if isinstance(error, FieldError):
        code = error.kind
    message = instead or f"{error.message} {advice.remedy(error)}".strip()
    body = {"error": {"message": message, "type": kind, "param": _param(error), "code": code}}
    headers = {}
    if status >= _RETRIED:
        headers["x-should-retry"] = "true" if error.retryable else "false"
        if error.retry_after is not None:
            headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    return Refusal(status, headers, encode(body))


def _type(status: int) -> str:
    if status >= 500:
        return "server_error"
    return "requests" if status == _RETRIED else "invalid_request_error"


def _param(error: LinereadError) -> str | None:
    """The field that an error is about."""
    if isinstance(error, FieldError):
        return error.place or None
    by_class = next((name for kind, name in _PARAMS_BY_CLASS if isinstance(error, kind)), None)
    return _PARAMS.get(error.code, by_class)


#: From this status on the SDK tries again by itself, unless it is told not to.
_RETRIED: Final = 429
#: What is the server's own affair: a client that looked for it in its own key would look in the wrong place.
_SERVER: Final = (500, "server_error", "server_error")
#: Our code: status, type and code of OpenAI's. What is not here keeps its own status and code.
_TABLE: Final = {
    "key_refused": (401, "invalid_request_error", "invalid_api_key"),
    "unknown_model": (404, "invalid_request_error", "model_not_found"),
    "not_served": (404, "invalid_request_error", "unknown_url"),
    "throttled": (429, "requests", "rate_limit_exceeded"),
    "limit_reached": (429, "requests", "rate_limit_exceeded"),
    "quota_exceeded": (429, "insufficient_quota", "insufficient_quota"),
    "account_in_debt": (429, "insufficient_quota", "insufficient_quota"),
    "over_budget": (429, "insufficient_quota", "insufficient_quota"),
    "model_not_opened": (403, "invalid_request_error", "model_not_opened"),
    "content_refused": (400, "invalid_request_error", "content_policy_violation"),
    "text_too_long": (400, "invalid_request_error", "string_above_max_length"),
}
_PARAMS: Final = {
    "unknown_language": "language_type",
    "instruction_ignored": "instructions",
    "instruction_too_long": "instructions",
    "unknown_format": "response_format",
    "content_refused": "input",
    "unknown_voice": "voice",
    "unknown_model": "model",
}
_PARAMS_BY_CLASS: Final = ((TextError, "input"), (VoiceError, "voice"), (ModelError, "model"))
