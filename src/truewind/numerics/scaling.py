"""Scaling numbers by what was fitted to their columns, and back; over a column or over a row, to the same bit.

`fits` has a column for each one that is scaled and these rows: kind, centre and spread; the first and last place of its
marks; the lowest and highest value fitted. Most columns need no more than a difference and a quotient, which the
processor does for several at once; `others` says where those are that need more.
"""

from math import copysign, expm1, inf, log1p, nan

import numpy as np
from numpy.typing import NDArray

from truewind.numerics.jit import kernel
from truewind.numerics.loop import LIMIT
from truewind.numerics.ring import Memory

LONGEST_LOG = 700.0  # of which the exponential is finite
AFFINE, LOG, QUANTILE = 0, 1, 2
KIND, CENTRE, SPREAD, FIRST, LAST, LOW, HIGH = range(7)
BELOW, ABOVE, LEAST, MOST = range(4)  # rows of `seen`: how often a column left its range, and how far

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@kernel(inline=True)
def scaled(x: float, centre: float, spread: float) -> float:
    """`x` in units of the spread from the centre; NaN for what is no number within the limit."""
    return (x - centre) / spread if abs(x) < LIMIT else nan


@kernel(inline=True)
def unscaled(y: float, centre: float, spread: float) -> float:
    """The number of which `scaled` made `y`."""
    x = y * spread + centre
    return x if abs(x) < inf else nan


@kernel
def share_below(x: float, marks: Memory, first: int, last: int) -> float:
    """Where `x` stands among the rising marks first … last: 0 at the first, 1 at the last, linear between two.

    A value that several marks have stands in the middle of them.
    """
    if not abs(x) < LIMIT:
        return nan
    if x <= marks[first]:
        return 0.0
    if x >= marks[last]:
        return 1.0
    low, high = first, last  # marks[low] <= x < marks[high]
    while high - low > 1:
        middle = (low + high) // 2
        if marks[middle] <= x:
            low = middle
        else:
            high = middle
    if x > marks[low]:
        return (low - first + (x - marks[low]) / (marks[high] - marks[low])) / (last - first)
    below, high = first, low  # marks[below] < x == marks[high]
    while high - below > 1:
        middle = (below + high) // 2
        if marks[middle] < x:
            below = middle
        else:
            high = middle
    return 0.5 * (high + low - 2 * first) / (last - first)


@kernel
def value_at(share: float, marks: Memory, first: int, last: int) -> float:
    """The value at a share: the inverse of `share_below`; below 0 the first mark, above 1 the last."""
    if share != share:
        return nan
    place = share * (last - first)
    if not place > 0.0:
        return marks[first]
    if place >= last - first:
        return marks[last]
    low = int(place)
    return marks[first + low] + (place - low) * (marks[first + low + 1] - marks[first + low])


@kernel
def scaled_other(x: float, fits: Floats, column: int, marks: Memory) -> float:
    """`x` of a column that is scaled by logarithm or by quantile."""
    if fits[KIND, column] == QUANTILE:
        return share_below(x, marks, int(fits[FIRST, column]), int(fits[LAST, column]))
    if not abs(x) < LIMIT:
        return nan
    return scaled(copysign(log1p(abs(x)), x), fits[CENTRE, column], fits[SPREAD, column])


@kernel
def unscaled_other(y: float, fits: Floats, column: int, marks: Memory) -> float:
    """The number of which `scaled_other` made `y`."""
    if fits[KIND, column] == QUANTILE:
        return value_at(y, marks, int(fits[FIRST, column]), int(fits[LAST, column]))
    x = unscaled(y, fits[CENTRE, column], fits[SPREAD, column])
    return copysign(expm1(abs(x)), x) if abs(x) < LONGEST_LOG else nan


@kernel
def scale_column(values: Floats, out: Floats, fits: Floats, column: int, marks: Memory) -> None:
    """A column of a table."""
    if fits[KIND, column] == AFFINE:
        for row in range(len(values)):
            out[row] = scaled(values[row], fits[CENTRE, column], fits[SPREAD, column])
    else:
        for row in range(len(values)):
            out[row] = scaled_other(values[row], fits, column, marks)


@kernel
def unscale_column(values: Floats, out: Floats, fits: Floats, column: int, marks: Memory) -> None:
    """A column of a table, back."""
    if fits[KIND, column] == AFFINE:
        for row in range(len(values)):
            out[row] = unscaled(values[row], fits[CENTRE, column], fits[SPREAD, column])
    else:
        for row in range(len(values)):
            out[row] = unscaled_other(values[row], fits, column, marks)


@kernel
def unscale_row(values: Floats, out: Floats, fits: Floats, others: Numbers, marks: Memory) -> None:
    """A row, back: a value of every column."""
    for column in range(len(values)):
        out[column] = unscaled(values[column], fits[CENTRE, column], fits[SPREAD, column])
    for column in others:
        out[column] = unscaled_other(values[column], fits, column, marks)


@kernel
def scale_row(values: Floats, out: Floats, fits: Floats, others: Numbers, marks: Memory) -> None:
    """A row: a value of every column."""
    for column in range(len(values)):
        out[column] = scaled(values[column], fits[CENTRE, column], fits[SPREAD, column])
    for column in others:
        out[column] = scaled_other(values[column], fits, column, marks)


@kernel
def watch_row(values: Floats, fits: Floats, seen: Floats) -> int:
    """How many values of a row lie outside of what was fitted; `seen` keeps count of them."""
    outside = 0
    for column in range(len(values)):
        x = values[column]
        outside += (x < fits[LOW, column]) | (x > fits[HIGH, column])
    if outside:
        for column in range(len(values)):
            x = values[column]
            below, above = x < fits[LOW, column], x > fits[HIGH, column]
            if below or above:
                seen[BELOW, column] += below
                seen[ABOVE, column] += above
                seen[LEAST, column] = min(seen[LEAST, column], x)
                seen[MOST, column] = max(seen[MOST, column], x)
    return outside
