"""Limiting: what the risk rules are told of an order, from the engine's state, and what they let through."""

import math
from typing import Any

from truewind.domain.order import OrderType, Reason, Status
from truewind.numerics.exact import to_price
from truewind.numerics.jit import kernel
from truewind.portfolio.ledger import RATE_SCALE
from truewind.portfolio.margin import unrealised
from truewind.portfolio.shares import shared
from truewind.portfolio.state import (
    account_of,
    ahead_of,
    costs_of,
    instruments_of,
    limits_of,
    margins_of,
    orders_of,
    pairs_of,
    positions_of,
    shares_of,
    tiers_of,
    times_of,
    volatility_of,
    volumes_of,
)
from truewind.portfolio.tiers import maintenance_margin
from truewind.portfolio.worth import lot_worth
from truewind.risk.judging import Asked, Own, Portfolio, judge
from truewind.risk.position import loss_of_lot, notional_carried, notional_safe, traded_at, turned_leverage
from truewind.risk.together import alike, together

EVERYONE = -1  # as an owner: not one strategy, but the account
_MARKET, _STOP, _HELD = int(OrderType.MARKET), int(OrderType.STOP), int(Status.HELD)
_NONE = int(Reason.NONE)
_BELOW_MIN_QUANTITY, _BELOW_MIN_NOTIONAL = int(Reason.BELOW_MIN_QUANTITY), int(Reason.BELOW_MIN_NOTIONAL)
_ABOVE_MAX_QUANTITY = int(Reason.ABOVE_MAX_QUANTITY)
_FINE = 1440  # fine bars that one coarse bar may have
_PATIENCE = 64  # rounds of all symbols that are looked back on for the last row of one


@kernel(inline=True)
def limit_order(state: int, order: Any, k: int, lots: int, at: float, barred: int) -> tuple[int, int, int]:
    """Of `lots` of an order those that may be sent, how many of them open, and the Reason if they are fewer.

    at: the price at which its notional is judged; k: the last row that is known; barred: the Reason of a limit or
    breaker that lets nothing be opened, NONE if there is none. Of several strategies each is held to
    the limits, too, with its allocation of equity and what is its own.
    """
    money, instrument = account_of(state), instruments_of(state)[order["symbol"]]
    worth = lot_worth(at, instrument)
    if instrument["step"] > 1:
        lots -= lots % instrument["step"]
    allowed, opening, reason = room_for(state, order, k, lots, at, barred, money["equity"], EVERYONE)
    if shared(state):
        equity = money["equity"] * money["allocation"]
        own, _, why = room_for(state, order, k, lots, at, barred, equity, money["owner"])
        if own < allowed:
            opening, allowed, reason = max(0, opening - (allowed - own)), own, why
    if instrument["step"] > 1:
        allowed -= allowed % instrument["step"]
    if allowed < instrument["min_lots"]:
        return 0, 0, (_BELOW_MIN_QUANTITY if reason == _NONE else reason)
    if allowed > instrument["max_lots"]:
        return 0, 0, _ABOVE_MAX_QUANTITY
    if opening > 0 and allowed * worth < instrument["min_notional"] * instrument["rate"]:
        return 0, 0, (_BELOW_MIN_NOTIONAL if reason == _NONE else reason)
    return allowed, opening, reason


@kernel
def room_for(
    state: int, order: Any, k: int, lots: int, at: float, barred: int, equity: float, owner: int
) -> tuple[int, int, int]:  # fmt: skip
    """Of `lots` those that the risk rules let pass, how many of them open, and the Reason if they are fewer.

    Orders on their way count as filled, so that two orders sent together cannot pass a cap that one could not.
    """
    limit, leg, side, symbol = limits_of(state), order["leg"], order["side"], order["symbol"]
    tally(state, owner)
    ahead = coming(state, leg, side, owner)
    reducing = min(lots, max(0, -ahead))
    if reducing == lots:
        return lots, 0, _NONE
    instrument = instruments_of(state)[symbol]
    worth, stop, loss = lot_worth(at, instrument), math.nan, math.nan
    if order["protect"] > 0:
        stop = to_price(order["protect"], instrument["tick_num"], instrument["tick_den"])
        taker = margins_of(state)[symbol]["taker"]
        loss = loss_of_lot(side, at, stop, taker, costs_of(state)["half_spread"], instrument)
    asked = Asked(side, at, worth, stop, loss, order["confidence"])
    own = own_of(state, order, k, max(0, ahead) * worth, equity, owner)
    portfolio = portfolio_of(state, leg, side, k, own.committed, equity, barred, owner)
    opening, reason = judge(limit, asked, own, portfolio, lots - reducing)
    if opening > 0 and limit["volatility"] > 0.0:
        pairs_of(state)[symbol]["leverage"] = own.leverage
    return reducing + opening, opening, reason


# -- what is on its way ----------------------------------------------------------------------------------------------


@kernel(inline=True)
def held_by(state: int, leg: int, owner: int) -> int:
    """Signed lots of `leg` that a strategy holds; of EVERYONE what the account holds."""
    return int(position_by(state, leg, owner)["lots"])


@kernel(inline=True)
def position_by(state: int, leg: int, owner: int) -> Any:
    """What a strategy holds of `leg`; of EVERYONE what the account holds."""
    if owner == EVERYONE:
        return positions_of(state)[leg]
    return shares_of(state)[owner * len(positions_of(state)) + leg]


@kernel(inline=True)
def tally(state: int, owner: int) -> None:
    """Add up what the orders of `owner` (or EVERYONE) that are on their way may buy and sell of each leg."""
    legs, orders, positions = ahead_of(state), orders_of(state), positions_of(state)
    for leg in range(len(legs)):
        ahead = legs[leg]
        ahead["bought"] = ahead["sold"] = ahead["covered"] = ahead["left"] = 0
        ahead["price"] = positions[positions[leg]["symbol"]]["close"]
    for i in range(account_of(state)["orders"]):
        order = orders[i]
        if owner != EVERYONE and order["owner"] != owner:
            continue
        ahead, rest = legs[order["leg"]], order["lots"] - order["filled"]
        if order["reduce_only"]:  # stops and targets may never fill
            if order["type"] == _MARKET and order["side"] > 0:
                ahead["covered"] += rest
            elif order["type"] == _MARKET:
                ahead["left"] += rest
            continue
        if order["side"] > 0:
            ahead["bought"] += rest
        else:
            ahead["sold"] += rest
        if ahead["price"] != ahead["price"]:  # before its first bar an order's own price must do
            instrument = instruments_of(state)[order["symbol"]]
            ticks = order["price"] or order["trigger"]
            ahead["price"] = to_price(ticks, instrument["tick_num"], instrument["tick_den"])


@kernel(inline=True)
def coming(state: int, leg: int, side: int, owner: int) -> int:
    """Lots held on `side` (negative: on the other) once the orders of that side that are on their way have filled."""
    ahead = ahead_of(state)[leg]
    bought, closing = (ahead["bought"], ahead["covered"]) if side > 0 else (ahead["sold"], ahead["left"])
    lots = side * held_by(state, leg, owner) + bought
    return int(lots + min(closing, max(0, -lots)))


@kernel(inline=True)
def farthest(state: int, leg: int, owner: int) -> int:
    """The position, in signed lots, that `leg` may come to at most, whichever of its opening orders fill."""
    ahead, held = ahead_of(state)[leg], held_by(state, leg, owner)
    up, down = held + ahead["bought"], held - ahead["sold"]
    return int(up if abs(up) >= abs(down) else down)


@kernel(inline=True)
def worth_ahead(state: int, leg: int) -> float:
    """Notional of one lot of `leg` at the last price."""
    return lot_worth(ahead_of(state)[leg]["price"], instruments_of(state)[positions_of(state)[leg]["symbol"]])


@kernel
def last_row(state: int, k: int, symbol: int) -> int:
    """The last row of `symbol` up to `k`, −1 if there is none for long."""
    symbols = times_of(state)[2]
    if len(instruments_of(state)) == 1:
        return k
    end = max(-1, k - _PATIENCE * len(instruments_of(state)))
    while k > end and symbols[k] != symbol:
        k -= 1
    return k if k > end else -1


# -- what the rules are told -----------------------------------------------------------------------------------------


@kernel(inline=True)
def own_of(state: int, order: Any, k: int, committed: float, equity: float, owner: int) -> Own:
    """What the rules are told of the order's own symbol; committed: see `Own`."""
    limit, symbol, leg = limits_of(state), order["symbol"], order["leg"]
    instrument, terms = instruments_of(state)[symbol], margins_of(state)[symbol]
    at_stop, volume, safe, carried = 0.0, math.inf, math.inf, math.inf
    if order["protect"] > 0 and limit["risk_per_trade"] < math.inf:
        at_stop = lost_at_stops(state, leg, order["side"], owner)
    leverage = leverage_of(state, k, symbol)
    if limit["max_volume_share"] < math.inf:
        volume = math.nan
        row = last_row(state, k, symbol)
        if 0 <= row < len(volumes_of(state)):
            volume = volumes_of(state)[row] * instrument["lot_den"] / instrument["lot_num"]
    if instrument["can_short"] and (limit["min_liquidation"] > -math.inf or limit["max_margin_use"] < math.inf):
        others = maintained(state, leg, owner)
        if limit["max_margin_use"] < math.inf:
            carried = notional_carried(limit["max_margin_use"] * equity - others, terms, tiers_of(state))
        if limit["min_liquidation"] > -math.inf:
            inverse = instrument["inverse"] != 0
            safe = notional_safe(
                equity - others, limit["min_liquidation"], inverse, terms["leverage"], terms, tiers_of(state)
            )
    return Own(committed, at_stop, leverage, volume, math.inf, safe, carried)


@kernel(inline=True)
def leverage_of(state: int, k: int, symbol: int) -> float:
    """The leverage by which the initial margin of `symbol` is reckoned; NaN if its volatility is not known."""
    limit, volatility = limits_of(state), volatility_of(state)
    if not limit["volatility"] > 0.0:
        return float(limit["leverage"])
    symbols, measured, row = times_of(state)[2], math.nan, min(k, len(volatility) - 1)
    end = max(-1, row - _FINE * len(instruments_of(state)))
    while row > end and measured != measured:  # of nested bars only some rows have one
        if symbols[row] == symbol:
            measured = volatility[row]
        row -= 1
    return turned_leverage(limit["leverage"], limit["volatility"], measured, limit["max_leverage"])


@kernel
def lost_at_stops(state: int, leg: int, side: int, owner: int) -> float:
    """Ledger units that what is held, or on its way, on `side` of `leg` loses at its stops, from its entry, with costs.

    What no stop is known of does not count.
    """
    orders, positions = orders_of(state), positions_of(state)
    symbol = positions[leg]["symbol"]
    instrument, spread = instruments_of(state)[symbol], costs_of(state)["half_spread"]
    taker = margins_of(state)[symbol]["taker"]
    position = position_by(state, leg, owner)
    held = max(0, side * position["lots"])
    sent = guarded = 0.0
    lots = 0
    for i in range(account_of(state)["orders"]):
        order = orders[i]
        if order["leg"] != leg or (owner != EVERYONE and order["owner"] != owner):
            continue
        rest = order["lots"] - order["filled"]
        if not order["reduce_only"] and order["side"] == side and order["protect"] > 0:
            stop = to_price(order["protect"], instrument["tick_num"], instrument["tick_den"])
            entry = worth_at(order, positions[symbol]["close"], instrument)
            sent += rest * loss_of_lot(side, entry, stop, taker, spread, instrument)
        guards = order["reduce_only"] and order["side"] == -side and order["rising"] == order["side"]
        if held > 0 and guards and order["type"] >= _STOP and order["trigger"] > 0 and order["status"] != _HELD:
            rest = held if order["closes"] else rest
            stop = to_price(order["trigger"], instrument["tick_num"], instrument["tick_den"])
            stop = traded_at(stop, -side, spread, instrument)
            fees = taker / RATE_SCALE * (abs(position["cost"]) / held + lot_worth(stop, instrument))
            guarded += rest * max(0.0, fees - unrealised(position, instrument, stop) / held)
            lots += rest
    if lots > held:  # several stops for the same lots
        guarded *= held / lots
    return sent + guarded


@kernel
def maintained(state: int, leg: int, owner: int) -> float:
    """Maintenance margin of all other legs, as large as they may come to be."""
    positions, margins = positions_of(state), margins_of(state)
    total = 0.0
    for other in range(len(positions)):
        lots, symbol = abs(farthest(state, other, owner)), positions[other]["symbol"]
        if other != leg and lots > 0 and instruments_of(state)[symbol]["can_short"]:
            first, last = margins[symbol]["first_tier"], margins[symbol]["last_tier"]
            total += maintenance_margin(tiers_of(state), first, last, lots * worth_ahead(state, other))
    return total


@kernel(inline=True)
def portfolio_of(
    state: int, leg: int, side: int, k: int, committed: float, equity: float, barred: int, owner: int
) -> Portfolio:  # fmt: skip
    """What the rules are told of the account and its other positions."""
    limit, positions = limits_of(state), positions_of(state)
    gross = margin = net = 0.0
    active = 0
    for other in range(len(positions)):
        lots = abs(farthest(state, other, owner))
        if other == leg or lots == 0:
            continue
        active += 1
        worth = worth_ahead(state, other)
        leverage = limit["leverage"]
        if limit["volatility"] > 0.0 and pairs_of(state)[positions[other]["symbol"]]["leverage"] > 0.0:
            leverage = pairs_of(state)[positions[other]["symbol"]]["leverage"]
        gross += lots * worth
        margin += lots * worth / leverage
        net += coming(state, other, side, owner) * worth
    like, cluster = 0, 0.0
    if active > 0 and (active + 1 > limit["max_correlated"] or limit["max_cluster"] < math.inf):
        like, cluster = cluster_of(state, leg, k, owner)
    unit = covariance = variance = 0.0
    if limit["max_var"] < math.inf or limit["max_shortfall"] < math.inf:
        unit, covariance, variance = spread_of(state, leg, side, k, committed, owner)
    return Portfolio(equity, barred, gross, margin, net, like, cluster, unit, covariance, variance)


@kernel
def cluster_of(state: int, leg: int, k: int, owner: int) -> tuple[int, float]:
    """How many other positions, held or on their way, are in symbols correlated with that of `leg`, and their worth."""
    positions, least = positions_of(state), limits_of(state)["correlation"]
    symbol, like, worth = positions[leg]["symbol"], 0, 0.0
    for other in range(len(positions)):
        lots = abs(farthest(state, other, owner))
        if other == leg or lots == 0:
            continue
        correlation = 1.0
        if positions[other]["symbol"] != symbol:
            correlation = together(state, k, symbol, positions[other]["symbol"])[0]
        if alike(correlation, least):
            like += 1
            worth += lots * worth_ahead(state, other)
    return like, worth


@kernel
def spread_of(state: int, leg: int, side: int, k: int, committed: float, owner: int) -> tuple[float, float, float]:
    """`unit`, `covariance` and `variance` of a `Portfolio`.

    Of each position counts the largest that it may come to. Of two whose covariance is not known the worst is taken:
    that they lose together.
    """
    positions = positions_of(state)
    own = positions[leg]["symbol"]
    unit = together(state, k, own, own)[1]
    covariance = variance = 0.0
    for first in range(len(positions)):
        one = side * committed if first == leg else farthest(state, first, owner) * worth_ahead(state, first)
        if not abs(one) > 0.0:
            continue
        symbol = positions[first]["symbol"]
        covariance += worst(state, k, own, symbol, side, one)
        variance += worst(state, k, symbol, symbol, one, one)
        for second in range(first):
            two = side * committed if second == leg else farthest(state, second, owner) * worth_ahead(state, second)
            if abs(two) > 0.0:
                variance += 2.0 * worst(state, k, symbol, positions[second]["symbol"], one, two)
    return unit, covariance, variance


@kernel
def worst(state: int, k: int, first: int, second: int, one: float, two: float) -> float:
    """one · two · covariance of the symbols; where that is not known, what it is at most."""
    covariance = together(state, k, first, second)[1]
    if covariance == covariance:
        return one * two * covariance
    return abs(one * two) * math.sqrt(together(state, k, first, first)[1] * together(state, k, second, second)[1])


@kernel(inline=True)
def worth_at(order: Any, close: float, instrument: Any) -> float:
    """The price at which an order's notional is judged: the highest at which it is likely to trade.

    The least that a sale brings by its limit, and a purchase costs by its trigger, is the market.
    """
    ticks = order["trigger"] if order["trigger"] > 0 else order["price"]
    if ticks == 0:
        return float(close)
    at = to_price(ticks, instrument["tick_num"], instrument["tick_den"])
    rising = order["rising"] > 0 if order["trigger"] > 0 else order["side"] < 0
    return float(close if rising and close > at else at)
