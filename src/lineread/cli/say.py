"""Speak a text: to a file, a player or a pipe.

  lineread say "Hello, this is a short voice line."
  lineread say -v Ethan -o line.mp3 "Doors open at nine."
  lineread say -f chapter.txt --play
  some-writer | lineread say -o - | ffplay -nodisp -autoexit -

Without TEXT and --file the text comes from standard input, which is read to its end before anything is spoken.
A file that -o does not name lies in output/ai-audio-tts/audio (OUTPUT_DIR replaces output); its path is printed.

--json prints one object instead: path, sample_rate, format, duration, voice, engine, model, stand_in, fallback_reason,
cached, characters, segments, request_id. With --stream there is one a line for each chunk: audio_base64_pcm,
sample_rate, format, offset, span, words, finish_reason.
"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from lineread import _sync, sinks
from lineread.cli import door, options
from lineread.cli.outlets import Outlets
from lineread.cli.progress import Progress
from lineread.errors import OutputError
from lineread.results import Tally
from lineread.speech import Request

if TYPE_CHECKING:
    import argparse

    from lineread.client import Job
    from lineread.speech import Chunk, Word


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.usage = "%(prog)s [options] [TEXT ...]"
    options.add_text(parser)
    options.add_voice(parser)
    options.add_take(parser)
    options.add_format(parser)
    output = parser.add_argument_group("output")
    output.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="write here; the suffix tells the format, directories are made (- is standard output)",
    )
    output.add_argument("--play", action="store_true", help="play it; no file is written unless -o names one")
    output.add_argument("--stream", action="store_true", help="as -o -; with --json, one object for each chunk")
    output.add_argument("--json", action="store_true", help="print the result as JSON")
    output.add_argument(
        "-q",
        "--quiet",
        action="store_true",
        help="no notices, no progress: only errors, and who spoke instead (--fallback)",
    )
    options.add_speakers(parser)


def run(arguments: argparse.Namespace) -> int:
    """Speak."""
    target = _target(arguments)
    form = options.file_format(target if target != options.STANDARD else None, arguments.format)
    text = options.text(arguments)
    with options.client(arguments) as client:
        job = client.prepare(client.named(Request(text, format=form, **options.spoken(arguments))))
        if arguments.play:
            sinks.Player.find(client.settings.player)
        if arguments.stream and arguments.json:
            return _print_chunks(job)
        with ExitStack() as playing:
            with ExitStack() as writing:
                player = client.settings.player
                outlets = _Outlets(arguments, target, job, writing=writing, playing=playing, player=player)
                tally = _speak(job, outlets, quiet=arguments.quiet)
            door.tell_fallback(tally)
            if outlets.path is not None and not arguments.json:  # what is written is whole, however the playing ends
                door.tell_path(outlets.path, named=target is not None)
    if outlets.failure is not None:
        raise outlets.failure
    if arguments.json:  # one document: this, or else the error
        print(json.dumps(_record(outlets.path, job, tally), ensure_ascii=False))
    return 0


def _target(arguments: argparse.Namespace) -> str | None:
    """Where the audio goes: a path, ``-``, or None for the default file."""
    target: str | None = arguments.output
    if arguments.stream and not arguments.json and not arguments.play and target is None:
        target = options.STANDARD
    if target == options.STANDARD or arguments.json:
        door.check_output()
    if target == options.STANDARD and sys.stdout.isatty():
        raise OutputError(
            "Standard output is a terminal, which cannot play audio.",
            remedy="Name a file with -o, pipe into a player, or use --play.",
        )
    if target == options.STANDARD and arguments.json:
        raise door.UsageError("--json and audio on standard output exclude each other.", remedy="Drop one of them.")
    if arguments.json and arguments.stream and (target or arguments.play):
        raise door.UsageError(
            "--stream with --json prints chunks of audio and nothing else.",
            remedy="Drop --stream, or else -o and --play.",
        )
    return target


class _Outlets(Outlets):
    """All places that the audio goes to."""

    def __init__(
        self,
        arguments: argparse.Namespace,
        target: str | None,
        job: Job,
        *,
        writing: ExitStack,
        playing: ExitStack,
        player: str | None,
    ) -> None:
        super().__init__()
        self._request = job.plan.request
        self._job = job
        self._target = target
        self._play = arguments.play
        self._to_file = target not in (None, options.STANDARD) or (not arguments.play and target is None)
        self._player = player
        self._writing = writing
        self._playing = playing
        self.path: str | None = None

    def open(self, sample_rate: int) -> None:
        """Open all of them."""
        form = self._request.format
        if self._play:
            self.add(self._playing.enter_context(sinks.Player(sample_rate, command=self._player)))
        if self._target == options.STANDARD:
            self.add(self._writing.enter_context(sinks.StreamSink(sys.stdout.buffer, form, sample_rate)))
        if self._to_file:
            sink = sinks.open_file(self._target, self._job.default_path, form, sample_rate)
            self._writing.callback(self._remember, sink)
            self.add(self._writing.enter_context(sink))

    def _remember(self, sink: sinks.FileSink) -> None:
        self.path = sink.path


def _speak(job: Job, outlets: _Outlets, *, quiet: bool) -> Tally:
    tally = Tally()
    progress = Progress(len(job.plan.request.text), quiet=quiet)
    with _sync.Iteration(job.chunks()) as chunks, progress:
        for chunk in chunks:
            if not tally.sample_rate:
                outlets.open(chunk.sample_rate)
            tally.add(chunk)
            outlets.write(chunk.pcm)
            progress.show(chunk, tally)
    return tally


def _print_chunks(job: Job) -> int:
    with _sync.Iteration(job.chunks()) as chunks:
        for chunk in chunks:
            print(json.dumps(_chunk_record(chunk, job)), flush=True)
    return 0


def _chunk_record(chunk: Chunk, job: Job) -> dict[str, object]:
    text = job.plan.request.text
    return {
        "audio_base64_pcm": chunk.audio_base64_pcm,
        "sample_rate": chunk.sample_rate,
        "format": "pcm",
        "offset": chunk.offset,
        "span": chunk.span,
        "words": [_word_record(word, text) for word in chunk.words],
        "finish_reason": "stop" if chunk.final else None,
    }


def _word_record(word: Word, text: str) -> dict[str, object]:
    start, end = word.span
    return {"word": text[start:end], "span": word.span, "start": round(word.start, 4), "end": round(word.end, 4)}


def _record(path: str | None, job: Job, tally: Tally) -> dict[str, object]:
    request = job.plan.request
    return {
        "path": path,
        "sample_rate": tally.sample_rate,
        "format": request.format,
        "duration": round(tally.duration, 4),
        "voice": request.voice,
        "engine": tally.engine,
        "model": tally.model,
        "stand_in": tally.stand_in,
        "fallback_reason": tally.fallback_reason,
        "cached": tally.cached,
        "characters": tally.characters,
        "segments": len(tally.spoken),
        "request_id": tally.request_id,
    }
