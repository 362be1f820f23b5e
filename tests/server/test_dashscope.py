"""DashScope's dialect over HTTP: recorded shapes, sound as it comes, refusals in the service's words."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import threading
import time
import uuid
import wave
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import av
import pytest

from lineread import Segment
from lineread.engines.fake import Act, Fake
from lineread.errors import ServiceFailed, Throttled
from lineread.server.sound.writing import Writing
from lineread.speech import Chunk
from server.gateway import GENERATION, Gateway, gateway, until

SSE = {"X-DashScope-SSE": "enable"}
TEXT = "Doors open at nine. Bring a friend."
#: Bytes of its PCM as the fake engine speaks it: 1.76 seconds.
BYTES = 84_480
MISSING = "Required parameter missing or invalid, please check the request parameters."


class Halting(Fake):
    """Gives its first chunk, and the rest when the gate is opened."""

    def __init__(self) -> None:
        super().__init__(otherwise=Act(chunks=4))
        self.gate = asyncio.Event()
        self.left = asyncio.Event()

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        first = True
        try:
            async for chunk in super().stream(segment):
                if not first:
                    await self.gate.wait()
                first = False
                yield chunk
        finally:
            self.left.set()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path) as running:
        yield running


def request(text: str = TEXT, **parameters: Any) -> dict[str, Any]:
    return {"model": "qwen3-tts-flash", "input": {"text": text, "voice": "Cherry"}, "parameters": parameters}


async def streamed(server: Gateway, **parameters: Any) -> tuple[aiohttp.ClientResponse, list[bytes]]:
    """A streaming call: the response, and its blocks without the blank lines between them."""
    async with server.http.post(server.url + GENERATION, json=request(**parameters), headers=SSE) as response:
        data = await response.read()
    assert data.endswith(b"\n\n")
    return response, data[:-2].split(b"\n\n")


def data_of(block: bytes) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(block.partition(b"\ndata:")[2])
    return fields


def sound_of(blocks: list[bytes]) -> bytes:
    return b"".join(base64.b64decode(data_of(block)["output"]["audio"]["data"], validate=True) for block in blocks)


def files(server: Gateway) -> list[str]:
    directory = server.desk.shelf.directory
    return os.listdir(directory) if os.path.isdir(directory) else []


async def file_of(server: Gateway, url: str) -> bytes:
    async with server.http.get(url) as response:
        assert response.status == 200
        return await response.read()


async def test_a_reply_has_the_recorded_shape(server: Gateway) -> None:
    """Three keys and no more, one id in three places, what is billed by the service's rule."""
    response = await server.dashscope("门 open.", parameters={})
    body = json.loads(await response.text())
    id_ = body["request_id"]
    assert str(uuid.UUID(id_)) == id_ == response.headers["x-request-id"]
    assert list(body) == ["output", "usage", "request_id"]
    assert list(body["output"]) == ["audio", "finish_reason"]
    assert list(body["output"]["audio"]) == ["data", "expires_at", "id", "url"]
    assert body["output"]["audio"]["id"] == f"audio_{id_}"
    assert (body["output"]["audio"]["data"], body["output"]["finish_reason"]) == ("", "stop")
    assert body["usage"] == {"characters": 8}
    assert (response.status, response.headers["Content-Type"]) == (200, "application/json")


async def test_events_are_as_recorded(server: Gateway) -> None:
    """Framing, ids, "null" and "stop", times, usage and sizes are those of the recordings."""
    response, blocks = await streamed(server)
    assert response.headers["Content-Type"] == "text/event-stream;charset=UTF-8"
    assert len(blocks) in (7, 8)  # 0.3 s each, the last ones shorter, and the end
    now = time.time()
    for number, block in enumerate(blocks, 1):
        body = data_of(block)
        last = number == len(blocks)
        assert block.startswith(f"id:{number}\nevent:result\n:HTTP_STATUS/200\ndata:{{".encode())
        assert block.count(b"\n") == 3
        audio = body["output"]["audio"]
        assert list(audio) == ["data", "expires_at", "id", *(["url"] if last else [])]
        assert body["output"]["finish_reason"] == ("stop" if last else "null")
        assert audio["expires_at"] == pytest.approx(now + (86_400 if last else 0), abs=5)
        assert body["usage"] == {"characters": len(TEXT)}
        assert body["request_id"] == response.headers["x-request-id"]
        assert len(base64.b64decode(audio["data"])) <= 14_400
        assert bool(audio["data"]) != last
    sound, file = sound_of(blocks), await file_of(server, data_of(blocks[-1])["output"]["audio"]["url"])
    assert sound[:4] == file[:4] == b"RIFF"
    assert sound[44:] == file[44:]
    with wave.open(io.BytesIO(file)) as whole:
        assert whole.getnframes() * 2 + 44 == len(file)


@pytest.mark.parametrize("form", ["mp3", "opus", "flac", "pcm", "wav"])
@pytest.mark.parametrize("rate", [None, 16_000])
async def test_any_format_streams(server: Gateway, form: str, rate: int | None) -> None:
    """All events together are a file of the format, as long as the one at the URL."""
    _, blocks = await streamed(server, response_format=form, sample_rate=rate)
    sound, file = sound_of(blocks), await file_of(server, data_of(blocks[-1])["output"]["audio"]["url"])
    seconds = BYTES / 48_000
    if form == "pcm":
        assert sound == file
        assert len(sound) / 2 / (rate or 24_000) == pytest.approx(seconds, abs=0.01)
        return
    for data in (sound, file):
        with av.open(io.BytesIO(data)) as decoded:
            samples = sum(frame.samples for frame in decoded.decode(audio=0))
            got = decoded.streams.audio[0].rate
        assert got == (rate or 24_000) or form == "opus"
        # A streamed MP3 begins with the encoder's own silence.
        assert samples / got == pytest.approx(seconds, abs=0.15)


async def test_the_header_can_be_left_out(tmp_path: Path) -> None:
    """A server that is told so streams bare PCM, as the documents say; the file stays a WAV."""
    async with gateway(tmp_path, riff=False) as server:
        _, blocks = await streamed(server)
        file = await file_of(server, data_of(blocks[-1])["output"]["audio"]["url"])
        assert sound_of(blocks) == file[44:]


async def test_sound_leaves_while_the_engine_speaks(tmp_path: Path) -> None:
    """The first events are there before the engine goes on; nothing is gathered."""
    engine = Halting()
    async with gateway(tmp_path, engine) as server, asyncio.timeout(10):
        async with server.http.post(server.url + GENERATION, json=request(), headers=SSE) as response:
            first = data_of((await response.content.readuntil(b"\n\n")).strip())
            assert base64.b64decode(first["output"]["audio"]["data"]).startswith(b"RIFF")
            assert not engine.gate.is_set()
            engine.gate.set()
            rest = (await response.read()).strip().split(b"\n\n")
        assert data_of(rest[-1])["output"]["finish_reason"] == "stop"


async def test_a_client_that_leaves_ends_the_work(tmp_path: Path) -> None:
    """When a client hangs up amid a stream the engine is stopped, and no file or part of one stays."""
    engine = Halting()
    async with gateway(tmp_path, engine) as server, asyncio.timeout(10):
        async with server.http.post(server.url + GENERATION, json=request(), headers=SSE) as response:
            await response.content.readuntil(b"\n\n")
            response.close()
        await engine.left.wait()
        await until(lambda: not server.desk.taken)
        await until(lambda: not files(server))


async def test_a_full_disk_does_not_stop_a_stream(tmp_path: Path) -> None:
    """All of the sound comes, and the end without a URL; a call that needs the file is told that there is none."""
    async with gateway(tmp_path) as server:
        server.desk.shelf.directory = __file__
        _, blocks = await streamed(server)
        last = data_of(blocks[-1])["output"]
        assert (last["finish_reason"], last["audio"]["url"]) == ("stop", "")
        assert len(sound_of(blocks)) == 44 + BYTES
        response = await server.dashscope()
        body = await response.json()
        assert (response.status, body["code"]) == (500, "InternalError")
        assert __file__ not in body["message"]


async def test_a_slow_disk_does_not_hold_events_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the disk takes nothing at all, every event with sound arrives."""
    release = threading.Event()
    opened = Writing._opened

    def stuck(self: Writing) -> Any:
        release.wait(30)
        return opened(self)

    monkeypatch.setattr(Writing, "_opened", stuck)
    async with gateway(tmp_path) as server, asyncio.timeout(20):
        async with server.http.post(server.url + GENERATION, json=request(), headers=SSE) as response:
            blocks: list[bytes] = []
            while len(sound_of(blocks)) < 44 + BYTES:
                blocks.append((await response.content.readuntil(b"\n\n")).strip())
            release.set()
            last = data_of((await response.read()).strip())
        assert (await file_of(server, last["output"]["audio"]["url"]))[44:] == sound_of(blocks)[44:]


async def test_a_stored_line_is_neither_spoken_nor_written_again(tmp_path: Path) -> None:
    """Streamed or not, the engine is called once for a line, and its file stays the same one."""
    engine = Fake()
    async with gateway(tmp_path, engine) as server:
        _, blocks = await streamed(server)
        (name,) = files(server)
        before = os.stat(server.desk.shelf.path(name))
        _, again = await streamed(server)
        whole = await (await server.post(GENERATION, request())).json()
        after = os.stat(server.desk.shelf.path(name))
        assert files(server) == [name]
        assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
        assert sound_of(blocks) == sound_of(again)
        assert name in whole["output"]["audio"]["url"]
        assert len(engine.calls) == 1


@pytest.mark.parametrize("error", [ServiceFailed("It broke."), Throttled("Slow.", kind="burst", retry_after=2.5)])
async def test_what_fails_before_sound_is_a_plain_answer(tmp_path: Path, error: Exception) -> None:
    """Also a streaming call gets status, code and times to wait while it has no sound; with 200 comes no error."""
    async with gateway(tmp_path, Fake([error])) as server:
        response = await server.post(GENERATION, request(), **SSE)
        body = await response.json()
        assert list(body) == ["request_id", "code", "message"]
        assert body["request_id"] == response.headers["x-request-id"]
        expected = (500, "InternalError") if isinstance(error, ServiceFailed) else (429, "Throttling.BurstRate")
        assert (response.status, body["code"]) == expected
        if isinstance(error, Throttled):
            assert (response.headers["Retry-After"], response.headers["retry-after-ms"]) == ("3", "2500")
        assert response.headers["x-should-retry"] == "false"


async def test_what_fails_amid_sound_is_an_event(tmp_path: Path) -> None:
    """The one framing that all SDKs read is the last event; no file is kept."""
    engine = Fake(otherwise=Act(chunks=4, after=2, error=Throttled("Slow.", kind="quota")))
    async with gateway(tmp_path, engine) as server:
        response, blocks = await streamed(server)
        assert response.status == 200
        head, _, data = blocks[-1].partition(b"\ndata:")
        assert head == f"id:{len(blocks)}\nevent:error\n:HTTP_STATUS/429\nstatus:429".encode()
        assert json.loads(data)["code"] == "Throttling.AllocationQuota"
        assert len(sound_of(blocks[:-1])) > 10_000
        assert [visit.code for visit in server.visits] == ["throttled"]
        await until(lambda: not files(server))


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
async def test_only_post_speaks(server: Gateway, method: str) -> None:
    """Other methods are refused in the service's own words."""
    async with server.http.request(method, server.url + GENERATION) as response:
        assert (response.status, response.headers["Allow"]) == (400, "POST")
        if method != "HEAD":
            body = await response.json()
            assert body["code"] == "InvalidParameter"
            assert body["message"].startswith(f"Request method '{method}' is not supported.")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/services/audio/tts/SpeechSynthesizer"),
        ("POST", "/services/audio/asr/customization"),
        ("POST", "/services/aigc/text-generation/generation"),
        ("GET", "/tasks/1b2c"),
        ("GET", "/files"),
        ("GET", ""),
        ("GET", "/"),
        ("POST", "/services/aigc/multimodal-generation/generation/"),
        ("PUT", "/anything/at/all?x=%FF"),
    ],
)
async def test_elsewhere_the_dialect_says_what_it_has(server: Gateway, method: str, path: str) -> None:
    """All other addresses are refused in the dialect's shape, with what is served and where."""
    async with server.http.request(method, server.url + "/api/v1" + path, json={"model": "cosyvoice-v3"}) as response:
        body = await response.json()
    assert (response.status, body["code"]) == (400, "InvalidParameter")
    assert body["message"].startswith("url error, please check url！")
    assert GENERATION in body["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"nonsense",
        b'{"model":"qwen3-tts-flash"',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"model":"qwen3-tts-flash","model":"qwen-tts","input":{"text":"Hi.","voice":"Cherry"}}',
        b'{"model":"qwen3-tts-flash","input":{"text":"\\ud800","voice":"Cherry"}}',
        b'{"model":"qwen3-tts-flash","input":{"text":"Hi.","voice":"Cherry","volume":NaN}}',
        b'{"model":"qwen3-tts-flash","input":{"text":"Hi.","voice":"Cherry","volume":1e999}}',
        b'{"model":"\\ud83d","input":{"text":"Hi.","voice":"Cherry"}}',
    ],
    ids=range(12),
)
@pytest.mark.parametrize("headers", [{}, SSE], ids=["whole", "sse"])
async def test_no_body_breaks_the_server(tmp_path: Path, body: bytes, headers: dict[str, str]) -> None:
    """Hostile bodies get a 400 in the dialect's shape, streaming or not, and the engine hears nothing of them."""
    engine = Fake()
    async with gateway(tmp_path, engine) as server:
        headers = headers | {"Content-Type": "application/json"}
        async with server.http.post(server.url + GENERATION, data=body, headers=headers) as response:
            said = await response.json()
        assert response.status == 400
        assert list(said) == ["request_id", "code", "message"]
        assert not engine.calls
        assert server.visits[0].code


async def test_a_body_has_to_say_that_it_is_json(server: Gateway) -> None:
    """What a browser may send to other origins unasked is refused, with what to send."""
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        async with server.http.post(
            server.url + GENERATION, data=json.dumps(request()), headers={"Content-Type": content_type}
        ) as response:
            body = await response.json()
        assert 400 <= response.status < 500
        assert (body["code"], body["message"].startswith(MISSING)) == ("InvalidParameter", True)
        assert "application/json" in body["message"]


async def test_every_kind_of_json_is_json(server: Gateway) -> None:
    """A media type that ends in +json is one that browsers ask about first, and its body is read."""
    for content_type in ("application/problem+json", "application/vnd.api+json; charset=utf-8"):
        headers = {"Content-Type": content_type}
        async with server.http.post(server.url + GENERATION, data=json.dumps(request()), headers=headers) as response:
            assert response.status == 200


async def test_what_is_not_served_is_said_before_the_type_of_its_body(server: Gateway) -> None:
    """An upload is told that there are no files here, and not that it should be JSON."""
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    async with server.http.post(server.url + "/api/v1/files", data=b"--x--", headers=headers) as response:
        body = await response.json()
    assert (response.status, body["message"].startswith("url error")) == (400, True)
    assert "This server speaks Qwen TTS" in body["message"]


async def test_a_strict_server_is_strict(tmp_path: Path) -> None:
    """The option reaches the reading of requests: what the documents forbid is refused, the exact call is not."""
    async with gateway(tmp_path, strict=True) as server:
        assert (await server.post(GENERATION, request(language_type="English"))).status == 200
        assert (await server.post(GENERATION, request(language_type="english"))).status == 400
        assert (await server.dashscope("x" * 601)).status == 400
    async with gateway(tmp_path, max_characters=10) as server:
        body = await (await server.dashscope("x" * 11)).json()
        assert body["message"].startswith("Range of input length should be [1, 10].")


async def test_the_machine_s_voice_is_held_to_the_catalogue(tmp_path: Path) -> None:
    """With the built-in engine, too, models and voices are those of the cloud; code that runs here runs there."""
    async with gateway(tmp_path, "builtin") as server:
        for model, voice, status in (
            ("qwen3-tts-flash", "Jennifer", 200),
            ("qwen3-tts-instruct-flash", "Jennifer", 400),
            ("qwen3-tts-instruct-flash", "Serena", 200),
            ("qwen-tts", "Jada", 400),
            ("qwen-tts-latest", "Jada", 200),
            ("hibari", "Cherry", 400),
            ("qwen3-tts-vc-2026-01-22", "qwen-tts-vc-me-voice-20260101000000000-0a1b", 400),
            ("qwen3-tts-flash-realtime", "Cherry", 400),
        ):
            response = await server.post(GENERATION, {"model": model, "input": {"text": "Hello.", "voice": voice}})
            assert response.status == status, (model, voice, await response.text())
