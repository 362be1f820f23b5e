"""The ``local`` engine: the machine's own voices together, each for the sentences that it speaks best.

Owns who speaks which language: English the built-in voice, seven more Kokoro where its pack is installed, and all that
is left espeak-ng where that is. A text in one language is its voice's alone, as if that engine had been asked; in a
text with several, each sentence goes to the voice of its language.

    languages   which language each sentence is in
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

from lineread import catalogue, tongue
from lineread.engines.base import Engine, Limits
from lineread.engines.builtin import Builtin
from lineread.engines.local import languages
from lineread.errors import ConfigError, RequestError, ServiceFailed, TextError
from lineread.speech import Segment

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from lineread.config import Settings
    from lineread.engines.base import Turn
    from lineread.engines.enroller import Enroller
    from lineread.speech import Chunk, Request

_MODEL: Final = "local"
BUILTIN, KOKORO, ESPEAK = "builtin", "kokoro", "espeak"
#: Characters by which a sentence is found again.
_KNOWN_BY: Final = 12
#: What Kokoro speaks here; its English is left to the built-in voice, which needs no download.
_KOKORO: Final = frozenset({"Chinese", "Japanese", "Spanish", "French", "Italian", "Portuguese", "Hindi"})
#: Which engine's a resolved request in one language is, by its model; Kokoro's are all others.
_MEMBERS: Final = {"hibari": BUILTIN, "espeak-ng": ESPEAK}
_ENGLISH_ONLY: Final = (
    "Voices made on this machine speak English. Choose a system voice such as Cherry for this text, or speak it with a "
    "voice made by the cloud (--engine dashscope)."
)
_INSTALLS_KOKORO: Final = "`lineread voices install kokoro`"
#: Texts whose route is remembered.
_MOST_ROUTES: Final = 1024


@dataclass(frozen=True, slots=True)
class Route:
    """Who speaks a text.

    Attributes:
        speakers: The engine of each of its languages, the language with most of the text first.
        fingerprint: The mark of all of them together.
    """

    speakers: Mapping[str, str]
    fingerprint: str


class Local(Engine):
    """Speaks with the voices of this machine.

    Any model of the catalogue is accepted and none makes a difference; an instruction is left out, and the resolved
    request says so. Voices that were made here are the built-in voice's, and speak English.

    Args:
        settings: Where voices are kept.
    """

    name = "local"
    version = "1"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._builtin = Builtin.configured(settings)
        self._members: dict[str, Engine] = {BUILTIN: self._builtin}
        self._routes: dict[tuple[int, int, str], Route] = {}
        self._wanted = {BUILTIN}

    @classmethod
    def configured(cls, settings: Settings) -> Self:
        """One that keeps its voices in the directory of the settings."""
        return cls(settings)

    def resolve(self, request: Request) -> Request:
        """A voice that the engine of the text's language has, and for each of its languages an engine.

        A text in one language comes back as that language's engine resolves it; one in several as ``Auto``.

        Raises:
            VoiceError: There is no such voice.
            ModelError: There is no such model.
            OptionError: There is no such language.
            TextError: Nothing on this machine speaks it; the remedy says what would.
            ConfigError: An engine is broken.
        """
        if request.model == _MODEL:
            request = replace(request, model=None)
        language = tongue.named(request.language_type)
        if catalogue.custom_family(request.voice) is not None:
            self._wanted = {BUILTIN}
            try:
                return self._builtin.resolve(request)
            except TextError as error:
                if error.code == "language_unsupported":
                    error.remedy = _ENGLISH_ONLY
                raise
        parts = {language: request.text} if language != "Auto" else self._sorted(request.text)
        speakers = {each: self._speaker(each, request) for each in parts}
        self._wanted = set(speakers.values())
        self._tell_of_robots([each for each, name in speakers.items() if name == ESPEAK])
        if len(parts) == 1:
            ((language, name),) = speakers.items()
            return self._member(name).resolve(replace(request, language_type=language))
        resolved = {
            each: self._member(name).resolve(replace(request, text=parts[each], language_type=each))
            for each, name in speakers.items()
        }
        voice = next(iter(resolved.values())).voice
        self._remember(replace(request, voice=voice), speakers, resolved)
        return replace(request, voice=voice, model=_MODEL, language_type="Auto", instruction=None)

    def speakers(self) -> dict[str, str]:
        """The languages that this machine speaks now, and the engine that speaks each."""
        spoken = self._spoken()
        return {
            each: BUILTIN if each == "English" else KOKORO if self._kokoro_speaks(each) else ESPEAK
            for each in sorted(spoken, key=tongue.LANGUAGES.index)
        }

    def limits(self, request: Request) -> Limits:
        """As the engine of its language; for several, a sentence at a time, and what suits all of them."""
        if (route := self._route(request)) is None:
            return self._alone(request).limits(request)
        limits = [self._member(name).limits(request) for name in set(route.speakers.values())]
        return Limits(
            max(each.characters for each in limits),  # each speaks longer ones, too
            by_sentence=True,  # no shorter beginning: a clause alone may look like another language
            concurrency=min(each.concurrency for each in limits),
        )

    def fingerprint(self, request: Request) -> str:
        """That of the engine of its language, so that both have the same lines; of several, all of theirs."""
        route = self._route(request)
        return self._alone(request).fingerprint(request) if route is None else route.fingerprint

    def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        """Speak one segment with the voice of its language.

        Raises:
            EngineError: That engine did not speak it.
        """
        route = self._route(segment.request)
        return self._alone(segment.request).stream(segment) if route is None else self._routed(segment, route)

    def enroller(self, *, turn: Turn | None = None) -> Enroller | None:
        """Who makes voices: the built-in voice's."""
        return self._builtin.enroller(turn=turn)

    def warm(self) -> None:
        """Begin to load the voices that were asked for last."""
        for name in self._wanted:
            self._member(name).warm()

    async def aclose(self) -> None:
        """Close all of its engines."""
        for member in [*self._members.values()]:
            await member.aclose()

    async def _routed(self, segment: Segment, route: Route) -> AsyncGenerator[Chunk, None]:
        """A segment of a text in several languages."""
        language = languages.language(segment.text, [*route.speakers])
        member = self._member(route.speakers[language])
        words = replace(segment.request, text=segment.text, model=None, language_type=language)
        try:
            request = member.resolve(words)
        except (ConfigError, RequestError) as error:  # the text was resolved: the machine is another one since
            raise ServiceFailed(error.message, remedy=error.remedy) from error
        part = Segment(request, segment.index, 0, len(request.text), due=segment.due)
        async with aclosing(member.stream(part)) as chunks:
            async for chunk in chunks:
                facts = chunk.facts and replace(chunk.facts, fingerprint=route.fingerprint)
                yield replace(chunk, facts=facts).moved(segment.text_start)

    def _sorted(self, text: str) -> dict[str, str]:
        """The text by languages.

        Raises:
            TextError: Some of it is in none of them.
        """
        parts = languages.sort(text, self._spoken)
        if "" in parts:
            foreign = parts[""].strip()
            looks = languages.foreign_name(foreign) or "foreign"
            raise TextError(
                f"The text looks {looks} from character {{place}} on, which no voice on this machine speaks.",
                place=max(0, text.find(foreign[:_KNOWN_BY])),
                remedy="If that is wrong, name its language with language_type; what is spoken here is "
                f"{', '.join(self.speakers())}.",
                code="language_unsupported",
            )
        return parts or {"English": text}

    def _speaker(self, language: str, request: Request) -> str:
        """The engine that speaks a language.

        Raises:
            TextError: There is none.
        """
        if language in {"English", *_KOKORO} and not catalogue.knows(request.voice) and self._has_kokoro():
            return KOKORO  # its own voices are nobody else's: it will say what it lacks
        if language == "English":
            return BUILTIN
        if self._kokoro_speaks(language):
            return KOKORO
        from lineread.engines import espeak_ng  # noqa: PLC0415 - as above

        if espeak_ng.place() is not None:
            return ESPEAK
        ways = [*([self._way_to_kokoro(language)] if language in _KOKORO else []), f"`{espeak_ng.INSTALL}` (robotic)"]
        cloud = " Or set DASHSCOPE_API_KEY to speak it with Qwen." if language in catalogue.load().languages else ""
        raise _unsupported(f"No voice on this machine speaks {language}.", f"Install one: {', or '.join(ways)}.{cloud}")

    def _tell_of_robots(self, spoken: list[str]) -> None:
        """Tell of the languages that espeak-ng speaks, which nobody has chosen, and of what would speak them better."""
        if not spoken:
            return
        ways = {each: self._way_to_kokoro(each) for each in spoken if each in _KOKORO}
        better = " and ".join(dict.fromkeys(ways.values()))
        hint = f"; {better} brings a neural one for {' and '.join(ways)}" if ways else ""
        self._settings.notice(f"espeak-ng, a robotic voice, speaks {' and '.join(spoken)}{hint}.")

    def _spoken(self) -> frozenset[str]:
        """The languages that something here speaks."""
        from lineread.engines import espeak_ng  # noqa: PLC0415 - as above

        if espeak_ng.place() is not None:
            return frozenset(tongue.LANGUAGES)
        return frozenset({"English", *filter(self._kokoro_speaks, _KOKORO)})

    def _kokoro_speaks(self, language: str) -> bool:
        """Whether Kokoro is here, with what reads a language other than English to it."""
        from lineread.engines.kokoro import readers  # noqa: PLC0415 - English needs none of it

        return language in _KOKORO and not readers.install(language) and self._has_kokoro()

    def _way_to_kokoro(self, language: str) -> str:
        """The commands that bring a language's neural voice."""
        from lineread.engines.kokoro import readers  # noqa: PLC0415 - as above

        reader = readers.install(language)
        missing = [*([] if self._has_kokoro() else [_INSTALLS_KOKORO]), *([f"`{reader}`"] if reader else [])]
        return " with ".join(missing)

    def _has_kokoro(self) -> bool:
        from lineread.engines.kokoro import pack  # noqa: PLC0415 - English needs none of it

        return pack.is_whole(pack.directory(self._settings.data_dir))

    def _member(self, name: str) -> Engine:
        if name not in self._members:
            from lineread.engines import registry  # noqa: PLC0415 - it imports the engine by its name

            self._members.setdefault(name, registry.create(name, self._settings))
        return self._members[name]

    def _alone(self, request: Request) -> Engine:
        """The engine that resolved a request in one language: its model is that engine's own."""
        return self._member(_MEMBERS.get(request.model or "", KOKORO))

    def _route(self, request: Request) -> Route | None:
        """Who speaks a resolved request in several languages; None for one in one language."""
        if request.model != _MODEL:
            return None
        if (route := self._routes.get(_key(request))) is None:
            self.resolve(request)
            route = self._routes.get(_key(request))
        return route

    def _remember(self, request: Request, speakers: Mapping[str, str], resolved: Mapping[str, Request]) -> None:
        if len(self._routes) >= _MOST_ROUTES:
            self._routes.clear()
        marks = (f"{each}={self._member(name).fingerprint(resolved[each])}" for each, name in speakers.items())
        self._routes[_key(request)] = Route(speakers, f"{self.name}/{self.version}/{'+'.join(marks)}")


def _key(request: Request) -> tuple[int, int, str]:
    """What a route is found by. The text itself would be kept alive by it."""
    return hash(request.text), len(request.text), request.voice


def _unsupported(message: str, remedy: str) -> TextError:
    return TextError(message, remedy=remedy, code="language_unsupported")
