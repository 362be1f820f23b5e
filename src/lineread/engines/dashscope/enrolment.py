"""The cloud's maker of voices: which model can speak them, whose they are, where they are kept.

Owns what is known without asking the service, for a voice's id may be wanted where nothing has to be spoken: loading
this is cheap. How the service is asked is ``customizing``.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from lineread import catalogue
from lineread.engines.enroller import Enroller, check_speaker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lineread.config import Secret
    from lineread.engines.dashscope.customizing import Customizing
    from lineread.engines.dashscope.http import Service
    from lineread.enrolment import Clone, Design, Enrolled, Kind, Page

#: The ends of workspaces' own hosts, where the region's id comes before.
_WORKSPACES: Final = ".maas.aliyuncs.com"


class CloudEnroller(Enroller):
    """Makes voices at the service, over an engine's connections.

    Args:
        key: The API key.
        base_url: Where the API is.
        connect: Opens the connections; called when the service has to be asked.
        turn: Awaited before each request, with the name of the model that is asked.
    """

    engine = "dashscope"

    def __init__(
        self, key: Secret, base_url: str, connect: Callable[[], Service], *, turn: Callable[[str], Awaitable[None]]
    ) -> None:
        self.place = place(base_url)
        self.account = hashlib.blake2b(key.reveal().encode(), digest_size=8, person=b"lineread-account").hexdigest()
        self._connect = connect
        self._turn = turn
        self._opened: Customizing | None = None

    def price(self, kind: Kind) -> float:
        """The catalogue's price for the region."""
        return catalogue.dearest(catalogue.load().voice_prices[kind], self.place)

    async def clone(self, order: Clone) -> Enrolled:
        """Make a voice from a sample. It is asked for once: a voice costs money and a place among a thousand.

        Raises:
            ModelError: The model speaks no clones.
            OptionError: The sample is larger than the service takes.
            EngineError: The service refused it or failed. With the code ``voice_in_doubt`` it may have been made.
        """
        check_speaker("clone", order.target_model)
        return await self._service().clone(order)

    async def design(self, order: Design) -> Enrolled:
        """Make a voice from a description, with a preview. It is asked for once, as a clone is.

        Raises:
            ModelError: The model speaks no designed voices.
            EngineError: The service refused it or failed. With the code ``voice_in_doubt`` it may have been made.
        """
        check_speaker("design", order.target_model)
        return await self._service().design(order)

    async def page(self, kind: Kind, *, index: int = 0, size: int = 10) -> Page:
        """Some of the voices that were made that way, in the service's order.

        Raises:
            EngineError: The service refused it or failed.
        """
        return await self._service().page(kind, index, size)

    async def find(self, kind: Kind, voice: str) -> Enrolled:
        """What is known of a voice. Clones are looked for in the lists: the service answers no question about one.

        Raises:
            VoiceError: There is none of that id (code ``voice_not_found``).
            EngineError: The service refused it or failed.
        """
        if kind == "design":
            return await self._service().find(voice)
        async for each in self.every(kind):
            if each.voice == voice:
                return each
        from lineread.engines.dashscope.customizing import not_found  # noqa: PLC0415 - it was loaded just now

        raise not_found(voice)

    async def delete(self, kind: Kind, voice: str) -> None:
        """Delete a voice for ever.

        Raises:
            VoiceError: There is none of that id (code ``voice_not_found``).
            EngineError: The service refused it or failed.
        """
        await self._service().delete(kind, voice)

    def _service(self) -> Customizing:
        if self._opened is None:
            from lineread.engines.dashscope.customizing import Customizing  # noqa: PLC0415 - asyncio and aiohttp

            self._opened = Customizing(self._connect(), turn=self._turn)
        return self._opened


def place(base_url: str) -> str:
    """The region whose API is at a URL; the URL's host where that is none of the service's."""
    host = base_url.partition("://")[2].partition("/")[0]
    for region in catalogue.load().regions.values():
        if host == region.http.split("/")[2] or host.endswith(f".{region.id}{_WORKSPACES}"):
            return region.id
    return host
