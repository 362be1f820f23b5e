"""A run of ``espeak-ng``: text in, sound out.

Text goes in on standard input and no shell is in between; the number of runs is the caller's, their time is bounded
here, and whoever stops waiting stops the program.
"""

from __future__ import annotations

import struct
from contextlib import suppress

from lineread.engines import espeak_ng
from lineread.engines.espeak_ng import ENVIRON, INSTALL, PATIENCE
from lineread.errors import NoAudio, ServiceFailed, TimedOut
from lineread.speech import SAMPLE_RATE


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

    path = espeak_ng.place()
    if path is None:
        raise _gone()
    sound = await _run((path, "-b", "1", *options, "--stdin", "--stdout"), text.encode())
    return await asyncio.to_thread(_resampled, sound)


async def _run(command: tuple[str, ...], text: bytes) -> bytes:
    import asyncio  # noqa: PLC0415 - as above
    from asyncio.subprocess import DEVNULL, PIPE  # noqa: PLC0415

    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=ENVIRON)
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
