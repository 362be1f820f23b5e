"""The tools: what each is called, what it is for, what it takes and what it answers.

Owns these declarations. Arguments that the normalized interface has are its fields, with the meaning that they have
there. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lineread import catalogue
from lineread.errors import MalformedRequest, shortened
from lineread.fields import GENERATE, VOICE_CLONE, VOICE_DESIGN, Field, json_schema
from lineread.wire import body

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The voice that speaks when none is named.
VOICE: Final = "Cherry"
#: Most characters of a text, so that one call ends within an agent's patience: three hours of speech.
LONGEST_TEXT: Final = 100_000
#: Most voices of one preview.
MOST_PREVIEWS: Final = 10
#: Most bytes of sound in one answer. The protocol's own clients take no event of more than 1 MiB, which holds it in
#: Base64; it is 14 seconds of wav, or a minute and a half of mp3.
MOST_AUDIO: Final = 700_000


class Tool(NamedTuple):
    """A tool.

    Attributes:
        name: What agents call it by.
        title: What people read.
        meaning: What it does, and when to use it; agents choose by this.
        arguments: What it takes.
        answer: What it answers, as JSON Schema.
        reads: It changes nothing and costs nothing.
        repeats: The same call again changes nothing more, and costs nothing.
    """

    name: str
    title: str
    meaning: str
    arguments: tuple[Field, ...]
    answer: dict[str, Any]
    reads: bool = False
    repeats: bool = True

    @property
    def schema(self) -> dict[str, Any]:
        """What it takes, as JSON Schema."""
        return json_schema(self.arguments)

    def read(self, arguments: Mapping[str, object]) -> dict[str, Any]:
        """The arguments of a call, with the defaults of what was left out.

        Raises:
            MalformedRequest: One of them is unknown, missing or cannot be taken.
        """
        known = [field.name for field in self.arguments]
        for name in arguments:
            if name not in known:
                hint = catalogue.suggestion(name, known, f"It takes {', '.join(known)}.")
                raise MalformedRequest(f"{self.name} has no argument {shortened(name)!r}.", remedy=hint)
        return {field.name: body.value(field, arguments.get(field.name)) for field in self.arguments}


def _flag(name: str, meaning: str) -> Field:
    return Field(name, "boolean", meaning, default=False)


def _fact(name: str, kind: str, meaning: str) -> Field:
    """Something that an answer may say, and need not."""
    return Field(name, kind, meaning, None)


AUDIO: Final = _flag("audio", "Also answer with the sound itself, up to 14 seconds of wav or 80 of mp3.")
#: An argument of the user's own agents.
FILE: Final = Field(
    "file",
    "string",
    "Name of the file in the output folder, such as scene1/line3.mp3; the suffix tells the format. Left out, it is "
    "made of the text. A file with other content is never replaced: the new one gets a number.",
    None,
    example="scene1/line3.mp3",
)
_TEXT: Final = GENERATE.field("text")
_LANGUAGE: Final = GENERATE.field("language_type")
_SPOKEN: Final = (
    _TEXT,
    GENERATE.field("voice")._replace(
        default=VOICE, meaning="A voice of list_voices: a Qwen voice's name, or a custom voice's name or id."
    ),
    _LANGUAGE,
    GENERATE.field("instruction"),
    GENERATE.field("model")._replace(
        meaning="A model of the catalogue; by default qwen3-tts-flash, or qwen3-tts-instruct-flash with an instruction."
    ),
    GENERATE.field("rate"),
    GENERATE.field("pitch"),
    GENERATE.field("volume"),
    GENERATE.field("take"),
)

_FORMAT: Final = f"{GENERATE.field('format').meaning[:-1]}. Left out, it is wav."

_MONEY: Final = (
    _fact("yuan", "number", "What it cost; 0 on the machine and from the cache. Left out where nobody knows it."),
    _fact("budget", "string", "What may be spent in all; only where there is a budget."),
    _fact("left", "number", "What is left of the budget, in its unit."),
)
_SOUND: Final = (
    _fact("path", "string", "The file, where it lies on this machine."),
    _fact("audio_url", "string", "Where the sound can be fetched."),
    _fact("format", "string", "The file's format."),
    _fact("seconds", "number", "Length of the sound."),
    _fact("characters", "integer", "Billed characters; none for what the cache had."),
    _fact("cached", "boolean", "All of it was spoken before, and cost nothing."),
    _fact("engine", "string", "Who spoke: the cloud (dashscope) or one of this machine's engines."),
    _fact("model", "string", "The model that spoke."),
    _fact("voice", "string", "The voice that was asked for: its name, or the id that was given."),
    _fact("stand_in", "string", "What spoke in its place; left out where it spoke itself."),
)
_NOTES: Final = _fact("notes", "array", "What else there is to know, such as that another engine had to speak.")
_VOICE: Final = (
    Field("voice", "string", "What to call it when speaking."),
    Field("kind", "string", "Whose it is.", choices=("system", "clone", "design")),
    _fact("name", "string", "A Qwen voice's Chinese name."),
    _fact("gender", "string", "female or male."),
    _fact("age", "string", "child, young, middle or old."),
    _fact("dialect", "string", "The Chinese variety that it speaks, where that is not Mandarin."),
    _fact("description", "string", "What it sounds like."),
    _fact("models", "array", "The models that speak it."),
)


def _list_of(name: str, fields: tuple[Field, ...]) -> dict[str, Any]:
    schema = json_schema(fields)
    return {
        "type": "object",
        "properties": {name: {"type": "array", "items": schema}},
        "required": [name],
        "additionalProperties": False,
    }


SPEAK: Final = Tool(
    "speak",
    "Speak a text",
    "Turn a text into speech and keep it as an audio file. Use it for voice lines, narration, announcements. The same "
    "line again costs nothing. Ask quote first where money matters.",
    (*_SPOKEN, GENERATE.field("format")._replace(default=None, meaning=_FORMAT), AUDIO),
    json_schema((*_SOUND, *_MONEY, _NOTES)),
)
QUOTE: Final = Tool(
    "quote",
    "Quote a text",
    "Say what speaking a text will cost and how long it will be, before anything is paid for. Takes the arguments of "
    "speak. Nothing is sent anywhere.",
    _SPOKEN,
    json_schema(
        (
            Field("characters", "integer", "Billed characters of all of it: a Han character counts two."),
            Field("stored", "integer", "How many of these were spoken before and cost nothing."),
            Field("calls", "integer", "Calls of the engine that the rest takes."),
            _fact("yuan", "number", "Price of the rest; left out where the model bills tokens."),
            Field("seconds", "number", "About how long the sound will be."),
            Field("wait", "number", "Seconds that the account's calls a minute will take at least."),
            Field("engine", "string", "Who will speak."),
            _fact("model", "string", "The model that will speak; left out where the engine has none."),
            Field("voice", "string", "The voice that will speak."),
            _fact("clone_yuan", "number", "Price of cloning a voice here."),
            _fact("design_yuan", "number", "Price of designing a voice here."),
            *_MONEY[1:],
            _NOTES,
        )
    ),
    reads=True,
)
LIST_VOICES: Final = Tool(
    "list_voices",
    "List voices",
    "List the voices that can speak: Qwen's and your own, with gender, age and description. Use it to cast a voice. "
    "Qwen's voices speak every language.",
    (
        Field("gender", "string", "Only these.", None, choices=("female", "male")),
        Field("age", "string", "Only these.", None, choices=("child", "young", "middle", "old")),
        Field("dialect", "string", "Only voices of this Chinese variety.", None, example="Sichuan"),
        Field("model", "string", "Only the voices that this model speaks.", None, example="qwen3-tts-flash"),
        _flag("own", "Only voices of your own: cloned and designed ones."),
    ),
    _list_of("voices", _VOICE),
    reads=True,
)
PREVIEW: Final = Tool(
    "preview_voices",
    "Preview voices",
    f"Have up to {MOST_PREVIEWS} voices say one short line each, as mp3, to choose among them. Each line is kept, so "
    "hearing it again costs nothing.",
    (
        Field("voices", "array", f"One to {MOST_PREVIEWS} voices.", example=["Cherry", "Ethan"]),
        _TEXT._replace(default=None, meaning="What they shall say; a greeting if left out."),
        _LANGUAGE,
        AUDIO,
    ),
    _list_of("previews", (*_SOUND, _fact("error", "string", "Why this one did not speak."), *_MONEY, _NOTES)),
)
_MADE: Final = json_schema(
    (
        Field("voice", "string", "What to call it when speaking, from now on."),
        Field("voice_id", "string", "What it is called where it was made."),
        Field("target_model", "string", "The model that speaks it."),
        Field("fidelity", "string", "exact, or approximate where this machine's own voice was brought near."),
        _fact("request_id", "string", "The service's id of the call that made it."),
        _fact("path", "string", "What it says first, where that was asked for: the file."),
        _fact("audio_url", "string", "Where that can be fetched."),
        _fact("seconds", "number", "Length of it."),
        *_MONEY,
        _NOTES,
    )
)
_SAMPLE: Final = VOICE_CLONE.field("voice_sample")
CLONE: Final = Tool(
    "clone_voice",
    "Clone a voice",
    "Make a voice from a recording of somebody's speech: ten to twenty seconds of one person, clear. Only with that "
    "person's consent, which is kept with the voice: ask the user for it, never make it up.",
    (
        _SAMPLE._replace(meaning="The recording itself, as a data: URI: data:audio/wav;base64,UklGR..."),
        VOICE_CLONE.field("consent"),
        VOICE_CLONE.field("voice_name"),
        VOICE_CLONE.field("text"),
        VOICE_CLONE.field("transcript"),
        VOICE_CLONE.field("language_type"),
        AUDIO,
    ),
    _MADE,
    repeats=False,
)
DESIGN: Final = Tool(
    "design_voice",
    "Design a voice",
    "Make a voice from a description: who speaks, how old, in which tone and pace, for what. It costs as much as many "
    "lines, so look at list_voices first. Never describe a real person in order to sound like them.",
    (
        VOICE_DESIGN.field("voice_prompt"),
        VOICE_DESIGN.field("voice_name"),
        VOICE_DESIGN.field("text"),
        VOICE_DESIGN.field("language_type"),
        AUDIO,
    ),
    _MADE,
    repeats=False,
)

TOOLS: Final = (SPEAK, QUOTE, LIST_VOICES, PREVIEW, CLONE, DESIGN)


#: What the user's own agents can say besides.
_AT_HOME: Final = {
    SPEAK.name: (FILE,),
    CLONE.name: (
        _SAMPLE._replace(
            meaning="A file's path, or the recording itself as a data: URI: data:audio/wav;base64,UklGR..."
        ),
        VOICE_CLONE.field("realtime"),
    ),
    DESIGN.name: (VOICE_DESIGN.field("realtime"),),
}


def at_home(tool: Tool) -> Tool:
    """A tool as the user's own agents have it: they name files, and their voices are in the user's book."""
    fields = {field.name: field for field in (*tool.arguments, *_AT_HOME.get(tool.name, ()))}
    return tool._replace(arguments=tuple(fields.values()))
