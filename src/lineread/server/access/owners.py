"""Whose voices are whose: each voice that a server made belongs to the key that had it made.

Owns one small file for each voice, ``key-<name>/<kind>/<id>.json``, below the data directory. Whether a key may use a
voice is whether such a file is there, so asking costs a look and no reading, and a voice of another key and one that
never was are the same. A file appears whole or not at all: it is written under another name, flushed to the disk and
renamed, so a process that is killed leaves what was there before. Nothing is ever changed in two places.

A place is taken before a voice is made and becomes its file afterwards, so that processes which make voices at the
same time keep to the bounds together. A place that was never used (its process was killed) lapses.

Keys count by their names: a key that is replaced under its name keeps its voices.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from lineread import durable
from lineread.enrolment import KINDS, Enrolled, Page
from lineread.errors import OutputError, TurnedAway

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lineread.enrolment import Kind

#: Most voices of all keys together. Source: the service's bound for an account.
MOST_IN_ALL: Final = 1000
#: Seconds after which a place that was not used is nobody's: longer than the longest wait for the service.
LAPSE: Final = 900.0
#: What a directory's name begins with: some systems have none that is called ``con`` or ``nul``, as a key may be.
_KEY: Final = "key-"
_PLACES: Final = "places"
_LOCK: Final = "lock"
_SUFFIX: Final = ".json"
#: Ids that name a file as they are. Others are opaque; a hash stands for them.
_PLAIN: Final = re.compile(r"[a-z0-9][A-Za-z0-9_-]{0,127}")
#: What of a voice is not kept: the preview is sound, and settings and reasons are the engine's.
_LEFT_OUT: Final = ("preview", "settings", "reasons")
_FIELDS: Final = tuple(each.name for each in fields(Enrolled) if each.name not in _LEFT_OUT)


@dataclass(frozen=True, slots=True)
class Place:
    """Room for a voice that is about to be made.

    Attributes:
        owner: The key's name.
        path: What holds it.
    """

    owner: str
    path: str


@dataclass(frozen=True, slots=True)
class Named:
    """A voice that its owner may call by a name.

    Attributes:
        made: The voice.
        name: The name.
        content: What it was made of, as a hash.
    """

    made: Enrolled
    name: str
    content: str


class Owners:
    """The voices of all keys.

    Args:
        directory: Where the files are; made when the first one is.
        each: Most voices of a key.
        total: Most voices of all keys.
    """

    def __init__(self, directory: str, *, each: int, total: int = MOST_IN_ALL) -> None:
        self._directory = directory
        self._each = each
        self._total = total

    def has(self, owner: str, voice: str) -> bool:
        """Whether a voice is that key's."""
        return any(self.holds(owner, kind, voice) for kind in KINDS)

    def holds(self, owner: str, kind: Kind, voice: str) -> bool:
        """Whether a voice is that key's, and was made that way."""
        return os.path.exists(self._file(owner, kind, voice))

    def page(self, owner: str, kind: Kind, *, index: int, size: int) -> Page:
        """Some of a key's voices that were made that way, the newest first."""
        paths = _newest_first(self._shelf(owner, kind))
        chosen = paths[index * size : (index + 1) * size]
        voices = tuple(found for found in map(_enrolled, map(_facts, chosen)) if found is not None)
        return Page(voices, index=index, size=size, total=len(paths))

    def named(self, owner: str) -> dict[str, Named]:
        """A key's voices that have names, by these in lower case."""
        found: dict[str, Named] = {}
        for kind in KINDS:
            for path in _newest_first(self._shelf(owner, kind)):
                facts = _facts(path)
                made = _enrolled(facts)
                name, content = facts.get("name"), facts.get("content")
                if made is not None and isinstance(name, str) and isinstance(content, str):
                    found.setdefault(name.casefold(), Named(made, name, content))
        return found

    def forget(self, owner: str, kind: Kind, voice: str) -> None:
        """The voice is no more.

        Raises:
            OutputError: Its file cannot be removed.
        """
        try:
            os.unlink(self._file(owner, kind, voice))
        except FileNotFoundError:
            return  # somebody else forgot it as well
        except OSError as error:
            raise _failed() from error

    def take(self, owner: str) -> Place:
        """Take a place for one more voice.

        Raises:
            TurnedAway: The key has as many as it may (code ``too_many_voices``), or all keys together have.
            OutputError: Nothing can be written down.
        """
        places = os.path.join(self._directory, _PLACES)
        path = os.path.join(places, f"{_KEY}{owner}.{uuid.uuid4().hex}")
        try:
            os.makedirs(places, 0o700, exist_ok=True)
            with _locked(os.path.join(self._directory, _LOCK)):
                self._check(owner, _waiting(places))
                with open(path, "x"):
                    return Place(owner, path)
        except OSError as error:
            raise _failed() from error

    def keep(self, place: Place, made: Enrolled, notes: Mapping[str, str]) -> None:
        """The voice was made: its place becomes its file, and from now on it is the owner's.

        Args:
            place: Its place.
            made: The voice.
            notes: What else there is to say of it: ``consent``, what says that the speaker of a clone agrees to it;
                ``name`` and ``content``, see :class:`Named`.

        Raises:
            OutputError: It cannot be written down.
        """
        path = self._file(place.owner, made.kind, made.voice)
        try:
            os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
            with open(place.path, "w", encoding="utf-8") as file:  # made anew if it lapsed meanwhile
                facts = {name: getattr(made, name) for name in _FIELDS}
                json.dump({**notes, **facts}, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(place.path, path)
            durable.flush_directory(os.path.dirname(path))
        except OSError as error:
            raise _failed() from error

    def give_back(self, place: Place) -> None:
        """Whatever became of it, the place is free, unless it became a voice."""
        with suppress(OSError):  # else it lapses
            os.unlink(place.path)

    def _check(self, owner: str, waiting: list[str]) -> None:
        """Refuse one voice more than there may be."""
        own = self._count(_KEY + owner) + sum(name.startswith(f"{_KEY}{owner}.") for name in waiting)
        if own >= self._each:
            raise _too_many(f"This key has {own} voices and may have no more.")
        names = (name for name in os.listdir(self._directory) if name.startswith(_KEY))
        if sum(map(self._count, names)) + len(waiting) >= self._total:
            raise _too_many("All keys of this server together have as many voices as there may be.")

    def _count(self, name: str) -> int:
        """How many voices a directory of a key holds."""
        return sum(len(_files(os.path.join(self._directory, name, kind))) for kind in KINDS)

    def _shelf(self, owner: str, kind: Kind) -> str:
        return os.path.join(self._directory, _KEY + owner, kind)

    def _file(self, owner: str, kind: Kind, voice: str) -> str:
        name = voice if _PLAIN.fullmatch(voice) else hashlib.sha256(voice.encode("utf-8", "surrogatepass")).hexdigest()
        return os.path.join(self._shelf(owner, kind), name + _SUFFIX)


def _facts(path: str) -> dict[str, Any]:
    """What is in a file; nothing where there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            facts = json.load(file)
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _enrolled(facts: Mapping[str, Any]) -> Enrolled | None:
    """The voice in a file; None where there is none. What a newer release wrote besides is passed over."""
    try:
        found = Enrolled(**{name: value for name, value in facts.items() if name in _FIELDS})
    except TypeError:
        return None
    return found if found.kind in KINDS else None


def _files(directory: str) -> list[str]:
    try:
        return [name for name in os.listdir(directory) if name.endswith(_SUFFIX)]
    except FileNotFoundError:
        return []


def _newest_first(directory: str) -> list[str]:
    """The files of a directory, by when they were written."""
    found = []
    for name in _files(directory):
        path = os.path.join(directory, name)
        with suppress(FileNotFoundError):  # it was forgotten meanwhile
            found.append((os.stat(path).st_mtime_ns, path))
    return [path for _, path in sorted(found, reverse=True)]


def _waiting(directory: str) -> list[str]:
    """The places that are taken; those that lapsed are removed."""
    names = []
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        with suppress(FileNotFoundError):
            if os.stat(path).st_mtime + LAPSE > time.time():
                names.append(name)
            else:
                os.unlink(path)
    return names


@contextmanager
def _locked(path: str) -> Iterator[None]:
    """One process at a time; the work under it takes a few milliseconds."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if sys.platform != "win32":
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _too_many(message: str) -> TurnedAway:
    return TurnedAway(message, remedy="Delete one that is no longer needed.", code="too_many_voices")


def _failed() -> OutputError:
    return OutputError("This server cannot write down whose voices are whose.", remedy="Tell whoever runs it.")
