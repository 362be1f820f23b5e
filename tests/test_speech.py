"""The vocabulary: keys that tell sounds apart and nothing else, billing, and chunks that can be moved."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lineread.speech import Chunk, Facts, Request, Segment, Word, billed_characters

REQUEST = Request(
    "Hello, this is a short voice line.", "Cherry", "English", instruction="Warm and calm.",
    model="qwen3-tts-instruct-flash", rate=1.0, pitch=1.0, volume=50, take=1,
)  # fmt: skip
FINGERPRINT = "dashscope/1"

#: Fields of a request that change what is heard, each with values to take.
AUDIBLE = {
    "text": st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip),
    "voice": st.text(min_size=1),
    "language_type": st.text(min_size=1),
    "instruction": st.none() | st.text(min_size=1),
    "model": st.none() | st.text(min_size=1),
    "rate": st.floats(0.5, 2),
    "pitch": st.floats(0.5, 2),
    "volume": st.integers(0, 100),
    "take": st.integers(1, 1_000_000),
}
requests = st.builds(Request, format=st.sampled_from(["wav", "mp3", "flac", "ogg", "pcm"]), **AUDIBLE)


def whole(request: Request) -> Segment:
    return Segment(request, 0, 0, len(request.text))


def test_a_chunk_shows_where_it_stands_and_not_its_samples() -> None:
    """Printed, it takes a line."""
    chunk = Chunk(bytes(2 * 6480), 24_000, 28_800, (27, 81))
    assert repr(chunk) == "<Chunk 0.27 s at 1.20 s, characters 27 to 81>"
    assert repr(replace(chunk, pcm=b"", final=True)) == "<Chunk 0.00 s at 1.20 s, characters 27 to 81, final>"


def heard(request: Request) -> tuple[object, ...]:
    """All of a request that can be heard: white space at the text's ends cannot, an absent field is an empty one."""
    values = {name: getattr(request, name) or "" for name in AUDIBLE}
    return (*{**values, "text": request.text.strip()}.values(),)


def test_every_field_is_accounted_for() -> None:
    """A new field of a request must be put into the key, or be known to change nothing that is heard."""
    assert {field.name for field in dataclasses.fields(Request)} == {*AUDIBLE, "format"}


@given(one=requests, two=requests, swap=st.sampled_from(sorted(AUDIBLE)))
def test_the_key_tells_sounds_apart(one: Request, two: Request, swap: str) -> None:
    """Two segments share a key exactly when nothing that is heard differs, be it all fields or one of them."""
    neighbour = replace(one, **{swap: getattr(two, swap)})
    for other in (two, neighbour):
        assert (whole(one).key("e/1") == whole(other).key("e/1")) == (heard(one) == heard(other))


@given(request=requests, one=st.text(), two=st.text())
def test_the_key_tells_engines_apart(request: Request, one: str, two: str) -> None:
    """Another fingerprint is another key."""
    assume(one != two)
    assert whole(request).key(one) != whole(request).key(two)


@given(request=requests, form=st.sampled_from(["wav", "mp3"]), before=st.text(" \n"), after=st.text(" \t"))
def test_the_key_ignores_what_cannot_be_heard(request: Request, form: str, before: str, after: str) -> None:
    """File format, white space around the words, the text around a segment, its number and its pause change no key."""
    key = whole(request).key("e")
    assert whole(replace(request, format=form)).key("e") == key
    around = replace(request, text=f"Other words.{before}{request.text}{after}More of them.")
    start = len("Other words.")
    inside = Segment(around, 7, start, len(around.text) - len("More of them."), pause=0.4)
    assert inside.key("e") == key


@given(request=requests)
def test_numbers_of_either_kind_share_a_key(request: Request) -> None:
    """1 and 1.0 are the same rate and the same pitch: JSON and command line write them differently."""
    same = replace(request, rate=1, pitch=2)
    assert whole(same).key("e") == whole(replace(request, rate=1.0, pitch=2.0)).key("e")


def test_the_canonical_form_is_frozen() -> None:
    """The key of a known request never changes: a change would make every stored line of every user worthless."""
    canonical = (
        '{"engine":"dashscope/1","instruction":"Warm and calm.","language_type":"English",'
        '"model":"qwen3-tts-instruct-flash","pitch":1.0,"rate":1.0,"take":1,'
        '"text":"Hello, this is a short voice line.","voice":"Cherry","volume":50}'
    )
    assert json.loads(canonical)["text"] == REQUEST.text
    expected = "v1-" + hashlib.blake2b(canonical.encode(), digest_size=20).hexdigest()
    assert whole(REQUEST).key(FINGERPRINT) == expected == "v1-9de761debea30d1757d4a00ca07780e3bc34dd2a"
    chinese = Request("你好，世界。", "Ethan", rate=0.75, volume=0, take=3)
    assert whole(chinese).key("builtin/3") == "v1-151559663c0a68dc5927962990b9425b24cc57b9"


def test_the_key_is_the_same_in_every_process() -> None:
    """Neither hash randomisation nor locale gets into a key."""
    code = (
        "from lineread.speech import Request, Segment\n"
        "r = Request('Grüße, 世界 🎧', 'Cherry', take=2)\n"
        "print(Segment(r, 0, 0, len(r.text)).key('e'))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": "C"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    request = Request("Grüße, 世界 🎧", "Cherry", take=2)
    assert outputs == {f"{whole(request).key('e')}\n".encode()}


def test_the_key_is_a_safe_file_name() -> None:
    """It has no character that a file system could mind, and one length."""
    key = whole(REQUEST).key("../../etc/passwd")
    assert key.startswith("v1-")
    assert key.removeprefix("v1-").isalnum()
    assert len(key) == 43


def test_a_segment_knows_its_words() -> None:
    """Span is the piece, text the words in it, text_start where they begin."""
    request = Request("One.  Two two. \n", "Cherry")
    segment = Segment(request, 1, 4, 16)
    assert (segment.span, segment.text, segment.text_start) == ((4, 16), "Two two.", 6)
    assert request.text[segment.text_start :].startswith(segment.text)


@pytest.mark.parametrize(
    ("text", "billed"),
    [
        ("Hello.", 6),
        ("天" * 92 + "，。 a1 ，。 b2", 92 * 2 + 11),
        ("一" * 12 + "。", 25),
        ("", 0),
        ("漢字かな交じり文", 4 * 2 + 4),  # kanji count two, kana one
        ("한국어", 3),
        ("韓國漢字", 8),  # hanja
        ("𠮷野家", 6),  # a Han character beyond the basic plane
        ("㐂", 2),  # extension A
        ("🎧 ok", 4),
        ("０１２，。！", 6),  # full-width, yet not Han
        ("ア゛ー", 3),
    ],
)
def test_billed_characters(text: str, billed: int) -> None:
    """A Han character of any script counts two; letters, kana, hangul, digits, marks and spaces count one."""
    assert billed_characters(text) == billed


@given(st.text(), st.text())
def test_billing_adds_up(one: str, two: str) -> None:
    """A text costs what its pieces cost, and between one and two a character."""
    assert billed_characters(one + two) == billed_characters(one) + billed_characters(two)
    assert len(one) <= billed_characters(one) <= 2 * len(one)


CHUNK = Chunk(
    b"\1\0\2\0\3\0", 24_000, 480, (3, 9), words=(Word((3, 5), 0.1, 0.2), Word((6, 9), 0.2, 0.5)),
    facts=Facts("fake"), pause=1, final=True,
)  # fmt: skip


@given(st.integers(0, 10**7))
def test_moving_a_chunk_moves_text_only(characters: int) -> None:
    """Every span moves by the same distance; sound, times and facts stay; moving back gives the chunk again."""
    moved = CHUNK.moved(characters)
    assert moved.span == (3 + characters, 9 + characters)
    assert [word.span for word in moved.words] == [(3 + characters, 5 + characters), (6 + characters, 9 + characters)]
    assert [(word.start, word.end) for word in moved.words] == [(0.1, 0.2), (0.2, 0.5)]
    assert replace(moved, span=CHUNK.span, words=CHUNK.words) == CHUNK
    assert moved.moved(-characters) == CHUNK


def test_a_chunk_measures_itself() -> None:
    """Samples and seconds come from the byte count, Base64 from the bytes."""
    assert CHUNK.samples == 3
    assert CHUNK.duration == pytest.approx(3 / 24_000)
    assert base64.b64decode(CHUNK.audio_base64_pcm) == CHUNK.pcm


def test_values_cannot_be_changed() -> None:
    """What modules exchange is frozen, and has no room for more."""
    values = {"text": REQUEST, "index": whole(REQUEST), "pcm": CHUNK, "engine": CHUNK.facts, "span": CHUNK.words[0]}
    for name, value in values.items():
        with pytest.raises(AttributeError):
            setattr(value, name, None)
        assert not hasattr(value, "__dict__")
