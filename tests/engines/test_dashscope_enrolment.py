"""Voices made at the cloud, end to end against a loopback service: which, how often, and what failure means."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from lineread import errors
from lineread.config import Secret
from lineread.engines.base import Quota
from lineread.engines.dashscope import DashScope, Timeouts, customizing, http
from lineread.engines.dashscope.enrolment import CloudEnroller
from lineread.engines.enroller import Enroller
from lineread.enrolment import Clone, Design, Kind
from loopback import dashscope as loopback
from loopback.customization import PATH, VoiceCloud, drop_after_making
from loopback.dashscope import KEY, Act, tone, wav

BEIJING = "https://dashscope.aliyuncs.com/api/v1"
PROMPT = "A dry, low-pitched museum guide in his fifties."
SAMPLE = wav(b"\x01\x02" * 96_000)
CLONE = Clone("narrator", SAMPLE, "audio/wav", "qwen3-tts-vc-2026-01-22", "Doors open at nine.", "English")
DESIGN = Design("guide", PROMPT, "This way, please.", "qwen3-tts-vd-realtime-2026-01-15", "English", 24_000, "wav")
#: What a service might quote of it.
QUOTE = base64.b64encode(SAMPLE[-120:]).decode()
BRISK = Timeouts(connect=2, idle=0.4, total=2)


@pytest.fixture
async def cloud() -> AsyncIterator[VoiceCloud]:
    async with VoiceCloud() as running:
        yield running


@pytest.fixture
async def enroller(cloud: VoiceCloud) -> AsyncIterator[CloudEnroller]:
    engine = DashScope(Secret(KEY), base_url=cloud.base_url, timeouts=BRISK)
    yield engine.enroller()
    await engine.aclose()


@pytest.fixture(autouse=True)
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request is made again at once, and no time is allowed for sending."""
    monkeypatch.setattr(customizing, "WAIT", 0.0)
    monkeypatch.setattr(http, "SLOWEST", 1 << 40)


def enroller_at(base_url: str, key: str = KEY) -> CloudEnroller:
    return DashScope(Secret(key), base_url=base_url).enroller()


async def make(enroller: Enroller, order: Clone | Design) -> str:
    made = await (enroller.clone(order) if isinstance(order, Clone) else enroller.design(order))
    return made.voice


class TestWhatIsKnownWithoutAsking:
    """Targets, places and accounts, before anything is sent."""

    @pytest.mark.parametrize(
        ("kind", "realtime", "expected"),
        [
            ("clone", False, "qwen3-tts-vc-2026-01-22"),
            ("clone", True, "qwen3-tts-vc-realtime-2026-01-15"),
            ("design", False, "qwen3-tts-vd-2026-01-26"),
            ("design", True, "qwen3-tts-vd-realtime-2026-01-15"),
        ],
    )
    def test_the_newest_model_that_fits_is_the_target(self, kind: Kind, expected: str, *, realtime: bool) -> None:
        """Of the models that speak such voices that way, the one with the latest date; asked for by name, it stays."""
        enroller = enroller_at(BEIJING)
        assert enroller.target(kind, realtime=realtime) == expected
        assert enroller.target(kind, model=expected, realtime=realtime) == expected

    def test_an_older_model_can_be_asked_for(self) -> None:
        """A dated model of the catalogue is taken as it is named."""
        older = "qwen3-tts-vd-realtime-2025-12-16"
        assert enroller_at(BEIJING).target("design", model=older, realtime=True) == older

    @pytest.mark.parametrize(
        ("kind", "model", "realtime", "remedy"),
        [
            ("clone", "qwen3-tts-vd-2026-01-26", False, "qwen3-tts-vc-2026-01-22"),
            ("clone", "qwen3-tts-flash", False, "qwen3-tts-vc-2026-01-22"),
            ("clone", "qwen3-tts-vc-2026-01-22", True, "qwen3-tts-vc-realtime-2026-01-15"),
            ("design", "qwen3-tts-vd-realtime-2026-01-15", False, "qwen3-tts-vd-2026-01-26"),
            ("design", "qwen3-tts-vd-2026", False, "qwen3-tts-vd-2026-01-26"),
        ],
    )
    def test_a_model_that_does_not_fit_is_refused(self, kind: Kind, model: str, remedy: str, *, realtime: bool) -> None:
        """Another kind, another way of speaking and an unknown id are errors that name a model which would do."""
        with pytest.raises(errors.ModelError) as caught:
            enroller_at(BEIJING).target(kind, model=model, realtime=realtime)
        assert remedy in caught.value.remedy

    @pytest.mark.parametrize(
        ("base_url", "place"),
        [
            (BEIJING, "cn-beijing"),
            ("https://dashscope-intl.aliyuncs.com/api/v1/", "ap-southeast-1"),
            ("https://ws1.ap-southeast-1.maas.aliyuncs.com/api/v1", "ap-southeast-1"),
            ("http://127.0.0.1:8765/api/v1", "127.0.0.1:8765"),
            ("https://dashscope.aliyuncs.com.evil.example/api/v1", "dashscope.aliyuncs.com.evil.example"),
        ],
    )
    def test_the_place_is_the_region_or_the_host(self, base_url: str, place: str) -> None:
        """Hosts of the service are known by their region; any other stands for itself."""
        assert enroller_at(base_url).place == place

    def test_the_account_tells_keys_apart_and_no_key(self) -> None:
        """The fingerprint is short, the same for the same key, and holds nothing of it."""
        account = enroller_at(BEIJING).account
        assert account == enroller_at("http://127.0.0.1:1").account != enroller_at(BEIJING, KEY + "x").account
        assert len(account) == 16
        assert account not in hashlib.blake2b(KEY.encode()).hexdigest()
        assert KEY not in repr(vars(enroller_at(BEIJING)))

    def test_nothing_heavy_is_loaded(self) -> None:
        """Which model speaks a voice is told without asyncio and aiohttp: a stored line waits for it."""
        code = (
            "import sys; from lineread.config import Secret; from lineread.engines.dashscope import DashScope\n"
            f"DashScope(Secret('k'), base_url={BEIJING!r}).enroller().target('clone')\n"
            "assert not {'asyncio', 'aiohttp', 'email.utils', 'pybase64'} & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


class TestVoices:
    """What the service is asked, and what comes back."""

    async def test_a_clone_is_made(self, cloud: VoiceCloud, enroller: CloudEnroller) -> None:
        """The sample goes as a data URI with all that is known of it; id, model and language come back."""
        made = await enroller.clone(CLONE)
        assert made.voice.startswith("qwen-tts-vc-narrator-voice-2026")
        assert (made.kind, made.target_model, made.language) == ("clone", CLONE.target_model, "English")
        assert made.request_id
        (asked,) = cloud.asked
        assert asked["model"] == "qwen-voice-enrollment"
        assert (asked["input"]["text"], asked["input"]["language"]) == (CLONE.text, "en")
        (received,) = cloud.received
        assert received.headers["content-type"] == "application/json"
        assert "x-dashscope-sse" not in received.headers
        assert int(received.headers["content-length"]) > len(SAMPLE)

    async def test_a_design_is_made(self, cloud: VoiceCloud, enroller: CloudEnroller) -> None:
        """Its preview comes back decoded; prompt and preview's text are as they were asked for."""
        made = await enroller.design(replace(DESIGN, sample_rate=16_000, format="pcm"))
        assert made.preview is not None
        assert (made.preview.audio, made.preview.sample_rate) == (tone(DESIGN.preview_text), 16_000)
        assert (made.kind, made.prompt, made.preview_text) == ("design", PROMPT, DESIGN.preview_text)
        assert cloud.asked[0]["parameters"] == {"sample_rate": 16_000, "response_format": "pcm"}

    @pytest.mark.parametrize("order", [CLONE, DESIGN])
    @pytest.mark.parametrize("old", [False, True])
    async def test_a_voice_is_listed_found_and_deleted(
        self, cloud: VoiceCloud, enroller: CloudEnroller, order: Clone | Design, *, old: bool
    ) -> None:
        """A voice is found among others until it is deleted, also at a service of the older form."""
        kind: Kind = "clone" if isinstance(order, Clone) else "design"
        cloud.old = old
        voices = [await make(enroller, order) for _ in range(3)]
        page = await enroller.page(kind, index=0, size=2)
        assert [each.voice for each in page.voices] == voices[:0:-1]
        assert page.total == (2 if old else 3)
        found = await enroller.find(kind, voices[0])
        assert (found.voice, found.target_model, found.created[:10]) == (voices[0], order.target_model, "2026-11-18")
        await enroller.delete(kind, voices[0])
        for missing in (enroller.find(kind, voices[0]), enroller.delete(kind, voices[0])):
            with pytest.raises(errors.VoiceError) as caught:
                await missing
            assert (caught.value.code, caught.value.service_code) == ("voice_not_found", "VoiceNotFound")
        assert list(cloud.voices) == voices[1:]

    async def test_a_clone_is_found_behind_many_pages(self, cloud: VoiceCloud, enroller: CloudEnroller) -> None:
        """Pages are asked for until the voice is there, and no further; at most a bounded number of them."""
        fields = {"gmt_create": "2026-11-18 09:30:12", "language": "zh", "target_model": CLONE.target_model}
        ids = [f"qwen-tts-vc-n-voice-{number:017}-0000" for number in range(250)]
        cloud.voices = {voice: fields | {"voice": voice} for voice in ids}
        assert (await enroller.find("clone", ids[0])).voice == ids[0]
        assert [each["input"]["page_index"] for each in cloud.asked] == [0, 1, 2]
        assert (await enroller.find("clone", ids[-1])).language == "Chinese"
        assert len(cloud.asked) == 4

    async def test_a_service_that_gives_one_page_for_ever_is_left(
        self, cloud: VoiceCloud, enroller: CloudEnroller
    ) -> None:
        """A list that repeats itself is at its end."""
        page = '{"output":{"voice_list":[{"voice":"a"},{"voice":"b"}],"total_count":99}}'
        cloud.making = loopback.answer(200, page)
        with pytest.raises(errors.VoiceError):
            await enroller.find("clone", "c")
        assert len(cloud.asked) == 2

    async def test_connections_are_the_engines(self, cloud: VoiceCloud) -> None:
        """Voices are asked for over one connection, which is closed with the engine."""
        engine = DashScope(Secret(KEY), base_url=cloud.base_url, timeouts=BRISK)
        enroller = engine.enroller()
        for _ in range(3):
            await enroller.page("clone")
        await engine.enroller().page("design")
        await engine.aclose()
        assert len(cloud.connections) == 1

    async def test_requests_wait_for_their_turn(self, cloud: VoiceCloud) -> None:
        """Each try counts against the quota of the model that is asked; a loopback server counts nothing."""
        turns: list[Quota] = []

        async def turn(quota: Quota) -> None:
            turns.append(quota)
            raise asyncio.CancelledError

        far = DashScope(Secret(KEY), base_url=BEIJING).enroller(turn=turn)
        for ask in (far.page("clone"), far.design(DESIGN)):
            with pytest.raises(asyncio.CancelledError):
                await ask
        assert [(quota.name, quota.per_minute) for quota in turns] == [
            ("dashscope-dashscope-aliyuncs-com-qwen-voice-enrollment", 180),
            ("dashscope-dashscope-aliyuncs-com-qwen-voice-design", 180),
        ]
        engine = DashScope(Secret(KEY), base_url=cloud.base_url)
        await engine.enroller(turn=turn).page("clone")
        await engine.aclose()


LATER = loopback.refuse(429, "Throttling.RateQuota", "Requests rate limit exceeded.")
FULL = loopback.refuse(503, "ModelUnavailable", "Model is unavailable, please try again later.")


class TestFailures:
    """What is tried again, what is not, and what is said."""

    @pytest.mark.parametrize("order", [CLONE, DESIGN])
    @pytest.mark.parametrize(
        "fault",
        [
            drop_after_making(),
            loopback.stall(),
            loopback.answer(200, "{}"),
            loopback.answer(200, "<html>"),
            loopback.refuse(500, "InternalError", "An internal error has occured."),
            loopback.answer(502, "<html>Bad Gateway</html>", "text/html"),
        ],
        ids=["lost", "silent", "empty", "not JSON", "internal", "gateway"],
    )
    async def test_a_voice_that_may_have_been_made_is_not_made_again(
        self, cloud: VoiceCloud, enroller: CloudEnroller, fault: Act, order: Clone | Design
    ) -> None:
        """Once the order is out and no clear answer came, the error says so, and how to look; nothing is sent again."""
        cloud.script(fault)
        with pytest.raises(errors.EngineError) as caught:
            await make(enroller, order)
        error = caught.value
        assert (error.code, error.retryable) == ("voice_in_doubt", False)
        assert "may have been made" in error.message
        assert order.name in error.remedy
        assert len(cloud.asked) == 1

    @pytest.mark.parametrize("fault", [LATER, FULL], ids=["throttled", "unavailable"])
    async def test_a_voice_that_was_surely_not_made_is_tried_again(
        self, cloud: VoiceCloud, enroller: CloudEnroller, fault: Act
    ) -> None:
        """Throttling and a model that is away are waited out, within bounds; the voice is made once."""
        cloud.script(fault, fault)
        await enroller.clone(CLONE)
        assert (len(cloud.asked), len(cloud.voices)) == (3, 1)
        cloud.script(*[fault] * 9)
        with pytest.raises(errors.EngineError) as caught:
            await enroller.clone(CLONE)
        assert caught.value.code != "voice_in_doubt"
        assert len(cloud.asked) == 3 + customizing.TRIES

    async def test_without_a_connection_nothing_was_made(self) -> None:
        """Where nobody answers the error leaves no doubt."""
        async with VoiceCloud() as gone:
            base_url = gone.base_url
        engine = DashScope(Secret(KEY), base_url=base_url, timeouts=BRISK)
        with pytest.raises(errors.Unreachable) as caught:
            await engine.enroller().design(DESIGN)
        assert caught.value.code == "unreachable"
        await engine.aclose()

    @pytest.mark.parametrize("fault", [drop_after_making(), loopback.drop(), LATER, FULL])
    async def test_what_makes_no_voice_is_tried_again(
        self, cloud: VoiceCloud, enroller: CloudEnroller, fault: Act
    ) -> None:
        """Lists, look-ups and deletions pass over a fault; what a lost try deleted counts as deleted."""
        voice = await make(enroller, DESIGN)
        cloud.script(fault)
        assert (await enroller.page("design")).total == 1
        cloud.script(fault)
        assert (await enroller.find("design", voice)).prompt == PROMPT
        cloud.script(fault)
        await enroller.delete("design", voice)
        assert not cloud.voices

    @pytest.mark.parametrize(
        ("order", "kind", "expected"),
        [
            (replace(CLONE, audio=b"RIFF"), errors.Refused, ("sample_too_short", "Audio.AudioShortError")),
            (replace(CLONE, audio=b"FORM"), errors.Refused, ("sample_unreadable", "Audio.DecoderError")),
            (replace(CLONE, name="a b"), errors.Refused, ("refused", "InvalidParameter")),
            (replace(CLONE, audio=bytes(8 << 20)), errors.OptionError, ("sample_too_large", "")),
            (replace(CLONE, target_model="qwen3-tts-flash"), errors.ModelError, ("model_not_custom", "")),
            (replace(DESIGN, target_model=CLONE.target_model), errors.ModelError, ("model_not_custom", "")),
            (replace(DESIGN, prompt="x" * 2049), errors.Refused, ("text_too_long", "InvalidParameter")),
            (DESIGN, errors.QuotaExceeded, ("too_many_voices", "Throttling.AllocationQuota")),
        ],
    )
    async def test_what_cannot_be_is_refused_once(
        self, cloud: VoiceCloud, enroller: CloudEnroller, order: Any, kind: Any, expected: tuple[str, str]
    ) -> None:
        """Samples, names and descriptions that do not do and a full account are told apart, and asked for once."""
        cloud.most = 0
        with pytest.raises(kind) as caught:
            await make(enroller, order)
        assert (caught.value.code, caught.value.service_code) == expected
        assert caught.value.remedy
        assert len(cloud.asked) == (1 if expected[1] else 0)

    async def test_a_redirect_is_not_followed(self, cloud: VoiceCloud, enroller: CloudEnroller) -> None:
        """The key goes to no other address, and nothing is in doubt."""
        async with VoiceCloud() as other:
            cloud.script(loopback.redirect(f"http://127.0.0.1:{other.base_url.split(':')[2].split('/')[0]}{PATH}"))
            with pytest.raises(errors.BadReply) as caught:
                await enroller.clone(CLONE)
            assert not other.received
        assert caught.value.code == "bad_reply"

    @pytest.mark.parametrize("status", [200, 400, 500])
    async def test_nothing_private_shows(
        self, cloud: VoiceCloud, enroller: CloudEnroller, caplog: pytest.LogCaptureFixture, status: int
    ) -> None:
        """Key, description, preview's text and sample are in no error and no log, even when the service quotes them."""
        caplog.set_level(logging.DEBUG)
        for order, private in ((CLONE, [CLONE.text, QUOTE]), (DESIGN, [PROMPT, DESIGN.preview_text])):
            cloud.script(loopback.answer(status, f'{{"code":"Odd","message":"{KEY} {private[0]} {private[1]}"}}'))
            with pytest.raises(errors.EngineError) as caught:
                await make(enroller, order)
            shown = str(caught.value) + caplog.text + repr(vars(caught.value))
            assert "Odd" in shown
            assert not [secret for secret in (KEY, *private) if str(secret)[:50] in shown]

    async def test_a_large_sample_has_time_to_be_sent(
        self, cloud: VoiceCloud, enroller: CloudEnroller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The deadlines of an answer grow with what has to be sent before it."""
        monkeypatch.setattr(http, "SLOWEST", len(SAMPLE) // 2)
        answer = cloud.making

        async def slowly(call: loopback.Call) -> web.StreamResponse:
            await asyncio.sleep(1.5 * BRISK.idle)
            return await answer(call)

        cloud.making = slowly
        assert (await enroller.clone(CLONE)).voice in cloud.voices

    async def test_a_key_that_is_refused_is_told(self, cloud: VoiceCloud) -> None:
        """Another key is the key's fault, not the voice's."""
        engine = DashScope(Secret("sk-other-0123456789"), base_url=cloud.base_url, timeouts=BRISK)
        with pytest.raises(errors.Unauthorized):
            await engine.enroller().clone(CLONE)
        await engine.aclose()
