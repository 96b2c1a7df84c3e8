"""A small market maker on an order book, with two faces: a Python object, and a kernel that does the same.

    truewind data import RECORDING.gz --base-latency-ms 1      raw frames of BTCUSDT perpetuals, as hftbacktest's
    truewind backtest examples/market_making.yaml              collector writes them
    truewind backtest examples/market_making.yaml --set lane=event

Both give the same orders and fills; the kernel answers a hundred times faster.
"""

import numpy as np
from pydantic import Field

from truewind.config import Settings
from truewind.engine import book_desk as desk_of
from truewind.numerics.jit import kernel
from truewind.strategies.book import BookStrategy


@kernel
def make_market(wake: int, lane: int, memory: np.ndarray) -> None:
    """`MarketMaker.on_timer` for machine code. memory: lots, most, away."""
    lots, most, away = memory[0], memory[1], memory[2]
    bid, ask = desk_of.best_bid(lane), desk_of.best_ask(lane)
    if bid == 0 or ask == 0:
        return
    held = desk_of.position(lane)
    middle = (bid + ask) // 2 - away * held // (2 * most)
    bid, ask = middle - away, middle + away
    has_bid = has_ask = False
    for j in range(desk_of.working(lane)):
        order = desk_of.order_at(lane, j)
        if order.ticks == (bid if order.side > 0 else ask):
            has_bid, has_ask = has_bid or order.side > 0, has_ask or order.side < 0
        elif order.is_settled:
            desk_of.cancel(lane, order.id)
    if not has_bid and held < most:
        desk_of.limit(lane, 1, bid, lots, 0, 1, 0)
    if not has_ask and -held < most:
        desk_of.limit(lane, -1, ask, lots, 0, 1, 0)


class MarketMaker(BookStrategy):
    """Quotes on both sides of the middle, further away where it already holds some. It asks ten times a second."""

    timer_us = 100_000
    decide = make_market

    class Params(Settings):
        """lots: of one quote. most: lots that it will hold. away: ticks from the middle."""

        lots: int = Field(default=10, ge=1)
        most: int = Field(default=50, ge=1)
        away: int = Field(default=5, ge=1)

    def memory(self) -> np.ndarray:
        return np.array([self.params.lots, self.params.most, self.params.away])

    def on_timer(self) -> None:
        desk, lots = self.desk, self.params.lots
        if not desk.best_bid or not desk.best_ask:
            return
        held = desk.position
        away, most = self.params.away, self.params.most
        middle = (desk.best_bid + desk.best_ask) // 2 - away * held // (2 * most)
        wanted = {1: middle - away, -1: middle + away}
        quoted = {1: False, -1: False}
        for order in desk.working():
            if order.ticks == wanted[order.side]:
                quoted[order.side] = True
            elif order.is_settled:
                desk.cancel(order.id)
        for side in (1, -1):
            if not quoted[side] and side * held < most:
                desk.limit(side, wanted[side], lots, post_only=True)
