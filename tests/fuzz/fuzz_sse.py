"""Fuzz the event decoder: any bytes, cut anywhere, give the same events or the same refusal, and nothing else.

Run it as ``python tests/fuzz/fuzz_sse.py [seconds] [seed]``. A finding prints the bytes and exits with 1.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

from lineread.errors import BadReply
from lineread.wire.sse import Decoder, Event, encode

SEEDS = (
    b'id:1\nevent:result\n:HTTP_STATUS/200\ndata:{"output":{"audio":{"data":"UklGRg=="}}}\n\n',
    b'id:2\r\nevent:error\r\n:HTTP_STATUS/429\r\nstatus:429\r\ndata:{"code":"Throttling","message":"\xe8\xb6\x85"}\r\n\r\n',
    b"\xef\xbb\xbf: ping\r\rdata: a\rdata\rdata:b\r\r",
    b"event: error\ndata: \n\nretry:1\nunknown\n\n",
)
PIECES = (b"\n", b"\r", b"\r\n", b"\n\n", b":", b" ", b"data:", b"event:", b"id:", b"\xef\xbb\xbf", b"\xff", b"\0")


def mutant(rng: random.Random, seeds: Sequence[bytes], pieces: Sequence[bytes]) -> bytes:
    """A seed or two after some random edits."""
    data = bytearray(rng.choice(seeds) + (rng.choice(seeds) if rng.random() < 0.5 else b""))
    for _ in range(rng.randrange(8)):
        at = rng.randrange(len(data) + 1)
        edit = rng.randrange(4)
        if edit == 0:
            data[at:at] = rng.choice(pieces)
        elif edit == 1:
            del data[at : at + rng.randrange(1, 12)]
        elif edit == 2:
            data[at : at + 1] = bytes([rng.randrange(256)])
        else:
            data[at:at] = data[: rng.randrange(40)]
    return bytes(data)


def fuzz(check: Callable[[random.Random], bytes]) -> None:
    """Call a check with fresh randomness until the time is over; it returns what it looked at."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns()
    rng = random.Random(seed)
    end = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < end:
        check(rng)
        rounds += 1
    print(f"{sys.argv[0]}: {rounds} inputs, nothing found (seed {seed})")  # noqa: T201 - its output


def decode(data: bytes, cuts: Sequence[int]) -> list[Event] | None:
    """The events of the bytes, cut there; None if they are refused."""
    decoder = Decoder(max_event=200)
    events: list[Event] = []
    bounds = [0, *sorted(cuts), len(data)]
    try:
        for start, end in pairwise(bounds):
            events += decoder.feed(data[start:end])
        return events + decoder.flush()
    except BadReply:
        return None


def check(rng: random.Random) -> bytes:
    data = mutant(rng, SEEDS, PIECES)
    cuts = [rng.randrange(len(data) + 1) for _ in range(rng.randrange(10))]
    events = decode(data, ())
    assert decode(data, cuts) == events, (data, cuts)
    assert decode(data, range(len(data))) == events, data
    for event in events or ():
        assert Decoder().feed(encode(event)) == [event], data
    return data


if __name__ == "__main__":
    fuzz(check)
