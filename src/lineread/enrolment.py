"""Voices of a user's own: what is asked for to make one, and what comes back.

Owns the frozen values that the client's side, the wire and the engines exchange. No I/O.

A voice is made for one model: the one that will speak it. Cloning makes it from a sample, design from a description.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from lineread.errors import OptionError, shortened

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["clone", "design"]
"""How a voice is made."""

Fidelity = Literal["exact", "approximate"]
"""Whether it is the voice that was asked for, or this machine's own voice brought near to it."""

KINDS: Final[tuple[Kind, ...]] = ("clone", "design")
#: The family of models (see ``catalogue.CUSTOM_FAMILIES``) that speaks voices made that way.
FAMILIES: Final[Mapping[Kind, str]] = {"clone": "vc", "design": "vd"}
#: The code of an error after which a voice may have been made, and be paid for, all the same.
IN_DOUBT: Final = "voice_in_doubt"
#: Most characters of a voice's name. Source: section "preferred_name" of the service's reference.
LONGEST_NAME: Final = 16
#: Most characters of a description, and of a text to preview it. Source: the service's reference.
LONGEST_PROMPT: Final = 2048
LONGEST_PREVIEW: Final = 1024
_NAME: Final = r"[A-Za-z0-9_]{1,16}"


@dataclass(frozen=True, slots=True)
class Clone:
    """A voice to be made from a sample.

    Attributes:
        name: What its id shall contain: digits, letters and underscores, 16 at most.
        audio: A whole audio file: WAV, MP3 or M4A.
        media_type: Which of them, such as ``audio/wav``.
        target_model: The model that will speak it.
        text: The words of the sample, if they are known.
        language: The sample's language, as the catalogue calls it; None if it is not known.
    """

    name: str
    audio: bytes
    media_type: str
    target_model: str
    text: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Design:
    """A voice to be made from a description.

    Attributes:
        name: As in :class:`Clone`.
        prompt: The description, in Chinese or English.
        preview_text: What the preview says.
        target_model: The model that will speak it.
        language: The preview's language, as the catalogue calls it; None if it is not known.
        sample_rate: Samples a second of the preview.
        format: The preview's file format: ``wav``, ``pcm``, ``mp3`` or ``opus``.
    """

    name: str
    prompt: str
    preview_text: str
    target_model: str
    language: str | None = None
    sample_rate: int = 24_000
    format: str = "wav"


@dataclass(frozen=True, slots=True)
class Preview:
    """What a designed voice sounds like.

    Attributes:
        audio: The file.
        sample_rate: Samples a second.
        format: ``wav``, ``pcm``, ``mp3`` or ``opus``.
    """

    audio: bytes
    sample_rate: int
    format: str


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A voice that was made.

    Attributes:
        voice: Its id, which requests name from then on. Opaque.
        kind: How it was made.
        target_model: The model that speaks it.
        created: When it was made: UTC in ISO 8601, or as the service says it; empty where it does not.
        language: As it was asked for.
        prompt: The description of a designed voice.
        preview_text: What its preview says.
        preview: Its preview, where one was just made.
        fidelity: ``approximate`` where the machine's own voice was brought near to what was asked for.
        settings: What the machine's own voice is set to; see ``engines.builtin.cast``.
        reasons: Why it is set so, a line for each rule or measurement.
        fallback_reason: Why the service made it of the whole sample, if it did.
        request_id: The service's id of the call.
    """

    voice: str
    kind: Kind
    target_model: str
    created: str = ""
    language: str = ""
    prompt: str = ""
    preview_text: str = ""
    preview: Preview | None = None
    fidelity: Fidelity = "exact"
    settings: Mapping[str, float] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    fallback_reason: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the voices that were made.

    Attributes:
        voices: The newest first.
        index: Which page, from 0.
        size: Most voices of a page.
        total: How many there are in all.
    """

    voices: tuple[Enrolled, ...]
    index: int
    size: int
    total: int


def describes(prompt: str) -> bool:
    """Whether a description has a word. One without would be paid for."""
    return any(map(str.isalpha, prompt))


def has_words(text: str) -> bool:
    """Whether a text has something to say: a letter or a digit. A preview without would be paid for."""
    return any(map(str.isalnum, text))


def check_name(name: str) -> str:
    """A name that a voice may have, without white space around it.

    Raises:
        OptionError: It may not: the service would refuse it.
    """
    if not isinstance(name, str):
        raise OptionError(
            f"A voice's name must be a string, not {type(name).__name__}.",
            remedy="Write it in quotes.",
            code="bad_voice_name",
        )
    name = name.strip()
    if not re.fullmatch(_NAME, name):
        raise OptionError(
            f"A voice cannot be called {shortened(name)!r}.",
            remedy=f"Take digits, letters of the Latin alphabet and underscores, {LONGEST_NAME} at most.",
            code="bad_voice_name",
        )
    return name
