"""The text of a session that is yet to be spoken.

Owns what was written, committed, forgotten and spoken, by its place in the session's text; and how to find the text
that a response has spoken by the characters that the service bills for it. It keeps what is not spoken yet, and nothing
else. No I/O.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from lineread.speech import billed_characters
from lineread.text.characters import VOICED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lineread.speech import Span


class Unspoken:
    """What a session has been given, and has not spoken.

    Attributes:
        start: All before this character is done with: spoken, or forgotten.
        end: Characters that were written.
        commits: Where the text was committed, after the start.
    """

    def __init__(self) -> None:
        self.start = 0
        self.end = 0
        self.commits: deque[int] = deque()
        self._text = ""
        self._forgotten: list[Span] = []

    @property
    def committed(self) -> int:
        """Where the last commit was."""
        return self.commits[-1] if self.commits else self.start

    def write(self, text: str) -> None:
        """Some more text."""
        self._text += text
        self.end += len(text)

    def voiced(self, start: int | None = None, end: int | None = None) -> bool:
        """Whether anything between two places can be heard, and is not forgotten; by default in all of it."""
        return any(VOICED.search(text) for _, text in self.pieces(start, end))

    def voiced_once(self, end: int) -> bool:
        """Whether anything up to a place could be heard, also if it was forgotten since."""
        return VOICED.search(self._text, 0, max(0, end - self.start)) is not None

    def pieces(self, start: int | None = None, end: int | None = None) -> Iterator[tuple[int, str]]:
        """The text between two places, in pieces with their places; what is forgotten is left out."""
        at = max(self.start, start or 0)
        end = self.end if end is None else end
        for hole in [*self._forgotten, (end, end)]:
            if at < min(hole[0], end):
                yield at, self._text[at - self.start : min(hole[0], end) - self.start]
            at = max(at, hole[1])

    def forget(self, start: int, end: int) -> None:
        """Some text is not to be spoken any more, if nobody has begun to."""
        if start < end:
            self._forgotten = sorted([*self._forgotten, (start, end)])

    def drop(self, end: int) -> None:
        """All before this place is done with, and so are commits that nothing to be heard stands before."""
        if end > self.start:
            self._text = self._text[end - self.start :]
            self.start = end
            self._forgotten = [hole for hole in self._forgotten if hole[1] > end]
        while self.commits and not self.voiced(end=self.commits[0]):
            self.commits.popleft()

    def reach(self, characters: int, end: int, *, skipping: bool) -> int | None:
        """Where the text ends that a response has spoken, from the start on.

        Whether the service bills the white space between sentences is not known. So it may be several places; to take
        the wrong one would be to say a word twice, or not at all.

        Args:
            characters: What the service has billed for it.
            end: It ends there at the latest.
            skipping: What is forgotten was surely not spoken.

        Returns:
            The place; None if there is more than one, or if the characters would end where nobody ends a response, such
            as within a word.
        """
        pieces: Iterable[tuple[int, str]]
        pieces = self.pieces(end=end) if skipping else [(self.start, self._text[: end - self.start])]
        places = [place + offset for place, text in pieces for offset in range(len(text))]
        text = "".join(self._text[place - self.start] for place in places)
        edges = list(_edges(text, characters))
        if not edges or VOICED.search(text, edges[0], edges[-1]):
            return None
        return places[edges[0] - 1] + 1


def _edges(text: str, characters: int) -> Iterator[int]:
    """Where so many characters may end: after a mark and white space, or at the end. Spaces within a clause count."""
    least = most = 0
    marked = True
    for at, character in enumerate(text, 1):
        billed = billed_characters(character)
        most += billed
        least += 0 if marked and character.isspace() else billed
        if least > characters:
            return
        marked = marked if character.isspace() else not character.isalnum()
        if characters <= most and (marked or at == len(text)):
            yield at
