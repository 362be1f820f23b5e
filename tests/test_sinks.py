"""Where speech goes: files that are whole or not there, streams, and what is said when it cannot be."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineread import sinks
from lineread.audio.container import read_wav, wav, wav_header
from lineread.errors import OptionError, OutputError
from lineread.speech import Request
from support import python

SOUND = bytes(range(256)) * 40
OTHER = SOUND[::-1]
KEY = "v1-1a2b3c4d5e6f"

posix = pytest.mark.skipif(os.name != "posix", reason="devices and pipes with names are POSIX")


def speak(sink: sinks.Sink, sound: bytes = SOUND, *, stop: type[BaseException] | None = None) -> None:
    with sink:
        sink.write(sound[:300])
        sink.write(sound[300:])
        if stop:
            raise stop


def names(directory: Path) -> list[str]:
    return sorted(os.listdir(directory))


class Interrupted(BaseException):
    """What Ctrl-C raises is no Exception either."""


# --- files that the user named


@pytest.mark.parametrize("form", ["wav", "pcm", "mp3", "flac", "ogg"])
def test_a_file_appears_whole(tmp_path: Path, form: str) -> None:
    """Nothing has the wanted name before the sink is left; then the directory holds that file and nothing else."""
    place = tmp_path / "a" / "b"
    path = place / f"line.{form}"
    with sinks.FileSink(path, form, 24_000) as sink:
        sink.write(SOUND)
        assert not path.exists()
        assert all(name.startswith(".") for name in names(place))
    assert names(place) == [path.name]
    assert sink.path == str(path)
    if form == "wav":
        assert path.read_bytes() == wav(SOUND, 24_000)


def test_what_a_killed_process_left_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unfinished files of this user go when they are a day old; younger ones, links and all else stay."""
    monkeypatch.setattr(sinks, "_SWEEP_EVERY", 1)
    place = tmp_path / "place"
    place.mkdir()
    keep = [
        ".lineread-new.part",
        ".lineread-old.wav",
        "x.lineread-old.part",
        ".lineread-dir.part",
        ".lineread-link.part",
    ]
    for name in (".lineread-old.part", *keep[:3]):
        (place / name).touch()
        if "old" in name:
            os.utime(place / name, (1, 1))
    (place / keep[3]).mkdir()
    (place / keep[4]).symlink_to(place / keep[0])
    speak(sinks.FileSink(place / "line.wav", "wav", 24_000))
    assert names(place) == sorted([*keep, "line.wav"])
    os.utime(place / keep[0], (1, 1))
    monkeypatch.setattr(os, "getuid", lambda: os.stat(place).st_uid + 1)
    speak(sinks.DefaultFileSink(str(place / "other.wav"), "wav", 24_000))
    assert (place / keep[0]).exists()  # somebody else's


def test_a_sweep_is_rare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full directory is not listed for every file, but sooner or later it is."""
    swept: list[str] = []
    monkeypatch.setattr(sinks, "_sweep", swept.append)
    for byte in range(256):
        monkeypatch.setattr(os, "urandom", lambda count, byte=byte: bytes([byte] * count))
        speak(sinks.FileSink(tmp_path / "line.pcm", "pcm", 24_000))
    assert swept == [str(tmp_path)] * 16


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, Interrupted, GeneratorExit])
def test_an_error_leaves_no_trace(tmp_path: Path, error: type[BaseException]) -> None:
    """Whatever interrupts the work, the file that was there stays as it was, and nothing is left beside it."""
    path = tmp_path / "line.wav"
    path.write_bytes(b"older")
    with pytest.raises(error):
        speak(sinks.FileSink(path, "wav", 24_000), stop=error)
    assert path.read_bytes() == b"older"
    assert names(tmp_path) == ["home", "line.wav", "work"]


def test_a_named_file_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    """A file that the user named gets the new content and keeps its permissions; a new one gets the usual ones."""
    path = tmp_path / "line.wav"
    path.write_bytes(b"older")
    path.chmod(0o640)
    speak(sinks.FileSink(path, "wav", 24_000))
    assert path.read_bytes() == wav(SOUND, 24_000)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    mask = os.umask(0o027)
    try:
        speak(sinks.FileSink(tmp_path / "new.wav", "wav", 24_000))
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "new.wav").stat().st_mode) == 0o640


@posix
def test_a_link_is_followed(tmp_path: Path) -> None:
    """A link stays a link; what it names is replaced, or made if it was missing, from a hidden file beside it."""
    place = tmp_path / "place"
    place.mkdir()
    link = tmp_path / "link.wav"
    link.symlink_to(place / "real.wav")
    for sound in (SOUND, OTHER):
        speak(sinks.FileSink(link, "wav", 24_000), sound)
        assert link.is_symlink()
        assert (place / "real.wav").read_bytes() == wav(sound, 24_000)
    with sinks.FileSink(link, "wav", 24_000):
        assert len(names(place)) == 2
    assert names(place) == ["real.wav"]


@posix
def test_devices_and_pipes_are_written_as_they_are(tmp_path: Path) -> None:
    """A named pipe delivers the sound with a stream's header, and stays; so does the null device."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    speak(sinks.FileSink(pipe, "wav", 24_000))
    reader.join()
    assert received == [wav_header(None, 24_000) + SOUND]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    speak(sinks.FileSink(os.devnull, "wav", 24_000))
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


@posix
def test_a_kill_leaves_nothing_under_the_name(tmp_path: Path) -> None:
    """After kill -9 in the middle of writing, the wanted name does not exist: half a file has another name."""
    path = tmp_path / "out" / "line.wav"
    code = """
import sys
from lineread.sinks import FileSink
with FileSink(sys.argv[1], "wav", 24_000) as sink:
    sink.write(bytes(1_000_000))
    print("half", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half\n"
        process.kill()
    assert [name for name in names(path.parent) if not name.startswith(".lineread-")] == []


# --- files that nobody named


def test_the_same_content_is_left_alone(tmp_path: Path) -> None:
    """Writing the same speech again changes nothing, not even the file's time."""
    path = tmp_path / "out" / "line.wav"
    speak(sinks.DefaultFileSink(path, "wav", 24_000))
    os.utime(path, (1, 1))
    sink = sinks.DefaultFileSink(path, "wav", 24_000)
    speak(sink)
    assert sink.path == str(path)
    assert path.stat().st_mtime == 1
    assert names(path.parent) == ["line.wav"]


def test_other_content_is_never_overwritten(tmp_path: Path) -> None:
    """Other speech, and whatever else has the name, stays; the new file gets the next free number, once."""
    place = tmp_path / "out"
    place.mkdir()
    (place / "line.wav").write_bytes(b"mine")
    (place / "line-2.wav").mkdir()
    for _ in range(2):
        for sound, name in ((SOUND, "line-3.wav"), (OTHER, "line-4.wav")):
            sink = sinks.DefaultFileSink(place / "line.wav", "wav", 24_000)
            speak(sink, sound)
            assert sink.path == str(place / name)
            assert (place / name).read_bytes() == wav(sound, 24_000)
    assert (place / "line.wav").read_bytes() == b"mine"
    assert names(place) == ["line-2.wav", "line-3.wav", "line-4.wav", "line.wav"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_system_without_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:  # noqa: FBT001 - a parameter
    """The names are given out the same way where hard links do not exist, as on FAT."""
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(PermissionError(1, "not permitted")))
    place = tmp_path / "out"
    for sound in (SOUND, OTHER, SOUND):
        speak(sinks.DefaultFileSink(place / "line.wav", "wav", 24_000), sound)
    assert names(place) == ["line-2.wav", "line.wav"]
    assert (place / "line.wav").read_bytes() == wav(SOUND, 24_000)


def test_processes_that_want_one_name_share_it_or_part(tmp_path: Path) -> None:
    """Of processes that finish at once, those with one content share a file, and those with another get another."""
    code = """
import sys
from lineread.sinks import DefaultFileSink
path, byte = sys.argv[1:]
for number in range(20):
    sink = DefaultFileSink(f"{path}/line{number}.wav", "wav", 24_000)
    with sink:
        sink.write(bytes([int(byte)]) * 2000)
        print("ready", flush=True)
        sys.stdin.readline()
    print(sink.path, flush=True)
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "out"), byte],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        for byte in ("1", "1", "2")
    ]
    for number in range(20):
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
        paths = [process.stdout.readline().strip() for process in processes if process.stdout]
        assert paths[0] == paths[1] != paths[2]
        assert {Path(path).name for path in paths} == {f"line{number}.wav", f"line{number}-2.wav"}
        for path, byte in zip(paths, (1, 1, 2), strict=True):
            assert read_wav(Path(path).read_bytes())[0] == bytes([byte]) * 2000
    for process in processes:
        process.communicate(timeout=30)
    assert len(names(tmp_path / "out")) == 40


# --- names


def test_a_default_name_can_be_read() -> None:
    """The name tells the first words, the voice and the speech's mark, and lies in the directory asked for."""
    request = Request("Hello, this is a short voice line. And it goes on and on.", "Cherry", format="mp3")
    assert sinks.default_path("out", request, KEY) == os.path.join(
        "out", "hello-this-is-a-short-voice-line-and-it-cherry-1a2b3c4d.mp3"
    )


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("Don’t stop — it's 5 o'clock!", "dont-stop-its-5-oclock"),
        ("  你好，世界。", "你好-世界"),
        ("नमस्ते दुनिया", "नमस्ते-दुनिया"),
        ("ÄRGER_über/Größe..\\x", "ärger-über-größe-x"),
        ("con", "con"),
        ("!?…", "speech"),
        ("😀", "speech"),
        ("a" * 90, "a" * 40),
        ("好" * 90, "好" * 33),
    ],
)
def test_slugs(text: str, slug: str) -> None:
    """Letters of every script stay, what separates words becomes a hyphen, and long words are cut."""
    name = os.path.basename(sinks.default_path("", Request(text, "Cherry"), KEY))
    assert name == f"{slug}-cherry-1a2b3c4d.wav"


@given(st.text(max_size=300), st.text(min_size=1, max_size=80))
def test_a_default_name_is_valid_everywhere(text: str, voice: str) -> None:
    """Any text and voice give one name that no file system refuses, and that no program takes for an option."""
    name = sinks.default_path("", Request(text, voice), KEY)
    assert name == os.path.basename(name)
    assert len(name.encode("utf-8")) <= 255
    assert not set(name) & set("<>:\"/\\|?*%$`'\n\r\t\0 ")
    assert not name.startswith(("-", ".", " "))
    assert name.endswith("-1a2b3c4d.wav")
    assert name.split(".")[0].lower() not in {"con", "prn", "aux", "nul", "com1", "lpt1"}
    assert name.isprintable() or not text.isprintable() or not voice.isprintable()


def test_open_file_takes_the_format_from_the_name(tmp_path: Path) -> None:
    """A suffix decides, without one the request does, and without a name it is the default file."""
    mp3 = sinks.open_file(tmp_path / "a.mp3", "unused", "wav", 24_000)
    speak(mp3)
    assert Path(mp3.path).read_bytes()[:2] == b"\xff\xf3"
    bare = sinks.open_file(str(tmp_path / "bare"), "unused", "wav", 24_000)
    speak(bare)
    assert Path(bare.path).read_bytes() == wav(SOUND, 24_000)
    default = sinks.open_file(None, str(tmp_path / "out" / "x.wav"), "wav", 24_000)
    assert isinstance(default, sinks.DefaultFileSink)
    with pytest.raises(OptionError):
        sinks.open_file("a.aac", "unused", "wav", 24_000)


# --- what can go wrong


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").write_bytes(b"")
    if os.name == "posix":
        (tmp_path / "loop").symlink_to(tmp_path / "loop")
    yield tmp_path
    assert not [name for name in names(tmp_path) if name.startswith(".")]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("directory", "is a directory"),
        ("", "is a directory"),
        ("missing/", "is a directory"),
        ("file/line.wav", "lies below something that is no directory"),
        ("file/deeper/line.wav", "lies below something that is no directory"),
        ("x" * 300 + ".wav", "has a name that is too long"),
        pytest.param("loop", "leads through links in a circle", marks=posix),
        ("nul\0.wav", "is not a name that a file can have"),
        ("lone\udf00\ud800.wav", "is not a name that a file can have"),
    ],
)
def test_a_path_that_cannot_be_is_refused_early(places: Path, name: str, says: str) -> None:
    """Each impossible path is one line and a remedy, from the early check and from the sink, and changes nothing."""
    path = os.path.join(places, name)
    before = names(places)
    for attempt in (lambda: sinks.check(path), lambda: speak(sinks.FileSink(path, "wav", 24_000))):
        with pytest.raises(OutputError, match=says) as caught:
            attempt()
        assert caught.value.remedy
        assert caught.value.exit_status == 6
    assert names(places) == before


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="a directory that takes no files is Linux's")
def test_what_the_system_says_is_told() -> None:
    """Where a directory is there and takes no file, nothing is claimed about the path that is not so."""
    with pytest.raises(OutputError, match=r"^/proc/line.wav could not be written: No such file or directory\. Try"):
        speak(sinks.FileSink("/proc/line.wav", "wav", 24_000))


@posix
@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions do not bind root")
def test_permissions_are_respected(tmp_path: Path) -> None:
    """A directory and a file that may not be written are refused before anything is spoken."""
    closed = tmp_path / "closed"
    closed.mkdir()
    locked = closed / "line.wav"
    locked.write_bytes(b"older")
    for path, modes in ((locked, (0o444, 0o755)), (closed / "new.wav", (0o644, 0o555))):
        locked.chmod(modes[0])
        closed.chmod(modes[1])
        for attempt in (sinks.check, lambda path: speak(sinks.FileSink(path, "wav", 24_000))):
            with pytest.raises(OutputError, match="permission denied"):
                attempt(path)
    closed.chmod(0o755)
    assert locked.read_bytes() == b"older"


@posix
def test_a_read_only_file_system_is_told_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no permission would help, none is asked for."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(os, "statvfs", lambda _: types.SimpleNamespace(f_flag=os.ST_RDONLY))
    (tmp_path / "old.wav").write_bytes(b"")
    for name in ("old.wav", "new.wav"):
        with pytest.raises(OutputError, match="lies on a read-only file system"):
            sinks.check(tmp_path / name)


def test_permissions_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The early check refuses what the system says may not be written (for root it never says so)."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    (tmp_path / "old.wav").write_bytes(b"")
    for name in ("old.wav", "new.wav", "deep/er/new.wav"):
        with pytest.raises(OutputError, match="permission denied"):
            sinks.check(tmp_path / name)


def test_a_path_that_can_be_passes(tmp_path: Path) -> None:
    """New files, old ones, and those in directories that are still to be made pass, and the check makes nothing."""
    (tmp_path / "old.wav").write_bytes(b"")
    before = names(tmp_path)
    for name in ("old.wav", "new.wav", "deep/er/new.wav", "x" * 251 + ".wav"):
        sinks.check(tmp_path / name)
    sinks.check("relative.wav")
    assert names(tmp_path) == before
    speak(sinks.FileSink(tmp_path / ("x" * 251 + ".wav"), "wav", 24_000))


def test_a_default_file_that_cannot_be_hides_the_text(tmp_path: Path) -> None:
    """The error names the directory and not the file, whose name begins with the user's text."""
    (tmp_path / "file").write_bytes(b"")
    path = sinks.default_path(str(tmp_path / "file" / "out"), Request("My secret plan", "Cherry"), KEY)
    with pytest.raises(OutputError, match="no directory") as caught:
        speak(sinks.DefaultFileSink(path, "wav", 24_000))
    assert "secret" not in str(caught.value)
    assert str(tmp_path / "file") in str(caught.value)


@posix
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """A device without room is an error, for a file and for a stream."""
    with pytest.raises(OutputError, match="the disk is full") as caught:
        speak(sinks.FileSink("/dev/full", "wav", 24_000))
    assert "room" in caught.value.remedy
    with open("/dev/full", "wb") as stream, pytest.raises(OutputError, match="the disk is full"):
        speak(sinks.StreamSink(stream, "wav", 24_000))


@posix
@pytest.mark.parametrize("form", ["wav", "mp3"])
def test_a_file_that_may_not_grow_leaves_no_trace(tmp_path: Path, form: str) -> None:
    """When the system refuses to write on, the older file stays and the unfinished one is removed."""
    path = tmp_path / "out" / f"line.{form}"
    path.parent.mkdir()
    path.write_bytes(b"older")
    code = """
import resource, sys
from lineread.errors import OutputError
from lineread.sinks import FileSink
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    with FileSink(sys.argv[1], sys.argv[2], 24_000) as sink:
        for _ in range(20):
            sink.write(bytes(48_000))
except OutputError as error:
    print(error)
"""
    result = python(code, str(path), form)
    assert b"larger than allowed" in result.stdout, result
    assert path.read_bytes() == b"older"
    assert names(path.parent) == [path.name]


# --- streams


def test_a_stream_gets_the_sound_at_once() -> None:
    """Each write is in the pipe when it returns, behind the header of a stream; the stream stays open."""
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as source, open(writing, "wb") as stream:
        stream.write(b"earlier")
        with sinks.StreamSink(stream, "wav", 24_000) as sink:
            assert source.read(1000) == b"earlier" + wav_header(None, 24_000)
            sink.write(SOUND[:500])
            assert source.read(1000) == SOUND[:500]
        assert not stream.closed


def test_a_stream_that_can_seek_gets_true_sizes(tmp_path: Path) -> None:
    """Standard output that was redirected to a file becomes an ordinary WAV."""
    with open(tmp_path / "line.wav", "wb") as stream:
        speak(sinks.StreamSink(stream, "wav", 24_000))
    assert (tmp_path / "line.wav").read_bytes() == wav(SOUND, 24_000)
    memory = io.BytesIO()
    speak(sinks.StreamSink(memory, "wav", 24_000))
    assert memory.getvalue() == wav(SOUND, 24_000)


@pytest.mark.parametrize("form", ["wav", "pcm", "mp3", "ogg"])
def test_a_reader_that_leaves_stops_the_stream(form: str) -> None:
    """When the other end is closed, the sink raises BrokenPipeError, and nothing is left to be written later."""
    reading, writing = os.pipe()
    with open(writing, "wb") as stream:
        os.close(reading)
        sound = bytes(200_000)
        with pytest.raises(BrokenPipeError), sinks.StreamSink(stream, form, 24_000) as sink:
            sink.write(sound)
        stream.flush()


@posix
def test_a_full_stream_is_not_tried_again_at_exit() -> None:
    """After a full disk the process ends with the status that it chose and says nothing more."""
    code = """
import sys
from lineread.errors import OutputError
from lineread.sinks import StreamSink
try:
    with StreamSink(sys.stdout.buffer, "wav", 24_000) as sink:
        sink.write(bytes(1000))
except OutputError as error:
    raise SystemExit(error.exit_status)
"""
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-c", code]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, timeout=30)
    assert (result.returncode, result.stderr) == (6, b"")


def test_an_error_writes_no_end() -> None:
    """What stops the speech is not followed by more output."""
    memory = io.BytesIO()
    with pytest.raises(ValueError):  # noqa: PT011 - the one that is raised here
        speak(sinks.StreamSink(memory, "wav", 24_000), stop=ValueError)
    assert memory.getvalue() == wav_header(None, 24_000) + SOUND


def test_it_loads_nothing_heavy() -> None:
    """Writing a WAV loads none of the modules that a cache hit cannot afford."""
    heavy = ("numpy", "soundfile", "asyncio", "subprocess", "tempfile", "shutil", "pathlib", "logging", "shlex")
    code = f"""
import sys
from lineread import sinks
with sinks.DefaultFileSink("out/x.wav", "wav", 24_000) as sink:
    sink.write(bytes(10))
print([name for name in {heavy} if name in sys.modules])
"""
    result = python(code)
    assert result.stdout.strip() == b"[]", result
