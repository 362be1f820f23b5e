"""Request bodies: read in one place, for all dialects, before a handler runs.

Owns their bounds: size, time, encoding. A body that is too large is refused by what its head says, before any of it is
asked for; one that says nothing, or lies, when the bound is passed. A few routes take recordings, which are larger: of
these bodies only so many are held at a time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from lineread.errors import HttpError, MalformedRequest
from lineread.server.access.limits import Seats
from lineread.server.sight.visit import visit_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from lineread.server.options import Options

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Reading:
    """Reads bodies.

    Args:
        options: The bounds.
        uploads: Names of the routes that take recordings.
    """

    def __init__(self, options: Options, uploads: Collection[str]) -> None:
        self._most = options.max_body
        self._most_upload = options.max_upload
        self._uploads = uploads
        self._held = Seats(options.max_making)
        self._patience = options.body_timeout

    @web.middleware
    async def door(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Read the body; the handler's own ``read`` finds it there.

        Raises:
            HttpError: It is not taken.
            Overloaded: As many recordings are held as may be.
            MalformedRequest: It broke off, or is not framed as HTTP frames bodies.
        """
        if not request.body_exists or request.match_info.http_exception is not None:
            return await handler(request)
        if not self._may_be_large(request):
            await self._read(request, self._most)
            return await handler(request)
        with self._held.take(visit_of(request).caller, shared=True):
            roomy = request.clone(client_max_size=self._most_upload)
            await self._read(roomy, self._most_upload)
            return await handler(roomy)

    def _may_be_large(self, http: web.Request) -> bool:
        """Whether it brings a recording, for all that its head says."""
        is_small = http.content_length is not None and http.content_length <= self._most
        return http.match_info.route.name in self._uploads and not is_small

    async def _read(self, http: web.Request, most: int) -> None:
        """Read the body.

        Args:
            http: The request; it reads no body that is larger.
            most: Most bytes.
        """
        if (http.content_length or 0) > most:
            raise _too_large(most)
        if http.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
            raise HttpError(
                "The body is compressed.", remedy="Send it without Content-Encoding.", code="bad_encoding", status=415
            )
        try:
            async with asyncio.timeout(self._patience):
                await _invite(http)
                await http.read()
        except TimeoutError:
            raise HttpError(
                f"The body did not come within {self._patience:g} s.",
                remedy="Send it faster, or try again.",
                code="body_too_slow",
                status=408,
            ) from None
        except web.HTTPRequestEntityTooLarge:
            raise _too_large(most) from None
        except web.RequestPayloadError:
            raise MalformedRequest(
                "The body broke off, or is not framed as HTTP wants it.", remedy="Send it again, whole."
            ) from None


async def later(http: web.Request) -> None:
    """Handle ``Expect``: the body is asked for when it is read, not before."""


def _too_large(most: int) -> HttpError:
    return HttpError(
        f"The body has more than {most} bytes.",
        remedy="Send the text in parts, or a shorter recording.",
        code="body_too_large",
        status=413,
    )


async def _invite(http: web.Request) -> None:
    """Ask for the body, if the client waits for that."""
    if http.headers.get(hdrs.EXPECT, "").lower() == "100-continue" and http.version >= (1, 1):
        await http.writer.write(_CONTINUE)
        http.writer.output_size = 0  # this was not the answer
