"""What a voice is that speaks while its text is still being written.

Owns the contract between a session and whatever speaks in it: the machine's own voice in this process, or a service at
the other end of a socket. A server that answers for a session stands on the same contract.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from lineread.speech import Chunk, LiveRequest


class Link(ABC):
    """Text in, sound out, at the same time. One task writes, another one reads.

    Text counts from the session's first character, samples from its first sample. What is spoken at a stretch is a
    response: the chunk that ends it is ``final``, and may have no sound. Facts come with the last chunk of each piece
    of text that was spoken at once.

    Attributes:
        request: What was asked for, with everything filled in.
        sample_rate: Samples a second of the chunks.
    """

    request: LiveRequest
    sample_rate: int

    @abstractmethod
    async def open(self) -> None:
        """Get ready to speak, so that the first text waits for nothing.

        Raises:
            LinereadError: It cannot speak as asked. What is said to whom is said now, and not with the first text.
        """

    @abstractmethod
    async def write(self, text: str) -> None:
        """Take some more text; any piece of it, a letter or a book. Waits while too much of it is yet to be spoken.

        Raises:
            RequestError: Some of it cannot be spoken; the rest is.
            LinereadError: The session is over, or its voice has failed.
        """

    @abstractmethod
    async def commit(self) -> None:
        """Speak all that was written, and end the response with it."""

    @abstractmethod
    async def clear(self) -> None:
        """Forget the text that nobody has begun to speak; where the writer commits, what was not committed."""

    @abstractmethod
    async def cancel(self) -> None:
        """Fall silent and forget all text, also that of a writer that waits for room.

        No chunk of what was written before comes once this has returned.
        """

    @abstractmethod
    async def end(self) -> None:
        """No more text comes. What was written is spoken to its end, and then the chunks end."""

    @abstractmethod
    def chunks(self) -> AsyncGenerator[Chunk, None]:
        """The sound, as it comes; to be read once. A chunk counts as delivered when the reader asks for the next.

        A reader that is cancelled while it waits loses nothing: the next call goes on where it was.

        Raises:
            EngineError: It cannot go on. The error says how far the text was spoken.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Give up at once. Whoever writes or reads is released."""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()
