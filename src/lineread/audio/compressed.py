"""Compressed files: MP3, FLAC, and Opus in Ogg, by libsndfile.

Owns the codecs' settings and the way around libsndfile's wish for a file that it can seek in. Importing it loads
soundfile and numpy, so only what is really compressed does.

What the compressed formats do to speech at 24 kHz, measured with libsndfile 1.2.2 on the built-in voice:

==========  =========================  =======  =====================================================================
format      settings                   kbit/s   length and position after decoding
==========  =========================  =======  =====================================================================
``mp3``     constant bit rate, 96           96  exact from a file, whose first frame tells the decoder what to skip;
                                                from a pipe 1,681 samples (70 ms) of silence stay at the beginning
``ogg``     Opus, about 64 at most          50  exact
``flac``    lossless                       140  exact
==========  =========================  =======  =====================================================================

Opus leaves in pages of 0.2 seconds. libsndfile's own are a second long, which saves 1 % of the bytes and keeps a
listener waiting for so much sound before the first of it comes.

A constant bit rate lets every player know an MP3's length and seek in it even when it came through a pipe. LAME turns
its input down by 0.45 dB for it, as a guard against clipping.
"""

from __future__ import annotations

import os
import threading
import zlib
from typing import TYPE_CHECKING, Any, Final

import soundfile

from lineread.audio.codec import overwrite
from lineread.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lineread.audio.codec import Output

#: libsndfile's names of a format, and its settings. Opus: 6 + 250 * (1 - level) kbit/s, of which speech takes less.
_CODECS: Final[dict[str, dict[str, Any]]] = {
    "mp3": {
        "format": "MP3",
        "subtype": "MPEG_LAYER_III",
        "bitrate_mode": "CONSTANT",
        "compression_level": 0.4,
    },
    "flac": {"format": "FLAC", "subtype": "PCM_16"},
    "ogg": {"format": "OGG", "subtype": "OPUS", "compression_level": 0.768},
}


#: libsndfile's command for the length of an Ogg page, which soundfile has no name for, and that length.
_SET_PAGE_LATENCY: Final = 0x1302
_PAGE_MS: Final = 200


class Compressed:
    """An encoder by libsndfile.

    libsndfile writes to a :class:`_Memory`, and what has gathered there goes on to the sink between two calls, so that
    the sink's errors arise in Python and not below C code, which would swallow them.

    Args:
        form: ``mp3``, ``flac`` or ``ogg``.
        sink: Where to.
        sample_rate: Samples a second.

    Raises:
        OutputError: The format cannot hold this sample rate.
    """

    #: Bytes that are encoded at a time: a second of speech. An interrupt waits no longer than that takes.
    _BLOCK = 48_000

    def __init__(self, form: str, sink: Output, sample_rate: int) -> None:
        self._sink = sink
        self._begin = sink.tell() if sink.seekable() else None
        self._memory = _Memory()
        self._fixed = _FixedSerial() if form == "ogg" else None
        try:
            self._file = _uninterrupted(soundfile.SoundFile, self._memory, "w", sample_rate, 1, **_CODECS[form])
        except (soundfile.SoundFileError, ValueError) as error:
            raise OutputError(
                f"The format {form} cannot be written at {sample_rate} Hz.", remedy="Choose wav or flac."
            ) from error
        if form == "ogg":
            _set_page_latency(self._file)

    def write(self, pcm: bytes) -> None:
        """Encode some more, and write what that completes."""
        for at in range(0, len(pcm), self._BLOCK):
            _uninterrupted(self._file.buffer_write, pcm[at : at + self._BLOCK], "int16")
            self._pass_on()

    def close(self) -> None:
        """Write the end, and the true header if the sink can be seeked."""
        _uninterrupted(self._file.close)
        self._pass_on()

    def _pass_on(self) -> None:
        data, patches = self._memory.taken()
        if self._fixed:
            data = self._fixed.feed(data)
        self._sink.write(data)
        if self._begin is not None:
            for at, patch in patches:
                overwrite(self._sink, self._begin + at, patch)


def _set_page_latency(file: soundfile.SoundFile) -> None:
    value = soundfile._ffi.new("double *", _PAGE_MS)  # noqa: SLF001 - see _SET_PAGE_LATENCY
    soundfile._snd.sf_command(file._file, _SET_PAGE_LATENCY, value, soundfile._ffi.sizeof("double"))  # noqa: SLF001


def _uninterrupted(call: Callable[..., Any], *arguments: object, **options: object) -> Any:  # noqa: ANN401 - soundfile is not typed
    """What a call returns that no Ctrl-C breaks into.

    libsndfile calls back into Python to write. Python raises KeyboardInterrupt wherever the main thread happens to be,
    and an error in such a callback is printed and dropped: Ctrl-C would be lost. Other threads are not interrupted, so
    the main thread leaves the call to one and waits; any other thread, such as the server's, makes it itself.
    """
    if threading.current_thread() is not threading.main_thread():
        return call(*arguments, **options)
    results: list[Any] = []
    failures: list[BaseException] = []

    def work() -> None:
        try:
            results.append(call(*arguments, **options))
        except BaseException as error:  # noqa: BLE001 - raised again where it belongs
            failures.append(error)

    thread = threading.Thread(target=work, name="lineread-encoder")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


class _Memory:
    """What libsndfile takes for a file: it appends, and now and then goes back to write over an early part.

    It keeps what was written since it was last asked, and nothing older.
    """

    def __init__(self) -> None:
        self._at = 0
        self._end = 0
        self._new = bytearray()
        self._patches: list[tuple[int, bytes]] = []

    def taken(self) -> tuple[bytes, list[tuple[int, bytes]]]:
        """What was appended since the last call, and what was written over before it, with its places."""
        taken = bytes(self._new), self._patches
        self._new = bytearray()
        self._patches = []
        return taken

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._end}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def write(self, data: bytes) -> int:
        fresh = self._end - len(self._new)
        if self._at < fresh:
            self._patches.append((self._at, data))
        else:
            self._new[self._at - fresh : self._at - fresh + len(data)] = data
            self._end = fresh + len(self._new)
        self._at += len(data)
        return len(data)


#: Any number does: it only has to differ between the streams of one file.
_SERIAL = (0x4C49_4E45).to_bytes(4, "little")
_MIRRORED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


class _FixedSerial:
    """Gives the pages of an Ogg stream a serial number that is always the same.

    libsndfile takes it from the clock, and then the same speech would never be the same file: it could not be told
    that the file for a request is already there. A page's check sum covers the number and is renewed.
    """

    _HEADER = 27

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """The pages that more bytes complete."""
        self._held += data
        pages = bytearray()
        while size := self._page():
            pages += self._renewed(self._held[:size])
            self._held = self._held[size:]
        return bytes(pages)

    def _page(self) -> int:
        """Bytes of the page at the beginning; 0 as long as it is not complete."""
        if len(self._held) < self._HEADER:
            return 0
        body = self._HEADER + self._held[self._HEADER - 1]
        size = body + sum(self._held[self._HEADER : body])
        return size if len(self._held) >= max(body, size) else 0

    @staticmethod
    def _renewed(page: bytes) -> bytes:
        page = page[:14] + _SERIAL + page[18:22] + bytes(4) + page[26:]
        return page[:22] + _checksum(page) + page[26:]


def _checksum(page: bytes) -> bytes:
    """Ogg's CRC-32. It is zlib's with bits mirrored and nothing inverted, so zlib computes it in C."""
    mirrored = zlib.crc32(page.translate(_MIRRORED), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return mirrored.to_bytes(4, "big").translate(_MIRRORED)
