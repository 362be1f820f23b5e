"""Voices for agent frameworks: each module here puts live sessions behind one framework's own interface.

Owns what they share: how a missing framework is told, and what a language is called. A framework is an optional extra,
and is imported by its own module alone.
"""

from __future__ import annotations

from typing import Final

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
