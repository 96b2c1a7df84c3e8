"""Matching on bars: the venue's rules, compiled. The event lane and the compiled lane both run on these kernels.

Most bars are quiet: no order can act on them, no funding falls due, no margin is in danger. `scan` finds the next
bar that is not; only there `process` runs. Quiet bars merely move the valuation, which `settle` fills in afterwards.

`state` is the handle of `portfolio.state`; rows are all symbols' bars merged in event order.
"""

import math
from typing import Any

import numpy as np

from truewind.domain.fill import FillKind
from truewind.domain.order import TRANSITIONS, Event, OrderType, Reason, Status, TimeInForce
from truewind.execution.simulated.impact import impact
from truewind.numerics.exact import to_price, to_ticks
from truewind.numerics.jit import kernel
from truewind.portfolio.ledger import RATE_SCALE, book_fill, book_funding, worth_per_lot
from truewind.portfolio.state import (
    account_of,
    costs_of,
    equity_of,
    events_of,
    fills_of,
    funding_of,
    instruments_of,
    orders_of,
    positions_of,
    prices_of,
    times_of,
)

FLUSH = -1  # the buffers are too full for what may happen: empty them and call again
NEVER = np.iinfo(np.int64).max

_MARKET, _LIMIT, _STOP = int(OrderType.MARKET), int(OrderType.LIMIT), int(OrderType.STOP)
_STOP_LIMIT, _TAKE_PROFIT_LIMIT = int(OrderType.STOP_LIMIT), int(OrderType.TAKE_PROFIT_LIMIT)
_TRAILING = int(OrderType.TRAILING_STOP)
_IOC, _FOK = int(TimeInForce.IOC), int(TimeInForce.FOK)
_HELD, _SUBMITTED, _ACCEPTED = int(Status.HELD), int(Status.SUBMITTED), int(Status.ACCEPTED)
_TRIGGERED = int(Status.TRIGGERED)
_SUBMIT, _REJECT, _ACCEPT = int(Event.SUBMIT), int(Event.REJECT), int(Event.ACCEPT)
_PARTIAL_FILL, _FILL, _TRIGGER = int(Event.PARTIAL_FILL), int(Event.FILL), int(Event.TRIGGER)
_CANCEL, _EXPIRE = int(Event.CANCEL), int(Event.EXPIRE)
_TRADE, _LIQUIDATION = FillKind.TRADE, FillKind.LIQUIDATION
_NONE = int(Reason.NONE)
_NO_SHORT, _INSUFFICIENT = int(Reason.NO_SHORT), int(Reason.INSUFFICIENT_BALANCE)
_NOTHING_TO_REDUCE, _PARENT_ENDED = int(Reason.NOTHING_TO_REDUCE), int(Reason.PARENT_ENDED)
_SIBLING_FILLED, _WOULD_TAKE = int(Reason.SIBLING_FILLED), int(Reason.WOULD_TAKE)
_TIME_IN_FORCE = int(Reason.TIME_IN_FORCE)
_SHORTEST_HORIZON, _LONGEST_HORIZON = 64, 65_536


@kernel
def scan(state: int, first: int, last: int) -> int:
    """First row in [first, last) on which something may happen to its symbol; `last` if none."""
    times = times_of(state)
    prices = prices_of(state)
    positions = positions_of(state)
    if len(positions) == 1:  # the same test with its bounds in registers
        only = positions[0]
        low_at, high_at, due_at = only["low_at"], only["high_at"], only["due_at"]
        if only["wake"]:
            return min(first, last)
        for k in range(first, last):
            if prices[2][k] <= low_at or prices[1][k] >= high_at or times[1][k] >= due_at:
                return k
        return last
    for k in range(first, last):
        position = positions[times[2][k]]
        if (
            position["wake"]
            or prices[2][k] <= position["low_at"]
            or prices[1][k] >= position["high_at"]
            or times[1][k] >= position["due_at"]
        ):
            return k
    return last


@kernel
def settle(state: int, upto: int) -> None:
    """Value the account at the close of every row before `upto` that is not valued yet."""
    times = times_of(state)
    prices = prices_of(state)
    instruments = instruments_of(state)
    positions = positions_of(state)
    equity = equity_of(state)
    money = account_of(state)
    first = money["settled"]
    if first >= upto:
        return
    worth, peak, keep = money["equity"], money["peak"], money["keep"]
    if len(positions) == 1:  # the same sum with position and price in registers
        only = positions[0]
        exposure, close = only["lots"] * worth_per_lot(instruments[0]), only["close"]
        for k in range(first, upto):
            if exposure != 0.0:
                worth += exposure * (prices[3][k] - close)
                if worth > peak:
                    peak = worth
                elif worth < keep * peak:
                    money["halted"] = 1
            close = prices[3][k]
            equity[k] = worth
        only["close"] = close
        money["equity"], money["peak"], money["settled"] = worth, peak, upto
        return
    for k in range(first, upto):
        symbol = times[2][k]
        position = positions[symbol]
        if position["lots"] != 0:
            change = prices[3][k] - position["close"]
            worth += position["lots"] * worth_per_lot(instruments[symbol]) * change
            if worth > peak:
                peak = worth
            elif worth < keep * peak:
                money["halted"] = 1
        position["close"] = prices[3][k]
        equity[k] = worth
    money["equity"], money["peak"], money["settled"] = worth, peak, upto


@kernel
def time_at(state: int, k: int) -> int:
    """When bar `k` is known; before the first bar (−1), when it opens."""
    times = times_of(state)
    return int(times[1][k] if k >= 0 else times[0][0])


@kernel
def equity_now(state: int) -> float:
    """Equity in ledger units at the last known prices, summed afresh."""
    instruments = instruments_of(state)
    positions = positions_of(state)
    account = account_of(state)
    worth = float(account["cash"])
    for symbol in range(len(positions)):
        position = positions[symbol]
        if position["lots"] != 0:
            worth += position["lots"] * worth_per_lot(instruments[symbol]) * position["close"] - position["cost"]
    return worth


@kernel
def change_order(state: int, j: int, ts: int, row: int, event: int, reason: int, lots: int) -> None:
    """Move order `j` along its life cycle and report it. An illegal step is a bug: it raises the account's flag."""
    orders = orders_of(state)
    events = events_of(state)
    order, money = orders[j], account_of(state)
    following = TRANSITIONS[order["status"], event]
    if following < 0:
        money["overflow"] = 2
        return
    order["status"] = following
    report = events[money["events"]]
    report["ts"] = ts
    report["row"] = row
    report["order"] = order["id"]
    report["symbol"] = order["symbol"]
    report["event"] = event
    report["status"] = following
    report["reason"] = reason
    report["side"] = order["side"]
    report["type"] = order["type"]
    report["lots"] = lots
    report["price"] = order["price"]
    report["trigger"] = order["trigger"]
    report["reduce_only"] = order["reduce_only"]
    report["parent"] = order["parent"]
    report["group"] = order["group"]
    report["tag"] = order["tag"]
    money["events"] += 1


@kernel
def waits(order: Any) -> bool:
    """Whether an order at the venue still waits for its trigger."""
    return bool(order["status"] == _ACCEPTED and order["type"] >= _STOP)


@kernel
def rests(order: Any) -> bool:
    """Whether an order stands at the venue with a limit price."""
    return bool(order["status"] == _TRIGGERED or (order["status"] == _ACCEPTED and order["type"] == _LIMIT))


@kernel
def follow(order: Any, ticks: int) -> None:
    """Let a trailing stop follow the price `ticks`, if that is better than its best and it is active."""
    side = order["side"]
    if order["best"] == 0 and order["activation"] > 0 and (order["activation"] - ticks) * -side > 0:
        return
    if order["best"] == 0 or (order["best"] - ticks) * side > 0:
        order["best"] = ticks
        distance = order["trail"]
        if order["trail_rate"]:
            distance = (ticks * distance + RATE_SCALE - 1) // RATE_SCALE
        order["trigger"] = max(1, ticks + side * distance)


@kernel
def end_order(state: int, j: int, ts: int, row: int, event: int, reason: int) -> None:
    """End a working order, and with it the children that wait for it."""
    order = orders_of(state)[j]
    change_order(state, j, ts, row, event, reason, order["lots"])
    end_children(state, order["id"], ts, row)


@kernel
def cancel_siblings(state: int, group: int, ts: int, row: int) -> None:
    """One cancels the others: withdraw what still works of a group of which one order was filled."""
    account = account_of(state)
    orders = orders_of(state)
    for j in range(account["orders"]):
        if orders[j]["group"] == group and TRANSITIONS[orders[j]["status"], _CANCEL] >= 0:
            end_order(state, j, ts, row, _CANCEL, _SIBLING_FILLED)


@kernel
def end_children(state: int, parent: int, ts: int, row: int) -> None:
    """Cancel the held children of an order that ended without a fill."""
    account = account_of(state)
    orders = orders_of(state)
    for j in range(account["orders"]):
        if orders[j]["parent"] == parent and orders[j]["status"] == _HELD:
            change_order(state, j, ts, row, _CANCEL, _PARENT_ENDED, orders[j]["lots"])


@kernel
def wake_children(state: int, parent: int, filled: int, at: int, ts: int, row: int) -> None:
    """Put a filled order's stops and targets to work: they reach the venue with the fill, at `at` ticks.

    A stop that the market is beyond by then is triggered at once, there: at its own trigger it would gain what
    nobody could have had.
    """
    account = account_of(state)
    orders = orders_of(state)
    for j in range(account["orders"]):
        order = orders[j]
        if order["parent"] == parent and order["status"] == _HELD:
            order["lots"] = min(order["lots"], filled)
            order["ts_sent"] = ts
            order["ts_arrive"] = ts
            order["accepted_row"] = row
            if order["type"] == _TRAILING:
                follow(order, at)
            elif order["rising"] * order["side"] > 0 and (at - order["trigger"]) * order["rising"] > 0:
                order["trigger"] = at
            change_order(state, j, ts, row, _SUBMIT, _NONE, order["lots"])
            change_order(state, j, ts, row, _ACCEPT, _NONE, order["lots"])


@kernel
def can_afford(state: int, symbol: int, lots: int, price: float) -> bool:
    """Whether equity covers the initial margin of all positions if `symbol` held `lots` at `price`."""
    instruments = instruments_of(state)
    positions = positions_of(state)
    costs = costs_of(state)
    required = 0.0
    for other in range(len(positions)):
        held, at = positions[other]["lots"], positions[other]["close"]
        if other == symbol:
            held, at = lots, price
        if held != 0:
            required += abs(held) * worth_per_lot(instruments[other]) * at
    return bool(required <= costs["leverage"] * equity_now(state))


@kernel
def slippage(state: int, symbol: int, row: int, reference: int, lots: int) -> int:
    """Ticks by which an order that takes liquidity fares worse than `reference`: half the spread and its impact."""
    costs = costs_of(state)
    spread = (reference * costs["half_spread"] + RATE_SCALE - 1) // RATE_SCALE
    return int(spread + math.ceil(reference * impact(state, symbol, row, lots)))


@kernel
def execute(state: int, j: int, reference: int, worst: int, maker: int, ts: int, row: int) -> int:
    """Fill order `j` at `reference` ticks (plus slippage for a taker, no worse than `worst` if that is not 0).

    Returns the number of lots by which the position was opened or added to; 0 if it shrank or the order ended.
    """
    instruments = instruments_of(state)
    positions = positions_of(state)
    orders = orders_of(state)
    costs = costs_of(state)
    order = orders[j]
    symbol, side = order["symbol"], order["side"]
    position, instrument = positions[symbol], instruments[symbol]
    held = int(position["lots"])
    reducible = abs(held) if held * side < 0 else 0
    wanted = int(order["lots"])
    lots = min(wanted, reducible) if order["reduce_only"] else wanted
    if lots == 0:
        end_order(state, j, ts, row, _EXPIRE, _NOTHING_TO_REDUCE)
        return 0
    price = reference
    if not maker:
        price += side * slippage(state, symbol, row, reference, lots)
        if worst != 0 and (price - worst) * side > 0:
            price = worst
        price = max(price, 1)
    opening = lots - min(lots, reducible)
    if opening > 0:
        refusal = _NONE
        if not instrument["can_short"] and held + side * lots < 0:
            refusal = _NO_SHORT
        else:
            at = to_price(price, instrument["tick_num"], instrument["tick_den"])
            if not can_afford(state, symbol, held + side * lots, at):
                refusal = _INSUFFICIENT
        if refusal != _NONE:
            end_order(state, j, ts, row, _REJECT, refusal)
            return 0
    fee_rate = costs["maker"] if maker else costs["taker"]
    booked = book_fill(
        state, ts, row, order["id"], symbol, _TRADE, side, maker, price, lots, reference, fee_rate, order["tag"]
    )
    if not booked:
        return 0
    order["filled"] = lots
    if lots < wanted:
        change_order(state, j, ts, row, _PARTIAL_FILL, _NONE, lots)
        change_order(state, j, ts, row, _EXPIRE, _NOTHING_TO_REDUCE, wanted - lots)
    else:
        change_order(state, j, ts, row, _FILL, _NONE, lots)
    wake_children(state, order["id"], lots, reference, ts, row)
    if order["group"] != 0:
        cancel_siblings(state, order["group"], ts, row)
    return opening


@kernel
def pay_funding(state: int, until: int, row: int, open_ticks: int, symbol: int) -> None:
    """Settle all funding of `symbol` due at or before `until`, at its mark price or, lacking one, the bar's open."""
    funding = funding_of(state)
    positions = positions_of(state)
    position = positions[symbol]
    while position["next_funding"] < position["last_funding"] and funding[position["next_funding"]]["ts"] <= until:
        due = funding[position["next_funding"]]
        if position["lots"] != 0 and due["rate"] != 0:
            mark = due["mark"] if due["mark"] > 0 else open_ticks
            if not book_funding(state, due["ts"], row, symbol, mark, due["rate"]):
                return
        position["next_funding"] += 1


@kernel
def liquidation_price(state: int, symbol: int) -> float:
    """Price of `symbol` at which equity equals the maintenance margin, other prices standing still; NaN if none.

    equity(x) = equity + lots·w·(x − close); maintenance(x) = others + |lots|·w·x·rate; solved for x. Below zero for
    a short that no price can save. What is owned outright (spot) needs no margin, but its worth counts.
    """
    instruments = instruments_of(state)
    positions = positions_of(state)
    costs = costs_of(state)
    position, instrument = positions[symbol], instruments[symbol]
    if position["lots"] == 0 or not instrument["can_short"]:
        return np.nan
    rate = costs["maintenance"] / RATE_SCALE
    others = 0.0
    for other in range(len(positions)):
        held = positions[other]
        if other != symbol and held["lots"] != 0 and instruments[other]["can_short"]:
            others += abs(held["lots"]) * worth_per_lot(instruments[other]) * held["close"] * rate
    exposure = position["lots"] * worth_per_lot(instrument)
    slack = equity_now(state) - others
    at = (exposure * position["close"] - slack) / (exposure - abs(exposure) * rate)
    return at if at > 0.0 or exposure < 0.0 else np.nan


@kernel
def in_danger(state: int, symbol: int, worst: float) -> bool:
    """Whether equity might not exceed the maintenance margin if `symbol` stood at `worst`, others where they are.

    The hair's breadth makes sure that rounding never hides a case from `liquidation_price`, which decides.
    """
    instruments = instruments_of(state)
    positions = positions_of(state)
    costs = costs_of(state)
    rate = costs["maintenance"] / RATE_SCALE
    required = 0.0
    for other in range(len(positions)):
        if positions[other]["lots"] != 0 and instruments[other]["can_short"]:
            at = worst if other == symbol else positions[other]["close"]
            required += abs(positions[other]["lots"]) * worth_per_lot(instruments[other]) * at * rate
    position = positions[symbol]
    moved = position["lots"] * worth_per_lot(instruments[symbol]) * (worst - position["close"])
    equity = equity_now(state)
    return bool(equity + moved - required <= 1e-9 * (abs(equity) + abs(moved)))


@kernel
def liquidate(state: int, symbol: int, reference: int, ts: int, row: int) -> None:
    """Take the whole position away at `reference` ticks, with slippage and the liquidation fee."""
    positions = positions_of(state)
    costs = costs_of(state)
    position = positions[symbol]
    side = -1 if position["lots"] > 0 else 1
    price = max(1, reference + side * slippage(state, symbol, row, reference, abs(position["lots"])))
    book_fill(
        state,
        ts,
        row,
        0,
        symbol,
        _LIQUIDATION,
        side,
        0,
        price,
        abs(position["lots"]),
        reference,
        costs["liquidation_fee"],
        0,
    )


@kernel
def arrive(state: int, j: int, k: int) -> None:
    """Accept an order at the venue on bar `k`; a post-only order that would take is rejected."""
    times = times_of(state)
    prices = prices_of(state)
    instruments = instruments_of(state)
    order = orders_of(state)[j]
    instrument, at = instruments[times[2][k]], prices[0][k]
    order["accepted_row"] = k
    if order["post_only"]:
        limit = to_price(order["price"], instrument["tick_num"], instrument["tick_den"])
        if (limit - at) * order["side"] > 0.0:
            end_order(state, j, order["ts_arrive"], k, _REJECT, _WOULD_TAKE)
            return
    change_order(state, j, order["ts_arrive"], k, _ACCEPT, _NONE, order["lots"])


@kernel
def match_open(state: int, k: int) -> None:
    """At the bar's open: orders end whose time is up, others arrive, and those that the open satisfies are filled."""
    times = times_of(state)
    prices = prices_of(state)
    instruments = instruments_of(state)
    account = account_of(state)
    orders = orders_of(state)
    costs = costs_of(state)
    opened, symbol = times[0][k], times[2][k]
    instrument, at = instruments[symbol], prices[0][k]
    j = 0
    while j < account["orders"]:
        order = orders[j]
        if order["symbol"] == symbol:
            if 0 < order["expires"] <= opened and TRANSITIONS[order["status"], _EXPIRE] >= 0:
                end_order(state, j, order["expires"], k, _EXPIRE, _TIME_IN_FORCE)
            if order["status"] == _SUBMITTED and order["ts_sent"] <= opened and order["ts_arrive"] < times[1][k]:
                arrive(state, j, k)
            side = order["side"]
            ticks = to_ticks(at, instrument["tick_num"], instrument["tick_den"], side)
            ts = max(opened, order["ts_arrive"])
            if waits(order):
                trigger = to_price(order["trigger"], instrument["tick_num"], instrument["tick_den"])
                if order["trigger"] > 0 and (at - trigger) * order["rising"] >= 0.0:
                    if order["price"] > 0:
                        order["accepted_row"] = k
                        change_order(state, j, ts, k, _TRIGGER, _NONE, order["lots"])
                    else:
                        execute(state, j, ticks, 0, 0, ts, k)
                elif order["type"] == _TRAILING:
                    follow(order, ticks)
            elif order["status"] == _ACCEPTED and order["type"] == _MARKET:
                if costs["worst"]:
                    worst = prices[1][k] if side > 0 else prices[2][k]
                    ticks = to_ticks(worst, instrument["tick_num"], instrument["tick_den"], side)
                execute(state, j, ticks, 0, 0, ts, k)
            if rests(order):
                limit = to_price(order["price"], instrument["tick_num"], instrument["tick_den"])
                if (limit - at) * side > 0.0 or (limit == at and costs["touch"]):
                    maker = 0 if order["accepted_row"] == k else 1
                    execute(state, j, ticks, order["price"], maker, ts, k)
                elif order["tif"] in (_IOC, _FOK):
                    end_order(state, j, ts, k, _EXPIRE, _TIME_IN_FORCE)
                elif order["status"] == _TRIGGERED:
                    order["accepted_row"] = -1  # triggered by the open, it rests through all of the bar
        j += 1


@kernel
def nearest(state: int, k: int, against: bool, only_opening: bool) -> int:
    """The order that the bar's range reaches first, going out from its open; -1 if none.

    against: of the orders that wait for a price against them (stops); else of limit orders and those that wait for a
    price in their favour. Of two at equal distance the older: distances are counted in ticks, so that no rounding of
    floats decides.
    """
    times = times_of(state)
    prices = prices_of(state)
    instruments = instruments_of(state)
    positions = positions_of(state)
    account = account_of(state)
    orders = orders_of(state)
    costs = costs_of(state)
    symbol = times[2][k]
    instrument = instruments[symbol]
    found = -1
    shortest = np.inf
    for j in range(account["orders"]):
        order = orders[j]
        if order["symbol"] != symbol:
            continue
        if waits(order):
            if (order["rising"] * order["side"] > 0) != against or order["trigger"] == 0:
                continue
            at = to_price(order["trigger"], instrument["tick_num"], instrument["tick_den"])
            reached = prices[1][k] >= at if order["rising"] > 0 else prices[2][k] <= at
        elif rests(order) and not against:
            if order["status"] == _TRIGGERED and order["accepted_row"] == k:
                continue  # what the price did after it was triggered in this bar is not known
            at = to_price(order["price"], instrument["tick_num"], instrument["tick_den"])
            reached = prices[1][k] > at if order["side"] < 0 else prices[2][k] < at
            if costs["touch"]:
                reached = prices[1][k] >= at if order["side"] < 0 else prices[2][k] <= at
        else:
            continue
        if not reached or (only_opening and positions[symbol]["lots"] * order["side"] < 0):
            continue
        distance = abs(at - prices[0][k]) * instrument["tick_den"] / instrument["tick_num"]
        if distance < shortest - 1e-6:
            found, shortest = j, distance
    return found


@kernel
def act(state: int, j: int, k: int) -> int:
    """Let order `j`, whose price was reached inside bar `k`, do what it does. Returns the lots it opened."""
    order = orders_of(state)[j]
    ts = times_of(state)[1][k]
    if not waits(order):
        return execute(state, j, order["price"], 0, 1, ts, k)
    if order["price"] == 0:
        return execute(state, j, order["trigger"], 0, 0, ts, k)
    order["accepted_row"] = k
    change_order(state, j, ts, k, _TRIGGER, _NONE, order["lots"])
    if (order["price"] - order["trigger"]) * order["side"] >= 0:
        return execute(state, j, order["trigger"], order["price"], 0, ts, k)
    if order["tif"] in (_IOC, _FOK):
        end_order(state, j, ts, k, _EXPIRE, _TIME_IN_FORCE)
    return 0


@kernel
def trail(state: int, k: int) -> None:
    """After the bar's range: trailing stops follow its best price, and act if it closed beyond where they then stand.

    Whether the best price came before the worst is not known; the close came after both.
    """
    times = times_of(state)
    prices = prices_of(state)
    account = account_of(state)
    orders = orders_of(state)
    symbol = times[2][k]
    instrument = instruments_of(state)[symbol]
    for j in range(account["orders"]):
        order = orders[j]
        if order["symbol"] == symbol and order["type"] == _TRAILING and waits(order):
            best = prices[1][k] if order["side"] < 0 else prices[2][k]
            follow(order, to_ticks(best, instrument["tick_num"], instrument["tick_den"], -order["side"]))
            trigger = to_price(order["trigger"], instrument["tick_num"], instrument["tick_den"])
            if order["trigger"] > 0 and (prices[3][k] - trigger) * order["rising"] >= 0.0:
                act(state, j, k)


@kernel
def match_range(state: int, k: int) -> None:
    """Inside the bar: stops and liquidation first, nearest to the open first, then limits and take-profits.

    The order of prices inside a bar is unknown, so the worse is assumed: a stop beats a target, and once a
    position was opened or added to inside the bar, no order that takes it off at a profit fills any more.
    """
    times = times_of(state)
    prices = prices_of(state)
    instruments = instruments_of(state)
    positions = positions_of(state)
    account = account_of(state)
    orders = orders_of(state)
    symbol, ts = times[2][k], times[1][k]
    instrument = instruments[symbol]
    added = False
    while account["overflow"] == 0:
        j = -1
        if account["orders"] > 0:
            j = nearest(state, k, True, False)
        short = positions[symbol]["lots"] < 0
        danger = np.nan
        if positions[symbol]["lots"] != 0 and instrument["can_short"]:
            worst = prices[1][k] if short else prices[2][k]
            if in_danger(state, symbol, worst):
                danger = liquidation_price(state, symbol)
        if danger == danger:
            reached = prices[1][k] >= danger if short else prices[2][k] <= danger
            if reached:
                beyond = prices[0][k] >= danger if short else prices[0][k] <= danger
                at = prices[0][k] if beyond else danger
                stop = np.inf
                if j >= 0:
                    trigger = to_price(orders[j]["trigger"], instrument["tick_num"], instrument["tick_den"])
                    stop = abs(trigger - prices[0][k])
                if abs(at - prices[0][k]) <= stop:
                    ticks = to_ticks(at, instrument["tick_num"], instrument["tick_den"], 1 if short else -1)
                    liquidate(state, symbol, max(1, ticks), ts, k)
                    continue
        if account["orders"] == 0:
            return
        if j < 0:
            j = nearest(state, k, False, added)
        if j < 0:
            trail(state, k)
            return
        opening = act(state, j, k)
        added = added or opening > 0


@kernel
def drop_ended(state: int) -> None:
    """Take ended orders out of the working table; the rest keep their order, which is their priority."""
    account = account_of(state)
    orders = orders_of(state)
    kept = 0
    for j in range(account["orders"]):
        status = orders[j]["status"]
        if status in (_HELD, _SUBMITTED, _ACCEPTED, _TRIGGERED):
            if kept != j:
                orders[kept] = orders[j]
            kept += 1
    account["orders"] = kept


@kernel
def tidy(state: int, symbol: int, ts: int, row: int) -> None:
    """End the symbol's reduce-only orders if there is nothing left to reduce, then drop what has ended."""
    positions = positions_of(state)
    account = account_of(state)
    orders = orders_of(state)
    held = positions[symbol]["lots"]
    for j in range(account["orders"]):
        order = orders[j]
        idle = order["symbol"] == symbol and order["reduce_only"] and order["status"] in (_ACCEPTED, _TRIGGERED)
        if idle and held * order["side"] >= 0:
            end_order(state, j, ts, row, _EXPIRE, _NOTHING_TO_REDUCE)
    drop_ended(state)


@kernel
def set_bounds(state: int) -> None:
    """For each symbol: the prices and the time before which nothing can happen to it.

    Margin: each position, spot too, may use up an equal share of what equity exceeds the maintenance margin by. While
    all stay within their shares nobody can be liquidated, whichever way the prices combine.
    """
    funding = funding_of(state)
    instruments = instruments_of(state)
    positions = positions_of(state)
    account = account_of(state)
    orders = orders_of(state)
    costs = costs_of(state)
    rate = costs["maintenance"] / RATE_SCALE
    slack = account["equity"]
    held = 0
    margined = False
    for symbol in range(len(positions)):
        position = positions[symbol]
        position["wake"] = 0
        position["low_at"] = -np.inf
        position["high_at"] = np.inf
        position["due_at"] = NEVER
        if position["lots"] != 0:
            if position["next_funding"] < position["last_funding"]:
                position["due_at"] = funding[position["next_funding"]]["ts"]
            held += 1
            if instruments[symbol]["can_short"]:
                margined = True
                slack -= abs(position["lots"]) * worth_per_lot(instruments[symbol]) * position["close"] * rate
    for j in range(account["orders"]):
        order = orders[j]
        position, instrument = positions[order["symbol"]], instruments[order["symbol"]]
        if order["expires"] > 0:
            position["due_at"] = min(position["due_at"], order["expires"])
        if order["status"] == _SUBMITTED or (order["type"] == _TRAILING and waits(order)):
            position["wake"] = 1
        elif waits(order) or rests(order):
            ticks = order["trigger"] if waits(order) else order["price"]
            at = to_price(ticks, instrument["tick_num"], instrument["tick_den"])
            rising = order["rising"] > 0 if waits(order) else order["side"] < 0
            if rising:
                position["high_at"] = min(position["high_at"], at)
            else:
                position["low_at"] = max(position["low_at"], at)
    for symbol in range(len(positions)):
        position = positions[symbol]
        if position["lots"] != 0 and margined:
            if slack <= 0.0:
                position["wake"] = 1
                continue
            exposure = abs(position["lots"]) * worth_per_lot(instruments[symbol])
            reach = slack / held / (exposure * (1.0 + rate))
            if position["lots"] > 0:
                position["low_at"] = max(position["low_at"], position["close"] - reach)
            else:
                position["high_at"] = min(position["high_at"], position["close"] + reach)


@kernel
def process(state: int, k: int) -> int:
    """Let row `k` happen at the venue. Returns the next row that needs processing, or FLUSH (nothing was done)."""
    times = times_of(state)
    prices = prices_of(state)
    funding = funding_of(state)
    instruments = instruments_of(state)
    positions = positions_of(state)
    fills = fills_of(state)
    events = events_of(state)
    equity = equity_of(state)
    money, symbol = account_of(state), times[2][k]
    position = positions[symbol]
    working = money["orders"]
    dues = position["next_funding"]
    while dues < position["last_funding"] and funding[dues]["ts"] <= times[1][k]:
        dues += 1
    dues -= position["next_funding"]
    if money["events"] + 8 * working + 8 > len(events) or money["fills"] + 2 * working + dues + 8 > len(fills):
        return FLUSH
    settle(state, k)
    quiet = scan(state, k, k + 1) > k
    if not quiet:
        instrument = instruments[symbol]
        ticks = to_ticks(prices[0][k], instrument["tick_num"], instrument["tick_den"], 1)
        position["close"] = prices[0][k]  # what margin is reckoned at until the bar has closed
        pay_funding(state, times[0][k], k, ticks, symbol)
        if working > 0:
            match_open(state, k)
        pay_funding(state, times[1][k] - 1, k, ticks, symbol)
        match_range(state, k)
        tidy(state, symbol, times[1][k], k)
        money["horizon"] = _SHORTEST_HORIZON
    else:
        money["horizon"] = min(4 * money["horizon"], _LONGEST_HORIZON)
    position["close"] = prices[3][k]
    money["equity"] = equity_now(state)
    money["peak"] = max(money["peak"], money["equity"])
    if money["equity"] < money["keep"] * money["peak"]:
        money["halted"] = 1
    money["settled"] = k + 1
    equity[k] = money["equity"]
    set_bounds(state)
    return scan(state, k + 1, min(len(times[0]), k + 1 + money["horizon"]))


@kernel
def cancel(state: int, order_id: int, k: int, reason: int, event: int) -> int:
    """End a working order (by CANCEL or EXPIRE). Returns 1, 0 if no such order works any more, or FLUSH.

    A cancel takes effect before the next bar: bars cannot show what happened in the milliseconds of its flight.
    """
    account = account_of(state)
    orders = orders_of(state)
    events = events_of(state)
    if account["events"] + account["orders"] + 4 > len(events):
        return FLUSH
    now = time_at(state, k)
    for j in range(account["orders"]):
        if orders[j]["id"] == order_id:
            end_order(state, j, now, k, event, reason)
            drop_ended(state)
            return 1
    return 0
