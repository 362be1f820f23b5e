"""Work shared and work stopped: each client gets its own outcome, twins cost one call, and leaving ends the work."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
from aiohttp import web

from lineread import Client, Request, Segment, Speech
from lineread.engines.base import Limits
from lineread.engines.fake import Fake, tone
from lineread.errors import EngineError, Unauthorized
from lineread.speech import Chunk
from loopback import dashscope as loopback
from loopback.dashscope import KEY, Call, Cloud
from support import python

REQUEST = Request("The same line for everybody.", "Cherry")
#: Seconds that a test waits for what has to happen.
PATIENCE = 10.0
#: Seconds in which a stop has to be done.
AT_ONCE = 0.05


class Held(Fake):
    """Speaks, or fails, once it is let; tells of each call that it was asked."""

    def __init__(self, failure: EngineError | None = None) -> None:
        super().__init__()
        self._failure = failure
        self.gate = asyncio.Event()
        self.asked: asyncio.Queue[Segment] = asyncio.Queue()

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        self.asked.put_nowait(segment)
        await self.gate.wait()
        if self._failure is not None:
            raise self._failure
        async for chunk in super().stream(segment):
            yield chunk


def locked_out() -> Unauthorized:
    return Unauthorized("The key is wrong.", remedy="Use another one.")


# --- clients that share an event loop --------------------------------------------------------------------------------


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("failing", [0, 1])
async def test_another_clients_failure_is_not_ours(failing: int, cached: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """Two clients ask for the same line at once: who has the wrong key fails, the other one speaks."""
    engines = [Held(), Held()]
    engines[failing] = Held(locked_out())
    clients = [
        Client(engine=engine, cache=cached, cache_dir=tmp_path / str(index)) for index, engine in enumerate(engines)
    ]
    async with asyncio.timeout(PATIENCE):
        work = []
        for client, engine in zip(clients, engines, strict=True):
            work.append(asyncio.create_task(client.agenerate(REQUEST)))
            await asyncio.wait_for(engine.asked.get(), 2)  # each engine is asked while the first one's call is on
        for engine in engines:
            engine.gate.set()
        outcomes = await asyncio.gather(*work, return_exceptions=True)
    assert isinstance(outcomes[failing], Unauthorized)
    assert isinstance(outcomes[1 - failing], Speech)


async def test_a_failure_is_not_ours_with_a_store_in_common(tmp_path: Path) -> None:
    """With one store for both the second client takes its turn, and then it is its own engine that speaks."""
    failing, working = Held(locked_out()), Held()
    working.gate.set()
    async with asyncio.timeout(PATIENCE):
        first = asyncio.create_task(Client(engine=failing, cache_dir=tmp_path).agenerate(REQUEST))
        await failing.asked.get()
        second = asyncio.create_task(Client(engine=working, cache_dir=tmp_path).agenerate(REQUEST))
        failing.gate.set()
        outcomes = await asyncio.gather(first, second, return_exceptions=True)
    assert isinstance(outcomes[0], Unauthorized)
    assert isinstance(outcomes[1], Speech)
    assert len(working.calls) == 1


@pytest.mark.parametrize("first", ["with", "without"])
async def test_only_who_asked_for_a_fallback_hears_it(first: str) -> None:
    """One engine, two clients, one failure: the backup's voice goes to the client that named it and to nobody else."""
    primary, backup = Held(locked_out()), Fake()
    backup.name = "backup"
    clients = {
        "with": Client(engine=primary, fallback=backup, cache=False),
        "without": Client(engine=primary, cache=False),
    }
    work: dict[str, asyncio.Task[Speech]] = {}
    async with asyncio.timeout(PATIENCE):
        for name in sorted(clients, key=lambda name: name != first):
            work[name] = asyncio.create_task(clients[name].agenerate(REQUEST))
            await asyncio.wait_for(primary.asked.get(), 2)
        primary.gate.set()
        await asyncio.wait(work.values())
    assert work["with"].result().engine == "backup"
    assert isinstance(work["without"].exception(), Unauthorized)
    assert len(backup.calls) == 1


# --- warming up ------------------------------------------------------------------------------------------------------


class Warmed(Fake):
    """Notes in which order it was warmed and asked."""

    def __init__(self) -> None:
        super().__init__(limits=Limits(by_sentence=True))
        self.done: list[str] = []

    def warm(self) -> None:
        self.done.append("warm")

    def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        self.done.append(segment.text)
        return super().stream(segment)


def test_an_engine_is_warmed_for_what_is_missing_alone(tmp_path: Path) -> None:
    """An engine loads once, before the first segment that the cache lacks, and never for what the cache has."""

    def work(text: str) -> list[str]:
        engine = Warmed()
        with Client(engine=engine, cache_dir=tmp_path) as client:
            client.generate(Request(text, "Cherry"))
        return engine.done

    assert work("One is first.") == ["warm", "One is first."]
    assert work("One is first.") == []
    assert work("One is first. Two is new.") == ["warm", "Two is new."]
    assert work("One is first. Two is new.") == []


# --- memory ----------------------------------------------------------------------------------------------------------

FAULTS = """
import resource
from lineread import Client, Request
from lineread.engines.fake import Act, Fake

client = Client(engine=Fake(otherwise=Act(chunks=10)), cache=False)
request = Request("A line that takes three seconds and some more to say, as most of them do.", "Cherry")

def speak(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        assert client.generate(request).duration > 3
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / times

speak(20)
print(speak(50))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc that would give the memory back")
def test_memory_for_sound_is_used_again() -> None:
    """Once warm, speaking takes hardly any new pages from the kernel, though sound passes in large blocks."""
    assert float(python(FAULTS).stdout) < 10


# --- leaving early ---------------------------------------------------------------------------------------------------


class Endless(Fake):
    """One chunk, then silence for ever; notes when it was stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped = threading.Event()
        self.stopped_at = float("inf")

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        try:
            yield Chunk(tone(segment), 24_000, 0, segment.span)
            await asyncio.Event().wait()
        finally:
            self.stopped_at = time.perf_counter()
            self.stopped.set()


def leave_by_close() -> float:
    engine = Endless()
    stream = Client(engine=engine, cache=False).generate(REQUEST, stream=True)
    next(iter(stream))
    begun = time.perf_counter()
    stream.close()
    return _stopped_after(engine, begun)


def leave_by_break() -> float:
    engine = Endless()
    with Client(engine=engine, cache=False).generate(REQUEST, stream=True) as stream:
        for _ in stream:
            begun = time.perf_counter()
            break
    return _stopped_after(engine, begun)


def leave_by_aclose() -> float:
    engine = Endless()

    async def work() -> float:
        stream = await Client(engine=engine, cache=False).agenerate(REQUEST, stream=True)
        await anext(aiter(stream))
        begun = time.perf_counter()
        await stream.aclose()
        assert engine.stopped.is_set()  # by now, not only when the loop ends
        return begun

    return _stopped_after(engine, asyncio.run(work()))


def leave_by_cancel() -> float:
    engine = Endless()

    async def work() -> float:
        reached = asyncio.Event()

        async def read() -> None:
            async with await Client(engine=engine, cache=False).agenerate(REQUEST, stream=True) as stream:
                async for _ in stream:
                    reached.set()

        reading = asyncio.create_task(read())
        await reached.wait()
        begun = time.perf_counter()
        reading.cancel()
        await asyncio.wait([reading])
        assert engine.stopped.is_set()
        return begun

    return _stopped_after(engine, asyncio.run(work()))


def _stopped_after(engine: Endless, begun: float) -> float:
    assert engine.stopped.wait(2)
    return engine.stopped_at - begun


@pytest.mark.timeout(20)
@pytest.mark.parametrize("leave", [leave_by_close, leave_by_break, leave_by_aclose, leave_by_cancel])
def test_leaving_early_stops_the_engine_at_once(leave: Callable[[], float]) -> None:
    """However a listener leaves, the engine's work is cancelled within 50 ms."""
    assert min(leave() for _ in range(3)) < AT_ONCE  # the best counts: machines are busy


# --- processes -------------------------------------------------------------------------------------------------------

#: A process that speaks a line, and says so when another process's turn makes it wait.
SPEAKER = """
import json, sys
from lineread import cache, tts

ask = cache.Cache.claim

def told(self, key):
    claim = ask(self, key)
    if claim is None:
        print("waits", flush=True)
    return claim

cache.Cache.claim = told
print("ready", flush=True)
sys.stdin.readline()
speech = tts.generate(sys.argv[1], "Cherry", engine="dashscope")
print(json.dumps([len(speech.pcm), speech.cached, speech.characters]), flush=True)
"""


class Speaker:
    """Such a process; ``waits`` is set when it waits for its turn."""

    def __init__(self, process: asyncio.subprocess.Process, waits: asyncio.Event) -> None:
        self._process = process
        self._waits = waits

    @classmethod
    async def start(cls, waits: asyncio.Event, base_url: str) -> Speaker:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-c", SPEAKER, REQUEST.text),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"DASHSCOPE_API_KEY": KEY, "DASHSCOPE_HTTP_BASE_URL": base_url},
        )
        return cls(process, waits)

    async def said(self) -> str:
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode().strip()

    async def result(self) -> list[int]:
        """Have it speak: bytes of sound, whether the cache had it, characters that were billed."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        while (line := await self.said()) == "waits":
            self._waits.set()
        await self._process.wait()
        return list(json.loads(line))

    def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()


async def test_two_processes_make_one_call() -> None:
    """Two processes that ask for the same line at once make one call; the second hears it from the shared cache."""
    waits = asyncio.Event()

    async def when_both_are_there(call: Call) -> web.StreamResponse:
        """Answers once the other process waits for its turn, or has called as well."""
        if len(cloud.received) == 1:
            await waits.wait()
        waits.set()
        return await loopback.speak()(call)

    async with Cloud() as cloud, asyncio.timeout(PATIENCE):
        cloud.otherwise = when_both_are_there
        speakers = [await Speaker.start(waits, cloud.base_url) for _ in range(2)]
        try:
            assert [await speaker.said() for speaker in speakers] == ["ready", "ready"]
            results = await asyncio.gather(*(speaker.result() for speaker in speakers))
        finally:
            for speaker in speakers:
                speaker.kill()
    assert len(cloud.received) == 1
    assert sorted(cached for _, cached, _ in results) == [False, True]
    assert sorted(characters for *_, characters in results) == [0, loopback.billed(REQUEST.text)]
    assert results[0][0] == results[1][0] != 0
