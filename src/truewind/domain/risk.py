"""Risk: the limits that orders are held to, what breakers remember, and the verdicts; as records for kernels."""

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from truewind.domain.order import Reason


class Ruling(IntEnum):
    """What the risk gate said of an order, or of the signal that it was to follow."""

    APPROVED = 0
    REDUCED = 1
    DENIED = 2


# Names of LIMITS that concern breakers and the flow of orders. Infinite where nothing is limited; cooldown, duplicate:
# µs, 0 for none; on_…: 1 if that breaker flattens.
FLOW = (
    *("max_daily_loss", "max_losing_streak", "on_drawdown", "on_daily_loss", "on_losing_streak", "on_kill"),
    *("max_orders_per_minute", "max_price_distance", "max_order", "max_order_notional", "max_data_age"),
    *("max_spread", "max_latency", "max_volatility", "max_bar_move", "cooldown", "duplicate"),
)

# Limits as kernels read them: `risk.gate.RiskSettings`. A rule that is off lets everything pass: infinity as a most,
# minus infinity as a least, 0 where a fact is asked for. Fractions of equity but for distances and shares (of price,
# volume, depth and gross), confidence, correlation and counts. leverage: the account's; volatility: the target that
# leverage is turned by, 0 if it is not; var_z, shortfall_z: how many standard deviations of a day's profit those are.
LIMITS = np.dtype(
    [
        (name, np.float64)
        for name in (
            *("stop_required", "min_stop", "max_stop", "min_confidence", "risk_per_trade", "max_position"),
            *("max_volume_share", "max_depth_share", "min_liquidation", "leverage", "max_leverage", "volatility"),
            *("max_exposure", "max_gross", "max_net", "max_concentration", "max_margin_use"),
            *("correlation", "correlation_bars", "max_correlated", "max_cluster"),
            *("max_var", "var_z", "max_shortfall", "shortfall_z", "max_drawdown"),
            *FLOW,
        )
    ],
    align=True,
)

# What breakers remember of the account. alarm: FLATTEN_ALL or FLATTEN_SYMBOLS if what works is to be withdrawn and what
# is held sold; SELLING while that is done. daily_loss, losing_streak, killed: 1 if it has tripped (the drawdown's flag
# is the account's `halted`). streak: round trips lost in a row. minute: of the clock, in which `sent` orders were let
# through. day_ends: when the UTC day ends that began with the equity `day_start` (NEVER: no limit asks). latches: rows
# in use of that table. scale: ledger units in one unit of the currency.
BREAKERS = np.dtype(
    [
        *((name, np.int64) for name in ("alarm", "daily_loss", "losing_streak", "killed")),
        *((name, np.int64) for name in ("streak", "minute", "sent", "day_ends", "latches")),
        ("day_start", np.float64),
        ("scale", np.float64),
    ],
    align=True,
)
FLATTEN_SYMBOLS, FLATTEN_ALL, SELLING = 1, 2, 3

# What breakers remember of a symbol. entered: when an order that opens or turns was last let through, µs. killed: its
# kill switch has tripped; alarm: what works and is held of it is to be flattened. side, price, stop, asked_at: of the
# last order that was let through, its side, price (0: at market) and protecting stop in ticks, and when it was sent.
# leverage: by which its initial margin was reckoned last, 0 if none was turned by volatility.
PAIR = np.dtype(
    [
        *((name, np.int64) for name in ("entered", "killed", "alarm", "side", "price", "stop", "asked_at")),
        ("leverage", np.float64),
    ],
    align=True,
)

# What the orders of a leg that are on their way may still buy and sell, in lots; of those that only reduce, what is at
# market: covered (bought) and left (sold). price: at which it is worth. Reckoned anew for each order that is judged.
AHEAD = np.dtype(
    [("bought", np.int64), ("sold", np.int64), ("covered", np.int64), ("left", np.int64), ("price", np.float64)],
    align=True,
)


class Command(NamedTuple):
    """What a person demands of a running session: that a breaker trips, or is released.

    row: of the timeline, after which it came; -1: what had tripped before the first. ts: µs UTC. rule: a Reason.
    symbol: "" for all. released: else it trips.
    """

    row: int
    ts: int
    rule: Reason
    symbol: str
    released: bool


# One time that a breaker tripped, or was released by a person. rule: its Reason. symbol: -1 for all. value: what it
# had come to, limit: what it was held to (fractions of equity, or round trips). flattens: all is closed, too.
LATCH = np.dtype(
    [
        ("ts", np.int64),
        ("value", np.float64),
        ("limit", np.float64),
        ("row", np.int32),
        ("symbol", np.int32),
        ("rule", np.int32),
        ("released", np.int16),
        ("flattens", np.int16),
    ],
    align=True,
)

# One ruling of the risk gate on an order that was to open or add; journal and report are made of these. A signal to be
# out has one too, with side 0 and no order.
# asked, allowed: lots; of them opening: those that open (what reduces always may). price: at which its notional is
# judged. stop: the price of the stop that protects it. entry, target_1 … target_4, confidence, horizon_us: of the
# signal, where one was followed (NaN and 0 where not; entry NaN: at market). order: its id. reason: a `Reason`.
# signal: 1 if it came of one, 0 if a strategy sent the order itself.
VERDICT = np.dtype(
    [
        ("ts", np.int64),
        ("order", np.int64),
        ("asked", np.int64),
        ("allowed", np.int64),
        ("opening", np.int64),
        ("horizon_us", np.int64),
        ("tag", np.int64),
        ("owner", np.int64),
        ("price", np.float64),
        ("stop", np.float64),
        ("entry", np.float64),
        ("target_1", np.float64),
        ("target_2", np.float64),
        ("target_3", np.float64),
        ("target_4", np.float64),
        ("confidence", np.float64),
        ("row", np.int32),
        ("symbol", np.int32),
        ("reason", np.int16),
        ("ruling", np.int8),
        ("side", np.int8),
        ("signal", np.int32),
    ],
    align=True,
)
