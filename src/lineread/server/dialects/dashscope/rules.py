"""DashScope's rules: which model speaks with which voice, how long a text may be, how exact a name has to be.

Owns what is refused of a request in that dialect, by the catalogue and whichever engine speaks, so that code which runs
here runs in the cloud. A server forgives what the service was seen to forgive: texts longer than its documents allow,
an instruction for a model that ignores it, voices and languages in another case. A strict one holds clients to the
documents. What the service was seen to refuse is refused either way, such as a voice that the model lacks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lineread import catalogue
from lineread.errors import ModelError, VoiceError
from lineread.wire.body import FieldError
from lineread.wire.dashscope_server import SERVES, LengthError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lineread.catalogue import Model
    from lineread.speech import Request

#: What names of other families begin with; the service speaks these models at another address.
_OTHER_FAMILIES: Final = ("cosyvoice-", "qwen-audio-", "sambert-", "qwen-voice-")


def accepted(request: Request, *, most_characters: int, strict: bool, is_own: Callable[[str], bool]) -> Request:
    """The request with the service's spelling of its names, and without an instruction that nobody would follow.

    Args:
        request: What a client asked for.
        most_characters: Most characters of a text that the server takes.
        strict: Refuse what the service's documents forbid, also where the service was seen to forgive it.
        is_own: Whether a name that is no system voice's is that of a voice of the user's own.

    Raises:
        ModelError: The model is unknown, or is spoken at another address.
        VoiceError: The voice is unknown, or the model lacks it.
        FieldError: Another field cannot be taken.
    """
    model = _model(request.model or "")
    limit = min(model.limit, most_characters) if strict and model.limit else most_characters
    if not request.text.strip() or len(request.text) > limit:
        raise LengthError(request.text, limit)
    if strict and request.instruction and not model.instructions:
        raise FieldError("instructions", "invalid_value", f"{model.id} ignores it; only instruct models follow it.")
    return replace(
        request,
        voice=_voice(request.voice, model, strict=strict, is_own=is_own),
        language_type=_language(request.language_type, strict=strict),
        instruction=request.instruction if model.instructions else None,
    )


def _model(name: str) -> Model:
    """The model of exactly that id, if it is spoken at this address."""
    models = catalogue.load().models
    model = models.get(name)
    if name.startswith(_OTHER_FAMILIES):
        raise ModelError(f"{name!r} is not served here.", remedy=SERVES, code="model_not_http")
    if model is None:
        spoken = [each.id for each in models.values() if each.transport == "http"]
        remedy = catalogue.suggestion(name, spoken, "GET /v1/models lists the models.")
        raise ModelError(f"There is no model {name!r}.", remedy=remedy)
    if model.transport != "http":
        message = f"{model.id} speaks over the realtime socket only."
        raise ModelError(message, remedy=SERVES, code="model_not_http")
    return model


def _voice(name: str, model: Model, *, strict: bool, is_own: Callable[[str], bool]) -> str:
    """The voice as the service spells it, if the model has it. Which custom voice goes with it is the desk's rule."""
    if model.custom or catalogue.custom_family(name):
        return name
    try:
        voice = catalogue.voice(name)
    except VoiceError as error:
        if is_own(name):
            return name
        remedy = catalogue.suggestion(name, catalogue.load().voices, "GET /v1/audio/voices lists the voices.")
        raise VoiceError(error.message, remedy=remedy) from None
    if strict and voice.id != name:
        raise VoiceError(f"There is no voice {name!r}.", remedy=f"Write it {voice.id}.")
    if not model.has(voice):
        having = ", ".join(each.id for each in catalogue.voices_of(model))
        raise VoiceError(f"{model.id} lacks {voice.id}.", remedy=f"It has {having}.", code="voice_not_in_model")
    return voice.id


def _language(name: str, *, strict: bool) -> str:
    languages = catalogue.load().languages
    lowered = name.strip().casefold()
    for language in languages:
        if name == language or (not strict and lowered == language.casefold()):
            return language
    raise FieldError("language_type", "invalid_value", f"Choose one of {', '.join(languages)}.")
