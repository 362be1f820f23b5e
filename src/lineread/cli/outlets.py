"""Where the sound of a command goes, which may be several places at once.

Owns what happens when one of them takes no more while others do: the rest goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineread import sinks
from lineread.errors import OutputError

if TYPE_CHECKING:
    from lineread.sinks import Sink


class Outlets:
    """Sinks that get the same sound.

    Attributes:
        failure: What went wrong with the playing of what goes somewhere else as well; to be told when that is done.
    """

    def __init__(self) -> None:
        self.failure: OutputError | None = None
        self._sinks: list[Sink] = []

    def add(self, sink: Sink) -> None:
        """Send the sound there, too."""
        self._sinks.append(sink)

    def write(self, pcm: bytes) -> None:
        """Send some sound to all of them.

        One that was closed on its far end is let go while there are others, as is a player that fails.

        Raises:
            OutputError: It cannot be written; or not be played, and goes nowhere else.
            BrokenPipeError: Whoever listens has had enough, and it goes nowhere else.
        """
        for sink in [*self._sinks]:
            try:
                sink.write(pcm)
            except BrokenPipeError:
                self._sinks.remove(sink)
                if not self._sinks:
                    raise
            except OutputError as error:
                if not isinstance(sink, sinks.Player) or len(self._sinks) == 1:
                    raise
                self._sinks.remove(sink)
                self.failure = error
