"""A server's life: it listens, says so, serves, is told to stop, lets running work end.

Owns the sockets, the signals and the order in which everything ends. After the first signal to stop, requests that are
running get ``grace`` seconds. Until they have ended the server listens on: load balancers see that it is leaving,
clients fetch the files they were told of, and new work is refused in words. Then it closes.
The second signal cuts them off, the third is the process's own affair again.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from lineread import _signals
from lineread.errors import ConfigError
from lineread.server.app import Doors, application
from lineread.server.banner import banner
from lineread.server.desk import Desk
from lineread.server.sight.journal import Journal, collecting
from lineread.server.sound import shelf, signing
from lineread.server.transport import connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from lineread.client import Client
    from lineread.server.options import Options
    from lineread.server.sight.tracker import Tracker

#: Connections that may wait to be accepted.
_BACKLOG: Final = 1024
#: Seconds in which requests that were cut off have to be over.
_CUT: Final = 2.0
#: Files that may be open beside the connections.
_SPARE_FILES: Final = 256

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Service:
    """A server that runs.

    Attributes:
        desk: What takes its requests.
        tracker: Knows which are running.
        host: Address that it listens at.
        port: Its port.
    """

    desk: Desk
    tracker: Tracker
    host: str
    port: int


async def serve(client: Client, options: Options, tell: Callable[[str], None], journal: Journal) -> None:
    """Serve until the process is asked to stop.

    Args:
        client: Speaks. It is closed at the end.
        options: How the server behaves.
        tell: Takes what there is to say at the start.
        journal: Takes the log.

    Raises:
        ConfigError: It cannot start as it is set up.
        KeyboardInterrupt: It was told to stop once more, and has cut off what was running.
    """
    with _told_to_stop() as (stop, hurry):
        async with running(client, options, journal, hurry) as service:
            tell(banner(service.desk, service.host, service.port))
            await stop.wait()
        if hurry.is_set():
            raise KeyboardInterrupt


@asynccontextmanager
async def running(
    client: Client, options: Options, journal: Journal, hurry: asyncio.Event | None = None
) -> AsyncIterator[Service]:
    """A server, until the context is left; leaving waits for requests that are running.

    Args:
        client: Speaks. It is closed at the end.
        options: How the server behaves.
        journal: Takes the log.
        hurry: Set, it ends the waiting.

    Raises:
        ConfigError: It cannot start as it is set up.
    """
    async with AsyncExitStack() as stack:
        stack.push_async_callback(client.aclose)
        engine = client.engine()
        listeners = stack.enter_context(listening(options))
        stack.enter_context(collecting(journal, asyncio.get_running_loop()))
        desk = Desk(client, _shelf(client, options), options)
        stack.callback(desk.shelf.close)
        doors = Doors(desk, journal)
        _allow_files(options.max_connections)
        runner = web.AppRunner(application(desk, doors), handler_cancellation=True, shutdown_timeout=_CUT)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        assert runner.server is not None
        stalled = connection.Stalled(options.write_timeout)
        watch = asyncio.create_task(stalled.run())
        stack.callback(watch.cancel)
        make = connection.factory(runner.server, doors, stalled, options)
        loop = asyncio.get_running_loop()
        servers = [await loop.create_server(make, sock=each, backlog=_BACKLOG) for each in listeners]
        if options.warm:
            engine.warm()
        try:
            yield Service(desk, doors.tracker, options.host, listeners[0].getsockname()[1])
        finally:
            desk.closing = True
            doors.realtime.leave()
            doors.agents.leave()
            tracker, grace = doors.tracker, options.grace
            _log.info("Stopping: %d running, with %g s to end; new calls are refused.", tracker.running, grace)
            await _drain(tracker, grace, hurry or asyncio.Event())
            for server in servers:
                server.close()
            _log.info("Stopped: %d cut off.", await _cut(tracker))


async def _drain(tracker: Tracker, grace: float, hurry: asyncio.Event) -> None:
    """Wait for the requests that are running, as long as they may."""
    waits = [asyncio.create_task(tracker.idle()), asyncio.create_task(hurry.wait())]
    await asyncio.wait(waits, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


async def _cut(tracker: Tracker) -> int:
    """Cut off the requests that still run; how many they were."""
    if cut := [*tracker.stop()]:
        await asyncio.wait(cut, timeout=_CUT)
    return len(cut)


def _shelf(client: Client, options: Options) -> shelf.Shelf:
    settings = client.settings
    directory = os.path.join(settings.cache_dir or settings.state_dir, "audio")
    try:
        secret = signing.secret(settings.state_dir)
    except OSError as error:
        raise ConfigError(
            f"{error.filename or settings.state_dir} cannot be used: {error.strerror}.",
            remedy="Free it, or set XDG_STATE_HOME to a place that can be written.",
        ) from error
    return shelf.Shelf(directory, secret, max_bytes=options.audio_bytes)


@contextmanager
def listening(options: Options) -> Iterator[list[socket.socket]]:
    """Sockets at every address that the host's name stands for, closed when the context is left.

    Raises:
        ConfigError: One of them cannot be had.
    """
    host, port = options.host, options.port
    with ExitStack() as stack:
        sockets: list[socket.socket] = []
        missing: OSError | None = None
        for family, address in _addresses(host, port):
            try:
                found = stack.enter_context(_bound(family, (address[0], port, *address[2:])))
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise _not_listening(host, port, error) from error
                missing = error  # such as ::1 for localhost where there is no IPv6
                continue
            connection.limit_patience(found, options.write_timeout)
            sockets.append(found)
            port = found.getsockname()[1]
        if not sockets:
            raise _not_listening(host, port, missing or OSError(errno.EADDRNOTAVAIL, "no address"))
        yield sockets


def _addresses(host: str, port: int) -> list[tuple[int, tuple[str, int]]]:
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"There is no address for the host {host!r}.",
            remedy="Give --host an address of this machine, such as 127.0.0.1.",
        ) from error
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))  # type: ignore[misc]


def _bound(family: int, address: tuple[str, int]) -> socket.socket:
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere it would share the port with whoever has it
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        found.bind(address)
    except BaseException:
        found.close()
        raise
    return found


def _not_listening(host: str, port: int, error: OSError) -> ConfigError:
    """Why nobody can be served there."""
    if error.errno == errno.EADDRINUSE:
        return ConfigError(
            f"Port {port} of {host or 'this machine'} is in use.",
            remedy="Stop what listens there, or choose another with --port; 0 takes any that is free.",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return ConfigError(
            f"This user may not listen at port {port}.", remedy="Choose one from 1024 on, such as --port 8765."
        )
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return ConfigError(
            f"This machine does not have the address {host!r}.", remedy="Leave --host out, or give one that it has."
        )
    return ConfigError(
        f"{host or 'This machine'} cannot be listened at: {error.strerror}.", remedy="Choose another --host or --port."
    )


@contextmanager
def _told_to_stop() -> Iterator[tuple[asyncio.Event, asyncio.Event]]:
    """Two events: the first signal to stop sets the first one, the next signal the second.

    After that one, and when the context is left, signals do again what they did before.
    """
    loop = asyncio.get_running_loop()
    stop, hurry = asyncio.Event(), asyncio.Event()

    def restore() -> None:
        while before:
            number, handler = before.popitem()
            signal.signal(number, handler)

    def heed() -> None:
        if stop.is_set():
            hurry.set()
            restore()
        stop.set()

    def interrupt(*_: object) -> None:
        loop.call_soon_threadsafe(heed)  # the loop may be asleep

    before = _signals.take(interrupt)
    try:
        yield stop, hurry
    finally:
        restore()


def _allow_files(connections: int) -> None:
    """Let the process have as many files open as its connections need, if the system lets it."""
    with suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - Windows has none, and no such bound

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = connections + _SPARE_FILES
        if soft != resource.RLIM_INFINITY and soft < wanted:
            most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
