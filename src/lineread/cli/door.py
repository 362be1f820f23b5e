"""The one door by which errors leave the command line.

Owns what a user sees when something goes wrong: one line with the remedy and an exit status for what was to be
expected, a report that can be pasted for what was not.
"""

from __future__ import annotations

import argparse
import codecs
import errno
import io
import os
import signal
import sys
import time
from contextlib import suppress
from threading import Timer, get_ident
from typing import IO, TYPE_CHECKING, Final, NoReturn

from lineread import _signals
from lineread.errors import LinereadError, OutputError, RequestError, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import FrameType

    from _typeshed import SupportsWrite

    from lineread.results import Tally

INTERRUPTED = 130
#: Most bytes of a text that is read: ten Bibles.
MOST_TEXT = 64 << 20
#: Seconds in which two signals are one: `timeout` sends the same to the command and to its group.
_AT_ONCE: Final = 0.05
_interrupted = False
_heard = -_AT_ONCE
#: What the system says of a place that takes no more. Without a file's name it is standard output that it speaks of.
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


class UsageError(RequestError):
    """The command line itself is wrong."""

    code = "bad_usage"


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help that reads the same whatever Python's version: `-v, --voice VOICE`."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        argument = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {argument}"


class Parser(argparse.ArgumentParser):
    """A parser whose mistakes leave by the door like all others."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(allow_abbrev=False, formatter_class=_Help, **kwargs)  # type: ignore[arg-type]  # passed through

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """The arguments.

        Raises:
            UsageError: Something is wrong with them.
        """
        return self.parse_known_args(words)[0]

    def parse_known_args(  # type: ignore[override]  # the stub's overloads
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse's own, of which there are no others: a subcommand's parser knows best what was meant.

        Raises:
            UsageError: There are.
        """
        arguments, others = super().parse_known_args(args, namespace)
        if others:
            name = others[0].partition("=")[0]  # what follows may be a secret
            options = [option for action in self._actions for option in action.option_strings]
            raise unknown("option" if name[:1] == "-" else "argument", name, options, f"See `{self.prog} --help`.")
        return arguments, others

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Print it, or fail: argparse's own is silent where nothing can be written."""
        print(self.format_help(), end="", file=file)

    def _check_value(self, action: argparse.Action, value: object) -> None:
        """In place of argparse's own, whose words are different in each version of Python."""
        if action.choices is not None and value not in action.choices:
            known = [*map(str, action.choices)]
            raise unknown(action.dest, str(value), known, f"Choose one of {', '.join(known)}.")

    def error(self, message: str) -> NoReturn:
        """Raise instead of exiting."""
        raise UsageError(f"{message[:1].upper()}{message[1:]}.", remedy=f"See `{self.prog} --help`.")


def unknown(what: str, name: str, known: Iterable[str], otherwise: str) -> UsageError:
    """The error for a name that nothing has: perhaps another one was meant."""
    from lineread import catalogue  # noqa: PLC0415 - loaded for a mistake only

    remedy = catalogue.suggestion(name, known, otherwise)
    return UsageError(f"There is no {what} {shortened(name)!r}.", remedy=remedy)


def guard(command: Callable[[], int], *, json_wanted: bool) -> int:
    """Run a command; whatever goes wrong becomes a line and an exit status."""
    _furnish()
    try:
        _signals.take(_interrupt)
        try:
            status = command()
        except SystemExit as ended:  # argparse has shown its help
            status = int(ended.code or 0)
        except LinereadError as error:
            _show(error, json_wanted=json_wanted)
            status = error.exit_status
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever reads our output has had enough
        _discard_output()
        return 0
    except Exception as error:  # noqa: BLE001 - the door
        if _interrupted:
            return INTERRUPTED  # whoever was interrupted made another error of it
        return _explain(error, json_wanted=json_wanted)
    return status


def _interrupt(number: int, frame: FrameType | None) -> None:
    """The end of a session or a terminal stops as Ctrl-C does: no half file stays behind, no player plays on."""
    global _interrupted, _heard  # noqa: PLW0603 - it happens to the process
    if time.monotonic() - _heard < _AT_ONCE:
        return
    _interrupted = True
    if hasattr(signal, "pthread_kill") and _is_deaf(frame):
        Timer(0.001, signal.pthread_kill, (get_ident(), number)).start()
        return
    _heard = time.monotonic()
    raise KeyboardInterrupt


def _is_deaf(frame: FrameType | None) -> bool:
    """What runs now was called by the interpreter itself, which prints its errors and goes on.

    It is over in microseconds. Imports are full of it, so that every tenth interrupt of an import would be lost.
    """
    while frame is not None:
        code = frame.f_code
        if code.co_name == "__del__" or (code.co_name == "cb" and code.co_filename == "<frozen importlib._bootstrap>"):
            return True
        frame = frame.f_back
    return False


def _furnish() -> None:
    """See to it that there are standard streams, and that they take any character."""
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: SIM115 - open as long as the process lives
    sys.stdout = sys.stdout or _ClosedOutput()
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name of any bytes leaves as it came; what an old terminal lacks leaves as JSON would write it.
        is_utf8 = codecs.lookup(sys.stdout.encoding).name == "utf-8"
        sys.stdout.reconfigure(errors="surrogateescape" if is_utf8 else "backslashreplace")


class _ClosedOutput(io.TextIOWrapper):
    """Stands in for a standard output that was closed: what is written there fails, as it does with other tools.

    It takes the free descriptor as well, which otherwise the next file would get, and a library's prints in it.
    """

    def __init__(self) -> None:
        super().__init__(open(os.open(os.devnull, os.O_RDONLY), "wb"), encoding="utf-8")  # noqa: SIM115 - as above


def check_output() -> None:
    """Refuse a standard output that is closed, before anything is made for it.

    Raises:
        OutputError: It is.
    """
    if isinstance(sys.stdout, _ClosedOutput):
        raise OutputError("Standard output is closed.", remedy="Send it somewhere, or name a file with -o.")


def tell_path(path: str, *, named: bool) -> None:
    """Print where the audio is. Who named the file knows, and may have closed standard output."""
    if not (named and isinstance(sys.stdout, _ClosedOutput)):
        print(path)


def tell_fallback(tally: Tally) -> None:
    """Say on standard error that another engine spoke, and why; also to who wants no notices: it is another voice."""
    if tally.fallback_reason:
        speaker = ", ".join(dict.fromkeys(each.engine for each in tally.facts if each.fallback_reason))
        with suppress(OSError):
            print(f"lineread: {tally.fallback_reason} So {speaker} spoke, as asked.", file=sys.stderr)


def _discard_output() -> None:
    """Drop what waits to be written: Python would try again at its end, and complain once more."""
    with suppress(OSError), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _explain(error: Exception, *, json_wanted: bool) -> int:
    if isinstance(error, OSError) and error.errno in _UNWRITABLE and error.filename is None:
        _discard_output()
        lost = OutputError(
            f"Standard output cannot be written: {error.strerror}.", remedy="See where it leads, and make room there."
        )
        _show(lost, json_wanted=False)
        return lost.exit_status
    _show(LinereadError(f"a bug: {_report(error)}", code="bug"), json_wanted=json_wanted)
    return 1


def _show(error: LinereadError, *, json_wanted: bool) -> None:
    """Tell an error. Where nobody listens the exit status still tells it, and must not become another one."""
    with suppress(OSError):
        print(f"lineread: {error}", file=sys.stderr)
        if error.request_id:
            print(f"lineread: the service's request id is {error.request_id}", file=sys.stderr)
    if not json_wanted:
        return
    import json  # noqa: PLC0415 - loaded for a mistake only

    try:
        print(json.dumps({"error": error.to_dict()}, ensure_ascii=False), flush=True)
    except OSError:
        _discard_output()


def _report(error: Exception) -> str:
    """Write what a maintainer needs to a file, and say where it is. Texts and keys stay out of it."""
    import platform  # noqa: PLC0415 - loaded for a bug only
    import tempfile  # noqa: PLC0415
    import traceback  # noqa: PLC0415

    from lineread.version import __version__  # noqa: PLC0415

    frames = "".join(traceback.format_tb(error.__traceback__))
    kind = type(error).__name__
    lines = f"lineread {__version__}, Python {platform.python_version()}, {platform.platform()}\n\n{frames}{kind}\n"
    with tempfile.NamedTemporaryFile("w", prefix="lineread-bug-", suffix=".txt", delete=False) as file:
        file.write(lines)
    return f"{kind}. A report to paste into an issue lies at {file.name}; it holds no text and no key."


def read_text(path: str) -> str:
    """A text file that the user named.

    Raises:
        UsageError: It cannot be read, or is no text.
    """
    try:
        with open(path, "rb") as file:
            return decoded(file, path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"{path} cannot be read: {reason}.", remedy="Check the name and its permissions.") from error


def decoded(file: IO[bytes], source: str) -> str:
    """The text of a file: UTF-8, or UTF-16 that says so.

    Raises:
        UsageError: It is neither, or longer than any book.
    """
    data = file.read(MOST_TEXT + 1)
    if len(data) > MOST_TEXT:
        raise UsageError(f"{source} has more than {MOST_TEXT >> 20} MiB.", remedy="Speak it in parts.")
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{source} is not UTF-8 text (byte {error.start}).", remedy="Convert it, if it is text at all."
        ) from error


def argument(text: str) -> str:
    """A text of the command line, also where the locale is plain ASCII and Python took UTF-8 for stray bytes."""
    try:
        return os.fsencode(text).decode() if any("\udc80" <= character <= "\udcff" for character in text) else text
    except UnicodeDecodeError:
        return text  # what checks the request says what is wrong with it
