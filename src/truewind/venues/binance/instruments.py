"""Binance's exchangeInfo as instruments with all their filters, in the names of 2021 and of today.

Sources: "Filters" in binance-spot-api-docs; `GET /fapi/v1/exchangeInfo`, `GET /dapi/v1/exchangeInfo`. Of a filter,
"0" means that there is no such rule. PERCENT_PRICE of futures binds buys from above and sales from below only; spot's
binds both; PERCENT_PRICE_BY_SIDE has its own bounds for each side. NOTIONAL replaced MIN_NOTIONAL on spot.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from truewind.domain.filters import Filters
from truewind.domain.instrument import Instrument, Kind
from truewind.errors import FormatError, InstrumentError

SPOT, USDM, COINM = "binance", "binance_usdm", "binance_coinm"
_PERPETUAL = ("PERPETUAL", "TRADIFI_PERPETUAL")


def instruments(exchange_info: Mapping[str, Any], venue: str) -> Iterator[Instrument]:
    """Every symbol of an exchangeInfo reply. Raises FormatError that names the symbol and what is wrong with it."""
    if "symbols" not in exchange_info:
        raise FormatError("No symbols: this is no exchangeInfo reply", remedy="Pass the reply of GET …/exchangeInfo")
    for symbol in exchange_info["symbols"]:
        try:
            yield instrument(symbol, venue)
        except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, InstrumentError) as error:
            name = symbol.get("symbol", "a symbol") if isinstance(symbol, Mapping) else "an entry"
            raise FormatError(
                f"{name} of {venue}: cannot read {error}",
                remedy="Ask the venue for it again; if it stays so, its filters have changed",
                symbol=name,
            ) from None


def instrument(symbol: Mapping[str, Any], venue: str) -> Instrument:
    """One entry of exchangeInfo's `symbols`."""
    rules = {rule["filterType"]: rule for rule in symbol["filters"]}
    price, lot = rules["PRICE_FILTER"], rules["LOT_SIZE"]
    notional = rules.get("NOTIONAL") or rules.get("MIN_NOTIONAL") or {}
    futures = venue != SPOT
    perpetual = futures and symbol.get("contractType") in (*_PERPETUAL, "")
    kind = Kind.PERPETUAL if perpetual else Kind.FUTURE if futures else Kind.SPOT
    return Instrument(
        symbol=symbol["symbol"],
        venue=venue,
        kind=kind,
        base=symbol["baseAsset"],
        quote=symbol["quoteAsset"],
        settle=symbol.get("marginAsset", ""),
        tick_size=_number(price["tickSize"]),
        lot_size=_number(lot["stepSize"]),
        multiplier=_number(symbol.get("contractSize", 1)),
        min_quantity=_number(lot["minQty"]),
        max_quantity=_number(lot["maxQty"]),
        min_notional=_number(notional.get("minNotional", notional.get("notional", 0))),
        expiry_us=int(symbol["deliveryDate"]) * 1000 if kind is Kind.FUTURE else None,
        filters=_filters(symbol, rules, notional, futures),
    )


def _filters(
    symbol: Mapping[str, Any], rules: Mapping[str, Any], notional: Mapping[str, Any], futures: bool
) -> Filters:
    price, market = rules["PRICE_FILTER"], rules.get("MARKET_LOT_SIZE", {})
    bid_up, bid_down, ask_up, ask_down, minutes = _bands(rules, futures)
    trailing = rules.get("TRAILING_DELTA", {})
    return Filters(
        min_price=_number(price["minPrice"]),
        max_price=_number(price["maxPrice"]),
        bid_up=bid_up,
        bid_down=bid_down,
        ask_up=ask_up,
        ask_down=ask_down,
        band_minutes=minutes,
        market_lot_size=_number(market.get("stepSize", 0)),
        market_min_quantity=_number(market.get("minQty", 0)),
        market_max_quantity=_number(market.get("maxQty", 0)),
        max_notional=_number(notional.get("maxNotional", 0)),
        market_min_notional=bool(notional.get("applyMinToMarket", notional.get("applyToMarket", True))),
        market_max_notional=bool(notional.get("applyMaxToMarket", False)),
        max_orders=_count(rules, "MAX_NUM_ORDERS", "maxNumOrders"),
        max_conditional=_count(rules, "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders"),
        max_icebergs=_count(rules, "MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders"),
        iceberg_parts=_count(rules, "ICEBERG_PARTS", "limit"),
        max_position=_number(rules.get("MAX_POSITION", {}).get("maxPosition", 0)),
        trailing_above=(trailing.get("minTrailingAboveDelta", 0), trailing.get("maxTrailingAboveDelta", 0)),
        trailing_below=(trailing.get("minTrailingBelowDelta", 0), trailing.get("maxTrailingBelowDelta", 0)),
        liquidation_fee=_number(symbol.get("liquidationFee", 0)),
        market_take_bound=_number(symbol.get("marketTakeBound", 0)),
        trigger_protect=_number(symbol.get("triggerProtect", 0)),
    )


def _bands(rules: Mapping[str, Any], futures: bool) -> tuple[Decimal, Decimal, Decimal, Decimal, int]:
    """Multiples of the reference price: bid up, bid down, ask up, ask down; and the minutes of its mean."""
    sided = rules.get("PERCENT_PRICE_BY_SIDE")
    if sided is not None:
        names = ("bidMultiplierUp", "bidMultiplierDown", "askMultiplierUp", "askMultiplierDown")
        bid_up, bid_down, ask_up, ask_down = (_number(sided[name]) for name in names)
        return bid_up, bid_down, ask_up, ask_down, int(sided["avgPriceMins"])
    none = Decimal(0)
    band = rules.get("PERCENT_PRICE")
    if band is None:
        return none, none, none, none, 0
    up, down = _number(band["multiplierUp"]), _number(band["multiplierDown"])
    if futures:
        return up, none, none, down, 0
    return up, down, up, down, int(band["avgPriceMins"])


def _count(rules: Mapping[str, Any], name: str, field: str) -> int:
    """The limit of a counting filter: spot calls it by the filter's name, futures `limit`."""
    rule = rules.get(name, {})
    return int(rule.get(field, rule.get("limit", 0)))


def _number(value: str | int | float) -> Decimal:
    """Exact, without the zeros that the venue pads it with."""
    number = Decimal(str(value))
    return number.quantize(Decimal(1)) if number == number.to_integral_value() else number.normalize()
