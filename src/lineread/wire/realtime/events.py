"""What all events of a session have in common: their JSON, their ids, and the fields of a session.

Owns how an event is read and written, and how a session's settings stand on the wire. Which event may come when is
known to ``machine``; what each one holds, to the end that makes it. No I/O.
"""

from __future__ import annotations

import json
import random
import string
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lineread.errors import MalformedRequest
from lineread.fields import REALTIME
from lineread.wire.body import FieldError, check_name, check_rate, json_object, value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineread.fields import Field
    from lineread.speech import LiveRequest

#: Most characters of a message, either way: far more than any event needs that a client or the service sends.
LONGEST_MESSAGE: Final = 1 << 20
#: Most characters of an event's type, and of an id that somebody else gave.
LONGEST_ID: Final = 100

_JSON: Final = json.JSONEncoder(separators=(",", ":"))
_ALPHABET: Final = string.ascii_letters + string.digits
#: Characters of an id after its prefix, as recorded.
_ID_LENGTH: Final = 21
#: The most bits that so many characters can hold.
_ID_BITS: Final = 125


class EventError(MalformedRequest):
    """A message is no event. Its message and remedy are meant for whoever sent it."""


class Ids:
    """Ids of the service's form: a prefix, and 21 letters and digits.

    Args:
        source: Where chance comes from; one of its own, unless a test wants the same ids again. Ids are no secrets.
    """

    def __init__(self, source: random.Random | None = None) -> None:
        self._source = source or random.Random()  # noqa: S311 - see above

    def new(self, prefix: str) -> str:
        """An id that nothing else has, such as ``event_Q1w2E3r4T5y6U7i8O9p0a`` for ``event_``."""
        number = self._source.getrandbits(_ID_BITS)
        letters = []
        for _ in range(_ID_LENGTH):
            number, place = divmod(number, len(_ALPHABET))
            letters.append(_ALPHABET[place])
        return prefix + "".join(letters)


def decode(message: str | bytes) -> dict[str, Any]:
    """The event in a message.

    Args:
        message: A JSON object; as bytes, in UTF-8.

    Returns:
        Its fields. There is a ``type``, a string; nothing else is certain.

    Raises:
        EventError: It is no event.
    """
    if len(message) > LONGEST_MESSAGE:
        raise EventError("The message is too long.", remedy="Send text in smaller pieces.")
    body = message if isinstance(message, bytes) else message.encode("utf-8", "surrogatepass")
    try:
        event = json_object(body)
    except FieldError as error:
        remedy = "Send one JSON object in each message, with each field once."
        raise EventError(error.message.replace("body", "message"), remedy=remedy) from None
    kind = event.get("type")
    if not isinstance(kind, str) or not 0 < len(kind) <= LONGEST_ID:
        raise EventError("The event has no type.", remedy='Send a type, such as "input_text_buffer.append".')
    return event


def encode(event: Mapping[str, Any]) -> str:
    """The message that carries an event: JSON in ASCII, so that it can be sent whatever text is in it."""
    return _JSON.encode(event)


def session_object(request: LiveRequest, session_id: str) -> dict[str, Any]:
    """A session's settings as a server tells them in ``session.updated``, keys in the order that was recorded.

    In ``session.created`` the language is left out and the id comes last.
    """
    return {
        "id": session_id,
        "object": "realtime.session",
        "model": request.model or "",
        "voice": request.voice,
        "mode": request.mode,
        "response_format": request.response_format,
        "sample_rate": request.sample_rate,
        # The service's documents print it with a capital; what it sends has none.
        "language_type": request.language_type.lower(),
    }


def read_session(fields: Mapping[str, Any], before: LiveRequest) -> LiveRequest:
    """The settings that a ``session.update`` asks for.

    Args:
        fields: Its ``session``. What lineread does not know of it is passed over: clients of other services of
            DashScope send more than this one reads.
        before: What holds where a field is left out, or null. An empty string takes a setting back to its default.

    Raises:
        FieldError: A value cannot be taken. Whether there is such a voice or language is not known here.
    """
    given = {field.name: value(field, raw, place) for field, place, raw in _given(fields)}
    for name in ("voice", "language_type"):
        check_name(given.get(name), f"session.{name}")
    asked = replace(before, **given)
    check_rate(asked.sample_rate, _CONTAINERS.get(asked.response_format, asked.response_format))
    return asked


def write_session(request: LiveRequest) -> dict[str, Any]:
    """The ``session`` of a client's ``session.update``.

    As the service's own SDK does, it always says voice, mode, format and sample rate; of the rest only what is not the
    default, because older models know nothing of it. The model is not in it: it stands in the socket's URL.
    """
    settings = {field.name: getattr(request, field.name) for field in _FIELDS}
    return {
        _wire_name(field): settings[field.name]
        for field in _FIELDS
        if field.name in _ALWAYS or settings[field.name] != field.default
    }


def _given(fields: Mapping[str, Any]) -> list[tuple[Field, str, Any]]:
    """The fields that are there, their places and what they say."""
    found = ((field, field.dashscope, fields.get(_wire_name(field))) for field in _FIELDS)
    return [(field, place, raw) for field, place, raw in found if raw is not None]


def _wire_name(field: Field) -> str:
    return field.dashscope.removeprefix("session.")


_FIELDS: Final = tuple(field for field in REALTIME.request if field.dashscope.startswith("session."))
_ALWAYS: Final = ("voice", "mode", "response_format", "sample_rate")
#: What holds a format's sound, where it is not called alike.
_CONTAINERS: Final = {"opus": "ogg"}
