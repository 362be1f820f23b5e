"""The built-in engine as the pipeline sees it: what it accepts and says, and that it keeps no loop waiting."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineread import catalogue, plan
from lineread.engines.builtin import Builtin, cast
from lineread.engines.builtin.cast import Cast
from lineread.english import hibari
from lineread.errors import ConfigError, LinereadError, ModelError, OptionError, ServiceFailed, TextError, VoiceError
from lineread.speech import SAMPLE_RATE, Chunk, Request, Segment
from support import gather, python

SENTENCE = "The old lighthouse keeper climbed the winding stairs."
ENGLISH = (
    "Hello, this is a short voice line.",
    "Stop!",
    "7:30 p.m.",
    "Beverly Hills, Los Angeles, Las Vegas.",
    "Café au lait, crème brûlée, and a naïve résumé.",
    "Leonardo da Vinci met Ludwig van Beethoven, Charles de Gaulle and El Greco.",
    "The film “Das Boot” is about the war at sea.",
    "C'est la vie, he said, and que sera, sera.",
    "A plate 5 µm thick 😀 costs 3 €.",
)
FOREIGN = (
    "Guten Morgen, wie geht es dir heute?",
    "Ich habe keine Zeit für das.",
    "La maison est grande et belle, mais elle est vide.",
    "El perro está en la casa y no quiere salir.",
    "Il gatto è sul tavolo e dorme.",
    "O gato está em cima da mesa.",
)
NEVER_SPOKEN = {
    "你好，世界": "Chinese",
    "Say привет to him.": "Cyrillic",
    "こんにちは": "Japanese",
    "안녕하세요": "Korean",
    "the word λόγος": "Greek",
    "مرحبا": "Arabic",
}


@pytest.fixture(scope="module")
def engine() -> Iterator[Builtin]:
    """One loaded engine for all tests of this module: it must not depend on any one loop."""
    built = Builtin()
    yield built
    asyncio.run(built.aclose())


def segment(engine: Builtin, text: str = SENTENCE, voice: str = "Cherry", **fields: object) -> Segment:
    request = engine.resolve(Request(text, voice, **fields))  # type: ignore[arg-type]
    return Segment(request, 0, 0, len(text))


async def speak(engine: Builtin, spoken: Segment) -> Chunk:
    """All chunks of a segment as one."""
    chunks = await gather(engine.stream(spoken))
    assert [chunk.offset for chunk in chunks] == [sum(each.samples for each in chunks[:n]) for n in range(len(chunks))]
    return replace(chunks[-1], offset=0, pcm=b"".join(chunk.pcm for chunk in chunks))


def test_any_model_language_case_and_instruction_are_accepted_and_settled() -> None:
    """A request written for the cloud resolves as it is; what this engine does not heed is gone from it."""
    asked = Request(
        "Hello.", "ono_anna", language_type="ENGLISH", instruction="Warm.", model="qwen3-tts-instruct-flash"
    )
    resolved = Builtin().resolve(asked)
    assert (resolved.voice, resolved.language_type, resolved.instruction) == ("Ono Anna", "English", None)
    assert Builtin().resolve(resolved) == resolved


@pytest.mark.parametrize(
    ("fields", "error", "hint"),
    [
        ({"voice": "Chery"}, VoiceError, "Cherry"),
        ({"model": "qwen3-tts-flush"}, ModelError, "qwen3-tts-flash"),
        ({"language_type": "Englich"}, OptionError, "English"),
        ({"language_type": "German"}, TextError, "DASHSCOPE_API_KEY"),
        ({"text": " ... 😀 —"}, TextError, "words"),
    ],
)
def test_what_it_cannot_speak_is_refused_with_a_way_out(
    fields: dict[str, str], error: type[LinereadError], hint: str
) -> None:
    """Each field that cannot be served is refused before anything is loaded, and the remedy names what to do."""
    with pytest.raises(error) as caught:
        Builtin().resolve(replace(Request("Hello.", "Cherry"), **fields))  # type: ignore[arg-type]
    assert hint in caught.value.remedy


@pytest.mark.parametrize("text", ENGLISH)
def test_english_is_never_refused(text: str) -> None:
    """Names, loan words and quotations of other languages do not make an English text foreign."""
    assert Builtin().resolve(Request(text, "Cherry")).text == text


@pytest.mark.parametrize("text", FOREIGN)
def test_clearly_foreign_text_is_refused_unless_called_english(text: str) -> None:
    """Auto refuses Latin text full of another language's small words; who says English is believed."""
    with pytest.raises(TextError) as caught:
        Builtin().resolve(Request(text, "Cherry"))
    assert caught.value.code == "language_unsupported"
    assert Builtin().resolve(Request(text, "Cherry", language_type="English")).text == text


@pytest.mark.parametrize(("text", "script"), NEVER_SPOKEN.items())
def test_letters_that_would_be_dropped_are_refused_by_name(text: str, script: str) -> None:
    """Words of another script are refused, and the message says which script and where; so is a text of nothing else
    that is called English, but among English words they are skipped then, without moving any other character."""
    with pytest.raises(TextError, match=rf"{script} letters.* at character \d"):
        Builtin().resolve(Request(text, "Cherry"))
    asked = Request(text, "Cherry", language_type="English")
    if text.isascii() or not any(map(str.isascii, text)):
        with pytest.raises(TextError, match=script):
            Builtin().resolve(asked)
    else:
        spoken = Builtin().resolve(asked).text
        assert len(spoken) == len(text)
        assert all(one == other or not one.isascii() for one, other in zip(text, spoken, strict=True))
        assert not any(one.isalpha() and not one.isascii() for one in spoken)


@pytest.mark.parametrize(
    "text",
    ["10 kΩ", "π is 3.14", "λ = 500 nm", "Δt", "Alpha (α)", r"Hi ¯\_(ツ)_/¯", "%", "$", "&", "@", "№", "℃", "a ʘ b"],
)
def test_single_signs_are_named_or_skipped(text: str) -> None:
    """Greek letters of science and signs with a name are spoken, a stray sign is skipped; none is refused."""
    assert len(Builtin().resolve(Request(text, "Cherry")).text) == len(text)


@pytest.mark.parametrize("text", ["ʘ", "ﷺ", "\u0301" * 600, "ツ", "“…”"])
def test_a_text_without_anything_to_speak_is_refused_before_it_is_spoken(text: str) -> None:
    """What no sound can be made of is a mistake in the request, not a failure of the voice."""
    with pytest.raises(TextError):
        Builtin().resolve(Request(text, "Cherry"))


@pytest.mark.parametrize(
    ("text", "segments"),
    [("First.\n\nʘ\n\nSecond.", 2), ("First.\n\nツ\n\nSecond.", 2), ("e" + "\u0301" * 600, 1), ("a" + " ʘʘ" * 300, 1)],
)
def test_pieces_without_a_sound_are_no_pieces(text: str, segments: int) -> None:
    """A line of signs that are skipped ends no text: it is cut as a line of stars is."""
    planned = list(plan.make(Request(text, "Cherry"), Builtin()).segments())
    assert len(planned) == segments
    assert all(any(map(str.isalnum, segment.text)) for segment in planned)


def test_the_light_half_loads_nothing_heavy() -> None:
    """What a repeated line asks for (resolve, limits, fingerprint) imports no numpy, asyncio or hibari."""
    done = python(
        "import sys\n"
        "from lineread.engines.builtin import Builtin\n"
        "from lineread.speech import Request\n"
        "engine = Builtin()\n"
        "request = engine.resolve(Request('Hello there.', 'Cherry'))\n"
        "engine.limits(request), engine.fingerprint(request)\n"
        "heavy = {'numpy', 'onnxruntime', 'hibari', 'asyncio', 'logging', 'importlib.metadata', 'concurrent.futures'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert (done.stdout.strip(), done.stderr) == (b"[]", b"")


def test_speaking_leaves_hibari_itself_alone() -> None:
    """The rules are a private copy: ``import hibari`` afterwards finds its own modules, unchanged."""
    done = python(
        "import asyncio, sys\n"
        "from lineread.engines.builtin import Builtin\n"
        "from lineread.speech import Request, Segment\n"
        "async def speak():\n"
        "    engine = Builtin()\n"
        "    request = engine.resolve(Request('Hello there.', 'Cherry'))\n"
        "    chunks = [chunk async for chunk in engine.stream(Segment(request, 0, 0, 12))]\n"
        "    await engine.aclose()\n"
        "asyncio.run(speak())\n"
        "assert 'hibari' not in sys.modules\n"
        "import hibari.g2p\n"
        "print(hibari.g2p._load_json.__module__, hibari.Hibari().phonemize('Hello there.'))"
    )
    assert done.stdout.decode().strip() == "hibari.g2p ['həlˈO ðˈɛɹ.']", done.stderr.decode()


def test_the_fingerprint_covers_stand_in_and_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """It differs between voices, changes with hibari-tts and with a stand-in, and not with the text."""
    engine = Builtin()
    cherry = engine.fingerprint(Request("Hello.", "Cherry"))
    assert cherry == engine.fingerprint(Request("Bye.", "Cherry")) != engine.fingerprint(Request("Hello.", "Ethan"))
    assert "hibari-0.2" in cherry
    with monkeypatch.context() as patched:
        patched.setattr(hibari, "version", lambda: "0.2.99")
        assert engine.fingerprint(Request("Hello.", "Cherry")) != cherry
    with monkeypatch.context() as patched:
        voice = catalogue.voice("Cherry")
        patched.setattr(catalogue, "voice", lambda name: replace(voice, stand_in={**voice.stand_in, "pitch": 1.01}))
        assert engine.fingerprint(Request("Hello.", "Cherry")) != cherry


async def test_a_chunk_says_what_spoke_and_when(engine: Builtin) -> None:
    """One chunk: 24 kHz PCM, words in order inside of it, in the request's own places, facts without a bill."""
    text = "\n  Hello there.   "
    chunk = await speak(engine, segment(engine, text, "Vincent"))
    assert [text[slice(*word.span)] for word in chunk.words] == ["Hello", "there."]
    assert chunk.sample_rate == SAMPLE_RATE
    assert 0.3 < chunk.duration < 1.5
    assert chunk.facts is not None
    assert (chunk.facts.engine, chunk.facts.characters, chunk.facts.cached) == ("builtin", 0, False)
    assert chunk.facts.stand_in.startswith("hibari heart as Vincent: pitch 0.50")
    assert chunk.facts.model.startswith("hibari-0.2")


async def test_the_same_segment_is_the_same_bytes_alone_or_beside_others(engine: Builtin) -> None:
    """Sound depends on the segment alone: not on what ran before, on neighbours, or on which engine object spoke."""
    wanted = [segment(engine, voice=voice, take=take) for voice in ("Cherry", "Vincent", "Seren") for take in (1, 2)]
    alone = [await speak(engine, each) for each in wanted]
    crowd = await asyncio.gather(*(speak(engine, each) for each in [*reversed(wanted), *wanted]))
    assert [chunk.pcm for chunk in crowd[len(wanted) :]] == [chunk.pcm for chunk in alone]
    assert [chunk.pcm for chunk in reversed(crowd[: len(wanted)])] == [chunk.pcm for chunk in alone]
    other = Builtin()
    assert (await speak(other, wanted[2])).pcm == alone[2].pcm
    await other.aclose()


async def test_the_first_sound_comes_by_itself_when_nothing_else_is_spoken(engine: Builtin) -> None:
    """Alone, a segment's beginning is a chunk of its own, before the words and facts; beside others it is one chunk."""
    first, rest = await gather(engine.stream(segment(engine)))
    assert (first.words, first.facts, first.offset) == ((), None, 0)
    assert first.duration < 0.5
    assert rest.offset == first.samples
    assert rest.facts is not None
    beside = await asyncio.gather(*(gather(engine.stream(segment(engine))) for _ in range(3)))
    assert [len(chunks) for chunks in beside] == [2, 1, 1]
    assert all(b"".join(chunk.pcm for chunk in chunks) == first.pcm + rest.pcm for chunks in beside)
    assert all(chunks[-1].words == rest.words for chunks in beside)
    assert not engine._under_way


async def test_place_in_the_text_does_not_change_the_sound(engine: Builtin) -> None:
    """A sentence sounds the same as a text of its own and inside of a longer one, as the cache assumes."""
    whole = engine.resolve(Request(f"First comes this. {SENTENCE}", "Arthur"))
    inside = await speak(engine, Segment(whole, 1, 18, len(whole.text)))
    alone = await speak(engine, segment(engine, voice="Arthur"))
    assert inside.pcm == alone.pcm
    assert [word.span for word in inside.words] == [(start + 18, end + 18) for (start, end), *_ in alone.words]


async def test_takes_differ_a_little(engine: Builtin) -> None:
    """Another take is another reading of the same words: other samples, nearly the same length and level."""
    takes = [np.frombuffer((await speak(engine, segment(engine, take=take))).pcm, "<i2") for take in range(1, 5)]
    assert len({take.tobytes() for take in takes}) == 4
    lengths = [len(take) for take in takes]
    assert max(lengths) < 1.1 * min(lengths)
    levels = [20 * np.log10(np.sqrt(np.mean(np.square(take, dtype=np.float64)))) for take in takes]
    assert max(levels) - min(levels) < 1.5


async def test_rate_changes_the_length_and_pitch_does_not(engine: Builtin) -> None:
    """Double rate takes about half of the time, half rate about double; pitch leaves the time alone."""
    own = (await speak(engine, segment(engine))).duration
    assert (await speak(engine, segment(engine, rate=2.0))).duration == pytest.approx(own / 2, rel=0.2)
    assert (await speak(engine, segment(engine, rate=0.5))).duration == pytest.approx(own * 2, rel=0.2)
    assert (await speak(engine, segment(engine, pitch=1.5))).duration == pytest.approx(own, rel=0.01)


async def test_the_event_loop_is_never_kept_waiting(engine: Builtin) -> None:
    """While a cold engine loads and speaks, a ticker on the same loop goes on at its pace."""
    cold = Builtin()
    gaps: list[float] = []

    async def tick() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            gaps.append(time.perf_counter() - before)

    ticker = asyncio.create_task(tick())
    begun = time.perf_counter()
    await asyncio.gather(*(speak(cold, segment(cold, f"{SENTENCE} Number {n}.")) for n in range(8)))
    taken = time.perf_counter() - begun
    ticker.cancel()
    await cold.aclose()
    # Loading alone would be one gap of most of the time. Threads take turns at the interpreter, so ticks come late.
    assert len(gaps) > 5
    assert max(gaps) < max(0.2, taken / 3)


async def test_stopping_is_at_once_and_frees_the_engine(engine: Builtin) -> None:
    """A cancelled segment ends within 50 ms, queued ones are never spoken, and the engine goes on."""
    busy = [asyncio.create_task(speak(engine, segment(engine, f"{SENTENCE} {n}."))) for n in range(40)]
    await asyncio.sleep(0)
    before = time.perf_counter()
    for task in busy:
        task.cancel()
    await asyncio.gather(*busy, return_exceptions=True)
    assert time.perf_counter() - before < 0.05
    assert all(task.cancelled() for task in busy)
    assert (await speak(engine, segment(engine))).pcm


async def test_closed_and_used_again(engine: Builtin) -> None:
    """aclose gives everything back, twice does no harm, and another line loads anew."""
    passing = Builtin()
    first = await speak(passing, segment(passing))
    await passing.aclose()
    await passing.aclose()
    assert (await speak(passing, segment(passing))).pcm == first.pcm
    await passing.aclose()


async def test_closed_while_it_speaks(engine: Builtin) -> None:
    """Segments under way, begun or waiting for a thread, are spoken or fail as an engine's; a later one is spoken."""
    passing = Builtin()
    wanted = segment(passing)
    async with aclosing(passing.stream(wanted)) as begun:
        first = await anext(begun)
        waiting = [asyncio.create_task(speak(passing, wanted)) for _ in range(20)]
        await asyncio.sleep(0)
        await passing.aclose()
        with pytest.raises(ServiceFailed, match="closed"):
            await anext(begun)
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(each) for each in ended} <= {Chunk, ServiceFailed}
    assert ServiceFailed in map(type, ended)
    assert (await speak(passing, wanted)).pcm.startswith(first.pcm)
    await passing.aclose()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_child_speaks_on_its_own() -> None:
    """After a line in the parent a child of `os.fork` speaks the same bytes, also one forked while others speak."""
    done = python(
        "import os, threading, warnings\n"
        "from lineread import Client, Request\n"
        "warnings.simplefilter('ignore', DeprecationWarning)\n"  # fork with threads, which is the point
        "line = Request('Hello there.', 'Cherry')\n"
        "with Client(engine='builtin', cache=False) as client:\n"
        "    said = client.generate(line).pcm\n"
        "    busy = threading.Thread(target=client.generate, args=(Request('One two three. ' * 20, 'Cherry'),))\n"
        "    busy.start()\n"
        "    children = []\n"
        "    for _ in range(3):\n"
        "        if not (child := os.fork()):\n"
        "            os._exit(0 if client.generate(line).pcm == said else 1)\n"
        "        children.append(child)\n"
        "    print([os.waitpid(child, 0)[1] for child in children])\n"
        "    busy.join()\n",
        timeout=60,
    )
    assert (done.stdout.strip(), done.stderr) == (b"[0, 0, 0]", b"")


async def test_an_iterator_that_is_not_read_does_nothing(engine: Builtin) -> None:
    """A stream that is closed before its first chunk was asked for starts no work."""
    unused = Builtin()
    async with aclosing(unused.stream(segment(engine))):
        pass
    assert unused._crew is None


async def _fails(engine: Builtin) -> LinereadError:
    with pytest.raises(ConfigError) as caught:
        await speak(engine, segment(engine))
    await engine.aclose()
    return caught.value


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of hibari-tts that may be broken."""
    copy = tmp_path / "site" / "hibari"
    shutil.copytree(hibari.root(), copy)
    monkeypatch.setattr(hibari, "root", lambda: str(copy))
    return copy / "assets"


@pytest.mark.parametrize("name", ["hibari.onnx", "lexicon_us_gold.json.gz", "tagger.json.gz", "vocab.json"])
async def test_a_broken_installation_is_named_and_remedied(name: str, damaged: Path) -> None:
    """A file of hibari-tts that is missing or cut short gives one line that says so, and how to reinstall."""
    content = (damaged / name).read_bytes()
    (damaged / name).write_bytes(content[: len(content) // 2])
    assert "pip install" in (await _fails(Builtin())).remedy
    (damaged / name).unlink()
    assert name in (await _fails(Builtin())).message


async def test_an_unknown_model_is_not_guessed_at(damaged: Path) -> None:
    """A hibari-tts whose graph has other names is refused, not spoken with wrong times."""
    model = (damaged / "hibari.onnx").read_bytes()
    (damaged / "hibari.onnx").write_bytes(model.replace(b"/Clip_output_0", b"/Cli__output_0"))
    assert "not a version" in (await _fails(Builtin())).message


async def test_a_missing_dependency_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without onnxruntime the first line says so, and warming up early says nothing and breaks nothing."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    for module in ("lineread._onnxruntime", "lineread.engines.builtin.model"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    engine = Builtin()
    engine.warm()
    assert "onnxruntime" in (await _fails(engine)).message


async def test_warming_up_changes_only_when_it_loads(engine: Builtin) -> None:
    """A warmed engine speaks the same bytes, and warming it again does no harm."""
    warmed = Builtin()
    warmed.warm()
    warmed.warm()
    assert (await speak(warmed, segment(warmed))).pcm == (await speak(engine, segment(engine))).pcm
    warmed.warm()
    await warmed.aclose()


def test_a_missing_package_is_said_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without hibari-tts the request is refused as a matter of set-up."""
    monkeypatch.setattr(hibari.PathFinder, "find_spec", lambda name: None)
    hibari.root.cache_clear()
    with pytest.raises(ConfigError, match="not installed"):
        Builtin().resolve(Request("Hello.", "Cherry"))
    hibari.root.cache_clear()


@given(
    pitch=st.floats(0.5, 2),
    rate=st.floats(0.5, 2),
    take=st.integers(1, 1000),
    voice=st.sampled_from(sorted(catalogue.load().voices)),
)
@settings(max_examples=200)
def test_every_reading_stays_speech(pitch: float, rate: float, take: int, voice: str) -> None:
    """Whatever is asked of whichever voice, pitch and pace stay in the range in which it is still speech."""
    reading = cast.reading(
        Request("Hello.", voice, pitch=pitch, rate=rate, take=take), "Hello.", Cast().stand_in(voice)
    )
    assert 55 <= round(reading.voice.pitch * cast.OWN_PITCH, 6) <= 480
    assert 0.4 * 0.97 <= reading.voice.pace <= 2.4 * 1.03
    assert (reading.drift == 0) == (take == 1)


def test_nobody_counts_what_is_spoken(tmp_path: Path) -> None:
    """Loading the voice and speaking leaves no file in the home but lineread's, and onnxruntime's telemetry is off."""
    code = (
        "import os; from lineread import Client, Request\n"
        "with Client(engine='builtin', cache=False) as client: client.generate(Request('Hello there.', 'Cherry'))\n"
        "print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    home = {**os.environ, "HOME": str(tmp_path / "mine"), "XDG_CACHE_HOME": str(tmp_path / "mine" / ".cache")}
    home.pop("ORT_DISABLE_TELEMETRY", None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=home, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "1\n"
    assert not [path for path in (tmp_path / "mine").rglob("*") if path.is_file()]
