"""Live sessions with the cloud, end to end against a loopback service: what is said, what is heard, what goes wrong."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
import soundfile

from lineread import catalogue, errors
from lineread.config import Secret
from lineread.engines.base import Quota
from lineread.engines.dashscope import DashScope, Timeouts, http, link, socket
from lineread.engines.dashscope.link import RealtimeLink
from lineread.errors import SpeechCut
from lineread.speech import Chunk, LiveRequest
from lineread.wire.realtime.caller import LOSSES
from loopback import realtime as loopback
from loopback.dashscope import KEY, tone
from loopback.realtime import Realtime

BRISK = Timeouts(connect=1, idle=1, total=5)


@pytest.fixture
async def service() -> AsyncIterator[Realtime]:
    async with Realtime() as running:
        yield running


@pytest.fixture
async def engine(service: Realtime) -> AsyncIterator[DashScope]:
    made = DashScope(Secret(KEY), base_url=service.base_url, timeouts=BRISK, warm=0)
    yield made
    await made.aclose()


@pytest.fixture(autouse=True)
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost socket is replaced at once."""
    monkeypatch.setattr("lineread.wire.realtime.caller.LOSS_WAIT", 0.0)


def session(engine: DashScope, *, patience: link.Patience | None = None, **fields: Any) -> RealtimeLink:
    made = engine.link(LiveRequest(**({"voice": "Cherry"} | fields)))
    assert isinstance(made, RealtimeLink)
    if patience is not None:
        made._patience = patience
    return made


async def hear(live: RealtimeLink) -> list[Chunk]:
    async with asyncio.timeout(20):
        return [chunk async for chunk in live.chunks()]


def pcm(chunks: list[Chunk]) -> bytes:
    return b"".join(chunk.pcm for chunk in chunks)


class TestWhatIsAsked:
    """Sessions are filled in or refused before anything is sent."""

    engine = DashScope(Secret(KEY), base_url="https://dashscope.aliyuncs.com/api/v1")

    @pytest.mark.parametrize(
        ("fields", "model"),
        [
            ({}, "qwen3-tts-flash-realtime"),
            ({"instruction": "Calm."}, "qwen3-tts-instruct-flash-realtime"),
            ({"voice": "qwen-tts-vc-me-voice-1"}, "qwen3-tts-vc-realtime-2026-01-15"),
            ({"voice": "qwen-tts-vd-me-voice-1"}, "qwen3-tts-vd-realtime-2026-01-15"),
            ({"model": "qwen-tts-realtime"}, "qwen-tts-realtime"),
        ],
    )
    def test_the_model_is_chosen(self, fields: dict[str, Any], model: str) -> None:
        """Without a model the voice and the instruction decide, and voices are spelt as the service does."""
        made = session(self.engine, **fields)
        assert made.request.model == made.model == model
        assert session(self.engine, voice="ono_anna", language_type="english").request.voice == "Ono Anna"

    def test_http_models_have_no_link(self) -> None:
        """With a model that speaks over HTTP a session speaks piece by piece."""
        models = [model for model in catalogue.load().models.values() if model.transport == "http"]
        assert [self.engine.link(LiveRequest("Cherry", model=model.id)) for model in models] == [None] * len(models)

    @pytest.mark.parametrize(
        ("fields", "error", "code", "remedy"),
        [
            ({"voice": "Chery"}, errors.VoiceError, "unknown_voice", "Cherry"),
            ({"voice": "Jennifer", "instruction": "x"}, errors.VoiceError, "voice_not_in_model", "flash-realtime"),
            (
                {"model": "qwen3-tts-flash-realtime", "instruction": "x"},
                errors.OptionError,
                "instruction_ignored",
                "qwen3-tts-instruct-flash-realtime",
            ),
            ({"model": "qwen-voice-design"}, errors.ModelError, "model_not_http", "qwen3-tts-vd-realtime-2026-01-15"),
            ({"sample_rate": 22_050}, errors.OptionError, "sample_rate_not_in_model", "24000"),
            ({"model": "qwen-tts-realtime", "rate": 1.5}, errors.OptionError, "option_not_in_model", "qwen3"),
            ({"model": "qwen-tts-realtime", "sample_rate": 8000}, errors.OptionError, "option_not_in_model", "qwen3"),
        ],
    )
    def test_what_cannot_be_done_is_refused(
        self, fields: dict[str, Any], error: type[errors.RequestError], code: str, remedy: str
    ) -> None:
        """Each misfit has its code, and a remedy that names a realtime model."""
        with pytest.raises(error) as caught:
            session(self.engine, **fields)
        assert caught.value.code == code
        assert remedy in caught.value.remedy

    @pytest.mark.parametrize(
        ("base", "expected"),
        [
            ("https://dashscope.aliyuncs.com/api/v1", "wss://dashscope.aliyuncs.com/api-ws/v1/realtime"),
            ("http://127.0.0.1:8080/api/v1/", "ws://127.0.0.1:8080/api-ws/v1/realtime"),
            ("https://host/prefix/api/v1", "wss://host/prefix/api-ws/v1/realtime"),
        ],
    )
    def test_the_socket_is_at_the_same_host(self, base: str, expected: str) -> None:
        """The socket's address follows from the HTTP interface's."""
        assert str(socket.socket_url(base)) == expected

    def test_no_url_is_refused(self) -> None:
        """A base URL of another kind is told at once."""
        with pytest.raises(errors.ConfigError):
            socket.socket_url("ftp://host/api/v1")


class TestSpeaking:
    """A session that nothing happens to."""

    @pytest.mark.parametrize("form", ["pcm", "wav"])
    async def test_text_is_heard(self, service: Realtime, engine: DashScope, form: str) -> None:
        """Sentences are spoken as they come; the chunks hold all sound, their places, and the service's facts."""
        async with session(engine, response_format=form, language_type="English") as live:
            for token in ("Hel", "lo. ", "How are", " you? ", "Bye"):
                await live.write(token)
            await live.end()
            chunks = await hear(live)
        assert pcm(chunks) == b"".join(map(tone, ("Hello. ", "How are you? ", "Bye")))
        assert [chunk.span for chunk in chunks if chunk.final] == [(0, 7), (7, 20), (20, 23)]
        facts = [chunk.facts for chunk in chunks if chunk.facts]
        assert [fact.characters for fact in facts] == [7, 13, 3]
        assert {(fact.engine, fact.model) for fact in facts} == {("dashscope", "qwen3-tts-flash-realtime")}
        assert [chunk.offset for chunk in chunks][-1] == sum(chunk.samples for chunk in chunks[:-1])
        talk = service.sessions[0]
        assert talk.request.query["model"] == "qwen3-tts-flash-realtime"
        assert talk.settings["voice"] == "Cherry"
        assert talk.settings["language_type"] == "English"
        await asyncio.wait_for(talk.over.wait(), 5)  # the client closes, since the service does not

    async def test_a_commit_is_a_response(self, service: Realtime, engine: DashScope) -> None:
        """In commit mode nothing is heard before a commit, and each one ends a response."""
        async with session(engine, mode="commit") as live:
            await live.write("One. Two.")
            await live.commit()
            await live.commit()  # nothing to commit: nothing is sent
            await live.write("Three.")
            await live.clear()
            await live.write("Four.")
            await live.commit()
            await live.end()
            chunks = await hear(live)
        assert pcm(chunks) == tone("One. Two.") + tone("Four.")
        assert [chunk.span for chunk in chunks if chunk.final] == [(0, 9), (15, 20)]

    async def test_a_commit_of_what_is_spoken_is_no_error(self, service: Realtime, engine: DashScope) -> None:
        """Where the service segments, a commit that it refuses because all was spoken does no harm."""
        async with session(engine) as live:
            await live.write("One.")
            await live.commit()
            await live.write("Two.")
            await live.end()
            assert pcm(await hear(live)) == tone("One.") + tone("Two.")

    async def test_a_clear_after_the_end(self, service: Realtime, engine: DashScope) -> None:
        """It is no mistake: what the service has not begun to speak is taken back."""

        async def forget(talk: loopback.Session) -> None:
            await talk.say("input_text_buffer.cleared")
            await talk.say("session.finished")

        service.script(loopback.until("input_text_buffer.clear", forget))
        async with session(engine) as live:
            await live.write("Never this")
            await live.end()
            await live.clear()
            assert await hear(live) == []
            await live.clear()

    async def test_a_cancel_is_silence(self, service: Realtime, engine: DashScope) -> None:
        """After a cancel nothing of the old text comes; new text goes to a fresh socket, the old one is told so."""

        async def begin(talk: loopback.Session) -> None:
            name = await talk.begin()
            await talk.sound(name, tone("Old"))
            await loopback.stay_silent(talk)

        service.script(loopback.until("input_text_buffer.append", begin))
        async with session(engine) as live:
            reader = live.chunks()
            await live.write("Old text, long.")
            first = await anext(reader)
            assert first.pcm
            await live.cancel()
            await live.write("New.")
            await live.end()
            rest = [chunk async for chunk in reader]
        assert pcm(rest) == tone("New.")
        assert rest[0].offset == first.samples
        assert [chunk.span for chunk in rest if chunk.final] == [(15, 19)]
        await asyncio.wait_for(service.sessions[0].over.wait(), 5)
        assert service.sessions[0].kinds()[-2:] == ["response.cancel", "input_text_buffer.clear"]

    async def test_warm_sockets(self, service: Realtime, monkeypatch: pytest.MonkeyPatch) -> None:
        """While a session is open a socket is ready for the next one, each after its turn, and it is kept fresh."""
        monkeypatch.setattr(socket, "IDLE", 0.05)
        turns: list[Quota] = []

        async def turn(quota: Quota) -> None:
            turns.append(quota)

        engine = DashScope(Secret(KEY), base_url=service.base_url, timeouts=BRISK)
        monkeypatch.setattr(engine, "quota", lambda request: Quota(request.model, 60))
        live = engine.link(LiveRequest("Cherry"), turn=turn)
        assert live is not None
        async with live:
            await service.until(lambda: len(service.sessions) == 1 + socket.RENEWALS)
            assert [talk.kinds() for talk in service.sessions[1:]] == [[]] * socket.RENEWALS
        assert [quota.name for quota in turns] == ["qwen3-tts-flash-realtime"] * len(turns)
        assert len(turns) == len(service.handshakes)
        await engine.aclose()
        for talk in service.sessions:
            await asyncio.wait_for(talk.over.wait(), 5)

    async def test_a_warm_socket_is_taken(self, service: Realtime) -> None:
        """A second session begins on the socket that was ready, and one that the service has closed is not used."""
        engine = DashScope(Secret(KEY), base_url=service.base_url, timeouts=BRISK)
        async with session(engine) as first:
            await service.until(lambda: len(service.sessions) == 2)
            assert engine._sockets is not None
            (kept,) = engine._sockets._pool().slots
            async with asyncio.timeout(10):
                while kept.socket is None:  # noqa: ASYNC110 - nobody but this test waits for it
                    await asyncio.sleep(0.01)
            async with session(engine) as second:
                await second.write("Hi.")
                await second.end()
                assert pcm(await hear(second)) == tone("Hi.")
                assert service.sessions[1].text() == "Hi."
            await first.end()
        await engine.aclose()

    async def test_the_engine_ends_its_sessions(self, service: Realtime, engine: DashScope) -> None:
        """Closing the engine releases whoever reads or writes."""
        live = session(engine)
        await live.open()
        reading = asyncio.create_task(hear(live))
        await asyncio.sleep(0)
        await engine.aclose()
        assert await reading == []
        with pytest.raises(errors.RequestError) as caught:
            await live.write("x")
        assert caught.value.code == "session_over"

    async def test_a_writer_waits(self, service: Realtime, engine: DashScope) -> None:
        """Who writes far ahead without a reader is told so; whoever waits is released by a cancel."""
        book = "A sentence of a book. " * 400
        live = session(engine, patience=link.Patience(reader=0.1))
        async with live:
            with pytest.raises(errors.TimedOut) as caught:
                await live.write(book * 8)
            assert caught.value.code == "nobody_reads"
            writing = asyncio.create_task(live.write(book))
            await asyncio.sleep(0)
            await live.cancel()  # releases the writer, too
            await writing

    async def test_a_book_waits_for_its_reader(self, service: Realtime, engine: DashScope) -> None:
        """Little more than a minute of sound is kept for a slow reader, and all of a book is heard."""
        book = "A sentence of a book. " * 300

        async def write() -> None:
            await live.write(book)
            await live.end()

        async with session(engine) as live:
            live._reading = True
            writing = asyncio.create_task(write())
            async with asyncio.timeout(10):
                while live._caller.queued < link.MOST_QUEUED:
                    await live._change()
            assert live._caller.queued < link.MOST_QUEUED + 1
            chunks = await hear(live)
            await writing
        assert sum(chunk.samples for chunk in chunks) == len(book) * 960
        assert chunks[-1].span[1] == len(book)

    @pytest.mark.parametrize(("form", "written"), [("mp3", "MP3"), ("opus", "OGG")])
    async def test_compressed_sound(self, service: Realtime, engine: DashScope, form: str, written: str) -> None:
        """However the service sends sound, chunks are PCM of the same length."""

        async def speak(talk: loopback.Session) -> None:
            file = io.BytesIO()
            subtype = "OPUS" if written == "OGG" else "MPEG_LAYER_III"
            samples = np.frombuffer(tone("Hello there."), "<i2")
            soundfile.write(file, samples, 24_000, format=written, subtype=subtype)
            name = await talk.begin()
            for at in range(0, len(file.getvalue()), 1000):
                await talk.sound(name, file.getvalue()[at : at + 1000])
            await talk.finish(name, "Hello there.")
            await talk.say("session.finished")
            await loopback.stay_silent(talk)

        service.script(loopback.until("session.finish", speak))
        async with session(engine, response_format=form) as live:
            await live.write("Hello there.")
            await live.end()
            chunks = await hear(live)
        assert abs(sum(chunk.duration for chunk in chunks) - 12 * 0.04) < 0.06
        assert service.sessions[0].settings["response_format"] == form

    async def test_the_workspace_and_the_key(self, service: Realtime) -> None:
        """Key and workspace go with the handshake; to another host that it is sent to, the key does not go."""
        async with Realtime() as other:
            place = other.base_url.replace("/api/v1", loopback.PATH)
            service.script(loopback.refuse(307, {"Location": place}))
            engine = DashScope(Secret(KEY), base_url=service.base_url, workspace="ws-1", timeouts=BRISK)
            with pytest.raises(errors.Unauthorized):
                await session(engine).open()
            await engine.aclose()
            assert service.handshakes[0].headers["Authorization"] == f"Bearer {KEY}"
            assert service.handshakes[0].headers["X-DashScope-WorkSpace"] == "ws-1"
            assert "Authorization" not in other.handshakes[0].headers

    async def test_the_proxy_of_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The handshake goes through the proxy that HTTP would use."""
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        engine = DashScope(Secret(KEY), base_url="http://speech.invalid/api/v1", timeouts=BRISK)
        with pytest.raises(errors.Unreachable, match="proxy"):
            await session(engine).open()
        await engine.aclose()


class TestFaults:
    """What goes wrong is told as what it is, or mended."""

    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (401, errors.Unauthorized),
            (403, errors.Unauthorized),
            (404, errors.Refused),
            (429, errors.Throttled),
            (500, errors.ServiceFailed),
            (407, errors.Unreachable),
            (200, errors.BadReply),
        ],
    )
    async def test_no_handshake(
        self, service: Realtime, engine: DashScope, status: int, error: type[errors.EngineError]
    ) -> None:
        """A handshake that is refused is told by open, at once, without the key, with the wait that is asked for."""
        service.script(loopback.refuse(status, {"Retry-After": "7", "x-request-id": "abc"}))
        with pytest.raises(error) as caught:
            await session(engine).open()
        assert len(service.handshakes) == 1
        assert caught.value.request_id == ("abc" if status != 200 else "")
        assert caught.value.retry_after == (7 if status != 200 else None)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        assert KEY not in repr(caught.value)

    async def test_nobody_there(self) -> None:
        """No server at all is told at once, with its port, and with what is to be looked at for such an address."""
        engine = DashScope(Secret(KEY), base_url="http://127.0.0.1:1/api/v1", timeouts=BRISK)
        with pytest.raises(errors.Unreachable) as caught:
            await session(engine).open()
        assert caught.value.message == "Cannot reach 127.0.0.1:1."
        assert "base URL" in caught.value.remedy
        assert "region" not in caught.value.remedy
        assert "region" in http.reaching("dashscope.aliyuncs.com")
        await engine.aclose()

    async def test_a_server_says_why_in_a_header(self, service: Realtime, engine: DashScope) -> None:
        """A lineread server's own words are told whole, without the key, and with nothing that it did not say."""
        own = {"message": "x" * 600 + KEY, "remedy": "Ask for more.", "retryable": False}
        said = json.dumps({"code": "Throttling.RateQuota", "lineread": own})
        service.script(loopback.refuse(429, {"x-lineread-error": said}))
        with pytest.raises(errors.QuotaExceeded) as caught:
            await session(engine).open()
        assert str(caught.value) == "x" * 600 + "*** Ask for more."
        assert not caught.value.retryable

    async def test_a_short_key_is_no_reason_to_hide_letters(self, service: Realtime) -> None:
        """Servers without keys of their own take any: one of a letter is not looked for in what they say."""
        service.key = "x"
        own = {"message": "The text is of no use.", "remedy": "", "retryable": False}
        said = json.dumps({"code": "invalid_value", "lineread": own})
        service.script(loopback.refuse(400, {"x-lineread-error": said}))
        engine = DashScope(Secret("x"), base_url=service.base_url, timeouts=BRISK, warm=0)
        with pytest.raises(errors.Refused, match="The text is of no use"):
            await session(engine).open()
        await engine.aclose()

    @pytest.mark.parametrize("act", [loopback.stay_silent, loopback.until("session.update", loopback.stay_silent)])
    async def test_silence_at_the_beginning(self, service: Realtime, act: loopback.Act) -> None:
        """A server that does not greet, or does not answer the settings, is given up."""
        service.otherwise = act
        engine = DashScope(Secret(KEY), base_url=service.base_url, timeouts=Timeouts(connect=0.2), warm=0)
        with pytest.raises(errors.TimedOut):
            await session(engine, patience=link.Patience(silence=0.2)).open()
        await engine.aclose()

    @pytest.mark.parametrize(
        ("act", "error", "code"),
        [
            (
                loopback.fail("invalid_value", "The requested voice 'Cherry' is not supported."),
                errors.VoiceError,
                "unknown_voice",
            ),
            (
                loopback.fail("CLIENT_ERROR", "[qwen-tts:]Engine return error code: 411"),
                errors.VoiceError,
                "unknown_voice",
            ),
            (loopback.fail("Arrearage", "no money"), errors.QuotaExceeded, "account_in_debt"),
        ],
    )
    async def test_settings_that_are_refused(
        self, service: Realtime, engine: DashScope, act: loopback.Act, error: type[errors.LinereadError], code: str
    ) -> None:
        """An error in place of the settings' answer is told by open as what it is."""
        service.script(loopback.until("session.update", act))
        with pytest.raises(error) as caught:
            await session(engine).open()
        assert caught.value.code == code
        assert "HTTP" not in caught.value.message

    async def test_throttled(self, service: Realtime, engine: DashScope) -> None:
        """Close 1011 at once is throttling; amid a session it is waited out, and the text is spoken."""
        service.script(loopback.close(1011, "To many requests. Your requests are being throttled."))
        with pytest.raises(errors.Throttled):
            await session(engine).open()

        async def close(talk: loopback.Session) -> None:
            await talk.socket.close(code=1011, message=b"To many requests")

        service.script(loopback.until("session.finish", close), loopback.refuse(429))
        async with session(engine) as live:
            await live.write("Hello there.")
            await live.end()
            assert pcm(await hear(live)) == tone("Hello there.")
        assert len(service.handshakes) == 4

    @pytest.mark.parametrize(
        "fault",
        [
            loopback.break_off(0),
            loopback.send("{garbage"),
            loopback.send(b"\x00\xff\x00"),
            loopback.send("x" * (10 << 20)),
            loopback.fail("InternalError", "An internal error has occured"),
            loopback.fail("ModelServingError", "Too many requests."),
            loopback.stay_silent,
        ],
    )
    async def test_a_fault_before_any_sound_is_mended(
        self, service: Realtime, engine: DashScope, fault: loopback.Act
    ) -> None:
        """Whatever happens before any of the text was heard, it is spoken over a new socket, once."""
        service.script(loopback.until("session.finish", fault))
        async with session(engine, patience=link.Patience(silence=0.3)) as live:
            await live.write("Hello there.")
            await live.end()
            assert pcm(await hear(live)) == tone("Hello there.")
        assert [talk.text() for talk in service.sessions] == ["Hello there."] * 2

    async def test_a_service_that_stays_broken(self, service: Realtime, engine: DashScope) -> None:
        """After some sockets in a row without a word spoken, what is wrong is told to reader and writer."""
        service.otherwise = loopback.until("input_text_buffer.append", loopback.break_off(0))
        async with session(engine) as live:
            await live.write("Hello there.")
            with pytest.raises(errors.Unreachable):
                await hear(live)
            with pytest.raises(errors.Unreachable):
                await live.write("x")
        assert len(service.sessions) == 1 + LOSSES

    async def test_a_cut_amid_a_sentence(self, service: Realtime, engine: DashScope) -> None:
        """If a sentence was heard in part, the error says up to where all was spoken."""

        async def act(talk: loopback.Session) -> None:
            await talk.speak("First. ")
            name = await talk.begin()
            await talk.sound(name, tone("Second"))
            await heard.wait()
            assert talk.request.transport is not None
            talk.request.transport.close()

        heard = asyncio.Event()
        service.script(loopback.until("session.finish", act))
        async with session(engine) as live:
            await live.write("First. Second one, which is long.")
            await live.end()
            chunks: list[Chunk] = []

            async def listen() -> None:
                async for chunk in live.chunks():
                    chunks.append(chunk)
                    if chunk.pcm == tone("Second"):
                        heard.set()

            with pytest.raises(SpeechCut) as caught:
                await listen()
        assert caught.value.delivered == (0, 7)
        assert caught.value.code == "speech_cut"
        assert pcm(chunks) == tone("First. ") + tone("Second")
        assert "Second" not in str(caught.value)

    async def test_a_cut_behind_the_listener_is_mended(self, service: Realtime, engine: DashScope) -> None:
        """Who has enough to hear notices nothing of a connection that drops: the sentence is spoken again, once."""

        async def act(talk: loopback.Session) -> None:
            await talk.speak("First one, which is so long that a second of it is left to hear. ")
            talk.buffer = "Second one, which is long."
            await loopback.break_off(3)(talk)

        service.script(loopback.until("session.finish", act))
        text = "First one, which is so long that a second of it is left to hear. Second one, which is long."
        async with session(engine) as live:
            await live.write(text)
            await live.end()
            chunks = await hear(live)
        assert pcm(chunks) == tone(text[:65]) + tone(text[65:])
        assert [chunk.span for chunk in chunks if chunk.final] == [(0, 65), (65, 91)]
        assert service.sessions[1].text() == "Second one, which is long."

    async def test_an_idle_session_that_is_closed_goes_on(self, service: Realtime, engine: DashScope) -> None:
        """A service may close a session that says nothing; the next text finds a new socket, made only then."""

        async def speak_and_close(talk: loopback.Session) -> None:
            await talk.speak("Hello.")
            await talk.socket.close()

        service.script(loopback.until("input_text_buffer.append", speak_and_close))
        async with session(engine) as live:
            await live.write("Hello.")
            reader = live.chunks()
            while not (await anext(reader)).final:
                pass
            while live._caller.attached:
                await live._change()
            assert len(service.sessions) == 1
            await live.write("Again.")
            await live.end()
            assert pcm([chunk async for chunk in reader]) == tone("Again.")
        assert service.sessions[1].text() == "Again."

    async def test_who_answers_no_ping_is_gone(
        self, service: Realtime, engine: DashScope, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An idle socket whose other end is dead is found out, and the next text goes to another one."""
        monkeypatch.setattr(socket, "HEARTBEAT", 0.05)

        async def die(talk: loopback.Session) -> None:
            await asyncio.Event().wait()  # aiohttp answers pings only while somebody listens

        service.script(loopback.until("input_text_buffer.clear", die))
        async with session(engine) as live:
            await live.clear()
            async with asyncio.timeout(10):
                while live._caller.attached:
                    await live._change()
            await live.write("Hi.")
            await live.end()
            assert pcm(await hear(live)) == tone("Hi.")
