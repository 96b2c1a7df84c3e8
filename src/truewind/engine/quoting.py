"""Quoters in machine code: the orders of `strategies.quoting.Quoter`, worked by kernels."""

from collections.abc import Callable
from functools import cache
from typing import Any

from truewind.engine import book_desk as desk
from truewind.numerics.jit import generated, kernel
from truewind.strategies.quoting import Quotes, Top

_DECIDE = """
from truewind.engine.quoting import top, work
from truewind.numerics.jit import kernel


@kernel
def decide(wake, lane, memory):
    work(lane, quote(top(lane), memory))
"""


@cache
def decide_of(quote: Callable[[Top, Any], Quotes]) -> Callable[[int, int, Any], None]:
    """The `decide` of a quoter, for the order-book lane."""
    decide: Callable[[int, int, Any], None] = generated("quoting", _DECIDE, {"quote": quote}).decide
    return decide


@kernel
def top(lane: int) -> Top:
    """What a quoter is told."""
    bid, ask = desk.best_bid(lane), desk.best_ask(lane)
    bid_lots = desk.displayed(lane, 1, bid) if bid > 0 else 0
    ask_lots = desk.displayed(lane, -1, ask) if ask > 0 else 0
    return Top(desk.now_us(lane), bid, bid_lots, ask, ask_lots, desk.position(lane))


@kernel
def work(lane: int, wanted: Quotes) -> None:
    """See `Quoter._work`."""
    has_bid = has_ask = False
    for j in range(desk.working(lane)):
        order = desk.order_at(lane, j)
        price, lots = (wanted.bid, wanted.bid_lots) if order.side > 0 else (wanted.ask, wanted.ask_lots)
        has_bid, has_ask = has_bid or order.side > 0, has_ask or order.side < 0
        if (lots == 0 or abs(order.ticks - price) > wanted.patience) and order.is_settled:
            desk.cancel(lane, order.id)
    if not has_bid and wanted.bid_lots > 0:
        desk.limit(lane, 1, wanted.bid, wanted.bid_lots, 0, desk.POST_ONLY, 0)
    if not has_ask and wanted.ask_lots > 0:
        desk.limit(lane, -1, wanted.ask, wanted.ask_lots, 0, desk.POST_ONLY, 0)
