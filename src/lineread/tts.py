"""The normalized interface: ``tts.generate``, ``tts.realtime``, their asynchronous twins, and ``tts.live``, a session.

Owns names and defaults, which are promises. The work is a client's: one for the whole process, made at the first
call from the environment's settings; arguments that concern settings make one of their own.

    from lineread import tts

    speech = tts.generate(text="Hello, this is a short voice line.", voice="Cherry")
    speech.save("hello.wav")

    for chunk in tts.generate(text=long_text, voice="Ethan", stream=True):
        player.write(chunk.pcm)

    async with tts.live(voice="Cherry") as session:
        await session.write("Hello, ")
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, overload

from lineread import _sync, catalogue, config
from lineread.client import Client
from lineread.errors import OptionError
from lineread.speech import SAMPLE_RATE, LiveRequest, Request

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable, Mapping

    from lineread.engines.base import Engine
    from lineread.live.realtime import Realtime
    from lineread.live.session import Live
    from lineread.results import AsyncStream, Speech, Stream
    from lineread.speech import Mode


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
    warm: int


class Extras(Options, Settings, total=False):
    """Keyword-only arguments beyond the normalized ones."""


class LiveOptions(TypedDict, total=False):
    """What else a session may be asked for; see :class:`lineread.speech.LiveRequest`."""

    language_type: str
    model: str | None
    mode: Mode
    rate: float
    pitch: float
    volume: int
    response_format: str
    bit_rate: int
    optimize_instructions: bool
    enable_tn: bool | None


class LiveExtras(LiveOptions, Settings, total=False):
    """Keyword-only arguments of a session beyond the normalized ones."""


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


def live(
    voice: str,
    instruction: str | None = None,
    sample_rate: int = SAMPLE_RATE,
    **extras: Unpack[LiveExtras],
) -> Live:
    """A session: text streams in while speech streams out. Open it with ``async with``, or with ``with``.

    Args:
        voice: As for :func:`generate`.
        instruction: As for :func:`generate`.
        sample_rate: Samples a second of the chunks.
        **extras: Fields of a session (``model``, ``language_type``, ``mode``, ``rate``, ``pitch``, ``volume`` ...) and
            settings of :class:`lineread.Client`.

    Raises:
        LinereadError: See ``lineread.errors``.
    """
    settings, options = _divided(extras, LiveExtras.__annotations__)
    return _clients.get(settings).live(LiveRequest(voice, instruction=instruction, sample_rate=sample_rate, **options))


def realtime(
    text: str | Iterable[str] | AsyncIterable[str],
    voice: str,
    instruction: str | None = None,
    sample_rate: int = SAMPLE_RATE,
    **extras: Unpack[LiveExtras],
) -> Realtime:
    """Speak a text, or its pieces as they come, in a session.

    Args:
        text: The words, or something that yields them piece by piece.
        voice: As for :func:`generate`.
        instruction: As for :func:`generate`.
        sample_rate: Samples a second of the chunks.
        **extras: As for :func:`live`.

    Returns:
        All of the sound; ``to_dict()`` gives the normalized response. Who wants to hear it while it comes uses
        :func:`live`.

    Raises:
        LinereadError: See ``lineread.errors``.
    """
    return _sync.run(arealtime(text, voice, instruction, sample_rate, **extras))


async def arealtime(
    text: str | Iterable[str] | AsyncIterable[str],
    voice: str,
    instruction: str | None = None,
    sample_rate: int = SAMPLE_RATE,
    **extras: Unpack[LiveExtras],
) -> Realtime:
    """As :func:`realtime`, with the same arguments, for callers with an event loop."""
    from lineread.live.realtime import speak  # noqa: PLC0415 - asyncio: nothing else has to load it

    return await speak(live(voice, instruction, sample_rate, **extras), text)


def _prepare(
    text: str, voice: str, language_type: str, instruction: str | None, extras: Extras
) -> tuple[Client, Request]:
    settings, options = _divided(extras, Extras.__annotations__)
    return _clients.get(settings), Request(text, voice, language_type, instruction, **options)


def _divided(extras: Mapping[str, object], known: Mapping[str, object]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings, and options of the request, if there are no others."""
    unknown = [name for name in extras if name not in known]
    if unknown:
        hint = catalogue.suggestion(unknown[0], known, f"There is {', '.join(known)}.")
        raise OptionError(f"There is no argument {unknown[0]!r}.", remedy=hint, code="unknown_argument")
    settings = {name: extras[name] for name in Settings.__annotations__ if name in extras}
    return settings, {name: value for name, value in extras.items() if name not in settings}


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
    return setting if isinstance(setting, str | bool | int) else id(setting)


_clients = _Clients()
