"""How two series moved together over the last `length` rows, one step each, at constant cost and without drift.

Blocks as in `rolling`, for deviations from an *anchor*, the last pair of the last block: it is in every window until
the next block is complete, so its distance from the mean costs no more than the digits of `length`, where plain sums
of products would cancel to nothing (Chan, Golub, LeVeque, Algorithms for computing the sample variance, 1983).
"""

from math import nan

from truewind.numerics.jit import kernel
from truewind.numerics.ring import Memory


@kernel(inline=True)
def rolling_comoments(
    x: float, y: float, length: int, cursor: int, full: int, x_anchor: float, y_anchor: float,
    x_head: float, y_head: float, squares: float, products: float, window: Memory,
) -> tuple[float, float, int, int, float, float, float, float, float, float]:  # fmt: skip
    """One step of (Σ(x − x̄)², Σ(x − x̄)(y − ȳ)), then the state: cursor, full, …, products.

    Equal values of x have exactly no squares. `window` is 4 · length floats: the sums of the last block's tails (of x,
    y, squares, products), and in the slots before `cursor` the present block's values of x and y.
    """
    dx, dy = x - x_anchor, y - y_anchor
    x_head += dx
    y_head += dy
    squares += dx * dx
    products += dx * dy
    window[cursor], window[length + cursor] = x, y
    cursor += 1
    if cursor == length:
        x_anchor, y_anchor, cursor, full = x, y, 0, 1
        x_head = y_head = squares = products = 0.0
        x_tail = y_tail = squares_tail = products_tail = 0.0
        for slot in range(length - 1, -1, -1):
            dx, dy = window[slot] - x_anchor, window[length + slot] - y_anchor
            x_tail += dx
            y_tail += dy
            squares_tail += dx * dx
            products_tail += dx * dy
            window[slot], window[length + slot] = x_tail, y_tail
            window[2 * length + slot], window[3 * length + slot] = squares_tail, products_tail
    elif not full:
        return nan, nan, cursor, full, x_anchor, y_anchor, x_head, y_head, squares, products
    x_sum, y_sum = x_head + window[cursor], y_head + window[length + cursor]
    x_mean = x_sum * (1.0 / length)
    spread = squares + window[2 * length + cursor] - x_sum * x_mean
    spread = spread if spread > 0.0 else 0.0
    together = products + window[3 * length + cursor] - x_mean * y_sum
    return spread, together, cursor, full, x_anchor, y_anchor, x_head, y_head, squares, products
