"""The client: which engine speaks, what it says about it, what it keeps, and how it lets go."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest

from lineread import Client, Engine, Request, Segment
from lineread.engines import registry
from lineread.engines.base import Limits
from lineread.engines.fake import Act, Fake
from lineread.errors import ConfigError, EngineUnknown, KeyMissing, OptionError, ServiceFailed, TextError
from lineread.speech import Chunk, Facts
from support import install, python

REQUEST = Request("A short line.", "Cherry")


class Notices(list[str]):
    def __call__(self, line: str) -> None:
        self.append(line)


def chosen(**settings: object) -> tuple[str, list[str]]:
    """The engine that a client chooses for a request, and what it says about that."""
    notices = Notices()
    client = Client(notice=notices, **settings)  # type: ignore[arg-type]
    return client.prepare(REQUEST).studio.engine.name, notices


def test_the_engine_is_the_first_that_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argument, environment, settings file, then the cloud when there is a key, then the machine's own voices."""
    name, notices = chosen()
    assert name == "local"
    assert len(notices) == 1
    assert "no DashScope key" in notices[0]
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-test")
    assert chosen() == ("dashscope", [])
    settings = Path(os.environ["XDG_CONFIG_HOME"]) / "lineread" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text('engine = "fake"')
    assert chosen() == ("fake", [])
    monkeypatch.setenv("LINEREAD_ENGINE", "builtin")
    assert chosen() == ("builtin", [])
    assert chosen(engine="fake") == ("fake", [])
    mine = Fake()
    mine.name = "mine"
    assert chosen(engine=mine) == ("mine", [])


def test_the_notice_is_one_line_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Who has no key reads once, on standard error, which voice speaks instead; who chose it reads nothing."""
    client = Client()
    for _ in range(3):
        client.prepare(REQUEST)
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("lineread: no DashScope key")
    assert output.err.count("\n") == 1
    Client(engine="builtin").prepare(REQUEST)
    assert capsys.readouterr().err == ""


def test_a_cloud_model_that_is_left_out_is_told() -> None:
    """Who names a model of the cloud, without a key, is told that it does not speak; who names none is told as ever."""
    said: list[str] = []
    with Client(notice=said.append) as client:
        client.prepare(Request("Hello.", "Cherry", model="qwen3-tts-flash"))
        client.prepare(Request("Hello.", "Cherry"))
    assert [line.rpartition(" (local)")[2] for line in said] == [", not qwen3-tts-flash.", "."]


async def test_stream_is_true_or_false() -> None:
    """A word that only looks like yes is refused before anything is spoken."""
    engine = Fake()
    with Client(engine=engine) as client:
        with pytest.raises(OptionError, match="stream must be true or false"):
            client.generate(Request("Hello.", "Cherry"), stream="yes")  # type: ignore[call-overload]
        with pytest.raises(OptionError, match="stream must be true or false"):
            await client.agenerate(Request("Hello.", "Cherry"), stream=1)  # type: ignore[call-overload]
    assert engine.calls == []


def test_a_request_that_is_refused_says_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    """A refusal is the one thing that a user has to read: no notice comes with it."""
    with pytest.raises(TextError):
        Client().prepare(Request(" ", "Cherry"))
    assert capsys.readouterr().err == ""


def test_an_instruction_that_nobody_follows_is_told() -> None:
    """An engine that drops the instruction does so in the open."""

    class Stubborn(Fake):
        def resolve(self, request: Request) -> Request:
            return replace(super().resolve(request), instruction=None)

    notices = Notices()
    client = Client(engine=Stubborn(), notice=notices)
    client.generate(replace(REQUEST, instruction="Sad."))
    client.generate(replace(REQUEST, instruction="Merry."))
    assert len(notices) == 1
    assert "instruction" in notices[0]


def test_nothing_is_sent_for_a_bad_request() -> None:
    """What is wrong is raised by the call itself, also with ``stream``, before any engine hears of it."""
    engine = Fake()
    client = Client(engine=engine)
    with pytest.raises(TextError):
        client.generate(Request("", "Cherry"))
    with pytest.raises(TextError):
        client.generate(Request("", "Cherry"), stream=True)

    async def asynchronously() -> None:
        await client.agenerate(Request("", "Cherry"), stream=True)

    with pytest.raises(TextError):
        asyncio.run(asynchronously())
    assert engine.calls == []


def test_the_cloud_without_a_key_is_refused() -> None:
    """Asking for the cloud without a key names the ways to give one, and the engine that needs none."""
    with pytest.raises(KeyMissing, match=r"DASHSCOPE_API_KEY.*builtin"):
        Client(engine="dashscope").prepare(REQUEST)


@pytest.mark.parametrize("name", ["bultin", "", "../evil", "os:system"])
def test_an_unknown_engine_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that no engine has is refused with the names that there are."""
    monkeypatch.setenv("LINEREAD_ENGINE", name or "nothing")
    with pytest.raises(EngineUnknown) as caught:
        Client().prepare(REQUEST)
    assert "builtin" in caught.value.remedy


@pytest.mark.parametrize("wrong", [Fake, 7, object(), ["fake"]])
@pytest.mark.parametrize("place", ["engine", "fallback"])
def test_what_is_no_engine_is_not_ignored(place: str, wrong: object) -> None:
    """A class instead of an object, or anything else, is refused; it never silently means another voice."""
    with pytest.raises((ConfigError, TypeError)):
        Client(**{place: wrong}).prepare(REQUEST)  # type: ignore[arg-type]


def test_a_failing_engine_does_not_change_the_voice() -> None:
    """Without a fallback a failure is a failure; with one, another engine speaks, and the result says so."""
    failure = ServiceFailed("It broke.")
    with pytest.raises(ServiceFailed):
        Client(engine=Fake([failure])).generate(REQUEST)
    backup = Fake()
    backup.name = "second"
    speech = Client(engine=Fake([failure]), fallback=backup).generate(REQUEST)
    assert (speech.engine, speech.cached) == ("second", False)
    assert len(backup.calls) == 1


def test_a_fallback_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fallback may come from the settings, by name; an argument outranks it."""
    monkeypatch.setenv("LINEREAD_FALLBACK", "fake")

    class Broken(Fake):
        name = "broken"

        async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
            raise ServiceFailed("It broke.")
            yield

    assert Client(engine=Broken()).generate(REQUEST).engine == "fake"
    with pytest.raises(ServiceFailed):
        Client(engine=Broken(), fallback=Broken()).generate(REQUEST)


def test_what_a_fallback_said_is_not_kept_as_the_first_ones() -> None:
    """Once the first engine works again it is asked again: the stand-in's sound is not in the cache under its name."""
    backup = Fake()
    backup.name = "second"
    client = Client(engine=Fake([ServiceFailed("It broke.")]), fallback=backup)
    assert client.generate(REQUEST).engine == "second"
    assert (client.generate(REQUEST).engine, client.generate(REQUEST).cached) == ("fake", True)


def test_a_line_is_kept_and_found_again(tmp_path: Path) -> None:
    """The second time a line costs nothing, also for another client; without a cache nothing is kept or found."""
    store = tmp_path / "store"
    engine = Fake()
    assert not Client(engine=engine, cache_dir=store).generate(REQUEST).cached
    again = Client(engine=engine, cache_dir=str(store)).generate(REQUEST)
    assert (again.cached, again.characters, len(engine.calls)) == (True, 0, 1)
    assert not Client(engine=engine, cache_dir=store, cache=False).generate(REQUEST).cached
    assert len(engine.calls) == 2
    elsewhere = tmp_path / "elsewhere"
    Client(engine=engine, cache_dir=elsewhere, cache=False).generate(REQUEST)
    assert not elsewhere.exists()


def test_the_default_file() -> None:
    """A speech without a name of its own lies below the output directory; the same request gives the same file."""
    client = Client(engine=Fake())
    path = client.generate(REQUEST).save()
    assert path == client.generate(REQUEST).save()
    assert Path(path).parent == Path("output/ai-audio-tts/audio")
    assert Path(path).name.startswith("a-short-line-cherry-")
    assert Path(path).suffix == ".wav"
    other = client.generate(replace(REQUEST, take=2)).save()
    assert other != path
    assert Path(path).read_bytes() != Path(other).read_bytes()


def test_the_output_directory_can_be_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``OUTPUT_DIR`` replaces the base, an argument outranks it."""
    monkeypatch.setenv("OUTPUT_DIR", str(tmp_path / "a"))
    assert Client(engine=Fake()).generate(REQUEST).save().startswith(f"{tmp_path}/a/ai-audio-tts/audio/")
    argued = Client(engine=Fake(), output_dir=tmp_path / "b").generate(REQUEST).save()
    assert argued.startswith(f"{tmp_path}/b/ai-audio-tts/audio/")


class Holding(Fake):
    """An engine that holds something of an event loop, and lets go of it by waiting there."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = 0

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.closed += 1


def test_closing_lets_go_of_what_was_used() -> None:
    """``close`` closes the engines that spoke, the fallback too, on the loop where they lived; then they work again."""
    engine, backup = Holding(), Holding()
    with Client(engine=engine, fallback=backup, cache=False) as client:
        client.generate(REQUEST)
    assert engine.closed >= 1
    assert backup.closed >= 1
    client.generate(REQUEST)
    client.close()
    client.close()
    assert len(engine.calls) == 2


async def test_closing_asynchronously() -> None:
    """``async with`` does the same on the caller's own loop."""
    engine = Holding()
    async with Client(engine=engine, cache=False) as client:
        await client.agenerate(REQUEST)
    assert engine.closed >= 1


def test_closing_what_was_never_used_costs_nothing() -> None:
    """A client that answered from the cache, or not at all, starts no thread to close itself."""
    code = (
        "import sys, threading\n"
        "from lineread import Client, Request\n"
        "for _ in range(2):\n"
        "    with Client(engine='fake') as client:\n"
        "        if len(sys.argv) > 1: client.generate(Request('Hello.', 'Cherry'))\n"
        "    if len(sys.argv) == 1: break\n"
        "    sys.argv.pop() if threading.active_count() > 2 else None\n"
        "print(threading.active_count(), 'asyncio' in sys.modules)\n"
    )
    assert python(code).stdout.split() == [b"1", b"False"]
    assert python(code, "speak").stdout.split() == [b"2", b"True"]
    assert python(code, "again").stdout.split() == [b"1", b"False"]


def test_one_client_for_many_threads() -> None:
    """A client can be shared by threads; each gets its own speech whole."""
    from concurrent.futures import ThreadPoolExecutor

    client = Client(engine=Fake(otherwise=Act(chunks=3), limits=Limits(by_sentence=True)), cache=False)
    requests = [Request(f"Number {number}. It is here.", "Cherry") for number in range(12)]
    expected = [client.generate(request).pcm for request in requests]
    with ThreadPoolExecutor(6) as pool:
        assert [speech.pcm for speech in pool.map(client.generate, requests)] == expected


async def test_clients_do_not_share_what_is_not_theirs(tmp_path: Path) -> None:
    """Two clients with the same words at the same time use each its own engine, and each pays for itself."""
    engines = [Fake(otherwise=Act(delay=0.02)) for _ in range(2)]
    clients = [Client(engine=engine, cache_dir=tmp_path / str(at)) for at, engine in enumerate(engines)]
    await asyncio.gather(*(client.agenerate(REQUEST) for client in clients))
    assert [len(engine.calls) for engine in engines] == [1, 1]


async def test_sync_and_async_are_the_same() -> None:
    """Both faces give the same sound, words and facts for the same request."""
    client = Client(engine=Fake(), cache=False)
    one, two = client.generate(REQUEST), await client.agenerate(REQUEST)
    assert (one.pcm, one.words, one.engine) == (two.pcm, two.words, two.engine)


PLUGIN = '''
from lineread import Chunk, Engine, Facts

class Beep(Engine):
    """A whole engine."""

    name = "beep"

    async def stream(self, segment):
        yield Chunk(b"\\x00\\x10" * 2400, 24000, 0, segment.span, facts=Facts(self.name))

def oddity():
    """No engine."""
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package that brings an engine, one that is broken, and one that takes a name of ours."""
    site = tmp_path / "site"
    own = {"beep": "beeping:Beep", "fake": "beeping:Beep"}
    bad = {"missing": "beeping:Missing", "gone": "no_such_module:X", "crash": "crashing:X", "odd": "beeping:oddity"}
    install(site, "beeping", PLUGIN, **own, **bad)
    install(site, "crashing", "1 / 0")
    monkeypatch.syspath_prepend(str(site))
    return site


def test_another_package_brings_an_engine(plugin: Path) -> None:
    """An engine of a few lines, found by its entry point, speaks like our own: joined, finished, cached."""
    speech = Client(engine="beep").generate(REQUEST)
    assert (speech.engine, speech.sample_rate) == ("beep", 24_000)
    assert speech.duration > 0.05
    assert Client(engine="beep").generate(REQUEST).cached
    assert "beep" in registry.names()


def test_a_package_cannot_take_our_names(plugin: Path) -> None:
    """What another package brings under one of our names is not used."""
    assert Client(engine="fake").generate(REQUEST).stand_in == "a tone"
    assert registry.names().count("fake") == 1


@pytest.mark.parametrize("name", ["missing", "gone", "crash", "odd"])
def test_a_package_that_is_broken_is_named(plugin: Path, name: str) -> None:
    """An engine that cannot be loaded, or is none, is an error of the set-up that says from where it should come."""
    with pytest.raises(EngineUnknown, match=r"cannot be loaded from .*repair"):
        Client(engine=name).prepare(REQUEST)


def test_an_engine_that_says_nothing_of_itself() -> None:
    """The least that an engine may do: sound without facts or words. It is joined, described and kept all the same."""

    class Mumble(Engine):
        name = "mumble"

        async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
            for number in range(3):
                yield Chunk(b"\x00\x10" * 1200, 24_000, number * 1200, segment.span)

    client = Client(engine=Mumble())
    text = "One sentence. " * 60
    speech = client.generate(Request(text, "Cherry"))
    assert speech.engine == "mumble"
    assert len(speech.segments) == 2
    assert client.generate(Request(text, "Cherry")).cached
    assert isinstance(speech.segments[0].facts, Facts)


def test_no_file_is_written_unasked() -> None:
    """Generating alone leaves nothing in the working directory."""
    Client(engine=Fake()).generate(REQUEST)
    assert list(Path().iterdir()) == []
