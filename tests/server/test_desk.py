"""The desk: what the record of a request says however it ends, how much is done at once, and what is done once."""

from __future__ import annotations

import asyncio
import io
import time
import wave
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import dashscope
import pytest

from lineread import Request, Segment
from lineread.client import Client
from lineread.engines.base import Limits, Quota
from lineread.engines.fake import Act, Fake
from lineread.errors import ServiceFailed
from lineread.server.access import keys
from lineread.server.desk import Order
from lineread.server.sight.visit import Visit
from lineread.speech import Chunk
from server.gateway import GENERATION, gateway, until

ALICE, BOB = "lineread_alice-0123456789abcdef", "lineread_bob-0123456789abcdef"
TWO_KEYS = keys.from_variable(f"alice={ALICE},bob={BOB}")
#: Two segments of the engines below, whose words take one character of sound each.
TWO = "One is here. Two is here."


class Gated(Fake):
    """Speaks when the gate is opened."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.gate = asyncio.Event()

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        stream = super().stream(segment)
        async for chunk in stream:
            await self.gate.wait()
            yield chunk


class Counted(Fake):
    """An engine of a service that counts calls; notes when each was made."""

    def __init__(self, per_minute: int = 119) -> None:
        super().__init__()
        self.per_minute = per_minute
        self.times: list[float] = []

    def quota(self, request: Request) -> Quota:
        return Quota(f"desk-account-{self.per_minute}", self.per_minute)

    def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        self.times.append(time.monotonic())
        return super().stream(segment)


def by_sentence(*script: Act | Exception, **options: Any) -> Fake:
    return Fake(script, limits=Limits(characters=14, by_sentence=True, concurrency=1), **options)


@pytest.mark.parametrize("form", ["wav", "pcm", "mp3", "flac"])
async def test_the_record_of_spoken_cached_and_shelved_speech(form: str, tmp_path: Path) -> None:
    """Spoken, recalled from the cache, and fetched from the shelf, by this server or by the one before it: the record
    has the same characters, engine, length, voice and model each time, and says what cost nothing.
    """
    parameters = {"parameters": {"response_format": form}}

    async def records(*kinds: str) -> list[tuple[Any, ...]]:
        async with gateway(tmp_path, Fake()) as server:
            for kind in kinds:
                headers = {"X-DashScope-SSE": "enable"} if kind == "events" else {}
                body = {"model": "qwen3-tts-flash", "input": {"text": TWO, "voice": "Cherry"}, **parameters}
                response = await server.post(GENERATION, body, **headers)
                assert response.status == 200
            await until(lambda: server.desk.taken == 0)
            assert all(visit.first_audio is not None for visit in server.visits)
            return [(v.cached, v.characters, v.engine, v.voice, v.model, v.seconds) for v in server.visits]

    spoken, recalled, shelved, old = [*await records("file", "events", "file"), *await records("file")]
    assert spoken[:5] == (False, len(TWO), "fake", "Cherry", "qwen3-tts-flash")
    assert spoken[5] > 0.5
    for record in (recalled, shelved, old):
        assert record[:5] == (True, *spoken[1:5])
        assert record[5] == pytest.approx(spoken[5], abs=0.06 if form == "mp3" else 1e-3)


async def test_the_record_of_what_ends_early(tmp_path: Path) -> None:
    """A stream that breaks, or that the client leaves, is on record with what was spoken until then; what failed before
    its first sound is on record with nothing.
    """
    broken = ServiceFailed("It broke.")
    async with gateway(tmp_path, by_sentence(Act(), Act(chunks=3, error=broken, after=1))) as server:
        await server.post(GENERATION, _asked(TWO), **{"X-DashScope-SSE": "enable"})
        (visit,) = server.visits
        await until(lambda: server.desk.taken == 0)
        assert (visit.cached, visit.characters, visit.engine) == (False, len(TWO), "fake")
        assert 0 < visit.seconds < 2
    async with gateway(tmp_path / "2", by_sentence(otherwise=Act(error=broken))) as server:
        assert (await server.dashscope(TWO)).status >= 500
        (visit,) = server.visits
        assert (visit.cached, visit.characters, visit.engine, visit.seconds) == (False, 0, "", 0.0)
        assert visit.first_audio is None


async def test_a_client_that_leaves_stops_the_work_and_pays_for_what_was_begun(tmp_path: Path) -> None:
    """When a client goes away mid-stream its seat is free at once, the engine stops, and of its characters those
    stay counted whose segments were begun: with this engine, the one that is read and one ahead of it.
    """
    path = tmp_path / "keys.toml"
    path.write_text(f'[alice]\nhash = "{keys.hashed(ALICE)}"\ncharacters_per_day = 1000\n')
    engine = by_sentence(Act(), Act(chunks=9, pace=30))
    async with gateway(tmp_path, engine, key_file=str(path)) as server:
        headers = {"Authorization": f"Bearer {ALICE}", "X-DashScope-SSE": "enable"}
        response = await server.http.post(server.url + GENERATION, json=_asked(TWO * 9), headers=headers)
        await response.content.readuntil(b"\n\n")
        await until(lambda: len(engine.calls) == 2)
        assert server.desk.taken == 1
        assert server.desk.ledger.used("alice") == len(TWO * 9)
        response.close()
        await until(lambda: server.desk.taken == 0)
        assert engine.running == 0
        visit = server.visits[0]
        assert visit.engine == "fake"
        assert visit.seconds > 0
        assert server.desk.ledger.used("alice") == len("One is here.") + len("Two is") + len("here.One")


async def test_a_client_that_leaves_before_the_first_sound_pays_for_what_was_begun(tmp_path: Path) -> None:
    """Segments that the engine was asked for count although nobody waited for their sound; those that were stored
    before do not.
    """
    path = tmp_path / "keys.toml"
    path.write_text(f'[alice]\nhash = "{keys.hashed(ALICE)}"\ncharacters_per_day = 1000\n')
    engine = Gated(limits=Limits(characters=16, by_sentence=True, concurrency=2))
    doors = [f"Door {n} is here." for n in range(9)]
    async with gateway(tmp_path, engine, key_file=str(path)) as server:
        engine.gate.set()
        assert (await server.openai(doors[1], ALICE)).status == 200
        engine.gate.clear()
        leaving = asyncio.create_task(server.openai(" ".join(doors), ALICE))
        await until(lambda: engine.running == 2)
        leaving.cancel()
        await until(lambda: server.desk.taken == 0)
        assert [segment.text for segment in engine.calls[1:]] == [doors[0], doors[2]]
        assert server.desk.ledger.used("alice") == len(doors[1]) + len(doors[0] + doors[2] + doors[3])
        assert server.visits[-1].characters


async def test_a_stored_book_leaves_the_others_their_turn(tmp_path: Path) -> None:
    """While a text comes that is stored, whoever else has something to do gets a turn for each of its segments."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with Client(engine=by_sentence(), cache_dir=tmp_path) as client:
        request = Request("".join(f"Door {n}. " for n in range(50)), voice="Cherry")
        await client.agenerate(request)
        order = Order(client.prepare(request), Visit(method="POST"))
        task = asyncio.create_task(others())
        chunks = [chunk async for chunk in order.chunks()]
        task.cancel()
        assert order.visit.cached
        assert order.owed == 0
        assert turns >= len(chunks) > 20


async def test_more_than_the_server_takes_is_told_so_at_once(tmp_path: Path) -> None:
    """Over the bound comes a 429 in the dialect's words while all seats are still taken; then there is room again."""
    engine = Gated()
    async with gateway(tmp_path, engine, max_requests=3) as server:
        running = [asyncio.create_task(server.openai(f"Number {n}.")) for n in range(3)]
        await until(lambda: server.desk.taken == 3)
        one, other = await server.dashscope("One more."), await server.openai("One more.")
        assert (one.status, other.status) == (429, 429)
        assert (await one.json())["code"].startswith("Throttling")
        assert "again in a moment" in (await other.json())["error"]["message"]
        assert one.headers["Retry-After"] == other.headers["Retry-After"] == "1"
        engine.gate.set()
        assert {response.status for response in await asyncio.gather(*running)} == {200}
        assert (await server.openai("One more.")).status == 200


async def test_a_busy_key_leaves_room_for_another(tmp_path: Path) -> None:
    """While one key has all the requests in progress that it can have, another key's first one is served."""
    engine = Gated()
    async with gateway(tmp_path, engine, max_requests=8, keys=TWO_KEYS) as server:
        crowd = [asyncio.create_task(server.openai(f"Number {n}.", ALICE)) for n in range(12)]
        await until(lambda: sum(task.done() for task in crowd) == 5)
        assert server.desk.taken == 7
        modest = asyncio.create_task(server.openai("Me too.", BOB))
        await until(lambda: server.desk.taken == 8)
        engine.gate.set()
        assert (await modest).status == 200
        assert sorted(response.status for response in await asyncio.gather(*crowd)) == [200] * 7 + [429] * 5


async def test_identical_requests_of_different_clients_are_spoken_once(tmp_path: Path) -> None:
    """Clients with keys of their own that ask for the same while it is being spoken share one call of the engine."""
    engine = Gated()
    async with gateway(tmp_path, engine, keys=TWO_KEYS) as server:
        stream = {"X-DashScope-SSE": "enable"}
        tasks = [asyncio.create_task(server.dashscope(key=key)) for key in (ALICE, BOB, ALICE)]
        tasks.append(asyncio.create_task(server.post(GENERATION, _asked("Hello."), BOB, **stream)))
        await until(lambda: server.desk.taken == 4)
        engine.gate.set()
        first, *others = await asyncio.gather(*tasks)
        assert {first.status, *(response.status for response in others)} == {200}
        assert len(engine.calls) == 1


async def test_one_bucket_for_the_account(tmp_path: Path) -> None:
    """The service's limit on calls holds for all clients of the server together."""
    engine = Counted()
    async with gateway(tmp_path, engine, keys=TWO_KEYS) as server:
        responses = await asyncio.gather(server.openai("One.", ALICE), server.dashscope("Two.", BOB))
        assert {response.status for response in responses} == {200}
        assert engine.times[1] - engine.times[0] >= 0.9 * 60 / 119


async def test_a_turn_that_is_far_off_is_refused_at_once(tmp_path: Path) -> None:
    """While the account's limit leaves no room for long, new work gets a 429 that says when to come again, in either
    dialect; what is stored is answered. Of many that come at the same moment, no more are taken than have room.
    """
    engine = Counted(per_minute=4)
    async with gateway(tmp_path, engine) as server:
        crowd = await asyncio.gather(*(server.openai(f"Number {n}.") for n in range(30)))
        assert sorted(response.status for response in crowd) == [200] + [429] * 29
        spoken = engine.calls[0].text
        for refused in (await server.openai("Two."), await server.dashscope("Two.")):
            assert refused.status == 429
            assert 10 <= int(refused.headers["Retry-After"]) <= 15
            assert "account's limit" in await refused.text()
        assert (await server.dashscope(spoken)).status == 200
        assert len(engine.times) == 1


async def test_a_server_that_is_about_to_stop_takes_no_more(tmp_path: Path) -> None:
    """New work gets a 503 in the dialect's words; what runs is finished."""
    engine = Gated()
    async with gateway(tmp_path, engine) as server:
        running = asyncio.create_task(server.openai())
        await until(lambda: server.desk.taken == 1)
        server.desk.closing = True
        one, other = await server.dashscope("More."), await server.openai("More.")
        assert (one.status, (await one.json())["code"]) == (503, "ModelUnavailable")
        assert other.status == 503
        assert one.headers["Retry-After"] == other.headers["Retry-After"] == "5"
        engine.gate.set()
        assert (await running).status == 200


async def test_the_official_sdk_speaks_with_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DashScope's SDK shows its key as it does to the cloud; a wrong one is its usual 401, and the file is sound."""
    async with gateway(tmp_path, keys=TWO_KEYS) as server:
        monkeypatch.setattr(dashscope, "base_http_api_url", server.url + "/api/v1")

        def call(key: str) -> Any:
            return dashscope.MultiModalConversation.call(
                model="qwen3-tts-flash", api_key=key, text="Hello.", voice="Cherry"
            )

        refused = await asyncio.to_thread(call, "sk-0123456789abcdef")
        assert (refused.status_code, refused.code) == (401, "InvalidApiKey")
        spoken = await asyncio.to_thread(call, BOB)
        async with server.http.get(spoken.output.audio.url) as response:
            with wave.open(io.BytesIO(await response.read())) as sound:
                assert sound.getnframes() / sound.getframerate() == pytest.approx(server.visits[-1].seconds or 1, abs=1)
        assert [visit.caller for visit in server.visits[:2]] == ["", "bob"]


def _asked(text: str) -> dict[str, Any]:
    return {"model": "qwen3-tts-flash", "input": {"text": text, "voice": "Cherry"}}
