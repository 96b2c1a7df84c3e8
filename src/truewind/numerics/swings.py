"""Swings: turning points of a series, known only when enough rows after them are in."""

from math import nan

from truewind.numerics.jit import kernel
from truewind.numerics.ring import Memory, in_order


@kernel(inline=True)
def swing_high(x: float, left: int, right: int, cursor: int, count: int, window: Memory) -> tuple[float, int, int]:
    """One step: (the value `right` rows ago if that was a swing high, else NaN, cursor, count).

    It is one if it is above each of the `left` values before it and below none of the `right` after it: of equal highs
    side by side the first. A swing low is the swing high of −x. `window` is 2 · (left + right + 1) floats.
    """
    length = left + right + 1
    cursor = in_order(x, length, cursor, window)
    if count < length:
        count += 1
        if count < length:
            return nan, cursor, count
    candidate = window[cursor + left]
    for slot in range(cursor + left + 1, cursor + length):
        if window[slot] > candidate:
            return nan, cursor, count
    for slot in range(cursor + left - 1, cursor - 1, -1):
        if window[slot] >= candidate:
            return nan, cursor, count
    return candidate, cursor, count
