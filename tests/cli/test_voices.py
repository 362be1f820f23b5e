"""``lineread voices``: voices of one's own from the command line, as the guide shows it."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from lineread import tts
from lineread.cli import main
from lineread.errors import OptionError, OutputError
from lineread.results import Speech

PROMPT = "A dry, low-pitched museum guide in his fifties."
HERE = ["-e", "builtin"]


def said(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    """What the command prints on standard output."""
    assert main(["voices", *words]) == status
    return capsys.readouterr().out


def test_a_voice_from_its_making_to_its_end(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It is designed, heard, shown, listed, exported, deleted and taken in again."""
    out = said(capsys, "design", PROMPT, "--name", "guide", "--text", "This way, please.", "-o", "guide.wav", *HERE)
    assert out.startswith("guide is qwen-tts-vd-guide-voice-")
    assert out.endswith("guide.wav\n")
    assert os.path.getsize("guide.wav") > 10_000
    shown = said(capsys, "show", "guide")
    assert PROMPT in shown
    assert "approximate" in shown
    assert "qwen-tts-vd-guide-voice-" in shown
    assert main(["say", *HERE, "-q", "-v", "GUIDE", "-o", "hall.wav", "And here is the second hall."]) == 0
    capsys.readouterr()
    assert said(capsys, "list", "--own").splitlines()[1].split()[:2] == ["guide", "design"]
    said(capsys, "export", "cast.zip")
    voice = json.loads(said(capsys, "show", "guide", "--json"))["ids"][0]["voice"]
    assert voice in said(capsys, "remote", *HERE)
    assert said(capsys, "delete", "guide", "guide", *HERE) == "guide is deleted.\n"
    assert voice not in said(capsys, "remote", *HERE)
    assert said(capsys, "import", "cast.zip") == "guide is in the voice book.\n"
    assert main(["say", *HERE, "-q", "-v", "guide", "-o", "again.wav", "And here is the second hall."]) == 0
    assert os.path.getsize("again.wav") == pytest.approx(os.path.getsize("hall.wav"), rel=0.1)
    assert main(["voices", "show", "nobody"]) == 2


def test_a_voice_of_which_only_the_book_was_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A book that was brought along from another machine speaks: what is missing here is made again, once."""
    monkeypatch.setenv("LINEREAD_DATA_DIR", str(tmp_path / "data"))
    assert main(["voices", "design", PROMPT, "--name", "guide", "--text", "Hello.", "-q", *HERE]) == 0
    shutil.rmtree(tmp_path / "data" / "made")
    for name in ("one.wav", "two.wav"):
        assert main(["say", *HERE, "-q", "--no-cache", "-v", "guide", "-o", name, "Back again."]) == 0
    assert Path("one.wav").read_bytes() == Path("two.wav").read_bytes()
    assert len(list((tmp_path / "data" / "made").iterdir())) == 1


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["clone", "me.wav", "--consent", "Me.", "-o", "me2.wav"], 2),
        (["clone", "me.wav", "--consent", "Me.", "--play"], 2),
        (["design", PROMPT, "--text", "Hello.", "--play"], 6),
    ],
)
def test_what_could_not_be_heard_is_refused_before_a_voice_is_made(
    words: list[str], status: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file for no words, a player that is not there: told before anything is paid for."""
    monkeypatch.setenv("LINEREAD_PLAYER", "no-such-player")
    assert main(["voices", *words, "--name", "guide", *HERE]) == status
    assert capsys.readouterr().out == ""
    assert main(["voices", "show", "guide"]) == 2


def test_a_clone_needs_consent(capsys: pytest.CaptureFixture[str]) -> None:
    """Without the note it explains and stops; with it the sample is drawn, and the note is shown from then on."""
    text = (
        "This is my own voice, as it sounds on an ordinary day. I read a few lines, so that a copy can be made of it."
    )
    assert main(["say", *HERE, "-q", "-v", "Ethan", "-o", "me.wav", text]) == 0
    assert main(["voices", "clone", "me.wav", "--name", "narrator", *HERE]) == 2
    assert "--consent" in capsys.readouterr().err
    Path("note.txt").write_text("Ana, by mail on 2026-11-20")
    assert main(["voices", "clone", "me.wav", "--name", "narrator", "--consent-file", "note.txt", *HERE]) == 0
    told = capsys.readouterr()
    assert "pitch" in told.err
    assert "█" in told.err or "▆" in told.err or "#" in told.err
    assert "Ana, by mail on 2026-11-20" in said(capsys, "show", "narrator")


def test_a_greeting_that_the_machine_can_say(capsys: pytest.CaptureFixture[str]) -> None:
    """A Chinese description without words is a voice all the same, with a greeting that its engine speaks."""
    out = said(capsys, "design", "沉稳的中年男声，语速偏慢，适合纪录片旁白。", "--name", "pangbai", *HERE)
    assert "pangbai is qwen-tts-vd-pangbai-voice-" in out
    assert out.endswith(".wav\n")


def test_what_fails_before_the_making_and_after(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words or a file that cannot be are refused before a voice is made; later errors say that it is."""
    design = ["voices", "design", PROMPT, "--name", "guide", *HERE]
    assert main([*design, "--text", "你好，世界。"]) == 2
    assert main([*design, "-o", "guide.xyz"]) == 2
    Path("in the way").write_text("")
    assert main([*design, "-o", "in the way/guide.wav"]) == 6
    assert capsys.readouterr().out == ""

    def full(*_: object) -> str:
        raise OutputError("The disk is full.")

    monkeypatch.setattr(Speech, "save", full)
    assert main([*design, "-o", "guide.wav"]) == 6
    told = capsys.readouterr()
    assert told.out.startswith("guide is qwen-tts-vd-guide-voice-")
    assert "The voice guide is made" in told.err


def test_a_damaged_voice_is_shown_and_can_be_let_go(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be read is in the list, with the way out; both ways out work, and the others are not touched."""
    monkeypatch.setenv("LINEREAD_DATA_DIR", str(tmp_path / "data"))
    for name in ("one", "two", "three"):
        said(capsys, "design", f"{PROMPT} {name}", "--name", name, "--text", "Hello.", *HERE)
    for name in ("one", "two"):
        (tmp_path / "data" / "voices" / name / "voice.json").write_text("{")
    listed = said(capsys, "list", "--own")
    assert "lineread voices delete one --forget" in listed
    assert "three" in listed
    records = json.loads(said(capsys, "list", "--own", "--json"))
    assert {(record["id"], record["kind"]) for record in records} == {
        ("three", "design"),
        ("one", "damaged"),
        ("two", "damaged"),
    }
    assert main(["say", *HERE, "-q", "-v", "one", "Hello."]) == 3
    assert main(["voices", "delete", "one", *HERE]) == 3
    assert "--forget" in capsys.readouterr().err
    assert said(capsys, "delete", "one", "--forget", *HERE) == "one is no longer in the book.\n"
    said(capsys, "design", PROMPT, "--name", "two", "--replace", "--text", "Hello.", *HERE)
    assert [record["id"] for record in json.loads(said(capsys, "list", "--own", "--json"))] == ["three", "two"]


def test_a_book_that_cannot_be_read(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A data directory that is a file is an error that names the setting, and not an empty book."""
    (tmp_path / "data").write_text("a file")
    monkeypatch.setenv("LINEREAD_DATA_DIR", str(tmp_path / "data"))
    assert main(["voices", "list", "--own"]) == 3
    assert "LINEREAD_DATA_DIR" in capsys.readouterr().err


def test_what_cannot_be_meant_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Two notes of consent are one too many; making voices has no fallback; a taken name names the option."""
    assert main(["voices", "clone", "me.wav", "--consent", "a", "--consent-file", "b"]) == 2
    assert "not allowed with" in capsys.readouterr().err
    assert main(["voices", "design", PROMPT, "--fallback", "builtin"]) == 2
    assert "--fallback" in capsys.readouterr().err
    said(capsys, "design", PROMPT, "--name", "guide", "--text", "Hello.", *HERE)
    assert main(["voices", "design", "An old woman.", "--name", "guide", *HERE]) == 2
    assert "--replace" in capsys.readouterr().err
    assert said(capsys, "extend", "guide", "--realtime", *HERE).startswith("guide speaks in live sessions already")


def test_an_export_to_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """A pipe gets the archive and nothing else."""
    assert main(["voices", "design", PROMPT, "--name", "guide", "--text", "Hello.", "-q", *HERE]) == 0
    capfdbinary.readouterr()
    assert main(["voices", "export", "-"]) == 0
    with zipfile.ZipFile(io.BytesIO(capfdbinary.readouterr().out)) as archive:
        assert "guide/voice.json" in archive.namelist()
    assert not Path("-").exists()


def test_a_stream_that_was_heard_still_has_its_voice() -> None:
    """The normalized response of a read stream has the voice's id, and no sound."""
    stream = tts.voice_design(voice_prompt=PROMPT, voice_name="guide", text="Hello.", stream=True, engine="builtin")
    assert len(list(stream)) >= 1
    assert stream.to_dict() == {"voice_id": stream.voice_id, "request_id": ""}
    with pytest.raises(OptionError, match="realtime must be true or false"):
        tts.voice_design(voice_prompt=PROMPT, realtime="yes", engine="builtin")  # type: ignore[call-overload]
