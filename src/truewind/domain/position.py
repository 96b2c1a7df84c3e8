"""Position: what is held of one instrument, its cost, and the prices at which something happens to it."""

import math
from typing import NamedTuple

import numpy as np

CROSS = -1  # as a position's wallet: it shares the account's

# lots: signed. cost: ledger units paid for what is held, signed like lots (average entry = cost / lots).
# realised, fees, funding, slippage, carry (dividends, borrow fees, swaps): sums since the start. opened_ts: when it
# last left zero.
# next_due, last_due: rows of the table of dues still to come. due_at: when the next thing happens.
# low_at, high_at: nothing happens to this symbol on a bar that stays strictly between them, unless it must
# wake: an order is on its way, or the margin is used up. close: last known price, NaN before the first bar.
# mark: last known mark price. mark_low_at, mark_high_at: as low_at and high_at, for the mark price; without marks of
# their own they are part of low_at and high_at. safe_low, safe_high: between these marks no wallet comes to its
# maintenance margin as long as all others stay between theirs. symbol: whose position it is. wallet: isolated margin in
# ledger units, -1 where the position shares the account's (cross). left: lots that orders may still take of the
# current row's volume. changes_at: when the next split or the end comes, which happens to who holds nothing, too.
# reduces_at: from when the venue takes only orders that reduce; ends_at: from when it takes none. entry_rate: at which
# its currency was exchanged, on average, for what it cost. gained: what all
# sums came to when its last round trip closed.
# In hedge mode a symbol has a second row, for its short side, as many rows on as there are symbols: a *leg*. What is
# said of prices and times stands in the first leg only.
POSITION = np.dtype(
    [
        ("lots", np.int64),
        ("cost", np.int64),
        ("realised", np.int64),
        ("fees", np.int64),
        ("funding", np.int64),
        ("slippage", np.int64),
        ("opened_ts", np.int64),
        ("next_due", np.int64),
        ("last_due", np.int64),
        ("due_at", np.int64),
        ("wake", np.int64),
        ("low_at", np.float64),
        ("high_at", np.float64),
        ("close", np.float64),
        ("mark", np.float64),
        ("mark_low_at", np.float64),
        ("mark_high_at", np.float64),
        ("symbol", np.int64),
        ("wallet", np.int64),
        ("safe_low", np.float64),
        ("safe_high", np.float64),
        ("left", np.int64),
        ("carry", np.int64),
        ("changes_at", np.int64),
        ("reduces_at", np.int64),
        ("ends_at", np.int64),
        ("entry_rate", np.float64),
        ("gained", np.int64),
    ],
    align=True,
)


class Position(NamedTuple):
    """What a strategy is told of its position in one symbol.

    side: +1 long, -1 short, 0 flat. quantity: signed, in base units. entry: average price, NaN if flat.
    stop: price of the working protective stop, NaN if none. opened_us: when it was opened, 0 if flat.
    risk: distance from the entry to the stop that the signal of the entry had, in quote units (what R multiples are
    counted in), NaN if there was none.
    """

    side: int
    quantity: float
    entry: float
    stop: float
    opened_us: int
    risk: float = math.nan
