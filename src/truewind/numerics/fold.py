"""Bars of a longer timeframe made from the rows as they come, and features of them laid back on the rows.

A longer bar is complete with the row that ends where it ends. If that row never came, it is known to be over when the
first row of a later bar comes, and not before: that is what a stream can know. Both loops are driven like the loops of
features, so the whole of a plan stays one call, and the unfinished bar is part of the saved state.

Missing values are passed over; a longer bar that has none of a column has NaN there. A bar that had begun before the
first row is not made.
"""

from functools import cache
from math import nan
from typing import Any

from truewind.numerics.loop import LIMIT, Loop, entry_address

FIRST, MAX, MIN, SUM, LAST = range(5)  # how the values of a column become one


def fold(rows: int, inputs: Any, parameters: Any, scalars: Any, memory: Any, outputs: Any) -> None:
    """The longer bars that end in these rows: their open times, their columns, and the row in which each was known.

    inputs: ts and the columns. outputs: ts, the columns, the row; room for two bars a row. memory: the values of the
    bar in the making. parameters: how many columns, the length of a row and of a bar in µs, where bars begin, and a
    rule a column. scalars: open time of the bar in the making (NaN: none); at the end, how many bars were made; whether
    the bar in the making was seen from its beginning.
    """
    columns, length, bar, origin = int(parameters[0]), int(parameters[1]), int(parameters[2]), int(parameters[3])
    begun, made, whole = scalars[0], 0, scalars[2]
    for row in range(rows):
        now = inputs[0][row]
        if not abs(now) < LIMIT:
            continue
        opens = float((int(now) - origin) // bar * bar + origin)
        if begun == begun and opens != begun:
            if whole > 0.0:
                outputs[0][made] = begun
                for i in range(columns):
                    outputs[1 + i][made] = memory[i]
                outputs[1 + columns][made] = row
                made += 1
            begun, whole = nan, 1.0
        if begun != begun:
            begun = opens
            if now == opens:
                whole = 1.0
            for i in range(columns):
                memory[i] = nan
        for i in range(columns):
            x, value, kind = inputs[1 + i][row], memory[i], int(parameters[4 + i])
            if not abs(x) < LIMIT:
                continue
            if value != value or kind == LAST or (kind == MAX and x > value) or (kind == MIN and x < value):
                memory[i] = x
            elif kind == SUM:
                memory[i] = value + x
        if now + length >= opens + bar:
            if whole > 0.0:
                outputs[0][made] = begun
                for i in range(columns):
                    outputs[1 + i][made] = memory[i]
                outputs[1 + columns][made] = row
                made += 1
            begun, whole = nan, 1.0
    scalars[0], scalars[1], scalars[2] = begun, made, whole


def spread(rows: int, inputs: Any, parameters: Any, scalars: Any, memory: Any, outputs: Any) -> None:
    """What was last known of the longer bars' features, for every row.

    inputs: how many longer bars there are, the row of each, their features. parameters: how many features.
    memory: the values last known.
    """
    columns, made, taken = int(parameters[0]), int(inputs[0][0]), 0
    for row in range(rows):
        while taken < made and inputs[1][taken] <= row:
            for i in range(columns):
                memory[i] = inputs[2 + i][taken]
            taken += 1
        for i in range(columns):
            outputs[i][row] = memory[i]


@cache
def fold_loop() -> Loop:
    """`fold`, compiled when first asked for."""
    return Loop(entry_address(fold), fold)


@cache
def spread_loop() -> Loop:
    """`spread`, compiled when first asked for."""
    return Loop(entry_address(spread), spread)
