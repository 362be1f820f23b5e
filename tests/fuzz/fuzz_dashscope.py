"""Fuzz DashScope's JSON: any body is a reply or one of our errors, fit to be shown, and nothing else.

Run it as ``python tests/fuzz/fuzz_dashscope.py [seconds] [seed]``. A finding prints the bytes and exits with 1.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from fuzz_sse import PIECES, fuzz, mutant

from lineread.errors import EngineError
from lineread.wire.dashscope import Reply, decode_error, decode_event, decode_reply
from lineread.wire.sse import Event

SECRET = "sk-0123456789abcdef"
SEEDS = (
    b'{"output":{"audio":{"data":"UklGRg==","url":"http://h/a"},"finish_reason":"stop"},"usage":{"characters":19}}',
    b'{"request_id":"1","code":"Throttling.RateQuota","message":"Requests rate limit exceeded"}',
    b'{"code":"InternalError.Algo","message":"<400> InternalError.Algo.InvalidParameter: Range of input length"}',
    b'{"error":{"code":"Arrearage","message":"key sk-0123456789abcdef"}}',
    b'id:1\nevent:error\n:HTTP_STATUS/400\ndata:{"code":"DataInspectionFailed","message":"m"}\n\n',
    b"<html><body>502 Bad Gateway</body></html>",
)
TOKENS = (*PIECES, b"{", b"}", b"[", b'"', b"null", b"1e999", b"-1", b'"output":', b'"code":', b"\\ud800", b"<400> A: ")


def hide(said: str) -> str:
    return said.replace(SECRET, "***")


def presentable(error: EngineError) -> bool:
    shown = f"{error} {error.request_id} {error.service_code}"
    return bool(error.remedy) and shown.isprintable() and SECRET not in shown and len(shown) < 1500


def refusal(decode: Callable[[], Reply]) -> EngineError | None:
    try:
        decode()
    except EngineError as error:
        return error
    return None


def check(rng: random.Random) -> bytes:
    data = mutant(rng, SEEDS, TOKENS)
    status = rng.choice((200, 302, 400, 401, 404, 429, 500, 503, rng.randrange(1000)))
    text = data.decode("utf-8", errors="replace")
    event = Event(text, rng.choice(("result", "error")), "1", status)
    for decode in (lambda: decode_reply(data, hide=hide), lambda: decode_event(event, hide=hide)):
        error = refusal(decode)
        assert error is None or presentable(error), data
    assert presentable(decode_error(status, data, hide=hide)), data
    return data


if __name__ == "__main__":
    fuzz(check)
