"""Other venues by the same commands: the real ccxt, over HTTP, from the command line into the lake."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from market.history.json_server import serving
from truewind.domain.clock import parse_ts_us
from truewind.market.universe import Specifications
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

START_MS = parse_ts_us("2024-01-01") // 1000
pytestmark = pytest.mark.filterwarnings("ignore")


def instruments(query: Mapping[str, str]) -> Any:
    """GET /v5/market/instruments-info in the documented shape: BTCUSDT on spot."""
    lot = {"basePrecision": "0.000001", "quotePrecision": "0.01", "minOrderQty": "0.00001", "minOrderAmt": "5"}
    about = {
        "symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "status": "Trading", "marginTrading": "none",
        "lotSizeFilter": lot, "priceFilter": {"tickSize": "0.01"},
    }  # fmt: skip
    rows = [about] if query["category"] == "spot" else []
    return {"retCode": 0, "retMsg": "OK", "result": {"category": query["category"], "list": rows}, "time": 1}


def klines(query: Mapping[str, str]) -> Any:
    """GET /v5/market/kline: an hourly bar for every hour but one, the newest first."""
    start, end, limit = (int(query[name]) for name in ("start", "end", "limit"))
    hours = [ms for ms in range(START_MS, START_MS + 2000 * 3_600_000, 3_600_000) if start <= ms <= end]
    rows = [[str(ms), "10", "12", "9", "11", "1.5", "16"] for ms in hours if ms != START_MS + 50 * 3_600_000]
    return {"retCode": 0, "retMsg": "OK", "result": {"category": "spot", "list": rows[::-1][:limit]}, "time": 1}


@pytest.fixture
def bybit() -> Iterator[str]:
    """The address of a server that answers as Bybit does, in a thread."""
    loop, found = asyncio.new_event_loop(), []
    ready, over = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with serving({"/v5/market/instruments-info": instruments, "/v5/market/kline": klines}) as (address, _):
            found.append(address)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    yield found[0]
    loop.call_soon_threadsafe(over.set)
    thread.join(10)
    loop.close()


def test_bars_of_bybit_come_by_the_usual_command(run, home, bybit):
    """Ninety days by the hour; the hour that is not there is known as the venue's; again, nothing is asked for."""
    words = ("--venue", "bybit", "--pair", "BTCUSDT", "--timeframes", "1h", "--network", bybit)
    span = ("--start", "2024-01-01", "--end", "2024-03-01")
    done = run("data", "download", *words, *span, "--json")
    assert done.code == 0, done.err
    lake, key = Lake(home / "data"), SeriesKey("bars", "bybit", "BTCUSDT", "1h")
    table = lake.read(key)
    assert table.height == 60 * 24 - 1
    assert lake.gaps(key)["reason"].to_list() == ["venue down"]
    assert str(lake.instrument("bybit", "BTCUSDT").tick_size) == "0.01"
    before = lake.snapshot().id
    assert run("data", "download", *words, *span, "--json").code == 0
    assert lake.snapshot().id == before
    assert len(Specifications(lake, "bybit").of("BTCUSDT")) == 1  # its rules are dated, and were the same again


def test_a_symbol_that_it_does_not_have(run, home, bybit):
    done = run("data", "download", "--venue", "bybit", "--pair", "BTCUSD", "--timeframes", "1h", "--network", bybit,
               "--start", "2024-01-01", "--end", "2024-01-02")  # fmt: skip
    assert done.code != 0
    assert "BTCUSDT" in done.out + done.err


def test_an_exchange_that_nobody_knows(run, home):
    done = run("data", "download", "--venue", "bybitt", "--pair", "BTCUSDT")
    assert done.code == 2
    assert "bybit" in done.err
