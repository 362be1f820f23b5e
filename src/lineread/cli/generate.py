"""Speak a request given as JSON: the normalized interface for programs.

  lineread generate --request '{"text": "Hello.", "voice": "Cherry"}' --output hello.wav --print-response

Fields: text and voice (required), language_type, instruction, stream; also model, format, rate, pitch, volume, take.
Without --print-response the path of the file is printed. With it the normalized response is the only thing on
standard output: audio_url, sample_rate, format; or audio_base64_pcm, sample_rate, format when the request says
"stream": true. Then no file is written unless --output names one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lineread import catalogue
from lineread.cli import door, options
from lineread.errors import MalformedRequest, shortened
from lineread.fields import GENERATE
from lineread.speech import Request
from lineread.wire import body

if TYPE_CHECKING:
    import argparse

FIELDS = tuple(field.name for field in GENERATE.request)
REQUIRED = tuple(field.name for field in GENERATE.request if field.required)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.usage = "%(prog)s [options] (--request JSON | --file FILE)"
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--request", metavar="JSON", help="the request itself")
    source.add_argument("-f", "--file", metavar="FILE", help="the request is in this file (- is standard input)")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the audio here; the suffix tells the format")
    parser.add_argument("--print-response", action="store_true", help="print the normalized response as JSON")
    options.add_speakers(parser)


def run(arguments: argparse.Namespace) -> int:
    """Speak the request."""
    if arguments.print_response:
        door.check_output()
    fields = parse(_source(arguments))
    stream = fields.pop("stream", False)
    if arguments.output == "-":
        raise door.UsageError("generate writes files only.", remedy="To pipe audio: lineread say -o - ...")
    if arguments.output:
        fields["format"] = options.file_format(arguments.output, fields.get("format"))
    if stream and not (arguments.output or arguments.print_response):
        raise door.UsageError(
            'The request says "stream", and nothing takes the audio.', remedy="Add --print-response or --output."
        )
    with options.client(arguments) as client:
        speech = client.generate(Request(**fields), stream=True).collect()
        path = speech.save(arguments.output) if arguments.output or not stream else None
        if arguments.print_response:
            response = speech.to_streamed_dict() if stream else speech.to_dict()
            print(json.dumps(response, ensure_ascii=False))
        elif path:
            door.tell_path(path, named=arguments.output is not None)
    return 0


def parse(text: str) -> dict[str, Any]:
    """The fields of a request in JSON.

    Raises:
        MalformedRequest: It is no JSON object, lacks a field, or has one twice or one that no request has.
    """
    try:
        fields = json.loads(text, object_pairs_hook=body.unambiguous)
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at line {error.lineno}, column {error.colno}"
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets thousands deep
        reason = "too large a number" if isinstance(error, ValueError) else "too deep"
    else:
        return _checked(fields)
    raise MalformedRequest(f"The request is not JSON: {reason}.", remedy='It looks like {"text": ..., "voice": ...}.')


def _checked(fields: object) -> dict[str, Any]:
    if not isinstance(fields, dict):
        raise MalformedRequest("The request is not a JSON object.", remedy='Write {"text": ..., "voice": ...}.')
    for name in fields:
        if name not in FIELDS:
            hint = catalogue.suggestion(name, FIELDS, f"A request has {', '.join(FIELDS)}.")
            raise MalformedRequest(f"The request has an unknown field {shortened(name)!r}.", remedy=hint)
    for name in REQUIRED:
        if name not in fields:
            raise MalformedRequest(f"The request lacks the field {name!r}.", remedy="text and voice are required.")
    if not isinstance(fields.get("stream", False), bool):
        raise MalformedRequest(
            "The field 'stream' must be true or false.", remedy="Write it without quotes, or leave it out."
        )
    return fields


def _source(arguments: argparse.Namespace) -> str:
    if arguments.request is not None:
        return str(arguments.request)
    if arguments.file == "-":
        import sys  # noqa: PLC0415 - asked for by one value of one option

        return door.decoded(sys.stdin.buffer, "Standard input")
    return door.read_text(arguments.file)
