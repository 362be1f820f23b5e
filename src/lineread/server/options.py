"""What is set when a server starts. Values only; the command line and the environment are read elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lineread.server.access.keys import Key

HOST = "127.0.0.1"
PORT = 8765


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a server behaves.

    Attributes:
        host: Address that it listens at.
        port: TCP port; 0 takes any that is free.
        public_url: How clients reach it, where a proxy stands before it; None reads the Host header.
        key_file: The file with the keys of the clients; see ``keys``.
        keys: Further keys, from the environment. With neither, everybody on this machine may speak and nobody else.
        strict: Refuse whatever the service's documents forbid, also where the service was seen to forgive it.
        riff: The first event of a stream begins with a WAV header, as the cloud's does.
        max_requests: Requests that are answered at the same time; more are turned away at once.
        max_characters: Most characters of one text.
        max_body: Most bytes of a request's body.
        max_upload: Most bytes of a body that brings a recording to make a voice of.
        max_making: Voices that are made at the same time, and such bodies that are held; more are turned away at once.
        max_voices: Most voices of a key's own.
        shared_voices: Voices that no key had made and every key may use; for a server with keys.
        fetch_audio: A recording may be given as a URL, which this server fetches, from public addresses only.
        fetch_timeout: Seconds for that.
        max_sessions: Realtime sessions at the same time; more are turned away at once.
        session_idle: Seconds that a session may lie idle: nothing is spoken, and the client says nothing.
        session_seconds: Seconds that a session may last.
        audio_bytes: Most bytes that finished audio files take on the disk.
        origins: Web origins that browsers may call from; ``*`` is all. Empty: CORS is off.
        idle_timeout: Seconds for a request's head to come, or a connection to lie idle.
        body_timeout: Seconds for a request's body to come.
        write_timeout: Seconds that a client may take nothing of what is sent to it.
        grace: Seconds for running requests to end when the server is told to stop.
        max_connections: Connections that may be open at the same time; further ones are closed at once.
        log: Write a line for each request. Reports of bugs and warnings are written anyway.
        mcp: Serve tools for agents as well, by the Model Context Protocol.
        warm: Load the engine's voice when the server starts, not with its first request.
    """

    host: str = HOST
    port: int = PORT
    public_url: str | None = None
    key_file: str | None = None
    keys: tuple[Key, ...] = ()
    strict: bool = False
    riff: bool = True
    max_requests: int = 512
    max_characters: int = 100_000
    max_body: int = 1 << 20
    max_upload: int = 15 << 20
    max_making: int = 8
    max_voices: int = 100
    shared_voices: frozenset[str] = frozenset()
    fetch_audio: bool = False
    fetch_timeout: float = 20.0
    max_sessions: int = 256
    session_idle: float = 60.0
    session_seconds: float = 7200.0
    audio_bytes: int = 1 << 30
    origins: tuple[str, ...] = ()
    idle_timeout: float = 30.0
    body_timeout: float = 30.0
    write_timeout: float = 60.0
    grace: float = 30.0
    max_connections: int = 4096
    log: bool = True
    mcp: bool = False
    warm: bool = True
