"""The command line as a whole: its table of commands, its door for errors, and its manners with pipes and terminals."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

import pytest

from lineread import __version__, cli, errors
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
        (["--verbose"], ["no command '--verbose'", "after the command"]),
        (["-v", "Ethan", "Hello."], ["no command '-v'", "lineread say -v Ethan"]),
        (["hello"], ["no command 'hello'", 'lineread say "..."']),
        (["Hello there."], ['lineread say "..."']),
        ([""], ["no command ''"]),
        (
            ["say", "--vioce", "Cherry", "Hello."],
            ["no option '--vioce'", "Did you mean --voice or", "lineread say --help"],
        ),
        (["say", "--vioce=Hello.", "x"], ["no option '--vioce'.", "Did you mean --voice or"]),
        (["x" * 5000], ["xxx…'"]),
        (["say", "--voi", "Cherry", "Hello."], ["--voi", "lineread say --help"]),
        (["say", "--rate", "fast", "Hello."], ["--rate", "'fast'", "a number from 0.5 to 2"]),
        (["say", "--take", "1.5", "Hello."], ["--take", "'1.5'", "a whole number from 1 to 1000000"]),
        (["say", "-o"], ["-o"]),
        (["say", "--format", "aac", "Hello."], ["no format 'aac'", "wav, mp3"]),
        (["say", "--format", "FLACK", "Hello."], ["Did you mean flac?"]),
        (["generate"], ["--request", "--file", "required"]),
        (["generate", "--request", "{}", "--file", "x"], ["not allowed"]),
        (["cache", "shrink"], ["shrink", "prune"]),
        (["voices", "previw"], ["no action 'previw'", "Did you mean preview?"]),
        (["models", "extra"], ["no argument 'extra'"]),
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
    assert "Hello" not in output.err  # texts have no place in messages
    for word in words:
        assert word in output.err


def test_help_for_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    """``lineread help say`` is ``lineread say --help``; for what is no command it is the usual mistake."""
    assert main(["help", "say"]) == main(["say", "--help"]) == 0
    output = capsys.readouterr().out
    assert output[: len(output) // 2] == output[len(output) // 2 :]
    assert main(["help", "sya"]) == 2
    assert "Did you mean say?" in capsys.readouterr().err


def test_the_exit_statuses_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """The help has a line for each exit status that a command can end with."""
    assert main(["--help"]) == 0
    told = {int(number) for number in re.findall(r"^ +(\d+)  ", capsys.readouterr().out, re.MULTILINE)}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, LinereadError)]
    assert told == {0, door.INTERRUPTED, *(kind.exit_status for kind in kinds)}


def documented(command: str, capsys: pytest.CaptureFixture[str]) -> set[str]:
    """The names that a command's help lists after ``--json prints``."""
    assert main([command, "--help"]) == 0
    sentence = re.search(r"--json prints[^:]*: (.*?)\.\s", capsys.readouterr().out, re.DOTALL)
    assert sentence is not None
    return set(re.findall(r"\w+", sentence[1].replace(" or ", " ").replace("(ok, bad note)", "")))


def test_json_is_one_document_as_documented(capsys: pytest.CaptureFixture[str]) -> None:
    """``--json`` prints one document, with the fields that the command's help names."""
    shown = {}
    for command in (["say", "-e", "fake", "Hello."], ["voices"], ["models"], ["doctor", "--no-network", "-e", "fake"],
                    ["cache", "stats"], ["cache", "verify"], ["cache", "prune", "--all"]):  # fmt: skip
        assert main([*command, "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        for record in document if isinstance(document, list) else [document]:
            shown.setdefault(command[0], set()).update(record)
    for command, fields in shown.items():
        assert fields == documented(command, capsys)


def test_a_key_has_no_option() -> None:
    """No command takes a key as an option: other users of the machine could read it in the list of processes.

    A file of keys is none: its name tells nothing.
    """
    for command in COMMANDS:
        parser = door.Parser(prog=command)
        import_module(f"lineread.cli.{command}").configure(parser)
        actions = [action for action in parser._actions if action.metavar != "FILE"]
        assert not [option for action in actions for option in action.option_strings if "key" in option]


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
                                     ["say", "-e", "fake", "Hello."], ["--help"], ["say", "--help"]])  # fmt: skip
@pytest.mark.parametrize("unbuffered", ["", "-u"])
def test_a_full_disk_behind_standard_output(command: list[str], unbuffered: str) -> None:
    """When standard output cannot be written, that is what is said, in one line, with the status for it."""
    words = [sys.executable, *unbuffered.split(), "-m", "lineread", *command]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, timeout=30, check=False)
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


def closed(arguments: str, stream: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command line with one of its standard streams closed, or led somewhere else."""
    words = f"{sys.executable} -m lineread {arguments} {stream}"
    return subprocess.run(["bash", "-c", words], capture_output=True, timeout=30, check=False)


def test_closed_standard_output() -> None:
    """A process without standard output still writes the file that it was asked for."""
    shell = closed("say -e fake -o x.wav Hello.", ">&-")
    assert (shell.returncode, shell.stderr) == (0, b"")
    assert Path("x.wav").stat().st_size > 1000


@pytest.mark.parametrize(
    "arguments",
    ["say -e fake -o - Hello.", "say -e fake --stream Hello.", "say -e fake Hello.",
     "say -e fake --json -o x.wav Hello.",
     "generate -e fake --print-response -o x.wav --request '{\"text\":\"a\",\"voice\":\"b\"}'", "voices", "--help"],
)  # fmt: skip
def test_closed_standard_output_is_told_where_it_matters(arguments: str) -> None:
    """What has nowhere to go is no success: one line, and the status for output; audio is not even made."""
    shell = closed(arguments, ">&-")
    assert shell.returncode == 6
    assert shell.stderr.startswith(b"lineread: Standard output ")
    assert shell.stderr.count(b"\n") == 1
    assert not Path("x.wav").exists()


@pytest.mark.parametrize("stream", ["2>&-", "2>/dev/full", "2> >(true)"])
def test_standard_error_that_takes_nothing(stream: str) -> None:
    """Where errors and notices cannot be told, the status and the output are what they would be."""
    assert closed("say -e fake --rate 9 Hello.", stream).returncode == 2
    assert closed("say -e nowhere Hello.", stream).returncode == 3
    notice = closed("say -i Sad. -e fake -o x.wav Hello.", stream)
    assert (notice.returncode, notice.stdout) == (0, b"x.wav\n")


def test_an_error_for_a_reader_that_left() -> None:
    """``2>&1 | true`` does not make a success of a mistake, with ``--json`` either."""
    words = f"{sys.executable} -m lineread say --json --rate 9 Hello. 2>&1 | true; exit ${{PIPESTATUS[0]}}"
    assert subprocess.run(["bash", "-c", words], capture_output=True, timeout=30, check=False).returncode == 2


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
