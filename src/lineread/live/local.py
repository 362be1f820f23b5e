"""A link over any engine that speaks segments: the machine's own voice, above all.

Owns the way from text that arrives to chunks in order. What can be spoken is cut off (``text.arriving``), each piece is
planned and spoken like any request, with cache, flights and wrappers, some of them ahead of the reader, and their
chunks are placed one after the other. Where text is refused, whoever wrote it is told, and the rest is spoken; where
the voice fails, whoever reads.

A response begins with the first sound after the last one. It ends at a commit; and without one, when all that was
written has been spoken.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lineread import plan as plans
from lineread.engines.link import Link
from lineread.errors import LinereadError, RequestError, TextError, TimedOut
from lineread.live.conveyor import Conveyor, End, Piece
from lineread.live.placing import Placing
from lineread.pipeline import Studio
from lineread.speech import Segment
from lineread.text.arriving import Arriving
from lineread.text.characters import VOICED

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from lineread.cache import Cache
    from lineread.engines.base import Engine
    from lineread.speech import Chunk, LiveRequest
    from lineread.text.arriving import Arrived

#: Seconds without a word after which what can be spoken is spoken, though its sentence may go on.
QUIET: Final = 0.25
#: Seconds without a word after which a word counts as ended that the next token might have gone on with.
LONG_QUIET: Final = 1.0
#: Most characters that wait to be heard before a writer has to: five minutes of speech.
MOST_UNHEARD: Final = 5000
#: Seconds that a character takes to say, rather too few: English has some fifteen in a second.
PACE: Final = 1 / 18
#: Seconds that a writer waits for a reader.
PATIENCE: Final = 10.0
#: Stands for the text to come, to learn whether voice, model and language are such that it can be spoken.
_TRIAL: Final = "Hello."


class Local(Link):
    """A session with an engine of this process.

    Args:
        request: What is asked for.
        engine: The engine, with its wrappers around it.
        cache: Where finished pieces are kept; None keeps nothing.

    Raises:
        RequestError: What is asked cannot be done.
        ConfigError: The engine cannot work as it is set up.
    """

    def __init__(self, request: LiveRequest, engine: Engine, cache: Cache | None) -> None:
        plan = plans.make(request.request(_TRIAL), engine)
        self.request = replace(
            request, voice=plan.request.voice, model=plan.request.model, instruction=plan.request.instruction
        )
        self.sample_rate = request.sample_rate
        self._asked = request
        self._engine = engine
        self._cache = cache
        self._arriving = Arriving(plan.limits.characters)
        self._held: list[Arrived] = []
        self._conveyor = Conveyor(plan.limits.concurrency)
        self._placing = Placing(request.rate, request.sample_rate)
        self._refused: RequestError | None = None
        self._over: LinereadError | None = None
        self._ended = False
        self._quiet: asyncio.TimerHandle | None = None
        self._cancels = 0
        self._sounds_until = 0.0
        self._reading = False

    async def open(self) -> None:
        """Begin to load the voice."""
        self._engine.warm()

    async def write(self, text: str) -> None:
        """As :meth:`Link.write`."""
        cancels = self._cancels
        await self._room()
        pieces = self._arriving.feed(text)
        if cancels == self._cancels:
            self._take(pieces)
        else:  # it waited, and was cancelled with what is before it
            self._arriving.clear()
        self._watch()
        self._tell_refused()

    async def commit(self) -> None:
        """As :meth:`Link.commit`."""
        self._check()
        self._flush()
        self._tell_refused()

    async def clear(self) -> None:
        """As :meth:`Link.clear`."""
        if not self._ended:
            self._check()
        if self._asked.mode == "commit":  # what was committed is spoken
            self._drop_uncommitted()
            return
        self._forget()
        if self._placing.responding:
            self._conveyor.end_response()

    async def cancel(self) -> None:
        """As :meth:`Link.cancel`."""
        self._cancels += 1
        self._forget()
        self._sounds_until = 0.0
        self._placing.break_off()
        await self._conveyor.stop()

    async def end(self) -> None:
        """As :meth:`Link.end`."""
        self._check()
        self._flush()
        self._ended = True
        self._over = RequestError("The session takes no more text.", remedy="Open another one.", code="session_over")
        self._conveyor.close()
        self._tell_refused()

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """As :meth:`Link.chunks`."""
        self._reading = True
        try:
            while (step := await self._conveyor.next()) is not None:
                if isinstance(step, Piece):
                    async for chunk in step.chunks():
                        placed = self._placing.place(chunk, step)
                        self._sounds_until = max(self._sounds_until, time.monotonic()) + placed.duration
                        yield placed
                    if not self._conveyor.drop(step):
                        continue  # it was stopped
                ends = isinstance(step, End) or step.ends_response or self._drained
                if ends and self._placing.responding:
                    yield self._placing.end()
        except LinereadError as error:
            self._over = error
            self._conveyor.close()
            await self._conveyor.stop()
            raise

    async def aclose(self) -> None:
        """As :meth:`Link.aclose`."""
        self._over = self._over or RequestError("The session was closed.", remedy="Open another.", code="session_over")
        await self.cancel()
        self._conveyor.close()

    def _check(self) -> None:
        if self._over is not None:
            raise self._over

    async def _room(self) -> None:
        """Wait until there is room for more text."""
        self._check()
        try:
            async with asyncio.timeout(None if self._reading else PATIENCE):
                await self._conveyor.room(MOST_UNHEARD)
        except TimeoutError:
            raise TimedOut(
                f"{MOST_UNHEARD} characters wait to be heard, and nobody reads the session's sound.",
                remedy="Read its chunks in another task while you write.",
                code="nobody_reads",
            ) from None
        self._check()

    def _take(self, pieces: list[Arrived]) -> None:
        if self._asked.mode == "commit":
            self._held += pieces
        else:
            self._speak(pieces)

    def _flush(self) -> None:
        """Have all of the text spoken, and end the response with it."""
        held, self._held = self._held, []
        self._speak(held + self._arriving.flush())
        self._conveyor.end_response()
        self._watch()

    def _speak(self, pieces: list[Arrived]) -> None:
        for piece in pieces:
            if VOICED.search(piece.text) is None:
                continue
            try:
                plan = plans.make(self._asked.request(piece.text), self._engine)
            except RequestError as error:
                told = error.moved(piece.start) if isinstance(error, TextError) else error
                self._refused = self._refused or told
            else:
                # Its own mark: where several voices speak together, another language has another one.
                studio = Studio(self._engine, self._cache, plan.fingerprint)
                segment = Segment(plan.request, 0, 0, len(plan.request.text), piece.pause, self._wanted())
                self._conveyor.add(Piece(segment, studio, piece.start, piece.end))

    def _wanted(self) -> float:
        """When the listener will have heard what comes before the next piece, if sound is played as it comes."""
        return max(self._sounds_until, time.monotonic()) + self._conveyor.characters * PACE / self._asked.rate

    def _forget(self) -> None:
        """Drop the text that nobody has begun to speak."""
        self._drop_uncommitted()
        self._conveyor.forget()

    def _drop_uncommitted(self) -> None:
        self._arriving.clear()
        self._held.clear()
        self._watch()

    def _tell_refused(self) -> None:
        """Tell the writer of text that cannot be spoken. Some is found out when nobody writes; it is told here, too."""
        refused, self._refused = self._refused, None
        if refused is not None:
            raise refused

    def _watch(self) -> None:
        """Look again when nothing has come for a while."""
        if self._quiet is not None:
            self._quiet.cancel()
            self._quiet = None
        if self._asked.mode == "server_commit" and not self._arriving.silent:
            self._quiet = asyncio.get_running_loop().call_later(QUIET, self._settle)

    def _settle(self) -> None:
        self._speak(self._arriving.settle())
        if not self._arriving.silent:
            self._quiet = asyncio.get_running_loop().call_later(LONG_QUIET - QUIET, self._give_up_waiting)

    def _give_up_waiting(self) -> None:
        self._speak(self._arriving.flush())

    @property
    def _drained(self) -> bool:
        """All that was written has been spoken."""
        return self._asked.mode == "server_commit" and self._conveyor.empty and self._arriving.silent
