"""The documents are executed: what they promise is what happens."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("block", _blocks(README, "python"))
def test_python_of_the_readme_runs(block: str) -> None:
    """Every Python block runs as it stands, offline and without a key."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert Path("hello.wav").exists() or done.stdout


def test_commands_of_the_readme_run() -> None:
    """Every `lineread` line of the command-line block runs (but those that need a sound card)."""
    (block,) = (block for block in _blocks(README, "sh") if block.startswith("lineread say"))
    Path("chapter.txt").write_text("Chapter one. It was late.", encoding="utf-8")
    for line in block.splitlines():
        if "--play" in line or "ffplay" in line:
            continue
        words = shlex.split(line, comments=True)
        done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, (line, done.stderr)
        assert done.stdout


def test_first_two_blocks_are_single_lines() -> None:
    """The README opens with two lines to paste: install and speak, run the tests."""
    first, second, *_ = re.findall(r"^```\w*\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert first.count("\n") == second.count("\n") == 1
    assert first.strip().endswith('.venv/bin/lineread say "Hello, this is a short voice line."')


def test_engine_of_contributing_speaks() -> None:
    """The engine that CONTRIBUTING shows is complete: it beeps once for each word, and is short."""
    (block,) = _blocks(CONTRIBUTING, "python")
    assert block.count("\n") <= 30
    scope: dict[str, object] = {}
    exec(compile(block, "CONTRIBUTING.md", "exec"), scope)
    from lineread import Client, Request

    with Client(engine=scope["Beeps"](), cache=False) as client:  # type: ignore[operator]
        speech = client.generate(Request("One, two, three.", "Cherry"))
    assert speech.duration == pytest.approx(3 * 0.15, abs=0.02)
    assert speech.engine == "beeps"
