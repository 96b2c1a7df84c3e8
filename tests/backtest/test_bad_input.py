"""Bad input through a whole run: what is defined to happen, and what the reader is told."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import orjson
import polars as pl
import pytest

from scripted import flat
from truewind.backtest.run import run
from truewind.storage.schema import SeriesKey


def at(minute):
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)


FREE = {"taker_fee": 0.0, "maker_fee": 0.0, "half_spread_bps": 0.0, "impact": 0.0}
LOOSE = {"max_position": 1000.0, "max_exposure": 1.0, "max_gross": 1000.0, "max_drawdown": 0.0}


@pytest.fixture
def go(lake, tmp_path):
    """go(what it does on row n, settings…) → orders, fills, warnings, summary of a run on AAA."""

    def go(acts, venue="test", timeframe="1m", **settings):
        strategy = tmp_path / "scripted_run.py"
        strategy.write_text(
            "from truewind.strategies.base import Strategy\n\n\nclass Acts(Strategy):\n    def __init__(self):\n"
            "        self.row = -1\n\n    def on_bar(self, bar):\n        self.row += 1\n        s = self\n"
            + "".join(f"        if self.row == {row}:\n            {act}\n" for row, act in acts.items())
        )
        config = {
            "name": "bad input", "data": {"venue": venue, "symbols": "AAA", "timeframe": timeframe},
            "strategy": {"path": f"{strategy}:Acts"}, "costs": FREE, "risk": LOOSE, "lane": "event",
        } | settings  # fmt: skip
        done = run(config, lake=lake, runs=tmp_path / "runs")
        about = orjson.loads((done.run_dir / "run.json").read_bytes())
        orders, fills = (pl.read_parquet(done.run_dir / f"{name}.parquet") for name in ("orders", "fills"))
        return orders, fills, about["warnings"], done.summary

    return go


def test_holes_in_the_funding_are_told_and_not_filled(lake, store, go):
    """Three days of hours with funding every eight, but not at the 24th and 32nd: 2 are missing; 6 × 0.01 % are paid
    on 1 at 100 by who is long from the first hour on."""
    hours = [hour for hour in range(8, 72, 8) if hour not in (24, 32)]
    store(
        "AAA", [flat(100)] * 72, minutes=range(0, 72 * 60, 60), timeframe="1h",
        funding=[(60 * hour, 1e-4, 100.0) for hour in hours],
    )  # fmt: skip
    _, _, warnings, summary = go({0: "s.buy(1)"}, timeframe="1h")
    assert [text for text in warnings if "missing" in text] == [
        "AAA: 2 funding settlements are missing, the longest hole before 2024-01-02 16:00:00"
    ]
    assert summary["funding"] == pytest.approx(-len(hours) * 0.01)


def test_a_second_settlement_of_an_hour_is_left_out(lake, store, go):
    """08:00 and, 15 milliseconds later, another rate for it: the first counts."""
    rows = [(480, 1e-4, 100.0), (480 + 0.015 / 60, 5e-4, 100.0), (960, 1e-4, 100.0)]
    store("AAA", [flat(100)] * 24, minutes=range(0, 24 * 60, 60), timeframe="1h", funding=rows)
    _, _, warnings, summary = go({0: "s.buy(1)"}, timeframe="1h")
    assert summary["funding"] == pytest.approx(-0.02)
    assert any("1 settlements of an hour that has one already are left out" in text for text in warnings)


def test_features_that_are_not_known_yet_are_nan_and_built_in_strategies_wait(lake, store, tmp_path):
    """The mean of 12 bars is known with the twelfth: whatever the price does before, nothing is sent until then."""
    path = [flat(100 + 5 * (-1) ** row) for row in range(6)] + [flat(100 + row) for row in range(30)]
    store("AAA", path, kind="spot")
    config = {
        "name": "warm-up", "data": {"venue": "test", "symbols": "AAA", "timeframe": "1m"}, "costs": FREE, "risk": LOOSE,
        "strategy": {"path": "truewind.strategies.crypto.ema_cross:EmaCross",
                     "params": {"fast": 3, "slow": 12, "short": False}},
    }  # fmt: skip
    for lane in ("event", "compiled"):
        done = run(config | {"lane": lane}, lake=lake, runs=tmp_path / "runs")
        orders = pl.read_parquet(done.run_dir / "orders.parquet")
        assert orders.height > 0
        assert orders["created"].min() >= at(12)


def test_what_is_not_traded_cannot_be_had(lake, store, go):
    """Two bars without volume between decision and fill: the order waits for the one in which something was traded."""
    store("AAA", [flat(100)] * 6, kind="spot")
    key = SeriesKey("bars", "test", "AAA", "1m")
    table = lake.read(key)
    lake.write(key, table.with_columns(volume=pl.Series([1.0, 0.0, 0.0, 5.0, 5.0, 5.0])), mode="overwrite")
    orders, fills, _, _ = go({0: "s.buy(2)"})
    assert fills["ts"].to_list() == [at(3)]
    assert orders["status"].to_list() == ["filled"]


def test_an_order_beyond_the_tier_of_the_leverage_is_rejected_in_the_venues_words(lake, store, go):
    """Binance's BTCUSDT tiers allow 20 times up to some millions, and no more than that."""
    store("BTCUSDT", [flat(50_000)] * 4, venue="binance_usdm", funding=[(60, 0.0, None)])
    orders, fills, warnings, _ = go(
        {0: "s.buy(2000)"}, venue="binance_usdm", account={"cash": 1e9, "leverage": 20},
        data={"venue": "binance_usdm", "symbols": "BTCUSDT", "timeframe": "1m"},
        costs=FREE | {"volume_share": None},
    )  # fmt: skip
    assert orders["reason"].to_list() == ["leverage_limit"]
    assert fills.height == 0
    assert any("-2027" in text for text in warnings)


def test_an_order_below_the_venues_least_is_denied_in_its_words(lake, store, go):
    """0.001 at 100 are 0.1, and 5 is the least."""
    store("AAA", [flat(100)] * 4, venue="binance_usdm", funding=[(60, 0.0, None)], min_notional=Decimal(5))
    orders, fills, warnings, _ = go({0: "s.buy(0.001)"}, venue="binance_usdm")
    assert orders["reason"].to_list() == ["below_min_notional"]
    assert fills.height == 0
    assert any("-4164" in text for text in warnings)
