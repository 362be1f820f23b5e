"""What a request will cost, and how long it will be, before anything is paid for.

Owns that reckoning for a plan: what the cache has costs nothing, the rest what the engine's tariff says. Nothing is
sent, and no model is loaded.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from lineread.budget import Cost
from lineread.speech import billed_characters
from lineread.text import length

if TYPE_CHECKING:
    from lineread.pipeline import Studio
    from lineread.plan import Plan


@dataclass(frozen=True, slots=True)
class Quote:
    """What a request will cost.

    Attributes:
        engine: Who will speak.
        model: With which model; empty where the engine has none.
        voice: In which voice.
        characters: Billed characters of all of it.
        stored: How many of these the cache has: they cost nothing.
        calls: Calls of the engine that the rest takes.
        cost: What the rest costs; nothing where the machine speaks.
        seconds: About how long the sound is.
        wait: Seconds until the last of these calls can be made at the earliest, within the account's calls a minute.
    """

    engine: str
    model: str
    voice: str
    characters: int
    stored: int
    calls: int
    cost: Cost
    seconds: float
    wait: float

    def to_dict(self) -> dict[str, object]:
        """The quote as a JSON-ready object; ``yuan`` is null where the model bills tokens."""
        facts = asdict(self)
        yuan = facts.pop("cost")[1]
        return {**facts, "yuan": None if yuan is None else float(yuan)}


def quote(plan: Plan, studio: Studio) -> Quote:
    """What a plan will cost where it is carried out."""
    request, engine = plan.request, studio.engine
    stored = due = calls = 0
    for segment in plan.segments():
        characters = billed_characters(segment.text)
        if studio.holds(segment):
            stored += characters
        else:
            due += characters
            calls += 1
    tariff, quota = engine.tariff(request), engine.quota(request)
    cost = Cost(0) if tariff is None else tariff.cost(due)
    queue = 0.0 if quota is None else max(0, calls - 1) * 60 / quota.per_minute
    return Quote(
        engine=engine.name,
        model=request.model or "",
        voice=request.voice,
        characters=stored + due,
        stored=stored,
        calls=calls,
        cost=cost,
        seconds=round(length.seconds(request.text, request.rate), 1),
        wait=round((engine.wait(request) if calls else 0.0) + queue, 1),
    )
