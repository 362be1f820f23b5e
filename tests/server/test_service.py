"""A server's life: it starts or says in one line why not, stops when it is told to, and ends what runs before that."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lineread.engines.fake import Act, Fake
from lineread.errors import ConfigError
from lineread.server import service
from lineread.server.options import Options
from server.live import Live, generation, get, live, speech, until


async def held(server: Live, engine: Fake, call: bytes) -> Any:
    """A call that is being answered."""
    line = await server.connect()
    await line.send(call)
    await until(lambda: engine.running)
    return line


async def leaving(server: Live) -> asyncio.Task[None]:
    """Tell the server to stop."""
    stopping = asyncio.create_task(server.stop())
    await until(lambda: server.desk.closing)
    return stopping


@pytest.mark.parametrize("call", [speech(), generation(), generation("Hello.", "X-DashScope-SSE: enable")])
async def test_what_runs_is_ended(tmp_path: Path, call: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is told to stop answers what it has begun, to the end, and is gone right after."""
    monkeypatch.setattr(service, "_CUT", 0.05)
    engine = Fake(otherwise=Act(delay=0.1, pace=0.1, chunks=4))
    async with live(tmp_path, engine, grace=30) as server:
        line = await held(server, engine, call)
        stopping = await leaving(server)
        answer = await line.answer()
        assert answer.status == 200
        assert answer.body
        async with asyncio.timeout(3):
            await stopping
        assert await line.rest() == b""
        assert [seen["status"] for seen in await server.access()] == [200]


async def test_new_work_is_refused_while_the_old_ends(tmp_path: Path) -> None:
    """Kept connections and new ones are told so in their dialect, and are closed after that; health and finished files
    are answered as ever. Only when the old work has ended does nobody listen any more; the log says when both was.
    """
    engine = Fake([Act()], otherwise=Act(delay=3600))
    async with live(tmp_path, engine, grace=30, hurry=(hurry := asyncio.Event())) as server:
        kept = [await server.connect() for _ in range(3)]
        for line in kept:
            await line.send(get("/readyz"))
            assert (await line.answer()).status == 200
        file = (await server.ask(generation("Old."))).json["output"]["audio"]["url"].removeprefix("http://127.0.0.1")
        await held(server, engine, speech())
        stopping = await leaving(server)
        for line, call in zip(kept, (speech("New."), generation("New."), get("/readyz")), strict=True):
            for each in (line, await server.connect()):
                await each.send(call)
                answer = await each.answer()
                assert (answer.status, answer.headers["connection"]) == (503, "close")
                assert await each.rest() == b""
        for path in ("/healthz", file):
            assert (await server.ask(get(path))).status == 200
        hurry.set()
        await stopping
        with pytest.raises(ConnectionRefusedError):
            await server.connect()
        await until(lambda: len(server.log.notices()) == 2)
        assert server.log.notices() == [
            "Stopping: 1 running, with 30 s to end; new calls are refused.", "Stopped: 1 cut off."
        ]  # fmt: skip


@pytest.mark.parametrize("how", ["grace", "hurry"])
async def test_what_does_not_end_is_cut(tmp_path: Path, how: str) -> None:
    """After its grace, or when it is told again, the server cuts what still runs, and stops the engine."""
    engine = Fake(otherwise=Act(delay=3600))
    hurry = asyncio.Event()
    async with live(tmp_path, engine, hurry, grace=0.2 if how == "grace" else 3600) as server:
        line = await held(server, engine, speech())
        began = time.monotonic()
        stopping = await leaving(server)
        if how == "hurry":
            hurry.set()
        async with asyncio.timeout(5):
            await stopping
        assert (time.monotonic() - began >= 0.2) == (how == "grace")
        assert await line.rest() == b""
        assert engine.running == 0
        (seen,) = await server.access()
        assert (seen["status"], seen["code"]) == (503, "leaving")


async def test_an_idle_server_stops_at_once(tmp_path: Path) -> None:
    """Connections on which nothing runs do not hold it up, whatever its grace."""
    async with live(tmp_path, grace=3600) as server:
        lines = [await server.connect() for _ in range(5)]
        await lines[0].send(b"POST /v1/aud")
        async with asyncio.timeout(3):
            await server.stop()
        assert [await line.rest() for line in lines] == [b""] * 5


async def test_a_port_in_use(tmp_path: Path) -> None:
    """It is a one-line error with a remedy, and neither files nor sockets are left behind."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"^Port {port} of 127.0.0.1 is in use\. .* --port"):
            async with live(tmp_path, port=port):
                pass
    assert not made(tmp_path)
    async with live(tmp_path, port=port) as server:
        assert (await server.ask(get("/healthz"))).status == 200


def made(place: Path) -> list[Path]:
    return [*place.rglob("audio-url-secret")]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "may not listen at port 80. Choose one from 1024 on"),
        (errno.EADDRNOTAVAIL, "does not have the address 'localhost'"),
        (errno.ENOBUFS, "No buffer space"),
    ],
)
def test_sockets_that_cannot_be_had(number: int, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reason of the system's is told in words, with what to do."""

    def refuse(*_: object) -> None:
        raise OSError(number, "No buffer space")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(ConfigError) as caught, service.listening(Options(host="localhost", port=80)):
        pass
    assert words in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 300, "1.2.3", "::g"])
def test_hosts_that_are_none(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name without an address is told as such."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(ConfigError, match="no address for the host"), service.listening(Options(host=host)):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no 127.0.0.2")
def test_every_address_of_a_name_has_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with several addresses is listened at all of them, at one port; one that is not there is passed over."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 0)) for each in ("127.0.0.1", "127.0.0.2", "192.0.2.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with service.listening(Options(host="several", port=0)) as sockets:
        assert [each.getsockname()[0] for each in sockets] == ["127.0.0.1", "127.0.0.2"]
        assert len({each.getsockname()[1] for each in sockets}) == 1
    assert all(each.fileno() == -1 for each in sockets)


async def test_the_voice_is_loaded_at_the_start(tmp_path: Path) -> None:
    """So the first request does not wait for it, unless that is unwanted."""
    loaded = []

    class Slow(Fake):
        def warm(self) -> None:
            loaded.append(self)

    async with live(tmp_path, Slow()):
        assert len(loaded) == 1
    async with live(tmp_path / "cold", Slow(), warm=False):
        assert len(loaded) == 1


async def test_a_start_that_fails_closes_what_it_opened(tmp_path: Path) -> None:
    """Options that are refused late leave no socket behind: the next server gets the port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(ConfigError):
        async with live(tmp_path, port=port, origins=("nonsense",)):
            pass
    async with live(tmp_path, port=port) as server:
        with suppress(ConnectionError):
            assert (await server.ask(get("/healthz"))).status == 200
