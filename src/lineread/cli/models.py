"""List the models of Qwen TTS: how they are called, their limits, and what they cost.

--json prints one array of objects: id, transport, voices, limit, instructions, rpm, alias_of, prices, price_unit.
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from lineread import catalogue
from lineread.cli import options

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.usage = "%(prog)s [options]"
    parser.add_argument("--json", action="store_true", help="print the list as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the list."""
    models = list(catalogue.load().models.values())
    if arguments.json:
        print(json.dumps([dataclasses.asdict(model) for model in models], ensure_ascii=False, indent=1))
        return 0
    rows = [("MODEL", "CALLED BY", "VOICES", "INSTRUCTION", "MOST TEXT", "A MINUTE", "YUAN")]
    rows += [
        (
            model.id,
            model.transport,
            _voices(model),
            "yes" if model.instructions else "-",
            f"{model.limit} characters" if model.limit else "-",
            f"{model.rpm} calls",
            f"{model.prices['cn-beijing']:g} / {model.price_unit}",
        )
        for model in models
    ]
    print(options.columns(rows))
    print("\nYUAN: price in Beijing, mid-2026. A Han character counts two, anything else one.")
    return 0


def _voices(model: catalogue.Model) -> str:
    if model.custom:
        return "cloned" if model.voices == "vc" else "designed"
    return str(len(catalogue.voices_of(model)))
