"""Direction: whether there is a trend, which way it goes and how strong it is."""

from math import inf, nan

from truewind.features.base import MAX_LENGTH, Feature, derived, fades, parameter, reaches, register, scalars
from truewind.features.volatility import atr
from truewind.numerics.ewm import ema, wilder
from truewind.numerics.extremes import channel, rolling_max_age, true_extremes
from truewind.numerics.fma import fma
from truewind.numerics.jit import kernel
from truewind.numerics.ring import Memory, lag, part


@kernel(inline=True)
def macd(
    x: float,
    fast: int,
    slow: int,
    signal: int,
    slow_count: int,
    slow_value: float,
    fast_count: int,
    fast_value: float,
    signal_count: int,
    signal_value: float,
) -> tuple[float, float, float, int, float, int, float, int, float]:
    """Two means, their difference, and its mean; nothing until all are there."""
    short, long = min(fast, slow), max(fast, slow)
    lazy, slow_count, slow_value = ema(x, long, slow_count, slow_value)
    line = trigger = nan
    if slow_count > long - short:  # TA-Lib lets the fast mean begin so late that both are ready in the same row
        quick, fast_count, fast_value = ema(x, short, fast_count, fast_value)
        if slow_count >= long:
            line = quick - lazy
            trigger, signal_count, signal_value = ema(line, signal, signal_count, signal_value)
    if trigger != trigger:
        line = nan
    return (
        line,
        trigger,
        line - trigger,
        slow_count,
        slow_value,
        fast_count,
        fast_value,
        signal_count,
        signal_value,
    )


@register
class MACD(Feature):
    """Moving average convergence and divergence: a fast less a slow EMA, the EMA of that, and the difference.

    line = EMA(fast) − EMA(slow); signal = EMA(line, signal); histogram = line − signal (Appel, 1979). As in TA-Lib both
    means are seeded to begin in the row `slow` − 1, the fast one by the mean of the `fast` values up to it, all columns
    begin with the signal, and the shorter length is the fast one, in whichever order they are given. A fresh start
    differs by less than 1e-9 after about 11 · slow rows.
    """

    name, family, units = "macd", "trend", "of the source"
    outputs = ("line", "signal", "histogram")
    scale, shift = 1, 0
    fast: int = parameter(12, 2, MAX_LENGTH)
    slow: int = parameter(26, 2, MAX_LENGTH)
    signal: int = parameter(9, 1, MAX_LENGTH)
    state = scalars(slow_count=0, slow_value=0.0, fast_count=0, fast_value=0.0, signal_count=0, signal_value=0.0)
    steady, finite = reaches(slow_count="slow", fast_count="fast", signal_count="signal"), True
    step = staticmethod(macd)
    warmup = derived(lambda self: max(self.fast, self.slow) + self.signal - 2)
    settles = derived(
        lambda self: self.warmup + fades(2.0 / (max(self.fast, self.slow) + 1.0)) + fades(2.0 / (self.signal + 1.0))
    )


@kernel(inline=True)
def direction(
    high: float, low: float, length: int, previous_high: float, previous_low: float, count: int, up: float, down: float
) -> tuple[float, float, int, float, float]:
    """Wilder's sums of directional movement: (rise, fall, count, up, down); both NaN until `length` changes are in.

    The smoothing is begun by the sum of `length` − 1 changes, as in Wilder's book and in TA-Lib.
    """
    rise, fall = high - previous_high, previous_low - low
    rising, falling = rise > 0.0 and rise > fall, fall > 0.0 and fall > rise
    keep = 1.0 if count < length - 1 else 1.0 - 1.0 / length
    up = fma(keep, up, rise if rising else 0.0)
    down = fma(keep, down, fall if falling else 0.0)
    count = count + 1 if count < length else count
    if count < length:
        return nan, nan, count, up, down
    return up, down, count, up, down


@kernel(inline=True)
def adx(
    high: float,
    low: float,
    length: int,
    previous_high: float,
    previous_low: float,
    count: int,
    up: float,
    down: float,
    seen: int,
    value: float,
) -> tuple[float, float, float, int, float, float, int, float]:
    """Wilder's mean of the directional index."""
    mean = nan
    if previous_high == previous_high:
        rise, fall, count, up, down = direction(high, low, length, previous_high, previous_low, count, up, down)
        if rise + fall > 0.0:
            mean, seen, value = wilder(100.0 * abs(rise - fall) / (rise + fall), length, seen, value)
    return mean, high, low, count, up, down, seen, value


@register
class ADX(Feature):
    """Average directional index: how strong the trend is, whichever way it goes, 0 to 100.

    ADX = Wilder's mean of DX = 100 · |DI⁺ − DI⁻| / (DI⁺ + DI⁻), seeded by the mean of the first `length` DX (Wilder,
    New Concepts in Technical Trading Systems, 1978; as TA-Lib); `dmi` has the DI and DX themselves. The true range, by
    which both DI are divided, cancels, so closes are not read. Until high or low have moved there is no DX: such rows
    are NaN and left out of the mean, where TA-Lib counts them as 0. A fresh start differs by less than 1e-9 after about
    23 · length rows.
    """

    name, family, units = "adx", "trend", "0 to 100"
    inputs = ("high", "low")
    scale, shift = 0, 0
    length: int = parameter(14, 2, MAX_LENGTH)
    state = scalars(previous_high=nan, previous_low=nan, count=0, up=0.0, down=0.0, seen=0, value=0.0)
    steady, finite = reaches(count="length", seen="length"), True
    step = staticmethod(adx)
    warmup = derived(lambda self: 2 * self.length - 1)
    settles = derived(lambda self: self.warmup + 2 * fades(1.0 / self.length))


@kernel(inline=True)
def dmi(
    high: float,
    low: float,
    close: float,
    length: int,
    previous_high: float,
    previous_low: float,
    previous: float,
    count: int,
    up: float,
    down: float,
    way: float,
) -> tuple[float, float, float, float, float, float, int, float, float, float]:
    """Directional movement up and down as shares of the true range, and the difference as a share of both."""
    plus = minus = index = nan
    if previous == previous:
        keep = 1.0 if count < length - 1 else 1.0 - 1.0 / length
        top, bottom = true_extremes(high, low, previous)
        way = fma(keep, way, top - bottom)
        rise, fall, count, up, down = direction(high, low, length, previous_high, previous_low, count, up, down)
        if way > 0.0:
            plus, minus = 100.0 * rise / way, 100.0 * fall / way
        if rise + fall > 0.0:
            index = 100.0 * abs(rise - fall) / (rise + fall)
    return plus, minus, index, high, low, close, count, up, down, way


@register
class DMI(Feature):
    """Directional movement: the shares of the true range that went up and down, and how one-sided they are, 0 to 100.

    plus = 100 · S(DM⁺) / S(TR), minus likewise, dx = 100 · |plus − minus| / (plus + minus), where S is Wilder's
    smoothing of sums, S_t = S_{t−1} · (1 − 1/length) + x_t, begun by the sum of `length` − 1 values; DM⁺ is the rise of
    the high if it is positive and more than the fall of the low, else 0 (Wilder, 1978; as TA-Lib's PLUS_DI, MINUS_DI
    and DX). Where the range or both movements are 0, which TA-Lib writes as 0 or fills forward, the shares are NaN. A
    fresh start differs by less than 1e-9 after about 21 · length rows.
    """

    name, family, units = "dmi", "trend", "0 to 100"
    inputs = ("high", "low", "close")
    outputs = ("plus", "minus", "dx")
    scale, shift = 0, 0
    length: int = parameter(14, 2, MAX_LENGTH)
    state = scalars(previous_high=nan, previous_low=nan, previous=nan, count=0, up=0.0, down=0.0, way=0.0)
    steady = reaches(count="length")
    step = staticmethod(dmi)
    warmup = derived(lambda self: self.length)
    settles = derived(lambda self: self.warmup + fades(1.0 / self.length))


@kernel(inline=True)
def aroon(
    high: float,
    low: float,
    length: int,
    cursor: int,
    full: int,
    top: float,
    top_place: int,
    bottom: float,
    bottom_place: int,
    window: Memory,
) -> tuple[float, float, float, int, int, float, int, float, int]:
    """How recent the extremes of `length` + 1 bars are; the lowest is the highest of the negatives."""
    bars = length + 1
    since_high, _, _, top, top_place = rolling_max_age(high, bars, cursor, full, top, top_place, window)
    since_low, cursor, full, bottom, bottom_place = rolling_max_age(
        -low, bars, cursor, full, bottom, bottom_place, part(window, 2 * bars)
    )
    share = 100.0 / length
    up, down = share * (length - since_high), share * (length - since_low)
    return down, up, up - down, cursor, full, top, top_place, bottom, bottom_place


@register
class Aroon(Feature):
    """Aroon: how recent the lowest low and the highest high are, 100 for this bar and 0 for `length` bars ago.

    up = 100 · (length − bars since the highest high) / length over length + 1 bars, down likewise of the lowest low,
    the latest of equals counting; oscillator = up − down (Chande, 1995; as TA-Lib's AROON and AROONOSC).
    """

    name, family, units = "aroon", "trend", "0 to 100"
    inputs = ("high", "low")
    outputs = ("down", "up", "oscillator")
    scale, shift = 0, 0
    length: int = parameter(14, 2, MAX_LENGTH)
    state = scalars(cursor=0, full=0, top=-inf, top_place=0, bottom=-inf, bottom_place=0)
    steady, finite = reaches(full=1), True
    step = staticmethod(aroon)
    warmup = derived(lambda self: self.length)
    memory = derived(lambda self: 4 * (self.length + 1))


@kernel(inline=True)
def sar(
    high: float,
    low: float,
    acceleration: float,
    maximum: float,
    side: float,
    last_top: float,
    last_bottom: float,
    stop: float,
    extreme: float,
    pace: float,
) -> tuple[float, float, float, float, float, float, float]:
    """The stop of this bar, and that of the next one. side: 1 long, −1 short, 0 before the second bar.

    A short is a long of the negatives: while short, top is −low, and all that is kept has its sign changed.
    """
    if side == 0.0:
        if last_top != last_top:
            return nan, side, high, low, stop, extreme, pace
        rise, fall = high - last_top, last_bottom - low
        side = -1.0 if fall > 0.0 and fall > rise else 1.0
        stop, extreme = (last_bottom, high) if side > 0.0 else (-last_top, -low)
        pace = min(acceleration, maximum)
        # TA-Lib keeps the second bar's stop clear of that bar alone.
        last_top, last_bottom = (high, low) if side > 0.0 else (-low, -high)
    top, bottom = (high, low) if side > 0.0 else (-low, -high)
    if bottom > stop:
        shown = side * stop
        if top > extreme:
            extreme, pace = top, min(pace + acceleration, maximum)
        stop = min(fma(pace, extreme - stop, stop), last_bottom, bottom)
        return shown, side, top, bottom, stop, extreme, pace
    # Touched: turn round, with the extreme as the stop, beyond this bar and the last.
    stop = max(extreme, last_top, top)
    shown = side * stop
    pace = min(acceleration, maximum)
    stop = max(fma(pace, bottom - stop, stop), last_top, top)
    return shown, -side, -bottom, -top, -stop, -bottom, pace


@register
class SAR(Feature):
    """Parabolic stop and reverse: a trailing stop that comes nearer the longer a trend makes new extremes.

    stop_{t+1} = stop_t + a · (extreme − stop_t), never inside the last two bars, where a grows by `acceleration` with
    every new extreme up to `maximum`; a bar that touches the stop turns the side (Wilder, New Concepts in Technical
    Trading Systems, 1978; as TA-Lib, whose first side is short if the second bar has more fall than rise). Above the
    price while short, below it while long. It depends on its whole past: two runs agree after both have turned in the
    same bar.
    """

    name, family, units = "sar", "trend", "of the price"
    inputs = ("high", "low")
    scale, shift = 1, 1
    acceleration: float = parameter(0.02, 0.0, 1.0)
    maximum: float = parameter(0.2, 0.0, 1.0)
    state = scalars(side=0.0, last_top=nan, last_bottom=nan, stop=0.0, extreme=0.0, pace=0.0)
    finite = True
    step = staticmethod(sar)
    warmup = derived(lambda self: 1)
    settles = None


@kernel(inline=True)
def supertrend(
    high: float,
    low: float,
    close: float,
    length: int,
    width: float,
    side: int,
    upper: float,
    lower: float,
    previous: float,
    count: int,
    value: float,
) -> tuple[float, float, int, float, float, float, int, float]:
    """The band that the close has not crossed, and its side. side: 1 up, −1 down, 0 before the first range."""
    last = previous
    mean, previous, count, value = atr(high, low, close, length, previous, count, value)
    if mean != mean:
        return nan, nan, side, upper, lower, previous, count, value
    middle = 0.5 * (high + low)
    top, bottom = middle + width * mean, middle - width * mean
    if side == 0:
        side, upper, lower = -1, top, bottom
    else:
        upper = top if top < upper or last > upper else upper
        lower = bottom if bottom > lower or last < lower else lower
        if side < 0:
            side = 1 if close > upper else -1
        else:
            side = -1 if close < lower else 1
    return (lower if side > 0 else upper), float(side), side, upper, lower, previous, count, value


@register
class Supertrend(Feature):
    """Supertrend: a stop that many average ranges away from the middle of the bar, and the side it is on.

    Bands (high + low) / 2 ± width · ATR(length), of which the upper only falls and the lower only rises until the close
    has crossed them; in an uptrend (direction 1) the line is the lower band, in a downtrend (−1) the upper one, and a
    close beyond it turns the trend (Seban; rules of TradingView's built-in, which starts in a downtrend). A fresh start
    differs by less than 1e-9 once it has turned with the other and 21 · length rows have passed.
    """

    name, family, units = "supertrend", "trend", "of the price; direction −1 or 1"
    inputs = ("high", "low", "close")
    outputs = ("line", "direction")
    scale, shift = (1, 0), (1, 0)
    length: int = parameter(10, 1, MAX_LENGTH)
    width: float = parameter(3.0, 0.0, 1000.0)
    state = scalars(side=0, upper=0.0, lower=0.0, previous=nan, count=0, value=0.0)
    steady, finite = reaches(count="length"), True
    step = staticmethod(supertrend)
    warmup = derived(lambda self: self.length)
    settles = None


@kernel(inline=True)
def ichimoku(
    high: float,
    low: float,
    conversion: int,
    base: int,
    span: int,
    cursor_1: int,
    full_1: int,
    top_1: float,
    bottom_1: float,
    cursor_2: int,
    full_2: int,
    top_2: float,
    bottom_2: float,
    cursor_3: int,
    full_3: int,
    top_3: float,
    bottom_3: float,
    ahead_a: int,
    known_a: int,
    ahead_b: int,
    known_b: int,
    window: Memory,
) -> tuple[float, ...]:
    """Middles of three channels; the cloud is what was drawn for this bar base − 1 bars ago."""
    ring = part(window, 2 * conversion)
    highest, lowest, cursor_1, full_1, top_1, bottom_1 = channel(
        high, low, conversion, cursor_1, full_1, top_1, bottom_1, window
    )
    fast = 0.5 * (highest + lowest)
    highest, lowest, cursor_2, full_2, top_2, bottom_2 = channel(
        high, low, base, cursor_2, full_2, top_2, bottom_2, ring
    )
    slow = 0.5 * (highest + lowest)
    ring = part(ring, 2 * base)
    highest, lowest, cursor_3, full_3, top_3, bottom_3 = channel(
        high, low, span, cursor_3, full_3, top_3, bottom_3, ring
    )
    ring = part(ring, 2 * span)
    span_a = span_b = nan
    if full_1 and full_2:
        span_a, ahead_a, known_a = lag(0.5 * (fast + slow), base - 1, ahead_a, known_a, ring)
    if full_3:
        span_b, ahead_b, known_b = lag(0.5 * (highest + lowest), base - 1, ahead_b, known_b, part(ring, base - 1))
    return (
        fast,
        slow,
        span_a,
        span_b,
        cursor_1,
        full_1,
        top_1,
        bottom_1,
        cursor_2,
        full_2,
        top_2,
        bottom_2,
        cursor_3,
        full_3,
        top_3,
        bottom_3,
        ahead_a,
        known_a,
        ahead_b,
        known_b,
    )


@register
class Ichimoku(Feature):
    """Ichimoku: the middles of a fast and a slow channel, and the cloud that was drawn ahead for this bar.

    conversion and base = (highest high + lowest low) / 2 over so many bars; span_a = (conversion + base) / 2 and span_b
    = the middle over `span` bars, both as they were base − 1 bars ago, because the chart draws them that far ahead, the
    present bar being the first of `base` (Hosoda, 1969). The lagging line is the close drawn back and holds nothing
    new; as a feature it would look ahead.
    """

    name, family, units = "ichimoku", "trend", "of the price"
    inputs = ("high", "low")
    outputs = ("conversion", "base", "span_a", "span_b")
    scale, shift = 1, 1
    conversion: int = parameter(9, 1, MAX_LENGTH)
    base: int = parameter(26, 2, MAX_LENGTH)
    span: int = parameter(52, 1, MAX_LENGTH)
    state = scalars(
        cursor_1=0,
        full_1=0,
        top_1=-inf,
        bottom_1=inf,
        cursor_2=0,
        full_2=0,
        top_2=-inf,
        bottom_2=inf,
        cursor_3=0,
        full_3=0,
        top_3=-inf,
        bottom_3=inf,
        ahead_a=0,
        known_a=0,
        ahead_b=0,
        known_b=0,
    )
    steady, finite = reaches(full_1=1, full_2=1, full_3=1, known_a=1, known_b=1), True
    step = staticmethod(ichimoku)
    warmup = derived(lambda self: max(self.conversion, self.base, self.span) + self.base - 2)
    memory = derived(lambda self: 2 * (self.conversion + self.base + self.span) + 2 * (self.base - 1))
