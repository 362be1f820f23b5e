"""``lineread keys``: keys are made, shown once, switched off and removed; the file keeps hashes and comments."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import Mock

import pytest

from lineread.cli import main
from lineread.errors import KeyRefused
from lineread.server.access import keyfile
from lineread.server.access.keys import Keyring
from support import lineread

FILE = Path("keys.toml")


def made(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """A new key, as its maker sees it."""
    capsys.readouterr()
    assert main(["keys", "new", "--file", str(FILE), *arguments]) == 0
    return capsys.readouterr().out.removesuffix("\n")


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    capsys.readouterr()
    assert main(["keys", "--file", str(FILE), "--json"]) == 0
    return {key["name"]: key for key in json.loads(capsys.readouterr().out)["keys"]}


def test_a_new_key_is_shown_once_and_kept_as_a_hash(capsys: pytest.CaptureFixture[str]) -> None:
    """The key is the whole of standard output, opens the server, and stands nowhere; the file is its owner's alone."""
    os.umask(0)
    key = made(capsys, "alice")
    assert key.startswith("lineread_")
    assert Keyring(str(FILE)).recognise(key).name == "alice"
    assert key not in FILE.read_text()
    assert stat.S_IMODE(FILE.stat().st_mode) == 0o600
    assert [path.name for path in Path().iterdir()] == ["keys.toml"]
    assert main(["keys", "--file", str(FILE)]) == 0
    output = capsys.readouterr()
    assert "alice  active" in output.out
    assert key not in output.out + output.err
    assert "sha256" not in output.out


def test_limits_of_a_new_key(capsys: pytest.CaptureFixture[str]) -> None:
    """Every limit goes into the file as given, and is listed as the server understands it."""
    made(capsys, "alice", "--requests-per-minute", "3", "--characters-per-day", "900", "--voice", "cherry",
         "--voice", 'qwen-tts-vc-"quoted" \\ one', "--model", "qwen3-tts-flash", "--expires", "2999-01-31")  # fmt: skip
    made(capsys, "bob")
    assert listed(capsys) == {
        "alice": {
            "name": "alice",
            "state": "active",
            "requests_per_minute": 3,
            "characters_per_day": 900,
            "sessions": None,
            "voices": ["Cherry", 'qwen-tts-vc-"quoted" \\ one'],
            "models": ["qwen3-tts-flash"],
            "expires": "2999-01-31T00:00:00+00:00",
        },
        "bob": dict.fromkeys(("requests_per_minute", "characters_per_day", "sessions", "voices", "models", "expires"))
        | {"name": "bob", "state": "active"},
    }


def test_help_tells_what_a_key_may_be_held_to(capsys: pytest.CaptureFixture[str]) -> None:
    """Each limit of a new key is named by the first help that one reads."""
    assert main(["keys", "new", "--help"]) == 0
    limits = set(re.findall(r"--[a-z-]+", capsys.readouterr().out.partition("limits:")[2]))
    assert main(["keys", "--help"]) == 0
    assert "--sessions" in limits
    assert limits <= set(re.findall(r"--[a-z-]+", capsys.readouterr().out))


def test_comments_survive(capsys: pytest.CaptureFixture[str]) -> None:
    """What somebody wrote into the file by hand stays, line for line, through every command."""
    key = made(capsys, "alice")
    text = FILE.read_text().replace("[alice]", "# Of the team in the attic.\n[ alice ] # really")
    FILE.write_text(text.rstrip() + "  # do not lose\n\n# Bob comes next.\n# Truly.", encoding="utf-8")
    by_hand = FILE.read_text()
    made(capsys, "bob")
    assert FILE.read_text().startswith(by_hand)
    with_bob = FILE.read_text()
    assert main(["keys", "disable", "alice", "--file", str(FILE)]) == 0
    assert listed(capsys)["alice"]["state"] == "disabled"
    with pytest.raises(KeyRefused, match="disabled"):
        Keyring(str(FILE)).recognise(key)
    assert [line for line in FILE.read_text().splitlines() if line != "disabled = true"] == with_bob.splitlines()
    assert main(["keys", "enable", "alice", "--file", str(FILE)]) == 0
    assert FILE.read_text() == with_bob
    assert main(["keys", "remove", "bob", "--file", str(FILE)]) == 0
    assert FILE.read_text().rstrip() == by_hand
    assert main(["keys", "remove", "alice", "--file", str(FILE)]) == 0
    assert "Bob comes next" in FILE.read_text()
    assert tomllib.loads(FILE.read_text()) == {}


@pytest.mark.parametrize("action", ["disable", "remove"])
def test_what_is_not_understood_is_not_touched(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A table written in another way than ours is not cut up: the file stays as it is, and the user is told."""
    digest = "0" * 63
    inline = f'alice = {{ hash = "sha256:{digest}1" }}\n'
    tricky = f'[bob]\nhash = "sha256:{digest}2"\nvoices = [\n"a", """\n[carol]\ndisabled = 1\n"""]\n'
    FILE.write_text(inline + tricky + f"['carol']\nhash = 'sha256:{digest}3'\n")
    text = FILE.read_text()
    for name in ("alice", "carol"):  # what looks like carol's table first is a voice of bob's
        assert main(["keys", action, name, "--file", str(FILE)]) == 3
        assert "by hand" in capsys.readouterr().err
        assert FILE.read_text() == text
    assert main(["keys", "new", "dora", "--file", str(FILE)]) == 0
    assert main(["keys", "remove", "dora", "--file", str(FILE)]) == 0
    assert FILE.read_text() == text + "\n"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["new"], 2, "required: name"),
        (["new", "Alice"], 2, "a-z, 0-9"),
        (["new", "../alice"], 2, "a-z, 0-9"),
        (["new", "alice"], 2, "already"),
        (["new", "x", "--requests-per-minute", "0"], 2, "whole number from 1"),
        (["new", "x", "--voice", "qwen-tts-vc-a\nb"], 2, "characters that no name has"),
        (["new", "x", "--voice", "Cherrry"], 2, "Did you mean Cherry?"),
        (["new", "x", "--model", "qwen3-tts-flsh"], 2, "Did you mean qwen3-tts-flash"),
        (["new", "x", "--expires", "soon"], 2, "2027-01-31"),
        (["new", "x", "--expires", datetime.now(UTC).date().isoformat()], 2, "a day to come"),
        (["remove", "nobody"], 2, "`lineread keys` lists them"),
        (["disable", "alice", "--voice", "Cherry"], 2, "--help"),
        (["list", "alice"], 2, "--help"),
        (["disabel", "alice"], 2, "Did you mean disable?"),
        (["list", "--file", "nowhere.toml"], 3, "lineread keys new"),
        (["new", "x", "--file", "/dev/null/keys.toml"], 3, "cannot be written"),
    ],
)
def test_mistakes(arguments: list[str], status: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What makes no sense is one line with a remedy, shows no key and changes nothing."""
    made(capsys, "alice")
    before = FILE.read_text()
    chosen = [] if "--file" in arguments else ["--file", str(FILE)]
    assert main(["keys", *arguments, *chosen]) == status
    output = capsys.readouterr()
    assert output.err.count("\n") == 1
    assert words in output.err
    assert output.out == ""
    assert FILE.read_text() == before


def test_several_at_once_lose_nothing() -> None:
    """Processes that make keys at the same time take turns: each key is there afterwards."""
    names = [f"key-{n}" for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda name: lineread("keys", "new", name, "--file", str(FILE)), names))
    assert [each.returncode for each in done] == [0] * 4
    assert sorted(key.name for key in Keyring(str(FILE)).all()) == names
    ring = Keyring(str(FILE))
    assert [ring.recognise(each.stdout.decode().strip()).name for each in done] == names


def test_a_key_that_nobody_would_see_is_not_made() -> None:
    """With standard output closed no key is written, since nobody could ever show it."""
    done = lineread("keys", "new", "alice", "--file", str(FILE), preexec_fn=lambda: os.close(1))
    assert done.returncode == 6
    assert not FILE.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="it has neither modes nor owners of this kind")
def test_a_changed_file_keeps_who_may_read_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that could read the file still can after a change by somebody else, root above all; where the owner
    cannot be kept nothing is changed, and the user is told.
    """
    made(capsys, "alice")
    made(capsys, "bob")
    FILE.chmod(0o640)
    owner, real, given = (FILE.stat().st_uid, FILE.stat().st_gid), os.fstat, []

    def of_another(file: int) -> os.stat_result:
        about = real(file)
        return os.stat_result((*about[:4], about.st_uid + 1, *about[5:]))

    monkeypatch.setattr(keyfile.os, "fstat", of_another)
    monkeypatch.setattr(keyfile.os, "fchown", lambda _, *owner: given.append(owner))
    assert main(["keys", "remove", "alice", "--file", str(FILE)]) == 0
    assert given == [owner]
    assert stat.S_IMODE(FILE.stat().st_mode) == 0o640

    monkeypatch.setattr(keyfile.os, "fchown", Mock(side_effect=PermissionError))
    before = FILE.read_text()
    assert main(["keys", "remove", "bob", "--file", str(FILE)]) == 3
    assert "as the file's owner" in capsys.readouterr().err
    assert FILE.read_text() == before
    assert [path.name for path in Path().iterdir()] == ["keys.toml"]


def test_the_usual_place(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no file is named it lies beside the settings, wherever XDG_CONFIG_HOME has them; help says so."""
    for base in (Path.home() / ".config", Path("100%").absolute()):
        monkeypatch.setenv("XDG_CONFIG_HOME", str(base))
        assert main(["keys", "new", "alice"]) == 0
        assert (base / "lineread" / "keys.toml").exists()
        assert main(["keys", "--json", "list"]) == 0
        assert json.loads(capsys.readouterr().out.splitlines()[-1])["file"] == str(base / "lineread" / "keys.toml")
        assert main(["keys", "new", "--help"]) == 0
        shown = str(base / "lineread" / "keys.toml").replace(str(Path.home()), "~")
        assert shown in "".join(capsys.readouterr().out.split())
