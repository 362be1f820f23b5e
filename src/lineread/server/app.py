"""The application: which routes there are, and the doors that every request goes through.

Owns the order of the doors, from outside in:

    record    every request has a visit; its end is counted and told
    errors    whatever goes wrong leaves in the words of the dialect that was spoken to
    entrance  who may come in: the Host header, the key
    reading   the body, within its bounds

What cannot be parsed as HTTP comes to these doors from ``connection``, so that it is answered in the same words.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from lineread.errors import HttpError, LinereadError, NotServed, OutputError
from lineread.server.access.entrance import Entrance
from lineread.server.dialects import agents, dashscope, openai, realtime
from lineread.server.enrolling import Enrolling
from lineread.server.reference.document import Reference
from lineread.server.sessions import Sessions
from lineread.server.sight.health import Health
from lineread.server.sight.tracker import Tracker
from lineread.server.sight.visit import VISIT, visit_of
from lineread.server.sound.files import Audio
from lineread.server.transport.reading import Reading, later

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lineread.server.desk import Desk
    from lineread.server.sight.journal import Journal

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: The dialects' names, by what the paths of their routes begin with.
DIALECTS: Final = {
    dashscope.PREFIX: "dashscope",
    openai.PREFIX: "openai",
    realtime.PREFIX: "realtime",
    agents.PREFIX: "mcp",
}
#: Where errors are told in DashScope's words.
_SERVICE: Final = (dashscope.PREFIX, realtime.PREFIX)
#: What the server calls itself. Its release is nobody's business.
_NAME: Final = "lineread"
_REQUEST_ID: Final = "x-request-id"


def application(desk: Desk, doors: Doors) -> web.Application:
    """Everything that one server answers.

    Args:
        desk: Has requests spoken.
        doors: What the requests go through. The connections have to lead to them as well: only there requests end.

    Raises:
        ConfigError: The server would be open to more than its options say they mean.
    """
    app = web.Application(middlewares=[doors.record, doors.errors], client_max_size=desk.options.max_body)
    parts = (
        doors.dashscope,
        doors.openai,
        doors.realtime,
        doors.agents,
        Audio(desk.shelf),
        Reference(),
        Health(desk, doors.tracker.metrics),
    )
    for part in parts:
        app.add_routes([_inviting_later(route) for route in part.routes()])
    app.on_response_prepare.append(doors.dress)
    Entrance(desk).install(app)
    app.middlewares.append(Reading(desk.options, dashscope.UPLOADS + agents.UPLOADS).door)
    app.on_cleanup.append(doors.finish)
    app.cleanup_ctx.append(doors.agents.running)
    return app


class Doors:
    """The doors of one server.

    Args:
        desk: Has requests spoken.
        journal: Takes the log.

    Attributes:
        tracker: Knows which requests are running.
    """

    def __init__(self, desk: Desk, journal: Journal) -> None:
        self._desk = desk
        self.tracker = Tracker(desk, DIALECTS, journal)
        self._enrolling = Enrolling(desk)
        self.dashscope = dashscope.Dashscope(desk, self._enrolling)
        self.openai = openai.OpenAI(desk, self._enrolling)
        self.realtime = realtime.Realtime(desk, Sessions(desk))
        self.agents = agents.Agents(desk, self._enrolling)

    @web.middleware
    async def record(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Keep the record of a request. It ends when the answer was sent, which is not here: see :meth:`sent`."""
        visit = self.tracker.begin(request)
        try:
            response = await handler(request)
        except (asyncio.CancelledError, ConnectionError):
            self.tracker.cut(request)
            raise
        visit.status = response.status
        if isinstance(response, web.WebSocketResponse):
            self.tracker.end(request)  # it is over with its close; what follows on the connection is not its matter
        return response

    @web.middleware
    async def errors(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer what went wrong, in the right words."""
        try:
            _check_target(request)
            return await handler(request)
        except LinereadError as error:
            return self._refused(request, request.path, error)
        except web.HTTPError as answer:
            return self._answered(request, answer)
        except web.HTTPException:
            raise
        except Exception as error:
            if isinstance(error, ConnectionError) and _is_gone(request):
                raise
            return self._failed(request, error)

    async def finish(self, _: web.Application) -> None:
        """The server stops: what was begun and nobody waits for is finished, if that is soon."""
        await self._enrolling.aclose()

    async def dress(self, http: web.Request, response: web.StreamResponse) -> None:
        """Add to the head of any answer what no dialect has to know of."""
        visit = visit_of(http)
        visit.status = response.status
        response.headers.setdefault(_REQUEST_ID, visit.id)
        response.headers[hdrs.SERVER] = _NAME
        if self._desk.closing:
            _close_after(response)

    def unparsed(self, http: web.BaseRequest, opening: bytes) -> web.StreamResponse:
        """Answer what is no HTTP, and so never came to the doors.

        Args:
            http: Stands for the request.
            opening: The connection's first bytes; they tell the dialect.
        """
        path = dashscope.PREFIX if f" {dashscope.PREFIX}".encode() in opening else "/"
        self.tracker.begin_unrouted(http, path)
        return _last(self._refused(http, path, HttpError("That is no HTTP request.", remedy="Correct its head.")))

    def escaped(self, http: web.BaseRequest, error: BaseException) -> web.StreamResponse:
        """Answer an error that got past the doors, or is theirs."""
        if VISIT not in http:
            self.tracker.begin_unrouted(http, http.path)
        self.tracker.report(error, visit_of(http))
        return _last(self._refused(http, http.path, _bug()))

    def dressed(self, http: web.BaseRequest, response: web.StreamResponse) -> web.StreamResponse:
        """The answer to send: what the library answered before the doors, in the right words."""
        if VISIT in http or not isinstance(response, web.HTTPError):
            return response
        self.tracker.begin_unrouted(http, http.path)
        return self._answered(http, response)

    def sent(self, http: web.BaseRequest, response: web.StreamResponse) -> None:
        """The answer was sent to its end."""
        visit = visit_of(http)
        visit.status = response.status
        if isinstance(response, web.FileResponse) and http.method != hdrs.METH_HEAD:
            visit.sent = response.content_length or 0  # the system sends files past the counter
        self.tracker.end(http)

    def cut(self, http: web.BaseRequest) -> None:
        """The answer was not sent to its end."""
        self.tracker.cut(http)

    def _failed(self, http: web.Request, error: Exception) -> web.StreamResponse:
        """Answer a bug; or break the answer off, if it has begun."""
        visit = visit_of(http)
        self.tracker.report(error, visit)
        if http.writer.output_size:
            visit.failed(_bug())
            raise ConnectionAbortedError("the answer cannot be ended") from error
        return self._refused(http, http.path, _bug())

    def _answered(self, http: web.BaseRequest, answer: web.HTTPError) -> web.StreamResponse:
        """What the library would answer, in the right words."""
        if isinstance(answer, web.HTTPMethodNotAllowed):
            methods = ", ".join(sorted(answer.allowed_methods | {hdrs.METH_OPTIONS}))
            if http.method == hdrs.METH_OPTIONS:
                return web.Response(status=204, headers={hdrs.ALLOW: methods})
            error = HttpError(
                "This address does not take that method.",
                remedy=f"It takes {methods}.",
                code="wrong_method",
                status=answer.status,
            )
            response = self._refused(http, http.path, error)
            response.headers[hdrs.ALLOW] = methods
            return response
        if answer.status == 404:
            return self._refused(http, http.path, NotServed("There is nothing at this address.", remedy="See /docs."))
        error = HttpError(f"{answer.reason}.", remedy="Correct the head of the request.", status=answer.status)
        return self._refused(http, http.path, error)

    def _dialect(self, path: str) -> dashscope.Dashscope | agents.Agents | openai.OpenAI:
        """In whose words an address answers what went wrong."""
        if path == agents.PREFIX:
            return self.agents
        return self.dashscope if path.startswith(_SERVICE) else self.openai

    def _refused(self, http: web.BaseRequest, path: str, error: LinereadError) -> web.StreamResponse:
        visit = visit_of(http)
        visit.failed(error)
        if isinstance(error, OutputError):
            self.tracker.explain(error, visit)
        response = self._dialect(path).refuse(error, visit)
        if path.startswith(realtime.PREFIX):
            response.headers.update(realtime.reason(error))
        visit.status = response.status
        if error.http_status in (408, 413):
            _close_after(response)  # the rest of the body is not wanted
        return response


def _check_target(http: web.Request) -> None:
    """Refuse a target with a host in it: the library would take that for the server's name, whatever Host says."""
    if not http.raw_path.startswith(("/", "*")):
        raise HttpError(
            "This server is no proxy.", remedy="Ask for a path, and name the host in Host.", code="no_proxy"
        )


def _bug() -> LinereadError:
    return LinereadError(
        "This server has a bug.", remedy="Tell whoever runs it the request id; its log says more.", code="bug"
    )


def _is_gone(http: web.Request) -> bool:
    return http.transport is None or http.transport.is_closing()


def _last(response: web.StreamResponse) -> web.StreamResponse:
    """An answer that comes past the doors; after it the connection is closed."""
    response.headers[hdrs.SERVER] = _NAME
    _close_after(response)
    return response


def _close_after(response: web.StreamResponse) -> None:
    response.force_close()
    response.headers[hdrs.CONNECTION] = "close"


def _inviting_later(route: web.RouteDef) -> web.RouteDef:
    """A route that leaves ``Expect`` to the door that reads the body."""
    return web.RouteDef(route.method, route.path, route.handler, {**route.kwargs, "expect_handler": later})
