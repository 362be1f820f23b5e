"""What an engine has spoken is kept under that engine's own name.

Owns the look into the cache for an engine that speaks in another one's place. The pipeline keeps what was asked for
under the mark of the engine that was asked; a backup's sound would pass for that engine's there, and its next success
would never be heard. So the backup has entries of its own, and they are looked for only when it is its turn.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from lineread.cache import Entry
from lineread.engines.base import Engine, Wrapper

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from lineread.cache import Cache
    from lineread.speech import Chunk, Segment


class Cached(Wrapper):
    """An engine that speaks no segment twice.

    Args:
        inner: The engine, with all that its sound goes through on the way out.
        cache: Where finished segments are kept.
    """

    def __init__(self, inner: Engine, cache: Cache) -> None:
        super().__init__(inner)
        self._cache = cache

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        """The segment as it was spoken before, or as the inner engine, and then kept when it is complete."""
        mark = self.fingerprint(segment.request)
        key = segment.key(mark)
        entry = self._cache.get(key)
        if entry is not None:
            yield entry.chunk(segment)
            return
        made: list[Chunk] = []
        async with aclosing(self.inner.stream(segment)) as chunks:
            async for chunk in chunks:
                made.append(chunk)
                if chunk.facts is not None and chunk.facts.fingerprint in ("", mark):
                    self._cache.put(key, Entry.of(made, segment))  # now: whoever has the last chunk may leave at once
                yield chunk
