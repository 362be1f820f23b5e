"""The fields of requests and responses, declared once.

Owns each field's name, type, default, limits and meaning, and what the dialects call it. Everything that speaks of
fields is made from this: the checks of a plan, the request JSON of the command line, JSON Schema files, the server's
OpenAPI and the reference pages. Pure; imports nothing but the vocabulary.

Source of the names: the normalized interface of agents' skills for Qwen TTS; of the wire's: DashScope's and OpenAI's
references and SDKs of 2026.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lineread.speech import FORMATS, MODES, SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The default of a field that has none.
REQUIRED: Final = "(required)"
#: What a field's row says, in this order; every table of fields is made of it.
COLUMNS: Final = ("field", "type", "default", "limits", "meaning", "DashScope", "OpenAI")


class Field(NamedTuple):
    """One field.

    Attributes:
        name: What it is called.
        kind: ``string``, ``number``, ``integer``, ``boolean`` or ``array`` (of strings), as JSON Schema says it.
        meaning: What it is for, with its unit.
        default: What holds where it is left out; :data:`REQUIRED` if it may not be, None if there is nothing then.
        least: The smallest number that it may be.
        most: The largest number that it may be, or the most characters of a string.
        choices: All that it may be, where that is a short list.
        pattern: What a string has to match, as JSON Schema says it; its meaning says the same in words.
        example: A value that works.
        dashscope: Its place in DashScope's request or reply, such as ``input.text``; empty where it has none.
        openai: Its name in OpenAI's speech request; empty where it has none.
    """

    name: str
    kind: str
    meaning: str
    default: object = REQUIRED
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    pattern: str = ""
    example: object = None
    dashscope: str = ""
    openai: str = ""

    @property
    def required(self) -> bool:
        """It may not be left out."""
        return self.default is REQUIRED

    @property
    def limits(self) -> str:
        """What its value may be, in words; empty where its type says all."""
        if self.choices:
            return ", ".join(self.choices)
        if self.most is None:
            return ""
        bound = f"{self.most:.10g}"
        return f"up to {bound} characters" if self.kind == "string" else f"{self.least:.10g} to {bound}"

    @property
    def row(self) -> tuple[str, ...]:
        """It in a table, by :data:`COLUMNS`."""
        default = "required" if self.required else "" if self.default is None else json.dumps(self.default)
        return (self.name, self.kind, default, self.limits, self.meaning, self.dashscope, self.openai)

    def schema(self) -> dict[str, Any]:
        """It as JSON Schema."""
        schema: dict[str, Any] = {"type": self.kind, "description": self.meaning}
        if self.kind == "array":
            schema["items"] = {"type": "string"}
        if self.least is not None:
            schema |= {"minimum": self.least, "maximum": self.most}
        if self.choices:
            schema["enum"] = list(self.choices)
        if not self.required and self.default is not None:
            schema["default"] = self.default
        if self.kind == "string" and self.required:
            schema["minLength"] = 1
        if self.kind == "string" and self.most is not None:
            schema["maxLength"] = self.most
        if self.pattern:
            schema["pattern"] = self.pattern
        if self.example is not None:
            schema["examples"] = [self.example]
        return schema


class Call(NamedTuple):
    """A call of the normalized interface.

    Attributes:
        name: What it is called.
        meaning: What it does.
        request: What it takes.
        response: What it answers.
    """

    name: str
    meaning: str
    request: tuple[Field, ...]
    response: tuple[Field, ...]

    def field(self, name: str) -> Field:
        """The request's field of that name."""
        return next(field for field in self.request if field.name == name)

    def schemas(self) -> dict[str, dict[str, Any]]:
        """JSON Schema of the request and of the response; ``x-dashscope`` is a field's place on the wire."""
        return {"request": self._schema("request", self.request), "response": self._schema("response", self.response)}

    def _schema(self, part: str, fields: tuple[Field, ...]) -> dict[str, Any]:
        head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"{self.name} {part}"}
        schema = json_schema(fields)
        for field in fields:
            if field.dashscope:
                schema["properties"][field.name]["x-dashscope"] = field.dashscope
        return head | schema


GENERATE: Final = Call(
    "generate",
    "Speak a text.",
    request=(
        Field(
            "text",
            "string",
            "The words to speak; any length, in pieces where the model has a limit.",
            example="Hello, this is a short voice line.",
            dashscope="input.text",
            openai="input",
        ),
        Field(
            "voice",
            "string",
            "A voice of the catalogue, or a custom voice's id.",
            example="Cherry",
            dashscope="input.voice",
            openai="voice",
        ),
        Field(
            "language_type",
            "string",
            "The text's language: Chinese, English, German, Italian, Portuguese, Spanish, Japanese, Korean, French or "
            "Russian, in any case. It improves pronunciation; Auto leaves it to the model.",
            "Auto",
            example="English",
            dashscope="input.language_type",
            openai="language_type",
        ),
        Field(
            "instruction",
            "string",
            "How to speak, in Chinese or English; instruct models heed it.",
            None,
            most=8000,
            example="Warm and calm tone, slightly slower pace.",
            dashscope="parameters.instructions",
            openai="instructions",
        ),
        Field(
            "stream",
            "boolean",
            "Chunks of sound as they come, instead of one finished file.",
            False,  # noqa: FBT003 - a field's default
            dashscope="the header X-DashScope-SSE: enable",
        ),
        Field(
            "model",
            "string",
            "A model of the catalogue. DashScope's dialect needs one; elsewhere it is by default qwen3-tts-flash, or "
            "qwen3-tts-instruct-flash with an instruction.",
            None,
            example="qwen3-tts-instruct-flash",
            dashscope="model",
            openai="model",
        ),
        Field(
            "format",
            "string",
            "The file format: ogg holds Opus, pcm is signed 16-bit little-endian in one channel.",
            FORMATS[0],
            choices=FORMATS,
        ),
        Field(
            "rate",
            "number",
            "Speaking rate; 1 is the voice's own.",
            1.0,
            least=0.5,
            most=2.0,
            dashscope="parameters.speech_rate",
            openai="speed",
        ),
        Field(
            "pitch",
            "number",
            "Pitch, as a factor of the voice's own.",
            1.0,
            least=0.5,
            most=2.0,
            dashscope="parameters.pitch_rate",
            openai="pitch",
        ),
        Field(
            "volume",
            "integer",
            "Loudness: 50 is the voice's own, 0 is silence.",
            50,
            least=0,
            most=100,
            dashscope="parameters.volume",
            openai="volume",
        ),
        Field(
            "take",
            "integer",
            "Which reading of the same words: 2, 3, ... speak them anew, each at its price.",
            1,
            least=1,
            most=1_000_000,
            openai="take",
        ),
    ),
    response=(
        Field(
            "audio_url",
            "string",
            "Where the finished audio is: a file: URL of what was saved. Not in a stream's response.",
            None,
            dashscope="output.audio.url",
        ),
        Field(
            "audio_base64_pcm",
            "string",
            "The samples as Base64: signed 16-bit little-endian, one channel. Only in a stream's response.",
            None,
            dashscope="output.audio.data",
        ),
        Field("sample_rate", "integer", "Samples a second.", SAMPLE_RATE),
        Field("format", "string", "The file's format, or pcm in a stream's response.", FORMATS[0], choices=FORMATS),
    ),
)

REALTIME: Final = Call(
    "realtime",
    "Speak a text while it is still being written.",
    request=(
        GENERATE.field("text")._replace(
            meaning="The words to speak, or something that gives them piece by piece.",
            dashscope="input_text_buffer.append: text",
            openai="",
        ),
        GENERATE.field("voice")._replace(dashscope="session.voice", openai=""),
        GENERATE.field("instruction")._replace(dashscope="session.instructions", openai=""),
        Field(
            "sample_rate",
            "integer",
            "Samples a second of the sound; the service has 8000, 16000, 24000 and 48000.",
            SAMPLE_RATE,
            least=8000,
            most=48_000,
            dashscope="session.sample_rate",
        ),
        GENERATE.field("language_type")._replace(dashscope="session.language_type", openai=""),
        GENERATE.field("model")._replace(
            meaning="A realtime model of the catalogue; by default qwen3-tts-flash-realtime, or "
            "qwen3-tts-instruct-flash-realtime with an instruction.",
            example="qwen3-tts-flash-realtime",
            dashscope="the query's model",
            openai="",
        ),
        Field(
            "mode",
            "string",
            "Who says when text is spoken: the voice, as soon as it can be spoken well, or the writer, by a commit.",
            MODES[0],
            choices=MODES,
            dashscope="session.mode",
        ),
        GENERATE.field("rate")._replace(dashscope="session.speech_rate", openai=""),
        GENERATE.field("pitch")._replace(dashscope="session.pitch_rate", openai=""),
        GENERATE.field("volume")._replace(dashscope="session.volume", openai=""),
        Field(
            "response_format",
            "string",
            "How sound comes over the socket. What the library gives is PCM, whatever this is.",
            "pcm",
            choices=("pcm", "wav", "mp3", "opus"),
            dashscope="session.response_format",
        ),
        Field(
            "bit_rate",
            "integer",
            "Kilobits a second of mp3 and opus.",
            128,
            least=6,
            most=510,
            dashscope="session.bit_rate",
        ),
        Field(
            "optimize_instructions",
            "boolean",
            "Lets the cloud's model rewrite the instructions; needs instructions.",
            False,  # noqa: FBT003 - a field's default
            dashscope="session.optimize_instructions",
        ),
        Field(
            "enable_tn",
            "boolean",
            "Switches the cloud's own reading of numbers and signs; left out, the model decides.",
            None,
            dashscope="session.enable_tn",
        ),
    ),
    response=(
        Field(
            "audio_base64_pcm_chunks",
            "array",
            "The sound in pieces, each Base64: signed 16-bit little-endian, one channel.",
            dashscope="response.audio.delta: delta",
        ),
        Field("sample_rate", "integer", "Samples a second.", SAMPLE_RATE),
        Field(
            "finish_reason",
            "string",
            "stop: all was spoken. cancelled: it was told to fall silent.",
            choices=("stop", "cancelled"),
        ),
    ),
)

#: Fields that both ways of making a voice have.
_VOICE_NAME: Final = Field(
    "voice_name",
    "string",
    "What the voice is called from now on: digits, letters of the Latin alphabet and underscores. Left out, it is made "
    "of what the voice is made of.",
    None,
    most=16,
    pattern="^[A-Za-z0-9_]*$",
    example="narrator",
    dashscope="input.preferred_name",
)
_VOICE_STREAM: Final = GENERATE.field("stream")._replace(
    meaning="Chunks of what it says as they come, instead of one finished file.", dashscope=""
)
_VOICE_OPTIONS: Final = (
    GENERATE.field("model")._replace(
        meaning="The model that shall speak it; by default the newest that fits.",
        example=None,
        dashscope="input.target_model",
        openai="",
    ),
    Field(
        "realtime",
        "boolean",
        "Makes it for live sessions as well: each kind of model speaks only voices that were made for it.",
        False,  # noqa: FBT003 - a field's default
    ),
    Field(
        "extend",
        "boolean",
        "Allows making it for further models when they are needed, at the service's price.",
        False,  # noqa: FBT003 - a field's default
    ),
    Field(
        "replace",
        "boolean",
        "Lets it take the place of another voice of that name.",
        False,  # noqa: FBT003 - a field's default
    ),
    *(GENERATE.field(name)._replace(dashscope="", openai="") for name in ("format", "rate", "pitch", "volume", "take")),
)
_VOICE_RESPONSE: Final = (
    GENERATE.response[0]._replace(meaning="Where its words are: a file: URL. Only where it says some, and no stream."),
    GENERATE.response[1]._replace(meaning="Its words, as Base64 of PCM. Only in a stream's response.", dashscope=""),
    Field("voice_id", "string", "What it is called where it was made.", dashscope="output.voice"),
    Field(
        "request_id",
        "string",
        "The service's id of the call that made it; empty if it was made before.",
        "",
        dashscope="request_id",
    ),
)

VOICE_CLONE: Final = Call(
    "voice_clone",
    "Clone a voice from a sample of somebody's speech.",
    request=(
        Field(
            "voice_sample",
            "string",
            "The speech, ten to twenty seconds of one person's: a file's path, its bytes, or a URL.",
            example="me.wav",
            dashscope="input.audio.data",
        ),
        GENERATE.field("text")._replace(
            meaning="What it shall say first; left out, nothing.", default=None, dashscope="", openai=""
        ),
        _VOICE_NAME,
        _VOICE_STREAM,
        Field(
            "consent",
            "string",
            "Who agreed to what, and when. Kept with the voice; without it none is cloned.",
            example="Ana Silva, by mail on 2026-11-20: narration of our videos",
        ),
        Field("transcript", "string", "The words of the sample, if they are known.", None, dashscope="input.text"),
        GENERATE.field("language_type")._replace(
            meaning="The language of sample and text, in any case. Auto leaves it open.",
            dashscope="input.language (its ISO code)",
            openai="",
        ),
        *_VOICE_OPTIONS,
    ),
    response=_VOICE_RESPONSE,
)

VOICE_DESIGN: Final = Call(
    "voice_design",
    "Design a voice from a description.",
    request=(
        Field(
            "voice_prompt",
            "string",
            "What it sounds like, in Chinese or English.",
            most=2048,
            example="A dry, low-pitched museum guide in his fifties.",
            dashscope="input.voice_prompt",
        ),
        GENERATE.field("text")._replace(
            meaning="What it shall say first; left out, a greeting.",
            default=None,
            most=1024,
            dashscope="input.preview_text",
            openai="",
        ),
        _VOICE_NAME,
        _VOICE_STREAM,
        GENERATE.field("language_type")._replace(
            meaning="The text's language, in any case. Auto leaves it open.",
            dashscope="input.language (its ISO code)",
            openai="",
        ),
        *_VOICE_OPTIONS,
    ),
    response=_VOICE_RESPONSE,
)

CALLS: Final = (GENERATE, REALTIME, VOICE_CLONE, VOICE_DESIGN)

_RATES: Final = (
    "Samples a second of the audio. Opus can hold 8000, 12000, 16000, 24000 and 48000; mp3 and aac hold 11025, 22050, "
    "32000 and 44100 as well; the other formats hold any."
)

#: Fields that only DashScope's dialect has.
DASHSCOPE_ONLY: Final = (
    Field(
        "response_format",
        "string",
        "The format of the audio: opus and ogg are Opus in Ogg, pcm is signed 16-bit little-endian in one channel.",
        "wav",
        choices=("wav", "mp3", "pcm", "opus", "ogg", "flac"),
        dashscope="parameters.response_format",
    ),
    Field(
        "sample_rate",
        "integer",
        _RATES,
        SAMPLE_RATE,
        least=8000,
        most=48_000,
        dashscope="parameters.sample_rate",
    ),
    Field(
        "optimize_instructions",
        "boolean",
        "Whether the model may rewrite the instructions: checked, not relayed; they are followed as they are.",
        False,  # noqa: FBT003 - a field's default
        dashscope="parameters.optimize_instructions",
    ),
)

#: Fields that only OpenAI's dialect has.
OPENAI_ONLY: Final = (
    Field(
        "response_format",
        "string",
        "The format of the audio: opus comes in Ogg, pcm is signed 16-bit little-endian in one channel.",
        "mp3",
        choices=("mp3", "opus", "aac", "flac", "wav", "pcm"),
        openai="response_format",
    ),
    Field(
        "stream_format",
        "string",
        "audio sends the file's bytes as they come; sse sends events with Base64.",
        "audio",
        choices=("audio", "sse"),
        openai="stream_format",
    ),
    Field(
        "sample_rate",
        "integer",
        _RATES,
        None,
        least=8000,
        most=48_000,
        openai="sample_rate",
    ),
)


def json_schema(fields: Iterable[Field]) -> dict[str, Any]:
    """JSON Schema of an object with these fields and no others."""
    fields = tuple(fields)
    return {
        "type": "object",
        "properties": {field.name: field.schema() for field in fields},
        "required": [field.name for field in fields if field.required],
        "additionalProperties": False,
    }
