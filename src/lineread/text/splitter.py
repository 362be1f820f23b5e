"""The splitter: sentences packed into pieces.

Owns how much goes into a piece, and what a piece is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lineread.text.breaks import PAUSES
from lineread.text.characters import skip_space
from lineread.text.sentences import Sentences

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineread.text.breaks import Break
    from lineread.text.cutting import Cut

#: The longest quotation, in characters, that is kept whole.
QUOTATION = 80


class Piece(NamedTuple):
    """A part of a text that is spoken at once. A tuple: making a dataclass would be a fifth of the package's import.

    Attributes:
        start: Its first character.
        end: One past its last character; white space after a piece belongs to it.
        pause: Seconds of silence that the punctuation after it asks for; 0 after the last one.
    """

    start: int
    end: int
    pause: float


def split(text: str, limit: int, *, by_sentence: bool = False, first: int | None = None) -> Iterator[Piece]:
    """Cut a text into pieces that join to exactly the text.

    The pieces come one at a time, and no more of the text is looked at than the next one needs.

    Args:
        text: Any text, in any language. Blank text has no pieces.
        limit: Most characters of a piece, white space around it not counted. Only a single grapheme may be
            longer, up to 32 characters; there it is cut as well.
        by_sentence: One piece for each sentence and line; otherwise as few pieces as possible.
        first: Most characters of the first piece, as far as a clause ends there: what is cut off early can be heard
            early. Where none does, the first piece is the first clause, or the first sentence.

    Yields:
        The pieces, in order. Each has a letter or a digit in it, as long as the text and the limit allow that.

    Raises:
        ValueError: `limit` or `first` is less than 1.
    """
    if limit < 1 or (first is not None and first < 1):
        raise ValueError("a piece has at least one character")
    return _Pieces(text, limit, by_sentence=by_sentence, first=first).run()


class _Pieces:
    """Packs sentences into pieces."""

    def __init__(self, text: str, limit: int, *, by_sentence: bool, first: int | None) -> None:
        self._text = text
        self._limit = limit
        self._by_sentence = by_sentence
        self._first = first
        self._sentences = Sentences(text, min(QUOTATION, limit))

    def run(self) -> Iterator[Piece]:
        """The pieces, in order."""
        text, start = self._text, 0
        while (lead := skip_space(text, start)) < len(text):
            place = self._next(lead) if start or self._first is None else self._opening(lead, self._first)
            self._sentences.drop(place.end)
            last = place.end == len(text)
            yield Piece(start, place.end, 0.0 if last else PAUSES[place.kind])
            start = place.end

    def _next(self, lead: int) -> Break:
        """Where the piece ends whose words begin at `lead`."""
        if not self._by_sentence:
            return self._packed(lead, self._limit) or self._cut(lead).find()
        sentence = self._sentence(lead)
        return sentence if sentence and sentence.core - lead <= self._limit else self._cut(lead).find()

    def _packed(self, lead: int, limit: int) -> Break | None:
        """The last sentence end within the limit; past the half of it, rather a paragraph's."""
        self._sentences.look(lead + limit + 1)
        fitting = [place for place in self._sentences.ends if place.core - lead <= limit]
        if not fitting or fitting[-1].end == len(self._text):
            return fitting[-1] if fitting else None
        lines = (place for place in reversed(fitting) if place.kind in {"paragraph", "line"})
        line = next(lines, None)
        return line if line and line.core - lead > limit // 2 else fitting[-1]

    def _sentence(self, lead: int) -> Break | None:
        """Where the sentence ends that `lead` lies in, unless that is further than two pieces."""
        sentences, horizon = self._sentences, lead + 2 * self._limit
        while not sentences.ends and sentences.position < horizon:
            sentences.look(min(sentences.position + 256, horizon))
        return sentences.ends[0] if sentences.ends else None

    def _cut(self, lead: int) -> Cut:
        from lineread.text.cutting import Cut  # noqa: PLC0415 - 0.5 ms that a line of short sentences need not pay

        sentence = self._sentence(lead)
        return Cut(self._text, lead, self._limit, sentence.core if sentence else None, self._sentences.quotations)

    def _opening(self, lead: int, first: int) -> Break:
        """Where the first piece ends, when it shall be short."""
        sentence = self._sentence(lead)
        if sentence and sentence.core - lead <= min(first, self._limit):
            return sentence if self._by_sentence else self._packed(lead, min(first, self._limit)) or sentence
        cut = self._cut(lead)
        whole = sentence if sentence and sentence.core - lead <= self._limit else None
        return cut.first_clause(first) or whole or cut.find()
