"""Voices of clients' own: made, listed, found and deleted by the engine's enroller, each for its own key.

Owns whose voices a client gets to see, and what making one takes: a seat, room among the key's voices, a recording that
is there and good. Where the server has keys, its own record says which voices a key has; the engine is asked about
those only. Without keys everybody on this machine is one, and has whatever the engine has.

A voice that is being made is made to its end and belongs to its key, also when the client leaves meanwhile: it is paid
for, and in the list. A description's preview is spoken for nothing else; it counts for the key's day as speech does.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar
from weakref import WeakValueDictionary

from lineread import catalogue
from lineread.enrolment import FAMILIES, KINDS, Clone, Enrolled
from lineread.errors import LinereadError, ModelError, OptionError, OutputError, TextError, VoiceError, shortened
from lineread.server.access.limits import Seats
from lineread.server.fetching import Fetcher, not_fetched
from lineread.speech import billed_characters
from lineread.wire.customization import LONGEST_SAMPLE, kind_of
from lineread.wire.customization_server import MEDIA_TYPES

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Mapping

    from lineread.engines.enroller import Enroller
    from lineread.enrolment import Design, Kind, Page
    from lineread.server.access.keys import Key
    from lineread.server.access.owners import Named, Place
    from lineread.server.desk import Desk
    from lineread.server.sight.visit import Visit

T = TypeVar("T")

#: Seconds that voices which nobody waits for any more get to be finished when the server stops.
_LAST: Final = 5.0
_NOT_THERE: Final = "voice_not_found"
#: What files are, by their first bytes; all others are MP4, which begins with a length.
_MAGIC: Final = ((b"RIFF", "audio/wav"), (b"ID3", "audio/mpeg"), (b"\xff", "audio/mpeg"))


class Enrolling:
    """Makes and keeps the voices of one server's clients.

    Args:
        desk: Has the engine, the keys and the counts.
        fetcher: Fetches recordings; None takes one that connects to public addresses only.
    """

    def __init__(self, desk: Desk, fetcher: Fetcher | None = None) -> None:
        options = desk.options
        self._desk = desk
        self._fetcher = fetcher or Fetcher(most=LONGEST_SAMPLE, seconds=options.fetch_timeout)
        self._seats = Seats(options.max_making)
        self._making: set[asyncio.Task[Any]] = set()
        self._names: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def make(self, visit: Visit, order: Clone | Design, *, url: str | None = None) -> Enrolled:
        """Have a voice made.

        Args:
            visit: The record of the HTTP request; it says whose key was shown.
            order: What it is made of.
            url: Where the recording is, if the order has none.

        Raises:
            LinereadError: It cannot be done as asked, or not now.
        """
        return await self._to_its_end(self._make(visit, order, url))

    async def make_named(self, visit: Visit, key: Key, order: Clone | Design, consent: str) -> tuple[Enrolled, bool]:
        """Have a voice made that its key may call by the order's name; one that was made of the same is there already.

        Args:
            visit: The record of the HTTP request.
            key: Whose voice it is.
            order: What it is made of.
            consent: What says that the speaker agrees to a clone; kept with the voice.

        Returns:
            The voice, and whether it was made now.

        Raises:
            LinereadError: It cannot be done as asked, or not now, or the name is taken.
        """
        return await self._to_its_end(self._make_named(visit, key, order, consent))

    async def named(self, key: Key) -> dict[str, Named]:
        """The voices that a key may call by names, by these in lower case."""
        return await asyncio.to_thread(self._desk.owners.named, key.name)

    async def _to_its_end(self, making: Coroutine[Any, Any, T]) -> T:
        """What is made, which nobody cancels: it is paid for."""
        task = asyncio.create_task(making)
        self._making.add(task)
        task.add_done_callback(self._making.discard)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.add_done_callback(_unheard)
            raise
        return task.result()

    async def page(self, visit: Visit, kind: Kind, *, index: int, size: int) -> Page:
        """Some of the client's voices that were made that way, the newest first."""
        key = self._desk.admit(visit)
        with self._desk.seat(visit, key):
            if key is None:
                return await self._enroller().page(kind, index=index, size=size)
            return await asyncio.to_thread(self._desk.owners.page, key.name, kind, index=index, size=size)

    async def find(self, visit: Visit, kind: Kind, voice: str) -> Enrolled:
        """What is known of a voice of the client's.

        Raises:
            VoiceError: The client has none of that id (code ``voice_not_found``).
        """
        key = self._desk.admit(visit)
        with self._desk.seat(visit, key), self._own(key, kind, voice):
            return await self._enroller().find(kind, voice)

    async def usable(self, visit: Visit) -> dict[str, Enrolled]:
        """The custom voices that the client may have speak, by the names that it may call them.

        No service is asked. A key has its own and those that it was allowed; without keys there are the names of the
        voice book, and what else was made on this machine; no more of each than a key may have.

        Raises:
            KeyRefused: The client's key is no longer one.
        """
        key = self._desk.key(visit)
        if key is not None:
            return await asyncio.to_thread(self._of_key, key)
        enroller = self._desk.client.engine().enroller()
        if enroller is None:
            return {}
        named = await asyncio.to_thread(self._of_book, enroller)
        if enroller.account:
            return named
        pages = [await enroller.page(kind, index=0, size=self._desk.options.max_voices) for kind in KINDS]
        known = {made.voice for made in named.values()}
        whole = (made for page in pages for made in page.voices if made.target_model)
        return named | {made.voice: made for made in whole if made.voice not in known}

    async def delete(self, visit: Visit, kind: Kind, voice: str) -> None:
        """Delete a voice of the client's for ever.

        Raises:
            VoiceError: The client has none of that id (code ``voice_not_found``).
        """
        key = self._desk.admit(visit)
        with self._desk.seat(visit, key), self._own(key, kind, voice):
            await self._enroller().delete(kind, voice)
            if key is not None:
                self._desk.owners.forget(key.name, kind, voice)

    @contextmanager
    def seat(self, visit: Visit, key: Key | None) -> Iterator[None]:
        """A place among the requests that have a voice made, until the context is left.

        Raises:
            TurnedAway: There is none to have, or not for this key.
        """
        with self._desk.seat(visit, key), self._seats.take(visit.caller, shared=self._desk.shared):
            yield

    async def aclose(self) -> None:
        """Let the voices that are being made be finished, if that is soon."""
        try:
            if self._making:
                _, late = await asyncio.wait(self._making, timeout=_LAST)
                for task in late:
                    task.cancel()
        finally:
            await self._fetcher.aclose()

    async def _make_named(self, visit: Visit, key: Key, order: Clone | Design, consent: str) -> tuple[Enrolled, bool]:
        name, content = order.name.casefold(), _content(order)
        async with self._names.setdefault((key.name, name), asyncio.Lock()):  # the same twice at once is paid for once
            known = (await self.named(key)).get(name)
            if known is None:
                notes = {"name": order.name, "content": content} | ({"consent": consent} if consent else {})
                return await self._make(visit, order, None, notes), True
        if known.content != content:
            raise OptionError(
                f"There is a voice called {known.name} already, made of something else.",
                remedy="Choose another name.",
                code="voice_name_taken",
            )
        return replace(known.made, request_id=""), False

    async def _make(
        self, visit: Visit, order: Clone | Design, url: str | None, notes: Mapping[str, str] | None = None
    ) -> Enrolled:
        desk = self._desk
        key = desk.admit(visit)
        with self.seat(visit, key):
            if key is not None:
                key.allow_making(order.target_model)
            enroller = self._enroller()
            order = replace(order, target_model=_target(enroller, order))
            visit.model, visit.engine = order.target_model, enroller.engine
            if key is None:
                return await _made(enroller, await self._complete(order, url), strict=desk.options.strict)
            place = await asyncio.to_thread(desk.owners.take, key.name)
            try:
                with self._counted(key, order):
                    made = await _made(enroller, await self._complete(order, url), strict=desk.options.strict)
                    return await self._kept(enroller, place, made, notes or {})
            finally:
                await asyncio.to_thread(desk.owners.give_back, place)

    async def _kept(self, enroller: Enroller, place: Place, made: Enrolled, notes: Mapping[str, str]) -> Enrolled:
        """The voice, once it is written down whose it is. One that cannot be written down is nobody's, and goes."""
        made = replace(made, created=made.created or datetime.now(UTC).isoformat(timespec="seconds"))
        try:
            await asyncio.to_thread(self._desk.owners.keep, place, made, notes)
        except OutputError:
            with suppress(LinereadError):
                await enroller.delete(made.kind, made.voice)
            raise
        return made

    async def _complete(self, order: Clone | Design, url: str | None) -> Clone | Design:
        """An order with its recording, if it needs one."""
        if not isinstance(order, Clone):
            return order
        if url is not None:
            if not self._desk.options.fetch_audio:
                raise not_fetched("This server fetches no audio.")
            found = await self._fetcher.fetch(url)
            order = replace(order, audio=found.data, media_type=_media_type(found.data, found.media_type))
        return await asyncio.to_thread(_checked, order)

    def _of_key(self, key: Key) -> dict[str, Enrolled]:
        """A key's own voices, and those that whoever runs the server allowed it."""
        desk = self._desk
        pages = [desk.owners.page(key.name, kind, index=0, size=desk.options.max_voices) for kind in KINDS]
        allowed = {each: catalogue.custom_family(each) for each in desk.options.shared_voices | (key.voices or set())}
        found = {
            each: Enrolled(each, kind, "")
            for each, family in sorted(allowed.items())
            for kind in KINDS
            if FAMILIES[kind] == family
        }
        found |= {made.voice: made for page in pages for made in page.voices}
        return {name: made for name, made in found.items() if key.voices is None or name in key.voices}

    def _of_book(self, enroller: Enroller) -> dict[str, Enrolled]:
        """The voices of the voice book that this engine speaks."""
        from lineread.voices import casting  # noqa: PLC0415 - the book's: most servers have none

        found = {}
        for own in self._desk.client.casting.book.voices()[: self._desk.options.max_voices]:
            made = casting.speaker(own, enroller, model=None, realtime=False)
            if made is not None:
                found[own.name] = Enrolled(made.voice, own.kind, made.target_model, prompt=own.prompt)
            elif own.extend or enroller.engine != "dashscope":  # it is made when it is asked for
                found[own.name] = Enrolled(own.name, own.kind, "", prompt=own.prompt)
        return found

    def _enroller(self) -> Enroller:
        """What makes voices here.

        Raises:
            ModelError: Nothing does.
        """
        engine = self._desk.client.engine()
        enroller = engine.enroller()
        if enroller is None:
            raise ModelError(
                f"The {engine.name} engine of this server makes no voices.",
                remedy="Whoever runs the server can start it with --engine dashscope or --engine builtin.",
                code="no_enrolment",
            )
        return enroller

    @contextmanager
    def _own(self, key: Key | None, kind: Kind, voice: str) -> Iterator[None]:
        """Do something with a voice that is the key's, and forget it if the engine no longer has it."""
        owners = self._desk.owners
        if key is not None and not owners.holds(key.name, kind, voice):
            raise _not_there(voice)
        try:
            yield
        except VoiceError as error:
            if error.code != _NOT_THERE:
                raise
            if key is not None:
                owners.forget(key.name, kind, voice)
            raise _not_there(voice) from None

    @contextmanager
    def _counted(self, key: Key, order: Clone | Design) -> Iterator[None]:
        """Count a preview's characters for the key's day, if that has a limit; not those of one that fails."""
        if key.characters_per_day is None or isinstance(order, Clone):
            yield
            return
        ledger = self._desk.ledger
        entry = ledger.take(key.name, billed_characters(order.preview_text), key.characters_per_day)
        try:
            yield
        except BaseException:
            ledger.settle(entry, 0)
            raise


async def _made(enroller: Enroller, order: Clone | Design, *, strict: bool) -> Enrolled:
    """The voice, made; where clients are held to the documents, with the very preview that was asked for.

    Raises:
        TextError: Its preview says something else; the voice is gone again.
    """
    if isinstance(order, Clone):
        return await enroller.clone(order)
    made = await enroller.design(order)
    if strict and made.preview_text != order.preview_text:
        with suppress(LinereadError):
            await enroller.delete(made.kind, made.voice)
        raise TextError("No voice here speaks the preview's text.", code="language_unsupported")
    return made


def _target(enroller: Enroller, order: Clone | Design) -> str:
    """The model that shall speak the voice, if it is one for voices that are made so."""
    known = catalogue.load().models.get(order.target_model)
    realtime = known is not None and known.transport == "realtime"
    return enroller.target(kind_of(order), model=order.target_model, realtime=realtime)


def _checked(order: Clone) -> Clone:
    """An order with a recording that is good enough to make a voice of, as it will be sent.

    Raises:
        OptionError: It is not.
    """
    from lineread.voices import sample  # noqa: PLC0415 - numpy: most servers make no voices

    found = sample.check(order.audio, order.media_type)
    return replace(order, audio=found.audio, media_type=found.media_type)


def _media_type(data: bytes, said: str) -> str:
    """What a fetched file is. Many hosts say that it is a stream of octets."""
    known = MEDIA_TYPES.get(said)
    return known or next((name for magic, name in _MAGIC if data.startswith(magic)), "audio/mp4")


def _not_there(voice: str) -> VoiceError:
    remedy = "List the voices to see which there are."
    return VoiceError(f"There is no voice {shortened(voice)!r}.", remedy=remedy, code=_NOT_THERE)


def _content(order: Clone | Design) -> str:
    """What a voice is made of, as a hash."""
    made_of = order.audio if isinstance(order, Clone) else order.prompt.encode()
    return hashlib.sha256(kind_of(order).encode() + made_of).hexdigest()


def _unheard(task: asyncio.Task[Any]) -> None:
    """What became of a voice whose client is gone; a bug is reported, all else is nobody's concern."""
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, LinereadError):
        task.get_loop().call_exception_handler({"message": "A voice could not be made.", "exception": error})
