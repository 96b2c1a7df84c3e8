"""Volatility: how far the price moves."""

from math import nan

from truewind.features.base import MAX_LENGTH, Feature, derived, parameter, reaches, register, scalars
from truewind.numerics.ewm import wilder
from truewind.numerics.jit import kernel


@kernel(inline=True)
def atr(
    high: float, low: float, close: float, length: int, previous: float, count: int, value: float
) -> tuple[float, float, int, float]:
    """Wilder's mean of the true range; `previous` is the last close."""
    if previous != previous:  # the first row has no close before it, and so no true range
        return nan, close, count, value
    top = high if high > previous else previous
    bottom = low if low < previous else previous
    mean, count, value = wilder(top - bottom, length, count, value)
    return mean, close, count, value


@register
class ATR(Feature):
    """Average true range: how far the price travels in a bar, gaps from the last close included.

    TR = max(high, previous close) − min(low, previous close) in Wilder's smoothing, seeded by the mean of the first
    `length` ranges, the first bar having none (Wilder, New Concepts in Technical Trading Systems, 1978; as TA-Lib).
    """

    name, family, units = "atr", "volatility", "of the price"
    inputs = ("high", "low", "close")
    scale, shift = 1, 0
    length: int = parameter(14, 1, MAX_LENGTH)
    state = scalars(previous=nan, count=0, value=0.0)
    steady, finite = reaches(count="length"), True
    step = staticmethod(atr)
    warmup = derived(lambda self: self.length)
