"""What a voice shall be: a clone of a sample or a design from a description, and what it is made for.

Owns what is asked of the makers of voices, its defaults, and what is refused of it before anything is sent anywhere.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from lineread import catalogue, tongue
from lineread.enrolment import LONGEST_PROMPT, describes
from lineread.errors import OptionError
from lineread.voices.record import LONGEST_CONSENT

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from lineread.enrolment import Kind
    from lineread.voices.sample import Sample

#: What a voice says when nobody gives it words, in each language of the catalogue.
GREETINGS: Final[Mapping[str, str]] = {
    "English": "Hello, this is my voice. Shall we read something together?",
    "Chinese": "你好，这是我的声音。我们一起读点什么吧？",
    "German": "Hallo, das ist meine Stimme. Wollen wir zusammen etwas lesen?",
    "Italian": "Ciao, questa è la mia voce. Leggiamo qualcosa insieme?",
    "Portuguese": "Olá, esta é a minha voz. Vamos ler alguma coisa juntos?",
    "Spanish": "Hola, esta es mi voz. ¿Leemos algo juntos?",
    "Japanese": "こんにちは、これが私の声です。一緒に何か読みませんか。",
    "Korean": "안녕하세요, 이것이 제 목소리입니다. 함께 무언가를 읽어 볼까요?",
    "French": "Bonjour, voici ma voix. Voulez-vous lire quelque chose avec moi ?",
    "Russian": "Здравствуйте, это мой голос. Прочитаем что-нибудь вместе?",
}
#: A description in Latin letters is in a language that is so likely and of which it has a word like these: names and
#: loan words are never enough.
_SURE: Final = 0.8
_SMALL_WORDS: Final = {
    "French": frozenset(["avec", "de", "des", "du", "elle", "et", "il", "la", "le", "les", "un", "une", "voix"]),
    "German": frozenset(["das", "der", "die", "ein", "eine", "einer", "eines", "mit", "stimme", "und", "von"]),
    "Italian": frozenset(["con", "di", "e", "il", "la", "lo", "un", "una", "uno", "voce"]),
    "Portuguese": frozenset(["com", "da", "de", "do", "e", "o", "os", "um", "uma", "voz"]),
    "Spanish": frozenset(["con", "de", "el", "la", "los", "muy", "un", "una", "voz", "y"]),
}
#: What stands in quotation marks.
_QUOTED: Final = r"«[^»]*»|“[^”]*”|\"[^\"]*\"|「[^」]*」|『[^』]*』"
#: A description in Latin letters may have so many of another script for each of its words.
_LETTERS_OF_A_WORD: Final = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a voice is made for.

    Attributes:
        model: The model that shall speak it; None takes the newest that fits.
        http: It shall speak over HTTP.
        realtime: It shall speak in live sessions.
        extend: Ids for further models may be made when they are needed.
        replace: It takes the place of a voice of that name.
    """

    model: str | None = None
    http: bool = True
    realtime: bool = False
    extend: bool = False
    replace: bool = False

    def __post_init__(self) -> None:
        """Refuse what is neither true nor false.

        Raises:
            OptionError: It is.
        """
        for name in ("http", "realtime", "extend", "replace"):
            if not isinstance(getattr(self, name), bool):
                raise OptionError(f"{name} must be true or false.", remedy="Write True or False, without quotes.")

    @property
    def transports(self) -> tuple[bool, ...]:
        """For each id that is needed, whether it is for live sessions."""
        return tuple(realtime for realtime, wanted in ((False, self.http), (True, self.realtime)) if wanted)


@dataclass(frozen=True, slots=True)
class CloneWish:
    """A voice to be cloned.

    Attributes:
        sample: The speech: a file's path, its bytes, a URL, or a sample that was loaded from one of these.
        name: What the voice shall be called; None for a name that is made of the sample.
        consent: What says that the speaker agrees to it.
        transcript: The words of the sample, if they are known.
        language_type: The sample's language; ``Auto`` if it is not known.
        wanted: What it is made for.
    """

    sample: str | os.PathLike[str] | bytes | Sample
    name: str | None
    consent: str | None
    transcript: str | None = None
    language_type: str = "Auto"
    wanted: Wanted = Wanted()
    kind: ClassVar[Kind] = "clone"


@dataclass(frozen=True, slots=True)
class DesignWish:
    """A voice to be designed.

    Attributes:
        prompt: The description, in Chinese or English.
        name: What the voice shall be called; None for a name that is made of the description.
        preview_text: What its preview shall say; None for a greeting.
        language_type: The preview's language; ``Auto`` if it is not known.
        wanted: What it is made for.
    """

    prompt: str
    name: str | None
    preview_text: str | None = None
    language_type: str = "Auto"
    wanted: Wanted = Wanted()
    kind: ClassVar[Kind] = "design"


def check_consent(consent: str | None) -> str:
    """A note of the speaker's consent.

    Raises:
        OptionError: There is none.
    """
    if not isinstance(consent, str) or not consent.strip():
        raise OptionError(
            "A voice is cloned only with its speaker's consent.",
            remedy="Say who agreed to what, and when, with consent (on the command line --consent, or --consent-file "
            "with a file of it), such as 'Ana Silva, by mail on 2026-11-20: narration of our videos'.",
            code="consent_missing",
        )
    return check_length("The note of consent", consent, LONGEST_CONSENT)


def check_prompt(prompt: str) -> str:
    """A description of a voice, without white space around it.

    Raises:
        OptionError: It is none: empty, too long, without a word, or in a language that nobody designs voices from.
    """
    prompt = check_length("The description", prompt, LONGEST_PROMPT)
    if not describes(prompt):
        raise OptionError(
            "The description has no words.", remedy="Say what the voice sounds like: 'A calm old man, low and slow.'"
        )
    if (language := _foreign(prompt)) is not None:
        raise OptionError(
            f"The description is in {language or 'another language'}, which Qwen's design does not understand.",
            remedy="Describe the voice in Chinese or English.",
            code="language_unsupported",
        )
    return prompt


def _foreign(prompt: str) -> str | None:
    """The language of a description, empty where it has no name here; None if it may be Chinese or English.

    A word for a voice may come from anywhere (`kawaii`, `femme fatale`, かわいい), and what the voice says as well.
    """
    prompt = re.sub(_QUOTED, " ", prompt)
    language = tongue.detect(prompt)
    if language in ("Chinese", "English") or not any(map(str.isalpha, prompt)):
        return None
    if tongue.by_script(prompt) == "Latin":
        words = set(re.findall(r"\w+", prompt.lower()))
        is_sure = tongue.likelihoods(prompt).get(language, 0.0) >= _SURE
        return language if is_sure and words & _SMALL_WORDS[language] else None
    known = len(re.findall("[A-Za-z]{2,}", prompt))
    others = sum(map(str.isalpha, re.sub("[A-Za-z]", "", prompt)))
    return None if known * _LETTERS_OF_A_WORD >= others else language


def check_length(what: str, text: str, most: int) -> str:
    """A text without white space around it.

    Args:
        what: What it is, for an error.
        text: The text.
        most: Most characters of it.

    Raises:
        OptionError: It is none, empty, or longer.
    """
    if not isinstance(text, str):
        raise OptionError(f"{what} must be a string, not {type(text).__name__}.", remedy="Write it in quotes.")
    text = text.strip()
    if not text:
        raise OptionError(f"{what} is empty.", remedy="Write it, in quotes.")
    try:
        text.encode()
    except UnicodeEncodeError:
        remedy = "Decode it from UTF-8."
        raise OptionError(f"{what} holds half a character (a lone surrogate).", remedy=remedy) from None
    if len(text) > most:
        raise OptionError(f"{what} has {len(text)} characters.", remedy=f"Shorten it to {most} at most.")
    return text


def named_after(what: bytes) -> str:
    """A name for a voice that was given none: the same for the same sample or description."""
    return f"voice_{hashlib.blake2b(what, digest_size=4).hexdigest()}"


def language_of(language_type: str, text: str | None) -> str:
    """A language as the book keeps it: that of the text where nobody names one, and nothing where there is none.

    The service takes what it is not told for Chinese.
    """
    language = catalogue.language(language_type)
    if language == "Auto":
        language = tongue.detect(text) if text else ""
    return language if language in catalogue.load().languages else ""


def greeting(language_type: str, prompt: str = "") -> str:
    """What a voice says when nobody gives it words.

    Args:
        language_type: Its language; ``Auto`` for that of the description.
        prompt: The description, in Chinese or English.

    Raises:
        OptionError: There is no such language.
    """
    chinese = sum("\u4e00" <= character <= "\u9fff" for character in prompt)
    described = "Chinese" if chinese * 3 > len(prompt) else "English"
    return GREETINGS.get(catalogue.language(language_type), GREETINGS[described])
