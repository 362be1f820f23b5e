"""``lineread say``: text from anywhere, audio to anywhere, one line when something is wrong."""

from __future__ import annotations

import base64
import io
import json
import os
import struct
import sys
import wave
from pathlib import Path

import pytest

from lineread.cli import main
from lineread.engines.fake import Act, Fake
from lineread.errors import Refused
from support import lineread

FAKE = ["say", "-e", "fake"]


def say(*arguments: str) -> int:
    return main([*FAKE, *arguments])


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """The engine that ``-e fake`` means in this test, to look at afterwards."""
    engine = Fake()
    monkeypatch.setattr(Fake, "configured", classmethod(lambda cls, settings: engine))
    return engine


def piped(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def only_line(text: str) -> str:
    assert text.count("\n") == 1, text
    return text.strip()


def test_the_path_is_the_only_output(capsys: pytest.CaptureFixture[str]) -> None:
    """It prints the path of a WAV that was written at the default place, and nothing else."""
    assert say("Hello, this is a short voice line.") == 0
    output = capsys.readouterr()
    path = only_line(output.out)
    assert output.err == ""
    assert Path(path).parent == Path("output/ai-audio-tts/audio")
    assert "hello-this-is-a-short-voice-line-cherry-" in path
    with wave.open(path) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        assert 1 < file.getnframes() / 24_000 < 2


def test_the_same_request_is_the_same_file(calls: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    """Said again, the line comes from the cache and names the same file; another take, voice or rate names another."""
    for _ in range(2):
        assert say("Hello.") == 0
    one, two = capsys.readouterr().out.split()
    assert one == two
    assert len(calls.calls) == 1
    for change in (["--take", "2"], ["-v", "Ethan"], ["--rate", "1.5"], ["-l", "German"], ["-i", "Sad."]):
        assert say(*change, "Hello.") == 0
        assert only_line(capsys.readouterr().out) != one
    assert len(calls.calls) == 6
    assert len(list(Path("output").rglob("*.wav"))) == 6


def test_what_is_printed_is_what_was_written(calls: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the default name is taken by other content, that is left alone, and the printed path is the new file."""
    assert say("Hello.") == 0
    path = Path(only_line(capsys.readouterr().out))
    path.write_bytes(b"precious")
    assert say("Hello.") == 0
    other = Path(only_line(capsys.readouterr().out))
    assert path.read_bytes() == b"precious"
    assert other != path
    assert other.read_bytes().startswith(b"RIFF")
    assert say("--json", "Hello.") == 0
    assert json.loads(capsys.readouterr().out)["path"] == str(other)


@pytest.mark.parametrize(
    ("name", "magic"),
    [("a.wav", b"RIFF"), ("a.mp3", b"\xff"), ("a.flac", b"fLaC"), ("a.ogg", b"OggS"), ("deep/er/A.WAV", b"RIFF")],
)
def test_the_suffix_is_the_format(name: str, magic: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """``-o`` writes the format that the name says, makes directories that are missing, and prints the path."""
    assert say("-o", name, "Hello there.") == 0
    assert only_line(capsys.readouterr().out) == name
    assert Path(name).read_bytes().startswith(magic)
    assert {path.name for path in Path(name).parent.iterdir()} == {Path(name).name}  # and leaves nothing beside it


def test_a_file_that_the_user_named_is_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    """Who names a file means it: it is written anew."""
    Path("a.pcm").write_bytes(b"old")
    assert say("-o", "a.pcm", "Hello.") == 0
    assert len(Path("a.pcm").read_bytes()) == 2 * round(0.3 * 24_000)


def test_a_format_without_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    """``--format`` chooses where no name does, and must not contradict one that does."""
    assert say("--format", "flac", "Hello.") == 0
    assert only_line(capsys.readouterr().out).endswith(".flac")
    assert say("--format", "flac", "-o", "a.mp3", "Hello.") == 2
    assert "mp3" in only_line(capsys.readouterr().err)


def test_text_from_files_and_pipes(
    calls: Fake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Words, a file or standard input are read alike, with or without a byte order mark, in UTF-8 or UTF-16."""
    text = "Grüße 世界 🎧"
    Path("plain.txt").write_text(text, encoding="utf-8")
    Path("bom.txt").write_text(text, encoding="utf-8-sig")
    Path("utf16.txt").write_text(text, encoding="utf-16")
    Path("big.txt").write_bytes(b"\xfe\xff" + text.encode("utf-16-be"))
    assert say("--no-cache", *text.split()) == 0
    for name in ("plain.txt", "bom.txt", "utf16.txt", "big.txt"):
        assert say("--no-cache", "-f", name) == 0
    for data in (text.encode(), text.encode("utf-16"), f"{text}\n".encode()):
        for option in ([], ["-f", "-"]):
            piped(monkeypatch, data)
            assert say("--no-cache", *option) == 0
    assert {segment.text for segment in calls.calls} == {text}
    assert len(calls.calls) == 11


def test_words_may_look_like_options(calls: Fake) -> None:
    """Text that begins with a dash can be said."""
    assert say("--", "-5 degrees", "--really") == 0
    assert calls.calls[0].text == "-5 degrees --really"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["-f", "missing.txt"], 2, ["missing.txt", "No such file"]),
        (["-f", "."], 2, ["directory"]),
        (["-f", "image.png"], 2, ["image.png", "not UTF-8", "Convert it"]),
        (["-f", "gbk.txt"], 2, ["gbk.txt", "not UTF-8", "Convert it"]),
        (["-f", "odd16.txt"], 2, ["odd16.txt", "not UTF-"]),
        (["-f", "empty.txt"], 2, ["text is empty"]),
        (["-f", "blank.txt"], 2, ["text is empty"]),
        ([""], 2, ["text is empty"]),
        (["-f", "blank.txt", "words"], 2, ["Give one of the two"]),
        (["-v", "", "Hello."], 2, ["voice"]),
        (["-l", "klingon", "Hello."], 2, ["'klingon'", "Choose one of Auto"]),
        (["-l", "Englsh", "Hello."], 2, ["Did you mean English"]),
        (["--rate", "9", "Hello."], 2, ["rate", "0.5 to 2"]),
        (["--rate", "nan", "Hello."], 2, ["rate", "0.5 to 2"]),
        (["--pitch", "0", "Hello."], 2, ["pitch", "0.5 to 2"]),
        (["--volume", "101", "Hello."], 2, ["volume", "0 to 100"]),
        (["--take", "0", "Hello."], 2, ["take"]),
        (["-o", "a.aac", "Hello."], 2, ["aac", "mp3"]),
        (["-o", "blank.txt/a.wav", "Hello."], 6, ["blank.txt/a.wav"]),
        (["-o", ".", "Hello."], 6, ["directory"]),
        (["-o", "", "Hello."], 6, ["'' is not a name"]),
        (["-o", "nul\0.wav", "Hello."], 6, ["not a name"]),
        (["-o", "x" * 300 + ".wav", "Hello."], 6, ["too long"]),
        (["-e", "fkae", "Hello."], 3, ["no engine 'fkae'", "fake"]),
        (["--fallback", "fkae", "Hello."], 3, ["no engine 'fkae'", "fake"]),
        (["--region", "mars", "Hello."], 3, ["'mars'", "cn-beijing"]),
        (["--base-url", "example.com", "Hello."], 3, ["base URL", "https://"]),
        (["-e", "dashscope", "Hello."], 3, ["DASHSCOPE_API_KEY", "builtin"]),
    ],
)
def test_every_mistake_is_one_line(
    arguments: list[str], status: int, words: list[str], calls: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be done is one line with a remedy and its status; no engine is asked and no file appears."""
    Path("image.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    Path("gbk.txt").write_bytes("你好，世界".encode("gbk"))
    Path("odd16.txt").write_bytes(b"\xff\xfea")
    Path("empty.txt").write_bytes(b"")
    Path("blank.txt").write_bytes(b" \n\t\n")
    before = sorted(Path().rglob("*"))
    assert say(*arguments) == status
    output = capsys.readouterr()
    assert output.out == ""
    line = only_line(output.err)
    assert line.startswith("lineread: ")
    for word in words:
        assert word in line
    assert calls.calls == []
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(("data", "words"), [(b"", "is empty"), (b" \n", "is empty"), (b"\xff\xfe\x00", "not UTF-8")])
def test_nothing_useful_on_standard_input(
    data: bytes, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty pipe, and one with something that is no text, are refused like an empty file."""
    piped(monkeypatch, data)
    assert say() == 2
    assert words in only_line(capsys.readouterr().err)


@pytest.mark.parametrize(
    "arguments", [["--json", "-o", "-"], ["--json", "--stream", "-o", "a.wav"], ["--json", "--stream", "--play"]]
)
def test_outputs_that_exclude_each_other(arguments: list[str], calls: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    """Two things that cannot both be on standard output, or be done at once, are refused, and none is dropped."""
    assert say(*arguments, "Hello.") == 2
    output = capsys.readouterr()
    assert "--json" in only_line(output.err)
    assert json.loads(output.out)["error"]["code"] == "bad_usage"
    assert calls.calls == []


def test_a_mistake_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """With ``--json`` the error is on standard output too, as one object with its stable code."""
    assert say("--json", "--rate", "9", "Hello.") == 2
    output = capsys.readouterr()
    error = json.loads(output.out)["error"]
    assert (error["code"], error["retryable"]) == ("bad_option", False)
    assert error["remedy"] in output.err


def test_the_result_as_json(calls: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    """``--json`` tells all about the result in one object, the second time from the cache and for nothing."""
    records = []
    for _ in range(2):
        assert say("--json", "-v", "Ethan", "-o", "a.flac", "Hello there.") == 0
        records.append(json.loads(only_line(capsys.readouterr().out)))
    first, second = records
    assert {**first, "cached": True, "characters": 0} == second
    assert first == {
        "path": "a.flac", "sample_rate": 24_000, "format": "flac", "duration": 0.6, "voice": "Ethan", "engine": "fake",
        "model": "fake", "stand_in": "a tone", "fallback_reason": "",
        "cached": False, "characters": 12, "segments": 1, "request_id": "fake-1",
    }  # fmt: skip


def test_the_chunks_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """``--stream --json`` prints each chunk as a line of its own; together they are the speech."""
    text = "Hello there. " * 80
    assert say("--stream", "--json", text) == 0
    chunks = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(chunks) >= 2
    at = 0
    for chunk in chunks:
        assert chunk["offset"] == at
        at += len(base64.b64decode(chunk["audio_base64_pcm"])) // 2
        assert (chunk["sample_rate"], chunk["format"]) == (24_000, "pcm")
        for word in chunk["words"]:
            assert text[slice(*word["span"])] == word["word"]
            assert 0 <= word["start"] < word["end"] <= at / 24_000
    assert [chunk["finish_reason"] for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert not Path("output").exists()


def test_audio_on_standard_output() -> None:
    """``-o -`` and ``--stream`` write nothing but audio, in the asked format, and no file."""
    whole = lineread(*FAKE, "-o", "-", "Hello.")
    assert (whole.returncode, whole.stderr) == (0, b"")
    assert whole.stdout[:4] == b"RIFF"
    assert lineread(*FAKE, "--stream", "Hello.").stdout == whole.stdout
    bare = lineread(*FAKE, "-o", "-", "--format", "pcm", "Hello.").stdout
    assert len(bare) == 2 * round(0.3 * 24_000)
    assert whole.stdout.endswith(bare)
    assert struct.unpack("<I", whole.stdout[24:28]) == (24_000,)
    assert lineread(*FAKE, "-o", "-", "--format", "flac", "Hello.").stdout[:4] == b"fLaC"
    assert not Path("output").exists()


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """``-q`` leaves nothing but errors on standard error; what was asked to be printed is printed."""
    assert main(["say", "-q", "-o", "a.wav", "Hello there."]) == 0  # by the built-in voice, for lack of a key
    output = capsys.readouterr()
    assert output.err == ""
    assert Path("a.wav").exists()
    assert main(["say", "-q", "--rate", "9", "Hello there."]) == 2
    assert only_line(capsys.readouterr().err)


def test_the_voice_is_cherry_unless_named(calls: Fake) -> None:
    """``say`` alone has a default voice."""
    assert say("Hello.") == 0
    assert say("-v", "Ethan", "Hello.") == 0
    assert [segment.request.voice for segment in calls.calls] == ["Cherry", "Ethan"]


def test_every_option_reaches_the_request(calls: Fake) -> None:
    """Each option of the voice is a field of the request."""
    how = ["-v", "Ethan", "-l", "german", "-i", "Calm.", "-m", "some", "--rate", "1.5", "--pitch", "0.9"]
    assert say(*how, "--volume", "60", "--take", "3", "-o", "a.mp3", "Guten Tag.") == 0
    request = calls.calls[0].request
    assert (request.text, request.voice, request.language_type) == ("Guten Tag.", "Ethan", "German")
    assert (request.instruction, request.model, request.format) == ("Calm.", "some", "mp3")
    assert (request.rate, request.pitch, request.volume, request.take) == (1.5, 0.9, 60, 3)


def test_a_failure_leaves_no_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """When the engine fails in the middle, the status says so, and no half file stays, named or not."""
    for target in ([], ["-o", "a.wav"]):
        failing = Fake([Act(chunks=3, error=Refused("No.", request_id="R-7"), after=2)])
        monkeypatch.setattr(Fake, "configured", classmethod(lambda cls, settings, engine=failing: engine))
        assert say(*target, "Hello there.") == 4
        output = capsys.readouterr()
        assert output.out == ""
        assert output.err.splitlines() == ["lineread: No.", "lineread: the service's request id is R-7"]
    assert [path for path in Path().rglob("*") if path.is_file()] == []


def test_a_name_that_is_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    """A file name of any bytes is written and printed as it was given."""
    name = os.fsdecode(b"odd-\xff.wav")
    done = lineread(*FAKE, "-o", name, "Hello.")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"odd-\xff.wav\n"
    assert Path(name).exists()


def test_nothing_to_say_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On a terminal, without words, it says how to give some instead of waiting for ever."""
    _, slave = os.openpty()
    monkeypatch.setattr(sys, "stdin", open(slave, encoding="utf-8"))  # noqa: SIM115 - closed with the terminal
    assert say() == 2
    assert "nothing to speak" in only_line(capsys.readouterr().err)
    sys.stdin.close()


def test_a_player_that_is_not_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a sound device the file is kept and told, one line says what is the matter, and JSON is one document."""
    player = tmp_path / "ffplay"
    player.write_text("#!/bin/sh\ncat >/dev/null\necho 'No more combinations to try, audio open failed' >&2\n")
    player.chmod(0o755)
    monkeypatch.setenv("LINEREAD_PLAYER", str(player))
    assert say("--play", "-o", "a.wav", "Hello.") == 6
    output = capsys.readouterr()
    assert (output.out, "audio open failed" in only_line(output.err)) == ("a.wav\n", True)
    assert Path("a.wav").stat().st_size > 1000
    assert say("--play", "-o", "a.wav", "--json", "Hello.") == 6
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "output_failed"


def test_a_fallback_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """When the asked engine fails and another one speaks, standard error tells who and why, and so does JSON."""
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-for-tests")
    words = ["say", "Hello.", "--no-cache", "--fallback", "fake", "--base-url", "http://127.0.0.1:1/api/v1", "--json"]
    monkeypatch.setattr("lineread.wrappers.Retrying", lambda inner: inner)  # one attempt is enough to fail
    assert main(words) == 0
    said = capsys.readouterr()
    assert "Cannot reach 127.0.0.1" in said.err
    assert "fake spoke" in said.err
    record = json.loads(said.out)
    assert record["engine"] == "fake"
    assert "Cannot reach" in record["fallback_reason"]
