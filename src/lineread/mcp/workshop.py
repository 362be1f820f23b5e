"""Where tools have things done.

Owns the contract between the calls and whoever carries them out: the user's own machine, or a server for the holder of
a key. A workshop says what things cost where it stands.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lineread.enrolment import IN_DOUBT
from lineread.wire import advice

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lineread.budget import Purse
    from lineread.client import Job
    from lineread.enrolment import Kind
    from lineread.errors import LinereadError
    from lineread.mcp.tools import Tool
    from lineread.quote import Quote
    from lineread.results import Tally
    from lineread.speech import Chunk, Request

    Heard = Callable[[Chunk, Tally], Awaitable[None]]


_KEY: Final = "The user can set DASHSCOPE_API_KEY where this server is started."
#: What an agent can do about an error: it has tools where others have a command line.
REMEDIES: Final = {
    "unknown_voice": "list_voices lists all.",
    "unknown_model": "Leave the model out, or use qwen3-tts-flash or qwen3-tts-instruct-flash.",
    "key_missing": _KEY,
    "unauthorized": _KEY,
    "voice_name_taken": "Choose another voice_name.",
    "sample_not_found": "Give the path of a WAV, MP3 or M4A file, or the recording itself as a data: URI.",
    IN_DOUBT: "Ask for the same once more: it is looked up first. A voice that is named here may be it: speak with its "
    "id, and have the user listen; `lineread voices add ID --name NAME` keeps it.",
    "consent_missing": "Ask the user who agreed to what, and when, and say so in consent.",
}


@dataclass(frozen=True, slots=True)
class Take:
    """A text that was spoken and kept.

    Attributes:
        request: What was asked for, with everything filled in.
        seconds: Length of its sound.
        tally: What its sound adds up to; of a file that was kept from before, nothing.
        engine: Who spoke.
        yuan: What it cost; None where nobody knows.
        places: Where it is: ``path``, ``audio_url``.
        path: The file, for whoever reads it here.
    """

    request: Request
    seconds: float
    tally: Tally
    engine: str
    yuan: float | None
    places: dict[str, str]
    path: str

    @classmethod
    def of(cls, job: Job, tally: Tally, places: dict[str, str], path: str, *, seconds: float | None = None) -> Take:
        """What a job's sound became.

        Args:
            job: The work.
            tally: What its chunks add up to.
            places: Where it is.
            path: The file.
            seconds: Its length, where the tally does not tell it.
        """
        engine = tally.engine or job.studio.engine.name
        return cls(job.request, seconds or tally.duration, tally, engine, _paid(job, tally), places, path)


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

    def told(self, error: LinereadError) -> tuple[str, str]:
        """What is said of an error: what is wrong, and what an agent can do about it."""
        return error.message, advice.remedy(error, REMEDIES)

    def notices(self) -> list[str]:
        """What came up since the last call and the agent should know."""
        return []


def _paid(job: Job, tally: Tally) -> float | None:
    """Yuan that a speech cost; None where the model bills tokens. Another engine that had to speak is free."""
    characters = sum(each.characters for each in tally.facts if not (each.cached or each.fallback_reason))
    tariff = job.studio.engine.tariff(job.request)
    if tariff is None or not characters:
        return 0.0
    yuan = tariff.cost(characters).yuan
    return None if yuan is None else float(yuan)
