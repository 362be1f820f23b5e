"""The client's end of a session, without a socket: what it makes of the service's events, and of a lost socket."""

from __future__ import annotations

import base64
import contextlib
import math
import re
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineread import errors
from lineread.audio.container import PcmReader, wav
from lineread.errors import SpeechCut
from lineread.live.heard import Hearing
from lineread.speech import Chunk, Facts, LiveRequest, billed_characters
from lineread.wire.realtime.caller import LOSS_WAIT, LOSSES, Caller, closing
from lineread.wire.realtime.leg import Event
from lineread.wire.realtime.machine import TABLE

GONE = errors.Unreachable("The connection dropped.", retryable=True)


def caller(mode: str = "server_commit", **fields: Any) -> Caller:
    request = LiveRequest("Cherry", model="qwen3-tts-flash-realtime", mode=mode, **fields)  # type: ignore[arg-type]
    return Caller(request, Facts("dashscope"), sound=lambda: PcmReader(request.sample_rate))


def pcm_of(text: str) -> bytes:
    """One sample for each character, so that the sound tells the words."""
    return b"".join(ord(character).to_bytes(2, "little") for character in text)


def heard(chunks: list[Chunk]) -> str:
    pcm = b"".join(chunk.pcm for chunk in chunks)
    return "".join(chr(int.from_bytes(pcm[at : at + 2], "little")) for at in range(0, len(pcm), 2))


def bare(text: str) -> str:
    return re.sub(r"\s", "", text)


def delta(pcm: bytes, response: str = "resp_1", **fields: Any) -> Event:
    sound = base64.b64encode(pcm).decode()
    return {"type": "response.audio.delta", "response_id": response, "delta": sound} | fields


def done(response: str = "resp_1", status: str = "completed", **usage: int) -> Event:
    return {"type": "response.done", "response": {"id": response, "status": status, "usage": usage}}


def created(response: str = "resp_1") -> Event:
    return {"type": "response.created", "response": {"id": response}}


def drain(session: Caller, lead: float = 0.0) -> list[Chunk]:
    chunks = []
    while (chunk := session.take(lead)) is not None:
        chunks.append(chunk)
    return chunks


@dataclass
class Service:
    """A service of the cloud's kind, or of lineread's, that one socket leads to. It says one event at a time.

    Attributes:
        mode: Who says when text is spoken.
        tells: How it says which text it speaks: by ``span``, by ``count``, or ``nothing``.
        strips: White space around what it speaks is neither spoken nor billed.
    """

    mode: str
    tells: str
    strips: bool
    buffer: str = ""
    at: int = 0
    appended: int = 0
    committed: deque[tuple[int, str]] = field(default_factory=deque)
    flush: bool = False
    finishing: bool = False
    responses: int = 0
    says: deque[Event] = field(
        default_factory=lambda: deque([{"type": "session.created", "session": {"id": "sess_1"}}])
    )

    def hear(self, event: Event) -> None:
        kind = event["type"]
        if kind == "session.update":
            self.says.append({"type": "session.updated", "session": {"language_type": "chinese"}})
        elif kind == "input_text_buffer.append":
            self.buffer += event["text"]
            self.appended += len(event["text"])
        elif kind == "input_text_buffer.commit":
            self.says.append({"type": "input_text_buffer.committed", "item_id": ""})
            self.flush = True
            if self.mode == "commit":
                self.committed.append((self.at, self.buffer))
                self.at, self.buffer = self.appended, ""
        elif kind == "input_text_buffer.clear":
            self.says.append({"type": "input_text_buffer.cleared"})
            self.at, self.buffer = self.appended, ""
        elif kind == "session.finish":
            self.finishing = True

    def work(self, words: int, pieces: list[int]) -> None:
        """Begin to say something more, if there is anything: so many words, each piece in so many deltas."""
        if self.says:
            return
        begun = self._next(words)
        if begun is None:
            if self.finishing:
                self.says.append({"type": "session.finished"})
            return
        at, text = begun
        self.responses += 1
        name = f"resp_{self.responses}_{id(self)}"
        self.says.append(created(name))
        parts = re.findall(r"\S+\s*|\s+", text) if self.tells == "span" else [text]
        for number, part in enumerate(parts):
            self._say(name, at, part, pieces[number % len(pieces)])
            at += len(part)
        self.says.append({"type": "response.audio.done", "response_id": name})
        billed = billed_characters(text.strip() if self.strips else text)
        self.says.append(done(name, characters=billed) if self.tells != "nothing" else done(name))

    def _next(self, words: int) -> tuple[int, str] | None:
        if self.mode == "commit":
            if self.finishing and self.buffer:
                self.committed.append((self.at, self.buffer))
                self.at, self.buffer = self.appended, ""
            return self.committed.popleft() if self.committed else None
        whole = [match.end() for match in re.finditer(r"\S+\s+", self.buffer)]
        end = whole[min(words, len(whole)) - 1] if whole else 0
        if not end and (self.flush or self.finishing):
            end = len(self.buffer)
        if not self.buffer[:end].strip():
            self.flush = False
            return None
        at, text = self.at, self.buffer[:end]
        self.at, self.buffer = at + end, self.buffer[end:]
        return at, text

    def _say(self, name: str, at: int, text: str, deltas: int) -> None:
        said = text.strip() if self.strips else text
        span = {"text_span": [at, at + len(text)]} if self.tells == "span" else {}
        size = max(1, -(-len(said) // deltas))
        for start in range(0, len(said), size):
            self.says.append(delta(pcm_of(said[start : start + size]), name, **span))


class Play:
    """A session, its service, and whoever writes and listens."""

    def __init__(self, mode: str, tells: str, *, strips: bool) -> None:
        self.session = caller(mode)
        self.making = lambda: Service(mode, tells, strips)
        self.service: Service | None = None
        self.written = ""
        self.unsaid = ""  # what was cleared
        self.chunks: list[Chunk] = []
        self.error: errors.EngineError | None = None
        self.attach()

    def attach(self) -> None:
        if self.service is None:
            self.service = self.making()
            self.tell(self.session.begin())

    def tell(self, events: list[Event]) -> None:
        if self.session.wanted and not self.session.attached and self.error is None:
            self.attach()
        elif self.service is not None and self.session.attached:
            for event in events:
                self.service.hear(event)

    def write(self, text: str) -> None:
        self.written += text
        self.tell(self.session.write(text))

    def hear(self) -> None:
        if self.service is not None and self.service.says and self.error is None:
            self.session.receive(self.service.says.popleft())

    def cut(self) -> None:
        if self.service is None or self.error is not None:
            return
        self.service = None
        try:
            self.session.lost(GONE)
        except errors.EngineError as error:
            self.error = error
            return
        self.tell([])

    def take(self, lead: float = 0.0) -> None:
        chunk = self.session.take(lead)
        if chunk is not None:
            assert chunk.offset == sum(other.samples for other in self.chunks)
            self.chunks.append(chunk)

    def finish(self) -> None:
        """Say that no more comes, and hear all that there is."""
        self.tell(self.session.end())
        for _ in range(10_000):
            if self.session.finished or self.error is not None:
                break
            assert self.service is not None
            self.service.work(3, [1])
            self.hear()
        else:
            raise AssertionError("the session never finishes")
        self.chunks += drain(self.session, 9.0)


EVENTS = [row.event for row in TABLE if row.sender == "server"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "status", "usage", "characters", "code", "message", "error"]), inner)
    ),
    max_leaves=6,
)
WORDS = st.lists(st.sampled_from(["one", "two,", "drei", "四五。", "6!", "x"]), min_size=1, max_size=4)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), WORDS),
        st.tuples(st.just("work"), st.tuples(st.integers(1, 4), st.lists(st.integers(1, 3), min_size=1, max_size=3))),
        st.tuples(st.just("hear"), st.integers(1, 12)),
        st.tuples(st.just("take"), st.sampled_from([0.0, 9.0])),
        st.tuples(st.just("commit"), st.none()),
        st.tuples(st.just("cut"), st.none()),
    ),
    min_size=4,
    max_size=40,
)


def play(steps: list[tuple[str, Any]], mode: str, tells: str, *, strips: bool) -> Play:
    scene = Play(mode, tells, strips=strips)
    count = 0
    for what, how in steps:
        if what == "write":
            for word in how:  # numbered, so that no two of them are alike
                count += 1
                scene.write(f"{count}{word} ")
        elif what == "work" and scene.service is not None:
            scene.service.work(*how)
        elif what == "hear":
            for _ in range(how):
                scene.hear()
        elif what == "take":
            scene.take(how)
        elif what == "commit":
            scene.tell(scene.session.commit())
        elif what == "cut":
            scene.cut()
    return scene


class TestSurvival:
    """Whatever is cut when: no word twice, none left out, or an error that knows how far it came."""

    @given(
        steps=STEPS,
        mode=st.sampled_from(["server_commit", "commit"]),
        tells=st.sampled_from(["span", "count", "nothing"]),
        strips=st.booleans(),
    )
    @settings(max_examples=600)
    def test_words_heard_are_words_written(
        self, *, steps: list[tuple[str, Any]], mode: str, tells: str, strips: bool
    ) -> None:
        """Any service, any writing, any taking, any cuts: what is heard is what was written, in its order, once."""
        scene = play(steps, mode, tells, strips=strips)
        scene.finish()
        said, words = bare(heard(scene.chunks)), bare(scene.written)
        if scene.error is None:
            assert said == words
            return
        assert words.startswith(said)
        if isinstance(scene.error, SpeechCut):
            start, end = scene.error.delivered
            assert start == 0
            assert said.startswith(bare(scene.written[:end]))
            assert "cut" not in [what for what, _ in steps] or scene.error.code == "speech_cut"

    @given(
        steps=STEPS,
        mode=st.sampled_from(["server_commit", "commit"]),
        tells=st.sampled_from(["span", "count"]),
        strips=st.booleans(),
    )
    @settings(max_examples=300)
    def test_a_listener_who_lags_loses_nothing(
        self, *, steps: list[tuple[str, Any]], mode: str, tells: str, strips: bool
    ) -> None:
        """Who always has enough to hear takes only whole pieces, and no cut then ends in an error but too many.

        But where the count of characters leaves more than one place open, nobody can know what to say anew.
        """
        lagging = [(what, 9.0 if what == "take" else how) for what, how in steps]
        scene = play(lagging, mode, tells, strips=strips)
        scene.finish()
        if isinstance(scene.error, SpeechCut):
            assert (tells, mode) == ("count", "server_commit")
            assert "does not tell" in scene.error.message
        if scene.error is None:
            assert bare(heard(scene.chunks)) == bare(scene.written)

    @given(STEPS, st.sampled_from(["server_commit", "commit"]), st.sampled_from(["span", "count", "nothing"]), STEPS)
    @settings(max_examples=300)
    def test_after_a_cancel_no_old_chunk_comes(
        self, before: list[tuple[str, Any]], mode: str, tells: str, after: list[tuple[str, Any]]
    ) -> None:
        """What was written before a cancel is not heard after it, and all that is written after it is."""
        scene = play(before, mode, tells, strips=True)
        if scene.error is not None:
            return
        scene.session.cancel()
        if not scene.session.attached:
            scene.service = None
        start = len(scene.written)
        samples = len(scene.chunks)
        for what, how in after:
            if what == "write":
                scene.write(" ".join(how) + " ")
            elif what == "work" and scene.service is not None:
                scene.service.work(*how)
            elif what == "hear":
                scene.hear()
            elif what == "take":
                scene.take(how)
        scene.finish()
        fresh = scene.chunks[samples:]
        assert bare(heard(fresh)) == bare(scene.written[start:])
        assert all(chunk.span[0] >= start for chunk in fresh if chunk.pcm)

    @given(STEPS, STEPS, st.sampled_from(["span", "count"]), st.sampled_from(["server_commit", "commit"]))
    @settings(max_examples=300)
    def test_a_clear_forgets_nothing_of_what_comes_after(
        self, before: list[tuple[str, Any]], after: list[tuple[str, Any]], tells: str, mode: str
    ) -> None:
        """Text written after a clear is all heard, once; of what was written before it, some, in order, once."""
        scene = play(before, mode, tells, strips=True)
        scene.tell(scene.session.clear())
        start = len(scene.written)
        for what, how in after:
            if what == "write":
                scene.write(" ".join(how) + " ")
            elif what == "work" and scene.service is not None:
                scene.service.work(*how)
            elif what == "cut":
                scene.cut()
            elif what == "hear":
                scene.hear()
        scene.finish()
        if scene.error is not None:
            return
        said, words = bare(heard(scene.chunks)), bare(scene.written[start:])
        assert said.endswith(words)
        assert bare(scene.written[:start]).startswith(said[: len(said) - len(words)])


def begun(session: Caller, text: str = "Hello there.") -> None:
    """A session that was given a text."""
    session.begin()
    session.receive({"type": "session.created", "session": {"id": "sess_1"}})
    session.receive({"type": "session.updated", "session": {}})
    session.write(text)


TAIL = [{"type": "response.audio.done"}, {"type": "response.content_part.done"}, {"type": "response.output_item.done"}]


class TestTolerance:
    """What recordings and documents do not agree on does not matter."""

    @pytest.mark.parametrize("tail", [TAIL, TAIL[::-1], TAIL[1:] + TAIL[:1], []])
    @pytest.mark.parametrize("head", [[created()], [created(), {"type": "response.output_item.added"}], []])
    def test_the_order_of_events_varies(self, head: list[Event], tail: list[Event]) -> None:
        """A response is heard with or without its first events, whatever the order of its last ones."""
        session = caller()
        begun(session)
        for event in [*head, delta(pcm_of("Hello there.")), *tail, done(characters=12, total_tokens=39)]:
            session.receive(event)
        chunks = drain(session, 9.0)
        assert heard(chunks) == "Hello there."
        assert [chunk.final for chunk in chunks] == [True]
        assert chunks[0].facts is not None
        assert (chunks[0].facts.characters, chunks[0].facts.request_id) == (12, "resp_1")

    @pytest.mark.parametrize(
        "event",
        [
            {"type": "who.knows"},
            {"type": "response.audio.delta", "response_id": "resp_0", "delta": None},
            {"type": "response.done", "response": None},
            {"type": "session.created", "session": []},
            {"type": "session.finished"},
            {"type": "input_text_buffer.committed"},
            {"type": "input_text_buffer.cleared", "item_id": 7},
            {"type": "response.audio.done"},
        ],
    )
    def test_odd_events_do_no_harm(self, event: Event) -> None:
        """Events that are not known, come at no time, or lack what they should hold, change no sound."""
        session = caller()
        begun(session)
        session.receive(event)
        for said in [delta(pcm_of("Hello there.")), done(characters=12)]:
            session.receive(said)
        assert heard(drain(session)) == "Hello there."

    @pytest.mark.parametrize("size", [1, 7, 43, 44, 45, 1000])
    def test_a_header_is_no_sound(self, size: int) -> None:
        """A WAV header at the beginning of a response is left out, however the deltas are cut, also with pcm."""
        session = caller()
        begun(session)
        file = wav(pcm_of("Hello there."), 24_000)
        for at in range(0, len(file), size):
            session.receive(delta(file[at : at + size]))
        session.receive(done(characters=12))
        assert heard(drain(session)) == "Hello there."

    def test_a_missing_end_of_a_response_is_made_up_for(self) -> None:
        """The next response, or the end of the session, ends one whose end was not told; stragglers are left out."""
        session = caller()
        begun(session, "One. Two.")
        session.end()
        session.receive(delta(pcm_of("One."), "resp_1"))
        session.receive(created("resp_2"))
        session.receive(delta(pcm_of("late"), "resp_1"))
        session.receive(delta(pcm_of("Two."), "resp_2"))
        session.receive({"type": "session.finished"})
        chunks = drain(session, 9.0)
        assert session.finished
        assert heard(chunks) == "One.Two."
        assert [chunk.final for chunk in chunks] == [True, True]

    @pytest.mark.parametrize("sound", ["%%%", 7, ["x"]])
    def test_sound_that_is_none(self, sound: object) -> None:
        """Sound that is not Base64 makes the socket useless, and another one may do."""
        session = caller()
        begun(session)
        with pytest.raises(errors.BadReply) as caught:
            session.receive({"type": "response.audio.delta", "delta": sound})
        assert session.lost(caught.value) > 0
        assert [event["type"] for event in session.begin()] == ["session.update", "input_text_buffer.append"]

    def test_another_sample_rate(self) -> None:
        """Sound at another rate than was asked for is not passed off as right."""
        session = caller()
        begun(session)
        with pytest.raises(errors.BadReply):
            session.receive(delta(wav(pcm_of("Hello there."), 16_000)))

    @given(
        st.dictionaries(
            st.sampled_from(["response", "response_id", "delta", "text_span", "session", "error"]), ANYTHING
        )
    )
    def test_no_event_breaks_it(self, fields: dict[str, Any]) -> None:
        """Whatever stands in an event's fields: it is used, passed over, or told as an error of ours."""
        for kind in [*EVENTS, "error"]:
            session = caller()
            begun(session)
            with contextlib.suppress(errors.LinereadError):
                session.receive(fields | {"type": kind})
            drain(session)


class TestErrors:
    """What the service says of errors is told as what it is."""

    @pytest.mark.parametrize(
        ("said", "error", "code"),
        [
            ({"code": "invalid_value", "message": "The requested voice 'x' is not supported."}, errors.VoiceError, ""),
            ({"code": "CLIENT_ERROR", "message": "[qwen-tts:]Engine return error code: 411"}, errors.VoiceError, ""),
            ({"code": "InvalidApiKey", "message": "no", "type": "x"}, errors.Unauthorized, "unauthorized"),
            ({"code": "Throttling.RateQuota", "message": "slow"}, errors.Throttled, "throttled"),
            ({"code": "DataInspectionFailed"}, errors.Refused, "content_refused"),
            ({"code": "InternalError"}, errors.ServiceFailed, "service_failed"),
            ({}, errors.ServiceFailed, "service_failed"),
        ],
    )
    def test_error_events(self, said: dict[str, str], error: type[errors.LinereadError], code: str) -> None:
        """With or without a type, an error means what the table of the HTTP interface says; no status is made up."""
        session = caller()
        begun(session)
        with pytest.raises(error) as caught:
            session.receive({"type": "error", "error": said})
        assert caught.value.code == (code or "unknown_voice")
        assert "HTTP" not in caught.value.message

    @pytest.mark.parametrize(
        ("code", "reason", "error"),
        [
            (1011, "To many requests", errors.Throttled),
            (
                1011,
                "Too many requests. Your requests are being throttled due to system capacity limits.",
                errors.Throttled,
            ),
            (1007, "Throttling.RateQuota", errors.Unreachable),
            (1000, "", errors.Unreachable),
            (None, "", errors.Unreachable),
        ],
    )
    def test_closes(self, code: int | None, reason: str, error: type[errors.EngineError]) -> None:
        """A close amid a session is throttling where it says so, else a lost connection; both may pass."""
        said = closing(code, reason, "host")
        assert type(said) is error
        assert said.retryable

    def test_what_will_not_pass_is_not_tried_again(self) -> None:
        """An error that stays ends the session at once, and tells how far it came."""
        session = caller()
        begun(session, "One. Two.")
        for event in [delta(pcm_of("One.")), done(characters=4)]:
            session.receive(event)
        with pytest.raises(errors.Unauthorized, match="up to character 4 "):
            session.lost(errors.Unauthorized("No."))

    def test_a_failed_response_is_spoken_again(self) -> None:
        """A response that the service broke off goes to another socket whole, and is heard once."""
        session = caller()
        begun(session)
        session.receive(delta(pcm_of("Hello")))
        with pytest.raises(errors.ServiceFailed) as caught:
            session.receive(done(status="failed"))
        assert session.lost(caught.value) > 0
        assert drain(session) == []
        assert session.begin()[1]["text"] == "Hello there."


class TestWhichTextWasSpoken:
    """Where the service tells no text, the count or the commit does; where neither does, nothing is guessed."""

    def one_spoken(self, text: str, said: str, mode: str = "server_commit", **usage: int) -> Caller:
        session = caller(mode)
        begun(session, text)
        session.commit()
        for event in [created(), delta(pcm_of(said)), done(**usage)]:
            session.receive(event)
        return session

    @pytest.mark.parametrize(
        ("text", "characters", "rest"),
        [
            ("One. Two.", 4, " Two."),
            ("One. Two.", 5, "Two."),
            (" One. Two.", 4, " Two."),  # the space before it was not billed
            ("四五。六。", 5, "六。"),
            ("Anything at all", 15, None),
        ],
    )
    def test_the_count_tells_it(self, text: str, characters: int, rest: str | None) -> None:
        """The text ends where the billed characters end, whether or not white space is billed."""
        session = self.one_spoken(text, "x", characters=characters)
        assert session.lost(GONE) == (0 if rest is None else LOSS_WAIT)
        assert [event["text"] for event in session.begin() if "text" in event] == [rest] * (rest is not None)

    @pytest.mark.parametrize("usage", [{}, {"characters": 2}, {"characters": 99}])
    def test_nothing_is_guessed(self, usage: dict[str, int]) -> None:
        """Without a count, or with one that ends within a word, a lost socket is an error that promises nothing."""
        session = self.one_spoken("One. Two.", "One.", **usage)
        with pytest.raises(SpeechCut) as caught:
            session.lost(GONE)
        assert caught.value.delivered == (0, 0)
        assert not caught.value.retryable

    def test_an_ambiguous_count_is_not_believed(self) -> None:
        """Where it depends on the white space that is billed which words were spoken, nobody says one of them twice."""
        session = self.one_spoken("One one. Two two. A. Three.", "x", characters=18)
        with pytest.raises(SpeechCut) as caught:
            session.lost(GONE)
        assert caught.value.delivered == (0, 0)

    @pytest.mark.parametrize("usage", [{}, {"characters": 2}, {"characters": 8}, {"characters": 9}])
    def test_a_commit_tells_it(self, usage: dict[str, int]) -> None:
        """In commit mode a response speaks a commit, and a lost socket loses nothing of the next one."""
        session = self.one_spoken("One. Two.", "One. Two.", "commit", **usage)
        session.write("Three.")
        session.commit()
        session.lost(GONE)
        events = session.begin()
        assert [event.get("text", event["type"]) for event in events[1:]] == ["Three.", "input_text_buffer.commit"]

    def test_text_that_a_server_passes_over_is_not_said_again(self) -> None:
        """What a known response has left out of its commit was refused there, and is not tried on another socket."""
        session = caller("commit")
        begun(session, "One. 二。")
        session.commit()
        for event in [created(), delta(pcm_of("One."), text_span=[0, 5]), done(characters=5)]:
            session.receive(event)
        assert session.lost(GONE) == 0
        assert not session.wanted

    @pytest.mark.parametrize("told", [{}, {"text_span": [0, 9]}])
    def test_a_response_to_what_was_cleared_before_it(self, told: dict[str, Any]) -> None:
        """The service had begun it when the clear came: what was heard of it is not called spoken whole."""
        session = caller()
        begun(session, "One. Two.")
        session.clear()
        session.write("Three.")
        for event in [{"type": "input_text_buffer.cleared"}, created(), delta(pcm_of("On"), **told)]:
            session.receive(event)
        assert [chunk.span[0] for chunk in drain(session)] == [0]
        with pytest.raises(SpeechCut) as caught:
            session.lost(GONE)
        assert caught.value.delivered == (0, 0)

    def test_what_was_cleared_is_not_taken_for_what_came_after(self) -> None:
        """As many characters of the one as of the other prove nothing."""
        session = caller()
        begun(session, "One. ")
        session.clear()
        session.write("Two. ")
        for event in [{"type": "input_text_buffer.cleared"}, created(), delta(pcm_of("One.")), done(characters=5)]:
            session.receive(event)
        with pytest.raises(SpeechCut):
            session.lost(GONE)

    def test_what_was_cleared_amid_a_response_is_not_counted(self) -> None:
        """After a clear the count begins with the text that came after it."""
        session = caller()
        begun(session, "One. Two.")
        session.receive(created("resp_1"))
        session.receive(delta(pcm_of("One."), "resp_1"))
        session.clear()
        session.write("Six. Seven.")
        for event in [{"type": "input_text_buffer.cleared"}, done("resp_1", characters=4)]:
            session.receive(event)
        for event in [created("resp_2"), delta(pcm_of("Six."), "resp_2"), done("resp_2", characters=4)]:
            session.receive(event)
        assert [chunk.span for chunk in drain(session) if chunk.final] == [(0, 4), (9, 13)]
        session.lost(GONE)
        assert [event.get("text") for event in session.begin()[1:]] == [" Seven."]

    @pytest.mark.parametrize("mode", ["server_commit", "commit"])
    def test_a_clear_after_the_end(self, mode: str) -> None:
        """Text that nobody has begun is taken back; where the writer commits, the end was the commit of all of it."""
        session = caller(mode)
        begun(session, "One. Two.")
        session.end()
        assert [event["type"] for event in session.clear()] == ["input_text_buffer.clear"] * (mode == "server_commit")
        session.receive({"type": "input_text_buffer.cleared"})
        assert session.wanted == (mode == "commit")
        session.receive({"type": "session.finished"})
        assert session.finished

    def test_a_clear_after_the_end_between_two_sockets(self) -> None:
        """There is nothing left to say, so none is made."""
        session = caller()
        begun(session, "One. Two.")
        session.end()
        session.lost(GONE)
        assert session.clear() == []
        assert session.finished

    def test_a_clear_that_comes_too_late(self) -> None:
        """A service that takes no clear after the finish speaks the text, and that is that."""
        session = caller()
        begun(session, "One.")
        session.end()
        session.clear()
        late = {"type": "error", "error": {"code": "invalid_value", "message": "finishing"}}
        for event in [late, delta(pcm_of("One.")), done(characters=4), {"type": "session.finished"}]:
            session.receive(event)
        assert session.finished
        assert heard(drain(session)) == "One."

    def test_a_cancel_drops_what_waits(self) -> None:
        """Sound that nobody has taken is gone with a cancel, also where nothing is left to be spoken."""
        session = self.one_spoken("One.", "One.", characters=4)
        assert session.cancel() == []
        assert session.attached
        assert session.take() is None
        assert session.queued == 0


class TestDelivery:
    """What is held back, and what counts as delivered."""

    def test_an_unfinished_piece_is_held_back_from_who_has_enough(self) -> None:
        """With a second to hear nothing of an unfinished response is given; with less, its chunks are, one by one."""
        session = caller()
        begun(session)
        session.receive(delta(pcm_of("Hello")))
        assert session.take(1.0) is None
        assert session.take(0.99) is not None
        session.receive(delta(pcm_of(" there.")))
        assert session.take(1.0) is None
        session.receive(done(characters=12))
        last = session.take(1.0)
        assert last is not None
        assert last.final

    def test_known_pieces_are_given_one_by_one(self) -> None:
        """Where the service tells the text, a piece is whole as soon as the next one begins."""
        session = caller()
        begun(session, "One. Two.")
        session.receive(delta(pcm_of("One."), text_span=[0, 5]))
        assert session.take(9.0) is None
        session.receive(delta(pcm_of("Two."), text_span=[5, 9]))
        chunk = session.take(9.0)
        assert chunk is not None
        assert chunk.span == (0, 5)
        session.lost(GONE)
        assert [event.get("text") for event in session.begin()] == [None, "Two."]

    @pytest.mark.parametrize("lead", [0.0, 9.0])
    def test_what_was_spoken_whole_was_heard_whole(self, lead: float) -> None:
        """What an error says to be spoken is what ``heard`` has, also where the response was broken off after it."""
        session, hearing = caller(), Hearing()
        begun(session, text := "Hello there. Never this.")
        hearing.wrote(text)
        chunks = []
        for event in [
            delta(pcm_of("Hello"), text_span=[0, 12]),
            delta(pcm_of(" there."), text_span=[0, 12]),
            delta(pcm_of("Nev"), text_span=[13, 24]),
        ]:
            session.receive(event)
            chunks += drain(session, lead) if event["text_span"] == [0, 12] else []
        with pytest.raises(errors.Unauthorized, match=r"up to character 12 "):
            session.lost(errors.Unauthorized("No."))
        chunks += drain(session, 9.0)
        for chunk in chunks:
            hearing.delivered(chunk)
        assert hearing.at(math.inf)[:2] == ("Hello there.", 12)
        assert sum(chunk.facts.characters for chunk in chunks if chunk.facts) == 12

    def test_the_facts_of_segments_add_up_to_those_of_their_response(self) -> None:
        """Each segment that is known has its own, and only the last one ends the response."""
        session = caller()
        begun(session, "One. Two. Three.")
        for at, text in ((0, "One."), (5, "Two."), (10, "Three.")):
            session.receive(delta(pcm_of(text), text_span=[at, at + len(text)]))
        for event in [{"type": "response.audio.done"}, done(characters=14)]:
            session.receive(event)
        chunks = [chunk for chunk in drain(session, 9.0) if chunk.facts]
        assert [chunk.facts.characters for chunk in chunks if chunk.facts] == [4, 4, 6]
        assert [chunk.final for chunk in chunks] == [False, False, True]

    def test_too_much_is_not_held_back(self) -> None:
        """More than half a minute of an unfinished response is given to anybody."""
        session = caller()
        begun(session)
        for _ in range(31):
            session.receive(delta(bytes(48_000)))
        assert len(drain(session, 9.0)) == 2

    def test_losses_in_a_row_come_to_an_end(self) -> None:
        """After so many sockets without a word spoken the reason is raised; a word spoken in between starts anew."""
        session = caller()
        begun(session, "One. Two.")
        waits = [session.lost(GONE) for _ in range(LOSSES)]
        assert waits == sorted(waits)
        assert max(waits) == 2
        assert 9 < sum(waits) < 11  # seconds: a server that is started anew needs some
        session.begin()
        for event in [{"type": "session.updated"}, delta(pcm_of("One.")), done(characters=4)]:
            session.receive(event)
        for _ in range(LOSSES):
            session.lost(GONE)
        with pytest.raises(errors.Unreachable):
            session.lost(GONE)

    def test_deadlines_that_pass_try_patience_sooner(self) -> None:
        """A service that is silent each time has been waited for already: it is given up after fewer sockets."""
        session = caller()
        begun(session, "One.")
        for _ in range(LOSSES // 2):
            session.lost(errors.TimedOut("Silence.", retryable=True))
        with pytest.raises(errors.TimedOut):
            session.lost(errors.TimedOut("Silence.", retryable=True))

    def test_nothing_to_say_needs_no_socket(self) -> None:
        """A socket that is lost after all was spoken is not missed, until there is text again."""
        session = caller()
        begun(session, "One. ")
        for event in [delta(pcm_of("One.")), done(characters=4)]:
            session.receive(event)
        assert session.lost(GONE) == 0
        assert not session.wanted
        session.write("Two.")
        assert session.wanted
        assert [event.get("text") for event in session.begin()] == [None, " Two."]

    def test_half_a_character_is_refused(self) -> None:
        """A lone surrogate is told to the writer, and nothing of it is sent."""
        session = caller()
        with pytest.raises(errors.TextError):
            session.write("a\ud800")
        assert session.write("b") == []
        assert not session.unspoken - 1
