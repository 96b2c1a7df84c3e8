"""Orders: their kinds, their record, and their life as one table."""

from enum import IntEnum

import msgspec
import numpy as np


class Side(IntEnum):
    """Of an order; what is bought times its side is what the position grows by."""

    BUY = 1
    SELL = -1


class OrderType(IntEnum):
    """What an order does when it may act; the last five wait for a trigger price first."""

    MARKET = 0
    LIMIT = 1
    STOP = 2  # becomes a market order when the price moves against it to its trigger
    STOP_LIMIT = 3  # … a limit order
    TAKE_PROFIT = 4  # becomes a market order when the price moves in its favour to its trigger
    TAKE_PROFIT_LIMIT = 5  # … a limit order
    TRAILING_STOP = 6  # a stop whose trigger follows the best price at a distance


class TimeInForce(IntEnum):
    GTC = 0  # good till cancelled
    IOC = 1  # immediate or cancel: what does not fill on arrival expires
    FOK = 2  # fill or kill: all on arrival, or nothing
    GTD = 3  # good till a date
    DAY = 4  # good till the end of the market's day


class TriggerSource(IntEnum):
    """Whose price a conditional order waits for."""

    LAST = 0  # what trades
    MARK = 1  # the venue's mark price
    INDEX = 2  # the index price of the underlying


class SelfTrade(IntEnum):
    """What the venue ends when an order that takes liquidity would meet one of ours: the taker says."""

    NONE = 0  # nothing: both trade
    EXPIRE_TAKER = 1
    EXPIRE_MAKER = 2
    EXPIRE_BOTH = 3


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
    EXPIRED = 9  # ended by the venue: its time is up, nothing is left to reduce, or the data end
    TRIGGERED = 10  # its trigger was reached; from now on it is the limit or market order that it was to become


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
    TRIGGER = 9
    AMEND = 10


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
        Event.AMEND: Status.HELD,
    },
    Status.SUBMITTED: {
        Event.REJECT: Status.REJECTED,
        Event.ACCEPT: Status.ACCEPTED,
        Event.CANCEL: Status.CANCELLED,  # the cancel overtook it, or came in the same flight
        Event.EXPIRE: Status.EXPIRED,
        Event.AMEND: Status.SUBMITTED,
    },
    Status.ACCEPTED: {
        Event.PARTIAL_FILL: Status.PARTIALLY_FILLED,
        Event.FILL: Status.FILLED,
        Event.CANCEL: Status.CANCELLED,
        Event.EXPIRE: Status.EXPIRED,
        Event.REJECT: Status.REJECTED,  # a stop that triggers without the money for it
        Event.TRIGGER: Status.TRIGGERED,
        Event.AMEND: Status.ACCEPTED,
    },
    Status.TRIGGERED: {
        Event.PARTIAL_FILL: Status.PARTIALLY_FILLED,
        Event.FILL: Status.FILLED,
        Event.CANCEL: Status.CANCELLED,
        Event.EXPIRE: Status.EXPIRED,
        Event.REJECT: Status.REJECTED,
        Event.AMEND: Status.TRIGGERED,
    },
    Status.PARTIALLY_FILLED: {
        Event.PARTIAL_FILL: Status.PARTIALLY_FILLED,
        Event.FILL: Status.FILLED,
        Event.CANCEL: Status.CANCELLED,
        Event.EXPIRE: Status.EXPIRED,  # what is left of it, if only the money for the rest is missing too
        Event.AMEND: Status.PARTIALLY_FILLED,
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
    SIBLING_FILLED = 17  # another order of its one-cancels-other group was filled
    TIME_IN_FORCE = 18  # its time was up, or what it could not fill at once was not to wait
    LIQUIDATION = 19  # the venue withdraws all orders before it takes a position away
    EXITED = 20  # an exit of it was executed, or is over, before all of it was filled
    CORPORATE_ACTION = 21  # changed by a split, or withdrawn before a reverse one
    # What a venue refuses an order for, beyond the above (32 and up); its own code and message: `venues`.
    BELOW_MIN_PRICE = 32
    ABOVE_MAX_PRICE = 33
    OFF_TICK = 34
    OFF_STEP = 35
    MARKET_QUANTITY = 36  # outside the limits that hold for market orders only
    ABOVE_MAX_NOTIONAL = 37
    ABOVE_PRICE_BAND = 38
    BELOW_PRICE_BAND = 39
    TOO_MANY_ORDERS = 40
    TOO_MANY_CONDITIONAL = 41
    TOO_MANY_ICEBERGS = 42
    ICEBERG_PARTS = 43
    TRAILING_DISTANCE = 44
    POSITION_LIMIT = 45  # the venue's limit on what may be held, not ours
    LEVERAGE_LIMIT = 46  # the tier of the new position allows less leverage than is set
    INSUFFICIENT_MARGIN = 47
    REDUCE_ONLY = 48
    WOULD_TAKE = 49  # a post-only order that would trade at once
    WOULD_TRIGGER = 50  # a stop beyond the market
    NOT_FILLED_AT_ONCE = 51  # fill or kill
    NO_LIQUIDITY = 52
    CLOSE_ONLY = 53  # just before delisting or expiry
    CLOSED = 54
    POSITION_SIDE = 55  # an order for one side in one-way mode, or for none in hedge mode
    WRONG_ENDPOINT = 56
    SELF_TRADE = 57  # the rest would have met an order of our own (self-trade prevention)
    UNKNOWN_ORDER = 58  # asked to change an order that is not there any more, or not yet
    # Why sizing finds no size.
    SIZE_NEEDS_STOP = 60  # its method needs a stop, at a distance
    SIZE_NEEDS_MEASURE = 61  # … what the market is measured by, which is not known yet, or says that nothing moves
    NO_EDGE = 62  # Kelly's fraction is not positive, or there is no target
    # What the risk rules deny or reduce an order for, beyond the caps above; in their order: `risk.gate.RULES`.
    LOW_CONFIDENCE = 64
    STOP_MISSING = 65
    STOP_SIDE = 66  # the stop lies where the order would lose nothing by it
    STOP_TOO_NEAR = 67
    STOP_TOO_FAR = 68
    RISK_PER_TRADE = 69
    VOLUME_CAP = 70
    DEPTH_CAP = 71
    LIQUIDATION_NEAR = 72
    NO_VOLATILITY = 73  # a rule needs the measured volatility, and it is not known yet
    NET_CAP = 74
    CONCENTRATION = 75
    MARGIN_USE = 76
    CORRELATED = 77
    CLUSTER_CAP = 78
    VALUE_AT_RISK = 79
    SHORTFALL = 80
    # Breakers that have tripped, and limits on the flow of orders (96 and up): see `risk.breakers`.
    DAILY_LOSS = 96
    LOSING_STREAK = 97
    KILL_SWITCH = 98
    SYMBOL_KILLED = 99
    ORDER_RATE = 100
    PRICE_FAR_OFF = 101
    ORDER_TOO_LARGE = 102
    STALE_DATA = 103
    WIDE_SPREAD = 104
    LATENCY = 105
    VOLATILITY_HALT = 106
    COOLDOWN = 107
    DUPLICATE = 108
    FLATTENED = 109  # withdrawn, or sent, to flatten what a breaker that tripped was to flatten


# A working order as kernels keep it. Prices in ticks, quantities in lots, times in µs.
# price: the limit, 0 for orders at market. trigger: 0 for orders that wait for none. rising: +1 if the trigger is
# reached from below (for a stop: its own side). trail: distance of a trailing stop in ticks, or in 1e-8 of the price
# if trail_rate. best: the best price since it works, in ticks, 0 until `activation` (0: at once) is reached.
# expires: time in µs, 0 for never. group: orders of one group cancel each other when one of them fills (0: none).
# parent: id of the order whose fill wakes this one (0: none). reduce_only: never opens or turns a position, and
# ends when there is nothing left to reduce. accepted_row: the bar in which it arrived, or was triggered inside.
# leg: row of the position that it is for. source: the TriggerSource of its trigger, activation and best.
# asked: lots that it was sent with; a bracket's child works for no more of them than its parent has filled.
# closes: it takes all that is held when it is executed, `lots` says nothing before. shown: lots of an iceberg that
# others see, 0 if all. refilled: the row in which they were last taken. self_trade: a SelfTrade.
# ts_decided: event time of what it was decided on; on a feed that takes time it is sent later.
# protect: ticks of the stop that will protect what it opens, 0 if there will be none. confidence: of the signal that it
# follows, 1 for others.
# house: 1 if a breaker has sent it to flatten; no strategy may withdraw or change it.
# met: ticks at which it trades at once, since the market was beyond its price when its parent woke it; 0 if it was not.
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
        ("trigger", np.int64),
        ("rising", np.int64),
        ("trail", np.int64),
        ("trail_rate", np.int64),
        ("activation", np.int64),
        ("best", np.int64),
        ("tif", np.int64),
        ("expires", np.int64),
        ("post_only", np.int64),
        ("parent", np.int64),
        ("group", np.int64),
        ("ts_decided", np.int64),
        ("ts_arrive", np.int64),
        ("accepted_row", np.int64),
        ("tag", np.int64),
        ("leg", np.int64),
        ("source", np.int64),
        ("asked", np.int64),
        ("closes", np.int64),
        ("shown", np.int64),
        ("refilled", np.int64),
        ("self_trade", np.int64),
        ("met", np.int64),
        ("owner", np.int64),
        ("protect", np.int64),
        ("confidence", np.float64),
        ("house", np.int64),
    ],
    align=True,
)

# One step in an order's life, as kernels report it; journal and order table are made of these.
# price, trigger: in ticks, 0 if it has none. reason: a `Reason`.
# The wide fields come first, and none is padded: padding holds anything, and equal runs leave equal bytes.
ORDER_EVENT = np.dtype(
    [
        ("ts", np.int64),
        ("order", np.int64),
        ("lots", np.int64),
        ("price", np.int64),
        ("trigger", np.int64),
        ("parent", np.int64),
        ("group", np.int64),
        ("tag", np.int64),
        ("owner", np.int64),
        ("row", np.int32),
        ("symbol", np.int32),
        ("reason", np.int16),
        ("status", np.int16),
        ("event", np.int8),
        ("side", np.int8),
        ("type", np.int8),
        ("reduce_only", np.int8),
    ],
    align=True,
)


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What an order may say beyond side, quantity and price. Prices in quote units, 0 for none.

    trigger: where a stop-limit or take-profit-limit wakes. trail: distance of a trailing stop; trail_percent: the same
    in percent of the best price. activation: price from which it trails, 0 for at once. expires_us: UTC, for GTD.
    group: orders of one group, a number of the strategy's own, cancel each other when one of them fills.
    trigger_by: whose price is held against trigger, trail and activation. close_position: a stop or take-profit of
    quantity 0 that takes all that is held when it triggers. shown: quantity of an iceberg (a limit order on spot) that
    others see, 0 for all. self_trade: what ends where the order would trade with another of ours.
    """

    trigger: float = 0.0
    trail: float = 0.0
    trail_percent: float = 0.0
    activation: float = 0.0
    tif: TimeInForce = TimeInForce.GTC
    expires_us: int = 0
    post_only: bool = False
    group: int = 0
    trigger_by: TriggerSource = TriggerSource.LAST
    close_position: bool = False
    shown: float = 0.0
    self_trade: SelfTrade = SelfTrade.NONE


class Order(msgspec.Struct, frozen=True, gc=False):
    """A working order as a strategy sees it: a copy.

    lots, filled, price_ticks: as the venue counts. quantity in base units; price: the limit, or the
    trigger of an order without one; trigger: NaN where there is none.
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
    trigger: float
    reduce_only: bool
    parent: int
    tag: int
