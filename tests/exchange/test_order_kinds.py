"""Orders of every kind at the local exchange: accepted, told, and ended as the venue's documents say."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from exchange.signed import Client
from profiles import examples

Trade = Callable[..., None]
SPOT, USDM, ALGO = "/api/v3/order", "/fapi/v1/order", "/fapi/v1/algoOrder"
BTC = {"symbol": "BTCUSDT"}


@pytest.mark.parametrize(
    ("mode", "resting", "coming"),
    [("EXPIRE_MAKER", "EXPIRED_IN_MATCH", "FILLED"), ("EXPIRE_TAKER", "NEW", "EXPIRED_IN_MATCH"),
     ("EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH")],
)  # fmt: skip
@pytest.mark.parametrize("path", [SPOT, USDM])
def test_orders_of_one_account_do_not_meet(trade: Trade, path: str, mode: str, resting: str, coming: str) -> None:
    """The one that comes says which of the two ends ("Self Trade Prevention FAQ")."""

    async def test(client: Client) -> None:
        bid, _ = await client.best(market="spot" if path == SPOT else "usdm")
        made = {**BTC, "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01", "price": f"{bid:.1f}"}
        first = await client.do("POST", path, **made, side="BUY")
        second = await client.do("POST", path, **made, side="SELL", selfTradePreventionMode=mode)
        found = [(await client.do("GET", path, **BTC, orderId=row["orderId"]))["status"] for row in (first, second)]
        assert found == [resting, coming]

    trade(test)


@pytest.mark.parametrize("terms", [
    {"type": "LIMIT", "timeInForce": "GTC", "price": "30000", "quantity": "1", "icebergQty": "0.2"},
    {"type": "LIMIT_MAKER", "price": "30000", "quantity": "0.01"},
    {"type": "STOP_LOSS", "stopPrice": "60000", "quantity": "0.01"},
    {"type": "STOP_LOSS", "trailingDelta": "200", "quantity": "0.01"},
    {"type": "STOP_LOSS_LIMIT", "timeInForce": "GTC", "price": "60000", "stopPrice": "60000", "quantity": "0.01"},
    {"type": "TAKE_PROFIT", "stopPrice": "30000", "quantity": "0.01"},
    {"type": "TAKE_PROFIT_LIMIT", "timeInForce": "GTC", "price": "30000", "stopPrice": "30000", "quantity": "0.01"},
])  # fmt: skip
def test_orders_that_wait_on_spot(trade: Trade, terms: dict[str, str]) -> None:
    async def test(client: Client) -> None:
        made = await client.do("POST", SPOT, **BTC, side="BUY", **terms, newOrderRespType="RESULT")
        row = await client.do("GET", SPOT, **BTC, orderId=made["orderId"])
        assert row["status"] == made["status"] == "NEW"
        assert row["type"] == terms["type"]
        assert (
            row["isWorking"] == (made["workingTime"] > 0) == ("stopPrice" not in terms and "trailingDelta" not in terms)
        )
        for name, value in terms.items():
            if name in row and name not in ("timeInForce", "type"):
                assert float(row[name]) == float(value)
        client.pass_s(5)
        assert (await client.do("DELETE", SPOT, **BTC, orderId=made["orderId"]))["status"] == "CANCELED"
        account = await client.do("GET", "/api/v3/account")
        assert all(float(balance["locked"]) == 0 for balance in account["balances"])

    trade(test)


@pytest.mark.parametrize(("tif", "status", "filled"), [("IOC", "EXPIRED", True), ("FOK", "EXPIRED", False)])
def test_what_may_not_wait(trade: Trade, tif: str, status: str, filled: bool) -> None:
    """More than the best price displays: IOC takes what there is, FOK nothing."""

    async def test(client: Client) -> None:
        for path in (SPOT, USDM):
            _, ask = await client.best(market="spot" if path == SPOT else "usdm")
            much = "20" if path == SPOT else "100"
            terms = {"type": "LIMIT", "timeInForce": tif, "price": f"{ask:.1f}", "quantity": much}
            made = await client.do("POST", path, **BTC, side="BUY", **terms, newOrderRespType="RESULT")
            assert made["status"] == status
            assert (float(made["executedQty"]) > 0) == filled

    trade(test, accounts=[{"usdm": {"USDT": 10_000_000}}])


@pytest.mark.parametrize("terms", [
    {"type": "STOP", "triggerPrice": "60000", "price": "60000", "quantity": "0.01"},
    {"type": "TAKE_PROFIT", "triggerPrice": "30000", "price": "30000", "quantity": "0.01"},
    {"type": "TAKE_PROFIT_MARKET", "triggerPrice": "30000", "closePosition": "true"},
    {"type": "TRAILING_STOP_MARKET", "callbackRate": "1.5", "quantity": "0.01"},
    {"type": "TRAILING_STOP_MARKET", "callbackRate": "0.5", "activatePrice": "30000", "quantity": "0.01"},
])  # fmt: skip
def test_conditional_orders_of_usdm(trade: Trade, terms: dict[str, str]) -> None:
    async def test(client: Client) -> None:
        made = await client.do("POST", ALGO, **BTC, algoType="CONDITIONAL", side="BUY", **terms, clientAlgoId="mine")
        assert (made["algoStatus"], made["orderType"]) == ("NEW", terms["type"])
        again = {"algoType": "CONDITIONAL", "side": "BUY", **terms, "clientAlgoId": "mine"}
        assert await client.code("POST", ALGO, **BTC, **again) == -4116
        client.pass_s(5)
        row = await client.do("GET", ALGO, clientAlgoId="mine")
        for name, value in terms.items():
            if name in ("triggerPrice", "price", "callbackRate", "activatePrice"):
                assert float(row[name]) == float(value)
        assert (await client.do("DELETE", "/fapi/v1/algoOpenOrders", **BTC))["code"] == 200
        assert (await client.do("GET", ALGO, clientAlgoId="mine"))["algoStatus"] == "CANCELED"
        assert len(await client.do("GET", "/fapi/v1/allAlgoOrders", **BTC)) == 1

    trade(test)


def test_a_limit_order_takes_its_price_from_the_book(trade: Trade) -> None:
    """priceMatch: QUEUE is the best price of one's own side, OPPONENT_5 the fifth of the other."""

    async def test(client: Client) -> None:
        bid, ask = await client.best(market="usdm")
        terms = {**BTC, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
        made = await client.do("POST", USDM, **terms, priceMatch="QUEUE")
        assert (float(made["price"]), made["priceMatch"]) == (bid, "QUEUE")
        taken = await client.do("POST", USDM, **terms, priceMatch="OPPONENT_5")
        assert float(taken["price"]) >= ask + 0.4 - 1e-6
        assert await client.code("POST", USDM, **terms, priceMatch="BEST") == -5037
        assert await client.code("POST", USDM, **terms, priceMatch="QUEUE", price="1") == -5038

    trade(test)


def test_an_order_good_till_a_date_ends_then(trade: Trade) -> None:
    async def test(client: Client) -> None:
        now = client.exchange.clock.told_us() // 1000
        terms = {**BTC, "side": "BUY", "type": "LIMIT", "timeInForce": "GTD", "quantity": "0.01", "price": "35000"}
        assert await client.code("POST", USDM, **terms, goodTillDate=now + 599_000) == -5040
        made = await client.do("POST", USDM, **terms, goodTillDate=now + 601_000)
        client.pass_s(600)
        assert (await client.do("GET", USDM, **BTC, orderId=made["orderId"]))["status"] == "NEW"
        client.pass_s(2)
        assert (await client.do("GET", USDM, **BTC, orderId=made["orderId"]))["status"] == "EXPIRED"

    trade(test)


def test_orders_end_when_nobody_counts_down_anew(trade: Trade) -> None:
    async def test(client: Client) -> None:
        terms = {**BTC, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01", "price": "35000"}
        made = await client.do("POST", USDM, **terms)
        path = "/fapi/v1/countdownCancelAll"
        assert (await client.do("POST", path, **BTC, countdownTime=5000))["countdownTime"] == "5000"
        client.pass_s(4)
        await client.do("POST", path, **BTC, countdownTime=5000)
        client.pass_s(4)
        assert (await client.do("GET", USDM, **BTC, orderId=made["orderId"]))["status"] == "NEW"
        client.pass_s(1)
        assert (await client.do("GET", USDM, **BTC, orderId=made["orderId"]))["status"] == "CANCELED"

    trade(test)


def test_accounts_know_nothing_of_each_other(trade: Trade) -> None:
    async def test(client: Client) -> None:
        await client.do("POST", USDM, **BTC, side="BUY", type="MARKET", quantity="0.1")
        await client.do("POST", SPOT, **BTC, side="BUY", type="MARKET", quantity="0.1")
        client.key = "b" * 64
        assert not await client.do("GET", "/fapi/v3/positionRisk")
        assert not await client.do("GET", "/api/v3/myTrades", **BTC)
        assert await client.code("POST", SPOT, **BTC, side="BUY", type="MARKET", quantity="0.1") == -2010
        assert await client.code("POST", USDM, **BTC, side="BUY", type="MARKET", quantity="0.1") == -2019

    trade(test, accounts=[{}, {"key": "b" * 64, "spot": {}, "usdm": {}}])


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["market", "limit", "reduce", "stop", "cancel", "wait"]),
        st.sampled_from(["BUY", "SELL"]),
        st.integers(1, 900),
        st.integers(-20, 20),
        st.sampled_from(["BTCUSDT", "SOLUSDT"]),
    ),
    min_size=1,
    max_size=15,
)


@examples(12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_futures_money_is_neither_made_nor_lost(trade: Trade, steps: list[tuple[Any, ...]]) -> None:
    """Whatever is done: positions are the sum of trades, the wallet of income; nothing works without margin for it."""

    async def test(client: Client) -> None:
        for what, side, lots, away, symbol in steps:
            bid, ask = await client.best(symbol, "usdm")
            one = {"symbol": symbol, "side": side, "quantity": f"{lots / 1000:.3f}" if symbol[0] == "B" else lots}
            price = f"{(bid + ask) / 2 * (1 + away / 4000):.1f}"
            if what == "wait":
                client.pass_s(lots / 10)
            elif what == "cancel":
                await client.ask("DELETE", "/fapi/v1/allOpenOrders", symbol=symbol)
            elif what == "stop":
                await client.ask("POST", ALGO, **one, algoType="CONDITIONAL", type="STOP_MARKET", triggerPrice=price)
            elif what == "limit":
                await client.ask("POST", USDM, **one, type="LIMIT", timeInForce="GTC", price=price)
            else:
                await client.ask("POST", USDM, **one, type="MARKET", reduceOnly=str(what == "reduce").lower())
        held = {row["symbol"]: Decimal(row["positionAmt"]) for row in await client.do("GET", "/fapi/v2/positionRisk")}
        for symbol, quantity in held.items():
            rows = await client.do("GET", "/fapi/v1/userTrades", symbol=symbol, limit=1000)
            assert quantity == sum(Decimal(row["qty"]) * (1 if row["buyer"] else -1) for row in rows)
        income = await client.do("GET", "/fapi/v1/income", limit=1000)
        account = await client.do("GET", "/fapi/v2/account")
        assert Decimal(account["totalWalletBalance"]) == 100_000 + sum(Decimal(row["income"]) for row in income)
        margin = Decimal(account["totalMarginBalance"]) - Decimal(account["totalInitialMargin"])
        assert Decimal(account["availableBalance"]) == pytest.approx(max(0, margin), abs=Decimal("0.00001"))

    trade(test, accounts=[{"usdm": {"USDT": 100_000}}])
