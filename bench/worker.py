"""The child's end of a worker: makes one side, then runs it once for each line on standard input.

    python worker.py sides.cloud:Sdk '{"base_url": "http://127.0.0.1:8000/api/v1"}'

A side is a callable; what it returns (a mapping, or None) goes back to the bench beside the seconds that it took.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time


def main(path: str, settings: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not get between the answers
    module, _, name = path.partition(":")
    side = getattr(importlib.import_module(module), name)(**json.loads(settings))
    print("{}", file=answers, flush=True)
    for _ in sys.stdin:
        gc.collect()
        begin = time.perf_counter()
        found = side()
        seconds = time.perf_counter() - begin
        print(json.dumps({"seconds": seconds, **(found or {})}), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
