"""List the 48 system voices of Qwen TTS: gender, age, what each sounds like, and which models have it.

--json prints one array of objects: id, name, gender, age, description, dialect, stand_in, models.
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
    parser.add_argument("-m", "--model", help="only the voices that this model has")
    parser.add_argument("--json", action="store_true", help="print the list as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the list."""
    facts = catalogue.load()
    voices = list(facts.voices.values())
    if arguments.model:
        voices = list(catalogue.voices_of(catalogue.model(arguments.model)))
    if arguments.json:
        print(json.dumps([_record(voice) for voice in voices], ensure_ascii=False, indent=1))
        return 0
    rows = [("VOICE", "NAME", "GENDER", "AGE", "DIALECT", "MODELS", "DESCRIPTION")]
    for voice in voices:
        kinds = ("flash" if "F" in voice.families else "", "instruct" if "I" in voice.families else "")
        models = " ".join(kind for kind in kinds if kind)
        rows.append((voice.id, voice.name, voice.gender, voice.age, voice.dialect or "-", models, voice.description))
    print(options.columns(rows))
    return 0


def _record(voice: catalogue.Voice) -> dict[str, object]:
    record = dataclasses.asdict(voice)
    del record["families"]
    return {**record, "models": [model.id for model in catalogue.load().models.values() if model.has(voice)]}
