"""The installed ``espeak-ng``: where it is, which version, how it is got, and what a run of it may have.

Owns the only knowledge of where the program is. The ``espeak`` engine speaks with it; Kokoro's voice has some of its
languages read by it.
"""

from __future__ import annotations

import functools
import os
import sys
from typing import Final

from lineread.errors import ConfigError

INSTALL: Final = {"darwin": "brew install espeak-ng", "win32": "winget install eSpeak-NG.eSpeak-NG"}.get(
    sys.platform, "apt install espeak-ng"
)
_NAME: Final = "espeak-ng.exe" if os.name == "nt" else "espeak-ng"
#: Seconds that a run may take. A sentence takes a hundredth of one.
PATIENCE: Final = 30.0
_UNKNOWN: Final = "unknown"
#: All that the program gets of the environment. It would look for a sound server even where it writes to a pipe, leave
#: a cookie in a fresh home, and after that sound slightly different; and no key of the user's is its business.
ENVIRON: Final = None if os.name == "nt" else {"LC_ALL": "C.UTF-8", "PULSE_SERVER": "unix:/nonexistent"}


def place() -> str | None:
    """Where the program is; None where there is none.

    ``shutil.which`` would say the same, for 10 ms of imports.
    """
    for directory in os.get_exec_path():
        path = os.path.join(directory, _NAME)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def find() -> str:
    """Where the program is.

    Raises:
        ConfigError: It is not installed.
    """
    path = place()
    if path is None:
        raise ConfigError("espeak-ng is not installed.", remedy=f"Install it with `{INSTALL}`.")
    return path


def version() -> str:
    """The version of the installed program; ``none`` where there is none, ``unknown`` while it does not say."""
    path = place()
    if path is None:
        return "none"
    try:
        facts = os.stat(path)
        return _version(path, facts.st_size, facts.st_mtime_ns)
    except (OSError, ValueError):
        return _UNKNOWN


@functools.lru_cache(maxsize=8)
def _version(path: str, *_: int) -> str:
    """What the program says of itself. It is asked again when it has changed, or did not say.

    Raises:
        OSError: It cannot be run.
        ValueError: It does not say.
    """
    import subprocess  # noqa: PLC0415 - asked for what no better voice speaks

    try:
        # The path is the user's own installation, and no argument is anybody's text.
        said = subprocess.run([path, "--version"], capture_output=True, timeout=PATIENCE, check=True, env=ENVIRON)  # noqa: S603
    except subprocess.SubprocessError as error:
        raise ValueError(path) from error
    words = said.stdout.decode(errors="replace").partition(":")[2].split()
    if not words:
        raise ValueError(path)
    return words[0]
