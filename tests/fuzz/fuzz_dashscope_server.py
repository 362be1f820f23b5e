"""Fuzz the server's half of DashScope: any body is a request that can be spoken, or a 4xx in the service's shape.

The invariant: decoding gives a request whose fields are within their bounds and that is read back from its own JSON,
or one of our errors; what a client is told of that error is JSON of three strings with a status from 400 to 499, of
bounded length, and holds nothing of the text. Nothing else is raised, and a strict server takes no body that one which
is not strict refuses.

Run it as ``python tests/fuzz/fuzz_dashscope_server.py [seconds] [seed]``. A finding prints the bytes and exits with 1.
"""

from __future__ import annotations

import json
import random

from fuzz_dashscope import TOKENS as JSON_TOKENS
from fuzz_sse import fuzz, mutant

from lineread import plan
from lineread.errors import LinereadError
from lineread.server.dialects.dashscope.rules import accepted
from lineread.wire.dashscope_server import Asked, decode, refusal

TEXT = "Doors-open-at-nine-0123456789."
SEEDS = tuple(
    seed.replace("TEXT", TEXT).encode()
    for seed in (
        (
            '{"model":"qwen3-tts-flash","parameters":{"instruction":"cheerful"},"input":{"text":"TEXT","voice":"Cherry",'
            '"language_type":"Chinese"}}'
        ),
        (
            '{"model":"qwen3-tts-instruct-flash","input":{"text":"TEXT","voice":"Serena","sample_rate":16000},"parameters":'
            '{"instructions":"quiet","optimize_instructions":true,"response_format":"opus","speech_rate":1.5,"volume":50}}'
        ),
        '{"model":"qwen3-tts-vc-2026-01-22","input":{"text":"TEXT","voice":"qwen-tts-vc-a-voice-2026-1"}}',
        '{"model":"qwen-tts","input":{"text":"TEXT \\ud83d\\ude00","voice":"Ethan"},"parameters":null}',
    )
)
TOKENS = (*JSON_TOKENS, b'"voice":', b'"model":', b"NaN", b"-0", b"1e400", b'{"a":' * 2000, b"9" * 5000, b"true", b",")
MOST = 200


def read(data: bytes, *, strict: bool) -> Asked | LinereadError:
    try:
        asked = decode(data)
        return asked._replace(
            request=accepted(asked.request, most_characters=MOST, strict=strict, is_own=lambda _: False)
        )
    except LinereadError as error:
        return error


def check_asked(asked: Asked, data: bytes) -> None:
    request = asked.request
    plan.check(request)
    assert len(request.text) <= MOST, data
    assert asked.sample_rate is None or 8_000 <= asked.sample_rate <= 48_000, data
    fields = {
        "model": request.model,
        "input": {"text": request.text, "voice": request.voice, "language_type": request.language_type},
        "parameters": {
            "instructions": request.instruction,
            "response_format": request.format,
            "speech_rate": request.rate,
            "pitch_rate": request.pitch,
            "volume": request.volume,
            "sample_rate": asked.sample_rate,
        },
    }
    assert read(json.dumps(fields).encode(), strict=False) == asked, data


def check_refusal(error: LinereadError, data: bytes) -> None:
    said = refusal(error)
    shown = json.loads(said.encode("id"))
    assert 400 <= said.status < 500, data
    assert [type(value) for value in shown.values()] == [str, str, str], data
    assert len(shown["message"]) < 2000, data
    assert TEXT not in shown["message"], data
    assert json.loads(said.encode_event(1, "id").split(b"data:", 1)[1]) == shown, data


def check(rng: random.Random) -> bytes:
    data = mutant(rng, SEEDS, TOKENS)
    forgiven, strict = read(data, strict=False), read(data, strict=True)
    assert isinstance(forgiven, Asked) or not isinstance(strict, Asked), data
    for read_as in (forgiven, strict):
        if isinstance(read_as, Asked):
            check_asked(read_as, data)
        else:
            check_refusal(read_as, data)
    return data


if __name__ == "__main__":
    fuzz(check)
