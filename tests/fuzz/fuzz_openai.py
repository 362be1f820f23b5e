"""Fuzz OpenAI's request bodies: any bytes are a request in bounds or an error fit to be shown, and nothing else.

Run it as ``python tests/fuzz/fuzz_openai.py [seconds] [seed]``. A finding prints the bytes and exits with 1.
"""

from __future__ import annotations

import json
import random

from fuzz_sse import fuzz, mutant

from lineread.errors import LinereadError
from lineread.plan import check as check_request
from lineread.wire.openai import decode, refusal

SEEDS = (
    b'{"model":"tts-1","input":"Hello.","voice":"alloy"}',
    b'{"model":"qwen3-tts-flash","input":"Hi","voice":{"id":"Cherry"},"speed":1.5,"response_format":"opus"}',
    b'{"model":"gpt-4o-mini-tts","input":"\xe4\xbd\xa0","voice":"Ethan","instructions":"Slow","stream_format":"sse"}',
    b'{"input":"a","voice":"b","sample_rate":16000,"pitch":0.5,"volume":50,"take":1,"language_type":"Auto"}',
)
PIECES = (
    b"{", b"}", b"[", b"]", b'"', b",", b":", b"null", b"true", b"NaN", b"1e999", b"-0", b"9" * 400, b"\\ud800",
    b"\\u0000", b'"voice":', b'"input":', b'"speed":', b'"model":', b'"id":', b"\xff", b"\xef\xbb\xbf", b"\0",
)  # fmt: skip


def check(rng: random.Random) -> bytes:
    data = mutant(rng, SEEDS, PIECES)
    try:
        asked = decode(data, strict=rng.random() < 0.5)
        check_request(asked.request)
    except LinereadError as error:
        said = refusal(error)
        assert 400 <= said.status < 500, data
        shown = json.loads(said.body)["error"]
        assert shown["message"].isprintable(), data
        assert len(shown["message"]) < 2000, data
        assert shown["param"] is None or shown["param"].isprintable(), data
        assert said.encode_event().count(b"\n") == 2, data
    return data


if __name__ == "__main__":
    fuzz(check)
