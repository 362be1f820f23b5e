"""Helpers of many tests: the network guard, processes to start, and short ways to speak with the fake engine."""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pytest

#: What speaks with the system's espeak-ng, or has it read a language.
needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")

T = TypeVar("T")
Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


class NetworkBlocked(RuntimeError):
    """A test reached for the network. No OSError: code that expects a broken network must not take it for one."""


def is_loopback(host: object) -> bool:
    """Whether a name or an address is this machine itself."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(name).split("%")[0]).is_loopback
    except ValueError:
        return False


def watch_network(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook that lets only loopback pass."""
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        if isinstance(address, tuple) and not is_loopback(address[0]):
            raise NetworkBlocked(f"{event} to {address[0]!r}: tests use loopback only")
    elif event in ("socket.getaddrinfo", "socket.gethostbyname") and not is_loopback(arguments[0]):
        raise NetworkBlocked(f"{event} of {arguments[0]!r}: tests use loopback only")


def python(code: str, *arguments: str, timeout: float = 30, **options: object) -> subprocess.CompletedProcess[bytes]:
    """Run a piece of Python in a process of its own, in the test's home and working directory."""
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, timeout=timeout, check=False, **options)  # type: ignore[call-overload,no-any-return]


def lineread(*arguments: str, timeout: float = 30, **options: object) -> subprocess.CompletedProcess[bytes]:
    """Run the command line in a process of its own, as a user does."""
    command = [sys.executable, "-m", "lineread", *arguments]
    return subprocess.run(command, capture_output=True, timeout=timeout, check=False, **options)  # type: ignore[call-overload,no-any-return]


async def gather(source: AsyncIterator[T]) -> list[T]:
    """All that an asynchronous iterator gives."""
    return [item async for item in source]


def install(site: Path, module: str, source: str, **engines: str) -> None:
    """Put a package that brings engines where Python finds it, as an installer would."""
    info = site / f"{module}-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (site / f"{module}.py").write_text(source, encoding="utf-8")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n", encoding="utf-8")
    points = "".join(f"{name} = {target}\n" for name, target in engines.items())
    (info / "entry_points.txt").write_text(f"[lineread.engines]\n{points}", encoding="utf-8")


@contextmanager
def serving(home: Path, *options: str) -> Iterator[str]:
    """`lineread serve` as a process of its own, on a free port; its address, such as 127.0.0.1:40001.

    It stops by itself when it is told to, with status 0.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    environ = {name: value for name, value in os.environ.items() if name != "DASHSCOPE_API_KEY"}
    environ |= {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_DATA_HOME": str(home / "data"),
    }
    command = [sys.executable, "-m", "lineread", "serve", "--port", address.rpartition(":")[2], *options]
    with subprocess.Popen(command, env=environ, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            _await(f"http://{address}/healthz", process)
            yield address
        finally:
            process.terminate()
            said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said.decode()


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
    raise AssertionError(f"the server did not start; its status is {process.poll()}")
