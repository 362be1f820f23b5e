"""The machine's voices together: who speaks what, which lines they share with their own engines, what is refused."""

from __future__ import annotations

import argparse
import inspect
import itertools
import logging
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lineread import config
from lineread.client import Client
from lineread.engines import espeak_ng, local
from lineread.engines.builtin import Builtin
from lineread.engines.espeak import Espeak
from lineread.engines.espeak import voices as robots
from lineread.engines.kokoro import MODEL as KOKORO_MODEL
from lineread.engines.kokoro import Kokoro, pack, readers
from lineread.engines.kokoro import languages as kokoro
from lineread.engines.local import Local, languages
from lineread.errors import ConfigError, OptionError, ServiceFailed, TextError, VoiceError
from lineread.speech import LiveRequest, Request, Segment
from lineread.text.arriving import Arriving
from sentences import MIXED_CHINESE, SENTENCES
from support import gather, needs_espeak

MIXED = "你好，世界。Hello there, my friend. 我们用 Python 写代码。"
ALL = frozenset(SENTENCES)
LATIN = ("German", "Italian", "Portuguese", "Spanish", "French")


def make() -> Local:
    return Local(config.resolve())


def told(text: str) -> list[str]:
    return [*languages.sort(text, lambda: ALL)]


@pytest.fixture
def pack_is_there() -> None:
    """Kokoro's pack, as far as choosing goes."""
    place = Path(pack.directory(config.resolve().data_dir))
    place.mkdir(parents=True)
    pack.declare_whole(str(place), pack.MARK)


@pytest.fixture
def no_espeak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")


@pytest.mark.parametrize("language", SENTENCES)
def test_sentences_alone_and_together(language: str) -> None:
    """Nine of ten sentences by themselves, and all of them as one text, are taken for the language that they are in."""
    lines = SENTENCES[language]
    assert sum(told(line) == [language] for line in lines) >= 18
    assert told(" ".join(lines)) == [language]


def test_an_english_word_changes_no_chinese_sentence() -> None:
    """Each goes to the Chinese voice."""
    assert [line for line in MIXED_CHINESE if told(line) != ["Chinese"]] == []


def test_english_stays_english() -> None:
    """No docstring of some modules, nor a line or a clause of one, is taken for another language."""
    texts = [
        inspect.getdoc(thing) or "" for module in (argparse, logging, subprocess) for thing in vars(module).values()
    ]
    lines = {line.strip() for text in texts for line in [text, *text.splitlines(), *_clauses(text)]}
    spoken = [line for line in lines if any(map(str.isalpha, line))]
    assert len(spoken) > 1000
    assert [line for line in spoken if told(line) != ["English"]] == []


def _clauses(text: str) -> list[str]:
    arriving = Arriving(300)
    return [piece.text for piece in arriving.feed(text) + arriving.flush()]


def test_a_foreign_name_or_sentence_in_english() -> None:
    """A name changes nothing; a sentence goes to its own voice if there is one, and else stays with the English one."""
    assert told("José Muñoz met Jürgen Klopp in São Paulo.") == ["English"]
    text = "She smiled at all of them. Guten Morgen, wie geht es Ihnen heute? Nobody answered her."
    assert told(text) == ["English", "German"]
    assert [*languages.sort(text, lambda: {"English"})] == ["English"]


def test_a_short_line_goes_with_its_text() -> None:
    """What says nothing by itself is in the language of the sentences around it."""
    assert told("Niemand wusste das. Nein. OK. Wir haben keine Zeit mehr für so etwas.") == ["German"]
    assert languages.language("東京。", ["Japanese", "Chinese"]) == "Japanese"
    assert languages.language("2024.", ["German", "English"]) == "German"


def test_english_has_the_lines_of_the_built_in_voice() -> None:
    """A line that the engine builtin has kept is found again: same request, same fingerprint, same cutting."""
    for request in (
        Request("Hello there. How are you?", "Ethan"),
        Request("Hello.", "cherry", "english", model="qwen3-tts-flash"),
    ):
        ours, theirs = make(), Builtin.configured(config.resolve())
        resolved = ours.resolve(request)
        assert resolved == theirs.resolve(request)
        assert ours.fingerprint(resolved) == theirs.fingerprint(resolved)
        assert ours.limits(resolved) == theirs.limits(resolved)
    with Client(engine="builtin") as client:
        client.generate(Request("Hello there.", "Ethan"))
    with Client() as client:
        assert client.generate(Request("Hello there.", "Ethan")).cached


@needs_espeak
def test_a_language_alone_has_the_lines_of_its_engine() -> None:
    """So it is with German, the engine espeak, and a language that is named."""
    request = Request("Guten Morgen, wie geht es Ihnen?", "Cherry")
    for asked in (request, replace(request, language_type="german")):
        ours, theirs = make(), Espeak()
        resolved = ours.resolve(asked)
        assert (resolved, resolved.language_type) == (theirs.resolve(asked), "German")
        assert ours.fingerprint(resolved) == theirs.fingerprint(resolved)


@needs_espeak
def test_each_sentence_has_its_voice() -> None:
    """Chinese and English by turns: each segment tells who spoke; said again, all of it comes from the cache."""
    with Client() as client:
        speech = client.generate(Request(MIXED, "Ethan"))
        assert [each.facts.engine for each in speech.segments] == ["espeak", "builtin", "espeak"]
        assert [MIXED[slice(*each.span)] for each in speech.segments] == [
            "你好，世界。", "Hello there, my friend.", "我们用 Python 写代码。",
        ]  # fmt: skip
        assert [MIXED[slice(*word.span)] for word in speech.words][:2] == ["Hello", "there,"]
        assert "robotic" in speech.stand_in
        assert client.generate(Request(MIXED, "Ethan")).cached


@needs_espeak
async def test_it_resolves_to_the_same() -> None:
    """A resolved text in several languages resolves to itself, in another engine object too, with the same mark."""
    one, other = make(), make()
    resolved = one.resolve(Request(MIXED, "cherry", instruction="Calm.", model="qwen3-tts-flash"))
    assert (resolved.model, resolved.language_type, resolved.voice, resolved.instruction) == (
        "local",
        "Auto",
        "Cherry",
        None,
    )
    assert other.fingerprint(resolved) == one.fingerprint(resolved)
    assert other.resolve(resolved) == resolved
    assert all(name in one.fingerprint(resolved) for name in ("Chinese=espeak/", "English=builtin/"))
    facts = (await gather(other.stream(Segment(resolved, 0, 0, 6))))[-1].facts
    assert facts is not None
    assert facts.fingerprint == one.fingerprint(resolved)


@pytest.mark.usefixtures("pack_is_there")
def test_kokoro_speaks_what_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its pack, seven languages are Kokoro's, English and what it lacks are not, its own voices are."""
    ours = make()
    assert ours.resolve(Request("你好，世界。", "Cherry")).model == KOKORO_MODEL
    assert ours.resolve(Request("今日は良い天気です。", "Cherry")).language_type == "Japanese"
    assert ours.resolve(Request("Hello there.", "Cherry")).model == "hibari"
    assert ours.resolve(Request("Hello there.", "af_heart")).model == KOKORO_MODEL
    if espeak_ng.place() is not None:
        assert ours.resolve(Request("Guten Morgen, wie geht es Ihnen?", "Cherry")).model == "espeak-ng"
        assert {*ours.speakers().values()} == {"builtin", "kokoro", "espeak"}
    monkeypatch.setenv("PATH", "/nonexistent")
    assert {*ours.speakers()} == {*kokoro.LANGUAGES} - {*readers.BY_ESPEAK}
    assert ours.resolve(Request(MIXED, "Cherry")).model == "local"


@pytest.mark.usefixtures("pack_is_there", "no_espeak")
def test_kokoro_without_its_readers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What nothing can read to Kokoro is refused before the first byte, with what would; espeak-ng is better than that.

    A voice of Kokoro's own is asked for by name: there it says itself what it lacks.
    """
    monkeypatch.setitem(readers._PACKAGES, "Chinese", ("rjieba", "package_that_nobody_has"))
    with pytest.raises(TextError) as caught:
        make().resolve(Request("你好，世界。", "Cherry"))
    assert readers.EXTRA in caught.value.remedy
    assert "voices install" not in caught.value.remedy
    with pytest.raises(TextError, match="Spanish") as caught:
        make().resolve(Request("Hola.", "Cherry", "Spanish"))
    assert espeak_ng.INSTALL in caught.value.remedy
    for engine in (make(), Kokoro(str(tmp_path), endpoint="http://127.0.0.1:9")):
        with pytest.raises(ConfigError, match="package_that_nobody_has") as lacks:
            engine.resolve(Request("你好，世界。", "zf_xiaobei"))
        assert readers.EXTRA in lacks.value.remedy
        with pytest.raises(ConfigError, match="Spanish") as lacks:
            engine.resolve(Request("Hola.", "ef_dora", "Spanish"))
        assert espeak_ng.INSTALL in lacks.value.remedy
    program = tmp_path / "espeak-ng"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    notices: list[str] = []
    ours = Local(replace(config.resolve(), notice=notices.append))
    assert ours.resolve(Request("你好，世界。", "Cherry")).model == "espeak-ng"
    assert ours.speakers()["Chinese"] == "espeak"
    assert ours.speakers()["Spanish"] == "kokoro"
    assert readers.EXTRA in notices[0]


def test_its_tables_are_the_engines_own() -> None:
    """What it knows of its engines without loading them is so."""
    assert {*kokoro.LANGUAGES} == local._KOKORO | {"English"}
    assert {*robots.LANGUAGES} == ALL
    resolved = {Builtin().resolve(Request("Hello.", "Cherry")).model: "builtin"}
    assert resolved.items() <= local._MEMBERS.items()
    assert KOKORO_MODEL not in local._MEMBERS


@pytest.mark.usefixtures("no_espeak")
@pytest.mark.parametrize(
    ("text", "language", "commands"),
    [("你好，世界。", "Auto", ["lineread voices install kokoro", espeak_ng.INSTALL]),
     ("Hello there. 你好，世界。", "Auto", ["lineread voices install kokoro"]),
     ("Guten Morgen, wie geht es Ihnen?", "Auto", [espeak_ng.INSTALL]),
     ("Hello.", "Korean", [espeak_ng.INSTALL, "DASHSCOPE_API_KEY"]),
     ("Jag vill köpa en kopp kaffe.", "Auto", ["language_type"]),
     ("مرحبا بالعالم", "Auto", ["language_type"])],
)  # fmt: skip
def test_what_nothing_speaks_is_refused(text: str, language: str, commands: list[str]) -> None:
    """Before the first byte, with the command that would install a voice."""
    with pytest.raises(TextError) as caught:
        make().resolve(Request(text, "Cherry", language))
    assert caught.value.code == "language_unsupported"
    assert all(command in caught.value.remedy for command in commands)


def test_what_else_is_refused() -> None:
    """Unknown voices, languages and models, text without words, and text in another script than the language named."""
    for request, error in (
        (Request("Hello.", "Chery"), VoiceError),
        (Request("Hello.", "Cherry", "Klingon"), OptionError),
        (Request("...", "Cherry"), TextError),
        (Request("😀🎉", "Cherry"), TextError),
        (Request("你好，世界。", "Cherry", "English"), TextError),
        (Request("你好，世界。", "qwen-tts-vd-nobody-20260101-abc"), VoiceError),
    ):
        with pytest.raises(error):
            make().resolve(request)


@needs_espeak
async def test_a_program_that_goes_away_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was promised a voice that is gone hears of it as a failed call, and English is still spoken."""
    ours = make()
    alone = ours.resolve(Request("Guten Morgen, wie geht es Ihnen?", "Cherry"))
    mixed = ours.resolve(Request(MIXED, "Cherry"))
    monkeypatch.setenv("PATH", "/nonexistent")
    for segment in (Segment(alone, 0, 0, len(alone.text)), Segment(mixed, 0, 0, 6)):
        with pytest.raises(ServiceFailed, match=espeak_ng.INSTALL):
            await gather(ours.stream(segment))
    english = Segment(mixed, 1, MIXED.index("Hello"), MIXED.index("我们"))
    assert (await gather(ours.stream(english)))[0].pcm
    await ours.aclose()


def test_ten_thousand_sentences() -> None:
    """A text of all languages by turns, with emoji and signs between, is told apart within seconds, one by one."""
    lines = [*itertools.chain(*zip(*(SENTENCES[language] for language in SENTENCES), strict=True))]
    text = " 😀 ".join(itertools.islice(itertools.cycle([*lines, "\u202e\u200f", "…", "!!!"]), 10_000))
    begun = time.process_time()
    parts = languages.sort(text, lambda: ALL)
    assert {*parts} == {*SENTENCES}
    assert time.process_time() - begun < 20


@needs_espeak
async def test_a_live_session_changes_its_voice() -> None:
    """Text that arrives in two languages is spoken by two voices; a language that is named is the only one."""
    async with Client(cache=False).live(LiveRequest("Cherry")) as session:
        await session.write("Hello there, my friend. 你好，世界，今天天气很好。")
        await session.end()
        chunks = [chunk async for chunk in session]
    assert [*dict.fromkeys(chunk.facts.engine for chunk in chunks if chunk.facts)] == ["builtin", "espeak"]
    async with Client(cache=False).live(LiveRequest("Cherry", language_type="German")) as session:
        await session.write("OK.")
        await session.end()
        chunks = [chunk async for chunk in session]
    assert [chunk.facts.engine for chunk in chunks if chunk.facts] == ["espeak"]


@needs_espeak
def test_a_robotic_voice_is_told_once() -> None:
    """Who did not choose espeak-ng hears that it speaks and what is better, once; who did choose it hears nothing."""
    lines: list[str] = []
    with Client(engine="local", notice=lines.append) as client:
        for _ in range(2):
            client.prepare(Request("你好，世界。", "Cherry"))
    assert len(lines) == 1
    assert "robotic" in lines[0]
    assert "`lineread voices install kokoro` brings a neural one for Chinese" in lines[0]
    with Client(engine="espeak", notice=lines.append) as client:
        client.prepare(Request("你好，世界。", "Cherry"))
    assert len(lines) == 1


def test_a_made_voice_and_a_foreign_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """The remedy tells what voices made here speak, and which ones speak the text."""
    ours = make()
    monkeypatch.setattr(ours._builtin, "resolve", lambda request: Builtin().resolve(replace(request, voice="Cherry")))
    with pytest.raises(TextError) as caught:
        ours.resolve(Request("你好，世界。", "qwen-tts-vd-somebody-20260101-abc"))
    assert "made on this machine speak English" in caught.value.remedy
    assert "Cherry" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "name", "place"),
    [
        ("สวัสดีครับ ยินดีต้อนรับ", "Thai", 1),
        ("Hello there. مرحبا بكم في متحفنا اليوم.", "Arabic", 14),
        ("Γειά σου Κόσμε.", "Greek", 1),
    ],
)
def test_a_language_that_nothing_here_speaks_is_named(text: str, name: str, place: int) -> None:
    """The error says which it is, where it begins, and what is spoken instead."""
    with pytest.raises(TextError, match=f"looks {name} from character {place} on") as caught:
        make().resolve(Request(text, "Cherry"))
    assert "English" in caught.value.remedy
    assert caught.value.code == "language_unsupported"
