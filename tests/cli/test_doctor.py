"""``lineread doctor``: what is found, whether it is good, and what to do about it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lineread.cli import main
from support import install

Findings = Callable[..., dict[str, dict[str, Any]]]


@pytest.fixture
def findings(capsys: pytest.CaptureFixture[str]) -> Findings:
    """Runs the doctor and gives its findings by name. The network is left alone unless asked for."""

    def run(*arguments: str, status: int = 0, network: bool = False) -> dict[str, dict[str, Any]]:
        command = ["doctor", "--json", *arguments, *([] if network else ["--no-network"])]
        assert main(command) == status
        found = json.loads(capsys.readouterr().out)
        for finding in found:
            assert set(finding) == {"what", "state", "line", "remedy"}
            assert finding["state"] in {"ok", "bad", "note"}
            assert finding["remedy"] or finding["state"] != "bad", finding
        return {finding["what"]: finding for finding in found}

    return run


@pytest.fixture
def service() -> Iterator[str]:
    """The base URL of something on this machine that answers every request."""
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    address: list[int] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        address.append(server.sockets[0].getsockname()[1])
        ready.set()
        async with server:
            await stop.wait()

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(5)
    yield f"http://127.0.0.1:{address[0]}/api/v1"
    loop.call_soon_threadsafe(stop.set)
    thread.join(5)
    loop.close()


def test_a_fresh_machine(findings: Findings) -> None:
    """Without a key and a network it says which voice speaks, that it does, and how to get the other one."""
    found = findings()
    assert list(found)[:2] == ["lineread", "key"]
    assert (found["key"]["state"], "DASHSCOPE_API_KEY" in found["key"]["remedy"]) == ("note", True)
    assert (found["engine builtin"]["state"], "speaks" in found["engine builtin"]["line"]) == ("ok", True)
    assert found["engine dashscope"]["state"] == "note"
    assert found["default"]["line"].startswith("local speaks")
    assert (found["engine local"]["state"], "English (builtin)" in found["engine local"]["line"]) == ("ok", True)
    assert (found["cache"]["state"], found["output"]["state"]) == ("ok", "ok")
    assert "service" not in found
    assert found["cache"]["line"].endswith(": 0 lines, 0 B")


def test_a_sound_device_is_not_promised(findings: Findings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A player that is found says nothing of a device that it could play on."""
    monkeypatch.setenv("LINEREAD_PLAYER", "true")
    assert findings("-e", "fake")["player"]["line"].startswith("true found; whether there is a sound device")


def test_a_cache_that_is_no_directory(findings: Findings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device or a file in its place is called what it is, once."""
    monkeypatch.setenv("LINEREAD_CACHE_DIR", "/dev/null")
    assert findings("-e", "fake")["cache"]["line"] == "/dev/null: not a directory"


def test_the_key_is_found_and_not_shown(
    findings: Findings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It tells where the key lies, and never the key."""
    Path(".env").write_text("DASHSCOPE_API_KEY=sk-topsecret\n")
    found = findings()
    assert (found["key"]["state"], ".env" in found["key"]["line"]) == ("ok", True)
    assert found["engine dashscope"]["state"] == "ok"
    assert found["default"]["line"].startswith("dashscope speaks")
    assert "topsecret" not in json.dumps(found)
    assert main(["doctor", "--no-network"]) == 0
    assert "topsecret" not in "".join(capsys.readouterr())


def test_a_service_that_answers(findings: Findings, service: str) -> None:
    """A service that answers at all, with whatever status, is within reach."""
    found = findings("--base-url", service, network=True)
    assert found["service"]["state"] == "ok"
    assert "127.0.0.1" in found["service"]["line"]


def test_a_service_that_does_not_answer(findings: Findings) -> None:
    """Nobody there: it is said, with what to do, and is in the way only where nothing else would speak."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        place = ("--base-url", f"http://127.0.0.1:{taken.getsockname()[1]}/api/v1")
        found = findings(*place, network=True)
        assert (found["service"]["state"], found["engine builtin"]["state"]) == ("note", "ok")
        Path(".env").write_text("DASHSCOPE_API_KEY=sk-topsecret\n")
        found = findings(*place, network=True, status=3)
        assert found["service"]["state"] == "bad"
        assert "lineread doctor" not in found["service"]["remedy"]  # that is what is being read
        assert findings(*place, "--fallback", "builtin", network=True)["service"]["state"] == "note"


def test_a_broken_store_and_an_unwritable_place(findings: Findings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in the way of cache and output is named, with the variable that leads elsewhere."""
    Path("file").touch()
    monkeypatch.setenv("LINEREAD_CACHE_DIR", str(Path("file").resolve() / "cache"))
    monkeypatch.setenv("OUTPUT_DIR", str(Path("file").resolve() / "out"))
    found = findings()
    assert (found["cache"]["state"], "LINEREAD_CACHE_DIR" in found["cache"]["remedy"]) == ("bad", True)
    assert found["cache"]["line"].count(os.path.abspath("file")) == 1
    assert (found["output"]["state"], "OUTPUT_DIR" in found["output"]["remedy"]) == ("bad", True)


def test_an_engine_that_does_not_exist(findings: Findings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt engine, in the settings or on the command line, would fail every request; the doctor finds it."""
    monkeypatch.setenv("LINEREAD_ENGINE", "bultin")
    for found in (findings(status=3), findings("-e", "bultin", status=3)):
        assert (found["default"]["state"], "Did you mean builtin?" in found["default"]["remedy"]) == ("bad", True)
        assert found["engine builtin"]["state"] == "ok"
    found = findings("-e", "builtin", "--fallback", "fkae", status=3)
    assert (found["fallback"]["state"], "Did you mean fake?" in found["fallback"]["remedy"]) == ("bad", True)
    assert findings("-e", "builtin", "--fallback", "fake")["fallback"]["state"] == "note"


def test_an_engine_that_is_asked_for_and_cannot_speak(findings: Findings) -> None:
    """The cloud without a key is no trouble, unless it is the engine that shall speak."""
    found = findings("-e", "dashscope", status=3)
    assert (found["default"]["state"], "DASHSCOPE_API_KEY" in found["default"]["remedy"]) == ("bad", True)
    assert findings("-e", "fake")["default"]["state"] == "note"


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("engine = [", ["config.toml", "cannot be read"]),
        ("engine = true", ["config.toml", "engine must be a string"]),
        ("engin = 'fake'", ["config.toml", "'engin'"]),
        ("cache_size = 'much'", ["cache_size", "'much'"]),
        ("region = 'mars'", ["'mars'"]),
        ("base_url = 'example'", ["base URL"]),
    ],
)
def test_broken_settings_are_rows(toml: str, words: list[str], findings: Findings) -> None:
    """What ends any other command is a row with a remedy here, and all the other rows are there as well."""
    whole = findings()
    directory = Path(os.environ["XDG_CONFIG_HOME"]) / "lineread"
    directory.mkdir(parents=True)
    (directory / "config.toml").write_text(toml)
    assert main(["say", "-e", "fake", "Hello."]) == 3
    found = findings(status=3)
    assert set(found) == {*whole, "settings"}
    assert found["settings"]["state"] == "bad"
    assert all(word in found["settings"]["line"] for word in words)


def test_everything_broken_is_told_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Who has three mistakes need not call the doctor three times."""
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk topsecret")
    monkeypatch.setenv("LINEREAD_CACHE_SIZE", "much")
    monkeypatch.setenv("DASHSCOPE_API_REGION", "mars")
    assert main(["doctor", "--no-network"]) == 3
    output = capsys.readouterr()
    assert output.out.count("✗ settings") == 3
    assert "topsecret" not in output.out + output.err


def test_a_profile_that_is_not_there(findings: Findings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that is named, and has no key or does not exist, explains why there is no key."""
    directory = Path.home() / ".alibabacloud"
    directory.mkdir()
    (directory / "credentials").write_text("[work]\ndashscope_api_key = sk-topsecret\n[bare]\ntype = access_key\n")
    assert findings()["key"]["state"] == "note"
    for variable in ("ALICLOUD_PROFILE", "ALIBABA_CLOUD_PROFILE"):
        monkeypatch.setenv(variable, "wrok")
        found = findings(status=3)["settings"]
        assert (variable in found["line"], "Did you mean work?" in found["remedy"]) == (True, True)
    monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", "bare")
    assert "has no dashscope_api_key" in findings(status=3)["settings"]["line"]
    assert "builtin needs none" in findings("-e", "builtin")["key"]["line"]
    monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", "work")
    assert findings()["key"]["state"] == "ok"


WORSE = """
from lineread import Engine

class Worse(Engine):
    name = "worse"

    @classmethod
    def configured(cls, settings):
        return 1 / 0

    async def stream(self, segment):
        yield
"""


def test_an_installed_engine_that_is_broken(
    findings: Findings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Engines of other packages are tried as well, and one that fails does not keep the doctor from the rest."""
    install(tmp_path / "site", "bad_engine", "1 / 0", bad="bad_engine:X")
    install(tmp_path / "site", "worse_engine", WORSE, worse="worse_engine:Worse")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    found = findings()
    assert found["engine bad"]["state"] == "bad"
    assert (found["engine worse"]["state"], "ZeroDivisionError" in found["engine worse"]["line"]) == ("bad", True)
    assert found["engine builtin"]["state"] == "ok"


def test_the_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """For people each finding is a line with its mark, and the remedy stands below it."""
    monkeypatch.setenv("LINEREAD_PLAYER", "no-such-player")
    assert main(["doctor", "--no-network"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("✓ engine builtin") for line in lines)
    at = next(number for number, line in enumerate(lines) if "no-such-player" in line)
    assert lines[at + 1].lstrip().startswith("→ ")
    assert len({line.index("  ", 2) for line in lines if line[0] in "✓✗·"}) >= 1


def test_it_leaves_no_trace(findings: Findings) -> None:
    """Examining changes nothing: no file in the working directory, no line in the store."""
    findings()
    assert list(Path().iterdir()) == []
    store = Path(os.environ["XDG_CACHE_HOME"]) / "lineread"
    assert not [path for path in store.rglob("*") if path.is_file() and path.stat().st_size > 5000]
