"""Trend: where the price has been on average."""

from truewind.features.base import MAX_LENGTH, Feature, derived, parameter, reaches, register, scalars
from truewind.numerics.ewm import ema
from truewind.numerics.rolling import rolling_mean


@register
class SMA(Feature):
    """Simple moving average: the mean of the last `length` values.

    SMA_t = (x_t + … + x_{t−length+1}) / length, as in TA-Lib; no error builds up over time.
    """

    name, family, units = "sma", "trend", "of the source"
    scale, shift = 1, 1
    length: int = parameter(20, 1, MAX_LENGTH)
    state = scalars(cursor=0, full=0, head=0.0)
    steady, finite = reaches(full=1), True
    step = staticmethod(rolling_mean)
    warmup = derived(lambda self: self.length - 1)
    memory = derived(lambda self: self.length)


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
