"""``lineread voices preview``, ``clone``, ``design`` and ``extend``: what speaks, or makes a voice."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from lineread import _sync, sinks
from lineread.cli import door, options
from lineread.speech import Request

if TYPE_CHECKING:
    from lineread.client import Client
    from lineread.results import Speech
    from lineread.voices.making import Made
    from lineread.voices.wishes import Wanted


def configure_preview(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``preview``."""
    parser.add_argument("voices", nargs="+", metavar="VOICE", help="names of voices")
    parser.add_argument("--text", help="what they say (default: a greeting, in the language)")
    parser.add_argument("-l", "--language-type", default="Auto", metavar="LANGUAGE", help="English, Chinese ...")
    parser.add_argument("-m", "--model", help="a model's id", default=None)
    parser.add_argument("--play", action="store_true", help="play them, and write no files")
    parser.add_argument("--json", action="store_true", help="print the result as JSON", default=argparse.SUPPRESS)
    options.add_speakers(parser)


def configure_clone(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clone``."""
    parser.add_argument(
        "sample", metavar="FILE", help="10 to 20 seconds of one person's clear speech, or its URL (- is standard input)"
    )
    options.add_consent(parser, "who agreed to what, and when; kept with the voice")
    parser.add_argument("--transcript", metavar="TEXT", help="the words of the sample")
    _add_making(parser)


def configure_design(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``design``."""
    parser.add_argument("prompt", metavar="DESCRIPTION", help="what it sounds like, in Chinese or English")
    _add_making(parser)


def configure_extend(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``extend``."""
    parser.add_argument("name", help="a voice of your own")
    parser.add_argument("-m", "--model", help="the model that shall speak it", default=None)
    parser.add_argument("--realtime", action="store_true", help="for live sessions, not for speech over HTTP")
    parser.add_argument("--json", action="store_true", help="print the result as JSON", default=argparse.SUPPRESS)
    options.add_settings(parser)


def _add_making(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", help="what it is called: digits, letters and _, 16 at most (default: a made-up one)")
    parser.add_argument("--text", help="what it shall say first")
    parser.add_argument("-o", "--output", metavar="FILE", help="the file for that (default: a new one below output/)")
    parser.add_argument("--play", action="store_true", help="play that")
    parser.add_argument(
        "-l", "--language-type", default="Auto", metavar="LANGUAGE", help="English, Chinese ... (default: Auto)"
    )
    parser.add_argument("-m", "--model", help="the model that shall speak it (default: the newest)", default=None)
    parser.add_argument("--realtime", action="store_true", help="make it for live sessions as well")
    parser.add_argument("--extend", action="store_true", help="it may be made for further models when they are needed")
    parser.add_argument("--replace", action="store_true", help="it takes the place of a voice of that name")
    parser.add_argument("-q", "--quiet", action="store_true", help="say nothing but what was made")
    parser.add_argument("--json", action="store_true", help="print the result as JSON", default=argparse.SUPPRESS)
    options.add_settings(parser)


def run_preview(arguments: argparse.Namespace) -> int:
    """Have voices speak."""
    records = []
    with options.client(arguments) as client:
        requests = [_line(voice, arguments) for voice in arguments.voices]
        for request in requests:
            client.prepare(client.named(request))  # what is wrong with the last one is told before the first one speaks
        for voice, request in zip(arguments.voices, requests, strict=True):
            speech = client.generate(request)
            path = None
            if arguments.play:
                _played(client, speech)
            else:
                path = speech.save()
            records.append({"voice": voice, "path": path, "cached": speech.cached, "stand_in": speech.stand_in})
            if path is not None and not arguments.json:
                print(f"{voice}: {path}")
    if arguments.json:
        print(json.dumps(records, ensure_ascii=False, indent=1))
    return 0


def run_clone(arguments: argparse.Namespace) -> int:
    """Clone a voice."""
    from lineread.voices import new, sample  # noqa: PLC0415 - numpy: help needs none of it
    from lineread.voices.wishes import CloneWish, check_consent  # noqa: PLC0415 - as above

    consent = check_consent(options.consent(arguments))
    words = _words(arguments)
    if not arguments.text and (arguments.output or arguments.play):
        option = "--play" if arguments.play else "--output"
        raise door.UsageError(
            f"{option} has nothing to take.", remedy="Say with --text what the voice shall say first."
        )
    with options.client(arguments) as client:
        _check_outlets(client, arguments)
        client.maker()  # what is wrong with the settings is told before the sample is looked at
        new.check_words(client.engine(), "clone", arguments.text, words, model=arguments.model)
        piped = arguments.sample == options.STANDARD
        loaded = sample.load(sys.stdin.buffer.read(sample.MOST_BYTES + 1) if piped else arguments.sample)
        if not arguments.quiet and not arguments.json:
            print(loaded.picture(encoding=sys.stderr.encoding), file=sys.stderr)
        wish = CloneWish(
            loaded, arguments.name, consent, arguments.transcript, arguments.language_type, _wanted(arguments)
        )
        made = _sync.run(client.make(wish))
        return _tell(client, made, arguments, new.first_words(made, arguments.text, words))


def run_design(arguments: argparse.Namespace) -> int:
    """Design a voice."""
    from lineread.voices import new  # noqa: PLC0415 - as above
    from lineread.voices.wishes import DesignWish  # noqa: PLC0415 - as above

    words = _words(arguments)
    with options.client(arguments) as client:
        _check_outlets(client, arguments)
        new.check_words(client.engine(), "design", arguments.text, words, model=arguments.model)
        wish = DesignWish(
            door.argument(arguments.prompt),
            arguments.name,
            arguments.text,
            arguments.language_type,
            _wanted(arguments),
        )
        made = _sync.run(client.make(wish))
        return _tell(client, made, arguments, new.first_words(made, arguments.text, words))


def run_extend(arguments: argparse.Namespace) -> int:
    """Make a voice for further models."""
    from lineread.voices.wishes import Wanted  # noqa: PLC0415 - as above

    wanted = Wanted(arguments.model, http=not arguments.realtime, realtime=arguments.realtime)
    with options.client(arguments) as client:
        before = client.casting.book.get(arguments.name)
        made = _sync.run(client.maker().extend(arguments.name, wanted))
        if made.voice.ids == before.ids and not arguments.json:
            what = "in live sessions" if arguments.realtime else f"with {made.id.target_model}"
            print(f"{made.voice.name} speaks {what} already; there was nothing to make.")
            return 0
        return _tell(client, made, arguments, None)


def _wanted(arguments: argparse.Namespace) -> Wanted:
    from lineread.voices.wishes import Wanted  # noqa: PLC0415 - as above

    return Wanted(arguments.model, realtime=arguments.realtime, extend=arguments.extend, replace=arguments.replace)


def _line(voice: str, arguments: argparse.Namespace) -> Request:
    from lineread.voices.wishes import greeting  # noqa: PLC0415 - as below

    text = greeting(arguments.language_type) if arguments.text is None else arguments.text
    return Request(text, voice, arguments.language_type, model=arguments.model)


def _words(arguments: argparse.Namespace) -> dict[str, Any]:
    """How the voice says its first words."""
    return {"language_type": arguments.language_type, "format": options.file_format(arguments.output, None)}


def _check_outlets(client: Client, arguments: argparse.Namespace) -> None:
    """Refuse what could not be told or heard, before the voice is paid for.

    Raises:
        OutputError: Standard output is closed, or there is no player.
    """
    door.check_output()
    if arguments.play:
        sinks.Player.find(client.settings.player)


def _tell(client: Client, made: Made, arguments: argparse.Namespace, words: Request | None) -> int:
    """Say what was made, and have it say its first words."""
    if not arguments.json:  # first of all: whatever becomes of its words, the voice is made
        for note in () if getattr(arguments, "quiet", False) else (*made.id.reasons, *made.notes):
            print(f"lineread: {note}", file=sys.stderr)
        near = " (approximate: the machine's own voice, brought near)" if made.id.fidelity == "approximate" else ""
        print(f"{made.voice.name} is {made.id.voice}, for {made.id.target_model}{near}", flush=True)
    path = None
    if words is not None:
        from lineread.voices import new  # noqa: PLC0415 - as above

        with new.though_made(made.voice.name):
            speech = new.previewed(made, words, client.prepare) or client.generate(words)
            path = speech.save(arguments.output)
            if arguments.play:
                _played(client, speech)
    if arguments.json:
        print(json.dumps(_record(made, path), ensure_ascii=False, indent=1))
        return 0
    if path is not None:
        door.tell_path(path, named=arguments.output is not None)
    return 0


def _record(made: Made, path: str | None) -> dict[str, Any]:
    return {
        "name": made.voice.name,
        "voice_id": made.id.voice,
        "target_model": made.id.target_model,
        "engine": made.id.engine,
        "fidelity": made.id.fidelity,
        "settings": dict(made.id.settings),
        "reasons": [*made.id.reasons],
        "notes": [*made.notes],
        "request_id": made.request_id,
        "path": path,
    }


def _played(client: Client, speech: Speech) -> None:
    with ExitStack() as stack:
        player = stack.enter_context(sinks.Player(speech.sample_rate, command=client.settings.player))
        player.write(speech.pcm)
