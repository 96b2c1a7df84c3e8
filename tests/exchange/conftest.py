"""An exchange whose time stands still until a test moves it, and a client that signs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from exchange.signed import Client
from truewind.exchange import ExchangeConfig, LocalExchange

MARKET = {"symbols": ("BTCUSDT", "SOLUSDT"), "start": "2024-01-01", "days": 2}


@pytest.fixture
def trade() -> Callable[..., None]:
    """`trade(test)` runs the coroutine function `test(client)` against an exchange of its own."""

    def run(test: Callable[[Client], Awaitable[None]], **settings: Any) -> None:
        async def work() -> None:
            defaults = {"synthetic": MARKET, "speed": 0.0, "idle": True, "limits": False}
            async with (
                LocalExchange(ExchangeConfig.model_validate(defaults | settings)) as exchange,
                aiohttp.ClientSession() as session,
            ):
                await test(Client(exchange, session))

        asyncio.run(work())

    return run
