"""A server whose engine is another server: what its clients say arrives there, and what that one says arrives here."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dashscope
import pytest
from dashscope.audio.qwen_tts_realtime import AudioFormat, QwenTtsRealtime, QwenTtsRealtimeCallback

from lineread.client import Client
from lineread.config import Secret
from lineread.engines.dashscope import DashScope
from lineread.engines.fake import Act, Fake
from lineread.live.session import Session
from lineread.speech import Chunk, LiveRequest
from live.proxy import Fault, FaultProxy
from live.voice import LATIN, Readable, read, words_of
from server.gateway import Gateway, gateway
from server.live import DEADLINE, until
from server.talking import MODEL, PATH, Event, sound, talking

TEXT = f"{LATIN[3].title()} {LATIN[20]}. {LATIN[50].title()} {LATIN[51]} {LATIN[90]}! "
MORE = f"{LATIN[8].title()} {LATIN[70]}. "
#: The events of a whole response, without its sound.
RESPONSE = [
    "response.created",
    "response.output_item.added",
    "response.content_part.added",
    "response.audio.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.done",
]


@pytest.fixture(autouse=True)
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost socket is replaced at once."""
    monkeypatch.setattr("lineread.wire.realtime.caller.LOSS_WAIT", 0.0)


@asynccontextmanager
async def relaying(tmp_path: Path, engine: Fake, *faults: Fault) -> AsyncIterator[Gateway]:
    """The server in front; faults happen to its connections with the one behind."""
    async with (
        gateway(tmp_path / "behind", engine) as behind,
        FaultProxy(int(behind.url.rpartition(":")[2]), faults) as proxy,
        gateway(tmp_path / "front", DashScope(Secret("sk-any"), base_url=f"{proxy.url}/api/v1", warm=0)) as front,
    ):
        yield front


def words(events: list[Event]) -> list[str]:
    """What was heard, all of it whole."""
    heard = read([Chunk(sound(events), 24_000, 0, (0, 0))], "Cherry")
    assert all(word.whole for word in heard)
    return [word.word for word in heard]


class Listener(QwenTtsRealtimeCallback):
    """Keeps what comes."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed = threading.Event()

    def on_open(self) -> None:
        """Wanted by the SDK."""

    def on_close(self, close_status_code: int | None, close_msg: str | None) -> None:
        self.closed.set()

    def on_event(self, response: Any) -> None:
        self.events.append(response)


def speak_with_the_sdk(url: str) -> list[Event]:
    """Two responses in the SDK's own way."""
    listener = Listener()
    client: Any = QwenTtsRealtime(model=MODEL, callback=listener, url=url.replace("http", "ws") + PATH)
    client.connect()
    wire = client.ws.sock.sock
    client.update_session(
        voice="Cherry", response_format=AudioFormat.PCM_24000HZ_MONO_16BIT, mode="commit", language_type="English"
    )
    for text in (TEXT, MORE):
        for at in range(0, len(text), 5):
            client.append_text(text[at : at + 5])
        client.commit()
    client.finish()
    assert listener.closed.wait(DEADLINE)
    client.close()
    client.thread.join(DEADLINE)
    wire.close()
    return listener.events


async def test_the_sdk_through_two_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its responses are whole and in order, each delta says which text it speaks, and all is spoken once."""
    monkeypatch.setattr(dashscope, "api_key", "sk-any")
    async with relaying(tmp_path, Readable()) as front:
        events = await asyncio.to_thread(speak_with_the_sdk, front.url)
    kinds = [event["type"] for event in events]
    quiet = [kind for kind in kinds if kind != "response.audio.delta" and not kind.startswith("input_text_buffer")]
    assert quiet == ["session.created", "session.updated", *RESPONSE * 2, "session.finished"]
    assert kinds.count("input_text_buffer.committed") == 2
    assert words(events) == words_of(TEXT + MORE)
    spans = [tuple(event["text_span"]) for event in events if event["type"] == "response.audio.delta"]
    assert sorted(spans) == spans
    assert [(TEXT + MORE)[slice(*span)].strip() for span in dict.fromkeys(spans)] == [
        each.strip() for each in re.findall(r"[^.!]+.", TEXT + MORE)
    ][:3]
    assert len({event["event_id"] for event in events}) == len(events)


async def test_a_cancel_reaches_the_server_behind(tmp_path: Path) -> None:
    """The work there stops at once; the response here closes; and what is said then is heard, and nothing else."""
    engine = Fake(otherwise=Act(chunks=20, pace=3600))
    async with relaying(tmp_path, engine) as front, talking(front) as talk:
        await talk.update(voice="Cherry", mode="commit", response_format="pcm")
        await talk.append("This never comes to its end. Nor does this.")
        await talk.commit()
        await talk.until("response.audio.delta")
        assert engine.running
        await talk.cancel()
        done = await talk.until("response.done")
        assert done["response"]["status"] == "incomplete"
        assert done["response"]["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
        await until(lambda: not engine.running)
        engine._otherwise = Act()
        before = len(talk.events)
        await talk.append("Say this.")
        await talk.commit()
        await talk.finish()
        assert not talk.errors
        spans = {tuple(event["text_span"]) for event in talk.events[before:] if "text_span" in event}
        assert spans == {(43, 52)}


async def test_a_connection_lost_behind_is_mended(tmp_path: Path) -> None:
    """The client in front hears nothing of it: each word once."""
    async with relaying(tmp_path, Readable(), Fault("close", frame=4, code=1011)) as front, talking(front) as talk:
        await talk.update(voice="Cherry", mode="commit", response_format="pcm")
        await talk.append(TEXT)
        await talk.commit()
        events = await talk.finish()
    assert not talk.errors
    assert words(events) == words_of(TEXT)


async def test_a_sentence_cut_behind_is_an_error(tmp_path: Path) -> None:
    """Of a sentence that was heard in part the client in front is told, and its session still comes to its end."""
    engine = Fake(otherwise=Act(chunks=20, pace=0.05))
    async with relaying(tmp_path, engine, Fault("cut", frame=9)) as front, talking(front) as talk:
        await talk.update(voice="Cherry", mode="commit", response_format="pcm")
        await talk.append(TEXT)
        await talk.commit()
        await talk.until("error")
        await talk.finish()
    assert "up to character 0" in talk.errors[0]["message"]
    assert [event["response"]["status"] for event in talk.of("response.done")] == ["failed"]
    assert talk.types[-1] == "session.finished"


async def test_silence_comes_at_once(tmp_path: Path) -> None:
    """A cancel returns within 50 ms, and no sound comes then; a moment later the server has stopped as well."""
    engine = Fake(otherwise=Act(chunks=200, pace=0.001))
    async with gateway(tmp_path, engine) as server:
        url = f"{server.url}/api/v1"
        async with (
            Client(engine="dashscope", api_key="sk-any", base_url=url, cache=False) as client,
            client.live(LiveRequest("Cherry")) as session,
        ):
            ear = Ear(session, engine)
            listening = asyncio.create_task(ear.listen())
            times = [await ear.cancel() for _ in range(10)]
            await session.write("The end.")
            await session.end()
            await listening
    assert ear.chunks[ear.cuts[-1][0] :]
    assert all(chunk.span[0] >= begin for count, begin in ear.cuts for chunk in ear.chunks[count:])
    assert max(silent for silent, _ in times) < 0.05  # a twentieth of a millisecond, as a rule
    assert min(stopped for _, stopped in times) < 0.05  # three milliseconds


_STORY = "Once there was a text of many words. It went on and on, for hours. "


@dataclass
class Ear:
    """Listens to a session, and stops it.

    Attributes:
        chunks: What came.
        written: Characters that were written before the last cancel.
        cuts: For each cancel, how many chunks had come, and where the text after it begins.
    """

    session: Session
    engine: Fake
    chunks: list[Chunk] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    written: int = 0
    cuts: list[tuple[int, int]] = field(default_factory=list)

    async def listen(self) -> None:
        async for chunk in self.session:
            self.chunks.append(chunk)
            self.heard.set()

    async def cancel(self) -> tuple[float, float]:
        """Seconds from a cancel to silence, and until nothing is spoken any more at the other end."""
        self.heard.clear()
        await self.session.write(_STORY)
        async with asyncio.timeout(DEADLINE):
            await self.heard.wait()
        begun = time.perf_counter()
        await self.session.cancel()
        silent = time.perf_counter() - begun
        count = len(self.chunks)
        await until(lambda: not self.engine.running)
        stopped = time.perf_counter() - begun
        self.written += len(_STORY)
        self.cuts.append((count, self.written))
        return silent, stopped


async def test_a_session_keeps_within_a_budget(tmp_path: Path) -> None:
    """Text that costs more than is left never reaches the service; what was written before is spoken to its end."""
    engine = Readable()
    async with gateway(tmp_path / "behind", engine) as behind:
        cloud = DashScope(Secret("sk-any"), base_url=f"{behind.url}/api/v1", warm=0)
        client = Client(engine=cloud, budget=f"{len(TEXT) + 5}characters", cache=False, notice=lambda _: None)
        async with gateway(tmp_path / "front", client=client) as front, talking(front) as talk:
            await talk.update(voice="Cherry", mode="commit", response_format="pcm")
            for text in (TEXT, MORE):
                await talk.append(text)
                await talk.commit()
            events = await talk.finish()
        assert client.purse is not None
        assert client.purse.taken == len(TEXT)
    assert words(events) == words_of(TEXT)
    assert ["are left" in error["message"] for error in talk.errors] == [True]
