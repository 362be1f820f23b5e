"""Whether a server is alive and ready, and what it counts.

Owns ``/healthz``, ``/readyz`` and ``/metrics``. The first two are open to everybody and tell nothing of anybody; the
counts want a key where there are keys.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
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
#: Seconds for which the disk's answer holds, and that it has for one.
_LASTS: Final = 1.0
_PATIENCE: Final = 2.0


class Health:
    """The routes by which a server is watched.

    Args:
        desk: What takes requests.
        metrics: What is counted.
    """

    def __init__(self, desk: Desk, metrics: Metrics) -> None:
        self._desk = desk
        self._metrics = metrics
        self._asked: asyncio.Task[list[str]] | None = None
        self._when = 0.0

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
        reasons = [*self._unready(), *await self._disk()]
        trouble = self._desk.keys.trouble  # it goes on with the keys read last: a slip in the file stops no server
        said = {"ready": not reasons, "reasons": reasons, "warnings": [trouble] if trouble else []}
        return web.json_response(said, status=503 if reasons else 200)

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

    async def _disk(self) -> list[str]:
        """What the disk said last, if that is not long ago; else it is asked, by one request for all."""
        now = asyncio.get_running_loop().time()
        if self._asked is None or (self._asked.done() and now - self._when > _LASTS):
            self._when = now
            self._asked = asyncio.create_task(self._desk.shelf.work(self._tried))
        done, _ = await asyncio.wait([self._asked], timeout=_PATIENCE)
        return self._asked.result() if done else ["The disk does not answer."]

    def _tried(self) -> list[str]:
        """What keeps finished audio from being stored, by storing something. No path is named: anybody may ask."""
        place = self._desk.shelf.directory
        try:
            os.makedirs(place, 0o700, exist_ok=True)
            with tempfile.TemporaryFile(dir=place, buffering=0) as file:
                file.write(b"lineread")
            return ["The disk is full."] if shutil.disk_usage(place).free < _ROOM else []
        except OSError as error:
            return [f"Audio files cannot be written ({error.strerror})."]
