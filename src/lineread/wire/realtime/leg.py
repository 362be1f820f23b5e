"""The part of a session that one socket serves, as its client sees it.

Owns what is known of one socket: which events may pass there, which response is in progress, what was not answered
yet, and where its text stands in the session's; and how the service's events are read, none of whose fields is relied
upon to be there. No I/O.
"""

from __future__ import annotations

import binascii
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

import pybase64

from lineread.errors import BadReply
from lineread.wire.realtime.machine import Machine

if TYPE_CHECKING:
    from lineread.speech import Facts, Span

#: Characters that are kept of an id that the service gives.
_LONGEST_ID: Final = 100

Event = dict[str, Any]
"""An event to send; ``events.encode`` makes a message of it."""


class Sound(Protocol):
    """Takes PCM out of what a response's deltas hold."""

    sample_rate: int

    def feed(self, data: bytes) -> bytes:
        """The samples that more bytes complete."""

    def flush(self) -> bytes:
        """What is left at the end of the response."""


@dataclass(slots=True, eq=False)
class Segment:
    """A piece of text that was spoken at once.

    Attributes:
        span: It, or what is known to hold it.
        known: The service has said which text it is.
        whole: All of its sound has come.
        taken: Some of its sound was delivered.
    """

    span: Span
    known: bool = False
    whole: bool = False
    taken: bool = False


@dataclass(slots=True, eq=False)
class Piece:
    """Sound that waits for its reader; with facts it is its segment's last, and a response's if it is final."""

    pcm: bytes
    segment: Segment
    facts: Facts | None = None
    final: bool = False


@dataclass(slots=True, eq=False)
class Response:
    """A response in progress.

    Attributes:
        id: Its id.
        sound: What reads its sound.
        segment: The piece of text that is being spoken.
        end: Where its text ends at the latest, as far as is known when it begins.
        billed: Characters that its text is billed for.
        told: How many of them stand in the facts of its segments so far.
        seconds: How much sound of it has come.
        over: All of it has come.
        cleared: Text before this place was forgotten while it was in progress.
    """

    id: str
    sound: Sound
    segment: Segment
    end: int
    billed: int = 0
    told: int = 0
    seconds: float = 0.0
    over: bool = False
    cleared: int = 0


@dataclass(slots=True, eq=False)
class Leg:
    """The part of a session that one socket serves.

    Attributes:
        machine: Which event may come.
        session_id: The service's id of it.
        response: The response in progress.
        last_response: Id of the response before.
        certain: The place in the text up to which it is known what was spoken; None where all is known.
        commits: Commits that were not answered.
        clears: Places of the text up to which it was cleared, where that was not answered.
        doubtful: Where text starts that was cleared between two responses: the service may have begun to speak it.
    """

    machine: Machine = field(default_factory=Machine)
    session_id: str = ""
    response: Response | None = None
    last_response: str = ""
    certain: int | None = None
    commits: int = 0
    clears: deque[int] = field(default_factory=deque)
    doubtful: int | None = None
    _appended: int = 0
    # From which character of the socket's text on the session's stands how much further on.
    _shifts: list[tuple[int, int]] = field(default_factory=list)

    def append(self, start: int, characters: int) -> None:
        """Text of the session goes out."""
        shift = start - self._appended
        if not self._shifts or self._shifts[-1][1] != shift:
            self._shifts.append((self._appended, shift))
        self._appended += characters

    def in_session(self, told: object) -> Span | None:
        """A span of the socket's text as one of the session's; None if it is none."""
        if not (isinstance(told, list) and len(told) == 2 and all(type(place) is int for place in told)):
            return None
        start, end = told
        if not 0 <= start < end <= self._appended:
            return None
        first = max(shift for shift in self._shifts if shift[0] <= start)
        last = max(shift for shift in self._shifts if shift[0] < end)
        return start + first[1], end + last[1]

    def is_stale(self, kind: str, event: Event) -> bool:
        """Whether an event is of a response that is complete."""
        return kind.startswith("response.") and bool(self.last_response) and response_id(event) == self.last_response


def response_id(event: Event) -> str:
    """The id of the response that an event is of; empty where it does not say."""
    named = event.get("response_id")
    return named[:_LONGEST_ID] if isinstance(named, str) else id_of(part_of(event, "response"))


def id_of(fields: Event) -> str:
    """The id among some fields; empty where there is none."""
    named = fields.get("id")
    return named[:_LONGEST_ID] if isinstance(named, str) else ""


def part_of(fields: Event, name: str) -> Event:
    """An object within some fields; empty where there is none."""
    part = fields.get(name)
    return part if isinstance(part, dict) else {}


def count_of(value: object) -> int:
    """A number of characters; 0 where it is none."""
    return value if type(value) is int and value > 0 else 0


def sound_of(delta: object, session_id: str) -> bytes:
    """The bytes of a delta.

    Raises:
        BadReply: They are no Base64.
    """
    if not delta:
        return b""
    try:
        if isinstance(delta, str):
            return pybase64.b64decode(delta, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise BadReply(
        "The service sent sound that is not Base64.",
        remedy="Try again; if it stays, tell the service's support the session's id.",
        request_id=session_id,
        retryable=True,
    )
