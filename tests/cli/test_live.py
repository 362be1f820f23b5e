"""``lineread live``: text from a writer that goes on writing, sound while it comes, a whole file however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support import lineread, serving

TALK = b"Hello there, my friend. This talk goes on for a while, and then it ends."
COMMAND = [sys.executable, "-m", "lineread", "live", "-e", "fake"]


def seconds(path: str | Path) -> float:
    with wave.open(str(path)) as file:
        return file.getnframes() / file.getframerate()


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@contextmanager
def writing(*arguments: str, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command, with a writer that has not ended."""
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | environ,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def test_a_file() -> None:
    """All that was written is in the file that was named, and its path is printed."""
    done = lineread("live", "-e", "fake", "-o", "talk.wav", input=TALK)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"talk.wav\n", b"")
    assert seconds("talk.wav") == pytest.approx(0.05 * len(TALK), abs=1.0)


def test_sound_comes_while_the_writer_writes() -> None:
    """PCM leaves as soon as a sentence is there, though the text goes on; it ends with the text."""
    with writing("-o", "-") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"Hello there, my friend. This")
        process.stdin.flush()
        first = process.stdout.read(4800)
        assert len(first) == 4800
        rest, errors = process.communicate(b" is the end.", timeout=20)
    assert errors == b""
    assert process.returncode == 0
    assert len(first + rest) / 48_000 == pytest.approx(0.05 * 40, abs=0.7)


def test_letters_that_arrive_byte_by_byte() -> None:
    """A letter of several bytes may come in pieces."""
    with writing("-o", "-") as process:
        assert process.stdin is not None
        for byte in "Grüße, 你好。".encode():
            process.stdin.write(bytes([byte]))
            process.stdin.flush()
        sound, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, b"")
    assert len(sound) > 4800


def test_what_became_of_it() -> None:
    """``--json`` prints one object, with what was asked for and who spoke."""
    done = lineread("live", "-e", "fake", "-v", "ethan", "-o", "talk.mp3", "--json", input=TALK)
    record = json.loads(done.stdout)
    assert record["path"] == "talk.mp3"
    assert record["engine"] == "fake"
    assert record["sample_rate"] == 24_000
    assert record["finish_reason"] == "stop"
    assert record["duration"] > 1
    assert Path("talk.mp3").stat().st_size > 1000


@pytest.mark.skipif(sys.platform == "win32", reason="there Ctrl-C is no signal to send")
def test_ctrl_c_leaves_a_whole_file() -> None:
    """What was spoken before is in the file, which can be played; the path is printed, nothing else."""
    with writing("-o", "talk.wav") as process:
        assert process.stdin is not None
        process.stdin.write(TALK + b" More")
        process.stdin.flush()
        until(lambda: any(path.stat().st_size > 50_000 for path in Path().glob(".lineread-*.part")))
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=10)
    assert (process.returncode, output, errors) == (130, b"talk.wav\n", b"")
    assert seconds("talk.wav") > 0.5
    assert list(Path().glob(".lineread-*")) == []


@pytest.mark.skipif(sys.platform == "win32", reason="there Ctrl-C is no signal to send")
def test_ctrl_c_silences_the_player_at_once() -> None:
    """A player that would play on for an hour is gone when the command is."""
    Path("player.py").write_text(
        "import os, sys, time\nfrom pathlib import Path\n"
        "sys.stdin.buffer.read(1000)\nPath('player.pid').write_text(str(os.getpid()))\ntime.sleep(3600)\n"
    )
    with writing("--play", LINEREAD_PLAYER=f"{sys.executable} player.py") as process:
        assert process.stdin is not None
        process.stdin.write(TALK + b" More")
        process.stdin.flush()
        until(lambda: Path("player.pid").exists() and Path("player.pid").read_text())
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=10)
    assert (process.returncode, output, errors) == (130, b"", b"")
    with pytest.raises(ProcessLookupError):
        os.kill(int(Path("player.pid").read_text()), 0)


def test_a_listener_that_leaves() -> None:
    """Whoever reads the sound may have had enough; that is no error, and does not wait for the writer."""
    with writing("-o", "-") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(TALK * 20)
        process.stdin.flush()
        process.stdout.read(100)
        process.stdout.close()
        assert process.wait(20) == 0


@pytest.mark.parametrize("text", ["", " \n ", "\N{SMILING FACE WITH SMILING EYES} ..."], ids=["none", "blank", "signs"])
def test_no_words(text: str) -> None:
    """A writer without a word is told so, with the status of `say`, and no file seems to hold something."""
    done = lineread("live", "-e", "fake", "-o", "talk.wav", input=text.encode())
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.count(b"\n") == 1
    assert b"words" in done.stderr
    assert not Path("talk.wav").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there Ctrl-C is no signal to send")
@pytest.mark.parametrize("options", [[], ["-q"]], ids=["told", "quiet"])
def test_ctrl_c_before_any_sound(options: list[str]) -> None:
    """One line says that there is no file, unless nobody wants to know."""
    from fcntl import ioctl
    from termios import FIONREAD

    with writing("-o", "talk.wav", *options) as process:
        assert process.stdin is not None
        process.stdin.write(b" ")
        process.stdin.flush()
        until(lambda: not any(ioctl(process.stdin, FIONREAD, bytes(4))))  # it was read, so the session is open
        process.send_signal(signal.SIGINT)
        process.wait(timeout=10)  # its input stays open, as a terminal's does
        output, errors = process.communicate()
    said = b"" if options else b"lineread: stopped before there was any sound; talk.wav was not written\n"
    assert (process.returncode, output, errors) == (130, b"", said)
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("code", ["sys.stdin.buffer.read(100)", "sys.stdin.buffer.read()"], ids=["soon", "at the end"])
def test_a_player_that_fails(code: str) -> None:
    """The file is whole and its path is printed; then comes the player's error."""
    Path("player.py").write_text(f"import sys\n{code}\nsys.exit('no sound device')\n")
    environ = os.environ | {"LINEREAD_PLAYER": f"{sys.executable} player.py"}
    done = lineread("live", "-e", "fake", "--play", "-o", "talk.wav", input=TALK * 3, env=environ)
    assert (done.returncode, done.stdout) == (6, b"talk.wav\n")
    assert done.stderr.count(b"\n") == 1
    assert b"no sound device" in done.stderr
    assert seconds("talk.wav") == pytest.approx(0.05 * len(TALK * 3), abs=2.0)


def test_text_that_the_voice_cannot_speak() -> None:
    """It is named in one line, with status 2; the rest was spoken, and is in the file."""
    done = lineread("live", "-e", "builtin", "-o", "talk.wav", input="这是中文。And this is English.".encode())
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert b"English only" in done.stderr or b"Chinese" in done.stderr
    assert seconds("talk.wav") > 0.5


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 2, b"Add --play"),
        (["-o", "x.txt"], 2, b".wav"),
        (["-o", "x.wav", "-e", "builtin", "-v", "Chery"], 2, b"Did you mean Cherry"),
        (["-o", "x.wav", "--sample-rate", "1"], 2, b"sample_rate"),
        (["-o", "/proc/nowhere/x.wav"], 6, b"/proc/nowhere"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_mistakes(arguments: list[str], status: int, said: bytes) -> None:
    """One line with the remedy, before anything is read or spoken."""
    done = lineread("live", "-e", "fake", *arguments, input=b"Hello.")
    assert (done.returncode, done.stdout) == (status, b"")
    assert done.stderr.count(b"\n") == 1
    assert said in done.stderr


def test_two_things_on_one_output() -> None:
    """Sound and JSON do not go to the same place."""
    done = lineread("live", "-e", "fake", "-o", "-", "--json", input=b"Hello.")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "bad_usage"


def test_input_that_is_no_text() -> None:
    """Bytes that are no UTF-8 are an error of one line."""
    done = lineread("live", "-e", "fake", "-o", "talk.wav", input=b"Hello there. \xff\xfe\xfa")
    assert done.returncode == 2
    assert b"UTF-8" in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_over_a_server(tmp_path: Path) -> None:
    """By a server's realtime socket it speaks as by itself; where no server is, one line says so."""
    key = {"DASHSCOPE_API_KEY": "sk-of-a-test"}
    with serving(tmp_path, "-e", "fake") as address:
        there = ["-e", "dashscope", "--base-url", f"http://{address}/api/v1"]
        done = lineread("live", *there, "-o", "talk.wav", input=TALK, env=os.environ | key)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"talk.wav\n", b"")
        assert seconds("talk.wav") == pytest.approx(0.05 * len(TALK), abs=1.0)
    done = lineread("live", *there, "-o", "none.wav", input=TALK, env=os.environ | key)
    assert done.returncode == 5, done.stderr
    assert b"a bug" not in done.stderr
    assert done.stderr.count(b"\n") == 1
    assert not os.path.exists("none.wav")


def test_another_voice_speaks(tmp_path: Path) -> None:
    """With a fallback it speaks where no server is, and says so, also quietly and as JSON; a server does as well."""
    nowhere = ["-e", "dashscope", "--base-url", "http://127.0.0.1:1", "--fallback", "fake"]
    environ = os.environ | {"DASHSCOPE_API_KEY": "sk-of-a-test"}
    done = lineread("live", *nowhere, "-q", "-o", "talk.wav", input=TALK, env=environ)
    assert (done.returncode, done.stdout) == (0, b"talk.wav\n")
    assert done.stderr.startswith(b"lineread: Cannot reach 127.0.0.1")
    assert done.stderr.endswith(b"So fake spoke, as asked.\n")
    assert done.stderr.count(b"\n") == 1
    done = lineread("live", *nowhere, "--json", "-o", "talk.wav", input=TALK, env=environ)
    assert "Cannot reach 127.0.0.1" in json.loads(done.stdout)["fallback_reason"]

    (tmp_path / ".env").write_text("DASHSCOPE_API_KEY=sk-of-the-server\n")
    with serving(tmp_path, *nowhere) as address:
        there = ["-e", "dashscope", "--base-url", f"http://{address}"]
        done = lineread("live", *there, "-o", "there.wav", input=TALK, env=environ)
    assert (done.returncode, done.stderr) == (0, b"")
    assert seconds("there.wav") == pytest.approx(0.05 * len(TALK), abs=1.0)
