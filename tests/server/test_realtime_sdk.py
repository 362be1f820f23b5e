"""The official SDK's realtime clients against the server: the one of its first version, and the one of its second."""

from __future__ import annotations

import base64
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dashscope
import pytest
from dashscope.audio.qwen_tts_realtime import AudioFormat, QwenTtsRealtime, QwenTtsRealtimeCallback

from ears.listening import errors, heard, plain
from lineread.engines.fake import SECONDS_PER_CHARACTER, Act, Fake
from lineread.errors import ServiceFailed
from server.talking import MODEL, PATH

v2 = pytest.importorskip("dashscope.v2", reason="this SDK has no second version")

Serve = Callable[..., str]
Event = dict[str, Any]
#: Seconds after which a test gives up waiting.
PATIENCE = 20
TEXTS = ("Hello there, my friend. ", "How are ", "you today? ")


class Listener(QwenTtsRealtimeCallback):
    """Keeps what comes, as a user's program would."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed: list[int | None] = []
        self._news = threading.Condition()

    def on_open(self) -> None:
        """Wanted by the SDK."""

    def on_close(self, close_status_code: int | None, close_msg: str | None) -> None:
        with self._news:
            self.closed.append(close_status_code)
            self._news.notify_all()

    def on_event(self, response: Any) -> None:
        with self._news:
            self.events.append(response)
            self._news.notify_all()

    def wait(self, condition: Callable[[], object]) -> None:
        with self._news:
            assert self._news.wait_for(condition, PATIENCE), self.types

    def wait_for(self, kind: str, count: int = 1) -> Event:
        """The event of that type that is so many in all."""
        self.wait(lambda: len(self.of(kind)) >= count)
        return self.of(kind)[count - 1]

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["type"] == kind]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events if event["type"] != "response.audio.delta"]

    @property
    def sound(self) -> bytes:
        return b"".join(base64.b64decode(event["delta"]) for event in self.of("response.audio.delta"))


@contextmanager
def session(url: str, **settings: Any) -> Iterator[tuple[Any, Listener]]:
    """A session of the first version's client, set up."""
    listener = Listener()
    client: Any = QwenTtsRealtime(model=MODEL, callback=listener, url=url.replace("http", "ws") + PATH)
    client.connect()
    wire = client.ws.sock.sock
    try:
        client.update_session(
            **{"voice": "Ethan", "response_format": AudioFormat.PCM_24000HZ_MONO_16BIT, "language_type": "English"}
            | settings
        )
        yield client, listener
        listener.wait(lambda: listener.closed)  # by the server: the SDK itself takes ten seconds to close
    finally:
        client.close()
        client.thread.join(PATIENCE)
        assert not client.thread.is_alive()
        wire.close()  # which it leaves to the collector when the server closes


@pytest.fixture(autouse=True)
def any_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashscope, "api_key", "sk-any")


def seconds(text: str) -> float:
    return len(text) * SECONDS_PER_CHARACTER


def test_server_commit(serve: Serve) -> None:
    """Text that comes in pieces is spoken as it comes; after the finish the server closes, and the SDK is told so."""
    with session(serve(), mode="server_commit") as (client, listener):
        for text in TEXTS:
            client.append_text(text)
        listener.wait_for("response.created")
        client.finish()
        listener.wait(lambda: listener.closed)
        assert listener.types[-1] == "session.finished"
        assert listener.closed == [1000]
        assert client.get_session_id().startswith("sess_")
        assert client.get_last_response_id().startswith("resp_")
        assert client.get_first_audio_delay() > 0
        assert not listener.of("error")
        assert len(listener.sound) / 48_000 >= seconds("".join(TEXTS)) - 0.2
        updated = listener.of("session.updated")[0]["session"]
        assert (updated["voice"], updated["language_type"], updated["mode"]) == ("Ethan", "english", "server_commit")


def test_commit_and_two_responses(serve: Serve) -> None:
    """Each commit is a response of its own, with its own characters."""
    with session(serve(), mode="commit") as (client, listener):
        for count, text in enumerate(("First this.", "And then that."), 1):
            client.append_text(text)
            client.commit()
            listener.wait_for("input_text_buffer.committed", count)
            done = listener.wait_for("response.done", count)["response"]
            assert (done["status"], done["usage"]) == ("completed", {"characters": len(text)})
        client.finish()
        listener.wait_for("session.finished")
        assert len({event["response"]["id"] for event in listener.of("response.done")}) == 2
        assert len(listener.sound) / 48_000 == pytest.approx(seconds("First this.And then that."), abs=0.05)


def test_cancel_and_clear(serve: Serve) -> None:
    """The SDK's cancel ends what is spoken, its clear drops what was not committed; the session goes on."""
    engine = Fake([Act(chunks=4, pace=3600)])
    with session(serve(engine), mode="commit") as (client, listener):
        client.append_text("This never comes to its end.")
        client.commit()
        listener.wait_for("response.audio.delta")
        client.cancel_response()
        assert listener.wait_for("response.done")["response"]["status"] == "incomplete"
        client.append_text("Forget this.")
        client.clear_appended_text()
        listener.wait_for("input_text_buffer.cleared")
        client.append_text("Say this.")
        client.commit()
        assert listener.wait_for("response.done", 2)["response"]["usage"] == {"characters": 9}
        client.finish()
        listener.wait_for("session.finished")
        assert [call.text for call in engine.calls] == ["This never comes to its end.", "Say this."]


def test_errors_reach_the_callback(serve: Serve) -> None:
    """What is wrong comes as an event, and the session goes on."""
    with session(serve(), mode="commit") as (client, listener):
        client.commit()
        assert listener.wait_for("error")["error"]["code"] == "invalid_value"
        client.send_raw("no json")
        listener.wait_for("error", 2)
        client.append_text("Hello.")
        client.update_session(voice="Cherry")
        assert "already started" in listener.wait_for("error", 3)["error"]["message"]
        client.finish()
        listener.wait_for("session.finished")
        assert listener.of("response.done")[0]["response"]["usage"] == {"characters": 6}


def test_settings_of_the_sdk(serve: Serve) -> None:
    """All that its helper can set, at a rate that only its own documents know."""
    settings = {
        "sample_rate": 22_050,
        "volume": 60,
        "speech_rate": 1.25,
        "pitch_rate": 0.9,
        "audio_format": "wav",
        "bit_rate": 64,
        "enable_tn": True,
        "instructions": "Warmly.",
        "optimize_instructions": True,
        "channels": 1,
    }
    with session(serve(), mode="commit", **settings) as (client, listener):
        client.append_text("Hello there.")
        client.commit()
        client.finish()
        listener.wait_for("session.finished")
        assert not listener.of("error")
        assert listener.sound[:4] == b"RIFF"
        assert int.from_bytes(listener.sound[24:28], "little") == 22_050
        assert len(listener.sound) / 44_100 == pytest.approx(seconds("Hello there.") / 1.25, abs=0.05)


@pytest.mark.ears
def test_a_listener_hears_what_was_written(serve: Serve) -> None:
    """The machine's own voice, through the socket: every word of a text that came token by token, in order."""
    text = "The old keeper climbed the stairs every evening. Nobody knew his name, and he was fine with that."
    with session(serve("builtin")) as (client, listener):
        for at in range(0, len(text), 3):
            client.append_text(text[at : at + 3])
        client.finish()
        listener.wait_for("session.finished")
        words = heard(listener.sound, 24_000)
        assert errors(plain(text), words) <= 1, " ".join(words)


# --- the second version -------------------------------------------------------------------------------------------


@contextmanager
def connected(url: str) -> Iterator[Any]:
    """A session of the second version's client."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that it is a preview
        client = v2.Client(api_key="sk-any")
        with client.audio.realtime.connect(model=MODEL, ws_url=url.replace("http", "ws") + PATH) as made:
            yield made


def test_the_second_client(serve: Serve) -> None:
    """Its session speaks by the same events, and comes to its end without an error."""
    with connected(serve()) as made:
        made.send_event({"type": "session.update", "session": {"voice": "Ethan", "mode": "commit"}})
        made.send_event({"type": "input_text_buffer.append", "text": "Hello there."})
        made.send_event({"type": "input_text_buffer.commit"})
        made.send_event({"type": "session.finish"})
        events = list(made.events())
        assert [event["type"] for event in events][-1] == "session.finished"
        sound = b"".join(base64.b64decode(event.get("delta", "")) for event in events)
        assert len(sound) / 48_000 == pytest.approx(seconds("Hello there."), abs=0.05)


def test_the_second_client_goes_on_after_a_mistake_and_ends_after_a_failure(serve: Serve) -> None:
    """It raises on any error event, and may go on only after those of its caller's own making."""
    engine = Fake([Act(), Act(chunks=3, after=1, error=ServiceFailed("It broke.", retryable=False))])
    with connected(serve(engine)) as made:
        made.send_event({"type": "input_text_buffer.commit"})
        events = made.events()
        with pytest.raises(v2.errors.DashScopeError, match="empty"):
            list(events)
        made.send_event({"type": "input_text_buffer.append", "text": "Hello there. "})
        for event in made.events():
            if event["type"] == "response.done":
                break
        made.send_event({"type": "input_text_buffer.append", "text": "This one breaks. "})
        with pytest.raises(v2.errors.DashScopeError, match="It broke"):
            list(made.events())
