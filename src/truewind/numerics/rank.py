"""The rank of the newest of the last `length` values, at a cost that grows with `length` but counts many at a time."""

from math import nan

from truewind.numerics.jit import kernel
from truewind.numerics.ring import Memory


@kernel(inline=True)
def rolling_rank(x: float, length: int, cursor: int, full: int, window: Memory) -> tuple[float, int, int]:
    """One step of the share of the values below x, those equal to it, itself included, counting half.

    (output, cursor, full); 0.5 where all are equal. `window` is `length` floats.
    """
    window[cursor] = x
    cursor += 1
    if cursor == length:
        cursor, full = 0, 1
    if not full:
        return nan, cursor, full
    below = above = 0
    for slot in range(length):
        below += window[slot] < x
        above += window[slot] > x
    return 0.5 * (length + below - above) / length, cursor, full
