"""What happens to an order book, as rows of one table: levels, clearings, trades, quotes."""

from enum import IntEnum

import numpy as np


class BookKind(IntEnum):
    """`BOOK_EVENT['kind']`, and `kind` in the lake's series of books."""

    LEVEL = 0  # the total displayed at one price of one side is now `lots`; 0 removes the level
    CLEAR = 1  # nothing is known any more: a snapshot follows, or the chain of updates is broken
    TRADE = 2  # side: +1 the buyer was the aggressor
    QUOTE = 3  # best price of one side as the venue told it (bookTicker): for checking, never applied
    SNAPSHOT = 4  # a level of the whole book, as the lake keeps it: what replays it makes CLEAR and LEVEL of it


class Report(IntEnum):
    """What happened to an order on a book. All but SUBMITTED and HELD are the venue's words."""

    SUBMITTED = 0  # sent by us
    ACCEPTED = 1
    REJECTED = 2
    PARTIALLY_FILLED = 3
    FILLED = 4
    CANCELLED = 5
    EXPIRED = 6
    AMENDED = 7
    CANCEL_REJECTED = 8  # there is no such order any more, or not yet
    AMEND_REJECTED = 9
    TRIGGERED = 10
    LIQUIDATED = 11  # of no order of ours: the venue has taken from the position
    HELD = 12  # sent by us, to wait at the venue until another order has filled


# One row. Times in µs UTC; ticks ≥ 1; side: +1 bid (or buying aggressor), −1 ask, 0 for CLEAR.
# last: the message that the row came in is complete. In the midst of one a book may be crossed for a moment.
BOOK_EVENT = np.dtype(
    [
        ("ts_event", np.int64),
        ("ts_recv", np.int64),
        ("lots", np.int64),
        ("ticks", np.int32),
        ("kind", np.int8),
        ("side", np.int8),
        ("last", np.int8),
    ],
    align=True,
)
