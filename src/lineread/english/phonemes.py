"""From English text to the model's phonemes, and which phonemes belong to which word of the text.

Owns the call of hibari's text-to-phoneme rules and the way back from its tokens to the caller's words. What hibari
would leave out is put into words before (see ``spelling``). hibari then rewrites the text ("$5" becomes "five
dollars", "Jan. 5th" "January fifth") and only then cuts it into tokens, so the rewritten words are matched to the
source's: words that came through unchanged are anchors, and what lies between two anchors shares the time that is
spoken there. A word that is left without a sound all the same is spelled another way, down to its letters one by one.

hibari's inline pronunciations, ``[word](/phonemes/)``, are not passed on: they would swallow a text's own brackets,
and the cloud engine reads the same text as it stands.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections import ChainMap
from dataclasses import dataclass
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from lineread.english import capitals, hibari, spelling, tables
from lineread.errors import ConfigError, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from lineread.english.spelling import Spelling
    from lineread.speech import Span

#: Phonemes that are rests, quotation marks or brackets: a word is spoken between them.
_SILENT: Final = frozenset(' ;:,.!?—…"“”()')
#: Characters without sound that keep hibari from finding a word, and accents that no letter has of its own. A quotation
#: mark makes it read "Don't" as a name.
_SOUNDLESS: Final = dict.fromkeys(
    [*map(ord, '"“”„«»\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\ufe0e\ufe0f'), *range(0x300, 0x370)]
)
_WORD: Final = re.compile(r"\S+")
#: hibari's number words end at 10^36; whoever writes more digits in a row than these means a code, read one by one.
_CODE: Final = re.compile(r"\d{16,}")
_UNUSUAL: Final = re.compile(r"[^\w\s.,;:!?'-]|_")
#: What rules of a thousand lines raise when a text is stranger than they are.
_STUMBLES: Final = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
#: Held while rules are made: hibari's module is one for all of them, and reads its files by a name in it.
_making: Final = Lock()
if hasattr(os, "register_at_fork"):  # a child must not find it held by a thread that it does not have
    os.register_at_fork(before=_making.acquire, after_in_child=_making.release, after_in_parent=_making.release)


@dataclass(frozen=True, slots=True)
class WordPlace:
    """Where a word of the text is in its phonemes.

    Attributes:
        span: The word's place in the text.
        first: Its first phoneme.
        end: One past its last phoneme; equal to ``first`` for a word that makes no sound.
        share: The part of the time of those phonemes that is its own, where several words share them.
    """

    span: Span
    first: int
    end: int
    share: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Utterance:
    """A text as the model reads it.

    Attributes:
        phonemes: One character for each.
        ids: The same as the model's numbers.
        words: The text's words, in order: everything between white space that has a letter or a digit.
    """

    phonemes: str
    ids: tuple[int, ...]
    words: tuple[WordPlace, ...]


@dataclass(frozen=True, slots=True)
class _Group:
    """A word of the rewritten text: its letters and digits, and the phonemes between its rests."""

    key: str
    first: int
    end: int


class _Token(Protocol):
    text: str
    whitespace: str
    phonemes: str | None


class _Words(Protocol):
    d: Mapping[str, object]


class _Lexicon(Protocol):
    golds: _Words

    def get_word(self, word: str, tag: str, stress: float | None, ctx: object) -> tuple[str | None, int | None]: ...


class _Rules(Protocol):
    lexicon: _Lexicon

    def tokenize(self, text: str) -> list[_Token]: ...

    def phonemize_tokens(self, tokens: list[_Token]) -> list[_Token]: ...


class Phonemizer:
    """hibari's rules, ready in a fifth of the time that they take by themselves.

    Safe to call from several threads; they take turns.

    Args:
        contents: The word tables, unpacked.
        variety: Whose English it is: one of ``tables``.
        readings: Phonemes of words in small letters, where the lexicon has others.

    Raises:
        ConfigError: hibari's files are missing or broken.
    """

    def __init__(
        self,
        contents: Mapping[str, bytes],
        *,
        variety: str = tables.AMERICAN,
        readings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        def load(name: str) -> object:
            return tables.parse(name, contents[name] if name in contents else hibari.asset(name))

        self._lock = Lock()
        try:
            self._vocabulary: Mapping[str, int] = json.loads(hibari.asset("vocab.json"))
            with _making:
                module = hibari.g2p()
                vars(module)["_load_json"] = load  # the module is our private copy, and this is how it reads its files
                self._rules: _Rules = module.G2P(british=variety == tables.BRITISH)
            if readings:
                forms = ((form, readings[word]) for word in readings for form in (word, word.title()))
                words = self._rules.lexicon.golds
                words.d = ChainMap(dict(forms), words.d)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigError("hibari-tts cannot read its word tables.", remedy=hibari.REMEDY) from error
        self._normalize: Callable[[str], str] = module.normalize
        self._no_context: object = module.Context()

    def __call__(self, text: str) -> Utterance:
        """The phonemes of a sentence or some, and the places of its words.

        Raises:
            Refused: hibari breaks on this text.
        """
        spelled = spelling.spell(capitals.lowered(text, self._is_word))
        phonemes, groups = self._gather(self._tokens(spelled.text))
        for respelled in (spelling.loosened, spelling.letter_by_letter):
            if all(group.end > group.first or not group.key for group in groups):
                break
            silent = {number for number, place in enumerate(_places(spelled, groups)) if place.first == place.end}
            spelled = respelled(spelled, silent)
            phonemes, groups = self._gather(self._tokens(spelled.text))
        return Utterance(phonemes, tuple(self._vocabulary[one] for one in phonemes), tuple(_places(spelled, groups)))

    def _is_word(self, word: str) -> bool:
        with self._lock:
            return self._rules.lexicon.get_word(word, "NN", None, self._no_context)[0] is not None

    def _tokens(self, text: str) -> list[_Token]:
        try:
            return self._apply(_plain(text))
        except _STUMBLES:
            pass  # over signs that no one speaks, as a rule
        try:
            return self._apply(_bare(text))
        except _STUMBLES as error:
            raise Refused(
                "The rules of English stumble over something in this text.",
                remedy="Write numbers and symbols in words, or speak it with another engine.",
            ) from error

    def _apply(self, text: str) -> list[_Token]:
        with self._lock:
            return self._rules.phonemize_tokens(self._rules.tokenize(self._normalize(text)))

    def _gather(self, tokens: Sequence[_Token]) -> tuple[str, list[_Group]]:
        """The phonemes of all tokens, and the words that they make."""
        phonemes = sound = key = ""
        groups = []
        for number, token in enumerate(tokens, 1):
            sound += "".join(one for one in token.phonemes or "" if one in self._vocabulary)
            key += token.text
            if token.whitespace or number == len(tokens):
                sound = sound.strip()
                start = len(phonemes) + bool(phonemes and sound)
                phonemes = f"{phonemes} {sound}".strip()
                groups.append(_group(key, phonemes, start))
                sound = key = ""
        return phonemes, groups


def _plain(text: str) -> str:
    """The text without what the rules would trip over; as many words, in the same places."""
    text = unicodedata.normalize("NFC", text).translate(_SOUNDLESS).replace("](", "] (")
    return _CODE.sub(lambda digits: " ".join(digits[0]), text)


def _bare(text: str) -> str:
    """Letters, digits and common punctuation; as many words, in the same places."""
    return _UNUSUAL.sub("", unicodedata.normalize("NFKC", _plain(text)))


def _key(word: str) -> str:
    return "".join(filter(str.isalnum, word))


def _group(word: str, phonemes: str, start: int) -> _Group:
    spoken = [place for place in range(start, len(phonemes)) if phonemes[place] not in _SILENT]
    return _Group(_key(word), *((spoken[0], spoken[-1] + 1) if spoken else (start, start)))


def _places(spelled: Spelling, groups: Sequence[_Group]) -> Iterator[WordPlace]:
    """The place of each word of the source, in order and without overlap."""
    found = [word.span() for word in _WORD.finditer(spelled.text) if _key(word[0])]
    keys = [_key(unicodedata.normalize("NFC", spelled.text[start:end])) for start, end in found]
    parts = _matched(keys, [group for group in groups if group.key or group.end > group.first])
    # A word that was spelled out has several parts; parts that share their time make words share theirs.
    blocks: list[_Block] = []
    for (start, end), part in zip(found, parts, strict=True):
        owner = max(spelled.owners[start:end])
        if owner < 0:
            continue  # a sign on its own: it is spoken, and belongs to no word
        if blocks and (owner <= blocks[-1].owners[-1] or (part == blocks[-1].last and part[1] > part[0])):
            blocks[-1].add(owner, part)
        else:
            blocks.append(_Block([owner], part[0], part[1], part))
    yield from _owned(spelled.words, blocks)


@dataclass(slots=True)
class _Block:
    """Words of the source that are spoken together, from one phoneme to another."""

    owners: list[int]
    first: int
    end: int
    last: Span

    def add(self, owner: int, part: Span) -> None:
        if owner > self.owners[-1]:
            self.owners.append(owner)
        if self.first == self.end:
            self.first = part[0]
        self.end = max(self.end, part[1])
        self.last = part


def _owned(words: Sequence[Span], blocks: Sequence[_Block]) -> Iterator[WordPlace]:
    """Each word's place: within a block each takes a part of the time, by its length; without one it is silent."""
    following = 0
    reached = 0
    for block in blocks:
        last = block.owners[-1] + 1
        for number in range(following, block.owners[0]):
            yield WordPlace(words[number], reached, reached)
        sharing = words[max(block.owners[0], following) : last]
        whole = sum(end - start for start, end in sharing)
        before = 0
        for start, end in sharing:
            after = before + end - start
            yield WordPlace((start, end), block.first, block.end, (before / whole, after / whole))
            before = after
        following, reached = last, block.end
    for word in words[following:]:
        yield WordPlace(word, reached, reached)


def _matched(keys: Sequence[str], groups: Sequence[_Group]) -> Iterator[Span]:
    """The phonemes of each word; words that were rewritten together have the same ones."""
    if keys == [group.key for group in groups]:
        yield from ((group.first, group.end) for group in groups)
        return
    from difflib import SequenceMatcher  # noqa: PLC0415 - 5 ms that only rewritten text has to pay

    matcher = SequenceMatcher(None, keys, [group.key for group in groups], autojunk=False)
    reached = 0
    for kind, start, end, first, last in matcher.get_opcodes():
        if end - start == last - first:
            yield from ((group.first, group.end) for group in groups[first:last])
        elif kind != "insert":  # what was inserted has no word in the source; its time stays free
            together = (groups[first].first, groups[last - 1].end) if last > first else (reached, reached)
            yield from [together] * (end - start)
        reached = groups[last - 1].end if last else 0
