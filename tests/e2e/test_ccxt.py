"""ccxt, with promises and as a stream, against the local exchange over real connections."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from truewind.exchange import LocalExchange
from truewind.exchange.accounts import LOCAL_KEY, LOCAL_SECRET

pytestmark = pytest.mark.filterwarnings("ignore")
ccxt = pytest.importorskip("ccxt")


def point(client: Any, venue: LocalExchange) -> Any:
    """Send whatever goes to Binance to the local exchange."""

    def moved(address: str) -> str:
        parts = urlsplit(address)
        futures = parts.path.startswith(("/fapi", "/futures")) or "fstream" in parts.netloc
        web_socket = parts.scheme == "wss"
        hosts = venue.hosts
        host = (hosts.usdm_ws if futures else hosts.spot_ws) if web_socket else (
            hosts.usdm_rest if futures else hosts.spot_rest
        )  # fmt: skip
        return host + parts.path

    def walk(value: Any) -> Any:
        return {name: walk(inner) for name, inner in value.items()} if isinstance(value, dict) else moved(value)

    client.urls["api"] = walk(client.urls["api"])
    if "ws" in client.urls["api"]:  # it takes for spot what has "/stream" in its address, as Binance's host has
        client.urls["api"]["ws"]["spot"] += "?/stream"
    client.options |= {"fetchCurrencies": False, "fetchMargins": False, "fetchMarkets": {"types": ["spot", "linear"]}}
    return client


def keys(**options: Any) -> dict[str, Any]:
    return {"apiKey": LOCAL_KEY, "secret": LOCAL_SECRET, "enableRateLimit": False, "options": options}


def run(venue: LocalExchange, make: Callable[[], Any], test: Callable[[Any], Any]) -> None:
    async def work() -> None:
        client = point(make(), venue)
        try:
            await asyncio.wait_for(test(client), 30)
        finally:
            await client.close()

    asyncio.run(work())


def test_spot_orders_by_ccxt(venue: LocalExchange) -> None:
    import ccxt.async_support as asynchronous

    async def trade(client: Any) -> None:
        markets = await client.load_markets()
        assert {"BTC/USDT", "SOL/USDT"} <= markets.keys()
        assert len(await client.fetch_ohlcv("BTC/USDT", "1m", limit=20)) == 20
        before = await client.fetch_balance()
        ticker = await client.fetch_ticker("BTC/USDT")
        bought = await client.create_order("BTC/USDT", "market", "buy", 0.01)
        assert bought["status"] == "closed"
        assert bought["filled"] == pytest.approx(0.01)
        assert bought["average"] == pytest.approx(ticker["last"], rel=0.02)
        after = await client.fetch_balance()
        assert after["BTC"]["total"] - before["BTC"]["total"] == pytest.approx(0.01 * 0.999, abs=1e-9)
        resting = await client.create_order("BTC/USDT", "limit", "buy", 0.01, ticker["last"] * 0.9)
        assert [order["id"] for order in await client.fetch_open_orders("BTC/USDT")] == [resting["id"]]
        assert (await client.fetch_balance())["USDT"]["used"] == pytest.approx(0.009 * ticker["last"], rel=0.01)
        edited = await client.edit_order(resting["id"], "BTC/USDT", "limit", "buy", 0.02, ticker["last"] * 0.8)
        assert (await client.fetch_order(edited["id"], "BTC/USDT"))["amount"] == pytest.approx(0.02)
        assert (await client.cancel_order(edited["id"], "BTC/USDT"))["status"] == "canceled"
        assert not await client.fetch_open_orders("BTC/USDT")
        trades = await client.fetch_my_trades("BTC/USDT")
        assert trades[-1]["order"] == bought["id"]
        with pytest.raises(ccxt.InsufficientFunds):
            await client.create_order("BTC/USDT", "limit", "sell", 1000, ticker["last"])
        with pytest.raises(ccxt.OrderNotFound):
            await client.cancel_order("999999", "BTC/USDT")

    run(venue, lambda: asynchronous.binance(keys()), trade)


def test_futures_orders_by_ccxt(venue: LocalExchange) -> None:
    import ccxt.async_support as asynchronous

    symbol = "BTC/USDT:USDT"

    async def trade(client: Any) -> None:
        await client.load_markets()
        await client.set_leverage(10, symbol)
        await client.set_position_mode(True, symbol)
        await client.set_position_mode(False, symbol)
        price = (await client.fetch_ticker(symbol))["last"]
        opened = await client.create_order(symbol, "market", "buy", 0.02)
        assert (await client.fetch_order(opened["id"], symbol))["status"] == "closed"
        (position,) = await client.fetch_positions([symbol])
        assert position["contracts"] == pytest.approx(0.02)
        assert (await client.fetch_leverage(symbol))["longLeverage"] == 10
        stop = await client.create_order(
            symbol, "market", "sell", 0.02, None, {"stopLossPrice": client.price_to_precision(symbol, price * 0.9),
                                                   "reduceOnly": True})  # fmt: skip
        waiting = await client.fetch_open_orders(symbol, params={"trigger": True})
        assert [order["id"] for order in waiting] == [stop["id"]]
        await client.cancel_order(stop["id"], symbol, {"trigger": True})
        limit = await client.create_order(symbol, "limit", "sell", 0.02, price * 1.05, {"reduceOnly": True})
        await client.cancel_order(limit["id"], symbol)
        await client.create_order(symbol, "market", "sell", 0.02, None, {"reduceOnly": True})
        assert not await client.fetch_positions([symbol])
        assert (await client.fetch_balance())["USDT"]["total"] < 1_000_000
        tiers = await client.fetch_leverage_tiers([symbol])
        assert tiers[symbol][0]["maxLeverage"] >= 50
        with pytest.raises(ccxt.InvalidOrder):
            await client.create_order(symbol, "limit", "buy", 0.01, price * 1.02, {"postOnly": True})

    run(venue, lambda: asynchronous.binanceusdm(keys()), trade)


def test_streams_by_ccxt_pro(venue: LocalExchange) -> None:
    import ccxt.pro as streaming

    async def watch(client: Any) -> None:
        await client.load_markets()
        candles = await client.watch_ohlcv("BTC/USDT", "1m")
        assert candles
        orders = asyncio.ensure_future(client.watch_orders("BTC/USDT"))
        price = (await client.fetch_ticker("BTC/USDT"))["last"]
        for _ in range(40):  # until the subscription stands no event can be seen
            made = await client.create_order("BTC/USDT", "limit", "buy", 0.01, price * 0.9)
            await client.cancel_order(made["id"], "BTC/USDT")
            done, _ = await asyncio.wait({orders}, timeout=0.1)
            if done:
                break
        seen = await orders
        assert seen[-1]["symbol"] == "BTC/USDT"
        assert seen[-1]["status"] in ("open", "canceled")

    run(venue, lambda: streaming.binance(keys()), watch)


def test_futures_streams_by_ccxt_pro(venue: LocalExchange) -> None:
    import ccxt.pro as streaming

    symbol = "SOL/USDT:USDT"

    async def watch(client: Any) -> None:
        await client.load_markets()
        assert (await client.watch_trades(symbol))[-1]["symbol"] == symbol
        trades = asyncio.ensure_future(client.watch_my_trades(symbol))
        for _ in range(40):
            await client.create_order(symbol, "market", "buy", 1)
            done, _ = await asyncio.wait({trades}, timeout=0.1)
            if done:
                break
        assert (await trades)[-1]["side"] == "buy"
        (position,) = await client.fetch_positions([symbol])
        await client.create_order(symbol, "market", "sell", position["contracts"], None, {"reduceOnly": True})

    run(venue, lambda: streaming.binanceusdm(keys()), watch)
