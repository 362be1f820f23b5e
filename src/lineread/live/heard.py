"""Which text was spoken at which second of a session.

Owns the answer to what an interrupted listener has heard. Words with times answer it exactly; without them the sound
of a piece is taken to go evenly through its text. Times count from the session's first sample.

Of what lies long back only the text is kept: an hour of speech is some fifty kilobytes of it.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from lineread.speech import Chunk, Word

#: Seconds of sound whose words are kept.
KEPT: Final = 300.0
#: Seconds that a character takes where nothing is known yet: English speech has some fifteen a second.
_PACE: Final = 1 / 15


class Heard(NamedTuple):
    """What was spoken by some second.

    Attributes:
        text: The text. What was cancelled before it was spoken is not in it.
        end: One past its last character, in all that was written.
        exact: It is known from the times of words. Otherwise it is reckoned from the length of the sound.
    """

    text: str
    end: int
    exact: bool


@dataclass(slots=True)
class _Said:
    """A piece of text that was delivered at least in part, with the white space before it.

    The text itself, since what was cancelled is missing between one and the next.
    """

    at: int
    start: float
    end: float
    text: str = ""
    whole: bool = False
    cut: bool = False
    words: list[Word] = field(default_factory=list)


class Hearing:
    """What was written and what was delivered of it."""

    def __init__(self) -> None:
        self._written: list[str] = []
        self._base = 0
        self._past = ""
        self._past_end = (0, 0.0)
        self._said: deque[_Said] = deque()

    def wrote(self, text: str) -> None:
        """Some more text."""
        self._written.append(text)

    def delivered(self, chunk: Chunk) -> None:
        """Some more sound."""
        start = chunk.offset / chunk.sample_rate
        end = start + (chunk.samples - chunk.pause) / chunk.sample_rate
        said = self._said[-1] if self._said else None
        if said is None or said.whole or said.cut or chunk.span[0] >= said.at + len(said.text):
            if chunk.samples == 0:
                return
            if said is not None:
                said.whole = not said.cut
            said = _Said(self._space(chunk.span[0]), start, end)
            self._said.append(said)
        said.text = self._text(said.at, chunk.span[1])
        said.end = end
        said.words += chunk.words
        if chunk.facts is not None or chunk.final:
            said.whole = True
            self._forget(chunk.span[1], end)

    def cancelled(self) -> None:
        """What was delivered last is not gone on with."""
        if self._said:
            self._said[-1].cut = not self._said[-1].whole

    def at(self, seconds: float) -> Heard:
        """What was spoken by that second."""
        text, at, exact = self._past, self._past_end[0], True
        if self._past and seconds < self._past_end[1]:
            part = _even(self._past, seconds / self._past_end[1])
            return Heard(part, len(part), exact=False)
        for said in self._said:
            if said.start >= seconds:
                break
            part, known = _part(said, seconds)
            gap = " " if text and part and said.at > at else ""  # where something was cancelled
            text += gap + part
            at = said.at + len(part)
            exact = exact and known
        return Heard(text, at, exact)

    def _space(self, start: int) -> int:
        """Where a piece begins, with the white space before it where nothing else lies between the last one and it."""
        return start if self._text(self._base, start).strip() else min(self._base, start)

    def _text(self, start: int, end: int) -> str:
        if len(self._written) > 1:
            self._written = ["".join(self._written)]
        return self._written[0][max(0, start - self._base) : max(0, end - self._base)] if self._written else ""

    def _forget(self, reached: int, end: float) -> None:
        """Let go of text that was delivered, and of the words of what lies long back."""
        rest = self._text(reached, self._base + len(self._written[0])) if self._written else ""
        self._base += len(self._written[0]) - len(rest) if self._written else 0
        self._written = [rest]
        while self._said and self._said[0].end < end - KEPT:
            said = self._said.popleft()
            text, _ = _part(said, math.inf)
            self._past += text
            self._past_end = (said.at + len(text), said.end)


def _part(said: _Said, seconds: float) -> tuple[str, bool]:
    """What of a piece was spoken by that second, and whether that is known for sure."""
    passed = seconds >= said.end
    if said.whole and passed:
        return said.text, bool(said.words)
    if said.words:
        ends = [word.span[1] for word in said.words if passed or word.end <= seconds]
        return said.text[: max(ends, default=said.at) - said.at], True
    length = said.end - said.start if said.whole else max(said.end - said.start, len(said.text) * _PACE)
    return _even(said.text, (min(seconds, said.end) - said.start) / length if length else 1.0), False


def _even(text: str, share: float) -> str:
    """So much of a text, without the word that this would cut."""
    cut = round(len(text) * min(max(share, 0.0), 1.0))
    if cut < len(text) and text[cut].isascii() and text[cut].isalnum():
        while cut and text[cut - 1].isascii() and text[cut - 1].isalnum():
            cut -= 1
    return text[:cut].rstrip() if cut < len(text) else text
