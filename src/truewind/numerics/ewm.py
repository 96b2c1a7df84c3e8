"""Exponentially weighted recursions, one step each: scalars in, scalars out.

Both start from the plain mean of their first `length` values, as TA-Lib does, so two runs agree from one origin only;
the seed's weight has fallen below 1e-9 after about 10.4 · length rows (EMA) or 20.7 · length rows (Wilder).
"""

from math import nan

from truewind.numerics.fma import fma
from truewind.numerics.jit import kernel


@kernel(inline=True)
def ema(x: float, length: int, count: int, value: float) -> tuple[float, int, float]:
    """One step of the exponential mean with α = 2 / (length + 1): (output, count, value).

    count: values seen, up to `length`. value: their sum while seeding, then the mean itself.
    """
    if count >= length:
        weight = 2.0 / (length + 1.0)
        value = fma(1.0 - weight, value, weight * x)
        return value, count, value
    count += 1
    value += x
    if count < length:
        return nan, count, value
    value /= length
    return value, count, value


@kernel(inline=True)
def wilder(x: float, length: int, count: int, value: float) -> tuple[float, int, float]:
    """One step of Wilder's smoothing (α = 1 / length; New Concepts, 1978): (output, count, value), as in `ema`."""
    if count >= length:
        weight = 1.0 / length
        value = fma(1.0 - weight, value, weight * x)
        return value, count, value
    count += 1
    value += x
    if count < length:
        return nan, count, value
    value /= length
    return value, count, value
