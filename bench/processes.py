"""Child processes: the commands under measure, and workers that stay warm between measurements.

Every measured thing runs in a child of its own, so that neither side inherits what the other (or the bench) has
loaded. Children get a home directory of their own and no key, proxy or setting of the user's.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).parent
#: Where the commands of this environment lie.
COMMANDS = Path(sys.executable).parent
_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a child: the machine's, none of the user's."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "NO_PROXY": "127.0.0.1", **more}


def scratch() -> Path:
    """A new home directory for children.

    It is removed when the bench ends and not before: ext4 takes up to a millisecond to create a file while many have
    been removed in the last half minute, since it looks at each of them; the next case would pay for that.
    """
    path = Path(tempfile.mkdtemp(prefix="lineread-bench-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def timed(command: Sequence[str | Path], home: Path, **more: str) -> float:
    """Seconds from starting a command to its end."""
    environ = environment(home, **more)
    begin = time.perf_counter()
    done = subprocess.run(command, cwd=home, env=environ, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    seconds = time.perf_counter() - begin
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name} failed: {done.stderr.decode()[-400:]}")
    return seconds


def script_output(arguments: Sequence[str], home: Path) -> str:
    """What a Python child writes to standard output; to standard error with ``-X importtime``."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=home, env=environment(home), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments[:2])} failed: {done.stderr[-400:]}")
    return done.stdout or done.stderr


class Worker:
    """A child that keeps one side ready and runs it when it is told to.

    Args:
        side: The class to make there, as ``module:Class``.
        home: The child's home and working directory.
        settings: Keyword arguments of the class, JSON-ready.
    """

    def __init__(self, side: str, home: Path, **settings: object) -> None:
        self._side = side
        self._process = subprocess.Popen(
            [sys.executable, HERE / "worker.py", side, json.dumps(settings)],
            cwd=home,
            env=environment(home),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        self._answer()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.communicate()

    def measure(self) -> Mapping[str, Any]:
        """Run the side once: ``seconds``, and whatever else it found."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return self._answer()

    def seconds(self) -> float:
        """Run the side once: how long it took."""
        return float(self.measure()["seconds"])

    def _answer(self) -> Mapping[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._side} ended with status {self._process.wait()}; see its error above")
        answer: Mapping[str, Any] = json.loads(line)
        return answer
