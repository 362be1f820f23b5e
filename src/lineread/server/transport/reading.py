"""Request bodies: read in one place, for all dialects, before a handler runs.

Owns their bounds: size, time, encoding. A body that is too large is refused by what its head says, before any of it is
asked for; one that says nothing, or lies, when the bound is passed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from lineread.errors import HttpError, MalformedRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lineread.server.options import Options

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Reading:
    """Reads bodies.

    Args:
        options: The bounds.
    """

    def __init__(self, options: Options) -> None:
        self._most = options.max_body
        self._patience = options.body_timeout

    @web.middleware
    async def door(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Read the body; the handler's own ``read`` finds it there.

        Raises:
            HttpError: It is not taken.
            MalformedRequest: It broke off, or is not framed as HTTP frames bodies.
        """
        if request.body_exists and request.match_info.http_exception is None:
            self._check(request)
            await self._read(request)
        return await handler(request)

    def _check(self, http: web.Request) -> None:
        """Refuse what the head gives away."""
        if (http.content_length or 0) > self._most:
            raise self._too_large()
        if http.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
            raise HttpError(
                "The body is compressed.", remedy="Send it without Content-Encoding.", code="bad_encoding", status=415
            )

    async def _read(self, http: web.Request) -> None:
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
            raise self._too_large() from None
        except web.RequestPayloadError:
            raise MalformedRequest(
                "The body broke off, or is not framed as HTTP wants it.", remedy="Send it again, whole."
            ) from None

    def _too_large(self) -> HttpError:
        return HttpError(
            f"The body has more than {self._most} bytes.",
            remedy="Send the text in parts.",
            code="body_too_large",
            status=413,
        )


async def later(http: web.Request) -> None:
    """Handle ``Expect``: the body is asked for when it is read, not before."""


async def _invite(http: web.Request) -> None:
    """Ask for the body, if the client waits for that."""
    if http.headers.get(hdrs.EXPECT, "").lower() == "100-continue" and http.version >= (1, 1):
        await http.writer.write(_CONTINUE)
        http.writer.output_size = 0  # this was not the answer
