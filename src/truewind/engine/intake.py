"""Intake: every new order passes here, through the venue's filters and the risk gate, into the working table."""

from typing import Any

from truewind.domain.order import Event, OrderType, Reason, Status
from truewind.execution.simulated.matching import FLUSH, change_order, settle
from truewind.numerics.exact import to_price
from truewind.numerics.jit import kernel
from truewind.portfolio.ledger import worth_per_lot
from truewind.risk.gate import judge

_MARKET, _NEW = int(OrderType.MARKET), int(Status.NEW)
_DENY, _SUBMIT, _HOLD = int(Event.DENY), int(Event.SUBMIT), int(Event.HOLD)
_NONE, _DRAWDOWN = int(Reason.NONE), int(Reason.DRAWDOWN)
_BELOW_MIN_QUANTITY, _BELOW_MIN_NOTIONAL = int(Reason.BELOW_MIN_QUANTITY), int(Reason.BELOW_MIN_NOTIONAL)
_ABOVE_MAX_QUANTITY, _BAD_PRICE, _NO_PRICE = int(Reason.ABOVE_MAX_QUANTITY), int(Reason.BAD_PRICE), int(Reason.NO_PRICE)


@kernel
def limit_order(
    symbol: int, side: int, lots: int, at: float, instruments: Any, positions: Any, account: Any, orders: Any,
    limits: Any,
) -> tuple[int, int]:  # fmt: skip
    """Lots of a new order that may be sent, and the reason if they are fewer than asked for.

    Orders on their way count as filled, so that two orders sent together cannot pass a cap that one could not.
    """
    money, instrument = account[0], instruments[symbol]
    lot_worth = at * worth_per_lot(instrument)
    same = 0
    others = 0.0
    for other in range(len(positions)):
        if other != symbol and positions[other]["lots"] != 0:
            held = positions[other]
            others += abs(held["lots"]) * worth_per_lot(instruments[other]) * held["close"]
    for i in range(money["orders"]):
        order = orders[i]
        if order["reduce_only"]:
            continue
        if order["symbol"] != symbol:
            close = positions[order["symbol"]]["close"]
            others += order["lots"] * worth_per_lot(instruments[order["symbol"]]) * close
        elif order["side"] == side:
            same += order["lots"]
    ahead = side * positions[symbol]["lots"] + same  # held on the order's side once all that is sent is filled
    reducing = min(lots, max(0, -ahead))
    opening, reason = judge(
        limits[0], money["equity"], money["peak"], money["halted"], lots - reducing, max(0, ahead) * lot_worth, others,
        lot_worth,
    )  # fmt: skip
    if reason == _DRAWDOWN:
        money["halted"] = 1
    allowed = reducing + opening
    if allowed < instrument["min_lots"]:
        return 0, (_BELOW_MIN_QUANTITY if reason == _NONE else reason)
    if allowed > instrument["max_lots"]:
        return 0, _ABOVE_MAX_QUANTITY
    if opening > 0 and allowed * lot_worth < instrument["min_notional"]:
        return 0, (_BELOW_MIN_NOTIONAL if reason == _NONE else reason)
    return allowed, reason


@kernel
def submit(
    k: int, symbol: int, side: int, kind: int, lots: int, price: int, reduce_only: int, parent: int, tag: int, now: int,
    times: Any, prices: Any, instruments: Any, positions: Any, account: Any, orders: Any, events: Any, equity: Any,
    costs: Any, limits: Any,
) -> int:  # fmt: skip
    """Judge a new order and send it. Returns its id, 0 if it was denied, or FLUSH (nothing was done).

    k: the last row that the strategy has seen. price: ticks of limit or trigger, 0 for a market order. With a parent
    the order is held until the parent fills. Reducing orders pass without a question.
    """
    money = account[0]
    j = money["orders"]
    if money["events"] + 4 > len(events) or j + 1 > len(orders):
        return FLUSH
    settle(k + 1, times, prices, instruments, positions, account, equity)
    instrument = instruments[symbol]
    money["next_order"] += 1
    order = orders[j]
    order["id"] = money["next_order"]
    order["symbol"] = symbol
    order["side"] = side
    order["type"] = kind
    order["status"] = _NEW
    order["reduce_only"] = reduce_only
    order["filled"] = 0
    order["price"] = price
    order["parent"] = parent
    order["ts_sent"] = now
    order["ts_arrive"] = now + costs[0]["latency_us"]
    order["accepted_row"] = -1
    order["tag"] = tag
    at = to_price(price, instrument["tick_num"], instrument["tick_den"])
    if kind == _MARKET:
        at = positions[symbol]["close"]
    allowed = lots
    reason = _NONE
    if not at > 0.0:
        allowed, reason = 0, (_NO_PRICE if kind == _MARKET else _BAD_PRICE)
    elif lots < 1:
        allowed, reason = 0, _BELOW_MIN_QUANTITY
    elif not reduce_only:
        allowed, reason = limit_order(symbol, side, lots, at, instruments, positions, account, orders, limits)
    order["lots"] = allowed
    if allowed == 0:
        change_order(orders, j, events, account, now, k, _DENY, reason, lots)
        return 0
    money["orders"] = j + 1
    if parent != 0:
        change_order(orders, j, events, account, now, k, _HOLD, reason, allowed)
    else:
        change_order(orders, j, events, account, now, k, _SUBMIT, reason, allowed)
        positions[symbol]["wake"] = 1
    return int(order["id"])
