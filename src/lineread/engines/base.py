"""What an engine is.

Owns the contract between the pipeline and whatever speaks. An engine needs a ``name`` and a ``stream``; everything
else has a default that suits a simple one. Wrappers (retry, rate limit, fallback, finishing) have the same shape.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeAlias

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from lineread.budget import Tariff
    from lineread.config import Settings
    from lineread.engines.enroller import Enroller
    from lineread.engines.link import Link
    from lineread.speech import Chunk, LiveRequest, Request, Segment


@dataclass(frozen=True, slots=True)
class Limits:
    """How an engine wants a text cut, and how much it does at once.

    Attributes:
        characters: Most characters of one segment.
        by_sentence: One segment for each sentence, where calls are cheap and the first sound should come soon;
            otherwise as few segments as possible.
        first: Most characters of the first segment, if that shall be shorter still.
        concurrency: Segments spoken at the same time.
    """

    characters: int = 600
    by_sentence: bool = False
    first: int | None = None
    concurrency: int = 4


@dataclass(frozen=True, slots=True)
class Quota:
    """How often a service lets an account ask.

    Attributes:
        name: What is counted together, safe as a file name; never a key.
        per_minute: Requests a minute.
    """

    name: str
    per_minute: int


Turn: TypeAlias = "Callable[[Quota], Awaitable[None]]"
"""Waits until something may be asked that counts against a quota."""


class Engine(ABC):
    """Something that speaks segments.

    Attributes:
        name: What callers write to choose it.
        version: Changes whenever the same segment would sound different.
    """

    name: str = ""
    version: str = "1"

    @classmethod
    def configured(cls, settings: Settings) -> Self:
        """An engine made from the settings in force. What its user should know goes to their ``notice``.

        Raises:
            ConfigError: Something that it needs is missing.
        """
        return cls()

    def resolve(self, request: Request) -> Request:
        """The request with everything filled in that the engine decides (model, canonical names).

        Raises:
            RequestError: This engine cannot do what is asked. Nothing has been sent anywhere.
            ConfigError: It cannot work as it is set up.
        """
        return request

    def limits(self, request: Request) -> Limits:
        """How the text of a resolved request is to be cut."""
        return Limits()

    def fingerprint(self, request: Request) -> str:
        """What tells this engine's sound from any other's, for a resolved request. Loads no model."""
        return f"{self.name}/{self.version}"

    def quota(self, request: Request) -> Quota | None:
        """What a resolved request counts against; None where nobody counts."""
        return None

    def tariff(self, request: Request | LiveRequest) -> Tariff | None:
        """What speech costs for a resolved request; None where it costs nothing."""
        return None

    def wait(self, request: Request) -> float:
        """Seconds for which a resolved request would have to wait within its quota before its call begins."""
        return 0.0

    def link(self, request: LiveRequest, *, turn: Turn | None = None) -> Link | None:
        """A link of its own for a live session; None where a session speaks piece by piece, with ``stream``.

        Args:
            request: All but the text.
            turn: Awaited before each new session with a service that counts them; None if nobody shares its limit.

        Raises:
            RequestError: It cannot do what is asked. Nothing has been sent anywhere.
            ConfigError: It cannot work as it is set up.
        """
        return None

    def enroller(self, *, turn: Turn | None = None) -> Enroller | None:
        """What makes voices for this engine; None where it has only those that it has.

        Args:
            turn: Awaited before each request to a service that counts them; None if nobody shares its limit.

        Raises:
            ConfigError: It cannot work as it is set up.
        """
        return None

    def warm(self) -> None:  # noqa: B027 - most engines load nothing
        """Begin to load what the first segment will wait for, in the background. Raises nothing: that one will."""

    @abstractmethod
    def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        """Speak one segment: its chunks in order, offsets and times from the segment's beginning.

        The last chunk carries the facts. Closing the generator stops the work.

        Raises:
            EngineError: It did not speak.
        """

    async def aclose(self) -> None:  # noqa: B027 - most engines hold nothing
        """Give back what the engine holds. It can be used again after that, at the cost of loading again."""


class Wrapper(Engine):
    """An engine around another one. It forwards everything; a subclass changes one thing."""

    def __init__(self, inner: Engine) -> None:
        self.inner = inner
        self.name = inner.name
        self.version = inner.version

    def resolve(self, request: Request) -> Request:
        """As the inner engine."""
        return self.inner.resolve(request)

    def limits(self, request: Request) -> Limits:
        """As the inner engine."""
        return self.inner.limits(request)

    def fingerprint(self, request: Request) -> str:
        """As the inner engine."""
        return self.inner.fingerprint(request)

    def quota(self, request: Request) -> Quota | None:
        """As the inner engine."""
        return self.inner.quota(request)

    def tariff(self, request: Request | LiveRequest) -> Tariff | None:
        """As the inner engine."""
        return self.inner.tariff(request)

    def wait(self, request: Request) -> float:
        """As the inner engine."""
        return self.inner.wait(request)

    def link(self, request: LiveRequest, *, turn: Turn | None = None) -> Link | None:
        """As the inner engine."""
        return self.inner.link(request, turn=turn)

    def enroller(self, *, turn: Turn | None = None) -> Enroller | None:
        """As the inner engine."""
        return self.inner.enroller(turn=turn)

    def warm(self) -> None:
        """As the inner engine."""
        self.inner.warm()

    def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        """As the inner engine."""
        return self.inner.stream(segment)

    async def aclose(self) -> None:
        """Close the inner engine."""
        await self.inner.aclose()
