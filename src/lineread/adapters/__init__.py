"""Voices for agent frameworks: each module here puts live sessions behind one framework's own interface.

Owns what they share: how a missing framework is told, what a language is called, and what is wrong with an argument, in
the frameworks' words. A framework is an optional extra, and is imported by its own module alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lineread import catalogue, tts
from lineread.errors import OptionError, shortened

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from lineread.live.session import Live

_LANGUAGES: Final = {
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "pt": "Portuguese",
    "ru": "Russian",
    "zh": "Chinese",
}


def missing(framework: str, extra: str) -> ImportError:
    """What is said where a framework is not installed."""
    return ImportError(f"{framework} is not installed; pip install 'lineread[{extra}]' brings it.")


def language_type(name: str) -> str:
    """The language_type of a language tag such as ``en-US``; any other name as it is."""
    return _LANGUAGES.get(name.replace("_", "-").split("-")[0].lower(), name)


def live(language: str, **asked: Any) -> Live:  # noqa: ANN401 - what ``tts.live`` takes
    """A session for who has a ``language`` and no ``language_type``; other arguments as for ``tts.live``.

    Raises:
        LinereadError: It cannot speak as asked.
    """
    try:
        return tts.live(language_type=language_type(language), **asked)
    except OptionError as error:
        if error.code != "unknown_language":
            raise
        remedy = f"Give a tag such as en-US, or a name. {error.remedy}"
        raise OptionError(f"language {shortened(language)!r} is not known.", remedy=remedy, code=error.code) from None


def check_names(names: Iterable[str], known: Collection[str]) -> None:
    """Refuse arguments that there are none of.

    Raises:
        OptionError: Names one, and those that there are.
    """
    for name in names:
        if name not in known:
            hint = catalogue.suggestion(name, known, f"There is {', '.join(known)}.")
            raise OptionError(f"There is no argument {name!r}.", remedy=hint, code="unknown_argument")
