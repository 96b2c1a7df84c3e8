"""History by REST

Klines of one minute from a local exchange, over real HTTP on this machine, each client in a process of its own and
asking as fast as it does by itself: rows a second from request to a table of numbers. Ours also checks them and puts
them into a lake. The exchange counts weight as Binance does and refuses what is too much, in whole minutes of the wall
clock, so the last line is the share of the venue's own limit (USD-M, 2400 a minute) that a download uses in a whole
minute, with the refusals that it met.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import BENCH, Answer, Missing, Row, main, row
from workload import answer

DAYS = 20
START = "2024-01-01"
SYMBOL = "BTCUSDT"


def exchange_settings(days: int, **more: Any) -> dict[str, Any]:
    return {"synthetic": {"symbols": (SYMBOL,), "start": START, "days": days}, "speed": 0.0, "idle": True} | more


def ours(network: str, days: int) -> Answer:
    """By the job of `data download`, into a lake."""
    from truewind import Lake
    from truewind.domain.clock import parse_ts_us
    from truewind.domain.timeframe import DAY_US
    from truewind.market.history.download import Want, download
    from truewind.market.history.sources import sources_of
    from truewind.storage.schema import SeriesKey

    start_us = parse_ts_us(START)
    key = SeriesKey("bars", "binance", SYMBOL, "1m")
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        providers = {"binance": sources_of("binance", network, "rest")}
        report = download(Lake(folder), providers, [Want(key, ((start_us, start_us + days * DAY_US),))])
        seconds = time.perf_counter() - began
    return answer(report.outcomes[0].stored, "ours", [seconds])


def python_binance(network: str, days: int) -> Answer:
    """By get_historical_klines, into a table of floats."""
    from importlib.metadata import version

    import numpy as np
    from binance.client import Client

    Client.API_URL = f"{network}/api"
    client = Client(ping=False)
    client.API_URL = f"{network}/api"
    start = 1_704_067_200_000
    began = time.perf_counter()
    rows = client.get_historical_klines(SYMBOL, "1m", start, start + days * 86_400_000 - 1)
    np.array([row[:11] for row in rows], dtype=float)
    return answer(len(rows), version("python-binance"), [time.perf_counter() - began])


def ccxt(network: str, days: int) -> Answer:
    """By fetch_ohlcv of the async client, page after page as its manual shows, its rate limit on, into a table."""
    import ccxt.async_support as library
    import numpy as np

    async def fetch() -> tuple[int, float]:
        exchange = library.binance(
            {"options": {"fetchCurrencies": False, "fetchMargins": False, "defaultType": "spot"}}
        )
        api = exchange.urls["api"]
        exchange.urls["api"] = {
            name: url.replace("https://api.binance.com", network) if isinstance(url, str) else url
            for name, url in api.items()
        }
        exchange.options["fetchMarkets"] = {"types": ["spot"]}
        since = 1_704_067_200_000
        end = since + days * 86_400_000
        try:
            await exchange.load_markets()
            began = time.perf_counter()
            rows: list[list[float]] = []
            while since < end:
                page = await exchange.fetch_ohlcv("BTC/USDT", "1m", since, 1000)
                if not page:
                    break
                rows += [one for one in page if one[0] < end]
                since = page[-1][0] + 60_000
            np.array(rows, dtype=float)
            return len(rows), time.perf_counter() - began
        finally:
            await exchange.close()

    count, seconds = asyncio.run(fetch())
    return answer(count, library.__version__, [seconds])


def budget(seconds: float) -> tuple[int, int, int]:
    """Ask USD-M for klines over some minutes: weight used in a whole one, its limit, and how often we were refused."""
    from truewind.exchange import ExchangeConfig
    from truewind.exchange.server import running
    from truewind.market.history.queue import Queue
    from truewind.market.http import Http
    from truewind.venues.binance import payloads
    from truewind.venues.binance.endpoints import LIMITS

    async def ask(address: str) -> Queue:
        async with Http() as http:
            queue = Queue(http, address, "usdm")
            until = time.monotonic() + seconds
            parameters = {"symbol": SYMBOL, "interval": "1m", "startTime": 1_704_067_200_000, "limit": 499}

            async def one() -> None:
                while time.monotonic() < until:
                    await queue.get("/fapi/v1/klines", parameters, payloads.klines)

            await asyncio.gather(*(one() for _ in range(16)))
            return queue

    with running(ExchangeConfig.model_validate(exchange_settings(1))) as exchange:
        limits = exchange.gates["usdm"].limits
        used: dict[int, int] = {}
        take = limits.take

        def counted(address: str, endpoint: Any, weight: int, now_us: int) -> Any:
            minute = now_us // 60_000_000
            used[minute] = used.get(minute, 0) + weight
            return take(address, endpoint, weight, now_us)

        limits.take = counted
        asyncio.run(ask(exchange.hosts.usdm_rest))
        whole = sorted(used)[1:-1] or sorted(used)
        return min(used[minute] for minute in whole), LIMITS["usdm"].weight.limit, limits.refused


def rows(quick: bool) -> Iterator[Row]:
    from truewind.exchange import ExchangeConfig
    from truewind.exchange.server import running

    days = 1 if quick else DAYS
    with running(ExchangeConfig.model_validate(exchange_settings(days + 2, limits=False))) as exchange:
        measured("ours", exchange.network, days)  # the exchange makes its market on the way
        mine = measured("ours", exchange.network, days)
        if isinstance(mine, Missing):
            raise mine
        peers = {peer: measured(peer, exchange.network, days) for peer in ("python-binance", "ccxt")}
        yield row(f"1m klines by REST, {days} days", "bars", mine, peers, lambda one: one["n"] == mine["n"])
    used, limit, refused = budget(2.0 if quick else 130.0)
    work = f"weight used in a whole minute: {used} of {limit} ({used / limit:.1%}), {refused} refused"
    yield row(work, "weight", answer(used, "ours", [60.0]), {})


def measured(client: str, network: str, days: int) -> Answer | Missing:
    """One client in a process of its own, or why it could not be measured."""
    command = [sys.executable, "-W", "ignore", str(BENCH / Path(__file__).name), "--client", client, network, str(days)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode:
        return Missing(f"{client}: {(done.stderr.strip().splitlines() or ['no message'])[-1][:200]}")
    result: Answer = json.loads(done.stdout.splitlines()[-1])
    return result


if __name__ == "__main__":
    if sys.argv[1:2] == ["--client"]:
        work = {"ours": ours, "python-binance": python_binance, "ccxt": ccxt}[sys.argv[2]]
        print(json.dumps(work(sys.argv[3], int(sys.argv[4]))))
    else:
        main(rows, __doc__ or "")
