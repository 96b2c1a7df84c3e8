"""The venue's filters: whether it would take an order at all, and if not, why.

The rules are Binance's ("Filters" in binance-spot-api-docs; exchangeInfo of USD-M and COIN-M); other venues have fewer.
What they say of a price's tick and a quantity's step holds by construction here, where both are integers; the texts
that a venue answers with are in `venues`. Assumed: of several broken rules it names the first in the order below.
"""

from typing import Any

from truewind.domain.order import Reason
from truewind.numerics.exact import to_price
from truewind.numerics.jit import kernel
from truewind.portfolio.worth import own_worth

_NONE, _BAD_PRICE, _NO_PRICE = int(Reason.NONE), int(Reason.BAD_PRICE), int(Reason.NO_PRICE)
_BELOW_MIN_PRICE, _ABOVE_MAX_PRICE = int(Reason.BELOW_MIN_PRICE), int(Reason.ABOVE_MAX_PRICE)
_ABOVE_BAND, _BELOW_BAND = int(Reason.ABOVE_PRICE_BAND), int(Reason.BELOW_PRICE_BAND)
_BELOW_MIN_QUANTITY, _ABOVE_MAX_QUANTITY = int(Reason.BELOW_MIN_QUANTITY), int(Reason.ABOVE_MAX_QUANTITY)
_MARKET_QUANTITY, _OFF_STEP = int(Reason.MARKET_QUANTITY), int(Reason.OFF_STEP)
_BELOW_MIN_NOTIONAL, _ABOVE_MAX_NOTIONAL = int(Reason.BELOW_MIN_NOTIONAL), int(Reason.ABOVE_MAX_NOTIONAL)
_POSITION_LIMIT = int(Reason.POSITION_LIMIT)
_TOO_MANY_ORDERS, _TOO_MANY_CONDITIONAL = int(Reason.TOO_MANY_ORDERS), int(Reason.TOO_MANY_CONDITIONAL)
_TOO_MANY_ICEBERGS, _ICEBERG_PARTS = int(Reason.TOO_MANY_ICEBERGS), int(Reason.ICEBERG_PARTS)
_TRAILING_DISTANCE = int(Reason.TRAILING_DISTANCE)
# The reference is a float (a mean or a mark); a price that equals its multiple must not fail by rounding.
_HAIR = 1e-12


@kernel
def check_price(rule: Any, instrument: Any, side: int, price: int, reference: float) -> int:
    """PRICE_FILTER and PERCENT_PRICE(_BY_SIDE) for a limit or trigger at `price` ticks. Returns a Reason.

    reference: mean price on spot, mark price on futures; NaN if nothing is known yet, which passes the band.
    """
    if price <= 0:
        return _BAD_PRICE
    if price < rule["min_price"]:
        return _BELOW_MIN_PRICE
    if price > rule["max_price"]:
        return _ABOVE_MAX_PRICE
    at = to_price(price, instrument["tick_num"], instrument["tick_den"])
    up = rule["bid_up"] if side > 0 else rule["ask_up"]
    down = rule["bid_down"] if side > 0 else rule["ask_down"]
    if at > reference * up * (1.0 + _HAIR):
        return _ABOVE_BAND
    if at < reference * down * (1.0 - _HAIR):
        return _BELOW_BAND
    return _NONE


@kernel(inline=True)
def check_quantity(rule: Any, lots: int, market: bool) -> int:
    """LOT_SIZE, and for market orders MARKET_LOT_SIZE. Returns a Reason."""
    if lots < rule["min_lots"]:
        return _BELOW_MIN_QUANTITY
    if lots > rule["max_lots"]:
        return _ABOVE_MAX_QUANTITY
    if market:
        if lots < rule["market_min_lots"] or lots > rule["market_max_lots"]:
            return _MARKET_QUANTITY
        if lots % rule["market_step"] != 0:
            return _OFF_STEP
    return _NONE


@kernel(inline=True)
def check_notional(rule: Any, instrument: Any, lots: int, price: int, market: bool, reduce_only: bool) -> int:
    """MIN_NOTIONAL and NOTIONAL, reckoned at `price` ticks: the limit, or the reference for a market order.

    Reduce-only orders are exempt from the minimum (error -4164 says so). Returns a Reason.
    """
    worth = own_worth(price, lots, instrument)
    if worth < 0:
        return _ABOVE_MAX_NOTIONAL
    if worth < rule["min_notional"] and not reduce_only and (rule["market_min_notional"] or not market):
        return _BELOW_MIN_NOTIONAL
    if worth > rule["max_notional"] and (rule["market_max_notional"] or not market):
        return _ABOVE_MAX_NOTIONAL
    return _NONE


@kernel(inline=True)
def check_counts(rule: Any, orders: int, conditional: int, icebergs: int, kind: int) -> int:
    """MAX_NUM_ORDERS, MAX_NUM_ALGO_ORDERS and MAX_NUM_ICEBERG_ORDERS for one more order. Returns a Reason.

    orders, conditional, icebergs: how many the account has open in this symbol, the first counting all of them.
    kind: 0 plain, 1 conditional, 2 iceberg.
    """
    if orders >= rule["max_orders"]:
        return _TOO_MANY_ORDERS
    if kind == 1 and conditional >= rule["max_conditional"]:
        return _TOO_MANY_CONDITIONAL
    if kind == 2 and icebergs >= rule["max_icebergs"]:
        return _TOO_MANY_ICEBERGS
    return _NONE


@kernel(inline=True)
def check_filters(
    rule: Any,
    instrument: Any,
    side: int,
    lots: int,
    price: int,
    trigger: int,
    market: bool,
    reduce_only: bool,
    reference: float,
    held: int,
) -> int:
    """All filters of one order but the counts, in this order: price, band, quantity, notional, position.

    price: ticks of the limit, 0 for a market order; trigger: ticks, 0 without one. market: it trades at market, at once
    or when triggered. held: lots held and on order to buy (spot's MAX_POSITION). Returns a Reason, NONE if it passes.
    """
    if trigger != 0:
        reason = check_price(rule, instrument, side, trigger, reference)
        if reason != _NONE:
            return reason
    if not market:
        reason = check_price(rule, instrument, side, price, reference)
        if reason != _NONE:
            return reason
    reason = check_quantity(rule, lots, market)
    if reason != _NONE:
        return reason
    at = price
    if market:
        at = trigger
        if at == 0:
            if not reference > 0.0:
                return _NO_PRICE
            at = max(1, round(reference * instrument["tick_den"] / instrument["tick_num"]))
    reason = check_notional(rule, instrument, lots, at, market, reduce_only)
    if reason != _NONE:
        return reason
    if side > 0 and held > rule["max_position"] - lots:  # so that it cannot overflow
        return _POSITION_LIMIT
    return _NONE


@kernel
def check_iceberg(rule: Any, lots: int, shown: int) -> int:
    """ICEBERG_PARTS: a venue takes an order in no more than so many slices of `shown` lots. Returns a Reason."""
    if shown < rule["min_lots"]:
        return _BELOW_MIN_QUANTITY
    return _ICEBERG_PARTS if (lots + shown - 1) // shown > rule["iceberg_parts"] else _NONE


@kernel
def check_trailing(rule: Any, basis_points: int, above: bool) -> int:
    """TRAILING_DELTA, for orders whose trigger lies above the market or below it. Returns a Reason."""
    least = rule["min_trailing_above"] if above else rule["min_trailing_below"]
    most = rule["max_trailing_above"] if above else rule["max_trailing_below"]
    return _TRAILING_DISTANCE if basis_points < least or basis_points > most else _NONE
