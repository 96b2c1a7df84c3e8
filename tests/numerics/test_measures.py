"""Measures: what must hold of any returns, and where nothing is defined. Values of other packages: tests/answers."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from truewind.numerics import measures, performance
from truewind.numerics.measures import measure, tail_of

RETURNS = arrays(np.float64, st.integers(2, 60), elements=st.floats(-0.5, 0.5).map(lambda x: round(x, 6)))
SERIES = st.tuples(RETURNS, st.sampled_from([252.0, 365.0, 8760.0]))


def flat(found):
    """The numbers of all fields, those inside others too."""
    return [x for value in found for x in (value if isinstance(value, tuple) else (value,))]


@given(SERIES)
def test_nothing_is_infinite(series):
    """NaN, or a number, whatever the returns are."""
    assert not any(math.isinf(value) for value in flat(measure(*series)))


@given(SERIES, st.randoms())
def test_order_does_not_matter_but_to_drawdowns(series, chance):
    """Growth, spread and tails are those of the returns in any order."""
    returns, year = series
    other = returns.copy()
    chance.shuffle(other)
    orderly = ("max_drawdown", "longest", "ulcer", "calmar", "stability")
    one, two = measure(returns, year), measure(other, year)
    for name in one._fields:
        if name not in orderly:
            found, expected = np.ravel(getattr(one, name)), np.ravel(getattr(two, name))
            assert found == pytest.approx(expected, rel=1e-6, abs=1e-9, nan_ok=True), name


@given(SERIES, st.floats(0.1, 1.5))
def test_ratios_do_not_depend_on_leverage(series, times):
    """Of returns that are all `times` as large; what is a fraction grows with them."""
    returns, year = series
    one, two = measure(returns, year), measure(times * returns, year)
    for name in ("sharpe", "sortino", "omega", "gain_to_pain", "tail_ratio", "common_sense", "positive"):
        assert getattr(two, name) == pytest.approx(getattr(one, name), rel=1e-6, abs=1e-9, nan_ok=True), name
    for name in ("best", "worst", "volatility", "downside"):
        assert getattr(two, name) == pytest.approx(times * getattr(one, name), rel=1e-6, abs=1e-12, nan_ok=True), name
    assert two.tail[1:5] == pytest.approx([times * value for value in one.tail[1:5]], rel=1e-6, abs=1e-12)
    assert two.kelly == pytest.approx(one.kelly / times, rel=1e-6, nan_ok=True)


@given(SERIES)
def test_bounds(series):
    """What lies between what."""
    found = measure(*series)
    assert 0.0 <= found.positive <= 1.0
    assert 0.0 <= found.max_drawdown < 1.0
    assert found.ulcer <= found.max_drawdown + 1e-12
    assert found.tail.shortfall >= found.tail.value_at_risk - 1e-12
    assert -found.worst >= found.tail.shortfall - 1e-12
    assert math.isnan(found.stability) or -1e-9 <= found.stability <= 1.0 + 1e-9
    if not math.isnan(found.spread.kurtosis):  # Pearson's inequality
        assert found.spread.kurtosis >= 1.0 + found.spread.skew**2 - 1e-6


@given(SERIES)
def test_drawdowns_are_those_of_equity(series):
    """Depth, ulcer index and the longest fall, as `performance` finds them in what 1 grows to."""
    returns, year = series
    found, equity = measure(returns, year), np.cumprod(1.0 + returns)
    below = performance.drawdowns(equity, 1.0)
    assert found.max_drawdown == pytest.approx(below.max(), abs=1e-12)
    assert found.ulcer == pytest.approx(performance.ulcer_index(below), abs=1e-12)


def longest_fall(returns):
    """Rows from a peak to the first that is back at it, or to the end."""
    worth = [1.0]
    for value in returns:
        worth.append(worth[-1] * (1.0 + value))
    longest = 0
    for start, peak in enumerate(worth):
        for end in range(start + 1, len(worth)):
            if worth[end] >= peak:
                longest = max(longest, end - start if end > start + 1 else 0)
                break
        else:
            if start < len(worth) - 1:
                longest = max(longest, len(worth) - 1 - start)
    return longest


@example((np.array([*6 * [0.0], *6 * [0.5], *7 * [-0.5]]), 252.0), 1.0 / 3.0)
@given(SERIES, st.floats(0.01, 0.5))
def test_what_numpy_and_scipy_say(series, share):
    """Every figure by its definition, in other words than ours."""
    r, year = series
    found, worth, down = measure(r, year, share), np.cumprod(1.0 + r), np.minimum(r, 0.0)
    below = 1.0 - worth / np.maximum.accumulate(np.append(1.0, worth))[1:]
    deviation, downside = np.std(r, ddof=1), np.sqrt(np.mean(down**2))
    varies, lost, won = deviation > 1e-12, -down.sum(), np.maximum(r, 0.0).sum()
    low, high = np.quantile(r, [share, 1.0 - share])
    z = stats.norm.ppf(share)
    with np.errstate(over="ignore"):
        growth = stats.gmean(1.0 + r) ** year - 1.0
        calmar = growth / below.max() if below.max() > 0 else math.nan
    expected = {
        "periods": len(r),
        "total": worth[-1] - 1.0,
        "annual": growth,
        "best": r.max(),
        "worst": r.min(),
        "positive": (r > 0).mean(),
        "volatility": deviation * np.sqrt(year),
        "downside": downside * np.sqrt(year),
        "max_drawdown": below.max(),
        "ulcer": np.sqrt(np.mean(below**2)),
        "longest": longest_fall(r.tolist()),
    }
    if varies:
        expected |= {"sharpe": r.mean() / deviation * np.sqrt(year), "kelly": r.mean() / r.var(ddof=1)}
    if lost > 0:
        expected |= {"sortino": r.mean() / downside * np.sqrt(year), "omega": won / lost, "calmar": calmar}
        expected |= {"gain_to_pain": r.sum() / lost}
        if min(abs(low), abs(high)) > 1e-12:  # between a return of 0 and another one numpy's 0 is a rounding error
            ratio = high / -low if low < 0 < high else math.nan
            expected |= {"tail_ratio": ratio, "common_sense": ratio * won / lost}
    if np.ptp(np.log(worth)) > 1e-6:
        expected["stability"] = np.corrcoef(np.log(worth), np.arange(len(r)))[0, 1] ** 2
    for name, value in expected.items():
        got = getattr(found, name)
        if name in ("annual", "calmar") and not 1e-300 < abs(value) < 1e300:
            assert math.isnan(got) or abs(got) > 1e299 or got == pytest.approx(value)
        else:
            assert got == pytest.approx(value, rel=1e-6, abs=1e-9, nan_ok=True), name
    assert found.spread[:3] == pytest.approx((r.mean(), deviation, downside), abs=1e-12)
    if varies:
        assert found.spread[3:] == pytest.approx((stats.skew(r), stats.kurtosis(r, fisher=False)), rel=1e-6, abs=1e-6)
    assert found.tail[:2] == pytest.approx((share, -low), abs=1e-12)
    assert found.tail.shortfall == pytest.approx(-r[r <= low + 1e-15].mean(), abs=1e-9)
    assert found.tail.normal == pytest.approx(-z * deviation - r.mean(), abs=1e-9)
    assert found.tail.normal_shortfall == pytest.approx(deviation * stats.norm.pdf(z) / share - r.mean(), abs=1e-9)


@given(
    arrays(np.float64, st.integers(31, 200), elements=st.integers(-50, 50).map(float)),
    st.integers(1, 60), st.sampled_from([1, 3, 10]),
)  # fmt: skip
def test_the_lowest_of_many_are_found_whatever_a_sample_says(values, count, sample):
    """With samples as small as this the bound is often wrong, and never the answer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measures, "_MANY", 30)
        patch.setattr(measures, "_SAMPLE", sample)
        assert measures._lowest(values, count).tolist() == sorted(values.tolist())[:count]


@given(st.floats(-3.5, 3.5), st.floats(-3, 3), st.floats(-3, 20))
def test_the_bent_quantile_is_known_where_it_rises(z, skew, excess):
    """The polynomial of Cornish and Fisher in z, by its coefficients, and its derivative."""
    bent = np.polynomial.Polynomial([0, 1, 0, 0])
    bent += np.polynomial.Polynomial([-1, 0, 1]) * skew / 6 + np.polynomial.Polynomial([0, -3, 0, 1]) * excess / 24
    bent -= np.polynomial.Polynomial([0, -5, 0, 2]) * skew**2 / 36
    found, slope = measures._cornish_fisher(z, skew, excess), bent.deriv()(z)
    if abs(slope) > 1e-9:
        assert found == pytest.approx(bent(z) if slope > 0 else math.nan, abs=1e-9, nan_ok=True)


def test_of_one_return_and_of_two():
    """The tail of one is itself; two lie on a line, and have a deviation."""
    alone = tail_of(np.array([-0.05]))
    assert (alone.value_at_risk, alone.shortfall) == pytest.approx((0.05, 0.05))
    assert math.isnan(alone.normal)
    one, two = measure(np.array([0.05]), 4), measure(np.array([0.01, 0.03]), 4)
    assert (one.total, one.longest, one.spread.mean) == (pytest.approx(0.05), 0, 0.05)
    assert all(math.isnan(value) for value in (one.stability, one.spread.deviation, one.spread.downside))
    assert two.stability == pytest.approx(1.0)
    assert (two.volatility, two.kelly) == pytest.approx((0.02 * math.sqrt(2), 100.0))
    assert (two.spread.skew, two.spread.kurtosis) == pytest.approx((0.0, 1.0), abs=1e-9)
    assert measures._growth(np.zeros(0))[2] == measures._growth(np.array([math.nan]))[2] == 0
    assert measures.sides(np.zeros(0))[4] == measures.sides(np.array([math.nan]))[4] == 0


def test_less_than_rounding_is_no_variation():
    """A deviation of 1e-14 is a rounding error; twice that is not."""
    volatility, sharpe, sortino = measures.annualised((0.01, 1e-14, 1e-14, 0.0, 0.0), 4.0)
    assert volatility == 0.0
    assert math.isnan(sharpe)
    assert math.isnan(sortino)
    assert measures.annualised((0.01, 2e-14, 4e-14, 0.0, 0.0), 4.0) == pytest.approx((4e-14, 1e12, 5e11))


def test_powers():
    """No rate of growth from less than nothing, nor beyond what a float holds."""
    assert (measures._to_the(0.5, 2.0), measures._to_the(0.0, 2.0)) == (0.25, 0.0)
    assert all(math.isnan(measures._to_the(*one)) for one in ((-0.5, 2.0), (10.0, 400.0), (math.inf, 2.0)))


def test_the_longest_fall_by_hand():
    """Down, down, back (3 periods from the peak); up; down and not back (2)."""
    assert measure(np.array([-0.5, 0.5, 1.0, 0.1, -0.2, 0.1]), 365).longest == 3
    assert measure(np.array([0.1, -0.2, 0.1, 0.1]), 365).longest == 3
    assert measure(np.array([0.1, 0.2]), 365).longest == 0


@pytest.mark.parametrize("returns", [[], [math.nan], [0.1, math.nan, 0.2]])
def test_nothing_is_known_of_no_returns_and_of_nan(returns):
    """Every fraction and ratio is NaN: none is a silent zero."""
    found = measure(np.array(returns), 365)
    counts = {"periods", "longest", "tail"}
    assert all(math.isnan(x) for name in found._fields if name not in counts for x in np.ravel(getattr(found, name)))
    assert all(math.isnan(value) for value in found.tail[1:])


def test_what_needs_variation_is_not_defined_without_it():
    """Constant gains: no deviation to divide by, no loss, no fall. One return: no deviation at all."""
    still = measure(np.full(10, 0.01), 365)
    undefined = ("sharpe", "sortino", "calmar", "omega", "gain_to_pain", "tail_ratio", "kelly")
    assert all(math.isnan(getattr(still, name)) for name in undefined)
    assert (still.volatility, still.max_drawdown, still.ulcer) == (0.0, 0.0, 0.0)
    assert math.isnan(still.spread.skew)
    nothing = measure(np.zeros(10), 365)
    assert math.isnan(nothing.stability)
    assert (nothing.total, nothing.annual) == (0.0, 0.0)
    alone = measure(np.array([0.01]), 365)
    assert math.isnan(alone.volatility)
    assert alone.total == pytest.approx(0.01)


def test_after_ruin():
    """All lost is −100 % a year; more than all has no rate of growth and no logarithm."""
    assert measure(np.array([0.1, -1.0, 0.0]), 365).annual == -1.0
    beyond = measure(np.array([0.1, -1.5]), 365)
    assert beyond.max_drawdown > 1.0
    assert math.isnan(beyond.annual)
    assert math.isnan(beyond.stability)


def test_cornish_fisher_by_hand():
    """z = −1.6448536, skew −0.5, excess kurtosis 1: z + (z² − 1)S/6 + (z³ − 3z)K/24 − (2z³ − 5z)S²/36 =
    −1.644854 − 0.142129 + 0.020181 + 0.004696. Where
    returns are far from normal the expansion turns round, and says nothing.
    """
    assert measures._cornish_fisher(-1.6448536269514722, -0.5, 1.0) == pytest.approx(-1.762106, abs=1e-6)
    wild = np.zeros(1000)
    wild[::100] = -0.5
    assert math.isnan(tail_of(wild).cornish_fisher)


def test_of_many_returns_the_tail_is_found_in_a_sample():
    """As a full ranking has it, whatever order they are in."""
    returns = np.random.default_rng(3).standard_t(3, 200_000)
    for series in (returns, np.sort(returns), np.sort(returns)[::-1], np.round(returns)):
        found = measure(series / 1e4, 365)
        assert -found.tail.value_at_risk * 1e4 == pytest.approx(np.quantile(series, 0.05), rel=1e-9)
        low = np.quantile(series, 0.05)
        assert -found.tail.shortfall * 1e4 == pytest.approx(series[series <= low].mean(), rel=1e-9)
        assert found.tail_ratio == pytest.approx(np.quantile(series, 0.95) / -low, rel=1e-9)


def test_kernels_in_python():
    """The readable faces give the same bits."""
    returns = np.random.default_rng(5).normal(0.0, 0.02, 500)
    for one in (measures.spread, measures.sides):
        assert one(returns) == one.py_func(returns)
    worth, other = np.empty(500), np.empty(500)
    assert measures.grow(returns, worth) == measures.grow.py_func(returns, other)
    assert (worth == other).all()
    assert measures.straightness(worth) == measures.straightness.py_func(worth)
