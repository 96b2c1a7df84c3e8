"""Streams in truewind: from the socket to typed events in the reader's hands, in order and without holes.

usage: ours_streams.py speed MESSAGES REPEATS
       ours_streams.py latency MESSAGES RATE
       ours_streams.py soak SECONDS RATE
"""

import asyncio
import contextlib
import gc
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import workload as w

SERVER = Path(__file__).with_name("feed_server.py")


@contextlib.contextmanager
def feed(*arguments: object) -> Iterator[int]:
    """A feed server in a process of its own; its port."""
    process = subprocess.Popen([sys.executable, str(SERVER), *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def resident_mb() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6


def streams(port: int):
    from truewind.market.stream.binance import BinanceStreams
    from truewind.venues.binance.hosts import Hosts

    http, ws = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}"
    return BinanceStreams(Hosts(http, ws, ws, http, ws, ""), "usdm", ["btcusdt@aggTrade"])


async def speed(port: int, n: int) -> tuple[float, int]:
    """Seconds from the first event to the last, and the last one's number."""
    async with streams(port) as events:
        last = await anext(events.timeline)
        begin, count = time.perf_counter(), 1
        while count < n:
            last = await anext(events.timeline)
            count += 1
        return time.perf_counter() - begin, last.sequence


async def latency(port: int, n: int) -> list[float]:
    """Milliseconds from the server's write to the event in the reader's hands, sorted."""
    late = []
    async with streams(port) as events:
        async for event in events:
            late.append((time.time_ns() // 1000 - event.ts_event) / 1000)
            if len(late) == n:
                return sorted(late[n // 10 :])
    return []


async def soak(port: int, seconds: float) -> list[tuple[float, float]]:
    """(seconds, MB) every ten seconds."""
    sizes, begin = [], time.perf_counter()
    due = 0.0
    async with streams(port) as events:
        async for _ in events:
            now = time.perf_counter() - begin
            if now >= due:
                gc.collect()
                sizes.append((now, resident_mb()))
                due += min(10.0, seconds / 10)
            if now >= seconds:
                return sizes
    return sizes


def main(what: str, first: float, second: float) -> None:
    from truewind import __version__

    if what == "speed":
        with feed(int(first)) as port:
            runs = [asyncio.run(speed(port, int(first))) for _ in range(int(second) + 1)][1:]
        w.tell(int(first), __version__, [took for took, _ in runs], last=runs[0][1], rss_mb=resident_mb())
    elif what == "latency":
        with feed(int(first), second) as port:
            late = asyncio.run(latency(port, int(first)))
        middle, most = late[len(late) // 2], late[int(len(late) * 0.99)]
        note = f"at {second:,.0f} messages/s: median {middle:.2f} ms, p99 {most:.2f} ms"
        w.tell(int(first), __version__, [first / second], p99_ms=most, note=note, rss_mb=resident_mb())
    else:
        with feed(int(first * second * 2), second) as port:
            sizes = asyncio.run(soak(port, first))
        (_, early), (at, end) = sizes[len(sizes) // 5], sizes[-1]
        note = (
            f"after {at:,.0f} s at {second:,.0f} messages/s: {end:.0f} MB, {end - early:+.1f} MB since the first fifth"
        )
        w.tell(int(first * second), __version__, [first], note=note, grown_mb=end - early, rss_mb=end)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
