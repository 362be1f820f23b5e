"""``lineread voices``: voices of one's own from the command line, as the guide shows it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lineread.cli import main

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


def test_what_fails_after_the_making(capsys: pytest.CaptureFixture[str]) -> None:
    """Words that cannot be said are an error that says that the voice is made."""
    assert main(["voices", "design", PROMPT, "--name", "guide", "--text", "你好，世界。", *HERE]) == 2
    told = capsys.readouterr()
    assert told.out.startswith("guide is qwen-tts-vd-guide-voice-")
    assert "guide is made" in told.err
