"""A live session by the built-in voice, listened to: words that came in tokens, and an interruption."""

from __future__ import annotations

import asyncio
import re

import pytest

from ears.listening import errors, heard, plain
from lineread import Client
from lineread.speech import Chunk, LiveRequest

pytestmark = pytest.mark.ears

TALK = """Good evening, everybody, and welcome to the harbor. The ferry leaves at seven in the morning, and the last \
boat comes back before the sun goes down. Did you bring a warm coat? The wind is strong out there, so please hold on \
to your hats; we have lost a good many of them over the years."""


def tokens(text: str) -> list[str]:
    """As language models write: words with the space before them, long ones in parts, punctuation by itself."""
    return [part for token in re.findall(r" ?\w+|[^\w]", text) for part in (token[:5], token[5:]) if part]


async def say(mode: str = "server_commit") -> tuple[list[Chunk], object]:
    async with Client(engine="builtin", cache=False).live(LiveRequest("Cherry", mode=mode)) as session:  # type: ignore[arg-type]
        chunks: list[Chunk] = []

        async def read() -> None:
            chunks.extend([chunk async for chunk in session])

        reader = asyncio.create_task(read())
        for token in tokens(TALK):
            await session.write(token)
            await asyncio.sleep(0)
        await session.end()
        await reader
        return chunks, session


async def test_every_word_is_heard() -> None:
    """A text that came in tokens is heard word by word as it was written."""
    chunks, _ = await say()
    words = heard(b"".join(chunk.pcm for chunk in chunks), chunks[0].sample_rate)
    assert errors(plain(TALK), words) <= 2, " ".join(words)


async def test_what_was_heard_is_what_a_listener_heard() -> None:
    """Up to where a listener was interrupted, the session tells the words that a recogniser hears in that sound."""
    chunks, session = await say()
    pcm, rate = b"".join(chunk.pcm for chunk in chunks), chunks[0].sample_rate
    for second in (3.1, 7.4, 11.0):
        told = session.heard(second)  # type: ignore[attr-defined]
        assert told.exact
        words = heard(pcm[: round(second * rate) * 2], rate)
        assert errors(plain(told.text), words) <= 2, (told.text, " ".join(words))
