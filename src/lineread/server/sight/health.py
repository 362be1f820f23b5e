"""Whether a server is alive and ready, and what it counts.

Owns ``/healthz``, ``/readyz`` and ``/metrics``. The first two are open to everybody and tell nothing of anybody; the
counts want a key where there are keys.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from typing import TYPE_CHECKING, Final

from aiohttp import web

from lineread.errors import LinereadError
from lineread.server.sight.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineread.server.desk import Desk
    from lineread.server.sight.metrics import Metrics

#: Bytes that have to be free for finished lines and audio files.
_ROOM: Final = 32 << 20


class Health:
    """The routes by which a server is watched.

    Args:
        desk: What takes requests.
        metrics: What is counted.
    """

    def __init__(self, desk: Desk, metrics: Metrics) -> None:
        self._desk = desk
        self._metrics = metrics

    def routes(self) -> list[web.RouteDef]:
        """Where it answers."""
        return [
            web.get("/healthz", self.alive, name="healthz"),
            web.get("/readyz", self.ready, name="readyz"),
            web.get("/metrics", self.counts, name="metrics"),
        ]

    async def alive(self, http: web.Request) -> web.Response:
        """The process answers."""
        return web.json_response({"alive": True})

    async def ready(self, http: web.Request) -> web.Response:
        """It takes work; if not, the answer says why."""
        reasons = [*self._unready(), *await asyncio.to_thread(self._disk)]
        return web.json_response({"ready": not reasons, "reasons": reasons}, status=503 if reasons else 200)

    async def counts(self, http: web.Request) -> web.Response:
        """The counts, for Prometheus."""
        return web.Response(body=self._metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    def _unready(self) -> Iterator[str]:
        if self._desk.closing:
            yield "The server is about to stop."
        try:
            self._desk.client.engine()
        except LinereadError as error:
            yield f"The engine cannot speak ({error.code})."

    def _disk(self) -> list[str]:
        """What keeps finished audio from being stored. No path is named: anybody may ask."""
        place = self._desk.shelf.directory
        while not os.path.lexists(place) and os.path.dirname(place) != place:
            place = os.path.dirname(place)
        try:
            if not os.path.isdir(place) or not os.access(place, os.W_OK | os.X_OK):
                return ["Audio files cannot be written."]
            if shutil.disk_usage(place).free < _ROOM:
                return ["The disk is full."]
        except OSError:
            return ["Audio files cannot be written."]
        return []
