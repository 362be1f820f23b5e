"""The normalized interface: names, defaults and response fields are promises."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path

import pytest

from lineread import Request, tts
from lineread.engines.fake import Fake
from lineread.errors import OptionError, TextError, VoiceError
from lineread.results import AsyncStream, Speech, Stream

NORMALIZED = {"text": inspect.Parameter.empty, "voice": inspect.Parameter.empty, "language_type": "Auto",
              "instruction": None, "stream": False}  # fmt: skip


@pytest.mark.parametrize("function", [tts.generate, tts.agenerate])
def test_the_arguments_are_those_promised(function: object) -> None:
    """The normalized fields come first, in order, with their defaults; whatever else there is must be named."""
    parameters = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    plain = {each.name: each.default for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD}
    assert plain == NORMALIZED
    assert list(plain) == list(NORMALIZED)
    assert {each.kind for each in parameters} - {inspect.Parameter.POSITIONAL_OR_KEYWORD} == {
        inspect.Parameter.VAR_KEYWORD
    }


def test_sync_and_async_take_the_same() -> None:
    """Both faces have one signature, and one is a coroutine."""
    assert inspect.signature(tts.generate).parameters == inspect.signature(tts.agenerate).parameters
    assert inspect.iscoroutinefunction(tts.agenerate)
    assert not inspect.iscoroutinefunction(tts.generate)


def test_every_extra_is_a_field_or_a_setting() -> None:
    """The extras are the other fields of a request, and what a client may be told; nothing is in both."""
    from lineread import Client

    fields = set(Request.__dataclass_fields__) - NORMALIZED.keys()
    settings = set(inspect.signature(Client.__init__).parameters) - {"self", "notice"}
    assert set(tts.Options.__annotations__) == fields
    assert set(tts.Settings.__annotations__) == settings
    assert fields & settings == set()


def test_text_and_voice_are_required() -> None:
    """Only the command ``say`` has a default voice."""
    for arguments in ({}, {"text": "Hello."}, {"voice": "Cherry"}):
        with pytest.raises(TypeError, match="required"):
            tts.generate(**arguments)  # type: ignore[call-overload]


@pytest.mark.parametrize("name", ["volumne", "instructions", "notice", "sample_rate"])
def test_what_is_not_an_argument_is_refused(name: str) -> None:
    """A misspelt or unknown extra is an error of the call, not something to pass over."""
    with pytest.raises(OptionError, match=name) as caught:
        tts.generate("Hello.", "Cherry", engine="fake", **{name: 1})  # type: ignore[call-overload]
    assert caught.value.code == "unknown_argument"
    assert "Did you mean volume" in str(caught.value) or name != "volumne"


def test_a_whole_speech() -> None:
    """Without ``stream`` the result is a speech, and its response has the three promised fields."""
    speech = tts.generate(text="Hello, this is a short voice line.", voice="Cherry", engine="fake")
    assert isinstance(speech, Speech)
    response = speech.to_dict()
    assert list(response) == ["audio_url", "sample_rate", "format"]
    assert (response["sample_rate"], response["format"]) == (24_000, "wav")
    assert str(response["audio_url"]).startswith("file:///")
    assert [path.parts[:3] for path in Path().rglob("*.wav")] == [("output", "ai-audio-tts", "audio")]


def test_a_stream() -> None:
    """With ``stream`` the result gives chunks, and its response has the three promised fields, and PCM."""
    stream = tts.generate("Hello there.", "Cherry", "English", None, True, engine="fake")  # noqa: FBT003
    assert isinstance(stream, Stream)
    chunks = list(stream)
    assert chunks[-1].final
    response = tts.generate("Hello there.", "Cherry", stream=True, engine="fake").to_dict()
    assert list(response) == ["audio_base64_pcm", "sample_rate", "format"]
    assert (response["sample_rate"], response["format"]) == (24_000, "pcm")
    assert (
        response["audio_base64_pcm"]
        == tts.generate("Hello there.", "Cherry", stream=True, engine="fake").to_dict()["audio_base64_pcm"]
    )


async def test_the_asynchronous_twin() -> None:
    """Awaited, the same arguments give the same results."""
    speech = await tts.agenerate(text="Hello there.", voice="Cherry", engine="fake")
    assert isinstance(speech, Speech)
    assert speech.pcm == tts.generate(text="Hello there.", voice="Cherry", engine="fake").pcm
    stream = await tts.agenerate(text="Hello there.", voice="Cherry", stream=True, engine="fake")
    assert isinstance(stream, AsyncStream)
    assert b"".join([chunk.pcm async for chunk in stream]) == speech.pcm


def test_mistakes_are_raised_by_the_call() -> None:
    """Also with ``stream``, what is wrong is raised at once and not at the first chunk."""
    with pytest.raises(TextError):
        tts.generate("", "Cherry", stream=True, engine="fake")
    with pytest.raises(OptionError):
        tts.generate("Hello.", "Cherry", rate=3, engine="fake")
    with pytest.raises(VoiceError, match="Did you mean Cherry"):
        tts.generate("Hello.", "Chery", stream=True, engine="builtin")
    with pytest.raises(OptionError):
        asyncio.run(tts.agenerate("Hello.", "Cherry", language_type="Latin", engine="fake"))


def test_fields_reach_the_engine() -> None:
    """Every field of the call is in the request that the engine gets."""
    engine = Fake()
    fields = {"language_type": "German", "instruction": "Calm.", "model": "m", "format": "mp3", "rate": 1.5,
              "pitch": 0.9, "volume": 60, "take": 3}  # fmt: skip
    tts.generate("Guten Tag.", "Ethan", engine=engine, **fields)  # type: ignore[call-overload]
    assert engine.calls[0].request == Request("Guten Tag.", "Ethan", **fields)  # type: ignore[arg-type]


def test_one_client_is_kept_for_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls with the same settings share one client, with its connections; other settings get another."""
    engine = Fake()
    for _ in range(3):
        tts.generate("Hello.", "Cherry", engine=engine)
    assert len(tts._clients._clients) == 1
    tts.generate("Hello.", "Cherry", engine=engine, cache=False)
    tts.generate("Hello.", "Cherry", engine=Fake())
    assert len(tts._clients._clients) == 3


def test_settings_are_told_apart_by_what_they_say(tmp_path: Path) -> None:
    """Paths that are equal share a client, paths that differ do not, whatever objects they are."""
    made = [
        tts.generate("Hello.", "Cherry", engine="fake", cache_dir=tmp_path / str(number)).cached
        for number in (1, 2, 3, 1, 2, 3)
    ]
    assert made == [False] * 3 + [True] * 3
    assert len(tts._clients._clients) == 3
    assert all((tmp_path / str(number)).is_dir() for number in (1, 2, 3))


def test_clients_that_are_not_used_are_let_go(tmp_path: Path) -> None:
    """However many settings a process tries, only some clients are kept."""
    for number in range(tts._Clients.MOST + 5):
        tts.generate("Hello.", "Cherry", engine="fake", cache=False, output_dir=str(number))
    assert len(tts._clients._clients) == tts._Clients.MOST


@pytest.mark.parametrize("variable", ["XDG_CACHE_HOME", "HOME", "LINEREAD_CACHE_DIR"])
def test_a_changed_environment_is_heeded(variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is changed between two calls counts for the second one, as in a test or a notebook."""
    if variable == "HOME":
        monkeypatch.delenv("XDG_CACHE_HOME")
    assert not tts.generate("Hello.", "Cherry", engine="fake").cached
    assert tts.generate("Hello.", "Cherry", engine="fake").cached
    monkeypatch.setenv(variable, str(tmp_path / "other"))
    assert not tts.generate("Hello.", "Cherry", engine="fake").cached


def test_a_key_that_appears_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is set, or written into .env or the credentials, after the first call is used by the next one."""

    def engine() -> str:
        client, _ = tts._prepare("Hello.", "Cherry", "Auto", None, {})
        return client.settings.chosen_engine

    assert engine() == "local"
    Path(".env").write_text("DASHSCOPE_API_KEY=sk-test\n")
    assert engine() == "dashscope"
    Path(".env").unlink()
    assert engine() == "local"
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-test")
    assert engine() == "dashscope"
    monkeypatch.delenv("DASHSCOPE_API_KEY")
    credentials = Path.home() / ".alibabacloud" / "credentials"
    credentials.parent.mkdir()
    credentials.write_text("[default]\n[work]\ndashscope_api_key=sk-test\n")
    assert engine() == "local"
    monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", "work")
    assert engine() == "dashscope"
