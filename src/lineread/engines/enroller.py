"""What makes voices and keeps them.

Owns the contract between whoever wants a voice of their own and whatever makes it: the cloud's enrolment service, or
the machine's own. A server that answers for enrolment stands on the same contract.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from lineread import catalogue
from lineread.enrolment import FAMILIES
from lineread.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lineread.catalogue import Model
    from lineread.enrolment import Clone, Design, Enrolled, Kind, Page

#: Voices of a page when all are listed, and most pages: an account has a thousand at most, and a service that gives
#: pages of ten whatever it is asked for has to be understood as well.
_PAGE: Final = 100
_MOST_PAGES: Final = 101


class Enroller(ABC):
    """Makes voices, and lists, finds and deletes those that it made.

    Attributes:
        engine: Name of the engine that speaks them.
        place: Where they are kept: the service's region or host, or ``machine``.
        account: A fingerprint of the account that they belong to, never a key; empty on the machine.
    """

    engine: str
    place: str
    account: str

    def target(self, kind: Kind, *, model: str | None = None, realtime: bool = False) -> str:
        """The model that shall speak a voice. The machine's voices speak for any; their ids are as in the cloud.

        Args:
            kind: How the voice is made.
            model: The model that was asked for; None takes the newest that fits, by the date in its id.
            realtime: It shall speak in live sessions, not over HTTP.

        Raises:
            ModelError: There is none, or that one does not speak voices made so, or not that way.
        """
        transport = "realtime" if realtime else "http"
        newest = max((each.id for each in speakers(kind) if each.transport == transport), key=_date)
        if model is None:
            return newest
        known = check_speaker(kind, model)
        if known.transport != transport:
            way, code = ("in live sessions", "model_not_realtime") if realtime else ("over HTTP", "model_not_http")
            raise ModelError(f"{known.id} does not speak {way}.", remedy=f"{newest} does.", code=code)
        return known.id

    def price(self, kind: Kind) -> float:
        """Yuan for making a voice; 0 where that costs nothing."""
        return 0.0

    def check_budget(self, kind: Kind, voices: int) -> None:  # noqa: B027 - most have none
        """Refuse to make some voices of which not all could be paid for.

        Raises:
            OverBudget: They cost more than is left.
        """

    def lacks(self, voice: str) -> bool:
        """Whether it is known, without asking anybody, that there is no such voice any more."""
        return False

    @abstractmethod
    async def clone(self, order: Clone) -> Enrolled:
        """Make a voice from a sample.

        Raises:
            RequestError: The order cannot be carried out. Nothing was sent anywhere.
            EngineError: The service refused it or failed.
        """

    @abstractmethod
    async def design(self, order: Design) -> Enrolled:
        """Make a voice from a description, with a preview.

        Raises:
            RequestError: The order cannot be carried out. Nothing was sent anywhere.
            EngineError: The service refused it or failed.
        """

    @abstractmethod
    async def page(self, kind: Kind, *, index: int = 0, size: int = 10) -> Page:
        """Some of the voices that were made that way, the newest first.

        Raises:
            EngineError: The service refused it or failed.
        """

    async def every(self, kind: Kind) -> AsyncIterator[Enrolled]:
        """All voices that were made that way, each once.

        Whoever lists them may give smaller pages than were asked for, or tell no total: what is listed ends where
        nothing new is.

        Raises:
            EngineError: The service refused it or failed.
        """
        seen: set[str] = set()
        for index in range(_MOST_PAGES):
            page = await self.page(kind, index=index, size=_PAGE)
            new = [each for each in page.voices if each.voice not in seen]
            for each in new:
                yield each
            if not new:
                return
            seen.update(each.voice for each in new)

    @abstractmethod
    async def find(self, kind: Kind, voice: str) -> Enrolled:
        """What is known of a voice.

        Raises:
            VoiceError: There is none of that id (code ``voice_not_found``).
            EngineError: The service refused it or failed.
        """

    @abstractmethod
    async def delete(self, kind: Kind, voice: str) -> None:
        """Delete a voice for ever.

        Raises:
            VoiceError: There is none of that id (code ``voice_not_found``).
            EngineError: The service refused it or failed.
        """


def speakers(kind: Kind) -> list[Model]:
    """The models that speak voices made that way."""
    return [model for model in catalogue.load().models.values() if model.voices == FAMILIES[kind]]


def check_speaker(kind: Kind, name: str) -> Model:
    """The model of that id, if it speaks voices made that way.

    Raises:
        ModelError: It does not, or there is none.
    """
    model = catalogue.model(name)
    if model.voices != FAMILIES[kind]:
        known = ", ".join(each.id for each in speakers(kind))
        raise ModelError(
            f"{model.id} does not speak voices made by {_MAKING[kind]}.",
            remedy=f"These do: {known}.",
            code="model_not_custom",
        )
    return model


def _date(name: str) -> str:
    """The date that a model's id ends with."""
    return name[-len("2026-01-22") :]


_MAKING: Final = {"clone": "cloning", "design": "design"}
