"""A live session with Qwen TTS: the caller of ``wire.realtime`` over one realtime socket after another.

Owns the waiting: for the service, for the reader who has enough to hear, for room where a writer is far ahead. What is
said over a socket, and what is left to be said when one is lost, is the caller's business; how sockets are made, that
of ``socket``.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lineread.audio.container import PcmReader
from lineread.engines.dashscope.sound import Compressed
from lineread.engines.link import Link
from lineread.errors import EngineError, LinereadError, RequestError, TimedOut
from lineread.wire.realtime.caller import LEAD, LONGEST_APPEND, Caller

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from lineread.engines.dashscope.socket import Socket, Sockets
    from lineread.speech import Chunk, Facts, LiveRequest
    from lineread.wire.realtime.leg import Event, Sound

#: Characters that may be yet to be spoken before a writer has to wait: five minutes of speech.
MOST_UNSPOKEN: Final = 5000
#: Seconds of sound that may wait for a reader before no more is received.
MOST_QUEUED: Final = 60.0
#: Most seconds that are waited before a new socket because the service asks for it.
LONGEST_WAIT: Final = 30.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a session waits, in seconds.

    Attributes:
        silence: For the service's next word, when it owes one.
        reader: For somebody to read, when a writer is far ahead.
        standstill: For sound, when a writer is far ahead and all that came was read: then the service waits for text.
    """

    silence: float = 30.0
    reader: float = 10.0
    standstill: float = 5.0


class RealtimeLink(Link):
    """A session over realtime sockets.

    Args:
        request: What is asked for, resolved.
        sockets: Where sockets come from.
        facts: What goes with each response.
        turn: Awaited before each new session with the service.
        patience: Deadlines.
    """

    def __init__(
        self,
        request: LiveRequest,
        sockets: Sockets,
        facts: Facts,
        *,
        turn: Callable[[], Awaitable[None]],
        patience: Patience = Patience(),
    ) -> None:
        self.request = request
        self.sample_rate = request.sample_rate
        self.model = request.model or ""
        self._sockets = sockets
        self._turn = turn
        self._patience = patience
        self._caller = Caller(request, facts, sound=self._sound, hide=sockets.hide)
        self._socket: Socket | None = None
        self._serving: asyncio.Task[None] | None = None
        self._opened = False
        self._reading = False
        self._over: LinereadError | None = None
        self._failed: LinereadError | None = None
        self._changed = asyncio.Event()
        self._deadline: asyncio.Timeout | None = None
        self._cancels = 0
        self._heard_until = 0.0

    async def open(self) -> None:
        """Connect, and have the service take the settings.

        Raises:
            EngineError: It is not to be reached, does not let us in, or does not take them.
            VoiceError: It does not have the voice.
        """
        if self._serving is not None:
            return
        self._sockets.join(self)
        self._serve()
        try:
            while not (self._opened or self._failed or self._over):
                await self._change()
        except BaseException:
            await self.aclose()
            raise
        if self._failed is not None:
            await self.aclose()
            raise self._failed

    async def write(self, text: str) -> None:
        """As :meth:`Link.write`."""
        self._check()
        cancels = self._cancels
        for at in range(0, len(text), LONGEST_APPEND):
            await self._room()
            if self._cancels != cancels:
                return
            self._check()
            await self._say(self._caller.write(text[at : at + LONGEST_APPEND]))

    async def commit(self) -> None:
        """As :meth:`Link.commit`."""
        self._check()
        await self._say(self._caller.commit())

    async def clear(self) -> None:
        """As :meth:`Link.clear`."""
        if not self._caller.ended:
            self._check()
        await self._say(self._caller.clear())

    async def cancel(self) -> None:
        """As :meth:`Link.cancel`. The socket is left to itself, and the text that comes after goes to another one."""
        self._cancels += 1
        self._heard_until = 0.0
        socket = self._socket
        events = self._caller.cancel()
        if socket is not None and not self._caller.attached:
            self._socket = None
            self._sockets.retire(socket, events)
            self._stop()
            self._serve()
        self._tell()

    async def end(self) -> None:
        """As :meth:`Link.end`."""
        self._check()
        events = self._caller.end()
        self._over = _over("The session takes no more text.")
        await self._say(events)

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """As :meth:`Link.chunks`.

        What is not complete yet comes late as long as the listener has a second to hear: if the connection is lost
        then, it can be spoken again.
        """
        self._reading = True
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            lead = max(0.0, self._heard_until - now)
            chunk = self._caller.take(lead)
            if chunk is not None:
                self._heard_until = now + lead + chunk.duration
                self._tell()
                yield chunk
            elif self._failed is not None:
                raise self._failed
            elif self._caller.finished or (self._over is not None and self._serving is None):
                return
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(lead - LEAD if self._caller.queued and lead > LEAD else None):
                        await self._change()

    async def aclose(self) -> None:
        """As :meth:`Link.aclose`."""
        self._over = self._over or _over("The session was closed.")
        self._caller.cancel()
        self._caller.end()
        self._stop()
        self._serving = None
        self._hang_up()
        self._sockets.leave(self)
        self._tell()

    def _sound(self) -> Sound:
        compressed = self.request.response_format in ("mp3", "opus")
        return Compressed(self.sample_rate) if compressed else PcmReader(self.sample_rate)

    def _check(self) -> None:
        """Refuse what comes after the end."""
        if self._failed is not None:
            raise self._failed
        if self._over is not None:
            raise self._over

    async def _room(self) -> None:
        """Wait while the service is far behind."""
        while self._caller.unspoken >= MOST_UNSPOKEN and not (self._failed or self._over):
            patience = self._patience.standstill if self._reading else self._patience.reader
            try:
                async with asyncio.timeout(patience):
                    await self._change()
            except TimeoutError:
                if not self._reading:
                    raise TimedOut(
                        f"{MOST_UNSPOKEN} characters are yet to be spoken, and nobody reads the session's sound.",
                        remedy="Read its chunks in another task while you write.",
                        code="nobody_reads",
                    ) from None
                if not self._caller.queued:
                    return

    async def _say(self, events: list[Event]) -> None:
        """Tell the service, if a socket is there; else whoever makes one that it is needed."""
        self._tell()
        self._expect()
        socket = self._socket
        if socket is not None and events:
            self._sockets.warm_up(self.model, self._turn)
            await socket.send(events)

    def _serve(self) -> None:
        self._serving = asyncio.create_task(self._run())

    def _stop(self) -> None:
        if self._serving is not None and self._serving is not asyncio.current_task():
            self._serving.cancel()

    async def _run(self) -> None:
        """Have a socket whenever there is something to say, until all was said."""
        try:
            while not self._caller.finished:
                if self._opened and not self._caller.wanted:
                    await self._change()
                else:
                    await self._converse()
        except LinereadError as error:
            self._failed = error
        except Exception as error:  # a mistake of ours; whoever waits would do so for ever
            self._failed = EngineError("The session broke.", remedy="Report this.")
            raise self._failed from error
        finally:
            if self._failed is not None or self._caller.finished:
                self._sockets.leave(self)
            self._tell()

    async def _converse(self) -> None:
        """Go on over a new socket as far as it gets."""
        kept = False
        try:
            socket, kept = await self._sockets.take(self.model, self._turn)
            await self._speak_over(socket)
        except EngineError as error:
            reason = error
        else:
            return
        if not (self._opened or kept):
            raise reason
        wait = max(self._caller.lost(reason), min(reason.retry_after or 0.0, LONGEST_WAIT))
        self._tell()
        await asyncio.sleep(wait)

    async def _speak_over(self, socket: Socket) -> None:
        self._socket = socket
        events = self._caller.begin()
        try:
            await socket.send(events)
            while not self._caller.finished:
                while self._caller.queued >= MOST_QUEUED:
                    await self._change()
                self._caller.receive(await self._next(socket))
                self._opened = self._opened or self._caller.ready
                self._tell()
        finally:
            if self._socket is socket:
                self._hang_up()

    async def _next(self, socket: Socket) -> Event:
        """The service's next event, which must not take for ever when it owes one."""
        try:
            async with asyncio.timeout(None) as self._deadline:
                self._expect()
                return await socket.receive()
        except TimeoutError:
            pass
        finally:
            self._deadline = None
        raise TimedOut(
            f"The service said nothing for {self._patience.silence:g} s.", remedy="Try again.", retryable=True
        )

    def _expect(self) -> None:
        """Set the deadline of the service's next word, unless there is one already."""
        if self._deadline is not None and self._caller.due and self._deadline.when() is None:
            self._deadline.reschedule(asyncio.get_running_loop().time() + self._patience.silence)

    def _hang_up(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            self._sockets.retire(socket)

    async def _change(self) -> None:
        """Wait until anything has changed."""
        await self._changed.wait()

    def _tell(self) -> None:
        """Something has changed."""
        self._changed.set()
        self._changed = asyncio.Event()


def _over(message: str) -> RequestError:
    return RequestError(message, remedy="Open another one.", code="session_over")
