"""The client's end of a session: text to events, events to sound, and what is left to say when a socket is lost.

Owns what a session has asked for and what it has got. Commands give events to send; the server's events become chunks
in a queue, from which a reader takes them one at a time. Only what was taken counts as delivered. When the socket is
lost, what is whole in the queue stays there, what is not is dropped, and the text from there on is given to the next
socket: no word is spoken twice, and none is left out. Where that cannot be (some of an unfinished piece was heard
already, or nobody knows which text was spoken) the session ends in an error that says how far it came. No I/O.

Source: recorded sessions and the service's documentation of mid-2026. They disagree on the order of the events that end
a response and on what these hold, so nothing but the type of an event, its sound and the final count of characters is
relied upon. Which text a response speaks is told by lineread's own server (``text_span``); elsewhere it follows from
the characters that were billed, or from the commit. Nobody says what the service does to cancel a response, so a socket
is not used again after that.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NoReturn

from lineread.errors import (
    BadReply,
    EngineError,
    LinereadError,
    Refused,
    ServiceFailed,
    SpeechCut,
    TextError,
    TimedOut,
    Unreachable,
    VoiceError,
)
from lineread.speech import SAMPLE_WIDTH, Chunk, billed_characters
from lineread.wire import dashscope
from lineread.wire.realtime.events import Ids, encode, write_session
from lineread.wire.realtime.leg import Leg, Piece, Response, Segment, count_of, id_of, part_of, response_id, sound_of
from lineread.wire.realtime.unspoken import Unspoken

if TYPE_CHECKING:
    from collections.abc import Callable

    from lineread.speech import Facts, LiveRequest, Span
    from lineread.wire.realtime.leg import Event, Sound

#: Seconds of sound that a listener shall have: with less, an unfinished piece is not held back.
LEAD: Final = 1.0
#: Seconds of sound that are held back at most.
MOST_HELD: Final = 30.0
#: Sockets that may be lost in a row with nothing spoken in between. One that let a deadline pass counts as several: its
#: listener has waited already.
LOSSES: Final = 7
SLOW_LOSS: Final = 2
#: Seconds to wait after the first one, and at most; doubles in between. In all it is ten: a server starts in that.
LOSS_WAIT: Final = 0.25
LONGEST_LOSS_WAIT: Final = 2.0
#: Characters of one append at most.
LONGEST_APPEND: Final = 2000
#: The fastest speech, in characters a second at the rate 1: an estimate of what a response has spoken so far.
FASTEST: Final = 20.0
#: Characters that are kept of what the service says when it closes.
_LONGEST_REASON: Final = 100


class Caller:
    """One session, as its client sees it, over one socket after another.

    Commands return the events to send, in order. Without a socket there are none: :meth:`begin` gives all that a fresh
    one needs to hear.

    Args:
        request: What is asked for, with everything filled in.
        facts: What goes with the last chunk of each response; the caller adds the service's id and its count.
        sound: Makes what reads the sound of one response.
        hide: Takes what may not show in an error out of what the service says.
        ids: Where the events' ids come from.

    Attributes:
        ready: The socket's server has taken the settings.
        ended: No more text comes.
        finished: All was spoken, and all of it is in the queue.
        queued: Seconds of sound in the queue.
    """

    def __init__(
        self,
        request: LiveRequest,
        facts: Facts,
        *,
        sound: Callable[[], Sound],
        hide: Callable[[str], str] = str,
        ids: Ids | None = None,
    ) -> None:
        self.ready = False
        self.ended = False
        self.finished = False
        self.queued = 0.0
        self._request = request
        self._facts = facts
        self._sound = sound
        self._hide = hide
        self._ids = ids or Ids()
        self._text = Unspoken()
        self._queue: deque[Piece] = deque()
        self._leg: Leg | None = None
        self._samples = 0
        self._losses = 0
        self._handlers: dict[str, Callable[[Leg, Event], None]] = {
            "session.created": self._created,
            "session.updated": self._updated,
            "input_text_buffer.committed": self._committed,
            "input_text_buffer.cleared": self._cleared,
            "response.audio.delta": self._delta,
            "response.audio.done": self._sound_done,
            "response.done": self._done,
            "session.finished": self._finished,
        }

    @property
    def attached(self) -> bool:
        """A socket serves it."""
        return self._leg is not None

    @property
    def wanted(self) -> bool:
        """There is something to say that a socket is needed for."""
        return self._text.voiced(end=None if self._in_one_go or self.ended else self._text.committed)

    @property
    def due(self) -> bool:
        """The service owes something now: the settings' answer, sound, or the end of the session."""
        leg = self._leg
        if leg is None or self.finished:
            return False
        if not self.ready or self.ended or self._text.commits:
            return True
        # Where the service says when text is spoken, it may leave a response open until it gets more of it.
        return leg.response is not None and (not self._in_one_go or self.unspoken > 0)

    @property
    def unspoken(self) -> int:
        """About how many characters are to be spoken yet; what waits for a commit of the writer's is not."""
        end = self._text.end if self._in_one_go else self._text.committed
        spoken = 0.0
        if self._leg is not None and self._leg.response is not None:
            spoken = self._leg.response.seconds * FASTEST * self._request.rate
        return max(0, round(end - self._text.start - spoken))

    def begin(self) -> list[Event]:
        """A socket is there: the events that it needs to hear."""
        self._leg = leg = Leg()
        self.ready = False
        events = [self._event(leg, "session.update", session=write_session(self._request))]
        at = self._text.start
        for place in self._text.commits:
            events += self._append_from(leg, at, place)
            events.append(self._commit(leg))
            at = place
        events += self._append_from(leg, at, self._text.end)
        if self.ended:
            events.append(self._event(leg, "session.finish"))
        return events

    def write(self, text: str) -> list[Event]:
        """Some more text.

        Raises:
            TextError: It holds half a character.
        """
        try:
            text.encode()
        except UnicodeEncodeError:
            raise TextError(
                "The text holds half a character (a lone surrogate).", remedy="Decode it from the right encoding."
            ) from None
        start = self._text.end
        self._text.write(text)
        return self._append(self._leg, start, text) if self._leg is not None else []

    def commit(self) -> list[Event]:
        """All that was written is to be spoken now. Where nothing is left to be heard, that is done already."""
        since = None if self._in_one_go else self._text.committed
        committed = bool(self._text.commits) and self._text.commits[-1] == self._text.end
        if committed or not self._text.voiced(since):
            return []
        self._text.commits.append(self._text.end)
        return [self._commit(self._leg)] if self._leg is not None else []

    def clear(self) -> list[Event]:
        """Text is forgotten that nobody has begun to speak. Where the writer commits, the end commits all the rest."""
        leg = self._leg
        if not self._in_one_go and self.ended:
            return []
        if not self._in_one_go:
            self._text.forget(self._text.committed, self._text.end)
        elif leg is None:
            self._text.commits.clear()
            self._text.drop(self._text.end)
            self.finished = self.ended
        else:
            self._text.commits.clear()
            self._text.forget(self._text.start, self._text.end)
            leg.clears.append(self._text.end)
        return [] if leg is None else [self._event(leg, "input_text_buffer.clear")]

    def cancel(self) -> list[Event]:
        """All text is forgotten, and all sound dropped.

        Returns:
            What to tell the socket before it is hung up. It serves no longer, unless nothing was to be spoken.
        """
        leg = self._leg
        self._queue.clear()
        self.queued = 0.0
        if leg is None or self._idle(leg):
            self._forget_all()
            return []
        self._leg = None
        self._forget_all()
        return [self._event(leg, "response.cancel"), self._event(leg, "input_text_buffer.clear")]

    def end(self) -> list[Event]:
        """No more text comes."""
        if self.ended:
            return []
        self.ended = True
        if self._leg is not None:
            return [self._event(self._leg, "session.finish")]
        self.finished = not self.wanted
        return []

    def receive(self, event: Event) -> None:
        """An event of the socket's has come.

        Raises:
            EngineError: The socket is of no use any more; to be told to :meth:`lost`.
            RequestError: The service will not speak as asked, on no socket.
        """
        leg = self._leg
        if leg is None or self.finished:
            return
        kind = event["type"]
        if kind == "error":
            self._error(leg, event)
            return
        self._catch_up(leg, kind, event)
        if leg.machine.see("server", kind) == "passes" and not leg.is_stale(kind, event):
            if kind == "response.created":
                self._respond(leg, event)
            elif handler := self._handlers.get(kind):
                handler(leg, event)

    def take(self, lead: float = 0.0) -> Chunk | None:
        """The next chunk, which counts as delivered; None while there is none to give.

        The sound of an unfinished piece is held back as long as the listener has enough to hear, because what was
        heard of it cannot be spoken again when the socket is lost.

        Args:
            lead: Seconds of sound that were delivered and not heard yet.
        """
        if not self._queue:
            return None
        piece = self._queue[0]
        if not (piece.segment.whole or lead < LEAD or self.queued >= MOST_HELD):
            return None
        self._queue.popleft()
        self.queued = max(0.0, self.queued - self._seconds(piece.pcm)) if self._queue else 0.0
        piece.segment.taken = True
        chunk = Chunk(
            piece.pcm,
            self._request.sample_rate,
            self._samples,
            piece.segment.span,
            facts=piece.facts,
            final=piece.final,
        )
        self._samples += chunk.samples
        return chunk

    def lost(self, reason: EngineError) -> float:
        """The socket is gone, or could not be had.

        Returns:
            Seconds to wait before the next one is tried, if one is :attr:`wanted` then.

        Raises:
            SpeechCut: It cannot be gone on without a word twice, or left out.
            EngineError: The reason, where another socket would not help, or where too many were lost.
        """
        leg, self._leg = self._leg, None
        ready, self.ready = self.ready, False
        if self.finished:
            return 0.0
        if leg is not None and ready and not (leg.response or leg.clears or leg.certain is not None or self.wanted):
            self.finished = self.ended  # nothing was under way: whatever the reason, the next text gets a new socket
            return 0.0
        if leg is not None:
            self._break_off(leg, reason)
        if not reason.retryable:
            self._tell_how_far(reason)
        if not self.wanted:
            self.finished = self.ended
            return 0.0
        wait = min(LOSS_WAIT * 2.0**self._losses, LONGEST_LOSS_WAIT)
        self._losses += SLOW_LOSS if isinstance(reason, TimedOut) else 1
        if self._losses > LOSSES:
            self._tell_how_far(reason)
        return wait

    @property
    def _in_one_go(self) -> bool:
        """The service says when text is spoken."""
        return self._request.mode == "server_commit"

    @property
    def _next_start(self) -> int:
        """Where the text of the next response starts."""
        if self._in_one_go:
            return self._text.start
        return next((place for place, _ in self._text.pieces()), self._text.start)

    def _earliest(self, leg: Leg) -> int:
        """Where the text of the next response starts at the earliest."""
        return self._next_start if leg.doubtful is None else leg.doubtful

    @property
    def _late_sound(self) -> bool:
        """Sound is read when a response is complete, and not piece by piece."""
        return self._request.response_format in ("mp3", "opus")

    def _seconds(self, pcm: bytes) -> float:
        return len(pcm) / (SAMPLE_WIDTH * self._request.sample_rate)

    def _idle(self, leg: Leg) -> bool:
        """Nothing is being spoken on a socket, or will be."""
        return (
            self.ready and leg.certain is None and leg.response is None and not self._text.voiced() and not leg.clears
        )

    def _forget_all(self) -> None:
        self._text.commits.clear()
        self._text.drop(self._text.end)
        self._losses = 0
        self.finished = self.ended and self._leg is None

    # Events to send.

    def _event(self, leg: Leg, kind: str, **fields: object) -> Event:
        leg.machine.see("client", kind)
        return {"event_id": self._ids.new("event_"), "type": kind, **fields}

    def _append(self, leg: Leg, start: int, text: str) -> list[Event]:
        events = []
        for at in range(0, len(text), LONGEST_APPEND):
            part = text[at : at + LONGEST_APPEND]
            leg.append(start + at, len(part))
            events.append(self._event(leg, "input_text_buffer.append", text=part))
        return events

    def _append_from(self, leg: Leg, start: int, end: int) -> list[Event]:
        pieces = self._text.pieces(start, end)
        return [event for place, text in pieces for event in self._append(leg, place, text)]

    def _commit(self, leg: Leg) -> Event:
        leg.commits += 1
        return self._event(leg, "input_text_buffer.commit")

    # Events that have come.

    def _catch_up(self, leg: Leg, kind: str, event: Event) -> None:
        """Make up for events that the service has left out."""
        response = leg.response
        if response is None:
            begins = kind in ("response.audio.delta", "response.done") and not leg.is_stale(kind, event)
            if begins and leg.machine.see("server", "response.created") == "passes":
                self._respond(leg, event)
        elif kind == "session.finished" or (kind == "response.created" and response.id != response_id(event)):
            leg.machine.see("server", "response.done")
            self._close(leg, 0)

    def _created(self, leg: Leg, event: Event) -> None:
        leg.session_id = id_of(part_of(event, "session"))

    def _updated(self, leg: Leg, event: Event) -> None:
        leg.session_id = leg.session_id or id_of(part_of(event, "session"))
        self.ready = True

    def _committed(self, leg: Leg, _: Event) -> None:
        leg.commits = max(0, leg.commits - 1)

    def _cleared(self, leg: Leg, _: Event) -> None:
        if not leg.clears:
            return
        place = leg.clears.popleft()
        if leg.response is None:
            if leg.doubtful is None and self._text.voiced_once(place):
                leg.doubtful = self._text.start
            self._text.drop(place)
        else:
            leg.response.cleared = place

    def _respond(self, leg: Leg, event: Event) -> None:
        self.ready = True
        # In commit mode a response speaks a commit, and what is written while it does so is not part of it.
        commits = self._text.commits
        end = commits[0] if commits and not self._in_one_go else self._text.end
        leg.response = Response(response_id(event), self._sound(), Segment((self._earliest(leg), end)), end)

    def _delta(self, leg: Leg, event: Event) -> None:
        response = leg.response
        assert response is not None
        told = leg.in_session(event.get("text_span"))
        if told is not None:
            self._enter(leg, response, told)
        elif not response.segment.known and self._in_one_go:
            response.segment.span = (self._earliest(leg), self._text.end)
        pcm = response.sound.feed(sound_of(event.get("delta"), leg.session_id))
        self._put(leg, response, pcm)

    def _enter(self, leg: Leg, response: Response, told: Span) -> None:
        """The sound that comes speaks a text that is known: the piece in progress, or the next one."""
        segment = response.segment
        if segment.known and told[0] >= segment.span[1] and not self._late_sound:
            self._complete(response)
            self._conclude(leg, response)
            response.segment = segment = Segment(told)
        elif segment.known:
            told = min(told[0], segment.span[0]), max(told[1], segment.span[1])
        segment.span = told
        segment.known = True

    def _put(self, leg: Leg, response: Response, pcm: bytes) -> None:
        if response.sound.sample_rate != self._request.sample_rate:
            raise BadReply(
                f"The service sent sound at {response.sound.sample_rate} Hz instead of {self._request.sample_rate}.",
                remedy="Ask for that sample rate.",
                request_id=response.id or leg.session_id,
            )
        if pcm:
            self._queue.append(Piece(pcm, response.segment))
            seconds = self._seconds(pcm)
            self.queued += seconds
            response.seconds += seconds

    def _sound_done(self, leg: Leg, _: Event) -> None:
        response = leg.response
        assert response is not None
        if not response.over:
            response.over = True
            self._put(leg, response, response.sound.flush())
            if response.segment.known:
                self._complete(response)

    def _done(self, leg: Leg, event: Event) -> None:
        said = part_of(event, "response")
        if said.get("status") in ("failed", "incomplete", "cancelled"):
            raise self._failure(leg, part_of(said, "status_details"))
        self._close(leg, count_of(part_of(said, "usage").get("characters")))

    def _close(self, leg: Leg, characters: int) -> None:
        """The response is complete."""
        response = leg.response
        assert response is not None
        if not response.over:
            response.over = True
            self._put(leg, response, response.sound.flush())
        known = response.segment.known
        if not known:
            response.segment.span = self._told_by_count(leg, response, characters)
        self._complete(response)
        if known and not self._in_one_go:
            self._text.drop(response.end)
        if response.cleared:
            self._text.drop(response.cleared)
        self._conclude(leg, response, characters or response.billed).final = True
        leg.response = None
        leg.last_response = response.id

    def _conclude(self, leg: Leg, response: Response, characters: int | None = None) -> Piece:
        """The facts of a segment that is whole: with the last of its sound, or after it if that was taken already.

        Args:
            leg: The socket.
            response: The response.
            characters: Billed for the response, where that is known; None while it goes on.
        """
        billed = max(0, (response.billed if characters is None else characters) - response.told)
        response.told += billed
        if not (self._queue and self._queue[-1].segment is response.segment):
            self._queue.append(Piece(b"", response.segment))
        piece = self._queue[-1]
        piece.facts = replace(self._facts, request_id=response.id or leg.session_id, characters=billed)
        return piece

    def _told_by_count(self, leg: Leg, response: Response, characters: int) -> Span:
        """The text of a response whose sound did not tell it."""
        end = self._text.end if self._in_one_go else response.end
        place = None
        if characters and leg.doubtful is None:
            place = self._text.reach(characters, end, skipping=not self._in_one_go)
        if place is None:
            if self._in_one_go and leg.certain is None:
                leg.certain = self._earliest(leg)
            place = end
        return self._earliest(leg), place

    def _complete(self, response: Response) -> None:
        """All sound of a response's piece has come."""
        segment = response.segment
        segment.whole = True
        if segment.span[1] > self._text.start:
            start = segment.span[0] if segment.known else None
            pieces = self._text.pieces(start, segment.span[1])
            response.billed += sum(billed_characters(text) for _, text in pieces)
            self._text.drop(segment.span[1])
            self._losses = 0

    def _finished(self, _leg: Leg, _event: Event) -> None:
        self._text.drop(self._text.end)
        self.finished = True

    def _error(self, leg: Leg, event: Event) -> None:
        error = self._failure(leg, event)
        if self.ended and isinstance(error, Refused) and leg.clears:
            leg.clears.popleft()  # too late, for a service that clears nothing any more: the text is spoken
            return
        if self.ready and isinstance(error, Refused) and self._in_one_go and leg.commits:
            leg.commits -= 1  # there was nothing left to be spoken: the commit was a hint
            self._text.commits.clear()
            return
        raise error

    def _failure(self, leg: Leg, said: Event) -> LinereadError:
        """What an error of the service means, in an event or in a response that failed."""
        if not said:
            remedy = "Try again; if it stays, tell the service's support the session's id."
            return ServiceFailed(
                "The service broke a response off.", remedy=remedy, retryable=True, request_id=leg.session_id
            )
        body = encode(said).encode()
        error = dashscope.decode_error(0, body, request_id=leg.session_id, hide=self._hide)
        other = _OTHER_VOICES in error.message
        if not other and error.code != "unknown_voice":
            return error
        return VoiceError(
            error.message,
            remedy="Choose a voice that was made for the model." if other else error.remedy,
            request_id=error.request_id,
            service_code=error.service_code,
        )

    # What becomes of a session whose socket is lost.

    def _break_off(self, leg: Leg, reason: EngineError) -> None:
        """What can be kept of a response in progress is kept; the rest will be spoken anew."""
        response = leg.response
        if response is not None and response.over and response.segment.whole:
            self._close(leg, 0)
        elif response is not None:
            segment = response.segment
            self._queue = deque(piece for piece in self._queue if piece.segment is not segment)
            self.queued = sum(self._seconds(piece.pcm) for piece in self._queue)
            if segment.taken and not segment.whole:
                spoken = self._text.start if leg.certain is None else leg.certain
                # Text that was cleared is done with, also where it was being spoken already.
                self._cut("amid a sentence that was heard in part", min(spoken, segment.span[0]), reason)
        if leg.clears or (response is not None and response.cleared):
            self._text.drop(max([*leg.clears, 0 if response is None else response.cleared]))
        if leg.certain is not None:
            self._cut("and the service does not tell which text it has spoken", leg.certain, reason)

    def _cut(self, where: str, spoken: int, reason: EngineError) -> NoReturn:
        raise SpeechCut(
            f"The connection was lost {where}; what came before, up to character {spoken}, was spoken whole.",
            remedy=f"Open another session, and write the text from character {spoken} on.",
            delivered=(0, spoken),
            request_id=reason.request_id,
            service_code=reason.service_code,
        ) from reason

    def _tell_how_far(self, reason: EngineError) -> NoReturn:
        if self._text.start:
            reason.message += f" The text up to character {self._text.start} was spoken."
            reason.args = (reason.message,)
        raise reason


def closing(code: int | None, reason: str, host: str, *, hide: Callable[[str], str] = str) -> EngineError:
    """What it means that the server has closed a socket, though more was to come.

    Args:
        code: Of the close frame; None where none came.
        reason: In the server's words.
        host: Who it is.
        hide: Takes what may not show out of these words.
    """
    if reason:
        error = dashscope.decode_error(0, reason.encode("utf-8", "replace"), hide=hide)
        if type(error) is not ServiceFailed or error.retryable:
            return error
    said = f" ({code}{': ' + hide(reason)[:_LONGEST_REASON] if reason else ''})" if code else ""
    return Unreachable(
        f"{host} has closed the connection{said}.", remedy="Try again; check the model's name.", retryable=True
    )


#: What the service says of a system voice that a model for custom voices is asked for.
_OTHER_VOICES: Final = "Engine return error code: 411"
