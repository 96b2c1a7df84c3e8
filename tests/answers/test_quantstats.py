"""What quantstats gives on the same series.

Recorded from quantstats 0.0.86 (`periods` the year's days). Drawdowns are (start, valley, end, days, depth in percent).
"""

import math

import numpy as np
import pytest

from truewind.numerics import benchmark, performance, significance, trading
from truewind.numerics.measures import measure, tail_of

TOLD = {
    "crypto": {
        "comp": 1.46661080457,
        "ulcer": 0.153874222122,
        "skew": -0.057386004636,
        "kurtosis": -0.710393448985,
        "kelly": 0.099929955706,
        "gain_to_pain": 0.217724581789,
        "gtp_month": 2.10774998748,
        "payoff": 0.96104734151,
        "profit_factor": 1.21772458179,
        "common_sense": 1.2691285274,
        "win_rate": 0.558904109589,
        "wins": 15.0,
        "losses": 7.0,
        "best": 0.0356884509677,
        "worst": -0.0336347288094,
        "var": -0.0273440113161,
        "cvar": -0.0346435696259,
        "psr": 0.983866252225,
        "dd": (
            ("2023-07-08", "2023-11-26", "2024-04-25", 293, -37.458883082, -37.201197437),
            ("2023-02-16", "2023-03-18", "2023-06-24", 129, -19.7118800491, -17.2127820107),
            ("2024-11-16", "2024-12-15", "2024-12-27", 42, -12.7497962278, -12.1882719344),
        ),
    },
    "weekdays": {
        "comp": 0.2864015934,
        "ulcer": 0.0240204222078,
        "skew": -0.113661927216,
        "kurtosis": -0.296873100326,
        "kelly": 0.132996827237,
        "gain_to_pain": 0.307521788417,
        "gtp_month": 2.73981786463,
        "payoff": 1.00472726899,
        "profit_factor": 1.30752178842,
        "common_sense": 1.39475229589,
        "win_rate": 0.565476190476,
        "wins": 6.0,
        "losses": 6.0,
        "best": 0.0133319333555,
        "worst": -0.011858819691,
        "var": -0.0072328702744,
        "cvar": -0.00920009615805,
        "psr": 0.992087823519,
        "dd": (
            ("2022-10-25", "2023-03-06", "2023-06-02", 221, -7.4642361031, -6.73148638817),
            ("2022-04-27", "2022-05-31", "2022-07-04", 69, -3.70546482603, -3.59351883084),
            ("2023-09-13", "2023-10-16", "2023-10-19", 37, -2.36775004165, -2.31132749888),
        ),
        "alpha": 0.0823920965003,
        "beta": 0.596198375669,
        "ir": 0.0516897211022,
        "r2": 0.56973097622,
    },
    "losing": {
        "comp": -0.333581547671,
        "ulcer": 0.281272390942,
        "skew": -0.0977766213086,
        "kurtosis": -0.677669445943,
        "kelly": -0.125434011554,
        "gain_to_pain": -0.216103827579,
        "gtp_month": -0.667511175801,
        "payoff": 0.938952558175,
        "profit_factor": 0.783896172421,
        "common_sense": 0.669569608267,
        "win_rate": 0.455,
        "wins": 7.0,
        "losses": 12.0,
        "best": 0.0184715054513,
        "worst": -0.0213693385322,
        "var": -0.0172344297963,
        "cvar": -0.0213674698012,
        "psr": 0.0252619540651,
        "dd": (
            ("2024-02-03", "2024-10-08", "2025-02-03", 367, -43.9708461153, -42.9709763164),
            ("2024-01-06", "2024-01-10", "2024-01-18", 13, -3.19167649975, -2.30524566037),
            ("2024-01-21", "2024-01-24", "2024-01-25", 5, -1.58918074821, -1.4014216031),
        ),
    },
}


@pytest.mark.parametrize("name", TOLD)
def test_measures(series, name):
    """Best, worst, share of days that gained, profit factor of days, gain to pain, common sense."""
    told, found = TOLD[name], measure(series[name].returns, series[name].year)
    assert (found.total, found.best, found.worst) == pytest.approx(
        (told["comp"], told["best"], told["worst"]), rel=1e-9
    )
    assert (found.positive, found.omega) == pytest.approx((told["win_rate"], told["profit_factor"]), rel=1e-9)
    assert (found.gain_to_pain, found.common_sense) == pytest.approx((told["gain_to_pain"], told["common_sense"]))


@pytest.mark.parametrize("name", TOLD)
def test_shape(series, name):
    """quantstats (pandas) corrects skew and kurtosis for small samples and takes 3 from it; ours are the sample's own,
    which the papers on the Sharpe ratio use.
    """
    told, found = TOLD[name], measure(series[name].returns, series[name].year)
    n = found.periods
    corrected = found.spread.skew * math.sqrt(n * (n - 1)) / (n - 2)
    assert corrected == pytest.approx(told["skew"], rel=1e-9)
    excess = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (found.spread.kurtosis - 3.0) + 6.0)
    assert excess == pytest.approx(told["kurtosis"], rel=1e-9)


@pytest.mark.parametrize("name", TOLD)
def test_ulcer_index(series, name):
    """quantstats divides by n − 1; Martin, whose index it is, by n."""
    n, found = len(series[name].returns), measure(series[name].returns, series[name].year)
    assert found.ulcer * math.sqrt(n / (n - 1)) == pytest.approx(TOLD[name]["ulcer"], rel=1e-9)


@pytest.mark.parametrize("name", TOLD)
def test_normal_value_at_risk(series, name):
    """Its value at risk and expected shortfall are those of a normal distribution."""
    told, found = TOLD[name], tail_of(series[name].returns)
    assert (found.normal, found.normal_shortfall) == pytest.approx((-told["var"], -told["cvar"]), rel=1e-9)


@pytest.mark.parametrize("name", TOLD)
def test_wins_and_losses(series, name):
    """Days taken for trades: payoff, Kelly's fraction, and the longest streaks."""
    told, returns = TOLD[name], series[name].returns
    assert trading.payoff(returns) == pytest.approx(told["payoff"], rel=1e-9)
    assert trading.kelly_fraction(returns) == pytest.approx(told["kelly"], rel=1e-9)
    found = trading.streaks(returns)
    assert (found.wins, found.losses) == (told["wins"], told["losses"])


@pytest.mark.parametrize("name", TOLD)
def test_gain_to_pain_of_months(series, name):
    """quantstats adds up the daily returns of a month, which is not the month's return: given the sums, we agree."""
    given = series[name]
    months = given.days.astype("datetime64[M]").astype(np.int64)
    sums = np.bincount(months - months[0], weights=given.returns)
    assert measure(sums, 12).gain_to_pain == pytest.approx(TOLD[name]["gtp_month"], rel=1e-9)


@pytest.mark.parametrize("name", TOLD)
def test_worst_drawdowns(series, name):
    """The three deepest, by depth and deepest day. Its fall starts on the first day below the peak, ours at the peak;
    its last day is the last one below it, ours the first that is back.
    """
    given = series[name]
    for told, found in zip(TOLD[name]["dd"], performance.falls(given.ts_us, given.equity, 1.0), strict=False):
        start, valley, _, _, depth, _ = told
        assert found.depth == pytest.approx(-depth / 100, rel=1e-9)
        day = [str(np.datetime64(at, "us").astype("datetime64[D]") - 1) for at in (found.peak_us, found.trough_us)]
        assert day[1] == valley
        assert day[0] < start


def test_probabilistic_sharpe_ratio(series):
    """That a Sharpe ratio of nothing is beaten; quantstats corrects skew and kurtosis for small samples, which moves
    it in the fourth place.
    """
    for name, told in TOLD.items():
        found = significance.moments(series[name].returns)
        chance = significance.probabilistic_sharpe(found.sharpe, 0.0, found.periods, found.skew, found.kurtosis)
        assert chance == pytest.approx(told["psr"], abs=1e-3)


def test_against_a_market(series):
    """Its information ratio is not annualised."""
    given, told = series["weekdays"], TOLD["weekdays"]
    found = benchmark.against(given.returns, given.market, 252)
    assert (found.alpha, found.beta) == pytest.approx((told["alpha"], told["beta"]), rel=1e-9)
    assert found.information_ratio == pytest.approx(told["ir"] * math.sqrt(252), rel=1e-9)
    assert found.correlation**2 == pytest.approx(told["r2"], rel=1e-9)
