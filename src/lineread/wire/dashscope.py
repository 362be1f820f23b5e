"""DashScope's HTTP dialect for Qwen TTS: requests, replies, errors.

Owns the JSON of ``multimodal-generation`` and the one table that says what each of the service's errors means. No I/O.
Source: the service's references and error page of 2026, and recorded exchanges where these disagree.

An error may come as JSON with status 4xx or 5xx, as an event amid a stream, as an event stream that claims to be
JSON, as a reply with status 200, or as some proxy's HTML page. All of them end in :func:`error_from`.
"""

from __future__ import annotations

import binascii
import json
import re
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pybase64

from lineread.errors import (
    BadReply,
    EngineError,
    QuotaExceeded,
    Refused,
    ServiceFailed,
    Throttled,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from lineread.wire import sse

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

#: Where speech is asked for, under the base URL.
PATH: Final = "/services/aigc/multimodal-generation/generation"

#: A lineread server says what it means itself, beside the service's words: in this field of an error, and, where a
#: client gets to see no body, in this header of a refused handshake, which holds the error's JSON in ASCII.
OWN: Final = "lineread"
ERROR_HEADER: Final = "x-lineread-error"

_SAID_LIMIT: Final = 200
#: Characters of what a lineread server says itself, which is meant for whoever reads it.
_OWN_LIMIT: Final = 1000
#: Seconds; a header that asks for more is not meant.
_LONGEST_WAIT: Final = 86_400
_WRAPPED: Final = r"(?s)<(\d{3})>\s*([\w.]+)\s*:\s*(.*)"
_CHECK_URL: Final = "Check the base URL: it looks like https://dashscope.aliyuncs.com/api/v1."
_LATER: Final = "Try again later; what is already spoken is kept."


@dataclass(frozen=True, slots=True)
class Synthesis:
    """What is asked of the service.

    Attributes:
        model: A model that speaks over HTTP.
        text: The words.
        voice: A system voice or a custom voice's id.
        language_type: One of the service's languages, or ``Auto``.
        instructions: How to speak; instruct models only.
        speech_rate: Pace. Not in the references, yet one probe found it to work.
        pitch_rate: Pitch. As ``speech_rate``.
    """

    model: str
    text: str
    voice: str
    language_type: str = "Auto"
    instructions: str | None = None
    speech_rate: float = 1.0
    pitch_rate: float = 1.0

    def encode(self) -> bytes:
        """The request body. Parameters that have their default are left out."""
        asked = {"instructions": self.instructions, "speech_rate": self.speech_rate, "pitch_rate": self.pitch_rate}
        body = {
            "model": self.model,
            "input": {"text": self.text, "voice": self.voice, "language_type": self.language_type},
            # The reference lists `instructions` with the input; the official SDK sends it here, which surely works.
            "parameters": {name: value for name, value in asked.items() if value not in (None, "", 1.0)},
        }
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Reply:
    """What the service answers: a whole call's reply, or one event of a stream of them.

    Attributes:
        audio: New sound: bytes of a WAV file or bare PCM.
        url: Where the whole file lies for a day; the last event has it too.
        finish_reason: ``stop`` in the last one.
        characters: Characters billed; 0 where the model is billed by tokens.
        request_id: The service's id of the call.
    """

    audio: bytes = b""
    url: str = ""
    finish_reason: str = ""
    characters: int = 0
    request_id: str = ""

    @property
    def finished(self) -> bool:
        """Nothing comes after it."""
        return self.finish_reason == "stop"

    def after(self, before: Reply) -> Reply:
        """What this reply and those before it say together: all sound, the latest facts."""
        return Reply(
            audio=before.audio + self.audio,
            url=self.url or before.url,
            finish_reason=self.finish_reason,
            characters=self.characters or before.characters,
            request_id=self.request_id or before.request_id,
        )


def decode_reply(body: str | bytes, *, hide: Callable[[str], str] = str) -> Reply:
    """The reply in a body, or in the data of an event, that came with status 200.

    Args:
        body: JSON.
        hide: Takes what may not show in an error (the key, the text) out of what the service says.

    Raises:
        EngineError: It tells of an error.
        BadReply: It is no reply.
    """
    answer = decode_answer(body, hide=hide)
    if answer.output is None:
        raise BadReply("The service sent a reply without output.", remedy=_CHECK_URL)
    audio = _part(answer.output, "audio")
    return Reply(
        audio=audio_bytes(audio.get("data"), answer.request_id),
        url=_text(audio, "url"),
        finish_reason=_text(answer.output, "finish_reason"),
        characters=_count(_part(answer.fields, "usage").get("characters")),
        request_id=answer.request_id,
    )


class Answer(NamedTuple):
    """What any of the service's interfaces answers.

    Attributes:
        fields: The whole JSON object.
        output: What was asked for; None where the answer has none.
        request_id: The service's id of the call.
    """

    fields: Mapping[str, Any]
    output: Mapping[str, Any] | None
    request_id: str


def decode_answer(body: str | bytes, *, hide: Callable[[str], str] = str) -> Answer:
    """The answer in a body that came with status 200; arguments as for :func:`decode_reply`.

    Raises:
        EngineError: It tells of an error.
        BadReply: It is no JSON object.
    """
    fields = _object(body)
    if fields is None:
        raise BadReply(
            f"The service sent {len(body)} bytes that are not a JSON object.", remedy=_CHECK_URL, retryable=True
        )
    output = fields.get("output")
    if not isinstance(output, dict):
        if fields.get("code") or fields.get("error"):
            raise _error_in(fields, 200, None, "", hide)
        output = None
    return Answer(fields, output, _one_line(_text(fields, "request_id"), hide))


def audio_bytes(data: object, request_id: str) -> bytes:
    """The sound in a field of a reply; none where the field is empty.

    Raises:
        BadReply: It is not Base64.
    """
    if not data:
        return b""
    try:
        if isinstance(data, str):
            return pybase64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise BadReply(
        "The service sent audio that is not Base64.",
        remedy="Try again; if it stays, tell the service's support the request id.",
        request_id=request_id,
        retryable=True,
    )


def decode_event(event: sse.Event, *, hide: Callable[[str], str] = str) -> Reply:
    """The reply in an event of the stream.

    Raises:
        EngineError: The event tells of an error. One without a status is taken for the service's own failure, since
            the call had been accepted.
        BadReply: It is no reply.
    """
    if event.event == "error" or (event.status or 200) >= 400:
        raise decode_error(event.status or 500, event.data.encode(), hide=hide)
    return decode_reply(event.data, hide=hide)


def decode_events(events: Iterable[sse.Event], *, hide: Callable[[str], str] = str) -> Iterator[Reply]:
    """One reply for events that arrived together, so that whatever comes after has one chunk to handle and not ten.

    Nothing is read past the last reply of a stream.

    Raises:
        EngineError: One of them tells of an error; the reply for those before it comes first.
    """
    said: Reply | None = None
    failure: EngineError | None = None
    try:
        for event in events:
            reply = decode_event(event, hide=hide)
            said = reply if said is None else reply.after(said)
            if said.finished:
                break
    except EngineError as error:
        failure = error
    if said is not None:
        yield said
    if failure is not None:
        raise failure


def decode_error(
    status: int,
    body: bytes,
    *,
    retry_after: float | None = None,
    request_id: str = "",
    hide: Callable[[str], str] = str,
) -> EngineError:
    """The error in a body that came with a status other than 200, whatever the body is.

    Args:
        status: The HTTP status; 0 for an error that came over a socket.
        body: JSON, event stream, HTML, text or nothing.
        retry_after: Seconds to wait, when a header said so.
        request_id: The id from the header, if the body should not have one.
        hide: Takes what may not show in the message (the key, the text) out of what the service says.
    """
    fields = _object(body)
    if fields is None:
        decoder = sse.Decoder()
        for event in decoder.feed(body) + decoder.flush():
            fields = _object(event.data)
            if fields is not None:
                status = event.status or status
                break
    if fields is None:
        text = body.decode("utf-8", errors="replace").strip()
        fields = {} if text.startswith("<") else {"message": text}
    return _error_in(fields, status, retry_after, request_id, hide)


def error_from(
    status: int,
    code: str = "",
    message: str = "",
    *,
    request_id: str = "",
    retry_after: float | None = None,
) -> EngineError:
    """What an error of the service means to whoever asked.

    The first row of the table that knows the code or a phrase of the message decides; the status decides for what no
    row knows. An error that wraps another, ``<400> InternalError.Algo.InvalidParameter: ...``, means what is inside.

    Args:
        status: HTTP status; 0 for an error that came over a socket.
        code: The service's code, such as ``Throttling.RateQuota``.
        message: What the service says; quoted within bounds.
        request_id: The service's id of the call.
        retry_after: Seconds to wait before the next try, if the service said so.
    """
    inside = re.match(_WRAPPED, message)
    codes = [code]
    said = message
    if inside:
        status, said = int(inside[1]), inside[3]
        codes.insert(0, inside[2])
    row = next((row for row in _TABLE if row.knows(status, codes, said.lower())), _OTHERWISE)
    detail = ": ".join(
        part
        for part in (" ".join(filter(None, (f"HTTP {status}" if status else "", codes[0]))), said.rstrip("."))
        if part
    )
    return row.error(
        f"{row.message} ({detail}).",
        remedy=row.remedy,
        code=row.code,
        retryable=row.retryable,
        retry_after=retry_after,
        request_id=request_id,
        service_code=codes[0],
    )


def retry_after(headers: Mapping[str, str], *, now: float) -> float | None:
    """Seconds that the headers ask to wait before the next try; None if they ask nothing that can be understood.

    More than a day is no wait that anybody means: it is not understood.

    Args:
        headers: The response's; names in any case, if the mapping takes them so.
        now: Seconds since the epoch. A date is taken from the reply's own ``Date`` where it has one, since the clocks
            of the two sides may differ.
    """
    wait = _wait(headers, now)
    return wait if wait is not None and wait <= _LONGEST_WAIT else None


def _wait(headers: Mapping[str, str], now: float) -> float | None:
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if value.isascii() and value.replace(".", "", 1).isdigit():
            return float(value) * unit
    until = _instant(headers.get("retry-after", ""))
    if until is None:
        return None
    sent = _instant(headers.get("date", ""))
    return max(0.0, until - (now if sent is None else sent))


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the table: how to recognise an error, and what it means.

    ``codes`` match whole dotted parts of the service's code, ``says`` parts of its message in lower case; one of them
    suffices. ``statuses`` are asked only where a row has neither.
    """

    error: Callable[..., EngineError]
    message: str
    remedy: str
    codes: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    statuses: Collection[int] = ()
    code: str | None = None
    retryable: bool = False

    def knows(self, status: int, codes: Collection[str], said: str) -> bool:
        if not (self.codes or self.says):
            return status in self.statuses
        dotted = [f".{code.lower()}." for code in codes]
        by_code = any(f".{known.lower()}." in code for known in self.codes for code in dotted)
        return by_code or any(phrase in said for phrase in self.says)


#: What each error means; the most specific comes first.
_TABLE: Final = (
    _Row(
        Unauthorized,
        "The service does not accept this API key",
        "Check DASHSCOPE_API_KEY: a key works only in the region that it was made in (Beijing or Singapore).",
        codes=("InvalidApiKey", "invalid_api_key"),
    ),
    _Row(
        Unauthorized,
        "This account may not use the model yet",
        "Open the model in the Model Studio console, or choose another one.",
        codes=("Unpurchased",),
        code="model_not_opened",
    ),
    _Row(
        Unauthorized,
        "This key may not do that",
        "Give the key's workspace access to the model in the Model Studio console, or use another key.",
        codes=("AccessDenied", "NOT AUTHORIZED"),
    ),
    _Row(
        Refused,
        "The service does not know the workspace",
        "Check DASHSCOPE_WORKSPACE_ID, or leave it out to use the default workspace.",
        codes=("WorkSpaceNotFound",),
        code="unknown_workspace",
    ),
    _Row(
        QuotaExceeded,
        "The free quota of this model is used up",
        "Switch off 'free tier only' in the Model Studio console, or choose another model.",
        codes=("FreeTierOnly",),
    ),
    _Row(
        QuotaExceeded,
        "The account is in debt",
        "Top the Alibaba Cloud account up, then run the same command again.",
        codes=("Arrearage",),
        code="account_in_debt",
    ),
    _Row(
        QuotaExceeded,
        "The account has as many custom voices as it may have",
        "Delete a custom voice that you no longer need.",
        says=("maximum voice",),
        code="too_many_voices",
    ),
    _Row(
        partial(Throttled, kind="burst"),
        "Requests came too suddenly",
        "Try again in a few seconds, with fewer requests at once.",
        codes=("Throttling.BurstRate",),
        says=("increased too quickly",),
        retryable=True,
    ),
    _Row(
        partial(Throttled, kind="quota"),
        "The account's allotment for this minute is used up",
        "Try again in a minute, or ask for a larger quota in the Model Studio console.",
        codes=("Throttling.AllocationQuota",),
        retryable=True,
    ),
    _Row(
        partial(Throttled, kind="capacity"),
        "The service is full",
        _LATER,
        codes=("ModelServingError",),
        says=("system capacity limits", "to many requests"),  # the latter as recorded on the realtime socket
        retryable=True,
    ),
    _Row(
        partial(Throttled, kind="rate"),
        "The account made too many requests this minute",
        "Try again in a minute; all keys of an account share one limit.",
        codes=("Throttling",),
        retryable=True,
    ),
    _Row(
        Refused,
        "The service's content inspection refused the text",
        "Change the wording of this line.",
        codes=("DataInspectionFailed",),
        code="content_refused",
    ),
    _Row(
        Refused,
        "The service does not have this model",
        "Choose another model (`lineread models` lists them); some exist in one region only.",
        codes=("ModelNotFound",),
        says=("model not exist", "model does not exist", "model can not be found"),
        code="unknown_model",
    ),
    _Row(
        Refused,
        "The service does not speak this model at this address",
        "Choose a model that `lineread models` lists with the transport http.",
        says=("url error",),
        code="wrong_address",
    ),
    _Row(
        Refused,
        "The service does not have this voice for this model",
        "Choose another voice (`lineread voices` lists them); a custom voice works only with its own model.",
        codes=("VoiceNotFound",),
        says=("invalid voice", "the requested voice", "audio.voice"),
        code="unknown_voice",
    ),
    _Row(
        Refused,
        "The service finds the text too long, or empty",
        "Shorten the line.",
        says=("range of input length",),
        code="text_too_long",
    ),
    _Row(
        Refused,
        "The service finds the sample too large",
        "Take a file smaller than 10 MB: ten to twenty seconds of speech do.",
        codes=("Audio.FileSizeExceed",),
        code="sample_too_large",
    ),
    _Row(
        Refused,
        "The service finds the sample too long",
        "Cut it to 60 seconds at most; ten to twenty do.",
        codes=("Audio.DurationLimitError",),
        code="sample_too_long",
    ),
    _Row(
        Refused,
        "The service finds too little speech in the sample",
        "Record ten to twenty seconds of clear speech, at least three of them without a break.",
        codes=("Audio.AudioShortError", "Audio.AudioSilentError"),
        code="sample_too_short",
    ),
    _Row(
        Refused,
        "The service does not take the sample's rate",
        "Record it with 24,000 samples a second or more.",
        codes=("Audio.AudioRateError",),
        code="sample_rate_too_low",
    ),
    _Row(
        Refused,
        "The service cannot read the sample",
        "Send a WAV file of 16 bits, an MP3 or an M4A file.",
        codes=("Audio.DecoderError",),
        code="sample_unreadable",
    ),
    _Row(
        Refused,
        "The service could not make a voice of the sample",
        "Take one speaker without music or noise; a transcript has to say what the sample says.",
        codes=("Audio",),
        code="sample_refused",
    ),
    _Row(
        Refused,
        "The service could not fetch the sample",
        "Send the file itself, or a URL that anybody can open.",
        codes=("InputDownloadFailed",),
        code="sample_not_fetched",
    ),
    _Row(
        TimedOut,
        "The service ran out of time",
        _LATER,
        codes=("RequestTimeOut", "ResponseTimeout", "Timeout"),
        retryable=True,
    ),
    _Row(
        Refused,
        "The service does not accept the request",
        "See what it says; if it names a field, change that field, or choose another model.",
        codes=("InvalidParameter", "invalid_value", "BadRequest"),
    ),
    _Row(
        ServiceFailed,
        "The service failed",
        _LATER,
        codes=("ModelUnavailable", "InternalError"),
        retryable=True,
    ),
    _Row(
        Unauthorized,
        "The service does not let this key in",
        "Check DASHSCOPE_API_KEY and that the base URL is of the key's region.",
        statuses=(401, 403),
    ),
    _Row(Refused, "The service has nothing at this address", _CHECK_URL, statuses=(404, 405), code="wrong_address"),
    _Row(
        Unreachable,
        "The proxy wants a name and a password",
        "Write them into HTTPS_PROXY: http://name:password@host:port.",
        statuses=(407,),
    ),
    _Row(TimedOut, "The service ran out of time", _LATER, statuses=(408, 504), retryable=True),
    _Row(
        Refused, "The service finds the request too large", "Shorten the line.", statuses=(413,), code="text_too_long"
    ),
    _Row(
        partial(Throttled, kind="rate"),
        "The service gets too many requests",
        "Try again in a minute.",
        statuses=(429,),
        retryable=True,
    ),
    _Row(ServiceFailed, "The service failed", _LATER, statuses=(409, *range(500, 600)), retryable=True),
    _Row(Refused, "The service refused the request", "See what it says.", statuses=range(400, 500)),
    _Row(BadReply, "A page answered instead of the service", _CHECK_URL, statuses=range(300, 400)),
)
_OTHERWISE: Final = _Row(ServiceFailed, "The service told of an error", _LATER)


def _error_in(
    fields: Mapping[str, Any], status: int, wait: float | None, request_id: str, hide: Callable[[str], str]
) -> EngineError:
    """The error that a JSON object tells of. Some gateways wrap it in ``error``, some call its message ``msg``."""
    inner = fields.get("error")
    error = inner if isinstance(inner, dict) else fields
    meant = error_from(
        status,
        _one_line(_text(error, "code"), hide),
        _one_line(_text(error, "message") or _text(error, "msg"), hide),
        request_id=_one_line(_text(fields, "request_id") or request_id, hide),
        retry_after=wait,
    )
    own = _part(error, OWN)
    return _in_own_words(meant, own, hide) if _text(own, "message") else meant


def _in_own_words(meant: EngineError, own: Mapping[str, Any], hide: Callable[[str], str]) -> EngineError:
    """The error as the lineread server means it that has said so. What is left to do it knows better than the table."""
    retryable = own.get("retryable") is True
    kind: Callable[..., EngineError] = type(meant)
    code: str | None = meant.code
    if isinstance(meant, Throttled):
        kind, code = (partial(Throttled, kind=meant.kind), code) if retryable else (QuotaExceeded, None)
    return kind(
        _one_line(_text(own, "message"), hide, _OWN_LIMIT),
        remedy=_one_line(_text(own, "remedy"), hide, _OWN_LIMIT),
        code=code,
        retryable=retryable,
        retry_after=meant.retry_after,
        request_id=meant.request_id,
        service_code=meant.service_code,
    )


def _one_line(text: str, hide: Callable[[str], str], limit: int = _SAID_LIMIT) -> str:
    """What the service says, fit to be quoted: printable, of bounded length, without what must not show."""
    text = hide(text)[: 2 * limit]
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _object(body: str | bytes) -> dict[str, Any] | None:
    """The JSON object in a body; None if it is anything else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _instant(date: str) -> float | None:
    """An HTTP date in seconds since the epoch; None if it is none."""
    try:
        parsed = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    return parsed.replace(tzinfo=parsed.tzinfo or UTC).timestamp()


def _part(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
