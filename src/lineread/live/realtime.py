"""The normalized call over a session: a text or its pieces in, Base64 out.

Owns the normalized response. Writing and reading go on at the same time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lineread import _sync, sinks
from lineread.errors import NoAudio, OptionError, TextError
from lineread.text.characters import VOICED

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Iterator

    from lineread.errors import LinereadError
    from lineread.live.session import FinishReason, Live, Session
    from lineread.results import Tally
    from lineread.speech import Chunk


@dataclass(slots=True, eq=False, repr=False)
class Realtime:
    """What a session has said.

    Attributes:
        chunks: Its sound, in order.
        sample_rate: Samples a second.
        finish_reason: ``stop``: all was spoken. ``cancelled``: it was told to fall silent.
        tally: What the chunks add up to: engine, model, billed characters.
    """

    chunks: list[Chunk]
    sample_rate: int
    finish_reason: FinishReason
    tally: Tally

    @property
    def audio_base64_pcm_chunks(self) -> list[str]:
        """The samples of each chunk as Base64: signed 16-bit little-endian, one channel."""
        return [chunk.audio_base64_pcm for chunk in self.chunks if chunk.pcm]

    @property
    def pcm(self) -> bytes:
        """The whole audio."""
        return b"".join(chunk.pcm for chunk in self.chunks)

    @property
    def duration(self) -> float:
        """Seconds of audio."""
        return self.tally.duration

    def save(self, path: str | os.PathLike[str]) -> str:
        """Write an audio file, whose suffix names the format, and return its path.

        Raises:
            OutputError: It cannot be written there.
            OptionError: The suffix names no format.
        """
        with sinks.open_file(path, "", "wav", self.sample_rate) as sink:
            sink.write(self.pcm)
        return sink.path

    def to_dict(self) -> dict[str, object]:
        """The normalized response: ``audio_base64_pcm_chunks``, ``sample_rate``, ``finish_reason``."""
        return {
            "audio_base64_pcm_chunks": self.audio_base64_pcm_chunks,
            "sample_rate": self.sample_rate,
            "finish_reason": self.finish_reason,
        }

    def __repr__(self) -> str:
        return f"<Realtime {self.duration:.2f} s, {self.tally.engine}>"


async def speak(live: Live, text: str | Iterable[str] | AsyncIterable[str]) -> Realtime:
    """Say a text, or its pieces as they come.

    Raises:
        LinereadError: See ``lineread.errors``.
    """
    _check(text)
    await _sync.on_event_loop()
    async with live as session:
        writing = asyncio.create_task(_write(session, _pieces(text)))
        try:
            chunks = [chunk async for chunk in session]
            worded = await writing
        finally:
            writing.cancel()
    if not any(chunk.pcm for chunk in chunks):
        raise _silence(worded=worded)
    return Realtime(chunks, session.sample_rate, session.finish_reason or "stop", session.tally)


def _check(text: object) -> None:
    """Refuse what is no text. A mapping, or bytes, would yield something, and nothing that anybody means."""
    if isinstance(text, Mapping | bytes | bytearray) or not isinstance(text, Iterable | AsyncIterable):
        raise OptionError(
            f"text must be a string or yield strings, not {type(text).__name__}.", remedy="Give pieces of text."
        )


def _silence(*, worded: bool) -> LinereadError:
    """Why there was no sound."""
    if worded:
        return NoAudio("No audio came for the text.", remedy="Try the call again.", retryable=True)
    return TextError("There is nothing to speak in the text.", remedy="Give some words.", code="empty_text")


async def _write(session: Session, pieces: AsyncIterator[str]) -> bool:
    """Write all of it, and say whether something in it can be heard."""
    worded = False
    try:
        async for piece in pieces:
            await session.write(piece)
            worded = worded or VOICED.search(piece) is not None
        await session.end()
    except BaseException:
        await session.aclose()  # the reader must not wait for what does not come
        raise
    return worded


async def _pieces(text: str | Iterable[str] | AsyncIterable[str]) -> AsyncIterator[str]:
    if isinstance(text, str):
        yield text
    elif isinstance(text, AsyncIterable):
        async for piece in text:
            yield piece
    else:
        source = iter(text)
        while (following := await asyncio.to_thread(_next, source)) is not None:
            yield following


def _next(source: Iterator[str]) -> str | None:
    return next(source, None)
