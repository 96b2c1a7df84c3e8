"""The order-book lane's loop: the next thing that happens, at the venue or here, until the strategy is to be asked.

The venue lives in the order of ts_event; orders reach it an entry latency after they were sent. The strategy lives in
the order of ts_recv and hears replies a reply latency after they were given. At one time: the market, then orders that
arrive at the venue; here replies, then market data, then the timer.
"""

import numpy as np

from truewind.domain.book import BookKind, Report
from truewind.domain.order import Status
from truewind.execution.simulated.book_arrivals import (
    arrive_amend,
    arrive_cancel,
    arrive_expiry,
    arrive_new,
    arrive_triggered,
    arrive_wake,
    fire,
    look_after,
)
from truewind.execution.simulated.book_margin import next_due, settle_due, watch_margin
from truewind.execution.simulated.book_matching import equity_now
from truewind.execution.simulated.book_orders import find, is_tied
from truewind.execution.simulated.book_resting import hit, meet, touch
from truewind.execution.simulated.book_state import (
    MARKS,
    Request,
    book_at,
    known_book_at,
    lane_at,
    mail_at,
    money_at,
    orders_at,
    own_at,
    timeline_at,
)
from truewind.execution.simulated.book_triggers import LAST
from truewind.numerics.book import FULL, clear, set_level
from truewind.numerics.jit import kernel
from truewind.portfolio.latches import begin_day, watch
from truewind.portfolio.state import breakers_of, verdicts_of

# What `advance` returns. Wakes are bits, for a strategy says which of them it wants.
END, MORE_ROOM = 0, -1
STOPPED = 1  # what `trade_market` returns when it has not come to its limit
ON_TIMER, ON_BOOK, ON_TRADE, ON_REPORT = 1, 2, 4, 8

_LEVEL, _CLEAR, _TRADE = int(BookKind.LEVEL), int(BookKind.CLEAR), int(BookKind.TRADE)
_NEW, _CANCEL, _AMEND, _COME = int(Request.NEW), int(Request.CANCEL), int(Request.AMEND), int(Request.COME)
_FOLLOW, _WAKE = int(Request.FOLLOW), int(Request.WAKE)
_PARTIALLY_FILLED, _FILLED, _AMENDED = int(Report.PARTIALLY_FILLED), int(Report.FILLED), int(Report.AMENDED)
_ACCEPTED, _REJECTED, _CANCELLED = int(Report.ACCEPTED), int(Report.REJECTED), int(Report.CANCELLED)
_EXPIRED, _CANCEL_REJECTED = int(Report.EXPIRED), int(Report.CANCEL_REJECTED)
_AMEND_REJECTED, _TRIGGERED, _LIQUIDATED = (
    int(Report.AMEND_REJECTED),
    int(Report.TRIGGERED),
    int(Report.LIQUIDATED),
)
_FEED = ON_BOOK | ON_TRADE

# The status that a report leaves an order in, as the strategy then knows it; −1: as it was.
_AFTER = np.array(
    [
        *(Status.SUBMITTED, Status.ACCEPTED, Status.REJECTED, Status.PARTIALLY_FILLED, Status.FILLED),
        *(Status.CANCELLED, Status.EXPIRED, -1, -1, -1),
        *(Status.TRIGGERED, -1, Status.HELD),
    ],
    np.int64,
)
_SPARE = 64  # of a liquidation tier by tier, above all


@kernel
def room_for(handle: int, levels: int) -> bool:
    """Whether the buffers hold what one more event or order may cause that walks `levels` levels."""
    lane = lane_at(handle)[0]
    requests, replies, reports = mail_at(handle)
    _, _, account, fills, _ = money_at(handle)
    _, taken = own_at(handle)
    acts = 2 * lane["resting"] + lane["waiting"] + 2 * lane["tied"] + levels + _SPARE
    return bool(
        account[0]["fills"] + acts <= len(fills)
        and account[0]["events"] + acts + lane["burst"] <= len(reports)
        and account[0]["verdicts"] + lane["burst"] <= len(verdicts_of(handle))
        and lane["last_reply"] + acts <= len(replies)
        and lane["last_request"] + lane["burst"] + lane["waiting"] + lane["tied"] + 2 <= len(requests)
        and lane["taken"] + levels + _SPARE <= len(taken)
    )


@kernel
def tidy(handle: int) -> None:
    """Move waiting requests and replies to the front of their buffers."""
    lane = lane_at(handle)[0]
    requests, replies, _ = mail_at(handle)
    first, last = lane["first_request"], lane["last_request"]
    for j in range(last - first):
        requests[j] = requests[first + j]
    lane["first_request"], lane["last_request"] = 0, last - first
    first, last = lane["first_reply"], lane["last_reply"]
    for j in range(last - first):
        replies[j] = replies[first + j]
    lane["first_reply"], lane["last_reply"] = 0, last - first


@kernel
def learn(handle: int, j: int) -> None:
    """The strategy's side hears reply `j`."""
    lane = lane_at(handle)[0]
    orders, _, working = orders_at(handle)
    _, replies, _ = mail_at(handle)
    reply = replies[j]
    kind = reply["kind"]
    if kind in (_FILLED, _PARTIALLY_FILLED, _LIQUIDATED):
        if reply["leg"] == 0:
            lane["position"] += reply["side"] * reply["lots"]
        else:
            lane["short"] += reply["side"] * reply["lots"]
    i = find(handle, reply["order"])
    if i < 0:
        return
    order = orders[i]
    order["known_filled"] = reply["filled"] if kind < _CANCEL_REJECTED else order["known_filled"]
    if _AMENDED <= kind <= _AMEND_REJECTED:
        order["pending"] -= 1
    if _AFTER[kind] >= 0:
        order["known"] = _AFTER[kind]
    if kind in (_REJECTED, _FILLED, _CANCELLED, _EXPIRED):
        order["id"] = 0
        lane["tied"] -= is_tied(order)
        kept = 0
        for w in range(lane["working"]):
            if working[w] != i:
                working[kept] = working[w]
                kept += 1
        lane["working"] = kept


@kernel
def hear(handle: int, until: int, wakes: int) -> int:
    """Apply the feed up to and including `until` to the book that the strategy knows.

    Returns 0, MORE_ROOM, or the first wake of `wakes` that there was: after that row it stops.
    """
    lane = lane_at(handle)[0]
    events, feed = timeline_at(handle)
    sides, levels, far = known_book_at(handle)
    n, same = len(events), lane["same_order"]
    j = lane["heard"]
    woken = 0
    while j < n and not woken:
        row = j if same else feed[j]
        event = events[row]
        if event["ts_recv"] > until:
            break
        kind = event["kind"]
        if kind == _LEVEL:
            side = int(event["side"])
            if set_level(sides, levels, far, int(side < 0), side * int(event["ticks"]), event["lots"]) == FULL:
                woken = MORE_ROOM
                break
            if wakes & ON_BOOK and event["last"]:
                woken = ON_BOOK
        elif kind == _TRADE:
            if wakes & ON_TRADE:
                lane["woken_by"] = row
                woken = ON_TRADE
        elif kind == _CLEAR:
            clear(sides, levels, far)
            if wakes & ON_BOOK and event["last"]:
                woken = ON_BOOK
        j += 1
    lane["heard"] = j
    return woken


@kernel
def sample(handle: int) -> None:
    """Write down what the account is worth at the venue."""
    lane = lane_at(handle)[0]
    _, positions, account, _, samples = money_at(handle)
    money, row = account[0], samples[lane["samples"]]
    watch_margin(handle, lane["sample_at"])
    worth = equity_now(handle)
    held = 0
    for leg in range(lane["legs"]):
        held += positions[leg]["lots"]
    row["ts"], row["lots"] = lane["sample_at"], held
    row["equity"], row["mid"] = worth, positions[0]["close"]
    if lane["sample_at"] > breakers_of(handle)["day_ends"]:
        begin_day(handle, lane["sample_at"])
    money["equity"] = worth
    watch(handle, lane["sample_at"], lane["samples"])
    lane["samples"] += 1
    lane["sample_at"] += lane["sample_us"]


@kernel
def soonest(handle: int) -> int:
    """When the next thing happens that is not the market."""
    lane = lane_at(handle)[0]
    requests, replies, _ = mail_at(handle)
    limit = min(lane["end"], lane["timer_at"], lane["sample_at"], next_due(handle))
    if lane["first_request"] < lane["last_request"]:
        limit = min(limit, requests[lane["first_request"]]["ts"])
    if lane["first_reply"] < lane["last_reply"]:
        limit = min(limit, replies[lane["first_reply"]]["ts_recv"])
    if lane["wakes"] & _FEED:
        events, feed = timeline_at(handle)
        j = lane["heard"]
        if j < len(events):
            limit = min(limit, events[j if lane["same_order"] else feed[j]]["ts_recv"])
    return int(limit)


@kernel
def trade_market(handle: int, limit: int) -> int:
    """Let the market happen at the venue up to and including `limit`, or to the first event that did something to us.

    Returns 0, STOPPED where that was so, or MORE_ROOM.
    """
    lane = lane_at(handle)[0]
    events, _ = timeline_at(handle)
    sides, levels, far = book_at(handle)
    marks, _ = own_at(handle)
    n, k = len(events), lane["event"]
    own_bid, own_ask = lane["own_bid"], lane["own_ask"]
    above, below, last = lane["trigger_above"], lane["trigger_below"], lane["last"]
    replies = lane["last_reply"]
    crossed = 0
    state = 0
    acted = fired = False
    while k < n and not acted:
        event = events[k]
        if event["ts_event"] > limit:
            break
        kind = event["kind"]
        side = int(event["side"])
        key = side * int(event["ticks"])
        if kind == _LEVEL:
            s = int(side < 0)
            before = set_level(sides, levels, far, s, key, event["lots"])
            if before == FULL:
                state = MORE_ROOM
                break
            if marks[s, key & (MARKS - 1)] > 0:
                touch(handle, s, key, before, event["lots"])
        elif kind == _TRADE:
            last = int(event["ticks"])
            # A buyer takes asks, whose keys are mirrored.
            if (own_ask if side > 0 else own_bid) >= -key:
                lane["event"] = k
                hit(handle, int(side > 0), -key, event["lots"], event["ts_event"])
                acted = lane["last_reply"] != replies
            if last >= above or last <= below:
                fired = acted = True
        elif kind == _CLEAR:
            clear(sides, levels, far)
        if event["last"]:
            bid, ask = sides[0]["best"], sides[1]["best"]
            if bid + ask >= 0:
                crossed += 1
            elif own_bid + ask >= 0 or own_ask + bid >= 0:
                lane["event"] = k
                meet(handle, 0, event["ts_event"])
                meet(handle, 1, event["ts_event"])
                acted = lane["last_reply"] != replies
        k += 1
    lane["event"], lane["last"] = k, last
    if fired:  # out here, for in there the compiler would make the whole loop slower by a third
        fire(handle, LAST, events[k - 1]["ts_event"])
    lane["crossed"] += crossed
    return STOPPED if acted and state == 0 else state


@kernel
def advance(handle: int) -> int:
    """Go on to the next moment at which the strategy is asked: one of its wakes, END, or MORE_ROOM (see BookLane)."""
    lane = lane_at(handle)[0]
    requests, replies, _ = mail_at(handle)
    sides, _, _ = book_at(handle)
    wakes = lane["wakes"]
    lane["sent"] = 0
    while True:
        if not room_for(handle, 0):
            tidy(handle)
            if not room_for(handle, 0):
                return MORE_ROOM
        limit = soonest(handle)
        due = next_due(handle) <= limit  # funding and mark come before what else happens at that moment
        went = trade_market(handle, limit - 1 if due else limit)
        if went == MORE_ROOM:
            return MORE_ROOM
        if went == STOPPED:
            continue  # something of ours happened: what follows from it may be the next thing
        deep = sides[0]["near"] + sides[0]["far"] + sides[1]["near"] + sides[1]["far"]
        if due:
            if not room_for(handle, deep):
                return MORE_ROOM
            settle_due(handle, limit)
            watch_margin(handle, limit)
            continue
        if lane["first_request"] < lane["last_request"]:
            request = requests[lane["first_request"]]
            if request["ts"] <= limit:
                # The lots that a new order may take bound the levels it walks. Other requests do not say how many.
                takes = request["kind"] in (_AMEND, _COME, _WAKE)
                if not room_for(handle, deep if takes else min(deep, request["lots"])):
                    return MORE_ROOM
                lane["first_request"] += 1
                if request["kind"] == _NEW:
                    arrive_new(handle, request["order"], request["ts"])
                elif request["kind"] == _CANCEL:
                    arrive_cancel(handle, request["order"], request["ts"])
                elif request["kind"] == _AMEND:
                    arrive_amend(
                        handle, request["order"], request["ticks"], request["lots"], request["trigger"],
                        request["trail"], request["ts"],
                    )  # fmt: skip
                elif request["kind"] == _COME:
                    arrive_triggered(handle, request["order"], request["ts"])
                elif request["kind"] == _FOLLOW:
                    look_after(handle, request["ts"])
                elif request["kind"] == _WAKE:
                    arrive_wake(handle, request["order"], request["ts"])
                else:
                    arrive_expiry(handle, request["order"], request["ts"])
                continue
        if lane["first_reply"] < lane["last_reply"] and replies[lane["first_reply"]]["ts_recv"] <= limit:
            if wakes & ON_REPORT and hear(handle, limit - 1, 0) == MORE_ROOM:
                return MORE_ROOM
            j = lane["first_reply"]
            learn(handle, j)
            lane["first_reply"] += 1
            if wakes & ON_REPORT:
                lane["now"], lane["woken_by"] = limit, j
                return ON_REPORT
            continue
        woken = hear(handle, limit, wakes & _FEED)
        if woken != 0:
            lane["now"] = limit
            return woken
        lane["now"] = limit
        if lane["sample_at"] <= limit:
            if not room_for(handle, deep):
                return MORE_ROOM
            sample(handle)
            continue
        if lane["timer_at"] <= limit:
            lane["timer_at"] += lane["timer_us"]
            return ON_TIMER
        if limit >= lane["end"]:
            return END
