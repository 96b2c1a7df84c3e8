"""A small market maker on a recorded order book, twice: as a Python object, and compiled.

    python examples/market_making.py RECORDING.gz [RECORDING.gz …]

RECORDING: raw frames of BTCUSDT perpetuals, as hftbacktest's collector writes them. Both runs do the same; the compiled
one asks its question a hundred times faster.
"""

import sys
import time
from decimal import Decimal

import numpy as np

from truewind.domain.instrument import Instrument, Kind
from truewind.engine import book_desk as desk_of
from truewind.engine.book_lane import BookLane, BookResult, BookSettings
from truewind.market.recordings.recording import read_recording
from truewind.numerics.jit import kernel
from truewind.strategies.book import BookStrategy

BTCUSDT = Instrument(
    symbol="BTCUSDT",
    venue="binance_usdm",
    kind=Kind.PERPETUAL,
    base="BTC",
    quote="USDT",
    tick_size=Decimal("0.1"),
    lot_size=Decimal("0.001"),
)
EVERY_US = 100_000
LOTS, MOST, AWAY = 10, 50, 5


class MarketMaker(BookStrategy):
    """Quotes 10 lots on each side, 5 ticks from the middle and further where it already holds some."""

    timer_us = EVERY_US

    def on_timer(self) -> None:
        desk = self.desk
        if not desk.best_bid or not desk.best_ask:
            return
        held = desk.position
        middle = (desk.best_bid + desk.best_ask) // 2 - held // LOTS
        wanted = {1: middle - AWAY, -1: middle + AWAY}
        quoted = {1: False, -1: False}
        for order in desk.working():
            if order.ticks == wanted[order.side]:
                quoted[order.side] = True
            elif order.is_settled:
                desk.cancel(order.id)
        for side in (1, -1):
            if not quoted[side] and side * held < MOST:
                desk.limit(side, wanted[side], LOTS, post_only=True)


@kernel
def make_market(wake: int, lane: int, memory: np.ndarray) -> None:
    """`MarketMaker`, compiled."""
    bid, ask = desk_of.best_bid(lane), desk_of.best_ask(lane)
    if bid == 0 or ask == 0:
        return
    held = desk_of.position(lane)
    middle = (bid + ask) // 2 - held // LOTS
    bid, ask = middle - AWAY, middle + AWAY
    has_bid = has_ask = False
    for j in range(desk_of.working(lane)):
        order = desk_of.order_at(lane, j)
        if order.ticks == (bid if order.side > 0 else ask):
            has_bid, has_ask = has_bid or order.side > 0, has_ask or order.side < 0
        elif order.is_settled:
            desk_of.cancel(lane, order.id)
    if not has_bid and held < MOST:
        desk_of.limit(lane, 1, bid, LOTS, 0, 1, 0)
    if not has_ask and -held < MOST:
        desk_of.limit(lane, -1, ask, LOTS, 0, 1, 0)


def show(name: str, result: BookResult, seconds: float) -> None:
    print(
        f"{name}: {result.orders} orders, {len(result.fills)} fills, position {result.position} lots, "
        f"equity {result.equity:,.2f} USDT ({seconds:.2f} s)"
    )


def main(paths: list[str]) -> None:
    # The recorder's clock was behind the venue's; the quickest message is taken to have needed 1 ms.
    recording = read_recording(paths, BTCUSDT, base_latency_us=1000)
    settings = BookSettings.model_validate({"queue": {"model": "power", "exponent": 2.0}})
    lane = BookLane(recording.events, BTCUSDT, cash=100_000.0, settings=settings)
    for name, run in (
        ("Python", lambda: lane.run(MarketMaker())),
        ("compiled", lambda: lane.run_compiled(make_market, np.zeros(1), timer_us=EVERY_US)),
    ):
        start = time.perf_counter()
        result = run()
        show(name, result, time.perf_counter() - start)


if __name__ == "__main__":
    main(sys.argv[1:])
