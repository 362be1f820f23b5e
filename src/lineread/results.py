"""What comes back: a finished speech, or a stream of chunks.

Owns the normalized response (``to_dict``) and the sum of what the chunks tell. Writing audio is the sinks' work.
"""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, Self

from lineread import sinks
from lineread.audio.codec import suffix_format
from lineread.errors import NoAudio
from lineread.speech import Facts, Spoken, Word

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator

    from lineread._sync import Iteration
    from lineread.speech import Chunk, Request


class Job(Protocol):
    """What a result has to know of the work behind it."""

    @property
    def request(self) -> Request:
        """The request with everything filled in."""

    @property
    def default_path(self) -> str:
        """The file that the speech is saved to when nobody names one."""


class _Sums:
    """What the facts of a speech's segments add up to."""

    __slots__ = ()

    @property
    def facts(self) -> list[Facts]:
        """What the engine said of each complete segment."""
        raise NotImplementedError

    @property
    def engine(self) -> str:
        """The engine that spoke; several names after a fallback in the middle."""
        return _several(each.engine for each in self.facts)

    @property
    def model(self) -> str:
        """The model that spoke."""
        return _several(each.model for each in self.facts)

    @property
    def stand_in(self) -> str:
        """What stood in for the asked voice; empty when that voice itself spoke."""
        return _several(each.stand_in for each in self.facts)

    @property
    def fallback_reason(self) -> str:
        """Why the engine that was asked did not speak, or not all of it; empty when it did."""
        return _several(each.fallback_reason for each in self.facts)

    @property
    def cached(self) -> bool:
        """All of it came from the cache. What an equal call under way spoke did not, and cost nothing either."""
        return all(each.cached for each in self.facts)

    @property
    def characters(self) -> int:
        """Characters that the service billed for this call; none for what the cache or an equal call had."""
        return sum(each.characters for each in self.facts)

    @property
    def request_id(self) -> str:
        """The service's ids of the calls behind it, for its support."""
        return _several(each.request_id for each in self.facts)


class Tally(_Sums):
    """What a speech's chunks add up to, in constant memory for each segment.

    Attributes:
        spoken: The segments that are complete.
        samples: Samples so far, pauses included.
        sample_rate: Samples a second; 0 before the first chunk.
    """

    def __init__(self) -> None:
        self.spoken: list[Spoken] = []
        self.samples = 0
        self.sample_rate = 0
        self._begun: float | None = None

    def add(self, chunk: Chunk) -> None:
        """Count one more chunk."""
        self.sample_rate = chunk.sample_rate
        begin = chunk.offset / chunk.sample_rate
        self._begun = begin if self._begun is None else self._begun
        self.samples = chunk.offset + chunk.samples
        if chunk.facts is not None:
            end = (self.samples - chunk.pause) / chunk.sample_rate
            self.spoken.append(Spoken(chunk.span, self._begun, end, chunk.facts))
            self._begun = None

    @property
    def duration(self) -> float:
        """Seconds of audio so far."""
        return self.samples / self.sample_rate if self.sample_rate else 0.0

    @property
    def facts(self) -> list[Facts]:
        """What the engine said of each complete segment."""
        return [segment.facts for segment in self.spoken]

    def stored(self) -> Tally:
        """What the same sound adds up to when it comes from a store, for nothing; in constant memory altogether."""
        again = Tally()
        again.samples, again.sample_rate = self.samples, self.sample_rate
        facts = Facts(
            self.engine,
            model=self.model,
            stand_in=self.stand_in,
            cached=True,
            fallback_reason=self.fallback_reason,
        )
        if self.spoken:
            again.spoken = [Spoken((0, self.spoken[-1].span[1]), 0.0, self.duration, facts)]
        return again


@dataclass(slots=True, eq=False, repr=False)
class Speech(_Sums):
    """A finished speech.

    Attributes:
        pcm: The whole audio: signed 16-bit little-endian, one channel.
        sample_rate: Samples a second.
        format: The file format that was asked for; ``save`` writes it unless the name says otherwise.
        voice: The voice that was asked for.
        segments: The segments, with their places in text and time, and what the engine said of each.
        words: When each word is spoken, where the engine knows.
        path: Where it was saved, from the root on; None before that.
    """

    pcm: bytes
    sample_rate: int
    format: str
    voice: str
    segments: tuple[Spoken, ...]
    words: tuple[Word, ...]
    path: str | None = None
    _job: Job = field(kw_only=True)

    @property
    def duration(self) -> float:
        """Seconds of audio, from the byte count."""
        return len(self.pcm) / 2 / self.sample_rate

    @property
    def facts(self) -> list[Facts]:
        """What the engine said of each complete segment."""
        return [segment.facts for segment in self.segments]

    @property
    def audio_url(self) -> str:
        """A ``file:`` URL of the saved audio; saved to the default place now, if it was nowhere saved before.

        The service's own URL ends after a day and works for one call only, so it never gets this far.
        """
        from pathlib import Path  # noqa: PLC0415 - 8 ms that only a response with a URL has to pay

        return Path(self.path or os.path.abspath(self.save())).as_uri()

    def save(self, path: str | os.PathLike[str] | None = None) -> str:
        """Write an audio file and return its path.

        Args:
            path: Where to; its suffix names the format. None means the default output directory, under a readable
                name that is the same for the same request; there a file with other content is never overwritten.

        Raises:
            OutputError: It cannot be written there.
            OptionError: The suffix names no format, or the path is none.
        """
        with sinks.open_file(path, self._job.default_path, self.format, self.sample_rate) as sink:
            sink.write(self.pcm)
        self.path = os.path.abspath(sink.path)
        return sink.path

    def to_dict(self) -> dict[str, object]:
        """The normalized response: ``audio_url``, ``sample_rate``, ``format``. Saves the audio if it is not saved."""
        url = self.audio_url
        form = suffix_format(url) if os.path.splitext(url)[1] else self.format
        return {"audio_url": url, "sample_rate": self.sample_rate, "format": form}

    def to_streamed_dict(self) -> dict[str, object]:
        """The normalized response of a stream: ``audio_base64_pcm``, ``sample_rate``, ``format``."""
        audio = base64.b64encode(self.pcm).decode("ascii")
        return {"audio_base64_pcm": audio, "sample_rate": self.sample_rate, "format": "pcm"}

    def __repr__(self) -> str:
        return f"<Speech {self.duration:.2f} s by {self.voice}, {self.engine}>"


class Stream:
    """A speech that is still coming: iterate over it for chunks; leave it early and the work stops."""

    def __init__(self, job: Job, chunks: Iteration[Chunk]) -> None:
        self._collector = _Collector(job)
        self._chunks = chunks

    def __iter__(self) -> Iterator[Chunk]:
        if self._chunks.over:
            raise _consumed()
        self._collector.shared = True
        return self._chunks

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the work behind it."""
        self._chunks.close()

    def collect(self) -> Speech:
        """All that is still to come, as one speech."""
        with self._chunks:
            for chunk in self._chunks:
                self._collector.add(chunk)
        return self._collector.speech()

    def to_dict(self) -> dict[str, object]:
        """The normalized response: ``audio_base64_pcm``, ``sample_rate``, ``format``."""
        return self.collect().to_streamed_dict()


class AsyncStream:
    """A speech that is still coming: ``async for`` over it for chunks; close it early and the work stops."""

    def __init__(self, job: Job, chunks: AsyncGenerator[Chunk, None]) -> None:
        self._collector = _Collector(job)
        self._chunks = chunks

    def __aiter__(self) -> AsyncIterator[Chunk]:
        if getattr(self._chunks, "ag_frame", self) is None:  # it has come to its end, or was closed
            raise _consumed()
        self._collector.shared = True
        return self._chunks

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop the work behind it."""
        await self._chunks.aclose()

    async def collect(self) -> Speech:
        """All that is still to come, as one speech."""
        try:
            async for chunk in self._chunks:
                self._collector.add(chunk)
        finally:
            await self.aclose()
        return self._collector.speech()

    async def to_dict(self) -> dict[str, object]:
        """The normalized response: ``audio_base64_pcm``, ``sample_rate``, ``format``."""
        return (await self.collect()).to_streamed_dict()


class _Collector:
    """Makes a speech of chunks.

    Attributes:
        shared: Somebody else may have taken chunks as well.
    """

    def __init__(self, job: Job) -> None:
        self.shared = False
        self._job = job
        self._tally = Tally()
        self._parts: list[bytes] = []
        self._words: list[Word] = []
        self._begin: int | None = None

    def add(self, chunk: Chunk) -> None:
        self._begin = chunk.offset if self._begin is None else self._begin
        if self._begin:  # somebody has taken what came before: times count from what is collected here
            chunk = _earlier(chunk, self._begin)
        self._tally.add(chunk)
        self._parts.append(chunk.pcm)
        self._words.extend(chunk.words)

    def speech(self) -> Speech:
        if not self._tally.spoken and self.shared:
            raise _consumed()
        if not self._tally.spoken:
            raise NoAudio("No audio came for the text.", remedy="Try the call again.", retryable=True)
        return Speech(
            pcm=b"".join(self._parts),
            sample_rate=self._tally.sample_rate,
            format=self._job.request.format,
            voice=self._job.request.voice,
            segments=tuple(self._tally.spoken),
            words=tuple(self._words),
            _job=self._job,
        )


def _consumed() -> NoAudio:
    return NoAudio(
        "The stream was read to its end, or closed; nothing of it is left.",
        remedy="Keep its chunks while reading, or collect instead of reading.",
        code="stream_consumed",
    )


def _earlier(chunk: Chunk, samples: int) -> Chunk:
    """A chunk of a speech that begins so many samples later."""
    shift = samples / chunk.sample_rate
    words = tuple(
        Word(word.span, max(0.0, word.start - shift), word.end - shift) for word in chunk.words if word.end > shift
    )
    return replace(chunk, offset=chunk.offset - samples, words=words)


def _several(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(name for name in names if name))
