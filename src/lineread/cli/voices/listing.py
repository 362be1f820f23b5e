"""``lineread voices list`` and ``show``: Qwen's voices and the user's own, as tables and as records."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Final

from lineread import catalogue, config
from lineread.cli import options
from lineread.voices.casting import Casting
from lineread.voices.listing import own_record, own_voices, system_record, system_voices

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lineread.errors import ConfigError
    from lineread.voices.record import OwnVoice

#: What voices are chosen by.
_FILTERS: Final = ("gender", "age", "dialect", "model", "language")

#: What holds where no option says otherwise; options may stand before the action or after it.
DEFAULTS: Final = {**dict.fromkeys(_FILTERS), "own": False, "json": False}
_MADE_BY: Final = {"clone": "cloning", "design": "design"}


def configure_list(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``list``."""
    parser.add_argument("-m", "--model", help="only the voices that this model has", default=argparse.SUPPRESS)
    parser.add_argument(
        "--gender", type=str.lower, choices=("female", "male"), help="only these", default=argparse.SUPPRESS
    )
    parser.add_argument(
        "--age",
        type=str.lower,
        choices=("child", "young", "middle", "old"),
        help="only these",
        default=argparse.SUPPRESS,
    )
    parser.add_argument(
        "--dialect", help="only voices of this Chinese variety, such as Sichuan", default=argparse.SUPPRESS
    )
    parser.add_argument("-l", "--language", help="only voices that speak this language", default=argparse.SUPPRESS)
    parser.add_argument("--own", action="store_true", help="only your own", default=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print the result as JSON", default=argparse.SUPPRESS)


def configure_show(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``show``."""
    parser.add_argument("name", help="a voice's name, or its id")
    parser.add_argument("--json", action="store_true", help="print the result as JSON", default=argparse.SUPPRESS)


def run_list(arguments: argparse.Namespace) -> int:
    """Print the lists."""
    chosen = {name: getattr(arguments, name) for name in _FILTERS}
    book = Casting(config.data_dir()).book
    system = [] if arguments.own else system_voices(**chosen)
    own = own_voices(book.voices(), **chosen)
    damaged = {} if any(chosen.values()) else book.damaged()  # nothing is known of them that could be chosen by
    if arguments.json:
        records = [*map(system_record, system), *map(own_record, own), *map(_damaged_record, damaged, damaged.values())]
        print(json.dumps(records, ensure_ascii=False, indent=1))
        return 0
    tables = [_system_table(system)] if system else []
    tables += [_own_table(own)] if own else []
    lines = [f"{ascii(name)[1:-1]} is damaged. {why.remedy}" for name, why in damaged.items()]
    tables += ["\n".join(lines)] if lines else []
    print("\n\n".join(tables) or "No voices.")
    return 0


def run_show(arguments: argparse.Namespace) -> int:
    """Print all that is known of one voice."""
    name = arguments.name
    if catalogue.knows(name):
        record = system_record(catalogue.voice(name))
    else:
        book = Casting(config.data_dir()).book
        record = own_record(book.of(name) or book.get(name))
    if arguments.json:
        print(json.dumps(record, ensure_ascii=False, indent=1))
        return 0
    ids = record.pop("ids", ())
    facts = [(key, value) for key, value in record.items() if key != "id" or value != record.get("name")]
    for number, made in enumerate(ids, 1):
        facts += [(f"{number}. {key}", value) for key, value in made.items()]
    rows: list[tuple[str, str]] = []
    for key, value in facts:
        several = value if isinstance(value, list | tuple) else [value]
        lines = [line for each in several for line in _shown(each).splitlines()]
        heads = [f"{key.replace('_', ' ')}:", *[""] * len(lines)]
        rows += zip(heads, lines, strict=False)
    print(options.columns(rows))
    return 0


def _system_table(voices: Iterable[catalogue.Voice]) -> str:
    rows = [("VOICE", "NAME", "GENDER", "AGE", "DIALECT", "MODELS", "DESCRIPTION")]
    for voice in voices:
        kinds = ("flash" if "F" in voice.families else "", "instruct" if "I" in voice.families else "")
        models = " ".join(kind for kind in kinds if kind)
        rows.append((voice.id, voice.name, voice.gender, voice.age, voice.dialect or "-", models, voice.description))
    return options.columns(rows)


def _own_table(voices: Iterable[OwnVoice]) -> str:
    rows = [("YOUR OWN", "MADE BY", "SPEAKS", "CREATED", "LAST USED", "DESCRIPTION")]
    for voice in voices:
        engines = ", ".join(dict.fromkeys(_where(each.engine, realtime=each.realtime) for each in voice.ids))
        description = options.narrow(voice.prompt or f"consent: {voice.consent}", 60)
        dates = voice.created[:10], voice.last_used[:10] or "-"
        rows.append((voice.name, _MADE_BY[voice.kind], engines, *dates, description))
    return options.columns(rows)


def _damaged_record(name: str, why: ConfigError) -> dict[str, object]:
    return {"id": name, "name": name, "kind": "damaged", "models": [], "error": why.message, "remedy": why.remedy}


def _where(engine: str, *, realtime: bool) -> str:
    if engine != "dashscope":
        return "on this machine"
    return "live sessions" if realtime else "HTTP"


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(each)}" for name, each in value.items())
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None or value is False else str(value)
