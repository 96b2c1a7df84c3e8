"""Orders in the order-book lane that wait for a trigger: which price each looks at, and the nearest that wakes one.

Kernels get at their arrays by `handle` (`book_state`).
"""

from typing import Any

from truewind.domain.order import OrderType, TriggerSource
from truewind.execution.simulated.book_state import (
    NO_TRIGGER,
    WAITS,
    lane_at,
    money_at,
    orders_at,
    references_at,
    waiting_at,
)
from truewind.numerics.exact import to_ticks
from truewind.numerics.jit import kernel

LAST, MARK, INDEX = int(TriggerSource.LAST), int(TriggerSource.MARK), int(TriggerSource.INDEX)
_TRAILING = int(OrderType.TRAILING_STOP)


@kernel
def seen_ticks(handle: int, order: Any) -> int:
    """The price that the order looks at, in ticks; 0 if it is not known yet.

    A mark or index price between two ticks counts as the one that the trigger is farther from.
    """
    lane = lane_at(handle)[0]
    if order["source"] == LAST:
        return int(lane["last"])
    instruments, positions, _, _, _ = money_at(handle)
    price = positions[0]["mark"] if order["source"] == MARK else lane["index_price"]
    if price != price:
        return 0
    return int(to_ticks(price, instruments[0]["tick_num"], instruments[0]["tick_den"], -order["rising"]))


@kernel
def source_of(handle: int, source: int) -> int:
    """`source`, or LAST where the run has no such prices: then the traded prices stand in."""
    marks, indices = references_at(handle)
    known = len(marks) if source == MARK else len(indices)
    if source == LAST or known > 0:
        return source
    lane_at(handle)[0]["stood_in"] += 1
    return LAST


@kernel
def is_reached(order: Any, ticks: int) -> bool:
    """Whether a price of `ticks` (0: none) reaches the order's trigger."""
    return bool(order["trigger"] > 0 and ticks > 0 and (ticks - order["trigger"]) * order["rising"] >= 0)


@kernel
def watch(handle: int) -> None:
    """Note the nearest traded prices above and below at which an order wakes, or a trailing stop moves."""
    lane = lane_at(handle)[0]
    orders, _, _ = orders_at(handle)
    waiting = waiting_at(handle)
    above, below = NO_TRIGGER, 0
    for j in range(lane["waiting"]):
        order = orders[waiting[j]]
        if order["source"] != LAST:
            continue
        rising, stop = order["rising"], order["trigger"]
        if order["type"] == _TRAILING:
            # It moves when the price gets better than its best, which lies on the other side of the trigger.
            move = order["best"] - rising if order["best"] > 0 else order["activation"]
            if move == 0:
                above = 0  # any trade
            elif rising > 0:
                below = max(below, move)
            else:
                above = min(above, move)
        if stop > 0 and rising > 0:
            above = min(above, stop)
        elif stop > 0:
            below = max(below, stop)
    lane["trigger_above"], lane["trigger_below"] = above, below


@kernel
def wait(handle: int, i: int) -> None:
    """Let the order wait for its trigger."""
    lane = lane_at(handle)[0]
    orders, _, _ = orders_at(handle)
    waiting_at(handle)[lane["waiting"]] = i
    lane["waiting"] += 1
    orders[i]["place"] = WAITS
    watch(handle)
