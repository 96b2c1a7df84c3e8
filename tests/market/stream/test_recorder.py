"""The recorder over real connections: what was heard is in the lake, what was missed too, the rest in the ledger."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from market.stream.scripted import T0, Venue, kline
from truewind.market.stream.pool import Settings
from truewind.market.stream.recorder import Recorder, stream_names
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

QUICK = Settings(backoff_s=(0.01, 0.05), overlap_s=0.05, timeout_s=2.0)
TRADES = SeriesKey("trades", "binance_usdm", "BTCUSDT")
BARS = SeriesKey("bars", "binance_usdm", "BTCUSDT", "1m")
QUOTES = SeriesKey("quotes", "binance_usdm", "BTCUSDT")
BOOK = SeriesKey("book", "binance_usdm", "BTCUSDT")
TRADE, QUOTE, KLINE = "btcusdt@aggTrade", "btcusdt@bookTicker", "btcusdt@kline_1m"


def quote(number: int) -> dict[str, object]:
    ms = T0 + 10 * number
    return {
        "e": "bookTicker",
        "u": number,
        "E": ms,
        "T": ms,
        "s": "BTCUSDT",
        "b": "100.0",
        "B": "1",
        "a": "100.1",
        "A": "2",
    }


def us(number: int) -> int:
    return (T0 + 10 * number) * 1000


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def recorder(lake: Lake, venue: Venue, folder: Path, names: list[str], rotate_s: float = 60.0) -> Recorder:
    return Recorder(lake, venue.hosts, "usdm", names, folder, rotate_s=rotate_s, settings=QUICK)


def stored_ids(lake: Lake, key: SeriesKey) -> list[int]:
    return lake.read(key)["id"].to_list()


def lost(lake: Lake, key: SeriesKey) -> list[tuple[int, int]]:
    return [(span.start_us, span.end_us) for span in lake.spans(key) if span.what == "lost"]


def test_what_is_heard_is_in_the_lake(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")

    async def scene() -> None:
        async with Venue() as venue:
            stop = asyncio.Event()
            job = recorder(lake, venue, tmp_path / "spill", [TRADE, KLINE], rotate_s=0.3)
            running = asyncio.create_task(job.run(stop))
            await venue.listeners(TRADE)
            for number in range(20):
                await venue.trade(number, heard=number not in (7, 8))
                await asyncio.sleep(0.05)
            await venue.say(KLINE, kline(0, True))
            await until(lambda: sum(job.rows.values()) == 21)
            stop.set()
            done = await running
            assert done.stored == 21
            assert done.status.repaired == 2

    asyncio.run(scene())
    table = lake.read(TRADES)
    assert table["id"].to_list() == list(range(20))
    assert table["ts"].to_physical().to_list() == [us(n) for n in range(20)]
    assert table["ts_recv"].null_count() == 0
    bar = lake.read(BARS).row(0, named=True)
    assert (bar["open"], bar["high"], bar["low"], bar["close"], bar["volume"]) == (100.0, 110.0, 90.0, 101.0, 5.0)
    assert lake.unasked(TRADES, us(0), us(19) + 1) == []
    assert lost(lake, TRADES) == []


def test_a_restart_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    """Trades come by REST; quotes between the last that was heard and the first are lost, to the microsecond."""
    lake = Lake(tmp_path / "lake")

    async def session(venue: Venue, first: int, last: int) -> None:
        stop = asyncio.Event()
        job = recorder(lake, venue, tmp_path / "spill", [TRADE, QUOTE])
        running = asyncio.create_task(job.run(stop))
        await venue.listeners(TRADE)
        await venue.listeners(QUOTE)
        for number in range(first, last + 1):
            await venue.trade(number)
            await venue.say(QUOTE, quote(number))
        expected = last + 1 - (0 if first == 0 else 10)
        await until(lambda: job.rows.get(TRADES, 0) >= expected and job.rows.get(QUOTES, 0) == last - first + 1)
        stop.set()
        await running

    async def scene() -> None:
        async with Venue() as venue:
            await session(venue, 0, 9)
            for number in range(10, 20):
                await venue.trade(number, heard=False)
            await session(venue, 20, 29)

    asyncio.run(scene())
    assert stored_ids(lake, TRADES) == list(range(30))
    assert stored_ids(lake, QUOTES) == [*range(10), *range(20, 30)]
    assert lost(lake, QUOTES) == [(us(9) + 1, us(20))]
    assert lake.unasked(QUOTES, us(0), us(29) + 1) == [(us(9) + 1, us(20))]
    assert lake.unasked(TRADES, us(0), us(29) + 1) == []


def test_impossible_messages_are_quarantined_and_never_stored(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    bad = [
        '{"stream":"btcusdt@bookTicker","data":{"u":1}}',
        '{"stream":"btcusdt@bookTicker","data":' + json.dumps(quote(1) | {"b": "-5"}) + "}",
        '{"stream":"btcusdt@bookTicker","data":' + json.dumps(quote(1) | {"T": T0 // 1000}) + "}",
        '{"stream":"btcusdt@bookTicker","data":' + json.dumps(quote(1) | {"T": 4_000_000_000_000}) + "}",
        '{"stream":"btcusdt@bookTicker","data":' + json.dumps(quote(1) | {"s": "ETHUSDT"}) + "}",
        "<html>502</html>",
        '{"stream":"btcusdt@bookTicker","da',
    ]

    async def scene() -> None:
        async with Venue() as venue:
            stop = asyncio.Event()
            job = recorder(lake, venue, tmp_path / "spill", [QUOTE])
            running = asyncio.create_task(job.run(stop))
            await venue.listeners(QUOTE)
            for text in bad:
                await venue.raw(QUOTE, text)
            await venue.say(QUOTE, quote(2) | {"unknown": [1]})
            await until(lambda: job.rows.get(QUOTES, 0) == 1)
            stop.set()
            assert (await running).status.refused == len(bad)

    asyncio.run(scene())
    assert stored_ids(lake, QUOTES) == [2]
    kept = lake.quarantined(QUOTES)
    assert sorted(kept["raw"]) == sorted(bad)
    assert kept["reason"].null_count() == 0


def test_names_of_what_can_be_recorded() -> None:
    assert stream_names("BTCUSDT", ["bars:5m", "book"], "spot") == ["btcusdt@kline_5m", "btcusdt@depth@100ms"]


KILLED = """
import asyncio, sys
from pathlib import Path
from truewind.market.stream.pool import Settings
from truewind.market.stream.recorder import Recorder
from truewind.storage.lake import Lake
from truewind.venues.binance.hosts import Hosts
port, folder = int(sys.argv[1]), Path(sys.argv[2])
http, ws = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}"
hosts = Hosts(http, ws, ws, http, ws, "")
quick = Settings(backoff_s=(0.01, 0.05), overlap_s=0.05, timeout_s=2.0)
names = ["btcusdt@aggTrade", "btcusdt@bookTicker"]
recorder = Recorder(Lake(folder / "lake"), hosts, "usdm", names, folder / "spill", rotate_s=0.5, settings=quick)
asyncio.run(recorder.run(asyncio.Event()))
"""


def test_kill_9_loses_less_than_a_second(tmp_path: Path) -> None:
    """Killed twice while the venue talks on: trades complete; of quotes all but those of a moment, and told."""
    said: list[tuple[float, int]] = []
    kills: list[float] = []

    async def talk(venue: Venue) -> None:
        clock = asyncio.get_running_loop().time
        for number in range(100_000):
            await venue.trade(number)
            await venue.say(QUOTE, quote(number))
            said.append((clock(), number))
            await asyncio.sleep(0.002)

    async def scene() -> None:
        async with Venue() as venue:
            talking = asyncio.create_task(talk(venue))
            port = venue.hosts.usdm_rest.rpartition(":")[2]
            for _ in range(2):
                process = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, port, str(tmp_path))
                await venue.listeners(QUOTE)
                await asyncio.sleep(1.3)
                os.kill(process.pid, signal.SIGKILL)
                kills.append(asyncio.get_running_loop().time())
                await process.wait()
            talking.cancel()
            lake = Lake(tmp_path / "lake")
            stop = asyncio.Event()
            job = recorder(lake, venue, tmp_path / "spill", [TRADE, QUOTE])
            running = asyncio.create_task(job.run(stop))
            await venue.listeners(QUOTE)
            number = len(venue.trades)
            await venue.trade(number)
            await venue.say(QUOTE, quote(number))
            await until(lambda: not job.streams.repairs.is_busy and job.rows.get(QUOTES, 0) == 1)
            stop.set()
            await running

    asyncio.run(scene())
    lake = Lake(tmp_path / "lake")
    ids = stored_ids(lake, TRADES)
    assert ids == list(range(ids[0], ids[-1] + 1))
    assert ids[-1] >= said[-1][1]
    heard = stored_ids(lake, QUOTES)
    spans = lost(lake, QUOTES)
    missing = sorted(set(range(heard[0], heard[-1] + 1)) - set(heard))
    assert [n for n in missing if not any(a <= us(n) < b for a, b in spans)] == []
    assert [n for n in heard if any(a <= us(n) < b for a, b in spans)] == []
    for kill in kills:  # all that was said more than a second before it is there
        last = max(n for at, n in said if at < kill - 1.0)
        assert last in heard or last < heard[0]
    lake.verify(TRADES)
    lake.verify(QUOTES)
