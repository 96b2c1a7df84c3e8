"""Significance: what a Sharpe ratio says about luck. Pure functions of Sharpe ratios *of one period* (a day), not
annualised; periods are counted in the same unit.

Undefined is NaN: no period to spare, no variation, a probability outside (0, 1).
"""

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from truewind.numerics.performance import NAN, NO_VARIATION, Floats

_NORMAL = NormalDist()
_EULER = 0.5772156649015329
_NEVER = 1e9


class Moments(NamedTuple):
    """What significance needs of a series. periods: how many are not NaN. sharpe: mean / deviation (ddof 1).

    skew and kurtosis are those of the sample (moments about the mean, ddof 0); of a normal distribution 0 and 3.
    """

    periods: int
    sharpe: float
    skew: float
    kurtosis: float


def moments(returns: Floats) -> Moments:
    """Of a series of returns; NaN values are left out. NaN for fewer than two, and for returns that do not vary."""
    known = np.asarray(returns, np.float64)
    known = known[np.isfinite(known)]
    if len(known) < 2:
        return Moments(len(known), NAN, NAN, NAN)
    apart = known - known.mean()
    spread = math.sqrt(float(np.mean(apart**2)))
    if not spread > NO_VARIATION:
        return Moments(len(known), NAN, NAN, NAN)
    apart /= spread
    deviation = spread * math.sqrt(len(known) / (len(known) - 1))
    return Moments(len(known), float(known.mean()) / deviation, float(np.mean(apart**3)), float(np.mean(apart**4)))


def sharpe_error(sharpe: float, count: int, skew: float = 0.0, kurtosis: float = 3.0) -> float:
    """Standard error of a Sharpe ratio: √((1 − skew·SR + (kurtosis − 1)/4·SR²) / (count − 1)).

    Lo, A. W. (2002), "The Statistics of Sharpe Ratios", Financial Analysts Journal 58(4), for normal returns; Mertens,
    E. (2002), "Comments on variance of the IID estimator in Lo (2002)", for any others that are independent.
    """
    if count < 2:
        return NAN
    spread = 1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe
    return math.sqrt(spread / (count - 1)) if spread > 0 else NAN


def probabilistic_sharpe(sharpe: float, against: float, count: int, skew: float = 0.0, kurtosis: float = 3.0) -> float:
    """PSR: the probability that the true Sharpe ratio is above `against`.

    Bailey, D. H. and López de Prado, M. (2012), "The Sharpe Ratio Efficient Frontier", Journal of Risk 15(2), eq. 9.
    """
    return normal_cdf(z_score(sharpe, against, count, skew, kurtosis))


def z_score(sharpe: float, against: float, count: int, skew: float = 0.0, kurtosis: float = 3.0) -> float:
    """How many standard errors a Sharpe ratio lies above `against`."""
    error = sharpe_error(sharpe, count, skew, kurtosis)
    return (sharpe - against) / error if error > 0 else NAN


def minimum_track_record(
    sharpe: float, against: float, skew: float = 0.0, kurtosis: float = 3.0, confidence: float = 0.95
) -> float:
    """Periods after which `sharpe` would be above `against` with `confidence`. NaN if it is not above it at all.

    Bailey and López de Prado (2012), eq. 11. NaN, too, where the two are so close that no number of days would do.
    """
    if not (sharpe > against and 0.5 < confidence < 1.0):
        return NAN
    spread = 1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe
    errors = normal_quantile(confidence) / (sharpe - against)
    return 1.0 + spread * errors * errors if spread > 0 and errors < _NEVER else NAN


def expected_maximum(variance: float, trials: float) -> float:
    """The Sharpe ratio that the best of so many independent trials shows by luck alone, where their true ones are 0.

    √variance · ((1 − γ)·Φ⁻¹(1 − 1/N) + γ·Φ⁻¹(1 − 1/(N·e))), γ = 0.5772…: Bailey, D. H. and López de Prado, M. (2014),
    "The Deflated Sharpe Ratio", Journal of Portfolio Management 40(5), eq. 1. variance: of Sharpe ratios across the
    trials. One trial: 0, since nothing was chosen. NaN for fewer, and for a negative variance.
    """
    if not (trials >= 1.0 and variance >= 0.0):
        return NAN
    if trials == 1.0:
        return 0.0
    best = -(1.0 - _EULER) * normal_quantile(1.0 / trials) - _EULER * normal_quantile(1.0 / (trials * math.e))
    return math.sqrt(variance) * max(best, 0.0)


def deflated_sharpe(
    sharpe: float, variance: float, trials: float, count: int, skew: float = 0.0, kurtosis: float = 3.0
) -> float:
    """DSR: the probability that the true Sharpe ratio is above what luck gives the best of so many trials.

    The probabilistic Sharpe ratio against `expected_maximum` (Bailey and López de Prado 2014, eq. 2).
    """
    return probabilistic_sharpe(sharpe, expected_maximum(variance, trials), count, skew, kurtosis)


def family_wise(chance: float, trials: float) -> float:
    """The chance that the best of so many independent trials does what one does with `chance`: 1 − (1 − p)^N.

    Šidák, Z. (1967), "Rectangular Confidence Regions …", Journal of the American Statistical Association 62.
    """
    if not (0.0 <= chance <= 1.0 and trials >= 1.0):
        return NAN
    return -math.expm1(trials * math.log1p(-chance)) if chance < 1.0 else 1.0


def haircut_sharpe(sharpe: float, trials: float, count: int, skew: float = 0.0, kurtosis: float = 3.0) -> float:
    """The Sharpe ratio that would say as much if it were the only one tried; 0 where nothing is left.

    Harvey, C. R. and Liu, Y. (2015), "Backtesting", Journal of Portfolio Management 42(1), with Šidák's correction
    and the one-sided test of `probabilistic_sharpe`.
    """
    z = z_score(sharpe, 0.0, count, skew, kurtosis)
    chance = family_wise(normal_cdf(-z), trials)
    if math.isnan(chance):
        return NAN
    return 0.0 if chance >= 0.5 or z <= 0 else sharpe * _quantile_above(chance, z) / z


def normal_cdf(z: float) -> float:
    """Φ(z), exact in the lower tail too; NaN for NaN."""
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def normal_quantile(chance: float) -> float:
    """Φ⁻¹; NaN outside (0, 1)."""
    return _NORMAL.inv_cdf(chance) if 0.0 < chance < 1.0 else NAN


def _quantile_above(chance: float, z: float) -> float:
    """z of this chance to exceed it; `z` itself where the chance is too small for a float."""
    return -normal_quantile(chance) if chance > 0.0 else z
