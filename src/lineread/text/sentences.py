"""A walk through a text that finds its sentences and its quotations.

Owns how far the walk has come and what it has found. What ends a sentence is in ``boundaries``.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from lineread.text.boundaries import ends_sentence, is_wrapped, line_kind, run_end, stop_kind
from lineread.text.breaks import Break
from lineread.text.characters import content_end, first_voiced, skip_space
from lineread.text.graphemes import is_joined
from lineread.text.marks import BRACKETS, CLOSERS, EITHER, LINE_ENDS, PAIRS, STOPS, TITLE_OPENERS
from lineread.text.quotations import opens, quotation_end

if TYPE_CHECKING:
    from lineread.text.breaks import Kind

#: Whatever may end a sentence, end a line or open a quotation, and some more.
_STOP = re.compile(r"[^\w ,;:-]")


class Sentences:
    """Walks through a text once and finds where its sentences end.

    A sentence without a letter or a digit is none: it goes with the next one, or with the last.

    Attributes:
        ends: The ends that were found and not yet dropped, in order.
        quotations: As many of the quotations that are kept whole.
        position: Everything before it has been seen.
    """

    def __init__(self, text: str, quotation: int) -> None:
        self.ends: deque[Break] = deque()
        self.quotations: deque[tuple[int, int]] = deque()
        self.position = skip_space(text, 0)
        self._text = text
        self._content = content_end(text)
        self._quotation = quotation
        self._start = self._line = self.position
        self._voiced = self._ahead = first_voiced(text, self.position)
        self._dropped = 0
        self._finished = False

    def look(self, horizon: int) -> None:
        """Walk on until everything before `horizon` has been seen."""
        while not self._finished and self.position < horizon:
            found = _STOP.search(self._text, self.position, horizon)
            if found is None:
                self.position = min(horizon, len(self._text))
            else:
                self._visit(found.start())
            if self.position >= self._content and not self._finished:
                self._finish()

    def drop(self, end: int) -> None:
        """Forget what lies before `end`, also what is yet to be seen of it."""
        self._dropped = end
        while self.ends and self.ends[0].end <= end:
            self.ends.popleft()
        while self.quotations and self.quotations[0][1] <= end:
            self.quotations.popleft()

    def _visit(self, at: int) -> None:
        sign = self._text[at]
        if sign in STOPS:
            core = run_end(self._text, at)
            self._stop(at, core, closed=self._text[core - 1] not in STOPS)
        elif sign in LINE_ENDS:
            self._newline(at)
        elif sign in PAIRS and opens(self._text, at):
            self._quote(at)
        else:
            self._pass(at)

    def _stop(self, at: int, core: int, *, closed: bool) -> None:
        end = self.position = skip_space(self._text, core)
        if end == len(self._text):
            return
        line, wrapped = self._line_end(core, end)
        if (line and not wrapped) or ends_sentence(self._text, at, (core, end), start=self._start, closed=closed):
            plain: Kind = "ellipsis" if stop_kind(self._text, at) == "ellipsis" else "sentence"
            self._end(Break(core, end, line or plain))

    def _newline(self, at: int) -> None:
        core = at
        while core > self._start and self._text[core - 1].isspace():
            core -= 1
        end = self.position = skip_space(self._text, at)
        if end == len(self._text):
            return
        line, wrapped = self._line_end(core, end)
        if line and not wrapped:
            self._end(Break(core, end, line))

    def _line_end(self, core: int, end: int) -> tuple[Kind | None, bool]:
        """The kind of line end in this white space, if there is one, and whether it only wraps."""
        kind = line_kind(self._text, core, end) if end > core else None
        wrapped = kind == "line" and is_wrapped(self._text, self._line, core, end)
        if kind:
            self._line = end
        return kind, wrapped

    def _quote(self, at: int) -> None:
        text = self._text
        end = quotation_end(text, at, self._quotation)
        if not end:
            self._pass(at)
            return
        self.position = end
        self.quotations.append((at, end))
        last = end - 2
        while last > at and (text[last].isspace() or text[last] in CLOSERS or text[last] in EITHER):
            last -= 1
        while text[last] in STOPS and text[last - 1] in STOPS:
            last -= 1
        speech = text[at] not in TITLE_OPENERS and (text[at] not in BRACKETS or at == self._start)
        if speech and last > at and text[last] in STOPS:
            self._stop(last, run_end(text, end), closed=True)

    def _pass(self, at: int) -> None:
        """Go on after all signs that are the same as the one at `at`."""
        sign = self._text[at]
        while at < len(self._text) and self._text[at] == sign:
            at += 1
        self.position = at

    def _end(self, place: Break) -> None:
        """Note a sentence's end, if there are words on both sides of it and no grapheme is cut."""
        if self._voiced >= place.core or is_joined(self._text, place.end, place.core):
            return
        if self._ahead < place.end:
            self._ahead = first_voiced(self._text, place.end)
        if self._ahead == len(self._text):
            self._finish()
            return
        if place.end > self._dropped:
            self.ends.append(place)
        self._start, self._voiced = place.end, self._ahead

    def _finish(self) -> None:
        self.ends.append(Break(self._content, len(self._text), "sentence"))
        self._finished = True
