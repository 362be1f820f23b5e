"""What clients of the server are told to do: nothing that takes a command line, or a setting of the server's."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import lineread
from lineread import errors
from lineread.errors import ConfigError, LinereadError
from lineread.wire import advice

#: What only whoever runs the server can do.
HANDS = re.compile(r"`?lineread [a-z]+|--[a-z]|DASHSCOPE_|LINEREAD_|HTTPS_PROXY|[Ee]ngine (builtin|dashscope)")
#: Where errors are made that reach a client.
PLACES = ("engines", "wire", "live", "catalogue.py", "plan.py", "tongue.py", "voices/casting.py", "voices/sample.py")
ROOT = Path(lineread.__file__).parent


def remedies() -> Iterator[tuple[str, str]]:
    """The code and the source of each error there whose remedy takes hands on the server."""
    for place in PLACES:
        for path in sorted((ROOT / place).rglob("*.py")) or [ROOT / place]:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and (found := _remedy(node)) and HANDS.search(found):
                    yield _code(node), f"{path.name}: {found}"


def _remedy(call: ast.Call) -> str:
    named = next((each.value for each in call.keywords if each.arg == "remedy"), None)
    row = call.args[2] if ast.unparse(call.func) == "_Row" else None
    found = named or row
    return "" if found is None else ast.unparse(found)


def _code(call: ast.Call) -> str:
    said = next((ast.literal_eval(each.value) for each in call.keywords if each.arg == "code"), None)
    kind = ast.unparse(call.args[0] if ast.unparse(call.func) == "_Row" else call.func)
    made = getattr(errors, kind, LinereadError)
    return made.code if said is None or issubclass(made, ConfigError) else said


@pytest.mark.parametrize(("code", "source"), sorted(set(remedies())))
def test_remedies_for_clients(code: str, source: str) -> None:
    """Where a remedy takes hands on the server, a client is told another."""
    remedy = advice.remedy(LinereadError("It cannot be.", remedy="lineread voices", code=code))
    assert code in advice.SERVER or remedy != "lineread voices", source


def test_did_you_mean_is_kept() -> None:
    """A guess at what was meant is as good for a client; where to look is not."""
    error = LinereadError("No.", remedy="Did you mean Cherry? `lineread voices` lists all.", code="unknown_voice")
    assert advice.remedy(error) == "Did you mean Cherry? GET /v1/audio/voices lists the voices."
