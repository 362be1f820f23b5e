"""The cast, heard: every stand-in, rate, pitch and take is understood, and words are when they are heard."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

import numpy as np
import pytest

from ears.listening import errors, heard_together, plain, timed
from lineread import Client, Request, catalogue

pytestmark = pytest.mark.ears

#: Sentences that the recogniser reads right from the plain voice; eight of them fill what it hears at a time.
LINES = (
    "The train to the city leaves at noon.",
    "Please close the window behind you.",
    "We had a wonderful dinner last night.",
    "My brother works in a big hospital.",
    "The children are playing in the garden.",
    "Tomorrow the weather will be much better.",
    "She bought a new house near the river.",
    "You can find the answer in this book.",
)
SAID = plain(" ".join(LINES))
VOICES = tuple(catalogue.load().voices)
#: A young woman, a man, a child and the hoarsest of all: the corners of the cast.
CORNERS = ("Cherry", "Ethan", "Bella", "Vincent")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Client(engine="builtin", cache=False) as client:
        yield client


def listen(client: Client, requests: list[Request]) -> list[str]:
    lines = [client.generate(request) for request in requests]
    return heard_together([line.pcm for line in lines], lines[0].sample_rate)


@pytest.mark.parametrize("first", range(0, len(VOICES), 8))
def test_every_stand_in_is_understood(first: int, client: Client) -> None:
    """Eight voices say eight sentences; a listener who knows no context hears every word."""
    voices = VOICES[first : first + 8]
    words = listen(client, [Request(line, voice) for line, voice in zip(LINES, voices, strict=True)])
    assert errors(SAID, words) == 0, (voices, words)


@pytest.mark.parametrize("voice", CORNERS)
@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("rate", (0.6, 0.7, 0.8, 0.9, 1.2, 1.4, 1.6, 1.7)),
        ("pitch", (0.7, 0.75, 0.8, 0.9, 1.1, 1.2, 1.3, 1.4)),
        ("volume", (10, 20, 35, 60, 70, 80, 90, 100)),
        ("take", (2, 3, 4, 5, 6, 7, 8, 9)),
    ],
)
def test_what_is_changed_stays_speech(field: str, values: tuple[float, ...], voice: str, client: Client) -> None:
    """Slower, faster, lower, higher, softer, louder, another take: at most one word in fifty-seven is misheard."""
    changed = [Request(line, voice, **{field: value}) for line, value in zip(LINES, values, strict=True)]  # type: ignore[arg-type]
    words = listen(client, changed)
    assert errors(SAID, words) <= 1, words


@pytest.mark.parametrize(("voice", "rate"), [("Cherry", 1.0), ("Ethan", 1.0), ("Seren", 1.0), ("Cherry", 1.3)])
def test_words_are_when_they_are_heard(voice: str, rate: float, client: Client) -> None:
    """The times of words agree with the recogniser's: half of them within 80 ms, nine in ten within a fifth second."""
    text = " ".join(LINES)
    speech = client.generate(Request(text, voice, rate=rate))
    ours = ["".join(plain(text[slice(*word.span)])) for word in speech.words]
    theirs = timed(speech.pcm, speech.sample_rate)
    matches = SequenceMatcher(None, ours, [word for word, _ in theirs], autojunk=False).get_matching_blocks()
    off = [
        speech.words[match.a + step].start - theirs[match.b + step][1]
        for match in matches
        for step in range(match.size)
    ]
    assert len(off) > 50
    assert np.median(np.abs(off)) < 0.08
    assert np.quantile(np.abs(off), 0.9) < 0.2


def test_stand_ins_say_so(client: Client) -> None:
    """No stand-in pretends to be the voice that it stands in for."""
    for name in ("Cherry", "Eldric Sage", "Pip"):
        speech = client.generate(Request(LINES[0], name))
        assert name in speech.stand_in
        assert "hibari" in speech.stand_in
