"""Programs that play sound: which one there is, and how each wants to be fed.

Owns the player processes behind :class:`lineread.sinks.Player`, which loads this module when something is played.
"""

from __future__ import annotations

import importlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Final, Protocol, Self, cast

from lineread.audio.codec import encoder
from lineread.errors import OutputError, shortened
from lineread.speech import SAMPLE_WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

#: How to call them, the first one that is installed is taken. ``{rate}`` and ``{file}`` as in ``sinks.Player``.
#: ``pw-cat`` is left out: what it takes standard input for changed between versions.
PROGRAMS: Final = (
    "ffplay -hide_banner -loglevel error -nodisp -autoexit -i -",
    "pacat --playback --format=s16le --rate={rate} --channels=1",
    "aplay --quiet --file-type=raw --format=S16_LE --rate={rate} --channels=1 -",
    "play -q -t raw -e signed -b 16 -c 1 -r {rate} -",
    "mpv --no-video --no-input-terminal --msg-level=all=error -",
    "afplay {file}",
)

#: Python's own player on Windows, which is no program.
_WINSOUND: Final = "winsound"
#: What ``ffplay`` says when no sound device can be opened. It ends with a status of 0 all the same.
_NOT_HEARD: Final = "audio open failed"
#: How lines begin that a library under a player prints, also when all is well. The player's own lines say more.
_BELOW: Final = "ALSA lib "
#: Seconds of silence after the end: ``ffplay`` leaves with its last buffer unplayed.
_RUN_OUT: Final = 0.2
#: Most bytes that are read of what a program said.
_SAID: Final = 16_000
#: Seconds that a program gets to end, once it has closed its input.
_GRACE: Final = 2.0
#: Seconds that it gets beyond the length of the sound that it was given.
_PATIENCE: Final = 10
#: Seconds of sound that it is given at once.
_PIECE: Final = 1


class _Player(Protocol):
    """Plays until it is left."""

    def write(self, pcm: bytes) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def find(command: str | None = None) -> tuple[str, ...]:
    """The program that plays, with its arguments.

    Args:
        command: The user's choice.

    Raises:
        OutputError: There is none, or not the one that the user wants.
    """
    for line in (command,) if command else PROGRAMS:
        words = _words(line)
        if words and shutil.which(words[0]):
            return tuple(words)
    if command:
        shown = shortened(command)
        raise OutputError(f"There is no player {shown!r}.", remedy="Correct LINEREAD_PLAYER, or leave it empty.")
    if sys.platform == "win32":
        return (_WINSOUND,)
    raise OutputError(
        "No program that plays sound was found.",
        remedy="Install ffmpeg (it has ffplay), pulseaudio-utils, alsa-utils, sox or mpv; or write a file.",
    )


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command, posix=os.name == "posix")
    except ValueError as error:
        raise OutputError(f"The player command cannot be read: {error}.", remedy="Correct LINEREAD_PLAYER.") from error


def start(words: tuple[str, ...], sample_rate: int) -> _Player:
    """Start what :func:`find` found."""
    gathers = words == (_WINSOUND,) or any("{file}" in word for word in words)
    return _FilePlayer(words, sample_rate) if gathers else _PipedPlayer(words, sample_rate)


class _PipedPlayer:
    """A program that plays its standard input."""

    def __init__(self, words: tuple[str, ...], sample_rate: int) -> None:
        told = [word.replace("{rate}", str(sample_rate)) for word in words]
        form = "wav" if told == [*words] else "pcm"
        self._sample_rate = sample_rate
        self._samples = 0
        self._program = _Program(told)
        self._encoder = encoder(form, self._program.stdin, sample_rate)

    def __enter__(self) -> Self:
        return self

    def write(self, pcm: bytes) -> None:
        size = _PIECE * self._sample_rate * SAMPLE_WIDTH
        for at in range(0, len(pcm), size):
            self._write(pcm[at : at + size])

    def _write(self, pcm: bytes) -> None:
        try:
            with self._program.within(self._samples / self._sample_rate + _PATIENCE):
                self._encoder.write(pcm)
                self._program.stdin.flush()
            self._samples += len(pcm) // SAMPLE_WIDTH
        except OSError as error:
            self._program.gone()
            raise BrokenPipeError(*error.args) from error  # on Windows it is another one

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.write(bytes(round(_RUN_OUT * self._sample_rate) * SAMPLE_WIDTH))
                self._program.finish(self._samples / self._sample_rate)
        finally:
            self._program.stop()


class _FilePlayer:
    """Something that plays a WAV file: the sound is gathered first."""

    def __init__(self, words: tuple[str, ...], sample_rate: int) -> None:
        self._words = words
        self._sample_rate = sample_rate
        self._samples = 0
        # Closed before it is played, because Windows does not let two have it open.
        self._file = tempfile.NamedTemporaryFile(prefix="lineread-", suffix=".wav", delete=False)  # noqa: SIM115
        self._encoder = encoder("wav", self._file, sample_rate)

    def __enter__(self) -> Self:
        return self

    def write(self, pcm: bytes) -> None:
        self._encoder.write(pcm)
        self._samples += len(pcm) // SAMPLE_WIDTH

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with self._file:
                self._encoder.close()
            if error is None:
                self._play()
        finally:
            os.unlink(self._file.name)

    def _play(self) -> None:
        if self._words == (_WINSOUND,):
            self._play_on_windows()
            return
        program = _Program([word.replace("{file}", self._file.name) for word in self._words])
        try:
            program.finish(self._samples / self._sample_rate)
        finally:
            program.stop()

    def _play_on_windows(self) -> None:
        winsound = importlib.import_module(_WINSOUND)
        try:
            # The call that waits until the end cannot be interrupted; this one can.
            winsound.PlaySound(self._file.name, winsound.SND_FILENAME | winsound.SND_ASYNC)
            time.sleep(self._samples / self._sample_rate + _RUN_OUT)
        except RuntimeError as error:
            raise OutputError("Windows could not play the sound.", remedy="Check the sound device.") from error
        finally:
            winsound.PlaySound(None, winsound.SND_FILENAME)


class _Program:
    """A player that runs.

    Attributes:
        stdin: What it plays.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._name = words[0]
        self._stuck = False
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - and no pipe: one that nobody reads stops its writer
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the user's own choice
                words, stdin=subprocess.PIPE, stdout=self._said, stderr=self._said
            )
        except OSError as error:
            self._said.close()
            raise OutputError(
                f"The player {self._name} cannot be started: {error.strerror}.", remedy="Set LINEREAD_PLAYER."
            ) from error
        self.stdin = cast("IO[bytes]", self._process.stdin)

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """End it if what we wait for takes longer; time for which we are stopped (Ctrl-Z) does not count."""
        taken = threading.Event()

        def watch() -> None:
            if not any(taken.wait(1) for _ in range(round(seconds))):
                self._stuck = True
                self._process.kill()

        threading.Thread(target=watch, name="lineread-player", daemon=True).start()
        try:
            yield
        finally:
            taken.set()

    def gone(self) -> None:
        """It closed its input. Raise an error if it failed; it has not if it was just closed."""
        if self._stuck:
            raise self._endless()
        with suppress(subprocess.TimeoutExpired):
            self._judge(self._process.wait(_GRACE))

    def finish(self, duration: float) -> None:
        """Let it play what it has, and wait for that: at most as long as all of the sound takes, and some grace."""
        with suppress(OSError):
            self.stdin.close()
        with self.within(duration + _PATIENCE):
            status = self._process.wait()
        if self._stuck:
            raise self._endless()
        self._judge(status)

    def _endless(self) -> OutputError:
        return OutputError(
            f"The player {self._name} neither takes the sound nor ends.",
            remedy="LINEREAD_PLAYER should name one that plays its standard input and ends with it; or write a file.",
        )

    def stop(self) -> None:
        """End it now, if it has not ended."""
        self._process.kill()
        self._process.wait()
        with suppress(OSError):
            self.stdin.close()
        self._said.close()

    def _judge(self, status: int) -> None:
        """Raise an error if it failed: by its status, or by what it said."""
        said = self._lines()
        failure = next((line for line in said if _NOT_HEARD in line), None)
        if not status and failure is None:
            return
        own = [line for line in said if not line.startswith(_BELOW)]
        told = [failure] if failure else own[-1:] or said[-1:]
        how = f"failed: {told[0][:200].rstrip('.')}" if told else f"ended with status {status} and did not say why"
        raise OutputError(
            f"The player {self._name} {how}.",
            remedy="See that there is a sound device, set LINEREAD_PLAYER, or write a file.",
        )

    def _lines(self) -> list[str]:
        """What it said, to its end; a player may say much on its way."""
        end = self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, end - _SAID))
        lines = self._said.read().decode("utf-8", "replace").splitlines()
        return [line.strip() for line in lines if line.strip()]
