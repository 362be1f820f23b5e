"""Fetching what a client's URL leads to, without lending the client this machine's place in the network.

Owns which addresses may be connected to, and the bounds of a download. An address is judged where its socket is made:
it is the very address that is connected to, whatever a name server says before or after, however the host was written,
and at every redirect anew. There is no proxy, no cookie and no password, whatever the environment sets.

Whoever asks learns only that it did not work: not whether a host is there that only this machine can see.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import AbstractResolver, ResolveResult

from lineread.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[str | int, ...]]

#: Redirects that are followed.
MOST_REDIRECTS: Final = 3
#: Most characters of a URL.
LONGEST_URL: Final = 4096
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_OK: Final = 200
_PIECE: Final = 1 << 16
#: Names that are looked up at the same time.
_LOOKUPS: Final = 4
_CODE: Final = "not_fetched"

#: IPv4 that is nobody's on the internet, or has a meaning of its own. Source: IANA's registry of special-purpose
#: addresses; 168.63.129.16 is where a large cloud keeps what only its own machines may know.
_CLOSED_V4: Final = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "168.63.129.16/32",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/3",
        ),
    )
)
#: IPv6 that is given out at all. Loopback, local and multicast addresses, mapped IPv4 and NAT64 lie outside.
_OPEN_V6: Final = ipaddress.IPv6Network("2000::/3")
#: What of that is special: Teredo and its like, documentation, 6to4, which wraps any IPv4.
_CLOSED_V6: Final = tuple(
    map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"))
)


def is_public(address: str) -> bool:
    """Whether an IP address is that of a host on the internet.

    Args:
        address: As sockets have it; an IPv6 address with a zone is none.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv4Address):
        return not any(found in network for network in _CLOSED_V4)
    return found.scope_id is None and found in _OPEN_V6 and not any(found in network for network in _CLOSED_V6)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was fetched.

    Attributes:
        data: All of it.
        media_type: What the host says that it is, such as ``audio/wav``; empty where it says nothing.
    """

    data: bytes
    media_type: str


class Names(AbstractResolver):
    """Looks names up as the system does, on threads of its own: a name server that never answers holds up no others.

    Nobody can end such a look-up. So it keeps its place among those that are made at the same time, also when nobody
    waits for it any more; its thread is a daemon's, and the process ends without it.
    """

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(_LOOKUPS)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host.

        Raises:
            OSError: It has none.
        """
        await self._places.acquire()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[ResolveResult]] = loop.create_future()

        def arrived(found: list[ResolveResult] | Exception) -> None:
            self._places.release()
            if answer.done():
                return
            if isinstance(found, Exception):
                answer.set_exception(found)
            else:
                answer.set_result(found)

        def look_up() -> None:
            found: list[ResolveResult] | Exception
            try:
                found = _addresses(host, port, family)
            except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
                found = error
            with suppress(RuntimeError):  # the server has stopped meanwhile
                loop.call_soon_threadsafe(arrived, found)

        try:
            threading.Thread(target=look_up, name="lineread-names", daemon=True).start()
        except RuntimeError as error:
            self._places.release()
            raise OSError("no thread to look it up on") from error
        return await answer

    async def close(self) -> None:
        """Nothing has to be let go of: each thread ends with its look-up, or with the process."""


def _addresses(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    """What the system says of a name; it may take as long as it likes."""
    return [
        ResolveResult(hostname=host, host=str(address[0]), port=port, family=kind, proto=protocol, flags=0)
        for kind, _, protocol, _, address in socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
    ]


class Fetcher:
    """Fetches files of clients' URLs.

    Args:
        most: Most bytes of a file.
        seconds: What a download may take in all, redirects included.
        allows: Which addresses may be connected to.
        resolver: Finds hosts' addresses; None asks the system.
    """

    def __init__(
        self,
        *,
        most: int,
        seconds: float,
        allows: Callable[[str], bool] = is_public,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._most = most
        self._seconds = seconds
        self._allows = allows
        self._resolver = resolver or Names()

    async def fetch(self, url: str) -> Fetched:
        """The file at a URL.

        Raises:
            OptionError: It cannot be had (code ``not_fetched``).
        """
        try:
            async with asyncio.timeout(self._seconds), self._session() as session:
                for _ in range(MOST_REDIRECTS + 1):
                    found = await self._ask(session, _checked(url))
                    if isinstance(found, Fetched):
                        return found
                    url = urljoin(url, found)
        except TimeoutError:
            raise not_fetched(f"The audio did not come within {self._seconds:g} s.") from None
        except (aiohttp.ClientError, OSError, ValueError):
            # Which of them would tell what only this machine can see.
            raise not_fetched("The audio cannot be fetched: nothing public answers at its URL.") from None
        raise not_fetched(f"The URL of the audio leads on more than {MOST_REDIRECTS} times.")

    async def aclose(self) -> None:
        """Let go of what finds addresses. A look-up that is under way holds up nobody's end."""
        await self._resolver.close()

    def _session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=self._resolver,
            use_dns_cache=False,
            force_close=True,
            socket_factory=self._socket,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=self._seconds),
            headers={hdrs.ACCEPT: "audio/*", hdrs.ACCEPT_ENCODING: "identity", hdrs.USER_AGENT: "lineread"},
        )

    def _socket(self, info: AddressInfo) -> socket.socket:
        """The socket that is connected to exactly this address, if it may be."""
        family, kind, protocol, _, address = info
        if not self._allows(str(address[0])):
            raise PermissionError("no public address")
        return socket.socket(family, kind, protocol)

    async def _ask(self, session: aiohttp.ClientSession, url: str) -> Fetched | str:
        """The file, or where it is instead."""
        async with session.get(url, allow_redirects=False) as answer:
            if answer.status in _REDIRECTS:
                return answer.headers.get(hdrs.LOCATION, "")
            if answer.status != _OK:
                raise not_fetched(f"The audio cannot be fetched: its host answers {answer.status}.")
            if answer.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
                raise not_fetched("The audio cannot be fetched: its host compresses it.")
            if (answer.content_length or 0) > self._most:
                raise self._too_large()
            data = await self._read(answer.content.iter_chunked(_PIECE))
            return Fetched(data, answer.content_type if hdrs.CONTENT_TYPE in answer.headers else "")

    async def _read(self, pieces: AsyncIterator[bytes]) -> bytes:
        """All of a body, whose head may lie about its length."""
        data = bytearray()
        async for piece in pieces:
            data += piece
            if len(data) > self._most:
                raise self._too_large()
        return bytes(data)

    def _too_large(self) -> OptionError:
        return not_fetched(f"The audio at the URL has more than {self._most} bytes.")


def _checked(url: str) -> str:
    """The URL, if it is of a kind that is fetched.

    Raises:
        OptionError: It is not.
        ValueError: It is no URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or len(url) > LONGEST_URL:
        raise not_fetched("The URL of the audio is no http or https URL, or a very long one.")
    if "@" in parts.netloc:
        raise not_fetched("The URL of the audio has a user name in it.")
    return url


def not_fetched(message: str) -> OptionError:
    """What a client is told of a recording that could not be fetched."""
    remedy = (
        "Send the audio itself, as a data URI such as data:audio/wav;base64,..., or put it where everybody gets it."
    )
    return OptionError(message, remedy=remedy, code=_CODE, service_code="BadRequest.InputDownloadFailed")
