"""Follows HTTP requests from beginning to end: which ones are running, a log line and a count for each that is over.

Owns the beginning and the end of a visit. A request ends once: when its answer was sent, or when it was given up.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from aiohttp import hdrs, web

from lineread.server.sight.metrics import Metrics, known_model, known_voice
from lineread.server.sight.visit import VISIT, Visit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lineread.errors import LinereadError
    from lineread.server.desk import Desk
    from lineread.server.sight.journal import Journal

#: The status of a request whose client left, as web servers commonly write it down.
CLIENT_LEFT: Final = 499
_METHODS: Final = hdrs.METH_ALL | {"QUERY"}


class Tracker:
    """Sees every HTTP request of one server begin and end.

    Args:
        desk: Has the requests spoken.
        dialects: Names of dialects, by what the paths of their routes begin with.
        journal: Takes the lines.

    Attributes:
        metrics: The counts.
    """

    def __init__(self, desk: Desk, dialects: Mapping[str, str], journal: Journal) -> None:
        self._desk = desk
        self._dialects = dialects
        self._journal = journal
        self._running: dict[str, asyncio.Task[Any] | None] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self.metrics = Metrics(
            running=lambda: self.running,
            speaking=lambda: desk.taken,
            seats=desk.options.max_requests,
            sessions=lambda: desk.sessions.taken,
            most_sessions=desk.options.max_sessions,
        )

    @property
    def running(self) -> int:
        """HTTP requests that are being answered."""
        return len(self._running)

    def begin(self, http: web.Request) -> Visit:
        """A request is there, and has a route."""
        visit = self.begin_unrouted(http, http.path)
        visit.route = _route(http)
        return visit

    def begin_unrouted(self, http: web.BaseRequest, path: str) -> Visit:
        """A request is there, or what was meant to be one; it did not come as far as a route.

        Args:
            http: The request.
            path: What its path seems to be.
        """
        visit = http[VISIT] = Visit(method=http.method if http.method in _METHODS else "other")
        visit.dialect = next((name for prefix, name in self._dialects.items() if path.startswith(prefix)), "")
        self._running[visit.id] = asyncio.current_task()
        self._idle.clear()
        return visit

    def end(self, http: web.BaseRequest) -> None:
        """Its answer was sent, or it was given up; only the first word counts."""
        visit = http[VISIT]
        if self._running.pop(visit.id, self) is self:
            return
        visit.sent += http.writer.output_size
        visit.end()
        self.metrics.count(visit)
        if self._desk.options.log:
            self._journal.add("request", **_line(visit))
        if not self._running:
            self._idle.set()

    def cut(self, http: web.BaseRequest) -> None:
        """It ends before its answer was sent: the client has left, took nothing of it, or the server had to stop."""
        visit = http[VISIT]
        if not (visit.code or visit.whole):
            stopped = self._desk.closing and http.transport is not None and not http.transport.is_closing()
            left = "slow_reader" if getattr(http.protocol, "slow", False) else "client_left"
            visit.status, visit.code = (503, "leaving") if stopped else (CLIENT_LEFT, left)
        self.end(http)

    def report(self, error: BaseException, visit: Visit) -> None:
        """Something happened that nobody expected."""
        self._journal.report(error, request_id=visit.id, route=visit.route)

    def explain(self, error: LinereadError, visit: Visit) -> None:
        """Something failed that whoever runs the server can mend, and no client; the error names no path."""
        self._journal.add("notice", level="error", request_id=visit.id, code=error.code, message=error.message)

    async def idle(self) -> None:
        """Wait until no request is running."""
        await self._idle.wait()

    def stop(self) -> Iterable[asyncio.Task[Any]]:
        """Stop the requests that are running; the tasks in which they come to an end."""
        tasks = [task for task in self._running.values() if task is not None]
        for task in tasks:
            task.cancel()
        return tasks


def _route(http: web.Request) -> str:
    """The name of a request's route, or the pattern of its path; empty if there is none."""
    if http.match_info.http_exception is not None:
        return ""
    resource = http.match_info.route.resource
    return http.match_info.route.name or ("" if resource is None else resource.canonical)


def _line(visit: Visit) -> dict[str, object]:
    """An access line, in the order in which it is read."""
    spoken = visit.first_audio is not None
    return {
        "request_id": visit.id,
        "upstream_request_id": visit.upstream,
        "caller": visit.caller,
        "method": visit.method,
        "route": visit.route,
        "status": visit.status,
        "code": visit.code,
        "model": visit.model and known_model(visit.model),
        "voice": visit.voice and known_voice(visit.voice),
        "characters": visit.characters or None,
        "cached": visit.cached if spoken else None,
        "engine": visit.engine,
        "audio_s": round(visit.seconds, 3) if spoken else None,
        "first_audio_ms": _milliseconds(visit.first_audio),
        "total_ms": _milliseconds(visit.ended),
        "bytes": visit.sent,
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
