"""Momentum: how fast the price has moved, and which way."""

from math import nan

from truewind.features.base import MAX_LENGTH, Feature, derived, fades, parameter, reaches, register, scalars
from truewind.features.windows import Lag, Window
from truewind.numerics.ewm import ema, wilder
from truewind.numerics.extremes import true_extremes
from truewind.numerics.jit import kernel
from truewind.numerics.loop import LEAST
from truewind.numerics.moments import rolling_mean_deviation
from truewind.numerics.ring import Memory, lag, part
from truewind.numerics.rolling import rolling_sums


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
    settles = derived(lambda self: self.warmup + fades(1.0 / self.length))


@kernel(inline=True)
def roc(x: float, length: int, cursor: int, full: int, window: Memory) -> tuple[float, int, int]:
    """Percentage above the value `length` values ago."""
    past, cursor, full = lag(x, length, cursor, full, window)
    if abs(past) > LEAST:
        return 100.0 * (x / past - 1.0), cursor, full
    return nan, cursor, full


@register
class ROC(Lag):
    """Rate of change: percent above the value `length` rows ago.

    ROC_t = 100 · (x_t / x_{t−length} − 1), as TA-Lib; NaN where the earlier value is 0, or as good as 0 (below 1e-100).
    """

    name, family, units = "roc", "momentum", "percent"
    scale = 0
    length: int = parameter(10, 1, MAX_LENGTH)
    finite = True
    step = staticmethod(roc)


@kernel(inline=True)
def momentum(x: float, length: int, cursor: int, full: int, window: Memory) -> tuple[float, int, int]:
    """The change over `length` values."""
    past, cursor, full = lag(x, length, cursor, full, window)
    return x - past, cursor, full


@register
class Momentum(Lag):
    """Momentum: the change since `length` rows ago.

    x_t − x_{t−length}, as TA-Lib's MOM; `roc` and `returns` have it relative to the earlier value.
    """

    name, family, units = "momentum", "momentum", "of the source"
    scale, shift = 1, 0
    length: int = parameter(10, 1, MAX_LENGTH)
    finite = True
    step = staticmethod(momentum)


@kernel(inline=True)
def cci(
    high: float, low: float, close: float, length: int, cursor: int, full: int, window: Memory
) -> tuple[float, int, int]:
    """The typical price's distance from its mean in mean deviations."""
    typical = (high + low + close) / 3.0
    above, spread, cursor, full = rolling_mean_deviation(typical, length, cursor, full, window)
    return above / (0.015 * spread) if spread > 0.0 else nan, cursor, full


@register
class CCI(Window):
    """Commodity channel index: how many mean deviations the typical price is above its mean, over 0.015.

    CCI = (TP − mean(TP)) / (0.015 · mean |TP − mean(TP)|) over `length` bars, with TP = (high + low + close) / 3
    (Lambert, Commodities, 1980; as TA-Lib). NaN where TP has not moved, where TA-Lib writes 0. The mean deviation is
    reckoned anew for each row, so a row costs more the longer the window.
    """

    name, family, units = "cci", "momentum", "mean deviations / 0.015"
    inputs = ("high", "low", "close")
    scale, shift = 0, 0
    length: int = parameter(20, 2, MAX_LENGTH)
    step = staticmethod(cci)


@kernel(inline=True)
def trix(
    x: float, length: int, previous: float, count: int, first: float, again: int, second: float, last: int, third: float
) -> tuple[float, float, int, float, int, float, int, float]:
    """The change of the mean's mean's mean in percent."""
    once, count, first = ema(x, length, count, first)
    if once != once:  # still seeding
        return nan, previous, count, first, again, second, last, third
    twice, again, second = ema(once, length, again, second)
    if twice != twice:
        return nan, previous, count, first, again, second, last, third
    thrice, last, third = ema(twice, length, last, third)
    change = nan if previous == 0.0 else 100.0 * (thrice / previous - 1.0)
    return change, thrice, count, first, again, second, last, third


@register
class TRIX(Feature):
    """TRIX: the one-row rate of change, in percent, of an EMA smoothed twice again.

    T = EMA(EMA(EMA(x))), each seeded by the mean of its first `length` values; TRIX = 100 · (T_t / T_{t−1} − 1)
    (Hutson, Good TRIX, Stocks & Commodities, 1983; as TA-Lib). A fresh start differs by less than 1e-9 after about 14 ·
    length rows.
    """

    name, family, units = "trix", "momentum", "percent"
    scale = 0
    length: int = parameter(30, 1, MAX_LENGTH)
    state = scalars(previous=nan, count=0, first=0.0, again=0, second=0.0, last=0, third=0.0)
    steady = reaches(count="length", again="length", last="length")
    step = staticmethod(trix)
    warmup = derived(lambda self: 3 * (self.length - 1) + 1)
    settles = derived(lambda self: self.warmup + 3 * fades(2.0 / (self.length + 1.0)))


@kernel(inline=True)
def tsi(
    x: float,
    slow: int,
    fast: int,
    previous: float,
    count: int,
    net: float,
    way: float,
    again: int,
    smooth_net: float,
    smooth_way: float,
) -> tuple[float, float, int, float, float, int, float, float]:
    """The change over its size, both smoothed twice with one count."""
    change = x - previous
    if change != change:
        return nan, x, count, net, way, again, smooth_net, smooth_way
    up, _, net = ema(change, slow, count, net)
    size, count, way = ema(abs(change), slow, count, way)
    if size != size:
        return nan, x, count, net, way, again, smooth_net, smooth_way
    up, _, smooth_net = ema(up, fast, again, smooth_net)
    size, again, smooth_way = ema(size, fast, again, smooth_way)
    return 100.0 * up / size if size > 0.0 else nan, x, count, net, way, again, smooth_net, smooth_way


@register
class TSI(Feature):
    """True strength index: the smoothed change over the smoothed size of the changes, −100 to 100.

    TSI = 100 · EMA(EMA(Δx, slow), fast) / EMA(EMA(|Δx|, slow), fast) (Blau, Momentum, Direction and Divergence, 1995),
    each EMA seeded by the mean of its first values. NaN while nothing has moved since the start. A fresh start differs
    by less than 1e-9 after about 12 · slow rows.
    """

    name, family, units = "tsi", "momentum", "−100 to 100"
    scale, shift = 0, 0
    slow: int = parameter(25, 1, MAX_LENGTH)
    fast: int = parameter(13, 1, MAX_LENGTH)
    state = scalars(previous=nan, count=0, net=0.0, way=0.0, again=0, smooth_net=0.0, smooth_way=0.0)
    steady = reaches(count="slow", again="fast")
    step = staticmethod(tsi)
    warmup = derived(lambda self: self.slow + self.fast - 1)
    settles = derived(lambda self: self.warmup + fades(2.0 / (self.slow + 1.0)) + fades(2.0 / (self.fast + 1.0)))


@kernel(inline=True)
def ultimate(
    high: float,
    low: float,
    close: float,
    short: int,
    medium: int,
    long: int,
    previous: float,
    cursor_1: int,
    full_1: int,
    up_1: float,
    way_1: float,
    cursor_2: int,
    full_2: int,
    up_2: float,
    way_2: float,
    cursor_3: int,
    full_3: int,
    up_3: float,
    way_3: float,
    window: Memory,
) -> tuple[float, float, int, int, float, float, int, int, float, float, int, int, float, float]:
    """Three shares, weighed 4, 2 and 1 from the shortest window to the longest."""
    value = nan
    if previous == previous:
        first, last = min(short, medium, long), max(short, medium, long)
        middle = short + medium + long - first - last
        top, bottom = true_extremes(high, low, previous)
        bought, ranged = close - bottom, top - bottom
        a, of_a, cursor_1, full_1, up_1, way_1 = rolling_sums(
            bought, ranged, first, cursor_1, full_1, up_1, way_1, window
        )
        b, of_b, cursor_2, full_2, up_2, way_2 = rolling_sums(
            bought, ranged, middle, cursor_2, full_2, up_2, way_2, part(window, 2 * first)
        )
        c, of_c, cursor_3, full_3, up_3, way_3 = rolling_sums(
            bought, ranged, last, cursor_3, full_3, up_3, way_3, part(window, 2 * (first + middle))
        )
        if of_a > LEAST and of_b > LEAST and of_c > LEAST:
            value = (100.0 / 7.0) * (4.0 * a / of_a + 2.0 * b / of_b + c / of_c)
    return (
        value,
        close,
        cursor_1,
        full_1,
        up_1,
        way_1,
        cursor_2,
        full_2,
        up_2,
        way_2,
        cursor_3,
        full_3,
        up_3,
        way_3,
    )


@register
class Ultimate(Feature):
    """Ultimate oscillator: how much of the true range was gained, over three windows at once, 0 to 100.

    100 · (4 A + 2 B + C) / 7, where A, B and C are Σ (close − true low) / Σ true range over the shortest, the middle
    and the longest window, in whichever order they are given (Williams, The ultimate oscillator, Stocks & Commodities,
    1985; as TA-Lib). NaN where a window has no range at all, where TA-Lib leaves its term out.
    """

    name, family, units = "ultimate", "momentum", "0 to 100"
    inputs = ("high", "low", "close")
    scale, shift = 0, 0
    short: int = parameter(7, 1, MAX_LENGTH)
    medium: int = parameter(14, 1, MAX_LENGTH)
    long: int = parameter(28, 1, MAX_LENGTH)
    state = scalars(
        previous=nan,
        cursor_1=0,
        full_1=0,
        up_1=0.0,
        way_1=0.0,
        cursor_2=0,
        full_2=0,
        up_2=0.0,
        way_2=0.0,
        cursor_3=0,
        full_3=0,
        up_3=0.0,
        way_3=0.0,
    )
    steady, finite = reaches(full_1=1, full_2=1, full_3=1), True
    step = staticmethod(ultimate)
    warmup = derived(lambda self: max(self.short, self.medium, self.long))
    memory = derived(lambda self: 2 * (self.short + self.medium + self.long))
