"""The desk: takes a request of a dialect, has it spoken, and keeps the account of it.

Owns who may ask for what and how much is done at once. It stands on the client, so what it speaks goes the same way
as a call of the library: plan, cache, engine, audio. Dialects give it a request and get chunks.

What counts against a key's limits: each order that got a seat counts for its minute, also one that the cache answers
or that turns out to be wrong. For its day count the billed characters that had to be spoken. They are taken for the
whole text when work begins, and when it ends those are given back that came from the cache or were never begun. So what
is stored is free, also for a key that has nothing left. Who leaves in the middle, or before the first sound, pays for
what is spoken ahead of him, too: it is stored, and he could come back for it. What fails before its first sound costs
nothing.
"""

from __future__ import annotations

import asyncio
import math
import os
import re
from collections import deque
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Final

from lineread import catalogue
from lineread.ahead import DEPTH
from lineread.errors import KeyRefused, Leaving, LimitReached, TextError, Throttled, VoiceError, shortened
from lineread.results import Tally
from lineread.server.access.keys import Keyring
from lineread.server.access.ledger import Ledger
from lineread.server.access.limits import Pace, Seats
from lineread.server.access.owners import Owners
from lineread.server.sound.writing import Beside, Writing
from lineread.speech import SAMPLE_RATE, SAMPLE_WIDTH, billed_characters

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator

    from lineread.client import Client, Job
    from lineread.engines.base import Quota
    from lineread.server.access.keys import Key
    from lineread.server.options import Options
    from lineread.server.sight.visit import Visit
    from lineread.server.sound.shelf import Shelf
    from lineread.speech import Chunk, Request, Segment

    Heard = Callable[[Chunk, Tally], Awaitable[None]]

#: Below the state directory: the characters that each key had spoken today.
_LEDGER: Final = os.path.join("server", "characters")
#: Below the data directory: which voices are whose.
_OWNERS: Final = os.path.join("server", "voices")
#: Finished files of which is remembered who spoke, and how long; of others only the file tells, and only how long.
_STORED: Final = 4096
#: Seconds that a request may wait for its turn within the account's limit. Clients give up after minutes.
_PATIENCE: Final = 10.0


@dataclass(slots=True)
class Order:
    """A request that was taken.

    Attributes:
        job: The work.
        visit: The record of the HTTP request behind it.
        tally: What its chunks add up to, as far as they have come.
        spoken: Billed characters of the segments that had to be spoken, the one that was begun last included.
        reached: The end, in the text, of the last segment that was begun.
        waiting: Whoever asked waits for its next chunk, or left while waiting.
        whole: All of it has come.
    """

    job: Job
    visit: Visit
    tally: Tally = field(default_factory=Tally)
    spoken: int = 0
    reached: int = 0
    waiting: bool = False
    whole: bool = False
    _segments: Iterator[Segment] = field(init=False, repr=False)
    _ahead: deque[tuple[int, int]] = field(default_factory=deque, init=False, repr=False)

    def __post_init__(self) -> None:
        self._segments = self.job.plan.segments()

    @property
    def owed(self) -> int:
        """Billed characters that count for the key's day."""
        if self.whole or not (self.spoken or self.waiting):
            return self.spoken
        return self.spoken + sum(characters for start, characters in self._ahead if start >= self.reached)

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """Its sound, as it comes. However it ends, the visit knows what became of it."""
        begun = False
        self._look_ahead()
        self.waiting = True  # it waits in earnest only where something has to be spoken
        try:
            async with aclosing(self.job.chunks()) as chunks:
                async for chunk in chunks:
                    self.waiting = False
                    self.visit.heard()
                    self.tally.add(chunk)
                    if not begun and not (chunk.facts is not None and chunk.facts.cached):
                        self.spoken += billed_characters(self.job.request.text[slice(*chunk.span)])
                    begun = chunk.facts is None
                    self.reached = chunk.span[1]
                    self.whole = chunk.final
                    if not begun:
                        self._look_ahead()
                    yield chunk
                    await asyncio.sleep(0)  # a book that is stored comes without a pause; the others have their turn
                    self.waiting = True
        except Exception:
            self.waiting = False
            raise
        finally:
            self._tell()

    def _look_ahead(self) -> None:
        """Note what the segments cost that are about to be spoken ahead of the reader: nothing if stored by now."""
        while self._ahead and self._ahead[0][0] < self.reached:
            self._ahead.popleft()
        window = self.job.plan.limits.concurrency * DEPTH
        for segment in islice(self._segments, window - len(self._ahead)):
            self._ahead.append(
                (segment.start, 0 if self.job.studio.holds(segment) else billed_characters(segment.text))
            )

    def _tell(self) -> None:
        visit, tally = self.visit, self.tally
        visit.cached = bool(tally.spoken) and not self.spoken
        visit.engine = tally.engine or (self.job.studio.engine.name if self.spoken else "")
        visit.upstream = tally.request_id if self.spoken else ""
        visit.seconds = tally.duration


@dataclass(frozen=True, slots=True)
class Copy:
    """The file of an order whose sound is streamed.

    Attributes:
        order: The order.
        name: The file's name; None for one that is not to be found again.
        file: What is written; None where the file is there from before.
    """

    order: Order
    name: str | None
    file: Beside | None = None

    async def add(self, chunk: Chunk) -> None:
        """The next piece of the order's sound."""
        if self.file is not None:
            await self.file.add(chunk)

    async def keep(self) -> str | None:
        """Put the file on the shelf, now that it is whole: its name, or None if it could not be written."""
        if self.file is None:
            return self.name
        return await self.file.keep(_asked_for(self.order, self.name))


class Desk:
    """Where all dialects have their requests spoken.

    Args:
        client: Speaks.
        shelf: Keeps finished files.
        options: The server's bounds.

    Attributes:
        keys: The keys of the server's clients.
        closing: The server is about to stop; no more work is taken.
        pace: Counts what each key asks for in a minute.
        ledger: Counts what each key has spoken in a day.
        sessions: Counts the realtime sessions.

    Raises:
        ConfigError: The keys cannot be read.
    """

    def __init__(self, client: Client, shelf: Shelf, options: Options) -> None:
        self.client = client
        self.shelf = shelf
        self.options = options
        self.keys = Keyring(options.key_file, options.keys)
        self.closing = False
        self._seats = Seats(options.max_requests)
        self.sessions = Seats(options.max_sessions)
        self.pace = Pace()
        self.ledger = Ledger(os.path.join(client.settings.state_dir, _LEDGER))
        self._stored: dict[str, Tally] = {}
        self._unheard: dict[Quota, list[Visit]] = {}

    @property
    def taken(self) -> int:
        """Requests that are being answered."""
        return self._seats.taken

    @asynccontextmanager
    async def order(self, visit: Visit, request: Request) -> AsyncIterator[Order]:
        """Take a request; it counts as being answered until the context is left.

        Args:
            visit: The record of the HTTP request; it says whose key was shown.
            request: What to speak. It names a model of the catalogue's, or none for one that its voice brings along.

        Raises:
            LinereadError: It cannot be done as asked, or not now.
        """
        visit.model = request.model or ""
        key = self.admit(visit)
        self._check_length(request)
        self.check_voice(key, request.voice, visit.model)
        with self.seat(visit, key):
            # Names of the voice book are its user's own: who shows a key is somebody else.
            job = self.client.prepare(request if key is not None else await self.client.anamed(request))
            visit.model = visit.model or job.request.model or ""
            order = Order(job, visit)
            self._check_wait(order)
            with self._counted(key, order):
                visit.voice = job.request.voice
                visit.characters = job.plan.characters
                try:
                    yield order
                finally:
                    if not (order.owed or visit.cached):
                        visit.characters = 0  # it failed before anything was billed

    async def file(self, order: Order, sample_rate: int | None, heard: Heard | None = None) -> str:
        """The name of the order's finished file on the shelf, spoken now if it is not there.

        Args:
            order: The order.
            sample_rate: Samples a second of the file; None for the voice's own.
            heard: Told of each chunk that is spoken for it, and what it adds up to by then.
        """
        name = self._file_name(order, sample_rate)
        if name is not None and self.shelf.holds(name):
            visit = order.visit
            visit.heard()
            visit.cached = True
            order.tally = self._stored.get(name) or order.tally
            visit.engine = order.tally.engine or order.job.studio.engine.name
            visit.seconds = order.tally.duration or await self._length(name, sample_rate)
            return name
        async with Writing(self.shelf, order.job.request.format, sample_rate) as file:
            async with aclosing(order.chunks()) as chunks:
                async for chunk in chunks:
                    await file.add(chunk)
                    if heard is not None:
                        await heard(chunk, order.tally)
            return await self.keep(order, file, sample_rate)

    async def keep(self, order: Order, file: Writing, sample_rate: int | None) -> str:
        """Put a file with all of the order's sound on the shelf."""
        name = await file.keep(_asked_for(order, self._file_name(order, sample_rate)))
        self._remember(name, order.tally)
        return name

    @asynccontextmanager
    async def beside(self, order: Order, sample_rate: int | None) -> AsyncIterator[Copy]:
        """The order's finished file, written while its sound is streamed; not at all if it is on the shelf already."""
        name = self._file_name(order, sample_rate)
        if name is not None and self.shelf.holds(name):
            yield Copy(order, name)
            return
        async with Beside(self.shelf, order.job.request.format, sample_rate) as file:
            yield Copy(order, name, file)

    @contextmanager
    def seat(self, visit: Visit, key: Key | None) -> Iterator[None]:
        """A place among the requests that are answered, until the context is left; it counts for its key's minute.

        Raises:
            TurnedAway: There is none to have, or not for this key.
        """
        with self._seats.take(visit.caller, shared=self.shared):
            self.count(key)
            yield

    def count(self, key: Key | None) -> None:
        """Count what got a seat for its key's minute.

        Raises:
            LimitReached: It is too much for it.
        """
        if key is not None and key.requests_per_minute is not None:
            self.pace.count(key.name, key.requests_per_minute)

    @cached_property
    def owners(self) -> Owners:
        """Which voices each key had made, where this engine makes them: elsewhere are others."""
        enroller = self.client.engine().enroller()
        place = "nowhere" if enroller is None else re.sub(r"[^A-Za-z0-9.]+", "-", f"{enroller.engine}-{enroller.place}")
        directory = os.path.join(self.client.settings.data_dir, _OWNERS, place)
        return Owners(directory, each=self.options.max_voices)

    @property
    def shared(self) -> bool:
        """There are several keys."""
        return len(self.keys.all()) > 1

    def check_voice(self, key: Key | None, voice: str, model: str) -> None:
        """Refuse a voice that a key may not use. One of another key's is refused as one that is not there.

        Args:
            key: The key that was shown; None where none is needed, and every voice may be used.
            voice: The voice, as it was asked for.
            model: The model, likewise.

        Raises:
            NotAllowed: The key is held to other voices or models.
            VoiceError: There is no such voice, or it is somebody else's, or never that model's.
        """
        _check_together(voice, model)
        if key is None:
            return
        key.allow(voice=voice, model=model)
        if not self._has_owner(voice, model) or voice in self.options.shared_voices | (key.voices or frozenset()):
            return
        if not self.owners.has(key.name, voice):
            raise VoiceError(
                f"There is no voice {shortened(voice)!r}.", remedy="A custom voice speaks for the key that had it made."
            )

    def knows(self, name: str) -> bool:
        """Whether the voice book has a name. It is the server's own user's: where there are keys, nobody else may ask.

        Raises:
            ConfigError: What the book says of it cannot be read.
        """
        return not self.keys.configured and self.client.casting.book.find(name) is not None

    def _has_owner(self, voice: str, model: str) -> bool:
        """Whether a name is that of a voice that somebody had made, or could be."""
        known = catalogue.load().models.get(model)
        if catalogue.custom_family(voice) or (known is not None and known.custom):
            return True
        return self._makes_voices and not catalogue.knows(voice)

    @cached_property
    def _makes_voices(self) -> bool:
        """What is no system voice may be one of this server's own user then, by its name in the voice book."""
        return self.client.engine().enroller() is not None

    def admit(self, visit: Visit) -> Key | None:
        """The key that was shown at the entrance; None where none is needed.

        Raises:
            Leaving: No more work is taken.
            KeyRefused: The key is no longer one, or not in force.
        """
        if self.closing:
            raise Leaving(
                "This server is about to stop.",
                remedy="Try again in a moment; another one may have taken its place.",
                retryable=True,
                retry_after=5.0,
            )
        return self.key(visit)

    def key(self, visit: Visit) -> Key | None:
        """The key that was shown, as it is now; None where none is needed.

        Raises:
            KeyRefused: It is no longer one, or not in force.
        """
        if not self.keys.configured:
            return None
        key = self.keys.named(visit.caller)
        if key is None:  # it was removed meanwhile
            raise KeyRefused("This is no key of this server.", remedy="Ask whoever runs the server for one.")
        key.check()
        return key

    def _check_length(self, request: Request) -> None:
        if len(request.text) > self.options.max_characters:
            raise TextError(
                f"The text has more than {self.options.max_characters} characters.",
                remedy="Send it in parts.",
                code="text_too_long",
            )

    def _check_wait(self, order: Order) -> None:
        """Refuse at once what would wait too long for its turn within the account's limit, unless it is stored."""
        engine, request = order.job.studio.engine, order.job.request
        quota = engine.quota(request)
        if quota is None:
            return
        unheard = [each for each in self._unheard.get(quota, ()) if each.first_audio is None and each.ended is None]
        wait = max(engine.wait(request), 60 * len(unheard) / quota.per_minute)  # some are not in the engine's line yet
        if wait > _PATIENCE and not _is_all_stored(order.job):
            raise Throttled(
                "The account's limit of calls a minute leaves no room for this one now.",
                remedy=f"Try again in {math.ceil(wait)} s.",
                retryable=True,
                retry_after=wait,
            )
        self._unheard[quota] = [*unheard, order.visit]

    @contextmanager
    def _counted(self, key: Key | None, order: Order) -> Iterator[None]:
        """Count the order's characters for its key's day, if that has a limit; afterwards only what was spoken."""
        if key is None or key.characters_per_day is None:
            yield
            return
        try:
            entry = self.ledger.take(key.name, order.job.plan.characters, key.characters_per_day)
        except LimitReached:
            if not _is_all_stored(order.job):
                raise
            entry = None
        try:
            yield
        finally:
            if entry is not None:
                self.ledger.settle(entry, order.owed)

    def _file_name(self, order: Order, sample_rate: int | None) -> str | None:
        if self.client.cache is None:
            return None
        job = order.job
        return self.shelf.name(job.plan.key, job.request.format, sample_rate)

    async def _length(self, name: str, sample_rate: int | None) -> float:
        """Seconds of sound in a file on the shelf, of which nothing is known: it is there from before."""
        return await asyncio.to_thread(_seconds, self.shelf.path(name), sample_rate or SAMPLE_RATE)

    def _remember(self, name: str, tally: Tally) -> None:
        if len(self._stored) >= _STORED:
            del self._stored[next(iter(self._stored))]
        self._stored[name] = tally.stored()


def _check_together(voice: str, model: str) -> None:
    """Refuse a custom voice with a model that speaks no such voices, and a system voice with one for custom voices.

    The machine's own voices would speak with any, but code that runs here shall run in the cloud.

    Raises:
        VoiceError: It is one of these.
    """
    known, family = catalogue.load().models.get(model.strip().lower()), catalogue.custom_family(voice)
    if known is None or not (known.custom or family) or family == known.voices:
        return
    if family is None and not catalogue.knows(voice):
        return  # a name of the voice book, or an id of a shape that nobody here knows
    remedy = "A custom voice and its own model go together."
    raise VoiceError(f"{known.id} does not speak {shortened(voice)!r}.", remedy=remedy, code="voice_not_in_model")


def _is_all_stored(job: Job) -> bool:
    return all(job.studio.holds(segment) for segment in job.plan.segments())


def _asked_for(order: Order, name: str | None) -> str | None:
    """The name, unless another voice spoke, by fallback: that is not found again as the speech that was asked for."""
    return None if order.tally.fallback_reason else name


def _seconds(path: str, sample_rate: int) -> float:
    """The length of a file's sound; 0 where the file went away meanwhile."""
    try:
        if path.endswith(".pcm"):
            return os.path.getsize(path) / SAMPLE_WIDTH / sample_rate
        import soundfile  # noqa: PLC0415 - 20 ms that a server which only speaks does not need

        return float(soundfile.info(path).duration)
    except (OSError, RuntimeError):  # libsndfile's own error is a RuntimeError
        return 0.0
