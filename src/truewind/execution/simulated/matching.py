"""Matching on bars: the venue's rules, compiled. The event lane and the compiled lane both run on these kernels.

Most bars are quiet: no order can act on them, no funding falls due, no margin is in danger. `scan` finds the next
bar that is not; only there `process` runs. Quiet bars merely move the valuation, which `settle` fills in afterwards.

`state` is the handle of `portfolio.state`; rows are all symbols' bars merged in event order.
"""

from typing import Any

import numpy as np

from truewind.domain.order import TRANSITIONS, Event, OrderType, Reason, Status, TimeInForce
from truewind.execution.simulated.dues import pay_dues
from truewind.execution.simulated.filling import ALL, execute, lots_on_offer
from truewind.execution.simulated.lifecycle import (
    FLUSH,
    beside,
    change_order,
    drop_ended,
    end_order,
    follow,
    rests,
    takes,
    tidy,
    waits,
    watched,
)
from truewind.execution.simulated.liquidating import danger_ahead, liquidate, liquidate_open
from truewind.execution.simulated.quiet import is_safe, scan, set_bounds
from truewind.execution.simulated.valuation import equity_now, mark_at, settle, symbol_at
from truewind.numerics.draws import uniform
from truewind.numerics.exact import to_price, to_ticks
from truewind.numerics.jit import kernel
from truewind.portfolio.conversion import apply_rates
from truewind.portfolio.debts import settle_debt
from truewind.portfolio.latches import begin_day, watch
from truewind.portfolio.margin import refresh_terms
from truewind.portfolio.state import (
    account_of,
    breakers_of,
    costs_of,
    dues_of,
    equity_of,
    events_of,
    fees_of,
    fills_of,
    instruments_of,
    margins_of,
    marks_of,
    orders_of,
    positions_of,
    prices_of,
    tiers_of,
    times_of,
)

_TRAILING = int(OrderType.TRAILING_STOP)
_IOC, _FOK = int(TimeInForce.IOC), int(TimeInForce.FOK)
_SUBMITTED = int(Status.SUBMITTED)
_TRIGGERED = int(Status.TRIGGERED)
_REJECT, _ACCEPT = int(Event.REJECT), int(Event.ACCEPT)
_TRIGGER = int(Event.TRIGGER)
_EXPIRE = int(Event.EXPIRE)
_NONE = int(Reason.NONE)
_WOULD_TAKE = int(Reason.WOULD_TAKE)
_TIME_IN_FORCE = int(Reason.TIME_IN_FORCE)
_FILLS = 2  # the purpose of a draw: 0 and 1 are those of an order's flight
_LIQUIDATIONS = 64  # room for the fills of two legs that are taken down tier by tier
_SHORTEST_HORIZON, _LONGEST_HORIZON = 64, 65_536


@kernel(inline=True)
def arrive(state: int, j: int, k: int) -> None:
    """Accept an order at the venue on bar `k`; a post-only order that would take is rejected."""
    prices = prices_of(state)
    instruments = instruments_of(state)
    order = orders_of(state)[j]
    instrument, at = instruments[symbol_at(state, k)], prices[0][k]
    order["accepted_row"] = k
    if order["post_only"]:
        limit = to_price(order["price"], instrument["tick_num"], instrument["tick_den"])
        if (limit - at) * order["side"] > 0.0:
            end_order(state, j, order["ts_arrive"], k, _REJECT, _WOULD_TAKE)
            return
    change_order(state, j, order["ts_arrive"], k, _ACCEPT, _NONE, order["lots"])


@kernel(inline=True)
def match_open(state: int, k: int) -> None:
    """At the bar's open: orders end whose time is up, those that work meet it, then those that arrive, as they come."""
    times = times_of(state)
    account = account_of(state)
    orders = orders_of(state)
    opened, symbol = times[0][k], symbol_at(state, k)
    coming = 0
    j = 0
    while j < account["orders"]:
        order = orders[j]
        if order["symbol"] == symbol:
            if 0 < order["expires"] <= opened and TRANSITIONS[order["status"], _EXPIRE] >= 0:
                end_order(state, j, order["expires"], k, _EXPIRE, _TIME_IN_FORCE)
            if arrives(order, opened, times[1][k]):
                coming += 1
            else:
                meet_open(state, j, k)
        j += 1
    while coming > 0:
        coming -= 1
        first = -1
        for i in range(account["orders"]):
            order = orders[i]
            if order["symbol"] != symbol or not arrives(order, opened, times[1][k]):
                continue
            if first < 0 or order["ts_arrive"] < orders[first]["ts_arrive"]:
                first = i
        if first < 0:
            return
        if orders[first]["ts_arrive"] > opened:
            pay_dues(state, orders[first]["ts_arrive"], k, symbol)
            if not arrives(orders[first], opened, times[1][k]):
                continue  # a reverse split, or the end of the contract, came before it did
        arrive(state, first, k)
        meet_open(state, first, k)
        for i in range(first + 1, account["orders"]):
            if orders[i]["parent"] == orders[first]["id"]:
                meet_open(state, i, k)


@kernel(inline=True)
def arrives(order: Any, opened: int, known: int) -> bool:
    """Whether an order on its way comes to the venue during a bar that was open from `opened` to `known`."""
    return bool(order["status"] == _SUBMITTED and order["ts_decided"] <= opened and order["ts_arrive"] < known)


@kernel
def meet_open(state: int, j: int, k: int) -> None:
    """Let order `j`, if it works, do what the open of bar `k` makes it do."""
    prices = prices_of(state)
    costs = costs_of(state)
    order = orders_of(state)[j]
    instrument, at, side = instruments_of(state)[order["symbol"]], prices[0][k], order["side"]
    ticks = to_ticks(at, instrument["tick_num"], instrument["tick_den"], side)
    ts = max(times_of(state)[0][k], order["ts_arrive"])
    if waits(order):
        trigger = to_price(order["trigger"], instrument["tick_num"], instrument["tick_den"])
        seen, _, _, _ = watched(state, order["source"], k)
        if order["trigger"] > 0 and (seen - trigger) * order["rising"] >= 0.0:
            if order["price"] > 0:
                order["accepted_row"] = k
                change_order(state, j, ts, k, _TRIGGER, _NONE, order["lots"])
            else:
                strike(state, j, ticks, ts, k)
        elif order["type"] == _TRAILING:
            follow(order, to_ticks(seen, instrument["tick_num"], instrument["tick_den"], side))
    elif takes(order):
        if costs["worst"]:
            worst = prices[1][k] if side > 0 else prices[2][k]
            ticks = to_ticks(worst, instrument["tick_num"], instrument["tick_den"], side)
        execute(state, j, ticks, 0, 0, ts, k)
    if rests(order):
        limit = to_price(order["price"], instrument["tick_num"], instrument["tick_den"])
        if (limit - at) * side > 0.0 or (limit == at and costs["touch"] and is_first(state, order, k)):
            maker = 0 if order["accepted_row"] == k else 1
            most = ALL
            if order["shown"] > 0 and limit == at:
                most, order["refilled"] = order["shown"], k
            execute(state, j, ticks, order["price"], maker, ts, k, most)
        elif order["status"] == _TRIGGERED:
            order["accepted_row"] = -1  # triggered by the open, it rests through all of the bar
    if order["tif"] in (_IOC, _FOK) and (rests(order) or takes(order)):
        end_order(state, j, ts, k, _EXPIRE, _TIME_IN_FORCE)


@kernel
def nearest(state: int, k: int, against: bool, only_opening: bool) -> int:
    """The order that the bar's range reaches first, going out from its open; -1 if none.

    against: of the orders that wait for a price against them (stops); else of limit orders and those that wait for a
    price in their favour. Of two at equal distance the older: distances are counted in ticks, so that no rounding of
    floats decides.
    """
    prices = prices_of(state)
    instruments = instruments_of(state)
    positions = positions_of(state)
    account = account_of(state)
    orders = orders_of(state)
    costs = costs_of(state)
    symbol = symbol_at(state, k)
    instrument, left = instruments[symbol], positions[symbol]["left"]
    found = -1
    shortest = np.inf
    for j in range(account["orders"]):
        order = orders[j]
        if order["symbol"] != symbol:
            continue
        start = prices[0][k]
        if waits(order):
            if (order["rising"] * order["side"] > 0) != against or order["trigger"] == 0:
                continue
            at = to_price(order["trigger"], instrument["tick_num"], instrument["tick_den"])
            start, high, low, _ = watched(state, order["source"], k)
            reached = high >= at if order["rising"] > 0 else low <= at
        elif rests(order) and not against and left > 0:
            if order["status"] == _TRIGGERED and order["accepted_row"] == k:
                continue  # what the price did after it was triggered in this bar is not known
            at = to_price(order["price"], instrument["tick_num"], instrument["tick_den"])
            reached = prices[1][k] > at if order["side"] < 0 else prices[2][k] < at
            if costs["touch"] and (order["shown"] == 0 or order["refilled"] != k) and is_first(state, order, k):
                reached = prices[1][k] >= at if order["side"] < 0 else prices[2][k] <= at
        else:
            continue
        if order["met"] > 0 and order["accepted_row"] == k:
            start = at = to_price(order["met"], instrument["tick_num"], instrument["tick_den"])
        elif not reached or (only_opening and positions[order["leg"]]["lots"] * order["side"] < 0):
            continue
        distance = abs(at - start) * instrument["tick_den"] / instrument["tick_num"]
        if distance < shortest - 1e-6:
            found, shortest = j, distance
    return found


@kernel
def is_first(state: int, order: Any, k: int) -> bool:
    """Whether a resting order that bar `k` touches, and no more, is near enough to the front of the queue to fill."""
    costs = costs_of(state)
    chance = costs["fill_probability"]
    return bool(chance >= 1.0 or uniform(costs["seed"], order["id"], k, _FILLS) < chance)


@kernel
def is_beyond(state: int, order: Any, k: int) -> bool:
    """Whether bar `k` traded beyond a resting order's price, and not just at it."""
    prices, instrument = prices_of(state), instruments_of(state)[order["symbol"]]
    at = to_price(order["price"], instrument["tick_num"], instrument["tick_den"])
    return bool(prices[1][k] > at if order["side"] < 0 else prices[2][k] < at)


@kernel
def strike(state: int, j: int, reference: int, ts: int, k: int) -> int:
    """Execute order `j`, whose trigger was reached, at market; what is left of it waits for the next bar.

    Returns the lots it opened.
    """
    order = orders_of(state)[j]
    opened = execute(state, j, reference, 0, 0, ts, k)
    if waits(order):
        change_order(state, j, ts, k, _TRIGGER, _NONE, order["lots"])
    if order["tif"] in (_IOC, _FOK) and takes(order):
        end_order(state, j, ts, k, _EXPIRE, _TIME_IN_FORCE)
    return opened


@kernel
def act(state: int, j: int, k: int) -> int:
    """Let order `j`, whose price was reached inside bar `k`, do what it does. Returns the lots it opened."""
    order = orders_of(state)[j]
    ts = times_of(state)[1][k]
    if order["met"] > 0 and order["accepted_row"] == k:
        met, order["met"] = int(order["met"]), 0
        return execute(state, j, met, order["price"], 0, ts, k) if rests(order) else strike(state, j, met, ts, k)
    if not waits(order):
        most = ALL
        if order["shown"] > 0 and not is_beyond(state, order, k):
            most, order["refilled"] = order["shown"], k
        return execute(state, j, order["price"], 0, 1, ts, k, most)
    reference = int(order["trigger"])
    if order["source"]:
        prices, instrument = prices_of(state), instruments_of(state)[order["symbol"]]
        reference = beside(reference, prices[2][k], prices[1][k], order["side"], instrument)
    if order["price"] == 0:
        return strike(state, j, reference, ts, k)
    order["accepted_row"] = k
    change_order(state, j, ts, k, _TRIGGER, _NONE, order["lots"])
    opened = 0
    if (order["price"] - reference) * order["side"] >= 0:
        opened = execute(state, j, reference, order["price"], 0, ts, k)
    if order["tif"] in (_IOC, _FOK) and rests(order):
        end_order(state, j, ts, k, _EXPIRE, _TIME_IN_FORCE)
    return opened


@kernel(inline=True)
def trail(state: int, k: int) -> None:
    """After the bar's range: trailing stops follow its best price, and act if it closed beyond where they then stand.

    Whether the best price came before the worst is not known; the close came after both.
    """
    account = account_of(state)
    orders = orders_of(state)
    symbol = symbol_at(state, k)
    instrument = instruments_of(state)[symbol]
    for j in range(account["orders"]):
        order = orders[j]
        if order["symbol"] == symbol and order["type"] == _TRAILING and waits(order):
            _, high, low, close = watched(state, order["source"], k)
            best = high if order["side"] < 0 else low
            follow(order, to_ticks(best, instrument["tick_num"], instrument["tick_den"], -order["side"]))
            trigger = to_price(order["trigger"], instrument["tick_num"], instrument["tick_den"])
            if order["trigger"] > 0 and (close - trigger) * order["rising"] >= 0.0:
                act(state, j, k)


@kernel(inline=True)
def match_range(state: int, k: int) -> None:
    """Inside the bar: stops and liquidation first, nearest to the open first, then limits and take-profits.

    The order of prices inside a bar is unknown, so the worse is assumed: a stop beats a target, and once a
    position was opened or added to inside the bar, no order that takes it off at a profit fills any more.
    """
    times = times_of(state)
    instruments = instruments_of(state)
    account = account_of(state)
    orders = orders_of(state)
    marks = marks_of(state)
    symbol, ts = symbol_at(state, k), times[1][k]
    instrument = instruments[symbol]
    added = False
    while account["overflow"] == 0:
        j = -1
        if account["orders"] > 0:
            j = nearest(state, k, True, False)
        leg, mark = -1, 0.0
        if not is_safe(state, symbol, marks[1][k], marks[2][k]):
            leg, mark = danger_ahead(state, symbol, marks[0][k], marks[1][k], marks[2][k])
        if leg >= 0:
            stop = np.inf
            if j >= 0:
                trigger = to_price(orders[j]["trigger"], instrument["tick_num"], instrument["tick_den"])
                start, _, _, _ = watched(state, orders[j]["source"], k)
                stop = abs(trigger - start)
            if abs(mark - marks[0][k]) <= stop:
                liquidate(state, leg, mark, ts, k)
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
def happen(state: int, k: int) -> int:
    """Let row `k`, on which something may happen, happen at the venue. Returns 0, or FLUSH (nothing was done)."""
    times = times_of(state)
    prices, marks = prices_of(state), marks_of(state)
    positions = positions_of(state)
    money, symbol = account_of(state), symbol_at(state, k)
    position = positions[symbol]
    working = money["orders"]
    dues = dues_of(state)
    due = position["next_due"]
    while due < position["last_due"] and dues[due]["ts"] <= times[1][k]:
        due += 1
    due -= position["next_due"]
    most = 3 * (working + due) + _LIQUIDATIONS  # of an order with its fee in the base currency two
    if money["events"] + 8 * working + 8 > len(events_of(state)) or money["fills"] + most > len(fills_of(state)):
        return FLUSH
    settle(state, k)
    if times[1][k] > breakers_of(state)["day_ends"]:
        begin_day(state, times[1][k])
    if times[1][k] >= money["terms_at"]:
        money["terms_at"] = refresh_terms(margins_of(state), tiers_of(state), fees_of(state), times[1][k])
        money["bounded"] = -1
    if times[0][k] >= money["rates_at"]:
        apply_rates(state, times[0][k])
    position["close"] = prices[0][k]
    position["left"] = lots_on_offer(state, k)
    mark_at(state, symbol, marks[0][k])  # what margin is reckoned at inside the bar
    pay_dues(state, times[0][k], k, symbol)
    liquidate_open(state, symbol, k)
    if working > 0:
        match_open(state, k)
        drop_ended(state)  # most are executed at the open: what follows need not look at them
    pay_dues(state, times[1][k] - 1, k, symbol)
    match_range(state, k)
    if position["ends_at"] <= times[1][k]:
        pay_dues(state, times[1][k], k, symbol)
    if working > 0:
        tidy(state, symbol, times[1][k], k)
    settle_debt(state, times[1][k], k)
    position["close"] = prices[3][k]
    mark_at(state, symbol, marks[3][k])
    money["equity"] = equity_now(state)
    watch(state, times[1][k], k)
    money["settled"] = k + 1
    equity_of(state)[k] = money["equity"]
    if marks[2][k] <= position["safe_low"] or marks[1][k] >= position["safe_high"]:
        money["bounded"] = -1  # others may have moved its way: what is safe must be reckoned anew
    set_bounds(state)
    return 0


@kernel
def process(state: int, k: int) -> int:
    """Let row `k` happen at the venue. Returns the next row that needs processing, or FLUSH (nothing was done).

    It looks ahead a little, and further with every quiet row, so that a market at rest is not searched twice.
    """
    times = times_of(state)
    money = account_of(state)
    if scan(state, k, k + 1) > k:
        settle(state, k + 1)
        money["horizon"] = min(4 * money["horizon"], _LONGEST_HORIZON)
    else:
        if happen(state, k) == FLUSH:
            return FLUSH
        money["horizon"] = _SHORTEST_HORIZON
    return scan(state, k + 1, min(len(times[0]), k + 1 + money["horizon"]))
