"""Wires settings, engines, wrappers, cache and pipeline into one object.

Owns the choice of the engine and the engines that are open. A process that makes one client and keeps it keeps its
connections and its loaded voice.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Self, TypeVar, overload

from lineread import _sync, config, pipeline, sinks
from lineread import plan as plans
from lineread.cache import Cache
from lineread.engines import registry
from lineread.engines.base import Engine, Wrapper
from lineread.errors import EngineUnknown, OptionError, VoiceError
from lineread.results import AsyncStream, Speech, Stream
from lineread.speech import LiveRequest, Request
from lineread.voices.casting import Casting

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from lineread.budget import Purse
    from lineread.config import Settings
    from lineread.engines.base import Turn
    from lineread.engines.enroller import Enroller
    from lineread.engines.link import Link
    from lineread.live.session import Live
    from lineread.plan import Plan
    from lineread.quote import Quote
    from lineread.speech import Chunk, Segment
    from lineread.voices.making import Made, Maker
    from lineread.voices.wishes import CloneWish, DesignWish

Asked = TypeVar("Asked", Request, LiveRequest)

#: Below the base of outputs; the place that agents' skills for Qwen TTS agreed on.
OUTPUT_PLACE = os.path.join("ai-audio-tts", "audio")


def tell(line: str) -> None:
    """Print a notice to standard error: the default for what a client has to say."""
    with suppress(OSError):  # a standard error that takes nothing is no reason not to speak
        print(f"lineread: {line}", file=sys.stderr)  # noqa: T201 - a notice is said on standard error


@dataclass(frozen=True, slots=True)
class Job:
    """A request that is ready to be spoken.

    Attributes:
        plan: What will be done.
        studio: Where it will be done.
        directory: Where its file goes when nobody names one.
        purse: What it is paid out of; None for no bound.
    """

    plan: Plan
    studio: pipeline.Studio
    directory: str
    purse: Purse | None = None

    @property
    def request(self) -> Request:
        """The request with everything filled in."""
        return self.plan.request

    @property
    def default_path(self) -> str:
        """The file that it is saved to when nobody names one."""
        return sinks.default_path(self.directory, self.plan.request, self.plan.key)

    def chunks(self) -> AsyncGenerator[Chunk, None]:
        """Speak it.

        Raises:
            OverBudget: It costs more than is left. It is not begun.
        """
        return pipeline.speak(self.plan, self.studio) if self.purse is None else self._paid(self.purse)

    def quote(self) -> Quote:
        """What it will cost, and how long it will be. Nothing is sent, nothing is loaded."""
        from lineread import quote  # noqa: PLC0415 - few ask

        return quote.quote(self.plan, self.studio)

    async def _paid(self, purse: Purse) -> AsyncGenerator[Chunk, None]:
        """Speak it out of a share of its own: what else is begun meanwhile cannot keep it from its end."""
        with purse.shared(self.quote().cost) as share:
            async with aclosing(pipeline.speak(replace(self.plan, share=share), self.studio)) as chunks:
                async for chunk in chunks:
                    yield chunk


#: The engine that makes likenesses of voices without the cloud.
REHEARSAL = "builtin"


class Client:
    """Speaks requests, by the cloud or by the machine.

    Args:
        engine: ``dashscope``, ``local``, ``builtin``, ``kokoro``, ``espeak``, ``fake`` or an installed package's; None
            lets settings decide: the cloud when there is a key, else the machine's own voices (``local``). An
            :class:`Engine` object is used as it is.
        fallback: The engine that speaks when the first one fails; the result says so. None never changes the voice.
        api_key: The DashScope key; None looks in the environment, ``.env`` and the credentials file.
        base_url: The service's HTTP base; None is the region's.
        region: ``cn-beijing`` or ``ap-southeast-1``.
        workspace: A Model Studio workspace id.
        cache: False keeps nothing and looks nothing up.
        cache_dir: Where finished segments are kept.
        output_dir: Base of the default output directory; ``OUTPUT_DIR``, else ``output``.
        warm: Realtime sockets that are kept ready for each model while live sessions are open, so that the next
            session does not wait for a connection.
        offline: No pack of voices is fetched. The cloud is not held back by it: choose an engine of the machine.
        budget: The most that this client may spend on speech and voices, such as ``5yuan`` or ``20000characters``;
            what costs more is refused before it begins. What the cache has, and the machine speaks, costs nothing.
        notice: Takes the lines that the user should know, such as which engine was chosen for lack of a key.

    Attributes:
        settings: The settings in force.
        casting: Finds ids of voices of the user's own.
        cache: Where finished segments are kept; None keeps nothing.
        purse: The budget, and what of it is spent; None for no bound.

    Raises:
        ConfigError: A setting has a value that it cannot have.
    """

    def __init__(
        self,
        *,
        engine: str | Engine | None = None,
        fallback: str | Engine | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        region: str | None = None,
        workspace: str | None = None,
        cache: bool = True,
        cache_dir: str | os.PathLike[str] | None = None,
        output_dir: str | os.PathLike[str] | None = None,
        warm: int = 1,
        offline: bool = False,
        budget: str | None = None,
        notice: Callable[[str], None] = tell,
    ) -> None:
        _check_engine("engine", engine)
        _check_engine("fallback", fallback)
        self.settings: Settings = config.resolve(
            api_key=api_key,
            cache=cache,
            warm=warm,
            offline="1" if offline else None,
            engine=engine if isinstance(engine, str) else None,
            fallback=fallback if isinstance(fallback, str) else None,
            base_url=base_url,
            region=region,
            workspace=workspace,
            cache_dir=None if cache_dir is None else os.fspath(cache_dir),
            output_dir=None if output_dir is None else os.fspath(output_dir),
        )
        self._engine = engine if isinstance(engine, Engine) else None
        self._fallback = fallback if isinstance(fallback, Engine) else None
        self.purse = None if budget is None else _purse(budget)
        self._notice = notice
        self._noticed: set[str] = set()
        self.settings = replace(self.settings, notice=self._say)
        self._open: dict[str, Engine] = {}
        self._opening = threading.Lock()  # many threads may make a client's first call at once
        directory = self.settings.cache_dir
        _sync.close_at_exit(self)
        self.casting = Casting(self.settings.data_dir)
        self.cache = None if directory is None else Cache(directory, max_bytes=self.settings.cache_bytes)

    @overload
    def generate(self, request: Request, *, stream: Literal[False] = False) -> Speech: ...
    @overload
    def generate(self, request: Request, *, stream: Literal[True]) -> Stream: ...
    @overload
    def generate(self, request: Request, *, stream: bool) -> Speech | Stream: ...

    def generate(self, request: Request, *, stream: bool = False) -> Speech | Stream:
        """Speak a request.

        Args:
            request: What to speak, and how.
            stream: True gives chunks as they come instead of the finished speech.

        Raises:
            LinereadError: See ``lineread.errors``. What is wrong with the request is raised here, before any sound.
        """
        plans.check_stream(stream)
        job = self.prepare(self.named(request))
        if stream:
            return Stream(job, _sync.Iteration(job.chunks()))
        return _sync.run(AsyncStream(job, job.chunks()).collect())

    @overload
    async def agenerate(self, request: Request, *, stream: Literal[False] = False) -> Speech: ...
    @overload
    async def agenerate(self, request: Request, *, stream: Literal[True]) -> AsyncStream: ...
    @overload
    async def agenerate(self, request: Request, *, stream: bool) -> Speech | AsyncStream: ...

    async def agenerate(self, request: Request, *, stream: bool = False) -> Speech | AsyncStream:
        """As :meth:`generate`, for callers with an event loop."""
        plans.check_stream(stream)
        job = self.prepare(await self.anamed(request))
        chunks = AsyncStream(job, job.chunks())
        return chunks if stream else await chunks.collect()

    def named(self, request: Asked) -> Asked:
        """The request with the id that its voice's name stands for, if that is one of the voice book.

        A voice that was allowed to be made for further models is made now, if it has to be.

        Raises:
            VoiceError: It is a voice of the book, and this engine or model cannot speak it.
            ConfigError: The engine or the voice book cannot work as it is set up.
            EngineError: The voice had to be made, and could not be.
        """
        return _sync.run(self.anamed(request))

    async def anamed(self, request: Asked) -> Asked:
        """As :meth:`named`, for callers with an event loop."""
        realtime = isinstance(request, LiveRequest)
        voice = await self.casting.id(request.voice, self.engine(), model=request.model, realtime=realtime)
        return request if voice is request.voice else replace(request, voice=voice)

    def prepare(self, request: Request) -> Job:
        """Check a request, choose its engine and say how it will be spoken. Nothing is sent, nothing is loaded.

        Args:
            request: Its voice is a system voice or an id; names of the voice book are :meth:`named` before.

        Raises:
            RequestError: What is asked cannot be done, or costs more than is left of the budget.
            ConfigError: The engine cannot work as it is set up.
        """
        job = self._planned(request)
        self._say_who_speaks(job.studio.engine, request, job.request)
        if self.purse is not None:
            self.purse.check(job.quote().cost)
        return job

    def found(self, request: Request) -> Request:
        """As :meth:`named`, of what there is: nothing is made for it.

        Raises:
            VoiceError: It is a voice of the book, and this engine or model cannot speak it; or it has to be made first.
            ConfigError: The engine or the voice book cannot work as it is set up.
        """
        voice = self.casting.find(request.voice, self.engine(), model=request.model, realtime=False)
        if voice is None:
            raise VoiceError(
                f"{request.voice} was not made for that model yet.",
                remedy=f"Make it first: lineread voices extend {request.voice}.",
                code="voice_not_made",
            )
        return request if voice is request.voice else replace(request, voice=voice)

    def quote(self, request: Request) -> Quote:
        """What a request will cost, and how long it will be. Nothing is sent or loaded.

        Args:
            request: As for :meth:`prepare`; names of the voice book are :meth:`found` before.

        Raises:
            RequestError: What is asked cannot be done.
            ConfigError: The engine cannot work as it is set up.
        """
        return self._planned(request).quote()

    def live(self, request: LiveRequest) -> Live:
        """A session in which text streams in while speech streams out. Nothing is sent before it is opened.

        Args:
            request: All but the text.

        Raises:
            RequestError: What is asked cannot be done.
            ConfigError: The engine cannot work as it is set up.
        """
        from lineread.live.session import Live  # noqa: PLC0415 - asyncio: nothing else has to load it

        plans.check(request)
        return Live(self.link(self.named(request)))

    def link(self, request: LiveRequest) -> Link:
        """What a session stands on. Arguments and errors as for :meth:`prepare`."""
        plans.check(request)
        engine = self.engine()
        link = engine.link(request)
        if link is None:
            from lineread.live.local import Local  # noqa: PLC0415 - as above

            link = Local(request, engine, self.cache)
        self._say_who_speaks(engine, request, link.request)
        return link

    async def make(self, wish: CloneWish | DesignWish) -> Made:
        """Make a voice of the user's own, and keep it in the voice book.

        Raises:
            RequestError: Something of the wish cannot be, or the engine makes no voices; nothing was sent anywhere.
            EngineError: It could not be made.
            ConfigError: The engine or the voice book cannot work as it is set up.
        """
        return await self.maker().make(wish)

    def maker(self) -> Maker:
        """What makes voices with this client's engine and keeps them in the voice book.

        Raises:
            OptionError: The engine makes no voices.
            ConfigError: It cannot work as it is set up.
        """
        from lineread.voices.making import Maker  # noqa: PLC0415 - asyncio: nothing else has to load it

        engine = self.engine()
        enroller = engine.enroller()
        if enroller is None:
            raise OptionError(
                f"The {engine.name} engine makes no voices.", remedy="Use --engine dashscope, or --engine builtin."
            )
        machine = None if enroller.engine == REHEARSAL else self._named(REHEARSAL).enroller()
        return Maker(enroller, self.casting.book, machine)

    def engine(self) -> Engine:
        """The engine that speaks this client's requests, with what belongs around it."""
        with self._opening:
            primary = self._engine or self._named(self.settings.chosen_engine)
            backup = self._fallback or self.settings.fallback
            if isinstance(backup, str):
                backup = self._named(backup)
            return self._equipped(primary, None if backup is primary else backup)

    def close(self) -> None:
        """Give back connections and loaded voices."""
        _sync.run(self.aclose())

    async def aclose(self) -> None:
        """As :meth:`close`, for callers with an event loop. A voice that is still being made is waited for."""
        await _sync.seen_to_end(self._say)
        with self._opening:
            engines = [*self._open.values()]
            self._open.clear()
        if self.cache is not None and self.cache.trouble:
            self._say(f"the cache could not keep everything ({self.cache.trouble}); see `lineread doctor`.")
        if any(isinstance(engine, _Equipped) and engine.used for engine in engines):
            await _sync.on_event_loop()
        for engine in engines:
            await engine.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def _planned(self, request: Request) -> Job:
        engine = self.engine()
        plan = plans.make(request, engine)
        studio = pipeline.Studio(engine, self.cache, plan.fingerprint)
        return Job(plan, studio, os.path.join(self.settings.output_dir, OUTPUT_PLACE), self.purse)

    def _named(self, name: str) -> Engine:
        if name not in self._open:
            self._open[name] = registry.create(name, self.settings)
        return self._open[name]

    def _equipped(self, primary: Engine, backup: Engine | None) -> Engine:
        mark = f"{id(primary)} {id(backup)}"
        if mark not in self._open:
            bare, behind = self._paid(primary), None if backup is None else self._paid(backup)
            self._open[mark] = _Equipped(bare, behind, self.settings, self.cache)
        return self._open[mark]

    def _paid(self, engine: Engine) -> Engine:
        """An engine that is paid for out of the client's purse, if it has one."""
        if self.purse is None:
            return engine
        from lineread.wrappers.budgeted import Budgeted  # noqa: PLC0415 - few have a budget

        return Budgeted(engine, self.purse)

    def _say_who_speaks(self, engine: Engine, asked: Request | LiveRequest, resolved: Request | LiveRequest) -> None:
        """Tell what the user could not know, and has not asked for."""
        if self._engine is None and self.settings.engine is None and self.settings.key is None:
            instead = f", not {asked.model}" if asked.model and asked.model != resolved.model else ""
            self._say(f"no DashScope key was found, so the machine's own voices speak (local){instead}.")
        if asked.instruction and not resolved.instruction:
            self._say(f"the {engine.name} engine cannot follow an instruction; it speaks without it.")

    def _say(self, line: str) -> None:
        if line not in self._noticed:
            self._noticed.add(line)
            self._notice(line)


def _check_engine(place: str, value: object) -> None:
    """Refuse what is no engine (its class, say), before it passes for "not given" and another voice speaks."""
    if not (value is None or isinstance(value, str | Engine)):
        raise EngineUnknown(
            f"{place} must be a name or an Engine object, not {type(value).__name__}.",
            remedy="Give a name such as 'builtin', or an object of a class made from lineread.Engine.",
        )


def _purse(budget: str) -> Purse:
    from lineread.budget import Budget, Purse  # noqa: PLC0415 - few have a budget

    return Purse(Budget.parse(budget))


class _Equipped(Wrapper):
    """An engine with everything around it that speaking needs.

    The wrappers are put on when the first segment has to be spoken: they need asyncio and numpy, and what the cache
    answers needs neither.
    """

    def __init__(self, inner: Engine, backup: Engine | None, settings: Settings, cache: Cache | None) -> None:
        super().__init__(inner)
        self._backup = backup
        self._settings = settings
        self._cache = cache
        self._whole: Engine | None = None
        self._behind: Engine | None = None
        self._linked = False

    @property
    def used(self) -> bool:
        """Something was spoken, so there may be connections to close."""
        return self._linked or self._whole is not None

    def link(self, request: LiveRequest, *, turn: Turn | None = None) -> Link | None:
        from lineread.wrappers import equip, turns  # noqa: PLC0415 - see above

        self._linked = True
        link = self.inner.link(request, turn=turn or turns(self._settings.state_dir))
        if link is None or self._backup is None:
            return link
        from lineread.live.standby import Standby  # noqa: PLC0415 - as above

        self._behind = self._behind or equip(self._backup, None, self._settings.state_dir)
        return Standby(request, link, self._behind, self._cache)

    def enroller(self, *, turn: Turn | None = None) -> Enroller | None:
        from lineread.wrappers import turns  # noqa: PLC0415 - see above

        self._linked = True
        return self.inner.enroller(turn=turn or turns(self._settings.state_dir))

    def wait(self, request: Request) -> float:
        return 0.0 if self._whole is None else self._whole.wait(request)

    def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        if self._whole is None:
            from lineread.wrappers import equip  # noqa: PLC0415 - see above

            self._whole = equip(self.inner, self._backup, self._settings.state_dir, cache=self._cache)
        return self._whole.stream(segment)

    async def aclose(self) -> None:
        """Close the engine and the one behind it."""
        await super().aclose()
        if self._backup is not None:
            await self._backup.aclose()
