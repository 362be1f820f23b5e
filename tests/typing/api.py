"""The public API as a user's type checker sees it. Checked by `mypy --strict`, never run."""

from collections.abc import AsyncGenerator
from typing import assert_type

import lineread
from lineread import AsyncStream, Chunk, Client, Engine, Facts, Request, Segment, Speech, Stream, tts


def whole() -> None:
    speech = tts.generate(text="Hello.", voice="Cherry", language_type="English", instruction="Calm.", rate=1.1)
    assert_type(speech, Speech)
    assert_type(speech.duration, float)
    assert_type(speech.save("hello.wav"), str)
    assert_type(speech.audio_url, str)
    assert_type(speech.to_dict(), dict[str, object])
    assert_type(tts.generate("Hello.", "Cherry"), Speech)


def streamed() -> None:
    stream = tts.generate(text="Hello.", voice="Cherry", stream=True, engine="builtin", fallback=None)
    assert_type(stream, Stream)
    for chunk in stream:
        assert_type(chunk, Chunk)
        assert_type(chunk.pcm, bytes)
    assert_type(stream.collect(), Speech)


def either(*, stream: bool) -> None:
    assert_type(tts.generate(text="Hello.", voice="Cherry", stream=stream), Speech | Stream)


async def asynchronous() -> None:
    assert_type(await tts.agenerate(text="Hello.", voice="Cherry"), Speech)
    stream = await tts.agenerate(text="Hello.", voice="Cherry", stream=True)
    assert_type(stream, AsyncStream)
    async for chunk in stream:
        assert_type(chunk, Chunk)


def client() -> None:
    with Client(engine=Beeps(), cache=False) as own:
        assert_type(own.generate(Request("Hello.", "Cherry")), Speech)


class Beeps(Engine):
    name = "beeps"

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        yield Chunk(b"\0\0", 24_000, 0, segment.span, facts=Facts(engine=self.name))


def refused() -> None:
    tts.generate(text="Hello.")  # type: ignore[call-overload]  # voice is required
    tts.generate(text="Hello.", voice="Cherry", volume="loud")  # type: ignore[call-overload]  # a number
    tts.generate(text="Hello.", voice="Cherry", speed=2)  # type: ignore[call-overload]  # no such field
    try:
        raise lineread.errors.Throttled("slow down", kind="burst")
    except lineread.LinereadError as error:
        assert_type(error.code, str)
        assert_type(error.retry_after, float | None)
