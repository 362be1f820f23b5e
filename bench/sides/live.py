"""Live sessions: how soon a first clause sounds, how soon a session falls silent, how many are fed in time."""

from __future__ import annotations

import asyncio
import base64
import json
import statistics
import threading
import time
from collections.abc import Iterator
from typing import Any

import aiohttp

import texts

#: A first clause, and the words that show that it was one.
CLAUSE = "Good evening, "
AFTER = "and welcome back to bus number {} of the line. "
#: Sentences of a talk; each is said once by each session.
SENTENCES = [sentence.strip() + ". " for part in texts.STORY.split("\n\n") for sentence in part.split(". ")]
#: Seconds of sound that a listener has in hand when more text is written for it.
IN_HAND = 3.0
#: Seconds of sound that a character makes, roughly.
PACE = 1 / 15


class Session:
    """lineread's own sessions: by the voice in this process, or by a server's.

    Args:
        calls: Sessions of one round.
        url: The server; without one, the voice speaks here.
    """

    def __init__(self, *, calls: int, url: str | None = None) -> None:
        from lineread import Client

        if url is None:
            self._client = Client(engine="builtin", cache=False)
        else:
            self._client = Client(engine="dashscope", api_key="bench", base_url=f"{url}/api/v1", cache=False)
        self._calls = calls
        self._line = 0

    def __call__(self) -> dict[str, Any]:
        return asyncio.run(self._round())

    async def _round(self) -> dict[str, Any]:
        times = [await self._session() for _ in range(self._calls)]
        await self._client.aclose()
        return {"first": [first for first, _ in times], "cancel": [silent for _, silent in times]}

    async def _session(self) -> tuple[float, float]:
        """Seconds from a clause to its sound, and from a cancel to the silence."""
        from lineread.speech import LiveRequest

        self._line += 1
        async with self._client.live(LiveRequest("Cherry")) as session:
            last = 0.0
            heard = asyncio.Event()

            async def read() -> None:
                nonlocal last
                async for chunk in session:
                    if chunk.pcm:
                        last = time.perf_counter()
                        heard.set()

            reader = asyncio.create_task(read())
            begin = time.perf_counter()
            await session.write(CLAUSE)
            await session.write(AFTER.format(self._line) + texts.STORY)
            await heard.wait()
            first = last - begin
            begin = time.perf_counter()
            await session.cancel()
            returned = time.perf_counter()
            await asyncio.sleep(0.05)
            silent = max(returned, last) - begin
            await session.end()
            await reader
        return first, silent


class Sdk:
    """The service's official SDK, at our server.

    Args:
        calls: Sessions of one round.
        url: The server.
    """

    def __init__(self, *, calls: int, url: str) -> None:
        self._url = url.replace("http", "ws", 1) + "/api-ws/v1/realtime"
        self._calls = calls
        self._line = 0

    def __call__(self) -> dict[str, Any]:
        return {"first": [self._session() for _ in range(self._calls)]}

    def _session(self) -> float:
        import dashscope
        from dashscope.audio.qwen_tts_realtime import AudioFormat, QwenTtsRealtime, QwenTtsRealtimeCallback

        dashscope.api_key = "bench"
        self._line += 1
        heard, over = threading.Event(), threading.Event()
        came: list[float] = []

        class Callback(QwenTtsRealtimeCallback):  # type: ignore[misc]  # the SDK is not typed
            def on_event(self, event: dict[str, Any]) -> None:
                if event["type"] == "response.audio.delta":
                    base64.b64decode(event["delta"])
                    came.append(time.perf_counter())
                    heard.set()
                elif event["type"] == "session.finished":
                    over.set()

        client = QwenTtsRealtime("qwen3-tts-flash-realtime", callback=Callback(), url=self._url)
        client.connect()
        client.update_session(voice="Cherry", response_format=AudioFormat.PCM_24000HZ_MONO_16BIT)
        begin = time.perf_counter()
        client.append_text(CLAUSE)
        client.append_text(AFTER.format(self._line) + texts.STORY)
        heard.wait(30)
        first = came[0] - begin
        client.cancel_response()
        client.finish()
        over.wait(30)
        client.close()
        return first


class Crowd:
    """Listeners of as many sessions, each fed with a talk of its own as fast as it is spoken.

    A sentence is written when the listener has less than three seconds in hand, of sound and of text to be spoken, as a
    writer would that keeps ahead.

    Args:
        url: The server.
        sessions: How many at once.
        seconds: How long it takes until all have come, and how long all of them then listen.
    """

    def __init__(self, *, url: str, sessions: int, seconds: float) -> None:
        self._url = url.replace("http", "ws", 1) + "/api-ws/v1/realtime?model=qwen3-tts-flash-realtime"
        self._sessions = sessions
        self._seconds = seconds
        self._round = 0

    def __call__(self) -> dict[str, Any]:
        self._round += 1
        return asyncio.run(self._listen())

    async def _listen(self) -> dict[str, Any]:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as http:
            work = (self._one(http, number) for number in range(self._sessions))
            outcomes = await asyncio.gather(*work, return_exceptions=True)
        failed = [repr(outcome) for outcome in outcomes if isinstance(outcome, BaseException)]
        good = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
        return {
            "first": [first for first, _ in good],
            "underruns": sum(dry > 0.0 for _, dry in good),
            "worst": max((dry for _, dry in good), default=0.0),
            "failed": failed[:3],
        }

    async def _one(self, http: aiohttp.ClientSession, number: int) -> tuple[float, float]:
        """Seconds to the first sound, and seconds for which the listener had to wait for more."""
        await asyncio.sleep(number * self._seconds / self._sessions)  # they come one after the other
        sentences = _sentences(number, self._round)
        first = dry = 0.0
        async with http.ws_connect(self._url, autoping=True) as socket:
            await socket.receive()
            begin = time.perf_counter()
            greeting = CLAUSE + AFTER.format(number) + next(sentences)
            await socket.send_str(_append(greeting))
            sound, said, written = 0.0, 0, len(greeting)
            end = begin + 2 * self._seconds - number * self._seconds / self._sessions
            while (now := time.perf_counter()) < end:
                in_hand = begin + first + dry + sound - now if first else IN_HAND
                if in_hand + (written - said) * PACE < IN_HAND:
                    sentence = next(sentences)
                    written += len(sentence)
                    await socket.send_str(_append(sentence))
                patience = max(0.02, min(in_hand - IN_HAND, 1.0)) if first else 10.0
                try:
                    message = await socket.receive_str(timeout=patience)
                except TimeoutError:
                    continue
                if delta := _delta(message):
                    size, said = delta
                    now = time.perf_counter()
                    first = first or now - begin
                    dry += max(0.0, now - (begin + first + dry + sound))
                    sound += size
        return first, dry


def _sentences(number: int, round_: int) -> Iterator[str]:
    """A talk that no other session has."""
    place = number * 7 + round_
    while True:
        place += 1
        yield f"Number {number} says: {SENTENCES[place % len(SENTENCES)]}"


def _append(text: str) -> str:
    return json.dumps({"type": "input_text_buffer.append", "text": text})


def _delta(message: str) -> tuple[float, int] | None:
    """Seconds of sound in a message, and how far in the text it is; None where it has no sound."""
    if '"response.audio.delta"' not in message:
        if '"type":"error"' in message:
            raise RuntimeError(message)
        return None
    event = json.loads(message)
    return len(event["delta"]) * 0.75 / 48_000, event["text_span"][1]


def p95(sample: dict[str, Any]) -> float:
    """The time to the first sound that one listener in twenty has to wait longer for."""
    return statistics.quantiles(sample["first"], n=20)[-1]
