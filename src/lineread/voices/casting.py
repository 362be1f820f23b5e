"""Which id a voice's name stands for, when something is to be spoken.

Owns the way from a name of the voice book to an id that the engine in use can speak; where the voice has none yet and
may get one, it is made. Names of system voices and ids pass as they are, without a look into the book: a stored line
waits for nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from lineread import _sync, catalogue
from lineread.errors import ModelError, VoiceError

if TYPE_CHECKING:
    from lineread.engines.base import Engine
    from lineread.engines.enroller import Enroller
    from lineread.voices.book import Book
    from lineread.voices.record import Id, OwnVoice


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
        if own is None:
            return voice
        found = speaker(own, engine.enroller(), model=model, realtime=realtime)
        return None if found is None else found.voice

    async def id(self, voice: str, engine: Engine, *, model: str | None, realtime: bool) -> str:
        """As :meth:`find`; what has to be made first is made now, on the machine always, else where that was allowed.

        Raises:
            EngineError: It had to be made, and could not be.
        """
        own = self._own(voice)
        if own is None:
            return voice
        enroller = engine.enroller()
        found = speaker(own, enroller, model=model, realtime=realtime)
        if found is None or (enroller is not None and enroller.lacks(found.voice)):
            found = await self._made(own, engine, model=model, realtime=realtime)
        self.book.note_use(own)
        return found.voice

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

    async def _made(self, own: OwnVoice, engine: Engine, *, model: str | None, realtime: bool) -> Id:
        from lineread.voices.making import Maker  # noqa: PLC0415 - asyncio: a voice that is there needs none of it
        from lineread.voices.wishes import Wanted  # noqa: PLC0415 - as above

        enroller = engine.enroller()
        assert enroller is not None  # without one, the voice has been refused
        if enroller.engine == "dashscope" and not own.extend:
            raise _not_made(own, enroller, realtime=realtime)
        await _sync.on_event_loop()
        maker = Maker(enroller, self.book)
        if any(map(enroller.lacks, (each.voice for each in own.ids if each.engine == enroller.engine))):
            await maker.restore(own.name)  # only the book was brought along from another machine
        return (await maker.extend(own.name, Wanted(model, http=not realtime, realtime=realtime))).id

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


def speaker(own: OwnVoice, enroller: Enroller | None, *, model: str | None, realtime: bool) -> Id | None:
    """The id by which a voice is asked to speak; None if it has none for that and may not get one.

    Args:
        own: The voice.
        enroller: Whoever keeps the voices of the engine that is to speak.
        model: The model that was asked for.
        realtime: It is to speak in a live session.

    Raises:
        VoiceError: It cannot speak there, or with that model.
        ModelError: There is no such model, or it does not speak that way.
    """
    if enroller is None:
        raise VoiceError(
            f"{own.name} is a voice of your own, and this engine has only those that it has.",
            remedy="Choose the engine dashscope or builtin.",
            code="not_here",
        )
    target = None
    if model is not None:
        try:
            target = enroller.target(own.kind, model=model, realtime=realtime)
        except ModelError as error:
            if error.code != "model_not_custom":  # it is misspelt, or speaks otherwise, which is what the error says
                raise
            raise VoiceError(
                f"{own.name} cannot speak with {model}: it was made by {_MADE_BY[own.kind]}.",
                remedy=f"Use its own model, {enroller.target(own.kind, realtime=realtime)}.",
                code="voice_not_in_model",
            ) from error
    place = {"engine": enroller.engine, "place": enroller.place, "account": enroller.account}
    return own.id_for(**place, model=target, realtime=realtime)


def _not_made(own: OwnVoice, enroller: Enroller, *, realtime: bool) -> VoiceError:
    """Why a voice cannot speak: it was not made for that."""
    what = "live sessions" if realtime else "speech over HTTP"
    elsewhere = [each for each in own.ids if each.engine == enroller.engine]
    where = f"in {enroller.place}" if enroller.engine == "dashscope" else "on this machine"
    if elsewhere and all((each.place, each.account) != (enroller.place, enroller.account) for each in elsewhere):
        why = f"{own.name} belongs to another account or region ({', '.join({each.place for each in elsewhere})})."
    else:
        why = f"{own.name} was not made for {what} {where}."
    option = " --realtime" if realtime else ""
    return VoiceError(why, remedy=f"Make it now: lineread voices extend {own.name}{option}.", code="voice_not_made")


_MADE_BY: Final = {"clone": "cloning", "design": "design"}
