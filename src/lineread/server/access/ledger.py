"""How many characters each key has had spoken today.

Owns one small file for each key, in the state directory. A file is locked, read and written within the request that
changes it, which takes some ten microseconds: nothing is lost when the process is killed, and all servers of a user
count together. Days are UTC days.
"""

from __future__ import annotations

import os
import re
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from lineread.errors import LimitReached

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: What files' names begin with: some systems have no file that is called ``con`` or ``nul``, as a key may be.
_FILE: Final = "key-"
#: What a file holds: the day and the count, in a fixed width, so that one line replaces the other.
_LINE: Final = re.compile(rb"(\d{4}-\d\d-\d\d) (\d{15})\n")
#: Looks at a lock that somebody else holds, and the seconds between them: work under it takes a tenth of one.
_LOOKS: Final = 50
_LOOK: Final = 0.0001


@dataclass(frozen=True, slots=True)
class Entry:
    """Characters that were counted, and where.

    Attributes:
        name: The key's name.
        day: The UTC day, as in ``2026-11-23``.
        characters: How many.
    """

    name: str
    day: str
    characters: int


class Ledger:
    """The counts of all keys.

    Where a file cannot be used (no permission, a full disk), the count goes on in memory, and is written down as soon
    as that works again.

    Args:
        directory: Where the files are; made when the first one is.
        clock: Seconds since the epoch.
    """

    def __init__(self, directory: str, *, clock: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._clock = clock
        self._known: dict[tuple[str, str], int] = {}
        self._owed: dict[tuple[str, str], int] = {}

    def take(self, name: str, characters: int, limit: int) -> Entry:
        """Count characters before they are spoken.

        Args:
            name: The key's name.
            characters: Billed characters of the text.
            limit: Most of them in a day.

        Raises:
            LimitReached: There are not so many left today.
        """
        now = datetime.fromtimestamp(self._clock(), UTC)
        entry = Entry(name, now.date().isoformat(), characters)
        used = self._change(name, entry.day, characters, limit)
        if used is not None:
            raise _too_many(characters, limit, used, now)
        return entry

    def settle(self, entry: Entry, spoken: int) -> None:
        """Give back what did not have to be spoken.

        Args:
            entry: What was taken.
            spoken: How many of these characters were spoken.
        """
        if spoken < entry.characters:
            self._change(entry.name, entry.day, spoken - entry.characters, None)

    def used(self, name: str) -> int:
        """Characters that were spoken today for that key."""
        day = datetime.fromtimestamp(self._clock(), UTC).date().isoformat()
        self._change(name, day, 0, None)
        return self._known.get((name, day), 0)

    def _change(self, name: str, day: str, characters: int, limit: int | None) -> int | None:
        """Add to a day's count, unless that brings it over the limit: then the count is returned and stays."""
        account = name, day
        self._forget_other_days(day)
        try:
            with _locked(os.path.join(self._directory, _FILE + name)) as file:
                written = _read(file)
                if limit is None and written is not None and written[0] > day:
                    return None  # of a day that is over nothing is given back
                before = written[1] if written is not None and written[0] == day else 0
                used, over = _added(before + self._owed.get(account, 0), characters, limit)
                _write(file, day, used)
                self._owed.pop(account, None)
        except OSError:
            before = self._known.get(account, 0)
            used, over = _added(before, characters, limit)
            self._owed[account] = self._owed.get(account, 0) + used - before
        self._known[account] = used
        return used if over else None

    def _forget_other_days(self, day: str) -> None:
        for counts in (self._known, self._owed):
            for account in [each for each in counts if each[1] < day]:
                del counts[account]


def _added(used: int, characters: int, limit: int | None) -> tuple[int, bool]:
    if limit is not None and used + characters > limit:
        return used, True
    return max(0, used + characters), False


def _too_many(characters: int, limit: int, used: int, now: datetime) -> LimitReached:
    if characters > limit:
        return LimitReached(
            f"This key may have {limit} characters spoken a day, and the text has {characters}.",
            remedy="Send less, or ask whoever runs the server for more.",
        )
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
    return LimitReached(
        f"This key may have {limit} characters spoken a day; {used} were today, and the text has {characters}.",
        remedy="Try again after midnight UTC, or ask whoever runs the server for more.",
        retry_after=(midnight - now).total_seconds(),
    )


@contextmanager
def _locked(path: str) -> Iterator[int]:
    """The file, ours alone.

    Raises:
        OSError: It cannot be used, or somebody does not let go of it.
    """
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(file)
        yield file
    finally:
        os.close(file)


def _lock(file: int) -> None:
    if sys.platform == "win32":
        return
    for look in range(_LOOKS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if look == _LOOKS - 1:
                raise
            time.sleep(_LOOK)
        else:
            return


def _read(file: int) -> tuple[str, int] | None:
    os.lseek(file, 0, os.SEEK_SET)
    match = _LINE.match(os.read(file, 64))
    return None if match is None else (match[1].decode("ascii"), int(match[2]))


def _write(file: int, day: str, used: int) -> None:
    os.lseek(file, 0, os.SEEK_SET)
    os.write(file, f"{day} {min(used, 10**15 - 1):015}\n".encode("ascii"))
