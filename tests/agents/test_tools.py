"""Agents speak, over standard input and output and over HTTP: the official client of the Model Context Protocol calls
every tool, as it would anybody's, and finds what was promised.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
from pathlib import Path

import jsonschema_rs
import pytest

from agents.agent import WAYS, Agent, agent
from server.voicemaking import SAMPLE

TEXT = "The doors open at nine. Bring a friend, and bring a coat, for the evening will be cold."


@pytest.mark.parametrize("way", WAYS)
async def test_every_tool_does_what_it_says(way: str, tmp_path: Path) -> None:
    """Quote, speak, list, preview, design, clone, and speak with what was made: one agent's whole day."""
    async with agent(way, tmp_path / "work") as caller:
        await _day(caller)


async def _day(caller: Agent) -> None:
    assert set(caller.tools) == {"speak", "quote", "list_voices", "preview_voices", "clone_voice", "design_voice"}
    for tool in caller.tools.values():
        jsonschema_rs.meta.validate(tool.input_schema)
        jsonschema_rs.meta.validate(tool.output_schema)
        assert tool.description
    quote = await caller.call("quote", text=TEXT, voice="ethan")
    assert (quote["characters"], quote["stored"], quote["yuan"], quote["voice"]) == (len(TEXT) - 1, 0, 0.0, "Ethan")
    first = await caller.call("speak", text=TEXT, voice="Ethan", audio=True)
    seconds, data = await caller.sound(first)
    assert seconds == pytest.approx(first["seconds"], abs=0.01)
    assert seconds == pytest.approx(quote["seconds"], rel=0.3)
    (carried,) = first["sounds"]
    assert (carried.mime_type, base64.b64decode(carried.data)) == ("audio/wav", data)
    assert (first["engine"], first["yuan"], first["cached"]) == ("builtin", 0.0, False)
    again = await caller.call("speak", text=TEXT, voice="Ethan")
    assert again["cached"]
    who = ("engine", "model", "stand_in", "voice", "seconds")
    assert [again[fact] for fact in who] == [first[fact] for fact in who]
    assert (await caller.call("quote", text=TEXT, voice="Ethan"))["stored"] == quote["characters"]

    old = (await caller.call("list_voices", gender="male", age="old"))["voices"]
    assert {"Arthur", "Eldric Sage"} <= {voice["voice"] for voice in old}
    previews = (await caller.call("preview_voices", voices=["Arthur", "Nobody", "Cherry"]))["previews"]
    assert [preview["voice"] for preview in previews] == ["Arthur", "Nobody", "Cherry"]
    assert "list_voices" in previews[1]["error"]
    assert (await caller.sound(previews[2]))[0] > 1
    cast = [voice["voice"] for voice in (await caller.call("list_voices"))["voices"]][:10]
    heard = await caller.call("preview_voices", voices=cast, audio=True)  # in one answer that every client takes
    assert [sound.mime_type for sound in heard["sounds"]] == ["audio/mpeg"] * 10
    nobody, code = await caller.refused("preview_voices", voices=["Nobody", "Noone"])
    assert (code, "'Nobody'" in nobody) == ("unknown_voice", True)
    book = await caller.call("speak", text=f"{TEXT} " * 4, audio=True)
    assert not book["sounds"]
    assert "mp3" in book["notes"][0]

    guide = await caller.call(
        "design_voice", voice_prompt="A dry, low-pitched museum guide.", voice_name="guide", text="This way."
    )
    assert (guide["fidelity"], guide["voice"]) == ("approximate", "guide")
    assert (await caller.sound(guide))[0] > 0.5
    recording = "data:audio/wav;base64," + base64.b64encode(SAMPLE).decode()
    if not caller.hosted:
        (caller.home / "me.wav").write_bytes(SAMPLE)
        recording = "me.wav"
    me = await caller.call("clone_voice", voice_sample=recording, voice_name="me", consent="Me, today: these tests")
    assert "audio_url" not in me
    for name in ("guide", "me"):
        line = await caller.call("speak", text="And here is the second hall.", voice=name)
        assert (await caller.sound(line))[0] > 1
        assert line["voice"] == name
        assert (await caller.call("quote", text="And here.", voice=name))["voice"] == name
    await caller.call("clone_voice", voice_sample=recording, voice_name="me", consent="And for the sequel, by mail")
    own = (await caller.call("list_voices", own=True))["voices"]
    assert {(voice["voice"], voice["kind"]) for voice in own} == {("guide", "design"), ("me", "clone")}


@pytest.mark.parametrize("way", WAYS)
async def test_progress_grows_to_the_end(way: str, tmp_path: Path) -> None:
    """Whoever waits for a long text is told how much of it is spoken; the last word is all of it."""
    text = f"{TEXT} " * 20
    async with agent(way, tmp_path / "work") as caller:
        await caller.call("speak", text=text)
    assert len(caller.seen) >= 2
    assert all(one < next_ for (one, _), (next_, _) in itertools.pairwise(caller.seen))
    assert caller.seen[-1] == (len(text), len(text))


@pytest.mark.parametrize("way", WAYS)
async def test_a_call_that_is_given_up_stops(way: str, tmp_path: Path) -> None:
    """After a cancelled call the next one is answered at once, and nothing half-spoken lies in the folder."""
    text = " ".join(f"Line number {i} of a very long book." for i in range(2000))  # a minute of work
    async with agent(way, tmp_path / "work") as caller:
        call = asyncio.create_task(caller.call("speak", text=text))
        async with asyncio.timeout(20):
            while not caller.seen:  # noqa: ASYNC110 - until its first sound is there
                await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        async with asyncio.timeout(15):
            await caller.call("speak", text="Next, please.")
        whole = [path for path in caller.home.glob("voices/**/*.wav") if not path.name.startswith(".")]
    assert len(whole) == (0 if caller.hosted else 1)
