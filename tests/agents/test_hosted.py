"""What agents get of a server that has keys: voices as made at home, nobody else's, and each speech counted."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from pathlib import Path

import pytest
from mcp import MCPError

from agents.agent import agent, keyed
from lineread.client import Client
from lineread.engines.base import Engine
from lineread.engines.fake import Fake
from lineread.enrolment import Clone, Design
from lineread.errors import ServiceFailed
from lineread.speech import Request, billed_characters
from lineread.voices.record import Id, OwnVoice
from server.live import get, live, until
from server.voicemaking import PREVIEW, SAMPLE, Making, key_file

RECORDING = "data:audio/wav;base64," + base64.b64encode(SAMPLE).decode()


def client(tmp_path: Path, engine: Engine) -> Client:
    """A client of the server's own user."""
    return Client(engine=engine, cache_dir=tmp_path / "cache", notice=lambda _: None)


@pytest.mark.parametrize("engine", [Making, Fake])  # one that makes voices, one that makes none
async def test_a_key_learns_nothing_of_the_owners_book(engine: type[Engine], tmp_path: Path) -> None:
    """A name of the book is quoted, spoken and refused as one that is nobody's is."""
    path, keys = key_file(tmp_path)
    speaker = client(tmp_path, engine())
    made = Id("qwen-tts-vd-guide-1", "fake", "memory", "", "qwen3-tts-vd-2026-01-26")
    speaker.casting.book.keep(OwnVoice("narrator", "design", "2026-11-23T06:00:00+00:00", prompt="Dry.", ids=(made,)))
    async with (
        live(tmp_path, client=speaker, mcp=True, key_file=str(path)) as server,
        keyed(server.url, keys["alice"]) as alice,
    ):
        for tool in ("quote", "speak"):
            answers = []
            for name in ("narrator", "tarrasor"):
                result = await alice.client.call_tool(tool, {"text": "Hello.", "voice": name})
                facts = {key: fact for key, fact in (result.structured_content or {}).items() if key != "audio_url"}
                said = "" if facts else str(result.content[0])
                answers.append((result.is_error, str(facts).replace(name, "?"), said.replace(name, "?")))
            known, unknown = answers
            if tool == "speak" and not known[0]:  # the tones of two names differ in nothing but themselves
                assert "qwen-tts-vd" not in str(known)
            assert known == unknown


async def test_voices_are_made_as_at_home(tmp_path: Path) -> None:
    """A clone is of the language of its words, whatever it says first; a design without words has a greeting in the
    description's language, and that preview is what it says first: nothing is spoken or counted again.
    """
    path, keys = key_file(tmp_path)
    engine = Making()
    async with (
        live(tmp_path, client=client(tmp_path, engine), mcp=True, key_file=str(path)) as server,
        keyed(server.url, keys["alice"]) as alice,
    ):
        me = await alice.call(
            "clone_voice",
            voice_sample=RECORDING,
            consent="Me.",
            transcript="你好，世界，今天天气很好。",
            text="Good day.",
        )
        guide = await alice.call("design_voice", voice_prompt="一位五十多岁、语调低沉的博物馆讲解员。", audio=True)
        cloned, designed = engine.memory.orders
        assert isinstance(cloned, Clone)
        assert isinstance(designed, Design)
        assert (cloned.language, designed.language) == ("Chinese", "Chinese")
        assert "你好" in designed.preview_text
        assert engine.heard == [me["voice_id"]]
        assert [base64.b64decode(sound.data) for sound in guide["sounds"]] == [PREVIEW]
        assert await alice.sound(guide) == (1.0, PREVIEW)


@pytest.mark.parametrize("way", ["stdio", "http"])
async def test_words_that_cannot_be_said_are_refused_before_a_voice_is_made(way: str, tmp_path: Path) -> None:
    """The machine's voice speaks no Russian: no voice is made that would have to."""
    wish = {"voice_sample": RECORDING, "voice_name": "me", "consent": "Me.", "text": "Здравствуйте."}
    async with agent(way, tmp_path) as caller:
        said, _ = await caller.refused("clone_voice", **wish)
        assert "English only" in said
        assert (await caller.call("list_voices", own=True))["voices"] == []


async def test_a_voice_whose_first_words_fail_is_told(tmp_path: Path) -> None:
    """It is made, and paid for: the error says what it is called."""
    wish = {"voice_sample": RECORDING, "voice_name": "me", "consent": "Me.", "text": "Hello.", "audio": True}
    path, keys = key_file(tmp_path)
    engine = Making()
    engine._script.append(ServiceFailed("broken"))
    async with (
        live(tmp_path, client=client(tmp_path, engine), mcp=True, key_file=str(path)) as server,
        keyed(server.url, keys["alice"]) as alice,
    ):
        said, _ = await alice.refused("clone_voice", **wish)
        assert "The voice me is made" in said
        assert len(engine.memory.voices) == 1


async def test_a_key_calls_its_voices_by_their_names(tmp_path: Path) -> None:
    """The same is made once, however often and at however many times at once it is asked for; another one of that name
    is refused; nobody else knows the name. A voice that is deleted can be made again.
    """
    path, keys = key_file(tmp_path)
    engine = Making()
    design = {"voice_prompt": "A dry man.", "voice_name": "Guide", "text": "This way."}
    clone = {"voice_sample": RECORDING, "voice_name": "me", "consent": "Me."}
    async with (
        live(tmp_path, client=client(tmp_path, engine), mcp=True, key_file=str(path)) as server,
        keyed(server.url, keys["alice"]) as alice,
        keyed(server.url, keys["bob"]) as bob,
    ):
        guides = await asyncio.gather(*(alice.call("design_voice", **design) for _ in range(3)))
        me = await alice.call("clone_voice", **clone)
        assert await alice.call("clone_voice", **clone | {"voice_name": "ME"})
        assert len({each["voice_id"] for each in guides}) == 1
        assert len(engine.memory.orders) == 2
        for tool, wish in (
            ("design_voice", design | {"voice_prompt": "Another."}),
            ("design_voice", design | {"voice_name": "me"}),
        ):
            said, _ = await alice.refused(tool, **wish)
            assert "already, made of something else" in said
        listed = (await alice.call("list_voices", own=True))["voices"]
        assert {each["voice"] for each in listed} == {"Guide", "me"}
        await alice.call("speak", text="Hello.", voice="guide")
        assert engine.heard[-1] == guides[0]["voice_id"]
        said, _ = await bob.refused("speak", text="Hello.", voice="guide")
        assert "There is no voice" in said
        assert (await bob.call("design_voice", **design))["voice_id"] != guides[0]["voice_id"]
        server.desk.owners.forget("alice", "clone", me["voice_id"])
        assert (await alice.call("clone_voice", **clone))["voice_id"] != me["voice_id"]


async def test_who_shows_no_key_is_told_so_by_his_own_client(tmp_path: Path) -> None:
    """The official client shows the server's words, which say what to do."""
    path, _ = key_file(tmp_path)
    async with live(tmp_path, client=client(tmp_path, Making()), mcp=True, key_file=str(path)) as server:
        with pytest.raises(BaseExceptionGroup) as refused:
            async with keyed(server.url, "lr-nobody"):
                pass
        (error,) = leaves(refused.value)
        assert isinstance(error, MCPError)
        assert str(error) == "This is no key of this server. Ask whoever runs the server for one."


def leaves(group: BaseException) -> list[BaseException]:
    """The errors in a group, however deep."""
    if not isinstance(group, BaseExceptionGroup):
        return [group]
    return [leaf for each in group.exceptions for leaf in leaves(each)]


class Nameless(Fake):
    """An engine that has no models."""

    def resolve(self, request: Request) -> Request:
        return replace(super().resolve(request), model=None)


async def test_an_engine_without_models_is_quoted(tmp_path: Path) -> None:
    """Its quote names no model, which the official client checks."""
    async with agent("http", tmp_path, engine=Nameless()) as caller:
        assert "model" not in await caller.call("quote", text="Hello.")


async def test_each_speech_of_a_call_counts(tmp_path: Path) -> None:
    """Four previews, of which one is refused, are three speeches and an error in the metrics; the log has their sum."""
    path, keys = key_file(tmp_path)
    engine = Making()
    async with live(tmp_path, client=client(tmp_path, engine), mcp=True, key_file=str(path)) as server:
        async with keyed(server.url, keys["alice"]) as alice:
            heard = (await alice.call("preview_voices", voices=["Cherry", "Nobody", "Ethan", "Serena"]))["previews"]
        said = (await server.ask(get("/metrics", f"Authorization: Bearer {keys['alice']}"))).body.decode()
        await until(lambda: any("audio_s" in line for line in server.requests()))
        (line,) = [line for line in server.requests() if "audio_s" in line]
    speeches = [float(line.split()[-1]) for line in said.splitlines() if line.startswith("lineread_speeches_total")]
    assert sum(speeches) == 3
    assert 'lineread_errors_total{code="unknown_voice",dialect="mcp"} 1.0' in said
    voices = [line for line in said.splitlines() if line.startswith("lineread_audio_seconds_total")]
    assert all(any(f'"{name}"' in line for line in voices) for name in ("Cherry", "Ethan", "Serena"))
    characters = sum(billed_characters(each.text) for each in engine.calls)
    assert (line["caller"], line["characters"], line["code"]) == ("alice", characters, "unknown_voice")
    assert line["audio_s"] == pytest.approx(sum(each.get("seconds", 0) for each in heard), abs=0.05)
    assert "voice" not in line  # they were several
