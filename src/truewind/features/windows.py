"""Windows: what features over the last `length` rows have in common, once for each kernel that keeps such a window.

    @register
    class SMA(Sum):
        name, family, units = "sma", "trend", "of the source"
        length: int = parameter(20, 1, MAX_LENGTH)
        step = staticmethod(rolling_mean)

A base says what its kernel keeps between rows, so that a feature which calls it says only what is its own. One that
keeps more, or calls other kernels, declares its `state` and how many `floats` a row of the window takes.
"""

from math import inf, nan
from typing import ClassVar

from truewind.features.base import Feature, derived, reaches, scalars


class Window(Feature):
    """Of the last `length` rows, the present one among them; there is a value once the window is full."""

    length: int
    state = scalars(cursor=0, full=0)
    steady = reaches(full=1)
    floats: ClassVar[int] = 1  # that a row of the window takes
    warmup = derived(lambda self: self.length - 1)
    memory = derived(lambda self: self.floats * self.length)


class Lag(Window):
    """Of the present row and the one `length` rows ago: `ring.lag`."""

    warmup = derived(lambda self: self.length)


class Changes(Window):
    """Of a mean of what has changed since the row before, of which the first row has nothing."""

    state = scalars(previous=nan, cursor=0, full=0, head=0.0)
    warmup = derived(lambda self: self.length)


class Sum(Window):
    """Of a sum or mean: `rolling_sum`, `rolling_mean`."""

    state = scalars(cursor=0, full=0, head=0.0)


class Sums(Window):
    """Of two sums: `rolling_sums`."""

    state = scalars(cursor=0, full=0, x_head=0.0, y_head=0.0)
    floats = 2


class Moments(Window):
    """Of mean and variance: `rolling_moments`."""

    state = scalars(cursor=0, full=0, anchor=0.0, head=0.0, squares=0.0)
    floats = 2


class Extremes(Window):
    """Of the highest high and the lowest low: `extremes.channel`."""

    state = scalars(cursor=0, full=0, top=-inf, bottom=inf)
    floats = 2
