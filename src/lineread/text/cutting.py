"""Where to cut a sentence that is too long.

Owns the choice among the places that could do: ends of clauses, of words, between characters; the nearest to what
makes even pieces, and none that parts what belongs together.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING

from lineread.text.breaks import Break
from lineread.text.characters import DENSE, VOICED, is_dense, is_hangul, skip_space
from lineread.text.clauses import clause_at, kind_before
from lineread.text.graphemes import LONGEST, is_joined
from lineread.text.protection import ATOM, begins_phrase, is_glued, may_part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_GAP = re.compile("\\s++|\u200b")
_MARKS = re.compile(r"[^\w\s]++")


class Cut:
    """Where to cut a sentence that is too long: a look at no more of it than two pieces hold.

    Args:
        text: The text.
        lead: Where the words of the next piece begin.
        limit: Most characters of a piece.
        rest: Where the words of the sentence end, if that is known.
        quotations: The quotations that are kept whole.
    """

    def __init__(
        self, text: str, lead: int, limit: int, rest: int | None, quotations: Iterable[tuple[int, int]]
    ) -> None:
        self._text = text
        self._lead = lead
        self._limit = limit
        self._rest = len(text) if rest is None else rest
        self._far = min(self._rest, lead + 2 * limit)
        self._reach = min(self._rest, lead + limit)
        self._two = self._far == self._rest  # two pieces will do, so halves are best
        self._ideal = (lead + self._rest) // 2 if self._two else self._reach
        self._low = lead + limit // 3
        self._small = min(8, limit // 4)
        self._blocked = self._quoted(quotations)
        self._head, self._tail = self._voiced()

    def find(self) -> Break:
        """The best place, whatever it takes."""
        return self._clause() or self._below_clause()

    def _below_clause(self) -> Break:
        words = sorted(self._words(self._blocked), key=self._distance)
        place = (
            self._word(words, self._low)
            or self._between(self._low)
            or self._word(words, self._lead)
            or self._between(self._lead)
            or next((word for word in words if self._is_sound(word)), None)
            or self._inside()
        )
        return place._replace(kind=kind_before(self._text, place.core, place.kind))

    def clauses(self) -> Iterator[Break]:
        """The ends of clauses within the limit, in order."""
        for marks in _MARKS.finditer(self._text, self._lead, self._reach + 1):
            if marks.end() > self._reach:
                break
            signs = range(max(marks.start(), marks.end() - 8), marks.end())
            places = (place for at in signs if (place := clause_at(self._text, at)))
            place = next(places, None)
            if place and self._lead < place.core <= self._reach and self._is_free(place):
                yield place

    def first_clause(self, first: int) -> Break | None:
        """The last clause that ends within `first` characters, else the first one after them."""
        places = [place for place in self.clauses() if self._has_words(place)]
        early = [place for place in places if place.core - self._lead <= first]
        return early[-1] if early else next(iter(places), None)

    def _quoted(self, quotations: Iterable[tuple[int, int]]) -> set[int]:
        """The places inside quotations."""
        places: set[int] = set()
        for start, end in quotations:
            if start >= self._reach:
                break
            places.update(range(max(start + 1, self._lead), end))
        return places

    def _voiced(self) -> tuple[int, int]:
        """Between which places a cut leaves a letter or digit on both sides."""
        head = VOICED.search(self._text, self._lead, self._reach)
        if head is None:
            return self._lead, self._rest
        if self._far < self._rest or VOICED.search(self._text, self._reach, self._rest):
            return head.end(), self._rest
        tail = head.start()
        for found in VOICED.finditer(self._text, self._lead, self._reach):
            tail = found.start()
        return head.end(), tail

    def _distance(self, place: Break) -> int:
        return abs(place.core - self._ideal)

    def _is_sound(self, place: Break) -> bool:
        return self._lead < place.core <= self._reach and self._head <= place.core and place.end <= self._tail

    def _is_free(self, place: Break) -> bool:
        """Whether nothing is cut there that belongs together."""
        text, core, end = self._text, place.core, place.end
        return (
            end not in self._blocked
            and core not in self._blocked
            and not is_joined(text, end, self._lead)
            and (core == end or not is_glued(text, core, end))
        )

    def _is_fair(self, place: Break, low: int) -> bool:
        """Whether a cut at `low` or later leaves no scrap, and of two halves none that is too long."""
        if not self._is_sound(place) or place.core < low:
            return False
        return low == self._lead or not self._two or self._is_half(place)

    def _is_half(self, place: Break) -> bool:
        """Whether what is left after the cut is one piece, and not a scrap."""
        return self._small <= self._rest - place.end <= self._limit

    def _clause(self) -> Break | None:
        """The clause end nearest to the ideal; it may be early where the rest is then one piece."""
        places = [
            place
            for place in self.clauses()
            if self._is_sound(place)
            and (place.core - self._lead >= self._limit // 4 or (self._two and self._is_half(place)))
            and min(place.core - self._lead, self._rest - place.end) >= self._small
        ]
        return min(places, key=self._awkwardness, default=None)

    def _awkwardness(self, place: Break) -> int:
        """Distance from the ideal; a third piece costs much, and a comma a little."""
        third = self._limit if self._two and not self._is_half(place) else 0
        return self._distance(place) + third + (self._limit // 5 if place.kind == "comma" else 0)

    def _words(self, blocked: set[int]) -> Iterator[Break]:
        """The ends of words within the limit, in order, but for the blocked ones."""
        for gap in _GAP.finditer(self._text, self._lead, self._reach + 1):
            core = gap.start() if gap.group()[0].isspace() else gap.end()
            end = skip_space(self._text, gap.end())
            if end >= self._rest:
                break
            if not (core in blocked or end in blocked or self._is_joined(end)):
                yield Break(core, end, "word")

    def _word(self, words: list[Break], low: int) -> Break | None:
        """The first of these words that is not glued to the next one."""
        fair = (word for word in words if self._is_fair(word, low))
        return next((word for word in fair if not is_glued(self._text, word.core, word.end)), None)

    def _between(self, low: int) -> Break | None:
        """A place between two characters of a script without spaces; in Japanese, where a phrase begins."""
        window = self._text[self._lead : self._reach + 1]
        if window.isascii() or not re.search(DENSE, window):
            return None
        for suits in (begins_phrase, may_part):
            for at in self._nearest(low):
                if (
                    suits(self._text, at)
                    and self._is_fair(place := Break(at, at, "inside"), low)
                    and self._is_free(place)
                ):
                    return place
        return None

    def _nearest(self, low: int) -> Iterator[int]:
        """The places from `low` to the limit, those near the ideal first."""
        floor = max(low, self._lead + 1)
        for step in range(self._limit + 1):
            if floor <= self._ideal - step <= self._reach:
                yield self._ideal - step
            if step and floor <= self._ideal + step <= self._reach:
                yield self._ideal + step

    def _inside(self) -> Break:
        """Where a word that is too long, or what should never be cut, has to be cut for the limit's sake."""
        whole = self._whole()
        hyphens = (at for at in self._nearest(self._low) if self._text[at - 1] in "-/_\u00ad")
        places = (at for at in chain(hyphens, self._nearest(self._lead)) if at not in whole and not self._is_joined(at))
        at = next((at for at in places if self._is_sound(Break(at, at, "inside"))), None)
        if at is not None:
            return self._trimmed(at)
        quoted = sorted(self._words(blocked=set()), key=self._distance)
        word = next((word for word in quoted if self._is_sound(word)), None)
        return word or self._trimmed(self._scrap(whole))

    def _whole(self) -> set[int]:
        """The places inside quotations, numbers, addresses and file names that fit a piece."""
        whole = self._blocked.copy()
        for atom in re.compile(ATOM).finditer(self._text, self._lead, self._far):
            if atom.end() - atom.start() <= self._limit:
                whole.update(range(max(atom.start() + 1, self._lead), atom.end()))
        return whole

    def _scrap(self, whole: set[int]) -> int:
        """A place that leaves a piece without words; or in the first grapheme, if that alone is too long."""
        ends = [at for at in range(self._reach, self._lead, -1) if not self._is_joined(at)]
        if ends:
            return next((at for at in ends if at not in whole), ends[0])
        at, longest = self._reach, min(self._lead + max(self._limit, LONGEST), len(self._text))
        while at < longest and self._is_joined(at):
            at += 1
        return at

    def _is_joined(self, at: int) -> bool:
        return is_joined(self._text, at, self._lead)

    def _trimmed(self, at: int) -> Break:
        """A cut at this place that leaves white space to the piece before."""
        core, end = at, skip_space(self._text, at)
        while self._text[core - 1].isspace():
            core -= 1
        if at < end < len(self._text) and self._is_joined(end):
            end = at
        return Break(core, end, "word" if end > core else "inside")

    def _has_words(self, place: Break) -> bool:
        """Whether there is something to listen to before and after."""
        return _says_enough(self._text, self._lead, place.core) and _says_enough(self._text, place.end, self._far)


def _says_enough(text: str, start: int, end: int) -> bool:
    """Whether there are eight letters, or three Han characters, or as much of a mixture."""
    said = 0
    for place in range(start, end):
        if text[place].isalnum():
            said += 3 if is_dense(text[place]) else 2 if is_hangul(text[place]) else 1
            if said >= 8:
                return True
    return False
