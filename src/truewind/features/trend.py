"""Trend: where the price has been on average, and how straight it got there."""

from math import isqrt, nan, sqrt

from truewind.features.base import MAX_LENGTH, Feature, derived, fades, parameter, reaches, register, scalars
from truewind.features.windows import Changes, Sum, Sums, Window
from truewind.numerics.ewm import ema
from truewind.numerics.fma import fma
from truewind.numerics.jit import kernel
from truewind.numerics.loop import LEAST
from truewind.numerics.moments import rolling_weighted
from truewind.numerics.ring import Memory, part
from truewind.numerics.rolling import rolling_mean, rolling_sum, rolling_sums


@register
class SMA(Sum):
    """Simple moving average: the mean of the last `length` values.

    SMA_t = (x_t + … + x_{t−length+1}) / length, as in TA-Lib; no error builds up over time.
    """

    name, family, units = "sma", "trend", "of the source"
    scale, shift = 1, 1
    length: int = parameter(20, 1, MAX_LENGTH)
    finite = True
    step = staticmethod(rolling_mean)


@register
class EMA(Feature):
    """Exponential moving average: recent values weigh more, by the factor 1 − 2/(length + 1) a row.

    EMA_t = EMA_{t−1} + α (x_t − EMA_{t−1}) with α = 2 / (length + 1); the first value is the mean of the first `length`
    values (TA-Lib's seed). A fresh start differs from a long history by less than 1e-9 after about 10.4 · length rows.
    """

    name, family, units = "ema", "trend", "of the source"
    scale, shift = 1, 1
    length: int = parameter(20, 1, MAX_LENGTH)
    state = scalars(count=0, value=0.0)
    finite = True
    step = staticmethod(ema)
    warmup = derived(lambda self: self.length - 1)
    settles = derived(lambda self: self.warmup + fades(2.0 / (self.length + 1.0)))


@kernel(inline=True)
def wma(
    x: float, length: int, cursor: int, full: int, head: float, ramp: float, window: Memory
) -> tuple[float, int, int, float, float]:
    """The weighted sum over the sum of the weights."""
    total, cursor, full, head, ramp = rolling_weighted(x, length, cursor, full, head, ramp, window)
    return total / (0.5 * length * (length + 1.0)), cursor, full, head, ramp


@register
class WMA(Window):
    """Weighted moving average: the newest of the last `length` values weighs most, the oldest least, in equal steps.

    WMA_t = (length · x_t + (length − 1) · x_{t−1} + … + 1 · x_{t−length+1}) / (1 + 2 + … + length), as in TA-Lib.
    """

    name, family, units = "wma", "trend", "of the source"
    scale, shift = 1, 1
    length: int = parameter(20, 1, MAX_LENGTH)
    state = scalars(cursor=0, full=0, head=0.0, ramp=0.0)
    finite = True
    step = staticmethod(wma)


@kernel(inline=True)
def dema(
    x: float, length: int, count: int, first: float, again: int, second: float
) -> tuple[float, int, float, int, float]:
    """Twice the mean less its mean."""
    once, count, first = ema(x, length, count, first)
    if once != once:  # still seeding
        return nan, count, first, again, second
    twice, again, second = ema(once, length, again, second)
    return 2.0 * once - twice, count, first, again, second


@register
class DEMA(Feature):
    """Double exponential moving average: an EMA with its lag on a straight line taken out.

    DEMA = 2 · EMA(x) − EMA(EMA(x)), each EMA seeded by the mean of its first `length` values (Mulloy, Smoothing data
    with faster moving averages, Stocks & Commodities, 1994; as TA-Lib). It overshoots where the price turns. A fresh
    start differs by less than 1e-9 after about 12 · length rows.
    """

    name, family, units = "dema", "trend", "of the source"
    scale, shift = 1, 1
    length: int = parameter(20, 1, MAX_LENGTH)
    state = scalars(count=0, first=0.0, again=0, second=0.0)
    steady, finite = reaches(count="length", again="length"), True
    step = staticmethod(dema)
    warmup = derived(lambda self: 2 * (self.length - 1))
    settles = derived(lambda self: self.warmup + 2 * fades(2.0 / (self.length + 1.0)))


@kernel(inline=True)
def tema(
    x: float, length: int, count: int, first: float, again: int, second: float, last: int, third: float
) -> tuple[float, int, float, int, float, int, float]:
    """Three means of one another, weighed 3, −3, 1."""
    once, count, first = ema(x, length, count, first)
    if once != once:
        return nan, count, first, again, second, last, third
    twice, again, second = ema(once, length, again, second)
    if twice != twice:
        return nan, count, first, again, second, last, third
    thrice, last, third = ema(twice, length, last, third)
    return 3.0 * (once - twice) + thrice, count, first, again, second, last, third


@register
class TEMA(Feature):
    """Triple exponential moving average: an EMA with its lag on a parabola taken out.

    TEMA = 3 · EMA(x) − 3 · EMA(EMA(x)) + EMA(EMA(EMA(x))), each EMA seeded by the mean of its first `length` values
    (Mulloy, Smoothing data with less lag, Stocks & Commodities, 1994; as TA-Lib). A fresh start differs by less than
    1e-9 after about 14 · length rows.
    """

    name, family, units = "tema", "trend", "of the source"
    scale, shift = 1, 1
    length: int = parameter(20, 1, MAX_LENGTH)
    state = scalars(count=0, first=0.0, again=0, second=0.0, last=0, third=0.0)
    steady, finite = reaches(count="length", again="length", last="length"), True
    step = staticmethod(tema)
    warmup = derived(lambda self: 3 * (self.length - 1))
    settles = derived(lambda self: self.warmup + 3 * fades(2.0 / (self.length + 1.0)))


@kernel(inline=True)
def hma(
    x: float,
    length: int,
    cursor: int,
    full: int,
    head: float,
    ramp: float,
    half_cursor: int,
    half_full: int,
    half_head: float,
    half_ramp: float,
    last_cursor: int,
    last_full: int,
    last_head: float,
    last_ramp: float,
    window: Memory,
) -> tuple[float, int, int, float, float, int, int, float, float, int, int, float, float]:
    """A weighted mean of twice the faster less the slower one."""
    half, root = length // 2, int(sqrt(float(length)))
    slow, cursor, full, head, ramp = wma(x, length, cursor, full, head, ramp, window)
    fast, half_cursor, half_full, half_head, half_ramp = wma(
        x, half, half_cursor, half_full, half_head, half_ramp, part(window, length)
    )
    smooth = nan
    if slow == slow:
        smooth, last_cursor, last_full, last_head, last_ramp = wma(
            2.0 * fast - slow, root, last_cursor, last_full, last_head, last_ramp, part(window, length + half)
        )
    return (
        smooth,
        cursor,
        full,
        head,
        ramp,
        half_cursor,
        half_full,
        half_head,
        half_ramp,
        last_cursor,
        last_full,
        last_head,
        last_ramp,
    )


@register
class HMA(Feature):
    """Hull moving average: weighted means combined so that little lag is left.

    HMA = WMA(2 · WMA(x, length / 2) − WMA(x, length), √length), with both lengths rounded down (Hull, How to reduce
    lag in a moving average, 2005).
    """

    name, family, units = "hma", "trend", "of the source"
    scale, shift = 1, 1
    length: int = parameter(20, 2, MAX_LENGTH)
    state = scalars(
        cursor=0,
        full=0,
        head=0.0,
        ramp=0.0,
        half_cursor=0,
        half_full=0,
        half_head=0.0,
        half_ramp=0.0,
        last_cursor=0,
        last_full=0,
        last_head=0.0,
        last_ramp=0.0,
    )
    steady, finite = reaches(full=1, half_full=1, last_full=1), True
    step = staticmethod(hma)
    warmup = derived(lambda self: self.length + isqrt(self.length) - 2)
    memory = derived(lambda self: self.length + self.length // 2 + isqrt(self.length))


@kernel(inline=True)
def efficiency(
    x: float, length: int, previous: float, cursor: int, full: int, head: float, window: Memory
) -> tuple[float, float, float, int, int, float]:
    """One step of the net move over `length` rows and of the way gone: (move, way, previous, cursor, full, head).

    `window` is 2 · length floats: the sizes of the changes, and the values from which they were reckoned.
    """
    if previous != previous:
        return nan, nan, x, cursor, full, head
    window[length + cursor] = previous
    way, cursor, full, head = rolling_sum(abs(x - previous), length, cursor, full, head, window)
    return x - window[length + cursor], way, x, cursor, full, head  # the next slot holds the oldest


@kernel(inline=True)
def kama(
    x: float, length: int, value: float, previous: float, cursor: int, full: int, head: float, window: Memory
) -> tuple[float, float, float, int, int, float]:
    """An exponential mean whose weight follows the efficiency of the move."""
    value = value if full else previous  # it starts from the value before the first output
    move, way, previous, cursor, full, head = efficiency(x, length, previous, cursor, full, head, window)
    if not full:
        return nan, value, previous, cursor, full, head
    ratio = 1.0 if way <= move or way == 0.0 else abs(move / way)
    root = fma(ratio, 2.0 / 3.0 - 2.0 / 31.0, 2.0 / 31.0)
    weight = root * root
    value = fma(1.0 - weight, value, weight * x)
    return value, value, previous, cursor, full, head


@register
class KAMA(Changes):
    """Kaufman's adaptive moving average: fast while the price goes one way, slow while it goes to and fro.

    KAMA_t = KAMA_{t−1} + c² (x_t − KAMA_{t−1}) with c = E · (2/3 − 2/31) + 2/31 and E = |x_t − x_{t−length}| / Σ |Δx|
    over the last `length` changes (Kaufman, Smarter Trading, 1995). As in TA-Lib it starts from the value before the
    first output, the two constants are those of EMAs of 2 and 30, and E is 1 where nothing has moved. A fresh start
    usually differs by less than 1e-9 after 300 rows, in a market that goes nowhere after 5,000.
    """

    name, family, units = "kama", "trend", "of the source"
    scale, shift = 1, 1
    length: int = parameter(30, 2, MAX_LENGTH)
    state = scalars(value=nan, previous=nan, cursor=0, full=0, head=0.0)
    finite = True
    step = staticmethod(kama)
    settles = derived(lambda self: self.warmup + fades((2.0 / 31.0) ** 2))
    floats = 2


@kernel(inline=True)
def trend_strength(
    x: float, length: int, previous: float, cursor: int, full: int, head: float, window: Memory
) -> tuple[float, float, int, int, float]:
    """The net move over the way gone."""
    move, way, previous, cursor, full, head = efficiency(x, length, previous, cursor, full, head, window)
    return move / way if way > LEAST else nan, previous, cursor, full, head


@register
class TrendStrength(Changes):
    """How straight the price has gone: 1 for a rise without a step back, −1 for such a fall, about 0 for noise.

    (x_t − x_{t−length}) / Σ |x_i − x_{i−1}| over the last `length` changes, which is Kaufman's efficiency ratio
    (Smarter Trading, 1995) with its sign; NaN where nothing has moved.
    """

    name, family, units = "trend_strength", "trend", "−1 to 1"
    scale, shift = 0, 0
    length: int = parameter(20, 1, MAX_LENGTH)
    finite = True
    step = staticmethod(trend_strength)
    floats = 2


@kernel(inline=True)
def vwma(
    x: float,
    volume: float,
    length: int,
    cursor: int,
    full: int,
    money: float,
    traded: float,
    window: Memory,
) -> tuple[float, int, int, float, float]:
    """The sum of price times volume over the sum of volume."""
    amount, total, cursor, full, money, traded = rolling_sums(
        x * volume, volume, length, cursor, full, money, traded, window
    )
    return amount / total if total > LEAST else nan, cursor, full, money, traded


@register
class VWMA(Sums):
    """Volume-weighted moving average: the mean close of the last `length` bars, each weighed by its volume.

    VWMA_t = Σ close · volume / Σ volume over the last `length` bars; NaN where nothing was traded in any of them.
    """

    name, family, units = "vwma", "trend", "of the price"
    inputs = ("close", "volume")
    scale, shift = 1, 1
    length: int = parameter(20, 1, MAX_LENGTH)
    state = scalars(cursor=0, full=0, money=0.0, traded=0.0)
    finite = True
    step = staticmethod(vwma)
