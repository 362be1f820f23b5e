"""``lineread voices list`` and ``show``: Qwen's voices and the user's own, as tables and as records."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import TYPE_CHECKING, Any, Final

from lineread import catalogue, config
from lineread.cli import options
from lineread.errors import OptionError
from lineread.voices.casting import Casting

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lineread.voices.book import OwnVoice

#: What holds where no option says otherwise; options may stand before the action or after it.
DEFAULTS: Final = {"model": None, "gender": None, "dialect": None, "language": None, "own": False, "json": False}
_MADE_BY: Final = {"clone": "cloning", "design": "design"}


def configure_list(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``list``."""
    parser.add_argument("-m", "--model", help="only the voices that this model has", default=argparse.SUPPRESS)
    parser.add_argument(
        "--gender", type=str.lower, choices=("female", "male"), help="only these", default=argparse.SUPPRESS
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
    system = [] if arguments.own else _system(arguments)
    own = _own(arguments)
    if arguments.json:
        print(json.dumps([*map(system_record, system), *map(own_record, own)], ensure_ascii=False, indent=1))
        return 0
    tables = [_system_table(system)] if system else []
    tables += [_own_table(own)] if own else []
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
    facts = [(key, value) for key, value in record.items()]
    for number, made in enumerate(ids, 1):
        facts += [(f"{number}. {key}", value) for key, value in made.items()]
    rows = [(f"{key.replace('_', ' ')}:", _shown(value)) for key, value in facts]
    print(options.columns([row for row in rows if row[1]]))
    return 0


def system_record(voice: catalogue.Voice) -> dict[str, Any]:
    """A system voice as a JSON-ready object."""
    record = dataclasses.asdict(voice)
    del record["families"]
    models = [model.id for model in catalogue.load().models.values() if model.has(voice)]
    return {**record, "kind": "system", "models": models}


def own_record(voice: OwnVoice) -> dict[str, Any]:
    """A voice of the user's own as a JSON-ready object."""
    record = dataclasses.asdict(voice)
    return {"id": voice.name, **record, "models": [each.target_model for each in voice.ids]}


def _system(arguments: argparse.Namespace) -> list[catalogue.Voice]:
    voices = list(catalogue.load().voices.values())
    if arguments.model:
        voices = list(catalogue.voices_of(catalogue.model(arguments.model)))
    if arguments.language:
        catalogue.language(arguments.language)  # each system voice speaks each of them
    if arguments.gender:
        voices = [voice for voice in voices if voice.gender == arguments.gender]
    if arguments.dialect:
        voices = _of_dialect(voices, arguments.dialect)
    return voices


def _of_dialect(voices: Iterable[catalogue.Voice], dialect: str) -> list[catalogue.Voice]:
    known = {voice.dialect.casefold(): voice.dialect for voice in catalogue.load().voices.values() if voice.dialect}
    if dialect.casefold() not in known:
        hint = catalogue.suggestion(dialect, known.values(), f"There is {', '.join(sorted(known.values()))}.")
        raise OptionError(f"No voice speaks the dialect {dialect!r}.", remedy=hint)
    return [voice for voice in voices if voice.dialect.casefold() == dialect.casefold()]


def _own(arguments: argparse.Namespace) -> list[OwnVoice]:
    if arguments.gender or arguments.dialect:
        return []  # nobody has said either of a voice of one's own
    voices = Casting(config.data_dir()).book.voices()
    if arguments.model:
        wanted = catalogue.model(arguments.model).id
        voices = [voice for voice in voices if any(each.target_model == wanted for each in voice.ids)]
    if arguments.language:
        language = catalogue.language(arguments.language)
        voices = [voice for voice in voices if voice.language in ("", language)]
    return voices


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


def _where(engine: str, *, realtime: bool) -> str:
    if engine != "dashscope":
        return "on this machine"
    return "live sessions" if realtime else "HTTP"


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_shown(item) for item in value)
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None or value is False else str(value)
