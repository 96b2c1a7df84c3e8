"""An exchange whose time stands still until a test moves it, and a client that signs."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from exchange.signed import Client
from truewind.exchange import ExchangeConfig, LocalExchange
from truewind.market.importing import import_files
from truewind.storage.lake import Lake

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


@pytest.fixture(scope="session")
def recorded_lake(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a lake: BTCUSDT of Binance USD-M on 2024-08-08, snapshots, updates and trades as recorded."""
    folder = tmp_path_factory.mktemp("recorded")
    import_files(Lake(folder), [shared / "hftbacktest" / "usdm__btcusdt_20240808.gz"], base_latency_ms=1.0)
    return folder
