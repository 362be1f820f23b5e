"""The enrolment protocol: both halves understand each other and the documents, and refuse the rest in their words."""

from __future__ import annotations

import base64
import contextlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineread import catalogue, errors
from lineread.enrolment import Clone, Design, Enrolled, Page, Preview
from lineread.wire import customization as client
from lineread.wire import customization_server as server
from lineread.wire.customization import Asked, Deletion, Listing, Query, Remote
from lineread.wire.dashscope import error_from

ID = "qwen-tts-vd-guide-voice-20261118093144120-4c1f"
WAV = base64.b64encode(b"RIFF....WAVE").decode()
DESIGN = Design("guide", "A dry, low-pitched museum guide.", "Please follow me.", "qwen3-tts-vd-2026-01-26", "English")
CLONE = Clone("narrator1", b"RIFF....WAVE", "audio/wav", "qwen3-tts-vc-2026-01-22", language="English")

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60).filter(lambda text: any(map(str.isalnum, text)))
names = st.from_regex(r"[A-Za-z0-9_]{1,16}", fullmatch=True)
ids = st.from_regex(r"[!-~]{1,200}", fullmatch=True)
languages = st.none() | st.sampled_from(list(client.LANGUAGES.values()))
clones = st.builds(
    Clone,
    name=names,
    audio=st.binary(min_size=1, max_size=60),
    media_type=st.sampled_from(["audio/wav", "audio/mpeg", "audio/mp4"]),
    target_model=names,
    text=st.none() | words,
    language=languages,
)
designs = st.builds(
    Design,
    name=names,
    prompt=words.filter(lambda text: any(map(str.isalpha, text))),
    preview_text=words,
    target_model=names,
    language=languages,
    sample_rate=st.sampled_from(server.SAMPLE_RATES),
    format=st.sampled_from(["wav", "pcm", "mp3", "opus"]),
)
kinds = st.sampled_from(["clone", "design"])
asked_for = st.one_of(
    clones,
    designs,
    st.builds(
        lambda order, path: Remote(order, f"https://files.example/{path}"),
        clones.map(lambda order: Clone(order.name, b"", "", order.target_model, order.text, order.language)),
        names,
    ),
    st.builds(Listing, kinds, st.integers(0, 200), st.integers(1, 1000)),
    st.builds(Query, ids),
    st.builds(Deletion, kinds, ids),
)
times = st.datetimes().map(lambda time: time.strftime("%Y-%m-%d %H:%M:%S"))


def listed(kind: str) -> st.SearchStrategy[Enrolled]:
    described = st.just("") if kind == "clone" else words
    return st.builds(
        Enrolled,
        voice=ids,
        kind=st.just(kind),
        target_model=names,
        created=times,
        language=st.sampled_from(["", *client.LANGUAGES.values()]),
        prompt=described,
        preview_text=described,
    )


@given(asked_for)
@settings(derandomize=True)
def test_what_the_client_asks_the_server_understands(asked: Asked) -> None:
    """Whatever is asked comes out of the server's half as it went into the client's."""
    assert server.decode(client.encode(asked)) == asked


@given(st.data())
@settings(derandomize=True)
def test_what_the_server_answers_the_client_understands(data: st.DataObject) -> None:
    """Voices made, listed and found come out of the client's half as they went into the server's."""
    kind = data.draw(kinds)
    voices = tuple(data.draw(st.lists(listed(kind), max_size=3)))
    page = Page(voices, data.draw(st.integers(0, 9)), data.draw(st.integers(1, 50)), data.draw(st.integers(3, 99)))
    assert client.decode_page(server.encode_page(page, request_id="r"), Listing(kind)) == page
    found = data.draw(listed("design"))
    reply = server.encode_found(found, request_id="")
    assert client.decode_found(reply, Query(found.voice)) == found
    order = data.draw(clones | designs)
    design = isinstance(order, Design)
    made = Enrolled(
        data.draw(ids),
        "design" if design else "clone",
        order.target_model,
        language=order.language or "",
        prompt=order.prompt if isinstance(order, Design) else "",
        preview_text=order.preview_text if isinstance(order, Design) else "",
        preview=Preview(data.draw(st.binary(min_size=1)), 16_000, "mp3") if design else None,
        fallback_reason=data.draw(st.sampled_from(["", "no_merged_segments", "no_valid_asr_segments"])),
        request_id="r",
    )
    asked = made.preview_text
    assert client.decode_made(server.encode_made(made, request_id="r", preview_text=asked), order) == made
    if isinstance(order, Design):
        other = replace(made, preview_text="Something else.")
        assert client.decode_made(server.encode_made(other, request_id="r", preview_text=asked), order) == other
    client.decode_deleted(server.encode_deleted(made.voice, request_id="r"))


def test_bodies_are_those_of_the_references() -> None:
    """Requests and replies have exactly the documented fields, in both directions."""
    assert json.loads(client.encode(CLONE)) == {
        "model": "qwen-voice-enrollment",
        "input": {
            "action": "create",
            "target_model": "qwen3-tts-vc-2026-01-22",
            "preferred_name": "narrator1",
            "audio": {"data": f"data:audio/wav;base64,{WAV}"},
            "language": "en",
        },
    }
    assert json.loads(client.encode(DESIGN)) == {
        "model": "qwen-voice-design",
        "input": {
            "action": "create",
            "target_model": "qwen3-tts-vd-2026-01-26",
            "voice_prompt": "A dry, low-pitched museum guide.",
            "preview_text": "Please follow me.",
            "preferred_name": "guide",
            "language": "en",
        },
        "parameters": {"sample_rate": 24_000, "response_format": "wav"},
    }
    made = Enrolled(ID, "design", DESIGN.target_model, preview=Preview(b"RIFF....WAVE", 24_000, "wav"))
    assert json.loads(server.encode_made(made, request_id="7b")) == {
        "output": {
            "voice": ID,
            "target_model": "qwen3-tts-vd-2026-01-26",
            "preview_audio": {"data": WAV, "sample_rate": 24_000, "response_format": "wav"},
        },
        "usage": {"count": 1},
        "request_id": "7b",
    }
    kept = Enrolled("v", "clone", "m", created="2026-11-18T11:30:12+02:00", language="English")
    assert json.loads(server.encode_page(Page((kept,), 0, 10, 1), request_id="6a")) == {
        "output": {
            "page_index": 0,
            "page_size": 10,
            "total_count": 1,
            "voice_list": [
                {
                    "voice": "v",
                    "gmt_create": "2026-11-18 09:30:12",
                    "gmt_modified": "2026-11-18 09:30:12",
                    "language": "en",
                    "target_model": "m",
                }
            ],
        },
        "usage": {"count": 0},
        "request_id": "6a",
    }
    assert json.loads(server.encode_deleted(ID, request_id="6a"))["output"] == {"voice": ID}
    assert set(client.LANGUAGES.values()) | {"Auto"} == set(catalogue.load().languages)


def test_older_and_fuller_replies_are_read() -> None:
    """The older page's list, a deletion without output, a fallback, and fields of the future are understood."""
    old = {"output": {"voice_list": [{"voice": "v", "gmt_create": "2026-02-01", "target_model": "m"}, {}, 7]}}
    page = client.decode_page(json.dumps(old).encode(), Listing("clone", 2, 10))
    assert page == Page((Enrolled("v", "clone", "m", created="2026-02-01"),), 2, 10, 21)
    client.decode_deleted(b'{"usage":{"count":0},"request_id":"r"}')
    reply = {"output": {"voice": "v", "fallback_mode": True, "mood": [1]}, "new": {}, "usage": {}}
    made = client.decode_made(json.dumps(reply).encode(), CLONE)
    assert made == Enrolled("v", "clone", CLONE.target_model, language="English", fallback_reason="unknown")
    with pytest.raises(errors.Throttled):
        client.decode_deleted(b'{"code":"Throttling","message":"m"}')


@pytest.mark.parametrize(
    "output", [None, {}, {"voice": ""}, {"voice": 7}, {"voice": "a b"}, {"voice": "\x1b[2J"}, {"voice": "x" * 201}]
)
def test_a_reply_without_a_voice_is_refused(output: object) -> None:
    """An id that is missing, or could do harm in a file or a terminal, is no id."""
    with pytest.raises(errors.BadReply):
        client.decode_made(json.dumps({"output": output}).encode(), CLONE)


FIELDS = (
    *("output", "voice", "voice_list", "preview_audio", "data", "page_index", "total_count", "language"),
    *("model", "input", "action", "audio", "parameters", "fallback_mode", "code", "gmt_create"),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner | st.sampled_from(["create", "list", "qwen-voice-design", "qwen-voice-enrollment"]),
            max_size=5,
        )
    ),
    max_leaves=14,
)


@given(json_values)
@settings(derandomize=True, max_examples=300)
def test_any_json_is_read_or_refused_in_our_words(value: object) -> None:
    """Whatever comes, either half reads it or raises one of our errors, never another exception."""
    body = json.dumps(value).encode()
    with contextlib.suppress(errors.EngineError):
        assert client.decode_made(body, DESIGN).voice
    with contextlib.suppress(errors.EngineError):
        assert client.decode_page(body, Listing("clone")).total >= 0
    with contextlib.suppress(errors.EngineError):
        assert client.decode_found(body, Query("v")).voice
    with contextlib.suppress(errors.RequestError):
        server.decode(body)


def body(model: str = "qwen-voice-design", parameters: Any = None, **changes: Any) -> bytes:
    asked = json.loads(client.encode(DESIGN if model == "qwen-voice-design" else CLONE))
    given = {name: value for name, value in (asked["input"] | changes).items() if value is not ...}
    return json.dumps({"model": model, "input": given, "parameters": parameters}).encode()


MISSING = "Required parameter({}) missing or invalid, please check the request parameters."
CLONING = "qwen-voice-enrollment"


@pytest.mark.parametrize(
    ("sent", "code", "said"),
    [
        (b"{}", "BadRequest.EmptyModel", "model"),
        (b'{"model":"qwen3-tts-flash","input":{"action":"list"}}', "InvalidParameter", MISSING.format("model")),
        (b'{"model":"qwen-voice-design"}', "BadRequest.EmptyInput", "Required input"),
        (body(action=...), "InvalidParameter", MISSING.format("input.action")),
        (body(action="update"), "InvalidParameter", MISSING.format("input.action")),
        (body(CLONING, action="query"), "InvalidParameter", MISSING.format("input.action")),
        (body(target_model=...), "InvalidParameter", MISSING.format("input.target_model")),
        (body(preferred_name="a b"), "InvalidParameter", MISSING.format("input.preferred_name")),
        (body(preferred_name="x" * 17), "InvalidParameter", MISSING.format("input.preferred_name")),
        (body(preferred_name="voilà"), "InvalidParameter", MISSING.format("input.preferred_name")),
        (body(CLONING, preferred_name=...), "InvalidParameter", MISSING.format("input.preferred_name")),
        (body(voice_prompt="x" * 2049), "InvalidParameter", "Range of input length should be [1, 2048]."),
        (body(preview_text="x" * 1025), "InvalidParameter", "Range of input length should be [1, 1024]."),
        (body(preview_text=""), "InvalidParameter", MISSING.format("input.preview_text")),
        (body(preview_text="..."), "InvalidParameter", MISSING.format("input.preview_text")),
        (body(voice_prompt="!?"), "InvalidParameter", MISSING.format("input.voice_prompt")),
        (body(voice_prompt="123"), "InvalidParameter", MISSING.format("input.voice_prompt")),
        (body(language="English"), "InvalidParameter", MISSING.format("input.language")),
        (body(parameters={"sample_rate": 44_100}), "InvalidParameter", MISSING.format("parameters.sample_rate")),
        (
            body(parameters={"response_format": "flac"}),
            "InvalidParameter",
            MISSING.format("parameters.response_format"),
        ),
        (body(action="list", page_index=201), "InvalidParameter", MISSING.format("input.page_index")),
        (body(action="list", page_size=0), "InvalidParameter", MISSING.format("input.page_size")),
        (body(CLONING, action="list", page_index=1_000_001), "InvalidParameter", MISSING.format("input.page_index")),
        (body(action="query"), "InvalidParameter", MISSING.format("input.voice")),
        (body(CLONING, action="delete"), "InvalidParameter", MISSING.format("input.voice")),
        (body(CLONING, audio="https://x"), "InvalidParameter", MISSING.format("input.audio")),
        (body(CLONING, audio={}), "InvalidParameter", MISSING.format("input.audio.data")),
        (body(CLONING, audio={"data": "file:///etc"}), "InvalidParameter", MISSING.format("input.audio.data")),
        (body(CLONING, audio={"data": "https://x/\n"}), "InvalidParameter", MISSING.format("input.audio.data")),
        (body(CLONING, audio={"data": f"data:text/html;base64,{WAV}"}), "InvalidParameter", "Required"),
        (body(CLONING, audio={"data": f"data:audio/wav,{WAV}"}), "InvalidParameter", "Required"),
        (body(CLONING, audio={"data": "data:audio/wav;base64,A?=="}), "Audio.DecoderError", "Decoder audio"),
        (
            body(CLONING, audio={"data": "data:audio/wav;base64," + "A" * ((10 << 20) + 4)}),
            "Audio.FileSizeExceed",
            "The audio file is too large.",
        ),
    ],
    ids=range(33),
)
def test_what_cannot_be_is_refused_in_the_services_words(sent: bytes, code: str, said: str) -> None:
    """Each documented limit is kept; the answer has status 400, the service's code, and repeats no value."""
    with pytest.raises(errors.RequestError) as caught:
        server.decode(sent)
    refusal = server.refusal(caught.value)
    assert (refusal.status, refusal.code) == (400, code)
    assert said in refusal.message
    assert len(refusal.message) < 500


def test_limits_are_reached_but_not_passed() -> None:
    """What is exactly as long or as large as allowed is taken, and what may be left out has its default."""
    longest = body(voice_prompt="x" * 2048, preview_text="y" * 1024, preferred_name="n" * 16, language=...)
    assert isinstance(server.decode(longest), Design)
    bare = server.decode(body(preferred_name=..., language=...))
    assert isinstance(bare, Design)
    assert (bare.name, bare.language, bare.sample_rate, bare.format) == ("unnamed", None, 24_000, "wav")
    assert server.decode(body(action="list")) == Listing("design", 0, 10)
    clone = server.decode(body(CLONING, audio={"data": f"DATA:audio/x-m4a; codecs=mp4a;base64,{WAV}"}))
    assert isinstance(clone, Clone)
    assert (clone.media_type, clone.audio) == ("audio/mp4", b"RIFF....WAVE")
    assert Remote(Clone("n", b"", "", "m"), "https://x").fetched(b"a", "audio/wav") == Clone(
        "n", b"a", "audio/wav", "m"
    )


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (errors.VoiceError("No.", code="voice_not_found"), "VoiceNotFound", f"Voice not found: {ID}"),
        (
            errors.TurnedAway("Full.", code="too_many_voices"),
            "Throttling.AllocationQuota",
            "Maximum voice storage limit exceeded, please delete existing voices.",
        ),
        (errors.OptionError("x", service_code="Audio.AudioShortError"), "Audio.AudioShortError", "too little speech"),
        (errors.VoiceError("No."), "InvalidParameter", "Invalid voice specified"),
    ],
)
def test_errors_of_voices_are_said_as_the_service_says_them(error: errors.LinereadError, code: str, said: str) -> None:
    """A missing voice, a full account and a bad sample have status 400, the service's code and its words."""
    refusal = server.refusal(error, voice=ID)
    assert (refusal.status, refusal.code) == (400, code)
    assert refusal.message.startswith(said) or said in refusal.message


#: The service's errors of enrolment, and what each means to a client.
MEANINGS = [
    ("Audio.PreprocessError", "sample_refused"),
    ("Audio.DecoderError", "sample_unreadable"),
    ("Audio.AudioRateError", "sample_rate_too_low"),
    ("Audio.DurationLimitError", "sample_too_long"),
    ("Audio.AudioShortError", "sample_too_short"),
    ("Audio.AudioSilentError", "sample_too_short"),
    ("Audio.FileSizeExceed", "sample_too_large"),
    ("Audio.OfTomorrow", "sample_refused"),
    ("BadRequest.InputDownloadFailed", "sample_not_fetched"),
]


@pytest.mark.parametrize(("code", "ours"), MEANINGS)
@pytest.mark.parametrize("status", [400, 430])
def test_each_error_of_a_sample_has_its_meaning(status: int, code: str, ours: str) -> None:
    """The service's codes for samples are told apart, under either status, and none is worth another try."""
    error = error_from(status, code, "Decoder audio file failed.")
    assert (type(error), error.code, error.retryable) == (errors.Refused, ours, False)
    assert error.remedy
    if "Tomorrow" not in code:
        assert server.refusal(error).code == code
