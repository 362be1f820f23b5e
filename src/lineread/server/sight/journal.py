"""The server's log: one JSON object a line, on standard error.

Owns the form of the lines and the thread that writes them. Whoever logs never waits: where nobody takes the lines (a
full pipe, say), the newest are dropped and counted, and the server goes on. A line holds no text and no key, and no
control character, because JSON has escapes for those.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import traceback
from collections import deque
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

#: Lines that may wait to be written.
_MOST: Final = 10_000
#: Seconds in which lines gather, so that a busy server does not wake the writer with each of them.
_GATHERING: Final = 0.05
#: Seconds that the last lines get when the server ends.
_PATIENCE: Final = 1.0
_STANDARD_ERROR: Final = 2


class Journal:
    """Writes lines in the background.

    Args:
        write: Takes the bytes of some lines; by default they go to standard error.

    Attributes:
        dropped: Lines that were lost, because too many waited.
    """

    def __init__(self, write: Callable[[bytes], None] | None = None) -> None:
        self.dropped = 0
        self._write = write or _to_standard_error
        self._lines: deque[dict[str, Any]] = deque()
        self._news = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lineread-log", daemon=True)
        self._thread.start()

    def add(self, event: str, **facts: object) -> None:
        """Log something. What is empty is left out."""
        if len(self._lines) >= _MOST:
            self.dropped += 1
            return
        said = {name: fact for name, fact in facts.items() if fact not in ("", None)}
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._lines.append({"time": now, "event": event, **said})
        self._news.set()

    def report(self, error: BaseException, **facts: object) -> None:
        """Log what nobody expected, for a maintainer: its class and where it happened, never what it says."""
        frames = [
            f"{os.path.basename(os.path.dirname(frame.filename))}/{os.path.basename(frame.filename)}:{frame.lineno}"
            f" {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)
        ]
        self.add("bug", error=type(error).__name__, frames=frames, **facts)

    def close(self) -> None:
        """Write what waits, as far as that is taken."""
        self._closed.set()
        self._news.set()
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        closed = False
        while not closed:
            self._news.wait()
            self._closed.wait(_GATHERING)
            self._news.clear()
            closed = self._closed.is_set()
            self._flush()

    def _flush(self) -> None:
        while self._lines:
            waiting = [self._lines.popleft() for _ in range(min(len(self._lines), 100))]
            if self.dropped:
                waiting.append({"event": "dropped", "lines": self.dropped})
                self.dropped = 0
            with suppress(OSError):  # there is nobody to tell
                self._write(b"".join(json.dumps(line).encode() + b"\n" for line in waiting))


@contextmanager
def collecting(journal: Journal, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Take over what lineread, the libraries below it and the event loop have to say, until the context is left."""
    collector = _Collector(journal)
    root, own = logging.getLogger(), logging.getLogger("lineread")
    level = own.level
    root.addHandler(collector)
    own.setLevel(logging.INFO)
    loop.set_exception_handler(lambda _, context: _lost(journal, context))
    try:
        yield
    finally:
        loop.set_exception_handler(None)
        own.setLevel(level)
        root.removeHandler(collector)


class _Collector(logging.Handler):
    """Turns log records into lines. What libraries say may quote anything, so only the bare message is kept."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        own = record.name.partition(".")[0] == "lineread"
        message = record.getMessage() if own else str(record.msg).partition("\n")[0]
        facts = {"level": record.levelname.lower(), "logger": record.name, "message": message}
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            self._journal.add("notice", **facts)
        else:
            self._journal.report(error, **facts)


def _lost(journal: Journal, context: dict[str, Any]) -> None:
    """What went wrong in the event loop, where nobody waited for it."""
    error = context.get("exception")
    if error is None:
        journal.add("notice", level="error", logger="asyncio", message=context.get("message", ""))
    else:
        journal.report(error, message=context.get("message", ""))


def _to_standard_error(data: bytes) -> None:
    while data:
        data = data[os.write(_STANDARD_ERROR, data) :]
