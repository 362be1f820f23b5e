"""What the operator sees: health, counts, a line for each request, reports of bugs; and what nobody may see."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from lineread.client import Client
from lineread.engines.base import Engine
from lineread.engines.fake import Act, Fake
from lineread.errors import KeyMissing, ServiceFailed
from lineread.server import app
from lineread.server.access import keys
from lineread.server.access.keys import Key
from lineread.server.sight import health
from lineread.server.sight.journal import Journal
from lineread.server.sight.metrics import Metrics
from lineread.server.sight.tracker import Tracker
from lineread.server.sight.visit import Visit
from loopback.dashscope import KEY as CLOUD_KEY
from loopback.dashscope import Call, Cloud, speak
from server.live import DEADLINE, GENERATION, SPEECH, Answer, Live, generation, get, head, live, post, speech, until

KEY = "lineread_0123456789-0123456789"
TEXT = "A text that nobody else may read."
UNSEEN = ("nobody else", KEY, "sk-", "/tmp", "/home", str(Path(app.__file__).parent.parent.parent))


class Broken(Fake):
    """Has a bug, before or after its first sound, and quotes the text in it."""

    def __init__(self, chunks: int) -> None:
        super().__init__()
        self.chunks = chunks

    async def stream(self, segment: Any) -> Any:
        async for chunk in self._perform(Act(chunks=30, after=self.chunks, error=KeyError(segment.text)), segment):
            yield chunk


async def counts(server: Live, *headers: str) -> dict[tuple[str, ...], float]:
    """Every count that is not zero, by its name and the values of its labels."""
    answer = await server.ask(get("/metrics", *headers))
    assert answer.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.body.decode())
    samples = [sample for family in families for sample in family.samples]
    return {(each.name, *(value for _, value in sorted(each.labels.items()))): each.value for each in samples}


async def test_an_access_line_says_what_happened(tmp_path: Path) -> None:
    """One line a request, with everything that an operator asks for and nothing that is the client's own."""
    async with live(tmp_path, keys=(Key(name="alice", digest=keys._digest(KEY)),)) as server:
        key = f"Authorization: Bearer {KEY}"
        spoken = await server.ask(speech(TEXT, key))
        await server.ask(generation(TEXT, key))
        await server.ask(generation("x", "Authorization: Bearer sk-wrong"))
        await server.ask(post(SPEECH, {"model": "tts-1", "input": TEXT, "voice": "Nobody at all"}, key))
        first, second, third, fourth = await server.access(4)
        assert first["request_id"] == spoken.headers["x-request-id"]
        picked = ("caller", "method", "route", "status", "voice", "characters", "cached", "engine")
        assert [first[name] for name in picked] == (
            ["alice", "POST", "openai.speech", 200, "Cherry", len(TEXT), False, "fake"]
        )
        assert 0 < first["first_audio_ms"] <= first["total_ms"]
        assert first["bytes"] > len(spoken.body) > 40_000
        assert [second[name] for name in picked[2:]] == (
            ["dashscope.generation", 200, "Cherry", len(TEXT), True, "fake"]
        )
        assert (third["status"], third["code"]) == (401, "key_refused")
        assert "caller" not in third
        assert (fourth["status"], fourth["voice"]) == (200, "other")
        assert not any(word in server.log.data.decode() for word in (*UNSEEN, "Nobody", "?"))


async def test_the_bytes_of_a_file_are_counted(tmp_path: Path) -> None:
    """A finished file, or a part of it, is in the line with its own length; the URL's signature is not."""
    async with live(tmp_path) as server:
        answer = await server.ask(generation(TEXT))
        path = "/" + answer.json["output"]["audio"]["url"].split("/", 3)[3]
        whole = await server.ask(get(path))
        part = await server.ask(get(path, "Range: bytes=0-999"))
        _, first, second = await server.access(3)
        assert (first["route"], first["status"], second["status"]) == ("audio", 200, 206)
        assert len(whole.body) < first["bytes"] < len(whole.body) + 600
        assert len(part.body) == 1000 < second["bytes"] < 1600
        assert "Signature" not in server.log.data.decode()


async def test_the_call_behind_an_error_is_in_the_line(tmp_path: Path) -> None:
    """The id under which the service knows a failed call stands beside ours."""
    engine = Fake([ServiceFailed("It broke.", request_id="upstream-1")] * 9)
    async with live(tmp_path, engine) as server:
        answer = await server.ask(generation())
        assert answer.status >= 500
        (seen,) = await server.access()
        assert (seen["upstream_request_id"], seen["code"]) == ("upstream-1", "service_failed")


async def test_the_call_behind_a_speech_is_in_the_line(tmp_path: Path) -> None:
    """The cloud's id of a call that was spoken stands beside ours; what the cache answers has none."""
    ids: list[str] = []
    say = speak()

    async def noted(call: Call) -> web.StreamResponse:
        ids.append(call.id)
        return await say(call)

    async with Cloud() as cloud:
        cloud.otherwise = noted
        client = Client(engine="dashscope", api_key=CLOUD_KEY, base_url=cloud.base_url, cache_dir=tmp_path / "cache")
        async with live(tmp_path, client=client) as server:
            for call in (generation(), generation("Hi.", "X-DashScope-SSE: enable"), speech("Bye."), speech("Bye.")):
                assert (await server.ask(call)).status == 200
            *spoken, cached = [seen.get("upstream_request_id") for seen in await server.access(4)]
            assert spoken == ids
            assert cached is None


async def test_no_line_is_written_where_none_is_wanted(tmp_path: Path) -> None:
    """`--log off` ends the lines, not the reports of bugs."""
    async with live(tmp_path, Broken(0), log=False) as server:
        assert (await server.ask(speech())).status == 500
        assert (await server.ask(get("/healthz"))).status == 200
        await until(lambda: server.log.data)
        assert [line["event"] for line in server.log.lines] == ["bug"]


@pytest.mark.parametrize("call", [speech(TEXT), generation(TEXT), generation(TEXT, "X-DashScope-SSE: enable")])
async def test_a_bug_is_reported_and_not_shown(tmp_path: Path, call: bytes) -> None:
    """The answer is a 500 in the dialect's shape with the request's id; the log says where, not with what text."""
    async with live(tmp_path, Broken(0)) as server:
        answer = await server.ask(call)
        assert answer.status == 500
        shape = ["request_id", "code", "message"] if b"/api/v1" in call else ["error"]
        assert list(answer.json) == shape
        await server.access()
        (report,) = (line for line in server.log.lines if line["event"] == "bug")
        assert report["error"] == "KeyError"
        assert report["request_id"] == answer.headers["x-request-id"]
        assert any(frame.startswith("server/test_sight.py:") for frame in report["frames"])
        for told in (str(answer), server.log.data.decode()):
            assert not any(word in told for word in (*UNSEEN, "Traceback", "KeyError('"))


@pytest.mark.parametrize("call", [speech(TEXT), generation(TEXT, "X-DashScope-SSE: enable")])
async def test_a_bug_in_the_middle_breaks_the_answer_off(tmp_path: Path, call: bytes) -> None:
    """Half an answer does not end as if it were whole."""
    async with live(tmp_path, Broken(20)) as server:
        line = await server.connect()
        await line.send(call)
        rest = await line.rest()
        assert rest.startswith(b"HTTP/1.1 200")
        assert not rest.endswith(b"0\r\n\r\n")
        assert not any(word.encode() in rest for word in UNSEEN)
        (seen,) = await server.access()
        assert seen["code"] == "bug"


@pytest.mark.parametrize(("call", "shape"), [(speech(TEXT), ["error"]), (generation(TEXT), ["request_id", "code"])])
async def test_a_bug_in_the_doors_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: bytes, shape: list[str]
) -> None:
    """What gets past them all, or happens in the first of them, is a 500 in the dialect's shape too, and on record."""

    def broken(*_: object) -> None:
        raise KeyError(TEXT)

    monkeypatch.setattr(Tracker, "begin", broken)
    async with live(tmp_path) as server:
        answer = await server.ask(call)
        assert (answer.status, list(answer.json)[: len(shape)]) == (500, shape)
        assert answer.headers["connection"] == "close"
        (seen,) = await server.access()
        assert (seen["status"], seen["code"]) == (500, "bug")
        (report,) = (line for line in server.log.lines if line["event"] == "bug")
        assert (report["error"], report["request_id"]) == ("KeyError", seen["request_id"])
        assert TEXT not in str(answer) + server.log.data.decode()


async def test_health(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alive while it answers; ready while the engine, the disk and the server itself take work, and it says why not.
    The disk is asked once a second at most, however many ask, by the threads that files have to themselves.
    """
    async with live(tmp_path) as server:
        assert (await server.ask(get("/healthz"))).json == {"alive": True}
        asked: list[object] = []
        work = server.desk.shelf.work
        monkeypatch.setattr(server.desk.shelf, "work", lambda *call: asked.append(call) or work(*call))
        monkeypatch.setattr(health, "_LASTS", DEADLINE)
        ready = {"ready": True, "reasons": [], "warnings": []}
        assert [answer.json for answer in await asyncio.gather(*(server.ask(get("/readyz")) for _ in range(3)))] == (
            [ready] * 3
        )
        server.desk.closing = True
        answer = await server.ask(get("/readyz"))
        assert answer.status == 503
        assert answer.json == {"ready": False, "reasons": ["The server is about to stop."], "warnings": []}
        assert len(asked) == 1
        assert answer.headers["connection"] == "close"
        assert (await server.ask(get("/healthz"))).status == 200


async def test_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that lacks its key, a place that cannot be written: each is a reason, and none names a path."""
    async with live(tmp_path) as server:
        monkeypatch.setattr(server.desk.client, "engine", missing)
        spoil(Path(server.desk.shelf.directory))
        answer = await server.ask(get("/readyz"))
        assert answer.status == 503
        assert len(answer.json["reasons"]) == 2
        assert "key_missing" in answer.json["reasons"][0]
        assert "/" not in "".join(answer.json["reasons"])


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no /proc")
async def test_a_place_that_cannot_be_written_is_not_a_full_disk(tmp_path: Path) -> None:
    """It says which; /proc has no free bytes either."""
    async with live(tmp_path) as server:
        server.desk.shelf.directory = "/proc/lineread/audio"
        assert (await server.ask(get("/readyz"))).json["reasons"] == [
            "Audio files cannot be written (No such file or directory)."
        ]


async def test_a_disk_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks is told so, and does not wait for it."""
    monkeypatch.setattr(health, "_PATIENCE", 0.01)
    async with live(tmp_path) as server:
        monkeypatch.setattr(server.desk.shelf, "work", lambda _: asyncio.Event().wait())
        assert (await server.ask(get("/readyz"))).json["reasons"] == ["The disk does not answer."]


async def test_a_key_file_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server goes on with the keys that it has, so it is ready; but it says so."""
    path = tmp_path / "keys.toml"
    path.write_text(f'[alice]\nhash = "{keys.hashed(KEY)}"\n')
    monkeypatch.setattr(keys, "_LOOK_EVERY", 0.0)
    async with live(tmp_path, key_file=str(path)) as server:
        path.write_text("nonsense")
        answer = await server.ask(get("/readyz"))
        assert (answer.status, answer.json["ready"]) == (200, True)
        assert answer.json["warnings"] == [server.desk.keys.trouble]
        assert (await server.ask(speech(TEXT, f"Authorization: Bearer {KEY}"))).status == 200


async def test_audio_that_cannot_be_written_is_explained_in_the_log(tmp_path: Path) -> None:
    """The client hears that it is the server's disk; whoever runs the server reads why, also without access lines."""
    async with live(tmp_path, log=False) as server:
        spoil(Path(server.desk.shelf.directory))
        answer = await server.ask(generation())
        assert answer.status == 500
        await until(lambda: server.log.data)
        (line,) = server.log.lines
        assert (line["level"], line["code"], line["request_id"]) == (
            ("error", "output_failed", answer.headers["x-request-id"])
        )
        assert line["message"] == "An audio file could not be written (File exists)."
        assert "File exists" not in answer.body.decode()


def spoil(directory: Path) -> None:
    directory.parent.mkdir(parents=True, exist_ok=True)
    directory.write_text("no directory")


def missing() -> Engine:
    raise KeyMissing("There is no key in /home/secret.")


async def test_counts(tmp_path: Path) -> None:
    """What was spoken, recalled, refused and sent is counted under bounded labels; two servers do not mix."""
    async with live(tmp_path) as server, live(tmp_path / "other") as other:
        for call in (speech(TEXT), speech(TEXT), generation("Other."), generation(""), get("/no?where=1")):
            await server.ask(call)
        found = await counts(server)
        assert found["lineread_requests_total", "openai", "openai.speech", "200"] == 2
        assert found["lineread_requests_total", "dashscope", "dashscope.generation", "200"] == 1
        assert found["lineread_requests_total", "none", "none", "404"] == 1
        assert (
            sum(value for name, value in found.items() if name[0] == "lineread_errors_total" and name[2] == "dashscope")
            == 1
        )
        speeches = {name[1:]: value for name, value in found.items() if name[0] == "lineread_speeches_total"}
        assert sum(speeches.values()) == 3
        assert sum(value for labels, value in speeches.items() if labels[0] == "true") == 1
        characters = {name[1:]: value for name, value in found.items() if name[0] == "lineread_characters_total"}
        assert sum(value for labels, value in characters.items() if labels[0] == "false") == len(TEXT) + len("Other.")
        assert (
            found["lineread_first_audio_seconds_count", "false", "openai", "fake"]
            == 1
            == found.get(("lineread_first_audio_seconds_count", "true", "openai", "fake"))
        )
        assert found["lineread_real_time_factor_count", "fake"] == 2
        assert found["lineread_audio_seconds_total", "fake", "Cherry"] > 3
        assert found["lineread_sent_bytes_total", "openai"] > 2 * 40_000
        assert found["lineread_requests_in_progress",] == 1
        assert found["lineread_speeches_limit",] == 512
        assert ("lineread_speeches_total", "false") not in {name[:2] for name in await counts(other)}


async def test_labels_are_bounded(tmp_path: Path) -> None:
    """Nothing that a client makes up becomes a label: no path, method, voice or model."""
    async with live(tmp_path) as server:
        for number in range(5):
            await server.ask(head(f"MADE{number}", f"/up/{number}", ("Host: localhost",)))
            await server.ask(get(f"/v1/models/made-up-{number}"))
            await server.ask(post(SPEECH, {"model": f"made-up-{number}", "input": "Hi.", "voice": "Cherry"}))
            await server.ask(post(SPEECH, {"model": "tts-1", "input": "Hi.", "voice": f"qwen-tts-vc-made-up-{number}"}))
            await server.ask(post(GENERATION, {"model": f"made-{number}", "input": {"text": "Hi", "voice": "Cherry"}}))
        said = (await server.ask(get("/metrics"))).body.decode()
        assert "made" not in said.lower()
        assert "/up" not in said


def test_names_that_the_catalogue_lacks() -> None:
    """Should a made-up model or voice ever be spoken, it counts as another one."""
    metrics = Metrics(running=int, speaking=int, seats=1, sessions=int, most_sessions=1)
    metrics.count(Visit(model="made-up", voice="made-up", engine="fake", seconds=1.0, first_audio=0.1, ended=0.2))
    said = metrics.text().decode()
    assert "made" not in said.replace("lineread", "")
    assert 'lineread_audio_seconds_total{engine="fake",voice="other"} 1.0' in said


async def test_who_may_see_the_counts(tmp_path: Path) -> None:
    """Where there are keys the counts want one; health does not."""
    async with live(tmp_path, keys=(Key(name="alice", digest=keys._digest(KEY)),)) as server:
        assert (await server.ask(get("/metrics"))).status == 401
        assert await counts(server, f"Authorization: Bearer {KEY}")
        for path in ("/healthz", "/readyz"):
            assert (await server.ask(get(path))).status == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/v1/models", SPEECH])
async def test_every_method_gets_an_answer(tmp_path: Path, path: str) -> None:
    """HEAD has the head of GET and no body; OPTIONS tells the methods; others are refused with them."""
    async with live(tmp_path) as server:
        line = await server.connect()
        await line.send(head("HEAD", path, ("Host: localhost",)) + head("OPTIONS", path, ("Host: localhost",)))
        first = (await line.reader.readuntil(b"\r\n\r\n")).decode()
        assert first.startswith("HTTP/1.1 405" if path == SPEECH else "HTTP/1.1 200")
        assert "x-request-id: " in first.lower()
        options = await line.answer()
        assert options.status == 204
        assert ("POST" if path == SPEECH else "GET") in options.headers["allow"]
        refused = await server.ask(head("DELETE", path, ("Host: localhost",)))
        assert (refused.status, refused.headers["allow"]) == (405, options.headers["allow"])


async def test_every_answer_has_an_id(tmp_path: Path) -> None:
    """Also the refused ones, and those of routes that no dialect has; nothing names the software below."""
    calls = [get("/healthz"), get("/no"), get("/docs"), speech(), generation(), b"nonsense\r\n\r\n", get("/audio/x")]
    async with live(tmp_path) as server:
        answers: list[Answer] = [await server.ask(call) for call in calls]
        ids = [answer.headers["x-request-id"] for answer in answers]
        assert ids == [seen["request_id"] for seen in await server.access(len(calls))]
        assert {answer.headers["server"] for answer in answers} == {"lineread"}


async def test_a_log_that_nobody_takes_holds_up_nobody() -> None:
    """Lines are dropped when too many wait, and the loss is told; logging never waits."""
    taken: list[bytes] = []
    gate = threading.Event()

    def stuck(data: bytes) -> None:
        gate.wait(10)
        taken.append(data)

    journal = Journal(stuck)
    for number in range(30_000):
        journal.add("request", number=number)
    gate.set()
    journal.close()
    lines = [json.loads(line) for line in b"".join(taken).splitlines()]
    assert 10_000 <= len(lines) <= 10_300
    assert sum(line.get("lines", 0) for line in lines) + len(lines) >= 30_000


async def test_what_nobody_waited_for_is_reported(tmp_path: Path) -> None:
    """A task of the server that fails in the background leaves a report, without what the error says."""
    async with live(tmp_path) as server:
        loop = asyncio.get_running_loop()
        loop.call_exception_handler({"message": "lost", "exception": ValueError(TEXT)})
        await until(lambda: server.log.data)
        (line,) = server.log.lines
        assert (line["event"], line["error"], line["message"]) == ("bug", "ValueError", "lost")
        assert TEXT not in server.log.data.decode()
        assert os.sep + "tmp" not in server.log.data.decode()
