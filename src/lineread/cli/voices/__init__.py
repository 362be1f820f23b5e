"""The voices: list, hear, clone, design and keep them.

  lineread voices                                      list Qwen's 48 voices, and your own
  lineread voices list --gender female --dialect Sichuan
  lineread voices show narrator                        all that is known of one
  lineread voices preview Cherry Ethan --play          one line by each
  lineread voices clone me.wav --name narrator --consent "myself, 2026-11-23" --text "Hello in my own voice."
  lineread voices design "A dry, low-pitched museum guide in his fifties." --name guide
  lineread voices extend narrator --realtime           make it for live sessions as well
  lineread voices delete guide
  lineread voices remote                               what the service keeps, in the book or not
  lineread voices export cast.zip; lineread voices import cast.zip
  lineread voices install kokoro                       54 voices in eight languages for this machine, 121 MB

A voice of your own is spoken by its name from then on: lineread say -v narrator "...". --json prints one document; for
list, --json prints one array of objects: id, name, gender, age, description, dialect, stand_in, kind, models. Those of
your own voices have what the voice book keeps of them instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineread.cli.voices import installing, keeping, listing, making

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    Action = tuple[str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]

#: Each action: what it does, its arguments, and how it is done.
_ACTIONS: dict[str, Action] = {
    "list": ("list the voices", listing.configure_list, listing.run_list),
    "show": ("tell all that is known of a voice", listing.configure_show, listing.run_show),
    "preview": ("have voices say one line each", making.configure_preview, making.run_preview),
    "clone": ("make a voice from a sample of somebody's speech", making.configure_clone, making.run_clone),
    "design": ("make a voice from a description", making.configure_design, making.run_design),
    "extend": ("make a voice of your own for further models", making.configure_extend, making.run_extend),
    "delete": ("delete a voice of your own, also at the service", keeping.configure_delete, keeping.run_delete),
    "remote": ("list what was made where the engine keeps its voices", keeping.configure_remote, keeping.run_remote),
    "add": ("take a voice that was made elsewhere into the voice book", keeping.configure_add, keeping.run_add),
    "export": ("write voices of your own into one file", keeping.configure_export, keeping.run_export),
    "import": ("take voices in from such a file", keeping.configure_import, keeping.run_import),
    "install": ("put a pack of voices on this machine", installing.configure_install, installing.run_install),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.usage = "%(prog)s [options] [ACTION ...]"
    listing.configure_list(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", prog=parser.prog, title="actions")
    for action, (what, arguments, _) in _ACTIONS.items():
        part = actions.add_parser(action, help=what, description=f"{what[0].upper()}{what[1:]}.")
        arguments(part)
    parser.set_defaults(**listing.DEFAULTS)


def run(arguments: argparse.Namespace) -> int:
    """Do one thing with voices."""
    _, _, action = _ACTIONS[arguments.action or "list"]
    return action(arguments)
