"""Means, variances and straight lines of the last `length` values, one step each, at constant cost and without drift.

As in `rolling`, the window is the tail of the last block and the head of the present one. What is added up are
deviations from an *anchor*, the last value of the last block. The anchor is in every window until the next block is
complete, so the square of its distance from the mean is less than `length` variances: taking it from the mean square
costs no more than the digits of `length`, however far the values are from zero, where sums of squares cancel to
nothing (Chan, Golub, LeVeque, Algorithms for computing the sample variance, 1983, on shifted data). Equal values
have exactly their own mean and no variance at all.

Slots of `window` before `cursor` hold the present block, those from it on the folded tails of the last one; further
tails lie `length` slots on. When a block is complete its last value becomes the anchor, and slot 0 the whole window.
"""

from math import nan

from truewind.numerics.jit import kernel
from truewind.numerics.ring import Memory


@kernel(inline=True)
def rolling_centre(
    x: float, length: int, cursor: int, full: int, anchor: float, head: float, window: Memory
) -> tuple[float, int, int, float, float]:
    """One step of the mean: (mean, cursor, full, anchor, head); of equal values it is that value, to the bit."""
    head += x - anchor
    window[cursor] = x
    cursor += 1
    if cursor == length:
        anchor, cursor, full, head = x, 0, 1, 0.0
        tail = 0.0
        for slot in range(length - 1, -1, -1):
            tail += window[slot] - anchor
            window[slot] = tail
    elif not full:
        return nan, cursor, full, anchor, head
    return anchor + (head + window[cursor]) * (1.0 / length), cursor, full, anchor, head


@kernel(inline=True)
def rolling_moments(
    x: float, length: int, cursor: int, full: int, anchor: float, head: float, squares: float, window: Memory
) -> tuple[float, float, int, int, float, float, float]:
    """One step of mean and variance: (mean, mean square deviation, cursor, full, anchor, head, squares).

    `window` is 2 · length floats.
    """
    deviation = x - anchor
    head += deviation
    squares += deviation * deviation
    window[cursor] = x
    cursor += 1
    if cursor == length:
        anchor, cursor, full, head, squares = x, 0, 1, 0.0, 0.0
        tail = tail_squares = 0.0
        for slot in range(length - 1, -1, -1):
            deviation = window[slot] - anchor
            tail += deviation
            tail_squares += deviation * deviation
            window[slot] = tail
            window[length + slot] = tail_squares
    elif not full:
        return nan, nan, cursor, full, anchor, head, squares
    share = 1.0 / length
    mean = (head + window[cursor]) * share
    variance = (squares + window[length + cursor]) * share - mean * mean
    variance = variance if variance > 0.0 else 0.0
    return anchor + mean, variance, cursor, full, anchor, head, squares


@kernel(inline=True)
def position_squares(length: int) -> float:
    """The sum of squares of the places in a window of `length` rows, from their middle."""
    return length * (length * float(length) - 1.0) / 12.0


@kernel(inline=True)
def rolling_slope(
    x: float, length: int, cursor: int, full: int, anchor: float, head: float, ramp: float, window: Memory
) -> tuple[float, int, int, float, float, float]:
    """One step of the slope a row of the least-squares line: (slope, cursor, full, anchor, head, ramp).

    Σ weight · deviation, the weights going in steps of 1 around 0 from oldest to newest. ramp: the deviations
    of the head times 1, 2, 3, … A line needs two values or more.
    """
    deviation = x - anchor
    window[cursor] = x
    cursor += 1
    place = float(cursor)
    head += deviation
    ramp += place * deviation
    if cursor == length:
        anchor, cursor, place, full, head, ramp = x, 0, 0.0, 1, 0.0, 0.0
        tail = tail_ramp = 0.0
        for slot in range(length - 1, -1, -1):
            tail += window[slot] - anchor
            tail_ramp += tail
            window[slot] = tail_ramp - 0.5 * (length + 1.0) * tail
    elif not full:
        return nan, cursor, full, anchor, head, ramp
    slope = ((0.5 * (length - 1.0) - place) * head + ramp + window[cursor]) * (1.0 / position_squares(length))
    return slope, cursor, full, anchor, head, ramp


@kernel(inline=True)
def rolling_line(
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
    """One step of the least-squares line: (mean, slope, sum of squares, cursor, full, …, squares).

    As `rolling_slope`; the squares are of deviations from the mean. `window` is 3 · length floats.
    """
    deviation = x - anchor
    window[cursor] = x
    cursor += 1
    place = float(cursor)
    head += deviation
    ramp += place * deviation
    squares += deviation * deviation
    if cursor == length:
        anchor, cursor, place, full, head, ramp, squares = x, 0, 0.0, 1, 0.0, 0.0, 0.0
        tail = tail_ramp = tail_squares = 0.0
        for slot in range(length - 1, -1, -1):
            deviation = window[slot] - anchor
            tail += deviation
            tail_ramp += tail
            tail_squares += deviation * deviation
            window[slot] = tail
            window[length + slot] = tail_ramp - 0.5 * (length + 1.0) * tail
            window[2 * length + slot] = tail_squares
    elif not full:
        return nan, nan, nan, cursor, full, anchor, head, ramp, squares
    total = head + window[cursor]
    mean = total * (1.0 / length)
    slope = ((0.5 * (length - 1.0) - place) * head + ramp + window[length + cursor]) * (1.0 / position_squares(length))
    spread = squares + window[2 * length + cursor] - total * mean
    spread = spread if spread > 0.0 else 0.0
    return anchor + mean, slope, spread, cursor, full, anchor, head, ramp, squares


@kernel(inline=True)
def rolling_weighted(
    x: float, length: int, cursor: int, full: int, head: float, ramp: float, window: Memory
) -> tuple[float, int, int, float, float]:
    """One step of the sum with weights 1 (oldest) to `length` (newest): (output, cursor, full, head, ramp).

    Nothing is subtracted, so no anchor is needed. ramp: the head's values times 1, 2, 3, … `window` is `length` floats.
    """
    window[cursor] = x
    cursor += 1
    place = float(cursor)
    head += x
    ramp += place * x
    if cursor < length:
        if full:
            return (length - place) * head + ramp + window[cursor], cursor, full, head, ramp
        return nan, cursor, full, head, ramp
    whole = ramp
    tail = tail_ramp = 0.0
    for slot in range(length - 1, 0, -1):
        tail += window[slot]
        tail_ramp += tail
        window[slot] = tail_ramp
    return whole, 0, 1, 0.0, 0.0


@kernel(inline=True)
def rolling_mean_deviation(
    x: float, length: int, cursor: int, full: int, window: Memory
) -> tuple[float, float, int, int]:
    """One step of (x − mean, mean absolute deviation from the mean, cursor, full), at a cost that grows with `length`.

    Reckoned from the newest value, so that equal values deviate by exactly nothing. Four sums side by side, since
    each addition would otherwise wait for the last.
    """
    window[cursor] = x
    cursor += 1
    if cursor == length:
        cursor, full = 0, 1
    if not full:
        return nan, nan, cursor, full
    fours = length & ~3
    a = b = c = d = 0.0
    for slot in range(0, fours, 4):
        a += window[slot] - x
        b += window[slot + 1] - x
        c += window[slot + 2] - x
        d += window[slot + 3] - x
    for slot in range(fours, length):
        a += window[slot] - x
    below = (a + b + (c + d)) / length
    a = b = c = d = 0.0
    for slot in range(0, fours, 4):
        a += abs(window[slot] - x - below)
        b += abs(window[slot + 1] - x - below)
        c += abs(window[slot + 2] - x - below)
        d += abs(window[slot + 3] - x - below)
    for slot in range(fours, length):
        a += abs(window[slot] - x - below)
    return -below, (a + b + (c + d)) / length, cursor, full
