"""The pack's way onto the machine.

Owns the download: from a model hub or its mirror, with what it takes to go on after anything. Each file is received
beside its place, hashed as it comes, and renamed into place when it is whole and its hash is right; the pack is
declared whole when all files are. Who is killed leaves the beginning of a file, from which the next one goes on. Of
several processes one works, and the others wait for it.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import shutil
import threading
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, Protocol

from lineread import claims
from lineread.engines.kokoro import pack as packs
from lineread.errors import BadReply, ConfigError, LinereadError, OutputError, Unreachable
from lineread.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lineread.engines.kokoro.pack import File, Pack

#: Files that are fetched at the same time: the small ones would otherwise wait for each other's round trips.
_AT_ONCE: Final = 4
_BLOCK: Final = 1 << 18
#: Seconds without a byte after which a connection counts as lost.
_SILENCE: Final = 30.0
#: Attempts without a byte of progress, and the seconds between the first two; they double.
_ATTEMPTS: Final = 5
_PAUSE: Final = 0.5
_MOST_PAUSE: Final = 30.0
#: Seconds between looks whether another process is ready.
_LOOK: Final = 0.2
#: Bytes that stay free.
_SPARE: Final = 16 << 20
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class Stopped(Exception):
    """Whoever wanted the pack has given up."""


class Meter(Protocol):
    """What is told of the progress. Called from several threads, one at a time."""

    def begin(self, done: int, size: int, host: str) -> None:
        """It begins: so many bytes of so many are there already."""

    def wait(self) -> None:
        """Another process is at it."""

    def advance(self, size: int) -> None:
        """So many bytes more; fewer, where some turned out to be of no use."""


def install(
    pack: Pack, place: str, endpoint: str, *, meter: Meter, stop: threading.Event | None = None, pause: float = _PAUSE
) -> None:
    """Put a pack in its place; what is there already is checked and kept.

    Args:
        pack: What to fetch.
        place: The directory that it shall lie in.
        endpoint: The hub, such as ``https://huggingface.co``.
        meter: Is told of the progress.
        stop: Set by another thread to have it given up; what has been received stays.
        pause: Seconds before the second attempt at a file.

    Raises:
        Stopped: It was given up.
        Unreachable: The hub cannot be reached, or the connection was lost again and again.
        BadReply: The hub has other files than these.
        OutputError: There is no room, or nothing can be written there.
    """
    stop = stop or threading.Event()
    try:
        for file in pack.files:
            os.makedirs(os.path.dirname(os.path.join(place, file.path)), exist_ok=True)
        with _alone(place, meter, stop):
            _Delivery(pack, place, endpoint, meter=meter, stop=stop, pause=pause).make()
    except OSError as error:
        raise _unwritable(error, pack, place) from error


@contextmanager
def _alone(place: str, meter: Meter, stop: threading.Event) -> Iterator[None]:
    """The right to change a directory, which only one has at a time."""
    path = os.path.join(place, ".lock")
    held = claims.claim(path, 0)
    if held is None:
        meter.wait()
    while held is None:
        if stop.wait(_LOOK):
            raise Stopped
        held = claims.claim(path, 0)
    try:
        yield
    finally:
        held.release()


class _Delivery:
    """One download of what is missing of a pack."""

    def __init__(
        self, pack: Pack, place: str, endpoint: str, *, meter: Meter, stop: threading.Event, pause: float
    ) -> None:
        self._pack = pack
        self._place = place
        self._endpoint = endpoint.rstrip("/")
        self._host = urllib.parse.urlsplit(self._endpoint).netloc.rpartition("@")[2] or self._endpoint
        self._meter = meter
        self._stop = stop
        self._pause = pause
        self._lock = threading.Lock()

    def make(self) -> None:
        """Fetch what is missing, and declare the pack whole."""
        missing = [file for file in self._pack.files if not self._is_there(file)]
        if missing:
            packs.declare_broken(self._place)
            done = self._pack.size - sum(file.size - self._begun(file) for file in missing)
            self._check_room(missing)
            self._meter.begin(done, self._pack.size, self._host)
            self._fetch_all(missing)
        if not packs.is_whole(self._place, self._pack.mark):
            packs.declare_whole(self._place, self._pack.mark)
        self._clear()

    def _fetch_all(self, files: list[File]) -> None:
        failed = threading.Event()
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="lineread-fetch") as crew:
            under_way = [crew.submit(self._fetch, file, failed) for file in files]
            try:
                done, _ = wait(under_way, return_when=FIRST_EXCEPTION)
            finally:
                failed.set()
                crew.shutdown(cancel_futures=True)
        for each in done:
            each.result()

    def _is_there(self, file: File) -> bool:
        try:
            with open(os.path.join(self._place, file.path), "rb") as content:
                return file.is_one_of(hashlib.file_digest(content, "sha256").hexdigest())
        except FileNotFoundError:
            return False

    def _part(self, file: File) -> str:
        """Where a file is received. Another version of it is received elsewhere."""
        return os.path.join(self._place, f"{file.path}.{file.sha256[:8]}.part")

    def _begun(self, file: File) -> int:
        try:
            return os.stat(self._part(file)).st_size
        except FileNotFoundError:
            return 0

    def _check_room(self, missing: list[File]) -> None:
        needed = sum(max(0, file.size - self._begun(file)) for file in missing) + _SPARE
        if shutil.disk_usage(self._place).free < needed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._place)

    def _clear(self) -> None:
        """Remove what other versions left half received, and what was made of the files for speed."""
        for file in self._pack.files:
            directory = os.path.dirname(os.path.join(self._place, file.path))
            for name in os.listdir(directory):
                if name.startswith(f"{os.path.basename(file.path)}.") and name.endswith((".part", ".fast")):
                    os.remove(os.path.join(directory, name))

    def _fetch(self, file: File, failed: threading.Event) -> None:
        """Receive a file, going on after each interruption, and put it in its place."""
        part = self._part(file)
        lasting = _Patience(self._pause)
        while True:
            before = self._begun(file)
            try:
                whole = self._receive(file, failed)
            except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
                lasting.heed(error, file, self._host, progressed=self._begun(file) > before)
                if self._stop.wait(lasting.pause) or failed.is_set():
                    raise Stopped from None
                continue
            if whole:
                os.replace(part, os.path.join(self._place, file.path))
                return
            self._advance(-self._begun(file))
            os.remove(part)
            if not before:
                raise BadReply(
                    f"{self._host} sent {os.path.basename(file.path)} with other content than it should have.",
                    remedy="Try again later; if HF_ENDPOINT names a mirror, try another one.",
                    code="pack_mismatch",
                )

    def _receive(self, file: File, failed: threading.Event) -> bool:
        """Receive the rest of a file. False if what has come is not that file."""
        begun = self._begun(file)
        with _opened(self._url(file), begun) as reply, open(self._part(file), "ab") as part:
            if begun and (reply.status != http.client.PARTIAL_CONTENT or not _continues(reply, begun)):
                part.truncate(0)
                self._advance(-begun)
            length = int(reply.headers.get("Content-Length") or 0)
            received = 0
            while block := _read(reply):
                if self._stop.is_set() or failed.is_set():
                    raise Stopped
                part.write(block)
                received += len(block)
                self._advance(len(block))
                if part.tell() > max([file.size, *(size for size, _ in file.also)]):
                    return False
            part.flush()
            os.fsync(part.fileno())
        if received < length:
            raise ConnectionError("the connection ended early")
        with open(self._part(file), "rb") as content:
            return file.is_one_of(hashlib.file_digest(content, "sha256").hexdigest())

    def _url(self, file: File) -> str:
        path = urllib.parse.quote(file.path)
        return f"{self._endpoint}/{self._pack.repository}/resolve/{self._pack.revision}/{path}"

    def _advance(self, size: int) -> None:
        with self._lock:
            self._meter.advance(size)


class _Patience:
    """How often a file is tried again."""

    def __init__(self, pause: float) -> None:
        self._first = pause
        self._fruitless = 0
        self.pause = 0.0

    def heed(self, error: Exception, file: File, host: str, *, progressed: bool) -> None:
        """Set the pause until the next attempt.

        Raises:
            LinereadError: There should be none.
        """
        status = error.code if isinstance(error, urllib.error.HTTPError) else 0
        if status and status not in (408, 416, 425, 429) and status < 500:
            raise _refused(status, file, host) from error
        self._fruitless = 0 if progressed else self._fruitless + 1
        if self._fruitless >= _ATTEMPTS:
            raise _lost(error, host) from error
        self.pause = min(self._first * 2 ** max(0, self._fruitless - 1), _MOST_PAUSE)
        if isinstance(error, urllib.error.HTTPError):
            with suppress(ValueError):
                self.pause = min(max(self.pause, float(error.headers.get("Retry-After") or "0")), _MOST_PAUSE)


def _opened(url: str, begun: int) -> http.client.HTTPResponse:
    """The hub's reply; from the byte that comes next, if it can."""
    try:
        request = urllib.request.Request(url, headers={"User-Agent": f"lineread/{__version__}"})  # noqa: S310 - checked
    except ValueError as error:
        raise _no_endpoint() from error
    if request.type not in ("http", "https"):
        raise _no_endpoint()
    if begun:
        request.add_header("Range", f"bytes={begun}-")
    try:
        reply: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=_SILENCE)  # noqa: S310 - see above
    except urllib.error.HTTPError as error:
        error.close()  # it is the reply, too
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        return _opened(url, 0)
    return reply


def _read(reply: http.client.HTTPResponse) -> bytes:
    try:
        return reply.read(_BLOCK)
    except OSError as error:  # the network's, and not the disk's
        raise ConnectionError(error.strerror or str(error)) from error


def _continues(reply: http.client.HTTPResponse, begun: int) -> bool:
    return reply.headers.get("Content-Range", "").startswith(f"bytes {begun}-")


def _no_endpoint() -> ConfigError:
    return ConfigError(
        "The model hub's address does not begin with http:// or https://.",
        remedy="Set HF_ENDPOINT to something like https://huggingface.co, or leave it out.",
        code="bad_hub",
    )


def _refused(status: int, file: File, host: str) -> LinereadError:
    return BadReply(
        f"{host} answered {status} for {os.path.basename(file.path)}.",
        remedy="If HF_ENDPOINT names a mirror, try another one; if a proxy is in between, ask who runs it.",
        code="pack_refused",
    )


def _lost(error: Exception, host: str) -> LinereadError:
    reason = getattr(error, "reason", None) or error
    reason = getattr(reason, "strerror", None) or reason
    return Unreachable(
        f"The kokoro pack could not be fetched from {host}: {reason}.",
        remedy=f"Check the network, or name a mirror in HF_ENDPOINT; `{packs.INSTALL}` goes on from where it was.",
        code="hub_unreachable",
    )


def _unwritable(error: OSError, pack: Pack, place: str) -> LinereadError:
    if error.errno in _FULL:
        return OutputError(
            f"There is no room for the {pack.name} pack at {place}: it has {megabytes(pack.size)}.",
            remedy=f"Make room, or name another directory in LINEREAD_DATA_DIR; then run `{packs.INSTALL}`.",
            code="no_room",
        )
    return OutputError(
        f"The {pack.name} pack cannot be written to {place}: {error.strerror or type(error).__name__}.",
        remedy="Check the permissions there, or name another directory in LINEREAD_DATA_DIR.",
    )


def megabytes(size: int) -> str:
    """A size for people."""
    return f"{size / 1e6:.0f} MB"


class Notices:
    """A meter that tells in lines: what is fetched, and then each tenth of it.

    Args:
        pack: What is fetched.
        notice: Takes the lines.
    """

    def __init__(self, pack: Pack, notice: Callable[[str], None]) -> None:
        self._name = pack.name
        self._notice = notice
        self._done = self._size = self._told = 0

    def begin(self, done: int, size: int, host: str) -> None:
        """Say how much will be fetched, and from where."""
        there = f", {megabytes(done)} of them there already" if done else ""
        self._notice(f"downloading the {self._name} pack from {host}: {megabytes(size)}{there}.")
        self._done, self._size, self._told = done, size, self._tenths(done, size)

    def wait(self) -> None:
        """Say that somebody else is at it."""
        self._notice(f"another process is downloading the {self._name} pack; waiting for it.")

    def advance(self, size: int) -> None:
        """Say the next tenth, if it is reached."""
        self._done += size
        if (tenths := self._tenths(self._done, self._size)) > self._told:
            self._told = tenths
            self._notice(f"downloading the {self._name} pack: {tenths}0 % of {megabytes(self._size)}.")

    @staticmethod
    def _tenths(done: int, size: int) -> int:
        return min(10 * done // size, 10)


class Fetching:
    """A download on a thread of its own, for everybody who waits for it.

    The last one who gives up has it given up.

    Args:
        pack: What to fetch.
        place: Where to.
        endpoint: The hub.
        notice: Takes lines about the progress, on threads of the download.
    """

    def __init__(self, pack: Pack, place: str, endpoint: str, notice: Callable[[str], None]) -> None:
        self._pack, self._place, self._endpoint, self._notice = pack, place, endpoint, notice
        self._stop = threading.Event()
        self.future: Future[None] = Future()
        self.future.set_running_or_notify_cancel()
        # A daemon: the interpreter does not wait at its end for what nobody waits for.
        threading.Thread(target=self._run, name="lineread-fetch", daemon=True).start()

    def give_up(self) -> None:
        """Stop at the next block."""
        self._stop.set()

    def _run(self) -> None:
        try:
            install(self._pack, self._place, self._endpoint, meter=Notices(self._pack, self._notice), stop=self._stop)
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            self.future.set_exception(error)
        else:
            self.future.set_result(None)
