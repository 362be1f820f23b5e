"""The server's end of a session: the recorded order and shapes, and what holds whatever a client sends.

The properties, each stated again where it is proved:

    - No message raises. What is sent is in an order that the machine at the client's end lets pass.
    - The text of every append is handed over once, in order, or is refused with an error, or was cleared.
    - Responses are well nested, and the events of one have its ids.
    - After a finish and the end of the link there is one session.finished, and nothing after it.
    - A delta's span, in the text as appended, is what its sound speaks; what is billed is what was spoken.
"""

from __future__ import annotations

import base64
import json
import random
import re
from collections import deque
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineread.errors import (
    EngineError,
    Leaving,
    LimitReached,
    LinereadError,
    ModelError,
    OptionError,
    QuotaExceeded,
    Throttled,
    Unauthorized,
    VoiceError,
)
from lineread.speech import Chunk, LiveRequest, Span, billed_characters
from lineread.wire.realtime.answerer import (
    Answerer,
    Cancel,
    Clear,
    Commit,
    End,
    Limits,
    SetUp,
    Step,
    Write,
)
from lineread.wire.realtime.events import Ids, encode
from lineread.wire.realtime.machine import EMPTY_COMMIT, LATE_UPDATE, NO_MORE_TEXT, Machine

DEFAULTS = LiveRequest("Cherry", model="qwen3-tts-flash-realtime")
Event = dict[str, Any]


def message(kind: str, **fields: Any) -> str:
    return encode({"event_id": "event_1", "type": kind, **fields})


def update(**session: Any) -> str:
    return message("session.update", session=session)


def append(text: Any) -> str:
    return message("input_text_buffer.append", text=text)


COMMIT = message("input_text_buffer.commit")
CLEAR = message("input_text_buffer.clear")
CANCEL = message("response.cancel")
FINISH = message("session.finish")


def check(request: LiveRequest) -> LiveRequest:
    """A desk that knows three voices."""
    if request.voice not in ("Cherry", "Ethan", "Serena"):
        raise VoiceError(f"There is no voice {request.voice!r}.", remedy="`lineread voices` lists all 48.")
    return replace(request, language_type=request.language_type.capitalize())


def answering(request: LiveRequest = DEFAULTS, **changes: Any) -> Answerer:
    options: dict[str, Any] = {"check": check, "ids": Ids(random.Random(7))} | changes
    return Answerer(request, **options)


def opened(*messages: str, **changes: Any) -> Answerer:
    answerer = answering(**changes)
    answerer.open()
    for each in messages:
        answerer.receive(each)
    return answerer


def chunk(span: Span, *, seconds: float = 0.1, final: bool = False) -> Chunk:
    return Chunk(bytes(2 * round(24_000 * seconds)), 24_000, 0, span, final=final)


def kinds(steps: list[Any]) -> list[Any]:
    """Types of events, and commands as they are."""
    return [each["type"] if isinstance(each, dict) else each for each in steps]


def error_of(steps: list[Step]) -> Event:
    (event,) = steps
    assert isinstance(event, dict)
    assert event["type"] == "error"
    error: Event = event["error"]
    return error


def shape(event: Event) -> Event:
    """An event without the ids that chance made, each of which has the service's form."""
    text = encode(event)
    return json.loads(re.sub(r'"(event|sess|resp|item)_[A-Za-z0-9]{21}"', r'"\1_"', text))  # type: ignore[no-any-return]


RESPONSE = {"id": "resp_", "object": "realtime.response", "conversation_id": ""}
ITEM = {"id": "item_", "object": "realtime.item", "type": "message", "role": "assistant"}
PLACE = {"response_id": "resp_", "item_id": "item_", "output_index": 0, "content_index": 0}
PART = {"type": "audio", "text": ""}


def test_a_session_is_as_recorded() -> None:
    """A commit session, from its opening to its end: every event, every field, in the recorded order."""
    answerer = answering()
    steps: list[Step] = [*answerer.open()]
    steps += answerer.receive(update(voice="Ethan", mode="commit", language_type="Chinese", sample_rate=24000))
    steps += answerer.receive(append("今天下雨。"))
    steps += answerer.receive(COMMIT)
    steps += answerer.speak(chunk((0, 5), seconds=0.5), bytes(24_000))
    steps += answerer.speak(chunk((5, 5), seconds=0, final=True), b"")
    steps += answerer.receive(FINISH)
    steps += answerer.finished()
    created = {
        "object": "realtime.session",
        "mode": "server_commit",
        "model": "qwen3-tts-flash-realtime",
        "voice": "Cherry",
        "response_format": "pcm",
        "sample_rate": 24000,
        "id": "sess_",
    }
    updated = created | {"mode": "commit", "voice": "Ethan", "language_type": "chinese"}
    delta = PLACE | {"delta": base64.b64encode(bytes(12_000)).decode(), "text_span": [0, 5]}
    done = RESPONSE | {
        "status": "completed",
        "modalities": ["text", "audio"],
        "voice": "Ethan",
        "output": [ITEM | {"status": "completed", "content": [{"type": "audio", "transcript": ""}]}],
        "usage": {"characters": 9},
    }
    item = {"response_id": "resp_", "output_index": 0}
    expected: list[Any] = [
        {"type": "session.created", "session": created},
        SetUp(replace(DEFAULTS, voice="Ethan", mode="commit", language_type="Chinese")),
        {"type": "session.updated", "session": updated},
        {"type": "input_text_buffer.committed", "item_id": ""},
        Write("今天下雨。"),
        Commit(),
        {
            "type": "response.created",
            "response": RESPONSE | {"status": "in_progress", "voice": "Ethan", "output": []},
        },
        {"type": "response.output_item.added"} | item | {"item": ITEM | {"status": "in_progress", "content": []}},
        {"type": "response.content_part.added"} | PLACE | {"part": PART},
        {"type": "response.audio.delta"} | delta,
        {"type": "response.audio.delta"} | delta,
        {"type": "response.audio.done"} | PLACE,
        {"type": "response.content_part.done"} | PLACE | {"part": PART},
        {"type": "response.output_item.done"} | item | {"item": ITEM | {"status": "completed", "content": [PART]}},
        {"type": "response.done", "response": done},
        End(),
        {"type": "session.finished"},
    ]
    expected = [{"event_id": "event_"} | each if isinstance(each, dict) else each for each in expected]
    assert [shape(each) if isinstance(each, dict) else each for each in steps] == expected


class Client:
    """A client, the host and the link of one session, which believe nothing that they did not see.

    It plays steps as a host does, at once or when it comes to it, keeps what passes the socket in a machine of its own,
    and knows what was appended.
    """

    def __init__(self, *, late: bool = False) -> None:
        self.late = late
        self.steps: deque[Step] = deque()
        self.answerer = answering(limits=Limits(append=40, uncommitted=60, session=300), request=DEFAULTS)
        self.machine = Machine()
        self.events: list[Event] = []
        self.mode = "server_commit"
        self.appended = ""  # what the server took
        self.held: list[Span] = []  # what waits for a commit, in the text as appended
        self.due: list[Span] = []  # what is to be handed over
        self.written = ""
        self.places: list[tuple[Span, Span]] = []  # each write: the link's span, the client's
        self.spoken = 0  # how many writes the link is through with
        self.billed = 0
        self.failures = 0
        self.linked = self.started = self.ended = self.broken = self.responding = False
        self.send(self.answerer.open())

    def send(self, events: list[Any]) -> None:
        for event in events:
            assert self.machine.see("server", event["type"]) == "passes", event["type"]
            self.events.append(event)

    def receive(self, raw: str | bytes) -> None:
        try:
            event = json.loads(raw)
        except ValueError:
            event = None
        kind = event.get("type") if isinstance(event, dict) else None
        if isinstance(kind, str) and isinstance(raw, str):
            self.machine.see("client", kind)
        steps = self.answerer.receive(raw)
        self.expect(kind, event, kinds(steps))
        self.steps += steps
        if not self.late:
            self.work()
        if kind == "session.update" and "session.updated" in kinds(steps):
            self.mode = self.answerer.request.mode

    def expect(self, kind: str | None, event: Any, answer: list[Any]) -> None:
        """What the text of the event is due for, unless it is refused."""
        if "error" in answer or self.answerer.over:
            return
        if kind == "input_text_buffer.append" and not self.broken:
            self.started = True
            span = (len(self.appended), len(self.appended) + len(event["text"]))
            self.appended += event["text"]
            (self.held if self.mode == "commit" else self.due).append(span)
        if kind == "input_text_buffer.clear":
            self.held.clear()
        if kind in ("input_text_buffer.commit", "session.finish") and not self.broken:
            if self.held:
                self.due.append((self.held[0][0], self.held[-1][1]))
            self.held.clear()

    def work(self, most: int = 1000) -> None:
        """Take some of the steps that wait."""
        for _ in range(min(most, len(self.steps))):
            self.play(self.steps.popleft())

    def play(self, step: Step) -> None:
        if not self.linked and not isinstance(step, dict | SetUp):
            assert self.failures, "a command before the link is there"
            return
        match step:
            case dict():
                self.send([] if self.machine.over else [step])
            case SetUp():
                self.linked = True
            case Write(text):
                self.due = [span for span in self.due if span[0] < span[1]]
                span = self.due.pop(0)
                assert text == self.appended[slice(*span)]
                assert not self.ended
                self.places.append(((len(self.written), len(self.written) + len(text)), span))
                self.written += text
            case Clear():
                pass
            case Cancel():
                self.spoken = len(self.places)
                self.responding = False
                self.send(self.answerer.cancelled())
            case End():
                self.ended = True

    def tick(self, *, held_back: bool, final: bool) -> None:
        """The link speaks the next thing that was written, or ends its response."""
        if self.broken or self.machine.over or not self.linked:
            return
        if self.spoken < len(self.places):
            inner, outer = self.places[self.spoken]
            self.spoken += 1
            said = chunk(inner, final=final)
            # A segment is spoken in many chunks; each has the whole segment's span.
            events = self.answerer.speak(replace(said, final=False), b"" if held_back else said.pcm)
            events += self.answerer.speak(said, said.pcm)
            self.billed += billed_characters(self.written[slice(*inner)])
            for event in events:
                if event["type"] == "response.audio.delta":
                    assert tuple(event["text_span"]) == outer
            self.responding = not final
            self.send(events)
        elif self.responding:
            self.responding = False
            self.send(self.answerer.speak(chunk((len(self.written),) * 2, seconds=0, final=True), b""))

    def break_(self) -> None:
        """The link fails."""
        if self.linked and not self.machine.over:
            events = self.answerer.failed(EngineError("Lost.", remedy="Try again."))
            self.broken = self.started or self.ended
            self.linked = self.responding = False
            self.failures += 1
            self.send(events)
            self.steps = deque(step for step in self.steps if isinstance(step, dict))

    def leave(self) -> None:
        """Finish, hear the rest, and then go on as if nothing had been said."""
        self.receive(FINISH)
        self.work()
        assert not (self.broken and self.linked)
        while self.linked and (self.spoken < len(self.places) or self.responding):
            self.tick(held_back=False, final=self.spoken == len(self.places) - 1)
        if self.linked:
            self.send(self.answerer.finished())
        for each in (append("more"), COMMIT, CANCEL, FINISH, update(voice="Ethan"), "{"):
            assert self.answerer.receive(each) == []
        assert self.answerer.finished() == self.answerer.cancelled() == []
        assert self.answerer.failed(EngineError("Late.")) == []

    def kinds(self) -> str:
        return " ".join(event["type"] for event in self.events) + " "


TEXTS = st.sampled_from(["", " ", "a", "Hello there. ", "今天下雨。", "x" * 41, "\ud83d", "é" * 25])
VALID = st.one_of(
    TEXTS.map(append),
    st.sampled_from([COMMIT, COMMIT, CLEAR, CANCEL]),
    st.sampled_from([update(mode="commit"), update(voice="Ethan", mode="server_commit"), update(voice="Nobody")]),
)
INVALID = st.one_of(
    st.sampled_from([None, 1, ["a"], {}]).map(append),
    st.sampled_from([message("session.update"), update(sample_rate=1), update(mode=[]), message("input_audio_buffer")]),
    st.text(max_size=20),
    st.binary(max_size=20),
    st.sampled_from(["[]", "{}", "null", '{"type":7}', append("a").encode()]),
)
TICK = st.fixed_dictionaries({"held_back": st.booleans(), "final": st.booleans()})
ACTIONS = st.one_of(VALID, VALID, INVALID, TICK, TICK, st.sampled_from([FINISH, "break", "work", "work"]))
#: One response's events, with others in between.
RESPONSE_EVENTS = re.compile(
    r"response\.created response\.output_item\.added response\.content_part\.added (response\.audio\.delta )*"
    r"response\.audio\.done response\.content_part\.done response\.output_item\.done response\.done "
)


@settings(max_examples=600)
@given(st.booleans(), st.sampled_from([[], [update(mode="commit")]]), st.lists(ACTIONS, max_size=25))
def test_whatever_a_client_sends(late: bool, first: list[str], actions: list[Any]) -> None:  # noqa: FBT001
    """No exception, a legal order, each text once or refused, nested responses, one end and nothing after it."""
    client = Client(late=late)
    for action in [*first, *actions]:
        if isinstance(action, dict):
            client.tick(**action)
        elif action == "break":
            client.break_()
        elif action == "work":
            client.work(2)
        else:
            client.receive(action)
    client.leave()

    assert client.kinds().endswith("session.finished ")
    assert client.kinds().count("session.finished") == 1
    responses = "".join(re.findall(r"response\.\S+ ", client.kinds()))
    assert RESPONSE_EVENTS.sub("", responses) == ""
    assert client.broken or not any(end > start for start, end in client.due), "text was lost"
    done = [event["response"] for event in client.events if event["type"] == "response.done"]
    assert sum(response["usage"]["characters"] for response in done) == client.billed == client.answerer.spoken
    for response in done:
        mine = [event for event in client.events if event.get("response_id") == response["id"]]
        assert {event["item_id"] for event in mine if "item_id" in event} <= {response["output"][0]["id"]}
    ids = [event["event_id"] for event in client.events]
    assert len(set(ids)) == len(ids)
    assert all(encode(event).isascii() for event in client.events)


@pytest.mark.parametrize(
    ("sent", "code", "words"),
    [
        ([update(voice="Nobody")], "invalid_value", "The requested voice 'Nobody' is not supported. GET /v1/audio"),
        ([append("Hi."), update(voice="Ethan")], *LATE_UPDATE),
        ([COMMIT], *EMPTY_COMMIT),
        ([append(""), COMMIT], *EMPTY_COMMIT),
        ([append("Hi."), CLEAR, COMMIT], *EMPTY_COMMIT),
        ([append("Hi."), COMMIT, COMMIT], *EMPTY_COMMIT),
        ([append("Hi."), FINISH, append("more")], *NO_MORE_TEXT),
        ([message("input_audio_buffer.append", audio="")], "invalid_value", "No client sends an event of that type."),
        ([message("response.done")], "invalid_value", "No client sends an event of that type."),
        (["{"], "invalid_value", "The message is not JSON."),
        ([b"{}"], "invalid_value", "Binary frames are not taken."),
        ([message("session.update")], "invalid_value", "session has another type than it should."),
        ([update(mode="manual")], "invalid_value", "session.mode has a value that it cannot have. Choose one of"),
        ([message("input_text_buffer.append")], "invalid_value", "text is missing."),
        ([append("x" * 11)], "invalid_value", "The text is longer than 10 characters."),
        ([append("x" * 10)] * 4, "invalid_value", "A session takes 30 characters."),
        ([update(mode="commit"), *[append("x" * 10)] * 3], "invalid_value", "More than 20 characters would wait"),
    ],
)
def test_what_is_refused_is_said_and_the_session_goes_on(sent: list[Any], code: str, words: str) -> None:
    """Each mistake has the service's words where they are known, and a type that its SDK does not leave for."""
    answerer = opened(*sent[:-1], limits=Limits(append=10, uncommitted=20, session=30))
    error = error_of(answerer.receive(sent[-1]))
    assert error["code"] == code
    assert error["message"].startswith(words)
    assert error["type"] == "invalid_request_error"
    assert ("event_id" in error) == (isinstance(sent[-1], str) and "event_1" in sent[-1])
    assert not answerer.over
    assert kinds(answerer.receive(CLEAR))[-1] == "input_text_buffer.cleared"


def test_refused_settings_change_nothing_and_can_be_asked_again() -> None:
    """After an unknown voice the settings are the old ones; the next update is taken."""
    answerer = opened(update(voice="Nobody", mode="commit"))
    assert answerer.request == DEFAULTS
    assert kinds(answerer.receive(update(voice="Ethan"))) == [
        SetUp(replace(DEFAULTS, voice="Ethan")),
        "session.updated",
    ]


def test_defaults_are_checked_with_the_first_text() -> None:
    """Without an update the link is set up with the first text; a default that cannot be had refuses that text."""
    assert kinds(opened().receive(append("Hi."))) == [SetUp(DEFAULTS), Write("Hi.")]
    answerer = opened(request=replace(DEFAULTS, voice="Nobody"))
    assert "'Nobody'" in error_of(answerer.receive(append("Hi.")))["message"]
    assert kinds(answerer.receive(update(voice="Ethan")))[-1] == "session.updated"
    assert answerer.receive(append("Hi.")) == [Write("Hi.")]


def test_a_session_without_text_needs_no_link() -> None:
    """Finish at once is answered at once: nobody has to load a voice for it."""
    assert kinds(opened().receive(FINISH)) == ["session.finished"]


def test_text_that_is_too_much_is_refused() -> None:
    """Whoever counts the text hears of it once, when it is appended; what it refuses is not written."""
    taken: list[str] = []

    def take(text: str) -> None:
        if len("".join(taken)) + len(text) > 5:
            raise LimitReached("Enough for today.")
        taken.append(text)

    answerer = opened(update(mode="commit"), append("Hi. "), take=take)
    assert error_of(answerer.receive(append("More.")))["type"] == "insufficient_quota"
    assert answerer.receive(COMMIT)[1:] == [Write("Hi. "), Commit()]
    assert taken == ["Hi. "]


def test_a_model_that_is_not_to_be_had() -> None:
    """It is told once at the beginning, and with each text that is refused for it; other settings wait for theirs."""

    def refuse(request: LiveRequest) -> LiveRequest:
        raise (ModelError if request.model == "nope" else VoiceError)("No.")

    answerer = answering(replace(DEFAULTS, model="nope"), check=refuse)
    assert kinds([*answerer.open()]) == ["session.created", "error"]
    assert kinds(answerer.receive(append("One."))) == ["error"]
    assert kinds(answerer.receive(FINISH)) == ["session.finished"]
    assert kinds([*answering(check=refuse).open()]) == ["session.created"]


def test_facts_that_come_after_their_sound_move_no_text() -> None:
    """A chunk that brings nothing but facts adds nothing to the text that the next sound is said to speak."""
    answerer = opened(append("One. Two."))
    answerer.speak(chunk((0, 4)), b"ab")
    assert answerer.speak(chunk((0, 4), seconds=0), b"") == []
    (delta,) = answerer.speak(chunk((5, 9)), b"ab")
    assert delta["text_span"] == [5, 9]


def test_text_that_the_link_refuses_is_told() -> None:
    """It is an error, and a response in progress and the session go on."""
    answerer = opened(append("Hello there."))
    answerer.speak(chunk((0, 6)), b"ab")
    assert answerer.refused(OptionError("It speaks no Thai."))["error"]["code"] == "invalid_value"
    assert kinds(answerer.speak(chunk((6, 12)), b"ab")) == ["response.audio.delta"]


def test_text_waits_for_its_commit() -> None:
    """In commit mode text is handed over by a commit, in one piece; a cancel leaves alone what was not committed."""
    answerer = opened(update(mode="commit"))
    assert answerer.receive(append("One, ")) == []
    assert answerer.receive(append("two. ")) == []
    assert kinds(answerer.receive(COMMIT)) == ["input_text_buffer.committed", Write("One, two. "), Commit()]
    answerer.receive(append("gone "))
    assert kinds(answerer.receive(CLEAR)) == [Clear(), "input_text_buffer.cleared"]
    answerer.receive(append("Three."))
    assert answerer.receive(CANCEL) == [Cancel()]
    assert answerer.cancelled() == []
    assert answerer.receive(FINISH) == [Write("Three."), End()]
    spans = [event.get("text_span") for event in answerer.speak(chunk((10, 16)), b"ab")]
    assert [15, 21] in spans, "the text as appended has five characters more than the link's"


def test_a_commit_in_server_commit_keeps_the_mode() -> None:
    """There text goes at once, and a commit is told to the link and nothing else."""
    answerer = opened(append("Hi."))
    assert kinds(answerer.receive(COMMIT)) == ["input_text_buffer.committed", Commit()]
    assert answerer.request.mode == "server_commit"


def test_a_cancelled_response_closes_as_incomplete() -> None:
    """All its events come, and say why; the session goes on with a new response."""
    answerer = opened(append("Hello there."))
    answerer.speak(chunk((0, 6)), b"ab")
    assert answerer.receive(CANCEL) == [Cancel()]
    events = answerer.cancelled()
    assert kinds(events) == [
        "response.audio.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ]
    assert events[2]["item"]["status"] == "incomplete"
    response = events[3]["response"]
    assert response["status"] == "incomplete"
    assert response["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert response["usage"] == {"characters": 6}
    assert answerer.receive(append("Again.")) == [Write("Again.")]
    again = answerer.speak(chunk((12, 18), final=True), b"ab")
    assert again[-1]["response"]["id"] != response["id"]
    assert again[-1]["response"]["usage"] == {"characters": 6}


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (Throttled("Slow down.", kind="capacity"), "ModelServingError", "server_error"),
        (Unauthorized("The key sk-1 is wrong.", remedy="Set DASHSCOPE_API_KEY."), "InternalError", "server_error"),
        (EngineError("It did not speak."), "InternalError", "server_error"),
        (LimitReached("Enough."), "Throttling.AllocationQuota", "insufficient_quota"),
        (QuotaExceeded("In debt.", code="account_in_debt"), "Arrearage", "insufficient_quota"),
        (Leaving("It stops."), "ModelUnavailable", "invalid_request_error"),
        (OptionError("This speaks no Thai."), "invalid_value", "invalid_request_error"),
        (ModelError("No such model."), "invalid_value", "invalid_request_error"),
        (LinereadError("Odd."), "InternalError", "server_error"),
    ],
)
def test_a_failure_is_said_in_the_services_words(error: LinereadError, code: str, kind: str) -> None:
    """The error comes first, then the response closes as failed; nothing of the server's own set-up is told."""
    answerer = opened(append("Hello there."))
    answerer.speak(chunk((0, 6)), b"ab")
    events = answerer.failed(error)
    assert kinds(events)[0] == "error"
    assert events[0]["error"]["code"] == code
    assert events[0]["error"]["type"] == kind
    assert "sk-" not in encode(events[0])
    assert "DASHSCOPE" not in encode(events[0])
    assert events[-1]["response"]["status"] == "failed"
    assert events[-1]["response"]["status_details"] == {"type": "failed", "error": events[0]["error"]}
    assert "has failed" in error_of(answerer.receive(append("more")))["message"]
    assert "has failed" in error_of(answerer.receive(COMMIT))["message"]
    assert kinds(answerer.receive(CLEAR)) == ["input_text_buffer.cleared"]
    assert answerer.receive(CANCEL) == []
    assert answerer.speak(chunk((6, 12)), b"ab") == []
    assert kinds(answerer.receive(FINISH)) == ["session.finished"]


def test_a_failure_after_the_finish_is_the_end() -> None:
    """The client waits for nothing but the end, and gets it: error, response, session.finished."""
    answerer = opened(append("Hello there."), FINISH)
    answerer.speak(chunk((0, 6)), b"ab")
    events = answerer.failed(EngineError("Lost."))
    assert kinds(events)[0] == "error"
    assert kinds(events)[-2:] == ["response.done", "session.finished"]
    assert answerer.over
    assert answerer.finished() == []


def test_settings_that_the_link_refuses_can_be_mended() -> None:
    """A link that cannot be opened before any text came leaves the session open for other settings."""
    answerer = opened(update(voice="Ethan"))
    assert kinds(answerer.failed(OptionError("It lacks that."))) == ["error"]
    assert answerer.receive(append("Hi.")) == [SetUp(replace(DEFAULTS, voice="Ethan")), Write("Hi.")]


def test_sound_comes_in_short_events() -> None:
    """No event has more than 0.3 s, no sample is cut in two, and nothing is lost or repeated."""
    answerer = opened(append("Hello there."))
    audio = bytes(range(250)) * 192  # 1 s
    events = answerer.speak(chunk((0, 12), seconds=1), audio)
    pieces = [base64.b64decode(event["delta"]) for event in events if "delta" in event]
    assert b"".join(pieces) == audio
    assert all(len(piece) <= 0.3 * 48_000 and len(piece) % 2 == 0 for piece in pieces)
    assert len(pieces) == 4


def test_text_whose_sound_is_held_back_stands_with_the_next_sound() -> None:
    """An encoder may give nothing for a while: no text goes without a span."""
    answerer = opened(append("Hello there."))
    assert not [event for event in answerer.speak(chunk((0, 6)), b"") if "delta" in event]
    (delta,) = answerer.speak(chunk((6, 8)), b"ab")
    assert delta["text_span"] == [0, 8]
    (delta,) = answerer.speak(chunk((8, 12)), b"ab")
    assert delta["text_span"] == [8, 12]


def test_a_span_may_reach_over_what_was_cleared() -> None:
    """The places of a chunk's ends are each found for itself, also where text between them was never handed over."""
    answerer = opened(update(mode="commit"), append("abc"), COMMIT, append("gone"), CLEAR, append("def"), COMMIT)
    assert answerer.speak(chunk((0, 6)), b"ab")[-1]["text_span"] == [0, 10]
    assert answerer.speak(chunk((3, 6)), b"ab")[-1]["text_span"] == [7, 10]


def test_text_is_billed_once() -> None:
    """Chunks whose spans overlap, or go back, bill each character once; Han characters count two."""
    answerer = opened(append("今天下雨. Go."))
    for span in [(0, 4), (0, 4), (2, 3), (3, 6)]:
        answerer.speak(chunk(span), b"ab")
    done = answerer.speak(chunk((6, 9), final=True), b"ab")[-1]
    assert done["response"]["usage"] == {"characters": 13}


def test_a_link_that_ends_within_a_response_leaves_none_open() -> None:
    """The response closes as incomplete before the session is finished."""
    answerer = opened(append("Hi."), FINISH)
    answerer.speak(chunk((0, 3)), b"ab")
    done, finished = answerer.finished()[-2:]
    assert done["response"]["status"] == "incomplete"
    assert finished["type"] == "session.finished"


def test_a_long_session_keeps_no_spoken_text() -> None:
    """Memory does not grow with what was spoken or cancelled."""
    answerer = opened()
    for turn in range(100):
        answerer.receive(append("x" * 100))
        answerer.speak(chunk((100 * turn, 100 * turn + 100), final=turn % 3 == 0), b"ab")
    answerer.receive(append("never spoken"))
    answerer.receive(CANCEL)
    answerer.cancelled()
    assert answerer._script._text == ""
    assert len(answerer._script._shifts) == 1
