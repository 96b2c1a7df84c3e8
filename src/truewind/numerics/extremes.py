"""How long ago the extreme of the last `length` values was, at constant cost a step: blocks as in `rolling`."""

from math import inf, nan

from truewind.numerics.jit import kernel
from truewind.numerics.ring import Memory


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
