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
    from lineread.voices.book import Book, OwnVoice


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

    def find(self, voice: str, engine: Engine, *, model: str | None, realtime: bool) -> str | None:
        """What an engine has to be asked for; None for a voice that has to be made for that first.

        Args:
            voice: A name or an id, as a request says it.
            engine: The engine that will speak.
            model: The model that was asked for.
            realtime: It is for a live session.

        Raises:
            VoiceError: It is a voice of the book, and this engine or model cannot speak it.
            ConfigError: What the book says of it cannot be read.
        """
        own = self._own(voice)
        return voice if own is None else _speaker(own, engine, model=model, realtime=realtime)

    async def id(self, voice: str, engine: Engine, *, model: str | None, realtime: bool) -> str:
        """As :meth:`find`; what has to be made first is made now, on the machine always, else where that was allowed.

        Raises:
            EngineError: It had to be made, and could not be.
        """
        own = self._own(voice)
        if own is None:
            return voice
        found = _speaker(own, engine, model=model, realtime=realtime)
        if found is None:
            found = await self._made(own, engine, model=model, realtime=realtime)
        self.book.note_use(own)
        return found

    def _own(self, voice: str) -> OwnVoice | None:
        """The voice of the book that a name stands for.

        Raises:
            VoiceError: It stands for none, but nearly.
        """
        if not isinstance(voice, str) or catalogue.knows(voice) or catalogue.custom_family(voice):
            return None
        own = self.book.find(voice)
        if own is None:
            self._suggest(voice)
        return own

    async def _made(self, own: OwnVoice, engine: Engine, *, model: str | None, realtime: bool) -> str:
        from lineread.voices import making  # noqa: PLC0415 - as above

        enroller = engine.enroller()
        assert enroller is not None  # without one, the voice has been refused
        if enroller.engine == "dashscope" and not own.extend:
            raise making.not_made(own, enroller, realtime=realtime)
        await _sync.on_event_loop()
        wanted = making.Wanted(model, http=not realtime, realtime=realtime)
        return (await making.Maker(enroller, self.book).extend(own.name, wanted)).id.voice

    def _suggest(self, name: str) -> None:
        """Refuse a name that is nearly that of a voice of the book.

        Raises:
            VoiceError: It is.
            ConfigError: The book cannot be read.
        """
        own = [voice.name for voice in self.book.voices()]
        if own and catalogue.suggestion(name, own, ""):
            hint = catalogue.suggestion(name, [*own, *catalogue.load().voices], "`lineread voices` lists all.")
            raise VoiceError(f"There is no voice {name!r}.", remedy=hint)


def _speaker(own: OwnVoice, engine: Engine, *, model: str | None, realtime: bool) -> str | None:
    """The id by which an engine speaks a voice; see :func:`lineread.voices.making.speaker`."""
    from lineread.voices import making  # noqa: PLC0415 - system voices need none of it

    found = making.speaker(own, engine.enroller(), model=model, realtime=realtime)
    return None if found is None else found.voice
