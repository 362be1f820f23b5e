"""The voice book: voices of a user's own, by name.

Owns the files of ``<data directory>/voices``: a folder for each voice, with ``voice.json``, the sample that it was
cloned from and the preview of its design. ``voice.json`` is replaced in one step, after the files that it names are
there, and one process at a time changes the book: readers need no lock and never see half a voice. Names are the same
voice in any case. Keys never come here; an account is known by a fingerprint.

A voice has an id for each model that it was made for: the service's HTTP and realtime models each speak only voices
that were made for them, and so does the machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import zlib
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final

from lineread import catalogue, claims, enrolment
from lineread.enrolment import KINDS
from lineread.errors import ConfigError, OptionError, VoiceError, shortened

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import IO

    from lineread.claims import Claim
    from lineread.enrolment import Fidelity, Kind

_RECORD: Final = "voice.json"
_LOCK: Final = ".lock"
#: How the names of the files begin that a voice's folder is given here, and halves of them.
_OURS: Final = (f"{_RECORD}.", "sample.", "preview.")
_VERSION: Final = 1
#: Seconds after which a use is noted again: a book is not written to for every line.
_NOTE_EVERY: Final = 3600.0
#: Bytes of one file of an exported book; a sample has 10 MB at most.
_MOST_BYTES: Final = 32 << 20
#: Files of an exported book.
_MOST_FILES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Id:
    """What a voice is called where it was made.

    Attributes:
        voice: The id itself, opaque.
        engine: The engine that speaks it.
        place: Where it is kept; see ``engines.enroller``.
        account: A fingerprint of the account.
        target_model: The model that speaks it.
        created: When it was made, in ISO 8601, or as the service says it.
        fidelity: Whether it is the voice itself.
        settings: What the machine's own voice is set to.
        reasons: Why it is set so.
    """

    voice: str
    engine: str
    place: str
    account: str
    target_model: str
    created: str = ""
    fidelity: Fidelity = "exact"
    settings: Mapping[str, float] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()

    @property
    def realtime(self) -> bool:
        """It speaks in live sessions, not over HTTP. The machine's voices do both, whatever model they stand for."""
        model = catalogue.load().models.get(self.target_model)
        return model is not None and model.transport == "realtime"


@dataclass(frozen=True, slots=True)
class OwnVoice:
    """A voice of the user's own.

    Attributes:
        name: What requests may call it.
        kind: How it was made.
        created: When it was first made: UTC, ISO 8601.
        last_used: When it was last asked for, within an hour; empty if never.
        consent: The note of the speaker's consent, of a clone.
        prompt: The description of a design.
        preview_text: What the preview says.
        transcript: The words of the sample, where they were given.
        language: The language of sample or preview, where it was given.
        sample: File name of the sample in the voice's folder; empty without one.
        sample_sha256: The sample's hash, in hexadecimal.
        preview: File name of the preview in the voice's folder; empty without one.
        extend: Ids for further models may be made when they are needed, at the service's price.
        ids: One for each model that it was made for, the newest last.
    """

    name: str
    kind: Kind
    created: str
    last_used: str = ""
    consent: str = ""
    prompt: str = ""
    preview_text: str = ""
    transcript: str = ""
    language: str = ""
    sample: str = ""
    sample_sha256: str = ""
    preview: str = ""
    extend: bool = False
    ids: tuple[Id, ...] = ()

    def id_for(self, *, engine: str, place: str, account: str, model: str | None, realtime: bool) -> Id | None:
        """The id that a model speaks.

        Args:
            engine: The engine that will speak.
            place: Where it keeps its voices.
            account: The fingerprint of the account in use.
            model: The model that was asked for; None takes any that fits.
            realtime: It is for a live session.
        """
        here = [each for each in self.ids if (each.engine, each.place, each.account) == (engine, place, account)]
        if engine != "dashscope":  # the machine's voices speak for any model
            return here[-1] if here else None
        fits = [each for each in here if (each.target_model == model if model else each.realtime == realtime)]
        return fits[-1] if fits else None

    def with_id(self, made: Id) -> OwnVoice:
        """The same voice with one more id; an older one for the same model in the same place is forgotten."""

        def place(each: Id) -> tuple[str, ...]:
            return each.engine, each.place, each.account, each.target_model

        return replace(self, ids=(*(each for each in self.ids if place(each) != place(made)), made))


class Book:
    """The voices that a user has made.

    Args:
        directory: Where it is kept; made when the first voice is.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def find(self, name: str) -> OwnVoice | None:
        """The voice of that name, in any case; None if there is none.

        Raises:
            ConfigError: What is written of it cannot be read.
        """
        try:
            folder = self._folder(check_name(name))
        except OptionError:
            return None
        return _read(os.path.join(folder, _RECORD))

    def get(self, name: str) -> OwnVoice:
        """As :meth:`find`.

        Raises:
            VoiceError: There is none.
        """
        found = self.find(name)
        if found is None:
            known = [voice.name for voice in self.voices()]
            hint = catalogue.suggestion(name, known, "`lineread voices list --own` shows all.")
            raise VoiceError(f"There is no voice of your own called {shortened(name)!r}.", remedy=hint)
        return found

    def of(self, voice: str) -> OwnVoice | None:
        """The voice that has this id; None if none has."""
        return next((own for own in self.voices() if any(each.voice == voice for each in own.ids)), None)

    def voices(self) -> list[OwnVoice]:
        """All voices that can be read, by name.

        Raises:
            ConfigError: The book itself cannot be read.
        """
        return [each for each in self._all().values() if isinstance(each, OwnVoice)]

    def damaged(self) -> dict[str, ConfigError]:
        """The voices that cannot be read, by name, and what is wrong with each; raises as :meth:`voices`."""
        return {name: each for name, each in self._all().items() if isinstance(each, ConfigError)}

    def name(self, voice: str) -> str:
        """The name of a voice that is there, perhaps damaged.

        Args:
            voice: Its name, or one of its ids.

        Raises:
            VoiceError: There is none.
        """
        try:
            return (self.of(voice) or self.get(voice)).name
        except ConfigError:
            if voice.strip().casefold() in self.damaged():
                return voice.strip().casefold()
            raise

    def claim(self, name: str) -> Claim | None:
        """The right to make a voice of that name; None while somebody has it.

        Raises:
            ConfigError: The book cannot be written to.
        """
        try:
            os.makedirs(self._directory, 0o700, exist_ok=True)
            return claims.claim(os.path.join(self._directory, ".names"), zlib.crc32(name.casefold().encode()))
        except OSError as error:
            raise self._unwritable(error) from error

    def keep(self, voice: OwnVoice, files: Mapping[str, bytes] | None = None) -> None:
        """Write a voice down, in place of the one of that name.

        Args:
            voice: The voice.
            files: Contents of the files that it names.

        Raises:
            ConfigError: The book cannot be written to.
        """
        with self._alone():
            self._write(voice, files or {})
            self._sweep()

    def forget(self, name: str) -> None:
        """Forget a voice, damaged or not, with all that is kept of it.

        Raises:
            ConfigError: The book cannot be written to.
        """
        with self._alone():
            self._remove(name)

    def extend(self, name: str, made: Id) -> OwnVoice:
        """Note one more id of a voice.

        Raises:
            VoiceError: There is no such voice any more.
            ConfigError: The book cannot be written to.
        """
        with self._alone():
            voice = self.get(name).with_id(made)
            self._write(voice, {})
        return voice

    def drop(self, name: str, voices: frozenset[str]) -> OwnVoice | None:
        """Forget some ids of a voice, and the voice with its last one.

        Args:
            name: The voice's.
            voices: The ids.

        Returns:
            What is left of it.

        Raises:
            VoiceError: There is no such voice.
            ConfigError: The book cannot be written to.
        """
        with self._alone():
            voice = self.get(name)
            left = replace(voice, ids=tuple(each for each in voice.ids if each.voice not in voices))
            if left.ids:
                self._write(left, {})
                return left
            self._remove(voice.name)
        return None

    def note_use(self, voice: OwnVoice) -> None:
        """Remember that a voice was used. A book that cannot be written to is no reason not to speak."""
        now = time.time()
        folder = self._folder(voice.name)
        with suppress(OSError):
            if now - os.stat(os.path.join(folder, _RECORD)).st_mtime < _NOTE_EVERY and voice.last_used:
                return
        with suppress(OSError, ConfigError), self._alone():
            current = self.find(voice.name)
            if current is not None:
                self._write(replace(current, last_used=timestamp(now)), {})

    def file(self, voice: OwnVoice, name: str) -> str:
        """The path of a file of a voice's folder: its sample or its preview."""
        return os.path.join(self._folder(voice.name), os.path.basename(name))

    def read(self, voice: OwnVoice, name: str) -> bytes:
        """The contents of a file of a voice's folder.

        Raises:
            VoiceError: It is not there any more.
        """
        try:
            with open(self.file(voice, name), "rb") as file:
                return file.read()
        except OSError:
            raise VoiceError(
                f"{name or 'The sample'} of {voice.name} is no longer in the voice book.",
                remedy="Make the voice again, under the same name.",
            ) from None

    def export(self, path: str, names: list[str] | None = None) -> list[str]:
        """Write voices into one ZIP file, and give their names.

        Args:
            path: The file; replaced in one step if it is there.
            names: Which voices; None for all.

        Raises:
            VoiceError: One of them does not exist or lacks a file, or there is none.
            ConfigError: One of them cannot be read.
            OSError: It cannot be written.
        """
        partial = f"{path}.{os.urandom(6).hex()}.part"
        try:
            with open(partial, "xb") as file:
                exported = self.pack(file, names)
            os.replace(partial, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(partial)
            raise
        return exported

    def pack(self, file: IO[bytes], names: list[str] | None = None) -> list[str]:
        """As :meth:`export`, into a file that is open for writing; a pipe will do."""
        import zipfile  # noqa: PLC0415 - 10 ms that only an export has to pay

        names = [each.name for each in self.voices()] + [*self.damaged()] if names is None else names
        voices = [self.get(name) for name in names]
        if not voices:
            raise VoiceError("There are no voices of your own.", remedy="Make one: lineread voices design --help.")
        files: dict[str, bytes] = {}
        for voice in voices:  # all of it is read before any of it is written
            kept = {name: self.read(voice, name) for name in (voice.sample, voice.preview) if name}
            files |= {f"{voice.name}/{name}": data for name, data in {**kept, _RECORD: _encoded(voice)}.items()}
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, data in files.items():
                archive.writestr(path, data)
        return [voice.name for voice in voices]

    def take_in(self, path: str, *, replacing: bool = False) -> list[str]:
        """Take voices in from a file that :meth:`export` wrote, and give their names.

        Nothing is taken in unless all of it can be.

        Args:
            path: The file. It may come from anywhere: names are checked, sizes bounded.
            replacing: Voices of the same name are replaced; otherwise they are an error.

        Raises:
            OptionError: It is no such file, or a voice of that name is there.
            ConfigError: The book cannot be written to.
        """
        found = _unpacked(path)
        with self._alone():
            there = [voice.name for voice, _ in found if os.path.exists(self._record(voice.name))]
            if there and not replacing:
                raise OptionError(
                    f"The book already has {', '.join(there)}.", remedy="Use --replace, or delete them first."
                )
            for voice, files in found:
                self._write(voice, files)
            self._sweep()
        return [voice.name for voice, _ in found]

    def _folder(self, name: str) -> str:
        return os.path.join(self._directory, name.casefold())

    def _record(self, name: str) -> str:
        return os.path.join(self._folder(name), _RECORD)

    def _folders(self) -> list[str]:
        try:
            return sorted(name for name in os.listdir(self._directory) if not name.startswith("."))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ConfigError(
                f"The voice book at {self._directory} cannot be read: {error.strerror}.",
                remedy="Set LINEREAD_DATA_DIR to a directory of yours.",
            ) from error

    def _all(self) -> dict[str, OwnVoice | ConfigError]:
        """What is in each folder, by the folder's name: a voice, or why there is none that can be read."""
        found: dict[str, OwnVoice | ConfigError] = {}
        for folder in self._folders():
            try:
                voice = _read(self._record(folder))
            except ConfigError as error:
                found[folder] = error
            else:
                if voice is not None:
                    found[folder] = voice
        return found

    def _remove(self, name: str) -> None:
        import shutil  # noqa: PLC0415 - 5 ms that only a deletion has to pay

        folder = self._folder(check_name(name))
        os.unlink(os.path.join(folder, _RECORD))  # from here on it is gone, whatever happens to the rest
        shutil.rmtree(folder, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove the book's files that no voice names: what a killed process left half done, and replaced samples."""
        for folder in self._folders():
            path = os.path.join(self._directory, folder)
            with suppress(OSError, ConfigError):  # a damaged voice keeps all that it has
                voice = _read(self._record(folder))
                named = (_RECORD, *(() if voice is None else (voice.sample, voice.preview)))
                for file in os.listdir(path):
                    if file.startswith(_OURS) and file not in named:
                        os.unlink(os.path.join(path, file))
                if voice is None:
                    os.rmdir(path)

    def _write(self, voice: OwnVoice, files: Mapping[str, bytes]) -> None:
        folder = self._folder(check_name(voice.name))
        os.makedirs(folder, 0o700, exist_ok=True)
        for name, data in files.items():
            _replace(os.path.join(folder, os.path.basename(name)), data)
        _replace(os.path.join(folder, _RECORD), _encoded(voice))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else changes the book meanwhile. The lock goes with the process, however it ends.

        Raises:
            ConfigError: The book cannot be written to.
        """
        try:
            os.makedirs(self._directory, 0o700, exist_ok=True)
            lock = os.open(os.path.join(self._directory, _LOCK), os.O_RDWR | os.O_CREAT, 0o600)
            try:
                if sys.platform != "win32":
                    fcntl.flock(lock, fcntl.LOCK_EX)
                yield
            finally:
                os.close(lock)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> ConfigError:
        return ConfigError(
            f"The voice book at {self._directory} cannot be written: {error.strerror or type(error).__name__}.",
            remedy="Free it, or set LINEREAD_DATA_DIR to a place that can be written.",
        )


def check_name(name: str) -> str:
    """A name that a voice of the book may have, without white space around it.

    Raises:
        OptionError: It may not: the service would refuse it, or a system voice has it.
    """
    name = enrolment.check_name(name)
    if catalogue.knows(name):
        raise OptionError(f"{name} is a voice of Qwen's own.", remedy="Choose another name.", code="bad_voice_name")
    return name


def timestamp(seconds: float) -> str:
    """An instant in UTC, ISO 8601."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _encoded(voice: OwnVoice) -> bytes:
    return json.dumps({"version": _VERSION, **asdict(voice)}, ensure_ascii=False, indent=1).encode() + b"\n"


def _read(path: str) -> OwnVoice | None:
    try:
        with open(path, "rb") as file:
            return _decoded(file.read(_MOST_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.", remedy="Check its permissions.") from error
    except (ValueError, TypeError, KeyError, RecursionError):
        name = os.path.basename(os.path.dirname(path))
        raise ConfigError(
            f"{path} is no voice that this version can read.",
            remedy=f"Repair it, make the voice again with --replace, or let it go: lineread voices delete {name} "
            "--forget. What was made of it elsewhere stays there; `lineread voices remote` lists that.",
            code="voice_damaged",
        ) from None


def _decoded(data: bytes) -> OwnVoice:
    """A voice as it was written down.

    Raises:
        ValueError: It was not; or TypeError, or KeyError.
    """
    facts = json.loads(data)
    if facts.pop("version") != _VERSION or facts["kind"] not in KINDS:
        raise ValueError
    known = {each.name for each in fields(OwnVoice)}
    ids = tuple(_id(each) for each in facts.pop("ids"))
    voice = OwnVoice(**{name: value for name, value in facts.items() if name in known}, ids=ids)
    texts = (getattr(voice, each.name) for each in fields(OwnVoice) if each.name not in ("extend", "ids"))
    if not all(isinstance(text, str) for text in texts) or voice.name != check_name(voice.name):
        raise ValueError
    return voice


def _id(facts: dict[str, Any]) -> Id:
    known = {each.name for each in fields(Id)}
    kept = {name: value for name, value in facts.items() if name in known}
    kept["reasons"] = tuple(kept.get("reasons", ()))
    return Id(**kept)


def _replace(path: str, data: bytes) -> None:
    """Write a file in one step, as others see it, and so that it is there after a power cut: a voice costs money."""
    partial = f"{path}.{os.urandom(6).hex()}.part"
    try:
        with open(partial, "xb", opener=_private) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(partial)
        raise


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _unpacked(path: str) -> list[tuple[OwnVoice, dict[str, bytes]]]:
    """The voices of an exported book, with their files.

    Raises:
        OptionError: It is none.
    """
    import zipfile  # noqa: PLC0415 - as for the export

    shown = shortened(path)
    try:
        with zipfile.ZipFile(path) as archive:
            items = {item.filename: item.file_size for item in archive.infolist()}
            small = len(items) <= _MOST_FILES and all(size <= _MOST_BYTES for size in items.values())
            names = [name for name in items if small and name.endswith(f"/{_RECORD}")]
            found = [_unpacked_voice(archive, name) for name in names]
    except FileNotFoundError:
        raise OptionError(f"There is no file {shown!r}.", remedy="Check the path.") from None
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, OptionError, zipfile.BadZipFile):
        found = []  # zipfile has many ways to say that something is no ZIP file
    if not found:
        remedy = "Give a file that `lineread voices export` wrote."
        raise OptionError(f"{shown!r} is no exported voice book.", remedy=remedy)
    return found


def _unpacked_voice(archive: Any, record: str) -> tuple[OwnVoice, dict[str, bytes]]:  # noqa: ANN401 - zipfile is loaded late
    voice = _decoded(archive.read(record))
    folder = record.removesuffix(_RECORD)
    files = {name: archive.read(folder + name) for name in (voice.sample, voice.preview) if name}
    if any(os.path.basename(name) != name or name in (_RECORD, ".", "..") for name in files):
        raise ValueError
    sample = files.get(voice.sample, b"")
    if voice.sample and hashlib.sha256(sample).hexdigest() != voice.sample_sha256:
        raise ValueError
    if voice.kind == "clone" and not voice.consent.strip():
        raise ValueError
    return voice, files
