"""Intake: every new order passes here, through the venue's filters and the risk gate, into the working table."""

import math
from typing import Any

from truewind.domain.order import TRANSITIONS, Event, OrderType, Reason, Status
from truewind.domain.risk import SELLING, Ruling
from truewind.engine.limiting import limit_order, worth_at
from truewind.execution.simulated.filters import (
    check_counts,
    check_filters,
    check_iceberg,
    check_price,
    check_trailing,
)
from truewind.execution.simulated.latency import flight
from truewind.execution.simulated.lifecycle import FLUSH, change_order, trigger_behind
from truewind.execution.simulated.valuation import settle, time_at
from truewind.numerics.exact import to_price
from truewind.numerics.jit import kernel
from truewind.portfolio.state import (
    account_of,
    breakers_of,
    events_of,
    instruments_of,
    orders_of,
    positions_of,
    rules_of,
    times_of,
    verdicts_of,
)
from truewind.risk.breakers import latched, note_sent, refuse

_MARKET, _LIMIT, _STOP = int(OrderType.MARKET), int(OrderType.LIMIT), int(OrderType.STOP)
_STOP_LIMIT, _TRAILING, _NEW = int(OrderType.STOP_LIMIT), int(OrderType.TRAILING_STOP), int(Status.NEW)
_TAKE_PROFIT, _TAKE_PROFIT_LIMIT = int(OrderType.TAKE_PROFIT), int(OrderType.TAKE_PROFIT_LIMIT)
_AMEND, _HELD, _TIME_IN_FORCE = int(Event.AMEND), int(Status.HELD), int(Reason.TIME_IN_FORCE)
_DENY, _SUBMIT, _HOLD = int(Event.DENY), int(Event.SUBMIT), int(Event.HOLD)
_CLOSE_ONLY, _CLOSED = int(Reason.CLOSE_ONLY), int(Reason.CLOSED)
_NONE, _PARENT_ENDED, _FLATTENED = int(Reason.NONE), int(Reason.PARENT_ENDED), int(Reason.FLATTENED)
_BELOW_MIN_QUANTITY, _BELOW_MIN_NOTIONAL = int(Reason.BELOW_MIN_QUANTITY), int(Reason.BELOW_MIN_NOTIONAL)
_ABOVE_MAX_QUANTITY, _BAD_PRICE, _NO_PRICE = int(Reason.ABOVE_MAX_QUANTITY), int(Reason.BAD_PRICE), int(Reason.NO_PRICE)
_APPROVED, _REDUCED, _DENIED = int(Ruling.APPROVED), int(Ruling.REDUCED), int(Ruling.DENIED)
_NAN = math.nan


@kernel
def leads(state: int, parent: int, symbol: int) -> bool:
    """Whether `parent` is a working order of `symbol` that an order can wait for."""
    account = account_of(state)
    orders = orders_of(state)
    for i in range(account["orders"]):
        if orders[i]["id"] == parent:
            return bool(orders[i]["symbol"] == symbol and orders[i]["parent"] == 0)
    return False


@kernel
def submit(
    state: int,
    k: int,
    symbol: int,
    side: int,
    kind: int,
    lots: int,
    price: int,
    reduce_only: int,
    parent: int,
    tag: int,
    protect: int = 0,
    confidence: float = 1.0,
    unsized: int = 0,
) -> int:
    """`send` for plain orders: market, limit (`price` is the limit) and stop (`price` is the trigger)."""
    j = draft(state, symbol, side, kind, lots)
    if j < 0:
        return FLUSH
    order = orders_of(state)[j]
    if kind == _STOP:
        order["trigger"] = price
    else:
        order["price"] = price
    order["reduce_only"] = reduce_only
    order["parent"] = parent
    order["tag"] = tag
    order["protect"], order["confidence"] = protect, confidence
    return send(state, j, k, unsized)


@kernel(inline=True)
def draft(state: int, symbol: int, side: int, kind: int, lots: int) -> int:
    """Write a plain order into the free row of the working table; its row, or FLUSH if there is none.

    Until `send` is called for that row the order is nobody's: the caller fills in what else it says.
    """
    money, orders = account_of(state), orders_of(state)
    j = money["orders"]
    full = money["events"] + 4 > len(events_of(state)) or money["verdicts"] + 1 > len(verdicts_of(state))
    if full or j + 1 > len(orders):
        return FLUSH
    order = orders[j]
    order["id"] = 0
    order["symbol"] = symbol
    order["side"] = side
    order["type"] = kind
    order["status"] = _NEW
    order["reduce_only"] = 0
    order["lots"] = lots
    order["filled"] = 0
    order["price"] = 0
    order["trigger"] = 0
    order["rising"] = -side if kind in (_TAKE_PROFIT, _TAKE_PROFIT_LIMIT) else side
    order["trail"] = 0
    order["trail_rate"] = 0
    order["activation"] = 0
    order["best"] = 0
    order["tif"] = 0
    order["expires"] = 0
    order["post_only"] = 0
    order["parent"] = 0
    order["group"] = 0
    order["ts_decided"] = 0
    order["ts_arrive"] = 0
    order["accepted_row"] = -1
    order["tag"] = 0
    order["leg"] = symbol
    order["source"] = 0
    order["asked"] = 0
    order["closes"] = 0
    order["shown"] = 0
    order["refilled"] = -1
    order["self_trade"] = 0
    order["met"] = 0
    order["owner"] = money["owner"]
    order["protect"] = 0
    order["confidence"] = 1.0
    order["house"] = 1 if breakers_of(state)["alarm"] == SELLING else 0
    return int(j)


@kernel
def send(state: int, j: int, k: int, unsized: int = 0) -> int:
    """Judge the order drafted in row `j` and send it. Returns its id, or 0 if it was denied.

    k: the last row that the strategy has seen. unsized: why sizing has found no size, which denies it. With a parent
    the order is held until the parent fills. Reducing orders pass without a question.
    """
    instruments = instruments_of(state)
    positions = positions_of(state)
    money = account_of(state)
    order = orders_of(state)[j]
    symbol, side, kind, lots = order["symbol"], order["side"], order["type"], order["lots"]
    reduce_only, parent, expires = order["reduce_only"], order["parent"], order["expires"]
    settle(state, k + 1)
    now = time_at(state, k)
    instrument = instruments[symbol]
    money["next_order"] += 1
    order["id"] = money["next_order"]
    order["ts_decided"] = max(times_of(state)[1][k], money["timer"]) if k >= 0 else now
    order["ts_arrive"] = now + flight(state, order["id"], 0, now, k)
    # In hedge mode purchases open the long leg and reduce the short one, sales the other way round.
    if len(positions) > len(instruments) and (side < 0) != (reduce_only != 0):
        order["leg"] += len(instruments)
    at = worth_at(order, positions[symbol]["close"], instrument)
    allowed = lots
    opening, reason = 0, _NONE
    limited = kind in (_LIMIT, _STOP_LIMIT, _TAKE_PROFIT_LIMIT)
    waiting = kind >= _STOP and kind != _TRAILING
    if unsized != 0:
        allowed, reason = 0, unsized
    elif (limited and order["price"] < 1) or (waiting and order["trigger"] < 1):
        allowed, reason = 0, _BAD_PRICE
    elif not at > 0.0:
        allowed, reason = 0, _NO_PRICE
    elif lots < 1 and not order["closes"]:
        allowed, reason = 0, _BELOW_MIN_QUANTITY
    elif parent != 0 and not leads(state, parent, symbol):
        allowed, reason = 0, _PARENT_ENDED
    elif 0 < expires <= now:
        allowed, reason = 0, _TIME_IN_FORCE
    elif now >= positions[symbol]["reduces_at"] and not may_trade(positions, order, now):
        allowed, reason = 0, (_CLOSED if now >= positions[symbol]["ends_at"] else _CLOSE_ONLY)
    elif not reduce_only and not order["house"]:
        allowed, opening, reason = limit_order(state, order, k, lots, at, refuse(state, order, k, now, at))
    denied = reason != _NONE and allowed == 0
    if not denied:
        refusal = check_venue(state, order, allowed)
        if refusal != _NONE:
            denied, allowed, opening, reason = True, 0, 0, refusal
    order["lots"] = order["asked"] = allowed
    if not reduce_only and not money["unrecorded"]:
        note_verdict(state, order, k, lots, opening, reason, denied, at)
    if denied:
        change_order(state, j, now, k, _DENY, reason, lots)
        return 0
    if opening > 0:
        note_sent(state, order, now)
    if order["house"]:
        reason = _FLATTENED
    money["orders"] = j + 1
    if parent != 0:
        change_order(state, j, now, k, _HOLD, reason, allowed)
    else:
        change_order(state, j, now, k, _SUBMIT, reason, allowed)
        positions[symbol]["wake"] = 1
    return int(order["id"])


@kernel(inline=True)
def note_verdict(
    state: int, order: Any, k: int, asked: int, opening: int, reason: int, denied: bool, at: float
) -> None:
    """Write down what the gate said of an order; `engine.acting.enter` adds what its signal said."""
    money, instrument = account_of(state), instruments_of(state)[order["symbol"]]
    verdict = verdicts_of(state)[money["verdicts"]]
    money["verdicts"] += 1
    verdict["ts"] = time_at(state, k)
    verdict["order"] = order["id"]
    verdict["asked"], verdict["allowed"], verdict["opening"] = asked, order["lots"], opening
    verdict["horizon_us"] = verdict["signal"] = 0
    verdict["tag"], verdict["owner"] = order["tag"], order["owner"]
    verdict["price"] = at
    verdict["stop"] = _NAN
    if order["protect"] > 0:
        verdict["stop"] = to_price(order["protect"], instrument["tick_num"], instrument["tick_den"])
    verdict["entry"] = _NAN
    if order["price"] > 0:
        verdict["entry"] = to_price(order["price"], instrument["tick_num"], instrument["tick_den"])
    verdict["target_1"] = verdict["target_2"] = verdict["target_3"] = verdict["target_4"] = _NAN
    verdict["confidence"] = order["confidence"]
    verdict["row"], verdict["symbol"], verdict["side"] = k, order["symbol"], order["side"]
    verdict["reason"] = reason
    verdict["ruling"] = _DENIED if denied else (_APPROVED if reason == _NONE else _REDUCED)


@kernel(inline=True)
def may_trade(positions: Any, order: Any, now: int) -> bool:
    """Whether the venue still takes `order` near the end of its contract: none at the end, before it what reduces."""
    held = positions[order["leg"]]["lots"] * order["side"]
    reduces = order["reduce_only"] != 0 or (held < 0 and order["lots"] <= -held)
    return bool(reduces and now < positions[order["symbol"]]["ends_at"])


@kernel(inline=True)
def check_venue(state: int, order: Any, lots: int) -> int:
    """Whether the venue's filters let `lots` of a new order through: NONE, or the Reason."""
    symbol = order["symbol"]
    rule, instrument = rules_of(state)[symbol], instruments_of(state)[symbol]
    positions, orders = positions_of(state), orders_of(state)
    mark = positions[symbol]["mark"]
    market = order["price"] == 0
    held = positions[order["leg"]]["lots"]
    reduces = order["reduce_only"] != 0 or (held * order["side"] < 0 and lots <= abs(held))
    working = conditional = icebergs = 0
    ahead = held
    for i in range(account_of(state)["orders"]):
        other = orders[i]
        if other["symbol"] == symbol and other["status"] != _HELD:
            working += 1
            conditional += 1 if other["type"] >= _STOP else 0
            icebergs += 1 if other["shown"] > 0 else 0
            if other["side"] > 0 and not other["reduce_only"]:
                ahead += other["lots"] - other["filled"]
    if order["closes"]:  # how much it will be is not known yet
        reason = check_price(rule, instrument, order["side"], order["trigger"], mark)
    else:
        reason = check_filters(
            rule, instrument, order["side"], lots, order["price"], order["trigger"], market, reduces, mark, ahead
        )
    kind = 1 if order["type"] >= _STOP else 0
    if order["shown"] > 0:
        kind = 2
        if reason == _NONE:
            reason = check_iceberg(rule, lots, order["shown"])
    if reason == _NONE and order["parent"] == 0:
        reason = check_counts(rule, working, conditional, icebergs, kind)
    if reason == _NONE and order["trail_rate"]:
        reason = check_trailing(rule, order["trail"] // 10_000, order["side"] > 0)
    return int(reason)


@kernel
def amend(state: int, order_id: int, k: int, lots: int, price: int, trigger: int, trail: int) -> int:
    """Change a working order; 0 keeps what it has. Returns 1, 0 if it works no more or the gate denies, or FLUSH.

    lots: of the whole order; 0 is returned if they are not more than have filled.

    Like a cancel it takes effect before the next bar. It passes the risk gate again, whole, unless it only shrinks.
    """
    instruments = instruments_of(state)
    positions = positions_of(state)
    account = account_of(state)
    orders = orders_of(state)
    if account["events"] + 4 > len(events_of(state)):
        return FLUSH
    settle(state, k + 1)
    for j in range(account["orders"]):
        order = orders[j]
        if order["id"] != order_id or order["house"] or TRANSITIONS[order["status"], _AMEND] < 0:
            continue
        if 0 < lots <= order["filled"]:
            return 0
        before = order["lots"], order["price"], order["trigger"], order["trail"]
        if price > 0 and order["price"] > 0:
            order["price"] = price
        if trigger > 0 and order["trigger"] > 0:
            order["trigger"] = trigger
        if trail > 0 and order["trail"] > 0:
            order["trail"] = trail
            if order["best"] > 0:
                order["trigger"] = trigger_behind(order)
        if lots > 0:
            order["lots"] = lots
        same = before[1:] == (order["price"], order["trigger"], order["trail"])
        if not order["reduce_only"] and not (same and order["lots"] <= before[0]):
            wanted = order["lots"]
            order["lots"] = order["filled"]  # what is left of it must not count against itself
            at = worth_at(order, positions[order["symbol"]]["close"], instruments[order["symbol"]])
            left, barred = wanted - order["filled"], latched(state, order["symbol"])
            allowed, _, _ = limit_order(state, order, k, left, at, barred)
            if allowed < left:
                order["lots"], order["price"], order["trigger"], order["trail"] = before
                return 0
            order["lots"] = wanted
        if lots > 0:
            order["asked"] = lots
        change_order(state, j, time_at(state, k), k, _AMEND, _NONE, order["lots"])
        positions[order["symbol"]]["wake"] = 1
        return 1
    return 0
