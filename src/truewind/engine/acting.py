"""Acting on signals: from the wanted position to cancels and orders, compiled. Both lanes run on `follow`.

What a signal means is told in `strategies.base.SignalStrategy`; here stands how it is done.
"""

import math
from typing import Any

import numpy as np

from truewind.domain import signal
from truewind.domain.clock import NEVER, iso
from truewind.domain.order import TRANSITIONS, Event, OrderType, Reason, Status
from truewind.domain.signal import Signal, Want
from truewind.engine.intake import amend, submit
from truewind.errors import StrategyError
from truewind.execution.simulated.lifecycle import FLUSH, cancel, takes
from truewind.execution.simulated.valuation import settle, time_at
from truewind.numerics.exact import to_price, to_ticks
from truewind.numerics.jit import kernel
from truewind.portfolio.fees import whole_steps
from truewind.portfolio.ledger import RATE_SCALE
from truewind.portfolio.state import (
    account_of,
    costs_of,
    events_of,
    following_of,
    heard_of,
    instruments_of,
    margins_of,
    measures_of,
    orders_of,
    positions_of,
    prices_of,
    signal_of,
    sizing_of,
    times_of,
    verdicts_of,
)
from truewind.portfolio.worth import average_entry
from truewind.strategies.sizing import EQUAL, FIXED, KELLY, PARITY, RISK, cost_of, size

MOST_ORDERS = 7  # that one signal can send: a close, an entry, a stop and four targets
# What `follow` answers, besides FLUSH: nothing to do, done, or what is wrong with the signal.
IDLE, DONE = 0, 1
BAD_SIDE, BAD_STOP, BAD_TARGET, BAD_PRICE, BAD_QUANTITY = -2, -3, -4, -5, -6

_MARKET, _LIMIT, _STOP = int(OrderType.MARKET), int(OrderType.LIMIT), int(OrderType.STOP)
_SUBMITTED, _ACCEPTED = int(Status.SUBMITTED), int(Status.ACCEPTED)
_TRIGGERED, _PARTIALLY_FILLED = int(Status.TRIGGERED), int(Status.PARTIALLY_FILLED)
_NO_SHORT = int(Reason.NO_SHORT)
_CANCEL, _BY_STRATEGY, _AMEND = int(Event.CANCEL), int(Reason.BY_STRATEGY), int(Event.AMEND)
_SHORT, _FLAT, _HOLD = int(Want.SHORT), int(Want.FLAT), int(Want.HOLD)
_NAN = math.nan
_HIGHEST = 1e15  # no price is as high
nearer = kernel(inline=True)(signal.nearer)


@kernel(inline=True)
def leg_of(state: int, symbol: int, side: int) -> int:
    """Row of the position of `symbol`; in hedge mode that of `side`, or for 0 of the one held (long if both)."""
    symbols = len(instruments_of(state))
    if len(positions_of(state)) == symbols or side > 0 or (side == 0 and share_of(state, symbol)["lots"] != 0):
        return symbol
    return symbol + symbols


@kernel(inline=True)
def share_of(state: int, leg: int) -> Any:
    """What the strategy that is speaking holds of `leg`, as far as it has heard."""
    return heard_of(state)[account_of(state)["owner"] * len(positions_of(state)) + leg]


@kernel(inline=True)
def held_lots(state: int, symbol: int) -> int:
    """Signed lots of `symbol` that the strategy that is speaking holds; in hedge mode of one side.

    What is less than an order can have (a fee was taken out of it) counts as nothing.
    """
    lots = int(share_of(state, leg_of(state, symbol, 0))["lots"])
    return lots if lots < 0 else whole_steps(state, symbol, lots)


@kernel
def position_of(state: int, symbol: int, side: int) -> tuple[int, float, float, float, int, float]:
    """The fields of `domain.position.Position`; side: see `leg_of`."""
    leg = leg_of(state, symbol, side)
    position, instrument = share_of(state, leg), instruments_of(state)[symbol]
    lots, owner = position["lots"], account_of(state)["owner"]
    if lots == 0:
        return 0, 0.0, _NAN, _NAN, 0, _NAN
    orders = orders_of(state)
    stop = _NAN
    for j in range(account_of(state)["orders"]):
        order = orders[j]
        working = order["leg"] == leg and order["status"] == _ACCEPTED and order["owner"] == owner
        if working and order["reduce_only"] and order["rising"] == order["side"] and order["trigger"] > 0:
            stop = order["trigger"] * instrument["tick_num"] / instrument["tick_den"]
            break
    quantity = lots * instrument["lot_num"] / instrument["lot_den"]
    entry = average_entry(lots, position["cost"], instrument)
    if instrument["rate"] != 1.0:  # the price that was paid, not what it has become by the exchange
        entry *= instrument["rate"] / positions_of(state)[leg]["entry_rate"]
    risk = abs(entry - following_of(state)[owner * len(instruments_of(state)) + symbol]["first_stop"])
    return (1 if lots > 0 else -1), quantity, entry, stop, int(position["opened_ts"]), risk


@kernel
def follow(state: int, k: int, symbol: int) -> int:
    """Act on the state's signal, given when bar `k` of `symbol` has closed.

    Returns IDLE, DONE (orders were sent or withdrawn), FLUSH (nothing was done), or what is wrong with the signal.
    """
    said, money = signal_of(state), account_of(state)
    mine = following_of(state)[money["owner"] * len(instruments_of(state)) + symbol]
    now, side = time_at(state, k), said["side"]
    if side < _SHORT or side > _HOLD:
        return BAD_SIDE
    held = held_lots(state, symbol)
    here = 1 if held > 0 else (-1 if held < 0 else 0)
    acts = side != mine["last"] and side != _HOLD and (side != here or side == _FLAT or moving(state, symbol))
    if not acts and mine["expiry"] > now:
        mine["last"] = side
        return move_stop(state, k, symbol, held) if here != 0 and side == here else IDLE
    enters = acts and side != _FLAT
    if enters:
        bad = check(state, k)
        if bad != IDLE:
            return bad
    working = money["orders"] + MOST_ORDERS
    full = money["events"] + 8 * working > len(events_of(state)) or money["verdicts"] + 1 > len(verdicts_of(state))
    if full or working > len(orders_of(state)):
        return FLUSH
    mine["last"] = side
    mine["expiry"] = NEVER
    cancel_all(state, k, symbol)
    if not enters:
        if acts:
            note_exit(state, k, symbol, abs(held))
        close(state, k, symbol, said["reason"] if acts else 0)
        return DONE
    if said["horizon_us"] > 0:
        mine["expiry"] = now + said["horizon_us"]
    if here == side:  # what was to change it has been withdrawn: protect what is held
        leave(state, k, symbol, abs(held), 0)
        return DONE
    mine["first_stop"] = said["stop"]
    return enter(state, k, symbol)


@kernel
def move_stop(state: int, k: int, symbol: int, held: int) -> int:
    """Move the stop of the `held` lots to that of the signal, if it is nearer; as `follow`.

    One that has been triggered is a market order, and no venue moves it any more.
    """
    said, money, orders = signal_of(state), account_of(state), orders_of(state)
    instrument, side, stop = instruments_of(state)[symbol], said["side"], said["stop"]
    if stop != stop:
        return IDLE
    leg = leg_of(state, symbol, 0)
    ticks = to_ticks(stop, instrument["tick_num"], instrument["tick_den"], -side)
    found = 0
    for j in range(money["orders"]):
        order = orders[j]
        guards = order["leg"] == leg and order["owner"] == money["owner"] and order["reduce_only"] != 0
        if guards and order["type"] == _STOP and TRANSITIONS[order["status"], _AMEND] >= 0:
            executed = order["status"] in (_TRIGGERED, _PARTIALLY_FILLED)
            if executed or (ticks - order["trigger"]) * side <= 0:
                return IDLE
            found = order["id"]
            break
    bad = check(state, k)
    if bad != IDLE:
        return bad
    if found == 0:
        if money["events"] + 8 > len(events_of(state)) or money["orders"] + 1 > len(orders):
            return FLUSH
        submit(state, k, symbol, -side, _STOP, abs(held), ticks, 1, 0, said["reason"])
        return DONE
    return DONE if amend(state, found, k, 0, 0, ticks, 0) != FLUSH else FLUSH


@kernel(inline=True)
def moving(state: int, symbol: int) -> bool:
    """Whether an order is still on its way, so that the position will not stay what it is."""
    orders, owner = orders_of(state), account_of(state)["owner"]
    for j in range(account_of(state)["orders"]):
        order = orders[j]
        own = order["symbol"] == symbol and order["owner"] == owner
        if own and (order["status"] == _SUBMITTED or takes(order)):
            return True
    return False


@kernel(inline=True)
def check(state: int, k: int) -> int:
    """What is wrong with the prices of a signal to be long or short; IDLE if nothing is."""
    said = signal_of(state)
    side, entry, stop = said["side"], said["entry"], said["stop"]
    price = prices_of(state)[3][k] if entry != entry else entry
    if (price - stop) * side <= 0.0:
        return BAD_STOP
    targets = (said["target_1"], said["target_2"], said["target_3"], said["target_4"])
    for target in targets:
        if (target - price) * side <= 0.0:
            return BAD_TARGET
    for at in (entry, stop, *targets):
        if at <= 0.0 or at >= _HIGHEST:
            return BAD_PRICE
    return IDLE


@kernel
def cancel_all(state: int, k: int, symbol: int) -> None:
    """Withdraw the strategy's working orders of `symbol`, oldest first."""
    account, orders = account_of(state), orders_of(state)
    j = 0
    while j < account["orders"]:
        if orders[j]["symbol"] == symbol and orders[j]["owner"] == account["owner"] and not orders[j]["house"]:
            cancel(state, orders[j]["id"], k, _BY_STRATEGY, _CANCEL)
            j = 0
        else:
            j += 1


@kernel
def close(state: int, k: int, symbol: int, tag: int) -> None:
    """Close what is held at market.

    Reduce-only is judged on what the account holds: where another strategy holds so much of the other side that
    nothing, or not enough, is left to reduce, the order is a plain one.
    """
    held = held_lots(state, symbol)
    if held != 0:
        side = -1 if held > 0 else 1
        net = positions_of(state)[leg_of(state, symbol, 0)]["lots"]
        reduces = 1 if net * side <= -abs(held) else 0
        submit(state, k, symbol, side, _MARKET, abs(held), 0, reduces, 0, tag)


@kernel
def note_exit(state: int, k: int, symbol: int, held: int) -> None:
    """Write down that the strategy wants to be out: a verdict like any, but that the gate has no say in it."""
    said, money = signal_of(state), account_of(state)
    if money["unrecorded"]:
        return
    verdict = verdicts_of(state)[money["verdicts"]]
    money["verdicts"] += 1
    verdict["ts"], verdict["row"] = time_at(state, k), k
    verdict["symbol"], verdict["owner"], verdict["tag"] = symbol, money["owner"], said["reason"]
    verdict["asked"] = verdict["allowed"] = held
    verdict["order"] = verdict["opening"] = verdict["horizon_us"] = 0
    verdict["side"] = verdict["ruling"] = verdict["reason"] = 0
    verdict["price"] = prices_of(state)[3][k]
    verdict["stop"] = verdict["entry"] = _NAN
    verdict["target_1"] = verdict["target_2"] = verdict["target_3"] = verdict["target_4"] = _NAN
    verdict["confidence"], verdict["signal"] = said["confidence"], 1


@kernel(inline=True)
def enter(state: int, k: int, symbol: int) -> int:
    """Send the entry, which first turns what is held on the other side, and the exits of what it opens."""
    settle(state, k + 1)
    said, how, instrument = signal_of(state), sizing_of(state), instruments_of(state)[symbol]
    side, entry, tag, sure = said["side"], said["entry"], said["reason"], said["confidence"]
    at_market = entry != entry
    price = prices_of(state)[3][k] if at_market else entry
    equity = account_of(state)["equity"] / how["scale"]
    if instrument["inverse"]:  # money is in the base currency, a contract in the quote currency
        equity *= price
    if instrument["rate"] != 1.0:
        equity /= instrument["rate"]
    quantity, unsized = sized(state, k, symbol, equity, price)
    if side < 0 and not instrument["can_short"]:  # the venue would refuse it, and leave what is held without its exits
        quantity, unsized = 0.0, _NO_SHORT
    if how["method"] != FIXED:
        quantity *= (price if instrument["inverse"] else 1.0) / instrument["multiplier"]
    lots = quantity * instrument["lot_den"] / instrument["lot_num"]
    if not lots < 4e18:
        return BAD_QUANTITY
    turning = abs(held_lots(state, symbol))
    hedged = len(positions_of(state)) > len(instruments_of(state))
    if turning != 0 and (hedged or unsized != 0 or not at_market):  # what is not turned by the entry itself
        close(state, k, symbol, tag)
        turning = 0
    protect = 0
    if said["stop"] == said["stop"]:
        protect = to_ticks(said["stop"], instrument["tick_num"], instrument["tick_den"], -side)
    kind, ticks = _MARKET, 0
    if not at_market:
        kind, ticks = _LIMIT, to_ticks(entry, instrument["tick_num"], instrument["tick_den"], -side)
    whole = int(lots + 1e-6) + turning
    parent = submit(state, k, symbol, side, kind, whole, ticks, 0, 0, tag, protect, sure, unsized)
    if not account_of(state)["unrecorded"]:
        verdict = verdicts_of(state)[account_of(state)["verdicts"] - 1]
        verdict["target_1"], verdict["target_2"] = said["target_1"], said["target_2"]
        verdict["target_3"], verdict["target_4"] = said["target_3"], said["target_4"]
        verdict["stop"], verdict["entry"] = said["stop"], entry
        verdict["horizon_us"], verdict["signal"] = said["horizon_us"], 1
    opened = sent_lots(state, parent) - turning  # the risk gate may have reduced it
    if opened > 0:
        leave(state, k, symbol, opened, parent)
    return DONE


@kernel(inline=True)
def sized(state: int, k: int, symbol: int, equity: float, price: float) -> tuple[float, int]:
    """Base units that the state's signal is worth, and why there are none; see `strategies.sizing.size`.

    equity: in the quote currency. An entry at a limit pays no spread; all fees are the taker's.
    """
    said, how, instrument = signal_of(state), sizing_of(state), instruments_of(state)[symbol]
    method, side, stop, inverse = how["method"], said["side"], said["stop"], instrument["inverse"] != 0
    loss = gain = measure = _NAN
    share = 1.0
    if method in (RISK, KELLY) and stop == stop:
        half, fee = costs_of(state)["half_spread"], margins_of(state)[symbol]["taker"] / RATE_SCALE
        entered = taken_at(state, symbol, side, price, half if said["entry"] != said["entry"] else 0)
        loss = cost_of(side, price, entered, taken_at(state, symbol, -side, stop, half), fee, inverse)
        total, count = 0.0, 0
        for target in (said["target_1"], said["target_2"], said["target_3"], said["target_4"]):
            if target == target:
                total -= cost_of(side, price, entered, target, fee, inverse)
                count += 1
        gain = total / count if count > 0 else _NAN
    elif method == EQUAL:
        share = 1.0 / len(instruments_of(state))
    elif method == PARITY:
        share = parity_share(state, k, symbol)
    elif len(measures_of(state)) > 0:
        measure = measures_of(state)[k]
    return size(how, equity, price, loss, gain, said["confidence"], measure, share)


@kernel
def taken_at(state: int, symbol: int, side: int, price: float, half_spread: int) -> float:
    """Where an order of `side` is filled that takes liquidity at `price`, in whole ticks, but for its impact."""
    instrument = instruments_of(state)[symbol]
    ticks = to_ticks(price, instrument["tick_num"], instrument["tick_den"], side)
    ticks += side * ((ticks * half_spread + RATE_SCALE - 1) // RATE_SCALE)
    return to_price(ticks, instrument["tick_num"], instrument["tick_den"])


@kernel
def parity_share(state: int, k: int, symbol: int) -> float:
    """The part of a symbol in the inverse volatilities of all, by their last measures up to row `k`; NaN without one.

    A symbol that had none for a long time (256 rows of each) has no part.
    """
    measures, symbols = measures_of(state), times_of(state)[2]
    count = len(instruments_of(state))
    if len(measures) == 0 or not measures[k] > 0.0:
        return _NAN
    found = np.zeros(count, np.int64)
    total, missing, row = 0.0, count, k
    while row >= 0 and missing > 0 and k - row < 256 * count:
        which, measure = symbols[row], measures[row]
        if found[which] == 0 and measure > 0.0:
            found[which] = 1
            missing -= 1
            total += 1.0 / measure
        row -= 1
    return float(1.0 / measures[k] / total)


@kernel
def leave(state: int, k: int, symbol: int, lots: int, parent: int) -> None:
    """Send the exits of `lots`: one stop for all, even parts to the targets, and to the farthest the rest.

    Prices between two ticks go to the one that is worse for us.
    """
    said, instrument = signal_of(state), instruments_of(state)[symbol]
    side, tag, stop = said["side"], said["reason"], said["stop"]
    tick_num, tick_den = instrument["tick_num"], instrument["tick_den"]
    if stop == stop:
        submit(state, k, symbol, -side, _STOP, lots, to_ticks(stop, tick_num, tick_den, -side), 1, parent, tag)
    targets = (said["target_1"], said["target_2"], said["target_3"], said["target_4"])
    wanted = 0
    for target in targets:
        wanted += 1 if target == target else 0
    left, last = lots, -math.inf
    sent = 0
    while sent < wanted:  # from the nearest outwards; equal ones together, each with its part
        nearest = math.inf
        for target in targets:
            if target * side > last:
                nearest = min(nearest, target * side)
        ticks = to_ticks(nearest * side, tick_num, tick_den, side)
        for target in targets:
            if target * side == nearest:
                sent += 1
                part = left if sent == wanted else lots // wanted
                left -= sent_lots(state, submit(state, k, symbol, -side, _LIMIT, part, ticks, 1, parent, tag))
        last = nearest


@kernel(inline=True)
def sent_lots(state: int, order: int) -> int:
    """Lots of an order as it went out; 0 if it did not."""
    orders = orders_of(state)
    for j in range(account_of(state)["orders"] - 1, -1, -1):
        if orders[j]["id"] == order:
            return int(orders[j]["lots"])
    return 0


def fault(bad: int, symbol: str, now_us: int, close: float, signal: Signal) -> StrategyError:
    """What `follow` has found, in words."""
    side = signal.side
    price = close if math.isnan(signal.entry) else signal.entry
    what = f"signal {signal} cannot be sized: its quantity is not a number that fits 64 bits"
    if bad == BAD_SIDE:
        what = f"side {side!r} is no position to want"
    elif bad == BAD_PRICE:
        what = f"{signal} holds a price that is not a number > 0"
    elif bad in (BAD_STOP, BAD_TARGET):
        name, direction = ("stop", -side) if bad == BAD_STOP else ("target", side)
        at = signal.stop
        if bad == BAD_TARGET:
            at = next(target for target in signal[4:8] if (target - price) * side <= 0.0)
        what = (
            f"the {name} {at} of a {'long' if side > 0 else 'short'} entered at {price} must lie "
            f"{'below' if direction < 0 else 'above'} it"
        )
    return StrategyError(
        f"{symbol} at {iso(now_us)}: {what}",
        remedy="Mend the signal's prices, or return HOLD",
        symbol=symbol,
        ts=now_us,
    )
