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

import errno
import hashlib
import os
import stat
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lineread import catalogue, claims, durable
from lineread.errors import ConfigError, LinereadError, OptionError, VoiceError, shortened
from lineread.sinks import PARTIAL
from lineread.voices.orders import Orders
from lineread.voices.record import RECORD, OwnVoice, check_name, decoded, encoded, merged, timestamp

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import IO, BinaryIO

    from lineread.claims import Claim
    from lineread.voices.record import Id

_LOCK: Final = ".lock"
#: How the names of the files begin that a voice's folder is given here, and halves of them.
_OURS: Final = (f"{RECORD}.", "sample.", "preview.")
#: Seconds after which a use is noted again: a book is not written to for every line.
_NOTE_EVERY: Final = 3600.0
#: Bytes of a record that are read: more has none.
_MOST_BYTES: Final = 32 << 20


class Book:
    """The voices that a user has made.

    Args:
        directory: Where it is kept; made when the first voice is.

    Attributes:
        orders: The voices that may have been made all the same.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self.orders = Orders(os.path.join(directory, ".orders"))

    def find(self, name: str) -> OwnVoice | None:
        """The voice of that name, in any case; None if there is none.

        Raises:
            ConfigError: What is written of it cannot be read.
        """
        try:
            folder = self._folder(check_name(name))
        except OptionError:
            return None
        return _read(os.path.join(folder, RECORD))

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

    def check_room(self, size: int) -> None:
        """Refuse to make a voice that could not be kept, before it is paid for.

        Args:
            size: Bytes of the files that it will have.

        Raises:
            ConfigError: There is less room.
        """
        import shutil  # noqa: PLC0415 - 5 ms that only a new voice has to pay

        try:
            os.makedirs(self._directory, 0o700, exist_ok=True)
            free = shutil.disk_usage(self._directory).free
        except OSError as error:
            raise self._unwritable(error) from error
        if free < size:
            raise self._unwritable(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

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
            path: The file; replaced in one step if it is there, and else for the user's eyes only: a voice is
                somebody's. A device or a pipe is written to.
            names: Which voices; None for all.

        Raises:
            VoiceError: One of them does not exist or lacks a file, or there is none.
            OptionError: They are too much for one file.
            ConfigError: One of them cannot be read.
            OSError: It cannot be written.
        """
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "wb") as file:
                return self.pack(file, names)
        path = os.path.realpath(path)
        partial = os.path.join(os.path.dirname(path), PARTIAL.format(os.urandom(8).hex()))
        try:
            with open(partial, "xb", opener=durable.private) as file:
                exported = self.pack(file, names)
            with suppress(FileNotFoundError):
                os.chmod(partial, stat.S_IMODE(os.stat(path).st_mode))
            os.replace(partial, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(partial)
            raise
        return exported

    def pack(self, file: IO[bytes], names: list[str] | None = None) -> list[str]:
        """As :meth:`export`, into a file that is open for writing; a pipe will do."""
        from lineread.voices import archive  # noqa: PLC0415 - zipfile, 10 ms that only an export has to pay

        if names is None and (damaged := self.damaged()):
            raise ConfigError(
                f"{', '.join(damaged)} cannot be exported: damaged.",
                remedy="Name the others after the file; `lineread voices list --own` says what to do about these.",
            )
        names = [each.name for each in self.voices()] if names is None else names
        voices = [(voice, self._files(voice)) for voice in map(self.get, names)]
        if not voices:
            raise VoiceError("There are no voices of your own.", remedy="Make one: lineread voices design --help.")
        archive.pack(file, voices)
        return [voice.name for voice, _ in voices]

    def take_in(self, source: str | BinaryIO, *, replacing: bool = False) -> list[str]:
        """Take voices in from a file that :meth:`export` wrote, and give their names.

        Nothing is taken in unless all of it can be.

        Args:
            source: The file's path, or a pipe that it comes through. It may come from anywhere: names are checked,
                sizes and numbers bounded.
            replacing: Voices of the same name are replaced; otherwise they are an error. No id of theirs is forgotten.

        Raises:
            OptionError: It is no such file, or too large, or a voice of that name is there, or has an id that another
                one has.
            ConfigError: The book cannot be written to, or somebody is making one of the voices.
        """
        from lineread.voices import archive  # noqa: PLC0415 - as for the export

        found = archive.unpack(source)
        with self._claimed([voice.name for voice, _ in found]), self._alone():
            there = [voice.name for voice, _ in found if os.path.exists(self._record(voice.name))]
            if there and not replacing:
                raise OptionError(
                    f"The book already has {', '.join(there)}.", remedy="Use --replace, or delete them first."
                )
            self._check_owners([voice for voice, _ in found])
            try:
                self._write([(self._beside(voice), files) for voice, files in found])
            finally:
                self._sweep()
        return [voice.name for voice, _ in found]

    def _beside(self, voice: OwnVoice) -> OwnVoice:
        """A voice that is taken in, with what the book knows of the one of that name."""
        with suppress(ConfigError):  # of a damaged one, nothing
            known = self.find(voice.name)
            return voice if known is None else merged(known, voice)
        return voice

    def _check_owners(self, taken: list[OwnVoice]) -> None:
        """Refuse ids that would belong to two voices: who deletes one would delete both.

        Raises:
            OptionError: There is one.
        """
        names = {voice.name.casefold() for voice in taken}
        owners = {
            each.voice: voice.name
            for voice in self.voices()
            for each in voice.owed
            if voice.name.casefold() not in names
        }
        for voice in taken:
            for each in voice.ids:
                if each.voice in owners:
                    owner = owners[each.voice]
                    raise OptionError(
                        f"{each.voice}, which is called {voice.name} there, is called {owner} here.",
                        remedy=f"Speak with it by that name, or forget that first: lineread voices delete {owner} "
                        "--forget.",
                    )

    def _files(self, voice: OwnVoice) -> dict[str, bytes]:
        """The files that a voice names; raises as :meth:`read`."""
        return {name: self.read(voice, name) for name in (voice.sample, voice.preview) if name}

    def _folder(self, name: str) -> str:
        return os.path.join(self._directory, name.casefold())

    def _record(self, name: str) -> str:
        return os.path.join(self._folder(name), RECORD)

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
            with suppress(FileNotFoundError, IsADirectoryError):
                os.unlink(os.path.join(self._directory, found, RECORD))  # from here on it is gone, whatever happens
            shutil.rmtree(os.path.join(self._directory, found), ignore_errors=True)

    def _sweep(self) -> None:
        """Remove the book's files that no voice names: what a killed process left half done, and replaced samples."""
        for folder in self._folders():
            path = os.path.join(self._directory, folder)
            with suppress(OSError, ConfigError):  # a damaged voice keeps all that it has
                voice = _read(self._record(folder))
                named = (RECORD, *(() if voice is None else (voice.sample, voice.preview)))
                for file in os.listdir(path):
                    if file.startswith(_OURS) and file not in named:
                        os.unlink(os.path.join(path, file))
                if voice is None:
                    os.rmdir(path)

    def _write(self, voices: Iterable[tuple[OwnVoice, Mapping[str, bytes]]]) -> None:
        """Write voices down with their files: nothing is in the book before all of it is on the disk.

        It is there after a power cut: a voice costs money.
        """
        with ExitStack() as written:  # it is left in reverse: the files of a voice get their names before its record
            written.callback(durable.flush_directory, self._directory)  # for the folders that are new
            for voice, files in voices:
                folder = self._folder(check_name(voice.name))
                os.makedirs(folder, 0o700, exist_ok=True)
                for name, data in {RECORD: encoded(voice), **files}.items():
                    written.enter_context(durable.replacing(os.path.join(folder, name), data))

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


def busy(name: str) -> ConfigError:
    """Somebody makes a voice of that name."""
    return ConfigError(f"Another process is making the voice {name}.", remedy="Wait for it, or end it.")


def _read(path: str) -> OwnVoice | None:
    """The voice of a record; None if there is no such file.

    Raises:
        ConfigError: It cannot be read, or is none, or another one's.
    """
    folder = os.path.basename(os.path.dirname(path))
    voice = None
    try:
        if stat.S_ISREG(os.stat(path).st_mode):  # one would wait for what comes through a pipe
            with open(path, "rb") as file:
                voice = decoded(file.read(_MOST_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.", remedy="Check its permissions.") from error
    except ValueError:
        pass
    if voice is None or voice.name.casefold() != folder:
        raise ConfigError(
            f"{path} is no voice that this version can read.",
            remedy=f"Repair it, make the voice again with --replace, or let it go: lineread voices delete {folder} "
            "--forget. What was made of it elsewhere stays there; `lineread voices remote` lists that.",
            code="voice_damaged",
        )
    return voice
