"""Voices of clients' own, in DashScope's words.

Owns how a body that may bring a recording is read without holding up anybody, and which answer belongs to which
question. What clients say and are told is in ``wire.customization_server``, what becomes of it in ``enrolling``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lineread.enrolment import Clone, Design
from lineread.wire import body as bodies
from lineread.wire import customization_server as wire
from lineread.wire.customization import Deletion, Listing, Query, Remote

if TYPE_CHECKING:
    from lineread.errors import LinereadError
    from lineread.server.enrolling import Enrolling
    from lineread.server.sight.visit import Visit
    from lineread.wire.customization import Asked
    from lineread.wire.dashscope_server import Refusal


async def decoded(body: bytes) -> Asked:
    """What a body asks for.

    Raises:
        LinereadError: It asks for nothing that can be.
    """
    bodies.check_parts(body)
    return await asyncio.to_thread(wire.decode, body) if len(body) > bodies.LARGE else wire.decode(body)


async def answer(enrolling: Enrolling, visit: Visit, asked: Asked) -> bytes:
    """Do what is asked for, and say what came of it.

    Raises:
        LinereadError: It cannot be done as asked, or not now.
    """
    match asked:
        case Clone():
            return wire.encode_made(await enrolling.make(visit, asked), request_id=visit.id)
        case Design():
            made = await enrolling.make(visit, asked)
            return wire.encode_made(made, request_id=visit.id, preview_text=asked.preview_text)
        case Remote(order, url):
            return wire.encode_made(await enrolling.make(visit, order, url=url), request_id=visit.id)
        case Listing(kind, index, size):
            page = await enrolling.page(visit, kind, index=index, size=size)
            return wire.encode_page(page, request_id=visit.id)
        case Query(voice):
            return wire.encode_found(await enrolling.find(visit, "design", voice), request_id=visit.id)
        case Deletion(kind, voice):
            await enrolling.delete(visit, kind, voice)
            return wire.encode_deleted(voice, request_id=visit.id)


def refusal(error: LinereadError, asked: Asked) -> Refusal:
    """An error in the words of this interface, where it has its own."""
    return wire.refusal(error, voice=asked.voice if isinstance(asked, Query | Deletion) else "")
