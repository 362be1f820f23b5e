"""Kokoro's readers: every word of a text has a sound, and every sound is one that the model knows."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineread.engines.kokoro.phonemes import espeak, figures
from lineread.engines.kokoro.phonemes.mandarin import phonemes as syllable
from lineread.engines.kokoro.phonemes.mixed import Phonemizer, Reading
from lineread.errors import TextError
from support import needs_espeak

CHINESE = (
    "他用GPT-4写了一份报告。", "请打开 iPhone 15 Pro 的设置，关闭Wi-Fi。", "她说：“Hello world, this is it.”然后走了。",
    "用C++写3D游戏，速度提高了30%。", "微信、支付宝和PayPal都可以。", "銀行的行長在重慶長大。", "东京の店は高い。",
    "嗯，哦，呣！二〇二四年",
)  # fmt: skip
JAPANESE = (
    "今日はGitHubを使って、Pythonで書きます。", "iPhone 15 Proは¥159,800です。", "「結婚」って、きっと楽しいよ！",
    "ヴァイオリンとデュエットのティッシュ。", "OpenAIのAPIはRESTです。", "10〜20人が3月5日に30%引きで買った。",
    "中国語で你们吗と言う。", "ｶﾞﾝﾀﾞﾑとＡＢＣ、café。",
)  # fmt: skip
LATIN = {
    "Spanish": ("El niño comió 3,5 kilos; ¿qué tal, señor Jiménez?", "«Hola» (dijo)… el 25 % de 1.000 pingüinos."),
    "French": ("Aujourd'hui, l'œuvre coûte 25 € à Noël : c'est « très » cher !", "Où est le garçon naïf ? Qu'un œuf."),
    "Italian": ("Perché no? L'acqua è già lì; un po' di città.", "Gli gnocchi costano 12 euro!"),
    "Portuguese": ("O pão não está bom, irmão; amanhã às 15h.", "Ação, coração, mãe, avô e avó."),
    "Hindi": ("नमस्ते, भारत में 25 लोग घर गए।", "धन्यवाद, छात्र ज्ञान ऋषि और WhatsApp।", "अंग्रेज़ी में computer कहते हैं।"),
}  # fmt: skip


@pytest.fixture(scope="module")
def phonemizer() -> Phonemizer:
    return Phonemizer()


def read(phonemizer: Phonemizer, texts: Sequence[str], language: str) -> list[Reading]:
    """The readings, after a look that none of them lacks a phoneme."""
    readings = [phonemizer(text, language) for text in texts]
    assert [(text, each.unknown) for text, each in zip(texts, readings, strict=True) if each.unknown] == []
    assert all(len(each.ids) == len(each.phonemes) > 5 for each in readings)
    return readings


@pytest.mark.parametrize(("texts", "language"), [(CHINESE, "Chinese"), (JAPANESE, "Japanese")])
def test_all_phonemes_are_known_to_the_model(phonemizer: Phonemizer, texts: Sequence[str], language: str) -> None:
    """No reader gives a phoneme that would be left out."""
    read(phonemizer, texts, language)


@needs_espeak
@pytest.mark.parametrize("language", [*LATIN])
def test_all_phonemes_of_espeak_are_known_to_the_model(phonemizer: Phonemizer, language: str) -> None:
    """The program's alphabet is turned into the model's without a rest."""
    read(phonemizer, LATIN[language], language)


def test_words_of_another_language_are_spoken(phonemizer: Phonemizer) -> None:
    """Words in other letters keep their sound, in their order, between the words around them."""
    before, english, after = (phonemizer(text, "Chinese").phonemes for text in ("他说", "Hello world", "然后"))
    assert english == "həlˈO wˈɜɹld"
    assert phonemizer("他说Hello world然后", "Chinese").phonemes == f"{before} {english} {after}"
    assert phonemizer("Say 你好 now.", "English").phonemes.split()[1] == phonemizer("你好", "Chinese").phonemes
    assert "koɲɲiʨiβa" in phonemizer("We said こんにちは!", "English").phonemes
    assert "ɡˌɪthˈʌb" in phonemizer("今日はGitHubを使う", "Japanese").phonemes
    assert "aiɸoɴ" in phonemizer("iPhoneを使う", "Japanese").phonemes
    assert "ma" in phonemizer("中国語の吗", "Japanese").phonemes


@pytest.mark.parametrize(
    ("text", "language"),
    [(text, "Chinese") for text in CHINESE] + [(text, "Japanese") for text in JAPANESE],
)
def test_nothing_is_dropped(phonemizer: Phonemizer, text: str, language: str) -> None:
    """Without any one of its words a text has fewer phonemes: each of them is spoken."""
    whole = len(phonemizer(text, language).phonemes)
    words = "GPT-4 iPhone Pro Wi-Fi Hello C++ 3 30% PayPal 店 銀行 GitHub Python ¥159,800 結婚 API 你们吗 café ＡＢＣ"
    for word in words.split():
        if word in text:
            assert len(phonemizer(text.replace(word, "", 1), language).phonemes) < whole, word


def test_a_character_without_a_reading_is_an_error(phonemizer: Phonemizer) -> None:
    """What nobody knows to read is not left out in silence."""
    with pytest.raises(TextError, match="\U00030000"):
        phonemizer("这是\U00030000字", "Chinese")


@pytest.mark.parametrize(
    ("pinyin", "sound"),
    [
        *(("zhong1", "ꭧʊ→ŋ"), ("guo2", "kwo↗"), ("nv3", "ny↓"), ("xue2", "ɕɥe↗"), ("shi4", "ʂɨ↘"), ("zi5", "ʦɨ")),
        *(("er4", "ɚ↘"), ("yuan2", "ɥɛ↗n"), ("jiu3", "ʨjou↓"), ("dui4", "twei↘"), ("lun2", "lwə↗n"), ("wo3", "wo↓")),
        *(("ng2", "ŋ↗"), ("ju2", "ʨy↗")),
    ],
)
def test_syllables_of_pinyin(pinyin: str, sound: str) -> None:
    """Syllables have the phonemes that the model was trained with."""
    assert syllable(pinyin) == sound


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("2024年3月5日14：05", "二零二四年三月五日十四点零五分"),
        ("2024-03-05", "二零二四年三月五日"),
        ("30%，3.5‰，３０％", "百分之三十，千分之三点五，百分之三十"),
        ("气温-5℃~3℃", "气温负五摄氏度到三摄氏度"),
        ("2个苹果，12个梨，2年，15年，90年代", "两个苹果，十二个梨，两年，十五年，九十年代"),
        ("10010，100000000，1,234,567人，20030000", "一万零一十，一亿，一百二十三万四千五百六十七人，二千零三万"),
        ("1005 1050 110 0.07 007", "一千零五 一千零五十 一百一十 零点零七 零零七"),
        ("13800138000", "一三八零零一三八零零零"),
        ("￥199.9万，$3.5，5kg，10km/h", "一百九十九点九万元，三点五美元，五公斤，十公里每小时"),
        ("3-5天，1/2，3+5=8", "三到五天，二分之一，三加五等于八"),
        ("GPT-4和A&B", "GPT-四和A和B"),
    ],
)
def test_chinese_figures_are_read_as_they_are_meant(text: str, spoken: str) -> None:
    """Years digit by digit, quantities by their tens, percent before its number, two as it is counted."""
    assert figures.spoken(text) == spoken


@given(st.integers(min_value=0, max_value=10**16 - 1))
def test_chinese_numbers_say_their_value(value: int) -> None:
    """Read back by another rule, the words of a number are the number."""
    assert _value(figures.number(str(value))) == value


def _value(words: str) -> int:
    whole = section = digit = 0
    for one in words.replace("万亿", "兆").replace("亿亿", "京"):
        if one in "零一二三四五六七八九":
            digit = "零一二三四五六七八九".index(one)
        elif one in "十百千":
            section += (digit or 1) * 10 ** ("十百千".index(one) + 1)
            digit = 0
        else:
            whole += (section + digit) * {"万": 10**4, "亿": 10**8, "兆": 10**12, "京": 10**16}[one]
            section = digit = 0
    return whole + section + digit


@given(st.text(alphabet="0123456789年月日%-/:.,~℃$￥ 个kg天A", max_size=20))
def test_no_figure_is_left(text: str) -> None:
    """Whatever figures are written, all of them become words, and nothing breaks."""
    assert not any(one.isdigit() for one in figures.spoken(text))


def test_the_table_of_espeak_gives_single_phonemes() -> None:
    """Joined sounds become the model's single ones; marks of another language and ties leave nothing behind."""
    assert espeak.phonemes("t^ʃˈaʊ (^e^n)kəm(^h^i) bʱ g ɐ̃^ʊ̃") == "ʧˈaʊ kəm bʰ ɡ ɐ̃ʊ̃"
