"""Server-sent events, as the HTML standard defines them and as DashScope writes them.

Owns the framing: bytes to events and events to bytes. No I/O.

DashScope differs from the textbook in three ways. It puts no space after the colon. It tells the HTTP status of an
event in a comment, ``:HTTP_STATUS/400``, and some gateways in a field, ``status:429``: an error that comes after the
stream has begun has no other place for it. And its error events may have no data worth the name, so a block with an
event name counts as an event even without data, which a browser would drop.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from lineread.errors import BadReply

#: Most bytes of one event: five minutes of speech in Base64 and more than enough for any other.
MAX_EVENT: Final = 32 << 20

_BOM: Final = b"\xef\xbb\xbf"
_STATUS_COMMENT: Final = "HTTP_STATUS/"


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        data: Its data lines, joined by line feeds.
        event: What it is; DashScope writes ``result`` or ``error``.
        id: Its number in the stream, as text.
        status: The HTTP status that it has of its own; None where it tells none.
    """

    data: str
    event: str = "message"
    id: str = ""
    status: int | None = None


class Decoder:
    """Bytes of a stream to events. However the bytes are cut into pieces, the events are the same.

    Args:
        max_event: Most bytes of one event, line ends left out.
    """

    def __init__(self, *, max_event: int = MAX_EVENT) -> None:
        self._max_event = max_event
        self._begun = False
        self._after_cr = False
        self._line: list[bytes] = []
        self._size = 0
        self._block = _Block()

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes.

        Returns:
            The events that they complete.

        Raises:
            BadReply: An event is too large. The decoder is of no use after that.
        """
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
            self._after_cr = False
        if not data:
            return []
        self._after_cr = data.endswith(b"\r")
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        events: list[Event] = []
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._hold(line)
            self._end_line(events)
        self._hold(rest)
        return events

    def flush(self) -> list[Event]:
        """Say that nothing comes any more.

        Returns:
            The last event, if the blank line after it was left out. A browser would drop it; whether it is whole can
            be told from its JSON.
        """
        events: list[Event] = []
        self._end_line(events)
        self._end_block(events)
        return events

    def _hold(self, part: bytes) -> None:
        if not part:
            return
        self._size += len(part)
        if self._size > self._max_event:
            raise BadReply(
                f"The service sent an event of more than {self._max_event >> 10} KiB.",
                remedy="Check that the base URL leads to DashScope.",
            )
        self._line.append(part)

    def _end_line(self, events: list[Event]) -> None:
        line = b"".join(self._line)
        self._line.clear()
        if not self._begun:
            self._begun = True
            line = line.removeprefix(_BOM)
        if line:
            self._block.add(line.decode("utf-8", errors="replace"))
        else:
            self._end_block(events)

    def _end_block(self, events: list[Event]) -> None:
        event = self._block.event()
        if event is not None:
            events.append(event)
        self._block = _Block()
        self._size = 0


@dataclass(slots=True)
class _Block:
    """The lines of one event, as they come."""

    data: list[str] = field(default_factory=list)
    name: str = ""
    id: str = ""
    status: int | None = None

    def add(self, line: str) -> None:
        if line.startswith(":"):
            self._comment(line[1:].lstrip())
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self.data.append(value)
        elif name == "event":
            self.name = value
        elif name == "id":
            self.id = value
        elif name == "status":
            self._status(value)

    def event(self) -> Event | None:
        if not self.data and not self.name:
            return None
        return Event("\n".join(self.data), self.name or "message", self.id, self.status)

    def _comment(self, text: str) -> None:
        if text.startswith(_STATUS_COMMENT):
            self._status(text.removeprefix(_STATUS_COMMENT))

    def _status(self, value: str) -> None:
        value = value.strip()
        if len(value) == 3 and value.isascii() and value.isdigit() and value[0] != "0":
            self.status = int(value)


def encode(event: Event) -> bytes:
    """An event as DashScope would write it.

    Raises:
        ValueError: Its id or name has a line end, which the format cannot carry.
    """
    if {"\n", "\r"} & set(event.id + event.event):
        raise ValueError("an event's id and name are one line each")
    data = event.data.replace("\r\n", "\n").replace("\r", "\n")
    lines = []
    if event.id:
        lines.append(f"id:{_value(event.id)}")
    lines.append(f"event:{_value(event.event)}")
    if event.status is not None:
        lines.append(f":{_STATUS_COMMENT}{event.status}")
    lines.extend(f"data:{_value(line)}" for line in data.split("\n"))
    return ("\n".join(lines) + "\n\n").encode()


def _value(text: str) -> str:
    """A field's value. Decoders drop one leading space, so text that begins with one needs another."""
    return f" {text}" if text.startswith(" ") else text
