"""What is known of the service: models, voices, languages, regions, limits, prices.

Owns the facts in ``catalogue.json`` beside it and the look-ups with "did you mean". Reads that one file of the
package, once. The facts are JSON with one line for each record: a process that only repeats a stored line parses
them in under a millisecond, where TOML took a quarter of its time.

Source: the service's documentation of mid-2026 and dated probes of it. Voices come in families, as the documents
group them: F current flash models, S their first snapshots, I instruct models, Q the old ``qwen-tts`` models,
L voices that only its later snapshots have.

OpenAI's names stand for Qwen's so that programs written for OpenAI find a voice of the same gender, age and
character; its names are those of its speech reference of 2026. Each stands for a voice that flash and instruct models
both have, so that adding instructions never loses the voice.

Prices are those of the pricing page of May 2026. It gives those of making a voice in Singapore in dollars; they are
turned into yuan at that page's own rate.
"""

from __future__ import annotations

import functools
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lineread.errors import ModelError, OptionError, VoiceError, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Model families whose voices are the user's own: made by cloning, made by design.
CUSTOM_FAMILIES = ("vc", "vd")
#: What most models are priced by.
BY_CHARACTERS = "10000 characters"


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the service.

    Attributes:
        id: Its name on the wire.
        transport: ``http`` or ``realtime``.
        voices: Letters of the voice families that it speaks, or ``vc``/``vd`` for custom voices only.
        limit: Most characters of one call; None where no limit is documented.
        instructions: It follows an instruction.
        rpm: Requests a minute that one account may make.
        alias_of: The dated model that this name stood for in mid-2026.
        prices: Yuan for each ``price_unit``, by region.
        price_unit: What the price is for.
    """

    id: str
    transport: str
    voices: str
    limit: int | None
    instructions: bool
    rpm: int
    alias_of: str
    prices: Mapping[str, float]
    price_unit: str

    @property
    def custom(self) -> bool:
        """It speaks custom voices only."""
        return self.voices in CUSTOM_FAMILIES

    def price(self, region: str) -> float | None:
        """Yuan for 10,000 billed characters; None where it bills tokens.

        Args:
            region: Where it speaks; anywhere else it costs as much as where it costs the most.
        """
        return dearest(self.prices, region) if self.price_unit == BY_CHARACTERS else None

    def has(self, voice: Voice) -> bool:
        """Whether this model speaks that voice."""
        return not self.custom and any(family in self.voices for family in voice.families)


@dataclass(frozen=True, slots=True)
class Voice:
    """A system voice.

    Attributes:
        id: What callers write.
        name: The Chinese display name.
        gender: ``female`` or ``male``.
        age: ``child``, ``young``, ``middle`` or ``old``: read off the description, for the stand-in.
        description: What it sounds like.
        dialect: The Chinese variety that it speaks; empty for Mandarin.
        families: Letters of the model families that have it.
        stand_in: How the built-in engine imitates it; see ``engines.builtin``.
    """

    id: str
    name: str
    gender: str
    age: str
    description: str
    dialect: str
    families: str
    stand_in: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Region:
    """Where the service runs.

    Attributes:
        id: The cloud's name of the region.
        name: The city.
        http: Base URL of the HTTP API.
        realtime: URL of the realtime socket.
    """

    id: str
    name: str
    http: str
    realtime: str


@dataclass(frozen=True, slots=True)
class OpenAIModel:
    """A model name of OpenAI's, and what stands for it.

    Attributes:
        id: OpenAI's name.
        model: The model that speaks without instructions.
        instruct_model: The model that speaks with them; the same where OpenAI's ignores them.
        reason: Why these.
    """

    id: str
    model: str
    instruct_model: str
    reason: str


@dataclass(frozen=True, slots=True)
class OpenAIVoice:
    """A voice name of OpenAI's, and what stands for it.

    Attributes:
        id: OpenAI's name.
        voice: The system voice that speaks.
        reason: What both have in common.
    """

    id: str
    voice: str
    reason: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All facts, by id.

    Attributes:
        voice_prices: Yuan for making a voice, by how it is made and region.
    """

    languages: tuple[str, ...]
    regions: Mapping[str, Region]
    voice_prices: Mapping[str, Mapping[str, float]]
    models: Mapping[str, Model]
    voices: Mapping[str, Voice]
    openai_models: Mapping[str, OpenAIModel]
    openai_voices: Mapping[str, OpenAIVoice]


@functools.cache
def load() -> Catalogue:
    """The facts of this release. A field that is missing or not known is a mistake of the package, not of its user."""
    with open(os.path.join(os.path.dirname(__file__), "catalogue.json"), encoding="utf-8") as file:
        facts = json.load(file)
    return Catalogue(
        languages=("Auto", *facts["languages"]),
        regions={fields["id"]: Region(**fields) for fields in facts["regions"]},
        voice_prices=facts["voice_prices"],
        models={fields["id"]: Model(**fields) for fields in facts["models"]},
        voices={fields["id"]: Voice(**fields) for fields in facts["voices"]},
        openai_models={fields["id"]: OpenAIModel(**fields) for fields in facts["openai_models"]},
        openai_voices={fields["id"]: OpenAIVoice(**fields) for fields in facts["openai_voices"]},
    )


def knows(name: str) -> bool:
    """Whether there is a system voice of that name; see :func:`voice`."""
    return _system_voice(name) is not None


def voice(name: str) -> Voice:
    """The system voice of that name, or of that Chinese display name; case and ``_`` for a space are forgiven.

    Raises:
        VoiceError: There is none.
    """
    found = _system_voice(name)
    if found is None:
        voices = load().voices
        raise VoiceError(
            f"There is no voice {shortened(name)!r}.",
            remedy=suggestion(name, voices, "`lineread voices` lists all."),
        )
    return found


def model(name: str) -> Model:
    """The model of that id.

    Raises:
        ModelError: There is none.
    """
    models = load().models
    found = models.get(name) or models.get(_forgive(name, models) or "")
    if found is None:
        raise ModelError(
            f"There is no model {shortened(name)!r}.", remedy=suggestion(name, models, "`lineread models` lists all.")
        )
    return found


def language(name: str) -> str:
    """The language_type as the service spells it; any case is accepted.

    Raises:
        OptionError: The service does not know it.
    """
    languages = load().languages
    found = name if name in languages else _forgive(name, languages)
    if found is None:
        hint = suggestion(name, languages, f"Choose one of {', '.join(languages)}.")
        raise OptionError(f"language_type {shortened(name)!r} is not known.", remedy=hint, code="unknown_language")
    return found


def region(name: str) -> Region:
    """The region of that id or city name.

    Raises:
        OptionError: Qwen TTS does not run there.
    """
    regions = load().regions
    by_city = {place.name: place for place in regions.values()}
    found = regions.get(name) or by_city.get(_forgive(name, by_city) or "")
    if found is None:
        known = ", ".join(f"{place.id} ({place.name})" for place in regions.values())
        message = f"There is no region {shortened(name)!r} with Qwen TTS."
        raise OptionError(message, remedy=f"Choose {known}, or give a base URL.")
    return found


def openai_model(name: str) -> OpenAIModel | None:
    """What stands for a model name of OpenAI's, in any case; None where it is not one."""
    names = load().openai_models
    return names.get(_forgive(name, names) or "")


def openai_voice(name: str) -> OpenAIVoice | None:
    """What stands for a voice name of OpenAI's, in any case; None where it is not one."""
    names = load().openai_voices
    return names.get(_forgive(name, names) or "")


def custom_family(voice_: str) -> str | None:
    """How a voice of the user's own was made, by the form of its id; None for any other name."""
    return next((family for family in CUSTOM_FAMILIES if voice_.startswith(f"qwen-tts-{family}-")), None)


def voices_of(model_: Model) -> tuple[Voice, ...]:
    """The system voices that a model speaks, in the catalogue's order."""
    return tuple(each for each in load().voices.values() if model_.has(each))


def dearest(prices: Mapping[str, float], region: str) -> float:
    """A price in a region; in one that has none of its own the highest there is."""
    return prices[region] if region in prices else max(prices.values())


def suggestion(name: str, known: Iterable[str], otherwise: str) -> str:
    """A "did you mean" for a misspelt name, and where to look."""
    import difflib  # noqa: PLC0415 - 8 ms that only a misspelt name has to pay

    by_lower = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=2, cutoff=0.6)
    if not close:
        return otherwise
    return f"Did you mean {' or '.join(by_lower[each] for each in close)}? {otherwise}"


def _system_voice(name: str) -> Voice | None:
    voices = load().voices
    found = voices.get(name) or voices.get(_forgive(name, voices) or "")
    return found or next((each for each in voices.values() if each.name == name.strip()), None)


def _forgive(name: str, known: Iterable[str]) -> str | None:
    """The known name that differs from this one by case, spaces and underscores only."""

    def plain(text: str) -> str:
        return text.casefold().replace("_", " ").strip()

    wanted = plain(name)
    return next((each for each in known if plain(each) == wanted), None)
