"""exchangeInfo: instruments as the venue lists them, with its filters.

The inverse of `venues.binance.instruments`: what that reads from here is the instrument again.
"""

from decimal import Decimal
from typing import Any

from truewind.domain.instrument import Instrument
from truewind.venues.binance.endpoints import LIMITS, SPOT, USDM, Allowance

_SPOT_ORDERS = ("LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT")
_USDM_ORDERS = ("LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
_NEVER_MS = 4_133_404_800_000  # the delivery date of perpetuals
_UNITS = {1: "SECOND", 60: "MINUTE", 3600: "HOUR", 86_400: "DAY"}


def spot(instruments: list[Instrument], now_ms: int) -> dict[str, Any]:
    """GET /api/v3/exchangeInfo."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": _limits(SPOT),
        "exchangeFilters": [],
        "symbols": [_spot_symbol(about) for about in instruments],
    }


def usdm(instruments: list[Instrument], now_ms: int, onboard_ms: dict[str, int]) -> dict[str, Any]:
    """GET /fapi/v1/exchangeInfo."""
    margins = sorted({about.currency for about in instruments})
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": _limits(USDM),
        "exchangeFilters": [],
        "assets": [{"asset": asset, "marginAvailable": True, "autoAssetExchange": "-10000"} for asset in margins],
        "symbols": [_usdm_symbol(about, onboard_ms[about.symbol]) for about in instruments],
    }


def _limits(market: str) -> list[dict[str, Any]]:
    limits = LIMITS[market]
    lines = [_limit("REQUEST_WEIGHT", limits.weight), *(_limit("ORDERS", orders) for orders in limits.orders)]
    return [*lines, _limit("RAW_REQUESTS", limits.raw)] if limits.raw else lines


def _limit(kind: str, allowance: Allowance) -> dict[str, Any]:
    seconds = max(unit for unit in _UNITS if allowance.seconds % unit == 0)
    return {
        "rateLimitType": kind,
        "interval": _UNITS[seconds],
        "intervalNum": allowance.seconds // seconds,
        "limit": allowance.limit,
    }


def _spot_symbol(about: Instrument) -> dict[str, Any]:
    return {
        "symbol": about.symbol,
        "status": "TRADING",
        "baseAsset": about.base,
        "baseAssetPrecision": 8,
        "quoteAsset": about.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": list(_SPOT_ORDERS),
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": True,
        "opoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "pegInstructionsAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _spot_filters(about),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }


def _spot_filters(about: Instrument) -> list[dict[str, Any]]:
    rules, step = about.filters, about.order_step or about.lot_size
    most = about.max_quantity or Decimal(9_000_000)
    above, below = rules.trailing_above, rules.trailing_below
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": _eight(rules.min_price or about.tick_size),
            "maxPrice": _eight(rules.max_price or about.tick_size * 10_000_000_000),
            "tickSize": _eight(about.tick_size),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": _eight(about.min_quantity or step),
            "maxQty": _eight(most),
            "stepSize": _eight(step),
        },
        {"filterType": "ICEBERG_PARTS", "limit": rules.iceberg_parts or 10},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": _eight(rules.market_min_quantity),
            "maxQty": _eight(rules.market_max_quantity or most),
            "stepSize": _eight(rules.market_lot_size),
        },
        {
            "filterType": "TRAILING_DELTA",
            "minTrailingAboveDelta": above[0] or 10,
            "maxTrailingAboveDelta": above[1] or 2000,
            "minTrailingBelowDelta": below[0] or 10,
            "maxTrailingBelowDelta": below[1] or 2000,
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": _plain(rules.bid_up or Decimal(5)),
            "bidMultiplierDown": _plain(rules.bid_down or Decimal("0.2")),
            "askMultiplierUp": _plain(rules.ask_up or Decimal(5)),
            "askMultiplierDown": _plain(rules.ask_down or Decimal("0.2")),
            "avgPriceMins": rules.band_minutes or 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": _eight(about.min_notional or Decimal(5)),
            "applyMinToMarket": rules.market_min_notional,
            "maxNotional": _eight(rules.max_notional or Decimal(9_000_000)),
            "applyMaxToMarket": rules.market_max_notional,
            "avgPriceMins": rules.band_minutes or 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": rules.max_orders or 200},
        {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 20},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": rules.max_conditional or 5},
    ]


def _usdm_symbol(about: Instrument, onboard_ms: int) -> dict[str, Any]:
    rules = about.filters
    return {
        "symbol": about.symbol,
        "pair": f"{about.base}{about.quote}",
        "contractType": "CURRENT_QUARTER" if about.expiry_us else "PERPETUAL",
        "deliveryDate": about.expiry_us // 1000 if about.expiry_us else _NEVER_MS,
        "onboardDate": onboard_ms,
        "status": "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": about.base,
        "quoteAsset": about.quote,
        "marginAsset": about.currency,
        "pricePrecision": _places(about.tick_size),
        "quantityPrecision": _places(about.lot_size),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        "triggerProtect": f"{rules.trigger_protect or Decimal('0.05'):.4f}",
        "liquidationFee": f"{rules.liquidation_fee or Decimal('0.0125'):.6f}",
        "marketTakeBound": _plain(rules.market_take_bound or Decimal("0.05")),
        "maxMoveOrderLimit": 10_000,
        "filters": _usdm_filters(about),
        "orderTypes": list(_USDM_ORDERS),
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
        "permissionSets": ["GRID", "COPY"],
    }


def _usdm_filters(about: Instrument) -> list[dict[str, Any]]:
    rules, step = about.filters, about.order_step or about.lot_size
    most = about.max_quantity or Decimal(1_000_000)
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": _plain(rules.min_price or about.tick_size),
            "maxPrice": _plain(rules.max_price or about.tick_size * 100_000_000),
            "tickSize": _plain(about.tick_size),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": _plain(about.min_quantity or step),
            "maxQty": _plain(most),
            "stepSize": _plain(step),
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": _plain(rules.market_min_quantity or about.min_quantity or step),
            "maxQty": _plain(rules.market_max_quantity or most),
            "stepSize": _plain(rules.market_lot_size or step),
        },
        {"filterType": "MAX_NUM_ORDERS", "limit": rules.max_orders or 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": rules.max_conditional or 10},
        {"filterType": "MIN_NOTIONAL", "notional": _plain(about.min_notional or Decimal(5))},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": f"{rules.bid_up or Decimal('1.05'):.4f}",
            "multiplierDown": f"{rules.ask_down or Decimal('0.95'):.4f}",
            "multiplierDecimal": "4",
        },
        {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE", "noticeType": "NONE"},
    ]


def _eight(value: Decimal) -> str:
    return f"{value:.8f}"


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _places(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
