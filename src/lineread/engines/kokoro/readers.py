"""What turns a language's text into phonemes and is no part of every installation, and whether it is here.

Owns the list of it. Looks for packages and programs without loading them: some take half a second.
"""

from __future__ import annotations

from importlib.machinery import PathFinder
from typing import Final

from lineread.engines import espeak_ng
from lineread.errors import ConfigError

#: What installs the packages.
EXTRA: Final = "pip install 'lineread[kokoro]'"
_PACKAGES: Final = {"Chinese": ("rjieba", "pypinyin"), "Japanese": ("pyopenjtalk",)}
#: Languages that espeak-ng reads, and what it calls them.
BY_ESPEAK: Final = {"Spanish": "es", "French": "fr-fr", "Italian": "it", "Portuguese": "pt-br", "Hindi": "hi"}


def install(language: str) -> str:
    """The command that installs what is missing to read a language; empty where nothing is."""
    if not all(map(PathFinder.find_spec, _PACKAGES.get(language, ()))):
        return EXTRA
    return espeak_ng.INSTALL if language in BY_ESPEAK and espeak_ng.place() is None else ""


def check(language: str) -> None:
    """Refuse a language that cannot be read here.

    Raises:
        ConfigError: Something is missing.
    """
    if install(language):
        raise lacking(language)


def lacking(language: str) -> ConfigError:
    """What is said where a language cannot be read."""
    by_espeak = language in BY_ESPEAK
    what = "espeak-ng" if by_espeak else " and ".join(_PACKAGES[language])
    return ConfigError(
        f"The kokoro voice reads {language} with {what}, which is not installed.",
        remedy=f"Install it with `{espeak_ng.INSTALL if by_espeak else EXTRA}`.",
        code="reader_missing",
    )
