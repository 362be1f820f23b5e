"""What a listener hears of an agent that speaks with the built-in voice."""

from __future__ import annotations

import pytest

from adapters.writing import tokens
from ears.listening import errors, heard, plain

pytestmark = pytest.mark.ears
TALK = "Good evening, everybody, and welcome to the harbor. The ferry leaves at seven. Did you bring a warm coat?"


async def test_pipecats_words_are_heard() -> None:
    """A reply that came in tokens is heard word by word as it was written."""
    pytest.importorskip("pipecat", reason="Pipecat is not installed; the dev extra brings it")
    from adapters.conversing import talking
    from lineread.adapters.pipecat import LinereadTTSService

    async with talking(LinereadTTSService(voice="Cherry", engine="builtin", cache=False), sample_rate=16_000) as talk:
        await talk.said(*tokens(TALK))
    words = heard(talk.voiced.pcm, 16_000)
    assert errors(plain(TALK), words) <= 1, " ".join(words)


async def test_livekits_words_are_heard() -> None:
    """A text that came in tokens is heard word by word as it was written."""
    pytest.importorskip("livekit.agents", reason="LiveKit Agents is not installed; the dev extra brings it")
    from lineread.adapters.livekit import TTS

    async with TTS(voice="Cherry", engine="builtin", cache=False) as tts, tts.stream() as stream:
        for token in tokens(TALK):
            stream.push_text(token)
        stream.end_input()
        pcm = b"".join([event.frame.data.tobytes() async for event in stream])
    words = heard(pcm, 24_000)
    assert errors(plain(TALK), words) <= 1, " ".join(words)
