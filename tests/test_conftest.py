"""The guards that protect every other test really guard."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from lineread import config
from support import NetworkBlocked, is_loopback, python

FAR = ("192.0.2.1", 443)  # reserved for documentation: nobody answers there


def test_connections_beyond_loopback_are_refused() -> None:
    """A TCP connection, a UDP packet and a name look-up that leave the machine raise before they do."""
    with socket.socket() as tcp, pytest.raises(NetworkBlocked):
        tcp.connect(FAR)
    with socket.socket() as tcp, pytest.raises(NetworkBlocked):
        tcp.connect_ex(FAR)
    with socket.socket(type=socket.SOCK_DGRAM) as udp, pytest.raises(NetworkBlocked):
        udp.sendto(b"x", FAR)
    with pytest.raises(NetworkBlocked):
        socket.getaddrinfo("dashscope.aliyuncs.com", 443)
    with pytest.raises(NetworkBlocked):
        socket.create_connection(("dashscope.aliyuncs.com", 443), timeout=1)


async def test_asyncio_is_guarded_too() -> None:
    """An asyncio connection (by address and by name, resolved in a thread) raises as well."""
    with pytest.raises(NetworkBlocked):
        await asyncio.open_connection(*FAR)
    with pytest.raises(NetworkBlocked):
        await asyncio.open_connection("dashscope.aliyuncs.com", 443)


async def test_loopback_works() -> None:
    """A server on this machine can be reached, by name and by address."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        for host in ("127.0.0.1", "localhost"):
            reader, writer = await asyncio.open_connection(host, port)
            assert await reader.read() == b"hello"
            writer.close()
            await writer.wait_closed()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", b"localhost", None])
def test_this_machine_is_loopback(host: object) -> None:
    """Loopback is this machine's own address block and its name ..."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["10.0.0.1", "0.0.0.0", "localhost.example", "::", "2001:db8::1", b"example.com"])
def test_others_are_not(host: object) -> None:
    """... and nothing that resembles it."""
    assert not is_loopback(host)


def test_the_environment_is_clean(tmp_path: Path) -> None:
    """Home, working directory and every setting come from the test, not from who runs it."""
    assert not [name for name in os.environ if name.startswith(("DASHSCOPE_", "ALIBABA", "ALICLOUD", "LINEREAD_"))]
    assert not [name for name in os.environ if name.lower().endswith("_proxy")]
    assert "OUTPUT_DIR" not in os.environ
    assert Path.cwd() == tmp_path / "work"
    assert Path.home().is_relative_to(tmp_path)
    settings = config.resolve()
    assert settings.key is None
    assert settings.cache_dir is not None
    assert Path(settings.cache_dir).is_relative_to(tmp_path)


def test_children_live_in_the_clean_machine_too(tmp_path: Path) -> None:
    """A process that a test starts sees the test's home, and not the user's key."""
    child = python("import os; print(os.getcwd(), os.environ['HOME'], os.environ.get('DASHSCOPE_API_KEY'))")
    assert child.stdout.decode().split() == [str(tmp_path / "work"), str(tmp_path / "home"), "None"]


def test_helpers_below_tests_can_be_imported() -> None:
    """``tests`` is on the path, so that one folder's helpers serve all."""
    import importlib.util

    assert importlib.util.find_spec("loopback.dashscope") is not None
