"""Price: extremes, returns, the shape of a bar, and columns as they are."""

from math import inf, nan

from truewind.features.base import MAX_LENGTH, Feature, derived, parameter, register, scalars
from truewind.features.windows import Lag, Window
from truewind.numerics.change import log_change
from truewind.numerics.jit import kernel
from truewind.numerics.loop import LEAST
from truewind.numerics.ring import Memory, lag
from truewind.numerics.rolling import rolling_max, rolling_min


@register
class Highest(Window):
    """Highest high of the last `length` bars, the present one included.

    max(x_t, …, x_{t−length+1}), as TA-Lib's MAX. A breakout compares the close with the value of the bar before.
    """

    name, family, units = "highest", "price", "of the source"
    inputs = ("high",)
    scale, shift = 1, 1
    length: int = parameter(20, 1, MAX_LENGTH)
    state = scalars(cursor=0, full=0, head=-inf)
    finite = True
    step = staticmethod(rolling_max)


@register
class Lowest(Window):
    """Lowest low of the last `length` bars, the present one included.

    min(x_t, …, x_{t−length+1}), as TA-Lib's MIN. A breakout compares the close with the value of the bar before.
    """

    name, family, units = "lowest", "price", "of the source"
    inputs = ("low",)
    scale, shift = 1, 1
    length: int = parameter(20, 1, MAX_LENGTH)
    state = scalars(cursor=0, full=0, head=inf)
    finite = True
    step = staticmethod(rolling_min)


@kernel(inline=True)
def returns(x: float, length: int, cursor: int, full: int, window: Memory) -> tuple[float, int, int]:
    """Simple return since `length` values ago."""
    past, cursor, full = lag(x, length, cursor, full, window)
    if past > LEAST:
        return (x - past) / past, cursor, full
    return nan, cursor, full


@register
class Returns(Lag):
    """Simple return since `length` rows ago, as a fraction.

    (x_t − x_{t−length}) / x_{t−length}, which keeps its digits when the price has hardly moved; NaN where the earlier
    price is not positive (above 1e-100).
    """

    name, family, units = "returns", "price", "fraction"
    scale = 0
    length: int = parameter(1, 1, MAX_LENGTH)
    finite = True
    step = staticmethod(returns)


@kernel(inline=True)
def log_returns(x: float, length: int, cursor: int, full: int, window: Memory) -> tuple[float, int, int]:
    """Logarithmic return since `length` values ago."""
    past, cursor, full = lag(x, length, cursor, full, window)
    return log_change(x, past), cursor, full


@register
class LogReturns(Lag):
    """Logarithmic return since `length` rows ago.

    ln(x_t / x_{t−length}), computed as ln(1 + simple return), which keeps its digits when the price has hardly moved;
    NaN where a price is not positive.
    """

    name, family, units = "log_returns", "price", "fraction"
    scale = 0
    length: int = parameter(1, 1, MAX_LENGTH)
    finite = True
    step = staticmethod(log_returns)


@kernel(inline=True)
def value(x: float) -> float:
    """What the column says."""
    return x


@register
class Value(Feature):
    """Value: a column as it is.

    What other series say, as a field of the bar: value(funding_rate), value(open_interest); of another symbol,
    value(close)[ETHUSDT]; or of the last longer bar that is over, value(close)@1h.
    """

    name, family, units = "value", "price", "of the source"
    scale, shift, finite = 1, 1, True
    step = staticmethod(value)


@kernel(inline=True)
def typical_price(high: float, low: float, close: float) -> float:
    """A third of high, low and close."""
    return (high + low + close) / 3.0


@register
class TypicalPrice(Feature):
    """Typical price: the mean of high, low and close.

    (high + low + close) / 3, as TA-Lib's TYPPRICE.
    """

    name, family, units = "typical_price", "price", "of the price"
    inputs = ("high", "low", "close")
    scale, shift, finite = 1, 1, True
    step = staticmethod(typical_price)


@kernel(inline=True)
def weighted_price(high: float, low: float, close: float) -> float:
    """The close counts twice."""
    return (high + low + 2.0 * close) * 0.25


@register
class WeightedPrice(Feature):
    """Weighted price: the mean of high, low and twice the close.

    (high + low + 2 close) / 4, as TA-Lib's WCLPRICE.
    """

    name, family, units = "weighted_price", "price", "of the price"
    inputs = ("high", "low", "close")
    scale, shift, finite = 1, 1, True
    step = staticmethod(weighted_price)


@kernel(inline=True)
def median_price(high: float, low: float) -> float:
    """Half of high and low."""
    return (high + low) * 0.5


@register
class MedianPrice(Feature):
    """Median price: the middle of the bar.

    (high + low) / 2, as TA-Lib's MEDPRICE.
    """

    name, family, units = "median_price", "price", "of the price"
    inputs = ("high", "low")
    scale, shift, finite = 1, 1, True
    step = staticmethod(median_price)


@kernel(inline=True)
def average_price(opened: float, high: float, low: float, close: float) -> float:
    """A quarter of all four."""
    return (high + low + close + opened) * 0.25


@register
class AveragePrice(Feature):
    """Average price: the mean of open, high, low and close.

    (open + high + low + close) / 4, as TA-Lib's AVGPRICE.
    """

    name, family, units = "average_price", "price", "of the price"
    inputs = ("open", "high", "low", "close")
    scale, shift, finite = 1, 1, True
    step = staticmethod(average_price)


@kernel(inline=True)
def candle(opened: float, high: float, low: float, close: float) -> tuple[float, float, float]:
    """Body and wicks as shares of the range."""
    size = high - low
    if not size > LEAST:
        return nan, nan, nan
    top = close if close > opened else opened
    bottom = opened if close > opened else close
    return (close - opened) / size, (high - top) / size, (bottom - low) / size


@register
class Candle(Feature):
    """Shape of the candle: its body and wicks as shares of its range.

    body: (close − open) / (high − low), −1 to 1, positive in a rising bar. upper: (high − max(open, close)) /
    (high − low); lower: (min(open, close) − low) / (high − low). |body| + upper + lower = 1 (the parts as in Nison,
    Japanese Candlestick Charting Techniques, 1991). NaN in a bar without range.
    """

    name, family, units = "candle", "price", "fraction of the range"
    inputs = ("open", "high", "low", "close")
    outputs = ("body", "upper", "lower")
    scale, shift, finite = 0, 0, True
    step = staticmethod(candle)


@kernel(inline=True)
def gap(opened: float, close: float, previous: float) -> tuple[float, float]:
    """The open against the last close."""
    return (opened - previous) / previous if previous > LEAST else nan, close


@register
class Gap(Feature):
    """Gap: the open above the last row's close, as a fraction of it.

    (open_t − close_{t−1}) / close_{t−1}; NaN where that close is not positive. Of a market that closes overnight or
    over the weekend it is the news of that time; of one that never closes it is nearly 0, or rows are missing.
    """

    name, family, units = "gap", "price", "fraction"
    inputs = ("open", "close")
    scale, finite = 0, True
    state = scalars(previous=nan)
    warmup = derived(lambda self: 1)
    step = staticmethod(gap)
