"""Together: how two symbols move with each other, measured from their last common bars.

Measured on what was known when the UTC day began, so that it is the same for all who ask on that day, whichever order
comes first, and need be reckoned once: `moments` keeps day, correlation and covariance of each pair.
"""

import math
from typing import Any

import numpy as np

from truewind.domain.timeframe import DAY_US
from truewind.numerics.jit import kernel
from truewind.portfolio.state import instruments_of, limits_of, moments_of, prices_of, received_of, times_of

_FIELDS = 3  # of a pair in `moments`
_PATIENCE = 16  # rows looked back on, as a multiple of those that are needed where all symbols have all bars


def room_for_pairs(limits: np.ndarray, symbols: int, legs: int) -> np.ndarray:
    """`moments` of a run of so many symbols and positions: empty where no rule asks for it."""
    limit = limits[0]
    measured = min(limit["max_var"], limit["max_shortfall"]) < np.inf
    grouped = limit["max_cluster"] < np.inf or limit["max_correlated"] < legs
    return np.full(_FIELDS * symbols * symbols if measured or (grouped and symbols > 1) else 0, np.nan)


@kernel
def together(state: int, k: int, first: int, second: int) -> tuple[float, float]:
    """Correlation of two symbols' log returns, and their covariance a day; of one symbol 1 and its variance.

    k: the last row that is known. NaN where fewer than half of the bars that the limits ask for are common to both, or
    one of them has not moved.
    """
    moments = moments_of(state)
    if first > second:
        first, second = second, first
    at = _FIELDS * (first * len(instruments_of(state)) + second)
    day = times_of(state)[1][k] // DAY_US if k >= 0 else 0
    if moments[at] != day:
        moments[at] = day
        moments[at + 1], moments[at + 2] = measure(state, k, day * DAY_US, first, second)
    return moments[at + 1], moments[at + 2]


@kernel
def measure(state: int, k: int, until: int, first: int, second: int) -> tuple[float, float]:
    """As `together`, from the rows up to `k` that were known at `until` (µs)."""
    known, symbols = times_of(state)[1], times_of(state)[2]
    received, closes = received_of(state), prices_of(state)[3]
    bars = int(limits_of(state)["correlation_bars"])
    row = rows_until(known, k, until) - 1
    end = max(-1, row - _PATIENCE * bars * len(instruments_of(state)))
    time_1, time_2, common, last = -1, -1, -1, 0
    log_1 = log_2 = 0.0
    count = 0  # of returns; sums after Welford, so that none is a difference of large numbers
    mean_1 = mean_2 = squares_1 = squares_2 = products = later_1 = later_2 = 0.0
    while row > end and count < bars:
        symbol = symbols[row]
        if symbol in (first, second) and received[row] <= until:
            if symbol == first:
                time_1, log_1 = known[row], math.log(closes[row])
            if symbol == second:
                time_2, log_2 = known[row], math.log(closes[row])
            if time_1 == time_2 and time_1 != common:
                if common < 0:
                    last = time_1
                else:
                    count += 1
                    apart_1, apart_2 = later_1 - log_1 - mean_1, later_2 - log_2 - mean_2
                    mean_1 += apart_1 / count
                    mean_2 += apart_2 / count
                    squares_1 += apart_1 * (later_1 - log_1 - mean_1)
                    squares_2 += apart_2 * (later_2 - log_2 - mean_2)
                    products += apart_1 * (later_2 - log_2 - mean_2)
                common, later_1, later_2 = time_1, log_1, log_2
        row -= 1
    spread = math.sqrt(squares_1 * squares_2)
    if 2 * count < bars or count < 2 or not spread > 0.0:
        return math.nan, math.nan
    days = (last - common) / DAY_US
    return products / spread, products / (count - 1) * (count / days)


@kernel
def rows_until(known: Any, k: int, until: int) -> int:
    """How many of the rows up to `k` were known at `until`."""
    low, high = 0, k + 1
    while low < high:
        middle = (low + high) // 2
        if known[middle] <= until:
            low = middle + 1
        else:
            high = middle
    return low


@kernel(inline=True)
def alike(correlation: float, least: float) -> bool:
    """Whether two symbols count as one cluster: they move together, or against each other; also if nobody knows."""
    return not abs(correlation) < least
