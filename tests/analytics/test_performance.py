"""The section on performance: years, days, windows and falls as the equity says, and what is not defined."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from truewind.analytics.document import Bars, HeatMap, Histogram, Lines, Table, Text, Tiles
from truewind.analytics.report import Report
from truewind.analytics.sections import performance

TIME = pl.Datetime("us", "UTC")


def curve(values, start=dt.date(2023, 1, 1)):
    """A row at the end of each day."""
    ts = [dt.datetime.combine(start, dt.time(), dt.UTC) + dt.timedelta(days=i + 1) for i in range(len(values))]
    return pl.DataFrame({"ts": ts, "equity": values}, schema={"ts": TIME, "equity": pl.Float64})


def section(equity, held=None, *, year=365, initial=1000.0):
    made = Report(
        name="run",
        equity=curve(equity) if not isinstance(equity, pl.DataFrame) else equity,
        trades=pl.DataFrame(),
        fills=pl.DataFrame(),
        candles={},
        benchmark=None if held is None else curve(held),
        summary={"initial_equity": initial, "days_per_year": year},
        config_yaml="",
        info={},
        assumptions=[],
        warnings=[],
    )
    return performance.section(made).blocks


def one(blocks, kind, title=""):
    (found,) = [block for block in blocks if isinstance(block, kind) and title in block.title]
    return found


def words(blocks):
    return " ".join(sentence for block in blocks if isinstance(block, Text) for sentence in block.sentences)


def test_years_and_months_are_those_of_the_equity():
    """By hand: from 1,000 to 1,100 in 2023 and to 990 in 2024: 10 % and −10 %."""
    blocks = section([1000.0] * 364 + [1100.0] + [1100.0] * 30 + [990.0])
    years = one(blocks, Bars)
    assert years.labels == ("2023", "2024")
    assert years.values == pytest.approx([0.1, -0.1])
    months = one(blocks, HeatMap)
    assert months.values[0][11] == pytest.approx(0.1)
    assert months.totals == pytest.approx([0.1, -0.1])
    assert np.isnan(months.values[1][1:]).all()


def test_a_window_looks_back_only_and_its_last_point_is_that_of_its_last_days():
    rng = np.random.default_rng(1)
    returns = rng.normal(0.001, 0.01, 400)
    blocks = section(1000 * np.cumprod(1 + returns))
    ratio, spread = one(blocks, Lines, "Sharpe"), one(blocks, Lines, "Volatility")
    assert len(ratio.ts_us) == len(ratio.series[0].values) == 400 - 89
    last = returns[-90:]
    assert ratio.series[0].values[-1] == pytest.approx(last.mean() / last.std(ddof=1) * np.sqrt(365))
    assert spread.series[0].values[0] == pytest.approx(returns[:90].std(ddof=1) * np.sqrt(365))
    assert spread.ts_us[0] == curve([0.0] * 90)["ts"].dt.epoch("us")[-1]


def test_figures_stand_beside_those_of_holding():
    rng = np.random.default_rng(2)
    moved = rng.normal(0.001, 0.02, 300)
    blocks = section(1000 * np.cumprod(1 + 0.5 * moved), 1000 * np.cumprod(1 + moved))
    rows = {row[0]: row[1:] for row in one(blocks, Table, "Return and risk").rows}
    assert rows["Volatility"][0] == pytest.approx(0.5 * rows["Volatility"][1])
    assert rows["Worst day"] == pytest.approx((0.5 * moved.min(), moved.min()))
    tiles = {tile.label: tile.value for tile in one_of(blocks, Tiles).tiles}
    assert tiles["Beta"] == pytest.approx(0.5)
    assert tiles["Alpha a year"] == pytest.approx(0.0, abs=1e-12)
    assert "On 300 common days." in words(blocks)


def one_of(blocks, kind):
    (found,) = [block for block in blocks if isinstance(block, kind)]
    return found


def test_the_deepest_falls_come_first_with_their_times():
    """By hand: −10 % that recovers in two days, then −20 % that does not."""
    table = one(section([1000.0, 900.0, 1000.0, 1000.0, 800.0, 850.0]), Table, "drawdowns")
    assert [row[0] for row in table.rows] == pytest.approx([0.2, 0.1])
    assert table.rows[0][3] is None
    assert (table.rows[0][4], table.rows[1][4]) == (2.0, 2.0)


@pytest.mark.parametrize(
    "values",
    [[1000.0], [1000.0] * 200, [1000.0] * 50 + [0.0] * 50, [1000.0, float("nan"), 990.0], [1000.0, -5.0, -6.0]],
)
def test_what_is_not_defined_is_said(values):
    blocks = section(values)
    said = words(blocks)
    assert "not defined" in said.lower() or "no returns to draw" in said
    assert ("the run has no benchmark" in said) == (len(values) > 1)
    assert not [block for block in blocks if isinstance(block, Histogram)] or len(values) == 100


def test_too_few_days_for_a_window_are_told():
    assert "100 daily returns are fewer than two windows of 90" in words(section(1000 + np.arange(100.0)))
    assert "windows of 63" in words(section(1000 + np.arange(100.0), year=252))
