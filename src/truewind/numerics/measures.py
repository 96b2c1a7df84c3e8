"""Measures: what a series of returns comes to, all at once, in machine code: for reports and for each trial of a sweep.

Units, signs and what is not defined are as in `numerics.performance`: fractions, losses and drawdowns positive, NaN
for what is not defined. What is said of a period holds for a day if the returns are daily ones.
"""

import math
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from truewind.numerics.jit import kernel
from truewind.numerics.performance import NAN, NO_VARIATION, Floats, calmar

_NAN = math.nan
_MANY, _SAMPLE = 50_000, 5_000


class Spread(NamedTuple):
    """How returns are spread. deviation: sample standard deviation (ddof 1). downside: √mean(min(r, 0)²) over all.

    skew, kurtosis: m3 / m2^1.5 and m4 / m2² of the population moments, as Bailey and López de Prado (2012), "The Sharpe
    Ratio Efficient Frontier", Journal of Risk 15(2), put them into the deviation of a Sharpe ratio: a normal
    distribution has kurtosis 3.
    """

    mean: float
    deviation: float
    downside: float
    skew: float
    kurtosis: float


class Tail(NamedTuple):
    """What the worst `share` of periods lose, as positive fractions (negative where even they gain).

    value_at_risk: the loss that this share of periods exceeds (linear between ranks). shortfall: the mean of those that
    reach it: expected shortfall, or conditional value at risk. normal, normal_shortfall: both for a normal distribution
    of the same mean and deviation (ddof 1). cornish_fisher: value at risk with the quantile of a normal distribution
    bent by skew and kurtosis (Cornish, E. A. and Fisher, R. A. (1938), Revue de l'Institut International de Statistique
    5; as in Favre, L. and Galeano, J.-A. (2002), Journal of Alternative Investments 5(2)); NaN where the returns are so
    far from normal that the bent quantiles no longer rise (Maillard, D. (2012), "A User's Guide to the Cornish Fisher
    Expansion").
    """

    share: float
    value_at_risk: float
    shortfall: float
    normal: float
    normal_shortfall: float
    cornish_fisher: float


class Measures(NamedTuple):
    """The metrics of one series of returns r of `periods` periods, `year` of them a year; G is what 1 has grown to.

    total: G − 1. annual: G^(year / periods) − 1. best, worst: periods. positive: share of periods above 0.
    volatility: deviation × √year. downside: √mean(min(r, 0)²) × √year. spread: not annualised. sharpe, sortino: as in
    `performance`. max_drawdown: the deepest fall below the highest so far, 1 at the start included; longest: periods
    from a peak to the first that is back at it, or to the end, of the fall that lasted longest; ulcer: √mean(fall²)
    over all periods. calmar: annual / max_drawdown. omega: Σ max(r, 0) / Σ max(−r, 0) (Keating, C. and Shadwick, W. F.
    (2002), "A Universal Performance Measure", threshold 0), the profit factor of periods; gain_to_pain: Σ r / Σ
    max(−r, 0), which is omega − 1 (Schwager, J. D. (2012), Market Sense and Nonsense, who takes months). tail: of the
    worst 5 %. tail_ratio: 95 % quantile over the size of the 5 % quantile. common_sense: tail_ratio × omega (as
    quantstats). kelly: mean / variance, the leverage that compounds fastest (Thorp, E. O. (2006), "The Kelly Criterion
    in Blackjack, Sports Betting and the Stock Market", 7.1). stability: R² of the straight line through ln G over time.
    """

    periods: int
    total: float
    annual: float
    best: float
    worst: float
    positive: float
    spread: Spread
    volatility: float
    downside: float
    sharpe: float
    sortino: float
    max_drawdown: float
    longest: int
    ulcer: float
    calmar: float
    omega: float
    gain_to_pain: float
    tail: Tail
    tail_ratio: float
    common_sense: float
    kelly: float
    stability: float


def measure(returns: Floats, year: float, share: float = 0.05) -> Measures:
    """All of `Measures` for float64 (n,) returns, `year` of them a year. 1 M returns take some 20 ms.

    NaN in `returns`, and ruin (a return below −1), leave what follows from it not defined.
    """
    returns = np.ascontiguousarray(returns, np.float64)
    count = len(returns)
    found = Spread(*spread(returns))
    volatility, sharpe, sortino = annualised(found, year)
    grown, depth, longest, squares, stability = _growth(returns)
    won, lost, best, worst, ups = sides(returns)
    low, high, tail = _tails(returns, found, share)
    annual = _to_the(grown, year / count) - 1.0 if count else NAN
    omega = won / lost if lost > 0 else NAN
    ratio = high / -low if low < 0 < high else NAN
    varied = found.deviation > NO_VARIATION
    return Measures(
        periods=count,
        total=grown - 1.0,
        annual=annual,
        best=best,
        worst=worst,
        positive=NAN if math.isnan(won) else ups / count,
        spread=found,
        volatility=volatility,
        downside=found.downside * math.sqrt(year),
        sharpe=sharpe,
        sortino=sortino,
        max_drawdown=depth,
        longest=longest,
        ulcer=math.sqrt(squares / count) if count else NAN,
        calmar=calmar(annual, depth),
        omega=omega,
        gain_to_pain=(won - lost) / lost if lost > 0 else NAN,
        tail=tail,
        tail_ratio=ratio,
        common_sense=ratio * omega,
        kelly=found.mean / found.deviation**2 if varied else NAN,
        stability=stability,
    )


def tail_of(returns: Floats, share: float = 0.05) -> Tail:
    """`Tail` of float64 (n,) returns; NaN for none, for NaN among them, and normal ones for fewer than two."""
    returns = np.ascontiguousarray(returns, np.float64)
    return _tails(returns, Spread(*spread(returns)), share)[2]


def _tails(returns: Floats, found: Spread, share: float) -> tuple[float, float, Tail]:
    """The quantiles of `share` and 1 − `share`, and `Tail`."""
    count = len(returns)
    if not count or math.isnan(found.mean):
        return NAN, NAN, Tail(share, NAN, NAN, NAN, NAN, NAN)
    at = (count - 1) * share
    worst, best = _lowest(returns, math.floor(at) + 2), _lowest(-returns, math.floor(at) + 2)
    low, high = _between(worst, at), -_between(best, at)
    # What is as bad as the quantile: the ranks up to it, and what ties with it.
    reached = worst[:-1] if low < worst[-1] else returns[returns <= low]
    z = NormalDist().inv_cdf(share)
    mean, deviation = found.mean, found.deviation
    bent = _cornish_fisher(z, found.skew, found.kurtosis - 3.0)
    return (
        low,
        high,
        Tail(
            share=share,
            value_at_risk=-low,
            shortfall=-float(np.mean(reached)),
            normal=-(mean + z * deviation),
            normal_shortfall=-(mean - deviation * NormalDist().pdf(z) / share),
            cornish_fisher=-(mean + bent * deviation),
        ),
    )


def _lowest(values: Floats, count: int) -> Floats:
    """The `count` lowest values (all, if there are fewer), rising.

    Of many values a sample says below what bound they must lie, so that few have to be ranked.
    """
    if len(values) > _MANY:
        sample = np.sort(values[:: len(values) // _SAMPLE])
        bound = sample[min(len(sample) - 1, int(1.2 * count / len(values) * len(sample)) + 10)]
        below = values[values <= bound]
        values = below if len(below) >= count else values
    count = min(count, len(values))
    return np.sort(np.partition(values, count - 1)[:count])


def _between(ranked: Floats, at: float) -> float:
    """The value at a rank that may lie between two."""
    first = math.floor(at)
    above = ranked[min(first + 1, len(ranked) - 1)]
    return float(ranked[first] + (at - first) * (above - ranked[first]))


def _cornish_fisher(z: float, skew: float, excess: float) -> float:
    slope = 1.0 + z * skew / 3.0 + (z * z - 1.0) * excess / 8.0 - (6.0 * z * z - 5.0) * skew * skew / 36.0
    if not slope > 0.0:
        return NAN
    bent = (z * z - 1.0) * skew / 6.0 + (z**3 - 3.0 * z) * excess / 24.0 - (2.0 * z**3 - 5.0 * z) * skew * skew / 36.0
    return z + bent


def _to_the(base: float, power: float) -> float:
    if not base >= 0.0:
        return NAN
    try:
        found = base**power
    except OverflowError:
        return NAN
    return found if math.isfinite(found) else NAN


@kernel
def spread(values: Any) -> tuple[float, float, float, float, float]:
    """The fields of `Spread` of float64 (n,). Deviations are from the mean, which is reckoned first: nothing cancels.

    All are NaN where a value is NaN; all but the mean with fewer than two; skew and kurtosis where nothing varies.
    """
    count = len(values)
    if count == 0:
        return _NAN, _NAN, _NAN, _NAN, _NAN
    total = 0.0
    for i in range(count):
        total += values[i]
    mean = total / count
    if count < 2:
        return mean, _NAN, _NAN, _NAN, _NAN
    second = third = fourth = below = 0.0
    for i in range(count):
        value = values[i]
        apart = value - mean
        square = apart * apart
        second += square
        third += square * apart
        fourth += square * square
        least = min(value, 0.0)
        below += least * least
    deviation, downside = math.sqrt(second / (count - 1)), math.sqrt(below / count)
    if math.isnan(second):
        return mean, deviation, _NAN, _NAN, _NAN
    if not deviation > NO_VARIATION:
        return mean, deviation, downside, _NAN, _NAN
    second /= count
    return mean, deviation, downside, third / count / second**1.5, fourth / count / (second * second)


@kernel
def annualised(found: tuple[float, float, float, float, float], year: float) -> tuple[float, float, float]:
    """Volatility, Sharpe and Sortino ratio from the `spread` of returns, `year` of them a year, as in `performance`."""
    mean, deviation, downside = found[0], found[1], found[2]
    root = math.sqrt(year)
    volatility = 0.0 if deviation <= NO_VARIATION else deviation * root
    sharpe = mean / deviation * root if deviation > NO_VARIATION else _NAN
    sortino = mean / downside * root if downside > NO_VARIATION else _NAN
    return volatility, sharpe, sortino


def _growth(returns: Floats) -> tuple[float, float, int, float, float]:
    """What 1 grows to, deepest fall, periods of the longest one, sum of squared falls; R² of ln growth over time.

    R² is NaN after ruin, for fewer than two periods, and where growth does not vary.
    """
    worth = np.empty(len(returns))
    depth, longest, squares = grow(returns, worth)
    if not len(worth) or math.isnan(worth[-1]):
        return NAN, NAN, 0, NAN, NAN
    if len(worth) < 2 or worth.min() <= 0.0:
        return float(worth[-1]), depth, longest, squares, NAN
    return float(worth[-1]), depth, longest, squares, straightness(np.log(worth))


@kernel
def straightness(values: Any) -> float:
    """R² of the straight line through evenly spaced values; NaN where they do not vary."""
    count = len(values)
    total = 0.0
    for i in range(count):
        total += values[i]
    mean, middle = total / count, (count - 1) / 2.0
    across = varied = 0.0
    for i in range(count):
        apart = values[i] - mean
        across += (i - middle) * apart
        varied += apart * apart
    width = count * (float(count) * count - 1.0) / 12.0
    return across * across / (width * varied) if varied > NO_VARIATION * NO_VARIATION * count else _NAN


@kernel
def grow(returns: Any, worth: Any) -> tuple[float, int, float]:
    """Fill `worth` with what 1 has grown to; deepest fall, periods of the longest one, and sum of squared falls."""
    grown, peak, depth, squares, peaked, longest = 1.0, 1.0, 0.0, 0.0, 0, 0
    for i in range(len(returns)):
        grown *= 1.0 + returns[i]
        worth[i] = grown
        if grown >= peak:
            if i > peaked:  # it was below, and is back now
                longest = max(longest, i + 1 - peaked)
            peak, peaked = grown, i + 1
        else:
            fall = (peak - grown) / peak
            squares += fall * fall
            depth = max(depth, fall)
    return depth, max(longest, len(returns) - peaked), squares


@kernel
def sides(returns: Any) -> tuple[float, float, float, float, int]:
    """Sum of gains, sum of losses (positive), best and worst of returns, and how many are above 0; NaN if one is."""
    if len(returns) == 0:
        return _NAN, _NAN, _NAN, _NAN, 0
    won, lost, best, worst, ups = 0.0, 0.0, returns[0], returns[0], 0
    for i in range(len(returns)):
        value = returns[i]
        size = abs(value)
        won += 0.5 * (size + value)
        lost += 0.5 * (size - value)
        ups += value > 0.0
        if value > best:
            best = value
        elif value < worst:
            worst = value
    if won != won:
        return _NAN, _NAN, _NAN, _NAN, 0
    return won, lost, best, worst, ups
