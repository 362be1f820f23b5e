"""Sound as it leaves for the listener: edges trimmed, loudness set, positions right again.

Owns the last step that is the same for every engine. Chunks pass as they come; held back is only silence that may
turn out to be the end.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from lineread.audio import pcm
from lineread.engines.base import Wrapper
from lineread.errors import BadReply, NoAudio
from lineread.speech import SAMPLE_WIDTH, Chunk, Facts, Word

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from lineread.speech import Request, Segment

#: The volume at which an engine's sound stays as it is.
OWN_VOLUME = 50


class Finished(Wrapper):
    """An engine whose segments can be joined as they are."""

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        """As the inner engine, finished. Ends with a chunk that carries the facts, whether it has sound or not.

        Raises:
            NoAudio: Nothing could be heard.
            BadReply: The sample rate changed on the way.
        """
        finishing: _Finishing | None = None
        async with aclosing(self.inner.stream(segment)) as chunks:
            async for chunk in chunks:
                finishing = finishing or _Finishing(chunk.sample_rate, segment)
                ready = finishing.feed(chunk)
                if ready is not None:
                    yield ready
        if finishing is None or (last := finishing.end(self._facts(segment.request))) is None:
            raise NoAudio(
                f"The {self.name} engine answered without sound.",
                remedy="Check that the text has words to speak, or ask for another take.",
                request_id=finishing.request_id if finishing else "",
            )
        yield last

    def _facts(self, request: Request) -> Facts:
        """What can be said for an engine that says nothing itself."""
        return Facts(engine=self.name, fingerprint=self.fingerprint(request), model=request.model or "")


class _Finishing:
    """One segment on its way."""

    def __init__(self, sample_rate: int, segment: Segment) -> None:
        self._sample_rate = sample_rate
        self._gain = segment.request.volume / OWN_VOLUME
        self._span = segment.span
        self._trimmer = pcm.EdgeTrimmer(sample_rate)
        self._facts: Facts | None = None
        self._samples = 0
        self._words: list[Word] = []

    @property
    def request_id(self) -> str:
        """The service's id of the call, as far as it is known."""
        return self._facts.request_id if self._facts else ""

    def feed(self, chunk: Chunk) -> Chunk | None:
        """What can leave after one more chunk of the engine."""
        if chunk.sample_rate != self._sample_rate:
            raise BadReply(
                f"The engine changed its sample rate from {self._sample_rate} to {chunk.sample_rate} Hz on the way.",
                remedy="Try the call again.",
            )
        self._facts = chunk.facts or self._facts
        self._span = chunk.span
        self._words += chunk.words
        sound = self._trimmer.feed(chunk.pcm)
        return self._chunk(sound, None) if sound else None

    def end(self, facts: Facts) -> Chunk | None:
        """What is left at the end, with the engine's facts or else these; None if there never was any sound."""
        sound = self._trimmer.flush()
        if not sound and not self._samples:
            return None
        return self._chunk(sound, self._facts or facts)

    def _chunk(self, sound: bytes, facts: Facts | None) -> Chunk:
        offset = self._samples
        self._samples += len(sound) // SAMPLE_WIDTH
        return Chunk(
            pcm=pcm.gain(sound, self._gain),
            sample_rate=self._sample_rate,
            offset=offset,
            span=self._span,
            words=self._due(all_of_them=facts is not None),
            facts=facts,
        )

    def _due(self, *, all_of_them: bool) -> tuple[Word, ...]:
        """The words whose sound has left, in times of the trimmed sound."""
        cut = self._trimmer.lead / self._sample_rate
        now = self._samples / self._sample_rate
        due: list[Word] = []
        waiting: list[Word] = []
        for word in self._words:
            (due if all_of_them or word.end - cut <= now else waiting).append(word)
        self._words = waiting
        return tuple(
            Word(word.span, min(max(word.start - cut, 0.0), now), min(max(word.end - cut, 0.0), now)) for word in due
        )
