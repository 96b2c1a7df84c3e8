"""What reaches the simulated venue of the order-book lane: orders, cancels, amendments, and what it sends to itself.

An order that was triggered, one whose time is up and those that depend on another's fill come as requests of the same
moment, so that room in the buffers is looked after in one place (`book_loop`).

Kernels get at their arrays by `handle` (`book_state`); `i` is an order's row.
"""

from truewind.domain.book import Report
from truewind.domain.order import Event, OrderType, Reason, Status, TimeInForce
from truewind.execution.simulated.book_matching import match, refused, refused_by_counts, refused_by_filters
from truewind.execution.simulated.book_orders import (
    ask_follow,
    change,
    find,
    finish,
    note,
    put_request,
    refuse_unknown,
    tell,
)
from truewind.execution.simulated.book_resting import end_idle, lift, reducible, rest
from truewind.execution.simulated.book_state import (
    ALL_FILLED,
    HOLDS,
    NOT_ALL,
    NOWHERE,
    RESTS,
    WAITS,
    Request,
    lane_at,
    orders_at,
    waiting_at,
)
from truewind.execution.simulated.book_triggers import is_reached, seen_ticks, wait, watch
from truewind.execution.simulated.filters import check_trailing
from truewind.execution.simulated.lifecycle import follow, trigger_behind
from truewind.numerics.jit import kernel
from truewind.portfolio.state import rules_of

_STOP, _TRAILING = int(OrderType.STOP), int(OrderType.TRAILING_STOP)
_GTD = int(TimeInForce.GTD)
_HELD, _SUBMITTED, _ACCEPTED_STATUS = int(Status.HELD), int(Status.SUBMITTED), int(Status.ACCEPTED)
_PARTIAL_STATUS, _TRIGGERED_STATUS = int(Status.PARTIALLY_FILLED), int(Status.TRIGGERED)
_REJECT, _ACCEPT, _SUBMIT = int(Event.REJECT), int(Event.ACCEPT), int(Event.SUBMIT)
_CANCEL, _EXPIRE, _TRIGGER = int(Event.CANCEL), int(Event.EXPIRE), int(Event.TRIGGER)
_ACCEPTED, _REJECTED, _SENT = int(Report.ACCEPTED), int(Report.REJECTED), int(Report.SUBMITTED)
_CANCELLED, _EXPIRED, _AMENDED = int(Report.CANCELLED), int(Report.EXPIRED), int(Report.AMENDED)
_CANCEL_REJECTED, _AMEND_REJECTED = int(Report.CANCEL_REJECTED), int(Report.AMEND_REJECTED)
_TRIGGERED = int(Report.TRIGGERED)
_NONE, _WOULD_TRIGGER, _WOULD_TAKE = int(Reason.NONE), int(Reason.WOULD_TRIGGER), int(Reason.WOULD_TAKE)
_BY_STRATEGY, _TIME_IN_FORCE = int(Reason.BY_STRATEGY), int(Reason.TIME_IN_FORCE)
_PARENT_ENDED, _NOTHING_TO_REDUCE = int(Reason.PARENT_ENDED), int(Reason.NOTHING_TO_REDUCE)
_COME, _EXPIRY, _WAKE = int(Request.COME), int(Request.EXPIRY), int(Request.WAKE)


@kernel
def arrive_new(handle: int, order_id: int, ts: int) -> None:
    """A new order reaches the venue, if it was not withdrawn on its way; one that waits for another is kept there."""
    i = find(handle, order_id)
    if i < 0:
        return
    order = orders_at(handle)[0][i]
    if order["status"] == _HELD:
        order["place"] = HOLDS
        ask_follow(handle, ts)
    elif order["status"] == _SUBMITTED:
        enter(handle, i, ts, False)


@kernel
def arrive_wake(handle: int, order_id: int, ts: int) -> None:
    """The order that this one waited for has filled: it goes to work, if it was not withdrawn in that moment."""
    i = find(handle, order_id)
    if i < 0:
        return
    order = orders_at(handle)[0][i]
    if order["status"] == _HELD and not order["doom"]:
        change(handle, i, _SUBMIT)
        note(handle, i, _SENT, ts, ts, order["ticks"], order["lots"], 0, _NONE)
        enter(handle, i, ts, True)


@kernel
def enter(handle: int, i: int, ts: int, woken: bool) -> None:
    """Take the order in, or refuse it.

    A trigger that the market is beyond refuses an order that was sent so; a woken one is triggered at once.
    """
    order = orders_at(handle)[0][i]
    conditional = order["type"] >= _STOP
    seen = seen_ticks(handle, order)
    if order["type"] == _TRAILING and seen > 0:
        follow(order, seen)
    reason = refused_by_filters(handle, i) if conditional else refused(handle, i)
    if reason == _NONE and not woken:
        reason = refused_by_counts(handle, i)
    if reason == _NONE and order["trail_rate"]:
        reason = check_trailing(rules_of(handle)[0], order["trail"] // 10_000, order["side"] > 0)
    beyond = conditional and is_reached(order, seen)
    if beyond and not woken and reason == _NONE:
        reason = _WOULD_TRIGGER
    if order["tif"] == _GTD and order["expires"] <= ts:
        reason = _TIME_IN_FORCE
    if reason != _NONE:
        finish(handle, i, _REJECT, _REJECTED, ts, reason)
        return
    change(handle, i, _ACCEPT)
    tell(handle, i, _ACCEPTED, ts, order["ticks"], order["lots"], 0, _NONE)
    if order["tif"] == _GTD:
        put_request(handle, order["expires"], _EXPIRY, order["id"], 0, 0)
    if beyond:
        trigger(handle, i, ts)
    elif conditional:
        wait(handle, i)
    else:
        match(handle, i, ts)


@kernel
def trigger(handle: int, i: int, ts: int) -> None:
    """The order's trigger is reached: it comes to the market as the next thing."""
    order = orders_at(handle)[0][i]
    change(handle, i, _TRIGGER)
    tell(handle, i, _TRIGGERED, ts, order["ticks"], order["lots"], 0, _NONE)
    put_request(handle, ts, _COME, order["id"], 0, 0)


@kernel
def fire(handle: int, source: int, ts: int) -> None:
    """The price of `source` has moved: trailing stops follow, and what is reached is triggered, the oldest first."""
    lane = lane_at(handle)[0]
    orders, _, _ = orders_at(handle)
    waiting = waiting_at(handle)
    j = 0
    while j < lane["waiting"]:
        i = waiting[j]
        order = orders[i]
        j += 1
        if order["source"] != source:
            continue
        seen = seen_ticks(handle, order)
        if order["type"] == _TRAILING:
            follow(order, seen)
        if is_reached(order, seen):
            lift(handle, i)
            trigger(handle, i, ts)
            j -= 1
    watch(handle)


@kernel
def arrive_triggered(handle: int, order_id: int, ts: int) -> None:
    """An order whose trigger was reached comes to the market, if it was not cancelled in that moment."""
    i = find(handle, order_id)
    orders, _, _ = orders_at(handle)
    if i < 0 or orders[i]["status"] != _TRIGGERED_STATUS or orders[i]["place"] != NOWHERE:
        return
    reason = refused(handle, i)
    if reason != _NONE:
        finish(handle, i, _REJECT, _REJECTED, ts, reason)
    else:
        match(handle, i, ts)


@kernel
def arrive_expiry(handle: int, order_id: int, ts: int) -> None:
    """The time of an order is up; nothing happens if it has ended."""
    i = find(handle, order_id)
    if works(handle, i):
        lift(handle, i)
        finish(handle, i, _EXPIRE, _EXPIRED, ts, _TIME_IN_FORCE)


@kernel
def look_after(handle: int, ts: int) -> None:
    """Something was filled or has ended: withdraw, wake, let grow and end the orders that depend on it."""
    lane = lane_at(handle)[0]
    orders, _, rows = orders_at(handle)
    lane["follows"] = 0
    for j in range(lane["working"]):
        i = rows[j]
        order = orders[i]
        if order["status"] == _SUBMITTED:
            if order["doom"]:
                finish(handle, i, _CANCEL, _CANCELLED, ts, order["doom"])
        elif order["status"] == _HELD:
            if order["doom"]:
                order["place"] = NOWHERE
                finish(handle, i, _CANCEL, _CANCELLED, ts, order["doom"])
            elif order["place"] == HOLDS:
                look_after_held(handle, i, ts)
        elif works(handle, i):
            if order["doom"] or (order["place"] != NOWHERE and order["reduce_only"] and reducible(handle, order) == 0):
                end_idle(handle, i, ts)
            elif order["parent"] != 0 and order["reduce_only"]:
                grow(handle, i, ts)


@kernel
def look_after_held(handle: int, i: int, ts: int) -> None:
    """Wake the order if what it waits for has happened; end it if that cannot happen any more.

    What only reduces works for each part that its parent has filled, what opens begins when all of it has.
    """
    order = orders_at(handle)[0][i]
    reduces, led = order["reduce_only"] != 0, order["led"]
    if reduces and order["fed"] > 0:
        order["lots"] = min(order["asked"], order["fed"])
    if (reduces and order["fed"] > 0 and reducible(handle, order) > 0) or (not reduces and led == ALL_FILLED):
        order["place"] = NOWHERE
        put_request(handle, ts, _WAKE, order["id"], 0, 0)
    elif led == ALL_FILLED:
        order["place"] = NOWHERE
        finish(handle, i, _EXPIRE, _EXPIRED, ts, _NOTHING_TO_REDUCE)
    elif led == NOT_ALL:
        order["place"] = NOWHERE
        finish(handle, i, _CANCEL, _CANCELLED, ts, _PARENT_ENDED)


@kernel
def grow(handle: int, i: int, ts: int) -> None:
    """A stop or target works for as much as its entry has filled by now. More quantity loses the place in the queue."""
    order = orders_at(handle)[0][i]
    lots = min(order["asked"], order["fed"])
    if lots <= order["lots"]:
        return
    rested = order["place"] == RESTS
    if rested:
        lift(handle, i)
    order["lots"] = lots
    if rested:
        rest(handle, i)
    tell(handle, i, _AMENDED, ts, order["ticks"], lots, 0, _NONE)


@kernel
def works(handle: int, i: int) -> bool:
    """Whether row `i` is an order that rests at the venue, or waits there for its trigger."""
    if i < 0:
        return False
    status = orders_at(handle)[0][i]["status"]
    return bool(status in (_ACCEPTED_STATUS, _PARTIAL_STATUS, _TRIGGERED_STATUS))


@kernel
def is_known(handle: int, i: int) -> bool:
    """Whether row `i` is an order that the venue has: it works, or is kept until another has filled."""
    return works(handle, i) or (i >= 0 and orders_at(handle)[0][i]["place"] == HOLDS)


@kernel
def arrive_cancel(handle: int, order_id: int, ts: int) -> None:
    """A cancel reaches the venue: too late, or before its order, it finds none."""
    i = find(handle, order_id)
    if not is_known(handle, i):
        refuse_unknown(handle, order_id, _CANCEL_REJECTED, ts)
        return
    lift(handle, i)
    finish(handle, i, _CANCEL, _CANCELLED, ts, _BY_STRATEGY)


@kernel
def arrive_amend(handle: int, order_id: int, ticks: int, lots: int, move: int, trail: int, ts: int) -> None:
    """An amendment reaches the venue. Less quantity keeps the place in the queue, everything else loses it.

    ticks, lots, move (of the trigger), trail: 0 keeps what the order has.
    As on USD-M futures an amendment to no more than has filled cancels the rest, and one that would let a post-only
    order take cancels it.
    """
    i = find(handle, order_id)
    if not is_known(handle, i):
        refuse_unknown(handle, order_id, _AMEND_REJECTED, ts)
        return
    order = orders_at(handle)[0][i]
    asked = lots if lots > 0 else order["asked"]  # an exit that is only moved goes on growing with its entry
    lots = lots if lots > 0 else order["lots"]
    ticks = ticks if ticks > 0 else order["ticks"]
    if lots <= order["filled"]:
        lift(handle, i)
        finish(handle, i, _CANCEL, _CANCELLED, ts, _BY_STRATEGY)
        return
    key = ticks if order["side"] > 0 else -ticks
    if order["place"] == WAITS or order["place"] == HOLDS:
        if order["ticks"] > 0:
            order["ticks"], order["key"] = ticks, key
        order["lots"], order["asked"] = lots, asked
        move_trigger(handle, i, move, trail, ts)
        return
    if ticks == order["ticks"] and lots <= order["lots"]:
        order["lots"], order["asked"] = lots, asked
        tell(handle, i, _AMENDED, ts, ticks, lots, 0, _NONE)
        return
    old_ticks, old_key, old_lots = order["ticks"], order["key"], order["lots"]
    order["ticks"], order["key"], order["lots"] = ticks, key, lots
    reason = refused(handle, i)
    order["ticks"], order["key"], order["lots"] = old_ticks, old_key, old_lots
    if reason == _WOULD_TAKE:
        lift(handle, i)
        finish(handle, i, _CANCEL, _CANCELLED, ts, reason)
        return
    if reason != _NONE:
        tell(handle, i, _AMEND_REJECTED, ts, ticks, lots, 0, reason)
        return
    lift(handle, i)
    order["ticks"], order["key"], order["lots"], order["asked"] = ticks, key, lots, asked
    tell(handle, i, _AMENDED, ts, ticks, lots, 0, _NONE)
    match(handle, i, ts)


@kernel
def move_trigger(handle: int, i: int, move: int, trail: int, ts: int) -> None:
    """An order that waits is amended; a trigger that is beyond the market now is reached at once."""
    order = orders_at(handle)[0][i]
    trails = order["type"] == _TRAILING
    if move > 0 and order["trigger"] > 0 and not trails:
        order["trigger"] = move
    if trail > 0 and trails:
        order["trail"] = trail
        if order["best"] > 0:
            order["trigger"] = trigger_behind(order)
    tell(handle, i, _AMENDED, ts, order["ticks"], order["lots"], 0, _NONE)
    if order["place"] != WAITS:
        return
    if is_reached(order, seen_ticks(handle, order)):
        lift(handle, i)
        trigger(handle, i, ts)
    else:
        watch(handle)
