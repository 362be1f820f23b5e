"""What there is to say of voices, for whoever lists them: Qwen's and the user's own, chosen and as records.

Owns the choice by gender, age, dialect, model and language, and the JSON-ready record of a voice.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from lineread import catalogue
from lineread.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lineread.voices.record import OwnVoice


def system_voices(
    *,
    gender: str | None = None,
    age: str | None = None,
    dialect: str | None = None,
    model: str | None = None,
    language: str | None = None,
) -> list[catalogue.Voice]:
    """Qwen's voices, in the catalogue's order.

    Args:
        gender: ``female`` or ``male``; like all that follow, None for any.
        age: ``child``, ``young``, ``middle`` or ``old``.
        dialect: The Chinese variety that they speak, in any case.
        model: A model that has them.
        language: A language that they speak: each of them speaks each.

    Raises:
        RequestError: There is no such gender, age, dialect, model or language.
    """
    voices = list(catalogue.load().voices.values())
    if model is not None:
        has = catalogue.voices_of(catalogue.model(model))
        voices = [voice for voice in voices if voice in has]
    if language is not None:
        catalogue.language(language)
    for name, value in (("gender", gender), ("age", age), ("dialect", dialect)):
        if value is not None:
            voices = _having(voices, name, value)
    return voices


def own_voices(
    voices: Iterable[OwnVoice],
    *,
    gender: str | None = None,
    age: str | None = None,
    dialect: str | None = None,
    model: str | None = None,
    language: str | None = None,
) -> list[OwnVoice]:
    """Those of a user's voices that fit, as :func:`system_voices`: nobody has said gender, age or dialect of them.

    A voice of which no language is known may speak any.

    Raises:
        RequestError: There is no such model or language.
    """
    if model is not None:
        catalogue.model(model)
    found = [
        voice
        for voice in voices
        if fits((each.target_model for each in voice.ids), gender=gender, age=age, dialect=dialect, model=model)
    ]
    if language is not None:
        spoken = catalogue.language(language)
        found = [voice for voice in found if voice.language in ("", spoken)]
    return found


def fits(
    models: Iterable[str],
    *,
    gender: str | None = None,
    age: str | None = None,
    dialect: str | None = None,
    model: str | None = None,
) -> bool:
    """Whether a voice of a user's own is among those sought, as :func:`own_voices`.

    Args:
        models: The models that speak it.
        gender: As there, like all that follow.
        age: As there.
        dialect: As there.
        model: As there.

    Raises:
        ModelError: There is no such model.
    """
    return not any((gender, age, dialect)) and (model is None or catalogue.model(model).id in models)


def system_record(voice: catalogue.Voice) -> dict[str, Any]:
    """A system voice as a JSON-ready object."""
    record = dataclasses.asdict(voice)
    del record["families"]
    models = [model.id for model in catalogue.load().models.values() if model.has(voice)]
    return {**record, "kind": "system", "models": models}


def own_record(voice: OwnVoice) -> dict[str, Any]:
    """A voice of the user's own as a JSON-ready object."""
    record = dataclasses.asdict(voice)
    return {"id": voice.name, **record, "models": [*dict.fromkeys(each.target_model for each in voice.ids)]}


def _having(voices: Iterable[catalogue.Voice], name: str, value: str) -> list[catalogue.Voice]:
    """Those voices of which an attribute is that, in any case.

    Raises:
        OptionError: It is that of no voice at all.
    """
    every = (getattr(voice, name) for voice in catalogue.load().voices.values())
    known = {each.casefold(): each for each in every if each}
    if value.casefold() not in known:
        hint = catalogue.suggestion(value, known.values(), f"There is {', '.join(sorted(known.values()))}.")
        raise OptionError(f"No voice has the {name} {value!r}.", remedy=hint)
    return [voice for voice in voices if getattr(voice, name).casefold() == value.casefold()]
