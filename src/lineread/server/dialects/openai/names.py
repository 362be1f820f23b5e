"""OpenAI's names and Qwen's: which model and voice a name stands for, and the lists of all that have one.

Owns that translation; what stands for what is in the catalogue. The lists have OpenAI's shape where it has one, and
else what Open WebUI asks for, and Kokoro-FastAPI and speaches answer.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lineread import catalogue
from lineread.enrolment import FAMILIES
from lineread.errors import ModelError
from lineread.wire.body import FieldError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lineread.enrolment import Enrolled
    from lineread.speech import Request

#: What is meant where a request names no model: OpenAI's current one, which follows instructions.
_DEFAULT_MODEL: Final = "gpt-4o-mini-tts"


def translated(request: Request, *, strict: bool, is_own: Callable[[str], bool]) -> Request:
    """A request with Qwen's names, whichever it had, and without an instruction that its model would not follow.

    It names a model, unless that is left to a voice of the user's own, which brings its own along. A voice that nobody
    knows is left for the engine to refuse.

    Args:
        request: What a client asked for.
        strict: Refuse an instruction that its model would not follow.
        is_own: Whether a name that is no system voice's is that of a voice of the user's own.

    Raises:
        ModelError: There is no such model.
        FieldError: The instruction is refused.
    """
    voice = catalogue.openai_voice(request.voice)
    model = _model(request, is_own)
    follows = model is not None and model.instructions
    if strict and request.instruction and not follows:
        who = "A custom voice" if model is None else model.id
        raise FieldError("instructions", "unsupported_value", f"{who} ignores it; only instruct models follow it.")
    return replace(
        request,
        model=None if model is None else model.id,
        voice=request.voice if voice is None else voice.voice,
        instruction=request.instruction if follows else None,
    )


def _model(request: Request, is_own: Callable[[str], bool]) -> catalogue.Model | None:
    """The model that is meant. OpenAI's names, which its clients must send, leave it to the voice."""
    models = catalogue.load().models
    known = catalogue.openai_model(request.model or _DEFAULT_MODEL)
    if known is None:
        return catalogue.model(request.model or "")
    if family := catalogue.custom_family(request.voice):
        return next(each for each in models.values() if each.transport == "http" and each.voices == family)
    if catalogue.openai_voice(request.voice) is None and not catalogue.knows(request.voice) and is_own(request.voice):
        return None
    return models[known.instruct_model if request.instruction else known.model]


def models() -> dict[str, Any]:
    """Every model's name that a request may have."""
    return {"object": "list", "data": [_about_model(name) for name in _model_names()]}


def models_for_speech() -> dict[str, Any]:
    """The same as Open WebUI asks for it."""
    return {"models": [{"id": name, "name": name} for name in _model_names()]}


def model(name: str, own: Mapping[str, Enrolled]) -> dict[str, Any]:
    """One model, with its voices, as speaches tells them; arguments as for :func:`voices`.

    Raises:
        ModelError: There is none of that name.
    """
    return {**_about_model(_known(name)), "voices": _voices(name, own)}


def voices(model_name: str | None, own: Mapping[str, Enrolled]) -> dict[str, Any]:
    """Every voice's name that a request may have: Qwen's, then OpenAI's, then the client's own.

    Args:
        model_name: Only those that this model speaks; None for all.
        own: The client's own voices, by the names that it may call them.

    Raises:
        ModelError: There is no model of that name.
    """
    return {"voices": _voices(None if model_name is None else _known(model_name), own)}


def _model_names() -> list[str]:
    facts = catalogue.load()
    return [*(each.id for each in facts.models.values() if each.transport == "http"), *facts.openai_models]


def _known(name: str) -> str:
    if name not in _model_names():
        raise ModelError("There is no such model here.", remedy="GET /v1/models lists all.")
    return name


def _own(name: str) -> catalogue.Model:
    """The model of the catalogue behind a name that is known."""
    known = catalogue.openai_model(name)
    return catalogue.load().models[known.model if known else name]


def _about_model(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": _created(_own(name)),
        "owned_by": "lineread" if catalogue.openai_model(name) else "qwen",
        "task": "text-to-speech",
    }


def _created(about: catalogue.Model) -> int:
    """The date in the name of the dated model that speaks, as Unix seconds; 0 where it has none."""
    dated = re.search(r"\d{4}-\d\d-\d\d$", about.alias_of or about.id)
    if dated is None:
        return 0
    return int(dt.datetime.fromisoformat(dated.group()).replace(tzinfo=dt.UTC).timestamp())


def _voices(model_name: str | None, own: Mapping[str, Enrolled]) -> list[dict[str, str | bool]]:
    facts = catalogue.load()
    known = facts.voices.values() if model_name is None else catalogue.voices_of(_own(model_name))
    qwens = {voice.id: _about_voice(voice) for voice in known}
    names = (each for each in facts.openai_voices.values() if each.voice in qwens)
    openais = ({**qwens[each.voice], "id": each.id, "name": each.id} for each in names)
    customs = (_about_own(name, made) for name, made in own.items() if _speaks(model_name, made))
    return [*qwens.values(), *openais, *customs]


def _speaks(model_name: str | None, made: Enrolled) -> bool:
    """Whether a custom voice may be asked for with a model's name. OpenAI's leave it to the voice."""
    if model_name is None or catalogue.openai_model(model_name):
        return True
    return _own(model_name).voices == FAMILIES[made.kind]


def _about_voice(voice: catalogue.Voice) -> dict[str, str | bool]:
    """A voice; ``voice`` is who really speaks, ``id`` and ``name`` are what clients call it.

    Its ``dialect`` is how Qwen's documents call the Chinese it speaks, and no protocol.
    """
    return {
        "id": voice.id,
        "name": voice.id,
        "voice": voice.id,
        "gender": voice.gender,
        "age": voice.age,
        "description": voice.description,
        "dialect": voice.dialect,
        "custom": False,
    }


def _about_own(name: str, made: Enrolled) -> dict[str, str | bool]:
    """The same of a custom voice. Of whom it is a clone, only its owner knows."""
    return {
        "id": name,
        "name": name,
        "voice": made.voice,
        "gender": "",
        "age": "",
        "description": made.prompt or "Cloned from a recording.",
        "dialect": "",
        "custom": True,
    }
