"""Where clauses end: commas, semicolons, colons, dashes, dots that trail off.

Owns the judgement of one place within a sentence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineread.text.boundaries import run_end
from lineread.text.breaks import Break
from lineread.text.characters import char_at, char_before, is_dense, skip_space
from lineread.text.marks import CLAUSES, CLOSERS, DASHES, EITHER, TRAILING

if TYPE_CHECKING:
    from lineread.text.breaks import Kind


def clause_at(text: str, at: int) -> Break | None:
    """The end of the clause that the punctuation at `at` ends, if it does."""
    sign = text[at]
    if sign in DASHES:
        return _dash_at(text, at)
    kind = CLAUSES.get(sign) or ("ellipsis" if text.startswith("..", at) else None)
    if kind is None:
        return None
    core = at
    while core < len(text) and text[core] in CLAUSES:
        core += 1
    core = run_end(text, core)
    end = skip_space(text, core)
    if end == len(text) or text[end] in TRAILING:
        return None
    before, after = char_before(text, at), text[end]
    if core == end and not (is_dense(sign) or is_dense(before) or is_dense(after)):
        return None
    if core == end and before.isdigit() and after.isdigit():
        return None
    return Break(core, end, kind)


def _dash_at(text: str, at: int) -> Break | None:
    """Where to cut beside a dash: after it, or before it where it opens (« —dijo él »)."""
    stop = at
    while stop < len(text) and text[stop] in DASHES:
        stop += 1
    before, after = char_before(text, at), char_at(text, stop)
    if not _is_dash(text[at:stop], before, after):
        return None
    if before.isspace() and not after.isspace():
        core = at
        while core and text[core - 1].isspace():
            core -= 1
        return Break(core, at, "clause")
    end = skip_space(text, stop)
    return None if end == len(text) or text[end] in TRAILING else Break(stop, end, "clause")


def _is_dash(signs: str, before: str, after: str) -> bool:
    """Neither a hyphen, nor the dash of a range or an option."""
    if before.isspace() and after.isspace():
        return True
    if signs == "–":
        return before.isspace() or after.isspace()
    return not (before.isdigit() and after.isdigit()) and (signs[0] != "-" or (signs == "--" and before.isalnum()))


def kind_before(text: str, core: int, plain: Kind) -> Kind:
    """What the punctuation before `core` makes of a cut there."""
    closed = core
    while core > max(0, closed - 4) and (text[core - 1] in CLOSERS or text[core - 1] in EITHER):
        core -= 1
    return CLAUSES.get(char_before(text, core), plain)
