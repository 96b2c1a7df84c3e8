"""Cross-sections: a feature of one symbol compared with the same feature of all symbols at the same time.

`rank(returns(24))` on the rows of a universe. Only symbols that have a row and a value at that time take part; where
fewer than two do, there is nothing to compare with and the value is NaN. They need a `FeaturePipeline` over several
symbols: a stream of one symbol refuses them.
"""

from math import nan, sqrt
from typing import Any, ClassVar

import numpy as np

from truewind.errors import FeatureError
from truewind.features.base import Feature, derived, parameter, reaches, register, scalars
from truewind.numerics.comoments import rolling_comoments
from truewind.numerics.jit import kernel
from truewind.numerics.loop import LEAST, Loop
from truewind.numerics.moments import rolling_moments
from truewind.numerics.ring import Memory, part

MOST = 1e6  # no return is as large


class Across(Feature):
    """Base of cross-sections. `over` is a kernel: (values of one time, where to write) → None, symbols in fixed
    order."""

    family = "across"
    across: ClassVar[bool] = True
    over: ClassVar[Any]

    def compared(self, values: np.ndarray) -> np.ndarray:
        """`values` of symbols (columns) at times (rows), each against the others; infinite ones are missing."""
        out = np.empty_like(values)
        self.over(np.where(np.abs(values) < np.inf, values, np.nan), out)
        return out

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
def beta(
    x: float, y: float, length: int, last_x: float, last_y: float, cursor: int, full: int, x_anchor: float,
    y_anchor: float, x_head: float, y_head: float, x_squares: float, y_squares: float, products: float, window: Memory,
) -> tuple[float, float, float, float, int, int, float, float, float, float, float, float, float]:  # fmt: skip
    """Slope of the returns of x on those of y, and their correlation."""
    slope = correlation = nan
    if last_x > LEAST and last_y > LEAST:
        mine, theirs = (x - last_x) / last_x, (y - last_y) / last_y
        if abs(mine) < MOST and abs(theirs) < MOST:
            _, variance, _, _, _, _, x_squares = rolling_moments(
                mine, length, cursor, full, x_anchor, x_head, x_squares, part(window, 4 * length)
            )
            spread, together, cursor, full, y_anchor, x_anchor, y_head, x_head, y_squares, products = rolling_comoments(
                theirs, mine, length, cursor, full, y_anchor, x_anchor, y_head, x_head, y_squares, products, window
            )
            slope = together / spread if spread > 0.0 else nan
            both = sqrt(variance * length) * sqrt(spread)
            correlation = min(1.0, max(-1.0, together / both)) if both > 0.0 else nan
    return slope, correlation, x, y, cursor, full, x_anchor, y_anchor, x_head, y_head, x_squares, y_squares, products


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
        last_x=nan, last_y=nan, cursor=0, full=0, x_anchor=0.0, y_anchor=0.0,
        x_head=0.0, y_head=0.0, x_squares=0.0, y_squares=0.0, products=0.0,
    )  # fmt: skip
    steady = reaches(full=1)
    step = staticmethod(beta)
    warmup = derived(lambda self: self.length)
    memory = derived(lambda self: 6 * self.length)
