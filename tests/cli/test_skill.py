"""`lineread skill`: skills are put where agents look, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from lineread.cli import main, skill

SOURCE = Path(__file__).parent.parent.parent / "skills"
NAME = "alicloud-ai-audio-tts"
Said = pytest.CaptureFixture[str]


def _content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".installed.json")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_all_are_installed_and_again(capsys: Said) -> None:
    """All go where agents of many makers look, as they are; the second time nothing is touched."""
    assert main(["skill", "install"]) == 0
    folder = Path.home() / ".agents" / "skills"
    assert f"installed  {folder / NAME}\n" in capsys.readouterr().out
    assert _content(folder) == _content(SOURCE)
    assert len(os.listdir(folder)) == 4
    before = os.stat(folder / NAME).st_ino
    assert main(["skill", "install"]) == 0
    assert "unchanged" in capsys.readouterr().out
    assert os.stat(folder / NAME).st_ino == before


def test_some_go_elsewhere(capsys: Said, tmp_path: Path) -> None:
    """Only those that are named, where --to says; --json tells each; a misspelt name is told the right one."""
    assert main(["skill", "install", NAME, "--to", "agents", "--json"]) == 0
    path = Path("agents", NAME).resolve()
    assert json.loads(capsys.readouterr().out) == [{"name": NAME, "path": str(path), "state": "installed"}]
    assert os.listdir("agents") == [NAME]
    assert main(["skill", "install", "alicloud-ai-audio-ttx"]) == 2
    assert f"Did you mean {NAME}" in capsys.readouterr().err


def test_what_was_changed_stays_unless_forced(capsys: Said) -> None:
    """A skill that was changed is told with the files that were, and nothing is installed; --force replaces them, and
    files of the user's own stay.
    """
    assert main(["skill", "install", NAME, "--to", "agents"]) == 0
    Path("agents", NAME, "notes.md").write_text("Mine.", encoding="utf-8")
    Path("agents", NAME, "SKILL.md").write_text("Mine.", encoding="utf-8")
    assert main(["skill", "install", "--to", "agents"]) == 6
    assert f"{NAME} was changed: SKILL.md. Replace it with --force" in capsys.readouterr().err
    assert os.listdir("agents") == [NAME]
    assert main(["skill", "install", NAME, "--to", "agents", "--force"]) == 0
    assert "replaced" in capsys.readouterr().out
    assert _content(Path("agents", NAME)) == {**_content(SOURCE / NAME), "notes.md": b"Mine."}
    assert os.listdir("agents") == [NAME]


def test_a_file_in_the_place_of_a_folder_of_ours(capsys: Said) -> None:
    """It is told, and goes where that is said."""
    Path("agents").mkdir()
    Path("agents", NAME).write_text("Mine.", encoding="utf-8")
    assert main(["skill", "install", NAME, "--to", "agents"]) == 6
    assert "it is a file. Replace it with --force" in capsys.readouterr().err
    assert main(["skill", "install", NAME, "--to", "agents", "--force"]) == 0
    assert _content(Path("agents", NAME)) == _content(SOURCE / NAME)


def test_an_older_release_is_replaced_by_itself(capsys: Said, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What nobody changed since it was installed is brought up to date, and what the release has no more goes."""
    older = tmp_path / "older"
    shutil.copytree(SOURCE, older)
    (older / NAME / "SKILL.md").write_text("Older.", encoding="utf-8")
    (older / NAME / "references" / "dropped.md").write_text("Older.", encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(skill, "_HOMES", (str(older),))
        assert main(["skill", "install", NAME, "--to", "agents"]) == 0
    assert main(["skill", "install", NAME, "--to", "agents"]) == 0
    assert "replaced" in capsys.readouterr().out
    assert _content(Path("agents", NAME)) == _content(SOURCE / NAME)
    assert main(["skill", "install", NAME, "--to", "agents"]) == 0
    assert "unchanged" in capsys.readouterr().out


def test_what_is_the_users_own_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An update keeps hidden files, empty folders and links to folders, as links, with what they lead to; the folder
    that an older release leaves empty goes.
    """
    outside, older = tmp_path / "outside", tmp_path / "older"
    outside.mkdir()
    (outside / "theirs.md").write_text("Theirs.", encoding="utf-8")
    shutil.copytree(SOURCE, older)
    (older / NAME / "dropped").mkdir()
    (older / NAME / "dropped" / "old.md").write_text("Older.", encoding="utf-8")
    place = Path("agents", NAME)
    with monkeypatch.context() as patch:
        patch.setattr(skill, "_HOMES", (str(older),))
        assert main(["skill", "install", NAME, "--to", "agents"]) == 0
    (place / ".env").write_text("MINE=1", encoding="utf-8")
    (place / "references" / ".hidden" / "empty").mkdir(parents=True)
    (place / "drafts").mkdir(mode=0o700)
    (place / "linked").symlink_to(outside, target_is_directory=True)
    (place / "nowhere").symlink_to("gone.md")
    assert main(["skill", "install", NAME, "--to", "agents"]) == 0
    assert not (place / "dropped").exists()
    assert (place / ".env").read_text(encoding="utf-8") == "MINE=1"
    assert (place / "references" / ".hidden" / "empty").is_dir()
    assert (place / "drafts").stat().st_mode & 0o777 == 0o700
    assert os.readlink(place / "linked") == str(outside)
    assert os.readlink(place / "nowhere") == "gone.md"
    assert _content(outside) == {"theirs.md": b"Theirs."}


def test_a_link_in_the_place_of_a_folder_of_ours(capsys: Said, tmp_path: Path) -> None:
    """It is told as a change and stays; nothing is ever written through it, and --force puts our folder there."""
    shutil.copytree(SOURCE / NAME / "references", tmp_path / "outside")
    (tmp_path / "outside" / "fields.md").write_text("Theirs.", encoding="utf-8")
    before = _content(tmp_path / "outside")
    assert main(["skill", "install", NAME, "--to", "agents"]) == 0
    place = Path("agents", NAME, "references")
    shutil.rmtree(place)
    place.symlink_to(tmp_path / "outside", target_is_directory=True)
    (place.parent / "SKILL.md").unlink()
    assert main(["skill", "install", NAME, "--to", "agents"]) == 6
    assert "was changed: references." in capsys.readouterr().err
    assert place.is_symlink()
    assert main(["skill", "install", NAME, "--to", "agents", "--force"]) == 0
    assert not place.is_symlink()
    assert _content(place.parent) == _content(SOURCE / NAME)
    assert _content(tmp_path / "outside") == before


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A link in a skill's place is no way out: without --force it stays, with it the link goes and its end is kept."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "SKILL.md").write_text("Theirs.", encoding="utf-8")
    Path("agents").mkdir()
    place = Path("agents", NAME)
    place.symlink_to(outside)
    assert main(["skill", "install", NAME, "--to", "agents"]) == 6
    assert place.is_symlink()
    assert main(["skill", "install", NAME, "--to", "agents", "--force"]) == 0
    assert not place.is_symlink()
    assert _content(outside) == {"SKILL.md": b"Theirs."}


def test_a_failure_leaves_what_was_there(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the last step fails the old skill is back, with no rest of the new one, and one line says why."""
    assert main(["skill", "install", NAME, "--to", "agents"]) == 0
    Path("agents", NAME, "SKILL.md").write_text("Mine.", encoding="utf-8")
    rename = os.rename

    def failing(old: str, new: str) -> None:
        if os.path.basename(old) == "new":
            raise OSError(28, "No space left on device", new)
        rename(old, new)

    capsys.readouterr()
    monkeypatch.setattr(os, "rename", failing)
    assert main(["skill", "install", NAME, "--to", "agents", "--force"]) == 6
    assert capsys.readouterr().err.count("\n") == 1
    assert Path("agents", NAME, "SKILL.md").read_text(encoding="utf-8") == "Mine."
    assert os.listdir("agents") == [NAME]


def test_a_place_that_takes_nothing(capsys: Said) -> None:
    """A folder that cannot be made is one clear line with what to do, and status 6; with --json an object as well."""
    Path("agents").write_text("A file.", encoding="utf-8")
    assert main(["skill", "install", "--to", "agents/skills", "--json"]) == 6
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert "cannot be written: Not a directory. Check its permissions, or name another folder with --to." in said.err
    assert json.loads(said.out)["error"]["code"] == "output_failed"


def test_the_list(capsys: Said) -> None:
    """Each skill with what it is for; as JSON with all that agents match a task with."""
    assert main(["skill", "list"]) == 0
    assert "Clone a voice from a short recording" in capsys.readouterr().out
    assert main(["skill", "list", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in told] == sorted(os.listdir(SOURCE))
    assert all("Use " in each["description"] for each in told)
