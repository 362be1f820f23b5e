"""Texts as language models write them, and a voice that tells no times."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from dataclasses import replace

from lineread.engines.fake import Fake
from lineread.speech import Chunk, Segment


def tokens(text: str) -> list[str]:
    """As language models write: words with the space before them, long ones in parts."""
    return re.findall(r"\s?\S{1,4}", text)


class Untimed(Fake):
    """Does not tell when it speaks which word."""

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        async for chunk in super().stream(segment):
            yield replace(chunk, words=())
