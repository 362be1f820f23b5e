"""The entrance: which requests come in at all, and which web pages may read the answers.

Owns five checks, in this order:

    Host          URLs are made from it, so it has to be one. Without keys it has to name this machine: a web page whose
                  own name was made to lead here (DNS rebinding) still shows that name.
    Origin        Of WebSockets, where there are no keys: any web page can open one, and read it, CORS or not. A page of
                  another origin has to be allowed by CORS. SDKs show the server's own origin, or none. Of calls of
                  agents' tools as well, since their protocol asks for it.
    CORS          Off unless asked for. A preflight is answered here and goes no further.
    key           ``Authorization: Bearer``, in both dialects.
    Content-Type  Bodies are JSON and say so. A browser sends that to another origin only after a preflight, so without
                  CORS no page has anything spoken.
"""

from __future__ import annotations

import ipaddress
import math
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from lineread.errors import ConfigError, KeyRefused, LinereadError, MalformedRequest, NotAllowed, TurnedAway
from lineread.server.sight.visit import visit_of
from lineread.server.sound.signing import PLACE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from lineread.server.desk import Desk
    from lineread.server.options import Options

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: First parts of the routes that need no key: files, whose URLs are signed, and what tells nothing of anybody's calls.
OPEN: Final = ("", PLACE.strip("/"), "healthz", "readyz", "docs", "openapi.json")
#: Where agents call tools.
TOOLS: Final = "/mcp"
_METHODS: Final = "GET, HEAD, POST"
#: What pages may read of an answer's head, beyond what they always may.
_EXPOSED: Final = "Content-Range, Retry-After, X-Request-Id"
#: Seconds that a browser may go by an answer to its preflight.
_PREFLIGHT_LASTS: Final = "600"
#: Where a request that was refused carries the seconds to wait.
_WAIT: Final = web.RequestKey("wait", float)
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?")
_HEADER_NAMES: Final = re.compile(r"[A-Za-z0-9_-]+(?:[ \t]*,[ \t]*[A-Za-z0-9_-]+)*")
_JSON: Final = re.compile(r"application/([\w.-]+\+)?json")
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?")


class Entrance:
    """The entrance of one server.

    Args:
        desk: Has the keys and the options.

    Raises:
        ConfigError: The server would be open to more than its options say they mean.
    """

    def __init__(self, desk: Desk) -> None:
        self._keys = desk.keys
        self._origins = frozenset(desk.options.origins)
        self._public = _public_name(desk.options)
        check(desk.options)

    def install(self, app: web.Application) -> None:
        """Put it behind the doors that the application has by now."""
        app.middlewares.append(self.door)
        app.on_response_prepare.append(self.dress)

    @web.middleware
    async def door(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a request in, or answer it here.

        Raises:
            TurnedAway: It does not come in.
        """
        self._check_host(request)
        self._check_origin(request)
        if self._origins and _is_preflight(request):
            return web.Response(status=204)
        if self._keys.configured and not _is_open(request):
            visit_of(request).caller = self._keys.recognise(_shown(request)).name
        if request.match_info.route.method == hdrs.METH_POST and not _JSON.fullmatch(request.content_type):
            raise MalformedRequest(
                "The body is not said to be JSON.", remedy="Send it with Content-Type: application/json."
            )
        try:
            return await handler(request)
        except LinereadError as error:
            if error.retry_after is not None:
                request[_WAIT] = error.retry_after
            raise

    async def dress(self, http: web.Request, response: web.StreamResponse) -> None:
        """Add to the head of any answer, streams and refusals too, what no dialect has to know of."""
        if response.status == 401:
            response.headers.setdefault(hdrs.WWW_AUTHENTICATE, 'Bearer realm="lineread"')
        if _WAIT in http:
            response.headers.setdefault(hdrs.RETRY_AFTER, str(max(1, math.ceil(http[_WAIT]))))
        if not self._origins:
            return
        if "*" not in self._origins:
            _vary(response, hdrs.ORIGIN)
        origin = http.headers.get(hdrs.ORIGIN)
        if origin is None or not self._origins & {"*", origin}:
            return
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*" if "*" in self._origins else origin
        if _is_preflight(http):
            _grant(http, response)
        else:
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED

    def _check_host(self, http: web.Request) -> None:
        shown = http.headers.getall(hdrs.HOST, [])
        if not shown and _is_open(http):
            return  # HTTP/1.0, as some load balancers still ask for a server's health; no URL is made there
        match = _HOST.fullmatch(shown[0]) if len(shown) == 1 else None
        if match is None or int(match[2] or 0) > 65_535:
            raise TurnedAway("The Host header is none.", remedy="Send the name and port that the server was called by.")
        name = match[1].lower().rstrip(".")
        if not (self._keys.configured or is_loopback(name) or name == self._public):
            raise NotAllowed(
                "This server has no keys, so it answers to names of its own machine only.",
                remedy="Call it by localhost. Whoever runs it can start it with --keys FILE, or --public-url.",
            )

    def _check_origin(self, http: web.Request) -> None:
        origin = http.headers.get(hdrs.ORIGIN)
        watched = hdrs.UPGRADE in http.headers or http.path == TOOLS
        if origin is None or self._keys.configured or not watched:
            return  # a page cannot show a key with a WebSocket
        if self._origins & {"*", origin} or self._is_own(origin, http):
            return
        raise NotAllowed(
            "This server has no keys, so it takes nothing from a web page of another origin here.",
            remedy="Whoever runs it can start it with --cors and that origin, if the page can be trusted.",
        )

    def _is_own(self, origin: str, http: web.Request) -> bool:
        """Whether an origin is the server's own, by the name that it was called by or is known by."""
        scheme, _, place = origin.lower().partition("://")
        match = _HOST.fullmatch(place)
        if scheme not in ("http", "https") or match is None:
            return False
        return place == http.headers[hdrs.HOST].lower() or match[1] == self._public


def is_loopback(name: str) -> bool:
    """Whether a host's name means this machine whatever a name server says: ``localhost``, or such an address."""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def check(options: Options) -> None:
    """Refuse options by which a server would be open to more than they say they mean, or to nobody.

    Raises:
        ConfigError: Without keys it would be open to other machines; or a URL is none.
    """
    _public_name(options)
    _check_origins(options.origins)
    keyed = options.key_file is not None or options.keys
    if not keyed and not is_loopback(options.host.lower()):
        raise ConfigError(
            f"Without keys a server listens to its own machine only, not at {options.host or 'all addresses'}.",
            remedy="Make a key with `lineread keys new NAME` and start with --keys FILE, or leave --host out.",
        )


def _check_origins(origins: Iterable[str]) -> None:
    for origin in origins:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ConfigError(
                f"{origin!r} is no web origin.", remedy="Give scheme, host and port: --cors https://app.example.com"
            )


def _public_name(options: Options) -> str | None:
    if options.public_url is None:
        return None
    parts = urlsplit(options.public_url)
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(parts.netloc):
        raise ConfigError("The public URL is no http or https URL.", remedy="It looks like https://speech.example.com.")
    name = parts.hostname or ""
    return f"[{name}]" if ":" in name else name


def _is_served(http: web.Request) -> bool:
    """Whether there is a route for it."""
    return http.match_info.http_exception is None


def _is_open(http: web.Request) -> bool:
    """Whether it needs no key. The route that was found says so, since paths can be written in many ways."""
    resource = http.match_info.route.resource
    return _is_served(http) and resource is not None and resource.canonical.split("/")[1] in OPEN


def _is_preflight(http: web.BaseRequest) -> bool:
    return (
        http.method == hdrs.METH_OPTIONS
        and hdrs.ORIGIN in http.headers
        and hdrs.ACCESS_CONTROL_REQUEST_METHOD in http.headers
    )


def _grant(http: web.BaseRequest, response: web.StreamResponse) -> None:
    """Answer a preflight: any header will do, as credentials of the browser's own never come along."""
    response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = _METHODS
    response.headers[hdrs.ACCESS_CONTROL_MAX_AGE] = _PREFLIGHT_LASTS
    wanted = http.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, "")
    if _HEADER_NAMES.fullmatch(wanted):
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = wanted
        _vary(response, hdrs.ACCESS_CONTROL_REQUEST_HEADERS)


def _vary(response: web.StreamResponse, name: str) -> None:
    before = response.headers.get(hdrs.VARY)
    response.headers[hdrs.VARY] = name if before is None else f"{before}, {name}"


def _shown(http: web.BaseRequest) -> str:
    """The key that a client shows.

    Raises:
        KeyRefused: It shows none.
    """
    scheme, _, key = http.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise KeyRefused("This server wants a key.", remedy="Send it as `Authorization: Bearer KEY`.")
    return key.strip()
