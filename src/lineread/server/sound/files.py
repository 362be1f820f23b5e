"""Finished audio over HTTP: the URLs that a dialect gives away, and the route that serves them.

Owns ``/audio/``: signed, valid for a day, with ``Range``, conditions and ``HEAD``. It answers what is wrong in the XML
of the object store that serves the cloud's own URLs.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from lineread.audio.codec import MEDIA_TYPES
from lineread.server.sight.visit import visit_of
from lineread.server.sound.shelf import PLACE, VALID

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter

    from lineread.server.desk import Desk
    from lineread.server.sound.shelf import Shelf

#: One range of bytes that says something.
_RANGE: Final = re.compile(r"bytes=(?:\d+-\d*|-\d+)")
#: Digits of a time that is one; a longer number is no time of ours.
_MOST_DIGITS: Final = 12


def url(http: web.Request, desk: Desk, name: str) -> tuple[str, int]:
    """Where a client can fetch that file, and until when, in seconds of the epoch."""
    expires = int(time.time()) + VALID
    base = desk.options.public_url or f"{http.scheme}://{http.host}"
    return base.rstrip("/") + desk.shelf.sign(name, expires), expires


class Audio:
    """The route of the files."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def routes(self) -> list[web.RouteDef]:
        """Where it answers."""
        place = PLACE + "{name}"
        return [web.get(place, self.file, name="audio"), web.route("*", place, self.wrong_method)]

    async def file(self, http: web.Request) -> web.StreamResponse:
        """A file, to whoever has its URL."""
        name = http.match_info["name"]
        query = http.query
        expires = query.get("Expires", "")
        if not (expires.isascii() and expires.isdigit() and len(expires) < _MOST_DIGITS):
            return _refusal(http, 403, "AccessDenied", "The URL is not signed.")
        if not self._shelf.verifies(name, int(expires), query.get("OSSAccessKeyId", ""), query.get("Signature", "")):
            return _refusal(http, 403, "SignatureDoesNotMatch", "The URL was changed, or another server signed it.")
        if int(expires) < time.time():
            return _refusal(http, 403, "AccessDenied", "Request has expired.")
        if not self._shelf.has(name):
            return _refusal(http, 404, "NoSuchKey", "The file is no longer kept; ask for the speech again.")
        headers = {
            hdrs.CONTENT_TYPE: MEDIA_TYPES[name.rpartition(".")[2]],
            "X-Content-Type-Options": "nosniff",
            "x-request-id": visit_of(http).id,
        }
        return _File(self._shelf.path(name), headers=headers)

    async def wrong_method(self, http: web.Request) -> web.Response:
        """What is no fetching."""
        answer = _refusal(http, 405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        answer.headers[hdrs.ALLOW] = "GET, HEAD"
        return answer


class _File(web.FileResponse):
    """A file, of which a part can be had.

    A range that is none, several at once, or one on the condition of an entity tag is answered with the whole, as
    HTTP allows: aiohttp would refuse the first two, and would not look at the tag.
    """

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send it."""
        asked = request.headers.get(hdrs.RANGE)
        if asked is not None and not (_RANGE.fullmatch(asked) and request.headers.get(hdrs.IF_RANGE, "")[-1:] != '"'):
            headers = request.headers.copy()
            del headers[hdrs.RANGE]
            request = request.clone(headers=headers)
        return await super().prepare(request)


def _refusal(http: web.Request, status: int, code: str, message: str) -> web.Response:
    visit = visit_of(http)
    visit.code = code
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error>\n  <Code>{code}</Code>\n  <Message>{message}</Message>\n"
        f"  <RequestId>{visit.id}</RequestId>\n</Error>\n"
    )
    return web.Response(text=body, status=status, content_type="application/xml", headers={"x-request-id": visit.id})
