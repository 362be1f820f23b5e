"""Cutting texts: where sentences end in ten languages, what is never cut, pauses, limits, and the cost of it all."""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import subprocess
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineread import text as package
from lineread.text import PAUSES, Piece, split
from lineread.text.graphemes import LONGEST

deterministic = settings(derandomize=True, deadline=None, max_examples=150)


def cut(text: str, limit: int = 600, *, by_sentence: bool = False, first: int | None = None) -> list[str]:
    """The pieces' texts, white space around them stripped."""
    pieces = split(text, limit, by_sentence=by_sentence, first=first)
    return [text[piece.start : piece.end].strip() for piece in pieces]


# --- sentences, language by language ---------------------------------------------------------------------------------

#: Where sentences end is marked with `|`.
SENTENCES = {
    "Chinese": [
        "你好。|我叫王明！|你是谁？|我……我不知道。",
        "“走！”他说。|“再见。”|他走了。|他说：“我走了。”|然后门关了。",
        "他读《怎么办？》这本书。|价格是3.14元。|今天是2024年5月1日。",
        "他说“快跑！”的声音很大。|你好!|你好吗?|好.|再见",
        "你说什么？！|（他没有回答。）|“你是谁？”|“我是王明。”",
    ],
    "English": [
        "Dr. Smith met Mrs. Jones at 3.14 p.m. on Monday. |They left. |Yes. |No!",
        'He said: \'Go!\' and left. |Then J. R. R. Tolkien wrote. |"Hello." |He left. |"What?" she said.',
        "So do I. |He left. |I. M. Pei built it. |Malcolm X. |He was there.",
        "The U.S. Army came. |He lives in the U.S. |He likes it. |See No. 5 or Fig. 3. |No. |He did not.",
        "Well... maybe. |Well... |Bob came. |What?! |Really!!! |Wait! |what?",
        "I like apples, pears, etc. |They are good, i.e. Berlin likes them, e.g. Anna. |He is at Acme Inc. |The end.",
        "St. Paul is here. |Robert Downey Jr. |The film was from Jan. 5, 2020. |It cost $3.5 million.",
        "Visit https://example.com/a.b?c=d! |Mail me@x.org. |See main.py. |It is v1.2.3. |Ask www.a.com/?q. |Done",
        "(He did. She did.) |Fine. |He (she?) did. |It was so.[1] |And so on. |Great! 😀 |Next.",
        "1. First thing. |2. Second thing. |**Note.** |It is 10. |Nothing is 3.",
        "“I know. I know.” |“No, you don’t!” he cried. |‘Don’t,’ she said, ‘go.’ |We’re off. |It’s the dogs’ food.",
        "'Tis late. |Rock 'n' roll is loud. |It is 5 :( or so. |No. |See it :)",
    ],
    "German": [
        "Am 3. Mai kam z. B. Herr Dr. Müller. |Das war die Nr. 5, d. h. gut. |Er ging usw. |Dann kam sie.",
        "Am 3. 5. 2024 war es so. |Das 19. Jahrhundert begann. |Ludwig XIV. war da. |Es kostet 1.000,50 Euro.",
        "„Komm!“ sagte er. |»Nein. Ja.« |Er ging bzw. Anna ging. |Prof. Dr. h. c. Meier kam. |Er ist 5. |Gut.",
    ],
    "Italian": [
        "Il sig. Rossi e la sig.ra Bianchi, ecc. |Poi andò. |Lo è. |Poi disse: «Ciao. Vieni.» e uscì.",
        "Il dott. Verdi e l'avv. Neri arrivano alle 12.30. |È tardi! |Costa 3,5 euro, ad es. Roma costa meno.",
    ],
    "Portuguese": [
        "O Sr. Silva e a Dra. Souza foram à Av. Paulista no séc. XIX. |Isso é. |Mas não.",
        "Ele disse: “Não! Nunca!” e saiu. |A Profa. Lima chegou às 10h30. |Que bom... |Obrigado, p. ex. Ana veio.",
    ],
    "Spanish": [
        "¿Quién es? |¡Hola! |El Sr. García vive en EE. UU. y no vino. |Ud. sabe, p. ej. Madrid. |Hola.|¿Qué tal?",
        "—Sí —dijo la Sra. López—. |¿Y tú? |Hay 3.000 personas en la pág. 5. |¡Vamos! |—Está bien —dijo.",
    ],
    "Japanese": [
        "これは本です。|「行くぞ！」と彼は言った。|「はい。」|彼女は答えた。|えっ！？|本当？",
        "『坊っちゃん。』は夏目漱石の小説です。|価格は３．１４円です。|とても嬉しい！|とにかく行く。",
        "「なぜ？」|「知らない。」|彼は黙った……。|彼は行くぞ！と叫んだ。",
    ],
    "Korean": [
        '안녕하세요. |저는 김입니다. |"가자!"라고 말했다. |네. |알겠습니다. |정말? |응!',
        "가격은 3.14달러입니다. |그래요... |그럼 2024. 5. 1. 만나요. |좋아요!",
    ],
    "French": [
        "M. Dupont et Mme Durand parlent. |« Oui ! » dit-il. |« Non. » |Il partit. |Quoi ? |Rien !",
        "J.-P. Sartre est né en 1905. |C'est vrai, cf. Paris, p. 12. |En 52 av. J.-C. il pleuvait. |St. Denis aussi.",
    ],
    "Russian": [
        "В 1990 г. Москва росла. |Он жил на ул. Ленина, т. е. там, и т. д. |Потом уехал. |А. С. Пушкин писал.",
        "— Стой! — крикнул он. |— Да. |— Он ушёл. |И я. |Потом. |См. рис. 5.",
        "«Война и мир. Том 1» стоит 3,5 тыс. руб. в г. Москве. |Вот и всё.",
    ],
    "lines": [
        "Heading\n|- item one\n|- item two\n\n|Roses are red\n|violets are blue",
        "First line\r\n|second line\r\n\r\n|third\u2028|fourth",
        # A line that only ends because the next word had no room is no line for a voice.
        "A truth universally acknowledged, that a single man\nin possession of a good fortune, must be. |So be it.",
        "It is a truth universally acknowledged, that a single man and Mr.\nDarcy came.\n|So be it.",
    ],
}


@pytest.mark.parametrize("marked", [pytest.param(each, id=name) for name in SENTENCES for each in SENTENCES[name]])
def test_sentences(marked: str) -> None:
    """Sentences end where a reader of that language ends them, and nowhere else."""
    assert cut(marked.replace("|", ""), by_sentence=True) == [part.strip() for part in marked.split("|")]


# --- long sentences --------------------------------------------------------------------------------------------------

TOO_LONG = [
    (
        "When in the Course of human events, it becomes necessary for one people to dissolve bands, a decent respect",
        80,
        [
            "When in the Course of human events,",
            "it becomes necessary for one people to dissolve bands, a decent respect",
        ],
    ),
    (
        "All happy families are alike; each unhappy family is unhappy in its own way, they say",
        50,
        ["All happy families are alike;", "each unhappy family is unhappy in its own way,", "they say"],
    ),
    ("one two three four five six seven eight nine ten", 30, ["one two three four five", "six seven eight nine ten"]),
    (
        "그는 오늘 아침에 일찍 일어나서 운동을 하고 밥을 먹고",
        18,
        ["그는 오늘 아침에 일찍 일어나서", "운동을 하고 밥을 먹고"],
    ),
    (
        "那是最美好的时代，那是最糟糕的时代；那是智慧的年头，那是愚昧的年头；那是信仰的时期",
        20,
        ["那是最美好的时代，那是最糟糕的时代；", "那是智慧的年头，那是愚昧的年头；", "那是信仰的时期"],
    ),
    ("吾輩は猫である名前はまだ無いどこで生れたか", 15, ["吾輩は猫である名前はまだ", "無いどこで生れたか"]),
    ("コンピューターっていいねー", 7, ["コンピュー", "ターって", "いいねー"]),
    ("我们在二〇二四年买了一百二十三个苹果和香蕉", 12, ["我们在二〇二四年买了", "一百二十三个苹果和香蕉"]),
    (
        "Sí —dijo él mientras salía de la casa— no quiero nada más",
        40,
        ["Sí —dijo él mientras salía de la casa—", "no quiero nada más"],
    ),
    (
        "He waited for a long while — so it seemed to me then",
        40,
        ["He waited for a long while —", "so it seemed to me then"],
    ),
    ("a-really-long-hyphenated-word-without-any-spaces", 30, ["a-really-long-hyphenated-", "word-without-any-spaces"]),
    ("x" * 25, 10, ["x" * 10, "x" * 7, "x" * 8]),
]


@pytest.mark.parametrize(("text", "limit", "expected"), TOO_LONG)
def test_a_sentence_that_is_too_long(text: str, limit: int, expected: list[str]) -> None:
    """It is cut at clauses, then words, then characters that may be parted, into pieces of similar length."""
    assert cut(text, limit) == expected
    assert cut(text, limit, by_sentence=True) == expected


# --- the first piece, packing, pauses --------------------------------------------------------------------------------

LONG = "He had, as I said before, nothing to say about the matter; so we left. Then it rained."
FIRST = [
    (LONG, 30, "He had, as I said before,"),  # the last clause that still fits
    (LONG, 10, "He had, as I said before,"),  # "He had," has too few letters
    (LONG, 60, "He had, as I said before, nothing to say about the matter;"),
    (LONG, 70, "He had, as I said before, nothing to say about the matter; so we left."),
    ("There is no clause in this sentence at all. Then it rained.", 20, "There is no clause in this sentence at all."),
    ("It is 12:30 or 1,000,000 or a “long, long, quotation” here. Yes.", 20, None),
    ("Short one. Another one. And one more.", 25, "Short one."),
    ("今天天气很好，我们一起去公园散步吧，好不好？好。", 10, "今天天气很好，"),
    ("今天，我们一起去公园散步吧，好不好？好。", 10, "今天，我们一起去公园散步吧，"),
    ("今日はいい天気ですね、散歩に行きましょう。はい。", 12, "今日はいい天気ですね、"),
]


@pytest.mark.parametrize(("text", "first", "expected"), FIRST)
def test_first_piece(text: str, first: int, expected: str | None) -> None:
    """It ends with the last clause within `first`, else with the first clause, else with the sentence."""
    whole = cut(text, by_sentence=True)
    found = cut(text, by_sentence=True, first=first)
    assert found[0] == (expected or whole[0])
    if found[0] != whole[0]:
        assert found[1:] == [whole[0].removeprefix(found[0]).strip(), *whole[1:]]


def test_first_piece_of_packed_ones() -> None:
    """Without `by_sentence` the first piece takes whole sentences, and the others are full again."""
    text = "Short one. Another one. And one more. And the last one."
    assert cut(text, 600, first=25) == ["Short one. Another one.", "And one more. And the last one."]
    assert cut(LONG, 600, first=30) == ["He had, as I said before,", LONG[26:]]


def test_packing() -> None:
    """Sentences fill pieces; past the half of it, a piece ends with a paragraph rather than with a sentence."""
    assert cut("One two. Three four. Five six. Seven.", 20) == ["One two. Three four.", "Five six. Seven."]
    assert cut("One two.\nThree four.\n\nFive. Six.", 27) == ["One two.\nThree four.", "Five. Six."]
    assert cut("One.\n\nThree four five. Six. Seven.", 28) == ["One.\n\nThree four five. Six.", "Seven."]
    assert cut("One two. This sentence is much too long for it. Three. Four.", 26) == [
        "One two.",
        "This sentence is much",
        "too long for it. Three.",
        "Four.",
    ]


REST = [
    ("One.\n\nTwo.", 0.7),
    ("One.\r\n \r\nTwo.", 0.7),
    ("One\nTwo.", 0.5),
    ("One.\r\nTwo.", 0.5),
    ("One. Two.", 0.35),
    ("“One!” Two.", 0.35),
    ("一。二。", 0.35),
    ("One… Two.", 0.4),
    ("“One...” Two.", 0.4),
    ("All of this one; and two", 0.22),
    ("All of this one: and two", 0.22),
    ("All of this one — and two", 0.22),
    ("全部这些一；二三四五六七", 0.22),
    ("All of this one, and two", 0.14),
    ("“All of this one,” and two", 0.14),
    ("全部这些一、二三四五六七", 0.14),
    ("All of this one and two", 0.03),
    ("Allofthisoneandtwo", 0.0),
    ("全部这些一二三四五六七", 0.0),
]


@pytest.mark.parametrize(("text", "pause"), REST)
def test_pauses(text: str, pause: float) -> None:
    """A voice rests as long as the punctuation at the cut asks for, and not after the last piece."""
    limit = 600 if pause > 0.3 else len(text) * 3 // 4
    first, last = split(text, limit, by_sentence=True)
    assert (first.pause, last.pause) == (pause, 0.0)


def test_every_pause_has_a_case() -> None:
    """The table above covers the package's."""
    assert {pause for _, pause in REST} == set(PAUSES.values())


# --- what is never cut -----------------------------------------------------------------------------------------------

WHOLE = {
    "number": ["3.14", "1,000,000", "10,5", "12:30", "2024-05-01", "99 %", "5 km", "3 000", "3\u202f000", "-7.5"],
    "abbreviation": [
        "Dr. Who",
        "Mrs. Who",
        "e.g. this",
        "No. 5",
        "St. Paul",
        "U.S. Army",
        "Mr Who",
        "J. R. R. Tolkien",
        "p. 12",
    ],
    "German": ["z. B. das", "3. Mai", "d. h. das", "Nr. 5", "Prof. Dr. Ast"],
    "Romance": [
        "Sra. Paz",
        "EE. UU.",
        "sig. Rossi",
        "Mme Roy",
        "p. ej. eso",
        "S. p. A.",
        "av. J.-C.",
        "Quoi !",
        "« Oui »",
    ],
    "Russian": ["т. е. вот", "и т. д.", "г. Тула", "А. С. Пушкин", "ул. Мира"],
    "address": ["https://example.com/a_b?c=d&e=f#g", "a.b+c@mail.example.org", "www.example.org/x", "example.co.uk"],
    "file": ["main.py", "v1.2.3", "read-me.tar.gz"],
    "quotation": ["“Oh. Is it? Yes, so.”", '"What? No, no."', "«Война и мир. Да»", "„Ja. Nein, ja!“", "'Yes. No, no.'"],
    "wide quotation": ["《怎么办？好。》", "「はい。そう、ね！」", "『坊っちゃん。』", "（是。不，是。）"],
    "sign": ["§ 5", "€ 10", "№ 5", "so — ", "so\u00a0so", "Oui !", "Oui ? "],
    "date": ["3, 2024", "King, Jr.", "2024年"],
}


@pytest.mark.parametrize("whole", [pytest.param(each, id=f"{kind}-{each}") for kind in WHOLE for each in WHOLE[kind]])
@pytest.mark.parametrize("by_sentence", [True, False])
def test_whole(whole: str, *, by_sentence: bool) -> None:
    """Wherever the limit falls, it does not fall inside what belongs together, as long as that fits a piece."""
    for before in range(1, 30, 2):
        text = f"{'word ' * before}{whole} and so on{' word' * 9}"
        start = len("word " * before)
        for limit in (len(whole), 40, 61):
            ends = [piece.end for piece in split(text, max(limit, 12), by_sentence=by_sentence)]
            assert not [end for end in ends if start < end < start + len(whole)], (before, limit)


@pytest.mark.parametrize(
    "whole", ["3.14", "１２３", "2024年", "5个", "二十三", "iPhone", "《好。》", "「は」", "第3", "カー", "ニャー"]
)
def test_whole_without_spaces(whole: str) -> None:
    """The same in a script without spaces; nor does a piece begin with what only continues a sound."""
    for before in range(1, 30):
        text = f"{'語' * before}{whole}{'語' * 20}"
        for limit in (8, 12, 17):
            ends = [piece.end for piece in split(text, limit)]
            assert not [end for end in ends if before < end < before + len(whole)], (before, limit)


GRAPHEMES = [
    *("e\u0301", "o\u0308\u0323", "👩\u200d👩\u200d👧", "🇩🇪", "👍🏽", "❤\ufe0f", "1\ufe0f\u20e3", "か\u3099", "ﾊﾟ"),
    *("🏴\U000e0067\U000e0062\U000e007f", "\u1112\u1161\u11ab", "한\u11ab", "क्षि", "நி", "ก็", "葛\U000e0100"),
]


@given(st.lists(st.sampled_from(GRAPHEMES), min_size=1, max_size=40), st.integers(1, 20), st.booleans())
@deterministic
def test_graphemes(parts: list[str], limit: int, by_sentence: bool) -> None:  # noqa: FBT001 (hypothesis draws it)
    """Graphemes are whole, also where one of them alone is longer than the limit."""
    text = "".join(parts)
    borders = {sum(map(len, parts[:count])) for count in range(len(parts) + 1)}
    pieces = list(split(text, limit, by_sentence=by_sentence))
    assert {piece.end for piece in pieces} <= borders
    for piece in pieces:
        inside = [border for border in borders if piece.start < border < piece.end]
        assert piece.end - piece.start <= limit or not inside


def test_a_long_quotation() -> None:
    """It is cut like any other text, but not right after the mark that opens it, nor right before the closing one."""
    text = "Il dit : « " + "Je ne sais pas. " * 6 + "» Puis il partit."
    pieces = cut(text, by_sentence=True)
    assert pieces[0] == "Il dit : « Je ne sais pas."
    assert pieces[-2:] == ["Je ne sais pas. »", "Puis il partit."]
    for limit in range(12, 30):
        assert not [piece for piece in cut(text, limit) if piece.endswith("«") or piece.startswith("»")]


def test_a_grapheme_after_a_space() -> None:
    """A mark that stands on a space is not parted from it."""
    assert [piece.end for piece in split("One. \u0301Two. Three.", 600, by_sentence=True)] == [11, 17]
    assert "\u0301" not in {text[:1] for text in cut("one two \u0301three four", 10)}


@pytest.mark.parametrize("run", ["a" + "\u0301" * 9999, "👨\u200d" * 5000, "a" + "\u200d" * 9999, "क" + "्ष" * 5000])
@pytest.mark.parametrize("limit", [1, 31, 33, 300])
def test_a_run_without_a_place_to_cut(run: str, limit: int) -> None:
    """What Unicode takes for one grapheme, however long it is, is cut at the limit or at the longest grapheme."""
    longest = max(limit, LONGEST)
    for pieces in (split(run, limit), split(run, limit, by_sentence=True, first=20)):
        assert {piece.end - piece.start for piece in pieces} | {longest} <= {longest, len(run) % longest}


# --- what always holds -----------------------------------------------------------------------------------------------

PARTS = [
    *(
        "word ",
        "Sentence. ",
        "No! ",
        "What? ",
        "so, ",
        "here; ",
        "well... ",
        "— ",
        "你好。",
        "今天",
        "很好，",
        "これは",
        "です。",
    ),
    *(
        "한국어 ",
        "Да. ",
        "“",
        "”",
        '"',
        "'",
        "(",
        ")",
        "«",
        "»",
        "\n",
        "\n\n",
        "\r\n",
        "  ",
        "\u00a0",
        "\u3000",
        "\u200b",
    ),
    *(
        "3.14 ",
        "Dr. ",
        "e\u0301",
        "👍🏽",
        "...",
        "x" * 30,
        " " * 40,
        "* ",
        "[1]",
        "-",
        "5 km ",
        "\x00",
        "https://a.bc/d?e=f ",
        "e" + "\u0301" * 50,
        "👩\u200d" * 25,
    ),
]
texts = st.one_of(st.lists(st.sampled_from(PARTS), max_size=40).map("".join), st.text(max_size=60))
limits = st.one_of(st.integers(1, 20), st.integers(20, 120))
firsts = st.one_of(st.none(), st.integers(1, 60))


@given(texts, limits, st.booleans(), firsts)
@deterministic
def test_pieces(text: str, limit: int, by_sentence: bool, first: int | None) -> None:  # noqa: FBT001 (as above)
    """Pieces join to the text, none is blank or too long, and the last one asks for no pause."""
    pieces = list(split(text, limit, by_sentence=by_sentence, first=first))
    assert bool(pieces) == bool(text.strip())
    assert [piece.start for piece in pieces] == [0, *(piece.end for piece in pieces)][: len(pieces)]
    assert not pieces or (pieces[-1].end, pieces[-1].pause) == (len(text), 0.0)
    for piece in pieces:
        words = text[piece.start : piece.end].strip()
        assert words
        assert len(words) <= limit or (len(words) <= LONGEST and len(cut(words, 1)) == 1)  # a single grapheme
        assert piece.pause in PAUSES.values()


@given(texts, limits)
@deterministic
def test_a_piece_is_its_own_piece(text: str, limit: int) -> None:
    """Splitting a piece again, without `by_sentence`, gives that piece."""
    for words in cut(text, limit):
        assert [(piece.start, piece.end) for piece in split(words, limit)] == [(0, len(words))]


WORDS = [*"aI語", "word", "Dr", "niño", "Москва", "今天", "これ", "한국", "U.S", "3.14", "5"]
ENDINGS = [
    "",
    "",
    ".",
    "!",
    "?",
    "...",
    ",",
    ";",
    "。",
    "！",
    "，",
    "”",
    '"',
    "'",
    "(",
    ")",
    " «",
    "—",
    "*",
    "[1]",
    "?!",
]
GAPS = [" ", " ", " ", "\n", "\n\n", "  ", "\u3000"]


@given(
    st.lists(st.tuples(*map(st.sampled_from, (WORDS, ENDINGS, ENDINGS, GAPS))), min_size=1, max_size=40),
    st.integers(25, 90),
    st.booleans(),
    firsts,
)
@deterministic
def test_something_to_say(
    parts: list[tuple[str, ...]],
    limit: int,
    by_sentence: bool,  # noqa: FBT001 (as above)
    first: int | None,
) -> None:
    """Every piece has a letter or a digit, where marks do not come in long stretches."""
    text = "".join("".join(part) for part in parts)
    assert all(any(map(str.isalnum, piece)) for piece in cut(text, limit, by_sentence=by_sentence, first=first))


@given(st.lists(st.sampled_from(["a", "is", "the", "word", "reading", "sentence"]), min_size=8), st.integers(24, 90))
@deterministic
def test_no_tails(words: list[str], limit: int) -> None:
    """Where words alone decide, no piece is much shorter than need be, the last one included."""
    pieces = cut(" ".join(words), limit)
    if len(pieces) > 1:
        assert min(map(len, pieces)) >= limit // 2 - 8
        assert min(map(len, pieces[:-2]), default=limit) >= limit - 8


@pytest.mark.parametrize("text", ["", " ", "\n\t \u3000\u2028", " " * 10_000])
def test_blank(text: str) -> None:
    """A blank text has no pieces."""
    assert list(split(text, 10)) == list(split(text, 10, by_sentence=True, first=3)) == []


@pytest.mark.parametrize("text", ["...", " “…” \n\n!!! ", "😀", "—"])
def test_nothing_but_marks(text: str) -> None:
    """A text of nothing but punctuation is one piece."""
    assert list(split(text, 20, by_sentence=True)) == list(split(text, 20)) == [Piece(0, len(text), 0.0)]


def test_scraps() -> None:
    """Punctuation on its own goes with a neighbour."""
    assert cut('"\n\nOne. ... \n***\nTwo. — !', by_sentence=True) == ['"\n\nOne. ...', "***\nTwo. — !"]
    assert cut("One two three ... !", 15) == ["One two", "three ... !"]


@pytest.mark.parametrize("arguments", [{"limit": 0}, {"limit": -1}, {"limit": 5, "first": 0}])
def test_a_limit_of_nothing(arguments: dict[str, Any]) -> None:
    """A mistake of the caller is raised at once, not when the first piece is asked for."""
    with pytest.raises(ValueError, match="at least one character"):
        split("text", **arguments)


# --- cost ------------------------------------------------------------------------------------------------------------


class Meter:
    """Counts lines of the package that run, and characters that its patterns pass; the furthest of these, too."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.work = 0
        self.reach = 0
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(found.name)
            for name, value in vars(module).copy().items():
                if isinstance(value, re.Pattern):
                    monkeypatch.setattr(module, name, MeteredPattern(value, self))

    def trace(self, frame: FrameType, event: str, _: object) -> Any:
        if os.path.dirname(frame.f_code.co_filename) != package.__path__[0]:
            return None
        self.work += event == "line"
        return self.trace

    def run(self, text: str, **options: Any) -> int:
        """The work that a whole text takes."""
        self.work = 0
        before = sys.gettrace()
        sys.settrace(self.trace)
        try:
            for _ in split(text, 40, **options):
                pass
        finally:
            sys.settrace(before)
        return self.work


class MeteredPattern:
    """A pattern that tells how far it looked."""

    def __init__(self, pattern: re.Pattern[str], meter: Meter) -> None:
        self.pattern = pattern
        self.meter = meter

    def _note(self, start: int, end: int) -> None:
        self.meter.work += end - start
        self.meter.reach = max(self.meter.reach, end)

    def match(self, text: str, start: int = 0) -> re.Match[str] | None:
        found = self.pattern.match(text, start)
        self._note(start, found.end() if found else start)
        return found

    def search(self, text: str, start: int = 0, end: int = sys.maxsize) -> re.Match[str] | None:
        found = self.pattern.search(text, start, end)
        self._note(start, found.end() if found else min(end, len(text)))
        return found

    def finditer(self, text: str, start: int = 0, end: int = sys.maxsize) -> Any:
        self._note(start, min(end, len(text)))
        return self.pattern.finditer(text, start, end)


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Meter:
    return Meter(monkeypatch)


HOSTILE = [
    *(
        '"',
        ' "a',
        '"a ',
        "“",
        "«a",
        "(",
        "(a",
        "(" * 60 + ")" * 20,
        "'a ",
        "《a",
        " ",
        "\n",
        " \n",
        "a" + " " * 300,
        ".",
        ". ",
    ),
    *(
        "a. ",
        "A. ",
        "A.",
        "Dr. ",
        "1. ",
        "z. B. ",
        "a",
        "a ",
        "word, ",
        ",",
        ", ",
        "—",
        "— ",
        "a\n",
        ".\n",
        "漢",
        "あ",
        "あ漢",
    ),
    *(
        "a\u0301",
        "🇩🇪",
        "😀",
        "!😀 ",
        "\u200d",
        "क्ष",
        "http://",
        "1,",
        "a@",
        "a-",
        "a.b",
        "。",
        "，",
        "a…",
        "\u00a0a",
        "\u200ba",
        "\x00",
    ),
]


@pytest.mark.parametrize("part", HOSTILE)
@pytest.mark.parametrize("by_sentence", [True, False])
def test_linear(part: str, meter: Meter, *, by_sentence: bool) -> None:
    """Four times the text takes four times the work, however mean the text is."""
    short, long = (part * (count // len(part) + 1) for count in (500, 2000))
    assert meter.run(long, by_sentence=by_sentence) < 4.7 * meter.run(short, by_sentence=by_sentence) + 2000


@pytest.mark.parametrize("options", [{}, {"by_sentence": True}, {"by_sentence": True, "first": 60}])
@pytest.mark.parametrize("sentence", ["It was so, they said; nobody knew. ", "没有人知道，", "no end in sight ", "x"])
def test_lazy(sentence: str, options: dict[str, Any], meter: Meter) -> None:
    """The first piece of a text of a million characters is there before more than a few pieces of it were seen."""
    text = sentence * (1_000_000 // len(sentence))
    next(split(text, 100, **options))
    assert 0 < meter.reach < 1000


def test_a_light_import() -> None:
    """The package is on the way of every command, so it brings nothing heavy along, nor what only long lines need."""
    heavy = {"asyncio", "numpy", "logging", "aiohttp", "onnxruntime", "tomllib", "importlib.metadata", "json.tool"}
    script = "import sys, lineread.text as t; list(t.split('Dr. Who? No!', 9)); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert "lineread.text" in done.stdout
    assert not (heavy | {"lineread.text.cutting"}) & set(done.stdout.split())
