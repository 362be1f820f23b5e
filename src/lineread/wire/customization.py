"""DashScope's enrolment protocol: how voices are made, listed, looked up and deleted.

Owns what both halves share (who is asked, for what, in which language's code) and the client's half: bodies out,
replies in. The server's half is ``customization_server``; what errors mean is ``dashscope``'s table. No I/O.
Source: the service's references for voice cloning and voice design of 2026, in their newer and their older form.

A clone has no action to look it up; it can only be found in a list.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pybase64

from lineread.enrolment import Clone, Design, Enrolled, Kind, Page, Preview
from lineread.errors import BadReply
from lineread.wire.dashscope import audio_bytes, decode_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Where voices are asked for, under the base URL.
PATH: Final = "/services/audio/tts/customization"
#: The models that make voices, which are asked for everything about them.
MAKERS: Final[Mapping[Kind, str]] = {"clone": "qwen-voice-enrollment", "design": "qwen-voice-design"}
#: The codes of languages, and what the catalogue calls them.
LANGUAGES: Final[Mapping[str, str]] = {
    "zh": "Chinese",
    "en": "English",
    "de": "German",
    "it": "Italian",
    "pt": "Portuguese",
    "es": "Spanish",
    "ja": "Japanese",
    "ko": "Korean",
    "fr": "French",
    "ru": "Russian",
}
#: Most characters of a sample as Base64: the references say "under 10 MB".
LONGEST_SAMPLE: Final = 10 << 20
#: Most characters of a voice's id; a longer one is none.
LONGEST_ID: Final = 200
_CODES: Final = {language: code for code, language in LANGUAGES.items()}


@dataclass(frozen=True, slots=True)
class Remote:
    """A voice to be made from a sample that lies elsewhere.

    Attributes:
        order: The order, without audio.
        url: Where the sample lies.
    """

    order: Clone
    url: str

    def fetched(self, audio: bytes, media_type: str) -> Clone:
        """The order with its sample."""
        return replace(self.order, audio=audio, media_type=media_type)


@dataclass(frozen=True, slots=True)
class Listing:
    """Some of the voices that were made one way.

    Attributes:
        kind: How they were made.
        index: Which page, from 0.
        size: Most voices of a page.
    """

    kind: Kind
    index: int = 0
    size: int = 10


@dataclass(frozen=True, slots=True)
class Query:
    """What is known of a designed voice.

    Attributes:
        voice: Its id.
    """

    voice: str


@dataclass(frozen=True, slots=True)
class Deletion:
    """A voice to be deleted.

    Attributes:
        kind: How it was made.
        voice: Its id.
    """

    kind: Kind
    voice: str


Asked: TypeAlias = Clone | Remote | Design | Listing | Query | Deletion
"""All that the protocol can be asked for."""


def kind_of(asked: Asked) -> Kind:
    """The kind of voices that it is about."""
    match asked:
        case Clone() | Remote():
            return "clone"
        case Design() | Query():
            return "design"
        case Listing() | Deletion():
            return asked.kind


def encode(asked: Asked) -> bytes:
    """The body of a request."""
    body: dict[str, Any] = {"model": MAKERS[kind_of(asked)]}
    match asked:
        case Clone():
            body["input"] = _clone(asked, data_uri(asked.audio, asked.media_type))
        case Remote(order, url):
            body["input"] = _clone(order, url)
        case Design():
            body["input"] = _design(asked)
            body["parameters"] = {"sample_rate": asked.sample_rate, "response_format": asked.format}
        case Listing(_, index, size):
            body["input"] = {"action": "list", "page_index": index, "page_size": size}
        case Query(voice):
            body["input"] = {"action": "query", "voice": voice}
        case Deletion(_, voice):
            body["input"] = {"action": "delete", "voice": voice}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def data_uri(audio: bytes, media_type: str) -> str:
    """A file as the protocol takes it."""
    return f"data:{media_type};base64,{pybase64.b64encode_as_string(audio)}"


def decode_made(body: bytes, order: Clone | Design, *, hide: Callable[[str], str] = str) -> Enrolled:
    """The voice that was made, in a reply with status 200.

    Args:
        body: JSON.
        order: What it was made of.
        hide: Takes what may not show in an error out of what the service says.

    Raises:
        EngineError: The reply tells of an error.
        BadReply: It names no voice; there may be one all the same.
    """
    answer = decode_answer(body, hide=hide)
    output = answer.output or {}
    voice = _id(output)
    if voice is None:
        raise _no_voice(answer.request_id)
    made = Enrolled(
        voice,
        kind_of(order),
        target_model=_text(output, "target_model") or order.target_model,
        language=order.language or "",
        fallback_reason=_fallback_reason(output),
        request_id=answer.request_id,
    )
    if isinstance(order, Clone):
        return made
    preview = _preview(output, order, answer.request_id)
    words = _text(output, "preview_text") or order.preview_text  # a server of ours says what it really says
    return replace(made, prompt=order.prompt, preview_text=words, preview=preview)


def decode_page(body: bytes, asked: Listing, *, hide: Callable[[str], str] = str) -> Page:
    """The voices of a list, in a reply with status 200; other arguments and errors as for :func:`decode_made`.

    Whatever the list holds that is no voice is passed over. The service's older form tells neither page nor total:
    then the page is the one that was asked for, and the total is what is known.
    """
    output = decode_answer(body, hide=hide).output or {}
    items = output.get("voice_list")
    found = (_listed(item, asked.kind) for item in (items if isinstance(items, list) else ()))
    voices = tuple(voice for voice in found if voice is not None)
    index, size = _number(output, "page_index", asked.index), _number(output, "page_size", asked.size)
    return Page(voices, index, size, _number(output, "total_count", index * size + len(voices)))


def decode_found(body: bytes, asked: Query, *, hide: Callable[[str], str] = str) -> Enrolled:
    """What is known of a voice, in a reply with status 200; arguments and errors as for :func:`decode_made`."""
    answer = decode_answer(body, hide=hide)
    found = _listed(answer.output, kind_of(asked))
    if found is None:
        raise _no_voice(answer.request_id)
    return replace(found, request_id=answer.request_id)


def decode_deleted(body: bytes, *, hide: Callable[[str], str] = str) -> None:
    """Nothing, in a reply with status 200 that a voice is deleted; its older form has no output.

    Raises:
        EngineError: The reply tells of an error, or is none.
    """
    decode_answer(body, hide=hide)


def _clone(order: Clone, data: str) -> dict[str, Any]:
    asked = {
        "action": "create",
        "target_model": order.target_model,
        "preferred_name": order.name,
        "audio": {"data": data},
        "text": order.text,
        "language": _code(order.language),
    }
    return _given(asked)


def _design(order: Design) -> dict[str, Any]:
    asked = {
        "action": "create",
        "target_model": order.target_model,
        "voice_prompt": order.prompt,
        "preview_text": order.preview_text,
        "preferred_name": order.name,
        "language": _code(order.language),
    }
    return _given(asked)


def _given(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if value is not None}


def _code(language: str | None) -> str | None:
    """The code of a language; one that has none is better left out than refused."""
    return _CODES.get(language or "")


def _listed(item: object, kind: Kind) -> Enrolled | None:
    """A voice of a list; None if it is none."""
    if not isinstance(item, dict):
        return None
    voice = _id(item)
    if voice is None:
        return None
    language = _text(item, "language")
    return Enrolled(
        voice,
        kind,
        target_model=_text(item, "target_model"),
        created=_text(item, "gmt_create"),
        language=LANGUAGES.get(language.lower(), language),
        prompt=_text(item, "voice_prompt"),
        preview_text=_text(item, "preview_text"),
    )


def _preview(output: Mapping[str, Any], order: Design, request_id: str) -> Preview | None:
    """The preview in a reply. What the reply does not say of it is as it was asked for."""
    said = output.get("preview_audio")
    if not isinstance(said, dict):
        return None
    audio = audio_bytes(said.get("data"), request_id)
    form = _text(said, "response_format") or order.format
    return Preview(audio, _number(said, "sample_rate", order.sample_rate), form) if audio else None


def _fallback_reason(output: Mapping[str, Any]) -> str:
    """Why the service made the voice of the whole sample; ``unknown`` if it did and does not say."""
    reason = _text(output, "fallback_reason")
    if not (reason or output.get("fallback_mode")):
        return ""
    return reason if 0 < len(reason) <= LONGEST_ID and reason.isprintable() else "unknown"


def _no_voice(request_id: str) -> BadReply:
    return BadReply(
        "The service sent a reply that names no voice.", remedy="Check the base URL.", request_id=request_id
    )


def _id(fields: Mapping[str, Any]) -> str | None:
    """The id in a reply. It goes into requests, files and terminals: one that could do harm there is none."""
    voice = fields.get("voice")
    if not isinstance(voice, str) or not 0 < len(voice) <= LONGEST_ID:
        return None
    return voice if voice.isprintable() and " " not in voice else None


def _text(fields: Mapping[str, Any], name: str) -> str:
    """A text in a reply; nothing where there is none, or none that could be written down: half a character is in it."""
    value = fields.get(name)
    if not isinstance(value, str):
        return ""
    try:
        value.encode()
    except UnicodeEncodeError:
        return ""
    return value


def _number(fields: Mapping[str, Any], name: str, otherwise: int) -> int:
    value = fields.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else otherwise
