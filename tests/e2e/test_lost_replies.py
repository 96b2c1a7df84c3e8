"""Orders over connections that break: names that clients give make each order come once, and only once."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import aiohttp
import pytest

from exchange.signed import Client
from truewind.exchange import LocalExchange

PATHS = {"spot": "/api/v3", "usdm": "/fapi/v1"}
DUPLICATE = {"spot": -2010, "usdm": -4116}  # "Duplicate order sent.", "ClientOrderId is duplicated."


async def insist(client: Client, method: str, path: str, **params: Any) -> tuple[int, Any]:
    """Ask until an answer comes that is not a proxy's or a broken one's."""
    while True:
        try:
            status, answer = await client.ask(method, path, **params)
        except (aiohttp.ClientError, ValueError):
            continue
        if status < 500 and status not in (418, 429) and isinstance(answer, dict | list):
            return status, answer
        await asyncio.sleep(0)


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_each_order_comes_once(
    start_exchange: Callable[..., AbstractContextManager[LocalExchange]], market: str
) -> None:
    faults = {"seed": 5, "drop": 0.2, "error": 0.1, "html": 0.05, "garbled": 0.1}
    path = PATHS[market]
    today = {"symbols": ("BTCUSDT",), "days": 1}

    async def test(exchange: LocalExchange) -> None:
        async with aiohttp.ClientSession() as session:
            client = Client(exchange, session)
            repeated = 0
            for i in range(60):
                order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
                status, answer = await insist(
                    client, "POST", f"{path}/order", **order, quantity="0.01", price="39000", newClientOrderId=f"n{i}"
                )
                if status != 200:
                    assert answer["code"] == DUPLICATE[market], answer
                    repeated += 1
            assert repeated > 3  # replies that were lost after the order had come
            _, rows = await insist(client, "GET", f"{path}/allOrders", symbol="BTCUSDT")
            assert [row["clientOrderId"] for row in rows] == [f"n{i}" for i in range(60)]

    with start_exchange(limits=False, synthetic=today, faults=faults) as exchange:
        asyncio.run(test(exchange))
