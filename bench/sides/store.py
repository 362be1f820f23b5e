"""A thousand stored segments: read through lineread's cache, and as plain files of the same samples.

Both sides live in one process and have the same directory's disk under them.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import texts


class Reader:
    """Writes the segments once, then reads all of them both ways, in turns of the whole lot.

    Args:
        root: An empty directory.
        segments: How many there are.
        seconds: How long each is.
    """

    def __init__(self, *, root: str, segments: int, seconds: float) -> None:
        from lineread.cache import Cache, Entry
        from lineread.speech import SAMPLE_RATE, Facts, Word

        self._cache = Cache(os.path.join(root, "cache"))
        self._keys = []
        self._paths = []
        plain = Path(root, "plain")
        plain.mkdir()
        for number in range(segments):
            key = "v1-" + hashlib.blake2b(texts.line(number).encode(), digest_size=20).hexdigest()
            pcm = os.urandom(int(seconds * SAMPLE_RATE) * 2)
            words = tuple(Word((at * 6, at * 6 + 5), at * 0.3, at * 0.3 + 0.25) for at in range(int(seconds / 0.3)))
            facts = Facts("builtin", "builtin/1", "hibari", "a stand-in", f"request-{number}", 60)
            self._cache.put(key, Entry(pcm, SAMPLE_RATE, words, facts))
            path = plain / key
            path.write_bytes(pcm)
            self._keys.append(key)
            self._paths.append(str(path))

    def __call__(self) -> dict[str, float]:
        begin = time.perf_counter()
        stored = sum(self._stored(key) for key in self._keys)
        middle = time.perf_counter()
        plain = sum(self._plain(path) for path in self._paths)
        end = time.perf_counter()
        assert stored == plain
        return {"cache": middle - begin, "plain": end - middle}

    def _stored(self, key: str) -> int:
        entry = self._cache.get(key)
        assert entry is not None
        return len(entry.pcm)

    @staticmethod
    def _plain(path: str) -> int:
        with open(path, "rb") as file:
            return len(file.read())
