"""The server's half of DashScope's enrolment protocol: what clients send, and what they are answered.

Owns what a request body means, its fields with their limits, and the shapes of replies. Errors are said in the words
of ``dashscope_server``. No I/O: a sample that lies elsewhere stays a URL. Source: as for ``customization``.

Which models speak such voices, and whose a voice is, is not known here.
"""

from __future__ import annotations

import binascii
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pybase64

from lineread.enrolment import LONGEST_NAME, LONGEST_PREVIEW, LONGEST_PROMPT, Clone, Design, describes, has_words
from lineread.errors import OptionError
from lineread.fields import Field
from lineread.wire import dashscope_server
from lineread.wire.body import FieldError, check_name, json_object, value
from lineread.wire.customization import (
    LANGUAGES,
    LONGEST_SAMPLE,
    MAKERS,
    PATH,
    Asked,
    Deletion,
    Listing,
    Query,
    Remote,
)
from lineread.wire.dashscope_server import LengthError, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lineread.enrolment import Enrolled, Kind, Page
    from lineread.errors import LinereadError

#: What a client that is wrong here should do.
SERVES: Final = (
    f"POST /api/v1{PATH} with the model {' or '.join(MAKERS.values())} and an input.action: create, list or delete; "
    f"{MAKERS['design']} has query too."
)
#: Samples a second that a preview may have.
SAMPLE_RATES: Final = (8000, 16_000, 24_000, 48_000)
#: Most characters of a sample's URL, and of its transcript: a minute of speech has far fewer.
LONGEST_URL: Final = 4096
LONGEST_TRANSCRIPT: Final = 4096
#: What the name of a voice is where its design gives it none, which the service's SDK allows.
UNNAMED: Final = "unnamed"
#: What clients call the kinds of files that a sample may be, and what these are called here.
MEDIA_TYPES: Final[Mapping[str, str]] = {
    "audio/wav": "audio/wav",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/mpeg": "audio/mpeg",
    "audio/mp3": "audio/mpeg",
    "audio/mp4": "audio/mp4",
    "audio/m4a": "audio/mp4",
    "audio/x-m4a": "audio/mp4",
}

_CODES: Final = tuple(LANGUAGES)
_MODEL: Final = Field("model", "string", "What makes the voices.", choices=tuple(MAKERS.values()), dashscope="model")
_TARGET: Final = Field(
    "target_model",
    "string",
    "The model that shall speak the voice; no other one can.",
    example="qwen3-tts-vc-2026-01-22",
    dashscope="input.target_model",
)
_NAME: Final = Field(
    "preferred_name",
    "string",
    f"What the voice's id shall contain: digits, letters and underscores, {LONGEST_NAME} at most.",
    example="narrator",
    dashscope="input.preferred_name",
)
_LANGUAGE: Final = Field(
    "language",
    "string",
    "The language of the sample, or of the preview.",
    None,
    choices=_CODES,
    example="en",
    dashscope="input.language",
)
_VOICE: Final = Field("voice", "string", "The voice's id.", dashscope="input.voice")
_PAGE_SIZE: Final = Field(
    "page_size", "integer", "Most voices of a page.", 10, least=1, most=1_000_000, dashscope="input.page_size"
)


def _page_index(most: int) -> Field:
    return Field("page_index", "integer", "Which page, from 0.", 0, least=0, most=most, dashscope="input.page_index")


#: The fields of each action, by the kind of voices; ``action`` itself comes with all of them.
FIELDS: Final[Mapping[Kind, Mapping[str, tuple[Field, ...]]]] = {
    "clone": {
        "create": (
            _TARGET,
            _NAME,
            Field(
                "data",
                "string",
                f"The sample: a data URI ({', '.join(dict.fromkeys(MEDIA_TYPES.values()))}; under 10 MB), or a URL.",
                example="data:audio/wav;base64,UklGRg==",
                dashscope="input.audio.data",
            ),
            Field("text", "string", "The words of the sample.", None, dashscope="input.text"),
            _LANGUAGE,
        ),
        "list": (_page_index(1_000_000), _PAGE_SIZE),
        "delete": (_VOICE,),
    },
    "design": {
        "create": (
            _TARGET._replace(example="qwen3-tts-vd-2026-01-26"),
            Field(
                "voice_prompt",
                "string",
                f"What the voice sounds like, in Chinese or English; {LONGEST_PROMPT} characters at most.",
                example="A dry, low-pitched museum guide in his fifties.",
                dashscope="input.voice_prompt",
            ),
            Field(
                "preview_text",
                "string",
                f"What the preview says; {LONGEST_PREVIEW} characters at most.",
                example="Please follow me to the second hall.",
                dashscope="input.preview_text",
            ),
            _NAME._replace(default=UNNAMED),
            _LANGUAGE,
            Field(
                "sample_rate",
                "integer",
                f"Samples a second of the preview: {', '.join(map(str, SAMPLE_RATES))}.",
                24_000,
                least=8000,
                most=48_000,
                dashscope="parameters.sample_rate",
            ),
            Field(
                "response_format",
                "string",
                "The preview's file format.",
                "wav",
                choices=("pcm", "wav", "mp3", "opus"),
                dashscope="parameters.response_format",
            ),
        ),
        "list": (_page_index(200), _PAGE_SIZE),
        "query": (_VOICE,),
        "delete": (_VOICE,),
    },
}


def decode(body: bytes) -> Asked:
    """What a body asks for.

    Args:
        body: JSON in UTF-8.

    Raises:
        FieldError: It asks for nothing that can be; the error names the field.
        OptionError: The sample is too large, or no Base64.
    """
    fields = json_object(body)
    model = value(_MODEL, fields.get("model") or None)
    kind = next(kind for kind, maker in MAKERS.items() if maker == model)
    given = _part(fields, "input")
    if not given:
        raise FieldError("input", "missing_required_parameter", "Send input.action and what it takes.")
    parts = {"input": given, "parameters": _part(fields, "parameters"), "input.audio": {}}
    actions = FIELDS[kind]
    action = value(Field("action", "string", SERVES, choices=tuple(actions)), given.get("action"), "input.action")
    if (kind, action) == ("clone", "create"):
        parts["input.audio"] = _part(given, "audio", "input.audio")
    values = {field.name: _value(field, parts) for field in actions[action]}
    return _READERS[kind, action](values)


def refusal(error: LinereadError, *, voice: str = "") -> Refusal:
    """What a client is told of an error: as by :func:`dashscope_server.refusal`.

    Args:
        error: What went wrong.
        voice: The id that was asked for, for what the service says of one that is not there.
    """
    said = dashscope_server.refusal(error)
    if error.code != "voice_not_found":
        return said
    return Refusal(400, "VoiceNotFound", f"Voice not found: {voice}".rstrip(), said.headers)


def encode_made(made: Enrolled, *, request_id: str, preview_text: str = "") -> bytes:
    """The answer that a voice was made.

    Args:
        made: The voice.
        request_id: The call's id.
        preview_text: What its preview was asked to say. Where it says something else, the answer has that besides the
            service's own fields, as a query's has.
    """
    output: dict[str, Any] = {"voice": made.voice, "target_model": made.target_model}
    if made.preview is not None:
        output["preview_audio"] = {
            "data": pybase64.b64encode_as_string(made.preview.audio),
            "sample_rate": made.preview.sample_rate,
            "response_format": made.preview.format,
        }
    if made.preview_text != preview_text:
        output["preview_text"] = made.preview_text
    if made.fallback_reason:
        output |= {"fallback_mode": True, "fallback_reason": made.fallback_reason}
    return _reply(output, request_id, count=1)


def encode_page(page: Page, *, request_id: str) -> bytes:
    """The answer with a page of voices."""
    output = {
        "page_index": page.index,
        "page_size": page.size,
        "total_count": page.total,
        "voice_list": [_listed(voice) for voice in page.voices],
    }
    return _reply(output, request_id)


def encode_found(found: Enrolled, *, request_id: str) -> bytes:
    """The answer with what is known of a voice."""
    return _reply(_listed(found), request_id)


def encode_deleted(voice: str, *, request_id: str) -> bytes:
    """The answer that a voice is deleted."""
    return _reply({"voice": voice}, request_id)


def _part(fields: Mapping[str, Any], name: str, place: str = "") -> dict[str, Any]:
    part = fields.get(name)
    if part is None:
        return {}
    if not isinstance(part, dict):
        raise FieldError(place or name, "invalid_type", "It must be an object.")
    return part


def _value(field: Field, parts: Mapping[str, Mapping[str, Any]]) -> Any:  # noqa: ANN401 - as the field's kind says
    """A field's value, within what the protocol allows."""
    part, _, name = field.dashscope.rpartition(".")
    raw = value(field, parts[part].get(name), field.dashscope)
    check = _CHECKS.get(name)
    if check is not None and raw is not None:
        check(raw, field.dashscope)
    return raw


def _check_voice_name(name: str, place: str) -> None:
    plain = name.replace("_", "a")
    if not (plain.isascii() and plain.isalnum() and len(name) <= LONGEST_NAME):
        raise FieldError(place, "invalid_value", _NAME.meaning)


def _check_sample_rate(rate: int, place: str) -> None:
    if rate not in SAMPLE_RATES:
        raise FieldError(place, "invalid_value", f"Choose one of {', '.join(map(str, SAMPLE_RATES))}.")


def _at_most(limit: int) -> Callable[[str, str], None]:
    def check(text: str, place: str) -> None:
        if len(text) > limit:
            raise LengthError(text, limit, place)

    return check


def _words(limit: int, has_words: Callable[[str], bool]) -> Callable[[str, str], None]:
    check_length = _at_most(limit)

    def check(text: str, place: str) -> None:
        check_length(text, place)
        if not has_words(text):
            raise FieldError(place, "invalid_value", "It has no words.")

    return check


_CHECKS: Final[Mapping[str, Callable[[Any, str], None]]] = {
    "target_model": check_name,
    "voice": check_name,
    "preferred_name": _check_voice_name,
    "voice_prompt": _words(LONGEST_PROMPT, describes),
    "preview_text": _words(LONGEST_PREVIEW, has_words),
    "text": _at_most(LONGEST_TRANSCRIPT),
    "sample_rate": _check_sample_rate,
}


def _clone(values: Mapping[str, Any]) -> Clone | Remote:
    order = Clone(
        name=values["preferred_name"],
        audio=b"",
        media_type="",
        target_model=values["target_model"],
        text=values["text"],
        language=_language(values["language"]),
    )
    data = values["data"]
    if data[:5].lower() == "data:":
        audio, media_type = _sample(data)
        return Remote(order, "").fetched(audio, media_type)
    if not data[:8].lower().startswith(("http://", "https://")) or not data.isprintable() or len(data) > LONGEST_URL:
        raise FieldError("input.audio.data", "invalid_value", "Send a data URI (data:audio/wav;base64,...) or a URL.")
    return Remote(order, data)


def _design(values: Mapping[str, Any]) -> Design:
    return Design(
        name=values["preferred_name"],
        prompt=values["voice_prompt"],
        preview_text=values["preview_text"],
        target_model=values["target_model"],
        language=_language(values["language"]),
        sample_rate=values["sample_rate"],
        format=values["response_format"],
    )


_READERS: Final[Mapping[tuple[Kind, str], Callable[[Mapping[str, Any]], Asked]]] = {
    ("clone", "create"): _clone,
    ("clone", "list"): lambda values: Listing("clone", values["page_index"], values["page_size"]),
    ("clone", "delete"): lambda values: Deletion("clone", values["voice"]),
    ("design", "create"): _design,
    ("design", "list"): lambda values: Listing("design", values["page_index"], values["page_size"]),
    ("design", "query"): lambda values: Query(values["voice"]),
    ("design", "delete"): lambda values: Deletion("design", values["voice"]),
}


def _language(code: str | None) -> str | None:
    return None if code is None else LANGUAGES[code]


def _sample(data: str) -> tuple[bytes, str]:
    """The file in a data URI, and what it is said to be."""
    head, comma, content = data.partition(",")
    media_type, *parameters = head[5:].lower().split(";")
    known = MEDIA_TYPES.get(media_type.strip())
    if known is None or not comma or not parameters or parameters[-1].strip() != "base64":
        known_types = ", ".join(dict.fromkeys(MEDIA_TYPES.values()))
        raise FieldError(
            "input.audio.data", "invalid_value", f"A data URI is data:TYPE;base64,DATA, with a TYPE of {known_types}."
        )
    if len(content) > LONGEST_SAMPLE:
        raise OptionError(
            "The sample has more than 10 MB as Base64.",
            remedy="Ten to twenty seconds of speech do.",
            code="sample_too_large",
            service_code="Audio.FileSizeExceed",
        )
    try:
        return pybase64.b64decode(content, validate=True), known
    except (binascii.Error, ValueError):
        raise OptionError(
            "The sample is not Base64.",
            remedy="Encode the file's bytes in the standard alphabet, without line breaks.",
            code="sample_unreadable",
            service_code="Audio.DecoderError",
        ) from None


def _listed(voice: Enrolled) -> dict[str, Any]:
    """A voice of a list. Nothing changes it after it was made."""
    made = _gmt(voice.created)
    listed = {
        "voice": voice.voice,
        "gmt_create": made,
        "gmt_modified": made,
        "language": next((code for code, name in LANGUAGES.items() if name == voice.language), voice.language),
        "target_model": voice.target_model,
    }
    if voice.kind == "design":
        listed |= {"voice_prompt": voice.prompt, "preview_text": voice.preview_text}
    return listed


def _gmt(created: str) -> str:
    """A time as the service writes it; one that cannot be read stays as it is."""
    try:
        made = datetime.fromisoformat(created)
    except ValueError:
        return created
    in_utc = made.astimezone(UTC) if made.tzinfo else made
    return in_utc.strftime("%Y-%m-%d %H:%M:%S")


def _reply(output: Mapping[str, Any], request_id: str, *, count: int = 0) -> bytes:
    answer = {"output": output, "usage": {"count": count}, "request_id": request_id}
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
