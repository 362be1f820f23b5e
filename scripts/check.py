"""All checks, in the order of what is quickest to tell. What CI runs; needs nothing but the `dev` extra."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent

STEPS: dict[str, list[str]] = {
    "format": ["-m", "ruff", "format", "--check", "."],
    "lint": ["-m", "ruff", "check", "."],
    "types": ["-m", "mypy"],
    "types as users see them": ["-m", "mypy", "--strict", "tests/typing/api.py"],
    "layers": [str(BIN / "lint-imports")],
    "documents": ["docs/generate.py", "--check"],
    "tests": ["-m", "pytest"],
}


def main() -> int:
    for name, words in STEPS.items():
        began = time.monotonic()
        print(f"== {name}", flush=True)
        status = subprocess.run([sys.executable, *words], cwd=ROOT, check=False).returncode
        print(f"== {name}: {'ok' if status == 0 else 'FAILED'} after {time.monotonic() - began:.0f} s", flush=True)
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
