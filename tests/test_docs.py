"""The guides are executed: what they show runs as it stands, against a server on a port of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import serving

DOCS = Path(__file__).parent.parent / "docs"
GUIDES = ("from-dashscope.md", "from-openai.md", "live.md", "voices.md")


def _blocks(language: str) -> list[tuple[str, str]]:
    found = []
    for name in GUIDES:
        text = (DOCS / name).read_text(encoding="utf-8")
        found += [(name, block) for block in re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)]
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`lineread serve` as the guides start it, on a free port."""
    with serving(tmp_path_factory.mktemp("home"), "--engine", "builtin") as address:
        yield address


def _run(command: list[str], block: str, server: str) -> str:
    shown = block.replace("127.0.0.1:8765", server)
    done = subprocess.run([*command, shown], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("guide", "block"), _blocks("python"))
def test_python_of_the_guides_runs(server: str, guide: str, block: str) -> None:
    """Every Python block runs against the server, without a key and without the cloud."""
    said = _run([sys.executable, "-c"], block, server)
    assert said or Path("doors.mp3").stat().st_size > 1000


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(("guide", "block"), [each for each in _blocks("sh") if "curl" in each[1]])
def test_curl_of_the_guides_runs(server: str, guide: str, block: str) -> None:
    """Every curl command gets sound, or the URL of it."""
    said = _run(["sh", "-c"], block, server)
    assert '"url":"http://127.0.0.1' in said.replace(" ", "") or Path("doors.mp3").stat().st_size > 1000
