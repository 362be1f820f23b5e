"""Making voices of a user's own: sample or description in, an entry of the voice book out.

Owns the order of things: what can be refused is refused before anything is paid for; what was paid for is in the book
before anything else is done, even if nobody waits for it any more; and what is in the book already is not paid for
again. Who makes the voice is an ``Enroller``.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from lineread import _sync, catalogue
from lineread.enrolment import FAMILIES, IN_DOUBT, KINDS, LONGEST_PREVIEW, Clone, Design
from lineread.errors import ConfigError, LinereadError, ModelError, OptionError, VoiceError
from lineread.voices.book import busy
from lineread.voices.orders import Order
from lineread.voices.record import Id, OwnVoice, check_name, file_name, timestamp
from lineread.voices.sample import Sample, load
from lineread.voices.wishes import (
    LONGEST_CONSENT,
    CloneWish,
    check_consent,
    check_length,
    check_prompt,
    greeting,
    language_of,
    named_after,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from lineread.claims import Claim
    from lineread.engines.enroller import Enroller
    from lineread.enrolment import Enrolled, Kind
    from lineread.voices.book import Book
    from lineread.voices.wishes import DesignWish, Wanted

#: Seconds that one waits for another who makes a voice of the same name, and between looks.
_PATIENCE: Final = 300.0
_LOOK: Final = 0.05
#: Voices of a page when all are listed, and most pages.
_PAGE: Final = 100
_MOST_PAGES: Final = 20
#: Samples a second of a preview, and bytes to have free for one and what is written of the voice.
_PREVIEW_RATE: Final = 24_000
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


@dataclass(frozen=True, slots=True)
class _Ordered:
    """A voice with one more id.

    Attributes:
        voice: The voice, in the book.
        enrolled: What was made of it.
        notes: What else there is to say.
        is_new: It was made, and paid for, now.
    """

    voice: OwnVoice
    enrolled: Enrolled
    notes: tuple[str, ...]
    is_new: bool = False


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
        found: list[Enrolled] = []
        for kind in KINDS:
            index = total = 0
            while index == 0 or (index * _PAGE < total and index < _MOST_PAGES):
                page = await self._enroller.page(kind, index=index, size=_PAGE)
                found += page.voices
                total, index = page.total, index + 1
        return found

    async def adopt(self, voice: str, name: str, consent: str | None = None) -> OwnVoice:
        """Give a voice that was made elsewhere a name in the book.

        Args:
            voice: Its id.
            name: What it shall be called.
            consent: Of a clone, what says that the speaker agrees to it.

        Raises:
            RequestError: There is no such voice, or the name is taken, or no consent given.
            EngineError: It could not be looked up.
            ConfigError: The book cannot be written to.
        """
        name = check_name(name)
        kind = _kind(voice)
        if kind is None:
            raise VoiceError(
                "That is no id of a voice that was made.", remedy="It looks like qwen-tts-vc-narrator-voice-2026..."
            )
        note = check_consent(consent) if kind == "clone" else ""
        await _sync.on_event_loop()
        async with self._alone(name):
            owner = self._book.of(voice)
            if owner is not None and owner.name.casefold() != name.casefold():
                raise OptionError(f"That voice is called {owner.name} already.", remedy="Speak with it by that name.")
            known = self._book.find(name)
            if known is not None and not any(each.voice == voice for each in known.ids):
                raise _taken(known, f"Choose another name, or delete it: lineread voices delete {known.name}.")
            found = await self._enroller.find(kind, voice)
            own = known or OwnVoice(
                name,
                kind,
                timestamp(time.time()),
                consent=note,
                prompt=found.prompt,
                preview_text=found.preview_text,
                language=found.language,
            )
            kept = self._kept(own, self._enroller, found, {})
            self._book.close_order(name)
            return kept

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
            ids = (*voice.replaced, *voice.ids)
            if not all(map(self._keeper, ids)):
                return voice
            self._book.check_room(_RECORD_ROOM)
            for each in ids:
                await self._deleted(voice, each)
            return None if ids else self._book.drop(voice.name, frozenset())

    async def _deleted(self, voice: OwnVoice, made: Id) -> OwnVoice | None:
        """What is left of a voice when an id is deleted where it was made, and then from the book; None if nothing is.

        Raises:
            EngineError: It could not be deleted.
            ConfigError: The book cannot be written to.
        """
        keeper = self._keeper(made)
        assert keeper is not None  # others are left alone
        with suppress(VoiceError):  # it is gone already
            await keeper.delete(_kind(made.voice) or voice.kind, made.voice)
        return self._book.drop(voice.name, frozenset([made.voice]))

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
                voice = (await self._one_made(voice, voice, self._sample(voice), each.target_model)).voice

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
            sample=file_name("sample", sample.audio, _SUFFIXES[sample.media_type]),
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
        voice = _same(known, asked)
        if voice is None:
            voice = replace(asked, replaced=() if known is None else (*known.replaced, *known.ids))
        elif voice != known:
            self._book.keep(voice)
        added = known is not None and voice.consent != known.consent and not voice.replaced
        news = ["What was said of consent now is kept beside what was said before."] if added else []
        missing = [target for target in targets if self._there(voice, target) is None]
        self._enroller.check_budget(asked.kind, len(missing))
        made: list[_Ordered] = []
        for target in missing:
            try:
                one = await self._one_made(voice, asked, sample, target, again=wanted.replace)
            except LinereadError as error:
                if made:  # paid for, and in the book
                    await self._rehearsed(voice, asked, sample)
                    _tell_of(error, voice)
                raise
            voice = one.voice
            made.append(one)
            news += one.notes
        voice, notes = await self._rehearsed(voice, asked, sample)
        voice, left = await self._cleared(voice)
        first = self._there(voice, targets[0])
        assert first is not None  # it was there, or has been made
        paid = [one.enrolled for one in made if one.is_new]
        return Made(
            voice,
            first,
            next((each.request_id for each in paid if each.request_id), ""),
            len(paid),
            next(map(_preview, paid), b"") or self._kept_preview(voice),
            (*news, *notes, *left),
        )

    async def _one_made(
        self, voice: OwnVoice, asked: OwnVoice, sample: bytes, target: str, *, again: bool = False
    ) -> _Ordered:
        """A voice with one more id, which is in the book even if the caller is cancelled: it is paid for.

        Who is cancelled stays until then. Who is cancelled once more leaves at once; the voice still is made and kept,
        and nobody else makes one of that name before.

        Args:
            voice: The voice as it is in the book; without ids if it is not.
            asked: What it is to be made of.
            sample: Its sample, if it has one.
            target: The model that shall speak it.
            again: Whether it is made also where an earlier order may have been carried out.
        """
        self._book.check_room(len(sample) + _PREVIEW_ROOM)
        task = asyncio.create_task(self._safe(voice, asked, sample, target, again=again))
        _sync.see_to_end(task, f"the voice {asked.name} is still being made, and kept. Interrupt again to give it up.")
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.add_done_callback(_unheard)
            self._left[asked.name] = task
            await asyncio.wait([task])
            raise
        return task.result()

    async def _safe(self, voice: OwnVoice, asked: OwnVoice, sample: bytes, target: str, *, again: bool) -> _Ordered:
        """As :meth:`_one_made`. A voice that cannot be written down is deleted again; else its id would be lost.

        Raises:
            EngineError: It could not be made.
            ConfigError: The book cannot be written to.
            VoiceError: Somebody has forgotten the voice meanwhile.
        """
        files = {voice.sample: sample} if sample else {}
        lost = None if again else await self._lost(asked, target)
        if lost is not None:
            kept = self._kept(voice, self._enroller, lost, files)
            self._book.close_order(asked.name)
            note = f"An earlier run has had {lost.voice} made; it is not paid for again."
            return _Ordered(kept, lost, (note,))
        enrolled = await self._ordered(asked, sample, target)
        try:
            kept = self._kept(voice, self._enroller, enrolled, files)
        except LinereadError as error:
            try:
                await self._enroller.delete(enrolled.kind, enrolled.voice)
            except LinereadError:
                error.message += f" The voice was made all the same, as {enrolled.voice}."
                error.args = (error.message,)
            raise
        finally:
            self._book.close_order(asked.name)
        return _Ordered(kept, enrolled, _notes(enrolled), is_new=True)

    async def _ordered(self, asked: OwnVoice, sample: bytes, target: str) -> Enrolled:
        """What the enroller makes. Where it is paid for, the order is in the book until its end is known."""
        if not self._enroller.price(asked.kind):
            return await self._enrol(self._enroller, asked, sample, target)
        self._book.open_order(asked.name, self._order(asked, target))
        try:
            return await self._enrol(self._enroller, asked, sample, target)
        except LinereadError as error:
            if error.code == IN_DOUBT:
                error.remedy = "Ask for the same again: whether it was made is looked up before anything is paid for."
            else:
                self._book.close_order(asked.name)
            raise

    def _order(self, asked: OwnVoice, target: str) -> Order:
        return Order.of(asked, self._enroller.place, self._enroller.account, target)

    async def _lost(self, asked: OwnVoice, target: str) -> Enrolled | None:
        """What an earlier run has ordered and not heard of; None where there is nothing of that kind.

        Raises:
            VoiceError: There is a voice that may be it.
            EngineError: It cannot be looked up.
        """
        if self._book.order(asked.name) != self._order(asked, target):
            return None
        listed = (await self._enroller.page(asked.kind, size=_PAGE)).voices
        mark = f"-{asked.name}-voice-".casefold()
        unknown = [
            each
            for each in listed
            if mark in each.voice.casefold() and each.target_model == target and self._book.of(each.voice) is None
        ]
        if asked.kind == "design":  # the service tells what it was made from
            found = [await self._enroller.find(asked.kind, each.voice) for each in unknown]
            return next((each for each in found if each.prompt == asked.prompt), None)
        if not unknown:
            return None
        raise VoiceError(
            f"An earlier run was cut off while {asked.name} was being made, and {unknown[0].voice} may be it.",
            remedy=f"Take that in: lineread voices add {unknown[0].voice} --name {asked.name}. Or have another one "
            "made, and pay for it: --replace (replace=True).",
            code=IN_DOUBT,
        )

    async def _cleared(self, voice: OwnVoice) -> tuple[OwnVoice, tuple[str, ...]]:
        """Delete what a voice has replaced where it was made. What cannot be deleted is told, and stays noted."""
        notes = []
        for each in filter(self._keeper, voice.replaced):
            try:
                voice = await self._deleted(voice, each) or voice
            except LinereadError as error:
                notes.append(f"The voice that it replaces is still there as {each.voice}: {error.message}")
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

    async def _enrol(self, enroller: Enroller, asked: OwnVoice, sample: bytes, target: str) -> Enrolled:
        language = asked.language or None
        if asked.kind == "clone":
            media_type = next(
                (kind for kind, suffix in _SUFFIXES.items() if asked.sample.endswith(suffix)), "audio/wav"
            )
            transcript = asked.transcript or None
            return await enroller.clone(Clone(asked.name, sample, media_type, target, transcript, language))
        return await enroller.design(
            Design(asked.name, asked.prompt, asked.preview_text, target, language, _PREVIEW_RATE)
        )

    def _kept(self, voice: OwnVoice, enroller: Enroller, enrolled: Enrolled, files: dict[str, bytes]) -> OwnVoice:
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
            enrolled = await self._enrol(machine, asked, sample, machine.target(asked.kind))
            return self._kept(voice, machine, enrolled, {}), ()
        except Exception as error:  # noqa: BLE001 - the voice that was asked for is made; this one is extra
            return voice, (f"No likeness for rehearsing without the cloud could be made: {error}",)


def _same(known: OwnVoice | None, asked: OwnVoice) -> OwnVoice | None:
    """The voice that is known, with what was asked for now, if both are made of the same."""
    if known is None:
        return None
    if (known.kind, known.sample_sha256, known.prompt) != (asked.kind, asked.sample_sha256, asked.prompt):
        return None
    return replace(known, extend=known.extend or asked.extend, consent=_both(known.consent, asked.consent))


def _both(known: str, more: str) -> str:
    """A note of consent and what is said now; what was noted once is never lost."""
    both = known if more in known else f"{known}\n{more}"
    return both if len(both) <= LONGEST_CONSENT else known


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


_SUFFIXES: Final = {"audio/wav": "wav", "audio/mpeg": "mp3", "audio/mp4": "m4a"}
