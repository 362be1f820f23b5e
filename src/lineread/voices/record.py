"""A voice of a user's own: what is known of it, and how that is written down.

Owns the record of a voice and its JSON form, what a voice may be called, and how the files are named that a record
names. It reads and writes no files.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from lineread import catalogue, enrolment
from lineread.enrolment import KINDS, Fidelity
from lineread.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lineread.enrolment import Kind

#: What the file is called that a record is written into, beside the files that it names.
RECORD: Final = "voice.json"
#: What a file of a voice's folder may be called, in a record that comes from anywhere.
_FILE: Final = re.compile(r"(?!voice\.json$)[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_VERSION: Final = 1
#: Most characters of a note of consent.
LONGEST_CONSENT: Final = 10_000
#: What taking something for a record raises that is none.
_NONSENSE: Final = (TypeError, KeyError, AttributeError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class Id:
    """What a voice is called where it was made.

    Attributes:
        voice: The id itself, opaque.
        engine: The engine that speaks it.
        place: Where it is kept; see ``engines.enroller``.
        account: A fingerprint of the account.
        target_model: The model that speaks it.
        created: When it was made, in ISO 8601, or as the service says it.
        fidelity: Whether it is the voice itself.
        settings: What the machine's own voice is set to.
        reasons: Why it is set so.
    """

    voice: str
    engine: str
    place: str
    account: str
    target_model: str
    created: str = ""
    fidelity: Fidelity = "exact"
    settings: Mapping[str, float] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()

    @property
    def realtime(self) -> bool:
        """It speaks in live sessions, not over HTTP. The machine's voices do both, whatever model they stand for."""
        model = catalogue.load().models.get(self.target_model)
        return model is not None and model.transport == "realtime"


@dataclass(frozen=True, slots=True)
class OwnVoice:
    """A voice of the user's own.

    Attributes:
        name: What requests may call it.
        kind: How it was made.
        created: When it was first made: UTC, ISO 8601.
        last_used: When it was last asked for, within an hour; empty if never.
        consent: The note of the speaker's consent, of a clone.
        prompt: The description of a design.
        preview_text: What the preview says.
        transcript: The words of the sample, where they were given.
        language: The language of sample or preview, where it was given.
        sample: File name of the sample in the voice's folder; empty without one.
        sample_sha256: The sample's hash, in hexadecimal.
        preview: File name of the preview in the voice's folder; empty without one.
        extend: Ids for further models may be made when they are needed, at the service's price.
        ids: One for each model that it was made for, the newest last.
        replaced: Ids of the voice that had the name before, until they are deleted where they were made.
    """

    name: str
    kind: Kind
    created: str
    last_used: str = ""
    consent: str = ""
    prompt: str = ""
    preview_text: str = ""
    transcript: str = ""
    language: str = ""
    sample: str = ""
    sample_sha256: str = ""
    preview: str = ""
    extend: bool = False
    ids: tuple[Id, ...] = ()
    replaced: tuple[Id, ...] = ()

    @property
    def owed(self) -> tuple[Id, ...]:
        """All ids that stand in the book for it, also of voices that it has replaced: they are there, and count."""
        return *self.replaced, *self.ids

    def id_for(self, *, engine: str, place: str, account: str, model: str | None, realtime: bool) -> Id | None:
        """The id that a model speaks.

        Args:
            engine: The engine that will speak.
            place: Where it keeps its voices.
            account: The fingerprint of the account in use.
            model: The model that was asked for; None takes any that fits.
            realtime: It is for a live session.
        """
        here = [each for each in self.ids if (each.engine, each.place, each.account) == (engine, place, account)]
        if engine != "dashscope":  # the machine's voices speak for any model
            return here[-1] if here else None
        fits = [each for each in here if (each.target_model == model if model else each.realtime == realtime)]
        return fits[-1] if fits else None

    def with_id(self, made: Id) -> OwnVoice:
        """The same voice with one more id; an older one for the same model in the same place is forgotten."""

        def place(each: Id) -> tuple[str, ...]:
            return each.engine, each.place, each.account, each.target_model

        return replace(self, ids=(*(each for each in self.ids if place(each) != place(made)), made))


def both_consents(known: str, more: str) -> str:
    """A note of consent and what is said now; what was noted once is never lost.

    Raises:
        OptionError: They are too long together.
    """
    if known in more:
        return more
    both = known if more in known else f"{known}\n{more}"
    if len(both) > LONGEST_CONSENT:
        raise OptionError(
            f"The notes of consent, that of before and that of now, have {len(both):,} characters together.",
            remedy=f"Say it in fewer words: {LONGEST_CONSENT:,} is the most.",
        )
    return both


def merged(known: OwnVoice, taken: OwnVoice) -> OwnVoice:
    """A voice that is taken in, and takes the place of one of that name: no id that was paid for is forgotten.

    Raises:
        OptionError: What is noted of consent is too long together.
    """
    if content(known) == content(taken):
        consent = both_consents(taken.consent, known.consent)
        both = replace(known, ids=(), replaced=())
        for each in (*known.ids, *taken.ids):  # of two for the same model, that which is taken in speaks
            both = both.with_id(each)
        taken = replace(taken, consent=consent, ids=both.ids)
    mine = {each.voice for each in taken.ids}
    return replace(taken, replaced=tuple(each for each in known.owed if each.voice not in mine))


def check_name(name: str) -> str:
    """A name that a voice of the book may have, without white space around it.

    Raises:
        OptionError: It may not: the service would refuse it, or a system voice has it.
    """
    name = enrolment.check_name(name)
    if catalogue.knows(name):
        raise OptionError(f"{name} is a voice of Qwen's own.", remedy="Choose another name.", code="bad_voice_name")
    return name


def file_name(what: Literal["sample", "preview"], data: bytes, suffix: str) -> str:
    """What a file of a voice's folder is called: by its content, so that a record never names another voice's.

    Args:
        what: What it is.
        data: Its content.
        suffix: What its format is called, such as ``wav``.
    """
    return f"{what}.{hashlib.sha256(data).hexdigest()[:16]}.{suffix}"


def content(voice: OwnVoice) -> tuple[str, ...]:
    """What a voice is made of: two of the same content are the same voice, whatever their previews say."""
    return voice.kind, voice.sample_sha256, voice.prompt


def timestamp(seconds: float) -> str:
    """An instant in UTC, ISO 8601."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def encoded(voice: OwnVoice) -> bytes:
    """A voice as it is written down."""
    return json.dumps({"version": _VERSION, **asdict(voice)}, ensure_ascii=False, indent=1).encode() + b"\n"


def decoded(data: bytes) -> OwnVoice:
    """A voice that was written down.

    Raises:
        ValueError: That is none, or none that this version can read.
    """
    try:
        return _decoded(data)
    except _NONSENSE as error:
        raise ValueError(type(error).__name__) from None


def _decoded(data: bytes) -> OwnVoice:
    """As :func:`decoded`, or one of ``_NONSENSE``."""
    facts = json.loads(data)
    if facts.pop("version") != _VERSION:
        raise ValueError
    ids, replaced = _ids(facts.pop("ids")), _ids(facts.pop("replaced", []))
    known = {each.name for each in fields(OwnVoice)}
    voice = OwnVoice(**{name: value for name, value in facts.items() if name in known}, ids=ids, replaced=replaced)
    _check_texts(getattr(voice, name) for name in known - {"extend", "ids", "replaced"})
    files = filter(None, (voice.sample, voice.preview))
    if voice.kind not in KINDS or not isinstance(voice.extend, bool) or not all(map(_FILE.fullmatch, files)):
        raise ValueError
    try:
        named = check_name(voice.name)
    except OptionError:
        raise ValueError from None
    if voice.name != named:
        raise ValueError
    return voice


def _ids(facts: object) -> tuple[Id, ...]:
    if not isinstance(facts, list):
        raise TypeError
    return tuple(map(_id, facts))


def _id(facts: dict[str, Any]) -> Id:
    known = {each.name for each in fields(Id)}
    made = Id(**{name: value for name, value in facts.items() if name in known})
    numbers = made.settings.values()
    if made.fidelity not in get_args(Fidelity) or not isinstance(made.reasons, list | tuple):
        raise ValueError
    if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
        raise ValueError
    _check_texts(getattr(made, name) for name in known - {"fidelity", "settings", "reasons"})
    _check_texts((*made.settings, *made.reasons))
    return replace(made, reasons=tuple(made.reasons))


def _check_texts(texts: Iterable[str]) -> None:
    """Refuse what is no text, or cannot be written down.

    Raises:
        TypeError: It is none.
        ValueError: It has half a character (a lone surrogate).
    """
    "".join(texts).encode()
