"""The output folder: what agents may write, and nothing else.

Owns the way from a name that an agent gives to a path below the folder. A name is hostile: it may try to leave the
folder by its parts, by being absolute, or through a link that lies in the folder.
"""

from __future__ import annotations

import os
from typing import Final

from lineread.audio.codec import suffix_format
from lineread.errors import OptionError, shortened

#: Most characters of a name.
_LONGEST: Final = 200
#: Characters that have a meaning of their own on some system.
_RESERVED: Final = frozenset('<>:"|?*\\$')
#: Devices of Windows, whatever the suffix.
_DEVICES: Final = frozenset({"con", "prn", "aux", "nul", *(f"{name}{i}" for name in ("com", "lpt") for i in range(10))})


class Folder:
    """A folder that files are written to.

    Args:
        root: The folder; it is made with its first file.

    Attributes:
        root: The folder, from the file system's root on.
    """

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)

    def place(self, name: str, form: str) -> str:
        """The path of a file of that name; a suffix is added where it has none.

        Args:
            name: What the agent calls it: a path from the folder on, or from the file system's root.
            form: The file's format.

        Raises:
            OptionError: The name leads out of the folder, or is none, or contradicts the format.
        """
        parts = name.removeprefix(os.path.join(self.root, "")).split("/")
        if (why := _trouble(parts)) is not None:
            raise self._refused(name, why)
        suffix = os.path.splitext(parts[-1])[1]
        if suffix and suffix_format(parts[-1]) != form:
            raise OptionError(f"A file called so is no {form}.", remedy="Change its suffix, or the format.")
        path = os.path.join(self.root, *parts) + ("" if suffix else f".{form}")
        if not within(path, self.root):
            raise self._refused(name, "a link leads out of the folder")
        return path

    def _refused(self, name: str, why: str) -> OptionError:
        how = f"Give a name within {self.root}, such as scene1/line3.mp3."
        return OptionError(f"{shortened(name)!r} is no name for a file here: {why}.", remedy=how, code="bad_file_name")


def within(path: str, root: str) -> bool:
    """Whether a path lies below a folder, all links followed."""
    try:
        return os.path.realpath(path).startswith(os.path.join(os.path.realpath(root), ""))
    except ValueError:  # no system has such a name
        return False


def _trouble(parts: list[str]) -> str | None:
    """Why a name is none that any system can have, and that leads only downwards; None if it is one.

    Args:
        parts: The name from the folder on, cut at its slashes.
    """
    name = "/".join(parts)
    if len(name) > _LONGEST:
        return f"it has more than {_LONGEST} characters"
    if not name.isprintable():
        return "it has characters that cannot be seen"
    if reserved := sorted(_RESERVED & set(name)):
        return f"it has {' '.join(reserved)} in it"
    return next(filter(None, map(_trouble_of_part, parts)), None)


def _trouble_of_part(part: str) -> str | None:
    if part == "..":
        return "it leads out of the folder"
    if not part:
        return "a part of it is empty, or it begins at another place"
    if part[0] in ".-~":
        return f"a part of it begins with {part[0]}"
    if part != part.strip() or part[-1] == ".":
        return "a part of it begins or ends with a space, or ends with a dot"
    if part.partition(".")[0].strip().lower() in _DEVICES:
        return f"{part.partition('.')[0]} is a device on some systems"
    return None
