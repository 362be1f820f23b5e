"""``lineread cache``: what is kept, whether it is sound, and what may go."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from lineread.cli import main
from lineread.cli.cache import size


def say(*texts: str) -> None:
    for text in texts:
        assert main(["say", "-e", "fake", "-o", "x.wav", text]) == 0


def entries() -> list[Path]:
    store = Path(os.environ["XDG_CACHE_HOME"]) / "lineread"
    return [path for path in store.rglob("*") if path.is_file() and path.stat().st_size > 5000]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> object:
    """Runs a cache command and gives what it told as JSON."""

    def run(*arguments: str) -> dict[str, object]:
        capsys.readouterr()
        assert main(["cache", *arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]

    return run


def test_an_empty_store(told, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Where nothing was ever kept, all commands work, and make nothing."""
    assert told("stats")["entries"] == 0
    assert told("verify")["checked"] == 0
    assert told("prune", "--all")["removed"] == 0
    assert main(["cache"]) == 0
    assert capsys.readouterr().out.startswith("0 lines, 0 B of at most 2.1 GB, in ")
    assert not (Path(os.environ["XDG_CACHE_HOME"]) / "lineread" / "v1").exists()


def test_stats(told, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """``stats`` counts lines and bytes, and says where they are and how many may be."""
    say("One.", "Two.", "Two.")
    stats = told("stats")
    assert stats["entries"] == 2
    assert stats["bytes"] >= sum(path.stat().st_size for path in entries())
    assert stats["root"] == os.path.join(os.environ["XDG_CACHE_HOME"], "lineread")
    assert main(["cache", "stats"]) == 0
    assert "2 lines" in capsys.readouterr().out


def test_verify_finds_what_rotted(told, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """``verify`` reads everything, removes what is not as it was written, and says so."""
    say("One.", "Two.", "Three.")
    assert main(["cache", "verify"]) == 0
    assert "3 lines checked, none broken" in capsys.readouterr().out
    path = entries()[0]
    data = bytearray(path.read_bytes())
    data[-100] ^= 1  # one bit of the sound
    path.write_bytes(data)
    report = told("verify")
    assert (report["checked"], len(report["broken"])) == (3, 1)
    assert told("verify") == {"checked": 2, "broken": []}


def test_prune(told) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """``prune`` removes by age, by size, or everything; what is left still counts."""
    say("One.", "Two.", "Three.")
    old = entries()[0]
    os.utime(old, (time.time() - 40 * 86_400,) * 2)
    assert told("prune", "--older-than", "50")["removed"] == 0
    assert told("prune", "--older-than", "30")["removed"] == 1
    assert not old.exists()
    assert told("prune", "--to", "1G")["removed"] == 0
    assert told("prune", "--to", "25K")["removed"] == 1
    assert told("prune", "--all")["removed"] == 1
    assert told("stats")["entries"] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["prune"], "--to SIZE"),
        (["prune", "--to", "much"], "--to takes a size, not 'much'"),
        (["prune", "--to", "-5"], "'-5'"),
        (["prune", "--older-than", "soon"], "soon"),
        (["prune", "--older-than", "nan"], "--older-than"),
        (["prune", "--older-than", "-1"], "--older-than"),
        (["prune", "--to", ""], "--to"),
        (["prune", "--all", "--to", "1G"], "--all"),
        (["stats", "--to", "0"], "--to belongs to prune"),
        (["--all"], "lineread cache prune --all"),
    ],
)
def test_what_makes_no_sense_removes_nothing(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A prune that does not say what may go, or says it wrongly, is refused in one line, and all is kept."""
    say("One.")
    capsys.readouterr()
    assert main(["cache", *arguments]) == 2
    output = capsys.readouterr()
    assert output.err.count("\n") == 1
    assert words in output.err
    assert len(entries()) == 1


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 KB"), (999_400, "999 KB"), (999_999, "1 MB"), (5_300_000, "5 MB"),
     (999_999_999, "1.0 GB"), (2_147_483_648, "2.1 GB"), (5e12, "5000.0 GB")],
)  # fmt: skip
def test_sizes_for_people(count: float, shown: str) -> None:
    """A number of bytes is shown in the unit that suits it; no unit ever shows a thousand."""
    assert size(count) == shown
