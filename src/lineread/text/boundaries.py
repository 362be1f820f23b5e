"""Where sentences and lines end, language by language.

Owns the judgement of one place in a text. Which places are judged, and in what order, is up to ``sentences``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from lineread.text.abbreviations import abbreviates
from lineread.text.characters import char_at, char_before, is_dense, is_emoji, is_hiragana
from lineread.text.marks import CLOSERS, DASHES, EITHER, FULL_STOPS, OPENERS, STOPS, STRONG_STOPS, TRAILING
from lineread.text.vocabulary import JOINING, NOT_QUOTING, PARTICLES, QUOTING

if TYPE_CHECKING:
    from lineread.text.breaks import Kind

# As text: only texts of several lines need the first, few the others, and `re` keeps what it has compiled.
_NEWLINE = "\r\n|[\n\r\v\f\x85\u2028\u2029]"
_NOTE = r"\[\d{1,3}\]"
_SPEAKING = r"\w{0,8}?[说道问喊叫答吼嚷說問][着了完]?[：。，,:]"


def ends_sentence(text: str, at: int, gap: tuple[int, int], *, start: int, closed: bool) -> bool:
    """Whether a sentence ends after these stops.

    Args:
        text: The text.
        at: The first stop.
        gap: Where the stops and what closes after them end, and where the next words begin.
        start: Where the sentence begins.
        closed: Whether something closes after the stops.
    """
    core, end = gap
    mark, following = stop_kind(text, at), text[end]
    if following in TRAILING:
        return False
    if mark == "full":
        return _full_stop_ends(text, at, end, closed=closed)
    if following in "¿¡":
        return True
    if core == end:
        wide = is_dense(char_before(text, at)) and (is_dense(following) or following in OPENERS)
        return wide and mark != "ellipsis" and _full_stop_ends(text, at, end, closed=closed)
    sign = _first_sign(text, end)
    if text[sign].islower():
        return mark == "strong" and not closed and following not in DASHES
    return mark != "period" or closed or not abbreviates(text, at, sign, start)


def _full_stop_ends(text: str, at: int, end: int, *, closed: bool) -> bool:
    if text[end].isdigit() and char_before(text, at).isdigit():
        return False
    if closed or text[at] in "！？!?":
        quoting = text.startswith(QUOTING, end) and not text.startswith(NOT_QUOTING, end)
        return not (quoting or (closed and _speech_goes_on(text, end)))
    return True


def _speech_goes_on(text: str, at: int) -> bool:
    """Whether the words after direct speech in Chinese or Japanese belong to it."""
    after = char_at(text, at + 1)
    particle = text[at] in PARTICLES and is_dense(after) and not is_hiragana(after)
    return particle or text[at] in JOINING or re.match(_SPEAKING, text[at : at + 12]) is not None


def stop_kind(text: str, at: int) -> Literal["full", "strong", "ellipsis", "period"]:
    """What kind of stop a run of stops is; the strongest in it counts."""
    signs = ""
    while len(signs) < 8 and char_at(text, at + len(signs)) in STOPS:
        signs += text[at + len(signs)]
    if not FULL_STOPS.isdisjoint(signs):
        return "full"
    if not STRONG_STOPS.isdisjoint(signs):
        return "strong"
    return "period" if signs == "." else "ellipsis"


def run_end(text: str, at: int) -> int:
    """One past the punctuation at `at` and whatever closes after it: quotes, brackets, note marks, emoji."""
    length = len(text)
    while at < length:
        character = text[at]
        if character in STOPS or _closes_stop(text, at):
            at += 1
        elif character in " \u00a0\u202f" and _closes_after_space(text, at + 1):
            at += 2
        elif character == "[" and (note := re.match(_NOTE, text[at : at + 5])):
            at += note.end()
        else:
            break
    return at


def _closes_stop(text: str, at: int) -> bool:
    character = text[at]
    if character in EITHER:
        return not char_at(text, at + 1).isalnum()
    return character in CLOSERS or is_emoji(character) or character in "\u200d\ufe0f"


def _closes_after_space(text: str, at: int) -> bool:
    """French closing quotes and emoji stand after a space and belong to the sentence before."""
    character = char_at(text, at)
    return is_emoji(character) or (character in "»›" and not char_at(text, at + 1).isalnum())


def line_kind(text: str, core: int, end: int) -> Kind | None:
    """Whether this white space ends a line or a paragraph."""
    if end - core == 1 and text[core] == " ":  # nearly all of it
        return None
    newlines = re.compile(_NEWLINE)
    newline = newlines.search(text, core, end)
    if newline is None:
        return None
    if newline.group() in "\f\u2029" or newlines.search(text, newline.end(), end):
        return "paragraph"
    return "line"


def is_wrapped(text: str, line: int, core: int, end: int) -> bool:
    """Whether a line ends only because the next word had no room: no break for a voice.

    Args:
        text: The text.
        line: Where the line begins.
        core: Where its words end.
        end: Where the next line's words begin.
    """
    if not could_wrap(text, (core, end), core - line, indent(text, line)):
        return False
    line_after = text[end : end + 201].split("\n", 1)[0]
    return core - line + 1 + len(line_after.split(None, 1)[0]) >= len(line_after)


def could_wrap(text: str, gap: tuple[int, int], width: int, indentation: int) -> bool:
    """Whether the line's length and the next line's beginning let it be that the next word only had no room.

    Args:
        text: The text.
        gap: Where the line's words end, and where the next line's words begin.
        width: How many characters the line has.
        indentation: That of the line; see `indent`.
    """
    core, end = gap
    following = text[end]
    goes_on = following not in DASHES and text[_first_sign(text, end)].islower()
    if width < (45 if goes_on else 60) or text[core - 1] in ":;!?":
        return False
    return goes_on or (following.isalpha() and indent(text, end) == indentation)


def indent(text: str, at: int) -> int:
    """How far from the end of the line before it a line's words begin."""
    return at - text.rfind("\n", max(0, at - 40), at)


def _first_sign(text: str, at: int) -> int:
    """The first sign after opening marks, dashes and spaces; not far."""
    for place in range(at, min(at + 16, len(text))):
        character = text[place]
        if not (character in OPENERS or character in DASHES or character == "»" or character.isspace()):
            return place
    return at
