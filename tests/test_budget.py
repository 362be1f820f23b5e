"""Budgets and quotes: what may be spent is never passed, and what will be spent is known before."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineread import Client, tts
from lineread.budget import Budget, Cost, Purse, Share, Tariff
from lineread.engines.enroller import Enroller
from lineread.engines.fake import Act, Fake
from lineread.enrolment import Clone, Design, Enrolled, Kind, Page
from lineread.errors import (
    ConfigError,
    EngineError,
    LinereadError,
    OverBudget,
    Refused,
    ServiceFailed,
    Throttled,
    TimedOut,
    Unreachable,
)
from lineread.speech import Chunk, LiveRequest, Request, Segment, billed_characters
from lineread.text import length
from lineread.wrappers.budgeted import Budgeted
from support import gather

SENTENCES = "One here. Two there. Three is more. Four is a crowd. Five is the last one."


class Paid(Fake):
    """A fake that costs money, and keeps a bill of its own: all that it was ever asked to speak."""

    price: float | None = 0.8

    def __init__(self, *script: Act | Exception) -> None:
        super().__init__(script)
        self.bill = 0

    def tariff(self, request: Request | LiveRequest) -> Tariff:
        return Tariff(self.price)

    async def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        self.bill += billed_characters(segment.text)
        try:
            async for chunk in super().stream(segment):
                yield chunk
        except EngineError as error:
            if not error.may_be_billed:
                self.bill -= billed_characters(segment.text)
            raise


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("5yuan", "5", "yuan"),
        ("0.25 CNY", "0.25", "yuan"),
        ("¥ 12", "12", "yuan"),
        ("3元", "3", "yuan"),
        ("20000characters", "20000", "characters"),
        ("10 chars", "10", "characters"),
        ("0 yuan", "0", "yuan"),
    ],
)
def test_budgets_are_read_as_people_write_them(text: str, amount: str, unit: str) -> None:
    """Both units in their usual spellings, exactly."""
    assert Budget.parse(text) == Budget(Decimal(amount), unit)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["", "5", "yuan", "-1 yuan", "5 dollars", "¥5 characters", "1e9 yuan", "nan yuan", "5,000c"]
)
def test_what_is_no_budget_is_refused(text: str) -> None:
    """A number without its unit could mean either; nothing is guessed."""
    with pytest.raises(ConfigError, match="is no budget") as caught:
        Client(engine="fake", budget=text)
    assert caught.value.remedy


AWAY = Unreachable("away")
AWAY.may_be_billed = False
FAILURES = [Refused("no"), Throttled("slow"), AWAY, Unreachable("cut"), TimedOut("late"), ServiceFailed("broken")]


@given(
    limit=st.integers(0, 120),
    texts=st.lists(st.text("ab 好", min_size=1, max_size=30).filter(str.strip), min_size=1, max_size=12),
    fates=st.lists(st.sampled_from([None, None, None, *FAILURES]), max_size=12),
    unit=st.sampled_from(["characters", "yuan"]),
)
@settings(derandomize=True, max_examples=150, deadline=None)
def test_the_budget_is_never_passed(limit: int, texts: list[str], fates: list[EngineError | None], unit: str) -> None:
    """Whatever fails, and however many speak at once, each by itself or out of a share that is too small, right or too
    large: the service's own bill stays within the budget, and the account is that bill.
    """
    engine = Paid(*(Act(error=fate) if fate else Act() for fate in fates))
    amount = Decimal(limit) if unit == "characters" else Decimal(limit) * Decimal("0.00008")
    purse = Purse(Budget(amount, unit))  # type: ignore[arg-type]
    budgeted = Budgeted(engine, purse)

    async def speak(text: str, share: Share | None) -> None:
        segment = Segment(Request(text, "Cherry", model="fake"), 0, 0, len(text), share=share)
        with contextlib.suppress(LinereadError):
            await gather(budgeted.stream(segment))
        assert purse.taken <= purse.budget.amount

    async def speak_twice(number: int, text: str) -> None:
        aside = billed_characters(text) * (number % 4)
        try:
            with purse.shared(Tariff(0.8).cost(aside)) as share:
                await asyncio.gather(speak(text, share), speak(text, share))
        except OverBudget:
            await speak(text, None)

    async def all_at_once() -> None:
        await asyncio.gather(*itertools.starmap(speak_twice, enumerate(texts)))

    asyncio.run(all_at_once())
    assert engine.bill <= limit
    assert Tariff(0.8).cost(engine.bill)[0 if unit == "characters" else 1] == purse.taken


async def test_texts_that_do_not_all_fit_do_not_all_break_off(tmp_path: Path) -> None:
    """Of four that are begun at once, the two that the budget has room for are spoken whole; the others cost nothing.

    What is set aside for one is given back when it was left in the middle.
    """
    engine = Paid(*[Act(delay=0.01)] * 40)
    async with Client(engine=engine, budget="200 characters", cache=False) as client:
        jobs = [client.prepare(Request(f"{SENTENCES} {number}", "Cherry")) for number in range(4)]
        ends = await asyncio.gather(*(gather(job.chunks()) for job in jobs), return_exceptions=True)
        refused = [end for end in ends if isinstance(end, OverBudget)]
        assert len(refused) == 2
        assert "are left" in refused[0].message
        cost = billed_characters(jobs[0].request.text)
        assert engine.bill == 2 * cost
        assert client.purse is not None
        assert client.purse.taken == 2 * cost
        stream = client.prepare(Request("One. Two.", "Cherry")).chunks()
        await anext(stream)
        await stream.aclose()
        assert client.purse.taken <= 2 * cost + len("One. Two.")


async def test_whoever_leaves_in_the_middle_has_paid() -> None:
    """A call that was begun is billed, also when nobody hears it out."""
    purse = Purse(Budget.parse("100 characters"))
    stream = Budgeted(Paid(Act(chunks=4)), purse).stream(
        Segment(Request("Hello there.", "Cherry", model="fake"), 0, 0, 12)
    )
    await anext(stream)
    await stream.aclose()
    assert purse.taken == 12


def test_what_does_not_fit_is_not_begun(tmp_path: Path) -> None:
    """A text that costs more than is left is refused whole, before its first call; a smaller one still speaks."""
    engine = Paid()
    client = Client(engine=engine, budget="40 characters", cache_dir=tmp_path)
    with pytest.raises(OverBudget, match="up to 74 characters, and 40 of 40 characters are left"):
        client.generate(Request(SENTENCES, "Cherry"))
    assert not engine.calls
    assert client.generate(Request("One here. Two there.", "Cherry")).characters == 20
    assert client.purse is not None
    assert client.purse.to_dict() == {"unit": "characters", "limit": 40.0, "spent": 20.0, "left": 20.0}


def test_what_is_stored_costs_nothing(tmp_path: Path) -> None:
    """A line that was spoken before is spoken again when nothing is left."""
    with Client(engine=Paid(), cache_dir=tmp_path) as rich:
        rich.generate(Request(SENTENCES, "Cherry"))
    poor = Client(engine=Paid(), budget="0yuan", cache_dir=tmp_path)
    assert poor.generate(Request(SENTENCES, "Cherry")).cached
    assert poor.purse is not None
    assert not poor.purse.taken


@pytest.mark.parametrize("price", [None, 0.8])
def test_nothing_said_costs_nothing(price: float | None) -> None:
    """No characters have a known price, also of a model whose tokens nobody can count before."""
    assert Tariff(price).cost(0) == Cost(0)
    Purse(Budget.parse("0yuan")).hold(Tariff(price).cost(0))


async def test_a_model_that_bills_tokens_needs_a_budget_of_characters() -> None:
    """What nobody knows before cannot be held to a number of yuan; it can be to one of characters."""
    engine = Paid()
    engine.price = None
    segment = Segment(Request("Hello.", "Cherry", model="fake"), 0, 0, 6)
    with pytest.raises(OverBudget, match="billed by the token"):
        await gather(Budgeted(engine, Purse(Budget.parse("5yuan"))).stream(segment))
    purse = Purse(Budget.parse("5000c"))
    await gather(Budgeted(engine, purse).stream(segment))
    assert purse.taken == 6


class Maker(Enroller):
    """Makes voices at a price, or fails."""

    engine, place, account = "paid", "here", ""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.made = 0

    def target(self, kind: Kind, *, model: str | None = None, realtime: bool = False) -> str:
        return "fake"

    def price(self, kind: Kind) -> float:
        return 0.2 if kind == "design" else 0.01

    async def clone(self, order: Clone) -> Enrolled:
        return await self._make("clone")

    async def design(self, order: Design) -> Enrolled:
        return await self._make("design")

    async def _make(self, kind: Kind) -> Enrolled:
        if self._errors:
            raise self._errors.pop(0)
        self.made += 1
        return Enrolled("qwen-tts-vd-x-voice-20260101000000000-abcd", kind, "fake")

    async def page(self, kind: Kind, *, index: int = 0, size: int = 10) -> Page:
        raise NotImplementedError

    async def find(self, kind: Kind, voice: str) -> Enrolled:
        raise NotImplementedError

    async def delete(self, kind: Kind, voice: str) -> None:
        raise NotImplementedError


async def test_voices_are_paid_for_by_the_piece() -> None:
    """A voice that was made counts, one that was refused does not, one in doubt does; characters buy none."""

    class Making(Paid):
        def enroller(self, *, turn: object = None) -> Enroller:
            return maker

    maker = Maker(Refused("no"), TimedOut("late", code="voice_in_doubt"))
    order = Design("x", "A man.", "fake", "Hello.")
    purse = Purse(Budget.parse("0.5yuan"))
    enroller = Budgeted(Making(), purse).enroller()
    assert enroller is not None
    for spent in ("0", "0.2"):
        with pytest.raises(EngineError):
            await enroller.design(order)
        assert purse.taken == Decimal(spent)
    await enroller.design(order)
    with pytest.raises(OverBudget, match=r"up to 0\.2 yuan, and 0\.1 of 0\.5 yuan are left"):
        await enroller.design(order)
    assert maker.made == 1
    by_characters = Budgeted(Making(), Purse(Budget.parse("5000c"))).enroller()
    assert by_characters is not None
    with pytest.raises(OverBudget, match="budget is one of characters"):
        await by_characters.design(order)


def test_a_quote_says_what_the_cloud_will_ask(tmp_path: Path) -> None:
    """Characters, price and calls before anything is sent; what is stored is free; the region decides the price."""
    client = Client(engine="dashscope", api_key="sk-nobody-asks", cache_dir=tmp_path, region="cn-beijing")
    quote = client.quote(Request("你好，世界。" * 200, "Cherry"))
    assert quote.characters == 200 * 10
    assert quote.calls == 2
    assert quote.to_dict()["yuan"] == pytest.approx(2000 * 0.8 / 10_000)
    assert quote.seconds == pytest.approx(200 * 1.3, rel=0.1)
    abroad = Client(engine="dashscope", api_key="sk-nobody-asks", cache=False, region="ap-southeast-1")
    assert abroad.quote(Request("Hello.", "Cherry")).cost == Cost(6, Decimal("0.733924") * 6 / 10_000)
    tokens = abroad.quote(Request("Hello.", "Cherry", model="qwen-tts"))
    assert tokens.to_dict()["yuan"] is None


def test_a_quote_is_what_is_billed_then(tmp_path: Path) -> None:
    """What was quoted is what the speech bills; the second time all of it is stored and free."""
    client = Client(engine=Paid(), cache_dir=tmp_path)
    request = Request(SENTENCES, "Cherry")
    quote = client.quote(request)
    assert client.generate(request).characters == quote.characters == quote.cost.characters
    again = client.quote(request)
    assert (again.stored, again.calls, again.to_dict()["yuan"]) == (quote.characters, 0, 0.0)


def test_the_length_of_speech_is_estimated() -> None:
    """Over some sentences the estimate is within a sixth of what the built-in voice takes."""
    texts = [
        "Hello, this is a short voice line.",
        "He said: no, never, not at all!",
        SENTENCES,
        "Gate 24 closes at 9:30.",
    ]
    spoken = sum(tts.generate(text=text, voice="Cherry", engine="builtin").duration for text in texts)
    assert sum(map(length.seconds, texts)) == pytest.approx(spoken, rel=1 / 6)
    assert length.seconds("今天天气很好。", 2.0) == pytest.approx(length.seconds("今天天气很好。") / 2)
