"""The ``dashscope`` engine: Qwen TTS in Alibaba's cloud.

Owns what a request means to the service: which model speaks, whether it has the voice, how long a segment may be.
How a segment is spoken is ``calls``, how the network is talked to ``http``, what is said there ``wire.dashscope``;
none of these is loaded before a segment has to be spoken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from lineread import catalogue
from lineread.engines.base import Engine, Limits, Quota
from lineread.errors import ConfigError, KeyMissing, ModelError, OptionError, VoiceError
from lineread.speech import Facts

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from lineread.catalogue import Model
    from lineread.config import Secret, Settings
    from lineread.engines.dashscope.calls import Caller
    from lineread.engines.dashscope.http import Answer
    from lineread.speech import Chunk, Request, Segment

Transport = Literal["sse", "url"]
"""How sound comes: as events while it is made, or as a file to fetch when it is finished."""

DEFAULT_MODEL: Final = "qwen3-tts-flash"
INSTRUCT_MODEL: Final = "qwen3-tts-instruct-flash"
#: Models that make voices; they speak at another address.
VOICE_MAKERS: Final = {"qwen-voice-enrollment": "vc", "qwen-voice-design": "vd"}
#: Characters of an instruction. The service counts 1,600 tokens; no text of this length fits into them.
MAX_INSTRUCTION: Final = 8000
#: Segments at a time: at three requests a second and two to three seconds for each, what an account can use.
CONCURRENCY: Final = 8

# Patterns as text: compiling them would cost each start of the command line a millisecond, and it needs none.
_LOOPBACK: Final = r"(localhost|127\.[\d.]+|\[::1\])(:\d+)?$"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Deadlines of one call, in seconds.

    Attributes:
        connect: For name, connection and TLS.
        idle: For any one wait. Without streaming the service makes all of the sound before it answers.
        total: For all waiting together. The time that the listener takes does not count.
    """

    connect: float = 10.0
    idle: float = 60.0
    total: float = 300.0


class DashScope(Engine):
    """Qwen TTS over HTTP.

    Args:
        key: The API key, which belongs to the base URL's region.
        base_url: Where the API is, such as ``https://dashscope.aliyuncs.com/api/v1``.
        workspace: Workspace id to send along; a workspace's own host needs none.
        transport: How sound comes. ``sse`` gives the first sound after half a second and saves the second request.
        timeouts: Deadlines of a call.
        concurrency: Segments spoken at the same time.

    Raises:
        ConfigError: The base URL holds a user name.
    """

    name = "dashscope"
    version = "1"

    def __init__(
        self,
        key: Secret,
        *,
        base_url: str,
        workspace: str | None = None,
        transport: Transport = "sse",
        timeouts: Timeouts = Timeouts(),
        concurrency: int = CONCURRENCY,
    ) -> None:
        self._place = base_url.partition("://")[2].partition("/")[0]
        if "@" in self._place:
            raise ConfigError("The base URL holds a user name.", remedy="Leave it out: the key is what lets you in.")
        self._key = key
        self._base_url = base_url
        self._workspace = workspace
        self._transport = transport
        self._timeouts = timeouts
        self._concurrency = concurrency
        self._opened: Caller | None = None

    @classmethod
    def configured(cls, settings: Settings) -> DashScope:
        """An engine with the key and the endpoint of the settings.

        Raises:
            KeyMissing: There is no key.
        """
        if settings.key is None:
            raise KeyMissing(
                "There is no DashScope key.",
                remedy="Set DASHSCOPE_API_KEY, or write it into .env; --engine builtin speaks without a key.",
            )
        return cls(settings.key, base_url=settings.base_url, workspace=settings.workspace)

    def resolve(self, request: Request) -> Request:
        """The request with model, voice and language as the service spells them.

        Raises:
            ModelError: The model is unknown, or cannot be called over HTTP.
            VoiceError: The voice is unknown, or the model lacks it.
            OptionError: The language is unknown, or the model ignores instructions.
        """
        model = _model(request)
        return replace(
            request,
            model=model.id,
            voice=_voice(request, model),
            language_type=catalogue.language(request.language_type),
            instruction=_instruction(request.instruction, model),
        )

    def fingerprint(self, request: Request) -> str:
        """The cloud's regions sound the same; whoever else answers in its place may speak with any voice."""
        mark = super().fingerprint(request)
        return mark if self._place.endswith(".aliyuncs.com") else f"{mark}@{self._place}"

    def limits(self, request: Request) -> Limits:
        """Segments as long as the model takes: each call costs a request of the account's minute."""
        return Limits(
            characters=catalogue.model(request.model or DEFAULT_MODEL).limit or Limits().characters,
            concurrency=self._concurrency,
        )

    def quota(self, request: Request) -> Quota | None:
        """The model's requests a minute, which all keys of an account share. A loopback server counts nothing."""
        if re.match(_LOOPBACK, self._place):
            return None
        model = catalogue.model(request.model or DEFAULT_MODEL)
        return Quota(f"{self.name}-{re.sub(r'[^A-Za-z0-9]+', '-', self._place)}-{model.id}", model.rpm)

    def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        """One call; the first chunk as soon as the service sends sound."""
        facts = Facts(self.name, self.fingerprint(segment.request), segment.request.model or "")
        return self._caller().speak(segment, facts)

    async def reachable(self) -> Answer:
        """Whether the service answers at all; the key is not tried.

        Raises:
            EngineError: It does not.
        """
        return await self._caller().reach()

    async def aclose(self) -> None:
        """Close this event loop's connections."""
        if self._opened is not None:
            await self._opened.aclose()

    def _caller(self) -> Caller:
        if self._opened is None:
            # aiohttp takes 0.2 s to load, and a line from the cache needs none of it.
            from lineread.engines.dashscope.calls import Caller  # noqa: PLC0415

            self._opened = Caller(
                self._key,
                base_url=self._base_url,
                workspace=self._workspace,
                streaming=self._transport == "sse",
                timeouts=self._timeouts,
            )
        return self._opened


def _model(request: Request) -> Model:
    """The model that shall speak, if it speaks over HTTP."""
    name = request.model or _default_model(request)
    if name in VOICE_MAKERS:
        speaker = _speaker(VOICE_MAKERS[name])
        raise ModelError(
            f"{name} makes voices; it does not speak.",
            remedy=f"Speak with {speaker.id} and the id of the voice that it made.",
            code="model_not_http",
        )
    model = catalogue.model(name)
    if model.transport != "http":
        voices = "with a voice made for it" if model.custom else "which has the same voices"
        raise ModelError(
            f"{model.id} speaks over the realtime socket only.",
            remedy=f"Use {_speaker(model.voices).id}, {voices}.",
            code="model_not_http",
        )
    return model


def _default_model(request: Request) -> str:
    family = _custom_family(request.voice)
    if family:
        return _speaker(family).id
    return INSTRUCT_MODEL if request.instruction else DEFAULT_MODEL


def _speaker(voices: str) -> Model:
    """The first HTTP model of the catalogue with those voices."""
    models = catalogue.load().models.values()
    return next(model for model in models if model.transport == "http" and model.voices == voices)


def _voice(request: Request, model: Model) -> str:
    """The voice as the service spells it, if the model has it."""
    family = _custom_family(request.voice)
    if family:
        if model.voices != family:
            raise VoiceError(
                f"{model.id} does not speak this custom voice.",
                remedy=f"Leave the model out, or use {_speaker(family).id}.",
                code="voice_not_in_model",
            )
        return request.voice
    if model.custom:
        return _opaque_voice(request.voice, model)
    voice = catalogue.voice(request.voice)
    if not model.has(voice):
        raise VoiceError(
            f"{model.id} does not have the voice {voice.id}.",
            remedy=_ways_out(request, voice, model),
            code="voice_not_in_model",
        )
    return voice.id


def _custom_family(voice: str) -> str | None:
    """How a custom voice was made, by the shape of its id; None for any other name."""
    return next((family for family in catalogue.CUSTOM_FAMILIES if voice.startswith(f"qwen-tts-{family}-")), None)


def _opaque_voice(name: str, model: Model) -> str:
    """A custom voice's id of a shape that we do not know, if it is no system voice."""
    known = {voice.casefold() for voice in catalogue.load().voices}
    if name.casefold() in known or not name.isascii():
        raise VoiceError(
            f"{model.id} speaks only voices of your own, not {name!r}.",
            remedy=f"Give the id of a custom voice, or use {DEFAULT_MODEL}.",
            code="voice_not_in_model",
        )
    return name


def _ways_out(request: Request, voice: catalogue.Voice, model: Model) -> str:
    models = catalogue.load().models.values()
    having = [each.id for each in models if each.transport == "http" and each.has(voice)]
    others = [each.id for each in catalogue.voices_of(model)]
    shown = ", ".join(others[:8]) + (f" and {len(others) - 8} more (`lineread voices`)" if len(others) > 8 else "")
    without = " without the instruction" if request.instruction and model.instructions else ""
    return f"{voice.id} speaks with {', '.join(having)}{without}; {model.id} has {shown}."


def _instruction(instruction: str | None, model: Model) -> str | None:
    """The instruction, if the model follows any."""
    if instruction is None:
        return None
    if not model.instructions:
        way_out = "Leave it out" if model.custom else f"Use {INSTRUCT_MODEL}, or leave it out"
        raise OptionError(
            f"{model.id} ignores instructions.",
            remedy=f"{way_out}: it would change nothing.",
            code="instruction_ignored",
        )
    if len(instruction) > MAX_INSTRUCTION:
        raise OptionError(
            f"The instruction has {len(instruction)} characters.",
            remedy=f"Shorten it to {MAX_INSTRUCTION} at most; one or two sentences do.",
            code="instruction_too_long",
        )
    return instruction.strip()
