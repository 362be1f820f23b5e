"""Signs in words: what a reader says for what hibari's rules would leave out without a sound.

Owns the table of such signs, and the way back: of every letter that is to be spoken it is known for which word of the
text it stands. hibari reads most signs by itself ("$5", "20 °C", "Jan. 5th", "AT&T"); what is here are those that it
drops: full-width and mathematical letters, digits of other scripts, currencies behind their amount, addresses,
versions, ratios, powers, comparisons, phone numbers. Emoji and ornaments stay silent, as a reader skips them.
Text in plain ASCII prose passes at the cost of one search.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

from lineread.english import figures
from lineread.english.signs import GREEK

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence

    from lineread.speech import Span

    Replacement = str | Callable[[re.Match[str]], str]

_WORD: Final = re.compile(r"\S+")
_BETWEEN: Final = re.compile(r"[\W_]+")
#: Whatever a rule below begins with. Text without any of it is left alone.
_SIGNS: Final = re.compile(r"[^\x00-\x7f]|[\d$%#*@~]|://|\w\.\w|[a-z][+-][A-Z]")

_NUMBER: Final = figures.NUMBER
_SCALE: Final = r"(?:\s(?:hundred|thousand|million|billion|trillion)\b)?"
#: One of it, and several.
_CURRENCIES: Final = {
    "$": ("dollar", "dollars"), "€": ("euro", "euros"), "£": ("pound", "pounds"), "¥": ("yen", "yen"),
    "₹": ("rupee", "rupees"), "₽": ("ruble", "rubles"), "₩": ("won", "won"), "₪": ("shekel", "shekels"),
    "₺": ("lira", "lira"), "₫": ("dong", "dong"), "₴": ("hryvnia", "hryvnias"), "₦": ("naira", "naira"),
    "฿": ("baht", "baht"), "₱": ("peso", "pesos"), "₿": ("bitcoin", "bitcoins"), "¢": ("cent", "cents"),
}  # fmt: skip
_DOLLARS: Final = {
    "US": "U.S.", "C": "Canadian", "CA": "Canadian", "A": "Australian", "AU": "Australian", "NZ": "New Zealand",
    "HK": "Hong Kong", "S": "Singapore",
}  # fmt: skip
_IN_ADDRESSES: Final = {
    ".": " dot ", "/": " slash ", ":": " colon ", "@": " at ", "-": " dash ", "_": " underscore ",
    "?": " question mark ", "=": " equals ", "&": " and ", "#": " hash ", "%": " percent ", "+": " plus ",
    "~": " tilde ",
}  # fmt: skip
_NAMES: Final = {
    "≤": " is at most ", "≥": " is at least ", "≠": " is not equal to ", "≈": " is about ", "∞": " infinity ",
    "√": " the square root of ", "∑": " the sum of ", "‰": " per mille ", "♯": " sharp ", "♭": " flat ",
    "№": " number ", "′": " feet ", "″": " inches ", "⇒": " to ", "⁄": "/", "ʼ": "'",
}  # fmt: skip
_POWERS: Final = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", [*"0123456789", "plus ", "minus ", "n"], strict=True))
_SCALES: Final = {"C": "Celsius", "F": "Fahrenheit"}
_TOP_LEVEL: Final = "com|org|net|edu|gov|io|dev|app|info|co|uk|us|eu|de|fr|ca|au|tv|me|ai"
#: Signs that hibari reads, or that nobody does, although they have a plain form.
_KEPT: Final = "ªº¹²³½¼¾™℠µ"


@dataclass(frozen=True, slots=True)
class Spelling:
    """A text as it is to be read.

    Attributes:
        text: Its words.
        words: The places of the source's words in the source: everything between white space with a letter or digit.
        owners: For each character of ``text``, which of them it stands for; -1 for none.
    """

    text: str
    words: tuple[Span, ...]
    owners: Sequence[int]


def spell(text: str) -> Spelling:
    """The text with its signs in words."""
    words = tuple(found.span() for found in _WORD.finditer(text) if any(map(str.isalnum, found[0])))
    owners = [-1] * len(text)
    for number, (start, end) in enumerate(words):
        owners[start:end] = [number] * (end - start)
    if _SIGNS.search(text):
        for occasion, rules in _rules():
            if occasion.search(text):
                for pattern, replacement in _compiled(rules):
                    text, owners = _replaced(text, owners, pattern, replacement)
    return Spelling(text, words, owners)


def loosened(spelling: Spelling, words: Container[int]) -> Spelling:
    """The text with some of the source's words as plain letters and digits, without what is between them."""
    return _respelled(spelling, words, lambda piece: _BETWEEN.sub(" ", piece))


def letter_by_letter(spelling: Spelling, words: Container[int]) -> Spelling:
    """The text with some of the source's words in letters and digits one by one."""
    return _respelled(spelling, words, lambda piece: " ".join(_BETWEEN.sub("", piece)))


def _respelled(spelling: Spelling, words: Container[int], new: Callable[[str], str]) -> Spelling:
    parts: list[str] = []
    owners: list[int] = []
    for owner, run in groupby(zip(spelling.text, spelling.owners, strict=True), key=lambda each: each[1]):
        piece = "".join(sign for sign, _ in run)
        if owner in words:
            piece = f" {new(unicodedata.normalize('NFKD', piece))} "
        parts.append(piece)
        owners += [owner if sign.isalnum() else -1 for sign in piece]
    return Spelling("".join(parts), spelling.words, owners)


def _replaced(text: str, owners: list[int], pattern: re.Pattern[str], new: Replacement) -> tuple[str, list[int]]:
    """What a pattern matches, replaced. The new characters stand for the same words, in the same order."""
    parts: list[str] = []
    owned: list[int] = []
    reached = 0
    for match in pattern.finditer(text):
        part = new(match) if callable(new) else match.expand(new)
        parts += text[reached : match.start()], part
        owned += owners[reached : match.start()]
        owned += _inherited(match[0], owners[match.start() : match.end()], part)
        reached = match.end()
    if not parts:
        return text, owners
    return "".join([*parts, text[reached:]]), owned + owners[reached:]


def _inherited(old: str, owners: Sequence[int], new: str) -> Iterator[int]:
    """Which words new characters stand for: letters and digits for those of the old ones, one after the other."""
    known = [owner for owner, sign in zip(owners, old, strict=True) if sign.isalnum()] or [max(owners, default=-1)]
    said = sum(map(str.isalnum, new))
    count = 0
    for sign in new:
        yield known[min(count * len(known) // max(said, 1), len(known) - 1)] if sign.isalnum() else -1
        count += sign.isalnum()


def _plain(match: re.Match[str]) -> str:
    """A letter, digit or sign in its plainest form, if it has one that can be read."""
    sign = match[0]
    if sign in _KEPT:
        return sign
    if sign.isdecimal():
        return str(unicodedata.decimal(sign))
    plain = unicodedata.normalize("NFKC", sign)
    name = unicodedata.name(sign, "")
    if name.startswith("VULGAR FRACTION"):
        return f" {name.removeprefix('VULGAR FRACTION ').lower()} "
    return plain if len(plain) == 1 or "°" in plain or (plain.isascii() and plain.isalnum()) else sign


def _address(match: re.Match[str]) -> str:
    said = "".join(_IN_ADDRESSES.get(sign, sign) for sign in match[0].replace("://", ":// ").replace("www.", "w w w."))
    return f" {said.strip()} "


def _amount(match: re.Match[str]) -> str:
    number, scale, sign = match["number"], match["scale"], match["sign"]
    if sign in "$€£" and not scale:
        return f"{sign}{number}"  # hibari reads dollars and cents
    return f"{number}{scale} {_CURRENCIES[sign][number != '1' or bool(scale)]}"


def _foreign_dollars(match: re.Match[str]) -> str:
    return f"{match[2]} {_DOLLARS[match[1]]} {'dollar' if match[2] == '1' else 'dollars'}"


def _phone(match: re.Match[str]) -> str:
    return ", ".join(" ".join(group) for group in re.findall(r"\d+", match[0]))


def _greek(match: re.Match[str]) -> str:
    """A Greek letter's name, apart from what stands beside it."""
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    name = GREEK[match[0]]
    return f"{' ' if before.isalnum() else ''}{name}{' ' if after.isalnum() else ''}"


def _power(match: re.Match[str]) -> str:
    return " to the power of " + "".join(_POWERS[sign] for sign in match[0])


def _ratio(match: re.Match[str]) -> str:
    first, second = match[1], match[2]
    is_time = len(first) <= 2 and len(second) == 2 and int(first) <= 24 and int(second) < 60
    return match[0] if is_time else f"{first} to {second}"


@functools.cache  # compiling takes longer than all the rest of a line that needs none of them
def _compiled(rules: figures.Rules) -> tuple[tuple[re.Pattern[str], Replacement], ...]:
    return tuple((re.compile(pattern), replacement) for pattern, replacement in rules)


@functools.cache
def _rules() -> tuple[tuple[re.Pattern[str], figures.Rules], ...]:
    """The rules in their order, in groups; each with what a text has to have for any rule of the group to apply."""
    signs = "[" + re.escape("".join(_CURRENCIES)) + "]"
    greek = f"[{''.join(GREEK)}]"
    groups: tuple[tuple[str, figures.Rules], ...] = (
        (r"[^\x00-\x7f]", (
            (rf"(?<=[\w)])(?:[{''.join(_POWERS)}]{{2,}}|[⁰¹⁴-⁹ⁿ])", _power),
            (r"(?<=\d)(?=[¼-¾⅐-⅞])", " and "),
            ("[" + "".join(_NAMES) + "]", lambda match: _NAMES[match[0]]),
            (r"[^\x00-\x7f]", _plain),
            (r"μ(?=[mgsF]\b)", "µ"),
        )),
        (r"\d[.,]\d|[$€£]\.\d", figures.EARLY),
        (r"://|@|\w\.\w", (
            (r"(?:https?|ftp)://[^\s<>\"]*[\w/]|\bwww\.[^\s<>\"]*[\w/]", _address),
            (r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", _address),
            (rf"\b(?:[\w-]+\.)+(?:{_TOP_LEVEL})\b(?:/[^\s<>\"]*[\w/])?(?![\w.]*\w)", _address),
            (r"(?<![\w.])v?\d+(?:\.\d+){2,}\b", lambda match: match[0].replace(".", " dot ")),
        )),
        (r"\d[ .()-]{1,2}\d", (
            (r"(?<![\w.+-])\+(?=\d[\d ().-]{6,14}\d(?!\w))", "plus "),
            (r"(?<=plus )\d[\d ().-]{6,14}\d(?!\w)", _phone),
            (r"(?<![\w.+-])(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\w-])", _phone),
        )),
        (r"[-–−/<>]", figures.DASHES),
        (r"\d[:'*]|\d\s\*|m/s|[−~]", (
            (r"(?<![\w:.])(\d+):(\d+)(?![\w:])", _ratio),
            (r"(\d+)'(\d{1,2})\"", r"\1 foot \2"),
            (r"(?<=\d)\s?m/s\b", " meters per second"),
            (r"(?<=\d)\s?\*\s?(?=\d)", " times "),
            (r"(?<=[\w)])\s?−\s?(?=[\w(])", " minus "),
            (r"−(?=\d)", "-"),
            (r"\b((?:[Aa]bout|[Aa]round|[Rr]oughly|[Aa]pproximately) )~\s?(?=\d)", r"\1"),
            (r"(?<![\w~])~\s?(?=\d)", "about "),
        )),
        (signs, (
            (rf"\b(US|CA?|AU?|NZ|HK|S)\$\s?({_NUMBER})", _foreign_dollars),
            (rf"(?<!\w)[-−](?={signs}\s?\d)", "minus "),
            (rf"(?P<number>(?<![\w.$€£]){_NUMBER})(?P<scale>{_SCALE})(?P<sign>{signs})(?!\d)", _amount),
            (rf"(?P<sign>{signs})\s?(?P<number>{_NUMBER})(?P<scale>{_SCALE})", _amount),
            (rf"(?P<number>(?<![\w.$€£]){_NUMBER})(?P<scale>{_SCALE})\s(?P<sign>{signs})(?!\s?\d)", _amount),
            (rf"{signs}(?!\d)", lambda match: f" {_CURRENCIES[match[0]][0]} "),
        )),
        (r"\d\s?[a-zA-Zµ]|[^\x00-\x7f]", figures.UNITS),
        (r"\.\d|\b0\d|[a-z][+-]|\bext|#", figures.LATE),
        (rf"[°%#]|{greek}", (
            (greek, _greek),
            (r"(?<![\d°])(?<!\d )°([CF])\b", lambda match: f"degrees {_SCALES[match[1]]}"),
            (r"(?<!\d)(?<!\d\s)%", " percent "),
            (r"\b([A-G])#(?!\w)", r"\1 sharp"),
        )),
    )  # fmt: skip
    return tuple((re.compile(occasion), rules) for occasion, rules in groups)
