"""Where speech goes: a file, a stream, a player.

Owns writing audio. A sink is a context manager that takes PCM; what it wrote counts when it is left without an error.

A file appears under its name when it is whole and not before: it is written beside that name as a hidden file and
then moved, which is atomic. There is no ``fsync``: it protects from a power cut and not from anything that happens to
a process, it takes longer than all else that a repeated line needs, and a file lost in a power cut is made again from
the cache without cost. Directories that a path needs are made, also for a path that the user named: speech that was
paid for is worth more than a lesson about ``mkdir``.

When a reader closes its end (``lineread say -o - ... | head -c 1000``, or a player that was closed), nothing went
wrong: a sink then raises Python's own ``BrokenPipeError``. It is the sign to stop speaking, with an exit status of 0.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from contextlib import contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol, Self

from lineread.audio.codec import encoder, suffix_format
from lineread.errors import OptionError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from lineread.audio.codec import Encoder
    from lineread.speech import Request

#: Names of unfinished files. One that lies around was left by a process that was killed.
PARTIAL: Final = ".lineread-{}.part"
_PARTIAL_ENDS: Final = tuple(PARTIAL.split("{}"))
#: Seconds after which an unfinished file is nobody's. One that is being written changes every few seconds.
_STALE: Final = 86_400
#: One file in so many looks for such files beside it: in a full directory that takes longer than all else.
_SWEEP_EVERY: Final = 16

#: What the system says, in words that help: what is the matter, and what to do about it.
_REASONS: Final = {
    errno.EISDIR: ("is a directory", "Name a file in it."),
    errno.ENOTDIR: ("lies below something that is no directory", "Check the path."),
    errno.EACCES: ("cannot be written: permission denied", "Choose another place, or change its permissions."),
    errno.EPERM: ("cannot be written: permission denied", "Choose another place, or change its permissions."),
    errno.EROFS: ("lies on a read-only file system", "Choose another place."),
    errno.ENAMETOOLONG: ("has a name that is too long", "Choose a shorter one."),
    errno.ELOOP: ("leads through links in a circle", "Check the links."),
    errno.ENXIO: ("is no device that can be written", "Choose another place."),
    errno.ENODEV: ("is no device that can be written", "Choose another place."),
    errno.ENOSPC: ("could not be written: the disk is full", "Make room and try again; what was spoken is cached."),
    errno.EDQUOT: ("could not be written: your disk quota is used up", "Make room and try again."),
    errno.EFBIG: ("could not be written: it is larger than allowed", "Raise the limit (ulimit -f) or speak less."),
    errno.EIO: ("could not be written: the device failed", "Choose another place."),
}

_SLUG_CHARACTERS: Final = 40
_SLUG_BYTES: Final = 100
#: More of a text is not looked at for its slug.
_SLUG_SOURCE: Final = 400


class Sink(Protocol):
    """Where speech goes."""

    def write(self, pcm: bytes) -> None:
        """Take some more sound.

        Raises:
            OutputError: It cannot be written or played.
            BrokenPipeError: Whoever listens has had enough.
        """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_file(path: str | os.PathLike[str] | None, default: str, form: str, sample_rate: int) -> FileSink:
    """The file that a user named, or else the default one.

    Args:
        path: The name, or None. Its suffix decides the format.
        default: What :func:`default_path` gave.
        form: The format, where the name has no suffix.
        sample_rate: Samples a second.

    Raises:
        OptionError: The suffix names no format, or the path is none.
    """
    if path is None:
        return DefaultFileSink(default, form, sample_rate)
    if not isinstance(path, str | os.PathLike):
        raise OptionError(
            f"A file's path must be a string or a Path, not {type(path).__name__}.",
            remedy="The samples themselves are in speech.pcm.",
        )
    has_suffix = os.path.splitext(os.fspath(path))[1]
    return FileSink(path, suffix_format(path) if has_suffix else form, sample_rate)


def default_path(directory: str, request: Request, key: str) -> str:
    """The file for a request that names none, such as ``hello-this-is-a-short-line-cherry-1a2b3c4d.wav``.

    The same request always gets the same name, other requests get others. It holds letters, marks and digits of any
    script, so it is a valid name on every system.

    Args:
        directory: Where the file shall lie.
        request: What is spoken; its text gives the first words of the name.
        key: The key of the whole speech.
    """
    words = _slug(request.text.lstrip()[:_SLUG_SOURCE]) or "speech"
    voice = _slug(request.voice) or "voice"
    mark = key.rpartition("-")[2][:8]
    name = f"{words}-{voice}-{mark}.{request.format}"
    try:
        os.fsencode(name)
    except UnicodeEncodeError:  # a system whose file names are plain ASCII
        name = f"speech-{mark}.{request.format}"
    return os.path.join(directory, name)


def _slug(text: str) -> str:
    """A text's first words, in lower case and joined by hyphens."""
    plain = text.lower().replace("'", "").replace("’", "")
    words = "".join(each if _is_letter(each) else " " for each in plain).split()
    slug = ""
    for word in words:
        longer = f"{slug}-{word}" if slug else _cut(word)
        if longer != _cut(longer):
            break
        slug = longer
    return slug


def _is_letter(character: str) -> bool:
    """Whether it is a letter, a mark on one (which is no ``isalnum`` in Hindi or Thai), or a digit."""
    return character != "_" and f"x{character}".isidentifier()


def _cut(text: str) -> str:
    kept = text[:_SLUG_CHARACTERS].encode("utf-8", "ignore")[:_SLUG_BYTES]
    return kept.decode("utf-8", "ignore")


@contextmanager
def _explained(place: str) -> Iterator[None]:
    """Make the system's errors ours. A closed pipe stays what it is."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        reason, remedy = _REASONS.get(
            error.errno or 0, (f"could not be written: {error.strerror or type(error).__name__}", "Try another place.")
        )
        raise OutputError(f"{place} {reason}.", remedy=remedy) from error


def check(path: str | os.PathLike[str]) -> None:
    """Refuse a path that cannot become a file, before anything was spoken for it. Changes nothing on the disk.

    Raises:
        OutputError: It is a directory, lies below a file, or may not be written.
    """
    name = os.fspath(path)
    if not _is_name(name):
        raise OutputError(f"{name!r} is not a name that a file can have.", remedy="Choose another one.")
    with _explained(name):
        try:
            mode = os.stat(name).st_mode
        except FileNotFoundError:
            _check_directory(os.path.dirname(os.path.realpath(name)))
            if name.endswith(("/", os.sep)):
                raise IsADirectoryError(errno.EISDIR, "Is a directory") from None
            return
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "Is a directory")
        # Moving a file over a write-protected one works, but nobody who protected it wants that.
        _check_access(name, os.W_OK)


def _is_name(name: str) -> bool:
    try:
        return name != "" and b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:
        return False


def _check_directory(directory: str) -> None:
    """Raise the error that making a directory, and a file in it, would raise."""
    while not os.path.lexists(directory):
        directory, below = os.path.dirname(directory), directory
        if directory == below:  # a drive that does not exist
            raise FileNotFoundError(errno.ENOENT, "No such drive")
    if not os.path.isdir(directory):
        raise NotADirectoryError(errno.ENOTDIR, "Not a directory")
    _check_access(directory, os.W_OK | os.X_OK)


def _check_access(place: str, wanted: int) -> None:
    """Raise the error that writing there would raise."""
    if os.access(place, wanted):
        return
    if hasattr(os, "statvfs") and os.statvfs(place).f_flag & os.ST_RDONLY:
        raise OSError(errno.EROFS, "Read-only file system")
    raise PermissionError(errno.EACCES, "Permission denied")


def _sweep(directory: str) -> None:
    """Remove unfinished files of this user that were left there long ago. Others may do so at the same time."""
    first, last = _PARTIAL_ENDS
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.startswith(first) and entry.name.endswith(last) and _is_stale(entry):
                with suppress(OSError):
                    os.unlink(entry.path)


def _is_stale(entry: os.DirEntry[str]) -> bool:
    try:
        about = entry.stat(follow_symlinks=False)
    except OSError:
        return False
    is_mine = os.name != "posix" or about.st_uid == os.getuid()
    return is_mine and stat.S_ISREG(about.st_mode) and about.st_mtime < time.time() - _STALE


class FileSink:
    """A file that the user named. It replaces what lay there, at once and as a whole.

    A link is followed, so that the file that it names is replaced and not the link. Devices and named pipes are
    written as they are.

    Args:
        path: Where to.
        form: One of the formats of :mod:`lineread.audio.codec`.
        sample_rate: Samples a second.

    Attributes:
        path: Where the file is; final once the sink is left.
    """

    def __init__(self, path: str | os.PathLike[str], form: str, sample_rate: int) -> None:
        self.path = os.fspath(path)
        self._form = form
        self._sample_rate = sample_rate
        self._shown = self.path
        self._partial: str | None = None
        self._file: BinaryIO | None = None
        self._encoder: Encoder

    def __enter__(self) -> Self:
        with self._guarded():
            self._file = self._open(self._target())
            self._encoder = encoder(self._form, self._file, self._sample_rate)
        return self

    def write(self, pcm: bytes) -> None:
        """Take some more sound.

        Raises:
            OutputError: It cannot be written.
            BrokenPipeError: The path is a pipe, and its reader has closed it.
        """
        with _explained(self._shown):
            self._encoder.write(pcm)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the file in its place, or leave no trace of it after an error."""
        if error is not None:
            self._discard()
            return
        with self._guarded():
            self._encoder.close()
            self._close()
            if self._partial is not None:
                self._commit(self._partial)

    def _open(self, target: str | None) -> BinaryIO:
        if target is None:
            return open(self.path, "wb")
        directory = os.path.dirname(target) or os.curdir
        os.makedirs(directory, exist_ok=True)
        if os.urandom(1)[0] % _SWEEP_EVERY == 0:
            _sweep(directory)
        self._partial = os.path.join(directory, PARTIAL.format(os.urandom(8).hex()))
        return open(self._partial, "xb")

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _target(self) -> str | None:
        """Where the file will lie; None when there is a device or a pipe."""
        check(self.path)
        if os.path.exists(self.path) and not os.path.isfile(self.path):
            return None
        return os.path.realpath(self.path)

    def _commit(self, partial: str) -> None:
        target = os.path.realpath(self.path)
        with suppress(FileNotFoundError):
            os.chmod(partial, stat.S_IMODE(os.stat(target).st_mode))
        os.replace(partial, target)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Explain errors, and leave nothing behind after any."""
        try:
            with _explained(self._shown):
                yield
        except BaseException:
            self._discard()
            raise

    def _discard(self) -> None:
        with suppress(OSError):  # the disk is still full
            self._close()
        if self._partial is not None:
            with suppress(OSError):
                os.unlink(self._partial)


class DefaultFileSink(FileSink):
    """A file that the user did not name. It never replaces anything.

    A file of that name and content is left as it is. Beside one with other content, this one becomes ``...-2.wav``,
    or the next number that is free, also when several processes want the same name at once.
    """

    def __init__(self, path: str | os.PathLike[str], form: str, sample_rate: int) -> None:
        super().__init__(path, form, sample_rate)
        # Its name begins with the user's text, which has no place in an error message.
        self._shown = os.path.dirname(self.path) or os.curdir

    def _target(self) -> str:
        _check_directory(os.path.abspath(self._shown))
        return self.path

    def _commit(self, partial: str) -> None:
        for candidate in _numbered(self.path):
            if _is_new(partial, candidate) or _is_same(partial, candidate):
                self.path = candidate
                break
        with suppress(FileNotFoundError):
            os.unlink(partial)


def _numbered(path: str) -> Iterator[str]:
    yield path
    stem, suffix = os.path.splitext(path)
    yield from (f"{stem}-{number}{suffix}" for number in count(2))


def _is_new(partial: str, name: str) -> bool:
    """Give a finished file this name, if nothing has it. Of several processes one succeeds."""
    try:
        os.link(partial, name)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links, such as FAT
        return _is_reserved(partial, name)
    return True


def _is_reserved(partial: str, name: str) -> bool:
    """As :func:`_is_new`, with an empty file that holds the name for a moment."""
    try:
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    os.replace(partial, name)
    return True


def _is_same(one: str, other: str) -> bool:
    """Whether two names hold the same bytes."""
    try:
        if os.path.getsize(one) != os.path.getsize(other):
            return False
        with open(one, "rb") as ours, open(other, "rb") as theirs:
            return all(part == theirs.read(len(part)) for part in iter(lambda: ours.read(1 << 20), b""))
    except OSError:  # a directory, or a file that is not ours to read
        return False


class StreamSink:
    """An open binary stream, such as standard output. It is left open.

    Args:
        stream: Where to; a pipe will do.
        form: One of the formats of :mod:`lineread.audio.codec`.
        sample_rate: Samples a second.
    """

    def __init__(self, stream: BinaryIO, form: str, sample_rate: int) -> None:
        self._stream = stream
        self._form = form
        self._sample_rate = sample_rate
        self._encoder: Encoder

    def __enter__(self) -> Self:
        with _explained("The output"):
            self._stream.flush()
            self._encoder = encoder(self._form, _Unbuffered(self._stream), self._sample_rate)
        return self

    def write(self, pcm: bytes) -> None:
        """Take some more sound; its bytes leave at once.

        Raises:
            OutputError: They cannot be written.
            BrokenPipeError: The reader has closed its end.
        """
        with _explained("The output"):
            self._encoder.write(pcm)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the end, unless something went wrong: then a stream that breaks off tells the truth."""
        if error is None:
            with _explained("The output"):
                self._encoder.close()


class _Unbuffered:
    """A stream past its buffer.

    Sound shall leave at once. And what a full disk refuses must not wait in a buffer: Python would try again at the
    end of the process, complain once more and change the exit status.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._raw: BinaryIO = getattr(stream, "raw", stream)
        self.seekable = self._raw.seekable
        self.tell = self._raw.tell
        self.seek = self._raw.seek

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._raw.write(rest) :]
        except OSError as error:
            if os.name == "nt" and error.errno == errno.EINVAL:  # what Windows says of a closed pipe
                raise BrokenPipeError(errno.EPIPE, "Broken pipe") from error
            raise


class Player:
    """Plays sound as it comes, by the first player program that is installed, and waits until it was heard.

    Leaving it by an error (Ctrl-C is one) silences it at once.

    Args:
        sample_rate: Samples a second.
        command: The user's own player instead. ``{rate}`` stands for the sample rate, and then it gets plain PCM
            (signed 16-bit little-endian, one channel) on standard input; ``{file}`` stands for a WAV file that it
            shall play; with neither it gets a WAV on standard input.
    """

    def __init__(self, sample_rate: int, *, command: str | None = None) -> None:
        self._sample_rate = sample_rate
        self._command = command
        self._player: Sink

    @staticmethod
    def find(command: str | None = None) -> tuple[str, ...]:
        """The program that would play, with its arguments.

        Raises:
            OutputError: There is none.
        """
        from lineread import players  # noqa: PLC0415 - it needs subprocess, and few speeches are played

        return players.find(command)

    def __enter__(self) -> Self:
        from lineread import players  # noqa: PLC0415 - as above

        self._player = players.start(players.find(self._command), self._sample_rate)
        return self

    def write(self, pcm: bytes) -> None:
        """Play some more sound. It waits as long as the player has enough.

        Raises:
            OutputError: The player failed.
            BrokenPipeError: The player was closed.
        """
        self._player.write(pcm)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait until all was heard; after an error stop the sound."""
        self._player.__exit__(kind, error, trace)
