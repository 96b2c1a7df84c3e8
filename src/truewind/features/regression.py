"""Regression: the straight line through the last values, and how their moves grow with the time that they are given."""

from math import log, nan

from truewind.features.base import MAX_LENGTH, Feature, derived, parameter, reaches, register, scalars
from truewind.features.windows import Window
from truewind.numerics.jit import kernel
from truewind.numerics.loop import LEAST
from truewind.numerics.moments import position_squares, rolling_line, rolling_slope
from truewind.numerics.ring import Memory, part
from truewind.numerics.rolling import rolling_sum


@kernel(inline=True)
def linreg(
    x: float,
    length: int,
    cursor: int,
    full: int,
    anchor: float,
    head: float,
    ramp: float,
    squares: float,
    window: Memory,
) -> tuple[float, float, float, int, int, float, float, float, float]:
    """The line's last point, its slope, and the share of the variance that it explains."""
    mean, slope, spread, cursor, full, anchor, head, ramp, squares = rolling_line(
        x, length, cursor, full, anchor, head, ramp, squares, window
    )
    value = mean + 0.5 * (length - 1.0) * slope
    explained = slope * slope * position_squares(length)
    share = min(explained / spread, 1.0) if spread > 0.0 else nan
    return value, slope, share, cursor, full, anchor, head, ramp, squares


@register
class LinReg(Window):
    """Linear regression: the least-squares line through the last `length` values, its end, slope and fit.

    slope = Σ (i − ī)(x_i − x̄) / Σ (i − ī)² a row; value = x̄ + slope · (length − 1) / 2, where the line stands in this
    row (as TA-Lib's LINEARREG); r2 = slope² · Σ (i − ī)² / Σ (x_i − x̄)², 0 to 1, NaN where nothing has moved.
    """

    name, family, units = "linreg", "trend", "of the source; r2 0 to 1"
    outputs = ("value", "slope", "r2")
    scale, shift = (1, 1, 0), (1, 0, 0)
    length: int = parameter(14, 2, MAX_LENGTH)
    state = scalars(cursor=0, full=0, anchor=0.0, head=0.0, ramp=0.0, squares=0.0)
    finite = True
    step = staticmethod(linreg)
    floats = 3


@register
class LinRegSlope(Window):
    """Slope of the least-squares line through the last `length` values.

    Σ (i − ī)(x_i − x̄) / Σ (i − ī)² a row, as TA-Lib's LINEARREG_SLOPE; exactly 0 in a flat market.
    """

    name, family, units = "linreg_slope", "trend", "of the source, a row"
    scale, shift = 1, 0
    length: int = parameter(14, 2, MAX_LENGTH)
    state = scalars(cursor=0, full=0, anchor=0.0, head=0.0, ramp=0.0)
    finite = True
    step = staticmethod(rolling_slope)


LAGS = 16  # the longest lag of the Hurst exponent; a power of two, so that places in the ring are found by masking


@kernel(inline=True)
def hurst(
    x: float,
    length: int,
    seen: int,
    place: int,
    cursor: int,
    full: int,
    head_1: float,
    head_2: float,
    head_8: float,
    head_16: float,
    window: Memory,
) -> tuple[float, int, int, int, int, float, float, float, float]:
    """The growth of the mean square move over lags of 1 to 16 rows. seen: logarithms in the ring, up to 16."""
    value = nan
    if x > LEAST:
        level = log(x)
        if seen == LAGS:
            move_1 = level - window[(place - 1) & (LAGS - 1)]
            move_2 = level - window[(place - 2) & (LAGS - 1)]
            move_8 = level - window[(place - 8) & (LAGS - 1)]
            move_16 = level - window[place]
            sums = part(window, LAGS)
            square_1, _, _, head_1 = rolling_sum(move_1 * move_1, length, cursor, full, head_1, sums)
            square_2, _, _, head_2 = rolling_sum(move_2 * move_2, length, cursor, full, head_2, part(sums, length))
            square_8, _, _, head_8 = rolling_sum(move_8 * move_8, length, cursor, full, head_8, part(sums, 2 * length))
            square_16, cursor, full, head_16 = rolling_sum(
                move_16 * move_16, length, cursor, full, head_16, part(sums, 3 * length)
            )
            if square_1 > 0.0 and square_2 > 0.0 and square_8 > 0.0 and square_16 > 0.0:
                growth = 2.0 * log(square_16 / square_1) + log(square_8 / square_2)
                value = growth / (20.0 * log(2.0))
        else:
            seen += 1
        window[place] = level
        place = (place + 1) & (LAGS - 1)
    return value, seen, place, cursor, full, head_1, head_2, head_8, head_16


@register
class Hurst(Feature):
    """Hurst exponent: 0.5 for a random walk, more where moves go on, less where they are taken back.

    Half the least-squares slope of ln K(τ) on ln τ for τ = 1, 2, 4, 8, 16 rows, where K(τ) is the mean of (ln x_t − ln
    x_{t−τ})² over the last `length` rows; K(4) lies in the middle and has no weight (generalised Hurst exponent, q = 2:
    Di Matteo, Aste, Dacorogna, Long-term memories of developed and emerging markets, J. Banking & Finance 29, 2005).
    Its standard error on a random walk is about 0.08 at 100 rows and 0.025 at 1,000. Rows whose value is not positive
    are left out; NaN where nothing has moved.
    """

    name, family, units = "hurst", "trend", "0 to 1"
    scale = 0
    length: int = parameter(200, 20, MAX_LENGTH)
    state = scalars(seen=0, place=0, cursor=0, full=0, head_1=0.0, head_2=0.0, head_8=0.0, head_16=0.0)
    steady, finite = reaches(seen=LAGS, full=1), True
    step = staticmethod(hurst)
    warmup = derived(lambda self: LAGS + self.length - 1)
    memory = derived(lambda self: LAGS + 4 * self.length)
