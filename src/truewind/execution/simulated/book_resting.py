"""Our orders that rest at the venue or wait there for a trigger, and what the market does to them.

The recorded market does not know of us. So an order of ours takes displayed lots once and they are gone for our other
orders (`TAKEN`); a resting order fills from trades that go beyond those before it in the queue, or when the other side
comes to display lots at its price. What we do moves nobody else: keep orders small against what is displayed.

Kernels get at their arrays by `handle` (`book_state`). s: row of a side's book, 0 bids, 1 asks; key: mirrored price.
"""

from typing import Any

from truewind.domain.book import Report
from truewind.domain.order import Event, Reason
from truewind.execution.simulated.book_orders import fill, finish
from truewind.execution.simulated.book_state import (
    MARKS,
    NOWHERE,
    RESTS,
    WAITS,
    book_at,
    lane_at,
    money_at,
    orders_at,
    own_at,
    rules_at,
    waiting_at,
)
from truewind.execution.simulated.book_triggers import watch
from truewind.execution.simulated.queue import after_update
from truewind.numerics.book import NO_KEY, lots_at, next_key
from truewind.numerics.jit import kernel

_EXPIRE, _EXPIRED = int(Event.EXPIRE), int(Report.EXPIRED)
_CANCEL, _CANCELLED = int(Event.CANCEL), int(Report.CANCELLED)
_NOTHING_TO_REDUCE = int(Reason.NOTHING_TO_REDUCE)


@kernel(inline=True)
def own_best(lane: Any, s: int) -> int:
    """Best key of our resting orders of side `s`, or NO_KEY."""
    return int(lane["own_bid"]) if s == 0 else int(lane["own_ask"])


@kernel
def set_own_best(lane: Any, s: int, key: int) -> None:
    if s == 0:
        lane["own_bid"] = key
    else:
        lane["own_ask"] = key


@kernel
def rest(handle: int, i: int) -> None:
    """Put the order at the end of its queue."""
    lane = lane_at(handle)[0]
    orders, resting, _ = orders_at(handle)
    marks, _ = own_at(handle)
    sides, levels, far = book_at(handle)
    order = orders[i]
    s = 0 if order["side"] > 0 else 1
    order["ahead"] = float(lots_at(sides, levels, far, s, order["key"]))
    order["traded"] = 0
    order["place"] = RESTS
    if order["shown"] > 0:
        order["slice"] = min(order["shown"], order["lots"] - order["filled"])
    resting[lane["resting"]] = i
    lane["resting"] += 1
    marks[s, order["key"] & (MARKS - 1)] += 1
    set_own_best(lane, s, max(own_best(lane, s), order["key"]))


@kernel
def without(rows: Any, count: int, i: int) -> int:
    """Take row number `i` out of the first `count` of `rows`; the others keep their order. Returns how many stay."""
    kept = 0
    for j in range(count):
        if rows[j] != i:
            rows[kept] = rows[j]
            kept += 1
    return kept


@kernel
def lift(handle: int, i: int) -> None:
    """Take the order out of the book, or from those that wait for their trigger."""
    lane = lane_at(handle)[0]
    orders, resting, _ = orders_at(handle)
    marks, _ = own_at(handle)
    order = orders[i]
    if order["place"] == WAITS:
        lane["waiting"] = without(waiting_at(handle), lane["waiting"], i)
        order["place"] = NOWHERE
        watch(handle)
    if order["place"] != RESTS:
        return
    order["place"] = NOWHERE
    s = 0 if order["side"] > 0 else 1
    lane["resting"] = without(resting, lane["resting"], i)
    best = NO_KEY
    for j in range(lane["resting"]):
        other = orders[resting[j]]
        if other["side"] == order["side"]:
            best = max(best, other["key"])
    marks[s, order["key"] & (MARKS - 1)] -= 1
    set_own_best(lane, s, best)


@kernel
def reducible(handle: int, order: Any) -> int:
    """Lots that an order may fill: none if it is doomed, and no more than the position if it only reduces."""
    if order["doom"]:
        return 0
    wanted = int(order["lots"] - order["filled"])
    if order["reduce_only"]:
        positions = money_at(handle)[1]
        wanted = min(wanted, max(0, int(-order["side"] * positions[order["leg"]]["lots"])))
    return wanted


@kernel
def rested_fill(handle: int, i: int, amount: int, ts: int) -> bool:
    """Execute `amount` of a resting order at its own price; True if it has left the book.

    The next slice of an iceberg joins behind all that is displayed.
    """
    orders, _, _ = orders_at(handle)
    order = orders[i]
    if not fill(handle, i, order["ticks"], amount, 1, ts, order["ticks"]):
        return False
    if order["filled"] == order["lots"]:
        lift(handle, i)
        return True
    if order["shown"] > 0:
        order["slice"] -= amount
        if order["slice"] <= 0:
            sides, levels, far = book_at(handle)
            order["slice"] = min(order["shown"], order["lots"] - order["filled"])
            order["ahead"] = float(lots_at(sides, levels, far, 0 if order["side"] > 0 else 1, order["key"]))
            order["traded"] = 0
    return False


@kernel
def end_idle(handle: int, i: int, ts: int) -> None:
    """End an order that has nothing to do any more: it is doomed, or only reduces, and there is nothing to reduce."""
    doom = orders_at(handle)[0][i]["doom"]
    lift(handle, i)
    if doom:
        finish(handle, i, _CANCEL, _CANCELLED, ts, doom)
    else:
        finish(handle, i, _EXPIRE, _EXPIRED, ts, _NOTHING_TO_REDUCE)


@kernel
def touch(handle: int, s: int, key: int, before: int, now: int) -> None:
    """A level near something of ours went from `before` to `now` lots."""
    lane = lane_at(handle)[0]
    orders, resting, _ = orders_at(handle)
    marks, taken = own_at(handle)
    venue = rules_at(handle)[0][0]
    side = 1 if s == 0 else -1
    for j in range(lane["resting"]):
        order = orders[resting[j]]
        if order["key"] == key and order["side"] == side:
            order["ahead"] = after_update(
                venue["queue"], venue["exponent"], order["ahead"], order["traded"], before, now
            )
            order["traded"] = 0
    j = 0
    while j < lane["taken"]:
        mine = taken[j]
        if mine["key"] == key and mine["side"] == s:
            mine["lots"] = min(mine["lots"], now)
            if mine["lots"] == 0:
                lane["taken"] -= 1
                taken[j] = taken[lane["taken"]]
                marks[s, key & (MARKS - 1)] -= 1
                continue
        j += 1


@kernel
def hit(handle: int, s: int, key: int, lots: int, ts: int) -> None:
    """A trade of `lots` at `key` took from side `s`: our orders there at that price or better have their share.

    Best price first, at one price the older first; together they never get more than was traded (unless orders fill
    whole). At a better price nobody stands before us any more, or the trade would not have come to `key`.
    """
    lane = lane_at(handle)[0]
    orders, resting, _ = orders_at(handle)
    venue = rules_at(handle)[0][0]
    side = 1 if s == 0 else -1
    left = lots
    at = own_best(lane, s)
    while at != NO_KEY and at >= key:
        following = NO_KEY
        j = 0
        while j < lane["resting"]:
            i = resting[j]
            order = orders[i]
            j += 1
            if order["side"] != side or order["key"] < key or order["key"] > at:
                continue
            if order["key"] < at:
                following = max(following, order["key"])
                continue
            reach = left
            if at == key:
                reach = int(max(0.0, left - order["ahead"]))
                order["ahead"] = max(0.0, order["ahead"] - left)
                order["traded"] += lots
            if reach <= 0:
                continue
            wanted = reducible(handle, order)
            if wanted == 0:
                end_idle(handle, i, ts)
                j -= 1
                continue
            if at == key and order["shown"] > 0:
                wanted = min(wanted, order["slice"])
            amount = wanted if venue["whole"] else min(wanted, reach)
            if not venue["whole"]:
                left -= amount
            if rested_fill(handle, i, amount, ts):
                j -= 1
        at = following


@kernel
def take_level(handle: int, s: int, key: int, wanted: int) -> int:
    """Take up to `wanted` of what is displayed at `key` and not taken by us before; how many there were."""
    lane = lane_at(handle)[0]
    marks, taken = own_at(handle)
    sides, levels, far = book_at(handle)
    displayed = lots_at(sides, levels, far, s, key)
    found = -1
    if marks[s, key & (MARKS - 1)] > 0:
        for j in range(lane["taken"]):
            if taken[j]["key"] == key and taken[j]["side"] == s:
                found = j
                displayed -= taken[j]["lots"]
    amount = min(wanted, displayed)
    if amount <= 0:
        return 0
    if found < 0:
        if lane["taken"] == len(taken):  # what cannot be remembered is not taken; there is room after the next flush
            return 0
        found = lane["taken"]
        taken[found]["side"], taken[found]["key"], taken[found]["lots"] = s, key, 0
        lane["taken"] += 1
        marks[s, key & (MARKS - 1)] += 1
    taken[found]["lots"] += amount
    return int(amount)


@kernel
def available(handle: int, s: int, own_key: int, worst: int, wanted: int) -> int:
    """Lots that an order of the other side could take now, counted up to `wanted`.

    own_key: mirrored price of that order; worst: key of our own best order on side `s`, at which it must stop.
    """
    lane = lane_at(handle)[0]
    marks, taken = own_at(handle)
    sides, levels, far = book_at(handle)
    total = 0
    key = sides[s]["best"]
    while key != NO_KEY and key + own_key >= 0 and key > worst and total < wanted:
        total += lots_at(sides, levels, far, s, key)
        if marks[s, key & (MARKS - 1)] > 0:
            for j in range(lane["taken"]):
                if taken[j]["key"] == key and taken[j]["side"] == s:
                    total -= taken[j]["lots"]
        key = next_key(sides, levels, far, s, key)
    return int(total)


@kernel
def meet(handle: int, s: int, ts: int) -> None:
    """The other side displays lots at the price of resting orders of side `s`: they would have met ours.

    Best and oldest first, at our own price, no more than is displayed (unless orders fill whole).
    """
    lane = lane_at(handle)[0]
    orders, resting, _ = orders_at(handle)
    venue = rules_at(handle)[0][0]
    sides, levels, far = book_at(handle)
    side, other = (1 if s == 0 else -1), 1 - s
    at = own_best(lane, s)
    while at != NO_KEY and at + sides[other]["best"] >= 0:
        following = NO_KEY
        j = 0
        while j < lane["resting"]:
            i = resting[j]
            order = orders[i]
            j += 1
            if order["side"] != side or order["key"] > at:
                continue
            if order["key"] < at:
                following = max(following, order["key"])
                continue
            wanted = reducible(handle, order)
            if wanted == 0:
                end_idle(handle, i, ts)
                j -= 1
                continue
            amount = wanted if venue["whole"] else 0
            key = sides[other]["best"]
            while amount < wanted and key != NO_KEY and key + at >= 0:
                amount += take_level(handle, other, key, wanted - amount)
                key = next_key(sides, levels, far, other, key)
            if amount > 0 and rested_fill(handle, i, amount, ts):
                j -= 1
        at = following


@kernel
def withdraw(handle: int, s: int, key: int, event: int, kind: int, reason: int, ts: int) -> None:
    """End our resting orders of side `s` at `key` or better."""
    lane = lane_at(handle)[0]
    orders, resting, _ = orders_at(handle)
    side = 1 if s == 0 else -1
    j = 0
    while j < lane["resting"]:
        i = resting[j]
        if orders[i]["side"] == side and orders[i]["key"] >= key:
            lift(handle, i)
            finish(handle, i, event, kind, ts, reason)
        else:
            j += 1
