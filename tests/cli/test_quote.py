"""`lineread quote` and `--budget`: what a text will cost, and that no more is spent."""

from __future__ import annotations

import json

import pytest

from lineread.cli import main


def test_a_quote_for_the_cloud(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Characters, price, length and calls, as a table and as JSON; nothing is sent, so any key will do."""
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-nobody-asks")
    assert main(["quote", "-v", "ethan", "你好，世界。" * 300]) == 0
    said = capsys.readouterr().out
    assert "Ethan (dashscope, qwen3-tts-flash)" in said
    assert "3,000 characters" in said
    assert "0.2400 yuan" in said
    assert "about 6 min" in said
    assert "calls:   3" in said
    assert main(["quote", "--json", "-m", "qwen-tts", "Hello."]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["characters"], facts["yuan"], facts["calls"]) == (6, None, 1)


def test_a_quote_for_the_machine(capsys: pytest.CaptureFixture[str]) -> None:
    """What the machine speaks costs nothing; what was spoken needs no call."""
    assert main(["say", "-q", "-e", "builtin", "Hello."]) == 0
    capsys.readouterr()
    assert main(["quote", "-e", "builtin", "Hello."]) == 0
    said = capsys.readouterr().out
    assert "6 characters, 6 of them stored" in said
    assert "nothing" in said
    assert "calls:   0" in said


def test_no_more_is_spent_than_the_budget(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that costs more is refused before its first call, with status 2, by whichever command."""
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-nobody-asks")
    assert main(["say", "--budget", "10characters", "A line of more than ten characters."]) == 2
    assert "That costs up to 35 characters, and 10 of 10 characters are left." in capsys.readouterr().err
    assert main(["quote", "--budget", "10characters", "A line of more than ten characters."]) == 2
    said = capsys.readouterr()
    assert "35 characters" in said.out
    assert "10 of 10 characters are left" in said.err
    request = '{"text": "A line of more than ten characters.", "voice": "Cherry"}'
    assert main(["generate", "--budget", "¥0.0001", "--request", request]) == 2
    assert "up to 0.0028 yuan" in capsys.readouterr().err
