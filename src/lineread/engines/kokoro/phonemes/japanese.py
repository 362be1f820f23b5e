"""Japanese: from any Japanese text to Kokoro's phonemes.

Owns the table of kana. Words and readings, figures and counters among them, come from Open JTalk by pyopenjtalk-plus,
which brings its dictionary. Words in Latin letters that are no Japanese words are left as they are.

Source of the table and of where spaces go: the phonemes that Kokoro's own reader, misaki, gives.
"""

from __future__ import annotations

import re
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from lineread.engines.kokoro import readers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SINGLE: Final = (
    "ァa アa ィi イi ゥɯ ウɯ ェe エe ォo オo カka ガɡa キkʲi ギɡʲi クkɯ グɡɯ ケke ゲɡe コko ゴɡo サsa ザʣa "
    "シɕi ジʥi スsɨ ズzɨ セse ゼʣe ソso ゾʣo タta ダda チʨi ヂʥi ツʦɨ ヅzɨ テte デde トto ドdo ナna ニɲi ヌnɯ "
    "ネne ノno ハha バba パpa ヒçi ビbʲi ピpʲi フɸɯ ブbɯ プpɯ ヘhe ベbe ペpe ホho ボbo ポpo マma ミmʲi ムmɯ "
    "メme モmo ャja ヤja ュjɯ ユjɯ ョjo ヨjo ラɾa リɾʲi ルɾɯ レɾe ロɾo ヮβa ワβa ヰi ヱe ヲo ヴvɯ ヵka ヶke "
    "ヷva ヸvʲi ヹve ヺvo"
)
_PAIRS: Final = (
    "イェje ウィβi ウェβe ウォβo キェkʲe キャkʲa キュkʲɨ キョkʲo ギャɡʲa ギュɡʲɨ ギョɡʲo クァkᵝa クィkᵝi "
    "クェkᵝe クォkᵝo グァɡᵝa グィɡᵝi グェɡᵝe グォɡᵝo シェɕe シャɕa シュɕɨ ショɕo ジェʥe ジャʥa ジュʥɨ ジョʥo "
    "チェʨe チャʨa チュʨɨ チョʨo ヂャʥa ヂュʥɨ ヂョʥo ツァʦa ツィʦʲi ツェʦe ツォʦo ティtʲi テュtʲɨ ディdʲi "
    "デュdʲɨ トゥtɯ ドゥdɯ ニェɲe ニャɲa ニュɲɨ ニョɲo ヒェçe ヒャça ヒュçɨ ヒョço ビャbʲa ビュbʲɨ ビョbʲo "
    "ピャpʲa ピュpʲɨ ピョpʲo ファɸa フィɸʲi フェɸe フォɸo フュɸʲɨ フョɸʲo ミャmʲa ミュmʲɨ ミョmʲo リャɾʲa "
    "リュɾʲɨ リョɾʲo ヴァva ヴィvʲi ヴェve ヴォvo ヴュbʲɨ ヴョbʲo"
)
_KANA: Final = {pair[0]: pair[1:] for pair in _SINGLE.split()} | {pair[:2]: pair[2:] for pair in _PAIRS.split()}
_SMALL: Final = frozenset("ャュョァィゥェォ")
#: What a nasal becomes before the first phoneme of what follows.
_NASALS: Final = {**dict.fromkeys("mpb", "m"), **dict.fromkeys("kɡ", "ŋ"), **dict.fromkeys("ɲʨʥ", "ɲ"),
                  **dict.fromkeys("ntdɾz", "n")}  # fmt: skip
#: Parts of speech that are spoken as one word with what is before them.
_ENDINGS: Final = frozenset({("助動詞", "*"), ("助詞", "接続助詞"), ("動詞", "接尾")})
_VERBAL: Final = frozenset({"動詞", "形容詞", "助動詞"})
_ACRONYM: Final = re.compile(r"[A-Z]{1,6}s?")
#: What is written before a number and said after it.
_CURRENCIES: Final = {"¥": "円", "￥": "円", "$": "ドル", "＄": "ドル", "€": "ユーロ", "£": "ポンド"}
_MONEY: Final = re.compile(rf"([{''.join(_CURRENCIES)}])\s?([\d０-９][\d０-９,，.．]*(?<=[\d０-９])[万億兆]?)")
_FROM_TO: Final = re.compile(r"(?<=\d)\s?[〜～~]\s?(?=\d)")


class Japanese:
    """Japanese. Safe to call from several threads; they take turns.

    Raises:
        ConfigError: A package is missing.
    """

    def __init__(self) -> None:
        try:
            import pyopenjtalk  # noqa: PLC0415 - of the extra `kokoro`, and 0.5 s
        except ImportError as error:
            raise readers.lacking("Japanese") from error
        self._lock = Lock()
        self._run = pyopenjtalk.run_frontend
        self._words("あ")  # its dictionary is opened by the first call

    def __call__(self, text: str) -> str:
        """The phonemes of a text without foreign words; marks stay as they are."""
        text = _MONEY.sub(lambda found: found[2] + _CURRENCIES[found[1]], _FROM_TO.sub("から", text))
        return _spaced(self._words(text))

    def knows(self, word: str) -> bool:
        """Whether a word in Latin letters is read as Japanese do: a word of the dictionary, or letter by letter."""
        return bool(_ACRONYM.fullmatch(word)) or [each["pos"] for each in self._words(word)] == ["名詞"]

    def _words(self, text: str) -> Sequence[Mapping[str, Any]]:
        with self._lock:
            words: Sequence[Mapping[str, Any]] = self._run(text, use_sudachi_kanji_yomi=False)
        return words


def phonemes(pron: str) -> str:
    """The phonemes of a reading in katakana."""
    said = ""
    place = 0
    while place < len(pron):
        size = 2 if pron[place : place + 2] in _KANA else 1
        said += _mora(pron[place : place + size], said, pron[place + size :])
        place += size
    return said


def _mora(kana: str, before: str, after: str) -> str:
    if kana == "ー":
        return "ː"
    if kana == "ッ":
        return "ʔ"
    if kana == "ン":
        follows = _KANA.get(after[:2]) or _KANA.get(after[:1]) or " "
        return _NASALS.get(follows[0], "ɴ")
    if kana in _SMALL and before[-1:] in "aiɯɨeo":  # a pair that the table lacks
        return _KANA[kana]
    return _KANA.get(kana, "")


def _spaced(words: Sequence[Mapping[str, Any]]) -> str:
    """The phonemes of words, endings attached to what they belong to; what has no reading stays as it is."""
    said = ""
    before = ""
    for word in words:
        if not word["mora_size"]:
            said += word["string"]
            before = ""
            continue
        is_ending = before in _VERBAL and (word["pos"], word["pos_group1"]) in _ENDINGS
        pron = word["pron"].replace("’", "").replace("'", "")
        glue = "" if is_ending or not before or pron.startswith("ー") else " "
        said += glue + phonemes(pron)
        before = word["pos"]
    return re.sub(r" ?ʔ ?", "ʔ", said)
