"""Momentum: how fast the price has moved, and which way."""

from math import nan

from truewind.features.base import MAX_LENGTH, Feature, derived, parameter, reaches, register, scalars
from truewind.numerics.ewm import wilder
from truewind.numerics.jit import kernel
from truewind.numerics.loop import LEAST
from truewind.numerics.ring import Memory, lag


@kernel(inline=True)
def rsi(
    x: float, length: int, count: int, previous: float, gain: float, moved: float
) -> tuple[float, int, float, float, float]:
    """Gains over all movement: both smoothed with one count, so that an unbroken rise is exactly 100."""
    change = x - previous
    if change != change:  # the first row has nothing before it
        return nan, count, x, gain, moved
    size = abs(change)
    up, _, gain = wilder(0.5 * (size + change), length, count, gain)
    total, count, moved = wilder(size, length, count, moved)
    if total > 0.0:
        return 100.0 * up / total, count, x, gain, moved
    return nan, count, x, gain, moved


@register
class RSI(Feature):
    """Relative strength index: the share of gains in all movement, 0 to 100.

    RSI = 100 · G / (G + L), where G and L are gains and losses between rows in Wilder's smoothing, seeded by the mean
    of the first `length` changes (Wilder, New Concepts in Technical Trading Systems, 1978; as TA-Lib).
    While nothing has moved since the start the value is NaN, where TA-Lib writes 0, which would read as "oversold".
    """

    name, family, units = "rsi", "momentum", "0 to 100"
    scale, shift = 0, 0
    length: int = parameter(14, 2, MAX_LENGTH)
    state = scalars(count=0, previous=nan, gain=0.0, moved=0.0)
    steady, finite = reaches(count="length"), True
    step = staticmethod(rsi)
    warmup = derived(lambda self: self.length)


@kernel(inline=True)
def roc(x: float, length: int, cursor: int, full: int, window: Memory) -> tuple[float, int, int]:
    """Percentage above the value `length` values ago."""
    past, cursor, full = lag(x, length, cursor, full, window)
    if abs(past) > LEAST:
        return 100.0 * (x / past - 1.0), cursor, full
    return nan, cursor, full


@register
class ROC(Feature):
    """Rate of change: percent above the value `length` rows ago.

    ROC_t = 100 · (x_t / x_{t−length} − 1), as TA-Lib; NaN where the earlier value is 0, or as good as 0 (below 1e-100).
    """

    name, family, units = "roc", "momentum", "percent"
    scale = 0
    length: int = parameter(10, 1, MAX_LENGTH)
    state = scalars(cursor=0, full=0)
    steady, finite = reaches(full=1), True
    step = staticmethod(roc)
    warmup = derived(lambda self: self.length)
    memory = derived(lambda self: self.length)
