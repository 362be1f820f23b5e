"""Write the reference pages from the code, or check that they are true (``--check``)."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lineread.fields import Call, Field
    from lineread.wire.realtime.machine import Row

HERE = Path(__file__).parent
NOTE = "<!-- Written by docs/generate.py from the code. Edit the code, then run `make docs`. -->\n"
REALTIME = """\
How Qwen TTS realtime speaks a text that is still being written: events go both ways over one WebSocket, each a JSON
object in a text frame, and sound comes as Base64 in `response.audio.delta`. The library calls the service this way, and
the server answers this way. Both ends, the client's and the server's, hold to the tables below, which are the code's.

What the server adds: a `response.audio.delta` has a `text_span`, the first character and one past the last of what its
sound speaks, counted in all the text that was appended. An `error` has a `type`, and the `event_id` of the client's
event that it is about. Other clients pass both over.

It takes {append:,} characters an append, {uncommitted:,} that wait for a commit, and {session:,} a session; more is an
`error`. A session that lies idle for {idle:g} seconds, or has lasted for {seconds:,.0f}, is told so and closed with
1008; `lineread serve` has `--session-idle` and `--session-seconds` for that ([hosting](hosting.md)).
"""
EVENTS = """\
An event passes in some states of the session. In others it has no effect, or is answered with an `error`, and the
session goes on. A response is what is spoken at a stretch; there is one at a time. A client may leave out `event_id`.
A commit passes in both modes: with `server_commit` it has all that was appended spoken as it stands, and ends the
response with it.
"""


REFERENCE = (
    "What `lineread fields {call}` prints, `--json` as JSON Schema. Beyond these, settings of the client: {settings}.\n"
)


def main() -> int:
    os.environ["COLUMNS"] = "100"
    pages = {"cli.md": cli_page(), "catalogue.md": catalogue_page(), "errors.md": errors_page()}
    pages |= {"fields.md": fields_page(), "realtime.md": realtime_page(), **schemas(), **skill_references()}
    if "--check" not in sys.argv:
        for name, text in pages.items():
            (HERE / name).parent.mkdir(parents=True, exist_ok=True)
            (HERE / name).write_text(text, encoding="utf-8")
        return 0
    stale = [name for name, text in pages.items() if _written(name) != text]
    for name in stale:
        print(f"{os.path.normpath(f'docs/{name}')} is not what the code says; run `make docs`", file=sys.stderr)
    return 1 if stale else 0


def _written(name: str) -> str:
    path = HERE / name
    return path.read_text(encoding="utf-8") if path.exists() else ""


def fields_page() -> str:
    from lineread import fields

    parts = ["# Fields\n", NOTE, "JSON Schema of each lies in [schemas](schemas/).\n"]
    for call in fields.CALLS:
        parts += [f"## {call.name}\n", f"{call.meaning}\n", "### Request\n", _table(_field_rows(call.request))]
        parts += ["### Response\n", _table(_field_rows(call.response))]
    parts += ["## What only DashScope's dialect has\n", _table(_field_rows(fields.DASHSCOPE_ONLY))]
    parts += ["## What only OpenAI's dialect has\n", _table(_field_rows(fields.OPENAI_ONLY))]
    return "\n".join(parts)


def _field_rows(fields: tuple[Field, ...], *, but: str = "") -> list[list[str]]:
    """The declaration's own rows, less one column, with what a program would be given as code."""
    from lineread.fields import COLUMNS

    code = {"field", "default", "DashScope", "OpenAI"}
    rows = [
        [
            f"`{cell}`" if head in code and cell not in ("", "required") else cell
            for head, cell in zip(COLUMNS, row, strict=True)
        ]
        for row in (field.row for field in fields)
    ]
    return [[cell for cell, head in zip(row, COLUMNS, strict=True) if head != but] for row in (COLUMNS, *rows)]


def realtime_page() -> str:
    from lineread.server.options import Options
    from lineread.wire.realtime import machine
    from lineread.wire.realtime.answerer import Limits

    limits, options = Limits(), Options()
    about = REALTIME.format(
        append=limits.append,
        uncommitted=limits.uncommitted,
        session=limits.session,
        idle=options.session_idle,
        seconds=options.session_seconds,
    )
    parts = ["# Realtime\n", NOTE, about, "## A session\n"]
    parts.append(_table([["state", "meaning"]] + [[f"`{state}`", said] for state, said in machine.STATES.items()]))
    parts += ["## Events\n", EVENTS]
    for sender, title in (("client", "From the client"), ("server", "From the server")):
        rows = [row for row in machine.TABLE if row.sender == sender]
        parts += [
            f"### {title}\n",
            _table([["event", "passes in", "leads to", "response", "otherwise"], *map(_event, rows)]),
        ]
    return "\n".join(parts)


def _event(row: Row) -> list[str]:
    from lineread.wire.realtime import machine

    states = [f"`{state}`" for state in machine.STATES if state in row.states]
    otherwise = f"`error` {row.refusal.code}: {row.refusal.message}" if row.refusal else "no effect"
    if len(states) == len(machine.STATES):
        states, otherwise = ["any"], ""
    response = {None: "", True: "in progress", False: "none in progress"}[row.response]
    response += {None: "", True: "; begins", False: "; ends"}[row.begins]
    return [f"`{row.event}`", ", ".join(states), f"`{row.to}`" if row.to else "", response, otherwise]


def schemas() -> dict[str, str]:
    from lineread import fields

    return {
        f"schemas/{call.name}.{part}.json": json.dumps(schema, ensure_ascii=False, indent=2) + "\n"
        for call in fields.CALLS
        for part, schema in call.schemas().items()
    }


def skill_references() -> dict[str, str]:
    """Each call's reference, for the skill about it."""
    from lineread import fields

    skills = zip(fields.CALLS, ("", "-realtime", "-voice-clone", "-voice-design"), _wire_examples(), strict=True)
    return {
        f"../skills/alicloud-ai-audio-tts{suffix}/references/api_reference.md": _reference(call, wire)
        for call, suffix, wire in skills
    }


def _reference(call: Call, wire: str) -> str:
    from lineread.tts import Settings

    settings = ", ".join(f"`{name}`" for name in Settings.__annotations__)
    parts = [f"# tts.{call.name}\n", NOTE, f"{call.meaning} {REFERENCE.format(call=call.name, settings=settings)}"]
    for title, declared in (("Request", call.request), ("Response", call.response)):
        parts += [f"## {title}\n", _table(_field_rows(declared, but="OpenAI"))]
    for title, name in (("Python", call.name), ("Streaming", f"{call.name}_stream")):
        example = (HERE / "examples" / f"{name}.py").read_text(encoding="utf-8")
        parts.append(f"## {title}\n\n```python\n{example}```\n")
    return "\n".join([*parts, f"## On the wire\n\nWhat lineread sends to DashScope for that.\n\n{wire}"])


def _wire_examples() -> list[str]:
    """What the codecs of the wire make of each call's first example."""
    from lineread.enrolment import Clone, Design
    from lineread.fields import GENERATE, VOICE_DESIGN
    from lineread.speech import LiveRequest
    from lineread.wire import customization, dashscope
    from lineread.wire.realtime.events import write_session

    text, prompt = GENERATE.field("text").example, VOICE_DESIGN.field("voice_prompt").example
    instruction = GENERATE.field("instruction").example
    spoken = dashscope.Synthesis("qwen3-tts-instruct-flash", text, "Cherry", "English", instruction)
    session = write_session(LiveRequest("Cherry", language_type="English"))
    events = [
        {"type": "session.update", "session": session},
        {"type": "input_text_buffer.append", "text": "Doors "},
        {"type": "session.finish"},
    ]
    clone = Clone("narrator", b"RIFF", "audio/wav", "qwen3-tts-vc-2026-01-22", language="English")
    design = Design("guide", prompt, "This way, please.", "qwen3-tts-vd-2026-01-26", language="English")
    return [
        _posted(dashscope.PATH, spoken.encode()),
        "`wss://dashscope.aliyuncs.com/api-ws/v1/realtime?model=qwen3-tts-flash-realtime`, one event a message:\n\n"
        + "".join(f"```json\n{json.dumps(event, indent=1)}\n```\n" for event in events),
        _posted(customization.PATH, customization.encode(clone)),
        _posted(customization.PATH, customization.encode(design)),
    ]


def _posted(path: str, body: bytes) -> str:
    shown = json.dumps(json.loads(body), ensure_ascii=False, indent=1)
    return f"`POST https://dashscope.aliyuncs.com/api/v1{path}`\n\n```json\n{shown}\n```\n"


def cli_page() -> str:
    from lineread.cli import COMMANDS

    parts = ["# The command line\n", NOTE, f"```\n{_output('--help')}```\n"]
    parts += [f"## lineread {name}\n\n```\n{_output(name, '--help')}```\n" for name in COMMANDS]
    return "\n".join(parts)


def catalogue_page() -> str:
    from lineread import catalogue

    facts = catalogue.load()
    parts = ["# Voices, models, languages, regions\n", NOTE, "## Voices\n"]
    rows = [["voice", "name", "gender", "age", "dialect", "description", "families"]]
    rows += [
        [f"`{v.id}`", v.name, v.gender, v.age, v.dialect, v.description, " ".join(v.families)]
        for v in facts.voices.values()
    ]
    parts += [_table(rows), "## Models\n"]
    rows = [["model", "called by", "voice families", "instruction", "most characters", "calls a minute", "yuan"]]
    rows += [
        [
            f"`{m.id}`",
            m.transport,
            m.voices if m.custom else " ".join(m.voices),
            "yes" if m.instructions else "",
            str(m.limit or ""),
            str(m.rpm),
            f"{m.prices['cn-beijing']:g} per {m.price_unit}",
        ]
        for m in facts.models.values()
    ]
    parts += [_table(rows), "## Languages\n", ", ".join(f"`{name}`" for name in facts.languages) + "\n"]
    parts += ["## OpenAI's names\n", "What the server takes them for.\n"]
    rows = [["voice", "Qwen's voice", "why"]] + [
        [f"`{v.id}`", f"`{v.voice}`", v.reason] for v in facts.openai_voices.values()
    ]
    parts.append(_table(rows))
    rows = [["model", "Qwen's model", "with instructions", "why"]]
    rows += [[f"`{m.id}`", f"`{m.model}`", f"`{m.instruct_model}`", m.reason] for m in facts.openai_models.values()]
    parts.append(_table(rows))
    rows = [["region", "city", "HTTP base"]] + [[f"`{r.id}`", r.name, r.http] for r in facts.regions.values()]
    return "\n".join([*parts, "## Regions\n", _table(rows)])


def errors_page() -> str:
    from lineread import errors, fields

    classes = [
        found
        for _, found in inspect.getmembers(errors, inspect.isclass)
        if issubclass(found, errors.LinereadError) and found is not errors.LinereadError
    ]
    classes.sort(key=lambda found: found.__mro__[::-1].__repr__())
    rows = [["class", "code", "exit status", "HTTP status", "meaning"]]
    rows += [
        [f"`{c.__name__}`", f"`{c.code}`", str(c.exit_status), str(c.http_status), (c.__doc__ or "").splitlines()[0]]
        for c in classes
    ]
    tree = inspect.cleandoc(errors.__doc__ or "")
    source = "".join(path.read_text(encoding="utf-8") for path in sorted((HERE.parent / "src").rglob("*.py")))
    constants = dict(re.findall(r'^(\w+): Final = "([a-z_]+)"$', source, re.MULTILINE))
    used = set(re.findall(r"\bcode ?= ?(\w+)", source))
    named = {code for name, code in constants.items() if name in used}
    unknown = {f"unknown_{field.name}" for call in fields.CALLS for field in call.request if field.choices}
    finer = sorted((set(re.findall(r'code="([a-z_]+)"', source)) | named | unknown) - {c.code for c in classes})
    codes = "Codes that say more than their class:\n\n" + ", ".join(f"`{code}`" for code in finer) + "\n"
    return "\n".join(["# Errors\n", NOTE, f"```\n{tree}\n```\n", _table(rows), codes])


def _output(*words: str) -> str:
    from lineread.cli import main as lineread

    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        lineread(words)
    return out.getvalue()


def _table(rows: list[list[str]]) -> str:
    head, *body = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
