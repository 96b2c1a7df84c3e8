"""Monte Carlo of runs whose truth is known: skill is told from none, order from sum."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from truewind.analytics.daily import Daily
from truewind.analytics.monte_carlo import at_random_times, resampled, shuffled, trade_returns

START = datetime(2024, 1, 1, tzinfo=UTC)
HOURS = 2000


def daily(returns) -> Daily:
    return Daily(np.arange(19_000, 19_000 + len(returns)), np.asarray(returns, float), 365, "")


def market(seed: int) -> pl.DataFrame:
    """Hourly candles of a random walk."""
    close = 100.0 * np.exp(np.cumsum(0.01 * np.random.RandomState(seed).randn(HOURS)))
    return pl.DataFrame({"ts": [START + timedelta(hours=i) for i in range(HOURS)], "close": close})


def trades(candles: pl.DataFrame, entries, side: int = 1, held: int = 10, equity: float = 1000.0):
    """Trades of 500 each from the close of a candle to that of a later one, with equity that stays."""
    close, rows = candles["close"].to_numpy(), []
    for entry in entries:
        gross = side * 500.0 * (close[entry + held] / close[entry] - 1.0)
        rows.append(
            {
                "symbol": "BTC", "side": side, "opened": START + timedelta(hours=int(entry), minutes=30),
                "closed": START + timedelta(hours=int(entry) + held, minutes=30), "quantity": 500.0 / close[entry],
                "entry": close[entry], "gross_pnl": gross - 1.0, "slippage": 1.0, "net_pnl": gross - 2.0,
                "return": (gross - 2.0) / 500.0, "open": False,
            }
        )  # fmt: skip
    worth = pl.DataFrame({"ts": candles["ts"], "equity": np.full(HOURS, equity)})
    return pl.DataFrame(rows), worth


def test_entries_that_know_the_future_beat_random_ones():
    candles = market(1)
    close = candles["close"].to_numpy()
    ahead = close[10:] / close[:-10] - 1.0
    chosen = [i for i in range(0, HOURS - 20, 20) if ahead[i] > 0.0]
    found = at_random_times(*trades(candles, chosen), {"BTC": candles})
    assert found.p == pytest.approx(1.0 / (len(found.drawn) + 1.0))
    assert found.own == pytest.approx(0.5 * ahead[chosen].sum())  # costs are left out on both sides


def test_entries_by_chance_are_as_good_as_random_ones():
    """On 40 markets entries at fixed times: their p-values are spread over (0, 1), as those of no skill are."""
    found = []
    for seed in range(40):
        candles = market(seed)
        entries = np.sort(np.random.RandomState(1000 + seed).choice(np.arange(0, HOURS - 20, 12), 60, replace=False))
        found.append(at_random_times(*trades(candles, entries), {"BTC": candles}).p)
    assert np.mean(found) == pytest.approx(0.5, abs=4 * math.sqrt(1 / 12 / 40))
    assert np.mean(np.array(found) < 0.1) < 0.3


def test_random_times_are_not_tested_where_they_cannot_be():
    candles = market(2)
    few, equity = trades(candles, range(0, 90, 10))
    assert "9 closed trades" in at_random_times(few, equity, {"BTC": candles}).reason
    many, _ = trades(candles, range(0, 1000, 20))
    assert "no candles of BTC" in at_random_times(many, equity, {}).reason
    assert "shorter than the candles" in at_random_times(many, equity, {"BTC": candles.gather_every(100)}).reason


def test_days_drawn_again_bring_what_they_brought():
    """The median of paths lies near the run, chances near those of normal days: P(loss) = Φ(−√n · mean / deviation)."""
    returns = 0.001 + 0.01 * np.random.RandomState(6).randn(400)
    found = resampled(daily(returns))
    assert found.growth == pytest.approx(np.prod(1.0 + returns) - 1.0)
    assert np.median(found.paths.growth) == pytest.approx(found.growth, abs=0.05)
    logs = np.log1p(returns)
    z = -math.sqrt(400) * logs.mean() / logs.std()
    assert (found.paths.growth < 0.0).mean() == pytest.approx(0.5 * math.erfc(-z / math.sqrt(2.0)), abs=0.03)
    assert (np.diff(found.fan, axis=0) >= 0.0).all()
    assert found.fan.shape == (5, len(found.paths.steps))


@pytest.mark.parametrize("returns", [[], [0.01] * 19, [0.0] * 100, [0.01] * 100])
def test_nothing_to_draw_from(returns):
    assert resampled(daily(returns)) is None


def test_equal_runs_draw_equally():
    returns = 0.01 * np.random.RandomState(7).randn(100)
    assert np.array_equal(resampled(daily(returns)).paths.growth, resampled(daily(returns)).paths.growth)


def test_losses_in_a_row_were_bad_luck():
    """Ten losses, then ten gains: hardly any other order falls as deeply; alternating ones fall least."""
    row, mixed = shuffled(np.array([-0.05] * 10 + [0.06] * 10)), shuffled(np.array([-0.05, 0.06] * 10))
    assert row.depth == pytest.approx(1.0 - 0.95**10)
    assert mixed.depth == pytest.approx(0.05)
    assert (row.depths >= row.depth - 1e-12).mean() < 0.01
    assert (mixed.depths >= mixed.depth - 1e-12).all()
    assert shuffled(np.array([0.01] * 9)) is None


def test_returns_of_trades_are_of_the_equity_before_them():
    candles = market(3)
    closed, equity = trades(candles, range(0, 300, 20), equity=2000.0)
    assert trade_returns(closed, equity) == pytest.approx(closed["net_pnl"].to_numpy() / 2000.0)
    assert len(trade_returns(closed.with_columns(open=pl.lit(True)), equity)) == 0
