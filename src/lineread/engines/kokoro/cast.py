"""The cast: Kokoro's 54 voices, and which of them stands in for which voice of Qwen's.

Owns the look-up of both; the facts are in ``cast.json``. A stand-in has the gender of the voice and fits its age, as
far as Kokoro has one: there are no children among its voices, so a grown-up's is made higher, and no Frenchman, so an
Italian or a Brazilian reads French. Where several voices share one, their pitch differs a little.

Source: the names of the voice tables, whose first letter is a language and whose second one a gender.
"""

from __future__ import annotations

import functools
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lineread import catalogue
from lineread.engines.kokoro import languages
from lineread.errors import VoiceError, shortened

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class StandIn:
    """Who speaks.

    Attributes:
        voice: One of Kokoro's voices.
        pitch: Factor on its pitch.
    """

    voice: str
    pitch: float = 1.0


@functools.cache
def _facts() -> Mapping[str, Any]:
    with open(os.path.join(os.path.dirname(__file__), "cast.json"), encoding="utf-8") as file:
        facts: Mapping[str, Any] = json.load(file)
    return facts


def voices() -> tuple[str, ...]:
    """The names of Kokoro's voices."""
    return tuple(_facts()["voices"])


def resolve(name: str) -> str:
    """The canonical name of a voice: one of Qwen's or one of Kokoro's.

    Raises:
        VoiceError: There is none, or it is one of the user's own.
    """
    own = name.strip().lower()
    if own in voices():
        return own
    if catalogue.custom_family(name) is not None:
        raise VoiceError(
            "The kokoro engine cannot speak voices of your own.",
            remedy="Use --engine builtin, or --engine dashscope.",
            code="not_here",
        )
    if not catalogue.knows(name):
        raise VoiceError(
            f"There is no voice {shortened(name)!r}.",
            remedy=catalogue.suggestion(
                name, [*catalogue.load().voices, *voices()], "`lineread voices` lists Qwen's; kokoro has its own."
            ),
        )
    return catalogue.voice(name).id


def language(voice: str) -> str | None:
    """The language of one of Kokoro's voices; None for one of Qwen's."""
    return languages.BY_LETTER[voice[0]] if voice in voices() else None


def reader(voice: str, language_: str) -> str:
    """What one of Kokoro's voices has a language read by: the language's name, or ``British English``."""
    return languages.BRITISH if language_ == "English" and voice[0] == "b" else language_


def gender(voice: str) -> str:
    """``female`` or ``male``, of one of Kokoro's voices."""
    return "female" if voice[1] == "f" else "male"


def stand_in(voice: str, language_: str) -> StandIn:
    """Who speaks for a voice of that canonical name in that language."""
    if voice in voices():
        return StandIn(voice)
    found = _by_id()[voice]
    return StandIn(found["voices"][language_], found["pitch"])


@functools.cache
def _by_id() -> Mapping[str, Any]:
    return {each["id"]: each for each in _facts()["stand_ins"]}


def describe(voice: str, person: StandIn) -> str:
    """One line for people on who stands in for a voice; empty when it speaks itself."""
    if voice == person.voice:
        return ""
    pitch = "" if person.pitch == 1 else f", pitch {person.pitch:.2f}"
    return f"kokoro {person.voice} as {voice}{pitch}"
