"""Cross-sections: a feature of one symbol compared with the same feature of all symbols at the same time.

`rank(returns(24))` on the rows of a universe. Only symbols that have a row and a value at that time take part; where
fewer than two do, there is nothing to compare with and the value is NaN. They need a `FeaturePipeline` over several
symbols: a stream of one symbol refuses them.
"""

from math import nan, sqrt
from typing import Any, ClassVar

from truewind.errors import FeatureError
from truewind.features.base import Feature, derived, parameter, reaches, register, scalars
from truewind.numerics.jit import kernel
from truewind.numerics.loop import LEAST, Loop
from truewind.numerics.moments import rolling_joint
from truewind.numerics.ring import Memory

MOST = 1e6  # no return is as large


class Across(Feature):
    """Base of cross-sections. `over` is a kernel: (values of one time, where to write) → None, symbols in fixed
    order."""

    family = "across"
    across: ClassVar[bool] = True
    over: ClassVar[Any]

    @classmethod
    def loop(cls) -> Loop:
        raise FeatureError(
            f"{cls.name} compares symbols with each other, a stream has one",
            remedy="Use a FeaturePipeline over a universe",
            feature=cls.name,
        )


@kernel
def rank_over(values: Any, out: Any) -> None:
    """Share of the others that are below, ties counting half."""
    rows, symbols = values.shape
    for row in range(rows):
        for i in range(symbols):
            mine, below, count = values[row, i], 0.0, 0.0
            out[row, i] = nan
            if mine != mine:
                continue
            for k in range(symbols):
                other = values[row, k]
                if k != i and other == other:
                    count += 1.0
                    below += 1.0 if other < mine else 0.5 if other == mine else 0.0
            if count > 0.0:
                out[row, i] = below / count


@kernel(inline=True)
def mean_of(values: Any, row: int) -> tuple[float, float]:
    """(how many values the row has, their mean)."""
    total, count = 0.0, 0.0
    for i in range(values.shape[1]):
        if values[row, i] == values[row, i]:
            total += values[row, i]
            count += 1.0
    return count, total / count if count > 0.0 else nan


@kernel
def mean_over(values: Any, out: Any) -> None:
    """The mean of all, for everyone who has a value."""
    for row in range(values.shape[0]):
        count, mean = mean_of(values, row)
        for i in range(values.shape[1]):
            out[row, i] = mean if count > 1.0 and values[row, i] == values[row, i] else nan


@kernel
def excess_over(values: Any, out: Any) -> None:
    """What each has above the mean."""
    for row in range(values.shape[0]):
        count, mean = mean_of(values, row)
        for i in range(values.shape[1]):
            out[row, i] = values[row, i] - mean if count > 1.0 else nan


@kernel
def zscore_over(values: Any, out: Any) -> None:
    """Deviations from the mean over the standard deviation of all (n in the denominator)."""
    for row in range(values.shape[0]):
        count, mean = mean_of(values, row)
        squares = 0.0
        for i in range(values.shape[1]):
            if values[row, i] == values[row, i]:
                squares += (values[row, i] - mean) * (values[row, i] - mean)
        deviation = sqrt(squares / count) if count > 1.0 else nan
        for i in range(values.shape[1]):
            out[row, i] = (values[row, i] - mean) / deviation if deviation > 0.0 else nan


@register
class Rank(Across):
    """Rank among the symbols: the share of the others whose value is lower, 0 to 1, ties counting half.

    rank = (#{below} + ½ #{equal}) / (n − 1). NaN for a symbol without a value, and where it is alone.
    """

    name, units = "rank", "0 to 1"
    over = staticmethod(rank_over)


@register
class CrossMean(Across):
    """Mean over the symbols: `cross_mean(returns(1))` is the return of the equally weighted universe.

    NaN for a symbol without a value of its own, and where it is alone.
    """

    name, units = "cross_mean", "of the source"
    over = staticmethod(mean_over)


@register
class Excess(Across):
    """Excess over the mean of the symbols: x − mean. NaN where a symbol is alone."""

    name, units = "excess", "of the source"
    over = staticmethod(excess_over)


@register
class CrossZScore(Across):
    """Z-score among the symbols: (x − mean) / standard deviation over all that have a value (n in the denominator).

    NaN where all are equal or a symbol is alone.
    """

    name, units = "cross_zscore", "standard deviations"
    over = staticmethod(zscore_over)


@kernel(inline=True)
def joint(
    x: float,
    y: float,
    length: int,
    last_x: float,
    last_y: float,
    cursor: int,
    full: int,
    anchor: float,
    other: float,
    dx: float,
    dy: float,
    xx: float,
    yy: float,
    xy: float,
    window: Memory,
) -> tuple[float, float, float, float, int, int, float, float, float, float, float, float, float]:
    """Beta and correlation of simple returns: (beta, correlation, state…)."""
    if not (last_x > LEAST and last_y > LEAST):
        return nan, nan, x, y, cursor, full, anchor, other, dx, dy, xx, yy, xy
    mine, theirs = (x - last_x) / last_x, (y - last_y) / last_y
    if not (abs(mine) < MOST and abs(theirs) < MOST):
        return nan, nan, x, y, cursor, full, anchor, other, dx, dy, xx, yy, xy
    vx, vy, cov, cursor, full, anchor, other, sums = rolling_joint(
        mine, theirs, length, cursor, full, anchor, other, (dx, dy, xx, yy, xy), window
    )
    dx, dy, xx, yy, xy = sums
    beta = cov / vy if vy > 0.0 else nan
    both = sqrt(vx) * sqrt(vy)
    correlation = cov / both if both > 0.0 else nan
    if correlation > 1.0:
        correlation = 1.0
    elif correlation < -1.0:
        correlation = -1.0
    return beta, correlation, x, y, cursor, full, anchor, other, dx, dy, xx, yy, xy


@register
class Beta(Feature):
    """Beta and correlation of returns against another price, by default that of BTCUSDT.

    r_t = x_t / x_{t−1} − 1 for both; beta = cov(r, r') / var(r'), correlation = cov / (σ σ') over the last `length`
    returns. Against the universe: `beta(60, close, universe)` with any column that holds its price. A row on which one
    of the two is missing counts for neither, the next return spans it. NaN where the other has not moved; a return of
    more than a million-fold is none.
    """

    name, family, units = "beta", "across", "ratio; −1 to 1"
    inputs, outputs = ("close", "close[BTCUSDT]"), ("beta", "correlation")
    scale = 0
    length: int = parameter(60, 2, 10_000)
    state = scalars(
        last_x=nan, last_y=nan, cursor=0, full=0, anchor=0.0, other=0.0, dx=0.0, dy=0.0, xx=0.0, yy=0.0, xy=0.0
    )
    steady = reaches(full=1)
    step = staticmethod(joint)
    warmup = derived(lambda self: self.length)
    memory = derived(lambda self: 5 * self.length)
