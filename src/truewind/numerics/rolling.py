"""Statistics of the last `length` values, one step each, at constant cost and without drift.

The values are cut into blocks of `length`. The window is then the tail of the last block and the head of the present
one: the head is folded as it grows, the tails of a block are folded once when it is complete (van Herk 1992; Gil and
Werman 1993). No value is ever subtracted again, so no error stays behind when a large one leaves.

`window` is the memory of `length` floats: slots before `cursor` hold the present block, those from it on the folded
tails of the last one. `full` is 1 once a block has been completed. The output is NaN until `length` values are in.
"""

from math import inf, nan

from truewind.numerics.jit import kernel
from truewind.numerics.ring import Memory


@kernel(inline=True)
def rolling_sum(
    x: float, length: int, cursor: int, full: int, head: float, window: Memory
) -> tuple[float, int, int, float]:
    """One step of the sum: (output, cursor, full, head)."""
    head += x
    window[cursor] = x
    cursor += 1
    if cursor < length:
        if full:
            return head + window[cursor], cursor, full, head
        return nan, cursor, full, head
    tail = 0.0  # slot 0 is not folded: a window that starts there is a whole block
    for slot in range(length - 1, 0, -1):
        tail += window[slot]
        window[slot] = tail
    return head, 0, 1, 0.0


@kernel(inline=True)
def rolling_sums(
    x: float, y: float, length: int, cursor: int, full: int, head_x: float, head_y: float, window: Memory
) -> tuple[float, float, int, int, float, float]:
    """One step of two sums at once: (output of x, of y, cursor, full, heads). `window` is 2 · length floats."""
    head_x += x
    head_y += y
    window[cursor] = x
    window[length + cursor] = y
    cursor += 1
    if cursor < length:
        if full:
            return head_x + window[cursor], head_y + window[length + cursor], cursor, full, head_x, head_y
        return nan, nan, cursor, full, head_x, head_y
    tail_x = tail_y = 0.0
    for slot in range(length - 1, 0, -1):
        tail_x += window[slot]
        tail_y += window[length + slot]
        window[slot] = tail_x
        window[length + slot] = tail_y
    return head_x, head_y, 0, 1, 0.0, 0.0


@kernel(inline=True)
def rolling_mean(
    x: float, length: int, cursor: int, full: int, head: float, window: Memory
) -> tuple[float, int, int, float]:
    """One step of the mean: (output, cursor, full, head)."""
    total, cursor, full, head = rolling_sum(x, length, cursor, full, head, window)
    return total / length, cursor, full, head


@kernel(inline=True)
def rolling_max(
    x: float, length: int, cursor: int, full: int, head: float, window: Memory
) -> tuple[float, int, int, float]:
    """One step of the maximum: (output, cursor, full, head). `head` starts at -inf."""
    head = x if x > head else head
    window[cursor] = x
    cursor += 1
    if cursor < length:
        if full:
            tail = window[cursor]
            return (tail if tail > head else head), cursor, full, head
        return nan, cursor, full, head
    tail = -inf
    for slot in range(length - 1, 0, -1):
        value = window[slot]
        tail = value if value > tail else tail
        window[slot] = tail
    return head, 0, 1, -inf


@kernel(inline=True)
def rolling_min(
    x: float, length: int, cursor: int, full: int, head: float, window: Memory
) -> tuple[float, int, int, float]:
    """One step of the minimum: (output, cursor, full, head). `head` starts at +inf."""
    head = x if x < head else head
    window[cursor] = x
    cursor += 1
    if cursor < length:
        if full:
            tail = window[cursor]
            return (tail if tail < head else head), cursor, full, head
        return nan, cursor, full, head
    tail = inf
    for slot in range(length - 1, 0, -1):
        value = window[slot]
        tail = value if value < tail else tail
        window[slot] = tail
    return head, 0, 1, inf
