"""Punctuation and other signs, by what they do in a text.

Owns the tables of characters. No code but what makes one table of another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lineread.text.breaks import Kind

#: Stops that need no space after them.
FULL_STOPS = frozenset("。｡．।॥۔！？")
#: Stops that end a sentence whatever word is before them.
STRONG_STOPS = frozenset("!?‼⁉⁇⁈؟")
STOPS = FULL_STOPS | STRONG_STOPS | frozenset(".…")
LINE_ENDS = frozenset("\n\r\v\f\x85\u2028\u2029")
DASHES = frozenset("—–―-")
#: What ends a clause, and how a voice rests there.
CLAUSES: dict[str, Kind] = {
    **dict.fromkeys(",，、､،", "comma"),
    **dict.fromkeys(";:；：؛", "clause"),
    **dict.fromkeys("!?！？‼⁉", "sentence"),
    "…": "ellipsis",
}

#: Opening marks and what closes them.
PAIRS = {
    '"': '"',
    "'": "'",
    "“": "”",
    "„": "“”",
    "‘": "’",
    "‚": "‘’",
    "«": "»",
    "»": "«",
    "‹": "›",
    "「": "」",
    "『": "』",
    "《": "》",
    "〈": "〉",
    "【": "】",
    "〔": "〕",
    "（": "）",
    "(": ")",
    "[": "]",
}
#: These always open.
WIDE_OPENERS = frozenset("「『《〈【〔（")
#: Stops inside of these end no sentence.
TITLE_OPENERS = frozenset("《〈【〔[")
#: Stops inside of these do, where the sentence begins with the bracket.
BRACKETS = frozenset("（(")
OPENERS = frozenset(PAIRS) - {"»"} | frozenset("¿¡{［｛")
CLOSERS = frozenset("”’)]}」』】》〉）〕］｝")
#: Closers unless a letter follows; also those of Markdown.
EITHER = frozenset("\"'“‘«»‹›*_")
#: What cannot begin a piece.
TRAILING = STOPS | CLOSERS | frozenset(",;:，、､；：،؛%‰°")

_SMALL_KANA = frozenset("ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿｧｨｩｪｫｬｭｮｯ")
#: What cannot begin a piece that is cut between characters: also what continues a sound, and Thai and Lao vowels.
NO_HEAD = TRAILING | _SMALL_KANA | frozenset("ー々〻ゝゞヽヾ・ｰ～〜ะาำๅๆฯະາໆ”’»›—–…")
#: What cannot end one: also Thai and Lao vowels that are written before their consonant.
NO_TAIL = OPENERS | frozenset("เแโใไເແໂໃໄ第约約$€£¥#№§—–\u200d")
#: Numbers in Han characters, and what is counted with them.
NUMERALS = frozenset("零〇一二三四五六七八九十百千万萬亿億兆两兩几幾数數")
COUNTERS = frozenset("个個年月日号號时時分秒元块塊人次天岁歲点點章回本冊册枚匹台杯円名只隻条條件位")
