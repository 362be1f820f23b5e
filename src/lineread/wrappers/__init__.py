"""What belongs around an engine: each wrapper has the engine's own shape and changes one thing.

``Budgeted`` speaks as long as a purse lasts, ``Finished`` makes its segments fit to be joined, ``Limited`` keeps it
within its service's limit, ``Retrying`` asks again, ``Fallback`` has another engine speak what it could not. That one
is ``Cached``, since the pipeline keeps only what the engine spoke that was asked, and a ``CircuitBreaker`` says when to
turn to it without trying. Owns the order in which they are put on. They need asyncio and numpy, so only what has to be
spoken anew imports them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lineread.wrappers.breaker import CircuitBreaker
from lineread.wrappers.cached import Cached
from lineread.wrappers.fallback import Fallback
from lineread.wrappers.finished import Finished
from lineread.wrappers.limited import Buckets, Limited
from lineread.wrappers.retrying import Retrying

if TYPE_CHECKING:
    from lineread.cache import Cache
    from lineread.engines.base import Engine, Quota, Turn


def turns(state_dir: str | None) -> Turn:
    """What has a live session wait for its turn, within the same limits as any call.

    Args:
        state_dir: As for :func:`equip`.
    """
    buckets = _buckets(state_dir)

    async def turn(quota: Quota) -> None:
        await buckets(quota).acquire()

    return turn


def equip(engine: Engine, backup: Engine | None, state_dir: str | None, *, cache: Cache | None = None) -> Engine:
    """An engine with all that speaking needs around it.

    Each call takes a turn of its own within the limit, so the limit lies inside of the retries. Finishing lies inside
    as well: a reply without sound then counts as a failed call, and no silence that is cut off later as heard.

    Args:
        engine: The engine that is asked first.
        backup: The engine that speaks when it fails; None changes no voice.
        state_dir: Where processes share how often they have called; None keeps limits for this process alone.
        cache: Where the backup's segments are kept; None keeps none of them.
    """
    buckets = _buckets(state_dir)

    def counted(bare: Engine) -> Engine:
        return Limited(Finished(bare), buckets)

    first = counted(engine)
    if backup is None:
        return Retrying(first)
    second = Retrying(counted(backup))
    return Fallback(CircuitBreaker(Retrying(first), probe=first), second if cache is None else Cached(second, cache))


def _buckets(state_dir: str | None) -> Buckets:
    return Buckets(None if state_dir is None else os.path.join(state_dir, "limits"))
