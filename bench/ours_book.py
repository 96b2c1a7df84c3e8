"""truewind's order-book lane. usage: ours_book.py {book|feed|maker} LEVELS REPEATS

book: levels into one book, nothing else. feed: the lane with its two books (the venue's and the one that has been
heard) and no strategy. maker: the market maker, compiled. The watch covers a run with all that it allocates, and not
the check of the events before it.
"""

import sys
import time
from decimal import Decimal
from typing import Any

import numpy as np

import book_workload as b
import workload as w
from truewind import __version__
from truewind.domain.book import BOOK_EVENT, BookKind
from truewind.domain.instrument import Instrument, Kind
from truewind.engine import book_desk as desk
from truewind.engine.book_lane import BookLane, BookSettings
from truewind.numerics.book import Book
from truewind.numerics.jit import kernel

INSTRUMENT = Instrument(
    symbol="BTCUSDT",
    venue="synthetic",
    kind=Kind.PERPETUAL,
    base="BTC",
    quote="USDT",
    tick_size=Decimal("0.1"),
    lot_size=Decimal("0.001"),
)
SETTINGS = BookSettings.model_validate(
    {
        "maker_fee": b.MAKER,
        "taker_fee": b.TAKER,
        "leverage": 100.0,
        "whole_fills": True,
        "latency": {"model": "constant", "entry_ms": b.LATENCY_US / 1000, "reply_ms": b.LATENCY_US / 1000},
        "risk": {"max_position": 1000.0, "max_exposure": 1.0, "max_gross": 1000.0, "max_drawdown": 0.0},
        "sample_ms": 60_000.0,
    }
)
UNIT, MOST, AWAY = b.UNIT, b.MOST, b.AWAY


@kernel
def nothing(wake: int, lane: int, memory: Any) -> None:
    """Is never called: there is no timer."""


@kernel
def make_market(wake: int, lane: int, memory: Any) -> None:
    """The market maker of the workload."""
    middle = (desk.best_bid(lane) + desk.best_ask(lane)) // 2
    bid, ask = middle - AWAY, middle + AWAY
    has_bid = has_ask = False
    for j in range(desk.working(lane)):
        order = desk.order_at(lane, j)
        if order.ticks == (bid if order.side > 0 else ask):
            has_bid, has_ask = has_bid or order.side > 0, has_ask or order.side < 0
        elif order.is_settled:
            desk.cancel(lane, order.id)
    held = desk.position(lane)
    if not has_bid and held < MOST:
        desk.limit(lane, 1, bid, UNIT, 0, 1, 0)
    if not has_ask and held > -MOST:
        desk.limit(lane, -1, ask, UNIT, 0, 1, 0)


def table(levels: int) -> np.ndarray:
    columns = b.market(levels)
    events = np.zeros(len(columns["ts_us"]), BOOK_EVENT)
    events["ts_event"], events["ts_recv"] = columns["ts_us"], columns["ts_us"] + b.FEED_US
    events["kind"] = np.where(columns["is_trade"], BookKind.TRADE, BookKind.LEVEL)
    for name in ("side", "ticks", "lots"):
        events[name] = columns[name]
    events["last"] = 1
    return events


def main(work: str, levels: int, repeats: int) -> None:
    events = table(levels)
    decide, timer = (make_market, b.EVERY_US) if work == "maker" else (nothing, 0)
    BookLane(events[:1000], INSTRUMENT, cash=1e7, settings=SETTINGS).run_compiled(
        decide, np.zeros(1), wakes=0, timer_us=timer
    )
    Book().apply(events[:1000])

    def run() -> tuple[float, Any]:
        if work == "book":
            book = Book()
            start = time.perf_counter()
            book.apply(events)
            return time.perf_counter() - start, None
        lane = BookLane(events, INSTRUMENT, cash=1e7, settings=SETTINGS)
        start = time.perf_counter()
        result = lane.run_compiled(decide, np.zeros(1), wakes=0, timer_us=timer)
        return time.perf_counter() - start, result

    seconds, result, rss = w.measure(run, repeats)
    facts = {"orders": result.orders, "changes": len(result.fills), "position": result.position} if result else {}
    w.tell(len(events), __version__, seconds, rss_mb=rss, **facts)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
