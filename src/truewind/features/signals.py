"""Signals: how far the price is from its averages, where these cross, and where price and momentum part."""

from math import inf, nan

from truewind.features.base import MAX_LENGTH, Feature, derived, fades, parameter, reaches, register, scalars
from truewind.features.momentum import rsi
from truewind.features.windows import Window
from truewind.numerics.extremes import channel
from truewind.numerics.jit import kernel
from truewind.numerics.loop import LEAST
from truewind.numerics.moments import rolling_centre
from truewind.numerics.ring import Memory, part


@kernel(inline=True)
def distance(
    x: float, length: int, cursor: int, full: int, anchor: float, head: float, window: Memory
) -> tuple[float, int, int, float, float]:
    """How far above its mean the value is, as a share of the mean."""
    mean, cursor, full, anchor, head = rolling_centre(x, length, cursor, full, anchor, head, window)
    return (x - mean) / mean if mean > LEAST else nan, cursor, full, anchor, head


@register
class Distance(Window):
    """How far the value is above its simple moving average, as a fraction of the average.

    (x_t − SMA_t) / SMA_t over `length` values; exactly 0 in a flat market, NaN where the average is not positive (above
    1e-100).
    """

    name, family, units = "distance", "trend", "fraction"
    scale = 0
    length: int = parameter(20, 1, MAX_LENGTH)
    state = scalars(cursor=0, full=0, anchor=0.0, head=0.0)
    finite = True
    step = staticmethod(distance)


@kernel(inline=True)
def crossover(
    x: float,
    fast: int,
    slow: int,
    side: int,
    fast_cursor: int,
    fast_full: int,
    fast_anchor: float,
    fast_head: float,
    slow_cursor: int,
    slow_full: int,
    slow_anchor: float,
    slow_head: float,
    window: Memory,
) -> tuple[float, int, int, int, float, float, int, int, float, float]:
    """The side on which the fast mean lies, if it has changed. side: the last one that was not "equal"."""
    quick, fast_cursor, fast_full, fast_anchor, fast_head = rolling_centre(
        x, fast, fast_cursor, fast_full, fast_anchor, fast_head, window
    )
    lazy, slow_cursor, slow_full, slow_anchor, slow_head = rolling_centre(
        x, slow, slow_cursor, slow_full, slow_anchor, slow_head, part(window, fast)
    )
    crossed = 0.0 if fast_full and slow_full else nan
    now = 1 if quick > lazy else (-1 if quick < lazy else side)
    if now != side:
        crossed = float(now) if side else crossed
        side = now
    return (
        crossed,
        side,
        fast_cursor,
        fast_full,
        fast_anchor,
        fast_head,
        slow_cursor,
        slow_full,
        slow_anchor,
        slow_head,
    )


@register
class Crossover(Feature):
    """The row in which the fast simple average crosses the slow one: 1 upwards, −1 downwards, else 0.

    sign(SMA(fast) − SMA(slow)) where it differs from the last sign that was not 0, so that averages which touch and
    part again on the same side have not crossed. The first row with both averages cannot be a crossing.
    """

    name, family, units = "crossover", "trend", "−1, 0 or 1"
    scale = 0
    fast: int = parameter(20, 1, MAX_LENGTH)
    slow: int = parameter(50, 1, MAX_LENGTH)
    state = scalars(
        side=0,
        fast_cursor=0,
        fast_full=0,
        fast_anchor=0.0,
        fast_head=0.0,
        slow_cursor=0,
        slow_full=0,
        slow_anchor=0.0,
        slow_head=0.0,
    )
    steady, finite = reaches(fast_full=1, slow_full=1), True
    step = staticmethod(crossover)
    warmup = derived(lambda self: max(self.fast, self.slow) - 1)
    memory = derived(lambda self: self.fast + self.slow)


@kernel(inline=True)
def divergence(
    x: float,
    length: int,
    span: int,
    count: int,
    previous: float,
    gain: float,
    moved: float,
    cursor: int,
    full: int,
    top: float,
    bottom: float,
    strength_top: float,
    strength_bottom: float,
    highest: float,
    lowest: float,
    strongest: float,
    weakest: float,
    window: Memory,
) -> tuple[float, int, float, float, float, int, int, float, float, float, float, float, float, float, float]:
    """How far the RSI stays behind its own extreme while the price makes a new one; extremes as of the row before."""
    strength, count, previous, gain, moved = rsi(x, length, count, previous, gain, moved)
    value = nan
    if strength == strength:
        if highest == highest:
            value = 0.0
            if x > highest and strength < strongest:
                value = strength - strongest
            if x < lowest and strength > weakest:
                value = strength - weakest
        highest, lowest, _, _, top, bottom = channel(x, x, span, cursor, full, top, bottom, window)
        strongest, weakest, cursor, full, strength_top, strength_bottom = channel(
            strength, strength, span, cursor, full, strength_top, strength_bottom, part(window, 2 * span)
        )
    return (
        value,
        count,
        previous,
        gain,
        moved,
        cursor,
        full,
        top,
        bottom,
        strength_top,
        strength_bottom,
        highest,
        lowest,
        strongest,
        weakest,
    )


@register
class Divergence(Feature):
    """Divergence of price and RSI: how many points the RSI falls short where the price makes a new extreme, else 0.

    Where x is above all of the `span` values before and RSI(length) below its highest there: RSI − highest RSI,
    negative, a bearish divergence; where x is below them all and the RSI above its lowest: RSI − lowest RSI, positive,
    a bullish one (Wilder, New Concepts in Technical Trading Systems, 1978, ch. VI, with new extremes in place of
    swings, which are known only later). NaN while nothing has moved since the start. A fresh start differs by less than
    1e-9 after about 21 · length + span rows.
    """

    name, family, units = "divergence", "trend", "points of RSI"
    scale, shift = 0, 0
    length: int = parameter(14, 2, MAX_LENGTH)
    span: int = parameter(20, 1, MAX_LENGTH)
    state = scalars(
        count=0,
        previous=nan,
        gain=0.0,
        moved=0.0,
        cursor=0,
        full=0,
        top=-inf,
        bottom=inf,
        strength_top=-inf,
        strength_bottom=inf,
        highest=nan,
        lowest=nan,
        strongest=nan,
        weakest=nan,
    )
    steady, finite = reaches(count="length", full=1), True
    step = staticmethod(divergence)
    warmup = derived(lambda self: self.length + self.span)
    settles = derived(lambda self: self.warmup + fades(1.0 / self.length))
    memory = derived(lambda self: 4 * self.span)
