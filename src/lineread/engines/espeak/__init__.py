"""The ``espeak`` engine: the robotic voices of a system ``espeak-ng``, for languages that no better one here has.

Owns what it accepts, how it is cut, its fingerprint and its chunks. No key, no network, no model: each segment is one
short run of the program.

    voices      who stands in for which voice, and how a request is read
    program     the installed program: place, version, a run of it
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lineread import catalogue, tongue
from lineread.engines import espeak_ng
from lineread.engines.base import Engine, Limits
from lineread.engines.espeak import program, voices
from lineread.errors import TextError, VoiceError
from lineread.speech import SAMPLE_RATE, Chunk, Facts
from lineread.text.characters import is_emoji

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from lineread.speech import Request, Segment

_MODEL: Final = "espeak-ng"
#: A sentence of that length is spoken in a few hundredths of a second.
_MOST_CHARACTERS: Final = 300
#: Runs of the program at the same time; each lasts less than a blink.
_CONCURRENCY: Final = 2


class Espeak(Engine):
    """Speaks the languages of the catalogue, and Hindi, with espeak-ng: robotic, and understood.

    Any model of the catalogue is accepted and none makes a difference; an instruction is left out, and the resolved
    request says so. Japanese is read where it is written in kana: espeak-ng cannot read kanji.
    """

    name = "espeak"
    version = "1"

    def resolve(self, request: Request) -> Request:
        """A system voice, a language that espeak-ng has, and text in letters that it reads; no instruction.

        Raises:
            VoiceError: There is no such voice, or it is one of the user's own.
            ModelError: There is no such model.
            OptionError: There is no such language.
            TextError: The text is in letters that the language is not written in, or has none.
            ConfigError: espeak-ng is not installed.
        """
        if catalogue.custom_family(request.voice) is not None:
            raise VoiceError(
                "espeak-ng has no voices of your own.", remedy="Use the engine builtin, or dashscope.", code="not_here"
            )
        voice = catalogue.voice(request.voice).id
        if request.model is not None and request.model != _MODEL:
            catalogue.model(request.model)
        language = _language(request)
        voices.check(request.text, language)
        espeak_ng.find()
        return replace(request, voice=voice, model=_MODEL, language_type=language, instruction=None)

    def limits(self, request: Request) -> Limits:
        """A sentence at a time."""
        return Limits(_MOST_CHARACTERS, by_sentence=True, concurrency=_CONCURRENCY)

    def fingerprint(self, request: Request) -> str:
        """It changes with this engine, with espeak-ng and with the voice's stand-in."""
        return f"{self.name}/{self.version}/{espeak_ng.version()}/{voices.stand_in(request).mark}"

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        """Speak one segment, in one chunk.

        Raises:
            EngineError: espeak-ng did not speak it.
        """
        request = segment.request
        person = voices.stand_in(request)
        options = person.options(request, segment.text)
        sound = await program.speak(options, readable(segment.text))
        facts = Facts(
            engine=self.name,
            fingerprint=self.fingerprint(request),
            model=f"{_MODEL}-{espeak_ng.version()}",
            stand_in=f"espeak-ng {person.name}, robotic, as {request.voice}",
        )
        yield Chunk(sound, SAMPLE_RATE, 0, segment.span, facts=facts)


def readable(text: str) -> str:
    """A text as espeak-ng shall get it: without emoji, commands of its own and its notation for phonemes."""
    shown = "".join(" " if is_emoji(sign) or ord(sign) < ord(" ") or sign == "\x7f" else sign for sign in text)
    while "[[" in shown:
        shown = shown.replace("[[", "[ [")
    return shown


def _language(request: Request) -> str:
    """The language to speak.

    Raises:
        OptionError: There is none of that name.
        TextError: The text does not tell.
    """
    asked = tongue.named(request.language_type)
    if asked != "Auto":
        return asked
    found = tongue.detect(request.text, voices.LANGUAGES)
    if found or not any(map(str.isalpha, request.text)):
        return found or "English"
    raise TextError(
        "The text is in none of the languages that espeak-ng is used for.",
        remedy="If it is, name it with language_type.",
        code="language_unsupported",
    )
