"""What agents may not do: spend more than the budget, write outside the folder, read or say what is not theirs."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client as Official

from agents.agent import WAYS, agent, keyed
from lineread.audio.codec import suffix_format
from lineread.client import Client
from lineread.engines.fake import Act, Fake
from lineread.errors import OptionError
from lineread.mcp.folder import Folder
from lineread.server.dialects import agents
from lineread.speech import FORMATS
from loopback import dashscope as loopback
from server.live import live, post, until
from server.voicemaking import SAMPLE, Making, key_file
from support import lineread

LINE = "One line of thirty characters."


@pytest.mark.parametrize("way", ["stdio", "http legacy"])
async def test_the_budget_is_never_passed(way: str, tmp_path: Path) -> None:
    """However many lines an agent asks for at once, the cloud bills no more than the budget; what was paid for is kept,
    and free the second time; the refusals say what is left.
    """
    async with loopback.Cloud() as cloud:
        environ = {"DASHSCOPE_API_KEY": cloud.key, "DASHSCOPE_HTTP_BASE_URL": cloud.base_url}
        async with agent(way, tmp_path / "work", engine="dashscope", budget="200characters", environ=environ) as caller:
            texts = [f"{LINE[:-3]}{number:02}." for number in range(20)]
            quote = await caller.call("quote", text=texts[0])
            assert (quote["characters"], quote["yuan"], quote["left"]) == (30, pytest.approx(30 * 0.8 / 10_000), 200)
            results = await asyncio.gather(*(caller.client.call_tool("speak", {"text": text}) for text in texts))
            spoken = [text for text, result in zip(texts, results, strict=True) if not result.is_error]
            assert len(spoken) == 6
            said, code = await caller.refused("speak", text=texts[0] + texts[1])
            assert code == "over_budget"
            assert "20 of 200 characters are left" in said
            again = await caller.call("speak", text=spoken[0])
            assert (again["cached"], again["left"]) == (True, 20)
            _, code = await caller.refused("design_voice", voice_prompt="A man.")
            assert code == "over_budget"
        billed = [loopback.billed(each.body["input"]["text"]) for each in cloud.received if each.method == "POST"]
    assert sum(billed) == 180


@pytest.mark.parametrize("way", ["stdio", "http"])
async def test_long_texts_at_once_do_not_starve_each_other(way: str, tmp_path: Path) -> None:
    """Of three that the budget has room for one by one, and for two together, two are spoken to their end."""
    async with loopback.Cloud() as cloud:
        environ = {"DASHSCOPE_API_KEY": cloud.key, "DASHSCOPE_HTTP_BASE_URL": cloud.base_url}
        async with agent(
            way, tmp_path / "work", engine="dashscope", budget="5000characters", environ=environ
        ) as caller:
            texts = [" ".join(f"{word} line {i:03} is spoken." for i in range(90)) for word in ("One", "Two", "Six")]
            results = await asyncio.gather(*(caller.client.call_tool("speak", {"text": text}) for text in texts))
            assert sorted(bool(result.is_error) for result in results) == [False, False, True]
        billed = [loopback.billed(each.body["input"]["text"]) for each in cloud.received if each.method == "POST"]
    assert 4300 < sum(billed) <= 2 * len(texts[0])


async def test_one_key_leaves_room_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that opens sessions, one by one or many at once and however its messages are spelt, is told to wait;
    another comes in; what is refused, ended or another's counts for nobody.
    """
    monkeypatch.setattr(agents, "_MOST_EACH", 3)
    path, keys = key_file(tmp_path)
    client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "many", "version": "1"}}
    hello = json.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": client})
    spelt = hello.replace("initialize", "initi\\u0061lize")
    accepts = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    speaker = Client(engine="fake", cache=False)
    async with live(tmp_path, client=speaker, mcp=True, key_file=str(path)) as server, httpx2.AsyncClient() as http:

        async def opened(name: str, message: str = hello, **more: str) -> tuple[int, dict[str, str]]:
            key = {"Authorization": f"Bearer {keys[name]}"}
            answer = await http.post(f"{server.url}/mcp", content=message, headers=key | accepts | more)
            return answer.status_code, key | {"Mcp-Session-Id": answer.headers.get("Mcp-Session-Id", "")}

        assert [(await opened("alice", "{}"))[0] for _ in range(5)] == [400] * 5
        sessions = await asyncio.gather(*(opened("alice", spelt) for _ in range(6)))
        assert sorted(status for status, _ in sessions) == [200] * 3 + [429] * 3
        whole = [headers for status, headers in sessions if status == 200]
        for name in (whole[0]["Mcp-Session-Id"], *(f"made-up-{i}" for i in range(5))):
            assert (await opened("bob", **{"Mcp-Session-Id": name}))[0] == 404
        assert (await opened("bob"))[0] == 200
        assert (await opened("alice"))[0] == 429  # bob's knocking did not end hers
        assert (await http.delete(f"{server.url}/mcp", headers=whole[0])).status_code == 200
        assert [(await opened("alice"))[0] for _ in range(2)] == [200, 429]


async def test_a_body_of_many_parts_is_not_read(tmp_path: Path) -> None:
    """It would hold up everybody for seconds; a text of the greatest length is no such body."""
    async with live(tmp_path, mcp=True) as server:
        answer = await server.ask(post("/mcp", [[]] * 100_000))
        assert (answer.status, "too many parts" in answer.body.decode()) == (400, True)
        async with Official(f"{server.url}/mcp") as client:
            result = await client.call_tool("quote", {"text": "1," * 50_000})
            assert not result.is_error


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://evil.example", 403), ("null", 403), ("http://127.0.0.1", 200), ("http://127.0.0.1.evil.example", 403)],
)
async def test_pages_of_other_origins_call_no_tools(origin: str, status: int, tmp_path: Path) -> None:
    """As the protocol asks: where there are no keys, the page that calls has to be the server's own."""
    client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "page", "version": "1"}}
    hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": client}
    async with live(tmp_path, mcp=True) as server:
        answer = await server.ask(
            post("/mcp", hello, f"Origin: {origin}", "Accept: application/json, text/event-stream")
        )
        assert answer.status == status


def files(directory: Path) -> set[Path]:
    """All files below a directory."""
    return {path for path in directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize("way", WAYS)
async def test_hostile_arguments_are_answered(way: str, tmp_path: Path) -> None:
    """Each ends in one line with a remedy and a code; the server goes on, and nothing lies where it should not."""
    work = tmp_path / "work"  # where every test begins
    outside = tmp_path / "secret.wav"
    async with agent(way, work) as caller:
        outside.write_bytes(SAMPLE)
        before = files(tmp_path)
        attacks = [
            ("speak", {"text": "x" * 1_000_001}, "text_too_long"),
            ("quote", {"text": "好" * 400_000}, "text_too_long"),
            ("speak", {"text": ""}, "malformed_request"),
            ("speak", {}, "malformed_request"),
            ("speak", {"text": 7}, "malformed_request"),
            ("speak", {"text": "Hello.", "volume": "loud"}, "malformed_request"),
            ("speak", {"text": "Hello.", "rate": 1e308}, "malformed_request"),
            ("speak", {"text": "Hello.", "shell": "rm"}, "malformed_request"),
            ("speak", {"text": "Hello.", "voice": "v" * 100_000}, None),
            ("speak", {"text": "Hello.", "language_type": "Klingon"}, "unknown_language"),
            ("speak", {"text": "Hello.", "format": "exe"}, "malformed_request"),
            ("preview_voices", {"voices": []}, None),
            ("preview_voices", {"voices": ["Cherry"] * 5 + [str(i) for i in range(20)]}, "bad_option"),
            ("preview_voices", {"voices": "Cherry"}, "malformed_request"),
            ("list_voices", {"dialect": "Martian"}, None),
            ("clone_voice", {"voice_sample": str(outside)}, "malformed_request"),
            ("clone_voice", {"voice_sample": str(outside), "consent": " "}, None),
            ("clone_voice", {"voice_sample": str(outside), "consent": "Me."}, None),
            ("clone_voice", {"voice_sample": "../secret.wav", "consent": "Me."}, None),
            ("clone_voice", {"voice_sample": "http://127.0.0.1:1/a.wav", "consent": "Me."}, None),
            ("clone_voice", {"voice_sample": f"file://{outside}", "consent": "Me."}, None),
            ("clone_voice", {"voice_sample": "data:audio/wav;base64,!!!", "consent": "Me."}, None),
            ("clone_voice", {"voice_sample": "a\0b", "consent": "Me."}, None),
            ("clone_voice", {"voice_sample": "a/" * 800_000, "consent": "Me."}, "sample_not_sent"),
            ("burn", {}, "unknown_tool"),
        ]
        names = [
            "../up.wav",
            "/etc/up.wav",
            str(outside),
            "a/../../up.wav",
            "C:\\up.wav",
            "up\0.wav",
            ".hidden.wav",
            "~/up.wav",
            "$HOME/up.wav",
        ]
        if not caller.hosted:
            attacks += [("speak", {"text": "Hello.", "file": name}, "bad_file_name") for name in (*names, "x" * 300)]
            attacks += [("speak", {"text": "Hello.", "file": "x.wav", "format": "mp3"}, "bad_option")]
        for tool, arguments, code in attacks:
            said, found = await caller.refused(tool, **arguments)
            assert code in (None, found), said
            assert len(said) < 400
            assert "lineread has a bug" not in said
            assert "\n" not in said
        line = await caller.call("speak", text="Still here.")
        if not caller.hosted:
            again = await caller.call("speak", text="Still here.", file=line["path"])  # as it was told itself
            assert again["path"] == line["path"]
        left = files(tmp_path) - before
    allowed = (work / "voices", work / "cache", tmp_path / "home")
    assert all(any(path.is_relative_to(place) for place in allowed) for path in left), left


@given(
    name=st.text(max_size=60) | st.sampled_from(["a/b.wav", "con.wav", "link/x.wav", "a//b", "-o.wav", "é/ü.wav"]),
    form=st.sampled_from(FORMATS),
)
def test_every_name_stays_in_the_folder(tmp_path_factory: pytest.TempPathFactory, name: str, form: str) -> None:
    """Whatever an agent calls a file: it is refused, or lies below the folder, all links followed, with its format's
    suffix; the name that it asked for is what is below.
    """
    root = tmp_path_factory.getbasetemp() / "folder"
    if not root.exists():
        root.mkdir()
        (root / "link").symlink_to("/tmp")
    try:
        path = Path(Folder(str(root)).place(name, form))
    except OptionError:
        return
    assert Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))
    assert suffix_format(path) == form
    assert str(path.relative_to(root)).startswith(name)


@pytest.mark.parametrize("revision", ["", " legacy"])
async def test_a_call_over_http_that_is_given_up_stops_its_engine(revision: str, tmp_path: Path) -> None:
    """Nothing is spoken on for an agent that does not want it any more."""
    engine = Fake(otherwise=Act(delay=0.2))
    async with agent(f"http{revision}", tmp_path, engine=engine) as caller:
        call = asyncio.create_task(caller.call("speak", text=f"{LINE} " * 2000))
        await until(lambda: engine.running)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await until(lambda: not engine.running)
        spoken = len(engine.calls)
        await caller.call("list_voices")
        assert len(engine.calls) == spoken


async def test_keys_hold_agents_as_they_hold_everybody(tmp_path: Path) -> None:
    """Over HTTP an agent needs the server's key, has its own voices and no others, and counts for its own limits; what
    says that a speaker agreed lies with the voice.
    """
    path, keys = key_file(tmp_path)
    speaker = Client(engine=Making(), cache_dir=tmp_path / "cache", notice=lambda _: None)
    recording = "data:audio/wav;base64," + base64.b64encode(SAMPLE).decode()
    async with live(tmp_path, client=speaker, mcp=True, key_file=str(path)) as server:
        answer = await server.ask(post("/mcp", {}))
        assert answer.status == 401
        async with keyed(server.url, keys["alice"]) as alice:
            made = await alice.call("clone_voice", voice_sample=recording, voice_name="me", consent="Alice, in person")
            await alice.call("speak", text="Hello.", voice=made["voice"])
            assert [each["voice"] for each in (await alice.call("list_voices", own=True))["voices"]] == [made["voice"]]
        async with keyed(server.url, keys["bob"]) as bob:
            assert (await bob.call("list_voices", own=True))["voices"] == []
            for tool in ("speak", "quote"):
                said, _ = await bob.refused(tool, text="Hello.", voice=made["voice"])
                assert "There is no voice" in said
        kept = [each.read_text() for each in (tmp_path / "home").rglob("*.json") if made["voice"] in each.name]
        assert len(kept) == 1
        assert "Alice, in person" in kept[0]
        log = server.log.data.decode()
        assert "Hello." not in log
        assert "in person" not in log


async def test_a_server_without_tools_says_so(tmp_path: Path) -> None:
    """Without --mcp there is nothing at its address."""
    async with live(tmp_path) as server:
        assert (await server.ask(post("/mcp", {}))).status == 404


async def test_a_stopping_server_lets_agents_go(tmp_path: Path) -> None:
    """A server that is told to stop does not wait for agents that only listen."""
    async with (
        live(tmp_path, mcp=True, grace=20.0) as server,
        Official(f"{server.url}/mcp", mode="legacy") as client,
    ):
        await client.list_tools()
        await until(lambda: server.tracker.running)  # it listens
        async with asyncio.timeout(5):
            await server.stop()


def test_a_budget_that_is_none_is_refused_at_once() -> None:
    """A typing mistake in the budget never becomes no budget."""
    for command in ("mcp", "serve"):
        done = lineread(command, "--budget", "5 dollars", "-e", "fake")
        assert done.returncode == 3
        assert b"'5 dollars' is no budget. Write 5yuan, or 20000characters." in done.stderr
