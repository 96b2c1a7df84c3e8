"""Whatever is sent to a signed endpoint is granted or refused with a code: nothing breaks, and no money appears."""

from functools import cache
from typing import Any
from urllib.parse import quote

import orjson
from hypothesis import given
from hypothesis import strategies as st

from profiles import examples
from truewind.exchange import ExchangeConfig, LocalExchange
from truewind.exchange.accounts import LOCAL_KEY, LOCAL_SECRET
from truewind.venues.binance.endpoints import ENDPOINTS
from truewind.venues.binance.signing import HmacKey, Secret, signed

KEY = HmacKey(Secret(LOCAL_SECRET))
_BATCH = '[{"symbol":"BTCUSDT","side":"BUY","type":"MARKET","quantity":1}]'
VALUES: dict[str, list[str]] = {
    "symbol": ["BTCUSDT", "SOLUSDT", "NOPE", ""],
    "side": ["BUY", "SELL", "buy"],
    "type": [
        *("LIMIT", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT", "LIMIT_MAKER"),
        *("STOP", "STOP_MARKET", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET", "1", "2"),
    ],
    "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD", "?"],
    "quantity": ["0.01", "1", "0", "-1", "1e9", "99999999999999999999", "0.000000001", "abc", "NaN"],
    "quoteOrderQty": ["100", "0", "1e3", "100000000000"],
    "price": ["41000", "41000.1", "41000.123", "0", "9999999999", "0.0000001", ".5"],
    "stopPrice": ["41000", "45000", "0", "1"],
    "triggerPrice": ["41000", "45000", "0"],
    "callbackRate": ["1", "0.1", "99", "0.123"],
    "activatePrice": ["41000", "0"],
    "trailingDelta": ["100", "0", "999999", "x"],
    "icebergQty": ["0.001", "0.01", "5"],
    "newClientOrderId": ["a", "b b", "x" * 40, "é"],
    "clientAlgoId": ["a", "é"],
    "newOrderRespType": ["ACK", "RESULT", "FULL", "?"],
    "positionSide": ["BOTH", "LONG", "SHORT", "?"],
    "reduceOnly": ["true", "false", "maybe"],
    "closePosition": ["true", "false"],
    "priceMatch": ["QUEUE", "OPPONENT_20", "OPPONENT_7"],
    "workingType": ["MARK_PRICE", "CONTRACT_PRICE", "?"],
    "selfTradePreventionMode": ["NONE", "EXPIRE_BOTH", "?"],
    "goodTillDate": ["1", "99999999999999", "253402300799000", "x"],
    "algoType": ["CONDITIONAL", "VP"],
    "orderId": ["1", "2", "0", "-1", "99999999999999999999"],
    "algoId": ["1", "2", "x"],
    "origClientOrderId": ["a", "é"],
    "orderListId": ["1", "7"],
    "newQty": ["0.001", "5", "0"],
    "cancelReplaceMode": ["STOP_ON_FAILURE", "ALLOW_FAILURE", "?"],
    "cancelOrderId": ["1", "2"],
    "leverage": ["1", "50", "126", "-5", "x"],
    "marginType": ["ISOLATED", "CROSSED", "?"],
    "dualSidePosition": ["true", "false", "?"],
    "multiAssetsMargin": ["true", "false"],
    "amount": ["1", "100000000", "0"],
    "startTime": ["0", "1704153600000", "x"],
    "endTime": ["1", "1804153600000"],
    "fromId": ["0", "1"],
    "limit": ["1", "1000", "0", "5000"],
    "page": ["1", "0", "1000"],
    "orderIdList": ["[1,2]", "[]", "[", '["a"]', "{}"],
    "batchOrders": ["[{}]", _BATCH, "[1]", "null", "[null]"],
    **{f"{where}Type": ["LIMIT", "LIMIT_MAKER", "STOP_LOSS", "TAKE_PROFIT_LIMIT", "MARKET"]
       for where in ("above", "below", "working", "pending", "pendingAbove", "pendingBelow")},
    **{f"{where}Price": ["41000", "45000", "1", "0"]
       for where in ("above", "below", "working", "pending", "pendingAbove", "pendingBelow")},
    **{f"{where}StopPrice": ["39000", "45000", "0"] for where in ("above", "below", "pendingAbove", "pendingBelow")},
    **{f"{where}TimeInForce": ["GTC"] for where in ("above", "below", "working", "pending", "pendingAbove")},
    **{f"{where}Side": ["BUY", "SELL"] for where in ("working", "pending")},
    **{f"{where}Quantity": ["0.01", "0"] for where in ("working", "pending")},
    "recvWindow": ["5000", "60001", "x", "5000.5"],
}  # fmt: skip
SIGNED = [
    (market, line.method, line.path)
    for market, table in ENDPOINTS.items()
    for line in table.values()
    if line.security.needs_signature or "listenKey" in line.path
]


@cache
def exchange() -> LocalExchange:
    """One for all examples, so that what one leaves behind meets the next."""
    market = {"symbols": ("BTCUSDT", "SOLUSDT"), "start": "2024-01-01", "days": 2}
    settings = {"synthetic": market, "speed": 0, "idle": True, "limits": False}
    return LocalExchange(ExchangeConfig.model_validate(settings))


def ask(market: str, method: str, path: str, **params: str) -> Any:
    ours = exchange()
    params["timestamp"] = str(ours.clock.told_us() // 1000)
    payload = "&".join(f"{name}={quote(value, safe='')}" for name, value in params.items()).encode()
    reply = ours.gates[market].answer(method, path, signed(payload, KEY), b"", {"X-MBX-APIKEY": LOCAL_KEY}, "here")
    return reply.status, orjson.loads(reply.body)


ONE = {"symbol": "BTCUSDT"}
BUYS = {**ONE, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01", "price": "41000"}
WORKING = {**ONE, "workingType": "LIMIT", "workingSide": "BUY", "workingPrice": "41000", "workingQuantity": "0.01",
           "workingTimeInForce": "GTC", "pendingSide": "SELL", "pendingQuantity": "0.01"}  # fmt: skip
# What an endpoint would grant, from which examples stray.
BASES: dict[str, dict[str, str]] = {
    "/order": BUYS,
    "/order/test": BUYS,
    "/order/cancelReplace": {**BUYS, "cancelReplaceMode": "ALLOW_FAILURE", "cancelOrderId": "1"},
    "/order/amend/keepPriority": {**ONE, "orderId": "1", "newQty": "0.001"},
    "/orderList/oco": {**ONE, "side": "SELL", "quantity": "0.01", "aboveType": "LIMIT_MAKER", "abovePrice": "45000",
                       "belowType": "STOP_LOSS", "belowStopPrice": "39000"},
    "/orderList/oto": {**WORKING, "pendingType": "MARKET"},
    "/orderList/otoco": {**WORKING, "pendingAboveType": "LIMIT_MAKER", "pendingAbovePrice": "45000",
                         "pendingBelowType": "STOP_LOSS", "pendingBelowStopPrice": "39000"},
    "/algoOrder": {**ONE, "algoType": "CONDITIONAL", "side": "SELL", "type": "STOP_MARKET", "triggerPrice": "39000",
                   "quantity": "0.01"},
    "/leverage": {**ONE, "leverage": "50"},
    "/marginType": {**ONE, "marginType": "ISOLATED"},
    "/positionMargin": {**ONE, "amount": "1", "type": "1"},
    "/positionSide/dual": {"dualSidePosition": "false"},
    "/multiAssetsMargin": {"multiAssetsMargin": "false"},
    "/batchOrders": {**ONE, "batchOrders": _BATCH, "orderIdList": "[1,2]"},
}  # fmt: skip


@st.composite
def requests(draw: st.DrawFn) -> tuple[tuple[str, str, str], dict[str, str]]:
    """An endpoint, and what it would grant with some of it missing, changed or added."""
    line = draw(st.sampled_from(SIGNED))
    _, method, path = line
    base = dict(BASES.get(path.removeprefix("/api/v3").removeprefix("/fapi/v1"), ONE))
    if method in ("GET", "DELETE") or (method == "PUT" and path.startswith("/fapi")):
        base |= {"orderId": "1", "algoId": "1", "orderListId": "1"}
    names = sorted(VALUES)
    for _ in range(draw(st.integers(0, 4))):
        known = draw(st.booleans()) and base
        name = draw(st.sampled_from(sorted(base) if known else names))
        if known and draw(st.booleans()):
            del base[name]
        else:
            base[name] = draw(st.sampled_from(VALUES.get(name, ["x", ""])))
    return line, base


@examples(250)
@given(requests(), st.integers(0, 1))
def test_nonsense_is_refused_with_a_code(
    request: tuple[tuple[str, str, str], dict[str, str]], seconds: int
) -> None:  # fmt: skip
    line, given = request
    status, answer = ask(*line, **given)
    assert status in (200, 400, 404, 409, 410), (line, given, answer)
    if status != 200:
        assert answer["code"] < 0
        assert answer["msg"]
    ours = exchange()
    ours.move_to(ours.clock.now_us() + seconds * 1_000_000)
    account = ask("spot", "GET", "/api/v3/account")[1]
    assert all(float(row["free"]) >= 0 and float(row["locked"]) >= 0 for row in account["balances"])
    orders = ask("spot", "GET", "/api/v3/openOrders")[1]
    assert sum(float(row["locked"]) for row in account["balances"]) == 0 or orders
