"""Performance figures against hand calculations and the values that empyrical's own tests publish."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from truewind.numerics import performance as p

DAY = 86_400_000_000
HOUR = 3_600_000_000

# The series and expected values of quantopian/empyrical, empyrical/tests/test_stats.py (Apache-2.0).
MIXED = np.array([1.0, 10, -4, 2, 3, 2, 1, -10]) / 100
POSITIVE = np.array([1.0, 2, 1, 1, 1, 1, 1, 1, 1]) / 100
NEGATIVE = np.array([0.0, -6, -7, -1, -9, -2, -6, -8, -5]) / 100

returns_strategy = st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=60).map(np.array)
equity_strategy = st.lists(st.floats(1.0, 1e6), min_size=1, max_size=60).map(np.array)


@pytest.mark.parametrize(
    ("returns", "expected"),
    [(MIXED, 1.7238613961706866), (POSITIVE, 52.915026221291804), (NEGATIVE, -24.406808633910085)],
)
def test_sharpe_equals_published_values(returns, expected):
    assert p.sharpe(returns, 252) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("returns", "expected"), [(MIXED, 2.605531251673693), (NEGATIVE, -13.532743075043401)])
def test_sortino_equals_published_values(returns, expected):
    assert p.sortino(returns, 252) == pytest.approx(expected, rel=1e-12)


def test_volatility_equals_the_published_value():
    assert p.volatility(MIXED, 252) == pytest.approx(0.9136465399704637, rel=1e-12)


@pytest.mark.parametrize(("returns", "expected"), [(MIXED, 0.1), (POSITIVE, 0.0), (NEGATIVE, 0.36590730349873601)])
def test_max_drawdown_equals_published_values(returns, expected):
    assert p.max_drawdown(np.cumprod(1 + returns), 1.0) == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_sharpe_and_sortino_of_a_tiny_series_by_hand():
    """Returns 1 %, −1 %, 3 %: mean 1 %, deviation 2 %, downside √(1e-4 / 3)."""
    returns = np.array([0.01, -0.01, 0.03])
    assert p.sharpe(returns, 365) == pytest.approx(0.5 * math.sqrt(365))
    assert p.sortino(returns, 365) == pytest.approx(0.01 / math.sqrt(0.0001 / 3) * math.sqrt(365))


def test_two_returns_are_enough():
    """1 and 3 %: mean 2, deviation √2 %. −1 and 3 %: mean 1, downside √(1/2) %. Four days a year."""
    assert p.sharpe(np.array([0.01, 0.03]), 4) == pytest.approx(math.sqrt(2) * 2)
    assert p.volatility(np.array([0.01, 0.03]), 4) == pytest.approx(0.02 * math.sqrt(2))
    assert p.sortino(np.array([-0.01, 0.03]), 4) == pytest.approx(math.sqrt(2) * 2)
    volatility, sharpe = p.rolling(np.array([0.01, 0.03]), 2, 4)
    assert (volatility[1], sharpe[1]) == pytest.approx((0.02 * math.sqrt(2), math.sqrt(2) * 2))
    assert math.isnan(p.sortino(np.array([-0.01]), 4))
    volatility, sharpe = p.rolling(np.array([0.01, math.nan, 0.03, 0.01]), 2, 4)
    assert np.isnan([volatility[:3], sharpe[:3]]).all()
    assert sharpe[3] == pytest.approx(math.sqrt(2) * 2)


@pytest.mark.parametrize(
    ("elapsed", "count", "year", "tells"),
    [
        (DAY - 1, 2, 365, False), (DAY, 2, 365, True),  # two halves of a day are no two days
        (28 * DAY, 5, 252, False), (28 * DAY, 5, 365, True),  # weekly rows, of a market with sessions and without
        (16 * DAY, 5, 252, True), (16 * DAY + 1, 5, 252, False),  # four days apart at most
        (5 * DAY, 2, 364, False), (5 * DAY, 1, 252, True), (DAY - 1, 1, 252, False),
    ],
)  # fmt: skip
def test_what_speaks_of_days(elapsed, count, year, tells):
    """Rows within one day do not, nor rows more than four days apart where there are holidays."""
    assert p.tells_days(elapsed, count, year) is tells


@pytest.mark.parametrize("returns", [[], [0.01], [0.01] * 5, [0.0] * 5, [0.01, math.nan, 0.02]])
def test_sharpe_without_two_varying_numbers_is_nan(returns):
    assert math.isnan(p.sharpe(np.array(returns), 365))


def test_sharpe_of_equity_growing_evenly_is_nan_despite_rounding():
    """Compounding 1 % a day leaves returns that differ in the last bit; that is not variation."""
    equity = 100.0 * 1.01 ** np.arange(1, 400)
    returns = p.simple_returns(equity, 100.0)
    assert np.ptp(returns) > 0
    assert math.isnan(p.sharpe(returns, 365))
    assert p.volatility(returns, 365) == 0.0


def test_sortino_without_a_losing_day_is_nan():
    assert math.isnan(p.sortino(POSITIVE, 252))


@given(returns_strategy, st.floats(0.1, 10))
def test_sharpe_and_sortino_do_not_depend_on_leverage(returns, factor):
    """Multiplying every return leaves both ratios as they are."""
    assume(np.std(returns, ddof=1) > 1e-6)
    assert p.sharpe(returns * factor, 365) == pytest.approx(p.sharpe(returns, 365), rel=1e-6, abs=1e-9)
    assume(np.minimum(returns, 0).min() < -1e-6)
    assert p.sortino(returns * factor, 365) == pytest.approx(p.sortino(returns, 365), rel=1e-6, abs=1e-9)


def test_midnight_belongs_to_the_day_that_it_ends():
    moments = np.array([1, DAY - 1, DAY, DAY + 1, 2 * DAY], np.int64)
    assert p.day_index(moments).tolist() == [0, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("days_per_year", "step", "count", "told"),
    [
        (365, HOUR, 12, 0),  # half a day tells of no day
        (365, 7 * DAY, 3, 15),  # a market without sessions was open on each day between its weekly rows
        (252, 7 * DAY, 3, 0),  # a market with sessions was not: these rows are not daily
        (252, DAY, 3, 3),
    ],
)
def test_a_markets_calendar_says_which_days_have_a_return(days_per_year, step, count, told):
    ts = np.arange(1, count + 1) * step
    days, returns = p.returns_by_calendar(ts, np.linspace(101.0, 103.0, count), 100.0, days_per_year)
    assert len(days) == len(returns) == told
    if told:
        assert np.prod(1.0 + returns) == pytest.approx(1.03)


def test_daily_returns_of_hourly_equity_are_taken_from_midnight_to_midnight():
    """Two days of hourly rows, 100 → 110 at the first midnight, → 99 at the second, and noise between."""
    ts = np.arange(1, 49, dtype=np.int64) * HOUR
    equity = np.full(48, 123.0)
    equity[23], equity[47] = 110.0, 99.0
    days, returns = p.daily_returns(ts, equity, 100.0, every_day=True)
    assert days.tolist() == [0, 1]
    assert returns == pytest.approx([0.1, -0.1])


def test_a_day_without_a_row_returned_nothing_where_markets_never_close():
    ts = np.array([DAY, 4 * DAY], np.int64)
    days, returns = p.daily_returns(ts, np.array([100.0, 110.0]), 100.0, every_day=True)
    assert days.tolist() == [0, 1, 2, 3]
    assert returns == pytest.approx([0.0, 0.0, 0.0, 0.1])


def test_a_day_without_a_row_does_not_exist_where_markets_have_sessions():
    ts = np.array([DAY, 4 * DAY], np.int64)
    days, returns = p.daily_returns(ts, np.array([100.0, 110.0]), 100.0, every_day=False)
    assert days.tolist() == [0, 3]
    assert returns == pytest.approx([0.0, 0.1])


def test_weekly_rows_have_the_sharpe_of_the_same_weeks_spread_over_days():
    """One return a week, six days of nothing: mean r/7 and the deviation of the padded series."""
    weekly = np.array([0.02, -0.01, 0.03, 0.01])
    ts = np.arange(1, 5, dtype=np.int64) * 7 * DAY
    _, returns = p.daily_returns(ts, 100 * np.cumprod(1 + weekly), 100.0, every_day=True)
    padded = [0.02]
    for value in weekly[1:]:
        padded += [0.0] * 6 + [value]
    assert returns == pytest.approx(padded)


def test_returns_after_ruin_are_undefined():
    returns = p.simple_returns(np.array([50.0, 0.0, 0.0, 10.0]), 100.0)
    assert returns[:2] == pytest.approx([-0.5, -1.0])
    assert np.isnan(returns[2:]).all()
    assert p.simple_returns(np.array([0.25]), 0.5) == pytest.approx([-0.5])


def test_empty_series_have_no_returns_and_no_drawdown():
    none, no_ts = np.empty(0), np.empty(0, np.int64)
    assert p.daily_returns(no_ts, none, 100.0, every_day=True)[1].tolist() == []
    assert p.drawdowns(none, 100.0).tolist() == []
    assert math.isnan(p.max_drawdown(none, 100.0))
    assert math.isnan(p.deepest_drawdown(no_ts, none, 100.0).depth)
    assert p.deepest_drawdown(no_ts, none, 100.0)[1:] == (0, 0, 0, False)
    assert math.isnan(p.ulcer_index(none))


def test_cagr_counts_calendar_years():
    """100 → 121 over two years of 365.25 days is 10 % a year."""
    assert p.cagr(100.0, 121.0, 2 * 365.25 * DAY) == pytest.approx(0.1)
    assert p.cagr(100.0, 0.0, DAY) == -1.0
    assert p.cagr(0.5, 0.55, 365.25 * DAY) == pytest.approx(0.1)
    assert p.cagr(100.0, 100.0, 1) == 0.0


@pytest.mark.parametrize(
    ("initial", "final", "elapsed"),
    [
        (100, 110, 0),
        (0, 110, DAY),
        (-5, 110, DAY),
        (100, -1, DAY),
        (100, 1e6, HOUR),
        (100, math.nan, DAY),
        (100, math.inf, DAY),
    ],
)
def test_cagr_that_cannot_be_is_nan(initial, final, elapsed):
    assert math.isnan(p.cagr(initial, final, elapsed))


def test_drawdown_by_hand():
    """Peak 120 on day 2, trough 90 on day 4 (25 %), back at 120 on day 6."""
    ts = np.arange(1, 8, dtype=np.int64) * DAY
    equity = np.array([110.0, 120.0, 100.0, 90.0, 110.0, 120.0, 119.0])
    assert p.drawdowns(equity, 100.0) == pytest.approx([0, 0, 1 / 6, 0.25, 1 / 12, 0, 1 / 120])
    fall = p.deepest_drawdown(ts, equity, 100.0)
    assert fall == p.Drawdown(0.25, 2 * DAY, 4 * DAY, 6 * DAY, True)
    assert fall.days == 4.0


def test_a_drawdown_that_never_recovers_lasts_to_the_end():
    ts = np.arange(1, 5, dtype=np.int64) * DAY
    fall = p.deepest_drawdown(ts, np.array([100.0, 80.0, 90.0, 95.0]), 100.0)
    assert (fall.depth, fall.peak_us, fall.trough_us, fall.end_us, fall.recovered) == (
        pytest.approx(0.2),
        DAY,
        2 * DAY,
        4 * DAY,
        False,
    )


def test_the_first_fall_is_measured_from_the_initial_cash():
    """The account loses in its very first bar: there is no row at the peak."""
    ts = np.arange(1, 4, dtype=np.int64) * DAY
    fall = p.deepest_drawdown(ts, np.array([90.0, 95.0, 100.0]), 100.0)
    assert fall.depth == pytest.approx(0.1)
    assert (fall.peak_us, fall.end_us, fall.recovered) == (DAY, 3 * DAY, True)


def test_constant_equity_has_no_drawdown_and_no_duration():
    """It stands at its peak to the end."""
    fall = p.deepest_drawdown(np.array([DAY, 2 * DAY], np.int64), np.array([100.0, 100.0]), 100.0)
    assert fall == (0.0, 2 * DAY, 2 * DAY, 2 * DAY, True)
    assert fall.days == 0.0


def test_falls_by_hand():
    """From 100 to 90 and back; from 110 to 99, the same depth; from 120 to 60, and not back."""
    ts = np.arange(1, 9, dtype=np.int64) * DAY
    equity = np.array([90.0, 100.0, 110.0, 99.0, 120.0, 90.0, 60.0, 80.0])
    found = p.falls(ts, equity, 100.0)
    assert found == [
        (0.5, 5 * DAY, 7 * DAY, 8 * DAY, False),
        (pytest.approx(0.1), DAY, DAY, 2 * DAY, True),
        (pytest.approx(0.1), 3 * DAY, 4 * DAY, 5 * DAY, True),
    ]
    assert p.deepest_drawdown(ts, equity, 100.0) == found[0]
    assert p.falls(ts[:1], np.array([100.0]), 100.0) == []
    assert p.falls(ts[:0], equity[:0], 100.0) == []
    assert p.falls(ts[:2], np.array([90.0, math.nan]), 100.0) == []


def test_of_equally_deep_falls_the_first_is_the_deepest():
    """Half is lost twice, in the second row and in the fourth."""
    ts = np.arange(1, 6, dtype=np.int64) * DAY
    fall = p.deepest_drawdown(ts, np.array([100.0, 50.0, 100.0, 50.0, 75.0]), 100.0)
    assert fall == (0.5, DAY, 2 * DAY, 3 * DAY, True)


def test_a_peak_of_nothing_has_no_drawdown():
    """And half a unit of money is a peak like any other."""
    assert np.isnan(p.drawdowns(np.array([-1.0, 0.0]), 0.0)).all()
    assert p.drawdowns(np.array([0.25]), 0.5).tolist() == [0.5]
    assert p.max_drawdown(np.array([0.25, 0.5]), 0.5) == 0.5


def test_nan_equity_makes_the_drawdown_undefined():
    equity = np.array([100.0, math.nan, 50.0])
    assert math.isnan(p.max_drawdown(equity, 100.0))
    assert math.isnan(p.deepest_drawdown(np.array([1, 2, 3], np.int64), equity, 100.0).depth)


def test_an_account_in_debt_has_fallen_by_more_than_all():
    assert p.max_drawdown(np.array([-50.0]), 100.0) == pytest.approx(1.5)


@given(equity_strategy, st.floats(1.0, 1e6))
def test_drawdowns_lie_between_nothing_and_all(equity, initial):
    below = p.drawdowns(equity, initial)
    assert ((below >= 0) & (below <= 1)).all()
    assert p.max_drawdown(equity, initial) == below.max()


@given(equity_strategy, st.floats(1.0, 1e6), st.floats(0.01, 100))
def test_drawdown_does_not_depend_on_the_currency(equity, initial, rate):
    assert p.max_drawdown(equity * rate, initial * rate) == pytest.approx(p.max_drawdown(equity, initial), abs=1e-9)


@given(equity_strategy)
def test_the_deepest_drawdown_is_the_worst_fall_between_any_two_rows(equity):
    """By definition: the largest 1 − later / earlier over all pairs of rows, found by trying all."""
    ts = np.arange(1, len(equity) + 1, dtype=np.int64) * DAY
    worst = max(1 - equity[j] / equity[i] for i in range(len(equity)) for j in range(i, len(equity)))
    fall = p.deepest_drawdown(ts, equity, float(equity[0]))
    assert fall.depth == pytest.approx(worst, abs=1e-12)
    assert fall.peak_us <= fall.trough_us <= fall.end_us


def test_calmar_is_growth_over_drawdown():
    assert p.calmar(1.9135925373194231, 0.1) == pytest.approx(19.135925373194233)  # empyrical's mixed returns
    assert p.calmar(3.0, 1.5) == 2.0  # an account in debt
    assert math.isnan(p.calmar(0.5, 0.0))
    assert math.isnan(p.calmar(0.5, math.nan))
    assert math.isnan(p.calmar(1e308, 0.01))


def test_ulcer_index_by_hand():
    """Drawdowns 0, 10 %, 20 %: √(0.05 / 3)."""
    assert p.ulcer_index(np.array([0.0, 0.1, 0.2])) == pytest.approx(math.sqrt(0.05 / 3))


def test_figures_of_trades_by_hand():
    """Two winners of 30 and 10, a loser of 20, one at exactly 0."""
    pnl = np.array([30.0, -20.0, 10.0, 0.0])
    assert p.win_rate(pnl) == 0.5
    assert p.profit_factor(pnl) == 2.0
    assert p.expectancy(pnl) == 5.0
    cents = np.array([0.5, -0.25])
    assert (p.win_rate(cents), p.profit_factor(cents)) == (0.5, 2.0)
    assert p.profit_factor(np.array([-2.0])) == 0.0


def test_figures_of_trades_are_undefined_without_them():
    none = np.empty(0)
    assert all(math.isnan(figure(none)) for figure in (p.win_rate, p.profit_factor, p.expectancy))
    assert math.isnan(p.profit_factor(np.array([5.0])))
    assert math.isnan(p.win_rate(np.array([5.0, math.nan])))


@given(st.lists(st.floats(-0.3, 0.4), min_size=1, max_size=40), st.floats(1.0, 1e6))
def test_falls(returns, initial):
    """The deepest is `deepest_drawdown`; they do not overlap, and hold all that is below a peak."""
    equity = initial * np.cumprod(1.0 + np.array(returns))
    ts = np.arange(1, len(equity) + 1) * DAY
    found = p.falls(ts, equity, initial)
    below = p.drawdowns(equity, initial)
    if not found:
        assert below.max() == 0.0
        return
    assert found[0] == p.deepest_drawdown(ts, equity, initial)
    assert [fall.depth for fall in found] == sorted((fall.depth for fall in found), reverse=True)
    in_time = sorted(found, key=lambda fall: fall.trough_us)
    assert all(one.end_us <= two.trough_us for one, two in itertools.pairwise(in_time))
    assert all(fall.recovered for fall in in_time[:-1])


def test_rolling_is_not_defined_before_the_window_is_full():
    """Nor for windows without variation (the Sharpe ratio), or too short."""
    returns = np.array([0.0, 0.0, 0.0, 0.1, -0.1])
    volatility, sharpe = p.rolling(returns, 3, 365)
    assert np.isnan(volatility[:2]).all()
    assert volatility[2] == 0.0
    assert np.isnan(sharpe[:3]).all()
    assert sharpe[3] == pytest.approx(p.sharpe(returns[1:4], 365))
    assert volatility[4] == pytest.approx(p.volatility(returns[2:5], 365))
    for window in (1, 6):
        assert np.isnan(p.rolling(returns, window, 365)).all()
