"""Signs and letters that have a name in English, and what can be said at all.

Owns two tables and the question which letters can be read as English. Imports nothing: whether a text can be spoken is
asked for every line, stored or not.
"""

from __future__ import annotations

from typing import Final

_GREEK_NAMES: Final = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma sigma tau upsilon"
    " phi chi psi omega"
)
#: Greek letters by name, as science and mathematics read them.
GREEK: Final = {
    chr(first + place): name
    for first in (0x391, 0x3B1)
    for place, name in enumerate(_GREEK_NAMES.split())
    if chr(first + place).isalpha()
} | {"ϑ": "theta", "ϕ": "phi", "ϵ": "epsilon", "\u2126": "omega", "∆": "delta"}
#: Signs that are read in words even where nothing else is.
NAMED: Final = frozenset("%$&@+=°§±×÷©€£¥₹₽₩₪₺₫₴₦฿₱₿¢№℃℉∞√∑‰♯♭≤≥≠≈′″")
#: Letters of the Latin script that are no letter with a sign on it.
_LATIN: Final = frozenset("ßæøđðþłıœŋħſƒəʼÆØĐÐÞŁŒŊĦªº")


def is_plain(letter: str) -> bool:
    """Whether a letter or digit beyond ASCII has a form that English reads: its Latin base, a digit, a name."""
    import unicodedata  # noqa: PLC0415 - most English is ASCII

    if letter in _LATIN or letter in GREEK or letter.isdecimal():
        return True
    plain = unicodedata.normalize("NFKD", letter)
    return plain[0] in _LATIN or any(one.isascii() and one.isalnum() for one in plain)
