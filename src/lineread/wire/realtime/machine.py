"""Which event may pass when, as a table.

Owns the order of a session. A machine stands at one end of a socket and is shown every event that passes there, in
either direction; it does not know at which end it stands, so that neither end can believe anything that the other
does not. The reference page's table is made of this one.

What depends on more than the order is not here: whether a text is too long, or a buffer empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

State = Literal["connecting", "open", "started", "finishing", "finished", "closed"]
"""Where a session is; :data:`STATES` says what each means."""

STATES: Final[Mapping[State, str]] = {
    "connecting": "The socket is there, the session is not yet.",
    "open": "It can be set up.",
    "started": "Text was given, so the settings hold.",
    "finishing": "No more text comes, the rest is spoken.",
    "finished": "All was spoken.",
    "closed": "The socket is gone.",
}

Sender = Literal["client", "server", "socket"]


class Refusal(NamedTuple):
    """What a server answers to an event that comes at the wrong time. The session goes on.

    Attributes:
        code: The service's code.
        message: The service's words, where they are known.
    """

    code: str
    message: str


class Row(NamedTuple):
    """What becomes of an event.

    Attributes:
        sender: Who sends it.
        event: Its type.
        states: In which states of the session it passes.
        to: The state that it leads to; None where it stays.
        response: Whether a response has to be in progress; None where that does not matter.
        begins: Whether a response is in progress afterwards; None where that stays.
        refusal: What is answered in any other state; None where it is let pass without effect.
    """

    sender: Sender
    event: str
    states: frozenset[State]
    to: State | None = None
    response: bool | None = None
    begins: bool | None = None
    refusal: Refusal | None = None


LATE_UPDATE: Final = Refusal("invalid_value", "Session update error: session already started or finished or failed.")
EMPTY_COMMIT: Final = Refusal("invalid_value", "Input text buffer is empty: there is nothing to commit.")
NO_MORE_TEXT: Final = Refusal("invalid_value", "The session is finishing: no more text is taken.")

_LIVE: Final = frozenset[State]({"connecting", "open", "started", "finishing"})
_WRITABLE: Final = frozenset[State]({"connecting", "open", "started"})
_SPEAKING: Final = frozenset[State]({"started", "finishing"})
_ALL: Final = frozenset[State](STATES)

TABLE: Final = (
    Row("client", "session.update", frozenset({"connecting", "open"}), refusal=LATE_UPDATE),
    Row("client", "input_text_buffer.append", _WRITABLE, to="started", refusal=NO_MORE_TEXT),
    Row("client", "input_text_buffer.commit", frozenset({"started"}), refusal=EMPTY_COMMIT),
    Row("client", "input_text_buffer.clear", _LIVE),
    Row("client", "response.cancel", _LIVE),
    Row("client", "session.finish", _WRITABLE, to="finishing"),
    Row("server", "session.created", frozenset({"connecting"}), to="open"),
    Row("server", "session.updated", _LIVE),
    Row("server", "input_text_buffer.committed", _SPEAKING),
    Row("server", "input_text_buffer.cleared", _LIVE),
    Row("server", "response.created", _SPEAKING, response=False, begins=True),
    Row("server", "response.output_item.added", _SPEAKING, response=True),
    Row("server", "response.content_part.added", _SPEAKING, response=True),
    Row("server", "response.audio.delta", _SPEAKING, response=True),
    Row("server", "response.audio.done", _SPEAKING, response=True),
    Row("server", "response.content_part.done", _SPEAKING, response=True),
    Row("server", "response.output_item.done", _SPEAKING, response=True),
    Row("server", "response.done", _SPEAKING, response=True, begins=False),
    Row("server", "error", _ALL),
    Row("server", "session.finished", frozenset({"finishing"}), to="finished", response=False),
    Row("socket", "closed", _ALL, to="closed", begins=False),
)

Verdict = Literal["passes", "ignored"] | Refusal
"""Whether an event has its effect, has none, or is answered with an error."""


class Machine:
    """The state of one session, as it is seen at one end of the socket.

    Attributes:
        state: Where the session is.
        responding: A response is in progress.
    """

    def __init__(self) -> None:
        self.state: State = "connecting"
        self.responding = False

    def judge(self, sender: Sender, event: str) -> Verdict:
        """What would become of an event; nothing is changed. An event that the table does not know is ignored."""
        row = _ROWS.get((sender, event))
        if row is None:
            return "ignored"
        if self.state not in row.states:
            return row.refusal or "ignored"
        if row.response is not None and row.response != self.responding:
            return "ignored"
        return "passes"

    def see(self, sender: Sender, event: str) -> Verdict:
        """An event passes. What it changes is changed, unless it is out of order."""
        verdict = self.judge(sender, event)
        if verdict == "passes":
            row = _ROWS[sender, event]
            self.state = row.to or self.state
            self.responding = self.responding if row.begins is None else row.begins
        return verdict

    @property
    def over(self) -> bool:
        """Nothing more comes of it."""
        return self.state in ("finished", "closed")


_ROWS: Final = {(row.sender, row.event): row for row in TABLE}
