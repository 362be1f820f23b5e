"""The ``builtin`` engine: a neural voice on the machine, with a stand-in for every voice of Qwen.

Owns the engine's light half: what it accepts, how it is cut, its fingerprint, and the threads that the work is done on.
The sound is made by hibari-tts, an English voice inside a Python package, through a vocoder of our own that turns its
one speaker into a cast. No key, no network.

    refusing    refuses what is not English
    cast        what a stand-in is, who it stands in for, how a request is read
    made        the files of voices that were made here
    loading     loads the rest, when something has to be spoken anew:
    graph       cuts the network in two, so that a sentence can begin before it is finished
    model       phonemes to frames: the network
    vocoder     frames to samples
    speaker     all of it together, and when each word is spoken

What it reads, and how, is ``lineread.english``.

Voices are made with these:

    enrolment   who makes them, and keeps them with ``made``
    designing   descriptions to settings, by rules that are data
    likeness    measurements of a sample to settings
    trial       what a voice sounds like, before it is kept
"""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, Self, TypeVar

from lineread import catalogue
from lineread.engines.base import Engine, Limits
from lineread.engines.builtin import cast, refusing
from lineread.engines.builtin.cast import Cast
from lineread.engines.builtin.loading import Loading
from lineread.engines.cores import cores
from lineread.english import hibari
from lineread.errors import LinereadError
from lineread.speech import SAMPLE_RATE, Chunk, Facts

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from lineread.config import Settings
    from lineread.engines.base import Turn
    from lineread.engines.builtin.speaker import Speaker, Spoken
    from lineread.engines.crew import Crew
    from lineread.engines.enroller import Enroller
    from lineread.speech import Request, Segment, Word

T = TypeVar("T")

#: Most characters of a segment; a longer sentence loses its melody.
_MOST_CHARACTERS: Final = 300
#: Most characters of the first one: a clause of this length is spoken in a hundredth of a second.
_FIRST_CHARACTERS: Final = 40
_MODEL: Final = "hibari"
#: Seconds that what nobody listens for gives way to what somebody does.
_PATIENCE: Final = 1.0


class Builtin(Engine):
    """Speaks English on this machine, in forty-eight voices and in those that were made here, on all cores.

    Any model of the catalogue is accepted and none makes a difference, so that what is written for the cloud runs as
    it is; an instruction is left out, and the resolved request says so. Inline pronunciations of hibari,
    ``[word](/phonemes/)``, are read as the text that they are.

    Args:
        data_dir: Where voices that are made here are kept; None for none.
    """

    name = "builtin"
    version = "4"

    def __init__(self, data_dir: str | None = None) -> None:
        self._cast = Cast(data_dir)
        self.begin_anew()
        _engines.add(self)

    @classmethod
    def configured(cls, settings: Settings) -> Self:
        """One that keeps voices in the directory of the settings."""
        return cls(settings.data_dir)

    def begin_anew(self) -> None:
        """Forget what was loaded and begun. After a fork all of it belongs to threads that are not in the child."""
        self._crew: Crew | None = None
        self._loading: Loading | None = None
        self._lock = threading.Lock()  # held while the voice is loaded: event loops must not wait for it
        self._speaker: Speaker | None = None
        self._under_way: set[object] = set()  # a set, since segments may come from several event loops

    def resolve(self, request: Request) -> Request:
        """A system voice or one that was made here, English text, no instruction.

        Raises:
            VoiceError: There is no such voice.
            ModelError: There is no such model.
            OptionError: There is no such language.
            TextError: The text is not English, or has no words.
            ConfigError: hibari-tts is not installed, or the voice's file is damaged.
        """
        voice = self._cast.resolve(request.voice)
        if request.model is not None and request.model != _MODEL:
            catalogue.model(request.model)
        language = catalogue.language(request.language_type)
        text = refusing.check(request.text, language)
        hibari.root()
        return replace(request, text=text, voice=voice, model=_MODEL, language_type="English", instruction=None)

    def limits(self, request: Request) -> Limits:
        """A sentence at a time, a short first clause, and as many at once as there are cores."""
        return Limits(_MOST_CHARACTERS, by_sentence=True, first=_FIRST_CHARACTERS, concurrency=cores())

    def fingerprint(self, request: Request) -> str:
        """It changes with this engine, with hibari-tts and with the voice's stand-in."""
        return f"{self.name}/{self.version}/{_MODEL}-{hibari.version()}/{cast.mark(self._cast.stand_in(request.voice))}"

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        """Speak one segment.

        If no other one is being spoken, its first fifth of a second comes as a chunk of its own: somebody may be
        waiting for it. Otherwise it is one chunk. The sound is the same.

        Raises:
            EngineError: It cannot be spoken, or the engine was closed before it was.
            ConfigError: hibari-tts is broken.
        """
        crew = self._working()
        take: Callable[[Iterator[Spoken]], Spoken] = _all_of_it if self._under_way else next
        stretches = self._speak(segment)
        mark = object()
        self._under_way.add(mark)
        try:
            offset = 0
            facts = None
            while facts is None:
                spoken: Spoken = await crew.do(segment.due, partial(take, stretches))
                facts = self._facts(segment.request) if spoken.last else None
                words = tuple(_moved(word, segment.text_start) for word in spoken.words)
                chunk = Chunk(spoken.pcm, SAMPLE_RATE, offset, segment.span, words, facts)
                yield chunk
                offset += chunk.samples
        finally:
            self._under_way.discard(mark)

    async def aclose(self) -> None:
        """Let go of the network and the threads. A stretch that is being made is finished; what is to follow fails."""
        crew, self._crew, self._speaker = self._crew, None, None
        if crew is not None:
            crew.close()

    def enroller(self, *, turn: Turn | None = None) -> Enroller | None:
        """Who makes voices on this machine; None for an engine that keeps none."""
        if self._cast.made is None:
            return None
        from lineread.engines.builtin.enrolment import Machine  # noqa: PLC0415 - for making voices only

        return Machine(self._cast.made, self)

    async def aside(self, work: Callable[[Speaker], T]) -> T:
        """Have something done with the loaded voice, on its threads, after what somebody waits to hear.

        Raises:
            ServiceFailed: The engine was closed before it was begun.
            ConfigError: hibari-tts is broken.
        """
        return await self._working().do(time.monotonic() + _PATIENCE, lambda: work(self._loaded()))

    def warm(self) -> None:
        """Begin to load the voice.

        What has to be imported first comes first: in a process without asyncio no event loop can be kept waiting, so
        it is imported right here, and asyncio can follow while the network is set up by itself.
        """
        if "asyncio" in sys.modules:
            # No daemon: an interpreter that ends while onnxruntime is at work in it is aborted.
            threading.Thread(target=self._begin, name="lineread-load").start()
        else:
            self._begin()

    def _begin(self) -> None:
        with self._lock, suppress(LinereadError):  # the first segment will meet the same error, and tell it
            if self._speaker is None and self._loading is None:
                self._loading = Loading()

    def _working(self) -> Crew:
        from lineread.engines.crew import Crew  # noqa: PLC0415 - 10 ms, see `stream`

        if self._crew is None:
            self._crew = Crew(cores())
        return self._crew

    def _loaded(self) -> Speaker:
        with self._lock:
            if self._speaker is None:
                loading, self._loading = self._loading or Loading(), None
                self._speaker = loading.result()
            return self._speaker

    def _speak(self, segment: Segment) -> Iterator[Spoken]:
        """What is spoken, as it is asked for. Nothing is loaded before that."""
        person = self._cast.stand_in(segment.request.voice)
        yield from self._loaded().speak(segment.text, cast.reading(segment.request, segment.text, person))

    def _facts(self, request: Request) -> Facts:
        return Facts(
            engine=self.name,
            fingerprint=self.fingerprint(request),
            model=f"{_MODEL}-{hibari.version()}",
            stand_in=cast.describe(request.voice, self._cast.stand_in(request.voice)),
        )


_engines: weakref.WeakSet[Builtin] = weakref.WeakSet()


def _after_fork() -> None:
    """A child has none of its parent's threads, and whoever held a lock is not in it."""
    for engine in _engines:
        engine.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _all_of_it(stretches: Iterator[Spoken]) -> Spoken:
    """All stretches as one."""
    parts = list(stretches)
    return replace(parts[-1], pcm=b"".join(part.pcm for part in parts))


def _moved(word: Word, characters: int) -> Word:
    """A word of a text that stands so many characters further on."""
    start, end = word.span
    return word._replace(span=(start + characters, end + characters))
