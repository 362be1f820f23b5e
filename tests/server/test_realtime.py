"""Realtime sessions over real sockets: what is set, said and answered, in the protocol's own words.

The engine is the fake one: a tone lasts 50 ms for each character, so that the sound tells what was spoken.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import random
import re
import socket
import string
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineread import Request, catalogue, errors
from lineread.client import Client
from lineread.engines.fake import SECONDS_PER_CHARACTER, Act, Fake
from lineread.errors import Refused, ServiceFailed
from lineread.fields import REALTIME
from lineread.live.local import Local
from lineread.server.access import keys
from lineread.server.dialects import realtime
from lineread.server.sessions import Sitting
from lineread.speech import Chunk, LiveRequest
from lineread.wire.realtime.answerer import Answerer
from lineread.wire.realtime.machine import EMPTY_COMMIT, LATE_UPDATE, NO_MORE_TEXT, TABLE
from server.gateway import Gateway, gateway, until
from server.talking import MODEL, PATH, Talk, handshake, sound, talking

KEY = "lineread_0123456789-0123456789"
RATE = 24_000
RESPONSE = [
    "response.created",
    "response.output_item.added",
    "response.content_part.added",
    "response.audio.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.done",
]


def seconds(pcm: bytes, rate: int = RATE) -> float:
    return len(pcm) / 2 / rate


def key_file(tmp_path: Path, *lines: str) -> str:
    """A key file with one key and those limits."""
    path = tmp_path / "keys.toml"
    path.write_text("\n".join(["[alice]", f'hash = "{keys.hashed(KEY)}"', *lines, ""]))
    return str(path)


def slow(**changes: Any) -> Fake:
    """An engine that begins, and never comes to an end."""
    return Fake(otherwise=Act(**{"chunks": 4, "pace": 3600.0} | changes))


# --- what is said -------------------------------------------------------------------------------------------------


async def test_a_session_from_its_first_event_to_its_close(tmp_path: Path) -> None:
    """All that is appended is spoken, in order and once; the server closes a second after it was finished."""
    async with gateway(tmp_path) as server, talking(server) as talk:
        await talk.append("Hello there. ")
        await talk.append("How are you?")
        await talk.finish()
        assert talk.types == ["session.created", *RESPONSE, "session.finished"]
        created = talk.events[0]["session"]
        assert created.pop("id").startswith("sess_")
        assert created == {
            "object": "realtime.session",
            "mode": "server_commit",
            "model": MODEL,
            "voice": "Cherry",
            "response_format": "pcm",
            "sample_rate": RATE,
        }
        assert talk.spoken == 24  # the space between them is not spoken
        assert 24 * SECONDS_PER_CHARACTER <= seconds(talk.sound) <= 24 * SECONDS_PER_CHARACTER + 0.5  # with a pause
        spans = [event["text_span"] for event in talk.of("response.audio.delta")]
        assert spans == sorted(spans)
        assert {place for span in spans for place in span} == {0, 12, 13, 25}
        assert len({event["event_id"] for event in talk.events}) == len(talk.events)
        await talk.rest()
        assert talk.code == 1000


async def test_each_commit_is_a_response(tmp_path: Path) -> None:
    """In commit mode nothing is spoken before a commit; each one has an answer and a response of its own."""
    engine = Fake()
    async with gateway(tmp_path, engine) as server, talking(server) as talk:
        await talk.update(mode="commit", voice="Ethan")
        await talk.until("session.updated")
        for text in ("First. ", "Second."):
            await talk.append(text)
            await talk.send("no.such.event")  # an answer that comes after the text was taken in
            await talk.until("error")
            assert not any(text.strip() == call.text for call in engine.calls)
            await talk.commit()
            done = await talk.until("response.done")
            assert done["response"]["usage"] == {"characters": len(text.strip())}
            assert done["response"]["voice"] == "Ethan"
        await talk.finish()
        mean = [kind for kind in talk.types if kind != "error"]
        one = ["input_text_buffer.committed", *RESPONSE]
        assert mean == ["session.created", "session.updated", *one, *one, "session.finished"]


async def test_server_commit_ends_a_response_when_all_was_spoken(tmp_path: Path) -> None:
    """A client that pauses gets its response to the end, and another one for what it says next."""
    async with gateway(tmp_path) as server, talking(server) as talk:
        for text in ("First words. ", "Then more. "):
            await talk.append(text)
            await talk.until("response.done")
        await talk.finish()
        assert [event["response"]["status"] for event in talk.of("response.done")] == ["completed"] * 2


async def test_what_is_said_before_the_server_has_spoken(tmp_path: Path) -> None:
    """A whole session that is sent before session.created was read, without event ids, is spoken as any."""
    async with gateway(tmp_path) as server, talking(server) as talk:
        await talk.update(voice="Serena", mode="commit")
        await talk.append("Hello.")
        await talk.commit()
        await talk.finish()
        kinds = ["session.created", "session.updated", "input_text_buffer.committed", *RESPONSE, "session.finished"]
        assert talk.types == kinds
        assert seconds(talk.sound) == pytest.approx(6 * SECONDS_PER_CHARACTER)


async def test_a_session_without_a_word(tmp_path: Path) -> None:
    """It is finished as soon as the client says so; no engine is asked."""
    engine = Fake()
    async with gateway(tmp_path, engine) as server, talking(server) as talk:
        await talk.append("")
        await talk.finish()
        assert talk.types == ["session.created", "session.finished"]
        assert not engine.calls


@pytest.mark.parametrize("mode", ["server_commit", "commit"])
async def test_ten_thousand_appends_of_a_character(mode: str, tmp_path: Path) -> None:
    """Tokens may be as short as can be, and as many; every character is spoken once."""
    rng = random.Random(1)
    text = "".join(
        "".join(rng.choices(string.ascii_lowercase, k=4)) + (". " if at % 12 == 11 else " ") for at in range(2000)
    )
    engine = Fake(otherwise=Act())
    async with gateway(tmp_path, engine) as server, talking(server) as talk:
        await talk.update(mode=mode)

        async def write() -> None:
            for character in text[:10_000]:
                await talk.append(character)
            if mode == "commit":
                await talk.commit()
            await talk.send("session.finish")

        writing = asyncio.create_task(write())
        await talk.until("session.finished")
        await writing
        assert not talk.errors
        assert "".join(call.text for call in engine.calls).split() == text[:10_000].split() or re.sub(
            r"\s", "", "".join(call.text for call in engine.calls)
        ) == re.sub(r"\s", "", text[:10_000])
        assert talk.spoken >= len(re.sub(r"\s", "", text[:10_000]))


# --- what is set --------------------------------------------------------------------------------------------------


def decoded(form: str, data: bytes, rate: int) -> tuple[float, int]:
    """Seconds of sound in a file, and its sample rate."""
    if form == "pcm":
        return seconds(data, rate), rate
    if form == "wav":  # a stream says that its length is not known yet
        assert data[:4] == b"RIFF"
        at = data.index(b"data")
        return seconds(data[at + 8 :], rate), struct.unpack("<I", data[24:28])[0]
    samples, found = soundfile.read(io.BytesIO(data))
    assert np.abs(samples).max() > 0.05
    return len(samples) / found, found


@pytest.mark.parametrize("rate", [8000, 16_000, 24_000, 48_000])
@pytest.mark.parametrize("form", ["pcm", "wav", "mp3", "opus"])
async def test_formats_and_rates(form: str, rate: int, tmp_path: Path) -> None:
    """Each response is a file of its own in the format and at the rate that were asked for, all of its sound in it."""
    async with gateway(tmp_path) as server, talking(server) as talk:
        await talk.update(response_format=form, sample_rate=rate, mode="commit")
        updated = (await talk.until("session.updated"))["session"]
        assert (updated["response_format"], updated["sample_rate"]) == (form, rate)
        for text in ("Hello there.", "And once more this is longer."):
            before = len(talk.events)
            await talk.append(text)
            await talk.commit()
            await talk.until("response.done")
            length, found = decoded(form, sound(talk.events[before:]), rate)
            assert found == rate
            padding = 3000 / rate if form == "mp3" else 0.02  # mp3 begins and ends with silence of its own
            assert length == pytest.approx(len(text) * SECONDS_PER_CHARACTER, abs=padding)
        await talk.finish()


class Noting(Fake):
    """Keeps the requests that it was asked to speak."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Request] = []

    def resolve(self, request: Request) -> Request:
        self.asked.append(request)
        return super().resolve(request)


async def test_every_setting_reaches_the_engine(tmp_path: Path) -> None:
    """Each field of a session means what the reference says; unknown ones, and null, change nothing."""
    engine = Noting()
    async with gateway(tmp_path, engine) as server, talking(server) as talk:
        await talk.update(
            voice="ethan",
            language_type="english",
            speech_rate=1.25,
            pitch_rate=0.8,
            volume=70,
            instructions="Warm and calm.",
            optimize_instructions=True,
            bit_rate=64,
            enable_tn=False,
            channels=1,
            bit_depth=16,
            rate="fast",
            sample_rate=None,
        )
        updated = (await talk.until("session.updated"))["session"]
        assert (updated["voice"], updated["language_type"], updated["sample_rate"]) == ("ethan", "english", RATE)
        await talk.append("Hello.")
        await talk.finish()
        assert not talk.errors
        said = [request for request in engine.asked if request.text == "Hello."][-1]
        assert (said.voice.lower(), said.language_type.lower()) == ("ethan", "english")
        assert (said.rate, said.pitch, said.volume, said.instruction) == (1.25, 0.8, 70, "Warm and calm.")
        assert said.model == MODEL
        assert seconds(talk.sound) == pytest.approx(6 * SECONDS_PER_CHARACTER / 1.25, abs=0.02)
    named = {field.dashscope for field in REALTIME.request}
    assert {f"session.{name}" for name in ("voice", "language_type", "speech_rate", "instructions")} <= named


async def test_the_last_update_holds(tmp_path: Path) -> None:
    """Settings may change until the first text; what is left out stays."""
    async with gateway(tmp_path) as server, talking(server) as talk:
        await talk.update(voice="Ethan", sample_rate=8000)
        await talk.update(voice="Serena")
        await talk.update(speech_rate=2)
        await talk.append("Hello there.")
        await talk.finish()
        last = talk.of("session.updated")[-1]["session"]
        assert (last["voice"], last["sample_rate"]) == ("Serena", 8000)
        assert seconds(talk.sound, 8000) == pytest.approx(12 * SECONDS_PER_CHARACTER / 2, abs=0.02)


# --- what is refused ----------------------------------------------------------------------------------------------

REFUSED: list[tuple[str, str, str]] = [
    ("not json", "", "not"),
    ("[1, 2]", "", ""),
    ('{"type": "input_text_buffer.append", "type": "x", "text": "a"}', "", ""),
    ('{"event_id": "e"}', "", "type"),
    (json.dumps({"type": "input_audio_buffer.append", "event_id": "event_7"}), "invalid_value", "No client sends"),
    (json.dumps({"type": "input_text_buffer.append", "event_id": "event_7"}), "", "text"),
    (json.dumps({"type": "input_text_buffer.append", "text": 7, "event_id": "event_7"}), "", "text"),
    (json.dumps({"type": "input_text_buffer.append", "text": "a" * 20_001}), "invalid_value", "20000 characters"),
    (json.dumps({"type": "input_text_buffer.commit", "event_id": "event_7"}), EMPTY_COMMIT.code, EMPTY_COMMIT.message),
    (json.dumps({"type": "session.update", "session": {"voice": "Nobody"}}), "invalid_value", "voice 'Nobody' is not"),
    (json.dumps({"type": "session.update", "session": {"voice": 5}}), "", "session.voice"),
    (json.dumps({"type": "session.update", "session": {"mode": "both"}}), "", "session.mode"),
    (json.dumps({"type": "session.update", "session": {"sample_rate": 7999}}), "", "session.sample_rate"),
    (json.dumps({"type": "session.update", "session": {"response_format": "flac"}}), "", "session.response_format"),
    (json.dumps({"type": "session.update", "session": {"language_type": "Klingon"}}), "invalid_value", "Klingon"),
    (json.dumps({"type": "session.update", "session": []}), "", "session"),
]


@pytest.mark.parametrize(("message", "code", "words"), REFUSED, ids=range(len(REFUSED)))
async def test_what_is_wrong_is_said_and_the_session_goes_on(
    message: str, code: str, words: str, tmp_path: Path
) -> None:
    """An error event names the client's event and what is wrong; what is said afterwards is spoken as if it was not."""
    async with gateway(tmp_path, "builtin" if "Nobody" in message else None) as server, talking(server) as talk:
        await talk.until("session.created")
        await talk.raw(message)
        said = (await talk.until("error"))["error"]
        assert said["code"] == (code or said["code"])
        assert words in said["message"]
        assert said["type"] == "invalid_request_error"
        assert said.get("event_id") == ("event_7" if "event_7" in message else None)
        await talk.append("Hello.")
        await talk.finish()
        assert len(talk.errors) == 1
        assert talk.spoken == 6
        assert [visit.code for visit in server.visits] == [""]


async def test_a_binary_frame(tmp_path: Path) -> None:
    """It is refused in an event, as anything else that is none."""
    async with gateway(tmp_path) as server, talking(server) as talk:
        await talk.socket.send_bytes(b"\x00\x01")
        assert "Binary" in (await talk.until("error"))["error"]["message"]
        await talk.append("Hello.")
        assert [event["type"] for event in await talk.finish()][-1] == "session.finished"


async def test_events_at_the_wrong_time(tmp_path: Path) -> None:
    """An update after the first text, and text after the finish, get the protocol's own words."""
    async with gateway(tmp_path, Fake(otherwise=Act(chunks=3, pace=0.02))) as server, talking(server) as talk:
        await talk.append("Hello there, my friend.")
        await talk.update(voice="Ethan")
        assert (await talk.until("error"))["error"]["message"].startswith(LATE_UPDATE.message)
        await talk.send("session.finish")
        await talk.append("Too late.")
        await talk.until("session.finished")
        assert talk.errors[1]["message"].startswith(NO_MORE_TEXT.message)
        assert talk.spoken == 22


async def test_a_message_that_is_too_long(tmp_path: Path) -> None:
    """Two megabytes end the session with 1009, and the log says why."""
    async with gateway(tmp_path) as server, talking(server) as talk:
        await talk.until("session.created")
        await talk.append("a" * (2 << 20))
        await talk.rest()
        assert talk.code == 1009
        await until(lambda: server.visits[0].ended)
        assert (server.visits[0].status, server.visits[0].code) == (101, "message_too_long")


@pytest.mark.parametrize("engine", ["fake", "builtin"])
@pytest.mark.parametrize("model", ["gpt-4", "cosyvoice-v3-flash", "qwen3-tts-flash", "a" * 3000, "<script>"])
async def test_a_model_that_the_server_has_not(engine: str, model: str, tmp_path: Path) -> None:
    """The session opens, as the service's does; an error says at once what is wrong, and again to each text."""
    unknown = engine == "builtin" and model not in catalogue.load().models
    async with gateway(tmp_path, engine) as server, talking(server, query=f"?model={model}") as talk:
        await talk.cancel()  # nothing is asked of it yet
        await talk.append("Hello." if unknown else "")
        await talk.finish()
        assert talk.types == ["session.created", *["error"] * (2 * unknown), "session.finished"]
        assert all("model" in error["message"] for error in talk.errors)


async def test_without_a_model_in_the_query(tmp_path: Path) -> None:
    """It is the one that the service's documents begin with."""
    async with gateway(tmp_path) as server, talking(server, query="") as talk:
        assert (await talk.until("session.created"))["session"]["model"] == MODEL


# --- cancel, clear ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["server_commit", "commit"])
async def test_cancel_stops_the_voice(mode: str, tmp_path: Path) -> None:
    """The response in progress is closed as incomplete, its engine stops, and what is said next is spoken."""
    engine = Fake([Act(chunks=4, pace=0.001), Act(chunks=4, pace=3600)])
    async with gateway(tmp_path, engine) as server, talking(server) as talk:
        await talk.update(mode=mode)
        await talk.append("This is the first sentence of all. And this is the second one, which never ends.")
        if mode == "commit":
            await talk.commit()
        await talk.until("response.audio.delta")
        await until(lambda: len(engine.calls) == 2)
        await talk.cancel()
        done = (await talk.until("response.done"))["response"]
        assert (done["status"], done["status_details"]["reason"]) == ("incomplete", "client_cancelled")
        assert engine.running == 0
        await talk.append("Then this.")
        await talk.finish()
        assert not talk.errors
        assert [event["response"]["status"] for event in talk.of("response.done")] == ["incomplete", "completed"]
        assert talk.of("response.done")[1]["response"]["usage"] == {"characters": 10}
        assert [call.text for call in engine.calls][2:] == ["Then this."]


async def test_cancel_of_nothing(tmp_path: Path) -> None:
    """Where nothing is in progress nothing is answered, however often, and the session is none the worse."""
    async with gateway(tmp_path) as server, talking(server) as talk:
        for _ in range(3):
            await talk.cancel()
        await talk.update(voice="Ethan")
        await talk.cancel()
        await talk.append("Hello.")
        await talk.finish()
        await talk.cancel()
        assert talk.types == ["session.created", "session.updated", *RESPONSE, "session.finished"]


async def test_cancel_while_a_write_waits_for_room(tmp_path: Path) -> None:
    """A client that has said far more than is heard can still stop it all at once."""
    engine = slow()
    sentence = "This is one of very many sentences that nobody hears. "
    async with gateway(tmp_path, engine) as server, talking(server) as talk:
        for _ in range(400):
            await talk.append(sentence)
        await talk.until("response.audio.delta")
        await talk.cancel()
        done = (await talk.until("response.done"))["response"]
        assert done["status"] == "incomplete"
        assert engine.running == 0
        engine._otherwise = Act()
        await talk.append("Now this.")
        await talk.finish()
        assert talk.of("response.done")[-1]["response"]["usage"] == {"characters": 9}
        assert len(talk.of("response.done")) == 2


async def test_cancel_drops_sound_that_a_slow_client_has_not_taken(tmp_path: Path) -> None:
    """What waits to be sent is dropped with the rest: the client is not told what it does not want to hear."""
    engine = Fake(otherwise=Act(chunks=50))
    text = "A sentence which is rather long, so that it makes a good deal of sound for each of its words. "
    async with gateway(tmp_path, engine) as server, talking(server) as talk:
        await talk.append(text * 50)
        await until(lambda: server.visits[0].seconds > 20)  # nobody reads: the voice goes on till there is no room
        await talk.cancel()
        await talk.finish()
        assert talk.of("response.done")[0]["response"]["status"] == "incomplete"
        assert seconds(talk.sound) < len(text * 50) * SECONDS_PER_CHARACTER
        assert engine.running == 0


async def test_clear_drops_what_nobody_has_begun_to_speak(tmp_path: Path) -> None:
    """In commit mode that is all that was appended since the last commit."""
    engine = Fake()
    async with gateway(tmp_path, engine) as server, talking(server) as talk:
        await talk.update(mode="commit")
        await talk.append("Forget this.")
        await talk.clear()
        await talk.commit()
        assert (await talk.until("error"))["error"]["message"].startswith(EMPTY_COMMIT.message)
        await talk.append("Say this.")
        await talk.commit()
        await talk.finish()
        assert talk.spoken == 9
        assert {tuple(event["text_span"]) for event in talk.of("response.audio.delta")} == {(12, 21)}
        assert [call.text for call in engine.calls] == ["Say this."]


async def test_clear_after_the_finish(tmp_path: Path) -> None:
    """It has its effect and its answer, and no error: what nobody has begun to speak is not spoken."""
    engine = Fake(otherwise=Act(delay=0.005))
    async with gateway(tmp_path, engine) as server, talking(server) as talk:
        await talk.append("".join(f"Sentence {number} of many. " for number in range(60)))
        await talk.send("session.finish")
        await talk.clear()
        await talk.until("session.finished")
        assert talk.types.count("input_text_buffer.cleared") == 1
        assert not talk.errors
        assert len(engine.calls) < 30


# --- who comes in -------------------------------------------------------------------------------------------------


async def test_what_is_no_handshake(tmp_path: Path) -> None:
    """A plain GET is told to speak WebSocket; other addresses and methods, that nothing is there."""
    async with gateway(tmp_path) as server:
        async with server.http.get(server.url + PATH) as response:
            body = await response.json()
            assert response.status == 426
            assert "ws://" in body["message"]
        async with server.http.get(server.url + "/api-ws/v1/inference") as response:
            assert response.status == 404
            assert "realtime" in (await response.json())["message"]
        async with server.http.get(server.url + PATH + "x") as response:
            assert response.status == 404
        assert (await handshake(server, **{"Sec-WebSocket-Version": "12"}))[0] == 426
        assert server.visits[0].route == "realtime.session"


async def test_keys_at_the_handshake(tmp_path: Path) -> None:
    """Without the right key there is a 401 and no session; an expired one is told so."""
    async with gateway(tmp_path, key_file=key_file(tmp_path)) as server:
        for shown in ({}, {"Authorization": "Bearer sk-wrong"}):
            status, headers, body = await handshake(server, **shown)
            assert status == 401
            assert headers["www-authenticate"].startswith("Bearer")
            assert json.loads(body)["code"] == "InvalidApiKey"
        async with talking(server, KEY) as talk:
            await talk.until("session.created")
        assert [visit.caller for visit in server.visits] == ["", "", "alice"]


async def test_a_web_page_of_another_origin_opens_no_session(tmp_path: Path) -> None:
    """Without keys a page elsewhere could spend the owner's money: it is refused. SDKs show the server's own origin."""
    async with gateway(tmp_path) as server:
        own = server.url
        for origin in (
            "https://evil.example",
            "null",
            "http://localhost:3000",
            "http://127.0.0.1",
            "file://",
            own + "0",
        ):
            assert (await handshake(server, Origin=origin))[0] == 403, origin
        for origin in (own, own.upper(), own.replace("http", "https")):
            assert (await handshake(server, Origin=origin))[0] == 101, origin
        assert (await handshake(server, Host="evil.example", Origin="http://evil.example"))[0] == 403  # rebinding
    async with gateway(
        tmp_path, origins=("https://studio.example",), public_url="https://speech.example/tts"
    ) as server:
        for origin, status in (
            ("https://studio.example", 101),
            ("https://speech.example", 101),
            ("https://evil.example", 403),
            ("https://speech.example.evil", 403),
        ):
            assert (await handshake(server, Origin=origin))[0] == status, origin
    async with gateway(tmp_path, origins=("*",)) as server:
        assert (await handshake(server, Origin="https://anywhere.example"))[0] == 101
    async with gateway(tmp_path, key_file=key_file(tmp_path)) as server:  # a page cannot show a key
        page = {"Origin": "https://proxied.example"}
        assert (await handshake(server, **page))[0] == 401
        assert (await handshake(server, Authorization=f"Bearer {KEY}", **page))[0] == 101


# --- limits -------------------------------------------------------------------------------------------------------


async def test_sessions_at_once(tmp_path: Path) -> None:
    """One more than there may be is told 429 and when to come again; it gets in when another one has ended."""
    async with gateway(tmp_path, max_sessions=1) as server:
        async with talking(server) as talk:
            await talk.until("session.created")
            status, headers, body = await handshake(server)
            assert (status, headers["retry-after"]) == (429, "1")
            assert json.loads(body)["code"].startswith("Throttling")
        await until(lambda: server.desk.sessions.taken == 0)
        assert (await handshake(server))[0] == 101


async def test_sessions_of_a_key(tmp_path: Path) -> None:
    """A key that may have one session gets no second one, while the server has room; and a minute's limit holds."""
    async with gateway(tmp_path, key_file=key_file(tmp_path, "sessions = 1", "requests_per_minute = 2")) as server:
        shown = {"Authorization": f"Bearer {KEY}"}
        async with talking(server, KEY) as talk:
            await talk.until("session.created")
            status, headers, body = await handshake(server, **shown)
            assert (status, headers["retry-after"]) == (429, "1")
            assert "1 session at the same time" in json.loads(body)["message"]
        await until(lambda: server.desk.sessions.taken == 0)
        assert (await handshake(server, **shown))[0] == 101
        await until(lambda: server.desk.sessions.taken == 0)
        status, headers, _ = await handshake(server, **shown)
        assert (status, 0 < int(headers["retry-after"]) <= 60) == (429, True)


async def test_a_session_that_got_no_seat_does_not_count(tmp_path: Path) -> None:
    """What was turned away for want of room counts nothing for its key's minute, in sessions as in any other call."""
    shown = {"Authorization": f"Bearer {KEY}"}
    path = key_file(tmp_path, "requests_per_minute = 2")
    async with gateway(tmp_path, key_file=path, max_sessions=1) as server:
        async with talking(server, KEY) as talk:
            await talk.until("session.created")
            assert (await handshake(server, **shown))[0] == 429
        await until(lambda: server.desk.sessions.taken == 0)
        assert (await handshake(server, **shown))[0] == 101


async def test_a_session_that_lies_idle(tmp_path: Path) -> None:
    """It is told so and closed with 1008; pings are no sign of life."""
    async with gateway(tmp_path, session_idle=0.3) as server, talking(server) as talk:
        await talk.until("session.created")
        pings = asyncio.create_task(_ping(talk))
        await talk.rest()
        pings.cancel()
        assert (talk.code, talk.types) == (1008, ["session.created", "error"])
        assert "0.3 s" in talk.errors[0]["message"]
        await until(lambda: server.visits[0].ended)
        assert (server.visits[0].status, server.visits[0].code) == (101, "session_idle")


async def _ping(talk: Talk) -> None:
    while True:
        await talk.socket.ping()
        await asyncio.sleep(0.02)


async def test_a_session_that_speaks_is_not_idle(tmp_path: Path) -> None:
    """However long its client is silent, as long as something is heard."""
    engine = Fake(otherwise=Act(chunks=12, pace=0.1))
    async with gateway(tmp_path, engine, session_idle=0.5) as server, talking(server) as talk:
        await talk.append("This is a sentence that takes over a second.")
        await talk.until("response.done")
        await talk.rest()
        assert talk.code == 1008
        assert talk.spoken == 44


async def test_a_session_that_lasts_too_long(tmp_path: Path) -> None:
    """It is cut however busy it is, and its engine stops."""
    engine = slow()
    async with gateway(tmp_path, engine, session_seconds=0.3) as server, talking(server) as talk:
        await talk.append("This never comes to its end, and nobody minds.")
        await talk.rest()
        assert talk.code == 1008
        assert talk.types[-2:] == ["response.done", "error"] or talk.types[-1] == "response.done"
        assert "as long as one may" in talk.errors[0]["message"]
        await until(lambda: engine.running == 0)


async def test_characters_a_day(tmp_path: Path) -> None:
    """What was spoken counts; what was cancelled or cleared is given back, and what is stored is free."""
    limit = key_file(tmp_path, "characters_per_day = 100")
    engine = Fake([Act()], otherwise=Act(delay=3600))
    async with gateway(tmp_path, engine, key_file=limit) as server:

        async def used(count: int) -> None:
            await until(lambda: server.desk.sessions.taken == 0)
            assert server.desk.ledger.used("alice") == count

        async with talking(server, KEY) as talk:
            await talk.append("0123456789.")
            await talk.finish()
        await used(11)
        async with talking(server, KEY) as talk:  # from the cache
            await talk.append("0123456789.")
            await talk.finish()
            assert seconds(talk.sound) > 0.5
        await used(11)
        async with talking(server, KEY) as talk:
            await talk.append("This is spoken by nobody, ever.")
            await until(lambda: engine.running)
            assert server.desk.ledger.used("alice") == 42
            await talk.cancel()
            await talk.append("x" * 80)
            await talk.append("x" * 8)
            await talk.cancel()
            said = (await talk.until("error"))["error"]
            assert "100 characters" in said["message"]
            assert said["code"].startswith("Throttling")
            await talk.finish()
        await used(11)
        assert [visit.cached for visit in server.visits] == [False, True, False]
        engine._otherwise = Act()
        async with talking(server, KEY) as talk:  # what is refused is as if it had never been said
            await talk.append("y" * 95)
            await talk.append("Hi there.")
            await talk.finish()
            assert len(talk.errors) == 1
            assert talk.spoken == 9
        await used(20)


async def test_a_key_that_is_removed_says_no_more(tmp_path: Path) -> None:
    """Sessions last long: each text is looked at anew, and the session can be finished."""
    path = key_file(tmp_path)
    engine = Fake()
    async with gateway(tmp_path, engine, key_file=path) as server, talking(server, KEY) as talk:
        await talk.append("First words. ")
        await talk.until("response.done")
        os.truncate(path, 0)
        await until(lambda: not server.desk.keys.all())
        await talk.append("Second words. ")
        assert "no key of this server" in (await talk.until("error"))["error"]["message"]
        await talk.finish()
        assert [call.text for call in engine.calls] == ["First words."]


@pytest.mark.parametrize(
    ("limit", "words"), [('voices = ["ethan"]', "voice"), ('models = ["qwen3-tts-flash"]', "model")]
)
async def test_what_a_key_may_not_use(limit: str, words: str, tmp_path: Path) -> None:
    """It is refused when it is asked for, by an update or by default, and nothing is spoken."""
    engine = Fake()
    async with gateway(tmp_path, engine, key_file=key_file(tmp_path, limit)) as server, talking(server, KEY) as talk:
        await talk.append("Hello.")
        assert words in (await talk.until("error"))["error"]["message"]
        await talk.update(voice="Cherry")
        assert words in (await talk.until("error"))["error"]["message"]
        await talk.finish()
        assert not engine.calls


# --- trouble ------------------------------------------------------------------------------------------------------


async def test_a_client_that_vanishes_stops_its_work(tmp_path: Path) -> None:
    """Without a close, in the middle of a word: the engine stops, the seat is free, the log says who left."""
    engine = slow()
    async with gateway(tmp_path, engine) as server, talking(server) as talk:
        await talk.append("This never comes to its end, and nobody minds. ")
        await talk.until("response.audio.delta")
        connection = talk.socket._response.connection
        assert connection is not None
        assert isinstance(connection.transport, asyncio.WriteTransport)
        connection.transport.abort()
        await until(lambda: engine.running == 0 and server.desk.sessions.taken == 0)
        await until(lambda: server.visits[0].ended)
        assert (server.visits[0].status, server.visits[0].code) == (499, "client_left")


async def test_a_client_that_closes_stops_its_work(tmp_path: Path) -> None:
    """A close in the middle is an end as good as any."""
    engine = slow()
    async with gateway(tmp_path, engine) as server, talking(server) as talk:
        await talk.append("This never comes to its end, and nobody minds. ")
        await talk.until("response.audio.delta")
        await talk.socket.close()
        await until(lambda: engine.running == 0 and server.visits[0].ended)
        assert (server.visits[0].status, server.visits[0].code) == (101, "")


async def test_a_client_that_reads_nothing_is_cut(tmp_path: Path) -> None:
    """Its voice stops when there is no more room for it, and after its patience the server's own is over."""
    engine = Fake(otherwise=Act())
    text = "A sentence which is rather long, so that it makes a good deal of sound for each of its words. "
    async with gateway(tmp_path, engine, write_timeout=0.5) as server:
        reader, writer = await _raw(server.url)
        writer.write(_frame(json.dumps({"type": "input_text_buffer.append", "text": text * 200})))
        for _ in range(20):
            writer.write(_frame(json.dumps({"type": "input_text_buffer.append", "text": text * 200})))
        await until(lambda: server.visits[0].ended)
        assert server.visits[0].code == "slow_reader"
        assert len(engine.calls) < 1000  # of 4200
        assert engine.running == server.desk.sessions.taken == 0
        writer.transport.abort()
        del reader


async def test_refusals_that_nobody_reads_take_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends nonsense and reads nothing is not listened to any more, once enough answers wait."""
    monkeypatch.setattr(realtime, "_MOST_REPLIES", 50)
    monkeypatch.setattr(realtime, "_MOST_STEPS", 50)
    answered = 0
    receive = Answerer.receive

    def count(self: Answerer, message: str | bytes) -> Any:
        nonlocal answered
        answered += 1
        return receive(self, message)

    monkeypatch.setattr(Answerer, "receive", count)
    async with gateway(tmp_path, write_timeout=1.0) as server:
        reader, writer = await _raw(server.url)
        frame = _frame("x") * 1000
        with suppress(ConnectionError):
            while True:
                writer.write(frame)
                async with asyncio.timeout(10):
                    await writer.drain()
        await until(lambda: server.visits[0].ended)
        assert answered < 50_000  # what the system's own buffers hold
        writer.transport.abort()
        del reader


async def _raw(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A session on a connection with next to no buffers, of which nothing is read but the handshake's answer."""
    port = int(url.rpartition(":")[2])
    wire = socket.socket()
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    wire.settimeout(0)
    await asyncio.get_running_loop().sock_connect(wire, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=wire, limit=1024)
    writer.write(
        f"GET {PATH}?model={MODEL} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    assert b"101" in await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)
    return reader, writer


def _frame(text: str) -> bytes:
    """A text frame with a mask of zeros."""
    data = text.encode()
    if len(data) < 126:
        size = bytes([0x80 | len(data)])
    else:
        size = bytes([0xFF if len(data) > 0xFFFF else 0xFE]) + struct.pack(
            ">Q" if len(data) > 0xFFFF else ">H", len(data)
        )
    return b"\x81" + size + bytes(4) + data


async def test_a_voice_that_fails(tmp_path: Path) -> None:
    """The client is told once, its response is closed as failed, text is refused, and a finish is a finish."""
    engine = Fake([Act(chunks=4, after=2, error=ServiceFailed("It broke.", retryable=False))])
    async with gateway(tmp_path, engine) as server, talking(server) as talk:
        await talk.append("Hello there, my friend. ")
        done = (await talk.until("response.done"))["response"]
        assert (done["status"], done["status_details"]["type"]) == ("failed", "failed")
        await talk.append("More.")
        assert "has failed" in (await talk.until("error"))["error"]["message"]
        await talk.finish()
        assert [error["type"] for error in talk.errors] == ["server_error", "invalid_request_error"]
        await talk.rest()
        assert talk.code == 1000
        assert (server.visits[0].status, server.visits[0].code) == (101, "service_failed")


async def test_text_that_is_refused_costs_the_rest_nothing(tmp_path: Path) -> None:
    """What waits when the voice fails is dropped without a second complaint."""
    engine = Fake([Act(delay=0.05, error=Refused("Not this.", retryable=False))])
    async with gateway(tmp_path, engine) as server, talking(server) as talk:
        for _ in range(20):
            await talk.append("Some words that are not liked at all. ")
        await talk.finish()
        assert len(talk.errors) == 1
        assert talk.types[-1] == "session.finished"


class Broken(Fake):
    """Has a bug."""

    def _next_act(self) -> Act:
        raise RuntimeError("secret detail")


async def test_a_bug_ends_the_session_and_is_reported(tmp_path: Path) -> None:
    """Nobody hangs: an error event without the details, a close with 1011, the seat is free; the log has it all."""
    async with gateway(tmp_path, Broken()) as server, talking(server) as talk:
        await talk.append("Hello there.")
        await talk.rest()
        assert talk.code == 1011
        assert "secret" not in json.dumps(talk.events)
        assert talk.errors[-1]["type"] == "server_error"
        await until(lambda: server.visits[0].ended and server.desk.sessions.taken == 0)
        assert server.visits[0].code == "bug"


class Choosy(Fake):
    """Has one voice only."""

    def resolve(self, request: Request) -> Request:
        if request.voice != "Ethan":
            raise errors.VoiceError("No such voice.")
        return super().resolve(request)


async def test_settings_that_cannot_be_had_may_be_asked_for_otherwise(tmp_path: Path) -> None:
    """A refused update changes nothing, not even after a cancel; the next one holds, and its text is heard."""
    async with gateway(tmp_path, Choosy()) as server, talking(server) as talk:
        await talk.update(voice="Cherry")
        await talk.cancel()
        await talk.append("Not heard.")
        await talk.update(voice="Ethan")
        await talk.append("Hello.")
        await talk.finish()
        assert len(talk.errors) == 2
        assert talk.spoken == 6


class Reluctant(Local):
    """Does not open at first, and takes its time to say so."""

    gate: asyncio.Event

    async def open(self) -> None:
        if not self.gate.is_set():
            await self.gate.wait()
            raise errors.VoiceError("Not yet.")


async def test_a_cancel_amid_a_failed_opening_is_forgotten_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was cancelled while the voice failed to open does not silence the voice that opens later."""
    Reluctant.gate = asyncio.Event()
    received: list[str | bytes] = []
    receive = Answerer.receive

    def note(self: Answerer, message: str | bytes) -> Any:
        received.append(message)
        return receive(self, message)

    monkeypatch.setattr(Answerer, "receive", note)
    monkeypatch.setattr(Sitting, "link", lambda _, request: Reluctant(request, Fake(), None))
    async with gateway(tmp_path) as server, talking(server) as talk:
        await talk.update(voice="Cherry")
        await talk.cancel()
        await until(lambda: len(received) == 2)
        Reluctant.gate.set()
        await talk.until("error")
        await talk.update(voice="Ethan")
        await talk.append("Hello.")
        await talk.finish()
        assert len(talk.errors) == 1
        assert talk.spoken == 6


# --- the end of the server ----------------------------------------------------------------------------------------


async def test_sessions_are_told_that_the_server_stops(tmp_path: Path) -> None:
    """Who is idle is told at once, who is spoken to when that is done; nobody is cut short, and nobody else let in."""
    engine = Fake(otherwise=Act(chunks=3, pace=0.2))
    async with gateway(tmp_path, engine, grace=30.0) as server, talking(server) as idle, talking(server) as busy:
        await idle.until("session.created")
        await busy.append("This is spoken to its end.")
        await until(lambda: engine.running)
        stopping = asyncio.create_task(server.stop())
        await until(lambda: server.desk.closing)
        assert (await handshake(server))[0] == 503
        await idle.rest()
        assert (idle.code, idle.types) == (1001, ["session.created", "error"])
        await busy.rest()
        assert busy.code == 1001
        assert busy.spoken == 26
        assert busy.of("response.done")[0]["response"]["status"] == "completed"
        async with asyncio.timeout(5):
            await stopping
        assert {visit.code for visit in server.visits if visit.status == 101} == {"leaving"}


async def test_a_session_that_does_not_end_is_cut_after_the_grace(tmp_path: Path) -> None:
    """It is told so, with 1001, and its engine stops."""
    engine = slow()
    async with gateway(tmp_path, engine, grace=0.2) as server, talking(server) as talk:
        await talk.append("This never comes to its end, and nobody minds. ")
        await talk.until("response.audio.delta")
        stopping = asyncio.create_task(server.stop())
        await talk.rest()
        assert talk.code == 1001
        async with asyncio.timeout(5):
            await stopping
        await until(lambda: engine.running == 0)
        assert (server.visits[0].status, server.visits[0].code) == (101, "leaving")


async def test_a_slow_client_is_told_that_the_server_stops(tmp_path: Path) -> None:
    """The server waits no longer for it; the reason and the close stand behind what it has not read yet."""
    engine = Fake(otherwise=Act())
    async with gateway(tmp_path, engine, grace=0.2) as server:
        reader, writer = await _raw(server.url)
        for _ in range(20):
            text = json.dumps({"type": "input_text_buffer.append", "text": "A sentence that is rather long. " * 200})
            writer.write(_frame(text))
        await until(lambda: server.visits and server.visits[0].seconds > 20)  # there is no more room for its sound
        async with asyncio.timeout(5):
            await server.stop()
        async with asyncio.timeout(10):
            rest = await reader.read()
        assert b"about to stop" in rest
        assert rest[-4:] == b"\x88\x02" + (1001).to_bytes(2)
        assert server.visits[0].code == "leaving"
        writer.transport.abort()


# --- lineread at both ends ----------------------------------------------------------------------------------------


def caller(server: Gateway, key: str = KEY) -> Client:
    """The library, that speaks through the server."""
    return Client(engine="dashscope", api_key=key, base_url=f"{server.url}/api/v1", cache=False)


async def test_a_session_that_was_closed_for_idleness_goes_on(tmp_path: Path) -> None:
    """Its client is told nothing of it: the next text opens another one, and is heard."""
    async with (
        gateway(tmp_path, session_idle=0.6) as server,
        caller(server) as client,
        client.live(LiveRequest("Cherry")) as session,
    ):
        await session.write("Hello there. ")
        assert (await anext(session)).pcm
        await until(lambda: any(visit.code == "session_idle" and visit.seconds for visit in server.visits))
        await session.write("Still here.")
        await session.end()
        assert [chunk async for chunk in session]
        assert session.heard().text == "Hello there. Still here."


async def test_why_a_handshake_is_refused(tmp_path: Path) -> None:
    """The server's own reason reaches the library's caller, whole, with no advice about the cloud."""
    async with gateway(tmp_path, key_file=key_file(tmp_path, "sessions = 1")) as server:
        async with caller(server) as client, client.live(LiveRequest("Cherry")):
            with pytest.raises(errors.Throttled) as throttled:
                await client.live(LiveRequest("Cherry")).__aenter__()
        assert throttled.value.message == "This key may have 1 session at the same time."
        assert throttled.value.retryable
        assert throttled.value.retry_after == 1
        async with caller(server, "sk-of-somebody-else") as client:
            with pytest.raises(errors.Unauthorized) as refused:
                await client.live(LiveRequest("Cherry")).__aenter__()
        assert "DASHSCOPE_API_KEY" not in str(refused.value)
        assert "key" in refused.value.message
        assert "HTTP" not in str(refused.value)


async def said(client: Client, text: str) -> list[Chunk]:
    """What a session makes of a text."""
    async with client.live(LiveRequest("Cherry")) as session:
        await session.write(text)
        await session.end()
        return [chunk async for chunk in session]


async def test_a_day_that_is_used_up(tmp_path: Path) -> None:
    """It is told whole, and not tried again."""
    async with (
        gateway(tmp_path, key_file=key_file(tmp_path, "characters_per_day = 50")) as server,
        caller(server) as client,
    ):
        with pytest.raises(errors.QuotaExceeded) as caught:
            await said(client, "0123456789" * 6 + ". ")
        words = "This key may have 50 characters spoken a day, and the text has 62."
        assert str(caught.value) == f"{words} Send less, or ask whoever runs the server for more."
        assert not caught.value.retryable
        assert sum(visit.route == "realtime.session" for visit in server.visits) <= 2  # one of them was kept ready


async def test_a_language_that_the_server_does_not_speak(tmp_path: Path) -> None:
    """The remedy is the server's, to its last word."""
    async with gateway(tmp_path, "builtin") as server, caller(server) as client:
        with pytest.raises(errors.Refused) as caught:
            await said(client, "你好，世界。 ")
        assert str(caught.value).endswith("or give it a key with which Qwen does.")
        assert "DASHSCOPE_API_KEY" not in str(caught.value)


# --- what is seen -------------------------------------------------------------------------------------------------


async def test_what_the_log_and_the_counts_say(tmp_path: Path) -> None:
    """One line a session, with what was said in it; the gauges while it is open."""
    async with gateway(tmp_path, Fake(otherwise=Act(delay=0.02)), max_sessions=7) as server:

        async def metrics() -> str:
            async with server.http.get(server.url + "/metrics") as response:
                text: str = await response.text()
                return text

        async with talking(server) as talk:
            await talk.update(voice="Ethan")
            await talk.append("Hello there.")
            await talk.until("response.done")
            text = await metrics()
            assert "lineread_sessions_in_progress 1.0" in text
            assert "lineread_sessions_limit 7.0" in text
            await talk.finish()
        await until(lambda: server.visits[0].ended)
        visit = server.visits[0]
        assert (visit.dialect, visit.route, visit.status, visit.code) == ("realtime", "realtime.session", 101, "")
        assert (visit.characters, visit.model, visit.voice, visit.engine) == (12, MODEL, "Ethan", "fake")
        assert visit.seconds == pytest.approx(seconds(talk.sound))
        assert visit.first_audio is not None
        assert 0.02 <= visit.first_audio <= (visit.ended or 0)
        assert visit.sent > 20_000
        text = await metrics()
        assert "lineread_sessions_in_progress 0.0" in text
        assert 'lineread_requests_total{dialect="realtime",route="realtime.session",status="101"} 1.0' in text


# --- whatever comes -----------------------------------------------------------------------------------------------

_WORDS = st.sampled_from(
    ["Hello. ", "there ", "3.", "14 ", "!", " ", "", "你好。", "\u0000", "\ud800", "x" * 700, "a\n\nb"]
)
_EVENTS = st.one_of(
    st.builds(lambda text: {"type": "input_text_buffer.append", "text": text}, _WORDS),
    st.sampled_from([{"type": row.event} for row in TABLE if row.sender == "client" and row.event != "session.finish"]),
    st.builds(
        lambda session: {"type": "session.update", "session": session},
        st.fixed_dictionaries(
            {},
            optional={
                "voice": st.sampled_from(["Cherry", "Ethan", "Nobody", 5]),
                "mode": st.sampled_from(["commit", "server_commit", "x"]),
                "response_format": st.sampled_from(["pcm", "wav", "mp3", "opus"]),
                "sample_rate": st.sampled_from([8000, 24_000, 1]),
            },
        ),
    ),
    st.sampled_from([{}, {"type": ""}, {"type": "x" * 200}, [], "text"]),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_EVENTS, max_size=25), st.booleans())
def test_whatever_is_sent_a_finish_is_a_finish(tmp_path: Path, sent: list[Any], fails: bool) -> None:  # noqa: FBT001 - hypothesis
    """No order of events hangs a session, nor leaves anything behind; what comes is in the order of the table."""

    async def run() -> None:
        script = [Act(), Act(chunks=3, after=1, error=ServiceFailed("m", retryable=False))] if fails else []
        engine = Fake(script, otherwise=Act(chunks=3, pace=0.001))
        async with gateway(tmp_path, engine) as server, talking(server) as talk:
            for event in sent:
                await talk.raw(json.dumps(event))
            await talk.finish()
            responding = False
            for kind in talk.types:
                if kind == "response.created":
                    assert not responding
                    responding = True
                elif kind == "response.done":
                    assert responding
                    responding = False
            assert not responding
            assert talk.types.count("session.finished") == 1
            await talk.socket.close()
            await until(lambda: engine.running == 0 and server.desk.sessions.taken == 0)
            assert not [visit for visit in server.visits if visit.code == "bug"]

    asyncio.run(run())
