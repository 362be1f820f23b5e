"""From a request to segments: all mistakes are refused up front, in one clear line; no character is lost."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineread import plan as plans
from lineread.engines.base import Limits
from lineread.engines.fake import Fake
from lineread.errors import OptionError, RequestError, TextError
from lineread.speech import LiveRequest, Request

REQUEST = Request("Hello there. And good bye.", "Cherry")


@pytest.mark.parametrize(
    ("changes", "kind", "code", "words"),
    [
        ({"text": ""}, TextError, "empty_text", "empty"),
        ({"text": " \n\t\u3000\u00a0"}, TextError, "empty_text", "empty"),
        ({"text": "... ?!\n—「」…"}, TextError, "nothing_to_speak", "Give some words"),
        ({"text": "half a \ud83d"}, TextError, "bad_text", "position 7"),
        ({"text": None}, OptionError, "bad_option", "text must be a string, and is missing. Give some words"),
        ({"text": b"bytes"}, OptionError, "bad_option", "text must be a string, not bytes"),
        ({"text": ["a"]}, OptionError, "bad_option", "text must be a string, not list"),
        ({"voice": ""}, OptionError, "bad_option", "voice"),
        ({"voice": None}, OptionError, "bad_option", "voice must be a string, and is missing. Give a voice."),
        ({"voice": "\ud83d"}, TextError, "bad_text", "voice"),
        ({"voice": 7}, OptionError, "bad_option", "voice must be a string, not int. Write it in quotes."),
        ({"voice": ["a"]}, OptionError, "bad_option", "voice must be a string, not list. Give a voice."),
        ({"language_type": None}, OptionError, "bad_option", "is missing. Fill it in, or leave it out."),
        ({"language_type": "Klingon"}, OptionError, "unknown_language", "'Klingon'"),
        ({"instruction": ""}, OptionError, "bad_option", "instruction"),
        ({"instruction": " "}, OptionError, "bad_option", "instruction is empty. Fill it in"),
        ({"voice": " "}, OptionError, "bad_option", "voice is empty. Give a voice."),
        ({"language_type": "x" * 5000}, OptionError, "unknown_language", "xxx…'"),
        ({"format": "x" * 5000}, OptionError, "unknown_format", "xxx…'"),
        ({"instruction": 1}, OptionError, "bad_option", "instruction"),
        ({"instruction": "\ud83d"}, TextError, "bad_text", "instruction"),
        ({"model": ""}, OptionError, "bad_option", "model"),
        ({"model": 3}, OptionError, "bad_option", "model"),
        ({"format": "aac"}, OptionError, "unknown_format", "wav, mp3, flac, ogg, pcm"),
        ({"format": "WAV "}, OptionError, "unknown_format", "wav"),
        ({"format": None}, OptionError, "bad_option", "format"),
        ({"rate": 0.49}, OptionError, "bad_option", "0.5 to 2"),
        ({"rate": 2.01}, OptionError, "bad_option", "0.5 to 2"),
        ({"rate": 0}, OptionError, "bad_option", "rate"),
        ({"rate": float("nan")}, OptionError, "bad_option", "rate"),
        ({"rate": float("inf")}, OptionError, "bad_option", "rate"),
        ({"rate": 10**400}, OptionError, "bad_option", "rate"),
        ({"rate": "1"}, OptionError, "bad_option", "rate must be a number"),
        ({"rate": True}, OptionError, "bad_option", "rate must be a number"),
        ({"rate": None}, OptionError, "bad_option", "rate must be a number"),
        ({"pitch": -1}, OptionError, "bad_option", "pitch"),
        ({"pitch": 3}, OptionError, "bad_option", "0.5 to 2"),
        ({"volume": -1}, OptionError, "bad_option", "0 to 100"),
        ({"volume": 101}, OptionError, "bad_option", "0 to 100"),
        ({"volume": 50.5}, OptionError, "bad_option", "volume must be a whole number"),
        ({"volume": 10**5000}, OptionError, "bad_option", "volume"),
        ({"volume": "50"}, OptionError, "bad_option", "volume must be a whole number"),
        ({"volume": False}, OptionError, "bad_option", "volume must be a whole number"),
        ({"take": 0}, OptionError, "bad_option", "take"),
        ({"take": 1.0}, OptionError, "bad_option", "take"),
        ({"take": 10**9}, OptionError, "bad_option", "take"),
    ],
)
def test_each_bad_field_is_refused_in_one_line(
    changes: dict[str, object], kind: type[RequestError], code: str, words: str
) -> None:
    """Every mistake has its class, its stable code, a line that names the field, and a remedy; nothing is spoken."""
    engine = Fake()
    with pytest.raises(RequestError) as caught:
        plans.make(replace(REQUEST, **changes), engine)  # type: ignore[arg-type]
    error = caught.value
    assert type(error) is kind
    assert error.code == code
    assert words in str(error)
    assert error.remedy
    assert len(str(error).splitlines()) == 1
    assert len(str(error)) < 300
    assert engine.calls == []


@pytest.mark.parametrize("name", ["optimize_instructions", "enable_tn"])
def test_what_is_neither_true_nor_false_is_told_what_to_be(name: str) -> None:
    """The remedy says what to give."""
    with pytest.raises(OptionError) as caught:
        plans.check(replace(LiveRequest("Cherry"), **{name: "yes"}))  # type: ignore[arg-type]
    assert str(caught.value) == f"{name} must be true or false. Give true or false."


def test_the_text_is_not_quoted_back() -> None:
    """What shall be spoken is private: no refusal of another field shows it, nor does one of the text itself."""
    secret = "my secret words \ud83d"
    with pytest.raises(TextError) as caught:
        plans.check(replace(REQUEST, text=secret))
    assert "secret" not in str(caught.value)
    for changes in ({"rate": 9}, {"format": "x"}, {"volume": None}):
        with pytest.raises(OptionError) as refused:
            plans.check(replace(REQUEST, text="my secret words", **changes))  # type: ignore[arg-type]
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"rate": 0.5, "pitch": 2, "volume": 0, "take": 1_000_000}, {"rate": 2, "volume": 100},
        {"text": "7"}, {"text": "%"},
        {"language_type": "english"}, {"language_type": "AUTO"}, {"text": "\U0001f3a7"}, {"instruction": "Warm."},
        *({"format": form} for form in ("wav", "mp3", "flac", "ogg", "pcm")),
    ],
)  # fmt: skip
def test_the_edges_of_what_is_allowed(changes: dict[str, object]) -> None:
    """The ends of each range, and any case of a language, are accepted."""
    plan = plans.make(replace(REQUEST, **changes), Fake())  # type: ignore[arg-type]
    assert list(plan.segments())


def test_a_format_in_any_case() -> None:
    """A format is known however it is written, and becomes the one that all else knows."""
    assert plans.make(replace(REQUEST, format="WAV"), Fake()).request.format == "wav"


def test_the_engine_fills_in_the_request() -> None:
    """The plan holds what the engine decided: model, spelling, limits, fingerprint; the request is left alone."""
    limits = Limits(characters=12, concurrency=2)
    request = replace(REQUEST, language_type="english")
    plan = plans.make(request, Fake(limits=limits))
    assert (plan.request.language_type, plan.request.model) == ("English", "fake")
    assert (plan.limits, plan.fingerprint) == (limits, Fake().fingerprint(plan.request))
    assert request.language_type == "english"
    assert {segment.request for segment in plan.segments()} == {plan.request}


texts = st.text(st.sampled_from("ab Z。，.!?\n\t好🎧é\u0301'\"1"), min_size=1, max_size=300).filter(
    lambda text: bool(set(text) - set(" 。，.!?\n\t'\""))
)


@given(text=texts, characters=st.integers(1, 60), by_sentence=st.booleans(), first=st.none() | st.integers(1, 20))
@settings(max_examples=300)
def test_segments_join_to_the_text(text: str, characters: int, by_sentence: bool, first: int | None) -> None:  # noqa: FBT001
    """However a text is cut, its segments follow each other without a gap, are numbered, and have something to say."""
    limits = Limits(characters=characters, by_sentence=by_sentence, first=first)
    segments = list(plans.make(replace(REQUEST, text=text), Fake(limits=limits)).segments())
    assert "".join(text[segment.start : segment.end] for segment in segments) == text
    assert [segment.index for segment in segments] == list(range(len(segments)))
    assert all(segment.text for segment in segments)
    assert all(segment.pause >= 0 for segment in segments)
    assert segments[-1].pause == 0


def test_segments_come_as_they_are_asked_for() -> None:
    """The first segments of a book are there before its end was looked at, and every walk begins anew."""
    line = "A sentence of some length, which is repeated very often. "
    book = plans.make(replace(REQUEST, text=line * 20_000), Fake(limits=Limits(by_sentence=True)))
    begun = time.perf_counter()
    first = list(islice(book.segments(), 3))
    assert time.perf_counter() - begun < 0.1  # all of it takes about a second
    assert [segment.text for segment in first] == [line.strip()] * 3
    assert list(islice(book.segments(), 3)) == first


def test_a_plan_tells_its_cost_and_its_name() -> None:
    """Billed characters are those of the text; the key is the same for the same sound, whatever the format."""
    plan = plans.make(replace(REQUEST, text="你好 ok"), Fake())
    assert plan.characters == 7
    assert plan.key == plans.make(replace(REQUEST, text="你好 ok", format="mp3"), Fake()).key
    assert plan.key != plans.make(replace(REQUEST, text="你好 ok", take=2), Fake()).key
