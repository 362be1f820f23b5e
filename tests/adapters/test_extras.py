"""The frameworks are extras: without one its module says how to get it, and the guide's examples run with them."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).parent.parent.parent / "docs" / "agents.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("framework", ["pipecat", "livekit"])
def test_a_missing_framework_is_one_line(framework: str) -> None:
    """Without the extra, the import error is one line with the command that brings it."""
    code = f"import sys; sys.modules[{framework!r}] = None\ntry: import lineread.adapters.{framework}\n"
    code += "except ImportError as error: print(error)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert re.fullmatch(rf".* pip install 'lineread\[{framework}\]' .*\n", done.stdout)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda code: "pipecat" if "pipecat" in code else "livekit")
def test_examples_of_the_guide_run(example: str) -> None:
    """Every Python block of the guide runs as it stands, with the machine's own voice, and says what it heard."""
    framework = "pipecat" if "pipecat" in example else "livekit"
    if importlib.util.find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed; the dev extra brings it")
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert "ferry" in done.stdout
