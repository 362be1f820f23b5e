"""Put skills for agents where agents look for them.

  lineread skill install                          all four, into ~/.agents/skills
  lineread skill install --to ~/.claude/skills    where Claude Code looks
  lineread skill install --to .agents/skills      for one project
  lineread skill list                             what there is, and for what

A skill is a folder in the Agent Skills format: SKILL.md says when to use lineread and how, references/ has each field.
It is replaced whole or not at all: an older release's by itself, one that was changed only with --force. What is your
own in it stays: files, hidden ones too, folders, and links as links.
--json prints one array of objects: name, path, state (installed, replaced, unchanged); with list: name, description.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from lineread.cli import door, options
from lineread.errors import OutputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

_HERE: Final = os.path.dirname(os.path.abspath(__file__))
#: Where skills lie: in the package as it was installed, and in the repository that it is developed in.
_HOMES: Final = (os.path.join(_HERE, "..", "skills"), os.path.join(_HERE, "..", "..", "..", "skills"))
#: Where agents of many makers look; see agentskills.io.
_DEFAULT: Final = os.path.join("~", ".agents", "skills")
_DESCRIPTION: Final = "description: "
#: Most bytes of a file that are compared; ours have a few thousand.
_LARGEST: Final = 1 << 20
#: Lies with an installed skill, and says what was put there.
_RECEIPT: Final = ".installed.json"
#: What an editor or a file manager may have left in the repository.
_UNWANTED: Final = shutil.ignore_patterns(".*")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.usage = "%(prog)s (install [NAME ...] | list) [options]"
    actions = parser.add_subparsers(
        dest="action", metavar="install | list", prog=parser.prog, title="actions", required=True
    )
    what = "put skills where agents look"
    install = actions.add_parser("install", help=what, description=f"{what[0].upper()}{what[1:]}.")
    install.add_argument("names", nargs="*", default=[], metavar="NAME", help="only these (default: all)")
    install.add_argument("--to", metavar="DIR", default=_DEFAULT, help=f"the agents' folder (default: {_DEFAULT})")
    install.add_argument("--force", action="store_true", help="replace what was changed there, too")
    listing = actions.add_parser("list", help="list the skills", description="List the skills.")
    for part in (install, listing):
        part.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do one thing with skills."""
    home = next(os.path.normpath(place) for place in _HOMES if os.path.isdir(place))
    return _install(home, arguments) if arguments.action == "install" else _list(home, arguments)


def _list(home: str, arguments: argparse.Namespace) -> int:
    skills = [{"name": name, "description": _description(os.path.join(home, name))} for name in _names(home)]
    if arguments.json:
        print(json.dumps(skills, ensure_ascii=False, indent=1))
    else:
        print("\n".join(f"{skill['name']}\n    {skill['description'].partition('. ')[0]}." for skill in skills))
    return 0


def _install(home: str, arguments: argparse.Namespace) -> int:
    known = _names(home)
    for name in arguments.names:
        if name not in known:
            raise door.unknown("skill", name, known, "`lineread skill list` lists all.")
    if not arguments.to:
        raise door.UsageError("--to names no folder.", remedy=f"Leave it out for {_DEFAULT}.")
    folder = os.path.abspath(os.path.expanduser(arguments.to))
    skills = [
        _Skill(name, os.path.join(home, name), os.path.join(folder, name))
        for name in dict.fromkeys(arguments.names or known)
    ]
    with _told(folder):
        states = {skill.name: skill.state() for skill in skills}
        for skill in skills:
            if not arguments.force and (changed := skill.changed()):
                raise OutputError(
                    f"{skill.place} was changed: {', '.join(changed)}.",
                    remedy="Replace it with --force, or name another folder with --to. Nothing was installed.",
                )
        for skill in skills:
            if states[skill.name] != "unchanged":
                skill.put()
    if arguments.json:
        told = [{"name": skill.name, "path": skill.place, "state": states[skill.name]} for skill in skills]
        print(json.dumps(told, ensure_ascii=False, indent=1))
        return 0
    print(options.columns([(states[skill.name], skill.place) for skill in skills]))
    print("Agents that run already see them when they are started anew.")
    if arguments.to == _DEFAULT:
        print("Claude Code looks elsewhere: lineread skill install --to ~/.claude/skills")
    return 0


class _Skill(NamedTuple):
    """A skill, where it comes from, and where it shall be."""

    name: str
    source: str
    place: str

    def state(self) -> str:
        """What installing it means; what is done is called the same."""
        if not os.path.lexists(self.place):
            return "installed"
        return "unchanged" if _is_folder(self.place) and not self._stale() else "replaced"

    def changed(self) -> list[str]:
        """What is there in the place of our own, and neither this release's nor as an older one put it there."""
        if os.path.islink(self.place):
            return ["it is a link"]
        if os.path.lexists(self.place) and not os.path.isdir(self.place):
            return ["it is a file"]
        ours, receipt = _files(self.source), self._receipt()
        found = {name: _content(os.path.join(self.place, name)) for name in self._there() - self._own() - {_RECEIPT}}
        return sorted(
            name
            for name, content in found.items()
            if content is None or (content != ours.get(name) and _mark(content) != receipt.get(name))
        )

    def _stale(self) -> bool:
        """Whether something is to be put there, or lies there that an older release left."""
        ours = _files(self.source)
        return any(_content(os.path.join(self.place, name)) != ours[name] for name in ours) or any(
            name not in ours and os.path.lexists(os.path.join(self.place, name)) for name in self._receipt()
        )

    def _there(self) -> set[str]:
        """All that is there, by the names within the skill: files, links, and folders that are empty."""
        return {*_tree(self.place)} if _is_folder(self.place) else set()

    def _own(self) -> set[str]:
        """What of that is the user's own, and in nobody's place."""
        ours = {*_files(self.source)}
        folders = {above for name in ours for above in _above(name)}
        return {
            name
            for name in self._there() - ours - {_RECEIPT, *self._receipt()}
            if not _above(name) & ours and (name not in folders or _is_folder(os.path.join(self.place, name)))
        }

    def _receipt(self) -> dict[str, str]:
        """What was put there, with the marks that it had."""
        try:
            with open(os.path.join(self.place, _RECEIPT), "rb") as file:
                found = json.loads(file.read(_LARGEST))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def put(self) -> None:
        """Put it there, whole or not at all. A link in its place goes; what it leads to stays as it is.

        What is the user's own is taken along.
        """
        folder = os.path.dirname(self.place)
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{self.name}-", dir=folder, ignore_cleanup_errors=True) as beside:
            new, old = os.path.join(beside, "new"), os.path.join(beside, "old")
            shutil.copytree(self.source, new, ignore=_UNWANTED)
            ours = _files(self.source)
            with open(os.path.join(new, _RECEIPT), "w", encoding="utf-8") as file:
                json.dump({name: _mark(content) for name, content in ours.items()}, file, indent=1)
            self._take_along(new)
            try:
                if os.path.lexists(self.place):
                    os.rename(self.place, old)
                os.rename(new, self.place)
            except BaseException:  # also an interrupt: what lies beside goes at the end
                if os.path.lexists(old) and not os.path.lexists(self.place):
                    os.rename(old, self.place)
                raise

    def _take_along(self, new: str) -> None:
        """Copy the user's own into the new folder, links as links."""
        own = self._own()
        kept = own.union(*map(_above, own))

        def others(folder: str, names: list[str]) -> list[str]:
            inside = os.path.relpath(folder, self.place)
            return [name for name in names if os.path.normpath(os.path.join(inside, name)) not in kept]

        if own:
            shutil.copytree(self.place, new, symlinks=True, ignore=others, dirs_exist_ok=True)


def _files(home: str) -> dict[str, bytes]:
    """What a skill of ours holds, by the names within it."""
    return {
        name: content
        for name in _tree(home)
        if not any(part.startswith(".") for part in name.split(os.sep))
        and (content := _content(os.path.join(home, name))) is not None
    }


def _tree(folder: str) -> Iterator[str]:
    """All that a folder holds, by the names within it: files, links, and folders that are empty. No link is followed.

    Raises:
        OSError: A folder in it cannot be read: what it holds would be lost.
    """
    for place, folders, files in os.walk(folder, onerror=_raise):
        links = [name for name in folders if not _is_folder(os.path.join(place, name))]
        for name in (*files, *links):
            yield os.path.relpath(os.path.join(place, name), folder)
        if not folders and not files and place != folder:
            yield os.path.relpath(place, folder)


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _above(name: str) -> set[str]:
    """The folders that a name is in, within the skill."""
    parts = name.split(os.sep)
    return {os.sep.join(parts[:count]) for count in range(1, len(parts))}


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _mark(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _content(path: str) -> bytes | None:
    """What a file holds; None for what is none of ours: a link, a folder, a pipe, or nothing at all."""
    if os.path.islink(path) or not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        return file.read(_LARGEST)


def _names(home: str) -> list[str]:
    return sorted(name for name in os.listdir(home) if os.path.isfile(os.path.join(home, name, "SKILL.md")))


def _description(folder: str) -> str:
    """What the skill says of itself to agents."""
    with open(os.path.join(folder, "SKILL.md"), encoding="utf-8") as file:
        return next(line.removeprefix(_DESCRIPTION).strip() for line in file if line.startswith(_DESCRIPTION))


@contextmanager
def _told(folder: str) -> Iterator[None]:
    """What the system says of the folder, as an error with a remedy."""
    try:
        yield
    except shutil.Error as error:
        place, _, reason = error.args[0][0]
        raise OutputError(
            f"{place} cannot be copied: {reason}.", remedy="Put it elsewhere, or name another folder with --to."
        ) from error
    except OSError as error:
        place = error.filename or folder
        reason = error.strerror or type(error).__name__
        raise OutputError(
            f"{place} cannot be written: {reason}.", remedy="Check its permissions, or name another folder with --to."
        ) from error
