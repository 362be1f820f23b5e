"""The voice book: what is written down stays, whoever writes at the same time, and however a process ends."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import stat
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineread.errors import ConfigError, OptionError, VoiceError
from lineread.voices import archive
from lineread.voices.book import Book
from lineread.voices.record import Id, OwnVoice, encoded, file_name

HTTP, REALTIME = "qwen3-tts-vc-2026-01-22", "qwen3-tts-vc-realtime-2026-01-15"
CLONE = OwnVoice(
    "narrator",
    "clone",
    "2026-11-23T10:00:00Z",
    consent="Ana, 2026-11-20",
    sample=file_name("sample", b"RIFF sample", "wav"),
    sample_sha256=hashlib.sha256(b"RIFF sample").hexdigest(),
)
PREVIEW = file_name("preview", b"RIFF preview", "wav")
DESIGN = OwnVoice("guide", "design", "2026-11-23T10:00:01Z", prompt="A dry guide.", preview=PREVIEW)


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
    book.keep(voice, {CLONE.sample: b"RIFF"})
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
    book.keep(CLONE.with_id(made()).with_id(made(REALTIME)), {CLONE.sample: b"RIFF"})
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
from lineread.voices.book import Book
from lineread.voices.record import Id
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


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such lock")
def test_a_use_is_not_noted_while_the_book_is_busy(book: Book) -> None:
    """Whoever speaks never waits for somebody who changes the book, and the use is noted the next time."""
    import fcntl

    book.keep(CLONE.with_id(made()))
    with open(Path(book.file(CLONE, "voice.json")).parent.parent / ".lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        book.note_use(CLONE)  # the suite's own deadline ends a wait
        assert not book.get("narrator").last_used
    book.note_use(CLONE)
    assert book.get("narrator").last_used


def changed(**facts: object) -> bytes:
    """A record that is whole but for this."""
    record = json.loads(encoded(CLONE.with_id(made())))
    return json.dumps(record | facts).encode()


def changed_id(**facts: object) -> bytes:
    return changed(ids=[json.loads(changed())["ids"][0] | facts])


DAMAGE = {
    "nothing": b"",
    "cut": b"{",
    "list": b"[]",
    "null": b"null",
    "text": b'"x"',
    "version": b'{"version": 2}',
    "half": b'{"version": 1, "kind": "clone"}',
    "binary": b"\xff",
    "deep": b"[" * 100_000,
    "id-no-object": changed(ids=["x"]),
    "ids-null": changed(ids=None),
    "ids-object": changed(ids={}),
    "another-name": changed(name="other"),
    "system-voice": changed(name="Cherry"),
    "no-name": changed(name=None),
    "kind": changed(kind="guess"),
    "extend": changed(extend="yes"),
    "surrogate": changed(consent="\ud800"),
    "elsewhere": changed(sample="../../other"),
    "itself": changed(sample="voice.json"),
    "id-of-number": changed_id(voice=7),
    "id-of-model": changed_id(target_model=["m"]),
    "id-settings-list": changed_id(settings=[1]),
    "id-settings-text": changed_id(settings={"pitch": "high"}),
    "id-settings-huge": changed_id(settings={"pitch": 10**400}),
    "id-settings-nan": changed_id(settings={"pitch": float("nan")}),
    "id-reasons": changed_id(reasons="so"),
    "id-fidelity": changed_id(fidelity=["exact"]),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_voice(book: Book, damage: bytes) -> None:
    """Whatever its record holds, it is told of that one voice, which can be let go, and no other one is harmed."""
    book.keep(CLONE.with_id(made()))
    guide = DESIGN.with_id(made("qwen3-tts-vd-2026-01-26"))
    book.keep(guide)
    Path(book.file(CLONE, "voice.json")).write_bytes(damage)
    with pytest.raises(ConfigError, match="no voice that this version can read") as caught:
        book.get("narrator")
    assert caught.value.code == "voice_damaged"
    assert list(book.damaged()) == ["narrator"]
    assert book.voices() == [guide]
    assert book.of(guide.ids[0].voice) == book.find("Guide") == guide
    book.note_use(CLONE)
    book.keep(guide)
    assert book.name("Narrator") == "narrator"
    book.forget("narrator")
    assert book.damaged() == {}


def test_a_name_that_qwen_took_later(book: Book, tmp_path: Path) -> None:
    """A voice whose name a system voice has meanwhile is told of, and can be let go."""
    folder = tmp_path / "voices" / "cherry"
    folder.mkdir(parents=True)
    (folder / "voice.json").write_bytes(changed(name="Cherry"))
    assert list(book.damaged()) == ["cherry"]
    book.forget(book.name("Cherry"))
    assert not folder.exists()


def test_what_a_killed_process_left_half_done_goes(book: Book) -> None:
    """The next voice that is kept sweeps halves of files and replaced samples away, and nothing that is named."""
    book.keep(CLONE.with_id(made()), {CLONE.sample: b"RIFF sample"})
    folder = Path(book.file(CLONE, "voice.json")).parent
    for orphan in ("sample.wav.0123456789ab.part", "voice.json.0123456789ab.part", "sample.mp3"):
        (folder / orphan).write_bytes(b"half")
    (folder / "notes.txt").write_text("the user's own")
    (folder.parent / "never").mkdir()
    (folder.parent / "never" / "preview.wav.0123456789ab.part").write_bytes(b"half")
    book.keep(DESIGN.with_id(made("qwen3-tts-vd-2026-01-26")))
    assert sorted(os.listdir(folder)) == sorted(["notes.txt", CLONE.sample, "voice.json"])
    assert not (folder.parent / "never").exists()


def test_a_book_that_cannot_be_read(tmp_path: Path) -> None:
    """A book at a place that can have none is an error that names the setting, and not an empty book."""
    (tmp_path / "data").write_text("a file")
    with pytest.raises(ConfigError, match="LINEREAD_DATA_DIR"):
        Book(str(tmp_path / "data" / "voices")).voices()
    assert Book(str(tmp_path / "nowhere" / "voices")).voices() == []


def test_a_voice_that_is_being_made_is_let_alone(book: Book, tmp_path: Path) -> None:
    """Who makes a voice finds it as it was left: nobody forgets or replaces it meanwhile."""
    book.keep(CLONE.with_id(made()), {CLONE.sample: b"RIFF sample"})
    path = str(tmp_path / "cast.zip")
    book.export(path)
    right = book.claim("Narrator")
    assert right is not None
    for attempt in (lambda: book.forget("narrator"), lambda: book.take_in(path, replacing=True)):
        with pytest.raises(ConfigError, match="Another process is making the voice narrator"):
            attempt()
    right.release()
    book.take_in(path, replacing=True)
    book.forget("narrator")
    assert not Path(book.file(CLONE, "voice.json")).parent.exists()


def test_a_book_that_cannot_be_written(tmp_path: Path) -> None:
    """One line says where it is, and how to have it elsewhere."""
    (tmp_path / "voices").write_text("a file")
    with pytest.raises(ConfigError, match="LINEREAD_DATA_DIR"):
        Book(str(tmp_path / "voices")).keep(CLONE)


def test_export_and_import(book: Book, tmp_path: Path) -> None:
    """All of a book fits into one file, and is the same elsewhere."""
    book.keep(CLONE.with_id(made()), {CLONE.sample: b"RIFF sample"})
    book.keep(DESIGN.with_id(made("qwen3-tts-vd-2026-01-26")), {PREVIEW: b"RIFF preview"})
    path = str(tmp_path / "cast.zip")
    assert book.export(path) == ["guide", "narrator"]
    other = Book(str(tmp_path / "other"))
    assert other.take_in(path) == ["guide", "narrator"]
    assert other.voices() == book.voices()
    assert other.read(CLONE, CLONE.sample) == b"RIFF sample"
    with pytest.raises(OptionError, match=r"already has guide, narrator.*--replace"):
        other.take_in(path)
    other.take_in(path, replacing=True)
    assert other.voices() == book.voices()


def test_an_import_forgets_no_id(book: Book, tmp_path: Path) -> None:
    """What is replaced was paid for: its ids join the same voice, or wait beside another one to be deleted."""
    old, live = made(voice="old"), made("qwen3-tts-vc-realtime-2026-01-15", voice="live")
    path = str(tmp_path / "cast.zip")
    book.keep(replace(CLONE.with_id(made()), consent="Ana"), {CLONE.sample: b"RIFF sample"})
    book.export(path)
    book.keep(replace(CLONE.with_id(old).with_id(live), consent="Ana again"))
    book.take_in(path, replacing=True)
    own = book.get("narrator")
    assert (own.ids, own.replaced) == ((live, made()), (old,))
    assert own.consent == "Ana again"
    other = replace(DESIGN, name="narrator", preview="").with_id(live)
    Book(str(tmp_path / "other")).keep(other)
    Book(str(tmp_path / "other")).export(path)
    book.take_in(path, replacing=True)
    own = book.get("narrator")
    assert (own.kind, own.ids) == ("design", (live,))
    assert [each.voice for each in own.replaced] == ["old", made().voice]


def test_an_import_takes_nobodys_ids(book: Book, tmp_path: Path) -> None:
    """Neither a voice of the book's, which would be deleted with the new one, nor what it says that it replaces."""
    book.keep(DESIGN.with_id(made()), {PREVIEW: b"RIFF preview"})
    there, path = Book(str(tmp_path / "there")), str(tmp_path / "cast.zip")
    mine = replace(CLONE, replaced=(made(voice="precious"),))
    there.keep(mine.with_id(made()), {CLONE.sample: b"RIFF sample"})
    there.export(path)
    with pytest.raises(OptionError, match=f"{made().voice}, which is called narrator there, is called guide here"):
        book.take_in(path)
    assert [each.name for each in book.voices()] == ["guide"]
    book.forget("guide")
    book.take_in(path)
    assert book.get("narrator").replaced == ()
    there.keep(DESIGN.with_id(made()), {PREVIEW: b"RIFF preview"})
    there.export(path)
    with pytest.raises(OptionError, match="no exported voice book"):
        Book(str(tmp_path / "third")).take_in(path)


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


def exported(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """An export, with these entries."""
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in entries.items():
            file.writestr(name, data)
    return path


GOOD = {"guide/voice.json": encoded(replace(DESIGN, preview=""))}
HOSTILE = {
    "same-name": GOOD | {"x/voice.json": GOOD["guide/voice.json"].replace(b'"guide"', b'"Guide"')},
    "same-entry": GOOD | {"GUIDE/voice.json": b""},
    "huge-entry": GOOD | {"zeros": bytes((32 << 20) + 1)},
    "null": GOOD | {"x/voice.json": b"null"},
    "ids": GOOD | {"x/voice.json": b'{"version": 1, "ids": ["x"]}'},
    "system-voice": GOOD | {"x/voice.json": changed(name="Cherry")},
    "no-file": GOOD | {"x/voice.json": changed(sample="a\0b")},
    "preview": {"guide/voice.json": encoded(DESIGN), f"guide/{PREVIEW}": b"RIFF other"},
    "folder": {"x/voice.json": GOOD["guide/voice.json"]},
    "more": GOOD | {"guide/more.txt": b"more"},
    "outside": GOOD | {"../../evil": b"evil"},
}


@pytest.mark.parametrize("entries", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_entry(entries: dict[str, bytes], book: Book, tmp_path: Path) -> None:
    """One bad entry, and nothing of the file is taken in."""
    with pytest.raises(OptionError, match="no exported voice book"):
        book.take_in(str(exported(tmp_path / "evil.zip", entries)))
    assert not (tmp_path / "voices").exists()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_export_with_wrong_bytes(method: int, book: Book, tmp_path: Path) -> None:
    """Wherever a byte of it is wrong, it is refused in one line, or the voice is the one that was exported."""
    path = exported(tmp_path / "cast.zip", GOOD, method)
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        with suppress(OptionError):
            assert book.take_in(str(path), replacing=True) == ["guide"]
            assert book.get("guide").prompt == DESIGN.prompt
        path.write_bytes(whole[:place])
        with pytest.raises(OptionError, match="no exported voice book"):
            book.take_in(str(path), replacing=True)


def test_an_export_that_is_too_much(book: Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What unpacks to more than may be is neither taken in nor written, and the error says how much may be."""
    path = exported(tmp_path / "bomb.zip", GOOD | {"a": bytes(2000), "b": bytes(2000)})
    monkeypatch.setattr(archive, "_MOST_IN_ALL", 3 << 10)
    with pytest.raises(OptionError, match="too much for one file"):
        book.take_in(str(path))
    book.keep(CLONE.with_id(made()), {CLONE.sample: b"RIFF sample"})
    monkeypatch.setattr(archive, "_MOST_FILES", 1)
    with pytest.raises(OptionError, match="too much for one file"):
        book.export(str(tmp_path / "cast.zip"))
    assert list(tmp_path.glob("cast*")) == []


def test_an_import_that_cannot_be_finished(book: Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk is full before the last voice is there, no voice is, and those that were there are as before."""
    old, sound = replace(CLONE, sample="sample.wav").with_id(made()), b"RIFF sample"
    book.keep(old, {"sample.wav": sound})
    other = Book(str(tmp_path / "other"))
    other.keep(replace(CLONE, consent="Somebody else's").with_id(made()), {CLONE.sample: sound})
    for number in range(3):
        other.keep(replace(DESIGN, name=f"guide{number}"), {PREVIEW: b"RIFF preview"})
    path = str(tmp_path / "cast.zip")
    other.export(path)
    real, writes = os.fsync, iter(range(7))

    def full(file: int) -> None:
        if next(writes, None) is None:
            raise OSError(28, "No space left on device")
        real(file)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        book.take_in(path, replacing=True)
    assert book.voices() == [old]
    assert book.read(old, old.sample) == sound
    assert sorted(os.listdir(tmp_path / "voices" / "narrator")) == ["sample.wav", "voice.json"]
    assert sorted(each.name for each in (tmp_path / "voices").iterdir() if each.is_dir()) == ["narrator"]


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip" * 100])
def test_no_export_at_all(content: bytes, book: Book, tmp_path: Path) -> None:
    """Something else is refused in one line."""
    path = tmp_path / "other.zip"
    path.write_bytes(content)
    with pytest.raises(OptionError, match="no exported voice book"):
        book.take_in(str(path))
    with pytest.raises(OptionError, match="There is no file"):
        book.take_in(str(tmp_path / "none.zip"))
    with pytest.raises(OptionError, match="What came is no exported voice book"):
        book.take_in(io.BytesIO(content))
    os.mkfifo(tmp_path / "pipe.zip")  # and devices, which have no end
    for place in (tmp_path, tmp_path / "pipe.zip"):
        with pytest.raises(OptionError, match="no exported voice book"):
            book.take_in(str(place))


def test_an_export_of_a_voice_that_lost_its_sample(book: Book, tmp_path: Path) -> None:
    """It names the voice and the file, and leaves nothing behind."""
    book.keep(CLONE.with_id(made()))
    with pytest.raises(VoiceError, match=r"sample\.\w+\.wav of narrator is no longer"):
        book.export(str(tmp_path / "cast.zip"))
    assert list(tmp_path.glob("cast*")) == []


def test_an_export_goes_where_it_is_sent(book: Book, tmp_path: Path) -> None:
    """A pipe is written to and stays one, as a device would; of a link, what it leads to is replaced."""
    book.keep(DESIGN.with_id(made()), {PREVIEW: b"RIFF preview"})
    pipe, link, target = (tmp_path / name for name in ("pipe", "link.zip", "target.zip"))
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        arrived = pool.submit(pipe.read_bytes)
        book.export(str(pipe))
        assert arrived.result(10)[:2] == b"PK"
    assert pipe.is_fifo()
    link.symlink_to(target)
    target.write_bytes(b"old")
    target.chmod(0o644)
    book.export(str(link))
    assert link.is_symlink()
    for number, source in enumerate((str(target), io.BytesIO(target.read_bytes()))):
        assert Book(str(tmp_path / f"other{number}")).take_in(source) == [DESIGN.name]
    assert stat.S_IMODE(target.stat().st_mode) == 0o644  # as it was
    book.export(str(tmp_path / "new.zip"))
    assert stat.S_IMODE((tmp_path / "new.zip").stat().st_mode) == 0o600
    assert list(tmp_path.glob("*.part")) == list(tmp_path.glob(".*.part")) == []


def test_nothing_to_export(book: Book, tmp_path: Path) -> None:
    """An empty book is not exported."""
    with pytest.raises(VoiceError, match="no voices of your own"):
        book.export(str(tmp_path / "cast.zip"))


@pytest.mark.parametrize("change", [{"sample_sha256": "ab" * 32}, {"consent": " "}])
def test_an_export_that_was_changed(change: dict[str, str], book: Book, tmp_path: Path) -> None:
    """A sample that is not the one that was cloned, and a clone without consent, are not taken in."""
    book.keep(replace(CLONE, **change).with_id(made()), {CLONE.sample: b"RIFF sample"})  # type: ignore[arg-type]
    path = str(tmp_path / "cast.zip")
    book.export(path)
    with pytest.raises(OptionError, match="no exported voice book"):
        Book(str(tmp_path / "other")).take_in(path)
