"""Voices of clients' own over raw HTTP: made, listed, found, deleted, spoken with; whose they are; what is refused."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import ThreadedResolver, web

from lineread.config import Secret
from lineread.engines.builtin.enrolment import STAND_IN_PREVIEW
from lineread.engines.dashscope import DashScope
from lineread.enrolment import Clone, Design
from lineread.errors import NoAudio, QuotaExceeded, ServiceFailed
from lineread.server.enrolling import Enrolling
from lineread.server.fetching import Fetcher
from lineread.server.sight.visit import Visit
from lineread.voices.record import Id, OwnVoice
from lineread.wire.customization import LONGEST_SAMPLE
from loopback.customization import VoiceCloud
from loopback.dashscope import KEY
from server.gateway import SPEECH, Gateway, gateway, until
from server.live import live, post
from server.talking import talking
from server.test_fetching import hosting
from server.voicemaking import (
    CLONE_MODEL,
    DESIGN_MODEL,
    PATH,
    PREVIEW,
    SAMPLE,
    Making,
    about,
    as_mp3,
    ask,
    clone,
    design,
    key_file,
    listed,
    made,
    padded,
)

#: For each model the one that speaks the same voices in sessions.
LIVE = {
    "qwen3-tts-flash": "qwen3-tts-flash-realtime",
    CLONE_MODEL: "qwen3-tts-vc-realtime-2026-01-15",
    DESIGN_MODEL: "qwen3-tts-vd-realtime-2026-01-15",
}
NOBODYS = "qwen-tts-vc-nobody-voice-20261118093012345-0000"


async def spoken(server: Gateway, voice: str, key: str | None = None, *, model: str = CLONE_MODEL) -> tuple[int, str]:
    """The status and the error's code of DashScope's call with that voice."""
    response = await server.dashscope(key=key, model=model, input={"text": "Hello.", "voice": voice})
    return response.status, (await response.json()).get("code", "")


async def test_a_clone_from_beginning_to_end(tmp_path: Path) -> None:
    """A recording becomes a voice with an id of the real form; it is in the list, speaks, and can be deleted."""
    engine = Making()
    async with gateway(tmp_path, engine) as server:
        status, answer = await ask(server, clone(text="Hello.", language="en"))
        assert status == 200
        voice = answer["output"]["voice"]
        assert answer["output"] == {"voice": voice, "target_model": CLONE_MODEL}
        assert answer["usage"] == {"count": 1}
        assert engine.memory.orders == [Clone("narrator", SAMPLE, "audio/wav", CLONE_MODEL, "Hello.", "English")]
        assert await listed(server, "clone") == [voice]
        assert await listed(server, "design") == []
        assert await spoken(server, voice) == (200, "")
        assert engine.heard == [voice]
        assert (await ask(server, about("delete", "clone", voice=voice)))[1]["output"] == {"voice": voice}
        assert (await ask(server, about("delete", "clone", voice=voice)))[1]["code"] == "VoiceNotFound"
        assert await listed(server, "clone") == []


async def test_a_design_from_beginning_to_end(tmp_path: Path) -> None:
    """A description becomes a voice with a preview; query tells what it was made of."""
    engine = Making()
    path, keys = key_file(tmp_path)
    async with gateway(tmp_path, engine, key_file=str(path)) as server:
        body = design(language="en") | {"parameters": {"sample_rate": 16_000, "response_format": "mp3"}}
        status, answer = await ask(server, body, keys["alice"])
        assert (status, answer["usage"]) == (200, {"count": 1})
        preview = answer["output"]["preview_audio"]
        assert base64.b64decode(preview.pop("data")) == PREVIEW
        assert preview == {"sample_rate": 16_000, "response_format": "mp3"}
        assert engine.memory.orders == [Design("guide", "Dry.", "This way.", DESIGN_MODEL, "English", 16_000, "mp3")]
        voice = answer["output"]["voice"]
        found = (await ask(server, about("query", voice=voice), keys["alice"]))[1]["output"]
        assert (found["voice"], found["language"], found["target_model"]) == (voice, "en", DESIGN_MODEL)
        (item,) = (await ask(server, about("list"), keys["alice"]))[1]["output"]["voice_list"]
        assert (item["voice_prompt"], item["preview_text"], item["language"]) == ("Dry.", "This way.", "en")
        assert len(item["gmt_create"]) == len("2026-11-18 09:30:12")
        assert (await ask(server, about("delete", voice=voice), keys["alice"]))[0] == 200
        status, answer = await ask(server, about("query", voice=voice), keys["alice"])
        assert (status, answer["code"], answer["message"]) == (400, "VoiceNotFound", f"Voice not found: {voice}")


async def test_in_front_of_the_cloud(tmp_path: Path) -> None:
    """A gateway with one key upstream keeps its clients' voices apart, and relays what the service refuses."""
    path, keys = key_file(tmp_path)
    async with VoiceCloud(most=2) as cloud:
        engine = DashScope(Secret(KEY), base_url=cloud.base_url)
        async with gateway(tmp_path, engine, key_file=str(path)) as server:
            hers = await made(server, design(language="en"), keys["alice"])
            his = await made(server, clone(), keys["bob"])
            assert list(cloud.voices) == [hers, his]
            assert await listed(server, "design", keys["alice"]) == [hers]
            assert await listed(server, "clone", keys["alice"]) == []
            found = (await ask(server, about("query", voice=hers), keys["alice"]))[1]["output"]
            assert (found["voice_prompt"], found["preview_text"]) == ("Dry.", "This way.")
            assert (await spoken(server, hers, keys["alice"], model=DESIGN_MODEL))[0] == 200
            assert (await spoken(server, his, keys["alice"]))[0] == 400
            status, answer = await ask(server, design("third"), keys["alice"])
            assert (status, answer["code"]) == (400, "Throttling.AllocationQuota")
            assert (await ask(server, about("delete", "clone", voice=his), keys["bob"]))[0] == 200
            assert list(cloud.voices) == [hers]
            cloud.voices.clear()
            assert (await ask(server, about("query", voice=hers), keys["alice"]))[1]["code"] == "VoiceNotFound"
            assert await listed(server, "design", keys["alice"]) == []


async def test_on_the_machine(tmp_path: Path) -> None:
    """The machine's own voices are made, heard in a preview, spoken with and kept apart as the cloud's are."""
    path, keys = key_file(tmp_path)
    async with gateway(tmp_path, "builtin", key_file=str(path)) as server:
        status, answer = await ask(server, design(preview_text="This way, please.", language="en"), keys["alice"])
        assert status == 200, answer
        with wave.open(io.BytesIO(base64.b64decode(answer["output"]["preview_audio"]["data"]))) as preview:
            assert preview.getframerate() == 24_000
            assert preview.getnframes() > 12_000
        voice = answer["output"]["voice"]
        assert (await spoken(server, voice, keys["alice"], model=DESIGN_MODEL))[0] == 200
        assert (await spoken(server, voice, keys["bob"], model=DESIGN_MODEL)) == (400, "InvalidParameter")
        assert (await ask(server, clone(), keys["bob"]))[0] == 200
        assert (await ask(server, clone(audio=b"no sound"), keys["bob"]))[1]["code"] == "Audio.DecoderError"
        assert (await ask(server, about("delete", voice=voice), keys["alice"]))[0] == 200
        assert (await spoken(server, voice, keys["alice"], model=DESIGN_MODEL)) == (400, "InvalidParameter")


async def test_two_keys_do_not_see_each_other(tmp_path: Path) -> None:
    """List, query and delete are about one's own; another key's voice is answered as one that never was."""
    engine = Making()
    path, keys = key_file(tmp_path)
    async with gateway(tmp_path, engine, key_file=str(path)) as server:
        hers = await made(server, design(), keys["alice"])
        his = await made(server, design(), keys["bob"])
        assert await listed(server, "design", keys["alice"]) == [hers]
        assert await listed(server, "design", keys["bob"]) == [his]
        engine.memory.asked.clear()
        never = hers.replace("guide", "never")
        for action in ("query", "delete"):
            status, answer = await ask(server, about(action, voice=hers), keys["bob"])
            assert (status, answer["code"]) == (400, "VoiceNotFound")
            unknown = (await ask(server, about(action, voice=never), keys["bob"]))[1]
            assert unknown["message"] == answer["message"].replace(hers, never)
        assert engine.memory.asked == []  # nobody could tell them apart by the time that it took
        assert await listed(server, "design", keys["alice"]) == [hers]
        assert (await ask(server, about("delete", "clone", voice=hers), keys["alice"]))[0] == 400
        assert hers in engine.memory.voices


async def test_a_voice_of_another_key_does_not_speak(tmp_path: Path) -> None:
    """By DashScope's call, its events, OpenAI's and realtime it is refused as one that never was; one's own speaks."""
    engine = Making()
    path, keys = key_file(tmp_path)
    async with gateway(tmp_path, engine, key_file=str(path)) as server:
        hers = await made(server, clone(), keys["alice"])
        live_one = await made(server, clone("live", target_model="qwen3-tts-vc-realtime-2026-01-15"), keys["alice"])
        never = "qwen-tts-vc-never000-voice-20261118093012345-9ed2"
        said = {}
        for voice, key in ((hers, "bob"), (never, "bob"), (hers, "alice")):
            body = {"model": CLONE_MODEL, "input": {"text": "Hello.", "voice": voice}}
            whole = await server.dashscope(key=keys[key], **body)
            events = await server.post(_generation(), body, keys[key], **{"X-DashScope-SSE": "enable"})
            openai = await server.openai(key=keys[key], voice=voice)
            said[voice, key] = [_without(await each.text(errors="replace"), voice) for each in (whole, events, openai)]
            wanted = 200 if key == "alice" else 400
            assert [each.status for each in (whole, events, openai)] == [wanted] * 3
        assert said[hers, "bob"] == said[never, "bob"]
        assert "InvalidParameter" in said[hers, "bob"][0]
        assert set(engine.heard) == {hers}
        refused = []
        for voice, key in ((live_one, "bob"), (never, "bob"), (live_one, "alice")):
            query = "?model=qwen3-tts-vc-realtime-2026-01-15"
            async with talking(server, keys[key], query) as talk:
                await talk.update(voice=voice, mode="commit")
                await talk.until(lambda event: event["type"] in ("error", "session.updated"))
                refused.append([(each["code"], each["message"].replace(voice, "")) for each in talk.errors])
        assert refused[0] == refused[1] != []
        assert refused[2] == []


async def test_every_name_that_is_no_system_voice_needs_an_owner(tmp_path: Path) -> None:
    """Whatever a custom model or a name of the server's own voice book might mean, a key has what it had made."""
    engine = Making()
    path, keys = key_file(tmp_path)
    async with gateway(tmp_path, engine, key_file=str(path)) as server:
        hers = await made(server, clone(), keys["alice"])
        for voice in ("narrator", "some-opaque-id", hers.upper(), hers + "x", f" {hers}"):
            assert (await spoken(server, voice, keys["alice"]))[0] == 400
            assert (await server.openai(key=keys["alice"], voice=voice)).status == 400
        assert (await server.dashscope(key=keys["alice"])).status == 200
        assert (await server.openai(key=keys["alice"], voice="alloy")).status == 200
        assert engine.heard == ["Cherry"] * 1 + engine.heard[1:]
        assert not any(voice.startswith("qwen-tts") for voice in engine.heard)


async def test_without_keys_every_voice_may_be_used(tmp_path: Path) -> None:
    """Everybody on this machine is one: all that the engine has is listed, and any id is asked of it."""
    engine = Making()
    async with gateway(tmp_path, engine) as server:
        elsewhere = await engine.memory.clone(Clone("cli", SAMPLE, "audio/wav", CLONE_MODEL))
        voice = await made(server, clone())
        assert await listed(server, "clone") == [voice, elsewhere.voice]
        assert (await spoken(server, elsewhere.voice))[0] == (await spoken(server, NOBODYS))[0] == 200
        assert (await ask(server, about("delete", "clone", voice=elsewhere.voice)))[0] == 200
    assert server.desk.owners.page("", "clone", index=0, size=9).total == 0


async def test_a_custom_voice_and_its_own_model_go_together(tmp_path: Path) -> None:
    """Both HTTP dialects and realtime refuse another model in the same words; OpenAI's names leave it to the voice."""
    async with gateway(tmp_path, engine := Making()) as server:
        voice = await made(server, clone())
        pairs = (("qwen3-tts-flash", voice), (DESIGN_MODEL, voice), (CLONE_MODEL, "Cherry"))
        for model, name in pairs:
            words = f"{model} does not speak {name!r}. A custom voice and its own model go together."
            body = {"model": model, "input": {"text": "Hello.", "voice": name}}
            for response in (await server.dashscope(**body), await server.openai(model=model, voice=name)):
                assert response.status == 400
                assert words in await response.text()
            live_model = LIVE[model]
            async with talking(server, query=f"?model={live_model}") as talk:
                await talk.update(voice=name, mode="commit")
                await talk.until(lambda event: event["type"] in ("error", "session.updated"))
                assert words.replace(model, live_model) in talk.errors[0]["message"]
        assert engine.heard == []
        assert (await server.openai(voice=voice)).status == 200
        assert engine.heard == [voice]


async def test_names_of_the_voice_book(tmp_path: Path) -> None:
    """Without keys a name of the book is listed, and speaks with its own model where OpenAI's was named; of another it
    is said which it should be. With keys nobody hears of it.
    """
    path, keys = key_file(tmp_path)
    async with gateway(tmp_path, engine := Making()) as server:
        book = server.desk.client.casting.book
        made_by = Id("qwen-tts-vd-guide-1", "fake", "memory", "", DESIGN_MODEL)
        book.keep(OwnVoice("narrator", "design", "2026-11-23T06:00:00+00:00", prompt="Dry.", ids=(made_by,)))
        elsewhere = await made(server, clone())
        assert await custom(server) == {"narrator": made_by.voice, elsewhere: elsewhere}
        assert (await server.openai(voice="narrator")).status == 200
        assert (await server.dashscope(model=DESIGN_MODEL, input={"text": "Hi.", "voice": "narrator"})).status == 200
        assert set(engine.heard) == {made_by.voice}
        body = {"model": "qwen3-tts-flash", "input": {"text": "Hi.", "voice": "narrator"}}
        said = await (await server.dashscope(**body)).text()
        assert "narrator cannot speak with qwen3-tts-flash: it was made by design." in said
        assert f"Use its own model, {DESIGN_MODEL}." in said
    async with gateway(tmp_path, Making(), key_file=str(path)) as server:
        assert await custom(server, keys["alice"]) == {}
        said = await (await server.dashscope(key=keys["alice"], **body)).text()
        assert "There is no voice 'narrator'" in said


async def test_the_list_of_voices_has_the_keys_own(tmp_path: Path) -> None:
    """A key finds its own voices and those that it was allowed among the others, never another key's."""
    shared = NOBODYS.replace("nobody", "shared")
    path, keys = key_file(tmp_path, carol=f'voices = ["Cherry", "{NOBODYS}"]')
    async with gateway(tmp_path, Making(), key_file=str(path), shared_voices=frozenset({shared})) as server:
        hers = await made(server, design(), keys["alice"])
        assert await custom(server, keys["alice"]) == {hers: hers, shared: shared}
        assert await custom(server, keys["bob"]) == {shared: shared}
        assert await custom(server, keys["carol"]) == {NOBODYS: NOBODYS}
        assert await custom(server, keys["alice"], f"?model={DESIGN_MODEL}") == {hers: hers}


async def custom(server: Gateway, key: str | None = None, query: str = "") -> dict[str, str]:
    """The custom voices of OpenAI's list: who speaks, by the names to call them."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with server.http.get(f"{server.url}/v1/audio/voices{query}", headers=headers) as response:
        voices = (await response.json())["voices"]
    return {voice["id"]: voice["voice"] for voice in voices if voice["custom"]}


async def test_a_preview_that_cannot_be_said(tmp_path: Path) -> None:
    """The reply says what the machine's preview says instead; a strict server makes no such voice."""
    body = design(preview_text="大家好，请跟我来。")
    async with gateway(tmp_path, "builtin") as server:
        status, answer = await ask(server, body)
        assert (status, answer["output"]["preview_text"]) == (200, STAND_IN_PREVIEW)
        other = (await ask(server, design("other", preview_text="Café, please.")))[1]["output"]
        assert "preview_text" not in other
        found = (await ask(server, about("query", voice=other["voice"])))[1]["output"]
        assert found["preview_text"] == "Café, please."
        before = await listed(server, "design")
    async with gateway(tmp_path, "builtin", strict=True) as server:
        status, answer = await ask(server, body)
        assert status == 400
        assert "No voice here speaks the preview's text." in answer["message"]
        assert await listed(server, "design") == before
        assert (await ask(server, design(preview_text="This way.")))[0] == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"input": {"action": "list"}}, "Choose one of qwen-voice-enrollment, qwen-voice-design."),
        ([1], "The body is not a JSON object. Send an object: { at its beginning, } at its end."),
        (about("delete"), "Send the voice's id."),
    ],
)
async def test_remedies_are_of_this_call(tmp_path: Path, body: object, words: str) -> None:
    """What is missing is asked for in a sentence, and nothing is asked for that this call does not take."""
    async with gateway(tmp_path, Making()) as server:
        assert (await ask(server, body))[1]["message"].endswith(words)


async def test_voices_that_the_servers_owner_allows(tmp_path: Path) -> None:
    """A shared voice speaks for every key, one that a key's line names for that key; neither is listed or deleted."""
    engine = Making()
    path, keys = key_file(tmp_path, carol=f'voices = ["Cherry", "{NOBODYS}"]')
    shared = NOBODYS.replace("nobody", "shared")
    async with gateway(tmp_path, engine, key_file=str(path), shared_voices=frozenset({shared})) as server:
        assert (await spoken(server, shared, keys["alice"]))[0] == (await spoken(server, shared, keys["bob"]))[0] == 200
        assert await spoken(server, NOBODYS, keys["alice"]) == (400, "InvalidParameter")
        assert (await spoken(server, NOBODYS, keys["carol"]))[0] == 200
        assert await listed(server, "clone", keys["carol"]) == []
        assert (await ask(server, about("delete", "clone", voice=shared), keys["bob"]))[1]["code"] == "VoiceNotFound"
        status, answer = await ask(server, clone(), keys["carol"])
        assert (status, answer["code"]) == (403, "AccessDenied")
    assert not engine.memory.orders


async def test_a_key_is_held_to_its_models(tmp_path: Path) -> None:
    """A key that may use certain models has voices made for those only."""
    path, keys = key_file(tmp_path, alice=f'models = ["{CLONE_MODEL}"]')
    async with gateway(tmp_path, Making(), key_file=str(path)) as server:
        assert (await ask(server, clone(), keys["alice"]))[0] == 200
        assert (await ask(server, design(), keys["alice"]))[0] == 403


async def test_voices_outlast_server_and_key(tmp_path: Path) -> None:
    """A key that is replaced under its name has its voices in the next server as well."""
    engine = Making()
    path, keys = key_file(tmp_path)
    async with gateway(tmp_path, engine, key_file=str(path)) as server:
        voice = await made(server, design(), keys["alice"])
    path, rotated = key_file(tmp_path)
    assert rotated["alice"] != keys["alice"]
    async with gateway(tmp_path, engine, key_file=str(path)) as server:
        assert (await ask(server, about("list"), keys["alice"]))[0] == 401
        assert await listed(server, "design", rotated["alice"]) == [voice]
        assert await listed(server, "design", rotated["bob"]) == []


async def test_voices_of_another_service_are_not_shown(tmp_path: Path) -> None:
    """Behind another service the voices of this one are neither shown nor forgotten."""
    engine, other = Making(), Making()
    other.memory.place = "elsewhere"
    path, keys = key_file(tmp_path)
    async with gateway(tmp_path, engine, key_file=str(path)) as server:
        voice = await made(server, design(), keys["alice"])
    async with gateway(tmp_path, other, key_file=str(path)) as server:
        assert await listed(server, "design", keys["alice"]) == []
        assert (await ask(server, about("query", voice=voice), keys["alice"]))[0] == 400
    async with gateway(tmp_path, engine, key_file=str(path)) as server:
        assert await listed(server, "design", keys["alice"]) == [voice]


async def test_a_voice_that_is_gone_at_the_service(tmp_path: Path) -> None:
    """What the service deleted (after a year unused, say) is forgotten here when that comes out."""
    engine = Making()
    path, keys = key_file(tmp_path)
    async with gateway(tmp_path, engine, key_file=str(path)) as server:
        voice = await made(server, design(), keys["alice"])
        engine.memory.voices.clear()
        assert (await ask(server, about("query", voice=voice), keys["alice"]))[1]["code"] == "VoiceNotFound"
        assert await listed(server, "design", keys["alice"]) == []


async def test_a_key_has_so_many_voices(tmp_path: Path) -> None:
    """One more than a key may have is refused in the service's words before anything is made; others have their own."""
    engine = Making()
    path, keys = key_file(tmp_path)
    async with gateway(tmp_path, engine, key_file=str(path), max_voices=2) as server:
        engine.memory.gate.clear()
        asking = [asyncio.create_task(ask(server, clone(f"n{at}"), keys["alice"])) for at in range(4)]
        await until(lambda: sum(each.done() for each in asking) == 2)
        engine.memory.gate.set()
        answers = [await each for each in asking]
        assert sorted(status for status, _ in answers) == [200, 200, 400, 400]
        refused = next(answer for status, answer in answers if status == 400)
        assert refused["code"] == "Throttling.AllocationQuota"
        assert refused["message"].startswith("Maximum voice storage limit exceeded, please delete existing voices.")
        assert len(engine.memory.orders) == 2
        assert (await ask(server, clone(), keys["bob"]))[0] == 200
        await ask(
            server, about("delete", "clone", voice=(await listed(server, "clone", keys["alice"]))[0]), keys["alice"]
        )
        assert (await ask(server, clone(), keys["alice"]))[0] == 200


async def test_calls_count_for_the_minute_and_previews_for_the_day(tmp_path: Path) -> None:
    """A key's limits hold: requests a minute for every action, characters a day for what previews say."""
    engine = Making()
    path, keys = key_file(tmp_path, alice="requests_per_minute = 3", bob="characters_per_day = 20")
    async with gateway(tmp_path, engine, key_file=str(path)) as server:
        assert [(await ask(server, each, keys["alice"]))[0] for each in (clone(), about("list"), design())] == [200] * 3
        response = await server.post(PATH, about("list"), keys["alice"])
        assert (response.status, (await response.json())["code"]) == (429, "Throttling.RateQuota")
        assert int(response.headers["Retry-After"]) >= 1
        assert (await ask(server, design(preview_text="Fifteen letters"), keys["bob"]))[0] == 200
        status, answer = await ask(server, design(preview_text="Fifteen letters"), keys["bob"])
        assert (status, answer["code"]) == (429, "Throttling.AllocationQuota")
        assert len(engine.memory.orders) == 3


async def test_a_failure_costs_nothing(tmp_path: Path) -> None:
    """What the service refuses is told in its words; neither room nor characters are gone with it."""
    engine = Making()
    path, keys = key_file(tmp_path, alice="characters_per_day = 20")
    broken = [
        ServiceFailed("It broke."),
        QuotaExceeded("Full.", service_code="AllocationQuota.FreeTierOnly"),
        NoAudio(""),
    ]
    make = engine.memory._make

    async def fail(order: Any, kind: Any) -> Any:
        raise broken.pop(0)

    async with gateway(tmp_path, engine, key_file=str(path), max_voices=1) as server:
        engine.memory._make = fail  # type: ignore[method-assign]
        codes = [
            (await ask(server, design(preview_text="Fifteen letters"), keys["alice"]))[1]["code"] for _ in range(3)
        ]
        assert codes == ["InternalError", "AllocationQuota.FreeTierOnly", "InternalError.Algo"]
        engine.memory._make = make  # type: ignore[method-assign]
        assert (await ask(server, design(preview_text="Fifteen letters"), keys["alice"]))[0] == 200


def block(directory: str) -> None:
    """Have no voice of alice's written down there."""
    os.makedirs(directory)
    Path(directory, "key-alice").write_text("in the way")


async def test_a_voice_that_cannot_be_written_down_is_not_left_behind(tmp_path: Path) -> None:
    """Where the record of owners fails, the voice that was just made is deleted again, and the client is told."""
    engine = Making()
    path, keys = key_file(tmp_path)
    async with gateway(tmp_path, engine, key_file=str(path)) as server:
        block(server.desk.owners._directory)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(server.desk.owners), "_count", lambda *_: 0)
            status, answer = await ask(server, clone(), keys["alice"])
        assert (status, answer["code"]) == (500, "InternalError")
    assert engine.memory.orders
    assert not engine.memory.voices


async def test_who_leaves_finds_the_voice_in_the_list(tmp_path: Path) -> None:
    """A voice is made to its end when its client leaves, and when the server stops meanwhile."""
    engine = Making()
    path, keys = key_file(tmp_path)
    for name in ("one", "two"):
        engine.memory.gate.clear()
        engine.memory.begun.clear()
        async with live(tmp_path, engine, key_file=str(path)) as server:
            line = await server.connect()
            await line.send(post(PATH, clone(name), f"Authorization: Bearer {keys['alice']}"))
            await engine.memory.begun.wait()
            line.cut()
            assert (await server.access())[0]["code"] == "client_left"
            if name == "one":
                engine.memory.gate.set()
                await until(lambda: len(engine.memory.voices) == 1)
            else:
                asyncio.get_running_loop().call_later(0.05, engine.memory.gate.set)
        assert not [each for each in server.log.lines if each["event"] == "bug"]
    async with gateway(tmp_path, engine, key_file=str(path)) as again:
        assert sorted(await listed(again, "clone", keys["alice"])) == sorted(engine.memory.voices)
    assert len(engine.memory.voices) == 2


async def test_a_recording_of_ten_megabytes(tmp_path: Path) -> None:
    """A recording that the protocol allows comes through; larger bodies are cut off, by their head or on the way."""
    engine = Making()
    most = LONGEST_SAMPLE // 4 * 3
    async with live(tmp_path, engine) as server:
        assert (await server.ask(post(PATH, clone(audio=padded(most))))).status == 200
        assert isinstance(order := engine.memory.orders[0], Clone)
        assert order.audio.startswith(b"RIFF")
        answer = await server.ask(post(PATH, clone(audio=bytes(most + 3))))
        assert (answer.status, answer.code) == (400, "Audio.FileSizeExceed")
        for path, size in ((PATH, 12 << 20), (_generation(), 2 << 20), (SPEECH, 2 << 20)):
            body = post(path, clone(audio=bytes(size)))
            for data in (body, chunked(body)):
                line = await server.connect()
                line.writer.write(data)
                assert (await line.answer()).status == 413
                line.cut()
        small = chunked(post(PATH, clone(audio=padded(2 << 20))))
        assert (await server.ask(small)).status == 200
    assert len(engine.memory.orders) == 2


async def test_so_many_recordings_are_held_at_once(tmp_path: Path) -> None:
    """Bodies that may be large have few seats, taken before they are read; small ones do not need any."""
    slow = post(PATH, clone(audio=padded(2 << 20)))
    async with live(tmp_path, Making(), max_making=1, body_timeout=5.0) as server:
        first = await server.connect()
        await first.send(slow[: 1 << 20])
        await until(lambda: server.tracker.running == 1)
        second = await server.connect()
        await second.send(slow[:300])
        answer = await second.answer()
        assert (answer.status, answer.code) == (429, "Throttling")
        assert answer.headers["retry-after"] == "1"
        assert (await server.ask(post(PATH, about("list")))).status == 200
        await first.send(slow[1 << 20 :])
        assert (await first.answer()).status == 200
        assert (await server.ask(slow)).status == 200


async def test_so_many_voices_are_made_at_once(tmp_path: Path) -> None:
    """More than may be made at a time are turned away at once; lists go on."""
    engine = Making()
    engine.memory.gate.clear()
    async with gateway(tmp_path, engine, max_making=2) as server:
        first = [asyncio.create_task(ask(server, design(f"n{at}"))) for at in range(2)]
        await until(lambda: len(engine.memory.orders) == 2)
        assert (await ask(server, design()))[1]["code"] == "Throttling"
        assert await listed(server, "design") == []
        engine.memory.gate.set()
        assert [(await each)[0] for each in first] == [200, 200]


async def test_a_recording_that_trickles(tmp_path: Path) -> None:
    """A large body has its time as any other."""
    async with live(tmp_path, Making(), body_timeout=0.2) as server:
        line = await server.connect()
        await line.send(post(PATH, clone(audio=bytes(2 << 20)))[:5000])
        assert (await line.answer()).status == 408


async def test_a_url_is_fetched_only_where_that_was_allowed(tmp_path: Path) -> None:
    """Off, nobody is asked; on, nothing that is not public is. Both are refused with the service's code."""
    engine = Making()
    asked = []

    async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(100))
        writer.close()

    host = await asyncio.start_server(elsewhere, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{host.sockets[0].getsockname()[1]}/me.wav"
    try:
        for allowed, words in ((False, "fetches no audio"), (True, "nothing public")):
            async with gateway(tmp_path, engine, fetch_audio=allowed) as server:
                status, answer = await ask(server, clone() | {"input": _by_url(url)})
                assert (status, answer["code"]) == (400, "BadRequest.InputDownloadFailed")
                assert words in answer["message"]
    finally:
        host.close()
    assert not asked
    assert not engine.memory.orders


@pytest.mark.parametrize(
    ("said", "data", "kind"),
    [
        ("audio/wav", SAMPLE, "audio/wav"),
        ("application/octet-stream", SAMPLE, "audio/wav"),
        ("text/html", as_mp3(), "audio/mpeg"),
    ],
)
async def test_a_recording_that_is_fetched(tmp_path: Path, said: str, data: bytes, kind: str) -> None:
    """What a URL leads to becomes the order's recording, as what it is said to be, or else looks like."""
    engine = Making()
    async with (
        gateway(tmp_path, engine, fetch_audio=True) as server,
        hosting(lambda _: web.Response(body=data, content_type=said)) as host,
    ):
        enrolling = Enrolling(server.desk, Fetcher(most=1 << 20, seconds=5.0, allows=lambda _: True))
        order = Clone("a", b"", "", CLONE_MODEL)
        await enrolling.make(Visit(), order, url=host.url + "/me")
    assert engine.memory.orders == [replace(order, audio=data, media_type=kind)]


async def test_what_fetches_is_let_go_of(tmp_path: Path) -> None:
    """Where the server ends, so does what fetches recordings, and what finds its hosts."""

    class Names(ThreadedResolver):
        closed = False

        async def close(self) -> None:
            self.closed = True

    names = Names()
    async with gateway(tmp_path, Making()) as server:
        await Enrolling(server.desk, Fetcher(most=1, seconds=1.0, resolver=names)).aclose()
    assert names.closed


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (about("update"), "InvalidParameter"),
        (about("query", "clone", voice="x"), "InvalidParameter"),
        (about("create_voice"), "InvalidParameter"),
        (about("list", page_index=-1), "InvalidParameter"),
        (about("query"), "InvalidParameter"),
        ({"model": "qwen-voice-design"}, "BadRequest.EmptyInput"),
        ({"input": {"action": "list"}}, "BadRequest.EmptyModel"),
        ({"model": "voice-enrollment", "input": {"action": "create_voice", "prefix": "a"}}, "InvalidParameter"),
        ({"model": ["qwen-voice-design"], "input": {}}, "InvalidParameter"),
        (design(target_model="qwen3-tts-flash"), "InvalidParameter"),
        (design(target_model=CLONE_MODEL), "InvalidParameter"),
        (design(target_model="no-such-model"), "InvalidParameter"),
        (design("no/name"), "InvalidParameter"),
        (design(voice_prompt="x" * 2049), "InvalidParameter"),
        (clone(audio=b"", preferred_name=""), "InvalidParameter"),
        ([1, 2], "InvalidParameter"),
        (7, "InvalidParameter"),
    ],
)
async def test_what_is_no_order(tmp_path: Path, body: object, code: str) -> None:
    """What asks for nothing that can be is refused in the service's words, and nothing is made."""
    engine = Making()
    async with gateway(tmp_path, engine) as server:
        status, answer = await ask(server, body)
        assert (status, answer["code"]) == (400, code)
    assert not engine.memory.orders


async def test_bodies_that_mean_harm(tmp_path: Path) -> None:
    """Large bodies of a million parts, deep ones, broken ones and half a character are answered at once."""
    bodies = [
        b'{"a":[' + b"1," * 2_000_000 + b"1]}",
        b"[" * 2_000_000,
        b'{"a":{' * 400_000,
        b'{"model": "\\ud800"}',
        b"\xff" * 2_000_000,
        b'{"input": {"audio": {"data": "' + b"A" * 3_000_000,
        json.dumps(clone()).encode().replace(b"base64,", b"base64,****"),
    ]
    async with live(tmp_path, Making()) as server:
        for body in bodies:
            answer = await server.ask(post(PATH, body))
            assert answer.status == 400, body[:40]
            assert answer.json["request_id"] == answer.headers["x-request-id"]
            assert ("too many parts" in answer.json["message"]) is (body in bodies[:3])
        assert not [line for line in server.log.lines if line["event"] == "bug"]


async def test_wrong_methods(tmp_path: Path) -> None:
    """Anything but POST is told so, in the dialect's words."""
    async with gateway(tmp_path, Making()) as server, aiohttp.ClientSession() as http:
        for method in ("GET", "PUT", "DELETE", "PATCH"):
            async with http.request(method, server.url + PATH) as response:
                answer = await response.json()
                assert (response.status, response.headers["Allow"], answer["code"]) == (400, "POST", "InvalidParameter")
                assert "qwen-voice-design" in answer["message"]


async def test_an_engine_that_makes_none(tmp_path: Path) -> None:
    """Where the engine makes no voices every action says so, with and without keys."""
    path, keys = key_file(tmp_path)
    for file, key in ((None, None), (str(path), keys["alice"])):
        async with gateway(tmp_path, "fake", key_file=file) as server:
            status, answer = await ask(server, clone(), key)
            assert (status, answer["code"]) == (400, "InvalidParameter")
            assert "makes no voices" in answer["message"]


async def test_nothing_of_it_is_in_the_log(tmp_path: Path) -> None:
    """A call has its line and its count as any other: route, model and key, but no recording, description or id."""
    path, keys = key_file(tmp_path)
    engine = Making()
    async with live(tmp_path, engine, key_file=str(path)) as server:
        show = f"Authorization: Bearer {keys['alice']}"
        answer = await server.ask(
            post(PATH, design("secretname", voice_prompt="A secret prompt.", preview_text="Psst."), show)
        )
        voice = answer.json["output"]["voice"]
        await server.ask(post(PATH, about("query", voice=voice), show))
        await server.ask(post(PATH, about("query", voice="secretvoice"), show))
        lines = await server.access(3)
        first = lines[0]
        assert (first["route"], first["model"], first["caller"]) == ("dashscope.customization", DESIGN_MODEL, "alice")
        assert (first["engine"], first["status"]) == ("fake", 200)
        assert lines[2]["code"] == "voice_not_found"
        log = server.log.data.lower()
        assert not [word for word in (b"secret", b"psst", voice.encode()) if word in log]
        counts = server.tracker.metrics.text().decode()
    assert 'lineread_requests_total{dialect="dashscope",route="dashscope.customization",status="200"} 2.0' in counts


async def test_a_key_is_needed(tmp_path: Path) -> None:
    """Without a key of the server's nothing is read, let alone made."""
    path, _ = key_file(tmp_path)
    engine = Making()
    async with gateway(tmp_path, engine, key_file=str(path)) as server:
        for key in (None, "sk-wrong"):
            response = await server.post(PATH, clone(), key)
            assert (response.status, (await response.json())["code"]) == (401, "InvalidApiKey")
    assert not engine.memory.orders


def _generation() -> str:
    return "/api/v1/services/aigc/multimodal-generation/generation"


def chunked(call: bytes) -> bytes:
    """A call whose head does not tell how large its body is."""
    head, _, body = call.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
    head = b"\r\n".join([*lines, b"Transfer-Encoding: chunked"])
    return b"%b\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (head, len(body), body)


def _by_url(url: str) -> dict[str, Any]:
    return {"action": "create", "target_model": CLONE_MODEL, "preferred_name": "a", "audio": {"data": url}}


def _without(text: str, voice: str) -> str:
    """An answer without what differs anyway."""
    text = text.replace(voice, "VOICE")
    if not text.startswith("{"):
        return text
    answer = json.loads(text)
    answer.pop("request_id", None)
    return json.dumps(answer)
