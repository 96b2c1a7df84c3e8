"""Permuted markets keep moves and lose patterns; a planted pattern is told from none, and leaks are found out."""

import numpy as np
import polars as pl
import pytest

from scripted import perpetual
from truewind.domain.timeframe import HOUR_US
from truewind.errors import ConfigError
from truewind.research.markets import permuted
from truewind.research.reordered import Market, Reordering
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey
from truewind.storage.trials import open_ledger

START = 1_704_067_200_000_000
HOURS = 1000
DRIFTING, ALTERNATING = 5, 6


def market(folder, steps) -> Lake:
    """Hourly bars of two perpetuals: BTCUSDT makes `steps`, ETHUSDT twice as large ones; the second lacks an hour."""
    lake = Lake(folder)
    for symbol, size in (("BTCUSDT", 1.0), ("ETHUSDT", 2.0)):
        close = np.round(10_000.0 * np.exp(np.cumsum(size * steps)), 1)
        opened = np.concatenate(([10_000.0], close[:-1]))
        table = pl.DataFrame(
            {
                "ts": pl.Series(START + np.arange(len(steps)) * HOUR_US).cast(pl.Datetime("us", "UTC")),
                "open": opened, "high": np.maximum(opened, close) + 0.5, "low": np.minimum(opened, close) - 0.5,
                "close": close, "volume": 1e6 + np.arange(len(steps)),
            }
        )  # fmt: skip
        lake.write(SeriesKey("bars", "test", symbol, "1h"), table if size == 1.0 else table[:500].vstack(table[501:]))
        lake.put_instrument(perpetual(symbol))
    return lake


def trending(seed: int) -> np.ndarray:
    """Steps with a strong momentum: stretches of 40 hours up or down by 0.3 % ± 0.5 % an hour."""
    random = np.random.RandomState(seed)
    return np.repeat(random.choice([-1.0, 1.0], HOURS // 40), 40) * 0.003 + 0.005 * random.randn(HOURS)


def config(**more):
    return {
        "name": "cross",
        "data": {"venue": "test", "symbols": ["BTCUSDT"], "timeframe": "1h"},
        "strategy": {"path": "truewind.strategies.crypto.ema_cross:EmaCross", "params": {"fast": 5, "slow": 20}},
        "sizing": {"method": "fraction", "value": 0.5},
        "costs": {"taker_fee": 0.0002, "half_spread_bps": 0.5},
        "risk": {"max_exposure": None, "max_drawdown": 0.0, "min_confidence": None},
        "lane": "event",
        **more,
    }


def reordering(lake, **more) -> Reordering:
    grid = START + np.arange(HOURS) * HOUR_US
    return Reordering(**{"timeframe": "1h", "grid": grid, "end_us": int(grid[-1]) + HOUR_US, "seed": 1, "block": 1,
                         "drift": True} | more)  # fmt: skip


BTC, ETH = (SeriesKey("bars", "test", symbol, "1h") for symbol in ("BTCUSDT", "ETHUSDT"))


def moves(table):
    close = table["close"].to_numpy()
    return np.log(close / np.concatenate((table["open"].to_numpy()[:1], close[:-1])))


@pytest.mark.parametrize("block", [1, 24])
def test_every_move_comes_once_and_prices_end_where_they_ended(tmp_path, block):
    lake = market(tmp_path, trending(1))
    real, made = lake.read(BTC), Market(lake, reordering(lake, block=block), 0).read(BTC)
    assert made["ts"].equals(real["ts"])
    assert np.sort(moves(made)) == pytest.approx(np.sort(moves(real)), abs=1e-12)
    assert not np.allclose(moves(made), moves(real))
    assert (made["open"][0], made["close"][-1]) == pytest.approx((real["open"][0], real["close"][-1]))
    assert sorted(made["volume"]) == sorted(real["volume"])
    assert (made["high"] >= made.select(pl.max_horizontal("open", "close")).to_series()).all()
    assert (made["low"] <= made.select(pl.min_horizontal("open", "close")).to_series()).all()
    # A bar moves as a whole: its range for its open is that of the bar whose volume it has.
    came_from = (made["volume"] - 1e6).cast(pl.Int64).to_numpy()
    ranges = [(table["high"] / table["open"]).to_numpy() for table in (real, made)]
    assert ranges[1] == pytest.approx(ranges[0][came_from], rel=1e-9)
    assert (np.diff(came_from) == 1).mean() == pytest.approx(1.0 - 1.0 / block, abs=0.02)


def test_symbols_move_together_as_they_did(tmp_path):
    """Twice as large steps at every hour that both have, in the new order as in the old."""
    lake = market(tmp_path, trending(2))
    made = Market(lake, reordering(lake), 3)
    one, other = (made.read(key) for key in (BTC, ETH))
    both = one.with_columns(move=moves(one)).join(other.with_columns(move=moves(other)), on="ts")
    assert np.corrcoef(both["move"], both["move_right"])[0, 1] > 0.95


def test_parts_of_a_market_are_parts_of_the_whole(tmp_path):
    """Whoever reads a window, or some columns, sees what he would see in the whole series."""
    lake = market(tmp_path, trending(3))
    made = Market(lake, reordering(lake), 1)
    whole = made.read(BTC)
    part = made.read(BTC, start_us=START + 100 * HOUR_US, end_us=START + 200 * HOUR_US, columns=["ts", "close"])
    assert part.equals(whole[100:200].select("ts", "close"))


def test_only_the_run_is_in_another_order(tmp_path):
    """Bars before its first stay, and so do series of other kinds and timeframes."""
    lake = market(tmp_path, trending(4))
    grid = START + np.arange(200, HOURS) * HOUR_US
    made = Market(lake, reordering(lake, grid=grid), 1)
    assert made.read(BTC)[:200].equals(lake.read(BTC)[:200])
    assert not made.read(BTC)[200:].equals(lake.read(BTC)[200:])
    assert Market(lake, reordering(lake, timeframe="4h"), 1).read(BTC).equals(lake.read(BTC))


def test_without_drift_a_bar_brings_nothing_on_average(tmp_path):
    """Over 50 markets made of steps that rise 0.05 % a bar: the mean simple return is 0 within four deviations."""
    lake = market(tmp_path, 0.0005 + 0.004 * np.random.RandomState(5).randn(HOURS))
    found = np.concatenate(
        [np.expm1(moves(Market(lake, reordering(lake, drift=False), number).read(BTC))) for number in range(50)]
    )
    assert found.mean() == pytest.approx(0.0, abs=4 * found.std() / np.sqrt(len(found)))
    assert np.expm1(moves(lake.read(BTC))).mean() > 0.0003


def test_a_symbol_that_was_listed_late_is_noise_too():
    """Moments before its first bar are drawn as well: each of its bars comes about as often, its first no oftener."""
    grid = START + np.arange(HOURS) * HOUR_US
    how = Reordering("1h", grid, int(grid[-1]) + HOUR_US, 1, 1, False)
    counts = np.zeros(100)
    for number in range(200):
        counts += np.bincount(how.rows(grid[900:], how.order(number)), minlength=100)
    assert counts.sum() == 20_000
    assert counts.max() < 300


def test_a_pattern_is_told_from_none(tmp_path):
    """A market that trends: no permuted one is as good. A random walk: the real one is among the others."""
    found = permuted(config(), 19, lake=market(tmp_path / "trend", trending(6)), workers=1)
    assert found.p == pytest.approx(0.05)
    assert found.own_sharpe > found.sharpes.max()
    assert "there was a pattern" in " ".join(found.said())
    walk = market(tmp_path / "walk", 0.005 * np.random.RandomState(8).randn(HOURS))
    other = permuted(config(), 19, lake=walk, workers=1)
    assert other.p > 0.05
    assert "no pattern is left" in " ".join(other.said())


def test_on_noise_nothing_is_earned(tmp_path):
    """Costs alone are lost; the same lake, with the pattern gone."""
    found = permuted(config(), 12, drift=False, lake=market(tmp_path, trending(6)), workers=1)
    assert found.returns.mean() < 0.0
    assert found.p > 0.5
    assert "as it must be" in " ".join(found.said())
    assert found.own_return > 0.1


def test_markets_are_the_same_in_other_processes(tmp_path):
    lake = market(tmp_path, trending(9))
    one, two = (permuted(config(), 3, lake=lake, seed=7, workers=workers) for workers in (1, 2))
    assert one.sharpes.tolist() == two.sharpes.tolist()
    assert one.returns.tolist() == two.returns.tolist()


def test_permuted_runs_are_parts_of_the_run_in_the_ledger(tmp_path):
    found = permuted(config(), 3, lake=market(tmp_path / "lake", trending(9)), workers=1, database=tmp_path / "t.db")
    rows = open_ledger(tmp_path / "t.db").list(kind="validation")
    assert sorted(row.params["market"] for row in rows) == [0, 1, 2]
    assert len({row.parent for row in rows}) == 1
    by_market = {row.params["market"]: row.metrics["net_return"] for row in rows}
    assert [by_market[i] for i in range(3)] == pytest.approx(found.returns.tolist())


def test_a_run_that_never_trades_has_no_chance(tmp_path):
    """No Sharpe ratio on the real market: not defined, and JSON has no NaN."""
    flat = market(tmp_path, np.zeros(HOURS))
    idle = config(strategy={"path": config()["strategy"]["path"], "params": {"fast": 5, "slow": HOURS}})
    found = permuted(idle, 3, lake=flat, workers=1)
    assert found.as_dict()["p"] is None
    assert found.said()[0].startswith("Not defined")
    assert permuted(idle, 3, drift=False, lake=flat, workers=1).p == 1.0


def test_runs_on_trades_cannot_be_permuted(tmp_path):
    with pytest.raises(ConfigError, match="has no bars"):
        permuted(config(data={"venue": "test", "symbols": ["BTCUSDT"], "kind": "trades"}), 2, lake=tmp_path)
