"""When the words of a session are spoken, for frameworks that keep what a listener has heard.

Owns the way from chunks to timed pieces of the text. Voices that know when they speak a word are believed. For others
the session's own reckoning holds (``Session.heard``), and pieces come as the sound does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from lineread.live.session import Session
    from lineread.speech import Chunk, Span

#: Scripts that put no spaces between words: each of their characters counts as one.
_SPACELESS: Final = "\u2e80-\ua4cf\uf900-\ufaff"
_WORD: Final = re.compile(rf"\s*((?:[{_SPACELESS}]|[^\s{_SPACELESS}]+)[^\w\s]*)")


class Timed(NamedTuple):
    """Some of the text, and when it is spoken.

    Attributes:
        text: A word, with all that stands between it and the last one.
        word: The word by itself.
        start: Seconds from the session's first sample to its beginning.
        end: Seconds to its end.
    """

    text: str
    word: str
    start: float
    end: float

    @property
    def spaceless(self) -> bool:
        """It is of a script without spaces between words."""
        return re.search(f"[{_SPACELESS}]", self.word) is not None


class Timing:
    """The timed words of one session that is never cleared.

    Args:
        session: Whose words they are.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._text = ""
        self._reached = 0
        self._second = 0.0
        self._exact = False

    def wrote(self, text: str) -> None:
        """Some more text."""
        self._text += text

    def delivered(self, chunk: Chunk) -> list[Timed]:
        """The words that are known with this chunk, each of them once."""
        begun = chunk.offset / chunk.sample_rate
        ended = begun + (chunk.samples - chunk.pause) / chunk.sample_rate
        timed = [self._word(*word) for word in chunk.words if word.span[0] >= self._reached]
        self._exact = self._exact or bool(chunk.words)
        if chunk.facts is not None or chunk.final:
            timed += self._reckoned(chunk.span[1], ended, whole=True)
        elif not self._exact:  # a chunk late: the next one may bring the times of words
            timed += self._reckoned(self._session.heard(begun).end, begun, whole=False)
        return timed

    def _word(self, span: Span, start: float, end: float) -> Timed:
        timed = Timed(self._text[self._reached : span[1]], self._text[slice(*span)], start, end)
        self._reached, self._second = span[1], end
        return timed

    def _reckoned(self, end: int, second: float, *, whole: bool) -> list[Timed]:
        """The words up to some place, spread evenly over the time up to some second; the last one if it is whole."""
        start, reached = self._second, self._reached
        each = max(0.0, second - start) / max(1, end - reached)
        found = [match.span(1) for match in _WORD.finditer(self._text, reached, max(reached, end))]
        return [
            self._word((first, last), start + (first - reached) * each, start + (last - reached) * each)
            for first, last in (found if whole else found[:-1])
        ]
