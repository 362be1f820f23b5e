"""An engine whose voices are made in memory, and short ways to ask a server for them."""

from __future__ import annotations

import asyncio
import base64
import io
import itertools
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import soundfile

from lineread import tts
from lineread.audio import container
from lineread.engines.base import Turn
from lineread.engines.enroller import Enroller, check_speaker
from lineread.engines.fake import Fake
from lineread.enrolment import FAMILIES, Clone, Design, Enrolled, Kind, Page, Preview
from lineread.errors import VoiceError
from lineread.server.access import keys
from lineread.speech import Chunk, Segment
from server.gateway import Gateway

PATH = "/api/v1/services/audio/tts/customization"
CLONE_MODEL = "qwen3-tts-vc-2026-01-22"
DESIGN_MODEL = "qwen3-tts-vd-2026-01-26"
#: A recording: the machine's own voice.
SAMPLE = container.wav(
    tts.generate(
        "This is my own voice, as it sounds on an ordinary day. I read a few lines, so that a copy can be made of it.",
        "Ethan",
        engine="builtin",
        cache=False,
    ).pcm,
    24_000,
)
#: What a designed voice sounds like: a second of it.
PREVIEW = container.wav(b"\x10\x00\xf0\xff" * 12_000, 24_000)


def padded(size: int) -> bytes:
    """The recording in a file of that size."""
    junk = bytes(size - len(SAMPLE) - 8)
    file = bytearray(SAMPLE + b"JUNK" + len(junk).to_bytes(4, "little") + junk)
    file[4:8] = (size - 8).to_bytes(4, "little")
    return bytes(file)


def as_mp3() -> bytes:
    """The recording as MP3."""
    file = io.BytesIO()
    samples, rate = soundfile.read(io.BytesIO(SAMPLE))
    soundfile.write(file, samples, rate, format="MP3")
    return file.getvalue()


class Memory(Enroller):
    """Keeps voices in memory, the newest last.

    Attributes:
        voices: What it made.
        orders: What it was asked to make.
        asked: Ids that it was asked for.
        gate: It makes nothing before this is set.
        begun: Something is being made.
    """

    engine = "fake"
    place = "memory"
    account = ""

    def __init__(self) -> None:
        self.voices: dict[str, Enrolled] = {}
        self.orders: list[Clone | Design] = []
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = asyncio.Event()
        self._numbers = itertools.count(20_261_118_093_012_345)

    def target(self, kind: Kind, *, model: str | None = None, realtime: bool = False) -> str:
        return check_speaker(kind, model or {"clone": CLONE_MODEL, "design": DESIGN_MODEL}[kind]).id

    async def clone(self, order: Clone) -> Enrolled:
        return await self._make(order, "clone")

    async def design(self, order: Design) -> Enrolled:
        made = await self._make(order, "design")
        preview = Preview(PREVIEW, order.sample_rate, order.format)
        return replace(made, prompt=order.prompt, preview_text=order.preview_text, preview=preview)

    async def page(self, kind: Kind, *, index: int = 0, size: int = 10) -> Page:
        found = [voice for voice in reversed(self.voices.values()) if voice.kind == kind]
        return Page(tuple(found[index * size : (index + 1) * size]), index, size, len(found))

    async def find(self, kind: Kind, voice: str) -> Enrolled:
        self.asked.append(voice)
        found = self.voices.get(voice)
        if found is None or found.kind != kind:
            raise VoiceError("There is no such voice in memory.", code="voice_not_found")
        return found

    async def delete(self, kind: Kind, voice: str) -> None:
        await self.find(kind, voice)
        del self.voices[voice]

    async def _make(self, order: Clone | Design, kind: Kind) -> Enrolled:
        self.orders.append(order)
        self.begun.set()
        await self.gate.wait()
        voice = f"qwen-tts-{FAMILIES[kind]}-{order.name}-voice-{next(self._numbers)}-9ed2"
        made = Enrolled(voice, kind, order.target_model, language=order.language or "")
        self.voices[voice] = made
        return made


class Making(Fake):
    """The fake engine, which has voices made, and speaks with those that it knows."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = Memory()
        self.heard: list[str] = []

    def enroller(self, *, turn: Turn | None = None) -> Enroller:
        return self.memory

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        self.heard.append(segment.request.voice)
        async for chunk in super().stream(segment):
            yield chunk


def key_file(directory: Path, **limits: str) -> tuple[Path, dict[str, str]]:
    """A key file with a key for each name, and the keys; each limit is TOML for the key of that name."""
    made = {name: keys.make() for name in ("alice", "bob", *(name for name in limits if name not in ("alice", "bob")))}
    path = directory / "keys.toml"
    path.write_text(
        "".join(f'[{name}]\nhash = "{keys.hashed(key)}"\n{limits.get(name, "")}\n' for name, key in made.items())
    )
    return path, made


def clone(name: str = "narrator", audio: bytes = SAMPLE, **fields: Any) -> dict[str, Any]:
    """A body that has a voice cloned."""
    data = "data:audio/wav;base64," + base64.b64encode(audio).decode()
    asked = {"action": "create", "target_model": CLONE_MODEL, "preferred_name": name, "audio": {"data": data}}
    return {"model": "qwen-voice-enrollment", "input": asked | fields}


def design(name: str = "guide", **fields: Any) -> dict[str, Any]:
    """A body that has a voice designed."""
    asked = {"action": "create", "target_model": DESIGN_MODEL, "voice_prompt": "Dry.", "preview_text": "This way."}
    return {"model": "qwen-voice-design", "input": asked | {"preferred_name": name} | fields}


def about(action: str, kind: Kind = "design", **fields: Any) -> dict[str, Any]:
    """A body that asks about voices."""
    model = {"clone": "qwen-voice-enrollment", "design": "qwen-voice-design"}[kind]
    return {"model": model, "input": {"action": action, **fields}}


async def ask(server: Gateway, body: object, key: str | None = None) -> tuple[int, dict[str, Any]]:
    """The status and the answer of a call."""
    response = await server.post(PATH, body, key)
    answer: dict[str, Any] = await response.json()
    assert answer["request_id"] == response.headers["x-request-id"]
    return response.status, answer


async def made(server: Gateway, body: object, key: str | None = None) -> str:
    """The id of a voice that is made now."""
    status, answer = await ask(server, body, key)
    assert status == 200, answer
    return str(answer["output"]["voice"])


async def listed(server: Gateway, kind: Kind, key: str | None = None, **fields: Any) -> list[str]:
    """The ids of a list."""
    status, answer = await ask(server, about("list", kind, **fields), key)
    assert status == 200, answer
    return [voice["voice"] for voice in answer["output"]["voice_list"]]
