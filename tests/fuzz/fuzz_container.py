"""Fuzz the WAV reader: any bytes either are sound or a BadReply, and any cutting of them gives the same.

Run it as ``python tests/fuzz/fuzz_container.py [seconds] [seed]``. A finding prints the bytes and exits with 1.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from itertools import pairwise

from fuzz_sse import fuzz, mutant

from lineread.audio.container import PcmReader, read_wav, sniff, wav, wav_header
from lineread.errors import BadReply

SOUND = bytes(range(64))
EXTENSIBLE = struct.pack("<HHIIHHHHIH", 0xFFFE, 2, 48_000, 288_000, 6, 24, 22, 24, 3, 1) + bytes(14)
SEEDS = (
    wav(SOUND, 24_000) + b"LIST\x07\0\0\0INFOabc\0",
    wav_header(None, 16_000) + SOUND,
    b"RIFF\xff\0\0\0WAVEfact\x03\0\0\0abc\0fmt \x28\0\0\0" + EXTENSIBLE + b"data\x30\0\0\0" + SOUND,
    b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\3\0\1\0\x80\xbb\0\0\0\xee\2\0\4\0\x20\0data\0\0\0\0" + SOUND,
    b"ID3\x04" + SOUND,
    SOUND,
)
PIECES = (
    b"RIFF",
    b"WAVE",
    b"fmt ",
    b"data",
    b"LIST",
    b"\0",
    b"\0\0",
    b"\xff\xff\xff\xff",
    b"\0\0\xc0\x7f",
    b"\xff\xfb\x90",
)


def read(data: bytes, cuts: Sequence[int]) -> tuple[bytes, int] | None:
    """The sound of the bytes, cut there, and its rate; None if they are refused."""
    reader = PcmReader()
    out = b""
    try:
        for start, end in pairwise([0, *sorted(cuts), len(data)]):
            piece = reader.feed(data[start:end])
            assert len(piece) % 2 == 0, data
            out += piece
        return out + reader.flush(), reader.sample_rate
    except BadReply:
        return None


def check(rng: random.Random) -> bytes:
    data = mutant(rng, SEEDS, PIECES)
    whole = read(data, ())
    cuts = [rng.randrange(len(data) + 1) for _ in range(rng.randrange(10))]
    assert read(data, cuts) == whole, (data, cuts)
    assert read(data, range(len(data))) == whole, data
    if sniff(data) == "wav":
        try:
            assert read_wav(data) == whole, data
        except BadReply:
            assert whole is None, data
    return data


if __name__ == "__main__":
    fuzz(check)
