"""Which id a voice's name stands for, when something is to be spoken.

Owns the way from a name of the voice book to an id that the engine in use can speak; where the voice has none yet and
may get one, it is made. Names of system voices and ids pass as they are, without a look into the book: a stored line
waits for nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lineread import _sync, catalogue
from lineread.errors import VoiceError

if TYPE_CHECKING:
    from lineread.engines.base import Engine
    from lineread.engines.enroller import Enroller
    from lineread.voices.book import Book, Id, OwnVoice


class Casting:
    """Finds ids of voices.

    Args:
        data_dir: Where the user's voices are kept.
    """

    def __init__(self, data_dir: str) -> None:
        self._directory = os.path.join(data_dir, "voices")
        self._book: Book | None = None

    @property
    def book(self) -> Book:
        """The user's voice book."""
        if self._book is None:
            from lineread.voices.book import Book  # noqa: PLC0415 - system voices need none of it

            self._book = Book(self._directory)
        return self._book

    async def id(self, voice: str, engine: Engine, *, model: str | None, realtime: bool) -> str:
        """What an engine has to be asked for.

        Args:
            voice: A name or an id, as a request says it.
            engine: The engine that will speak.
            model: The model that was asked for.
            realtime: It is for a live session.

        Raises:
            VoiceError: It is a voice of the book, and this engine or model cannot speak it.
            ConfigError: What the book says of it cannot be read.
            EngineError: It had to be made, and could not be.
        """
        if not isinstance(voice, str) or catalogue.knows(voice) or catalogue.custom_family(voice):
            return voice
        own = self.book.find(voice)
        if own is None:
            self._suggest(voice)
            return voice
        from lineread.voices import making  # noqa: PLC0415 - as above

        enroller = engine.enroller()
        found = making.speaker(own, enroller, model=model, realtime=realtime)
        assert enroller is not None  # without one, the voice has been refused
        if found is None:
            found = await self._made(own, enroller, model=model, realtime=realtime)
        self.book.note_use(own)
        return found.voice

    async def _made(self, own: OwnVoice, enroller: Enroller, *, model: str | None, realtime: bool) -> Id:
        """An id that is made now: on the machine always, at the service where that was allowed."""
        from lineread.voices import making  # noqa: PLC0415 - as above

        if enroller.engine == "dashscope" and not own.extend:
            raise making.not_made(own, enroller, realtime=realtime)
        await _sync.on_event_loop()
        wanted = making.Wanted(model, http=not realtime, realtime=realtime)
        return (await making.Maker(enroller, self.book).extend(own.name, wanted)).id

    def _suggest(self, name: str) -> None:
        """Refuse a name that is nearly that of a voice of the book.

        Raises:
            VoiceError: It is.
        """
        if not os.path.isdir(self._directory):
            return
        own = [voice.name for voice in self.book.voices()]
        hint = catalogue.suggestion(name, own, "")
        if hint:
            raise VoiceError(f"There is no voice {name!r}.", remedy=f"{hint}`lineread voices` lists all.")
