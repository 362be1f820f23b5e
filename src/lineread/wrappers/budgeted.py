"""Speech and voices within a budget: nothing is begun that the purse cannot pay for.

Owns what counts as spent. Each call of the service is held in the purse before it begins. What was refused, and what
was never sent, costs nothing; where it cannot be known whether the service bills a call (a connection that dropped, a
deadline, somebody who left in the middle), it is taken for billed. What the cache answers never comes here.
"""

from __future__ import annotations

from contextlib import aclosing
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from lineread.budget import Cost
from lineread.engines.base import Engine, Wrapper
from lineread.engines.enroller import Enroller
from lineread.engines.link import Link
from lineread.enrolment import IN_DOUBT, Design
from lineread.errors import EngineError, LinereadError
from lineread.speech import billed_characters

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from lineread.budget import Purse, Tariff
    from lineread.engines.base import Turn
    from lineread.enrolment import Clone, Enrolled, Kind, Page
    from lineread.speech import Chunk, LiveRequest, Segment

_NOTHING: Final = Cost()


class Budgeted(Wrapper):
    """An engine that speaks as long as the purse lasts. It lies next to the engine, so that each call counts.

    Args:
        inner: The engine.
        purse: What may be spent.
    """

    def __init__(self, inner: Engine, purse: Purse) -> None:
        super().__init__(inner)
        self._purse = purse

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        """As the inner engine.

        Raises:
            OverBudget: It costs more than is left.
        """
        tariff = self.inner.tariff(segment.request)
        characters = billed_characters(segment.text)
        cost = _NOTHING if tariff is None else tariff.cost(characters)
        hold = (segment.share or self._purse).hold(cost)
        try:
            async with aclosing(self.inner.stream(segment)) as chunks:
                async for chunk in chunks:
                    if tariff is not None and chunk.facts is not None and chunk.facts.characters:
                        cost = tariff.cost(chunk.facts.characters)
                    yield chunk
        except EngineError as error:
            if not error.may_be_billed:
                cost = _NOTHING
            raise
        finally:
            hold.settle(cost)

    def link(self, request: LiveRequest, *, turn: Turn | None = None) -> Link | None:
        """As the inner engine's, as long as the purse lasts."""
        link = self.inner.link(request, turn=turn)
        tariff = None if link is None else self.inner.tariff(link.request)
        return link if link is None or tariff is None else _Link(link, tariff, self._purse)

    def enroller(self, *, turn: Turn | None = None) -> Enroller | None:
        """As the inner engine's, as long as the purse lasts."""
        enroller = self.inner.enroller(turn=turn)
        return None if enroller is None else _Enroller(enroller, self._purse)


class _Link(Link):
    """A session that takes text as long as the purse lasts. What is written counts, whatever becomes of it."""

    def __init__(self, inner: Link, tariff: Tariff, purse: Purse) -> None:
        self.request = inner.request
        self.sample_rate = inner.sample_rate
        self._inner = inner
        self._tariff = tariff
        self._purse = purse

    async def open(self) -> None:
        await self._inner.open()

    async def write(self, text: str) -> None:
        """As the inner link.

        Raises:
            OverBudget: It costs more than is left. None of it was written.
        """
        self._purse.hold(self._tariff.cost(billed_characters(text)))
        await self._inner.write(text)

    async def commit(self) -> None:
        await self._inner.commit()

    async def clear(self) -> None:
        await self._inner.clear()

    async def cancel(self) -> None:
        await self._inner.cancel()

    async def end(self) -> None:
        await self._inner.end()

    def chunks(self) -> AsyncGenerator[Chunk, None]:
        return self._inner.chunks()

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Enroller(Enroller):
    """An enroller that makes voices as long as the purse lasts."""

    def __init__(self, inner: Enroller, purse: Purse) -> None:
        self.engine, self.place, self.account = inner.engine, inner.place, inner.account
        self._inner = inner
        self._purse = purse

    def target(self, kind: Kind, *, model: str | None = None, realtime: bool = False) -> str:
        return self._inner.target(kind, model=model, realtime=realtime)

    def price(self, kind: Kind) -> float:
        return self._inner.price(kind)

    def lacks(self, voice: str) -> bool:
        return self._inner.lacks(voice)

    def check_budget(self, kind: Kind, voices: int) -> None:
        """As its base."""
        self._purse.check(Cost(yuan=Decimal(str(self._inner.price(kind))) * voices))

    async def clone(self, order: Clone) -> Enrolled:
        """As the inner enroller.

        Raises:
            OverBudget: It costs more than is left.
        """
        return await self._paid("clone", order)

    async def design(self, order: Design) -> Enrolled:
        """As the inner enroller.

        Raises:
            OverBudget: It costs more than is left.
        """
        return await self._paid("design", order)

    async def page(self, kind: Kind, *, index: int = 0, size: int = 10) -> Page:
        return await self._inner.page(kind, index=index, size=size)

    async def find(self, kind: Kind, voice: str) -> Enrolled:
        return await self._inner.find(kind, voice)

    async def delete(self, kind: Kind, voice: str) -> None:
        await self._inner.delete(kind, voice)

    async def _paid(self, kind: Kind, order: Clone | Design) -> Enrolled:
        cost = Cost(yuan=Decimal(str(self._inner.price(kind))))
        hold = self._purse.hold(cost)
        try:
            return await (self._inner.design(order) if isinstance(order, Design) else self._inner.clone(order))
        except LinereadError as error:
            if not isinstance(error, EngineError) or error.code != IN_DOUBT:
                cost = _NOTHING
            raise
        finally:
            hold.settle(cost)
