"""Signal: what a strategy wants, as a fixed-size record that machine code and Python both understand."""

import math
from enum import IntEnum
from typing import NamedTuple

import numpy as np

NAN = math.nan


class Want(IntEnum):
    """`Signal.side`: the position that the strategy wants to have."""

    SHORT = -1
    FLAT = 0
    LONG = 1
    HOLD = 2  # nothing to say: keep what there is


class Signal(NamedTuple):
    """A wanted position with its reasons and its exits. Prices are in quote units, NaN where there is none.

    side: a `Want`. confidence: probability 0…1 that the reason holds; 1 for rules without a model.
    entry: limit price of the entry, NaN for a market order. stop: protective stop.
    target_1 … target_4: take-profit prices; the position is split evenly over those given.
    horizon_us: leave after this many microseconds, 0 for never. reason: the strategy's own code for its report.
    """

    side: int = Want.HOLD
    confidence: float = 1.0
    entry: float = NAN
    stop: float = NAN
    target_1: float = NAN
    target_2: float = NAN
    target_3: float = NAN
    target_4: float = NAN
    horizon_us: int = 0
    reason: int = 0


def nearer(stop: float, side: int, held: int, working: float) -> bool:
    """Whether the `stop` of a signal for `side` protects more than the `working` one (NaN: none) of what is `held`."""
    return bool(side == held and side != 0 and stop == stop and not (stop - working) * side <= 0.0)


HOLD = Signal()
FLAT = Signal(Want.FLAT)

# `Signal` as kernels take it.
SIGNAL = np.dtype(
    [(name, np.int64 if kind is int else np.float64) for name, kind in Signal.__annotations__.items()], align=True
)
# What is remembered of each symbol between bars. last: side of the last signal. expiry: when its horizon ends, in µs.
# first_stop: the stop of the last entry as it was sent, NaN if it had none.
FOLLOWING = np.dtype([("last", np.int64), ("expiry", np.int64), ("first_stop", np.float64)], align=True)
