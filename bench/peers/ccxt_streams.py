"""Streams in ccxt.pro: from the socket to its trades in the reader's hands. usage: ccxt_streams.py MESSAGES REPEATS"""

import asyncio
import sys
import time
from importlib.metadata import version

import ccxt.pro

import workload as w
from ours_streams import feed, resident_mb

MARKET = {
    "id": "BTCUSDT",
    "lowercaseId": "btcusdt",
    "symbol": "BTC/USDT",
    "base": "BTC",
    "quote": "USDT",
    "baseId": "BTC",
    "quoteId": "USDT",
    "type": "spot",
    "spot": True,
    "active": True,
    "contract": False,
    "precision": {"amount": 0.001, "price": 0.1},
}


async def run(port: int, n: int) -> tuple[float, int]:
    exchange = ccxt.pro.binance({"options": {"watchTrades": {"name": "aggTrade"}, "tradesLimit": 1000}})
    exchange.urls["api"]["ws"]["spot"] = f"ws://127.0.0.1:{port}/ws"
    exchange.set_markets([exchange.safe_market_structure(MARKET)])
    seen = 0
    begin = None
    handle = exchange.handle_trade

    def counted(client, message):
        nonlocal seen
        seen += 1
        return handle(client, message)

    exchange.handle_trade = counted
    exchange.newUpdates = True
    try:
        while seen < n:
            trades = await exchange.watch_trades("BTC/USDT")
            begin = begin or time.perf_counter()
        return time.perf_counter() - begin, int(trades[-1]["id"])
    finally:
        await exchange.close()


def main(n: int, repeats: int) -> None:
    with feed(n) as port:
        runs = [asyncio.run(run(port, n)) for _ in range(repeats)]
    w.tell(n, version("ccxt"), [took for took, _ in runs], last=runs[0][1], rss_mb=resident_mb())


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
