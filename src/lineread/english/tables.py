"""hibari's word tables, opened without reading them.

Owns two read-only mappings over JSON kept as bytes. The tables hold 260,000 entries, of which a sentence needs a
hundred; parsing them all takes 0.25 s, which would be half of the time that a command needs for a short line. Both
mappings answer exactly what ``json`` would make of the same bytes (a test compares every entry). Data that does not
look as expected is parsed the plain way.
"""

from __future__ import annotations

import json
import zlib
from bisect import bisect_right
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from lineread.english import hibari
from lineread.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Whose English a lexicon holds, as hibari names it.
AMERICAN: Final = "us"
BRITISH: Final = "gb"
_GZIP: Final = 16 + zlib.MAX_WBITS
_DECODER: Final = json.JSONDecoder()
_BLOCK: Final = 8192  # bytes searched for one entry: a microsecond
_NESTED: Final = 256  # no entry of the sorted tables is longer, in bytes


def unpack(variety: str = AMERICAN) -> dict[str, bytes]:
    """The contents of the big tables, by file name. Leaves the interpreter to other threads.

    Args:
        variety: Whose English.

    Raises:
        ConfigError: They are missing or broken.
    """
    names = (f"lexicon_{variety}_gold.json.gz", f"lexicon_{variety}_silver.json.gz", "tagger.json.gz")
    try:
        return {name: zlib.decompress(hibari.asset(name), _GZIP) for name in names}
    except zlib.error as error:
        raise ConfigError("hibari-tts has broken word tables.", remedy=hibari.REMEDY) from error


def parse(name: str, raw: bytes) -> object:
    """What ``json`` would make of one of hibari's files, parsed as far as needed.

    Args:
        name: The file's name in the package.
        raw: Its content, unpacked.

    Raises:
        ValueError: It is no JSON.
    """
    table: object = None
    if name.startswith("lexicon_"):
        table = SortedTable.over(raw)
    elif name.startswith("tagger"):
        table = _tagger(raw)
    return json.loads(raw) if table is None else table


class _Table(Mapping[str, object]):
    """A JSON object as a mapping; an entry is parsed when it is first asked for."""

    def __init__(self) -> None:
        self._known: dict[str, object] = {}

    def get(self, key: str, default: object = None) -> object:
        """The entry, or ``default``. It is the hot path: a known key costs one look-up."""
        try:
            found = self._known[key]
        except KeyError:
            found = self._known[key] = self._find(key)
        return default if found is _MISSING else found

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.get(key, _MISSING) is not _MISSING

    def __getitem__(self, key: str) -> object:
        found = self.get(key, _MISSING)
        if found is _MISSING:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _find(self, key: str) -> object:
        raise NotImplementedError

    def _all(self) -> Mapping[str, object]:
        raise NotImplementedError


_MISSING: Final = object()


class SortedTable(_Table):
    """A JSON object that is compact, sorted by key, and nested no deeper than one level.

    A small index says in which block of the bytes a key would be; the block is searched.
    """

    def __init__(self, raw: bytes, keys: list[bytes], places: list[int]) -> None:
        super().__init__()
        self._raw = raw
        self._keys = keys
        self._places = places

    @classmethod
    def over(cls, raw: bytes) -> SortedTable | None:
        """A table over these bytes; None if they have another shape."""
        if not (raw.startswith(b'{"') and raw.endswith((b'"}', b"}}"))) or b"\\" in raw or b'": ' in raw:
            return None
        if not raw.count(b"{") == raw.count(b"}") == raw.count(b'":{') + 1:
            return None
        places = [1]
        while (place := _entry_after(raw, places[-1] + _BLOCK)) > 0:
            places.append(place)
        keys = [raw[place + 1 : raw.find(b'"', place + 1)] for place in places]
        if any(first >= second for first, second in pairwise(keys)):
            return None
        return cls(raw, keys, [*places, len(raw)])

    def _find(self, key: str) -> object:
        wanted = key.encode()
        block = max(0, bisect_right(self._keys, wanted) - 1)
        start, end = self._places[block : block + 2]
        entry = b'"%b":' % wanted
        while (start := self._raw.find(entry, start, end)) >= 0:
            start += len(entry)
            if not _is_nested(self._raw, start):
                return _DECODER.raw_decode(self._raw[start:end].decode())[0]
        return _MISSING

    def _all(self) -> Mapping[str, object]:
        return json.loads(self._raw)  # type: ignore[no-any-return]  # `over` saw that it is an object


def _entry_after(raw: bytes, place: int) -> int:
    """Where the first entry after that place begins, or 0."""
    comma = raw.find(b',"', place)
    if comma >= 0 and _is_nested(raw, comma):
        brace = raw.find(b'},"', comma)
        comma = brace + 1 if brace >= 0 else -1
    return comma + 1


def _is_nested(raw: bytes, place: int) -> bool:
    """Whether a place lies in an entry's own object."""
    near = max(1, place - _NESTED)
    return raw.rfind(b"{", near, place) > raw.rfind(b"}", near, place)


class GroupedTable(_Table):
    """A JSON object of flat objects, in any order: cut into keys and unparsed values in one go."""

    def __init__(self, raw: bytes, pieces: dict[bytes, bytes]) -> None:
        super().__init__()
        self._raw = raw
        self._pieces = pieces

    @classmethod
    def over(cls, raw: bytes) -> GroupedTable | None:
        """A table over these bytes; None if they have another shape."""
        if not (raw.startswith(b'{"') and raw.endswith(b"}}")) or b": " in raw[:_NESTED]:
            return None
        # Every step is one pass in C; a loop over the 80,000 entries would take three times as long.
        parts = raw[2:-2].replace(b'},"', b'":{').split(b'":{')
        if len(parts) % 2:
            return None
        cut = iter(parts)
        return cls(raw, dict(zip(cut, cut, strict=True)))

    def _find(self, key: str) -> object:
        plain = key.isprintable() and '"' not in key and "\\" not in key
        piece = self._pieces.get((key if plain else json.dumps(key, ensure_ascii=False)[1:-1]).encode())
        return _MISSING if piece is None else json.loads(b"{%b}" % piece)

    def _all(self) -> Mapping[str, object]:
        return json.loads(self._raw)  # type: ignore[no-any-return]  # `over` saw that it is an object


def _tagger(raw: bytes) -> dict[str, object] | None:
    """The tagger's model with its weights, nine tenths of it, left unparsed; None if it has another shape."""
    name = b'"weights":'
    start = raw.find(name)
    weights = GroupedTable.over(raw[start + len(name) : -1]) if start > 0 and raw.endswith(b"}}}") else None
    if weights is None:
        return None
    model: dict[str, object] = json.loads(raw[:start] + name + b"null}")
    return {**model, "weights": weights}
