"""`truewind data record` against the local exchange with seeded faults, killed again and again.

KILLS=100 in the environment kills a hundred times (some minutes); without, two are enough for every day.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import aiohttp
import numpy as np
import polars as pl

from truewind.exchange import LocalExchange
from truewind.market.stream.binance import BinanceStreams
from truewind.market.stream.events import StreamEvent
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

KILLS = int(os.environ.get("KILLS", "2"))
SEED = int(os.environ.get("KILLS_SEED", "42"))
KINDS = ("trades", "quotes", "marks", "book")
KEYS = {kind: SeriesKey(kind, "binance_usdm", "BTCUSDT") for kind in KINDS}
FAULTS = {"seed": SEED, "hang_up": 0.3, "hang_up_after": 150, "error": 0.05, "html": 0.03, "drop": 0.03, "slow": 0.05}


class Witness:
    """Hears the same streams in this process, to the end: what it heard was said. Its own losses are no matter."""

    def __init__(self, exchange: LocalExchange) -> None:
        self.quotes: dict[int, int] = {}  # id → ts
        self._heard: list[tuple[float, int]] = []  # our time, id
        names = ["btcusdt@bookTicker"]
        self.streams = BinanceStreams(exchange.hosts, "usdm", names, in_order=False, emit=self._take)

    def _take(self, event: StreamEvent) -> None:
        if hasattr(event, "bid"):
            self.quotes[event.sequence] = event.ts_event
            self._heard.append((time.monotonic(), event.sequence))

    def said_between(self, start: float, end: float) -> list[int]:
        """Ids of quotes that were said between two moments of ours."""
        return [id_ for at, id_ in self._heard if start < at < end]


def record(exchange: LocalExchange, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "truewind.cli", "data", "record", "--pair", "BTCUSDT", "--venue", "binance_usdm"]
    command += ["--network", exchange.network, "--rotate", "1", "--json", "--streams", *KINDS]
    environment = os.environ | {"TRUEWIND_LAKE": str(folder / "lake"), "TRUEWIND_LOGS": str(folder / "logs")}
    return subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.PIPE, text=True)


def mark_of(folder: Path) -> tuple[int, int]:
    """Something that changes whenever a recorder writes."""
    spilled = sorted((folder / "lake" / "recorder" / "binance_usdm").glob("*.spill"))
    return (int(spilled[-1].stem), spilled[-1].stat().st_size) if spilled else (0, 0)


async def until_writing(folder: Path, process: subprocess.Popen[str]) -> None:
    before = mark_of(folder)
    async with asyncio.timeout(60):
        while mark_of(folder)[0] <= before[0] or mark_of(folder)[1] < 2000:
            assert process.poll() is None
            await asyncio.sleep(0.02)


async def scene(exchange: LocalExchange, folder: Path) -> tuple[Witness, list[int]]:
    """Kill at drawn moments, some of them while the recorder still starts; ids of quotes that must be safe."""
    draw, safe = random.Random(SEED), []
    witness = Witness(exchange)
    async with witness.streams:
        for _ in range(KILLS):
            process = record(exchange, folder)
            listening = float("inf")
            if draw.random() < 0.9:
                await until_writing(folder, process)
                listening = time.monotonic()
            await asyncio.sleep(draw.uniform(0.0, 2.5))
            process.send_signal(signal.SIGKILL)
            safe += witness.said_between(listening, time.monotonic() - 1.0)
            await asyncio.to_thread(process.wait)
        process = record(exchange, folder)
        await until_writing(folder, process)
        await asyncio.sleep(2.5)  # for repairs
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait)
        assert process.returncode == 0
    return witness, safe


def lost(lake: Lake, kind: str) -> list[tuple[int, int]]:
    return [(span.start_us, span.end_us) for span in lake.spans(KEYS[kind]) if span.what == "lost"]


def is_within(times: np.ndarray, spans: list[tuple[int, int]]) -> np.ndarray:
    found = np.zeros(len(times), bool)
    for start, end in spans:
        found |= (times >= start) & (times < end)
    return found


def stamps(lake: Lake, kind: str) -> np.ndarray:
    return lake.read(KEYS[kind])["ts"].to_physical().to_numpy()


async def trades_of(exchange: LocalExchange, first: int, last: int) -> pl.DataFrame:
    """The venue's own history, asked for until it answers."""
    rows: list[dict[str, object]] = []
    async with aiohttp.ClientSession() as session:
        while first <= last:
            params = {"symbol": "BTCUSDT", "fromId": str(first), "limit": "1000"}
            try:
                async with session.get(f"{exchange.hosts.usdm_rest}/fapi/v1/aggTrades", params=params) as reply:
                    page = [row for row in await reply.json() if row["a"] <= last]
            except (aiohttp.ClientError, ValueError, TypeError):
                continue
            rows += page
            first = page[-1]["a"] + 1
    table = pl.DataFrame(rows)
    return table.select(
        pl.col("T") * 1000, pl.col("a"), pl.col("p", "q").cast(pl.Float64), pl.when("m").then(-1).otherwise(1)
    )


def test_killed_at_any_moment_nothing_is_lost_that_is_not_told(
    start_exchange: Callable[..., AbstractContextManager[LocalExchange]], tmp_path: Path
) -> None:
    with start_exchange(limits=False, speed=10.0, faults=FAULTS) as exchange:
        witness, safe = asyncio.run(scene(exchange, tmp_path))
        lake = Lake(tmp_path / "lake")
        trades = lake.read(KEYS["trades"])
        ids = trades["id"].to_numpy()
        said = asyncio.run(trades_of(exchange, int(ids[0]), int(ids[-1])))
    # Trades: complete by id, and each is what the venue says.
    assert (np.diff(ids) == 1).all()
    ours = trades.select(pl.col("ts").to_physical(), "id", "price", "quantity", pl.col("side").cast(pl.Int32))
    assert ours.rows() == said.rows()
    assert lost(lake, "trades") == []
    # Quotes: whatever was said is there, or lies in a span that is told as lost; never both.
    heard = lake.read(KEYS["quotes"])
    first, last = stamps(lake, "quotes")[[0, -1]]
    spans = lost(lake, "quotes")
    missing = np.array(
        [ts for id_, ts in witness.quotes.items() if first <= ts <= last and id_ not in set(heard["id"])], np.int64
    )
    assert is_within(missing, spans).all()
    assert not is_within(stamps(lake, "quotes"), spans).any()
    # What had been said while a recorder was connected, a second or more before it was killed, is there.
    told = [span for span in lake.spans(KEYS["quotes"]) if span.what == "lost" and span.source != "nobody listened"]
    cut_off = [(span.start_us, span.end_us) for span in told]  # by the venue's faults
    absent = np.array([witness.quotes[id_] for id_ in safe if id_ not in set(heard["id"])], np.int64)
    assert is_within(absent, cut_off).all()
    # Marks come every second of the venue: each is there or told as lost.
    seconds = stamps(lake, "marks") // 1_000_000
    grid = np.arange(seconds[0], seconds[-1] + 1)
    absent = np.setdiff1d(grid, seconds) * 1_000_000
    assert is_within(absent, lost(lake, "marks")).all()
    assert not is_within(stamps(lake, "marks"), lost(lake, "marks")).any()
    # The book: wherever its chain of updates is broken, that is told.
    updates = lake.read(KEYS["book"]).filter(pl.col("kind") == 0).unique("id", maintain_order=True).sort("id")
    broken = updates.filter(pl.col("previous") != pl.col("id").shift(1))
    before = updates.with_columns(pl.col("ts").shift(1).alias("before")).join(broken.select("id"), on="id")
    for start, end in before.select(pl.col("before", "ts").to_physical()).iter_rows():
        assert any(a <= start + 1 and end <= b for a, b in lost(lake, "book")), (start, end)
    for key in KEYS.values():
        lake.verify(key)
