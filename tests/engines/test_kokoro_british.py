"""Kokoro's British voices read British English: its sounds, its words, its numbers, and the r between words."""

from __future__ import annotations

import re
import threading
import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lineread.engines.kokoro import Kokoro, cast
from lineread.engines.kokoro.languages import BRITISH
from lineread.engines.kokoro.phonemes.british import _READINGS, British
from lineread.engines.kokoro.phonemes.english import English, vocabulary
from lineread.engines.kokoro.phonemes.mixed import Phonemizer, Reading
from lineread.engines.kokoro.speaker import Manner, Speaker
from lineread.english import tables
from lineread.speech import Request

VOWELS = "AIQWYaiuɐɑɒɔəɛɜɪʊʌᵊ"
#: The phonemes of misaki's British English, and its marks.
BRITISH_PHONEMES = frozenset(VOWELS + "bdfhjklmnpstvwzðŋɡɹʃʒʤʧθˈˌː" + ' ;:,.!?—…"()“”')
#: Words by what an American says otherwise, with the reading of British dictionaries.
WORDS = """
goat ɡˈQt  home hˈQm  over ˈQvə  low lˈQ  only ˈQnli
lot lˈɒt  want wˈɒnt  watch wˈɒʧ  body bˈɒdi  cloth klˈɒθ  coffee kˈɒfi  orange ˈɒɹɪnʤ
thought θˈɔːt  water wˈɔːtə  north nˈɔːθ  more mˈɔː  law lˈɔː
bath bˈɑːθ  dance dˈɑːns  after ˈɑːftə  can't kˈɑːnt  laugh lˈɑːf  class klˈɑːs  example ɪɡzˈɑːmpᵊl
car kˈɑː  father fˈɑːðə  half hˈɑːf  garden ɡˈɑːdᵊn
trap tɹˈap  happy hˈapi  nurse nˈɜːs  first fˈɜːst  bird bˈɜːd
fear fˈɪə  here hˈɪə  beer bˈɪə  square skwˈɛː  chair ʧˈɛː  sure ʃˈʊə
letter lˈɛtə  better bˈɛtə  city sˈɪti  butter bˈʌtə  started stˈɑːtɪd  houses hˈWzɪz
new njˈuː  tune tjˈuːn  duty djˈuːti  tuesday tjˈuːzdA  student stjˈuːdnt
missile mˈɪsIl  mobile mˈQbIl  fragile fɹˈaʤIl
schedule ʃˈɛdjuːl  tomato təmˈɑːtQ  vase vˈɑːz  lieutenant lɛftˈɛnənt  privacy pɹˈɪvəsi  herb hˈɜːb
leisure lˈɛʒə  aluminium ˌaljʊmˈɪnɪəm  neither nˈIðə  advertisement ədvˈɜːtɪsmᵊnt  denied dɪnˈId  clerk klˈɑːk
"""
TABLE = [tuple(each.split(" ")) for each in re.split(r"\s{2,}|\n", WORDS.strip())]


@pytest.fixture(scope="module")
def read() -> British:
    return British()


def test_words_are_said_as_british_dictionaries_have_them(read: British) -> None:
    """Five and sixty words, of every kind that an American says otherwise; he says none of them like this."""
    american = English()
    assert {word: read(word) for word, _ in TABLE} == dict(TABLE)
    assert [word for word, sound in TABLE if american(word) == sound] == []


def test_misread_words_are_mended(read: British) -> None:
    """Readings of our own go before the lexicon's, with a capital or without, with an ending or without."""
    wrong = [word for word, sound in _READINGS.items() if not read(word.title()) == read(f"the {word}")[3:] == sound]
    assert wrong == []
    assert read("Claire's nephews") == "klˈɛːz nˈɛfjuːz"


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        ("four apples", "fˈɔːɹ ˈapᵊlz"),
        ("4 apples or 24 eggs", "fˈɔːɹ ˈapᵊlz ɔː twˈɛnti fˈɔːɹ ˈɛɡz"),
        ("there is more, and here", "ðɛːɹ ɪz mˈɔː, and hˈɪə"),
        ("Peter and her uncle", "pˈiːtəɹ and hɜːɹ ˈʌŋkᵊl"),
        ("Dr. Evans", "dˈɒktəɹ ˈɛvᵊnz"),
        ("The car. A car (old), is", "ðə kˈɑː. ɐ kˈɑː (ˈQld), ɪz"),
        ("four pears", "fˈɔː pˈɛːz"),
        ("law and sofa and", "lˈɔː and sˈQfə and"),
    ],
)
def test_an_r_is_spoken_before_a_vowel(read: British, text: str, sound: str) -> None:
    """What is written with an r at its end lends it to a vowel that follows without a rest, and nothing else does."""
    assert read(text) == sound


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("105 people", "one hundred and five people"),
        ("the 365th day", "the three hundred and sixty fifth day"),
        ("1,234 kilometres", "one thousand two hundred and thirty four kilometres"),
        ("1,005 people", "one thousand and five people"),
        ("£105", "one hundred and five pounds"),
        ("in 1984, or 900", "in nineteen eighty four, or nine hundred"),
        ("101 km", "one hundred one kilometres"),
        ("3.125", "three point one two five"),
        ("£105.50", "one hundred five pounds and fifty pence"),
        ("on 5/3/2024", "on March fifth, 2024"),
        ("by 25/12/99, or 12/25/99", "by December twenty-fifth, 1999, or December twenty-fifth, 1999"),
        ("555 123 4567", "five five five, one two three, four five six seven"),
    ],
)
def test_figures_are_read_the_british_way(read: British, text: str, words: str) -> None:
    """A hundred and five, but not in years, decimals, telephone numbers; and in dates the day comes first."""
    assert re.sub("[ˈˌ]", "", read(text)) == re.sub("[ˈˌ]", "", read(words))


SIGNS = [*"*^/|=+&@%#~<>-—…'\"()[]$€£°½™µ!?.,:;", "x>y", "a/b", "A*", "C++", "x^2", "101 km", "3/4", "&c", "café", "Æ"]


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    st.lists(
        st.sampled_from([word for word, _ in TABLE] + SIGNS)
        | st.text("aeiourtsnlhbwg", min_size=1, max_size=9)
        | st.integers(0, 10**7).map(str),
        min_size=1,
        max_size=8,
    )
)
@example(["/"])
@example(["law", ";", ">"])
def test_no_sound_is_american(read: British, parts: list[str]) -> None:
    """Words, signs, numbers and nonsense: only British phonemes, known to the model; no r but before a vowel."""
    said = read(" ".join(parts))
    assert set(said) <= BRITISH_PHONEMES <= set(vocabulary())
    assert re.findall(f"ɹ(?! ?[ˈˌ]*[{VOWELS}]|j)", said) == []


def test_english_is_read_as_its_speaker_speaks() -> None:
    """British voices and stand-ins read British English wherever English stands; all others American, as ever."""
    asked = []

    class Asked:
        def __call__(self, text: str, language: str, english: str) -> Reading:
            asked.append((language, english))
            return Reading("", ())

    class Silent:
        def table(self, voice: str) -> np.ndarray:
            return np.zeros((1, 1))

    speaker = Speaker(Silent(), Asked())
    for voice, language in (("bf_emma", "English"), ("bm_lewis", "Chinese"), ("af_heart", "English")):
        speaker.speak("Hello.", Manner(language, voice))
    assert asked == [("English", BRITISH), ("Chinese", BRITISH), ("English", "English")]
    assert cast.reader(cast.stand_in("Neil", "English").voice, "English") == BRITISH
    assert cast.reader("bm_lewis", "Chinese") == "Chinese"
    phonemizer = Phonemizer()
    assert phonemizer("他说Hello over there然后", "Chinese", BRITISH).phonemes.split()[2:5] == ["həlˈQ", "ˈQvə", "ðˈɛː"]
    assert phonemizer("Hello over there", "English").phonemes == English()("Hello over there")


def test_the_fingerprint_tells_which_english() -> None:
    """What British voices said in American English is not found again; an American stand-in is no British one."""
    engine = Kokoro("/nowhere", endpoint="http://127.0.0.1:9")
    prints = {voice: engine.fingerprint(Request("Hi.", voice, "English")) for voice in ("bf_emma", "Neil", "af_sky")}
    assert [BRITISH in each for each in prints.values()] == [True, True, False]


def test_readers_of_both_kinds_may_be_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """hibari's rules are one module for both: each still has its own lexicon, however slowly it is read."""
    made: list[str] = []
    parse = tables.parse
    monkeypatch.setattr(tables, "parse", lambda name, raw: (time.sleep(0.02), parse(name, raw))[1])
    kinds = (British, English) * 3
    threads = [threading.Thread(target=lambda kind=kind: made.append(kind()("over there"))) for kind in kinds]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert sorted(made) == sorted(["ˈQvə ðˈɛː", "ˈOvəɹ ðˈɛɹ"] * 3)
