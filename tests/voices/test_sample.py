"""Samples of voices: what will do goes through as it was, what will not do is refused with what to do about it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr

from lineread import _sync
from lineread.audio import reading
from lineread.errors import OptionError
from lineread.voices import sample
from lineread.voices.sample import Sample, check, load
from talker import RATE, chords, file, talk

VOICE = talk(11)


def refused(data: bytes) -> OptionError:
    """The error that a file ends in."""
    with pytest.raises(OptionError) as caught:
        check(data)
    assert caught.value.remedy
    assert caught.value.service_code.startswith("Audio.")
    return caught.value


def noise(below: float) -> Any:
    level = 10 * np.log10(np.mean(VOICE**2))
    hiss = np.random.default_rng(1).standard_normal(len(VOICE)) * 10 ** ((level - below) / 20)
    return (VOICE + hiss).astype(np.float32)


def test_a_good_sample_is_sent_as_it_is() -> None:
    """A 16-bit WAV file with one channel goes out byte for byte, with nothing to be said of it."""
    data = file(VOICE)
    good = check(data, "audio/wav")
    assert good.audio == data
    assert (good.media_type, good.findings, good.seconds) == ("audio/wav", (), 11)
    assert good.sha256 == hashlib.sha256(data).hexdigest()
    assert good.traits.pitch == pytest.approx(120, rel=0.02)


def test_mp3_is_sent_as_it_is() -> None:
    """A good MP3 file goes out byte for byte; one in stereo becomes a WAV file with one channel."""
    data = file(VOICE, form="MP3")
    assert check(data).audio == data
    assert check(data).media_type == "audio/mpeg"
    both = check(file(np.stack([VOICE, VOICE], axis=1), form="MP3"))
    assert (both.media_type, len(both.findings)) == ("audio/wav", 2)
    assert reading.read(both.audio).channels == 1


@pytest.mark.parametrize(
    ("data", "rate", "says"),
    [
        (file(VOICE, form="FLAC"), RATE, "FLAC"),
        (file(VOICE, form="OGG", subtype="OPUS"), RATE, "OGG"),
        (file(VOICE, subtype="PCM_24"), RATE, "16 bits"),
        (file(VOICE * 3, subtype="FLOAT"), RATE, "turned down"),
        (file(np.stack([VOICE, VOICE * 0], axis=1)), RATE, "loudest is kept"),
        (file(soxr.resample(VOICE, RATE, 16_000), 16_000), 24_000, "adds nothing above 8 kHz"),
        (file(soxr.resample(VOICE, RATE, 96_000), 96_000), 48_000, "48,000"),
    ],
    ids=["flac", "opus", "24 bits", "too loud", "an empty channel", "16 kHz", "96 kHz"],
)
def test_conversion(data: bytes, rate: int, says: str) -> None:
    """What the service does not take becomes a WAV file that it takes, with the same voice, and the findings say so."""
    made = check(data)
    sound = reading.read(made.audio)
    assert (sound.format, sound.coding, sound.channels, sound.sample_rate) == ("wav", "PCM_16", 1, rate)
    assert made.media_type == "audio/wav"
    assert any(says in finding for finding in made.findings)
    assert made.seconds == pytest.approx(11, abs=0.06)
    again = check(made.audio)
    assert again.audio == made.audio
    assert again.traits.pitch == pytest.approx(120, rel=0.02)


def test_mislabelled() -> None:
    """A file is what it is, whatever it is said to be; a type that says nothing is no finding."""
    data = file(VOICE, form="MP3")
    assert check(data, "audio/wav").media_type == "audio/mpeg"
    assert "said to be WAV" in check(data, "audio/x-wav; charset=binary").findings[0]
    assert check(data, "application/octet-stream").findings == ()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "sample_unreadable"),
        (b"no sound at all" * 99, "sample_unreadable"),
        (bytes(sample.MOST_BYTES + 1), "sample_too_large"),
        (file(np.tile(VOICE, 6)), "sample_too_long"),
        (file(np.tile(VOICE, 6)[: int(60.5 * RATE)]), "sample_too_long"),
        (file(VOICE[: 2 * RATE]), "sample_too_short"),
        (file(talk(9, pause=1.0, phrase=1.5)), "sample_too_short"),
        (file(soxr.resample(VOICE, RATE, 8_000), 8_000), "sample_rate_too_low"),
        (file(np.zeros(5 * RATE)), "sample_silent"),
        (file(np.random.default_rng(1).standard_normal(5 * RATE) / 20), "sample_silent"),
        (file(chords(6)), "sample_music"),
        (file(np.clip(VOICE * 9, -1, 1)), "sample_clipped"),
        (file(noise(5)), "sample_noisy"),
    ],
)
def test_refused(data: bytes, code: str) -> None:
    """What the service would refuse is refused here, each for its own reason, with what to do."""
    assert refused(data).code == code


def test_what_may_spoil_a_voice_is_said() -> None:
    """What is not bad enough to be refused is a finding: noise, a few peaks, music, a second voice, a telephone."""
    low, high = talk(5, pitch=105), talk(6, pitch=210)
    for samples, says in (
        (noise(18), "noise is"),
        (np.clip(VOICE * 3, -1, 1), "cut off"),
        (VOICE + chords(11) * np.float32(0.1), "music"),
        (np.concatenate([low, high]), "two speakers, one at 10"),
        (soxr.resample(soxr.resample(VOICE, RATE, 8_000), 8_000, RATE), "telephone"),
        (VOICE / 100, "very soft"),
        (VOICE[: 5 * RATE], "recommended"),
    ):
        findings = check(file(samples)).findings
        assert any(says in finding for finding in findings), (says, findings)


@pytest.mark.parametrize("pitch", [75, 160, 240, 320])
@pytest.mark.parametrize("times", [1, 6])
def test_clean_speech_is_never_refused(pitch: float, times: int) -> None:
    """Clean speech of any pitch of 5 and 30 seconds goes through, with nothing said of it but how short it is."""
    findings = check(file(np.tile(talk(5, pitch=pitch, scale=1 + pitch / 1000), times))).findings
    assert all("recommended" in finding for finding in findings)


def test_sixty_seconds_and_an_encoders_padding() -> None:
    """A minute is not too long, also as an MP3 file, whose encoder adds a little."""
    minute = np.tile(talk(10), 6)
    assert check(file(minute)).seconds == 60
    assert check(file(minute, form="MP3")).seconds == pytest.approx(60, abs=0.2)


def test_waveform() -> None:
    """The picture shows where it is loud in so many characters, and falls back to plain ones."""
    half = np.concatenate([VOICE[: 5 * RATE], np.zeros(5 * RATE, np.float32)])
    shown = check(file(half))
    for encoding, marks in (("utf-8", sample._BLOCKS), ("ascii", sample._ASCII), (None, sample._ASCII)):
        line = shown.waveform(40, encoding=encoding)
        assert len(line) == 40
        assert set(line) <= set(marks)
        assert line[21:].strip() == ""
        assert line[:20].replace(" ", "")
    line, facts = shown.picture(encoding="latin-1").splitlines()
    assert line.isascii()
    assert facts.startswith("10.0 s, ")
    assert "pitch 12" in facts
    assert "noise" in facts
    assert "noise" not in check(file(talk(5, pause=0))).facts
    assert len(shown.waveform(10_000)) == 240


def test_nothing_of_the_sound_is_in_its_repr() -> None:
    """A sample that is printed says what it is, not what is in it."""
    assert len(repr(check(file(VOICE)))) < 600


def test_load_a_file(tmp_path: Path) -> None:
    """A path, as a string or an object, and bytes are the same sample."""
    path = tmp_path / "me.wav"
    path.write_bytes(file(VOICE))
    assert load(path) == load(str(path)) == load(path.read_bytes()) == check(file(VOICE))


@pytest.mark.parametrize("name", ["missing.wav", ".", "nul\0.wav"])
def test_no_such_file(name: str) -> None:
    """A file that cannot be read is an error that names it."""
    with pytest.raises(OptionError, match="cannot be read") as caught:
        load(name)
    assert caught.value.code == "sample_not_found"


def test_a_huge_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    """A file of a terabyte is too large, and takes no more memory than that."""
    with open(tmp_path / "huge.wav", "wb") as huge:
        huge.truncate(1 << 40)
    with pytest.raises(OptionError) as caught:
        load(tmp_path / "huge.wav")
    assert caught.value.code == "sample_too_large"


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe that nobody writes to, or a device without end, is refused at once."""
    os.mkfifo(tmp_path / "pipe.wav")
    for path in (tmp_path / "pipe.wav", "/dev/zero"):
        with pytest.raises(OptionError, match="it is no file"):
            load(path)


def test_the_url_of_a_speech_that_was_saved(tmp_path: Path) -> None:
    """What `audio_url` gives can be cloned from."""
    (tmp_path / "a sample.wav").write_bytes(file(VOICE))
    assert load((tmp_path / "a sample.wav").as_uri()).seconds > 5


@pytest.mark.parametrize("source", [None, 5, ["a.wav"]])
def test_what_no_sample_is_had_from(source: Any) -> None:
    """Another type than those that are named is an error with a remedy."""
    with pytest.raises(OptionError, match="cannot be had from"):
        load(source)


class Host(BaseHTTPRequestHandler):
    """Serves a voice, a body without end, an error, and redirects."""

    def do_GET(self) -> None:
        if self.path == "/voice":
            self._answer(200, file(VOICE), "audio/mpeg")
        elif self.path == "/moved":
            self._answer(302, b"", "text/html", Location="/voice")
        elif self.path == "/round":
            self._answer(302, b"", "text/html", Location="/round")
        elif self.path == "/endless":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(bytes(1 << 20))
            except OSError:
                return
        else:
            self._answer(404, b"nothing", "text/html")

    def _answer(self, status: int, body: bytes, kind: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_load_a_url(host: str) -> None:
    """A URL is fetched, after a redirect too, and from a thread beside the event loop too."""
    wanted = check(file(VOICE), "audio/mpeg")
    assert "said to be MP3" in wanted.findings[0]
    assert load(f"{host}/voice") == load(f"{host.upper()}/moved".replace("MOVED", "moved")) == wanted

    async def within() -> Sample:
        await _sync.on_event_loop()
        return await asyncio.to_thread(load, f"{host}/voice")

    assert _sync.run(within()) == wanted


@pytest.mark.parametrize("path", ["/nothing", "/round"])
def test_a_url_that_leads_nowhere(host: str, path: str) -> None:
    """A URL that answers with an error, or leads round in a circle, is an error with what to do."""
    with pytest.raises(OptionError) as caught:
        load(host + path)
    assert caught.value.code == "sample_not_fetched"
    assert caught.value.remedy


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/voice", "http://", "https://[", "http://127.0.0.1:99999/"])
def test_a_url_of_nobody(url: str) -> None:
    """A URL that is none, or where nobody answers, is the same error."""
    with pytest.raises(OptionError) as caught:
        load(url)
    assert caught.value.code == "sample_not_fetched"


def test_an_endless_url_is_not_read_to_its_end(host: str) -> None:
    """A body without end is too large as soon as it is."""
    with pytest.raises(OptionError) as caught:
        load(f"{host}/endless")
    assert caught.value.code == "sample_too_large"


def test_a_slow_url(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A download has an end in time."""
    monkeypatch.setattr(sample, "_PATIENCE", 1e-9)
    with pytest.raises(OptionError, match="did not come within") as caught:
        load(f"{host}/voice")
    assert caught.value.code == "sample_not_fetched"


def test_a_data_uri_is_the_recording_itself() -> None:
    """What it holds is taken; what is no Base64, and addresses of other kinds, are refused with what is taken."""
    data = file(VOICE)
    found = load("data:audio/wav;base64," + base64.b64encode(data).decode())
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    for source in (
        "data:audio/wav;base64,!!",
        "data:audio/wav,abc",
        "data:",
        "ftp://example.org/a.wav",
        "s3://b/a.wav",
    ):
        with pytest.raises(OptionError) as caught:
            load(source)
        assert "data" in str(caught.value)


def test_a_file_that_was_cut_off_is_told() -> None:
    """Of one that is long enough it is a finding; where what is left is too short, it is the likely reason."""
    data = file(VOICE)
    assert (
        check(data).findings == check(data[:4] + b"\xff\xff\xff\x7f" + data[8:]).findings
    )  # a length that nobody knew
    whole = file(np.concatenate([VOICE, VOICE]))
    cut = check(whole[: len(whole) * 2 // 3])
    assert cut.findings[0] == "The file is cut off: only 67% of it is there."
    assert "cut off: only 10%" in str(refused(whole[: len(whole) // 10]))
