"""Numbers as they are meant: minus signs, ranges, leading zeros, decimals, dates, units.

Owns the rules for what has digits in it, in the order in which they apply; ``spelling`` applies them. hibari reads
plain numbers, times, most dates and many units by itself. What is here it would read as another number: "-40" as 40,
"007" as 7, "1,5" as 15, "3.10" as 3.1, "10 - 3 = 7" as a range.

A dash between two numbers is a range ("10-20", "5°C–10°C", "10am-4pm"); with spaces around it is one only if it goes
up, else a minus; before a number, with nothing to the left that it could join, it is a minus.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    Replacement = str | Callable[[re.Match[str]], str]
    Rules = tuple[tuple[str, Replacement], ...]

#: A plain number, with thousands parted by commas.
NUMBER: Final = r"\d+(?:,\d{3})*(?:\.\d+)?"

_MONTHS: Final = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)
_DAYS: Final = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()  # noqa: SIM905
_CALENDAR: Final = {name[:3]: name for name in (*_DAYS, *_MONTHS)} | {
    "Tues": "Tuesday", "Thur": "Thursday", "Thurs": "Thursday", "Sept": "September",
}  # fmt: skip
_KEYS: Final = {"Ctrl": "control", "Cmd": "command", "Alt": "alt", "Shift": "shift", "Win": "windows"}
#: Units that hibari does not know: one of it, and several. Those of one letter are units only after a space.
_UNITS: Final = {
    "atm": ("atmosphere", "atmospheres"), "tsp": ("teaspoon", "teaspoons"), "tbsp": ("tablespoon", "tablespoons"),
    "Ω": ("ohm", "ohms"), "kΩ": ("kilo ohm", "kilo ohms"), "MΩ": ("mega ohm", "mega ohms"),
    "mΩ": ("milli ohm", "milli ohms"), "µs": ("microsecond", "microseconds"), "ns": ("nanosecond", "nanoseconds"),
    "µm": ("micrometer", "micrometers"), "µg": ("microgram", "micrograms"), "µF": ("microfarad", "microfarads"),
    "dB": ("decibel", "decibels"), "kV": ("kilovolt", "kilovolts"), "mV": ("millivolt", "millivolts"),
    "mA": ("milliamp", "milliamps"), "hPa": ("hectopascal", "hectopascals"), "kPa": ("kilopascal", "kilopascals"),
    "mL": ("milliliter", "milliliters"), "kJ": ("kilojoule", "kilojoules"), "kcal": ("kilocalorie", "kilocalories"),
    "m²": ("square meter", "square meters"), "km²": ("square kilometer", "square kilometers"),
    "cm²": ("square centimeter", "square centimeters"), "m³": ("cubic meter", "cubic meters"),
    "cm³": ("cubic centimeter", "cubic centimeters"),
}  # fmt: skip
_LETTER_UNITS: Final = {
    "m": ("meter", "meters"), "g": ("gram", "grams"), "L": ("liter", "liters"), "V": ("volt", "volts"),
    "W": ("watt", "watts"),
}  # fmt: skip
#: What may stand between a number and the dash of a range.
_MEASURE: Final = (
    r"\s?(?:[ap]\.?m\.?|[AP]\.?M\.?|%|°\s?[CFK]?|[kKMGT]?(?:B|Hz|W)|[kcm]?m|[km]?g|lbs?|oz|ft|st|nd|rd|th)"
)
#: A number that is written as money does not lose the zeros of its cents: hibari reads those by itself.
_NO_MONEY: Final = r"(?<!USD )(?<!EUR )(?<!GBP )(?<!Rs )(?<!Rs\. )"
_MONTH: Final = re.compile(rf" (?:{'|'.join(name[:3] for name in _MONTHS)})")
_MONTH_BEFORE: Final = re.compile(rf"\b(?:{'|'.join(name[:3] for name in _MONTHS)})[a-z]*\.? $")


def _digits(match: re.Match[str]) -> str:
    """Digits one by one, a group at a time."""
    return ", ".join(" ".join(group) for group in re.findall(r"\d+", match[0]))


def _dotted_date(match: re.Match[str]) -> str:
    """A date with dots has its day first; one that cannot be is read as it stands."""
    day, month = int(match[1]), int(match[2])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0]
    return f"{day} {_MONTHS[month - 1]} {match[3]}"


def _commas(match: re.Match[str]) -> str:
    """Commas part thousands, or a decimal from its fraction, or the members of a list."""
    number = match[0]
    first, *rest = number.split(",")
    grouped = all(len(part) == 3 for part in rest) and len(first) <= 3 and not first.startswith("0")
    indian = len(rest) > 1 and len(rest[-1]) == 3 and all(len(part) == 2 for part in rest[:-1]) and len(first) <= 2
    if grouped or indian:
        return number
    text, start, end = match.string, match.start(), match.end()
    in_brackets = text[max(0, start - 1) : start] in tuple("([{") or text[end : end + 1] in tuple(")]}")
    return ", ".join((first, *rest)) if len(rest) > 1 or in_brackets else f"{first}.{rest[0]}"


def _spaced_dash(match: re.Match[str]) -> str:
    """A dash with spaces around, between two plain numbers."""
    first, second = (float(number.replace(",", "")) for number in (match[1], match[2]))
    return f"{match[1]} {'minus' if match[3] or first >= second else 'to'} "


def _leading_zero(match: re.Match[str]) -> str:
    """A number with a zero in front is a code; as a day beside its month it is a day."""
    text, start, end = match.string, match.start(), match.end()
    is_day = len(match[0]) == 2 and (_MONTH_BEFORE.search(text[max(0, start - 12) : start]) or _MONTH.match(text, end))
    return match[0] if is_day else _digits(match)


def _unit(match: re.Match[str]) -> str:
    one, several = (_UNITS | _LETTER_UNITS)[match[2]]
    return f"{match[1]} {one if match[1] == '1' else several}"


def _days(match: re.Match[str]) -> str:
    return f"{_CALENDAR[match[1]]} to {_CALENDAR[match[2]]}"


def _any_of(words: dict[str, str] | dict[str, tuple[str, str]]) -> str:
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


#: Before versions and money are read.
EARLY: Final[Rules] = (
    (r"(?<![\w.])(\d{1,2})\.(\d{1,2})\.((?:1[5-9]|20)\d\d)(?![\w]|\.\d)", _dotted_date),
    (r"(?<![\w.,])\d+(?:,\d+)+(?!\w|[.,]\d)", _commas),
    (r"([$€£])\.(?=\d)", r"\g<1>0."),
)

#: After phone numbers, before money.
DASHES: Final[Rules] = (
    (r"\b24/7(?:/365)?(?![\w/])", "twenty four seven"),
    (r"(?<![\w/])(\d\d)/\1(?![\w/])", r"\1 \1"),
    (r"\b\d{5}-\d{4}(?![\w-])", _digits),
    (r"(?i:\b(?:no|nos|number|code|flight|part|serial|ref)\.? )\d+-\d+(?![\w-])",
     lambda m: m[0].replace("-", " dash ")),
    (rf"\b({_any_of(_CALENDAR)})\.?\s?[-–]\s?({_any_of(_CALENDAR)})\b(?!\.\w)", _days),
    (rf"(?<![\w.,/–−-])({NUMBER})--(?=\d)", r"\1 to "),
    (r"(?<=\d)[-–](?=[-−]\.?\d)", " to "),
    (rf"(?<![\w.])((?:[$€£]\s?)?{NUMBER}{_MEASURE})(?:[-–]|\s[-–]\s|[-–]\s)(?=[$€£]?\d)", r"\1 to "),
    (rf"([$€£]\s?{NUMBER})\s?[-–]\s?(?=[$€£]?\d)", r"\1 to "),
    (r"(\d:\d\d)\s?[-–]\s?(?=\d{1,2}:\d\d)", r"\1 to "),
    (r"(?<=\d)-(?=\d[\d.,]*\s?=)", " minus "),
    (rf"(?<![\w.,/–-])({NUMBER})–(?={NUMBER}(?![-–\d]))", r"\1 to "),
    (rf"(?<![\w.,/–-])({NUMBER})-(?=\d+(?:,\d{{3}}|\.\d|\s?(?:%|[ap]m\b|[AP]M\b|[kKmMxX]\b|st\b|nd\b|rd\b|th\b)))",
     r"\1 to "),
    (r"(?<![\w.,/–-])(\d+(?:,\d{3})+|\d+\.\d+)-(?=\d)", r"\1 to "),
    (r"(?<![\w.,/–-])(?!\d{3}-\d{4}(?!\d))(\d{1,4})-(?=\d{1,4}(?![\w%/–-]|[.,]\d))", r"\1 to "),
    (rf"(?<![\w.,:/$€£])({NUMBER})\s+[-–]\s+(?=({NUMBER})(?![\w:/-])(\s*=)?)", _spaced_dash),
    (r"(?<=\d)\s+/\s+(?=\d)", " divided by "),
    (r"\b(UTC|GMT)[-−](?=\d)", r"\1 minus "),
    (r"(?<=\w[,;/=<>:])-(?=\.?\d)", " minus "),
    (r"(?<![\w)\].,;:/=<>%°–-])-(?=\.?\d)", "minus "),
    (r"(?<![\w)\].,;:/=<>%°–-])(?<!\d )–(?=\.?\d)", "minus "),
    (r"(?<!\S)([<>])(=?)(?=\d)", lambda m: {">": "more than ", "<": "less than ", ">=": "at least ",
                                             "<=": "at most "}[m[1] + m[2]]),
)  # fmt: skip

#: After money.
UNITS: Final[Rules] = (
    (r"(?<=\d)\s?(?:am|AM)\b(?!\.\w|')", " A.M"),  # hibari may take it for the verb
    (rf"(?<![\w$€£.,])(?<![$€£] )({NUMBER})\s?({_any_of(_UNITS)})(?![\w²³/])", _unit),
    (rf"(?<![\w$€£.,])(?<![$€£] )({NUMBER})\s({_any_of(_LETTER_UNITS)})(?![\w²³/'’+-]|\.\w)", _unit),
)

#: At the end.
LATE: Final[Rules] = (
    (r"(?<![\w.$€£])\.(\d+)(?![\w.]*\.\d)", lambda m: "point " + " ".join(m[1])),
    (rf"{_NO_MONEY}(?<![\w.,$€£¥-])(\d+(?:,\d{{3}})*)\.(\d*0)(?!\d|\.\d)", lambda m: f"{m[1]} point {' '.join(m[2])}"),
    (r"(?<![\w.,:/−–'-])(?<!\d )0\d+(?![\w%°]|[.,:/–-]\d)", _leading_zero),
    (rf"\b({'|'.join(_KEYS)})[+-](?=\w)", lambda m: f"{_KEYS[m[1]]} "),
    (r"\bext\.?\s?(?=\d)", "extension "),
    (r"(?i)\b(hashtag )#|#(?=hashtag\b)", r"\1"),
)
