"""The official SDK against the server: every door that reaches Qwen TTS, and what each makes of every error."""

from __future__ import annotations

import asyncio
import base64
import io
import urllib.request
import warnings
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import dashscope
import pytest
from dashscope.api_entities.aio_session import close_shared_aio_session
from dashscope.api_entities.http_request import close_shared_sync_session
from dashscope.audio.http_tts import HttpSpeechSynthesizer
from dashscope.audio.qwen_tts import SpeechSynthesizer
from dashscope.v2 import errors as v2

from lineread import Request, errors
from lineread.client import Client
from lineread.engines.fake import Act, Fake
from lineread.errors import LinereadError
from loopback.dashscope import KEY, Cloud, fail_amid, refuse

TEXT = "Doors open at nine."
CALL = {"model": "qwen3-tts-flash", "voice": "Cherry", "language_type": "English"}
Serve = Callable[..., str]


class Heard(NamedTuple):
    """What a caller of the SDK has in hand at the end of a call.

    ``status``, ``code`` and ``message`` of its last answer, ``sound`` of all, ``url`` of the last, and what was raised.
    """

    status: int
    code: str
    message: str
    request_id: str
    sound: bytes
    url: str
    characters: int
    raised: type[BaseException] | None = None


def heard(answers: list[Any]) -> Heard:
    """The answers of the 1.x SDK, whose audio is an object in one class and a dictionary in another."""
    sound = b""
    for answer in answers:
        audio = answer.output["audio"] if answer.output else None
        sound += base64.b64decode((audio or {}).get("data") or "")
    last = answers[-1]
    url = (last.output["audio"] or {}).get("url") if last.output else ""
    characters = last.usage["characters"] if last.usage else 0
    return Heard(last.status_code, last.code, last.message, last.request_id, sound, url or "", characters)


def sync_door(text: str, *, stream: bool, **call: Any) -> Heard:
    answer = dashscope.MultiModalConversation.call(text=text, stream=stream, **call)
    return heard(list(answer) if stream else [answer])


def qwen_tts_door(text: str, *, stream: bool, **call: Any) -> Heard:
    answer = SpeechSynthesizer.call(text=text, stream=stream, **call)
    return heard(list(answer) if stream else [answer])


def aio_door(text: str, *, stream: bool, **call: Any) -> Heard:
    async def run() -> list[Any]:
        try:
            answer = await dashscope.AioMultiModalConversation.call(text=text, stream=stream, **call)
            return [each async for each in answer] if stream else [answer]
        finally:
            await close_shared_aio_session()

    return heard(asyncio.run(run()))


def v2_door(text: str, *, stream: bool, **call: Any) -> Heard:
    sound, url, characters, request_id = b"", "", 0, ""
    try:
        with speaking() as http:
            answers = http.stream(text, **call) if stream else [http.synthesize(text, **call)]
            for answer in answers:
                sound += getattr(answer, "audio", None) or b""
                url, request_id = answer.audio_url or "", answer.request_id
                characters = answer.usage["characters"]
    except v2.DashScopeError as error:
        facts = (error.status_code or 0, error.code or "", error.message, error.request_id or "")
        return Heard(*facts, sound, "", 0, type(error))
    return Heard(200, "", "", request_id, sound, url, characters)


@contextmanager
def speaking(max_retries: int = 0) -> Iterator[Any]:
    """The V2 client's door."""
    url = dashscope.base_http_api_url
    with dashscope.Client(api_key="sk-any", base_url=url, max_retries=max_retries) as client, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # "the audio API is a preview"
        yield client.audio.tts.http


DOORS = {"sync": sync_door, "aio": aio_door, "qwen_tts": qwen_tts_door, "v2": v2_door}
EACH_DOOR = pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
STREAM = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest.fixture(autouse=True)
def sdk(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(dashscope, "api_key", "sk-any")
    yield monkeypatch
    close_shared_sync_session()


def point(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr(dashscope, "base_http_api_url", f"{url}/api/v1")


def file_at(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as response:
        data: bytes = response.read()
    return data


def samples(data: bytes) -> bytes:
    with wave.open(io.BytesIO(data)) as file:
        assert file.getframerate() == 24_000
        assert 44 + 2 * file.getnframes() == len(data)
        return file.readframes(file.getnframes())


@pytest.mark.parametrize("engine", ["fake", "builtin"])
def test_every_door_speaks(sdk: pytest.MonkeyPatch, serve: Serve, engine: str) -> None:
    """All classes of the SDK that reach Qwen TTS, streaming and not, give the same sound, and a URL of the whole."""
    point(sdk, serve(engine))
    whole: set[bytes] = set()
    for door in DOORS.values():
        once, events = door(TEXT, stream=False, **CALL), door(TEXT, stream=True, **CALL)
        assert (once.status, events.status, once.sound) == (200, 200, b"")
        assert once.characters == events.characters == len(TEXT)
        assert once.request_id != events.request_id
        whole |= {samples(file_at(once.url)), samples(file_at(events.url)), events.sound[44:]}
    assert len(whole) == 1


@EACH_DOOR
@STREAM
async def test_every_door_speaks_through_a_gateway(
    sdk: pytest.MonkeyPatch, serve: Serve, door: Callable[..., Heard], *, stream: bool, tmp_path: Any
) -> None:
    """In front of the cloud it relays with a key of its own, once for a line, whatever key the client shows."""
    async with Cloud() as cloud:
        upstream = Client(engine="dashscope", api_key=KEY, base_url=cloud.base_url, cache_dir=tmp_path / "lines")
        url = serve(client=upstream)
        point(sdk, url)
        answers = [await asyncio.to_thread(door, TEXT, stream=stream, **CALL) for _ in range(2)]
        assert {answer.status for answer in answers} == {200}
        assert all(answer.url.startswith(url + "/audio/") for answer in answers)
        assert len(cloud.received) == 1
        assert cloud.received[0].headers["authorization"] == f"Bearer {KEY}"
        assert cloud.received[0].body["input"] == {"text": TEXT, "voice": "Cherry", "language_type": "English"}


def test_the_quick_start_runs_unchanged(sdk: pytest.MonkeyPatch, serve: Serve) -> None:
    """The program of the issue: an instruct model, the misspelt instruction, the URL as an attribute."""
    point(sdk, serve("builtin"))
    for stream in (False, True):
        response: Any = dashscope.MultiModalConversation.call(
            model="qwen3-tts-instruct-flash",
            text="Hello, this is a short voice line.",
            voice="Cherry",
            language_type="English",
            instruction="Warm and calm tone, slightly slower pace.",
            stream=stream,
        )
        last = list(response)[-1] if stream else response
        assert len(samples(file_at(last.output.audio.url))) > 24_000


def test_what_is_not_qwen_tts_is_refused(sdk: pytest.MonkeyPatch, serve: Serve) -> None:
    """The SDK's other doors and other families' models get a refusal that says what is served."""
    point(sdk, serve())
    answer: Any = HttpSpeechSynthesizer.call(model="cosyvoice-v3-flash", text=TEXT, voice="longanyang")
    assert (answer.status_code, answer.code) == (400, "InvalidParameter")
    assert "multimodal-generation" in answer.message
    for model in ("cosyvoice-v3-flash", "qwen-audio-3.0-tts-flash"):
        assert v2_door(TEXT, stream=False, model=model, voice="longanyang").raised is v2.BadRequestError
        assert sync_door(TEXT, stream=False, model=model, voice="longanyang").message.startswith("url error")
    assert sync_door("", stream=False, **CALL).message.startswith("Required parameter(input.text) missing or invalid")
    assert sync_door(TEXT, stream=False, model="qwen3-tts-flash", voice="").status == 400


class Troubled(Fake):
    """Fails as it is told to: before any sound, or amid it."""

    trouble: LinereadError | None = None
    amid = False

    def resolve(self, request: Request) -> Request:
        if self.trouble is not None and not self.amid:
            raise self.trouble
        return super().resolve(request)

    def _next_act(self) -> Act:
        return Act(chunks=4, after=2, error=self.trouble) if self.trouble is not None else Act()


#: Each row of the table: our error, the status and the code that it gets, and the class that the V2 client raises.
ERRORS: list[tuple[LinereadError, int, str, type[v2.DashScopeError]]] = [
    (errors.KeyRefused("m"), 401, "InvalidApiKey", v2.AuthenticationError),
    (errors.NotAllowed("m"), 403, "AccessDenied", v2.PermissionDeniedError),
    (errors.LimitReached("m"), 429, "Throttling.AllocationQuota", v2.RateLimitError),
    (errors.LimitReached("m", retryable=True), 429, "Throttling.RateQuota", v2.RateLimitError),
    (errors.Overloaded("m"), 429, "Throttling", v2.RateLimitError),
    (errors.Leaving("m"), 503, "ModelUnavailable", v2.ServiceUnavailableError),
    (errors.ModelError("m"), 400, "InvalidParameter", v2.BadRequestError),
    (errors.VoiceError("m"), 400, "InvalidParameter", v2.BadRequestError),
    (errors.TextError("m"), 400, "InvalidParameter", v2.BadRequestError),
    (errors.OptionError("m"), 400, "InvalidParameter", v2.BadRequestError),
    (errors.ConfigError("m"), 500, "InternalError", v2.InternalServerError),
    (errors.KeyMissing("m"), 500, "InternalError", v2.InternalServerError),
    (errors.Unauthorized("m", service_code="InvalidApiKey"), 500, "InternalError", v2.InternalServerError),
    (errors.Unauthorized("m", code="model_not_opened"), 403, "AccessDenied.Unpurchased", v2.PermissionDeniedError),
    (errors.Refused("m", code="content_refused"), 400, "DataInspectionFailed", v2.ContentFilterError),
    (errors.Refused("m", service_code="invalid_value"), 400, "invalid_value", v2.BadRequestError),
    (errors.Refused("m", service_code="ModelNotFound"), 404, "ModelNotFound", v2.NotFoundError),
    (errors.QuotaExceeded("m", code="account_in_debt"), 400, "Arrearage", v2.PermissionDeniedError),
    (errors.QuotaExceeded("m"), 403, "AllocationQuota.FreeTierOnly", v2.PermissionDeniedError),
    (errors.Throttled("m", kind="rate"), 429, "Throttling.RateQuota", v2.RateLimitError),
    (errors.Throttled("m", kind="burst"), 429, "Throttling.BurstRate", v2.RateLimitError),
    (errors.Throttled("m", kind="quota"), 429, "Throttling.AllocationQuota", v2.RateLimitError),
    (errors.Throttled("m", kind="capacity"), 503, "ModelServingError", v2.ServiceUnavailableError),
    (errors.ServiceFailed("m"), 500, "InternalError", v2.InternalServerError),
    (errors.Unreachable("m"), 503, "ModelUnavailable", v2.ServiceUnavailableError),
    (errors.TimedOut("m"), 500, "RequestTimeOut", v2.InternalServerError),
    (errors.BadReply("m"), 500, "InternalError.Algo", v2.InternalServerError),
    (errors.NoAudio("m"), 500, "InternalError.Algo", v2.InternalServerError),
    (errors.OutputError("m"), 500, "InternalError", v2.InternalServerError),
]


@pytest.fixture(scope="module")
def troubled(serve_all: Serve) -> tuple[Troubled, str]:
    engine = Troubled()
    return engine, serve_all(engine)


@EACH_DOOR
@pytest.mark.parametrize("when", ["whole", "stream", "amid"])
@pytest.mark.parametrize(
    ("error", "status", "code", "kind"), ERRORS, ids=[f"{type(row[0]).__name__}-{row[2]}" for row in ERRORS]
)
def test_each_sdk_understands_each_error(
    sdk: pytest.MonkeyPatch,
    troubled: tuple[Troubled, str],
    *,
    door: Callable[..., Heard],
    when: str,
    error: LinereadError,
    status: int,
    code: str,
    kind: type[v2.DashScopeError],
) -> None:
    """1.x has a response with status, code and message and raises nothing; V2 raises the class that the code means.

    It is the same before the first sound and amid it, where the sound so far has been heard.
    """
    engine, url = troubled
    point(sdk, url)
    sdk.setattr(engine, "trouble", error)
    sdk.setattr(engine, "amid", when == "amid")
    line = f"Line {when} {door.__name__} {code} {type(error).__name__}."
    got = door(line, stream=when != "whole", **CALL)
    assert (got.status, got.code) == (status, code)
    assert got.message
    assert len(got.request_id) == 36
    assert bool(got.sound) == (when == "amid")
    assert got.url == ""
    assert got.raised is (kind if door is v2_door else None)


@pytest.mark.parametrize(
    ("error", "calls"),
    [(errors.ServiceFailed("m", retryable=True, retry_after=0.01), 3), (errors.Unauthorized("m"), 1)],
)
def test_the_v2_client_tries_again_only_where_it_helps(
    sdk: pytest.MonkeyPatch, serve: Serve, error: LinereadError, calls: int
) -> None:
    """What may pass is asked for again after the time that we tell; what will not is asked for once."""

    class Counting(Troubled):
        count = 0

        def resolve(self, request: Request) -> Request:
            self.count += 1
            return super().resolve(request)

    engine = Counting()
    engine.trouble = error
    point(sdk, serve(engine))
    with speaking(max_retries=2) as http, pytest.raises(v2.InternalServerError):
        http.synthesize(TEXT, **CALL)
    assert engine.count == calls


@pytest.mark.parametrize(
    ("act", "status", "code"),
    [
        (refuse(401, "InvalidApiKey", "Invalid API-key provided."), 500, "InternalError"),
        (refuse(400, "DataInspectionFailed", "m"), 400, "DataInspectionFailed"),
        (refuse(400, "Arrearage", "m"), 400, "Arrearage"),
        (refuse(403, "AllocationQuota.FreeTierOnly", "m"), 403, "AllocationQuota.FreeTierOnly"),
        (fail_amid(2, 400, "DataInspectionFailed"), 400, "DataInspectionFailed"),
        (fail_amid(2, 429, "Throttling.AllocationQuota"), 429, "Throttling.AllocationQuota"),
    ],
)
async def test_errors_of_the_cloud_pass_the_gateway(
    sdk: pytest.MonkeyPatch, serve: Serve, *, act: Any, status: int, code: str, tmp_path: Any
) -> None:
    """The cloud's own codes arrive, before sound and amid it; only its word on our key does not look like theirs."""
    async with Cloud() as cloud:
        cloud.otherwise = act
        upstream = Client(engine="dashscope", api_key=KEY, base_url=cloud.base_url, cache_dir=tmp_path / "lines")
        point(sdk, serve(client=upstream))
        got = await asyncio.to_thread(sync_door, TEXT, stream=True, **CALL)
        assert (got.status, got.code) == (status, code)
        assert KEY not in got.message
        assert TEXT not in got.message
