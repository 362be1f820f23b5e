"""Arithmetic on samples: loudness, and the edges of a segment.

Owns what has to look into signed 16-bit little-endian mono PCM. Pure: no I/O, no knowledge of engines. It needs numpy,
so only what has to be spoken anew imports it; a cache hit never does.

How edges are found. A neural voice puts 0.1 to 0.5 s of near-silence around what it says, differently each time, so
pauses can only be set exactly once that is gone. Cutting speech is far worse than leaving silence, and the weakest
sounds stand at the edges: the onset of "f" or "th" creeps up through 50 ms from -70 dBFS, a final vowel decays just
as slowly. Hence two thresholds, as in an endpoint detector with hysteresis. A frame of 5 ms above ``SOUND`` is sound
wherever it stands. Frames above ``WEAK`` count too, if they lie within ``REACH`` of such a frame: they are its onset
or its decay. Measured on the built-in voice, whose frames reach -18 dBFS, -52 dBFS is passed in the first 10 to 20 ms
of a weak fricative, and its silence lies below -90 dBFS. A quiet speaker, or one who whispers, lowers the thresholds:
``SOUND`` is never less than 40 dB below the loudest frame so far. A noise floor between the two thresholds costs
``REACH`` of silence that stays, never a sound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lineread.speech import SAMPLE_WIDTH

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Samples beyond this part of full scale are bent by the limiter; speech at its own level hardly gets there.
KNEE: Final = 0.8
_CEILING: Final = 32767.0

#: Seconds of one frame, the unit of everything below: shorter than a stop's burst, longer than a low voice's period.
FRAME: Final = 0.005
#: Frames kept before the first sound and after the last one, so that no sound begins or ends abruptly.
BEFORE: Final = 5
AFTER: Final = 9
#: Frames kept around weak sound. It has faded by itself, so there is only the fade to make room for.
AROUND_WEAK: Final = 2
#: Frames of the fades. They lie within what is kept around the sound, wherever the segment has that much.
FADE_IN: Final = 1
FADE_OUT: Final = 2
#: Frames before the first and after the last sound in which weak sound belongs to it: 0.2 s, a long fricative.
REACH: Final = 40


def _power(decibels: float) -> float:
    """Mean square of samples at a level in dB below full scale."""
    return float(32768.0**2 * 10 ** (decibels / 10))


SOUND: Final = _power(-52)
#: Where the threshold ends for quiet speakers; 16-bit noise that was dithered lies at -90 dBFS.
QUIETEST_SOUND: Final = _power(-75)
#: A segment without any frame above this is silent: nobody hears it.
AUDIBLE: Final = _power(-66)
#: SOUND lies at most this part below the loudest frame.
BELOW_PEAK: Final = 10 ** (-40 / 10)
#: WEAK is this part of SOUND.
WEAK: Final = 10 ** (-12 / 10)


def gain(pcm: bytes, factor: float) -> bytes:
    """Louder or softer sound. It never wraps around and never clips hard.

    Up to 1 it is plain scaling. Above, what would exceed :data:`KNEE` of full scale is bent towards full scale by a
    curve with no corner, sample for sample, so that cutting the sound elsewhere changes nothing.

    Args:
        pcm: Whole samples.
        factor: What each sample is multiplied by, from 0.
    """
    if factor == 1:
        return pcm
    samples = np.frombuffer(pcm, "<i2").astype(np.float64) * factor
    if factor > 1:
        _limit(samples)
    return np.rint(samples).astype("<i2").tobytes()


def _limit(samples: NDArray[np.float64]) -> None:
    """Bend what lies beyond the knee, in place."""
    knee = KNEE * _CEILING
    room = _CEILING - knee
    beyond = np.abs(samples) > knee
    peaks = samples[beyond]
    samples[beyond] = np.copysign(knee + room * np.tanh((np.abs(peaks) - knee) / room), peaks)


class EdgeTrimmer:
    """Takes the silence off both ends of one segment as its sound arrives, and fades what is left to exactly 0.

    However the sound is cut into pieces, the same bytes come out. Held back are the last 10 ms and the silence that
    may turn out to be the end; silence within the segment passes once sound follows.

    A segment without silence at an edge is faded there just the same: a step is a click. One that is silent as a
    whole leaves nothing.

    Args:
        sample_rate: Samples a second.

    Attributes:
        lead: Samples removed at the beginning; final as soon as anything came out.
    """

    def __init__(self, sample_rate: int) -> None:
        self.lead = 0
        self._frame = max(1, round(sample_rate * FRAME)) * SAMPLE_WIDTH
        self._partial = b""
        self._held = bytearray()
        self._begun = False
        self._peak = 0.0
        # One past the last frame of sound and of weak sound, counted from the beginning of what is held.
        self._sound = 0
        self._weak = 0

    def feed(self, pcm: bytes) -> bytes:
        """What surely stays after some more sound."""
        self._partial += pcm
        whole = len(self._partial) - len(self._partial) % self._frame
        frames, self._partial = self._partial[:whole], self._partial[whole:]
        self._take(frames)
        return self._release(max(self._sound, self._weak) - FADE_OUT)

    def flush(self) -> bytes:
        """The rest, without the silence at the end."""
        rest, self._partial = self._partial, b""
        self._take(rest[: len(rest) - len(rest) % SAMPLE_WIDTH])
        if not self._begun and not self._begin_quietly():
            self.lead = len(self._held) // SAMPLE_WIDTH
            self._held.clear()
        end = max(self._sound + AFTER, self._weak + AROUND_WEAK)
        del self._held[end * self._frame :]
        self._fade(self._held, FADE_OUT, ends=True)
        return self._release(end)

    def _take(self, frames: bytes) -> None:
        """Hold more frames, and find the first and the last sound among them."""
        self._held += frames
        levels = self._levels(frames)
        if not self._begun:
            loud = np.flatnonzero(levels >= SOUND)
            if not loud.size:
                return
            levels = levels[loud[0] :]
            self._begin(self._count() - len(levels))
        self._follow(levels)

    def _begin(self, first: int) -> None:
        """Cut off what lies before the first frame of sound."""
        reach = max(0, first - REACH)
        before = self._levels(self._held[reach * self._frame : first * self._frame])
        weak = np.flatnonzero(before >= SOUND * WEAK)
        start = first - BEFORE
        if weak.size:
            start = min(start, reach + int(weak[0]) - AROUND_WEAK)
        self._cut_lead(max(0, start))

    def _begin_quietly(self) -> bool:
        """Begin at the end, when all of the segment is below the usual threshold. False if there is nothing to hear."""
        levels = self._levels(self._held)
        if not levels.size or levels.max() < AUDIBLE:
            return False
        sound = np.flatnonzero(levels >= _threshold(levels.max()))
        start = max(0, int(sound[0]) - BEFORE)
        self._cut_lead(start)
        self._sound = int(sound[-1]) + 1 - start
        return True

    def _cut_lead(self, frames: int) -> None:
        self._begun = True
        self.lead = frames * self._frame // SAMPLE_WIDTH
        del self._held[: frames * self._frame]
        self._fade(self._held, FADE_IN, ends=False)

    def _follow(self, levels: NDArray[np.float64]) -> None:
        """Find the last sound after more frames have been added to what is held."""
        if not levels.size:
            return
        peaks = np.maximum.accumulate(np.maximum(levels, self._peak))
        self._peak = float(peaks[-1])
        thresholds = _threshold(peaks)
        places = self._count() - len(levels) + 1 + np.arange(len(levels))
        self._sound = int(places[levels >= thresholds].max(initial=self._sound))
        weak = (levels >= thresholds * WEAK) & (places > self._sound) & (places <= self._sound + REACH)
        self._weak = int(places[weak].max(initial=self._weak))

    def _release(self, frames: int) -> bytes:
        if frames <= 0:
            return b""
        released = bytes(self._held[: frames * self._frame])
        del self._held[: frames * self._frame]
        self._sound -= frames
        self._weak -= frames
        return released

    def _count(self) -> int:
        """Frames that are held; the last one of a segment may be a short one."""
        return -(-len(self._held) // self._frame)

    def _levels(self, pcm: bytes | bytearray) -> NDArray[np.float64]:
        """Mean square of each frame. The sums are integers, so they do not depend on how the sound was cut."""
        squares = np.frombuffer(pcm, "<i2").astype(np.int32)
        squares *= squares  # at most 2**30; 64 bits are needed for their sums only, and take twice the memory
        size = self._frame // SAMPLE_WIDTH
        whole = len(squares) - len(squares) % size
        levels: NDArray[np.float64] = squares[:whole].reshape(-1, size).sum(axis=1, dtype=np.int64) / size
        if whole < len(squares):
            levels = np.append(levels, squares[whole:].sum(dtype=np.int64) / (len(squares) - whole))
        return levels

    def _fade(self, pcm: bytearray, frames: int, *, ends: bool) -> None:
        """Fade the beginning or the end in place, by a raised cosine."""
        size = min(frames * self._frame, len(pcm))
        if not size:
            return
        part = slice(len(pcm) - size, None) if ends else slice(size)
        samples = np.frombuffer(bytes(pcm[part]), "<i2")
        ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(len(samples)) / len(samples))
        pcm[part] = np.rint(samples * (ramp[::-1] if ends else ramp)).astype("<i2").tobytes()


def _threshold(peak: NDArray[np.float64]) -> NDArray[np.float64]:
    """What counts as sound when these are the loudest frames so far."""
    return np.minimum(np.maximum(peak * BELOW_PEAK, QUIETEST_SOUND), SOUND)
