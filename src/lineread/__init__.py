"""lineread: text in, voice lines out.

    from lineread import tts

    tts.generate(text="Hello, this is a short voice line.", voice="Cherry").save("hello.wav")

Only the names listed in ``__all__`` are public. They load when they are first used: importing lineread costs next to
nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from lineread.version import __version__

if TYPE_CHECKING:
    from lineread import errors, tts
    from lineread.client import Client
    from lineread.engines.base import Engine, Limits
    from lineread.errors import LinereadError
    from lineread.results import AsyncStream, Speech, Stream
    from lineread.speech import Chunk, Facts, Request, Segment, Word

_HOMES = {
    "AsyncStream": "lineread.results",
    "Chunk": "lineread.speech",
    "Client": "lineread.client",
    "Engine": "lineread.engines.base",
    "Facts": "lineread.speech",
    "Limits": "lineread.engines.base",
    "LinereadError": "lineread.errors",
    "Request": "lineread.speech",
    "Segment": "lineread.speech",
    "Speech": "lineread.results",
    "Stream": "lineread.results",
    "Word": "lineread.speech",
    "errors": "lineread.errors",
    "tts": "lineread.tts",
}

__all__ = [
    "AsyncStream",
    "Chunk",
    "Client",
    "Engine",
    "Facts",
    "Limits",
    "LinereadError",
    "Request",
    "Segment",
    "Speech",
    "Stream",
    "Word",
    "__version__",
    "errors",
    "tts",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'lineread' has no attribute {name!r}")
    module = import_module(home)
    return module if home == f"lineread.{name}" else getattr(module, name)


def __dir__() -> list[str]:
    return __all__
