"""Streams in python-binance: from the socket to dicts in the reader's hands. usage: …_streams.py MESSAGES REPEATS"""

import asyncio
import sys
import time
from importlib.metadata import version

from binance import AsyncClient, BinanceSocketManager

import workload as w
from ours_streams import feed, resident_mb


async def run(port: int, n: int) -> tuple[float, int]:
    client = AsyncClient()
    manager = BinanceSocketManager(client, max_queue_size=n + 1)
    manager.STREAM_URL = f"ws://127.0.0.1:{port}/"
    try:
        async with manager.multiplex_socket(["btcusdt@aggTrade"]) as socket:
            told = await socket.recv()
            begin, count = time.perf_counter(), 1
            while count < n:
                told = await socket.recv()
                count += 1
            return time.perf_counter() - begin, told["data"]["a"]
    finally:
        await client.close_connection()


def main(n: int, repeats: int) -> None:
    with feed(n) as port:
        runs = [asyncio.run(run(port, n)) for _ in range(repeats)]
    w.tell(n, version("python-binance"), [took for took, _ in runs], last=runs[0][1], rss_mb=resident_mb())


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
