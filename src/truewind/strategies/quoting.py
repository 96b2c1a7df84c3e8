"""Quoters: strategies on an order book that say which quotes they want, and leave it to others to work the orders.

A quoter is one kernel, `quote(top, memory) -> Quotes`: from the best prices and what is held to a bid and an ask. It is
asked at every tick of its timer. The event lane works the orders here, machine code in `engine.quoting`; both the same
way, so that one function quotes in both.
"""

from abc import ABC
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from truewind.strategies.book import BookStrategy


class Top(NamedTuple):
    """What a quoter is told. Prices in ticks, 0 where there is none; quantities in lots; position signed."""

    now_us: int
    bid: int
    bid_lots: int
    ask: int
    ask_lots: int
    position: int


class Quotes(NamedTuple):
    """What a quoter wants: a price in ticks and lots on each side, 0 lots for none.

    patience: ticks by which a working order may be off the wanted price before it is withdrawn: its place in the queue
    is worth something.
    """

    bid: int
    bid_lots: int
    ask: int
    ask_lots: int
    patience: int


class Quoter(BookStrategy, ABC):
    """Base of strategies that keep one quote on each side, post-only.

    A side's next order is sent when the one before it is known to have ended, so that two of one side never fill: what
    is held goes no further than what `quote` says.
    """

    timer_us = 100_000
    quote: Callable[[Top, Any], Quotes]

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._memory = self.memory()

    def on_timer(self) -> None:
        desk = self.desk
        bid, ask = desk.best_bid, desk.best_ask
        top = Top(
            desk.now_us, bid, desk.displayed(1, bid) if bid else 0, ask, desk.displayed(-1, ask) if ask else 0,
            desk.position,
        )  # fmt: skip
        self._work(type(self).quote(top, self._memory))

    def _work(self, wanted: Quotes) -> None:
        """Withdraw what is off its price, and quote on the sides that have no order."""
        prices, lots = {1: wanted.bid, -1: wanted.ask}, {1: wanted.bid_lots, -1: wanted.ask_lots}
        quoted = set()
        for order in self.desk.working():
            quoted.add(order.side)
            is_off = lots[order.side] == 0 or abs(order.ticks - prices[order.side]) > wanted.patience
            if is_off and order.is_settled:
                self.desk.cancel(order.id)
        for side in (1, -1):
            if side not in quoted and lots[side] > 0:
                self.desk.limit(side, prices[side], lots[side], post_only=True)


NO_QUOTES = Quotes(0, 0, 0, 0, 0)


def memory_of(*numbers: float) -> np.ndarray:
    """A quoter's memory that begins with these numbers."""
    return np.array(numbers, np.float64)
