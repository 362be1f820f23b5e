"""Fuzz samples of voices: any file is a sound within its bounds or a documented error, in bounded time and memory.

Files are cut off, written over, mixed with each other and given the wrong media type; sizes, rates and counts in their
heads become absurd. What is read is checked and made ready to be sent as well.

Run it as ``python tests/fuzz/fuzz_samples.py [seconds] [seed]``. A finding prints the bytes and exits with 1.
"""

from __future__ import annotations

import random
import resource
import struct
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz_sse import fuzz, mutant

from audio.test_reading import coded
from lineread.audio import reading
from lineread.errors import OptionError
from lineread.voices import sample
from talker import file, talk

VOICE = talk(4)
SHORT = VOICE[2400:7200]
SEEDS = (
    file(SHORT),
    file(np.stack([SHORT, SHORT[::-1]], axis=1), 48_000, subtype="PCM_24"),
    file(SHORT, subtype="FLOAT"),
    file(SHORT, subtype="IMA_ADPCM"),
    file(SHORT, form="MP3"),
    file(SHORT, form="FLAC"),
    file(SHORT, form="OGG", subtype="OPUS"),
    file(SHORT, form="OGG", subtype="VORBIS"),
    coded("aac", "mp4"),
    coded("aac", "adts"),
    file(VOICE),
    file(VOICE, form="MP3"),
)
PIECES = (
    b"RIFF",
    b"WAVE",
    b"fmt ",
    b"data",
    b"LIST",
    b"fact",
    b"ID3\x04\0\0\x7f\x7f\x7f\x7f",
    b"Xing",
    b"LAME",
    b"fLaC",
    b"OggS",
    b"OpusHead",
    b"moov",
    b"stsz",
    b"stco",
    b"ftyp",
    b"\xff\xfb\x90\x00",
    b"\xff\xf1",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\xc0\x7f",
)
TYPES = (None, "audio/wav", "audio/mpeg", "audio/mp4", "audio/flac", "text/plain", ";", "audio/wav; a=b")
CODES = {
    "sample_unreadable",
    "sample_too_large",
    "sample_too_long",
    "sample_too_short",
    "sample_rate_too_low",
    "sample_silent",
    "sample_music",
    "sample_clipped",
    "sample_noisy",
}
#: Seconds and MB that one file may take: a minute of two channels at 96 kHz, three times.
MOST_SECONDS = 10.0
MOST_MEMORY = 400.0


def damaged(rng: random.Random) -> bytes:
    """A file with something wrong with it, most often near its beginning."""
    if rng.random() < 0.4:
        return mutant(rng, SEEDS, PIECES)
    data = bytearray(rng.choice(SEEDS))
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(min(len(data), rng.choice((16, 64, 512, 1 << 16))))
        number = rng.choice((0, 1, 2, 255, 0x7FFF_FFFF, 0xFFFF_FFFF, rng.getrandbits(32)))
        piece = rng.choice((struct.pack("<I", number), struct.pack(">I", number), rng.choice(PIECES)))
        data[at : at + len(piece)] = piece
    return bytes(data[: rng.randrange(len(data))] if rng.random() < 0.3 else data)


def memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def check_sound(sound: reading.Sound, data: bytes) -> None:
    assert sound.seconds <= reading.MOST_SECONDS, data
    assert np.isfinite(sound.samples).all(), data


def check_sample(made: sample.Sample, data: bytes) -> None:
    assert reading.read(made.audio).channels == 1, data
    assert len(made.audio) <= sample.MOST_BYTES * 3 / 4, data
    assert len(made.waveform(60)) == 60, data


def check_error(error: OptionError, data: bytes) -> None:
    assert error.code in CODES, (error.code, data)
    assert error.remedy, data
    assert error.service_code, data
    assert error.message.isprintable(), data


def check(rng: random.Random) -> bytes:
    data = damaged(rng)
    began = time.monotonic()
    try:
        check_sound(reading.read(data), data)
        check_sample(sample.check(data, rng.choice(TYPES)), data)
    except OptionError as error:
        check_error(error, data)
    assert time.monotonic() - began < MOST_SECONDS, data
    assert memory() < BEFORE + MOST_MEMORY, (memory(), data)
    return data


if __name__ == "__main__":
    sample.check(SEEDS[-1])
    BEFORE = memory()
    fuzz(check)
