"""Speak a text while it is still being written.

  some-writer | lineread live --play
  some-writer | lineread live -o talk.wav
  some-writer | lineread live -o - | ffplay -f s16le -ar 24000 -ch_layout mono -nodisp -autoexit -

The text comes from standard input, and is spoken as soon as a clause of it is there. With -o - the sound is plain PCM:
signed 16-bit little-endian, one channel, 24,000 samples a second unless --sample-rate says otherwise.

Ctrl-C stops the sound at once; the file holds what came before, and is whole.

--json prints one object at the end: path, sample_rate, duration, voice, engine, model, stand_in, characters,
finish_reason.
"""

from __future__ import annotations

import codecs
import json
import os
import sys
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

from lineread import sinks
from lineread.cli import door, options
from lineread.errors import EngineError, LinereadError, NoAudio, OutputError
from lineread.speech import SAMPLE_RATE, LiveRequest

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from lineread.live.session import SyncSession

STANDARD = "-"
#: Most bytes that are taken from standard input at once.
_PIECE = 1 << 16


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.usage = "%(prog)s [options] < TEXT"
    options.add_voice(parser)
    parser.add_argument(
        "--sample-rate",
        type=int,
        default=SAMPLE_RATE,
        metavar="HZ",
        help="samples a second: 8000, 16000, 24000 or 48000 (default: 24000)",
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "-o", "--output", metavar="FILE", help="write here; the suffix tells the format (- is standard output, as PCM)"
    )
    output.add_argument("--play", action="store_true", help="play it")
    output.add_argument("--json", action="store_true", help="print what became of it as JSON")
    output.add_argument("-q", "--quiet", action="store_true", help="no notices, only errors")
    options.add_settings(parser)


def run(arguments: argparse.Namespace) -> int:
    """Speak."""
    _check(arguments)
    interrupted = False
    with options.client(arguments) as client:
        if arguments.play:
            sinks.Player.find(client.settings.player)
        request = LiveRequest(**options.spoken(arguments), sample_rate=arguments.sample_rate)
        with client.live(request) as session:
            player = sinks.Player(session.sample_rate, command=client.settings.player) if arguments.play else None
            try:
                _speak(session, arguments.output, player)
            except KeyboardInterrupt:
                interrupted = True
    _tell(arguments, session, interrupted=interrupted)
    return door.INTERRUPTED if interrupted else 0


def _check(arguments: argparse.Namespace) -> None:
    """Refuse what cannot be, before anything is spoken."""
    target = arguments.output
    if target is None and not arguments.play:
        raise door.UsageError(
            "Nothing says where the sound shall go.", remedy="Add --play, -o talk.wav, or -o - for PCM."
        )
    if sys.stdin.isatty() and not arguments.quiet:
        print("lineread: write, and end with Ctrl-D", file=sys.stderr)
    if target == STANDARD or arguments.json:
        door.check_output()
    if target == STANDARD and arguments.json:
        raise door.UsageError("--json and audio on standard output exclude each other.", remedy="Drop one of them.")
    if target == STANDARD and sys.stdout.isatty():
        raise OutputError(
            "Standard output is a terminal, which cannot play audio.",
            remedy="Name a file with -o, pipe into a player, or use --play.",
        )
    if target not in (None, STANDARD):
        options.file_format(target, None)


def _speak(session: SyncSession, target: str | None, player: sinks.Player | None) -> None:
    """Write from one thread, read in this one.

    Whatever ends it, also Ctrl-C: the file is whole, with all that came before. Then a player falls silent at once.

    Raises:
        LinereadError: The text could not be read, or not all of it be spoken.
    """
    writer = _Writer(session)
    failure: BaseException | None = None
    with ExitStack() as playing:
        outlets: list[sinks.Sink] = []
        with ExitStack() as writing:
            writer.start()
            try:
                for chunk in session:
                    if chunk.pcm and not outlets:
                        outlets += _opened(session.sample_rate, target, player, writing=writing, playing=playing)
                    for outlet in outlets:
                        outlet.write(chunk.pcm)
            except (KeyboardInterrupt, EngineError) as error:
                failure = error
        if failure is not None:
            raise failure
    if writer.failure is not None:
        raise writer.failure
    if not outlets:
        raise NoAudio("No words came to be spoken.", remedy="Write some to standard input.")


def _opened(
    sample_rate: int, target: str | None, player: sinks.Player | None, *, writing: ExitStack, playing: ExitStack
) -> Iterator[sinks.Sink]:
    if target == STANDARD:
        yield writing.enter_context(sinks.StreamSink(sys.stdout.buffer, "pcm", sample_rate))
    elif target is not None:
        yield writing.enter_context(sinks.open_file(target, "", "wav", sample_rate))
    if player is not None:
        yield playing.enter_context(player)


class _Writer:
    """Gives standard input to a session, from a thread of its own.

    The thread is a daemon's: nobody can end its wait for input, and the process shall not wait for it.

    Attributes:
        failure: What went wrong with the text.
    """

    def __init__(self, session: SyncSession) -> None:
        self.failure: LinereadError | None = None
        self._session = session
        self._thread = threading.Thread(target=self._run, name="lineread-input", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def _run(self) -> None:
        try:
            self._copy()
        except LinereadError as error:
            self.failure = self.failure or error
        finally:
            self._end()

    def _copy(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        while True:
            piece = os.read(sys.stdin.fileno(), _PIECE)
            try:
                text = decoder.decode(piece, final=not piece)
            except UnicodeDecodeError:
                raise door.UsageError("Standard input is not UTF-8 text.", remedy="Convert it.") from None
            self._write(text)
            if not piece:
                return

    def _write(self, text: str) -> None:
        try:
            self._session.write(text)
        except LinereadError as error:
            if error.code == "session_over":
                raise
            self.failure = self.failure or error  # what else there is can still be spoken

    def _end(self) -> None:
        try:
            self._session.end()
        except LinereadError as error:
            self.failure = self.failure or error


def _tell(arguments: argparse.Namespace, session: SyncSession, *, interrupted: bool) -> None:
    named = arguments.output not in (None, STANDARD) and session.tally.samples > 0
    if arguments.json:
        record = {
            "path": arguments.output if named else None,
            "sample_rate": session.sample_rate,
            "duration": round(session.tally.duration, 4),
            "voice": session.request.voice,
            "engine": session.tally.engine,
            "model": session.tally.model,
            "stand_in": session.tally.stand_in,
            "characters": session.tally.characters,
            "finish_reason": "cancelled" if interrupted else session.finish_reason,
        }
        print(json.dumps(record, ensure_ascii=False))
    elif named:
        door.tell_path(arguments.output, named=True)
