"""OpenAI's own client, and curl, speak with the server: formats, streams, errors, and what happens when one leaves."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import av
import httpx2
import numpy as np
import openai
import pytest
import soundfile
from openai import AsyncOpenAI, OpenAI

from lineread import errors
from lineread.engines.base import Limits
from lineread.engines.fake import SECONDS_PER_CHARACTER, Act, Fake
from lineread.errors import LinereadError
from lineread.server.sound.encoding import Encoding
from server.gateway import SPEECH, Gateway, gateway, until

TEXT = "Doors open at nine. Bring friends!"
SECONDS = round(SECONDS_PER_CHARACTER * len(TEXT), 3)
#: A line that comes in pieces, so that it is streamed.
PIECES = Act(chunks=7)


@asynccontextmanager
async def sdk(server: Gateway, **options: Any) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any", **{"max_retries": 0, **options}) as client:
        yield client


def length(data: bytes, form: str, pcm_rate: int = 24_000) -> tuple[float, int]:
    """Seconds and sample rate of a file."""
    if form == "pcm":
        return len(data) / 2 / pcm_rate, pcm_rate
    if form in ("aac", "flac"):  # soundfile cannot read AAC, nor a FLAC whose head does not tell its length
        with av.open(io.BytesIO(data)) as file:
            frames = [frame for frame in file.decode(audio=0) if isinstance(frame, av.AudioFrame)]
        return sum(frame.samples for frame in frames) / frames[0].sample_rate, frames[0].sample_rate
    sound, rate = soundfile.read(io.BytesIO(data))
    return len(sound) / rate, rate


FORMATS = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}


@pytest.mark.parametrize("form", FORMATS)
async def test_every_format_is_what_it_says(form: str, tmp_path: Path) -> None:
    """Streamed for the first time and kept for the second, each format decodes to the whole line and has its type."""
    async with gateway(tmp_path, Fake(otherwise=PIECES)) as server, sdk(server) as client:
        for kept in (False, True):
            answer = await client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT, response_format=form)
            head = answer.response.headers
            assert head["Content-Type"] == FORMATS[form]
            assert head["x-request-id"]
            assert not kept or head["Content-Length"] == str(len(answer.content))
            seconds, rate = length(answer.content, form)
            assert rate == 24_000
            assert 0 <= seconds - SECONDS < 0.1
            assert server.visits[-1].cached == kept


@pytest.mark.parametrize("form", FORMATS)
async def test_another_rate(form: str, tmp_path: Path) -> None:
    """``sample_rate``, which OpenAI has not, makes a file of that rate and the same length."""
    async with gateway(tmp_path, Fake(otherwise=PIECES)) as server, sdk(server) as client:
        answer = await client.audio.speech.create(
            model="tts-1", voice="alloy", input=TEXT, response_format=form, extra_body={"sample_rate": 16_000}
        )
    seconds, rate = length(answer.content, form, 16_000)
    assert rate == 16_000
    assert -0.001 < seconds - SECONDS < 0.2


async def test_the_fields_reach_the_engine(tmp_path: Path) -> None:
    """Names, instructions, speed and language go where they belong."""
    engine = Fake()
    async with gateway(tmp_path, engine) as server, sdk(server) as client:
        await client.audio.speech.create(
            model="gpt-4o-mini-tts", voice="nova", input=TEXT, instructions="Warm.", speed=1.5,
            response_format="pcm", extra_body={"language_type": "english", "pitch": 0.9},
        )  # fmt: skip
    request = engine.calls[0].request
    assert (request.voice, request.model, request.instruction) == ("Cherry", "qwen3-tts-instruct-flash", "Warm.")
    assert (request.rate, request.pitch, request.language_type) == (1.5, 0.9, "English")


async def test_the_first_bytes_leave_before_the_last_are_spoken(tmp_path: Path) -> None:
    """While the engine holds the rest of the line back, the client already has the beginning."""
    go = asyncio.Event()

    class Held(Fake):
        async def stream(self, segment: Any) -> AsyncIterator[Any]:
            async for index_chunk in _held(super().stream(segment), go):
                yield index_chunk

    async with gateway(tmp_path, Held(otherwise=PIECES)) as server, sdk(server) as client:
        call = client.audio.speech.with_streaming_response
        async with call.create(model="tts-1", voice="alloy", input=TEXT, response_format="wav") as answer:
            pieces = answer.iter_bytes(1_000)
            got = await asyncio.wait_for(anext(pieces), 10)
            assert not go.is_set()
            go.set()
            got += b"".join([piece async for piece in pieces])
    assert got.startswith(b"RIFF")
    assert length(got, "wav")[0] == pytest.approx(SECONDS)


async def _held(chunks: AsyncIterator[Any], go: asyncio.Event) -> AsyncIterator[Any]:
    yield await anext(chunks)
    await go.wait()
    async for chunk in chunks:
        yield chunk


def events(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in body.split(b"\n\n") if line]


@pytest.mark.parametrize("act", [Act(), PIECES], ids=["whole", "pieces"])
async def test_events_carry_the_file(act: Act, tmp_path: Path) -> None:
    """With ``stream_format`` sse the deltas join to a file, no line is too long to be read, and the end tells usage."""
    async with gateway(tmp_path, Fake(otherwise=act)) as server, sdk(server) as client:
        for _ in range(2):
            answer = await client.audio.speech.create(
                model="gpt-4o-mini-tts", voice="alloy", input=TEXT, response_format="wav", stream_format="sse"
            )
            assert answer.response.headers["Content-Type"].startswith("text/event-stream")
            *deltas, done = events(answer.content)
            sound = b"".join(base64.b64decode(delta["audio"]) for delta in deltas)
            assert {delta["type"] for delta in deltas} == {"speech.audio.delta"}
            assert length(sound, "wav")[0] == pytest.approx(SECONDS)
            assert max(map(len, answer.content.split(b"\n"))) < 1 << 16
            assert done["type"] == "speech.audio.done"
            assert done["usage"]["input_tokens"] == len(TEXT)


async def test_a_body_is_copied_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole body, of which every access makes a copy, is taken once: spoken in pieces, or at once when kept."""
    taken: list[bytes | None] = []
    whole = Encoding.whole.fget
    assert whole is not None
    monkeypatch.setattr(Encoding, "whole", property(lambda self: taken.append(whole(self)) or taken[-1]))
    for at_once in (False, True):
        async with gateway(tmp_path, Fake()) as server:
            assert ("Content-Length" in (await server.openai(TEXT)).headers) == at_once
        assert len(taken) == 1
        taken.clear()


async def test_the_synchronous_client(tmp_path: Path) -> None:
    """``create().read()``, ``stream_to_file`` and the lists work without an event loop, too."""

    def use(url: str) -> tuple[bytes, bytes, list[str], str]:
        with OpenAI(base_url=url, api_key="any", max_retries=0) as client:
            read = client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT, response_format="pcm").read()
            with client.audio.speech.with_streaming_response.create(
                model="tts-1", voice="alloy", input=TEXT, response_format="pcm"
            ) as answer:
                answer.stream_to_file(tmp_path / "line.pcm")
            names = [model.id for model in client.models.list()]
            return read, (tmp_path / "line.pcm").read_bytes(), names, client.models.retrieve("tts-1-hd").id

    async with gateway(tmp_path, Fake(otherwise=PIECES)) as server:
        read, streamed, names, one = await asyncio.to_thread(use, f"{server.url}/v1")
    assert read == streamed
    assert len(read) == round(SECONDS * 48_000)
    assert {"tts-1", "qwen3-tts-flash"} <= set(names)
    assert one == "tts-1-hd"


Call = dict[str, Any]


@pytest.mark.parametrize(
    ("call", "kind", "param"),
    [
        ({"input": ""}, openai.BadRequestError, "input"),
        ({"input": "\n "}, openai.BadRequestError, "input"),
        ({"voice": ""}, openai.BadRequestError, "voice"),
        ({"voice": {"id": 1}}, openai.BadRequestError, "voice"),
        ({"speed": 4.0}, openai.BadRequestError, "speed"),
        ({"response_format": "ogg"}, openai.BadRequestError, "response_format"),
        ({"extra_body": {"language_type": "Klingon"}}, openai.BadRequestError, "language_type"),
        ({"model": "tts-9"}, openai.NotFoundError, "model"),
    ],
)
async def test_what_cannot_be_spoken_is_refused(call: Call, kind: type[Exception], param: str, tmp_path: Path) -> None:
    """The SDK raises its class for a wrong field, which is named, and nothing is spoken."""
    engine = Fake()
    async with gateway(tmp_path, engine) as server, sdk(server) as client:
        with pytest.raises(kind) as caught:
            await client.audio.speech.create(**{"model": "tts-1", "voice": "alloy", "input": TEXT, **call})
    assert isinstance(caught.value, openai.APIStatusError)
    assert caught.value.param == param
    assert caught.value.request_id
    assert not engine.calls


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (errors.Unauthorized("No."), openai.InternalServerError, "server_error"),
        (errors.KeyRefused("No."), openai.AuthenticationError, "invalid_api_key"),
        (errors.NotAllowed("No."), openai.PermissionDeniedError, "not_allowed"),
        (errors.Refused("No.", code="content_refused"), openai.BadRequestError, "content_policy_violation"),
        (errors.QuotaExceeded("No."), openai.RateLimitError, "insufficient_quota"),
        (errors.LimitReached("No."), openai.RateLimitError, "rate_limit_exceeded"),
        (errors.ServiceFailed("No."), openai.InternalServerError, "service_failed"),
        (errors.Leaving("No."), openai.InternalServerError, "leaving"),
        (errors.TimedOut("No."), openai.InternalServerError, "timed_out"),
    ],
)
async def test_the_sdk_raises_what_belongs_to_an_error(
    error: LinereadError, kind: type[Exception], code: str, tmp_path: Path
) -> None:
    """Whatever goes wrong before the first sound, the SDK raises the class that its users catch, at once."""
    engine = Fake(otherwise=Act(error=error))
    async with gateway(tmp_path, engine) as server, sdk(server, max_retries=2) as client:
        with pytest.raises(kind) as caught:
            await client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT)
        assert isinstance(caught.value, openai.APIStatusError)
        assert caught.value.code == code
        assert len(server.visits) == 1, "the SDK tried again although nothing would be better then"


async def test_the_sdk_tries_again_when_told_to(tmp_path: Path) -> None:
    """A server that is full says when to come back; the SDK does, and gets its line."""
    engine = Fake([Act(delay=0.05)])
    async with gateway(tmp_path, engine, max_requests=1) as server, sdk(server, max_retries=1) as client:
        first = asyncio.create_task(server.openai(TEXT))
        await until(lambda: server.desk.taken)
        answer = await client.audio.speech.create(model="tts-1", voice="echo", input=TEXT, response_format="pcm")
        await first
    assert len(answer.content) == round(SECONDS * 48_000)
    refused = next(visit for visit in server.visits if visit.code)
    assert refused.code == "overloaded"


@pytest.mark.parametrize("form", ["pcm", "mp3", "wav"])
async def test_a_break_in_the_middle_is_no_end(form: str, tmp_path: Path) -> None:
    """When the engine fails after some sound was sent, the connection breaks, and half a file is never kept."""
    act = Act(chunks=4, error=errors.ServiceFailed("Broken."), after=2)
    async with gateway(tmp_path, Fake([act], limits=Limits())) as server, sdk(server) as client:
        call = client.audio.speech.with_streaming_response
        with pytest.raises((httpx2.RemoteProtocolError, openai.APIConnectionError)):
            async with call.create(model="tts-1", voice="alloy", input=TEXT, response_format=form) as answer:
                await answer.read()
        assert server.visits[-1].code == "service_failed"
        again = await client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT, response_format=form)
    assert 0 <= length(again.content, form)[0] - SECONDS < 0.1


async def test_a_break_in_the_middle_of_events_is_an_event(tmp_path: Path) -> None:
    """Events end with the error, in OpenAI's shape, and without the one that says that all is done."""
    act = Act(chunks=4, error=errors.ServiceFailed("Broken."), after=2)
    async with gateway(tmp_path, Fake([act])) as server, sdk(server) as client:
        answer = await client.audio.speech.create(
            model="gpt-4o-mini-tts", voice="alloy", input=TEXT, response_format="pcm", stream_format="sse"
        )
    *deltas, last = events(answer.content)
    assert {delta["type"] for delta in deltas} == {"speech.audio.delta"}
    assert last["error"]["code"] == "service_failed"


@pytest.mark.parametrize("form", ["pcm", "mp3"])
async def test_who_leaves_stops_the_speaking(form: str, tmp_path: Path) -> None:
    """A client that goes away ends the engine's work on its line, and its seat is free."""
    engine = Fake(otherwise=Act(chunks=50, pace=0.05))
    body = {"input": TEXT * 20, "voice": "alloy", "response_format": form}
    async with gateway(tmp_path, engine) as server:
        async with server.http.post(server.url + SPEECH, json=body) as answer:
            await answer.content.read(10)
            assert engine.running
        await until(lambda: not engine.running and not server.desk.taken)


async def test_a_slow_reader_holds_the_speaking_up(tmp_path: Path) -> None:
    """However slowly a client reads, no more is spoken ahead of it than a few segments and the sockets' buffers."""
    spoken = 0

    class Counted(Fake):
        async def stream(self, segment: Any) -> AsyncIterator[Any]:
            nonlocal spoken
            async for chunk in super().stream(segment):
                spoken += len(chunk.pcm)
                yield chunk

    text = " ".join(f"This is sentence number {number} of a long text." for number in range(1_800))
    body = {"input": text, "voice": "alloy"}
    async with gateway(tmp_path, Counted(limits=Limits(600, concurrency=1))) as server:
        async with server.http.post(server.url + SPEECH, json={**body, "response_format": "pcm"}) as answer:
            assert await answer.content.read(1_000)
            before = 0
            async with asyncio.timeout(20):
                while before != spoken:  # a lull of 0.3 s: the server waits for the reader
                    before = spoken
                    await asyncio.sleep(0.3)
            assert 1_000_000 < spoken < 24_000_000
        await until(lambda: not server.desk.taken)


async def test_without_pyav_aac_is_a_clear_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AAC needs an extra; who lacks it learns its name before anything is spoken."""
    monkeypatch.delitem(sys.modules, "lineread.audio.aac", raising=False)
    monkeypatch.setitem(sys.modules, "av", None)
    engine = Fake()
    async with gateway(tmp_path, engine) as server, sdk(server) as client:
        with pytest.raises(openai.BadRequestError, match=r"pip install 'lineread\[aac\]'") as caught:
            await client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT, response_format="aac")
    assert caught.value.param == "response_format"
    assert not engine.calls


async def test_a_line_of_another_voice_is_not_kept(tmp_path: Path) -> None:
    """What a fallback spoke is spoken anew the next time, by the voice that was asked for."""

    class Other(Fake):
        name = "other"

    async with gateway(tmp_path, Fake([errors.ServiceFailed("Broken.")])) as server:
        server.desk.client._fallback = Other()
        for cached in (False, False, True):
            answer = await server.openai(TEXT)
            assert answer.status == 200
            assert server.visits[-1].cached == cached


async def test_what_openai_has_and_this_server_has_not(tmp_path: Path) -> None:
    """Other calls of the SDK are refused as OpenAI refuses what it does not know."""
    async with gateway(tmp_path) as server, sdk(server) as client:
        with pytest.raises(openai.NotFoundError):
            await client.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"RIFF"))
        with pytest.raises(openai.NotFoundError):
            await client.embeddings.create(model="e", input="a")


async def test_open_webuis_calls(tmp_path: Path) -> None:
    """Open WebUI's settings page finds the models and the voices, with id and name each."""
    async with gateway(tmp_path) as server:
        async with server.http.get(server.url + "/v1/audio/models") as models:
            assert {"id": "tts-1", "name": "tts-1"} in (await models.json())["models"]
        async with server.http.get(server.url + "/v1/audio/voices", params={"model": "qwen-tts"}) as voices:
            assert [voice["id"] for voice in (await voices.json())["voices"]][:2] == ["Cherry", "Serena"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
async def test_curl(tmp_path: Path) -> None:
    """The command of OpenAI's documents makes a file that plays."""
    async with gateway(tmp_path, Fake(otherwise=PIECES)) as server:
        body = json.dumps({"model": "gpt-4o-mini-tts", "input": TEXT, "voice": "coral", "response_format": "flac"})
        curl = await asyncio.create_subprocess_exec(
            "curl", "-sS", "--fail", server.url + SPEECH, "-H", "Authorization: Bearer any",
            "-H", "Content-Type: application/json", "-d", body, "--output", str(tmp_path / "line.flac"),
        )  # fmt: skip
        assert await curl.wait() == 0
    assert length((tmp_path / "line.flac").read_bytes(), "flac")[0] == pytest.approx(SECONDS)


async def test_a_player_takes_a_streamed_wav(tmp_path: Path) -> None:
    """FFmpeg decodes the stream to its last sample and finds nothing to complain about."""
    async with gateway(tmp_path, Fake(otherwise=PIECES)) as server:
        answer = await server.http.post(
            server.url + SPEECH, json={"input": TEXT, "voice": "alloy", "response_format": "wav"}
        )
        sent = await answer.read()
    before = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as complaints, av.open(io.BytesIO(sent)) as file:
            played = b"".join(frame.to_ndarray().tobytes() for frame in file.decode(audio=0))
    finally:
        av.logging.set_level(before)
    assert played == sent[44:]
    assert complaints == []
    assert np.frombuffer(played, "<i2").any()
