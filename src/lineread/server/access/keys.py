"""The keys of a server's clients: what each may do, how one is recognised, how a changed file is taken over.

Owns the form of the key file and of the variable ``LINEREAD_SERVER_KEYS``, and the keys in force. Reads that file;
``keyfile`` is what changes it.

A key is kept as its SHA-256 and nothing else. A key made here is 256 random bits: nobody can guess one, so there is
nothing that salt or a slow hash would protect, and a slow one would cost every request. A key that somebody made up can
be guessed once its hash leaks; therefore no command takes one. The variable does, because there it lies in plain text
anyway: in memory it is hashed like the others, it is never written down, and one below :data:`LEAST_PLAIN` characters
is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import secrets
import shlex
import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

from lineread import catalogue, config
from lineread.errors import ConfigError, KeyRefused, LinereadError, NotAllowed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

#: The environment variable that holds keys: ``name=key`` with commas or white space between, keys plain or hashed.
VARIABLE: Final = config.SERVER_KEYS_VARIABLE
#: Fewest characters of a plain key in the variable.
LEAST_PLAIN: Final = 16
#: Seconds between two looks at the key file.
_LOOK_EVERY: Final = 1.0
#: Names are safe as a TOML table, a part of a file's name and a label of a metric.
NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_VARIABLE_REMEDY: Final = (
    f"Write name=key, with commas between; `lineread keys new NAME` makes keys. Or unset {VARIABLE}."
)
_HASHED: Final = "sha256:"
_HASH: Final = re.compile(_HASHED + r"([0-9a-f]{64})")
_OURS: Final = "lineread_"
_FIELDS: Final = (
    "hash",
    "requests_per_minute",
    "characters_per_day",
    "sessions",
    "voices",
    "models",
    "expires",
    "disabled",
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key of the server's clients, without the key itself.

    Attributes:
        name: What it is called; its limits are counted under this name.
        digest: SHA-256 of the key.
        requests_per_minute: Most requests for speech in any 60 seconds; None for no limit.
        characters_per_day: Most billed characters that have to be spoken for it in one UTC day; None for no limit.
        sessions: Most realtime sessions at the same time; None for as many as the server has.
        voices: The voices that it may use, custom ones that it did not have made among them; None for all that every
            key may use, and its own.
        models: The models that it may ask for; None for all.
        expires: When it ceases to be valid; None for never.
        disabled: It is refused, for now.
    """

    name: str
    digest: bytes = field(repr=False)
    requests_per_minute: int | None = None
    characters_per_day: int | None = None
    sessions: int | None = None
    voices: frozenset[str] | None = None
    models: frozenset[str] | None = None
    expires: datetime | None = None
    disabled: bool = False

    @property
    def state(self) -> str:
        """``active``, ``disabled`` or ``expired``."""
        if self.disabled:
            return "disabled"
        return "expired" if self.expires is not None and self.expires <= datetime.now(UTC) else "active"

    def check(self) -> None:
        """Refuse a key that is not in force.

        Raises:
            KeyRefused: It is disabled, or expired.
        """
        if self.state != "active":
            raise KeyRefused(f"This key is {self.state}.", remedy="Ask whoever runs the server for another one.")

    def allow(self, *, voice: str, model: str) -> None:
        """Refuse a voice or a model that the key may not use. Both count by their names in the catalogue.

        Raises:
            NotAllowed: Says what it may use.
        """
        known = (("voice", _known_voice(voice), self.voices), ("model", _known_model(model), self.models))
        for what, wanted, allowed in known:
            if allowed is not None and wanted not in allowed:
                raise NotAllowed(
                    f"This key may not use the {what} {wanted!r}.", remedy=f"It may use {', '.join(sorted(allowed))}."
                )

    def allow_making(self, model: str) -> None:
        """Refuse to have a voice made: to a key that is held to certain voices, or for a model that it may not use.

        Raises:
            NotAllowed: Says what it may use.
        """
        if self.voices is not None:
            raise NotAllowed(
                "This key is held to certain voices, so it may have none made.",
                remedy=f"It may use {', '.join(sorted(self.voices))}.",
            )
        self.allow(voice="", model=model)


def make() -> str:
    """A new key."""
    return _OURS + secrets.token_urlsafe(32)


def hashed(key: str) -> str:
    """How a key is written down."""
    return _HASHED + _digest(key).hex()


def from_variable(text: str) -> tuple[Key, ...]:
    """The keys in the value of :data:`VARIABLE`.

    Raises:
        ConfigError: It holds none, or something that is none; what it holds is not shown.
    """
    keys: dict[str, Key] = {}
    entries = [entry for entry in re.split(r"[\s,]+", text) if entry]
    if not entries:
        raise ConfigError(f"{VARIABLE} is set, but holds no key.", remedy=_VARIABLE_REMEDY)
    for number, entry in enumerate(entries, 1):
        name, given, value = entry.partition("=")
        if not given:
            name, value = f"key-{number}", entry
        key = Key(name=name, digest=_variable_digest(name, value, number))
        _add(keys, key, VARIABLE)
    return tuple(keys.values())


def _variable_digest(name: str, value: str, number: int) -> bytes:
    if not NAME.fullmatch(name):
        raise ConfigError(f"Entry {number} of {VARIABLE} has no name of a key.", remedy=_VARIABLE_REMEDY)
    match = _HASH.fullmatch(value)
    if match is not None:
        return bytes.fromhex(match[1])
    if value.startswith(_HASHED):
        raise ConfigError(f"Entry {number} of {VARIABLE} has a hash that is none.", remedy=_VARIABLE_REMEDY)
    if len(value) < LEAST_PLAIN or not (value.isascii() and value.isprintable()):
        raise ConfigError(
            f"The key in entry {number} of {VARIABLE} is too easy to guess, or no client can send it.",
            remedy=f"It takes {LEAST_PLAIN} ASCII characters or more. {_VARIABLE_REMEDY}",
        )
    return _digest(value)


def parse(text: str, source: str) -> dict[str, Key]:
    """The keys in a key file, by name.

    Args:
        text: TOML, one table a key; the table's name is the key's.
        source: Where it comes from, for messages.

    Raises:
        ConfigError: It is no key file; no value of it is shown.
    """
    import tomllib  # noqa: PLC0415 - servers without a key file do without

    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source} is not TOML: {error}.", remedy="Repair that line.") from None
    keys: dict[str, Key] = {}
    for name, fields in tables.items():
        _add(keys, _key(name, fields, source), source)
    return keys


def read(path: str, *, called: str | None = None) -> dict[str, Key]:
    """The keys of a file, by name.

    Args:
        path: Where it is.
        called: What messages call it; None for its path.

    Raises:
        ConfigError: It cannot be read, or is no key file.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        raise ConfigError(
            f"{called or f'The key file {path}'} is not there.",
            remedy="Make it with the first key: lineread keys new NAME --file FILE",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigError(
            f"{called or path} cannot be read: {reason}.", remedy="Check it and its permissions."
        ) from error
    return parse(text, called or path)


def _add(keys: dict[str, Key], key: Key, source: str) -> None:
    if key.name in keys:
        raise ConfigError(f"{source} has two keys named {key.name}.", remedy="Rename one of them.")
    twin = next((other.name for other in keys.values() if other.digest == key.digest), None)
    if twin is not None:
        raise ConfigError(f"{source} has one key under two names, {twin} and {key.name}.", remedy="Remove one of them.")
    keys[key.name] = key


def _key(name: str, fields: object, source: str) -> Key:
    if not isinstance(fields, dict) or not NAME.fullmatch(name):
        raise ConfigError(
            f"{source}: {name!r} is no key.",
            remedy="Each key is a table such as [alice]; names are made of a-z, 0-9, - and _.",
        )
    place = f"{source}: [{name}]"
    for each in fields:
        if each not in _FIELDS:
            hint = catalogue.suggestion(each, _FIELDS, f"It may have {', '.join(_FIELDS)}.")
            raise ConfigError(f"{place} has {each!r}, which means nothing.", remedy=hint)
    match = _HASH.fullmatch(_field(place, fields, "hash", str, ""))
    if match is None:
        raise ConfigError(f"{place} has no hash of a key.", remedy="`lineread keys new NAME` makes a key and its hash.")
    return Key(
        name=name,
        digest=bytes.fromhex(match[1]),
        requests_per_minute=_limit(place, fields, "requests_per_minute"),
        characters_per_day=_limit(place, fields, "characters_per_day"),
        sessions=_limit(place, fields, "sessions"),
        voices=_names(place, fields, "voices", _known_voice),
        models=_names(place, fields, "models", _known_model),
        expires=_moment(place, fields.get("expires")),
        disabled=_field(place, fields, "disabled", bool, False),  # noqa: FBT003 - a default
    )


def _field(place: str, fields: Mapping[str, Any], name: str, kind: type, default: Any) -> Any:  # noqa: ANN401 - TOML
    value = fields.get(name, default)
    if not isinstance(value, kind):
        kinds = {str: "a string", bool: "true or false", list: "a list of names"}
        raise ConfigError(f"{place}: {name} must be {kinds[kind]}.", remedy="Correct it.")
    return value


def _limit(place: str, fields: Mapping[str, Any], name: str) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{place}: {name} must be a whole number from 1.", remedy="Leave it out for no limit.")
    return value


def _names(
    place: str, fields: Mapping[str, Any], field_name: str, known: Callable[[str], str]
) -> frozenset[str] | None:
    if field_name not in fields:
        return None
    names = _field(place, fields, field_name, list, [])
    if not names or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{place}: {field_name} must be a list of names.", remedy="Leave it out to allow all.")
    return frozenset(map(known, names))


def _known_voice(name: str) -> str:
    """A voice by its name in the catalogue; what is not in there is a voice of the user's own."""
    return catalogue.voice(name).id if catalogue.knows(name) else name


def _known_model(name: str) -> str:
    """A model by its name in the catalogue; what is not in there is a model of another engine."""
    try:
        return catalogue.model(name).id
    except LinereadError:
        return name


def _moment(place: str, value: object) -> datetime | None:
    """A TOML date (its first second) or time; without an offset it is UTC."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    raise ConfigError(f"{place}: expires must be a date.", remedy="Write it without quotes: expires = 2027-01-31")


class Keyring:
    """The keys in force.

    Args:
        path: The key file; None for none.
        given: Keys from elsewhere.
        clock: Seconds of a clock that only goes forward.

    Attributes:
        path: The key file.

    Raises:
        ConfigError: The file cannot be read, or does not go with the keys from elsewhere.
    """

    def __init__(
        self, path: str | None = None, given: Iterable[Key] = (), *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.path = None if path is None else os.path.abspath(path)
        self._given = tuple(given)
        self._clock = clock
        self._looked = clock()
        self._problem: str | None = None
        self._version = _version(self.path)
        self._keys = self._load(self.path)

    @property
    def configured(self) -> bool:
        """There are keys, so each client has to show one. A file that holds none at present lets nobody in."""
        return self.path is not None or bool(self._given)

    @property
    def notice(self) -> str:
        """A line for whoever starts the server: who is let in."""
        if not self.configured:
            return "No keys are set: everybody on this machine may speak, with any key or none (--keys FILE sets some)."
        active = sum(key.state == "active" for key in self.all())
        if not active:
            make = f"lineread keys new NAME --file {shlex.quote(str(self.path))}"
            return f"No key is accepted yet, so every call is refused. Make one, which counts at once: {make}"
        sources = [self.path] if self.path else []
        sources += [VARIABLE] if self._given else []
        return f"Clients need one of {active} key{'' if active == 1 else 's'}, from {' and '.join(sources)}."

    @property
    def trouble(self) -> str | None:
        """Why the keys in force are not those of the file; None where they are. Tells nothing of any key."""
        self._current()
        return None if self._problem is None else "The key file cannot be used."

    def all(self) -> Collection[Key]:
        """Every key, in force or not."""
        return self._current().values()

    def named(self, name: str) -> Key | None:
        """The key of that name, if it is still there."""
        return self._current().get(name)

    def recognise(self, shown: str) -> Key:
        """The key that a client shows.

        All keys are compared, each in constant time, and what is compared are digests: how long it takes tells nothing
        of a key, nor which one it was.

        Raises:
            KeyRefused: It is none of ours, or not in force.
        """
        digest = _digest(shown)
        found = None
        for key in self.all():
            if hmac.compare_digest(key.digest, digest):
                found = key
        if found is None:
            raise KeyRefused("This is no key of this server.", remedy="Ask whoever runs the server for one.")
        found.check()
        return found

    def _current(self) -> dict[str, Key]:
        """The keys, after a look at the file now and then. One that cannot be used changes nothing, until it can."""
        now = self._clock()
        if self.path is None or now - self._looked < _LOOK_EVERY:
            return self._keys
        self._looked = now
        version = _version(self.path)
        problem = None
        if version != self._version:
            try:
                self._keys = self._load("The key file")  # no path goes into a log
                self._version = version
                _log.info("The key file was read again: %d keys.", len(self._keys))
            except ConfigError as error:
                problem = str(error)
                if problem != self._problem:
                    _log.warning("The keys stay as they were: %s", problem)
        self._problem = problem
        return self._keys

    def _load(self, called: str | None) -> dict[str, Key]:
        keys = {} if self.path is None else read(self.path, called=called)
        for key in self._given:
            _add(keys, key, VARIABLE if called is None else f"{called}, with {VARIABLE},")
        return keys


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _version(path: str | None) -> tuple[int, ...] | None:
    """Changes whenever the file does, or who may read it; None where there is none."""
    if path is None:
        return None
    try:
        about = os.stat(path)
    except OSError:
        return None
    return about.st_dev, about.st_ino, about.st_mtime_ns, about.st_ctime_ns, about.st_size
