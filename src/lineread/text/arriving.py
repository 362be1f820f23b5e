"""Text that arrives bit by bit, cut into pieces that can be spoken while the rest is still being written.

Owns when a piece is settled: as early as what has arrived allows, and never so that more text would have made it
another one. The places are judged by the same rules as in ``split``, in order, each by what stands before it in its
piece and by a few characters after it (``foresight``); so the pieces do not depend on how the text was chopped.

What is kept is the text that waits, and of that no more is looked at than a piece and those few characters.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from lineread.text.boundaries import could_wrap, ends_sentence, indent, line_kind, stop_kind
from lineread.text.breaks import PAUSES, Break
from lineread.text.characters import DENSE, VOICED, content_end, skip_space
from lineread.text.clauses import clause_at
from lineread.text.cutting import Cut
from lineread.text.foresight import RUN, UNIT, is_mark, run_of_marks, sight
from lineread.text.graphemes import LONGEST, is_joined
from lineread.text.lulls import ending, last_word
from lineread.text.marks import LINE_ENDS, STOPS
from lineread.text.protection import is_glued
from lineread.text.saying import ENOUGH, GRACE, OPENING, PATIENCE, weight
from lineread.text.seams import between, in_title, phrase_end, quotations, word_end

if TYPE_CHECKING:
    from lineread.text.breaks import Kind

#: No word, number or address is longer than so many characters; nothing waits longer for its end.
LONGEST_WORD: Final = 600
#: Text is looked at in portions of about a piece.
_PORTION: Final = 512

#: Where a piece may end: marks and line ends, and the spaces of Thai and the like, which part phrases.
_MARK = re.compile(r"[^\w \t]|(?<=[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]) ")
#: Where it may when it should have ended already: spaces too, and dense scripts.
_ANY = rf"\W|{DENSE}"


class Arrived(NamedTuple):
    """A piece of the text that can be spoken.

    Attributes:
        text: The piece, with its white space.
        start: Its first character in all the text that was fed.
        end: One past its last character.
        pause: Seconds of silence that the punctuation after it asks for; 0 for the last one of a flush.
    """

    text: str
    start: int
    end: int
    pause: float


class Arriving:
    """Cuts text into pieces while it arrives.

    The pieces join to exactly the text that was fed, but for what was cleared. Those of any number of feeds and a flush
    depend on nothing but the text. Each has a letter or a digit in it, as far as the text and the limit allow that.

    Args:
        limit: Most characters of a piece, white space around it not counted; as in `split`, a single grapheme may be
            longer.

    Raises:
        ValueError: `limit` is less than 1.
    """

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError("a piece has at least one character")
        self._limit = min(limit, LONGEST_WORD)
        self._fed = 0  # how many characters came
        self._start = 0  # which of them are not waiting any more
        self._text = ""
        self._spaces: list[str] = []  # what came after it and changes nothing until a word comes
        self._renew()

    @property
    def waiting(self) -> int:
        """How many characters were not yet given out."""
        return self._fed - self._start

    @property
    def silent(self) -> bool:
        """Nothing of what waits can be heard."""
        return VOICED.search(self._text) is None

    def feed(self, text: str) -> list[Arrived]:
        """Take some more text.

        Returns:
            The pieces that are settled now.
        """
        pieces: list[Arrived] = []
        self._fed += len(text)
        for at in range(0, len(text), _PORTION):
            portion = text[at : at + _PORTION]
            if portion.isspace() and self._text[-1:].isspace():
                self._spaces.append(portion)
            else:
                self._join(portion)
                pieces += self._settled(closed=False)
        return pieces

    def settle(self) -> list[Arrived]:
        """Take it that nothing comes for a while, though more may.

        Returns:
            What ends with a sentence or a clause, or with a word if it is long: nothing that more text could make
            another word, number or abbreviation of. Only a file name looks like a sentence's end before it goes on.
        """
        self._join("")
        last = skip_space(self._text, 0) + self._limit
        for place in (ending(self._text), self._clause, self._word()):
            if place and place.core <= last:
                piece = self._cut(place)
                self._opening = True
                return [piece, *self._settled(closed=False)]
        return []

    def flush(self) -> list[Arrived]:
        """Take it that the text ends here.

        Returns:
            All that waits.
        """
        self._join("")
        pieces = self._settled(closed=True)
        if self._text:
            pieces.append(self._cut(Break(len(self._text), len(self._text), "inside")))
        self._renew()
        return pieces

    def clear(self) -> int:
        """Forget what waits.

        Returns:
            How many characters these were.
        """
        forgotten = self.waiting
        self._start = self._fed
        self._text = ""
        self._spaces.clear()
        self._renew()
        return forgotten

    def _renew(self) -> None:
        """Begin anew: the next piece is a first one, at the beginning of a line."""
        self._opening = True  # a listener waits for the next piece
        self._begins = True  # it begins with a sentence
        self._line, self._indent = 0, 1
        self._begin()

    def _begin(self) -> None:
        """Begin a piece."""
        self._at = 0  # the places before it are judged
        self._counted = self._said = 0
        self._enough: int | None = None  # where there is enough to say
        self._patient: int | None = None  # where patience ends
        self._late = False
        self._clause: Break | None = None  # where it could end if need be

    def _join(self, text: str) -> None:
        if self._spaces:
            text = "".join((*self._spaces, text))
            self._spaces.clear()
        self._text += text

    def _settled(self, *, closed: bool) -> list[Arrived]:
        """The pieces that are settled; all but the last one if the text is closed."""
        pieces = []
        while self._text and (place := self._find(closed=closed)):
            pieces.append(self._cut(place))
        return pieces

    def _cut(self, place: Break) -> Arrived:
        """The piece that ends there."""
        text, end = self._text[: place.end], self._start + place.end
        piece = Arrived(text, self._start, end, PAUSES[place.kind])
        self._start, self._text = end, self._text[place.end :]
        if place.kind in {"line", "paragraph"}:
            self._line = place.end
        self._line -= place.end
        self._opening = False
        self._begins = place.kind in {"sentence", "ellipsis", "line", "paragraph"}
        self._begin()
        return piece

    # --- where a piece ends ------------------------------------------------------------------------------------------

    def _find(self, *, closed: bool) -> Break | None:
        """Where the piece ends that waits; None if that is not settled."""
        text, lead = self._text, skip_space(self._text, 0)
        last = lead + self._limit
        while True:
            found = (re.compile(_ANY) if self._late else _MARK).search(text, max(self._at, lead), last + 1)
            at = found.start() if found else min(len(text), last + 1)
            self._count(at)
            if self._said >= PATIENCE + GRACE and not self._late:
                if place := self._out_of_patience(lead):
                    return place
                continue
            if found is None:
                return self._at_limit(lead, closed=closed) if at > last else None
            far = sight(text, at)
            if far > len(text) and not closed:
                return None
            place = self._judge(text[:far], at)
            if place and lead < place.core <= last:
                return place

    def _word(self) -> Break | None:
        """The end of the last word that is surely over, if much waits."""
        return last_word(self._text, self._enough) if self._enough is not None else None

    @property
    def _has_enough(self) -> bool:
        """Whether there is enough to say for a piece that ends with a clause."""
        return self._said >= (OPENING if self._opening else ENOUGH)

    def _count(self, to: int) -> None:
        """Count what the piece says up to there, or up to where patience ends."""
        while self._counted < to and (self._late or self._said < PATIENCE + GRACE):
            character = self._text[self._counted]
            self._counted += 1
            if character.isalnum():
                self._said += weight(character)
                if self._enough is None and self._said >= ENOUGH:
                    self._enough = self._counted
                if self._patient is None and self._said >= PATIENCE:
                    self._patient = self._counted

    def _judge(self, text: str, at: int) -> Break | None:
        """The end of the piece that the mark or space at `at` makes, if it does. Else the walk goes on after it.

        Args:
            text: The text, as far as it may be looked at.
            at: A mark, a line end or, when it is late, a space or a character of a script without spaces.
        """
        sign = text[at]
        if sign.isspace() and sign not in LINE_ENDS:
            self._at = skip_space(text, at)
            return word_end(text, self._at) if self._late or self._has_enough else None
        if not is_mark(sign):
            self._at = at + 1
            return between(text, at) if self._late else None
        core = run_of_marks(text[: at + RUN], at)
        gap = core, skip_space(text, core)
        self._at = max(at + 1, gap[1])
        if not self._said or VOICED.search(text, gap[1]) is None:
            return None
        place = self._sentence(text, at, gap) or self._part(text, at)
        return None if place is None or is_joined(text, place.end, place.core) else place

    def _sentence(self, text: str, at: int, gap: tuple[int, int]) -> Break | None:
        """The end of a sentence or of a line there."""
        core, end = gap if text[at] not in LINE_ENDS else (len(text[:at].rstrip()), gap[1])
        if line := self._line_end(text, core, end):
            return Break(core, end, line)
        if text[at] not in STOPS or in_title(text, at):
            return None
        start, closed = (skip_space(text, 0) if self._begins else -1), text[core - 1] not in STOPS
        if not ends_sentence(text, at, gap, start=start, closed=closed):
            return None
        return Break(core, end, "ellipsis" if stop_kind(text, at) == "ellipsis" else "sentence")

    def _line_end(self, text: str, core: int, end: int) -> Kind | None:
        """Whether a line ends there, and not only because the next word had no room."""
        kind = line_kind(text, core, end) if end > core else None
        if kind is None:
            return None
        wrapped = kind == "line" and could_wrap(text, (core, end), core - self._line, self._indent)
        self._line, self._indent = end, indent(text, end)
        return None if wrapped else kind

    def _part(self, text: str, at: int) -> Break | None:
        """The end of a clause there, if there is enough to say; else it is kept in mind."""
        place = clause_at(text, at)
        if place is None or in_title(text, at):
            return None
        if place.core < place.end and is_glued(text, place.core, place.end):
            return None
        if self._has_enough:
            return place
        if self._said >= OPENING:
            self._clause = place
        return None

    def _out_of_patience(self, lead: int) -> Break | None:
        """Where to cut when no sentence has ended and no clause: a clause that was short, a word, a character."""
        self._late = True
        text, low, high = self._text[: self._counted], self._enough or lead, self._patient or lead
        self._at = max(self._at, high)
        if self._clause and lead + high <= 2 * self._clause.core <= 2 * high:
            return self._clause
        for suits, floor in ((phrase_end, low), (between, low), (word_end, lead + 1)):
            for at in range(high, floor, -1):
                if (place := suits(text, at)) and VOICED.search(text, lead, place.core):
                    return place
        return None

    def _at_limit(self, lead: int, *, closed: bool) -> Break | None:
        """Where to cut when a piece can have no more characters."""
        last = lead + self._limit
        far = max(skip_space(self._text, last + 1) + UNIT, lead + LONGEST) + 1
        text, rest = self._text[:far], far + 2 * self._limit
        if far > len(self._text):
            rest = content_end(text)
            if not closed or rest <= last:
                return None
        return Cut(text, lead, self._limit, rest, quotations(text, lead, self._limit)).find()
