"""The vocabulary: what is asked for, what is spoken, what comes back.

Owns the frozen values that all other modules exchange, a segment's canonical form and the key made of it.
No I/O. Audio everywhere in lineread is PCM: signed 16-bit little-endian, one channel.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from lineread.budget import Share

#: Bytes of one PCM sample.
SAMPLE_WIDTH = 2
#: The rate of Qwen TTS and of the built-in voice, in hertz.
SAMPLE_RATE = 24_000

#: The file formats that lineread writes, the default one first.
FORMATS = ("wav", "mp3", "flac", "ogg", "pcm")

Mode = Literal["server_commit", "commit"]
"""Who says when the text of a session is spoken: the voice itself, as soon as it can be spoken well, or the writer."""

#: All modes, the default one first.
MODES: tuple[Mode, ...] = ("server_commit", "commit")

Span = tuple[int, int]
"""A part of a request's text: first character, and one past the last."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller asks for.

    Attributes:
        text: The words to speak.
        voice: A voice of the catalogue, or a custom voice's id.
        language_type: ``Auto`` or one of the catalogue's languages, in any case.
        instruction: How to speak, in Chinese or English; only instruct models heed it.
        model: A model of the catalogue; None leaves the choice to the engine.
        format: ``wav``, ``mp3``, ``flac``, ``ogg`` or ``pcm``.
        rate: Speaking rate, 0.5 to 2; 1 is the voice's own.
        pitch: Pitch, 0.5 to 2 times the voice's own.
        volume: Loudness, 0 to 100; 50 is the voice's own, 0 is silence.
        take: Which reading of the same words, from 1.
    """

    text: str
    voice: str
    language_type: str = "Auto"
    instruction: str | None = None
    model: str | None = None
    format: str = "wav"
    rate: float = 1.0
    pitch: float = 1.0
    volume: int = 50
    take: int = 1


@dataclass(frozen=True, slots=True)
class LiveRequest:
    """What a live session is asked for: all but the text, which comes later.

    Attributes:
        voice: As in :class:`Request`.
        language_type: As in :class:`Request`.
        instruction: As in :class:`Request`.
        model: A model of the catalogue; None leaves the choice to the engine.
        mode: Who says when text is spoken.
        sample_rate: Samples a second of the sound.
        rate: As in :class:`Request`.
        pitch: As in :class:`Request`.
        volume: As in :class:`Request`.
        response_format: How the service sends sound: ``pcm``, ``wav``, ``mp3`` or ``opus``. Chunks are PCM anyway.
        bit_rate: Kilobits a second, where the service sends ``mp3`` or ``opus``; 6 to 510.
        optimize_instructions: Lets the service rewrite the instruction.
        enable_tn: Switches the service's own normalisation of numbers and the like; None leaves it as it is.
    """

    voice: str
    language_type: str = "Auto"
    instruction: str | None = None
    model: str | None = None
    mode: Mode = "server_commit"
    sample_rate: int = SAMPLE_RATE
    rate: float = 1.0
    pitch: float = 1.0
    volume: int = 50
    response_format: str = "pcm"
    bit_rate: int = 128
    optimize_instructions: bool = False
    enable_tn: bool | None = None

    def request(self, text: str) -> Request:
        """A request that speaks some of its text."""
        return Request(
            text,
            self.voice,
            self.language_type,
            self.instruction,
            self.model,
            rate=self.rate,
            pitch=self.pitch,
            volume=self.volume,
        )


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a request's text that fits one engine call.

    Attributes:
        request: The resolved request that it belongs to.
        index: Its place, from 0.
        start: First character of the piece in the request's text.
        end: One past its last character. The pieces join to exactly the text.
        pause: Seconds of silence that the punctuation after it asks for.
        due: When a listener will want to hear it, on the monotonic clock; 0 is as soon as it can be.
        share: What a budget has set aside for all of the text; None where nothing is.
    """

    request: Request
    index: int
    start: int
    end: int
    pause: float = 0.0
    due: float = 0.0
    share: Share | None = field(default=None, compare=False, repr=False)

    @property
    def span(self) -> Span:
        """Its place in the request's text."""
        return self.start, self.end

    @property
    def text(self) -> str:
        """The words to speak, without white space around them."""
        return self.request.text[self.start : self.end].strip()

    @property
    def text_start(self) -> int:
        """Where those words begin in the request's text."""
        piece = self.request.text[self.start : self.end]
        return self.start + len(piece) - len(piece.lstrip())

    def key(self, fingerprint: str) -> str:
        """The content address of this segment's sound when the engine with that fingerprint speaks it.

        It covers everything that changes the sound and nothing else: two requests that differ only in file format,
        or in the text around the segment, share it. The canonical form (sorted JSON of the fields below) is a
        contract: changing it makes every stored line new, and then the tag in front has to change too.
        """
        request = self.request
        canonical = json.dumps(
            {
                "engine": fingerprint,
                "instruction": request.instruction or "",
                "language_type": request.language_type,
                "model": request.model or "",
                "pitch": float(request.pitch),
                "rate": float(request.rate),
                "take": request.take,
                "text": self.text,
                "voice": request.voice,
                "volume": request.volume,
            },
            ensure_ascii=True,
            sort_keys=True,
            separators=(",", ":"),
        )
        return "v1-" + hashlib.blake2b(canonical.encode(), digest_size=20).hexdigest()


class Word(NamedTuple):
    """When a word is spoken. A tuple, because a cached book is read back with a hundred thousand of them.

    Attributes:
        span: The word's place in the request's text.
        start: Seconds from the beginning of the audio to the word's.
        end: Seconds from the beginning of the audio to the word's end.
    """

    span: Span
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Facts:
    """What an engine tells about a segment that it spoke; it comes with the segment's last chunk.

    Attributes:
        engine: Name of the engine that spoke (after a fallback not the one that was asked).
        fingerprint: Its fingerprint for the request; part of the cache key.
        model: The model that spoke.
        stand_in: What stood in for the asked voice; empty when the voice itself spoke.
        request_id: The service's id of the call.
        characters: Characters that the service billed.
        cached: The sound came from the cache and cost nothing.
        fallback_reason: Why the engine that was asked did not speak; empty when it did.
    """

    engine: str
    fingerprint: str = ""
    model: str = ""
    stand_in: str = ""
    request_id: str = ""
    characters: int = 0
    cached: bool = False
    fallback_reason: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Chunk:
    """Audio as it arrives. It describes itself: a sink needs nothing else.

    An engine counts ``offset`` and word times from the segment's beginning; whoever takes chunks from the pipeline
    gets them from the beginning of the whole speech, or of the whole session, where text and sound go on for long.

    Attributes:
        pcm: Samples, signed 16-bit little-endian, one channel.
        sample_rate: Samples a second.
        offset: Samples before this chunk.
        span: The text that it speaks, as a place in the request's text.
        words: When its words are spoken, where the engine knows.
        facts: What the engine says of the segment; set on a segment's last chunk.
        pause: How many samples at its end are the pause after the segment.
        final: Nothing comes after this chunk; in a session, nothing of its response.
    """

    pcm: bytes
    sample_rate: int
    offset: int
    span: Span
    words: tuple[Word, ...] = ()
    facts: Facts | None = None
    pause: int = 0
    final: bool = False

    def moved(self, characters: int) -> Chunk:
        """The same sound for a text that stands so many characters further on."""
        if not characters:
            return self
        words = tuple(Word(_moved(word.span, characters), word.start, word.end) for word in self.words)
        return replace(self, span=_moved(self.span, characters), words=words)

    @property
    def samples(self) -> int:
        """How many samples it holds."""
        return len(self.pcm) // SAMPLE_WIDTH

    @property
    def duration(self) -> float:
        """Its length in seconds, from the byte count."""
        return self.samples / self.sample_rate

    @property
    def audio_base64_pcm(self) -> str:
        """The samples as Base64, the way the normalized interface carries them."""
        return base64.b64encode(self.pcm).decode("ascii")

    def __repr__(self) -> str:
        """Where it stands; its samples would fill the screen."""
        start, end = self.span
        text = f"characters {start} to {end}{', final' if self.final else ''}"
        return f"<Chunk {self.duration:.2f} s at {self.offset / self.sample_rate:.2f} s, {text}>"


@dataclass(frozen=True, slots=True)
class Spoken:
    """One segment of a finished speech.

    Attributes:
        span: Its place in the request's text.
        start: Seconds to the beginning of its audio.
        end: Seconds to the end of its audio, the pause after it left out.
        facts: What the engine said of it.
    """

    span: Span
    start: float
    end: float
    facts: Facts


def billed_characters(text: str) -> int:
    """What Qwen TTS bills for a text: a Han character counts two, any other one.

    Source: usage rule of the service's documentation, checked against recorded replies.
    """
    return len(text) + sum(1 for character in text if _is_han(character))


def _moved(span: Span, characters: int) -> Span:
    return span[0] + characters, span[1] + characters


def _is_han(character: str) -> bool:
    code = ord(character)
    if code < 0x2E80:
        return False
    return (
        0x4E00 <= code <= 0x9FFF
        or 0x3400 <= code <= 0x4DBF
        or 0x20000 <= code <= 0x323AF
        or 0xF900 <= code <= 0xFAFF
        or code == 0x3007
    )
