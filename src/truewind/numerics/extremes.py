"""Both extremes of the last `length` rows, and how long ago they were, at constant cost a step (see `rolling`)."""

from math import inf, nan

from truewind.numerics.jit import kernel
from truewind.numerics.ring import Memory, part
from truewind.numerics.rolling import rolling_max, rolling_min


@kernel(inline=True)
def channel(
    high: float, low: float, length: int, cursor: int, full: int, top: float, bottom: float, window: Memory
) -> tuple[float, float, int, int, float, float]:
    """One step of the highest high and the lowest low: (highest, lowest, cursor, full, top, bottom).

    `window` is 2 · length floats; top starts at -inf, bottom at +inf.
    """
    highest, _, _, top = rolling_max(high, length, cursor, full, top, window)
    lowest, cursor, full, bottom = rolling_min(low, length, cursor, full, bottom, part(window, length))
    return highest, lowest, cursor, full, top, bottom


@kernel(inline=True)
def true_extremes(high: float, low: float, previous: float) -> tuple[float, float]:
    """The bar's extremes with the last close among them, whose distance is the true range (Wilder, 1978)."""
    return (high if high > previous else previous), (low if low < previous else previous)


@kernel(inline=True)
def rolling_max_age(
    x: float, length: int, cursor: int, full: int, head: float, place: int, window: Memory
) -> tuple[float, int, int, float, int]:
    """One step of the rows since the maximum, the latest of equals: (output, cursor, full, head, place).

    head, starting at -inf, is the maximum of the present block and place its slot. `window` is 2 · length floats: the
    values, or maxima of tails, and the distances of those from the end of their block. The minimum is that of −x.
    """
    if x >= head:
        head, place = x, cursor
    window[cursor] = x
    cursor += 1
    if cursor < length:
        age = float(cursor - 1 - place)
        if full:
            if window[cursor] > head:
                age = cursor - 1 + window[length + cursor]
            return age, cursor, full, head, place
        return nan, cursor, full, head, place
    tail, distance = -inf, 0
    for slot in range(length - 1, 0, -1):
        value = window[slot]
        if value > tail:
            tail, distance = value, length - slot
        window[slot] = tail
        window[length + slot] = float(distance)
    return float(length - 1 - place), 0, 1, -inf, 0
