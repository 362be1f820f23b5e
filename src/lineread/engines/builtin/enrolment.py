"""Who makes voices on this machine.

Owns the way of an order: read and measured or understood, set and levelled, kept. All work is done on the engine's
threads, in pieces that give way to whatever somebody waits to hear; nothing heavy is imported before there is some.
"""

from __future__ import annotations

import asyncio
import io
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from lineread import catalogue, text
from lineread.engines.builtin import cast, refusing
from lineread.engines.builtin.made import Made, not_found
from lineread.engines.enroller import Enroller
from lineread.enrolment import FAMILIES, Enrolled, Page, Preview, check_name
from lineread.errors import ConfigError, TextError, VoiceError
from lineread.speech import SAMPLE_RATE, SAMPLE_WIDTH, Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lineread.audio.traits import Traits
    from lineread.engines.builtin import Builtin
    from lineread.engines.builtin.cast import StandIn
    from lineread.engines.builtin.made import MadeVoices
    from lineread.engines.builtin.speaker import Speaker
    from lineread.enrolment import Clone, Design, Kind

#: What a preview says where the machine cannot say what was asked for.
STAND_IN_PREVIEW: Final = "Hello, this is how I sound. I hope that you like my voice."
#: Most characters that are spoken at once; a longer sentence loses its melody.
_MOST_CHARACTERS: Final = 300
#: What the service calls the formats that lineread calls otherwise.
_FORMATS: Final = {"opus": "ogg"}


class Machine(Enroller):
    """Makes voices of the machine's own, and keeps them in files.

    Args:
        made: Where they are kept.
        engine: The engine that speaks them.
    """

    engine = "builtin"
    place = "machine"
    account = ""

    def __init__(self, made: MadeVoices, engine: Builtin) -> None:
        self._made = made
        self._engine = engine

    def lacks(self, voice: str) -> bool:
        """As its base."""
        return not self._made.has(voice)

    async def clone(self, order: Clone) -> Enrolled:
        """As its base. The sample is measured, and the machine's own voice is brought near to it.

        Raises:
            RequestError: The sample cannot be read, or nobody is heard to speak in it.
            EngineError: The machine's voice failed.
            ConfigError: The voice cannot be kept.
        """
        from lineread.engines.builtin.likeness import likeness  # noqa: PLC0415 - for making voices only

        name = check_name(order.name)
        sample = await self._engine.aside(lambda _: _measured(order.audio))
        found = await likeness(sample, lambda person: self._engine.aside(partial(_heard, person=person)))
        person = await self._engine.aside(partial(_levelled, person=found.settings))
        made = Enrolled("", "clone", order.target_model, language=order.language or "", reasons=found.reasons)
        return await self._kept(name, made, person)

    async def design(self, order: Design) -> Enrolled:
        """As its base.

        Where the machine cannot say the preview's text, its preview says something else, and the reasons say so.

        Raises:
            RequestError: The order is wrong.
            EngineError: The machine's voice failed.
            ConfigError: The voice cannot be kept.
        """
        from lineread.engines.builtin.designing import design  # noqa: PLC0415 - for making voices only

        name = check_name(order.name)
        designed = await asyncio.to_thread(design, order.prompt)  # it reads its data
        person = await self._engine.aside(partial(_levelled, person=designed.settings))
        words, reasons = await asyncio.to_thread(_words, order)  # it may read the lexicon
        audio = await self._engine.aside(partial(_preview, person=person, words=words, order=order))
        made = Enrolled(
            "",
            "design",
            order.target_model,
            language=order.language or "",
            prompt=order.prompt,
            preview_text=words if reasons else order.preview_text,
            preview=Preview(audio, order.sample_rate, order.format),
            reasons=(*designed.reasons, *reasons),
        )
        return await self._kept(name, made, person)

    async def page(self, kind: Kind, *, index: int = 0, size: int = 10) -> Page:
        """As its base. A voice whose file is damaged is among them, and says so as its reason."""
        return await asyncio.to_thread(self._page, kind, index, size)

    async def find(self, kind: Kind, voice: str) -> Enrolled:
        """As its base.

        Raises:
            VoiceError: There is none of that kind and id.
            ConfigError: Its file is damaged.
        """
        _check_kind(kind, voice)
        return _enrolled(kind, await asyncio.to_thread(self._made.find, voice))

    async def delete(self, kind: Kind, voice: str) -> None:
        """As its base."""
        _check_kind(kind, voice)
        await asyncio.to_thread(self._made.remove, voice)

    async def _kept(self, name: str, voice: Enrolled, person: StandIn) -> Enrolled:
        """A voice with its settings, its id and its time, once it is on the disk."""
        facts = (voice.language, voice.prompt, voice.preview_text)
        record = Made("", voice.target_model, "", *facts, asdict(person), voice.reasons)
        kept = await asyncio.to_thread(self._made.add, FAMILIES[voice.kind], name, record)
        return replace(_enrolled(voice.kind, kept), preview=voice.preview)

    def _page(self, kind: Kind, index: int, size: int) -> Page:
        ids = self._made.ids(FAMILIES[kind])
        voices = [self._listed(kind, each) for each in ids[index * size : (index + 1) * size]]
        return Page(tuple(each for each in voices if each is not None), index, size, len(ids))

    def _listed(self, kind: Kind, voice: str) -> Enrolled | None:
        """A voice of a list; None if it has been deleted meanwhile."""
        try:
            return _enrolled(kind, self._made.find(voice))
        except VoiceError:
            return None
        except ConfigError as error:
            return Enrolled(voice, kind, "", fidelity="approximate", reasons=(str(error),))


def _check_kind(kind: Kind, voice: str) -> None:
    """Refuse the id of a voice that was not made that way.

    Raises:
        VoiceError: It is one.
    """
    if catalogue.custom_family(voice) != FAMILIES[kind]:
        raise not_found(voice)


def _enrolled(kind: Kind, made: Made) -> Enrolled:
    """What is written of a voice, as callers know it."""
    return Enrolled(kind=kind, fidelity="approximate", **made._asdict())


def _measured(audio: bytes) -> Traits:
    """What a file of sound is like."""
    from lineread.audio import reading, traits  # noqa: PLC0415 - on a thread: they take a while to import

    sound = reading.read(audio)
    return traits.measure(sound.samples, sound.sample_rate)


def _heard(speaker: Speaker, person: StandIn) -> Traits:
    """What a stand-in sounds like."""
    from lineread.audio import traits  # noqa: PLC0415 - as above
    from lineread.engines.builtin import trial  # noqa: PLC0415 - as above

    return traits.measure(trial.spoken(speaker, person), SAMPLE_RATE)


def _levelled(speaker: Speaker, person: StandIn) -> StandIn:
    """A stand-in at the level of all others."""
    from lineread.engines.builtin import trial  # noqa: PLC0415 - as above

    return trial.levelled(speaker, person)


def _words(order: Design) -> tuple[str, Sequence[str]]:
    """What a preview says, and why it does not say what was asked for."""
    try:
        # The language that comes along is the service's default as often as a choice; the text tells more.
        return refusing.check(order.preview_text, "English" if order.language == "English" else "Auto"), ()
    except TextError as error:
        return STAND_IN_PREVIEW, (f"The preview says something else: {error.message}",)


def _preview(speaker: Speaker, person: StandIn, words: str, order: Design) -> bytes:
    """A file with the words, as a stand-in says them."""
    from lineread.audio.codec import encoder  # noqa: PLC0415 - on a thread: other formats than WAV load libsndfile

    pcm = _said(speaker, person, words)
    if order.sample_rate != SAMPLE_RATE:
        from lineread.audio.resample import Resampled  # noqa: PLC0415 - as above

        pcm = Resampled(SAMPLE_RATE, order.sample_rate).feed(pcm, last=True)
    file = io.BytesIO()
    form = _FORMATS.get(order.format, order.format)
    encoding = encoder(form, file, order.sample_rate, samples=len(pcm) // SAMPLE_WIDTH)
    encoding.write(pcm)
    encoding.close()
    return file.getvalue()


def _said(speaker: Speaker, person: StandIn, words: str) -> bytes:
    """The words as a stand-in says them, a sentence at a time, with the pauses that the punctuation asks for."""
    said = bytearray()
    for start, end, pause in text.split(words, _MOST_CHARACTERS, by_sentence=True):
        piece = words[start:end].strip()
        reading = cast.reading(Request(piece, "preview"), piece, person)
        for stretch in speaker.speak(piece, reading):
            said += stretch.pcm
        said += bytes(round(pause * SAMPLE_RATE) * SAMPLE_WIDTH)
    return bytes(said)
