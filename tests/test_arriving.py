"""Text that arrives: where its pieces end, how soon they come, that chopping changes nothing, and what it costs."""

from __future__ import annotations

import os
import random
import re
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineread import text as package
from lineread.text import PAUSES, split
from lineread.text.abbreviations import abbreviates, may_abbreviate
from lineread.text.arriving import Arrived, Arriving
from lineread.text.graphemes import LONGEST

thorough = settings(derandomize=True, deadline=None, max_examples=600)


def letter_by_letter(text: str, limit: int = 600) -> list[tuple[Arrived, int | None]]:
    """The pieces of a text that comes a character at a time, and how many more characters each one waited for."""
    arriving = Arriving(limit)
    pieces: list[tuple[Arrived, int | None]] = []
    for fed, character in enumerate(text, 1):
        pieces += [(piece, fed - piece.end) for piece in arriving.feed(character)]
    return pieces + [(piece, None) for piece in arriving.flush()]


def chopped(text: str, places: list[int], limit: int) -> list[Arrived]:
    """The pieces of a text that comes in these parts."""
    arriving = Arriving(limit)
    pieces: list[Arrived] = []
    for start, end in zip([0, *places], [*places, len(text)], strict=True):
        pieces += arriving.feed(text[start:end])
    return pieces + arriving.flush()


# --- streams, language by language -----------------------------------------------------------------------------------

#: A piece and how many characters after it had come when it came; what follows the last one comes with the flush.
Stream = list[tuple[str, int]]
STREAMS: dict[str, list[tuple[Stream, str]]] = {
    "English": [
        (
            [
                ("Certainly, ", 1),
                ("I can help you with that. ", 1),
                ("Dr. Smith lives near the U.S. Senate building. ", 1),
                ("He paid 1,000.50 at 10:30. ", 1),
                ("See https://a.b/c?d=e. for e.g. this one! ", 2),
                ('"Really?" she asked. ', 1),
                ("Yes.\n\n", 1),
                ("1. First thing\n", 1),
            ],
            "2. Second thing",
        ),
        ([("Hmm, well, you know, ", 1)], "I mean, that is what he said."),
        ([("He left the U.S. ", 4), ("The end of No. 5 is near. ", 1)], "So it is"),
        (
            [
                ("I’ve been thinking — ", 1),
                ("as one does — about the 3,000 km trip from 10:30 to 12:45, which cost $1,234.56 in total; ", 1),
                ("it was great... really great. ", 1),
                ("Wait... ", 1),
            ],
            "What?",
        ),
        (
            [
                ("When in the Course of human events, ", 1),
                (
                    (
                        "it becomes necessary for one people to dissolve the political bands which have connected them "
                        "with another and to assume among "
                    ),
                    33,
                ),
                ("the powers of the earth the separate and equal station, they should declare the causes. ", 1),
            ],
            "So.",
        ),
        (
            [("Sure! ", 1), ("Here's a list:\n\n", 5), ("- **First**: do this, then that.\n", 3), ("- Second\n\n", 1)],
            "Done. ***",
        ),
        (
            [
                ("It is a truth universally acknowledged, ", 1),
                ("that a single man in possession\nof a good fortune, must be in want of a wife. ", 1),
                ("However little known he is.\n\n", 1),
                ("Chapter 2\n", 1),
            ],
            "Mr. Bennet was.",
        ),
    ],
    "Chinese": [
        (
            [
                ("今天天气，", 1),
                ("还好。", 1),
                ("我们去公园吧！", 2),
                ("“走！”他说。", 2),
                ("“再见。”", 5),
                ("然后他慢慢地走了出去，看见了一只非常可爱的小猫在花园里面玩耍着一个红色的球，", 1),
                ("最后回家了！", 1),
            ],
            "价格是3.14元，1，000个。",
        ),
        ([("你好，我叫王明。", 1)], "我……我不知道……"),
        ([("他读《怎么办？好。》这本书。", 1), ("现在是10：30！", 2), ("（好。", 1)], "走。）"),
        (
            [
                ("我们在二〇二四年买了一百二十三个苹果和香蕉然后我们又去了超市买了很多东西包括牛奶面包鸡蛋", 10),
                ("还有各种各样的蔬菜水果以及一些日用品然后我们就回家了接着做饭吃饭看电视。", 1),
            ],
            "好",
        ),
    ],
    "Japanese": [
        (
            [
                ("今日はね、", 1),
                ("AIについて話します。", 1),
                ("GPT-4は2023年3月14日に発表されました。", 1),
                ("価格は1,000円です、安いですね！", 2),
                ("「本当？」と聞いた。", 1),
                ("えっ！？", 1),
                ("行くぞ！と叫んだ。", 1),
                ("とても嬉しい！", 5),
            ],
            "とにかく行く。",
        ),
    ],
    "German": [
        (
            [
                ("Am 3. Mai kam z. B. Herr Dr. Müller, ", 1),
                ("der nett ist. ", 1),
                ("Das war die Nr. 5, d. h. gut. ", 1),
                ("Er ging usw. ", 2),
                ("„Komm!“ sagte er. ", 1),
                ("Es kostet 1.000,50 Euro. ", 1),
            ],
            "Das 19. Jahrhundert begann.",
        ),
    ],
    "French": [
        (
            [
                ("Bonjour ! ", 1),
                ("Comment allez-vous ? ", 1),
                ("M. Dupont est là. ", 3),
                ("« Oui ! » dit-il. ", 1),
                ("Il coûte 3,5 €. ", 1),
                ("J.-P. Sartre est né en 1905. ", 2),
            ],
            "C’est vrai, cf. Paris, p. 12.",
        ),
    ],
    "Korean": [
        (
            [("안녕하세요, ", 1), ("저는 김입니다. ", 1), ("3.14달러입니다. ", 2), ('"가자!"라고 말했다. ', 1)],
            "네.",
        ),
    ],
    "Thai": [
        ([("สวัสดีครับ วันนี้อากาศดีมาก ", 2)], "เราไปเที่ยวกันเถอะ สวัสดีครับ"),
    ],
}


@pytest.mark.parametrize(
    ("stream", "rest"), [pytest.param(*each, id=name) for name in STREAMS for each in STREAMS[name]]
)
def test_streams(stream: Stream, rest: str) -> None:
    """Pieces end where a voice may stop, and come as soon as a few more characters are there."""
    text = "".join(piece for piece, _ in stream) + rest
    came = [(piece.text, waited) for piece, waited in letter_by_letter(text)]
    assert came == [*stream, (rest, None)]


# --- first pieces, long pieces, places -------------------------------------------------------------------------------


def test_a_first_piece_is_short() -> None:
    """At the beginning, after a flush, a clear or a lull a clause is a piece; elsewhere it goes with its sentence."""
    clause, sentence = "As I said before, ", "it is, as I said before, so. "
    for lull in (Arriving.flush, Arriving.clear, Arriving.settle):
        arriving = Arriving(600)
        assert [piece.text for piece in arriving.feed(f"{clause}{sentence}I see.")] == [clause, sentence]
        lull(arriving)
        assert [piece.text for piece in arriving.feed(f"{clause}{sentence}A")] == [clause, sentence]


@pytest.mark.parametrize(
    ("text", "longest"),
    [
        ("one word after another ", 160),
        ("ein Wort nach dem anderen ", 160),
        ("слово за словом ", 160),
        ("단어와 단어 ", 80),
        ("我们去了很多地方", 60),
        ("そして私は思った", 60),
        ("我们去 many places ", 120),
    ],
)
def test_a_sentence_without_end(text: str, longest: int) -> None:
    """A listener waits for no more than a few seconds' worth of text, and pieces end between words."""
    pieces = letter_by_letter(text * 40)
    assert len(pieces) > 3
    for piece, waited in pieces[:-1]:
        assert waited is not None
        assert len(piece.text) + waited <= longest + 10
        assert longest / 3 <= len(piece.text) <= longest


def test_a_limit() -> None:
    """Where the limit is lower, pieces end at clauses and words within it."""
    text = "All happy families are alike; each unhappy family is unhappy in its own way, they say, and so on it goes."
    pieces = [piece.text.strip() for piece, _ in letter_by_letter(text, 30)]
    assert pieces == [
        "All happy families are alike;",
        "each unhappy family is unhappy",
        "in its own way, they say,",
        "and so on it goes.",
    ]
    with pytest.raises(ValueError, match="at least one character"):
        Arriving(0)


def test_places_and_pauses() -> None:
    """Places count from the first character fed, the cleared ones too; pauses are those of the punctuation."""
    arriving = Arriving(600)
    assert arriving.feed("One two.  Th") == [Arrived("One two.  ", 0, 10, PAUSES["sentence"])]
    assert arriving.waiting == 2
    assert arriving.clear() == 2
    assert arriving.clear() == arriving.waiting == 0
    assert arriving.feed("Heading\n\nWell... maybe; B") == [Arrived("Heading\n\n", 12, 21, PAUSES["paragraph"])]
    assert arriving.settle() == [Arrived("Well... maybe; ", 21, 36, PAUSES["clause"])]
    assert arriving.flush() == [Arrived("B", 36, 37, 0.0)]
    assert arriving.flush() == arriving.settle() == []


# --- what always holds -----------------------------------------------------------------------------------------------

#: What is never cut, and what may stand around it.
WHOLE = [
    *("3.14", "1,000,000", "12:30", "2024-05-01", "10,5", "v1.2.3", "3\u202f000", "99%", "5 km", "3 000", "$5"),
    *("https://example.com/a_b?c=d&e=f#g", "a.b+c@mail.example.org", "www.example.org", "main.py", "a.b.co.uk"),
    *("Dr. Who", "J. R. R. Tolkien", "No. 5", "St. Paul", "e.g. this", "U.S. Army", "Mr Who", "p. 12", "§ 5"),
    *("z. B. das", "3. Mai", "Nr. 5", "т. е. вот", "г. Тула", "Sra. Paz", "Mme Roy", "3, 2024", "King, Jr."),
    *(
        "e\u0301",
        "👩\u200d👩\u200d👧",
        "👍🏽",
        "한국",
        "क्षि",
        "ก็",
        "3.14元",
        "１２３",
        "2024年",
        "二十三",
        "《怎么办？好。》",
    ),
]
WORDS = ["it", "Well", "nothing", "Straße", "être", "Москва", "rock’n’roll", "well-known", "한국어", "สวัสดี"]
DENSE = ["今天", "天气很好", "これは", "コンピューター", "本"]
MARKS = [
    ". ",
    "! ",
    "? ",
    "... ",
    ", ",
    "; ",
    ": ",
    " — ",
    "。",
    "！",
    "，",
    "、",
    "”",
    " “",
    ") ",
    "\n",
    "\n\n",
    " 😀 ",
]
SPEECH = [
    "“走！”她轻轻地说道：",
    "“再见。”然后他说，",
    "「はい。」と彼女は",
    "行くぞ！と叫んだ",
    "とても！とにかく",
    "A. B. The ",
]
ODD = ["\r\n", "\u00a0", "\u3000", "\u200b", "\u200d", "\x00", "*", "[1]", "[", "«", "»", " " * 40, ".", "e\u0301" * 9]
PARTS = [*WHOLE, *WORDS, *DENSE, *MARKS, *MARKS, *ODD, *SPEECH, " ", " ", " "]
texts = st.one_of(
    st.lists(st.sampled_from(PARTS), max_size=60).map("".join),
    st.randoms(use_true_random=False).map(lambda rng: "".join(rng.choices(PARTS, k=rng.randrange(20, 80)))),
    st.randoms(use_true_random=False).map(lambda rng: "".join(rng.choices([*WORDS, *DENSE, " "], k=120))),
    st.text(max_size=80),
)
limits = st.one_of(st.integers(1, 60), st.just(600))


@given(texts, limits, st.data())
@thorough
def test_chopping(text: str, limit: int, data: st.DataObject) -> None:
    """However a text is chopped, its pieces are the same, join to exactly the text and keep the limit."""
    whole = chopped(text, [], limit)
    assert [piece for piece, _ in letter_by_letter(text, limit)] == whole
    assert chopped(text, sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=9))), limit) == whole
    assert "".join(piece.text for piece in whole) == text
    assert [piece.start for piece in whole] == [0, *(piece.end for piece in whole)][: len(whole)]
    assert [piece.end - piece.start for piece in whole] == [len(piece.text) for piece in whole]
    for piece in whole:
        words = piece.text.strip()
        assert len(words) <= limit or (len(words) <= LONGEST and len(list(split(words, 1))) == 1)
        assert piece.pause in PAUSES.values()


@given(st.lists(st.tuples(st.sampled_from([*WHOLE, *WORDS]), st.sampled_from([*MARKS, " ", " "])), max_size=60))
@thorough
def test_whole(parts: list[tuple[str, str]]) -> None:
    """No piece ends inside a word, a number, an abbreviation, an address or a title, nor without anything to say."""
    text, spans = "", []
    for part, mark in parts:
        spans.append((len(text), len(text) + len(part)))
        text += part + (mark if mark[-1].isspace() else f"{mark} ")
    pieces = chopped(text, [], 600)
    for piece in pieces:
        assert not [text[start:end] for start, end in spans if start < piece.end < end]
        assert len(pieces) == 1 or any(map(str.isalnum, piece.text))


@pytest.mark.parametrize(
    "whole", ["3.14", "１２３", "2024年", "5个", "二十三", "iPhone", "《好。》", "「は」", "第3", "カー"]
)
def test_whole_without_spaces(whole: str) -> None:
    """Wherever patience ends in a text without spaces or marks, it does not end inside what belongs together."""
    for before in range(30, 60):
        text = f"{'語' * before}{whole}{'語' * 60}"
        ends = [piece.end for piece, _ in letter_by_letter(text)]
        assert len(ends) > 1
        assert not [end for end in ends if before < end < before + len(whole)]


@given(st.sampled_from([*WHOLE, *WORDS]), st.integers(20, 40))
@thorough
def test_whole_when_patience_ends(whole: str, before: int) -> None:
    """The same in a text of words without marks."""
    start = len("word " * before)
    text = f"{'word ' * before}{whole} and so on{' word' * 40}"
    assert not [piece.end for piece, _ in letter_by_letter(text) if start < piece.end < start + len(whole)]


# --- lulls -----------------------------------------------------------------------------------------------------------

#: What is spoken when nothing comes for a while is marked with `|` at its end.
LULLS = [
    *("Hello there.|", "Yes!|", '"Yes."|', "It is (so.)|", "你好。|", "“你好。”|", "„Ja.“|", "« Oui. »|", "Well...|"),
    *(
        "Well of course,|",
        "今天天气好，|",
        "Heading\n|",
        "So it goes: |",
        "Great! |😀",
        "**Done.**|",
        "(See U.S. law.)|",
        "It’s main.py. |",
        "So it is, as I said, |and",
    ),
    *(
        "Hello",
        "I have 5.",
        "1,",
        "10:",
        "http:",
        "https://x.com/?",
        "U.S.",
        "U.S. ",
        "Dr.",
        "Dr. ",
        "No.",
        "3。",
        "A. ",
    ),
    *(
        "你好",
        "He said. “",
        'He said. "',
        "他走了。“",
        "March 5, ",
        "Well, I",
        "Hi 😀",
        "...",
        " \n",
        "v1.",
        "a@b.",
        "x.y.",
    ),
    "a word " * 12 + "a |word and",
]
#: What more letters or digits would make another word or number of.
TOKEN = re.compile(r"\d+(?:[.,:]\d+)*|[A-Za-z\u00c0-\u024f\u0400-\u04ff]+")


@pytest.mark.parametrize("marked", LULLS)
def test_lulls(marked: str) -> None:
    """When nothing comes for a while, what is surely over is spoken, and the rest waits."""
    spoken, _, rest = marked.rpartition("|")
    arriving = Arriving(600)
    came = arriving.feed(spoken + rest) + arriving.settle()
    assert "".join(piece.text for piece in came) == spoken
    assert arriving.waiting == len(rest)
    assert all(piece.pause for piece in came)


@given(texts, limits, st.sampled_from([*WHOLE, *WORDS, *DENSE, *MARKS, "0", ".5", "e", ".g.", "000", "\u0301"]))
@thorough
def test_a_lull_is_safe(text: str, limit: int, following: str) -> None:
    """Whatever comes after a lull, it does not go on with a word, a number or an abbreviation that was spoken."""
    arriving = Arriving(limit)
    fed = arriving.feed(text)
    settled = arriving.settle()
    whole = text + following
    if limit == 600:
        inside = {at for token in TOKEN.finditer(whole) for at in range(token.start() + 1, token.end())}
        assert inside.isdisjoint(piece.end for piece in settled)
        for piece in settled:
            words = piece.text.rstrip()
            assert piece.end < len(text) or not (words.endswith(".") and may_abbreviate(words, len(words) - 1))
    assert "".join(piece.text for piece in [*fed, *settled, *arriving.feed(following), *arriving.flush()]) == whole


# --- cost ------------------------------------------------------------------------------------------------------------

HOSTILE = [
    *(
        " ",
        "\n",
        " \n",
        ".",
        ". ",
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
    ),
    *(
        "?!",
        "* ",
        "漢",
        "あ漢",
        "。",
        "，",
        "！ と",
        "“",
        "(a",
        "《a",
        "[",
        "[1",
        "a\u0301",
        "😀",
        "!😀 ",
        "\u200d",
        "http://",
    ),
    *("1,", "a@", "a-", "a.b", "a…", "\u00a0a", "\u200ba", "\x00", "ภาษา", "a. " + " " * 300, "a.*" + " *" * 30),
]


def work(text: str, portion: int) -> int:
    """How many lines of the package run when a text comes in such portions."""
    lines = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines
        if os.path.dirname(frame.f_code.co_filename) != package.__path__[0]:
            return None
        lines += event == "line"
        return trace

    arriving = Arriving(60)
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for at in range(0, len(text), portion):
            arriving.feed(text[at : at + portion])
        arriving.flush()
    finally:
        sys.settrace(before)
    return lines


@pytest.mark.parametrize("part", HOSTILE)
@pytest.mark.parametrize("portion", [1, 2000])
def test_linear(part: str, portion: int) -> None:
    """Four times the text takes four times the work, however mean it is and however it comes."""
    short, long = (part * (count // len(part) + 1) for count in (400, 1600))
    assert work(long, portion) < 4.7 * work(short, portion) + 2000


def test_white_space_is_not_looked_at() -> None:
    """Each space of many that come one by one costs next to nothing; nor are those before it looked at again."""
    assert work("a. " + " " * 2000, 1) < 2000 * 15


@pytest.mark.parametrize("part", [part for part in HOSTILE if not part.isspace()] + ["*"])
def test_little_waits(part: str) -> None:
    """No more waits than a piece and what is looked at after it, whatever comes; only white space may be longer."""
    arriving = Arriving(60)
    arriving.feed("a. ")
    for _ in range(2000):
        arriving.feed(part)
        assert arriving.waiting < 200 + len(part)


# --- what must be known beforehand -----------------------------------------------------------------------------------


def test_what_may_abbreviate() -> None:
    """Whatever a period abbreviates, given some next word, is taken to be able to before that word is there."""
    rng = random.Random(1)
    words = [*package.vocabulary.TITLES, *package.vocabulary.MAY_END, *package.vocabulary.BEFORE_NUMBER]  # type: ignore[attr-defined]
    words += [
        "MR",
        "DR",
        "A",
        "x",
        "я",
        "5",
        "19",
        "2024",
        "XIV",
        "ex",
        "p. ex",
        "ad es",
        "z. B",
        "J. R",
        "U.S",
        "S.p.A",
    ]
    words += ["word", "Hello", "main.py", "3.14km", "이다", "it", "No1"]
    nexts = ["The end", "Bob came", "Mai", "5 of", "5.", "2024.", "A. B", "ex.", "“So", "J.", "Jahrhundert", "Он", "日"]
    for word in words:
        for following in rng.sample(nexts, 6):
            text = f"so {word}. {following} "
            dot = len(f"so {word}")
            if abbreviates(text, dot, dot + 2):
                assert may_abbreviate(text, dot), text
