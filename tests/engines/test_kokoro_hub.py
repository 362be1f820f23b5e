"""The download of a pack: what is used is whole and right, whatever happens on the way."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lineread.engines.kokoro import hub as hubs
from lineread.engines.kokoro import pack as packs
from lineread.engines.kokoro.hub import Stopped, install
from lineread.errors import BadReply, ConfigError, LinereadError, OutputError, Unreachable
from loopback.hub import Hub, cut, hold, instead, manifest, status, toy

BIG = random.Random(7).randbytes(1_500_000)
FILES = {"onnx/model.onnx": BIG, **{f"voices/v{number}.bin": bytes([number]) * 4000 for number in range(6)}}
PACK = toy(FILES)
MODEL = PACK.files[0]


class Meter:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.size = self.done = self.waits = 0
        self.host = ""

    def begin(self, done: int, size: int, host: str) -> None:
        self.done, self.size, self.host = done, size, host

    def wait(self) -> None:
        self.waits += 1

    def advance(self, size: int) -> None:
        self.done += size


def fetched(hub: Hub, place: Path, meter: Meter | None = None) -> Meter:
    meter = meter or Meter()
    install(PACK, str(place), hub.url, meter=meter, pause=0.001)
    return meter


def is_right(place: Path) -> bool:
    """All files are those that were asked for, and nothing else lies there."""
    there = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()} - {".lock", "pack.json"}
    return there == set(FILES) and all((place / path).read_bytes() == data for path, data in FILES.items())


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "packs" / "toy"


def test_a_pack_is_fetched_whole(place: Path) -> None:
    """All files come through redirects, the meter ends where it should, and the pack says that it is whole."""
    with Hub(FILES) as hub:
        meter = fetched(hub, place)
        assert is_right(place)
        assert packs.is_whole(str(place), PACK.mark)
        assert (meter.done, meter.size) == (PACK.size, PACK.size)
        assert meter.host == hub.url.removeprefix("http://")
        hub.asked.clear()
        fetched(hub, place)
        assert hub.asked == []


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
def test_a_lost_connection_is_gone_on_from(place: Path, ranges: bool) -> None:  # noqa: FBT001 - a parameter of pytest
    """Cut again and again, a download goes on: from where it was if the hub can, else from the beginning."""
    with Hub(FILES, ranges=ranges) as hub:
        hub.script(MODEL.path, cut(600_000), cut(900_000), status(503, Retry_After="0"))
        meter = fetched(hub, place)
        asked = [begun for path, begun in hub.asked if path == MODEL.path]
    assert is_right(place)
    assert meter.done == PACK.size
    assert asked[0] == ""
    assert all(begun.startswith("bytes=") for begun in asked[1:])
    if ranges:
        assert asked[1:] == ["bytes=600000-", "bytes=900000-", "bytes=900000-"]


def test_a_killed_download_is_gone_on_from(place: Path) -> None:
    """After kill -9 there is no whole pack, and the next download asks for the rest only."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from engines.test_kokoro_hub import PACK, Meter, install\n"
        "install(PACK, sys.argv[2], sys.argv[3], meter=Meter())\n"
    )
    reached, go_on = threading.Event(), threading.Event()
    with Hub(FILES) as hub:
        hub.script(MODEL.path, hold(1_000_000, reached, go_on))
        command = [sys.executable, "-c", code, str(Path(__file__).parents[1]), str(place), hub.url]
        with subprocess.Popen(command) as process:
            assert reached.wait(60)
            part = place / f"{MODEL.path}.{MODEL.sha256[:8]}.part"
            deadline = time.monotonic() + 60
            while not (part.exists() and part.stat().st_size > 500_000) and time.monotonic() < deadline:
                time.sleep(0.01)
            os.kill(process.pid, signal.SIGKILL)
        go_on.set()
        assert manifest(place) is None
        assert not (place / MODEL.path).exists()
        begun = part.stat().st_size
        hub.asked.clear()
        fetched(hub, place)
        assert (MODEL.path, f"bytes={begun}-") in hub.asked
    assert is_right(place)


def test_wrong_content_is_never_used(place: Path) -> None:
    """Bytes with another hash are thrown away with an error that says so; nothing of them lies in the pack."""
    with Hub(FILES) as hub:
        hub.script(MODEL.path, instead(BIG[:-1] + b"!"))
        with pytest.raises(BadReply, match=r"127\.0\.0\.1:\d+ sent model\.onnx with other content") as raised:
            fetched(hub, place)
        assert raised.value.code == "pack_mismatch"
        assert not (place / MODEL.path).exists()
        assert not list(place.rglob("model.onnx.*"))
        assert manifest(place) is None
        fetched(hub, place)
        assert is_right(place)


def test_a_beginning_of_something_else_is_forgotten(place: Path) -> None:
    """Where the rest does not fit to what was there, the file is fetched anew, and an endless one is cut off."""
    part = place / f"{MODEL.path}.{MODEL.sha256[:8]}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 1000)
    with Hub(FILES) as hub:
        meter = fetched(hub, place)
        assert is_right(place)
        assert meter.done == PACK.size
        shutil.rmtree(place)
        hub.script(MODEL.path, instead(BIG * 4))
        with pytest.raises(BadReply):
            fetched(hub, place)


@pytest.mark.parametrize(("code", "kind"), [(404, BadReply), (403, BadReply), (500, Unreachable), (429, Unreachable)])
def test_refusals_are_told(place: Path, code: int, kind: type[LinereadError]) -> None:
    """A file that the hub does not give ends at once, a hub that is broken after some attempts; both say what to do."""
    with Hub(FILES) as hub:
        hub.script(MODEL.path, *[status(code)] * 9)
        with pytest.raises(kind) as raised:
            fetched(hub, place)
        assert len([path for path, _ in hub.asked if path == MODEL.path]) == (1 if kind is BadReply else 5)
    assert "HF_ENDPOINT" in raised.value.remedy
    assert manifest(place) is None


def test_a_hub_that_is_not_there_is_told(place: Path) -> None:
    """No connection is an error of the network, and no address is one of the settings."""
    with Hub(FILES) as hub:
        gone = hub.url
    with pytest.raises(Unreachable):
        install(PACK, str(place), gone, meter=Meter(), pause=0.001)
    for address in ("ftp://127.0.0.1", "hub"):
        with pytest.raises(ConfigError):
            install(PACK, str(place), address, meter=Meter(), pause=0.001)


def test_no_room_is_told(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little room is said before anything is fetched, and also when the disk fills up on the way."""
    with Hub(FILES) as hub:
        usage = shutil._ntuple_diskusage(10, 10, 0)  # type: ignore[attr-defined]
        with monkeypatch.context() as patched:
            patched.setattr(hubs.shutil, "disk_usage", lambda _: usage)
            with pytest.raises(OutputError) as raised:
                fetched(hub, place)
        assert (raised.value.code, hub.asked) == ("no_room", [])

        def full(_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patched:
            patched.setattr(hubs.os, "fsync", full)
            with pytest.raises(OutputError) as raised:
                fetched(hub, place)
        assert raised.value.code == "no_room"
        assert "LINEREAD_DATA_DIR" in raised.value.remedy
        assert manifest(place) is None
        fetched(hub, place)
    assert is_right(place)


def test_damage_is_mended(place: Path) -> None:
    """A file that was changed after all is found by its hash, and only that one is fetched again."""
    with Hub(FILES) as hub:
        fetched(hub, place)
        (place / "voices/v3.bin").write_bytes(b"?")
        (place / "voices/v4.bin").unlink()
        hub.script("voices/v3.bin", status(404))
        with pytest.raises(BadReply):
            fetched(hub, place)
        assert manifest(place) is None  # it is no pack until it is mended
        (place / "voices/v4.bin").unlink(missing_ok=True)
        hub.asked.clear()
        fetched(hub, place)
        assert sorted(path for path, _ in hub.asked) == ["voices/v3.bin", "voices/v4.bin"]
    assert is_right(place)


def test_of_several_processes_one_fetches(place: Path) -> None:
    """Processes that want the pack at the same time fetch each file once; all of them find it whole."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from engines.test_kokoro_hub import PACK, Meter, install, packs\n"
        "install(PACK, sys.argv[2], sys.argv[3], meter=Meter())\n"
        "assert packs.is_whole(sys.argv[2], PACK.mark)\n"
    )
    reached, go_on = threading.Event(), threading.Event()
    with Hub(FILES) as hub:
        hub.script(MODEL.path, hold(1000, reached, go_on))
        command = [sys.executable, "-c", code, str(Path(__file__).parents[1]), str(place), hub.url]
        first = subprocess.Popen(command)
        assert reached.wait(60)
        others = [subprocess.Popen(command) for _ in range(2)]
        go_on.set()
        assert [process.wait(60) for process in (first, *others)] == [0, 0, 0]
        assert sorted(path for path, _ in hub.asked) == sorted(FILES)
    assert is_right(place)


def test_who_gives_up_stops_it(place: Path) -> None:
    """A download that nobody waits for ends at the next block, and leaves what it has."""
    reached, go_on, stop = threading.Event(), threading.Event(), threading.Event()
    outcome: list[BaseException] = []

    def fetch() -> None:
        try:
            install(PACK, str(place), hub.url, meter=Meter(), stop=stop)
        except BaseException as error:  # noqa: BLE001 - looked at below
            outcome.append(error)

    with Hub(FILES) as hub:
        hub.script(MODEL.path, hold(600_000, reached, go_on))
        thread = threading.Thread(target=fetch)
        thread.start()
        assert reached.wait(60)
        stop.set()
        go_on.set()
        thread.join(60)
    assert [type(error) for error in outcome] == [Stopped]
    assert manifest(place) is None


def test_the_mark_is_that_of_the_list() -> None:
    """The mark that a fingerprint has without reading the list is the list's; so are names, sizes and hashes."""
    pack = packs.kokoro()
    assert pack.mark == packs.MARK
    assert pack.files[0].path == packs.MODEL
    assert len(pack.files) == 55
    assert all(len(file.sha256) == 64 and file.size == 522_240 for file in pack.files[1:])


def test_a_download_is_told_in_lines(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """An engine's caller gets the size, then tenths up to all of it; nothing is written to the terminal."""
    lines: list[str] = []
    with Hub(FILES) as hub:
        hubs.Fetching(PACK, str(place), hub.url, lines.append).future.result(60)
    assert f"from {hub.url.removeprefix('http://')}: 2 MB" in lines[0]
    assert len(lines) <= 11
    assert lines[-1].endswith("100 % of 2 MB.")
    assert capfd.readouterr() == ("", "")
