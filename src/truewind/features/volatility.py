"""Volatility: how far the price moves.

Estimators of the standard deviation of returns are given per bar; times √(bars a year) they are annual. A bar with a
price that is not positive has no logarithm: it is NaN, and left out of the mean.
"""

from math import log, nan, sqrt

from truewind.features.base import MAX_LENGTH, Feature, derived, fades, parameter, reaches, register, scalars
from truewind.features.windows import Changes, Sum
from truewind.numerics.change import log_change
from truewind.numerics.ewm import wilder
from truewind.numerics.extremes import true_extremes
from truewind.numerics.jit import kernel
from truewind.numerics.moments import rolling_moments
from truewind.numerics.ring import Memory, part
from truewind.numerics.rolling import rolling_mean


@kernel(inline=True)
def atr(
    high: float, low: float, close: float, length: int, previous: float, count: int, value: float
) -> tuple[float, float, int, float]:
    """Wilder's mean of the true range; `previous` is the last close."""
    if previous != previous:  # the first row has no close before it, and so no true range
        return nan, close, count, value
    top, bottom = true_extremes(high, low, previous)
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
    settles = derived(lambda self: self.warmup + fades(1.0 / self.length))


@kernel(inline=True)
def true_range(high: float, low: float, close: float, previous: float) -> tuple[float, float]:
    """The range from the last close on; NaN in the first row."""
    top, bottom = true_extremes(high, low, previous)
    return top - bottom, close


@register
class TrueRange(Feature):
    """True range: how far the price has travelled since the last close.

    max(high, previous close) − min(low, previous close) (Wilder, 1978; as TA-Lib's TRANGE); the first bar has none.
    """

    name, family, units = "true_range", "volatility", "of the price"
    inputs = ("high", "low", "close")
    scale, shift = 1, 0
    state = scalars(previous=nan)
    finite = True
    step = staticmethod(true_range)
    warmup = derived(lambda self: 1)


@kernel(inline=True)
def bar_range(high: float, low: float) -> float:
    """From the low to the high."""
    return high - low


@register
class Range(Feature):
    """Range of the bar: high less low."""

    name, family, units = "range", "volatility", "of the price"
    inputs = ("high", "low")
    scale, shift = 1, 0
    finite = True
    step = staticmethod(bar_range)


@kernel(inline=True)
def root_mean(
    square: float, length: int, cursor: int, full: int, head: float, window: Memory
) -> tuple[float, int, int, float]:
    """One step of the root of the mean of squares: (output, cursor, full, head); an unknown square is left out."""
    mean = nan
    if square == square:
        mean, cursor, full, head = rolling_mean(square, length, cursor, full, head, window)
    return sqrt(mean) if mean >= 0.0 else nan, cursor, full, head


@kernel(inline=True)
def realised(
    x: float, length: int, previous: float, cursor: int, full: int, head: float, window: Memory
) -> tuple[float, float, int, int, float]:
    """The root of the mean square logarithmic return."""
    change = log_change(x, previous)
    value, cursor, full, head = root_mean(change * change, length, cursor, full, head, window)
    return value, x, cursor, full, head


@register
class Realised(Changes):
    """Realised volatility: the root of the mean square logarithmic return.

    √(Σ r² / length) over the last `length` returns r_t = ln(x_t / x_{t−1}), no mean being taken off; times √length it
    is the realised volatility of the whole window (Andersen, Bollerslev, Answering the skeptics, Int. Economic Review
    39, 1998).
    """

    name, family, units = "realised", "volatility", "fraction, per bar"
    scale = 0
    length: int = parameter(20, 1, MAX_LENGTH)
    finite = True
    step = staticmethod(realised)


@kernel(inline=True)
def ewma_volatility(
    x: float, decay: float, previous: float, total: float, weight: float
) -> tuple[float, float, float, float]:
    """The root of the weighted mean of squares, the weights of the rows seen so far summing to one."""
    change = log_change(x, previous)
    if change != change:
        return nan, x, total, weight
    total = decay * total + change * change
    weight = decay * weight + 1.0
    return sqrt(total / weight), x, total, weight


@register
class EwmaVolatility(Feature):
    """Exponentially weighted volatility: the root of the mean square logarithmic return, new returns weighing most.

    σ²_t = Σ decay^i r²_{t−i} / Σ decay^i over all rows so far, which becomes σ²_t = decay · σ²_{t−1} + (1 − decay) ·
    r²_t and needs no seed (RiskMetrics Technical Document, 1996, 0.94 for daily data). A fresh start differs by less
    than 1e-9 once decay^rows is below it, after 335 rows for 0.94.
    """

    name, family, units = "ewma_volatility", "volatility", "fraction, per bar"
    scale = 0
    decay: float = parameter(0.94, 0.0, 0.999999)
    state = scalars(previous=nan, total=0.0, weight=0.0)
    finite = True
    step = staticmethod(ewma_volatility)
    warmup = derived(lambda self: 1)
    settles = derived(lambda self: self.warmup + fades(1.0 - self.decay))


@kernel(inline=True)
def parkinson(
    high: float, low: float, length: int, cursor: int, full: int, head: float, window: Memory
) -> tuple[float, int, int, float]:
    """The root of the mean square logarithm of the range, scaled."""
    reach = log_change(high, low)
    return root_mean(reach * reach * (0.25 / log(2.0)), length, cursor, full, head, window)


@register
class Parkinson(Sum):
    """Parkinson volatility: from the range of bars, about five times as precise as from closes.

    √(Σ ln(high / low)² / (4 ln 2 · length)) (Parkinson, The extreme value method for estimating the variance of the
    rate of return, J. Business 53, 1980). It supposes no drift and no gaps, and is too small where trades are few.
    """

    name, family, units = "parkinson", "volatility", "fraction, per bar"
    inputs = ("high", "low")
    scale = 0
    length: int = parameter(20, 1, MAX_LENGTH)
    finite = True
    step = staticmethod(parkinson)


@kernel(inline=True)
def garman_klass(
    opened: float,
    high: float,
    low: float,
    close: float,
    length: int,
    cursor: int,
    full: int,
    head: float,
    window: Memory,
) -> tuple[float, int, int, float]:
    """The range's square less what the move from open to close explains."""
    reach, move = log_change(high, low), log_change(close, opened)
    square = 0.5 * reach * reach - (2.0 * log(2.0) - 1.0) * move * move
    return root_mean(square, length, cursor, full, head, window)


@register
class GarmanKlass(Sum):
    """Garman–Klass volatility: from open, high, low and close, about seven times as precise as from closes.

    √(mean of ½ ln(high / low)² − (2 ln 2 − 1) ln(close / open)²) over `length` bars (Garman, Klass, On the estimation
    of security price volatilities from historical data, J. Business 53, 1980, the practical form). It supposes no drift
    and no gaps; NaN where bars whose open or close lies outside their range make the mean negative.
    """

    name, family, units = "garman_klass", "volatility", "fraction, per bar"
    inputs = ("open", "high", "low", "close")
    scale = 0
    length: int = parameter(20, 1, MAX_LENGTH)
    finite = True
    step = staticmethod(garman_klass)


@kernel(inline=True)
def rogers_satchell_square(opened: float, high: float, low: float, close: float) -> float:
    """What a bar says of the variance, whatever its drift."""
    up, down, move = log_change(high, opened), log_change(low, opened), log_change(close, opened)
    return up * (up - move) + down * (down - move)


@kernel(inline=True)
def rogers_satchell(
    opened: float,
    high: float,
    low: float,
    close: float,
    length: int,
    cursor: int,
    full: int,
    head: float,
    window: Memory,
) -> tuple[float, int, int, float]:
    """The root of the mean of those."""
    return root_mean(rogers_satchell_square(opened, high, low, close), length, cursor, full, head, window)


@register
class RogersSatchell(Sum):
    """Rogers–Satchell volatility: from open, high, low and close, right in a trend too.

    √(mean of ln(high / open) ln(high / close) + ln(low / open) ln(low / close)) over `length` bars (Rogers, Satchell,
    Estimating variance from high, low and closing prices, Annals of Applied Probability 1, 1991). It supposes no gaps;
    NaN where bars whose open or close lies outside their range make the mean negative.
    """

    name, family, units = "rogers_satchell", "volatility", "fraction, per bar"
    inputs = ("open", "high", "low", "close")
    scale = 0
    length: int = parameter(20, 1, MAX_LENGTH)
    finite = True
    step = staticmethod(rogers_satchell)


@kernel(inline=True)
def yang_zhang(
    opened: float,
    high: float,
    low: float,
    close: float,
    length: int,
    previous: float,
    cursor: int,
    full: int,
    gap_anchor: float,
    gap_head: float,
    gap_squares: float,
    move_anchor: float,
    move_head: float,
    move_squares: float,
    head: float,
    window: Memory,
) -> tuple[float, float, int, int, float, float, float, float, float, float, float]:
    """Variances of gaps and of moves from open to close, and the mean of Rogers and Satchell's, weighed."""
    gap, move = log_change(opened, previous), log_change(close, opened)
    square = rogers_satchell_square(opened, high, low, close)
    value = nan
    if gap == gap and square == square:
        _, gaps, _, _, gap_anchor, gap_head, gap_squares = rolling_moments(
            gap, length, cursor, full, gap_anchor, gap_head, gap_squares, window
        )
        _, moves, _, _, move_anchor, move_head, move_squares = rolling_moments(
            move, length, cursor, full, move_anchor, move_head, move_squares, part(window, 2 * length)
        )
        mean, cursor, full, head = rolling_mean(square, length, cursor, full, head, part(window, 4 * length))
        sample = length / (length - 1.0)
        weight = 0.34 / (1.34 + (length + 1.0) / (length - 1.0))
        variance = sample * (gaps + weight * moves) + (1.0 - weight) * mean
        value = sqrt(variance) if variance >= 0.0 else nan
    return (
        value,
        close,
        cursor,
        full,
        gap_anchor,
        gap_head,
        gap_squares,
        move_anchor,
        move_head,
        move_squares,
        head,
    )


@register
class YangZhang(Changes):
    """Yang–Zhang volatility: from open, high, low and close, right with drift and gaps.

    √(σ²_gap + k σ²_move + (1 − k) σ²_RS) over `length` bars, where σ²_gap and σ²_move are the sample variances of
    ln(open / previous close) and ln(close / open), σ²_RS is Rogers and Satchell's, and k = 0.34 / (1.34 + (length + 1)
    / (length − 1)) (Yang, Zhang, Drift-independent volatility estimation based on high, low, open, and close prices, J.
    Business 73, 2000). The first bar has no gap and is left out.
    """

    name, family, units = "yang_zhang", "volatility", "fraction, per bar"
    inputs = ("open", "high", "low", "close")
    scale = 0
    length: int = parameter(20, 2, MAX_LENGTH)
    state = scalars(
        previous=nan,
        cursor=0,
        full=0,
        gap_anchor=0.0,
        gap_head=0.0,
        gap_squares=0.0,
        move_anchor=0.0,
        move_head=0.0,
        move_squares=0.0,
        head=0.0,
    )
    finite = True
    step = staticmethod(yang_zhang)
    floats = 5


@kernel(inline=True)
def volatility_of_volatility(
    x: float,
    length: int,
    span: int,
    previous: float,
    cursor: int,
    full: int,
    head: float,
    later_cursor: int,
    later_full: int,
    anchor: float,
    later_head: float,
    squares: float,
    window: Memory,
) -> tuple[float, float, int, int, float, int, int, float, float, float]:
    """The deviation of realised volatility."""
    size, previous, cursor, full, head = realised(x, length, previous, cursor, full, head, window)
    value = nan
    if size == size:
        _, variance, later_cursor, later_full, anchor, later_head, squares = rolling_moments(
            size, span, later_cursor, later_full, anchor, later_head, squares, part(window, length)
        )
        value = sqrt(variance)
    return value, previous, cursor, full, head, later_cursor, later_full, anchor, later_head, squares


@register
class VolatilityOfVolatility(Feature):
    """Volatility of volatility: how much realised volatility itself has varied.

    The standard deviation (mean square deviation from the mean) of the last `span` values of `realised(length)`. These
    share most of their returns, so it is small and slow where `span` is much below `length`.
    """

    name, family, units = "volatility_of_volatility", "volatility", "fraction, per bar"
    scale = 0
    length: int = parameter(20, 1, MAX_LENGTH)
    span: int = parameter(20, 2, MAX_LENGTH)
    state = scalars(
        previous=nan,
        cursor=0,
        full=0,
        head=0.0,
        later_cursor=0,
        later_full=0,
        anchor=0.0,
        later_head=0.0,
        squares=0.0,
    )
    steady, finite = reaches(full=1, later_full=1), True
    step = staticmethod(volatility_of_volatility)
    warmup = derived(lambda self: self.length + self.span - 1)
    memory = derived(lambda self: self.length + 2 * self.span)
