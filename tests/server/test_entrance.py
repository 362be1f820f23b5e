"""The entrance: the Host header, other origins, keys, and bodies that say what they are."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from lineread.engines.fake import Fake
from lineread.errors import ConfigError
from lineread.server.access import keys
from lineread.server.access.entrance import check, is_loopback
from lineread.server.options import Options
from server.gateway import GENERATION, SPEECH, Gateway, gateway

KEY = "lineread_0123456789-0123456789"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, x-stainless-os"}
BOTH = pytest.mark.parametrize("path", [GENERATION, SPEECH])


def with_key(**options: Any) -> dict[str, Any]:
    return {"keys": keys.from_variable(f"alice={KEY}"), **options}


async def raw(server: Gateway, head: str) -> int:
    """The status of the answer to a request that is sent as it stands."""
    port = int(server.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n")
    async with asyncio.timeout(10):
        line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return int(line.split()[1])


@BOTH
async def test_without_the_right_key_nobody_comes_in(path: str, tmp_path: Path) -> None:
    """Missing and wrong keys get a 401 in the dialect's shape, nothing is spoken, and the key shows nowhere."""
    engine = Fake()
    async with gateway(tmp_path, engine, **with_key()) as server:
        for headers in (
            {},
            {"Authorization": "Bearer "},
            {"Authorization": f"Basic {KEY}"},
            {"Authorization": KEY},
            {"Authorization": f"Bearer {KEY}x"},
            {"Authorization": f"Bearer {keys.hashed(KEY)}"},
        ):
            response = await server.post(path, {"model": "x"}, **headers)
            text = await response.text()
            assert response.status == 401
            assert response.headers["WWW-Authenticate"].startswith("Bearer")
            assert KEY not in text
            body = json.loads(text)
            assert body.get("code") == "InvalidApiKey" if path == GENERATION else body["error"]["message"]
        assert not engine.calls
        assert {visit.caller for visit in server.visits} == {""}
        assert (await server.openai(key=KEY)).status == (await server.dashscope(key=KEY)).status == 200
        assert (await server.post(SPEECH, {}, Authorization=f"bearer   {KEY} ")).status == 400  # in, but no request
        assert {visit.caller for visit in server.visits[-3:]} == {"alice"}


async def test_what_needs_no_key(tmp_path: Path) -> None:
    """A signed URL of a file needs no key; an unknown path does, however it is written."""
    async with gateway(tmp_path, **with_key()) as server:
        body = await (await server.dashscope(key=KEY)).json()
        async with server.http.get(body["output"]["audio"]["url"]) as response:
            assert response.status == 200
        for path in ("/v1/models", "/audio", "/docs/../v1/models", "//docs", "/audio/../v1/audio/speech"):
            assert await raw(server, f"GET {path} HTTP/1.1\nHost: localhost") in (401, 403, 404), path
        assert await raw(server, "GET /metrics HTTP/1.1\nHost: localhost") == 401
        assert await raw(server, "POST /docs/../v1/audio/speech HTTP/1.1\nHost: localhost\nContent-Length: 0") == 401


async def test_names_of_other_machines_are_not_answered_without_keys(tmp_path: Path) -> None:
    """DNS rebinding: a page that made its own name lead here still shows that name, and is turned away."""
    async with gateway(tmp_path, public_url="https://speech.example.com/tts") as server:
        for host in ("localhost", "LOCALHOST:80", "127.0.0.1:8765", "127.9.9.9", "[::1]:1", "speech.example.com:444"):
            assert await raw(server, f"GET /v1/nothing HTTP/1.1\nHost: {host}") == 404, host
        for host in (
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "0.0.0.0",
            "[::2]",
        ):
            assert await raw(server, f"POST {SPEECH} HTTP/1.1\nHost: {host}\nContent-Length: 0") == 403, host
    async with gateway(tmp_path, **with_key()) as server:
        assert await raw(server, f"GET /v1/nothing HTTP/1.1\nHost: any.example\nAuthorization: Bearer {KEY}") == 404


@pytest.mark.parametrize("options", [{}, with_key()], ids=["open", "keys"])
async def test_a_host_that_is_none(options: dict[str, Any], tmp_path: Path) -> None:
    """A Host header that no URL can be made of is refused, with keys and without; also two of them, or none."""
    async with gateway(tmp_path, **options) as server:
        parts = ("", "a b", "user@localhost", "localhost/x", "localhost:", "localhost:x", "localhost:99999", "[::1")
        for host in (*parts, "::1", "localhost\\", "localhost?x", "locälhost", "localhost\nHost: localhost"):
            assert await raw(server, f"GET /v1/nothing HTTP/1.1\nHost: {host}") == 400, host
        assert await raw(server, "GET /v1/nothing HTTP/1.0\nX-Y: z") == 400
        assert await raw(server, "GET /docs HTTP/1.0\nX-Y: z") == 200


@BOTH
async def test_a_page_of_another_origin_has_nothing_spoken(path: str, tmp_path: Path) -> None:
    """What a browser sends without asking first (forms, plain text, no type at all) never gets to an engine."""
    engine = Fake()
    body = json.dumps({"model": "qwen3-tts-flash", "input": "Hi.", "voice": "Cherry"})
    async with gateway(tmp_path, engine) as server:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None):
            headers = {"Origin": "https://evil.example"} | ({} if kind is None else {"Content-Type": kind})
            skip = ["Content-Type"] if kind is None else []
            async with server.http.post(
                server.url + path, data=body.encode(), headers=headers, skip_auto_headers=skip
            ) as response:
                assert response.status == 400
                assert "application/json" in await response.text()
                assert "Access-Control-Allow-Origin" not in response.headers
        async with server.http.options(
            server.url + path, headers=PREFLIGHT | {"Origin": "https://evil.example"}
        ) as response:
            assert not [name for name in response.headers if name.startswith("Access-Control")]
        assert not engine.calls
        headers = {"Content-Type": "Application/JSON; charset=UTF-8"}
        async with server.http.post(server.url + SPEECH, data=body.encode(), headers=headers) as response:
            assert response.status == 200


@pytest.mark.parametrize("origins", [("https://app.example", "http://localhost:5173"), ("*",)])
async def test_origins_that_were_asked_for(origins: tuple[str, ...], tmp_path: Path) -> None:
    """Pages of those origins pass the preflight without a key and read every answer, refusals and streams too;
    never with the browser's own credentials; others get no leave, and caches keep the answers apart.
    """
    async with gateway(tmp_path, **with_key(origins=origins)) as server:
        for origin in ("https://app.example", "http://localhost:5173", "https://evil.example", "null"):
            allowed = "*" in origins or origin in origins
            expected = ("*" if "*" in origins else origin) if allowed else None
            answers = await _answers(server, origin)
            assert [status for status, _ in answers] == [204, 401, 200, 200, 401]
            for _, headers in answers:
                assert headers.get("Access-Control-Allow-Origin") == expected
                assert "Access-Control-Allow-Credentials" not in headers
                assert "*" in origins or "Origin" in headers["Vary"]
            granted = answers[0][1]
            assert granted.get("Access-Control-Allow-Headers") == ("authorization, x-stainless-os" if allowed else None)
            assert ("POST" in granted.get("Access-Control-Allow-Methods", "")) is allowed
            if allowed:
                assert "Retry-After" in answers[1][1]["Access-Control-Expose-Headers"]
        async with server.http.post(server.url + SPEECH, json={}) as response:
            assert "*" in origins or response.headers["Vary"] == "Origin"


async def _answers(server: Gateway, origin: str) -> list[tuple[int, Any]]:
    """Preflight, refusal, JSON, events, and an OPTIONS that is no preflight."""
    stream = {"X-DashScope-SSE": "enable"}
    body = {"model": "qwen3-tts-flash", "input": {"text": "Hello.", "voice": "Cherry"}}
    async with server.http.options(server.url + SPEECH, headers=PREFLIGHT | {"Origin": origin}) as preflight:
        pass
    async with server.http.options(server.url + SPEECH, headers={"Origin": origin}) as options:
        pass
    calls = [
        await server.post(GENERATION, body, None, Origin=origin),
        await server.post(GENERATION, body, KEY, Origin=origin),
        await server.post(GENERATION, body, KEY, Origin=origin, **stream),
    ]
    return [(each.status, each.headers) for each in (preflight, *calls, options)]


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("127.3.2.1", True), ("localhost", True), ("::1", True), ("[::1]", True),
     ("0.0.0.0", False), ("", False), ("::", False), ("192.168.0.1", False), ("example.com", False)],
)  # fmt: skip
def test_without_keys_only_this_machine(host: str, local: bool) -> None:  # noqa: FBT001
    """A server without keys does not start where others could reach it, and says what to do; with keys it may."""
    assert is_loopback(host) is local
    check(Options(host=host, keys=keys.from_variable(KEY)))
    if local:
        check(Options(host=host))
        return
    with pytest.raises(ConfigError, match="lineread keys new"):
        check(Options(host=host))


@pytest.mark.parametrize(
    "options",
    [{"origins": ("app.example",)}, {"origins": ("https://app.example/",)}, {"origins": ("null",)},
     {"public_url": "speech.example"}, {"public_url": "https://user:pw@speech.example"}],
)  # fmt: skip
async def test_options_that_would_open_it_wrongly(options: dict[str, Any], tmp_path: Path) -> None:
    """Before anything listens, options that mean something else than they say stop the start."""
    with pytest.raises(ConfigError) as caught:
        async with gateway(tmp_path, **options):
            pass
    assert caught.value.remedy
    assert "pw" not in str(caught.value)


async def test_a_key_that_is_removed_ends_while_the_server_runs(tmp_path: Path) -> None:
    """A key that goes out of the file is refused without a restart, on connections that stay open too."""
    path = tmp_path / "keys.toml"
    path.write_text(f'[alice]\nhash = "{keys.hashed(KEY)}"\n')
    async with gateway(tmp_path, key_file=str(path)) as server, aiohttp.ClientSession() as session:
        call = {"json": {"input": "Hi.", "voice": "Cherry"}, "headers": {"Authorization": f"Bearer {KEY}"}}
        async with session.post(server.url + SPEECH, **call) as response:
            assert response.status == 200
        path.write_text("")
        server.desk.keys._looked -= 1.0  # a second later
        async with session.post(server.url + SPEECH, **call) as response:
            assert response.status == 401


async def test_the_root_leads_to_the_page(tmp_path: Path) -> None:
    """Who opens the bare address in a browser, which shows no key, gets to the reference."""
    async with gateway(tmp_path, **with_key()) as server, server.http.get(server.url) as response:
        assert (response.status, response.url.path) == (200, "/docs")
