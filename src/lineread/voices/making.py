"""Making voices of a user's own: sample or description in, an entry of the voice book out.

Owns the order of things: what can be refused is refused before anything is paid for; what was paid for is in the book
before anything else is done, even if nobody waits for it any more; and what is in the book already is not paid for
again. Who makes the voice is an ``Enroller``; how one that costs money is ordered is ``ordering``.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from lineread import _sync, catalogue
from lineread.enrolment import FAMILIES, KINDS, LONGEST_PREVIEW
from lineread.errors import ConfigError, LinereadError, ModelError, OptionError, VoiceError
from lineread.voices.book import busy
from lineread.voices.ordering import SUFFIXES, Ordering, enrol
from lineread.voices.record import Id, OwnVoice, both_consents, check_name, content, file_name, timestamp
from lineread.voices.sample import Sample, load
from lineread.voices.wishes import (
    CloneWish,
    check_consent,
    check_length,
    check_prompt,
    greeting,
    language_of,
    named_after,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from lineread.claims import Claim
    from lineread.engines.enroller import Enroller
    from lineread.enrolment import Enrolled, Kind
    from lineread.voices.book import Book
    from lineread.voices.wishes import DesignWish, Wanted

#: Seconds that one waits for another who makes a voice of the same name, and between looks.
_PATIENCE: Final = 300.0
_LOOK: Final = 0.05
#: Bytes to have free for a preview, and for what is written of a voice.
_PREVIEW_ROOM: Final = 2 << 20
_RECORD_ROOM: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class Made:
    """A voice that is in the book.

    Attributes:
        voice: The voice.
        id: What it is called where it was made first.
        request_id: The service's id of the first call that made some of it now; empty if all was there already.
        paid: How many ids were made now, each at the enroller's price.
        preview: What it sounds like, where that was just made: a WAV file.
        notes: What else there is to say of it.
    """

    voice: OwnVoice
    id: Id
    request_id: str = ""
    paid: int = 0
    preview: bytes = b""
    notes: tuple[str, ...] = ()


class Maker:
    """Makes voices and keeps them in a book.

    Args:
        enroller: Makes them.
        book: Keeps them.
        rehearsal: Makes a likeness on the machine as well, to rehearse with; None for none.
    """

    def __init__(self, enroller: Enroller, book: Book, rehearsal: Enroller | None = None) -> None:
        self._enroller = enroller
        self._book = book
        self._rehearsal = rehearsal
        self._ordering = Ordering(enroller, book)
        self._left: dict[str, asyncio.Task[Any]] = {}

    async def make(self, wish: CloneWish | DesignWish) -> Made:
        """Make a voice, or give the one that was made of the same under that name.

        Raises:
            RequestError: Something of the wish cannot be; nothing was sent anywhere.
            EngineError: It could not be made.
            ConfigError: The book cannot be written to.
        """
        return await (self._clone(wish) if isinstance(wish, CloneWish) else self._design(wish))

    async def extend(self, name: str, wanted: Wanted) -> Made:
        """Make ids of a voice for further models, from what the book keeps of it.

        Raises:
            RequestError: There is no such voice, or nothing to make it from.
            EngineError: It could not be made.
            ConfigError: The book cannot be read or written.
        """
        await _sync.on_event_loop()
        async with self._alone(self._book.get(name).name):
            voice = self._book.get(name)
            asked = replace(voice, extend=voice.extend or wanted.extend)
            return await self._all_made(asked, wanted, self._targets(voice.kind, wanted), self._sample(voice))

    async def all(self) -> list[Enrolled]:
        """All voices that were made where the engine keeps them, in the book or not.

        Raises:
            EngineError: They could not be listed.
        """
        await _sync.on_event_loop()
        return [each for kind in KINDS async for each in self._enroller.every(kind)]

    async def adopt(
        self, voice: str, name: str, consent: str | None = None, *, replacing: bool = False
    ) -> tuple[OwnVoice, tuple[str, ...]]:
        """Give a voice that was made elsewhere, or for an earlier run that did not hear of it, a name in the book.

        Args:
            voice: Its id.
            name: What it shall be called. A voice of that name that is made of the same gets one more id.
            consent: Of a clone, what says that the speaker agrees to it; what was ordered here had it already.
            replacing: It takes the place of another voice of that name.

        Returns:
            The voice, and what there is to say of it.

        Raises:
            RequestError: There is no such voice, or the name is taken, or no consent given.
            EngineError: It could not be looked up.
            ConfigError: The book cannot be written to.
        """
        name = check_name(name)
        kind = _kind(voice)
        if kind is None:
            raise _no_id()
        note = "" if kind == "design" or consent is None else check_consent(consent)
        await _sync.on_event_loop()
        async with self._alone(name):
            self._check_owner(voice, name)
            found = await self._enroller.find(kind, voice)
            ordered = self._ordering.ordered(name, found)
            files: Mapping[str, bytes] = {}
            if ordered is None:
                asked = _unknown(name, found)
                note = "" if kind == "design" else check_consent(consent)
            else:
                asked, files, target = ordered
                found = replace(found, target_model=target)
            own = self._joined(replace(asked, consent=both_consents(asked.consent, note)), found, replacing=replacing)
            own = self._kept(own, self._enroller, found, files)
            if ordered is not None:
                self._ordering.close(own, found.target_model)
            return await self._cleared(own)

    def _check_owner(self, voice: str, name: str) -> None:
        """Refuse an id that stands in the book under another name: who deletes one would delete both.

        Raises:
            OptionError: It does.
        """
        for own in self._book.voices():
            if own.name.casefold() == name.casefold() or all(each.voice != voice for each in own.owed):
                continue
            if any(each.voice == voice for each in own.ids):
                raise OptionError(f"That voice is called {own.name} already.", remedy="Speak with it by that name.")
            raise OptionError(
                f"{own.name} has replaced that voice, which goes the next time that {own.name} is made or deleted.",
                remedy=f"Take it back: lineread voices add {voice} --name {own.name} --replace.",
            )

    def _joined(self, asked: OwnVoice, found: Enrolled, *, replacing: bool) -> OwnVoice:
        """What the book shall say of a voice that is taken in, with the ids that it has there already.

        Raises:
            OptionError: Another voice has the name.
            ConfigError: The book cannot be read or written.
        """
        known = self._book.find(asked.name)
        if known is None:
            return asked
        if any(each.voice == found.voice for each in known.ids):
            own: OwnVoice | None = replace(known, consent=both_consents(known.consent, asked.consent))
        else:
            own = None if self._there(known, found.target_model) else _same(known, asked)
        if own is None and not replacing:
            raise _taken(known, "Choose another name, or replace it: --replace.")
        if own is None:
            return replace(asked, replaced=tuple(each for each in known.owed if each.voice != found.voice))
        if own != known:
            self._book.keep(own)
        return own

    async def discard(self, voice: str) -> None:
        """Delete a voice that is in no book where it was made.

        Args:
            voice: Its id.

        Raises:
            VoiceError: There is none of that id.
            EngineError: It could not be deleted.
        """
        kind = _kind(voice)
        if kind is None:
            raise _no_id()
        await _sync.on_event_loop()
        await self._enroller.delete(kind, voice)

    async def unmake(self, name: str) -> OwnVoice | None:
        """Delete a voice where it was made, and then from the book.

        Where some of it was made by another engine, in another region or for another account, nothing is deleted.

        Args:
            name: The voice's.

        Returns:
            What is left of it; None if nothing is.

        Raises:
            VoiceError: There is no such voice.
            EngineError: It could not be deleted.
            ConfigError: The book cannot be written to.
        """
        await _sync.on_event_loop()
        async with self._alone(self._book.get(name).name):
            voice = self._book.get(name)
            ids = voice.owed
            if not all(map(self._keeper, ids)):
                return voice
            self._book.check_room(_RECORD_ROOM)
            for each in ids:
                await self._unmade(voice, each)
                self._book.drop(voice.name, frozenset([each.voice]))
            return None if ids else self._book.drop(voice.name, frozenset())

    async def _unmade(self, voice: OwnVoice, made: Id) -> None:
        """Delete an id of a voice where it was made. The book still has it.

        Raises:
            EngineError: It could not be deleted.
        """
        keeper = self._keeper(made)
        assert keeper is not None  # others are left alone
        with suppress(VoiceError):  # it is gone already
            await keeper.delete(_kind(made.voice) or voice.kind, made.voice)

    def _keeper(self, made: Id) -> Enroller | None:
        """Whoever keeps a voice, if we may speak to it."""
        place = made.engine, made.place, made.account
        known = filter(None, (self._enroller, self._rehearsal))
        return next((each for each in known if (each.engine, each.place, each.account) == place), None)

    async def restore(self, name: str) -> None:
        """Make anew what the book says was made here and is not here: after an import from another machine, say.

        Raises:
            RequestError: There is no such voice, or nothing left to make it from.
            EngineError: It could not be made.
            ConfigError: The book cannot be read or written.
        """
        await _sync.on_event_loop()
        async with self._alone(self._book.get(name).name):
            voice = self._book.get(name)
            lost = [each for each in voice.ids if self._keeper(each) is self._enroller]
            lost = [each for each in lost if await self._is_lost(voice, each)]
            for each in lost:  # the new id takes the old one's place once it is there
                voice = (await self._one_made(voice, voice, self._sample(voice), each.target_model))[1]

    async def _is_lost(self, voice: OwnVoice, made: Id) -> bool:
        try:
            await self._enroller.find(voice.kind, made.voice)
        except VoiceError:
            return True
        return False

    async def _clone(self, wish: CloneWish) -> Made:
        consent = check_consent(wish.consent)
        name = None if wish.name is None else check_name(wish.name)
        language = language_of(wish.language_type, wish.transcript)
        await _sync.on_event_loop()
        sample = wish.sample if isinstance(wish.sample, Sample) else await asyncio.to_thread(load, wish.sample)
        asked = OwnVoice(
            name or named_after(sample.audio),
            "clone",
            timestamp(time.time()),
            consent=consent,
            transcript=(wish.transcript or "").strip(),
            language=language,
            sample=file_name("sample", sample.audio, SUFFIXES[sample.media_type]),
            sample_sha256=sample.sha256,
            extend=wish.wanted.extend,
        )
        made = await self._made(asked, wish.wanted, sample.audio)
        return replace(made, notes=(*sample.findings, *made.notes))

    async def _design(self, wish: DesignWish) -> Made:
        prompt = check_prompt(wish.prompt)
        words = check_length(
            "The preview's text", wish.preview_text or greeting(wish.language_type, prompt), LONGEST_PREVIEW
        )
        asked = OwnVoice(
            named_after(prompt.encode()) if wish.name is None else check_name(wish.name),
            "design",
            timestamp(time.time()),
            prompt=prompt,
            preview_text=words,
            language=language_of(wish.language_type, words),
            extend=wish.wanted.extend,
        )
        await _sync.on_event_loop()
        return await self._made(asked, wish.wanted, b"")

    async def _made(self, asked: OwnVoice, wanted: Wanted, sample: bytes) -> Made:
        """The voice with all ids that are wanted; those that it has are not made again."""
        targets = self._targets(asked.kind, wanted)
        async with self._alone(asked.name):
            return await self._all_made(asked, wanted, targets, sample)

    @asynccontextmanager
    async def _alone(self, name: str) -> AsyncIterator[None]:
        """Nobody else makes or changes the voice of that name meanwhile: nothing is paid for twice, or lost.

        Raises:
            ConfigError: The book cannot be written to, or somebody does not let go of it.
        """
        right = await self._right(name)
        try:
            yield
        finally:
            work = self._left.pop(name, None)
            if work is None or work.done():
                right.release()
            else:
                work.add_done_callback(lambda _: right.release())

    async def _right(self, name: str) -> Claim:
        for _ in range(round(_PATIENCE / _LOOK)):
            if (right := self._book.claim(name)) is not None:
                return right
            await asyncio.sleep(_LOOK)
        raise busy(name)

    async def _all_made(self, asked: OwnVoice, wanted: Wanted, targets: Sequence[str], sample: bytes) -> Made:
        known = self._known(asked, wanted)
        same = _same(known, asked)
        voice = same or replace(asked, replaced=() if known is None else known.owed)
        news = []
        if same is not None and known is not None and same != known:
            self._book.keep(same)
            if same.consent != known.consent:
                news.append("What was said of consent now is kept beside what was said before.")
        voice, taken = await self._taken_over(voice, asked, sample, targets)
        news += taken
        missing = [target for target in targets if self._there(voice, target) is None]
        self._enroller.check_budget(asked.kind, len(missing))
        paid: list[Enrolled] = []
        for target in missing:
            try:
                enrolled, voice = await self._one_made(voice, asked, sample, target)
            except LinereadError as error:
                if paid:
                    await self._rehearsed(voice, asked, sample)
                    _tell_of(error, voice)
                raise
            paid.append(enrolled)
            news += _notes(enrolled)
        voice, notes = await self._rehearsed(voice, asked, sample)
        voice, left = await self._cleared(voice)
        first = self._there(voice, targets[0])
        assert first is not None  # it was there, or has been made
        return Made(
            voice,
            first,
            next((each.request_id for each in paid if each.request_id), ""),
            len(paid),
            next(map(_preview, paid), b"") or self._kept_preview(voice),
            (*news, *notes, *left),
        )

    async def _taken_over(
        self, voice: OwnVoice, asked: OwnVoice, sample: bytes, targets: Sequence[str]
    ) -> tuple[OwnVoice, list[str]]:
        """The voice with what an earlier run has ordered of it and not heard of, and what there is to say of that.

        Raises:
            VoiceError: There is a voice that may be it.
            EngineError: It cannot be looked up.
        """
        news = []
        replaced = frozenset(each.voice for each in voice.replaced)
        for target in targets:
            if self._there(voice, target) is not None:
                continue
            found = await self._ordering.found(asked, target, replaced)
            if found is not None:
                voice = self._kept(voice, self._enroller, found, _files(voice, sample))
                self._ordering.close(asked, target)
                news.append(f"An earlier run has had {found.voice} made; it is not paid for again.")
        return voice, news

    async def _one_made(
        self, voice: OwnVoice, asked: OwnVoice, sample: bytes, target: str
    ) -> tuple[Enrolled, OwnVoice]:
        """A voice with one more id, which is in the book even if the caller is cancelled: it is paid for.

        Who is cancelled stays until then. Who is cancelled once more leaves at once; the voice still is made and kept,
        and nobody else makes one of that name before.

        Args:
            voice: The voice as it is in the book; without ids if it is not.
            asked: What it is to be made of.
            sample: Its sample, if it has one.
            target: The model that shall speak it.

        Returns:
            What was made, and the voice with it.
        """
        self._book.check_room(len(sample) + _PREVIEW_ROOM)
        files = _files(voice, sample)
        making = self._ordering.made(asked, sample, target, lambda made: self._kept(voice, self._enroller, made, files))
        task = asyncio.create_task(making)
        _sync.see_to_end(task, f"the voice {asked.name} is still being made, and kept. Interrupt again to give it up.")
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.add_done_callback(_unheard)
            self._left[asked.name] = task
            await asyncio.wait([task])
            raise
        return task.result()

    async def _cleared(self, voice: OwnVoice) -> tuple[OwnVoice, tuple[str, ...]]:
        """Delete what a voice has replaced where it was made. What cannot be deleted is told, and stays noted."""
        notes = []
        for each in filter(self._keeper, voice.replaced):
            try:
                await self._unmade(voice, each)
            except LinereadError as error:
                notes.append(f"The voice that it replaces is still there as {each.voice}: {error.message}")
                continue
            try:
                voice = self._book.drop(voice.name, frozenset([each.voice])) or voice
            except LinereadError as error:
                notes.append(f"The voice that it replaces is deleted, and still stands in the book: {error.message}")
        return voice, tuple(notes)

    def _targets(self, kind: Kind, wanted: Wanted) -> Sequence[str]:
        if wanted.model is not None:
            with suppress(ModelError):
                return [self._enroller.target(kind, model=wanted.model, realtime=True)]
            return [self._enroller.target(kind, model=wanted.model, realtime=False)]
        targets = [self._enroller.target(kind, realtime=realtime) for realtime in wanted.transports]
        if not targets:
            raise OptionError("The voice is made for nothing.", remedy="Ask for HTTP, for live sessions, or for both.")
        return targets

    def _known(self, asked: OwnVoice, wanted: Wanted) -> OwnVoice | None:
        """The voice that has the name already; None where there is none, or a damaged one that is replaced.

        Raises:
            OptionError: It is another one, and not to be replaced.
            ConfigError: It cannot be read, and is not to be replaced.
        """
        try:
            known = self._book.find(asked.name)
        except ConfigError:
            if not wanted.replace:
                raise
            return None
        if known is not None and _same(known, asked) is None and not wanted.replace:
            raise _taken(known, "Choose another name, or replace it: replace=True, on the command line --replace.")
        return known

    def _there(self, voice: OwnVoice, target: str) -> Id | None:
        at = self._enroller
        return voice.id_for(engine=at.engine, place=at.place, account=at.account, model=target, realtime=False)

    def _kept(self, voice: OwnVoice, enroller: Enroller, enrolled: Enrolled, files: Mapping[str, bytes]) -> OwnVoice:
        """The voice with what was made, which is in the book from now on."""
        made = Id(
            enrolled.voice,
            enroller.engine,
            enroller.place,
            enroller.account,
            enrolled.target_model,
            enrolled.created or timestamp(time.time()),
            enrolled.fidelity,
            enrolled.settings,
            enrolled.reasons,
        )
        facts: dict[str, str] = {}
        preview = _preview(enrolled)
        if preview and enroller is self._enroller:
            facts["preview"] = file_name("preview", preview, "wav")
            facts["preview_text"] = enrolled.preview_text or voice.preview_text
            files = {**files, facts["preview"]: preview}
        if voice.ids:  # it is in the book
            return self._book.extend(voice.name, made, files, **facts)
        voice = replace(voice.with_id(made), **facts)  # type: ignore[arg-type]
        self._book.keep(voice, files)
        return voice

    def _sample(self, voice: OwnVoice) -> bytes:
        return self._book.read(voice, voice.sample) if voice.kind == "clone" else b""

    def _kept_preview(self, voice: OwnVoice) -> bytes:
        with suppress(VoiceError):
            return self._book.read(voice, voice.preview) if voice.preview else b""
        return b""

    async def _rehearsed(self, voice: OwnVoice, asked: OwnVoice, sample: bytes) -> tuple[OwnVoice, tuple[str, ...]]:
        """The voice with a likeness on the machine, where there can be one. It is a present: it may fail."""
        machine = self._rehearsal
        if machine is None or any(each.engine == machine.engine for each in voice.ids):
            return voice, ()
        try:
            enrolled = await enrol(machine, asked, sample, machine.target(asked.kind))
            return self._kept(voice, machine, enrolled, {}), ()
        except Exception as error:  # noqa: BLE001 - the voice that was asked for is made; this one is extra
            return voice, (f"No likeness for rehearsing without the cloud could be made: {error}",)


def _same(known: OwnVoice | None, asked: OwnVoice) -> OwnVoice | None:
    """The voice that is known, with what was asked for now, if both are made of the same."""
    if known is None or content(known) != content(asked):
        return None
    return replace(known, extend=known.extend or asked.extend, consent=both_consents(known.consent, asked.consent))


def _taken(known: OwnVoice, remedy: str) -> OptionError:
    return OptionError(
        f"There is a voice called {known.name} already, made of something else.",
        remedy=remedy,
        code="voice_name_taken",
    )


def _kind(voice: str) -> Kind | None:
    """How a voice was made, as its id says; None where it does not."""
    family = catalogue.custom_family(voice)
    return next((kind for kind, letters in FAMILIES.items() if letters == family), None)


def _unknown(name: str, found: Enrolled) -> OwnVoice:
    """What is known of a voice that was made elsewhere."""
    return OwnVoice(
        name,
        found.kind,
        timestamp(time.time()),
        prompt=found.prompt,
        preview_text=found.preview_text,
        language=found.language,
    )


def _no_id() -> VoiceError:
    return VoiceError(
        "That is no id of a voice that was made.", remedy="It looks like qwen-tts-vc-narrator-voice-2026..."
    )


def _unheard(task: asyncio.Task[Any]) -> None:
    """Take note of how work ended that nobody waits for any more."""
    if not task.cancelled():
        task.exception()


def _tell_of(error: LinereadError, voice: OwnVoice) -> None:
    """An error in the middle says what is made already."""
    models = ", ".join(each.target_model for each in voice.ids if each.engine == "dashscope")
    error.message += f" {voice.name} is made for {models}, and kept."
    error.args = (error.message,)
    error.remedy = f"{error.remedy} Then ask for the same again: only what is missing is made.".strip()


def _preview(enrolled: Enrolled) -> bytes:
    preview = enrolled.preview
    return preview.audio if preview is not None and preview.format == "wav" else b""


def _notes(enrolled: Enrolled) -> tuple[str, ...]:
    if not enrolled.fallback_reason:
        return ()
    return (f"The service made the voice of the whole sample: {enrolled.fallback_reason}.",)


def _files(voice: OwnVoice, sample: bytes) -> dict[str, bytes]:
    return {voice.sample: sample} if sample else {}
