"""Spot's orders, wallets, lists and user data at the local exchange, by the rules of binance-spot-api-docs."""

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from exchange.signed import Client
from profiles import examples
from truewind.exchange.accounts import LOCAL_KEY
from truewind.venues.binance.signing import Secret, signing_key, socket_payload

Trade = Callable[..., None]
ORDER, LISTS = "/api/v3/order", "/api/v3/orderList"


def limit(side: str, price: float, quantity: str = "0.01", **more: Any) -> dict[str, Any]:
    return {"symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": "GTC", "quantity": quantity,
            "price": f"{price:.1f}", **more}  # fmt: skip


async def wallet(client: Client, asset: str) -> tuple[Decimal, Decimal]:
    """(free, locked)."""
    account = await client.do("GET", "/api/v3/account")
    row = next(row for row in account["balances"] if row["asset"] == asset)
    return Decimal(row["free"]), Decimal(row["locked"])


def test_a_purchase_pays_its_fee_in_what_it_buys(trade: Trade) -> None:
    """0.1 % of 0.01 BTC (fee schedule of spot, regular users)."""

    async def test(client: Client) -> None:
        _, ask = await client.best()
        made = await client.do("POST", ORDER, symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
        assert made["status"] == "FILLED"
        assert [fill["commissionAsset"] for fill in made["fills"]] == ["BTC"] * len(made["fills"])
        assert Decimal(made["fills"][0]["price"]) == Decimal(str(ask))
        assert await wallet(client, "BTC") == (Decimal("10.00999"), 0)
        assert (await wallet(client, "USDT"))[0] == 1_000_000 - Decimal(made["cummulativeQuoteQty"])
        sold = await client.do("POST", ORDER, symbol="BTCUSDT", side="SELL", type="MARKET", quantity="0.01")
        fee = sum(Decimal(fill["commission"]) for fill in sold["fills"])
        assert fee == Decimal(sold["cummulativeQuoteQty"]) / 1000
        assert await wallet(client, "BTC") == (Decimal("9.99999"), 0)

    trade(test)


def test_open_orders_set_money_aside(trade: Trade) -> None:
    async def test(client: Client) -> None:
        made = await client.do("POST", ORDER, **limit("BUY", 30_000))
        assert await wallet(client, "USDT") == (999_700, 300)
        sale = await client.do("POST", ORDER, **limit("SELL", 60_000, "2"))
        assert await wallet(client, "BTC") == (8, 2)
        row = await client.do(
            "PUT", f"{ORDER}/amend/keepPriority", symbol="BTCUSDT", orderId=sale["orderId"], newQty="1.5"
        )
        assert row["amendedOrder"]["qty"] == "1.50000000"
        assert await wallet(client, "BTC") == (Decimal("8.5"), Decimal("1.5"))
        assert await client.code("POST", ORDER, **limit("SELL", 60_000, "8.51")) == -2010
        assert await client.code("POST", ORDER, **limit("BUY", 40_000, "25")) == -2010
        assert await client.code("POST", ORDER, symbol="BTCUSDT", side="SELL", type="MARKET", quantity="9") == -2010
        for order in (made, sale):
            await client.do("DELETE", ORDER, symbol="BTCUSDT", orderId=order["orderId"])
        assert await wallet(client, "USDT") == (1_000_000, 0)
        assert await wallet(client, "BTC") == (10, 0)
        assert await client.code("DELETE", ORDER, symbol="BTCUSDT", orderId=made["orderId"]) == -2011

    trade(test)


def test_mistakes_have_the_venue_s_codes(trade: Trade) -> None:
    async def test(client: Client) -> None:
        good = limit("BUY", 40_000)
        wrong: list[tuple[dict[str, Any], int]] = [
            ({"symbol": "NOPE"}, -1121),
            ({"side": "HOLD"}, -1117),
            ({"type": "MAYBE"}, -1116),
            ({"timeInForce": "NEVER"}, -1115),
            ({"price": "1e5"}, -1100),
            ({"price": "40000.123456789"}, -1111),
            ({"price": "40000.01"}, -1013),
            ({"quantity": "0"}, -1013),
            ({"quantity": "0.0000001"}, -1013),
            ({"stopPrice": "40000"}, -1106),
            ({"newClientOrderId": "a b"}, -1100),
            ({"newOrderRespType": "LONG"}, -1130),
            ({"type": "LIMIT_MAKER", "price": "60000"}, -1106),
        ]
        for change, code in wrong:
            assert await client.code("POST", ORDER, **(good | change)) == code, change
        for name in ("symbol", "side", "type", "timeInForce", "quantity", "price"):
            less = {key: value for key, value in good.items() if key != name}
            assert await client.code("POST", ORDER, **less) == -1102, name
        taker = {key: value for key, value in limit("BUY", 60_000).items() if key != "timeInForce"}
        assert await client.code("POST", ORDER, **(taker | {"type": "LIMIT_MAKER"})) == -2010
        await client.do("POST", ORDER, **good, newClientOrderId="once")
        assert await client.code("POST", ORDER, **good, newClientOrderId="once") == -2010
        assert await client.code("GET", ORDER, symbol="BTCUSDT", orderId=99) == -2013
        assert await client.code("GET", ORDER, symbol="BTCUSDT") == -1102
        status, answer = await client.ask("POST", ORDER, **limit("BUY", 40_000, "0.00001"))
        assert (status, answer["code"]) == (400, -1013)
        assert "NOTIONAL" in answer["msg"] or "LOT_SIZE" in answer["msg"]

    trade(test)


def test_a_resting_order_fills_from_the_market(trade: Trade) -> None:
    async def test(client: Client) -> None:
        heard = client.hear("spot")
        bid, _ = await client.best()
        made = await client.do("POST", ORDER, **limit("BUY", bid))
        assert made["status"] == "NEW"
        for _ in range(200):
            client.pass_s(30)
            order = await client.do("GET", ORDER, symbol="BTCUSDT", orderId=made["orderId"])
            if order["status"] == "FILLED":
                break
        assert order["status"] == "FILLED"
        reports = [event for event in heard if event["e"] == "executionReport"]
        assert [row["x"] for row in reports] == ["NEW"] + ["TRADE"] * (len(reports) - 1)
        assert all(row["m"] for row in reports[1:])
        (last,) = (await client.do("GET", "/api/v3/myTrades", symbol="BTCUSDT"))[-1:]
        assert last["isMaker"]
        assert last["price"] == f"{bid:.8f}"

    trade(test)


def test_the_market_order_of_so_many_dollars(trade: Trade) -> None:
    async def test(client: Client) -> None:
        made = await client.do("POST", ORDER, symbol="BTCUSDT", side="BUY", type="MARKET", quoteOrderQty="5000")
        assert made["origQuoteOrderQty"] == "5000.00000000"
        one_lot = Decimal(made["fills"][-1]["price"]) / 1000
        assert 5000 - one_lot < Decimal(made["cummulativeQuoteQty"]) <= 5000

    trade(test)


def test_cancel_and_replace(trade: Trade) -> None:
    """Both results are told, what failed with −2021 or −2022 ("Cancel an Existing Order and Send a New Order")."""

    async def test(client: Client) -> None:
        path = f"{ORDER}/cancelReplace"
        made = await client.do("POST", ORDER, **limit("BUY", 30_000))
        row = await client.do(
            "POST", path, **limit("BUY", 31_000), cancelReplaceMode="STOP_ON_FAILURE", cancelOrderId=made["orderId"]
        )
        assert (row["cancelResult"], row["newOrderResult"]) == ("SUCCESS", "SUCCESS")
        assert row["newOrderResponse"]["price"] == "31000.00000000"
        gone = {"cancelOrderId": made["orderId"], **limit("BUY", 32_000)}
        status, row = await client.ask("POST", path, cancelReplaceMode="STOP_ON_FAILURE", **gone)
        assert (status, row["code"], row["data"]["newOrderResult"]) == (400, -2022, "NOT_ATTEMPTED")
        status, row = await client.ask("POST", path, cancelReplaceMode="ALLOW_FAILURE", **gone)
        assert (status, row["code"], row["data"]["newOrderResult"]) == (409, -2021, "SUCCESS")
        assert len(await client.do("GET", "/api/v3/openOrders", symbol="BTCUSDT")) == 2
        assert len(await client.do("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")) == 2
        assert await client.code("DELETE", "/api/v3/openOrders", symbol="BTCUSDT") == -2011

    trade(test)


async def pair(client: Client, above: float, below: float) -> dict[str, Any]:
    """An OCO that sells 1 BTC: a limit above, a stop below the market."""
    made: dict[str, Any] = await client.do(
        "POST", f"{LISTS}/oco", symbol="BTCUSDT", side="SELL", quantity="1", aboveType="LIMIT_MAKER",
        abovePrice=f"{above:.1f}", belowType="STOP_LOSS", belowStopPrice=f"{below:.1f}",
    )  # fmt: skip
    return made


async def settled(client: Client, made: dict[str, Any]) -> list[str]:
    """Statuses of a list's orders after the market has ended it."""
    ids = [row["orderId"] for row in made["orders"]]
    for _ in range(2000):
        client.pass_s(20)
        if (await client.do("GET", LISTS, orderListId=made["orderListId"]))["listStatusType"] == "ALL_DONE":
            break
    return [(await client.do("GET", ORDER, symbol="BTCUSDT", orderId=i))["status"] for i in ids]


def test_one_of_two_cancels_the_other(trade: Trade) -> None:
    async def test(client: Client) -> None:
        bid, _ = await client.best()
        heard = client.hear("spot")
        made = await pair(client, bid + 1000, bid - 1)
        assert await wallet(client, "BTC") == (9, 1)  # once for both
        assert await settled(client, made) == ["EXPIRED", "FILLED"]
        assert [event["l"] for event in heard if event["e"] == "listStatus"] == ["EXEC_STARTED", "ALL_DONE"]
        stop = [event for event in heard if event.get("i") == made["orders"][1]["orderId"]]
        assert [(row["x"], row["w"]) for row in stop][:3] == [("NEW", False), ("NEW", True), ("TRADE", False)]
        assert await wallet(client, "BTC") == (9, 0)
        bid, ask = await client.best()
        made = await pair(client, ask + 1, bid - 5000)
        assert await settled(client, made) == ["FILLED", "EXPIRED"]
        assert await wallet(client, "BTC") == (8, 0)
        assert await client.code(
            "POST", f"{LISTS}/oco", symbol="BTCUSDT", side="SELL", quantity="1", aboveType="LIMIT_MAKER",
            abovePrice="1000.0", belowType="STOP_LOSS", belowStopPrice="999.0") == -2010  # fmt: skip

    trade(test)


def test_who_cancels_one_of_a_list_cancels_all(trade: Trade) -> None:
    async def test(client: Client) -> None:
        bid, _ = await client.best()
        made = await pair(client, bid + 5000, bid - 5000)
        await client.do("DELETE", ORDER, symbol="BTCUSDT", orderId=made["orders"][1]["orderId"])
        assert not await client.do("GET", "/api/v3/openOrders")
        assert await wallet(client, "BTC") == (10, 0)
        assert await client.code("DELETE", LISTS, symbol="BTCUSDT", orderListId=made["orderListId"]) == -2011

    trade(test)


def test_an_order_that_fills_lets_two_others_come(trade: Trade) -> None:
    async def test(client: Client) -> None:
        _, ask = await client.best()
        terms = {
            "symbol": "BTCUSDT", "workingType": "LIMIT", "workingSide": "BUY", "workingQuantity": "0.01",
            "workingTimeInForce": "GTC", "pendingSide": "SELL", "pendingQuantity": "0.01",
            "pendingAboveType": "LIMIT_MAKER", "pendingAbovePrice": f"{ask + 3000:.1f}",
            "pendingBelowType": "STOP_LOSS", "pendingBelowStopPrice": f"{ask - 3000:.1f}",
        }  # fmt: skip
        waits = await client.do("POST", f"{LISTS}/otoco", **terms, workingPrice=f"{ask - 2000:.1f}")
        assert [row["status"] for row in waits["orderReports"]] == ["NEW", "PENDING_NEW", "PENDING_NEW"]
        assert await wallet(client, "BTC") == (10, 0)
        await client.do("DELETE", LISTS, symbol="BTCUSDT", orderListId=waits["orderListId"])
        assert not await client.do("GET", "/api/v3/openOrders")
        comes = await client.do("POST", f"{LISTS}/otoco", **terms, workingPrice=f"{ask + 5:.1f}")
        assert comes["listStatusType"] == "EXEC_STARTED"
        found = await client.do("GET", "/api/v3/openOrders")
        assert [(row["type"], row["status"]) for row in found] == [("LIMIT_MAKER", "NEW"), ("STOP_LOSS", "NEW")]
        assert (await wallet(client, "BTC"))[1] == Decimal("0.01")

    trade(test)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell", "market_buy", "market_sell", "cancel", "wait", "stop_buy", "stop_sell"]),
        st.integers(1, 400),
        st.integers(-30, 30),
    ),
    min_size=1,
    max_size=15,
)


@examples(12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_money_is_neither_made_nor_lost(trade: Trade, steps: list[tuple[str, int, int]]) -> None:
    """Whatever is done: the wallet is what the trades say, what is locked what open orders may cost; none is owed."""

    async def test(client: Client) -> None:
        for what, lots, away in steps:
            bid, ask = await client.best()
            quantity, price = f"{lots / 1000:.3f}", f"{(bid + ask) / 2 + away:.1f}"
            order = {"symbol": "BTCUSDT", "side": "BUY" if "buy" in what else "SELL", "quantity": quantity}
            if what == "wait":
                client.pass_s(lots)
            elif what == "cancel":
                await client.ask("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
            elif what.startswith("market"):
                await client.ask("POST", ORDER, **order, type="MARKET")
            elif what.startswith("stop"):
                await client.ask("POST", ORDER, **order, type="STOP_LOSS", stopPrice=price)
            else:
                await client.ask("POST", ORDER, **order, type="LIMIT", timeInForce="GTC", price=price)
        quote, base = Decimal(1_000_000), Decimal(10)
        for row in await client.do("GET", "/api/v3/myTrades", symbol="BTCUSDT", limit=1000):
            sign = 1 if row["isBuyer"] else -1
            base += sign * Decimal(row["qty"])
            quote -= sign * Decimal(row["quoteQty"])
            if row["commissionAsset"] == "BTC":
                base -= Decimal(row["commission"])
            else:
                quote -= Decimal(row["commission"])
        locked = {"BTC": Decimal(0), "USDT": Decimal(0)}
        for row in await client.do("GET", "/api/v3/openOrders"):
            left = Decimal(row["origQty"]) - Decimal(row["executedQty"])
            price = Decimal(row["price"]) or Decimal(row["stopPrice"])
            locked["USDT" if row["side"] == "BUY" else "BTC"] += left * (price if row["side"] == "BUY" else 1)
        for asset, total in (("BTC", base), ("USDT", quote)):
            free, set_aside = await wallet(client, asset)
            assert set_aside == locked[asset]
            assert free + set_aside == total
            assert free >= 0

    trade(test)


def test_a_session_needs_no_signatures(trade: Trade) -> None:
    """session.logon takes Ed25519 keys only; after it requests need neither key nor signature."""
    pair = Ed25519PrivateKey.generate()
    public = pair.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    private = signing_key(Secret(pair.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())))

    async def test(client: Client) -> None:
        async with client.session.ws_connect(client.exchange.hosts.spot_ws_api) as socket:

            async def call(method: str, **params: Any) -> dict[str, Any]:
                await socket.send_json({"id": "x", "method": method, "params": params})
                return dict(json.loads((await asyncio.wait_for(socket.receive(), 5)).data))

            logon = {"apiKey": "k" * 64, "timestamp": client.exchange.clock.told_us() // 1000}
            assert (await call("account.status"))["error"]["code"] == -2014
            wrong = await call("session.logon", **logon, signature="AAAA")
            assert wrong["error"]["code"] == -1022
            logged = await call("session.logon", **logon, signature=private.sign(socket_payload(logon)))
            assert logged["result"]["apiKey"] == "k" * 64
            assert (await call("userDataStream.subscribe"))["result"] == {"subscriptionId": 0}
            assert (await call("userDataStream.subscribe"))["error"]["code"] == -2035
            assert (await call("account.status"))["result"]["canTrade"]
            assert (await call("session.logout"))["result"]["apiKey"] is None
            assert (await call("account.status"))["error"]["code"] == -2014

    trade(test, accounts=[{"key": "k" * 64, "secret": public}])


def test_user_data_by_the_websocket_api(trade: Trade) -> None:
    async def test(client: Client) -> None:
        async with client.session.ws_connect(client.exchange.hosts.spot_ws_api) as socket:

            async def call(method: str, *, sign: bool = True, **params: Any) -> dict[str, Any]:
                if sign:
                    params |= {"apiKey": LOCAL_KEY, "timestamp": client.exchange.clock.told_us() // 1000}
                    params["signature"] = client.signer.sign(socket_payload(params))
                await socket.send_json({"id": 7, "method": method, "params": params})
                while True:
                    row = json.loads((await asyncio.wait_for(socket.receive(), 5)).data)
                    if "event" in row:
                        events.append(row)
                    else:
                        return dict(row)

            events: list[dict[str, Any]] = []
            assert (await call("ping", sign=False))["result"] == {}
            assert (await call("userDataStream.subscribe", sign=False))["error"]["code"] == -2015
            assert (await call("session.logon"))["error"]["code"] == -4056  # HMAC keys cannot
            assert (await call("userDataStream.subscribe.signature"))["result"] == {"subscriptionId": 0}
            placed = await call("order.place", **limit("BUY", 30_000))
            assert placed["status"] == 200
            assert placed["rateLimits"][0]["rateLimitType"] == "REQUEST_WEIGHT"
            order = placed["result"]["orderId"]
            assert (await call("order.status", symbol="BTCUSDT", orderId=order))["result"]["status"] == "NEW"
            assert (await call("order.cancel", symbol="BTCUSDT", orderId=order))["result"]["status"] == "CANCELED"
            assert (await call("order.cancel", symbol="BTCUSDT", orderId=order))["error"]["code"] == -2011
            client.exchange.trading.spot.deposit(client.exchange.trading.register.accounts[0], "BNB", 5 * 10**8)
            assert (await call("no.such"))["status"] == 400
            kinds = [(row["event"]["e"], row["event"].get("x")) for row in events]
            assert kinds == [
                ("executionReport", "NEW"),
                ("outboundAccountPosition", None),
                ("executionReport", "CANCELED"),
                ("outboundAccountPosition", None),
                ("balanceUpdate", None),
            ]
            assert events[-1]["event"]["d"] == "5.00000000"
            assert (await call("userDataStream.unsubscribe", sign=False, subscriptionId=0))["result"] == {}
            await socket.send_str("{not json")
            assert json.loads((await socket.receive()).data)["error"]["code"] == -1135

    trade(test)
