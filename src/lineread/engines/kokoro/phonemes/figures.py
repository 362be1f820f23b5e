"""Chinese figures in words: numbers, dates, times, percent, money, units and signs.

Owns the rules by which Mandarin reads what is written in digits. Everything else of a text stays as it is. Each rule
is a pattern and what is said instead; the first one that fits a place is used, so the order is from long to short.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_DIGITS: Final = "零一二三四五六七八九"
_TENS: Final = ("", "十", "百", "千")
_MYRIADS: Final = ("", "万", "亿", "万亿", "亿亿")
#: Numbers of more digits are codes, read one by one.
_MOST_DIGITS: Final = 16
_POINTS: Final = {"%": "百分之", "‰": "千分之"}
_CURRENCIES: Final = {"¥": "元", "￥": "元", "$": "美元", "€": "欧元", "£": "英镑", "₩": "韩元", "₹": "卢比"}
_UNITS: Final = {
    "km/h": "公里每小时", "m/s": "米每秒", "kwh": "千瓦时", "km²": "平方公里", "m²": "平方米", "m³": "立方米",
    "km": "公里", "cm": "厘米", "mm": "毫米", "nm": "纳米", "μm": "微米", "m": "米", "kg": "公斤", "mg": "毫克",
    "g": "克", "t": "吨", "ml": "毫升", "l": "升", "kw": "千瓦", "mw": "兆瓦", "w": "瓦", "v": "伏", "hz": "赫兹",
    "khz": "千赫", "mhz": "兆赫", "ghz": "吉赫", "kb": "千字节", "mb": "兆字节", "gb": "吉字节", "tb": "太字节",
    "ms": "毫秒", "s": "秒", "h": "小时", "min": "分钟", "℃": "摄氏度", "°c": "摄氏度", "℉": "华氏度", "°f": "华氏度",
    "°": "度",
}  # fmt: skip
#: Before these a two is 两.
_COUNTED: Final = (
    "个只次天位名条张本件块间层家辆台部双对岁周年分秒倍斤杯瓶碗口头匹把支枝棵朵座栋艘架场篇首句字页步声片小种点"
)
_SIGNS: Final = {
    "+": "加", "=": "等于", "×": "乘以", "÷": "除以", "<": "小于", ">": "大于", "≤": "小于等于", "≥": "大于等于",
    "≈": "约等于", "±": "正负", "&": "和", "@": "艾特", "#": "井号", "%": "百分号", "‰": "千分号", "°": "度",
    "℃": "摄氏度", "℉": "华氏度", "√": "根号", "∞": "无穷大", "→": "到", "№": "号", **_CURRENCIES,
}  # fmt: skip
#: Full-width letters, digits and signs as narrow ones.
_NARROW: Final = {0xFF01 + at: 0x21 + at for at in range(94)} | {0x3000: 0x20, 0x2212: 0x2D}
del _NARROW[0xFF0C]  # a comma between figures would make thousands of them
_NUMBER: Final = r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?"
_RANGE: Final = re.compile(
    rf"(?<=[\d%℃°])\s?(?:[-~～—–]|到)\s?(?=(?:{_NUMBER}))(?=\d+(?:\.\d+)?\s?[%℃°\u4e00-\u9fffa-zA-Z])"
)
#: A minus, not the hyphen of a compound or of a range.
_MINUS: Final = r"(?<![0-9A-Za-z)\]%-])-(?=\d)"


def spoken(text: str) -> str:
    """A text with its figures in words."""
    text = text.translate(_NARROW)
    for pattern, say in _RULES:
        text = pattern.sub(say, text)
    return text


def number(digits: str) -> str:
    """A number such as ``1,024.5`` in words."""
    whole, _, fraction = digits.replace(",", "").partition(".")
    said = _whole(whole) if _is_quantity(whole) else one_by_one(whole)
    return f"{said}点{one_by_one(fraction)}" if fraction else said


def one_by_one(digits: str) -> str:
    """Digits as those of a year or a telephone."""
    return "".join(_DIGITS[int(digit)] for digit in digits)


def _is_quantity(digits: str) -> bool:
    return len(digits) <= _MOST_DIGITS and (digits == "0" or not digits.startswith("0"))


def _whole(digits: str) -> str:
    """A whole number in words: four digits at a time, each group with its power of ten thousand."""
    groups = [digits[max(0, end - 4) : end] for end in range(len(digits), 0, -4)][::-1]
    said = ""
    for place, group in enumerate(groups):
        if int(group):
            gap = said and (group.startswith("0") or not int(groups[place - 1]))
            said += ("零" if gap else "") + _group(group.lstrip("0")) + _MYRIADS[len(groups) - 1 - place]
    said = said or "零"
    return said.removeprefix("一") if said.startswith("一十") else said


def _group(digits: str) -> str:
    """A number below ten thousand."""
    said = ""
    for place, digit in enumerate(digits):
        if digit != "0":
            said += _DIGITS[int(digit)] + _TENS[len(digits) - 1 - place]
        elif not said.endswith("零") and digits[place:].strip("0"):
            said += "零"
    return said


def _date(found: re.Match[str]) -> str:
    return f"{one_by_one(found[1])}年{number(found[2].lstrip('0'))}月{number(found[3].lstrip('0'))}日"


def _time(found: re.Match[str]) -> str:
    hours, minutes, seconds = (None if part is None else int(part) for part in found.groups())
    said = f"{number(str(hours))}点"
    if minutes or seconds:
        said += f"{'零' if minutes is not None and minutes < 10 else ''}{number(str(minutes))}分"
    return f"{said}{number(str(seconds))}秒" if seconds else said


_RULES: Final[tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]] = (
    (re.compile(r"(?<!\d)(\d{4})[-/.](0?[1-9]|1[0-2])[-/.](0?[1-9]|[12]\d|3[01])(?!\d)"), _date),
    (re.compile(r"(?<![\d:])([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?(?![\d:])"), _time),
    (re.compile(r"(?<!\d)(1[1-9]\d\d|20\d\d|[5-9]\d(?=年(?!代)))(?=年)"), lambda found: one_by_one(found[1])),
    (re.compile(r"(?<![\d.])(1\d{10}|0\d{2,3}-?\d{7,8})(?!\d)"), lambda found: one_by_one(found[1].replace("-", ""))),
    (re.compile(rf"([¥￥$€£₩₹])\s?({_NUMBER})(万亿|[万亿])?"), lambda m: f"{m[2]}{m[3] or ''}{_CURRENCIES[m[1]]}"),
    (_RANGE, "到"),
    (re.compile(_MINUS), "负"),
    (re.compile(rf"({_NUMBER})\s?([%‰])"), lambda found: f"{_POINTS[found[2]]}{number(found[1])}"),
    (re.compile(r"(?<![\d/])(\d{1,3})/(\d{1,3})(?![\d/])"), lambda found: f"{number(found[2])}分之{number(found[1])}"),
    (re.compile(rf"({_NUMBER})\s?({'|'.join(sorted(_UNITS, key=len, reverse=True))})(?![A-Za-z])", re.IGNORECASE),
     lambda found: f"{number(found[1])}{_UNITS[found[2].lower()]}"),
    (re.compile(rf"(?<![\d.,点])2(?=[{_COUNTED}])"), "两"),
    (re.compile(_NUMBER), lambda found: number(found[0])),
    (re.compile("|".join(map(re.escape, _SIGNS))), lambda found: _SIGNS[found[0]]),
)  # fmt: skip
