"""The server's end of a session: events to work, sound to events.

Owns what a client is answered, in which order, and in which words it is refused. A client's message becomes steps for
whoever holds the socket: events to send, and commands for the link that speaks. What the link says becomes events.
What is sent is shown to the machine first, so that nothing can leave that the table does not let pass. No I/O.

Source: recorded sessions and the service's documentation of mid-2026. Where these leave it open: a cancelled response
is closed as OpenAI's realtime API, whose shapes these are, closes one; an ``error`` has that API's ``type`` and
``event_id`` too, as older versions of the documentation show it.

Text counts three times here: as the client appended it; as it was handed to the link, which differs as soon as a commit
mode's buffer is cleared; and as the service bills it.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pybase64

from lineread.errors import (
    LimitReached,
    LinereadError,
    ModelError,
    QuotaExceeded,
    RequestError,
    TextError,
    TurnedAway,
    VoiceError,
)
from lineread.fields import REALTIME
from lineread.speech import billed_characters
from lineread.text.characters import VOICED
from lineread.wire import advice
from lineread.wire.body import FieldError, value
from lineread.wire.dashscope import OWN
from lineread.wire.dashscope_server import own_words, refusal
from lineread.wire.realtime.events import LONGEST_ID, EventError, Ids, decode, read_session, session_object
from lineread.wire.realtime.machine import EMPTY_COMMIT, TABLE, Machine, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from lineread.speech import Chunk, LiveRequest, Span

#: Seconds of sound in one event at most, as recorded.
DELTA_SECONDS: Final = 0.3

Event = dict[str, Any]
"""An event to send; ``events.encode`` makes a message of it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much text a session takes. The service publishes no limits of its own.

    Attributes:
        append: Characters of one ``input_text_buffer.append``.
        uncommitted: Characters that wait for a commit, where the client says when text is spoken.
        session: Characters of a session.
    """

    append: int = 20_000
    uncommitted: int = 100_000
    session: int = 2_000_000


class SetUp(NamedTuple):
    """Get a link ready that speaks as asked, in place of any before. It comes before all other commands."""

    request: LiveRequest


class Write(NamedTuple):
    """Hand some text to the link."""

    text: str


class Commit(NamedTuple):
    """Commit the link."""


class Clear(NamedTuple):
    """Clear the link."""


class Cancel(NamedTuple):
    """Cancel the link, and tell the answerer that it was done: :meth:`Answerer.cancelled`."""


class End(NamedTuple):
    """End the link, and tell the answerer when its chunks have come to an end: :meth:`Answerer.finished`."""


Command = SetUp | Write | Commit | Clear | Cancel | End
Step = Event | Command


class Answerer:
    """One session, as its server sees it.

    Whoever holds the socket sends what :meth:`open` gives, and takes all steps one after another. Messages may be
    received ahead of that, because a cancel is not to wait for a write that waits; the link's chunks may be told at any
    time in between. Where a command or the link fails, the commands that wait are dropped, and :meth:`failed` is sent.
    Nothing is sent after ``session.finished``.

    Args:
        request: What holds until the client says otherwise: the model of the URL, and a voice.
        check: Refuses settings that cannot be had, and fills them in.
        take: Refuses text that is too much for whoever sends it; None takes all.
        limits: How much text is taken.
        ids: Where ids come from.

    Attributes:
        request: The settings that hold.
        session_id: The session's id.
        spoken: Billed characters of all that was spoken so far.
    """

    def __init__(
        self,
        request: LiveRequest,
        *,
        check: Callable[[LiveRequest], LiveRequest],
        take: Callable[[str], None] | None = None,
        limits: Limits | None = None,
        ids: Ids | None = None,
    ) -> None:
        self.request = request
        self.spoken = 0
        self._check = check
        self._take = take
        self._limits = limits or Limits()
        self._ids = ids or Ids()
        self.session_id = self._ids.new("sess_")
        self._machine = Machine()
        self._linked = False
        self._failed = False
        self._appended = 0
        self._uncommitted = 0
        self._held: list[str] = []
        self._script = _Script()
        self._cancels: deque[int] = deque()
        self._response: _Response | None = None
        self._handlers: dict[str, Callable[[Event], list[Step]]] = {
            "session.update": self._update,
            "input_text_buffer.append": self._append,
            "input_text_buffer.commit": self._commit,
            "input_text_buffer.clear": self._clear,
            "response.cancel": self._cancel,
            "session.finish": self._finish,
        }

    @property
    def over(self) -> bool:
        """The session is finished: nothing more is answered."""
        return self._machine.over

    @property
    def busy(self) -> bool:
        """Something is being spoken, or was handed over to be."""
        return self._response is not None or self._script.waits

    def open(self) -> list[Event]:
        """What a client hears as soon as it is connected; to be asked for first, and once.

        A model that is not to be had is told at once: it stands in the URL, and no event can change it.
        """
        session = session_object(self.request, self.session_id)
        del session["id"], session["language_type"]
        created = self._event("session.created", session=session | {"id": self.session_id})
        try:
            self._check(self.request)
        except ModelError as error:
            return [created, self._error(error)]
        except LinereadError:  # told with the first text, unless the settings have changed by then
            pass
        return [created]

    def receive(self, message: str | bytes) -> list[Step]:
        """What to do about a message of the client's. Nothing that a client sends raises; it is answered.

        Args:
            message: The text of a text frame, or the bytes of a binary one.
        """
        if self.over:
            return []
        event: Event = {}
        try:
            if isinstance(message, bytes):
                raise EventError("Binary frames are not taken.", remedy="Send each event in a text frame.")
            event = decode(message)
            return self._steps(event)
        except LinereadError as error:
            return [self._error(error, event)]

    def speak(self, chunk: Chunk, audio: bytes) -> list[Event]:
        """The events that carry a chunk of the link's.

        Args:
            chunk: What was spoken; its span counts in the text that was written to the link.
            audio: Its sound in the format that the client asked for. It may be empty where an encoder holds it back:
                the text then stands with the next sound.
        """
        if self.over or self._failed:
            return []
        events = self._begin()
        assert self._response is not None
        characters = self._script.bill(chunk.span)
        self.spoken += characters
        self._response.characters += characters
        if chunk.samples or chunk.final:  # others bring the facts of what was spoken, and speak nothing
            self._response.untold = _joined(self._response.untold, self._script.appended(chunk.span))
        events += self._deltas(self._response, audio, chunk.duration)
        return events + self._close("completed") if chunk.final else events

    def cancelled(self) -> list[Event]:
        """A ``Cancel`` was carried out: a response in progress is closed."""
        if self._cancels:
            # What was appended while the cancel waited for its turn is still to be spoken.
            self._script.drop(self._cancels.popleft())
        return self._close("incomplete", {"type": "cancelled", "reason": "client_cancelled"})

    def refused(self, error: RequestError) -> Event:
        """The link does not take some of the text; the session goes on with the rest."""
        return self._error(error)

    def failed(self, error: LinereadError) -> list[Event]:
        """The link failed, or a command to it did.

        As long as no text was given, the client can ask for other settings. Afterwards the session is lost: it takes
        no more text, and is finished as soon as the client says so, or at once where it has said so already.
        """
        if self.over:
            return []
        self._linked = False
        self._cancels.clear()
        self._failed = self._machine.state != "open"
        event = self._error(_in_service_words(error, self.request))
        return [event, *self._close("failed", {"type": "failed", "error": event["error"]}), *self.finished()]

    def finished(self) -> list[Event]:
        """The link's chunks have come to an end. Before the client's ``session.finish`` that means nothing."""
        if self._machine.state != "finishing":
            return []
        return [*self._close("incomplete"), self._event("session.finished")]

    def _steps(self, event: Event) -> list[Step]:
        kind = event["type"]
        handler = self._handlers.get(kind)
        if handler is None:
            raise EventError("No client sends an event of that type.", remedy=f"Send one of {', '.join(_KNOWN)}.")
        verdict = self._machine.judge("client", kind)
        if isinstance(verdict, Refusal):
            raise _refused(verdict)
        return handler(event) if verdict == "passes" else []

    def _update(self, event: Event) -> list[Step]:
        fields = event.get("session")
        if not isinstance(fields, dict):
            raise FieldError("session", "invalid_type", "Send an object with the settings that are to change.")
        asked = read_session(fields, self.request)
        self._machine.see("client", event["type"])
        return [
            self._set_up(asked),
            self._event("session.updated", session=session_object(self.request, self.session_id)),
        ]

    def _append(self, event: Event) -> list[Step]:
        text = self._text(event.get("text"))
        setup: list[Step] = [] if self._linked else [self._set_up(self.request)]
        try:
            if self._take is not None:
                self._take(text)
        except LinereadError:
            self._linked = self._linked and not setup  # nobody is told of the link that this text would have had
            raise
        self._machine.see("client", event["type"])
        place = self._appended
        self._appended += len(text)
        self._uncommitted += len(text)
        if not text:
            return setup
        if self.request.mode == "commit":
            self._held.append(text)
            return setup
        self._script.write(text, place)
        return [*setup, Write(text)]

    def _commit(self, event: Event) -> list[Step]:
        if self._failed:
            raise _refused(FAILED)
        if not self._uncommitted:
            raise _refused(EMPTY_COMMIT)
        self._machine.see("client", event["type"])
        # The answer goes first: the response that it announces may begin while the link is told.
        return [self._event("input_text_buffer.committed", item_id=""), *self._hand_over(), Commit()]

    def _clear(self, event: Event) -> list[Step]:
        self._machine.see("client", event["type"])
        self._uncommitted = 0
        self._held.clear()
        cleared = self._event("input_text_buffer.cleared")
        return [Clear(), cleared] if self._linked else [cleared]

    def _cancel(self, event: Event) -> list[Step]:
        self._machine.see("client", event["type"])
        if not self._linked:
            return []
        self._cancels.append(self._script.end)
        return [Cancel()]

    def _finish(self, event: Event) -> list[Step]:
        self._machine.see("client", event["type"])
        return [*self._hand_over(), End()] if self._linked else [*self.finished()]

    def _text(self, raw: object) -> str:
        """The text of an append. An empty one is as good as none: language models say nothing at times."""
        text: str = value(_TEXT if raw is None else _TEXT._replace(default=""), raw)
        if self._failed:
            raise _refused(FAILED)
        if len(text) > self._limits.append:
            raise TextError(
                f"The text is longer than {self._limits.append} characters.",
                remedy="Append it in smaller pieces.",
            )
        if self._appended + len(text) > self._limits.session:
            raise TextError(
                f"A session takes {self._limits.session} characters.",
                remedy="Finish this one, and begin another.",
            )
        if self.request.mode == "commit" and self._uncommitted + len(text) > self._limits.uncommitted:
            raise TextError(
                f"More than {self._limits.uncommitted} characters would wait for a commit.",
                remedy="Commit what was appended, then append this again.",
            )
        return text

    def _set_up(self, asked: LiveRequest) -> SetUp:
        try:
            self.request = self._check(asked)
        except LinereadError as error:
            raise _in_service_words(error, asked) from None
        self._linked = True
        return SetUp(self.request)

    def _hand_over(self) -> list[Step]:
        """What waited for a commit goes to the link."""
        text = "".join(self._held)
        self._held.clear()
        self._uncommitted = 0
        if not text:
            return []
        self._script.write(text, self._appended - len(text))
        return [Write(text)]

    def _begin(self) -> list[Event]:
        """Open a response, unless one is in progress."""
        if self._response is not None:
            return []
        made = _Response(self._ids.new("resp_"), self._ids.new("item_"))
        self._response = made
        return [
            self._event(
                "response.created", response=made.head("in_progress") | {"voice": self.request.voice, "output": []}
            ),
            self._event("response.output_item.added", **made.place, item=made.item("in_progress")),
            self._event("response.content_part.added", **made.part_place, part=_PART),
        ]

    def _deltas(self, response: _Response, audio: bytes, seconds: float) -> list[Event]:
        if not audio or response.untold is None:
            return []
        span, response.untold = list(response.untold), None
        return [
            self._event(
                "response.audio.delta",
                **response.part_place,
                delta=pybase64.b64encode_as_string(piece),
                text_span=span,
            )
            for piece in _pieces(audio, seconds)
        ]

    def _close(self, status: str, details: Event | None = None) -> list[Event]:
        """Close the response in progress, if there is one. Recordings differ in the order; this is of one of them."""
        made, self._response = self._response, None
        if made is None:
            return []
        item_status = "completed" if status == "completed" else "incomplete"
        output = made.item(item_status, {"type": "audio", "transcript": ""})
        response = {
            "modalities": ["text", "audio"],
            "voice": self.request.voice,
            "output": [output],
            "usage": {"characters": made.characters},
        }
        if details is not None:
            response["status_details"] = details
        return [
            self._event("response.audio.done", **made.part_place),
            self._event("response.content_part.done", **made.part_place, part=_PART),
            self._event("response.output_item.done", **made.place, item=made.item(item_status, _PART)),
            self._event("response.done", response=made.head(status) | response),
        ]

    def _error(self, error: LinereadError, cause: Event | None = None) -> Event:
        """An error, and the event of the client's that it is about."""
        said: dict[str, Any]
        if isinstance(error, RequestError):
            said = {"code": error.service_code or INVALID, "message": f"{error.message} {advice.remedy(error)}".strip()}
        else:
            words = refusal(error)
            said = {"code": words.code, "message": words.message}
        said["type"] = _type(error)
        said[OWN] = own_words(error)
        event_id = (cause or {}).get("event_id")
        if isinstance(event_id, str) and len(event_id) <= LONGEST_ID:
            said["event_id"] = event_id
        return self._event("error", error=said)

    def _event(self, kind: str, **fields: object) -> Event:
        verdict = self._machine.see("server", kind)
        assert verdict == "passes", f"{kind} in the state {self._machine.state}"
        return {"event_id": self._ids.new("event_"), "type": kind, **fields}


#: What is answered to text after the link has failed.
FAILED: Final = Refusal("invalid_value", "The session has failed: no more text is taken.")
#: The service's code for anything that is wrong with what a client sends.
INVALID: Final = "invalid_value"

_TEXT: Final = REALTIME.field("text")._replace(meaning="Send the text to speak.")
_KNOWN: Final = tuple(row.event for row in TABLE if row.sender == "client")
_PART: Final = {"type": "audio", "text": ""}


@dataclass(slots=True)
class _Response:
    """A response in progress.

    Attributes:
        id: Its id.
        item_id: Its one item's id.
        characters: Billed characters of what it has spoken.
        untold: Text that was spoken, and whose sound is not sent yet.
    """

    id: str
    item_id: str
    characters: int = 0
    untold: Span | None = None

    @property
    def place(self) -> Event:
        """Where its item stands."""
        return {"response_id": self.id, "output_index": 0}

    @property
    def part_place(self) -> Event:
        """Where its sound stands."""
        return {"response_id": self.id, "item_id": self.item_id, "output_index": 0, "content_index": 0}

    def head(self, status: str) -> Event:
        """What its first event and its last one both say of it."""
        return {"id": self.id, "object": "realtime.response", "conversation_id": "", "status": status}

    def item(self, status: str, *content: Event) -> Event:
        """Its item."""
        return {
            "id": self.item_id,
            "object": "realtime.item",
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": list(content),
        }


class _Script:
    """The text that was handed to the link: where the client had it, and what is billed for it.

    It keeps what was not spoken yet, and nothing else.
    """

    def __init__(self) -> None:
        self._text = ""
        self._start = 0
        # From which character of the link's on the client's text stands how much further on.
        self._shifts = [(0, 0)]

    def write(self, text: str, place: int) -> None:
        """Some text is handed over that stands at that place of what the client appended."""
        shift = place - self.end
        if shift != self._shifts[-1][1]:
            self._shifts.append((self.end, shift))
        self._text += text

    @property
    def end(self) -> int:
        """One past the last character that was handed over."""
        return self._start + len(self._text)

    @property
    def waits(self) -> bool:
        """Something that can be heard was not spoken yet."""
        return VOICED.search(self._text) is not None

    def drop(self, end: int) -> None:
        """Nothing before that place will be spoken any more."""
        self._text = self._text[max(0, end - self._start) :]
        self._start = max(self._start, end)

    def bill(self, span: Span) -> int:
        """Billed characters of what a span speaks that nothing before it spoke."""
        start, end = (max(0, place - self._start) for place in span)
        spoken = self._text[start:end]
        self.drop(span[1])
        return billed_characters(spoken)

    def appended(self, span: Span) -> Span:
        """A span of the link's text as a span of the client's."""
        start, end = span
        while len(self._shifts) > 1 and self._shifts[1][0] <= start:
            del self._shifts[0]
        last = next((shift for place, shift in reversed(self._shifts) if place < end), self._shifts[0][1])
        return start + self._shifts[0][1], end + last


def _type(error: LinereadError) -> str:
    """The type of an error, in OpenAI's words. The service's second SDK goes on after the first of them only."""
    if isinstance(error, RequestError) or (isinstance(error, TurnedAway) and not isinstance(error, LimitReached)):
        return "invalid_request_error"
    return "insufficient_quota" if isinstance(error, LimitReached | QuotaExceeded) else "server_error"


def _refused(refusal_: Refusal) -> RequestError:
    return RequestError(refusal_.message, service_code=refusal_.code)


def _in_service_words(error: LinereadError, asked: LiveRequest) -> LinereadError:
    """An error about the settings, as the service says it where its words are known."""
    if isinstance(error, VoiceError) and error.code == VoiceError.code:
        return VoiceError(f"The requested voice '{asked.voice}' is not supported.", remedy=error.remedy)
    return error


def _joined(first: Span | None, second: Span) -> Span:
    return second if first is None else (min(first[0], second[0]), max(first[1], second[1]))


def _pieces(audio: bytes, seconds: float) -> list[bytes]:
    """Sound in pieces of about the same length, short enough for an event, with no sample cut in two."""
    count = max(1, math.ceil(round(seconds / DELTA_SECONDS, 6)))
    size = math.ceil(len(audio) / count / 2) * 2
    return [audio[start : start + size] for start in range(0, len(audio), size)]
