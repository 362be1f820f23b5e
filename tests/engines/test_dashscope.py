"""The cloud engine, end to end against a loopback DashScope: what it refuses, how it speaks, how it fails."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import re
import subprocess
import sys
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from lineread import catalogue, config, errors
from lineread.config import Secret
from lineread.engines.dashscope import DashScope, Timeouts, http
from lineread.speech import Chunk, Request, Segment
from loopback import dashscope as loopback
from loopback.dashscope import KEY, Act, Cloud, tone

TEXT = "Hello, this is a short voice line."
AudioAct = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]
BRISK = Timeouts(connect=2, idle=0.4, total=2)


@pytest.fixture
async def cloud() -> AsyncIterator[Cloud]:
    async with Cloud() as running:
        yield running


@pytest.fixture
async def engine(cloud: Cloud) -> AsyncIterator[DashScope]:
    made = DashScope(Secret(KEY), base_url=cloud.base_url, timeouts=BRISK)
    yield made
    await made.aclose()


@pytest.fixture(autouse=True)
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is fetched again at once."""
    monkeypatch.setattr(http, "FETCH_WAIT", 0.0)


def segment(text: str = TEXT, **fields: Any) -> Segment:
    request = DashScope(Secret(KEY), base_url="http://127.0.0.1/").resolve(Request(text, "Cherry", **fields))
    return Segment(request, 0, 0, len(text))


async def speak(engine: DashScope, line: Segment | None = None) -> list[Chunk]:
    return [chunk async for chunk in engine.stream(line or segment())]


def pcm(chunks: list[Chunk]) -> bytes:
    return b"".join(chunk.pcm for chunk in chunks)


class TestWhatIsAsked:
    """Requests are filled in or refused before anything is sent."""

    engine = DashScope(Secret(KEY), base_url="https://dashscope.aliyuncs.com/api/v1")

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({}, ("qwen3-tts-flash", "Cherry", "Auto")),
            ({"voice": "ono_anna", "language_type": "english"}, ("qwen3-tts-flash", "Ono Anna", "English")),
            ({"instruction": "Calm."}, ("qwen3-tts-instruct-flash", "Cherry", "Auto")),
            ({"model": "qwen-tts", "voice": "Chelsie"}, ("qwen-tts", "Chelsie", "Auto")),
            (
                {"voice": "qwen-tts-vc-me-voice-20261118093012345-9ed2"},
                ("qwen3-tts-vc-2026-01-22", "qwen-tts-vc-me-voice-20261118093012345-9ed2", "Auto"),
            ),
            ({"voice": "qwen-tts-vd-guide-voice-1"}, ("qwen3-tts-vd-2026-01-26", "qwen-tts-vd-guide-voice-1", "Auto")),
            (
                {"voice": "shape-of-tomorrow", "model": "qwen3-tts-vd-2026-01-26"},
                ("qwen3-tts-vd-2026-01-26", "shape-of-tomorrow", "Auto"),
            ),
        ],
    )
    def test_a_request_is_filled_in(self, fields: dict[str, str], expected: tuple[str, str, str]) -> None:
        """Model, voice and language come out as the service spells them, and resolving again changes nothing."""
        resolved = self.engine.resolve(Request(TEXT, **{"voice": "Cherry"} | fields))
        assert (resolved.model, resolved.voice, resolved.language_type) == expected
        assert self.engine.resolve(resolved) == resolved

    @pytest.mark.parametrize(
        ("fields", "error", "code", "remedy"),
        [
            ({"model": "qwen3-tts-flahs"}, errors.ModelError, "unknown_model", "qwen3-tts-flash"),
            ({"model": "qwen-voice-design"}, errors.ModelError, "model_not_http", "qwen3-tts-vd-2026-01-26"),
            ({"voice": "Chery"}, errors.VoiceError, "unknown_voice", "Cherry"),
            ({"voice": "Jennifer", "instruction": "x"}, errors.VoiceError, "voice_not_in_model", "without the instr"),
            ({"voice": "Jada", "model": "qwen-tts"}, errors.VoiceError, "voice_not_in_model", "qwen-tts-latest"),
            (
                {"voice": "qwen-tts-vc-a", "model": "qwen3-tts-flash"},
                errors.VoiceError,
                "voice_not_in_model",
                "qwen3-tts-vc-2026-01-22",
            ),
            ({"model": "qwen3-tts-vc-2026-01-22"}, errors.VoiceError, "voice_not_in_model", "qwen3-tts-flash"),
            (
                {"model": "qwen3-tts-flash", "instruction": "x"},
                errors.OptionError,
                "instruction_ignored",
                "qwen3-tts-instruct-flash",
            ),
            ({"voice": "qwen-tts-vc-a", "instruction": "x"}, errors.OptionError, "instruction_ignored", "Leave it out"),
            ({"instruction": "x" * 8001}, errors.OptionError, "instruction_too_long", "8000"),
            ({"language_type": "Klingon"}, errors.OptionError, "unknown_language", "Korean"),
        ],
    )
    def test_what_cannot_be_done_is_refused(
        self, fields: dict[str, str], error: type[errors.RequestError], code: str, remedy: str
    ) -> None:
        """Each misfit of model, voice, instruction and language has its code, and a remedy that names the way out."""
        with pytest.raises(error) as caught:
            self.engine.resolve(Request(TEXT, **{"voice": "Cherry"} | fields))
        assert caught.value.code == code
        assert remedy in caught.value.remedy

    def test_each_model_is_callable_or_names_one_that_is(self) -> None:
        """Every HTTP model takes each of its voices; every realtime model's refusal names an HTTP model like it."""
        known = catalogue.load()
        for model in known.models.values():
            voices = ["qwen-tts-" + model.voices + "-x"] if model.custom else [v.id for v in catalogue.voices_of(model)]
            for voice in voices:
                request = Request(TEXT, voice, model=model.id)
                if model.transport == "http":
                    assert self.engine.resolve(request).voice == voice
                    assert self.engine.limits(self.engine.resolve(request)).characters == model.limit
                    continue
                with pytest.raises(errors.ModelError) as caught:
                    self.engine.resolve(request)
                (named,) = re.findall(r"qwen[\w-]+", caught.value.remedy)
                assert known.models[named].voices == model.voices

    def test_the_quota_is_the_models_and_tells_no_key(self) -> None:
        """Models of different limits count apart, under a name that suits a file; a loopback server counts nothing."""
        quota = self.engine.quota(self.engine.resolve(Request(TEXT, "Cherry")))
        slow = self.engine.quota(self.engine.resolve(Request(TEXT, "Cherry", model="qwen-tts")))
        assert quota is not None
        assert slow is not None
        assert (quota.per_minute, slow.per_minute) == (180, 10)
        assert quota.name == "dashscope-dashscope-aliyuncs-com-qwen3-tts-flash"
        assert DashScope(Secret(KEY), base_url="http://127.0.0.1:1/api/v1").quota(Request(TEXT, "Cherry")) is None

    def test_settings_make_an_engine(self) -> None:
        """The settings' key and endpoint are used; without a key there is a clear error before any request."""
        with pytest.raises(errors.KeyMissing, match="DASHSCOPE_API_KEY"):
            DashScope.configured(config.resolve({"HOME": "/nowhere"}))
        with pytest.raises(errors.ConfigError, match="no URL"):
            DashScope(Secret(KEY), base_url="http://[::1/api/v1").stream(segment())
        made = DashScope.configured(config.resolve({"HOME": "/nowhere", "DASHSCOPE_API_KEY": KEY}))
        assert made.fingerprint(made.resolve(Request(TEXT, "Cherry"))) == "dashscope/1"
        with pytest.raises(errors.ConfigError, match="user name"):
            DashScope(Secret(KEY), base_url="https://me:pw@host/api/v1")

    def test_a_cached_line_loads_no_network_code(self) -> None:
        """Resolving, limits and fingerprint need neither aiohttp nor asyncio: a cache hit must not pay for them."""
        code = (
            "import sys\n"
            "from lineread.config import Secret\n"
            "from lineread.engines.dashscope import DashScope\n"
            "from lineread.speech import Request\n"
            "engine = DashScope(Secret('k'), base_url='https://host/api/v1')\n"
            "request = engine.resolve(Request('Hi', 'Cherry', instruction='Calm.'))\n"
            "engine.limits(request), engine.fingerprint(request), engine.quota(request)\n"
            "print(sorted({'aiohttp', 'asyncio', 'numpy', 'ssl', 'socket', 'logging'} & set(sys.modules)))\n"
        )
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
        assert ran.stdout.strip() == "[]"


class TestSpeech:
    """Calls that go well."""

    @pytest.mark.parametrize(
        "act",
        [
            loopback.speak(),
            loopback.speak(riff=False),
            loopback.speak(true_sizes=True),
            loopback.speak(event_bytes=1),
            loopback.speak(event_bytes=7),
            loopback.speak(event_bytes=10_000_000),
            loopback.speak(url_only=True),
            loopback.speak(url_only=True, preface=loopback.wav(b"")),
            loopback.whole_reply(),
        ],
        ids=["riff", "bare pcm", "true sizes", "bytes", "odd", "one event", "url only", "header and url", "json"],
    )
    @pytest.mark.parametrize("transport", ["sse", "url"])
    async def test_every_shape_gives_exactly_the_samples(self, cloud: Cloud, act: Act, transport: Any) -> None:
        """However the sound is cut and wrapped, the chunks join to the samples; the last has the facts."""
        cloud.script(act)
        engine = DashScope(Secret(KEY), base_url=cloud.base_url, transport=transport)
        line = segment("嗯, yes.")
        chunks = await speak(engine, line)
        await engine.aclose()
        assert pcm(chunks) == tone("嗯, yes.")
        offset = 0
        for chunk in chunks:
            assert (chunk.offset, chunk.span, chunk.sample_rate) == (offset, line.span, 24_000)
            assert chunk.pcm
            offset += chunk.samples
        assert [chunk.facts is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
        facts = chunks[-1].facts
        assert facts is not None
        assert (facts.engine, facts.model) == ("dashscope", "qwen3-tts-flash")
        assert facts.fingerprint == engine.fingerprint(line.request)
        assert facts.characters == 8
        assert len(facts.request_id) == 36

    async def test_what_is_sent(self, cloud: Cloud, engine: DashScope) -> None:
        """One POST has it all: stream header, key, workspace, instruction as ``instructions``, trimmed text."""
        engine = DashScope(Secret(KEY), base_url=cloud.base_url + "/", workspace="ws-1")
        request = engine.resolve(Request("  One. Two. ", "Serena", "english", "Calm. ", rate=1.25, volume=80))
        await speak(engine, Segment(request, 0, 0, 7))
        await engine.aclose()
        (received,) = cloud.received
        assert (received.method, received.path) == ("POST", loopback.PATH)
        assert received.body == {
            "model": "qwen3-tts-instruct-flash",
            "input": {"text": "One.", "voice": "Serena", "language_type": "English"},
            "parameters": {"instructions": "Calm.", "speech_rate": 1.25},
        }
        sent = received.headers
        assert sent["authorization"] == f"Bearer {KEY}"
        assert sent["x-dashscope-sse"] == "enable"
        assert sent["x-dashscope-workspace"] == "ws-1"
        assert sent["user-agent"].startswith("lineread/")
        assert cloud.fetched == []

    async def test_the_first_chunk_does_not_wait_for_the_second(self, cloud: Cloud, engine: DashScope) -> None:
        """Sound is handed on while the service still makes the rest."""
        go_on = asyncio.Event()
        cloud.script(loopback.speak(rest=go_on.wait))
        stream = engine.stream(segment())
        first = await asyncio.wait_for(anext(stream), 2)
        assert first.samples > 5000
        go_on.set()
        rest = [chunk async for chunk in stream]
        assert first.pcm + pcm(rest) == tone(TEXT)

    async def test_the_key_goes_to_the_api_alone(self, cloud: Cloud) -> None:
        """The audio host gets neither key nor workspace, also after a redirect, and the signature byte for byte."""

        async def elsewhere(request: web.Request, content: bytes) -> web.StreamResponse:
            cloud.audio_act = None
            return web.Response(status=302, headers={"Location": cloud.store(content)})

        cloud.audio_act = elsewhere
        engine = DashScope(Secret(KEY), base_url=cloud.base_url, workspace="ws-1", transport="url")
        assert pcm(await speak(engine)) == tone(TEXT)
        await engine.aclose()
        assert len(cloud.fetched) == 2
        for fetched in cloud.fetched:
            assert KEY not in repr(fetched)
            assert not {"authorization", "x-dashscope-workspace", "cookie"} & set(fetched.headers)
            assert fetched.path.endswith("&Signature=a%2Bb%2fc%3D")

    @pytest.mark.parametrize(("transport", "fetches"), [("sse", 0), ("url", 40)])
    async def test_connections_are_used_again(self, cloud: Cloud, transport: Any, fetches: int) -> None:
        """Forty calls, four at a time, take four connections, and calls at once do not mix their sound up."""
        engine = DashScope(Secret(KEY), base_url=cloud.base_url, transport=transport)
        texts = [f"Line number {i}." for i in range(40)]

        async def lane(mine: list[str]) -> None:
            for text in mine:
                assert pcm(await speak(engine, segment(text))) == tone(text)

        await asyncio.gather(*(lane(texts[i::4]) for i in range(4)))
        await engine.aclose()
        assert len(cloud.received) == 40
        assert len(cloud.fetched) == fetches
        assert len(cloud.connections) <= 4

    async def test_the_listeners_time_is_not_the_services(self, cloud: Cloud) -> None:
        """A listener who takes longer than the deadline for the whole call still hears all of it."""
        engine = DashScope(Secret(KEY), base_url=cloud.base_url, timeouts=Timeouts(idle=0.5, total=0.5))
        cloud.script(loopback.speak(event_bytes=16_000, rest=lambda: asyncio.sleep(0.01)))
        heard = []
        async for chunk in engine.stream(segment()):
            heard.append(chunk)
            if len(heard) <= 3:
                await asyncio.sleep(0.25)  # the listener's time is the matter here
        await engine.aclose()
        assert len(heard) >= 3
        assert pcm(heard) == tone(TEXT)

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # sockets that a dead loop left
    def test_an_engine_serves_one_event_loop_after_another(self, caplog: pytest.LogCaptureFixture) -> None:
        """An engine whose loop has ended without goodbye works in the next one, and nothing is logged about it."""
        served = [sys.executable, loopback.__file__]
        with subprocess.Popen(served, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            engine = DashScope(Secret(KEY), base_url=server.stdout.readline().strip())

            async def once() -> list[Chunk]:
                return await speak(engine)

            assert pcm(asyncio.run(once())) == pcm(asyncio.run(once())) == tone(TEXT)
            asyncio.run(engine.aclose())
            server.kill()
        gc.collect()
        assert caplog.records == []


REFUSALS = [
    (loopback.refuse(400, "DataInspectionFailed", "m"), errors.Refused, "content_refused", False),
    (loopback.refuse(400, "InvalidParameter", "Model not exist."), errors.Refused, "unknown_model", False),
    (loopback.refuse(400, "Arrearage", "m"), errors.QuotaExceeded, "account_in_debt", False),
    (loopback.refuse(429, "Throttling.RateQuota", "m"), errors.Throttled, "rate", True),
    (loopback.refuse(429, "Throttling.BurstRate", "m"), errors.Throttled, "burst", True),
    (loopback.refuse(429, "Throttling.AllocationQuota", "m"), errors.Throttled, "quota", True),
    (loopback.refuse(503, "ModelServingError", "m"), errors.Throttled, "capacity", True),
    (loopback.refuse(500, "InternalError", "m"), errors.ServiceFailed, "service_failed", True),
    (loopback.refuse(503, "ModelUnavailable", "m"), errors.ServiceFailed, "service_failed", True),
    (loopback.answer(400, "{}"), errors.Refused, "refused", False),
    (loopback.answer(502, "<html>Bad Gateway</html>", "text/html"), errors.ServiceFailed, "service_failed", True),
    (loopback.answer(500, '{"code":"Inter'), errors.ServiceFailed, "service_failed", True),
    (
        loopback.answer(400, 'id:1\nevent:error\n:HTTP_STATUS/400\ndata:{"code":"DataInspectionFailed"}\n\n'),
        errors.Refused,
        "content_refused",
        False,
    ),
    (loopback.answer(200, '{"output":{"audio":{"da'), errors.BadReply, "bad_reply", True),
    (loopback.answer(200, "{}"), errors.BadReply, "bad_reply", False),
    (loopback.answer(200, '{"code":"Throttling","message":"m"}'), errors.Throttled, "rate", True),
    (loopback.answer(200, "x" * (2 << 20)), errors.BadReply, "bad_reply", False),
    (loopback.answer(200, '{"output":{"finish_reason":"stop","audio":{}}}'), errors.NoAudio, "no_audio", False),
    (loopback.redirect("http://127.0.0.1:9/"), errors.BadReply, "bad_reply", False),
    (loopback.raw_events(""), errors.BadReply, "incomplete_reply", True),
    (loopback.raw_events('data:{"output":{"audio":{"data":"A$B="}}}\n\n'), errors.BadReply, "bad_reply", True),
    (loopback.raw_events('data:{"output":{"audio":'), errors.BadReply, "bad_reply", True),
    (loopback.raw_events("event:error\n\n"), errors.ServiceFailed, "service_failed", True),
    (
        loopback.raw_events('event: error\ndata: {"code":"Arrearage"}\n\n'),
        errors.QuotaExceeded,
        "account_in_debt",
        False,
    ),
    (
        loopback.raw_events('data:{"output":{"finish_reason":"stop","audio":{"data":""}},"request_id":"R"}\n\n'),
        errors.NoAudio,
        "no_audio",
        False,
    ),
    (loopback.drop(), errors.Unreachable, "unreachable", True),
    (loopback.stall(), errors.TimedOut, "timed_out", True),
    (loopback.speak(url_only=True, url="file:///etc/passwd"), errors.BadReply, "bad_reply", True),
    (loopback.speak(url_only=True, url="http://127.0.0.1:1/a b"), errors.BadReply, "bad_reply", True),
    (loopback.speak(url_only=True, url="http://127.0.0.1:1/a.wav"), errors.Unreachable, "unreachable", False),
    (loopback.speak(url_only=True, url="http://[/a.wav"), errors.BadReply, "bad_reply", True),
]

AMID = [
    (loopback.fail_amid(2, 429, "Throttling.BurstRate"), errors.Throttled, "burst", True),
    (loopback.fail_amid(2, 400, "DataInspectionFailed"), errors.Refused, "content_refused", False),
    (loopback.fail_amid(2, 500, "InternalError.Algo"), errors.ServiceFailed, "service_failed", True),
    (loopback.drop(2), errors.Unreachable, "unreachable", True),
    (loopback.stop_short(2), errors.BadReply, "incomplete_reply", True),
    (loopback.stall(2), errors.TimedOut, "timed_out", True),
]


async def failure(engine: DashScope, line: Segment | None = None) -> errors.EngineError:
    """The error that speaking ends in, within the deadlines, seen to be presentable and to tell no key."""
    with pytest.raises(errors.EngineError) as caught:
        await asyncio.wait_for(speak(engine, line), 3)
    error = caught.value
    assert error.remedy
    assert str(error).isprintable()
    seen: BaseException | None = error
    while seen is not None:
        shown = traceback.TracebackException.from_exception(seen, capture_locals=True)
        ours = [frame for frame in shown.stack if os.sep + "lineread" + os.sep in frame.filename]
        assert ours
        assert KEY not in "".join([repr(seen), str(seen), repr(vars(seen)), *(str(frame.locals) for frame in ours)])
        seen = seen.__cause__ or seen.__context__
    return error


async def whole(request: web.Request, content: bytes) -> web.StreamResponse:
    return web.Response(body=content, content_type="audio/wav")


async def half(request: web.Request, content: bytes) -> web.StreamResponse:
    """A file that ends before its length."""
    response = web.StreamResponse(headers={"Content-Length": str(len(content))})
    await response.prepare(request)
    await response.write(content[: len(content) // 2])
    assert request.transport is not None
    request.transport.close()
    return response


async def dropped(request: web.Request, content: bytes) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def failed(request: web.Request, content: bytes) -> web.StreamResponse:
    return web.Response(status=503, text="<Error/>", content_type="application/xml")


async def portal(request: web.Request, content: bytes) -> web.StreamResponse:
    return web.Response(text="<html>Please log in</html>", content_type="text/html")


def failed_until(seconds: str) -> AudioAct:
    async def act(request: web.Request, content: bytes) -> web.StreamResponse:
        return web.Response(status=503, headers={"Retry-After": seconds})

    return act


def one_by_one(*acts: AudioAct) -> AudioAct:
    """Each fetch plays the next act."""
    script = iter(acts)

    async def act(request: web.Request, content: bytes) -> web.StreamResponse:
        return await next(script)(request, content)

    return act


def named(error: errors.EngineError) -> str:
    return error.kind if isinstance(error, errors.Throttled) else error.code


class TestFaults:
    """Calls that go wrong: each ends in time, in the right error, and the next one goes well."""

    @pytest.mark.parametrize("fault", REFUSALS, ids=range(len(REFUSALS)))
    @pytest.mark.parametrize("transport", ["sse", "url"])
    async def test_a_fault_before_any_sound(
        self, cloud: Cloud, transport: Any, fault: tuple[Act, type[errors.EngineError], str, bool]
    ) -> None:
        """Class, code and whether to try again are right for every recorded way to refuse, and nothing hangs."""
        act, kind, code, retryable = fault
        cloud.script(act)
        engine = DashScope(Secret(KEY), base_url=cloud.base_url, transport=transport, timeouts=BRISK)
        error = await failure(engine)
        assert type(error) is kind
        assert (named(error), error.retryable) == (code, retryable)
        assert pcm(await speak(engine)) == tone(TEXT)
        await engine.aclose()

    @pytest.mark.parametrize("fault", AMID, ids=range(len(AMID)))
    async def test_a_fault_amid_the_sound(
        self, cloud: Cloud, engine: DashScope, fault: tuple[Act, type[errors.EngineError], str, bool]
    ) -> None:
        """What came is handed on, then the error is raised; sound that is not whole never ends like sound that is."""
        act, kind, code, retryable = fault
        cloud.script(act)
        heard: list[Chunk] = []

        async def listen() -> None:
            async for chunk in engine.stream(segment()):
                heard.append(chunk)  # noqa: PERF401 - what came before the error counts

        with pytest.raises(kind) as caught:
            await asyncio.wait_for(listen(), 3)
        assert (named(caught.value), caught.value.retryable) == (code, retryable)
        assert tone(TEXT).startswith(pcm(heard))
        assert heard or kind is errors.Unreachable  # a cut connection may take what it brought along
        assert all(chunk.facts is None for chunk in heard)
        cloud.script(act)
        assert type(await failure(engine)) is kind
        assert pcm(await speak(engine)) == tone(TEXT)

    async def test_facts_of_an_error(self, cloud: Cloud, engine: DashScope) -> None:
        """The wait that a header asks for, the request's id and the service's code come along."""
        cloud.script(loopback.refuse(429, "Throttling.RateQuota", f"No, {KEY} said: {TEXT}", {"Retry-After": "7"}))
        error = await failure(engine)
        assert error.retry_after == 7
        assert error.service_code == "Throttling.RateQuota"
        assert len(error.request_id) == 36
        assert TEXT not in str(error)

    async def test_a_wrong_key(self, cloud: Cloud) -> None:
        """A key that the service does not know is told as that, and shows nowhere."""
        engine = DashScope(Secret("sk-wrong-" + KEY), base_url=cloud.base_url)
        error = await failure(engine)
        assert isinstance(error, errors.Unauthorized)
        assert "DASHSCOPE_API_KEY" in error.remedy
        assert KEY not in repr(vars(engine)) + repr(vars(engine._caller())) + str(engine)
        await engine.aclose()

    @pytest.mark.parametrize("transport", ["sse", "url"])
    async def test_an_expired_file(self, cloud: Cloud, transport: Any) -> None:
        """A file that is gone is told as that, with what to do."""
        cloud.script(loopback.speak(url_only=True, url=cloud.store(loopback.wav(b""), expires_in=-1)))
        engine = DashScope(Secret(KEY), base_url=cloud.base_url, transport=transport)
        error = await failure(engine)
        assert (type(error), error.code, error.retryable) == (errors.BadReply, "audio_expired", False)
        assert "24 hours" in error.remedy
        assert "Signature" not in str(error)
        await engine.aclose()

    async def test_an_empty_file(self, cloud: Cloud, engine: DashScope) -> None:
        """A WAV without samples is no speech."""
        cloud.script(loopback.speak(url_only=True, url=cloud.store(loopback.wav(b""))))
        error = await failure(engine)
        assert isinstance(error, errors.NoAudio)
        assert len(error.request_id) == 36

    @pytest.mark.parametrize("content", [b"", b"RIFF", b"ID3" + bytes(4000), b"<html>Please log in</html>"])
    async def test_a_file_of_another_kind(self, cloud: Cloud, engine: DashScope, content: bytes) -> None:
        """What is no WAV file (a portal's page, another format) is refused and not played as noise."""
        cloud.script(loopback.speak(url_only=True, url=cloud.store(content)))
        error = await failure(engine)
        assert isinstance(error, errors.BadReply)

    async def test_a_file_that_comes_in_drops(self, cloud: Cloud, engine: DashScope) -> None:
        """A file is known and read also when its first bytes come one by one."""

        async def drops(request: web.Request, content: bytes) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            for at in range(60):
                await response.write(content[at : at + 1])
                await asyncio.sleep(0)
            await response.write(content[60:])
            return response

        cloud.audio_act = drops
        cloud.script(loopback.speak(url_only=True))
        assert pcm(await speak(engine)) == tone(TEXT)

    @pytest.mark.parametrize("transport", ["sse", "url"])
    async def test_a_file_that_is_hard_to_get(self, cloud: Cloud, transport: Any) -> None:
        """Cut off, refused for now, another page at first: the file is fetched again, and the call not paid twice."""
        cloud.script(loopback.speak(url_only=True))
        cloud.audio_act = one_by_one(half, failed, dropped, portal, whole)
        engine = DashScope(Secret(KEY), base_url=cloud.base_url, transport=transport, timeouts=BRISK)
        chunks = await speak(engine)
        assert pcm(chunks) == tone(TEXT)
        assert [chunk.offset for chunk in chunks] == list(itertools.accumulate([0] + [c.samples for c in chunks[:-1]]))
        assert (len(cloud.received), len(cloud.fetched)) == (1, 5)
        assert len({fetched.path for fetched in cloud.fetched}) == 1
        await engine.aclose()

    @pytest.mark.parametrize(
        ("act", "kind", "retryable"),
        [
            ("half", errors.Unreachable, False),
            ("failed", errors.ServiceFailed, False),
            ("portal", errors.BadReply, True),
        ],
    )
    async def test_a_file_that_cannot_be_got(
        self, cloud: Cloud, engine: DashScope, act: str, kind: type[errors.EngineError], *, retryable: bool
    ) -> None:
        """After the last try only a file that is broken itself is a reason to call, and pay, again."""
        cloud.audio_act = globals()[act]
        cloud.script(loopback.speak(url_only=True))
        error = await failure(engine)
        assert (type(error), error.retryable) == (kind, retryable)
        assert f"({http.FETCHES} tries to fetch the audio)" in error.message
        assert (len(cloud.received), len(cloud.fetched)) == (1, http.FETCHES)

    async def test_a_file_that_became_shorter(self, cloud: Cloud, engine: DashScope) -> None:
        """A second fetch that brings less than the first is another file, and no end of this one."""

        async def short(request: web.Request, content: bytes) -> web.StreamResponse:
            return web.Response(body=content[:100], content_type="audio/wav")

        cloud.audio_act = one_by_one(half, *[short] * http.FETCHES)
        cloud.script(loopback.speak(url_only=True))
        error = await failure(engine)
        assert isinstance(error, errors.BadReply)
        assert "no longer the same" in error.message

    async def test_a_file_that_would_take_too_long(self, cloud: Cloud, engine: DashScope) -> None:
        """A wait that the file's host asks for is kept within the call's deadline, and given up beyond it."""
        cloud.audio_act = one_by_one(failed_until("0.2"), whole)
        began = time.monotonic()
        cloud.script(loopback.speak(url_only=True))
        assert pcm(await speak(engine)) == tone(TEXT)
        assert time.monotonic() - began >= 0.2
        cloud.audio_act = failed_until("3")
        cloud.script(loopback.speak(url_only=True))
        error = await failure(engine)
        assert (type(error), len(cloud.fetched)) == (errors.ServiceFailed, 3)

    async def test_closing_ends_the_wait_for_a_file(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        """An engine that is closed while a file is to be fetched again ends the call in that fetch's error, at once."""
        waits = asyncio.Event()
        rest_for = http._Exchange.rest_for

        async def told(exchange: http._Exchange, seconds: float) -> bool:
            waits.set()
            return await rest_for(exchange, seconds)

        monkeypatch.setattr(http._Exchange, "rest_for", told)
        cloud.audio_act = failed_until("60")
        cloud.script(loopback.speak(url_only=True))
        engine = DashScope(Secret(KEY), base_url=cloud.base_url)
        speaking = asyncio.create_task(speak(engine))
        async with asyncio.timeout(5):
            await waits.wait()
            await engine.aclose()
            with pytest.raises(errors.ServiceFailed):
                await speaking
        assert len(cloud.fetched) == 1

    async def test_a_date_to_come_again(self, cloud: Cloud, engine: DashScope) -> None:
        """A wait that is told as a date counts from the service's own clock."""
        dates = {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT", "Date": "Wed, 21 Oct 2026 07:27:51 GMT"}
        cloud.script(loopback.refuse(429, "Throttling.RateQuota", "Slow down.", dates))
        assert (await failure(engine)).retry_after == 9

    async def test_a_file_without_end(self, cloud: Cloud, engine: DashScope, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file over the limit is refused before it fills the memory."""
        monkeypatch.setattr(http, "MAX_FILE", 10_000)
        cloud.script(loopback.speak(url_only=True))
        assert isinstance(await failure(engine), errors.BadReply)

    async def test_nobody_there(self) -> None:
        """A closed port is told with the host, and with what works without a network."""
        engine = DashScope(Secret(KEY), base_url="http://127.0.0.1:1/api/v1")
        error = await failure(engine)
        assert (type(error), error.retryable) == (errors.Unreachable, True)
        assert error.message == "Cannot reach 127.0.0.1:1."
        assert "builtin" in error.remedy
        with pytest.raises(errors.Unreachable):
            await engine.reachable()
        await engine.aclose()

    @pytest.mark.parametrize(
        ("scheme", "greeting", "kind", "message"),
        [
            ("http", b"SSH-2.0-OpenSSH_9.6\r\n", errors.BadReply, "not HTTP"),
            ("https", b"HTTP/1.1 400 Bad Request\r\n\r\n", errors.Unreachable, "secure connection"),
            ("https", b"", errors.TimedOut, "Connecting"),
        ],
    )
    async def test_another_protocol(
        self, scheme: str, greeting: bytes, kind: type[errors.EngineError], message: str
    ) -> None:
        """Who does not speak HTTP, or not TLS, or nothing at all, is told as that within the deadline."""

        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(greeting)
            await reader.read()
            writer.close()

        async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            timeouts = Timeouts(connect=0.2, idle=1, total=2)
            engine = DashScope(Secret(KEY), base_url=f"{scheme}://127.0.0.1:{port}/api/v1", timeouts=timeouts)
            error = await failure(engine)
            assert type(error) is kind
            assert message in error.message
            await engine.aclose()

    async def test_the_deadline_of_the_whole_call(self, cloud: Cloud) -> None:
        """Sound that trickles in, never silent for long, still ends at the deadline."""

        async def trickle() -> None:
            await asyncio.sleep(0.01)

        cloud.script(loopback.speak(event_bytes=200, rest=trickle))
        engine = DashScope(Secret(KEY), base_url=cloud.base_url, timeouts=Timeouts(idle=0.25, total=0.3))
        error = await failure(engine)
        assert isinstance(error, errors.TimedOut)
        assert "more than 0.3 s" in error.message
        await engine.aclose()

    @pytest.mark.parametrize(("seconds", "connections"), [(0.03, 1), (60, 2)])
    async def test_a_finished_stream_gets_a_moment_to_end(self, cloud: Cloud, seconds: float, connections: int) -> None:
        """After the last event the end is waited for, so that the connection can be used again, but not for long."""
        cloud.script(loopback.speak(linger=seconds))
        engine = DashScope(Secret(KEY), base_url=cloud.base_url)
        for _ in range(2):
            assert pcm(await asyncio.wait_for(speak(engine), 2)) == tone(TEXT)
        assert len(cloud.connections) == connections
        await engine.aclose()

    def test_no_exception_of_aiohttp_is_unmapped(self) -> None:
        """Every class of client exception has a row of its own kind, before the row for what nobody knows."""
        found = {aiohttp.ClientError}
        while more := {each for known in found for each in known.__subclasses__()} - found:
            found |= more
        *rows, last = http.MEANINGS
        assert last.kinds == (aiohttp.ClientError, OSError)
        known = tuple(kind for row in rows for kind in row.kinds)
        ours = {each for each in found if each.__module__.startswith("aiohttp.client_exceptions")}
        assert len(ours) > 20
        unknown = {each.__name__ for each in ours if not issubclass(each, known)}
        assert unknown <= {"ClientError", "UploadAbortedError"}  # nobody here tracks uploads

    @pytest.mark.parametrize(
        ("kind", "expected", "retryable"),
        [
            (aiohttp.ConnectionTimeoutError, errors.TimedOut, True),
            (aiohttp.SocketTimeoutError, errors.TimedOut, True),
            (aiohttp.ClientConnectorDNSError, errors.Unreachable, True),
            (aiohttp.ClientConnectorCertificateError, errors.Unreachable, False),
            (aiohttp.ClientProxyConnectionError, errors.Unreachable, True),
            (aiohttp.ServerDisconnectedError, errors.Unreachable, True),
            (aiohttp.ClientPayloadError, errors.Unreachable, True),
            (aiohttp.InvalidURL, errors.BadReply, False),
            (aiohttp.TooManyRedirects, errors.BadReply, False),
            (ConnectionResetError, errors.Unreachable, True),
        ],
    )
    def test_what_an_exception_means(
        self, kind: type[Exception], expected: type[errors.EngineError], retryable: object
    ) -> None:
        """The most specific row decides."""
        error = http.translate(kind.__new__(kind), "host")
        assert type(error) is expected
        assert error.retryable is retryable
        assert "host" in error.message


class TestLeaving:
    """Whoever stops listening stops the work."""

    @pytest.mark.parametrize("after", [None, 2], ids=["waiting", "amid the sound"])
    async def test_cancelling_hangs_up_at_once(self, cloud: Cloud, after: int | None) -> None:
        """A cancelled call has given its connection back within 50 ms, and the service notices."""
        took = []
        for _ in range(5):  # the best of five: the machine has other work
            engine = DashScope(Secret(KEY), base_url=cloud.base_url)
            cloud.script(loopback.stall(after))
            cloud.hung_up.clear()
            cloud.called.clear()
            task = asyncio.create_task(speak(engine))
            await asyncio.wait_for(cloud.called.wait(), 2)
            began = time.perf_counter()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(cloud.hung_up.wait(), 2)
            took.append(time.perf_counter() - began)
            await engine.aclose()
        assert min(took) < 0.05

    async def test_closing_the_stream_hangs_up_at_once(self, cloud: Cloud, engine: DashScope) -> None:
        """Closing the iterator amid the sound ends the call, and the engine goes on with the next one."""
        cloud.script(loopback.stall(2))
        stream = engine.stream(segment())
        await anext(stream)
        await stream.aclose()
        await asyncio.wait_for(cloud.hung_up.wait(), 2)
        assert pcm(await speak(engine)) == tone(TEXT)

    @pytest.mark.parametrize("after", [None, 2], ids=["waiting", "amid the sound"])
    async def test_closing_the_engine_ends_its_calls(self, cloud: Cloud, after: int | None) -> None:
        """A call whose engine is closed under it ends at once in an error of ours."""
        engine = DashScope(Secret(KEY), base_url=cloud.base_url)
        cloud.script(loopback.stall(after))
        task = asyncio.create_task(speak(engine))
        await asyncio.wait_for(cloud.called.wait(), 2)
        await engine.aclose()
        with pytest.raises(errors.Unreachable):
            await asyncio.wait_for(task, 2)

    async def test_an_engine_can_be_closed_at_any_time(self, cloud: Cloud) -> None:
        """Closing before use does nothing, twice is once, and after it the engine can be used again."""
        engine = DashScope(Secret(KEY), base_url=cloud.base_url)
        await engine.aclose()
        for _ in range(2):
            assert pcm(await speak(engine)) == tone(TEXT)
            await engine.aclose()
            await engine.aclose()


class TestTheWayThere:
    """Proxies, addresses, and whether anybody answers."""

    async def test_a_service_that_answers_is_reachable(self, cloud: Cloud, engine: DashScope) -> None:
        """Any answer will do, the key is not shown for it, and silence ends at the deadline."""
        answer = await engine.reachable()
        assert (answer.host, answer.status) == ("127.0.0.1", 400)
        assert 0 < answer.seconds < 2
        assert "authorization" not in cloud.received[0].headers

    async def test_the_environments_proxy_is_used(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        """A host that only the proxy knows is reached through it, with the proxy's password and past ``.netrc``."""
        monkeypatch.setenv("http_proxy", cloud.base_url.replace("http://", "http://me:pw@").removesuffix("/api/v1"))
        monkeypatch.delenv("no_proxy", raising=False)
        engine = DashScope(Secret(KEY), base_url="http://api.invalid/api/v1")
        assert pcm(await speak(engine)) == tone(TEXT)
        await engine.aclose()
        (received,) = cloud.received
        assert received.headers["host"] == "api.invalid"
        assert received.headers["proxy-authorization"].startswith("Basic ")

    async def test_a_host_without_proxy_is_called_directly(
        self, cloud: Cloud, engine: DashScope, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
    ) -> None:
        """NO_PROXY is heeded, and a ``.netrc`` entry for the host does not get in the key's way."""
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login other password other\n")
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert pcm(await speak(engine)) == tone(TEXT)
        assert cloud.received[0].headers["authorization"] == f"Bearer {KEY}"

    @pytest.mark.parametrize(
        ("proxy", "expected"),
        [("http://p:3128", "http://p:3128"), ("p:3128", "http://p:3128"), ("https://p", "https://p"), ("", None)],
    )
    def test_how_a_proxy_may_be_written(
        self, monkeypatch: pytest.MonkeyPatch, proxy: str, expected: str | None
    ) -> None:
        """A proxy without a scheme is an HTTP proxy; none is none; one that aiohttp cannot use is refused."""
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("https_proxy", proxy)
        assert http._proxy_for(URL("https://dashscope.aliyuncs.com/")) == expected
        monkeypatch.setenv("https_proxy", "socks5://p:1080")
        with pytest.raises(errors.ConfigError, match="HTTPS_PROXY"):
            http._proxy_for(URL("https://dashscope.aliyuncs.com/"))

    @pytest.mark.parametrize(
        ("address", "fetched"),
        [
            ("http://dashscope-result-bj.oss-cn-beijing.aliyuncs.com/a.wav?S=a%2Bb%3d", "https"),
            ("https://x.oss-cn-shanghai.aliyuncs.com/a.wav?S=a%2Bb%3d", "https"),
            ("http://x.aliyuncs.com:8080/a.wav?S=a%2Bb%3d", "http"),
            ("http://127.0.0.1:9/a.wav?S=a%2Bb%3d", "http"),
            ("http://aliyuncs.com.example/a.wav?S=a%2Bb%3d", "http"),
        ],
    )
    def test_the_services_files_are_fetched_over_tls(self, address: str, fetched: str) -> None:
        """The cloud hands out http addresses of hosts that have TLS; the rest of the address stays as it was signed."""
        assert str(http._audio_url(address)) == fetched + "://" + address.partition("://")[2]
