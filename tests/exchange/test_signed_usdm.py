"""USD-M's orders, positions, conditional orders and user data, by the venue's documents and recorded replies."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exchange.signed import Client

Trade = Callable[..., None]
ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"
BUY, SELL = (
    {"symbol": "BTCUSDT", "side": side, "type": "MARKET", "newOrderRespType": "RESULT"} for side in ("BUY", "SELL")
)


def limit(side: str, price: float, quantity: str = "0.01", **more: Any) -> dict[str, Any]:
    return {"symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": "GTC", "quantity": quantity,
            "price": f"{price:.1f}", **more}  # fmt: skip


def stop(side: str, trigger: float, **more: Any) -> dict[str, Any]:
    return {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": side, "type": "STOP_MARKET",
            "triggerPrice": f"{trigger:.1f}", **more}  # fmt: skip


async def position(client: Client, side: str = "BOTH") -> dict[str, Any]:
    rows = await client.do("GET", "/fapi/v2/positionRisk", symbol="BTCUSDT")
    return next(dict(row) for row in rows if row["positionSide"] == side)


def kinds(heard: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["e"], event["o"]["X"] if "o" in event else event.get("a", {}).get("m", "")) for event in heard]


def test_a_round_trip_books_what_the_trades_say(trade: Trade) -> None:
    """Wallet = start + Σ realised − Σ commission; commission 0.05 % (USD-M fee schedule, regular taker)."""

    async def test(client: Client) -> None:
        opened = await client.do("POST", ORDER, **BUY, quantity="0.5")
        assert opened["status"] == "FILLED"
        assert opened["executedQty"] == "0.500"
        held = await position(client)
        assert held["positionAmt"] == "0.500"
        assert Decimal(held["entryPrice"]) == Decimal(opened["cumQuote"]) * 2
        assert Decimal(held["notional"]) == pytest.approx(Decimal(held["markPrice"]) / 2)
        account = await client.do("GET", "/fapi/v2/account")
        assert float(account["totalPositionInitialMargin"]) == pytest.approx(float(held["notional"]) / 20)
        assert float(account["availableBalance"]) == pytest.approx(
            float(account["totalMarginBalance"]) - float(account["totalInitialMargin"])
        )
        client.pass_s(60)
        closed = await client.do("POST", ORDER, **SELL, quantity="0.5", reduceOnly="true")
        assert closed["status"] == "FILLED"
        rows = await client.do("GET", "/fapi/v1/userTrades", symbol="BTCUSDT")
        paid = sum(Decimal(row["commission"]) for row in rows)
        assert paid == pytest.approx(sum(Decimal(row["quoteQty"]) for row in rows) / 2000)
        realised = sum(Decimal(row["realizedPnl"]) for row in rows)
        assert realised == pytest.approx(Decimal(closed["cumQuote"]) - Decimal(opened["cumQuote"]))
        (balance,) = await client.do("GET", "/fapi/v3/balance")
        income = await client.do("GET", "/fapi/v1/income")
        funding = sum(Decimal(row["income"]) for row in income if row["incomeType"] == "FUNDING_FEE")
        assert sum(Decimal(row["income"]) for row in income) == realised - paid + funding
        assert Decimal(balance["balance"]) == 1_000_000 + realised - paid + funding
        assert not await client.do("GET", "/fapi/v3/positionRisk")
        assert await client.code("POST", ORDER, **SELL, quantity="0.1", reduceOnly="true") == -2022

    trade(test)


def test_mistakes_have_the_venue_s_codes(trade: Trade) -> None:
    async def test(client: Client) -> None:
        good = limit("BUY", 40_000)
        wrong: list[tuple[dict[str, Any], int]] = [
            ({"symbol": "NOPE"}, -1121),
            ({"side": "HOLD"}, -1117),
            ({"type": "MAYBE"}, -1116),
            ({"type": "STOP_MARKET"}, -4120),
            ({"type": "TRAILING_STOP_MARKET"}, -4120),
            ({"timeInForce": "NEVER"}, -1115),
            ({"timeInForce": "GTD"}, -1102),
            ({"price": "40000.01"}, -4014),
            ({"price": "0"}, -4001),
            ({"quantity": "0.0001"}, -4023),
            ({"quantity": "0"}, -4004),
            ({"positionSide": "LONG"}, -4061),
            ({"newClientOrderId": "a b"}, -4015),
            ({"price": "60000", "timeInForce": "GTX"}, -5022),
            ({"quantity": "900"}, -2027),
        ]
        for change, code in wrong:
            assert await client.code("POST", ORDER, **(good | change)) == code, change
        await client.do("POST", ORDER, **good, newClientOrderId="once")
        assert await client.code("POST", ORDER, **good, newClientOrderId="once") == -4116
        await client.do("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="once")
        await client.do("POST", ORDER, **good, newClientOrderId="once")  # the name is free again
        assert await client.code("DELETE", ORDER, symbol="BTCUSDT", orderId=99) == -2011
        assert await client.code("GET", ORDER, symbol="BTCUSDT", orderId=99) == -2013
        assert await client.code("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=126) == -4028
        assert await client.code("POST", "/fapi/v1/marginType", symbol="BTCUSDT", marginType="ISOLATED") == -4047
        assert await client.code("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true") == -4067
        assert await client.code("POST", "/fapi/v1/positionSide/dual", dualSidePosition="false") == -4059
        assert await client.code("PUT", "/fapi/v1/listenKey") == -1125

    trade(test)


def test_settings_are_told(trade: Trade) -> None:
    async def test(client: Client) -> None:
        heard = client.hear("usdm")
        row = await client.do("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=25)
        assert row["leverage"] == 25
        await client.do("POST", "/fapi/v1/multiAssetsMargin", multiAssetsMargin="true")
        assert [(event["e"], event.get("ac"), event.get("ai")) for event in heard] == [
            ("ACCOUNT_CONFIG_UPDATE", {"s": "BTCUSDT", "l": 25}, None),
            ("ACCOUNT_CONFIG_UPDATE", None, {"j": True}),
        ]
        assert await client.do("GET", "/fapi/v1/multiAssetsMargin") == {"multiAssetsMargin": True}
        (tiers,) = await client.do("GET", "/fapi/v1/leverageBracket", symbol="BTCUSDT")
        assert tiers["brackets"][0]["initialLeverage"] == 125  # Binance's table of BTCUSDT
        caps = [bracket["notionalCap"] for bracket in tiers["brackets"]]
        assert caps == sorted(caps)

    trade(test)


def test_orders_beyond_the_money_are_refused(trade: Trade) -> None:
    """Initial margin = notional ÷ leverage, over all symbols and open orders (FAQ 87fa7ee33b574f7084d42bd2ce2e463b)."""

    async def test(client: Client) -> None:
        await client.do("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=10)
        await client.do("POST", ORDER, **limit("BUY", 40_000, "0.2"))  # ties up 800
        account = await client.do("GET", "/fapi/v2/account")
        assert account["totalOpenOrderInitialMargin"] == "800.00000000"
        assert account["availableBalance"] == "200.00000000"
        assert await client.code("POST", ORDER, **limit("BUY", 40_000, "0.06")) == -2019
        sol = {"symbol": "SOLUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "80"}
        assert await client.code("POST", ORDER, **sol, quantity="60") == -2019  # 240 at 20 times
        await client.do("POST", ORDER, **sol, quantity="40")

    trade(test, accounts=[{"usdm": {"USDT": 1000}}])


def test_several_orders_at_once(trade: Trade) -> None:
    async def test(client: Client) -> None:
        rows = [limit("BUY", 40_000), limit("BUY", 40_000.05), limit("BUY", 39_000)]
        rows[1]["price"] = "40000.05"
        made = await client.do("POST", "/fapi/v1/batchOrders", batchOrders=json.dumps(rows))
        assert [row.get("code", row.get("status")) for row in made] == ["NEW", -4014, "NEW"]
        ids = [made[0]["orderId"], 77, made[2]["orderId"]]
        changed = await client.do(
            "PUT", ORDER, symbol="BTCUSDT", side="BUY", orderId=ids[0], price="39500.0", quantity="0.02"
        )
        assert (changed["price"], changed["origQty"], changed["status"]) == ("39500.0", "0.020", "NEW")
        gone = await client.do("DELETE", "/fapi/v1/batchOrders", symbol="BTCUSDT", orderIdList=json.dumps(ids))
        assert [row.get("code", row.get("status")) for row in gone] == ["CANCELED", -2011, "CANCELED"]
        assert await client.code("POST", "/fapi/v1/batchOrders", batchOrders=json.dumps([{}] * 6)) == -4082

    trade(test)


def test_a_gtx_order_that_is_moved_to_where_it_would_take_is_cancelled(trade: Trade) -> None:
    """Modify Order: "if the order is GTX and the new price will cause it to be executed immediately"."""

    async def test(client: Client) -> None:
        made = await client.do("POST", ORDER, **limit("BUY", 40_000) | {"timeInForce": "GTX"})
        ask = f"{max(await client.best(market='usdm')):.1f}"
        which = {"symbol": "BTCUSDT", "orderId": made["orderId"]}
        changed = await client.do("PUT", ORDER, **which, side="BUY", price=ask, quantity=made["origQty"])
        assert changed["status"] == (await client.do("GET", ORDER, **which))["status"] == "CANCELED"

    trade(test)


def test_a_conditional_order_s_life(trade: Trade) -> None:
    """NEW → TRIGGERING → TRIGGERED → FINISHED ("Event: Algo Order Update"); what it becomes is an order of its own."""

    async def test(client: Client) -> None:
        await client.do("POST", ORDER, **BUY, quantity="0.02")
        heard = client.hear("usdm")
        mark = float((await position(client))["markPrice"])
        made = await client.do("POST", ALGO, **stop("SELL", mark - 2, workingType="MARK_PRICE", closePosition="true"))
        assert made["algoStatus"] == "NEW"
        assert (
            await client.code("POST", ALGO, **stop("SELL", mark + 50, quantity="0.01", workingType="MARK_PRICE"))
            == -2021
        )
        assert [row["algoId"] for row in await client.do("GET", "/fapi/v1/openAlgoOrders")] == [made["algoId"]]
        for _ in range(500):
            client.pass_s(20)
            algo = await client.do("GET", ALGO, algoId=made["algoId"])
            if algo["algoStatus"] != "NEW":
                break
        assert algo["algoStatus"] == "FINISHED"
        order = await client.do("GET", ORDER, symbol="BTCUSDT", orderId=algo["actualOrderId"])
        assert (order["status"], order["type"], order["origType"]) == ("FILLED", "MARKET", "STOP_MARKET")
        assert order["executedQty"] == "0.020"
        assert (await position(client))["positionAmt"] == "0.000"
        states = [event["o"]["X"] for event in heard if event["e"] == "ALGO_UPDATE"]
        assert states == ["NEW", "TRIGGERING", "TRIGGERED", "FINISHED"]
        assert not await client.do("GET", "/fapi/v1/openAlgoOrders")
        waits = await client.do("POST", ALGO, **stop("SELL", mark / 2, quantity="0.01"))
        assert (await client.do("DELETE", ALGO, algoId=waits["algoId"]))["msg"] == "success"
        assert heard[-1]["o"]["X"] == "CANCELED"
        assert await client.code("DELETE", ALGO, algoId=waits["algoId"]) == -2011

    trade(test)


def test_both_sides_of_a_hedge(trade: Trade) -> None:
    async def test(client: Client) -> None:
        await client.do("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
        assert await client.code("POST", ORDER, **BUY, quantity="0.1") == -4061
        await client.do("POST", ORDER, **BUY, quantity="0.1", positionSide="LONG")
        await client.do("POST", ORDER, **SELL, quantity="0.3", positionSide="SHORT")
        assert await client.code("POST", ORDER, **SELL, quantity="0.1", positionSide="LONG", reduceOnly="true") == -1106
        assert (await position(client, "LONG"))["positionAmt"] == "0.100"
        assert (await position(client, "SHORT"))["positionAmt"] == "-0.300"
        await client.do("POST", ORDER, **SELL, quantity="0.1", positionSide="LONG")
        assert [row["positionSide"] for row in await client.do("GET", "/fapi/v3/positionRisk")] == ["SHORT"]
        assert await client.code("POST", "/fapi/v1/positionSide/dual", dualSidePosition="false") == -4068

    trade(test)


def test_an_isolated_position_has_a_wallet_of_its_own(trade: Trade) -> None:
    async def test(client: Client) -> None:
        await client.do("POST", "/fapi/v1/marginType", symbol="BTCUSDT", marginType="ISOLATED")
        assert await client.code("POST", "/fapi/v1/marginType", symbol="BTCUSDT", marginType="ISOLATED") == -4046
        made = await client.do("POST", ORDER, **BUY, quantity="0.1")
        held = await position(client)
        assert held["marginType"] == "isolated"
        assert float(held["isolatedWallet"]) == pytest.approx(float(made["cumQuote"]) / 20, abs=1e-6)
        await client.do("POST", "/fapi/v1/positionMargin", symbol="BTCUSDT", amount="100", type=1)
        more = await position(client)
        assert Decimal(more["isolatedWallet"]) - Decimal(held["isolatedWallet"]) == 100
        assert float(more["liquidationPrice"]) < float(held["liquidationPrice"])
        assert await client.code("POST", "/fapi/v1/positionMargin", symbol="BTCUSDT", amount="300", type=2) == -2019

    trade(test)


def test_what_the_margin_does_not_carry_is_taken_away(trade: Trade) -> None:
    async def test(client: Client) -> None:
        await client.do("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=100)
        await client.do("POST", ORDER, **BUY, quantity="0.2")  # some 8,400 on 100
        await client.do("POST", ORDER, **limit("BUY", 30_000))
        heard, venue = client.hear("usdm"), client.exchange.trading.usdm
        held = await position(client)
        low = float(held["liquidationPrice"])
        venue.on_mark("BTCUSDT", low + 5, low, venue.now_us())
        assert heard[-1]["e"] == "MARGIN_CALL"
        venue.on_mark("BTCUSDT", low - 5, low, venue.now_us())
        calculated = [
            event["o"] for event in heard if event["e"] == "ORDER_TRADE_UPDATE" and event["o"]["x"] == "CALCULATED"
        ]
        assert calculated[0]["c"].startswith("autoclose-")
        assert (await position(client))["positionAmt"] == "0.000"
        assert not await client.do("GET", "/fapi/v1/openOrders")
        (balance,) = await client.do("GET", "/fapi/v2/balance")
        assert Decimal(balance["balance"]) >= 0
        assert (await client.do("GET", "/fapi/v1/forceOrders"))[0]["status"] == "FILLED"

    trade(test, accounts=[{"usdm": {"USDT": 100}}])


def test_positions_of_one_wallet_stand_behind_each_other(trade: Trade) -> None:
    """At a position's liquidation price all that the account has equals all maintenance margin: wallet balance + profit
    of both = Σ notional × rate − cum (FAQ b3c689c1f50a44cabb3a84e663b81d93)."""

    async def test(client: Client) -> None:
        await client.do("POST", ORDER, **BUY, quantity="0.3")
        alone = float((await position(client))["liquidationPrice"])
        await client.do("POST", ORDER, symbol="SOLUSDT", side="SELL", type="MARKET", quantity="60")
        client.pass_s(2)
        rows = {row["symbol"]: row for row in await client.do("GET", "/fapi/v3/positionRisk")}
        btc, sol = rows["BTCUSDT"], rows["SOLUSDT"]
        at = float(btc["liquidationPrice"])
        assert at > alone
        (wallet,) = await client.do("GET", "/fapi/v3/balance")
        held, entry = float(btc["positionAmt"]), float(btc["entryPrice"])
        worth = float(wallet["balance"]) + held * (at - entry) + float(sol["unRealizedProfit"])
        (table,) = await client.do("GET", "/fapi/v1/leverageBracket", symbol="BTCUSDT")
        tier = next(row for row in table["brackets"] if held * at <= row["notionalCap"])
        needed = held * at * tier["maintMarginRatio"] - tier["cum"] + float(sol["maintMargin"])
        assert worth == pytest.approx(needed, abs=0.01)
        venue = client.exchange.trading.usdm
        mark = float(sol["markPrice"])
        venue.on_mark("SOLUSDT", mark, mark, venue.now_us())
        venue.on_mark("BTCUSDT", at + 1, at, venue.now_us())
        assert float((await position(client))["positionAmt"]) == held
        venue.on_mark("BTCUSDT", at - 1, at, venue.now_us())
        assert float((await position(client))["positionAmt"]) < held

    trade(test, accounts=[{"usdm": {"USDT": 1500}}])


def test_funding_is_paid_and_told(trade: Trade) -> None:
    async def test(client: Client) -> None:
        await client.do("POST", ORDER, **BUY, quantity="0.1")
        heard = client.hear("usdm")
        client.pass_s(60)
        rows = await client.do("GET", "/fapi/v1/income", incomeType="FUNDING_FEE")
        assert len(rows) >= 1
        told = [event["a"] for event in heard if event["e"] == "ACCOUNT_UPDATE"]
        assert [row["m"] for row in told] == ["FUNDING_FEE"] * len(rows)
        (rate,) = (await client.send("GET", "/fapi/v1/fundingRate", b"symbol=BTCUSDT&limit=1"))[1]
        expected = -Decimal("0.1") * Decimal(rate["markPrice"]) * Decimal(rate["fundingRate"])
        assert float(rows[-1]["income"]) == pytest.approx(float(expected), rel=1e-4)

    trade(test, start="2024-01-02T07:59:30")


def test_listen_keys_live_for_an_hour(trade: Trade) -> None:
    async def test(client: Client) -> None:
        path = "/fapi/v1/listenKey"
        name = (await client.do("POST", path))["listenKey"]
        assert (await client.do("POST", path))["listenKey"] == name
        hosts = client.exchange.hosts
        async with client.session.ws_connect(f"{hosts.usdm_ws}/ws/{name}") as socket:
            client.pass_s(59 * 60)
            await client.do("PUT", path)
            await client.do("POST", ORDER, **BUY, quantity="0.01")
            client.exchange.advance()
            seen = [json.loads((await socket.receive(timeout=5)).data)["e"] for _ in range(4)]
            assert seen == ["ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "TRADE_LITE", "ORDER_TRADE_UPDATE"]
            client.exchange.trading.listen_keys.expire(client.exchange.clock.told_us() // 1000 + 60 * 60_000)
            client.exchange.advance()
            assert json.loads((await socket.receive(timeout=5)).data)["e"] == "listenKeyExpired"
        assert (await client.do("POST", path))["listenKey"] != name
        assert await client.do("DELETE", path) == {}

    trade(test)


@pytest.fixture(scope="module")
def payloads(shared: Path) -> dict[str, Any]:
    """Recorded replies and events by name."""
    found: dict[str, Any] = {}
    for kind in ("http", "user_data"):
        text = (shared.parent / "payloads" / f"nautilus_binance_futures_{kind}.json").read_text()
        found |= {item["name"]: item["payload"] for item in json.loads(text)["items"]}
    return found


def lacking(recorded: Any, ours: Any, at: str = "") -> list[str]:
    """Keys that were recorded and are not ours, and those whose types differ."""
    if isinstance(recorded, dict):
        found = [f"{at}.{name}" for name in recorded if name not in ours]
        return found + [
            row
            for name, value in recorded.items()
            if name in ours
            for row in lacking(value, ours[name], f"{at}.{name}")
        ]
    if isinstance(recorded, list):
        return lacking(recorded[0], ours[0], f"{at}[0]") if recorded and ours else []
    if recorded is None or ours is None:
        return []
    return [] if type(recorded) is type(ours) else [f"{at}: {type(recorded).__name__} is {type(ours).__name__}"]


def test_replies_have_the_recorded_shapes(trade: Trade, payloads: dict[str, Any]) -> None:
    async def test(client: Client) -> None:
        heard = client.hear("usdm")
        made = await client.do("POST", ORDER, **BUY, quantity="0.1")
        await client.do("POST", ORDER, **limit("SELL", 60_000, reduceOnly="true"))
        await client.do("POST", ALGO, **stop("SELL", 20_000, quantity="0.01"))
        one = {"symbol": "BTCUSDT"}
        asked = {
            "account_info_v2": ("/fapi/v2/account", {}),
            "balance": ("/fapi/v2/balance", {}),
            "order_response": (ORDER, {**one, "orderId": made["orderId"]}),
            "position_risk": ("/fapi/v2/positionRisk", one),
            "http_futures_account_positions_one_way": ("/fapi/v2/positionRisk", one),
            "http_futures_account_trades": ("/fapi/v1/userTrades", one),
            "http_futures_account_position_side_dual": ("/fapi/v1/positionSide/dual", {}),
            "http_futures_account_symbol_config": ("/fapi/v1/symbolConfig", {}),
            "http_futures_wallet_commission_rate_btcusdt": ("/fapi/v1/commissionRate", one),
        }
        for name, (path, params) in asked.items():
            assert lacking(payloads[name], await client.do("GET", path, **params)) == [], name
        rows = lacking(payloads["open_algo_orders"], await client.do("GET", "/fapi/v1/openAlgoOrders"))
        assert rows == ["[0].type"]  # the venue's documents call it orderType
        events = {event["e"]: event for event in heard}
        for name in ("account_update", "trade_lite", "algo_update_new"):
            assert lacking(payloads[name], events[payloads[name]["e"]]) == [], name
        trailing = {".o.AP", ".o.cr"}  # of trailing stops, which live in the Algo Service now
        trades = [event for event in heard if event["e"] == "ORDER_TRADE_UPDATE" and event["o"]["x"] == "TRADE"]
        assert set(lacking(payloads["order_update_trade"], trades[0])) <= trailing

    trade(test)
