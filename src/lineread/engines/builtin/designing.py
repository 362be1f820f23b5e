"""A description of a voice becomes settings of the machine's own.

Owns how a description is read; what its words mean is data, in ``designing.json`` beside it. The text is cut into the
longest phrases that the data knows, in English and in Chinese. Who speaks (man or woman, and how old) gives a base;
each trait that is named multiplies or adds to it, more or less by the word of degree before it, and a little the other
way where it is denied. What comes out is clamped to what the vocoder does well.

The data was made to agree with the cast of 48, whose settings were set by ear from descriptions of one line: a test
designs each of them from its line again.

The same description gives the same settings, in every process. One that says nothing gives a voice all the same,
drawn from the text, and says so.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
import re
import unicodedata
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lineread import tongue
from lineread.engines.builtin.cast import BOUNDS, FIELDS, OWN_PITCH, StandIn
from lineread.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

#: Settings that traits multiply; they add to the others.
_FACTORS: Final = frozenset({"pitch", "formants", "pace", "range"})
#: Years of a person of whom nothing is said.
_GROWN_UP: Final = 30.0
#: How strongly a trait works that is denied: a voice that is "not deep" is rather a little high.
_DENIED: Final = -0.35
#: Words between one that denies and what it denies.
_REACH: Final = 3
#: Words that nothing is known of, named in the reasons at most.
_MOST_UNKNOWN: Final = 12
#: Words by which a language can be told.
_ENOUGH_TO_TELL: Final = 3
#: How far a voice may be from the base that is drawn from a text which says nothing of it.
_DRAWN: Final[Mapping[str, float]] = {"pitch": 0.08, "formants": 0.02, "pace": 0.04, "range": 0.1}

_TENS: Final = tuple("twenty thirty forty fifty sixty seventy eighty ninety".split())  # noqa: SIM905 - as it is read
_ONES: Final = tuple("one two three four five six seven eight nine".split())  # noqa: SIM905 - as above
_TEENS: Final = tuple("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split())  # noqa: SIM905 - as above
_NUMBERS: Final = {
    **{word: number for number, word in enumerate([*_ONES, *_TEENS], 1)},
    **{word: 10 * number for number, word in enumerate(_TENS, 2)},
    **{f"{ten} {one}": 10 * i + j for i, ten in enumerate(_TENS, 2) for j, one in enumerate(_ONES, 1)},
}
_DECADES: Final = {f"{ten[:-1]}ies": 10 * number for number, ten in enumerate(_TENS, 2)}
_NUMBER: Final = "|".join([r"\d{1,3}", *sorted(_NUMBERS, key=len, reverse=True)])
_HAN: Final = {character: number for number, character in enumerate("一二三四五六七八九", 1)} | {"两": 2}
#: Years, as they are written: a decade, a number of years, an age, the same in Chinese.
_DECADE: Final = re.compile(rf"(?:(early|mid|late) )?(?:([2-9]0)'?s|({'|'.join(_DECADES)}))(?![a-z])")
_YEARS: Final = re.compile(rf"(?:({_NUMBER}) (?:to |and |or )?)??({_NUMBER}) (?:years?|yrs?)(?: old| of age)?(?![a-z])")
_AGE: Final = re.compile(rf"(?:aged? (?:of )?|of )(?:({_NUMBER}) (?:to |and |or )?)??({_NUMBER})(?! to \d)(?![a-z0-9])")
_SUI: Final = re.compile(
    r"(?:(\d{1,3}) ?[-~到至 ] ?)?(\d{1,3}|[一二三四五六七八九十两]{1,4}) ?(多|来|几|余|出头)?(?:岁|(?<=出头))"
)
_HERTZ: Final = re.compile(r"(\d{2,3})(?:\.\d+)? ?(?:hz|hertz|赫兹|赫)(?![a-z])")
_UNKNOWN: Final = re.compile(r"[^\W\d_\u3400-\u9fff]+(?:'[a-z]+)?|[\u3400-\u9fff]|\d+")
_BREAK: Final = frozenset(",.;:!?。；…()\n")


@dataclass(frozen=True, slots=True)
class Designed:
    """What a description was made into.

    Attributes:
        settings: The stand-in, without the gain that brings it to the level of all others.
        reasons: A line for each rule that applied, with the words that it applied to, and for what was left out.
    """

    settings: StandIn
    reasons: tuple[str, ...]


class _Token(NamedTuple):
    """A phrase of a description.

    Attributes:
        shown: The phrase, in small letters.
        kind: ``rule``, ``years``, ``hertz``, ``pronoun``, ``degree``, ``negation``, ``joiner``, ``break``, ``beyond``,
            ``idle`` or ``unknown``.
        means: A rule's record, a number, or a word of the data.
    """

    shown: str
    kind: str
    means: Any = None


class _Trait(NamedTuple):
    """Something that a description says of the voice.

    Attributes:
        shown: The words, with those that weaken, strengthen or deny them.
        token: What is said.
        strength: How much of it; below 0 where it is denied.
    """

    shown: str
    token: _Token
    strength: float


def design(prompt: str) -> Designed:
    """The voice that a description asks for.

    Args:
        prompt: In English or Chinese, or both.

    Raises:
        OptionError: It is in another language, and nothing of it was understood.
    """
    tokens = list(_tokens(_plain(prompt)))
    traits = list(_traits(tokens))
    person, reasons = _person(traits, tokens)
    person, more = _shaped(person, traits)
    left_out = [*_beyond(tokens), *_unknown(tokens)]
    if not reasons and not more:
        _check_language(prompt, tokens)
        person = _drawn(prompt)
        more = ["Nothing in the description says how the voice sounds: it was drawn from the text."]
    elif not reasons:
        reasons = ["Neither man nor woman nor an age is named: it lies between a woman's voice and a man's."]
    clamped = person.clamped()
    return Designed(clamped, (*reasons, *more, *_clamps(person, clamped), *left_out))


def _check_language(prompt: str, tokens: Sequence[_Token]) -> None:
    """Refuse a description of which nothing was understood, if that is for its language.

    Raises:
        OptionError: It is.
    """
    words = sum(token.kind == "unknown" and token.shown[0].isalpha() for token in tokens)
    if words < _ENOUGH_TO_TELL:
        return
    language = tongue.detect(prompt) or "another language"
    if language not in ("Chinese", "English"):
        raise OptionError(
            f"The description is in {language}, of which this machine understands nothing.",
            remedy="Describe the voice in Chinese or English, which is what Qwen's design understands as well.",
            code="language_unsupported",
        )


# -- Reading -----------------------------------------------------------------------------------------------------------


@functools.cache
def _data() -> Mapping[str, Any]:
    with open(os.path.join(os.path.dirname(__file__), "designing.json"), encoding="utf-8") as file:
        data: Mapping[str, Any] = json.load(file)
    return data


@functools.cache
def _phrases() -> Mapping[str, _Token]:
    """Every phrase of the data, and what it means."""
    data = _data()
    known: dict[str, _Token] = {}

    def learn(words: str, kind: str, means: object = None) -> None:
        for word in words.split(","):
            known[word.strip()] = _Token(word.strip(), kind, means)

    learn(data["idle"], "idle")
    for entry in data["beyond"]:
        learn(entry["words"], "beyond", entry["what"])
    for rule in data["rules"]:
        learn(rule["words"], "rule", rule)
    for gender, words in data["pronouns"].items():
        learn(words, "pronoun", gender)
    for strength, words in data["degrees"]:
        learn(words, "degree", strength)
    for kind in ("negation", "joiner", "break"):
        learn(data[f"{kind}s"], kind)
    return known


def _plain(prompt: str) -> str:
    """A description in small letters, with one sign for each meaning."""
    text = unicodedata.normalize("NFKC", prompt).casefold().replace("’", "'")
    text = re.sub(r"(?<=[a-z])'s\b", "", text)
    return re.sub(r"[-\u2010-\u2015_\t ]+", " ", text)


def _tokens(text: str) -> Iterator[_Token]:
    """The phrases of a plain text, the longest that are known, in order."""
    longest = max(map(len, _phrases()))
    place = 0
    while place < len(text):
        if text[place] in _BREAK:
            yield _Token(text[place], "break")
            place += 1
            continue
        token = _number(text, place) or _phrase(text, place, longest) or _other(text, place)
        if token is not None:
            yield token
        place += len(token.shown) if token else 1


def _phrase(text: str, place: int, longest: int) -> _Token | None:
    """The longest known phrase that begins here and does not end within a word."""
    if _within_word(text, place):
        return None
    for end in range(min(place + longest, len(text)), place, -1):
        if (found := _phrases().get(text[place:end])) and not _within_word(text, end):
            return found
    return None


def _within_word(text: str, place: int) -> bool:
    """Whether a Latin word or a number goes on here."""
    return 0 < place < len(text) and all(
        each.isascii() and (each.isalnum() or each == "'") for each in (text[place - 1], text[place])
    )


def _other(text: str, place: int) -> _Token | None:
    """A word that nothing is known of; of Chinese, which has no spaces, one character."""
    found = None if _within_word(text, place) else _UNKNOWN.match(text, place)
    if found is None:
        return None
    return _Token(text[place] if _is_han(text[place]) else found[0], "unknown")


def _number(text: str, place: int) -> _Token | None:
    """Years, or hertz."""
    if _within_word(text, place):
        return None
    for pattern, value in ((_DECADE, _decade), (_YEARS, _years), (_AGE, _years), (_SUI, _sui)):
        if found := pattern.match(text, place):
            return _Token(found[0].rstrip(), "years", min(max(value(found), 3.0), 95.0))
    found = _HERTZ.match(text, place)
    return _Token(found[0].rstrip(), "hertz", float(found[1])) if found else None


def _decade(found: re.Match[str]) -> float:
    return float(found[2] or _DECADES.get(found[3], 0)) + {"early": 2, "late": 8}.get(found[1], 5)


def _years(found: re.Match[str]) -> float:
    """Years, or the middle between two numbers of them."""
    numbers = [float(_NUMBERS.get(each) or each) for each in (found[1], found[2]) if each]
    return sum(numbers) / len(numbers)


def _sui(found: re.Match[str]) -> float:
    numbers = [float(each) if each.isdigit() else _chinese(each) for each in (found[1], found[2]) if each]
    return sum(numbers) / len(numbers) + {None: 0, "出头": 2}.get(found[3], 4)


def _chinese(numerals: str) -> float:
    """A number below a hundred. Two digits side by side mean what is between them, as in 五六十."""
    tens, ten, ones = numerals.rpartition("十")
    parts = [sum(_HAN.get(each, 0) for each in part) / max(len(part), 1) for part in (tens, ones)]
    return (parts[0] or 1) * 10 + parts[1] if ten else parts[1]


def _traits(tokens: Sequence[_Token]) -> Iterator[_Trait]:
    """What a description says of the voice, with how much of it."""
    degree: _Token | None = None
    negation: _Token | None = None
    denied = joined = False  # the trait before was denied; an "or" came after it
    since = 0
    for token in tokens:
        if token.kind in ("rule", "years", "hertz", "beyond"):
            denied = negation is not None or (denied and joined)
            if token.kind != "beyond":
                strength = _DENIED if denied else degree.means if degree else 1.0
                before = [each.shown for each in (negation, degree) if each]
                yield _Trait(_together([*before, token.shown]), token, strength)
            degree = negation = None
            joined = False
        elif token.kind == "degree":
            degree = token
        elif token.kind == "negation":
            negation, since = token, 0
        elif token.kind == "joiner":
            joined = True
        elif token.kind == "break":
            degree = negation = None
            denied = joined = False
        since += 1
        if since > _REACH + 1:
            negation = None


def _together(words: Sequence[str]) -> str:
    """Words in a row: with spaces, unless they are Chinese."""
    text = words[0]
    for one, other in pairwise(words):
        text += f" {other}" if one.isascii() or other.isascii() else other
    return text


# -- Who speaks --------------------------------------------------------------------------------------------------------


def _person(traits: Sequence[_Trait], tokens: Sequence[_Token]) -> tuple[StandIn, list[str]]:
    """The base: a person's gender and age, and the words that tell them."""
    said = [trait for trait in traits if trait.strength > 0]
    genders = [(trait.shown, trait.token.means["gender"]) for trait in _rules(said) if "gender" in trait.token.means]
    pronouns = [(token.shown, token.means) for token in tokens if token.kind == "pronoun"]
    likely = [(trait.shown, trait.token.means["likely"]) for trait in _rules(said) if "likely" in trait.token.means]
    who, gender = next(iter([*genders, *pronouns, *likely]), ("", "neutral"))
    when, age = _age(said)
    if not who and not when:
        return _at("neutral", _GROWN_UP), []
    person = _at(gender, age or _GROWN_UP)
    words = {"female": "a woman", "male": "a man", "neutral": "between a woman and a man"}[gender]
    if (age or _GROWN_UP) < 14:
        words = {"female": "a girl", "male": "a boy", "neutral": "a child"}[gender]
    years = f" of about {age:.0f}" if age else ", of no age that is named"
    return person, [f"{_quoted((who, when))}: {words}{years}; {_settings(person)}"]


def _age(said: Sequence[_Trait]) -> tuple[str, float]:
    """The words that tell an age, and the age: years before words for an age, these before a part that is played."""
    years = [(trait.shown, trait.token.means) for trait in said if trait.token.kind == "years"]
    aged = [trait for trait in _rules(said) if "age" in trait.token.means]
    aged.sort(key=lambda trait: len(trait.token.means.keys() & {"gender", "effect"}))  # the plainest word first
    return next(iter([*years, *((trait.shown, float(trait.token.means["age"])) for trait in aged)]), ("", 0.0))


def _at(gender: str, age: float) -> StandIn:
    """A person of that gender and age."""
    if gender == "neutral":
        one, other = _at("female", age), _at("male", age)
        middle = {name: (getattr(one, name) + getattr(other, name)) / 2 for name in FIELDS}
        return StandIn(**middle | {"pitch": math.sqrt(one.pitch * other.pitch)})
    table = [(float(years), StandIn(**settings)) for years, settings in _data()["people"][gender]]
    if age <= table[0][0]:
        return table[0][1]
    for (before, one), (after, other) in pairwise(table):
        if age <= after:
            part = (age - before) / (after - before)
            return StandIn(**{name: (1 - part) * getattr(one, name) + part * getattr(other, name) for name in FIELDS})
    return table[-1][1]


def _rules(traits: Sequence[_Trait]) -> Iterator[_Trait]:
    return (trait for trait in traits if trait.token.kind == "rule")


# -- How the voice is shaped -------------------------------------------------------------------------------------------


def _shaped(person: StandIn, traits: Sequence[_Trait]) -> tuple[StandIn, list[str]]:
    """A person with the traits that are named; each rule works once, as strongly as it is named at most."""
    named: dict[str, list[_Trait]] = {}
    for trait in _rules(traits):
        if "effect" in trait.token.means or trait.strength < 0:
            named.setdefault(trait.token.means["is"], []).append(trait)
    reasons = []
    for name, saying in named.items():
        strongest = max(saying, key=lambda trait: abs(trait.strength))
        effect = strongest.token.means.get("effect", {})
        person = _with(person, effect, strongest.strength)
        shown = _quoted(trait.shown for trait in saying)
        reasons.append(f"{shown}: {_said(name, effect, strongest.strength)}")
    for trait in traits:
        if trait.token.kind == "hertz" and trait.strength > 0:
            person = replace(person, pitch=trait.token.means / OWN_PITCH)
            reasons.append(f'"{trait.shown}": pitch {person.pitch:.2f}')
    return person, reasons


def _with(person: StandIn, effect: Mapping[str, float], strength: float) -> StandIn:
    changed = {
        name: getattr(person, name) * value**strength if name in _FACTORS else getattr(person, name) + value * strength
        for name, value in effect.items()
    }
    for name in ("breath", "rough"):  # there is no less than none of it, whatever else comes
        changed[name] = max(0.0, changed.get(name, getattr(person, name)))
    return replace(person, **changed)


def _said(name: str, effect: Mapping[str, float], strength: float) -> str:
    """What a rule does, in words."""
    if not effect:
        return f"{'not ' * (strength < 0)}{name}, which changes nothing"
    changes = [
        f"{each} × {value**strength:.2f}" if each in _FACTORS else f"{each} {value * strength:+.2f}"
        for each, value in effect.items()
    ]
    return f"{'not ' * (strength < 0)}{name}; {', '.join(changes)}"


def _settings(person: StandIn) -> str:
    return ", ".join(
        f"{name} {getattr(person, name):.2f}" for name in FIELDS if getattr(person, name) != getattr(StandIn(), name)
    )


def _drawn(prompt: str) -> StandIn:
    """A voice of no gender and age, near the middle of all, another one for each text."""
    digest = hashlib.blake2b(prompt.encode("utf-8", "replace"), digest_size=4 * len(_DRAWN)).digest()
    person = _at("neutral", _GROWN_UP)
    for place, (name, most) in enumerate(_DRAWN.items()):
        chance = int.from_bytes(digest[4 * place : 4 * place + 4], "big") / 2**31 - 1
        person = replace(person, **{name: getattr(person, name) * (1 + most * chance)})
    return person


# -- What was left out -------------------------------------------------------------------------------------------------


def _clamps(wanted: StandIn, clamped: StandIn) -> Iterator[str]:
    for name in FIELDS:
        one, other = getattr(wanted, name), getattr(clamped, name)
        if abs(one - other) > 0.002:
            least, most = BOUNDS[name]
            yield f"{name} {one:.2f} lies outside of what this voice can do, {least:.2f} to {most:.2f}: {other:.2f}."


def _beyond(tokens: Sequence[_Token]) -> Iterator[str]:
    """What the machine's voice cannot do, by reason."""
    reasons: dict[str, dict[str, None]] = {}
    for token in tokens:
        if token.kind == "beyond":
            reasons.setdefault(token.means, {})[token.shown] = None
    for why, words in reasons.items():
        yield f"{_quoted(words)}: nothing was made of it, {why}."


def _unknown(tokens: Sequence[_Token]) -> Iterator[str]:
    """Words that no rule knows; Chinese characters side by side are shown as one."""
    words: list[str] = []
    before = False
    for token in tokens:
        here = token.kind == "unknown"
        if here and before and words and _is_han(words[-1][-1]) and _is_han(token.shown[0]):
            words[-1] += token.shown
        elif here:
            words.append(token.shown)
        before = here
    words = list(dict.fromkeys(words))
    if words:
        more = f" and {len(words) - _MOST_UNKNOWN} more" if len(words) > _MOST_UNKNOWN else ""
        yield f"Nothing was made of {_quoted(words[:_MOST_UNKNOWN])}{more}."


def _is_han(character: str) -> bool:
    return "\u3400" <= character <= "\u9fff"


def _quoted(words: Iterable[str]) -> str:
    """Each of some words once, in quotes."""
    return ", ".join(f'"{word}"' for word in dict.fromkeys(words) if word)
