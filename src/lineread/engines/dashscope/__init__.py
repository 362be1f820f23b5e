"""The ``dashscope`` engine: Qwen TTS in Alibaba's cloud.

Owns what a request means to the service: which model speaks, whether it has the voice, how long a segment may be.
How a segment is spoken is ``calls``, how the network is talked to ``http``, what is said there ``wire.dashscope``; a
live session is ``link``, over the sockets of ``socket``; voices of the user's own are ``enrolment``. None of these is
loaded before it is needed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from lineread import catalogue
from lineread.engines.base import Engine, Limits, Quota
from lineread.errors import ConfigError, KeyMissing, ModelError, OptionError, VoiceError
from lineread.speech import Facts, LiveRequest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from lineread.budget import Tariff
    from lineread.catalogue import Model
    from lineread.config import Secret, Settings
    from lineread.engines.base import Turn
    from lineread.engines.dashscope.calls import Caller
    from lineread.engines.dashscope.enrolment import CloudEnroller
    from lineread.engines.dashscope.http import Answer
    from lineread.engines.dashscope.socket import Sockets
    from lineread.engines.link import Link
    from lineread.speech import Chunk, Request, Segment

Transport = Literal["sse", "url"]
"""How sound comes: as events while it is made, or as a file to fetch when it is finished."""

DEFAULT_MODEL: Final = "qwen3-tts-flash"
INSTRUCT_MODEL: Final = "qwen3-tts-instruct-flash"
#: What the ids of models of the realtime socket have behind those of HTTP models.
REALTIME: Final = "-realtime"
#: Samples a second that realtime models have.
SAMPLE_RATES: Final = (8000, 16_000, 24_000, 48_000)
#: The beginning of the ids of old models, which speak at 24 kHz and take no settings but voice, language and mode.
PLAIN_MODELS: Final = "qwen-tts"
#: Models that make voices; they speak at another address.
VOICE_MAKERS: Final = {"qwen-voice-enrollment": "vc", "qwen-voice-design": "vd"}
#: Requests a minute that each of them takes.
MAKERS_RPM: Final = 180
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
    """Qwen TTS: over HTTP, and over the realtime socket for live sessions.

    Args:
        key: The API key, which belongs to the base URL's region.
        base_url: Where the API is, such as ``https://dashscope.aliyuncs.com/api/v1``.
        workspace: Workspace id to send along; a workspace's own host needs none.
        transport: How sound comes. ``sse`` gives the first sound after half a second and saves the second request.
        timeouts: Deadlines of a call.
        concurrency: Segments spoken at the same time.
        warm: Sockets that are kept ready for each model while live sessions are open.

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
        warm: int = 1,
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
        self._warm = warm
        self._opened: Caller | None = None
        self._sockets: Sockets | None = None

    @classmethod
    def configured(cls, settings: Settings) -> DashScope:
        """An engine with the key and the endpoint of the settings.

        Raises:
            KeyMissing: There is no key.
        """
        if settings.key is None:
            raise KeyMissing(
                "There is no DashScope key.",
                remedy="Set DASHSCOPE_API_KEY, or write it into .env; the builtin engine speaks without a key.",
            )
        return cls(settings.key, base_url=settings.base_url, workspace=settings.workspace, warm=settings.warm)

    def resolve(self, request: Request) -> Request:
        """The request with model, voice and language as the service spells them.

        Raises:
            ModelError: The model is unknown, or cannot be called over HTTP.
            VoiceError: The voice is unknown, or the model lacks it.
            OptionError: The language is unknown, or the model ignores instructions.
        """
        model = _model(request)
        return replace(request, **_filled_in(request, model))

    def link(self, request: LiveRequest, *, turn: Turn | None = None) -> Link | None:
        """A session over the realtime socket; None for a model that speaks over HTTP.

        Args:
            request: All but the text.
            turn: Awaited before each new session with the service.

        Raises:
            ModelError: The model is unknown.
            VoiceError: The voice is unknown, or the model lacks it.
            OptionError: The language is unknown, or the model cannot do what is asked.
        """
        if request.model and request.model not in VOICE_MAKERS and catalogue.model(request.model).transport == "http":
            return None
        model = _model(request, "realtime")
        _check_settings(request, model)
        request = replace(request, **_filled_in(request, model))
        spoken = request.request("")
        quota = self.quota(spoken)

        async def wait() -> None:
            if quota is not None and turn is not None:
                await turn(quota)

        # aiohttp, as below.
        from lineread.engines.dashscope.link import RealtimeLink  # noqa: PLC0415

        facts = Facts(self.name, self.fingerprint(spoken), model.id)
        return RealtimeLink(request, self._realtime(), facts, turn=wait)

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
        model = catalogue.model(request.model or DEFAULT_MODEL)
        return self._quota(model.id, model.rpm)

    def tariff(self, request: Request | LiveRequest) -> Tariff:
        """The catalogue's price of the model. Whoever else answers in the service's place is taken to ask as much."""
        # Only who has a budget, or asks for a price, comes here.
        from lineread.budget import Tariff  # noqa: PLC0415
        from lineread.engines.dashscope.enrolment import place  # noqa: PLC0415

        return Tariff(catalogue.model(request.model or DEFAULT_MODEL).price(place(self._base_url)))

    def enroller(self, *, turn: Turn | None = None) -> CloudEnroller:
        """What makes voices for the realtime and HTTP models, over this engine's connections.

        Args:
            turn: Awaited before each request; None if nobody shares their limit.
        """
        from lineread.engines.dashscope.enrolment import CloudEnroller  # noqa: PLC0415 - few make voices

        async def wait(maker: str) -> None:
            quota = self._quota(maker, MAKERS_RPM)
            if quota is not None and turn is not None:
                await turn(quota)

        return CloudEnroller(self._key, self._base_url, self._caller, turn=wait)

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
        """Close this event loop's connections. Sessions that still go on end."""
        if self._sockets is not None:
            await self._sockets.aclose()
        if self._opened is not None:
            await self._opened.aclose()

    def _quota(self, model: str, per_minute: int) -> Quota | None:
        if re.match(_LOOPBACK, self._place):
            return None
        return Quota(f"{self.name}-{re.sub(r'[^A-Za-z0-9]+', '-', self._place)}-{model}", per_minute)

    def _realtime(self) -> Sockets:
        if self._sockets is None:
            from lineread.engines.dashscope.socket import Sockets  # noqa: PLC0415 - aiohttp, as below

            self._sockets = Sockets(
                self._key, base_url=self._base_url, workspace=self._workspace, timeouts=self._timeouts, warm=self._warm
            )
        return self._sockets

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


def _filled_in(asked: Request | LiveRequest, model: Model) -> dict[str, Any]:
    """What the engine decides, as the service spells it."""
    return {
        "model": model.id,
        "voice": _voice(asked, model),
        "language_type": catalogue.language(asked.language_type),
        "instruction": _instruction(asked.instruction, model),
    }


def _model(request: Request | LiveRequest, transport: str = "http") -> Model:
    """The model that shall speak, if it speaks that way."""
    name = request.model or _default_model(request, transport)
    if name in VOICE_MAKERS:
        speaker = _speaker(VOICE_MAKERS[name], transport)
        raise ModelError(
            f"{name} makes voices; it does not speak.",
            remedy=f"Speak with {speaker.id} and the id of the voice that it made.",
            code="model_not_http",
        )
    model = catalogue.model(name)
    if model.transport != transport:
        voices = "with a voice made for it" if model.custom else "which has the same voices"
        raise ModelError(
            f"{model.id} speaks over the realtime socket only.",
            remedy=f"Use {_speaker(model.voices).id}, {voices}.",
            code="model_not_http",
        )
    return model


def _default_model(request: Request | LiveRequest, transport: str) -> str:
    family = catalogue.custom_family(request.voice)
    if family:
        return _speaker(family, transport).id
    name = INSTRUCT_MODEL if request.instruction else DEFAULT_MODEL
    return name + REALTIME if transport == "realtime" else name


def _speaker(voices: str, transport: str = "http") -> Model:
    """The first model of the catalogue with those voices that speaks that way."""
    models = catalogue.load().models.values()
    return next(model for model in models if model.transport == transport and model.voices == voices)


def _kind(name: str, model: Model) -> str:
    """The model of that name that speaks the same way as another one."""
    return name + REALTIME if model.transport == "realtime" else name


def _check_settings(request: LiveRequest, model: Model) -> None:
    """Refuse settings that a realtime model does not have."""
    if request.sample_rate not in SAMPLE_RATES:
        raise OptionError(
            f"{model.id} does not speak at {request.sample_rate} Hz.",
            remedy=f"Choose one of {', '.join(map(str, SAMPLE_RATES))}.",
            code="sample_rate_not_in_model",
        )
    if not model.id.startswith(PLAIN_MODELS):
        return
    plain = LiveRequest(request.voice)
    for name in ("sample_rate", "response_format", "rate", "pitch", "volume", "bit_rate"):
        if getattr(request, name) != getattr(plain, name):
            raise OptionError(
                f"{model.id} has one {name}, which is {getattr(plain, name)}.",
                remedy=f"Leave it out, or use {DEFAULT_MODEL}{REALTIME}.",
                code="option_not_in_model",
            )


def _voice(request: Request | LiveRequest, model: Model) -> str:
    """The voice as the service spells it, if the model has it."""
    family = catalogue.custom_family(request.voice)
    if family:
        if model.voices != family:
            raise VoiceError(
                f"{model.id} does not speak this custom voice.",
                remedy=f"Leave the model out, or use {_speaker(family, model.transport).id}.",
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


def _opaque_voice(name: str, model: Model) -> str:
    """A custom voice's id of a shape that we do not know, if it is no system voice."""
    known = {voice.casefold() for voice in catalogue.load().voices}
    if name.casefold() in known or not name.isascii():
        raise VoiceError(
            f"{model.id} speaks only voices of your own, not {name!r}.",
            remedy=f"Give the id of a custom voice, or use {_kind(DEFAULT_MODEL, model)}.",
            code="voice_not_in_model",
        )
    return name


def _ways_out(request: Request | LiveRequest, voice: catalogue.Voice, model: Model) -> str:
    models = catalogue.load().models.values()
    having = [each.id for each in models if each.transport == model.transport and each.has(voice)]
    others = [each.id for each in catalogue.voices_of(model)]
    shown = ", ".join(others[:8]) + (f" and {len(others) - 8} more" if len(others) > 8 else "")
    without = " without the instruction" if request.instruction and model.instructions else ""
    return f"{voice.id} speaks with {', '.join(having)}{without}; {model.id} has {shown}."


def _instruction(instruction: str | None, model: Model) -> str | None:
    """The instruction, if the model follows any."""
    if instruction is None:
        return None
    if not model.instructions:
        way_out = "Leave it out" if model.custom else f"Use {_kind(INSTRUCT_MODEL, model)}, or leave it out"
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
