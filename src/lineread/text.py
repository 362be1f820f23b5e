"""Cutting a text into pieces that can be spoken one by one.

Owns where sentences, clauses, words and graphemes end, in the languages of the catalogue, and how long a voice rests
there. Knows nothing of engines or audio; no I/O.

How it works: `_Sentences` walks through the text once, from left to right, and only as far as asked; it finds sentence
ends and the quotations that are kept whole. `_Pieces` packs sentences (or takes them one by one), and hands a sentence
that is too long to `_Cut`, which looks at one window of it: clauses first, then words, then characters.

What keeps it linear, whatever the text: every look around a character is bounded (a word back, a quotation ahead),
every run of white space or punctuation is passed once, and a window is never much longer than what is then cut off.

Big regular expressions are slow to compile and this module is on the way of every command, so patterns here use
character categories, and tables of characters do the rest.
"""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Kind = Literal["paragraph", "line", "ellipsis", "sentence", "clause", "comma", "word", "inside"]

#: How long a voice rests at a place of this kind, in seconds.
PAUSES: dict[Kind, float] = {
    "paragraph": 0.70,  # blank line
    "line": 0.50,  # end of a line
    "ellipsis": 0.40,  # … ...
    "sentence": 0.35,  # . ! ? 。 ！ ？
    "clause": 0.22,  # ; : and dashes
    "comma": 0.14,  # , 、 ，
    "word": 0.03,  # between words, no punctuation
    "inside": 0.00,  # within a word, or between characters of a script without spaces
}

#: The longest quotation, in characters, that is kept whole.
QUOTATION = 80


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text that is spoken at once.

    Attributes:
        start: Its first character.
        end: One past its last character; white space after a piece belongs to it.
        pause: Seconds of silence that the punctuation after it asks for; 0 after the last one.
    """

    start: int
    end: int
    pause: float


def split(text: str, limit: int, *, by_sentence: bool = False, first: int | None = None) -> Iterator[Piece]:
    """Cut a text into pieces that join to exactly the text.

    The pieces come one at a time, and no more of the text is looked at than the next one needs.

    Args:
        text: Any text, in any language. Blank text has no pieces.
        limit: Most characters of a piece, white space around it not counted. Only a single grapheme may be longer.
        by_sentence: One piece for each sentence and line; otherwise as few pieces as possible.
        first: Most characters of the first piece, as far as a clause ends there: what is cut off early can be heard
            early. Where none does, the first piece is the first clause, or the first sentence.

    Yields:
        The pieces, in order. Each has a letter or a digit in it, as long as the text and the limit allow that.

    Raises:
        ValueError: `limit` or `first` is less than 1.
    """
    if limit < 1 or (first is not None and first < 1):
        raise ValueError("a piece has at least one character")
    return _Pieces(text, limit, by_sentence=by_sentence, first=first).run()


# --- characters ------------------------------------------------------------------------------------------------------

_SPACES = re.compile(r"\s*+")
_GAP = re.compile("\\s++|\u200b")
_VOICED = re.compile(r"[^\W_]")
_WORD = re.compile(r"\w++")
_MARKS = re.compile(r"[^\w\s]++")
#: Whatever may end a sentence, end a line or open a quotation, and some more.
_STOP = re.compile(r"[^\w ,;:-]")
_NEWLINE = re.compile("\r\n|[\n\r\v\f\x85\u2028\u2029]")

_FULL_STOPS = frozenset("。｡．।॥۔！？")  # they need no space after them
_STRONG_STOPS = frozenset("!?‼⁉⁇⁈؟")
_STOPS = _FULL_STOPS | _STRONG_STOPS | frozenset(".…")
_LINES = frozenset("\n\r\v\f\x85\u2028\u2029")
_DASHES = frozenset("—–―-")
_CLAUSES: dict[str, Kind] = {
    **dict.fromkeys(",，、､،", "comma"),
    **dict.fromkeys(";:；：؛", "clause"),
    **dict.fromkeys("!?！？‼⁉", "sentence"),
    "…": "ellipsis",
}

#: Opening marks and what closes them.
_PAIRS = {
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
_WIDE_OPENERS = frozenset("「『《〈【〔（")
_TITLE_OPENERS = frozenset("《〈【〔[")
_BRACKETS = frozenset("（(")
_OPENERS = frozenset(_PAIRS) - {"»"} | frozenset("¿¡{［｛")
_CLOSERS = frozenset("”’)]}」』】》〉）〕］｝")
_EITHER = frozenset("\"'“‘«»‹›*_")  # closers unless a letter follows; also those of Markdown
#: What cannot begin a piece.
_TRAILING = _STOPS | _CLOSERS | frozenset(",;:，、､；：،؛%‰°")

_SMALL_KANA = frozenset("ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿｧｨｩｪｫｬｭｮｯ")
#: What cannot begin a piece that is cut between characters: also what continues a sound, and Thai and Lao vowels.
_NO_HEAD = _TRAILING | _SMALL_KANA | frozenset("ー々〻ゝゞヽヾ・ｰ～〜ะาำๅๆฯະາໆ”’»›—–…")
#: What cannot end one: also Thai and Lao vowels that are written before their consonant.
_NO_TAIL = _OPENERS | frozenset("เแโใไເແໂໃໄ第约約$€£¥#№§—–\u200d")
_NUMERALS = frozenset("零〇一二三四五六七八九十百千万萬亿億兆两兩几幾数數")
_COUNTERS = frozenset("个個年月日号號时時分秒元块塊人次天岁歲点點章回本冊册枚匹台杯円名只隻条條件位")


def _is_emoji(character: str) -> bool:
    return "\u2600" <= character <= "\u27bf" or "\U0001f000" <= character <= "\U0001faff"


def _is_dense(character: str) -> bool:
    """Whether its script has no spaces: Han, kana, bopomofo, their wide punctuation, Thai, Lao, Burmese, Khmer."""
    if character < "\u0e00":
        return False
    if character < "\u3000":
        return character <= "\u0eff" or "\u1000" <= character <= "\u109f" or "\u1780" <= character <= "\u17ff"
    return not (
        character == "\u3000"
        or "\u3130" <= character <= "\u318f"  # Hangul, as below
        or "\ua000" <= character <= "\uf8ff"
        or "\ufb00" <= character <= "\uff00"
        or "\uffa0" <= character <= "\U0001ffff"
    )


def _is_hangul(character: str) -> bool:
    return "\uac00" <= character <= "\ud7a3"


def _is_letter(character: str) -> bool:
    """Whether it is a letter or digit of a script that parts a word from a quotation mark's outer side."""
    return character.isalnum() and not _is_dense(character) and not _is_hangul(character)


def _is_hiragana(character: str) -> bool:
    return "\u3041" <= character <= "\u309f"


def _is_flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _joined(text: str, at: int, floor: int) -> bool:
    """Whether the characters before and at `at` belong to one grapheme (Unicode Annex 29, the rules that matter).

    Args:
        text: The text.
        at: A place inside it.
        floor: A place before `at` where a grapheme is known to begin; flags are counted from there.
    """
    before, after = text[at - 1], text[at]
    if before < "\u0300" and after < "\u0300":
        return before == "\r" and after == "\n"
    if before in _LINES:
        return False
    return _extends(after) or _ligates(text, at) or _same_syllable(before, after) or _same_flag(text, at, floor)


def _extends(character: str) -> bool:
    return (
        unicodedata.category(character) in {"Mn", "Mc", "Me"}
        or character in "\u200c\u200d\uff9e\uff9f\u0e33\u0eb3"
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or "\U000e0020" <= character <= "\U000e007f"
    )


def _ligates(text: str, at: int) -> bool:
    """Emoji sequences, and consonants that an Indic virama joins."""
    before, after = text[at - 1], text[at]
    if before == "\u200d":
        virama = at > 1 and unicodedata.combining(text[at - 2]) == 9
        return virama if after.isalpha() else unicodedata.category(after) == "So"
    return unicodedata.combining(before) == 9 and unicodedata.category(after) == "Lo"


def _same_syllable(before: str, after: str) -> bool:
    """Hangul that is written in jamo: leading consonants, vowels, trailing consonants."""
    if not "\u1100" <= after <= "\ud7a3":
        return False
    syllable = _is_hangul(before)
    if "\u1100" <= before <= "\u115f":
        return not "\u11a8" <= after <= "\u11ff"
    if "\u1160" <= before <= "\u11a7" or (syllable and (ord(before) - 0xAC00) % 28 == 0):
        return "\u1160" <= after <= "\u11ff"
    return (syllable or "\u11a8" <= before <= "\u11ff") and "\u11a8" <= after <= "\u11ff"


def _same_flag(text: str, at: int, floor: int) -> bool:
    if not (_is_flag(text[at - 1]) and _is_flag(text[at])):
        return False
    begin = at
    while begin > floor and _is_flag(text[begin - 1]):
        begin -= 1
    return (at - begin) % 2 == 1


def _skip_space(text: str, at: int) -> int:
    match = _SPACES.match(text, at)
    return match.end() if match else at


def _content_end(text: str) -> int:
    """Where the white space at the end of a text begins."""
    end = len(text)
    while end and not (tail := text[max(0, end - 4096) : end].rstrip()):
        end = max(0, end - 4096)
    return max(0, end - 4096) + len(tail) if end else 0


def _first_voiced(text: str, at: int) -> int:
    """The next letter or digit, or the text's length."""
    match = _VOICED.search(text, at)
    return match.start() if match else len(text)


def _before(text: str, at: int) -> str:
    return text[at - 1] if at else " "


def _after(text: str, at: int) -> str:
    return text[at] if at < len(text) else " "


# --- abbreviations ---------------------------------------------------------------------------------------------------


def _words(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


#: Something always follows these: a name, a number, an explanation.
_TITLES = _words(
    # English
    "Mr Mrs Ms Mx Dr Prof Rev Hon Gen Col Maj Capt Cmdr Lt Sgt Cpl Pvt Adm Gov Sen Rep Pres Supt Messrs Mt Ft",
    "approx viz vs cf e.g i.e",
    # German
    "Hr Fr Frl Dipl Ing Hrsg bzw ca vgl evtl ggf inkl exkl sog geb gest verh bspw zzgl allg ehem",
    "z.B d.h u.U s.o s.u z.T i.d.R o.g",
    # French
    "M MM Mme Mmes Mlle Mlles Mgr Pr Ste Sts av apr env boul bd c.-à-d p.ex",
    # Italian
    "sig sigg sig.ra sig.na dott dott.ssa dr prof prof.ssa avv ing geom mons cfr p.es",
    "Sig Sigg Sig.ra Sig.na Dott Dott.ssa Prof.ssa Avv",
    # Spanish and Portuguese
    "Sra Srta Sres Dra Dña Lic Arq Profa Gral Cnel Pte Excmo Ilmo Mons Hno Hna Avda Pza Exmo Exma Eng Pe",
    "sr sra srta dra aprox séc EE p.ej ej",
    # Russian
    "ул просп пл кв корп ср напр проф акад доц ред тов св г-н г-жа т.е т.к т.н",
)
#: Abbreviations before a number, words or sentence ends elsewhere.
_BEFORE_NUMBER = _words(
    "no nos nr fig figs eq ch chap sec vol vols pp pg ver art bd abs kap abb tab anm aufl pos pag pagg cap págs pág",
    "núm n nn p s v c t nº n° tel tél тел стр рис табл гл ст пп вып с п ч т д jan feb mar apr jun jul aug sep sept oct",
    "nov dec février janv avr juil déc",
)
#: These may end a sentence: what follows decides.
_MAY_END = _words(
    "St Ave Blvd Rd Jr Sr Inc Ltd Co Corp Bros Ph.D Esq al dept est",
    "Str str Mio Mrd Tsd Std Min Sek Chr min max sec hrs lb lbs oz ft",
    "Ud Uds Vd Vds UU Av Exa Ltda Cia ed trad",
    "им см пр изд тыс млн млрд руб коп обл гг вв",
)
#: Words that often begin a sentence, and hardly ever a name.
_STARTERS = _words(
    "The This That These Those He She It We They You I A An In On At But And So If When While There Here What Who",
    "Why How Where His Her Its Our Their My Your Then Now After Before However As For From With By To Not No Yes",
    "Der Die Das Ein Eine Er Sie Es Wir Ich Ihr Du Und Aber Doch Dann Da Denn Wenn Als Im Am Auf Bei Mit Nach Nun",
    "Jetzt Was Wer Wie Wo Warum Dieser Diese Dieses Man Nicht Auch",
    "Le La Les Un Une Il Elle Ils Elles Nous Vous Je Tu Ce Cette Ces Mais Et Puis Alors Dans Pour Quand Si Que Qui",
    "Son Sa Lo Gli Una Ma Poi Quando Se Non Che Chi Questo Questa È Era",
    "El Los Las Pero Y Entonces Luego Cuando Ella Ellos Este Esta",
    "O Os Uma Mas E Ele Ela Eles Elas Não Isso Em Depois",
    "Он Она Оно Они Мы Вы Я Ты И А Но Это Потом Затем Когда Если Как Что Кто В На С По Там Тут Не Да Нет Вот Так",
)
#: Single letters that are words, so that a period after one ends the sentence.
_LETTER_WORDS = frozenset("яèéàòóêô")
#: What German counts with ordinals.
_AFTER_ORDINAL = _words(
    "Januar Jänner Februar März April Mai Juni Juli August September Oktober November Dezember",
    "Jahrhundert Jahrhunderts Jahrhunderte Jahrtausend Lebensjahr Geburtstag Tag Woche Monat Stunde Minute Mal",
    "Weltkrieg Armee Klasse Semester Stock Etage Bezirk Platz Runde Spieltag Liga Bundesliga Kapitel Auflage Band Akt",
)
#: Units that are not cut off from their number.
_UNITS = _words(
    "% ‰ ° °C °F km m cm mm nm µm kg g mg t l ml cl h min s ms Hz kHz MHz GHz kB MB GB TB KB kW kWh kJ",
    "cal kcal km/h mph ft in lb lbs oz mi m² m³ km² € $ £ ¥ EUR USD GBP CHF RMB Uhr Euro Euros Dollar dollars euros",
    "percent Prozent million millions billion Mio Mrd Millionen Milliarden millones milioni milhões mille",
    "млн млрд тыс руб г кг км м см мм л ч мин сек am pm a.m p.m AM PM 年 月 日 년 월 일 개 명 원 시 분",
)
#: As `_is_dense`, to look for one in a stretch of text.
_DENSE = (
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3001-\u312f\u3190-\u9fff\uf900-\ufaff\uff01-\uff9f\U00020000-\U0003ffff]"
)

# Patterns that few texts need; `re` compiles them at first use and keeps them.
_YEAR = r"\d{4}(?!\d)"
_SUFFIX = r"(?:Jr|Sr|Esq|Ph\.?D|M\.?D)\b"
_THOUSANDS = r"\d{3}(?!\d)"
_CHAIN = r"(?:\w|ej|ex|es|Exa|Chr)\."
_CHAINED = r"(?:^|\W)\w{1,2}\. $"
_DAY = r"\b\d{1,2}\. $"
_MONTH = r"\b\d{4}\. \d{1,2}\. $"
_NOTE = r"\[\d{1,3}\]"


def _word_before(text: str, dot: int) -> str:
    """The word that the period at `dot` ends, without what opens it."""
    window = text[max(0, dot - 24) : dot]
    if not window or window[-1].isspace():
        return ""
    word = window.split()[-1]
    for mark in ("'", "’", "/", "(", "—"):
        word = word.rsplit(mark, 1)[-1]
    return word.lstrip("\"'“‘«„([{—–-¿¡")


def _starts_sentence(text: str, at: int) -> bool:
    """Whether the word at `at` looks like the first of a sentence; an initial does not."""
    match = _WORD.match(text, at)
    return match is not None and match.group() in _STARTERS and _after(text, match.end()) != "."


def _abbreviates(text: str, dot: int, at: int, start: int = -1) -> bool:
    """Whether the period at `dot` only abbreviates, although no small letter follows.

    Args:
        text: The text.
        dot: A single period with a gap after it.
        at: The next letter, digit or other sign after it.
        start: Where the sentence begins; a number there is the number of an item.
    """
    word = _word_before(text, dot)
    if not word or not word[-1].isalnum():
        return False
    if word in _TITLES or (word.isupper() and len(word) > 1 and word.capitalize() in _TITLES):
        return True
    if word.isdigit() or _is_roman(word):
        return (len(word) <= 3 and dot - len(word) == start) or _is_ordinal(text, dot - len(word), word, at)
    if text[at].isdigit():
        return word.lower() in _BEFORE_NUMBER or (len(word) == 1 and word not in _LETTER_WORDS)
    return _is_initial(text, dot, word, at) if len(word) == 1 else _is_shortened(text, dot, word, at)


def _is_shortened(text: str, dot: int, word: str, at: int) -> bool:
    """Abbreviations that may end a sentence, and do before a word that begins one."""
    if word in {"ex", "es"}:  # "p. ex.", "ad es."; words of their own elsewhere
        return text[: dot - 3].endswith((" p.", "ad", "per"), max(0, dot - 8))
    known = word in _MAY_END or ("." in word and word not in {"т.д", "т.п"} and _is_short(word))
    return known and not _starts_sentence(text, at)


def _is_short(word: str) -> bool:
    """No file name: all parts between the periods are short."""
    return all(len(part) <= 2 and part.isalpha() for part in re.split(r"\.-?", word))


def _is_roman(word: str) -> bool:
    return len(word) > 1 and not word.strip("IVXLC")


def _is_ordinal(text: str, begin: int, word: str, at: int) -> bool:
    """German ordinals ("3. Mai", "XX. Jahrhundert") and dates ("3. 5. 2024", Korean "2024. 5. 1.")."""
    follower = _WORD.match(text, at)
    if follower is None or len(word) > 4:
        return False
    name, before = follower.group(), text[max(0, begin - 9) : begin]
    if name.isdigit():
        return (len(name) <= 2 and _after(text, follower.end()) == ".") or re.search(_DAY, before) is not None
    return name in _AFTER_ORDINAL or re.search(_MONTH, before) is not None


def _is_initial(text: str, dot: int, word: str, at: int) -> bool:
    """Initials, and abbreviations of several letters with spaces ("z. B.", "т. е.")."""
    if word in _LETTER_WORDS:
        return False
    chained = re.search(_CHAINED, text[max(0, dot - 6) : dot - 1]) is not None
    if word in {"д", "п"} and chained:
        return False
    if re.match(_CHAIN, text[at : at + 4]):
        return True
    if _starts_sentence(text, at):
        return False
    if word == "I" and not chained:
        return not _follows_small_word(text, dot - 1)
    return chained or word.isupper() or "\u0400" <= word <= "\u052f"


def _follows_small_word(text: str, at: int) -> bool:
    words = text[max(0, at - 24) : at].split()
    return bool(words) and words[-1].islower()


# --- quotations ------------------------------------------------------------------------------------------------------

_ELISIONS = ("tis", "twas", "em ", "em,", "em.", "til ", "cause", "bout", "round ")


def _opens(text: str, at: int) -> bool:
    """Whether the mark at `at`, one of the pairs, opens rather than closes, and is no apostrophe or smiley."""
    mark, before, after = text[at], _before(text, at), _after(text, at + 1)
    if mark in _WIDE_OPENERS:
        return True
    if mark in "([":
        return before not in ":;=-" and not after.isspace()
    if mark == "»":
        return (before.isspace() or before in "(—–") and after.isalnum()
    return not _is_letter(before) and _opens_speech(text, at)


def _opens_speech(text: str, at: int) -> bool:
    mark, after = text[at], _after(text, at + 1)
    if mark in "«‹":
        return _before(text, at) not in _TRAILING
    if mark in "'‘‚":
        return after.isalnum() and not after.isdigit() and not text[at + 1 : at + 7].lower().startswith(_ELISIONS)
    return not after.isspace() and after not in ".,;:!?)"


def _closes(text: str, at: int, mark: str) -> bool:
    """Whether the mark at `at` can close what `mark` opened."""
    if mark not in "\"'‘‚":
        return True
    return not text[at - 1].isspace() and not _is_letter(_after(text, at + 1))


def _quotation_end(text: str, at: int, longest: int) -> int:
    """One past the quotation that opens at `at` and ends on the same line, at most `longest` on; 0 if none does."""
    mark = text[at]
    begin, stop = at + 1, at + longest
    for depth in range(4):
        closing = _first_of(_PAIRS[mark], text, begin, stop)
        if closing <= at + 1 or text.find("\n", begin, closing) >= 0:
            return 0
        nested = 0 if mark in _PAIRS[mark] else text.count(mark, at + 1, closing)
        if nested <= depth and _closes(text, closing, mark):
            return closing + 1
        begin = closing + 1
    return 0


def _first_of(signs: str, text: str, begin: int, stop: int) -> int:
    """Where the first of one or two signs is; -1 if neither is there."""
    found = text.find(signs[0], begin, stop)
    if len(signs) == 1:
        return found
    other = text.find(signs[1], begin, stop if found < 0 else found)
    return found if other < 0 else other


# --- sentences -------------------------------------------------------------------------------------------------------


class _Break(NamedTuple):
    """A place to cut: the words before it end at `core`, the next ones begin at `end`; between is white space."""

    core: int
    end: int
    kind: Kind


#: What goes on after an exclamation or a question in Japanese ("… と言った"), and adverbs that only look like it.
_QUOTING = ("と", "って", "という", "など")
_NOT_QUOTING = ("ところが", "とても", "とにかく", "とりあえず", "とっても", "とき", "ってこと")
_PARTICLES = frozenset("のはがをにもで")
#: What goes on after speech in Chinese: "… 他说", "… 的声音".
_JOINING = frozenset("的地和与與而")
_SPEAKING = r"\w{0,8}?[说道问喊叫答吼嚷說問][着了完]?[：。，,:]"


def _run_end(text: str, at: int) -> int:
    """One past the punctuation at `at` and whatever closes after it: quotes, brackets, note marks, emoji."""
    length = len(text)
    while at < length:
        character = text[at]
        if character in _STOPS or _closes_stop(text, at):
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
    if character in _EITHER:
        return not _after(text, at + 1).isalnum()
    return character in _CLOSERS or _is_emoji(character) or character in "\u200d\ufe0f"


def _closes_after_space(text: str, at: int) -> bool:
    """French closing quotes and emoji stand after a space and belong to the sentence before."""
    character = _after(text, at)
    return _is_emoji(character) or (character in "»›" and not _after(text, at + 1).isalnum())


def _line_kind(text: str, core: int, end: int) -> Kind | None:
    """Whether this white space ends a line or a paragraph."""
    newline = _NEWLINE.search(text, core, end)
    if newline is None:
        return None
    if newline.group() in "\f\u2029" or _NEWLINE.search(text, newline.end(), end):
        return "paragraph"
    return "line"


def _is_wrapped(text: str, line: int, core: int, end: int) -> bool:
    """Whether a line ends only because the next word had no room: no break for a voice.

    Args:
        text: The text.
        line: Where the line begins.
        core: Where its words end.
        end: Where the next line's words begin.
    """
    following = text[end]
    goes_on = following not in _DASHES and text[_first_sign(text, end)].islower()
    if core - line < (45 if goes_on else 60) or text[core - 1] in ":;!?":
        return False
    if not goes_on and not (following.isalpha() and _indent(text, end) == _indent(text, line)):
        return False
    line_after = text[end : end + 201].split("\n", 1)[0]
    return core - line + 1 + len(line_after.split(None, 1)[0]) >= len(line_after)


def _indent(text: str, at: int) -> int:
    return at - text.rfind("\n", max(0, at - 40), at)


def _first_sign(text: str, at: int) -> int:
    """The first sign after opening marks, dashes and spaces; not far."""
    for place in range(at, min(at + 16, len(text))):
        character = text[place]
        if not (character in _OPENERS or character in _DASHES or character == "»" or character.isspace()):
            return place
    return at


def _mark(text: str, at: int) -> Literal["full", "strong", "ellipsis", "period"]:
    """What kind of stop a run of stops is; the strongest in it counts."""
    signs = ""
    while len(signs) < 8 and _after(text, at + len(signs)) in _STOPS:
        signs += text[at + len(signs)]
    if not _FULL_STOPS.isdisjoint(signs):
        return "full"
    if not _STRONG_STOPS.isdisjoint(signs):
        return "strong"
    return "period" if signs == "." else "ellipsis"


def _ends(text: str, at: int, gap: tuple[int, int], *, start: int, closed: bool) -> bool:
    """Whether a sentence ends after these stops.

    Args:
        text: The text.
        at: The first stop.
        gap: Where the stops and what closes after them end, and where the next words begin.
        start: Where the sentence begins.
        closed: Whether something closes after the stops.
    """
    core, end = gap
    mark, following = _mark(text, at), text[end]
    if following in _TRAILING:
        return False
    if mark == "full":
        return _full_stop_ends(text, at, end, closed=closed)
    if following in "¿¡":
        return True
    if core == end:
        wide = _is_dense(_before(text, at)) and (_is_dense(following) or following in _OPENERS)
        return wide and mark != "ellipsis" and _full_stop_ends(text, at, end, closed=closed)
    sign = _first_sign(text, end)
    if text[sign].islower():
        return mark == "strong" and not closed and following not in _DASHES
    return mark != "period" or closed or not _abbreviates(text, at, sign, start)


def _full_stop_ends(text: str, at: int, end: int, *, closed: bool) -> bool:
    if text[end].isdigit() and _before(text, at).isdigit():
        return False
    if closed or text[at] in "！？!?":
        quoting = text.startswith(_QUOTING, end) and not text.startswith(_NOT_QUOTING, end)
        return not (quoting or (closed and _speech_goes_on(text, end)))
    return True


def _speech_goes_on(text: str, at: int) -> bool:
    """Whether the words after direct speech in Chinese or Japanese belong to it."""
    after = _after(text, at + 1)
    particle = text[at] in _PARTICLES and _is_dense(after) and not _is_hiragana(after)
    return particle or text[at] in _JOINING or re.match(_SPEAKING, text[at : at + 12]) is not None


class _Sentences:
    """Walks through a text once and finds where its sentences end.

    A sentence without a letter or a digit is none: it goes with the next one, or with the last.

    Attributes:
        ends: The ends that were found and not yet dropped, in order.
        quotations: As many of the quotations that are kept whole.
        position: Everything before it has been seen.
    """

    def __init__(self, text: str, quotation: int) -> None:
        self.ends: deque[_Break] = deque()
        self.quotations: deque[tuple[int, int]] = deque()
        self.position = _skip_space(text, 0)
        self._text = text
        self._content = _content_end(text)
        self._quotation = quotation
        self._start = self._line = self.position
        self._voiced = self._ahead = _first_voiced(text, self.position)
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
        if sign in _STOPS:
            core = _run_end(self._text, at)
            self._stop(at, core, closed=self._text[core - 1] not in _STOPS)
        elif sign in _LINES:
            self._newline(at)
        elif sign in _PAIRS and _opens(self._text, at):
            self._quote(at)
        else:
            self._pass(at)

    def _stop(self, at: int, core: int, *, closed: bool) -> None:
        end = self.position = _skip_space(self._text, core)
        if end == len(self._text):
            return
        line, wrapped = self._line_end(core, end)
        if (line and not wrapped) or _ends(self._text, at, (core, end), start=self._start, closed=closed):
            plain: Kind = "ellipsis" if _mark(self._text, at) == "ellipsis" else "sentence"
            self._end(_Break(core, end, line or plain))

    def _newline(self, at: int) -> None:
        core = at
        while core > self._start and self._text[core - 1].isspace():
            core -= 1
        end = self.position = _skip_space(self._text, at)
        if end == len(self._text):
            return
        line, wrapped = self._line_end(core, end)
        if line and not wrapped:
            self._end(_Break(core, end, line))

    def _line_end(self, core: int, end: int) -> tuple[Kind | None, bool]:
        """The kind of line end in this white space, if there is one, and whether it only wraps."""
        kind = _line_kind(self._text, core, end) if end > core else None
        wrapped = kind == "line" and _is_wrapped(self._text, self._line, core, end)
        if kind:
            self._line = end
        return kind, wrapped

    def _quote(self, at: int) -> None:
        text = self._text
        end = _quotation_end(text, at, self._quotation)
        if not end:
            self._pass(at)
            return
        self.position = end
        self.quotations.append((at, end))
        last = end - 2
        while last > at and (text[last].isspace() or text[last] in _CLOSERS or text[last] in _EITHER):
            last -= 1
        while text[last] in _STOPS and text[last - 1] in _STOPS:
            last -= 1
        speech = text[at] not in _TITLE_OPENERS and (text[at] not in _BRACKETS or at == self._start)
        if speech and last > at and text[last] in _STOPS:
            self._stop(last, _run_end(text, end), closed=True)

    def _pass(self, at: int) -> None:
        """Go on after all signs that are the same as the one at `at`."""
        sign = self._text[at]
        while at < len(self._text) and self._text[at] == sign:
            at += 1
        self.position = at

    def _end(self, place: _Break) -> None:
        """Note a sentence's end, if there are words on both sides of it and no grapheme is cut."""
        if self._voiced >= place.core or _joined(self._text, place.end, place.core):
            return
        if self._ahead < place.end:
            self._ahead = _first_voiced(self._text, place.end)
        if self._ahead == len(self._text):
            self._finish()
            return
        if place.end > self._dropped:
            self.ends.append(place)
        self._start, self._voiced = place.end, self._ahead

    def _finish(self) -> None:
        self.ends.append(_Break(self._content, len(self._text), "sentence"))
        self._finished = True


# --- a sentence that is too long -------------------------------------------------------------------------------------

#: What is not cut even where a word is.
_ATOM = (
    r"(?<![\w.+-])(?:"
    r"(?:[A-Za-z][A-Za-z0-9+.-]{1,15}://|www\.)[!#-;=?-~]++"  # URL
    r"|[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+"  # e-mail
    r"|(?:[\w-]{1,63}+\.)+[A-Za-z][A-Za-z0-9]++"  # domain, file name
    r")|[vV]?\d++(?:[.,:/-]\d++)*+"  # number, time, date, version
)


def _clause_at(text: str, at: int) -> _Break | None:
    """The end of the clause that the punctuation at `at` ends, if it does."""
    sign = text[at]
    if sign in _DASHES:
        return _dash_at(text, at)
    kind = _CLAUSES.get(sign) or ("ellipsis" if text.startswith("..", at) else None)
    if kind is None:
        return None
    core = at
    while core < len(text) and text[core] in _CLAUSES:
        core += 1
    core = _run_end(text, core)
    end = _skip_space(text, core)
    if end == len(text) or text[end] in _TRAILING:
        return None
    before, after = _before(text, at), text[end]
    if core == end and not (_is_dense(sign) or _is_dense(before) or _is_dense(after)):
        return None
    if core == end and before.isdigit() and after.isdigit():
        return None
    return _Break(core, end, kind)


def _dash_at(text: str, at: int) -> _Break | None:
    """Where to cut beside a dash: after it, or before it where it opens (« —dijo él »)."""
    stop = at
    while stop < len(text) and text[stop] in _DASHES:
        stop += 1
    before, after = _before(text, at), _after(text, stop)
    if not _is_dash(text[at:stop], before, after):
        return None
    if before.isspace() and not after.isspace():
        core = at
        while core and text[core - 1].isspace():
            core -= 1
        return _Break(core, at, "clause")
    end = _skip_space(text, stop)
    return None if end == len(text) or text[end] in _TRAILING else _Break(stop, end, "clause")


def _is_dash(signs: str, before: str, after: str) -> bool:
    """Neither a hyphen, nor the dash of a range or an option."""
    if before.isspace() and after.isspace():
        return True
    if signs == "–":
        return before.isspace() or after.isspace()
    return not (before.isdigit() and after.isdigit()) and (signs[0] != "-" or (signs == "--" and before.isalnum()))


def _kind_before(text: str, core: int, plain: Kind) -> Kind:
    """What the punctuation before `core` makes of a cut there."""
    closed = core
    while core > max(0, closed - 4) and (text[core - 1] in _CLOSERS or text[core - 1] in _EITHER):
        core -= 1
    return _CLAUSES.get(_before(text, core), plain)


def _is_glued(text: str, core: int, end: int) -> bool:
    """Whether the words on both sides of this white space belong together."""
    before, after = text[core - 1], text[end]
    if before.isdigit():
        return _is_glued_number(text, core, end)
    if before == ".":
        return _is_glued_period(text, core - 1, end)
    if before == ",":
        return re.match(_YEAR if text[core - 2 : core - 1].isdigit() else _SUFFIX, text[end : end + 5]) is not None
    return (
        _is_glued_sign(text, core, end)
        or (before in "§№#$€£¥" and after.isdigit())
        or (after.isupper() and _word_before(text, core) in _TITLES)  # "Mr Smith", "Mme Roy"
        or (before == "и" and text.startswith(("т. д", "т. п", "т.д", "т.п"), end))
    )


def _is_glued_sign(text: str, core: int, end: int) -> bool:
    """Spaced punctuation (French), dashes, no-break spaces."""
    before, after, next_one = text[core - 1], text[end], _after(text, end + 1)
    if after in _TRAILING or (after in _DASHES and next_one.isspace()) or (after in "»›" and not next_one.isalnum()):
        return True
    if before in _OPENERS and before not in "\"'" and not _before(text, core - 1).isalnum():
        return True
    return end - core == 1 and text[core] in "\u00a0\u202f\u2007"


def _is_glued_number(text: str, core: int, end: int) -> bool:
    """A number before its unit, a group of thousands, or what is not cut from anything."""
    if re.match(_THOUSANDS, text[end : end + 4]):
        return end - core == 1
    token = text[end : end + 12].split(None, 1)[0].rstrip(".,;:!?)…")
    return token in _UNITS or _is_glued_sign(text, core, end)


def _is_glued_period(text: str, dot: int, end: int) -> bool:
    """An abbreviation before what it stands for, initials before a name, an ordinal before its month."""
    word = _word_before(text, dot)
    if word in _TITLES or (len(word) == 1 and word.isalpha() and _is_initial(text, dot, word, end)):
        return True
    return not text[end].islower() and _abbreviates(text, dot, end)


class _Cut:
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

    def find(self) -> _Break:
        """The best place, whatever it takes."""
        return self._clause() or self._below_clause()

    def _below_clause(self) -> _Break:
        words = sorted(self._words(self._blocked), key=self._distance)
        place = (
            self._word(words, self._low)
            or self._between(self._low)
            or self._word(words, self._lead)
            or self._between(self._lead)
            or next((word for word in words if self._is_sound(word)), None)
            or self._inside()
        )
        return place._replace(kind=_kind_before(self._text, place.core, place.kind))

    def clauses(self) -> Iterator[_Break]:
        """The ends of clauses within the limit, in order."""
        for marks in _MARKS.finditer(self._text, self._lead, self._reach + 1):
            if marks.end() > self._reach:
                break
            signs = range(max(marks.start(), marks.end() - 8), marks.end())
            places = (place for at in signs if (place := _clause_at(self._text, at)))
            place = next(places, None)
            if place and self._lead < place.core <= self._reach and self._is_free(place):
                yield place

    def first_clause(self, first: int) -> _Break | None:
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
        head = _VOICED.search(self._text, self._lead, self._reach)
        if head is None:
            return self._lead, self._rest
        if self._far < self._rest or _VOICED.search(self._text, self._reach, self._rest):
            return head.end(), self._rest
        tail = head.start()
        for found in _VOICED.finditer(self._text, self._lead, self._reach):
            tail = found.start()
        return head.end(), tail

    def _distance(self, place: _Break) -> int:
        return abs(place.core - self._ideal)

    def _is_sound(self, place: _Break) -> bool:
        return self._lead < place.core <= self._reach and self._head <= place.core and place.end <= self._tail

    def _is_free(self, place: _Break) -> bool:
        """Whether nothing is cut there that belongs together."""
        text, core, end = self._text, place.core, place.end
        return (
            end not in self._blocked
            and core not in self._blocked
            and not _joined(text, end, self._lead)
            and (core == end or not _is_glued(text, core, end))
        )

    def _is_fair(self, place: _Break, low: int) -> bool:
        """Whether a cut at `low` or later leaves no scrap, and of two halves none that is too long."""
        if not self._is_sound(place) or place.core < low:
            return False
        return low == self._lead or not self._two or self._is_half(place)

    def _is_half(self, place: _Break) -> bool:
        """Whether what is left after the cut is one piece, and not a scrap."""
        return self._small <= self._rest - place.end <= self._limit

    def _clause(self) -> _Break | None:
        """The clause end nearest to the ideal; it may be early where the rest is then one piece."""
        places = [
            place
            for place in self.clauses()
            if self._is_sound(place)
            and (place.core - self._lead >= self._limit // 4 or (self._two and self._is_half(place)))
            and min(place.core - self._lead, self._rest - place.end) >= self._small
        ]
        return min(places, key=self._awkwardness, default=None)

    def _awkwardness(self, place: _Break) -> int:
        """Distance from the ideal; a third piece costs much, and a comma a little."""
        third = self._limit if self._two and not self._is_half(place) else 0
        return self._distance(place) + third + (self._limit // 5 if place.kind == "comma" else 0)

    def _words(self, blocked: set[int]) -> Iterator[_Break]:
        """The ends of words within the limit, in order, but for the blocked ones."""
        for gap in _GAP.finditer(self._text, self._lead, self._reach + 1):
            core = gap.start() if gap.group()[0].isspace() else gap.end()
            end = _skip_space(self._text, gap.end())
            if end >= self._rest:
                break
            if not (core in blocked or end in blocked or self._is_joined(end)):
                yield _Break(core, end, "word")

    def _word(self, words: list[_Break], low: int) -> _Break | None:
        """The first of these words that is not glued to the next one."""
        fair = (word for word in words if self._is_fair(word, low))
        return next((word for word in fair if not _is_glued(self._text, word.core, word.end)), None)

    def _between(self, low: int) -> _Break | None:
        """A place between two characters of a script without spaces; in Japanese, where a phrase begins."""
        window = self._text[self._lead : self._reach + 1]
        if window.isascii() or not re.search(_DENSE, window):
            return None
        for suits in (_begins_phrase, _parts):
            for at in self._nearest(low):
                if (
                    suits(self._text, at)
                    and self._is_fair(place := _Break(at, at, "inside"), low)
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

    def _inside(self) -> _Break:
        """Where a word that is too long, or what should never be cut, has to be cut for the limit's sake."""
        whole = self._whole()
        hyphens = (at for at in self._nearest(self._low) if self._text[at - 1] in "-/_\u00ad")
        places = (at for at in chain(hyphens, self._nearest(self._lead)) if at not in whole and not self._is_joined(at))
        at = next((at for at in places if self._is_sound(_Break(at, at, "inside"))), None)
        if at is not None:
            return self._trimmed(at)
        quoted = sorted(self._words(blocked=set()), key=self._distance)
        word = next((word for word in quoted if self._is_sound(word)), None)
        return word or self._trimmed(self._scrap(whole))

    def _whole(self) -> set[int]:
        """The places inside quotations, numbers, addresses and file names that fit a piece."""
        whole = self._blocked.copy()
        for atom in re.compile(_ATOM).finditer(self._text, self._lead, self._far):
            if atom.end() - atom.start() <= self._limit:
                whole.update(range(max(atom.start() + 1, self._lead), atom.end()))
        return whole

    def _scrap(self, whole: set[int]) -> int:
        """A place that leaves a piece without words; or where the first grapheme ends, should that be too long."""
        ends = [at for at in range(self._reach, self._lead, -1) if not self._is_joined(at)]
        if ends:
            return next((at for at in ends if at not in whole), ends[0])
        at = self._reach + 1
        while at < len(self._text) and self._is_joined(at):
            at += 1
        return at

    def _is_joined(self, at: int) -> bool:
        return _joined(self._text, at, self._lead)

    def _trimmed(self, at: int) -> _Break:
        """A cut at this place that leaves white space to the piece before."""
        core, end = at, _skip_space(self._text, at)
        while self._text[core - 1].isspace():
            core -= 1
        if at < end < len(self._text) and self._is_joined(end):
            end = at
        return _Break(core, end, "word" if end > core else "inside")

    def _has_words(self, place: _Break) -> bool:
        """Whether there is something to listen to before and after."""
        return _says_enough(self._text, self._lead, place.core) and _says_enough(self._text, place.end, self._far)


def _says_enough(text: str, start: int, end: int) -> bool:
    """Whether there are eight letters, or three Han characters, or as much of a mixture."""
    said = 0
    for place in range(start, end):
        if text[place].isalnum():
            said += 3 if _is_dense(text[place]) else 2 if _is_hangul(text[place]) else 1
            if said >= 8:
                return True
    return False


def _begins_phrase(text: str, at: int) -> bool:
    """Whether kanji or katakana follow hiragana: in Japanese, mostly a new phrase."""
    before, after = text[at - 1], text[at]
    return _is_hiragana(before) and before not in "おご" and not _is_hiragana(after) and _parts(text, at)


def _parts(text: str, at: int) -> bool:
    """Whether two characters of a script without spaces may be parted."""
    before, after = text[at - 1], text[at]
    if not (_is_dense(before) or _is_dense(after)) or before.isspace() or after.isspace():
        return False
    if after in _NO_HEAD or before in _NO_TAIL or before.isdigit():
        return False
    if after.isdigit() and before in "，．：,.:":
        return False
    return before not in _NUMERALS or not (after in _NUMERALS or after in _COUNTERS)


# --- pieces ----------------------------------------------------------------------------------------------------------


class _Pieces:
    """Packs sentences into pieces."""

    def __init__(self, text: str, limit: int, *, by_sentence: bool, first: int | None) -> None:
        self._text = text
        self._limit = limit
        self._by_sentence = by_sentence
        self._first = first
        self._sentences = _Sentences(text, min(QUOTATION, limit))

    def run(self) -> Iterator[Piece]:
        """The pieces, in order."""
        text, start = self._text, 0
        while (lead := _skip_space(text, start)) < len(text):
            place = self._next(lead) if start or self._first is None else self._opening(lead, self._first)
            self._sentences.drop(place.end)
            last = place.end == len(text)
            yield Piece(start, place.end, 0.0 if last else PAUSES[place.kind])
            start = place.end

    def _next(self, lead: int) -> _Break:
        """Where the piece ends whose words begin at `lead`."""
        if not self._by_sentence:
            return self._packed(lead, self._limit) or self._cut(lead).find()
        sentence = self._sentence(lead)
        return sentence if sentence and sentence.core - lead <= self._limit else self._cut(lead).find()

    def _packed(self, lead: int, limit: int) -> _Break | None:
        """The last sentence end within the limit; past the half of it, rather a paragraph's."""
        self._sentences.look(lead + limit + 1)
        fitting = [place for place in self._sentences.ends if place.core - lead <= limit]
        if not fitting or fitting[-1].end == len(self._text):
            return fitting[-1] if fitting else None
        lines = (place for place in reversed(fitting) if place.kind in {"paragraph", "line"})
        line = next(lines, None)
        return line if line and line.core - lead > limit // 2 else fitting[-1]

    def _sentence(self, lead: int) -> _Break | None:
        """Where the sentence ends that `lead` lies in, unless that is further than two pieces."""
        sentences, horizon = self._sentences, lead + 2 * self._limit
        while not sentences.ends and sentences.position < horizon:
            sentences.look(min(sentences.position + 256, horizon))
        return sentences.ends[0] if sentences.ends else None

    def _cut(self, lead: int) -> _Cut:
        sentence = self._sentence(lead)
        return _Cut(self._text, lead, self._limit, sentence.core if sentence else None, self._sentences.quotations)

    def _opening(self, lead: int, first: int) -> _Break:
        """Where the first piece ends, when it shall be short."""
        sentence = self._sentence(lead)
        if sentence and sentence.core - lead <= min(first, self._limit):
            return sentence if self._by_sentence else self._packed(lead, min(first, self._limit)) or sentence
        cut = self._cut(lead)
        whole = sentence if sentence and sentence.core - lead <= self._limit else None
        return cut.first_clause(first) or whole or cut.find()
