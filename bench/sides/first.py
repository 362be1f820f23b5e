"""The built-in engine's own first chunk, without a server."""

from __future__ import annotations

import asyncio
import time

import texts


class Engine:
    """Streams lines that are not stored, in one event loop that stays.

    Args:
        calls: Lines of one round.
    """

    def __init__(self, *, calls: int) -> None:
        from lineread import Client

        self._client = Client(engine="builtin", cache=False)
        self._calls = calls
        self._line = 0

    def __call__(self) -> dict[str, object]:
        return asyncio.run(self._round())

    async def _round(self) -> dict[str, object]:
        from lineread import Request

        first = []
        for _ in range(self._calls):
            self._line += 1
            begin = time.perf_counter()
            stream = await self._client.agenerate(Request(texts.line(self._line), "Cherry"), stream=True)
            times = [time.perf_counter() - begin async for _ in stream]
            first.append(times[0])
        return {"first": first}
