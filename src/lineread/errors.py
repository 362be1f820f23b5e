"""Everything that can go wrong, in one tree.

Owns the error classes, their stable codes and what each door makes of them. Imports nothing of lineread.

    LinereadError
    ├── RequestError               what was asked cannot be done as asked; nothing was sent anywhere
    │   ├── TextError              empty text, or text this engine cannot speak
    │   ├── VoiceError             unknown voice, or a voice that the model lacks
    │   ├── ModelError             unknown model, or one that this engine cannot call
    │   ├── OptionError            a field with a value that it cannot have
    │   ├── OverBudget             more than is left of what may be spent
    │   └── MalformedRequest       request JSON that is no request
    ├── ConfigError                lineread is set up wrong
    │   ├── EngineUnknown          no engine of that name
    │   └── KeyMissing             a cloud engine without a key
    ├── EngineError                the engine did not speak
    │   ├── Unauthorized           the key is wrong or lacks the permission
    │   ├── Refused                the service will not speak this, now or later
    │   ├── QuotaExceeded          the account is out of quota or in debt
    │   ├── Throttled              too fast; later it will do
    │   ├── ServiceFailed          the service broke
    │   ├── Unreachable            no connection, or it dropped
    │   ├── TimedOut               a deadline passed
    │   ├── BadReply               a reply that makes no sense
    │   ├── NoAudio                a reply without sound
    │   └── SpeechCut              the connection was lost within a sentence that was heard in part
    ├── OutputError                the audio could not be written or played
    └── TurnedAway                 a server does not take this request
        ├── KeyRefused             the key is none of this server's
        ├── NotAllowed             the key may not do that
        ├── LimitReached           the key has asked for as much as it may, for now
        ├── Overloaded             the server has as much to do as it can
        ├── Leaving                the server is about to stop
        ├── NotServed              there is nothing at that address
        └── HttpError              the HTTP around the request is wrong

Each class has a ``code`` (stable, for programs), an ``exit_status`` (for shells) and a ``http_status`` (for
servers); each error has a message of one line and a ``remedy`` that says what to do about it.
"""

from __future__ import annotations

from typing import Any

#: Most characters of a name that a message repeats.
LONGEST_SHOWN = 60


def shortened(name: str) -> str:
    """A name of the user's as a message repeats it: all of it, unless it is far too long to be one."""
    return name if len(name) <= LONGEST_SHOWN else f"{name[: LONGEST_SHOWN - 1]}…"


class LinereadError(Exception):
    """Base of all errors that lineread raises on purpose.

    Args:
        message: What is wrong, in one line, without key or text.
        remedy: What the reader can do about it, in one line.
        retryable: Whether the same call may succeed when simply made again.
        retry_after: Seconds to wait before that, when the service said so.
        request_id: The service's id of the failed call, for its support.
        service_code: The service's own error code.
    """

    code = "error"
    exit_status = 1
    http_status = 500

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        code: str | None = None,
        retryable: bool = False,
        retry_after: float | None = None,
        request_id: str = "",
        service_code: str = "",
    ) -> None:
        message = " ".join(message.splitlines())  # a file name, or a service, may bring more lines than one
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        if code is not None:
            self.code = code
        self.retryable = retryable
        self.retry_after = retry_after
        self.request_id = request_id
        self.service_code = service_code

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}" if self.remedy else self.message

    def to_dict(self) -> dict[str, object]:
        """The error as a JSON-ready object."""
        facts = {
            "code": self.code,
            "message": self.message,
            "remedy": self.remedy,
            "retryable": self.retryable,
            "request_id": self.request_id,
            "service_code": self.service_code,
        }
        return {name: value for name, value in facts.items() if value != ""}


class RequestError(LinereadError):
    """What was asked cannot be done as asked; nothing was sent anywhere."""

    code = "bad_request"
    exit_status = 2
    http_status = 400


class TextError(RequestError):
    """The text is empty, or this engine cannot speak it.

    Args:
        message: As for any error. ``{place}`` in it stands for the character that it is about.
        place: That character, from 0; None where it is about no single one. The message counts it from 1.
        **facts: As for any error.
    """

    code = "bad_text"

    def __init__(self, message: str, *, place: int | None = None, **facts: Any) -> None:  # noqa: ANN401 - as its base takes them
        super().__init__(message if place is None else message.format(place=place + 1), **facts)
        self.place = place
        self._pattern = message

    def moved(self, characters: int) -> TextError:
        """The same error about a text that stands so many characters further on."""
        if self.place is None:
            return self
        place = self.place + characters
        return TextError(self._pattern, place=place, remedy=self.remedy, code=self.code, retryable=self.retryable)


class VoiceError(RequestError):
    """The voice is unknown, or the model lacks it."""

    code = "unknown_voice"


class ModelError(RequestError):
    """The model is unknown, or this engine cannot call it."""

    code = "unknown_model"


class OptionError(RequestError):
    """A field has a value that it cannot have."""

    code = "bad_option"


class OverBudget(RequestError):
    """It would cost more than is left of what may be spent."""

    code = "over_budget"
    http_status = 402


class MalformedRequest(RequestError):
    """The request JSON is not a request."""

    code = "malformed_request"


class ConfigError(LinereadError):
    """lineread is set up wrong."""

    code = "bad_config"
    exit_status = 3


class EngineUnknown(ConfigError):
    """There is no engine of that name."""

    code = "unknown_engine"


class KeyMissing(ConfigError):
    """A cloud engine was asked to speak, and there is no key."""

    code = "key_missing"
    http_status = 401


class EngineError(LinereadError):
    """The engine did not speak.

    Attributes:
        may_be_billed: The service may ask for money all the same: it had the request, and has not refused it.
    """

    may_be_billed = True

    code = "engine_failed"
    exit_status = 4
    http_status = 502


class Unauthorized(EngineError):
    """The key is wrong, or lacks the permission."""

    code = "unauthorized"
    may_be_billed = False
    exit_status = 3
    http_status = 401


class Refused(EngineError):
    """The service will not speak this, now or later."""

    code = "refused"
    may_be_billed = False
    http_status = 400


class QuotaExceeded(EngineError):
    """The account is out of quota or in debt."""

    code = "quota_exceeded"
    may_be_billed = False
    http_status = 429


class Throttled(EngineError):
    """Too many requests; later it will do.

    ``kind`` tells the throttling codes apart: ``rate`` (requests a minute), ``burst`` (a sudden rise), ``quota``
    (an allocation that refills) or ``capacity`` (the service is full).
    """

    code = "throttled"
    may_be_billed = False
    exit_status = 5
    http_status = 429

    def __init__(self, message: str, *, kind: str = "rate", **facts: object) -> None:
        super().__init__(message, **facts)  # type: ignore[arg-type]  # the base checks these names at run time
        self.kind = kind


class ServiceFailed(EngineError):
    """The service broke."""

    code = "service_failed"
    exit_status = 5


class Unreachable(EngineError):
    """There is no connection to the service, or it dropped."""

    code = "unreachable"
    exit_status = 5


class TimedOut(EngineError):
    """A deadline passed."""

    code = "timed_out"
    exit_status = 5
    http_status = 504


class BadReply(EngineError):
    """The service answered something that makes no sense."""

    code = "bad_reply"


class NoAudio(EngineError):
    """The service answered without sound."""

    code = "no_audio"


class SpeechCut(EngineError):
    """The connection was lost within a sentence that was heard in part.

    Args:
        message: As for any error.
        delivered: The text up to which everything was delivered, as a place in all that was written; what comes after
            it was heard in part, or not at all.
        **facts: As for any error.
    """

    code = "speech_cut"
    exit_status = 5

    def __init__(self, message: str, *, delivered: tuple[int, int] = (0, 0), **facts: Any) -> None:  # noqa: ANN401 - as its base takes them
        super().__init__(message, **facts)
        self.delivered = delivered


class OutputError(LinereadError):
    """The audio could not be written or played."""

    code = "output_failed"
    exit_status = 6


class TurnedAway(LinereadError):
    """A server does not take this request."""

    code = "turned_away"
    http_status = 400


class KeyRefused(TurnedAway):
    """The key is none of this server's."""

    code = "key_refused"
    http_status = 401


class NotAllowed(TurnedAway):
    """The key may not do that."""

    code = "not_allowed"
    http_status = 403


class LimitReached(TurnedAway):
    """The key has asked for as much as it may, for now."""

    code = "limit_reached"
    http_status = 429


class Overloaded(TurnedAway):
    """The server has as much to do as it can."""

    code = "overloaded"
    http_status = 429


class Leaving(TurnedAway):
    """The server is about to stop."""

    code = "leaving"
    http_status = 503


class NotServed(TurnedAway):
    """There is nothing at that address, or not by that method."""

    code = "not_served"
    http_status = 404


class HttpError(TurnedAway):
    """The HTTP around the request is wrong.

    ``status`` is the HTTP status of the answer, where 400 does not say enough.
    """

    code = "bad_http"

    def __init__(self, message: str, *, status: int = 400, **facts: object) -> None:
        super().__init__(message, **facts)  # type: ignore[arg-type]  # the base checks these names at run time
        self.http_status = status
