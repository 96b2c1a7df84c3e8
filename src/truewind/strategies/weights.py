"""Strategies that hold weights: now and then a ranking says which part of equity each symbol shall have.

A subclass names the weights; what it takes to come to them is done here, for all of them alike: the cross-section of
one time is put together, held positions are compared with what is wanted, and one order a symbol makes up for the
difference, if it is worth its costs.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field

from truewind.config import Settings
from truewind.domain.timeframe import DAY_US, MONDAY_US, SECOND_US, WEEK_US
from truewind.strategies.base import Strategy


class WeightStrategy(Strategy, ABC):
    """Base of strategies that rank many symbols and hold weights of equity, traded at market.

    The section of a time is complete when every symbol of the section before has its bar: that is known without
    waiting for another bar, live as well. Where one is missing (a gap, a delisting), it is complete when the next time
    begins, and is traded that much later. The first complete section of each week or month is traded.

    Symbols that have no bar in the section keep what they have. Instruments are linear: a unit is worth its price.
    """

    fields = ("symbol", "ts_event", "close")

    class Params(Settings):
        """What every strategy of weights has."""

        every: Literal["day", "week", "month"] = Field(
            default="week", description="how often weights are renewed: each UTC day, week (Monday) or month"
        )
        gross: float = Field(default=1.0, gt=0.0, le=5.0, description="sum of all weights' sizes, fraction of equity")
        minimum: float = Field(
            default=0.005, ge=0.0, le=0.5, description="smallest change of a weight that is traded, fraction of equity"
        )

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._now = 0
        self._section: dict[str, Any] = {}
        self._missing: set[str] | None = None  # None: nobody knows yet who is there
        self._is_open = False
        self._period: object = None

    @abstractmethod
    def weights(self, section: Mapping[str, Any]) -> Mapping[str, float] | None:
        """The part of equity that each symbol shall have, negative for short; whoever is not named: nothing.

        section: the bars of one time by symbol, features and all. None: nothing to say, keep what there is.
        """

    def on_bar(self, bar: Any) -> None:
        if bar.ts_event != self._now:
            if self._is_open:
                self._complete()
            self._missing = set(self._section) if self._section else None
            self._now, self._section, self._is_open = bar.ts_event, {}, True
        self._section[bar.symbol] = bar
        if self._missing is not None:
            self._missing.discard(bar.symbol)
            if self._is_open and not self._missing:
                self._complete()

    def _complete(self) -> None:
        """The section is complete: trade it, if it is the first one of its period."""
        self._is_open = False
        period = period_of(self._now, self.params.every)
        if period == self._period:
            return
        self._period = period
        wanted = self.weights(self._section)
        if wanted is not None:
            self._rebalance(wanted)

    def _rebalance(self, wanted: Mapping[str, float]) -> None:
        equity = self.account.equity
        if not equity > 0.0:
            return
        orders = []
        for symbol, bar in self._section.items():
            for order in self.desk.working(symbol):  # what the last time left over
                self.cancel(order.id)
            held = self.position(symbol).quantity
            target = wanted.get(symbol, 0.0) * equity / bar.close
            change = (target - held) * bar.close / equity
            if target == 0.0 and held != 0.0:
                orders.append((0, symbol, -held))
            elif abs(change) > self.params.minimum:
                orders.append((0 if abs(target) < abs(held) else 1, symbol, target - held))
        # What is given up comes first: it is from this that the rest is paid. Closing orders pass every limit.
        for grows, symbol, quantity in sorted(orders, key=lambda order: order[0]):
            if grows or wanted.get(symbol, 0.0):
                (self.buy if quantity > 0.0 else self.sell)(abs(quantity), symbol=symbol)
            else:
                self.close(symbol)


def period_of(ts_us: int, every: str) -> object:
    """What two times have in common that lie in the same UTC day, week (from Monday on) or month."""
    if every == "day":
        return ts_us // DAY_US
    if every == "week":
        return (ts_us - MONDAY_US) // WEEK_US
    day = datetime.fromtimestamp(ts_us // SECOND_US, UTC)
    return day.year, day.month


def is_member(bar: Any) -> bool:
    """Whether a bar's symbol is in the universe of the run; in a run without one all are."""
    return bool(getattr(bar, "member", 1.0) != 0.0)


def inverse(risks: Mapping[str, float]) -> dict[str, float]:
    """Weights that sum to one, inversely proportional to `risks`; without what is not a number > 0."""
    shares = {name: 1.0 / risk for name, risk in risks.items() if 0.0 < risk < math.inf}
    total = math.fsum(shares.values())
    return {name: share / total for name, share in shares.items()} if 0.0 < total < math.inf else {}
