"""The built-in voice, heard: every stand-in, rate, pitch and kind of text is understood word for word."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from difflib import SequenceMatcher

import numpy as np
import pytest

from ears.listening import Ears, plain, spoken_words, word_errors
from lineread import catalogue, text
from lineread.engines.builtin import Builtin
from lineread.speech import Chunk, Request, Segment
from support import gather

pytestmark = pytest.mark.ears

#: Sentences that the recogniser reads right from the plain voice; eight of them fill what it hears at a time.
SENTENCES = (
    "The train to the city leaves at noon.",
    "Please close the window behind you.",
    "We had a wonderful dinner last night.",
    "My brother works in a big hospital.",
    "The children are playing in the garden.",
    "Tomorrow the weather will be much better.",
    "She bought a new house near the river.",
    "You can find the answer in this book.",
)
VOICES = tuple(catalogue.load().voices)
#: A young woman, a man, a child and the hoarsest of all: the corners of the cast.
CORNERS = ("Cherry", "Ethan", "Bella", "Vincent")
STORY = """
The old town lay between the river and the hills. Every morning, long before the shops opened, a man named Peter walked
across the bridge with his dog. He liked the quiet streets, the smell of fresh bread, and the first light on the roofs.

One day he found a small wooden box beside the road. It was locked, and there was no name on it. "Who would leave this
here?" he asked. His dog only looked at him, as dogs do. So Peter took the box home, put it on the kitchen table, and
waited.

On Friday, Dr. Miller came by. She paid $5 for a cup of coffee, laughed, and opened the box in less than ten minutes.
Inside they found 25 letters, written in the spring of 1962; nobody had ever read them.
"""
#: What of it has more than one good spelling.
HEARD = {"$5": "five dollars", "Dr.": "doctor", "25": "twenty five", "1962": "nineteen sixty two"}


@pytest.fixture(scope="module")
def engine() -> Iterator[Builtin]:
    built = Builtin()
    yield built
    asyncio.run(built.aclose())


async def speak(engine: Builtin, words: str, voice: str, **fields: object) -> Chunk:
    request = engine.resolve(Request(words, voice, **fields))  # type: ignore[arg-type]
    (chunk,) = await gather(engine.stream(Segment(request, 0, 0, len(words))))
    return chunk


@pytest.mark.parametrize("first", range(0, 48, 8))
async def test_every_stand_in_is_understood(first: int, engine: Builtin, ears: Ears) -> None:
    """Eight voices say eight sentences; no word of them is lost or changed."""
    voices = VOICES[first : first + 8]
    lines = [await speak(engine, words, voice) for words, voice in zip(SENTENCES, voices, strict=True)]
    heard = ears.hear(*(line.pcm for line in lines))
    assert word_errors(" ".join(SENTENCES), heard) == 0, (voices, heard)


@pytest.mark.parametrize("voice", CORNERS)
@pytest.mark.parametrize(
    ("field", "values"),
    [("rate", (0.6, 0.7, 0.8, 0.9, 1.2, 1.4, 1.6, 1.7)), ("pitch", (0.7, 0.75, 0.8, 0.9, 1.1, 1.2, 1.3, 1.4))],
)
async def test_rate_and_pitch_keep_the_words(
    field: str, values: tuple[float, ...], voice: str, engine: Builtin, ears: Ears
) -> None:
    """Slow or fast, low or high: at most one small word in fifty-seven is misheard."""
    lines = [
        await speak(engine, words, voice, **{field: value}) for words, value in zip(SENTENCES, values, strict=True)
    ]
    heard = ears.hear(*(line.pcm for line in lines))
    assert word_errors(" ".join(SENTENCES), heard) <= 1, heard


async def test_takes_are_understood(engine: Builtin, ears: Ears) -> None:
    """Another reading is another melody over the same words."""
    lines = [await speak(engine, words, "Serena", take=take) for take, words in enumerate(SENTENCES, 2)]
    assert word_errors(" ".join(SENTENCES), ears.hear(*(line.pcm for line in lines))) == 0


@pytest.mark.parametrize("voice", ["Cherry", "Neil"])
async def test_a_story_is_read_to_its_end(voice: str, engine: Builtin, ears: Ears) -> None:
    """Three paragraphs with quotations, numbers, money and titles: nothing is skipped at the cuts between sentences."""
    request = engine.resolve(Request(STORY, voice))
    limits = engine.limits(request)
    pieces = text.split(STORY, limits.characters, by_sentence=limits.by_sentence, first=limits.first)
    lines = [
        (await gather(engine.stream(Segment(request, index, piece.start, piece.end))))[0].pcm
        for index, piece in enumerate(pieces)
    ]
    said = STORY
    for written, spoken in HEARD.items():
        said = said.replace(written, spoken)
    heard = ears.hear(*lines).replace("$5", "five dollars").replace("25", "twenty five")
    heard = heard.replace("1962", "nineteen sixty two")
    assert word_errors(said, heard) <= len(plain(said)) // 50, heard


async def test_words_are_when_they_are_heard(engine: Builtin, ears: Ears) -> None:
    """The times of words agree with the recogniser's: half of them within 80 ms, nearly all within a fifth second."""
    off: list[float] = []
    for voice, rate in (("Cherry", 1.0), ("Ethan", 1.0), ("Cherry", 0.8)):
        for number in range(0, 8, 4):
            words = " ".join(SENTENCES[number : number + 4])
            line = await speak(engine, words, voice, rate=rate)
            heard = ears.words(line.pcm)
            ours, theirs = spoken_words(words, line.words), ["".join(plain(word)) for word, *_ in heard]
            for block in SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks():
                for step in range(block.size):
                    off.append(line.words[block.a + step].start - heard[block.b + step][1])
    assert len(off) > 150
    assert np.median(np.abs(off)) < 0.08
    assert np.quantile(np.abs(off), 0.9) < 0.2
