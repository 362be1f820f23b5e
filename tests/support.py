"""Helpers of many tests: the network guard, processes to start, and short ways to speak with the fake engine."""

from __future__ import annotations

import ipaddress
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

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
