"""Student's t: the quantile that a confidence interval of a mean of few values needs, without a statistics library.

Formulas 26.7.3 and 26.7.4 of Abramowitz and Stegun (Handbook of Mathematical Functions, 1964): for whole degrees of
freedom the distribution function is a finite sum of cosines.
"""

import math
from functools import cache
from statistics import NormalDist

_MOST = 1000  # degrees of freedom from which the expansion around the normal is exact to 1e-8


def within(t: float, degrees: int) -> float:
    """The probability that a t variable of `degrees` of freedom (at least 1) lies between −t and t, t ≥ 0."""
    angle = math.atan(t / math.sqrt(degrees))
    cosine, square = math.cos(angle), math.cos(angle) ** 2
    odd = degrees % 2
    total = term = cosine if odd else 1.0
    for step in range(2 + odd, degrees - 1, 2):
        term *= square * (step - 1) / step
        total += term
    if not odd:
        return math.sin(angle) * total
    return 2.0 / math.pi * (angle + (math.sin(angle) * total if degrees > 1 else 0.0))


@cache
def quantile(confidence: float, degrees: int) -> float:
    """The t within which a share `confidence` of the distribution lies on both sides: 12.706 for 0.95 and 1 degree.

    NaN without a degree of freedom.
    """
    if degrees < 1:
        return math.nan
    normal = NormalDist().inv_cdf(0.5 + confidence / 2.0)
    if degrees > _MOST:
        # Cornish and Fisher's first two terms: Abramowitz and Stegun 26.7.5.
        first = (normal**3 + normal) / (4.0 * degrees)
        return normal + first + (5 * normal**5 + 16 * normal**3 + 3 * normal) / (96.0 * degrees**2)
    low, high = 0.0, 1.0
    while within(high, degrees) < confidence:
        high *= 2.0
    for _ in range(80):
        middle = (low + high) / 2.0
        low, high = (middle, high) if within(middle, degrees) < confidence else (low, middle)
    return high
