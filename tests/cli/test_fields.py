"""`lineread fields`: tables that fit, and the schemas of the documentation."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from lineread.cli import main, options
from lineread.fields import CALLS, Field
from support import python

SCHEMAS = Path(__file__).parent.parent.parent / "docs" / "schemas"


def _fields() -> list[tuple[str, Field]]:
    return [(call.name, field) for call in CALLS for field in (*call.request, *call.response)]


@pytest.mark.parametrize("width", [80, 160])
def test_tables_fit_a_terminal(width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is longer than the terminal's, and all that is declared is there, whatever way it is wrapped."""
    monkeypatch.setattr(options, "terminal_width", lambda: width)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for call in CALLS:
        assert main(["fields", call.name]) == 0
        said = capsys.readouterr().out
        assert max(map(len, said.splitlines())) <= width
        assert min(len(line) for line in said.splitlines() if line) > 3
        words = {word.strip("[]") for word in said.split()}
        for field in (*call.request, *call.response):
            assert set(" ".join(field.row[:-1]).split()) <= words


def test_a_pipe_gets_a_line_a_field(capsys: pytest.CaptureFixture[str]) -> None:
    """What is piped can be searched by line: a field's name, limits, place and whole meaning stand in one."""
    for call, field in _fields():
        main(["fields", call])
        lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith(f"{field.name} ")]
        assert any(line.endswith(field.meaning) and field.limits in line and field.dashscope in line for line in lines)


def test_json_is_the_schemas_of_the_documentation(capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` prints what lies in docs/schemas, of one call or of all; DashScope's places are in it."""
    assert main(["fields", "--json"]) == 0
    everything = json.loads(capsys.readouterr().out)
    for call in CALLS:
        assert main(["fields", call.name, "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert said == everything[call.name]
        for part, schema in said.items():
            assert schema == json.loads((SCHEMAS / f"{call.name}.{part}.json").read_text(encoding="utf-8"))
    assert said["request"]["properties"]["voice_prompt"]["x-dashscope"] == "input.voice_prompt"


def test_an_overview_without_a_name_and_a_hint_for_a_wrong_one(capsys: pytest.CaptureFixture[str]) -> None:
    """All calls with all their fields in short; a misspelt call is told the one that was meant."""
    assert main(["fields"]) == 0
    said = capsys.readouterr().out
    assert all(field.name in said for _, field in _fields())
    assert "text, voice, [language_type]" in said
    assert main(["fields", "voice_desing"]) == 2
    assert "Did you mean voice_design" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["fields", "generate"], ["skill", "list"]])
def test_it_is_light(command: list[str]) -> None:
    """Neither arrays nor a loop nor a client of the network is loaded for it."""
    done = python(f"import sys; from lineread.cli import main; main({command!r}); print(*sys.modules, file=sys.stderr)")
    assert not {"numpy", "asyncio", "aiohttp", "onnxruntime"} & set(done.stderr.decode().split())
