"""Fetching a client's URL: which addresses, how far, how much, how long. No test leaves this machine."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import socket
import textwrap
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from lineread.errors import OptionError
from lineread.server.fetching import Fetched, Fetcher, is_public
from support import python

SOUND = b"RIFF" + bytes(2000)
INWARD = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.8.8.8",
    "168.63.129.16",
    "169.254.169.254",
    "172.31.255.255",
    "192.0.0.8",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::a00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1%eth0",
    "fec0::1",
    "ff02::1",
    "localhost",
    "",
]


@pytest.mark.parametrize("address", INWARD)
def test_no_inner_address_is_public(address: str) -> None:
    """Loopback, private, local, shared, multicast and reserved addresses, and IPv6 that wraps IPv4, are refused."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "47.88.1.1", "100.128.0.1", "172.32.0.1", "2606:4700::1", "2400:3200::1"]
)
def test_public_addresses(address: str) -> None:
    """Addresses of the internet are allowed, also those beside the closed ranges."""
    assert is_public(address)


@given(st.ip_addresses())
def test_what_python_calls_private_is_never_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """No address that the standard library knows to be special is taken for public."""
    special = address.is_private or address.is_multicast or address.is_reserved or address.is_link_local
    assert not (special and is_public(str(address)))


class Names(AbstractResolver):
    """A name server of the test's own, which may change its mind."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        address = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=0)]

    async def close(self) -> None:
        """Wanted by the interface."""


@dataclass
class Host:
    """A host of recordings on loopback.

    Attributes:
        url: Its root.
        asked: Paths that were asked for, with their heads.
    """

    url: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


@asynccontextmanager
async def hosting(answer: Callable[[web.Request], object]) -> AsyncIterator[Host]:
    host = Host()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        host.asked.append((request.path, dict(request.headers)))
        found = answer(request)  # type: ignore[arg-type]
        return await found if asyncio.iscoroutine(found) else found  # type: ignore[return-value]

    server = web.Server(handle)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield host
    finally:
        await runner.cleanup()


def loopback_only(address: str) -> bool:
    return address == "127.0.0.1"


def fetcher(**changes: object) -> Fetcher:
    return Fetcher(**{"most": 10_000, "seconds": 5.0, "allows": loopback_only, **changes})  # type: ignore[arg-type]


async def refusal(fetching: Fetcher, url: str) -> OptionError:
    with pytest.raises(OptionError) as raised:
        await fetching.fetch(url)
    assert (raised.value.code, raised.value.service_code) == ("not_fetched", "BadRequest.InputDownloadFailed")
    return raised.value


async def test_a_file_is_fetched() -> None:
    """A file comes as it is, with what its host says it is; the host is shown no cookie, key or compression."""
    async with hosting(lambda _: web.Response(body=SOUND, content_type="audio/mpeg")) as host:
        assert await fetcher().fetch(host.url + "/me.mp3") == Fetched(SOUND, "audio/mpeg")
    ((path, heads),) = host.asked
    assert path == "/me.mp3"
    assert heads["Accept-Encoding"] == "identity"
    assert not {"Cookie", "Authorization", "Referer"} & set(heads)


async def test_loopback_is_not_connected_to_whatever_it_is_called() -> None:
    """By its address in any spelling, or by a name that leads there: nothing is sent, and all are told the same."""
    async with hosting(lambda _: web.Response(body=SOUND)) as host:
        port = host.url.rpartition(":")[2]
        messages = set()
        for name in ("127.0.0.1", "localhost", "2130706433", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]", "0"):
            names = Names("127.0.0.1")
            messages.add((await refusal(fetcher(allows=is_public, resolver=names), f"http://{name}:{port}/")).message)
        messages.add(
            (await refusal(fetcher(allows=is_public, resolver=Names("169.254.169.254")), "http://a.b/")).message
        )
    assert not host.asked
    assert len(messages) == 1


async def test_a_name_server_that_changes_its_mind() -> None:
    """What is connected to is what was judged: a name whose address turns inward meanwhile is refused on the way."""
    judged: list[str] = []

    def allows(address: str) -> bool:
        judged.append(address)
        return address == "127.0.0.1"

    names = Names("127.0.0.1", "127.0.0.2")
    async with hosting(lambda request: web.Response(status=302, headers={"Location": "/again"})) as host:
        port = host.url.rpartition(":")[2]
        await refusal(fetcher(allows=allows, resolver=names), f"http://rebind.test:{port}/first")
    assert names.asked == ["rebind.test", "rebind.test"]
    assert judged == ["127.0.0.1", "127.0.0.2"]
    assert host.paths == ["/first"]


async def test_redirects() -> None:
    """Three redirects are followed, not four; none into this machine, to another scheme, or to a password."""
    ways = {"/1": "/2", "/2": "/3", "/3": "/4", "/0": "/1"}

    def answer(request: web.Request) -> web.Response:
        target = ways.get(request.path)
        return web.Response(status=307, headers={"Location": target}) if target else web.Response(body=SOUND)

    async with hosting(answer) as host:
        assert (await fetcher().fetch(host.url + "/1")).data == SOUND
        assert "more than 3 times" in (await refusal(fetcher(), host.url + "/0")).message
        seen = len(host.asked)
        port = host.url.rpartition(":")[2]
        for inward in (f"http://[::1]:{port}/", "file:///etc/passwd", f"http://a:b@127.0.0.1:{port}/", "gopher://x/"):
            ways["/0"] = inward
            await refusal(fetcher(), host.url + "/0")
        assert host.paths[seen:] == ["/0"] * 4


@pytest.mark.parametrize("claim", ["length", "chunked", "said"])
async def test_a_file_that_is_too_large(claim: str) -> None:
    """A file above the bound is dropped, whether its head says so, says nothing, or the body comes without an end."""

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if claim == "said":
            response.content_length = 10**9
        await response.prepare(request)
        for _ in range(10_000):
            await response.write(bytes(4096))
        return response

    async with hosting(
        lambda request: web.Response(body=bytes(10_001)) if claim == "length" else endless(request)
    ) as host:
        assert "more than 10000 bytes" in (await refusal(fetcher(), host.url)).message


async def test_a_compressed_file_is_not_unpacked() -> None:
    """A host that compresses is refused, and one that does not say so gives its bytes as they are."""
    bomb = gzip.compress(bytes(10_000_000))
    heads = {"Content-Encoding": "gzip"}
    async with hosting(lambda _: web.Response(body=b"x", headers=heads)) as host:
        assert "compresses" in (await refusal(fetcher(), host.url)).message
    async with hosting(lambda _: web.Response(body=bomb, content_type="application/gzip")) as host:
        assert (await fetcher(most=100_000).fetch(host.url)).data == bomb


async def test_a_slow_host() -> None:
    """All of it has one deadline, however lively the bytes trickle."""

    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.01)

    async with hosting(trickle) as host:
        async with asyncio.timeout(3):
            assert "0.2 s" in (await refusal(fetcher(seconds=0.2), host.url)).message


def test_a_name_server_that_never_answers() -> None:
    """Look-ups that hang hold up no process's end, and give no more threads away than there are places."""
    code = """
        import asyncio, socket, sys, threading
        from lineread.errors import OptionError
        from lineread.server.fetching import Fetcher

        asked = []
        def hanging(*_, **__):
            asked.append(1)
            threading.Event().wait()
        socket.getaddrinfo = hanging

        async def main():
            fetcher = Fetcher(most=1000, seconds=0.05)
            for each in range(6):
                try:
                    await fetcher.fetch("http://recordings.example/a.wav")
                except OptionError as error:
                    assert "did not come" in error.message, error
            await fetcher.aclose()
            print(len(asked), "asked")

        asyncio.run(main())
    """
    done = python(textwrap.dedent(code), timeout=20)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"4 asked\n", b"")


async def test_no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that the environment names is not asked: it could connect to anything."""
    async with hosting(lambda _: web.Response(body=b"from the proxy")) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        async with hosting(lambda _: web.Response(body=SOUND)) as host:
            assert (await fetcher().fetch(host.url)).data == SOUND
    assert not proxy.asked


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/a",
        "file:///etc/passwd",
        "http://",
        "http://[::1",
        "http://u@example.com/",
        "//a/b",
        "http://a/" + "x" * 5000,
    ],
)
async def test_what_is_no_url_for_it(url: str) -> None:
    """Other schemes, passwords, and what is no URL, are refused before any name is looked up."""
    names = Names("127.0.0.1")
    await refusal(fetcher(resolver=names), url)
    assert not names.asked


async def test_a_host_that_refuses() -> None:
    """Any answer but 200 is none."""
    async with hosting(lambda _: web.Response(status=404)) as host:
        assert "404" in (await refusal(fetcher(), host.url)).message


async def test_name_servers_that_never_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number of names that are looked up in vain is given up in time, and other work on threads goes on."""
    answer = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer.wait(20))
    try:
        fetching = fetcher(seconds=0.2)
        async with asyncio.timeout(5):
            refused = [refusal(fetching, f"http://slow-{at}.test/") for at in range(100)]
            assert {"0.2 s" in error.message for error in await asyncio.gather(*refused)} == {True}
            assert await asyncio.to_thread(lambda: "still there") == "still there"
    finally:
        answer.set()
