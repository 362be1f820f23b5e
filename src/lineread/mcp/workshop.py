"""Where tools have things done.

Owns the contract between the calls and whoever carries them out: the user's own machine, or a server for the holder of
a key. A workshop says what things cost where it stands.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lineread.budget import Purse
    from lineread.enrolment import Kind
    from lineread.mcp.tools import Tool
    from lineread.quote import Quote
    from lineread.results import Tally
    from lineread.speech import Chunk, Request

    Heard = Callable[[Chunk, Tally], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Take:
    """A text that was spoken and kept.

    Attributes:
        request: What was asked for, with everything filled in.
        tally: What its sound adds up to.
        yuan: What it cost; None where nobody knows.
        places: Where it is: ``path``, ``audio_url``.
        path: The file, for whoever reads it here.
    """

    request: Request
    tally: Tally
    yuan: float | None
    places: dict[str, str]
    path: str


@dataclass(frozen=True, slots=True)
class Birth:
    """A voice that was made.

    Attributes:
        facts: What is told of it: ``voice``, ``voice_id``, ``target_model``, ``fidelity``, ``request_id``.
        notes: What else there is to say.
        yuan: What it cost.
        take: What it says first; None if nothing.
    """

    facts: dict[str, str]
    notes: tuple[str, ...]
    yuan: float
    take: Take | None


class Workshop(ABC):
    """Carries out what tools are called for.

    Attributes:
        tools: The tools that it has.
        purse: What may be spent; None for no bound.
    """

    tools: tuple[Tool, ...]
    purse: Purse | None

    @abstractmethod
    async def quote(self, request: Request) -> Quote:
        """What a request will cost. Nothing is sent, made or kept.

        Raises:
            LinereadError: It cannot be done as asked.
        """

    @abstractmethod
    def price(self, kind: Kind) -> float | None:
        """Yuan for making a voice here; None where none are made."""

    @abstractmethod
    async def speak(self, request: Request, file: str | None, heard: Heard) -> Take:
        """Speak a request and keep it.

        Args:
            request: What to speak.
            file: What the agent calls the file; None for a name that is made of the request.
            heard: Told of each chunk as it comes.

        Raises:
            LinereadError: It cannot be done as asked, or failed.
        """

    @abstractmethod
    async def own_voices(self) -> list[dict[str, Any]]:
        """The agent's own voices, as :data:`~lineread.mcp.tools.LIST_VOICES` tells them."""

    @abstractmethod
    async def make(self, kind: Kind, wish: dict[str, Any], heard: Heard) -> Birth:
        """Make a voice, and let it say something if there are words for it.

        Args:
            kind: How.
            wish: The arguments of the tool.
            heard: As for :meth:`speak`.

        Raises:
            LinereadError: It cannot be done as asked, or failed.
        """

    def notices(self) -> list[str]:
        """What came up since the last call and the agent should know."""
        return []
