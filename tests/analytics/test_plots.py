"""What is drawn keeps the shape of what happened."""

import datetime as dt
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.analytics import plots

DAY = 86_400_000_000


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=500).map(np.array),
    st.integers(10, 100),
)
def test_thinning_keeps_ends_and_extremes_within_the_limit(values, limit):
    kept = plots.keep_extremes([values, -values], limit)
    assert len(kept) <= limit
    assert (np.diff(kept) > 0).all()
    assert (kept[0], kept[-1]) == (0, len(values) - 1)
    assert values[kept].max() == values.max()
    assert values[kept].min() == values.min()


def test_thinning_looks_past_nan():
    values = np.arange(1000.0)
    values[500:700] = math.nan
    kept = values[plots.keep_extremes([values], 20)]
    assert np.nanmax(kept) == 999.0


def test_few_rows_are_all_kept():
    assert plots.keep_extremes([np.arange(5.0)], 10).tolist() == [0, 1, 2, 3, 4]


def test_monthly_returns_by_hand():
    """100 → 110 at the end of January, → 99 in February; March has no day, April ends at 198."""
    moments = [dt.datetime(2024, 2, 1), dt.datetime(2024, 2, 15), dt.datetime(2024, 2, 28), dt.datetime(2024, 4, 2)]
    ts = np.array([int(moment.replace(tzinfo=dt.UTC).timestamp()) * 1_000_000 for moment in moments])
    (year,) = plots.monthly_returns(ts, np.array([110.0, 50.0, 99.0, 198.0]), 100.0)
    assert year.year == 2024
    assert year.months[:4] == [pytest.approx(0.1), pytest.approx(-0.1), None, pytest.approx(1.0)]
    assert year.months[4:] == [None] * 8
    assert year.total == pytest.approx(0.98)


@given(st.lists(st.floats(0.9, 1.1), min_size=1, max_size=900))
def test_months_compound_to_years_and_years_to_the_whole(factors):
    equity = 100.0 * np.cumprod(factors)
    ts = (np.arange(len(factors), dtype=np.int64) + 20_000) * DAY
    years = plots.monthly_returns(ts, equity, 100.0)
    for year in years:
        assert math.prod(1 + m for m in year.months if m is not None) == pytest.approx(1 + year.total)
    assert math.prod(1 + year.total for year in years) == pytest.approx(equity[-1] / 100.0)


def test_a_histogram_counts_every_day_once():
    returns = np.concatenate([np.random.default_rng(42).standard_t(3, 1000) / 100, np.zeros(50), [math.nan]])
    drawn = plots.histogram(returns)
    assert sum(drawn.counts) == 1000
    assert drawn.unchanged == 50
    assert 0.0 in np.round(drawn.edges, 15)
    negative = sum(count for count, edge in zip(drawn.counts, drawn.edges[1:], strict=True) if edge <= 1e-12)
    assert negative == (returns < 0).sum()
    width = drawn.edges[1] - drawn.edges[0]
    area = np.trapezoid(drawn.curve, drawn.curve_at)
    assert area == pytest.approx(1000 * width, rel=0.05)


@pytest.mark.parametrize("returns", [[], [0.01], [0.0, 0.0, 0.0], [math.nan, 0.01]])
def test_too_few_moves_have_no_histogram(returns):
    assert plots.histogram(np.array(returns)) is None


def test_equal_returns_have_bars_but_no_normal_curve():
    drawn = plots.histogram(np.array([0.01, 0.01]))
    assert sum(drawn.counts) == 2
    assert drawn.curve == []


@given(st.integers(1, 300), st.integers(1, 50))
def test_merged_candles_keep_first_open_last_close_and_all_extremes(rows, limit):
    rng = np.random.default_rng(rows)
    candles = pl.DataFrame(
        {
            "ts": np.arange(rows),
            "open": rng.uniform(1, 2, rows),
            "high": rng.uniform(2, 3, rows),
            "low": rng.uniform(0, 1, rows),
            "close": rng.uniform(1, 2, rows),
        }
    )
    thin = plots.thin_candles(candles, limit)
    assert len(thin) <= limit
    assert thin["open"][0] == candles["open"][0]
    assert thin["close"][-1] == candles["close"][-1]
    assert thin["high"].max() == candles["high"].max()
    assert thin["low"].min() == candles["low"].min()
    assert thin["ts"].is_sorted()
