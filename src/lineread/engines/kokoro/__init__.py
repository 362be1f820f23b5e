"""The ``kokoro`` engine: Kokoro-82M, a neural voice of 82 million weights that speaks eight languages.

Owns the engine's light half: what it accepts, how it is cut, its fingerprint, and the threads that the work is done on.
Its files are a pack that is fetched once, when the engine first has to speak or by `lineread voices install kokoro`.

    languages   which languages there are, and which one a text is in
    cast        Kokoro's voices, and who stands in for which of Qwen's
    readers     what reads each language, and whether it is here
    pack        what the pack consists of, where it lies, whether it is whole
    hub         fetches it
    phonemes    text to phonemes, a reader for each language
    graph       rewrites the network, so that it is faster
    model       phonemes to sound: the network
    speaker     all of it together
"""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self

from lineread import catalogue
from lineread.engines.base import Engine, Limits
from lineread.engines.cores import cores
from lineread.engines.kokoro import cast, languages, pack, readers
from lineread.errors import ConfigError, LinereadError
from lineread.speech import SAMPLE_RATE, Chunk, Facts

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from lineread.config import Settings
    from lineread.engines.crew import Crew
    from lineread.engines.kokoro.hub import Fetching
    from lineread.engines.kokoro.speaker import Speaker
    from lineread.speech import Request, Segment

MODEL: Final = "kokoro-82m"


class Kokoro(Engine):
    """Speaks eight languages on this machine, in 54 voices of its own, or in those that stand in for Qwen's.

    Any model of the catalogue is accepted and none makes a difference; an instruction is left out, and the resolved
    request says so.

    Args:
        data_dir: Where packs of voices are kept.
        endpoint: The hub that the pack is fetched from.
        offline: Nothing is fetched.
        notice: Takes lines about the download, on threads of its own.
    """

    name = "kokoro"
    version = "1"

    def __init__(
        self, data_dir: str, *, endpoint: str, offline: bool = False, notice: Callable[[str], None] = lambda _: None
    ) -> None:
        self._place = pack.directory(data_dir)
        self._endpoint = endpoint
        self._offline = offline
        self._notice = notice
        self.begin_anew()
        _engines.add(self)

    @classmethod
    def configured(cls, settings: Settings) -> Self:
        """One with the pack in the directory of the settings."""
        return cls(settings.data_dir, endpoint=settings.hub, offline=settings.offline, notice=settings.notice)

    def begin_anew(self) -> None:
        """Forget what was loaded and begun. After a fork all of it belongs to threads that are not in the child."""
        self._crew: Crew | None = None
        self._speaker: Speaker | None = None
        self._fetching: Fetching | None = None
        self._waiting = 0
        self._lock = threading.Lock()  # held while the voice is loaded: event loops must not wait for it
        self._counting = threading.Lock()

    def resolve(self, request: Request) -> Request:
        """A voice of Qwen's or of Kokoro's, a language that it speaks, no instruction.

        Raises:
            VoiceError: There is no such voice.
            ModelError: There is no such model.
            OptionError: It does not speak that language.
            TextError: The text has letters that it cannot read.
            ConfigError: What reads the language is not installed.
        """
        voice = cast.resolve(request.voice)
        if request.model is not None and request.model != MODEL:
            catalogue.model(request.model)
        language = languages.resolve(request.language_type, request.text, cast.language(voice))
        readers.check(language)
        return replace(request, voice=voice, model=MODEL, language_type=language, instruction=None)

    def limits(self, request: Request) -> Limits:
        """A sentence at a time, a short first clause, and as many at once as there are cores."""
        language = languages.LANGUAGES[request.language_type]
        return Limits(language.most, by_sentence=True, first=language.first, concurrency=cores())

    def fingerprint(self, request: Request) -> str:
        """It changes with this engine and its readers, with the pack, and with who stands in for the voice."""
        person = cast.stand_in(request.voice, request.language_type)
        english = cast.reader(person.voice, "English")
        return f"{self.name}/{self.version}/{pack.MARK}/{person.voice}/{person.pitch:g}/{english}"

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        """Speak one segment, as one chunk. The first one ever waits until the pack is fetched.

        Raises:
            EngineError: It cannot be spoken, the pack cannot be fetched, or the engine was closed before it was.
            TextError: A character has no known reading.
            ConfigError: Something is missing that it needs.
            OutputError: There is no room for the pack.
        """
        await self._fetched()
        pcm = await self._working().do(segment.due, lambda: self._speak(segment))
        yield Chunk(pcm, SAMPLE_RATE, 0, segment.span, (), self._facts(segment.request))

    def warm(self) -> None:
        """Begin to load the voice, if it is there."""
        threading.Thread(target=self._load_early, name="lineread-load").start()  # no daemon, as the builtin engine's

    async def aclose(self) -> None:
        """Let go of the network and the threads. What is being spoken is finished; what is to follow fails."""
        crew, self._crew, self._speaker = self._crew, None, None
        if crew is not None:
            crew.close()

    async def _fetched(self) -> None:
        """Wait until the pack is there. Who is the last to give up waiting ends the download.

        Raises:
            LinereadError: It cannot be.
        """
        if self._speaker is not None or pack.is_whole(self._place):
            return
        if self._offline:
            raise _not_installed()
        import asyncio  # noqa: PLC0415 - the cache answers without an event loop

        with self._counting:
            fetching = self._fetching = self._fetching or self._begin_to_fetch()
            self._waiting += 1
        try:
            await asyncio.wrap_future(fetching.future)
        finally:
            with self._counting:
                self._waiting -= 1
                if fetching.future.done() or not self._waiting:
                    fetching.give_up()
                    self._fetching = None

    def _begin_to_fetch(self) -> Fetching:
        from lineread.engines.kokoro.hub import Fetching  # noqa: PLC0415 - once in a machine's life

        return Fetching(pack.kokoro(), self._place, self._endpoint, self._notice)

    def _working(self) -> Crew:
        from lineread.engines.crew import Crew  # noqa: PLC0415 - asyncio, see `_fetched`

        if self._crew is None:
            self._crew = Crew(cores())
        return self._crew

    def _load_early(self) -> None:
        with suppress(LinereadError):  # the first segment will meet the same error, and tell it
            if pack.is_whole(self._place):
                self._loaded(None)

    def _loaded(self, reader: str | None) -> Speaker:
        """The loaded voice; a reader that is named is loaded beside it."""
        with self._lock:
            if self._speaker is None:
                # numpy, onnxruntime and the network: a second that a stored line does not wait for.
                from lineread.engines.kokoro.model import Network  # noqa: PLC0415
                from lineread.engines.kokoro.phonemes.mixed import Phonemizer  # noqa: PLC0415
                from lineread.engines.kokoro.speaker import Speaker  # noqa: PLC0415

                phonemizer = Phonemizer()
                if reader is not None:
                    threading.Thread(target=phonemizer.load, args=(reader,)).start()
                self._speaker = Speaker(Network(self._place), phonemizer)
            return self._speaker

    def _speak(self, segment: Segment) -> bytes:
        from lineread.engines.kokoro.speaker import Manner  # noqa: PLC0415 - as above

        request = segment.request
        language = languages.of_piece(segment.text, request.language_type)
        person = cast.stand_in(request.voice, request.language_type)
        manner = Manner(language, person.voice, request.rate, request.pitch * person.pitch, request.take)
        return self._loaded(cast.reader(person.voice, language)).speak(segment.text, manner)

    def _facts(self, request: Request) -> Facts:
        person = cast.stand_in(request.voice, request.language_type)
        return Facts(
            engine=self.name,
            fingerprint=self.fingerprint(request),
            model=f"{MODEL}-{pack.MARK}",
            stand_in=cast.describe(request.voice, person),
        )


def _not_installed() -> ConfigError:
    return ConfigError(
        "The kokoro pack is not installed, and nothing may be fetched (--offline, LINEREAD_OFFLINE).",
        remedy=f"Run `{pack.INSTALL}` while there is a network, or use --engine builtin.",
        code="pack_missing",
    )


_engines: weakref.WeakSet[Kokoro] = weakref.WeakSet()


def _after_fork() -> None:
    """A child has none of its parent's threads, and whoever held a lock is not in it."""
    for engine in _engines:
        engine.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
