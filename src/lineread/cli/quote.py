"""Say what speaking a text will cost and how long it will be, before anything is paid for.

  lineread quote -f chapter.txt                    characters, price, length, calls
  lineread quote -v Ethan --json "Doors open at nine."

Nothing is sent anywhere. What was spoken before, with the same voice and options, costs nothing. Prices are those of
mid-2026 (`lineread models`); the length is an estimate.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lineread.cli import options
from lineread.speech import Request

if TYPE_CHECKING:
    import argparse

    from lineread.quote import Quote


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.usage = "%(prog)s [options] [TEXT ...]"
    options.add_text(parser)
    options.add_voice(parser)
    options.add_take(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options.add_speakers(parser)


def run(arguments: argparse.Namespace) -> int:
    """Reckon."""
    with options.client(arguments) as client:
        request = Request(options.text(arguments), **options.spoken(arguments))
        quote = client.quote(client.found(request))
    print(json.dumps(quote.to_dict(), ensure_ascii=False) if arguments.json else _told(quote))
    if client.purse is not None:
        client.purse.check(quote.cost)
    return 0


def _told(quote: Quote) -> str:
    model = f", {quote.model}" if quote.model else ""
    stored = f", {quote.stored:,} of them stored" if quote.stored else ""
    yuan = quote.cost.yuan
    price = "not known before: the model bills tokens" if yuan is None else f"{yuan:.4f} yuan" if yuan else "nothing"
    minutes, seconds = divmod(round(quote.seconds), 60)
    wait = f", over {quote.wait:.0f} s at least" if quote.wait >= 1 else ""
    rows = [
        ("voice:", f"{quote.voice} ({quote.engine}{model})"),
        ("billed:", f"{quote.characters:,} characters{stored}"),
        ("price:", price),
        ("length:", f"about {minutes} min {seconds} s" if minutes else f"about {seconds} s"),
        ("calls:", f"{quote.calls:,}{wait}"),
    ]
    return options.columns(rows)
