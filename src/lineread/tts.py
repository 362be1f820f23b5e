"""The normalized interface: ``tts.generate``, and ``tts.agenerate`` for callers with an event loop.

Owns names and defaults, which are promises. The work is a client's: one for the whole process, made at the first
call from the environment's settings; arguments that concern settings make one of their own.

    from lineread import tts

    speech = tts.generate(text="Hello, this is a short voice line.", voice="Cherry")
    speech.save("hello.wav")

    for chunk in tts.generate(text=long_text, voice="Ethan", stream=True):
        player.write(chunk.pcm)
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack, overload

from lineread import catalogue, config
from lineread.client import Client
from lineread.errors import OptionError
from lineread.speech import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineread.engines.base import Engine
    from lineread.results import AsyncStream, Speech, Stream


class Options(TypedDict, total=False):
    """What else a request may say; see :class:`lineread.Request`."""

    model: str | None
    format: str
    rate: float
    pitch: float
    volume: int
    take: int


class Settings(TypedDict, total=False):
    """What a client may be told; see :class:`lineread.Client`."""

    engine: str | Engine | None
    fallback: str | Engine | None
    api_key: str | None
    base_url: str | None
    region: str | None
    workspace: str | None
    cache: bool
    cache_dir: str | os.PathLike[str] | None
    output_dir: str | os.PathLike[str] | None


class Extras(Options, Settings, total=False):
    """Keyword-only arguments beyond the normalized ones."""


@overload
def generate(
    text: str,
    voice: str,
    language_type: str = "Auto",
    instruction: str | None = None,
    stream: Literal[False] = False,  # noqa: FBT002 - the normalized interface's own field
    **extras: Unpack[Extras],
) -> Speech: ...
@overload
def generate(
    text: str,
    voice: str,
    language_type: str = "Auto",
    instruction: str | None = None,
    *,
    stream: Literal[True],
    **extras: Unpack[Extras],
) -> Stream: ...
@overload
def generate(
    text: str,
    voice: str,
    language_type: str = "Auto",
    instruction: str | None = None,
    *,
    stream: bool,
    **extras: Unpack[Extras],
) -> Speech | Stream: ...


def generate(
    text: str,
    voice: str,
    language_type: str = "Auto",
    instruction: str | None = None,
    stream: bool = False,  # noqa: FBT001, FBT002 - the normalized interface's own field
    **extras: Unpack[Extras],
) -> Speech | Stream:
    """Speak a text.

    Args:
        text: The words; any length.
        voice: A voice of the catalogue (``lineread voices``), or a custom voice's id.
        language_type: ``Auto``, or the text's language, which improves pronunciation; any case.
        instruction: How to speak, for instruct models, in Chinese or English.
        stream: True gives chunks as they come.
        **extras: Fields of :class:`lineread.Request` (``model``, ``format``, ``rate``, ``pitch``, ``volume``,
            ``take``) and settings of :class:`lineread.Client` (``engine``, ``fallback``, ``api_key`` ...).

    Returns:
        A :class:`Speech`; with ``stream=True`` a :class:`Stream` of chunks. ``to_dict()`` of either gives the
        normalized response.

    Raises:
        LinereadError: See ``lineread.errors``.
    """
    client, request = _prepare(text, voice, language_type, instruction, extras)
    return client.generate(request, stream=stream)


@overload
async def agenerate(
    text: str,
    voice: str,
    language_type: str = "Auto",
    instruction: str | None = None,
    stream: Literal[False] = False,  # noqa: FBT002 - the normalized interface's own field
    **extras: Unpack[Extras],
) -> Speech: ...
@overload
async def agenerate(
    text: str,
    voice: str,
    language_type: str = "Auto",
    instruction: str | None = None,
    *,
    stream: Literal[True],
    **extras: Unpack[Extras],
) -> AsyncStream: ...
@overload
async def agenerate(
    text: str,
    voice: str,
    language_type: str = "Auto",
    instruction: str | None = None,
    *,
    stream: bool,
    **extras: Unpack[Extras],
) -> Speech | AsyncStream: ...


async def agenerate(
    text: str,
    voice: str,
    language_type: str = "Auto",
    instruction: str | None = None,
    stream: bool = False,  # noqa: FBT001, FBT002 - the normalized interface's own field
    **extras: Unpack[Extras],
) -> Speech | AsyncStream:
    """As :func:`generate`, with the same arguments, for callers with an event loop."""
    client, request = _prepare(text, voice, language_type, instruction, extras)
    return await client.agenerate(request, stream=stream)


def _prepare(
    text: str, voice: str, language_type: str, instruction: str | None, extras: Extras
) -> tuple[Client, Request]:
    unknown = [name for name in extras if name not in Extras.__annotations__]
    if unknown:
        hint = catalogue.suggestion(
            unknown[0], Extras.__annotations__, f"There is {', '.join(Extras.__annotations__)}."
        )
        raise OptionError(f"There is no argument {unknown[0]!r}.", remedy=hint, code="unknown_argument")
    settings = {name: extras.pop(name) for name in Settings.__annotations__ if name in extras}  # type: ignore[misc]  # names of the very TypedDict
    request = Request(text, voice, language_type, instruction, **extras)  # type: ignore[misc]  # what is left are options
    return _clients.get(settings), request


class _Clients:
    """One client for each set of settings, so that connections and loaded voices are kept between calls.

    The one that was not used for longest is let go when there are too many. It is not closed: whoever still listens to
    it hears the end, and then it gives back what it holds.
    """

    MOST = 32

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clients: OrderedDict[object, Client] = OrderedDict()

    def get(self, settings: Mapping[str, object]) -> Client:
        marks = {name: _mark(value) for name, value in settings.items()}
        key = (config.state(), tuple(sorted(marks.items())))
        with self._lock:
            client = self._clients.get(key)
            if client is None:
                client = self._clients[key] = Client(**settings)  # type: ignore[arg-type]  # the callers' TypedDict
            self._clients.move_to_end(key)
            if len(self._clients) > self.MOST:
                self._clients.popitem(last=False)
        return client

    def clear(self) -> None:
        """Forget all of them, for tests that change what settings depend on."""
        with self._lock:
            self._clients.clear()


def _mark(setting: object) -> object:
    """What tells a setting from others. An engine that is an object stands for itself: its client keeps it alive."""
    if isinstance(setting, os.PathLike):
        return os.fspath(setting)
    return setting if isinstance(setting, str | bool) else id(setting)


_clients = _Clients()
