"""A sample of somebody's voice: read, looked at, refused with what to do about it, or made ready to be sent.

Owns what a sample has to be. What the enrolment service would refuse is refused here first; what may spoil the voice
is said in the findings; and a file is changed only where that loses nothing worth keeping, which is said as well.
Everything heavy is imported where a sample is really read.

Where the bounds come from:

- Size, length, three seconds without a break, and the sample rate are the service's own (its reference of 2026).
- A rate of 16 kHz and more is brought to 24 kHz. That adds nothing; it is what recorders for speech have, and all of
  speech but the sharpest hiss is in it. Below that much of what tells a voice from another is missing.
- 12 and 24 dB of speech above the noise as :class:`~lineread.audio.traits.Traits` measures it are noise that is 10 and
  22 dB below the speech. At 24 dB the formants begin to measure wrong.
- 0.1 % and 2 % of samples cut off are speech that was recorded about 4 and 8 dB too loud. Clean speech has 0.005 %.
- Steady tones: see :mod:`lineread.audio.company`. 5 % is music 20 dB below a voice, 50 % music as loud as it.

What nobody can tell from one recording: whether a second speaker sounds like the first one, whether people talk in the
background all the time, whether noise was taken out between the words and stayed below them.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import math
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from lineread import _sync
from lineread.audio import container
from lineread.errors import OptionError, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from lineread.audio.reading import Sound
    from lineread.audio.traits import Recording, Traits

#: Most bytes of a file. Source: the service's reference.
MOST_BYTES: Final = 10_000_000
#: Most seconds, and least ones without a break. Source: the service's reference.
LONGEST: Final = 60.0
SHORTEST: Final = 3.0
#: What the service recommends, in seconds.
RECOMMENDED: Final = (10.0, 20.0)

#: Samples a second: the least that are read, the least and the most that are sent.
_LEAST_RATE: Final = 16_000
_RATE: Final = 24_000
_MOST_RATE: Final = 48_000
#: Seconds that an encoder may add to a file: silence at its edges.
_PADDING: Final = 0.2
#: Bytes of a file that are sent as it is: as Base64 it is a third larger.
_MOST_SENT: Final = 7_400_000
#: Files that the service takes as they are.
_TAKEN: Final = {"mp3": "audio/mpeg", "m4a": "audio/mp4"}
#: What media types say of a file; others say nothing.
_SAID: Final = {
    "audio/wav": "wav",
    "audio/wave": "wav",
    "audio/x-wav": "wav",
    "audio/vnd.wave": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/mp4": "m4a",
    "audio/m4a": "m4a",
    "audio/x-m4a": "m4a",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
    "audio/aac": "aac",
}
#: What a WAV file's head says that was written before anybody knew its length, and more.
_ENDLESS: Final = 0x7FFF0000
#: Codings that 16 bits hold.
_SMALL: Final = ("PCM_16", "PCM_U8", "PCM_S8", "ULAW", "ALAW")

#: Where noise, cut-off samples and steady tones are told, and where they are too much.
_NOISE: Final = (24.0, 12.0)
_CLIPPED: Final = (0.001, 0.02)
_TONES: Final = (0.05, 0.5)
#: Seconds between words without which noise cannot be told.
_PAUSES: Final = 0.3
#: The loudest sample of a recording in which nothing is heard, and the decibels of very soft speech.
_SILENT: Final = 0.001
_SOFT: Final = -45.0
#: A sample with nothing above this has been through a telephone, in hertz.
_TELEPHONE: Final = 5_500.0

#: Columns that a waveform is kept in.
_COLUMNS: Final = 240
_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_ASCII: Final = " .:-=+*#@"

#: Seconds that a download may take in all, and redirects that are followed.
_PATIENCE: Final = 60.0
_REDIRECTS: Final = 5

_NOBODY: Final = "Audio.AudioSilentError"
_AGAIN: Final = "Record ten to twenty seconds of one person in a quiet room, a hand's breadth from the microphone."


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample that can be sent.

    Attributes:
        audio: The file as it will be sent: WAV, MP3 or M4A.
        media_type: Which of them, such as ``audio/wav``.
        seconds: Its length.
        sha256: The hash of ``audio``, in hexadecimal.
        traits: What was measured of it.
        findings: What was found and what was changed, a line for each.
        outline: The loudest sample of each 240th part, from 0 to 1.
    """

    audio: bytes = field(repr=False)
    media_type: str
    seconds: float
    sha256: str
    traits: Traits
    findings: tuple[str, ...]
    outline: tuple[float, ...] = field(repr=False)

    def waveform(self, width: int = 60, *, encoding: str | None = "utf-8") -> str:
        """How loud it is over time, in a line of blocks.

        Args:
            width: Characters of the line, 240 at most.
            encoding: What the line has to be written in; plain characters stand for blocks where it has none.
        """
        marks = _BLOCKS if _can_show(_BLOCKS, encoding) else _ASCII
        width = min(max(width, 1), len(self.outline))
        edges = [column * len(self.outline) // width for column in range(width + 1)]
        peaks = (max(self.outline[begin:end]) for begin, end in pairwise(edges))
        return "".join(marks[_mark(peak, len(marks) - 1)] for peak in peaks)

    def picture(self, width: int = 60, *, encoding: str | None = "utf-8") -> str:
        """The waveform, and below it a line of facts; arguments as for :meth:`waveform`."""
        return f"{self.waveform(width, encoding=encoding)}\n{self.facts}"

    @property
    def facts(self) -> str:
        """One line on length, speech, pitch and level, and on noise where it can be told."""
        traits = self.traits
        facts = [
            f"{self.seconds:.1f} s",
            f"{traits.speech:.1f} s of speech",
            f"pitch {traits.pitch:.0f} Hz",
            f"level {traits.level:.0f} dB",
        ]
        if _has_pauses(traits):
            facts.append(f"noise {traits.level - traits.noise:.0f} dB below it")
        return ", ".join(facts)


def load(source: str | os.PathLike[str] | bytes) -> Sample:
    """A sample from a file, from its bytes, or from a URL: ``http``, ``https``, ``file`` or ``data``.

    A URL is fetched with this machine's own rights: whoever calls names the address. A server uses :func:`check`.

    Raises:
        OptionError: It cannot be had, or as :func:`check` says.
    """
    if isinstance(source, bytes | bytearray):
        return check(bytes(source))
    if not isinstance(source, str | os.PathLike):
        raise OptionError(
            f"A sample cannot be had from {type(source).__name__}.", remedy="Give a file's path, its bytes, or a URL."
        )
    place = os.fspath(source)
    if is_data(place):
        return check(*decoded(place))
    if place.lower().startswith(("http://", "https://")):
        return check(*_sync.run(_fetched(place)))
    if place.lower().startswith("file:"):
        place = _path(place)
    elif "://" in place:
        raise OptionError(
            f"A sample cannot be had from {shortened(place.partition(':')[0])}: addresses.",
            remedy="Give a file's path, or a URL that begins with http, https, file or data.",
            code="sample_not_found",
        )
    try:
        with open(place, "rb", opener=_opened) as file:
            return check(file.read(MOST_BYTES + 1))
    except (OSError, ValueError) as error:  # a name with a NUL in it
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "no such name"
        raise OptionError(
            f"The sample {shortened(place)!r} cannot be read: {reason}.",
            remedy="Give the path of a WAV, MP3 or M4A file, or a URL.",
            code="sample_not_found",
        ) from error


def is_data(source: str) -> bool:
    """Whether it is a recording itself, as a ``data:`` URI."""
    return source[:5].lower() == "data:"


def decoded(uri: str) -> tuple[bytes, str]:
    """The bytes of a ``data:`` URI, and what it says that they are.

    Raises:
        OptionError: It is none in Base64.
    """
    head, _, data = uri.partition(",")
    media_type, *parameters = head[5:].split(";")
    if parameters and parameters[-1].strip().lower() == "base64":
        with suppress(ValueError):
            return base64.b64decode(data, validate=True), media_type
    raise OptionError(
        "The data: URI of the sample cannot be read.",
        remedy="It looks like data:audio/wav;base64,UklGR...",
        code="sample_unreadable",
    )


def check(audio: bytes, media_type: str | None = None) -> Sample:
    """A sample from the bytes of a file.

    Args:
        audio: The whole file.
        media_type: What it is said to be; what it is, it shows itself.

    Raises:
        OptionError: It will not do. Codes: ``sample_too_large``, ``sample_unreadable``, ``sample_too_long``,
            ``sample_too_short``, ``sample_rate_too_low``, ``sample_silent``, ``sample_music``, ``sample_clipped``,
            ``sample_noisy``.
    """
    from lineread.audio import reading, traits  # noqa: PLC0415 - numpy and libsndfile

    if not audio:
        raise reading.unreadable(
            "is empty", "Check how it was made: ten seconds of speech have a hundred kilobytes or more."
        )
    if len(audio) > MOST_BYTES:
        raise OptionError(
            f"The sample has more than {MOST_BYTES // 1_000_000} MB.",
            remedy="Take less of it: ffmpeg -i FILE -t 20 -ac 1 -ar 24000 sample.wav.",
            code="sample_too_large",
            service_code="Audio.FileSizeExceed",
        )
    sound = reading.read(audio)
    _check_form(sound)
    recording = traits.Recording(sound.samples, sound.sample_rate)
    measured = recording.traits()
    try:
        heard = (*_cut_off(audio), *_heard(recording, measured))
    except OptionError as error:
        error.message = " ".join((*_cut_off(audio), error.message))
        error.args = (error.message,)
        raise
    ready, kind, changes = _ready(sound, audio)
    said = _SAID.get((media_type or "").partition(";")[0].strip().lower(), sound.format)
    mislabelled = (f"It was said to be {said.upper()}, and is {sound.format.upper()}.",) if said != sound.format else ()
    return Sample(
        ready,
        kind,
        sound.seconds,
        hashlib.sha256(ready).hexdigest(),
        measured,
        (*mislabelled, *changes, *heard),
        _outline(sound.samples),
    )


def _cut_off(audio: bytes) -> Iterator[str]:
    """That a WAV file holds less than its head promises; heads that promise nothing are full of ones or zeros."""
    promised = int.from_bytes(audio[4:8], "little") + 8
    if audio[:4] == b"RIFF" and len(audio) < promised < _ENDLESS:
        yield f"The file is cut off: only {len(audio) / promised:.0%} of it is there."


def _check_form(sound: Sound) -> None:
    """Refuse what is too long, or has too few samples a second."""
    if not sound.whole or sound.seconds > LONGEST + _PADDING:
        raise OptionError(
            f"The sample is longer than {LONGEST:.0f} s.",
            remedy="Choose the best 20 seconds of it: ffmpeg -ss 0 -t 20 -i FILE sample.wav.",
            code="sample_too_long",
            service_code="Audio.DurationLimitError",
        )
    if sound.sample_rate < _LEAST_RATE:
        raise OptionError(
            f"The sample has {sound.sample_rate:,} samples a second: too few to tell a voice by, as on a telephone.",
            remedy=f"Record it with {_RATE:,} or more; converting this one does not bring back what is missing.",
            code="sample_rate_too_low",
            service_code="Audio.AudioRateError",
        )


def _heard(recording: Recording, measured: Traits) -> Iterator[str]:
    """What there is to say of a recording.

    Raises:
        OptionError: It will not do.
    """
    from lineread.audio import company  # noqa: PLC0415 - numpy

    if not recording.audible or recording.peak < _SILENT:
        raise _unfit("The sample is silent.", code="sample_silent", service_code=_NOBODY)
    tones = company.tones(recording)
    if tones > _TONES[1]:
        raise _unfit("Music, or other steady tones such as hum, are heard in most of the sample.", code="sample_music")
    if not measured.speech:
        message = "Nobody is heard to speak in the sample; a whisper does not do."
        raise _unfit(message, code="sample_silent", service_code=_NOBODY)
    if measured.longest < SHORTEST:
        raise _unfit(
            f"The longest stretch of speech in the sample has {measured.longest:.1f} s; it takes {SHORTEST:.0f} s.",
            code="sample_too_short",
            service_code="Audio.AudioShortError",
        )
    yield from _clean(recording, measured)
    yield from _alone(recording, tones)
    if recording.seconds < RECOMMENDED[0]:
        yield f"It has {recording.seconds:.1f} s; {RECOMMENDED[0]:.0f} to {RECOMMENDED[1]:.0f} s are recommended."


def _clean(recording: Recording, measured: Traits) -> Iterator[str]:
    """How clean it is; raises as :func:`_heard`."""
    from lineread.audio import company  # noqa: PLC0415 - numpy

    if measured.clipped > _CLIPPED[1]:
        raise _unfit(
            f"The sample was recorded too loud: {measured.clipped:.0%} of its speech is cut off.", code="sample_clipped"
        )
    if measured.clipped > _CLIPPED[0]:
        yield f"{measured.clipped:.1%} of the speech is cut off: it was recorded too loud."
    above = measured.level - measured.noise
    if _has_pauses(measured):
        if above < _NOISE[1]:
            message = f"The speech in the sample is only {above:.0f} dB louder than the noise."
            raise _unfit(message, code="sample_noisy")
        if above < _NOISE[0]:
            yield f"The noise is {above:.0f} dB below the speech; the voice may have it too."
    if measured.level < _SOFT:
        yield f"It is very soft: {measured.level:.0f} dB of full scale."
    highest = company.highest(recording)
    if highest < _TELEPHONE:
        yield f"There is nothing above {highest / 1000:.1f} kHz, as on a telephone; so will the voice sound."


def _has_pauses(measured: Traits) -> bool:
    """Whether there is enough between the words to tell noise by."""
    return measured.seconds - measured.speech >= _PAUSES


def _alone(recording: Recording, tones: float) -> Iterator[str]:
    """What else is heard than one speaker. Both are guesses, and neither is sure enough to refuse a sample."""
    from lineread.audio import company  # noqa: PLC0415 - numpy

    if tones > _TONES[0]:
        yield "There may be music in it, or hum: steady tones are heard."
        return  # their pitch would be taken for that of a speaker
    if pitches := company.speakers(recording):
        low, high = pitches
        yield f"It sounds like two speakers, one at {low:.0f} Hz and one at {high:.0f} Hz; a voice is made of one."


def _ready(sound: Sound, audio: bytes) -> tuple[bytes, str, tuple[str, ...]]:
    """The file to send, its media type, and what was changed."""
    fits = sound.mixing == "single" and sound.sample_rate >= _RATE and len(audio) <= _MOST_SENT
    if fits and sound.format in _TAKEN:
        return audio, _TAKEN[sound.format], ()
    import numpy as np  # noqa: PLC0415 - as above

    wanted = min(max(sound.sample_rate, _RATE), _MOST_RATE)
    samples = sound.samples
    if wanted != sound.sample_rate:
        import soxr  # noqa: PLC0415 - 0.1 s, as in lineread.audio.resample

        samples = soxr.resample(samples, sound.sample_rate, wanted)
    peak = float(np.max(np.abs(samples)))
    if peak > 1:
        samples = samples / np.float32(peak)
    pcm = np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2").tobytes()
    return container.wav(pcm, wanted), "audio/wav", tuple(_changes(sound, wanted))


def _changes(sound: Sound, rate: int) -> Iterator[str]:
    """What was changed of a file that became WAV."""
    if sound.format != "wav":
        yield f"It became a WAV file; it was {sound.format.upper()}."
    if sound.mixing == "same":
        yield f"Its {sound.channels} channels are the same; one is kept."
    elif sound.mixing == "one":
        yield f"Of its {sound.channels} channels the loudest is kept: the others are empty, or would cancel it."
    elif sound.mixing == "mixed":
        yield f"Its {sound.channels} channels became one; where they differ, echo may be heard."
    if rate > sound.sample_rate:
        half = sound.sample_rate / 2000
        yield f"{sound.sample_rate:,} Hz became {rate:,}, as the service asks; that adds nothing above {half:g} kHz."
    elif rate < sound.sample_rate:
        yield f"{sound.sample_rate:,} Hz became {rate:,}; nothing that can be heard is lost."
    if sound.format in ("wav", "flac") and sound.coding not in _SMALL:
        yield "Its samples became 16 bits each, as the service asks."
    if max(abs(sound.samples.max()), abs(sound.samples.min())) > 1:
        yield "It was turned down, since it is louder than 16 bits can say."


def _unfit(message: str, *, code: str, service_code: str = "Audio.PreprocessError") -> OptionError:
    return OptionError(message, remedy=_AGAIN, code=code, service_code=service_code)


def _outline(samples: NDArray[np.float32]) -> tuple[float, ...]:
    import numpy as np  # noqa: PLC0415 - as above

    edges = np.linspace(0, len(samples), _COLUMNS + 1).astype(int)[:-1]
    return tuple(min(float(each), 1.0) for each in np.maximum.reduceat(np.abs(samples), edges))


def _can_show(text: str, encoding: str | None) -> bool:
    try:
        text.encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def _mark(peak: float, most: int) -> int:
    """The number of the mark for a peak. Roots of peaks are shown: speech would hardly be seen beside its vowels."""
    return min(round(math.sqrt(peak) * most), most)


def _path(url: str) -> str:
    """The path that a ``file:`` URL stands for, such as that of a speech which was saved."""
    from urllib.parse import urlsplit  # noqa: PLC0415 - 5 ms that only a URL has to pay
    from urllib.request import url2pathname  # noqa: PLC0415 - as above

    return url2pathname(urlsplit(url).path)


def _opened(path: str, flags: int) -> int:
    """Open a file without waiting for whoever may write a pipe.

    Raises:
        OSError: It is none, or cannot be opened.
    """
    file = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "it is no file", path)
    return file


async def _fetched(url: str) -> tuple[bytes, str | None]:
    """The file at a URL, and what its host says that it is.

    Raises:
        OptionError: It cannot be had.
    """
    await _sync.on_event_loop()
    import aiohttp  # noqa: PLC0415 - 0.1 s that only a URL has to pay

    timeout = aiohttp.ClientTimeout(total=_PATIENCE)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True, auto_decompress=False) as session,
            session.get(url, max_redirects=_REDIRECTS, headers={"Accept-Encoding": "identity"}) as answer,
        ):
            if not answer.ok:
                raise _not_fetched(f"its host answers {answer.status}")
            data = bytearray()
            async for piece in answer.content.iter_chunked(1 << 16):
                data += piece
                if len(data) > MOST_BYTES:
                    break
            return bytes(data), answer.headers.get("Content-Type")
    except TimeoutError as error:
        raise _not_fetched(f"it did not come within {_PATIENCE:.0f} s") from error
    except aiohttp.TooManyRedirects as error:
        raise _not_fetched(f"its URL leads on more than {_REDIRECTS} times") from error
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, ValueError) as error:
        raise _not_fetched("it, or what it leads to, is no http or https URL") from error
    except aiohttp.ClientPayloadError as error:
        raise _not_fetched("the connection was lost before all of it had come") from error
    except (aiohttp.ClientError, OSError) as error:
        raise _not_fetched("its host cannot be reached") from error


def _not_fetched(why: str) -> OptionError:
    return OptionError(
        f"The sample cannot be fetched: {why}.",
        remedy="Open the URL in a browser, save the file, and give its path.",
        code="sample_not_fetched",
        service_code="BadRequest.InputDownloadFailed",
    )
