"""Speak a text while it is still being written.

  some-writer | lineread live --play
  some-writer | lineread live -o talk.wav
  some-writer | lineread live -o - | ffplay -f s16le -ar 24000 -ch_layout mono -nodisp -autoexit -

The text comes from standard input, and is spoken as soon as a clause of it is there. With -o - the sound is plain PCM:
signed 16-bit little-endian, one channel, 24,000 samples a second unless --sample-rate says otherwise.

However it ends, by Ctrl-C or by a failure: the sound stops, and the file holds what came before, and is whole. A player
that fails does not stop what goes to a file as well.

--json prints one object at the end: path, sample_rate, duration, voice, engine, model, stand_in, fallback_reason,
characters, finish_reason.
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
from lineread.cli.outlets import Outlets
from lineread.errors import EngineError, LinereadError, NoAudio, OutputError, TextError
from lineread.speech import SAMPLE_RATE, LiveRequest
from lineread.text.characters import VOICED

if TYPE_CHECKING:
    import argparse

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
        help="samples a second, 8000 to 48000; the cloud has 8000, 16000, 24000 and 48000 (default: 24000)",
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="write here; the suffix tells the format, directories are made (- is standard output, as PCM)",
    )
    output.add_argument("--play", action="store_true", help="play it")
    output.add_argument("--json", action="store_true", help="print what became of it as JSON")
    output.add_argument(
        "-q", "--quiet", action="store_true", help="no notices: only errors, and who spoke instead (--fallback)"
    )
    options.add_speakers(parser)


def run(arguments: argparse.Namespace) -> int:
    """Speak."""
    _check(arguments)
    failure: KeyboardInterrupt | LinereadError | None = None
    with options.client(arguments) as client:
        player = client.settings.player
        if arguments.play:
            sinks.Player.find(player)
        request = LiveRequest(**options.spoken(arguments), sample_rate=arguments.sample_rate)
        with client.live(request) as session:
            outlets = _Outlets(arguments.output, play=arguments.play, player=player)
            try:
                _speak(session, outlets)
            except (KeyboardInterrupt, LinereadError) as error:
                failure = error
    _tell(arguments, session, outlets.path, failure)
    if isinstance(failure, LinereadError):
        raise failure
    return 0 if failure is None else door.INTERRUPTED


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


def _speak(session: SyncSession, outlets: _Outlets) -> None:
    """Write from one thread, read in this one.

    Whatever ends it, also Ctrl-C: the file is whole, with all that came before. Then a player falls silent at once.

    Raises:
        LinereadError: The text could not be read, or not all of it be spoken, or be heard.
    """
    writer = _Writer(session)
    failure: BaseException | None = None
    with ExitStack() as playing:
        with ExitStack() as writing:
            writer.start()
            try:
                for chunk in session:
                    if chunk.pcm and not outlets.open:
                        outlets.enter(session.sample_rate, writing=writing, playing=playing)
                    outlets.write(chunk.pcm)
            except (KeyboardInterrupt, EngineError) as error:
                failure = error
        if failure is not None:
            raise failure
    failure = writer.failure or outlets.failure
    if failure is not None:
        raise failure
    if not outlets.open:
        raise _silence(worded=writer.worded)


def _silence(*, worded: bool) -> LinereadError:
    """Why there was no sound."""
    if worded:
        return NoAudio("No audio came for the text.", remedy="Try again.", retryable=True)
    return TextError(
        "No words came to be spoken.", remedy="Write some to standard input, then end it.", code="empty_text"
    )


class _Outlets(Outlets):
    """All places that the sound goes to. They are opened for the first of it: where nothing is said, no file is left.

    Attributes:
        open: They were opened.
        path: The file, once it is whole.
    """

    def __init__(self, target: str | None, *, play: bool, player: str | None) -> None:
        super().__init__()
        self.open = False
        self.path: str | None = None
        self._target = target
        self._play = play
        self._player = player

    def enter(self, sample_rate: int, *, writing: ExitStack, playing: ExitStack) -> None:
        """Open all of them."""
        self.open = True
        if self._target == STANDARD:
            self.add(writing.enter_context(sinks.StreamSink(sys.stdout.buffer, "pcm", sample_rate)))
        elif self._target is not None:
            writing.push(self._written)
            self.add(writing.enter_context(sinks.open_file(self._target, "", "wav", sample_rate)))
        if self._play:
            self.add(playing.enter_context(sinks.Player(sample_rate, command=self._player)))

    def _written(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.path = self._target


class _Writer:
    """Gives standard input to a session, from a thread of its own.

    The thread is a daemon's: nobody can end its wait for input, and the process shall not wait for it.

    Attributes:
        failure: What went wrong with the text.
        worded: There was something in it that can be heard.
    """

    def __init__(self, session: SyncSession) -> None:
        self.failure: LinereadError | None = None
        self.worded = False
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
        self.worded = self.worded or VOICED.search(text) is not None
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


def _tell(
    arguments: argparse.Namespace,
    session: SyncSession,
    path: str | None,
    failure: KeyboardInterrupt | LinereadError | None,
) -> None:
    """Say what became of it, but for the failure, which the door tells."""
    door.tell_fallback(session.tally)
    interrupted = isinstance(failure, KeyboardInterrupt)
    if arguments.json:
        if interrupted or failure is None:  # one document: this, or else the error
            print(json.dumps(_record(session, path, interrupted=interrupted), ensure_ascii=False))
    elif path is not None:
        door.tell_path(path, named=True)
    elif interrupted and not session.tally.samples and not arguments.quiet:
        unwritten = "" if arguments.output in (None, STANDARD) else f"; {arguments.output} was not written"
        print(f"lineread: stopped before there was any sound{unwritten}", file=sys.stderr)


def _record(session: SyncSession, path: str | None, *, interrupted: bool) -> dict[str, object]:
    return {
        "path": path,
        "sample_rate": session.sample_rate,
        "duration": round(session.tally.duration, 4),
        "voice": session.request.voice,
        "engine": session.tally.engine,
        "model": session.tally.model,
        "stand_in": session.tally.stand_in,
        "fallback_reason": session.tally.fallback_reason,
        "characters": session.tally.characters,
        "finish_reason": "cancelled" if interrupted else session.finish_reason,
    }
