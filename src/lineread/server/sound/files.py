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
from lineread.server.sound.signing import PLACE, VALID

if TYPE_CHECKING:
    import os

    from aiohttp.abc import AbstractStreamWriter

    from lineread.server.desk import Desk
    from lineread.server.sound.shelf import Shelf

#: One range of bytes that says something.
_RANGE: Final = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-0*[1-9]\d{0,17})")
#: The status that says so where the file is shorter.
_NO_SUCH_PART: Final = 416
#: Digits of a time that is one; a longer number is no time of ours.
_MOST_DIGITS: Final = 12


def url(http: web.Request, desk: Desk, name: str) -> tuple[str, int]:
    """Where a client can fetch that file, and until when, in seconds of the epoch."""
    expires = int(time.time()) + VALID
    base = desk.options.public_url or f"{http.scheme}://{http.host}"
    return base.rstrip("/") + desk.shelf.signer.sign(name, expires), expires


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
        shown = query.get("OSSAccessKeyId", ""), query.get("Signature", "")
        if not self._shelf.signer.verifies(name, int(expires), *shown):
            return _refusal(http, 403, "SignatureDoesNotMatch", "The URL was changed, or another server signed it.")
        if int(expires) < time.time():
            return _refusal(http, 403, "AccessDenied", "Request has expired.")
        about = self._shelf.about(name)
        if about is None:
            return _refusal(http, 404, "NoSuchKey", "The file is no longer kept; ask for the speech again.")
        headers = {
            hdrs.CONTENT_TYPE: MEDIA_TYPES[name.rpartition(".")[2]],
            "X-Content-Type-Options": "nosniff",
            "x-request-id": visit_of(http).id,
        }
        return _File(self._shelf.path(name), about, headers)

    async def wrong_method(self, http: web.Request) -> web.Response:
        """What is no fetching."""
        answer = _refusal(http, 405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        answer.headers[hdrs.ALLOW] = "GET, HEAD"
        return answer


class _File(web.FileResponse):
    """A file, of which a part can be had.

    A range that is none, several at once, or one on a condition that is not met is answered with the whole, as HTTP
    allows: aiohttp would refuse the first two, and compares dates, but no entity tags.

    Args:
        path: Where it lies.
        about: What is known of it.
        headers: What the answer says beside.
    """

    def __init__(self, path: str, about: os.stat_result, headers: dict[str, str]) -> None:
        self._tag = f'"{about.st_mtime_ns:x}-{about.st_size:x}"'  # as aiohttp makes it
        super().__init__(path, headers=headers)

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send it."""
        if hdrs.RANGE in request.headers and not self._gives_part(request):
            headers = request.headers.copy()
            del headers[hdrs.RANGE]
            request = request.clone(headers=headers)
        return await super().prepare(request)

    def set_status(self, status: int, reason: str | None = None) -> None:
        """What became of it. Where no part was found nothing follows: aiohttp would send that as a body in chunks."""
        super().set_status(status, reason)
        if status == _NO_SUCH_PART:
            del self.headers[hdrs.CONTENT_TYPE]
            self.content_length = 0

    def _gives_part(self, request: web.BaseRequest) -> bool:
        condition = request.headers.get(hdrs.IF_RANGE, self._tag)
        match = _RANGE.fullmatch(request.headers[hdrs.RANGE])
        return (
            (condition == self._tag or request.if_range is not None)
            and match is not None
            and not (match[2] and int(match[2]) < int(match[1]))
        )


def _refusal(http: web.Request, status: int, code: str, message: str) -> web.Response:
    visit = visit_of(http)
    visit.code = code
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error>\n  <Code>{code}</Code>\n  <Message>{message}</Message>\n"
        f"  <RequestId>{visit.id}</RequestId>\n</Error>\n"
    )
    return web.Response(text=body, status=status, content_type="application/xml", headers={"x-request-id": visit.id})
