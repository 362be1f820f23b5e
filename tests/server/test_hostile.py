"""Raw sockets: clients that are slow, that lie, that leave, that send what is no HTTP."""

from __future__ import annotations

import asyncio
import gzip
import json
import resource
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from lineread.engines.base import Engine, Limits
from lineread.engines.fake import Act, Fake
from lineread.server.transport import connection
from lineread.speech import Chunk, Facts, Segment
from server.live import GENERATION, SPEECH, Line, generation, get, head, live, post, speech, until

MIB = 1 << 20
#: An hour and a quarter of sound, 216 MB.
BOOK = "Fourteen and a bit more. " * 3600


class Endless(Engine):
    """Speaks without an end, as fast as its sound is taken.

    Attributes:
        made: Bytes of sound so far.
        closed: It was told to stop.
    """

    name = "endless"

    def __init__(self, pace: float = 0.0) -> None:
        self.pace = pace
        self.made = 0
        self.begun = asyncio.Event()
        self.closed = asyncio.Event()

    def limits(self, request: object) -> Limits:
        return Limits(concurrency=1)

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        self.begun.set()
        try:
            for offset in range(0, sys.maxsize, 12_000):
                yield Chunk(b"\x00\x10" * 12_000, 24_000, offset, segment.span)
                self.made += 24_000
                await asyncio.sleep(self.pace)
            yield Chunk(b"", 24_000, 0, segment.span, facts=Facts(engine=self.name, fingerprint=""))
        finally:
            self.closed.set()


async def trickle(line: Line, data: bytes) -> float:
    """Send byte after byte until the server closes; the seconds that it took."""
    began = time.monotonic()
    for at in range(len(data)):
        line.writer.write(data[at : at + 1])
        try:
            async with asyncio.timeout(0.02):
                assert await line.reader.read() == b""
            return time.monotonic() - began
        except TimeoutError:
            continue
        except ConnectionError:
            return time.monotonic() - began
    raise AssertionError("the server took all of it")


async def test_a_head_that_trickles_is_cut(tmp_path: Path) -> None:
    """A head has its time, however lively its bytes come; on a kept connection as well."""
    slow = get("/healthz", "X-Padding: " + "x" * 4000)
    async with live(tmp_path, idle_timeout=0.3) as server:
        assert 0.2 < await trickle(await server.connect(), slow) < 3
        kept = await server.connect()
        await kept.send(get("/healthz"))
        assert (await kept.answer()).status == 200
        assert 0.2 < await trickle(kept, slow) < 3


@pytest.mark.parametrize(("path", "code"), [(SPEECH, "body_too_slow"), (GENERATION, None)])
async def test_half_a_body(tmp_path: Path, path: str, code: str | None) -> None:
    """A body that does not come to its end in time is a 408 in the dialect's words, and the connection is closed."""
    async with live(tmp_path, body_timeout=0.2) as server:
        line = await server.connect()
        await line.send(post(path, b'{"model": "tts-1"', "Content-Length: 500").replace(b"Content-Length: 17\r\n", b""))
        answer = await line.answer()
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert answer.code == code if code else answer.json["request_id"] == answer.headers["x-request-id"]
        assert await line.rest() == b""
        assert (await server.access())[0]["code"] == "body_too_slow"


async def test_a_body_shorter_than_it_says(tmp_path: Path) -> None:
    """A client that ends its half in the middle of the body has left; nothing is spoken."""
    engine = Fake()
    async with live(tmp_path, engine) as server:
        line = await server.connect()
        await line.send(speech()[:-3])
        line.writer.write_eof()
        assert await line.rest() == b""
        (seen,) = await server.access()
        assert (seen["status"], seen["code"]) == (499, "client_left")
        assert not engine.calls


async def test_a_body_longer_than_it_says(tmp_path: Path) -> None:
    """What comes after the body is another request; as it is none, it is refused, and nothing else is made of it."""
    engine = Fake()
    async with live(tmp_path, engine) as server:
        line = await server.connect()
        await line.send(speech() + b"}}}\r\n\r\n")
        answers = [await line.answer()]
        if answers[0].status == 200:  # it was parsed by the time that the rest came
            answers.append(await line.answer())
        assert (answers[-1].status, answers[-1].code) == (400, "bad_http")
        assert await line.rest() == b""


@pytest.mark.parametrize("path", [SPEECH, GENERATION])
async def test_a_large_body_is_refused_by_its_head(tmp_path: Path, path: str) -> None:
    """100 MB that are announced are refused before any of them is sent."""
    lines = ("Host: localhost", "Content-Type: application/json", "Content-Length: 100000000")
    async with live(tmp_path) as server:
        line = await server.connect()
        await line.send(head("POST", path, lines))
        answer = await line.answer()
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert "1048576 bytes" in answer.body.decode()


@pytest.mark.parametrize("framing", ["Content-Length: 104857600", "Transfer-Encoding: chunked"])
async def test_a_large_body_takes_no_memory(tmp_path: Path, framing: str) -> None:
    """A client that sends 100 MB regardless gets its answer, and the server holds none of it."""
    piece = b"x" * (64 << 10)
    sent = (b"10000\r\n" + piece + b"\r\n") if "chunked" in framing else piece
    async with live(tmp_path) as server:
        line = await server.connect()
        await line.send(head("POST", SPEECH, ("Host: localhost", "Content-Type: application/json", framing)))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        sending = asyncio.create_task(flood(line, sent, 1600))
        answer = await line.answer()
        assert answer.status == 413
        await sending
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 << 10
        assert (await server.ask(speech())).status == 200


async def flood(line: Line, data: bytes, times: int) -> None:
    try:
        for _ in range(times):
            await line.send(data)
    except ConnectionError:  # the server has seen enough
        return


async def test_a_compressed_body_is_not_unpacked(tmp_path: Path) -> None:
    """100 KB that would become 100 MB are refused as they are."""
    bomb = gzip.compress(b" " * (100 * MIB))
    async with live(tmp_path) as server:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        answer = await server.ask(post(SPEECH, bomb, "Content-Encoding: gzip"))
        assert (answer.status, answer.code) == (415, "bad_encoding")
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 << 10


@pytest.mark.parametrize(
    "body",
    [b"zz\r\n{}\r\n0\r\n\r\n", b"-1\r\n{}\r\n0\r\n\r\n", b"2\r\n{}XX0\r\n\r\n", b"ffffffffffffffffff\r\n{}"],
    ids=["no number", "negative", "no end", "huge"],
)
async def test_chunks_that_are_none(tmp_path: Path, body: bytes) -> None:
    """Chunks that are not framed as HTTP has it are a 400, and the connection is closed."""
    lines = ("Host: localhost", "Content-Type: application/json", "Transfer-Encoding: chunked")
    async with live(tmp_path) as server:
        line = await server.connect()
        await line.send(head("POST", SPEECH, lines) + body)
        answer = await line.answer()
        assert answer.status == 400
        await line.rest()
        assert (await server.ask(get("/healthz"))).status == 200


REFUSED = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS\r\n\r\n",
    "another host's target": get("http://evil.example/healthz"),
    "a tunnel": b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "bad version": b"GET /healthz HTTP/9.x\r\n\r\n",
    "NUL in the path": b"GET /heal\x00thz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "control in the path": b"GET /heal\x07thz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "NUL in a header": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: a\x00b\r\n\r\n",
    "space in a name": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX A: b\r\n\r\n",
    "folded header": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: b\r\n c\r\n\r\n",
    "long line": b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "long header": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 20_000 + b"\r\n\r\n",
    "many headers": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"X-A: b\r\n" * 2_000 + b"\r\n",
    "two lengths": head("POST", SPEECH, ("Host: localhost", "Content-Length: 2", "Content-Length: 3")) + b"{}",
    "the same length twice": head("POST", SPEECH, ("Host: localhost", "Content-Length: 2", "Content-Length: 2")),
    "a length of letters": head("POST", SPEECH, ("Host: localhost", "Content-Length: two")),
    "a negative length": head("POST", SPEECH, ("Host: localhost", "Content-Length: -2")),
    "length and chunks": head("POST", SPEECH, ("Host: localhost", "Content-Length: 5", "Transfer-Encoding: chunked"))
    + b"0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "strange coding": head("POST", SPEECH, ("Host: localhost", "Transfer-Encoding: xchunked")) + b"0\r\n\r\n",
    "coding after chunked": head("POST", SPEECH, ("Host: localhost", "Transfer-Encoding: chunked, gzip")),
    "two hosts": head("GET", "/healthz", ("Host: localhost", "Host: localhost")),
    "no host": head("POST", SPEECH, ("Content-Type: application/json", "Content-Length: 0")),
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
async def test_what_is_no_request(tmp_path: Path, data: bytes) -> None:
    """It gets a plain 400 that tells nothing of the server's inside, once; then the next client is served."""
    async with live(tmp_path) as server:
        line = await server.connect()
        await line.send(data)
        answer = await line.answer()
        assert answer.status == 400
        assert set(answer.json["error"]) == {"message", "type", "param", "code"}
        assert answer.headers["server"] == "lineread"
        assert "aiohttp" not in str(answer).lower()
        assert "traceback" not in str(answer).lower()
        if answer.code == "bad_http":
            assert await line.rest() == b""
        (seen,) = await server.access()
        assert (seen["status"], seen["request_id"]) == (400, answer.headers["x-request-id"])
        assert (await server.ask(get("/healthz"))).status == 200


async def test_broken_calls_of_dashscope_get_its_words(tmp_path: Path) -> None:
    """Where HTTP itself is broken, the path on the connection's first line still tells the dialect."""
    async with live(tmp_path) as server:
        answer = await server.ask(head("POST", GENERATION, ("Host: localhost", "X-A: " + "a" * 20_000)))
        assert answer.status == 400
        assert list(answer.json) == ["request_id", "code", "message"]


@pytest.mark.parametrize(
    "path",
    ["/audio/../healthz", "/audio/..%2f..%2fetc%2fpasswd", "/audio/%00.wav", "/audio//etc/passwd", "/audio/", "//"],
)
async def test_paths_that_climb(tmp_path: Path, path: str) -> None:
    """No way of writing a path leads out of the shelf."""
    async with live(tmp_path) as server:
        answer = await server.ask(get(path + "?Expires=99999999999&OSSAccessKeyId=lineread&Signature=x"))
        assert answer.status in (403, 404)
        assert b"root:" not in answer.body


async def test_pipelined_requests(tmp_path: Path) -> None:
    """Requests that come without waiting are answered in their order."""
    async with live(tmp_path) as server:
        line = await server.connect()
        await line.send(speech("One.") + get("/nowhere") + generation("Two.") + get("/healthz"))
        statuses = [(await line.answer()).status for _ in range(4)]
        assert statuses == [200, 404, 200, 200]
        assert [seen["status"] for seen in await server.access(4)] == statuses


async def test_old_http(tmp_path: Path) -> None:
    """HTTP/1.0 gets bodies without chunks, and the connection's end as theirs; health even without a Host."""
    async with live(tmp_path, Fake(otherwise=Act(chunks=5))) as server:
        assert (await server.ask(head("GET", "/healthz", (), "1.0"))).status == 200
        line = await server.connect()
        await line.send(speech().replace(b"HTTP/1.1", b"HTTP/1.0"))
        answer = await line.answer()
        assert answer.status == 200
        assert "transfer-encoding" not in answer.headers
        assert len(answer.body) == 14_400  # 50 ms a character
        assert await line.rest() == b""


async def test_the_body_is_asked_for_once_it_is_wanted(tmp_path: Path) -> None:
    """`Expect: 100-continue` gets its 100 if the head is good, else the refusal at once; other wishes are refused."""
    whole = speech("Hello.", "Expect: 100-continue")
    at = whole.index(b"\r\n\r\n") + 4
    async with live(tmp_path) as server:
        line = await server.connect()
        await line.send(whole[:at])
        assert (await line.answer()).status == 100
        await line.send(whole[at:])
        assert (await line.answer()).status == 200
        large = head("POST", SPEECH, ("Host: localhost", "Content-Type: application/json", "Content-Length: 2000000"))
        assert (await server.ask(large[:-2] + b"Expect: 100-continue\r\n\r\n")).status == 413
        assert (await server.ask(get("/nowhere", "Expect: miracles"))).status == 417
        assert [seen["status"] for seen in await server.access(3)] == [200, 413, 417]


async def test_leaving_before_the_head_is_whole(tmp_path: Path) -> None:
    """A client that leaves within its head was no request; nothing is said of it."""
    async with live(tmp_path) as server:
        line = await server.connect()
        await line.send(b"POST /v1/audio")
        line.cut()
        assert (await server.ask(get("/healthz"))).status == 200
        assert [seen["route"] for seen in await server.access()] == ["healthz"]


@pytest.mark.parametrize("call", [speech("Hello."), generation("Hello."), generation("Hi.", "X-DashScope-SSE: enable")])
async def test_leaving_while_it_is_spoken(tmp_path: Path, call: bytes) -> None:
    """A client that leaves stops its synthesis within a second, before the first sound."""
    engine = Fake(otherwise=Act(delay=3600))
    async with live(tmp_path, engine) as server:
        line = await server.connect()
        await line.send(call)
        await until(lambda: engine.running == 1)
        line.cut()
        async with asyncio.timeout(1):
            await until(lambda: engine.running == 0)
        (seen,) = await server.access()
        assert (seen["status"], seen["code"]) == (499, "client_left")
        assert server.desk.taken == 0


@pytest.mark.parametrize("call", [speech("Hello."), generation("Hello.", "X-DashScope-SSE: enable")])
async def test_leaving_in_the_stream(tmp_path: Path, call: bytes) -> None:
    """A client that leaves while sound comes stops its synthesis within a second, too."""
    engine = Endless(pace=0.01)
    async with live(tmp_path, engine) as server:
        line = await server.connect()
        await line.send(call)
        await line.reader.readexactly(20_000)
        line.cut()
        async with asyncio.timeout(1):
            await engine.closed.wait()
        (seen,) = await server.access()
        assert (seen["status"], seen["code"]) == (499, "client_left")
        assert seen["bytes"] > 20_000
        assert seen["first_audio_ms"] > 0


@pytest.mark.parametrize("call", [speech(BOOK), generation(BOOK, "X-DashScope-SSE: enable")], ids=["audio", "events"])
async def test_a_client_that_takes_nothing(tmp_path: Path, call: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds up its own synthesis and nobody else's, little is made for it, and after its time it is cut."""
    monkeypatch.setattr(connection, "limit_patience", lambda *_: None)  # a kernel that does not watch
    engine = Fake()
    async with live(tmp_path, engine, write_timeout=1.0) as server:
        line = await server.connect()
        line.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await line.send(call)
        await until(lambda: engine.calls)
        assert (await server.ask(get("/healthz"))).status == 200
        seen = next(seen for seen in await server.access(2) if seen["method"] == "POST")
        assert (seen["status"], seen["code"]) == (499, "slow_reader")
        assert seen["total_ms"] >= 1000
        assert engine.running == 0
        assert len(engine.calls) < 20  # of 150; what the system's own buffers hold, and what is ahead of them


async def test_a_client_that_takes_little(tmp_path: Path) -> None:
    """One that takes what it gets, if slowly, is served to the end."""
    async with live(tmp_path, write_timeout=0.4) as server:
        line = await server.connect()
        await line.send(speech(BOOK[:6000]))
        taken = 0
        async with asyncio.timeout(30):
            while taken < 6000 * 2400:
                taken += len(await line.reader.read(1 << 20))
                await asyncio.sleep(0.05)  # this is what is slow about it
        assert (await server.access())[0]["status"] == 200


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the kernel does not watch what it sends by itself")
async def test_a_client_that_takes_nothing_of_a_file(tmp_path: Path) -> None:
    """Files leave past all buffers of the server; a client that does not take them is cut nevertheless."""
    async with live(tmp_path, write_timeout=1.0) as server:
        shelf = server.desk.shelf
        name = "0" * 40 + ".wav"
        fill(Path(shelf.path(name)))
        line = await server.connect()
        line.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await line.send(get(shelf.signer.sign(name, int(time.time()) + 60)))
        (seen,) = await server.access()
        assert (seen["status"], seen["code"], seen["route"]) == (499, "slow_reader", "audio")


def fill(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(32 * MIB))


def test_who_takes_something_is_not_stalled() -> None:
    """A connection is cut when nothing of its buffer moved for the whole patience, and not a look earlier."""
    stalled = connection.Stalled(8.0)
    transport = Buffered()
    stalled.watch(transport)
    for now, left in enumerate([0, 90, 80, 80, 80, 70, 70, 70, 70, 70, 70, 70, 70]):
        transport.left = left
        stalled.look(float(now))
        assert not transport.cut
    stalled.look(13.0)
    assert transport.cut


class Buffered(asyncio.WriteTransport):
    """A transport that has so many bytes left to send."""

    left = 0
    cut = False

    def get_write_buffer_size(self) -> int:
        return self.left

    def abort(self) -> None:
        self.cut = True


async def test_a_thousand_idle_connections(tmp_path: Path) -> None:
    """They keep nobody from being served, and go after their time."""
    async with live(tmp_path, idle_timeout=2.0) as server:
        idle = [await server.connect() for _ in range(1000)]
        for text in ("One.", "Two.", "Three."):
            assert (await server.ask(speech(text))).status == 200
        assert await idle[0].rest() == await idle[-1].rest() == b""


async def test_connections_beyond_the_most(tmp_path: Path) -> None:
    """They are closed at once; when others go there is room again."""
    async with live(tmp_path, max_connections=3) as server:
        held = [await server.connect() for _ in range(3)]
        for line in held:
            await line.send(get("/healthz"))
            assert (await line.answer()).status == 200
        assert await (await server.connect()).rest() == b""
        held.pop().cut()

        async def served() -> bool:
            line = await server.connect()
            await line.send(get("/healthz"))
            return await line.rest() != b"" if line.reader.at_eof() else (await line.answer()).status == 200

        await until(lambda: len(held) == 2)
        async with asyncio.timeout(5):
            while True:
                try:
                    assert await served()
                    break
                except (ConnectionError, asyncio.IncompleteReadError):
                    continue


async def test_headers_are_not_repeated_in_the_log(tmp_path: Path) -> None:
    """Whatever a client puts into its head, the log has neither its key nor its control characters."""
    async with live(tmp_path) as server:
        await server.ask(
            get("/%0a%1b[31mx?key=sk-secret", "Authorization: Bearer sk-secret", "User-Agent: \x1b[31mred")
        )
        await server.ask(b"GET /\x1b HTTP/1.1\r\nAuthorization: Bearer sk-secret\r\n\r\n")
        await server.access(2)
        assert b"secret" not in server.log.data
        assert b"\x1b" not in server.log.data
        assert all(json.loads(line) for line in server.log.data.splitlines())
