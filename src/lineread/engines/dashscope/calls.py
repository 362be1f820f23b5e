"""How the ``dashscope`` engine speaks a segment: one call, its replies turned into chunks.

Owns the way from bytes to chunks, and the choice between sound in the replies and sound in a file that they name.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lineread.audio.container import PcmReader
from lineread.engines.dashscope.http import Service
from lineread.errors import NoAudio
from lineread.speech import SAMPLE_RATE, SAMPLE_WIDTH, Chunk, billed_characters
from lineread.wire.dashscope import Reply, Synthesis

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from lineread.speech import Facts, Segment

#: Bytes (10 ms) that wait for the next chunk, so that the last chunk always has sound to carry the facts.
KEPT: Final = SAMPLE_RATE // 100 * SAMPLE_WIDTH


class Caller(Service):
    """The service, asked for segments."""

    async def speak(self, segment: Segment, facts: Facts) -> AsyncGenerator[Chunk, None]:
        """Speak a segment in one call; with the last chunk go the facts and what the service adds to them.

        Raises:
            EngineError: It was not spoken, or not to its end.
        """
        line = _Line(segment)
        said = Reply()
        async with aclosing(self.replies(_call(segment))) as replies:
            async for reply in replies:
                said = replace(reply.after(said), audio=b"")
                for chunk in line.take(reply.audio):
                    yield chunk
        if line.silent and said.url:
            line = _Line(segment)
            async with aclosing(self.download(said.url)) as parts:
                async for part in parts:
                    for chunk in line.take(part):
                        yield chunk
        characters = said.characters or billed_characters(segment.text)
        yield line.end(replace(facts, request_id=said.request_id, characters=characters))


class _Line:
    """One segment's sound: bytes as they come, chunks as they go."""

    def __init__(self, segment: Segment) -> None:
        self._span = segment.span
        self._reader = PcmReader()
        self._kept = b""
        self._samples = 0

    @property
    def silent(self) -> bool:
        """No sound has come."""
        return not (self._samples or self._kept)

    def take(self, data: bytes) -> Iterator[Chunk]:
        """The next bytes of a WAV file or of bare PCM."""
        pcm = self._reader.feed(data)
        if len(self._kept) + len(pcm) <= KEPT:
            self._kept += pcm
            return
        kept = pcm[-KEPT:] if len(pcm) >= KEPT else self._kept[len(pcm) - KEPT :] + pcm
        rest = len(pcm) - KEPT
        ready = (self._kept, memoryview(pcm)[:rest]) if rest >= 0 else (self._kept[:rest],)
        self._kept = kept
        yield self._chunk(b"".join(ready))  # one copy: there is a megabyte of it each second

    def end(self, facts: Facts) -> Chunk:
        """The last chunk.

        Raises:
            NoAudio: No sound came.
        """
        pcm = self._kept + self._reader.flush()
        if self.silent and not pcm:
            raise NoAudio(
                "The service answered without sound.",
                remedy="There may be nothing in the text to pronounce: change its words, or try another voice. "
                "If it stays, tell the service's support the request id.",
                request_id=facts.request_id,
            )
        return self._chunk(pcm, facts)

    def _chunk(self, pcm: bytes, facts: Facts | None = None) -> Chunk:
        chunk = Chunk(pcm, self._reader.sample_rate, self._samples, self._span, facts=facts)
        self._samples += chunk.samples
        return chunk


def _call(segment: Segment) -> Synthesis:
    request = segment.request
    return Synthesis(
        model=request.model or "",
        text=segment.text,
        voice=request.voice,
        language_type=request.language_type,
        instructions=request.instruction,
        speech_rate=request.rate,
        pitch_rate=request.pitch,
    )
