"""Whose voices are whose, on the disk: bounds, processes that write at once, a process that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineread.enrolment import Enrolled, Kind
from lineread.errors import OutputError, TurnedAway
from lineread.server.access.owners import Owners, Place

if sys.platform != "win32":
    import fcntl

#: Makes voices as one of several servers does, until it may make no more.
GREEDY = """
import sys
from lineread.enrolment import Enrolled
from lineread.errors import TurnedAway
from lineread.server.access.owners import Owners

directory, mark, owner = sys.argv[1:]
owners = Owners(directory, each=60, total=90)
made = 0
while True:
    try:
        place = owners.take(owner)
    except TurnedAway:
        break
    owners.keep(place, Enrolled(f"qwen-tts-vc-{mark}-{made}", "clone", "m"), {})
    made += 1
print(made)
"""

#: Writes voices down without an end, each of many bytes.
BUSY = """
import sys
from lineread.enrolment import Enrolled
from lineread.server.access.owners import Owners

owners = Owners(sys.argv[1], each=10**6, total=10**6)
for number in range(10**6):
    prompt = f"{number} " * 100_000
    voice = Enrolled(f"qwen-tts-vd-{number % 3}", "design", "m", prompt=prompt, preview_text=str(number))
    owners.keep(owners.take("alice"), voice, {})
    print(number, flush=True)
"""


def voice(name: str = "qwen-tts-vc-a", kind: Kind = "clone", created: str = "2026-11-23T06:00:00+00:00") -> Enrolled:
    return Enrolled(name, kind, "qwen3-tts-vc-2026-01-22", created, "English")


def keep(owners: Owners, owner: str, made: Enrolled) -> None:
    owners.keep(owners.take(owner), made, {})


@pytest.fixture
def owners(tmp_path: Path) -> Owners:
    return Owners(str(tmp_path / "voices"), each=3, total=5)


def test_a_voice_has_one_owner(owners: Owners) -> None:
    """A voice is its owner's and nobody else's; a key whose name begins alike has nothing of it."""
    keep(owners, "alice", voice())
    assert owners.has("alice", "qwen-tts-vc-a")
    assert owners.holds("alice", "clone", "qwen-tts-vc-a")
    assert not owners.holds("alice", "design", "qwen-tts-vc-a")
    for other in ("bob", "alice-2", "alic", "a"):
        assert not owners.has(other, "qwen-tts-vc-a")
        assert owners.page(other, "clone", index=0, size=10).voices == ()


def test_pages_have_the_newest_first(owners: Owners) -> None:
    """Pages are cut from the newest to the oldest, with the total of that kind, and all that was written down."""
    for number in range(3):
        keep(owners, "alice", voice(f"qwen-tts-vc-{number}"))
        path = owners._file("alice", "clone", f"qwen-tts-vc-{number}")
        os.utime(path, (number, number))
    page = owners.page("alice", "clone", index=0, size=2)
    assert [each.voice for each in page.voices] == ["qwen-tts-vc-2", "qwen-tts-vc-1"]
    assert page.voices[0] == voice("qwen-tts-vc-2")
    assert (page.index, page.size, page.total) == (0, 2, 3)
    assert [each.voice for each in owners.page("alice", "clone", index=1, size=2).voices] == ["qwen-tts-vc-0"]
    assert owners.page("alice", "clone", index=9, size=2).voices == ()
    assert owners.page("alice", "design", index=0, size=2).total == 0


def test_what_is_forgotten_makes_room(owners: Owners) -> None:
    """A key may have so many and no more, until it forgets one; forgetting twice is no mistake."""
    for number in range(3):
        keep(owners, "alice", voice(f"qwen-tts-vc-{number}"))
    with pytest.raises(TurnedAway, match="This key has 3 voices") as raised:
        owners.take("alice")
    assert raised.value.code == "too_many_voices"
    owners.forget("alice", "clone", "qwen-tts-vc-1")
    owners.forget("alice", "clone", "qwen-tts-vc-1")
    assert not owners.has("alice", "qwen-tts-vc-1")
    keep(owners, "alice", voice("qwen-tts-vc-9"))


def test_all_keys_together_have_a_bound(owners: Owners) -> None:
    """The bound of all counts every key's voices, and those that are being made."""
    keep(owners, "alice", voice("qwen-tts-vc-1"))
    places = [owners.take("bob"), owners.take("bob"), owners.take("carol"), owners.take("dave")]
    with pytest.raises(TurnedAway, match="All keys"):
        owners.take("erin")
    owners.give_back(places[0])
    owners.take("erin")


def test_places_count_and_lapse(owners: Owners) -> None:
    """A place counts as a voice until it is given back, or nobody has used it for long."""
    places = [owners.take("alice") for _ in range(3)]
    with pytest.raises(TurnedAway):
        owners.take("alice")
    os.utime(places[0].path, (0, 0))
    owners.take("alice")
    assert not os.path.exists(places[0].path)
    owners.keep(places[0], voice(), {})  # it was slow, but it was made
    assert owners.has("alice", "qwen-tts-vc-a")


@given(st.text(max_size=40))
def test_an_id_never_leaves_its_directory(name: str) -> None:
    """Whatever an id is, its file lies where its key's voices lie."""
    owners = Owners("/voices", each=1)
    directory, file = os.path.split(owners._file("alice", "clone", name))
    assert directory == os.path.join("/voices", "key-alice", "clone")
    assert os.path.basename(file) == file
    assert file not in (".", "..")


def test_opaque_ids_are_told_apart(owners: Owners) -> None:
    """Ids that cannot name a file are kept as well, each for itself."""
    keep(owners, "alice", voice("../bob/clone/x"))
    assert owners.has("alice", "../bob/clone/x")
    assert not owners.has("alice", "../bob/clone/y")
    assert [each.voice for each in owners.page("alice", "clone", index=0, size=9).voices] == ["../bob/clone/x"]


def test_only_its_user_may_read(owners: Owners) -> None:
    """Descriptions are nobody's business: the directories are closed to other users of the machine."""
    keep(owners, "alice", voice())
    assert os.stat(os.path.dirname(owners._file("alice", "clone", "x"))).st_mode & 0o077 == 0


def test_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    """Where nothing can be written, no place is given."""
    (tmp_path / "voices").write_text("in the way")
    with pytest.raises(OutputError):
        Owners(str(tmp_path / "voices"), each=3).take("alice")


def test_a_file_that_makes_no_sense_is_passed_over(owners: Owners) -> None:
    """A damaged file hides no other voice, and what a newer release adds is no damage."""
    keep(owners, "alice", voice("qwen-tts-vc-1"))
    keep(owners, "alice", voice("qwen-tts-vc-2"))
    Path(owners._file("alice", "clone", "qwen-tts-vc-1")).write_text("[1, 2")
    keep(owners, "alice", replace(voice("qwen-tts-vc-3"), kind="song"))  # type: ignore[arg-type]
    Path(owners._file("alice", "song", "qwen-tts-vc-3")).rename(owners._file("alice", "clone", "qwen-tts-vc-3"))
    path = Path(owners._file("alice", "clone", "qwen-tts-vc-2"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"mood": "dry"}))
    assert [each.voice for each in owners.page("alice", "clone", index=0, size=9).voices] == ["qwen-tts-vc-2"]


def test_processes_keep_to_the_bounds_together(tmp_path: Path) -> None:
    """Two processes for one key and one for another write at once: nothing is lost, and no bound is passed."""
    directory = str(tmp_path / "voices")
    argv = [sys.executable, "-c", GREEDY, directory]
    runs = [
        subprocess.Popen([*argv, mark, owner], stdout=subprocess.PIPE)
        for mark, owner in (("a", "alice"), ("b", "alice"), ("c", "bob"))
    ]
    made = [int(run.communicate(timeout=60)[0]) for run in runs]
    owners = Owners(directory, each=60)
    found = [owners.page(name, "clone", index=0, size=100) for name in ("alice", "bob")]
    assert found[0].total == made[0] + made[1] <= 60
    assert found[1].total == made[2] <= 60
    assert sum(made) <= 90
    assert sum(made) >= 88  # a voice that becomes its file is counted twice for a moment, never not at all
    assert all(len(page.voices) == page.total for page in found)


@pytest.mark.skipif(sys.platform == "win32", reason="has no such locks")
def test_places_are_taken_one_after_the_other(owners: Owners) -> None:
    """While somebody else counts, nobody takes a place."""
    owners.give_back(owners.take("alice"))
    taken: list[Place] = []
    with open(os.path.join(owners._directory, "lock")) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        thread = threading.Thread(target=lambda: taken.append(owners.take("alice")))
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
    thread.join(10)
    assert [place.owner for place in taken] == ["alice"]


def test_a_process_that_is_killed(tmp_path: Path) -> None:
    """Killed in the midst of writing, again and again, it leaves whole files, and no place that lasts."""
    directory = tmp_path / "voices"
    owners = Owners(str(directory), each=10**6, total=10**6)
    for number in range(6):
        with subprocess.Popen([sys.executable, "-c", BUSY, str(directory)], stdout=subprocess.PIPE) as run:
            assert run.stdout is not None
            for _ in range(3 + number % 3):
                run.stdout.readline()
            run.send_signal(signal.SIGKILL)
        page = owners.page("alice", "design", index=0, size=10)
        assert len(page.voices) == page.total == 3
        for each in page.voices:
            assert each.prompt == f"{each.preview_text} " * 100_000
    for left in (directory / "places").iterdir():
        os.utime(left, (0, 0))
    owners.give_back(owners.take("alice"))
    assert not list((directory / "places").iterdir())
