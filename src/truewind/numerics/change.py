"""Change from one value to the next."""

from math import log1p, nan

from truewind.numerics.jit import kernel
from truewind.numerics.loop import LEAST


@kernel(inline=True)
def log_change(x: float, past: float) -> float:
    """ln(x / past), computed as ln(1 + return), which keeps its digits when little has changed.

    NaN unless both are positive, and `past` above 1e-100, so that no quotient is infinite.
    """
    if past > LEAST:
        move = (x - past) / past
        if move > -1.0:
            return log1p(move)
    return nan
