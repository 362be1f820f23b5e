"""What may be spent: a budget in yuan or in characters, and the purse that holds to it.

Owns the account and its arithmetic. What something will cost is held before it begins and settled when it has ended,
so that no two that are under way together pass the budget. What takes several calls has a share set aside for all of
them, so that two that do not both fit do not both break off. Pure, and safe for threads.
"""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from lineread.errors import ConfigError, OverBudget, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Unit = Literal["yuan", "characters"]
"""What a budget is counted in."""

#: Characters that a price of the catalogue is for.
PRICED: Final = 10_000
#: How people write the two units.
_UNITS: Final[Mapping[str, Unit]] = {
    **dict.fromkeys(("yuan", "cny", "rmb", "元", "¥"), "yuan"),
    **dict.fromkeys(("characters", "character", "chars", "c"), "characters"),
}
_BUDGET: Final = re.compile(r"\s*(¥?)\s*(\d{1,12}(?:\.\d{1,6})?)\s*(\w*)\s*")
_HOW: Final = "Write 5yuan, or 20000characters."


class Cost(NamedTuple):
    """What something costs.

    Attributes:
        characters: Billed characters.
        yuan: Their price; None where the service counts something that nobody knows before.
    """

    characters: int = 0
    yuan: Decimal | None = Decimal(0)


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a service asks for speech.

    Attributes:
        price: Yuan for 10,000 billed characters; None where it bills tokens, which nobody knows before.
    """

    price: float | None

    def cost(self, characters: int) -> Cost:
        """What some billed characters cost. None of them cost nothing, whatever is billed."""
        if self.price is None and characters:
            return Cost(characters, None)
        return Cost(characters, Decimal(str(self.price or 0)) * characters / PRICED)


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that may be spent.

    Attributes:
        amount: How much.
        unit: Of what.
    """

    amount: Decimal
    unit: Unit

    @classmethod
    def parse(cls, text: str) -> Budget:
        """A budget as people write it: ``5yuan``, ``¥5``, ``20000 characters``.

        Raises:
            ConfigError: It is none.
        """
        match = _BUDGET.fullmatch(text)
        sign, number, word = match.groups() if match else ("", "", "")
        unit = _UNITS.get(sign or word.lower())
        if unit is None or (sign and word):
            raise ConfigError(f"{shortened(text)!r} is no budget.", remedy=_HOW, code="bad_budget")
        return cls(Decimal(number), unit)

    def __str__(self) -> str:
        return f"{_shown(self.amount)} {self.unit}"


class Purse:
    """A budget, and what of it is spent.

    Args:
        budget: The most that may be spent.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._taken = Decimal(0)
        self.lock = threading.Lock()

    @property
    def taken(self) -> Decimal:
        """What is spent, and what is held for work under way, in the budget's unit."""
        return self._taken

    @property
    def left(self) -> Decimal:
        """What may still be spent, in the budget's unit; never less than nothing."""
        return max(Decimal(0), self.budget.amount - self._taken)

    def check(self, cost: Cost) -> None:
        """Refuse what does not fit into what is left. Nothing is held.

        Raises:
            OverBudget: It does not fit.
        """
        amount = self.amount(cost)
        if amount > self.left:
            raise self._refusal(amount)

    def hold(self, cost: Cost) -> Hold:
        """Take what something will cost at most, before it begins.

        Raises:
            OverBudget: It does not fit into what is left. Nothing is held.
        """
        return Share(self, None).hold(cost)

    @contextmanager
    def shared(self, cost: Cost) -> Iterator[Share]:
        """As :meth:`share`, given back in the end."""
        share = self.share(cost)
        try:
            yield share
        finally:
            share.close()

    def share(self, cost: Cost) -> Share:
        """Set aside what several calls will cost together.

        Raises:
            OverBudget: It does not fit into what is left. Nothing is set aside.
        """
        amount = self.amount(cost)
        with self.lock:
            self.take(amount)
        return Share(self, amount)

    def take(self, amount: Decimal) -> None:
        """Take a part of what is left. The caller holds the lock.

        Raises:
            OverBudget: There is not so much left. Nothing is taken.
        """
        if amount and amount > self.budget.amount - self._taken:
            raise self._refusal(amount)
        self._taken += amount

    def give_back(self, amount: Decimal) -> None:
        """Give back what was taken and not spent, or take what was spent besides. The caller holds the lock."""
        self._taken -= amount

    def to_dict(self) -> dict[str, object]:
        """The account as a JSON-ready object."""
        return {
            "unit": self.budget.unit,
            "limit": float(self.budget.amount),
            "spent": float(self.taken),
            "left": float(self.left),
        }

    def amount(self, cost: Cost) -> Decimal:
        """What something costs, in the budget's unit.

        Raises:
            OverBudget: Nobody knows that before.
        """
        if self.budget.unit == "characters":
            if cost.yuan and not cost.characters:  # a voice is paid for by the piece
                raise OverBudget(
                    f"That costs {_shown(cost.yuan)} yuan, and the budget is one of characters.",
                    remedy="Whoever set the budget can give it in yuan.",
                )
            return Decimal(cost.characters)
        if cost.yuan is None:
            raise OverBudget(
                "What that model costs is not known before it has spoken: it is billed by the token.",
                remedy="Choose a qwen3-tts model, or have the budget given in characters.",
            )
        return cost.yuan

    def _refusal(self, amount: Decimal) -> OverBudget:
        return OverBudget(
            f"That costs up to {_shown(amount)} {self.budget.unit}, and {_shown(self.left)} of {self.budget} are left.",
            remedy="Ask whoever set the budget for more, or speak less; what was spoken before costs nothing again.",
        )


class Share:
    """A part of a purse that is set aside for calls that belong together.

    Args:
        purse: Whose it is.
        amount: What is set aside; None is a share that was given back.
    """

    def __init__(self, purse: Purse, amount: Decimal | None) -> None:
        self._purse = purse
        self._rest = amount

    def hold(self, cost: Cost) -> Hold:
        """Take what a call will cost at most, before it begins; what the share lacks comes out of the purse.

        Raises:
            OverBudget: The purse has not so much left. Nothing is held.
        """
        amount = self._purse.amount(cost)
        with self._purse.lock:
            own = min(amount, self._rest or Decimal(0))
            self._purse.take(amount - own)
            if self._rest is not None:
                self._rest -= own
        return Hold(self, amount)

    def settled(self, held: Decimal, cost: Cost) -> None:
        """Put what a call did cost in the place of what was held for it."""
        saved = held - self._purse.amount(cost)
        with self._purse.lock:
            if self._rest is None or saved < 0:
                self._purse.give_back(saved)
            else:
                self._rest += saved

    def close(self) -> None:
        """Give back what is left of it. A call that is still under way settles with the purse."""
        with self._purse.lock:
            rest, self._rest = self._rest, None
            self._purse.give_back(rest or Decimal(0))


class Hold:
    """What is held for a call that is under way."""

    def __init__(self, share: Share, amount: Decimal) -> None:
        self._share = share
        self._amount: Decimal | None = amount

    def settle(self, cost: Cost) -> None:
        """Say what it did cost. Only the first time counts."""
        if self._amount is not None:
            held, self._amount = self._amount, None
            self._share.settled(held, cost)


def _shown(amount: Decimal) -> str:
    """An amount as people write it."""
    return f"{amount.quantize(Decimal('0.0001')).normalize():,f}"
