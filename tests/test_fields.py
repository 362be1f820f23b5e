"""One declaration of the fields: what is made of it agrees with what the program does."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineread import Request, tts
from lineread.enrolment import LONGEST_PROMPT
from lineread.errors import LinereadError
from lineread.fields import CALLS, GENERATE, REALTIME, REQUIRED, VOICE_CLONE, VOICE_DESIGN, Call, Field, json_schema
from lineread.plan import check
from lineread.server.reference.document import document
from lineread.speech import LiveRequest
from lineread.voices.wishes import Wanted
from lineread.wire import customization_server, dashscope_server, openai
from lineread.wire.body import SAMPLE_RATES

ROOT = Path(__file__).parent.parent


def test_the_declaration_is_the_request() -> None:
    """Names, order aside, and defaults are those of the request and of tts.generate."""
    declared = {field.name: field for field in GENERATE.request}
    fields = {field.name: field for field in dataclasses.fields(Request)}
    assert set(declared) == {*fields, "stream"}
    for name, field in fields.items():
        default = field.default
        assert declared[name].required == (default is dataclasses.MISSING)
        assert declared[name].required or declared[name].default == default
    signature = inspect.signature(tts.generate)
    for name in ("text", "voice", "language_type", "instruction", "stream"):
        default = signature.parameters[name].default
        assert declared[name].required == (default is inspect.Parameter.empty)
        assert declared[name].required or declared[name].default == default


@pytest.mark.parametrize(
    ("call", "function", "extras", "asked"),
    [
        (GENERATE, tts.generate, tts.Extras, [Request]),
        (REALTIME, tts.arealtime, tts.LiveExtras, [LiveRequest]),
        (VOICE_CLONE, tts.voice_clone, tts.VoiceExtras, [Wanted, Request]),
        (VOICE_DESIGN, tts.voice_design, tts.VoiceExtras, [Wanted, Request]),
    ],
)
def test_every_argument_is_declared(
    call: Call, function: Callable[..., object], extras: type, asked: list[type]
) -> None:
    """What a call takes are its declared fields, with their defaults, and the settings of a client; nothing else."""
    parameters = dict(inspect.signature(function).parameters)
    assert parameters.pop("extras").annotation == f"Unpack[{extras.__name__}]"
    defaults = {field.name: field.default for kind in reversed(asked) for field in dataclasses.fields(kind)}
    taken = {name: defaults[name] for name in extras.__annotations__ if name not in tts.Settings.__annotations__}
    taken |= {name: each.default for name, each in parameters.items()}
    declared = {field.name: field for field in call.request}
    assert set(declared) == set(taken)
    if "consent" in taken:  # it has to be there, and an error says so more kindly than Python
        assert taken.pop("consent") is None
        assert declared["consent"].required
    for name, default in taken.items():
        assert declared[name].default == (REQUIRED if default is inspect.Parameter.empty else default), name


@pytest.mark.parametrize(
    ("call", "read"),
    [
        (VOICE_CLONE, customization_server.FIELDS["clone"]["create"]),
        (VOICE_DESIGN, customization_server.FIELDS["design"]["create"]),
    ],
)
def test_places_on_the_wire_are_those_that_are_read(call: Call, read: tuple[Field, ...]) -> None:
    """Where a field of a new voice is said to be at DashScope the server reads it."""
    said = {field.dashscope.partition(" (")[0] for field in call.request if field.dashscope}
    assert said <= {field.dashscope for field in read}


def test_a_named_file_tells_the_format(tmp_path: Path) -> None:
    """The response tells the format of the file that its URL leads to, whatever was asked for before."""
    speech = tts.generate(text="Hello.", voice="Cherry", engine="fake", cache=False)
    speech.save(tmp_path / "hello.mp3")
    assert speech.to_dict() == {"audio_url": (tmp_path / "hello.mp3").as_uri(), "sample_rate": 24_000, "format": "mp3"}


@pytest.mark.parametrize("part", ["audio_url", "audio_base64_pcm"])
def test_the_response_is_what_comes_back(part: str) -> None:
    """What `to_dict` gives satisfies the schema of the response, streamed or not."""
    speech = tts.generate(text="Hello.", voice="Cherry", engine="fake", cache=False)
    said = speech.to_dict() if part == "audio_url" else speech.to_streamed_dict()
    assert part in said
    jsonschema_rs.validator_for(json_schema(GENERATE.response)).validate(said)


_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 2_000_000), st.floats(-1, 3), st.text("aA1 ", max_size=3), st.just("mp3")
)


@settings(derandomize=True, max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from([f.name for f in GENERATE.request if f.name != "stream"]), _VALUES))
def test_what_a_plan_takes_satisfies_the_schema(said: dict[str, object]) -> None:
    """Whatever passes a plan's checks is valid JSON by the schema: the two never contradict each other."""
    said = {"text": "Hello.", "voice": "Cherry", **said}
    try:
        check(Request(**said))  # type: ignore[arg-type]
    except LinereadError:
        return
    present = {name: value for name, value in said.items() if value is not None}
    jsonschema_rs.validator_for(json_schema(GENERATE.request)).validate(present)


def test_every_field_says_what_it_is() -> None:
    """No field is without a meaning, a known type and a default that its own limits allow."""
    for call in CALLS:
        for field in (*call.request, *call.response):
            assert field.meaning.endswith(".")
            assert field.kind in {"string", "number", "integer", "boolean", "array"}
            if not field.required and field.default is not None:
                jsonschema_rs.validator_for(field.schema()).validate(field.default)


def test_a_changed_declaration_makes_the_check_of_the_pages_fail(tmp_path: Path) -> None:
    """Pages that are not what the declaration says do not pass `docs/generate.py --check`."""
    changed = tmp_path / "run.py"
    changed.write_text(
        "import runpy, sys\n"
        "from lineread import fields\n"
        "text, *rest = fields.GENERATE.request\n"
        "fields.GENERATE = fields.GENERATE._replace(request=(text._replace(meaning=sys.argv.pop()), *rest))\n"
        "fields.CALLS = (fields.GENERATE, *fields.CALLS[1:])\n"
        f"runpy.run_path({str(ROOT / 'docs' / 'generate.py')!r}, run_name='__main__')\n",
        encoding="utf-8",
    )

    def checked(meaning: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(changed), "--check", meaning]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    done = checked("Something else.")
    assert done.returncode == 1
    assert "docs/fields.md" in done.stderr
    assert "docs/schemas/generate.request.json" in done.stderr
    assert "skills/alicloud-ai-audio-tts/references/api_reference.md" in done.stderr
    assert "fields" not in checked(GENERATE.field("text").meaning).stderr


def test_schema_files_are_json() -> None:
    """The files can be read by whoever wants to check a request before it is sent."""
    for path in (ROOT / "docs" / "schemas").glob("*.json"):
        jsonschema_rs.validator_for(json.loads(path.read_text(encoding="utf-8")))


def test_limits_are_told_in_full() -> None:
    """Large limits are numbers that people read, not powers of ten."""
    assert GENERATE.field("take").limits == "1 to 1000000"
    assert Field("x", "string", "X.", choices=("a", "b")).limits == "a, b"
    assert VOICE_DESIGN.field("voice_prompt").limits == f"up to {LONGEST_PROMPT} characters"


def test_the_formats_and_rates_that_are_declared_are_those_that_are_taken() -> None:
    """Each dialect declares every format that it takes, and each sample rate is told that not every format holds."""
    request = document()["components"]["schemas"]["DashScopeRequest"]
    parameters = request["properties"]["parameters"]["properties"]
    speech = {field.name: field for field in openai.FIELDS}
    assert set(parameters["response_format"]["enum"]) == set(dashscope_server.FORMATS)
    assert set(speech["response_format"].choices) == set(openai.FORMATS)
    for meaning in (parameters["sample_rate"]["description"], speech["sample_rate"].meaning):
        assert {int(rate) for rate in re.findall(r"\d{4,}", meaning)} == set().union(*SAMPLE_RATES.values())
