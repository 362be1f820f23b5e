"""The installed ``espeak-ng``: where it is, which version, and one run of it.

Owns the only knowledge of the program. Text goes in on standard input and no shell is in between; the number of runs
is the caller's, their time is bounded here, and whoever stops waiting stops the program.
"""

from __future__ import annotations

import functools
import os
import struct
import sys
from contextlib import suppress
from typing import Final

from lineread.errors import ConfigError, NoAudio, ServiceFailed, TimedOut
from lineread.speech import SAMPLE_RATE

INSTALL: Final = {"darwin": "brew install espeak-ng", "win32": "winget install eSpeak-NG.eSpeak-NG"}.get(
    sys.platform, "apt install espeak-ng"
)
_NAME: Final = "espeak-ng.exe" if os.name == "nt" else "espeak-ng"
#: Seconds that a run may take. A sentence takes a hundredth of one.
PATIENCE: Final = 30.0
_UNKNOWN: Final = "unknown"
#: All that the program gets of the environment. It would look for a sound server even where it writes to a pipe, leave
#: a cookie in a fresh home, and after that sound slightly different; and no key of the user's is its business.
_ENVIRON: Final = None if os.name == "nt" else {"LC_ALL": "C.UTF-8", "PULSE_SERVER": "unix:/nonexistent"}


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
    """The version of the installed program; ``none`` where there is none."""
    path = place()
    if path is None:
        return "none"
    facts = os.stat(path)
    return _version(path, facts.st_size, facts.st_mtime_ns)


@functools.lru_cache(maxsize=8)
def _version(path: str, *_: int) -> str:
    """What the program says of itself. It is asked again when it has changed."""
    import subprocess  # noqa: PLC0415 - asked for what no better voice speaks

    with suppress(OSError, subprocess.SubprocessError):
        # The path is the user's own installation, and no argument is anybody's text.
        said = subprocess.run([path, "--version"], capture_output=True, timeout=PATIENCE, check=True)  # noqa: S603
        words = said.stdout.decode(errors="replace").partition(":")[2].split()
        return words[0] if words else _UNKNOWN
    return _UNKNOWN


async def speak(options: tuple[str, ...], text: str) -> bytes:
    """The sound of a text, at lineread's sample rate.

    Args:
        options: How to speak it.
        text: The words.

    Raises:
        ServiceFailed: The program is not there any more, or broke.
        TimedOut: It took too long.
        NoAudio: It said nothing.
    """
    import asyncio  # noqa: PLC0415 - the cache answers without an event loop

    path = place()
    if path is None:
        raise _gone()
    sound = await _run((path, "-b", "1", *options, "--stdin", "--stdout"), text.encode())
    return await asyncio.to_thread(_resampled, sound)


async def _run(command: tuple[str, ...], text: bytes) -> bytes:
    import asyncio  # noqa: PLC0415 - as above
    from asyncio.subprocess import DEVNULL, PIPE  # noqa: PLC0415

    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=_ENVIRON)
    except (FileNotFoundError, PermissionError):
        raise _gone() from None
    except OSError as error:
        raise ServiceFailed(
            f"espeak-ng could not be started: {error.strerror}.", remedy="Try again with less at once.", retryable=True
        ) from error
    try:
        async with asyncio.timeout(PATIENCE):
            sound, _ = await process.communicate(text)
    except TimeoutError:
        raise TimedOut(
            f"espeak-ng did not speak within {PATIENCE:.0f} s.", remedy="Speak it again, or in shorter sentences."
        ) from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        raise ServiceFailed(
            f"espeak-ng ended with status {process.returncode} before it had spoken.",
            remedy=f"Try again; if it stays so, reinstall it with `{INSTALL}`.",
            retryable=True,
        )
    return sound


def _resampled(wav: bytes) -> bytes:
    """The samples of a WAV file whose head does not know its length, at lineread's rate.

    Raises:
        NoAudio: There are none.
    """
    from lineread.audio.resample import Resampled  # noqa: PLC0415 - on this thread, since it takes 0.1 s to load

    data = wav.find(b"data", 12, 200)
    samples = wav[data + 8 :] if data > 0 and wav.startswith(b"RIFF") else b""
    samples = samples[: len(samples) & ~1]
    if not samples:
        raise NoAudio("espeak-ng said nothing.", remedy="Check that the text has words to speak.")
    (rate,) = struct.unpack_from("<I", wav, 24)
    return samples if rate == SAMPLE_RATE else Resampled(rate, SAMPLE_RATE).feed(samples, last=True)


def _gone() -> ServiceFailed:
    return ServiceFailed("espeak-ng is not there any more.", remedy=f"Install it with `{INSTALL}`.")
