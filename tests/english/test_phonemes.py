"""Text to phonemes and back: nothing but speed tells our way of reading hibari's tables from its own."""

from __future__ import annotations

import gzip
import importlib
import json
import sys
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineread.engines.builtin.speaker import MOST_PHONEMES, _calls
from lineread.english import capitals, hibari, spelling, tables
from lineread.english.phonemes import Phonemizer, Utterance, _plain

#: Everything that hibari's rules treat in a way of its own, and words that change their sound with their neighbours.
CORPUS = """
The quick brown fox jumps over the lazy dog. She read the record, and now they will read it and record another one.
He lives to live; the live show closes close to my house, and the wind may wind up. I object to the object.
It cost $5.50 on Jan. 5th, 2020, i.e. £3.2 billion or ¥500, 50¢, 20% of €1,000,000, said Dr. Smith of St. Paul's St.
At 9:30am, 7 p.m. and 12:00 we ran 10 km in 1:02:03, at 20°C (68 °F), from 10/12/2019 to 2019-10-12 or 3/4 of 1/2.
Chapter IV of Henry VIII, vol. 2, pp. 3-4, No. 7, #5; call 555-123-4567 or 1-800-555-1234, the 21st of May, 1999's.
"Quoted" — 'single' “curly” ‘inner’ words; well-known re-entry, O'Neil's, y'all, don't, can't've, rock 'n' roll…
NASA, the U.S.A., AT&T, e.g. iPhone, McDonald, JavaScript, COVID-19, C++, C#, 3D, 4K, MP3s, www.example.com/a?b=1.
Xylophagous zyzzyvas and Tchaikovsky's Szczecin; café, naïve, Ångström, jalapeño, coöperate, façade, Zoë, 5µm².
foo_bar @user a@b.com 192.168.0.1 1e10 0x1F 007 1,234,567.89 -5 +5 5x ±3 ½ ² ™ © & * / \\ | ~ ^ = < > [x](y) {z}
used to, used it, the apple, the pear, to eat, to go, a, an, A, I, am, AM, in, IN, by, By, vs. that, That, THAT.
"""


@pytest.fixture(scope="module")
def phonemize() -> Phonemizer:
    return Phonemizer(tables.unpack())


@pytest.fixture(scope="module")
def original() -> Any:
    """hibari's own rules, as its own loader makes them."""
    before = set(sys.modules)
    module = importlib.import_module("hibari.g2p")
    yield module.G2P()
    for name in set(sys.modules) - before:
        if name.split(".")[0] == "hibari":
            del sys.modules[name]


@pytest.mark.parametrize(
    "name", [f"lexicon_{one}.json.gz" for one in ("us_gold", "us_silver", "gb_gold", "gb_silver")] + ["tagger.json.gz"]
)
def test_tables_answer_what_json_does(name: str) -> None:
    """Every entry of every table, and what is not in it, is exactly what parsing the whole file gives."""
    raw = gzip.decompress(hibari.asset(name))
    lazy, whole = tables.parse(name, raw), json.loads(raw)
    if name.startswith("tagger"):
        assert isinstance(lazy, dict)
        assert {key: value for key, value in lazy.items() if key != "weights"} == {
            key: value for key, value in whole.items() if key != "weights"
        }
        lazy, whole = lazy["weights"], whole["weights"]
    assert isinstance(lazy, tables._Table), "the file has changed its shape: loading it is slow now"
    assert all(lazy.get(key) == value for key, value in whole.items())
    absent = [key[:-1] + "\x7f" for key in list(whole)[:5000:7]] + [
        "",
        "NOUN",
        "DEFAULT",
        "VBD",
        "ADV",
        '"',
        "\\",
        "zzz",
        "'",
    ]
    assert all(lazy.get(key) == whole.get(key) for key in absent)
    assert (len(lazy), "DEFAULT" in lazy, list(lazy)) == (len(whole), "DEFAULT" in whole, list(whole))


@pytest.mark.parametrize(
    "value",
    [{}, {"a": 1}, {"b": "x", "a": "y"}, {'q"': "x"}, {"a": ["x"]}, {"weights": {}}, {"tags": [], "weights": {"w": 1}}],
)
@pytest.mark.parametrize("name", ["lexicon_us_gold.json.gz", "tagger.json.gz"])
def test_another_shape_is_parsed_plainly(name: str, value: object) -> None:
    """Files of another version that do not fit the short cut still say what they say, only slower."""
    for raw in (json.dumps(value).encode(), json.dumps(value, separators=(",", ":")).encode()):
        found = tables.parse(name, raw)
        assert {**found} == value  # type: ignore[dict-item]


VALUES = st.text("abcˈə", max_size=3)


@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters='"\\{},', exclude_categories=["C"]), min_size=1),
        st.text("abcˈə", max_size=3)
        | st.dictionaries(st.sampled_from(["DEFAULT", "NOUN", "None"]), st.text("abˈ") | st.none(), min_size=1),
        min_size=1,
    ),
    st.integers(1, 60),
)
@settings(max_examples=300)
def test_any_sorted_table_is_found_in(table: dict[str, object], block: int) -> None:
    """Whatever the words and wherever the blocks of the index end, each entry is found and nothing else is."""
    raw = json.dumps(dict(sorted(table.items())), ensure_ascii=False, separators=(",", ":")).encode()
    usual, tables._BLOCK = tables._BLOCK, block  # type: ignore[misc]
    try:
        lazy = tables.SortedTable.over(raw)
    finally:
        tables._BLOCK = usual  # type: ignore[misc]
    assert lazy is not None
    assert {key: lazy[key] for key in table} == table
    assert all((key in lazy) == (key in table) for key in ("DEFAULT", "NOUN", "None", "a", "~"))


def test_phonemes_are_hibaris_own(phonemize: Phonemizer, original: Any) -> None:
    """A corpus of all that the rules know reads as hibari reads it, sentence by sentence and as a whole."""
    for line in CORPUS.strip().splitlines():
        for text in (line, *line.replace("; ", ". ").split(". ")):
            ours = phonemize(text).phonemes
            theirs = "".join(one for one in original(_plain(spelling.spell(text).text)) if one in phonemize._vocabulary)
            assert " ".join(ours.split()) == " ".join(theirs.split()), text


def check_places(text: str, utterance: Utterance) -> None:
    words = [word for word in text.split() if any(map(str.isalnum, word))]
    assert [text[slice(*place.span)] for place in utterance.words] == words
    assert len(utterance.ids) == len(utterance.phonemes)
    for place in utterance.words:
        assert 0 <= place.first <= place.end <= len(utterance.phonemes)
        assert 0 <= place.share[0] < place.share[1] <= 1
    for one, other in pairwise(utterance.words):
        shared = (one.first, one.end) == (other.first, other.end) and one.share[1] <= other.share[0]
        assert shared or one.end <= other.first


ODDITIES = (
    "Dr. St. Jan. 5th 10km $5 £3.2 billion 1/2 3-4 — – ... \" ' ( ) # @ % & * _ - / | ~ = < > ! ? .5 5. 1,000 00 007"
    " 2020 1999's 20s 3rd A.M. U.S. e.g. etc. O'Neil it's XIV Chapter Henry ² ½ é ß µ ° C 20°C -5 +5 ¥500 Rs. 100 50¢"
    " a@b.com www.x.org C++ 3D 1.2.3 12:30 25:99 9:30am 0x1F ___ “ ” « … • © 1-800-555-1234 2019-10-12 13/13/2019 😀"
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(ODDITIES.split())
            | st.text("abcdeghiorstuxyzABMSTéñ'-0123456789.,", min_size=1, max_size=8),
            st.sampled_from([" ", " ", " ", "  ", "\n", "", ", ", "—"]),
        ),
        min_size=1,
        max_size=9,
    )
)
@settings(max_examples=600)
def test_every_word_of_any_text_has_its_place(phonemize: Phonemizer, pieces: list[tuple[str, str]]) -> None:
    """However the rules rewrite a text, each of its words gets one place, in order, apart from its neighbours'."""
    text = "".join(word + gap for word, gap in pieces)
    check_places(text, phonemize(text))


@given(st.text(st.characters(codec="latin-1") | st.sampled_from("“”‘’—–…€™\u200b\u0301\u202f😀\ufe0fﬁ"), max_size=40))
@settings(max_examples=600)
def test_no_text_breaks_the_rules(phonemize: Phonemizer, text: str) -> None:
    """Any Latin characters, also control characters and loose accents, are read without an error."""
    check_places(text, phonemize(text))


@pytest.mark.parametrize(
    ("text", "word", "phonemes"),
    [
        ("It cost $5 then.", "$5", "fˈIv dˈɑləɹz"),
        ("On Jan. 5th it rained.", "Jan.", "ʤˈænjəwˌɛɹi"),
        ("We ran 10 km today.", "km", "kəlˈɑməTəɹz"),
        ("He said “don't” twice.", "“don't”", "dˈOnt"),
        ("Salt & pepper, please.", "pepper,", "pˈɛpəɹ"),
        ("We co\u00adope\u00adrate.", "co\u00adope\u00adrate.", "kOˈɑpəɹˌAt"),
        ("A cafe\u0301 here.", "cafe\u0301", "kæfˈA"),
    ],
)
def test_a_rewritten_word_keeps_its_own_sound(phonemize: Phonemizer, text: str, word: str, phonemes: str) -> None:
    """What a word became belongs to that word, without the rests and quotation marks around it."""
    utterance = phonemize(text)
    (place,) = (place for place in utterance.words if text[slice(*place.span)] == word)
    assert utterance.phonemes[place.first : place.end] == phonemes


@pytest.mark.parametrize("quoted", ["“Don't go,” he said.", '"Don\'t go," he said.', "„Don't go,“ he said."])
def test_a_quotation_mark_does_not_change_a_word(phonemize: Phonemizer, quoted: str) -> None:
    """Direct speech reads as it does without its marks; hibari by itself would take "Don't" for a name."""
    assert phonemize(quoted).phonemes == phonemize("Don't go, he said.").phonemes


def test_brackets_of_the_text_are_text(phonemize: Phonemizer) -> None:
    """hibari's notation for pronunciations does not swallow links and asides."""
    spoken = phonemize("See [the manual](https://x.org) and [this](/nˈOt ðˈɪs/).").phonemes
    assert "mˈænjəwəl" in spoken
    assert "ɔɹɡ" in spoken.replace("ˈ", "") or "ˈɔɹ" in spoken
    assert "θˈɪs" in spoken or "ðɪs" in spoken.replace("ˈ", "")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Say Ｌｉｎｅｒｅａｄ now", "Say Lineread now"),
        ("a 𝐆𝐫𝐨𝐛𝐢𝐜 𝒲𝑜𝓇𝓁𝒹", "a Grobic World"),
        ("ⓗⓘ ﬁne ㎏", "hi fine kg"),
        ("Henry Ⅷ has ٣ ３", "Henry VIII has 3 3"),
        ("5€ or 20 £ or 3 million €", "5 euros or 20 pounds or 3 million euros"),
        ("₽100, ₪1 and ₿2", "100 rubles, 1 shekel and 2 bitcoins"),
        ("US$5, $ 5, 5$ and -$5", "5 U.S. dollars, $5, $5 and minus $5"),
        ("the € sign and the % sign", "the euro sign and the percent sign"),
        ("jo_b@x.org, please", "jo underscore b at x dot org, please"),
        ("See www.x.org/a-b.", "See w w w dot x dot org slash a dash b."),
        ("https://x.io?q=1 is", "https colon slash slash x dot io question mark q equals 1 is"),
        ("version 2.0.1 at 10.0.0.1.", "version 2 dot 0 dot 1 at 10 dot 0 dot 0 dot 1."),
        ("call (555) 123-4567", "call 5 5 5, 1 2 3, 4 5 6 7"),
        ("call +44 20 7946 0958", "call plus 4 4, 2 0, 7 9 4 6, 0 9 5 8"),
        ("odds of 3:1 at 7:45", "odds of 3 to 1 at 7:45"),
        ("5 − 3 or −5", "5 minus 3 or -5"),
        ("x ≤ 5, a ≠ b, √2", "x is at most 5, a is not equal to b, the square root of 2"),
        ("10⁵ and x²³ and y²", "10 to the power of 5 and x to the power of 23 and y²"),
        ("3 * 4 is *bold*", "3 times 4 is *bold*"),
        ("~5 people, ⅓ of 2½", "about 5 people, one third of 2 and one half"),
        ("C# and F# at 5 m/s", "C sharp and F sharp at 5 meters per second"),
        ("He is 5'10\" tall", "He is 5 foot 10 tall"),
        ("It was -40° outside", "It was minus 40° outside"),
        ("It is -10°C, or -1/2", "It is minus 10°C, or minus one half"),
        ("(-3) or x=-5", "(minus 3) or x equals minus 5"),
        ("8% -5 and -5--3, pages 3--4", "8% minus 5 and minus 5 to minus 3, pages 3 to 4"),
        ("use hashtag #winter or #hashtag", "use hashtag winter or hashtag"),
        ("10 - 3 = 7, 12-5=7", "10 minus 3 equals 7, 12 minus 5 equals 7"),
        ("What is 10 - 3?", "What is 10 minus 3?"),
        ("ages 5 - 10, 10-20, 10–20, 10-20.", "ages 5 to 10, 10 to 20, 10 to 20, 10 to 20."),
        ("10 / 2", "10 divided by 2"),
        ("10am-4pm and 9:00 - 17:00", "10 A.M to 4pm and 9:00 to 17:00"),
        ("5°C–10°C, 5-10%, $5-$10", "5°C to 10°C, 5 to 10%, $5 to $10"),
        ("10,000-20,000 or 1.5-2.5", "10,000 to 20,000 or 1.5 to 2.5"),
        ("only .5 or -.25", "only point 5 or minus point 2 5"),
        ("agent 007 of 02139", "agent 0 0 7 of 0 2 1 3 9"),
        ("version 3.10 costs $2.50", "version 3 point 1 0 costs $2.50"),
        ("on 05.01.2024 and Jan 05", "on 5 January 2024 and January 5th"),
        ("1,5 liters, 0,25, 1,000", "1.5 liters, 0.25, 1000"),
        ("items 1,2,3 at (4,5)", "items 1, 2, 3 at (4, 5)"),
        (">5 and <=3", "more than 5 and at most 3"),
        ("about ~5 people", "about 5 people"),
        ("24/7 and 50/50", "twenty four seven and fifty fifty"),
        ("Mon-Fri, Jan–Mar", "Monday to Friday, January to March"),
        ("3 atm, 1 tsp, 2 tbsp, 5 m", "3 atmospheres, 1 teaspoon, 2 tablespoons, 5 meters"),
        ("$5 m for 3 m", "$5 million for 3 meters"),
        ("press Ctrl+Shift+C", "press control shift C"),
        ("Bill No. 12-345", "Bill number 12 dash 345"),
        ("call ext. 12", "call extension 12"),
        ("10 kΩ and 5 μs", "10 kilo ohms and 5 microseconds"),
        ("π of Δt (λ)", "pi of delta t (lambda)"),
        ("a t\u0336a\u0337p\u0338 here", "a tap here"),
    ],
)
def test_signs_are_read_in_words(phonemize: Phonemizer, written: str, read: str) -> None:
    """What hibari leaves out by itself sounds as the words that a reader says, and every word has its place."""
    utterance = phonemize(written)
    assert utterance.phonemes == phonemize(read).phonemes
    check_places(written, utterance)
    assert all(place.first < place.end for place in utterance.words), "a word is silent"


@given(st.text(st.sampled_from("a5 1.,:/@#%&*+-=~$€£¥₽¢ⅧⅢ½⅓²⁵ⁿ₂Ａ１𝐇ﬁ٣√≤′'\"()xwm"), max_size=24))
@settings(max_examples=600, derandomize=True)
def test_whatever_is_spelled_keeps_its_words(phonemize: Phonemizer, text: str) -> None:
    """Signs in any order: each word of the source still has one place, in order, apart from its neighbours'."""
    check_places(text, phonemize(text))


@pytest.mark.parametrize(
    "text", ["2019-10-12", "1-800-555-1234", "555-1234", "well-known", "pages 3-4", "F-16", "4:05"]
)
def test_other_dashes_and_zeros_are_no_numbers(text: str) -> None:
    """Dates, phone numbers, compounds, names and times are left to the rules that know them."""
    assert "minus" not in spelling.spell(text).text
    assert "0 5" not in spelling.spell(text).text


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("HE WENT HOME", "he went home"),
        ("IT IS UP TO US NOW!", "it is up to us now!"),
        ("THE CEO OF IBM WALKED HOME.", "the CEO of IBM walked home."),
        ("DON’T GO, I’M HERE", "don't go, I'm here"),
        ("He yelled HE WENT HOME and left.", "He yelled he went home and left."),
    ],
)
def test_shouted_words_are_words(phonemize: Phonemizer, written: str, read: str) -> None:
    """A line in capitals reads as it does in small letters; acronyms in it are still spelled."""
    said, usual = (phonemize(text).phonemes.translate(dict.fromkeys(map(ord, "ˈˌ"))) for text in (written, read))
    assert said == usual
    check_places(written, phonemize(written))


@pytest.mark.parametrize(
    "text", ["The US IT department hired NASA staff.", "NASA, FBI, CIA.", "US GDP", "I saw the USA."]
)
def test_acronyms_are_no_shouting(text: str) -> None:
    """Where acronyms stand among small letters or by themselves, capitals stay."""
    words = {"us", "it", "the", "staff", "nasa", "department", "hired", "saw"}
    assert capitals.lowered(text, words.__contains__) == text


def test_no_word_is_dropped(phonemize: Phonemizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A word that hibari leaves out without a sound is spelled another way, whichever way there is left."""
    rules = phonemize._rules
    usual = rules.phonemize_tokens

    def forgetful(tokens: list[Any]) -> list[Any]:
        read = usual(tokens)
        for token in read:
            if "lost" in token.text or "-" in token.text:
                token.phonemes = ""
        return read

    monkeypatch.setattr(rules, "phonemize_tokens", forgetful)
    text = "It lost a pre-9 here."
    utterance = phonemize(text)
    check_places(text, utterance)
    assert all(place.first < place.end for place in utterance.words)
    assert phonemize("It L O S T a pre 9 here.").phonemes == utterance.phonemes


@given(st.text(st.sampled_from("a5 1.,:/@#%&*+-=~$€£¥°Ω½²Ｂ'\"()xwm–−<>0"), max_size=24))
@settings(max_examples=600, derandomize=True)
def test_no_letter_or_digit_is_silent(phonemize: Phonemizer, text: str) -> None:
    """Letters, digits and signs in any order: each word of the source is heard."""
    utterance = phonemize(text)
    assert all(place.first < place.end for place in utterance.words)


def test_prose_is_left_alone() -> None:
    """Plain text is read as it stands, each of its characters for its own word."""
    text = "Mrs. Harper, who's been here for 23 years, counts $4.50 twice. It's 7:45!"
    spelled = spelling.spell(text)
    assert spelled.text == text
    assert [text[slice(*span)] for span in spelled.words] == text.split()


def test_emoji_leave_no_gap(phonemize: Phonemizer) -> None:
    """Signs without a reading are skipped as if they were not there."""
    assert phonemize("😀 Well 😀 😀 done. 👍🏽").phonemes == phonemize("Well done.").phonemes


def test_endless_digits_are_read_one_by_one(phonemize: Phonemizer) -> None:
    """A number beyond hibari's number words is a code; it does not break the rules."""
    utterance = phonemize("Card " + "12" * 3000 + " expired.")
    assert utterance.phonemes.count("wˈʌn") == 3000
    assert len(utterance.words) == 3


@given(st.text("ab ,.;—", max_size=1500))
@settings(max_examples=300)
def test_calls_cover_all_phonemes_in_bounds(phonemes: str) -> None:
    """However long, the network gets every phoneme once, in order, never more than it reads well."""
    cuts = list(_calls(phonemes))
    assert "".join(phonemes[start:end] for start, end in cuts) == phonemes
    assert all(0 < end - start <= MOST_PHONEMES for start, end in cuts)
