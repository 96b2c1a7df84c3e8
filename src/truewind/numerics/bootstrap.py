"""Bootstrap: what a series of returns could have been, had its days come in another order or number.

Blocks of days are drawn with replacement and strung together, so that what follows from one day to the next within a
block (volatility that clusters, trends) is kept:

    stationary   block lengths are geometric with a given mean, the series goes round (Politis, D. N. and Romano,
                 J. P. (1994), "The Stationary Bootstrap", JASA 89). The path is as stationary as the series.
    circular     all blocks equally long, the series goes round (Politis and Romano 1992)
    moving       all blocks equally long and inside the series (Künsch, H. R. (1989), Annals of Statistics 17)

A draw is a function of (seed, path, block) alone (`numerics.draws`): path 7 is the same however many there are, and in
whatever order or thread they are made. Paths are reduced to statistics as they are made; none is held in memory.
"""

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from truewind.numerics.draws import bits, uniform
from truewind.numerics.jit import kernel
from truewind.numerics.performance import NAN, NO_VARIATION, Floats, Ints

Scheme = Literal["stationary", "circular", "moving"]

_STATIONARY, _CIRCULAR, _MOVING = 0, 1, 2
_SCHEMES: dict[Scheme, int] = {"stationary": _STATIONARY, "circular": _CIRCULAR, "moving": _MOVING}
_INSIGNIFICANT = 2.0  # autocorrelations below this many √(log₁₀ n / n) count as none
_RUN = 5  # so many of them in a row end the search


class BlockLength(NamedTuple):
    """Mean block length for the stationary bootstrap, and block length for the circular and the moving one."""

    stationary: float
    circular: float


class Paths(NamedTuple):
    """What became of each path; arrays as long as there are paths.

    growth: worth at the end over that at the start, less 1. depth: deepest drawdown, the start counting as a peak, a
    positive fraction. lowest: least worth on the way, of a start of 1. sharpe: mean over sample deviation of the
    resampled returns, *not* annualised. curves: (paths × points), worth after `steps` returns each.
    A path whose worth is not positive any more stays where it is.
    """

    growth: Floats
    depth: Floats
    lowest: Floats
    sharpe: Floats
    curves: Floats
    steps: Ints


def block_length(returns: Floats) -> BlockLength:
    """The block length that makes the variance of the mean most exact, from the autocorrelations of the series.

    Politis, D. N. and White, H. (2004), "Automatic Block-Length Selection for the Dependent Bootstrap", Econometric
    Reviews 23, as corrected by Patton, A., Politis, D. N. and White, H. (2009), Econometric Reviews 28. The flat-top
    window reaches to twice the lag from which five autocorrelations in a row are insignificant. At least 1, at most
    min(3√n, n/3). (1, 1) for fewer than eight values, for values that do not vary and for those that are not finite.
    """
    values = np.asarray(returns, np.float64)
    n = len(values)
    if n < 8 or not np.isfinite(values).all() or not np.std(values) > NO_VARIATION:
        return BlockLength(1.0, 1.0)
    apart = values - values.mean()
    most = min(n - 2, math.ceil(math.sqrt(n)) + _RUN)
    products = np.array([apart[lag:] @ apart[: n - lag] for lag in range(most + 1)])
    # Each lag by the deviations of the days that it really relates, which matters where n is small.
    early = np.array([math.sqrt((apart[lag + 1 :] @ apart[lag + 1 :]) * (apart[: n - lag - 1] @ apart[: n - lag - 1]))
                      for lag in range(most + 1)])  # fmt: skip
    correlations = np.divide(np.abs(products), early, out=np.ones(most + 1), where=early > 0.0)
    quiet = correlations < _INSIGNIFICANT * math.sqrt(math.log10(n) / n)
    starts = [lag for lag in range(1, most - _RUN + 1) if quiet[lag : lag + _RUN].all()]
    reach = min(2 * starts[0], most) if starts else most
    lags = np.arange(1, reach + 1)
    weights = np.minimum(1.0, 2.0 * (1.0 - lags / reach))
    covariances = products / n
    spread = 2.0 * float(weights * lags @ covariances[1 : reach + 1])
    long_run = float(covariances[0] + 2.0 * (weights @ covariances[1 : reach + 1]))
    longest = math.ceil(min(3.0 * math.sqrt(n), n / 3.0))

    def best(scale: float) -> float:
        if not long_run**2 > 0.0:
            return float(longest)
        return min(max(math.cbrt(2.0 * spread**2 / (scale * long_run**2) * n), 1.0), float(longest))

    return BlockLength(best(2.0), best(4.0 / 3.0))


def paths(
    returns: Floats,
    count: int,
    *,
    block: float,
    seed: int,
    scheme: Scheme = "stationary",
    steps: int | None = None,
    points: int = 0,
) -> Paths:
    """`count` resampled paths of `steps` returns each (as many as there are, if left out), as their statistics.

    returns: simple returns of equal steps. block: mean length, or length, of a block (see `block_length`), ≥ 1.
    points: how many worths of each path are kept, evenly spread, the last one at the end.
    Everything is NaN for an empty series and for one that is not finite; `sharpe` also where a path does not vary.
    """
    values = np.ascontiguousarray(returns, np.float64)
    steps = len(values) if steps is None else steps
    at = _marks(steps, points)
    found = _unknown(count, at)
    if len(values) and steps > 0 and np.isfinite(values).all():
        _walk(values, _SCHEMES[scheme], max(float(block), 1.0), seed, steps, at, *found[:5])
    return found


def indices(
    n: int, count: int, *, block: float, seed: int, scheme: Scheme = "stationary", steps: int | None = None
) -> Ints:
    """(count × steps) numbers of the days that each path is made of; the paths are those of `paths`. n ≥ 1."""
    drawn = np.zeros((count, n if steps is None else steps), np.int64)
    _draw(n, _SCHEMES[scheme], max(float(block), 1.0), seed, drawn)
    return drawn


def draw_counts(n: int, count: int, *, block: float, seed: int, scheme: Scheme = "stationary") -> Floats:
    """(count × n) how often each path of n days draws each day.

    `draw_counts(…) @ returns / n`, with returns (days × strategies), is every path's mean of every strategy in one
    matrix product: what tests of many strategies at once need.
    """
    counts = np.zeros((count, n))
    _count(n, _SCHEMES[scheme], max(float(block), 1.0), seed, counts)
    return counts


def shuffles(returns: Floats, count: int, *, seed: int, points: int = 0) -> Paths:
    """`count` paths of all `returns` in a random order: what the order alone, not their sum, did. As `paths`.

    The product of all is the same in any order, so `growth` hardly differs (but where a path is ruined on the way).
    """
    values = np.ascontiguousarray(returns, np.float64)
    at = _marks(len(values), points)
    found = _unknown(count, at)
    if len(values) and np.isfinite(values).all():
        _shuffle(values, seed, at, *found[:5])
    return found


def bands(curves: Floats, quantiles: tuple[float, ...]) -> Floats:
    """(quantiles × points) of the worths (paths × points) at each point. Empty or NaN paths give NaN."""
    if not curves.size:
        return np.full((len(quantiles), curves.shape[1]), NAN)
    found: Floats = np.quantile(curves, quantiles, axis=0)
    return found


def _marks(steps: int, points: int) -> Ints:
    """Numbers of steps after which worths are kept: at most `points`, the last one at the end."""
    at = np.unique(np.linspace(0, steps, points + 1).round().astype(np.int64))
    return at[(at > 0) & (points > 0)]


def _unknown(count: int, at: Ints) -> Paths:
    growth, depth, lowest, sharpe = (np.full(count, NAN) for _ in range(4))
    return Paths(growth, depth, lowest, sharpe, np.full((count, len(at)), NAN), at)


@kernel(inline=True)
def _block(n: int, scheme: int, mean: float, seed: int, path: int, number: int) -> tuple[int, int]:
    """Where block `number` of a path begins, and how long it is."""
    draw = bits(seed, path, number, 2)
    if scheme == _STATIONARY:
        length = 1
        if mean > 1.0:
            length += int(math.log(uniform(seed, path, number, 0)) / math.log1p(-1.0 / mean))
        return (draw * n) >> 32, length
    length = min(int(mean + 0.5), n)
    starts = n - length + 1 if scheme == _MOVING else n
    return (draw * starts) >> 32, length


@kernel
def _walk(
    returns: NDArray[np.float64],
    scheme: int,
    mean: float,
    seed: int,
    steps: int,
    at: NDArray[np.int64],
    growth: NDArray[np.float64],
    depth: NDArray[np.float64],
    lowest: NDArray[np.float64],
    sharpe: NDArray[np.float64],
    curves: NDArray[np.float64],
) -> None:
    n, centre = len(returns), 0.0
    for value in returns:
        centre += value / n
    for path in range(len(growth)):
        worth, peak, fall, low = 1.0, 1.0, 0.0, 1.0
        total, squares = 0.0, 0.0
        done, number, point = 0, 0, 0
        while done < steps:
            index, length = _block(n, scheme, mean, seed, path, number)
            number += 1
            for _ in range(min(length, steps - done)):
                value = returns[index]
                index += 1
                if index == n:
                    index = 0
                apart = value - centre
                total += apart
                squares += apart * apart
                if worth > 0.0:
                    worth *= 1.0 + value
                if worth > peak:
                    peak = worth
                elif peak - worth > fall * peak:
                    fall = (peak - worth) / peak
                low = min(low, worth)
                done += 1
                if point < len(at) and done == at[point]:
                    curves[path, point] = worth
                    point += 1
        growth[path], depth[path], lowest[path] = worth - 1.0, fall, low
        sharpe[path] = _ratio(centre, total, squares, steps)


@kernel(inline=True)
def _ratio(centre: float, total: float, squares: float, count: int) -> float:
    """Mean over sample deviation, from sums of what lies apart from `centre`."""
    if count < 2:
        return math.nan
    mean = total / count
    variance = (squares - total * mean) / (count - 1)
    return (centre + mean) / math.sqrt(variance) if variance > NO_VARIATION * NO_VARIATION else math.nan


@kernel
def _draw(n: int, scheme: int, mean: float, seed: int, drawn: NDArray[np.int64]) -> None:
    for path in range(drawn.shape[0]):
        done, number = 0, 0
        while done < drawn.shape[1]:
            index, length = _block(n, scheme, mean, seed, path, number)
            number += 1
            for _ in range(min(length, drawn.shape[1] - done)):
                drawn[path, done] = index
                index = index + 1 if index + 1 < n else 0
                done += 1


@kernel
def _count(n: int, scheme: int, mean: float, seed: int, counts: NDArray[np.float64]) -> None:
    for path in range(counts.shape[0]):
        done, number = 0, 0
        while done < n:
            index, length = _block(n, scheme, mean, seed, path, number)
            number += 1
            for _ in range(min(length, n - done)):
                counts[path, index] += 1.0
                index = index + 1 if index + 1 < n else 0
                done += 1


@kernel
def _shuffle(
    returns: NDArray[np.float64],
    seed: int,
    at: NDArray[np.int64],
    growth: NDArray[np.float64],
    depth: NDArray[np.float64],
    lowest: NDArray[np.float64],
    sharpe: NDArray[np.float64],
    curves: NDArray[np.float64],
) -> None:
    n, centre, squares = len(returns), 0.0, 0.0
    for value in returns:
        centre += value / n
    for value in returns:
        squares += (value - centre) * (value - centre)
    ratio = _ratio(centre, 0.0, squares, n)  # the same in any order
    order = np.arange(n)
    for path in range(len(growth)):
        worth, peak, fall, low, point = 1.0, 1.0, 0.0, 1.0, 0
        for k in range(n):
            order[k] = k
        for k in range(n):
            other = k + ((bits(seed, path, k, 0) * (n - k)) >> 32)  # Fisher and Yates
            order[k], order[other] = order[other], order[k]
            if worth > 0.0:
                worth *= 1.0 + returns[order[k]]
            if worth > peak:
                peak = worth
            elif peak - worth > fall * peak:
                fall = (peak - worth) / peak
            low = min(low, worth)
            if point < len(at) and k + 1 == at[point]:
                curves[path, point] = worth
                point += 1
        growth[path], depth[path], lowest[path], sharpe[path] = worth - 1.0, fall, low, ratio
