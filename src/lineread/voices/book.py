"""The voice book: voices of a user's own, by name.

Owns the files of ``<data directory>/voices``: a folder for each voice, with ``voice.json``, the sample that it was
cloned from and the preview of its design. ``voice.json`` is replaced in one step, after the files that it names are
there, and one process at a time changes the book: readers need no lock and never see half a voice. The names of these
files are made of their content, so that no record ever names another voice's. Names are the same voice in any case.
Keys never come here; an account is known by a fingerprint.

A voice has an id for each model that it was made for: the service's HTTP and realtime models each speak only voices
that were made for them, and so does the machine.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from lineread import catalogue, claims, enrolment
from lineread.enrolment import KINDS, Fidelity
from lineread.errors import ConfigError, LinereadError, OptionError, VoiceError, shortened

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import IO
    from zipfile import ZipFile

    from lineread.claims import Claim
    from lineread.enrolment import Kind

_RECORD: Final = "voice.json"
_LOCK: Final = ".lock"
#: How the names of the files begin that a voice's folder is given here, and halves of them.
_OURS: Final = (f"{_RECORD}.", "sample.", "preview.")
#: What a file of a voice's folder may be called, in a record that comes from anywhere.
_FILE: Final = re.compile(r"(?!voice\.json$)[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_VERSION: Final = 1
#: Seconds after which a use is noted again: a book is not written to for every line.
_NOTE_EVERY: Final = 3600.0
#: Bytes of one file of an exported book; a sample has 10 MB at most.
_MOST_BYTES: Final = 32 << 20
#: Files of an exported book, and bytes of them all: they are held in memory.
_MOST_FILES: Final = 10_000
_MOST_IN_ALL: Final = 512 << 20
#: What reading a record raises that is none.
_NONSENSE: Final = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)


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
        replaced: Ids of the voice that had the name before, until they are deleted where they were made.
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
    replaced: tuple[Id, ...] = ()

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
        folder = self._found(voice)
        if folder is not None and folder in self.damaged():
            return folder
        return (self.of(voice) or self.get(voice)).name

    def claim(self, name: str) -> Claim | None:
        """The right to make a voice of that name; None while somebody has it.

        Raises:
            ConfigError: The book cannot be written to.
        """
        try:
            os.makedirs(self._directory, 0o700, exist_ok=True)
            place = int.from_bytes(hashlib.sha256(name.strip().casefold().encode()).digest()[:7])
            return claims.claim(os.path.join(self._directory, ".names"), place)
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
            self._write([(voice, files or {})])
            self._sweep()

    def forget(self, name: str) -> None:
        """Forget a voice, damaged or not, with all that is kept of it. One that is not there is forgotten already.

        Raises:
            ConfigError: The book cannot be written to, or somebody is making the voice.
        """
        with self._claimed([name]), self._alone():
            self._remove(name)

    def extend(self, name: str, made: Id, files: Mapping[str, bytes] | None = None, **facts: str) -> OwnVoice:
        """Note one more id of a voice, beside whatever else has been noted of it meanwhile.

        Args:
            name: The voice's.
            made: The id.
            files: Contents of files that the voice names from now on.
            **facts: What else is written of it from now on, such as the name of its preview.

        Raises:
            VoiceError: There is no such voice any more.
            ConfigError: The book cannot be written to.
        """
        with self._alone():
            voice = replace(self.get(name).with_id(made), **facts)  # type: ignore[arg-type]
            self._write([(voice, files or {})])
            self._sweep()
        return voice

    def drop(self, name: str, voices: frozenset[str]) -> OwnVoice | None:
        """Forget some ids of a voice, also of those that it has replaced, and the voice with its last one.

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
            ids, replaced = (
                tuple(each for each in known if each.voice not in voices) for known in (voice.ids, voice.replaced)
            )
            left = replace(voice, ids=ids, replaced=replaced)
            if ids or replaced:
                self._write([(left, {})])
                return left
            self._remove(voice.name)
        return None

    def note_use(self, voice: OwnVoice) -> None:
        """Remember that a voice was used. A book that is busy, or cannot be written to, is no reason not to speak."""
        now = time.time()
        with suppress(OSError):
            if now - os.stat(self._record(voice.name)).st_mtime < _NOTE_EVERY and voice.last_used:
                return
        with suppress(LinereadError), self._alone(patient=False):
            self._write([(replace(self.get(voice.name), last_used=timestamp(now)), {})])

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
            OptionError: They are too much for one file.
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
        if not _bearable([len(data) for data in files.values()]):
            raise _too_much("The voices are")
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, data in files.items():
                archive.writestr(path, data)
        return [voice.name for voice in voices]

    def take_in(self, path: str, *, replacing: bool = False) -> list[str]:
        """Take voices in from a file that :meth:`export` wrote, and give their names.

        Nothing is taken in unless all of it can be.

        Args:
            path: The file. It may come from anywhere: names are checked, sizes and numbers bounded.
            replacing: Voices of the same name are replaced; otherwise they are an error.

        Raises:
            OptionError: It is no such file, or too large, or a voice of that name is there.
            ConfigError: The book cannot be written to, or somebody is making one of the voices.
        """
        found = _unpacked(path)
        with self._claimed([voice.name for voice, _ in found]), self._alone():
            there = [voice.name for voice, _ in found if os.path.exists(self._record(voice.name))]
            if there and not replacing:
                raise OptionError(
                    f"The book already has {', '.join(there)}.", remedy="Use --replace, or delete them first."
                )
            try:
                self._write(found)
            finally:
                self._sweep()
        return [voice.name for voice, _ in found]

    def _folder(self, name: str) -> str:
        return os.path.join(self._directory, name.casefold())

    def _record(self, name: str) -> str:
        return os.path.join(self._folder(name), _RECORD)

    def _found(self, name: str) -> str | None:
        """The folder of that name as it is written there, in any case, whatever is in it."""
        return next((each for each in self._folders() if each.casefold() == name.strip().casefold()), None)

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

        found = self._found(name)  # also where no voice of today may be called so
        if found is not None:
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(self._directory, found, _RECORD))  # from here on it is gone, whatever happens
            shutil.rmtree(os.path.join(self._directory, found), ignore_errors=True)

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

    def _write(self, voices: Iterable[tuple[OwnVoice, Mapping[str, bytes]]]) -> None:
        """Write voices down with their files: nothing is in the book before all of it is on the disk."""
        with ExitStack() as written:  # it is left in reverse: the files of a voice get their names before its record
            for voice, files in voices:
                folder = self._folder(check_name(voice.name))
                os.makedirs(folder, 0o700, exist_ok=True)
                for name, data in {_RECORD: _encoded(voice), **files}.items():
                    written.enter_context(_replacing(os.path.join(folder, name), data))

    @contextmanager
    def _claimed(self, names: Iterable[str]) -> Iterator[None]:
        """Nobody makes voices of these names meanwhile.

        Raises:
            ConfigError: Somebody does already, or the book cannot be written to.
        """
        with ExitStack() as rights:
            for name in names:
                right = self.claim(name)
                if right is None:
                    raise busy(name)
                rights.callback(right.release)
            yield

    @contextmanager
    def _alone(self, *, patient: bool = True) -> Iterator[None]:
        """Nobody else changes the book meanwhile. The lock goes with the process, however it ends.

        Args:
            patient: Whether to wait for somebody who changes it now.

        Raises:
            ConfigError: The book cannot be written to, or somebody changes it who is not waited for.
        """
        try:
            os.makedirs(self._directory, 0o700, exist_ok=True)
            lock = os.open(os.path.join(self._directory, _LOCK), os.O_RDWR | os.O_CREAT, 0o600)
            try:
                if sys.platform != "win32":
                    fcntl.flock(lock, fcntl.LOCK_EX if patient else fcntl.LOCK_EX | fcntl.LOCK_NB)
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


def file_name(what: Literal["sample", "preview"], data: bytes, suffix: str) -> str:
    """What a file of a voice's folder is called: by its content, so that a record never names another voice's.

    Args:
        what: What it is.
        data: Its content.
        suffix: What its format is called, such as ``wav``.
    """
    return f"{what}.{hashlib.sha256(data).hexdigest()[:16]}.{suffix}"


def busy(name: str) -> ConfigError:
    """Somebody makes a voice of that name."""
    return ConfigError(f"Another process is making the voice {name}.", remedy="Wait for it, or end it.")


def timestamp(seconds: float) -> str:
    """An instant in UTC, ISO 8601."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _encoded(voice: OwnVoice) -> bytes:
    return json.dumps({"version": _VERSION, **asdict(voice)}, ensure_ascii=False, indent=1).encode() + b"\n"


def _read(path: str) -> OwnVoice | None:
    """The voice of a record; None if there is no such file.

    Raises:
        ConfigError: It cannot be read, or is none, or another one's.
    """
    folder = os.path.basename(os.path.dirname(path))
    try:
        with open(path, "rb") as file:
            voice = _decoded(file.read(_MOST_BYTES))
        if voice.name.casefold() != folder:
            raise ValueError
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.", remedy="Check its permissions.") from error
    except _NONSENSE:
        raise ConfigError(
            f"{path} is no voice that this version can read.",
            remedy=f"Repair it, make the voice again with --replace, or let it go: lineread voices delete {folder} "
            "--forget. What was made of it elsewhere stays there; `lineread voices remote` lists that.",
            code="voice_damaged",
        ) from None
    return voice


def _decoded(data: bytes) -> OwnVoice:
    """A voice as it was written down.

    Raises:
        ValueError: It was not; or another one of ``_NONSENSE``.
    """
    facts = json.loads(data)
    if facts.pop("version") != _VERSION:
        raise ValueError
    ids, replaced = _ids(facts.pop("ids")), _ids(facts.pop("replaced", []))
    known = {each.name for each in fields(OwnVoice)}
    voice = OwnVoice(**{name: value for name, value in facts.items() if name in known}, ids=ids, replaced=replaced)
    _check_texts(getattr(voice, name) for name in known - {"extend", "ids", "replaced"})
    files = filter(None, (voice.sample, voice.preview))
    if voice.kind not in KINDS or not isinstance(voice.extend, bool) or not all(map(_FILE.fullmatch, files)):
        raise ValueError
    try:
        named = check_name(voice.name)
    except OptionError:
        raise ValueError from None
    if voice.name != named:
        raise ValueError
    return voice


def _ids(facts: object) -> tuple[Id, ...]:
    if not isinstance(facts, list):
        raise TypeError
    return tuple(map(_id, facts))


def _id(facts: dict[str, Any]) -> Id:
    known = {each.name for each in fields(Id)}
    made = Id(**{name: value for name, value in facts.items() if name in known})
    numbers = made.settings.values()
    if made.fidelity not in get_args(Fidelity) or not isinstance(made.reasons, list | tuple):
        raise ValueError
    if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
        raise ValueError
    _check_texts(getattr(made, name) for name in known - {"fidelity", "settings", "reasons"})
    _check_texts((*made.settings, *made.reasons))
    return replace(made, reasons=tuple(made.reasons))


def _check_texts(texts: Iterable[str]) -> None:
    """Refuse what is no text, or cannot be written down.

    Raises:
        TypeError: It is none.
        ValueError: It has half a character (a lone surrogate).
    """
    "".join(texts).encode()


@contextmanager
def _replacing(path: str, data: bytes) -> Iterator[None]:
    """Write a file, and give it its name in one step once the context is left, unless by an error.

    It is there after a power cut: a voice costs money.
    """
    partial = f"{path}.{os.urandom(6).hex()}.part"
    try:
        with open(partial, "xb", opener=_private) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(partial)
        raise


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _bearable(sizes: list[int]) -> bool:
    """Whether so many files of these sizes may be in an exported book."""
    return len(sizes) <= _MOST_FILES and sum(sizes) <= _MOST_IN_ALL


def _too_much(what: str) -> OptionError:
    return OptionError(
        f"{what} too much for one file: {_MOST_FILES:,} files and {_MOST_IN_ALL >> 20} MB is the most.",
        remedy="Export fewer at a time: lineread voices export FILE.zip NAME ...",
    )


def _unpacked(path: str) -> list[tuple[OwnVoice, dict[str, bytes]]]:
    """The voices of an exported book, with their files.

    Raises:
        OptionError: It is none, or too large.
    """
    import zipfile  # noqa: PLC0415 - as for the export

    shown = shortened(path)
    try:
        with zipfile.ZipFile(path) as archive:
            found = _unpacked_voices(archive)
    except FileNotFoundError:
        raise OptionError(f"There is no file {shown!r}.", remedy="Check the path.") from None
    except OptionError:
        raise
    except Exception:  # noqa: BLE001 - zipfile, and what unpacks for it, has no list of the ways to say that it is none
        found = []
    if not found:
        remedy = "Give a file that `lineread voices export` wrote."
        raise OptionError(f"{shown!r} is no exported voice book.", remedy=remedy)
    return found


def _unpacked_voices(archive: ZipFile) -> list[tuple[OwnVoice, dict[str, bytes]]]:
    """As :func:`_unpacked`. What is unpacked is never more than the archive's own list says.

    Raises:
        OptionError: It is too large.
        Exception: It is none.
    """
    items = archive.infolist()
    sizes = [item.file_size for item in items]
    if not _bearable(sizes):
        raise _too_much("That is")
    if max(sizes) > _MOST_BYTES or not _distinct(item.filename for item in items):
        raise ValueError
    records = [item.filename for item in items if item.filename.endswith(f"/{_RECORD}")]
    found = [_unpacked_voice(archive, record) for record in records]
    if not _distinct(voice.name for voice, _ in found):
        raise ValueError
    return found


def _distinct(names: Iterable[str]) -> bool:
    """Whether no two of them are the same in any case."""
    every = [name.casefold() for name in names]
    return len(set(every)) == len(every)


def _unpacked_voice(archive: ZipFile, record: str) -> tuple[OwnVoice, dict[str, bytes]]:
    """One of these voices, its files named by their content, whatever they were called.

    Raises:
        Exception: It is none.
    """
    voice = _decoded(archive.read(record))
    folder = record.removesuffix(_RECORD)
    if voice.kind == "clone" and not voice.consent.strip():
        raise ValueError
    files: dict[str, bytes] = {}
    if voice.sample:
        sample = archive.read(folder + voice.sample)
        if hashlib.sha256(sample).hexdigest() != voice.sample_sha256:
            raise ValueError
        voice = replace(voice, sample=file_name("sample", sample, voice.sample.rpartition(".")[2]))
        files[voice.sample] = sample
    if voice.preview:
        preview = archive.read(folder + voice.preview)
        voice = replace(voice, preview=file_name("preview", preview, voice.preview.rpartition(".")[2]))
        files[voice.preview] = preview
    return voice, files
