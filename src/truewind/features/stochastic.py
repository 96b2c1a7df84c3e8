"""Stochastics: where in its recent range the price is.

A range of nothing has no inside: such rows are NaN, and are left out of the means that follow, as rows with missing
inputs are everywhere; TA-Lib writes 0 there, which would read as "at the bottom".
"""

from math import inf, nan

from truewind.features.base import MAX_LENGTH, Feature, derived, fades, parameter, reaches, register, scalars
from truewind.features.momentum import rsi
from truewind.features.windows import Extremes
from truewind.numerics.extremes import channel
from truewind.numerics.jit import kernel
from truewind.numerics.ring import Memory, part
from truewind.numerics.rolling import rolling_mean

ROUNDING = 1e-9  # points of RSI: while the price stands still the RSI moves only by the errors of its last digits


@kernel(inline=True)
def stochastic(
    high: float,
    low: float,
    close: float,
    length: int,
    smooth: int,
    signal: int,
    cursor: int,
    full: int,
    top: float,
    bottom: float,
    smooth_cursor: int,
    smooth_full: int,
    smooth_head: float,
    signal_cursor: int,
    signal_full: int,
    signal_head: float,
    window: Memory,
) -> tuple[float, float, int, int, float, float, int, int, float, int, int, float]:
    """The close's place in the range, its mean and the mean of that; nothing until all are there."""
    highest, lowest, cursor, full, top, bottom = channel(high, low, length, cursor, full, top, bottom, window)
    fast = slow = nan
    if highest > lowest:
        place = 100.0 * (close - lowest) / (highest - lowest)
        fast, smooth_cursor, smooth_full, smooth_head = rolling_mean(
            place, smooth, smooth_cursor, smooth_full, smooth_head, part(window, 2 * length)
        )
        if fast == fast:
            slow, signal_cursor, signal_full, signal_head = rolling_mean(
                fast, signal, signal_cursor, signal_full, signal_head, part(window, 2 * length + smooth)
            )
    return (
        fast if slow == slow else nan,
        slow,
        cursor,
        full,
        top,
        bottom,
        smooth_cursor,
        smooth_full,
        smooth_head,
        signal_cursor,
        signal_full,
        signal_head,
    )


@register
class Stochastic(Feature):
    """Stochastic oscillator: where between the lowest low and the highest high the close is, 0 to 100.

    k = SMA(100 · (close − lowest low) / (highest high − lowest low), smooth) over `length` bars, d = SMA(k, signal)
    (Lane, 1957; as TA-Lib's STOCH with simple averages, both columns beginning with d). smooth = 1 is the fast
    stochastic.
    """

    name, family, units = "stochastic", "momentum", "0 to 100"
    inputs = ("high", "low", "close")
    outputs = ("k", "d")
    scale, shift = 0, 0
    length: int = parameter(14, 1, MAX_LENGTH)
    smooth: int = parameter(3, 1, MAX_LENGTH)
    signal: int = parameter(3, 1, MAX_LENGTH)
    state = scalars(
        cursor=0,
        full=0,
        top=-inf,
        bottom=inf,
        smooth_cursor=0,
        smooth_full=0,
        smooth_head=0.0,
        signal_cursor=0,
        signal_full=0,
        signal_head=0.0,
    )
    steady = reaches(full=1, smooth_full=1, signal_full=1)
    step = staticmethod(stochastic)
    warmup = derived(lambda self: self.length + self.smooth + self.signal - 3)
    memory = derived(lambda self: 2 * self.length + self.smooth + self.signal)


@kernel(inline=True)
def stoch_rsi(
    x: float,
    length: int,
    span: int,
    signal: int,
    count: int,
    previous: float,
    gain: float,
    moved: float,
    cursor: int,
    full: int,
    top: float,
    bottom: float,
    signal_cursor: int,
    signal_full: int,
    signal_head: float,
    window: Memory,
) -> tuple[float, float, int, float, float, float, int, int, float, float, int, int, float]:
    """The RSI's place in its own range, and the mean of that."""
    strength, count, previous, gain, moved = rsi(x, length, count, previous, gain, moved)
    fast = slow = nan
    if strength == strength:
        highest, lowest, cursor, full, top, bottom = channel(
            strength, strength, span, cursor, full, top, bottom, window
        )
        if highest - lowest > ROUNDING:
            fast = 100.0 * (strength - lowest) / (highest - lowest)
            slow, signal_cursor, signal_full, signal_head = rolling_mean(
                fast, signal, signal_cursor, signal_full, signal_head, part(window, 2 * span)
            )
    return (
        fast if slow == slow else nan,
        slow,
        count,
        previous,
        gain,
        moved,
        cursor,
        full,
        top,
        bottom,
        signal_cursor,
        signal_full,
        signal_head,
    )


@register
class StochRSI(Feature):
    """Stochastic of the RSI: where in its own recent range the RSI is, 0 to 100.

    k = 100 · (RSI − lowest RSI) / (highest RSI − lowest RSI) over `span` values of RSI(length), d = SMA(k, signal)
    (Chande and Kroll, The New Technical Trader, 1994; as TA-Lib's STOCHRSI, both columns beginning with d). Many charts
    use (14, 14, 3) and smooth k as well. A range of less than 1e-9 points counts as none. A fresh start differs by less
    than 1e-9 after about 21 · length rows.
    """

    name, family, units = "stoch_rsi", "momentum", "0 to 100"
    outputs = ("k", "d")
    scale, shift = 0, 0
    length: int = parameter(14, 2, MAX_LENGTH)
    span: int = parameter(5, 2, MAX_LENGTH)
    signal: int = parameter(3, 1, MAX_LENGTH)
    state = scalars(
        count=0,
        previous=nan,
        gain=0.0,
        moved=0.0,
        cursor=0,
        full=0,
        top=-inf,
        bottom=inf,
        signal_cursor=0,
        signal_full=0,
        signal_head=0.0,
    )
    steady = reaches(count="length", full=1, signal_full=1)
    step = staticmethod(stoch_rsi)
    warmup = derived(lambda self: self.length + self.span + self.signal - 2)
    settles = derived(lambda self: self.warmup + fades(1.0 / self.length))
    memory = derived(lambda self: 2 * self.span + self.signal)


@kernel(inline=True)
def williams_r(
    high: float,
    low: float,
    close: float,
    length: int,
    cursor: int,
    full: int,
    top: float,
    bottom: float,
    window: Memory,
) -> tuple[float, int, int, float, float]:
    """The close's distance from the highest high in percent of the range."""
    highest, lowest, cursor, full, top, bottom = channel(high, low, length, cursor, full, top, bottom, window)
    place = -100.0 * (highest - close) / (highest - lowest) if highest > lowest else nan
    return place, cursor, full, top, bottom


@register
class WilliamsR(Extremes):
    """Williams %R: how far below the highest high the close is, in percent of the range, −100 to 0.

    −100 · (highest high − close) / (highest high − lowest low) over `length` bars (Williams, How I made one million
    dollars last year trading commodities, 1973; as TA-Lib's WILLR).
    """

    name, family, units = "williams_r", "momentum", "−100 to 0"
    inputs = ("high", "low", "close")
    scale, shift = 0, 0
    length: int = parameter(14, 1, MAX_LENGTH)
    step = staticmethod(williams_r)
