"""The server's half of DashScope's HTTP dialect: what clients send, and what they are answered.

Owns what a request body means, the shapes of replies and events, and the table that says an error in the service's
words. No I/O. Source: the service's references and error page of 2026, recorded exchanges, and what each version of
its SDK was seen to send and to understand.

Which models, voices and lengths there are is not known here: see ``server.dialects.dashscope.rules``.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lineread.errors import LimitReached, SpeechCut, Throttled
from lineread.fields import DASHSCOPE_ONLY, GENERATE, REQUIRED, Field
from lineread.speech import Request
from lineread.wire import advice
from lineread.wire.body import FieldError, check_name, check_rate, json_object, value
from lineread.wire.dashscope import ERROR_HEADER, OWN, PATH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lineread.errors import LinereadError

#: The service's names of file formats, and ours.
FORMATS: Final = {"wav": "wav", "mp3": "mp3", "pcm": "pcm", "opus": "ogg", "ogg": "ogg", "flac": "flac"}
#: What a client that is wrong here should do.
SERVES: Final = f"This server speaks Qwen TTS over HTTP: POST /api/v1{PATH}, with a model such as qwen3-tts-flash."


class Said(NamedTuple):
    """How the service says something that went wrong.

    Attributes:
        status: HTTP status; 0 takes the error's own.
        code: The service's code.
        message: The service's words.
        instead: Said to the client in place of our own words, where these concern whoever runs the server.
    """

    status: int
    code: str
    message: str
    instead: str = ""


class Refusal(NamedTuple):
    """An error as a client gets it.

    Attributes:
        status: HTTP status.
        code: The service's code.
        message: The service's words, and then ours, which help more.
        headers: When to come again, and whether at all.
    """

    status: int
    code: str
    message: str
    headers: Mapping[str, str]

    def encode(self, request_id: str) -> bytes:
        """The body of an answer, keys in the order that was recorded."""
        return _json({"request_id": request_id, "code": self.code, "message": self.message})

    def encode_event(self, number: int, request_id: str) -> bytes:
        """The event that ends a stream.

        Spaces would keep old SDKs from seeing an error in it, and they read the status from a line of its own.
        """
        body = {"code": self.code, "message": self.message, "request_id": request_id}
        head = f"id:{number}\nevent:error\n:HTTP_STATUS/{self.status}\nstatus:{self.status}\n"
        return head.encode() + b"data:" + _json(body) + b"\n\n"


class Asked(NamedTuple):
    """What a client asks for.

    Attributes:
        request: What is to be spoken, with the client's own names of model, voice and language.
        sample_rate: Samples a second of the audio; None takes them as they are spoken.
    """

    request: Request
    sample_rate: int | None


def decode(body: bytes) -> Asked:
    """The request in a body.

    Args:
        body: JSON in UTF-8.

    Raises:
        FieldError: It is none; the error names the field.
    """
    fields = json_object(body)
    model = _name("model", fields.get("model"))
    asked = _part(fields, "input")
    if not asked:
        raise FieldError("input", _MISSING, "Send input.text and input.voice.")
    parts = {"input": asked, "parameters": _part(fields, "parameters")}
    values = {field.name: _value(field, parts) for field in FIELDS}
    form = FORMATS[values["response_format"] or "wav"]
    check_rate(values["sample_rate"], form)
    request = Request(
        text=_text(asked.get("text")),
        voice=_name("voice", _found("voice", parts)[1], "input.voice"),
        language_type=values["language_type"],
        instruction=(values["instructions"] or values["instruction"] or "").strip() or None,
        model=model,
        format=form,
        rate=values["speech_rate"],
        pitch=values["pitch_rate"],
        volume=values["volume"],
    )
    return Asked(request, values["sample_rate"])


class LengthError(FieldError):
    """A text is empty, or longer than it may be.

    Args:
        text: The text.
        limit: Most characters that it may have.
        place: Which field it is.
    """

    def __init__(self, text: str, limit: int, place: str = "input.text") -> None:
        name = place.rpartition(".")[2]
        remedy = f"The {name} has {len(text)} characters." if text.strip() else f"The {name} is empty."
        super().__init__(place, "invalid_value", remedy)
        self.limit = limit


def encode_reply(*, request_id: str, url: str, expires_at: int, characters: int) -> bytes:
    """The answer to a call that does not stream."""
    audio = _audio(request_id, "", expires_at) | {"url": url}
    return _json(_reply({"audio": audio, "finish_reason": "stop"}, request_id, characters))


def encode_event(
    number: int, *, request_id: str, audio: bytes, expires_at: int, characters: int, url: str | None = None
) -> bytes:
    """One event of a stream. The last one has the URL of the whole and no sound.

    Args:
        number: The event's place, from 1.
        request_id: The call's id.
        audio: New sound as Base64.
        expires_at: Unix seconds at which the URL ends; in all events but the last, now.
        characters: Characters billed.
        url: Where the whole lies, empty if it could not be kept; None in all events but the last.
    """
    sound = _audio(request_id, "", expires_at)
    if url is None:
        output = {"finish_reason": "null", "audio": sound}
    else:
        output = {"finish_reason": "stop", "audio": sound | {"url": url}}
    before, mark, after = _json(_reply(output, request_id, characters)).partition(_NO_SOUND)
    # Base64 needs no escaping; to have it looked through for that took nine tenths of an event's time.
    body = b"".join((before, mark[:-1], audio, b'"', after))
    return b"id:%d\nevent:result\n:HTTP_STATUS/200\ndata:%b\n\n" % (number, body)


def refusal(error: LinereadError) -> Refusal:
    """What a client is told of an error: the service's status, code and words, and then ours.

    The code that the service itself gave for a relayed call is kept, but for those that are about the key and the
    set-up of this server: its clients would look for the mistake in their own.
    """
    said = _said_of_field(error) if isinstance(error, FieldError) and error.place else _said(error)
    status, code, words = said.status or error.http_status, said.code, said.message
    if error.service_code and not said.instead:
        code = error.service_code
        status, words = next(((row.status, row.message) for row in _SERVICE if row.code == code), (status, words))
    ours = said.instead or f"{error.message} {advice.remedy(error)}"
    return Refusal(status, code, f"{words} {ours}".strip(), _headers(status, error))


def own_words(error: LinereadError) -> dict[str, Any]:
    """What this server itself means, for lineread at the other end: its clients show that in place of all the rest."""
    instead = _said(error).instead
    return {
        "message": instead or error.message,
        "remedy": "" if instead else advice.remedy(error),
        # A speech that was cut off can be gone on with by whoever still has the text, over another socket.
        "retryable": error.retryable or isinstance(error, SpeechCut),
    }


def error_header(error: LinereadError) -> dict[str, str]:
    """The header of a refused handshake that says why; none where that would be too long for a header."""
    said = json.dumps({"code": refusal(error).code, OWN: own_words(error)}, separators=(",", ":"))
    return {ERROR_HEADER: said} if len(said) <= _LONGEST_HEADER else {}


def _part(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = fields.get(name)
    if part is None:
        return {}
    if not isinstance(part, dict):
        raise FieldError(name, "invalid_type", "It must be an object.")
    return part


def _found(name: str, parts: Mapping[str, Mapping[str, Any]]) -> tuple[str, Any]:
    """Where a field is and what it says, in ``input`` first: clients and documents disagree. Null is as nothing."""
    for part, fields in parts.items():
        raw = fields.get(name)
        if raw is not None:
            return f"{part}.{name}", raw
    return name, None


def _value(field: Field, parts: Mapping[str, Mapping[str, Any]]) -> Any:  # noqa: ANN401 - as the field's kind says
    place, raw = _found(field.name, parts)
    return value(field, raw, place)


def _text(raw: object) -> str:
    """The text. It may be empty here: the service's words for that are about the length, and come later."""
    field = GENERATE.field("text")
    text: str = value(field if raw is None else field._replace(default=""), raw, "input.text")
    return text


def _name(ours: str, raw: object, place: str = "") -> str:
    """A name that has to be there."""
    field = GENERATE.field(ours)._replace(default=REQUIRED)
    name: str = value(field, None if raw == "" else raw, place)
    check_name(name, place or ours)
    return name


def _field(ours: str) -> Field:
    """One of lineread's fields, as this dialect calls it."""
    field = GENERATE.field(ours)
    return field._replace(name=field.dashscope.rpartition(".")[2])


def _optional(field: Field) -> Field:
    return field._replace(default=None)


#: Fields that are read from ``input`` and from ``parameters``. One guide of the service misspells ``instructions``.
FIELDS: Final = (
    _field("language_type"),
    _field("instruction"),
    GENERATE.field("instruction"),
    _field("rate"),
    _field("pitch"),
    _field("volume"),
    *map(_optional, DASHSCOPE_ONLY),
)


def _audio(request_id: str, data: str, expires_at: int) -> dict[str, Any]:
    return {"data": data, "expires_at": expires_at, "id": f"audio_{request_id}"}


def _reply(output: dict[str, Any], request_id: str, characters: int) -> dict[str, Any]:
    return {"output": output, "usage": {"characters": characters}, "request_id": request_id}


def _json(answer: object) -> bytes:
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _headers(status: int, error: LinereadError) -> dict[str, str]:
    """When the same call may succeed. SDKs make it again after these statuses; that helps nobody if it is hopeless."""
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after))
        headers["retry-after-ms"] = str(math.ceil(1000 * error.retry_after))
    if status in _RETRIED and not error.retryable:
        headers["x-should-retry"] = "false"
    return headers


def _said_of_field(error: FieldError) -> Said:
    """The service's words for a field, and then what it may be."""
    words = f"Required parameter({error.place}) missing or invalid, please check the request parameters."
    if isinstance(error, LengthError):
        words = f"Range of input length should be [1, {error.limit}]."
    said = Said(400, "InvalidParameter", words)
    if error.kind == _MISSING:
        said = {"model": _NO_MODEL, "input": _NO_INPUT}.get(error.place, said)
    return said._replace(instead=error.remedy)


def _said(error: LinereadError) -> Said:
    """The row of the first name that has one: the error's own code, then those of its class and of the bases."""
    return next((_TABLE[name] for name in _names(error) if name in _TABLE), _TABLE["error"])


def _names(error: LinereadError) -> Iterable[str]:
    if isinstance(error, Throttled):
        yield f"{error.code}.{error.kind}"
    if isinstance(error, LimitReached) and not error.retryable:
        yield f"{error.code}.day"
    yield error.code
    for kind in type(error).__mro__:
        yield getattr(kind, "code", "")


#: Characters of the header that says why a handshake is refused; clients take some 8,000.
_LONGEST_HEADER: Final = 4000
#: Where an event's sound goes: before everything that a client has a say in.
_NO_SOUND: Final = b'"data":""'
#: Statuses after which the service's own SDK makes a call again.
_RETRIED: Final = (408, 409, 429, 500, 502, 503, 504)
#: Fields whose absence the service has words of its own for.
_MISSING: Final = "missing_required_parameter"
_NO_MODEL: Final = Said(400, "BadRequest.EmptyModel", 'Required parameter "model" missing from request.')
_NO_INPUT: Final = Said(400, "BadRequest.EmptyInput", "Required input parameter missing from request.")
_FIELD: Final = Said(
    0, "InvalidParameter", "Required parameter missing or invalid, please check the request parameters."
)
_URL: Final = Said(400, "InvalidParameter", "url error, please check url\N{FULLWIDTH EXCLAMATION MARK}")
_INTERNAL: Final = Said(
    500,
    "InternalError",
    # The spelling is the service's own.
    "An internal error has occured, please try again later or contact service support.",
)
_ALGO: Final = _INTERNAL._replace(code="InternalError.Algo")
_UNAVAILABLE: Final = Said(503, "ModelUnavailable", "Model is unavailable, please try again later.")
_TIME: Final = Said(500, "RequestTimeOut", "Request timed out, please try again later.")
_DENIED: Final = Said(403, "AccessDenied", "Access denied.")
_UNPURCHASED: Final = Said(
    403,
    "AccessDenied.Unpurchased",
    "Access to model denied. Please make sure you are eligible for using the model.",
)
_INSPECTED: Final = Said(400, "DataInspectionFailed", "Input or output data may contain inappropriate content.")
_DEBT: Final = Said(400, "Arrearage", "Access denied, please make sure your account is in good standing.")
_FREE_TIER: Final = Said(403, "AllocationQuota.FreeTierOnly", "The free tier of the model has been exhausted.")
_THROTTLED: Final = Said(429, "Throttling", "Requests throttling triggered.")
_RATE: Final = Said(429, "Throttling.RateQuota", "Requests rate limit exceeded, please try again later.")
_BURST: Final = Said(429, "Throttling.BurstRate", "Request rate increased too quickly.")
_QUOTA: Final = Said(429, "Throttling.AllocationQuota", "Allocated quota exceeded, please increase your quota limit.")
_CAPACITY: Final = Said(
    503,
    "ModelServingError",
    "Too many requests. Your requests are being throttled due to system capacity limits. Please try again later.",
)
#: What the service says of samples that no voice can be made of. Its own words are known for one of them only.
_SAMPLES: Final = (
    Said(400, "Audio.DecoderError", "Decoder audio file failed."),
    Said(400, "Audio.AudioRateError", "The sample rate of the audio is too low."),
    Said(400, "Audio.DurationLimitError", "The audio is too long."),
    Said(400, "Audio.AudioShortError", "The audio holds too little speech."),
    Said(400, "Audio.AudioSilentError", "The audio is silent."),
    Said(400, "Audio.FileSizeExceed", "The audio file is too large."),
    Said(400, "Audio.PreprocessError", "The audio could not be prepared."),
    Said(400, "BadRequest.InputDownloadFailed", "The audio could not be downloaded."),
)
#: Codes of the service that tell status and words better than the class of our error does.
_SERVICE: Final = (_UNAVAILABLE, _THROTTLED, Said(404, "ModelNotFound", "Model can not be found."), *_SAMPLES)
#: What the service says for each of our errors, by their stable codes. An error without a row has that of its class.
_TABLE: Final = {
    **{code: _INTERNAL._replace(instead=instead) for code, instead in advice.SERVER.items()},
    "error": _INTERNAL._replace(instead="The request id tells whoever runs this server which call it was."),
    "bad_request": _FIELD,
    "bad_text": Said(
        400,
        "InvalidParameter",
        "Required parameter(input.text) missing or invalid, please check the request parameters.",
    ),
    "unknown_model": Said(400, "InvalidParameter", "Model not exist."),
    "model_not_http": _URL,
    "unknown_voice": Said(
        400,
        "InvalidParameter",
        "Invalid voice specified, the requested voice does not exist or is not licensed for use"
        "\N{EM DASH}please select a supported voice.",
    ),
    "engine_failed": _INTERNAL,
    "model_not_opened": _UNPURCHASED,
    "refused": _FIELD,
    "content_refused": _INSPECTED,
    "quota_exceeded": _FREE_TIER,
    "account_in_debt": _DEBT,
    "too_many_voices": Said(
        400,
        "Throttling.AllocationQuota",
        "Maximum voice storage limit exceeded, please delete existing voices.",
    ),
    "throttled": _RATE,
    "throttled.burst": _BURST,
    "throttled.quota": _QUOTA,
    "throttled.capacity": _CAPACITY,
    "service_failed": _INTERNAL,
    "unreachable": _UNAVAILABLE,
    "timed_out": _TIME,
    "bad_reply": _ALGO,
    "no_audio": _ALGO,
    "output_failed": _INTERNAL._replace(
        instead="This server cannot write audio files now; tell whoever runs it. A stream needs none."
    ),
    "turned_away": _FIELD,
    "key_refused": Said(401, "InvalidApiKey", "Invalid API-key provided."),
    "not_allowed": _DENIED,
    "limit_reached": _RATE,
    "limit_reached.day": _QUOTA,
    "over_budget": _QUOTA,
    "overloaded": _THROTTLED,
    "leaving": _UNAVAILABLE,
    "not_served": _URL,
    "no_such_socket": _URL._replace(status=404),
    "wrong_method": Said(400, "InvalidParameter", ""),
}
