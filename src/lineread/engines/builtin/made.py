"""Voices that were made here: their files.

Owns one directory with a JSON file for each voice, named by its id. A file is written to a neighbour and renamed, so
a reader finds all of it or nothing; the neighbour's name is the voice's own, so that two processes never make the
same one. Nothing is changed after that. An id that has not the form of one never becomes a path. A file that cannot
be read as a voice says so, and can be deleted.

An id looks as the service's do: ``qwen-tts-vc-narrator-voice-20261118093012345-9ed2``, ``vd`` for a voice of design,
the time in UTC to the millisecond. Imports nothing heavy: a repeated line asks for its voice's settings.
"""

from __future__ import annotations

import json
import math
import os
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lineread import durable
from lineread.errors import ConfigError, VoiceError, shortened

if TYPE_CHECKING:
    from collections.abc import Mapping

_ID: Final = re.compile(r"qwen-tts-(v[cd])-[A-Za-z0-9_]{1,16}-voice-[0-9]{17}-[0-9a-f]{4}")
_SUFFIX: Final = ".json"
_TEMPORARY: Final = ".tmp"
#: Bytes of a file that are read: a description and a preview's text have a few thousand characters.
_MOST_BYTES: Final = 1 << 17
#: Seconds after which an unfinished file is nobody's: writing one takes milliseconds.
_STALE: Final = 3600.0
_VERSION: Final = 1


class Made(NamedTuple):  # a tuple: making a dataclass takes half a millisecond at import
    """What is written of a voice; see ``enrolment.Enrolled``.

    Attributes:
        voice: Its id.
        target_model: The model that it was made for.
        created: When it was made: UTC in ISO 8601.
        language: As it was asked for.
        prompt: The description of a designed voice.
        preview_text: What its preview says.
        settings: Those of its stand-in; see ``cast``.
        reasons: Why they are so.
    """

    voice: str
    target_model: str
    created: str
    language: str
    prompt: str
    preview_text: str
    settings: Mapping[str, float]
    reasons: tuple[str, ...]


class MadeVoices:
    """The voices of a directory. Safe with any number of threads and processes.

    Args:
        directory: Where they are kept; made with the first one.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def has(self, voice: str) -> bool:
        """Whether there is a voice of that id, perhaps damaged."""
        try:
            return os.path.lexists(self._path(voice))
        except VoiceError:
            return False

    def find(self, voice: str) -> Made:
        """What is written of a voice.

        Raises:
            VoiceError: There is none of that id (``voice_not_found``).
            ConfigError: Its file is damaged (``voice_damaged``), or cannot be read.
        """
        try:
            with open(self._path(voice), "rb") as file:
                data = file.read(_MOST_BYTES)
        except FileNotFoundError:
            raise not_found(voice) from None
        except OSError as error:
            raise self._unusable("read", error) from error
        try:
            return _decoded(voice, data)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            raise damaged(voice) from None

    def add(self, family: str, name: str, voice: Made) -> Made:
        """Keep a voice, and give it with its id and the time of its making.

        Args:
            family: ``vc`` or ``vd``: how it was made; see ``catalogue.CUSTOM_FAMILIES``.
            name: What its id shall contain; see ``enrolment.check_name``.
            voice: The rest of it.

        Raises:
            ConfigError: It cannot be written.
        """
        try:
            os.makedirs(self._directory, 0o700, exist_ok=True)
            self._sweep()
            while True:
                made = _named(family, name, voice)
                with suppress(FileExistsError):
                    self._write(made)
                    return made
        except OSError as error:
            raise self._unusable("written", error) from error

    def remove(self, voice: str) -> None:
        """Delete a voice, whatever its file holds.

        Raises:
            VoiceError: There is none of that id (``voice_not_found``).
            ConfigError: It cannot be deleted.
        """
        try:
            os.unlink(self._path(voice))
        except FileNotFoundError:
            raise not_found(voice) from None
        except OSError as error:
            raise self._unusable("written", error) from error

    def ids(self, family: str) -> list[str]:
        """The ids of all voices that were made that way, the newest first.

        Raises:
            ConfigError: The directory cannot be read.
        """
        try:
            names = os.listdir(self._directory)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._unusable("read", error) from error
        ids = (_ID.fullmatch(name.removesuffix(_SUFFIX)) for name in names if name.endswith(_SUFFIX))
        return sorted((form[0] for form in ids if form and form[1] == family), key=_when, reverse=True)

    def _path(self, voice: str) -> str:
        """Where a voice's file is, or would be.

        Raises:
            VoiceError: That is no id.
        """
        if not _ID.fullmatch(voice):
            raise not_found(voice)
        return os.path.join(self._directory, voice + _SUFFIX)

    def _write(self, voice: Made) -> None:
        """Write a voice that is not there yet.

        Raises:
            FileExistsError: It is, or somebody else is about to write it.
        """
        path = self._path(voice.voice)
        temporary = path + _TEMPORARY
        file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        try:
            with os.fdopen(file, "wb") as opened:
                opened.write(_encoded(voice))
                opened.flush()
                os.fsync(opened.fileno())  # a voice is made once, and its id is written down elsewhere
            _rename(temporary, path)
            durable.flush_directory(self._directory)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise

    def _sweep(self) -> None:
        """Remove what processes left behind that were killed while they wrote."""
        for entry in os.scandir(self._directory):
            with suppress(OSError):
                if entry.name.endswith(_TEMPORARY) and time.time() - entry.stat().st_mtime > _STALE:
                    os.unlink(entry.path)

    def _unusable(self, what: str, error: OSError) -> ConfigError:
        return ConfigError(
            f"The voices in {self._directory} cannot be {what}: {error.strerror or type(error).__name__}.",
            remedy="Free the directory, or set LINEREAD_DATA_DIR to a place that can be written.",
        )


def _rename(path: str, new: str) -> None:
    """Rename a file, unless there is one of that name. Nobody else is about to make one: see ``_write``."""
    if os.path.exists(new):
        raise FileExistsError(new)
    os.replace(path, new)


def not_found(voice: str) -> VoiceError:
    """There is no voice of that id."""
    return VoiceError(
        f"Voice not found: {shortened(voice)}.",
        remedy="`lineread voices` lists those that were made here; the service's own speak with their account's key.",
        code="voice_not_found",
    )


def damaged(voice: str) -> ConfigError:
    """What is written of a voice is not what was written."""
    return ConfigError(f"The file of the voice {voice} is damaged.", remedy="Make it again.", code="voice_damaged")


def _when(voice: str) -> str:
    """When a voice was made: what its id ends with."""
    return voice[-len("20261118093012345-9ed2") :]


def _named(family: str, name: str, voice: Made) -> Made:
    """A voice with an id and a time of its own."""
    now = time.time_ns() // 1_000_000
    moment = time.gmtime(now // 1000)
    digits = f"{time.strftime('%Y%m%d%H%M%S', moment)}{now % 1000:03}"
    id_ = f"qwen-tts-{family}-{name}-voice-{digits}-{os.urandom(2).hex()}"
    return voice._replace(voice=id_, created=time.strftime("%Y-%m-%dT%H:%M:%SZ", moment))


def _encoded(voice: Made) -> bytes:
    facts = voice._asdict() | {"settings": dict(voice.settings)}
    return json.dumps({"version": _VERSION, **facts}, ensure_ascii=False, indent=1).encode() + b"\n"


def _decoded(voice: str, data: bytes) -> Made:
    """A voice from its file.

    Raises:
        ValueError: That is none, or another one's; or what else it raises to be handed something else.
    """
    facts: dict[str, Any] = json.loads(data)
    if facts.pop("version") != _VERSION or facts["voice"] != voice or not isinstance(facts["reasons"], list):
        raise ValueError
    made = Made(**facts | {"settings": _numbers(facts["settings"]), "reasons": tuple(facts["reasons"])})
    if not all(isinstance(text, str) for text in (*made[: Made._fields.index("settings")], *made.reasons)):
        raise TypeError
    return made


def _numbers(settings: Mapping[str, object]) -> Mapping[str, float]:
    numbers = {name: value for name, value in settings.items() if isinstance(value, int | float)}
    if len(numbers) != len(settings) or not all(map(math.isfinite, numbers.values())):
        raise ValueError
    return {name: float(value) for name, value in numbers.items()}
