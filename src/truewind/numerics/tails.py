"""Tails: how far a distribution of returns is from normal, and how thick its ends are. Undefined is NaN."""

import math

import numpy as np

from truewind.numerics.performance import NAN, NO_VARIATION, Floats


def jarque_bera(values: Floats) -> tuple[float, float]:
    """Statistic and p-value of the test that skew and kurtosis are those of a normal distribution.

    n/6 (S² + (K − 3)²/4), χ² with two degrees of freedom (Jarque, C. M. and Bera, A. K. (1987), International
    Statistical Review 55), which holds for large n. Not defined for fewer than 20 values, values that do not vary and
    such as are not finite.
    """
    series = np.asarray(values, np.float64)
    if len(series) < 20 or not np.isfinite(series).all() or not float(np.std(series)) > NO_VARIATION:
        return NAN, NAN
    scores = (series - series.mean()) / np.std(series)
    skew, kurtosis = float(np.mean(scores**3)), float(np.mean(scores**4))
    statistic = len(series) / 6.0 * (skew * skew + (kurtosis - 3.0) ** 2 / 4.0)
    return statistic, math.exp(-statistic / 2.0)


def hill(losses: Floats, share: float = 0.05) -> tuple[float, int]:
    """Hill's tail index of the largest `share` of values, which are positive sizes, and from how many it comes.

    An index of 3 means that P(loss > x) falls as x⁻³: the smaller, the thicker the tail; below 2 there is no finite
    variance, and a normal distribution has none at all (its tail falls faster than any power). 1 / mean(ln x_i − ln
    x_k+1) over the k largest (Hill, B. M. (1975), "A simple general approach to inference about the tail of a
    distribution", Annals of Statistics 3); its standard error is index / √k. NaN for k below 10.
    """
    sizes = np.asarray(losses, np.float64)
    k = int(share * len(sizes))
    if k < 10 or not np.isfinite(sizes).all():
        return NAN, k
    largest = np.sort(sizes)[-k - 1 :]
    if not largest[0] > 0.0:
        return NAN, k
    mean = float(np.mean(np.log(largest[1:] / largest[0])))
    return (1.0 / mean if mean > 0.0 else NAN), k
