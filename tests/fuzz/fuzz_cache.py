"""Fuzz the store's files: whatever lies there, it is an entry or it is missing, and no error, and never half a sound.

Run it as ``python tests/fuzz/fuzz_cache.py [seconds] [seed]``. A finding prints the bytes and exits with 1.
"""

from __future__ import annotations

import random
import struct
import tempfile
from binascii import crc32
from pathlib import Path

from fuzz_sse import fuzz, mutant

from lineread.cache import Cache, Entry
from lineread.speech import Facts, Word

HEAD = 48  # bytes of the fixed part
KEY = "v1-" + "0" * 40
ENTRIES = (
    Entry(b"", 1, (), Facts("")),
    Entry(bytes(range(100)), 24_000, (Word((0, 5), 0.1, 0.4),), Facts("builtin", "builtin/1", "hibari", "声", "r", 9)),
)
TOKENS = (b"LRS1", b"\0" * 8, b"\xff" * 8, b"[", b"]", b'"', b"null", b"1e999", b"{}", b"\xff\xff\xff\x7f", b"[" * 2000)


def written(store: Cache, entry: Entry) -> bytes:
    store.put(KEY, entry)
    return path(store).read_bytes()


def path(store: Cache) -> Path:
    return Path(store.root, "v1", KEY[3:5], KEY[5:] + ".seg")


def seal(rng: random.Random, data: bytes) -> bytes:
    """Sizes and a checksum that match, which lead the parser to what is behind them."""
    facts_size = data.find(b"]", HEAD) + 1 - HEAD if rng.random() < 0.7 else rng.randrange(len(data) - HEAD + 1)
    facts_size = max(0, facts_size)
    words_size = rng.randrange(len(data) - HEAD - facts_size + 1) // 32 * 32
    rest = HEAD + facts_size + words_size
    head = data[8:32] + struct.pack("<IIQ", facts_size, words_size, len(data) - rest) + data[HEAD:rest]
    return b"LRS1" + struct.pack("<I", crc32(head)) + head + data[rest:]


def check(rng: random.Random) -> bytes:
    data = mutant(rng, SEEDS, TOKENS)
    sealed = rng.random() < 0.7 and len(data) > HEAD
    if sealed:
        data = seal(rng, data)
    place = path(STORE)
    place.write_bytes(data)
    entry = STORE.get(KEY)
    assert entry is None or sealed or data in SEEDS or any(same_head(entry, one) for one in ENTRIES), data
    assert place.exists() == (entry is not None), data
    if entry is not None:
        assert data.endswith(entry.pcm), data
        assert STORE.verify().broken in ((), (KEY,)), data
    assert STORE.trouble is None, data
    return data


def same_head(one: Entry, other: Entry) -> bool:
    """Only the samples may differ: reading does not compare them with their digest, ``verify`` does."""
    facts = (one.sample_rate, one.words, one.facts, len(one.pcm))
    return facts == (other.sample_rate, other.words, other.facts, len(other.pcm))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as root:
        STORE = Cache(root)
        SEEDS = tuple(written(STORE, entry) for entry in ENTRIES)
        fuzz(check)
