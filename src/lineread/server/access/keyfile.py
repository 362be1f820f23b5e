"""Changes of a key file: a key more, a key less, a key switched off and on.

Owns the writing of that file. It is edited as text, so comments and whatever else somebody wrote there stay; what
comes out is read again before it is written, and is written only if exactly the wanted thing has changed. A file
appears whole or not at all, a new one readable by its owner alone; a changed one keeps its owner and its mode, so that
a server which could read it still can. Changes by several processes take turns.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import tempfile
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from lineread import durable
from lineread.errors import ConfigError, OptionError
from lineread.server.access import keys

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date

    from lineread.server.access.keys import Key

    Value = str | int | bool | date | Sequence[str]

_HEAD: Final = """\
# The keys of a lineread server's clients, for `lineread serve --keys FILE`. Only their hashes are here.
# `lineread keys` changes this file, and so may you; a running server takes changes over within a second.
# Fields: hash, requests_per_minute, characters_per_day, sessions, voices, models, expires, disabled.
"""
_TABLE: Final = re.compile(r"\s*\[")


def add(path: str, name: str, limits: Mapping[str, Value]) -> str:
    """Make a key and write down its hash.

    Args:
        path: The key file; made if it is not there.
        name: What the key is called.
        limits: Further fields of a :class:`~lineread.server.access.keys.Key`.

    Returns:
        The key itself, which is kept nowhere.

    Raises:
        OptionError: There is such a key already, or a limit makes no sense.
        ConfigError: The file is no key file, or cannot be written.
    """
    if not keys.NAME.fullmatch(name):
        raise OptionError(f"{name!r} is no name for a key.", remedy="Use a-z, 0-9, - and _, at most 64 of them.")
    key = keys.make()
    lines = [f"[{name}]", f'hash = "{keys.hashed(key)}"']
    lines += [f"{field} = {_toml(value)}" for field, value in limits.items()]

    def change(text: str, known: Mapping[str, Key]) -> str:
        if name in known:
            raise OptionError(f"There is a key named {name} already.", remedy="Choose another name, or remove it.")
        return f"{text.rstrip()}\n\n" + "\n".join(lines) + "\n"

    _edit(path, change, lambda before, after: _others(before, name) == _others(after, name) and name in after)
    return key


def remove(path: str, name: str) -> None:
    """Take a key out of the file.

    Raises:
        OptionError: There is no such key.
        ConfigError: As for :func:`add`.
    """

    def change(text: str, known: Mapping[str, Key]) -> str:
        before, _, after = _cut(text, name, known)
        return "".join([*before, *after])

    _edit(path, change, lambda before, after: after == _others(before, name))


def switch(path: str, name: str, *, disabled: bool) -> None:
    """Disable a key, or enable it again.

    Raises:
        OptionError: There is no such key.
        ConfigError: As for :func:`add`.
    """

    def change(text: str, known: Mapping[str, Key]) -> str:
        before, table, after = _cut(text, name, known)
        table = [line for line in table if not re.match(r"\s*disabled\s*=", line)]
        if disabled:
            table[1:1] = ["disabled = true\n"]
        return "".join([*before, *table, *after])

    def right(before: Mapping[str, Key], after: Mapping[str, Key]) -> bool:
        same = _others(before, name) == _others(after, name)
        return same and name in after and after[name].disabled is disabled

    _edit(path, change, right)


def _cut(text: str, name: str, known: Mapping[str, Key]) -> tuple[list[str], list[str], list[str]]:
    """The lines before a key's table, those of the table, and those after it."""
    if name not in known:
        raise OptionError(f"There is no key named {name!r}.", remedy="`lineread keys` lists them.")
    lines = text.splitlines(keepends=True)
    lines[-1:] = [line if line.endswith("\n") else line + "\n" for line in lines[-1:]]
    head = re.compile(rf"""\s*\[\s*(["']?){re.escape(name)}\1\s*\]""")
    first = next((at for at, line in enumerate(lines) if head.match(line)), None)
    if first is None:
        raise _foreign()
    end = next((at for at in range(first + 1, len(lines)) if _TABLE.match(lines[at])), len(lines))
    while end > first + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1  # a comment before the next table is that one's
    return lines[:first], lines[first:end], lines[end:]


def _edit(
    path: str,
    change: Callable[[str, Mapping[str, Key]], str],
    right: Callable[[Mapping[str, Key], Mapping[str, Key]], bool],
) -> None:
    """Change a file, if the outcome is right."""
    path = os.path.realpath(path)
    try:
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        with _alone(os.path.dirname(path)):
            text = _text(path)
            before = keys.parse(text, path)
            changed = change(text, before)
            if not _is_right(right, before, changed):
                raise _foreign()
            _replace(path, changed)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(f"{path} cannot be written: {reason}.", remedy="Choose another place.") from error


def _is_right(
    right: Callable[[Mapping[str, Key], Mapping[str, Key]], bool], before: Mapping[str, Key], changed: str
) -> bool:
    try:
        return right(before, keys.parse(changed, ""))
    except ConfigError:
        return False


def _foreign() -> ConfigError:
    return ConfigError("The key file is written in a way that is not understood here.", remedy="Edit it by hand.")


def _text(path: str) -> str:
    if os.path.exists(path) and not os.path.isfile(path):  # a device must not be replaced
        raise ConfigError(f"{path} is no file.", remedy="Choose another place.")
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return _HEAD
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8.", remedy="Repair it.") from None


@contextmanager
def _alone(directory: str) -> Iterator[None]:
    """Nobody else changes key files in that directory meanwhile. The lock goes with the process, however it ends."""
    if sys.platform == "win32":
        yield
        return
    lock = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _replace(path: str, text: str) -> None:
    """Write the file beside its place and move it there: nobody can read it who could not before."""
    file, partial = tempfile.mkstemp(prefix=".lineread-keys-", dir=os.path.dirname(path))
    try:
        with os.fdopen(file, "w", encoding="utf-8", newline="") as stream:
            _keep_access(file, path)
            stream.write(text)
            stream.flush()
            os.fsync(file)  # the key is shown once: its hash should be there after a power cut, too
        os.replace(partial, path)
        durable.flush_directory(os.path.dirname(path))
    except BaseException:
        with suppress(OSError):
            os.unlink(partial)
        raise


def _keep_access(file: int, path: str) -> None:
    """Give a file, which is its owner's alone as yet, the owner and the mode of the one that it is to replace.

    Raises:
        ConfigError: This user may not.
    """
    if sys.platform == "win32" or not os.path.exists(path):
        return
    old, new = os.stat(path), os.fstat(file)
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        try:
            os.fchown(file, old.st_uid, old.st_gid)
        except PermissionError:
            raise ConfigError(
                f"{path} would lose its owner or its group by a change of this user's.",
                remedy="Run the command as the file's owner, or as root.",
            ) from None
    os.fchmod(file, stat.S_IMODE(old.st_mode))


def _others(known: Mapping[str, Key], name: str) -> dict[str, Key]:
    return {each: key for each, key in known.items() if each != name}


def _toml(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        if not value.isprintable():
            raise OptionError("A name holds characters that no name has.", remedy="Write it again.")
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value)
