"""What docstrings and comments name is there: modules, what is in them, and the maps of packages."""

from __future__ import annotations

import ast
import functools
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src"
PACKAGE = SOURCE / "lineread"
#: Whose names are looked for also where nothing marks them as code.
OURS = "|".join(["lineread", *sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))])
NAME = re.compile(
    rf"``([a-z_]\w*(?:\.\w+)+)(?:\(\))?``|:\w+:`~?([a-z_]\w*(?:\.\w+)+)`|(?<![\w./])((?:{OURS})(?:\.[a-z_]\w*)+)"
)
#: A line of a package's map: the module, and what it is for.
ROW = re.compile(r"^    ([a-z_]+)/?  +\w", re.MULTILINE)
MODULES = sorted(PACKAGE.rglob("*.py"))


def file_of(parts: tuple[str, ...]) -> Path | None:
    """The file of a module, if there is one."""
    place = SOURCE.joinpath(*parts)
    found = (place / "__init__.py", place.with_name(f"{place.name}.py"))
    return next((path for path in found if path.is_file()), None)


@functools.cache
def inside(path: Path) -> set[str]:
    """Every name that a module's code has."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.alias):
            found.add(node.asname or node.name)
    return found


def is_stale(name: str, home: tuple[str, ...]) -> bool:
    """Whether a name begins like one of ours, seen from a package, and leads nowhere."""
    first, *rest = name.split(".")
    outer = [(*home[:length], first) for length in range(len(home), 0, -1)]
    roots = [("lineread",)] if first == "lineread" else [root for root in outer if file_of(root)]
    return bool(roots) and not any(leads(root, rest) for root in roots)


def leads(parts: tuple[str, ...], rest: list[str]) -> bool:
    """Whether the rest of a name is in a module, or in one that is in it."""
    if not rest:
        return True
    path = file_of(parts)
    assert path is not None
    inner = (*parts, rest[0])
    return leads(inner, rest[1:]) if file_of(inner) else rest[0] in inside(path)


def prose(path: Path) -> Iterator[str]:
    """A module's docstrings and comments."""
    code = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def test_names_lead_somewhere() -> None:
    """A module that moved takes its name along wherever docstrings and comments speak of it."""
    stale = [
        f"{path.relative_to(SOURCE)}: {name}"
        for path in MODULES
        for text in prose(path)
        for name in map("".join, NAME.findall(text))
        if is_stale(name, path.relative_to(SOURCE).parent.parts)
    ]
    assert not stale


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.name == "__init__.py"], ids=lambda path: path.parent.name
)
def test_maps_are_whole(path: Path) -> None:
    """A package's map has each module of it, and none that is gone."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    rows = set(ROW.findall(text))
    here = {each.stem for each in path.parent.glob("*.py")} | {
        each.parent.name for each in path.parent.glob("*/__init__.py")
    }
    if len(rows) > 1:
        assert rows <= here
        assert here - {"__init__"} <= set(re.findall(r"\w+", text))
