"""What was known when an order was decided on: prices and features on that bar, and nothing later."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from truewind import features
from truewind.analytics import attribution, shortfall
from truewind.analytics.report import load
from truewind.backtest.run import run
from truewind.strategies.base import load as load_strategy
from truewind.strategies.parts import Reason

START = datetime(2024, 1, 1, tzinfo=UTC)
STRATEGY = """
from enum import IntEnum
from truewind.domain.signal import FLAT, HOLD, Signal, Want
from truewind.strategies.base import SignalStrategy, Strategy

class Why(IntEnum):
    ABOVE_AVERAGE = 1
    BELOW_AVERAGE = 2

class Turns(SignalStrategy):
    def features(self):
        return {"mean": "sma(5)"}

    @staticmethod
    def decide(row, position, params):
        if row.mean != row.mean:
            return HOLD
        above = row.close > row.mean
        side = Want.LONG if above else Want.SHORT
        return Signal(side, stop=row.close * (0.98 if above else 1.02), reason=1 if above else 2)

class Waits(Strategy):
    # A limit far below the market that is withdrawn, and a bracket whose stop is hit or not.
    row = 0
    def on_bar(self, bar):
        self.row += 1
        if self.row == 10:
            self.far = self.buy(1.0, limit=bar.close * 0.95)
        if self.row == 20:
            self.cancel(self.far)
            self.buy(1.0, stop_loss=bar.close * 0.9, take_profit=bar.close * 1.1)
"""


def walk(rows=300):
    random = np.random.default_rng(5)
    close = 1000 + np.cumsum(random.integers(-9, 10, rows))
    opened = np.concatenate([[1000], close[:-1]]) + random.integers(-2, 3, rows)
    high, low = np.maximum(opened, close) + 3, np.minimum(opened, close) - 3
    return [tuple(float(x) / 10 for x in bar) for bar in zip(opened, high, low, close, strict=True)]


@pytest.fixture
def go(lake, store, tmp_path):
    """go(name): the folder of a run of a strategy above, and its candles."""
    candles = walk()
    store("AAAUSDT", candles)
    (tmp_path / "mine.py").write_text(STRATEGY)

    def ran(name, **more):
        config = {
            "name": "a test",
            "data": {"venue": "test", "symbols": ["AAAUSDT"], "timeframe": "1m"},
            "strategy": {"path": f"{tmp_path / 'mine.py'}:{name}"},
            "account": {"cash": 10_000, "leverage": 5},
            "sizing": {"method": "fraction", "value": 0.005},
            "risk": {
                "max_position": 2.0,
                "max_exposure": 1.0,
                "max_gross": 2.0,
                "cooldown_minutes": None,
                "max_drawdown": 0.0,
            },
        }
        return run(config | more, lake=lake, runs=tmp_path / "runs").run_dir

    return ran, np.array(candles)


def test_orders_know_the_close_before_and_the_open_after(go):
    ran, candles = go
    report = load(ran("Turns"))
    orders = report.orders.filter((pl.col("type") == "market") & (pl.col("filled") > 0))
    assert len(orders) > 20
    minute = orders["created"].dt.epoch("us").to_numpy() // 60_000_000
    row = (minute - minute.min()) + orders["created"][0].minute - 1
    np.testing.assert_allclose(orders["decision_price"], candles[row, 3])
    np.testing.assert_allclose(orders["arrival_price"], candles[row + 1, 0])


def test_the_shortfall_of_market_orders_is_slippage_fees_and_the_gap_to_the_open(go):
    """The simulated venue fills at the open and adds its slippage: told apart from prices, the parts must be that."""
    ran, _ = go
    report = load(ran("Turns"))
    table = shortfall.of_orders(report)
    once = report.fills.filter(pl.col("order_id") > 0).group_by("order_id").len().filter(pl.col("len") == 1)
    market = table.filter(pl.col("kind").str.starts_with("market")).join(once, on="order_id")
    assert len(market) > 20
    np.testing.assert_allclose(market["trading"], market["slippage"], atol=1e-6)
    assert float(market["slippage"].sum()) > 0.0
    assert float(table["fees"].sum()) == pytest.approx(float(report.fills["fee"].sum()))
    gaps = market.join(report.orders, on="order_id", maintain_order="left")
    moved = (gaps["arrival_price"] - gaps["decision_price"]) * gaps["side"] * gaps["filled"]
    np.testing.assert_allclose(market["delay"], moved, atol=1e-9)
    missed = (gaps["end_price"] - gaps["decision_price"]) * gaps["side"] * (gaps["quantity"] - gaps["filled"])
    np.testing.assert_allclose(market["opportunity"], missed, atol=1e-9)


def test_what_waits_was_decided_at_its_price_and_what_never_filled_left_without_us(go):
    ran, candles = go
    report = load(ran("Waits"))
    orders = report.orders.sort("order_id").to_dicts()
    far, entry, stop, target = orders
    assert (far["left"], far["decision_price"], far["end_price"]) == (1.0, candles[9, 3], candles[19, 3])
    assert (stop["decision_price"], target["decision_price"]) == (stop["price"], target["price"])
    assert stop["left"] == target["left"] == entry["left"] == 0.0
    row = shortfall.of_orders(report).filter(pl.col("order_id") == far["order_id"]).row(0, named=True)
    assert row["opportunity"] == pytest.approx(candles[19, 3] - candles[9, 3])


def test_entries_have_the_features_of_the_bar_that_was_decided_on(go, lake):
    ran, candles = go
    report = load(ran("Turns"))
    opened = pl.Series([START + timedelta(minutes=minute) for minute in range(len(candles))])
    bars = pl.DataFrame({"ts": opened, "close": candles[:, 3]})
    mean = features.compute(bars, ["sma(5)"])["sma_5"].to_numpy()
    minutes = report.entries["decided"].dt.epoch("us").to_numpy() // 60_000_000
    row = minutes - report.equity["ts"].dt.epoch("us").to_numpy()[0] // 60_000_000
    np.testing.assert_allclose(report.entries["mean"], mean[row])
    assert report.entries["order_id"].to_list() == sorted(set(report.trades["entry_order"]))


def test_entries_and_exits_are_told_by_name(go):
    report = load(go[0]("Turns"))
    assert set(attribution.entry_reasons(report)) == {"above average", "below average"}
    assert {"opposite signal"} <= set(attribution.exit_reasons(report)) <= {
        "opposite signal", "stop", "open at the end of data", "signal: above average", "signal: below average",
    }  # fmt: skip


def test_every_built_in_strategy_names_what_it_says():
    """By the enumeration of its file, or by words of its own; a tag that it does not know has no name."""
    assert load_strategy("momentum", {}).reason(1) == "rose"
    assert load_strategy("stop_hunt", {}).reason(3) == "equal lows"
    assert load_strategy("grid", {}).reason(998) == "line -2"
    assert load_strategy("grid", {}).reason(1) == "stop of the grid"
    assert load_strategy("eth_cluster", {}).reason(1) == "state 0"
    assert load_strategy("carry", {}).reason(7) == ""
    assert Reason.OPPOSITE.name == "OPPOSITE"
