"""A key's limits as clients meet them, in both dialects, with their own SDKs where those have a mind of their own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import dashscope
import openai
import pytest

from lineread.engines.fake import Act, Fake
from lineread.errors import ServiceFailed
from lineread.server.access import keys
from server.gateway import Gateway, gateway

KEY = "lineread_0123456789-0123456789"


def file(tmp_path: Path, *lines: str) -> str:
    """A key file with one key and those limits."""
    path = tmp_path / "keys.toml"
    path.write_text("\n".join(["[alice]", f'hash = "{keys.hashed(KEY)}"', *lines, ""]))
    return str(path)


async def statuses(server: Gateway, *texts: str) -> list[int]:
    return [(await server.openai(text, KEY)).status for text in texts]


async def test_requests_a_minute(tmp_path: Path) -> None:
    """The request over the limit gets a 429 that says when to come again, in either dialect; one limit for both."""
    async with gateway(tmp_path, key_file=file(tmp_path, "requests_per_minute = 3")) as server:
        assert await statuses(server, "One.", "One.") == [200, 200]  # what the cache answers counts as well
        assert (await server.dashscope("One.", KEY)).status == 200
        for response in (await server.dashscope("One.", KEY), await server.openai("One.", KEY)):
            assert response.status == 429
            assert 0 < int(response.headers["Retry-After"]) <= 60
            assert "3 requests a minute" in await response.text()
        async with server.http.get(server.url + "/docs") as response:
            assert response.status == 200


async def test_the_sdks_tell_a_limit_as_they_tell_the_clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DashScope's SDK gives a 429 of the throttling family, OpenAI's raises its RateLimitError; each has our words."""
    async with gateway(tmp_path, key_file=file(tmp_path, "requests_per_minute = 1")) as server:
        assert await statuses(server, "One.") == [200]
        monkeypatch.setattr(dashscope, "base_http_api_url", server.url + "/api/v1")
        refused: Any = await asyncio.to_thread(
            dashscope.MultiModalConversation.call, model="qwen3-tts-flash", api_key=KEY, text="Hi.", voice="Cherry"
        )
        assert (refused.status_code, refused.code) == (429, "Throttling.RateQuota")
        assert "1 request a minute" in refused.message
        async with openai.AsyncOpenAI(base_url=server.url + "/v1", api_key=KEY, max_retries=0) as client:
            with pytest.raises(openai.RateLimitError, match="1 request a minute"):
                await client.audio.speech.create(model="tts-1", voice="Cherry", input="Hi.")
        async with openai.AsyncOpenAI(base_url=server.url + "/v1", api_key="sk-wrong", max_retries=0) as client:
            with pytest.raises(openai.AuthenticationError, match="no key of this server"):
                await client.audio.speech.create(model="tts-1", voice="Cherry", input="Hi.")


async def test_characters_a_day(tmp_path: Path) -> None:
    """Billed characters count when they have to be spoken: not for what fails, and not again for what is stored, which
    a key with nothing left still gets. A restart changes nothing.
    """
    limit = file(tmp_path, "characters_per_day = 20")
    engine = Fake([ServiceFailed("It broke.", retryable=False)])
    async with gateway(tmp_path, engine, key_file=limit) as server:
        assert (await statuses(server, "0123456789."))[0] >= 500
        assert server.desk.ledger.used("alice") == 0
        assert await statuses(server, "Ten chars.", "Ten chars.", "你好你好。") == [200, 200, 200]
        assert server.desk.ledger.used("alice") == 19
        refused = await server.dashscope("Two.", KEY)
        assert refused.status == 429
        assert "19 were today, and the text has 4" in (await refused.json())["message"]
        assert int(refused.headers["Retry-After"]) <= 86_400
    async with gateway(tmp_path, Fake(), key_file=limit) as server:
        assert await statuses(server, "Three.", "Ten chars.", "7") == [429, 200, 200]
        assert server.desk.ledger.used("alice") == 20


@pytest.mark.parametrize(
    ("limit", "fields", "words"),
    [
        ('voices = ["cherry"]', {"voice": "Ethan"}, "'Ethan'. It may use Cherry."),
        ('models = ["qwen3-tts-flash"]', {"model": "qwen3-tts-instruct-flash"}, "It may use qwen3-tts-flash."),
    ],
)
async def test_voices_and_models(limit: str, fields: dict[str, str], words: str, tmp_path: Path) -> None:
    """What a key may not use is a 403 that says what it may, in both dialects; nothing is spoken, nothing counted."""
    engine = Fake(otherwise=Act())
    limits = (limit, "characters_per_day = 100", "requests_per_minute = 2")
    async with gateway(tmp_path, engine, key_file=file(tmp_path, *limits)) as server:
        voice, model = fields.get("voice", "Cherry"), fields.get("model", "qwen3-tts-flash")
        body = {"model": model, "input": {"text": "Hi.", "voice": voice}}
        for response in (
            await server.dashscope(key=KEY, **body),
            await server.openai(key=KEY, **{"model": "qwen3-tts-flash", **fields}),
        ):
            assert response.status == 403
            assert words in await response.text()
        assert not engine.calls
        assert server.desk.ledger.used("alice") == 0
        assert (await server.dashscope(key=KEY)).status == 200
        assert (await server.openai(key=KEY, model="qwen3-tts-flash", voice="cherry")).status == 200


@pytest.mark.parametrize("engine", ["fake", "builtin"])
async def test_a_model_that_nobody_named(engine: str, tmp_path: Path) -> None:
    """Whichever engine speaks, a key is judged by the model that is meant where none is named; the record has it."""
    async with gateway(tmp_path, engine, key_file=file(tmp_path, 'models = ["qwen3-tts-flash"]')) as server:
        assert (await server.openai(key=KEY, model=None)).status == 200
        assert (await server.openai(key=KEY, model=None, instructions="Slowly.")).status == 403
        assert [visit.model for visit in server.visits] == ["qwen3-tts-flash", "qwen3-tts-instruct-flash"]
