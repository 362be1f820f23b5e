"""Kokoro's British voices, heard: British English is understood as well as American is."""

from __future__ import annotations

import pytest

from ears.listening import errors, heard_together, plain
from lineread import Client, Request
from loopback.hub import data_dir, tables

pytestmark = [pytest.mark.ears, pytest.mark.skipif(not tables()[1], reason="npm has no kokoro-js here")]

#: Each has what an American says otherwise: GOAT, LOT, NURSE, NEAR, SQUARE, CURE, lettER, BATH, PALM, a flap, a yod,
#: an r between words, and words of their own.
LINES = (
    ("Nobody knows how cold the water is over there.", "bf_emma"),
    ("My father and I forgot the tomatoes in the garden.", "bm_george"),
    ("I can't dance after a bath, she laughed.", "bf_isabella"),
    ("The new student was late for her duty on Tuesday.", "bm_lewis"),
    ("We're sure there are four apples under our chair.", "bf_alice"),
    ("The first nurse heard the bird near the church.", "bm_daniel"),
    ("Please put the better butter in the middle of the table.", "bf_lily"),
    ("His schedule leaves him no privacy and no leisure.", "bm_fable"),
)


@pytest.mark.parametrize("gender", ["f", "m"])
def test_british_voices_are_understood(monkeypatch: pytest.MonkeyPatch, gender: str) -> None:
    """All the women, and all the men: of forty words at most one is heard otherwise."""
    monkeypatch.setenv("LINEREAD_DATA_DIR", data_dir())
    monkeypatch.setenv("LINEREAD_OFFLINE", "1")
    lines = [(text, voice) for text, voice in LINES if voice[1] == gender]
    with Client(engine="kokoro", cache=False) as client:
        spoken = [client.generate(Request(text, voice, "English")) for text, voice in lines]
    words = plain(" ".join(text for text, _ in lines))
    assert errors(words, heard_together([line.pcm for line in spoken], 24_000)) <= 1
