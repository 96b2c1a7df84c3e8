"""An account's own events: recorded ones are read, and those of the local exchange arrive."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest

from exchange.signed import Client
from truewind.errors import ProtocolError, RejectedError
from truewind.exchange import LocalExchange
from truewind.exchange.accounts import LOCAL_KEY, LOCAL_SECRET
from truewind.market.stream.user import Connected, Credentials, UserEvent, UserStream
from truewind.venues.binance.signing import HmacKey, Secret
from truewind.venues.binance.user_messages import (
    AccountUpdate,
    AlgoUpdate,
    ExecutionReport,
    OrderTradeUpdate,
    Other,
    UserMessage,
    user_message,
)

GOOD = Credentials(Secret(LOCAL_KEY), HmacKey(Secret(LOCAL_SECRET)))
Start = Callable[..., AbstractContextManager[LocalExchange]]


def test_recorded_user_data_are_read(shared: Path) -> None:
    items = json.loads((shared.parent / "payloads" / "nautilus_binance_futures_user_data.json").read_text())["items"]
    found: dict[str, int] = {}
    for item in items:
        message = user_message(json.dumps(item["payload"]).encode())
        found[type(message).__name__] = found.get(type(message).__name__, 0) + 1
        body = item["payload"].get("data", item["payload"])
        if isinstance(message, OrderTradeUpdate):
            told = body["o"]
            assert (message.order.order_id, message.order.status) == (told["i"], told["X"])
            assert (message.order.price, message.order.filled) == (Decimal(told["p"]), Decimal(told["z"]))
        elif isinstance(message, AccountUpdate):
            assert [position.quantity for position in message.change.positions] == [
                Decimal(told["pa"]) for told in body["a"]["P"]
            ]
        elif isinstance(message, AlgoUpdate):
            assert message.order.algo_id == body["o"]["aid"]
        elif isinstance(message, Other):
            assert message.name == body["e"]
    assert found["OrderTradeUpdate"] > 5
    assert found["AlgoUpdate"] >= 2
    assert found["AccountUpdate"] >= 2


def test_a_broken_message_is_told_without_its_words() -> None:
    with pytest.raises(ProtocolError) as caught:
        user_message(b'{"e":"ORDER_TRADE_UPDATE","E":1,"T":1,"o":{"s":"HUSH","c":1}}')
    assert "HUSH" not in str(caught.value)


async def orders(exchange: LocalExchange, market: str) -> list[UserMessage | Other]:
    """Place an order far from the market, cancel it, and listen."""
    path = "/api/v3/order" if market == "spot" else "/fapi/v1/order"
    async with (
        UserStream(exchange.hosts, market, GOOD, keep_s=0.1) as stream,
        aiohttp.ClientSession() as session,
        asyncio.timeout(60),  # the exchange may compile its kernels first
    ):
        assert isinstance(await anext(stream), Connected)
        client = Client(exchange, session)
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
        placed = await client.do("POST", path, **order, quantity="0.010", price="40000.0")
        await client.do("DELETE", path, symbol="BTCUSDT", orderId=placed["orderId"])
        await asyncio.sleep(0.3)  # the listen key is kept alive meanwhile
        found: list[UserMessage | Other] = []
        while not found or getattr(found[-1], "status", getattr(getattr(found[-1], "order", None), "status", "")) != (
            "CANCELED"
        ):
            event = await anext(stream)
            if isinstance(event, UserEvent) and isinstance(event.message, ExecutionReport | OrderTradeUpdate):
                found.append(event.message)
        assert stream.reconnects == 0
        return found


def test_orders_of_the_local_exchange_are_told(start_exchange: Start) -> None:
    with start_exchange(limits=False) as exchange:
        for market in ("spot", "usdm"):
            found = asyncio.run(orders(exchange, market))
            states = [
                message.order.status if isinstance(message, OrderTradeUpdate) else getattr(message, "status", "")
                for message in found
            ]
            assert states == ["NEW", "CANCELED"]


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_a_wrong_key_ends_the_stream(start_exchange: Start, market: str) -> None:
    wrong = Credentials(Secret("x" * 64), HmacKey(Secret("hush")))

    async def scene(exchange: LocalExchange) -> None:
        async with UserStream(exchange.hosts, market, wrong) as stream, asyncio.timeout(10):
            with pytest.raises(RejectedError) as caught:
                await anext(stream)
            assert "hush" not in str(caught.value)
            assert "x" * 64 not in str(caught.value.as_dict())

    with start_exchange(limits=False) as exchange:
        asyncio.run(scene(exchange))
    assert "hush" not in repr(wrong)
