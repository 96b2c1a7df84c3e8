"""Price: extremes and returns."""

from math import inf, log1p, nan

from truewind.features.base import MAX_LENGTH, Feature, derived, parameter, reaches, register, scalars
from truewind.numerics.jit import kernel
from truewind.numerics.loop import LEAST
from truewind.numerics.ring import Memory, lag
from truewind.numerics.rolling import rolling_max, rolling_min


@register
class Highest(Feature):
    """Highest high of the last `length` bars, the present one included.

    max(x_t, …, x_{t−length+1}), as TA-Lib's MAX. A breakout compares the close with the value of the bar before.
    """

    name, family, units = "highest", "price", "of the source"
    inputs = ("high",)
    scale, shift = 1, 1
    length: int = parameter(20, 1, MAX_LENGTH)
    state = scalars(cursor=0, full=0, head=-inf)
    steady, finite = reaches(full=1), True
    step = staticmethod(rolling_max)
    warmup = derived(lambda self: self.length - 1)
    memory = derived(lambda self: self.length)


@register
class Lowest(Feature):
    """Lowest low of the last `length` bars, the present one included.

    min(x_t, …, x_{t−length+1}), as TA-Lib's MIN. A breakout compares the close with the value of the bar before.
    """

    name, family, units = "lowest", "price", "of the source"
    inputs = ("low",)
    scale, shift = 1, 1
    length: int = parameter(20, 1, MAX_LENGTH)
    state = scalars(cursor=0, full=0, head=inf)
    steady, finite = reaches(full=1), True
    step = staticmethod(rolling_min)
    warmup = derived(lambda self: self.length - 1)
    memory = derived(lambda self: self.length)


@kernel(inline=True)
def returns(x: float, length: int, cursor: int, full: int, window: Memory) -> tuple[float, int, int]:
    """Simple return since `length` values ago."""
    past, cursor, full = lag(x, length, cursor, full, window)
    if past > LEAST:
        return (x - past) / past, cursor, full
    return nan, cursor, full


@register
class Returns(Feature):
    """Simple return since `length` rows ago, as a fraction.

    (x_t − x_{t−length}) / x_{t−length}, which keeps its digits when the price has hardly moved; NaN where the earlier
    price is not positive (above 1e-100).
    """

    name, family, units = "returns", "price", "fraction"
    scale = 0
    length: int = parameter(1, 1, MAX_LENGTH)
    state = scalars(cursor=0, full=0)
    steady, finite = reaches(full=1), True
    step = staticmethod(returns)
    warmup = derived(lambda self: self.length)
    memory = derived(lambda self: self.length)


@kernel(inline=True)
def log_returns(x: float, length: int, cursor: int, full: int, window: Memory) -> tuple[float, int, int]:
    """Logarithmic return since `length` values ago."""
    past, cursor, full = lag(x, length, cursor, full, window)
    if past > LEAST:
        move = (x - past) / past
        if move > -1.0:
            return log1p(move), cursor, full
    return nan, cursor, full


@register
class LogReturns(Feature):
    """Logarithmic return since `length` rows ago.

    ln(x_t / x_{t−length}), computed as ln(1 + simple return), which keeps its digits when the price has hardly moved;
    NaN where a price is not positive.
    """

    name, family, units = "log_returns", "price", "fraction"
    scale = 0
    length: int = parameter(1, 1, MAX_LENGTH)
    state = scalars(cursor=0, full=0)
    steady, finite = reaches(full=1), True
    step = staticmethod(log_returns)
    warmup = derived(lambda self: self.length)
    memory = derived(lambda self: self.length)
