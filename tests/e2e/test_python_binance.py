"""python-binance: AsyncClient and its socket manager against the local exchange over real connections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from truewind.exchange import LocalExchange
from truewind.exchange.accounts import LOCAL_KEY, LOCAL_SECRET

pytestmark = pytest.mark.filterwarnings("ignore")


@asynccontextmanager
async def connected(venue: LocalExchange) -> AsyncIterator[tuple[Any, Any]]:
    """(client, its socket manager)."""
    from binance import AsyncClient, BinanceSocketManager
    from binance.ws.reconnecting_websocket import ReconnectingWebsocket

    ReconnectingWebsocket.TIMEOUT = 0.5  # its reading ends no sooner when it is closed
    hosts = venue.hosts
    client = AsyncClient(LOCAL_KEY, LOCAL_SECRET)
    client.API_URL, client.FUTURES_URL = f"{hosts.spot_rest}/api", f"{hosts.usdm_rest}/fapi"
    client.ws_api._url = hosts.spot_ws_api
    sockets = BinanceSocketManager(client)
    sockets.STREAM_URL, sockets.FSTREAM_URL = f"{hosts.spot_ws}/", f"{hosts.usdm_ws}/"
    try:
        yield client, sockets
    finally:
        await client.close_connection()


def test_spot(venue: LocalExchange) -> None:
    async def trade() -> None:
        async with connected(venue) as (client, sockets):
            info = await client.get_exchange_info()
            assert {row["symbol"] for row in info["symbols"]} >= {"BTCUSDT", "SOLUSDT"}
            assert len(await client.get_klines(symbol="BTCUSDT", interval="1m", limit=10)) == 10
            last = float((await client.get_symbol_ticker(symbol="BTCUSDT"))["price"])
            async with sockets.user_socket() as events:
                made = await client.order_limit_buy(symbol="BTCUSDT", quantity="0.01", price=f"{last * 0.9:.1f}")
                assert made["status"] == "NEW"
                reports = [await _next(events, "executionReport")]
                await client.cancel_order(symbol="BTCUSDT", orderId=made["orderId"])
                reports.append(await _next(events, "executionReport"))
                assert [row["x"] for row in reports] == ["NEW", "CANCELED"]
                assert {row["i"] for row in reports} == {made["orderId"]}
                filled = await client.order_market_sell(symbol="BTCUSDT", quantity="0.01")
                trade = await _next(events, "executionReport", x="TRADE")
                assert (trade["i"], trade["X"]) == (filled["orderId"], "FILLED")
                position = await _next(events, "outboundAccountPosition")
                assert {row["a"] for row in position["B"]} == {"BTC", "USDT"}
            async with sockets.kline_socket("BTCUSDT") as klines:
                assert (await asyncio.wait_for(klines.recv(), 10))["k"]["s"] == "BTCUSDT"
            assert (await client.get_asset_balance(asset="BTC"))["asset"] == "BTC"

    asyncio.run(trade())


def test_futures(venue: LocalExchange) -> None:
    async def trade() -> None:
        async with connected(venue) as (client, sockets):
            await client.futures_change_leverage(symbol="SOLUSDT", leverage=7)
            async with sockets.futures_user_socket() as events:
                await asyncio.sleep(0.2)  # until the connection stands
                made = await client.futures_create_order(symbol="SOLUSDT", side="BUY", type="MARKET", quantity="2")
                account = await _next(events, "ACCOUNT_UPDATE")
                assert account["a"]["m"] == "ORDER"
                update = await _next(events, "ORDER_TRADE_UPDATE", x="TRADE")
                assert update["o"]["i"] == made["orderId"]
                await client.futures_create_order(
                    symbol="SOLUSDT", side="SELL", type="MARKET", quantity="2", reduceOnly="true"
                )
                await _next(events, "ORDER_TRADE_UPDATE", X="FILLED", S="SELL")
            positions = await client.futures_position_information(symbol="SOLUSDT")
            assert all(float(row["positionAmt"]) == 0 for row in positions)
            assert [row["asset"] for row in await client.futures_account_balance()] == ["USDT"]
            assert await client.futures_account_trades(symbol="SOLUSDT")

    asyncio.run(trade())


async def _next(events: Any, kind: str, **wanted: str) -> dict[str, Any]:
    """The next event of a kind, with the fields that are wanted."""
    while True:
        row = await asyncio.wait_for(events.recv(), 10)
        row = row.get("event", row)
        fields = row.get("o", row) if isinstance(row.get("o"), dict) else row
        if row.get("e") == kind and all(fields.get(name) == value for name, value in wanted.items()):
            found: dict[str, Any] = row
            return found
