"""How the service is asked to make, list, find and delete voices.

Owns the tries. A request that failed in a way that may pass is made again, but not one that makes a voice and may have
been carried out: that would be paid for twice. Whether it may have been is read off how far it got.
"""

from __future__ import annotations

import asyncio
import random
import re
from typing import TYPE_CHECKING, Final, TypeVar

from lineread.engines.dashscope.http import MAX_REPLY, Errand
from lineread.enrolment import IN_DOUBT, Clone, Design
from lineread.errors import (
    BadReply,
    EngineError,
    LinereadError,
    OptionError,
    ServiceFailed,
    TimedOut,
    Unreachable,
    VoiceError,
    shortened,
)
from lineread.wire import customization as wire
from lineread.wire.customization import Deletion, Listing, Query

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lineread.engines.dashscope.http import Service
    from lineread.enrolment import Enrolled, Kind, Page

T = TypeVar("T")

#: Most tries of one request, most seconds before the second one (doubles with each further one), and most that the
#: service may ask for.
TRIES: Final = 4
WAIT: Final = 1.0
LONGEST_WAIT: Final = 60.0
#: Most bytes of a reply with a preview (four minutes at the highest rate, as Base64), and of one with a list.
MAX_PREVIEW: Final = 48 << 20
MAX_LIST: Final = 16 << 20

#: What of an error may be a piece of a sample.
_BASE64: Final = re.compile(r"[A-Za-z0-9+/=]{64,}")


class Customizing:
    """The service, asked for voices.

    Args:
        service: The connections.
        turn: Awaited before each try, with the name of the model that is asked.
    """

    def __init__(self, service: Service, *, turn: Callable[[str], Awaitable[None]]) -> None:
        self._service = service
        self._turn = turn

    async def clone(self, order: Clone) -> Enrolled:
        """Make a voice from a sample; errors as for ``CloudEnroller``."""
        if len(order.audio) * 4 > wire.LONGEST_SAMPLE * 3:
            raise OptionError(
                f"The sample has {len(order.audio) / 1e6:.1f} MB, which is more than the service takes.",
                remedy="Cut it to ten or twenty seconds of speech, which do.",
                code="sample_too_large",
            )
        return await self._made(order, MAX_REPLY, order.text or "")

    async def design(self, order: Design) -> Enrolled:
        """Make a voice from a description; errors as for ``CloudEnroller``."""
        return await self._made(order, MAX_PREVIEW, order.prompt, order.preview_text)

    async def page(self, kind: Kind, index: int, size: int) -> Page:
        """Some of the voices; errors as for ``CloudEnroller``."""
        asked = Listing(kind, index, size)
        hide = self._hiding()
        return await self._ask(asked, lambda body: wire.decode_page(body, asked, hide=hide), MAX_LIST, hide)

    async def find(self, voice: str) -> Enrolled:
        """What is known of a designed voice; errors as for ``CloudEnroller``."""
        asked = Query(voice)
        hide = self._hiding()
        return await self._ask(asked, lambda body: wire.decode_found(body, asked, hide=hide), MAX_REPLY, hide)

    async def delete(self, kind: Kind, voice: str) -> None:
        """Delete a voice; errors as for ``CloudEnroller``."""
        hide = self._hiding()
        await self._ask(Deletion(kind, voice), lambda body: wire.decode_deleted(body, hide=hide), MAX_REPLY, hide)

    async def _made(self, order: Clone | Design, most: int, *texts: str) -> Enrolled:
        hide = self._hiding(*texts)
        return await self._ask(order, lambda body: wire.decode_made(body, order, hide=hide), most, hide)

    def _hiding(self, *texts: str) -> Callable[[str], str]:
        """What takes the key, these texts and pieces of samples out of what the service says."""
        hide = self._service.hiding(*texts)
        return lambda said: _BASE64.sub("…", hide(said))

    async def _ask(self, asked: wire.Asked, decode: Callable[[bytes], T], most: int, hide: Callable[[str], str]) -> T:
        """What the service answers, after as many tries as it takes."""
        body = wire.encode(asked)
        in_doubt = False
        tries = 0
        while True:
            await self._turn(wire.MAKERS[wire.kind_of(asked)])
            errand = Errand(body)
            tries += 1
            try:
                return decode(await self._service.ask(wire.PATH, errand, most=most, hide=hide))
            except EngineError as error:
                failure = error
            if in_doubt and isinstance(asked, Deletion) and failure.code == "unknown_voice":
                return decode(b"{}")  # an earlier try has deleted it, and the answer was lost
            in_doubt = in_doubt or _may_be_done(errand, failure)
            wait = max(_wait(tries), failure.retry_after or 0.0)
            making = isinstance(asked, Clone | Design)
            if not failure.retryable or tries == TRIES or wait > LONGEST_WAIT or (making and in_doubt):
                raise _meaning(failure, asked, in_doubt=in_doubt)
            await asyncio.sleep(wait)


def _may_be_done(errand: Errand, failure: EngineError) -> bool:
    """Whether a request that failed may have been carried out all the same."""
    if not errand.begun or 300 <= (errand.status or 0) < 500 or failure.service_code == "ModelUnavailable":
        return False
    return isinstance(failure, Unreachable | TimedOut | ServiceFailed | BadReply)


def _meaning(failure: EngineError, asked: wire.Asked, *, in_doubt: bool) -> LinereadError:
    """What a failure means to whoever asked for that."""
    if isinstance(asked, Query | Deletion) and failure.code == "unknown_voice":
        return not_found(asked.voice, failure.request_id)
    if isinstance(asked, Clone | Design) and in_doubt:
        failure.code = IN_DOUBT
        failure.retryable = False
        failure.message = f"{failure.message.removesuffix('.')}; the voice may have been made all the same."
        failure.args = (failure.message,)
        failure.remedy = (
            f"Before you ask again, which is paid for again, look whether the service lists an id with "
            f"{asked.name!r} in it: `lineread voices remote`, or the Model Studio console."
        )
    return failure


def not_found(voice: str, request_id: str = "") -> VoiceError:
    """The service has no voice of that id."""
    return VoiceError(
        f"The service has no voice {shortened(voice)!r}.",
        remedy="It may be of another account or region, or deleted: the service does that to a voice that nobody "
        "uses for a year.",
        code="voice_not_found",
        request_id=request_id,
        service_code="VoiceNotFound",
    )


def _wait(tries: int) -> float:
    """Seconds before the next try after so many."""
    most = WAIT * 2 ** (tries - 1)
    return random.uniform(most / 2, most)  # noqa: S311 - spreads waits
