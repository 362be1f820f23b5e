"""The workshop of the user's own agents: files in a folder, voices in the user's book.

Owns what such an agent may reach: it writes below one folder, and reads recordings below that one and the directory
that it was started in. An agent may have been talked into something by what it has read, so a recording is a file
there or comes with the call; an address to fetch it from is not taken.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lineread import sinks
from lineread.errors import NoAudio, OptionError
from lineread.mcp import making, tools
from lineread.mcp.folder import Folder, within
from lineread.mcp.workshop import Birth, Take, Workshop
from lineread.results import Tally
from lineread.voices import new
from lineread.voices.sample import is_data

if TYPE_CHECKING:
    from lineread.client import Client, Job
    from lineread.enrolment import Kind
    from lineread.mcp.workshop import Heard
    from lineread.quote import Quote
    from lineread.speech import Chunk, Request
    from lineread.voices.making import Made


#: Most characters of a path: no system has longer ones, and the way to one is gone step by step.
_LONGEST_PATH: Final = 4096
_AS_DATA: Final = "A recording itself is sent as a data: URI: data:audio/wav;base64, and then its Base64."


class Machine(Workshop):
    """Carries out what an agent on this machine asks for.

    Args:
        client: Speaks, and makes voices. Its notices are for :meth:`notice`.
        folder: Where files go.
        reads: Directories that recordings may be read from, besides the folder.
    """

    tools = tuple(map(tools.at_home, tools.TOOLS))

    def __init__(self, client: Client, folder: Folder, reads: tuple[str, ...], notices: list[str]) -> None:
        self._client = client
        self._folder = folder
        self._reads = reads
        self._notices = notices
        self.purse = client.purse

    def notices(self) -> list[str]:
        """What the client had to say since the last call."""
        said = self._notices[:]
        self._notices.clear()
        return said

    def price(self, kind: Kind) -> float | None:
        """What the engine's enroller asks."""
        enroller = self._client.engine().enroller()
        return None if enroller is None else enroller.price(kind)

    async def quote(self, request: Request) -> Quote:
        """As any workshop."""
        return await asyncio.to_thread(lambda: self._client.quote(self._client.found(request)))

    async def speak(self, request: Request, file: str | None, heard: Heard) -> Take:
        """As any workshop. A file with other content is never replaced."""
        place = None if file is None else self._folder.place(file, request.format)
        job = self._client.prepare(await self._client.anamed(request))
        return await self._kept(job, place or self._default(job), heard)

    async def own_voices(self) -> list[dict[str, Any]]:
        """The voices of the user's book."""
        voices = await asyncio.to_thread(self._client.casting.book.voices)
        return [
            {
                "voice": voice.name,
                "kind": voice.kind,
                "description": voice.prompt or None,
                "models": sorted({each.target_model for each in voice.ids}),
            }
            for voice in voices
        ]

    async def make(self, kind: Kind, wish: dict[str, Any], heard: Heard) -> Birth:
        """As any workshop; the voice is in the user's book from then on."""
        sample = await asyncio.to_thread(self._sample, wish["voice_sample"]) if kind == "clone" else ""
        new.check_words(self._client.engine(), kind, wish["text"], _words(wish))
        made = await making.make(self._client, kind, wish, sample)
        yuan = (self.price(kind) or 0.0) * made.paid
        with new.though_made(made.voice.name):
            take = await self._first_words(made, wish, heard)
        return Birth(making.facts(made), (*made.id.reasons, *made.notes), yuan, take)

    async def _first_words(self, made: Made, wish: dict[str, Any], heard: Heard) -> Take | None:
        request = new.first_words(made, wish["text"], _words(wish))
        if request is None:
            return None
        speech = new.previewed(made, request, self._client.prepare)
        job = self._client.prepare(await self._client.anamed(request))
        if speech is None:
            return await self._kept(job, self._default(job), heard)
        path = await asyncio.to_thread(speech.save, self._default(job))
        tally = Tally()
        tally.spoken, tally.samples, tally.sample_rate = list(speech.segments), len(speech.pcm) // 2, speech.sample_rate
        return _take(job, tally, path)

    async def _kept(self, job: Job, place: str, heard: Heard) -> Take:
        """A speech in its file."""
        tally = Tally()
        async with aclosing(job.chunks()) as chunks:
            first = await anext(chunks, None)
            if first is None:
                raise NoAudio("No audio came for the text.", remedy="Try the call again.", retryable=True)
            with sinks.DefaultFileSink(place, job.request.format, first.sample_rate) as file:
                await _written(file, first, tally, heard)
                async for chunk in chunks:
                    await _written(file, chunk, tally, heard)
        return _take(job, tally, file.path)

    def _default(self, job: Job) -> str:
        return sinks.default_path(self._folder.root, job.request, job.plan.key)

    def _sample(self, source: str) -> str:
        """A recording that the agent may use: a file's path, or what came with the call.

        Raises:
            OptionError: It may not, or is none.
        """
        if is_data(source):
            return source
        if len(source) > _LONGEST_PATH:
            raise OptionError("That is too long for a path.", remedy=_AS_DATA, code="sample_not_sent")
        if "://" in source or source.lower().startswith("file:"):
            raise OptionError(
                "A recording is not fetched from an address here.",
                remedy=f"Save it as a file and name that. {_AS_DATA}",
                code="sample_not_fetched",
            )
        roots = (self._folder.root, *self._reads)
        name = os.path.expanduser(source)
        # A name without a place is looked for in each of them; else where this was started.
        paths = [name] if os.path.isabs(name) else [os.path.join(root, name) for root in (os.curdir, *roots)]
        allowed = [os.path.realpath(path) for path in paths if any(within(path, root) for root in roots)]
        if not allowed:
            raise OptionError(
                "That recording lies where this server does not read.",
                remedy=f"Copy it to {self._folder.root} and give its name there, or its full path; or name its "
                "directory with --samples.",
                code="sample_not_allowed",
            )
        return next(filter(os.path.exists, allowed), allowed[0])


def _words(wish: dict[str, Any]) -> dict[str, Any]:
    """How the first words are spoken."""
    return {"language_type": wish["language_type"]}


async def _written(file: sinks.FileSink, chunk: Chunk, tally: Tally, heard: Heard) -> None:
    tally.add(chunk)
    await asyncio.to_thread(file.write, chunk.pcm)
    await heard(chunk, tally)


def _take(job: Job, tally: Tally, path: str) -> Take:
    path = os.path.abspath(path)
    return Take.of(job, tally, {"path": path, "audio_url": Path(path).as_uri()}, path)
