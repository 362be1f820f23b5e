"""DashScope's HTTP dialect: Qwen TTS as its own clients call it.

Owns the routes below ``/api/v1`` and how sound leaves: as a URL once it is finished, or as events while it comes. What
clients say and are told is in ``wire.dashscope_server``, what they may ask for in ``rules``; voices of their own are
``customization``'s.

A stream's last event names the file with the whole. It is written beside the stream; where the disk fails, the stream
does not, and that URL is empty.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import pybase64
from aiohttp import hdrs, web

from lineread.audio import codec
from lineread.errors import LinereadError, NotServed, VoiceError
from lineread.server.dialects.dashscope import customization, rules
from lineread.server.sight.visit import visit_of
from lineread.server.sound import files
from lineread.server.sound.encoding import Encoding
from lineread.wire import customization_server
from lineread.wire import dashscope_server as wire
from lineread.wire.customization import PATH as CUSTOMIZATION
from lineread.wire.dashscope import PATH

if TYPE_CHECKING:
    from lineread.server.desk import Desk, Order
    from lineread.server.enrolling import Enrolling
    from lineread.server.sight.visit import Visit

#: Under this lie all routes of the dialect.
PREFIX: Final = "/api/v1"
#: Names of the routes that take recordings.
UPLOADS: Final = ("dashscope.customization",)
#: Bytes of sound in an event: 0.3 seconds, as many as the cloud sends. Whole samples, and Base64 without padding.
_EVENT_BYTES: Final = 14_400
_LONGEST_METHOD: Final = 16


class Dashscope:
    """The dialect's handlers.

    Args:
        desk: Has requests spoken.
        enrolling: Has voices made.
    """

    def __init__(self, desk: Desk, enrolling: Enrolling) -> None:
        self._desk = desk
        self._enrolling = enrolling

    def routes(self) -> list[web.RouteDef]:
        """Where it answers: everywhere below its prefix, in its own words."""
        return [
            web.post(PREFIX + PATH, self.generation, name="dashscope.generation"),
            web.route("*", PREFIX + PATH, self.wrong_method),
            web.post(PREFIX + CUSTOMIZATION, self.customization, name=UPLOADS[0]),
            web.route("*", PREFIX + CUSTOMIZATION, self.wrong_method),
            web.route("*", PREFIX, self.elsewhere),
            web.route("*", PREFIX + "/{tail:.*}", self.elsewhere),
        ]

    def refuse(self, error: LinereadError, visit: Visit) -> web.Response:
        """An error in this dialect's words."""
        return _refused(wire.refusal(error), visit)

    async def generation(self, http: web.Request) -> web.StreamResponse:
        """``multimodal-generation``: speech in one reply, or as events when the header asks for them."""
        options = self._desk.options
        asked = wire.decode(await http.read())
        request = rules.accepted(
            asked.request, most_characters=options.max_characters, strict=options.strict, is_own=self._desk.knows
        )
        async with self._desk.order(visit_of(http), request) as order:
            if http.headers.get("X-DashScope-SSE", "").strip().lower() == "enable":
                return await self._stream(http, order, asked.sample_rate)
            return await self._whole(http, order, asked.sample_rate)

    async def customization(self, http: web.Request) -> web.Response:
        """``customization``: voices of the client's own are made, listed, found and deleted."""
        visit = visit_of(http)
        asked = await customization.decoded(await http.read())
        try:
            return _json(await customization.answer(self._enrolling, visit, asked), visit)
        except VoiceError as error:
            visit.failed(error)
            return _refused(customization.refusal(error, asked), visit)

    async def wrong_method(self, http: web.Request) -> web.Response:
        """The right address, by another method than POST."""
        message = f"Request method '{http.method[:_LONGEST_METHOD]}' is not supported."
        serves = customization_server.SERVES if http.path == PREFIX + CUSTOMIZATION else wire.SERVES
        error = NotServed(message, remedy=serves, code="wrong_method")
        visit = visit_of(http)
        visit.failed(error)
        answer = self.refuse(error, visit)
        answer.headers[hdrs.ALLOW] = hdrs.METH_POST
        return answer

    async def elsewhere(self, http: web.Request) -> web.Response:
        """An address that the service has, perhaps, and this server has not."""
        raise NotServed(
            "There is nothing at this address: no CosyVoice, no Qwen-Audio, no files or tasks.",
            remedy=wire.SERVES,
        )

    async def _whole(self, http: web.Request, order: Order, sample_rate: int | None) -> web.Response:
        name = await self._desk.file(order, sample_rate)
        url, expires_at = files.url(http, self._desk, name)
        visit = order.visit
        body = wire.encode_reply(request_id=visit.id, url=url, expires_at=expires_at, characters=visit.characters)
        return _json(body, visit)

    async def _stream(self, http: web.Request, order: Order, sample_rate: int | None) -> web.StreamResponse:
        """Events as the sound comes. What fails before the first of them is a plain error; later it is an event."""
        events = _Events(http, order.visit)
        form = order.job.request.format
        if form not in codec.PLAIN:
            await asyncio.to_thread(codec.load, form)
        encoding = Encoding("pcm" if form == "wav" and not self._desk.options.riff else form, sample_rate)
        async with self._desk.beside(order, sample_rate) as file:
            try:
                async with aclosing(order.chunks()) as chunks:
                    async for chunk in chunks:
                        await file.add(chunk)
                        await events.sound(await encoding.feed(chunk))
                await events.sound(await encoding.finish())
            except LinereadError as error:
                if not events.begun:
                    raise
                order.visit.failed(error)
                return await events.failed(error)
            name = await file.keep()
        return await events.end(*(files.url(http, self._desk, name) if name else ("", int(time.time()))))


class _Events:
    """One stream of events."""

    def __init__(self, http: web.Request, visit: Visit) -> None:
        self._http = http
        self._visit = visit
        self._count = 0
        self._response = web.StreamResponse(
            headers={
                hdrs.CONTENT_TYPE: "text/event-stream;charset=UTF-8",
                hdrs.CACHE_CONTROL: "no-cache",
                "X-Accel-Buffering": "no",
                "x-request-id": visit.id,
            }
        )

    @property
    def begun(self) -> bool:
        """The client has the head of the answer."""
        return self._response.prepared

    async def sound(self, data: bytes) -> None:
        """Send some more of it. Waits while the client does not read."""
        now = int(time.time())
        pieces = (data[at : at + _EVENT_BYTES] for at in range(0, len(data), _EVENT_BYTES))
        await self._send(b"".join(self._event(pybase64.b64encode(piece), now) for piece in pieces))

    async def end(self, url: str, expires_at: int) -> web.StreamResponse:
        """Tell where the whole is."""
        await self._send(self._event(b"", expires_at, url))
        await self._response.write_eof()
        return self._response

    async def failed(self, error: LinereadError) -> web.StreamResponse:
        """Tell what went wrong."""
        self._count += 1
        await self._send(wire.refusal(error).encode_event(self._count, self._visit.id))
        await self._response.write_eof()
        return self._response

    def _event(self, audio: bytes, expires_at: int, url: str | None = None) -> bytes:
        self._count += 1
        return wire.encode_event(
            self._count,
            request_id=self._visit.id,
            audio=audio,
            expires_at=expires_at,
            characters=self._visit.characters,
            url=url,
        )

    async def _send(self, events: bytes) -> None:
        if events:
            await self._response.prepare(self._http)  # does nothing the second time
            await self._response.write(events)


def _refused(refusal: wire.Refusal, visit: Visit) -> web.Response:
    return _json(refusal.encode(visit.id), visit, refusal.status, **refusal.headers)


def _json(body: bytes, visit: Visit, status: int = 200, **headers: str) -> web.Response:
    headers["x-request-id"] = visit.id
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)
