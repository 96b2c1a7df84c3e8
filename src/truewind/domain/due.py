"""Dues: what falls due for whoever holds a symbol at a known time: payments, splits, and the end of the contract."""

import numpy as np
from numpy.typing import ArrayLike


class DueKind:
    """`DUE['kind']`; of two dues at one time the one with the smaller number comes first.

    So payments are on what was held before the split, and everything is paid before the contract ends.
    """

    FUNDING = 0  # amount: rate in 1e-8 of the notional at `price`, which longs pay to shorts
    SWAP = 1  # amount, other: what a long and what a short receives, in 1 / SWAP_SCALE ticks
    BORROW = 2  # amount: rate a year in 1e-8, other: days; shorts pay it on the collateral of shares at `price`
    DIVIDEND = 3  # amount: ledger units for `other` shares, which longs receive and shorts pay
    SPLIT = 4  # amount: new shares for `other` old ones; what is left of a lot is paid out at `price`
    SETTLEMENT = 5  # the contract ends: what is held is closed at `price`; amount: fee rate in 1e-8, -1: the taker's


SWAP_SCALE = 1_000_000

# price: in ticks, 0 if the source has none: then the mark price counts with which the row begins. The dues of one
# symbol lie together, ordered by ts, then kind.
DUE = np.dtype(
    [("ts", np.int64), ("kind", np.int64), ("amount", np.int64), ("other", np.int64), ("price", np.int64)], align=True
)


def due_rows(
    kind: int, ts: ArrayLike, amount: ArrayLike, other: ArrayLike = 0, price: ArrayLike = 0
) -> np.ndarray:  # fmt: skip
    """DUE rows of one kind. ts: µs; the rest as `DueKind` says, numbers or arrays as long as ts."""
    rows = np.zeros(np.size(ts), DUE)
    rows["kind"] = kind
    rows["ts"], rows["amount"], rows["other"], rows["price"] = ts, amount, other, price
    return rows


def in_order(*tables: np.ndarray) -> np.ndarray:
    """All DUE rows of one symbol in the order in which they fall due."""
    rows = np.concatenate([np.zeros(0, DUE), *tables])
    return rows[np.lexsort((rows["kind"], rows["ts"]))]
