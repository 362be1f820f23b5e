"""The command line as a whole: its table of commands, its door for errors, and its manners with pipes and terminals."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

import pytest

from lineread import __version__, cli
from lineread.cli import COMMANDS, door, main
from lineread.errors import LinereadError, Refused, Throttled, Unauthorized
from support import lineread


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Without arguments, and when asked, the help lists all commands and a first line that works."""
    for arguments in ([], ["--help"], ["-h"], ["help"]):
        assert main(arguments) == 0
        output = capsys.readouterr()
        assert output.err == ""
        for command, what in COMMANDS.items():
            assert re.search(rf"^  {command} +{re.escape(what)}$", output.out, re.MULTILINE)
        assert 'lineread say "Hello, this is a short voice line."' in output.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command has a help text of its own, made of its module's docstring, and tells every option."""
    assert main([command, "--help"]) == 0
    output = capsys.readouterr()
    assert output.out.startswith(f"usage: lineread {command} ")
    assert (import_module(f"lineread.cli.{command}").__doc__ or "").splitlines()[0] in output.out
    parser = door.Parser(prog=command)
    import_module(f"lineread.cli.{command}").configure(parser)
    for action in parser._actions:
        assert action.help or action.choices, action
        assert all(option in output.out for option in action.option_strings)


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The version is that of the package, alone on its line."""
    for option in ("--version", "-V"):
        assert main([option]) == 0
        assert capsys.readouterr().out == f"lineread {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sya", "Hello."], ["no command 'sya'", "Did you mean say?", "lineread --help"]),
        (["xyzzy"], ["no command 'xyzzy'", "lineread --help"]),
        (["--verbose"], ["no command '--verbose'"]),
        ([""], ["no command ''"]),
        (["say", "--vioce", "Cherry", "Hello."], ["--vioce", "lineread say --help"]),
        (["say", "--voi", "Cherry", "Hello."], ["--voi", "lineread say --help"]),
        (["say", "--rate", "fast", "Hello."], ["--rate", "'fast'"]),
        (["say", "--take", "1.5", "Hello."], ["--take"]),
        (["say", "-o"], ["-o"]),
        (["say", "--format", "aac", "Hello."], ["aac", "wav"]),
        (["generate"], ["--request", "--file", "required"]),
        (["generate", "--request", "{}", "--file", "x"], ["not allowed"]),
        (["cache", "shrink"], ["shrink", "prune"]),
        (["voices", "extra"], ["extra"]),
        (["say", "--api-key", "sk-topsecret", "Hello."], ["--api-key"]),
    ],
)
def test_a_wrong_command_line_is_one_line(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every mistake on the command line is one line on standard error with the way on, and exit status 2."""
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("lineread: ")
    assert output.err.count("\n") == 1
    for word in words:
        assert word in output.err


def test_a_key_has_no_option() -> None:
    """No command takes a key as an option: other users of the machine could read it in the list of processes."""
    for command in COMMANDS:
        parser = door.Parser(prog=command)
        import_module(f"lineread.cli.{command}").configure(parser)
        assert not [option for action in parser._actions for option in action.option_strings if "key" in option]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Unauthorized("The key is wrong.", remedy="Make a new one."), 3),
        (Refused("No.", remedy="Say something else.", request_id="R-1"), 4),
        (Throttled("Slow.", remedy="Wait.", kind="burst"), 5),
        (LinereadError("It broke."), 1),
    ],
)
def test_an_expected_error_is_a_line_and_a_status(
    error: LinereadError, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was to be expected shows its line, the service's id if there is one, and ends with its own status."""

    def fail() -> int:
        raise error

    assert door.guard(fail, json_wanted=False) == status
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.splitlines()[0] == f"lineread: {error}"
    assert ("R-1" in output.err) == bool(error.request_id)
    assert door.guard(fail, json_wanted=True) == status
    assert f'"code": "{error.code}"' in capsys.readouterr().out


def test_a_bug_leaves_a_report_without_secrets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not expected ends with status 1, one line, and a report that says where, and neither text nor key."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setitem(sys.modules, "lineread.cli.voices", None)  # importing it fails as nobody expects
    assert main(["voices", "--model", "topsecret"]) == 1
    output = capsys.readouterr()
    assert output.err.count("\n") == 1
    assert "a bug" in output.err
    (report,) = tmp_path.glob("lineread-bug-*.txt")
    assert str(report) in output.err
    text = report.read_text()
    assert __version__ in text
    assert "ModuleNotFoundError" in text
    assert "cli/__init__.py" in text.replace(os.sep, "/")
    assert "topsecret" not in text + output.err


def test_a_reader_that_has_had_enough() -> None:
    """``| head`` ends the command at once and in silence, whatever it was printing."""
    for command in (["voices", "--json"], ["say", "-e", "fake", "-o", "-", "Hello there. " * 400]):
        words = " ".join(f"'{word}'" for word in [sys.executable, "-m", "lineread", *command])
        shell = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {words} | head -c 10 | wc -c; echo ${{PIPESTATUS[0]}}"],
            capture_output=True, timeout=30, check=False,
        )  # fmt: skip
        assert shell.stdout.split()[0] == b"10"
        assert shell.stderr == b""
        assert shell.returncode == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no full device")
@pytest.mark.parametrize("command", [["voices"], ["voices", "--json"], ["say", "-e", "fake", "-o", "-", "Hello."],
                                     ["say", "-e", "fake", "Hello."], ["--help"]])  # fmt: skip
def test_a_full_disk_behind_standard_output(command: list[str]) -> None:
    """When standard output cannot be written, that is what is said, in one line, with the status for it."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "lineread", *command], stdout=full, stderr=subprocess.PIPE, timeout=30, check=False
        )
    assert done.returncode == 6, done.stderr
    assert done.stderr.startswith(b"lineread: ")
    assert done.stderr.count(b"\n") == 1
    assert b"bug" not in done.stderr


@pytest.mark.parametrize("command", [["say", "-e", "fake"], ["generate", "--file", "-"]])
def test_closed_standard_input(command: list[str]) -> None:
    """A process without standard input (a cron job may have none) is told that there is nothing to read."""
    words = " ".join([sys.executable, "-m", "lineread", *command])
    shell = subprocess.run(["bash", "-c", f"{words} <&-"], capture_output=True, timeout=30, check=False)
    assert shell.returncode == 2
    assert shell.stderr.startswith(b"lineread: ")
    assert b"bug" not in shell.stderr


def test_closed_standard_output() -> None:
    """A process without standard output still writes the file that it was asked for."""
    words = f"{sys.executable} -m lineread say -e fake -o x.wav Hello. >&-"
    shell = subprocess.run(["bash", "-c", words], capture_output=True, timeout=30, check=False)
    assert (shell.returncode, shell.stderr) == (0, b"")
    assert Path("x.wav").stat().st_size > 1000


@pytest.mark.parametrize("command", [["voices"], ["models"], ["doctor", "--no-network", "-e", "fake"]])
def test_a_terminal_that_knows_no_han(command: list[str]) -> None:
    """Where the output's encoding lacks a character, another one stands there; it is no error."""
    done = lineread(*command, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert b"bug" not in done.stderr
    assert b"Cherry" in done.stdout or command[0] != "voices"
    assert done.returncode == 0


def test_the_module_runs_like_the_command() -> None:
    """``python -m lineread`` is the command line."""
    assert lineread("--version").stdout.decode() == f"lineread {__version__}\n"


def test_commands_are_loaded_one_by_one() -> None:
    """Only the module of the command that is asked for is loaded."""
    code = "import sys; from lineread.cli import main; main(['voices']); print(*sys.modules, file=sys.stderr)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30, check=True)
    loaded = child.stderr.decode().split()
    assert "lineread.cli.voices" in loaded
    assert not {"lineread.cli.say", "lineread.cli.doctor", "asyncio", "numpy"} & set(loaded)
    assert cli.COMMANDS.keys() == COMMANDS.keys()
