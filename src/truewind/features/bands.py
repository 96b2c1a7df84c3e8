"""Bands: lines around the price that are as far apart as it usually moves."""

from math import nan, sqrt

from truewind.features.base import MAX_LENGTH, Feature, derived, fades, parameter, reaches, register, scalars
from truewind.features.volatility import atr
from truewind.features.windows import Extremes, Moments
from truewind.numerics.ewm import ema
from truewind.numerics.extremes import channel
from truewind.numerics.jit import kernel
from truewind.numerics.loop import LEAST
from truewind.numerics.moments import rolling_moments
from truewind.numerics.ring import Memory


class BollingerLines(Moments):
    """Of the mean of `length` values and lines some standard deviations from it."""

    family = "volatility"
    length: int = parameter(20, 2, MAX_LENGTH)
    deviations: float = parameter(2.0, 0.01, 100.0)
    finite = True


@kernel(inline=True)
def bollinger(
    x: float,
    length: int,
    deviations: float,
    cursor: int,
    full: int,
    anchor: float,
    head: float,
    squares: float,
    window: Memory,
) -> tuple[float, float, float, int, int, float, float, float]:
    """The mean, and lines some deviations from it."""
    mean, variance, cursor, full, anchor, head, squares = rolling_moments(
        x, length, cursor, full, anchor, head, squares, window
    )
    half = deviations * sqrt(variance)
    return mean - half, mean, mean + half, cursor, full, anchor, head, squares


@register
class Bollinger(BollingerLines):
    """Bollinger bands: the mean of the last values and lines some standard deviations below and above it.

    middle = SMA(x, length); lower and upper = middle ∓ deviations · σ, where σ² is the mean square deviation (divided
    by `length`; Bollinger on Bollinger Bands, 2001; as TA-Lib's BBANDS). σ is reckoned from deviations, so that a flat
    market has none, where sums of squares leave noise. `percent_b` says where between the lines the value is,
    `band_width` how far apart they are.
    """

    name, units = "bollinger", "of the source"
    outputs = ("lower", "middle", "upper")
    scale, shift = 1, 1
    step = staticmethod(bollinger)


@kernel(inline=True)
def percent_b(
    x: float,
    length: int,
    deviations: float,
    cursor: int,
    full: int,
    anchor: float,
    head: float,
    squares: float,
    window: Memory,
) -> tuple[float, int, int, float, float, float]:
    """Where between the lines the value is."""
    mean, variance, cursor, full, anchor, head, squares = rolling_moments(
        x, length, cursor, full, anchor, head, squares, window
    )
    half = deviations * sqrt(variance)
    return 0.5 + 0.5 * (x - mean) / half if half > LEAST else nan, cursor, full, anchor, head, squares


@register
class PercentB(BollingerLines):
    """Where between its Bollinger bands the value is: 0 on the lower, 1 on the upper line.

    (x − lower) / (upper − lower) with the lines of `bollinger(length, deviations)` (Bollinger on Bollinger Bands,
    2001); NaN in a flat market.
    """

    name, units = "percent_b", "fraction of the bands"
    scale, shift = 0, 0
    step = staticmethod(percent_b)


@kernel(inline=True)
def band_width(
    x: float,
    length: int,
    deviations: float,
    cursor: int,
    full: int,
    anchor: float,
    head: float,
    squares: float,
    window: Memory,
) -> tuple[float, int, int, float, float, float]:
    """How far apart the lines are, as a share of the mean."""
    mean, variance, cursor, full, anchor, head, squares = rolling_moments(
        x, length, cursor, full, anchor, head, squares, window
    )
    width = 2.0 * deviations * sqrt(variance)
    return width / mean if mean > LEAST else nan, cursor, full, anchor, head, squares


@register
class BandWidth(BollingerLines):
    """How far apart the Bollinger bands are, as a fraction of the mean.

    (upper − lower) / middle with the lines of `bollinger(length, deviations)` (Bollinger on Bollinger Bands, 2001); NaN
    where the mean is not positive (above 1e-100).
    """

    name, units = "band_width", "fraction"
    scale, shift = 0, None
    step = staticmethod(band_width)


@kernel(inline=True)
def keltner(
    high: float,
    low: float,
    close: float,
    length: int,
    span: int,
    width: float,
    count: int,
    middle: float,
    previous: float,
    ranges: int,
    value: float,
) -> tuple[float, float, float, int, float, float, int, float]:
    """An exponential mean and average ranges around it; nothing until both are there."""
    mean, count, middle = ema(close, length, count, middle)
    reach, previous, ranges, value = atr(high, low, close, span, previous, ranges, value)
    lower, upper = mean - width * reach, mean + width * reach
    return lower, mean if upper == upper else nan, upper, count, middle, previous, ranges, value


@register
class Keltner(Feature):
    """Keltner channel: an exponential average of the close and lines some average true ranges below and above it.

    middle = EMA(close, length); lower and upper = middle ∓ width · ATR(span), all three from the row in which both are
    there (Keltner, How to Make Money in Commodities, 1960, in Raschke's form with EMA and ATR). A fresh start differs
    by less than 1e-9 after about 11 · length or 21 · span rows, whichever is more.
    """

    name, family, units = "keltner", "volatility", "of the price"
    inputs = ("high", "low", "close")
    outputs = ("lower", "middle", "upper")
    scale, shift = 1, 1
    length: int = parameter(20, 1, MAX_LENGTH)
    span: int = parameter(10, 1, MAX_LENGTH)
    width: float = parameter(2.0, 0.0, 1000.0)
    state = scalars(count=0, middle=0.0, previous=nan, ranges=0, value=0.0)
    steady, finite = reaches(count="length", ranges="span"), True
    step = staticmethod(keltner)
    warmup = derived(lambda self: max(self.length - 1, self.span))
    settles = derived(lambda self: self.warmup + max(fades(2.0 / (self.length + 1.0)), fades(1.0 / self.span)))


@kernel(inline=True)
def donchian(
    high: float, low: float, length: int, cursor: int, full: int, top: float, bottom: float, window: Memory
) -> tuple[float, float, float, int, int, float, float]:
    """The extremes and their middle."""
    highest, lowest, cursor, full, top, bottom = channel(high, low, length, cursor, full, top, bottom, window)
    return lowest, 0.5 * (highest + lowest), highest, cursor, full, top, bottom


@register
class Donchian(Extremes):
    """Donchian channel: the lowest low and the highest high of the last bars, and the middle between them.

    Over `length` bars, the present one included, as TA-Lib's MIN of lows and MAX of highs (Donchian, 1960); a breakout
    compares the close with the channel of the bar before.
    """

    name, family, units = "donchian", "volatility", "of the price"
    inputs = ("high", "low")
    outputs = ("lower", "middle", "upper")
    scale, shift = 1, 1
    length: int = parameter(20, 1, MAX_LENGTH)
    finite = True
    step = staticmethod(donchian)
