"""Live sessions through a line that fails at random: over lineread's own socket, with lineread's own server.

What was heard is read from the sound, word by word; what the chunks and the errors say is held against that. Seeds are
the cases; `tests/fuzz/fuzz_live.py` runs others.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, NamedTuple

import pytest

from lineread.client import Client
from lineread.config import Secret
from lineread.engines.dashscope import DashScope, Timeouts, link
from lineread.engines.dashscope.link import Patience, RealtimeLink
from lineread.errors import LinereadError, SpeechCut
from lineread.live import local
from lineread.live.session import Session
from lineread.speech import Chunk, LiveRequest
from lineread.wire.realtime import caller
from live.proxy import Fault, FaultProxy, any_fault
from live.voice import HAN, LATIN, Readable, Word, read, words_of
from server.live import live

#: Cases of the suite, how many run at once, and seconds after which one hangs.
CASES: Final = 1000
AT_ONCE: Final = 32
HANGS: Final = 30.0
#: Seconds of silence that the client bears from a server that owes it something.
SILENCE: Final = 2.0

Fate = Literal["said", "cancelled", "cleared", "unsaid"]
"""What becomes of text: it is said; or it is cancelled, or cleared, and some of it may have been said; or none is."""


class Step(NamedTuple):
    """What the writer does next."""

    what: Literal["write", "commit", "cancel", "clear", "wait", "end"]
    text: str = ""
    seconds: float = 0.0


@dataclass
class Lot:
    """Text between two cancels, clears or commits.

    Attributes:
        fate: What becomes of it.
        start: Its first character, in all that was written.
        text: It.
        committed: It was committed.
    """

    start: int
    fate: Fate = "said"
    text: str = ""
    committed: bool = False

    @property
    def words(self) -> list[tuple[str, int]]:
        """Its words, and where they end."""
        ends = [match.end() for match in re.finditer(r"[A-Za-z]+|[一-鿿]", self.text)]
        return list(zip(words_of(self.text), [self.start + end for end in ends], strict=True))


@dataclass
class Case:
    """A session, and what goes wrong."""

    seed: int
    request: LiveRequest
    steps: list[Step]
    faults: list[Fault]
    warm: int
    reader: float
    mute: bool

    @classmethod
    def of(cls, seed: int) -> Case:
        rng = random.Random(seed)
        count = rng.choice((0, 1, 1, 1, 2, 2, 3, 6))
        faults = [any_fault(rng) for _ in range(count)]
        for _ in range(rng.choice((0, 0, 1, 2))):
            faults.insert(rng.randint(0, len(faults)), Fault("none"))
        request = LiveRequest(
            rng.choice(("Cherry", "Ethan")),
            mode=rng.choice(("server_commit", "commit")),
            response_format=rng.choice(("pcm", "pcm", "pcm", "wav")),
        )
        return cls(
            seed,
            request,
            list(_steps(rng)),
            faults,
            rng.choice((0, 1, 1)),
            rng.choice((0, 0, 0.002, 0.01)),
            rng.random() < 0.25,
        )


def _steps(rng: random.Random) -> list[Step]:
    steps: list[Step] = []
    han = rng.random() < 0.3
    words = iter(rng.sample(HAN if han else LATIN, 150))
    for _ in range(rng.choice((1, 1, 2, 3, 5))):
        text = "".join(_sentence(rng, words, han=han) for _ in range(rng.randint(1, 4)))
        while text:
            size = rng.choice((1, 3, 8, 30, len(text)))
            steps.append(Step("write", text[:size]))
            text = text[size:]
            if rng.random() < 0.2:
                steps.append(Step("wait", seconds=rng.choice((0.0, 0.001, 0.005, 0.03))))
        ends = rng.choices(("commit", "cancel", "clear", "go on"), (8, 2, 1, 3))[0]
        if rng.random() < 0.5:
            steps.append(Step("wait", seconds=rng.choice((0.0, 0.005, 0.02, 0.06))))
        if ends != "go on":
            steps.append(Step(ends))  # type: ignore[arg-type]  # one of those that are left
        if rng.random() < 0.5:
            steps.append(Step("wait", seconds=rng.choice((0.001, 0.01, 0.05))))
    return [*steps, Step("end")]


def _sentence(rng: random.Random, words: object, *, han: bool) -> str:
    assert hasattr(words, "__next__")
    chosen = [next(words) for _ in range(rng.randint(1, 7))]
    if han:
        return "".join(chosen) + rng.choice("。！？")
    return " ".join(chosen).capitalize() + rng.choice((". ", "! ", "? ", ".\n", ", and so: ")).replace("and so", "")


@dataclass
class Run:
    """A case as it went.

    Attributes:
        chunks: What was heard.
        lots: What was written.
        error: What the reader was told.
        refused: What the writer was told.
        silent: How many chunks had come, and how much was written, when a cancel returned.
    """

    case: Case
    chunks: list[Chunk] = field(default_factory=list)
    lots: list[Lot] = field(default_factory=lambda: [Lot(0)])
    error: LinereadError | None = None
    refused: LinereadError | None = None
    silent: list[tuple[int, int]] = field(default_factory=list)
    heard_text: str = ""

    @property
    def written(self) -> int:
        return self.lots[-1].start + len(self.lots[-1].text)

    async def go(self, port: int) -> FaultProxy:
        async with FaultProxy(port, self.case.faults, mute=self.case.mute) as proxy:
            engine = DashScope(
                Secret("sk-any"),
                base_url=f"{proxy.url}/api/v1",
                timeouts=Timeouts(connect=SILENCE),
                warm=self.case.warm,
            )
            async with asyncio.timeout(HANGS), Client(engine=engine, cache=False) as client:
                opened = client.live(self.case.request)
                assert isinstance(opened._link, RealtimeLink)
                opened._link._patience = Patience(silence=SILENCE)
                try:
                    async with opened as session:
                        reading = asyncio.create_task(self._read(session))
                        await self._write(session)
                        await reading
                        self.heard_text = session.heard().text
                except LinereadError as error:
                    self.error = error
            await engine.aclose()
        return proxy

    async def _read(self, session: Session) -> None:
        async for chunk in session:
            self.chunks.append(chunk)
            await asyncio.sleep(self.case.reader)

    async def _write(self, session: Session) -> None:
        try:
            for step in self.case.steps:
                await self._do(step, session)
        except LinereadError as error:  # the reader is told as well
            self.refused = error

    async def _do(self, step: Step, session: Session) -> None:
        if step.what == "write":
            self.lots[-1].text += step.text
            await session.write(step.text)
        elif step.what == "wait":
            await asyncio.sleep(step.seconds)
        elif step.what == "end":
            await session.end()
        elif step.what == "commit":
            self.lots[-1].committed = True
            self.lots.append(Lot(self.written))
            await session.commit()
        elif step.what == "clear":
            self._forget("cleared")
            await session.clear()
        else:
            await session.cancel()
            self._forget("cancelled")
            self.silent.append((len(self.chunks), self.written))

    def _forget(self, fate: Fate) -> None:
        """All that is not known to be said need not be; in commit mode what was not committed is never said."""
        in_one_go = self.case.request.mode == "server_commit"
        for lot in self.lots:
            if not in_one_go and not lot.committed and lot.fate == "said":
                lot.fate = "unsaid"
            elif lot.fate == "said" and (in_one_go or fate == "cancelled"):
                lot.fate = fate
        self.lots.append(Lot(self.written))


def wrong(run: Run) -> str:
    """What is wrong with a run; empty if nothing is."""
    heard = read(run.chunks, run.case.request.voice)
    words = [(word, end, lot) for lot in run.lots for word, end in lot.words]
    place = {word: at for at, (word, _, _) in enumerate(words)}
    order = [place[each.word] for each in heard]
    if order != sorted(set(order)):
        return f"words repeated or out of order: {[each.word for each in heard]}"
    if run.refused is not None and run.error is None:
        return f"the writer alone was told of {run.refused!r}"
    delivered = _delivered(run.error)
    return (
        _lost(run, words, {each.word for each in heard}, delivered)
        or _broken(run, words, heard, order, delivered)
        or _misplaced(run, words, heard, order)
        or _untold(run, words, heard, order, delivered)
    )


def _delivered(error: LinereadError | None) -> int | None:
    """How far an error says that the text was spoken; None where there is none."""
    if error is None:
        return None
    if isinstance(error, SpeechCut):
        return error.delivered[1]
    said = re.search(r"The text up to character (\d+) was spoken", error.message)
    return int(said[1]) if said else 0


def _lost(run: Run, words: list[tuple[str, int, Lot]], heard: set[str], delivered: int | None) -> str:
    """Words that were not heard, and should have been; or that were, and should not."""
    for lot in run.lots:
        mine = [word for word, _ in lot.words]
        if lot.fate == "unsaid" and heard & set(mine):
            return f"what was taken back was heard: {mine}"
        said = [word in heard for word in mine]
        if lot.fate != "said" and said != sorted(said, reverse=True):
            return f"a hole in {mine}"
    missing = [(word, end) for word, end, lot in words if lot.fate == "said" and word not in heard]
    lost = [word for word, end in missing if delivered is None or end <= delivered]
    return f"lost {lost}" if lost else ""


def _broken(
    run: Run, words: list[tuple[str, int, Lot]], heard: list[Word], order: list[int], delivered: int | None
) -> str:
    """Words that were heard in part, though nothing cut them off; or that were heard after a cancel."""
    last = {
        max((at for at, each in zip(order, heard, strict=True) if each.chunk < chunks), default=-1)
        for chunks, _ in run.silent
    }
    for at, each in zip(order, heard, strict=True):
        cut = at in last or (delivered is not None and words[at][1] > delivered and each is heard[-1])
        if not each.whole and not cut:
            return f"{each.word} was not heard whole"
    for chunks, written in run.silent:
        late = [
            each.word for at, each in zip(order, heard, strict=True) if each.chunk >= chunks and words[at][1] <= written
        ]
        if late:
            return f"after a cancel came {late}"
    return ""


def _misplaced(run: Run, words: list[tuple[str, int, Lot]], heard: list[Word], order: list[int]) -> str:
    """Chunks that lie about their place."""
    reached = 0
    for chunk in run.chunks:
        if chunk.offset != reached:
            return f"offset {chunk.offset} instead of {reached}"
        reached += chunk.samples
    if run.case.mute:
        return ""  # what was spoken is then concluded from what is billed
    for at, each in zip(order, heard, strict=True):
        span = run.chunks[each.chunk].span
        if not span[0] < words[at][1] <= span[1]:
            return f"{each.word} ends at {words[at][1]}, its chunk speaks {span}"
    simple = all(lot.fate == "said" for lot in run.lots)
    if run.error is None and simple:
        if not run.chunks[-1].final:
            return "the last chunk is not final"
        if words_of(run.heard_text) != [word for word, _, _ in words]:
            return f"heard() says {run.heard_text!r}"
    return ""


def _untold(
    run: Run, words: list[tuple[str, int, Lot]], heard: list[Word], order: list[int], delivered: int | None
) -> str:
    """More was heard than an error says, and not just a part of one piece."""
    if delivered is None:
        return ""
    more = [at for at in order if words[at][1] > delivered and words[at][2].fate == "said"]
    if not isinstance(run.error, SpeechCut):
        return f"{run.error!r} says {delivered}, more was heard" if more else ""
    span = next((chunk.span for chunk in reversed(run.chunks) if chunk.pcm), (0, 0))
    if not run.case.mute and any(words[at][1] <= span[0] for at in more):
        return f"only {delivered} is named, the last piece is {span}"
    if not any(chunk.pcm and chunk.span[1] > delivered for chunk in run.chunks):
        return "nothing was heard in part"
    return ""


async def survive(directory: Path, seeds: range) -> Counter[str]:
    """Run all of these; how many ended how."""
    turn = asyncio.Semaphore(AT_ONCE)
    ends: Counter[str] = Counter()
    failures: list[str] = []

    async def one(seed: int) -> None:
        async with turn:
            run = Run(Case.of(seed))
            try:
                proxy = await run.go(server.port)
            except TimeoutError:
                failures.append(f"seed {seed}: it hangs")
                return
            except Exception as error:  # noqa: BLE001 - reported with its seed
                failures.append(f"seed {seed}: {error!r}")
                return
            ends["complete" if run.error is None else type(run.error).__name__] += 1
            ends["faults"] += len(proxy.done)
            ends["survived"] += run.error is None and bool(proxy.done)
            if not run.case.faults and run.error is not None:
                failures.append(f"seed {seed}: {run.error!r} without any fault")
            if problem := wrong(run):
                failures.append(f"seed {seed}: {problem} [{run.error!r}, {proxy.done}]")

    speaker = Client(engine=Readable(), cache=False, notice=lambda _: None)
    async with live(directory, client=speaker, max_sessions=4000, log=False) as server:
        await asyncio.gather(*(one(seed) for seed in seeds))
    assert not failures, "\n".join([f"{len(failures)} of {len(seeds)}; {dict(ends)}", *failures[:40]])
    return ends


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that are long for people are short here."""
    hasten(monkeypatch)


def hasten(patch: pytest.MonkeyPatch) -> None:
    """As that."""
    patch.setattr(caller, "LOSS_WAIT", 0.005)
    patch.setattr(caller, "LEAD", 0.1)
    patch.setattr(link, "LEAD", 0.1)
    patch.setattr(local, "QUIET", 0.02)


async def test_no_word_is_lost_or_repeated(tmp_path: Path) -> None:
    """Each session ends with all of its words, each heard once, or in an error that says which were heard."""
    ends = await survive(tmp_path, range(CASES))
    assert ends["faults"] > CASES / 2
    assert ends["survived"] > CASES / 5
    assert ends["SpeechCut"] > CASES / 50
