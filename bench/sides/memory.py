"""Streams a text of so many characters with the fake engine and prints the process's peak memory in bytes.

python sides/memory.py CHARACTERS [CACHE_DIRECTORY]
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import texts
from lineread import Client, Request
from lineread.engines.fake import Act, Fake

#: Linux counts kibibytes, macOS bytes.
UNIT = 1 if sys.platform == "darwin" else 1024


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT


def main(characters: int, cache_dir: str | None = None) -> None:
    inherited = peak()
    # In pieces, as the cloud sends it: in one, a segment's megabyte fragments the heap, and that would be measured.
    engine = Fake(otherwise=Act(chunks=30))
    client = Client(engine=engine, cache=cache_dir is not None, cache_dir=cache_dir)
    samples = sum(chunk.samples for chunk in client.generate(Request(texts.prose(characters), "Cherry"), stream=True))
    assert samples > characters * 1000, "a character of the fake engine takes 50 ms"
    assert peak() > inherited, "the figure would be the bench's own, which a child begins with"
    print(peak())


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
