"""Finished audio: signed URLs that cannot be made up, files that are whole or not there, a bound on all of them."""

from __future__ import annotations

import asyncio
import io
import os
import stat
import subprocess
import sys
import threading
import time
import wave
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from xml.etree import ElementTree as ET

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineread.errors import OutputError, Overloaded
from lineread.server.sound import shelf as shelves
from lineread.server.sound import writing
from lineread.server.sound.shelf import Shelf
from lineread.server.sound.signing import VALID, Signer, secret
from lineread.server.sound.writing import Beside, Writing
from lineread.speech import Chunk
from server.gateway import Gateway, gateway, until

SECRET = b"k" * 32
NAME = Shelf.name("key", "wav", None)


def chunk(samples: int = 2400, rate: int = 24_000) -> Chunk:
    return Chunk(bytes(range(256)) * (samples // 128), rate, 0, (0, 1))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "audio"


def listed(directory: Path) -> list[str]:
    return sorted(os.listdir(directory)) if directory.exists() else []


def block(directory: Path) -> None:
    directory.write_text("a file where the directory should be")


def content(shelf: Shelf, name: str) -> bytes:
    return Path(shelf.path(name)).read_bytes()


def is_whole(path: Path) -> bool:
    with wave.open(str(path)) as file:
        return 44 + 2 * file.getnframes() == path.stat().st_size


def shelf_at(directory: Path, *, max_bytes: int = 1 << 30) -> Shelf:
    return Shelf(str(directory), SECRET, max_bytes=max_bytes)


async def stored(shelf: Shelf, name: str | None = NAME, *, chunks: int = 1, rate: int | None = None) -> str:
    async with Writing(shelf, "wav", rate) as file:
        for _ in range(chunks):
            await file.add(chunk())
        return await file.keep(name)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path) as running:
        yield running


async def url_of(server: Gateway, **parameters: object) -> str:
    response = await server.dashscope(parameters=parameters)
    url: str = (await response.json())["output"]["audio"]["url"]
    return url


def changed(url: str, **query: str | None) -> str:
    """The URL with some of its query changed."""
    parts = urlsplit(url)
    pairs = dict(parse_qsl(parts.query)) | query
    return urlunsplit(parts._replace(query=urlencode({name: value for name, value in pairs.items() if value})))


async def fetched(
    server: Gateway, url: str, method: str = "GET", **headers: str
) -> tuple[aiohttp.ClientResponse, bytes]:
    async with server.http.request(method, url, headers=headers) as response:
        return response, await response.read()


async def test_a_url_leads_to_the_whole_file(server: Gateway) -> None:
    """It is absolute, made from the Host header, good for a day, and gives a WAV file with its true size."""
    before = int(time.time())
    body = await (await server.dashscope()).json()
    audio = body["output"]["audio"]
    parts = urlsplit(audio["url"])
    query = dict(parse_qsl(parts.query, strict_parsing=True))
    assert f"{parts.scheme}://{parts.netloc}" == server.url
    assert list(query) == ["Expires", "OSSAccessKeyId", "Signature"]
    assert int(query["Expires"]) == audio["expires_at"]
    assert before + VALID <= audio["expires_at"] <= time.time() + VALID
    response, data = await fetched(server, audio["url"])
    assert (response.status, response.content_type) == (200, "audio/wav")
    assert response.headers["Accept-Ranges"] == "bytes"
    assert int(response.headers["Content-Length"]) == len(data)
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        assert 44 + 2 * file.getnframes() == len(data)


@pytest.mark.parametrize(
    ("form", "media_type", "magic"),
    [
        ("wav", "audio/wav", b"RIFF"),
        ("mp3", "audio/mpeg", b"\xff"),
        ("opus", "audio/ogg", b"OggS"),
        ("flac", "audio/flac", b"fLaC"),
        ("pcm", "audio/pcm", b""),
    ],
)
async def test_every_format_has_its_type(server: Gateway, form: str, media_type: str, magic: bytes) -> None:
    """The file is what was asked for, at the rate that was asked for, and says so."""
    response, data = await fetched(server, await url_of(server, response_format=form, sample_rate=16000))
    assert (response.status, response.content_type) == (200, media_type)
    assert data.startswith((magic, b"ID3") if form == "mp3" else magic)
    if form == "wav":
        with wave.open(io.BytesIO(data)) as file:
            assert file.getframerate() == 16_000


async def test_parts_and_conditions(server: Gateway) -> None:
    """Single ranges, suffixes, HEAD, ETags and dates work; what lies beyond the end is a 416 that tells the length."""
    url = await url_of(server)
    whole, data = await fetched(server, url)
    for asked, part in (
        ("bytes=0-9", data[:10]),
        ("bytes=100-", data[100:]),
        ("bytes=-44", data[-44:]),
        (f"bytes=5-{len(data) * 2}", data[5:]),
    ):
        response, got = await fetched(server, url, Range=asked)
        assert (response.status, got) == (206, part)
        assert response.headers["Content-Range"].endswith(f"/{len(data)}")
    for method in ("GET", "HEAD"):
        response, got = await fetched(server, url, method, Range=f"bytes={len(data)}-")
        assert (response.status, response.headers["Content-Range"], got) == (416, f"bytes */{len(data)}", b"")
        assert response.headers["Content-Length"] == "0"
        assert not {"Content-Type", "Transfer-Encoding"} & response.headers.keys()
    response, got = await fetched(server, url, "HEAD")
    assert (response.status, got) == (200, b"")
    assert response.headers["Content-Length"] == str(len(data))
    etag, date = whole.headers["ETag"], whole.headers["Last-Modified"]
    assert await url_of(server)  # the same speech, asked for again, is the same file
    for header, value in (("If-None-Match", etag), ("If-Modified-Since", date)):
        response, got = await fetched(server, url, **{header: value})
        assert (response.status, got) == (304, b"")
    for condition in (date, etag):
        response, got = await fetched(server, url, Range="bytes=2-3", **{"If-Range": condition})
        assert (response.status, got) == (206, data[2:4])
    wrong = [(asked, etag) for asked in ("0-1,4-5", "x", "-", "-0", "5-2", "9" * 5000 + "-")]
    for asked, condition in (("2-3", '"other"'), ("2-3", f"W/{etag}"), ("2-3", "soon"), *wrong):
        response, got = await fetched(server, url, Range=f"bytes={asked}", **{"If-Range": condition})
        assert (response.status, got) == (200, data), (asked, condition)
    assert (await fetched(server, url, **{"If-Match": '"other"'}))[0].status == 412


async def test_a_url_cannot_be_changed(server: Gateway) -> None:
    """Another time, key id, signature, name or none at all is a 403 in the object store's XML, whatever it is."""
    url = await url_of(server)
    other = url.replace(urlsplit(url).path, "/audio/" + Shelf.name("x", "wav", None))
    expired = server.url + server.desk.shelf.signer.sign(Path(urlsplit(url).path).name, int(time.time()) - 1)
    for wrong in (
        changed(url, Signature="AAAA"),
        changed(url, Signature=None),
        changed(url, Signature="\N{SNOWMAN}"),
        changed(url, Expires="99999999999"),
        changed(url, Expires="9" * 5000),
        changed(url, Expires="\N{ARABIC-INDIC DIGIT ONE}"),
        changed(url, Expires=None),
        changed(url, OSSAccessKeyId="other"),
        url.partition("?")[0],
        other,
        server.url + "/audio/..%2F..%2Fetc%2Fpasswd?" + urlsplit(url).query,
        expired,
    ):
        response, data = await fetched(server, wrong)
        assert (response.status, response.content_type) == (403, "application/xml"), wrong
        error = ET.fromstring(data)
        assert error.tag == "Error"
        assert {child.tag for child in error} == {"Code", "Message", "RequestId"}
        assert (error.findtext("Message") == "Request has expired.") == (wrong == expired)
    response, data = await fetched(server, url, "DELETE")
    assert (response.status, ET.fromstring(data).findtext("Code")) == (405, "MethodNotAllowed")


async def test_a_file_that_went_away(server: Gateway) -> None:
    """A signed name without its file is a 404 that says what to do; the same speech, asked for again, is there."""
    url = await url_of(server)
    path = server.desk.shelf.path(Path(urlsplit(url).path).name)
    os.unlink(path)
    response, data = await fetched(server, url)
    assert (response.status, ET.fromstring(data).findtext("Code")) == (404, "NoSuchKey")
    os.symlink("/etc/hostname", path)
    assert (await fetched(server, url))[0].status == 404
    await url_of(server)
    assert (await fetched(server, url))[0].status == 200
    assert content(server.desk.shelf, os.path.basename(path)).startswith(b"RIFF")


async def test_a_proxy_s_name_is_used(tmp_path: Path) -> None:
    """With a public URL, paths included, audio is found there and not at the Host header."""
    async with gateway(tmp_path, public_url="https://speech.example.com/tts/") as server:
        assert (await url_of(server)).startswith("https://speech.example.com/tts/audio/")


async def test_urls_outlive_the_server(tmp_path: Path) -> None:
    """A URL of one server is served by the next one, which has the same secret and the same directory."""
    async with gateway(tmp_path) as server:
        url = await url_of(server)
    async with gateway(tmp_path) as server:
        parts = urlsplit(url)
        response, _ = await fetched(server, f"{server.url}{parts.path}?{parts.query}")
        assert response.status == 200


@given(st.text(max_size=60), st.integers(0, 10**11), st.text(max_size=60))
@settings(derandomize=True, deadline=None)
def test_only_what_was_signed_is_verified(name: str, expires: int, signature: str) -> None:
    """No signature fits another name or another time, and none that was not made here."""
    signer = Signer(SECRET)
    signed = dict(parse_qsl(urlsplit(signer.sign(NAME, 1000)).query))["Signature"]
    assert signer.verifies(NAME, 1000, "lineread", signed)
    assert not signer.verifies(NAME, 1000, "lineread", signature)
    assert signer.verifies(name, expires, "lineread", signed) == ((name, expires) == (NAME, 1000))
    assert not Signer(b"other" * 7).verifies(NAME, 1000, "lineread", signed)


def test_one_secret_for_all_servers_of_a_user(tmp_path: Path) -> None:
    """However many start at once, they sign alike, also later; nobody else can read the secret."""
    barrier = threading.Barrier(16)

    def start(_: int) -> bytes:
        barrier.wait()
        return secret(str(tmp_path / "state"))

    with ThreadPoolExecutor(16) as pool:
        assert len({*pool.map(start, range(16)), secret(str(tmp_path / "state"))}) == 1
    (path,) = (tmp_path / "state").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size == 32


def test_half_a_secret_is_replaced(tmp_path: Path) -> None:
    """What is no secret of ours is replaced by one; where none can be kept, the server is told so."""
    path = tmp_path / "audio-url-secret"
    for broken in (b"short", b"", b"x" * 33):
        path.write_bytes(broken)
        assert secret(str(tmp_path)) == path.read_bytes() != broken
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OSError, match="file"):
        secret(str(blocked))


async def test_a_file_appears_when_it_is_whole(place: Path) -> None:
    """While it is written its name is free; given up, it leaves nothing; files are the owner's alone."""
    shelf = shelf_at(place)
    async with Writing(shelf, "wav", None) as file:
        await file.add(chunk())
        assert not shelf.holds(NAME)
        assert len(listed(place)) == 1
    assert listed(place) == []
    assert await stored(shelf) == NAME
    assert listed(place) == [NAME]
    assert stat.S_IMODE(os.stat(shelf.path(NAME)).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(shelf.directory).st_mode) == 0o700
    own = await stored(shelf, None)
    assert own != NAME
    assert shelf.holds(own)


async def test_a_link_is_replaced_and_not_followed(place: Path) -> None:
    """A link under a file's name neither counts as the file nor leads a new one out of the directory."""
    shelf = shelf_at(place)
    os.makedirs(shelf.directory)
    precious = place.parent / "precious"
    precious.write_text("mine")
    os.symlink(precious, shelf.path(NAME))
    assert not shelf.holds(NAME)
    await stored(shelf)
    assert shelf.holds(NAME)
    assert precious.read_text() == "mine"


def test_what_is_killed_leaves_no_half_file(place: Path) -> None:
    """A server that is killed amid writing leaves a part under no file's name, which is swept when it is old."""
    code = """if True:
        import asyncio, sys
        from lineread.server.sound.shelf import Shelf
        from lineread.server.sound.writing import Writing
        from lineread.speech import Chunk
        async def main():
            async with Writing(Shelf(sys.argv[1], b"s", max_bytes=1 << 30), "wav", None) as file:
                await file.add(Chunk(bytes(48000), 24000, 0, (0, 1)))
                print("begun", flush=True)
                await asyncio.Event().wait()
        asyncio.run(main())
    """
    with subprocess.Popen([sys.executable, "-c", code, place], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        process.kill()
    (left,) = place.iterdir()
    shelf = shelf_at(place)
    assert left.suffix == ".part"
    shelf.tidy()
    assert left.exists()  # another server may be writing it
    os.utime(left, (0, time.time() - 7200))
    shelf.tidy()
    assert not left.exists()


async def test_files_are_bounded_and_the_longest_unused_go_first(place: Path) -> None:
    """Over the bound those go that nobody asked for the longest; those whose day is over go anyway."""
    shelf = shelf_at(place)
    names = [Shelf.name(str(number), "wav", None) for number in range(6)]
    now = time.time()
    for age, name in enumerate(names):
        await stored(shelf, name)
        os.utime(shelf.path(name), (now - 1000 * age, now - 50_000))
    os.utime(shelf.path(names[0]), (now - VALID - 120, now))  # its day is over
    assert shelf.holds(names[5])  # used again, so that the fifth is the longest unused
    assert os.stat(shelf.path(names[5])).st_mtime == pytest.approx(now - 50_000)
    size = os.stat(shelf.path(names[1])).st_size
    (place / "notes.txt").write_text("not ours")
    shelf_at(place, max_bytes=3 * size).tidy()
    assert [shelf.holds(name) for name in names] == [False, True, True, False, False, True]
    assert (place / "notes.txt").exists()


async def test_the_bound_holds_by_itself(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without anybody's help a shelf that is written to stays near its bound, and work goes on meanwhile."""
    monkeypatch.setattr(shelves, "FRESH", -1)
    size = 44 + 2 * 2304
    shelf = shelf_at(place, max_bytes=20 * size)
    for number in range(60):
        await stored(shelf, Shelf.name(str(number), "wav", None))
    await until(lambda: len(listed(place)) <= 21)


async def test_what_was_just_given_away_stays(place: Path) -> None:
    """When fresh files take all the room, the next one is refused for now: no URL is dead when it arrives."""
    size = 44 + 2 * 2304
    shelf = shelf_at(place, max_bytes=3 * size)
    names = [Shelf.name(str(number), "wav", None) for number in range(3)]
    for name in names:
        await stored(shelf, name)
    with pytest.raises(Overloaded) as caught:
        await stored(shelf, Shelf.name("4", "wav", None))
    assert caught.value.retry_after
    shelf.tidy()
    assert listed(place) == sorted(names)


async def test_a_copy_that_failed_holds_no_sound(place: Path) -> None:
    """What is streamed after its file has failed is not kept in memory for it."""
    block(place)
    async with Beside(shelf_at(place), "wav", None) as file:
        await file.add(chunk())
        await until(file._task.done)
        before = file._chunks.qsize()
        for _ in range(100):
            await file.add(chunk())
        assert file._chunks.qsize() == before
        assert await file.keep(NAME) is None


async def test_a_disk_that_hangs_holds_up_nothing_else(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that wait for the disk take no thread that other work needs, however many they are."""
    released = threading.Event()
    monkeypatch.setattr(Writing, "_add", lambda *_: released.wait(60))
    monkeypatch.setattr(writing, "PATIENCE", 0.01)
    shelf = shelf_at(place)
    try:
        for _ in range(40):
            async with Beside(shelf, "wav", None) as file:
                await file.add(chunk())
                assert await file.keep(NAME) is None
        async with asyncio.timeout(20):
            assert await asyncio.to_thread(lambda: 1) == 1
    finally:
        released.set()


async def test_a_file_s_day_begins_when_it_is_whole(place: Path) -> None:
    """A file that took long to be made is kept as long as its URL says."""
    shelf = shelf_at(place)
    async with Writing(shelf, "wav", None) as file:
        await file.add(chunk())
        (partial,) = listed(place)
        os.utime(place / partial, (0, 0))
        name = await file.keep(NAME)
    assert os.stat(shelf.path(name)).st_atime > time.time() - 60


async def test_two_servers_share_a_directory(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both write, hold and tidy the same names at once; every file that is held is whole."""
    monkeypatch.setattr(shelves, "FRESH", -1)
    shelves_ = [shelf_at(place, max_bytes=200_000) for _ in range(2)]
    names = [Shelf.name(str(number), "wav", None) for number in range(8)]

    async def work(shelf: Shelf) -> None:
        for name in names * 3:
            await stored(shelf, name, chunks=4)
            await asyncio.to_thread(shelf.tidy)

    await asyncio.gather(*(work(shelf) for shelf in shelves_ * 2))
    assert all(is_whole(place / name) for name in listed(place))


async def test_a_full_disk_is_told_without_its_path(place: Path) -> None:
    """What the system says becomes our error, which names no place; nothing is left and nothing hangs."""
    block(place)
    with pytest.raises(OutputError) as caught:
        await stored(shelf_at(place))
    assert str(place.parent) not in str(caught.value)


async def test_a_copy_that_fails_does_not_touch_the_stream(place: Path) -> None:
    """Beside a stream, a disk that takes nothing means no file: nothing is raised, nothing waits."""
    block(place)
    async with asyncio.timeout(10), Beside(shelf_at(place), "wav", None) as file:
        for _ in range(3):
            await file.add(chunk())
        assert await file.keep(NAME) is None


async def test_a_disk_that_hangs_is_given_up(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream gives a hanging disk a bounded time and bounded memory, and then goes on without the file."""
    monkeypatch.setattr(writing, "PATIENCE", 0.05)
    monkeypatch.setattr(writing, "MOST_WAITING", 20_000)
    release = threading.Event()
    monkeypatch.setattr(Writing, "_opened", lambda *_: release.wait(30))
    try:
        async with asyncio.timeout(10), Beside(shelf_at(place), "wav", None) as file:
            for _ in range(100):
                await file.add(chunk())
            assert await file.keep(NAME) is None
    finally:
        release.set()


async def test_a_copy_is_the_whole_file(place: Path) -> None:
    """Beside a stream the same file is written as without one, also where the disk lags behind."""
    shelf = shelf_at(place)
    async with Beside(shelf, "wav", 16_000) as file:
        for _ in range(5):
            await file.add(chunk())
        assert await file.keep(NAME) == NAME
    other = await stored(shelf, None, chunks=5, rate=16_000)
    assert content(shelf, NAME) == content(shelf, other)


async def test_a_copy_that_is_left_leaves_nothing(place: Path) -> None:
    """A client that goes away amid a stream leaves no file behind, and no part of one."""
    shelf = shelf_at(place)
    async with Beside(shelf, "wav", None) as file:
        await file.add(chunk())
        await until(lambda: listed(place))
    await until(lambda: not listed(place))
