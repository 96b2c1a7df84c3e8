"""What empyrical gives on the same series.

Recorded from empyrical-reloaded 0.7.1 (pandas series of `conftest.series`, `annualization` the year's days; a month is
`aggregate_returns(r, "monthly")`, rolling windows are of 63 days). It writes losses and drawdowns as negative numbers.
"""

import math

import numpy as np
import pytest

from truewind.analytics.plots import monthly_returns
from truewind.numerics import benchmark, performance
from truewind.numerics.measures import measure, tail_of

TOLD = {
    "crypto": {
        "total": 1.46661080457,
        "annual": 0.570544747715,
        "volatility": 0.333743692098,
        "sharpe": 1.52000721321,
        "sortino": 2.26917719203,
        "downside": 0.223558046121,
        "max_drawdown": -0.37458883082,
        "calmar": 1.52312269019,
        "omega": 1.21772458179,
        "tail_ratio": 1.0422131132,
        "stability": 0.579357911437,
        "var": -0.0292414846959,
        "cvar": -0.0314861132242,
        "var1": -0.0328868064389,
        "cvar1": -0.0332293597393,
        "roll_sharpe": (1.7387626518, -0.503817762903, 2.89467336366),
        "roll_vol": (0.359028788576, 0.345642776635, 0.31083958415),
        "monthly": (0.187585901188, -0.0713516576103, -0.00660124284555),
        "yearly": (-0.00369217358108, 1.47575170963),
    },
    "weekdays": {
        "total": 0.2864015934,
        "annual": 0.134196452737,
        "volatility": 0.0747350883219,
        "sharpe": 1.72265342633,
        "sortino": 2.60622749401,
        "downside": 0.049398088333,
        "max_drawdown": -0.074642361031,
        "calmar": 1.79785916312,
        "omega": 1.30752178842,
        "tail_ratio": 1.06671438154,
        "stability": 0.849583194471,
        "var": -0.00726714262085,
        "cvar": -0.00915040878915,
        "var1": -0.0106968440561,
        "cvar1": -0.0112034658952,
        "roll_sharpe": (2.43301477009, 2.67356282124, 0.980699974724),
        "roll_vol": (0.0742364517532, 0.0801359203191, 0.0782568057455),
        "monthly": (0.0255863790012, 0.0231195458889, -0.00491959563586),
        "yearly": (0.120606292119, 0.147951428122),
        "alpha": 0.0858668740755,
        "beta": 0.596198375669,
        "excess_sharpe": 0.0516897211022,
        "up": (1.25154372168, 2.17770692, 281),
        "down": (-0.521982792179, -0.725081063199, 223),
    },
    "losing": {
        "total": -0.333581547671,
        "annual": -0.309491307691,
        "volatility": 0.188967054206,
        "sharpe": -1.8643410606,
        "sortino": -2.41114816986,
        "downside": 0.146112562745,
        "max_drawdown": -0.439708461153,
        "calmar": -0.703855702208,
        "omega": 0.783896172421,
        "tail_ratio": 0.854155986244,
        "stability": 0.886290837111,
        "var": -0.0184625706171,
        "cvar": -0.019787155656,
        "var1": -0.0207149102038,
        "cvar1": -0.0211413445818,
        "roll_sharpe": (-0.249886672964, -4.35913009663, 0.513259650931),
        "roll_vol": (0.177356349838, 0.200873130091, 0.177353573195),
        "monthly": (0.0813699759099, -0.0797733917483, 0.0105893474182),
        "yearly": (-0.305536863392, -0.0403832583769),
    },
}

SAME = ("total", "annual", "volatility", "sharpe", "sortino", "downside", "calmar", "omega", "tail_ratio", "stability")


@pytest.mark.parametrize("name", TOLD)
def test_measures(series, name):
    """The same definitions: ddof 1, target 0, compounding over periods; losses and drawdowns positive here.

    Calmar is compounded over periods too in `measure`; a run's own is over calendar time (365.25 days).
    """
    told, found = TOLD[name], measure(series[name].returns, series[name].year)
    assert {one: getattr(found, one) for one in SAME} == pytest.approx({one: told[one] for one in SAME}, rel=1e-9)
    assert (found.max_drawdown, found.tail.value_at_risk) == pytest.approx((-told["max_drawdown"], -told["var"]))
    assert found.tail.shortfall == pytest.approx(-told["cvar"], rel=1e-9)
    rare = tail_of(series[name].returns, 0.01)
    assert (rare.value_at_risk, rare.shortfall) == pytest.approx((-told["var1"], -told["cvar1"]), rel=1e-9)


@pytest.mark.parametrize("name", TOLD)
def test_the_functions_of_one_metric_agree(series, name):
    """Those that reports, models and monitoring call one by one."""
    told, given = TOLD[name], series[name]
    assert performance.volatility(given.returns, given.year) == pytest.approx(told["volatility"], rel=1e-9)
    assert performance.sharpe(given.returns, given.year) == pytest.approx(told["sharpe"], rel=1e-9)
    assert performance.sortino(given.returns, given.year) == pytest.approx(told["sortino"], rel=1e-9)
    assert performance.max_drawdown(given.equity, 1.0) == pytest.approx(-told["max_drawdown"], rel=1e-9)
    days = given.days.astype(np.int64)
    assert performance.daily_returns(given.ts_us, given.equity, 1.0, every_day=given.year == 365) == (
        pytest.approx(days),
        pytest.approx(given.returns, abs=1e-14),
    )


@pytest.mark.parametrize("name", TOLD)
def test_rolling(series, name):
    """At the first full window, a hundred days on, and at the end."""
    volatility, sharpe = performance.rolling(series[name].returns, 63, series[name].year)
    assert np.isnan(sharpe[:62]).all()
    assert sharpe[[62, 162, -1]] == pytest.approx(TOLD[name]["roll_sharpe"], rel=1e-9)
    assert volatility[[62, 162, -1]] == pytest.approx(TOLD[name]["roll_vol"], rel=1e-9)


@pytest.mark.parametrize("name", TOLD)
def test_months_and_years(series, name):
    """The first three months, and all years."""
    found = monthly_returns(series[name].ts_us, series[name].equity, 1.0)
    assert [year.total for year in found] == pytest.approx(TOLD[name]["yearly"], rel=1e-9)
    assert [month for month in found[0].months if month is not None][:3] == pytest.approx(TOLD[name]["monthly"])


def test_against_a_market(series):
    """empyrical compounds a day's alpha over the year and does not annualise the information ratio; we multiply by the
    days, as Jensen did, and by their root. Its captures are ratios of annual returns; ours of the daily ones.
    """
    given, told = series["weekdays"], TOLD["weekdays"]
    found = benchmark.against(given.returns, given.market, 252)
    assert found.beta == pytest.approx(told["beta"], rel=1e-9)
    assert (1.0 + found.alpha / 252) ** 252 - 1.0 == pytest.approx(told["alpha"], rel=1e-9)
    assert found.information_ratio == pytest.approx(told["excess_sharpe"] * math.sqrt(252), rel=1e-9)

    def daily(annual):
        return (1.0 + annual) ** (1 / 252) - 1.0

    assert found.up_capture == pytest.approx(daily(told["up"][0]) / daily(told["up"][1]), rel=1e-9)
    assert found.down_capture == pytest.approx(daily(told["down"][0]) / daily(told["down"][1]), rel=1e-9)
