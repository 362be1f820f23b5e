"""Any audio file as samples.

Owns the decoding of files that nobody vouches for. What a file is, its first bytes say, never its name or a media
type; how long it is, the samples that come out of it say, never its header. No more is decoded than was asked for, so a
file of a few bytes that promises a year of sound costs nothing. Whatever is wrong with a file, it is one error.

WAV, MP3, FLAC and Ogg (Opus, Vorbis) are read by libsndfile, M4A and AAC by FFmpeg's libraries in PyAV, which come
with the extra ``aac``. Importing it loads numpy and soundfile.
"""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import soundfile

from lineread.audio import container
from lineread.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

#: Seconds that are read of a file: a little more than a sample of a voice may have, so that too much shows.
MOST_SECONDS: Final = 61.0
#: Samples a second that a file may have.
RATES: Final = range(4_000, 192_001)
#: Samples a second of all channels together: four at 48 kHz, two at 96 kHz. With it, memory has a bound: 12 MB for
#: each quarter of a minute.
_MOST_SAMPLES: Final = 192_000
#: Samples beyond full scale are legal where they are floats, but nobody's are beyond that.
_LOUDEST: Final = 8.0
#: Where the sound of a WAV file begins at the latest if a recorder stopped before it wrote how long it is, what it left
#: there, and what is read to the end of the file.
_HEADER: Final = 4096
_UNWRITTEN: Final = b"data" + bytes(4)
_TO_THE_END: Final = b"data" + bytes([255] * 4)
#: How much weaker than the loudest channel one is that has nothing to say: 40 dB.
_EMPTY: Final = 1e-4
#: How much weaker than the channels their difference is where they are the same but for coding: 40 dB.
_SAME: Final = 1e-4
#: How much of the power of the channels is left in their mean where they do not cancel each other.
_CANCELLED: Final = 0.1
#: Packets that PyAV decodes at most: AAC has 94 a second at 96 kHz.
_MOST_PACKETS: Final = 20_000
_CONVERT: Final = "Convert it, for example: ffmpeg -i FILE -ac 1 -ar 24000 sample.wav."

Mixing = Literal["single", "same", "one", "mixed"]
"""How there came to be one channel: there was one; all were the same; all others were empty, or would have cancelled
it; they were mixed."""

#: PyAV's names of the files that it reads.
_BY_FFMPEG: Final = {"m4a": "mp4", "aac": "aac"}
_BY_SNDFILE: Final = ("wav", "mp3", "flac", "ogg")


@dataclass(frozen=True, slots=True)
class Sound:
    """What was read of a file.

    Attributes:
        samples: One channel; full scale is 1. All are finite; floats in the file may be larger than 1.
        sample_rate: Samples a second.
        channels: Channels of the file.
        mixing: How they became one.
        format: ``wav``, ``mp3``, ``flac``, ``ogg``, ``m4a`` or ``aac``.
        coding: How its samples are coded, in libsndfile's or FFmpeg's words, such as ``PCM_16`` or ``aac``.
        whole: All of the file was read; False if it goes on.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    channels: int
    mixing: Mixing
    format: str
    coding: str
    whole: bool

    @property
    def seconds(self) -> float:
        """Seconds that were read."""
        return len(self.samples) / self.sample_rate


def read(data: bytes, *, seconds: float = MOST_SECONDS) -> Sound:
    """The sound of a file.

    Args:
        data: The whole file.
        seconds: How much of it is read at most.

    Raises:
        OptionError: It is no audio file, or none that can be read here (code ``sample_unreadable``).
    """
    form = kind(data)
    if form in _BY_SNDFILE:
        decode = _sndfile
    elif form in _BY_FFMPEG:
        decode = _ffmpeg
    else:
        raise unreadable("is no audio file, or of a kind that lineread does not read")
    # libsndfile and FFmpeg call back into Python to read. Ctrl-C would arise there and be taken for the file's end;
    # only the main thread is interrupted, so it lets another one do the work.
    with ThreadPoolExecutor(1, "lineread-decoder") as thread:
        return thread.submit(decode, data, form, seconds).result()


def kind(data: bytes) -> str:
    """What a file's first bytes show it to be: a :attr:`Sound.format`; empty where it is none of them."""
    form = container.sniff(data)
    if form != "pcm":
        return form
    if data[4:8] == b"ftyp":
        return "m4a"
    return "aac" if len(data) > 1 and data[0] == 0xFF and data[1] & 0xF6 == 0xF0 else ""


def unreadable(why: str, remedy: str = _CONVERT) -> OptionError:
    """That a file cannot be read.

    Args:
        why: What is said of it: "is empty".
        remedy: What to do about it.
    """
    return OptionError(
        f"The sample {why}.",
        remedy=remedy,
        code="sample_unreadable",
        service_code="Audio.DecoderError",
    )


def _sndfile(data: bytes, form: str, seconds: float) -> Sound:
    if form == "wav":
        data = data[:_HEADER].replace(_UNWRITTEN, _TO_THE_END, 1) + data[_HEADER:]
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            rate, channels = _checked(file.samplerate, file.channels)
            most = int(seconds * rate)
            # In one piece: soundfile seeks after each, and an MP3 is not the same after that. What nobody writes to
            # takes no memory.
            frames = file.read(out=np.empty((most + 1, channels), np.float32))
            return _sound(frames[:most].copy(), rate, form, file.subtype, whole=len(frames) <= most)
    # soundfile asserts, and its sums overflow, where a header is absurd.
    except (soundfile.SoundFileError, AssertionError, OverflowError, TypeError, ValueError) as error:
        raise _damaged(form) from error


def _ffmpeg(data: bytes, form: str, seconds: float) -> Sound:
    try:
        import av  # noqa: PLC0415 - an extra, and it takes a while to load
    except ImportError as error:
        raise OptionError(
            f"The sample is {form.upper()}, and the package that reads it is not installed here.",
            remedy="Run pip install 'lineread[aac]', or convert it: ffmpeg -i FILE -ac 1 -ar 24000 sample.wav.",
            code="sample_unreadable",
            service_code="Audio.DecoderError",
        ) from error
    try:
        with av.open(io.BytesIO(data), format=_BY_FFMPEG[form], metadata_errors="ignore") as file:
            stream = next((each for each in file.streams.audio if each.codec_context is not None), None)
            if stream is None:
                raise unreadable("has no sound in it, or none that can be decoded")
            rate, channels = _checked(stream.codec_context.sample_rate, stream.codec_context.channels)
            frames = _frames(file, stream, av.AudioResampler("fltp", stream.codec_context.layout, rate))
            samples, whole = _gathered(frames, int(seconds * rate), channels)
            return _sound(samples, rate, form, stream.codec_context.name, whole=whole)
    except (av.FFmpegError, ArithmeticError, AssertionError, LookupError, TypeError, ValueError) as error:
        raise _damaged(form) from error


def _frames(file: Any, stream: Any, resampler: Any) -> Iterator[NDArray[np.float32]]:  # noqa: ANN401 - PyAV's
    """The frames of a file, all in one layout, whatever a hostile file changes on its way."""
    for packet in islice(file.demux(stream), _MOST_PACKETS):
        for frame in packet.decode():
            for same in resampler.resample(frame):
                yield same.to_ndarray().T


def _checked(rate: int, channels: int) -> tuple[int, int]:
    """A rate and a number of channels that are read."""
    if rate not in RATES or not channels or channels * rate > _MOST_SAMPLES:
        raise unreadable(f"has {channels} channels of {rate} Hz, which lineread does not read")
    return rate, channels


def _gathered(blocks: Iterator[NDArray[np.float32]], most: int, channels: int) -> tuple[NDArray[np.float32], bool]:
    """Frames in one piece, so many at most, and whether these are all."""
    kept: list[NDArray[np.float32]] = []
    room = most
    for block in blocks:
        if block.shape[1] != channels:
            raise unreadable("has now more, now fewer channels")
        kept.append(block[:room])
        if len(block) > room:
            return np.concatenate(kept), False
        room -= len(block)
    return (np.concatenate(kept) if kept else np.zeros((0, channels), np.float32)), True


def _sound(frames: NDArray[np.float32], rate: int, form: str, coding: str, *, whole: bool) -> Sound:
    np.nan_to_num(frames, copy=False, posinf=_LOUDEST, neginf=-_LOUDEST)
    np.clip(frames, -_LOUDEST, _LOUDEST, out=frames)
    samples, mixing = _one_channel(frames)
    return Sound(samples, rate, frames.shape[1], mixing, form, coding, whole)


def _one_channel(frames: NDArray[np.float32]) -> tuple[NDArray[np.float32], Mixing]:
    if frames.shape[1] == 1:
        return np.ascontiguousarray(frames[:, 0]), "single"
    powers = [_power(frames[:, channel]) for channel in range(frames.shape[1])]
    loudest = int(np.argmax(powers))
    one = np.ascontiguousarray(frames[:, loudest])
    if all(_power(frames[:, channel] - one) <= _SAME * powers[loudest] for channel in range(frames.shape[1])):
        return one, "same"
    if all(power <= _EMPTY * powers[loudest] for channel, power in enumerate(powers) if channel != loudest):
        return one, "one"
    mixed = frames.mean(axis=1, dtype=np.float32)
    if _power(mixed) < _CANCELLED * sum(powers) / len(powers):
        return one, "one"
    return mixed, "mixed"


def _power(samples: NDArray[np.float32]) -> float:
    return float(np.dot(samples, samples)) / max(len(samples), 1)


def _damaged(form: str) -> OptionError:
    return unreadable(f"begins like {form.upper()}, but cannot be read: it is damaged, or something else")
