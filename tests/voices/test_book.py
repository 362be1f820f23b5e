"""The voice book: what is written down stays, whoever writes at the same time, and however a process ends."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineread.errors import ConfigError, OptionError, VoiceError
from lineread.voices.book import Book, Id, OwnVoice

HTTP, REALTIME = "qwen3-tts-vc-2026-01-22", "qwen3-tts-vc-realtime-2026-01-15"
CLONE = OwnVoice(
    "narrator",
    "clone",
    "2026-11-23T10:00:00Z",
    consent="Ana, 2026-11-20",
    sample="sample.wav",
    sample_sha256=hashlib.sha256(b"RIFF sample").hexdigest(),
)
DESIGN = OwnVoice("guide", "design", "2026-11-23T10:00:01Z", prompt="A dry guide.", preview="preview.wav")


def made(model: str = HTTP, **facts: str) -> Id:
    known = {"voice": f"id-of-{model}", "engine": "dashscope", "place": "cn-beijing", "account": "a1"}
    return Id(**(known | facts), target_model=model)  # type: ignore[arg-type]


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(str(tmp_path / "voices"))


TEXT = st.text(st.characters(codec="utf-8"), max_size=40)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(consent=TEXT, transcript=TEXT, ids=st.lists(st.tuples(TEXT, TEXT), max_size=3))
def test_what_is_kept_is_found(
    tmp_path_factory: pytest.TempPathFactory, consent: str, transcript: str, ids: list[tuple[str, str]]
) -> None:
    """Every field comes back as it was written, by the name in any case."""
    book = Book(str(tmp_path_factory.mktemp("book")))
    voice = replace(CLONE, consent=consent, transcript=transcript, extend=True)
    for id_, reason in ids:
        new = replace(made(voice=id_), settings={"pitch": 0.71}, reasons=(reason,))
        voice = replace(voice, ids=(*voice.ids, new))
    book.keep(voice, {"sample.wav": b"RIFF"})
    assert book.find("NARRATOR") == voice == book.get("narrator")
    assert book.read(voice, voice.sample) == b"RIFF"
    assert book.voices() == [voice]


def test_the_id_that_a_model_speaks() -> None:
    """HTTP and realtime models each get the id that was made for them, in this region and for this account only."""
    voice = CLONE.with_id(made()).with_id(made(REALTIME)).with_id(made(voice="elsewhere", place="ap-southeast-1"))
    here = {"engine": "dashscope", "place": "cn-beijing", "account": "a1"}
    for model, realtime, expected in (
        (None, False, f"id-of-{HTTP}"),
        (None, True, f"id-of-{REALTIME}"),
        (HTTP, False, f"id-of-{HTTP}"),
        ("qwen3-tts-vc-realtime-2025-11-27", True, None),
    ):
        found = voice.id_for(**here, model=model, realtime=realtime)
        assert (found and found.voice) == expected
    assert voice.id_for(**{**here, "account": "b2"}, model=None, realtime=False) is None
    assert voice.id_for(**{**here, "place": "ap-southeast-1"}, model=None, realtime=False).voice == "elsewhere"  # type: ignore[union-attr]
    again = voice.with_id(made(voice="newer"))
    assert again.id_for(**here, model=HTTP, realtime=False).voice == "newer"  # type: ignore[union-attr]
    assert len(again.ids) == len(voice.ids)


def test_the_machine_speaks_for_any_model() -> None:
    """An id of the machine's own is asked for whatever model was named, in sessions and out of them."""
    voice = CLONE.with_id(made(engine="builtin", place="machine", account="", voice="near"))
    for model, realtime in ((None, True), (None, False), (REALTIME, True), ("qwen3-tts-vc-2026-01-22", False)):
        found = voice.id_for(engine="builtin", place="machine", account="", model=model, realtime=realtime)
        assert found is not None
        assert found.voice == "near"


def test_forgetting(book: Book) -> None:
    """A voice goes with its last id, and takes its files along."""
    book.keep(CLONE.with_id(made()).with_id(made(REALTIME)), {"sample.wav": b"RIFF"})
    left = book.drop("narrator", frozenset([f"id-of-{HTTP}"]))
    assert left is not None
    assert [each.target_model for each in left.ids] == [REALTIME]
    assert book.drop("Narrator", frozenset([f"id-of-{REALTIME}"])) is None
    assert book.find("narrator") is None
    with pytest.raises(VoiceError, match="narrator"):
        book.get("narrator")


def test_did_you_mean(book: Book) -> None:
    """A misspelt name is answered with the one that was meant."""
    book.keep(CLONE.with_id(made()))
    with pytest.raises(VoiceError, match="Did you mean narrator"):
        book.get("naratorr")


WRITER = """
import sys
from lineread.voices.book import Book, Id
book, mine = Book(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    book.extend("narrator", Id(f"{mine}-{number}", "dashscope", f"place-{mine}-{number}", "a1", "m"))
    print(number, flush=True)
"""


def writer(directory: Path, name: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", WRITER, str(directory), name]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_many_processes_at_once(tmp_path: Path) -> None:
    """What four processes add at the same time is all there."""
    directory = tmp_path / "voices"
    Book(str(directory)).keep(CLONE.with_id(made()))
    writers = [writer(directory, f"w{number}") for number in range(4)]
    for process in writers:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in writers:
        process.communicate(b"go\n", timeout=60)
        assert process.returncode == 0
    assert len(Book(str(directory)).get("narrator").ids) == 1 + 4 * 20


def test_killed_while_it_writes(tmp_path: Path) -> None:
    """Whatever was acknowledged is there after kill -9, and the book goes on."""
    directory = tmp_path / "voices"
    book = Book(str(directory))
    book.keep(CLONE.with_id(made()))
    for round_ in range(5):
        process = writer(directory, f"k{round_}")
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        process.stdin.write(b"go\n")
        process.stdin.flush()
        for _ in range(round_ + 1):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
        kept = {each.voice for each in book.get("narrator").ids}
        assert {f"k{round_}-{number}" for number in range(round_ + 1)} <= kept
        process.stdin.close()
        process.stdout.close()
    book.extend("narrator", made(REALTIME))


def test_uses_are_noted_now_and_then(book: Book) -> None:
    """The first use is written down; another one within the hour is not."""
    book.keep(CLONE.with_id(made()))
    book.note_use(CLONE)
    first = book.get("narrator")
    assert first.last_used.endswith("Z")
    before = os.stat(book.file(first, "voice.json")).st_mtime_ns
    book.note_use(first)
    assert os.stat(book.file(first, "voice.json")).st_mtime_ns == before
    old = time.time() - 7200
    os.utime(book.file(first, "voice.json"), (old, old))
    book.note_use(first)
    assert os.stat(book.file(first, "voice.json")).st_mtime_ns != before


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"version": 2}', b'{"version": 1, "kind": "clone"}', b"\xff"])
def test_a_damaged_voice(book: Book, damage: bytes) -> None:
    """It is told by the one who asks for it, and hides no other one."""
    book.keep(CLONE.with_id(made()))
    book.keep(DESIGN.with_id(made("qwen3-tts-vd-2026-01-26")))
    Path(book.file(CLONE, "voice.json")).write_bytes(damage)
    with pytest.raises(ConfigError, match="no voice that this version can read"):
        book.get("narrator")
    assert [voice.name for voice in book.voices()] == ["guide"]


def test_what_a_killed_process_left_half_done_goes(book: Book) -> None:
    """The next voice that is kept sweeps halves of files and replaced samples away, and nothing that is named."""
    book.keep(CLONE.with_id(made()), {"sample.wav": b"RIFF sample"})
    folder = Path(book.file(CLONE, "voice.json")).parent
    for orphan in ("sample.wav.0123456789ab.part", "voice.json.0123456789ab.part", "sample.mp3"):
        (folder / orphan).write_bytes(b"half")
    (folder / "notes.txt").write_text("the user's own")
    (folder.parent / "never").mkdir()
    (folder.parent / "never" / "preview.wav.0123456789ab.part").write_bytes(b"half")
    book.keep(DESIGN.with_id(made("qwen3-tts-vd-2026-01-26")))
    assert sorted(os.listdir(folder)) == ["notes.txt", "sample.wav", "voice.json"]
    assert not (folder.parent / "never").exists()


def test_a_book_that_cannot_be_read(tmp_path: Path) -> None:
    """A book at a place that can have none is an error that names the setting, and not an empty book."""
    (tmp_path / "data").write_text("a file")
    with pytest.raises(ConfigError, match="LINEREAD_DATA_DIR"):
        Book(str(tmp_path / "data" / "voices")).voices()
    assert Book(str(tmp_path / "nowhere" / "voices")).voices() == []


def test_a_damaged_voice_is_forgotten(book: Book) -> None:
    """It is found by its name in any case, told of, and let go with all that is kept of it."""
    book.keep(CLONE.with_id(made()), {"sample.wav": b"RIFF sample"})
    path = Path(book.file(CLONE, "voice.json"))
    path.write_bytes(b"{")
    assert list(book.damaged()) == ["narrator"]
    assert book.name("Narrator") == "narrator"
    book.forget("narrator")
    assert not path.parent.exists()
    assert book.damaged() == {}


def test_a_book_that_cannot_be_written(tmp_path: Path) -> None:
    """One line says where it is, and how to have it elsewhere."""
    (tmp_path / "voices").write_text("a file")
    with pytest.raises(ConfigError, match="LINEREAD_DATA_DIR"):
        Book(str(tmp_path / "voices")).keep(CLONE)


def test_export_and_import(book: Book, tmp_path: Path) -> None:
    """All of a book fits into one file, and is the same elsewhere."""
    book.keep(CLONE.with_id(made()), {"sample.wav": b"RIFF sample"})
    book.keep(DESIGN.with_id(made("qwen3-tts-vd-2026-01-26")), {"preview.wav": b"RIFF preview"})
    path = str(tmp_path / "cast.zip")
    assert book.export(path) == ["guide", "narrator"]
    other = Book(str(tmp_path / "other"))
    assert other.take_in(path) == ["guide", "narrator"]
    assert other.voices() == book.voices()
    assert other.read(CLONE, "sample.wav") == b"RIFF sample"
    with pytest.raises(OptionError, match=r"already has guide, narrator.*--replace"):
        other.take_in(path)
    other.take_in(path, replacing=True)
    assert other.voices() == book.voices()


@pytest.mark.parametrize("names", [["../../evil"], ["Cherry"], ["a/b"], ["narrator", "x" * 17]])
def test_a_hostile_export(names: list[str], book: Book, tmp_path: Path) -> None:
    """Names that lead elsewhere, or that no voice can have, take nothing in."""
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            record = {"version": 1, "kind": "clone", "created": "", "ids": [], "name": name, "sample": "../../../x"}
            archive.writestr(f"{name}/voice.json", json.dumps(record))
            archive.writestr(f"{name}/../../../x", b"evil")
    with pytest.raises(OptionError, match="no exported voice book"):
        book.take_in(str(path))
    assert book.voices() == []
    assert not list(tmp_path.rglob("x"))


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip" * 100])
def test_no_export_at_all(content: bytes, book: Book, tmp_path: Path) -> None:
    """Something else is refused in one line."""
    path = tmp_path / "other.zip"
    path.write_bytes(content)
    with pytest.raises(OptionError, match="no exported voice book"):
        book.take_in(str(path))
    with pytest.raises(OptionError, match="There is no file"):
        book.take_in(str(tmp_path / "none.zip"))


def test_an_export_of_a_voice_that_lost_its_sample(book: Book, tmp_path: Path) -> None:
    """It names the voice and the file, and leaves nothing behind."""
    book.keep(CLONE.with_id(made()))
    with pytest.raises(VoiceError, match=r"sample\.wav of narrator is no longer"):
        book.export(str(tmp_path / "cast.zip"))
    assert list(tmp_path.glob("cast*")) == []


def test_nothing_to_export(book: Book, tmp_path: Path) -> None:
    """An empty book is not exported."""
    with pytest.raises(VoiceError, match="no voices of your own"):
        book.export(str(tmp_path / "cast.zip"))


@pytest.mark.parametrize("change", [{"sample_sha256": "ab" * 32}, {"consent": " "}])
def test_an_export_that_was_changed(change: dict[str, str], book: Book, tmp_path: Path) -> None:
    """A sample that is not the one that was cloned, and a clone without consent, are not taken in."""
    book.keep(replace(CLONE, **change).with_id(made()), {"sample.wav": b"RIFF sample"})  # type: ignore[arg-type]
    path = str(tmp_path / "cast.zip")
    book.export(path)
    with pytest.raises(OptionError, match="no exported voice book"):
        Book(str(tmp_path / "other")).take_in(path)
