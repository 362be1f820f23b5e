"""``lineread voices`` and ``lineread models``: complete tables for people, complete records for programs."""

from __future__ import annotations

import json
import unicodedata

import pytest

from lineread import catalogue
from lineread.cli import main


def cells(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


@pytest.mark.parametrize(("command", "rows"), [("voices", 48), ("models", 23)])
def test_the_table(command: str, rows: int, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each, its columns aligned on a terminal also where Han characters take two cells."""
    assert main([command]) == 0
    head, *lines = capsys.readouterr().out.split("\n\n")[0].splitlines()
    assert len(lines) == rows
    known = catalogue.load().voices if command == "voices" else catalogue.load().models
    assert [next(name for name in known if line.startswith(f"{name}  ")) for line in lines] == list(known)
    column = cells(head[: head.index("GENDER" if command == "voices" else "CALLED BY")])
    for line in lines:
        at = next(place for place in range(len(line)) if cells(line[:place]) == column)
        assert line[at - 2 : at] == "  "
        assert line[at] != " "
        assert line == line.rstrip()


def test_voices_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """``--json`` gives a record for each voice, with the models that have it."""
    assert main(["voices", "--json"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert len(records) == 48
    cherry = records[0]
    assert (cherry["id"], cherry["name"], cherry["gender"], cherry["age"]) == ("Cherry", "芊悦", "female", "young")
    assert {"qwen3-tts-flash", "qwen3-tts-instruct-flash", "qwen-tts"} <= set(cherry["models"])
    assert "families" not in cherry


@pytest.mark.parametrize(
    ("model", "count"), [("qwen3-tts-instruct-flash", 24), ("QWEN-TTS", 4), ("qwen3-tts-vc-2026-01-22", 0)]
)
def test_voices_of_a_model(model: str, count: int, capsys: pytest.CaptureFixture[str]) -> None:
    """``--model`` leaves those that it has."""
    assert main(["voices", "--json", "-m", model]) == 0
    assert len(json.loads(capsys.readouterr().out)) == count
    assert main(["voices", "--model", model]) == 0
    assert len(capsys.readouterr().out.splitlines()) == count + 1


def test_voices_of_no_model(capsys: pytest.CaptureFixture[str]) -> None:
    """A model that does not exist is refused with the one that was meant."""
    assert main(["voices", "-m", "qwen3-tts-instruct"]) == 2
    assert "Did you mean qwen3-tts-instruct-flash" in capsys.readouterr().err


def test_models_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """``--json`` gives every fact of every model."""
    assert main(["models", "--json"]) == 0
    records = {record["id"]: record for record in json.loads(capsys.readouterr().out)}
    assert len(records) == 23
    flash = records["qwen3-tts-flash"]
    assert (flash["limit"], flash["rpm"], flash["transport"], flash["instructions"]) == (600, 180, "http", False)
    assert flash["prices"] == {"cn-beijing": 0.8, "ap-southeast-1": 0.733924}
