"""The ``fake`` engine: deterministic tones, with delays and failures to order.

For tests: lineread's own and its users'. It makes no network call and loads no model. The tone of a text depends on
the text, the voice and the take alone, and a tone lasts 50 ms for each character, so that a test can tell what was
spoken, how long, and in which order. What goes wrong is scripted:

    Fake(script=[Throttled("slow down", retryable=True), Act(delay=0.2), ServiceFailed("broken")])

hands one act to each call, in order; calls after the last act go well.
"""

from __future__ import annotations

import math
import zlib
from array import array
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lineread import catalogue
from lineread.engines.base import Engine, Limits
from lineread.speech import SAMPLE_RATE, Chunk, Facts, Word, billed_characters

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from lineread.speech import Request, Segment

SECONDS_PER_CHARACTER = 0.05
_CYCLE = 480  # samples: every tone is a whole number of waves in 20 ms, so that it begins and ends at zero
_AMPLITUDE = 9000


@dataclass(frozen=True, slots=True)
class Act:
    """What one call of a scripted fake does.

    Attributes:
        delay: Seconds before its first chunk.
        pace: Seconds before each further chunk.
        chunks: In how many chunks the tone comes.
        error: Raised instead of an end.
        after: How many chunks come before the error.
        silent: No sound at all.
    """

    delay: float = 0.0
    pace: float = 0.0
    chunks: int = 1
    error: Exception | None = None
    after: int = 0
    silent: bool = False


class Fake(Engine):
    """Tones instead of speech.

    Args:
        script: One act, or one error to raise, for each call; calls beyond it follow ``otherwise``.
        otherwise: What a call without an act of its own does.
        limits: How texts are cut for it.

    Attributes:
        calls: The segments that it was asked to speak, in order.
        running: Calls under way.
        most_running: The most calls that were under way at once.
    """

    name = "fake"

    def __init__(
        self,
        script: Sequence[Act | Exception] = (),
        *,
        otherwise: Act | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._script = list(script)
        self._otherwise = otherwise or Act()
        self._limits = limits or Limits()
        self.calls: list[Segment] = []
        self.running = 0
        self.most_running = 0

    def resolve(self, request: Request) -> Request:
        """Any voice, any model, any language of the catalogue."""
        return replace(request, model=request.model or "fake", language_type=catalogue.language(request.language_type))

    def limits(self, request: Request) -> Limits:
        """As it was made."""
        return self._limits

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        """A tone, following the script."""
        act = self._next_act()
        self.calls.append(segment)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            async for chunk in self._perform(act, segment):
                yield chunk
        finally:
            self.running -= 1

    async def _perform(self, act: Act, segment: Segment) -> AsyncGenerator[Chunk, None]:
        pieces = _pieces(b"" if act.silent else tone(segment), act.chunks)
        offset = 0
        for index, pcm in enumerate(pieces):
            await _pause(act.pace if index else act.delay)
            if act.error is not None and index == act.after:
                raise act.error
            last = index == len(pieces) - 1
            yield Chunk(
                pcm,
                SAMPLE_RATE,
                offset,
                segment.span,
                words=_words(segment, offset + len(pcm) // 2) if last else (),
                facts=self._facts(segment) if last and act.error is None else None,
            )
            offset += len(pcm) // 2
        if act.error is not None:
            raise act.error

    def _next_act(self) -> Act:
        act = self._script.pop(0) if self._script else self._otherwise
        return act if isinstance(act, Act) else Act(error=act)

    def _facts(self, segment: Segment) -> Facts:
        return Facts(
            engine=self.name,
            fingerprint=self.fingerprint(segment.request),
            model=segment.request.model or "",
            stand_in="a tone",
            request_id=f"fake-{len(self.calls)}",
            characters=billed_characters(segment.text),
        )


def tone(segment: Segment) -> bytes:
    """The sound of a segment: its pitch tells the text, its length how many characters there are."""
    request = segment.request
    waves = 4 + zlib.crc32(f"{segment.text}|{request.voice}|{request.take}".encode()) % 12
    cycle = array(
        "h", (round(_AMPLITUDE * math.sin(2 * math.pi * waves * i / _CYCLE)) for i in range(_CYCLE))
    ).tobytes()
    seconds = SECONDS_PER_CHARACTER * len(segment.text) / request.rate
    return cycle * max(1, round(seconds * SAMPLE_RATE / _CYCLE))


def _pieces(pcm: bytes, count: int) -> list[bytes]:
    step = max(2, -(-len(pcm) // (2 * count)) * 2)
    return [pcm[at : at + step] for at in range(0, len(pcm), step)] or [b""]


def _words(segment: Segment, samples: int) -> tuple[Word, ...]:
    """Each white-space-delimited word, at the place that its characters take in the tone."""
    words = []
    at = 0
    each = samples / SAMPLE_RATE / len(segment.text)
    for word in segment.text.split():
        at = segment.text.index(word, at)
        span = (segment.text_start + at, segment.text_start + at + len(word))
        words.append(Word(span, at * each, (at + len(word)) * each))
        at += len(word)
    return tuple(words)


async def _pause(seconds: float) -> None:
    if seconds > 0:
        import asyncio  # noqa: PLC0415 - keeps a fake engine as light as the real ones for a cached line

        await asyncio.sleep(seconds)
