"""Cutting a text into pieces that can be spoken one by one.

Owns where sentences, clauses, words and graphemes end, in the languages of the catalogue, and how long a voice rests
there. Knows nothing of engines or audio; no I/O.

The way through: ``splitter`` packs sentences into pieces, or takes them one by one. ``sentences`` walks through the
text once, from left to right, and only as far as asked; what ends a sentence is in ``boundaries``, what only looks like
its end in ``abbreviations``, what is kept whole in ``quotations``. A sentence that is too long goes to ``cutting``,
which looks at one window of it: ``clauses`` first, then words, then characters, and never what ``protection`` or
``graphemes`` hold together. Tables are apart from code: signs in ``marks``, words in ``vocabulary``.
Text that still arrives is cut in ``arriving``, by the same rules: how far these look ahead is in ``foresight``,
what is enough for a piece in ``saying``, where words end in ``seams``, what is over when nothing comes in ``lulls``.

What keeps it linear, whatever the text: every look around a character is bounded (a word back, a quotation ahead),
every run of white space or punctuation is passed once, and a window is never much longer than what is then cut off.

This package is on the way of every command. Big regular expressions are slow to compile, so patterns use character
categories, and tables of characters do the rest; ``cutting`` is imported when a sentence is too long, and not before.
"""

from __future__ import annotations

from lineread.text.breaks import PAUSES, Kind
from lineread.text.splitter import QUOTATION, Piece, split

__all__ = ["PAUSES", "QUOTATION", "Kind", "Piece", "split"]
