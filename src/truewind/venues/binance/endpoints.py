"""Binance's REST endpoints and limits: method, path, what a request weighs, what it must carry.

Client and local exchange both read this table, so neither can be kinder than the other. Sources, as of November 2026:
"Limits", "Market Data endpoints", "Trading endpoints" and "Account endpoints" in binance-spot-api-docs; "General Info",
"Market Data Endpoints", "Trade" and "Account Endpoints" of USD-M futures on developers.binance.com. Weights of depth
and klines depend on `limit`, those of tickers on how many symbols are asked for.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import msgspec

Weight = Callable[[Mapping[str, str]], int]


class Security(StrEnum):
    """What a request must carry: nothing, an API key, or a key and a signature (with `timestamp`)."""

    NONE = "NONE"
    MARKET_DATA = "MARKET_DATA"  # key
    USER_STREAM = "USER_STREAM"  # key
    USER_DATA = "USER_DATA"  # key and signature
    TRADE = "TRADE"  # key and signature

    @property
    def needs_key(self) -> bool:
        return self is not Security.NONE

    @property
    def needs_signature(self) -> bool:
        return self in (Security.USER_DATA, Security.TRADE)


class Budget(StrEnum):
    """Which allowance of an IP address a request is taken from."""

    WEIGHT = "weight"
    STATISTICS = "statistics"  # /futures/data: requests, not weight
    FUNDING = "funding"  # fundingRate and fundingInfo share one


class Endpoint(msgspec.Struct, frozen=True):
    """One endpoint. orders: how much it takes of the account's allowance of orders."""

    method: str
    path: str
    weight: Weight
    security: Security = Security.NONE
    budget: Budget = Budget.WEIGHT
    orders: int = 0


class Allowance(msgspec.Struct, frozen=True):
    """At most `limit` within each window of `seconds` (windows begin at whole multiples of it)."""

    limit: int
    seconds: int


class Limits(msgspec.Struct, frozen=True):
    """What a market allows. Counted by IP address, orders by account.

    weight: of all requests. raw: their number, where the venue limits it. orders: in short and long windows.
    budgets: of endpoints that are counted by themselves.
    streams: a connection may carry; messages: clients may send a second and connection, pings and pongs included.
    connections: attempts. session_s: after which the venue closes a connection. ping_s, pong_s: how often it sends a
    ping, and how long it waits for the pong.
    """

    weight: Allowance
    orders: tuple[Allowance, ...]
    streams: int
    messages: int
    ping_s: int
    pong_s: int
    raw: Allowance | None = None
    budgets: Mapping[Budget, Allowance] = MappingProxyType({})
    connections: Allowance = Allowance(300, 300)
    session_s: int = 86_400


def _flat(weight: int) -> Weight:
    return lambda parameters: weight


def _steps(*steps: tuple[int, int], default: int) -> Weight:
    """Weight by `limit`: of the first step (limit up to, weight) that holds it, of the last beyond."""

    def weight(parameters: Mapping[str, str]) -> int:
        limit = _count(parameters.get("limit"), default)
        return next((weight for upto, weight in steps if limit <= upto), steps[-1][1])

    return weight


def _one_or_all(one: int, every: int) -> Weight:
    """Weight with a symbol, and without one, when all symbols are answered."""
    return lambda parameters: one if parameters.get("symbol") else every


def _by_symbols(*steps: tuple[int, int], every: int) -> Weight:
    """Weight by the number of symbols in `symbols`, or of `symbol`."""

    def weight(parameters: Mapping[str, str]) -> int:
        if not parameters.get("symbol") and not parameters.get("symbols"):
            return every
        count = _listed(parameters.get("symbols"))
        return next((weight for upto, weight in steps if count <= upto), every)

    return weight


def _each_symbol(weight: int, most: int) -> Weight:
    return lambda parameters: min(most, weight * _listed(parameters.get("symbols")))


def _listed(symbols: str | None) -> int:
    try:
        names = json.loads(symbols) if symbols else None
    except ValueError:
        return 1
    return len(names) if isinstance(names, list) else 1


def _count(text: str | None, default: int) -> int:
    """A `limit` as far as it can be read; what cannot is refused later, at the least weight."""
    return int(text) if text and text.isascii() and text.isdigit() else default


_KEY, _DATA, _TRADE, _STREAM = Security.MARKET_DATA, Security.USER_DATA, Security.TRADE, Security.USER_STREAM
_DEPTH_SPOT = _steps((100, 5), (500, 25), (1000, 50), (5000, 250), default=100)
_DEPTH_USDM = _steps((50, 2), (100, 5), (500, 10), (1000, 20), default=500)
_KLINES_USDM = _steps((99, 1), (499, 2), (1000, 5), (1500, 10), default=500)


def _endpoints(prefix: str, *lines: tuple[Any, ...], budget: Budget = Budget.WEIGHT) -> Iterator[Endpoint]:
    """Of lines (methods, path, weight[, security[, orders]])."""
    for methods, path, weight, *rest in lines:
        security = rest[0] if rest else Security.NONE
        orders = rest[1] if len(rest) > 1 else 0
        for method in str(methods).split():
            fixed = _flat(weight) if isinstance(weight, int) else weight
            yield Endpoint(method, f"{prefix}{path}", fixed, security, budget, orders)


_SPOT_TABLE = (
    *_endpoints(
        "/api/v3",
        ("GET", "/ping", 1),
        ("GET", "/time", 1),
        ("GET", "/exchangeInfo", 20),
        ("GET", "/depth", _DEPTH_SPOT),
        ("GET", "/trades", 25),
        ("GET", "/historicalTrades", 25),
        ("GET", "/aggTrades", 4),
        ("GET", "/klines", 2),
        ("GET", "/uiKlines", 2),
        ("GET", "/avgPrice", 2),
        ("GET", "/ticker/24hr", _by_symbols((20, 2), (100, 40), every=80)),
        ("GET", "/ticker/price", _by_symbols((1, 2), every=4)),
        ("GET", "/ticker/bookTicker", _by_symbols((1, 2), every=4)),
        ("GET", "/ticker/tradingDay", _each_symbol(4, 200)),
        ("GET", "/ticker", _each_symbol(4, 200)),
        ("POST", "/order", 1, _TRADE, 1),
        ("POST", "/order/test", lambda p: 20 if p.get("computeCommissionRates", "").lower() == "true" else 1, _TRADE),
        ("GET", "/order", 4, _DATA),
        ("DELETE", "/order", 1, _TRADE),
        ("DELETE", "/openOrders", 1, _TRADE),
        ("GET", "/openOrders", _one_or_all(6, 80), _DATA),
        ("POST", "/order/cancelReplace", 1, _TRADE, 1),
        ("PUT", "/order/amend/keepPriority", 4, _TRADE),
        ("GET", "/order/amendments", 4, _DATA),
        ("GET", "/allOrders", 20, _DATA),
        ("POST", "/orderList/oco", 1, _TRADE, 2),
        ("POST", "/orderList/oto", 1, _TRADE, 2),
        ("POST", "/orderList/otoco", 1, _TRADE, 3),
        ("POST", "/order/oco", 1, _TRADE, 2),
        ("DELETE", "/orderList", 1, _TRADE),
        ("GET", "/orderList", 4, _DATA),
        ("GET", "/allOrderList", 20, _DATA),
        ("GET", "/openOrderList", 6, _DATA),
        ("GET", "/account", 20, _DATA),
        ("GET", "/account/commission", 20, _DATA),
        ("GET", "/myTrades", lambda p: 5 if p.get("orderId") else 20, _DATA),
        ("GET", "/rateLimit/order", 40, _DATA),
        ("GET", "/myPreventedMatches", lambda p: 2 if p.get("preventedMatchId") else 20, _DATA),
        ("POST PUT DELETE", "/userDataStream", 2, _STREAM),
    ),
)
_USDM_TABLE = (
    *_endpoints(
        "/fapi/v1",
        ("GET", "/ping", 1),
        ("GET", "/time", 1),
        ("GET", "/exchangeInfo", 1),
        ("GET", "/depth", _DEPTH_USDM),
        ("GET", "/trades", 5),
        ("GET", "/historicalTrades", 20, _KEY),
        ("GET", "/aggTrades", 20),
        ("GET", "/klines", _KLINES_USDM),
        ("GET", "/continuousKlines", _KLINES_USDM),
        ("GET", "/indexPriceKlines", _KLINES_USDM),
        ("GET", "/markPriceKlines", _KLINES_USDM),
        ("GET", "/premiumIndexKlines", _KLINES_USDM),
        ("GET", "/premiumIndex", _one_or_all(1, 10)),
        ("GET", "/ticker/24hr", _one_or_all(1, 40)),
        ("GET", "/ticker/price", _one_or_all(1, 2)),
        ("GET", "/ticker/bookTicker", _one_or_all(2, 5)),
        ("GET", "/openInterest", 1),
        ("POST PUT", "/order", 0, _TRADE, 1),
        ("POST", "/order/test", 0, _TRADE),
        ("GET", "/order", 1, _DATA),
        ("DELETE", "/order", 1, _TRADE),
        ("POST PUT", "/batchOrders", 5, _TRADE, 5),
        ("DELETE", "/batchOrders", 1, _TRADE),
        ("DELETE", "/allOpenOrders", 1, _TRADE),
        ("POST", "/countdownCancelAll", 10, _TRADE),
        ("GET", "/openOrder", 1, _DATA),
        ("GET", "/openOrders", _one_or_all(1, 40), _DATA),
        ("GET", "/allOrders", 5, _DATA),
        ("GET", "/userTrades", 5, _DATA),
        ("POST", "/algoOrder", 0, _TRADE, 1),
        ("DELETE", "/algoOrder", 1, _TRADE),
        ("GET", "/algoOrder", 1, _DATA),
        ("DELETE", "/algoOpenOrders", 1, _TRADE),
        ("GET", "/openAlgoOrders", _one_or_all(1, 40), _DATA),
        ("GET", "/allAlgoOrders", 5, _DATA),
        ("GET", "/account", 5, _DATA),
        ("GET", "/balance", 5, _DATA),
        ("GET", "/positionRisk", 5, _DATA),
        ("GET", "/income", 30, _DATA),
        ("POST", "/leverage", 1, _TRADE),
        ("POST", "/marginType", 1, _TRADE),
        ("POST", "/positionMargin", 1, _TRADE),
        ("POST", "/positionSide/dual", 1, _TRADE),
        ("GET", "/positionSide/dual", 30, _DATA),
        ("POST", "/multiAssetsMargin", 1, _TRADE),
        ("GET", "/multiAssetsMargin", 30, _DATA),
        ("GET", "/leverageBracket", 1, _DATA),
        ("GET", "/commissionRate", 20, _DATA),
        ("GET", "/adlQuantile", 5, _DATA),
        ("GET", "/forceOrders", _one_or_all(20, 50), _DATA),
        ("GET", "/rateLimit/order", 1, _DATA),
        ("GET", "/accountConfig", 5, _DATA),
        ("GET", "/symbolConfig", 5, _DATA),
        ("GET", "/apiTradingStatus", _one_or_all(1, 10), _DATA),
        ("POST PUT DELETE", "/listenKey", 1, _STREAM),
    ),
    *_endpoints("/fapi/v1", ("GET", "/fundingRate", 1), ("GET", "/fundingInfo", 1), budget=Budget.FUNDING),
    *_endpoints(
        "/fapi",
        ("GET", "/v2/ticker/price", _one_or_all(1, 2)),
        ("GET", "/v2/account", 5, _DATA),
        ("GET", "/v3/account", 5, _DATA),
        ("GET", "/v2/balance", 5, _DATA),
        ("GET", "/v3/balance", 5, _DATA),
        ("GET", "/v2/positionRisk", 5, _DATA),
        ("GET", "/v3/positionRisk", 5, _DATA),
    ),
    *_endpoints(
        "/futures/data",
        ("GET", "/openInterestHist", 1),
        ("GET", "/topLongShortAccountRatio", 1),
        ("GET", "/topLongShortPositionRatio", 1),
        ("GET", "/globalLongShortAccountRatio", 1),
        ("GET", "/takerlongshortRatio", 1),
        budget=Budget.STATISTICS,
    ),
)

SPOT, USDM = "spot", "usdm"
_TABLES = {SPOT: _SPOT_TABLE, USDM: _USDM_TABLE}
ENDPOINTS: Mapping[str, Mapping[tuple[str, str], Endpoint]] = MappingProxyType(
    {market: MappingProxyType({(line.method, line.path): line for line in table}) for market, table in _TABLES.items()}
)
LIMITS: Mapping[str, Limits] = MappingProxyType(
    {
        SPOT: Limits(
            weight=Allowance(6000, 60),
            orders=(Allowance(100, 10), Allowance(200_000, 86_400)),
            raw=Allowance(61_000, 300),
            streams=1024,
            messages=5,
            ping_s=20,
            pong_s=60,
        ),
        USDM: Limits(
            weight=Allowance(2400, 60),
            orders=(Allowance(300, 10), Allowance(1200, 60)),
            budgets=MappingProxyType(
                {Budget.STATISTICS: Allowance(1000, 300), Budget.FUNDING: Allowance(500, 300)},
            ),
            streams=200,
            messages=10,
            ping_s=180,
            pong_s=600,
        ),
    }
)


def endpoint(market: str, method: str, path: str) -> Endpoint | None:
    """The endpoint of a market ("spot", "usdm"); None if it has no such one."""
    return ENDPOINTS[market].get((method, path))
