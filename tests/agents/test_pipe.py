"""Standard input and output, byte by byte: what no well-behaved client sends, and clients that go away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HELLO = {
    "jsonrpc": "2.0", "id": 0, "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}},
}  # fmt: skip


@contextmanager
def served(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server that a client has shaken hands with."""
    command = [sys.executable, "-m", "lineread", "mcp", "-e", "fake", "--output", "voices"]
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, cwd=directory, **pipes) as process:
        try:
            assert ask(process, json.dumps(HELLO))["id"] == 0
            send(process, '{"jsonrpc":"2.0","method":"notifications/initialized"}')
            yield process
        finally:
            process.kill()


def send(process: subprocess.Popen[bytes], line: str) -> None:
    """Write a line."""
    assert process.stdin is not None
    process.stdin.write(line.encode() + b"\n")
    process.stdin.flush()


def ask(process: subprocess.Popen[bytes], line: str) -> dict[str, Any]:
    """Write a line, and read the next one."""
    send(process, line)
    assert process.stdout is not None
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    return answer


def call(asked: object, text: str) -> str:
    """A call of speak, its text as JSON writes it."""
    return f'{{"jsonrpc":"2.0","id":{asked},"method":"tools/call","params":{{"name":"speak","arguments":{text}}}}}'


def test_lines_that_are_no_messages_are_answered(tmp_path: Path) -> None:
    """Whoever sent one learns at once that it was none, with its id where it has one, and the next call is answered;
    what may be an answer itself is not answered.
    """
    with served(tmp_path) as process:
        for line, asked, code in (
            (call(7, '{"text":"half \\ud83d an emoji"}'), 7, -32700),
            (call('"a"', '{"text":"Hello.","file":"\\udc00"}'), "a", -32700),
            ("{", None, -32700),
            ("[" * 100_000, None, -32700),
            ("[]", None, -32600),
            ('"hello"', None, -32600),
            ('{"jsonrpc":"1.0","id":3,"method":"tools/list"}', 3, -32600),
        ):
            answer = ask(process, line)
            assert (answer["id"], answer["error"]["code"]) == (asked, code), line[:80]
            assert answer["error"]["message"].endswith((".", ")."))
        send(process, '{"jsonrpc":"2.0","id":5,"result":"\\ud83d"}')
        send(process, '{"jsonrpc":"2.0","method":"\\ud83d"}')
        answer = ask(process, call(8, '{"text":"A whole \\ud83d\\ude00 emoji."}'))
        assert answer["id"] == 8
        assert not answer["result"].get("isError")


def test_a_client_that_goes_away(tmp_path: Path) -> None:
    """A client that closes both ends, one or none of them first, leaves a server that ends in silence."""
    for first in ("stdin", "stdout"):
        with served(tmp_path) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            if first == "stdout":
                process.stdout.close()
                send(process, call(1, '{"text":"Hello."}'))
            process.stdin.close()
            assert process.wait(timeout=20) == 0
            assert process.stderr is not None
            assert process.stderr.read() == b""
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".txt")]
