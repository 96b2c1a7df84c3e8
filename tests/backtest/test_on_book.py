"""A plain strategy on a recorded book: it does what its twin in ticks and lots does."""

from typing import Any

import polars as pl
import pytest

from truewind.backtest.run import run
from truewind.config import dump
from truewind.market.importing import import_files
from truewind.risk.gate import RiskSettings
from truewind.storage.lake import Lake
from truewind.strategies.base import Strategy
from truewind.strategies.book import BookStrategy

SECOND = 1_000_000


class Plain(Strategy):
    """Each second: what worked is withdrawn, and a bid and an offer go to the best prices."""

    timer_us = SECOND

    def on_timer(self) -> None:
        for order in self.working():
            self.cancel(order.id)
        if self.book.mid == self.book.mid:
            self.buy(0.01, limit=self.book.best_bid, post_only=True)
            self.sell(0.01, limit=self.book.best_ask, post_only=True)


class Ticks(BookStrategy):
    """The same on the desk of books."""

    timer_us = SECOND

    def first_timer_us(self, start_us: int) -> int:
        return -(-start_us // SECOND) * SECOND

    def on_timer(self) -> None:
        for order in self.desk.working():
            self.desk.cancel(order.id)
        if self.desk.best_bid and self.desk.best_ask:
            self.desk.limit(1, self.desk.best_bid, 10, post_only=True)
            self.desk.limit(-1, self.desk.best_ask, 10, post_only=True)


@pytest.fixture(scope="module")
def recorded(shared, tmp_path_factory):
    lake = Lake(tmp_path_factory.mktemp("recorded") / "lake")
    import_files(lake, [shared / "hftbacktest" / "usdm__btcusdt_20240808.gz"], base_latency_ms=1)
    return lake


def play(lake: Lake, folder: Any, name: str, **data: Any) -> Any:
    config = {
        "name": name,
        "data": {"venue": "binance_usdm", "symbols": "BTCUSDT", "kind": "book", **data},
        "strategy": {"path": f"{__name__}:{name}"},
        "account": {"cash": 100_000.0, "leverage": 10},
        "risk": dump(RiskSettings.unlimited()),
        "book": {"latency": {"model": "constant", "entry_ms": 1, "reply_ms": 1}, "sample_ms": 1000},
    }
    return run(config, lake=lake, runs=folder / "runs")


def test_prices_and_ticks_make_the_same_orders_and_fills(recorded, tmp_path):
    plain, ticks = (play(recorded, tmp_path, name) for name in ("Plain", "Ticks"))
    assert plain.summary["fills"] > 10
    assert plain.fills.equals(ticks.fills)
    assert plain.orders.equals(ticks.orders)
    assert plain.equity.equals(ticks.equity)


def test_what_the_book_did_later_moves_nothing(recorded, tmp_path):
    """The data end in the middle: until then the same orders, and the same fills."""
    whole = play(recorded, tmp_path, "Plain")
    begin, end = whole.equity["ts"][0], whole.equity["ts"][-1]
    middle = begin + (end - begin) / 2
    half = play(recorded, tmp_path, "Plain", end=middle.isoformat())
    fills = whole.fills.filter(pl.col("ts") < middle)
    assert fills.height > 5
    assert fills.equals(half.fills.filter(pl.col("ts") < middle))
    names = ["order_id", "symbol", "created", "type", "side"]
    names = [name for name in names if name in whole.orders.columns]
    early = pl.col("created") < middle
    assert whole.orders.filter(early).select(names).equals(half.orders.filter(early).select(names))
