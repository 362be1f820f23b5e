"""The progress line: only on a terminal, only for work over a second, never too wide for it, gone at the end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lineread.cli import progress
from lineread.cli.progress import Progress
from lineread.results import Tally
from lineread.speech import Chunk, Facts
from support import install

CLEAR = "\r\x1b[K"


class Terminal:
    """A standard error that is a terminal, and a clock that a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, tty: bool = True, width: int = 80) -> None:
        self.now = 100.0
        self.text = ""
        self._tty = tty
        monkeypatch.setattr(sys, "stderr", self)
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((width, 24)))

    def isatty(self) -> bool:
        return self._tty

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass


def speak(terminal: Terminal, times: list[float], *, quiet: bool = False) -> None:
    """Ten segments of ten characters and two seconds, each at a time after the beginning."""
    tally = Tally()
    with Progress(100, quiet=quiet) as bar:
        for index, seconds in enumerate(times):
            terminal.now = 100.0 + seconds
            span = (index * 10, index * 10 + 10)
            chunk = Chunk(bytes(96_000), 24_000, index * 48_000, span, facts=Facts("fake"))
            tally.add(chunk)
            bar.show(chunk, tally)


def test_it_tells_segments_seconds_and_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a second it shows how far the work is, and at the end it clears its line."""
    terminal = Terminal(monkeypatch)
    speak(terminal, [0.5 * number for number in range(1, 11)])
    states = [state for state in terminal.text.split(CLEAR) if state]
    assert len(states) == 9
    assert [re.search(r"(\d+)%", state)[1] for state in states] == [str(10 * n) for n in range(2, 11)]  # type: ignore[index]
    assert "5 segments" in states[3]
    assert "10 s of audio" in states[3]
    assert re.search(r"\b2 s left|\b3 s left", states[3])  # half of it took 2.5 s
    assert "0 s left" in states[-1]
    assert terminal.text.endswith(CLEAR)


def test_short_work_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done within a second needs no progress."""
    terminal = Terminal(monkeypatch)
    speak(terminal, [0.09 * number for number in range(1, 11)])
    assert terminal.text == ""


@pytest.mark.parametrize(("tty", "quiet"), [(False, False), (True, True), (False, True)])
def test_it_shows_on_terminals_only(monkeypatch: pytest.MonkeyPatch, tty: bool, quiet: bool) -> None:  # noqa: FBT001
    """Into a file or a pipe, and where quiet was asked for, nothing is written."""
    terminal = Terminal(monkeypatch, tty=tty)
    speak(terminal, [float(number) for number in range(1, 11)], quiet=quiet)
    assert terminal.text == ""


def test_fast_chunks_are_not_all_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """It draws ten times a second at most."""
    terminal = Terminal(monkeypatch)
    speak(terminal, [1.0 + 0.011 * number for number in range(10)])
    assert terminal.text.count("%") == 1


@pytest.mark.parametrize("width", [20, 40, 60])
def test_it_fits_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """A line that is wider than the terminal would break and pile up; it is shortened instead."""
    terminal = Terminal(monkeypatch, width=width)
    speak(terminal, [float(number) for number in range(1, 11)])
    assert all(len(state) < width for state in terminal.text.split(CLEAR))
    assert terminal.text.count("%") == (10 if width > 30 else 0)


PACED = """
import asyncio
from lineread import Chunk, Engine, Limits

class Paced(Engine):
    name = "paced"

    def limits(self, request):
        return Limits(by_sentence=True, concurrency=1)

    async def stream(self, segment):
        await asyncio.sleep(0.3)
        yield Chunk(b"\\x00\\x10" * 2400, 24000, 0, segment.span)
"""


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no pseudo-terminals")
def test_on_a_real_terminal(tmp_path: Path) -> None:
    """On a terminal the line appears for work over a second and is gone at the end; standard output stays clean."""
    install(tmp_path / "site", "paced_engine", PACED, paced="paced_engine:Paced")
    master, slave = os.openpty()
    text = " ".join(f"Sentence number {number} is this." for number in range(5))
    done = subprocess.run(
        [sys.executable, "-m", "lineread", "say", "-e", "paced", "-o", "x.wav", text],
        stdout=subprocess.PIPE, stderr=slave, stdin=subprocess.DEVNULL, timeout=30, check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
    )  # fmt: skip
    os.close(slave)
    shown = os.read(master, 100_000).decode()
    os.close(master)
    assert (done.stdout, done.returncode) == (b"x.wav\n", 0)
    assert re.search(r"\d+%  \d segments  \d s of audio  \d s left", shown)
    assert shown.endswith(CLEAR)
