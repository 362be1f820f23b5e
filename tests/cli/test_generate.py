"""``lineread generate``: a request in JSON, a response in JSON, and every mistake by its name."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import sys
import wave
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineread.cli import main
from lineread.cli.generate import FIELDS, parse
from lineread.engines.fake import Act, Fake
from lineread.errors import MalformedRequest, ServiceFailed

REQUEST = {"text": "Hello there.", "voice": "Cherry"}


def generate(*arguments: str, **fields: object) -> int:
    return main(["generate", "-e", "fake", "--request", json.dumps({**REQUEST, **fields}), *arguments])


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """The engine that ``-e fake`` means in this test."""
    engine = Fake()
    monkeypatch.setattr(Fake, "configured", classmethod(lambda cls, settings: engine))
    return engine


def test_the_response_is_all_that_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """``--print-response`` prints the normalized response as one JSON object, and it leads to the sound."""
    assert generate("--print-response") == 0
    output = capsys.readouterr()
    assert output.err == ""
    assert output.out.count("\n") == 1
    response = json.loads(output.out)
    assert list(response) == ["audio_url", "sample_rate", "format"]
    assert (response["sample_rate"], response["format"]) == (24_000, "wav")
    path = Path(unquote(urlsplit(response["audio_url"]).path))
    assert path.parent == Path("output/ai-audio-tts/audio").resolve()
    with wave.open(str(path)) as file:
        assert file.getnframes() == 0.6 * 24_000


def test_the_response_of_a_stream(capsys: pytest.CaptureFixture[str]) -> None:
    """With ``stream`` the response carries the PCM, and no file is written unless one is named."""
    assert generate("--print-response", stream=True) == 0
    response = json.loads(capsys.readouterr().out)
    assert list(response) == ["audio_base64_pcm", "sample_rate", "format"]
    assert response["format"] == "pcm"
    pcm = base64.b64decode(response["audio_base64_pcm"])
    assert list(Path().iterdir()) == []
    assert generate("--print-response", "--output", "a.pcm", stream=True) == 0
    assert json.loads(capsys.readouterr().out) == response
    assert Path("a.pcm").read_bytes() == pcm


def test_a_named_file(capsys: pytest.CaptureFixture[str]) -> None:
    """``--output`` writes there, by the suffix's format; without ``--print-response`` the path is printed."""
    assert generate("--output", "a/b.mp3") == 0
    assert capsys.readouterr().out == "a/b.mp3\n"
    assert generate("--output", "a/b.flac", "--print-response", format="flac") == 0
    response = json.loads(capsys.readouterr().out)
    assert response["format"] == "flac"
    assert response["audio_url"].endswith("/a/b.flac")
    assert generate("--output", "a/b.flac", format="FLAC") == 0
    assert capsys.readouterr().out == "a/b.flac\n"
    assert generate("--output", "a/b.flac", format="mp3") == 2
    assert "mp3" in capsys.readouterr().err


def test_a_file_or_standard_input(calls: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request may lie in a file, of any usual encoding, or come through a pipe."""
    text = json.dumps({**REQUEST, "text": "你好 🎧"}, ensure_ascii=False)
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        Path("request.json").write_text(text, encoding=encoding)
        assert main(["generate", "-e", "fake", "--no-cache", "--file", "request.json"]) == 0
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode(encoding))))
        assert main(["generate", "-e", "fake", "--no-cache", "--file", "-"]) == 0
    assert [segment.text for segment in calls.calls] == ["你好 🎧"] * 6


def test_every_field_reaches_the_engine(calls: Fake) -> None:
    """All fields of a request can be given."""
    fields = {"language_type": "german", "instruction": "Calm.", "model": "m", "rate": 1.5, "pitch": 0.9, "volume": 60,
              "take": 3, "format": "ogg"}  # fmt: skip
    assert generate(**fields) == 0
    request = calls.calls[0].request
    assert {name: getattr(request, name) for name in fields} == {**fields, "language_type": "German"}
    assert {*REQUEST, *fields, "stream"} == set(FIELDS)


@pytest.mark.parametrize(
    ("request_json", "words"),
    [
        ("", ["not JSON", '{"text":']),
        ("{", ["not JSON", "line 1"]),
        ('{"text": "a", "voice": "b",}', ["not JSON", "column"]),
        ("[]", ["not a JSON object"]),
        ('"text"', ["not a JSON object"]),
        ("null", ["not a JSON object"]),
        ("[" * 100_000, ["not JSON"]),
        ('{"text": "a", "voice": "b", "take": ' + "1" * 5000 + "}", ["not JSON"]),
        ('{"text": "a"}', ["'voice'", "required"]),
        ('{"voice": "a"}', ["'text'", "required"]),
        (
            '{"text": "a", "voice": "b", "instructions": "c"}',
            ["'instructions'", "instruction?"],
        ),
        ('{"text": "a", "voice": "b", "xyz": 1}', ["'xyz'", "language_type"]),
        ('{"text": "a", "voice": "b", "stream": "yes"}', ["'stream'", "true or false"]),
        ('{"text": "a", "voice": "b", "stream": 1}', ["'stream'"]),
        ('{"text": "a", "voice": "b", "stream": null}', ["'stream'", "leave it out"]),
        ('{"text": "a", "voice": "b", "text": "c"}', ["a field twice", "once"]),
        ('{"text": "a", "voice": "b", "%s": 1}' % ("x" * 5000), ["xxx…'"]),
        ('{"text": 7, "voice": "b"}', ["text"]),
        ('{"text": null, "voice": "b"}', ["text"]),
        ('{"text": " ", "voice": "b"}', ["empty"]),
        ('{"text": "\\ud83d", "voice": "b"}', ["position 0"]),
        ('{"text": "a", "voice": ["b"]}', ["voice"]),
        ('{"text": "a", "voice": "b", "rate": "fast"}', ["rate"]),
        ('{"text": "a", "voice": "b", "rate": NaN}', ["rate", "0.5"]),
        ('{"text": "a", "voice": "b", "rate": 1e999}', ["rate", "0.5"]),
        ('{"text": "a", "voice": "b", "format": null}', ["format"]),
        ('{"text": "a", "voice": "b", "format": "aac"}', ["'aac'", "mp3"]),
        ('{"text": "a", "voice": "b", "format": {}}', ["format"]),
        ('{"text": "a", "voice": "b", "language_type": "x"}', ["'x'", "English"]),
    ],
)
def test_a_malformed_request_is_named(
    request_json: str, words: list[str], calls: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each mistake in a request is one line that names the field; nothing is spoken, nothing on standard output."""
    assert main(["generate", "-e", "fake", "--request", request_json, "--print-response"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("lineread: ")
    assert output.err.count("\n") == 1
    assert len(output.err) < 500
    for word in words:
        assert word in output.err
    assert calls.calls == []
    assert list(Path().iterdir()) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*FIELDS, "x"]), inner, max_size=6),
    max_leaves=10,
)


@given(json_values.map(json.dumps) | st.text(max_size=20))
@settings(max_examples=200)
def test_any_text_is_a_request_or_refused(text: str) -> None:
    """Whatever is given as a request, it is read or refused in our own words."""
    with contextlib.suppress(MalformedRequest):
        fields = parse(text)
        assert {"text", "voice"} <= fields.keys() <= set(FIELDS)


def test_a_failure_prints_no_response(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """When the engine fails, there is no response, no path and no file."""
    engine = Fake([Act(chunks=2, error=ServiceFailed("It broke."), after=1)])
    monkeypatch.setattr(Fake, "configured", classmethod(lambda cls, settings: engine))
    assert generate("--print-response", "--output", "a.wav") == 5
    assert capsys.readouterr().out == ""
    assert list(Path().iterdir()) == []


def test_an_unwritable_output_is_refused_first(calls: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    """A path that cannot be written costs no call."""
    Path("file").touch()
    assert generate("--output", "file/a.wav") == 6
    assert "file/a.wav" in capsys.readouterr().err
    assert calls.calls == []


def test_a_stream_that_goes_nowhere_is_refused(calls: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    """With ``stream`` but neither a response nor a file asked for, nothing would come of it: it is not paid for."""
    assert generate(stream=True) == 2
    assert "--print-response" in capsys.readouterr().err
    assert calls.calls == []
