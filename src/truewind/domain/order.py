"""Orders: their kinds, their record, and their life as one table."""

from enum import IntEnum

import msgspec
import numpy as np


class Side(IntEnum):
    BUY = 1
    SELL = -1


class OrderType(IntEnum):
    MARKET = 0
    LIMIT = 1
    STOP = 2  # becomes a market order when the price reaches its trigger


class Status(IntEnum):
    NEW = 0  # made by a strategy, not yet judged
    DENIED = 1  # refused by the risk gate; never left the house
    SUBMITTED = 2  # on its way to the venue
    REJECTED = 3  # refused by the venue
    HELD = 4  # a bracket's child, waiting for its parent to fill
    ACCEPTED = 5  # working at the venue
    PARTIALLY_FILLED = 6
    FILLED = 7
    CANCELLED = 8
    EXPIRED = 9  # ended by the venue: nothing left to reduce, or the end of the data


class Event(IntEnum):
    """What can happen to an order."""

    DENY = 0
    SUBMIT = 1
    REJECT = 2
    HOLD = 3
    ACCEPT = 4
    PARTIAL_FILL = 5
    FILL = 6
    CANCEL = 7
    EXPIRE = 8


# The single source of what may follow what. Rows that look strange carry their reason.
LIFE_CYCLE: dict[Status, dict[Event, Status]] = {
    Status.NEW: {
        Event.DENY: Status.DENIED,
        Event.SUBMIT: Status.SUBMITTED,
        Event.HOLD: Status.HELD,
    },
    Status.HELD: {
        Event.SUBMIT: Status.SUBMITTED,
        Event.CANCEL: Status.CANCELLED,  # its parent ended without a fill
        Event.EXPIRE: Status.EXPIRED,
    },
    Status.SUBMITTED: {
        Event.REJECT: Status.REJECTED,
        Event.ACCEPT: Status.ACCEPTED,
        Event.CANCEL: Status.CANCELLED,  # the cancel overtook it, or came in the same flight
        Event.EXPIRE: Status.EXPIRED,
    },
    Status.ACCEPTED: {
        Event.PARTIAL_FILL: Status.PARTIALLY_FILLED,
        Event.FILL: Status.FILLED,
        Event.CANCEL: Status.CANCELLED,
        Event.EXPIRE: Status.EXPIRED,
        Event.REJECT: Status.REJECTED,  # a stop that triggers without the money for it
    },
    Status.PARTIALLY_FILLED: {
        Event.PARTIAL_FILL: Status.PARTIALLY_FILLED,
        Event.FILL: Status.FILLED,
        Event.CANCEL: Status.CANCELLED,
        Event.EXPIRE: Status.EXPIRED,
    },
    Status.DENIED: {},
    Status.REJECTED: {},
    Status.FILLED: {},
    Status.CANCELLED: {},
    Status.EXPIRED: {},
}

ILLEGAL = -1
TERMINAL = frozenset(status for status, events in LIFE_CYCLE.items() if not events)


def _transition_table() -> np.ndarray:
    table = np.full((len(Status), len(Event)), ILLEGAL, np.int8)
    for status, events in LIFE_CYCLE.items():
        for event, following in events.items():
            table[status, event] = following
    table.setflags(write=False)
    return table


# LIFE_CYCLE as kernels read it: TRANSITIONS[status, event] is the next status, or ILLEGAL.
TRANSITIONS = _transition_table()


class Reason(IntEnum):
    """Why the risk gate or the venue changed, refused or ended an order."""

    NONE = 0
    BELOW_MIN_QUANTITY = 1
    BELOW_MIN_NOTIONAL = 2
    ABOVE_MAX_QUANTITY = 3
    NO_SHORT = 4  # spot cannot be sold before it is owned
    INSUFFICIENT_BALANCE = 5
    NOTHING_TO_REDUCE = 6
    POSITION_CAP = 7
    EXPOSURE_CAP = 8
    GROSS_CAP = 9
    DRAWDOWN = 10
    NO_EQUITY = 11
    BAD_PRICE = 12
    PARENT_ENDED = 13
    BY_STRATEGY = 14
    END_OF_DATA = 15
    NO_PRICE = 16  # nothing is known of the symbol's price yet


# A working order as kernels keep it. Prices in ticks, quantities in lots, times in µs.
# parent: id of the order whose fill wakes this one (0: none). reduce_only: never opens or turns a position, and
# ends when there is nothing left to reduce. accepted_row: the bar in which it arrived.
ORDER = np.dtype(
    [
        ("id", np.int64),
        ("symbol", np.int64),
        ("side", np.int64),
        ("type", np.int64),
        ("status", np.int64),
        ("reduce_only", np.int64),
        ("lots", np.int64),
        ("filled", np.int64),
        ("price", np.int64),
        ("parent", np.int64),
        ("ts_sent", np.int64),
        ("ts_arrive", np.int64),
        ("accepted_row", np.int64),
        ("tag", np.int64),
    ],
    align=True,
)

# One step in an order's life, as kernels report it; journal and order table are made of these.
# price: ticks of the limit or trigger. reason: a `Reason`.
ORDER_EVENT = np.dtype(
    [
        ("ts", np.int64),
        ("row", np.int64),
        ("order", np.int64),
        ("symbol", np.int64),
        ("event", np.int64),
        ("status", np.int64),
        ("reason", np.int64),
        ("side", np.int64),
        ("type", np.int64),
        ("lots", np.int64),
        ("price", np.int64),
        ("reduce_only", np.int64),
        ("parent", np.int64),
        ("tag", np.int64),
    ],
    align=True,
)


class Order(msgspec.Struct, frozen=True, gc=False):
    """A working order as a strategy sees it: a copy.

    lots, filled, price_ticks: as the venue counts. quantity (base units), price (NaN at market): the same as floats.
    """

    id: int
    symbol: str
    side: int
    type: int
    status: int
    lots: int
    filled: int
    price_ticks: int
    quantity: float
    price: float
    reduce_only: bool
    parent: int
    tag: int
