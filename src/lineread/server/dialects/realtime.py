"""DashScope's realtime dialect: a session over a WebSocket, as its own clients open one.

Owns the socket: what comes in goes to the answerer (``wire.realtime``), what that says is sent or done. One task takes
messages, one takes the voice's chunks, and one sends, so that what was said first leaves first. Whoever does not read
holds up its own voice and nothing else.

How a session ends: the client's close, ``session.finished`` and then ours, or one of these codes. Before all but 1009
an ``error`` event says why:

    1001  the server is about to stop, and all that was handed over has been spoken
    1008  the session lay idle, or lasted too long
    1009  a message is too long
    1011  the server has a bug

Whatever else goes wrong is an ``error`` event, and the session goes on; without a voice, if that has failed for good.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from aiohttp import WebSocketError, WSCloseCode, WSMessage, WSMsgType, web

from lineread.audio import codec
from lineread.audio.codec import PLAIN
from lineread.errors import HttpError, Leaving, LinereadError, MalformedRequest, NotServed, RequestError, TurnedAway
from lineread.server.sight.visit import visit_of
from lineread.server.sound.encoding import Encoding
from lineread.server.transport import connection
from lineread.speech import LiveRequest
from lineread.wire.dashscope_server import error_header
from lineread.wire.realtime.answerer import Answerer, Cancel, Clear, Commit, End, SetUp, Write
from lineread.wire.realtime.events import LONGEST_MESSAGE, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from lineread.engines.link import Link
    from lineread.server.desk import Desk
    from lineread.server.sessions import Sessions, Sitting
    from lineread.speech import Chunk
    from lineread.wire.realtime.answerer import Event, Step

T = TypeVar("T")

#: Under this lie all routes of the dialect.
PREFIX: Final = "/api-ws/v1"
#: What a client gets that does not say which voice and model it wants.
_VOICE: Final = "Cherry"
_MODEL: Final = "qwen3-tts-flash-realtime"
#: Most events that wait to be sent before the voice waits: half a minute of sound.
_MOST_WAITING: Final = 100
#: Most events that wait before no more messages are answered: refusals cost their sender less than us.
_MOST_REPLIES: Final = 1_000
#: Most steps that wait to be taken before no more messages are read.
_MOST_STEPS: Final = 10_000
#: Bytes that the system holds of what a client has no room for. There is room beyond them, for the words at the end.
_MOST_UNSENT: Final = 16 << 10
#: Seconds that a client gets to close a finished session before we do.
_GRACE: Final = 1.0
#: Seconds that a client gets to take a close that it has not asked for. A server that stops waits a little longer.
_GOODBYE: Final = 1.5
#: Seconds between looks whether a session has been spoken to its end, when the server is about to stop.
_LOOK: Final = 0.05
#: What the file formats are called that hold a session's formats.
_FORMATS: Final = {"opus": "ogg"}


class Realtime:
    """The dialect's handlers.

    Args:
        desk: Has the options.
        sessions: Gives sessions.
    """

    def __init__(self, desk: Desk, sessions: Sessions) -> None:
        self._desk = desk
        self._sessions = sessions

    def routes(self) -> list[web.RouteDef]:
        """Where it answers."""
        return [
            web.get(f"{PREFIX}/realtime", self.session, name="realtime.session", allow_head=False),
            web.route("*", PREFIX + "/{tail:.*}", self.elsewhere),
        ]

    async def session(self, http: web.Request) -> web.StreamResponse:
        """One session, from the handshake to the close."""
        # What waits, waits in the outbox, where it can be taken back: below it is next to nothing.
        socket = web.WebSocketResponse(max_msg_size=LONGEST_MESSAGE, timeout=_GRACE, compress=False, writer_limit=0)
        if not socket.can_prepare(http).ok:
            raise HttpError(
                "This address speaks WebSocket.",
                remedy=f"Connect to ws://{http.host}{PREFIX}/realtime?model={_MODEL}.",
                code="no_websocket",
                status=426,
            )
        model = http.query.get("model") or _MODEL
        async with self._sessions.take(visit_of(http)) as sitting:
            await socket.prepare(http)
            if http.transport is not None:
                connection.hold_back(http.transport, _MOST_UNSENT)
            conversation = _Conversation(http, socket, sitting, LiveRequest(_VOICE, model=model), self._desk)
            try:
                await conversation.run()
            except asyncio.CancelledError:  # the connection is gone, which is no news to a session that is over
                if not conversation.parted:
                    raise
        if not conversation.parted:
            raise ConnectionResetError("the client is gone")
        return socket

    def leave(self) -> None:
        """The server is about to stop: each session ends as soon as it has spoken what it was given."""
        self._sessions.leaving.set()

    async def elsewhere(self, http: web.Request) -> web.Response:
        """An address that the service has, perhaps, and this server has not."""
        raise NotServed(
            "There is nothing at this address: no CosyVoice, no speech recognition, no omni models.",
            remedy=f"Qwen TTS realtime is at {PREFIX}/realtime?model={_MODEL}.",
            code="no_such_socket",
        )


def reason(error: LinereadError) -> dict[str, str]:
    """What a refused handshake says in a header: clients get to see no more of it."""
    return error_header(error)


class _Ending(NamedTuple):
    """How a session ends.

    Attributes:
        code: What the close says; 0 where nobody is left to hear it.
        error: Why, where the client did not ask for it.
    """

    code: int
    error: LinereadError | None = None


class _Conversation:
    """One session: a socket, an answerer, and a link while there is one.

    Attributes:
        parted: It came to its end: by a close, or because all was said.
    """

    def __init__(
        self, http: web.Request, socket: web.WebSocketResponse, sitting: Sitting, request: LiveRequest, desk: Desk
    ) -> None:
        self.parted = False
        self._http = http
        self._socket = socket
        self._sitting = sitting
        self._desk = desk
        self._answerer = Answerer(request, check=sitting.check, take=sitting.take)
        self._outbox = _Outbox(socket, sitting.sent)
        self._steps: asyncio.Queue[Step] = asyncio.Queue(_MOST_STEPS)
        self._ending: asyncio.Future[_Ending] = asyncio.get_running_loop().create_future()
        self._listening: asyncio.Task[_Ending] | None = None
        self._cancels = 0
        self._lost = False
        self._speaking: asyncio.Task[None] | None = None
        self._link: Link | None = None
        self._sound: Encoding | None = None
        self._epoch = 0
        self._heard = _now()

    async def run(self) -> None:
        """Hold it to its end."""
        self._outbox.put(self._answerer.open())
        self._listening = self._begin(self._listen())
        tasks = [self._listening, *(self._begin(work) for work in (self._send(), self._work(), self._watch()))]
        try:
            await self._close(await self._ending)
        except asyncio.CancelledError:
            if self._desk.closing:
                await self._close(_Ending(WSCloseCode.GOING_AWAY, _leaving()))
            raise
        except Exception:  # a bug, which the doors report
            await self._close(_Ending(WSCloseCode.INTERNAL_ERROR, _bug()))
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.shield(self._hang_up())

    def _begin(self, work: Coroutine[None, None, T]) -> asyncio.Task[T]:
        """Begin some work. If it gives an ending, that is the session's; if it fails, the session does."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[T]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if self._ending.done():
            return
        if isinstance(error, ConnectionError):
            return  # whoever listens is told as well
        if error is not None:
            self._ending.set_exception(error)
        elif isinstance(ending := task.result(), _Ending):
            self._ending.set_result(ending)

    async def _listen(self) -> _Ending:
        """Take the client's messages until it leaves."""
        while True:
            message = await self._socket.receive()
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return self._left(message)
            self._heard = _now()
            for step in self._answerer.receive(message.data):
                if isinstance(step, Cancel):
                    await self._silence()
                await self._steps.put(step)

    def _left(self, message: WSMessage) -> _Ending:
        if message.type is WSMsgType.CLOSE or self._answerer.over:
            self.parted = True
        elif isinstance(message.data, WebSocketError):  # it has been told by a close
            self.parted = True
            self._sitting.failed(_no_message(message.data))
        return _Ending(0)

    async def _watch(self) -> _Ending:
        """Look whether it lasts too long, or lies idle, or the server is about to stop."""
        options, leaving = self._desk.options, self._sitting.leaving
        oldest = _now() + options.session_seconds
        while True:
            now = _now()
            wait = min(oldest, max(self._heard, self._outbox.moved) + options.session_idle) - now
            if self._answerer.over:
                wait = options.session_idle  # it is closed before that
            elif now >= oldest:
                return _Ending(WSCloseCode.POLICY_VIOLATION, _too_old())
            elif wait <= 0:
                return _Ending(WSCloseCode.POLICY_VIOLATION, _idle(options.session_idle))
            elif leaving.is_set() and not self._busy:
                return _Ending(WSCloseCode.GOING_AWAY, _leaving())
            if leaving.is_set():
                await asyncio.sleep(min(wait, _LOOK))
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await leaving.wait()

    @property
    def _busy(self) -> bool:
        """Something is being spoken, or about to be, or not sent yet."""
        return self._answerer.busy or self._outbox.full_of(1) or not self._steps.empty()

    async def _silence(self) -> None:
        """Cancel before its turn has come: what stands before it may wait for room that only this makes."""
        self._cancels += 1
        self._epoch += 1
        if self._link is not None:
            await self._link.cancel()
        self._outbox.drop_sound()

    async def _work(self) -> None:
        """Take the steps, in order."""
        while True:
            step = await self._steps.get()
            if isinstance(step, SetUp):
                self._lost = False
            if isinstance(step, dict) or not self._lost:
                await self._do(step)
            elif isinstance(step, Cancel):
                self._cancels -= 1

    async def _do(self, step: Step) -> None:
        try:
            match step:
                case SetUp():
                    await self._set_up(step.request)
                case Cancel():
                    await self._cancel()
                case Write() | Commit() | Clear() | End():
                    assert self._link is not None
                    await _command(self._link, step)
                    if self._cancels:  # it is forgotten already; but the link has to know that it was there
                        await self._link.cancel()
                case event:
                    self._outbox.put([event])
                    await self._outbox.room(_MOST_REPLIES)
        except LinereadError as error:
            if isinstance(step, SetUp) or not isinstance(error, RequestError):
                self._fail(error)
            elif not self._lost:  # some of the text cannot be spoken; the rest is
                self._outbox.put([self._answerer.refused(error)])

    async def _set_up(self, request: LiveRequest) -> None:
        await self._hang_up()
        link = self._link = self._sitting.link(request)
        await link.open()
        self._speaking = self._begin(self._speak(link))

    async def _cancel(self) -> None:
        assert self._link is not None
        self._cancels -= 1
        self._epoch += 1
        self._sound = None
        await self._link.cancel()
        self._outbox.put(self._answerer.cancelled())

    async def _speak(self, link: Link) -> None:
        """Send what is spoken, as fast as the client takes it."""
        try:
            async with aclosing(link.chunks()) as chunks:
                async for chunk in chunks:
                    await self._tell(chunk)
                    await self._outbox.room(_MOST_WAITING)
            self._outbox.put(self._answerer.finished())
        except LinereadError as error:
            self._fail(error)

    async def _tell(self, chunk: Chunk) -> None:
        epoch = self._epoch
        audio = await self._encoded(chunk)
        if epoch != self._epoch:
            return  # it was cancelled meanwhile
        before = self._answerer.spoken
        self._outbox.put(self._answerer.speak(chunk, audio))
        self._sitting.heard(chunk, self._answerer.spoken - before)

    async def _encoded(self, chunk: Chunk) -> bytes:
        """A chunk's sound in the format that was asked for: each response is a file of its own."""
        form = self._answerer.request.response_format
        if form == "pcm":
            return chunk.pcm
        form = _FORMATS.get(form, form)
        if form not in PLAIN:
            await asyncio.to_thread(codec.load, form)
        sound = self._sound = self._sound or Encoding(form)
        audio = await sound.feed(chunk)
        if chunk.final:
            audio += await sound.finish()
            self._sound = None
        return audio

    async def _send(self) -> _Ending:
        """Send what there is to say. When all was said, the client has a moment to close before we do."""
        await self._outbox.run()
        self.parted = True
        await asyncio.sleep(_GRACE)
        return _Ending(WSCloseCode.OK)

    def _fail(self, error: LinereadError) -> None:
        """The link is lost. It may say so twice: to whoever reads it, and to whoever writes."""
        if not self._lost:
            self._lost = True
            self._sitting.failed(error)
            self._outbox.put(self._answerer.failed(error))

    async def _close(self, ending: _Ending) -> None:
        """Tell why, and close. A client that is slow finds both behind what it has not read yet."""
        if not ending.code:
            return
        self.parted = True
        if ending.error is not None:
            self._sitting.failed(ending.error)
            self._outbox.put(self._answerer.failed(ending.error))
        self._outbox.drop_sound()
        if self._http.transport is not None:
            connection.hold_back(self._http.transport, 0)
        await _stopped(self._listening)  # aiohttp awaits the client's answer only where nobody else does
        farewell = asyncio.create_task(self._outbox.close(ending.code))
        try:
            # Not a timeout: what is cancelled while it waits for room breaks all that waits for it after that.
            await asyncio.wait([farewell], timeout=_GOODBYE)
        finally:
            farewell.cancel()

    async def _hang_up(self) -> None:
        """Let go of the link."""
        speaking, self._speaking = self._speaking, None
        link, self._link = self._link, None
        await _stopped(speaking)
        if link is not None:
            await link.aclose()


class _Outbox:
    """Events on their way to the client, in order.

    Args:
        socket: Takes them.
        tell: Is told of each message that has left.

    Attributes:
        moved: When the client took the last one.
    """

    def __init__(self, socket: web.WebSocketResponse, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self.moved = _now()
        self._socket = socket
        self._events: deque[Event] = deque()
        self._on_its_way = 0
        self._news = asyncio.Event()
        self._shrunk = asyncio.Event()
        self._broken: ConnectionError | None = None
        self._complete = False

    def put(self, events: Iterable[Event]) -> None:
        """Send these when those before are sent. After the session's end there is nothing more to say."""
        for event in events:
            if not self._complete:
                self._events.append(event)
                self._complete = event["type"] == "session.finished"
        self._news.set()

    def drop_sound(self) -> None:
        """Take back the sound that is not sent yet."""
        self._events = deque(event for event in self._events if event["type"] != "response.audio.delta")
        self._shrunk.set()

    async def run(self) -> None:
        """Send them, until all was said.

        Raises:
            ConnectionError: The client is gone.
        """
        sent = ""
        try:
            while sent != "session.finished":
                while self._events:
                    event = self._events.popleft()
                    message = encode(event)
                    self._on_its_way = 1
                    await self._socket.send_str(message)
                    self._on_its_way = 0
                    self._tell(message)
                    sent = event["type"]
                    self.moved = _now()
                    self._shrunk.set()
                self._news.clear()
                if sent != "session.finished":
                    await self._news.wait()
        except ConnectionError as error:
            self._broken = error
            self._shrunk.set()
            raise

    async def close(self, code: int) -> None:
        """Send what is left, and a close. All of it is written at once; to wait is for the client to take it."""
        messages = [encode(event) for event in self._events]
        self._events.clear()
        sending = [self._socket.send_str(message) for message in messages]
        await asyncio.gather(*sending, self._socket.close(code=code), return_exceptions=True)

    def full_of(self, events: int) -> bool:
        """There are so many of them, or more."""
        return len(self._events) + self._on_its_way >= events

    async def room(self, events: int) -> None:
        """Wait until there are fewer than so many of them.

        Raises:
            ConnectionError: The client is gone.
        """
        while self.full_of(events) and self._broken is None:
            self._shrunk.clear()
            await self._shrunk.wait()
        if self._broken is not None:
            raise self._broken


async def _command(link: Link, step: Write | Commit | Clear | End) -> None:
    match step:
        case Write(text):
            await link.write(text)
        case Commit():
            await link.commit()
        case Clear():
            await link.clear()
        case End():
            await link.end()


async def _stopped(task: asyncio.Task[T] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.wait([task])


def _now() -> float:
    return asyncio.get_running_loop().time()


def _idle(seconds: float) -> LinereadError:
    return TurnedAway(
        f"Nothing was said for {seconds:g} s.", remedy="Open another session.", code="session_idle", retryable=True
    )


def _too_old() -> LinereadError:
    return TurnedAway(
        "The session has lasted as long as one may.", remedy="Open another.", code="session_too_long", retryable=True
    )


def _leaving() -> LinereadError:
    return Leaving("This server is about to stop.", remedy="Open another session in a moment.", retryable=True)


def _bug() -> LinereadError:
    return LinereadError(
        "This server has a bug.", remedy="Tell whoever runs it; its log says more.", code="bug", retryable=True
    )


def _no_message(error: WebSocketError) -> LinereadError:
    code = "message_too_long" if error.code == WSCloseCode.MESSAGE_TOO_BIG else "no_websocket"
    return MalformedRequest(f"A frame was refused: {error}.", remedy="Send text in smaller pieces.", code=code)
