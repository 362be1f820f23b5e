"""The HTTP half of the ``dashscope`` engine.

Owns connections, deadlines, proxies and the table that turns aiohttp's exceptions into ours. Besides ``socket``, which
stands on its connections, it is the only module that sends the key, and it sends it to the API's host alone. Loading
aiohttp takes 0.2 s, which a line from the cache must not pay: ``engines.dashscope`` loads this module when the first
segment has to be spoken.
"""

from __future__ import annotations

import asyncio
import io
import random
import time
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Final, Self, TypeVar
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from lineread.audio.container import sniff
from lineread.errors import BadReply, ConfigError, EngineError, ServiceFailed, TimedOut, Unreachable
from lineread.version import __version__
from lineread.wire import dashscope as wire
from lineread.wire import sse

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from lineread.config import Secret
    from lineread.engines.dashscope import Timeouts

T = TypeVar("T")

_closing: set[asyncio.Task[None]] = set()

#: Most bytes of a JSON reply, of an error page, and of an audio file (23 minutes).
MAX_REPLY: Final = 1 << 20
MAX_FILE: Final = 64 << 20
#: Most fetches of one audio file, and most seconds before the second one; doubles with each further one.
FETCHES: Final = 5
FETCH_WAIT: Final = 0.4
#: Bytes by which an audio file is known.
HEAD: Final = 12
#: Seconds that a finished stream gets to end, so that its connection can be used again.
GRACE: Final = 0.25
#: Seconds that a look whether the service answers may take.
REACH_DEADLINE: Final = 5.0
#: Bytes a second at which a body is sent at worst; by that its deadlines are longer.
SLOWEST: Final = 64 << 10
#: The end of the names of the service's own hosts, which all speak TLS.
OWN_HOSTS: Final = ".aliyuncs.com"
#: A shorter text, or key, may well occur in an error by chance.
HIDEABLE: Final = 8

_NETWORK: Final = "Check the network, the proxy (HTTPS_PROXY) and the region; the builtin engine needs no network."
#: The same, where the host is not the service's own.
_ELSEWHERE: Final = "Check the base URL, and that a server listens there; the builtin engine needs none."
_CERTIFICATES: Final = (
    "Check the computer's clock; behind a proxy that inspects TLS, point SSL_CERT_FILE at its certificate."
)
_AGAIN: Final = "Try again; what is already spoken is kept."


@dataclass(frozen=True, slots=True)
class Answer:
    """That the service answers.

    Attributes:
        host: Who was asked.
        status: The HTTP status of the answer; any shows that the service can be reached.
        seconds: How long it took, the connection included.
    """

    host: str
    status: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What some of aiohttp's exceptions mean; ``{host}`` stands for whom we talked to."""

    kinds: tuple[type[BaseException], ...]
    error: type[EngineError]
    message: str
    remedy: str
    retryable: bool = True


#: The first row that has the exception's class decides.
MEANINGS: Final = (
    _Meaning((aiohttp.ConnectionTimeoutError,), TimedOut, "Connecting to {host} took too long.", _NETWORK),
    _Meaning((aiohttp.ServerTimeoutError,), TimedOut, "{host} fell silent.", _AGAIN),
    _Meaning(
        (aiohttp.ClientConnectorCertificateError,),
        Unreachable,
        "The certificate of {host} cannot be trusted.",
        _CERTIFICATES,
        retryable=False,
    ),
    _Meaning(
        (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch),
        Unreachable,
        "No secure connection to {host} could be made.",
        _CERTIFICATES,
        retryable=False,
    ),
    _Meaning(
        (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError),
        Unreachable,
        "The proxy on the way to {host} does not let the connection through.",
        "Check HTTPS_PROXY, or name the host in NO_PROXY.",
    ),
    _Meaning((aiohttp.ClientConnectorError,), Unreachable, "Cannot reach {host}.", _NETWORK),
    _Meaning(
        (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError),
        Unreachable,
        "The connection to {host} dropped.",
        _AGAIN,
    ),
    _Meaning(
        (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, aiohttp.RedirectClientError, aiohttp.TooManyRedirects),
        BadReply,
        "{host} sent us to an address that cannot be used.",
        "Check the base URL.",
        retryable=False,
    ),
    _Meaning(
        (aiohttp.ClientResponseError,),
        BadReply,
        "{host} answered something that is not HTTP.",
        "Check the base URL and the proxy.",
    ),
    # Whatever a later aiohttp may add, and errors of the socket itself.
    _Meaning((aiohttp.ClientError, OSError), Unreachable, "The connection to {host} failed.", _NETWORK),
)


class Connections:
    """Connections to the service, made with one key: a session of aiohttp's for each event loop.

    Args:
        key: The API key.
        workspace: Workspace id to send along.
        timeouts: Deadlines.
    """

    def __init__(self, key: Secret, *, workspace: str | None, timeouts: Timeouts) -> None:
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}
        self._key = key
        self._timeouts = timeouts
        self._headers = {"X-DashScope-WorkSpace": workspace} if workspace else {}
        self._proxies: dict[tuple[str, str | None], str | None] = {}

    async def aclose(self) -> None:
        """Close this event loop's connections, and those of loops that have ended."""
        await self._forget_dead_loops()
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()

    def _authorised(self) -> dict[str, str]:
        """The headers of a request that the key lets in."""
        return self._headers | {"Authorization": f"Bearer {self._key.reveal()}"}

    def _hide(self, text: str, said: str) -> str:
        """What the service says, without the key and the text. No frame keeps the key in a variable on the way."""
        if len(self._key.reveal()) >= HIDEABLE:
            said = said.replace(self._key.reveal(), "***")
        return said.replace(text, "…") if len(text) >= HIDEABLE else said

    def hiding(self, *texts: str) -> Callable[[str], str]:
        """What takes the key and these texts out of what the service says."""

        def hide(said: str) -> str:
            for text in ("", *texts):
                said = self._hide(text, said)
            return said

        return hide

    async def _session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None:
            session = self._sessions[loop] = aiohttp.ClientSession(
                # How many calls run at once is the pipeline's business; names are kept as long as a book takes.
                connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=600),
                cookie_jar=aiohttp.DummyCookieJar(),
                requote_redirect_url=False,  # a signed address counts byte for byte
                headers={"User-Agent": f"lineread/{__version__}"},
                timeout=aiohttp.ClientTimeout(total=None, connect=self._timeouts.connect),
            )
            await self._forget_dead_loops()
        return session

    def __del__(self) -> None:
        """Close connections that nobody can use any more; aiohttp would complain about them in the log."""
        for loop, session in self._sessions.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_close_soon, loop, session)

    async def _forget_dead_loops(self) -> None:
        """Let go of sessions whose loop has ended; aiohttp would complain about them in the log."""
        for loop in [loop for loop in self._sessions if loop.is_closed()]:
            session = self._sessions.pop(loop)
            if session.connector is not None:
                await session.connector.close()

    def _proxy(self, url: URL) -> str | None:
        """The proxy that the environment wants for an address.

        aiohttp's own ``trust_env`` would do it in two threads for each call, and would refuse calls to hosts that
        the user's ``.netrc`` knows, since these already carry our key.
        """
        place = (url.scheme, url.host)
        if place not in self._proxies:
            self._proxies[place] = _proxy_for(url)
        return self._proxies[place]


class Service(Connections):
    """The service behind one base URL, asked with one key.

    Args:
        key: The API key.
        base_url: Where the API is, up to and without ``/services``.
        workspace: Workspace id to send along.
        streaming: Ask for events instead of one reply.
        timeouts: Deadlines.
    """

    def __init__(
        self, key: Secret, *, base_url: str, workspace: str | None, streaming: bool, timeouts: Timeouts
    ) -> None:
        super().__init__(key, workspace=workspace, timeouts=timeouts)
        self._base_url = base_url
        self._url = _api_url(base_url)
        self._headers |= {
            "Content-Type": "application/json",
            # Not compressed: Base64 of noise-like samples gains little, and a compressor would hold events back.
            "Accept-Encoding": "identity",
        }
        self._wants = {"X-DashScope-SSE": "enable", "Accept": "text/event-stream"} if streaming else {}
        self._under_way: set[_Exchange] = set()

    async def replies(self, call: wire.Synthesis) -> AsyncGenerator[wire.Reply, None]:
        """Make a call: its replies as they come, the last one finished.

        Raises:
            EngineError: The service did not answer, refused, or stopped before it was finished.
        """
        hide = self.hiding(call.text)
        request = (await self._session()).post(
            self._url,
            data=call.encode(),
            headers=self._authorised() | self._wants,
            allow_redirects=False,  # the key goes to no other address than the one that it was given for
            proxy=self._proxy(self._url),
        )
        async with _Exchange(self._url, self._timeouts, self._under_way) as exchange:
            response = await exchange.begin(request)
            if response.status != 200:
                raise await _refusal(exchange, response, hide)
            if response.content_type != "text/event-stream":
                yield wire.decode_reply(await exchange.rest(MAX_REPLY), hide=hide)
                return
            decoder = sse.Decoder()
            request_id = ""
            ended = False
            while not ended:
                part = await exchange.part()
                ended = not part
                events = decoder.feed(part) if part else decoder.flush()
                for reply in wire.decode_events(events, hide=hide):
                    request_id = reply.request_id or request_id
                    if reply.finished:
                        await exchange.drain()
                        yield reply
                        return
                    yield reply
        raise BadReply(
            "The service stopped before the speech was complete.",
            remedy=_AGAIN,
            code="incomplete_reply",
            retryable=True,
            request_id=request_id,
        )

    async def ask(self, path: str, errand: Errand, *, most: int, hide: Callable[[str], str]) -> bytes:
        """Ask another of the service's interfaces: the body of its answer.

        Args:
            path: Which one, under the base URL.
            errand: The body, JSON; tells afterwards how far it got.
            most: Most bytes of the answer.
            hide: Takes what may not show in an error out of what the service says; see :meth:`hiding`.

        Raises:
            EngineError: There is no answer, or none with status 200.
        """
        url = _api_url(self._base_url, path)
        request = (await self._session()).post(
            url, data=errand, headers=self._authorised(), allow_redirects=False, proxy=self._proxy(url)
        )
        sending = errand.size / SLOWEST  # waiting for the answer is waiting for all to be sent as well
        timeouts = replace(self._timeouts, idle=self._timeouts.idle + sending, total=self._timeouts.total + sending)
        async with _Exchange(url, timeouts, self._under_way) as exchange:
            response = await exchange.begin(request)
            errand.status = response.status
            if response.status != 200:
                raise await _refusal(exchange, response, hide)
            return await exchange.rest(most)

    async def download(self, address: str) -> AsyncGenerator[bytes, None]:
        """The bytes of a WAV file as they come. The key is not sent along: the address is signed.

        Whoever makes the call again pays for it again, so what goes wrong on the way to the file is mended here: it is
        fetched again from its beginning, within one call's deadline, and what came before is not handed on twice.

        Raises:
            EngineError: It could not be fetched, or is something else.
        """
        url = _audio_url(address)
        taken = 0
        async with _Exchange(url, self._timeouts, self._under_way) as exchange:
            for fetch in count(1):
                try:
                    async with aclosing(self._fetch(url, exchange, after=taken)) as parts:
                        async for part in parts:
                            taken += len(part)
                            yield part
                except EngineError as error:
                    failure = error
                else:
                    return
                wait = max(_fetch_wait(fetch), failure.retry_after or 0.0)
                if not failure.retryable or fetch == FETCHES or not await exchange.rest_for(wait):
                    _give_up(failure, fetch)
                    raise failure

    async def _fetch(self, url: URL, exchange: _Exchange, *, after: int) -> AsyncGenerator[bytes, None]:
        """The bytes of a WAV file after so many, fetched once."""
        request = (await self._session()).get(
            url, headers={"Accept-Encoding": "identity"}, max_redirects=3, proxy=self._proxy(url)
        )
        response = await exchange.begin(request)
        if response.status != 200:
            raise _no_file(response, url)
        part = b""
        while len(part) < HEAD and (more := await exchange.part()):
            part += more
        if sniff(part) != "wav":
            raise BadReply(f"The audio file on {url.host} is not a WAV file.", remedy=_AGAIN, retryable=True)
        size = 0
        while part:
            size += len(part)
            if size > MAX_FILE:
                raise BadReply(f"The audio file is larger than {MAX_FILE >> 20} MiB.", remedy="Shorten the line.")
            if size > after:
                yield part[after - size :]  # all of it, but for the first one
            part = await exchange.part()
        if size < after:
            raise BadReply(f"The audio file on {url.host} is no longer the same.", remedy=_AGAIN, retryable=True)

    async def reach(self) -> Answer:
        """Ask, without the key, whether anybody answers.

        Raises:
            Unreachable: Nobody does.
            TimedOut: Nobody did in time.
        """
        began = time.monotonic()
        request = (await self._session()).get(self._url, allow_redirects=False, proxy=self._proxy(self._url))
        async with _Exchange(self._url, replace(self._timeouts, total=REACH_DEADLINE), self._under_way) as exchange:
            response = await exchange.begin(request)
            return Answer(self._url.host or "", response.status, time.monotonic() - began)

    async def aclose(self) -> None:
        """Close this event loop's connections, and those of loops that have ended. Calls under way end in an error."""
        loop = asyncio.get_running_loop()
        for exchange in tuple(self._under_way):
            if exchange.loop is loop:
                exchange.hang_up()
        await super().aclose()


class Errand(io.BytesIO):
    """A request's body on its way, which tells how far it got: what never left cannot have been carried out.

    Attributes:
        size: How many bytes it has.
        begun: There was a connection, and the sending of the body began.
        status: The HTTP status of the answer; None while there is none.
    """

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.size = len(body)
        self.begun = False
        self.status: int | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file; aiohttp does it once it is connected."""
        self.begun = True
        return super().read(size)


class _Exchange:
    """A request and its response: whatever waits for the network waits here, against the deadlines.

    The time that the reader of the speech takes between two parts does not count. A request that is made again is part
    of the same exchange, and has what is left of its time.
    """

    def __init__(self, url: URL, timeouts: Timeouts, under_way: set[_Exchange]) -> None:
        self.loop = asyncio.get_running_loop()
        self._host = address(url)
        self._timeouts = timeouts
        self._idle = timeouts.idle
        self._left = timeouts.total
        self._under_way = under_way
        self._response: aiohttp.ClientResponse | None = None
        self._hung_up = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._under_way.add(self)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._under_way.discard(self)
        self._release()

    def hang_up(self) -> None:
        """End it from outside: whoever waits for the next part gets an error. Closing the session would not wake it."""
        self._hung_up.set()
        if self._response is not None:
            self._response.close()

    async def begin(self, request: Awaitable[aiohttp.ClientResponse]) -> aiohttp.ClientResponse:
        """Send a request and wait for the head of its response."""
        self._release()
        self._response = await self._wait(request)
        return self._response

    async def rest_for(self, seconds: float) -> bool:
        """Wait before the request is made again; False, and at once, if there is no time for that or nobody waits."""
        self._left -= seconds
        if self._left <= 0 or self._hung_up.is_set():
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hung_up.wait()
        return not self._hung_up.is_set()

    async def part(self) -> bytes:
        """The next bytes of the body; none at its end."""
        assert self._response is not None
        return await self._wait(self._response.content.readany())

    async def rest(self, limit: int) -> bytes:
        """All of the body.

        Raises:
            BadReply: It is larger than the limit.
        """
        parts: list[bytes] = []
        size = 0
        while part := await self.part():
            parts.append(part)
            size += len(part)
            if size > limit:
                raise BadReply(f"{self._host} sent more than {limit >> 10} KiB.", remedy="Check the base URL.")
        return b"".join(parts)

    async def drain(self) -> None:
        """Wait a moment for the end of a body that has nothing more to say."""
        self._idle = self._left = GRACE
        try:
            while await self.part():
                pass
        except EngineError:
            pass  # all that is lost is a connection

    def _release(self) -> None:
        if self._response is not None:
            self._response.release()  # a connection whose response was not read to its end is closed by this
            self._response = None

    async def _wait(self, step: Awaitable[T]) -> T:
        began = self.loop.time()
        limit = min(self._idle, self._left)
        try:
            async with asyncio.timeout(limit):
                return await step
        except aiohttp.ClientError as problem:
            error = translate(problem, self._host)
        except TimeoutError:
            error = self._late()
        except OSError as problem:
            error = translate(problem, self._host)
        finally:
            self._left -= self.loop.time() - began
        # Out here the exception is not chained to aiohttp's, which holds the request's headers, and thus the key.
        raise error

    def _late(self) -> TimedOut:
        if self._left < self._idle:
            message = f"{self._host} took more than {self._timeouts.total:g} s for one call."
        else:
            message = f"Nothing came from {self._host} for {self._idle:g} s."
        return TimedOut(message, remedy=_AGAIN, retryable=True)


def _close_soon(loop: asyncio.AbstractEventLoop, session: aiohttp.ClientSession) -> None:
    closing = loop.create_task(session.close())
    _closing.add(closing)  # a loop alone does not keep its tasks alive
    closing.add_done_callback(_closing.discard)


def translate(problem: BaseException, host: str) -> EngineError:
    """What an exception of aiohttp or of the socket means to whoever wanted speech from that host."""
    meaning = next(row for row in MEANINGS if isinstance(problem, row.kinds))
    remedy = reaching(host) if meaning.remedy is _NETWORK else meaning.remedy
    error = meaning.error(meaning.message.format(host=host), remedy=remedy, retryable=meaning.retryable)
    error.may_be_billed = not isinstance(problem, aiohttp.ClientConnectorError)
    return error


def address(url: URL) -> str:
    """Who is at a URL, with the port where that is not the usual one."""
    return url.host_port_subcomponent or "the service"


def reaching(host: str) -> str:
    """What to do where somebody is not to be reached."""
    return _NETWORK if host.endswith(OWN_HOSTS) else _ELSEWHERE


async def _refusal(exchange: _Exchange, response: aiohttp.ClientResponse, hide: Callable[[str], str]) -> EngineError:
    """The error in a response whose status is not 200."""
    try:
        body = await exchange.rest(MAX_REPLY)
    except EngineError:
        body = b""  # the status alone has to do
    return wire.decode_error(
        response.status,
        body,
        retry_after=wire.retry_after(response.headers, now=time.time()),
        request_id=response.headers.get("x-request-id", ""),
        hide=hide,
    )


def _no_file(response: aiohttp.ClientResponse, url: URL) -> EngineError:
    status = response.status
    if status in (403, 404, 410):
        return BadReply(
            f"The audio file on {url.host} has expired or is gone (HTTP {status}).",
            remedy="Speak the line again: a file's address works for 24 hours. If it stays, check the proxy.",
            code="audio_expired",
        )
    return ServiceFailed(
        f"The audio file on {url.host} could not be fetched (HTTP {status}).",
        remedy=_AGAIN,
        retryable=status >= 500 or status in (408, 429),
        retry_after=wire.retry_after(response.headers, now=time.time()),
    )


def _fetch_wait(fetches: int) -> float:
    """Seconds before the next fetch after so many."""
    most = FETCH_WAIT * 2 ** (fetches - 1)
    return random.uniform(most / 2, most)  # noqa: S311 - spreads waits


def _give_up(failure: EngineError, fetches: int) -> None:
    """Say in the last fetch's error how many there were, and whether a new call could help. The speech is paid for.

    It could where the file itself is broken. Where the way to it is, a new call would be paid for, and its file be as
    far away; so that is left to whoever pays.
    """
    failure.retryable = failure.retryable and isinstance(failure, BadReply)
    failure.retry_after = None
    failure.may_be_billed = True
    if fetches > 1:
        failure.message = f"{failure.message.removesuffix('.')} ({fetches} tries to fetch the audio)."
        failure.args = (failure.message,)


def _api_url(base_url: str, path: str = wire.PATH) -> URL:
    """Where something is asked for: speech, unless another path says otherwise.

    Raises:
        ConfigError: The base is no URL.
    """
    try:
        return URL(base_url.rstrip("/") + path)
    except ValueError:
        raise ConfigError(
            "The base URL is no URL.", remedy="It looks like https://dashscope.aliyuncs.com/api/v1."
        ) from None


def _audio_url(address: str) -> URL:
    """An audio file's address, byte for byte as it was signed, and over TLS where the host has it.

    Raises:
        BadReply: It is no address.
    """
    try:
        url = URL(address, encoded=True)
        plain = address.isascii() and address.isprintable() and " " not in address
        secure = url.scheme == "http" and (url.host or "").endswith(OWN_HOSTS) and url.explicit_port is None
    except ValueError:
        plain = False
    if not plain or url.scheme not in ("http", "https"):
        raise BadReply("The service gave an address of the audio that is none.", remedy=_AGAIN, retryable=True)
    return url.with_scheme("https") if secure else url


def _proxy_for(url: URL) -> str | None:
    if proxy_bypass(url.host or ""):
        return None
    proxy = getproxies().get(url.scheme)
    if not proxy:
        return None
    scheme, found, _ = proxy.partition("://")
    if not found:
        return f"http://{proxy}"
    if scheme not in ("http", "https"):
        raise ConfigError(
            f"A {scheme} proxy cannot be used.",
            remedy=f"Set {url.scheme.upper()}_PROXY to an http:// proxy, or name {url.host} in NO_PROXY.",
            code="bad_proxy",
        )
    return proxy
