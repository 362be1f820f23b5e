"""One line on the terminal for work that takes more than a second."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

from lineread.cli import options

if TYPE_CHECKING:
    from lineread.results import Tally
    from lineread.speech import Chunk

#: Seconds before the line appears, and between two of its states.
PATIENCE = 1.0
PERIOD = 0.1
_BAR = 24


class Progress:
    """Segments, seconds of audio and the estimated rest, on standard error; nothing when that is no terminal.

    Args:
        characters: Length of the whole text.
        quiet: Show nothing at all.
    """

    def __init__(self, characters: int, *, quiet: bool = False) -> None:
        self._characters = max(1, characters)
        self._begun = time.monotonic()
        self._next = self._begun + PATIENCE
        self._on = sys.stderr.isatty() and not quiet
        self._shown = False

    def show(self, chunk: Chunk, tally: Tally) -> None:
        """Draw the state after a chunk, if it is time to."""
        now = time.monotonic()
        if not self._on or now < self._next:
            return
        self._next = now + PERIOD
        self._shown = True
        done = chunk.span[1] / self._characters
        rest = (now - self._begun) * (1 / done - 1) if done else 0.0
        bar = "█" * round(done * _BAR) + "░" * (_BAR - round(done * _BAR))
        line = f"{bar} {done:4.0%}  {len(tally.spoken)} segments  {tally.duration:.0f} s of audio  {rest:.0f} s left"
        line = options.narrow(line, options.terminal_width() - 1)  # a line that breaks cannot be cleared
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
