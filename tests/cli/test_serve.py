"""`lineread serve` as users run it: what it prints, that this works when pasted, how it stops, how it refuses."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import websocket

from support import lineread

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="its shells take no here-documents")


@contextmanager
def served(*options: str, before: Sequence[str] = (), **environ: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command while it runs, with what stands before it, and its banner."""
    command = [*before, sys.executable, "-m", "lineread", "serve", "--port", "0", *options]
    with (
        open("log", "w+") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=os.environ | environ) as process,
    ):
        try:
            assert process.stdout is not None
            said = ""
            while not said.endswith("END\n\n") or said.count("END\n") < 2:
                line = process.stdout.readline()
                assert line, Path("log").read_text()
                said += line
            yield process, said
        finally:
            process.kill()


def url(said: str) -> str:
    found = re.search(r"at (http://\S+)$", said, re.MULTILINE)
    assert found is not None
    return found[1]


def pasted(command: str, **environ: str) -> str:
    """What a command prints, in a shell of its own."""
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    shell = ["sh", "-ec", command]
    environ = os.environ | environ | {"PATH": path}
    done = subprocess.run(shell, capture_output=True, text=True, timeout=60, env=environ, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("keyed", [False, True], ids=["open", "keys"])
def test_what_it_prints_works_when_pasted(*, keyed: bool) -> None:
    """curl, DashScope's SDK and OpenAI's each speak by the command that is printed, with keys and without."""
    keys = {"LINEREAD_SERVER_KEYS": "alice=0123456789abcdef"} if keyed else {}
    with served("-e", "builtin", **keys) as (_, said):
        curl, dashscope, openai = re.split(r"\n\n", said.partition("Try it:\n\n")[2].strip())[-3:]
        key = {"LINEREAD_KEY": "0123456789abcdef"} if keyed else {}
        assert ("export LINEREAD_KEY" in said) == keyed
        pasted(curl, **key)
        assert Path("curl.wav").read_bytes()[:4] == b"RIFF"
        address = pasted(dashscope, **key).strip()
        with urllib.request.urlopen(address) as response:
            assert response.read(4) == b"RIFF"
        pasted(openai, **key)
        assert len(Path("openai.mp3").read_bytes()) > 10_000


def test_what_it_says() -> None:
    """Where it is, who speaks and why, who is let in, where the reference and the counts are."""
    with served() as (_, said):
        base = url(said)
        assert "local (the machine's own voices, since no DashScope key was found)" in said
        assert "No keys are set" in said
        assert f"{base}/docs, {base}/metrics" in said
    with served(DASHSCOPE_API_KEY="sk-0123456789") as (_, said):
        assert "dashscope (since a key was found in the environment variable DASHSCOPE_API_KEY)" in said
        assert "sk-0123456789" not in said


def test_what_it_says_behind_a_proxy() -> None:
    """Clients' address and the one that it listens at are both told; what is pasted calls the latter, and works."""
    options = ("-e", "fake", "--host", "0.0.0.0", "--public-url", "https://speech.example/tts")
    with served(*options, LINEREAD_SERVER_KEYS="alice=0123456789abcdef") as (_, said):
        assert "speech calls at https://speech.example/tts\n" in said
        listens = re.search(r"listens +at port (\d+) of every address of this machine \(0\.0\.0\.0\)\n", said)
        assert listens is not None
        curl, *others = re.split(r"\n\n", said.partition("Try it:\n\n")[2].strip())[-3:]
        assert all(f"http://127.0.0.1:{listens[1]}/" in command for command in (curl, *others))
        pasted(curl, LINEREAD_KEY="0123456789abcdef")
        assert Path("curl.wav").read_bytes()[:4] == b"RIFF"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_it_stops_when_it_is_told_to(name: str) -> None:
    """Each signal to stop ends it with status 0; the log, one JSON object a line, says that it stops and has."""
    with served("-e", "fake") as (process, said):
        urllib.request.urlopen(url(said) + "/healthz").close()
        process.send_signal(getattr(signal, name))
        assert process.wait(10) == 0
        request, *notices = map(json.loads, Path("log").read_text().splitlines())
        assert request["route"] == "healthz"
        assert [notice["message"].partition(":")[0] for notice in notices] == ["Stopping", "Stopped"]


def test_a_session_is_told_that_it_stops() -> None:
    """An open realtime session, at the address that the banner tells, is closed with 1001; the status is 0 at once."""
    with served("-e", "fake", "--max-sessions", "1") as (process, said):
        address = re.search(r"realtime +(ws://\S+)\n", said)
        assert address is not None
        session: Any = websocket.create_connection(address[1], timeout=10)
        assert "session.created" in session.recv()
        with pytest.raises(websocket.WebSocketBadStatusException, match="429"):
            websocket.create_connection(address[1], timeout=10)
        process.send_signal(signal.SIGTERM)
        assert "about to stop" in session.recv()
        code, data = session.recv_data()
        assert (code, int.from_bytes(data[:2], "big")) == (websocket.ABNF.OPCODE_CLOSE, 1001)
        assert process.wait(10) == 0
        session.shutdown()


@pytest.mark.parametrize(
    ("option", "said"),
    [("--session-idle", "Nothing was said for 1 s"), ("--session-seconds", "has lasted")],
    ids=["idle", "old"],
)
def test_sessions_have_an_end(option: str, said: str) -> None:
    """A realtime session that lies idle, or lasts, for as long as an option says is told so and closed with 1008."""
    with served("-e", "fake", option, "1") as (_, banner):
        address = re.search(r"realtime +(ws://\S+)\n", banner)
        assert address is not None
        session: Any = websocket.create_connection(address[1], timeout=10)
        assert "session.created" in session.recv()
        assert said in session.recv()
        code, data = session.recv_data()
        assert (code, int.from_bytes(data[:2], "big")) == (websocket.ABNF.OPCODE_CLOSE, 1008)
        session.shutdown()


def test_under_nohup_it_outlives_its_terminal() -> None:
    """A signal that it was started to ignore ends nothing; those that are left still do."""
    with served("-e", "fake", before=["nohup"]) as (process, said):
        process.send_signal(signal.SIGHUP)
        with urllib.request.urlopen(url(said) + "/readyz") as response:
            assert response.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_told_twice_it_stops_at_once() -> None:
    """The first signal lets a request run on, the second does not; the status says so."""
    body = json.dumps({"model": "tts-1", "voice": "Cherry", "input": "Hi."}).encode()
    with served("-e", "fake", "--grace", "3600") as (process, said), socket.create_connection(address(said)) as client:
        client.sendall(
            b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % (len(body) + 1)
        )
        assert client.recv(100).startswith(b"HTTP/1.1 100")  # it waits for the body, for half a minute
        process.send_signal(signal.SIGTERM)
        while takes_work(said):
            pass
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 130
        lines = map(json.loads, Path("log").read_text().splitlines())
        assert [line["code"] for line in lines if line.get("route") == "openai.speech"] == ["leaving"]


def takes_work(said: str) -> bool:
    try:
        urllib.request.urlopen(url(said) + "/readyz").close()
    except urllib.error.HTTPError as error:
        return error.code != 503
    return True


def address(said: str) -> tuple[str, int]:
    host, _, port = url(said).removeprefix("http://").partition(":")
    return host, int(port)


def test_it_serves_on_when_nobody_listens_to_it() -> None:
    """A closed standard output or a reader that has had enough does not end a server."""
    read, write = os.pipe()
    os.close(read)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "lineread", "serve", "-e", "fake", "--port", str(port), "--log", "off"]
    with subprocess.Popen(command, stdout=write, stderr=subprocess.PIPE) as process:
        os.close(write)
        try:
            while process.poll() is None:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as response:
                        assert response.status == 200
                        break
                except OSError:
                    continue
        finally:
            process.terminate()
        assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--port", "65536"], 2, "from 0 to 65535"),
        (["--port", "http"], 2, "from 0 to 65535"),
        (["--port", "000000000080"], 2, "from 0 to 65535"),
        (["--max-requests", "0"], 2, "from 1"),
        (["--max-characters", "12345678901"], 2, "from 1 to 999999999"),
        (["--max-characters", "-1"], 2, "from 1"),
        (["--grace", "nan"], 2, "seconds from 0"),
        (["--grace", "-1"], 2, "seconds from 0"),
        (["--log", "xml"], 2, "json"),
        (["--audio-size", "much"], 3, "--audio-size takes a size"),
        (["--engine", "nope"], 3, "no engine 'nope'"),
        (["--engine", "dashscope"], 3, "no DashScope key"),
        (["--engine", "fake", "--fallback", "dashscope"], 3, "no DashScope key"),
        (["--host", "0.0.0.0"], 3, "lineread keys new"),
        (["--cors", "nonsense"], 3, "no web origin"),
        (["--public-url", "nonsense"], 3, "public URL"),
        (["--keys", "missing.toml"], 3, "missing.toml"),
    ],
)
def test_what_it_refuses(arguments: list[str], status: int, words: str) -> None:
    """A start that cannot be is one line that says what to do, and a status."""
    done = lineread("serve", "--port", "0", *arguments)
    said = done.stderr.decode()
    assert (done.returncode, done.stdout) == (status, b""), said
    assert words in said
    assert said.count("\n") == 1
    if arguments[0] in ("--host", "--cors", "--public-url"):
        assert not [*Path.home().iterdir()]  # it was not begun
