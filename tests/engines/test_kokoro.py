"""The kokoro engine, on its real weights: what it accepts, how it speaks, and what it does without its pack."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shutil
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from lineread import Client, Request, catalogue
from lineread.engines.kokoro import MODEL, Kokoro, cast, pack
from lineread.engines.kokoro.languages import LANGUAGES
from lineread.engines.kokoro.speaker import calls
from lineread.errors import ConfigError, ModelError, OptionError, ServiceFailed, TextError, VoiceError
from lineread.plan import make
from lineread.speech import Segment
from loopback.hub import Hub, data_dir, hold, tables, weights
from support import gather, lineread, needs_espeak, python

TEXT = "The quick brown fox jumps over the lazy dog."
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
async def engine() -> AsyncIterator[Kokoro]:
    made = Kokoro(data_dir(), endpoint=NOWHERE, offline=True)
    yield made
    await made.aclose()


async def spoken(engine: Kokoro, text: str = TEXT, voice: str = "af_heart", **fields: object) -> bytes:
    request = engine.resolve(Request(text, voice, **fields))  # type: ignore[arg-type]
    async with asyncio.timeout(100):
        (chunk,) = await gather(engine.stream(Segment(request, 0, 0, len(text))))
    return chunk.pcm


def seconds(pcm: bytes) -> float:
    return len(pcm) / 2 / 24_000


def pitch(pcm: bytes) -> float:
    """The median pitch in hertz, by autocorrelation of what is loud."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    found = []
    for at in range(0, len(samples) - 1200, 600):
        frame = samples[at : at + 1200] - samples[at : at + 1200].mean()
        if np.abs(frame).mean() < 500:
            continue
        match = np.correlate(frame, frame, "full")[1199:]
        lag = 60 + int(np.argmax(match[60:400]))
        if match[lag] > 0.5 * match[0]:
            found.append(24_000 / lag)
    return float(np.median(found))


def test_every_voice_of_qwens_has_a_stand_in_in_every_language() -> None:
    """Each of 48 voices is spoken by one of its gender in eight languages; where there is a choice, it is used."""
    for voice in catalogue.load().voices.values():
        people = {language: cast.stand_in(voice.id, language) for language in LANGUAGES}
        assert {cast.gender(person.voice) for person in people.values()} == {voice.gender}
        assert {person.voice for person in people.values()} <= set(cast.voices())
        assert all(0.85 < person.pitch < 1.3 for person in people.values())
        assert (people["English"].pitch > 1.1) == (voice.age == "child")
        native = {language for language, person in people.items() if cast.language(person.voice) == language}
        assert native == set(LANGUAGES) - ({"French"} if voice.gender == "male" else set())
    for letter in "abefhijpz":
        own = {name for name in cast.voices() if name[0] == letter}
        used = {cast.stand_in(voice, each).voice for voice in catalogue.load().voices for each in LANGUAGES}
        assert own & used


def test_the_voices_are_those_of_the_pack() -> None:
    """There are 54 names, and a table for each of them."""
    assert {f"voices/{name}.bin" for name in cast.voices()} == {file.path for file in pack.kokoro().files[1:]}


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"voice": "Cheri"}, VoiceError),
        ({"voice": "qwen-tts-vd-guide-voice-20261123000000000-abcd"}, VoiceError),
        ({"model": "qwen9"}, ModelError),
        ({"language_type": "Klingon"}, OptionError),
        ({"language_type": "German"}, OptionError),
        ({"text": "Привет, мир."}, TextError),
        ({"text": "안녕하세요"}, TextError),
    ],
)
def test_what_it_cannot_do_is_refused_at_once(fields: dict[str, str], kind: type[Exception]) -> None:
    """Nothing has to be loaded, installed or fetched to know it."""
    with pytest.raises(kind):
        Kokoro("/nowhere", endpoint=NOWHERE).resolve(Request(**{"text": TEXT, "voice": "Cherry", **fields}))


@pytest.mark.parametrize(
    ("text", "voice", "language"),
    [
        ("你好，世界", "Cherry", "Chinese"),
        ("こんにちは", "Ethan", "Japanese"),
        pytest.param("नमस्ते", "cherry", "Hindi", marks=needs_espeak),
        (TEXT, "ZF_XiaoBei", "English"),
        ("42", "jf_alpha", "Japanese"),
        ("Hello.", "Cherry", "English"),
        ("Wait a minute", "Ethan", "English"),
        pytest.param("Hola.", "Ethan", "Spanish", marks=needs_espeak),
        pytest.param("¿Dónde está la biblioteca, por favor?", "Cherry", "Spanish", marks=needs_espeak),
    ],
)
def test_a_request_is_filled_in(text: str, voice: str, language: str) -> None:
    """Auto becomes a language, names become canonical, a model of Qwen's and an instruction are left out."""
    engine = Kokoro("/nowhere", endpoint=NOWHERE)
    request = engine.resolve(Request(text, voice, instruction="Slowly.", model="qwen3-tts-flash"))
    assert (request.language_type, request.model, request.instruction) == (language, MODEL, None)
    assert request.voice in ("Cherry", "Ethan", "zf_xiaobei", "jf_alpha")
    assert engine.fingerprint(request).startswith(f"kokoro/1/{pack.MARK}/")
    assert engine.resolve(request) == request


async def test_the_same_words_sound_the_same(engine: Kokoro) -> None:
    """Spoken alone or beside others, by this engine or another, a segment has the same bytes; other takes differ."""
    together = await asyncio.gather(spoken(engine), spoken(engine, "Something else."), spoken(engine))
    assert together[0] == together[2]
    other = Kokoro(data_dir(), endpoint=NOWHERE)
    assert await spoken(other) == together[0]
    await other.aclose()
    assert len({together[0], await spoken(engine, take=2), await spoken(engine, take=3)}) == 3


async def test_rate_and_pitch_do_what_they_say(engine: Kokoro) -> None:
    """A slower rate takes more time at the same pitch; a raised pitch is that much higher in the same time."""
    plain = await spoken(engine)
    slow, high = await spoken(engine, rate=0.6), await spoken(engine, pitch=1.25)
    assert seconds(slow) == pytest.approx(seconds(plain) / 0.6, rel=0.12)
    assert pitch(slow) == pytest.approx(pitch(plain), rel=0.08)
    assert seconds(high) == pytest.approx(seconds(plain), rel=0.1)
    assert pitch(high) == pytest.approx(pitch(plain) * 1.25, rel=0.08)


async def test_a_sentence_longer_than_the_network_takes_is_spoken_whole(engine: Kokoro) -> None:
    """More phonemes than one call takes are spoken in several: no word is lost."""
    ten, fifty = [await spoken(engine, "wonderful " * count, rate=2.0) for count in (10, 50)]
    assert seconds(fifty) == pytest.approx(5 * seconds(ten), rel=0.25)


def test_calls_cover_all_phonemes() -> None:
    """However many phonemes there are, calls join to all of them, none is too long, and marks alone are no call."""
    for phonemes in ("a" * 1200, "ab cd. " * 200, "ab, " * 300, "abc"):
        cut = list(calls(phonemes))
        assert "".join(phonemes[start:end] for start, end in cut) == phonemes
        assert all(0 < end - start <= 510 for start, end in cut)
    assert list(calls(" … ")) == []


def test_a_text_is_cut_for_an_early_beginning() -> None:
    """The first segment is a clause, the others are sentences, in characters that mean something in the language."""
    english = make(Request("Well, this is a beginning, and it goes on. " * 9, "Cherry"), Kokoro("/x", endpoint=NOWHERE))
    first, *others = english.segments()
    assert len(first.text) <= 40 < max(len(each.text) for each in others)
    chinese = make(Request("你好，今天天气很好，我们去公园散步吧。" * 30, "Cherry"), Kokoro("/x", endpoint=NOWHERE))
    assert max(len(each.text) for each in chinese.segments()) <= LANGUAGES["Chinese"].most


async def test_a_closed_engine_speaks_again(engine: Kokoro) -> None:
    """Closing lets waiting segments fail with an error of the tree; the next call loads anew."""
    crowd = [asyncio.create_task(spoken(engine)) for _ in range(12)]
    await asyncio.wait(crowd, return_when=asyncio.FIRST_COMPLETED)
    await engine.aclose()
    outcomes = await asyncio.gather(*crowd, return_exceptions=True)
    assert {type(each) for each in outcomes} <= {bytes, ServiceFailed}
    assert ServiceFailed in {type(each) for each in outcomes}
    assert seconds(await spoken(engine)) > 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_speaks() -> None:
    """What was loaded before a fork belongs to the parent's threads; the child loads its own."""
    code = (
        "import asyncio, os, sys\n"
        "from lineread import Client, Request\n"
        "client = Client(engine='kokoro', cache=False)\n"
        "line = client.generate(Request('Hello there.', 'af_heart')).pcm\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if client.generate(Request('Hello there.', 'af_heart')).pcm == line else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = python(code, timeout=100, env={**os.environ, "LINEREAD_DATA_DIR": data_dir()})
    assert done.returncode == 0, done.stderr.decode()


def test_a_stored_line_needs_neither_the_pack_nor_heavy_imports(tmp_path: Path) -> None:
    """Once spoken, a line comes from the cache: without the pack, without a network, without numpy and asyncio."""
    code = (
        "import sys\n"
        "from lineread import Client, Request\n"
        "client = Client(engine='kokoro', cache_dir=sys.argv[1])\n"
        "speech = client.generate(Request('你好，世界。', 'Cherry'))\n"
        "print(speech.cached, speech.stand_in)\n"
        "heavy = {'numpy', 'asyncio', 'onnxruntime', 'urllib.request', 'pypinyin', 'lineread.engines.crew'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    environ = {**os.environ, "LINEREAD_OFFLINE": "1"}
    first = python(code, str(tmp_path), timeout=100, env={**environ, "LINEREAD_DATA_DIR": data_dir()})
    again = python(code, str(tmp_path), env={**environ, "LINEREAD_DATA_DIR": str(tmp_path / "none")})
    assert first.stdout.decode().splitlines()[0] == "False kokoro zf_xiaoxiao as Cherry", first.stderr.decode()
    assert again.stdout.decode().splitlines() == ["True kokoro zf_xiaoxiao as Cherry", "[]"], again.stderr.decode()


def test_offline_says_what_would_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing may be fetched, nothing is asked for, and the error names the command."""
    with Hub({}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("LINEREAD_OFFLINE", "1")
        monkeypatch.setenv("LINEREAD_DATA_DIR", str(tmp_path))
        with Client(engine="kokoro", cache=False) as client, pytest.raises(ConfigError) as raised:
            client.generate(Request(TEXT, "Cherry"))
        assert raised.value.code == "pack_missing"
        assert "`lineread voices install kokoro`" in raised.value.remedy
        done = lineread("voices", "install", "kokoro")
        assert done.returncode == 3
        assert b"lineread voices install kokoro" in done.stderr
        assert hub.asked == []


def test_a_damaged_pack_is_told(tmp_path: Path) -> None:
    """A model that is none ends in an error that names the command which mends it."""
    place = Path(pack.directory(str(tmp_path)))
    (place / "onnx").mkdir(parents=True)
    (place / pack.MODEL).write_bytes(b"no model")
    pack.declare_whole(str(place), pack.MARK)
    engine = Kokoro(str(tmp_path), endpoint=NOWHERE)
    with pytest.raises(ConfigError, match="damaged") as raised:
        asyncio.run(spoken(engine))
    assert pack.INSTALL in raised.value.remedy


@pytest.mark.skipif(not tables()[1], reason="npm has no kokoro-js here")
def test_the_pack_is_fetched_on_first_use(tmp_path: Path) -> None:
    """`say` fetches the pack from HF_ENDPOINT with a notice of its size, speaks, and needs no hub any more."""
    files = {pack.MODEL: weights(), **tables()[0]}
    with Hub(files) as hub:
        environ = {**os.environ, "HF_ENDPOINT": hub.url, "LINEREAD_DATA_DIR": str(tmp_path / "data")}
        words = ("say", "-e", "kokoro", "-v", "bf_emma", "-o", "line.wav", "Hello, and welcome.")
        done = lineread(*words, timeout=110, env=environ)
        assert done.returncode == 0, done.stderr.decode()
        assert f"downloading the kokoro pack from {hub.url.removeprefix('http://')}: 121 MB" in done.stderr.decode()
        assert len(hub.asked) == 55
    assert Path("line.wav").stat().st_size > 40_000
    checked = lineread("voices", "install", "kokoro", "--json", env=environ)
    assert checked.returncode == 0, checked.stderr.decode()
    place = pack.directory(str(tmp_path / "data"))
    assert pack.is_whole(place)
    shutil.rmtree(place)


async def test_who_gives_up_waiting_ends_the_download(tmp_path: Path) -> None:
    """A cancelled first line stops its download; while somebody else waits, it goes on."""
    reached, go_on = threading.Event(), threading.Event()
    with Hub(dict.fromkeys((file.path for file in pack.kokoro().files), b"x" * 100_000)) as hub:
        hub.script(pack.MODEL, hold(1000, reached, go_on))
        engine = Kokoro(str(tmp_path), endpoint=hub.url)
        first, second = (asyncio.create_task(spoken(engine)) for _ in range(2))
        async with asyncio.timeout(60):
            await asyncio.to_thread(reached.wait, 60)
            first.cancel()
            await asyncio.wait([first])
            assert engine._fetching is not None
            assert not engine._fetching._stop.is_set()
            fetching = engine._fetching
            second.cancel()
            await asyncio.wait([second])
        assert fetching._stop.is_set()
        assert engine._fetching is None
        go_on.set()
    assert not pack.is_whole(pack.directory(str(tmp_path)))


async def test_facts_tell_who_spoke(engine: Kokoro) -> None:
    """A stand-in is named; a voice that speaks itself is none. The fingerprint is the plan's."""
    for voice, stand_in in (("Cherry", "kokoro af_heart as Cherry"), ("af_heart", "")):
        request = engine.resolve(Request("Hello.", voice))
        (chunk,) = await gather(engine.stream(Segment(request, 0, 0, 6)))
        assert chunk.facts is not None
        assert (chunk.facts.stand_in, chunk.facts.fingerprint) == (stand_in, engine.fingerprint(request))
        assert dataclasses.asdict(chunk.facts)["model"] == f"{MODEL}-{pack.MARK}"
