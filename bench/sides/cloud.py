"""Calls to DashScope: by lineread, and by the official SDK with requests as its documentation shows.

Each text is like no other, so lineread's cache (where it takes part) stores every reply and answers none.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import texts

KEY = "sk-bench"
MODEL = "qwen3-tts-flash"
VOICE = "Cherry"
LANGUAGE = "English"
#: What the loopback server's audio takes at least, joins and all.
LEAST_SECONDS = 2.0


class _Side:
    """So many calls a time, one after the other or so many at once."""

    def __init__(self, *, calls: int, at_once: int = 1, **settings: Any) -> None:  # noqa: ANN401 - from JSON
        self._calls = calls
        self._at_once = at_once
        self._numbers = itertools.count()
        self.set_up(**settings)

    def lines(self) -> Iterator[str]:
        return (texts.line(next(self._numbers)) for _ in range(self._calls))


class Lineread(_Side):
    """lineread: one client, which keeps its connections."""

    def set_up(self, *, base_url: str, transport: str | None = None, cache_dir: str | None = None) -> None:
        """Make the settings; without a transport the shipped engine is used as it is."""
        from lineread.config import Secret
        from lineread.engines.dashscope import DashScope

        self._settings: dict[str, Any] = {"cache": cache_dir is not None, "cache_dir": cache_dir}
        if transport is None:
            self._settings |= {"engine": "dashscope", "api_key": KEY, "base_url": base_url}
        else:
            self._settings["engine"] = DashScope(Secret(KEY), base_url=base_url, transport=transport)
        self._client = self._new_client()

    def __call__(self) -> None:
        if self._at_once > 1:
            asyncio.run(self._all_at_once())
            return
        for line in self.lines():
            speech = self._client.generate(self._request(line))
            assert speech.duration > LEAST_SECONDS

    async def _all_at_once(self) -> None:
        turns = asyncio.Semaphore(self._at_once)
        async with self._new_client() as client:

            async def call(line: str) -> None:
                async with turns:
                    speech = await client.agenerate(self._request(line))
                    assert speech.duration > LEAST_SECONDS

            await asyncio.gather(*map(call, self.lines()))

    def _new_client(self) -> Any:  # noqa: ANN401 - lineread is imported in the child only
        from lineread import Client

        return Client(**self._settings)

    def _request(self, line: str) -> Any:  # noqa: ANN401 - as above
        from lineread import Request

        return Request(line, VOICE, language_type=LANGUAGE)


class Sdk(_Side):
    """The official SDK, and requests for the file that its reply names."""

    def set_up(self, *, base_url: str) -> None:
        import dashscope
        import requests

        dashscope.api_key = KEY
        dashscope.base_http_api_url = base_url
        self._conversation = dashscope.MultiModalConversation
        self._get = requests.get

    def __call__(self) -> None:
        if self._at_once > 1:
            with ThreadPoolExecutor(self._at_once) as pool:
                list(pool.map(self._call, self.lines()))
            return
        for line in self.lines():
            self._call(line)

    def _call(self, line: str) -> None:
        reply = self._conversation.call(model=MODEL, text=line, voice=VOICE, language_type=LANGUAGE)
        file = self._get(reply.output.audio.url, timeout=60)
        file.raise_for_status()
        assert len(file.content) > LEAST_SECONDS * 48_000
