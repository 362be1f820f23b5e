"""OpenAI's dialect: its speech call, by Qwen's voices.

Owns the routes below ``/v1`` and how the sound leaves: as the bytes of a file while they come, or as events. The
shapes are in ``wire.openai``.

A body whose length is known is sent with it. That is so for a line that is kept from before, and for one that the
engine speaks in one piece. Any other leaves while it is spoken; if that fails on the way, the connection is broken
off, because nothing else tells a client that half a file is not a file.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, Protocol

from aiohttp import web

from lineread.audio import codec
from lineread.errors import LinereadError
from lineread.server.dialects.openai import names
from lineread.server.sight.visit import visit_of
from lineread.server.sound.encoding import Bodies, Body, Encoding
from lineread.wire import openai as wire

if TYPE_CHECKING:
    from lineread.server.desk import Desk, Order
    from lineread.server.enrolling import Enrolling
    from lineread.server.sight.visit import Visit

#: Under this lie all routes of the dialect.
PREFIX: Final = "/v1"
#: Bytes of sound in an event. Some clients cannot read lines of 64 KiB, and thirds need no padding.
_EVENT_BYTES: Final = 24_576


class OpenAI:
    """The dialect's handlers.

    Args:
        desk: Has requests spoken.
        enrolling: Knows the voices of clients' own.
    """

    def __init__(self, desk: Desk, enrolling: Enrolling) -> None:
        self._desk = desk
        self._enrolling = enrolling
        self._bodies = Bodies()

    def routes(self) -> list[web.RouteDef]:
        """Where it answers."""
        return [
            web.post(PREFIX + "/audio/speech", self.speech, name="openai.speech"),
            web.get(PREFIX + "/models", self.models, name="openai.models"),
            web.get(PREFIX + "/models/{model:.+}", self.model, name="openai.model"),
            web.get(PREFIX + "/audio/models", self.audio_models, name="openai.audio_models"),
            web.get(PREFIX + "/audio/voices", self.voices, name="openai.voices"),
        ]

    def refuse(self, error: LinereadError, visit: Visit) -> web.Response:
        """An error in this dialect's words."""
        refusal = wire.refusal(error)
        headers = {**refusal.headers, "x-request-id": visit.id}
        return web.Response(body=refusal.body, status=refusal.status, content_type="application/json", headers=headers)

    async def models(self, http: web.Request) -> web.Response:
        """``models``: every name that a request may have."""
        return _json(http, names.models())

    async def model(self, http: web.Request) -> web.Response:
        """``models/{model}``: one of them, with its voices."""
        return _json(http, names.model(http.match_info["model"], await self._enrolling.usable(visit_of(http))))

    async def audio_models(self, http: web.Request) -> web.Response:
        """``audio/models``: the same for Open WebUI."""
        return _json(http, names.models_for_speech())

    async def voices(self, http: web.Request) -> web.Response:
        """``audio/voices``: every name of a voice that a request may have, or those that ``?model=`` speaks."""
        return _json(http, names.voices(http.query.get("model"), await self._enrolling.usable(visit_of(http))))

    async def speech(self, http: web.Request) -> web.StreamResponse:
        """``audio/speech``: a text, spoken."""
        strict = self._desk.options.strict
        asked = wire.decode(await http.read(), strict=strict)
        reply: _Reply = _Events(http) if asked.events else _Audio(http, asked.form)
        request = names.translated(asked.request, strict=strict, is_own=self._desk.knows)
        async with self._desk.order(visit_of(http), request) as order:
            key = f"{order.job.plan.key} {asked.form} {asked.sample_rate or ''}"
            kept = self._bodies.get(key)
            if kept is not None:
                order.visit.heard()
                order.visit.cached, order.visit.engine, order.visit.seconds = True, kept.engine, kept.seconds
                return await reply.whole(kept.data)
            if asked.form not in codec.PLAIN:
                await asyncio.to_thread(codec.load, asked.form)
            encoding = Encoding(asked.form, asked.sample_rate, keep=Bodies.ONE)
            try:
                response, whole = await _spoken(order, encoding, reply)
            except LinereadError as error:
                if not reply.begun:
                    raise
                order.visit.failed(error)
                return await reply.failed(error)
            self._keep(key, order, whole)
            return response

    def _keep(self, key: str, order: Order, whole: bytes | None) -> None:
        """Keep a finished body, if lines are kept at all and the voice that was asked for spoke it."""
        tally = order.tally
        if whole and self._desk.client.cache is not None and not tally.fallback_reason:
            self._bodies.put(key, Body(whole, tally.engine, tally.duration))


async def _spoken(order: Order, encoding: Encoding, reply: _Reply) -> tuple[web.StreamResponse, bytes | None]:
    """Send an order's sound as it comes, or at once if it came in one piece; the body too, unless it is long."""
    rest = b""
    async with aclosing(order.chunks()) as chunks:
        async for chunk in chunks:
            data = await encoding.feed(chunk)
            if chunk.final:
                rest = data
            else:
                await reply.sound(data)
    rest += await encoding.finish()
    whole = encoding.whole  # a copy of it: take it once
    if not reply.begun and whole:
        return await reply.whole(whole), whole
    await reply.sound(rest)
    return await reply.end(), whole


class _Reply(Protocol):
    """How the sound of one speech leaves."""

    @property
    def begun(self) -> bool:
        """The client has the head of the answer."""

    async def whole(self, data: bytes) -> web.StreamResponse:
        """Send all of it."""

    async def sound(self, data: bytes) -> None:
        """Send some more of it. Waits while the client does not read."""

    async def end(self) -> web.StreamResponse:
        """Say that it is whole."""

    async def failed(self, error: LinereadError) -> web.StreamResponse:
        """Say that it is not."""


class _Audio:
    """The file's own bytes."""

    def __init__(self, http: web.Request, form: str) -> None:
        self._http = http
        self._headers = {"Content-Type": codec.MEDIA_TYPES[form], "x-request-id": visit_of(http).id}
        self._response = web.StreamResponse(headers=self._headers)

    @property
    def begun(self) -> bool:
        return self._response.prepared

    async def whole(self, data: bytes) -> web.StreamResponse:
        return web.Response(body=data, headers=self._headers)

    async def sound(self, data: bytes) -> None:
        if data:
            await self._response.prepare(self._http)
            await self._response.write(data)

    async def end(self) -> web.StreamResponse:
        await self._response.write_eof()
        return self._response

    async def failed(self, error: LinereadError) -> web.StreamResponse:
        if self._http.transport is not None:
            self._http.transport.abort()
        return self._response


class _Events:
    """Server-sent events with the file's bytes as Base64."""

    def __init__(self, http: web.Request) -> None:
        self._http = http
        self._visit = visit_of(http)
        self._response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-cache",
                "X-Accel-Buffering": "no",
                "x-request-id": self._visit.id,
            }
        )

    @property
    def begun(self) -> bool:
        return self._response.prepared

    async def whole(self, data: bytes) -> web.StreamResponse:
        await self.sound(data)
        return await self.end()

    async def sound(self, data: bytes) -> None:
        if data:
            await self._response.prepare(self._http)
        for at in range(0, len(data), _EVENT_BYTES):
            await self._response.write(wire.encode_delta(data[at : at + _EVENT_BYTES]))

    async def end(self) -> web.StreamResponse:
        await self._response.prepare(self._http)
        await self._response.write(wire.encode_done(self._visit.characters))
        await self._response.write_eof()
        return self._response

    async def failed(self, error: LinereadError) -> web.StreamResponse:
        await self._response.write(wire.refusal(error).encode_event())
        await self._response.write_eof()
        return self._response


def _json(http: web.Request, value: object) -> web.Response:
    headers = {"x-request-id": visit_of(http).id}
    return web.Response(body=wire.encode(value), content_type="application/json", headers=headers)
