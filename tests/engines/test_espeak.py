"""The robotic voices: every language, who stands in for whom, and a program that is gone, hangs or is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from array import array
from pathlib import Path

import pytest

from lineread import catalogue
from lineread.engines import espeak_ng
from lineread.engines.espeak import Espeak, program, readable, voices
from lineread.errors import ConfigError, ServiceFailed, TextError, TimedOut, VoiceError
from lineread.speech import SAMPLE_RATE, Chunk, Request, Segment
from sentences import SENTENCES
from support import gather, needs_espeak


def line(text: str, voice: str = "Cherry", language: str = "Auto", **fields: object) -> Segment:
    request = Espeak().resolve(Request(text, voice, language, **fields))  # type: ignore[arg-type]
    return Segment(request, 0, 0, len(text))


async def said(segment: Segment) -> Chunk:
    async with asyncio.timeout(20):
        (chunk,) = await gather(Espeak().stream(segment))
    return chunk


def loudness(chunk: Chunk) -> float:
    samples = array("h", chunk.pcm)
    return (sum(one * one for one in samples) / len(samples)) ** 0.5


@needs_espeak
@pytest.mark.parametrize("language", voices.LANGUAGES)
async def test_every_language_is_spoken(language: str) -> None:
    """A sentence of each becomes a second or more of sound at lineread's rate, marked as robotic, in that language."""
    text = "コーヒーをください、ありがとう。" if language == "Japanese" else SENTENCES[language][2]
    segment = line(text)
    assert segment.request.language_type == language
    chunk = await said(segment)
    assert (chunk.sample_rate, 1 < chunk.duration < 12, loudness(chunk) > 300) == (SAMPLE_RATE, True, True)
    assert chunk.facts is not None
    assert chunk.facts.stand_in.startswith(f"espeak-ng {voices._VOICES[language]}+f")
    assert chunk.facts.stand_in.endswith(", robotic, as Cherry")
    assert espeak_ng.version() in chunk.facts.fingerprint


def test_the_languages_are_the_catalogues_and_hindi() -> None:
    """Nothing that Qwen speaks is left out, and every voice has a stand-in of its gender in each."""
    assert {*voices.LANGUAGES} == {*catalogue.load().languages} - {"Auto"} | {"Hindi"}
    for voice in catalogue.load().voices.values():
        for language in voices.LANGUAGES:
            person = voices.stand_in(Request("x", voice.id, language))
            letter = person.name.rpartition("+")[2][0]
            assert letter == ("m" if voice.gender == "male" and voice.age != "child" else "f")


@needs_espeak
async def test_rate_pitch_and_take_are_heard() -> None:
    """Twice the rate takes about half the time; pitch and another take change the sound, and nothing else does."""
    text = SENTENCES["German"][0]
    plain, fast = await said(line(text)), await said(line(text, rate=2.0))
    assert 0.4 < fast.duration / plain.duration < 0.65
    assert (await said(line(text, pitch=1.5))).pcm != plain.pcm != (await said(line(text, take=2))).pcm
    assert (await said(line(text))).pcm == plain.pcm
    assert voices.stand_in(line(text).request).options(line(text, pitch=2.0).request, text)[5] == "99"


@needs_espeak
@pytest.mark.parametrize(
    ("text", "language"),
    [("...", "German"), ("今日は良い天気です。", "Japanese"), ("你好，世界", "German"), ("Привет, мир", "Korean"),
     ("مرحبا بالعالم", "Russian"), ("مرحبا بالعالم", "Auto")],
)  # fmt: skip
def test_what_it_would_spell_is_refused(text: str, language: str) -> None:
    """Kanji, and letters that the language is not written in, are refused before a byte, with what to do."""
    with pytest.raises(TextError) as caught:
        line(text, language=language)
    assert caught.value.remedy


@needs_espeak
async def test_its_voices_are_about_as_loud_as_each_other() -> None:
    """Whoever stands in, a line has the loudness of the other engines' within 3 dB."""
    levels = [
        loudness(await said(line(SENTENCES["German"][0], name))) for name in ("Cherry", "Bella", "Neil", "Arthur")
    ]
    assert all(1700 < level < 3400 for level in levels), levels


@needs_espeak
def test_voices_of_ones_own_are_others_matter() -> None:
    """Custom ids and unknown names are refused."""
    for voice in ("qwen-tts-vd-me-20260101-abc", "Chery", "af_heart"):
        with pytest.raises(VoiceError):
            line("Guten Morgen, wie geht es?", voice)


def test_no_text_is_a_command() -> None:
    """Control characters, which are commands, brackets, which would be phonemes, and emoji are not passed on."""
    assert readable("a\x01b [[[h@lou]] \x7f🎉ok") == "a b [ [ [h@lou]]   ok"
    assert "[[" not in readable("[" * 7)


@pytest.fixture
def stand_in_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of that name that notes its process and sleeps for a minute."""
    path = tmp_path / "bin" / "espeak-ng"
    path.parent.mkdir()
    pid = tmp_path / "pid"
    path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && {{ echo "eSpeak NG text-to-speech: 9.9  Data"; exit; }}\n'
                    f"echo $$ > {pid}.part; /bin/mv {pid}.part {pid}; exec /bin/sleep 60\n")  # fmt: skip
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(path.parent))
    return pid


def test_the_version_is_asked_as_speech_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program gets none of the user's keys when it says its version either; an answer that fails is not kept."""
    path, broken = tmp_path / "espeak-ng", tmp_path / "broken"
    path.write_text(f'#!/bin/sh\n[ -e {broken} ] && exit 1\necho "eSpeak NG: [$DASHSCOPE_API_KEY,$LC_ALL]  Data"\n')
    path.chmod(0o755)
    broken.touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-secret")
    assert espeak_ng.version() == "unknown"
    broken.unlink()
    assert espeak_ng.version() == "[,C.UTF-8]"


async def begun(pid: Path) -> tuple[asyncio.Task[Chunk], int]:
    """A line that is being spoken by the sleeping program, and the process."""
    task = asyncio.create_task(said(line("Guten Morgen, wie geht es?")))
    deadline = time.monotonic() + 10
    while not os.access(pid, os.R_OK):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    with open(pid) as file:  # noqa: ASYNC230 - a few bytes
        return task, int(file.read())


def is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_killed_program_is_a_failure_that_may_pass(stand_in_program: Path) -> None:
    """Whoever kills it, the call fails at once, and may be made again."""
    task, process = await begun(stand_in_program)
    os.kill(process, signal.SIGKILL)
    with pytest.raises(ServiceFailed, match="status -9") as caught:
        await task
    assert caught.value.retryable
    assert Espeak().fingerprint(line("Guten Morgen, wie geht es?").request).startswith("espeak/1/9.9/de+")


async def test_who_stops_waiting_stops_the_program(stand_in_program: Path) -> None:
    """A cancelled call leaves no process behind."""
    task, process = await begun(stand_in_program)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_there(process)


async def test_a_program_that_hangs_has_an_end(stand_in_program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stopped when its time is over, and other work goes on meanwhile."""
    monkeypatch.setattr(program, "PATIENCE", 0.2)
    task, process = await begun(stand_in_program)
    ticks = 0
    while not task.done():
        await asyncio.sleep(0.01)
        ticks += 1
    with pytest.raises(TimedOut):
        await task
    assert ticks > 3
    assert not is_there(process)


@needs_espeak
async def test_a_missing_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing from the start it is refused, with the command that installs it; in the middle the call fails."""
    segment = line("Guten Morgen, wie geht es?")
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ConfigError, match=espeak_ng.INSTALL):
        line("Guten Morgen, wie geht es?")
    with pytest.raises(ServiceFailed, match=espeak_ng.INSTALL):
        await said(segment)
    assert espeak_ng.version() == "none"


@needs_espeak
async def test_the_program_gets_no_keys_and_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sounds the same in a fresh home, and writes nothing there."""
    first = (await said(line("Guten Morgen, wie geht es?"))).pcm
    home = tmp_path / "fresh"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    assert (await said(line("Guten Morgen, wie geht es?"))).pcm == first
    assert list(home.iterdir()) == []
